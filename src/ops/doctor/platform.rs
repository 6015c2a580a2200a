//! The platform: what its files declare against what lives in the cluster.

use crate::{
    model::{inventory::ServiceObject, layer::Layer, observed::Observed},
    ops::doctor::{Answer, Checks, Patient, Verdict, count, kind, seen},
    plan::{Decision, PlatformFacts, release::PLATFORM_PACKAGE},
    platform::{
        capabilities::Span,
        host::{emits, proxy_target},
        values::PlatformValues,
    },
};

/// The keys of the platform's settings that some versions write and others do not, with what a cluster that has them
/// runs. The newest comes first.
const TELLING: [(&str, Span); 3] =
    [("load-balancer-class", Span::SinceV1_6), ("proxy-protocol", Span::SinceV1_5), ("expose-mode", Span::V1_4_1To6)];

const SETTINGS: &str = "Secret/cozy-system/cozystack-values";

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let values = match &patient.cluster.platform {
        PlatformFacts::Generic => return,
        PlatformFacts::Unknown(unknown) => {
            checks.add(kind::PLATFORM_VALUES, Some(&Layer::Host), "platform", Answer::unknown(unknown));
            return;
        }
        PlatformFacts::Cozystack(values) => values,
    };
    version(patient, checks, values);
    told_values(patient, checks, values);
    live_settings(patient, checks, values);
    disabled_package(patient, checks, values);
    load_balancer_class(patient, checks, values);
}

/// Whether the live settings have the keys of the declared version.
fn version(patient: &Patient<'_>, checks: &mut Checks, values: &PlatformValues) {
    let capabilities = values.capabilities();
    let answer = match &patient.cluster.inventory.platform_settings {
        Observed::Unknown(unknown) => Answer::unknown(unknown),
        Observed::Absent => Answer::fail(
            format!("there is no {SETTINGS}: this is no cozystack, or one that was never installed to its end"),
            "correct spec.platform in cluster.yaml, or look at HelmRelease/cozy-system/cozystack-platform",
        ),
        Observed::Present(settings) => {
            let wrong: Vec<_> =
                TELLING.iter().filter(|(key, span)| settings.contains_key(*key) != capabilities.has(*span)).collect();
            let runs = TELLING.iter().find(|(key, _)| settings.contains_key(*key));
            let runs = runs.map_or_else(|| "v1.4.0".to_owned(), |(_, span)| span.to_string());
            if wrong.is_empty() {
                Answer::ok(format!("{} is declared, and the live settings are those of {runs}", capabilities.version))
            } else {
                let told = |(key, _): &&(&str, Span)| {
                    format!("`{key}` is {}", if settings.contains_key(*key) { "there" } else { "missing" })
                };
                let told: Vec<_> = wrong.iter().map(told).collect();
                Answer::fail(
                    format!(
                        "{} is declared, and the live settings are those of {runs}: {}",
                        capabilities.version,
                        told.join(", ")
                    ),
                    "set spec.platform.version in cluster.yaml to the version that is installed",
                )
            }
        }
    };
    checks.add(kind::PLATFORM_VERSION, Some(&Layer::Host), "spec.platform.version", answer);
}

