//! The HTTP client that ships: one TLS configuration, one set of root certificates, made here and nowhere else
//! (clippy.toml rejects any other).

use crate::deadline::CurrentDeadline;
use crate::http::preconnect::Preconnect;
use crate::http::{HttpClient, Origin, Request, Response, Stage, TransportError};
use crate::redact;
use ::http::StatusCode;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an unused connection is kept. 60 s is the least that AWS's firewalls and network interfaces can be set to; they
/// then drop packets without a word, which costs a whole timeout. A server that closes a connection earlier costs nothing
/// but the new one. docs/speed.md has the figures.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A connection that takes longer leaves no time for the response.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Hosts with a client of their own: Zoho's API, SNS, and Scheduler, and one more for a change of the API host.
const MAX_HOSTS: usize = 4;

/// How the client connects.
#[derive(Default)]
pub struct Settings<'a> {
    /// `SSL_CERT_FILE`: a PEM bundle that replaces the compiled-in root certificates.
    pub cert_file: Option<&'a Path>,
    /// `HTTPS_PROXY` and `NO_PROXY`.
    pub proxy: Option<reqwest::Proxy>,
    /// Bounds every attempt.
    pub deadline: CurrentDeadline,
}

/// Connections to every server that the function talks to.
pub struct Connections {
    tls: ClientConfig,
    proxy: Option<reqwest::Proxy>,
    deadline: CurrentDeadline,
    /// For all hosts without a client of their own.
    shared: reqwest::Client,
    hosts: Mutex<Vec<Host>>,
}

/// A host whose connection is opened ahead of its first request. It has a client of its own, because a connector layer
/// cannot tell for which host it connects.
struct Host {
    /// Scheme, host, and port.
    origin: String,
    client: reqwest::Client,
    opened: Instant,
}

impl Connections {
    /// Sends nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with the certificates or with TLS, in one line, to follow the name `SSL_CERT_FILE`.
    pub fn new(settings: Settings<'_>) -> Result<Self, String> {
        let roots = match settings.cert_file {
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Some(path) => read_roots(path)?,
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let shared = build(builder(&tls, settings.proxy.as_ref()))?;
        let (proxy, deadline) = (settings.proxy, settings.deadline);
        Ok(Self { tls, proxy, deadline, shared, hosts: Mutex::default() })
    }

    /// Sends one request once and reads its whole response, up to `body_limit` bytes. Takes at most `timeout`, and at
    /// most a share of the time that is left in the invocation.
    pub(crate) async fn exchange(
        &self,
        request: reqwest::Request,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<Response, TransportError> {
        let client = self.client(&origin_of(request.url()));
        let mut request = request;
        *request.timeout_mut() = Some(self.deadline.share(timeout));
        let sent = client.execute(request).await;
        let mut response = sent.map_err(|error| TransportError::from_reqwest(error, false))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        if status != StatusCode::NO_CONTENT {
            while let Some(chunk) =
                response.chunk().await.map_err(|error| TransportError::from_reqwest(error, true))?
            {
                if body.len().saturating_add(chunk.len()) > body_limit {
                    let message = format!("the response exceeds {body_limit} bytes");
                    return Err(TransportError::new(Stage::Oversized(status), message));
                }
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Response { status, headers, body })
    }

    /// Opens a connection to the host of this URL ahead of the first request, unless that was done a moment ago.
    pub(crate) async fn preconnect_url(&self, url: &reqwest::Url) {
        if let Some((client, preconnect)) = self.new_host(origin_of(url)) {
            preconnect.open(&client, url.as_str()).await;
        }
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host's own client, or the shared one.
    fn client(&self, origin: &str) -> reqwest::Client {
        let hosts = self.hosts();
        hosts.iter().find(|host| host.origin == origin).map_or(&self.shared, |host| &host.client).clone()
    }

    /// Makes a client for this host. `None` if it has one that may still have a connection: the request that opens
    /// another one would use that, and would be sent.
    fn new_host(&self, origin: String) -> Option<(reqwest::Client, Preconnect)> {
        let mut hosts = self.hosts();
        if hosts.iter().any(|host| host.origin == origin && host.opened.elapsed() < POOL_IDLE_TIMEOUT) {
            return None;
        }
        let preconnect = Preconnect::default();
        let client =
            build(builder(&self.tls, self.proxy.as_ref()).connector_layer(preconnect.clone())).ok()?;
        hosts.retain(|host| host.origin != origin);
        if hosts.len() >= MAX_HOSTS {
            hosts.remove(0);
        }
        hosts.push(Host { origin, client: client.clone(), opened: Instant::now() });
        Some((client, preconnect))
    }
}

fn origin_of(url: &reqwest::Url) -> String {
    url.origin().ascii_serialization()
}

impl HttpClient for Connections {
    async fn send(&self, request: Request<'_>) -> Result<Response, TransportError> {
        let Request { method, origin, path, headers, body, timeout, body_limit } = request;
        let url = reqwest::Url::parse(&format!("{origin}{path}")).map_err(|error| {
            TransportError::new(Stage::Connecting, format!("the URL is malformed: {error}"))
        })?;
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        self.exchange(request, timeout, body_limit).await
    }

    async fn preconnect(&self, origin: &Origin) {
        if let Ok(url) = reqwest::Url::parse(origin.as_str()) {
            self.preconnect_url(&url).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where a client is made")]
fn builder(tls: &ClientConfig, proxy: Option<&reqwest::Proxy>) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().no_proxy();
    let client = match proxy {
        Some(proxy) => client.proxy(proxy.clone()),
        None => client,
    };
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
    let certificates =
        CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("names a file that cannot be read as PEM certificates ({error})"))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err("names a file without a usable certificate".into()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(cert_file: Option<&Path>) -> Result<Connections, String> {
        Connections::new(Settings { cert_file, ..Settings::default() })
    }

    #[test]
    fn an_unusable_certificate_bundle_is_reported() {
        let folder = std::env::temp_dir();
        for (content, part) in [
            ("no certificate at all", "without a usable certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "cannot be read"),
        ] {
            let path = folder.join(format!("bundle-{}-{}.pem", std::process::id(), content.len()));
            std::fs::write(&path, content).unwrap();
            let error = open(Some(&path)).err().unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(error.contains(part), "{error}");
        }
        let missing = folder.join("no-such-bundle.pem");
        assert!(open(Some(&missing)).err().unwrap().contains("cannot be read"));
        assert!(open(None).is_ok());
    }
}
