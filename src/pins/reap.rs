//! What a cleaner deletes that sees only what runs, and what breaks then.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::oci::Reference,
    pins::{
        keep::gitea::Line,
        references::{Found, Place, ReferenceKind, Usage, User},
    },
};

/// What a cleaner goes by.
#[derive(Clone, Copy, Debug)]
pub struct Cleaner<'a> {
    /// The only registry that it cleans, `host` or `host:port`; `None`: all.
    pub registry: Option<&'a str>,
    /// What it sees running; `None`: the images of what the files do not suspend or scale to zero. No pod names a chart.
    pub live: Option<&'a [Found]>,
    /// Its list of what to keep.
    pub kept: &'a [Line],
    /// The owner whose packages the list is about; `None`: any.
    pub owner: Option<&'a str>,
}

/// One reference that a cleaner deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// What is deleted.
    pub reference: Reference,
    /// What it is.
    pub kind: ReferenceKind,
    /// Who needs it, sooner or later. Empty: nobody whom the files know.
    pub breaks: BTreeSet<Break>,
}

/// Something that does not work any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// What.
    pub user: User,
    /// Why a cleaner does not see it.
    pub usage: Usage,
    /// Where the reference stands.
    pub place: Place,
}

/// Which of the references a cleaner deletes, in order.
///
/// A reference with a tag is safe when the same tag is in use: a cleaner goes by tags, and a digest may live by its tag
/// alone. One without a tag is safe when the same digest is in use.
pub fn reaped(known: &[Found], cleaner: &Cleaner<'_>) -> Vec<Reaped> {
    let is_seen = |found: &&Found| match cleaner.live {
        Some(_) => found.usage.is_live(),
        None => found.usage.is_live() && found.kind == ReferenceKind::Image,
    };
    let live = cleaner.live.unwrap_or(known).iter().filter(is_seen);
    let seen: BTreeSet<_> = live.filter_map(|found| version(&found.reference)).collect();
    let is_cleaned = |reference: &Reference| {
        cleaner.registry.is_none_or(|registry| reference.repository.registry().eq_ignore_ascii_case(registry))
    };
    let mut reaped: BTreeMap<&Reference, Reaped> = BTreeMap::new();
    for found in known.iter().filter(|found| is_cleaned(&found.reference)) {
        let is_seen = version(&found.reference).is_some_and(|version| seen.contains(&version));
        if is_seen || cleaner.kept.iter().any(|line| line.keeps(&found.reference, cleaner.owner)) {
            continue;
        }
        let entry = reaped.entry(&found.reference).or_insert_with(|| Reaped {
            reference: found.reference.clone(),
            kind: found.kind,
            breaks: BTreeSet::new(),
        });
        if found.usage.is_need() {
            let Found { user, usage, place, .. } = found.clone();
            entry.breaks.insert(Break { user, usage, place });
        }
    }
    reaped.into_values().collect()
}

/// What a cleaner knows a reference by.
fn version(reference: &Reference) -> Option<(String, &str)> {
    let version = reference.tag.as_deref().or(reference.digest.as_deref())?;
    Some((reference.repository.to_string(), version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins::{
        keep::gitea,
        references::{File, scan},
    };

    const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cms, namespace: tenant-acme}
spec:
  suspend: true
  values: {image: {repository: git.example.org/acme/cms, tag: staging}}
";

    const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: tenant-acme}
spec:
  template: {spec: {containers: [{name: web, image: \"git.example.org/acme/web:1\"}, {name: side, image: \"quay.io/acme/side:1\"}]}}
";

    fn told(text: &str, live: Option<&str>, registry: Option<&str>, kept: &str) -> Vec<(String, Vec<String>)> {
        let found = |text| scan(&[File { path: "app.yaml", text }]).expect("YAML").found;
        let (known, live, kept) = (found(text), live.map(found), gitea::parse("pins.txt", kept).expect("a list"));
        let cleaner = Cleaner { registry, live: live.as_deref(), kept: &kept, owner: None };
        let all = reaped(&known, &cleaner).into_iter().map(|reaped| {
            let breaks = reaped.breaks.iter().map(|one| format!("{} {}", one.user, one.usage)).collect();
            (reaped.reference.to_string(), breaks)
        });
        all.collect()
    }

    fn row(reference: &str, breaks: &[&str]) -> (String, Vec<String>) {
        (reference.to_owned(), breaks.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn what_only_a_suspended_release_needs_is_deleted_and_breaks_it() {
        let both = format!("{RELEASE}---\n{DEPLOYMENT}");
        let suspended = "HelmRelease/tenant-acme/cms is suspended";
        let cms = row("git.example.org/acme/cms:staging", &[suspended]);
        assert_eq!(told(&both, None, None, ""), std::slice::from_ref(&cms));
        // A list saves it, and so does another workload that runs with the same tag.
        assert_eq!(told(&both, None, None, "container/cms==staging\n"), []);
        let running = DEPLOYMENT.replace("git.example.org/acme/web:1", "git.example.org/acme/cms:staging");
        assert_eq!(told(&format!("{RELEASE}---\n{running}"), None, None, ""), []);
        // What is said to run counts, and nothing else does.
        let live = DEPLOYMENT.replace("quay.io/acme/side:1", "quay.io/acme/side:2");
        let side = row("quay.io/acme/side:1", &["Deployment/tenant-acme/web needs it now"]);
        assert_eq!(told(&both, Some(&live), None, ""), [cms.clone(), side]);
        assert_eq!(told(&both, Some(&live), Some("git.example.org"), ""), [cms]);
    }

    #[test]
    fn a_chart_is_deleted_unless_its_source_is_said_to_be_seen() {
        let chart = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: cms, namespace: tenant-acme}\n\
                     spec: {url: 'oci://git.example.org/acme/charts/cms', ref: {tag: 1.4.0}}\n";
        let all = format!("{chart}---\n{DEPLOYMENT}");
        let source = "OCIRepository/tenant-acme/cms needs it now";
        let deleted = row("git.example.org/acme/charts/cms:1.4.0", &[source]);
        assert_eq!(told(&all, None, None, ""), std::slice::from_ref(&deleted));
        assert_eq!(told(&all, Some(DEPLOYMENT), None, ""), [deleted]);
        assert_eq!(told(&all, Some(&all), None, ""), []);
        assert_eq!(told(&all, None, None, "container/charts/cms==1.4.0\n"), []);
    }

    #[test]
    fn what_nobody_needs_is_deleted_and_breaks_nothing() {
        let pins = format!(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata: {{name: edge}}\nspec:\n  pins:\n  - {{name: a, reference: \
             git.example.org/acme/a, tag: \"1\", digest: \"sha256:{}\"}}\n",
            "0".repeat(64)
        );
        let reference = format!("git.example.org/acme/a:1@sha256:{}", "0".repeat(64));
        assert_eq!(told(&pins, None, None, ""), [row(&reference, &[])]);
    }
}
