//! What the tests of several modules share: a watch at ten o'clock.

use crate::watch::job::{Counts, JobStatus, Status};
use crate::watch::{notice::Intervals, pacing::Bounds, report::Limits, request::Request};
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use crate::{arn::Location, timestamp::Timestamp};
use serde_json::{Value, json};

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
