//! The HTTP client that ships: one TLS configuration, one set of root certificates, made here and nowhere else
//! (clippy.toml rejects any other).

use crate::http::preconnect::Preconnect;
use crate::http::{HttpClient, Origin, Request, Response, Stage, TransportError};
use crate::redact;
use ::http::StatusCode;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an unused connection is kept. Below the 60 s after which load balancers commonly close theirs: a
/// connection that ended while the execution environment was frozen costs a reset and a second attempt.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A connection that takes longer leaves no time for the response.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Connections to every server that the function talks to.
pub struct Connections {
    tls: ClientConfig,
    /// For AWS and for Zoho's accounts server.
    shared: reqwest::Client,
    /// For Zoho's API host: its first connection can be opened ahead of the first request.
    api: Mutex<Option<ApiHost>>,
}

#[derive(Clone)]
struct ApiHost {
    origin: Origin,
    client: reqwest::Client,
    preconnect: Preconnect,
}

impl Connections {
    /// Uses the compiled-in root certificates, or those of a PEM bundle instead.
    ///
    /// # Errors
    ///
    /// What is wrong with the bundle or with TLS, in one line, to follow the variable's name.
    pub fn new(cert_file: Option<&Path>) -> Result<Self, String> {
        let roots = match cert_file {
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Some(path) => read_roots(path)?,
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let shared = build(builder(&tls)).map_err(|error| error.to_string())?;
        Ok(Self { tls, shared, api: Mutex::default() })
    }

    /// The client that AWS's services share with Zoho's accounts server.
    pub fn shared_client(&self) -> reqwest::Client {
        self.shared.clone()
    }

    /// The client for this origin: the API host's own one, if it is that host.
    fn client(&self, origin: &Origin) -> reqwest::Client {
        let api = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        api.as_ref().filter(|api| api.origin == *origin).map_or(&self.shared, |api| &api.client).clone()
    }

    /// Makes a client for this origin, in place of the one for another API host.
    fn api_host(&self, origin: &Origin) -> Option<ApiHost> {
        let mut slot = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = slot.as_ref().filter(|api| api.origin == *origin) {
            return Some(api.clone());
        }
        let preconnect = Preconnect::default();
        let client = build(builder(&self.tls).connector_layer(preconnect.clone())).ok()?;
        Some(slot.insert(ApiHost { origin: origin.clone(), client, preconnect }).clone())
    }
}

impl HttpClient for Connections {
    async fn send(&self, request: Request<'_>) -> Result<Response, TransportError> {
        let Request { method, origin, path, headers, body, timeout, body_limit } = request;
        let sending = self
            .client(origin)
            .request(method, format!("{origin}{path}"))
            .headers(headers)
            .timeout(timeout)
            .body(body)
            .send();
        let mut response = sending.await.map_err(|error| TransportError::from_reqwest(error, false))?;
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

    async fn preconnect(&self, origin: &Origin) {
        if let Some(api) = self.api_host(origin) {
            api.preconnect.open(&api.client, origin.as_str()).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where a client is made")]
fn builder(tls: &ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .no_proxy()
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

    #[test]
    fn an_unusable_certificate_bundle_is_reported() {
        let folder = std::env::temp_dir();
        for (content, part) in [
            ("no certificate at all", "without a usable certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "cannot be read"),
        ] {
            let path = folder.join(format!("bundle-{}-{}.pem", std::process::id(), content.len()));
            std::fs::write(&path, content).unwrap();
            let error = Connections::new(Some(&path)).err().unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(error.contains(part), "{error}");
        }
        let missing = folder.join("no-such-bundle.pem");
        assert!(Connections::new(Some(&missing)).err().unwrap().contains("cannot be read"));
        assert!(Connections::new(None).is_ok());
    }
}
