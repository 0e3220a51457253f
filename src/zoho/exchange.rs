//! One exchange with one of Zoho's servers: what the status and the token request have in common.
//!
//! Known shapes of errors: `{code, details, message, status}` in any order, the same in `data[0]` with a 2xx, `{code,
//! message}` alone, `code: null`, OAuth's `{error, error_description}`, and the gateway's `{error: {title, details}}`.
//! Sources: docs/zoho-api.md, "Errors".

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, HttpResponse, NoResponse, TransportError, summary};
use crate::json::{Fields, Kind};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use ::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Number, value::RawValue};
use std::borrow::Cow;
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// One response, and what it is judged by.
#[derive(Debug, Clone)]
pub struct Exchange<'a> {
    /// The host that responded.
    pub host: &'a ZohoHost,
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The whole body; `None` for one of more than [`BODY_LIMIT`](crate::http::BODY_LIMIT) bytes.
    pub body: Option<Vec<u8>>,
    /// When it was requested: a `Retry-After` may be a date.
    pub now: Timestamp,
    /// What must not be shown, in case Zoho echoes it.
    pub secrets: &'a [&'a str],
}

/// An error in a response. The default is a response without one.
#[derive(Debug, Default)]
pub(super) struct ZohoError<'a> {
    /// In upper case, with `_` in place of whatever is neither a letter nor a digit. Empty if there is no code.
    pub code: String,
    /// As it was written.
    written_code: String,
    message: String,
    /// Whether the error has the keys of Zoho's: its code is text under `code`, or null.
    pub is_zohos: bool,
    pub details: Fields<'a>,
}

/// What an error means, what happened, and what to do about it: `{setting}` decides about the host, `{settings}` can.
pub(super) type Meaning = (ErrorType, &'static str, &'static str);

/// The code of every throttle.
pub(super) const THROTTLE: &str = "TOO_MANY_REQUESTS";

/// The code of every HTTP 5xx.
pub(super) const SERVER_ERROR: &str = "INTERNAL_ERROR";

/// Sends one request once.
pub(super) async fn send<'a>(
    http: &impl HttpClient,
    host: &'a ZohoHost,
    mut request: HttpRequest<'_>,
    now: Timestamp,
    secrets: &'a [&'a str],
) -> Result<Exchange<'a>, TransportError> {
    // Without the second one, a server may compress its response.
    let headers = [(ACCEPT, "application/json"), (ACCEPT_ENCODING, "identity")];
    request.headers.extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    let (status, headers, body) = match http.send(request).await {
        Ok(HttpResponse { status, headers, body }) => (status, headers, Some(body)),
        Err(TransportError { reason: NoResponse::Oversized(status), .. }) => (status, HeaderMap::new(), None),
        Err(error) => return Err(error),
    };
    Ok(Exchange { host, status, headers, body, now, secrets })
}

/// The error for a request without a response.
pub(crate) fn no_response(host: &ZohoHost, error: &TransportError) -> WatchError {
    let (server, hint, setting) = (host.server, error.reason.hint(None), host.setting);
    let message = format!("{server} did not respond ({host}: {error}). {hint}. If the host is wrong, check {setting}");
    WatchError::new(ErrorType::ZohoUnavailable, message)
}

