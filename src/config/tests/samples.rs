//! Whole files and the models that come out of them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use super::{CLUSTER, FOUND, GENERIC, PINS, REPOSITORY, STATE, name, source};
use crate::{
    config::{parse_cluster, parse_pins, parse_repository, parse_state, schema},
    model::{
        cluster::{
            Access, AccessWay, ClusterConfig, CorefilePath, Delegation, Enabled, Engine, FluxSource, HostConfig,
            HostDelivery, HostnamePolicy, HostsPath, IngressConfig, KubeconfigSecrets, OuroborosMode,
            PackageSourceChoice, PinPolicy, Platform, Records, RemovalPolicy, SecretKey, TenantAccess, TenantConfig,
            TenantDelivery, TenantsConfig, ValuesSource, Version,
        },
        digest::Digest,
        hostname::Hostname,
        layer::TenantId,
        pins::{Candidate, MediaType, Pin, PinHold, PinName, Pins, Signer, Subject},
        repository::{Author, RegistryConfig, RepositoryConfig},
    },
};

fn host(text: &str) -> Hostname {
    Hostname::parse(text).expect("a literal that parses")
}

fn tenant(namespace: &str, tenant: &str) -> TenantId {
    TenantId { namespace: name(namespace), name: name(tenant) }
}

fn cluster(text: &str) -> ClusterConfig {
    parse_cluster(&source("cluster.yaml", text), &name("edge")).expect("a sample without mistakes")
}

/// What holds for a tenant when nothing is said.
fn tenant_defaults() -> TenantConfig {
    TenantConfig {
        enabled: Enabled::Auto,
        delivery: None,
        engine: Engine::Ouroboros(OuroborosMode::CorednsImport),
        proxy_protocol: false,
        real_ip_cidrs: vec![],
        kubeconfig: None,
        ingress: None,
    }
}

/// What holds for a cluster when only its platform is given.
fn cluster_defaults(platform: Platform) -> ClusterConfig {
    ClusterConfig {
        name: name("edge"),
        access: Access::default(),
        uid: None,
        platform,
        host: HostConfig { enabled: Enabled::Auto, delivery: None, engine: Engine::Ouroboros(OuroborosMode::Coredns) },
        tenants: TenantsConfig {
            discover: true,
            kubeconfigs: None,
            defaults: tenant_defaults(),
            listed: BTreeMap::new(),
        },
        hostnames: HostnamePolicy {
            delegations: vec![],
            reserved: vec![],
            search_domains: vec![],
            quota_per_namespace: 100,
            quota_total: 2000,
        },
        removal: RemovalPolicy { max: 5, max_share_percent: 20, confirm_after: SignedDuration::from_mins(10) },
        pins: PinPolicy {
            chart_repository: "ghcr.io/lexfrei/charts/ouroboros".to_owned(),
            version: "0.8.1".to_owned(),
            min_age: SignedDuration::from_hours(72),
            mirrors: BTreeMap::new(),
            platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
            verify: None,
            signers: BTreeMap::new(),
        },
        flux_source: FluxSource { namespace: name("flux-system"), name: name("flux-system") },
    }
}

#[test]
fn what_is_left_out_has_the_documented_value() {
    let text = "apiVersion: bobbypin.dev/v1alpha1\nkind: Cluster\nmetadata: {name: edge}\n\
                spec: {platform: {kind: cozystack, version: 1.5.0, live: true}}\n";
    let version = Version { major: 1, minor: 5, patch: 0 };
    let expected = cluster_defaults(Platform::Cozystack { version, values: ValuesSource::Live });
    assert_eq!(cluster(text), expected);
    let full = text.replace(
        "live: true}}",
        "live: true}, access: {}, host: {}, tenants: {defaults: {}, overrides: []}, hostnames: {quota: {}}, \
         removal: {}, pins: {}, flux: {source: {}}}",
    );
    assert_eq!(cluster(&full), expected);
}

#[test]
fn the_sample_of_the_reference_means_what_it_says() {
    let version = Version { major: 1, minor: 6, patch: 2 };
    let platform = Platform::Cozystack { version, values: ValuesSource::File("platform.yaml".to_owned()) };
    let mut expected = cluster_defaults(platform);
    expected.uid = Some("0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10".to_owned());
    expected.access.way = Some(AccessWay::Context("edge-admin".to_owned()));
    let shop = TenantConfig { engine: Engine::Static(Records::Auto(HostsPath::default())), ..tenant_defaults() };
    expected.tenants.listed.insert(tenant("tenant-acme", "shop"), shop);
    let acme = Delegation { namespaces: vec![name("tenant-acme")], suffixes: vec![host("acme.example.org")] };
    expected.hostnames.delegations.push(acme);
    expected.hostnames.reserved.push(host("git.example.org"));
    expected.pins.mirrors.insert("ghcr.io".to_owned(), "registry.example.org/ghcr".to_owned());
    assert_eq!(cluster(CLUSTER), expected);
}

