//! What an invocation asks for: every trigger, one shape.

use crate::arn::{Execution, Location, ScheduleArn};
use crate::error::{ErrorType, WatchError};
use crate::json::{self, Fields, Kind};
use crate::watch::job::{Counts, Job, JobId, JobRef, ModuleName, Status};
use crate::{invalid::Invalid, redact, timestamp::Timestamp};
use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Serialize;
use serde_json::value::RawValue;

/// What one invocation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub ask: Ask,
    /// Who invoked the function, which decides where the response goes.
    pub caller: Caller,
    /// What an earlier report of this watch says.
    pub history: History,
    /// What is passed on to every report of the watch.
    pub tags: Tags,
    /// The caller's name for this watch, as one line of at most 200 characters.
    pub watch: Option<String>,
}

/// What an invocation is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To check this job.
    Check(Job),
    /// To compose the end of a watch that its state machine gave up: what it caught, and the job as far as it is named.
    Compose(ReportedError, JobRef),
    /// Nothing that can be done: `InvalidInput`, which names every invalid field, and the job as far as it is named.
    Reject(WatchError, JobRef),
}

/// Who invoked the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A state machine, which publishes the announcement itself, and its execution, for the link in its messages.
    StateMachine(Option<Execution>),
    /// An EventBridge schedule, which is deleted when the watch has ended.
    Schedule {
        /// The schedule.
        arn: ScheduleArn,
        /// Whether the function updates the schedule after each check.
        adapts: bool,
        /// Whether to publish the end of the job.
        notify: bool,
    },
    /// An event, a rule, a program, or a person.
    Direct {
        /// Whether to publish the end of the job.
        notify: bool,
    },
}

/// What a caller attaches to a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Who asked for the change of owner, or why: one line of at most 100 characters.
    pub label: Option<String>,
    /// The list that the watch belongs to.
    pub list: Option<String>,
}

/// What the function reads back from an earlier report. Invalid values are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Zoho's status value when the job was last seen. A watch with one has worked.
    pub status: Option<Status>,
    /// Zoho's counts then.
    pub counts: Counts,
    /// Number of earlier checks.
    pub checks: u64,
    /// When the watch began, by a clock that may be a little ahead: every environment must give its end the same ID.
    pub began: Option<Timestamp>,
    /// When the job was last seen.
    pub checked_at: Option<Timestamp>,
    /// When the counts last changed.
    pub last_progress_at: Option<Timestamp>,
}

/// An error as a report carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ReportedError {
    /// The function's `errorType`, or the name of the error that a state machine caught.
    #[serde(rename = "type")]
    pub name: String,
    /// What happened and what to do, in one line.
    pub message: String,
    /// Whether a state machine caught it: the name and the message are not the function's own.
    #[serde(skip)]
    pub is_callers: bool,
}

impl From<&WatchError> for ReportedError {
    fn from(error: &WatchError) -> Self {
        let (name, message) = (error.kind.name().to_owned(), error.message.clone());
        Self { name, message, is_callers: false }
    }
}

/// Enough for the function's own messages; a state machine's cause can have 32,768 characters.
const LONGEST_CAUSE: usize = 1_000;

/// The longest label, in characters. The name of a list has the same limit.
const LONGEST_TAG: usize = 100;

/// Every field that is read, in a request, a report, an envelope, or a wrapper. All others are skipped.
const KNOWN: &[&str] = &[
    "module", "job_id", "schedule_arn", "adapt", "label", "list", "notify", "announcement", "failure", "watch",
    "execution", "request", "source", "detail-type", "detail", "resources", "status", "checks", "first_checked_at",
    "checked_at", "total_count", "updated_count", "not_updated_count", "failed_count", "last_progress_at",
];

const EXAMPLE: &str = r#"{"module": "Leads", "job_id": "3652397000009565021"}"#;

