//! What the documents of a file are, and when what they bring runs.

use std::collections::BTreeMap;

use crate::{
    model::{object::ObjectId, tree::resolve},
    pins::{
        marked::{Node, Position},
        references::{File, Place, Usage, User},
    },
};

/// One object, or the values of a file.
pub(super) struct Object<'a> {
    pub(super) file: File<'a>,
    pub(super) user: User,
    pub(super) usage: Usage,
    pub(super) node: Node,
}

impl Object<'_> {
    /// The identity, of what is an object.
    pub(super) fn id(&self) -> Option<&ObjectId> {
        match &self.user {
            User::Object(id) => Some(id),
            User::Values(_) => None,
        }
    }

    /// Whether it is of this group and kind, in any version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.id().is_some_and(|id| id.group() == group && id.kind == kind)
    }

    /// A place in its file.
    pub(super) fn place(&self, at: Position, key: &str) -> Place {
        Place { path: self.file.path.to_owned(), line: at.line, column: at.column, key: key.to_owned() }
    }

    /// Its own part of the file, with what stands behind its last value.
    pub(super) fn text(&self) -> &str {
        let text = self.file.text.strip_prefix('\u{feff}').unwrap_or(self.file.text);
        let rest = text.get(self.node.span.end..).unwrap_or_default();
        let end = self.node.span.end + rest.find('\n').unwrap_or(rest.len());
        text.get(self.node.span.start..end).unwrap_or_default()
    }
}

/// The objects by what others call them, so that large repositories are read in the time that their size takes.
pub(super) struct Index<'o, 'a> {
    by_name: BTreeMap<(&'o str, &'o str, Option<&'o str>, &'o str), &'o Object<'a>>,
    chart_users: BTreeMap<(Option<&'o str>, &'o str), Vec<&'o Object<'a>>>,
    marked: BTreeMap<&'o str, Vec<&'o Object<'a>>>,
}

impl<'o, 'a> Index<'o, 'a> {
    pub(super) fn of(objects: &'o [Object<'a>]) -> Self {
        let mut index = Self { by_name: BTreeMap::new(), chart_users: BTreeMap::new(), marked: BTreeMap::new() };
        for object in objects {
            if let Some(id) = object.id() {
                let namespace = id.namespace.as_deref();
                index.by_name.entry((id.group(), id.kind.as_str(), namespace, id.name.as_str())).or_insert(object);
                let chart = object.node.follow(&["spec", "chartRef"]).filter(|_| id.kind == "HelmRelease");
                let chart = chart.filter(|chart| chart.text_at(&["kind"]) == Some("OCIRepository"));
                if let Some((name, chart)) = chart.and_then(|chart| Some((chart.text_at(&["name"])?, chart))) {
                    let namespace = chart.text_at(&["namespace"]).or(namespace);
                    index.chart_users.entry((namespace, name)).or_default().push(object);
                }
            }
            if object.file.text.contains("$imagepolicy") {
                for policy in object.text().lines().filter_map(marker) {
                    index.marked.entry(policy).or_default().push(object);
                }
            }
        }
        index
    }

    /// The object that a reference to one means; its namespace is by default that of the object around it.
    pub(super) fn find(&self, from: &Object<'_>, group: &str, kind: &str, to: &Node) -> Option<&'o Object<'a>> {
        let own = from.id().and_then(|id| id.namespace.as_deref());
        let namespace = to.text_at(&["namespace"]).or(own);
        self.by_name.get(&(group, kind, namespace, to.text_at(&["name"])?)).copied()
    }

    /// The releases whose chart is an `OCIRepository`.
    pub(super) fn chart_users<'s>(&'s self, id: &'s ObjectId) -> &'s [&'o Object<'a>] {
        self.chart_users.get(&(id.namespace.as_deref(), id.name.as_str())).map_or(&[], Vec::as_slice)
    }

    /// The objects and values with a marker of a policy.
    pub(super) fn marked(&self, policy: &ObjectId) -> &[&'o Object<'a>] {
        let name = format!("{}:{}", policy.namespace.as_deref().unwrap_or_default(), policy.name);
        self.marked.get(name.as_str()).map_or(&[], Vec::as_slice)
    }
}

/// The policy of a marker, `namespace:name`: `# {"$imagepolicy": "namespace:name"}`, or with `:tag` and so on behind it.
fn marker(line: &str) -> Option<&str> {
    let text = line.split_once("{\"$imagepolicy\":")?.1.split('"').nth(1)?;
    let end = text.match_indices(':').nth(1).map_or(text.len(), |(at, _)| at);
    Some(&text[..end])
}

