//! The loop of checks, and the one check of `--check-credentials`.

use crate::store::Store;
use crate::view::View;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorCause, ErrorType, WatchError};
use mass_change_owner_status::handler::{CONFIRM_AFTER, judge};
use mass_change_owner_status::http::Connections;
use mass_change_owner_status::operation::OPERATION;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::job::{JobStatus, Outcome};
use mass_change_owner_status::watch::report::{Limits, Report, seconds_between};
use mass_change_owner_status::watch::{ids::Job, request::History, request::Request};
use mass_change_owner_status::zoho::client::Attempts;
use std::sync::Arc;
use std::time::Duration;

/// One check, with all its attempts. On Lambda, the function's timeout bounds it.
const CHECK_TIME: Duration = Duration::from_secs(60);

pub(crate) type Zoho = Checker<Store, Arc<Connections>>;

async fn check(zoho: &Zoho, job: &Job) -> Result<JobStatus, WatchError> {
    zoho.check(job, true, Deadline::after(CHECK_TIME), &mut Attempts::default()).await
}

/// Checks the job until the watch is over (or once), and returns the last report. The rule of the function leaves no error
/// to a program that keeps its own history.
pub(crate) async fn watch(
    zoho: &Zoho,
    job: &Job,
    mut request: Request,
    limits: &Limits,
    once: bool,
    view: &View,
) -> Result<Report, WatchError> {
    loop {
        let mut checked = check(zoho, job).await;
        // The job of a new watch may have been started a moment ago.
        let is_new = request.history.status.is_none();
        if is_new && checked.as_ref().is_err_and(|error| error.cause() == ErrorCause::NoContent) {
            tokio::time::sleep(CONFIRM_AFTER).await;
            checked = check(zoho, job).await;
        }
        let now = Timestamp::now();
        let report = match checked {
            Ok(status) => Report::of_check(&request, &status, now, limits),
            Err(error) => judge(&request, view.fit(error), limits, now)?,
        };
        let next = report.next_check_seconds().filter(|_| !once);
        view.report(&report, &request.history, now, next);
        let Some(seconds) = next else { return Ok(report) };
        // One last look at the limit.
        let left = limits.watch_limit_seconds.saturating_sub(seconds_between(report.began, now));
        view.wait(&report, &request.history, seconds.min(left)).await;
        request.history = History::from(&report);
    }
}

/// The exit code of a watch: a contract with scripts, in the help text and in docs/terminal.md.
pub(crate) fn exit_code(report: &Report) -> u8 {
    match report.outcome() {
        Some(Outcome::Succeeded) => 0,
        Some(Outcome::Failed) => 1,
        Some(Outcome::PartiallySucceeded) => 3,
        Some(Outcome::WatchTimedOut) => 4,
        Some(Outcome::WatchFailed) => 5,
        None if report.error().is_some() => 5,
        None => 6,
    }
}

/// Says in one line whether the credentials are correct, and returns the exit code. The job need not exist (`is_named`: the
/// command line names it): only somebody who may read statuses learns that it does not.
pub(crate) async fn credentials(zoho: &Zoho, job: &Job, is_named: bool, view: &View) -> Result<u8, WatchError> {
    let (module, job_id) = (job.module.as_str(), job.job_id.as_str());
    let found = match check(zoho, job).await {
        Ok(status) => format!("; job {job_id} is {}", status.status.as_str()),
        Err(error) if error.kind() == ErrorType::JobNotFound => format!("; there is no job {job_id}"),
        Err(error) => {
            let (code, what) = what_is_wrong(error.kind());
            view.out(&format!("{what} (asked for {module}): {}", view.fit(error)));
            return Ok(code);
        }
    };
    let found = if is_named { found } else { String::new() };
    let host = zoho.api_host(Deadline::after(CHECK_TIME)).await?;
    let (origin, setting, scope) = (host.origin, host.setting, OPERATION.scope);
    view.out(&format!("OK: {} accepts the access token for {} in {module}{found} (set by {})", origin, scope, setting));
    Ok(0)
}

/// The exit code, and what an error says about the credentials.
fn what_is_wrong(error: ErrorType) -> (u8, &'static str) {
    match error {
        ErrorType::SecretInvalid => (5, "The credentials are not correct"),
        ErrorType::TokenRejected => (5, "The credentials or the data center are not correct"),
        ErrorType::ScopeMismatch => (5, "The scope is not correct"),
        ErrorType::PermissionDenied => (5, "The Zoho user lacks a permission"),
        ErrorType::InvalidModule => (5, "The credentials are accepted, but the module is not correct"),
        ErrorType::ZohoUnexpectedResponse => (5, "The host is not correct, or something else responds in its place"),
        _ => (7, "The credentials could not be checked"),
    }
}
