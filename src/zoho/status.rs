//! The status request: what is sent, how often within one invocation, and what a response means: a status, or an error. A
//! known code decides; without one, the HTTP status does, if the body is Zoho's. What is not known is not permanent.
//! Sources: docs/zoho-api.md, "Responses".

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, NoResponse};
use crate::json::{self, Fields};
use crate::timestamp::{Clock, milliseconds};
use crate::watch::job::{Counts, Job, JobStatus, LONGEST_STATUS, Status};
use crate::zoho::exchange::{self, Exchange, Meaning, SERVER_ERROR, THROTTLE, ZohoError};
use crate::zoho::{ZohoSettings, credentials::AccessToken, hosts::ZohoHost};
use crate::{deadline::Deadline, metrics, operation, redact};
use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, Method, StatusCode};
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

/// Which job to ask for, and where.
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
            Ok(exchange) => match classify(&exchange) {
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

/// What a response means. Pure.
pub fn classify(exchange: &Exchange<'_>) -> Result<JobStatus, WatchError> {
    if exchange.status == StatusCode::NO_CONTENT {
        // By the status alone: whatever follows a 204 is not part of the response.
        let error = exchange.error(NOT_FOUND, &ZohoError::default());
        return Err(WatchError { cause: ErrorCause::NoContent, ..error });
    }
    let text = exchange.text();
    let json = json::parse(&text);
    let error = exchange.find_error(json);
    match (meaning(exchange.status, &error.code, &error), json) {
        (Some((kind, what, advice)), _) => Err(exchange.error((kind, what, &advised(kind, advice, &error)), &error)),
        (None, Some(json)) if exchange.status.is_success() => {
            job_status(json, exchange.secrets).map_err(|problem| exchange.undocumented(problem))
        }
        (None, json) => Err(exchange.not_zohos(json.is_some())),
    }
}

const NOT_FOUND: Meaning = (
    ErrorType::JobNotFound,
    "Zoho does not know this job",
    "Check the job ID (a string with every digit), the module, and that the credentials belong to the same organization, \
     production or sandbox. Zoho keeps jobs for 60 days",
);

/// What a code means, at any HTTP status; what the status means, if nobody knows the code. `None` for a job, and for what
/// is not Zoho's.
fn meaning(status: StatusCode, code: &str, error: &ZohoError<'_>) -> Option<Meaning> {
    use ErrorType::*;
    let is_zohos = error.is_zohos && !error.code.is_empty();
    Some(match code {
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "INVALID_OAUTHTOKEN" => (
            TokenRejected,
            "Zoho rejected the access token",
            "Store a valid token, or credentials of this host's data center, in the secret. Check {setting}, too",
        ),
        "OAUTH_SCOPE_MISMATCH" => (
            ScopeMismatch,
            "the access token does not have the required scope",
            "Create credentials with the scope {scope}, or the one for a single module, such as {module_scope}. Check the \
             module's API name, too: Zoho checks the scope per module. If the scope is correct, add {start_scope}, which \
             Zoho's own resolution for this error names",
        ),
        "NO_PERMISSION" | "AUTHORIZATION_FAILED" => (
            PermissionDenied,
            "the Zoho user has no permission to read the status of this job",
            "Give the user of the credentials access to the module and the permission to {permission}",
        ),
        "INVALID_MODULE" => {
            (InvalidModule, "Zoho does not know this module", "Use the module's API name, which is case-sensitive")
        }
        "NO_DATA" | "REQUIRED_PARAM_MISSING" => NOT_FOUND,
        "INVALID_DATA" | "UNABLE_TO_PARSE_DATA_TYPE" if error.is_about_job_id() => NOT_FOUND,
        THROTTLE => (
            ZohoRateLimited,
            "Zoho's rate limit was exceeded",
            "Too many requests ran at a time, or the day's API credits are used up. Try again later, with fewer checks at \
             a time",
        ),
        SERVER_ERROR | "INTERNAL_SERVER_ERROR" => (ZohoUnavailable, "Zoho returned a server error", "Try again later"),
        "INVALID_HOST" => (
            ZohoUnexpectedResponse,
            "this host does not serve Zoho's CRM API",
            "Use the API host of your data center, such as https://www.zohoapis.eu. Check {settings}",
        ),
        "INVALID_URL_PATTERN" => (ZohoUnexpectedResponse, "Zoho does not know this URL", "Check {settings}"),
        // Zoho returns a 404 only in this case (docs/zoho-api.md).
        _ if status == StatusCode::NOT_FOUND && error.is_zohos => {
            (JobNotFound, "the job exists, but in another module", "Use the module for which the job was started")
        }
        _ if status == StatusCode::UNAUTHORIZED && is_zohos => return meaning(status, "INVALID_TOKEN", error),
        _ if status == StatusCode::FORBIDDEN && is_zohos => return meaning(status, "NO_PERMISSION", error),
        "" => return None,
        _ if matches!(status.as_u16(), 401 | 403 | 404) => return None,
        _ => (ZohoUnexpectedResponse, "Zoho returned an error that the function does not know", ""),
    })
}

/// The advice, or a better one by a word of the code: for what only the organization's administrator can change.
fn advised(kind: ErrorType, advice: &'static str, error: &ZohoError<'_>) -> String {
    let has = |known: &[&str]| error.code.split('_').any(|word| known.contains(&word));
    let permissions = error.details.get("permissions").map_or("", RawValue::get);
    let advice = if kind == ErrorType::PermissionDenied && permissions.contains("Crm_Implied_Api_Access") {
        "Switch on \"Zoho CRM API Access\" in the profile of the credentials' user (Setup, Security Control, Profiles)"
    } else if has(&["IP", "IPS"]) {
        "The organization allows its API to certain IP addresses only: allow the one that these requests come from"
    } else if has(&["LICENSE", "LICENSES", "LICENCE", "SUBSCRIPTION"]) {
        "Check that the organization's licenses are valid and that the user of the credentials has one"
    } else if has(&["EDITION", "FEATURE", "PLAN"]) {
        "Only the Enterprise and Ultimate editions of Zoho CRM have such jobs: check the organization's edition"
    } else {
        advice
    };
    let advice = advice.replace("{scope}", operation::SCOPE).replace("{module_scope}", operation::MODULE_SCOPE);
    advice.replace("{start_scope}", operation::START_SCOPE).replace("{permission}", operation::PERMISSION)
}

/// The status of the job, or what is wrong with it: a predicate.
fn job_status(json: &RawValue, secrets: &[&str]) -> Result<JobStatus, &'static str> {
    const KEYS: &[&str] = &{
        let [total, updated, not_updated, failed] = operation::COUNTS;
        ["Status", total, updated, not_updated, failed]
    };
    let body = Fields::of(json, &["data"]).ok_or("has no `data`")?;
    let jobs: Vec<&RawValue> = body.parse("data").ok_or("has no `data`")?;
    let (first, others) = jobs.split_first().ok_or("has no job in `data`")?;
    let job = Fields::of(first, KEYS).ok_or("has no job in `data`")?;
    if body.is_contradictory || job.is_contradictory || others.iter().any(|other| other.get() != first.get()) {
        return Err("contradicts itself");
    }
    let written: String = job.parse("Status").ok_or("has no `Status` that is a string")?;
    if redact::contains_secret(&written, secrets) {
        return Err("has a `Status` that contains a token");
    }
    let status = Status::normalize(&written).ok_or("has an empty `Status`")?;
    if status.as_str().chars().count() > LONGEST_STATUS {
        return Err("has a `Status` of more than 100 characters");
    }
    let number = |json| json::whole_number(json).ok_or("has a count that is not a whole number");
    let count = |key| job.get(key).map(number).transpose();
    let [total, updated, not_updated, failed] = operation::COUNTS.map(count);
    let counts = Counts { total: total?, updated: updated?, not_updated: not_updated?, failed: failed? };
    Ok(JobStatus { status, counts: plausible(counts) })
}

/// Counts that cannot be true count as unknown: no count of records exceeds the total. Failed records are not forgotten:
/// whatever their number is, the job has not succeeded.
fn plausible(counts: Counts) -> Counts {
    let exceeds = |count: Option<u64>| counts.total.zip(count).is_some_and(|(total, count)| count > total);
    let is_impossible = [counts.updated, counts.not_updated, counts.failed].into_iter().any(exceeds);
    Counts {
        total: counts.total.filter(|_| !is_impossible),
        updated: counts.updated.filter(|_| !exceeds(counts.updated)),
        ..counts
    }
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
