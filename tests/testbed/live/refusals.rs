//! Who is refused is told what is missing, and nothing is taken for absent.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bobbypin::{
    edge::kube::{ObjectName, TenantRequest, TenantsBy},
    model::{cluster::SecretKey, inventory::Inventory, layer::TenantId, name::Name, observed::Observed},
};
use serde_json::{Value, json};

use super::{Ask, unknown};
use crate::support::{
    admin::documents,
    api_server::{ApiServer, Options},
    certificates::Validity,
    poll,
};

/// What the roles of the examples are bound to there.
const BOT: &str = "system:serviceaccount:bobbypin:bobbypin";

/// A cluster with everything in it that is read, and a user who is called as the examples' service account.
fn cluster() -> ApiServer {
    let users = vec![(BOT.to_owned(), Vec::new())];
    let server = ApiServer::start(&Options { users, definitions: true, ..Options::default() });
    let admin = server.admin();
    for namespace in ["cozy-system", "tenant-acme", "tenant-root", "cozy-ouroboros"] {
        admin.namespace(namespace).expect("a new namespace");
    }
    let objects = "\
{apiVersion: v1, kind: ConfigMap, metadata: {name: coredns, namespace: kube-system}, data: {Corefile: \".:53 {\\n}\\n\"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: cozystack-values, namespace: cozy-system}, stringData: {values.yaml: \"_cluster: {root-host: example.org, branding: x}\\n\"}}
---
{apiVersion: v1, kind: Service, metadata: {name: root-ingress-controller, namespace: tenant-root}, spec: {ports: [{port: 443}]}}
---
{apiVersion: apps.cozystack.io/v1alpha1, kind: Kubernetes, metadata: {name: shop, namespace: tenant-acme}, spec: {addons: {ouroboros: {enabled: true}}}}
---
{apiVersion: cozystack.io/v1alpha1, kind: Package, metadata: {name: cozystack.ouroboros}, spec: {variant: default}}
";
    admin.apply(objects).expect("lawful objects");
    admin.create_ingresses("default", 0..3).expect("lawful Ingresses");
    server
}

fn read(server: &ApiServer, kubeconfig: &str) -> Inventory {
    assert!(server.admin().is_ready());
    let mut ask = Ask::new(kubeconfig);
    ask.request.tenants_by = TenantsBy::Cozystack;
    ask.request.services = Box::new(|_| {
        vec![
            ObjectName::new("tenant-root", "root-ingress-controller"),
            ObjectName::new("cozy-ouroboros", "ouroboros-proxy"),
        ]
    });
    ask.read()
}

fn unread(inventory: &Inventory) -> BTreeMap<String, (String, String)> {
    let told = |(source, unknown): (_, &bobbypin::model::observed::Unknown)| {
        (format!("{source}"), (unknown.reason.clone(), unknown.message.clone()))
    };
    inventory.unread().into_iter().map(told).collect()
}

/// The objects of the examples, as one text.
fn roles() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rbac");
    let texts =
        ["reader.yaml", "cozystack.yaml"].map(|file| fs::read_to_string(folder.join(file)).expect("an example"));
    texts.iter().flat_map(|text| documents(text)).collect()
}

fn applied(server: &ApiServer, roles: &[Value]) {
    for role in roles {
        server.admin().apply(&role.to_string()).expect("a lawful role");
    }
}

#[test]
fn the_example_roles_are_enough_and_every_rule_of_them_is_needed() {
    let server = cluster();
    let kubeconfig = server.kubeconfig(BOT);
    let roles = roles();
    applied(&server, &roles);
    // The server looks at roles through a cache.
    let whole = poll(Duration::from_secs(20), || {
        let inventory = read(&server, &kubeconfig);
        unread(&inventory).is_empty().then_some(inventory)
    });
    let whole = whole.unwrap_or_else(|| panic!("{:#?}", unread(&read(&server, &kubeconfig))));
    // The same that one sees who may do everything.
    let all = read(&server, &server.kubeconfig("admin"));
    assert_eq!(Inventory { observed_at: whole.observed_at, ..all }, whole);
    assert_eq!(whole.host.uid, Observed::Present(server.uid()));
    assert_eq!(whole.host.services.present().expect("known").len(), 1);
    let settings = BTreeMap::from([("root-host".to_owned(), "example.org".to_owned())]);
    assert_eq!(whole.platform_settings, Observed::Present(settings));

    let mut tried = 0;
    for (index, role) in roles.iter().enumerate() {
        for rule in 0..role["rules"].as_array().map_or(0, Vec::len) {
            let rule_text = &role["rules"][rule];
            for resource in rule_text["resources"].as_array().expect("a list").clone() {
                let resource = resource.as_str().expect("a text");
                let mut less = role.clone();
                let resources = less["rules"][rule]["resources"].as_array_mut().expect("a list");
                resources.retain(|one| one != resource);
                if resources.is_empty() {
                    less["rules"].as_array_mut().expect("a list").remove(rule);
                }
                applied(&server, &[less]);
                let found = poll(Duration::from_secs(20), || {
                    let missing = unread(&read(&server, &kubeconfig));
                    (missing.len() == 1).then_some(missing)
                });
                let found = found.unwrap_or_else(|| panic!("{resource}: {:#?}", unread(&read(&server, &kubeconfig))));
                let (source, (reason, message)) = found.iter().next().expect("one");
                let group = rule_text["apiGroups"][0].as_str().expect("a text");
                let verb = rule_text["verbs"][0].as_str().expect("a text");
                assert_eq!(reason, "Forbidden", "{source}: {message}");
                let wanted = format!("add to its role: {{apiGroups: [\"{group}\"], resources: [{resource}]");
                assert!(message.contains(&wanted) && message.ends_with(&format!("verbs: [{verb}]}}")), "{message}");
                tried += 1;
                applied(&server, std::slice::from_ref(&roles[index]));
            }
        }
    }
    assert_eq!(tried, 13);
}

