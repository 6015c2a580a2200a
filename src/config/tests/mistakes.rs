//! One edit of a file without mistakes, and everything that must be said about it.

use super::{CLUSTER, FOUND, GENERIC, PINS, REPOSITORY, STATE, name, source};
use crate::config::{parse_cluster, parse_pins, parse_repository, parse_state, problem::Problem};

/// What stands in the sample, what stands there instead, and the problems: key and message, in order of place.
type Mistake = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

fn check<T: std::fmt::Debug>(sample: &str, mistakes: &[Mistake], parse: impl Fn(&str) -> Result<T, Vec<Problem>>) {
    parse(sample).expect("the sample has no mistake");
    for (old, new, expected) in mistakes {
        assert_eq!(sample.matches(old).count(), 1, "the edit is not clear: {old:?}");
        let problems = parse(&sample.replace(old, new)).expect_err(new);
        let told: Vec<_> = problems.iter().map(|problem| (problem.key.as_str(), problem.message.as_str())).collect();
        assert_eq!(told, *expected, "{new:?}");
        assert!(problems.iter().all(|problem| problem.line > 0 && problem.column > 0), "{problems:?}");
    }
}

#[test]
fn mistakes_in_the_cluster_file_are_told_by_key() {
    check(
        CLUSTER,
        &[
            ("name: edge", "name: shop", &[("metadata.name", "`shop` is not the name of the folder, `edge`")]),
            (
                "    context: edge-admin\n",
                "    context: edge-admin\n    inCluster: true\n    kubeconfig: \" \"\n",
                &[
                    (
                        "spec.access",
                        "`context` and `kubeconfig` and `inCluster` are given; a cluster is reached in one way",
                    ),
                    ("spec.access.kubeconfig", "this is empty"),
                ],
            ),
            ("context: edge-admin", "context: \"\"", &[("spec.access.context", "this is empty")]),
            (
                "0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10",
                "0f5c…",
                &[("spec.access.uid", "`0f5c…` is not a UID such as `0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10`")],
            ),
            (
                "version: v1.6.2",
                "version: v1.6.2-rc.1",
                &[("spec.platform.version", "`v1.6.2-rc.1` is not a released version such as `v1.6.2`")],
            ),
            (
                "    version: v1.6.2\n    values: platform.yaml\n",
                "",
                &[
                    (
                        "spec.platform.values",
                        "`values` is missing: give the file with the platform's values, or `live: true`",
                    ),
                    (
                        "spec.platform.version",
                        "`version` is missing: cozystack behaves differently from version to version",
                    ),
                ],
            ),
            (
                "values: platform.yaml",
                "values: platform.yaml\n    live: true",
                &[("spec.platform.live", "`values` and `live` are given; the platform's values come from one place")],
            ),
            (
                "values: platform.yaml",
                "values: ../other/platform.yaml",
                &[(
                    "spec.platform.values",
                    "`../other/platform.yaml` is not a file of the cluster's folder such as `platform.yaml`",
                )],
            ),
            (
                "values: platform.yaml",
                "values: manifests/host/x.yaml",
                &[(
                    "spec.platform.values",
                    "`manifests/host/x.yaml` is a file that bobbypin reads or writes for another purpose",
                )],
            ),
            (
                "  host:\n",
                "  ingress:\n    class: nginx\n    service: {namespace: ingress-nginx, name: c}\n    proxyProtocol: true\n  host:\n",
                &[(
                    "spec.ingress",
                    "`ingress` is for the generic platform; on cozystack it follows from the platform's values",
                )],
            ),
            (
                "    delivery: auto\n",
                "    delivery: overlay\n    package: {source: own}\n",
                &[("spec.host.package", "`package` is for `delivery: package`")],
            ),
            (
                "enabled: auto\n    delivery: auto\n    engine: ouroboros\n",
                "enabled: maybe\n    delivery: overly\n    engine: 1\n",
                &[
                    ("spec.host.enabled", "`maybe` is not one of auto, true, false"),
                    ("spec.host.delivery", "`overly` is not one of auto, overlay, package, helmRelease"),
                    ("spec.host.engine", "`1` is not one of ouroboros, static"),
                ],
            ),
            (
                "    delivery: auto\n",
                "    package: {}\n",
                &[("spec.host.package", "`package` is for `delivery: package`")],
            ),
            (
                "engine: ouroboros}",
                "realIpCidrs: [10.0.0.0/8, 10.0.0.1/8, \"::1\"]}",
                &[
                    (
                        "spec.tenants.defaults.realIpCidrs[1]",
                        "`10.0.0.1/8` is not the first address of its range, which is `10.0.0.0/8`",
                    ),
                    (
                        "spec.tenants.defaults.realIpCidrs[2]",
                        "`::1` is not an address range such as `10.0.0.0/8` or `2001:db8::/32`",
                    ),
                ],
            ),
            (
                "{namespace: tenant-acme, name: shop, engine: static}",
                "{namespace: tenant.acme, name: Shop, realIpCidrs: [x]}",
                &[
                    (
                        "spec.tenants.overrides[0].namespace",
                        "`tenant.acme` is not a namespace: at most 63 lower-case letters, digits and `-`",
                    ),
                    (
                        "spec.tenants.overrides[0].name",
                        "`Shop` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending \
                         with a letter or digit",
                    ),
                    (
                        "spec.tenants.overrides[0].realIpCidrs[0]",
                        "`x` is not an address range such as `10.0.0.0/8` or `2001:db8::/32`",
                    ),
                ],
            ),
            (
                "engine: static}\n",
                "engine: static}\n      - {namespace: tenant-acme, name: shop}\n",
                &[("spec.tenants.overrides[1]", "the tenant `tenant-acme/shop` is listed a second time")],
            ),
            (
                "engine: static}",
                "ingress: {class: nginx, service: {namespace: a, name: b}, proxyProtocol: true}}",
                &[(
                    "spec.tenants.overrides[0].ingress",
                    "`ingress` is for the generic platform; on cozystack it follows from the tenant's object",
                )],
            ),
            (
                "engine: static}",
                "kubeconfig: {name: A, key: a/b}}",
                &[
                    (
                        "spec.tenants.overrides[0].kubeconfig.name",
                        "`A` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with \
                         a letter or digit",
                    ),
                    (
                        "spec.tenants.overrides[0].kubeconfig.key",
                        "`a/b` is not the key of a Secret: letters, digits, `-`, `_` and `.`",
                    ),
                ],
            ),
            (
                "{namespaces: [tenant-acme], suffixes: [acme.example.org]}",
                "{namespaces: [], suffixes: []}",
                &[
                    ("spec.hostnames.delegations[0].namespaces", "`namespaces` is empty, so this delegates nothing"),
                    ("spec.hostnames.delegations[0].suffixes", "`suffixes` is empty, so this delegates nothing"),
                ],
            ),
            (
                "{namespaces: [tenant-acme], suffixes: [acme.example.org]}",
                "{namespaces: [a, a_b], suffixes: [\"*.example.org\", org]}",
                &[
                    (
                        "spec.hostnames.delegations[0].namespaces[1]",
                        "`a_b` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending \
                         with a letter or digit",
                    ),
                    (
                        "spec.hostnames.delegations[0].suffixes[0]",
                        "`*.example.org` is not a host name: it is a wildcard",
                    ),
                    (
                        "spec.hostnames.delegations[0].suffixes[1]",
                        "`org` is not a host name: it has one label only, so it is no public name",
                    ),
                ],
            ),
            (
                "{namespaces: [tenant-acme], suffixes: [acme.example.org]}",
                "{namespaces: [tenant-acme], suffixes: [co.uk, acme.co.uk, github.io]}",
                &[
                    (
                        "spec.hostnames.delegations[0].suffixes[0]",
                        "`co.uk` is a public suffix: names below it are registered by strangers, so nobody is given all of \
                         them",
                    ),
                    (
                        "spec.hostnames.delegations[0].suffixes[2]",
                        "`github.io` is a public suffix: names below it are registered by strangers, so nobody is given all \
                         of them",
                    ),
                ],
            ),
            (
                "reserved: [git.example.org]",
                "reserved: [git.example.org]\n    searchDomains: [corp.example.org, \"*.x\", example.org.]",
                &[
                    (
                        "spec.hostnames.searchDomains[1]",
                        "`*.x` is not a DNS domain such as `cluster.local`, in lower case and without a final dot",
                    ),
                    (
                        "spec.hostnames.searchDomains[2]",
                        "`example.org.` is not a DNS domain such as `cluster.local`, in lower case and without a final dot",
                    ),
                ],
            ),
            (
                "reserved: [git.example.org]",
                "reserved: [git.example.org, 10.0.0.1]",
                &[("spec.hostnames.reserved[1]", "`10.0.0.1` is not a host name: it is an address, not a name")],
            ),
            (
                "wildcards: deny",
                "wildcards: regex",
                &[("spec.hostnames.wildcards", "`regex` is not available in this version")],
            ),
            (
                "maxShare: 20%, confirmAfter: 10m",
                "maxShare: 120%, confirmAfter: 10 minutes",
                &[
                    ("spec.removal.maxShare", "`120%` is not a share from `0%` to `100%`"),
                    (
                        "spec.removal.confirmAfter",
                        "`10 minutes` is not a duration such as `72h`, `10m`, `30s` or `1h30m`",
                    ),
                ],
            ),
            (
                "chart: oci://",
                "chart: https://",
                &[(
                    "spec.pins.chart",
                    "this is not the repository of a chart such as `oci://ghcr.io/lexfrei/charts/ouroboros`",
                )],
            ),
            (
                "charts/ouroboros",
                "charts/ouroboros:0.8.1",
                &[(
                    "spec.pins.chart",
                    "this is not the repository of a chart such as `oci://ghcr.io/lexfrei/charts/ouroboros`",
                )],
            ),
            (
                "version: 0.8.1",
                "version: latest",
                &[("spec.pins.version", "`latest` is not the version of a chart such as `0.8.1`")],
            ),
            (
                "minAge: 72h",
                "minAge: 3d",
                &[("spec.pins.minAge", "`3d` is not a duration such as `72h`, `10m`, `30s` or `1h30m`")],
            ),
            (
                "{ghcr.io: registry.example.org/ghcr}",
                "{ghcr.io/a: https://registry.example.org, docker: Registry}",
                &[
                    (
                        "spec.pins.mirrors[\"ghcr.io/a\"]",
                        "this is not a registry, or a registry and a path, such as `ghcr.io/lexfrei`: no scheme, tag, \
                         digest or user",
                    ),
                    (
                        "spec.pins.mirrors.docker",
                        "this is not a registry, or a registry and a path, such as `ghcr.io/lexfrei`: no scheme, tag, \
                         digest or user",
                    ),
                ],
            ),
            (
                "{ghcr.io: registry.example.org/ghcr}",
                "{docker.io: r.example.org/all, ghcr.io: r.example.org/ghcr, quay.io: r.example.org/all}",
                &[(
                    "spec.pins.mirrors[\"quay.io\"]",
                    "`docker.io` has the mirror `r.example.org/all` already: give each a path of its own",
                )],
            ),
            (
                "    minAge: 72h\n",
                "    platforms: [linux, linux/amd64]\n    verify: {secretRef: A}\n",
                &[
                    ("spec.pins.platforms[0]", "`linux` is not a platform such as `linux/amd64`"),
                    (
                        "spec.pins.verify.secretRef",
                        "`A` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with \
                         a letter or digit",
                    ),
                ],
            ),
            (
                "    minAge: 72h\n",
                "    platforms: []\n    verify: {provider: cosign}\n",
                &[
                    ("spec.pins.platforms", "`platforms` is empty: name at least one, or leave it out"),
                    (
                        "spec.pins.verify",
                        "give `secretRef` or `matchOIDCIdentity`: else a signature of anybody would do",
                    ),
                ],
            ),
            (
                "    minAge: 72h\n",
                "    signers: [{pin: image, issuer: a, subject: b}, {pin: ouroboros-image, key: x}, {pin: ouroboros-image, \
                 issuer: a}]\n",
                &[
                    (
                        "spec.pins.signers[0].pin",
                        "`image` is none of ouroboros-chart, ouroboros-image, cleanup-hook-image",
                    ),
                    ("spec.pins.signers[1].key", "this is not a public key (PEM, `-----BEGIN PUBLIC KEY-----`)"),
                    (
                        "spec.pins.signers[2]",
                        "give either `key`, and `transparencyLog` if you like, or `issuer` and `subject`",
                    ),
                ],
            ),
            (
                "    minAge: 72h\n",
                "    verify: {matchOIDCIdentity: [{issuer: \"\", subject: x}]}\n",
                &[("spec.pins.verify.matchOIDCIdentity[0].issuer", "this is empty")],
            ),
            (
                "  pins:\n",
                "  flux: {source: {namespace: a.b, name: \"\"}}\n  pins:\n",
                &[
                    (
                        "spec.flux.source.namespace",
                        "`a.b` is not a namespace: at most 63 lower-case letters, digits and `-`",
                    ),
                    ("spec.flux.source.name", "a name is empty"),
                ],
            ),
        ],
        |text| parse_cluster(&source("cluster.yaml", text), &name("edge")),
    );
}

