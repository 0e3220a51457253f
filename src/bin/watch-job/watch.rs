//! The loop of checks.

use crate::retry;
use crate::view::View;
use mass_change_owner_status::checker::Checker;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::http::HttpClient;
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::token::SecretStore;
use mass_change_owner_status::watch::ids::{Job, JobRef};
use mass_change_owner_status::watch::job::Outcome;
use mass_change_owner_status::watch::report::{Limits, Report};
use mass_change_owner_status::watch::request::History;
use mass_change_owner_status::zoho::client::Attempts;
use std::time::Duration;

/// One check, with all its attempts. On Lambda, the function's timeout bounds it.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// Checks the job until the watch is over, and returns the last report.
pub(crate) async fn run<S, H>(
    checker: &Checker<S, H>,
    job: &Job,
    since: Timestamp,
    limits: &Limits,
    clock: &Clock,
    view: &View,
) -> Report
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
{
    let mut history = History { first_checked_at: Some(since), began: Some(since), ..History::default() };
    let mut failures = 0_u32;
    view.begin(job);
    loop {
        let deadline = Deadline::after(CHECK_TIME);
        let mut attempts = Attempts::default();
        let checked = checker
            .check(job, true, deadline, &mut attempts)
            .await
            .map_err(|error| if history.checks.is_some() { error.of_watch_that_worked() } else { error });
        let now = clock();
        let error = match checked {
            Ok(status) => {
                failures = 0;
                let report = Report::of_check(job, &history, &status, now, limits);
                view.report(&report, &history);
                let Some(seconds) = report.next_check_seconds else { return report };
                history = History::from(&report);
                view.wait(seconds).await;
                continue;
            }
            Err(error) => error,
        };
        failures = failures.saturating_add(1);
        let end = |outcome| {
            let job = JobRef::Valid(job.clone());
            let report = Report::of_error(job, &history, outcome, (&error).into(), 1, now);
            view.report(&report, &history);
            report
        };
        let Some(seconds) = retry::wait(error.kind(), failures, limits.bounds.min_seconds) else {
            return end(Outcome::WatchFailed);
        };
        if limits.is_over(since, now) {
            return end(Outcome::WatchTimedOut);
        }
        view.retry(&error, seconds);
        view.wait(seconds.min(until_limit(limits, since, now))).await;
    }
}

/// A retry does not wait past the limit.
fn until_limit(limits: &Limits, since: Timestamp, now: Timestamp) -> u64 {
    let watched = u64::try_from(now.seconds_since(since)).unwrap_or(0);
    limits.watch_limit_seconds.saturating_sub(watched)
}
