//! What the controller of ouroboros will do, defects included.
//!
//! Read from ouroboros 0.8.1 (`internal/controller/sources.go`); the rules are the same in every version since 0.7.0.

use std::collections::BTreeMap;

use crate::dns::claims::Claim;

/// The names that the controller will redirect, each with the first object that asks for it.
///
/// White space around a name is dropped and capitals are lowered; empty names and names with `*` or `?` are left out.
/// Nothing else is checked: a trailing dot, an address or a name inside the cluster's own zone stays in.
pub fn redirected<'a>(claims: impl Iterator<Item = Claim<'a>>) -> BTreeMap<String, Claim<'a>> {
    let mut names = BTreeMap::new();
    for claim in claims {
        let name = claim.host.trim().to_lowercase();
        if !name.is_empty() && !name.contains(['*', '?']) {
            names.entry(name).or_insert(claim);
        }
    }
    names
}

/// The name that redirected queries are rewritten to: absolute, with its trailing dot.
pub fn proxy_name(namespace: &str, cluster_domain: &str) -> String {
    format!("ouroboros-proxy.{namespace}.svc.{}.", cluster_domain.strip_suffix('.').unwrap_or(cluster_domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ObjectMeta;

    #[test]
    fn names_are_trimmed_lowered_and_made_unique_and_wildcards_are_left_out() {
        let owner = ObjectMeta { namespace: "a".into(), name: "b".into(), uid: String::new(), created: None };
        let hosts =
            ["Zeta.example.org", " foo.example.org\t", "FOO.example.org", "*.example.org", "", "  ", "a?.b", "x.y."];
        let claims = hosts.iter().map(|host| Claim { host, kind: "Ingress", owner: &owner });
        let names: Vec<_> = redirected(claims).into_keys().collect();
        assert_eq!(names, ["foo.example.org", "x.y.", "zeta.example.org"]);
    }

    #[test]
    fn the_target_ends_in_one_dot_whatever_the_domain_ends_in() {
        for domain in ["cozy.local", "cozy.local."] {
            assert_eq!(proxy_name("cozy-ouroboros", domain), "ouroboros-proxy.cozy-ouroboros.svc.cozy.local.");
        }
    }
}