#[test]
fn mistakes_in_a_generic_cluster_are_told_by_key() {
    check(
        GENERIC,
        &[
            (
                "{kind: generic}",
                "{kind: generic, version: v1.6.2, values: platform.yaml, live: true}",
                &[
                    ("spec.platform.version", "`version` is for cozystack; the generic platform has none"),
                    ("spec.platform.values", "`values` is for cozystack; the generic platform has none"),
                    ("spec.platform.live", "`live` is for cozystack; the generic platform has none"),
                ],
            ),
            (
                "  ingress:\n    class: nginx\n    service: {namespace: ingress-nginx, name: ingress-nginx-controller}\n    \
                 clusterDomain: cluster.local\n    proxyProtocol: true\n",
                "",
                &[(
                    "spec.ingress",
                    "`ingress` is missing: the generic platform does not say which ingress controller it has",
                )],
            ),
            (
                "    class: nginx\n    service: {namespace: ingress-nginx, name: ingress-nginx-controller}\n    clusterDomain: \
                 cluster.local\n",
                "    class: \"\"\n    service: {namespace: a.b, name: c_d}\n    clusterDomain: cluster.local.\n",
                &[
                    ("spec.ingress.class", "a name is empty"),
                    (
                        "spec.ingress.service.namespace",
                        "`a.b` is not a namespace: at most 63 lower-case letters, digits and `-`",
                    ),
                    (
                        "spec.ingress.service.name",
                        "`c_d` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending \
                         with a letter or digit",
                    ),
                    (
                        "spec.ingress.clusterDomain",
                        "`cluster.local.` is not a DNS domain such as `cluster.local`, in lower case and without a final \
                         dot",
                    ),
                ],
            ),
            (
                "  tenants:\n",
                "  host: {delivery: overlay}\n  tenants:\n",
                &[("spec.host.delivery", "`overlay` is for cozystack; the generic platform has no `Package`")],
            ),
            (
                "  tenants:\n",
                "  host: {delivery: package}\n  tenants:\n",
                &[("spec.host.delivery", "`package` is for cozystack; the generic platform has no `Package`")],
            ),
            (
                "    overrides:\n      - namespace: clusters\n",
                "    defaults: {delivery: addon}\n    overrides:\n      - namespace: clusters\n        delivery: addon\n",
                &[
                    ("spec.tenants.defaults.delivery", "`addon` is for cozystack; the generic platform has no add-ons"),
                    (
                        "spec.tenants.overrides[0].delivery",
                        "`addon` is for cozystack; the generic platform has no add-ons",
                    ),
                ],
            ),
            (
                "        name: shop\n",
                "        name: shop\n      - namespace: clusters\n        name: mail\n",
                &[
                    ("spec.tenants.overrides[0].ingress", "`ingress` is missing: the generic platform does not say it"),
                    (
                        "spec.tenants.overrides[0].kubeconfig",
                        "`kubeconfig` is missing: the generic platform does not say it",
                    ),
                ],
            ),
            (
                "{namespace: traefik, name: traefik}",
                "{namespace: traefik, name: t-}",
                &[(
                    "spec.tenants.overrides[0].ingress.service.name",
                    "`t-` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a \
                     letter or digit",
                )],
            ),
        ],
        |text| parse_cluster(&source("cluster.yaml", text), &name("edge")),
    );
}

