//! One exchange with one of Zoho's servers: what the status and the token request have in common.

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, HttpResponse, NoResponse, TransportError, hint, retry_after, summary};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::zoho::envelope::ErrorEnvelope;
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use ::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use std::borrow::Cow;

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

/// What one kind of error means: a row of a table.
pub(super) struct ErrorRow {
    /// In upper case. A row for what is recognized in another way has a code of the function's own.
    pub codes: &'static [&'static str],
    pub error_type: ErrorType,
    /// What happened.
    pub what: &'static str,
    /// What to do. `{setting}` is what decides about the host, `{settings}` is all that can.
    pub advice: &'static str,
}

/// The code of the row for throttles.
pub(super) const THROTTLE: &str = "TOO_MANY_REQUESTS";

/// The code of the row for HTTP 5xx.
pub(super) const SERVER_ERROR: &str = "INTERNAL_ERROR";

/// The code of the row for codes that no other row has.
pub(super) const UNKNOWN: &str = "UNKNOWN";

/// The row with this code.
pub(super) fn row(table: &'static [ErrorRow], code: &str) -> Option<&'static ErrorRow> {
    table.iter().find(|meaning| meaning.codes.contains(&code))
}

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
pub(super) fn no_response(host: &ZohoHost, error: &TransportError) -> WatchError {
    let (server, hint) = (host.server.name(), hint::no_response(error.reason, None));
    let setting = host.setting;
    let message = format!("{server} did not respond ({host}: {error}). {hint}. If the host is wrong, check {setting}");
    WatchError::new(ErrorType::ZohoUnavailable, message)
}

impl Exchange<'_> {
    /// The body as text; empty if it is too long.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body.as_deref().unwrap_or_default())
    }

    /// The row for this response. A throttle is one at any status; HTTP 429 and 5xx go by the status; then the code counts.
    pub(super) fn row(&self, table: &'static [ErrorRow], envelope: &ErrorEnvelope<'_>) -> Option<&'static ErrorRow> {
        let is_throttle = self.status == StatusCode::TOO_MANY_REQUESTS || envelope.is_throttle();
        let is_server_error = self.status.is_server_error();
        let code = if is_server_error { SERVER_ERROR } else { &envelope.code };
        row(table, if is_throttle { THROTTLE } else { code })
    }

    /// The error that this response means. `advice` may be empty.
    pub(super) fn error(&self, meaning: &ErrorRow, envelope: &ErrorEnvelope<'_>, advice: &str) -> WatchError {
        let mut returned = if envelope.written_code.is_empty() && envelope.message.is_empty() {
            self.quoted()
        } else {
            summary(self.status, &self.masked(&envelope.written_code), &self.masked(&envelope.message))
        };
        if let Some(permissions) = envelope.detail("permissions") {
            returned.push_str(&format!(", permissions {}", redact::quote(&self.masked(permissions.get()))));
        }
        let in_body = envelope.detail("retry_after").map(|value| value.get().trim_matches('"'));
        let in_header = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let mut waits = [in_body, in_header].into_iter().flatten();
        let retry_after = waits.find_map(|text| retry_after::parse(text, self.now.epoch_seconds()));
        self.describe(meaning.error_type, meaning.what, &returned, advice).with_retry_after(retry_after)
    }

    /// The error for a body that is not one of Zoho's. What responded is probably not Zoho.
    pub(super) fn not_zohos(&self, is_json: bool) -> WatchError {
        let encoding = self.headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let (problem, is_quotable) = match encoding {
            _ if self.body.is_none() => return self.undocumented("exceeds 1 MiB", false),
            _ if self.status.is_redirection() => ("is a redirect, which is not followed".into(), true),
            _ if is_json => ("has no error code of Zoho's".into(), true),
            None | Some("identity") => ("is not JSON".into(), true),
            Some(encoding) => {
                let encoding = redact::quote(encoding);
                (format!("is compressed (Content-Encoding: {encoding}), which was not asked for"), false)
            }
        };
        self.undocumented(&problem, is_quotable).because(ErrorCause::NotJson)
    }

    /// The error for a response that is not what Zoho documents. `problem` is a predicate.
    pub(super) fn undocumented(&self, problem: &str, is_quotable: bool) -> WatchError {
        let what = format!("the response of {} {problem}", self.host.server.name());
        let returned = if is_quotable { self.quoted() } else { summary(self.status, "", "") };
        let advice = "Check {settings}, and proxies on the way";
        self.describe(ErrorType::ZohoUnexpectedResponse, &what, &returned, advice)
    }

    fn describe(&self, error_type: ErrorType, what: &str, returned: &str, advice: &str) -> WatchError {
        let end = if advice.is_empty() { "" } else { ". " };
        let advice = advice.replace("{setting}", self.host.setting).replace("{settings}", self.host.server.settings());
        WatchError::new(error_type, format!("{what} ({}, returned {returned}){end}{advice}", self.host))
    }

    /// The status, and the body as far as it may be shown: what issues tokens may have issued one that is damaged in any
    /// way.
    fn quoted(&self) -> String {
        let text = self.text();
        let may_hold_token = self.host.server == ZohoServer::Accounts
            && (self.status.is_success() || text.to_ascii_lowercase().contains("token"));
        summary(self.status, "", &if may_hold_token { String::new() } else { self.masked(&text) })
    }

    fn masked(&self, text: &str) -> String {
        redact::without(text, self.secrets)
    }
}
