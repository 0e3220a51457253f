//! The status request: what is sent, and how often within one invocation.

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, NoResponse};
use crate::timestamp::{Clock, milliseconds};
use crate::watch::{ids::Job, job::JobStatus};
use crate::zoho::{ZohoSettings, exchange, response};
use crate::zoho::{credentials::AccessToken, hosts::ZohoHost};
use crate::{deadline::Deadline, metrics, operation};
use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, Method};
use std::time::{Duration, Instant};

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
    /// Those after which the same request may be sent again: at most [`MAX_ATTEMPTS`].
    failed: u32,
}

/// Requests in total, the first included.
const MAX_ATTEMPTS: u32 = 3;

/// Sends the request until a response decides, or no time or attempt is left.
pub async fn fetch_status(
    http: &impl HttpClient,
    request: &StatusRequest<'_>,
    attempts: &mut Attempts,
) -> Result<JobStatus, WatchError> {
    let StatusRequest { host, job: Job { module, job_id }, token, settings, deadline, .. } = *request;
    let (module, job_id) = (module.as_str(), job_id.as_str());
    let secrets = [token.expose()];
    loop {
        if deadline.left().is_zero() {
            let message = "no time is left in this invocation to call Zoho. Give the function a longer timeout";
            return Err(WatchError::new(ErrorType::ZohoUnavailable, message));
        }
        attempts.sent = attempts.sent.saturating_add(1);
        let sent = HttpRequest {
            method: Method::GET,
            origin: &host.origin,
            path: format!("/crm/{}/{module}/actions/{}?job_id={job_id}", settings.api_version, operation::PATH),
            headers: HeaderMap::from_iter(token.authorization().map(|value| (AUTHORIZATION, value))),
            body: String::new(),
            timeout: deadline.share(settings.request_timeout),
        };
        let sent_at = Instant::now();
        let result = exchange::send(http, host, sent, (request.clock)(), &secrets).await;
        metrics::zoho_latency(sent_at.elapsed());
        let (error, is_unanswered) = match result {
            Ok(exchange) => match response::classify(&exchange) {
                Ok(status) => return Ok(status),
                Err(error) => (error, false),
            },
            Err(error) if error.reason == NoResponse::TimedOut && !request.repeats_timeouts => {
                return Err(exchange::no_response(host, &error));
            }
            Err(error) => (exchange::no_response(host, &error), error.reason == NoResponse::Unanswered),
        };
        if error.kind == ErrorType::ZohoRateLimited {
            metrics::rate_limited();
        }
        // What may be different a moment later, or is probably not from Zoho.
        if !error.kind.is_retryable() && error.cause != ErrorCause::NotJson {
            return Err(error);
        }
        attempts.failed = attempts.failed.saturating_add(1);
        let pause = pause(&error, is_unanswered, attempts.failed, fastrand::f64());
        if attempts.failed >= MAX_ATTEMPTS || pause >= deadline.left() {
            return Err(error);
        }
        tracing::debug!(%error, milliseconds = milliseconds(pause), "retrying");
        tokio::time::sleep(pause).await;
    }
}

/// How long to wait before the next attempt. `attempt` counts the failed ones, from 1. The backoff is 200 ms, then 400 ms,
/// of which the upper half is jitter: `random` is uniform in 0 to 1.
fn pause(error: &WatchError, is_unanswered: bool, attempt: u32, random: f64) -> Duration {
    // Most likely a pooled connection that was closed while the execution environment was frozen.
    if is_unanswered && attempt == 1 {
        return Duration::ZERO;
    }
    let backoff = Duration::from_millis(200).saturating_mul(attempt).mul_f64(0.5 + random / 2.0);
    // A server that asks for a wait of zero does not ask for three requests at once.
    error.retry_after.unwrap_or_default().max(backoff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        for (asked, is_unanswered, attempt, random, milliseconds) in [
            (None, false, 1, 0.0, 100),
            (None, true, 1, 1.0, 0),
            (None, true, 2, 1.0, 400),
            (Some(2), false, 1, 1.0, 2_000),
            (Some(0), false, 1, 1.0, 200),
        ] {
            let retry_after = asked.map(Duration::from_secs);
            let error = WatchError { retry_after, ..WatchError::new(ErrorType::ZohoUnavailable, "") };
            assert_eq!(pause(&error, is_unanswered, attempt, random).as_millis(), milliseconds, "{asked:?} {attempt}");
        }
    }
}