/// One line when nothing is odd about the values; what is odd comes with the findings.
fn told_values(patient: &Patient<'_>, checks: &mut Checks, values: &PlatformValues) {
    let is_guarded = patient.plan.findings.iter().any(|finding| finding.rule == "UncleanProxyProtocolDisable");
    if !patient.cluster.findings.is_empty() || is_guarded {
        return;
    }
    let evidence = format!(
        "{}, variant {}: proxyProtocol {}, gateway mode {}, no unknown key",
        values.capabilities().version,
        values.variant().as_str(),
        on_off(values.proxy_protocol()),
        on_off(values.gateway_enabled()),
    );
    checks.add(kind::PLATFORM_VALUES, Some(&Layer::Host), "platform", Answer::ok(evidence));
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// What the values say against what the platform last wrote down for its charts.
fn live_settings(patient: &Patient<'_>, checks: &mut Checks, values: &PlatformValues) {
    let Observed::Present(live) = &patient.cluster.inventory.platform_settings else { return };
    // Without a live Package no guard stops: only the keys are asked for.
    let Ok(emission) = emits(values, false) else { return };
    let mut same = Vec::new();
    for (key, wanted) in &emission.cluster {
        // A key of another version, or a default that a null deleted, is told of elsewhere.
        let (Some(wanted), Some(found)) = (wanted, live.get(*key)) else { continue };
        if wanted == found {
            same.push(*key);
            continue;
        }
        let evidence = format!("the values say `{wanted}`, and the cluster runs with `{found}`");
        let (kind, fix) = match *key {
            "root-host" => (
                kind::ROOT_HOST,
                "correct publishing.host, or remove the key root-host of ConfigMap/cozy-system/cozystack, which overrides it",
            ),
            _ => (
                kind::LIVE_SETTING,
                "bring the values file and the live Package together, or look whether \
                 HelmRelease/cozy-system/cozystack-platform is Ready",
            ),
        };
        checks.add(kind, Some(&Layer::Host), format!("{SETTINGS}: {key}"), Answer::fail(evidence, fix));
    }
    if !same.is_empty() {
        let evidence = format!("as the values say: {}", same.join(", "));
        checks.add(kind::LIVE_SETTING, Some(&Layer::Host), SETTINGS, Answer::ok(evidence));
    }
}

/// A Package that the platform was told to leave out is not uninstalled by that.
fn disabled_package(patient: &Patient<'_>, checks: &mut Checks, values: &PlatformValues) {
    let is_disabled = values.disables(PLATFORM_PACKAGE);
    let answer = match &patient.cluster.inventory.packages {
        _ if !is_disabled => Answer::ok("bundles.disabledPackages does not name it"),
        Observed::Unknown(unknown) => Answer::unknown(unknown),
        Observed::Present(packages) if packages.contains_key(PLATFORM_PACKAGE) => {
            if is_ours(patient) {
                Answer::ok("bundles.disabledPackages names it, and Git declares it")
            } else {
                Answer::warn(
                    "bundles.disabledPackages names it, and it lives: the platform never deletes a Package, so what it \
                     installed stays",
                    format!("kubectl delete package.cozystack.io {PLATFORM_PACKAGE}"),
                )
            }
        }
        Observed::Present(_) | Observed::Absent => {
            Answer::ok("bundles.disabledPackages names it, and it does not live")
        }
    };
    checks.add(kind::DISABLED_PACKAGE, Some(&Layer::Host), format!("Package/{PLATFORM_PACKAGE}"), answer);
}

/// Whether the host is served by a whole Package of ours.
fn is_ours(patient: &Patient<'_>) -> bool {
    patient.layer(&Layer::Host).is_some_and(|planned| match &planned.decision {
        Decision::Deliver { release, .. } => release.delivery(&Layer::Host) == "package",
        Decision::Remove { .. } | Decision::Hold { .. } => false,
    })
}

/// The class of a load balancer cannot be changed on a Service that has one: the chart of the host's ingress stops.
fn load_balancer_class(patient: &Patient<'_>, checks: &mut Checks, values: &PlatformValues) {
    if !values.capabilities().has(Span::SinceV1_6) || !values.system_enabled() {
        return;
    }
    let target = proxy_target(values);
    let subject = format!("Service/{}/{}", target.namespace, target.service_name);
    let services = match seen(&patient.cluster.inventory.host.services) {
        Ok(services) => services,
        Err(answer) => return checks.add(kind::LOAD_BALANCER_CLASS, Some(&Layer::Host), subject, answer),
    };
    let is_it = |service: &&ServiceObject| {
        *service.meta.namespace == *target.namespace && *service.meta.name == *target.service_name
    };
    // That it is missing is told with the Services.
    let Some(service) = services.iter().find(is_it) else { return };
    let wanted = values.text("publishing.loadBalancerClass", "").unwrap_or_default();
    let found = service.load_balancer_class.as_deref().unwrap_or_default();
    let addresses = values.external_ips().len();
    let answer = if addresses > 0 {
        Answer::ok(format!("publishing.externalIPs has {}: no load balancer", count(addresses, "address")))
    } else if service.service_type != "LoadBalancer" {
        Answer::ok(format!("its type is {}", service.service_type))
    } else if wanted == found {
        Answer::ok(format!("its class is {}", if found.is_empty() { "the default one" } else { found }))
    } else {
        Answer {
            verdict: Verdict::Fail,
            evidence: format!(
                "publishing.loadBalancerClass is `{wanted}`, and the live Service has `{found}`, which cannot be changed: \
                 the chart of the host's ingress stops"
            ),
            fix: Some(format!(
                "write `{found}` again, or delete the Service in a quiet hour so that the chart makes it anew: \
                 kubectl delete service -n {} {}",
                target.namespace, target.service_name
            )),
        }
    };
    checks.add(kind::LOAD_BALANCER_CLASS, Some(&Layer::Host), subject, answer);
}
