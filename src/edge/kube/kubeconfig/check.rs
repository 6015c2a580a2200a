//! Which entries of a kubeconfig are used, and whether what stands in them is lawful.

use std::collections::BTreeSet;

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use secrecy::{ExposeSecret, SecretString};

use crate::edge::kube::kubeconfig::{
    Allowed, Origin,
    error::{KubeconfigError, Reason, Refusal, Remedy},
    server::Server,
};

/// One context of a kubeconfig with its cluster and its user; everything else is forgotten.
pub(super) struct Chosen {
    pub(super) context: String,
    pub(super) cluster_name: String,
    pub(super) cluster: Cluster,
    pub(super) user_name: String,
    pub(super) user: AuthInfo,
    namespace: Option<String>,
}

/// The names of all contexts, sorted, each once.
pub(super) fn context_names(kubeconfig: &Kubeconfig) -> Vec<String> {
    let names: BTreeSet<_> = kubeconfig.contexts.iter().map(|entry| entry.name.clone()).collect();
    names.into_iter().collect()
}

impl Chosen {
    /// Finds the entries of the wanted context, or of the current one.
    pub(super) fn of(kubeconfig: Kubeconfig, wanted: Option<&str>) -> Result<Self, KubeconfigError> {
        let contexts = || context_names(&kubeconfig);
        let current = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
        let name = wanted.or(current).ok_or_else(|| KubeconfigError::NoContext { contexts: contexts() })?.to_owned();
        let context = only("context", &name, kubeconfig.contexts.iter().map(|entry| (&entry.name, &entry.context)))?
            .and_then(Clone::clone)
            .ok_or_else(|| KubeconfigError::UnknownContext { context: name.clone(), contexts: contexts() })?;

        let unnamed = |what| KubeconfigError::Unnamed { context: name.clone(), what };
        let dangling =
            |what, entry: &str| KubeconfigError::Dangling { context: name.clone(), what, name: entry.to_owned() };
        let Context { cluster: cluster_name, user, namespace, .. } = context;
        if cluster_name.is_empty() {
            return Err(unnamed("cluster"));
        }
        let user_name = filled(user).ok_or_else(|| unnamed("user"))?;
        let clusters = kubeconfig.clusters.iter().map(|entry| (&entry.name, &entry.cluster));
        let cluster = only("cluster", &cluster_name, clusters)?
            .and_then(Clone::clone)
            .ok_or_else(|| dangling("cluster", &cluster_name))?;
        let users = kubeconfig.auth_infos.iter().map(|entry| (&entry.name, &entry.auth_info));
        // A user without anything is one who does not log in.
        let user = only("user", &user_name, users)?
            .map(|user| user.clone().unwrap_or_default())
            .ok_or_else(|| dangling("user", &user_name))?;
        Ok(Self {
            cluster: without_blanks_of_cluster(cluster),
            user: without_blanks_of_user(user),
            context: name,
            cluster_name,
            user_name,
            namespace: filled(namespace),
        })
    }

    /// Looks at everything that is more than plain data. All of it that is not lawful is in the error.
    pub(super) fn check(&self, origin: Origin) -> Result<Server, KubeconfigError> {
        let wrong = |problem| KubeconfigError::Server { cluster: self.cluster_name.clone(), problem };
        let server =
            Server::parse(self.cluster.server.as_deref().ok_or_else(|| wrong("is missing"))?).map_err(wrong)?;
        let mut refusals = Vec::new();
        let allowed = match origin {
            Origin::Own(allowed) => allowed,
            Origin::Tenant(_) => Allowed::default(),
        };
        let remedy = |value| match origin {
            Origin::Own(_) => Remedy::Allow(value),
            Origin::Tenant(_) => Remedy::PlainData,
        };
        if !allowed.exec {
            refusals.extend(self.programs().map(|reason| self.refuse_user(reason, remedy("exec"))));
        }
        if !allowed.files {
            refusals.extend(self.files_of_user().map(|reason| self.refuse_user(reason, remedy("files"))));
            let file = self.cluster.certificate_authority.as_ref();
            let reason = file.map(|_| Reason::ClusterFile { key: "certificate-authority" });
            refusals.extend(reason.map(|reason| self.refuse_cluster(reason, remedy("files"))));
        }
        if !allowed.insecure_tls && self.cluster.insecure_skip_tls_verify == Some(true) {
            refusals.push(self.refuse_cluster(Reason::InsecureTls, remedy("insecure-tls")));
        }
        if !allowed.proxy && self.cluster.proxy_url.is_some() {
            refusals.push(self.refuse_cluster(Reason::Proxy, remedy("proxy")));
        }
        if server.has_userinfo {
            refusals.push(self.refuse_cluster(Reason::UserInfo, Remedy::PlainServer));
        }
        if let Origin::Tenant(policy) = origin {
            let keys = self.impersonation();
            if !keys.is_empty() {
                refusals.push(self.refuse_user(Reason::Impersonation { keys }, Remedy::PlainData));
            }
            if server.is_plain_http() && self.has_credentials() {
                let reason = Reason::PlainHttp { server: server.to_string() };
                refusals.push(self.refuse_cluster(reason, Remedy::PlainData));
            }
            if let Some(kind) = policy.refuses_host(server.host()) {
                let reason = Reason::Address { server: server.to_string(), kind };
                refusals.push(self.refuse_cluster(reason, Remedy::OtherServer));
            }
        }
        if !refusals.is_empty() {
            return Err(KubeconfigError::Refused(refusals));
        }
        self.check_token()?;
        Ok(server)
    }

