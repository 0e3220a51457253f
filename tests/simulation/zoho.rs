//! Zoho: jobs and their lives, access tokens, and the responses over HTTP.

use crate::faults::Fault;
use crate::world::log_uniform;
use fastrand::Rng;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mass_change_owner_status::http::HttpResponse as Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobEnd {
    Completed { failed: u64, not_updated: u64 },
    Failed,
}

/// Why Zoho never gives the status of a job, or gives it no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    NoPermission,
    ScopeMismatch,
    InvalidModule,
    NoSuchJob,
    OtherModule,
}

/// A job: what is true of it, whatever anybody learns of it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub module: &'static str,
    pub id: String,
    queued_until: u64,
    ends_at: u64,
    pub end: JobEnd,
    total: u64,
    /// Whether the counts are given only once the job is completed.
    late_counts: bool,
    /// Counts move in steps of so many seconds.
    step: u64,
    pub problem: Option<(u64, Problem)>,
}

impl Job {
    /// A job that is started now.
    fn draw(rng: &mut Rng, now: u64, number: usize) -> Self {
        let queued_until = now + if rng.bool() { 0 } else { log_uniform(rng, 1.0, 3_000.0) };
        let takes = log_uniform(rng, 5.0, 60_000.0);
        let total = log_uniform(rng, 1.0, 100_000.0);
        let end = match rng.u32(0..6) {
            0 => JobEnd::Failed,
            1 => JobEnd::Completed { failed: rng.u64(0..=total), not_updated: 0 },
            2 => JobEnd::Completed { failed: 0, not_updated: rng.u64(0..=total) },
            _ => JobEnd::Completed { failed: 0, not_updated: 0 },
        };
        let problems = [
            Problem::NoPermission,
            Problem::ScopeMismatch,
            Problem::InvalidModule,
            Problem::NoSuchJob,
            Problem::OtherModule,
        ];
        let problem = (rng.u32(0..8) == 0).then(|| {
            let from = if rng.bool() { 0 } else { now + log_uniform(rng, 1.0, 5_000.0) };
            (from, problems[rng.usize(0..problems.len())])
        });
        Self {
            module: ["Leads", "Price_Books", "CustomModule1"][rng.usize(0..3)],
            id: (3_652_397_000_009_000_000 + number).to_string(),
            queued_until,
            ends_at: queued_until + takes,
            end,
            total,
            late_counts: rng.u32(0..4) > 0,
            step: log_uniform(rng, 1.0, 2_000.0),
            problem,
        }
    }

    /// How the job ended, once it has.
    pub(crate) fn ended(&self, now: u64) -> Option<JobEnd> {
        (now >= self.ends_at).then_some(self.end)
    }

    fn status(&self, now: u64) -> Value {
        let mut job = match (now < self.queued_until, self.ended(now)) {
            (true, _) => json!({"Status": "SCHEDULED"}),
            (false, None) => {
                json!({"Status": if self.step.is_multiple_of(2) { "RUNNING" } else { "in progress" }})
            }
            (false, Some(JobEnd::Failed)) => json!({"Status": "FAILED"}),
            (false, Some(JobEnd::Completed { .. })) => json!({"Status": "COMPLETED"}),
        };
        if let Some(JobEnd::Completed { failed, not_updated }) = self.ended(now) {
            job["Total_Count"] = json!(self.total);
            job["Failed_Count"] = json!(failed);
            job["Not_Updated_Count"] = json!(not_updated);
            job["Updated_Count"] = json!(self.total - failed - not_updated);
        } else if !self.late_counts {
            let ran = now.saturating_sub(self.queued_until) / self.step * self.step;
            job["Total_Count"] = json!(self.total);
            job["Failed_Count"] = json!(0);
            job["Updated_Count"] = json!(self.total * ran / (self.ends_at - self.queued_until + 1));
        }
        json!({"data": [job]})
    }

    fn response(&self, now: u64) -> Response {
        match self.problem.filter(|(from, _)| now >= *from) {
            None => json_response(200, &self.status(now)),
            Some((_, Problem::NoPermission)) => error(403, "NO_PERMISSION", "permission denied"),
            Some((_, Problem::ScopeMismatch)) => error(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope"),
            Some((_, Problem::InvalidModule)) => {
                error(400, "INVALID_MODULE", "the module name given seems to be invalid")
            }
            Some((_, Problem::NoSuchJob)) => Response { status: StatusCode::NO_CONTENT, ..page("") },
            Some((_, Problem::OtherModule)) => {
                error(404, "INVALID_DATA", "the related id given seems to be invalid")
            }
        }
    }
}

/// Zoho's state.
#[derive(Debug)]
pub(crate) struct Zoho {
    pub jobs: Vec<Job>,
    /// Access tokens, and until when they are valid.
    tokens: BTreeMap<String, u64>,
    /// Tokens in the order in which they were issued, and when.
    issued: Vec<(String, u64)>,
    /// From when on the credentials are rejected.
    pub rejected_from: Option<u64>,
    lifetime: u64,
    static_token: Option<String>,
}

/// 10 tokens in 10 minutes for a refresh token (docs/zoho-api.md).
const TOKENS_PER_WINDOW: usize = 10;
const WINDOW: u64 = 600;

/// Beyond so many, the oldest token is invalidated.
const ACTIVE_TOKENS: usize = 15;

impl Zoho {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let rejected_from = (rng.u32(0..20) == 0).then(|| log_uniform(rng, 1.0, 20_000.0));
        let static_token = (rng.u32(0..10) == 0).then(|| format!("static{:016x}.token", rng.u64(..)));
        let tokens = static_token.iter().map(|token| (token.clone(), u64::MAX)).collect();
        let lifetime = if rng.u32(0..4) == 0 { 300 } else { 3_600 };
        Self { jobs: Vec::new(), tokens, issued: Vec::new(), rejected_from, lifetime, static_token }
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

