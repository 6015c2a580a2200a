//! What the platform itself does with its values, foretold.
//!
//! Everything here is a pure function of a version and of values that people wrote. The answers agree with the platform's
//! real charts; `tests/integration/platform_agreement.rs` holds them to recorded answers. The plan stands on this: it must
//! never write a leaf that the platform writes too, and never commit what one of the platform's guards would stop.
//!
//! - [`capabilities`]: what a version can do. The only place that compares versions.
//! - [`values`]: the platform's values with the defaults of their version and variant; [`keys`] is the table of keys.
//! - [`host`]: what the platform emits on the host; [`leaves`] compares that with what we would write.
//! - [`addons`]: a tenant's add-ons; [`tenant`] is what they emit, [`tenant_findings`] what is wrong with them.
//! - [`helm`]: Helm's notions of true, text and merging.

use crate::model::finding::{Finding, Severity};

pub mod addons;
pub mod capabilities;
pub mod helm;
pub mod host;
pub mod keys;
pub mod leaves;
pub mod problem;
pub mod tenant;
pub mod tenant_findings;
mod value_findings;
pub mod values;

/// A check in the platform's own charts that stops the whole render.
///
/// Where one of them would stop, nothing of that release lands in the cluster, not even changes that have nothing to do
/// with it. So a commit that a guard would stop is never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Guard {
    /// PROXY protocol was switched off while the platform's ouroboros is still installed.
    #[error(
        "`publishing.proxyProtocol` is off while the Package `cozystack.ouroboros` still exists, and \
         `publishing.proxyProtocolAcknowledgeUnclean` does not say that this is meant: the platform's chart stops, and \
         no other change of the platform lands either"
    )]
    G1,
    /// The add-on is on in a tenant without its ingress controller.
    #[error(
        "`addons.ouroboros` is enabled while `addons.ingressNginx` is not: the tenant's chart stops, and no other change \
         of the tenant lands either"
    )]
    G7,
    /// The add-on is told to watch the Gateway API in a tenant that does not install it.
    #[error(
        "`addons.ouroboros.valuesOverride` switches the Gateway API on while `addons.gatewayAPI` is not enabled: the \
         tenant's chart stops, and no other change of the tenant lands either"
    )]
    G8,
}

impl Guard {
    /// The guard as a finding about `subject`.
    pub fn finding(self, subject: impl Into<String>) -> Finding {
        let (rule, fix) = match self {
            Self::G1 => (
                "UncleanProxyProtocolDisable",
                "Set `publishing.proxyProtocol: true` again; or stop the load balancer from sending PROXY headers, \
                 delete the Package `cozystack.ouroboros` and set `publishing.proxyProtocolAcknowledgeUnclean: true`.",
            ),
            Self::G7 => (
                "OuroborosWithoutIngressNginx",
                "Set `addons.ingressNginx.enabled: true`, or disable `addons.ouroboros` in the same edit.",
            ),
            Self::G8 => (
                "GatewayApiWithoutAddon",
                "Set `addons.gatewayAPI.enabled: true`, or drop `ouroboros.controller.gatewayApi.enabled` from the override.",
            ),
        };
        Finding {
            severity: Severity::Error,
            rule,
            subject: subject.into(),
            message: self.to_string(),
            fix: Some(fix.to_owned()),
            host: None,
        }
    }
}
