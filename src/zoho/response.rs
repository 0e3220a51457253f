//! What one HTTP response of the status endpoint means: a job's status, or an error by its public name. Pure.
//!
//! A known code decides; without one, the HTTP status does, if the body is Zoho's. What is not known is not permanent.
//! Sources: docs/zoho-api.md, "Responses".

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::json::{self, Fields};
use crate::redact;
use crate::watch::job::{Counts, JobStatus, LONGEST_STATUS, Status};
use crate::zoho::envelope::ErrorEnvelope;
use crate::zoho::exchange::{Exchange, Meaning};
use crate::zoho::operation::OPERATION;
use ::http::StatusCode;
use serde_json::value::RawValue;

/// What a response means.
///
/// # Errors
///
/// The error by its public name. Its cause is [`ErrorCause::NoContent`] for a 204, and [`ErrorCause::NotJson`] for what is
/// probably not from Zoho.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use mass_change_owner_status::error::ErrorType;
/// use mass_change_owner_status::timestamp::Timestamp;
/// use mass_change_owner_status::zoho::credentials::Secret;
/// use mass_change_owner_status::zoho::exchange::Exchange;
/// use mass_change_owner_status::zoho::{hosts, response};
///
/// let secret = Secret::parse(r#"{"access_token": "1000.a.b"}"#, None).unwrap();
/// let host = hosts::api(None, &secret, &hosts::accounts(None, &secret), None);
/// let headers = HeaderMap::new();
/// let exchange = |status, body| Exchange {
///     host: &host,
///     status,
///     headers: &headers,
///     body: Some(body),
///     now: Timestamp::now(),
///     secrets: &[],
/// };
/// let job = response::classify(&exchange(StatusCode::OK, br#"{"data":[{"Status":"RUNNING"}]}"#)).unwrap();
/// assert_eq!(job.status.as_str(), "RUNNING");
/// let error = response::classify(&exchange(StatusCode::NO_CONTENT, b"")).unwrap_err();
/// assert_eq!(error.kind(), ErrorType::JobNotFound);
/// ```
pub fn classify(exchange: &Exchange<'_>) -> Result<JobStatus, WatchError> {
    if exchange.status == StatusCode::NO_CONTENT {
        // By the status alone: whatever follows a 204 is not part of the response.
        let nothing = Exchange { body: Some(b""), ..*exchange };
        let error = nothing.error(&NOT_FOUND, &ErrorEnvelope::default(), NOT_FOUND.advice);
        return Err(error.because(ErrorCause::NoContent));
    }
    let text = exchange.text();
    let json = json::parse(&text);
    let envelope = json.map(ErrorEnvelope::find).unwrap_or_default();
    match (meaning(exchange, &envelope), json) {
        (Some(meaning), _) => Err(exchange.error(meaning, &envelope, &advice(exchange, meaning, &envelope))),
        (None, Some(json)) if exchange.status.is_success() => {
            job_status(json, exchange.secrets).map_err(|problem| {
                let is_quotable = problem != CONTAINS_SECRET;
                exchange.undocumented(problem, is_quotable)
            })
        }
        (None, json) => Err(exchange.not_zohos(json.is_some())),
    }
}

const TOKEN_REJECTED: Meaning = Meaning::new(
    ErrorType::TokenRejected,
    "Zoho rejected the access token",
    "Store a valid token, or credentials of this host's data center, in the secret. Check {setting}, too",
);

const PERMISSION_DENIED: Meaning = Meaning::new(
    ErrorType::PermissionDenied,
    "the Zoho user has no permission to read the status of this job",
    "Give the user of the credentials access to the module and the permission to change owners",
);

const NOT_FOUND: Meaning = Meaning::new(
    ErrorType::JobNotFound,
    "Zoho does not know this job",
    "Check the job ID (a string with every digit), the module, and that the credentials belong to the same organization, \
     production or sandbox. Zoho keeps jobs for 60 days",
);

/// Zoho returns a 404 only in this case (docs/zoho-api.md).
const IN_ANOTHER_MODULE: Meaning = Meaning::new(
    ErrorType::JobNotFound,
    "the job exists, but in another module",
    "Use the module for which the job was started",
);

const RATE_LIMITED: Meaning = Meaning::new(
    ErrorType::ZohoRateLimited,
    "Zoho's rate limit was exceeded",
    "Too many requests ran at a time, or the day's API credits are used up. Try again later, with fewer checks at a time",
);

const UNAVAILABLE: Meaning =
    Meaning::new(ErrorType::ZohoUnavailable, "Zoho returned a server error", "Try again later");

const UNKNOWN: Meaning = Meaning::new(
    ErrorType::ZohoUnexpectedResponse,
    "Zoho returned an error that the function does not know",
    "",
);

/// The known codes, at any HTTP status.
const CODES: [(&[&str], Meaning); 8] = [
    (&["INVALID_TOKEN", "AUTHENTICATION_FAILURE", "INVALID_OAUTHTOKEN"], TOKEN_REJECTED),
    (
        &["OAUTH_SCOPE_MISMATCH"],
        Meaning::new(
            ErrorType::ScopeMismatch,
            "the access token does not have the required scope",
            "Create credentials with the scope {scope}, or the one for a single module, such as {module_scope}. Check \
             the module's API name, too: Zoho checks the scope per module. If the scope is correct, add {start_scope}, \
             which Zoho's own resolution for this error names",
        ),
    ),
    (&["NO_PERMISSION", "AUTHORIZATION_FAILED"], PERMISSION_DENIED),
    (
        &["INVALID_MODULE"],
        Meaning::new(
            ErrorType::InvalidModule,
            "Zoho does not know this module",
            "Use the module's API name, which is case-sensitive",
        ),
    ),
    (&["REQUIRED_PARAM_MISSING", "NO_DATA", "INVALID_DATA", "UNABLE_TO_PARSE_DATA_TYPE"], NOT_FOUND),
    (&["INTERNAL_ERROR", "INTERNAL_SERVER_ERROR"], UNAVAILABLE),
    (
        &["INVALID_HOST"],
        Meaning::new(
            ErrorType::ZohoUnexpectedResponse,
            "this host does not serve Zoho's CRM API",
            "Use the API host of your data center, such as https://www.zohoapis.eu. Check {settings}",
        ),
    ),
    (
        &["INVALID_URL_PATTERN"],
        Meaning::new(ErrorType::ZohoUnexpectedResponse, "Zoho does not know this URL", "Check {settings}"),
    ),
];

