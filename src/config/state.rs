//! `state.yaml`: what one run remembers for the next.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    config::{
        fault::{Fault, Faults},
        raw::state as raw,
        values,
    },
    model::{
        cluster::CorefilePath,
        hostname::Hostname,
        layer::{Layer, TenantId},
        name::Name,
        state::{HostOwner, LayerState, State},
    },
};

/// Checks what the file means.
pub(super) fn state(raw: &raw::State, cluster: &Name) -> Result<State, Vec<Fault>> {
    let mut faults = Faults::default();
    faults.check_name(&raw.metadata, cluster);
    let mut layers = BTreeMap::new();
    for (index, entry) in raw.spec.layers.iter().enumerate() {
        let at = format!("/spec/layers/{index}");
        let layer = layer(&mut faults, &at, entry);
        let memory = memory(&mut faults, &at, entry);
        if let (Some(layer), Some(memory)) = (layer, memory) {
            if layers.contains_key(&layer) {
                faults.add(at, format!("the {layer} is listed a second time"));
            }
            layers.insert(layer, memory);
        }
    }
    layers.retain(|_, memory| !memory.is_empty());
    faults.finish(Some(State { layers }))
}

fn layer(faults: &mut Faults, at: &str, raw: &raw::LayerMemory) -> Option<Layer> {
    match (raw.layer, &raw.namespace, &raw.name) {
        (raw::LayerKind::Host, None, None) => Some(Layer::Host),
        (raw::LayerKind::Host, namespace, name) => {
            for (key, given) in [("namespace", namespace), ("name", name)] {
                if given.is_some() {
                    faults.add(format!("{at}/{key}"), format!("the host has no `{key}`"));
                }
            }
            None
        }
        (raw::LayerKind::Tenant, Some(namespace), Some(name)) => {
            let namespace = faults.take(&format!("{at}/namespace"), values::namespace(namespace));
            let name = faults.take(&format!("{at}/name"), values::name(name));
            Some(Layer::Tenant(TenantId { namespace: namespace?, name: name? }))
        }
        (raw::LayerKind::Tenant, namespace, name) => {
            for (key, given) in [("namespace", namespace), ("name", name)] {
                if given.is_none() {
                    faults.add(format!("{at}/{key}"), format!("`{key}` is missing: a tenant has one"));
                }
            }
            None
        }
    }
}

fn memory(faults: &mut Faults, at: &str, raw: &raw::LayerMemory) -> Option<LayerState> {
    let leaving = faults.take_optional(&format!("{at}/leaving"), raw.leaving.as_deref(), values::timestamp);
    let gone = faults.take_optional(&format!("{at}/gone"), raw.gone.as_deref(), values::timestamp);
    let replaced = faults.take_optional(&format!("{at}/replaced"), raw.replaced.as_deref(), values::timestamp);
    let corefile = faults.take_optional(&format!("{at}/corefile"), raw.corefile.as_deref(), CorefilePath::parse);
    let mut tombstones = BTreeMap::new();
    for (index, tombstone) in raw.tombstones.iter().flatten().enumerate() {
        let at = format!("{at}/tombstones/{index}");
        let host = faults.take(&format!("{at}/host"), values::hostname(&tombstone.host));
        let since = faults.take(&format!("{at}/since"), values::timestamp(&tombstone.since));
        if let (Some(host), Some(since)) = (host, since) {
            if tombstones.contains_key(&host) {
                faults.add(format!("{at}/host"), format!("`{host}` is listed a second time"));
            }
            tombstones.insert(host, since);
        }
    }
    let owners = owners(faults, at, raw);
    let uid = faults.take_optional(&format!("{at}/uid"), raw.uid.as_deref(), values::uid);
    if raw.uid.is_some() && raw.layer == raw::LayerKind::Host {
        faults.add(format!("{at}/uid"), "the host's `uid` is in cluster.yaml, not here");
    }
    let (leaving, gone, replaced) = (leaving?, gone?, replaced?);
    Some(LayerState { uid: uid?, tombstones, owners, leaving, gone, replaced, corefile: corefile? })
}

