//! What is wrong with a Corefile that a person gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::problem::{Problem, Source},
    dns::corefile::lint::{Delivery, LintContext, Located, inspect},
    model::{
        finding::{Finding, Severity},
        hostname::Hostname,
    },
    ops::dns::manifests::{ConfigMap, config_maps, is_manifest, problem},
};

/// How the line before a block of ouroboros begins.
const BEGIN: &str = "# === BEGIN ouroboros";

/// Where the text of a Corefile stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It is the file.
    File,
    /// In the lines behind this one, indented so far.
    Literal {
        /// The line before its first one, from 1.
        before: usize,
        /// In blanks.
        indent: usize,
    },
    /// As a text in another form, whose lines are not those of the file.
    Scalar {
        /// Where that begins, from 1.
        line: usize,
        /// Where that begins, from 1.
        column: usize,
    },
}

/// A finding with its place in the file that was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is so.
    pub finding: Finding,
}

/// What is known besides the file.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// How records are meant to reach CoreDNS; nothing when nobody says.
    pub delivery: Option<Delivery>,
    /// The names that have records, or are to get them.
    pub hosts: &'a BTreeSet<Hostname>,
    /// The ConfigMaps that DNS reads, by name, for what the file does not hold; nothing when they were not seen.
    pub config_maps: Option<&'a BTreeMap<String, BTreeMap<String, String>>>,
}

/// A Corefile with what stands beside it.
struct Corefile {
    text: String,
    anchor: Anchor,
    /// The data of `coredns-custom`; nothing when the file does not hold it.
    custom: Option<BTreeMap<String, (String, Anchor)>>,
    has_node_local_dns: bool,
    last_applied: Option<String>,
}

/// Judges a Corefile, or a ConfigMap with one; findings stand in order of place.
///
/// # Errors
/// The file holds neither.
pub fn lint(source: &Source, known: Known<'_>) -> Result<Vec<Placed>, Problem> {
    let corefile = read(source)?;
    let custom: Option<BTreeMap<_, _>> = corefile
        .custom
        .as_ref()
        .map(|custom| custom.iter().map(|(key, (text, _))| (key.clone(), text.clone())).collect());
    let nothing = BTreeMap::new();
    let seen = known.config_maps;
    let context = LintContext {
        subject: "Corefile",
        delivery: known.delivery,
        custom: custom.as_ref().or_else(|| Some(seen?.get("coredns-custom").unwrap_or(&nothing))),
        has_node_local_dns: corefile.has_node_local_dns || seen.is_some_and(|maps| maps.contains_key("node-local-dns")),
        hosts: known.hosts,
    };
    let mut placed: Vec<_> =
        inspect(&corefile.text, &context).into_iter().map(|located| place(&corefile, located)).collect();
    placed.extend(remembered(&corefile));
    placed.sort();
    Ok(placed)
}

fn read(source: &Source) -> Result<Corefile, Problem> {
    let text = as_coredns_reads(&source.bytes);
    if !is_manifest(&text) {
        let anchor = Anchor::File;
        return Ok(Corefile { text, anchor, custom: None, has_node_local_dns: false, last_applied: None });
    }
    let mut maps = config_maps(source, &text)?;
    let has_node_local_dns = maps.iter().any(|map| map.name == "node-local-dns");
    let custom = maps.iter_mut().find(|map| map.name == "coredns-custom").map(|map| std::mem::take(&mut map.data));
    let is_corefile = |map: &&mut ConfigMap| map.data.contains_key("Corefile") && map.name != "node-local-dns";
    let mut holders = maps.iter_mut().filter(is_corefile);
    let Some(holder) = holders.next() else {
        return Err(problem(source, 0, 0, "no ConfigMap has the key `Corefile`"));
    };
    if let Some(other) = holders.next() {
        let message = format!("two ConfigMaps have the key `Corefile`: {} and {}", holder.name, other.name);
        return Err(problem(source, 0, 0, message));
    }
    let (text, anchor) = holder.data.remove("Corefile").expect("it was looked for");
    Ok(Corefile { text, anchor, custom, has_node_local_dns, last_applied: holder.last_applied.take() })
}

/// Every byte that is not UTF-8 is U+FFFD.
fn as_coredns_reads(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}

fn place(corefile: &Corefile, located: Located) -> Placed {
    let Located { place, finding } = located;
    let beside = corefile.custom.as_ref().and_then(|custom| custom.get(&place.file));
    let (anchor, line, column) = match beside {
        Some((_, anchor)) => (*anchor, place.line, place.column),
        None if place.file.is_empty() => (corefile.anchor, place.line, place.column),
        // What it is about stands in the cluster, not in this file.
        None => (corefile.anchor, 1, 1),
    };
    let (line, column) = match anchor {
        Anchor::File => (line, column),
        Anchor::Literal { before, indent } => (before + line, indent + column),
        Anchor::Scalar { line, column } => (line, column),
    };
    Placed { line, column, finding }
}

/// The cleanup of ouroboros counts markers in the whole object.
fn remembered(corefile: &Corefile) -> Option<Placed> {
    let is_there = corefile.last_applied.as_ref().is_some_and(|text| text.contains(BEGIN));
    let (Anchor::Literal { before: line, .. } | Anchor::Scalar { line, .. }) = corefile.anchor else { return None };
    is_there.then(|| Placed {
        line,
        column: 1,
        finding: Finding {
            severity: Severity::Warning,
            rule: "MarkerRemembered",
            subject: "ConfigMap".to_owned(),
            message:
                "The annotation `kubectl.kubernetes.io/last-applied-configuration` holds a block of ouroboros, too: \
                      its cleanup counts two and fails when it is uninstalled."
                    .to_owned(),
            fix: Some(
                "Take the annotation away: kubectl annotate -n kube-system configmap/coredns \
                 kubectl.kubernetes.io/last-applied-configuration-"
                    .to_owned(),
            ),
            host: None,
        },
    })
}
