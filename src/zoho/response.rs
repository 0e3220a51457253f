//! What one HTTP response of the status endpoint means: a job's status, or an error by its public name. Pure.
//!
//! Zoho's errors come in many envelopes: `{code, details, message, status}` in any order, the same in `data[0]` with a
//! 2xx, `{code, message}` alone, `code: null`, codes with spaces, and OAuth's `{error, error_description}`. A known code
//! decides; without one, the HTTP status does. Sources: docs/zoho-api.md, "Responses".

mod envelope;

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{retry_after, summary};
use crate::json::{self, Fields};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::watch::job::{Counts, JobStatus, Status};
use crate::zoho::credentials::SCOPE;
use crate::zoho::hosts::ApiHost;
use crate::zoho::retry::Retry;
use ::http::{HeaderMap, StatusCode};
use envelope::ErrorEnvelope;
use serde_json::value::RawValue;
use std::time::Duration;

/// The longest body that is read, in bytes. A real one has fewer than 200.
pub const BODY_LIMIT: usize = 1 << 20;

/// The longest status value that is accepted, in characters. Reports, subjects, and message attributes carry it.
const STATUS_LIMIT: usize = 100;

/// A response that is not a job status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusError {
    /// What the caller learns if nothing else helps. `TokenRejected`: another token may help.
    pub error: WatchError,
    /// Whether the same request may be sent again.
    pub retry: Retry,
}

/// One whole response as it was received, and what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct StatusResponse<'a> {
    /// The host that responded.
    pub host: &'a ApiHost,
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: &'a HeaderMap,
    /// Body; empty for one of more than [`BODY_LIMIT`] bytes.
    pub body: &'a [u8],
    /// When it was received: a `Retry-After` may be a date.
    pub now: Timestamp,
    /// What must not be shown, in case Zoho echoes it.
    pub secrets: &'a [&'a str],
}

/// What a response means.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use mass_change_owner_status::error::ErrorType;
/// use mass_change_owner_status::timestamp::Timestamp;
/// use mass_change_owner_status::zoho::data_center::DataCenter;
/// use mass_change_owner_status::zoho::hosts::{ApiHost, HostSource};
/// use mass_change_owner_status::zoho::response::{StatusResponse, classify};
///
/// let host = ApiHost {
///     origin: DataCenter::default().api_origin(),
///     source: HostSource::Variable("ZOHO_API_DOMAIN"),
///     conflicting: None,
/// };
/// let headers = HeaderMap::new();
/// let response = |status, body| StatusResponse {
///     host: &host,
///     status,
///     headers: &headers,
///     body,
///     now: Timestamp::now(),
///     secrets: &[],
/// };
/// let job = classify(&response(StatusCode::OK, br#"{"data":[{"Status":"RUNNING"}]}"#)).unwrap();
/// assert_eq!(job.status.as_str(), "RUNNING");
/// let error = classify(&response(StatusCode::NO_CONTENT, b"")).unwrap_err().error;
/// assert_eq!(error.kind(), ErrorType::JobNotFound);
/// ```
pub fn classify(response: &StatusResponse<'_>) -> Result<JobStatus, Box<StatusError>> {
    let status = response.status;
    if status == StatusCode::NO_CONTENT {
        // By the status alone: whatever follows a 204 is not part of the response.
        let mut error = response.error(Kind::JobNotFound, &summary(status, "", ""), None);
        error.error = error.error.because(ErrorCause::NoContent);
        return Err(error);
    }
    let text = String::from_utf8_lossy(response.body);
    let json = json::parse(&text);
    let envelope = json.and_then(ErrorEnvelope::find);
    match (envelope, json) {
        (Some(envelope), _) => Err(response.error_from_envelope(&envelope)),
        (None, Some(json)) if status.is_success() => {
            job_status(json, response.secrets).map_err(|problem| response.undocumented(problem))
        }
        // JSON without a code: the 404 for a job of another module can be one.
        (None, Some(json)) if json.get().starts_with('{') && !status.is_redirection() => {
            Err(response.error_from_envelope(&ErrorEnvelope::default()))
        }
        (None, _) if status == StatusCode::NOT_FOUND && text.is_empty() => {
            Err(response.error_from_envelope(&ErrorEnvelope::default()))
        }
        (None, _) => Err(response.error_from_status()),
    }
}

