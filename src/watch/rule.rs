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
    ///
    /// ```
    /// use mass_change_owner_status::error::ErrorType;
    /// use mass_change_owner_status::watch::request::Caller;
    /// use mass_change_owner_status::watch::rule::Verdict;
    ///
    /// let caller = Caller::StateMachine { execution: None };
    /// assert_eq!(Verdict::on(ErrorType::JobNotFound, true, false, &caller), Verdict::GoesOn);
    /// assert_eq!(Verdict::on(ErrorType::JobNotFound, false, false, &caller), Verdict::Failed);
    /// ```
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
            Caller::Schedule { .. }
                if error == ErrorType::InvalidConfiguration && verdict != Self::GoesOn =>
            {
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

    /// Every error, for a watch that is new, has worked, or has reached its limit, and every caller.
    #[test]
    fn the_rule() {
        use ErrorType::*;
        let arn = "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/watch";
        let machine = Caller::StateMachine { execution: None };
        let schedule =
            Caller::Schedule { arn: ScheduleArn::parse(arn).unwrap(), adapts: false, notify: true };
        for (errors, caller, expected) in [
            // Expected: new, new at the limit, has worked, has worked and is at the limit.
            (&[InvalidInput][..], &machine, [Failed; 4]),
            (&[InvalidInput], &schedule, [Failed; 4]),
            (&[InvalidConfiguration], &machine, [Failed, TimedOut, GoesOn, TimedOut]),
            (&[InvalidConfiguration], &schedule, [Error, Error, GoesOn, Error]),
            (PERMANENT, &machine, [Failed, TimedOut, GoesOn, TimedOut]),
            (PERMANENT, &schedule, [Failed, TimedOut, GoesOn, TimedOut]),
            (RETRYABLE, &machine, [GoesOn, TimedOut, GoesOn, TimedOut]),
            (RETRYABLE, &schedule, [GoesOn, TimedOut, GoesOn, TimedOut]),
            (ErrorType::ALL, &Caller::Direct { notify: false }, [Error; 4]),
            (ErrorType::ALL, &Caller::Direct { notify: true }, [Error; 4]),
        ] {
            for error in errors {
                let watches = [(false, false), (false, true), (true, false), (true, true)];
                let verdicts =
                    watches.map(|(has_worked, is_over)| Verdict::on(*error, has_worked, is_over, caller));
                assert_eq!(verdicts, expected, "{error} {caller:?}");
            }
        }
        const PERMANENT: &[ErrorType] = &[
            SecretInvalid,
            TokenRejected,
            ScopeMismatch,
            PermissionDenied,
            InvalidModule,
            JobNotFound,
            ZohoUnexpectedResponse,
        ];
        const RETRYABLE: &[ErrorType] = &[
            SecretUnavailable,
            TokenRateLimited,
            ZohoRateLimited,
            ZohoUnavailable,
            NotificationFailed,
            ScheduleNotDeleted,
        ];
        assert_eq!(PERMANENT.len() + RETRYABLE.len() + 2, ErrorType::ALL.len());
    }
}
