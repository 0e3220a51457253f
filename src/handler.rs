//! One invocation, from the payload to the response; what ends a watch; the log line.

use crate::checker::Checker;
use crate::deadline::Deadline;
use crate::delivery::{self, Destinations};
use crate::error::{ErrorType, WatchError};
use crate::http::HttpClient;
use crate::phase::{self, Phase};
use crate::redact;
use crate::timestamp::{Timestamp, milliseconds};
use crate::token::SecretStore;
use crate::watch::job::{Outcome, Status};
use crate::watch::report::{Limits, Report};
use crate::watch::request::{Delivery, History, InvalidRequest, Request};
use crate::zoho::client::Attempts;
use lambda_runtime::LambdaInvocation;
use std::time::{Duration, Instant};

/// The function: everything that lives from one invocation to the next.
pub struct Handler<S, H, D> {
    checker: Checker<S, H>,
    destinations: D,
    limits: Limits,
}

/// How a check went, for the one line that it gets in the log.
#[derive(Debug, Default)]
struct CheckLog {
    module: Option<String>,
    job_id: Option<String>,
    attempts: u32,
}

impl<S, H, D> Handler<S, H, D>
where
    S: SecretStore + 'static,
    H: HttpClient + Clone + 'static,
    D: Destinations,
{
    /// Sends nothing yet.
    pub fn new(checker: Checker<S, H>, destinations: D, limits: Limits) -> Self {
        Self { checker, destinations, limits }
    }

    /// Does what the first invocation needs ahead of it.
    pub async fn warm_up(&self) {
        self.checker.warm_up().await;
    }

    /// Responds to one invocation. `payload` is its JSON text.
    pub async fn handle(&self, payload: &str, deadline: Deadline) -> Result<Report, WatchError> {
        let _call = Phase::begin(phase::CALL);
        let started = Instant::now();
        let mut log = CheckLog::default();
        let result = match Request::parse(payload, Timestamp::now()) {
            Ok(request) => self.check(&request, deadline, &mut log).await,
            Err(invalid) => {
                let InvalidRequest { error, module, job_id, delivery } = *invalid;
                self.fail((module, job_id), &History::default(), &delivery, error, deadline).await
            }
        };
        log.write(&result, started.elapsed());
        result
    }

    async fn check(
        &self,
        request: &Request,
        deadline: Deadline,
        log: &mut CheckLog,
    ) -> Result<Report, WatchError> {
        log.module = Some(request.module.to_string());
        log.job_id = Some(request.job_id.to_string());
        let mut attempts = Attempts::default();
        let checked = self.checker.check(&request.module, &request.job_id, deadline, &mut attempts).await;
        log.attempts = attempts.sent;
        match checked {
            Ok(job) => {
                warn_if_unknown(&job.status);
                let report = Report::of_check(request, &job, Timestamp::now(), &self.limits);
                delivery::deliver(&self.destinations, report, &request.delivery, deadline).await
            }
            Err(error) => {
                let named = (Some(request.module.to_string()), Some(request.job_id.to_string()));
                self.fail(named, &request.history, &request.delivery, error, deadline).await
            }
        }
    }

    /// Ends a schedule's watch with a message if another check cannot help; otherwise the invocation fails.
    async fn fail(
        &self,
        (module, job_id): (Option<String>, Option<String>),
        history: &History,
        delivery: &Delivery,
        error: WatchError,
        deadline: Deadline,
    ) -> Result<Report, WatchError> {
        let keeps_the_schedule =
            error.kind().is_retryable() || error.kind() == ErrorType::InvalidConfiguration;
        if delivery.schedule.is_none() || keeps_the_schedule {
            return Err(error);
        }
        let report = Report::of_failure(module, job_id, history, error.clone(), Timestamp::now());
        // Whatever the request says about notifications: nobody would learn of this end otherwise.
        let delivery = Delivery { notify: true, ..delivery.clone() };
        delivery::deliver(&self.destinations, report, &delivery, deadline).await.map_err(|delivery_error| {
            tracing::error!(error = %delivery_error, "the end of this watch could not be announced");
            error
        })
    }
}

/// Wraps a payload that is not JSON in a JSON string, so that it reaches the handler and is rejected there as
/// `InvalidInput`. The runtime would report it under the name of a Rust type.
pub fn wrap_invalid_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<&serde_json::value::RawValue>(&invocation.body).is_err() {
        let text = String::from_utf8_lossy(&invocation.body);
        invocation.body = serde_json::Value::from(text).to_string().into();
    }
    invocation
}

impl CheckLog {
    /// Writes the line.
    fn write(&self, result: &Result<Report, WatchError>, took: Duration) {
        let report = result.as_ref().ok();
        let module = self.module.as_deref().or(report.and_then(|report| report.module.as_deref()));
        let job_id = self.job_id.as_deref().or(report.and_then(|report| report.job_id.as_deref()));
        let status = report.and_then(|report| report.status.as_deref());
        let outcome = report.and_then(|report| report.outcome).map(Outcome::name);
        let error =
            result.as_ref().err().or(report.and_then(|report| report.error.as_ref().map(|error| &error.0)));
        let error_type = error.map(|error| error.kind().name());
        let (attempts, milliseconds) = (self.attempts, milliseconds(took));
        if let Some(error) = error {
            let error = error.message();
            tracing::warn!(
                module,
                job_id,
                status,
                outcome,
                attempts,
                milliseconds,
                error_type,
                error,
                "check"
            );
        } else {
            tracing::info!(module, job_id, status, outcome, attempts, milliseconds, "check");
        }
    }
}

fn warn_if_unknown(status: &Status) {
    if !status.is_known() {
        let status = redact::quote(status.as_str());
        tracing::warn!(status, "Zoho reports a status that is not documented; the job counts as unfinished");
    }
}
