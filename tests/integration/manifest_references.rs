//! The checks of manifests against each other: names, lists, and which cluster gets what.

use bobbypin::manifest::MARK;

use crate::manifest_set::{HOST, TENANT, assert_problems, lawful, lines, path, rules, validate};

#[test]
fn an_object_that_is_declared_twice_is_refused_and_both_files_are_named() {
    let mut files = lawful();
    let source = files[&format!("{HOST}/source.yaml")].replace("/v1\n", "/v1beta2\n");
    files.insert(format!("{HOST}/again.yaml"), source);
    let list = files.get_mut(&format!("{HOST}/kustomization.yaml")).expect("a lawful file");
    *list = list.replace("resources:\n", "resources:\n- again.yaml\n");
    assert_eq!(
        lines(&validate(&files, &rules())),
        ["host/source.yaml[1] Duplicate: OCIRepository/flux-system/ouroboros is also declared in \
         `clusters/edge/manifests/host/again.yaml`, document 1"]
    );
    // The same object in the host cluster and in a tenant cluster is two objects.
    let mut files = lawful();
    files.insert(format!("{HOST}/coredns.yaml"), files[&format!("{TENANT}/cluster/coredns.yaml")].clone());
    let list = files.get_mut(&format!("{HOST}/kustomization.yaml")).expect("a lawful file");
    *list = list.replace("resources:\n", "resources:\n- coredns.yaml\n");
    assert_eq!(lines(&validate(&files, &rules())), [""; 0]);
}

#[test]
fn a_patch_declares_nothing() {
    let mut files = lawful();
    files.insert(format!("{TENANT}/tenant.yaml"), files[&format!("{TENANT}/addon/patch.yaml")].clone());
    files.get_mut(&format!("{TENANT}/kustomization.yaml")).expect("a lawful file").push_str("- tenant.yaml\n");
    assert_eq!(lines(&validate(&files, &rules())), [""; 0]);
}

#[test]
fn the_namespace_of_an_object_exists_in_its_own_cluster_and_not_in_another() {
    let own = "  targetNamespace: flux-system\n";
    assert_problems(
        "host/helmrelease.yaml",
        "  targetNamespace: ouroboros\n  install:\n    createNamespace: true\n",
        own,
        &[],
    );
    let install = "  targetNamespace: cozy-ouroboros\n  storageNamespace: cozy-ouroboros\n  install:\n    createNamespace: true\n";
    assert_problems(
        "shop/objects.yaml",
        install,
        "  targetNamespace: acme\n",
        &["shop/objects.yaml[2]/spec/targetNamespace Reference: nothing creates the namespace `acme` there"],
    );
}

