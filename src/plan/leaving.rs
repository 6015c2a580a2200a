//! How things go that Flux would leave behind.
//!
//! A `ConfigMap` that others share, leaves in the platform's `Package` and a component that a kustomization of the user
//! refers to cannot simply be dropped from Git. Each is first emptied; when the cluster (for a component: the repository)
//! was seen without it, a later commit drops it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    config::kubernetes::read_values,
    dns::{block, hosts_file, snippet},
    model::{
        cluster::CorefilePath,
        finding::{Finding, Severity},
        inventory::{ClusterInventory, TenantObject},
        layer::Layer,
        observed::Observed,
        state::LayerState,
    },
    plan::{
        Context, Draft,
        decision::{Decision, Reason},
        owner,
        records::{self, former::SETTLED},
        release::{ADDON_FILE, Form, HELM_RELEASE_FILES, PLATFORM_PACKAGE, Release, TwoStep},
    },
};

/// A layer that is not wanted.
pub(super) fn leave(context: &Context<'_>, layer: Layer, mut reason: Reason) -> Draft {
    let Pending { withdraw, leaving, gone } = pending_for_good(context, &layer, &BTreeSet::new());
    if !withdraw.is_empty() {
        reason.message.push_str("; what Flux would leave behind is emptied first, and dropped when it was seen gone");
    }
    let findings = still_named(context, &layer, &withdraw);
    let mut draft = Draft { findings, ..Draft::new(layer, Decision::Remove { reason, withdraw }) };
    draft.memory = Some(LayerState { leaving, gone, ..LayerState::default() });
    without_block(context, draft)
}

/// The first steps of a change away from the add-on, which come before anything is asked of the tenant's object: what it
/// says may still be what our patch says. The records go too, because their proxy does.
pub(super) fn addon_first(context: &Context<'_>, layer: &Layer) -> Option<Draft> {
    let wanted = BTreeSet::from([TwoStep::Overlay, TwoStep::HostRecords]);
    context.committed(layer, ADDON_FILE)?;
    let Pending { withdraw, leaving, gone } = pending_for_good(context, layer, &wanted);
    if withdraw.is_empty() {
        return None;
    }
    let findings = still_named(context, layer, &withdraw);
    let before = context.memory(layer).cloned().unwrap_or_default();
    let decision = Decision::Remove { reason: delivery_changed(), withdraw };
    let draft = Draft { findings, ..Draft::new(layer.clone(), decision) };
    let draft = Draft { memory: Some(LayerState { leaving, gone, ..before }), ..draft };
    Some(without_block(context, draft))
}

/// Whether a patch of ours that was emptied may still be in force in the tenant's object.
pub(super) fn addon_lingers(context: &Context<'_>, layer: &Layer) -> bool {
    let committed = context.committed(layer, ADDON_FILE);
    // The inventory by which it was emptied proves nothing yet.
    let is_later = context.memory(layer).and_then(|memory| memory.leaving).is_some_and(|since| context.now() > since);
    committed.is_some_and(|text| TwoStep::Addon.is_emptied(text)) && !(is_later && is_off(context, layer))
}

fn delivery_changed() -> Reason {
    let message = "the delivery or the engine changed: what Flux would leave behind is emptied first, and the new way \
                   follows when it was seen gone";
    Reason::new("DeliveryChanged", message)
}

/// An emptied component that a kustomization still names cannot go: kustomize would fail.
fn still_named(context: &Context<'_>, layer: &Layer, withdraw: &BTreeSet<TwoStep>) -> Vec<Finding> {
    let folder = context.layer_folder(layer).join("addon");
    let is_named = withdraw.contains(&TwoStep::Addon) && context.is_referenced(&folder);
    let finding = is_named.then(|| Finding {
        severity: Severity::Info,
        rule: "ComponentStillReferenced",
        subject: folder.to_string(),
        message: "the component is empty, and stays while a kustomization in the repository names it".to_owned(),
        fix: Some("take it out of the components of that kustomization".to_owned()),
        host: None,
    });
    finding.into_iter().collect()
}

