//! What one HTTP response of the status endpoint means: a job's status, or an error by its public name. Pure.
//!
//! A known code decides; without one, the HTTP status does, if the body is Zoho's. What is not known is not permanent.
//! Sources: docs/zoho-api.md, "Responses".

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::json::{self, Fields};
use crate::operation::OPERATION;
use crate::redact;
use crate::watch::job::{Counts, JobStatus, LONGEST_STATUS, Status};
use crate::zoho::envelope::ErrorEnvelope;
use crate::zoho::exchange::{ErrorRow, Exchange, SERVER_ERROR, THROTTLE, UNKNOWN, row};
use ::http::StatusCode;
use serde_json::value::RawValue;

/// What a response means.
pub fn classify(exchange: &Exchange<'_>) -> Result<JobStatus, WatchError> {
    if exchange.status == StatusCode::NO_CONTENT {
        // By the status alone: whatever follows a 204 is not part of the response.
        let error = exchange.error(&NOT_FOUND, &ErrorEnvelope::default(), NOT_FOUND.advice);
        return Err(error.because(ErrorCause::NoContent));
    }
    let text = exchange.text();
    let json = json::parse(&text);
    let envelope = json.map(ErrorEnvelope::find).unwrap_or_default();
    match (meaning(exchange, &envelope), json) {
        (Some(meaning), _) => Err(exchange.error(meaning, &envelope, &advice(exchange, meaning, &envelope))),
        (None, Some(json)) if exchange.status.is_success() => job_status(json, exchange.secrets)
            .map_err(|problem| exchange.undocumented(problem, problem != CONTAINS_SECRET)),
        (None, json) => Err(exchange.not_zohos(json.is_some())),
    }
}

/// `None` for a job, and for what is not Zoho's.
fn meaning(exchange: &Exchange<'_>, envelope: &ErrorEnvelope<'_>) -> Option<&'static ErrorRow> {
    let is_about_another_parameter =
        ["INVALID_DATA", "UNABLE_TO_PARSE_DATA_TYPE"].contains(&&*envelope.code) && !envelope.is_about_job_id();
    let known = exchange.row(ERRORS, envelope).filter(|_| !is_about_another_parameter);
    let has_code = !envelope.code.is_empty();
    known.or_else(|| match exchange.status {
        StatusCode::NOT_FOUND if envelope.is_zohos => row(ERRORS, IN_ANOTHER_MODULE),
        StatusCode::UNAUTHORIZED if envelope.is_zohos && has_code => row(ERRORS, "INVALID_TOKEN"),
        StatusCode::FORBIDDEN if envelope.is_zohos && has_code => row(ERRORS, "NO_PERMISSION"),
        StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => None,
        _ if has_code => row(ERRORS, UNKNOWN),
        _ => None,
    })
}

fn advice(exchange: &Exchange<'_>, meaning: &ErrorRow, envelope: &ErrorEnvelope<'_>) -> String {
    let lacks_api_access = || envelope.detail("permissions")?.get().contains("Crm_Implied_Api_Access").then_some(());
    let words: Vec<&str> = envelope.code.split('_').collect();
    let by_word = ADVICE_BY_WORD.iter().find(|(known, _)| known.iter().any(|word| words.contains(word)));
    match (meaning.error_type, &exchange.host.conflicting, by_word) {
        (ErrorType::TokenRejected, Some(named), _) => {
            format!("The token response names {named}, another data center: correct or remove {{setting}}")
        }
        (ErrorType::PermissionDenied, ..) if lacks_api_access().is_some() => API_ACCESS.to_owned(),
        (_, _, Some((_, advice))) => (*advice).to_owned(),
        _ => meaning
            .advice
            .replace("{scope}", OPERATION.scope)
            .replace("{module_scope}", OPERATION.module_scope)
            .replace("{start_scope}", OPERATION.start_scope),
    }
}

const IN_ANOTHER_MODULE: &str = "IN_ANOTHER_MODULE";