#[test]
fn mistakes_about_the_secrets_of_tenants_are_told_by_key() {
    check(
        FOUND,
        &[
            (
                "      ingress: {class: traefik, service: {namespace: traefik, name: traefik}, proxyProtocol: true}\n",
                "      enabled: auto\n",
                &[
                    (
                        "spec.tenants.defaults.ingress",
                        "`ingress` is missing: a kubeconfig does not say which ingress controller the tenant has",
                    ),
                    ("spec.tenants.overrides[0].ingress", "`ingress` is missing: the generic platform does not say it"),
                ],
            ),
            (
                "    kubeconfigs: {maker: clusterApi}\n",
                "",
                &[(
                    "spec.tenants.overrides[0].kubeconfig",
                    "`kubeconfig` is missing: the generic platform does not say it",
                )],
            ),
            (
                "class: traefik, service: {namespace: traefik,",
                "class: t-, service: {namespace: a.b,",
                &[
                    (
                        "spec.tenants.defaults.ingress.class",
                        "`t-` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a \
                         letter or digit",
                    ),
                    (
                        "spec.tenants.defaults.ingress.service.namespace",
                        "`a.b` is not a namespace: at most 63 lower-case letters, digits and `-`",
                    ),
                ],
            ),
            (
                "maker: clusterApi",
                "maker: kamaji, selector: a, key: b",
                &[
                    (
                        "spec.tenants.kubeconfigs.selector",
                        "`selector` goes without `maker`, which says what its Secrets are called",
                    ),
                    (
                        "spec.tenants.kubeconfigs.key",
                        "`key` goes without `maker`, which says what its Secrets are called",
                    ),
                ],
            ),
            (
                "maker: clusterApi",
                "maker: rancher",
                &[("spec.tenants.kubeconfigs.maker", "`rancher` is not one of clusterApi, kamaji")],
            ),
            (
                "{maker: clusterApi}",
                "{key: config}",
                &[(
                    "spec.tenants.kubeconfigs.maker",
                    "`maker` is missing: give who makes the Secrets, or `selector` and `key`",
                )],
            ),
            (
                "maker: clusterApi",
                "selector: a",
                &[(
                    "spec.tenants.kubeconfigs.key",
                    "`key` is missing: a selector does not say where in the Secrets the kubeconfigs are",
                )],
            ),
            (
                "maker: clusterApi",
                "selector: \",\", key: a/b",
                &[
                    (
                        "spec.tenants.kubeconfigs.selector",
                        "`,` is not a label selector such as `example.org/tenant=yes`",
                    ),
                    (
                        "spec.tenants.kubeconfigs.key",
                        "`a/b` is not the key of a Secret: letters, digits, `-`, `_` and `.`",
                    ),
                ],
            ),
            (
                "maker: clusterApi",
                "selector: \"a\\nb\", key: config",
                &[(
                    "spec.tenants.kubeconfigs.selector",
                    "`a\\nb` is not a label selector such as `example.org/tenant=yes`",
                )],
            ),
        ],
        |text| parse_cluster(&source("cluster.yaml", text), &name("edge")),
    );
    check(
        CLUSTER,
        &[(
            "    defaults: {enabled: auto, delivery: auto, engine: ouroboros}\n",
            "    kubeconfigs: {maker: kamaji}\n    defaults:\n      ingress: {class: nginx, service: {namespace: n, name: \
             n}, proxyProtocol: true}\n",
            &[
                (
                    "spec.tenants.kubeconfigs",
                    "`kubeconfigs` is for the generic platform; on cozystack tenants are found by their objects",
                ),
                (
                    "spec.tenants.defaults.ingress",
                    "`ingress` is for the generic platform; on cozystack it follows from the tenant's object",
                ),
            ],
        )],
        |text| parse_cluster(&source("cluster.yaml", text), &name("edge")),
    );
}

