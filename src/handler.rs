//! One invocation, from the payload to the response; what ends a watch; the log line.

use crate::checker::Checker;
use crate::deadline::Deadline;
use crate::delivery::{self, Courier, Destinations};
use crate::error::{ErrorType, WatchError};
use crate::http::HttpClient;
use crate::metrics;
use crate::phase::{self, Phase};
use crate::redact;
use crate::timestamp::{Clock, Timestamp, milliseconds};
use crate::token::SecretStore;
use crate::watch::ids::{Job, JobRef, Location};
use crate::watch::job::{Outcome, Status};
use crate::watch::message::Settings;
use crate::watch::pacing::Reason;
use crate::watch::report::{Limits, Report, ReportedError};
use crate::watch::request::{Delivery, History, Request};
use crate::zoho::client::Attempts;
use lambda_runtime::LambdaInvocation;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

/// The function: everything that lives from one invocation to the next.
pub struct Handler<S, H, D> {
    checker: Checker<S, H>,
    courier: Courier<D>,
    limits: Limits,
    region: String,
    clock: Clock,
}

/// A schedule's watch that has lasted for longer has had good responses, whatever its constant input says.
const ESTABLISHED_AFTER_SECONDS: i64 = 900;

/// What the runtime says about an invocation.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// The payload's JSON text.
    pub payload: &'a str,
    /// The ARN under which the function was invoked.
    pub function_arn: &'a str,
    /// When the response must be ready.
    pub deadline: Deadline,
}

