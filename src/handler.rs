//! One invocation, from the payload to the response.

use crate::checker::Checker;
use crate::deadline::Deadline;
use crate::delivery::{self, Courier, Delivery, Destinations, Response};
use crate::error::{ErrorCause, WatchError};
use crate::http::HttpClient;
use crate::record;
use crate::timestamp::{Clock, Timestamp};
use crate::token::SecretStore;
use crate::watch::ids::{Job, Location};
use crate::watch::job::JobStatus;
use crate::watch::message::MessageSettings;
use crate::watch::notice::Intervals;
use crate::watch::pacing::Bounds;
use crate::watch::report::{Limits, Report, State, seconds_between};
use crate::watch::request::{Ask, Caller, History, Request};
use crate::watch::rule::Verdict;
use crate::zoho::client::Attempts;
use std::time::{Duration, Instant};

/// The function: everything that lives from one invocation to the next.
pub struct Handler<S, H, D> {
    checker: Checker<S, H>,
    courier: Courier<D>,
    limits: Limits,
    region: String,
    clock: Clock,
}

/// A schedule's watch that has lasted for longer has worked, whatever its constant input says: a permanent error would
/// have ended it before.
const WORKED_AFTER_SECONDS: u64 = 900;

/// A job that was started a moment ago may not be known everywhere yet.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(2);

/// How long a watch waits whose function has no valid configuration.
const WAIT_WITHOUT_CONFIGURATION: Duration = Duration::from_secs(3_600);

/// What the runtime says about an invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The payload as text, even if it is not JSON.
    pub payload: String,
    /// The ARN under which the function was invoked. Empty if it is not known.
    pub function_arn: String,
    /// When the response must be ready.
    pub deadline: Deadline,
}

impl<S, H, D> Handler<S, H, D>
where
    S: SecretStore + 'static,
    H: HttpClient + 'static,
    D: Destinations,
{
    /// Sends nothing yet. `region` is the function's own, such as `eu-west-1`.
    pub fn new(
        checker: Checker<S, H>,
        destinations: D,
        settings: MessageSettings,
        limits: Limits,
        region: String,
        clock: Clock,
    ) -> Self {
        let courier = Courier::new(destinations, settings, limits, clock.clone());
        Self { checker, courier, limits, region, clock }
    }

    /// Does what the first invocation needs ahead of it.
    pub async fn warm_up(&self) {
        self.checker.warm_up().await;
    }

    /// Responds to one invocation.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Response, WatchError> {
        let began = Instant::now();
        let Invocation { payload, function_arn, deadline } = invocation;
        let (here, deadline) = (Location::of_function(function_arn, Some(&self.region)), *deadline);
        let delivered = Request::parse(payload, (self.clock)(), &here);
        let mut request = delivered.clone();
        let mut attempts = Attempts::default();
        let result = match self.report(&mut request, deadline, &mut attempts).await {
            Ok(report) => {
                let context =
                    Delivery { request: &request, delivered: &delivered, here: &here, function_arn, deadline };
                self.courier.deliver(report, context).await
            }
            Err(error) => Err(error),
        };
        record::invocation(&delivered, &result, attempts.sent, began.elapsed());
        result
    }

    /// What is to be reported. Sets the start of the watch in the request.
    async fn report(
        &self,
        request: &mut Request,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<Report, WatchError> {
        let job = match &request.ask {
            Ask::Compose(failure, _) => {
                return Ok(Report::of_end(request, State::Failed(failure.clone()), 0, (self.clock)()));
            }
            Ask::Reject(error, _) => {
                let error = error.clone();
                self.find_start(request, deadline).await;
                return judge(request, error, &self.limits, (self.clock)());
            }
            Ask::Check(job) => job.clone(),
        };
        let mut checked = {
            let check = self.check(&job, &request.caller, deadline, attempts);
            let prepare = self.courier.prepare(&request.caller, deadline);
            tokio::pin!(check);
            // The check does not wait for the connection.
            tokio::select! {
                biased;
                checked = &mut check => checked,
                () = prepare => check.await,
            }
        };
        if !matches!(&checked, Ok(status) if status.status.is_finished()) {
            self.find_start(request, deadline).await;
        }
        if let Err(error) = &checked
            && error.cause() == ErrorCause::NoContent
            && !has_worked(request, (self.clock)())
            && deadline.left() > CONFIRM_AFTER
        {
            tokio::time::sleep(CONFIRM_AFTER).await;
            checked = self.check(&job, &request.caller, deadline, attempts).await;
        }
        match checked {
            Ok(status) => {
                record::warn_if_unknown(&status.status);
                Ok(Report::of_check(request, &status, (self.clock)(), &self.limits))
            }
            Err(error) => judge(request, error, &self.limits, (self.clock)()),
        }
    }

    async fn check(
        &self,
        job: &Job,
        caller: &Caller,
        deadline: Deadline,
        attempts: &mut Attempts,
    ) -> Result<JobStatus, WatchError> {
        // The next check comes anyway, and no execution environment is held for long.
        let repeats_timeouts = matches!(caller, Caller::Direct { .. });
        self.checker.check(job, repeats_timeouts, deadline, attempts).await
    }

    /// The start of a schedule's watch is what its request says, otherwise the creation of the schedule. Before a watch
    /// ends at its limit, the schedule is read: a watch is never older than its schedule.
    async fn find_start(&self, request: &mut Request, deadline: Deadline) {
        let Caller::Schedule { arn, .. } = &request.caller else { return };
        let began = request.history.began;
        if began.is_none_or(|began| self.limits.is_over(began, (self.clock)())) {
            let created_at = self.courier.created_at(arn, deadline).await;
            // A few minutes are the clock of whoever created the schedule. They must not change the ID of the end, whether
            // the schedule can still be read or not.
            let is_same = |began: Timestamp| {
                created_at.is_none_or(|created| created <= began.plus_seconds(History::CLOCK_DIFFERENCE))
            };
            request.history.began = began.filter(|began| is_same(*began)).or(began.max(created_at));
        }
    }
}