#[test]
fn who_must_have_signed_is_a_key_or_somebody_whom_an_issuer_knows() {
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let text = format!(
        "    signers:\n      - {{pin: ouroboros-image, issuer: https://i.example.org, subject: https://s.example.org/*}}\n      \
         - {{pin: cleanup-hook-image, key: {pem:?}, transparencyLog: false}}\n      \
         - {{pin: ouroboros-chart, issuer: https://i.example.org, subject: a@example.org}}\n"
    );
    let config = cluster(&CLUSTER.replace("    minAge: 72h\n", &text));
    let identity = |subject| Signer::Identity { issuer: "https://i.example.org".to_owned(), subject };
    let expected = BTreeMap::from([
        (PinName::Chart, identity(Subject::Exactly("a@example.org".to_owned()))),
        (PinName::Image, identity(Subject::StartsWith("https://s.example.org/".to_owned()))),
        (PinName::CleanupHook, Signer::Key { pem: pem.to_owned(), transparency_log: false }),
    ]);
    assert_eq!(config.pins.signers, expected);
}

#[test]
fn a_cluster_is_reached_in_one_way_and_read_as_far_as_it_says() {
    let access = |text: &str| cluster(&CLUSTER.replace("context: edge-admin", text)).access;
    let way = |way| Access { way: Some(way), ..Access::default() };
    assert_eq!(access("context: edge-admin"), way(AccessWay::Context("edge-admin".to_owned())));
    assert_eq!(access("kubeconfig: edge.kubeconfig"), way(AccessWay::Kubeconfig("edge.kubeconfig".to_owned())));
    assert_eq!(access("inCluster: true"), way(AccessWay::InCluster));
    assert_eq!(access("inCluster: false"), Access::default());
    let namespaces = vec![name("shop"), name("web")];
    assert_eq!(access("namespaces: [shop, web]"), Access { namespaces, ..Access::default() });
    let tenants = TenantAccess { read: false, loopback: false, link_local: true };
    assert_eq!(access("tenants: {read: false, allow: [linkLocal]}"), Access { tenants, ..Access::default() });
}

#[test]
fn a_generic_cluster_says_what_its_platform_does_not() {
    let ingress = IngressConfig {
        class: name("nginx"),
        service_namespace: name("ingress-nginx"),
        service_name: name("ingress-nginx-controller"),
        cluster_domain: "cluster.local".to_owned(),
        proxy_protocol: true,
    };
    let mut expected = cluster_defaults(Platform::Generic { ingress });
    let shop = TenantConfig {
        kubeconfig: Some(SecretKey { name: name("shop-kubeconfig"), key: "value".to_owned() }),
        ingress: Some(IngressConfig {
            class: name("traefik"),
            service_namespace: name("traefik"),
            service_name: name("traefik"),
            cluster_domain: "shop.local".to_owned(),
            proxy_protocol: false,
        }),
        ..tenant_defaults()
    };
    expected.tenants.listed.insert(tenant("clusters", "shop"), shop);
    assert_eq!(cluster(GENERIC), expected);
    assert_eq!(cluster(&GENERIC.replace("    clusterDomain: cluster.local\n", "")), expected);
}

#[test]
fn tenants_are_found_by_secrets_and_an_entry_need_not_repeat_what_holds_for_all() {
    let tenants = |text: &str| cluster(text).tenants;
    let traefik = |proxy_protocol| IngressConfig {
        class: name("traefik"),
        service_namespace: name("traefik"),
        service_name: name("traefik"),
        cluster_domain: "cluster.local".to_owned(),
        proxy_protocol,
    };
    let defaults = TenantConfig { ingress: Some(traefik(true)), ..tenant_defaults() };
    let shop = TenantConfig { enabled: Enabled::No, ..defaults.clone() };
    let expected = TenantsConfig {
        discover: true,
        kubeconfigs: Some(KubeconfigSecrets::ClusterApi),
        listed: [(tenant("clusters", "shop"), shop.clone())].into(),
        defaults,
    };
    assert_eq!(tenants(FOUND), expected);
    let selector = "example.org/tenant in (yes, maybe),!x".to_owned();
    for (text, kubeconfigs) in [
        ("{maker: kamaji}", KubeconfigSecrets::Kamaji),
        (
            "{selector: \"example.org/tenant in (yes, maybe),!x\", key: config}",
            KubeconfigSecrets::Selected { selector, key: "config".to_owned() },
        ),
    ] {
        let expected = TenantsConfig { kubeconfigs: Some(kubeconfigs), ..expected.clone() };
        assert_eq!(tenants(&FOUND.replace("{maker: clusterApi}", text)), expected);
    }
    let own = "enabled: false, kubeconfig: {name: k, key: v}, \
               ingress: {class: traefik, service: {namespace: traefik, name: traefik}, proxyProtocol: false}";
    let listed = TenantConfig {
        kubeconfig: Some(SecretKey { name: name("k"), key: "v".to_owned() }),
        ingress: Some(traefik(false)),
        ..shop
    };
    let text = FOUND.replace("enabled: false", own);
    assert_eq!(tenants(&text), TenantsConfig { listed: [(tenant("clusters", "shop"), listed)].into(), ..expected });
}

