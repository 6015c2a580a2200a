mod flux;
mod names;
mod platform;
mod reading;
mod sample;

use insta::assert_snapshot;

use sample::Sample;

#[test]
fn a_healthy_cozystack_is_told_to_be_healthy() {
    assert_snapshot!(Sample::cozystack().told().join("\n"), @"
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 2, kustomizations 1, gitRepositories 1
    Ok InventoryAge (cluster) inventory: recorded at 2026-11-20T10:00:00Z
    Ok ClusterIdentity (cluster) cluster edge: its UID is 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, as spec.access.uid says
    Ok FluxAppliesSettings (cluster) Kustomization/flux-system/flux-system: it comes to the manifests, and to none of the settings beside them
    Ok FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads clusters/edge
    Ok FluxSourceReady (cluster) GitRepository/flux-system/flux-system: Ready (Succeeded)
    Ok FluxSourceBranch (cluster) GitRepository/flux-system/flux-system: it reads the branch main, to which commits go
    Ok FluxReaderReady (cluster) Kustomization/flux-system/flux-system: Ready (Succeeded); applied main@sha1:0123456
    Ok FluxReaderPrunes (cluster) Kustomization/flux-system/flux-system: what goes from Git goes from the cluster
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok LayerDecision (host) host: Deliver by overlay (ProxyProtocolOn): the platform's load balancer sends PROXY headers (publishing.proxyProtocol)
    Ok PlatformVersion (host) spec.platform.version: v1.6.2 is declared, and the live settings are those of v1.6.0 and newer
    Ok PlatformValues (host) platform: v1.6.2, variant isp-full: proxyProtocol on, gateway mode off, no unknown key
    Ok LiveSetting (host) Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, gateway-enabled, proxy-protocol, root-host
    Ok DisabledPackage H4 (host) Package/cozystack.ouroboros: bundles.disabledPackages does not name it
    Ok LoadBalancerClass H25 (host) Service/tenant-root/root-ingress-controller: its type is ClusterIP
    Ok IngressService (host) Service/tenant-root/root-ingress-controller: ClusterIP, 10.96.0.10
    Ok ProxyService (host) Service/cozy-ouroboros/ouroboros-proxy: 10.96.0.20
    Ok Corefile (host) ConfigMap/kube-system/coredns: it can take the block of ouroboros
    Ok ClusterDomain H22 (host) ConfigMap/kube-system/coredns: the plugin `kubernetes` answers for cozy.local
    Ok Hosts H15 (host) Ingresses: 2 names with TLS in 2 Ingresses of class tenant-root
    Ok IngressClass H6 (host) Ingresses: every Ingress with TLS is of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (2) is in a tls section
    Ok HostWildcard (host) Ingresses: no wildcard
    Ok HostSpelling H41 (host) Ingresses: every name can be a record
    Ok HostInClusterDomain H42 (host) Ingresses: no name lies in cozy.local
    Ok ForeignHost H45 (host) Ingresses: every name lies under the platform's host or a suffix of hostnames.delegations
    Ok ReleaseReady (host) HelmRelease/cozy-ouroboros/ouroboros: Ready (Succeeded)
    Ok SourceRead (tenant tenant-acme/shop) inventory: uid 1, ingresses 1, services 2, dnsConfigMaps 1
    Ok TenantIdentity (tenant tenant-acme/shop) tenant tenant-acme/shop: its UID is uid-of-shop, as state.yaml remembers it
    Ok LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Deliver by remoteHelmRelease (ProxyProtocolOn): the tenant's ingress controller accepts PROXY headers
    Ok IngressService (tenant tenant-acme/shop) Service/cozy-ingress-nginx/ingress-nginx-controller: ClusterIP, 10.95.0.11
    Ok ProxyService (tenant tenant-acme/shop) Service/cozy-ouroboros/ouroboros-proxy: 10.96.0.20
    Ok Corefile (tenant tenant-acme/shop) ConfigMap/kube-system/coredns: it imports override files
    Ok ClusterDomain H22 (tenant tenant-acme/shop) ConfigMap/kube-system/coredns: the plugin `kubernetes` answers for cluster.local
    Ok Hosts H15 (tenant tenant-acme/shop) Ingresses: 1 name with TLS in 1 Ingress
    Ok HostWithoutTls H7 (tenant tenant-acme/shop) Ingresses: every host of a rule (1) is in a tls section
    Ok HostWildcard (tenant tenant-acme/shop) Ingresses: no wildcard
    Ok HostSpelling H41 (tenant tenant-acme/shop) Ingresses: every name can be a record
    Ok HostInClusterDomain H42 (tenant tenant-acme/shop) Ingresses: no name lies in cluster.local
    Ok TenantAddons (tenant tenant-acme/shop) Kubernetes/tenant-acme/shop: ouroboros off, ingressNginx on, PROXY headers expected
    Ok ReleaseReady (tenant tenant-acme/shop) HelmRelease/tenant-acme/kubernetes-shop-ouroboros: Ready (Succeeded)
    ");
}

#[test]
fn a_healthy_cluster_of_no_platform_is_told_to_be_healthy() {
    assert_snapshot!(Sample::generic().told().join("\n"), @"
    Ok SourceRead (cluster) inventory: helmReleases 1, kustomizations 1, gitRepositories 1
    Ok InventoryAge (cluster) inventory: recorded at 2026-11-20T10:00:00Z
    Ok ClusterIdentity (cluster) cluster edge: its UID is 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, as spec.access.uid says
    Ok FluxAppliesSettings (cluster) Kustomization/flux-system/flux-system: it comes to the manifests, and to none of the settings beside them
    Ok FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads clusters/edge
    Ok FluxSourceReady (cluster) GitRepository/flux-system/flux-system: Ready (Succeeded)
    Ok FluxSourceBranch (cluster) GitRepository/flux-system/flux-system: it reads the branch main, to which commits go
    Ok FluxReaderReady (cluster) Kustomization/flux-system/flux-system: Ready (Succeeded); applied main@sha1:0123456
    Ok FluxReaderPrunes (cluster) Kustomization/flux-system/flux-system: what goes from Git goes from the cluster
    Ok SourceRead (host) inventory: uid 1, ingresses 1, services 2, dnsConfigMaps 1
    Ok LayerDecision (host) host: Deliver by helmRelease (ProxyProtocolOn): the load balancer sends PROXY headers (ingress.proxyProtocol)
    Ok IngressService (host) Service/ingress-nginx/ingress-nginx-controller: ClusterIP, 10.96.0.10
    Ok ProxyService (host) Service/ouroboros/ouroboros-proxy: 10.96.0.20
    Ok Corefile (host) ConfigMap/kube-system/coredns: it can take the block of ouroboros
    Ok ClusterDomain H22 (host) ConfigMap/kube-system/coredns: the plugin `kubernetes` answers for cluster.local
    Ok Hosts H15 (host) Ingresses: 1 name with TLS in 1 Ingress of class nginx
    Ok IngressClass H6 (host) Ingresses: every Ingress with TLS is of class nginx
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (1) is in a tls section
    Ok HostWildcard (host) Ingresses: no wildcard
    Ok HostSpelling H41 (host) Ingresses: every name can be a record
    Ok HostInClusterDomain H42 (host) Ingresses: no name lies in cluster.local
    Ok ForeignHost H45 (host) Ingresses: nothing says which names are whose (hostnames.delegations): none was compared
    Ok ReleaseReady (host) HelmRelease/ouroboros/ouroboros: Ready (Succeeded)
    ");
}
