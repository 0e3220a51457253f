//! The message about the end of a watch, or about a job that is still unfinished, for programs and for people.

use crate::redact;
use crate::watch::event::{Event, MessageIds};
use crate::watch::format::defanged;
use crate::watch::report::Report;
use crate::watch::request::Request;
use crate::watch::text::{Deployment, Text, after};
use serde_json::{Value, json};

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

/// What decides how messages look, besides the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSettings {
    /// `CHAT_NOTIFICATIONS`: HTTPS subscribers get what Amazon Q Developer shows in a chat instead of the report.
    pub chat: bool,
    /// Where the function runs.
    pub deployment: Deployment,
}

impl Message {
    /// The message about an event that this report shows.
    pub fn about(report: &Report, event: Event, request: &Request, settings: &MessageSettings) -> Self {
        let MessageIds { event_id, group_id } = MessageIds::of(report, event, request);
        let text = Text::about(report, event, request, &settings.deployment);
        let job_id = report.job.job_id();
        let subject = subject(&text, job_id);
        let mut document = json!({
            "default": serde_json::to_string(report).unwrap_or_default(),
            "email": text.email(),
            "sms": sms(&text, job_id.unwrap_or("unknown")),
        });
        if settings.chat
            && let Some(texts) = document.as_object_mut()
        {
            let chat = chat(&text, &subject, event, report, (&event_id, &group_id));
            texts.insert("https".to_owned(), chat.to_string().into());
        }
        let attributes = attributes(report, event, &event_id);
        Self { subject, body: document.to_string(), attributes, event_id, group_id }
    }

    /// The message as the SNS task of a state machine takes it.
    pub fn to_announcement(&self) -> Value {
        let attributes: serde_json::Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"DataType": "String", "StringValue": value})))
            .collect();
        json!({"subject": self.subject, "message": self.body, "attributes": attributes})
    }
}

/// SNS accepts no empty attribute, and no control characters in one. A subscription with a filter policy on `outcome` gets
/// no notices.
fn attributes(report: &Report, event: Event, event_id: &str) -> Vec<(&'static str, String)> {
    let attribute = |text: Option<&str>| text.map(redact::one_line).filter(|text| !text.is_empty());
    let known = |text| attribute(text).unwrap_or_else(|| "unknown".to_owned());
    let kind = match event {
        Event::End(_) => "outcome",
        Event::Notice(_) => "notice",
    };
    let optional = [
        ("status", report.status.as_ref().map(|status| status.as_str())),
        ("label", report.tags.label.as_deref()),
        ("list", report.tags.list.as_deref()),
    ];
    [
        ("module", known(report.job.module())),
        ("job_id", known(report.job.job_id())),
        (kind, event.name().to_owned()),
        ("event_id", event_id.to_owned()),
    ]
    .into_iter()
    .chain(optional.into_iter().filter_map(|(name, text)| Some((name, attribute(text)?))))
    .collect()
}

/// `Partly done: Zoho CRM Leads owner change, job ...5021: 49,500 of 50,000 updated, 500 failed`. A long module name is cut,
/// never the rest.
fn subject(text: &Text, job_id: Option<&str>) -> String {
    let job = job_id.map_or_else(
        || "unknown".to_owned(),
        |job_id| {
            let start = job_id.chars().count().saturating_sub(4);
            format!("...{}", job_id.chars().skip(start).collect::<String>())
        },
    );
    let counts = after(": ", &text.counts);
    let start = ascii(&format!("{}: ", text.beginning));
    let operation = ascii(&text.operation);
    let end = ascii(&format!(", job {job}{counts}"));
    let left = SUBJECT_LIMIT.saturating_sub(start.len()).saturating_sub(end.len());
    let subject = match operation.len().checked_sub(left).filter(|over| *over > 0) {
        None => format!("{start}{operation}{end}"),
        Some(over) => {
            let (name, rest) = operation.rsplit_once(" owner").unwrap_or((&operation, ""));
            let rest = if rest.is_empty() { String::new() } else { format!(" owner{rest}") };
            let kept = name.len().saturating_sub(over).saturating_sub(3);
            format!("{start}{}...{rest}{end}", name.get(..kept).unwrap_or_default())
        }
    };
    subject.chars().take(SUBJECT_LIMIT).collect()
}

/// One line for a phone.
fn sms(text: &Text, job_id: &str) -> String {
    let counts = after(": ", &text.counts);
    ascii(&format!("{}: {}, job {}{counts}", text.beginning, text.operation, defanged(job_id)))
}

/// What a chat channel shows: a custom notification of Amazon Q Developer in chat applications. Amazon Q subscribes to a
/// topic by HTTPS, so that one publication reaches everybody.
fn chat(text: &Text, subject: &str, event: Event, report: &Report, ids: (&str, &str)) -> Value {
    let (event_id, group_id) = ids;
    // Without what chats read as markup, links, or mentions: an error can quote what a server or a caller sent. The links
    // are the function's own.
    let plain =
        |text: &str| -> String { text.chars().map(|c| if "<>@*~`[]|".contains(c) { ' ' } else { c }).collect() };
    let names = [report.job.module(), report.job.job_id()].map(|name| plain(&defanged(name.unwrap_or("unknown"))));
    let [module, job_id] = &names;
    let facts: Vec<String> = std::iter::once(&text.sentence).chain(&text.facts).map(|line| plain(line)).collect();
    let description = facts.iter().chain(&text.links).cloned().collect::<Vec<_>>().join("\n");
    let steps: Vec<String> = [&text.advice, &text.operator].into_iter().flatten().map(|step| plain(step)).collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": event_id,
        "content": {
            "textType": "client-markdown",
            "title": plain(subject),
            "description": description,
            "nextSteps": steps,
            "keywords": [module, event.name()],
        },
        "metadata": {
            "threadId": group_id,
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
