use insta::assert_snapshot;

use super::*;

/// Everything that was found and left open, a line each: what is named, what it is, who needs it, when and where.
fn told(files: &[(&str, &str)]) -> String {
    let files: Vec<_> = files.iter().map(|&(path, text)| File { path, text }).collect();
    let scan = scan(&files).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let short = |text: String| text.replace(&"0".repeat(58), "…");
    let found = scan.found.iter().map(|Found { reference, kind, user, usage, place }| {
        short(format!("{} {reference} | {user} {usage} | {place} {}\n", kind.as_str(), place.key))
    });
    let open = scan.open.iter().map(|Open { user, place, why }| format!("? {user} | {place} {} {why}\n", place.key));
    found.chain(open).collect()
}

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

#[test]
fn every_kind_with_pods_is_looked_into_and_says_when_they_run() {
    let pod = "{containers: [{name: a, image: alpine}], initContainers: [{name: i, image: \"quay.io/acme/init:1\"}], \
               volumes: [{name: v, image: {reference: \"quay.io/acme/volume:1\"}}]}";
    let template = format!("template: {{spec: {pod}}}");
    let object = |kind: &str, name: &str, spec: &str| {
        format!("apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: web}}\n{spec}\n---\n")
    };
    let text = [
        object("Pod", "one", &format!("spec: {pod}")),
        object("Pod", "over", "spec: {containers: [{name: a, image: \"quay.io/acme/over:1\"}]}\nstatus: {phase: Succeeded}"),
        object("Deployment", "idle", "spec: {replicas: 0, template: {spec: {containers: [{name: a, image: \"quay.io/acme/idle:1\"}]}}}"),
        object("StatefulSet", "db", &format!("spec: {{replicas: 3, {template}}}")),
        object("PodTemplate", "t", "template: {spec: {containers: [{name: a, image: \"quay.io/acme/template:1\"}]}}"),
        object("CronJob", "nightly", "spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: \"quay.io/acme/job:1\"}]}}}}}"),
        object("CronJob", "off", "spec: {suspend: true, jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: \"quay.io/acme/off:1\"}]}}}}}"),
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-delete}}\nspec: {template: {spec: \
         {ephemeralContainers: [{name: a, image: \"quay.io/acme/hook:1\"}]}}}\n"
            .to_owned(),
    ]
    .concat();
    assert_snapshot!(told(&[("app.yaml", &text)]), @"
    image docker.io/library/alpine:latest | Pod/web/one needs it now | app.yaml:4:38 spec.containers[0].image
    image docker.io/library/alpine:latest | StatefulSet/web/db needs it now | app.yaml:20:69 spec.template.spec.containers[0].image
    image quay.io/acme/hook:1 | Job/hook needs it for a hook | app.yaml:40:65 spec.template.spec.ephemeralContainers[0].image
    image quay.io/acme/idle:1 | Deployment/web/idle is scaled to zero | app.yaml:15:69 spec.template.spec.containers[0].image
    image quay.io/acme/init:1 | Pod/web/one needs it now | app.yaml:4:82 spec.initContainers[0].image
    image quay.io/acme/init:1 | StatefulSet/web/db needs it now | app.yaml:20:113 spec.template.spec.initContainers[0].image
    image quay.io/acme/job:1 | CronJob/web/nightly runs on a schedule | app.yaml:30:77 spec.jobTemplate.spec.template.spec.containers[0].image
    image quay.io/acme/off:1 | CronJob/web/off is a schedule that is suspended | app.yaml:35:92 spec.jobTemplate.spec.template.spec.containers[0].image
    image quay.io/acme/over:1 | Pod/web/over ran to its end | app.yaml:9:38 spec.containers[0].image
    image quay.io/acme/template:1 | PodTemplate/web/t may need it | app.yaml:25:49 template.spec.containers[0].image
    image quay.io/acme/volume:1 | Pod/web/one needs it now | app.yaml:4:146 spec.volumes[0].image.reference
    image quay.io/acme/volume:1 | StatefulSet/web/db needs it now | app.yaml:20:177 spec.template.spec.volumes[0].image.reference
    ");
}

#[test]
fn lists_and_resources_of_other_controllers_are_looked_into_and_talk_about_images_is_not() {
    let text = "apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent}
  spec: {template: {spec: {containers: [{name: a, image: 'localhost:5000/agent'}]}}}
- apiVersion: v1
  kind: PodList
  items:
  - {apiVersion: v1, kind: Pod, metadata: {name: in-a-list}, spec: {containers: [{name: a, image: 'quay.io/acme/listed:1'}]}}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: db}
spec: {imageName: ghcr.io/acme/postgresql:17.2}
---
apiVersion: pkg.crossplane.io/v1
kind: Provider
metadata: {name: provider}
spec: {package: 'xpkg.example.org/acme/provider:v1'}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: fn}
spec: {template: {spec: {containers: [{name: fn, image: 'quay.io/acme/fn:1'}]}}}
---
apiVersion: example.org/v1
kind: Site
metadata: {name: site, annotations: {image: 'quay.io/acme/annotation:1'}}
spec: {image: logo.png, logoImage: 'https://example.org/logo:1', bannerImage: images/banner.png, icon: 'quay.io/acme/icon:1', heroImage: site/hero}
status: {image: 'quay.io/acme/status:1'}
---
apiVersion: cozystack.io/v1alpha1
kind: Package
metadata: {name: cozystack.ouroboros}
spec: {components: {ouroboros: {values: {ouroboros: {image: {repository: ghcr.io/acme/proxy, tag: '1'}}}}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: sites.example.org}
spec: {versions: [{schema: {openAPIV3Schema: {properties: {image: {default: 'quay.io/acme/schema:1'}}}}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: docs}
data: {image: 'quay.io/acme/docs:1'}
---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
images: [{name: nginx, newName: quay.io/acme/nginx, newTag: '1'}, {name: quay.io/acme/web, digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000001'}, {name: a, newName: quay.io/acme/b}]
";
    assert_snapshot!(told(&[("app.yaml", text)]), @"
    image ghcr.io/acme/postgresql:17.2 | Cluster/db needs it now | app.yaml:16:19 spec.imageName
    image ghcr.io/acme/proxy:1 | Package/cozystack.ouroboros needs it now | app.yaml:37:99 spec.components.ouroboros.values.ouroboros.image
    image localhost:5000/agent:latest | DaemonSet/agent needs it now | app.yaml:7:58 spec.template.spec.containers[0].image
    image quay.io/acme/fn:1 | Service/fn needs it now | app.yaml:26:57 spec.template.spec.containers[0].image
    image quay.io/acme/listed:1 | Pod/in-a-list needs it now | app.yaml:11:99 spec.containers[0].image
    image quay.io/acme/nginx:1 | Kustomization/app.yaml needs it now | app.yaml:51:10 images[0]
    image quay.io/acme/web@sha256:…000001 | Kustomization/app.yaml needs it now | app.yaml:51:67 images[1]
    image xpkg.example.org/acme/provider:v1 | Provider/provider needs it now | app.yaml:21:17 spec.package
    ? Kustomization/app.yaml | app.yaml:51:176 images[2] has no tag, so something else chooses one
    ");
}

#[test]
fn values_are_read_as_charts_write_them() {
    let text = format!(
        "image: {{repository: quay.io/acme/web, tag: '1.2'}}
sidecar: {{image: {{registry: quay.io, repository: acme/side, tag: '1', digest: {DIGEST}}}}}
kubectl: {{repository: alpine, tag: '3', pullPolicy: Always}}
source: {{repository: 'https://example.org/acme/web.git', tag: v1}}
number: {{repository: quay.io/acme/number, tag: 1.10}}
pinned: {{repository: quay.io/acme/pinned, tag: '1@{DIGEST}'}}
empty: {{image: {{repository: quay.io/acme/empty, tag: ''}}}}
partial: {{image: {{tag: '1'}}}}
split: {{image: quay.io/acme/split, tag: '2'}}
text: {{operatorImage: 'quay.io/acme/operator:1', image: nginx}}
args: ['--agent=x', 'quay.io/acme/agent@{DIGEST}']
images: ['quay.io/acme/first:1', second]
template: {{image: 'quay.io/acme/web:${{TAG}}'}}
cleanupHookImage: {{repository: quay.io/acme/hook, tag: '1'}}
"
    );
    assert_snapshot!(told(&[("apps/web/values.yaml", &text), ("compose.yaml", "image: quay.io/acme/compose:1\n")]), @"
    image docker.io/library/alpine:3 | apps/web/values.yaml may need it | apps/web/values.yaml:3:36 kubectl
    image quay.io/acme/agent@sha256:…000001 | apps/web/values.yaml may need it | apps/web/values.yaml:11:21 args[1]
    image quay.io/acme/first:1 | apps/web/values.yaml may need it | apps/web/values.yaml:12:10 images[0]
    image quay.io/acme/hook:1 | apps/web/values.yaml may need it | apps/web/values.yaml:14:56 cleanupHookImage
    image quay.io/acme/number:1.1 | apps/web/values.yaml may need it | apps/web/values.yaml:5:48 number
    image quay.io/acme/number:1.10 | apps/web/values.yaml may need it | apps/web/values.yaml:5:48 number
    image quay.io/acme/operator:1 | apps/web/values.yaml may need it | apps/web/values.yaml:10:23 text.operatorImage
    image quay.io/acme/pinned:1@sha256:…000001 | apps/web/values.yaml may need it | apps/web/values.yaml:6:48 pinned
    image quay.io/acme/side:1@sha256:…000001 | apps/web/values.yaml may need it | apps/web/values.yaml:2:66 sidecar.image
    image quay.io/acme/split:2 | apps/web/values.yaml may need it | apps/web/values.yaml:9:16 split.image
    image quay.io/acme/web:1.2 | apps/web/values.yaml may need it | apps/web/values.yaml:1:44 image
    ? apps/web/values.yaml | apps/web/values.yaml:7:54 empty.image has no tag, so something else chooses one
    ? apps/web/values.yaml | apps/web/values.yaml:8:18 partial.image has no repository, so the chart's own one is meant
    ? apps/web/values.yaml | apps/web/values.yaml:13:19 template.image has variables in it
    ");
}

#[test]
fn flux_brings_charts_and_artifacts_together_from_several_files() {
    let sources = format!(
        "apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: chart, namespace: web}}
spec: {{url: 'oci://quay.io/acme/charts/web', ref: {{tag: '1.0.0', digest: {DIGEST}}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: manifests, namespace: web}}
spec: {{suspend: true, url: 'oci://quay.io/acme/manifests', ref: {{tag: latest}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: range, namespace: web}}
spec: {{url: 'oci://quay.io/acme/range', ref: {{semver: '>=1.0'}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: charts, namespace: flux}}
spec: {{type: oci, url: 'oci://quay.io/acme/charts/'}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: pages, namespace: flux}}
spec: {{url: 'https://charts.example.org'}}
"
    );
    let release = |name: &str, chart: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}, namespace: web}}\nspec: {{{chart}}}\n---\n"
        )
    };
    let from = |source: &str, version: &str| {
        format!(
            "chart: {{spec: {{chart: shop, version: '{version}', sourceRef: {{kind: HelmRepository, name: {source}, namespace: flux}}}}}}"
        )
    };
    let releases = [
        release("by-ref", "suspend: true, chartRef: {kind: OCIRepository, name: chart}"),
        release("by-version", &from("charts", "1.2.3+4")),
        release("by-range", &from("charts", "1.x")),
        release("of-pages", &from("pages", "1.0.0")),
        release("of-nowhere", &from("missing", "1.0.0")),
        release("from-a-map", "suspend: true, valuesFrom: [{kind: ConfigMap, name: values}, {kind: Secret, name: s}]"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: web}\ndata:\n  values.yaml: |\n    image:\n      \
         repository: quay.io/acme/mapped\n      tag: \"1\"\n---\n"
            .to_owned(),
        release("with-values", "values: {image: {repository: quay.io/acme/web, tag: '1'}}, postRenderers: [{kustomize: {images: [{name: a, newTag: '2'}]}}]"),
    ]
    .concat();
    assert_snapshot!(told(&[("releases.yaml", &releases), ("sources.yaml", &sources)]), @r#"
    image docker.io/library/a:2 | HelmRelease/web/with-values needs it now | releases.yaml:43:105 spec.postRenderers[0].kustomize.images[0]
    chart quay.io/acme/charts/shop:1.2.3_4 | HelmRelease/web/by-version needs it now | releases.yaml:9:30 spec.chart
    chart quay.io/acme/charts/web:1.0.0@sha256:…000001 | HelmRelease/web/by-ref is suspended | sources.yaml:4:13 spec.url
    chart quay.io/acme/charts/web:1.0.0@sha256:…000001 | OCIRepository/web/chart needs it now | sources.yaml:4:13 spec.url
    artifact quay.io/acme/manifests:latest | OCIRepository/web/manifests is suspended | sources.yaml:9:28 spec.url
    image quay.io/acme/mapped:1 | HelmRelease/web/from-a-map is suspended | releases.yaml:38:12 data["values.yaml"].image
    image quay.io/acme/web:1 | HelmRelease/web/with-values needs it now | releases.yaml:43:60 spec.values.image
    ? HelmRelease/web/by-range | releases.yaml:14:30 spec.chart is a range of versions
    ? HelmRelease/web/of-nowhere | releases.yaml:24:30 spec.chart names a source that is not in these files
    ? OCIRepository/web/range | sources.yaml:14:13 spec.url is a range of versions
    "#);
}

#[test]
fn what_a_policy_selects_is_needed_by_everything_that_has_its_marker() {
    let image = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: cms, namespace: web}
spec: {image: git.example.org/acme/cms}
---
";
    let policy = |name: &str, version: &str, rest: &str| {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/{version}\nkind: ImagePolicy\nmetadata: {{name: {name}, namespace: web}}\n{rest}\n---\n"
        )
    };
    let spec = |rest: &str| format!("spec: {{imageRepositoryRef: {{name: cms}}, {rest}}}");
    let policies = [
        image.to_owned(),
        policy("literal", "v1", &spec("filterTags: {pattern: '^v1\\.2-staging$'}, policy: {alphabetical: {}}")),
        policy("pattern", "v1", &spec("filterTags: {pattern: '^v1.2$'}, policy: {alphabetical: {}}")),
        policy("exact", "v1beta2", &spec("policy: {semver: {range: 1.2.3}}")),
        policy("range", "v1", &spec("policy: {semver: {range: '>=1.0.0'}}")),
        policy(
            "known",
            "v1",
            &(spec("policy: {semver: {range: '>=1.0.0'}}")
                + &format!(
                    "\nstatus: {{latestRef: {{name: git.example.org/acme/cms, tag: 1.9.0, digest: {DIGEST}}}}}"
                )),
        ),
        policy(
            "older",
            "v1beta2",
            &(spec("policy: {semver: {range: '>=1.0.0'}}")
                + "\nstatus: {latestImage: 'git.example.org/acme/cms:1.8.0'}"),
        ),
        policy("of-others", "v1", "spec: {imageRepositoryRef: {name: other}, policy: {semver: {range: 1.0.0}}}"),
    ]
    .concat();
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cms, namespace: web}
spec:
  suspend: true
  values:
    image:
      repository: git.example.org/acme/cms
      tag: \"\" # {\"$imagepolicy\": \"web:literal:tag\"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cms, namespace: web}
spec:
  template:
    spec:
      containers:
      - name: cms
        image: git.example.org/acme/cms:1.7.0 # {\"$imagepolicy\": \"web:range\"}
";
    assert_snapshot!(told(&[("policies.yaml", &policies), ("release.yaml", release)]), @"
    image git.example.org/acme/cms:1.2.3 | ImagePolicy/web/exact selects it | policies.yaml:19:7 spec
    image git.example.org/acme/cms:1.7.0 | Deployment/web/cms needs it now | release.yaml:19:16 spec.template.spec.containers[0].image
    image git.example.org/acme/cms:1.8.0 | ImagePolicy/web/older selects it | policies.yaml:35:7 spec
    image git.example.org/acme/cms:1.9.0@sha256:…000001 | ImagePolicy/web/known selects it | policies.yaml:29:7 spec
    image git.example.org/acme/cms:v1.2-staging | HelmRelease/web/cms is suspended | policies.yaml:9:7 spec
    image git.example.org/acme/cms:v1.2-staging | ImagePolicy/web/literal selects it | policies.yaml:9:7 spec
    ? HelmRelease/web/cms | release.yaml:9:12 spec.values.image has no tag, so something else chooses one
    ? ImagePolicy/web/of-others | policies.yaml:41:7 spec names a source that is not in these files
    ? ImagePolicy/web/pattern | policies.yaml:14:7 spec selects a tag that neither its filter nor its status tells
    ");
}

#[test]
fn a_suspended_kustomization_suspends_what_lies_nearest_below_its_folder() {
    let reader = |name: &str, path: &str, suspend: bool| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux}}\nspec: {{path: \
             {path}, suspend: {suspend}}}\n---\n"
        )
    };
    let readers = [
        reader("all", "./", false),
        reader("apps", "./apps/", true),
        reader("inner", "apps/inner", false),
        reader("twice", "./both", true),
        reader("again", "./both", false),
    ]
    .concat();
    let pod = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: a, image: 'quay.io/acme/{name}:1'}}]}}\n"
        )
    };
    let scaled = "apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: s, namespace: web}
