//! What the controllers of Flux say of single objects, asked again and again while a commit is followed.
//!
//! Nothing else is read: of each object its generation and status, by lists of one, so that the right to `list` is enough.

use std::{collections::BTreeMap, fmt, time::Duration};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    config::inventory::Kind,
    edge::{
        http::Deadline,
        kube::{
            ObjectName, Way,
            api::{api, path},
            cluster::{Cluster, open},
            failure::{Cause, Failure, shorten},
            session::Limits,
        },
    },
    model::{inventory::Ready, name::Name, observed::Observed},
};

/// Flux takes a second or more for each of its steps.
const PAUSE: Duration = Duration::from_secs(1);

/// How many releases are asked for at the same time.
const AT_ONCE: usize = 16;

/// An object of Flux.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FluxId {
    /// Its kind.
    pub kind: FluxKind,
    /// Its namespace and name.
    pub object: ObjectName,
}

/// The kinds that a commit goes through, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FluxKind {
    /// What fetches.
    GitRepository,
    /// What applies.
    Kustomization,
    /// What installs.
    HelmRelease,
}

impl FluxKind {
    fn kind(self) -> Kind {
        match self {
            Self::GitRepository => Kind::GitRepository,
            Self::Kustomization => Kind::Kustomization,
            Self::HelmRelease => Kind::HelmRelease,
        }
    }
}

impl fmt::Display for FluxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.kind(), self.object.namespace, self.object.name)
    }
}

/// What there is of an object, and what its controller said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FluxStatus {
    /// `metadata.generation`: grows with every change of `spec`.
    pub generation: i64,
    /// `status.observedGeneration`: up to where the controller is done with it; `-1` before the first time.
    pub observed_generation: i64,
    /// `spec.suspend`.
    pub suspended: bool,
    /// The condition `Ready`, unless it is about an older generation.
    pub ready: Option<Ready>,
    /// The condition `Stalled`, when it is `True` and not about an older generation: nothing goes on before somebody
    /// changes something.
    pub stalled: Option<Ready>,
    /// What is there: the artifact of a source, what a Kustomization applied last. Empty before the first time.
    pub revision: String,
    /// What a Kustomization tried to apply last.
    pub attempted: String,
    /// The digest of the chart that a HelmRelease took up last; empty when it does not say.
    pub chart_digest: String,
}

/// A cluster that is followed.
#[derive(Clone, Debug)]
pub struct FollowedCluster {
    /// Its name in the repository.
    pub name: Name,
    /// The way to it.
    pub way: Way,
    /// The identity that it had when it was decided about. Nothing is read of another one.
    pub uid: String,
}

/// What was read of a cluster: each object that was asked for, `None` when there is none of its name.
pub type FluxObjects = BTreeMap<FluxId, Option<FluxStatus>>;

/// Connections to clusters, kept from one reading to the next.
pub struct FluxReader {
    /// There until the end.
    runtime: Option<Runtime>,
    limits: Limits,
    open: BTreeMap<Name, Cluster>,
}

impl fmt::Debug for FluxReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FluxReader").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl FluxReader {
    /// Nothing is contacted yet.
    ///
    /// # Errors
    ///
    /// Only if the system has no threads left.
    pub fn new(limits: Limits) -> std::io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().enable_time().build()?;
        Ok(Self { runtime: Some(runtime), limits, open: BTreeMap::new() })
    }

    /// Reads these objects of each cluster, all clusters at the same time; sources and Kustomizations one after the other
    /// in their order, then the releases: what a later one says is younger. The answers are in the order of the clusters.
    ///
    /// Must not be called from an asynchronous task.
    pub fn read(
        &mut self,
        asked: &[(FollowedCluster, Vec<FluxId>)],
        deadline: Deadline,
    ) -> Vec<Result<FluxObjects, Failure>> {
        let Self { runtime, limits, open } = self;
        let limits = Limits { cluster: limits.cluster.min(deadline.left()), ..*limits };
        let runtime = runtime.as_ref().expect("it is there until the end");
        let mut answers = runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for (index, (cluster, ids)) in asked.iter().enumerate() {
                let (cluster, ids, known) = (cluster.clone(), ids.clone(), open.remove(&cluster.name));
                tasks.spawn(async move { (index, objects(&cluster, &ids, known, limits).await) });
            }
            tasks.join_all().await
        });
        answers.sort_by_key(|(index, _)| *index);
        let kept = |(index, answer): (usize, Result<(Cluster, FluxObjects), Failure>)| {
            let (cluster, objects) = answer?;
            open.insert(asked[index].0.name.clone(), cluster);
            Ok(objects)
        };
        answers.into_iter().map(kept).collect()
    }

    /// Waits a second before the next reading, but not longer than until the deadline. Whether there is time left.
    pub fn pause(&self, deadline: Deadline) -> bool {
        let runtime = self.runtime.as_ref().expect("it is there until the end");
        // A timer can only be made where there is a runtime.
        runtime.block_on(async { tokio::time::sleep(PAUSE.min(deadline.left())).await });
        !deadline.left().is_zero()
    }
}

