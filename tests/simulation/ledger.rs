//! What happened, and the rules that it must keep.

use crate::lambda::MAX_EVENT_AGE_SECONDS;
use crate::watches::GROUP;
use crate::world::World;
use crate::zoho::{Job, JobEnd, Problem};
use mass_change_owner_status::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub violations: Vec<String>,
    pub watches: Vec<Watch>,
    publications: Vec<Publication>,
    schedules: BTreeMap<String, Schedule>,
    mints: Vec<Mint>,
    /// When Zoho last sent something that is not the documented JSON.
    garbled_at: Option<u64>,
    /// When Zoho's API last rejected two tokens within one invocation.
    rejected_at: Option<u64>,
    /// Which end an event ID is about, and the other way around.
    ends_by_event_id: BTreeMap<String, End>,
    event_ids_by_end: BTreeMap<End, String>,
}

/// A watch, as whoever started it sees it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub job: usize,
    pub started: u64,
    pub limit: u64,
    pub is_announced: bool,
    pub is_over: bool,
    /// Errors that its state machine has caught.
    pub caught: Vec<String>,
    /// Whoever watches has received the status of the job.
    pub has_status: bool,
    /// A schedule whose input does not name the start: only an environment that has asked Scheduler for it knows that the
    /// watch has worked before.
    pub names_no_start: bool,
}

/// An end of a watch: what one event ID stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    job: usize,
    outcome: String,
    /// Only for an end that says nothing final about the job.
    watch: Option<usize>,
    /// An event came late: its schedule is gone, and its environment cannot find out when it was created. The end is named
    /// after the schedule.
    is_late: bool,
}

/// A message that SNS accepted.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub watch: usize,
    pub at: u64,
    pub event_id: String,
    pub outcome: String,
    pub report: String,
}

#[derive(Debug)]
struct Schedule {
    created_at: Timestamp,
    watch: usize,
    deleted_at: Option<u64>,
}

/// A request for a token at Zoho's accounts server.
#[derive(Debug)]
struct Mint {
    environment: usize,
    /// The environment had reason to do without a lease.
    alone: bool,
    is_over: bool,
}

impl Ledger {
    pub(crate) fn add_watch(&mut self, watch: Watch) -> usize {
        self.watches.push(watch);
        self.watches.len() - 1
    }

    pub(crate) fn add_schedule(&mut self, arn: String, watch: usize, created_at: Timestamp) {
        self.schedules.insert(arn, Schedule { created_at, watch, deleted_at: None });
    }

    /// This ARN, or another one if there is a schedule with it. An event of a former schedule that is still on its way
    /// would delete the new one: its name is used again once Lambda has given all of them up.
    pub(crate) fn free_name(&self, arn: &str, now: u64) -> String {
        let is_free = self.schedules.get(arn).is_none_or(|schedule| {
            schedule.deleted_at.is_some_and(|deleted_at| now > deleted_at + 2 * MAX_EVENT_AGE_SECONDS)
        });
        if is_free { arn.to_owned() } else { self.free_name(&format!("{arn}-again"), now) }
    }

    pub(crate) fn is_deleted(&self, arn: &str) -> bool {
        self.schedules.get(arn).is_none_or(|schedule| schedule.deleted_at.is_some())
    }

    /// Deletes a schedule; its watch is over.
    pub(crate) fn delete_schedule(&mut self, arn: &str, now: u64) {
        let Some(schedule) = self.schedules.get_mut(arn) else { return };
        if schedule.deleted_at.is_some() {
            return;
        }
        schedule.deleted_at = Some(now);
        let watch = schedule.watch;
        if !self.watches[watch].is_announced {
            self.violations
                .push(format!("schedule {arn} is deleted, but the end of its watch is not published"));
        }
        self.watches[watch].is_over = true;
    }

    pub(crate) fn schedule_created_at(&self, arn: &str) -> Option<Timestamp> {
        let schedule = self.schedules.get(arn).filter(|schedule| schedule.deleted_at.is_none())?;
        Some(schedule.created_at)
    }

    /// A request for a token reaches Zoho. No other may be under way, unless one of the two needs no lease.
    pub(crate) fn mint_begins(&mut self, environment: usize, alone: bool) -> usize {
        if let Some(other) = self.mints.iter().find(|mint| !mint.is_over && !mint.alone && !alone) {
            let other = other.environment;
            self.violations.push(format!("environments {other} and {environment} request a token at a time"));
        }
        self.mints.push(Mint { environment, alone, is_over: false });
        self.mints.len() - 1
    }

    pub(crate) fn note_garbled(&mut self, now: u64) {
        self.garbled_at = Some(now);
    }

    pub(crate) fn note_rejected(&mut self, now: u64) {
        self.rejected_at = Some(now);
    }

    pub(crate) fn mint_ends(&mut self, number: usize) {
        self.mints[number].is_over = true;
    }

    /// What is left at the end, when nothing is going on any more.
    pub(crate) fn check_remains(&mut self) {
        for (arn, schedule) in &self.schedules {
            if schedule.deleted_at.is_none() {
                self.violations.push(format!("schedule {arn} is left behind"));
            }
        }
        for (number, watch) in self.watches.iter().enumerate() {
            if !watch.is_over {
                self.violations.push(format!("watch {number} never ends"));
            } else if !watch.is_announced {
                self.violations.push(format!("the end of watch {number} is never published"));
            }
        }
    }
}

/// Clocks are off by up to two minutes, and reports take a while to be published.
const SKEW: i64 = 130;

