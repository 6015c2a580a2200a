//! Tenants that are found by the Secrets with their kubeconfigs.

use std::collections::BTreeMap;

use crate::{
    config::inventory::{
        object::{SecretMetadata, Shown},
        page::PageError,
    },
    model::{
        cluster::{KubeconfigSecrets, SecretKey},
        inventory::TenantObject,
        layer::TenantId,
        name::Name,
    },
};

/// What Cluster API puts on every Secret of a cluster, of which only one is its kubeconfig.
///
/// Source: `ClusterNameLabel` and `secret.Name` in sigs.k8s.io/cluster-api.
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

/// What Kamaji puts on a Secret: the part of a control plane that it is for, and the control plane.
///
/// Source: `utilities.KamajiLabels` in github.com/clastix/kamaji.
const KAMAJI_COMPONENT: (&str, &str) = ("kamaji.clastix.io/component", "admin-kubeconfig");
const KAMAJI_NAME: &str = "kamaji.clastix.io/name";

/// The label selector by which the API lists the Secrets.
pub fn kubeconfig_selector(secrets: &KubeconfigSecrets) -> String {
    match secrets {
        KubeconfigSecrets::ClusterApi => CLUSTER_NAME.to_owned(),
        KubeconfigSecrets::Kamaji => format!("{}={}", KAMAJI_COMPONENT.0, KAMAJI_COMPONENT.1),
        KubeconfigSecrets::Selected { selector, .. } => selector.clone(),
    }
}

/// Makes tenants of the Secrets that the selector gave: of all, or of none.
///
/// Other Secrets of the same makers are passed over. A tenant that cannot be named is an error and is not passed over: its
/// absence would be taken for its end.
///
/// # Errors
///
/// [`PageError::NoTenant`], for the first Secret that was not asked for, has no lawful name for a tenant, or has the name
/// of another tenant of its namespace.
pub fn kubeconfig_tenants(
    secrets: &KubeconfigSecrets,
    found: &[SecretMetadata],
) -> Result<BTreeMap<TenantId, TenantObject>, PageError> {
    let mut tenants: BTreeMap<TenantId, TenantObject> = BTreeMap::new();
    for secret in found {
        let no_tenant = |message: String| {
            let (namespace, name) = (Shown(&secret.meta.namespace), Shown(&secret.meta.name));
            PageError::NoTenant { secret: format!("{namespace}/{name}"), message }
        };
        let Some((tenant, key)) = kubeconfig_of(secrets, secret).map_err(no_tenant)? else { continue };
        let name = |text: &str| Name::parse(text).map_err(|error| no_tenant(error.to_string()));
        let tenant = TenantId { namespace: name(&secret.meta.namespace)?, name: name(tenant)? };
        let kubeconfig = SecretKey { name: name(&secret.meta.name)?, key: key.to_owned() };
        if let Some(TenantObject::Kubeconfig(other)) = tenants.get(&tenant) {
            return Err(no_tenant(format!("the Secret {} has the tenant {tenant} already", other.name)));
        }
        tenants.insert(tenant, TenantObject::Kubeconfig(kubeconfig));
    }
    Ok(tenants)
}

