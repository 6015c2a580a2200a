//! What holds for every inventory.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    config::inventory::{
        Collection, Kind,
        address::{without_user, without_users},
        changes, digest, inventory_json, inventory_text,
        tests::{SNAPSHOT, one, parse_bytes},
    },
    model::{
        cluster::SecretKey,
        digest::Digest,
        hostname::Hostname,
        inventory::{
            ClusterInventory, GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, Inventory,
            KustomizationObject, ObjectMeta, PLATFORM_SETTINGS, Progress, Ready, RouteObject, ServiceObject,
            TenantObject,
        },
        layer::TenantId,
        name::Name,
        observed::{Observed, Unknown},
    },
};

/// Objects of all kinds, in the one-line form of JSON.
fn objects() -> impl Strategy<Value = Vec<String>> {
    let name = "[a-c]{1,2}";
    let host = prop_oneof!["[a-z]{1,3}\\.example\\.org", "[ -~äß\u{85}\u{2028}\\n\\t\u{7f}]{0,12}"];
    let hosts = prop::collection::vec(host, 0..4);
    let object = (0..7_usize, name, name, hosts).prop_map(|(kind, namespace, name, hosts)| {
        let (api_version, kind) = [
            ("networking.k8s.io/v1", "Ingress"),
            ("gateway.networking.k8s.io/v1", "Gateway"),
            ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            ("apps.cozystack.io/v1alpha1", "Kubernetes"),
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
            ("cozystack.io/v1alpha1", "Package"),
            ("v1", "Pod"),
        ][kind];
        let metadata = if kind == "Package" { json!({"name": name}) } else { json!({"namespace": namespace, "name": name, "labels": {"l": hosts.concat()}}) };
        let spec = json!({
            "ingressClassName": hosts.first(), "tls": [{"hosts": hosts}], "rules": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>(),
            "gatewayClassName": hosts.last(), "listeners": hosts.iter().map(|host| json!({"hostname": host})).collect::<Vec<_>>(),
            "hostnames": hosts, "parentRefs": [{"name": name}], "addons": {"list": hosts, name.clone(): {"a": 1.5, "b": null}},
            "releaseName": hosts.first(),
        });
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
            .to_string()
            // No YAML takes this one as it is.
            .replace('\u{7f}', "\\u007f")
    });
    let by_identity = |objects: Vec<String>| {
        let mut seen = BTreeSet::new();
        let identity = |object: &String| {
            object.split("\"labels\"").next().map(|part| part.split("\"spec\"").next().map(str::to_owned))
        };
        objects.into_iter().filter(|object| seen.insert(identity(object))).collect()
    };
    prop::collection::vec(object, 0..12).prop_map(by_identity)
}

/// Texts that are hard on writers of YAML.
fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[a-z]{1,3}\\.example\\.org", "[ -~äß\u{85}\u{2028}\\n\\t\u{7f}]{1,12}", "y|no|~|012|1e3|null"].boxed()
}

fn texts() -> impl Strategy<Value = Vec<String>> + Clone {
    prop::collection::vec(text(), 0..3)
}

fn observed<T: std::fmt::Debug + Clone + 'static>(
    present: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Observed<T>> {
    let unknown = (text(), text()).prop_map(|(reason, message)| Observed::Unknown(Unknown { reason, message }));
    let not_collected = Just(Observed::Unknown(Unknown::not_collected()));
    prop_oneof![4 => present.prop_map(Observed::Present), 1 => Just(Observed::Absent), 1 => unknown, 1 => not_collected]
        .boxed()
}

/// Objects with names that differ, sorted as the reader sorts them.
fn objects_of<T: std::fmt::Debug + Clone + 'static>(
    content: impl Strategy<Value = T> + 'static,
    meta_of: fn(&mut T) -> &mut ObjectMeta,
) -> BoxedStrategy<Observed<Vec<T>>> {
    let meta = (text(), proptest::option::of(0_i64..2_000_000_000));
    let objects = prop::collection::btree_map((text(), text()), (meta, content), 0..3);
    let objects = objects.prop_map(move |objects| {
        let named = objects.into_iter().map(|((namespace, name), ((uid, created), mut object))| {
            let created = created.map(|second| Timestamp::from_second(second).expect("a second of this age"));
            *meta_of(&mut object) = ObjectMeta { namespace: namespace.into(), name: name.into(), uid, created };
            object
        });
        named.collect()
    });
    observed(objects)
}

fn no_meta() -> ObjectMeta {
    ObjectMeta { namespace: "".into(), name: "".into(), uid: String::new(), created: None }
}

