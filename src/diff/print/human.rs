//! For people at a terminal, and the same in Gitea's colours.

use anstyle::{AnsiColor, Style as Ansi};

use crate::diff::{
    ChangeSet, Verb,
    print::{
        escape,
        view::{self, Kind, Line},
    },
    summary,
};

/// What is said when there is nothing to commit.
pub(crate) const NO_CHANGES: &str = "No changes.\n";

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence at all.
    Plain,
    /// Colours of the terminal.
    Colour,
}

/// The changes by cluster, layer and object: Flux' verbs, paths as dyff writes them. Unchanged objects are only counted.
pub fn human(change_set: &ChangeSet, style: Style) -> String {
    let mut out = String::new();
    if change_set.is_empty() {
        out.push_str(NO_CHANGES);
    }
    let bold = Ansi::new().bold();
    let mut cluster = None;
    for group in view::groups(change_set) {
        if cluster != Some(group.cluster) {
            out.push_str(&painted(group.cluster, bold, style));
            out.push('\n');
            cluster = Some(group.cluster);
        }
        out.push_str(&format!("  {}\n", painted(&escape::line(&group.layer), bold, style)));
        for block in &group.blocks {
            for line in block {
                push_line(&mut out, line, style);
            }
            // Fields are set off, heads stand close.
            if block.iter().any(|line| line.kind == Kind::Path) {
                out.push('\n');
            }
        }
        if !out.ends_with("\n\n") {
            out.push('\n');
        }
    }
    if !change_set.is_empty() {
        out.push_str(&totals(change_set));
        out.push('\n');
    }
    if !change_set.foreign.is_empty() {
        out.push_str("\nLeft alone, because this program did not write it:\n");
        for path in &change_set.foreign {
            out.push_str(&format!("  {}\n", escape::line(path.as_str())));
        }
    }
    out
}

/// The changes as a Markdown fence that Gitea colours as a diff: `@@` before paths, `!` before what changes inside, `+`
/// and `-` before what is wanted and what is there.
pub fn gitea(change_set: &ChangeSet) -> String {
    if change_set.is_empty() {
        return NO_CHANGES.to_owned();
    }
    let mut lines = Vec::new();
    for group in view::groups(change_set) {
        lines.push(format!("= {} · {}", group.cluster, escape::line(&group.layer)));
        lines.extend(group.blocks.iter().flatten().map(gitea_line));
    }
    let fence = escape::fence(lines.iter().map(String::as_str));
    format!("{fence}diff\n{}\n{fence}\n", lines.join("\n"))
}

/// One line as Gitea colours it.
pub(crate) fn gitea_line(line: &Line) -> String {
    match line.kind {
        Kind::Head(Verb::Created) => format!("+ {}", line.text),
        Kind::Head(Verb::Deleted) => format!("- {}", line.text),
        Kind::Head(Verb::Configured | Verb::Unchanged) | Kind::Note | Kind::Label => format!("! {}", line.text),
        Kind::Path => format!("@@ {} @@", line.text),
        Kind::Old => format!("- {}", line.text),
        Kind::New => format!("+ {}", line.text),
        Kind::Both => format!("  {}", line.text),
    }
}

/// `1 created, 2 configured, 0 deleted, 30 unchanged; 3 files to commit`.
pub(crate) fn totals(change_set: &ChangeSet) -> String {
    let summary::Summary { objects, files, .. } = summary::summary(change_set);
    format!(
        "{} created, {} configured, {} deleted, {} unchanged; {} to commit",
        objects.created,
        objects.configured,
        objects.deleted,
        objects.unchanged,
        summary::counted(files.total(), "file"),
    )
}

fn push_line(out: &mut String, line: &Line, style: Style) {
    let colour = |colour: AnsiColor| Ansi::new().fg_color(Some(colour.into()));
    let (indent, sign, ansi) = match line.kind {
        Kind::Head(Verb::Created) => ("    ", "", colour(AnsiColor::Green)),
        Kind::Head(Verb::Configured) => ("    ", "", colour(AnsiColor::Yellow)),
        Kind::Head(Verb::Deleted) => ("    ", "", colour(AnsiColor::Red)),
        Kind::Head(Verb::Unchanged) => ("    ", "", Ansi::new()),
        Kind::Note => ("      ", "", colour(AnsiColor::Cyan)),
        Kind::Path => ("\n      ", "", Ansi::new().bold()),
        Kind::Label => ("      ", "", colour(AnsiColor::Yellow)),
        Kind::Old => ("      ", "- ", colour(AnsiColor::Red)),
        Kind::New => ("      ", "+ ", colour(AnsiColor::Green)),
        Kind::Both => ("      ", "  ", Ansi::new()),
    };
    let text = format!("{sign}{}", line.text);
    match text.trim_end() {
        "" => {}
        text => out.extend([indent, &painted(text, ansi, style)]),
    }
    out.push('\n');
}

fn painted(text: &str, ansi: Ansi, style: Style) -> String {
    match style {
        Style::Plain => text.to_owned(),
        Style::Colour => format!("{ansi}{text}{ansi:#}"),
    }
}
