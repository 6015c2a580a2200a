//! What the files that differ say about objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    diff::{
        Change, FieldChange, FileChange, FileView, HostChanges, LayerChanges, ObjectChange, Side, Target, Verb,
        compare::Differing,
        documents::{self, Document},
        fields, lines, secrets,
    },
    dns::block,
    manifest::ClusterManifests,
    model::{
        layer::{Layer, TenantId},
        name::Name,
        object::ObjectId,
        tree::{RepoPath, Tree},
    },
};

/// The objects of one cluster are the same object when the same cluster gets them under the same identity, whatever the
/// file and the layer.
type Identity = (Option<TenantId>, ObjectId);

/// Says what the differing files of a cluster mean. Nothing that is byte for byte as wanted is parsed.
pub(crate) fn describe(
    tree: &Tree,
    cluster: &ClusterManifests,
    differing: Vec<Differing>,
) -> (Vec<FileChange>, Vec<LayerChanges>) {
    let wanted_patches = wanted_patches(cluster);
    let files: Vec<File> = differing.into_iter().map(|file| File::read(tree, cluster, &wanted_patches, file)).collect();

    let mut committed: BTreeMap<Identity, (&File, &Value)> = BTreeMap::new();
    for file in &files {
        for (identity, value) in file.objects(file.old.as_ref()) {
            committed.entry(identity).or_insert((file, value));
        }
    }
    let mut objects: Vec<(Option<Layer>, ObjectChange)> = Vec::new();
    for file in &files {
        for (identity, value) in file.objects(file.new.as_ref()) {
            let before = committed.remove(&identity);
            objects.push((file.layer.clone(), file.declared(identity.1, value, before)));
        }
    }
    let mut unchanged = BTreeSet::new();
    let differing: BTreeSet<&RepoPath> = files.iter().map(|file| &file.differing.path).collect();
    for (path, file) in cluster.files.iter().filter(|(path, _)| !differing.contains(path)) {
        let is_patch = wanted_patches.contains(path.as_str());
        for meaning in file.meanings.iter().filter(|meaning| !is_patch && documents::is_object(&meaning.object)) {
            let target = target(cluster, path, file.layer.as_ref());
            unchanged.insert((tenant(target, file.layer.as_ref()), meaning.object.clone()));
            let object = ObjectChange { target, ..ObjectChange::unchanged(meaning.object.clone(), path.clone()) };
            objects.push((file.layer.clone(), object));
        }
    }
    for (identity, (file, value)) in committed {
        if !unchanged.contains(&identity) {
            objects.push((file.layer.clone(), file.deleted(identity.1, value)));
        }
    }

    let telling: BTreeSet<&RepoPath> = objects
        .iter()
        .filter(|(_, object)| object.verb != Verb::Unchanged || object.moved_from.is_some())
        .flat_map(|(_, object)| [Some(&object.path), object.moved_from.as_ref()])
        .flatten()
        .collect();
    let views: Vec<FileView> = files.iter().map(|file| file.view(&telling)).collect();
    let changes = files.into_iter().zip(views).map(|(file, view)| FileChange {
        holds_secret: file.holds_secret(),
        path: file.differing.path,
        cluster: cluster.name.clone(),
        layer: file.layer,
        old: file.differing.old,
        new: file.differing.new,
        view,
    });
    (changes.collect(), by_layer(&cluster.name, objects))
}

/// A file that differs, with the documents of both sides.
struct File {
    differing: Differing,
    layer: Option<Layer>,
    target: Target,
    old: Documents,
    new: Documents,
}

/// The documents of one side of a file.
enum Documents {
    /// The side has no file.
    None,
    Parsed(Vec<Document>),
    Unreadable,
}

impl Documents {
    fn read(bytes: Option<&[u8]>, is_patch: bool) -> Self {
        let Some(bytes) = bytes else { return Self::None };
        let Some(mut documents) = documents::documents(bytes) else { return Self::Unreadable };
        if is_patch {
            documents.iter_mut().for_each(|document| document.object = None);
        }
        Self::Parsed(documents)
    }

    fn as_ref(&self) -> &[Document] {
        match self {
            Self::Parsed(documents) => documents,
            Self::None | Self::Unreadable => &[],
        }
    }

    fn others(&self) -> Vec<&Value> {
        self.as_ref().iter().filter(|document| document.object.is_none()).map(|document| &document.value).collect()
    }
}

impl File {
    fn read(tree: &Tree, cluster: &ClusterManifests, wanted_patches: &BTreeSet<String>, differing: Differing) -> Self {
        let path = &differing.path;
        let wanted = cluster.files.get(path);
        let layer = wanted.map_or_else(|| layer_of(cluster, path), |file| file.layer.clone());
        let was_patch = is_committed_patch(tree, path);
        Self {
            target: target(cluster, path, layer.as_ref()),
            old: Documents::read(differing.old.as_deref(), was_patch),
            new: Documents::read(differing.new.as_deref(), wanted_patches.contains(path.as_str())),
            layer,
            differing,
        }
    }

