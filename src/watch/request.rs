//! From the payload of an invocation to a request: every trigger, one shape.

use crate::error::{ErrorType, WatchError};
use crate::invalid::Invalid;
use crate::json::{Fields, Kind};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::watch::ids::{Job, JobId, JobRef, Location, ModuleName, ScheduleArn};
use crate::watch::pacing::processed;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::value::RawValue;

/// What one invocation asks for.
///
/// ```
/// use mass_change_owner_status::timestamp::Timestamp;
/// use mass_change_owner_status::watch::{ids::Location, request::Request};
///
/// let payload = r#"{"module": "leads", "job_id": "3652397000009565021"}"#;
/// let request = Request::parse(payload, Timestamp::now(), &Location::default());
/// assert_eq!(request.job.unwrap().module.as_str(), "Leads");
/// assert!(!request.delivery.notify);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The job to check.
    pub job: Result<Job, Box<InvalidRequest>>,
    /// Where the report goes, besides the caller.
    pub delivery: Delivery,
    /// What an earlier report of this watch says.
    pub history: History,
    /// What a state machine caught: the watch is over.
    pub failure: Option<Failure>,
}

/// Where a report goes besides the caller, and which watch it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The schedule that triggered this invocation. It is deleted when the watch is over.
    pub schedule: Option<ScheduleArn>,
    /// Whether to publish the end of the watch.
    pub notify: bool,
    /// Whether the report carries the composed announcement, for a state machine that publishes it itself.
    pub announcement: bool,
    /// The caller's name for this watch, as one line of at most 200 characters.
    pub watch: Option<String>,
}

/// What the function reads back from an earlier report. Invalid values are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// Number of earlier checks.
    pub checks: Option<u64>,
    /// When the watch began.
    pub first_checked_at: Option<Timestamp>,
    /// The same, even if it is in the future: the clocks of execution environments differ a little, and all of them must
    /// give an end of the watch the same ID.
    pub began: Option<Timestamp>,
    /// When the last check was.
    pub checked_at: Option<Timestamp>,
    /// Records updated at the last check.
    pub updated_count: Option<u64>,
    /// Records failed at the last check.
    pub failed_count: Option<u64>,
    /// Total records at the last check.
    pub total_count: Option<u64>,
    /// When the counts last changed.
    pub last_progress_at: Option<Timestamp>,
}

/// Why a payload is not a valid request, and what could still be read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRequest {
    /// `InvalidInput`, naming every invalid field.
    pub error: WatchError,
    /// The job as it was written.
    pub job: JobRef,
}

/// An error that a state machine caught, as Step Functions writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name of the error, at most 200 characters.
    pub error: String,
    /// What happened, one line of at most [`LONGEST_CAUSE`] characters.
    pub cause: String,
}

/// Enough for the function's own messages; a state machine's cause can have 32,768 characters.
const LONGEST_CAUSE: usize = 1_000;

/// Every field that is read, in a request, a report, an envelope, or a wrapper. All others are skipped.
const KNOWN: [&str; 19] = [
    "module",
    "job_id",
    "schedule_arn",
    "notify",
    "announcement",
    "failure",
    "watch",
    "request",
    "source",
    "detail-type",
    "detail",
    "resources",
    "checks",
    "first_checked_at",
    "checked_at",
    "updated_count",
    "failed_count",
    "total_count",
    "last_progress_at",
];

const EXAMPLE: &str = r#"{"module": "Leads", "job_id": "3652397000009565021"}"#;

impl Request {
    /// Reads an invocation's payload at the time `now`, in a function at the location `here`.
    ///
    /// Accepts a request object, a report of an earlier check, the EventBridge envelope (`source` and `detail-type` are
    /// present) with one of these in `detail`, and a state machine's `{"request": …}` around any of these. Each of them
    /// can be a JSON string that contains the object.
    pub fn parse(payload: &str, now: Timestamp, here: &Location) -> Self {
        let mut text = String::new();
        match object(payload, &mut text, "the payload") {
            Ok(fields) => Self::from_fields(&fields, now, here),
            Err(problem) => Self::unreadable(&problem),
        }
    }