#[test]
fn every_word_of_a_choice_is_understood() {
    use OuroborosMode::{Coredns, CorednsImport, ExternalDns};
    let of = |host: &str| cluster(&CLUSTER.replace("    delivery: auto\n    engine: ouroboros\n", host)).host;
    for (text, delivery) in [
        ("    delivery: overlay\n", HostDelivery::Overlay),
        ("    delivery: package\n", HostDelivery::Package { source: PackageSourceChoice::Platform }),
        (
            "    delivery: package\n    package: {source: own}\n",
            HostDelivery::Package { source: PackageSourceChoice::Own },
        ),
        ("    delivery: helmRelease\n", HostDelivery::HelmRelease),
    ] {
        assert_eq!(of(text).delivery, Some(delivery));
    }
    assert_eq!(of("    engine: static\n").engine, Engine::Static(Records::HostsFile(HostsPath::default())));
    for (word, enabled) in [("auto", Enabled::Auto), ("true", Enabled::Yes), ("false", Enabled::No)] {
        assert_eq!(cluster(&CLUSTER.replace("enabled: auto\n", &format!("enabled: {word}\n"))).host.enabled, enabled);
    }
    let shop = |entry: &str| {
        let config = cluster(&CLUSTER.replace("engine: static", entry));
        config.tenants.listed.get(&tenant("tenant-acme", "shop")).cloned().expect("it is listed")
    };
    for (word, delivery) in [
        ("auto", None),
        ("remoteHelmRelease", Some(TenantDelivery::RemoteHelmRelease)),
        ("addon", Some(TenantDelivery::Addon)),
        ("ownFlux", Some(TenantDelivery::OwnFlux)),
    ] {
        assert_eq!(shop(&format!("delivery: {word}")).delivery, delivery);
    }
    for (word, mode) in [("coredns", Coredns), ("coredns-import", CorednsImport), ("external-dns", ExternalDns)] {
        assert_eq!(shop(&format!("ouroboros: {{mode: {word}}}")).engine, Engine::Ouroboros(mode));
    }
    let path = |text| HostsPath::parse(text).expect("a literal that parses");
    let file = CorefilePath::parse("infra/coredns.yaml").expect("a literal that parses");
    for (words, records) in [
        ("", Records::Auto(HostsPath::default())),
        ("records: auto, path: /etc/dns/bobbypin.hosts", Records::Auto(path("/etc/dns/bobbypin.hosts"))),
        ("records: hosts-file", Records::HostsFile(HostsPath::default())),
        ("records: hosts-file, path: /etc/dns/bobbypin.hosts", Records::HostsFile(path("/etc/dns/bobbypin.hosts"))),
        ("records: rewrite-snippet", Records::RewriteSnippet),
        ("records: corefile-block, file: infra/coredns.yaml", Records::CorefileBlock { file }),
    ] {
        assert_eq!(shop(&format!("engine: static, static: {{{words}}}")).engine, Engine::Static(records), "{words}");
    }
}

#[test]
fn an_entry_goes_before_the_defaults_key_by_key() {
    let defaults = "defaults: {enabled: false, delivery: ownFlux, engine: static, static: {records: hosts-file}, \
                    ouroboros: {mode: coredns}, proxyProtocol: true, realIpCidrs: [10.0.0.0/8]}";
    let listed = |entry: &str| {
        let text = CLUSTER
            .replace("defaults: {enabled: auto, delivery: auto, engine: ouroboros}", defaults)
            .replace("engine: static}\n", &format!("{entry}}}\n"));
        cluster(&text).tenants.listed.remove(&tenant("tenant-acme", "shop")).expect("it is listed")
    };
    let inherited = TenantConfig {
        enabled: Enabled::No,
        delivery: Some(TenantDelivery::OwnFlux),
        engine: Engine::Static(Records::HostsFile(HostsPath::default())),
        proxy_protocol: true,
        real_ip_cidrs: vec!["10.0.0.0/8".to_owned()],
        kubeconfig: None,
        ingress: None,
    };
    assert_eq!(listed("static: {}, ouroboros: {}"), inherited);
    let own = TenantConfig {
        enabled: Enabled::Auto,
        delivery: None,
        engine: Engine::Ouroboros(OuroborosMode::Coredns),
        proxy_protocol: false,
        real_ip_cidrs: vec![],
        kubeconfig: Some(SecretKey { name: name("k"), key: "super-admin.svc".to_owned() }),
        ingress: None,
    };
    let entry = "enabled: auto, delivery: auto, engine: ouroboros, proxyProtocol: false, realIpCidrs: [], \
                 kubeconfig: {name: k, key: super-admin.svc}";
    assert_eq!(listed(entry), own);
}