    fn objects<'a>(&self, documents: &'a [Document]) -> impl Iterator<Item = (Identity, &'a Value)> {
        let tenant = tenant(self.target, self.layer.as_ref());
        documents.iter().filter_map(move |document| Some(((tenant.clone(), document.object.clone()?), &document.value)))
    }

    /// What happens to an object that this file is to declare.
    fn declared(&self, object: ObjectId, new: &Value, before: Option<(&Self, &Value)>) -> ObjectChange {
        let path = self.differing.path.clone();
        let verb = match before {
            Some((_, old)) if old == new => Verb::Unchanged,
            Some(_) => Verb::Configured,
            // Nobody knows what the committed file declared, so the object may well be there.
            None if matches!(self.old, Documents::Unreadable) => Verb::Configured,
            None => Verb::Created,
        };
        ObjectChange {
            target: self.target,
            moved_from: before.map(|(file, _)| file.differing.path.clone()).filter(|from| *from != path),
            verb,
            fields: before.map_or_else(Vec::new, |(_, old)| fields::field_changes(old, new)),
            hosts: host_changes(before.map(|(_, old)| old), Some(new)),
            ..ObjectChange::unchanged(object, path)
        }
    }

    fn deleted(&self, object: ObjectId, old: &Value) -> ObjectChange {
        ObjectChange {
            target: self.target,
            verb: Verb::Deleted,
            orphaned: documents::orphaned(old),
            hosts: host_changes(Some(old), None),
            ..ObjectChange::unchanged(object, self.differing.path.clone())
        }
    }

    fn holds_secret(&self) -> bool {
        match (&self.old, &self.differing.old) {
            (Documents::Unreadable, Some(bytes)) => secrets::may_hold_secret(&String::from_utf8_lossy(bytes)),
            _ => self.old.as_ref().iter().any(|document| document.value.get("kind") == Some(&Value::from("Secret"))),
        }
    }

    fn view(&self, telling: &BTreeSet<&RepoPath>) -> FileView {
        if matches!(self.old, Documents::Unreadable) || matches!(self.new, Documents::Unreadable) {
            if self.holds_secret() {
                return FileView::Withheld;
            }
            let text = |bytes: &Option<std::sync::Arc<[u8]>>| {
                bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
            };
            let (old, new) = (text(&self.differing.old), text(&self.differing.new));
            return FileView::Text(lines::hunks(&old, &new, secrets::masked_line));
        }
        let (old, new) = (self.old.others(), self.new.others());
        let is_whole = self.differing.old.is_none() || self.differing.new.is_none();
        if is_whole && !(old.is_empty() && new.is_empty()) {
            return FileView::Fields(Vec::new());
        }
        let fields = other_changes(&old, &new);
        if !fields.is_empty() {
            FileView::Fields(fields)
        } else if telling.contains(&self.differing.path) {
            FileView::Objects
        } else {
            FileView::Layout
        }
    }
}

impl ObjectChange {
    fn unchanged(object: ObjectId, path: RepoPath) -> Self {
        Self {
            object,
            target: Target::Host,
            path,
            moved_from: None,
            verb: Verb::Unchanged,
            fields: Vec::new(),
            orphaned: None,
            hosts: HostChanges::default(),
        }
    }
}

/// What differs between the documents of a file that no cluster gets. They have no identity but their place.
fn other_changes(old: &[&Value], new: &[&Value]) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for index in 0..old.len().max(new.len()) {
        let document = format!("document[{index}]");
        match (old.get(index), new.get(index)) {
            (Some(old), Some(new)) => {
                let fields = fields::field_changes(old, new).into_iter().map(|field| match index {
                    0 => field,
                    _ => FieldChange { path: format!("{document}.{}", field.path), ..field },
                });
                changes.extend(fields);
            }
            (Some(old), None) => {
                let change = Change::Removed(secrets::masked(old, false, Side::Old));
                changes.push(FieldChange { path: document, change });
            }
            (None, Some(new)) => {
                let change = Change::Added(secrets::masked(new, false, Side::New));
                changes.push(FieldChange { path: document, change });
            }
            (None, None) => {}
        }
    }
    changes
}

fn by_layer(cluster: &Name, objects: Vec<(Option<Layer>, ObjectChange)>) -> Vec<LayerChanges> {
    let mut layers: BTreeMap<Option<Layer>, Vec<ObjectChange>> = BTreeMap::new();
    for (layer, object) in objects {
        layers.entry(layer).or_default().push(object);
    }
    let layer_changes = |(layer, mut objects): (_, Vec<ObjectChange>)| {
        // Stable: objects of one file stay in its order.
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        LayerChanges { cluster: cluster.clone(), layer, objects }
    };
    layers.into_iter().map(layer_changes).collect()
}

