//! Zoho: jobs and their lives, access tokens, and the responses over HTTP.

use crate::world::{log_uniform, one_of};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mass_change_owner_status::http::HttpResponse;
use serde_json::{Value, json};
use std::ops::Range;

/// A response, and the permanent error that it means by the contract; empty if it means none.
pub(crate) struct Answer {
    pub response: HttpResponse,
    pub means: &'static str,
}

/// Why Zoho does not give the status of a job: HTTP status, code, and the error that this means.
const PROBLEMS: [(u16, &str, &str); 5] = [
    (403, "NO_PERMISSION", "PermissionDenied"),
    (401, "OAUTH_SCOPE_MISMATCH", "ScopeMismatch"),
    (400, "INVALID_MODULE", "InvalidModule"),
    (204, "", "JobNotFound"),
    (404, "INVALID_DATA", "JobNotFound"),
];

/// A job: what is true of it, whatever anybody learns of it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    module: &'static str,
    id: String,
    queued_until: u64,
    pub ends_at: u64,
    fails: bool,
    total: u64,
    /// Updated in the end. The others are failed, not updated, or in no count at all.
    updated: u64,
    others: &'static str,
    /// Whether the counts are given only once the job is completed.
    late_counts: bool,
    /// Counts move in steps of so many seconds.
    step: u64,
    pub problem: (Range<u64>, usize),
}

impl Job {
    fn draw(now: u64, number: usize) -> Self {
        let delay = |most| if fastrand::bool() { 0 } else { log_uniform(1, most) };
        let (queued_until, problem_from) = (now + delay(3_000), now + delay(5_000));
        let total = log_uniform(1, 100_000);
        let lasts = match fastrand::u32(0..12) {
            0 => u64::from(u32::MAX),
            1 => log_uniform(1, 20_000),
            _ => 0,
        };
        Self {
            module: one_of(&["Leads", "Price_Books", "CustomModule1"]),
            id: (3_652_397_000_009_000_000 + number).to_string(),
            queued_until,
            ends_at: queued_until + log_uniform(5, 60_000),
            fails: fastrand::u32(0..6) == 0,
            total,
            updated: one_of(&[fastrand::u64(0..=total), total, total]),
            others: one_of(&["Failed_Count", "Not_Updated_Count", "Unknown_Count"]),
            late_counts: fastrand::u32(0..4) > 0,
            step: log_uniform(1, 2_000),
            problem: (problem_from..problem_from + lasts, fastrand::usize(0..PROBLEMS.len())),
        }
    }

    pub(crate) fn request(&self) -> Value {
        json!({"module": self.module, "job_id": self.id})
    }

    /// The outcome and the number of updated records, once the job has ended.
    pub(crate) fn ended(&self, now: u64) -> Option<(&'static str, u64)> {
        let outcome = match (self.fails, self.updated < self.total) {
            (true, _) => "FAILED",
            (false, true) => "PARTIALLY_SUCCEEDED",
            (false, false) => "SUCCEEDED",
        };
        (now >= self.ends_at).then_some((outcome, self.updated))
    }

