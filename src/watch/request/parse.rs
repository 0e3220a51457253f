//! Reads the layers of a payload: a wrapper, an envelope, a request, and JSON strings around any of them.

use super::{Ask, Caller, History, LONGEST_CAUSE, ReportedError, Request, Tags};
use crate::error::{ErrorType, WatchError};
use crate::invalid::Invalid;
use crate::json::{self, Fields, Kind};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::watch::ids::{ExecutionArn, Job, JobId, JobRef, Location, ModuleName, ScheduleArn};
use crate::watch::job::{Counts, Status};
use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::value::RawValue;

/// The longest label, in characters. The name of a list has the same limit.
const LONGEST_TAG: usize = 100;

/// Every field that is read, in a request, a report, an envelope, or a wrapper. All others are skipped.
pub(super) const KNOWN: [&str; 25] = [
    "module", "job_id", "schedule_arn", "adapt", "label", "list", "notify", "announcement", "failure", "watch",
    "execution", "request", "source", "detail-type", "detail", "resources", "status", "checks", "first_checked_at",
    "checked_at", "total_count", "updated_count", "not_updated_count", "failed_count", "last_progress_at",
];

pub(super) const EXAMPLE: &str = r#"{"module": "Leads", "job_id": "3652397000009565021"}"#;

/// What the layers of a payload say, before it is decided who the caller is.
#[derive(Default)]
struct Parts {
    job: JobRef,
    problems: Vec<String>,
    /// The schedule, and what is wrong with `schedule_arn`.
    schedule: (Option<ScheduleArn>, Option<String>),
    is_event: bool,
    adapts: bool,
    notify: Option<bool>,
    is_announced: bool,
    watch: Option<String>,
    history: History,
    tags: Tags,
}

impl Request {
    /// Reads an invocation's payload at the time `now`, in a function at the location `here`.
    ///
    /// Accepts a request object, a report of an earlier check, the EventBridge envelope (`source` and `detail-type` are
    /// present) with one of these in `detail`, and a state machine's `{"request": …}` around any of these. Each of them
    /// can be a JSON string that contains the object.
    pub fn parse(payload: &str, now: Timestamp, here: &Location) -> Self {
        let mut text = String::new();
        let outer = match object(payload, &mut text, "the payload") {
            Ok(outer) => outer,
            Err(problem) => return Parts::unreadable(problem).into_request(None, None),
        };
        let names_a_job = ["module", "job_id"].iter().any(|name| outer.get_nullable(name).is_some());
        let parts = match outer.get_nullable("request").filter(|_| !names_a_job) {
            None => Parts::unwrapped(&outer, now, here),
            // A state machine cannot add fields to an input that may not be an object: it wraps the input.
            Some(wrapped) => {
                let mut text = String::new();
                match object(wrapped.get(), &mut text, "the input") {
                    Ok(inner) => Parts::unwrapped(&inner, now, here),
                    Err(problem) => Parts::unreadable(problem),
                }
                .beside(&outer)
            }
        };
        // Only what the state machine itself says: a failure inside of its input is a caller's.
        let failure = outer.get("failure").and_then(ReportedError::read);
        let execution = outer.parse::<String>("execution");
        let execution = execution.and_then(|arn| ExecutionArn::parse(&arn, here));
        parts.into_request(failure, execution)
    }
}

impl Parts {
    /// A request, a report, or an envelope.
    fn unwrapped(fields: &Fields<'_>, now: Timestamp, here: &Location) -> Self {
        let (Some(source), Some(detail_type)) = (fields.get_nullable("source"), fields.get_nullable("detail-type"))
        else {
            return Self::bare(fields, None, now, here);
        };
        let mut text = String::new();
        let parsed = envelope(source, detail_type, fields.parse("resources")).and_then(|envelope| {
            let detail = fields.get_nullable("detail").map_or("null", RawValue::get);
            Ok((envelope, object(detail, &mut text, "`detail`")?))
        });
        match parsed {
            Ok((envelope, detail)) => Self::bare(&detail, Some(&envelope), now, here),
            Err(problem) => Self::unreadable(problem),
        }
    }

