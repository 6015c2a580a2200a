//! What a test does in a cluster.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    Api, Client, Config,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective},
    config::Kubeconfig,
    core::GroupVersionKind,
    discovery::{ApiResource, Scope, pinned_kind},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{poll, wait_for};

/// A client of one cluster. Everything waits until it is done, so that it can be called from plain tests.
#[derive(Clone)]
pub(crate) struct Admin {
    client: Client,
    /// What the cluster said about kinds, by API version and kind.
    kinds: Arc<Mutex<BTreeMap<(String, String), (ApiResource, Scope)>>>,
}

impl Admin {
    /// The client of whom a kubeconfig names. Nothing is asked yet.
    pub(crate) fn new(kubeconfig: &str) -> Self {
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
        let client = wait_for(async {
            let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.expect("a kubeconfig");
            Client::try_from(config).expect("a kubeconfig")
        });
        Self { client, kinds: Arc::default() }
    }

    /// The client itself, for what is not here. Use it within [`wait_for`].
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Whether the server says that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.text("/readyz").is_ok()
    }

    /// What the server answers to a GET, as it is.
    pub(crate) fn text(&self, path: &str) -> kube::Result<String> {
        let request = http::Request::get(path).body(vec![]).expect("a path");
        wait_for(self.client.request_text(request))
    }

    /// What the server answers to a GET, as JSON.
    pub(crate) fn json(&self, path: &str) -> kube::Result<Value> {
        self.text(path).map(|text| serde_json::from_str(&text).expect("an answer in JSON"))
    }

    /// Applies every document of a YAML text, in order, over whatever others wrote.
    pub(crate) fn apply(&self, text: &str) -> kube::Result<Vec<DynamicObject>> {
        self.patch(text, &PatchParams::apply("testbed").force())
    }

    /// Applies every document as somebody else, who then owns its fields.
    pub(crate) fn apply_as(&self, manager: &str, text: &str) -> kube::Result<Vec<DynamicObject>> {
        self.patch(text, &PatchParams::apply(manager).force())
    }

    /// What the server would say to every document: unknown fields are refused, nothing is stored.
    pub(crate) fn dry_run(&self, text: &str) -> kube::Result<Vec<DynamicObject>> {
        let mut params = PatchParams::apply("testbed").force().dry_run();
        params.field_validation = Some(ValidationDirective::Strict);
        self.patch(text, &params)
    }

    fn patch(&self, text: &str, params: &PatchParams) -> kube::Result<Vec<DynamicObject>> {
        wait_for(async {
            let mut stored = Vec::new();
            for object in documents(text) {
                let api = self.api_of(&object).await?;
                stored.push(api.patch(name(&object), params, &Patch::Apply(&object)).await?);
            }
            Ok(stored)
        })
    }

    /// Changes one object that is there, by a merge of what the text says.
    pub(crate) fn merge(&self, text: &str) -> kube::Result<()> {
        self.merge_by(text, &PatchParams::default())
    }

    /// The same as somebody else, who then owns the changed fields.
    pub(crate) fn merge_as(&self, manager: &str, text: &str) -> kube::Result<()> {
        self.merge_by(text, &PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() })
    }

    fn merge_by(&self, text: &str, params: &PatchParams) -> kube::Result<()> {
        wait_for(async {
            for object in documents(text) {
                let api = self.api_of(&object).await?;
                api.patch(name(&object), params, &Patch::Merge(&object)).await?;
            }
            Ok(())
        })
    }

    /// Creates every document of a YAML text, in order.
    pub(crate) fn create(&self, text: &str) -> kube::Result<Vec<DynamicObject>> {
        wait_for(async {
            let mut created = Vec::new();
            for object in documents(text) {
                let typed = serde_json::from_value(object.clone()).expect("an object");
                created.push(self.api_of(&object).await?.create(&PostParams::default(), &typed).await?);
            }
            Ok(created)
        })
    }

    /// Deletes every object of a YAML text, in order. Only its kind, namespace and name matter.
    pub(crate) fn delete(&self, text: &str) -> kube::Result<()> {
        wait_for(async {
            for object in documents(text) {
                self.api_of(&object).await?.delete(name(&object), &DeleteParams::default()).await?;
            }
            Ok(())
        })
    }

    /// Reads one object.
    pub(crate) fn get(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> kube::Result<DynamicObject> {
        wait_for(async { self.api(api_version, kind, namespace).await?.get(name).await })
    }

    /// Makes sure that there is a namespace.
    pub(crate) fn namespace(&self, name: &str) -> kube::Result<()> {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.apply(&object.to_string()).map(drop)
    }

    /// Lets a user read these resources (such as `ingresses.networking.k8s.io`) in all namespaces.
    pub(crate) fn allow_reading(&self, user: &str, resources: &[&str]) -> kube::Result<()> {
        let rules = resources.iter().map(|resource| {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            json!({"apiGroups": [group], "resources": [plural], "verbs": ["get", "list", "watch"]})
        });
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": format!("reads-{user}")},
            "rules": rules.collect::<Vec<_>>(),
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": format!("reads-{user}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("reads-{user}")},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        });
        self.apply(&format!("{role}\n---\n{binding}\n")).map(drop)
    }

    /// Waits until the server serves the kind of a definition.
    ///
    /// # Panics
    ///
    /// When it does not within 30 seconds.
    pub(crate) fn wait_until_established(&self, definition: &str) {
        let is_established = || {
            let found = self.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, definition).ok()?;
            let conditions = found.data.pointer("/status/conditions")?.as_array()?.clone();
            conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True").then_some(())
        };
        poll(Duration::from_secs(30), is_established).unwrap_or_else(|| panic!("{definition} is not established"));
    }

    /// What speaks about one kind, in a namespace or in none.
    pub(crate) async fn api(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> kube::Result<Api<DynamicObject>> {
        let key = (api_version.to_owned(), kind.to_owned());
        let known = self.kinds.lock().expect("nobody panics while holding it").get(&key).cloned();
        let (resource, scope) = match known {
            Some(known) => known,
            None => {
                let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
                let (resource, capabilities) =
                    pinned_kind(&self.client, &GroupVersionKind::gvk(group, version, kind)).await?;
                let found = (resource, capabilities.scope);
                self.kinds.lock().expect("nobody panics while holding it").insert(key, found.clone());
                found
            }
        };
        Ok(match (scope, namespace) {
            (Scope::Cluster, _) => Api::all_with(self.client(), &resource),
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(self.client(), namespace, &resource),
            (Scope::Namespaced, None) => Api::default_namespaced_with(self.client(), &resource),
        })
    }

    async fn api_of(&self, object: &Value) -> kube::Result<Api<DynamicObject>> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let (version, kind) = (text("/apiVersion").expect("an apiVersion"), text("/kind").expect("a kind"));
        self.api(version, kind, text("/metadata/namespace")).await
    }
}

/// The documents of a YAML text that hold something.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|one| Value::deserialize(one).expect("YAML"));
    documents.filter(|document| !document.is_null()).collect()
}

/// The HTTP status with which the server refused.
///
/// # Panics
///
/// When it did not, or when it was not reached.
#[track_caller]
pub(crate) fn refusal<T>(result: kube::Result<T>) -> u16 {
    match result {
        Ok(_) => panic!("the server did not refuse"),
        Err(kube::Error::Api(status)) => status.code,
        Err(other) => panic!("no answer: {other:?}"),
    }
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).expect("an object with a name")
}