impl StatusResponse<'_> {
    /// The error for a body of more than [`BODY_LIMIT`] bytes.
    pub fn oversized(&self) -> Box<StatusError> {
        let returned = summary(self.status, "", "");
        match kind_of(self.status, &ErrorEnvelope::default()) {
            Kind::Undocumented | Kind::JobInAnotherModule => {
                let what = "Zoho's response exceeds 1 MiB, but the status of a job has less than 1 KiB";
                self.not_zohos(what, &returned, Retry::No)
            }
            kind => self.error(kind, &returned, retry_after::parse(self.headers, self.now.epoch_seconds())),
        }
    }

    fn error_from_envelope(&self, envelope: &ErrorEnvelope<'_>) -> Box<StatusError> {
        let mut returned =
            summary(self.status, &self.masked(&envelope.written_code), &self.masked(&envelope.message));
        if let Some(permissions) = envelope.detail("permissions") {
            returned.push_str(&format!(", permissions {}", redact::quote(&self.masked(permissions.get()))));
        }
        let retry_after =
            envelope.retry_after().or_else(|| retry_after::parse(self.headers, self.now.epoch_seconds()));
        self.error(kind_of(self.status, envelope), &returned, retry_after)
    }

    /// Not a JSON object: a web page of a proxy or of a wrong host, garbage, nothing.
    fn error_from_status(&self) -> Box<StatusError> {
        match kind_of(self.status, &ErrorEnvelope::default()) {
            // A gateway's page says nothing about a job.
            Kind::JobInAnotherModule | Kind::Undocumented => {
                let what = if self.status.is_redirection() {
                    "Zoho's response is a redirect, which the function does not follow"
                } else {
                    "Zoho's response is not a JSON object"
                };
                self.not_zohos(what, &self.quoted(), Retry::Backoff)
            }
            kind => {
                let retry_after = retry_after::parse(self.headers, self.now.epoch_seconds());
                self.error(kind, &self.quoted(), retry_after)
            }
        }
    }

    /// Something else than Zoho's API probably responded.
    fn not_zohos(&self, what: &str, returned: &str, retry: Retry) -> Box<StatusError> {
        let host = self.host;
        let message =
            format!("{what} ({host}, returned {returned}). Check {SETTINGS}, and proxies on the way");
        let error = WatchError::new(ErrorType::ZohoUnexpectedResponse, message);
        Box::new(StatusError { error: error.because(ErrorCause::NotJson), retry })
    }

    /// JSON with a 2xx, but not what Zoho documents.
    fn undocumented(&self, problem: Problem) -> Box<StatusError> {
        let returned = if problem.is_quotable { self.quoted() } else { summary(self.status, "", "") };
        let (host, what) = (self.host, problem.what);
        let message = format!("Zoho's response {what} ({host}, returned {returned}). Check {SETTINGS}");
        let error = WatchError::new(ErrorType::ZohoUnexpectedResponse, message);
        Box::new(StatusError { error, retry: Retry::No })
    }

    fn error(&self, kind: Kind, returned: &str, retry_after: Option<Duration>) -> Box<StatusError> {
        let (what, advice) = (kind.what(), kind.advice(self.host));
        let message = format!("{what} ({}, returned {returned}). {advice}", self.host);
        Box::new(StatusError {
            error: WatchError::new(kind.error_type(), message).with_retry_after(retry_after),
            retry: kind.retry(retry_after),
        })
    }

    fn quoted(&self) -> String {
        summary(self.status, "", &self.masked(&String::from_utf8_lossy(self.body)))
    }

    fn masked(&self, text: &str) -> String {
        redact::without(text, self.secrets).into_owned()
    }
}

/// What decides the host and the path of the request.
const SETTINGS: &str = "ZOHO_API_DOMAIN, ZOHO_API_VERSION, and `api_domain` and `data_center` in the secret";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TokenRejected,
    ScopeMismatch,
    PermissionDenied,
    InvalidModule,
    JobNotFound,
    JobInAnotherModule,
    RateLimited,
    Unavailable,
    WrongHost,
    WrongUrl,
    Undocumented,
}

fn kind_of(status: StatusCode, envelope: &ErrorEnvelope<'_>) -> Kind {
    // A rate limit is one at any status; otherwise, these two statuses mean "later" with any code.
    match envelope.code.as_str() {
        "TOO_MANY_REQUESTS" | "LIMIT_REACHED" | "LIMIT_EXCEEDED" => return Kind::RateLimited,
        _ if status == StatusCode::TOO_MANY_REQUESTS => return Kind::RateLimited,
        _ if status.is_server_error() => return Kind::Unavailable,
        _ => {}
    }
    match envelope.code.as_str() {
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "INVALID_OAUTHTOKEN" => Kind::TokenRejected,
        "OAUTH_SCOPE_MISMATCH" => Kind::ScopeMismatch,
        "NO_PERMISSION" => Kind::PermissionDenied,
        "INVALID_MODULE" => Kind::InvalidModule,
        "REQUIRED_PARAM_MISSING" | "NO_DATA" => Kind::JobNotFound,
        "INVALID_DATA" | "UNABLE_TO_PARSE_DATA_TYPE" if envelope.is_about_job_id() => Kind::JobNotFound,
        "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" => Kind::Unavailable,
        "INVALID_HOST" => Kind::WrongHost,
        "INVALID_URL_PATTERN" => Kind::WrongUrl,
        _ => match status {
            StatusCode::UNAUTHORIZED => Kind::TokenRejected,
            StatusCode::FORBIDDEN => Kind::PermissionDenied,
            StatusCode::NOT_FOUND => Kind::JobInAnotherModule,
            _ => Kind::Undocumented,
        },
    }
}

