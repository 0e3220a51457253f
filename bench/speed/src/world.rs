//! Everything that a function speaks to, on this machine: Secrets Manager, SNS, Scheduler and Zoho, over TLS.

use crate::http::{self, Counts, Request, Server, response};
use crate::proxy;
use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ServerSessionMemoryCache;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const RUNNING_JOB: &str = "3652397000009565021";
pub const FINISHED_JOB: &str = "3652397000009565022";
pub const TOPIC_ARN: &str = "arn:aws:sns:eu-west-1:123456789012:zoho-jobs";
const SCHEDULE_ARN: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch";

/// A round trip within a continent, say.
pub const FAR: Duration = Duration::from_millis(20);

/// Where everybody is, near or behind proxies.
#[derive(Clone)]
pub struct Addresses {
    pub secrets_manager: String,
    pub sns: String,
    pub scheduler: String,
    pub zoho: String,
    /// A proxy that takes every host for Zoho's, under its real name.
    pub zoho_by_name: String,
    /// The name of a secret with an access token, and with the address of Zoho.
    pub secret: String,
}

/// The name of the secret with a refresh token. A token is already stored for it.
pub const SHARING_SECRET: &str = "zoho-shared";

/// The stand-ins, and the certificates to trust them by.
pub struct World {
    pub near: Addresses,
    pub secrets_manager: Server,
    pub sns: Server,
    pub scheduler: Server,
    pub zoho: Server,
    /// The authority alone, as PEM.
    pub ca_file: PathBuf,
    /// The authority after everybody's: what a client has to read that brings no roots of its own.
    pub bundle_file: PathBuf,
}

/// What reached each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub secrets_manager: Counts,
    pub sns: Counts,
    pub scheduler: Counts,
    pub zoho: Counts,
}

impl Traffic {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            secrets_manager: self.secrets_manager.since(earlier.secrets_manager),
            sns: self.sns.since(earlier.sns),
            scheduler: self.scheduler.since(earlier.scheduler),
            zoho: self.zoho.since(earlier.zoho),
        }
    }
}

impl World {
    /// Starts the stand-ins. `roots` is the PEM bundle that the authority is added to.
    pub fn start(directory: &Path, roots: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let (tls, ca_pem) = certificates()?;
        let (ca_file, bundle_file) = (directory.join("ca.pem"), directory.join("bundle.pem"));
        fs::write(&ca_file, &ca_pem)?;
        let roots = fs::read_to_string(roots).with_context(|| format!("reading {}", roots.display()))?;
        fs::write(&bundle_file, format!("{roots}\n{ca_pem}"))?;
        let start = |answer: Arc<http::Answer>| {
            // Sessions of its own: one server knows nothing of another's.
            let mut tls = tls.clone();
            tls.session_storage = ServerSessionMemoryCache::new(256);
            Server::start(Some(Arc::new(tls)), answer)
        };
        let [zoho, secrets_manager] = [zoho(), secrets()].map(start);
        let [sns, scheduler] = [always("text/xml", PUBLISHED), always("application/json", "{}")].map(start);
        let (zoho, secrets_manager, sns, scheduler) = (zoho?, secrets_manager?, sns?, scheduler?);
        let near = addresses([&secrets_manager, &sns, &scheduler, &zoho].map(|server| server.address.port()));
        Ok(Self { near, secrets_manager, sns, scheduler, zoho, ca_file, bundle_file })
    }

    /// Everybody behind proxies that are so far away.
    pub fn at(&self, round_trip: Duration) -> Result<Addresses> {
        let mut ports = [0; 4];
        let servers = [&self.secrets_manager, &self.sns, &self.scheduler, &self.zoho];
        for (port, server) in ports.iter_mut().zip(servers) {
            *port = proxy::start(server.address, round_trip)?.port();
        }
        Ok(addresses(ports))
    }

    pub fn traffic(&self) -> Traffic {
        Traffic {
            secrets_manager: self.secrets_manager.counts(),
            sns: self.sns.counts(),
            scheduler: self.scheduler.counts(),
            zoho: self.zoho.counts(),
        }
    }
}

/// Of the ports of Secrets Manager, SNS, Scheduler, and Zoho.
fn addresses(ports: [u16; 4]) -> Addresses {
    let [secrets_manager, sns, scheduler, zoho] = ports.map(|port| format!("https://localhost:{port}"));
    let port = ports[3];
    Addresses {
        secrets_manager,
        sns,
        scheduler,
        zoho,
        zoho_by_name: format!("http://127.0.0.1:{port}"),
        secret: format!("{SECRET_AT}{port}"),
    }
}