#[test]
fn what_this_version_cannot_publish_is_never_left_out_in_silence() {
    check(
        REPOSITORY,
        &[
            (
                "name: infra",
                "name: Infra",
                &[(
                    "metadata.name",
                    "`Infra` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a \
                 letter or digit",
                )],
            ),
            (
                "    - host: registry.example.org:5000\n",
                "    - {host: ghcr.io}\n    - {host: ghcr.io}\n    - {host: registry.example.org/a, tokenHosts: [https://x]}\n    - host: ghcr\n",
                &[
                    ("spec.registries[1].host", "`ghcr.io` is listed a second time"),
                    (
                        "spec.registries[2].host",
                        "this is not the host of a registry such as `registry.example.org:5000`: no scheme, path or user",
                    ),
                    (
                        "spec.registries[2].tokenHosts[0]",
                        "this is not the host of a registry such as `registry.example.org:5000`: no scheme, path or user",
                    ),
                    (
                        "spec.registries[3].host",
                        "this is not the host of a registry such as `registry.example.org:5000`: no scheme, path or user",
                    ),
                ],
            ),
            (
                "file:///srv/git/infra.git",
                "git://git.example.org/infra.git",
                &[("spec.publish.remote", "remotes over git are not supported: use HTTPS or SSH")],
            ),
            ("branch: live", "branch: a..b", &[("spec.publish.branch", "`a..b` is not the name of a branch")]),
            (
                "branch: live",
                "branch: refs/heads/live",
                &[("spec.publish.branch", "`refs/heads/live` is a reference; the branch is `live`")],
            ),
            (
                "mode: commit",
                "mode: pull-request\n    pullRequest: {branch: live, labels: ['']}\n    signing: {ssh: {keyFile: k, agent: x}}\n    \
                 notify: {receiver: {url: h}}\n    gitea: {url: x}\n    trustedBase: {}\n    lock: {reference: main, expires: x}",
                &[
                    (
                        "spec.publish.pullRequest.branch",
                        "`live` is the branch that Flux reads; the changes need one of their own",
                    ),
                    (
                        "spec.publish.pullRequest.labels[0]",
                        "this is empty, or has white space at an end or control characters",
                    ),
                    ("spec.publish.signing.ssh", "give exactly one of `keyFile` and `agent`"),
                    (
                        "spec.publish.notify.receiver.url",
                        "this is not the address of a server such as `https://git.example.org`: no user, no `?` and no `#`",
                    ),
                    (
                        "spec.publish.gitea.url",
                        "this is not the address of a server such as `https://git.example.org`: no user, no `?` and no `#`",
                    ),
                    ("spec.publish.trustedBase", "nobody is trusted: name a key in `ssh` or `gpg`"),
                    (
                        "spec.publish.lock.reference",
                        "`main` is not a reference such as `refs/bobbypin/lock`; branches and tags are not for this",
                    ),
                    ("spec.publish.lock.expires", "`x` is not a duration such as `72h`, `10m`, `30s` or `1h30m`"),
                ],
            ),
            (
                "mode: commit",
                "mode: commit\n    pullRequest: {labels: [dns]}\n    signing: {}",
                &[
                    ("spec.publish.pullRequest", "there is no pull request with `mode: commit`"),
                    ("spec.publish.signing", "give exactly one of `ssh` and `gpg`"),
                ],
            ),
            (
                "mode: commit",
                "mode: pull-request\n    gitea: {transport: api}\n    signing: {gpg: {key: A}}\n    lock: {}",
                &[
                    ("spec.publish.mode", "pull requests need a branch, which only Git makes"),
                    ("spec.publish.signing", "through the API the server makes the commits, and they cannot be signed"),
                    ("spec.publish.lock", "a lock is a reference, which only Git makes"),
                ],
            ),
            (
                "{name: Edge Bot, email: bot@example.org}",
                "{name: Edge <Bot>, email: a bot}",
                &[
                    (
                        "spec.publish.author.name",
                        "`Edge <Bot>` is not a name for an author: no `<`, `>` and line breaks, and more than white space \
                         and marks",
                    ),
                    (
                        "spec.publish.author.email",
                        "`a bot` is not an address for an author: no `<`, `>` or white space",
                    ),
                ],
            ),
        ],
        |text| parse_repository(&source("bobbypin.yaml", text)),
    );
}