#[test]
fn a_repository_says_how_to_publish_or_nothing() {
    let expected = RepositoryConfig {
        remote: Some("file:///srv/git/infra.git".to_owned()),
        branch: "live".to_owned(),
        author: Author { name: "Edge Bot".to_owned(), email: "bot@example.org".to_owned() },
        registries: BTreeMap::from([(
            "registry.example.org:5000".to_owned(),
            RegistryConfig {
                plain_http: true,
                private: true,
                ca_file: Some("certs/ca.pem".to_owned()),
                token_hosts: vec!["auth.example.org".to_owned()],
                follow_redirects: true,
                credential_helpers: true,
            },
        )]),
        ..RepositoryConfig::default()
    };
    assert_eq!(parse_repository(&source("bobbypin.yaml", REPOSITORY)), Ok(expected));
    let envelope = "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\n";
    for rest in ["", "spec: {}\n", "spec: {publish: {}}\n", "spec: {publish: {author: {}}}\n"] {
        let text = format!("{envelope}{rest}");
        assert_eq!(parse_repository(&source("bobbypin.yaml", &text)), Ok(RepositoryConfig::default()));
    }
}

#[test]
fn pins_say_what_their_digests_are_of() {
    let pin = |repository: &str, tag: &str, digit: &str, media_type| Pin {
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        digest: Digest::parse(&format!("sha256:{}", digit.repeat(64))).expect("a literal that parses"),
        media_type,
        platforms: vec![],
        first_seen: None,
        signature: None,
        hold: None,
        candidate: None,
    };
    let noon = "2026-01-31T12:00:00Z".parse().expect("a literal that parses");
    let until = Some("2026-03-01T00:00:00Z".parse().expect("a literal that parses"));
    let expected = [
        (
            "ouroboros-chart",
            Pin { first_seen: Some(noon), ..pin("ghcr.io/lexfrei/charts/ouroboros", "0.8.1", "1", MediaType::Chart) },
        ),
        (
            "ouroboros-image",
            Pin {
                first_seen: Some(noon),
                platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
                signature: Some("lexfrei".to_owned()),
                ..pin("ghcr.io/lexfrei/ouroboros", "0.8.1", "2", MediaType::OciIndex)
            },
        ),
        (
            "cleanup-hook-image",
            Pin {
                hold: Some(PinHold { reason: "the next one does not start".to_owned(), until }),
                candidate: Some(Candidate {
                    tag: "v1.36.0".to_owned(),
                    digest: Digest::parse(&format!("sha256:{}", "5".repeat(64))).expect("a literal that parses"),
                    media_type: MediaType::OciIndex,
                    platforms: vec!["linux/amd64".to_owned()],
                    first_seen: noon,
                }),
                ..pin("registry.example.org:5000/kubectl", "v1.35.0", "3", MediaType::DockerList)
            },
        ),
        ("other", pin("ghcr.io/lexfrei/other", "1", "4", MediaType::OciManifest)),
    ];
    let expected = Pins(expected.into_iter().map(|(name, pin)| (name.to_owned(), pin)).collect());
    assert_eq!(parse_pins(&source("pins.yaml", PINS), &name("edge")), Ok(expected));
}

#[test]
fn the_schemas_accept_what_the_program_accepts() {
    for (kind, text) in [
        ("cluster", CLUSTER),
        ("cluster", GENERIC),
        ("cluster", FOUND),
        ("repository", REPOSITORY),
        ("pins", PINS),
        ("state", STATE),
    ] {
        let schema: Value = serde_json::from_str(&schema(kind).expect("a known kind")).expect("a schema is JSON");
        let file = crate::config::kubernetes::read_values(text).expect("a sample that can be read").remove(0);
        let errors: Vec<_> = jsonschema::draft202012::new(&schema)
            .expect("a schema that compiles")
            .iter_errors(&file)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{kind}");
    }
    assert_eq!(schema("Cluster"), None);
    assert!(parse_state(&source("state.yaml", STATE), &name("edge")).is_ok());
}
