//! The one HTTP and TLS stack, for Zoho and for AWS.
//!
//! This file holds what every HTTP exchange has in common, without a client: what is sent, what comes back, and how it
//! can fail. [`connections`] holds the client that ships; the simulations have another one.

pub mod connections;
pub(crate) mod hint;
pub mod origin;
pub(crate) mod preconnect;
pub(crate) mod retry_after;

pub use connections::Connections;
pub use origin::Origin;

use crate::redact;
use ::http::{HeaderMap, Method, StatusCode};
use std::fmt;
use std::future::Future;
use std::time::Duration;

/// The longest body that is read, in bytes. The longest real one is a secret of 64 KiB.
pub const BODY_LIMIT: usize = 1 << 20;

/// A request to Zoho.
#[derive(Debug, Clone)]
pub struct HttpRequest<'a> {
    /// GET or POST.
    pub method: Method,
    /// Scheme, host, and port.
    pub origin: &'a Origin,
    /// Begins with a slash; holds the query.
    pub path: String,
    /// All but `User-Agent`, which the client adds. Secret values are marked sensitive.
    pub headers: HeaderMap,
    /// Empty for a GET.
    pub body: String,
    /// How long the whole exchange can take, connection included.
    pub timeout: Duration,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// Empty for a 204, whatever followed it on the wire.
    pub body: Vec<u8>,
}

/// Sends requests.
pub trait HttpClient: Send + Sync {
    /// Sends one request once and reads its whole response. Follows no redirect.
    fn send(&self, request: HttpRequest<'_>) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send;

    /// Opens a connection ahead of the first request to this origin, if that is possible. Sends nothing.
    fn preconnect(&self, _: &Origin) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

impl<H: HttpClient> HttpClient for std::sync::Arc<H> {
    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        H::send(self, request).await
    }

    async fn preconnect(&self, origin: &Origin) {
        H::preconnect(self, origin).await;
    }
}

/// Why there is no whole response. Prints without the URL.
#[derive(Debug, Clone)]
pub struct TransportError {
    /// What happened, in one line.
    message: String,
    /// How far the request got.
    pub stage: Stage,
    /// The cause, as far as it decides what to do about it.
    pub reason: NoResponse,
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoResponse {
    /// It timed out.
    TimedOut,
    /// A host name cannot be resolved; the message has the name.
    UnknownHost,
    /// The server's certificate is from an authority that is not among the root certificates.
    UnknownAuthority,
    /// The server's certificate is for another host or another time.
    InvalidCertificate,
    /// The proxy could not be reached, or did not connect.
    Proxy,
    /// Anything else; the message says what.
    Other,
}

/// How far a request got before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There was no connection: the server has seen nothing of the request.
    Connecting,
    /// The connection ended before a response began: most likely a kept-alive one that had ended unnoticed.
    Unanswered,
    /// The response was late, or ended too early.
    Responding,
    /// The body exceeded the limit; the status is known.
    Oversized(StatusCode),
}

impl TransportError {
    /// An error at this stage.
    pub fn new(stage: Stage, message: impl AsRef<str>) -> Self {
        Self { message: redact::one_line(message.as_ref()), stage, reason: NoResponse::Other }
    }

    fn of(error: reqwest::Error, is_responding: bool, has_proxy: bool) -> Self {
        let host = error.url().and_then(|url| url.host_str()).unwrap_or_default();
        let proxy = if has_proxy { " or that of the proxy" } else { "" };
        let unknown_host = format!("the host name {host}{proxy} cannot be resolved");
        let error = error.without_url();
        let causes = redact::causes(&error);
        let reason = match &causes {
            _ if error.is_timeout() => NoResponse::TimedOut,
            causes if causes.contains("dns error") => NoResponse::UnknownHost,
            causes if causes.contains("UnknownIssuer") => NoResponse::UnknownAuthority,
            causes if causes.contains("invalid peer certificate") => NoResponse::InvalidCertificate,
            causes if causes.contains("tunnel error") => NoResponse::Proxy,
            _ => NoResponse::Other,
        };
        let stage = match error.is_connect() {
            true => Stage::Connecting,
            false if is_responding || reason == NoResponse::TimedOut => Stage::Responding,
            false => Stage::Unanswered,
        };
        let what = match (stage, reason) {
            (Stage::Connecting, NoResponse::TimedOut) => "connecting timed out",
            (_, NoResponse::TimedOut) => "the response timed out",
            (_, NoResponse::UnknownHost) => &unknown_host,
            (Stage::Connecting, _) => "connection failed",
            (Stage::Unanswered, _) => "the connection closed before a response",
            _ => "the connection closed in the middle of a response",
        };
        let message = match reason {
            NoResponse::TimedOut => what.to_owned(),
            _ => format!("{what}: {causes}"),
        };
        Self { message, stage, reason }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransportError {}

/// The one format in which messages quote an HTTP error: the status, and the code and text where there are any. Both are
/// shortened and put on one line here; secrets that the caller knows must be masked before.
pub fn summary(status: StatusCode, code: &str, text: &str) -> String {
    let (status, code, text) = (status.as_u16(), redact::quote(code), redact::quote(text));
    match (code.is_empty(), text.is_empty()) {
        (false, false) => format!("HTTP {status} {code} {text:?}"),
        (false, true) => format!("HTTP {status} {code}"),
        (true, false) => format!("HTTP {status} {text:?}"),
        (true, true) => format!("HTTP {status}"),
    }
}