/// The name of the tenant whose kubeconfig a Secret has, and the key of it; `None` when the Secret has another purpose.
fn kubeconfig_of<'a>(
    secrets: &'a KubeconfigSecrets,
    SecretMetadata { meta, labels }: &'a SecretMetadata,
) -> Result<Option<(&'a str, &'a str)>, String> {
    let label = |key: &str| labels.get(key).ok_or_else(|| format!("it has no label {key}"));
    Ok(match secrets {
        KubeconfigSecrets::ClusterApi => {
            let cluster = label(CLUSTER_NAME)?;
            (meta.name.strip_suffix("-kubeconfig") == Some(cluster)).then_some((cluster, "value"))
        }
        KubeconfigSecrets::Kamaji => {
            let (key, wanted) = KAMAJI_COMPONENT;
            if label(key)? != wanted {
                return Err(format!("its label {key} is not {wanted}"));
            }
            let control_plane = label(KAMAJI_NAME)?;
            let is_its_own = meta.name.strip_suffix("-admin-kubeconfig") == Some(control_plane);
            is_its_own.then_some((control_plane, "admin.conf"))
        }
        KubeconfigSecrets::Selected { key, .. } => {
            let name = meta.name.as_ref();
            let suffixes = ["-admin-kubeconfig", "-kubeconfig"];
            let bare = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
            Some((bare.unwrap_or(name), key))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ObjectMeta;

    fn secret(place: &str, labels: &[(&str, &str)]) -> SecretMetadata {
        let (namespace, name) = place.split_once('/').expect("a namespace and a name");
        let meta = ObjectMeta { namespace: namespace.into(), name: name.into(), uid: String::new(), created: None };
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        SecretMetadata { meta, labels }
    }

    /// Every tenant with its Secret and key, a word each.
    fn told(secrets: &KubeconfigSecrets, found: &[SecretMetadata]) -> Result<Vec<String>, String> {
        let tenants = kubeconfig_tenants(secrets, found).map_err(|error| error.to_string())?;
        Ok(tenants
            .into_iter()
            .map(|(tenant, object)| match object {
                TenantObject::Kubeconfig(SecretKey { name, key }) => format!("{tenant} {name} {key}"),
                TenantObject::Kubernetes { .. } => panic!("no Secret is such an object"),
            })
            .collect())
    }

    #[test]
    fn of_cluster_api_only_the_secret_of_the_clusters_own_name_counts() {
        let of = |cluster| [("cluster.x-k8s.io/cluster-name", cluster)];
        let found = [
            secret("clusters/shop-ca", &of("shop")),
            secret("clusters/shop-etcd", &of("shop")),
            secret("clusters/shop-kubeconfig", &of("shop")),
            secret("clusters/shop-user-kubeconfig", &of("shop")),
            secret("other/shop-kubeconfig", &of("shop")),
        ];
        assert_eq!(
            told(&KubeconfigSecrets::ClusterApi, &found).unwrap(),
            ["clusters/shop shop-kubeconfig value", "other/shop shop-kubeconfig value"],
        );
        assert_eq!(kubeconfig_selector(&KubeconfigSecrets::ClusterApi), "cluster.x-k8s.io/cluster-name");
    }

    #[test]
    fn of_kamaji_only_the_admins_kubeconfig_of_a_control_plane_counts() {
        let of = |name| [("kamaji.clastix.io/component", "admin-kubeconfig"), ("kamaji.clastix.io/name", name)];
        let found = [secret("clusters/shop-admin-kubeconfig", &of("shop")), secret("clusters/copy", &of("shop"))];
        assert_eq!(
            told(&KubeconfigSecrets::Kamaji, &found).unwrap(),
            ["clusters/shop shop-admin-kubeconfig admin.conf"],
        );
        assert_eq!(kubeconfig_selector(&KubeconfigSecrets::Kamaji), "kamaji.clastix.io/component=admin-kubeconfig");
    }

    #[test]
    fn of_selected_secrets_each_is_a_tenant() {
        let selector = "example.org/tenant=yes".to_owned();
        let secrets = KubeconfigSecrets::Selected { selector: selector.clone(), key: "config".to_owned() };
        let found =
            ["clusters/shop-admin-kubeconfig", "clusters/web-kubeconfig", "clusters/lab", "clusters/kubeconfig"];
        let found = found.map(|place| secret(place, &[]));
        assert_eq!(
            told(&secrets, &found).unwrap(),
            [
                "clusters/kubeconfig kubeconfig config",
                "clusters/lab lab config",
                "clusters/shop shop-admin-kubeconfig config",
                "clusters/web web-kubeconfig config",
            ],
        );
        assert_eq!(kubeconfig_selector(&secrets), selector);
    }

    #[test]
    fn a_tenant_that_cannot_be_named_spoils_all_of_them() {
        let selected = KubeconfigSecrets::Selected { selector: "a".to_owned(), key: "config".to_owned() };
        let good = secret("clusters/web-kubeconfig", &[]);
        for (secrets, bad, message) in [
            (
                &selected,
                secret("clusters/web-admin-kubeconfig", &[]),
                "the Secret clusters/web-admin-kubeconfig makes no tenant: the Secret web-kubeconfig has the tenant \
                 clusters/web already",
            ),
            (
                &selected,
                secret("clusters/a.-kubeconfig", &[]),
                "the Secret clusters/a.-kubeconfig makes no tenant: `a.` is not a Kubernetes name: lower-case letters, \
                 digits, `-` and `.`, beginning and ending with a letter or digit",
            ),
            (
                &selected,
                secret("clusters/A\n", &[]),
                "the Secret clusters/A\\n makes no tenant: `A\\n` is not a Kubernetes name: lower-case letters, digits, `-` \
                 and `.`, beginning and ending with a letter or digit",
            ),
            (
                &KubeconfigSecrets::ClusterApi,
                good.clone(),
                "the Secret clusters/web-kubeconfig makes no tenant: it has no label cluster.x-k8s.io/cluster-name",
            ),
            (
                &KubeconfigSecrets::Kamaji,
                secret("clusters/web", &[("kamaji.clastix.io/component", "ca")]),
                "the Secret clusters/web makes no tenant: its label kamaji.clastix.io/component is not admin-kubeconfig",
            ),
            (
                &KubeconfigSecrets::Kamaji,
                secret("clusters/web", &[("kamaji.clastix.io/component", "admin-kubeconfig")]),
                "the Secret clusters/web makes no tenant: it has no label kamaji.clastix.io/name",
            ),
        ] {
            let found = if *secrets == selected { vec![good.clone(), bad] } else { vec![bad] };
            assert_eq!(told(secrets, &found), Err(message.to_owned()));
        }
    }
}
