//! What holds for every inventory.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use crate::{
    config::inventory::{
        inventory_text,
        tests::{SNAPSHOT, one, parse_bytes},
    },
    model::{digest::Digest, inventory::Inventory, name::Name},
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_and_form_of_objects_have_no_meaning(
        (objects, shuffled) in objects().prop_flat_map(|objects| (Just(objects.clone()), Just(objects).prop_shuffle()))
    ) {
        let digest = Digest::of(b"");
        let list = |objects: &[String]| format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}", objects.join(","));
        let stream = |objects: &[String]| objects.iter().map(|object| format!("---\n{object}\n")).collect::<String>();
        let of = |text: String| Inventory { digest: digest.clone(), ..one(&text) };
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
        inventory.digest = Digest::of(text.as_bytes());
        prop_assert_eq!(&one(&text), &inventory, "{}", text);
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