#[test]
fn what_is_referred_to_must_be_declared_or_exist() {
    let nowhere =
        |file: &str, pointer: &str, id: &str| format!("{file}[1]{pointer} Reference: {id} is declared nowhere");
    let release = "host/helmrelease.yaml";
    for (file, from, to, expected) in [
        (
            release,
            "    name: ouroboros\n",
            "    name: other\n",
            nowhere(release, "/spec/chartRef", "OCIRepository/flux-system/other"),
        ),
        (
            release,
            "    name: ouroboros\n",
            "",
            format!("{release}[1]/spec/chartRef Reference: it has no kind or no name"),
        ),
        (
            release,
            "  chartRef:\n    kind: OCIRepository\n    name: ouroboros\n",
            "  chart:\n    spec:\n      sourceRef:\n        kind: HelmRepository\n        name: a\n        namespace: b\n",
            nowhere(release, "/spec/chart/spec/sourceRef", "HelmRepository/b/a"),
        ),
        (
            release,
            "    createNamespace: true\n",
            "    createNamespace: false\n",
            format!("{release}[1]/spec/targetNamespace Reference: nothing creates the namespace `ouroboros` there"),
        ),
        (
            release,
            "  install:\n",
            "  storageNamespace: elsewhere\n  install:\n",
            format!("{release}[1]/spec/storageNamespace Reference: nothing creates the namespace `elsewhere` there"),
        ),
        (
            release,
            "  install:\n",
            "  valuesFrom:\n  - {kind: Secret, name: a, optional: true}\n  - {kind: ConfigMap, name: b}\n  install:\n",
            nowhere(release, "/spec/valuesFrom/1", "ConfigMap/flux-system/b"),
        ),
        (
            release,
            "  install:\n",
            "  dependsOn:\n  - name: ouroboros\n  - {name: ouroboros, namespace: acme}\n  - name: a\n  install:\n",
            nowhere(release, "/spec/dependsOn/2", "HelmRelease/flux-system/a"),
        ),
        (
            "shop/records.yaml",
            "name: shop-admin-kubeconfig",
            "name: other",
            nowhere("shop/records.yaml", "/spec/kubeConfig/secretRef/name", "Secret/acme/other"),
        ),
        (
            "shop/records.yaml",
            "    namespace: flux-system\n",
            "",
            nowhere("shop/records.yaml", "/spec/sourceRef", "GitRepository/acme/flux-system"),
        ),
        (
            "shop/records.yaml",
            "    secretRef:\n      name: shop-admin-kubeconfig\n",
            "    configMapRef:\n      name: a\n",
            nowhere("shop/records.yaml", "/spec/kubeConfig/configMapRef/name", "ConfigMap/acme/a"),
        ),
        (
            "shop/records.yaml",
            "  prune: true\n",
            "  prune: true\n  dependsOn:\n  - name: shop-records\n  - name: a\n",
            nowhere("shop/records.yaml", "/spec/dependsOn/1", "Kustomization/acme/a"),
        ),
        (
            "shop/records.yaml",
            "  prune: true\n",
            "  prune: true\n  targetNamespace: nowhere\n",
            "shop/records.yaml[1]/spec/targetNamespace Reference: nothing creates the namespace `nowhere` there"
                .to_owned(),
        ),
    ] {
        assert_problems(file, from, to, &[&expected]);
    }
}

#[test]
fn a_folder_that_flux_is_told_to_apply_exists() {
    let from = "manifests/tenants/acme/shop/cluster";
    assert_problems(
        "shop/records.yaml",
        from,
        "manifests/tenants/acme/other",
        &[
            "shop/cluster/kustomization.yaml[0] Unlisted: `clusters/edge/manifests/tenants/acme/shop/kustomization.yaml` does not \
         list it, so nobody would apply it",
            "shop/records.yaml[1]/spec/path Reference: `clusters/edge/manifests/tenants/acme/other` does not exist",
        ],
    );
}

#[test]
fn a_namespace_counts_in_the_cluster_that_it_is_declared_for() {
    let mut files = lawful();
    let records = files.get_mut(&format!("{TENANT}/records.yaml")).expect("a lawful file");
    *records = records.replace("  prune: true\n", "  prune: true\n  targetNamespace: records\n");
    let namespace = format!("{MARK}\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: records\n");
    for (folder, problems) in [(TENANT.to_owned(), 1), (format!("{TENANT}/cluster"), 0)] {
        let mut files = files.clone();
        files.insert(format!("{folder}/namespace.yaml"), namespace.clone());
        files.get_mut(&format!("{folder}/kustomization.yaml")).expect("a lawful file").push_str("- namespace.yaml\n");
        assert_eq!(lines(&validate(&files, &rules())).len(), problems, "{folder}");
    }
}

#[test]
fn the_objects_of_a_tenant_never_reach_the_host_nor_the_other_way_round() {
    assert_problems(
        "shop/records.yaml",
        "  kubeConfig:\n    secretRef:\n      name: shop-admin-kubeconfig\n",
        "",
        &[
            "shop/records.yaml[1]/spec/path Reference: it would apply `clusters/edge/manifests/tenants/acme/shop/cluster/coredns.yaml` \
         to the wrong cluster",
        ],
    );
    assert_problems(
        "shop/records.yaml",
        "manifests/tenants/acme/shop/cluster",
        "manifests/host",
        &[
            "shop/cluster/kustomization.yaml[0] Unlisted: `clusters/edge/manifests/tenants/acme/shop/kustomization.yaml` does not \
         list it, so nobody would apply it",
            "shop/records.yaml[1]/spec/path Reference: it would apply `clusters/edge/manifests/host/helmrelease.yaml` to the wrong \
         cluster",
        ],
    );
    assert_problems(
        "shop/kustomization.yaml",
        "- records.yaml\n",
        "- records.yaml\n- cluster\n",
        &[
            "shop/kustomization.yaml[1]/resources/2 Listing: `cluster` is for the tenant cluster and would be applied to the host",
        ],
    );
    assert_problems(
        "shop/kustomization.yaml",
        "- records.yaml\n",
        "- records.yaml\n- cluster/coredns.yaml\n",
        &[
            "shop/kustomization.yaml[1]/resources/2 Listing: `cluster/coredns.yaml` is for the tenant cluster and would be applied to \
         the host",
        ],
    );
}

