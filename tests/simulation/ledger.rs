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
    /// Requests for a token: by which environment, and when.
    pub requested: Vec<(usize, u64)>,
    /// Which environments request a token now, and whether they have reason to do so without a claim.
    requesting: Vec<(usize, bool)>,
    /// Jobs whose final end is told.
    told_jobs: BTreeSet<usize>,
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
pub(crate) type End = (usize, String, Option<usize>);

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
    pub at: [Timestamp; 2],
    pub bounds: &'a Bounds,
}

/// Clocks are off by up to two minutes, and reports take a while to be published.
const SKEW: u64 = 130;

/// For so long, a service may have given the reason for an error: environments share the failures of token requests.
const REASON_SECONDS: u64 = 3_600;

/// A schedule's watch has worked after so long, whatever its input says (contract).
const WORKED_AFTER: i64 = 900;

/// A rule, and whether it is broken.
type Broken = (bool, &'static str);

/// The first rule of these that is broken.
fn first<const N: usize>(rules: [Broken; N]) -> Option<String> {
    rules.into_iter().find_map(|(is_broken, rule)| is_broken.then(|| rule.to_owned()))
}

fn time(of: &Value, key: &str) -> Option<Timestamp> {
    of[key].as_str().and_then(Timestamp::parse)
}

impl Ledger {
    /// Ends of watches before their jobs, which nobody asked for.
    pub(crate) fn early_ends(&self) -> impl Iterator<Item = &End> {
        let given_up = |watch: Option<usize>| watch.is_some_and(|watch| self.watches[watch].is_given_up);
        self.event_ids_by_end
            .keys()
            .filter(move |(_, outcome, watch)| outcome.starts_with("WATCH_") && !given_up(*watch))
    }

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
    pub(crate) fn token_request_begins(&mut self, environment: usize, alone: bool, now: u64) {
        if let Some((other, _)) = self.requesting.iter().find(|(_, other)| !other && !alone) {
            self.violations.push(format!("environments {other} and {environment} request a token at a time"));
        }
        self.requested.push((environment, now));
        self.requesting.push((environment, alone));
    }

    pub(crate) fn token_request_ends(&mut self, environment: usize) {
        let found = self.requesting.iter().position(|(other, _)| *other == environment);
        self.requesting.swap_remove(found.unwrap());
    }

    /// What is left at the end, when nothing is going on any more.
    pub(crate) fn check_remains(&mut self) {
        for (number, watch) in self.watches.iter().enumerate() {
            let may_be_untold = watch.is_given_up || watch.may_be_lost || self.is_told(number);
            let rules = [(!watch.is_over, "never ends"), (!may_be_untold, "ends, but nobody is told")];
            self.violations.extend(first(rules).map(|problem| format!("watch {number} {problem}")));
        }
    }

    /// What is wrong about the IDs of an end.
    fn tell_end(&mut self, watch: usize, event_id: &str, outcome: &str) -> Option<String> {
        let (job, is_final) = (self.watches[watch].job, !outcome.starts_with("WATCH_"));
        self.watches[watch].is_told = true;
        self.told_jobs.extend(is_final.then_some(job));
        let end: End = (job, outcome.to_owned(), (!is_final).then_some(watch));
        let known_end = self.ends_by_event_id.entry(event_id.to_owned()).or_insert_with(|| end.clone());
        let known_id = self.event_ids_by_end.entry(end.clone()).or_insert_with(|| event_id.to_owned());
        let is_one = *known_end == end && known_id == event_id;
        (!is_one).then(|| format!("{end:?} and {known_end:?} have the event IDs {event_id} and {known_id}"))
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
        let is_end = !outcome.is_empty();
        let wrong_id = is_end.then(|| self.state().ledger.tell_end(*watch, event_id, outcome)).flatten();
        let shown = self.secret_in(&publication.body);
        let untrue = if is_end { self.untrue_end(publication, &report) } else { None };
        let untrue = untrue.or_else(|| self.untrue_text(publication, &report, text));
        for problem in [wrong_id, shown, untrue].into_iter().flatten() {
            self.violation(format!("watch {watch}: {problem} in {report} {text}"));
        }
        "message".to_owned()
    }

    /// A secret that this text shows.
    fn secret_in(&self, text: &str) -> Option<String> {
        let state = self.state();
        // A part of a token can be enough to find the rest.
        let tokens = state.zoho.known_tokens().map(|token| token.get(..16).unwrap_or(token));
        let shown = tokens.chain(CREDENTIALS).find(|secret| text.contains(secret));
        shown.map(|secret| format!("the secret {secret} is shown"))
    }

    /// What is false about the words of a message.
    fn untrue_text(&self, publication: &Publication, report: &Value, text: &str) -> Option<String> {
        let state = self.state();
        let job = &state.zoho.jobs[state.ledger.watches[publication.watch].job];
        let checked_at = time(report, "checked_at").map(|at| at.seconds_since(World::at(SKEW)));
        let had_ended = job.ended(checked_at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0)).is_some();
        let (failed, is_notice) = (report["error"].is_object(), publication.outcome.is_empty());
        let is_said_to_run = text.contains("still unfinished");
        first([
            (is_said_to_run && (failed || had_ended), "it is not known to be unfinished"),
            (text.contains("could not be checked") && !failed, "the check did not fail"),
            (is_notice && failed, "a notice without a status"),
            (is_notice && had_ended, "the job has ended"),
        ])
    }

    /// What is false about an end.
    fn untrue_end(&self, publication: &Publication, report: &Value) -> Option<String> {
        let (state, now) = (self.state(), publication.at);
        let watch = &state.ledger.watches[publication.watch];
        let error = report["error"]["type"].as_str();
        let outcome = publication.outcome.as_str();
        let claimed = report["updated_count"].as_u64().map(|count| (outcome, count));
        let is_timeout = outcome == "WATCH_TIMED_OUT";
        let given_up = outcome == "WATCH_FAILED" && error == Some("States.Timeout");
        let failed = error.filter(|_| outcome == "WATCH_FAILED" && !given_up);
        let is_retryable = |error| ErrorType::from_name(error).is_none_or(ErrorType::is_retryable);
        let has_ended = !is_timeout && !given_up && failed.is_none();
        let is_true = error.is_none() && state.zoho.jobs[watch.job].ended(now) == claimed;
        first([
            (has_ended && !(is_true && claimed.is_some()), "the job has not ended like that"),
            (is_timeout && now + 2 * SKEW < watch.started + self.limit, "the limit is not reached"),
            (given_up && !watch.is_given_up, "nobody gave it up"),
            (failed.is_some_and(is_retryable), "the error is not permanent"),
            (failed.is_some() && publication.has_worked, "the watch has worked"),
            (failed.is_some_and(|error| !state.ledger.has_reason(error, now)), "nothing gave reason for the error"),
        ])
    }

    /// The rules for every response.
    pub(crate) fn check(&self, invoked: &Invoked<'_>, result: &Result<Value, WatchError>) {
        let Invoked { payload, task, .. } = invoked;
        let text = match result {
            Ok(report) => serde_json::to_string(report).unwrap(),
            Err(error) => error.message().to_owned(),
        };
        let problem = self.secret_in(&text).or_else(|| match result {
            Ok(report) if report["outcome"].is_null() => self.wrong_wait(invoked, report),
            Ok(_) => None,
            Err(error) => {
                use ErrorType::{InvalidConfiguration, NotificationFailed, ScheduleNotDeleted};
                let by_machine = payload.get("announcement").is_some();
                let by_schedule = [InvalidConfiguration, NotificationFailed, ScheduleNotDeleted];
                let is_allowed = task.is_direct || !by_machine && by_schedule.contains(&error.kind());
                first([
                    (text.len() > 4_000 || text.contains('\n'), "not one short line"),
                    (!is_allowed, "an error in the place of a report"),
                ])
            }
        });
        if let Some(problem) = problem {
            self.violation(format!("watch {}: {problem}: {text} to {payload}", task.watch));
        }
    }

    /// What is wrong about a watch that goes on.
    fn wrong_wait(&self, invoked: &Invoked<'_>, report: &Value) -> Option<String> {
        let Invoked { request, task, at, bounds, payload } = *invoked;
        let error = report["error"]["type"].as_str();
        // The least and the most that the clock of the environment can show.
        let since = |key: &str| {
            let then = time(report, key).unwrap();
            at.map(|now| u64::try_from(now.seconds_since(then)).unwrap_or(0))
        };
        let (watched, checks) = (since("first_checked_at"), report["checks"].as_u64());
        let many = watched.map(|seconds| if checks >= Some(1_000) { seconds / 100 } else { 0 });
        let (mut least, mut most) = (bounds.min_seconds, bounds.max_seconds);
        let is_configured = error != Some("InvalidConfiguration");
        let is_permanent = error.is_some_and(|error| !ErrorType::from_name(error).unwrap().is_retryable());
        if let Some(error) = error {
            let unseen = since(if task.has_worked { "checked_at" } else { "first_checked_at" });
            let quarter = unseen.map(|seconds| (seconds / 4).clamp(10, 900));
            let named = match error {
                "TokenRateLimited" => [120, 3_600],
                "InvalidConfiguration" => [3_600, 3_600],
                "ZohoRateLimited" | "ZohoUnavailable" => [0, 3_600],
                _ => [0, 0],
            };
            least = least.min(if is_configured { u64::MAX } else { 10 }).max(quarter[0]).max(named[0]);
            most = bounds.min_seconds.max(quarter[1] * 6 / 5).max(named[1]);
        }
        let wait = report["next_check_seconds"].as_u64().unwrap();
        let is_bounded = (least.max(many[0])..=most.max(many[1])).contains(&wait);
        let is_young = |began: Timestamp| at[1].seconds_since(began) <= WORKED_AFTER;
        let has_worked = task.has_worked
            || payload.get("schedule_arn").is_some() && !time(request, "first_checked_at").is_some_and(is_young);
        let has_reason = |error| self.state().ledger.has_reason(error, self.elapsed());
        // What is in the future by this clock counts as absent.
        let is_past = time(request, "checked_at").is_some_and(|then| then <= at[0]);
        let facts = ["status", "total_count", "updated_count", "not_updated_count", "failed_count"];
        let facts = facts.into_iter().chain(is_past.then_some("checked_at"));
        let forgets = facts.into_iter().any(|key| report[key] != request[key]);
        first([
            (is_configured && watched[0] >= self.limit, "the watch goes on at its limit"),
            (checks != Some(request["checks"].as_u64().unwrap_or(0) + 1), "the number of checks is wrong"),
            (is_permanent && !has_worked, "the watch goes on although it never worked"),
            (is_permanent && !error.is_some_and(has_reason), "nothing gave reason for the error"),
            (error.is_some() && task.has_worked && forgets, "the report does not have the last known facts"),
            (!is_bounded, "the wait is out of bounds"),
        ])
    }
}
