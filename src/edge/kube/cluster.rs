//! What one cluster holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    config::inventory::{
        Collection, DNS_CONFIG_MAPS, Kind, PageError, kubeconfig_selector, kubeconfig_tenants, namespace_uid,
        platform_settings,
    },
    edge::kube::{
        ObjectName,
        api::{Api, api, path, rule},
        failure::{Cause, Failure, shorten},
        list::list,
        session::Session,
    },
    model::{
        cluster::KubeconfigSecrets,
        inventory::{ClusterInventory, ObjectMeta, ServiceObject, TenantObject},
        layer::TenantId,
        name::Name,
        observed::{Observed, Unknown},
    },
};

/// One cluster whose identity is known.
pub(super) struct Cluster {
    session: Session,
    /// What the server serves, by group; why that is not known.
    groups: Result<BTreeMap<String, BTreeSet<String>>, Failure>,
}

/// The identity of a cluster, and the way to the rest of it.
///
/// What keeps from learning the identity for good (no connection, nobody answers, nobody knows us) keeps from everything
/// else too; it is the second value then, and nothing else is tried.
pub(super) async fn open(session: Session) -> (Observed<String>, Result<Cluster, Failure>) {
    let mut body = Vec::new();
    let about = "the namespace kube-system";
    let uid = match session.get("/api/v1/namespaces/kube-system", &mut body).await {
        Ok(()) => match namespace_uid(&body) {
            Ok(uid) => Observed::Present(uid),
            Err(error) => {
                // Whoever answers this with something else is not an API server.
                let failure = Failure::new(Cause::Malformed, error.to_string()).about(&about);
                return (failure.observed(), Err(failure));
            }
        },
        Err(failure) if failure.cause.concerns_the_whole_cluster() => {
            let failure = explained(failure, "", "namespaces", Some("kube-system")).about(&about);
            return (failure.observed(), Err(failure));
        }
        Err(failure) => explained(failure, "", "namespaces", Some("kube-system")).about(&about).observed(),
    };
    let groups = groups(&session, &mut body).await.map_err(|failure| failure.about(&"the list of APIs"));
    (uid, Ok(Cluster { session, groups }))
}

impl Cluster {
    /// The same cluster, until another deadline.
    pub(super) fn until(&self, deadline: Instant) -> Self {
        Self { session: self.session.until(deadline), groups: self.groups.clone() }
    }

