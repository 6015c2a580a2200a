//! The releases of ouroboros, whoever made them.

use crate::{
    model::{
        inventory::{HelmReleaseObject, Progress, Ready},
        layer::Layer,
        observed::Observed,
    },
    ops::doctor::{Answer, Checks, Patient, kind},
    plan::Decision,
    platform::tenant::release_name,
};

/// The name of the release, in every cluster.
const RELEASE: &str = "ouroboros";

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let releases = match &patient.cluster.inventory.helm_releases {
        Observed::Present(releases) => releases.as_slice(),
        Observed::Absent => &[],
        Observed::Unknown(unknown) => {
            return checks.add(kind::RELEASE_READY, None, "HelmRelease", Answer::unknown(unknown));
        }
    };
    let releases: Vec<_> = releases
        .iter()
        .filter(|release| release.release_name == RELEASE)
        .map(|release| (layer_of(patient, release), release))
        .collect();
    for (layer, release) in &releases {
        let subject = format!("HelmRelease/{}/{}", release.meta.namespace, release.meta.name);
        let resume = format!("flux resume helmrelease {} -n {}", release.meta.name, release.meta.namespace);
        checks.add(kind::RELEASE_READY, layer.as_ref(), subject, of_progress(&release.progress, &resume));
    }
    for planned in &patient.plan.layers {
        let Decision::Deliver { release, .. } = &planned.decision else { continue };
        let is_told = releases.iter().any(|(layer, _)| layer.as_ref() == Some(&planned.layer));
        // What the tenant's own Flux makes does not stand on the host.
        if is_told || release.delivery(&planned.layer) == "ownFlux" {
            continue;
        }
        let answer = if planned.is_committed {
            Answer::warn("Git has the fix, and no HelmRelease installs ouroboros yet", "flux get kustomizations -A")
        } else {
            Answer::ok("none, and Git does not have the fix yet")
        };
        checks.add(kind::RELEASE_READY, Some(&planned.layer), "HelmRelease", answer);
    }
}

/// The layer that a release goes to.
fn layer_of(patient: &Patient<'_>, release: &HelmReleaseObject) -> Option<Layer> {
    if release.kubeconfig_secret.is_none() {
        return Some(Layer::Host);
    }
    let layers = patient.plan.layers.iter().map(|planned| &planned.layer);
    let goes_to = |layer: &&Layer| match layer {
        Layer::Host => false,
        Layer::Tenant(tenant) => {
            *release.meta.namespace == *tenant.namespace.as_str()
                && [format!("{}-{RELEASE}", release_name(tenant)), format!("{}-{RELEASE}", tenant.name)]
                    .contains(&release.meta.name.to_string())
        }
    };
    layers.into_iter().find(goes_to).cloned()
}

/// How an object of Flux is.
pub(super) fn of_progress(progress: &Progress, resume: &str) -> Answer {
    let Progress { suspended, ready } = progress;
    match ready {
        _ if *suspended => Answer::warn("a person suspended it, and nothing resumes it but a person", resume),
        None => {
            Answer::warn("no controller has looked at it yet", "look whether the controllers of Flux run: flux check")
        }
        Some(Ready { status, reason, message }) => match status.as_str() {
            "True" => Answer::ok(format!("Ready ({reason})")),
            "False" => Answer::fail(
                format!("not Ready ({reason}): {message}"),
                "mend what the message says; Flux tries again by itself",
            ),
            _ => Answer::warn(
                format!("its controller has not finished ({reason}): {message}"),
                "wait for it; when it stays so, look at the controller's log",
            ),
        },
    }
}