fn progress() -> impl Strategy<Value = Progress> + Clone {
    let ready = (text(), text(), text()).prop_map(|(status, reason, message)| {
        // A snapshot has no more of it.
        Ready { status, reason, message: without_users(&message) }
    });
    (any::<bool>(), proptest::option::of(ready)).prop_map(|(suspended, ready)| Progress { suspended, ready }).boxed()
}

fn mapping() -> impl Strategy<Value = Value> + Clone {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..3).prop_map(|entries| entries.into_iter().collect()),
        ]
    });
    prop::collection::vec((text(), value), 0..3).prop_map(|entries| entries.into_iter().collect()).boxed()
}

fn routes() -> BoxedStrategy<Observed<Vec<RouteObject>>> {
    let parents = prop::collection::vec((text(), text()), 0..3);
    let route = (texts(), parents).prop_map(|(hosts, parents)| RouteObject { meta: no_meta(), hosts, parents });
    objects_of(route, |route| &mut route.meta)
}

fn cluster() -> impl Strategy<Value = ClusterInventory> {
    let ingress = (proptest::option::of(text()), texts(), texts())
        .prop_map(|(class, tls_hosts, rule_hosts)| IngressObject { meta: no_meta(), class, tls_hosts, rule_hosts });
    let gateway = (text(), texts()).prop_map(|(class, hosts)| GatewayObject { meta: no_meta(), class, hosts });
    let service = (text(), texts(), texts(), proptest::option::of(text())).prop_map(
        |(service_type, cluster_ips, external_ips, load_balancer_class)| ServiceObject {
            meta: no_meta(),
            service_type,
            cluster_ips,
            external_ips,
            load_balancer_class,
        },
    );
    let names = prop::sample::select(&["coredns", "coredns-custom", "node-local-dns"][..]).prop_map(str::to_owned);
    let data = prop::collection::btree_map(text(), text(), 0..3);
    let names_of_servers = prop::sample::select(&["api.example.org", "k8s.example.net"][..]);
    let api_server = names_of_servers.prop_map(|name| Hostname::parse(name).expect("a literal that parses"));
    (
        proptest::option::of(api_server),
        observed(text()),
        objects_of(ingress, |ingress| &mut ingress.meta),
        objects_of(gateway, |gateway| &mut gateway.meta),
        routes(),
        routes(),
        objects_of(service, |service| &mut service.meta),
        observed(prop::collection::btree_map(names, data, 0..3)),
    )
        .prop_map(|(api_server, uid, ingresses, gateways, http_routes, tls_routes, services, dns_config_maps)| {
            ClusterInventory {
                api_server,
                uid,
                ingresses,
                gateways,
                http_routes,
                tls_routes,
                services,
                dns_config_maps,
            }
        })
}

