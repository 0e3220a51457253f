//! One invocation, from the payload to the response.

use crate::delivery::{self, Courier, Delivery, Destinations, Response};
use crate::error::{ErrorCause, WatchError};
use crate::watch::report::{Limits, Report, State};
use crate::watch::request::{Ask, Caller, Request};
use crate::watch::rule::{has_worked, judge};
use crate::watch::{ids::Location, message::MessageSettings, notice::Intervals, pacing::Bounds};
use crate::zoho::status::Attempts;
use crate::{checker::Checker, deadline::Deadline, http::HttpClient, record, timestamp::Timestamp, token::SecretStore};
use std::time::{Duration, Instant};

/// The function: everything that lives from one invocation to the next.
pub struct Handler<S, H, D> {
    checker: Checker<S, H>,
    courier: Courier<D>,
    settings: MessageSettings,
    region: String,
}

/// A job that was started a moment ago may not be known everywhere yet.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(2);

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
    pub fn new(checker: Checker<S, H>, courier: Courier<D>, settings: MessageSettings, region: String) -> Self {
        Self { checker, courier, settings, region }
    }

    /// Does what the first invocation needs ahead of it.
    pub async fn warm_up(&self) {
        self.checker.warm_up().await;
    }

    /// Responds to one invocation.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Response, WatchError> {
        let began = Instant::now();
        let Invocation { payload, function_arn, deadline } = invocation;
        let here = Location::of_function(function_arn, Some(&self.region));
        let delivered = &Request::parse(payload, self.courier.now(), &here);
        let mut settings = self.settings.clone();
        (settings.function_arn, settings.location) = (function_arn.clone(), here);
        let mut request = delivered.clone();
        let mut attempts = Attempts::default();
        let result = match self.report(&mut request, *deadline, &mut attempts).await {
            Ok(report) => {
                let delivery = Delivery { request: &request, delivered, settings: &settings, deadline: *deadline };
                self.courier.deliver(report, delivery).await
            }
            Err(error) => Err(error),
        };
        record::invocation(delivered, &result, attempts.sent, began.elapsed());
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
                return Ok(Report::of_end(request, State::Failed(failure.clone()), 0, self.courier.now()));
            }
            Ask::Reject(error, _) => {
                let error = error.clone();
                self.courier.complete(request, false, deadline).await;
                return judge(request, error, &self.courier.limits, self.courier.now());
            }
            Ask::Check(job) => job.clone(),
        };
        // The next check comes anyway, and no execution environment is held for long.
        let repeats_timeouts = matches!(request.caller, Caller::Direct { .. });
        let mut check = async || self.checker.check(&job, repeats_timeouts, deadline, attempts).await;
        let mut checked = {
            let check = check();
            let prepare = self.courier.prepare(&request.caller, deadline);
            tokio::pin!(check);
            // The check does not wait for the connection.
            tokio::select! {
                biased;
                checked = &mut check => checked,
                () = prepare => check.await,
            }
        };
        if !matches!(&checked, Ok(job) if job.status.is_finished()) {
            let is_permanent = checked.as_ref().is_err_and(|error| !error.kind.is_retryable());
            self.courier.complete(request, is_permanent, deadline).await;
        }
        if let Err(error) = &checked
            && error.cause == ErrorCause::NoContent
            && !has_worked(request, self.courier.now())
            && deadline.left() > CONFIRM_AFTER
        {
            tokio::time::sleep(CONFIRM_AFTER).await;
            checked = check().await;
        }
        match checked {
            Ok(job) => {
                record::warn_if_unknown(&job.status);
                Ok(Report::of_check(request, &job, self.courier.now(), &self.courier.limits))
            }
            Err(error) => judge(request, error, &self.courier.limits, self.courier.now()),
        }
    }
}

/// Responds to an invocation of a function whose configuration is invalid. A watch that has worked goes on with waits of
/// an hour, and a state machine bounds it with its own timeout. `now` is the present time.
pub fn respond_without_configuration(
    error: &WatchError,
    invocation: &Invocation,
    now: Timestamp,
) -> Result<Response, WatchError> {
    let here = Location::of_function(&invocation.function_arn, None);
    let request = Request::parse(&invocation.payload, now, &here);
    let is_machine = matches!(request.caller, Caller::StateMachine(_));
    let limits = Limits {
        bounds: Bounds { min_seconds: 10, max_seconds: 900 },
        watch_limit_seconds: if is_machine { u64::MAX } else { 86_400 },
        notices: Intervals::default(),
    };
    let report = match &request.ask {
        Ask::Compose(failure, _) => Ok(Report::of_end(&request, State::Failed(failure.clone()), 0, now)),
        // Nothing can be published without a configuration.
        Ask::Reject(error, _) if is_machine => judge(&request, error.clone(), &limits, now),
        Ask::Reject(..) | Ask::Check(_) => {
            let error = WatchError { retry_after: Some(Duration::from_secs(3_600)), ..error.clone() };
            judge(&request, error, &limits, now)
        }
    };
    let result = report.map(|report| match is_machine {
        true => delivery::compose(report, &request, &MessageSettings::default()),
        false => Response::from(report),
    });
    record::invocation(&request, &result, 0, Duration::ZERO);
    result
}

#[cfg(test)]
mod tests;