impl<S, H, D> Handler<S, H, D>
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
    D: Destinations,
{
    /// Sends nothing yet. `region` is the function's own, such as `eu-west-1`.
    pub fn new(
        checker: Checker<S, H>,
        destinations: D,
        settings: Settings,
        limits: Limits,
        region: String,
        clock: Clock,
    ) -> Self {
        Self { checker, courier: Courier::new(destinations, settings), limits, region, clock }
    }

    /// Does what the first invocation needs ahead of it.
    pub async fn warm_up(&self) {
        self.checker.warm_up().await;
    }

    /// Responds to one invocation.
    pub async fn handle(&self, invocation: Invocation<'_>) -> Result<Report, WatchError> {
        let _invoke = Phase::begin(phase::INVOKE);
        let started = Instant::now();
        let here = Location::of_function(invocation.function_arn, Some(&self.region));
        let request = Request::parse(invocation.payload, self.now(), &here);
        let mut attempts = Attempts::default();
        let result = match (&request.failure, &request.job) {
            (Some(failure), _) => {
                let end = End { outcome: Outcome::WatchFailed, error: failure.into(), checks: 0 };
                self.end(&request, request.history, end, invocation.deadline).await
            }
            (None, Ok(job)) => self.check(&request, job, invocation.deadline, &mut attempts).await,
            (None, Err(invalid)) => self.fail(&request, invalid.error.clone(), 0, invocation.deadline).await,
        };
        log_check(&request, &result, attempts.sent, started.elapsed());
        record_metrics(&request, &result, attempts.sent);
        result
    }

    async fn check(
        &self,
        request: &Request,
        job: &Job,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<Report, WatchError> {
        let is_established = self.is_established(request);
        let prepare = async {
            if request.history.is_near_the_end() {
                self.courier.prepare(&request.delivery, deadline).await;
            }
        };
        let (checked, ()) = tokio::join!(self.checker.check(job, true, deadline, attempts), prepare);
        let status = match checked {
            Ok(status) => status,
            Err(error) => {
                let error = if is_established { error.of_watch_that_worked() } else { error };
                return self.fail(request, error, 1, deadline).await;
            }
        };
        warn_if_unknown(&status.status);
        let history = if status.status.is_finished() {
            request.history
        } else {
            self.with_start(request, deadline).await.unwrap_or(request.history)
        };
        let report = Report::of_check(job, &history, &status, self.now(), &self.limits);
        self.courier.deliver(report, &request.delivery, history.began, deadline).await
    }

    /// Decides what an error means for the watch, and does it.
    async fn fail(
        &self,
        request: &Request,
        error: WatchError,
        checks: u64,
        deadline: Deadline,
    ) -> Result<Report, WatchError> {
        // An end that leaves the job open is named after its start. The next invocation can find the start out.
        let Ok(history) = self.with_start(request, deadline).await else { return Err(error) };
        let is_over =
            history.first_checked_at.is_some_and(|started| self.limits.is_over(started, self.now()));
        let Verdict::End(outcome) = Verdict::on(error.kind(), &request.delivery, is_over) else {
            return Err(error);
        };
        let end = End { outcome, error: (&error).into(), checks };
        self.end(request, history, end, deadline).await.map_err(|undelivered| {
            if undelivered.kind() == ErrorType::ScheduleNotDeleted {
                return undelivered;
            }
            tracing::error!(error = %undelivered, "the end of this watch could not be announced");
            error
        })
    }

    /// Ends the watch with an error. Whatever the request says about notifications, the end of a schedule's watch is
    /// published: nobody would learn of it otherwise.
    async fn end(
        &self,
        request: &Request,
        history: History,
        end: End,
        deadline: Deadline,
    ) -> Result<Report, WatchError> {
        let delivery = &request.delivery;
        let notify = delivery.notify || delivery.schedule.is_some();
        let announcement = delivery.announcement || request.failure.is_some();
        let delivery = Delivery { notify, announcement, ..delivery.clone() };
        let report = end.report(request.job_ref(), &history, self.now());
        self.courier.deliver(report, &delivery, history.began, deadline).await
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Whether this watch has had a good response before: a report says so. A schedule sends the same request each time,
    /// so there the time tells: a watch whose first checks failed permanently has already ended.
    fn is_established(&self, request: &Request) -> bool {
        let History { checks, first_checked_at, .. } = request.history;
        let schedule = request.delivery.schedule.as_ref();
        let started = first_checked_at.or_else(|| self.courier.remembered_creation(schedule?));
        let has_lasted = |started| (self.clock)().seconds_since(started) > ESTABLISHED_AFTER_SECONDS;
        checks.is_some_and(|checks| checks > 0) || (schedule.is_some() && started.is_some_and(has_lasted))
    }

    /// The history, with the creation of the schedule as the start of a watch that names no other.
    async fn with_start(&self, request: &Request, deadline: Deadline) -> Result<History, WatchError> {
        let mut history = request.history;
        if let (None, Some(schedule)) = (history.began, &request.delivery.schedule) {
            history.began = self.courier.schedule_created_at(schedule, deadline).await?;
            history.first_checked_at = history.began.map(|began| began.min(self.now()));
        }
        Ok(history)
    }
}

/// Responds to an invocation of a function whose configuration is invalid: with that error, or, if a state machine asks
/// for the announcement of its watch's end, with a report of it.
pub fn respond_without_configuration(
    error: &WatchError,
    invocation: Invocation<'_>,
) -> Result<Report, WatchError> {
    let here = Location::of_function(invocation.function_arn, None);
    let now = Timestamp::now();
    let request = Request::parse(invocation.payload, now, &here);
    let reported = request.failure.as_ref().map(ReportedError::from);
    let result = match (reported, Verdict::on(error.kind(), &request.delivery, false)) {
        (None, Verdict::Fail) => Err(error.clone()),
        (reported, _) => {
            let error = reported.unwrap_or_else(|| error.into());
            let mut report = End { outcome: Outcome::WatchFailed, error, checks: 0 }.report(
                request.job_ref(),
                &request.history,
                now,
            );
            let delivery = Delivery { announcement: true, ..request.delivery.clone() };
            delivery::compose(&mut report, &delivery, request.history.began, Settings::default());
            Ok(report)
        }
    };
    log_check(&request, &result, 0, Duration::ZERO);
    record_metrics(&request, &result, 0);
    result
}

/// What an error means for the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The invocation fails with the error. Whoever invoked the function retries it, or handles the error.
    Fail,
    /// The watch is over, in this way.
    End(Outcome),
}

impl Verdict {
    /// `is_over` says whether the watch has reached its limit.
    fn on(error: ErrorType, delivery: &Delivery, is_over: bool) -> Self {
        let is_permanent = !error.is_retryable();
        match delivery {
            // The state machine announces this end, in the function's words.
            Delivery { announcement: true, .. } if is_permanent => Self::End(Outcome::WatchFailed),
            Delivery { schedule: None, .. } => Self::Fail,
            // The function cannot publish without its configuration. The schedule stays, so that the watch continues
            // once the configuration is right.
            _ if is_permanent && error != ErrorType::InvalidConfiguration => Self::End(Outcome::WatchFailed),
            _ if is_over => Self::End(Outcome::WatchTimedOut),
            _ => Self::Fail,
        }
    }
}

/// The end of a watch with an error.
struct End {
    outcome: Outcome,
    error: ReportedError,
    /// Checks in this invocation.
    checks: u64,
}

impl End {
    fn report(self, job: JobRef, history: &History, now: Timestamp) -> Report {
        Report::of_error(job, history, self.outcome, self.error, self.checks, now)
    }
}

/// Wraps a payload that is not JSON in a JSON string, so that it reaches the handler and is rejected there as
/// `InvalidInput`. The runtime would report it under the name of a Rust type.
pub fn wrap_invalid_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<&RawValue>(&invocation.body).is_err() {
        let text = String::from_utf8_lossy(&invocation.body);
        invocation.body = serde_json::Value::from(text).to_string().into();
    }
    invocation
}

