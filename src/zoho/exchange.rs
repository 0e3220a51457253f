//! One exchange with one of Zoho's servers: what the status and the token request have in common.

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::{HttpClient, Request, Response, Stage, TransportError, hint, retry_after, summary};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::zoho::envelope::ErrorEnvelope;
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use ::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue};
use ::http::{Method, StatusCode};
use std::borrow::Cow;
use std::time::Duration;

/// The longest body that is read, in bytes. A real one has fewer than 1,000.
pub const BODY_LIMIT: usize = 1 << 20;

/// One response, and what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The host that responded.
    pub host: &'a ZohoHost,
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: &'a HeaderMap,
    /// The whole body; `None` for one of more than [`BODY_LIMIT`] bytes.
    pub body: Option<&'a [u8]>,
    /// When it was received: a `Retry-After` may be a date.
    pub now: Timestamp,
    /// What must not be shown, in case Zoho echoes it.
    pub secrets: &'a [&'a str],
}

/// What one kind of error means.
pub(super) struct Meaning {
    pub error_type: ErrorType,
    /// What happened.
    pub what: &'static str,
    /// What to do. `{setting}` is what decides about the host.
    pub advice: &'static str,
}

impl Meaning {
    pub(super) const fn new(error_type: ErrorType, what: &'static str, advice: &'static str) -> Self {
        Self { error_type, what, advice }
    }
}

/// A response as it was received.
pub(super) struct Received {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
}

impl Received {
    pub(super) fn exchange<'a>(
        &'a self,
        host: &'a ZohoHost,
        now: Timestamp,
        secrets: &'a [&'a str],
    ) -> Exchange<'a> {
        let Self { status, headers, body } = self;
        Exchange { host, status: *status, headers, body: body.as_deref(), now, secrets }
    }
}

/// Sends one request once.
pub(super) async fn send(
    http: &impl HttpClient,
    host: &ZohoHost,
    method: Method,
    path: String,
    header: (::http::HeaderName, HeaderValue),
    body: String,
    timeout: Duration,
) -> Result<Received, TransportError> {
    let headers = HeaderMap::from_iter([
        header,
        (ACCEPT, HeaderValue::from_static("application/json")),
        // Without it, a server may compress its response.
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ]);
    let origin = &host.origin;
    let request = Request { method, origin, path, headers, body, timeout, body_limit: BODY_LIMIT };
    match http.send(request).await {
        Ok(Response { status, headers, body }) => Ok(Received { status, headers, body: Some(body) }),
        Err(TransportError { stage: Stage::Oversized(status), .. }) => {
            Ok(Received { status, headers: HeaderMap::new(), body: None })
        }
        Err(error) => Err(error),
    }
}

/// The error for a request without a response.
pub(super) fn no_response(host: &ZohoHost, error: &TransportError) -> WatchError {
    let (server, hint) = (host.server.name(), hint::no_response(error.reason, None));
    let setting = host.setting;
    let message =
        format!("{server} did not respond ({host}: {error}). {hint}. If the host is wrong, check {setting}");
    WatchError::new(ErrorType::ZohoUnavailable, message)
}

impl Exchange<'_> {
    /// The body as text; empty if it is too long.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body.unwrap_or_default())
    }

    /// What asks to try again later, whatever else the response says.
    pub(super) fn later(
        &self,
        envelope: &ErrorEnvelope<'_>,
        throttled: &'static Meaning,
        unavailable: &'static Meaning,
    ) -> Option<&'static Meaning> {
        if self.status == StatusCode::TOO_MANY_REQUESTS || envelope.is_throttle() {
            return Some(throttled);
        }
        self.status.is_server_error().then_some(unavailable)
    }

    /// The error that this response means. `advice` may be empty.
    pub(super) fn error(&self, meaning: &Meaning, envelope: &ErrorEnvelope<'_>, advice: &str) -> WatchError {
        let mut returned = if envelope.written_code.is_empty() && envelope.message.is_empty() {
            self.quoted()
        } else {
            summary(self.status, &self.masked(&envelope.written_code), &self.masked(&envelope.message))
        };
        if let Some(permissions) = envelope.detail("permissions") {
            returned.push_str(&format!(", permissions {}", redact::quote(&self.masked(permissions.get()))));
        }
        let in_body = envelope.detail("retry_after").map(|value| value.get().trim_matches('"'));
        let in_header = self.headers.get(::http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = [in_body, in_header]
            .into_iter()
            .flatten()
            .find_map(|text| retry_after::parse(text, self.now.epoch_seconds()));
        let advice = advice.replace("{setting}", self.host.setting);
        self.describe(meaning.error_type, meaning.what, &returned, &advice).with_retry_after(retry_after)
    }

    /// The error for a body that is not one of Zoho's. What responded is probably not Zoho.
    pub(super) fn not_zohos(&self, is_json: bool) -> WatchError {
        let server = self.host.server.name();
        let encoding =
            self.headers.get(CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let encoding = encoding.filter(|encoding| !is_json && encoding != "identity");
        let (what, returned) = match encoding {
            _ if self.body.is_none() => return self.undocumented("exceeds 1 MiB", false),
            _ if self.status.is_redirection() => {
                (format!("{server} returned a redirect, which is not followed"), self.quoted())
            }
            Some(encoding) => {
                let encoding = redact::quote(&encoding);
                let what = format!(
                    "the response of {server} is compressed (Content-Encoding: {encoding}), which was not asked for"
                );
                (what, summary(self.status, "", ""))
            }
            None if is_json => {
                (format!("the response of {server} has no error code of Zoho's"), self.quoted())
            }
            None => (format!("the response of {server} is not JSON"), self.quoted()),
        };
        let advice = format!("Check {}, and proxies on the way", self.host.server.settings());
        let error = self.describe(ErrorType::ZohoUnexpectedResponse, &what, &returned, &advice);
        error.because(ErrorCause::NotJson)
    }

    /// The error for a response that is not what Zoho documents. `problem` is a predicate.
    pub(super) fn undocumented(&self, problem: &str, is_quotable: bool) -> WatchError {
        let what = format!("the response of {} {problem}", self.host.server.name());
        let returned = if is_quotable { self.quoted() } else { summary(self.status, "", "") };
        let advice = format!("Check {}", self.host.server.settings());
        self.describe(ErrorType::ZohoUnexpectedResponse, &what, &returned, &advice)
    }

    fn describe(&self, error_type: ErrorType, what: &str, returned: &str, advice: &str) -> WatchError {
        let end = if advice.is_empty() { "" } else { ". " };
        let message = format!("{what} ({}, returned {returned}){end}{advice}", self.host);
        WatchError::new(error_type, message)
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
