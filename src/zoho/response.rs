//! What one HTTP answer of the status endpoint means: a job's status, or an error by its public name. Pure.
//!
//! Zoho's errors come in many envelopes: `{code, details, message, status}` in any order, the same wrapped in `data[0]`
//! with a 2xx, `{code, message}` alone, `code: null`, codes with spaces, and OAuth's `{error, error_description}`. The
//! code decides where it is a known one; else the HTTP status does.

use crate::error::{ErrorType, WatchError};
use crate::http::retry_after;
use crate::redact;
use crate::timestamp::Timestamp;
use crate::watch::job::{Counts, JobStatus, Status};
use crate::zoho::retry::Retry;
use ::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use std::time::Duration;

/// The most that is read of a body, in bytes. A real answer has under 200.
pub const BODY_LIMIT: usize = 1 << 20;

/// An answer that is no job status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusError {
    /// What the caller is told if nothing else helps.
    pub error: WatchError,
    /// Zoho refused the token itself: another one may do.
    pub token_rejected: bool,
    /// Whether the same request may be sent again.
    pub retry: Retry,
}

impl StatusError {
    fn of(kind: ErrorType, message: String) -> Box<Self> {
        Box::new(Self { error: WatchError::new(kind, message), token_rejected: false, retry: Retry::No })
    }

    /// An answer longer than [`BODY_LIMIT`].
    pub fn oversized(status: StatusCode) -> Box<Self> {
        if status.is_server_error() {
            return Kind::Unavailable.error(&http_name(status), None);
        }
        Self::of(
            ErrorType::ZohoUnexpectedResponse,
            format!(
                "Zoho answered {} with a body of over 1 MiB; a job's status has under 1 KiB. Check {DOMAIN}",
                http_name(status)
            ),
        )
    }
}

const DOMAIN: &str = "ZOHO_API_DOMAIN (and api_domain and data_center in the secret)";

/// One whole answer, as it came.
#[derive(Debug, Clone, Copy)]
pub struct StatusResponse<'a> {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a [u8],
    /// When it came: a `Retry-After` may be a date.
    pub now: Timestamp,
    /// What must not be shown, should Zoho echo it.
    pub secrets: &'a [&'a str],
}

/// What an answer means.
pub fn classify(response: &StatusResponse<'_>) -> Result<JobStatus, Box<StatusError>> {
    let status = response.status;
    if status == StatusCode::NO_CONTENT {
        // Decided by the status alone: what may follow a 204 is not part of the response.
        return Err(Kind::JobNotFound.error(&http_name(status), None));
    }
    let parsed = serde_json::from_slice::<Value>(response.body);
    let envelope = parsed.as_ref().ok().and_then(ErrorEnvelope::find);
    match (envelope, &parsed) {
        (Some(envelope), _) => Err(response.error_from_envelope(&envelope)),
        (None, Ok(value)) if status.is_success() => {
            job_status(value).map_err(|wrong| response.unexpected(&wrong))
        }
        // JSON without a code: 404 for a job of another module comes so.
        (None, Ok(value)) if value.is_object() => {
            Err(response.error_from_envelope(&ErrorEnvelope::default()))
        }
        (None, _) if status == StatusCode::NOT_FOUND && response.body.is_empty() => {
            Err(response.error_from_envelope(&ErrorEnvelope::default()))
        }
        (None, _) => Err(response.error_from_text()),
    }
}

/// An error envelope, whatever its shape.
#[derive(Debug, Default)]
struct ErrorEnvelope<'a> {
    /// Upper case, spaces and hyphens folded; empty where Zoho gave none.
    code: String,
    /// As it was written.
    written_code: &'a str,
    message: &'a str,
    details: Option<&'a Map<String, Value>>,
}

impl<'a> ErrorEnvelope<'a> {
    fn find(value: &'a Value) -> Option<Self> {
        let object = value.as_object()?;
        Self::read(object).or_else(|| {
            let first = object.get("data")?.as_array()?.first()?.as_object()?;
            Self::read(first)
        })
    }

