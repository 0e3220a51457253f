//! JSON Schemas of everything that callers and subscribers see. `tests/schemas.rs` keeps schemas/ current.
//!
//! The report is described where it is defined. What has no type of its own, because the function reads or composes it
//! field by field, is described here.

use crate::error::ErrorType;
use crate::watch::chat::CustomNotification;
use crate::watch::job::Outcome;
use crate::watch::notice::Kind;
use crate::watch::report::Report;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// `module` and `job_id` of a report. In a `WATCH_FAILED` report, what the request says instead.
#[derive(Debug, JsonSchema)]
pub struct JobNames {
    /// API name of the module.
    pub module: Option<String>,
    /// ID of the job.
    pub job_id: Option<String>,
}

/// What the function accepts: a request, a report of an earlier check, an EventBridge event around one of them, a state
/// machine's wrapper around any of these, or the JSON text of one of them.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Payload {
    /// EventBridge's envelope.
    Event(Event),
    /// A state machine's wrapper.
    Wrapper(Wrapper),
    /// A request or a report.
    Request(Request),
    /// JSON text that contains the object.
    Text(#[schemars(extend("contentMediaType" = "application/json"))] String),
}

/// A request. A report is a valid request, too.
#[derive(Debug, JsonSchema)]
pub struct Request {
    /// API name of the module, or a standard module's display name in any letter case. Not the placeholder `Custom`.
    #[schemars(length(max = 255), regex(pattern = r"^[A-Za-z][A-Za-z0-9_ ]*$"))]
    #[schemars(extend("not" = {"pattern": "^[Cc][Uu][Ss][Tt][Oo][Mm]$"}))]
    pub module: String,
    /// ID of the job, as text: real IDs exceed 2^53.
    #[schemars(regex(pattern = "^[0-9]{1,20}$"))]
    pub job_id: String,
    /// ARN of the EventBridge schedule that triggers the invocation. The function deletes it when the watch is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^arn:[^:]+:scheduler:[^:]+:[0-9]{12}:schedule/[^/]+/[^/]+$"))]
    pub schedule_arn: Option<String>,
    /// Whether to publish the end of the watch. The default is true in an event or with a `schedule_arn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<bool>,
    /// When the watch began. The limit of the watch counts from here. A value of another form is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_checked_at: Option<Value>,
    /// What else a state machine sets.
    #[serde(flatten)]
    pub watch: Watch,
}