#[test]
fn what_is_listed_exists_and_what_exists_is_listed() {
    const FILE: &str = "host/kustomization.yaml";
    let unlisted = "host/source.yaml[0] Unlisted: `clusters/edge/manifests/host/kustomization.yaml` does not list it, so nobody \
                    would apply it";
    for (from, to, expected) in [
        ("- source.yaml\n", "", &[unlisted][..]),
        (
            "- source.yaml\n",
            "- sources.yaml\n",
            &["host/kustomization.yaml[1]/resources/1 Listing: `sources.yaml` does not exist", unlisted],
        ),
        (
            "- source.yaml\n",
            "- ./source.yaml\n- ../host/source.yaml\n",
            &["host/kustomization.yaml[1]/resources/2 Listing: `../host/source.yaml` is listed twice"],
        ),
        (
            "- source.yaml\n",
            "- source.yaml\n- https://example.org/x.yaml\n",
            &[
                "host/kustomization.yaml[1]/resources/2 Listing: `https://example.org/x.yaml` is not a path inside the repository",
            ],
        ),
        (
            "- source.yaml\n",
            "- source.yaml\n- ../../../../../x.yaml\n",
            &[
                "host/kustomization.yaml[1]/resources/2 Listing: `../../../../../x.yaml` is not a path inside the repository",
            ],
        ),
        (
            "- source.yaml\n",
            "- source.yaml\ncomponents:\n- ../tenants/acme/shop\n",
            &[
                "host/kustomization.yaml[1]/components/0 Listing: `../tenants/acme/shop` is of the other kind: it belongs below \
               `resources`",
            ],
        ),
    ] {
        assert_problems(FILE, from, to, expected);
    }
    assert_problems(
        "kustomization.yaml",
        "- host\n",
        "",
        &[
            "host/kustomization.yaml[0] Unlisted: `clusters/edge/manifests/kustomization.yaml` does not list it, so nobody would \
         apply it",
        ],
    );
    assert_problems(
        "shop/addon/kustomization.yaml",
        "patch.yaml",
        "other.yaml",
        &[
            "shop/addon/kustomization.yaml[1]/patches/0/path Listing: `other.yaml` does not exist",
            "shop/addon/patch.yaml[0] Unlisted: `clusters/edge/manifests/tenants/acme/shop/addon/kustomization.yaml` does not list \
         it, so nobody would apply it",
        ],
    );
    // The folder of a layer that is held is not rendered, and stays.
    let mut files = lawful();
    let list = files.get_mut("clusters/edge/manifests/kustomization.yaml").expect("a lawful file");
    *list = list.replace("- host\n", "- host\n- tenants/acme/held\n");
    let mut rules = rules();
    assert_eq!(lines(&validate(&files, &rules)).len(), 1);
    rules.existing_paths.insert(path("clusters/edge/manifests/tenants/acme/held"));
    assert_eq!(lines(&validate(&files, &rules)), [""; 0]);
    // A single file below it may be rendered: the list there stands in the repository, and has it.
    let file = format!(
        "{MARK}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coredns-custom\n  namespace: kube-system\n"
    );
    files.insert("clusters/edge/manifests/tenants/acme/held/coredns-custom.yaml".to_owned(), file);
    assert_eq!(lines(&validate(&files, &rules)), Vec::<String>::new());
}
