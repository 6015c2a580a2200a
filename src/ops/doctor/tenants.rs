//! The tenants' own objects: what their add-ons are told.

use serde_json::Value;

use crate::{
    model::{
        inventory::TenantObject,
        layer::{Layer, TenantId},
        observed::Observed,
    },
    ops::doctor::{Answer, Checks, Patient, decisions, kind},
    plan::PlatformFacts,
    platform::{
        addons::TenantAddons, capabilities::Capabilities, tenant::addon_emits, tenant_findings::tenant_findings,
    },
};

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let PlatformFacts::Cozystack(values) = &patient.cluster.platform else { return };
    match &patient.cluster.inventory.tenants {
        Observed::Unknown(unknown) => {
            checks.add(kind::TENANT_ADDONS, None, "Kubernetes.apps.cozystack.io", Answer::unknown(unknown));
        }
        Observed::Absent => {}
        Observed::Present(tenants) => {
            for (tenant, object) in tenants {
                if let TenantObject::Kubernetes { addons } = object {
                    of_tenant(checks, values.capabilities(), tenant, addons);
                }
            }
        }
    }
}

fn of_tenant(checks: &mut Checks, capabilities: &Capabilities, tenant: &TenantId, addons: &Value) {
    let layer = Layer::Tenant(tenant.clone());
    let subject = format!("Kubernetes/{tenant}");
    let addons = match TenantAddons::new(addons.clone()) {
        Ok(addons) => addons,
        Err(problems) => {
            let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let answer = Answer::fail(told.join("; "), "correct spec.addons of the tenant's object");
            return checks.add(kind::TENANT_ADDONS, Some(&layer), subject, answer);
        }
    };
    // etcd is there: otherwise nothing would be rendered, and nothing would go wrong.
    if let Err(guard) = addon_emits(capabilities, tenant, &addons, tenant.namespace.as_str(), false) {
        let finding = guard.finding(subject);
        return decisions::add(checks, &[finding], |_| Some(layer.clone()));
    }
    let findings = tenant_findings(tenant, &addons);
    if findings.is_empty() {
        let on_off = |is_on| if is_on { "on" } else { "off" };
        let evidence = format!(
            "ouroboros {}, ingressNginx {}, PROXY headers {}",
            on_off(addons.ouroboros_enabled()),
            on_off(addons.ingress_nginx_enabled()),
            if addons.uses_proxy_protocol() { "expected" } else { "not expected" },
        );
        checks.add(kind::TENANT_ADDONS, Some(&layer), subject, Answer::ok(evidence));
    }
    decisions::add(checks, &findings, |_| Some(layer.clone()));
}
