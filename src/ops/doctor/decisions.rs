//! What the plan says: every layer's decision, and its findings, each kind once.

use std::collections::BTreeMap;

use crate::{
    model::{
        finding::{Finding, Severity},
        layer::{Layer, TenantId},
        name::Name,
    },
    ops::doctor::{Answer, Check, Checks, Patient, Verdict, kind, some},
    plan::{Decision, HoldCause, Reason},
};

/// Rules of the plan that a theme tells of in its own words: in one line for all objects, or as a source that is not known.
const TOLD_ELSEWHERE: [&str; 9] = [
    "HostInClusterDomain",
    "HostNameClash",
    "HostTooLongForService",
    "HostTrailingDot",
    "HostWildcard",
    "HostWithoutTls",
    "OtherIngressClass",
    "OwnersNotChecked",
    "TenantsNotObserved",
];

/// Reasons of layers that wait for nothing but time.
const PASSING: [&str; 2] = ["TenantGoneUnconfirmed", "FormerReleaseLives"];

pub(super) fn layers(patient: &Patient<'_>, checks: &mut Checks) {
    for planned in &patient.plan.layers {
        let Reason { code, message, fix } = planned.decision.reason();
        let (verdict, way) = match &planned.decision {
            Decision::Deliver { release, .. } => (Verdict::Ok, format!(" by {}", release.delivery(&planned.layer))),
            Decision::Remove { .. } => (Verdict::Ok, String::new()),
            Decision::Hold { cause: HoldCause::NotObserved, .. } => (Verdict::Unknown, String::new()),
            Decision::Hold { .. } if PASSING.contains(code) => (Verdict::Warn, String::new()),
            Decision::Hold { cause: HoldCause::Settings | HoldCause::Guard, .. } => (Verdict::Fail, String::new()),
        };
        let evidence = format!("{}{way} ({code}): {message}", planned.decision.word());
        let answer = Answer { verdict, evidence, fix: fix.clone() };
        checks.add(kind::LAYER_DECISION, Some(&planned.layer), planned.layer.to_string(), answer);
    }
}

/// The findings of the plan and of the platform's values that nothing else told of.
pub(super) fn findings(patient: &Patient<'_>, checks: &mut Checks) {
    let mut all: Vec<Finding> = patient.plan.findings.iter().chain(&patient.cluster.findings).cloned().collect();
    all.sort();
    all.dedup();
    all.retain(|finding| !TOLD_ELSEWHERE.contains(&finding.rule));
    // What a theme told already is not told again.
    all.retain(|finding| !checks.0.iter().any(|check| check.id == finding.rule && check.evidence == finding.message));
    add(checks, &all, layer_of);
}

/// Findings as checks, those of one rule and one layer together.
pub(super) fn add(checks: &mut Checks, findings: &[Finding], layer: impl Fn(&Finding) -> Option<Layer>) {
    let mut groups: BTreeMap<(Option<Layer>, &str, Severity), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        groups.entry((layer(finding), finding.rule, finding.severity)).or_default().push(finding);
    }
    for ((layer, _, severity), group) in groups {
        let first = group[0];
        let (subject, evidence) = match group.as_slice() {
            [one] => (one.subject.clone(), one.message.clone()),
            many => {
                let told: Vec<_> = many.iter().map(|one| format!("{}: {}", one.subject, one.message)).collect();
                (format!("{} objects", many.len()), some(&told))
            }
        };
        let verdict = match severity {
            Severity::Error => Verdict::Fail,
            Severity::Warning => Verdict::Warn,
            Severity::Info => Verdict::Ok,
        };
        let (id, hazard) = (first.rule, hazard(first.rule));
        checks.0.push(Check { id, hazard, layer, subject, verdict, evidence, fix: first.fix.clone() });
    }
}

/// The tenant that a finding is about, when its subject begins with one.
fn layer_of(finding: &Finding) -> Option<Layer> {
    let (tenant, _) = finding.subject.split_once(": ")?;
    let (namespace, name) = tenant.split_once('/')?;
    let (Ok(namespace), Ok(name)) = (Name::parse(namespace), Name::parse(name)) else { return None };
    Some(Layer::Tenant(TenantId { namespace, name }))
}

/// The known danger that a rule of the plan watches for.
fn hazard(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "ProxyProtocolUnsupportedByPlatform" => "H1",
        "UncleanProxyProtocolDisable" => "H5",
        "GatewayModeWithProxyProtocol" => "H9",
        "UnknownPlatformKey" => "H10",
        "ProxyProtocolWithoutSystemBundle" => "H11",
        "GatewayApiTakenForTrue" => "H12",
        "TenantModeCoredns" => "H13",
        "CorednsServersWithoutImport" => "H14",
        "TenantNginxWithoutProxyProtocol" => "H26",
        "ProxiedWithProxyProtocol" => "H27",
        "ForwardedHeadersWithoutCidr" => "H28",
        "ImageTagWithoutDigest" => "H35",
        "ImportDirectiveMissing" => "H14",
        "OpenerNotFound" => "H16",
        "MarkerAnomaly" => "H17",
        "HairpinProxyLeftOver" | "RuleBeforeRecords" => "H19",
        "NodeLocalDns" => "H20",
        "ReloadMissing" => "H21",
        "TwoModes" => "H33",
        "HostRefused" => "H41",
        "HostDenied" => "H42",
        "HostNotDelegated" => "H45",
        _ => return None,
    })
}
