//! The record form `corefile-block`: lines in the Corefile, in the file of the repository that holds its ConfigMap.
//!
//! A person wrote that file, so every byte outside our block stays. The Corefile must stand there as a literal block
//! (`Corefile: |`), because only that shows its lines as they are; anything else is refused with its place. The Corefile
//! itself is changed by [`editor`], and what comes out is read again before it is handed out.

pub mod drift;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dns::{
        block::yaml::Scalar,
        corefile::{
            editor::{self, EditError, Markers, Place},
            problem::Position,
        },
        ouroboros, snippet,
    },
    model::hostname::Hostname,
};

/// The line before our block.
pub const BEGIN: &str = "# --- BEGIN bobbypin (generated, do not edit) ---";

/// The line behind our block.
pub const END: &str = "# --- END bobbypin ---";

/// How every name begins that records lead to.
const PROXY: &str = "ouroboros-proxy.";

/// The most bytes of a Corefile that we write. The API server refuses an object of more than 1 MiB.
pub const LARGEST: usize = 900 << 10;

/// Why a file is not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It is no YAML.
    #[error("line {line}: {message}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// It holds no ConfigMap `coredns`.
    #[error("it holds no ConfigMap `coredns` of `kube-system`")]
    NoConfigMap,
    /// The Corefile is made by a chart from values.
    #[error(
        "it holds the HelmRelease at line {line}, whose chart makes the Corefile from values; a block in it would be \
         overwritten"
    )]
    HelmValues {
        /// Where that begins.
        line: usize,
    },
    /// It holds more than one, and one of them would be wrong.
    #[error("it holds two ConfigMaps `coredns`, at line {first} and at line {second}")]
    Twice {
        /// The line of the name of the first.
        first: usize,
        /// The line of the name of the second.
        second: usize,
    },
    /// The ConfigMap has no Corefile.
    #[error("the ConfigMap at line {line} has no key `Corefile`")]
    NoKey {
        /// The line of its name.
        line: usize,
    },
    /// The Corefile is there in a form whose lines cannot be changed one by one.
    #[error("line {line}: the Corefile must stand as a plain literal block (`Corefile: |`), and {problem}")]
    NotLiteral {
        /// Where.
        line: usize,
        /// What it is instead.
        problem: &'static str,
    },
    /// The Corefile itself cannot be edited.
    #[error("the Corefile at line {line}: {source}")]
    Corefile {
        /// The line of its key.
        line: usize,
        /// Why.
        source: EditError,
    },
    /// The Corefile would be too large.
    #[error("the Corefile would have {bytes} bytes; at most {LARGEST} are written")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The result would say something else outside the block, too.
    #[error("the change would alter what stands outside the block")]
    ChangesMore,
}

/// The line for one host. `target` must be absolute.
pub fn line(host: &Hostname, target: &str) -> String {
    let text = snippet::write([host], target);
    text.trim_end_matches('\n').to_owned()
}

/// Puts the records into the file, in the place of those that are there; without a host, takes the block out.
///
/// # Errors
///
/// Whatever [`BlockError`] lists; nothing is changed then.
pub fn write<'a>(
    manifest: &str,
    hosts: impl IntoIterator<Item = &'a Hostname>,
    target: &str,
) -> Result<String, BlockError> {
    let scalar = yaml::find(manifest)?;
    let lines: Vec<_> = hosts.into_iter().map(|host| line(host, target)).collect();
    let at = |source| BlockError::Corefile { line: scalar.line, source };
    let corefile = if lines.is_empty() {
        editor::remove(&scalar.value, &place()).map_err(at)?
    } else {
        editor::insert(&scalar.value, &place(), &lines).map_err(at)?
    };
    if corefile.len() > LARGEST {
        return Err(BlockError::TooLarge { bytes: corefile.len() });
    }
    replace(manifest, &scalar, &corefile)
}

/// The hosts in the block of the file; none when there is no block.
///
/// # Errors
///
/// Whatever [`BlockError`] lists.
pub fn hosts(manifest: &str) -> Result<BTreeSet<Hostname>, BlockError> {
    let scalar = yaml::find(manifest)?;
    let found = editor::read(&scalar.value, &place());
    let lines = found.map_err(|source| BlockError::Corefile { line: scalar.line, source })?;
    Ok(of_lines(lines))
}

/// The Corefile that the file holds.
///
/// # Errors
///
/// Whatever [`BlockError`] lists.
pub fn corefile(manifest: &str) -> Result<String, BlockError> {
    yaml::find(manifest).map(|scalar| scalar.value)
}

/// The hosts in our block of a live Corefile, when it can be read at all.
pub fn hosts_of_corefile(corefile: &str) -> Option<BTreeSet<Hostname>> {
    editor::read(corefile, &place()).ok().map(of_lines)
}

