//! Exit codes: a contract with scripts.

use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::watch::job::Outcome;
use mass_change_owner_status::watch::report::Report;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: every record has the new owner, or the credentials are correct.
    Succeeded,
    /// 1: the job failed.
    Failed,
    /// 2: the command line or the environment is not valid. Nothing was sent.
    Usage,
    /// 3: the job is complete, but not for every record.
    PartiallySucceeded,
    /// 4: the job was unfinished when the watch reached its limit.
    TimedOut,
    /// 5: the watch could not continue, or the credentials are not correct.
    WatchFailed,
    /// 128 and the signal's number, as shells report it.
    Signal(u8),
}

impl Exit {
    /// For the last report of a watch.
    pub fn of_report(report: &Report) -> Self {
        match report.outcome {
            Some(Outcome::Succeeded) => Self::Succeeded,
            Some(Outcome::PartiallySucceeded) => Self::PartiallySucceeded,
            Some(Outcome::Failed) => Self::Failed,
            Some(Outcome::WatchTimedOut) => Self::TimedOut,
            Some(Outcome::WatchFailed) | None => Self::WatchFailed,
        }
    }

    /// For an error before the first check.
    pub fn of_error(error: &WatchError) -> Self {
        match error.kind() {
            ErrorType::InvalidInput | ErrorType::InvalidConfiguration => Self::Usage,
            _ => Self::WatchFailed,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::PartiallySucceeded => 3,
            Self::TimedOut => 4,
            Self::WatchFailed => 5,
            Self::Signal(number) => number.saturating_add(128),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