/// Writes the one line that each invocation gets in the log. An error that nobody needs to act on is a warning.
fn log_check(request: &Request, result: &Result<Report, WatchError>, attempts: u32, took: Duration) {
    let job = request.job_ref();
    let (module, job_id) = (job.module(), job.job_id());
    let schedule = request.delivery.schedule.as_ref().map(|schedule| schedule.name());
    let watch = request.delivery.watch.as_deref();
    let report = result.as_ref().ok();
    let status = report.and_then(|report| report.status.as_deref());
    let outcome = report.and_then(|report| report.outcome).map(Outcome::name);
    let next_check_seconds = report.and_then(|report| report.next_check_seconds);
    let next_check_reason = report.and_then(|report| report.next_check_reason).map(Reason::name);
    let notice = report.filter(|report| report.notice.is_some()).and_then(|report| report.notice_due);
    let notice = notice.map(|notice| notice.kind.name());
    let milliseconds = milliseconds(took);
    let error = match result {
        Ok(report) => report.error.clone(),
        Err(error) => Some(error.into()),
    };
    let error_type = error.as_ref().map(|error| error.name.as_str());
    let error = error.as_ref().map(|error| error.message.as_str());
    // A macro, because the level of an event is static. A field that is `None` is left out of the line.
    macro_rules! check_line {
        ($level:ident) => {
            tracing::$level!(
                module,
                job_id,
                schedule,
                watch,
                status,
                outcome,
                attempts,
                milliseconds,
                next_check_seconds,
                next_check_reason,
                notice,
                error_type,
                error,
                "check"
            )
        };
    }
    match error_type.map(ErrorType::from_name) {
        None => check_line!(info),
        Some(Some(kind)) if kind.is_retryable() => check_line!(warn),
        Some(_) => check_line!(error),
    }
}

/// The end of a job was noticed at this check, and it had been seen unfinished at the one before.
fn lateness_bound_seconds(request: &Request, report: &Report) -> Option<u64> {
    let last_seen = request.history.checked_at.filter(|_| report.finished)?;
    u64::try_from(report.checked_at.seconds_since(last_seen)).ok()
}

fn record_metrics(request: &Request, result: &Result<Report, WatchError>, attempts: u32) {
    let report = result.as_ref().ok();
    metrics::record(&metrics::Invocation {
        attempts,
        outcome: report.and_then(|report| report.outcome).map(Outcome::name),
        error: match result {
            Ok(report) => report.error.as_ref().map(|error| error.name.as_str()),
            Err(error) => Some(error.kind().name()),
        },
        lateness_bound_seconds: report.and_then(|report| lateness_bound_seconds(request, report)),
    });
}

fn warn_if_unknown(status: &Status) {
    if !status.is_known() {
        let status = redact::quote(status.as_str());
        tracing::warn!(status, "Zoho reports a status that is not documented; the job counts as unfinished");
    }
}

#[cfg(test)]
mod tests;
