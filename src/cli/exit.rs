//! How a run ends, for scripts.

use std::process::ExitCode;

/// The meaning of an exit code. `-o json` carries the name as `exitReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; for `diff`: no differences.
    Done = 0,
    /// `diff`: differences.
    Differences = 1,
    /// Usage or configuration.
    Configuration = 2,
    /// A template or manifest is wrong.
    Manifest = 3,
    /// Something could not be read; its layers were held, all others were served.
    NotObserved = 4,
    /// Git refused, could not be reached, or moved too often.
    Git = 6,
    /// A guard refused.
    Guard = 7,
    /// The base or the plan moved since it was approved.
    PlanMoved = 8,
    /// It is not known whether the commit was made.
    OutcomeUnknown = 9,
}

impl Exit {
    /// The name of the meaning, PascalCase.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Differences => "Differences",
            Self::Configuration => "Configuration",
            Self::Manifest => "Manifest",
            Self::NotObserved => "NotObserved",
            Self::Git => "Git",
            Self::Guard => "Guard",
            Self::PlanMoved => "PlanMoved",
            Self::OutcomeUnknown => "OutcomeUnknown",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The codes as `--help` shows them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done; for diff: no differences
  1  diff: differences
  2  usage or configuration
  3  a template or manifest is wrong
  4  something could not be read: its layers were held, all others were served
  6  Git refused, could not be reached, or moved too often
  7  a guard refused (mass removal, wrong cluster, loop, foreign files)
  8  the base or the plan moved since it was approved
  9  it is not known whether the commit was made";
