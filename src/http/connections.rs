//! The HTTP client that ships: one TLS configuration, one set of root certificates, made here and nowhere else
//! (.clippy.toml rejects any other).

use crate::http::{BODY_LIMIT, HttpClient, HttpRequest, HttpResponse, NoResponse, Origin, TransportError};
use crate::{deadline, http::preconnect, redact};
use ::http::{Method, StatusCode};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long an unused connection is kept. 60 s is the least that AWS's firewalls and network interfaces can be set to; they
/// then drop packets without a word, which costs a whole timeout. A server that closes a connection earlier costs nothing
/// but the new one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A connection that takes longer leaves no time for the response.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Connections to every server that the function talks to. Clones share them.
#[derive(Clone)]
pub struct Connections {
    client: reqwest::Client,
    /// Opens connections for the other client. Its requests are never sent.
    opener: reqwest::Client,
}

impl Connections {
    /// Sends nothing. `cert_file` (`SSL_CERT_FILE`) is a PEM bundle that replaces the compiled-in root certificates.
    /// The error is what is wrong with the certificates or with TLS, to follow the name `SSL_CERT_FILE`.
    pub fn new(cert_file: Option<&Path>, proxy: Option<reqwest::Proxy>) -> Result<Self, String> {
        let roots = match cert_file {
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Some(path) => read_roots(path)?,
        };
        let (tls, layer) = (tls(roots)?, preconnect::layer());
        let client = || build(builder(&tls, proxy.as_ref()).connector_layer(layer.clone()));
        Ok(Self { client: client()?, opener: client()? })
    }

    /// Sends one request once and reads its whole response, up to [`BODY_LIMIT`]. Takes at most `timeout`, and at
    /// most a share of the time that is left in the invocation.
    pub(crate) async fn exchange(
        &self,
        mut request: reqwest::Request,
        timeout: Duration,
    ) -> Result<HttpResponse, TransportError> {
        let client = if preconnect::is_opening() { &self.opener } else { &self.client };
        let origin = request.url().origin().ascii_serialization();
        *request.timeout_mut() = Some(deadline::timeout_of_attempt(timeout));
        let sent = preconnect::ORIGIN.scope(origin, client.execute(request)).await;
        let mut response = sent.map_err(|error| TransportError::of(error, false))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        if status != StatusCode::NO_CONTENT {
            while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::of(error, true))? {
                if body.len().saturating_add(chunk.len()) > BODY_LIMIT {
                    let message = format!("the response exceeds {BODY_LIMIT} bytes");
                    return Err(TransportError::new(NoResponse::Oversized(status), message));
                }
                body.extend_from_slice(&chunk);
            }
        }
        Ok(HttpResponse { status, headers, body })
    }
}

impl HttpClient for Connections {
    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let HttpRequest { method, origin, path, headers, body, timeout } = request;
        let url = reqwest::Url::parse(&format!("{origin}{path}"))
            .map_err(|error| TransportError::new(NoResponse::Other, format!("the URL is malformed: {error}")))?;
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        self.exchange(request, timeout).await
    }

    async fn preconnect(&self, origin: &Origin) {
        if let Ok(url) = reqwest::Url::parse(origin.as_str()) {
            let request = reqwest::Request::new(Method::GET, url);
            preconnect::open(self.exchange(request, CONNECT_TIMEOUT)).await;
        }
    }
}

/// A client for plain HTTP on this machine, where Lambda's Runtime API listens.
pub fn local_client() -> Result<reqwest::Client, String> {
    build(builder(&tls(RootCertStore::empty())?, None))
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where a client is made")]
fn builder(tls: &ClientConfig, proxy: Option<&reqwest::Proxy>) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().no_proxy();
    let client = if let Some(proxy) = proxy { client.proxy(proxy.clone()) } else { client };
    client
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    builder.build().map_err(|error| format!("the HTTP client cannot be set up: {}", redact::causes(&error)))
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("names a file that cannot be read as PEM certificates ({error})"))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err("names a file without a usable certificate".into()) } else { Ok(roots) }
}
