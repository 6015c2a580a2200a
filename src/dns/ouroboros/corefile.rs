//! What mode `coredns` makes of a Corefile (`internal/coredns/corefile.go`).
//!
//! It works on lines, not on words, so it does not see a Corefile as CoreDNS does; and it trusts its two marker lines
//! blindly. A marker too many makes it delete what stands between, or repeat it at every run without end.

use crate::dns::ouroboros::sources::normalised_all;

/// The line that begins the block, without its indentation.
pub const BEGIN: &str = "# === BEGIN ouroboros (do not edit by hand) ===";
/// The line that ends the block, without its indentation.
pub const END: &str = "# === END ouroboros ===";

/// Why the controller leaves a Corefile alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// There is no text.
    #[error("the Corefile is empty")]
    Empty,
    /// The target cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No line is `.:53 {` and nothing else.
    #[error("the Corefile has no server block that begins with `.:53 {{` alone on its line")]
    NoServerBlock,
    /// The block's braces do not come out even at the end of any line.
    #[error("the server block `.:53` is not closed")]
    Unclosed,
}

/// Why a target cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is none.
    #[error("the target is empty")]
    Empty,
    /// It does not end in a dot.
    #[error("the target does not end in a dot")]
    NotAbsolute,
}

pub(super) fn check_target(target: &str) -> Result<(), TargetError> {
    match target {
        "" => Err(TargetError::Empty),
        _ if !target.ends_with('.') => Err(TargetError::NotAbsolute),
        _ => Ok(()),
    }
}

/// The Corefile after one run. It was changed if it is another text.
pub fn apply<'a>(corefile: &str, hosts: impl IntoIterator<Item = &'a str>, target: &str) -> Result<String, ApplyError> {
    if corefile.is_empty() {
        return Err(ApplyError::Empty);
    }
    check_target(target)?;
    let lines: Vec<_> = corefile.split('\n').collect();
    let opener = lines.iter().position(|line| opens_server_block(line)).ok_or(ApplyError::NoServerBlock)?;
    let closer = closing_line(&lines, opener).ok_or(ApplyError::Unclosed)?;
    let inside = opener + 1..closer;
    // The last of each, wherever they stand to each other.
    let last = |marker: &str| inside.clone().rev().find(|&index| lines[index].trim() == marker);
    let block = block(hosts, target, indentation(&lines[inside.clone()]));
    let (head, tail) = match (last(BEGIN), last(END)) {
        (Some(begin), Some(end)) => (&lines[..begin], &lines[end + 1..]),
        _ if block.is_empty() => return Ok(corefile.to_owned()),
        _ => lines.split_at(closer),
    };
    let block = block.iter().map(String::as_str);
    Ok(head.iter().copied().chain(block).chain(tail.iter().copied()).collect::<Vec<_>>().join("\n"))
}

/// Whether a line is `.:53 {` and nothing else. Go's `\s` is ASCII white space without the vertical tab.
fn opens_server_block(line: &str) -> bool {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r');
    let rest = line.trim_matches(is_space).strip_prefix(".:53").and_then(|rest| rest.strip_suffix('{'));
    rest.is_some_and(|between| between.chars().all(is_space))
}

/// The line at whose end as many braces are closed as were opened. Braces in quotes count, those behind a `#` do not.
fn closing_line(lines: &[&str], opener: usize) -> Option<usize> {
    let mut depth = 0_isize;
    (opener..lines.len()).find(|&index| {
        for byte in code(lines[index]).bytes() {
            depth += isize::from(byte == b'{') - isize::from(byte == b'}');
        }
        depth == 0
    })
}

/// A line without what stands behind its first `#`.
fn code(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// The blanks before the last line of a server block that has any text; four spaces where there is none.
fn indentation<'a>(inside: &[&'a str]) -> &'a str {
    let last = inside.iter().rev().find(|line| !line.trim().is_empty());
    last.map_or("    ", |line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
}

fn block<'a>(hosts: impl IntoIterator<Item = &'a str>, target: &str, indentation: &str) -> Vec<String> {
    let hosts = normalised_all(hosts);
    if hosts.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{indentation}{BEGIN}")];
    lines.extend(hosts.iter().map(|host| format!("{indentation}rewrite name {host} {target}")));
    lines.push(format!("{indentation}{END}"));
    lines
}

/// Whether the controller believes that CoreDNS reads the Corefile again by itself (`HasReloadPlugin`).
///
/// One line that begins with `reload` is enough, in whatever block it stands.
pub fn has_reload(corefile: &str) -> bool {
    corefile.split('\n').any(|line| code(line).split_whitespace().next() == Some("reload"))
}
