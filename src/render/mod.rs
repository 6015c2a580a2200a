//! Decisions in, files out.
//!
//! A template only shapes; what it is given was decided in [`crate::plan`]. [`templates`] has one struct for every
//! template, [`engine`] runs them, and `layer` says which files a release has.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::{
    config::state_text,
    manifest::{ClusterManifests, ManifestFile, Manifests, Meaning, Rendered, validate::Rules},
    model::stamp::Stamp,
    plan::{ClusterPlan, Decision, LayerPlan},
    render::{
        engine::{Engine, TemplateError},
        layer::LayerFiles,
        templates::{EMBEDDED, List, Template},
    },
};

mod dialect;
pub mod engine;
mod layer;
pub mod templates;
#[cfg(test)]
mod tests;

/// The templates of one cluster: the embedded ones, some of them replaced by the cluster's own.
#[derive(Debug)]
pub struct Templates(Engine);

impl Templates {
    /// Parses and checks every template. `overrides` maps the path below the cluster's `templates/` to the text.
    pub fn new(overrides: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        Engine::new(EMBEDDED, overrides).map(Self)
    }

    /// The list of layers before there is one.
    pub fn empty_list(&self) -> Result<String, TemplateError> {
        let list = List { resources: Vec::new() };
        self.0.render(list.path(), &list)
    }
}

/// Renders every decided layer of every cluster, and says what the result takes for granted.
///
/// The result depends on the plans alone, not on the number of threads.
pub fn render(clusters: &[(&ClusterPlan, &Templates)]) -> Result<(Manifests<Rendered>, Rules), TemplateError> {
    let rendered: Vec<_> =
        clusters.par_iter().map(|(plan, templates)| render_cluster(plan, templates)).collect::<Result<_, _>>()?;
    let mut rules = Rules::default();
    let mut manifests = Vec::with_capacity(rendered.len());
    for (cluster, needs) in rendered {
        manifests.push(cluster);
        rules.external.extend(needs.external);
        rules.existing_paths.extend(needs.existing_paths);
        rules.roots.extend(needs.roots);
    }
    Ok((Manifests::new(manifests), rules))
}

fn render_cluster(plan: &ClusterPlan, templates: &Templates) -> Result<(ClusterManifests, Rules), TemplateError> {
    let top = plan.folder.join("manifests");
    let mut cluster = ClusterManifests {
        name: plan.name.clone(),
        folder: plan.folder.clone(),
        decided_folders: Default::default(),
        decided_files: Default::default(),
        files: BTreeMap::new(),
        edited_files: Default::default(),
    };
    let mut rules = Rules::default();
    let layers: Vec<_> = plan.layers.par_iter().map(|layer| layer_files(layer, templates)).collect::<Result<_, _>>()?;
    let mut listed = Vec::new();
    for (layer, files) in plan.layers.iter().zip(layers) {
        let folder = top.join(&layer.layer.folder());
        let stays = match &layer.decision {
            Decision::Deliver { .. } => true,
            Decision::Remove { withdraw, .. } => !withdraw.is_empty() && layer.is_committed,
            Decision::Hold { .. } => layer.is_committed,
        };
        if stays {
            listed.push(layer.layer.folder());
        }
        let empties = matches!(&layer.decision, Decision::Remove { withdraw, .. } if !withdraw.is_empty());
        if empties || !matches!(&layer.decision, Decision::Deliver { .. }) && stays {
            rules.existing_paths.insert(folder.clone());
        }
        match &layer.decision {
            Decision::Hold { .. } => {}
            Decision::Remove { withdraw, .. } if !withdraw.is_empty() => {
                cluster.decided_files.extend(files.decided(&folder));
            }
            Decision::Deliver { .. } | Decision::Remove { .. } => {
                cluster.decided_folders.insert(folder.clone());
            }
        }
        files.add_to(&layer.layer, &folder, &mut cluster, &mut rules);
        for (path, text) in &layer.edits {
            let file = ManifestFile { layer: Some(layer.layer.clone()), text: text.clone(), meanings: Vec::new() };
            cluster.files.insert(path.clone(), file);
            cluster.edited_files.insert(path.clone());
        }
    }
    let list = List { resources: listed };
    let path = top.join("kustomization.yaml");
    cluster.decided_files.insert(path.clone());
    let text = templates.0.render(list.path(), &list)?;
    let file = ManifestFile { layer: None, text, meanings: vec![list.meaning()] };
    let file = plan.stamp.as_ref().map_or_else(|| file.clone(), |stamp| stamped(&file, stamp));
    cluster.files.insert(path, file);
    add_state(plan, &mut cluster);
    Ok((cluster, rules))
}

/// A cluster's list of layers with a stamp in the place of the one that it has, if any.
///
/// The stamp is no matter of the template, so that a template of the cluster's own needs not know of it.
pub fn stamped(list: &ManifestFile, stamp: &Stamp) -> ManifestFile {
    let mut file = ManifestFile { text: stamp.put_into(&list.text), ..list.clone() };
    for meaning in &mut file.meanings {
        meaning.values.retain(|(pointer, _)| pointer != "/patches");
        meaning.values.push(("/patches".to_owned(), stamp.patches()));
    }
    file
}

fn layer_files(layer: &LayerPlan, templates: &Templates) -> Result<LayerFiles, TemplateError> {
    let mut files = LayerFiles::default();
    match &layer.decision {
        Decision::Hold { .. } => {}
        Decision::Remove { withdraw, .. } => files.emptied(&layer.layer, withdraw, &templates.0)?,
        Decision::Deliver { release, withdraw, .. } => {
            files.release(&layer.layer, release, &templates.0)?;
            files.emptied(&layer.layer, withdraw, &templates.0)?;
            files.lists(&templates.0)?;
        }
    }
    Ok(files)
}

/// The memory is a file only while there is something to remember.
fn add_state(plan: &ClusterPlan, cluster: &mut ClusterManifests) {
    let path = plan.folder.join("state.yaml");
    cluster.decided_files.insert(path.clone());
    if !plan.state.layers.is_empty() {
        let object = templates::object("bobbypin.dev/v1alpha1", "State", None, plan.name.as_str());
        let meaning = Meaning { object, values: Vec::new() };
        let text = state_text(&plan.state, &plan.name);
        cluster.files.insert(path, ManifestFile { layer: None, text, meanings: vec![meaning] });
    }
}
