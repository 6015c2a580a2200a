//! The controllers of the testbed are Flux: what is committed reaches the cluster, and the server is told.

use std::time::Duration;

use bobbypin::model::{stamp::Stamp, tree::CommitId};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::{
    api_server::ApiServer,
    checkout::Checkout,
    flux::{self, Flux},
    gitea::{Gitea, Repo},
    http, poll,
};

const SOURCE: (&str, &str) = ("source.toolkit.fluxcd.io/v1", "GitRepository");
const KUSTOMIZATION: (&str, &str) = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");
const RECEIVER: (&str, &str) = ("notification.toolkit.fluxcd.io/v1", "Receiver");
const RELEASE: (&str, &str) = ("helm.toolkit.fluxcd.io/v2", "HelmRelease");

/// A repository, and the namespace that follows its folder `apply`.
struct Followed {
    server: &'static ApiServer,
    flux: &'static Flux,
    gitea: &'static Gitea,
    namespace: &'static str,
    repo: Repo,
    checkout: Checkout,
}

impl Followed {
    /// Nothing is applied until [`Followed::follow`]: who must be told may be declared before.
    fn new(namespace: &'static str) -> Self {
        let ((server, flux), gitea) = (flux::shared(), Gitea::shared());
        let owner = gitea.user(namespace);
        let repo = gitea.repository(&owner, "clusters");
        let checkout = gitea.git(&repo, &owner);
        server.admin().namespace(namespace).expect("a cluster that runs");
        let secret = format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: told, namespace: {namespace}}}, stringData: {{token: {}}}}}",
            gitea.token(&owner, &["write:repository"])
        );
        server.admin().apply(&secret).expect("a Secret");
        Self { server, flux, gitea, namespace, repo, checkout }
    }

    /// Commits and pushes a ConfigMap `one` with this text below `apply`.
    fn commit(&self, text: &str) -> String {
        let data = format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: one}}, data: {{text: {text}}}}}\n");
        self.checkout.write("apply/one.yaml", &data);
        let commit = self.checkout.commit(&format!("say {text}"));
        self.checkout.push().expect("a branch that nobody protects");
        commit
    }

    fn declare(&self, objects: &str) {
        let objects =
            objects.replace("NAMESPACE", self.namespace).replace("URL", self.repo.url.trim_end_matches(".git"));
        self.server.admin().apply(&objects).expect("objects that the server takes");
    }

    /// It looks for a new commit every hour: nothing but a Receiver makes it look before that.
    fn follow(&self) {
        self.declare(
            "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: clusters, namespace: NAMESPACE}
spec: {interval: 1h, url: URL.git, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: clusters, namespace: NAMESPACE}
spec:
  interval: 1h
  path: ./apply
  prune: true
  targetNamespace: NAMESPACE
  sourceRef: {kind: GitRepository, name: clusters}
",
        );
    }

    fn is_ready(&self, (api_version, kind): (&str, &str), name: &str) -> Value {
        self.flux.becomes_ready(api_version, kind, self.namespace, name)
    }

    /// Waits until the ConfigMap in the cluster has this text.
    fn applies(&self, text: &str) {
        self.flux.wait(text, || {
            let found = self.server.admin().get("v1", "ConfigMap", Some(self.namespace), "one").ok()?;
            (found.data["data"]["text"] == text).then_some(())
        });
    }

    /// Declares a Receiver, and says where it is.
    fn receiver(&self, kind: &str) -> String {
        self.declare(&format!(
            "apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {{name: clusters, namespace: NAMESPACE}}
spec:
  type: {kind}
  secretRef: {{name: told}}
  resources: [{{kind: GitRepository, name: clusters}}]
"
        ));
        let ready = self.is_ready(RECEIVER, "clusters");
        format!("{}{}", self.flux.receiver(), ready["status"]["webhookPath"].as_str().expect("a path"))
    }

    /// What the Receiver and the server have in common.
    fn secret(&self) -> String {
        let found = self.server.admin().get("v1", "Secret", Some(self.namespace), "told").expect("a Secret of ours");
        let token: k8s_openapi::ByteString =
            serde_json::from_value(found.data["data"]["token"].clone()).expect("a Secret of ours");
        String::from_utf8(token.0).expect("a text of ours")
    }
}