/// A layer that is wanted, while something of an earlier release may still be on its way out.
pub(super) fn deliver(context: &Context<'_>, layer: Layer, reason: Reason, release: Release) -> Draft {
    let declared = release.form.helm_release_file(&layer);
    // A release that changes hands is uninstalled by the one before it is installed by the other.
    let is_former = |file: &str| Some(file) != declared && context.committed(&layer, file).is_some();
    if HELM_RELEASE_FILES.into_iter().any(is_former) {
        let mut draft = leave(context, layer, delivery_changed());
        draft.memory.get_or_insert_default().leaving.get_or_insert(context.now());
        return draft;
    }
    if let Some(obstacle) = former_release(context, &layer, declared) {
        return Draft::new(layer, Decision::hold(Reason::new("FormerReleaseLives", obstacle)));
    }
    let mut wanted = release.two_step(&layer);
    if let Form::Package { .. } = release.form {
        // The whole Package takes the place of our leaves in it: it is the same object.
        wanted.insert(TwoStep::Overlay);
    }
    let Pending { withdraw, leaving, gone } = pending(context, &layer, &wanted);
    // The add-on and a release of ours would both install the proxy, and a tenant's records are emptied by a Kustomization
    // that the new way may not have: the one goes before the other comes.
    let goes_first = |step: &TwoStep| matches!(step, TwoStep::Addon | TwoStep::TenantRecords);
    let (decision, gone) = if withdraw.iter().any(goes_first) {
        (Decision::Remove { reason: delivery_changed(), withdraw }, gone)
    } else {
        let gone = gone.filter(|_| withdraw.iter().any(|step| step.is_records()));
        (Decision::Deliver { reason, release: Box::new(release), withdraw }, gone)
    };
    let mut draft = Draft::new(layer, decision);
    draft.memory = Some(LayerState { leaving, gone, ..LayerState::default() });
    without_block(context, draft)
}

/// Why a release that changed hands cannot be installed yet.
fn former_release(context: &Context<'_>, layer: &Layer, declared: Option<&str>) -> Option<String> {
    let waits = "the new way of delivery follows when an inventory that is later shows that the former release is gone";
    let is_just_dropped = context.committed(layer, "kustomization.yaml").is_none()
        && context.memory(layer).and_then(|memory| memory.leaving).is_some_and(|since| context.now() <= since);
    if is_just_dropped {
        return Some(waits.to_owned());
    }
    let live = owner::ours(context, layer).filter(|_| declared != Some(HELM_RELEASE_FILES[0]))?;
    Some(format!("{live} still lives; {waits}"))
}

/// What is on its way out.
struct Pending {
    /// The committed two-step things that are not wanted and not gone.
    withdraw: BTreeSet<TwoStep>,
    /// Since when the last of them is empty.
    leaving: Option<Timestamp>,
    /// Since when the cluster is seen without the records of the layer; for as long as something of them is declared.
    gone: Option<Timestamp>,
}

/// What is on its way out of a layer.
///
/// A tenant's records come first and alone: while they stand, the proxy that they name must stand too. Records that are gone
/// from the API are still in use for a while in each CoreDNS.
fn pending(context: &Context<'_>, layer: &Layer, wanted: &BTreeSet<TwoStep>) -> Pending {
    let memory = context.memory(layer);
    let since = memory.and_then(|memory| memory.leaving);
    let is_later = context.is_identified(layer) && since.is_some_and(|since| context.now() > since);
    let block = memory.and_then(|memory| memory.corefile.as_ref());
    let is_empty = |step: TwoStep| match step.file() {
        Some(file) => context.committed(layer, file).is_some_and(|text| step.is_emptied(text)),
        None => block.is_some() && records::form::committed_block(context, layer, None).is_none(),
    };
    let is_leaving = |step: &TwoStep| {
        let is_declared = step.file().map_or(block.is_some(), |file| context.committed(layer, file).is_some());
        !wanted.contains(step) && is_declared
    };
    let was_gone = memory.and_then(|memory| memory.gone);
    // What a later inventory has shown need not be shown by one that is later still.
    let is_later = |step: TwoStep| is_later || step.is_records() && was_gone.is_some() && context.is_identified(layer);
    let is_seen_gone = |step: TwoStep| is_later(step) && is_empty(step) && is_gone(context, layer, step);
    let mut records = TwoStep::ALL.into_iter().filter(|step| step.is_records() && is_leaving(step)).peekable();
    let gone = records.peek().is_some() && records.all(is_seen_gone);
    let gone = gone.then(|| was_gone.unwrap_or(context.now()));
    let is_unused = gone.is_some_and(|gone| context.now().duration_since(gone) >= SETTLED);
    let is_pending = |step: &TwoStep| is_leaving(step) && !(is_seen_gone(*step) && (is_unused || !step.is_records()));
    let mut pending: BTreeSet<_> = TwoStep::ALL.into_iter().filter(is_pending).collect();
    let records = [TwoStep::TenantRecords, TwoStep::CorefileBlock];
    if records.iter().any(|step| pending.contains(step)) {
        pending.retain(|step| *step != TwoStep::Addon || is_empty(*step));
    }
    // What this run empties can only be seen gone by an inventory that is later than this one.
    let emptied_before = since.filter(|_| pending.iter().all(|step| is_empty(*step)));
    let leaving = (!pending.is_empty()).then(|| emptied_before.unwrap_or(context.now()));
    // The emptied files stay beside whatever else is still pending.
    let has_files = TwoStep::ALL.iter().any(|step| step.is_records() && step.file().is_some() && is_leaving(step));
    let stays = pending.contains(&TwoStep::CorefileBlock) || has_files && !pending.is_empty();
    Pending { withdraw: pending, leaving, gone: gone.filter(|_| stays) }
}