fn owners(faults: &mut Faults, at: &str, raw: &raw::LayerMemory) -> BTreeMap<Hostname, HostOwner> {
    let mut owners = BTreeMap::new();
    for (index, raw) in raw.owners.iter().flatten().enumerate() {
        let at = format!("{at}/owners/{index}");
        let host = faults.take(&format!("{at}/host"), values::hostname(&raw.host));
        let namespace = faults.take(&format!("{at}/namespace"), values::namespace(&raw.namespace));
        let name = faults.take(&format!("{at}/name"), values::name(&raw.name));
        let uid = faults.take_optional(&format!("{at}/uid"), raw.uid.as_deref(), values::uid);
        let gone = faults.take_optional(&format!("{at}/gone"), raw.gone.as_deref(), values::timestamp);
        if let (Some(host), Some(namespace), Some(name), Some(uid), Some(gone)) = (host, namespace, name, uid, gone) {
            if owners.contains_key(&host) {
                faults.add(format!("{at}/host"), format!("`{host}` is listed a second time"));
            }
            owners.insert(host, HostOwner { namespace, name, uid, gone });
        }
    }
    owners
}

/// Writes the state of a cluster as `state.yaml` has it. Layers with nothing to remember are left out.
///
/// Everything that varies is quoted: a name may be `on` or `1e3`, which readers of YAML take for something else. No
/// name, host name or time holds a character that would need an escape.
pub fn state_text(state: &State, cluster: &Name) -> String {
    let mut text = format!(
        "# Generated by bobbypin. Do not edit.\napiVersion: bobbypin.dev/v1alpha1\nkind: State\nmetadata:\n  name: \
         \"{cluster}\"\nspec:\n  layers:"
    );
    let mut layers = state.layers.iter().filter(|(_, memory)| !memory.is_empty()).peekable();
    text.push_str(if layers.peek().is_some() { "\n" } else { " []\n" });
    for (layer, memory) in layers {
        push_layer(&mut text, layer, memory).expect("a string takes what is written to it");
    }
    text
}

fn push_layer(text: &mut String, layer: &Layer, memory: &LayerState) -> std::fmt::Result {
    match layer {
        Layer::Host => writeln!(text, "  - layer: host")?,
        Layer::Tenant(TenantId { namespace, name }) => {
            writeln!(text, "  - layer: tenant\n    namespace: \"{namespace}\"\n    name: \"{name}\"")?;
        }
    }
    if let Some(uid) = &memory.uid {
        writeln!(text, "    uid: \"{uid}\"")?;
    }
    if let Some(leaving) = memory.leaving {
        writeln!(text, "    leaving: \"{leaving}\"")?;
    }
    if let Some(gone) = memory.gone {
        writeln!(text, "    gone: \"{gone}\"")?;
    }
    if let Some(replaced) = memory.replaced {
        writeln!(text, "    replaced: \"{replaced}\"")?;
    }
    if let Some(corefile) = &memory.corefile {
        // A path may hold quotes; a string of JSON is one of YAML.
        writeln!(text, "    corefile: {}", serde_json::Value::from(corefile.path().as_str()))?;
    }
    if !memory.tombstones.is_empty() {
        writeln!(text, "    tombstones:")?;
    }
    for (host, since) in &memory.tombstones {
        writeln!(text, "    - host: \"{host}\"\n      since: \"{since}\"")?;
    }
    if !memory.owners.is_empty() {
        writeln!(text, "    owners:")?;
    }
    for (host, HostOwner { namespace, name, uid, gone }) in &memory.owners {
        writeln!(text, "    - host: \"{host}\"\n      namespace: \"{namespace}\"\n      name: \"{name}\"")?;
        if let Some(uid) = uid {
            writeln!(text, "      uid: \"{uid}\"")?;
        }
        if let Some(gone) = gone {
            writeln!(text, "      gone: \"{gone}\"")?;
        }
    }
    Ok(())
}
