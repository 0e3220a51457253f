//! Zoho: jobs and their lives, access tokens, and the responses over HTTP.

use crate::world::log_uniform;
use fastrand::Rng;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mass_change_owner_status::http::HttpResponse as Response;
use serde_json::{Value, json};
use std::ops::Range;

/// A response, and the permanent error that it means by the contract; empty if it means none.
pub(crate) struct Answer {
    pub response: Response,
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
    pub module: &'static str,
    pub id: String,
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
    /// When something is wrong, and what.
    pub problem: (Range<u64>, usize),
}

impl Job {
    fn draw(rng: &mut Rng, now: u64, number: usize) -> Self {
        let queued_until = now + if rng.bool() { 0 } else { log_uniform(rng, 1.0, 3_000.0) };
        let takes = log_uniform(rng, 5.0, 60_000.0);
        let total = log_uniform(rng, 1.0, 100_000.0);
        let problem_from = now + if rng.bool() { 0 } else { log_uniform(rng, 1.0, 5_000.0) };
        let lasts = match rng.u32(0..12) {
            0 => u64::from(u32::MAX),
            1 => log_uniform(rng, 1.0, 20_000.0),
            _ => 0,
        };
        Self {
            module: ["Leads", "Price_Books", "CustomModule1"][rng.usize(0..3)],
            id: (3_652_397_000_009_000_000 + number).to_string(),
            queued_until,
            ends_at: queued_until + takes,
            fails: rng.u32(0..6) == 0,
            total,
            updated: if rng.u32(0..3) == 0 { rng.u64(0..=total) } else { total },
            others: ["Failed_Count", "Not_Updated_Count", "Unknown_Count"][rng.usize(0..3)],
            late_counts: rng.u32(0..4) > 0,
            step: log_uniform(rng, 1.0, 2_000.0),
            problem: (problem_from..problem_from + lasts, rng.usize(0..PROBLEMS.len())),
        }
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

    fn status(&self, now: u64) -> Value {
        let mut job = json!({"Failed_Count": 0, "Not_Updated_Count": 0});
        job["Status"] = json!(match (now < self.queued_until, now < self.ends_at, self.fails) {
            (true, ..) => "SCHEDULED",
            (_, true, _) if self.step.is_multiple_of(2) => "RUNNING",
            (_, true, _) => "in progress",
            (.., true) => "FAILED",
            (.., false) => "COMPLETED",
        });
        if now >= self.ends_at {
            job["Updated_Count"] = json!(self.updated);
            job[self.others] = json!(self.total - self.updated);
        } else if self.late_counts {
            return json!({"data": [{"Status": job["Status"]}]});
        } else {
            let ran = now.saturating_sub(self.queued_until) / self.step * self.step;
            job["Updated_Count"] = json!(self.updated * ran / (self.ends_at - self.queued_until + 1));
        }
        job["Total_Count"] = json!(self.total);
        json!({"data": [job]})
    }

    fn answer(&self, now: u64) -> Answer {
        match &self.problem {
            (seconds, number) if seconds.contains(&now) => {
                let (status, code, means) = PROBLEMS[*number];
                if status == 204 { Answer { means, ..page(204, "") } } else { error(status, code, means) }
            }
            _ => document(200, &self.status(now), ""),
        }
    }
}

/// Zoho's state.
#[derive(Debug, Default)]
pub(crate) struct Zoho {
    pub jobs: Vec<Job>,
    /// Access tokens in the order in which they were issued, and when.
    issued: Vec<(String, u64)>,
    pub static_token: Option<String>,
    /// Hosts of another user of the secret, which reject everything.
    pub foreign: Vec<&'static str>,
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
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let static_token = (rng.u32(0..10) == 0).then(|| format!("1000.{:032x}.{:032x}", rng.u128(..), rng.u128(..)));
        Self { static_token, ..Self::default() }
    }

    /// The token in the secret, if the operator stores one there.
    pub(crate) fn static_token(&self) -> Option<&str> {
        self.static_token.as_deref()
    }