impl Request {
    /// Reads the payload of an invocation at the time `now`, in a function at the location `here`: a request, a report of
    /// an earlier check, an EventBridge envelope with one of these in `detail`, or a state machine's `{"request": …}`
    /// around any of these. Each of them can be a JSON string that contains the object.
    pub fn parse(payload: &str, now: Timestamp, here: &Location) -> Self {
        let mut problems = Vec::new();
        let mut unreadable = |problem| {
            problems.push(problem);
            Fields::default()
        };
        let [mut outer_text, mut input_text, mut detail_text] = [const { String::new() }; 3];
        let outer = object(payload, &mut outer_text, "the payload").unwrap_or_else(&mut unreadable);
        // A state machine cannot add fields to an input that may not be an object: it wraps the input.
        let names_a_job = ["module", "job_id"].iter().any(|name| outer.get_nullable(name).is_some());
        let wrapped = outer.get_nullable("request").filter(|_| !names_a_job);
        let input = wrapped.map(|input| object(input.get(), &mut input_text, "the input"));
        let input = input.map(|input| input.unwrap_or_else(&mut unreadable));
        let input = input.as_ref().unwrap_or(&outer);
        let envelope = envelope(input);
        let detail = envelope.as_ref().map(|envelope| {
            envelope.as_ref().map_err(String::clone)?;
            object(input.get_nullable("detail").map_or("null", RawValue::get), &mut detail_text, "`detail`")
        });
        let detail = detail.map(|detail| detail.unwrap_or_else(&mut unreadable));
        let fields = detail.as_ref().unwrap_or(input);

        // What stands beside the input of a state machine applies to it.
        let layers = || [wrapped.map(|_| &outer), Some(fields)].into_iter().flatten();
        let announcement = layers().find_map(|layer| layer.get_nullable("announcement"));
        let is_announced = announcement.is_some_and(|wish| wish.get() != "false");
        let notify = layers().find_map(|layer| layer.parse("notify"));
        let watch = layers().find_map(|layer| layer.parse::<String>("watch")).map(|watch| redact::quote(&watch));
        // Only what the state machine itself says: a failure inside of its input is a caller's.
        let failure = outer.get("failure").filter(|_| is_announced).and_then(ReportedError::read);
        let execution = outer.parse::<String>("execution").and_then(|arn| Execution::parse(&arn, here));

        let job = job(fields, &mut problems);
        if let Some(other) = fields.get("notify").map(Kind::of).filter(|kind| *kind != Kind::Boolean) {
            problems.push(format!("`notify` must be true or false, not {other}"));
        }
        let is_schedulers = matches!(&envelope, Some(Ok(event)) if event.source == "aws.scheduler");
        let resources = input.parse::<Vec<String>>("resources").filter(|_| is_schedulers);
        let adapts = fields.parse("adapt").unwrap_or(false);
        let caller = if is_announced {
            // The state machine owns the watch, whatever started it.
            Caller::StateMachine(execution)
        } else if let Some(arn) = schedule(fields, resources.unwrap_or_default(), here, &mut problems) {
            Caller::Schedule { arn, adapts, notify: notify.unwrap_or(true) }
        } else {
            Caller::Direct { notify: notify.unwrap_or(envelope.is_some()) }
        };
        let ask = match (failure, job) {
            (Some(failure), job) => Ask::Compose(failure, job),
            (None, JobRef::Valid(job)) if problems.is_empty() => Ask::Check(job),
            (None, job) => {
                let message = format!("{}. A request looks like {EXAMPLE}", problems.join("; "));
                Ask::Reject(WatchError::new(ErrorType::InvalidInput, message), job)
            }
        };
        let tag = |name| fields.parse::<String>(name).and_then(|text| tag(&text));
        Self {
            ask,
            caller,
            history: History::read(fields, now),
            tags: Tags { label: tag("label"), list: tag("list") },
            watch: watch.filter(|watch| !watch.is_empty()),
        }
    }

    /// A request of a program that keeps its own history, such as the terminal watch.
    pub fn of_job(job: Job, began: Timestamp) -> Self {
        Self {
            ask: Ask::Check(job),
            caller: Caller::StateMachine(None),
            history: History { began: Some(began), ..History::default() },
            tags: Tags::default(),
            watch: None,
        }
    }

    /// The job, valid or as it was written.
    pub fn job(&self) -> JobRef {
        match &self.ask {
            Ask::Check(job) => JobRef::Valid(job.clone()),
            Ask::Compose(_, job) | Ask::Reject(_, job) => job.clone(),
        }
    }
}

