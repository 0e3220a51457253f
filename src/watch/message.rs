//! The message about the end of a watch, or about a job that is still unfinished, for programs and for people.

use crate::operation;
use crate::redact;
pub use crate::watch::text::MessageSettings;
use crate::watch::text::{Text, after};
use crate::watch::{format::defanged, report::Event, report::Report, request::Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A message as SNS accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// ASCII, under 100 characters.
    pub subject: String,
    /// The `MessageStructure: json` document: `default` is the report, `email` and `sms` are for people.
    pub body: String,
    /// String attributes, for filter policies.
    pub attributes: Vec<(&'static str, String)>,
    /// The same in every delivery about one event, and never the same for two.
    pub event_id: String,
    /// What a FIFO topic keeps in order: the messages about one job.
    pub group_id: String,
}

/// Subjects are "less than 100 characters long" (SNS API reference, Publish).
const SUBJECT_LIMIT: usize = 99;

impl Message {
    /// The message about an event that this report shows.
    pub fn about(report: &Report, event: Event, request: &Request, settings: &MessageSettings) -> Self {
        let [event_id, group_id] = event.ids(report, request);
        let text = Text::about(report, event, request, settings);
        let [_, job_id] = report.job.names();
        let subject = subject(&text, job_id);
        let job_id = defanged(job_id.unwrap_or("unknown"));
        let mut texts = BTreeMap::from([
            ("default", serde_json::to_string(report).unwrap_or_default()),
            ("email", text.email()),
            ("sms", headline(&text, &text.operation, &job_id)),
        ]);
        if settings.chat {
            texts.insert("https", chat(&text, &subject, event, report, [&event_id, &group_id]).to_string());
        }
        let attributes = attributes(report, event, &event_id);
        Self { subject, body: json!(texts).to_string(), attributes, event_id, group_id }
    }

    /// The message as the SNS task of a state machine takes it.
    pub fn to_announcement(&self) -> Value {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| (*name, json!({"DataType": "String", "StringValue": value})));
        let attributes: BTreeMap<&str, Value> = attributes.collect();
        json!({"subject": self.subject, "message": self.body, "attributes": attributes})
    }
}

/// SNS accepts no empty attribute, and no control characters in one. A filter policy on `outcome` lets no notice pass.
fn attributes(report: &Report, event: Event, event_id: &str) -> Vec<(&'static str, String)> {
    let attribute = |text: Option<&str>| text.map(redact::one_line).filter(|text| !text.is_empty());
    let [module, job_id] = report.job.names().map(|name| attribute(name).or_else(|| Some("unknown".to_owned())));
    let kind = match event {
        Event::End(_) => "outcome",
        Event::Notice(_) => "notice",
    };
    let attributes = [
        ("module", module),
        ("job_id", job_id),
        (kind, Some(event.name().to_owned())),
        ("event_id", Some(event_id.to_owned())),
        ("status", attribute(report.status.as_ref().map(|status| status.as_str()))),
        ("label", attribute(report.tags.label.as_deref())),
        ("list", attribute(report.tags.list.as_deref())),
    ];
    attributes.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// `Partly done: Zoho CRM Leads owner change, job ...5021: 49,500 of 50,000 updated`. A long module name is cut first.
fn subject(text: &Text, job_id: Option<&str>) -> String {
    let last_four = |id: &str| id.chars().skip(id.chars().count().saturating_sub(4)).collect::<String>();
    let job = job_id.map_or_else(|| "unknown".to_owned(), |id| format!("...{}", last_four(id)));
    let whole = headline(text, &text.operation, &job);
    let Some(over) = whole.len().checked_sub(SUBJECT_LIMIT).filter(|over| *over > 0) else { return whole };
    let name = text.operation.trim_end_matches(operation::NAME).trim_end();
    let kept = name.chars().count().saturating_sub(over).saturating_sub(3);
    let operation = format!("{}... {}", name.chars().take(kept).collect::<String>(), operation::NAME);
    headline(text, &operation, &job).chars().take(SUBJECT_LIMIT).collect()
}

/// What happened to which job, and its counts, in ASCII.
fn headline(text: &Text, operation: &str, job: &str) -> String {
    ascii(&format!("{}: {operation}, job {job}{}", text.beginning, after(": ", &text.counts)))
}

/// A custom notification of Amazon Q Developer, which subscribes to a topic by HTTPS and shows it in chat channels.
fn chat(text: &Text, subject: &str, event: Event, report: &Report, [id, thread]: [&str; 2]) -> Value {
    // Without what chats read as markup, links, or mentions, except for the function's own links.
    let plain =
        |text: &str| -> String { text.chars().map(|c| if "<>@*~`[]|".contains(c) { ' ' } else { c }).collect() };
    let [module, job_id] = report.job.names().map(|name| plain(&defanged(name.unwrap_or("unknown"))));
    let facts = std::iter::once(&text.sentence).chain(&text.facts).map(|line| plain(line));
    let description = facts.chain(text.links.iter().cloned()).collect::<Vec<_>>().join("\n");
    let steps: Vec<String> = text.advice.iter().chain(&text.operator).map(|step| plain(step)).collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": id,
        "content": {
            "textType": "client-markdown",
            "title": plain(subject),
            "description": description,
            "nextSteps": steps,
            "keywords": [module, event.name()],
        },
        "metadata": {
            "threadId": thread,
            "summary": format!("{}, job {job_id}", plain(&text.operation)),
            "eventType": event.name(),
            "relatedResources": [job_id],
        },
    })
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests;
