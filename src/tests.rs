//! What the tests of several modules share: a watch at ten o'clock, and a scripted secret and Zoho for it.

use crate::checker::Checker;
use crate::http::{HttpClient, HttpRequest, HttpResponse, Origin, TransportError};
use crate::timestamp::Timestamp;
use crate::token::{Put, SecretStore, Sharing, StoreError, TokenSource, Version};
use crate::watch::ids::Location;
use crate::watch::job::{Counts, JobStatus, Status};
use crate::watch::notice::Intervals;
use crate::watch::pacing::Bounds;
use crate::watch::report::Limits;
use crate::watch::request::Request;
use crate::zoho::ZohoSettings;
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use ::http::{HeaderMap, Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";
pub(crate) const SCHEDULE: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/watch";

pub(crate) const LIMITS: Limits = Limits {
    bounds: Bounds { min_seconds: 10, max_seconds: 900 },
    watch_limit_seconds: 86_400,
    notices: Intervals { still_running: None, no_progress: None },
};

/// A time of day; `+` is the next day.
pub(crate) fn at(time: &str) -> Timestamp {
    let (day, time) = time.strip_prefix('+').map_or((23, time), |time| (24, time));
    Timestamp::parse(&format!("2026-11-{day}T{time}Z")).unwrap()
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    at("10:00:00").plus_seconds(seconds.saturating_neg())
}

/// An object with more fields, or other values.
pub(crate) fn with(object: &Value, extra: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    object
}

/// The payload of a watch of job 1 in Leads.
pub(crate) fn of(extra: &Value) -> Value {
    with(&json!({"module": "Leads", "job_id": "1"}), extra)
}

pub(crate) fn request(payload: &Value) -> Request {
    Request::parse(&payload.to_string(), at("10:00:00"), &Location::of_function(FUNCTION, None))
}

/// A job with these counts: total, updated, not updated, failed.
pub(crate) fn job(status: &str, [total, updated, not_updated, failed]: [Option<u64>; 4]) -> JobStatus {
    let counts = Counts { total, updated, not_updated, failed };
    JobStatus { status: Status::normalize(status).unwrap(), counts }
}

/// One of Zoho's servers in this data center.
pub(crate) fn host(server: ZohoServer, data_center: &str, setting: &'static str) -> ZohoHost {
    let data_center = DataCenter::named(data_center).unwrap();
    let origin = match server {
        ZohoServer::Api => data_center.api_origin(),
        ZohoServer::Accounts => data_center.accounts_origin(),
    };
    ZohoHost { server, origin, setting }
}

/// A secret of which each read returns the next content, and the last one from then on.
#[derive(Clone)]
pub(crate) struct ScriptedSecret(Arc<Mutex<VecDeque<&'static str>>>);

impl SecretStore for ScriptedSecret {
    async fn current(&self) -> Result<Version, StoreError> {
        let text = next(&self.0);
        Ok(Version { id: text.into(), created: Timestamp::from_epoch_seconds(0), text: text.into() })
    }

    async fn labeled(&self, _: &str) -> Result<Option<Version>, StoreError> {
        Ok(None)
    }

    async fn version(&self, _: &str) -> Result<Option<Version>, StoreError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: &str, _: &SecretString) -> Result<Put, StoreError> {
        Err(StoreError::Denied("read only".into()))
    }
}

/// Issues `token-1`, `token-2`, … and responds to status requests with the next status and body, and with the last ones
/// from then on. Connecting to a host in Japan takes forever.
#[derive(Clone)]
pub(crate) struct ScriptedZoho {
    responses: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl ScriptedZoho {
    /// What was sent, with short names for the usual hosts.
    pub(crate) fn log(&self) -> String {
        let log = self.log.lock().unwrap().join(", ").replace("Zoho-oauthtoken ", "");
        log.replace("https://www.zohoapis.com", "US").replace("https://www.zohoapis.eu", "EU")
    }
}

impl HttpClient for ScriptedZoho {
    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let mut log = self.log.lock().unwrap();
        let (status, body) = if request.method == Method::POST {
            log.push("POST".into());
            let number = log.iter().filter(|line| *line == "POST").count();
            (200, format!(r#"{{"access_token":"token-{number}","api_domain":"https://www.zohoapis.eu"}}"#))
        } else {
            let token = request.headers["authorization"].to_str().unwrap();
            log.push(format!("GET {} {token}", request.origin));
            let (status, body) = next(&self.responses);
            (status, body.to_owned())
        };
        let status = StatusCode::from_u16(status).unwrap();
        Ok(HttpResponse { status, headers: HeaderMap::new(), body: body.into_bytes() })
    }

    async fn preconnect(&self, origin: &Origin) {
        self.log.lock().unwrap().push(format!("connect {origin}"));
        if origin.as_str().ends_with(".jp") {
            std::future::pending().await
        }
    }
}

fn next<T: Copy>(script: &Mutex<VecDeque<T>>) -> T {
    let mut script = script.lock().unwrap();
    if script.len() > 1 { script.pop_front() } else { script.front().copied() }.unwrap()
}

/// `data_center` is `ZOHO_DATA_CENTER`.
pub(crate) fn checker(
    contents: &[&'static str],
    responses: &[(u16, &'static str)],
    data_center: Option<&str>,
) -> (Checker<ScriptedSecret, ScriptedZoho>, ScriptedZoho) {
    let secret = ScriptedSecret(Arc::new(Mutex::new(contents.to_vec().into())));
    let responses = Arc::new(Mutex::new(responses.to_vec().into()));
    let zoho = ScriptedZoho { responses, log: Arc::default() };
    let data_center = data_center.and_then(DataCenter::named);
    let settings = ZohoSettings { data_center, ..ZohoSettings::default() };
    let clock = Arc::new(|| at("10:00:00"));
    let tokens = TokenSource::new(secret, zoho.clone(), settings, Sharing::ReadWrite, clock);
    (Checker::new(tokens), zoho)
}