impl History {
    /// How far two clocks differ at most, in seconds.
    pub const CLOCK_DIFFERENCE: i64 = 600;

    /// Leniently: a value of the wrong type, a negative number, or a time after `now` counts as absent.
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
        let caught = Fields::of(json, &["Error", "Cause"])?;
        let [name, cause] = ["Error", "Cause"].map(|name| caught.parse::<String>(name).unwrap_or_default());
        let document = json::parse(&cause).and_then(|json| Fields::of(json, &["errorMessage"]));
        let message = document.and_then(|document| document.parse::<String>("errorMessage"));
        let (name, message) = (redact::quote(&name), redact::quote_up_to(&message.unwrap_or(cause), LONGEST_CAUSE));
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        Some(Self { name: or(name, "Unknown"), message: or(message, "no cause is known"), is_callers: true })
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
    Fields::of(value, KNOWN).ok_or_else(|| format!("{name} must be a JSON object, not {}", Kind::of(value)))
}

/// The envelope without its `detail` and without what is not needed: nothing in it is a reason to reject a valid request.
fn envelope(fields: &Fields<'_>) -> Option<Result<EventBridgeEvent<()>, String>> {
    let (source, detail_type) = fields.get_nullable("source").zip(fields.get_nullable("detail-type"))?;
    let json = format!(r#"{{"source": {source}, "detail-type": {detail_type}, "detail": null}}"#);
    let malformed = "the EventBridge envelope is malformed: `source` and `detail-type` must be text";
    Some(serde_json::from_str(&json).map_err(|_| malformed.to_owned()))
}

/// The job that the request names, as far as it can be read.
fn job(fields: &Fields<'_>, problems: &mut Vec<String>) -> JobRef {
    let module = read(fields, "module", "such as \"Leads\"", ModuleName::parse);
    let job_id = read(fields, "job_id", "such as \"3652397000009565021\"", JobId::parse);
    match (module, job_id) {
        (Ok(module), Ok(job_id)) => JobRef::Valid(Job { module, job_id }),
        (module, job_id) => {
            // An object that could not be read lacks no field.
            if problems.is_empty() {
                problems.extend([module.err(), job_id.err()].into_iter().flatten());
            }
            let written = |name| fields.parse::<String>(name).map(|text| redact::quote(&text));
            JobRef::AsWritten(["module", "job_id"].map(written))
        }
    }
}

/// The schedule that the request names, or else that Scheduler's own envelope comes from. An invalid name counts as none.
fn schedule(
    fields: &Fields<'_>,
    resources: Vec<String>,
    here: &Location,
    problems: &mut Vec<String>,
) -> Option<ScheduleArn> {
    let parse = |text: &str| ScheduleArn::parse(text, here);
    let read = |_| read(fields, "schedule_arn", "that is the ARN of a schedule", parse);
    let named = fields.get("schedule_arn").map(read);
    let named = named.and_then(|named| named.map_err(|problem| problems.push(problem)).ok());
    named.or_else(|| resources.iter().find_map(|arn| parse(arn).ok()))
}

/// The text of a field, as `parse` reads it. The error says what is wrong with the field.
fn read<T>(
    fields: &Fields<'_>,
    name: &str,
    example: &str,
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<T, String> {
    let value = fields.get(name).ok_or_else(|| format!("`{name}` is missing: it must be text {example}"))?;
    let text: String = match Kind::of(value) {
        Kind::String => serde_json::from_str(value.get()).map_err(|_| format!("`{name}` is not valid Unicode text"))?,
        Kind::Number if name == "job_id" => {
            return Err(format!(
                "`job_id` is a number. Quote it, {example}: job IDs exceed 2^53, so a number may already have lost digits"
            ));
        }
        other => return Err(format!("`{name}` must be text {example}, not {other}")),
    };
    parse(&text).map_err(|problem| {
        let padded = if text.trim() == text { "" } else { " (with white space around it)" };
        problem.of(&format!("`{name}` {:?}{padded}", redact::quote(&text)))
    })
}

/// Text that a caller attaches to a watch; `None` if nothing of it can be shown.
fn tag(text: &str) -> Option<String> {
    let masked = redact::mask(text);
    let line: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TAG).collect();
    Some(line).filter(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests;