/// The same when the proxy goes too: whoever keeps a record that is gone would be sent nowhere.
fn pending_for_good(context: &Context<'_>, layer: &Layer, wanted: &BTreeSet<TwoStep>) -> Pending {
    let mut pending = pending(context, layer, wanted);
    let has_hosts_file = |step: &TwoStep| {
        let is_records = matches!(step, TwoStep::HostRecords | TwoStep::TenantRecords);
        let text = step.file().and_then(|file| context.committed(layer, file));
        is_records && text.is_some_and(|text| text.contains(hosts_file::KEY))
    };
    if pending.withdraw.iter().any(has_hosts_file) {
        pending.withdraw.insert(TwoStep::HostsFile);
    }
    pending
}

impl TwoStep {
    /// Whether names are sent to the proxy by it.
    fn is_records(self) -> bool {
        match self {
            Self::HostRecords | Self::TenantRecords | Self::CorefileBlock => true,
            Self::Overlay | Self::HostsFile | Self::Addon => false,
        }
    }

    /// Whether a committed file is the emptied form.
    fn is_emptied(self, text: &str) -> bool {
        let full = match self {
            Self::Overlay => "components:",
            Self::HostRecords | Self::TenantRecords | Self::HostsFile => {
                let objects = read_values(text);
                let key = |object: &Value, key: &str| object.get("data")?.get(key)?.as_str().map(str::to_owned);
                return objects.is_ok_and(|objects| !objects.iter().any(|one| has_records(|name| key(one, name))));
            }
            Self::Addon => "kubernetes.yaml",
            // The file is not ours.
            Self::CorefileBlock => block::BEGIN,
        };
        !text.contains(full)
    }
}

/// Whether the inventory, or for a component the repository, proves that a thing is gone.
fn is_gone(context: &Context<'_>, layer: &Layer, step: TwoStep) -> bool {
    let inventory = context.inputs.inventory;
    match (step, layer) {
        (TwoStep::Overlay, _) => match &inventory.packages {
            Observed::Present(packages) => packages.get(PLATFORM_PACKAGE).is_none_or(|spec| !has_our_leaves(spec)),
            Observed::Absent => true,
            Observed::Unknown(_) => false,
        },
        (TwoStep::CorefileBlock, Layer::Host) => lacks_our_block(&inventory.host),
        (TwoStep::CorefileBlock, Layer::Tenant(tenant)) => {
            inventory.tenant_clusters.get(tenant).is_some_and(lacks_our_block)
        }
        (TwoStep::HostRecords, _) => lacks_our_records(&inventory.host),
        (TwoStep::TenantRecords, Layer::Tenant(tenant)) => {
            inventory.tenant_clusters.get(tenant).is_some_and(lacks_our_records)
        }
        (TwoStep::TenantRecords, Layer::Host) | (TwoStep::HostsFile, _) => false,
        (TwoStep::Addon, _) => {
            !context.is_referenced(&context.layer_folder(layer).join("addon")) && is_off(context, layer)
        }
    }
}

