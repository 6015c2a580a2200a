//! Which files a release has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    manifest::{ClusterManifests, ManifestFile, Meaning, validate::Rules},
    model::{cluster::HostsPath, layer::Layer, object::ObjectId, tree::RepoPath},
    plan::release::{
        ADDON_FILE, COZY_NAMESPACE, Carrier, Chart, Form, HOST_RECORDS_FILE, OVERLAY_FILE, OWN_PACKAGE,
        PLATFORM_PACKAGE, Records, Release, RemoteChart, RemoteHelmRelease, TENANT_RECORDS_FILE, TwoStep,
    },
    render::{
        engine::{Engine, TemplateError},
        templates::{
            self, Component, ComponentEmptied, HelmRelease, List, Namespace, OciRepository, Overlay, OverlayEmptied,
            Package, PackageSource, RecordsKustomization, RecordsMap, RecordsMapEmptied, RemoteOci, RemotePlatform,
            Template, TenantPatch, object,
        },
    },
};

/// The namespace of the operator of cozystack, which reads the sources of packages there.
const COZY_SYSTEM: &str = "cozy-system";

/// The files of one layer, by path below its folder, and what they take for granted.
#[derive(Debug, Default)]
pub(super) struct LayerFiles {
    files: BTreeMap<String, (String, Meaning)>,
    external: BTreeSet<ObjectId>,
    /// Folders below the layer's that somebody else reads.
    roots: BTreeSet<&'static str>,
    /// Files that an emptied thing no longer has.
    dropped: BTreeSet<&'static str>,
}

impl LayerFiles {
    /// Every file of a release, but for the lists.
    pub(super) fn release(&mut self, layer: &Layer, release: &Release, engine: &Engine) -> Result<(), TemplateError> {
        match (&release.form, layer) {
            (Form::Overlay { values }, _) => {
                self.add(engine, OVERLAY_FILE, &Overlay { name: PLATFORM_PACKAGE, values })?;
            }
            (Form::Package { values }, _) => {
                self.add(engine, "package.yaml", &Package { name: PLATFORM_PACKAGE, values })?;
            }
            (Form::OwnPackage { values, chart }, _) => self.own_package(engine, values, chart)?,
            (Form::HelmRelease { namespace, chart, values }, Layer::Host) => {
                self.helm_release(engine, "", namespace, chart, values)?;
            }
            (Form::HelmRelease { namespace, chart, values }, Layer::Tenant(_)) => {
                self.roots.insert("cluster");
                self.helm_release(engine, "cluster/", namespace, chart, values)?;
            }
            (Form::RemoteHelmRelease(remote), Layer::Tenant(tenant)) => {
                self.remote(engine, tenant.namespace.as_str(), remote)?;
            }
            (Form::Addon { addons }, Layer::Tenant(tenant)) => {
                let (namespace, name) = (tenant.namespace.as_str(), tenant.name.as_str());
                self.roots.insert("addon");
                self.add(engine, ADDON_FILE, &Component { namespace, name })?;
                self.add(engine, "addon/kubernetes.yaml", &TenantPatch { namespace, name, addons })?;
            }
            (Form::RemoteHelmRelease(_) | Form::Addon { .. }, Layer::Host) => {
                unreachable!("the plan makes these forms for tenants only")
            }
        }
        match &release.records {
            Some(records) => self.records(engine, layer, records),
            None => Ok(()),
        }
    }