/// What a state machine sets, in a request or next to it.
#[derive(Debug, JsonSchema)]
pub struct Watch {
    /// Any value except false: the report carries `announcement`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Value>,
    /// What the state machine caught. The watch is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// A name for this watch, such as the name of an execution.
    #[serde(rename = "watch", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A request as a state machine received it, with what it sets next to it.
#[derive(Debug, JsonSchema)]
pub struct Wrapper {
    /// The input: a request, a report, an event, or the JSON text of one of them.
    pub request: Value,
    /// Whether to publish the end of the watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<bool>,
    /// What else a state machine sets.
    #[serde(flatten)]
    pub watch: Watch,
}

/// An error as Step Functions passes it to a `Catch`.
#[derive(Debug, JsonSchema)]
pub struct Failure {
    /// The name of the error.
    #[serde(rename = "Error", skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Text, or Lambda's error document as text.
    #[serde(rename = "Cause", skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// An EventBridge event.
#[derive(Debug, JsonSchema)]
pub struct Event {
    /// Who sent the event.
    pub source: String,
    /// What kind of event it is.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// In an event from Scheduler, the ARN of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// The request.
    pub detail: Detail,
}

/// The request in an event.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Detail {
    /// A request or a report.
    Request(Request),
    /// JSON text that contains the object.
    Text(#[schemars(extend("contentMediaType" = "application/json"))] String),
}

/// A failed invocation, as Lambda returns it.
#[derive(Debug, JsonSchema)]
pub struct Error {
    /// The name of the error.
    #[serde(rename = "errorType")]
    pub error_type: ErrorType,
    /// What happened and what to do, in one line.
    #[serde(rename = "errorMessage")]
    pub error_message: String,
}

/// The end of a watch, composed for a state machine that publishes it.
#[derive(Debug, JsonSchema)]
pub struct Announcement {
    /// `Subject` of the SNS message.
    pub subject: String,
    /// `Message` of the SNS message, with the structure `json`.
    pub message: String,
    /// `MessageAttributes` of the SNS message.
    pub attributes: Attributes,
}

/// A notice about an unfinished job, composed for a state machine that publishes it.
#[derive(Debug, JsonSchema)]
pub struct Notice {
    /// `Subject` of the SNS message.
    pub subject: String,
    /// `Message` of the SNS message, with the structure `json`.
    pub message: String,
    /// `MessageAttributes` of the SNS message.
    pub attributes: NoticeAttributes,
}

/// The attributes of the message about the end of a watch, for filter policies.
#[derive(Debug, JsonSchema)]
pub struct Attributes {
    /// How the watch ended.
    pub outcome: OutcomeAttribute,
    /// What every message has.
    #[serde(flatten)]
    pub common: CommonAttributes,
}

/// The attributes of a notice, for filter policies.
#[derive(Debug, JsonSchema)]
pub struct NoticeAttributes {
    /// What the notice says.
    pub notice: NoticeAttribute,
    /// What every message has.
    #[serde(flatten)]
    pub common: CommonAttributes,
}

/// The attributes that every message has.
#[derive(Debug, JsonSchema)]
pub struct CommonAttributes {
    /// API name of the module.
    pub module: Attribute,
    /// ID of the job.
    pub job_id: Attribute,
    /// Zoho's status value; absent if this check got none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Attribute>,
    /// The same in every delivery of one message, and never the same for two.
    pub event_id: Attribute,
}

/// A string attribute.
#[derive(Debug, JsonSchema)]
pub struct Attribute {
    /// `String`.
    #[serde(rename = "DataType")]
    pub data_type: DataType,
    /// The value.
    #[serde(rename = "StringValue")]
    pub string_value: String,
}

/// A string attribute that contains an outcome.
#[derive(Debug, JsonSchema)]
pub struct OutcomeAttribute {
    /// `String`.
    #[serde(rename = "DataType")]
    pub data_type: DataType,
    /// The outcome.
    #[serde(rename = "StringValue")]
    pub string_value: Outcome,
}

/// A string attribute that contains the kind of a notice.
#[derive(Debug, JsonSchema)]
pub struct NoticeAttribute {
    /// `String`.
    #[serde(rename = "DataType")]
    pub data_type: DataType,
    /// The kind.
    #[serde(rename = "StringValue")]
    pub string_value: Kind,
}

/// The type of an attribute.
#[derive(Debug, JsonSchema)]
pub enum DataType {
    /// Text.
    String,
}

/// The body of an SNS message before SNS takes it apart: one text for each protocol.
#[derive(Debug, JsonSchema)]
pub struct Message {
    /// The report, as JSON text: what Lambda and SQS subscribers receive, and HTTPS subscribers unless there is an
    /// `https` below.
    #[schemars(extend("contentMediaType" = "application/json"))]
    pub default: String,
    /// A few plain lines.
    pub email: String,
    /// One line of ASCII.
    pub sms: String,
    /// Only if `CHAT_NOTIFICATIONS` is set: a custom notification of Amazon Q Developer, as JSON text, which HTTPS
    /// subscribers receive instead of the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("contentMediaType" = "application/json"))]
    pub https: Option<String>,
}

/// The committed files by name, and their schemas.
pub fn documents() -> [(&'static str, Schema); 7] {
    [
        ("request", of::<Payload>()),
        ("report", of::<Report>()),
        ("error", of::<Error>()),
        ("message", of::<Message>()),
        ("announcement", of::<Announcement>()),
        ("notice", of::<Notice>()),
        ("chat", of::<CustomNotification>()),
    ]
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