/// What our block of a live Corefile says of each host; empty when there is none, or it cannot be read.
pub fn records_of_corefile(corefile: &str) -> BTreeMap<Hostname, &str> {
    let lines = editor::read(corefile, &place()).ok().flatten().unwrap_or_default();
    let records = lines.into_iter().filter(|line| snippet::is_record(line));
    records.filter_map(|line| Some((snippet::hosts(line).pop_first()?, line.rsplit(' ').next()?))).collect()
}

/// The line of the file where a record leads to the proxy outside every block, when there is no block of ours: its markers
/// were lost, and with them all that tells whose the lines are.
///
/// # Errors
///
/// Whatever [`BlockError`] lists.
pub fn stray(manifest: &str) -> Result<Option<usize>, BlockError> {
    let scalar = yaml::find(manifest)?;
    Ok(stray_line(&scalar.value).map(|line| scalar.line + line))
}

/// The same for a Corefile by itself, with the line from 1.
pub fn stray_line(corefile: &str) -> Option<usize> {
    let mut is_of_ouroboros = false;
    for (index, line) in corefile.lines().map(str::trim).enumerate() {
        is_of_ouroboros = (is_of_ouroboros || line == ouroboros::corefile::BEGIN) && line != ouroboros::corefile::END;
        let leads_to_proxy = line.rsplit(' ').next().is_some_and(|target| target.starts_with(PROXY));
        if !is_of_ouroboros && leads_to_proxy && snippet::is_record(line) {
            return Some(index + 1);
        }
    }
    None
}

/// What is wrong with the markers of our block in a Corefile, and where; nothing for one without a block.
///
/// What keeps the Corefile itself from being read, or leaves no place for a block, is not looked at.
pub fn damage(corefile: &str) -> Option<(Position, EditError)> {
    // Most Corefiles have none, and then need not be read for it.
    if !corefile.contains(BEGIN) && !corefile.contains(END) {
        return None;
    }
    let error = editor::read(corefile, &place()).err()?;
    let at = match &error {
        EditError::OneSided { at, .. } | EditError::Reversed { at, .. } | EditError::Misplaced { at, .. } => at.clone(),
        EditError::Twice { second, .. } => second.clone(),
        EditError::Unreadable(_)
        | EditError::NoServer { .. }
        | EditError::ManyServers { .. }
        | EditError::NoOwnBrace { .. }
        | EditError::Foreign { .. }
        | EditError::Content { .. }
        | EditError::ChangesMore => return None,
    };
    Some((at, error))
}

/// The lines of our block in a Corefile, each with its number from 1; none when there is no whole block.
pub fn numbered_lines(corefile: &str) -> Vec<(usize, &str)> {
    if !corefile.contains(BEGIN) {
        return Vec::new();
    }
    let Ok(Some(lines)) = editor::read(corefile, &place()) else { return Vec::new() };
    let begin = corefile.lines().position(|line| line.trim() == BEGIN).map_or(0, |index| index + 1);
    (begin + 1..).zip(lines).collect()
}

fn of_lines(lines: Option<Vec<&str>>) -> BTreeSet<Hostname> {
    lines.map_or_else(BTreeSet::new, |lines| snippet::hosts(&lines.join("\n")))
}

fn place() -> Place<'static> {
    let markers = Markers::new(BEGIN, END).expect("two comments that differ");
    Place { zone: ".", port: 53, markers, owns: snippet::is_record }
}

/// Writes another text into the lines of a literal block. Lines that both texts begin or end with are not touched.
fn replace(manifest: &str, scalar: &Scalar, corefile: &str) -> Result<String, BlockError> {
    if corefile == scalar.value {
        return Ok(manifest.to_owned());
    }
    let (old, new): (Vec<_>, Vec<_>) = (scalar.value.lines().collect(), corefile.lines().collect());
    let most = old.len().min(new.len());
    let before = std::iter::zip(&old, &new).take_while(|(old, new)| old == new).count();
    let pairs = std::iter::zip(old.iter().rev(), new.iter().rev());
    let behind = pairs.take(most - before).take_while(|(old, new)| old == new).count();
    let written: Vec<_> = manifest.split_inclusive('\n').collect();
    let first = scalar.first_line + before;
    let last = scalar.first_line + old.len() - behind;
    let mut text = written[..first].concat();
    for line in &new[before..new.len() - behind] {
        if !line.is_empty() {
            text.push_str(&" ".repeat(scalar.indent));
            text.push_str(line);
        }
        text.push_str(scalar.line_end);
    }
    text.push_str(&written[last..].concat());
    let is_kept = yaml::find(&text).is_ok_and(|found| found.value == corefile)
        && yaml::others(&text, scalar).is_some_and(|others| Some(others) == yaml::others(manifest, scalar));
    if is_kept { Ok(text) } else { Err(BlockError::ChangesMore) }
}

#[cfg(test)]
mod tests;
