//! The loop of checks.

use crate::view::View;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorCause, WatchError};
use mass_change_owner_status::handler::{CONFIRM_AFTER, judge};
use mass_change_owner_status::http::HttpClient;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::SecretStore;
use mass_change_owner_status::watch::ids::Job;
use mass_change_owner_status::watch::report::{Limits, Outcome, Report, seconds_between};
use mass_change_owner_status::watch::request::{History, Request};
use mass_change_owner_status::zoho::client::Attempts;
use std::time::Duration;

/// One check, with all its attempts. On Lambda, the function's timeout bounds it.
pub(crate) const CHECK_TIME: Duration = Duration::from_secs(60);

/// Checks the job until the watch is over (or once), and returns the last report. The rule of the function leaves no error
/// to a program that keeps its own history.
pub(crate) async fn run<S, H>(
    checker: &Checker<S, H>,
    mut request: Request,
    job: &Job,
    limits: &Limits,
    once: bool,
    view: &View<'_>,
) -> Result<Report, WatchError>
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
{
    loop {
        let check =
            async || checker.check(job, true, Deadline::after(CHECK_TIME), &mut Attempts::default()).await;
        let mut checked = check().await;
        // The job of a new watch may have been started a moment ago.
        let is_new = request.history.status.is_none();
        if is_new && checked.as_ref().is_err_and(|error| error.cause() == ErrorCause::NoContent) {
            tokio::time::sleep(CONFIRM_AFTER).await;
            checked = check().await;
        }
        let now = Timestamp::now();
        let report = match checked {
            Ok(status) => Report::of_check(&request, &status, now, limits),
            Err(error) => judge(&request, view.fit(error), limits, now)?,
        };
        view.report(&report, &request.history, now);
        let Some(seconds) = report.next_check_seconds().filter(|_| !once) else { return Ok(report) };
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
