//! The delivery by the platform's add-on: our leaves of a tenant's object.
//!
//! The patch and the tenant's own words end up in one object, so what was read there must be told apart from what we
//! wrote.

use serde_json::{Value, json};

use crate::{
    model::{
        cluster::{Engine, OuroborosMode, TenantConfig},
        finding::{Finding, Severity},
        layer::{Layer, TenantId},
    },
    plan::{
        Context, Draft,
        decision::{Decision, Reason},
        leaving,
        pinned::Pinned,
        release::Form,
        values::ChartValues,
    },
    platform::{addons::TenantAddons, helm, problem::PlatformProblem, tenant::addon_emits, values::PlatformValues},
};

/// What the tenant's object says by itself, without what our own committed patch of it says.
///
/// A patch of ours never justifies itself: what it says does not count as the tenant's word.
#[derive(Clone, Copy)]
pub(super) struct Own {
    pub(super) proxy_protocol: bool,
    pub(super) addon: bool,
}

impl Own {
    pub(super) fn of(context: &Context<'_>, layer: &Layer, addons: &TenantAddons) -> Self {
        let patch = context.committed(layer, "addon/kubernetes.yaml");
        // A patch that was emptied a moment ago may still be in force.
        let is_ours =
            |line: &str| patch.map_or_else(|| leaving::addon_lingers(context, layer), |text| text.contains(line));
        Self {
            proxy_protocol: addons.uses_proxy_protocol() && !is_ours("use-proxy-protocol:"),
            addon: addons.ouroboros_enabled() && !is_ours("enabled: true"),
        }
    }
}

/// Our leaves of the tenant's object. That the add-on is on is not said again where the object says it by itself: off is
/// off when the tenant says so.
pub(super) fn patch(config: &TenantConfig, engine: &Engine, pinned: &Pinned, own: Own) -> Value {
    let values = ChartValues {
        engine: engine.clone(),
        mode: match engine {
            // What the platform's add-on has by default is left to it.
            Engine::Ouroboros(OuroborosMode::CorednsImport) | Engine::Static(_) => None,
            Engine::Ouroboros(mode) => Some(*mode),
        },
        ingress_class: None,
        cluster_domain: None,
        target: None,
        gateway_api: None,
    };
    let wrapped = values.wrapped(pinned);
    let ouroboros = if own.addon {
        json!({"valuesOverride": wrapped})
    } else {
        json!({"enabled": true, "valuesOverride": wrapped})
    };
    let mut addons = json!({"ouroboros": ouroboros});
    if config.proxy_protocol {
        let mut nginx =
            json!({"enable-real-ip": "true", "real-ip-header": "proxy_protocol", "use-proxy-protocol": "true"});
        if !config.real_ip_cidrs.is_empty() {
            nginx["proxy-real-ip-cidr"] = json!(config.real_ip_cidrs.join(","));
        }
        addons["ingressNginx"] = json!({"valuesOverride": {"ingress-nginx": {"controller": {"config": nginx}}}});
    }
    addons
}

/// What would stop the platform's render of the tenant with our patch applied, found before it is committed.
pub(super) fn guard(values: &PlatformValues, tenant: &TenantId, addons: &Value, draft: &Draft) -> Option<Decision> {
    let Decision::Deliver { release, .. } = &draft.decision else { return None };
    let Form::Addon { addons: patch } = &release.form else { return None };
    let mut patched = addons.clone();
    helm::merge_overwrite(&mut patched, patch);
    let patched = match TenantAddons::new(patched) {
        Ok(patched) => patched,
        Err(problems) => return Some(Decision::hold(unlawful(&problems))),
    };
    // Whether the tenant's store and its own release exist does not matter to the guards.
    let guard = addon_emits(values.capabilities(), tenant, &patched, "tenant-root", true).err()?;
    let Finding { rule, message, fix, .. } = guard.finding(format!("Kubernetes/{tenant}"));
    Some(Decision::hold(Reason { code: rule, message, fix }))
}

/// A component that no kustomization names has no effect.
pub(super) fn unreferenced(context: &Context<'_>, layer: &Layer, decision: &Decision) -> Option<Finding> {
    let Decision::Deliver { release, .. } = decision else { return None };
    let Form::Addon { .. } = &release.form else { return None };
    let folder = context.layer_folder(layer).join("addon");
    (!context.is_referenced(&folder)).then(|| Finding {
        severity: Severity::Warning,
        rule: "ComponentNotReferenced",
        subject: folder.to_string(),
        message: "no kustomization in the repository names this component, so the tenant's object is not patched".to_owned(),
        fix: Some(format!(
            "in the kustomization.yaml that lists the tenant's Kubernetes object add: components: [<path from there>/{folder}]"
        )),
        host: None,
    })
}

/// A tenant's object that the platform itself would refuse.
pub(super) fn unlawful(problems: &[PlatformProblem]) -> Reason {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Reason::new(
        "TenantObjectInvalid",
        format!("the platform would refuse the tenant's object: {}", problems.join("; ")),
    )
}
