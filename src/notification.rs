//! The message about the end of a watch: composed without I/O, published through SNS.

use crate::error::{ErrorType, WatchError};
use crate::job::Outcome;
use crate::redact;
use crate::report::Report;
use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::{Value, json};

/// A message as SNS takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// ASCII, under 100 characters.
    pub subject: String,
    /// The `MessageStructure: json` document: `default` is the report, `email` and `sms` are for people.
    pub body: String,
    /// String attributes, for filter policies.
    pub attributes: Vec<(&'static str, String)>,
    /// The same for every delivery about one end of one job.
    pub event_id: String,
    /// What a FIFO topic keeps in order: the messages about one job.
    pub group_id: String,
}

/// SNS's limit for a FIFO topic's ids (API reference).
const ID_LIMIT: usize = 128;

/// Subjects are "less than 100 characters long" (API reference).
const SUBJECT_LIMIT: usize = 99;

impl Message {
    /// The message about the watch that ends with this report.
    pub fn about(report: &Report, outcome: Outcome) -> Self {
        let module = attribute(report.module.as_deref());
        let job_id = attribute(report.job_id.as_deref());
        // The longest module names are cut: the job id tells jobs apart.
        let rest = job_id.len().saturating_add(outcome.name().len()).saturating_add(2);
        let short: String = module.chars().take(ID_LIMIT.saturating_sub(rest)).collect();
        let event_id = format!("{short}-{job_id}-{}", outcome.name());
        let mut attributes = vec![
            ("module", module.clone()),
            ("job_id", job_id.clone()),
            ("outcome", outcome.name().to_owned()),
            ("event_id", event_id.clone()),
        ];
        attributes.extend(report.status.clone().map(|status| ("status", status)));
        let headline = headline(report, outcome);
        let document = json!({
            "default": json_text(report),
            "email": email(report, outcome, &headline),
            "sms": format!("Zoho CRM {module} owner change, job {job_id}: {headline}"),
        });
        Self {
            subject: subject(&format!("Zoho CRM {module} owner change: {headline}")),
            body: document.to_string(),
            attributes,
            event_id,
            group_id: format!("{short}-{job_id}"),
        }
    }

    /// As a state machine's SNS task takes it.
    pub fn to_announcement(&self) -> Value {
        let attributes: serde_json::Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"DataType": "String", "StringValue": value})))
            .collect();
        json!({"subject": self.subject, "message": self.body, "attributes": attributes})
    }
}

/// Publishes to one topic.
#[derive(Debug, Clone)]
pub struct Publisher {
    client: Client,
}

impl Publisher {
    /// Through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Publishes and returns SNS's message id.
    pub async fn publish(&self, topic_arn: &str, message: &Message) -> Result<String, WatchError> {
        let mut request = self
            .client
            .publish()
            .topic_arn(topic_arn)
            .message_structure("json")
            .subject(&message.subject)
            .message(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|error| failed(topic_arn, &redact::causes(&error)))?;
            request = request.message_attributes(*name, value);
        }
        if topic_arn.ends_with(".fifo") {
            request = request.message_group_id(&message.group_id).message_deduplication_id(&message.event_id);
        }
        match request.send().await {
            Ok(answer) => Ok(answer.message_id.unwrap_or_default()),
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                let what = match (status, error.code(), error.message()) {
                    (Some(status), code, message) => {
                        format!(
                            "HTTP {status} {} {:?}",
                            code.unwrap_or_default(),
                            redact::quote(message.unwrap_or_default())
                        )
                    }
                    (None, _, _) => redact::causes(&error),
                };
                Err(failed(topic_arn, &what))
            }
        }
    }
}

fn failed(topic_arn: &str, what: &str) -> WatchError {
    WatchError::new(
        ErrorType::NotificationFailed,
        format!(
            "SNS did not take the message for {topic_arn} ({what}). Check STATUS_TOPIC_ARN, and that the role has sns:Publish (and kms:GenerateDataKey and kms:Decrypt for an encrypted topic)"
        ),
    )
}