    /// The emptied form of things that are on their way out.
    pub(super) fn emptied(
        &mut self,
        layer: &Layer,
        withdraw: &BTreeSet<TwoStep>,
        engine: &Engine,
    ) -> Result<(), TemplateError> {
        for step in withdraw {
            match step {
                TwoStep::Overlay => self.add(engine, OVERLAY_FILE, &OverlayEmptied { name: PLATFORM_PACKAGE })?,
                TwoStep::HostRecords => self.emptied_records(engine, HOST_RECORDS_FILE, withdraw)?,
                TwoStep::TenantRecords => self.emptied_records(engine, TENANT_RECORDS_FILE, withdraw)?,
                TwoStep::Addon => {
                    self.roots.insert("addon");
                    self.dropped.insert("addon/kubernetes.yaml");
                    self.add(engine, ADDON_FILE, &ComponentEmptied {})?;
                }
                // It is one of the records.
                TwoStep::HostsFile => {}
                // The plan has the new text of the file that it stands in.
                TwoStep::CorefileBlock => {}
            }
        }
        debug_assert!(matches!(layer, Layer::Tenant(_)) || !withdraw.contains(&TwoStep::Addon), "{layer}");
        Ok(())
    }

    fn emptied_records(
        &mut self,
        engine: &Engine,
        file: &str,
        withdraw: &BTreeSet<TwoStep>,
    ) -> Result<(), TemplateError> {
        if withdraw.contains(&TwoStep::HostsFile) {
            self.add(engine, file, &RecordsMap { data: json!({HostsPath::KEY: ""}) })
        } else {
            self.add(engine, file, &RecordsMapEmptied {})
        }
    }

    /// The lists of the layer's folder and of the folder that goes into the tenant cluster.
    pub(super) fn lists(&mut self, engine: &Engine) -> Result<(), TemplateError> {
        let (inner, outer): (Vec<_>, Vec<_>) =
            self.files.keys().filter(|path| !path.starts_with("addon/")).partition(|path| path.starts_with("cluster/"));
        let inner = inner.into_iter().map(|path| path["cluster/".len()..].to_owned()).collect::<Vec<_>>();
        let outer = List { resources: outer.into_iter().cloned().collect() };
        if !inner.is_empty() {
            self.add(engine, "cluster/kustomization.yaml", &List { resources: inner })?;
        }
        self.add(engine, "kustomization.yaml", &outer)
    }

    /// The files that are decided although the rest of the layer is left alone.
    pub(super) fn decided(&self, folder: &RepoPath) -> BTreeSet<RepoPath> {
        self.files
            .keys()
            .map(String::as_str)
            .chain(self.dropped.iter().copied())
            .map(|path| folder.join(path))
            .collect()
    }

    /// Puts the files below the layer's folder.
    pub(super) fn add_to(self, layer: &Layer, folder: &RepoPath, cluster: &mut ClusterManifests, rules: &mut Rules) {
        for (path, (text, meaning)) in self.files {
            let file = ManifestFile { layer: Some(layer.clone()), text, meanings: vec![meaning] };
            cluster.files.insert(folder.join(&path), file);
        }
        rules.external.extend(self.external);
        rules.roots.extend(self.roots.into_iter().map(|root| folder.join(root)));
    }

    fn add(&mut self, engine: &Engine, path: &str, template: &impl Template) -> Result<(), TemplateError> {
        let text = engine.render(template.path(), template)?;
        self.files.insert(path.to_owned(), (text, template.meaning()));
        Ok(())
    }

    fn own_package(&mut self, engine: &Engine, values: &serde_json::Value, chart: &Chart) -> Result<(), TemplateError> {
        let repository = "bobbypin-ouroboros";
        self.add(engine, "package.yaml", &Package { name: OWN_PACKAGE, values })?;
        let source =
            PackageSource { name: OWN_PACKAGE, repository, namespace: COZY_SYSTEM, target_namespace: COZY_NAMESPACE };
        self.add(engine, "package-source.yaml", &source)?;
        let chart = OciRepository::new(repository, COZY_SYSTEM, chart, templates::Layer::Extract);
        self.external.insert(object("v1", "Namespace", None, COZY_SYSTEM));
        self.add(engine, "oci-repository.yaml", &chart)
    }

    fn helm_release(
        &mut self,
        engine: &Engine,
        folder: &str,
        namespace: &str,
        chart: &Chart,
        values: &serde_json::Value,
    ) -> Result<(), TemplateError> {
        let name = "ouroboros";
        self.add(engine, &format!("{folder}namespace.yaml"), &Namespace { name: namespace })?;
        let repository = OciRepository::new(name, namespace, chart, templates::Layer::Copy);
        self.add(engine, &format!("{folder}oci-repository.yaml"), &repository)?;
        let release = HelmRelease { name, namespace, repository: name, values };
        self.add(engine, &format!("{folder}helm-release.yaml"), &release)
    }