    /// Starts a job that nothing keeps from being checked.
    pub(crate) fn start_healthy_job(&mut self, rng: &mut Rng, now: u64) -> &Job {
        let number = self.start_job(rng, now);
        self.jobs[number].problem = None;
        &self.jobs[number]
    }

    /// The latest access tokens.
    pub(crate) fn known_tokens(&self) -> impl Iterator<Item = &str> {
        let issued = self.issued.iter().rev().take(ACTIVE_TOKENS).map(|(token, _)| token);
        issued.chain(&self.static_token).map(String::as_str)
    }

    fn rejects(&self, now: u64) -> bool {
        self.rejected_from.is_some_and(|from| now >= from)
    }

    /// The response to a request for a token.
    pub(crate) fn issue(&mut self, rng: &mut Rng, now: u64) -> Response {
        if self.rejects(now) {
            return json_response(200, &json!({"error": "invalid_code"}));
        }
        if self.issued.iter().filter(|(_, at)| at + WINDOW > now).count() >= TOKENS_PER_WINDOW {
            return throttled_token();
        }
        // Zoho's own begin with "1000."; nothing may depend on it.
        let prefix = if self.lifetime == 300 { "" } else { "1000." };
        let token = format!("{prefix}{:016x}{:016x}.{}", rng.u64(..), rng.u64(..), self.issued.len());
        self.tokens.insert(token.clone(), now + self.lifetime);
        self.issued.push((token.clone(), now));
        if let Some((oldest, _)) =
            self.issued.len().checked_sub(ACTIVE_TOKENS + 1).and_then(|n| self.issued.get(n))
        {
            self.tokens.insert(oldest.clone(), 0);
        }
        let body = json!({"access_token": token, "api_domain": "https://www.zohoapis.eu", "token_type": "Bearer", "expires_in": self.lifetime});
        json_response(200, &body)
    }

    /// The response to a request for a job's status.
    pub(crate) fn status(&self, path: &str, token: &str, now: u64) -> Response {
        let is_valid = self.tokens.get(token).is_some_and(|until| now < *until) && !self.rejects(now);
        if !is_valid {
            return unauthorized();
        }
        let job = self.jobs.iter().find(|job| {
            path == format!("/crm/v8/{}/actions/mass_change_owner?job_id={}", job.module, job.id)
        });
        job.map_or_else(|| page("unknown path"), |job| job.response(now))
    }
}

/// A response with this status and JSON document.
pub(crate) fn json_response(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    Response { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    json_response(status, &json!({"code": code, "details": {}, "message": message, "status": "error"}))
}

fn unauthorized() -> Response {
    error(401, "INVALID_TOKEN", "invalid oauth token")
}

fn throttled_token() -> Response {
    let body = json!({"error": "Access Denied", "status": "failure", "error_description":
        "You have made too many requests continuously. Please try again after some time."});
    json_response(400, &body)
}

fn page(body: &str) -> Response {
    Response { status: StatusCode::OK, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
}

/// What comes instead of this response, if anything comes.
pub(crate) fn spoiled(response: Response, fault: Fault, is_token: bool, rng: &mut Rng) -> Response {
    match fault {
        Fault::ServerError => {
            error([500, 502, 503, 504][rng.usize(0..4)], "INTERNAL_ERROR", "Internal Server Error")
        }
        Fault::Throttle if is_token => throttled_token(),
        Fault::Throttle => {
            let mut throttled = error(429, "TOO_MANY_REQUESTS", "too many requests fired");
            let retry_after =
                ["", "1", "7", "3000", "Mon, 23 Nov 2026 10:00:00 GMT", "soon"][rng.usize(0..6)];
            if !retry_after.is_empty() {
                throttled.headers.insert(header::RETRY_AFTER, HeaderValue::from_static(retry_after));
            }
            throttled
        }
        Fault::StrayPage => page("<html><body>We are down for maintenance</body></html>"),
        Fault::Truncated => {
            let end = rng.usize(0..response.body.len().max(1));
            Response { body: response.body[..end.min(response.body.len())].to_vec(), ..response }
        }
        Fault::Unauthorized => unauthorized(),
        Fault::Oversized | Fault::Unreachable | Fault::LostResponse | Fault::Stall => response,
    }
}
