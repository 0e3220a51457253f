//! The one HTTP and TLS stack, for Zoho and for AWS: what is sent, what comes back, and how it can fail. [`connections`]
//! holds the client that ships; the simulations have another one.

pub mod connections;
pub mod origin;
pub(crate) mod preconnect;

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

/// Why there is no whole response. Prints without the URL.
#[derive(Debug, Clone)]
pub struct TransportError {
    /// What happened, in one line.
    message: String,
    /// The cause, as far as it decides what to do about it.
    pub reason: NoResponse,
}

/// Why there is no whole response, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoResponse {
    /// It timed out.
    TimedOut,
    /// A host name cannot be resolved; the message has the name.
    UnknownHost,
    /// The server's certificate is from an unknown authority, or for another host or another time.
    Certificate,
    /// The proxy could not be reached, or did not connect.
    Proxy,
    /// The connection ended before a response began: most likely a kept-alive one that had ended unnoticed.
    Unanswered,
    /// The body exceeded the limit; the status is known.
    Oversized(StatusCode),
    /// Anything else; the message says what.
    Other,
}

impl NoResponse {
    /// What to do about it. The advice depends on the cause, not on the service.
    /// `vpc_endpoint` is the AWS service whose VPC endpoint is a way to the server.
    pub(crate) fn hint(self, vpc_endpoint: Option<&str>) -> String {
        let spelling = if vpc_endpoint.is_some() { "AWS_REGION and AWS_ENDPOINT_URL" } else { "its spelling" };
        let endpoint = vpc_endpoint.map(|service| format!("a VPC endpoint for {service} or ")).unwrap_or_default();
        match self {
            Self::Certificate => {
                "Its certificate is not trusted. For an authority of your own, set SSL_CERT_FILE to a \
                PEM bundle with its certificate; otherwise check the host, what inspects TLS on the way, and the clock"
                    .into()
            }
            Self::UnknownHost => format!(
                "The host name cannot be resolved: check {spelling}, the proxy if one is set, and the DNS of the \
                 function's VPC if it is in one"
            ),
            Self::Proxy => {
                "The proxy that HTTPS_PROXY or ALL_PROXY names did not connect: check its address, its user \
                and password, and that it allows this host; NO_PROXY lists the hosts that are reached without it"
                    .into()
            }
            Self::TimedOut | Self::Unanswered | Self::Oversized(_) | Self::Other => format!(
                "Check the function's outbound network path: in a VPC, it needs {endpoint}a NAT gateway and a security \
                 group that allows HTTPS; otherwise try again later"
            ),
        }
    }
}

impl TransportError {
    /// An error for this reason.
    pub fn new(reason: NoResponse, message: impl AsRef<str>) -> Self {
        Self { message: redact::one_line(message.as_ref()), reason }
    }

    fn of(error: reqwest::Error, is_responding: bool) -> Self {
        let unknown_host = format!(
            "the host name {} cannot be resolved",
            error.url().and_then(|url| url.host_str()).unwrap_or_default()
        );
        let error = error.without_url();
        let causes = redact::causes(&error);
        let (reason, what) = match error.is_connect() {
            true if error.is_timeout() => return Self::new(NoResponse::TimedOut, "connecting timed out"),
            false if error.is_timeout() => return Self::new(NoResponse::TimedOut, "the response timed out"),
            true if causes.contains("dns error") => (NoResponse::UnknownHost, &*unknown_host),
            true if causes.contains("invalid peer certificate") => (NoResponse::Certificate, "connection failed"),
            true if causes.contains("tunnel error") => (NoResponse::Proxy, "connection failed"),
            true => (NoResponse::Other, "connection failed"),
            false if is_responding => (NoResponse::Other, "the connection closed in the middle of a response"),
            false => (NoResponse::Unanswered, "the connection closed before a response"),
        };
        Self::new(reason, format!("{what}: {causes}"))
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
    let (code, text) = (redact::quote(code), redact::quote(text));
    let text = if text.is_empty() { text } else { format!("{text:?}") };
    let words = ["HTTP", status.as_str(), &code, &text];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
