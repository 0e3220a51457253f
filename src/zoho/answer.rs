//! What one HTTP answer of the status endpoint means: a job's status, or an error by its public name. Pure.
//!
//! Zoho's errors come in many envelopes: `{code, details, message, status}` in any order, the same wrapped in `data[0]`
//! with a 2xx, `{code, message}` alone, `code: null`, codes with spaces, and OAuth's `{error, error_description}`. The
//! code decides where it is a known one; else the HTTP status does.

use crate::error::{ErrorType, WatchError};
use crate::job::{Counts, JobStatus, StatusWord};
use crate::redact;
use crate::zoho::retry::Retry;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde_json::{Map, Value};
use std::time::Duration;
use time::{UtcDateTime, format_description::well_known::Rfc2822};

/// The most that is read of a body, in bytes. A real answer has under 200.
pub const BODY_LIMIT: usize = 1 << 20;

/// An answer that is no job status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the caller is told if nothing else helps.
    pub error: WatchError,
    /// Zoho refused the token itself: another one may do.
    pub token_refused: bool,
    /// Whether the same request may be sent again.
    pub retry: Retry,
}

impl Refusal {
    fn of(kind: ErrorType, message: String) -> Box<Self> {
        Box::new(Self { error: WatchError::new(kind, message), token_refused: false, retry: Retry::No })
    }

    /// An answer longer than [`BODY_LIMIT`].
    pub fn oversized(status: StatusCode) -> Box<Self> {
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

/// Reads one whole answer. `now` is needed for a `Retry-After` that is a date.
pub fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: UtcDateTime,
) -> Result<JobStatus, Box<Refusal>> {
    if status == StatusCode::NO_CONTENT {
        // Decided by the status alone: what may follow a 204 is not part of the answer.
        return Err(Refusal::of(ErrorType::JobNotFound, job_not_found("HTTP 204")));
    }
    let parsed = serde_json::from_slice::<Value>(body);
    let fault = parsed.as_ref().ok().and_then(Fault::find);
    match (fault, &parsed) {
        (Some(fault), _) => Err(from_fault(status, headers, &fault, now)),
        (None, Ok(value)) if status.is_success() => {
            job_status(value).map_err(|wrong| unexpected(status, &wrong, body))
        }
        // JSON without a code: 404 for a job of another module comes so.
        (None, Ok(value)) if value.is_object() => Err(from_fault(status, headers, &Fault::default(), now)),
        (None, _) if status == StatusCode::NOT_FOUND && body.is_empty() => {
            Err(from_fault(status, headers, &Fault::default(), now))
        }
        (None, _) => Err(from_text(status, headers, body, now)),
    }
}

/// An error envelope, whatever its shape.
#[derive(Debug, Default)]
struct Fault<'a> {
    /// Upper case, spaces and hyphens folded; empty where Zoho gave none.
    code: String,
    message: &'a str,
    details: Option<&'a Map<String, Value>>,
}

impl<'a> Fault<'a> {
    fn find(value: &'a Value) -> Option<Self> {
        let object = value.as_object()?;
        Self::read(object).or_else(|| {
            let first = object.get("data")?.as_array()?.first()?.as_object()?;
            Self::read(first)
        })
    }

