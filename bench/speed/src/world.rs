//! Everything that a function speaks to, on this machine: Secrets Manager, SNS, Scheduler and Zoho, over TLS.

use crate::http::{self, Counts, Request, Server, response};
use crate::proxy;
use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub const RUNNING_JOB: &str = "3652397000009565021";
pub const FINISHED_JOB: &str = "3652397000009565022";
pub const TOPIC_ARN: &str = "arn:aws:sns:eu-west-1:123456789012:zoho-jobs";
const SCHEDULE_ARN: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch";

/// A round trip within a continent, say.
pub const FAR: Duration = Duration::from_millis(20);

/// Base URLs of the two sides that every check needs.
#[derive(Clone)]
pub struct Addresses {
    pub secrets_manager: String,
    pub zoho: String,
    /// The secret's name: one that says where Zoho is when nothing else does.
    pub secret: &'static str,
}

/// The stand-ins, and the certificates to trust them by.
pub struct World {
    pub near: Addresses,
    /// The same behind a proxy that adds [`FAR`].
    pub far: Addresses,
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
        let tls = Arc::new(tls);
        let (ca_file, bundle_file) = (directory.join("ca.pem"), directory.join("bundle.pem"));
        fs::write(&ca_file, &ca_pem)?;
        let roots = fs::read_to_string(roots).with_context(|| format!("reading {}", roots.display()))?;
        fs::write(&bundle_file, format!("{roots}\n{ca_pem}"))?;
        let start = |answer: Arc<http::Answer>| Server::start(Some(tls.clone()), answer);
        let zoho = start(zoho())?;
        let zoho_far = url(proxy::start(zoho.address, FAR)?.port());
        let near = url(zoho.address.port());
        let secrets_manager = start(secrets(&near, &zoho_far))?;
        let secrets_far = url(proxy::start(secrets_manager.address, FAR)?.port());
        Ok(Self {
            near: Addresses {
                secrets_manager: url(secrets_manager.address.port()),
                zoho: near,
                secret: "zoho",
            },
            far: Addresses { secrets_manager: secrets_far, zoho: zoho_far, secret: SECRET_FAR },
            secrets_manager,
            sns: start(always("text/xml", PUBLISHED))?,
            scheduler: start(always("application/json", "{}"))?,
            zoho,
            ca_file,
            bundle_file,
        })
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

/// The base URL of a port.
pub fn url(port: u16) -> String {
    format!("https://localhost:{port}")
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
    let certificate =
        CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
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

/// The name of the secret that names the far Zoho.
const SECRET_FAR: &str = "zoho-far";

/// Answers with the secret that is asked for.
fn secrets(near: &str, far: &str) -> Arc<http::Answer> {
    let [near, far] = [near, far].map(|zoho| {
        let secret =
            json!({"access_token": "1000.8cb99dxxxxxxxxxxxxx9be93.9b8xxxxxxxxxxxxxxxf", "api_domain": zoho});
        let body = json!({
            "ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:zoho-AbCdEf",
            "Name": "zoho",
            "VersionId": "11111111-2222-3333-4444-555555555555",
            "SecretString": secret.to_string(),
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_795_428_000.0,
        });
        response("200 OK", "Content-Type: application/x-amz-json-1.1\r\n", body.to_string().as_bytes())
    });
    Arc::new(move |request: &Request| {
        let wanted = String::from_utf8_lossy(&request.body);
        if wanted.contains(SECRET_FAR) { far.clone() } else { near.clone() }
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
