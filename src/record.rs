//! What is recorded of an invocation: one line in the log, and its metrics.

use crate::delivery::Response;
use crate::error::{ErrorType, WatchError};
use crate::metrics;
use crate::redact;
use crate::timestamp::milliseconds;
use crate::watch::event::Event;
use crate::watch::job::{Outcome, Status};
use crate::watch::report::{Report, seconds_between};
use crate::watch::request::{Caller, ReportedError, Request};
use std::time::Duration;

/// One invocation and its result.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    /// The request as it came.
    pub request: &'a Request,
    /// The response or the error.
    pub result: &'a Result<Response, WatchError>,
    /// Status requests that were sent to Zoho.
    pub attempts: u32,
}

impl Checked<'_> {
    fn report(&self) -> Option<&Report> {
        self.result.as_ref().ok().map(|response| &response.report)
    }

    fn error(&self) -> Option<ReportedError> {
        match self.result {
            Ok(response) => response.report.error().cloned(),
            Err(error) => Some(error.into()),
        }
    }

    /// The end of the job was noticed at this check, and it had been seen unfinished before.
    fn lateness_bound_seconds(&self) -> Option<u64> {
        let report = self.report().filter(|report| report.is_finished())?;
        let history = &self.request.history;
        let last_seen = history.checked_at.filter(|_| history.status.is_some())?;
        Some(seconds_between(last_seen, report.checked_at))
    }
}

/// Writes the log line and the metrics of an invocation.
pub fn invocation(checked: &Checked<'_>, took: Duration) {
    log(checked, took);
    let error = checked.error();
    let name = error.as_ref().map(|error| if error.is_callers { metrics::OTHER_ERROR } else { &error.name });
    let outcome = checked.report().and_then(Report::outcome).map(Outcome::name);
    metrics::record(checked.attempts, outcome, name, checked.lateness_bound_seconds());
}

/// An error that nobody needs to act on is a warning.
fn log(checked: &Checked<'_>, took: Duration) {
    let job = checked.request.job();
    let (module, job_id) = (job.module(), job.job_id());
    let schedule = match &checked.request.caller {
        Caller::Schedule { arn, .. } => Some(&*arn.name),
        Caller::StateMachine { .. } | Caller::Direct { .. } => None,
    };
    let watch = checked.request.watch.as_deref();
    let report = checked.report();
    let status = report.and_then(|report| report.status.as_ref()).map(Status::as_str);
    let progress_percent = report.and_then(Report::progress_percent);
    let outcome = report.and_then(Report::outcome).map(Outcome::name);
    let next_check_seconds = report.and_then(Report::next_check_seconds);
    let next_check_reason = report.and_then(Report::next_check).map(|next| next.reason);
    let notice = report.and_then(Report::notice).map(|notice| Event::Notice(notice).name());
    let label = checked.request.tags.label.as_deref();
    let attempts = checked.attempts;
    let milliseconds = milliseconds(took);
    let error = checked.error();
    let error_type = error.as_ref().map(|error| error.name.as_str());
    let error = error.as_ref().map(|error| error.message.as_str());
    // A macro, because the level of an event is static. A field that is `None` is left out of the line.
    macro_rules! check_line {
        ($level:ident) => {
            tracing::$level!(
                module, job_id, schedule, watch, label, status, progress_percent, outcome, attempts, milliseconds,
                next_check_seconds, next_check_reason, notice, error_type, error, "check"
            )
        };
    }
    let goes_on = next_check_seconds.is_some();
    match error_type.map(ErrorType::from_name) {
        None => check_line!(info),
        Some(_) if goes_on => check_line!(warn),
        Some(Some(kind)) if kind.is_retryable() => check_line!(warn),
        Some(_) => check_line!(error),
    }
}

/// A status that nobody knows may be the end of a job.
pub fn warn_if_unknown(status: &Status) {
    if !status.is_known() {
        let status = redact::quote(status.as_str());
        tracing::warn!(status, "Zoho reports a status that is not documented; the job counts as unfinished");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{LIMITS, ago, job, of, request, with};
    use serde_json::json;

    #[test]
    fn how_late_an_announcement_can_be() {
        let failed = json!({"checked_at": ago(60)});
        let seen = with(&failed, &json!({"status": "RUNNING"}));
        for (status, extra, expected) in [
            ("COMPLETED", &seen, Some(60)),
            ("COMPLETED", &failed, None),
            ("COMPLETED", &json!({}), None),
            ("RUNNING", &seen, None),
        ] {
            let request = request(&of(extra));
            let job = job(status, [None; 4]);
            let result = Ok(Response::from(Report::of_check(&request, &job, ago(0), &LIMITS)));
            let checked = Checked { request: &request, result: &result, attempts: 1 };
            assert_eq!(checked.lateness_bound_seconds(), expected, "{status:?} {extra}");
        }
    }
}