#[test]
fn a_digest_is_never_taken_for_that_of_another_kind() {
    check(
        PINS,
        &[
            ("name: edge", "name: core", &[("metadata.name", "`core` is not the name of the folder, `edge`")]),
            (
                "application/vnd.oci.image.index.v1+json\n    platforms",
                "application/vnd.cncf.helm.config.v1+json\n    platforms",
                &[(
                    "spec.pins[1].mediaType",
                    "`ouroboros-image` needs the digest of an image index; this is the digest of a chart",
                )],
            ),
            (
                "application/vnd.cncf.helm.config.v1+json",
                "application/vnd.oci.image.manifest.v1+json",
                &[(
                    "spec.pins[0].mediaType",
                    "`ouroboros-chart` needs the digest of a chart; this is the digest of an image for one platform",
                )],
            ),
            (
                "application/vnd.docker.distribution.manifest.list.v2+json",
                "application/vnd.docker.distribution.manifest.v2+json",
                &[(
                    "spec.pins[2].mediaType",
                    "`cleanup-hook-image` needs the digest of an image index; this is the digest of an image for one \
                     platform",
                )],
            ),
            (
                "application/vnd.oci.image.manifest.v1+json",
                "text/plain",
                &[(
                    "spec.pins[3].mediaType",
                    "`text/plain` is not a media type of a chart or image: `application/vnd.oci.image.index.v1+json`, \
                     `application/vnd.docker.distribution.manifest.list.v2+json`, \
                     `application/vnd.cncf.helm.config.v1+json`, `application/vnd.oci.image.manifest.v1+json`, \
                     `application/vnd.docker.distribution.manifest.v2+json`",
                )],
            ),
            (
                "name: other",
                "name: ouroboros-chart",
                &[
                    ("spec.pins[3].name", "`ouroboros-chart` is pinned already, by entry 1"),
                    (
                        "spec.pins[3].mediaType",
                        "`ouroboros-chart` needs the digest of a chart; this is the digest of an image for one platform",
                    ),
                ],
            ),
            (
                "reference: ghcr.io/lexfrei/ouroboros\n",
                "reference: oci://ghcr.io/lexfrei/ouroboros\n",
                &[(
                    "spec.pins[1].reference",
                    "this is not a repository such as `ghcr.io/lexfrei/ouroboros`: no scheme, tag, digest or user",
                )],
            ),
            (
                "tag: \"1\"\n    digest: sha256:4444",
                "tag: 1+1\n    digest: sha256:444",
                &[
                    ("spec.pins[3].tag", "`1+1` is not a tag"),
                    (
                        "spec.pins[3].digest",
                        "`sha256:444444444444444444444444444444444444444444444444444444444444444` is not a digest: \
                         `sha256:` and 64 lower-case hex digits",
                    ),
                ],
            ),
            (
                "linux/arm64]\n    firstSeen: 2026-01-31T12:00:00Z",
                "arm64]\n    firstSeen: 2026-01-31",
                &[
                    ("spec.pins[1].platforms[1]", "`arm64` is not a platform such as `linux/amd64`"),
                    ("spec.pins[1].firstSeen", "`2026-01-31` is not a point in time such as `2026-01-31T12:00:00Z`"),
                ],
            ),
            (
                "{reason: the next one does not start, until: 2026-03-01T00:00:00Z}",
                "{reason: \"\", until: soon}",
                &[
                    ("spec.pins[2].hold.reason", "this is empty"),
                    ("spec.pins[2].hold.until", "`soon` is not a point in time such as `2026-01-31T12:00:00Z`"),
                ],
            ),
            ("{signature: lexfrei}", "{signature: \"\"}", &[("spec.pins[1].verified.signature", "this is empty")]),
            (
                "application/vnd.oci.image.index.v1+json\n      platforms: [linux/amd64]\n      firstSeen: 2026",
                "application/vnd.oci.image.manifest.v1+json\n      platforms: [linux]\n      firstSeen: on 2026",
                &[
                    (
                        "spec.pins[2].candidate.mediaType",
                        "`cleanup-hook-image` needs the digest of an image index; this is the digest of an image for one \
                         platform",
                    ),
                    ("spec.pins[2].candidate.platforms[0]", "`linux` is not a platform such as `linux/amd64`"),
                    (
                        "spec.pins[2].candidate.firstSeen",
                        "`on 2026-01-31T12:00:00Z` is not a point in time such as `2026-01-31T12:00:00Z`",
                    ),
                ],
            ),
        ],
        |text| parse_pins(&source("pins.yaml", text), &name("edge")),
    );
}