    fn read(object: &'a Map<String, Value>) -> Option<Self> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let written_code = match (object.get("code"), text("error")) {
            (Some(Value::String(code)), _) => code,
            (_, Some(error)) => error,
            (Some(Value::Null | Value::Number(_)), _) => "",
            (None, None) if text("status") == Some("error") => "",
            _ => return None,
        };
        Some(Self {
            code: Status::normalize(written_code)
                .map_or_else(String::new, |folded| folded.as_str().to_owned()),
            written_code,
            message: text("message").or_else(|| text("error_description")).unwrap_or_default(),
            details: object.get("details").and_then(Value::as_object),
        })
    }

    /// Whether Zoho complains of the one parameter there is: it names no other.
    fn is_about_job_id(&self) -> bool {
        let names = ["param_name", "param", "api_name"];
        let named =
            self.details.and_then(|details| names.iter().find_map(|name| details.get(*name)?.as_str()));
        named.is_none_or(|name| name == "job_id")
    }

    fn retry_after(&self) -> Option<Duration> {
        let value = self.details?.get("retry_after")?;
        let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl StatusResponse<'_> {
    fn error_from_envelope(&self, envelope: &ErrorEnvelope<'_>) -> Box<StatusError> {
        let retry_after =
            envelope.retry_after().or_else(|| retry_after::parse(self.headers, self.now.epoch_seconds()));
        kind_of(self.status, envelope).error(&self.summary(envelope), retry_after)
    }

    /// No JSON object at all: HTML from a proxy or a wrong host, garbage, nothing.
    fn error_from_text(&self) -> Box<StatusError> {
        match kind_of(self.status, &ErrorEnvelope::default()) {
            // A gateway's page says nothing about a job, only a JSON answer does.
            Kind::JobNotFound | Kind::Unexpected => self.unexpected("is not the documented JSON"),
            kind => {
                let summary = format!("{}{}", http_name(self.status), self.quoted_body());
                kind.error(&summary, retry_after::parse(self.headers, self.now.epoch_seconds()))
            }
        }
    }

    fn unexpected(&self, wrong: &str) -> Box<StatusError> {
        StatusError::of(
            ErrorType::ZohoUnexpectedResponse,
            format!(
                "Zoho's answer ({}) {wrong}{}. Check {DOMAIN}, then Zoho's status page",
                http_name(self.status),
                self.quoted_body()
            ),
        )
    }

    /// `HTTP 403 NO_PERMISSION "permission denied"`.
    fn summary(&self, envelope: &ErrorEnvelope<'_>) -> String {
        let mut summary = http_name(self.status);
        let code = self.safe(envelope.written_code);
        if !code.is_empty() {
            summary.push_str(&format!(" {code}"));
        }
        let message = self.safe(envelope.message);
        if !message.is_empty() {
            summary.push_str(&format!(" {message:?}"));
        }
        if let Some(permissions) = envelope.details.and_then(|details| details.get("permissions")) {
            summary.push_str(&format!(", permissions {}", self.safe(&permissions.to_string())));
        }
        summary
    }

    fn quoted_body(&self) -> String {
        let text = self.safe(&String::from_utf8_lossy(self.body));
        if text.is_empty() { String::new() } else { format!(" {text:?}") }
    }

    fn safe(&self, text: &str) -> String {
        redact::quote(&redact::without(text, self.secrets))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TokenRejected,
    ScopeMismatch,
    PermissionDenied,
    InvalidModule,
    JobNotFound,
    RateLimited,
    Unavailable,
    WrongUrl,
    Unexpected,
}

fn kind_of(status: StatusCode, envelope: &ErrorEnvelope<'_>) -> Kind {
    // These two say "later", whatever code comes with them.
    if status.is_server_error() {
        return Kind::Unavailable;
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Kind::RateLimited;
    }
    match envelope.code.as_str() {
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "INVALID_OAUTHTOKEN" => Kind::TokenRejected,
        "OAUTH_SCOPE_MISMATCH" => Kind::ScopeMismatch,
        "NO_PERMISSION" => Kind::PermissionDenied,
        "INVALID_MODULE" => Kind::InvalidModule,
        "REQUIRED_PARAM_MISSING" | "NO_DATA" => Kind::JobNotFound,
        "INVALID_DATA" | "UNABLE_TO_PARSE_DATA_TYPE" if envelope.is_about_job_id() => Kind::JobNotFound,
        "TOO_MANY_REQUESTS" | "LIMIT_REACHED" | "LIMIT_EXCEEDED" => Kind::RateLimited,
        "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" => Kind::Unavailable,
        "INVALID_URL_PATTERN" => Kind::WrongUrl,
        _ => match status {
            StatusCode::UNAUTHORIZED => Kind::TokenRejected,
            StatusCode::FORBIDDEN => Kind::PermissionDenied,
            StatusCode::NOT_FOUND => Kind::JobNotFound,
            _ => Kind::Unexpected,
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
            Self::JobNotFound => ErrorType::JobNotFound,
            Self::RateLimited => ErrorType::ZohoRateLimited,
            Self::Unavailable => ErrorType::ZohoUnavailable,
            Self::WrongUrl | Self::Unexpected => ErrorType::ZohoUnexpectedResponse,
        }
    }

    fn error(self, summary: &str, retry_after: Option<Duration>) -> Box<StatusError> {
        Box::new(StatusError {
            error: WatchError::new(self.error_type(), self.explain(summary)),
            token_rejected: self == Self::TokenRejected,
            retry: self.retry(retry_after),
        })
    }

    fn retry(self, retry_after: Option<Duration>) -> Retry {
        match (self, retry_after) {
            (Self::RateLimited | Self::Unavailable, Some(told)) => Retry::After(told),
            (Self::RateLimited | Self::Unavailable, None) => Retry::Backoff,
            _ => Retry::No,
        }
    }

    /// What happened and what to do about it; `summary` is what Zoho summary.
    fn explain(self, summary: &str) -> String {
        match self {
            Self::TokenRejected => format!(
                "Zoho refuses the access token ({summary}). Put a valid token or working credentials of the right data centre into the secret"
            ),
            Self::ScopeMismatch => format!(
                "the access token may not do this ({summary}). It needs the scope ZohoCRM.change_owner.READ: make new \
                 credentials with it; check the module's API name too, for Zoho checks the scope per module"
            ),
            Self::PermissionDenied => format!(
                "Zoho denies this user the status of mass change owner jobs ({summary}). Give the user of the \
                 credentials permission to the module, and to change owners"
            ),
            Self::InvalidModule => format!(
                "Zoho knows no such module ({summary}). Give the module's API name, which is case-sensitive"
            ),
            Self::JobNotFound => format!(
                "Zoho knows no such job in this module and organisation ({summary}): check the module, the job id (as a \
                 string, every digit) and that the credentials are of the same organisation, production or sandbox; \
                 Zoho keeps jobs for 60 days"
            ),
            Self::RateLimited => format!(
                "Zoho takes no more requests for now ({summary}): too many at a time, or the day's API credits are spent. Try again later, with fewer checks at a time"
            ),
            Self::Unavailable => format!("Zoho has a envelope of its own ({summary}). Try again later"),
            Self::WrongUrl => {
                format!("Zoho does not know this URL ({summary}). Check {DOMAIN} and ZOHO_API_VERSION")
            }
            Self::Unexpected => {
                format!(
                    "Zoho answered with an error that is not documented for this call ({summary}). Look the code up in Zoho's documentation"
                )
            }
        }
    }
}

fn http_name(status: StatusCode) -> String {
    format!("HTTP {}", status.as_u16())
}

fn job_status(value: &Value) -> Result<JobStatus, String> {
    let job = value
        .get("data")
        .and_then(Value::as_array)
        .ok_or("holds no `data` list")?
        .first()
        .ok_or("holds an empty `data` list")?
        .as_object()
        .ok_or("holds no job in `data`")?;
    let status = match job.get("Status") {
        Some(Value::String(text)) => Status::normalize(text).ok_or("has an empty `Status`")?,
        Some(_) => return Err("has a `Status` that is no text".into()),
        None => return Err("has no `Status`".into()),
    };
    let count = |key: &str| match job.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("has a `{key}` that is no count")),
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
