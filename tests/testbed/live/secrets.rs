//! Tenants are found by the Secrets with their kubeconfigs, by a real server's labels and rights.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bobbypin::{
    edge::kube::{TenantRequest, TenantsBy},
    model::{
        cluster::{KubeconfigSecrets, SecretKey},
        inventory::{Inventory, TenantObject},
        layer::TenantId,
        name::Name,
        observed::Observed,
    },
};
use serde_json::{Value, json};

use super::{Ask, unknown};
use crate::support::{
    admin::documents,
    api_server::{ApiServer, Options},
    poll, wait_for,
};

/// What the roles of the examples are bound to there.
const BOT: &str = "system:serviceaccount:bobbypin:bobbypin";

fn name(text: &str) -> Name {
    Name::parse(text).expect("a literal that parses")
}

fn tenant(text: &str) -> TenantId {
    TenantId { namespace: name("clusters"), name: name(text) }
}

fn found(tenant_name: &str, secret: &str, key: &str) -> (TenantId, TenantObject) {
    (tenant(tenant_name), TenantObject::Kubeconfig(SecretKey { name: name(secret), key: key.to_owned() }))
}

/// Reads the host, one object on a page, and of the tenants those that were found.
fn read(kubeconfig: &str, secrets: KubeconfigSecrets) -> Inventory {
    let mut ask = Ask::new(kubeconfig);
    ask.limits.page_size = 1;
    ask.request.tenants_by = TenantsBy::Secrets(secrets);
    ask.request.tenants = Box::new(|seen: &Observed<BTreeMap<TenantId, TenantObject>>| {
        let seen = seen.present().into_iter().flatten();
        let request = |(tenant, object): (&TenantId, &TenantObject)| match object {
            TenantObject::Kubeconfig(kubeconfig) => {
                TenantRequest { tenant: tenant.clone(), kubeconfig: kubeconfig.clone(), services: Vec::new() }
            }
            TenantObject::Kubernetes { .. } => panic!("no Secret is such an object"),
        };
        seen.map(request).collect()
    });
    ask.read()
}

#[test]
fn tenants_are_found_by_labels_and_read_with_the_example_roles_and_no_secret_is_transferred_to_find_them() {
    let shop = ApiServer::start(&Options::default());
    let users = vec![(BOT.to_owned(), Vec::new())];
    let host = ApiServer::start(&Options { users, ..Options::default() });
    let admin = host.admin();
    admin.namespace("clusters").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rbac");
    for file in ["reader.yaml", "labelled-secrets.yaml"] {
        admin.apply(&fs::read_to_string(folder.join(file)).expect("an example")).unwrap();
    }
    let of_shop = shop.kubeconfig("admin");
    let capi = |cluster: &str| json!({"cluster.x-k8s.io/cluster-name": cluster});
    let kamaji = json!({"kamaji.clastix.io/component": "admin-kubeconfig", "kamaji.clastix.io/name": "lab"});
    for (secret, labels, key, text) in [
        ("shop-kubeconfig", capi("shop"), "value", of_shop.as_str()),
        ("web-kubeconfig", capi("web"), "value", "no kubeconfig"),
        ("shop-ca", capi("shop"), "tls.key", "a key"),
        ("lab-admin-kubeconfig", kamaji, "admin.conf", "no kubeconfig"),
        ("mail-kubeconfig", json!({"example.org/tenant": "yes"}), "config", "no kubeconfig"),
        ("other-kubeconfig", json!({}), "value", "no kubeconfig"),
    ] {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": secret, "namespace": "clusters", "labels": labels}, "stringData": {key: text},
        });
        admin.apply(&object.to_string()).unwrap();
    }

    let kubeconfig = host.kubeconfig(BOT);
    // The server looks at roles through a cache.
    let inventory = poll(Duration::from_secs(20), || {
        let inventory = read(&kubeconfig, KubeconfigSecrets::ClusterApi);
        inventory.tenants.present().is_some().then_some(inventory)
    });
    let inventory = inventory.expect("the example roles are enough");
    let expected = [found("shop", "shop-kubeconfig", "value"), found("web", "web-kubeconfig", "value")];
    assert_eq!(inventory.tenants, Observed::Present(expected.into()));
    assert_eq!(inventory.tenant_clusters[&tenant("shop")].uid, Observed::Present(shop.uid()));
    assert_eq!(unknown(&inventory.tenant_clusters[&tenant("web")].uid).0, "NoAccess");

    let selected = KubeconfigSecrets::Selected {
        selector: "example.org/tenant in (yes, maybe)".to_owned(),
        key: "config".to_owned(),
    };
    for (secrets, expected) in [
        (KubeconfigSecrets::Kamaji, found("lab", "lab-admin-kubeconfig", "admin.conf")),
        (selected, found("mail", "mail-kubeconfig", "config")),
    ] {
        assert_eq!(read(&kubeconfig, secrets).tenants, Observed::Present([expected].into()));
    }
    let unlawful = KubeconfigSecrets::Selected { selector: "a in (".to_owned(), key: "config".to_owned() };
    let unlawful = read(&kubeconfig, unlawful);
    let (reason, message) = unknown(&unlawful.tenants);
    assert_eq!(reason, "UnexpectedStatus", "{message}");

    // What such a list holds, by the server itself.
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let query = "/api/v1/secrets?limit=500&labelSelector=cluster.x-k8s.io%2Fcluster-name";
    let request = http::Request::get(query).header("accept", accept).body(Vec::new()).expect("a lawful request");
    let answer: Value = wait_for(admin.client().request(request)).expect("an answer");
    let items = answer["items"].as_array().expect("a list");
    assert_eq!((&answer["kind"], items.len()), (&json!("PartialObjectMetadataList"), 3));
    for item in items {
        let keys: Vec<_> = item.as_object().expect("an object").keys().map(String::as_str).collect();
        assert!(keys.iter().all(|key| ["apiVersion", "kind", "metadata"].contains(key)), "{keys:?}");
    }

    // Without the right to list them, nobody knows.
    let role = documents(&fs::read_to_string(folder.join("labelled-secrets.yaml")).expect("an example")).remove(0);
    let mut less = role;
    less["rules"][0]["verbs"] = json!(["get"]);
    admin.apply(&less.to_string()).unwrap();
    let refused = poll(Duration::from_secs(20), || {
        let inventory = read(&kubeconfig, KubeconfigSecrets::ClusterApi);
        inventory.tenants.unread().cloned()
    });
    let refused = refused.expect("the right is taken away");
    assert_eq!(refused.reason, "Forbidden");
    let rule = "add to its role: {apiGroups: [\"\"], resources: [secrets], verbs: [list]}";
    assert!(refused.message.ends_with(rule), "{}", refused.message);
}