    fn bare(fields: &Fields<'_>, envelope: Option<&EventBridgeEvent<()>>, now: Timestamp, here: &Location) -> Self {
        let module = text(fields, "module", "such as \"Leads\"")
            .and_then(|text| ModuleName::parse(&text).map_err(|problem| invalid("module", &text, &problem)));
        let job_id = text(fields, "job_id", "such as \"3652397000009565021\"")
            .and_then(|text| JobId::parse(&text).map_err(|problem| invalid("job_id", &text, &problem)));
        let notify = match fields.get("notify").map(Kind::of) {
            None | Some(Kind::Boolean) => None,
            Some(other) => Some(format!("`notify` must be true or false, not {other}")),
        };
        let (job, mut problems) = match (module, job_id) {
            (Ok(module), Ok(job_id)) => (JobRef::Valid(Job { module, job_id }), Vec::new()),
            (module, job_id) => {
                let written = |name| fields.parse::<String>(name).map(|text| redact::quote(&text));
                let job = JobRef::AsWritten { module: written("module"), job_id: written("job_id") };
                (job, module.err().into_iter().chain(job_id.err()).collect())
            }
        };
        problems.extend(notify);
        let tag = |name| fields.parse::<String>(name).and_then(|text| tag(&text));
        Self {
            job,
            problems,
            schedule: schedule(fields, envelope, here),
            is_event: envelope.is_some(),
            adapts: fields.parse("adapt").unwrap_or(false),
            history: History::read(fields, now),
            tags: Tags { label: tag("label"), list: tag("list") },
            ..Self::default()
        }
        .beside(fields)
    }

    fn unreadable(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    /// Sets what a request, or the wrapper around it, says about the watch as a whole.
    fn beside(mut self, fields: &Fields<'_>) -> Self {
        self.notify = fields.parse("notify").or(self.notify);
        if let Some(wish) = fields.get_nullable("announcement") {
            self.is_announced = wish.get() != "false";
        }
        if let Some(watch) = fields.parse::<String>("watch") {
            self.watch = Some(redact::quote(&watch)).filter(|watch| !watch.is_empty());
        }
        self
    }

    fn into_request(mut self, failure: Option<ReportedError>, execution: Option<ExecutionArn>) -> Request {
        let (arn, problem) = self.schedule;
        let caller = match arn {
            // The state machine owns the watch, whatever started it.
            _ if self.is_announced => Caller::StateMachine { execution },
            Some(arn) => Caller::Schedule { arn, adapts: self.adapts, notify: self.notify.unwrap_or(true) },
            None => Caller::Direct { notify: self.notify.unwrap_or(self.is_event) },
        };
        if !self.is_announced {
            self.problems.extend(problem);
        }
        let ask = match (failure.filter(|_| self.is_announced), self.job) {
            (Some(failure), job) => Ask::Compose { failure, job },
            (None, JobRef::Valid(job)) if self.problems.is_empty() => Ask::Check(job),
            (None, job) => {
                let message = format!("{}. A request looks like {EXAMPLE}", self.problems.join("; "));
                Ask::Reject { error: WatchError::new(ErrorType::InvalidInput, message), job }
            }
        };
        Request { ask, caller, history: self.history, tags: self.tags, watch: self.watch }
    }
}

impl History {
    /// Leniently: a value of the wrong type, a negative number, or a time after `now` counts as absent. The start may be a
    /// little later: the clocks of execution environments differ, and an end has one ID for all of them.
    fn read(fields: &Fields<'_>, now: Timestamp) -> Self {
        let time = |name| fields.parse::<String>(name).and_then(|text| Timestamp::parse(&text));
        let past = |name| time(name).filter(|time| *time <= now);
        let number = |name| json::whole_number(fields.get(name)?);
        Self {
            status: fields.parse::<String>("status").and_then(|text| Status::reported(&text)),
            counts: Counts {
                total: number("total_count"),
                updated: number("updated_count"),
                not_updated: number("not_updated_count"),
                failed: number("failed_count"),
            },
            checks: number("checks").unwrap_or(0),
            began: time("first_checked_at").filter(|time| *time <= now.plus_seconds(History::CLOCK_DIFFERENCE)),
            checked_at: past("checked_at"),
            last_progress_at: past("last_progress_at"),
        }
    }
}

impl ReportedError {
    /// `{"Error", "Cause"}`. The cause of a failed function is Lambda's own error document: its message is the cause.
    fn read(json: &RawValue) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Caught {
            #[serde(rename = "Error", default)]
            error: String,
            #[serde(rename = "Cause", default)]
            cause: String,
        }
        #[derive(serde::Deserialize)]
        struct LambdaError {
            #[serde(rename = "errorMessage")]
            message: String,
        }
        // An array would count as a structure, too.
        let object = Some(json.get()).filter(|_| Kind::of(json) == Kind::Object)?;
        let Caught { error, cause } = serde_json::from_str(object).ok()?;
        let cause = serde_json::from_str::<LambdaError>(&cause).map_or(cause, |error| error.message);
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        Some(Self {
            name: or(redact::quote(&error), "Unknown"),
            message: or(redact::quote_up_to(&cause, LONGEST_CAUSE), "no cause is known"),
            is_callers: true,
        })
    }
}

