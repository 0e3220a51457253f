//! Exit codes: a contract with scripts.

use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::watch::report::{Outcome, Report};
use std::process::ExitCode;

/// How the program ends. The help text says what each code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Succeeded,
    Failed,
    Usage,
    PartiallySucceeded,
    TimedOut,
    WatchFailed,
    Unfinished,
    NotChecked,
    /// 128 and the signal's number, as shells report it.
    Signal(u8),
}

impl Exit {
    /// For the last report of a watch, or the only one.
    pub(crate) fn of_report(report: &Report) -> Self {
        match report.outcome() {
            Some(Outcome::Succeeded) => Self::Succeeded,
            Some(Outcome::PartiallySucceeded) => Self::PartiallySucceeded,
            Some(Outcome::Failed) => Self::Failed,
            Some(Outcome::WatchTimedOut) => Self::TimedOut,
            Some(Outcome::WatchFailed) => Self::WatchFailed,
            None if report.error().is_some() => Self::WatchFailed,
            None => Self::Unfinished,
        }
    }

    /// For an error before the first check.
    pub(crate) fn of_error(error: &WatchError) -> Self {
        match error.kind() {
            ErrorType::InvalidInput | ErrorType::InvalidConfiguration => Self::Usage,
            _ => Self::WatchFailed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Succeeded => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::PartiallySucceeded => 3,
            Exit::TimedOut => 4,
            Exit::WatchFailed => 5,
            Exit::Unfinished => 6,
            Exit::NotChecked => 7,
            Exit::Signal(number) => number.saturating_add(128),
        })
    }
}