/// Whether the tenant's object is seen without the add-on. When it still has it after the time in which absences are
/// confirmed, somebody else wants it.
fn is_off(context: &Context<'_>, layer: &Layer) -> bool {
    let since = context.memory(layer).and_then(|memory| memory.leaving);
    if since.is_some_and(|since| records::is_confirmed(context, &Layer::Host, since)) {
        return true;
    }
    match (&context.inputs.inventory.tenants, layer) {
        (Observed::Present(tenants), Layer::Tenant(tenant)) => tenants
            .get(tenant)
            .and_then(TenantObject::addons)
            .is_none_or(|addons| addons.pointer("/ouroboros/enabled") != Some(&Value::Bool(true))),
        (Observed::Absent, _) => true,
        (Observed::Present(_) | Observed::Unknown(_), _) => false,
    }
}

/// The platform itself writes only `proxy.target` there.
fn has_our_leaves(spec: &Value) -> bool {
    let values = spec.pointer("/components/ouroboros/values/ouroboros").and_then(Value::as_object);
    values.is_some_and(|values| values.contains_key("image") || values.contains_key("controller"))
}

/// Whether anybody is sent to the proxy by our keys of `coredns-custom`. An empty hosts file sends nobody.
fn has_records<T: AsRef<str>>(key: impl Fn(&str) -> Option<T>) -> bool {
    key(snippet::KEY).is_some() || key(hosts_file::KEY).is_some_and(|text| !text.as_ref().trim().is_empty())
}

fn lacks_our_records(cluster: &ClusterInventory) -> bool {
    match &cluster.dns_config_maps {
        Observed::Present(config_maps) => {
            config_maps.get("coredns-custom").is_none_or(|data| !has_records(|key| data.get(key)))
        }
        Observed::Absent | Observed::Unknown(_) => false,
    }
}

fn lacks_our_block(cluster: &ClusterInventory) -> bool {
    match &cluster.dns_config_maps {
        Observed::Present(config_maps) => {
            let corefile = config_maps.get("coredns").and_then(|data| data.get("Corefile"));
            // Markers get lost, and lines stay.
            corefile.is_none_or(|corefile| !corefile.contains(block::BEGIN) && block::stray_line(corefile).is_none())
        }
        Observed::Absent | Observed::Unknown(_) => false,
    }
}

/// Takes a block that is on its way out of its file, and remembers the file until the cluster was seen without it.
///
/// A file that cannot be edited is left alone, and told.
fn without_block(context: &Context<'_>, mut draft: Draft) -> Draft {
    let goes = match &draft.decision {
        Decision::Deliver { withdraw, .. } | Decision::Remove { withdraw, .. } => {
            withdraw.contains(&TwoStep::CorefileBlock)
        }
        Decision::Hold { .. } => return draft,
    };
    let Some(file) = context.memory(&draft.layer).and_then(|memory| memory.corefile.clone()) else { return draft };
    let stands = records::form::committed_block(context, &draft.layer, None).is_some();
    if goes {
        take_block_out(context, &mut draft, &file);
    }
    if let Some(memory) = draft.memory.as_mut().filter(|_| goes || stands) {
        memory.corefile = Some(file);
    }
    draft
}

/// Takes our block out of a file, if it is there.
pub(super) fn take_block_out(context: &Context<'_>, draft: &mut Draft, file: &CorefilePath) {
    let Some(text) = context.text(file.path()) else {
        draft.findings.push(Finding {
            severity: Severity::Warning,
            rule: "CorefileFileMissing",
            subject: file.to_string(),
            message:
                "the file had the block of records, and is not in the repository any more; the proxy stays until the \
                      cluster is seen without the block"
                    .to_owned(),
            fix: Some(format!(
                "take the lines from `{}` to `{}` out of the Corefile, wherever it stands now",
                block::BEGIN,
                block::END
            )),
            host: None,
        });
        return;
    };
    match block::write(text, [], "") {
        Ok(without) if without != text => drop(draft.edits.insert(file.path().clone(), without)),
        Ok(_) => {}
        Err(error) => draft.findings.push(Finding {
            severity: Severity::Error,
            rule: "CorefileNotEditable",
            subject: file.to_string(),
            message: format!("the block of records cannot be taken out: {error}"),
            fix: Some(format!("take the lines from `{}` to `{}` out of it", block::BEGIN, block::END)),
            host: None,
        }),
    }
}
