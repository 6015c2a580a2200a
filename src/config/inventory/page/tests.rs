//! What pages become, and what is wrong with bad ones.

use serde_json::{Value, json};

use super::*;
use crate::model::inventory::{ObjectMeta, Progress, Ready};

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: namespace.into(),
        name: name.into(),
        uid: "u1".to_owned(),
        created: Some("2026-01-02T03:04:05Z".parse().expect("a literal that parses")),
    }
}

/// What an API server says around the fields that matter.
fn item(namespace: Option<&str>, name: &str, spec: Value) -> Value {
    let mut item = json!({
        "metadata": {
            "name": name,
            "uid": "u1",
            "resourceVersion": "7",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "annotations": {"a": "{\"b\": [1]}"},
            "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {"f:rules": {}}}}],
        },
        "spec": spec,
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    });
    if let Some(namespace) = namespace {
        item["metadata"]["namespace"] = json!(namespace);
    }
    item
}

fn page(kind: Kind, metadata: Value, items: Vec<Value>) -> Vec<u8> {
    let (api_version, name) = kind.names();
    json!({"kind": format!("{name}List"), "apiVersion": api_version, "metadata": metadata, "items": items})
        .to_string()
        .into_bytes()
}

fn whole(kind: Kind, items: Vec<Value>) -> Collection {
    let mut collection = Collection::new(kind);
    let read = collection.add(&page(kind, json!({"resourceVersion": "9"}), items));
    read.unwrap_or_else(|error| panic!("{kind}: {error}"));
    collection
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn the_pages_of_a_list_become_one_sorted_list() {
    let ingress = |namespace: &str, name: &str| {
        let tls = json!([{"hosts": ["a.example.org"], "secretName": "s"}]);
        let rules = json!([{"host": "b.example.org", "http": {"paths": []}}]);
        item(Some(namespace), name, json!({"ingressClassName": "nginx", "tls": tls, "rules": rules}))
    };
    let mut collection = Collection::new(Kind::Ingress);
    let metadata = json!({"resourceVersion": "9", "continue": "abc", "remainingItemCount": 1, "selfLink": ""});
    let end = collection.add(&page(Kind::Ingress, metadata, vec![ingress("shop", "web"), ingress("shop", "api")]));
    let expected =
        PageEnd { resource_version: "9".to_owned(), continues: Some("abc".to_owned()), remaining: Some(1), items: 2 };
    assert_eq!(end, Ok(expected));
    let last = br#"{"apiVersion": "networking.k8s.io/v9", "items": null, "kind": "IngressList", "metadata": {"resourceVersion": "9", "continue": ""}}"#;
    let expected = PageEnd { resource_version: "9".to_owned(), continues: None, remaining: None, items: 0 };
    assert_eq!(collection.add(last), Ok(expected));
    assert_eq!((collection.len(), collection.is_empty()), (2, false));
    let expected = |name| IngressObject {
        meta: meta("shop", name),
        class: Some("nginx".to_owned()),
        tls_hosts: texts(&["a.example.org"]),
        rule_hosts: texts(&["b.example.org"]),
    };
    let ingresses = collection.into_ingresses().unwrap();
    assert_eq!(ingresses, [expected("api"), expected("web")]);
    assert!(Arc::ptr_eq(&ingresses[0].meta.namespace, &ingresses[1].meta.namespace), "namespaces are shared");
}

#[test]
fn every_kind_is_read_into_its_own_type() {
    let kinds = [Kind::Gateway, Kind::HttpRoute, Kind::TlsRoute, Kind::Tenant, Kind::Package, Kind::ConfigMap];
    for kind in kinds {
        assert_eq!(whole(kind, vec![]).len(), 0);
    }
    let listeners = json!([{"hostname": "*.example.org"}]);
    let gateway = item(Some("gw"), "g", json!({"gatewayClassName": "c", "listeners": listeners}));
    let expected = GatewayObject { meta: meta("gw", "g"), class: "c".to_owned(), hosts: texts(&["*.example.org"]) };
    assert_eq!(whole(Kind::Gateway, vec![gateway]).into_gateways(), Ok(vec![expected]));

    for kind in [Kind::HttpRoute, Kind::TlsRoute] {
        let route = item(Some("gw"), "r", json!({"hostnames": ["r.example.org"], "parentRefs": [{"name": "g"}]}));
        let parents = vec![("gw".to_owned(), "g".to_owned())];
        let expected = RouteObject { meta: meta("gw", "r"), hosts: texts(&["r.example.org"]), parents };
        assert_eq!(whole(kind, vec![route]).into_routes(), Ok(vec![expected]));
    }

    let service = json!({
        "type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"],
        "externalIPs": ["192.0.2.1"], "loadBalancerClass": "robotlb",
    });
    let expected = ServiceObject {
        meta: meta("ingress-nginx", "controller"),
        service_type: "LoadBalancer".to_owned(),
        cluster_ips: texts(&["10.0.0.1", "fd00::1"]),
        external_ips: texts(&["192.0.2.1"]),
        load_balancer_class: Some("robotlb".to_owned()),
    };
    let service = item(Some("ingress-nginx"), "controller", service);
    assert_eq!(whole(Kind::Service, vec![service]).into_services(), Ok(vec![expected]));
    let bare = item(Some("a"), "b", json!({"clusterIP": "None"}));
    let expected = ServiceObject {
        meta: meta("a", "b"),
        service_type: "ClusterIP".to_owned(),
        cluster_ips: texts(&["None"]),
        external_ips: vec![],
        load_balancer_class: None,
    };
    assert_eq!(whole(Kind::Service, vec![bare]).into_services(), Ok(vec![expected]));

    let tenant = item(Some("tenant-acme"), "shop", json!({"addons": {"ouroboros": {"enabled": true}}}));
    let tenants = whole(Kind::Tenant, vec![tenant]).into_tenants().unwrap();
    let tenants: Vec<_> = tenants
        .into_iter()
        .map(|(id, tenant)| (id.to_string(), tenant.addons().cloned().expect("an object of cozystack")))
        .collect();
    assert_eq!(tenants, [("tenant-acme/shop".to_owned(), json!({"ouroboros": {"enabled": true}}))]);

    // The server says what an item is, or does not.
    let mut secret = item(Some("clusters"), "shop-kubeconfig", Value::Null);
    secret["metadata"]["labels"] = json!({"cluster.x-k8s.io/cluster-name": "shop"});
    let mut other = item(Some("clusters"), "a", Value::Null);
    other["kind"] = json!("PartialObjectMetadata");
    other["apiVersion"] = json!("meta.k8s.io/v1");
    let labels = [("cluster.x-k8s.io/cluster-name".to_owned(), "shop".to_owned())].into();
    let expected = [
        SecretMetadata { meta: meta("clusters", "a"), labels: [].into() },
        SecretMetadata { meta: meta("clusters", "shop-kubeconfig"), labels },
    ];
    assert_eq!(whole(Kind::SecretMetadata, vec![secret, other]).into_secrets(), Ok(expected.into()));

    let package = item(None, "cozystack.ouroboros", json!({"variant": "default", "components": {"a": 1.5}}));
    let packages = whole(Kind::Package, vec![package]).into_packages().unwrap();
    let spec = json!({"variant": "default", "components": {"a": 1.5}});
    assert_eq!(packages, [("cozystack.ouroboros".to_owned(), spec)].into());

    let mut map = item(Some("kube-system"), "coredns", Value::Null);
    map["data"] = json!({"Corefile": ".:53 {\n}\n"});
    let mut other = item(Some("shop"), "coredns", Value::Null);
    other["data"] = json!({"Corefile": "x"});
    let root = item(Some("kube-system"), ROOT_CA, Value::Null);
    let maps = whole(Kind::ConfigMap, vec![map, other, root]).into_dns_config_maps().unwrap();
    let corefile = [("Corefile".to_owned(), ".:53 {\n}\n".to_owned())].into();
    assert_eq!(maps, [("coredns".to_owned(), corefile)].into());
}