    fn read(object: &'a Map<String, Value>) -> Option<Self> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let code = match (object.get("code"), text("error")) {
            (Some(Value::String(code)), _) => code.clone(),
            (_, Some(error)) => error.to_owned(),
            (Some(Value::Number(code)), _) => code.to_string(),
            (Some(Value::Null), _) => String::new(),
            (None, None) if text("status") == Some("error") => String::new(),
            _ => return None,
        };
        Some(Self {
            code: StatusWord::fold(&code).map_or(code, |folded| folded.as_str().to_owned()),
            message: text("message").or_else(|| text("error_description")).unwrap_or_default(),
            details: object.get("details").and_then(Value::as_object),
        })
    }

    /// Whether Zoho complains of the one parameter there is.
    fn is_about_job_id(&self) -> bool {
        let names = ["param_name", "param", "api_name", "name", "key"];
        let named = self.details.is_some_and(|details| {
            names.iter().any(|name| details.get(*name).and_then(Value::as_str) == Some("job_id"))
        });
        named || self.message.contains("job_id") || self.message.to_ascii_lowercase().contains("job id")
    }

    fn retry_after(&self) -> Option<Duration> {
        let value = self.details?.get("retry_after")?;
        let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

fn from_fault(status: StatusCode, headers: &HeaderMap, fault: &Fault<'_>, now: UtcDateTime) -> Box<Refusal> {
    let kind = kind_of(status, fault);
    let said = said(status, fault);
    let retry_after = fault.retry_after().or_else(|| retry_after(headers, now));
    let mut refusal = Refusal::of(kind.error_type(), kind.explain(&said));
    refusal.token_refused = kind == Kind::TokenRefused;
    refusal.retry = kind.retry(retry_after);
    refusal
}

/// No JSON object at all: HTML from a proxy or a wrong host, garbage, nothing.
fn from_text(status: StatusCode, headers: &HeaderMap, body: &[u8], now: UtcDateTime) -> Box<Refusal> {
    let kind = match kind_of(status, &Fault::default()) {
        // A gateway's page says nothing about a job, only a JSON answer does.
        Kind::JobNotFound | Kind::Unexpected => {
            return unexpected(status, "is not the documented JSON", body);
        }
        kind => kind,
    };
    let mut refusal =
        Refusal::of(kind.error_type(), kind.explain(&format!("{}{}", http_name(status), quoted(body))));
    refusal.token_refused = kind == Kind::TokenRefused;
    refusal.retry = kind.retry(retry_after(headers, now));
    refusal
}

fn unexpected(status: StatusCode, wrong: &str, body: &[u8]) -> Box<Refusal> {
    Refusal::of(
        ErrorType::ZohoUnexpectedResponse,
        format!(
            "Zoho's answer ({}) {wrong}{}. Check {DOMAIN}, then Zoho's status page",
            http_name(status),
            quoted(body)
        ),
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TokenRefused,
    ScopeMismatch,
    PermissionDenied,
    InvalidModule,
    JobNotFound,
    RateLimited,
    Unavailable,
    WrongUrl,
    Unexpected,
}

fn kind_of(status: StatusCode, fault: &Fault<'_>) -> Kind {
    // These two say "later", whatever code comes with them.
    if status.is_server_error() {
        return Kind::Unavailable;
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Kind::RateLimited;
    }
    match fault.code.as_str() {
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "INVALID_OAUTHTOKEN" => Kind::TokenRefused,
        "OAUTH_SCOPE_MISMATCH" => Kind::ScopeMismatch,
        "NO_PERMISSION" => Kind::PermissionDenied,
        "INVALID_MODULE" => Kind::InvalidModule,
        "REQUIRED_PARAM_MISSING" | "NO_DATA" => Kind::JobNotFound,
        "INVALID_DATA" | "UNABLE_TO_PARSE_DATA_TYPE" if fault.is_about_job_id() => Kind::JobNotFound,
        "TOO_MANY_REQUESTS" | "LIMIT_REACHED" | "LIMIT_EXCEEDED" => Kind::RateLimited,
        "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" => Kind::Unavailable,
        "INVALID_URL_PATTERN" => Kind::WrongUrl,
        _ => match status {
            StatusCode::UNAUTHORIZED => Kind::TokenRefused,
            StatusCode::FORBIDDEN => Kind::PermissionDenied,
            StatusCode::NOT_FOUND => Kind::JobNotFound,
            _ => Kind::Unexpected,
        },
    }
}

impl Kind {
    fn error_type(self) -> ErrorType {
        match self {
            Self::TokenRefused => ErrorType::TokenRejected,
            Self::ScopeMismatch => ErrorType::ScopeMismatch,
            Self::PermissionDenied => ErrorType::PermissionDenied,
            Self::InvalidModule => ErrorType::InvalidModule,
            Self::JobNotFound => ErrorType::JobNotFound,
            Self::RateLimited => ErrorType::ZohoRateLimited,
            Self::Unavailable => ErrorType::ZohoUnavailable,
            Self::WrongUrl | Self::Unexpected => ErrorType::ZohoUnexpectedResponse,
        }
    }

    fn retry(self, retry_after: Option<Duration>) -> Retry {
        match (self, retry_after) {
            (Self::RateLimited | Self::Unavailable, Some(told)) => Retry::After(told),
            (Self::RateLimited | Self::Unavailable, None) => Retry::Backoff,
            _ => Retry::No,
        }
    }

    /// What happened and what to do about it; `said` is what Zoho said.
    fn explain(self, said: &str) -> String {
        match self {
            Self::TokenRefused => format!(
                "Zoho refuses the access token ({said}). Put a valid token or working credentials of the right data centre into the secret"
            ),
            Self::ScopeMismatch => format!(
                "the access token may not do this ({said}). It needs the scope ZohoCRM.change_owner.READ: make new \
                 credentials with it; check the module's API name too, for Zoho checks the scope per module"
            ),
            Self::PermissionDenied => format!(
                "Zoho denies this user the status of mass change owner jobs ({said}). Give the user of the \
                 credentials permission to the module, and to change owners"
            ),
            Self::InvalidModule => format!(
                "Zoho knows no such module ({said}). Give the module's API name, which is case-sensitive"
            ),
            Self::JobNotFound => job_not_found(said),
            Self::RateLimited => format!(
                "Zoho takes no more requests for now ({said}): too many at a time, or the day's API credits are spent"
            ),
            Self::Unavailable => format!("Zoho has a fault of its own ({said}). Try again later"),
            Self::WrongUrl => {
                format!("Zoho does not know this URL ({said}). Check {DOMAIN} and ZOHO_API_VERSION")
            }
            Self::Unexpected => {
                format!("Zoho answered with an error that is not documented for this call ({said})")
            }
        }
    }
}

fn job_not_found(said: &str) -> String {
    format!(
        "Zoho knows no such job in this module and organisation ({said}): check the module, the job id (as a string, \
         every digit) and that the credentials are of the same organisation, production or sandbox; Zoho keeps \
         jobs for 60 days"
    )
}

/// `HTTP 403 NO_PERMISSION "permission denied"`.
fn said(status: StatusCode, fault: &Fault<'_>) -> String {
    let mut said = http_name(status);
    for part in [redact::quote(&fault.code), quoted(fault.message.as_bytes())] {
        if !part.is_empty() {
            said.push(' ');
            said.push_str(part.trim_start());
        }
    }
    if let Some(permissions) = fault.details.and_then(|details| details.get("permissions")) {
        said.push_str(&format!(", permissions {}", redact::quote(&permissions.to_string())));
    }
    said
}

fn quoted(body: &[u8]) -> String {
    let text = redact::quote(&String::from_utf8_lossy(body));
    if text.is_empty() { String::new() } else { format!(" {text:?}") }
}

fn http_name(status: StatusCode) -> String {
    format!("HTTP {}", status.as_u16())
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: UtcDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = UtcDateTime::parse(text, &Rfc2822).ok()?;
            Some(
                Duration::try_from(time::Duration::seconds(
                    until.unix_timestamp().saturating_sub(now.unix_timestamp()),
                ))
                .unwrap_or_default(),
            )
        }
    }
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
    let word = match job.get("Status") {
        Some(Value::String(word)) => StatusWord::fold(word).ok_or("has an empty `Status`")?,
        Some(_) => return Err("has a `Status` that is no text".into()),
        None => return Err("has no `Status`".into()),
    };
    let count = |key: &str| match job.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("has a `{key}` that is no count")),
    };
    Ok(JobStatus {
        word,
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
