//! What happened, and the rules that it must keep.

use crate::environment::Task;
use crate::secrets::CREDENTIALS;
use crate::world::World;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::pacing::Bounds;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub violations: Vec<String>,
    pub watches: Vec<Watch>,
    /// Names of schedules that have ended, and when: another one can have the name.
    pub names_used: BTreeMap<String, u64>,
    /// Jobs whose final end is told.
    told_jobs: BTreeSet<usize>,
    /// Which environments request a token now, and whether they have reason to do so without a claim.
    token_requests: Vec<(usize, bool)>,
    /// When a service last gave a reason for an error of this name.
    reasons: BTreeMap<&'static str, u64>,
    /// Which end an event ID is about, and the other way around.
    ends_by_event_id: BTreeMap<String, End>,
    event_ids_by_end: BTreeMap<End, String>,
}

/// A watch, as whoever started it sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    pub job: usize,
    pub started: u64,
    pub is_told: bool,
    pub is_over: bool,
    /// Whoever started it has given it up.
    pub is_given_up: bool,
    /// Nobody may be told: its schedule ends too early, or somebody changed it.
    pub may_be_lost: bool,
}

/// What one event ID stands for: the job, the outcome, and the watch, if the end says nothing final about the job.
type End = (usize, String, Option<usize>);

/// A message for SNS.
#[derive(Debug)]
pub(crate) struct Publication {
    pub watch: usize,
    /// When the function composed it.
    pub at: u64,
    /// The request of the check had the status of an earlier report.
    pub has_worked: bool,
    pub event_id: String,
    /// Empty for a notice.
    pub outcome: String,
    pub body: String,
}

/// An invocation that has a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invoked<'a> {
    pub payload: &'a Value,
    pub request: &'a Value,
    pub task: Task,
    /// When it began and ended, by the clock of the environment.
    pub at: (Timestamp, Timestamp),
    pub bounds: &'a Bounds,
}

/// Clocks are off by up to two minutes, and reports take a while to be published.
const SKEW: i64 = 130;

/// For so long, a service may have given the reason for an error: environments share the failures of token requests.
const REASON_SECONDS: u64 = 3_600;

/// A schedule's watch has worked after so long, whatever its input says (contract).
const WORKED_AFTER: i64 = 900;

impl Ledger {
    /// A service gave a reason for an error of this name, or for none.
    pub(crate) fn note(&mut self, error: &'static str, now: u64) {
        self.reasons.insert(error, now);
    }

    fn has_reason(&self, error: &str, now: u64) -> bool {
        self.reasons.get(error).is_some_and(|then| now < then + REASON_SECONDS)
    }

    /// Whether the end of a watch is told: by its own message, or by another one about the end of its job.
    pub(crate) fn is_told(&self, watch: usize) -> bool {
        let watch = &self.watches[watch];
        watch.is_told || self.told_jobs.contains(&watch.job)
    }

    /// A request for a token reaches Zoho. No other may be under way, unless one of the two needs no claim.
    pub(crate) fn token_request_begins(&mut self, environment: usize, alone: bool) {
        if let Some((other, _)) = self.token_requests.iter().find(|(_, other)| !other && !alone) {
            self.violations.push(format!("environments {other} and {environment} request a token at a time"));
        }
        self.token_requests.push((environment, alone));
    }

    pub(crate) fn token_request_ends(&mut self, environment: usize) {
        let found = self.token_requests.iter().position(|(other, _)| *other == environment);
        self.token_requests.swap_remove(found.unwrap());
    }

    /// What is left at the end, when nothing is going on any more.
    pub(crate) fn check_remains(&mut self) {
        for (number, watch) in self.watches.iter().enumerate() {
            let problem = match watch {
                Watch { is_over: false, .. } => "never ends",
                Watch { is_given_up: true, .. } | Watch { may_be_lost: true, .. } => continue,
                _ if !self.is_told(number) => "ends, but nobody is told",
                _ => continue,
            };
            self.violations.push(format!("watch {number} {problem}"));
        }
    }
}

