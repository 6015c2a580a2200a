//! How things go that Flux would leave behind.
//!
//! A `ConfigMap` that others share, leaves in the platform's `Package` and a component that a kustomization of the user
//! refers to cannot simply be dropped from Git. Each is first emptied; when the cluster (for a component: the repository)
//! was seen without it, a later commit drops it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    dns::snippet,
    model::{inventory::ClusterInventory, layer::Layer, observed::Observed, state::LayerState},
    plan::{
        Context, Draft,
        decision::{Decision, Reason},
        release::{PLATFORM_PACKAGE, Release, TwoStep},
    },
};

/// A layer that is not wanted.
pub(super) fn leave(context: &Context<'_>, layer: Layer, mut reason: Reason) -> Draft {
    let (withdraw, leaving) = pending(context, &layer, &BTreeSet::new());
    if !withdraw.is_empty() {
        reason.message.push_str("; what Flux would leave behind is emptied first, and dropped when it was seen gone");
    }
    let mut draft = Draft::new(layer, Decision::Remove { reason, withdraw });
    draft.memory = Some(LayerState { leaving, ..LayerState::default() });
    draft
}

/// A layer that is wanted, while something of an earlier release may still be on its way out.
pub(super) fn deliver(context: &Context<'_>, layer: Layer, reason: Reason, release: Release) -> Draft {
    let (withdraw, leaving) = pending(context, &layer, &release.two_step(&layer));
    // The add-on and a release of ours would both install the proxy, and a tenant's records are emptied by a Kustomization
    // that the new way may not have: the one goes before the other comes.
    let goes_first = |step: &TwoStep| matches!(step, TwoStep::Addon | TwoStep::TenantRecords);
    let decision = if withdraw.iter().any(goes_first) {
        let message = "the delivery or the engine changed: what Flux would leave behind is emptied first, and the new \
                       way follows when it was seen gone";
        Decision::Remove { reason: Reason::new("DeliveryChanged", message), withdraw }
    } else {
        Decision::Deliver { reason, release: Box::new(release), withdraw }
    };
    let mut draft = Draft::new(layer, decision);
    draft.memory = Some(LayerState { leaving, ..LayerState::default() });
    draft
}

/// The committed two-step things that are not wanted and not gone, and since when the first of them is leaving.
fn pending(context: &Context<'_>, layer: &Layer, wanted: &BTreeSet<TwoStep>) -> (BTreeSet<TwoStep>, Option<Timestamp>) {
    let since = context.memory(layer).and_then(|memory| memory.leaving);
    let is_later = since.is_some_and(|since| context.now() > since);
    let is_pending = |step: &TwoStep| {
        !wanted.contains(step)
            && context
                .committed(layer, step.file())
                .is_some_and(|text| !(is_later && step.is_emptied(text) && is_gone(context, layer, *step)))
    };
    let pending: BTreeSet<_> = TwoStep::ALL.into_iter().filter(is_pending).collect();
    let since = (!pending.is_empty()).then(|| since.unwrap_or(context.now()));
    (pending, since)
}

impl TwoStep {
    /// Whether a committed file is the emptied form.
    fn is_emptied(self, text: &str) -> bool {
        let full = match self {
            Self::Overlay => "components:",
            Self::HostRecords | Self::TenantRecords => snippet::KEY,
            Self::Addon => "kubernetes.yaml",
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
        (TwoStep::HostRecords, _) => lacks_our_key(&inventory.host),
        (TwoStep::TenantRecords, Layer::Tenant(tenant)) => {
            inventory.tenant_clusters.get(tenant).is_some_and(lacks_our_key)
        }
        (TwoStep::TenantRecords, Layer::Host) => false,
        (TwoStep::Addon, _) => !context.is_referenced(&context.layer_folder(layer).join("addon")),
    }
}

/// The platform itself writes only `proxy.target` there.
fn has_our_leaves(spec: &Value) -> bool {
    let values = spec.pointer("/components/ouroboros/values/ouroboros").and_then(Value::as_object);
    values.is_some_and(|values| values.contains_key("image") || values.contains_key("controller"))
}

fn lacks_our_key(cluster: &ClusterInventory) -> bool {
    match &cluster.dns_config_maps {
        Observed::Present(config_maps) => {
            config_maps.get("coredns-custom").is_none_or(|data| !data.contains_key(snippet::KEY))
        }
        Observed::Absent | Observed::Unknown(_) => false,
    }
}
