//! What the program's end says to scripts.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// Refused by a rule.
    Refused,
    /// The cluster moved since it was seen.
    Moved,
    /// Whether the change happened is not known.
    OutcomeUnknown,
    NobodyAnswered,
    NotAllowed,
    /// Other people have to approve it first.
    WaitsForApproval,
}

impl Exit {
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Moved => 4,
            Self::OutcomeUnknown => 5,
            Self::NobodyAnswered => 6,
            Self::NotAllowed => 7,
            Self::WaitsForApproval => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
