//! Keep-lists for cleaners of Gitea: `type/name==version`, one on each line.
//!
//! The list belongs to people. What they wrote stays to the byte, and what is missing comes at the end.

use std::{collections::BTreeSet, fmt};

use crate::{config::problem::Problem, model::oci::Reference, pins::keep::Keep};

/// The package type of everything that lies in the registry for containers; charts of Helm do too.
const CONTAINER: &str = "container";

/// One version of a package: a tag, or a digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The package type.
    pub kind: String,
    /// The package's name; may hold `/`. Its owner is not part of it.
    pub name: String,
    /// A tag, or `sha256:` and a digest.
    pub version: String,
}

impl Line {
    /// What makes two lines the same: Gitea knows no upper case in them.
    fn key(&self) -> (String, String, String) {
        (self.kind.to_lowercase(), self.name.to_lowercase(), self.version.to_lowercase())
    }

    /// Whether it keeps a reference. Without an owner any one is meant.
    pub fn keeps(&self, reference: &Reference, owner: Option<&str>) -> bool {
        let Some((its_owner, name)) = reference.repository.path().split_once('/') else { return false };
        let is_owned = owner.is_none_or(|owner| owner.eq_ignore_ascii_case(its_owner));
        // On Gitea a digest lives as long as a tag leads to it, so a kept digest alone keeps no tag.
        let version = reference.tag.as_ref().or(reference.digest.as_ref());
        is_owned
            && self.kind.eq_ignore_ascii_case(CONTAINER)
            && self.name.eq_ignore_ascii_case(name)
            && version.is_some_and(|version| self.version.eq_ignore_ascii_case(version))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}=={}", self.kind, self.name, self.version)
    }
}

/// The lines for what lies in the registry of an owner: one for every tag, and one for every digest, which is a version of
/// its own where it was pushed as one.
pub fn lines(keep: &Keep, registry: &str, owner: &str) -> BTreeSet<Line> {
    let of_reference = |reference: &Reference| {
        let is_here = reference.repository.registry().eq_ignore_ascii_case(registry);
        let name = match reference.repository.path().split_once('/') {
            Some((its_owner, name)) if is_here && its_owner.eq_ignore_ascii_case(owner) => Some(name.to_owned()),
            _ => None,
        };
        let versions = [reference.tag.clone(), reference.digest.clone()].into_iter().flatten();
        let versions: Vec<_> = versions.collect();
        name.into_iter().flat_map(move |name| {
            let line = move |version: &String| Line {
                kind: CONTAINER.to_owned(),
                name: name.clone(),
                version: version.clone(),
            };
            versions.iter().map(line).collect::<Vec<_>>()
        })
    };
    keep.entries.keys().flat_map(of_reference).collect()
}

/// Reads a list.
///
/// # Errors
///
/// Every line that cannot be read, with its place.
pub fn parse(path: &str, text: &str) -> Result<Vec<Line>, Vec<Problem>> {
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let content = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in content.split('\n').enumerate() {
        match parse_line(line.strip_suffix('\r').unwrap_or(line)) {
            Ok(found) => lines.extend(found),
            Err((column, message)) => problems.push(Problem {
                path: path.to_owned(),
                line: index + 1,
                column,
                key: String::new(),
                message: message.to_owned(),
                hint: Some("write `container/name==version`, or put a `#` before it".to_owned()),
                excerpt: line.trim_end().chars().take(160).collect(),
            }),
        }
    }
    if problems.is_empty() { Ok(lines) } else { Err(problems) }
}

/// One line: nothing but a comment, or a version of a package; otherwise the column of what is wrong.
fn parse_line(line: &str) -> Result<Option<Line>, (usize, &'static str)> {
    let before = line.split_once('#').map_or(line, |(before, _)| before);
    let text = before.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let start = before.len() - before.trim_start().len();
    let column = |within: usize| line[..start + within].chars().count() + 1;
    if let Some(at) = text.find(|c: char| c.is_whitespace() || c.is_control()) {
        return Err((column(at), "a space stands in the middle of the line"));
    }
    let Some((kind, rest)) = text.split_once('/') else {
        return Err((column(0), "there is no `/` after a package type"));
    };
    if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err((column(0), "the line does not begin with a package type, such as `container`"));
    }
    let Some((name, version)) = rest.rsplit_once("==") else {
        return Err((column(kind.len() + 1), "there is no `==` before a version"));
    };
    if name.is_empty() || name.starts_with('/') || name.ends_with(['/', '=']) {
        return Err((column(kind.len() + 1), "that is no name of a package"));
    }
    if version.is_empty() || version.starts_with('=') {
        return Err((column(kind.len() + 1 + name.len() + 2), "there is no version after `==`"));
    }
    Ok(Some(Line { kind: kind.to_owned(), name: name.to_owned(), version: version.to_owned() }))
}