    /// A kubeconfig with these entries and nothing else, for kube.
    pub(super) fn into_kubeconfig(self) -> Kubeconfig {
        let context = Context {
            cluster: self.cluster_name.clone(),
            user: Some(self.user_name.clone()),
            namespace: self.namespace,
            ..Context::default()
        };
        Kubeconfig {
            current_context: Some(self.context.clone()),
            contexts: vec![NamedContext { name: self.context, context: Some(context), ..NamedContext::default() }],
            clusters: vec![NamedCluster {
                name: self.cluster_name,
                cluster: Some(self.cluster),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: self.user_name,
                auth_info: Some(self.user),
                ..NamedAuthInfo::default()
            }],
            ..Kubeconfig::default()
        }
    }

    fn programs(&self) -> impl Iterator<Item = Reason> {
        let exec = self.user.exec.as_ref().map(|exec| {
            let command = exec.command.as_deref().unwrap_or_default();
            // The folder says nothing, and somebody may have put the arguments here.
            let program = command.split_whitespace().next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            Reason::Exec { program: program.to_owned() }
        });
        let provider = self.user.auth_provider.as_ref();
        exec.into_iter().chain(provider.map(|provider| Reason::AuthProvider { name: provider.name.clone() }))
    }

    fn files_of_user(&self) -> impl Iterator<Item = Reason> {
        let AuthInfo { token_file, client_certificate, client_key, .. } = &self.user;
        let files = [("tokenFile", token_file), ("client-certificate", client_certificate), ("client-key", client_key)];
        files.into_iter().filter(|(_, file)| file.is_some()).map(|(key, _)| Reason::UserFile { key })
    }

    fn impersonation(&self) -> Vec<&'static str> {
        let AuthInfo { impersonate, impersonate_uid, impersonate_groups, impersonate_user_extra, .. } = &self.user;
        let keys = [
            ("as", impersonate.is_some()),
            ("as-uid", impersonate_uid.is_some()),
            ("as-groups", impersonate_groups.is_some()),
            ("as-user-extra", impersonate_user_extra.is_some()),
        ];
        keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect()
    }

    /// Whether anything would be sent that proves who asks. Everything that could count counts.
    fn has_credentials(&self) -> bool {
        let AuthInfo { username, password, token, token_file, client_key, client_key_data, .. } = &self.user;
        let texts = [username, token_file, client_key];
        let secrets = [password, token, client_key_data];
        texts.iter().any(|text| text.is_some())
            || secrets.iter().any(|secret| secret.is_some())
            || self.programs().next().is_some()
    }

    /// kube panics on a token that cannot be in a header.
    fn check_token(&self) -> Result<(), KubeconfigError> {
        let is_fine = |token: &SecretString| token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
        match &self.user.token {
            Some(token) if !is_fine(token) => Err(KubeconfigError::Value {
                what: "user",
                name: self.user_name.clone(),
                key: "token",
                problem: "has characters that no token has",
            }),
            _ => Ok(()),
        }
    }

    fn refuse_user(&self, reason: Reason, remedy: Remedy) -> Refusal {
        Refusal { context: self.context.clone(), entry: self.user_name.clone(), reason, remedy }
    }

    fn refuse_cluster(&self, reason: Reason, remedy: Remedy) -> Refusal {
        Refusal { context: self.context.clone(), entry: self.cluster_name.clone(), reason, remedy }
    }
}

/// The entry of a name, if there is one. kube would take the first of two.
fn only<'a, T>(
    what: &'static str,
    name: &str,
    entries: impl Iterator<Item = (&'a String, &'a T)>,
) -> Result<Option<&'a T>, KubeconfigError> {
    let mut found = entries.filter(|(entry, _)| *entry == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(KubeconfigError::Duplicate { what, name: name.to_owned() }),
        (first, None) => Ok(first),
    }
}

/// An empty text says nothing, as for kubectl; kube would read a file without a name.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn filled_secret(secret: Option<SecretString>) -> Option<SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

/// Every field is named, so that one that kube adds is looked at before it is passed on.
fn without_blanks_of_cluster(cluster: Cluster) -> Cluster {
    let Cluster {
        server,
        insecure_skip_tls_verify,
        certificate_authority,
        certificate_authority_data,
        proxy_url,
        disable_compression,
        tls_server_name,
        extensions,
        other: _,
    } = cluster;
    let certificate_authority_data = filled(certificate_authority_data);
    Cluster {
        server: filled(server),
        insecure_skip_tls_verify,
        certificate_authority: filled(certificate_authority),
        certificate_authority_data,
        proxy_url: filled(proxy_url),
        disable_compression,
        tls_server_name: filled(tls_server_name),
        // A program that makes credentials may be told what stands here.
        extensions,
        other: Default::default(),
    }
}

fn without_blanks_of_user(user: AuthInfo) -> AuthInfo {
    let AuthInfo {
        username,
        password,
        token,
        token_file,
        client_certificate,
        client_certificate_data,
        client_key,
        client_key_data,
        impersonate,
        impersonate_uid,
        impersonate_groups,
        impersonate_user_extra,
        extensions: _,
        auth_provider,
        exec,
        other: _,
    } = user;
    AuthInfo {
        username: filled(username),
        password: filled_secret(password),
        token: filled_secret(token),
        token_file: filled(token_file),
        client_certificate: filled(client_certificate),
        client_certificate_data: filled(client_certificate_data),
        client_key: filled(client_key),
        client_key_data: filled_secret(client_key_data),
        impersonate: filled(impersonate),
        impersonate_uid: filled(impersonate_uid),
        impersonate_groups: impersonate_groups.filter(|groups| !groups.is_empty()),
        impersonate_user_extra: impersonate_user_extra.filter(|extra| !extra.is_empty()),
        extensions: None,
        auth_provider,
        exec,
        other: Default::default(),
    }
}
