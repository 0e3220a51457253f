//! From the payload of an invocation to a request: five triggers, one shape.

use crate::error::{ErrorType, WatchError};
use crate::redact;
use crate::timestamp::Timestamp;
use crate::watch::ids::{JobId, ModuleName, ScheduleArn};
use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::{Map, Value};

/// What to check, and what to do when the job has finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The module whose records are moved.
    pub module: ModuleName,
    /// The job.
    pub job_id: JobId,
    /// Where an answer goes besides the caller.
    pub delivery: Delivery,
    /// What an earlier report of this watch says.
    pub history: History,
}

/// What happens at the end of a watch besides the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The schedule that triggered this call and is deleted when the watch is over.
    pub schedule: Option<ScheduleArn>,
    /// Whether to publish.
    pub notify: bool,
    /// Whether the report is to carry the composed announcement, for a state machine that publishes it itself.
    pub announcement: bool,
}

/// What the function reads back from a report that is fed to it again. Anything that makes no sense is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// How many checks came before.
    pub checks: Option<u64>,
    /// When the watch began.
    pub first_checked_at: Option<Timestamp>,
    /// When the last check was.
    pub checked_at: Option<Timestamp>,
    /// Counts at the last check.
    pub updated_count: Option<u64>,
    /// Counts at the last check.
    pub failed_count: Option<u64>,
}

/// A payload that is no request, with as much as could still be understood: enough to end a schedule's watch loudly.
#[derive(Debug, Clone)]
pub struct InvalidRequest {
    /// `InvalidInput`, naming every field at fault.
    pub error: WatchError,
    /// The module as it was written, if it was a string.
    pub module: Option<String>,
    /// The job id as it was written, if it was a string.
    pub job_id: Option<String>,
    /// Where the failure is to be announced.
    pub delivery: Delivery,
}

const EXAMPLE: &str = r#"{"module": "Leads", "job_id": "3652397000009565021"}"#;

impl Request {
    /// Parses an invocation's payload at the time `now`.
    ///
    /// Accepts a bare request object, a report of an earlier check, and the EventBridge envelope (`source` and
    /// `detail-type` present) whose `detail` is the request, as an object or as a JSON string.
    pub fn parse(payload: &str, now: Timestamp) -> Result<Self, Box<InvalidRequest>> {
        let value: Value = serde_json::from_str(payload)
            .map_err(|error| rejected(format!("the payload is no JSON this function can read ({error})")))?;
        let Value::Object(mut object) = value else {
            return Err(rejected(format!("the payload must be a JSON object, not {}", describe(&value))));
        };
        if object.contains_key("source") && object.contains_key("detail-type") {
            // The rest of the envelope is nobody's business here, and no reason to refuse a good request.
            object.retain(|field, _| matches!(field.as_str(), "source" | "detail-type" | "detail"));
            let event: EventBridgeEvent<Value> = serde_json::from_value(Value::Object(object))
                .map_err(|error| rejected(format!("the EventBridge envelope is malformed ({error})")))?;
            Self::from_object(&detail_object(event.detail)?, true, now)
        } else {
            Self::from_object(&object, false, now)
        }
    }

    fn from_object(
        object: &Map<String, Value>,
        envelope: bool,
        now: Timestamp,
    ) -> Result<Self, Box<InvalidRequest>> {
        let mut faults = Vec::new();
        let module = required_text(object, "module", "such as \"Leads\"")
            .and_then(|text| ModuleName::parse(text).map_err(|wrong| fault("module", text, &wrong)));
        let job_id = required_text(object, "job_id", "such as \"3652397000009565021\"")
            .and_then(|text| JobId::parse(text).map_err(|wrong| fault("job_id", text, &wrong)));
        let schedule = match object.get("schedule_arn") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => ScheduleArn::parse(text)
                .map_err(|wrong| faults.push(fault("schedule_arn", text, &wrong)))
                .ok(),
            Some(other) => {
                faults.push(format!("`schedule_arn` must be a string, not {}", describe(other)));
                None
            }
        };
        let notify = match object.get("notify") {
            None | Some(Value::Null) => envelope || schedule.is_some(),
            Some(Value::Bool(notify)) => *notify,
            Some(other) => {
                faults.push(format!("`notify` must be true or false, not {}", describe(other)));
                envelope || schedule.is_some()
            }
        };
        let announcement = !matches!(object.get("announcement"), None | Some(Value::Bool(false)));
        let delivery = Delivery { schedule, notify, announcement };
        match (module, job_id) {
            (Ok(module), Ok(job_id)) if faults.is_empty() => {
                Ok(Self { module, job_id, delivery, history: History::read(object, now) })
            }
            (module, job_id) => {
                let faults = module.err().into_iter().chain(job_id.err()).chain(faults).collect::<Vec<_>>();
                let text = |field| object.get(field).and_then(Value::as_str).map(redact::quote);
                Err(Box::new(InvalidRequest {
                    module: text("module"),
                    job_id: text("job_id"),
                    delivery,
                    ..*rejected(faults.join("; "))
                }))
            }
        }
    }
}

impl History {
    /// Leniently: a field of the wrong type, a negative number or a time after `now` is as good as absent.
    fn read(object: &Map<String, Value>, now: Timestamp) -> Self {
        let number = |field| object.get(field).and_then(Value::as_u64);
        let time = |field| {
            object.get(field).and_then(Value::as_str).and_then(Timestamp::parse).filter(|time| *time <= now)
        };
        Self {
            checks: number("checks"),
            first_checked_at: time("first_checked_at"),
            checked_at: time("checked_at"),
            updated_count: number("updated_count"),
            failed_count: number("failed_count"),
        }
    }
}

/// `detail` is an object where a rule or `PutEvents` sends it, and a string where Scheduler's default envelope does.
fn detail_object(detail: Value) -> Result<Map<String, Value>, Box<InvalidRequest>> {
    let parsed = match detail {
        Value::String(text) => serde_json::from_str(&text)
            .map_err(|error| rejected(format!("`detail` is a string that is no JSON ({error})")))?,
        other => other,
    };
    match parsed {
        Value::Object(object) => Ok(object),
        other => Err(rejected(format!("`detail` must be the request object, not {}", describe(&other)))),
    }
}

fn required_text<'a>(object: &'a Map<String, Value>, field: &str, example: &str) -> Result<&'a str, String> {
    match object.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Number(_)) if field == "job_id" => Err(format!(
            "`job_id` is a number; quote it, {example}: real ids exceed 2^53, so a number may have lost digits on \
             its way here"
        )),
        None | Some(Value::Null) => Err(format!("`{field}` is missing: it must be a string {example}")),
        Some(other) => Err(format!("`{field}` must be a string {example}, not {}", describe(other))),
    }
}

fn fault(field: &str, text: &str, wrong: &str) -> String {
    let padded = if text.trim() == text { "" } else { " (with white space around it)" };
    format!("`{field}` {:?}{padded} {wrong}", redact::quote(text))
}

fn rejected(what: String) -> Box<InvalidRequest> {
    Box::new(InvalidRequest {
        error: WatchError::new(ErrorType::InvalidInput, format!("{what}. A request looks like {EXAMPLE}")),
        module: None,
        job_id: None,
        delivery: Delivery::default(),
    })
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        // What is no JSON at all arrives as a string, too: payload::always_json.
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
