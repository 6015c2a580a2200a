//! The one change that this program makes in a file that a person wrote.

use crate::{
    config::{
        document, parse_cluster,
        place::{Children, Node, Position},
        problem::{Problem, Source},
    },
    model::{cluster::ClusterConfig, name::Name},
};

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It has problems.
    #[error("the file has problems")]
    Problems(Vec<Problem>),
    /// It is written in a way that this does not understand.
    #[error("cannot find the place for `spec.access.uid`")]
    NoPlace,
}

/// Sets `spec.access.uid` of a cluster's file. Everything else stays as it is, to the byte.
///
/// # Errors
///
/// Whatever is wrong with the file before the change, and [`EditError::NoPlace`] when the changed file would not mean the
/// same with the new UID.
pub fn with_uid(source: &Source, cluster: &Name, uid: &str) -> Result<Vec<u8>, EditError> {
    let before = parse_cluster(source, cluster).map_err(EditError::Problems)?;
    let document = document::read(source).map_err(EditError::Problems)?;
    let text = std::str::from_utf8(&source.bytes).expect("a file that was read is UTF-8");
    let (mark, content) = match text.strip_prefix('\u{feff}') {
        Some(content) => ("\u{feff}", content),
        None => ("", text),
    };
    let edit = edit(&document.root, content, uid).ok_or(EditError::NoPlace)?;
    let (start, end) = (offset(content, edit.from), offset(content, edit.to));
    let bytes = format!("{mark}{}{}{}", &content[..start], edit.text, &content[end..]).into_bytes();
    let changed = Source { path: source.path.clone(), bytes: bytes.clone().into() };
    match parse_cluster(&changed, cluster) {
        Ok(after) if after == (ClusterConfig { uid: Some(uid.to_owned()), ..before }) => Ok(bytes),
        Ok(_) | Err(_) => Err(EditError::NoPlace),
    }
}

/// A text in the place of another.
struct Edit {
    from: Position,
    to: Position,
    text: String,
}

fn edit(root: &Node, content: &str, uid: &str) -> Option<Edit> {
    let line_end = if content.contains("\r\n") { "\r\n" } else { "\n" };
    let known = root.follow("/spec/access/uid");
    if known.exists {
        return Some(Edit { from: known.node.value, to: known.node.end, text: uid.to_owned() });
    }
    let access = root.follow("/spec/access");
    let (parent, key) = if access.exists { (access.node, "uid: ") } else { (root.follow("/spec").node, "access: ") };
    let Children::Map(children) = &parent.children else { return None };
    let is_flow = content[offset(content, parent.value)..].starts_with('{');
    let first = children.values().filter_map(|child| child.key).min();
    let (at, text) = match (first, is_flow) {
        (Some(first), true) if access.exists => (first, format!("{key}{uid}, ")),
        (Some(first), true) => (first, format!("{key}{{uid: {uid}}}, ")),
        (Some(first), false) => {
            let indent = " ".repeat(first.column - 1);
            if access.exists {
                (first, format!("{key}{uid}{line_end}{indent}"))
            } else {
                (first, format!("access:{line_end}{indent}  uid: {uid}{line_end}{indent}"))
            }
        }
        (None, _) if access.exists && is_flow => {
            let inside = Position { line: parent.value.line, column: parent.value.column + 1 };
            (inside, format!("{key}{uid}"))
        }
        (None, _) => return None,
    };
    Some(Edit { from: at, to: at, text })
}

/// The byte at which a place is.
fn offset(content: &str, place: Position) -> usize {
    let lines = content.split_inclusive('\n').take(place.line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    let within = content[start..].char_indices().nth(place.column.saturating_sub(1));
    within.map_or(content.len(), |(within, _)| start + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "5e8d2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10";

    fn edited(text: &str) -> Result<String, EditError> {
        let source = Source { path: "cluster.yaml".to_owned(), bytes: text.as_bytes().into() };
        let edge = Name::parse("edge").unwrap();
        with_uid(&source, &edge, UID).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn file(spec: &str) -> String {
        format!("apiVersion: bobbypin.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: edge}}\n{spec}")
    }

    #[test]
    fn the_uid_gets_its_place_and_everything_else_stays() {
        let platform = "platform: {kind: cozystack, version: v1.6.2, live: true}";
        let cases = [
            (
                format!("spec:\n  # how\n  access:\n    # who\n    context: edge-admin   # not root\n  {platform}\n"),
                format!(
                    "spec:\n  # how\n  access:\n    # who\n    uid: {UID}\n    context: edge-admin   # not root\n  {platform}\n"
                ),
            ),
            (
                format!("spec:\n  access:\n    uid: 0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10  # old\n  {platform}\n"),
                format!("spec:\n  access:\n    uid: {UID}  # old\n  {platform}\n"),
            ),
            (
                format!(
                    "spec:\n  access: {{uid: \"0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10\", inCluster: true}}\n  {platform}\n"
                ),
                format!("spec:\n  access: {{uid: {UID}, inCluster: true}}\n  {platform}\n"),
            ),
            (
                format!("spec:\n  access: {{context: ümlaut}}\n  {platform}\n"),
                format!("spec:\n  access: {{uid: {UID}, context: ümlaut}}\n  {platform}\n"),
            ),
            (
                format!("spec:\n  {platform}\n  access: {{}}\n"),
                format!("spec:\n  {platform}\n  access: {{uid: {UID}}}\n"),
            ),
            (
                format!("spec:\n    # the platform\n    {platform}\n"),
                format!("spec:\n    # the platform\n    access:\n      uid: {UID}\n    {platform}\n"),
            ),
            (format!("spec: {{{platform}}}\n"), format!("spec: {{access: {{uid: {UID}}}, {platform}}}\n")),
        ];
        for (before, after) in cases {
            assert_eq!(edited(&file(&before)).unwrap(), file(&after), "{before}");
            let dos = |text: &str| format!("\u{feff}{}", file(text).replace('\n', "\r\n"));
            assert_eq!(edited(&dos(&before)).unwrap(), dos(&after), "{before}");
        }
    }

    #[test]
    fn a_file_with_problems_is_left_alone() {
        assert!(matches!(edited(&file("spec: {}\n")), Err(EditError::Problems(_))));
        assert!(matches!(edited("a: ["), Err(EditError::Problems(_))));
    }
}