/// Any inventory that a reader can give.
fn inventories() -> impl Strategy<Value = Inventory> {
    let release = (
        prop::collection::btree_map(text(), text(), 0..2),
        [text(), text(), text()],
        proptest::option::of(text()),
        progress(),
    )
        .prop_map(|(labels, [release_name, storage_namespace, target_namespace], kubeconfig_secret, progress)| {
            HelmReleaseObject {
                meta: no_meta(),
                labels,
                release_name,
                storage_namespace,
                target_namespace,
                kubeconfig_secret,
                progress,
            }
        });
    let kustomization = ([text(), text(), text(), text(), text()], any::<bool>(), any::<bool>(), progress()).prop_map(
        |([path, source_kind, source_namespace, source_name, applied_revision], prune, is_remote, progress)| {
            KustomizationObject {
                meta: no_meta(),
                path,
                source_kind,
                source_namespace,
                source_name,
                prune,
                is_remote,
                applied_revision,
                progress,
            }
        },
    );
    let address = prop_oneof![text(), "(https|ssh)://[a-c:@/?#]{1,12}", "[a-c:@/?]{1,12}"];
    let repository = (address, text(), progress()).prop_map(|(url, branch, progress)| GitRepositoryObject {
        meta: no_meta(),
        // A snapshot has no more of it.
        url: without_user(&url),
        branch,
        progress,
    });
    let id = ("[a-c]{1,2}", "[a-c]{1,2}").prop_map(|(namespace, name)| {
        let name_of = |text: &str| Name::parse(text).expect("letters are a name");
        TenantId { namespace: name_of(&namespace), name: name_of(&name) }
    });
    let kubeconfig = ("[a-c]{1,2}", "[a-c._-]{0,3}[a-c]").prop_map(|(name, key)| {
        let name = Name::parse(&name).expect("letters are a name");
        TenantObject::Kubeconfig(SecretKey { name, key: key.trim_start_matches('.').to_owned() })
    });
    let kubernetes = mapping().prop_map(|addon| TenantObject::Kubernetes { addons: json!({"ouroboros": addon}) });
    let tenant = prop_oneof![kubernetes, kubeconfig];
    let settings =
        prop::collection::btree_map(prop::sample::select(&PLATFORM_SETTINGS[..]).prop_map(str::to_owned), text(), 0..4);
    (
        cluster(),
        observed(prop::collection::btree_map(id.clone(), tenant, 0..3)),
        observed(prop::collection::btree_map(text(), mapping(), 0..3)),
        observed(settings),
        objects_of(release, |release| &mut release.meta),
        objects_of(kustomization, |kustomization| &mut kustomization.meta),
        objects_of(repository, |repository| &mut repository.meta),
        prop::collection::btree_map(id, cluster(), 0..3),
    )
        .prop_map(
            |(
                host,
                tenants,
                packages,
                platform_settings,
                helm_releases,
                kustomizations,
                git_repositories,
                tenant_clusters,
            )| Inventory {
                cluster: Some(Name::parse("edge").expect("letters are a name")),
                observed_at: Timestamp::UNIX_EPOCH,
                host,
                tenants,
                packages,
                platform_settings,
                helm_releases,
                kustomizations,
                git_repositories,
                tenant_clusters,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_and_form_of_objects_have_no_meaning(
        (objects, shuffled) in objects().prop_flat_map(|objects| (Just(objects.clone()), Just(objects).prop_shuffle()))
    ) {
        let list = |objects: &[String]| format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}", objects.join(","));
        let stream = |objects: &[String]| objects.iter().map(|object| format!("---\n{object}\n")).collect::<String>();
        let of = |text: String| one(&text);
        let inventory = of(list(&objects));
        prop_assert_eq!(&of(list(&shuffled)), &inventory);
        if !objects.is_empty() {
            prop_assert_eq!(&of(stream(&shuffled)), &inventory);
        }
    }

    #[test]
    fn any_inventory_that_is_read_is_written_and_read_back(objects in objects()) {
        let list = format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}", objects.join(","));
        let mut inventory = one(&list);
        inventory.cluster = Some(Name::parse("edge").unwrap());
        let text = inventory_text(&inventory);
        prop_assert_eq!(&one(&text), &inventory, "{}", text);
    }

    #[test]
    fn any_inventory_is_the_same_in_memory_in_yaml_and_in_json(inventory in inventories()) {
        let (yaml, json) = (inventory_text(&inventory), inventory_json(&inventory));
        prop_assert_eq!(&one(&yaml), &inventory, "{}", yaml);
        prop_assert_eq!(&one(&json), &inventory, "{}", json);
        prop_assert_eq!(digest(&inventory), Digest::of(json.as_bytes()));
        prop_assert_eq!(digest(&one(&yaml)), digest(&inventory));
        prop_assert_eq!(changes(&inventory, &one(&yaml)), []);
    }

    #[test]
    fn two_inventories_differ_when_a_change_says_so(before in inventories(), after in inventories()) {
        prop_assert_eq!(changes(&before, &after).is_empty(), before == after);
    }

    #[test]
    fn no_bytes_make_the_reader_of_pages_panic_or_echo_much(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<usize>()) {
        let page = br#"{"kind":"IngressList","apiVersion":"networking.k8s.io/v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"namespace":"a","name":"b"},"spec":{"tls":[{"hosts":["c"]}]}}]}"#;
        let mut damaged = page.to_vec();
        let at = cut % page.len();
        damaged.splice(at..(at + bytes.len() % 3).min(page.len()), bytes.iter().copied());
        for bytes in [&bytes[..], &damaged, &page[..at]] {
            if let Err(error) = Collection::new(Kind::Ingress).add(bytes) {
                let message = error.to_string();
                prop_assert!(message.chars().count() < 300 && !message.contains('\n'), "{}", message);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_bytes(&bytes);
    }

    #[test]
    fn no_damage_to_a_snapshot_makes_the_reader_panic(at in 0..SNAPSHOT.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = SNAPSHOT.as_bytes().to_vec();
        bytes[at] = byte;
        bytes.truncate(if cut { at + 1 } else { bytes.len() });
        let _ = parse_bytes(&bytes);
    }
}