    fn remote(&mut self, engine: &Engine, namespace: &str, remote: &RemoteHelmRelease) -> Result<(), TemplateError> {
        let (kubeconfig_secret, kubeconfig_key) = (remote.kubeconfig.name.as_str(), remote.kubeconfig.key.as_str());
        let secret = object("v1", "Secret", Some(namespace), kubeconfig_secret);
        self.external.extend([secret, object("v1", "Namespace", None, namespace)]);
        match &remote.chart {
            RemoteChart::Platform { target_cluster } => {
                let depends_on = remote.depends_on.iter().map(|name| json!({"name": name, "namespace": namespace}));
                self.external.extend(
                    remote
                        .depends_on
                        .iter()
                        .map(|name| object("helm.toolkit.fluxcd.io/v2", "HelmRelease", Some(namespace), name)),
                );
                self.external.insert(object(
                    "source.toolkit.fluxcd.io/v1",
                    "ExternalArtifact",
                    Some(COZY_SYSTEM),
                    "cozystack-kubernetes-application-kubevirt-kubernetes-ouroboros",
                ));
                let release = RemotePlatform {
                    name: &remote.name,
                    namespace,
                    target_cluster,
                    kubeconfig_secret,
                    kubeconfig_key,
                    target_namespace: remote.namespace,
                    force_upgrade: remote.force_upgrade,
                    depends_on: depends_on.collect(),
                    values: &remote.values,
                };
                self.add(engine, "helm-release.yaml", &release)
            }
            RemoteChart::Oci(chart) => {
                let repository = OciRepository::new(&remote.name, namespace, chart, templates::Layer::Copy);
                self.add(engine, "oci-repository.yaml", &repository)?;
                let release = RemoteOci {
                    name: &remote.name,
                    namespace,
                    repository: &remote.name,
                    kubeconfig_secret,
                    kubeconfig_key,
                    target_namespace: remote.namespace,
                    values: &remote.values,
                };
                self.add(engine, "helm-release.yaml", &release)
            }
        }
    }

    fn records(&mut self, engine: &Engine, layer: &Layer, records: &Records) -> Result<(), TemplateError> {
        let file = match layer {
            Layer::Host => HOST_RECORDS_FILE,
            Layer::Tenant(_) => TENANT_RECORDS_FILE,
        };
        let texts = records.answers.iter().filter_map(|answer| Some((answer.key()?, answer.text(&records.hosts))));
        let data: BTreeMap<_, _> = texts.collect();
        if data.is_empty() {
            return Ok(());
        }
        self.add(engine, file, &RecordsMap { data: json!(data) })?;
        match &records.carrier {
            Some(carrier) => self.carrier(engine, carrier),
            None => Ok(()),
        }
    }

    fn carrier(&mut self, engine: &Engine, carrier: &Carrier) -> Result<(), TemplateError> {
        let namespace = carrier.tenant.namespace.as_str();
        let (source_name, source_namespace) = (carrier.source.name.as_str(), carrier.source.namespace.as_str());
        self.external.extend([
            object("v1", "Secret", Some(namespace), carrier.kubeconfig.name.as_str()),
            object("v1", "Namespace", None, namespace),
            object("source.toolkit.fluxcd.io/v1", "GitRepository", Some(source_namespace), source_name),
        ]);
        let kustomization = RecordsKustomization {
            name: format!("{}-dns-records", carrier.tenant.name),
            namespace,
            path: format!("./{}", carrier.folder),
            source_name,
            source_namespace,
            kubeconfig_secret: carrier.kubeconfig.name.as_str(),
            kubeconfig_key: &carrier.kubeconfig.key,
        };
        self.add(engine, "records.yaml", &kustomization)
    }
}
