//! The one HTTP and TLS stack, for Zoho and for AWS: clients are made here and nowhere else (clippy.toml sees to it).

mod aws;
mod preconnect;

pub use aws::sdk_http_client;
pub use preconnect::Preconnect;

use crate::redact;
use http::{HeaderMap, StatusCode};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long an unused connection is kept. Below the 60 s after which load balancers commonly close theirs: a
/// connection that ended while the environment was frozen costs a reset and a second attempt.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A connection that takes longer would leave no time for the answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Makes HTTP clients that share one TLS configuration.
#[derive(Clone)]
pub struct Transport {
    tls: ClientConfig,
}

impl Transport {
    /// With the compiled-in roots, or those of a PEM bundle instead. The error says what is wrong with the bundle.
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
        Ok(Self { tls })
    }

    /// A client with a pool of its own.
    pub fn client(&self) -> Result<reqwest::Client, String> {
        Self::build(self.builder())
    }

    /// A client for one host, whose first connection can be opened before there is a request for it.
    pub fn preconnecting_client(&self) -> Result<(reqwest::Client, Preconnect), String> {
        let preconnect = Preconnect::default();
        let client = Self::build(self.builder().connector_layer(preconnect.clone()))?;
        Ok((client, preconnect))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place where a client is made")]
    fn builder(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
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
        builder
            .build()
            .map_err(|error| format!("the HTTP client cannot be set up: {}", redact::causes(&error)))
    }
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

/// A whole answer.
#[derive(Debug)]
pub struct Fetched {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; empty for a 204, whatever followed it.
    pub body: Vec<u8>,
}

/// Why no whole answer was had. Prints without the URL.
#[derive(Debug)]
pub struct Fault {
    /// What happened, one line.
    what: String,
    /// How far the request had come.
    pub stage: Stage,
}

/// How far a request had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// There was no connection: the server has seen nothing of it.
    Connecting,
    /// The connection died before an answer began: most likely a kept-alive one that had ended unnoticed.
    Unanswered,
    /// The answer was late, or ended too early.
    Answering,
    /// The body went beyond the limit; the status is known.
    Oversized(StatusCode),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Fault {
    fn from_reqwest(error: reqwest::Error, answering: bool) -> Self {
        let error = error.without_url();
        let causes = || redact::causes(&error);
        let (stage, what) = match (error.is_connect(), error.is_timeout(), answering) {
            (true, true, _) => (Stage::Connecting, "no connection in time".to_owned()),
            (true, false, _) => (Stage::Connecting, format!("no connection: {}", causes())),
            (false, true, _) => (Stage::Answering, "no whole answer in time".to_owned()),
            (false, false, false) => {
                (Stage::Unanswered, format!("the connection ended without an answer: {}", causes()))
            }
            (false, false, true) => {
                (Stage::Answering, format!("the connection ended in mid-answer: {}", causes()))
            }
        };
        Self { what, stage }
    }
}

/// Sends a request and reads its whole answer, up to `limit` bytes of body.
pub async fn fetch(request: reqwest::RequestBuilder, limit: usize) -> Result<Fetched, Fault> {
    let mut response = request.send().await.map_err(|error| Fault::from_reqwest(error, false))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    if status != StatusCode::NO_CONTENT {
        while let Some(chunk) = response.chunk().await.map_err(|error| Fault::from_reqwest(error, true))? {
            if body.len().saturating_add(chunk.len()) > limit {
                let what = format!("an answer of over {limit} bytes");
                return Err(Fault { what, stage: Stage::Oversized(status) });
            }
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Fetched { status, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_told() {
        let folder = std::env::temp_dir();
        for (content, part) in [
            ("no certificate at all", "without a usable certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "cannot be read"),
        ] {
            let path = folder.join(format!("bundle-{}-{}.pem", std::process::id(), content.len()));
            std::fs::write(&path, content).unwrap();
            let wrong = Transport::new(Some(&path)).err().unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(wrong.contains(part), "{wrong}");
        }
        assert!(
            Transport::new(Some(&folder.join("no-such-bundle.pem")))
                .err()
                .unwrap()
                .contains("cannot be read")
        );
        assert!(Transport::new(None).is_ok());
    }
}