#[test]
fn objects_of_flux_are_read_with_their_progress() {
    let status = json!({
        "lastAppliedRevision": "main@sha1:0f5c",
        "conditions": [
            {"type": "Reconciling", "status": "True", "reason": "Progressing", "message": "x"},
            {"type": "Ready", "status": "False", "reason": "Failed", "message": "cannot reach https://me:pw@h/a"},
        ],
    });
    let with_status = |mut object: Value| {
        object["status"] = status.clone();
        object
    };
    let progress = Progress {
        suspended: true,
        ready: Some(Ready {
            status: "False".to_owned(),
            reason: "Failed".to_owned(),
            message: "cannot reach https://h/a".to_owned(),
        }),
    };
    let mut release = item(Some("a"), "r", json!({"suspend": true, "kubeConfig": {"secretRef": {"name": "k"}}}));
    release["metadata"]["labels"] = json!({"k": "v"});
    let expected = HelmReleaseObject {
        meta: meta("a", "r"),
        labels: [("k".to_owned(), "v".to_owned())].into(),
        release_name: "r".to_owned(),
        storage_namespace: "a".to_owned(),
        target_namespace: "a".to_owned(),
        kubeconfig_secret: Some("k".to_owned()),
        progress: progress.clone(),
    };
    assert_eq!(whole(Kind::HelmRelease, vec![with_status(release)]).into_helm_releases(), Ok(vec![expected]));

    let spec = json!({
        "suspend": true, "path": "./clusters", "prune": true, "kubeConfig": {"configMapRef": {"name": "k"}},
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
    });
    let expected = KustomizationObject {
        meta: meta("a", "k"),
        path: "./clusters".to_owned(),
        source_kind: "GitRepository".to_owned(),
        source_namespace: "a".to_owned(),
        source_name: "fleet".to_owned(),
        prune: true,
        is_remote: true,
        applied_revision: "main@sha1:0f5c".to_owned(),
        progress: progress.clone(),
    };
    let kustomization = with_status(item(Some("a"), "k", spec));
    assert_eq!(whole(Kind::Kustomization, vec![kustomization]).into_kustomizations(), Ok(vec![expected]));

    let spec = json!({"suspend": true, "url": "https://me:pw@git.example.org/fleet", "ref": {"branch": "main"}});
    let expected = GitRepositoryObject {
        meta: meta("a", "g"),
        url: "https://git.example.org/fleet".to_owned(),
        branch: "main".to_owned(),
        progress,
    };
    let repository = with_status(item(Some("a"), "g", spec));
    assert_eq!(whole(Kind::GitRepository, vec![repository]).into_git_repositories(), Ok(vec![expected]));

    let bare = item(Some("a"), "g", json!({"url": "git@git.example.org:fleet"}));
    let expected = GitRepositoryObject {
        meta: meta("a", "g"),
        url: "git@git.example.org:fleet".to_owned(),
        branch: String::new(),
        progress: Progress::default(),
    };
    assert_eq!(whole(Kind::GitRepository, vec![bare]).into_git_repositories(), Ok(vec![expected]));
}

