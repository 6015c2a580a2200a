//! For the body of a pull request: what is dangerous first, within a budget.

use std::collections::BTreeSet;

use crate::diff::{
    ChangeSet, FileView, Target, Verb, pins,
    print::{
        escape,
        human::{NO_CHANGES, gitea_line, totals},
        view,
    },
    summary,
};

/// The changes as Markdown of at most `budget` bytes: deletions, pins that move, what is left alone, then every layer.
///
/// What does not fit is left out in whole lines, from the end of a section, and how much that is is said. Fences and
/// tags are always closed. A budget that does not hold the head gives the lines of it that fit.
pub fn markdown(change_set: &ChangeSet, budget: usize) -> String {
    let mut page = Page { out: String::new(), left: budget };
    page.push(&format!("<!-- bobbypin:change-set {} -->\n", summary::fingerprint(change_set)));
    if change_set.is_empty() {
        page.push(NO_CHANGES);
        return page.out;
    }
    page.push(&format!("### {}\n\n", escape::html(&summary::commit_subject(change_set))));
    page.push(&format!("{}\n", totals(change_set)));
    let base = change_set.base.as_ref().map(|base| format!("\n<sub>Base <code>{}</code></sub>\n", base.short()));
    let base = base.filter(|base| page.reserve(base.len()));

    page.sections(change_set);
    if let Some(base) = base {
        page.left += base.len();
        page.push(&base);
    }
    page.out
}

/// The sections of [`markdown`] alone: what is deleted, pins that move, what is left alone, then every layer.
pub fn markdown_sections(change_set: &ChangeSet, budget: usize) -> String {
    let mut page = Page { out: String::new(), left: budget };
    page.sections(change_set);
    page.out
}

/// A text that does not grow beyond a number of bytes.
struct Page {
    out: String,
    left: usize,
}

impl Page {
    fn push(&mut self, text: &str) {
        if self.reserve(text.len()) {
            self.out.push_str(text);
        }
    }

    /// Keeps room for later; false when there is not as much.
    fn reserve(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Writes the sections that fit, and how many do not.
    fn sections(&mut self, change_set: &ChangeSet) {
        let sections = sections(change_set);
        let more = |sections: usize| not_shown(sections, "section");
        if self.reserve(more(sections.len()).len()) {
            let left_out = sections.iter().filter(|section| !self.section(section)).count();
            self.left += more(sections.len()).len();
            if left_out > 0 {
                self.push(&more(left_out));
            }
        }
    }

    /// Writes the lines of a section that fit; false when none does.
    fn section(&mut self, section: &Section) -> bool {
        let Section { open, lines, end, noun, close } = section;
        let more = |lines: usize| not_shown(lines, noun);
        let frame = open.len() + end.len() + close.len();
        let whole = frame + lines.iter().map(|line| line.len() + 1).sum::<usize>();
        let fitting = if whole <= self.left {
            lines.len()
        } else {
            let mut left = self.left.saturating_sub(frame + more(lines.len()).len());
            let fits = |line: &&String| {
                let rest = left.checked_sub(line.len() + 1);
                left = rest.unwrap_or(0);
                rest.is_some()
            };
            lines.iter().take_while(fits).count()
        };
        if fitting == 0 {
            return false;
        }
        self.push(open);
        lines[..fitting].iter().for_each(|line| self.push(&format!("{line}\n")));
        self.push(end);
        if fitting < lines.len() {
            self.push(&more(lines.len() - fitting));
        }
        self.push(close);
        true
    }
}

/// Lines of one kind, and what stands around them.
struct Section {
    open: String,
    lines: Vec<String>,
    /// What ends the lines, such as a fence.
    end: String,
    /// What the lines are, to count those that do not fit.
    noun: &'static str,
    close: &'static str,
}

fn not_shown(count: usize, noun: &str) -> String {
    format!("\nNot shown for lack of room: {}.\n", summary::counted(count, noun))
}

fn sections(change_set: &ChangeSet) -> Vec<Section> {
    let mut sections = vec![deletions(change_set), pin_moves(change_set), foreign(change_set)];
    for group in view::groups(change_set) {
        let lines: Vec<String> = group.blocks.iter().flatten().map(gitea_line).collect();
        let fence = escape::fence(lines.iter().map(String::as_str));
        let counts = group.counts;
        let title = escape::html(&format!("{} · {}", group.cluster, group.layer));
        let numbers =
            format!("{} created, {} configured, {} deleted", counts.created, counts.configured, counts.deleted);
        sections.push(Section {
            open: format!("\n<details><summary>{title} ({numbers})</summary>\n\n{fence}diff\n"),
            lines,
            end: format!("{fence}\n"),
            noun: "line",
            close: "\n</details>\n",
        });
    }
    sections.retain(|section| !section.lines.is_empty());
    sections
}

/// Objects that are no longer declared, and files of which nobody knows what they declared.
fn deletions(change_set: &ChangeSet) -> Section {
    let mut lines = Vec::new();
    for layer in &change_set.layers {
        let place = layer.layer.as_ref().map_or_else(String::new, |layer| format!(" · {layer}"));
        for object in layer.objects.iter().filter(|object| object.verb == Verb::Deleted) {
            let target = match object.target {
                Target::Host => "",
                Target::Tenant => ", in the tenant cluster",
            };
            let place = escape::html(&format!("{}{place}{target}", layer.cluster));
            let why = object.orphaned.map_or_else(String::new, |why| format!(": {why}"));
            lines.push(format!("- {} ({place}){why}", escape::code(&object.object.to_string())));
        }
    }
    for file in change_set.files.iter().filter(|file| file.new.is_none()) {
        if matches!(file.view, FileView::Text(_) | FileView::Withheld) {
            lines.push(format!("- {} (a file that does not parse)", escape::code(file.path.as_str())));
        }
    }
    Section { open: "\n**Deleted**\n\n".to_owned(), lines, end: String::new(), noun: "deletion", close: "" }
}

fn pin_moves(change_set: &ChangeSet) -> Section {
    let clusters: BTreeSet<&str> = change_set.files.iter().map(|file| file.cluster.as_str()).collect();
    let mut lines = Vec::new();
    for cluster in clusters {
        for pin in pins::pin_moves(change_set, cluster) {
            let cells = [&*pin.at, &pin.from, &pin.to].map(escape::cell);
            lines.push(format!("| {cluster} | {} |", cells.join(" | ")));
        }
    }
    let open = "\n**Pins**\n\n| cluster | pin | from | to |\n|---|---|---|---|\n".to_owned();
    Section { open, lines, end: String::new(), noun: "pin", close: "" }
}

fn foreign(change_set: &ChangeSet) -> Section {
    let lines = change_set.foreign.iter().map(|path| format!("- {}", escape::code(path.as_str()))).collect();
    let open = "\n**Left alone, because this program did not write it**\n\n".to_owned();
    Section { open, lines, end: String::new(), noun: "path", close: "" }
}
