//! What is decided about a layer, and why.

use std::collections::BTreeSet;

use crate::plan::release::{Release, TwoStep};

/// Why something was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// PascalCase and stable: scripts may compare it.
    pub code: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// What a person can do about it, when there is something.
    pub fix: Option<String>,
}

impl Reason {
    /// A reason with nothing to do about it.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fix: None }
    }

    /// The same reason, with what to do about it.
    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// What is decided about one layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The layer's files are to be as the release says.
    Deliver {
        /// Why it is wanted.
        reason: Reason,
        /// What is wanted.
        release: Box<Release>,
        /// Things of an earlier release that must be taken back in two commits, and stay declared until they are gone.
        withdraw: BTreeSet<TwoStep>,
    },
    /// The layer's files are to go.
    Remove {
        /// Why it is not wanted.
        reason: Reason,
        /// Not empty: only the first commit is made now, which empties these and leaves all other files of the layer as
        /// they are. Empty: every file of the layer goes.
        withdraw: BTreeSet<TwoStep>,
    },
    /// The layer's files stay exactly as they are.
    Hold {
        /// What kind of obstacle it is.
        cause: HoldCause,
        /// Why.
        reason: Reason,
    },
}

/// What keeps a layer from being decided; it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldCause {
    /// Settings or the platform are in the way: a person must change something.
    Settings,
    /// Something that the decision needs could not be read.
    NotObserved,
    /// A guard refuses.
    Guard,
}

impl Decision {
    /// A layer that waits for a person.
    pub fn hold(reason: Reason) -> Self {
        Self::Hold { cause: HoldCause::Settings, reason }
    }

    /// A layer of which something was not read.
    pub fn not_observed(what: &str, unknown: &crate::model::observed::Unknown) -> Self {
        let message = format!("{what} could not be read: {} ({})", unknown.message, unknown.reason);
        Self::Hold { cause: HoldCause::NotObserved, reason: Reason::new("NotObserved", message) }
    }

    /// A layer that a guard stops.
    pub fn refuse(reason: Reason) -> Self {
        Self::Hold { cause: HoldCause::Guard, reason }
    }

    /// The reason, whatever was decided.
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Deliver { reason, .. } | Self::Remove { reason, .. } | Self::Hold { reason, .. } => reason,
        }
    }

    /// `Deliver`, `Remove` or `Hold`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deliver { .. } => "Deliver",
            Self::Remove { .. } => "Remove",
            Self::Hold { .. } => "Hold",
        }
    }
}
