//! What is recorded of an invocation: one line in the log, and its metrics.

use crate::error::{ErrorType, WatchError};
use crate::watch::job::Status;
use crate::watch::report::{Event, Report, Response};
use crate::watch::request::{Caller, ReportedError, Request};
use crate::{metrics, redact, timestamp::milliseconds};
use std::time::Duration;

/// Writes the log line and the metrics of an invocation: the request as it came, the response or the error, the number of
/// status requests that were sent to Zoho, and the time that it took.
pub fn invocation(request: &Request, result: &Result<Response, WatchError>, attempts: u32, took: Duration) {
    let report = result.as_ref().ok().map(|response| &response.report);
    let error: Option<ReportedError> = match result {
        Ok(response) => response.report.error().cloned(),
        Err(error) => Some(error.into()),
    };
    let job = request.job();
    let [module, job_id] = job.names();
    let schedule = match &request.caller {
        Caller::Schedule { arn, .. } => Some(&*arn.name),
        Caller::StateMachine(_) | Caller::Direct { .. } => None,
    };
    let (watch, label) = (request.watch.as_deref(), request.tags.label.as_deref());
    let status = report.and_then(|report| report.status.as_ref()).map(Status::as_str);
    let progress_percent = report.and_then(Report::progress_percent);
    let outcome = report.and_then(Report::outcome).map(<&str>::from);
    let next_check_seconds = report.and_then(Report::next_check_seconds);
    let next_check_reason = report.and_then(Report::next_check).map(|next| next.reason);
    let notice = report.and_then(Report::notice).map(|notice| Event::Notice(notice).name());
    let milliseconds = milliseconds(took);
    let error_type = error.as_ref().map(|error| error.name.as_str());
    let known = error_type.and_then(ErrorType::from_name);
    let is_callers = error.as_ref().is_some_and(|error| error.is_callers);
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
    // An error that nobody needs to act on is a warning.
    let is_warning = next_check_seconds.is_some() || known.is_some_and(ErrorType::is_retryable);
    match error {
        None => check_line!(info),
        Some(_) if is_warning => check_line!(warn),
        Some(_) => check_line!(error),
    }
    let counted = error.map(|_| known.filter(|_| !is_callers).map_or("Other", ErrorType::name));
    // The end of the job was noticed at this check, and it had been seen unfinished before.
    let last_seen = request.history.checked_at.filter(|_| request.history.status.is_some());
    let end = report.filter(|report| report.is_finished()).map(|report| report.checked_at);
    metrics::record(attempts, outcome, counted, last_seen.zip(end).map(|(seen, end)| end.elapsed_since(seen)));
}

/// A status that nobody knows may be the end of a job.
pub fn warn_if_unknown(status: &Status) {
    if !status.is_known() {
        let status = redact::quote(status.as_str());
        tracing::warn!(status, "Zoho reports a status that is not documented; the job counts as unfinished");
    }
}