spec: {scaleTargetRef: {name: worker}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: t, namespace: web}
spec: {minReplicaCount: 1, scaleTargetRef: {name: busy}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: web}
spec: {template: {spec: {containers: [{name: a, image: 'quay.io/acme/worker:1'}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy, namespace: web}
spec: {template: {spec: {containers: [{name: a, image: 'quay.io/acme/busy:1'}]}}}
";
    let (a, b, c, d) = (pod("below"), pod("inner"), pod("both"), pod("beside"));
    let files = [
        ("readers.yaml", readers.as_str()),
        ("apps/web/pod.yaml", &a),
        ("apps/inner/pod.yaml", &b),
        ("both/pod.yaml", &c),
        ("apps-2/pod.yaml", &d),
        ("scaled.yaml", scaled),
    ];
    assert_snapshot!(told(&files), @"
    image quay.io/acme/below:1 | Pod/below is suspended by Kustomization/flux/apps | apps/web/pod.yaml:4:38 spec.containers[0].image
    image quay.io/acme/beside:1 | Pod/beside needs it now | apps-2/pod.yaml:4:38 spec.containers[0].image
    image quay.io/acme/both:1 | Pod/both needs it now | both/pod.yaml:4:38 spec.containers[0].image
    image quay.io/acme/busy:1 | Deployment/web/busy needs it now | scaled.yaml:19:56 spec.template.spec.containers[0].image
    image quay.io/acme/inner:1 | Pod/inner needs it now | apps/inner/pod.yaml:4:38 spec.containers[0].image
    image quay.io/acme/worker:1 | Deployment/web/worker is scaled to zero | scaled.yaml:14:56 spec.template.spec.containers[0].image
    ");
}

#[test]
fn a_webhook_always_runs_and_is_no_hook() {
    let image = |name: &str| format!("{{image: {{repository: quay.io/acme/{name}, tag: '1'}}}}");
    let text = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: a, namespace: web}}\nspec:\n  values:\n    \
         webhook: {}\n    web-hook: {}\n    webHooks: {}\n    cleanupHook: {}\n    webhook_hooks: {}\n",
        image("a"),
        image("b"),
        image("c"),
        image("d"),
        image("e"),
    );
    let found = scan(&[File { path: "a.yaml", text: &text }]).expect("YAML").found;
    let usages: Vec<_> = found.iter().map(|found| found.usage.as_str()).collect();
    assert_eq!(usages, ["Live", "Live", "Live", "Hook", "Hook"]);
}

