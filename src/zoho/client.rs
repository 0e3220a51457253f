//! The status request: what goes over the wire, repeated as often as makes sense within one invocation.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, Request, Stage, TransportError};
use crate::timestamp::{Clock, milliseconds};
use crate::watch::ids::{JobId, ModuleName};
use crate::watch::job::JobStatus;
use crate::zoho::credentials::AccessToken;
use crate::zoho::hosts::ApiHost;
use crate::zoho::response::{self, StatusError, StatusResponse};
use crate::zoho::retry::{self, Retry};
use ::http::header::{ACCEPT, AUTHORIZATION};
use ::http::{HeaderMap, HeaderValue, Method};
use std::time::Duration;

/// Which job to ask for, and where.
#[derive(Clone, Copy)]
pub struct StatusRequest<'a> {
    /// The API host.
    pub host: &'a ApiHost,
    /// `v8` and the like.
    pub api_version: &'a str,
    /// The module whose records are moved.
    pub module: &'a ModuleName,
    /// The job.
    pub job_id: &'a JobId,
    /// What the request is authorized with.
    pub token: &'a AccessToken,
    /// The longest time for one attempt.
    pub timeout: Duration,
    /// When the invocation must be over.
    pub deadline: Deadline,
    /// The wall clock: a `Retry-After` can be a date.
    pub clock: &'a Clock,
}

/// Requests sent so far in this invocation.
#[derive(Debug, Default, Clone, Copy)]
pub struct Attempts {
    /// All of them, for the log.
    pub sent: u32,
    /// Those that ended in a connection error, a 5xx, or a 429: at most [`retry::MAX_ATTEMPTS`].
    failed: u32,
}

/// Asks for the job's status until there is a response that decides, or no time left.
pub async fn fetch_status(
    http: &impl HttpClient,
    request: &StatusRequest<'_>,
    attempts: &mut Attempts,
) -> Result<JobStatus, Box<StatusError>> {
    loop {
        if request.deadline.left().is_zero() {
            let message = "no time is left in this invocation. Give the function a longer timeout";
            return Err(unavailable(message, Retry::No));
        }
        attempts.sent = attempts.sent.saturating_add(1);
        let error = match attempt(http, request, request.deadline.share(request.timeout)).await {
            Ok(status) => return Ok(status),
            Err(error) => error,
        };
        if error.retry != Retry::No {
            attempts.failed = attempts.failed.saturating_add(1);
        }
        let pause = retry::wait(error.retry, attempts.failed, request.deadline.left(), fastrand::f64());
        let Some(pause) = pause else { return Err(error) };
        tracing::debug!(error = %error.error, milliseconds = milliseconds(pause), "retrying");
        tokio::time::sleep(pause).await;
    }
}

async fn attempt(
    http: &impl HttpClient,
    request: &StatusRequest<'_>,
    timeout: Duration,
) -> Result<JobStatus, Box<StatusError>> {
    let StatusRequest { host, api_version, module, job_id, token, .. } = request;
    let Some(authorization) = token.authorization() else {
        return Err(unavailable("the access token fits no HTTP header", Retry::No));
    };
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, authorization),
        (ACCEPT, HeaderValue::from_static("application/json")),
    ]);
    let response = http
        .send(Request {
            method: Method::GET,
            origin: &host.origin,
            path: format!("/crm/{api_version}/{module}/actions/mass_change_owner?job_id={job_id}"),
            headers,
            body: String::new(),
            timeout,
            body_limit: response::BODY_LIMIT,
        })
        .await
        .map_err(|error| no_response(host, &error))?;
    response::classify(&StatusResponse {
        status: response.status,
        headers: &response.headers,
        body: &response.body,
        now: (request.clock)(),
        secrets: &[token.expose()],
    })
}

fn no_response(host: &ApiHost, error: &TransportError) -> Box<StatusError> {
    let retry = match error.stage {
        Stage::Oversized(status) => return StatusError::oversized(status),
        Stage::Unanswered => Retry::Reconnect,
        Stage::Connecting | Stage::Responding => Retry::Backoff,
    };
    unavailable(
        &format!(
            "Zoho's API {host} did not respond ({error}). Try again later; if it stays so, check ZOHO_API_DOMAIN, the network, and SSL_CERT_FILE"
        ),
        retry,
    )
}

fn unavailable(message: &str, retry: Retry) -> Box<StatusError> {
    Box::new(StatusError {
        error: WatchError::new(ErrorType::ZohoUnavailable, message),
        token_rejected: false,
        retry,
    })
}