    fn answer(&self, now: u64) -> Answer {
        let (seconds, number) = &self.problem;
        if seconds.contains(&now) {
            let (status, code, means) = PROBLEMS[*number];
            return error(status, code, means);
        }
        let status = match (now < self.queued_until, now < self.ends_at, self.fails) {
            (true, ..) => "SCHEDULED",
            (_, true, _) if self.step.is_multiple_of(2) => "RUNNING",
            (_, true, _) => "in progress",
            (.., true) => "FAILED",
            (.., false) => "COMPLETED",
        };
        let ran = now.saturating_sub(self.queued_until) / self.step * self.step;
        let mut job = json!({"Status": status});
        if now >= self.ends_at || !self.late_counts {
            let updated = self.updated * ran / (self.ends_at - self.queued_until + 1);
            job = json!({"Status": status, "Failed_Count": 0, "Not_Updated_Count": 0, "Total_Count": self.total,
                "Updated_Count": updated});
        }
        if now >= self.ends_at {
            job["Updated_Count"] = json!(self.updated);
            job[self.others] = json!(self.total - self.updated);
        }
        document(200, &json!({"data": [job]}), "")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Zoho {
    pub jobs: Vec<Job>,
    /// Access tokens in the order in which they were issued, and when.
    issued: Vec<(String, u64)>,
    /// The token in the secret, if the operator stores one there.
    pub static_token: Option<String>,
    /// Another user of the secret has other hosts, which reject everything.
    pub has_foreign_hosts: bool,
    /// So many seconds pass until a new token is known everywhere.
    pub spreading: u64,
}

/// 10 tokens in 10 minutes for a refresh token (docs/zoho-api.md).
const TOKENS_PER_WINDOW: usize = 10;
const WINDOW: u64 = 600;

/// So long a token is valid, and only so many are at a time.
const LIFETIME: u64 = 3_600;
const ACTIVE_TOKENS: usize = 15;

impl Zoho {
    pub(crate) fn start_job(&mut self, now: u64) -> usize {
        self.jobs.push(Job::draw(now, self.jobs.len()));
        self.jobs.len() - 1
    }

    pub(crate) fn known_tokens(&self) -> impl Iterator<Item = &str> {
        let issued = self.issued.iter().rev().take(3).map(|(token, _)| token);
        issued.chain(&self.static_token).map(String::as_str)
    }

    /// The response to a request for a token. `revoked`: the credentials are not valid now.
    pub(crate) fn issue(&mut self, now: u64, revoked: bool) -> Answer {
        if revoked {
            return revoked_credentials();
        }
        if self.issued.iter().rev().take_while(|(_, at)| at + WINDOW > now).count() >= TOKENS_PER_WINDOW {
            return throttled_token();
        }
        // Nothing may depend on how a token begins.
        let token = new_token()[one_of(&[0, 5])..].to_owned();
        self.issued.push((token.clone(), now));
        let body = json!({"access_token": token, "api_domain": "https://www.zohoapis.eu",
            "token_type": "Bearer", "expires_in": LIFETIME});
        document(200, &body, "")
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        self.issued.retain(|(issued, _)| issued != token);
    }

    pub(crate) fn status(&self, path: &str, token: &str, now: u64, revoked: bool) -> Answer {
        let mut active = self.issued.iter().rev().take(ACTIVE_TOKENS);
        let is_valid = self.static_token.as_deref() == Some(token)
            || active.any(|(known, at)| known == token && (at + self.spreading..at + LIFETIME).contains(&now));
        if revoked || !is_valid {
            return error(401, "INVALID_TOKEN", "TokenRejected");
        }
        let path_of = |job: &Job| format!("/crm/v8/{}/actions/mass_change_owner?job_id={}", job.module, job.id);
        self.jobs.iter().find(|job| path_of(job) == path).expect("a job's path").answer(now)
    }
}

pub(crate) fn new_token() -> String {
    format!("1000.{:032x}.{:032x}", fastrand::u128(..), fastrand::u128(..))
}

fn document(status: u16, body: &Value, means: &'static str) -> Answer {
    Answer { means, ..page(status, &body.to_string()) }
}

fn error(status: u16, code: &str, means: &'static str) -> Answer {
    document(status, &json!({"code": code, "details": {}, "message": "m", "status": "error"}), means)
}

fn revoked_credentials() -> Answer {
    document(200, &json!({"error": "invalid_code"}), "TokenRejected")
}

fn throttled_token() -> Answer {
    document(400, &json!({"error": "Access Denied", "error_description": "too many requests"}), "")
}

/// What is not the documented JSON.
fn page(status: u16, body: &str) -> Answer {
    let body = if status == 204 { Vec::new() } else { body.into() };
    let response = HttpResponse { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body };
    Answer { response, means: "ZohoUnexpectedResponse" }
}

/// What comes instead of this response, if anything comes.
pub(crate) fn spoiled(mut answer: Answer, fault: &str, is_token: bool) -> Answer {
    match fault {
        "503" => error(one_of(&[500, 502, 503, 504]), "INTERNAL_ERROR", ""),
        "429" if is_token => throttled_token(),
        "429" => {
            let mut throttled = error(429, "TOO_MANY_REQUESTS", "");
            let waits = ["1", "7", "3000", "Mon, 23 Nov 2026 10:00:00 GMT", "soon"];
            if fastrand::bool() {
                throttled.response.headers.insert(header::RETRY_AFTER, HeaderValue::from_static(one_of(&waits)));
            }
            throttled
        }
        "page" => page(200, "<html><body>We are down for maintenance</body></html>"),
        "403-page" => page(403, "<html><body>Request blocked</body></html>"),
        "cut" => {
            answer.response.body.truncate(fastrand::usize(0..answer.response.body.len().max(1)));
            let response = HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), ..answer.response };
            Answer { response, means: "ZohoUnexpectedResponse" }
        }
        "too-long" => Answer { means: "ZohoUnexpectedResponse", ..answer },
        "401" if is_token => revoked_credentials(),
        "401" => error(401, "INVALID_TOKEN", "TokenRejected"),
        "204" => error(204, "", "JobNotFound"),
        "odd" if is_token => document(200, &json!({"error": "something_new"}), ""),
        "odd" => error(one_of(&[400, 405, 409]), "SOMETHING_NEW", "ZohoUnexpectedResponse"),
        _ => answer,
    }
}