impl Drop for FluxReader {
    /// A program that gives credentials, or a connection that does not end, must not keep this one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Reads the objects of one cluster. A connection that failed is not kept.
async fn objects(
    followed: &FollowedCluster,
    ids: &[FluxId],
    known: Option<Cluster>,
    limits: Limits,
) -> Result<(Cluster, FluxObjects), Failure> {
    let deadline = limits.deadline();
    let cluster = match known {
        Some(cluster) => cluster.until(deadline),
        None => connect(followed, limits).await?,
    };
    let mut found = BTreeMap::new();
    // Nothing comes after a release, and there may be hundreds of them.
    let (releases, before): (Vec<_>, Vec<_>) = ids.iter().cloned().partition(|id| id.kind == FluxKind::HelmRelease);
    for id in before {
        found.extend([named(&cluster, id).await?]);
    }
    let reading = releases.into_iter().map(|id| named(&cluster, id));
    let releases: Vec<_> = stream::iter(reading).buffer_unordered(AT_ONCE).try_collect().await?;
    found.extend(releases);
    Ok((cluster, found))
}

async fn connect(followed: &FollowedCluster, limits: Limits) -> Result<Cluster, Failure> {
    let (uid, opened) = open(crate::edge::kube::session(&followed.way, limits).await?).await;
    let cluster = opened?;
    match uid {
        Observed::Present(uid) if uid == followed.uid => Ok(cluster),
        Observed::Present(uid) => {
            let message = format!("it is the cluster with UID {}, and not {}", shorten(&uid), followed.uid);
            Err(Failure::new(Cause::NoAccess, message))
        }
        Observed::Absent => Err(Failure::new(Cause::NotFound, "there is no namespace kube-system")),
        Observed::Unknown(unknown) => Err(Failure::new(Cause::Forbidden, unknown.message)),
    }
}

async fn named(cluster: &Cluster, id: FluxId) -> Result<(FluxId, Option<FluxStatus>), Failure> {
    let object = object(cluster, &id).await?;
    Ok((id, object))
}

async fn object(cluster: &Cluster, id: &FluxId) -> Result<Option<FluxStatus>, Failure> {
    let api = api(id.kind.kind());
    let Some(version) = cluster.version(&api)? else { return Ok(None) };
    let ObjectName { namespace, name } = &id.object;
    let path = path(api.group, version, Some(namespace), api.resource);
    let body = cluster.get(&format!("{path}?fieldSelector=metadata.name%3D{name}&limit=2"), &api).await?;
    let wrong = |message: String| Failure::new(Cause::Malformed, shorten(&message)).about(id);
    let list: List = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
    // A server that does not know the selector would give all of them.
    let object = list.items.into_iter().find(|object| object.metadata.name == *name);
    Ok(object.map(Object::status))
}

#[derive(Deserialize)]
struct List {
    items: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    generation: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    suspend: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: Option<i64>,
    conditions: Vec<Condition>,
    artifact: Option<Artifact>,
    last_applied_revision: String,
    last_attempted_revision: String,
    last_attempted_revision_digest: String,
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    revision: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    condition_type: String,
    status: String,
    reason: String,
    message: String,
    observed_generation: Option<i64>,
}

impl Object {
    fn status(self) -> FluxStatus {
        let Self { metadata: Metadata { generation, .. }, spec, status } = self;
        let condition = |wanted: &str| {
            let mut all = status.conditions.iter();
            let found = all.find(|one| one.condition_type == wanted)?;
            let is_of_now = found.observed_generation.is_none_or(|observed| observed == generation);
            is_of_now.then(|| Ready {
                status: found.status.clone(),
                reason: found.reason.clone(),
                message: found.message.clone(),
            })
        };
        FluxStatus {
            generation,
            observed_generation: status.observed_generation.unwrap_or(-1),
            suspended: spec.suspend,
            ready: condition("Ready"),
            stalled: condition("Stalled").filter(|stalled| stalled.status == "True"),
            revision: status.artifact.map_or(status.last_applied_revision, |artifact| artifact.revision),
            attempted: status.last_attempted_revision,
            chart_digest: status.last_attempted_revision_digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_says_how_far_it_is_and_conditions_of_older_generations_say_nothing() {
        let object = |text: &str| serde_json::from_str::<Object>(text).expect("an object of ours").status();
        let kustomization = object(
            r#"{"metadata": {"name": "edge", "generation": 3}, "spec": {"suspend": true}, "status": {
                "observedGeneration": 2, "lastAppliedRevision": "main@sha1:a", "lastAttemptedRevision": "main@sha1:b",
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "m", "observedGeneration": 3},
                    {"type": "Stalled", "status": "True", "reason": "Old", "message": "m", "observedGeneration": 2}]}}"#,
        );
        assert_eq!(
            kustomization,
            FluxStatus {
                generation: 3,
                observed_generation: 2,
                suspended: true,
                ready: Some(Ready { status: "False".into(), reason: "BuildFailed".into(), message: "m".into() }),
                stalled: None,
                revision: "main@sha1:a".to_owned(),
                attempted: "main@sha1:b".to_owned(),
                chart_digest: String::new(),
            }
        );
        let fresh = object(r#"{"metadata": {"name": "edge", "generation": 1}}"#);
        assert_eq!(fresh, FluxStatus { generation: 1, observed_generation: -1, ..FluxStatus::default() });
        let source = object(r#"{"metadata": {"name": "a"}, "status": {"artifact": {"revision": "main@sha1:c"}}}"#);
        assert_eq!(source.revision, "main@sha1:c");
    }
}