const NOT_FOUND: ErrorRow = ErrorRow {
    codes: &["NO_DATA", "REQUIRED_PARAM_MISSING", "INVALID_DATA", "UNABLE_TO_PARSE_DATA_TYPE"],
    error_type: ErrorType::JobNotFound,
    what: "Zoho does not know this job",
    advice: "Check the job ID (a string with every digit), the module, and that the credentials belong to the same \
             organization, production or sandbox. Zoho keeps jobs for 60 days",
};

/// What the codes mean, at any HTTP status.
const ERRORS: &[ErrorRow] = &[
    ErrorRow {
        codes: &["INVALID_TOKEN", "AUTHENTICATION_FAILURE", "INVALID_OAUTHTOKEN"],
        error_type: ErrorType::TokenRejected,
        what: "Zoho rejected the access token",
        advice: "Store a valid token, or credentials of this host's data center, in the secret. Check {setting}, too",
    },
    ErrorRow {
        codes: &["OAUTH_SCOPE_MISMATCH"],
        error_type: ErrorType::ScopeMismatch,
        what: "the access token does not have the required scope",
        advice: "Create credentials with the scope {scope}, or the one for a single module, such as {module_scope}. Check \
                 the module's API name, too: Zoho checks the scope per module. If the scope is correct, add {start_scope}, \
                 which Zoho's own resolution for this error names",
    },
    ErrorRow {
        codes: &["NO_PERMISSION", "AUTHORIZATION_FAILED"],
        error_type: ErrorType::PermissionDenied,
        what: "the Zoho user has no permission to read the status of this job",
        advice: "Give the user of the credentials access to the module and the permission to change owners",
    },
    ErrorRow {
        codes: &["INVALID_MODULE"],
        error_type: ErrorType::InvalidModule,
        what: "Zoho does not know this module",
        advice: "Use the module's API name, which is case-sensitive",
    },
    NOT_FOUND,
    ErrorRow {
        // Zoho returns a 404 only in this case (docs/zoho-api.md).
        codes: &[IN_ANOTHER_MODULE],
        error_type: ErrorType::JobNotFound,
        what: "the job exists, but in another module",
        advice: "Use the module for which the job was started",
    },
    ErrorRow {
        codes: &[THROTTLE],
        error_type: ErrorType::ZohoRateLimited,
        what: "Zoho's rate limit was exceeded",
        advice: "Too many requests ran at a time, or the day's API credits are used up. Try again later, with fewer checks \
                 at a time",
    },
    ErrorRow {
        codes: &[SERVER_ERROR, "INTERNAL_SERVER_ERROR"],
        error_type: ErrorType::ZohoUnavailable,
        what: "Zoho returned a server error",
        advice: "Try again later",
    },
    ErrorRow {
        codes: &["INVALID_HOST"],
        error_type: ErrorType::ZohoUnexpectedResponse,
        what: "this host does not serve Zoho's CRM API",
        advice: "Use the API host of your data center, such as https://www.zohoapis.eu. Check {settings}",
    },
    ErrorRow {
        codes: &["INVALID_URL_PATTERN"],
        error_type: ErrorType::ZohoUnexpectedResponse,
        what: "Zoho does not know this URL",
        advice: "Check {settings}",
    },
    ErrorRow {
        codes: &[UNKNOWN],
        error_type: ErrorType::ZohoUnexpectedResponse,
        what: "Zoho returned an error that the function does not know",
        advice: "",
    },
];

const API_ACCESS: &str =
    "Switch on \"Zoho CRM API Access\" in the profile of the credentials' user (Setup, Security Control, Profiles)";

/// Advice by a word of the code, for what only the organization's administrator can change.
const ADVICE_BY_WORD: &[(&[&str], &str)] = &[
    (
        &["IP", "IPS"],
        "The organization allows its API to certain IP addresses only: allow the one that these requests come from",
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
    if body.is_contradictory || job.is_contradictory || others.iter().any(|other| other.get() != first.get()) {
        return Err("contradicts itself");
    }
    let written = job.get("Status").ok_or("has no `Status`")?;
    let written: String = serde_json::from_str(written.get()).map_err(|_| "has a `Status` that is not a string")?;
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