impl Exchange<'_> {
    /// The body as text; empty if it is too long.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body.as_deref().unwrap_or_default())
    }

    /// The error in this body. A throttle is one at any status; HTTP 429 and 5xx go by the status.
    pub(super) fn find_error<'a>(&self, json: Option<&'a RawValue>) -> ZohoError<'a> {
        let mut error = json.and_then(ZohoError::find).unwrap_or_default();
        if self.status == StatusCode::TOO_MANY_REQUESTS || error.is_throttle() {
            error.code = THROTTLE.to_owned();
        } else if self.status.is_server_error() {
            error.code = SERVER_ERROR.to_owned();
        }
        error
    }

    /// The error under its public name.
    pub(super) fn error(&self, (kind, what, advice): (ErrorType, &str, &str), error: &ZohoError<'_>) -> WatchError {
        let masked = |text: &str| redact::without(text, self.secrets);
        let mut returned = if error.written_code.is_empty() && error.message.is_empty() {
            self.quoted()
        } else {
            summary(self.status, &masked(&error.written_code), &masked(&error.message))
        };
        if let Some(permissions) = error.details.get("permissions") {
            returned.push_str(&format!(", permissions {}", redact::quote(&masked(permissions.get()))));
        }
        let in_body = error.details.get("retry_after").map(|value| value.get().trim_matches('"'));
        let in_header = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let mut waits = [in_body, in_header].into_iter().flatten();
        let retry_after = waits.find_map(|text| parse_retry_after(text, self.now.epoch_seconds()));
        WatchError { retry_after, ..self.describe(kind, what, &returned, advice) }
    }

    /// The error for a body that is not one of Zoho's. What responded is probably not Zoho.
    pub(super) fn not_zohos(&self, is_json: bool) -> WatchError {
        let problem = match self.encoding() {
            _ if self.body.is_none() => return self.undocumented("exceeds 1 MiB"),
            Some(encoding) => &*format!("is encoded as {encoding}, which the request does not accept"),
            None if self.status.is_redirection() => "is a redirect, which is not followed",
            None if is_json => "has no error code of Zoho's",
            None => "is not JSON",
        };
        WatchError { cause: ErrorCause::NotJson, ..self.undocumented(problem) }
    }

    /// The error for a response that is not what Zoho documents. `problem` is a predicate.
    pub(super) fn undocumented(&self, problem: &str) -> WatchError {
        let what = format!("the response of {} {problem}", self.host.server);
        let advice = "Check {settings}, and proxies on the way";
        self.describe(ErrorType::ZohoUnexpectedResponse, &what, &self.quoted(), advice)
    }

    fn describe(&self, kind: ErrorType, what: &str, returned: &str, advice: &str) -> WatchError {
        let end = if advice.is_empty() { "" } else { ". " };
        let settings = match self.host.server {
            ZohoServer::Api => "ZOHO_API_DOMAIN, ZOHO_API_VERSION, and `api_domain` and `data_center` in the secret",
            ZohoServer::Accounts => "ZOHO_ACCOUNTS_DOMAIN, and `accounts_domain` and `data_center` in the secret",
        };
        let advice = advice.replace("{setting}", self.host.setting).replace("{settings}", settings);
        WatchError::new(kind, format!("{what} ({}, returned {returned}){end}{advice}", self.host))
    }

    /// How something on the way has compressed the body.
    fn encoding(&self) -> Option<String> {
        let encoding = self.headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity")?;
        Some(redact::quote(&String::from_utf8_lossy(encoding.as_bytes())))
    }

    /// The status, and the body as far as it may be shown: the accounts server may have issued a token, damaged in any way.
    fn quoted(&self) -> String {
        let text = self.text();
        let may_hold_token = self.host.server == ZohoServer::Accounts
            && (self.status.is_success() || text.to_ascii_lowercase().contains("token"));
        let is_hidden = may_hold_token || self.encoding().is_some() || redact::contains_secret(&text, self.secrets);
        summary(self.status, "", if is_hidden { "" } else { &text })
    }
}

impl<'a> ZohoError<'a> {
    /// What the body says, or its `error`, or the first element of its `data`.
    fn find(json: &'a RawValue) -> Option<Self> {
        Self::read(json, &["code", "error"]).or_else(|| {
            let fields = Fields::of(json, &["error", "data"])?;
            let in_data = || Self::read(fields.parse::<Vec<&RawValue>>("data")?.first()?, &["code", "error"]);
            let of_gateway = fields.get("error").and_then(|error| Self::read(error, &["title", "code", "error"]));
            of_gateway.map(|error| Self { is_zohos: false, ..error }).or_else(in_data)
        })
    }

    /// `None` if this object has no code under one of these keys.
    fn read(json: &'a RawValue, keys: &[&str]) -> Option<Self> {
        const KNOWN: &[&str] = &["code", "title", "error", "message", "error_description", "details"];
        const DETAILS: &[&str] = &["param_name", "param", "api_name", "permissions", "retry_after", "message"];
        let fields = Fields::of(json, KNOWN)?;
        let text = |name: &str| fields.parse::<String>(name);
        // Some of Zoho's products have numbers.
        let number = |name| fields.parse::<Number>(name).map(|number| number.to_string());
        let code = keys.iter().find_map(|name| text(name).or_else(|| number(name)));
        let is_null = fields.get_nullable("code").is_some_and(|code| Kind::of(code) == Kind::Null);
        if code.is_none() && !is_null {
            return None;
        }
        let details = fields.get("details").and_then(|json| Fields::of(json, DETAILS)).unwrap_or_default();
        let message = text("message").or_else(|| text("error_description")).or_else(|| details.parse("message"));
        let (written_code, message) = (code.unwrap_or_default(), message.unwrap_or_default());
        let words = written_code.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let code = words.collect::<Vec<_>>().join("_").to_uppercase();
        Some(Self { code, written_code, message, is_zohos: is_null || text("code").is_some(), details })
    }

    /// Whether this is a throttle, under whatever name: Zoho's products and its gateway have many.
    fn is_throttle(&self) -> bool {
        let code = self.code.replace('_', "");
        ["LIMIT", "TOOMANY", "THROTTL"].iter().any(|word| code.contains(word))
    }

    /// Whether the error is about the only parameter that the request has: no other one is named.
    pub(super) fn is_about_job_id(&self) -> bool {
        let mut names = ["param_name", "param", "api_name"].into_iter();
        let named = names.find_map(|name| self.details.parse::<String>(name));
        named.is_none_or(|name| name == "job_id")
    }
}

/// What a `Retry-After` asks for (RFC 9110, section 10.2.3), counted from `now`, in seconds since the epoch.
fn parse_retry_after(text: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        // What does not fit is longer than any invocation.
        return Duration::try_from_secs_f64(seconds).ok().or((seconds > 0.0).then_some(Duration::MAX));
    }
    let until = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?.unix_timestamp();
    Some(Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}
