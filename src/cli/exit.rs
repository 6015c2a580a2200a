//! How a run ends, for scripts.

use std::process::ExitCode;

/// The meaning of an exit code. `-o json` carries the name as `exitReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; for `diff`: no differences.
    Done,
    /// `diff`: differences.
    Differences,
    /// `doctor`, `pin`: something is wrong; `dns lint`: findings at or above `--fail-on`.
    Findings,
    /// Usage or configuration.
    Configuration,
    /// A template or manifest is wrong.
    Manifest,
    /// Something could not be read; its layers were held, all others were served.
    NotObserved,
    /// A registry did not answer what was asked.
    Registry,
    /// Git refused, could not be reached, or moved too often.
    Git,
    /// A guard refused.
    Guard,
    /// The base or the plan moved since it was approved.
    PlanMoved,
    /// It is not known whether the commit was made.
    OutcomeUnknown,
}

impl Exit {
    /// The name of the meaning, PascalCase.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Differences => "Differences",
            Self::Findings => "Findings",
            Self::Configuration => "Configuration",
            Self::Manifest => "Manifest",
            Self::NotObserved => "NotObserved",
            Self::Registry => "Registry",
            Self::Git => "Git",
            Self::Guard => "Guard",
            Self::PlanMoved => "PlanMoved",
            Self::OutcomeUnknown => "OutcomeUnknown",
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differences | Self::Findings => 1,
            Self::Configuration => 2,
            Self::Manifest => 3,
            Self::NotObserved => 4,
            Self::Registry => 5,
            Self::Git => 6,
            Self::Guard => 7,
            Self::PlanMoved => 8,
            Self::OutcomeUnknown => 9,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The codes as `--help` shows them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done; for diff: no differences
  1  diff: differences; doctor, dns lint: something is wrong; pin: not as pinned or wanted
  2  usage or configuration
  3  a template or manifest is wrong
  4  something could not be read: its layers were held, all others were served
  5  a registry did not say what was asked; what is proved to be wrong goes before (1)
  6  Git refused, could not be reached, or moved too often
  7  a guard refused (mass removal, wrong cluster, loop, foreign files, unsigned base)
  8  the base or the plan moved since it was approved
  9  it is not known whether the commit was made";
