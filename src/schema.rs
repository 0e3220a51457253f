//! JSON Schemas of everything that callers and subscribers see. `tests/library/schemas.rs` keeps schemas/ current.
//!
//! The response is described where it is defined. What has no type of its own, because the function reads or composes it
//! field by field, is described here.

use crate::error::ErrorType;
use crate::watch::report::Response;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the function accepts: a request, a report of an earlier check, an EventBridge event around one of them, a state
/// machine's wrapper around any of these, or the JSON text of one of them.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Payload {
    /// EventBridge's envelope.
    Event {
        /// Who sent the event.
        source: String,
        /// What kind of event it is.
        #[serde(rename = "detail-type")]
        detail_type: String,
        /// In an event from Scheduler, the ARN of the schedule.
        resources: Option<Vec<String>>,
        /// The request.
        detail: Detail,
    },
    /// A state machine's wrapper.
    Wrapper {
        /// The input: a request, a report, an event, or the JSON text of one of them.
        request: Value,
        /// What the state machine sets.
        #[serde(flatten)]
        beside: Beside,
    },
    /// A request or a report.
    Request(RequestFields),
    /// JSON text that contains the object.
    Text(#[schemars(extend("contentMediaType" = "application/json"))] String),
}

/// A request. A report is a valid request, too.
#[derive(Debug, JsonSchema)]
pub struct RequestFields {
    /// API name of the module, or a standard module's display name in any letter case. Not the placeholder `Custom`.
    #[schemars(length(max = 255), regex(pattern = r"^[A-Za-z][A-Za-z0-9_ ]*$"))]
    #[schemars(extend("not" = {"pattern": "^[Cc][Uu][Ss][Tt][Oo][Mm]$"}))]
    pub module: String,
    /// ID of the job, as text: real IDs exceed 2^53.
    #[schemars(regex(pattern = "^[0-9]{1,20}$"))]
    pub job_id: String,
    /// ARN of the EventBridge schedule that triggers the invocation, in its `Input` as the context attribute. The function
    /// deletes it when the watch is over.
    #[schemars(regex(
        pattern = "^(<aws.scheduler.schedule-arn>|arn:[^:]+:scheduler:[^:]+:[0-9]{12}:schedule/[^/]+/[^/]+)$"
    ))]
    pub schedule_arn: Option<String>,
    /// Whether the function updates the schedule after each check, so that it follows the job's pace.
    pub adapt: Option<bool>,
    /// Who asked for the change of owner, or why.
    pub label: Option<Value>,
    /// The list that the watch belongs to.
    pub list: Option<Value>,
    /// When the watch began. The limit of the watch counts from here. A value of another form is ignored.
    pub first_checked_at: Option<Value>,
    /// What a state machine sets.
    #[serde(flatten)]
    pub beside: Beside,
}

/// The request in an event.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Detail {
    /// A request or a report.
    Request(Box<RequestFields>),
    /// JSON text that contains the object.
    Text(#[schemars(extend("contentMediaType" = "application/json"))] String),
}

/// What a state machine sets, in a request or next to it.
#[derive(Debug, JsonSchema)]
pub struct Beside {
    /// Whether to publish the end of the watch. The default is true in an event or with a `schedule_arn`.
    pub notify: Option<bool>,
    /// Any value except false: the report carries `announcement`.
    pub announcement: Option<Value>,
    /// What the state machine caught, `{"Error", "Cause"}`. The watch is over. Only with `announcement`.
    pub failure: Option<BTreeMap<String, String>>,
    /// A name for this watch, such as the name of an execution.
    pub watch: Option<String>,
    /// The ARN of the execution, for the link in its messages.
    pub execution: Option<String>,
}

/// A failed invocation, as Lambda returns it.
#[derive(Debug, JsonSchema)]
pub struct Failed {
    /// The name of the error.
    #[serde(rename = "errorType")]
    pub error_type: ErrorType,
    /// What happened and what to do, in one line.
    #[serde(rename = "errorMessage")]
    pub error_message: String,
}

/// The end of a watch or a notice, composed for a state machine that publishes it.
#[derive(Debug, JsonSchema)]
pub struct Announcement {
    /// `Subject` of the SNS message.
    pub subject: String,
    /// `Message` of the SNS message, with the structure `json`.
    pub message: String,
    /// `MessageAttributes` of the SNS message, for filter policies: `module`, `job_id`, `event_id`, `outcome` or `notice`,
    /// and `status`, `label`, and `list` where they are known.
    pub attributes: BTreeMap<String, Attribute>,
}

/// A string attribute of a message.
#[derive(Debug, JsonSchema)]
pub struct Attribute {
    /// `String`.
    #[serde(rename = "DataType")]
    #[schemars(extend("const" = "String"))]
    pub data_type: String,
    /// The value.
    #[serde(rename = "StringValue")]
    pub string_value: String,
}

/// The body of an SNS message before SNS takes it apart: one text for each protocol.
#[derive(Debug, JsonSchema)]
pub struct MessageBody {
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
pub fn documents() -> [(&'static str, Schema); 5] {
    let output = || SchemaSettings::draft2020_12().for_serialize().into_generator();
    [
        ("request", SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Payload>()),
        ("report", output().into_root_schema_for::<Response>()),
        ("error", output().into_root_schema_for::<Failed>()),
        ("message", output().into_root_schema_for::<MessageBody>()),
        ("announcement", output().into_root_schema_for::<Announcement>()),
    ]
}
