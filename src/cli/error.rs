//! Failures, told so that the next step can be typed.

use std::error::Error;

use serde_json::{Value, json};

use crate::{
    cli::exit::Exit,
    config::{
        edit::EditError,
        problem::{Problem, report},
    },
    edge::{
        files::FileError,
        git::{GitError, PublishError},
        registry::RegistryError,
    },
    manifest::validate::ManifestProblem,
    ops::{
        comment::CommentError, decide::DecideError, init::InitError, load::LoadError, pin::PinError,
        pull_request::PullRequestError, reconcile::ReconcileError, trust::TrustError,
    },
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Decide(#[from] DecideError),
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Pin(#[from] PinError),
    #[error(transparent)]
    Comment(#[from] CommentError),
    #[error("registries did not answer, so the list would be too short; nothing was written")]
    Unanswered(Vec<String>),
    #[error("the demo went wrong: {0}")]
    Demo(String),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Decide(DecideError::Load(error))
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::from(LoadError::Problems(problems))
    }
}

impl Failure {
    /// Registries cannot be asked at all.
    pub(super) fn registries(error: RegistryError) -> Self {
        Self::Pin(PinError::Registry(error))
    }

    /// The exit code's meaning.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::File(_) => Exit::Configuration,
            Self::Unanswered(_) => Exit::Registry,
            Self::Init(InitError::Webhook(_)) => Exit::Git,
            Self::Init(_) => Exit::Configuration,
            Self::Pin(PinError::History { .. }) => Exit::Git,
            Self::Pin(_) => Exit::Configuration,
            Self::Comment(CommentError::NoCredentials) => Exit::Configuration,
            Self::Git(_) | Self::Comment(_) => Exit::Git,
            Self::Demo(_) => Exit::Manifest,
            Self::Trust(error) => match error {
                TrustError::Load(_)
                | TrustError::NotOneCluster { .. }
                | TrustError::NoWay(_)
                | TrustError::Edit { .. } => Exit::Configuration,
                TrustError::Unread { .. } | TrustError::TenantUnread { .. } => Exit::NotObserved,
                TrustError::Another { .. } => Exit::Guard,
            },
            Self::Decide(error) => of_decide(error),
            Self::Reconcile(error) => match error {
                ReconcileError::Read { .. } | ReconcileError::MovedTooOften { .. } => Exit::Git,
                ReconcileError::Decide(error) => of_decide(error),
                ReconcileError::Publish {
                    source: PublishError::UnknownOutcome { .. } | PublishError::Unconfirmed { .. },
                    ..
                } => Exit::OutcomeUnknown,
                ReconcileError::Publish { .. } => Exit::Git,
                ReconcileError::PullRequest(error) => of_pull_request(error),
                ReconcileError::Loop { .. } | ReconcileError::UntrustedBase { .. } => Exit::Guard,
                ReconcileError::Sign(_) => Exit::Configuration,
                ReconcileError::NotApproved { .. } => Exit::PlanMoved,
            },
        }
    }

    /// For people: what failed, on what, why, and what to type next.
    pub(super) fn human(&self) -> String {
        if let Some(problems) = self.problems() {
            return report(problems);
        }
        let details = match self.decide_error() {
            Some(DecideError::Manifests(problems)) => problems.iter().map(manifest_problem).collect(),
            _ => String::new(),
        };
        let mut text = format!("error: {self}\n");
        let unanswered = match self {
            Self::Unanswered(unanswered) => unanswered.as_slice(),
            _ => &[],
        };
        for cause in causes(self).iter().chain(unanswered) {
            text.push_str(&format!("  because: {cause}\n"));
        }
        text.push_str(&details);
        if let Some(hint) = self.hint() {
            text.push_str(&format!("  help: {hint}\n"));
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let problems = match (self.problems(), self.decide_error()) {
            (Some(problems), _) => json!(problems),
            (None, Some(DecideError::Manifests(problems))) => json!(problems),
            (None, _) => match self {
                Self::Unanswered(unanswered) => json!(unanswered),
                _ => json!([]),
            },
        };
        json!({
            "apiVersion": "bobbypin.dev/v1alpha1",
            "kind": "Error",
            "exitReason": self.exit().reason(),
            "message": std::iter::once(self.to_string()).chain(causes(self)).collect::<Vec<_>>().join(": "),
            "hint": self.hint(),
            "problems": problems,
        })
    }

    /// What is wrong with files, when that is all.
    fn problems(&self) -> Option<&[Problem]> {
        match self {
            Self::Decide(DecideError::Load(LoadError::Problems(problems)))
            | Self::Reconcile(ReconcileError::Decide(DecideError::Load(LoadError::Problems(problems))))
            | Self::Trust(TrustError::Load(LoadError::Problems(problems)))
            | Self::Pin(PinError::Load(LoadError::Problems(problems)))
            | Self::Trust(TrustError::Edit { source: EditError::Problems(problems), .. }) => Some(problems),
            _ => None,
        }
    }

    fn decide_error(&self) -> Option<&DecideError> {
        match self {
            Self::Decide(error) | Self::Reconcile(ReconcileError::Decide(error)) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Git(error) | Self::Reconcile(ReconcileError::Read { source: error, .. }) => error.hint(),
            Self::Reconcile(ReconcileError::Publish { source, .. }) => source.hint(),
            Self::Reconcile(ReconcileError::PullRequest(error)) => error.hint(),
            Self::Reconcile(ReconcileError::UntrustedBase { source, .. }) => source.hint(),
            Self::Reconcile(ReconcileError::Sign(error)) => error.hint(),
            Self::Reconcile(ReconcileError::Loop { .. }) => Some(
                "find out who writes the other content; to settle it by hand: bobbypin render --write, then commit"
                    .to_owned(),
            ),
            Self::Reconcile(ReconcileError::NotApproved { .. }) => {
                Some("look at the new plan: bobbypin diff --plan-out plan.json".to_owned())
            }
            Self::Reconcile(ReconcileError::MovedTooOften { .. }) => {
                Some("run again when the branch is quiet".to_owned())
            }
            Self::Init(error) => error.hint(),
            Self::Pin(PinError::History { source, .. }) => source.hint(),
            Self::Pin(PinError::File(error)) => error.hint(),
            Self::Pin(PinError::Overtaken(_)) => Some("run it again, when nobody else writes to it".to_owned()),
            Self::Comment(error) => error.hint(),
            Self::Trust(TrustError::NotOneCluster { .. }) => Some("--cluster NAME".to_owned()),
            Self::Trust(TrustError::NoWay(_)) => {
                Some("set spec.access in cluster.yaml, or give --context or --kubeconfig".to_owned())
            }
            Self::Trust(TrustError::Another { .. }) => Some(
                "find out whether this is the cluster that is meant; when it was made anew: bobbypin trust --replace"
                    .to_owned(),
            ),
            Self::File(error) => error.hint(),
            Self::Unanswered(_) => Some("run again, or leave out --online".to_owned()),
            Self::Pin(PinError::Load(LoadError::NoCluster)) => Some("bobbypin init NAME".to_owned()),
            Self::Pin(PinError::Load(LoadError::UnknownCluster { known, .. })) => {
                Some(format!("the clusters are: {}", known.join(", ")))
            }
            _ => match self.decide_error()? {
                DecideError::Load(LoadError::NoCluster) => Some(match self {
                    Self::Reconcile(_) => {
                        "commit and push the files of a cluster; to write them: bobbypin init NAME".to_owned()
                    }
                    _ => "bobbypin init NAME".to_owned(),
                }),
                DecideError::Load(LoadError::UnknownCluster { known, .. }) => {
                    Some(format!("the clusters are: {}", known.join(", ")))
                }
                DecideError::Load(LoadError::NotOneCluster) => Some("say which with --cluster".to_owned()),
                DecideError::Occupied(_) => {
                    Some("move these away: only files of bobbypin belong below manifests/".to_owned())
                }
                _ => None,
            },
        }
    }
}

fn of_pull_request(error: &PullRequestError) -> Exit {
    match error {
        PullRequestError::LeftAlone { .. } => Exit::Guard,
        PullRequestError::Push { source: PublishError::UnknownOutcome { .. }, .. } => Exit::OutcomeUnknown,
        error if error.is_configuration() => Exit::Configuration,
        _ => Exit::Git,
    }
}

fn of_decide(error: &DecideError) -> Exit {
    match error {
        DecideError::Load(LoadError::Threads(_)) => Exit::NotObserved,
        DecideError::Load(_) => Exit::Configuration,
        DecideError::Templates { .. } | DecideError::Template(_) | DecideError::Manifests(_) => Exit::Manifest,
        DecideError::Occupied(_) => Exit::Guard,
    }
}

/// The chain below an error, each cause once.
pub(super) fn causes(error: &dyn Error) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if found.last() != Some(&text) {
            found.push(text);
        }
        next = cause.source();
    }
    found
}

fn manifest_problem(problem: &ManifestProblem) -> String {
    format!("  {problem}\n    help: {}\n", problem.hint)
}