    /// Starts a job; returns its number.
    pub(crate) fn start_job(&mut self, rng: &mut Rng, now: u64) -> usize {
        self.jobs.push(Job::draw(rng, now, self.jobs.len()));
        self.jobs.len() - 1
    }

    /// The latest access tokens.
    pub(crate) fn known_tokens(&self) -> impl Iterator<Item = &str> {
        let issued = self.issued.iter().rev().take(3).map(|(token, _)| token);
        issued.chain(&self.static_token).map(String::as_str)
    }

    /// The response to a request for a token. `revoked`: the credentials are not valid now.
    pub(crate) fn issue(&mut self, rng: &mut Rng, now: u64, revoked: bool) -> Answer {
        if revoked {
            return revoked_credentials();
        }
        if self.issued.iter().rev().take_while(|(_, at)| at + WINDOW > now).count() >= TOKENS_PER_WINDOW {
            return throttled_token();
        }
        // Zoho's own begin with "1000."; nothing may depend on it.
        let prefix = if rng.bool() { "" } else { "1000." };
        let token = format!("{prefix}{:032x}.{:032x}", rng.u128(..), rng.u128(..));
        self.issued.push((token.clone(), now));
        let body = json!({"access_token": token, "api_domain": "https://www.zohoapis.eu",
            "token_type": "Bearer", "expires_in": LIFETIME});
        document(200, &body, "")
    }

    /// A person revokes this token.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.issued.retain(|(issued, _)| issued != token);
    }

    /// The response to a request for a job's status.
    pub(crate) fn status(&self, path: &str, token: &str, now: u64, revoked: bool) -> Answer {
        let mut active = self.issued.iter().rev().take(ACTIVE_TOKENS);
        let is_valid = self.static_token() == Some(token)
            || active.any(|(known, at)| known == token && (at + self.spreading..at + LIFETIME).contains(&now));
        if revoked || !is_valid {
            return error(401, "INVALID_TOKEN", "TokenRejected");
        }
        let job = self
            .jobs
            .iter()
            .find(|job| path == format!("/crm/v8/{}/actions/mass_change_owner?job_id={}", job.module, job.id));
        job.map_or_else(|| page(404, "unknown path"), |job| job.answer(now))
    }
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
    let status = StatusCode::from_u16(status).unwrap();
    let response = Response { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
    Answer { response, means: "ZohoUnexpectedResponse" }
}

/// What comes instead of this response, if anything comes.
pub(crate) fn spoiled(answer: Answer, fault: &str, is_token: bool, rng: &mut Rng) -> Answer {
    match fault {
        "503" => error([500, 502, 503, 504][rng.usize(0..4)], "INTERNAL_ERROR", ""),
        "429" if is_token => throttled_token(),
        "429" => {
            let mut throttled = error(429, "TOO_MANY_REQUESTS", "");
            let dates = ["1", "7", "3000", "Mon, 23 Nov 2026 10:00:00 GMT", "soon"];
            let retry_after = HeaderValue::from_static(dates[rng.usize(0..5)]);
            if rng.bool() {
                throttled.response.headers.insert(header::RETRY_AFTER, retry_after);
            }
            throttled
        }
        "page" => page(200, "<html><body>We are down for maintenance</body></html>"),
        "403-page" => page(403, "<html><body>Request blocked</body></html>"),
        "cut" => {
            let mut body = answer.response.body;
            body.truncate(rng.usize(0..body.len().max(1)));
            let mut cut = page(200, "");
            cut.response.body = body;
            cut
        }
        "too-long" => Answer { means: "ZohoUnexpectedResponse", ..answer },
        "401" if is_token => revoked_credentials(),
        "401" => error(401, "INVALID_TOKEN", "TokenRejected"),
        "204" => Answer { means: "JobNotFound", ..page(204, "") },
        "odd" if is_token => document(200, &json!({"error": "something_new"}), ""),
        "odd" => error([400, 405, 409][rng.usize(0..3)], "SOMETHING_NEW", "ZohoUnexpectedResponse"),
        _ => answer,
    }
}
