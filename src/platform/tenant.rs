//! What the platform's add-on emits for a tenant.

use serde_json::{Value, json};

use crate::{
    model::layer::TenantId,
    platform::{Guard, addons::TenantAddons, capabilities::Capabilities, helm},
};

/// The name of the Helm release that stands for a tenant cluster; its parts are called `<this>-<part>`.
pub fn release_name(tenant: &TenantId) -> String {
    format!("kubernetes-{}", tenant.name)
}

/// Foretells the objects with which the add-on delivers the fix to a tenant: one `HelmRelease`, or nothing.
///
/// `etcd` is `_namespace.etcd`, the name of the tenant that owns the store; while it is empty the cluster does not exist
/// yet and the add-on waits. `parent_is_live`: whether the cluster has the tenant's own `HelmRelease`, which v1.4 looks up;
/// in a running cluster it has. The object has no namespace of its own: it goes to the namespace of the tenant's object.
///
/// Source: `packages/apps/kubernetes/templates/helmreleases/ouroboros.yaml`.
///
/// # Errors
///
/// [`Guard::G7`] before [`Guard::G8`]. The second does not ask whether the add-on is on, and neither waits for etcd.
pub fn addon_emits(
    capabilities: &Capabilities,
    tenant: &TenantId,
    addons: &TenantAddons,
    etcd: &str,
    parent_is_live: bool,
) -> Result<Vec<Value>, Guard> {
    if addons.ouroboros_enabled() && !addons.ingress_nginx_enabled() {
        return Err(Guard::G7);
    }
    if addons.gateway_api_override().is_some_and(is_caught) && !addons.gateway_api_enabled() {
        return Err(Guard::G8);
    }
    if !addons.ouroboros_enabled() || etcd.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![helm_release(capabilities, tenant, addons, parent_is_live)])
}

/// Whether [`Guard::G8`] takes a value for true. It knows these spellings and no others.
pub(crate) fn is_caught(value: &Value) -> bool {
    let text = helm::text(value).map(|text| text.to_lowercase());
    matches!(text.as_deref(), Some("true" | "1" | "yes" | "on" | "y"))
}

fn helm_release(capabilities: &Capabilities, tenant: &TenantId, addons: &TenantAddons, parent_is_live: bool) -> Value {
    let release = release_name(tenant);
    let mut upgrade = json!({"remediation": {"retries": -1}});
    if capabilities.tenant_release_forces_upgrade {
        upgrade["force"] = json!(true);
    }
    let parent = (capabilities.tenant_release_forces_upgrade && parent_is_live).then(|| release.clone());
    let parts = ["cilium", "coredns", "ingress-nginx"].into_iter();
    let parts = parts.chain(addons.gateway_api_enabled().then_some("gateway-api-crds"));
    let depends_on = parent.into_iter().chain(parts.map(|part| format!("{release}-{part}")));
    json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {
            "name": format!("{release}-ouroboros"),
            "labels": {
                "cozystack.io/repository": "system",
                "cozystack.io/target-cluster-name": release,
                "sharding.fluxcd.io/key": "tenants",
            },
        },
        "spec": {
            "releaseName": "ouroboros",
            "chartRef": {
                "kind": "ExternalArtifact",
                "name": "cozystack-kubernetes-application-kubevirt-kubernetes-ouroboros",
                "namespace": "cozy-system",
            },
            "kubeConfig": {"secretRef": {"name": format!("{release}-admin-kubeconfig"), "key": "super-admin.svc"}},
            "targetNamespace": "cozy-ouroboros",
            "storageNamespace": "cozy-ouroboros",
            "interval": "5m",
            "timeout": "10m",
            "install": {"createNamespace": true, "remediation": {"retries": -1}},
            "upgrade": upgrade,
            "values": addons.ouroboros_values(),
            "dependsOn": depends_on
                .map(|name| json!({"name": name, "namespace": tenant.namespace}))
                .collect::<Vec<_>>(),
        },
    })
}
