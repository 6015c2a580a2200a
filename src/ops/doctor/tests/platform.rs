//! The platform, its Services, its DNS and its tenants.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::ops::doctor::tests::sample::{Sample, changes, config_map, not_ready, present, service, tenant_object};

#[test]
fn a_version_that_the_live_settings_belie_is_found() {
    let sample = Sample::cozystack();
    let gone = |keys: &[&str]| {
        keys.iter()
            .fold(sample.clone(), |sample, key| sample.seen(&format!("/platformSettings/settings/{key}"), Value::Null))
    };
    let version = |sample: Sample, version: &str| sample.with("/platform/version", json!(version));
    assert_snapshot!(changes(&sample, [
        ("the cluster is older", gone(&["load-balancer-class"])),
        ("both are v1.5", version(gone(&["load-balancer-class"]), "v1.5.4")),
        ("the cluster is newer", version(sample.clone(), "v1.5.4")),
        (
            "the cluster is of v1.4",
            gone(&["load-balancer-class", "proxy-protocol", "gateway-enabled"]).seen("/platformSettings/settings/expose-mode", json!("externalIPs")),
        ),
        ("no cozystack", sample.clone().seen("/platformSettings", json!({"state": "Absent"}))),
    ]), @"
    # the cluster is older
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 5, helmReleases 2, kustomizations 1, gitRepositories 1
    Fail PlatformVersion (host) spec.platform.version: v1.6.2 is declared, and the live settings are those of v1.5.0 and newer: `load-balancer-class` is missing => set spec.platform.version in cluster.yaml to the version that is installed
    # both are v1.5
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 5, helmReleases 2, kustomizations 1, gitRepositories 1
    Warn PinOfAnotherVersion (cluster) ghcr.io/lexfrei/ouroboros:0.8.1: the platform's chart of ouroboros is 0.8.0, and the pinned image is 0.8.1: the two were not made for each other => pin the image ghcr.io/lexfrei/ouroboros:0.8.0
    Ok PlatformVersion (host) spec.platform.version: v1.5.4 is declared, and the live settings are those of v1.5.0 and newer
    Ok PlatformValues (host) platform: v1.5.4, variant isp-full: proxyProtocol on, gateway mode off, no unknown key
    # the cluster is newer
    Warn PinOfAnotherVersion (cluster) ghcr.io/lexfrei/ouroboros:0.8.1: the platform's chart of ouroboros is 0.8.0, and the pinned image is 0.8.1: the two were not made for each other => pin the image ghcr.io/lexfrei/ouroboros:0.8.0
    Fail PlatformVersion (host) spec.platform.version: v1.5.4 is declared, and the live settings are those of v1.6.0 and newer: `load-balancer-class` is there => set spec.platform.version in cluster.yaml to the version that is installed
    Ok PlatformValues (host) platform: v1.5.4, variant isp-full: proxyProtocol on, gateway mode off, no unknown key
    # the cluster is of v1.4
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 4, helmReleases 2, kustomizations 1, gitRepositories 1
    Fail PlatformVersion (host) spec.platform.version: v1.6.2 is declared, and the live settings are those of v1.4.1 to v1.4.6: `load-balancer-class` is missing, `proxy-protocol` is missing, `expose-mode` is there => set spec.platform.version in cluster.yaml to the version that is installed
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, root-host
    # no cozystack
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 0, helmReleases 2, kustomizations 1, gitRepositories 1
    Fail PlatformVersion (host) spec.platform.version: there is no Secret/cozy-system/cozystack-values: this is no cozystack, or one that was never installed to its end => correct spec.platform in cluster.yaml, or look at HelmRelease/cozy-system/cozystack-platform
    ");
}

#[test]
fn values_that_the_cluster_does_not_run_with_are_found() {
    let sample = Sample::cozystack();
    let live = |key: &str, value: &str| sample.clone().seen(&format!("/platformSettings/settings/{key}"), json!(value));
    assert_snapshot!(changes(&sample, [
        ("another root host", live("root-host", "example.com")),
        ("another class", live("expose-ingress", "tenant-other")),
        ("PROXY protocol is off", live("proxy-protocol", "false")),
        ("another domain", live("cluster-domain", "cluster.local")),
        ("gateway mode", live("gateway-enabled", "true")),
    ]), @"
    # another root host
    Fail RootHost H39 (host) Secret/cozy-system/cozystack-values: root-host: the values say `example.org`, and the cluster runs with `example.com` => correct publishing.host, or remove the key root-host of ConfigMap/cozy-system/cozystack, which overrides it
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, gateway-enabled, proxy-protocol
    # another class
    Fail LiveSetting (host) Secret/cozy-system/cozystack-values: expose-ingress: the values say `tenant-root`, and the cluster runs with `tenant-other` => bring the values file and the live Package together, or look whether HelmRelease/cozy-system/cozystack-platform is Ready
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, gateway-enabled, proxy-protocol, root-host
    # PROXY protocol is off
    Fail LiveSetting (host) Secret/cozy-system/cozystack-values: proxy-protocol: the values say `true`, and the cluster runs with `false` => bring the values file and the live Package together, or look whether HelmRelease/cozy-system/cozystack-platform is Ready
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, gateway-enabled, root-host
    # another domain
    Fail LiveSetting (host) Secret/cozy-system/cozystack-values: cluster-domain: the values say `cozy.local`, and the cluster runs with `cluster.local` => bring the values file and the live Package together, or look whether HelmRelease/cozy-system/cozystack-platform is Ready
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: expose-ingress, gateway-enabled, proxy-protocol, root-host
    # gateway mode
    Fail LiveSetting (host) Secret/cozy-system/cozystack-values: gateway-enabled: the values say `false`, and the cluster runs with `true` => bring the values file and the live Package together, or look whether HelmRelease/cozy-system/cozystack-platform is Ready
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, proxy-protocol, root-host
    ");
}

#[test]
fn values_with_which_the_platform_does_harm_are_found() {
    let sample = Sample::cozystack();
    assert_snapshot!(changes(&sample, [
        ("H1: v1.4", sample.clone().with("/platform/version", json!("v1.4.6"))),
        ("H4: disabled, and it lives", sample.clone().platform("/bundles", json!({"disabledPackages": ["cozystack.ouroboros"]}))),
        (
            "H4: disabled, and Git declares it",
            sample.clone()
                .platform("/bundles", json!({"disabledPackages": ["cozystack.ouroboros"]}))
                .with("/host", json!({"delivery": "package"})),
        ),
        (
            "H4: disabled, and it is gone",
            sample.clone()
                .platform("/bundles", json!({"disabledPackages": ["cozystack.ouroboros"]}))
                .seen("/packages", present([]))
                .with("/host", json!({"enabled": false})),
        ),
        ("H5: switched off, and it lives", sample.clone().platform("/publishing/proxyProtocol", json!(false))),
        ("H9: gateway mode", sample.clone().platform("/gateway", json!({"enabled": true}))),
        ("H10: a key that is gone", sample.clone().platform("/publishing/exposure", json!("loadBalancer"))),
        ("H11: no system bundle", sample.clone().platform("/bundles", json!({"system": {"enabled": false}}))),
        ("live values that are not there", sample.clone().with("/platform/values", Value::Null).with("/platform/live", json!(true))),
    ]), @"
    # H1: v1.4
    Warn PinOfAnotherVersion (cluster) ghcr.io/lexfrei/ouroboros:0.8.1: the platform's chart of ouroboros is 0.8.0, and the pinned image is 0.8.1: the two were not made for each other => pin the image ghcr.io/lexfrei/ouroboros:0.8.0
    Fail ProxyProtocolUnsupportedByPlatform H1 (cluster) publishing.proxyProtocol: On v1.4.6 the host's ingress controller is never told to expect PROXY headers, and ouroboros sends PROXY headers to an ingress controller that rejects them. => Upgrade the platform to v1.5.0 or newer; until then keep PROXY protocol off.
    Fail LayerDecision (host) host: Hold (ProxyProtocolUnsupportedByPlatform): cozystack v1.4.6 drops publishing.proxyProtocol on its way to the host's ingress controller (the component ingress-system is never installed), so the controller refuses the PROXY header that the proxy would send => upgrade the platform to v1.5.0 or later
    Fail PlatformVersion (host) spec.platform.version: v1.4.6 is declared, and the live settings are those of v1.6.0 and newer: `load-balancer-class` is there, `proxy-protocol` is there, `expose-mode` is missing => set spec.platform.version in cluster.yaml to the version that is installed
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, root-host
    # H4: disabled, and it lives
    Fail LayerDecision (host) host: Hold (PackageDisabledOnPlatform): the platform's bundles.disabledPackages names cozystack.ouroboros, so there is no Package to lay over => set host.delivery: package in cluster.yaml to take the whole Package over, or host.enabled: false
    Warn DisabledPackage H4 (host) Package/cozystack.ouroboros: bundles.disabledPackages names it, and it lives: the platform never deletes a Package, so what it installed stays => kubectl delete package.cozystack.io cozystack.ouroboros
    # H4: disabled, and Git declares it
    Ok LayerDecision (host) host: Deliver by package (ProxyProtocolOn): the platform's load balancer sends PROXY headers (publishing.proxyProtocol)
    Ok DisabledPackage H4 (host) Package/cozystack.ouroboros: bundles.disabledPackages names it, and Git declares it
    # H4: disabled, and it is gone
    Ok SourceRead (cluster) inventory: tenants 1, packages 0, platformSettings 6, helmReleases 2, kustomizations 1, gitRepositories 1
    Ok LayerDecision (host) host: Remove (Disabled): host.enabled is false in cluster.yaml; what Flux would leave behind is emptied first, and dropped when it was seen gone
    Ok DisabledPackage H4 (host) Package/cozystack.ouroboros: bundles.disabledPackages names it, and it does not live
    # H5: switched off, and it lives
    Fail UncleanProxyProtocolDisable H5 (cluster) Package/cozystack.cozystack-platform: `publishing.proxyProtocol` is off while the Package `cozystack.ouroboros` still exists, and `publishing.proxyProtocolAcknowledgeUnclean` does not say that this is meant: the platform's chart stops, and no other change of the platform lands either => Set `publishing.proxyProtocol: true` again; or stop the load balancer from sending PROXY headers, delete the Package `cozystack.ouroboros` and set `publishing.proxyProtocolAcknowledgeUnclean: true`.
    Ok LayerDecision (host) host: Remove (ProxyProtocolOff): the platform's load balancer sends no PROXY headers (publishing.proxyProtocol); what Flux would leave behind is emptied first, and dropped when it was seen gone
    Fail LiveSetting (host) Secret/cozy-system/cozystack-values: proxy-protocol: the values say `false`, and the cluster runs with `true` => bring the values file and the live Package together, or look whether HelmRelease/cozy-system/cozystack-platform is Ready
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, gateway-enabled, root-host
    # H9: gateway mode
    Warn GatewayModeWithProxyProtocol H9 (cluster) gateway.enabled: In gateway mode the platform's own Ingresses are replaced by routes, which the ouroboros of the host does not read: their names lose the fix. => Switch one of the two off, or name the hosts of the routes in Git with the static engine.
    Fail LayerDecision (host) host: Hold (GatewayMode): gateway.enabled is on: the platform's host names move from Ingresses to the Gateway API, and the ingress controller behind the proxy no longer serves them => set host.enabled: false in cluster.yaml, or gateway.enabled: false
    Fail LiveSetting (host) Secret/cozy-system/cozystack-values: gateway-enabled: the values say `true`, and the cluster runs with `false` => bring the values file and the live Package together, or look whether HelmRelease/cozy-system/cozystack-platform is Ready
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, proxy-protocol, root-host
    # H10: a key that is gone
    Warn UnknownPlatformKey H10 (cluster) publishing.exposure: `publishing.exposure` has no effect in v1.6.2: it is a key of v1.4.1 to v1.4.6, and the platform's chart ignores it silently. => Remove the key.
    # H11: no system bundle
    Warn ProxyProtocolWithoutSystemBundle H11 (cluster) publishing.proxyProtocol: The system bundle is off in variant `isp-full`: the platform installs neither ouroboros nor an ingress controller on the host, and none of its guards runs. => Remove the key, or bring the host's ingress controller and describe the platform as generic.
    Fail LayerDecision (host) host: Hold (OwnedByPackage): Package/cozystack.ouroboros still lives in the cluster and installs the release ouroboros in cozy-ouroboros => kubectl delete package.cozystack.io cozystack.ouroboros (nothing else deletes it), or set host.delivery: package in cluster.yaml to take it over
    # live values that are not there
    Unknown LayerDecision (host) host: Hold (NotObserved): the platform's values could not be read: the cluster has no Package/cozystack.cozystack-platform (NotFound)
    Unknown PlatformValues (host) platform: the cluster has no Package/cozystack.cozystack-platform (NotFound)
    Unknown LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (NotObserved): the platform's values could not be read: the cluster has no Package/cozystack.cozystack-platform (NotFound)
    ");
}

#[test]
fn services_that_are_missing_or_of_no_use_are_found() {
    let sample = Sample::cozystack();
    let controller = |spec: Value| {
        let mut controller = service("tenant-root", "root-ingress-controller", "10.96.0.10");
        controller["spec"] = spec;
        sample.clone().seen("/host/services/items/0", controller)
    };
    let balancer = |class: &str| {
        controller(json!({"type": "LoadBalancer", "clusterIPs": ["10.96.0.10"], "loadBalancerClass": class}))
    };
    assert_snapshot!(changes(&sample, [
        ("no ingress controller", sample.clone().seen("/host/services/items/0", Value::Null)),
        ("a headless one", controller(json!({"clusterIP": "None", "clusterIPs": ["None"]}))),
        ("no proxy", sample.clone().seen("/host/services/items/1", Value::Null)),
        ("no proxy, and nothing is committed", sample.clone().seen("/host/services/items/1", Value::Null).file("clusters/edge/manifests/host/kustomization.yaml", "")),
        ("no proxy in the tenant", sample.clone().seen("/tenantClusters/0/services/items/1", Value::Null)),
        ("H25: another class", balancer("example.org/l2")),
        ("H25: the same class", balancer("example.org/l2").platform("/publishing/loadBalancerClass", json!("example.org/l2"))),
        ("H25: addresses", balancer("example.org/l2").platform("/publishing/externalIPs", json!(["203.0.113.4"]))),
    ]), @"
    # no ingress controller
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 1, dnsConfigMaps 1
    Fail IngressService (host) Service/tenant-root/root-ingress-controller: there is no such Service: the proxy would have nowhere to send to => look whether the ingress controller is installed: publishing.ingressName of the platform's values names its namespace
    # a headless one
    Fail IngressService (host) Service/tenant-root/root-ingress-controller: it has no cluster IP: the proxy needs one to send to => give it a cluster IP, or name another Service
    # no proxy
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 1, dnsConfigMaps 1
    Warn ProxyService (host) Service/cozy-ouroboros/ouroboros-proxy: Git has the fix, and the cluster has no such Service yet => look at the Kustomization and the HelmRelease below: flux get all -A
    # no proxy, and nothing is committed
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 1, dnsConfigMaps 1
    Ok ProxyService (host) Service/cozy-ouroboros/ouroboros-proxy: not there, and Git does not have the fix yet
    # no proxy in the tenant
    Ok SourceRead (tenant tenant-acme/shop) inventory: uid 1, ingresses 1, services 1, dnsConfigMaps 1
    Warn ProxyService (tenant tenant-acme/shop) Service/cozy-ouroboros/ouroboros-proxy: Git has the fix, and the cluster has no such Service yet => look at the Kustomization and the HelmRelease below: flux get all -A
    # H25: another class
    Fail LoadBalancerClass H25 (host) Service/tenant-root/root-ingress-controller: publishing.loadBalancerClass is ``, and the live Service has `example.org/l2`, which cannot be changed: the chart of the host's ingress stops => write `example.org/l2` again, or delete the Service in a quiet hour so that the chart makes it anew: kubectl delete service -n tenant-root root-ingress-controller
    Ok IngressService (host) Service/tenant-root/root-ingress-controller: LoadBalancer, 10.96.0.10
    # H25: the same class
    Ok LoadBalancerClass H25 (host) Service/tenant-root/root-ingress-controller: its class is example.org/l2
    Ok IngressService (host) Service/tenant-root/root-ingress-controller: LoadBalancer, 10.96.0.10
    # H25: addresses
    Ok LoadBalancerClass H25 (host) Service/tenant-root/root-ingress-controller: publishing.externalIPs has 1 address: no load balancer
    Ok IngressService (host) Service/tenant-root/root-ingress-controller: LoadBalancer, 10.96.0.10
    ");
    let generic = Sample::generic();
    assert_snapshot!(changes(&generic, [
        ("no ingress controller", generic.clone().seen("/host/services/items/0", Value::Null)),
    ]), @"
    # no ingress controller
    Ok SourceRead (host) inventory: uid 1, ingresses 1, services 1, dnsConfigMaps 1
    Fail IngressService (host) Service/ingress-nginx/ingress-nginx-controller: there is no such Service: the proxy would have nowhere to send to => correct the ingress controller's service in cluster.yaml
    ");
}

#[test]
fn dns_that_cannot_take_the_records_is_found() {
    let sample = Sample::cozystack();
    let host = |old: &str, new: &str| sample.clone().corefile("/host", old, new);
    let tenant = |old: &str, new: &str| sample.clone().corefile("/tenantClusters/0", old, new);
    let begin = "    # === BEGIN ouroboros (do not edit by hand) ===\n";
    assert_snapshot!(changes(&sample, [
        ("no ConfigMap", sample.clone().seen("/host/dnsConfigMaps", present([]))),
        ("H14: no import", tenant("    import /etc/coredns/custom/*.override\n", "")),
        ("H16: another opener", host(".:53 {", ".:53 { # main")),
        ("H17: a lone marker", host("    reload\n", &format!("    reload\n{begin}"))),
        ("H19: hairpin-proxy", host("    errors\n", "    errors\n    rewrite name dashboard.example.org hairpin-proxy.hairpin-proxy.svc.cluster.local # Added by hairpin-proxy\n")),
        ("H20: node-local-dns", sample.clone().more("/host/dnsConfigMaps", config_map("node-local-dns", "Corefile", "."))),
        ("H21: no reload", host("    reload\n", "")),
        ("H22: another domain", host("kubernetes cozy.local", "kubernetes cluster.local")),
        ("H22: no zone", host("kubernetes cozy.local in-addr.arpa ip6.arpa", "kubernetes")),
        (
            "H33: both ways",
            host("    reload\n", &format!("    reload\n{begin}    # === END ouroboros ===\n"))
                .more("/host/dnsConfigMaps", config_map("coredns-custom", "ouroboros.override", "rewrite name a.b c.d.\n")),
        ),
        ("external-dns needs no Corefile", sample.clone().seen("/host/dnsConfigMaps", present([])).with("/host", json!({"ouroboros": {"mode": "external-dns"}}))),
    ]), @"
    # no ConfigMap
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 0
    Fail Corefile (host) ConfigMap/kube-system/coredns: there is no Corefile: this cluster's DNS is not where the records go => find out which program answers the cluster's DNS, and choose an engine for the layer that fits it
    # H14: no import
    Fail LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (ImportDirectiveMissing): ConfigMap/kube-system/coredns: the server block for `.` does not import override files, so records in coredns-custom would have no effect => add this line to the server block of the Corefile, and mount ConfigMap coredns-custom there: import /etc/coredns/custom/*.override
    Fail ImportDirectiveMissing H14 (tenant tenant-acme/shop) ConfigMap/kube-system/coredns: The server block for `.` does not import override files, so records in `coredns-custom` have no effect. => Add this line to the server block, and mount ConfigMap coredns-custom there: import /etc/coredns/custom/*.override
    # H16: another opener
    Fail OpenerNotFound H16 (host) ConfigMap/kube-system/coredns: The server block for `.` at line 1, column 1 does not begin with a line `.:53 {`. CoreDNS does not mind, but ouroboros finds no other line and writes no records. => Write `.:53 {` alone on that line, and other zones as a server block of their own.
    # H17: a lone marker
    Fail MarkerAnomaly H17 (host) ConfigMap/kube-system/coredns: The markers of ouroboros are damaged at line 8: one of the two stands alone, so ouroboros writes a second block, and its cleanup fails. => Take out every line from the first marker to the last that does not belong to one whole block; ouroboros writes a missing block again.
    # H19: hairpin-proxy
    Warn HairpinProxyLeftOver H19 (host) ConfigMap/kube-system/coredns: Left over from hairpin-proxy: 1 line, the first at line 3. Where they stand before other records they win, because the first rule for a name does. => Uninstall hairpin-proxy, then take these lines out.
    # H20: node-local-dns
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 2
    Warn NodeLocalDns H20 (host) ConfigMap/kube-system/coredns: There is a ConfigMap `node-local-dns`: a cache on each node sends only names of the cluster's own zone to CoreDNS, so records for public names do not reach pods there. => Let the cache forward `.` to the cluster's DNS service, or use mode `etc-hosts`.
    # H21: no reload
    Warn ReloadMissing H21 (host) ConfigMap/kube-system/coredns: No server block has the plugin `reload`, so CoreDNS sees changed records only when it is restarted. => Add the line `reload` to the server block.
    # H22: another domain
    Fail ClusterDomain H22 (host) ConfigMap/kube-system/coredns: records lead to names in `cozy.local`, and the plugin `kubernetes` answers for cluster.local => correct the cluster's domain in the settings, or in the cluster
    # H22: no zone
    Fail ClusterDomain H22 (host) ConfigMap/kube-system/coredns: no plugin `kubernetes` names a zone, so `cozy.local` may be answered by nobody => name the zone: kubernetes cozy.local in-addr.arpa ip6.arpa
    # H33: both ways
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 2
    Warn ImportDirectiveMissing H14 (host) ConfigMap/kube-system/coredns: The server block for `.` does not import override files, so records in `coredns-custom` have no effect. => Add this line to the server block, and mount ConfigMap coredns-custom there: import /etc/coredns/custom/*.override
    Warn TwoModes H33 (host) ConfigMap/kube-system/coredns: The Corefile has a block of ouroboros, and `coredns-custom` has the key `ouroboros.override`: one of them is left over from another mode, and nobody keeps it up to date. => Take out the one whose mode is not in use any more.
    # external-dns needs no Corefile
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 0
    Ok Corefile (host) ConfigMap/kube-system/coredns: there is no Corefile, and the records do not need one
    ");
}

#[test]
fn a_corefile_is_judged_for_the_form_that_it_serves() {
    let form = |form: Value| {
        Sample::generic()
            .with("/host", json!({"engine": "static", "static": form}))
            .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
    };
    let manifest = "kind: ConfigMap\nmetadata: {name: coredns}\ndata:\n  Corefile: |\n    .:53 {\n        kubernetes cluster.local in-addr.arpa\n        forward . /etc/resolv.conf\n        reload\n    }\n";
    let file = "infra/coredns.yaml";
    let block = form(json!({"records": "corefile-block", "file": file})).file(file, manifest);
    let own = "    reload\n    # --- BEGIN bobbypin (generated, do not edit) ---\n    rewrite name www.example.net ouroboros-proxy.ouroboros.svc.cluster.local.\n    # --- END bobbypin ---\n";
    let there = block.clone().delivered().corefile("/host", "    reload\n", own);
    let line = "    import /etc/coredns/custom/*.override\n    hosts /etc/coredns/custom/bobbypin.hosts {\n        ttl 30\n        no_reverse\n        fallthrough\n    }\n";
    let hosts_file = form(json!({"records": "hosts-file"})).corefile("/host", "    reload\n", line);
    let mut told = String::new();
    for (name, sample) in [
        ("a block that is not there yet", block.clone()),
        (
            "another opener",
            block.clone().corefile("/host", ".:53 {", ". {").file(file, &manifest.replace(".:53 {", ". {")),
        ),
        ("a block", there.clone()),
        ("a block that Flux did not apply", block.clone().delivered()),
        ("a damaged block", there.clone().corefile("/host", "    # --- END bobbypin ---\n", "")),
        ("another name", there.corefile("/host", "www.example.net", "web.example.net")),
        ("no Corefile", block.seen("/host/dnsConfigMaps", present([]))),
        ("a hosts file, which needs no reload", hosts_file),
    ] {
        told.push_str(&format!("# {name}\n"));
        let lines = sample.told().into_iter();
        for line in
            lines.filter(|line| line.contains(" ConfigMap/kube-system/coredns: ") && !line.contains("ClusterDomain"))
        {
            told.push_str(&format!("{line}\n"));
        }
    }
    assert_snapshot!(told, @"
    # a block that is not there yet
    Ok Corefile (host) ConfigMap/kube-system/coredns: it can take the block of bobbypin
    # another opener
    Ok Corefile (host) ConfigMap/kube-system/coredns: it can take the block of bobbypin
    # a block
    Ok Corefile (host) ConfigMap/kube-system/coredns: it has the block of bobbypin
    # a block that Flux did not apply
    Ok BlockNotApplied (cluster) ConfigMap/kube-system/coredns: the live Corefile does not have the block of records of infra/coredns.yaml: Flux has not applied the file yet => when it stays so, look which Kustomization applies infra/coredns.yaml, and whether it is suspended or fails: flux get kustomizations -A
    Ok Corefile (host) ConfigMap/kube-system/coredns: it can take the block of bobbypin
    # a damaged block
    Warn CorefileDiffersFromGit (cluster) ConfigMap/kube-system/coredns: infra/coredns.yaml:12 says `}`, and line 6 of the live Corefile says `rewrite name www.example.net ouroboros-proxy.ouroboros.svc.cluster.local.`; the live one has another block of records than Git: Flux has not applied the file yet. When it applies infra/coredns.yaml, what the live one says is lost => write into infra/coredns.yaml what must stay, then look why Flux does not apply it: flux get kustomizations -A. The live one: kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}'
    Fail BlockDamaged (host) ConfigMap/kube-system/coredns: The comments around the records of bobbypin are damaged: there is `# --- BEGIN bobbypin (generated, do not edit) ---` at line 5, column 5, but no `# --- END bobbypin ---`. It does not edit such a Corefile. => Take out what is left of the block, with both comments; the next run writes it again.
    Warn RuleBeforeRecords H19 (host) ConfigMap/kube-system/coredns: A rewrite rule of somebody else comes first for 1 name, as for `www.example.net` at line 6, column 5. => Take the rule out, or leave the name out of the records.
    # another name
    Ok BlockNotApplied (cluster) ConfigMap/kube-system/coredns: the live Corefile has another block of records than infra/coredns.yaml: Flux has not applied the file yet => when it stays so, look which Kustomization applies infra/coredns.yaml, and whether it is suspended or fails: flux get kustomizations -A
    Ok RecordsOutOfDate (host) ConfigMap/kube-system/coredns: The records of bobbypin at line 6, column 1 are not those that are wanted: 1 name missing, as `www.example.net`, 1 name not wanted any more, as `web.example.net`. => Run bobbypin reconcile, and let Flux apply what it commits.
    # no Corefile
    Fail Corefile (host) ConfigMap/kube-system/coredns: there is no Corefile: this cluster's DNS is not where the records go => find out which program answers the cluster's DNS, and choose an engine for the layer that fits it
    # a hosts file, which needs no reload
    Ok Corefile (host) ConfigMap/kube-system/coredns: nothing in it stands in the way of the hosts file
    ");
}

#[test]
fn add_ons_that_will_not_work_are_found() {
    let sample = Sample::cozystack();
    let addons = |addons: Value| sample.clone().seen("/tenants/items/0", tenant_object(addons));
    let nginx = |method: &str, config: Value| json!({"enabled": true, "exposeMethod": method, "valuesOverride": {"ingress-nginx": {"controller": {"config": config}}}});
    let proxied = || nginx("LoadBalancer", json!({"use-proxy-protocol": "true"}));
    let with = |ouroboros: Value| {
        addons(json!({"ingressNginx": proxied(), "ouroboros": {"enabled": true, "valuesOverride": {"ouroboros": ouroboros}}}))
            .with("/tenants/overrides/0/delivery", json!("addon"))
    };
    assert_snapshot!(changes(&sample, [
        ("a wrong type", addons(json!({"ingressNginx": 5}))),
        ("G7: no ingress controller", addons(json!({"ouroboros": {"enabled": true}}))),
        ("H12: a text that is true", with(json!({"controller": {"gatewayApi": {"enabled": "false"}}}))),
        ("H13: mode coredns", with(json!({"controller": {"mode": "coredns"}}))),
        (
            "H14: other server blocks",
            addons(json!({"ingressNginx": proxied(), "coredns": {"valuesOverride": {"coredns": {"servers": []}}}})),
        ),
        (
            "H26: no PROXY headers",
            addons(json!({"ingressNginx": {"enabled": true, "exposeMethod": "LoadBalancer"}, "ouroboros": {"enabled": true}}))
                .with("/tenants/overrides/0/delivery", json!("addon"))
                .with("/tenants/overrides/0/proxyProtocol", json!(false)),
        ),
        ("H27: through the host", addons(json!({"ingressNginx": nginx("Proxied", json!({"use-proxy-protocol": "true"}))}))),
        (
            "H28: everybody is believed",
            addons(json!({"ingressNginx": nginx("LoadBalancer", json!({"use-proxy-protocol": "true", "use-forwarded-headers": "true"}))})),
        ),
        ("H35: a tag alone", with(json!({"image": {"tag": "0.8.1"}}))),
    ]), @r#"
    # a wrong type
    Fail LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (TenantObjectInvalid): the platform would refuse the tenant's object: `addons.ingressNginx` is a number; the platform needs a map there
    Fail TenantAddons (tenant tenant-acme/shop) Kubernetes/tenant-acme/shop: `addons.ingressNginx` is a number; the platform needs a map there => correct spec.addons of the tenant's object
    # G7: no ingress controller
    Fail LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (OwnedByPlatformAddon): the platform's add-on ouroboros is on in the tenant's own object => set spec.addons.ouroboros.enabled: false there, or delivery: addon for the tenant in cluster.yaml
    Fail OuroborosWithoutIngressNginx (tenant tenant-acme/shop) Kubernetes/tenant-acme/shop: `addons.ouroboros` is enabled while `addons.ingressNginx` is not: the tenant's chart stops, and no other change of the tenant lands either => Set `addons.ingressNginx.enabled: true`, or disable `addons.ouroboros` in the same edit.
    # H12: a text that is true
    Ok LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Remove (DeliveryChanged): the delivery or the engine changed: what Flux would leave behind is emptied first, and the new way follows when it was seen gone; what Flux would leave behind is emptied first, and dropped when it was seen gone
    Fail GatewayApiTakenForTrue H12 (tenant tenant-acme/shop) tenant-acme/shop: addons.ouroboros.valuesOverride.ouroboros.controller.gatewayApi.enabled: `"false"` counts as true in the chart, so the controller watches the Gateway API without its CRDs and crashes; the platform's guard does not see it. => Write `true` or `false`, without quotes.
    # H13: mode coredns
    Ok LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Remove (DeliveryChanged): the delivery or the engine changed: what Flux would leave behind is emptied first, and the new way follows when it was seen gone; what Flux would leave behind is emptied first, and dropped when it was seen gone
    Fail TenantModeCoredns H13 (tenant tenant-acme/shop) tenant-acme/shop: addons.ouroboros.valuesOverride.ouroboros.controller.mode: Mode `coredns` edits the Corefile, which the platform's CoreDNS release owns in a tenant: the two overwrite each other for ever. => Leave the mode out; in a tenant it is `coredns-import`.
    # H14: other server blocks
    Fail CorednsServersWithoutImport H14 (tenant tenant-acme/shop) tenant-acme/shop: addons.coredns.valuesOverride.coredns.servers: The override replaces the whole list of server blocks and lacks the line `import /etc/coredns/custom/*.override`: records never take effect. => Repeat the platform's plugins in the override, `import` with `/etc/coredns/custom/*.override` and `reload` among them.
    # H26: no PROXY headers
    Ok LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Remove (DeliveryChanged): the delivery or the engine changed: what Flux would leave behind is emptied first, and the new way follows when it was seen gone; what Flux would leave behind is emptied first, and dropped when it was seen gone
    Fail TenantNginxWithoutProxyProtocol H26 (tenant tenant-acme/shop) tenant-acme/shop: addons.ingressNginx.valuesOverride: The add-on sends PROXY headers to the tenant's ingress controller, which does not expect them and answers 400. => Set `ingress-nginx.controller.config.use-proxy-protocol: "true"` in the override, or disable the add-on.
    # H27: through the host
    Warn ProxiedWithProxyProtocol H27 (tenant tenant-acme/shop) tenant-acme/shop: addons.ingressNginx.valuesOverride.ingress-nginx.controller.config.use-proxy-protocol: The tenant is reached through the host's ingress controller, which passes TLS through without a PROXY header: connections from outside may be refused. => Set `ingressNginx.exposeMethod: LoadBalancer`, or make sure that something in between writes the headers.
    # H28: everybody is believed
    Warn ForwardedHeadersWithoutCidr H28 (tenant tenant-acme/shop) tenant-acme/shop: addons.ingressNginx.valuesOverride.ingress-nginx.controller.config.use-forwarded-headers: Every client may claim any address in `X-Forwarded-For`, because no `proxy-real-ip-cidr` says whom to believe. => Set `proxy-real-ip-cidr` to the load balancer's addresses, or drop `use-forwarded-headers`.
    # H35: a tag alone
    Ok LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Remove (DeliveryChanged): the delivery or the engine changed: what Flux would leave behind is emptied first, and the new way follows when it was seen gone; what Flux would leave behind is emptied first, and dropped when it was seen gone
    Warn ImageTagWithoutDigest H35 (tenant tenant-acme/shop) tenant-acme/shop: addons.ouroboros.valuesOverride.ouroboros.image.tag: The tag `0.8.1` replaces the platform's tag with its digest: the image is no longer pinned. => Write the digest into the tag, as in `0.8.1@sha256:…`.
    "#);
}

#[test]
fn releases_that_do_not_come_are_found() {
    let sample = Sample::cozystack();
    assert_snapshot!(changes(&sample, [
        ("not ready", sample.clone().seen("/helmReleases/items/0/status", not_ready("InstallFailed", "context deadline exceeded\nmore"))),
        ("suspended", sample.clone().seen("/helmReleases/items/1/spec/suspend", json!(true))),
        (
            "in progress",
            sample.clone().seen("/helmReleases/items/1/status/conditions/0/status", json!("Unknown")),
        ),
        ("not seen by its controller", sample.clone().seen("/helmReleases/items/0/status", Value::Null)),
        ("missing", sample.clone().seen("/helmReleases", present([]))),
        (
            "missing, and nothing is committed",
            sample.clone().seen("/helmReleases/items/0", Value::Null).file("clusters/edge/manifests/host/kustomization.yaml", ""),
        ),
    ]), @"
    # not ready
    Fail ReleaseReady (host) HelmRelease/cozy-ouroboros/ouroboros: not Ready (InstallFailed): context deadline exceeded
    more => mend what the message says; Flux tries again by itself
    # suspended
    Warn ReleaseReady (tenant tenant-acme/shop) HelmRelease/tenant-acme/kubernetes-shop-ouroboros: a person suspended it, and nothing resumes it but a person => flux resume helmrelease kubernetes-shop-ouroboros -n tenant-acme
    # in progress
    Warn ReleaseReady (tenant tenant-acme/shop) HelmRelease/tenant-acme/kubernetes-shop-ouroboros: its controller has not finished (Succeeded): done => wait for it; when it stays so, look at the controller's log
    # not seen by its controller
    Warn ReleaseReady (host) HelmRelease/cozy-ouroboros/ouroboros: no controller has looked at it yet => look whether the controllers of Flux run: flux check
    # missing
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 0, kustomizations 1, gitRepositories 1
    Warn ReleaseReady (host) HelmRelease: Git has the fix, and no HelmRelease installs ouroboros yet => flux get kustomizations -A
    Warn ReleaseReady (tenant tenant-acme/shop) HelmRelease: Git has the fix, and no HelmRelease installs ouroboros yet => flux get kustomizations -A
    # missing, and nothing is committed
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 1, kustomizations 1, gitRepositories 1
    Ok ReleaseReady (host) HelmRelease: none, and Git does not have the fix yet
    ");
}