/// Advice by a word of the code, for what only the organization's administrator can change.
const BY_WORD: [(&[&str], &str); 3] = [
    (
        &["IP", "IPS"],
        "The organization allows its API to certain IP addresses only: allow the address that these requests come from, in \
         Zoho CRM's Setup",
    ),
    (
        &["LICENSE", "LICENSES", "LICENCE", "SUBSCRIPTION"],
        "Check that the organization's licenses are valid and that the user of the credentials has one",
    ),
    (
        &["EDITION", "FEATURE", "PLAN"],
        "Only the Enterprise and Ultimate editions of Zoho CRM have such jobs: check the organization's edition",
    ),
];

/// `None` for a job, and for what is not Zoho's.
fn meaning(exchange: &Exchange<'_>, envelope: &ErrorEnvelope<'_>) -> Option<&'static Meaning> {
    let later = exchange.later(envelope, &RATE_LIMITED, &UNAVAILABLE);
    let known =
        || CODES.iter().find(|(codes, _)| codes.contains(&&*envelope.code)).map(|(_, meaning)| meaning);
    let is_about_another_parameter = || {
        matches!(&*envelope.code, "INVALID_DATA" | "UNABLE_TO_PARSE_DATA_TYPE") && !envelope.is_about_job_id()
    };
    let has_code = !envelope.code.is_empty();
    later.or_else(|| known().filter(|_| !is_about_another_parameter())).or_else(|| match exchange.status {
        StatusCode::NOT_FOUND => envelope.is_zohos.then_some(&IN_ANOTHER_MODULE),
        StatusCode::UNAUTHORIZED => (has_code && envelope.is_zohos).then_some(&TOKEN_REJECTED),
        StatusCode::FORBIDDEN => (has_code && envelope.is_zohos).then_some(&PERMISSION_DENIED),
        _ => has_code.then_some(&UNKNOWN),
    })
}

fn advice(exchange: &Exchange<'_>, meaning: &Meaning, envelope: &ErrorEnvelope<'_>) -> String {
    let permissions = envelope.detail("permissions").map_or("", RawValue::get);
    let by_word =
        BY_WORD.iter().find(|(words, _)| envelope.code.split('_').any(|word| words.contains(&word)));
    match (meaning.error_type, &exchange.host.conflicting, by_word) {
        (ErrorType::TokenRejected, Some(of_token), _) => {
            format!("The token response names {of_token}, another data center: correct or remove {{setting}}")
        }
        (ErrorType::PermissionDenied, ..) if permissions.contains("Crm_Implied_Api_Access") => {
            "Switch on \"Zoho CRM API Access\" in the profile of the credentials' user (Setup, Security Control, Profiles)"
                .to_owned()
        }
        (_, _, Some((_, advice))) => (*advice).to_owned(),
        _ => meaning
            .advice
            .replace("{scope}", OPERATION.scope)
            .replace("{module_scope}", OPERATION.module_scope)
            .replace("{start_scope}", OPERATION.start_scope)
            .replace("{settings}", exchange.host.server.settings()),
    }
}

const CONTAINS_SECRET: &str = "has a `Status` that contains a token";

/// The status of the job, or what is wrong with it: a predicate.
fn job_status(json: &RawValue, secrets: &[&str]) -> Result<JobStatus, &'static str> {
    const KEYS: &[&str] = &{
        let [total, updated, not_updated, failed] = OPERATION.counts;
        ["Status", total, updated, not_updated, failed]
    };
    let body = Fields::of(json, &["data"]).ok_or("has no `data`")?;
    let jobs: Vec<&RawValue> = body.parse("data").ok_or("has no `data`")?;
    let (first, others) = jobs.split_first().ok_or("has no job in `data`")?;
    let job = Fields::of(first, KEYS).ok_or("has no job in `data`")?;
    if body.is_contradictory()
        || job.is_contradictory()
        || others.iter().any(|other| other.get() != first.get())
    {
        return Err("contradicts itself");
    }
    let written = job.get("Status").ok_or("has no `Status`")?;
    let written: String =
        serde_json::from_str(written.get()).map_err(|_| "has a `Status` that is not a string")?;
    if redact::contains_secret(&written, secrets) {
        return Err(CONTAINS_SECRET);
    }
    let status = Status::normalize(&written).ok_or("has an empty `Status`")?;
    if status.as_str().chars().count() > LONGEST_STATUS {
        return Err("has a `Status` of more than 100 characters");
    }
    let count = |key| match job.get(key).map(json::whole_number) {
        None => Ok(None),
        Some(Some(count)) => Ok(Some(count)),
        Some(None) => Err("has a count that is not a whole number"),
    };
    let [total, updated, not_updated, failed] = OPERATION.counts.map(count);
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
mod tests;