#[test]
fn a_commit_reaches_the_cluster_and_the_webhook_brings_the_next_one() {
    let followed = Followed::new("follows");
    let first = followed.commit("first");
    followed.follow();
    followed.applies("first");
    let revision = format!("main@sha1:{first}");
    assert_eq!(followed.is_ready(KUSTOMIZATION, "clusters")["status"]["lastAppliedRevision"], *revision);
    let artifact = followed.is_ready(SOURCE, "clusters")["status"]["artifact"].clone();
    assert_eq!(artifact["revision"], *revision);
    assert!(followed.flux.storage().join(artifact["path"].as_str().unwrap()).is_file());

    let receiver = followed.receiver("github");
    followed.gitea.webhook(&followed.repo, &receiver, &followed.secret());
    followed.commit("second");
    followed.applies("second");
}

#[test]
fn a_receiver_obeys_only_what_is_signed() {
    let followed = Followed::new("signed");
    followed.commit("first");
    followed.follow();
    followed.applies("first");
    let receiver = followed.receiver("generic-hmac");
    followed.commit("second");
    let client = http::client(None);
    let send = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(b"{}");
        let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let header = format!("sha256={signature}");
        http::send(&client, "POST", &receiver, &[("x-signature", &*header)], "{}".to_owned()).unwrap().0
    };
    assert_eq!(send("something else"), 400);
    assert_eq!(send(&followed.secret()), 200);
    followed.applies("second");
}

#[test]
fn the_server_is_told_what_became_of_a_commit() {
    let followed = Followed::new("told");
    followed.declare(
        "apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: gitea, namespace: NAMESPACE}
spec: {type: gitea, address: URL, secretRef: {name: told}}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: gitea, namespace: NAMESPACE}
spec:
  providerRef: {name: gitea}
  eventSources: [{kind: Kustomization, name: clusters}]
",
    );
    let commit = followed.commit("first");
    followed.follow();
    let mut last = None;
    poll(Duration::from_secs(60), || {
        last = followed.gitea.statuses(&followed.repo, &commit).pop_first();
        last.as_ref().filter(|(_, status)| status == "success").cloned()
    });
    let (context, status) = last.unwrap_or_else(|| panic!("nothing is said\n{}", followed.flux.printed()));
    assert!(context.starts_with("kustomization/clusters/"), "{context}");
    assert_eq!(status, "success");
}

#[test]
fn a_chart_in_the_repository_is_installed() {
    let followed = Followed::new("installs");
    followed.checkout.write("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    followed.checkout.write(
        "chart/templates/one.yaml",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: of-the-chart}, data: {text: {{ .Values.text | quote }}}}\n",
    );
    followed.commit("first");
    followed.follow();
    followed.declare(
        "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: NAMESPACE}
spec:
  interval: 1h
  chart: {spec: {chart: ./chart, sourceRef: {kind: GitRepository, name: clusters}}}
  values: {text: installed}
",
    );
    followed.is_ready(RELEASE, "shop");
    let found = followed.server.admin().get("v1", "ConfigMap", Some("installs"), "of-the-chart").unwrap();
    assert_eq!(found.data["data"]["text"], "installed");
}

#[test]
fn a_stamp_in_the_list_of_layers_reaches_every_release() {
    let followed = Followed::new("stamped");
    let commit = CommitId::parse(&"1".repeat(40)).expect("40 hex digits");
    let stamp = Stamp { change_request: 12, commit };
    let list = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- one.yaml\n- shop\n";
    followed.checkout.write("apply/kustomization.yaml", &stamp.put_into(list));
    followed.checkout.write(
        "apply/shop/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- release.yaml\n",
    );
    followed.checkout.write(
        "apply/shop/release.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, annotations: {example.org/own: stays}}
spec: {interval: 1h, suspend: true, chartRef: {kind: OCIRepository, name: shop}}
",
    );
    followed.commit("first");
    followed.follow();
    followed.applies("first");
    followed.is_ready(KUSTOMIZATION, "clusters");
    let found = followed.server.admin().get(RELEASE.0, RELEASE.1, Some("stamped"), "shop").unwrap();
    let annotations = found.metadata.annotations.unwrap_or_default();
    let annotations: Vec<_> = annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let commit = "1111111111111111111111111111111111111111";
    assert_eq!(
        annotations,
        [
            ("event.toolkit.fluxcd.io/change_request", "12"),
            ("event.toolkit.fluxcd.io/commit", commit),
            ("example.org/own", "stays"),
        ]
    );
}