    fn from_fields(fields: &Fields<'_>, now: Timestamp, here: &Location) -> Self {
        let names_a_job = ["module", "job_id"].iter().any(|name| fields.get_nullable(name).is_some());
        let Some(wrapped) = fields.get_nullable("request").filter(|_| !names_a_job) else {
            return Self::unwrapped(fields, now, here);
        };
        // A state machine cannot add fields to an input that may not be an object: it wraps the input.
        let mut text = String::new();
        let mut request = match object(wrapped.get(), &mut text, "the input") {
            Ok(inner) => Self::unwrapped(&inner, now, here),
            Err(problem) => Self::unreadable(&problem),
        };
        request.apply(fields);
        request
    }

    /// A request, a report, or an envelope.
    fn unwrapped(fields: &Fields<'_>, now: Timestamp, here: &Location) -> Self {
        let (Some(source), Some(detail_type)) =
            (fields.get_nullable("source"), fields.get_nullable("detail-type"))
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
            Err(problem) => Self::unreadable(&problem),
        }
    }

    fn bare(
        fields: &Fields<'_>,
        envelope: Option<&EventBridgeEvent<()>>,
        now: Timestamp,
        here: &Location,
    ) -> Self {
        let module = text(fields, "module", "such as \"Leads\"")
            .and_then(|text| ModuleName::parse(&text).map_err(|problem| invalid("module", &text, &problem)));
        let job_id = text(fields, "job_id", "such as \"3652397000009565021\"")
            .and_then(|text| JobId::parse(&text).map_err(|problem| invalid("job_id", &text, &problem)));
        let schedule = schedule(fields, envelope, here);
        let notify = match fields.get("notify").map(Kind::of) {
            None | Some(Kind::Boolean) => Ok(()),
            Some(other) => Err(format!("`notify` must be true or false, not {other}")),
        };
        let problems =
            [module.as_ref().err(), job_id.as_ref().err(), schedule.as_ref().err(), notify.as_ref().err()]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>();
        let schedule = schedule.unwrap_or_default();
        let notify = envelope.is_some() || schedule.is_some();
        let delivery = Delivery { schedule, notify, ..Delivery::default() };
        let mut request = match (module, job_id) {
            (Ok(module), Ok(job_id)) if problems.is_empty() => {
                Self { job: Ok(Job { module, job_id }), delivery, history: History::default(), failure: None }
            }
            _ => {
                let written = |name| fields.parse::<String>(name).map(|text| redact::quote(&text));
                let job = JobRef::AsWritten { module: written("module"), job_id: written("job_id") };
                Self::invalid(invalid_input(&problems.join("; ")), job, delivery)
            }
        };
        request.history = History::read(fields, now);
        request.apply(fields);
        request
    }

    /// Sets what a request, or the wrapper around it, says about the watch as a whole.
    fn apply(&mut self, fields: &Fields<'_>) {
        if let Some(notify) = fields.parse("notify") {
            self.delivery.notify = notify;
        }
        if let Some(wish) = fields.get_nullable("announcement") {
            self.delivery.announcement = wish.get() != "false";
        }
        if let Some(watch) = fields.parse::<String>("watch") {
            self.delivery.watch = Some(redact::quote(&watch)).filter(|watch| !watch.is_empty());
        }
        if let Some(failure) = fields.get("failure").and_then(Failure::read) {
            self.failure = Some(failure);
        }
    }

    fn unreadable(problem: &str) -> Self {
        Self::invalid(invalid_input(problem), JobRef::NONE, Delivery::default())
    }

    fn invalid(error: WatchError, job: JobRef, delivery: Delivery) -> Self {
        let job = Err(Box::new(InvalidRequest { error, job }));
        Self { job, delivery, history: History::default(), failure: None }
    }

    /// The job, valid or as it was written.
    pub fn job_ref(&self) -> JobRef {
        match &self.job {
            Ok(job) => JobRef::Valid(job.clone()),
            Err(invalid) => invalid.job.clone(),
        }
    }
}