    /// The version in which an API is read; `None` when the server does not have the group.
    pub(super) fn version(&self, api: &Api) -> Result<Option<&'static str>, Failure> {
        let groups = self.groups.as_ref().map_err(|failure| failure.clone().about(&api.resource))?;
        let Some(served) = groups.get(api.group) else { return Ok(None) };
        Ok(api.versions.iter().copied().find(|version| served.contains(*version)))
    }

    /// Asks for something of an API as it is.
    pub(super) async fn get(&self, path: &str, api: &Api) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let got = self.session.get(path, &mut body).await;
        got.map_err(|failure| explained(failure.about(&api.resource), api.group, api.resource, None))?;
        Ok(body)
    }

    /// Reads the sources that every cluster has, but for the Services.
    pub(super) async fn sources(&self, uid: Observed<String>, namespaces: &[Name]) -> ClusterInventory {
        let (ingresses, gateways, http_routes, tls_routes, dns_config_maps) = tokio::join!(
            self.objects(Kind::Ingress, namespaces, Collection::into_ingresses),
            self.objects(Kind::Gateway, namespaces, Collection::into_gateways),
            self.objects(Kind::HttpRoute, namespaces, Collection::into_routes),
            self.objects(Kind::TlsRoute, namespaces, Collection::into_routes),
            self.dns_config_maps(),
        );
        let services = Observed::Unknown(Unknown::not_collected());
        let api_server = self.session.server.clone();
        ClusterInventory { api_server, uid, ingresses, gateways, http_routes, tls_routes, services, dns_config_maps }
    }

    /// Reads all objects of a kind; of some namespaces, when there are such.
    pub(super) async fn objects<T>(
        &self,
        kind: Kind,
        namespaces: &[Name],
        into: fn(Collection) -> Result<Vec<T>, PageError>,
    ) -> Observed<Vec<T>> {
        match self.lists(kind, namespaces, into).await {
            Ok(Some(lists)) => Observed::Present(lists.into_iter().flatten().collect()),
            Ok(None) => Observed::Absent,
            Err(failure) => failure.observed(),
        }
    }

    /// Reads all objects of a kind into a map.
    pub(super) async fn map<T>(&self, kind: Kind, into: fn(Collection) -> Result<T, PageError>) -> Observed<T> {
        match self.lists(kind, &[], into).await {
            Ok(Some(mut lists)) => Observed::Present(lists.pop().expect("one list of all namespaces")),
            Ok(None) => Observed::Absent,
            Err(failure) => failure.observed(),
        }
    }

    /// Reads which tenants there are by the Secrets with their kubeconfigs. Nothing of what is in a Secret is asked for.
    pub(super) async fn kubeconfig_tenants(
        &self,
        secrets: &KubeconfigSecrets,
    ) -> Observed<BTreeMap<TenantId, TenantObject>> {
        let api = api(Kind::SecretMetadata);
        let path = path(api.group, "v1", None, api.resource);
        let selector = kubeconfig_selector(secrets);
        let about = format!("{} with {}", api.resource, shorten(&selector));
        let read = list(&self.session, Kind::SecretMetadata, &path, Some(&selector), Collection::into_secrets).await;
        let tenants = read.map(|found| kubeconfig_tenants(secrets, &found));
        match tenants {
            Ok(Ok(tenants)) => Observed::Present(tenants),
            Ok(Err(error)) => Failure::new(Cause::Malformed, error.to_string()).about(&about).observed(),
            Err(failure) => explained(failure.about(&about), api.group, api.resource, None).observed(),
        }
    }

    /// The lists of a kind, one for each namespace in order of name, or one of all; `None` when the API is not there.
    async fn lists<T>(
        &self,
        kind: Kind,
        namespaces: &[Name],
        into: fn(Collection) -> Result<T, PageError>,
    ) -> Result<Option<Vec<T>>, Failure> {
        let api = api(kind);
        let groups = self.groups.as_ref().map_err(|failure| failure.clone().about(&api.resource))?;
        let Some(served) = groups.get(api.group) else {
            return self.lacks(api.group).await.map(|()| None).map_err(|failure| failure.about(&api.resource));
        };
        let known: Vec<_> = api.versions.iter().filter(|version| served.contains(**version)).collect();
        if known.is_empty() {
            let served: Vec<_> = served.iter().map(String::as_str).collect();
            let message = format!("the server has {} as {} only", api.group, shorten(&served.join(", ")));
            return Err(Failure::new(Cause::UnsupportedVersion, message).about(&api.resource));
        }
        let namespaces: BTreeSet<_> = namespaces.iter().map(Name::as_str).collect();
        let places: Vec<_> =
            if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
        'versions: for version in known {
            let mut lists = Vec::with_capacity(places.len());
            for place in &places {
                let about = match place {
                    Some(namespace) => format!("{} in {namespace}", api.resource),
                    None => api.resource.to_owned(),
                };
                let path = path(api.group, version, *place, api.resource);
                match list(&self.session, kind, &path, None, into).await {
                    Ok(list) => lists.push(list),
                    Err(failure) if failure.cause == Cause::NotFound => {
                        let served = self.serves(api.group, version, api.resource).await;
                        if served.map_err(|failure| failure.about(&about))? {
                            return Err(failure.about(&about));
                        }
                        continue 'versions;
                    }
                    Err(failure) => return Err(explained(failure.about(&about), api.group, api.resource, None)),
                }
            }
            return Ok(Some(lists));
        }
        Ok(None)
    }

    /// Makes sure that the server has no such group. One that has just started does not list what it has not set up yet,
    /// but it answers 503 then, and not 404.
    async fn lacks(&self, group: &str) -> Result<(), Failure> {
        let about = format!("the API group {group}");
        match self.session.get(&format!("/apis/{group}"), &mut Vec::new()).await {
            Ok(()) => {
                let message = "the server has it, and its list of APIs lacks it";
                Err(Failure::new(Cause::Inconsistent, message).about(&about))
            }
            Err(failure) if failure.cause == Cause::NotFound => Ok(()),
            Err(failure) => Err(failure.about(&about)),
        }
    }

    /// Whether the server says that it has a resource.
    async fn serves(&self, group: &str, version: &str, resource: &str) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Resources {
            kind: String,
            resources: Vec<Resource>,
        }
        #[derive(Deserialize)]
        struct Resource {
            name: String,
        }
        let about = format!("the list of resources of {group}/{version}");
        let mut body = Vec::new();
        let got = self.session.get(&format!("/apis/{group}/{version}"), &mut body).await;
        got.map_err(|failure| failure.about(&about))?;
        match serde_json::from_slice::<Resources>(&body) {
            Ok(list) if list.kind == "APIResourceList" => Ok(list.resources.iter().any(|one| one.name == resource)),
            _ => Err(Failure::new(Cause::Malformed, "the answer is no APIResourceList").about(&about)),
        }
    }

    async fn dns_config_maps(&self) -> Observed<BTreeMap<String, BTreeMap<String, String>>> {
        let names: Vec<_> = DNS_CONFIG_MAPS.iter().map(|name| ObjectName::new("kube-system", name)).collect();
        match self.named(Kind::ConfigMap, &names).await.map(Collection::into_dns_config_maps) {
            Ok(Ok(maps)) => Observed::Present(maps),
            Ok(Err(error)) => Failure::new(Cause::Malformed, error.to_string()).about(&"configmaps").observed(),
            Err(failure) => failure.observed(),
        }
    }

    /// Reads the named Services. One that does not exist is not among them.
    pub(super) async fn services(&self, names: &[ObjectName]) -> Observed<Vec<ServiceObject>> {
        match self.named(Kind::Service, names).await.map(Collection::into_services) {
            Ok(Ok(services)) => {
                let is_asked = |one: &ServiceObject| {
                    names.iter().any(|name| *name.namespace == *one.meta.namespace && *name.name == *one.meta.name)
                };
                match services.iter().find(|one| !is_asked(one)) {
                    None => Observed::Present(services),
                    Some(other) => {
                        let ObjectMeta { namespace, name, .. } = &other.meta;
                        let message = format!("the server answers with {}", shorten(&format!("{namespace}/{name}")));
                        Failure::new(Cause::Malformed, message).about(&"services").observed()
                    }
                }
            }
            Ok(Err(error)) => Failure::new(Cause::Malformed, error.to_string()).about(&"services").observed(),
            Err(failure) => failure.observed(),
        }
    }

    /// Reads single objects of a built-in kind. One that does not exist is left out.
    async fn named(&self, kind: Kind, names: &[ObjectName]) -> Result<Collection, Failure> {
        let api = api(kind);
        let mut collection = Collection::new(kind);
        let mut body = Vec::new();
        for ObjectName { namespace, name } in names {
            let about = format!("{} {namespace}/{name}", api.resource);
            let root = path(api.group, "v1", Some(namespace), api.resource);
            match self.session.get(&format!("{root}/{name}"), &mut body).await {
                Ok(()) => {
                    let added = collection.add_one(&body);
                    added.map_err(|error| Failure::new(Cause::Malformed, error.to_string()).about(&about))?;
                }
                Err(failure) if failure.is_absence => (),
                Err(failure) => return Err(explained(failure, api.group, api.resource, Some(name)).about(&about)),
            }
        }
        Ok(collection)
    }

    /// Reads what the platform says about itself.
    pub(super) async fn platform_settings(&self) -> Observed<BTreeMap<String, String>> {
        let about = "secrets cozy-system/cozystack-values";
        let mut body = Vec::new();
        match self.session.get("/api/v1/namespaces/cozy-system/secrets/cozystack-values", &mut body).await {
            Ok(()) => match platform_settings(&body) {
                Ok(settings) => Observed::Present(settings),
                Err(error) => Failure::new(Cause::Malformed, error.to_string()).about(&about).observed(),
            },
            Err(failure) if failure.is_absence => Observed::Absent,
            Err(failure) => explained(failure, "", "secrets", Some("cozystack-values")).about(&about).observed(),
        }
    }

    /// Reads one key of a Secret.
    pub(super) async fn secret(&self, name: &ObjectName, key: &str) -> Result<secrecy::SecretString, Failure> {
        let ObjectName { namespace, name } = name;
        let about = format!("secrets {namespace}/{name}");
        let mut body = Vec::new();
        let got = self.session.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"), &mut body).await;
        got.map_err(|failure| explained(failure, "", "secrets", Some(name)).about(&about))?;
        let text = crate::edge::kube::secret::text(&body, key);
        text.map_err(|message| Failure::new(Cause::NoAccess, shorten(&message)).about(&about))
    }
}

/// What the server serves: versions by group.
async fn groups(session: &Session, body: &mut Vec<u8>) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    #[derive(Deserialize)]
    struct Groups {
        kind: String,
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        name: String,
        versions: Vec<Version>,
    }
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    session.get("/apis", body).await?;
    match serde_json::from_slice::<Groups>(body) {
        Ok(list) if list.kind == "APIGroupList" => {
            let versions = |group: Group| group.versions.into_iter().map(|version| version.version).collect();
            Ok(list.groups.into_iter().map(|group| (group.name.clone(), versions(group))).collect())
        }
        _ => Err(Failure::new(Cause::Malformed, "the answer is no APIGroupList")),
    }
}

/// A refusal, with the rule that is missing.
fn explained(failure: Failure, group: &str, resource: &str, name: Option<&str>) -> Failure {
    match failure.cause {
        Cause::Forbidden => failure.fix(&rule(group, resource, name)),
        Cause::Unauthorized => failure.fix(&"renew the credentials in the kubeconfig"),
        _ => failure,
    }
}
