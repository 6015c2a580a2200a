//! The markers of ouroboros, as its controller looks at them: by lines, in the first server block that it knows.
//!
//! Read from ouroboros 0.8.1 (`internal/coredns/corefile.go`).

use crate::{
    dns::{
        corefile::lint::{Delivery, Findings, line},
        ouroboros::corefile::{BEGIN, END},
    },
    model::finding::Severity,
};

/// How a line begins that the cleanup of ouroboros takes for the first one of the block.
const CLEANUP_BEGIN: &str = "# === BEGIN ouroboros";

/// Whether this is the only line by which ouroboros finds the server block for `.`.
pub(super) fn is_opener(line: &str) -> bool {
    let trim = |text: &str| text.trim_matches([' ', '\t', '\r', '\u{c}']).to_owned();
    trim(line).strip_suffix('{').is_some_and(|key| trim(key) == ".:53")
}

/// The lines of the server block that ouroboros edits, by the braces that it counts.
fn block(lines: &[&str]) -> std::ops::Range<usize> {
    let Some(start) = lines.iter().position(|line| is_opener(line)) else { return 0..0 };
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate().skip(start) {
        let code = line.split_once('#').map_or(*line, |(code, _)| code);
        depth = (depth + code.matches('{').count()).saturating_sub(code.matches('}').count());
        if depth == 0 {
            return start..index;
        }
    }
    0..0
}

pub(super) fn check(corefile: &str, delivery: Option<Delivery>, findings: &mut Findings<'_>) {
    let lines: Vec<&str> = corefile.split('\n').collect();
    let block = block(&lines);
    let (mut begins, mut ends, mut outside, mut altered) = (Vec::new(), Vec::new(), None, None);
    for (index, line) in lines.iter().map(|line| line.trim()).enumerate() {
        if line == BEGIN || line == END {
            match (block.contains(&index), line == BEGIN) {
                (true, true) => begins.push(index),
                (true, false) => ends.push(index),
                (false, _) => outside = outside.or(Some(index)),
            }
        } else if line.starts_with(CLEANUP_BEGIN) {
            altered = altered.or(Some(index));
        }
    }
    let mut add = |index: usize, what: &str, severity| {
        findings.add_at(
            line(index + 1),
            severity,
            "MarkerAnomaly",
            format!("The markers of ouroboros are damaged at line {}: {what}", index + 1),
            "Take out every line from the first marker to the last that does not belong to one whole block; ouroboros \
             writes a missing block again.",
        );
    };
    match (begins.as_slice(), ends.as_slice()) {
        ([], []) => {}
        ([begin], [end]) if begin < end => {
            let foreign = (begin + 1..*end).find(|&index| !is_record(lines[index]));
            if let Some(index) = foreign {
                let what = "a line in the block is no record, and the next change of ouroboros deletes it.";
                add(index, what, Severity::Warning);
            }
        }
        ([index], []) | ([], [index]) => {
            let what = "one of the two stands alone, so ouroboros writes a second block, and its cleanup fails.";
            add(*index, what, Severity::Error);
        }
        ([begin], [end]) => add(
            *begin.min(end),
            "the end stands before the beginning, so ouroboros repeats what is between them every 30 seconds, without end.",
            Severity::Error,
        ),
        (begins, []) => add(begins[1], "a beginning stands twice, so the cleanup of ouroboros fails.", Severity::Error),
        ([], ends) => add(ends[1], "an end stands twice, and there is no beginning.", Severity::Error),
        ([.., begin], [.., end]) if begin > end => add(
            *begin,
            "a beginning stands behind the last end, so ouroboros repeats lines every 30 seconds, without end.",
            Severity::Error,
        ),
        ([_], [.., end]) => {
            let what = "an end stands behind the block, so ouroboros deletes everything between them.";
            add(*end, what, Severity::Error);
        }
        ([.., begin], _) => {
            let what = "there is more than one block; ouroboros keeps only the last, and its cleanup fails.";
            add(*begin, what, Severity::Error);
        }
    }
    if let Some(index) = outside {
        let severity = if delivery == Some(Delivery::Block) { Severity::Error } else { Severity::Warning };
        add(index, "one stands outside the server block `.:53`, where ouroboros does not look.", severity);
    }
    if let Some(index) = altered {
        let what =
            "a line is nearly a beginning: the controller does not know it, its cleanup takes it for one and fails.";
        add(index, what, Severity::Error);
    }
}

fn is_record(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    matches!(words.as_slice(), ["rewrite", "name", _, _])
}