impl JobRef {
    const NONE: Self = Self::AsWritten { module: None, job_id: None };
}

impl History {
    /// Leniently: a value of the wrong type, a negative number, or a time after `now` counts as absent.
    fn read(fields: &Fields<'_>, now: Timestamp) -> Self {
        let time = |name| fields.parse::<String>(name).and_then(|text| Timestamp::parse(&text));
        let past = |time: Timestamp| Some(time).filter(|time| *time <= now);
        let began = time("first_checked_at");
        Self {
            checks: fields.parse("checks"),
            first_checked_at: began.and_then(past),
            began,
            checked_at: time("checked_at").and_then(past),
            updated_count: fields.parse("updated_count"),
            failed_count: fields.parse("failed_count"),
            total_count: fields.parse("total_count"),
            last_progress_at: time("last_progress_at").and_then(past),
        }
    }

    /// Whether the job was nearly done at the last check, so that this one may find it finished: nine tenths of the
    /// records, by the counts.
    pub fn is_near_the_end(&self) -> bool {
        let done = processed(self.updated_count, self.failed_count);
        let (Some(done), Some(total)) = (done, self.total_count) else { return false };
        done.saturating_add(total / 10) >= total
    }
}

impl Failure {
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
            error: or(redact::quote(&error), "Unknown"),
            cause: or(redact::quote_up_to(&cause, LONGEST_CAUSE), "no cause is known"),
        })
    }
}

/// The object that this JSON text holds, or that a JSON string in it holds. `buffer` keeps the string's content.
fn object<'a>(json: &'a str, buffer: &'a mut String, name: &str) -> Result<Fields<'a>, String> {
    let value: &RawValue =
        serde_json::from_str(json).map_err(|error| format!("{name} is not valid JSON ({error})"))?;
    let value = if Kind::of(value) == Kind::String {
        *buffer = serde_json::from_str(value.get())
            .map_err(|error| format!("{name} is not valid text ({error})"))?;
        serde_json::from_str(buffer)
            .map_err(|error| format!("{name} is text that is not valid JSON ({error})"))?
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
    let mut event: EventBridgeEvent<()> = serde_json::from_str(&json).map_err(|_| {
        "the EventBridge envelope is malformed: `source` and `detail-type` must be text".to_owned()
    })?;
    event.resources = resources;
    Ok(event)
}

/// The schedule that the request names, or that Scheduler's own envelope comes from.
fn schedule(
    fields: &Fields<'_>,
    envelope: Option<&EventBridgeEvent<()>>,
    here: &Location,
) -> Result<Option<ScheduleArn>, String> {
    let found = match fields.get("schedule_arn") {
        Some(value) => {
            let text: String = serde_json::from_str(value.get())
                .map_err(|_| format!("`schedule_arn` must be text, not {}", Kind::of(value)))?;
            let parsed = ScheduleArn::parse(&text)
                .and_then(|schedule| schedule.check_location(here).map(|()| schedule));
            Some(parsed.map_err(|problem| invalid("schedule_arn", &text, &problem))?)
        }
        None => envelope
            .filter(|event| event.source == "aws.scheduler")
            .and_then(|event| event.resources.as_ref())
            .and_then(|resources| resources.iter().find_map(|arn| ScheduleArn::parse(arn).ok()))
            .filter(|schedule| schedule.check_location(here).is_ok()),
    };
    Ok(found)
}

fn text(fields: &Fields<'_>, name: &str, example: &str) -> Result<String, String> {
    let Some(value) = fields.get(name) else {
        return Err(format!("`{name}` is missing: it must be text {example}"));
    };
    match Kind::of(value) {
        Kind::String => {
            serde_json::from_str(value.get()).map_err(|_| format!("`{name}` is not valid Unicode text"))
        }
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

fn invalid_input(problem: &str) -> WatchError {
    WatchError::new(ErrorType::InvalidInput, format!("{problem}. A request looks like {EXAMPLE}"))
}

#[cfg(test)]
mod tests;
