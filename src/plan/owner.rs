//! Who else installs the proxy: two writers of one Helm release undo each other, so a layer with another owner is held.

use crate::{
    model::{
        finding::{Finding, Severity},
        inventory::HelmReleaseObject,
        layer::Layer,
        observed::Observed,
    },
    plan::{
        Context,
        decision::{Decision, Reason},
        release::{COZY_NAMESPACE, OWN_PACKAGE, PLATFORM_PACKAGE},
    },
    platform::tenant::release_name,
};

/// The label by which the operator of cozystack marks what it makes from a `Package`.
const PACKAGE_LABEL: &str = "cozystack.io/package";

/// Holds the host when somebody else installs the release there, and tells when nobody looked.
///
/// `package` is the Package that our delivery works through; its release is ours to use.
pub(super) fn of_host(
    context: &Context<'_>,
    namespace: &str,
    package: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Decision> {
    if let Some(hold) = left_behind(context, namespace, package) {
        return Some(hold);
    }
    let releases = looked_for(context, &format!("in {namespace}"), findings)?;
    let other = releases.iter().find(|release| {
        let label = release.labels.get(PACKAGE_LABEL).map(String::as_str);
        release.kubeconfig_secret.is_none()
            && release.release_name == "ouroboros"
            && release.storage_namespace == namespace
            && !is_ours(release)
            && !label.is_some_and(|label| package == Some(label) || declares(context, label))
    })?;
    let name = format!("HelmRelease/{}/{}", other.meta.namespace, other.meta.name);
    Some(Decision::hold(
        Reason::new("OwnedByHelmRelease", format!("{name} already installs the release ouroboros in {namespace}"))
            .fix(format!("remove {name}, or set host.enabled: false in cluster.yaml")),
    ))
}

/// The platform never deletes its `Package`, also when it no longer emits it: while it lives, so does its release.
fn left_behind(context: &Context<'_>, namespace: &str, package: Option<&str>) -> Option<Decision> {
    let packages = context.inputs.inventory.packages.present()?;
    let is_other = namespace == COZY_NAMESPACE && package != Some(PLATFORM_PACKAGE);
    if !is_other || !packages.contains_key(PLATFORM_PACKAGE) || declares(context, PLATFORM_PACKAGE) {
        return None;
    }
    let message = format!(
        "Package/{PLATFORM_PACKAGE} still lives in the cluster and installs the release ouroboros in {namespace}"
    );
    let fix = format!(
        "kubectl delete package.cozystack.io {PLATFORM_PACKAGE} (nothing else deletes it), or set host.delivery: package \
         in cluster.yaml to take it over"
    );
    Some(Decision::hold(Reason::new("OwnedByPackage", message).fix(fix)))
}

/// Whether our committed files declare a whole `Package`: what came of it goes with it.
fn declares(context: &Context<'_>, package: &str) -> bool {
    let names = |text: &str| {
        text.lines().any(|line| line.trim().strip_prefix("name: ").map(|name| name.trim_matches('"')) == Some(package))
    };
    matches!(package, PLATFORM_PACKAGE | OWN_PACKAGE)
        && context.committed(&Layer::Host, "package.yaml").is_some_and(names)
}

/// Holds a tenant when somebody else installs the release into its cluster, and tells when nobody looked.
///
/// A release is taken for one into the tenant when it stands in the tenant's namespace and goes through one of the
/// Secrets; `own` is the name of the release that the platform itself makes for the tenant, where that one is wanted.
pub(super) fn of_tenant(
    context: &Context<'_>,
    layer: &Layer,
    namespace: &str,
    secrets: &[&str],
    own: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Decision> {
    let Layer::Tenant(tenant) = layer else { return None };
    let releases = looked_for(context, &format!("in tenant {tenant}"), findings)?;
    let other = releases.iter().find(|release| {
        *release.meta.namespace == *tenant.namespace.as_str()
            && release.kubeconfig_secret.as_deref().is_some_and(|secret| secrets.contains(&secret))
            && release.release_name == "ouroboros"
            && release.storage_namespace == namespace
            && own != Some(&*release.meta.name)
            && !is_ours(release)
    })?;
    let name = format!("HelmRelease/{}/{}", other.meta.namespace, other.meta.name);
    Some(Decision::hold(
        Reason::new("OwnedByHelmRelease", format!("{name} already installs the release ouroboros in the tenant"))
            .fix(format!("remove {name}, or list the tenant with enabled: false in cluster.yaml")),
    ))
}

/// The live releases, when somebody looked.
fn looked_for<'a>(context: &Context<'a>, place: &str, findings: &mut Vec<Finding>) -> Option<&'a [HelmReleaseObject]> {
    match &context.inputs.inventory.helm_releases {
        Observed::Present(releases) => Some(releases),
        Observed::Absent => None,
        Observed::Unknown(unknown) => {
            findings.push(Finding {
                severity: Severity::Info,
                rule: "OwnersNotChecked",
                subject: "HelmRelease".to_owned(),
                message: format!(
                    "whether another HelmRelease installs ouroboros {place} was not looked at: {}",
                    unknown.message
                ),
                fix: Some("give an inventory with the cluster's HelmReleases".to_owned()),
                host: None,
            });
            None
        }
    }
}

/// A live release of ours for a layer, by its name for people.
pub(super) fn ours(context: &Context<'_>, layer: &Layer) -> Option<String> {
    let releases = context.inputs.inventory.helm_releases.present()?;
    let is_of_layer = |release: &&HelmReleaseObject| match layer {
        Layer::Host => release.kubeconfig_secret.is_none(),
        Layer::Tenant(tenant) => {
            let names = [format!("{}-ouroboros", release_name(tenant)), format!("{}-ouroboros", tenant.name)];
            release.kubeconfig_secret.is_some()
                && *release.meta.namespace == *tenant.namespace.as_str()
                && names.iter().any(|name| **name == *release.meta.name)
        }
    };
    let found =
        releases.iter().filter(is_of_layer).find(|release| is_ours(release) && release.release_name == "ouroboros")?;
    Some(format!("HelmRelease/{}/{}", found.meta.namespace, found.meta.name))
}

fn is_ours(release: &HelmReleaseObject) -> bool {
    release.labels.get("app.kubernetes.io/managed-by").map(String::as_str) == Some("bobbypin")
}