impl World {
    /// SNS accepts a message; returns its ID. Checks that the end is true, and that it has one ID.
    pub(crate) fn publish(&self, publication: Publication) -> String {
        let Publication { watch, at, event_id, outcome, report } = &publication;
        self.trace(|| format!("watch {watch} is announced: {event_id}, {report}"));
        let text = document(report);
        let mut problems = self.secrets_in(report);
        let state = &mut *self.state();
        let ledger = &mut state.ledger;
        let seen = &mut ledger.watches[*watch];
        seen.is_announced = true;
        let is_final = !outcome.starts_with("WATCH_");
        let is_late = ledger
            .schedules
            .values()
            .any(|schedule| schedule.watch == *watch && schedule.deleted_at.is_some());
        let end = End {
            job: seen.job,
            outcome: outcome.clone(),
            watch: (!is_final).then_some(*watch),
            is_late: !is_final && is_late && event_id.contains(&format!("-{GROUP}.")),
        };
        let known = ledger.ends_by_event_id.entry(event_id.clone()).or_insert_with(|| end.clone());
        if (known.job, &known.outcome, known.watch) != (end.job, &end.outcome, end.watch) {
            problems.push(format!("the event ID {event_id} stands for {known:?} and for {end:?}"));
        }
        let known = ledger.event_ids_by_end.entry(end).or_insert_with(|| event_id.clone());
        if known != event_id {
            problems.push(format!("one end has the event IDs {known} and {event_id}"));
        }
        let job = &state.zoho.jobs[seen.job];
        let recently = |then: Option<u64>| then.is_some_and(|then| at - then < SHARED_FAILURE_SECONDS);
        let shared = Shared {
            secret_is_malformed: state.secrets.is_malformed,
            rejected: state.zoho.rejected_from.is_some_and(|from| *at >= from)
                || recently(ledger.rejected_at),
            garbled: recently(ledger.garbled_at),
        };
        problems.extend(untruth(outcome, &text, job, seen, *at, shared));
        ledger.publications.push(publication.clone());
        let message_id = format!("message-{}", ledger.publications.len());
        ledger.violations.extend(problems.into_iter().map(|problem| format!("watch {watch}: {problem}")));
        message_id
    }

    /// Secrets that this text shows: a violation each.
    pub(crate) fn secrets_in(&self, text: &str) -> Vec<String> {
        let state = self.state();
        // A part of a token can be enough to find the rest.
        let tokens = state.zoho.known_tokens().map(|token| token.get(..16).unwrap_or(token));
        let shown = tokens.chain(crate::secrets::CREDENTIALS).filter(|secret| text.contains(secret));
        shown.map(|secret| format!("the secret {secret} is shown in {text}")).collect()
    }
}

/// The report in a message.
fn document(message: &str) -> Value {
    let message: Value = serde_json::from_str(message).unwrap_or_default();
    let report = message["default"].as_str().unwrap_or_default();
    serde_json::from_str(report).unwrap_or_default()
}

/// What is wrong for every watch.
#[derive(Clone, Copy)]
struct Shared {
    secret_is_malformed: bool,
    rejected: bool,
    garbled: bool,
}

/// Environments tell each other for so long that Zoho issued no token, or rejected one.
const SHARED_FAILURE_SECONDS: u64 = 3_600;

/// A web page ends a watch only so early (contract: later, it is an outage).
const EARLY_SECONDS: u64 = 900;

/// What is false about a reported end.
fn untruth(
    outcome: &str,
    report: &Value,
    job: &Job,
    watch: &Watch,
    at: u64,
    shared: Shared,
) -> Option<String> {
    let is_leftover =
        |end| matches!(end, JobEnd::Completed { failed, not_updated } if failed + not_updated > 0);
    let ended = job.ended(at);
    let checked_at = report["checked_at"].as_str().and_then(Timestamp::parse).map_or(0, World::elapsed_at);
    let since = |skew: i64| u64::try_from(checked_at - skew).unwrap_or(0);
    let is_true = match outcome {
        "SUCCEEDED" => ended.is_some_and(|end| end != JobEnd::Failed && !is_leftover(end)),
        "PARTIALLY_SUCCEEDED" => ended.is_some_and(is_leftover),
        "FAILED" => ended == Some(JobEnd::Failed),
        "WATCH_TIMED_OUT" => {
            let is_unknown = report["status"].is_null();
            let is_unfinished = job.ended(since(SKEW)).is_none();
            since(-SKEW) >= watch.started + watch.limit && (is_unknown || is_unfinished)
        }
        "WATCH_FAILED" => {
            let problem = job.problem.filter(|(from, _)| at >= *from).map(|(_, problem)| problem);
            match report["error"]["type"].as_str().unwrap_or("none") {
                "PermissionDenied" => problem == Some(Problem::NoPermission),
                "ScopeMismatch" => problem == Some(Problem::ScopeMismatch),
                "InvalidModule" => problem == Some(Problem::InvalidModule),
                "JobNotFound" => matches!(problem, Some(Problem::NoSuchJob | Problem::OtherModule)),
                "SecretInvalid" => shared.secret_is_malformed,
                "TokenRejected" => shared.rejected,
                "ZohoUnexpectedResponse" => {
                    let is_early = since(SKEW) < watch.started + EARLY_SECONDS;
                    shared.garbled && (is_early || !watch.has_status || watch.names_no_start)
                }
                error => watch.caught.iter().any(|caught| caught == error),
            }
        }
        _ => false,
    };
    (!is_true).then(|| format!("{outcome} is reported ({report}), but the job is {job:?}"))
}