#[test]
fn what_is_inside_a_tenant_needs_the_example_role_for_its_secret() {
    let (server, tenant) = (cluster(), ApiServer::start(&Options::default()));
    tenant.admin().create_ingresses("default", 0..2).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "kubernetes-shop-admin-kubeconfig", "namespace": "tenant-acme"},
        "stringData": {"super-admin.svc": tenant.kubeconfig("admin")},
    });
    server.admin().apply(&secret.to_string()).unwrap();
    applied(&server, &roles());
    let id = || TenantId { namespace: Name::parse("tenant-acme").unwrap(), name: Name::parse("shop").unwrap() };
    let read = || {
        let mut ask = Ask::new(&server.kubeconfig(BOT));
        ask.request.tenants_by = TenantsBy::Cozystack;
        ask.request.tenants = Box::new(move |_| {
            let name = Name::parse("kubernetes-shop-admin-kubeconfig").expect("a literal that parses");
            let kubeconfig = SecretKey { name, key: "super-admin.svc".to_owned() };
            vec![TenantRequest { tenant: id(), kubeconfig, services: Vec::new() }]
        });
        ask.read().tenant_clusters.remove(&id()).expect("it was asked for")
    };
    let refused = read();
    let (reason, message) = unknown(&refused.ingresses);
    assert_eq!(reason, "Forbidden", "{message}");
    let rule = "add to its role: {apiGroups: [\"\"], resources: [secrets], resourceNames: [kubernetes-shop-admin-kubeconfig], verbs: [get]}";
    assert!(message.ends_with(rule), "{message}");
    let role = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rbac/tenant.yaml"));
    applied(&server, &documents(&role.unwrap()));
    let whole = poll(Duration::from_secs(20), || Some(read()).filter(|tenant| tenant.unread().next().is_none()));
    let whole = whole.expect("the role is seen");
    assert_eq!(whole.uid, Observed::Present(tenant.uid()));
    assert_eq!(whole.ingresses.present().map(Vec::len), Some(2));
}

#[test]
fn a_certificate_that_ran_out_is_a_reason_of_its_own() {
    let server = cluster();
    let expired = server.kubeconfig_by_certificate("admin", Some("system:masters"), Validity::Expired);
    let inventory = read(&server, &expired);
    let (reason, message) = unknown(&inventory.host.ingresses);
    assert_eq!(reason, "Unauthorized", "{message}");
    assert_eq!(inventory.unread().len(), 13);
    assert!(inventory.unread().iter().all(|(_, unknown)| unknown.reason == "Unauthorized"));
}

#[test]
fn another_authority_is_a_reason_of_its_own() {
    let (server, other) = (cluster(), ApiServer::start(&Options::default()));
    let misled = other.kubeconfig("admin").replace(&other.url(), &server.url());
    let inventory = read(&server, &misled);
    let (reason, message) = unknown(&inventory.host.uid);
    assert_eq!(reason, "Tls", "{message}");
}

#[test]
fn of_another_cluster_under_the_same_address_nothing_is_read() {
    let (server, other) = (cluster(), ApiServer::start(&Options::default()));
    let mut ask = Ask::new(&server.kubeconfig("admin"));
    ask.request.uid = Some(other.uid());
    let inventory = ask.read();
    assert_eq!(inventory.host.uid, Observed::Present(server.uid()));
    assert_eq!(unknown(&inventory.host.ingresses).0, "NotCollected");
    assert_eq!(inventory.unread(), []);
}

#[test]
fn an_api_that_the_server_does_not_have_is_absent_and_one_that_it_has_is_not() {
    let bare = ApiServer::start(&Options::default());
    let inventory = read(&bare, &bare.kubeconfig("admin"));
    assert_eq!(inventory.host.gateways, Observed::Absent);
    assert_eq!(inventory.host.tls_routes, Observed::Absent);
    assert_eq!(inventory.tenants, Observed::Absent);
    assert_eq!(inventory.packages, Observed::Absent);
    assert_eq!(inventory.platform_settings, Observed::Absent);
    assert_eq!(inventory.kustomizations, Observed::Absent);
    assert_eq!(inventory.host.ingresses, Observed::Present(Vec::new()));
    assert_eq!(inventory.host.dns_config_maps, Observed::Present(BTreeMap::new()));
    assert_eq!(inventory.unread(), []);
}