/// Whether an earlier check of this watch found the job.
fn has_worked(request: &Request, now: Timestamp) -> bool {
    let is_schedule = matches!(request.caller, Caller::Schedule { .. });
    let lasted = |began| seconds_between(began, now) > WORKED_AFTER_SECONDS;
    request.history.status.is_some() || (is_schedule && request.history.began.is_none_or(lasted))
}

/// What is reported of a check that failed, or of a request that is not valid.
pub fn judge(request: &Request, error: WatchError, limits: &Limits, now: Timestamp) -> Result<Report, WatchError> {
    let has_worked = has_worked(request, now);
    let error = if has_worked { error.of_watch_that_worked() } else { error };
    let is_over = request.history.began.is_some_and(|began| limits.is_over(began, now));
    let checks = u64::from(matches!(request.ask, Ask::Check(_)));
    match Verdict::on(error.kind(), has_worked, is_over, &request.caller) {
        Verdict::GoesOn => Ok(Report::that_goes_on(request, &error, now, limits)),
        Verdict::TimedOut => Ok(Report::of_end(request, State::TimedOut(Some((&error).into())), checks, now)),
        Verdict::Failed => Ok(Report::of_end(request, State::Failed((&error).into()), checks, now)),
        Verdict::Error => Err(error),
    }
}

/// Responds to an invocation of a function whose configuration is invalid. A watch that has worked goes on, and a state
/// machine bounds it with its own timeout. `now` is the present time.
pub fn respond_without_configuration(
    error: &WatchError,
    invocation: &Invocation,
    now: Timestamp,
) -> Result<Response, WatchError> {
    let here = Location::of_function(&invocation.function_arn, None);
    let request = Request::parse(&invocation.payload, now, &here);
    let is_machine = matches!(request.caller, Caller::StateMachine { .. });
    let limits = Limits {
        bounds: Bounds { min_seconds: 10, max_seconds: 900 },
        watch_limit_seconds: if is_machine { u64::MAX } else { 86_400 },
        notices: Intervals::default(),
    };
    let error = error.clone().with_retry_after(Some(WAIT_WITHOUT_CONFIGURATION));
    let report = match &request.ask {
        Ask::Compose(failure, _) => Ok(Report::of_end(&request, State::Failed(failure.clone()), 0, now)),
        // Nothing can be published without a configuration.
        Ask::Reject(error, _) if is_machine => judge(&request, error.clone(), &limits, now),
        Ask::Reject(..) | Ask::Check(_) => judge(&request, error, &limits, now),
    };
    let settings = MessageSettings::default();
    let result = report.map(|report| match &request.caller {
        Caller::StateMachine { .. } => delivery::compose(report, &request, &settings),
        Caller::Schedule { .. } | Caller::Direct { .. } => Response::from(report),
    });
    record::invocation(&request, &result, 0, Duration::ZERO);
    result
}

#[cfg(test)]
mod tests;