/// The paths that a wanted `kustomization.yaml` beside them uses as patches.
fn wanted_patches(cluster: &ClusterManifests) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, file) in &cluster.files {
        if let Some(folder) = path.as_str().strip_suffix("kustomization.yaml") {
            found.extend(documents::patch_files(&file.text).map(|file| format!("{folder}{file}")));
        }
    }
    found
}

fn is_committed_patch(tree: &Tree, path: &RepoPath) -> bool {
    let Some((folder, name)) = path.as_str().rsplit_once('/') else { return false };
    let beside = tree.file(&format!("{folder}/kustomization.yaml"));
    let text = beside.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    documents::patch_files(text).any(|file| file == name)
}

/// The layer that a committed path belongs to.
fn layer_of(cluster: &ClusterManifests, path: &RepoPath) -> Option<Layer> {
    let below = path.below(cluster.folder.as_str())?.strip_prefix("manifests/")?;
    let mut parts = below.split('/');
    match parts.next()? {
        "host" => Some(Layer::Host),
        "tenants" => {
            let (namespace, name) = (Name::parse(parts.next()?).ok()?, Name::parse(parts.next()?).ok()?);
            Some(Layer::Tenant(TenantId { namespace, name }))
        }
        _ => None,
    }
}

/// The cluster that gets what a file declares: below `cluster/` of a tenant's folder the tenant, else the host.
fn target(cluster: &ClusterManifests, path: &RepoPath, layer: Option<&Layer>) -> Target {
    let Some(layer @ Layer::Tenant(_)) = layer else { return Target::Host };
    let folder = cluster.folder.join(&format!("manifests/{}/cluster", layer.folder()));
    let is_in_tenant = path.below(folder.as_str()).is_some() || cluster.edited_files.contains(path);
    if is_in_tenant { Target::Tenant } else { Target::Host }
}

fn tenant(target: Target, layer: Option<&Layer>) -> Option<TenantId> {
    match (target, layer) {
        (Target::Tenant, Some(Layer::Tenant(tenant))) => Some(tenant.clone()),
        _ => None,
    }
}

fn host_changes(old: Option<&Value>, new: Option<&Value>) -> HostChanges {
    let (old, new) = (old.map(hosts).unwrap_or_default(), new.map(hosts).unwrap_or_default());
    let only = |of: &BTreeMap<&str, &str>, other: &BTreeMap<&str, &str>| {
        of.keys().filter(|host| !other.contains_key(*host)).map(|host| (*host).to_owned()).collect()
    };
    let changed = |(host, answer): &(&&str, &&str)| old.get(*host).is_some_and(|old| old != *answer);
    HostChanges {
        added: only(&new, &old),
        removed: only(&old, &new),
        changed: new.iter().filter(changed).map(|(host, _)| (*host).to_owned()).collect(),
    }
}

/// The hosts of a ConfigMap with records for CoreDNS, and what each is answered with.
fn hosts(value: &Value) -> BTreeMap<&str, &str> {
    let mut hosts = BTreeMap::new();
    let data = value.get("data").and_then(Value::as_object);
    if value.get("kind").and_then(Value::as_str) != Some("ConfigMap") {
        return hosts;
    }
    // A host may stand in two forms while the one takes the place of the other; what it is answered with in the form that
    // acts first counts.
    for (_, text) in data.into_iter().flatten().filter(|(key, _)| key.ends_with(".hosts")) {
        let lines = text.as_str().unwrap_or_default().lines();
        for (address, host) in lines.filter_map(|line| line.trim().split_once(' ')) {
            hosts.entry(host).or_insert(address);
        }
    }
    for (key, text) in data.into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        let lines: Vec<_> = match key.as_str() {
            // In a Corefile only our block counts.
            "Corefile" => {
                let block = text.lines().map(str::trim).skip_while(|line| *line != block::BEGIN);
                block.take_while(|line| *line != block::END).collect()
            }
            key if key.ends_with(".override") => text.lines().collect(),
            _ => continue,
        };
        let records = lines.into_iter().filter_map(|line| line.trim().strip_prefix("rewrite name "));
        for record in records {
            let record = record.trim_start();
            let matched = ["exact ", "prefix ", "regex ", "substring ", "suffix "]
                .iter()
                .find_map(|how| record.strip_prefix(how));
            let (host, answer) = matched.unwrap_or(record).trim_start().split_once(' ').unwrap_or((record, ""));
            hosts.insert(host, answer.trim());
        }
    }
    hosts
}
