//! The one HTTP and TLS stack, for Zoho and for AWS.
//!
//! This file holds what every HTTP exchange has in common, without a client: what is sent, what comes back, and how it
//! can fail. [`connections`] holds the client that ships; the simulations have another one.

pub mod connections;
pub(crate) mod hint;
pub mod origin;
mod preconnect;
pub(crate) mod retry_after;
mod summary;

pub use connections::{Connections, Settings};
pub use origin::Origin;
pub use summary::summary;

use crate::redact;
use ::http::{HeaderMap, Method, StatusCode};
use std::fmt;
use std::future::Future;
use std::time::Duration;

/// A request to Zoho.
#[derive(Debug, Clone)]
pub struct Request<'a> {
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
    /// The longest body that is accepted, in bytes.
    pub body_limit: usize,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
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
    fn send(&self, request: Request<'_>) -> impl Future<Output = Result<Response, TransportError>> + Send;

    /// Opens a connection ahead of the first request to this origin, if that is possible. Sends nothing.
    fn preconnect(&self, origin: &Origin) -> impl Future<Output = ()> + Send;
}

/// Why there is no whole response. Prints without the URL.
#[derive(Debug, Clone)]
pub struct TransportError {
    /// What happened, in one line.
    message: String,
    /// How far the request got.
    pub stage: Stage,
    /// The cause, as far as it decides what to do about it.
    pub reason: Reason,
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It timed out.
    TimedOut,
    /// The server's certificate is from an authority that is not among the root certificates.
    UnknownAuthority,
    /// The server's certificate is for another host or another time.
    InvalidCertificate,
    /// The host name cannot be resolved.
    UnknownHost,
    /// The proxy that `HTTPS_PROXY` names could not be reached, or did not connect.
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
        Self { message: redact::one_line(message.as_ref()), stage, reason: Reason::Other }
    }

    fn from_reqwest(error: reqwest::Error, responding: bool) -> Self {
        let error = error.without_url();
        let causes = redact::causes(&error);
        let reason = if error.is_timeout() {
            Reason::TimedOut
        } else if causes.contains("UnknownIssuer") {
            Reason::UnknownAuthority
        } else if causes.contains("invalid peer certificate") {
            Reason::InvalidCertificate
        } else if causes.contains("tunnel error") {
            Reason::Proxy
        } else if causes.contains("dns error") {
            Reason::UnknownHost
        } else {
            Reason::Other
        };
        let (stage, message) = match (error.is_connect(), error.is_timeout(), responding) {
            (true, true, _) => (Stage::Connecting, "connecting timed out".to_owned()),
            (true, false, _) => (Stage::Connecting, format!("connection failed: {}", causes)),
            (false, true, _) => (Stage::Responding, "the response timed out".to_owned()),
            (false, false, false) => {
                (Stage::Unanswered, format!("the connection closed before a response: {}", causes))
            }
            (false, false, true) => {
                (Stage::Responding, format!("the connection closed in the middle of a response: {}", causes))
            }
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

impl<H: HttpClient> HttpClient for std::sync::Arc<H> {
    async fn send(&self, request: Request<'_>) -> Result<Response, TransportError> {
        H::send(self, request).await
    }

    async fn preconnect(&self, origin: &Origin) {
        H::preconnect(self, origin).await;
    }
}