impl World {
    /// SNS accepts a message; returns its ID. Checks that it is true, and that its end has one ID.
    pub(crate) fn publish(&self, publication: &Publication) -> String {
        let Publication { watch, event_id, outcome, body, .. } = publication;
        self.trace(|| format!("watch {watch} is announced: {event_id}, {body}"));
        let body: Value = serde_json::from_str(body).unwrap();
        let report: Value = serde_json::from_str(body["default"].as_str().unwrap()).unwrap();
        let text = body["email"].as_str().unwrap();
        let mut problems = self.secrets_in(&publication.body);
        problems.extend(self.untruth(publication, &report, text).map(str::to_owned));
        let state = &mut *self.state();
        let ledger = &mut state.ledger;
        let job = ledger.watches[*watch].job;
        let is_final = !outcome.starts_with("WATCH_");
        if !outcome.is_empty() {
            ledger.watches[*watch].is_told = true;
            if is_final {
                ledger.told_jobs.insert(job);
            }
            let end: End = (job, outcome.clone(), (!is_final).then_some(*watch));
            let known = ledger.ends_by_event_id.entry(event_id.clone()).or_insert_with(|| end.clone());
            if *known != end {
                problems.push(format!("the event ID {event_id} stands for {known:?} and for {end:?}"));
            }
            let known = ledger.event_ids_by_end.entry(end).or_insert_with(|| event_id.clone());
            if known != event_id {
                problems.push(format!("one end has the event IDs {known} and {event_id}"));
            }
        }
        let tell = |problem| format!("watch {watch}: {problem} in {report} {text}");
        ledger.violations.extend(problems.into_iter().map(tell));
        "message".to_owned()
    }

    /// Secrets that this text shows: a violation each.
    fn secrets_in(&self, text: &str) -> Vec<String> {
        let state = self.state();
        // A part of a token can be enough to find the rest.
        let tokens = state.zoho.known_tokens().map(|token| token.get(..16).unwrap_or(token));
        let shown = tokens.chain(CREDENTIALS).filter(|secret| text.contains(secret));
        shown.map(|secret| format!("the secret {secret} is shown")).collect()
    }

