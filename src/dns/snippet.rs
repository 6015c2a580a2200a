//! The record form `rewrite-snippet`: one `rewrite name` line for every host.
//!
//! The text stands in a key of `kube-system/coredns-custom` that CoreDNS imports into its server block, so it may hold
//! plugin lines and nothing else. Both words after `rewrite name` come from closed grammars.

use std::collections::BTreeSet;

use crate::model::hostname::Hostname;

/// The key of ours. Never `ouroboros.override`: that one belongs to the controller of ouroboros.
pub const KEY: &str = "bobbypin.override";

/// Writes one line for every host, in order of name. `target` must be absolute.
pub fn write<'a>(hosts: impl IntoIterator<Item = &'a Hostname>, target: &str) -> String {
    let mut text = String::new();
    for host in hosts {
        for word in ["rewrite name ", host.as_str(), " ", target, "\n"] {
            text.push_str(word);
        }
    }
    text
}

/// Reads the hosts back out of a committed snippet.
///
/// A line that [`write()`] cannot have written is left out: the file was edited by hand, and what it redirected is no
/// record of ours.
pub fn hosts(text: &str) -> BTreeSet<Hostname> {
    text.lines()
        .filter_map(|line| {
            let (host, target) = line.strip_prefix("rewrite name ")?.split_once(' ')?;
            if target.contains(' ') { None } else { Hostname::parse(host).ok() }
        })
        .collect()
}

/// Whether a line is one that [`write()`] makes.
pub fn is_record(line: &str) -> bool {
    let words = line.strip_prefix("rewrite name ").and_then(|rest| rest.split_once(' '));
    words.is_some_and(|(host, target)| {
        Hostname::parse(host).is_ok_and(|parsed| parsed.as_str() == host)
            && target.ends_with('.')
            && !target.contains(char::is_whitespace)
    })
}

/// What the records of a snippet lead to: the target of the first one.
pub fn target(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (host, target) = line.strip_prefix("rewrite name ")?.split_once(' ')?;
        (Hostname::parse(host).is_ok() && !target.contains(' ')).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let hosts_in: BTreeSet<_> = ["b.example.org", "a.example.org"]
            .into_iter()
            .map(|host| Hostname::parse(host).expect("a literal that parses"))
            .collect();
        let text = write(&hosts_in, "ouroboros-proxy.x.svc.cluster.local.");
        assert_eq!(
            text,
            "rewrite name a.example.org ouroboros-proxy.x.svc.cluster.local.\n\
             rewrite name b.example.org ouroboros-proxy.x.svc.cluster.local.\n"
        );
        assert_eq!(hosts(&text), hosts_in);
        assert_eq!(target(&text), Some("ouroboros-proxy.x.svc.cluster.local."));
        assert!(text.lines().all(is_record));
    }

    #[test]
    fn a_line_of_another_form_is_no_record_of_ours() {
        let text = "# note\nrewrite stop name a.example.org b.\nrewrite name c.example.org d. e\nrewrite name x y.\n\n";
        assert_eq!(hosts(text), BTreeSet::new());
        assert_eq!(target(text), None);
        for line in text.lines().chain(["rewrite name A.example.org b.", "rewrite name a.example.org b", " "]) {
            assert!(!is_record(line), "{line}");
        }
    }
}
