//! The one rule: **a watch that has worked ends only with its job, or at its limit.** While it cannot be checked, the
//! function says so in a report, and the watch goes on.

use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::watch::report::{Limits, Report, State};
use crate::watch::request::{Ask, Caller, Request};

/// A schedule's watch that has lasted for longer has worked: a permanent error would have ended it before.
const WORKED_AFTER_SECONDS: u64 = 900;

/// Whether an earlier check of this watch found the job.
pub fn has_worked(request: &Request, now: Timestamp) -> bool {
    let is_schedule = matches!(request.caller, Caller::Schedule { .. });
    let lasted = |began| now.elapsed_since(began) > WORKED_AFTER_SECONDS;
    request.history.status.is_some() || (is_schedule && request.history.began.is_none_or(lasted))
}

/// Decides about a check that failed, or an invalid request: a report, or an error for whoever invoked the function.
pub fn judge(request: &Request, error: WatchError, limits: &Limits, now: Timestamp) -> Result<Report, WatchError> {
    let has_worked = has_worked(request, now);
    let error = if has_worked { error.of_watch_that_worked() } else { error };
    let is_over = request.history.began.is_some_and(|began| limits.is_over(began, now));
    let end = match error.kind {
        // No check at all.
        ErrorType::InvalidInput => Some(State::Failed((&error).into())),
        _ if is_over => Some(State::TimedOut(Some((&error).into()))),
        kind if has_worked || kind.is_retryable() => None,
        _ => Some(State::Failed((&error).into())),
    };
    match (&request.caller, end) {
        (Caller::Direct { .. }, _) => Err(error),
        // The function cannot publish an end without its configuration.
        (Caller::Schedule { .. }, Some(_)) if error.kind == ErrorType::InvalidConfiguration => Err(error),
        (_, Some(end)) => Ok(Report::of_end(request, end, u64::from(matches!(request.ask, Ask::Check(_))), now)),
        (_, None) => Ok(Report::that_goes_on(request, &error, now, limits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCause;
    use crate::tests::{LIMITS, SCHEDULE, ago, of, request, with};
    use serde_json::{Value, json};

    fn verdict(payload: &Value, error: WatchError) -> &'static str {
        judge(&request(&of(payload)), error, &LIMITS, ago(0))
            .map_or("error", |report| report.outcome().map_or("goes on", |outcome| outcome.into()))
    }

    /// Every error, for every caller: in a watch that is new, new at its limit, has worked, and has worked at its limit.
    #[test]
    fn the_rule() {
        let began = |age| json!({"first_checked_at": ago(age)});
        let worked = |age| with(&began(age), &json!({"status": "RUNNING"}));
        let watches = [began(60), began(86_400), worked(60), worked(86_400)];
        for error in ErrorType::ALL.iter().copied() {
            let new = if error.is_retryable() { "goes on" } else { "WATCH_FAILED" };
            let usual = [new, "WATCH_TIMED_OUT", "goes on", "WATCH_TIMED_OUT"];
            let (by_machine, by_schedule) = match error {
                ErrorType::InvalidInput => (["WATCH_FAILED"; 4], ["WATCH_FAILED"; 4]),
                ErrorType::InvalidConfiguration => (usual, ["error", "error", "goes on", "error"]),
                _ => (usual, usual),
            };
            for (caller, expected) in [
                (json!({"announcement": true}), by_machine),
                (json!({"schedule_arn": SCHEDULE}), by_schedule),
                (json!({"notify": true}), ["error"; 4]),
            ] {
                let verdict = |watch: &Value| verdict(&with(watch, &caller), WatchError::new(error, "m"));
                assert_eq!(watches.each_ref().map(verdict), expected, "{error} {caller}");
            }
        }
    }

    #[test]
    fn a_schedule_has_worked_after_a_while() {
        let denied = WatchError::new(ErrorType::PermissionDenied, "m");
        for (began, expected) in
            [(json!(ago(900)), "WATCH_FAILED"), (json!(ago(901)), "goes on"), (json!(null), "goes on")]
        {
            let payload = json!({"schedule_arn": SCHEDULE, "first_checked_at": began});
            assert_eq!(verdict(&payload, denied.clone()), expected, "{payload}");
        }
    }

    #[test]
    fn a_web_page_is_a_mistake_at_first_and_an_outage_later() {
        let page = WatchError::new(ErrorType::ZohoUnexpectedResponse, "m");
        let page = WatchError { cause: ErrorCause::NotJson, ..page };
        let kind = |extra| judge(&request(&of(&extra)), page.clone(), &LIMITS, ago(0)).unwrap_err().kind;
        assert_eq!(kind(json!({})), ErrorType::ZohoUnexpectedResponse);
        assert_eq!(kind(json!({"status": "RUNNING"})), ErrorType::ZohoUnavailable);
    }
}