#[test]
fn a_bad_answer_is_told_in_one_line_and_loses_the_collection() {
    let list = |rest: &str| format!(r#"{{"kind":"IngressList","apiVersion":"networking.k8s.io/v1",{rest}}}"#);
    let items = |items: &str| list(&format!(r#""metadata":{{}},"items":[{items}]"#));
    let long = "y\\n".repeat(5000);
    for (page, message) in [
        (String::new(), "the answer ends early, after 0 bytes".to_owned()),
        (items(r#"{"metadata":{"name":"a""#)[..90].to_owned(), "the answer ends early, after 90 bytes".to_owned()),
        ("\n<html>".to_owned(), "the answer is not JSON at byte 2: expected value".to_owned()),
        (format!("{}{{}}", items("")), "the answer is not JSON at byte 84: trailing characters".to_owned()),
        ("[]".to_owned(), "the answer is wrong: invalid type: sequence, expected a list of objects".to_owned()),
        (
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure"}"#.to_owned(),
            "the answer is `Status` of `v1`, not `IngressList` of `networking.k8s.io/v1`".to_owned(),
        ),
        (
            r#"{"kind":"IngressList","apiVersion":"example.org/v1","metadata":{},"items":[5]}"#.to_owned(),
            "item 0 of the answer is wrong: invalid type: integer `5`, expected an object".to_owned(),
        ),
        (
            r#"{"kind":"IngressList","apiVersion":"example.org/v1","metadata":{},"items":[{}]}"#.to_owned(),
            "the answer is `IngressList` of `example.org/v1`, not `IngressList` of `networking.k8s.io/v1`".to_owned(),
        ),
        (
            r#"{"items":[]}"#.to_owned(),
            "the answer is an object without `kind` and `apiVersion`, not `IngressList` of `networking.k8s.io/v1`"
                .to_owned(),
        ),
        (list(r#""items":[]"#), "the answer is wrong: `metadata` is missing".to_owned()),
        (list(r#""metadata":{}"#), "the answer is wrong: `items` is missing".to_owned()),
        (
            list(r#""metadata":{},"items":{}"#),
            "the answer is wrong: invalid type: map, expected a list as `items`".to_owned(),
        ),
        (list(r#""metadata":{},"items":[],"items":[]"#), "the answer is wrong: `items` stands there twice".to_owned()),
        (
            list(r#""metadata":{"remainingItemCount":-1},"items":[]"#),
            "the answer is wrong: `metadata.remainingItemCount` is no count".to_owned(),
        ),
        (
            list(r#""metadata":{"continue":5},"items":[]"#),
            "the answer is wrong: `metadata.continue` is a number, not a text".to_owned(),
        ),
        (items("null"), "item 0 of the answer is wrong: invalid type: null, expected an object".to_owned()),
        (
            items(r#"{"metadata":{"namespace":"a","name":"b"}},{"metadata":{"namespace":"a"}}"#),
            "item 1 of the answer is wrong: Ingress `a`: `metadata.name` is missing".to_owned(),
        ),
        (
            items(r#"{"metadata":{"namespace":"a","name":"b"},"spec":{"tls":[{"hosts":[5]}]}}"#),
            "item 0 of the answer is wrong: Ingress `a/b`: `spec.tls[0].hosts[0]` is a number, not a text".to_owned(),
        ),
        (
            items(r#"{"kind":"Pod","apiVersion":"v1","metadata":{"namespace":"a","name":"b"}}"#),
            "item 0 of the answer is wrong: the answer is `Pod` of `v1`, not `Ingress` of `networking.k8s.io/v1`"
                .to_owned(),
        ),
        (
            items(&format!(r#"{{"metadata":{{"namespace":"a","name":"{long}"}},"spec":5}}"#)),
            format!(
                "item 0 of the answer is wrong: Ingress `a/{}…`: `spec` is a number, not a mapping",
                "y\\n".repeat(40)
            ),
        ),
    ] {
        let mut collection = Collection::new(Kind::Ingress);
        let error = collection.add(page.as_bytes()).expect_err(&page);
        assert_eq!(error.to_string(), message, "{page:.200}");
        assert_eq!(collection.add(items("").as_bytes()), Err(error.clone()), "it stays lost");
        assert_eq!(collection.into_ingresses(), Err(error));
    }
}

#[test]
fn an_object_that_comes_twice_is_an_error() {
    let one = || item(Some("a"), "b", json!({}));
    let mut collection = whole(Kind::Ingress, vec![one()]);
    collection.add(&page(Kind::Ingress, json!({}), vec![one()])).unwrap();
    let error = collection.into_ingresses().unwrap_err();
    assert_eq!(error.to_string(), "the answers are wrong: Ingress `a/b` stands there twice");
    let error = whole(Kind::Ingress, vec![]).into_services().unwrap_err();
    assert_eq!(error.to_string(), "the answer is wrong: it was read as a list of Ingress");
}

#[test]
fn single_answers_are_read_one_by_one() {
    let object = |kind: &str, namespace: &str, name: &str| {
        let mut object = item(Some(namespace), name, json!({"type": "NodePort"}));
        object["kind"] = json!(kind);
        object["apiVersion"] = json!("v1");
        object["data"] = json!({"k": "v"});
        object.to_string().into_bytes()
    };
    let mut services = Collection::new(Kind::Service);
    services.add_one(&object("Service", "b", "x")).unwrap();
    services.add_one(&object("Service", "a", "y")).unwrap();
    let names: Vec<_> = services.into_services().unwrap().into_iter().map(|service| service.meta).collect();
    assert_eq!(names, [meta("a", "y"), meta("b", "x")]);

    let mut maps = Collection::new(Kind::ConfigMap);
    maps.add_one(&object("ConfigMap", "kube-system", "coredns")).unwrap();
    let data = [("k".to_owned(), "v".to_owned())].into();
    assert_eq!(maps.into_dns_config_maps(), Ok([("coredns".to_owned(), data)].into()));

    for (kind, object, message) in [
        (
            Kind::ConfigMap,
            object("ConfigMap", "default", "coredns"),
            "the answer is wrong: this ConfigMap is none of coredns, coredns-custom, node-local-dns of kube-system",
        ),
        (Kind::Service, object("Status", "a", "b"), "the answer is `Status` of `v1`, not `Service` of `v1`"),
        (
            Kind::Service,
            item(Some("a"), "b", json!({})).to_string().into_bytes(),
            "the answer is an object without `kind` and `apiVersion`, not `Service` of `v1`",
        ),
        (
            Kind::Service,
            object("Service", "", "b"),
            "the answer is wrong: Service `b`: `metadata.namespace` is missing",
        ),
        (Kind::Service, b"{".to_vec(), "the answer ends early, after 1 bytes"),
    ] {
        let mut collection = Collection::new(kind);
        assert_eq!(collection.add_one(&object).map_err(|error| error.to_string()), Err(message.to_owned()));
        assert!(collection.into_services().is_err());
    }
}

#[test]
fn a_namespace_gives_its_uid() {
    let read = |text: &str| namespace_uid(text.as_bytes()).map_err(|error| error.to_string());
    let namespace = |metadata: &str| format!(r#"{{"kind":"Namespace","apiVersion":"v1","metadata":{metadata}}}"#);
    assert_eq!(read(&namespace(r#"{"name":"kube-system","uid":"0f5c"}"#)), Ok("0f5c".to_owned()));
    for (text, message) in [
        (namespace("{}"), "the answer is wrong: `metadata.uid` is missing"),
        (namespace("null"), "the answer is wrong: `metadata` is missing"),
        (namespace(r#"{"uid":5}"#), "the answer is wrong: `metadata.uid` is a number, not a text"),
        (
            r#"{"kind":"Status","apiVersion":"v1"}"#.to_owned(),
            "the answer is `Status` of `v1`, not `Namespace` of `v1`",
        ),
        ("{".to_owned(), "the answer ends early, after 1 bytes"),
    ] {
        assert_eq!(read(&text), Err(message.to_owned()), "{text}");
    }
}
