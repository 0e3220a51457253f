//! What happened, and the rules that it must keep.

use crate::environment::Task;
use crate::secrets::CREDENTIALS;
use crate::world::World;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

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
    /// When a service last gave a reason for an error of this name.
    reasons: BTreeMap<&'static str, u64>,
    /// The ends that were told, and the event ID of each.
    told: Vec<(End, String)>,
}

/// A watch, as whoever started it sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    pub job: usize,
    pub started: u64,
    pub is_over: bool,
    /// Whoever started it has given it up.
    pub is_given_up: bool,
    /// Nobody may be told: its schedule ends too early, or somebody changed it.
    pub may_be_lost: bool,
}

/// What one event ID stands for: the job, the outcome, and the watch, if the end says nothing final about the job.
type End = (usize, String, Option<usize>);

/// Clocks are off by up to two minutes, and reports take a while to be published.
const SKEW: u64 = 130;

/// For so long, a service may have given the reason for an error: environments share the failures of token requests, the
/// longest of 59 minutes.
const REASON_SECONDS: u64 = 3_540 + SKEW;

/// A schedule's watch has worked after so long, whatever its input says (contract).
const WORKED_AFTER: i64 = 900;

/// The first of these rules that is broken.
fn first<const N: usize>(rules: [(bool, &'static str); N]) -> Option<String> {
    rules.into_iter().find_map(|(is_broken, rule)| is_broken.then(|| rule.to_owned()))
}

fn time(of: &Value, key: &str) -> Option<Timestamp> {
    of[key].as_str().and_then(Timestamp::parse)
}

fn is_permanent(error: &str) -> bool {
    ErrorType::from_name(error).is_some_and(|error| !error.is_retryable())
}

impl Ledger {
    /// Ends of watches before their jobs, which nobody asked for.
    pub(crate) fn early_ends(&self) -> impl Iterator<Item = &End> {
        let is_given_up = |watch: Option<usize>| watch.is_none_or(|watch| self.watches[watch].is_given_up);
        self.told.iter().map(|(end, _)| end).filter(move |(_, _, watch)| !is_given_up(*watch))
    }

    pub(crate) fn note(&mut self, error: &'static str, now: u64) {
        self.reasons.insert(error, now);
    }

    fn has_reason(&self, error: &str, now: u64) -> bool {
        self.reasons.get(error).is_some_and(|then| now < then + REASON_SECONDS)
    }

    /// Whether the end of a watch is told: by its own message, or by another one about the end of its job.
    pub(crate) fn is_told(&self, watch: usize) -> bool {
        let of_job = || self.told.iter().filter(|((job, ..), _)| *job == self.watches[watch].job);
        of_job().any(|((.., of), _)| of.is_none_or(|of| of == watch))
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

    pub(crate) fn check_remains(&mut self) {
        for (number, watch) in self.watches.iter().enumerate() {
            let may_be_untold = watch.is_given_up || watch.may_be_lost || self.is_told(number);
            let rules = [(!watch.is_over, "never ends"), (!may_be_untold, "ends, but nobody is told")];
            self.violations.extend(first(rules).map(|problem| format!("watch {number} {problem}")));
        }
    }

    /// What is wrong about the ID of an end: each has one, and no two have the same.
    fn tell(&mut self, watch: usize, event_id: &str, outcome: &str) -> Option<String> {
        let of_watch = outcome.starts_with("WATCH_").then_some(watch);
        let end = (self.watches[watch].job, outcome.to_owned(), of_watch);
        let is_other = |(known, id): &&(End, String)| (*known == end) != (id == event_id);
        let problem = self.told.iter().find(is_other).map(|known| format!("{end:?} has the ID {event_id}: {known:?}"));
        self.told.push((end, event_id.to_owned()));
        problem
    }
}

impl World {
    /// SNS accepts a message; returns its ID. Checks that it is true, and that its end has one ID.
    /// `at`: when the function composed it; `has_worked`: whether the watch had worked by then.
    pub(crate) fn publish(&self, watch: usize, at: u64, has_worked: bool, message: &Value) -> String {
        self.trace(|| format!("watch {watch} is announced: {message}"));
        let attribute = |name: &str| message["attributes"][name]["StringValue"].as_str().unwrap_or_default();
        let (event_id, outcome, body) = (attribute("event_id"), attribute("outcome"), message["message"].as_str());
        let channels: Value = serde_json::from_str(body.unwrap()).unwrap();
        let report: Value = serde_json::from_str(channels["default"].as_str().unwrap()).unwrap();
        let text = channels["email"].as_str().unwrap();
        let is_end = !outcome.is_empty();
        let wrong_id = is_end.then(|| self.state().ledger.tell(watch, event_id, outcome)).flatten();
        let untrue = self.untrue(watch, at, has_worked, &report, text);
        let problems = [wrong_id, self.secret_in(&message.to_string()), untrue];
        for problem in problems.into_iter().flatten() {
            self.violation(format!("watch {watch}: {problem} in {report} {text}"));
        }
        "message".to_owned()
    }

    fn secret_in(&self, text: &str) -> Option<String> {
        let state = self.state();
        // A part of a token can be enough to find the rest.
        let tokens = state.zoho.known_tokens().map(|token| token.get(..16).unwrap_or(token));
        let shown = tokens.chain(CREDENTIALS).find(|secret| text.contains(secret));
        shown.map(|secret| format!("the secret {secret} is shown"))
    }

    fn untrue(&self, watch: usize, now: u64, has_worked: bool, report: &Value, text: &str) -> Option<String> {
        let (state, outcome) = (self.state(), report["outcome"].as_str().unwrap_or_default());
        let watch = &state.ledger.watches[watch];
        let job = &state.zoho.jobs[watch.job];
        let checked_at = time(report, "checked_at").map(|at| at.seconds_since(World::at(SKEW)));
        let had_ended = job.ended(checked_at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0)).is_some();
        let error = report["error"]["type"].as_str();
        let [is_notice, is_timeout, is_failure] = ["", "WATCH_TIMED_OUT", "WATCH_FAILED"].map(|known| outcome == known);
        let given_up = is_failure && error == Some("States.Timeout");
        let (failed, is_final) = (is_failure && !given_up, !is_notice && !is_timeout && !is_failure);
        let claimed = report["updated_count"].as_u64().map(|count| (outcome, count));
        let is_true = error.is_none() && claimed.is_some() && claimed == job.ended(now);
        first([
            (is_final && !is_true, "the job has not ended like that"),
            (
                is_timeout && now + 2 * SKEW < watch.started + self.limits.watch_limit_seconds,
                "the limit is not reached",
            ),
            (given_up && !watch.is_given_up, "nobody gave it up"),
            (failed && !error.is_some_and(is_permanent), "the error is not permanent"),
            (failed && has_worked, "the watch has worked"),
            (failed && !error.is_some_and(|error| state.ledger.has_reason(error, now)), "nothing gave reason"),
            (is_notice && (error.is_some() || had_ended), "a notice about no job that runs"),
            (text.contains("still unfinished") && (error.is_some() || had_ended), "it is not known to be unfinished"),
            (text.contains("could not be checked") && error.is_none(), "the check did not fail"),
        ])
    }

    /// `at`: when the invocation began and ended, by the clock of its environment.
    pub(crate) fn check(&self, payload: &Value, task: Task, at: [Timestamp; 2], result: &Result<Value, WatchError>) {
        use ErrorType::{InvalidConfiguration, NotificationFailed, ScheduleNotDeleted};
        let text = match result {
            Ok(report) => report.to_string(),
            Err(error) => error.message.clone(),
        };
        let problem = self.secret_in(&text).or_else(|| match result {
            Ok(report) if report["outcome"].is_null() => self.wrong_wait(payload, task, at, report),
            Ok(_) => None,
            Err(error) => {
                let by_schedule = [InvalidConfiguration, NotificationFailed, ScheduleNotDeleted];
                let is_by_machine = payload.get("announcement").is_some();
                let is_allowed = task.is_direct || !is_by_machine && by_schedule.contains(&error.kind);
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

    fn wrong_wait(&self, payload: &Value, task: Task, at: [Timestamp; 2], report: &Value) -> Option<String> {
        let (request, bounds) = (payload.get("request").unwrap_or(payload), self.limits.bounds);
        let error = report["error"]["type"].as_str();
        // The least and the most that the clock of the environment can show.
        let since = |key: &str| {
            let then = time(report, key).unwrap();
            at.map(|now| u64::try_from(now.seconds_since(then)).unwrap_or(0))
        };
        let (watched, checks) = (since("first_checked_at"), report["checks"].as_u64());
        let (mut least, mut most) = (bounds.min_seconds, bounds.max_seconds);
        let is_configured = error != Some("InvalidConfiguration");
        if let Some(error) = error {
            let unseen = since(if report["status"].is_string() { "checked_at" } else { "first_checked_at" });
            let quarter = unseen.map(|seconds| (seconds / 4).clamp(10, 900));
            let named = match error {
                "TokenRateLimited" => [120, 3_600],
                "InvalidConfiguration" => [3_600, 3_600],
                "ZohoRateLimited" | "ZohoUnavailable" => [0, 3_600],
                _ => [0, 0],
            };
            least = bounds.min_seconds.max(quarter[0]).max(named[0]);
            most = bounds.min_seconds.max(quarter[1] * 6 / 5).max(named[1]);
        }
        if checks >= Some(1_000) {
            (least, most) = (least.max(watched[0] / 100), most.max(watched[1] / 100));
        }
        let wait = report["next_check_seconds"].as_u64().unwrap();
        let is_young = |began: Timestamp| at[1].seconds_since(began) <= WORKED_AFTER;
        let due = request["checks"].as_u64().unwrap_or(0) + 1;
        // The schedule knows of later checks than an event that comes twice.
        let is_later = error.is_some()
            && !task.has_worked
            && payload.get("schedule_arn").is_some()
            && report["status"].is_string()
            && checks > Some(due);
        let has_worked = task.has_worked
            || is_later
            || payload.get("schedule_arn").is_some() && !time(request, "first_checked_at").is_some_and(is_young);
        let is_permanent = error.is_some_and(is_permanent);
        let has_reason = error.is_some_and(|error| self.state().ledger.has_reason(error, self.elapsed()));
        // What is in the future by this clock counts as absent.
        let is_past = time(request, "checked_at").is_some_and(|then| then <= at[0]);
        let facts = ["status", "total_count", "updated_count", "not_updated_count", "failed_count"];
        let forgets = facts.into_iter().chain(is_past.then_some("checked_at")).any(|key| report[key] != request[key]);
        first([
            (is_configured && watched[0] >= self.limits.watch_limit_seconds, "the watch goes on at its limit"),
            (!is_later && checks != Some(due), "the number of checks is wrong"),
            (is_permanent && !has_worked, "the watch goes on although it never worked"),
            (is_permanent && !has_reason, "nothing gave reason for the error"),
            (error.is_some() && task.has_worked && forgets, "the report does not have the last known facts"),
            (!(least..=most).contains(&wait), "the wait is out of bounds"),
        ])
    }
}