    /// What is false about a message.
    fn untruth(&self, publication: &Publication, report: &Value, text: &str) -> Option<&'static str> {
        let (state, now) = (self.state(), publication.at);
        let watch = &state.ledger.watches[publication.watch];
        let job = &state.zoho.jobs[watch.job];
        let error = report["error"]["type"].as_str();
        let says = |words| text.contains(words);
        let seconds = |key: &str, more: i64| {
            let at = report[key].as_str().and_then(Timestamp::parse).unwrap();
            u64::try_from(at.seconds_since(World::at(0)) + more).unwrap_or(0)
        };
        if says("still unfinished") && (error.is_some() || job.ended(seconds("checked_at", -SKEW)).is_some())
        {
            return Some("it is not known to be unfinished");
        }
        if says("could not be checked") && error.is_none() {
            return Some("the check did not fail");
        }
        match (publication.outcome.as_str(), error) {
            ("SUCCEEDED" | "PARTIALLY_SUCCEEDED" | "FAILED", None) => {
                let claimed = (publication.outcome.as_str(), report["updated_count"].as_u64());
                let is_true =
                    job.ended(now).is_some_and(|(outcome, count)| claimed == (outcome, Some(count)));
                (!is_true).then_some("the job has not ended like that")
            }
            ("WATCH_TIMED_OUT", _) => {
                let early = now + u64::try_from(2 * SKEW).unwrap() < watch.started + self.limit;
                early.then_some("the limit is not reached")
            }
            ("WATCH_FAILED", Some("States.Timeout")) => (!watch.is_given_up).then_some("nobody gave it up"),
            ("WATCH_FAILED", Some(error)) => {
                let is_retryable = ErrorType::from_name(error).is_none_or(ErrorType::is_retryable);
                match () {
                    () if is_retryable => Some("the error is not permanent"),
                    () if publication.has_worked => Some("the watch has worked"),
                    () if !state.ledger.has_reason(error, now) => Some("nothing gave reason for the error"),
                    () => None,
                }
            }
            ("", None) => job.ended(seconds("checked_at", -SKEW)).map(|_| "the job has ended"),
            _ => Some("no such end exists"),
        }
    }

    /// The rules for every response.
    pub(crate) fn check(&self, invoked: &Invoked<'_>, result: &Result<Value, WatchError>) {
        let text = match result {
            Ok(report) => serde_json::to_string(report).unwrap(),
            Err(error) => error.message().to_owned(),
        };
        let shown = self.secrets_in(&text).pop();
        let problem = shown.or(match result {
            Ok(report) if report["outcome"].is_null() => self.wrong_wait(invoked, report).map(str::to_owned),
            Ok(_) => None,
            Err(_) if text.len() > 4_000 || text.contains('\n') => Some("not one short line".into()),
            Err(error) => self.wrong_error(invoked, error.kind()).map(str::to_owned),
        });
        if let Some(problem) = problem {
            self.violation(format!("watch {}: {problem}: {text} to {}", invoked.task.watch, invoked.payload));
        }
    }

    /// What is wrong about an error in the place of a report.
    fn wrong_error(&self, invoked: &Invoked<'_>, error: ErrorType) -> Option<&'static str> {
        let is_after_check = matches!(error, ErrorType::NotificationFailed | ErrorType::ScheduleNotDeleted);
        let is_configured = error != ErrorType::InvalidConfiguration;
        match invoked {
            _ if invoked.task.is_direct => None,
            _ if invoked.payload.get("announcement").is_some() => Some("a state machine gets an error"),
            _ => (is_configured && !is_after_check).then_some("a failed check of a schedule is an error"),
        }
    }

    /// What is wrong about a watch that goes on.
    fn wrong_wait(&self, invoked: &Invoked<'_>, report: &Value) -> Option<&'static str> {
        let Invoked { request, task, at, bounds, payload } = *invoked;
        let error = report["error"]["type"].as_str();
        let is_configured = error != Some("InvalidConfiguration");
        let request_time = |key: &str| request[key].as_str().and_then(Timestamp::parse);
        let time = |key: &str| report[key].as_str().and_then(Timestamp::parse).unwrap();
        // The least and the most that the clock of the environment can show.
        let since =
            |then: Timestamp| [at.0, at.1].map(|now| u64::try_from(now.seconds_since(then)).unwrap_or(0));
        let watched = since(time("first_checked_at"));
        if is_configured && watched[0] >= self.limit {
            return Some("the watch goes on at its limit");
        }
        if report["checks"].as_u64() != Some(request["checks"].as_u64().unwrap_or(0) + 1) {
            return Some("the number of checks is wrong");
        }
        let many =
            watched.map(|seconds| if report["checks"].as_u64() >= Some(1_000) { seconds / 100 } else { 0 });
        let (mut least, mut most) = (bounds.min_seconds, bounds.max_seconds);
        if let Some(error) = error {
            let kind = ErrorType::from_name(error).unwrap();
            let began = request_time("first_checked_at");
            let is_old = payload.get("schedule_arn").is_some()
                && began.is_none_or(|began| at.1.seconds_since(began) > WORKED_AFTER);
            if !kind.is_retryable() && !task.has_worked && !is_old {
                return Some("the watch goes on although it never worked");
            }
            if !kind.is_retryable() && !self.state().ledger.has_reason(error, self.elapsed()) {
                return Some("nothing gave reason for the error");
            }
            let mut facts =
                vec!["status", "total_count", "updated_count", "not_updated_count", "failed_count"];
            // What is in the future by this clock counts as absent.
            facts.extend(request_time("checked_at").is_some_and(|then| then <= at.0).then_some("checked_at"));
            if task.has_worked && facts.iter().any(|key| report[key] != request[key]) {
                return Some("the report does not have the last known facts");
            }
            let unseen = since(time(if task.has_worked { "checked_at" } else { "first_checked_at" }));
            let quarter = unseen.map(|seconds| (seconds / 4).clamp(10, 900));
            let named = match kind {
                ErrorType::TokenRateLimited => [120, 3_600],
                ErrorType::InvalidConfiguration => [3_600, 3_600],
                ErrorType::ZohoRateLimited | ErrorType::ZohoUnavailable => [0, 3_600],
                _ => [0, 0],
            };
            least = least.min(if is_configured { u64::MAX } else { 10 }).max(quarter[0]).max(named[0]);
            most = bounds.min_seconds.max(quarter[1] * 6 / 5).max(named[1]);
        }
        let wait = report["next_check_seconds"].as_u64().unwrap();
        let is_bounded = (least.max(many[0])..=most.max(many[1])).contains(&wait);
        (!is_bounded).then_some("the wait is out of bounds")
    }
}
