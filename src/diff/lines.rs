//! Texts line by line.

use similar::{Algorithm, DiffOp, DiffTag};

use crate::diff::{Hunk, HunkLine, Side};

/// Cuts a text after every line feed. Unlike other ways to count lines, a carriage return alone does not end one: Git
/// sees it so, and so does a patch.
pub(crate) fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The operations that lead from one list to another. Its time does not grow with the product of the lengths, even when
/// nothing is in common.
pub(crate) fn operations<T: std::hash::Hash + Ord>(old: &[T], new: &[T]) -> Vec<DiffOp> {
    similar::capture_diff_slices(Algorithm::Myers, old, new)
}

/// The operations that lead from one text to another, in groups with `context` equal lines around each.
pub(crate) fn groups(old: &[&str], new: &[&str], context: usize) -> Vec<Vec<DiffOp>> {
    let mut groups = similar::group_diff_ops(operations(old, new), context);
    groups.retain(|group| group.iter().any(|operation| operation.tag() != DiffTag::Equal));
    groups
}

/// The lines that differ, with two equal ones around them. `show` may change what is shown of a line.
pub(crate) fn hunks(old: &str, new: &str, show: impl Fn(&str, Side) -> String) -> Vec<Hunk> {
    let (old, new) = (split(old), split(new));
    let line = |side, text: &str| HunkLine {
        side,
        text: show(text.strip_suffix('\n').unwrap_or(text), side),
        no_newline: !text.ends_with('\n'),
    };
    let hunk = |group: Vec<DiffOp>| {
        let mut lines = Vec::new();
        for operation in &group {
            match operation.tag() {
                DiffTag::Equal => lines.extend(new[operation.new_range()].iter().map(|text| line(Side::Both, text))),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    lines.extend(old[operation.old_range()].iter().map(|text| line(Side::Old, text)));
                    lines.extend(new[operation.new_range()].iter().map(|text| line(Side::New, text)));
                }
            }
        }
        let start = |range: std::ops::Range<usize>| range.start + 1;
        Hunk { old_start: start(group[0].old_range()), new_start: start(group[0].new_range()), lines }
    };
    groups(&old, &new, 2).into_iter().map(hunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let mut out = String::new();
        for hunk in hunks(old, new, |text, _| text.to_owned()) {
            out.push_str(&format!("@{},{}\n", hunk.old_start, hunk.new_start));
            for line in hunk.lines {
                let sign = match line.side {
                    Side::Both => ' ',
                    Side::Old => '-',
                    Side::New => '+',
                };
                out.push_str(&format!("{sign}{}{}\n", line.text, if line.no_newline { "⏎?" } else { "" }));
            }
        }
        out
    }

    #[test]
    fn only_what_differs_is_shown_with_two_lines_around_it() {
        insta::assert_snapshot!(shown("1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\nfive\n6\n7\n"), @r"
        @3,3
         3
         4
        -5
        +five
         6
         7
        ");
        insta::assert_snapshot!(shown("a\n", "a"), @r"
        @1,1
        -a
        +a⏎?
        ");
        assert_eq!(shown("a\r\nb", "a\r\nb"), "");
        assert_eq!(shown("", "a\rb\n"), "@1,1\n+a\rb\n");
    }

    #[test]
    fn one_line_among_ten_thousand_is_one_hunk() {
        let old: String = (0..10_000).map(|n| format!("rewrite name h{n}.example.org proxy.\n")).collect();
        let new = old.replace("h5000.", "h4999a.example.org proxy.\nrewrite name h5000.");
        let hunks = hunks(&old, &new, |text, _| text.to_owned());
        assert_eq!((hunks.len(), hunks[0].old_start, hunks[0].lines.len()), (1, 4999, 5));
    }
}