#[test]
fn pins_are_references_and_so_are_their_candidates() {
    let text = format!(
        "apiVersion: bobbypin.dev/v1alpha1
kind: Pins
metadata: {{name: edge}}
spec:
  pins:
  - {{name: ouroboros-chart, reference: ghcr.io/acme/charts/x, tag: '1', digest: {DIGEST}, mediaType: application/vnd.cncf.helm.config.v1+json, candidate: {{tag: '2', digest: {DIGEST}}}}}
"
    );
    assert_snapshot!(told(&[("clusters/edge/pins.yaml", &text)]), @"
    chart ghcr.io/acme/charts/x:1@sha256:…000001 | Pins/edge pins it | clusters/edge/pins.yaml:6:5 spec.pins.ouroboros-chart
    chart ghcr.io/acme/charts/x:2@sha256:…000001 | Pins/edge has it as a candidate | clusters/edge/pins.yaml:6:218 spec.pins.ouroboros-chart
    ");
}

#[test]
fn a_template_is_left_open_and_a_file_that_is_no_yaml_is_a_problem() {
    let template = "{{- if .Values.enabled }}\nkind: Pod\n{{ end }}\n";
    assert_snapshot!(told(&[("charts/x/templates/pod.yaml", template)]), @"? charts/x/templates/pod.yaml | charts/x/templates/pod.yaml:1:3  has variables in it");
    let problems = scan(&[File { path: "broken.yaml", text: "a: [\n" }, File { path: "again.yaml", text: "b: {\n" }]);
    let places: Vec<_> =
        problems.expect_err("no YAML").into_iter().map(|problem| (problem.path, problem.line)).collect();
    assert_eq!(places, [("broken.yaml".to_owned(), 1), ("again.yaml".to_owned(), 1)]);
}