/// Adds the lines that a list does not have yet, in order, after everything else. Where it has them all it stays as it is.
///
/// # Errors
///
/// Every line of the list that cannot be read, with its place: nobody knows what it keeps.
pub fn merge(path: &str, text: &str, wanted: &BTreeSet<Line>) -> Result<String, Vec<Problem>> {
    let mut known: BTreeSet<_> = parse(path, text)?.iter().map(Line::key).collect();
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut merged = text.to_owned();
    for line in wanted {
        if known.insert(line.key()) {
            if !merged.is_empty() && merged != "\u{feff}" && !merged.ends_with('\n') {
                // Programs that read line by line overlook a last one without an end.
                merged.push_str(line_end);
            }
            merged.push_str(&format!("{line}{line_end}"));
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> Line {
        parse("pins.txt", text).expect("a lawful line").remove(0)
    }

    #[test]
    fn a_line_is_a_type_a_name_with_slashes_and_a_version() {
        let table = [
            ("container/cms-plugins==staging", ("container", "cms-plugins", "staging")),
            ("  container/team/app==1.2\t# why", ("container", "team/app", "1.2")),
            ("generic/a==b==c", ("generic", "a==b", "c")),
            ("container/app==sha256:00ff", ("container", "app", "sha256:00ff")),
        ];
        for (text, (kind, name, version)) in table {
            let wanted = Line { kind: kind.to_owned(), name: name.to_owned(), version: version.to_owned() };
            assert_eq!(parse("pins.txt", text), Ok(vec![wanted]), "{text}");
        }
        assert_eq!(parse("pins.txt", "\u{feff}# a\n\n  # b==c\r\n#\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told_with_its_column_and_stops_everything() {
        let table = [
            ("app", 1, "there is no `/` after a package type"),
            ("  /app==1", 3, "the line does not begin with a package type, such as `container`"),
            ("container/app", 11, "there is no `==` before a version"),
            ("container/==1", 11, "that is no name of a package"),
            ("container/app== # x", 16, "there is no version after `==`"),
            ("container/ü app==1", 12, "a space stands in the middle of the line"),
            ("container/app===1", 11, "that is no name of a package"),
        ];
        for (text, column, message) in table {
            let problems = merge("pins.txt", &format!("# a list\ncontainer/good==1\n{text}\n"), &BTreeSet::new());
            let problems = problems.expect_err(text);
            assert_eq!(
                problems
                    .iter()
                    .map(|problem| (problem.line, problem.column, problem.message.as_str()))
                    .collect::<Vec<_>>(),
                [(3, column, message)],
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_missing_comes_at_the_end_and_everything_else_stays() {
        let wanted: BTreeSet<_> = ["container/b==1", "container/a==2", "container/A/B==X"].map(line).into();
        let merged = |text: &str| merge("pins.txt", text, &wanted).expect("a lawful list");
        assert_eq!(merged(""), "container/A/B==X\ncontainer/a==2\ncontainer/b==1\n");
        assert_eq!(
            merged("# ours\r\n\r\nCONTAINER/a/b==x # why\r\ncontainer/b==1"),
            "# ours\r\n\r\nCONTAINER/a/b==x # why\r\ncontainer/b==1\r\ncontainer/a==2\r\n"
        );
        let whole = "container/b==1\n\ncontainer/a==2\n\ncontainer/a/b==x";
        assert_eq!(merged(whole), whole);
    }

    #[test]
    fn a_kept_digest_alone_does_not_keep_a_tag() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let reference = |text: &str| Reference::parse(text).expect("a literal that parses");
        let tagged = reference(&format!("git.example.org/acme/team/app:1.2@{digest}"));
        let untagged = reference(&format!("git.example.org/acme/team/app@{digest}"));
        let (by_tag, by_digest) = (line("container/Team/App==1.2"), line(&format!("container/team/app=={digest}")));
        assert_eq!([by_tag.keeps(&tagged, None), by_tag.keeps(&untagged, None)], [true, false]);
        assert_eq!([by_digest.keeps(&tagged, None), by_digest.keeps(&untagged, None)], [false, true]);
        assert_eq!([by_tag.keeps(&tagged, Some("ACME")), by_tag.keeps(&tagged, Some("other"))], [true, false]);
        assert!(!line("helm/team/app==1.2").keeps(&tagged, None));
    }

    fn some_lines() -> impl Strategy<Value = Vec<String>> {
        let package = "(container|Generic)/[aB]{1,2}(/[ab])?==([aB1]|sha256:[0a]{2})[ \t]{0,2}";
        let forms =
            ["#[ -~]{0,6}".to_owned(), "[ \t]{0,3}".to_owned(), format!("{package}#[ü=/]{{0,3}}"), package.to_owned()];
        let line = proptest::string::string_regex(&forms.map(|form| format!("({form})")).join("|"));
        proptest::collection::vec(line.expect("a lawful expression"), 0..8)
    }

    proptest! {
        #[test]
        fn merging_keeps_every_old_byte_brings_every_line_and_twice_is_once(
            old in some_lines(), new in some_lines(), dos in any::<bool>(), ended in any::<bool>(),
        ) {
            let line_end = if dos { "\r\n" } else { "\n" };
            let old = old.join(line_end) + if ended { line_end } else { "" };
            let wanted: BTreeSet<_> = parse("new", &new.join("\n")).unwrap().into_iter().collect();
            let once = merge("old", &old, &wanted).unwrap();
            prop_assert!(once.starts_with(&old));
            prop_assert_eq!(&merge("old", &once, &wanted).unwrap(), &once);
            let keys = |text: &str| parse("x", text).unwrap().iter().map(Line::key).collect::<BTreeSet<_>>();
            let both: BTreeSet<_> = keys(&old).into_iter().chain(wanted.iter().map(Line::key)).collect();
            prop_assert_eq!(keys(&once), both);
            prop_assert_eq!(once == old, wanted.iter().all(|line| keys(&old).contains(&line.key())));
        }
    }
}