impl Kind {
    fn error_type(self) -> ErrorType {
        match self {
            Self::TokenRejected => ErrorType::TokenRejected,
            Self::ScopeMismatch => ErrorType::ScopeMismatch,
            Self::PermissionDenied => ErrorType::PermissionDenied,
            Self::InvalidModule => ErrorType::InvalidModule,
            Self::JobNotFound | Self::JobInAnotherModule => ErrorType::JobNotFound,
            Self::RateLimited => ErrorType::ZohoRateLimited,
            Self::Unavailable => ErrorType::ZohoUnavailable,
            Self::WrongHost | Self::WrongUrl | Self::Undocumented => ErrorType::ZohoUnexpectedResponse,
        }
    }

    fn retry(self, retry_after: Option<Duration>) -> Retry {
        match (self, retry_after) {
            (Self::RateLimited | Self::Unavailable, Some(wait)) => Retry::After(wait),
            (Self::RateLimited | Self::Unavailable, None) => Retry::Backoff,
            _ => Retry::No,
        }
    }

    /// What happened.
    fn what(self) -> &'static str {
        match self {
            Self::TokenRejected => "Zoho rejected the access token",
            Self::ScopeMismatch => "the access token does not have the required scope",
            Self::PermissionDenied => "the Zoho user has no permission to read the status of this job",
            Self::InvalidModule => "Zoho does not know this module",
            Self::JobNotFound => "Zoho does not know this job",
            Self::JobInAnotherModule => "the job exists, but in another module",
            Self::RateLimited => "Zoho's rate limit was exceeded",
            Self::Unavailable => "Zoho returned a server error",
            Self::WrongHost => "this host does not serve Zoho's CRM API",
            Self::WrongUrl => "Zoho does not know this URL",
            Self::Undocumented => "Zoho returned an error that is not documented for this request",
        }
    }

    /// What to do.
    fn advice(self, host: &ApiHost) -> String {
        match self {
            Self::TokenRejected => match &host.conflicting {
                Some(of_token) => format!(
                    "The token response names {of_token}, another data center: correct or remove {}",
                    host.source.setting()
                ),
                None => {
                    "Store a valid token, or credentials of this host's data center, in the secret".into()
                }
            },
            Self::ScopeMismatch => format!(
                "Create credentials with the scope {SCOPE}, or the one for a single module, such as \
                 ZohoCRM.change_owner.leads.READ. Check the module's API name, too: Zoho checks the scope per module. \
                 If the scope is correct, add ZohoCRM.change_owner.CREATE, which Zoho's own resolution for this error names"
            ),
            Self::PermissionDenied => {
                "Give the user of the credentials access to the module and the permission to change owners"
                    .into()
            }
            Self::InvalidModule => "Use the module's API name, which is case-sensitive".into(),
            Self::JobNotFound => {
                "Check the job ID (a string with every digit), the module, and that the credentials belong \
                 to the same organization, production or sandbox. Zoho keeps jobs for 60 days"
                    .into()
            }
            Self::JobInAnotherModule => "Use the module for which the job was started".into(),
            Self::RateLimited => {
                "Too many requests ran at a time, or the day's API credits are used up. Try again later, \
                 with fewer checks at a time"
                    .into()
            }
            Self::Unavailable => "Try again later".into(),
            Self::WrongHost => format!(
                "Use the API host of your data center, such as https://www.zohoapis.eu. Check {SETTINGS}"
            ),
            Self::WrongUrl => format!("Check {SETTINGS}"),
            Self::Undocumented => "Look up the code in Zoho's API documentation".into(),
        }
    }
}

/// Why a 2xx is not a job status.
struct Problem {
    what: &'static str,
    is_quotable: bool,
}

impl From<&'static str> for Problem {
    fn from(what: &'static str) -> Self {
        Self { what, is_quotable: true }
    }
}

fn job_status(json: &RawValue, secrets: &[&str]) -> Result<JobStatus, Problem> {
    const KEYS: &[&str] = &["Status", "Total_Count", "Updated_Count", "Not_Updated_Count", "Failed_Count"];
    let data = Fields::of(json, &["data"]).and_then(|body| body.get("data")).ok_or("has no `data`")?;
    let job = json::first(data).ok_or("has no job in `data`")?;
    let job = Fields::of(job, KEYS).ok_or("has no job in `data`")?;
    let written = job.get("Status").ok_or("has no `Status`")?;
    let written: String =
        serde_json::from_str(written.get()).map_err(|_| "has a `Status` that is not a string")?;
    if redact::contains_secret(&written, secrets) {
        return Err(Problem { what: "has a `Status` that contains a token", is_quotable: false });
    }
    let status = Status::normalize(&written).ok_or("has an empty `Status`")?;
    if status.as_str().chars().count() > STATUS_LIMIT {
        return Err("has a `Status` of more than 100 characters".into());
    }
    let count = |key: &str| match job.get(key) {
        None => Ok(None),
        Some(count) => {
            serde_json::from_str(count.get()).map(Some).map_err(|_| "has a count that is not a whole number")
        }
    };
    Ok(JobStatus {
        status,
        counts: Counts {
            total: count("Total_Count")?,
            updated: count("Updated_Count")?,
            not_updated: count("Not_Updated_Count")?,
            failed: count("Failed_Count")?,
        },
    })
}

#[cfg(test)]
mod tests;