/// SNS takes no empty attribute and no control characters in one.
fn attribute(text: Option<&str>) -> String {
    text.map(redact::one_line).filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// What a sales manager wants to know, in a few words.
fn headline(report: &Report, outcome: Outcome) -> String {
    let counts = match (report.updated_count, report.total_count) {
        (Some(updated), Some(total)) => Some(format!("{} of {} updated", grouped(updated), grouped(total))),
        (Some(updated), None) => Some(format!("{} updated", grouped(updated))),
        (None, _) => None,
    };
    let mut parts: Vec<String> = match outcome {
        Outcome::Succeeded | Outcome::PartiallySucceeded => {
            vec![counts.unwrap_or_else(|| "completed".into())]
        }
        Outcome::Failed => std::iter::once("FAILED".to_owned()).chain(counts).collect(),
        Outcome::WatchTimedOut => {
            std::iter::once("still unfinished, no longer watched".to_owned()).chain(counts).collect()
        }
        Outcome::WatchFailed => {
            let why = report.error.as_ref().map_or("unknown", |error| error.0.kind().name());
            vec![format!("can no longer be watched ({why})")]
        }
    };
    let above_zero = |count: Option<u64>| count.filter(|count| *count > 0).map(grouped);
    parts.extend(above_zero(report.failed_count).map(|failed| format!("{failed} failed")));
    if report.finished {
        parts.extend(above_zero(report.not_updated_count).map(|left| format!("{left} left over")));
    }
    parts.join(", ")
}

fn email(report: &Report, outcome: Outcome, headline: &str) -> String {
    let module = attribute(report.module.as_deref());
    let job_id = attribute(report.job_id.as_deref());
    let mut lines = vec![
        match outcome {
            Outcome::Succeeded => format!("The change of owner in Zoho CRM {module} is done: {headline}."),
            Outcome::PartiallySucceeded => format!(
                "The change of owner in Zoho CRM {module} is done, but not for every record: {headline}."
            ),
            Outcome::Failed => format!("The change of owner in Zoho CRM {module} has failed: {headline}."),
            Outcome::WatchTimedOut => format!("The change of owner in Zoho CRM {module} is {headline}."),
            Outcome::WatchFailed => {
                format!("The change of owner in Zoho CRM {module} {headline}. The job itself may go on.")
            }
        },
        String::new(),
    ];
    for (name, count) in [
        ("Records in all", report.total_count),
        ("Updated", report.updated_count),
        ("Failed", report.failed_count),
        ("Not updated", report.not_updated_count),
    ] {
        lines.extend(count.map(|count| format!("{name}: {}", grouped(count))));
    }
    lines.push(format!("Job: {job_id}"));
    lines.extend(report.status.as_ref().map(|status| format!("Status at Zoho: {status}")));
    lines.push(format!(
        "Watched from {} to {}, {} checks",
        report.first_checked_at,
        report.checked_at,
        grouped(report.checks)
    ));
    lines.extend(report.error.as_ref().map(|error| format!("Reason: {}", error.0)));
    lines.extend(match outcome {
        Outcome::PartiallySucceeded | Outcome::Failed => Some("Zoho does not say which records were left out, or why: filter the module by the old owner to find them."),
        Outcome::WatchTimedOut => Some("To go on watching, start a new watch with the same module and job id."),
        _ => None,
    }.map(str::to_owned));
    lines.join("\n")
}

/// One line of printable ASCII within SNS's limit.
fn subject(text: &str) -> String {
    let ascii: String =
        text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if ascii.len() <= SUBJECT_LIMIT {
        return ascii;
    }
    let kept: String = ascii.chars().take(SUBJECT_LIMIT.saturating_sub(3)).collect();
    format!("{kept}...")
}

/// `49,500`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The plain report: what is known of it before it is published.
fn json_text(report: &Report) -> String {
    let plain = Report { announcement: None, notification: None, schedule_deleted: None, ..report.clone() };
    serde_json::to_string(&plain).unwrap_or_default()
}

#[cfg(test)]
mod tests;