/// The object that this JSON text holds, or that a JSON string in it holds. `buffer` keeps the string's content.
fn object<'a>(json: &'a str, buffer: &'a mut String, name: &str) -> Result<Fields<'a>, String> {
    let value: &RawValue = serde_json::from_str(json).map_err(|error| format!("{name} is not valid JSON ({error})"))?;
    let value = if Kind::of(value) == Kind::String {
        *buffer = serde_json::from_str(value.get()).map_err(|error| format!("{name} is not valid text ({error})"))?;
        serde_json::from_str(buffer).map_err(|error| format!("{name} is text that is not valid JSON ({error})"))?
    } else {
        value
    };
    Fields::of(value, &KNOWN).ok_or_else(|| format!("{name} must be a JSON object, not {}", Kind::of(value)))
}

/// The envelope without its `detail` and without the fields that are not needed: none of them is a reason to reject a
/// valid request.
fn envelope(
    source: &RawValue,
    detail_type: &RawValue,
    resources: Option<Vec<String>>,
) -> Result<EventBridgeEvent<()>, String> {
    let json = format!(r#"{{"source": {source}, "detail-type": {detail_type}, "detail": null}}"#);
    let mut event: EventBridgeEvent<()> = serde_json::from_str(&json)
        .map_err(|_| "the EventBridge envelope is malformed: `source` and `detail-type` must be text".to_owned())?;
    event.resources = resources;
    Ok(event)
}

/// The schedule that the request names, or that Scheduler's own envelope comes from, and what is wrong with the name.
fn schedule(
    fields: &Fields<'_>,
    envelope: Option<&EventBridgeEvent<()>>,
    here: &Location,
) -> (Option<ScheduleArn>, Option<String>) {
    let named = fields.get("schedule_arn").map(|value| {
        let text: String = serde_json::from_str(value.get())
            .map_err(|_| format!("`schedule_arn` must be text, not {}", Kind::of(value)))?;
        ScheduleArn::parse(&text)
            .and_then(|schedule| schedule.check_location(here).map(|()| schedule))
            .map_err(|problem| invalid("schedule_arn", &text, &problem))
    });
    let of_envelope = || {
        envelope
            .filter(|event| event.source == "aws.scheduler")
            .and_then(|event| event.resources.as_ref())?
            .iter()
            .filter_map(|arn| ScheduleArn::parse(arn).ok())
            .find(|schedule| schedule.check_location(here).is_ok())
    };
    match named {
        Some(Ok(schedule)) => (Some(schedule), None),
        Some(Err(problem)) => (of_envelope(), Some(problem)),
        None => (of_envelope(), None),
    }
}

/// Text that a caller attaches to a watch; `None` if nothing of it can be shown.
fn tag(text: &str) -> Option<String> {
    let masked = redact::mask(text);
    let line: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TAG).collect();
    Some(line).filter(|line| !line.trim().is_empty())
}

fn text(fields: &Fields<'_>, name: &str, example: &str) -> Result<String, String> {
    let Some(value) = fields.get(name) else {
        return Err(format!("`{name}` is missing: it must be text {example}"));
    };
    match Kind::of(value) {
        Kind::String => serde_json::from_str(value.get()).map_err(|_| format!("`{name}` is not valid Unicode text")),
        Kind::Number if name == "job_id" => Err(format!(
            "`job_id` is a number. Quote it, {example}: job IDs exceed 2^53, so a number may already have lost digits"
        )),
        other => Err(format!("`{name}` must be text {example}, not {other}")),
    }
}

fn invalid(field: &str, text: &str, problem: &Invalid) -> String {
    let padded = if text.trim() == text { "" } else { " (with white space around it)" };
    format!("`{field}` {:?}{padded} {problem}", redact::quote(text))
}
