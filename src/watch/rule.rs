//! The one rule: **a watch that has worked ends only with its job, or at its limit.** While it cannot be checked, the
//! function says so in a report, and the watch goes on.

use crate::error::ErrorType;
use crate::watch::request::Caller;

/// What an error means for a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The watch goes on: the caller gets a report with the error, and checks again later.
    GoesOn,
    /// The watch has reached its limit: `WATCH_TIMED_OUT`.
    TimedOut,
    /// The watch never worked, and the error does not go away by itself: `WATCH_FAILED`.
    Failed,
    /// The invocation fails with the error. Whoever invoked the function handles it.
    Error,
}

impl Verdict {
    /// Decides about a check that failed.
    ///
    /// `has_worked`: an earlier check of this watch found the job. `is_over`: the watch has reached its limit.
    pub fn on(error: ErrorType, has_worked: bool, is_over: bool, caller: &Caller) -> Self {
        let verdict = match error {
            // No check at all.
            ErrorType::InvalidInput => Self::Failed,
            _ if is_over => Self::TimedOut,
            _ if has_worked || error.is_retryable() => Self::GoesOn,
            _ => Self::Failed,
        };
        match caller {
            Caller::StateMachine { .. } => verdict,
            // The function cannot publish an end without its configuration.
            Caller::Schedule { .. } if error == ErrorType::InvalidConfiguration && verdict != Self::GoesOn => {
                Self::Error
            }
            Caller::Schedule { .. } => verdict,
            Caller::Direct { .. } => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Error, Failed, GoesOn, TimedOut};
    use super::*;
    use crate::watch::ids::ScheduleArn;

    /// Every error, for every caller: in a watch that is new, new at its limit, has worked, and has worked at its limit.
    #[test]
    fn the_rule() {
        let arn = ScheduleArn::parse(crate::tests::SCHEDULE, &Default::default()).unwrap();
        let schedule = Caller::Schedule { arn, adapts: false, notify: true };
        for error in ErrorType::ALL.iter().copied() {
            let new = if error.is_retryable() { GoesOn } else { Failed };
            let (by_machine, by_schedule) = match error {
                ErrorType::InvalidInput => ([Failed; 4], [Failed; 4]),
                ErrorType::InvalidConfiguration => {
                    ([Failed, TimedOut, GoesOn, TimedOut], [Error, Error, GoesOn, Error])
                }
                _ => ([new, TimedOut, GoesOn, TimedOut], [new, TimedOut, GoesOn, TimedOut]),
            };
            for (caller, expected) in [
                (&Caller::StateMachine { execution: None }, by_machine),
                (&schedule, by_schedule),
                (&Caller::Direct { notify: false }, [Error; 4]),
                (&Caller::Direct { notify: true }, [Error; 4]),
            ] {
                let watches = [(false, false), (false, true), (true, false), (true, true)];
                let verdicts = watches.map(|(has_worked, is_over)| Verdict::on(error, has_worked, is_over, caller));
                assert_eq!(verdicts, expected, "{error} {caller:?}");
            }
        }
    }
}
