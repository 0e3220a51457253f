//! The status request: what is sent, and how often within one invocation.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, NoResponse, Stage};
use crate::metrics;
use crate::operation::OPERATION;
use crate::timestamp::{Clock, milliseconds};
use crate::watch::ids::Job;
use crate::watch::job::JobStatus;
use crate::zoho::ZohoSettings;
use crate::zoho::credentials::AccessToken;
use crate::zoho::exchange;
use crate::zoho::hosts::ZohoHost;
use crate::zoho::response;
use crate::zoho::retry::{self, Retry};
use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, Method};
use std::time::Instant;

/// Which job to ask for, and where.
#[derive(Clone, Copy)]
pub struct StatusRequest<'a> {
    /// The API host.
    pub host: &'a ZohoHost,
    /// The job.
    pub job: &'a Job,
    /// Authorizes the request.
    pub token: &'a AccessToken,
    /// The API's version, and the timeout for one attempt.
    pub settings: &'a ZohoSettings,
    /// When the invocation must be over.
    pub deadline: Deadline,
    /// The wall clock: a `Retry-After` may be a date.
    pub clock: &'a Clock,
    /// Whether a request that timed out is sent again within the invocation.
    pub repeats_timeouts: bool,
}

/// Requests sent so far in this invocation.
#[derive(Debug, Default, Clone, Copy)]
pub struct Attempts {
    /// All of them, for the log.
    pub sent: u32,
    /// Those after which the same request may be sent again: at most [`retry::MAX_ATTEMPTS`].
    failed: u32,
}

/// Sends the request until a response decides, or no time or attempt is left.
pub async fn fetch_status(
    http: &impl HttpClient,
    request: &StatusRequest<'_>,
    attempts: &mut Attempts,
) -> Result<JobStatus, WatchError> {
    loop {
        if request.deadline.left().is_zero() {
            let message = "no time is left in this invocation to call Zoho. Give the function a longer timeout";
            return Err(WatchError::new(ErrorType::ZohoUnavailable, message));
        }
        attempts.sent = attempts.sent.saturating_add(1);
        let sent_at = Instant::now();
        let result = attempt(http, request).await;
        metrics::zoho_latency(sent_at.elapsed());
        let (error, retry) = match result {
            Ok(status) => return Ok(status),
            Err(error) => error,
        };
        if error.kind() == ErrorType::ZohoRateLimited {
            metrics::rate_limited();
        }
        if retry != Retry::No {
            attempts.failed = attempts.failed.saturating_add(1);
        }
        let pause = retry::wait(retry, attempts.failed, request.deadline.left(), fastrand::f64());
        let Some(pause) = pause else { return Err(error) };
        tracing::debug!(%error, milliseconds = milliseconds(pause), "retrying");
        tokio::time::sleep(pause).await;
    }
}

async fn attempt(http: &impl HttpClient, request: &StatusRequest<'_>) -> Result<JobStatus, (WatchError, Retry)> {
    let StatusRequest { host, job: Job { module, job_id }, token, settings, .. } = *request;
    let (module, job_id) = (module.as_str(), job_id.as_str());
    let Some(authorization) = token.authorization() else {
        let error = WatchError::new(ErrorType::TokenRejected, "the access token does not fit into an HTTP header");
        return Err((error, Retry::No));
    };
    let sent = HttpRequest {
        method: Method::GET,
        origin: &host.origin,
        path: format!("/crm/{}/{module}/actions/{}?job_id={job_id}", settings.api_version, OPERATION.path),
        headers: HeaderMap::from_iter([(AUTHORIZATION, authorization)]),
        body: String::new(),
        timeout: request.deadline.share(settings.request_timeout),
    };
    match exchange::send(http, host, sent, (request.clock)(), &[token.expose()]).await {
        Ok(exchange) => response::classify(&exchange).map_err(|error| {
            let retry = Retry::after(&error);
            (error, retry)
        }),
        Err(error) => {
            let retry = match (error.stage, error.reason) {
                (_, NoResponse::TimedOut) if !request.repeats_timeouts => Retry::No,
                (Stage::Unanswered, _) => Retry::Reconnect,
                _ => Retry::Backoff,
            };
            Err((exchange::no_response(host, &error), retry))
        }
    }
}
