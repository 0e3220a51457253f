//! The loop of checks, and the one check of `--check-credentials`.

use crate::arguments::{Arguments, Settings};
use crate::{view::View, words::fit};
use mass_change_owner_status::error::{ErrorCause, ErrorType, WatchError};
use mass_change_owner_status::handler::{CONFIRM_AFTER, Checker};
use mass_change_owner_status::token::{SecretStore, Sharing, TokenSource};
use mass_change_owner_status::watch::job::{Job, JobStatus, Outcome};
use mass_change_owner_status::watch::report::{Limits, Report};
use mass_change_owner_status::watch::{request::Request, rule::judge};
use mass_change_owner_status::{arn::Location, deadline::Deadline, http::Connections, operation};
use mass_change_owner_status::{timestamp::Timestamp, zoho::status::Attempts};
use std::{sync::Arc, time::Duration};

/// One check, with all its attempts. On Lambda, the function's timeout bounds it.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// Checks of one job.
struct Checks<'a, S> {
    zoho: Checker<S, Connections>,
    job: Job,
    view: &'a View,
}

/// Watches the job, or checks the credentials in this store. Returns the exit code.
pub(crate) async fn run<S: SecretStore + 'static>(
    store: S,
    sharing: Sharing,
    settings: Settings,
    arguments: &Arguments,
    view: &View,
) -> Result<u8, WatchError> {
    let config = settings.config;
    let tokens = TokenSource::new(store, config.connections, config.zoho, sharing, Arc::new(Timestamp::now));
    let checks = Checks { zoho: Checker::new(tokens), job: arguments.job()?, view };
    if arguments.check_credentials {
        checks.credentials(arguments.job_id.is_some()).await
    } else {
        checks.watch(&config.limits, arguments).await
    }
}

impl<S: SecretStore + 'static> Checks<'_, S> {
    async fn check(&self) -> Result<JobStatus, WatchError> {
        let checked = self.zoho.check(&self.job, true, Deadline::after(CHECK_TIME), &mut Attempts::default()).await;
        checked.map_err(|error| fit(&error, &self.view.source))
    }

    /// Checks the job until the watch is over (or once). The rule of the function ends it with a report, also in errors.
    async fn watch(&self, limits: &Limits, arguments: &Arguments) -> Result<u8, WatchError> {
        let mut request = Request::of_job(self.job.clone(), arguments.since.unwrap_or_else(Timestamp::now));
        let mut before = None;
        loop {
            let mut checked = self.check().await;
            // The job of a new watch may have been started a moment ago.
            let is_new = request.history.status.is_none();
            if is_new && checked.as_ref().is_err_and(|error| error.cause == ErrorCause::NoContent) {
                tokio::time::sleep(CONFIRM_AFTER).await;
                checked = self.check().await;
            }
            let now = Timestamp::now();
            let report = match checked {
                Ok(status) => Report::of_check(&request, &status, now, limits),
                Err(error) => judge(&request, error, limits, now)?,
            };
            let next = report.next_check_seconds().filter(|_| !arguments.once);
            self.view.report(&report, before.as_ref(), now, next);
            let Some(seconds) = next else {
                self.view.end(&report, &request);
                return Ok(exit_code(&report));
            };
            // One last look at the limit.
            let left = limits.watch_limit_seconds.saturating_sub(now.elapsed_since(report.began));
            self.view.wait(&report, before.as_ref(), seconds.min(left)).await;
            let reported = serde_json::to_string(&report).unwrap_or_default();
            request.history = Request::parse(&reported, now, &Location::default()).history;
            before = Some(report);
        }
    }

    /// Says in one line whether the credentials are correct: only they make it known that a job does not exist.
    async fn credentials(&self, is_named: bool) -> Result<u8, WatchError> {
        let (module, job_id) = (self.job.module.as_str(), self.job.job_id.as_str());
        let found = match self.check().await {
            Ok(status) => format!("; job {job_id} is {}", status.status.as_str()),
            Err(error) if error.kind == ErrorType::JobNotFound => format!("; job {job_id} was not found"),
            Err(error) => {
                let (code, what) = if error.kind.is_retryable() { (7, "Not checked") } else { (5, "Not correct") };
                self.view.out(&format!("{what} (asked for {module}): {error}"));
                return Ok(code);
            }
        };
        let found = if is_named { &*found } else { "" };
        let (host, scope) = (self.zoho.api_host(Deadline::after(CHECK_TIME)).await?, operation::SCOPE);
        self.view.out(&format!("OK: the access token is accepted for {scope} in {module}{found} ({host})"));
        Ok(0)
    }
}

/// The exit code of a watch: a contract with scripts, in the help text and in docs/terminal.md.
fn exit_code(report: &Report) -> u8 {
    match report.outcome() {
        Some(Outcome::Succeeded) => 0,
        Some(Outcome::Failed) => 1,
        Some(Outcome::PartiallySucceeded) => 3,
        Some(Outcome::WatchTimedOut) => 4,
        Some(Outcome::WatchFailed) | None if report.error().is_some() => 5,
        _ => 6,
    }
}
