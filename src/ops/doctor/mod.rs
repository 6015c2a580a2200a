//! Whether everything around a cluster is as the fix needs it; pure.
//!
//! One theme per file: `reading` (what could be read, and of which cluster), `decisions` (what the plan says), `platform`
//! and `services`, `dns`, `names`, `tenants`, `flux` and `releases`. Every theme tells what it looked at also when all is
//! well. [`kind`] lists what is looked at.

use jiff::Timestamp;

use crate::{
    model::{
        cluster::{Engine, Platform, TenantConfig},
        layer::{Layer, TenantId},
        observed::{Observed, Unknown},
        tree::Tree,
    },
    ops::load::Cluster,
    plan::{ClusterPlan, Decision, LayerPlan, plan},
};

pub mod kind;

mod decisions;
mod dns;
pub(in crate::ops) mod flux;
mod names;
mod platform;
mod reading;
mod releases;
mod services;
mod tenants;
#[cfg(test)]
mod tests;

use kind::Kind;

/// What came out of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Nobody could look: the evidence says why.
    Unknown,
    /// It works, but not as somebody may think, or not for long.
    Warn,
    /// It does not work, or will not with the next step.
    Fail,
}

impl Verdict {
    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "Ok",
            Self::Unknown => "Unknown",
            Self::Warn => "Warn",
            Self::Fail => "Fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// PascalCase and stable: the id of a [`Kind`], or the rule of a finding of the plan.
    pub id: &'static str,
    /// The known danger, for example `H16`.
    pub hazard: Option<&'static str>,
    /// Where it belongs; `None`: to the cluster as a whole.
    pub layer: Option<Layer>,
    /// What was looked at: an object, a file or a key.
    pub subject: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was seen; may hold foreign text of any form.
    pub evidence: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Check {
    /// Whether it failed because something of a cluster could not be read, and not because something is wrong there.
    pub fn is_unread(&self) -> bool {
        self.verdict == Verdict::Unknown || (self.verdict == Verdict::Fail && self.id == kind::SOURCE_READ.id)
    }
}

/// Where the files of a cluster are published to.
#[derive(Clone, Copy, Debug)]
pub struct Publishing<'a> {
    /// The address of the repository as the settings or the checkout have it; `None` when there is none.
    pub remote: Option<&'a str>,
    /// The branch.
    pub branch: &'a str,
}

/// Looks at one cluster.
///
/// `recorded`: the time of the run, when the inventory comes from a file and may be old.
pub fn examine(cluster: &Cluster, tree: &Tree, publishing: &Publishing<'_>, recorded: Option<Timestamp>) -> Vec<Check> {
    let plan = plan(&cluster.inputs(tree, None));
    let patient = Patient { cluster, tree, publishing, recorded, plan: &plan };
    let mut checks = Checks::default();
    reading::check(&patient, &mut checks);
    if cluster.is_seen {
        decisions::layers(&patient, &mut checks);
        platform::check(&patient, &mut checks);
        services::check(&patient, &mut checks);
        dns::check(&patient, &mut checks);
        names::check(&patient, &mut checks);
        tenants::check(&patient, &mut checks);
        flux::check(&patient, &mut checks);
        releases::check(&patient, &mut checks);
    }
    decisions::findings(&patient, &mut checks);
    let mut checks = checks.0;
    checks.sort_by(|a, b| a.layer.cmp(&b.layer));
    checks
}

/// Who is looked at.
struct Patient<'a> {
    cluster: &'a Cluster,
    tree: &'a Tree,
    publishing: &'a Publishing<'a>,
    recorded: Option<Timestamp>,
    plan: &'a ClusterPlan,
}

impl Patient<'_> {
    fn layer(&self, layer: &Layer) -> Option<&LayerPlan> {
        self.plan.layers.iter().find(|planned| planned.layer == *layer)
    }

    /// Whether the fix is wanted in a layer: also when it waits, or comes another way than before.
    fn is_wanted(&self, layer: &Layer) -> bool {
        self.layer(layer).is_some_and(|planned| match &planned.decision {
            Decision::Remove { reason, .. } => reason.code == "DeliveryChanged",
            Decision::Deliver { .. } | Decision::Hold { .. } => true,
        })
    }

    /// What is wanted in a tenant.
    fn tenant(&self, tenant: &TenantId) -> &TenantConfig {
        let tenants = &self.cluster.config.tenants;
        tenants.listed.get(tenant).unwrap_or(&tenants.defaults)
    }

    fn engine(&self, layer: &Layer) -> &Engine {
        match layer {
            Layer::Host => &self.cluster.config.host.engine,
            Layer::Tenant(tenant) => &self.tenant(tenant).engine,
        }
    }

    fn is_cozystack(&self) -> bool {
        matches!(self.cluster.config.platform, Platform::Cozystack { .. })
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, kind: Kind, layer: Option<&Layer>, subject: impl Into<String>, answer: Answer) {
        let Kind { id, hazard } = kind;
        let Answer { verdict, evidence, fix } = answer;
        self.0.push(Check { id, hazard, layer: layer.cloned(), subject: subject.into(), verdict, evidence, fix });
    }
}

/// How something is, and by what that was seen.
#[derive(Clone, Debug)]
struct Answer {
    verdict: Verdict,
    evidence: String,
    fix: Option<String>,
}

impl Answer {
    fn ok(evidence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, evidence: evidence.into(), fix: None }
    }

    fn warn(evidence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, evidence: evidence.into(), fix: Some(fix.into()) }
    }

    fn fail(evidence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, evidence: evidence.into(), fix: Some(fix.into()) }
    }

    /// Nobody could look.
    fn unknown(unknown: &Unknown) -> Self {
        let evidence = format!("{} ({})", unknown.message, unknown.reason);
        Self { verdict: Verdict::Unknown, evidence, fix: None }
    }
}

/// What there is of a source of which absent and empty are the same; or the answer for who cannot look.
fn seen<T>(observed: &Observed<Vec<T>>) -> Result<&[T], Answer> {
    match observed {
        Observed::Present(objects) => Ok(objects),
        Observed::Absent => Ok(&[]),
        Observed::Unknown(unknown) => Err(Answer::unknown(unknown)),
    }
}

/// The first few of many, for one line.
fn some(subjects: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = subjects[..subjects.len().min(SHOWN)].join(", ");
    match subjects.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `1 host`, `2 hosts`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