/// Takes a document as an object, or the objects of a list, or as values. Anything else is left out.
pub(super) fn collect<'a>(node: Node, file: File<'a>, objects: &mut Vec<Object<'a>>) {
    let Some((api_version, kind)) = node.text_at(&["apiVersion"]).zip(node.text_at(&["kind"])) else {
        let name = file.path.rsplit('/').next().unwrap_or(file.path);
        if name.contains("values") {
            let user = User::Values(file.path.to_owned());
            objects.push(Object { file, user, usage: Usage::Unattached, node });
        }
        return;
    };
    if kind.ends_with("List") && node.get("items").is_some_and(|items| !items.items().is_empty()) {
        let items = node.get("items").map_or(&[][..], Node::items).to_vec();
        return items.into_iter().for_each(|item| collect(item, file, objects));
    }
    let id = ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: node.text_at(&["metadata", "namespace"]).map(str::to_owned),
        // A `kustomization.yaml` is the only one in its folder, and has no name.
        name: node.text_at(&["metadata", "name"]).unwrap_or(file.path).to_owned(),
    };
    objects.push(Object { file, user: User::Object(id), usage: Usage::Live, node });
}

/// Says of every object when it needs what it names.
pub(super) fn decide_usages(objects: &mut [Object<'_>]) {
    let readers = readers(objects);
    let scaled = scaled_to_zero_by_others(objects);
    for object in objects {
        let own = own_usage(object);
        let is_idle =
            object.id().is_some_and(|id| scaled.contains(&(id.kind.clone(), id.namespace.clone(), id.name.clone())));
        object.usage = match (own, suspended_reader(&readers, object.file.path)) {
            // What ended does not begin again.
            (Usage::Ended, _) => Usage::Ended,
            (own @ Usage::Suspended { .. }, _) => own,
            (_, Some(by)) => Usage::Suspended { by: Some(by.clone()) },
            (Usage::Live, None) if is_idle => Usage::ScaledToZero,
            (own, None) => own,
        };
    }
}

fn own_usage(object: &Object<'_>) -> Usage {
    let (Some(id), node) = (object.id(), &object.node) else { return Usage::Unattached };
    let is_suspended = node.text_at(&["spec", "suspend"]) == Some("true");
    if id.kind == "CronJob" {
        return Usage::Scheduled { suspended: is_suspended };
    }
    if is_suspended {
        return Usage::Suspended { by: None };
    }
    if id.kind == "PodTemplate" {
        return Usage::Unattached;
    }
    let ended = match id.kind.as_str() {
        "Pod" => matches!(node.text_at(&["status", "phase"]), Some("Succeeded" | "Failed")),
        "Job" => node.text_at(&["status", "completionTime"]).is_some(),
        _ => false,
    };
    if ended {
        return Usage::Ended;
    }
    if node.follow(&["metadata", "annotations"]).is_some_and(|annotations| annotations.get("helm.sh/hook").is_some()) {
        return Usage::Hook;
    }
    if node.text_at(&["spec", "replicas"]) == Some("0") {
        return Usage::ScaledToZero;
    }
    Usage::Live
}

/// The Flux `Kustomization`s, by the folder that they apply.
fn readers(objects: &[Object<'_>]) -> BTreeMap<String, Vec<(ObjectId, bool)>> {
    let mut readers: BTreeMap<String, Vec<(ObjectId, bool)>> = BTreeMap::new();
    for object in objects {
        if let Some(id) = object.id()
            && object.is("kustomize.toolkit.fluxcd.io", "Kustomization")
        {
            let path = object.node.text_at(&["spec", "path"]).unwrap_or("./");
            let Some(folder) = resolve("", path) else { continue };
            let is_suspended = object.node.text_at(&["spec", "suspend"]) == Some("true");
            readers.entry(folder).or_default().push((id.clone(), is_suspended));
        }
    }
    readers
}

/// The suspended `Kustomization` through which a file comes to the cluster: of those whose folder it lies in the nearest
/// ones decide, and all of them must be suspended.
fn suspended_reader<'a>(readers: &'a BTreeMap<String, Vec<(ObjectId, bool)>>, path: &str) -> Option<&'a ObjectId> {
    let mut folder = path;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Some(found) = readers.get(folder) {
            return found.iter().all(|(_, suspended)| *suspended).then(|| &found[0].0);
        }
        if folder.is_empty() {
            return None;
        }
    }
}

/// The workloads that KEDA may have scaled to zero: kind, namespace and name.
fn scaled_to_zero_by_others(objects: &[Object<'_>]) -> Vec<(String, Option<String>, String)> {
    let scaled = objects.iter().filter(|object| object.is("keda.sh", "ScaledObject")).filter_map(|object| {
        let spec = object.node.get("spec")?;
        let is_zero = |key: &str| spec.text_at(&[key]) == Some("0");
        // Without a number the least is zero.
        let may_be_zero =
            spec.get("minReplicaCount").is_none() || is_zero("minReplicaCount") || is_zero("idleReplicaCount");
        let kind = spec.text_at(&["scaleTargetRef", "kind"]).unwrap_or("Deployment");
        let name = spec.text_at(&["scaleTargetRef", "name"])?;
        let namespace = object.id().and_then(|id| id.namespace.clone());
        may_be_zero.then(|| (kind.to_owned(), namespace, name.to_owned()))
    });
    scaled.collect()
}
