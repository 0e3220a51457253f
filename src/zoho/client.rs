//! The status request: what is sent, and how often within one invocation.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::hint;
use crate::http::{HttpClient, HttpRequest as Request, NoResponse as Reason, Stage, TransportError};
use crate::metrics;
use crate::timestamp::{Clock, milliseconds};
use crate::watch::ids::{JobId, ModuleName};
use crate::watch::job::JobStatus;
use crate::zoho::credentials::AccessToken;
use crate::zoho::hosts::ApiHost;
use crate::zoho::response::{self, StatusError, StatusResponse};
use crate::zoho::retry::{self, Retry};
use ::http::header::{ACCEPT, AUTHORIZATION};
use ::http::{HeaderMap, HeaderValue, Method};
use std::time::{Duration, Instant};

/// Which job to ask for, and where.
#[derive(Clone, Copy)]
pub struct StatusRequest<'a> {
    /// The API host.
    pub host: &'a ApiHost,
    /// A version of Zoho's API, such as `v8`.
    pub api_version: &'a str,
    /// The module whose records change owner.
    pub module: &'a ModuleName,
    /// The job.
    pub job_id: &'a JobId,
    /// Authorizes the request.
    pub token: &'a AccessToken,
    /// The timeout for one attempt.
    pub timeout: Duration,
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
) -> Result<JobStatus, Box<StatusError>> {
    loop {
        if request.deadline.left().is_zero() {
            let message =
                "no time is left in this invocation to call Zoho. Give the function a longer timeout";
            return Err(unavailable(message, Retry::No));
        }
        attempts.sent = attempts.sent.saturating_add(1);
        let sent_at = Instant::now();
        let result = attempt(http, request).await;
        metrics::zoho_latency(sent_at.elapsed());
        let error = match result {
            Ok(status) => return Ok(status),
            Err(error) => error,
        };
        if error.error.kind() == ErrorType::ZohoRateLimited {
            metrics::rate_limited();
        }
        if error.retry != Retry::No {
            attempts.failed = attempts.failed.saturating_add(1);
        }
        let pause = retry::wait(error.retry, attempts.failed, request.deadline.left(), fastrand::f64());
        let Some(pause) = pause else { return Err(error) };
        tracing::debug!(error = %error.error, milliseconds = milliseconds(pause), "retrying");
        tokio::time::sleep(pause).await;
    }
}

async fn attempt(http: &impl HttpClient, request: &StatusRequest<'_>) -> Result<JobStatus, Box<StatusError>> {
    let StatusRequest { host, api_version, module, job_id, token, .. } = *request;
    let Some(authorization) = token.authorization() else {
        return Err(unavailable("the access token does not fit into an HTTP header", Retry::No));
    };
    let sent = http.send(Request {
        method: Method::GET,
        origin: &host.origin,
        path: format!("/crm/{api_version}/{module}/actions/mass_change_owner?job_id={job_id}"),
        headers: HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]),
        body: String::new(),
        timeout: request.deadline.share(request.timeout),
        body_limit: response::BODY_LIMIT,
    });
    let secrets = [token.expose()];
    let response = |status, headers, body| StatusResponse {
        host,
        status,
        headers,
        body,
        now: (request.clock)(),
        secrets: &secrets,
    };
    match sent.await {
        Ok(whole) => response::classify(&response(whole.status, &whole.headers, &whole.body)),
        Err(error) => match error.stage {
            Stage::Oversized(status) => Err(response(status, &HeaderMap::new(), &[]).oversized()),
            _ if error.reason == Reason::TimedOut && !request.repeats_timeouts => {
                Err(no_response(host, &error, Retry::No))
            }
            Stage::Unanswered => Err(no_response(host, &error, Retry::Reconnect)),
            Stage::Connecting | Stage::Responding => Err(no_response(host, &error, Retry::Backoff)),
        },
    }
}

fn no_response(host: &ApiHost, error: &TransportError, retry: Retry) -> Box<StatusError> {
    let (setting, hint) = (host.source.setting(), hint::no_response(error.reason, None));
    let message = format!(
        "Zoho's API did not respond ({host}: {error}). {hint}. If the host is wrong, correct {setting}"
    );
    unavailable(&message, retry)
}

fn unavailable(message: &str, retry: Retry) -> Box<StatusError> {
    Box::new(StatusError { error: WatchError::new(ErrorType::ZohoUnavailable, message), retry })
}