/// A request as a schedule sends it: the end of the job is published, and the schedule deleted.
pub fn scheduled_event(job_id: &str) -> String {
    json!({"module": "Leads", "job_id": job_id, "schedule_arn": SCHEDULE_ARN}).to_string()
}

/// A bare request for a job's status.
pub fn event(job_id: &str) -> String {
    json!({"module": "Leads", "job_id": job_id}).to_string()
}

fn certificates() -> Result<(ServerConfig, String)> {
    let mut authority = CertificateParams::default();
    // Another name than the certificate's, which would seem to have signed itself.
    authority.distinguished_name.push(DnType::CommonName, "an authority for one run");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost", "127.0.0.1", ZOHO_HOST].map(str::to_owned))?
        .signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((config, ca_pem))
}

fn always(content_type: &str, body: &str) -> Arc<http::Answer> {
    let answer = response("200 OK", &format!("Content-Type: {content_type}\r\n"), body.as_bytes());
    Arc::new(move |_: &Request| answer.clone())
}

/// How the names of secrets begin that say at which port Zoho is.
const SECRET_AT: &str = "zoho-at-";

/// The host of the data center that `template.yaml` has as its default.
const ZOHO_HOST: &str = "www.zohoapis.com";

/// The label under which access tokens are shared (`src/token/record.rs`).
const TOKEN_LABEL: &str = "ZOHO_ACCESS_TOKEN";
const ACCESS_TOKEN: &str = "1000.8cb99dxxxxxxxxxxxxx9be93.9b8xxxxxxxxxxxxxxxf";
/// The version of the credentials, and the one of the first token for them: its ID follows from the other one.
const CREDENTIALS_VERSION: &str = "11111111-2222-3333-4444-555555555555";
const TOKEN_VERSION: &str = "token-666ff6ccaa5b3c07-3b76a5b36d81eca3b1986dbbea23d88f752a52d5";

/// Answers with the secret, or the version of it, that is asked for.
fn secrets() -> Arc<http::Answer> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let version = move |id: &str, label: &str, text: serde_json::Value| {
        let body = json!({
            "ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:zoho-AbCdEf",
            "Name": "zoho",
            "VersionId": id,
            "SecretString": text.to_string(),
            "VersionStages": [label],
            "CreatedDate": now,
        });
        response("200 OK", "Content-Type: application/x-amz-json-1.1\r\n", body.to_string().as_bytes())
    };
    let credentials = version(
        CREDENTIALS_VERSION,
        "AWSCURRENT",
        json!({
            "client_id": "1000.SIMULATEDCLIENTID",
            "client_secret": "simulated-client-secret",
            "refresh_token": ACCESS_TOKEN,
            "data_center": "US",
        }),
    );
    let token = version(
        TOKEN_VERSION,
        TOKEN_LABEL,
        json!({"access_token": ACCESS_TOKEN, "api_domain": format!("https://{ZOHO_HOST}"), "expires_at": now + 3_600}),
    );
    Arc::new(move |request: &Request| {
        let wanted = String::from_utf8_lossy(&request.body);
        if wanted.contains(SHARING_SECRET) {
            return if wanted.contains(TOKEN_LABEL) { token.clone() } else { credentials.clone() };
        }
        let port: String = match wanted.split_once(SECRET_AT) {
            Some((_, rest)) => rest.chars().take_while(char::is_ascii_digit).collect(),
            None => String::new(),
        };
        let text = json!({"access_token": ACCESS_TOKEN, "api_domain": format!("https://localhost:{port}")});
        version(CREDENTIALS_VERSION, "AWSCURRENT", text)
    })
}

const PUBLISHED: &str = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
    <MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></PublishResult><ResponseMetadata>\
    <RequestId>d74b8436-ae13-5ab4-a9ff-ce54dfea72a0</RequestId></ResponseMetadata></PublishResponse>";

fn zoho() -> Arc<http::Answer> {
    let status = |status: &str, updated: u32, left: u32| {
        let body = json!({"data": [{
            "Total_Count": 50_000, "Updated_Count": updated, "Not_Updated_Count": left, "Failed_Count": 0,
            "Status": status,
        }]});
        response("200 OK", "Content-Type: application/json;charset=UTF-8\r\n", body.to_string().as_bytes())
    };
    let (running, finished) = (status("RUNNING", 20_000, 30_000), status("COMPLETED", 50_000, 0));
    Arc::new(
        move |request: &Request| {
            if request.target.contains(FINISHED_JOB) { finished.clone() } else { running.clone() }
        },
    )
}