#[test]
fn mistakes_in_the_memory_are_told_by_key() {
    check(
        STATE,
        &[
            ("name: \"edge\"", "name: x", &[("metadata.name", "`x` is not the name of the folder, `edge`")]),
            (
                "layer: host\n",
                "layer: host\n    namespace: a\n    name: b\n",
                &[
                    ("spec.layers[0].namespace", "the host has no `namespace`"),
                    ("spec.layers[0].name", "the host has no `name`"),
                ],
            ),
            (
                "layer: host\n",
                "layer: host\n    uid: 0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10\n",
                &[("spec.layers[0].uid", "the host's `uid` is in cluster.yaml, not here")],
            ),
            ("    name: \"shop\"\n", "", &[("spec.layers[2].name", "`name` is missing: a tenant has one")]),
            (
                "name: \"shop\"",
                "name: \"on\"",
                &[("spec.layers[2]", "the tenant tenant-acme/on is listed a second time")],
            ),
            (
                "b.example.org",
                "a.example.org",
                &[("spec.layers[0].tombstones[1].host", "`a.example.org` is listed a second time")],
            ),
            (
                "\"1.e5\"\n      since: \"2026-01-31T12:00:00Z\"",
                "localhost\n      since: then",
                &[
                    (
                        "spec.layers[1].tombstones[0].host",
                        "`localhost` is not a host name: it has one label only, so it is no public name",
                    ),
                    (
                        "spec.layers[1].tombstones[0].since",
                        "`then` is not a point in time such as `2026-01-31T12:00:00Z`",
                    ),
                ],
            ),
            (
                "uid: \"0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10\"\n    leaving: \"2026-01-31T12:00:00Z\"",
                "uid: \"0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10\"\n    leaving: \"\"",
                &[("spec.layers[1].leaving", "`` is not a point in time such as `2026-01-31T12:00:00Z`")],
            ),
        ],
        |text| parse_state(&source("state.yaml", text), &name("edge")),
    );
}
