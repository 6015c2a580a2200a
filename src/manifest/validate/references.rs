//! Names of other objects: each is declared here, or exists without us.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    manifest::{
        ClusterManifests,
        validate::{self, Document, ManifestProblem, Rules, Target, listing, tenant_layer},
    },
    model::object::ObjectId,
};

const SOURCE: &str = "source.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";

/// The folder that a Flux `Kustomization` applies, from the top of the repository.
pub(super) fn applied_folder<'a>(document: &'a Document<'_>) -> Option<&'a str> {
    let path = document.text("/spec/path").filter(|_| document.is(KUSTOMIZE, "Kustomization"))?;
    Some(path.strip_prefix("./").unwrap_or(path).trim_end_matches('/'))
}

pub(super) fn check(
    cluster: &ClusterManifests,
    documents: &[Document<'_>],
    rules: &Rules,
    problems: &mut Vec<ManifestProblem>,
) {
    let patches = listing::patches(documents);
    let declares = |document: &&Document<'_>| !patches.contains(document.path.as_str());
    let declared: BTreeSet<_> = documents
        .iter()
        .filter(declares)
        .filter_map(|document| Some((document.target.clone(), document.id.clone()?)))
        .collect();
    // A patch is partial: what it names it took over from the object that it patches.
    for document in documents.iter().filter(declares) {
        let mut references = References { cluster, document, declared: &declared, rules, problems };
        if document.is(HELM, "HelmRelease") {
            references.helm_release();
        } else if document.is(KUSTOMIZE, "Kustomization") {
            references.kustomization();
        }
    }
}

struct References<'a> {
    cluster: &'a ClusterManifests,
    document: &'a Document<'a>,
    declared: &'a BTreeSet<(Target, ObjectId)>,
    rules: &'a Rules,
    problems: &'a mut Vec<ManifestProblem>,
}

impl References<'_> {
    fn helm_release(&mut self) {
        self.named("/spec/chartRef", SOURCE);
        self.named("/spec/chart/spec/sourceRef", SOURCE);
        self.kube_config();
        self.list("/spec/dependsOn", "HelmRelease", HELM);
        self.list("/spec/valuesFrom", "Secret", "");
        let creates =
            self.document.value.pointer("/spec/install/createNamespace").and_then(Value::as_bool) == Some(true);
        let target = self.document.text("/spec/targetNamespace");
        if !creates {
            self.namespace("/spec/targetNamespace");
        }
        // The namespace of the release is created before Helm's storage is used.
        if !creates || self.document.text("/spec/storageNamespace") != target {
            self.namespace("/spec/storageNamespace");
        }
    }

    fn kustomization(&mut self) {
        self.named("/spec/sourceRef", SOURCE);
        self.kube_config();
        self.list("/spec/dependsOn", "Kustomization", KUSTOMIZE);
        self.list("/spec/postBuild/substituteFrom", "Secret", "");
        self.namespace("/spec/targetNamespace");
        let Some(folder) = applied_folder(self.document) else { return };
        let inside: Vec<_> = self.cluster.files.keys().filter(|path| path.below(folder).is_some()).collect();
        if inside.is_empty() && !self.rules.existing_paths.contains(folder) {
            self.report("/spec/path", format!("`{}` does not exist", folder.escape_debug()));
        }
        // Only the objects of the tenant may go where its kubeconfig leads, and they may go nowhere else.
        let wanted = self.remote_target();
        if let Some(other) = inside.iter().find(|path| validate::target(self.cluster, path) != wanted) {
            let message = format!("it would apply `{other}` to the wrong cluster");
            self.report("/spec/path", message);
        }
    }

    /// Where the objects go that this one makes Flux apply or install.
    fn remote_target(&self) -> Target {
        let remote = self.document.value.pointer("/spec/kubeConfig").is_some();
        match tenant_layer(self.cluster, self.document.path.as_str()) {
            Some((layer, _)) if remote => Target::Tenant(layer.to_owned()),
            // A kubeconfig of the host layer leads to a cluster that no layer here stands for.
            None if remote => Target::Tenant(String::new()),
            _ => self.document.target.clone(),
        }
    }

    fn kube_config(&mut self) {
        for (pointer, kind) in
            [("/spec/kubeConfig/secretRef/name", "Secret"), ("/spec/kubeConfig/configMapRef/name", "ConfigMap")]
        {
            if let Some(name) = self.document.text(pointer) {
                let id = self.id("v1", kind, None, name);
                self.require(pointer.to_owned(), id);
            }
        }
    }

    /// A reference with a kind of its own.
    fn named(&mut self, pointer: &str, group: &str) {
        let Some(reference) = self.document.value.pointer(pointer) else { return };
        let text = |key: &str| reference.get(key).and_then(Value::as_str);
        match (text("kind"), text("name")) {
            (Some(kind), Some(name)) => {
                let id = self.id(&format!("{group}/v1"), kind, text("namespace"), name);
                self.require(pointer.to_owned(), id);
            }
            _ => self.report(pointer, "it has no kind or no name".to_owned()),
        }
    }

    /// A list of references, of `kind` where they do not say another.
    fn list(&mut self, pointer: &str, kind: &str, group: &str) {
        let items = self.document.value.pointer(pointer).and_then(Value::as_array);
        for (at, item) in items.into_iter().flatten().enumerate() {
            let text = |key: &str| item.get(key).and_then(Value::as_str);
            if item.get("optional").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
            let name = text("name").unwrap_or_default();
            let id = self.id(&api_version, text("kind").unwrap_or(kind), text("namespace"), name);
            self.require(format!("{pointer}/{at}"), id);
        }
    }

    /// A namespace that must exist where the object leads.
    fn namespace(&mut self, pointer: &str) {
        let Some(name) = self.document.text(pointer) else { return };
        let target = self.remote_target();
        // The object itself could not exist without its namespace.
        if target == self.document.target && self.document.text("/metadata/namespace") == Some(name) {
            return;
        }
        let id = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        if !self.rules.external.contains(&id) && !self.declared.contains(&(target, id)) {
            let message = format!("nothing creates the namespace `{}` there", name.escape_debug());
            self.report(pointer, message);
        }
    }

    /// A namespaced object beside this one, or in the namespace that the reference says.
    fn id(&self, api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
        ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.or(self.document.text("/metadata/namespace")).map(str::to_owned),
            name: name.to_owned(),
        }
    }

    fn require(&mut self, pointer: String, id: ObjectId) {
        let id = (self.document.target.clone(), id);
        if !self.declared.contains(&id) && !self.rules.external.contains(&id.1) {
            self.report(&pointer, format!("{} is declared nowhere", id.1));
        }
    }

    fn report(&mut self, pointer: &str, message: String) {
        let hint = "declare it in the same set, or let the plan name it as existing";
        self.problems.push(self.document.problem("Reference", pointer, message, hint));
    }
}
