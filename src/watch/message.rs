//! The message about the end of a watch, or about a job that is still unfinished, for programs and for people.

use crate::redact;
use crate::timestamp::Timestamp;
use crate::watch::chat::{CustomNotification, Text};
use crate::watch::event::Event;
use crate::watch::event_id::Ids;
use crate::watch::job::Outcome;
use crate::watch::notice::Kind;
use crate::watch::report::Report;
use crate::watch::request::Delivery;
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

/// What a message has only if the operator asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// `CHAT_NOTIFICATIONS`: HTTPS subscribers get what Amazon Q Developer shows in a chat instead of the report.
    pub chat: bool,
}

impl Message {
    /// The message about an event that this report shows. `started` is when the watch began, as far as the request or its
    /// schedule tells.
    pub fn about(
        report: &Report,
        event: Event,
        delivery: &Delivery,
        started: Option<Timestamp>,
        settings: Settings,
    ) -> Self {
        let module = attribute(report.job.module());
        let job_id = attribute(report.job.job_id());
        let Ids { event_id, group_id } = Ids::of(report, event, delivery, started);
        let mut attributes = vec![
            ("module", module.clone()),
            ("job_id", job_id.clone()),
            (attribute_name(event), event.name().to_owned()),
            ("event_id", event_id.clone()),
        ];
        attributes.extend(report.status.clone().map(|status| ("status", status)));
        let headline = headline(report, event);
        let subject = subject(&module, &headline);
        let facts = facts(report, event, &module, &job_id);
        let advice = advice(event, &module);
        let mut document = json!({
            "default": json_text(report),
            "email": email(&facts, advice.as_deref()),
            "sms": format!("Zoho CRM {module} owner change, job {job_id}: {headline}"),
        });
        if settings.chat {
            let notification = CustomNotification::from(Text {
                title: &subject,
                lines: &facts,
                advice: advice.as_deref(),
                module: &module,
                job_id: &job_id,
                event: event.name(),
                event_id: &event_id,
                group_id: &group_id,
            });
            let text = serde_json::to_string(&notification).unwrap_or_default();
            if let Some(texts) = document.as_object_mut() {
                texts.insert("https".to_owned(), text.into());
            }
        }
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

/// A subscription with a filter policy on `outcome` gets no notices.
fn attribute_name(event: Event) -> &'static str {
    match event {
        Event::End(_) => "outcome",
        Event::Notice(_) => "notice",
    }
}

/// SNS accepts no empty attribute, and no control characters in one.
fn attribute(text: Option<&str>) -> String {
    text.map(redact::one_line).filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// How many records have the new owner, and how many do not, as far as that is known.
pub fn counts(report: &Report) -> Vec<String> {
    let mut counts = Vec::new();
    let written = with_thousands_separators;
    match (report.updated_count, report.total_count) {
        (Some(updated), Some(total)) => {
            counts.push(format!("{} of {} updated", written(updated), written(total)));
        }
        (Some(updated), None) => counts.push(format!("{} updated", written(updated))),
        (None, _) => {}
    }
    let above_zero = |count: Option<u64>| count.filter(|count| *count > 0).map(written);
    counts.extend(above_zero(report.failed_count).map(|failed| format!("{failed} failed")));
    if report.finished {
        counts.extend(above_zero(report.not_updated_count).map(|left| format!("{left} not updated")));
    }
    counts
}

fn error_name(report: &Report) -> &str {
    report.error.as_ref().map_or("unknown", |error| &error.name)
}

/// What a sales manager wants to know, in a few words.
pub fn headline(report: &Report, event: Event) -> String {
    let mut parts = counts(report);
    let news = match event {
        Event::End(Outcome::Succeeded | Outcome::PartiallySucceeded) => {
            parts.is_empty().then(|| "completed".to_owned())
        }
        Event::End(Outcome::Failed) => Some("FAILED".to_owned()),
        Event::End(Outcome::WatchTimedOut) => Some("still unfinished, no longer watched".to_owned()),
        Event::End(Outcome::WatchFailed) => Some(format!("no longer watched ({})", error_name(report))),
        Event::Notice(notice) => Some(match notice.kind {
            Kind::StillRunning => "still unfinished".to_owned(),
            Kind::NoProgress => format!("no progress for {}", stalled_for(report)),
        }),
    };
    parts.splice(0..0, news);
    parts.join(", ")
}

/// How long the counts have not changed.
fn stalled_for(report: &Report) -> String {
    between(report.last_progress_at.unwrap_or(report.first_checked_at), report.checked_at)
}

/// The time from start to end, for people; `0 s` if the end is earlier.
pub fn between(start: Timestamp, end: Timestamp) -> String {
    duration(u64::try_from(end.seconds_since(start)).unwrap_or(0))
}

fn email(facts: &[String], advice: Option<&str>) -> String {
    let advice = advice.map(|advice| format!("\nWhat to do: {advice}"));
    facts.iter().cloned().chain(advice).collect::<Vec<_>>().join("\n")
}

/// What is known, a line each. The first one says it in a sentence.
fn facts(report: &Report, event: Event, module: &str, job_id: &str) -> Vec<String> {
    let counts = counts(report).join(", ");
    let counts = if counts.is_empty() { counts } else { format!(": {counts}") };
    let news = match event {
        Event::End(Outcome::Succeeded) => format!("is complete{counts}."),
        Event::End(Outcome::PartiallySucceeded) => format!("is complete, but not for every record{counts}."),
        Event::End(Outcome::Failed) => format!("failed{counts}."),
        Event::End(Outcome::WatchTimedOut) => {
            format!("is still unfinished and is no longer watched{counts}.")
        }
        Event::End(Outcome::WatchFailed) => {
            format!("is no longer watched ({}). The job itself may continue in Zoho.", error_name(report))
        }
        Event::Notice(notice) => match notice.kind {
            Kind::StillRunning => format!("is still unfinished{counts}."),
            Kind::NoProgress => format!("has made no progress for {}{counts}.", stalled_for(report)),
        },
    };
    let mut lines = vec![format!("The change of owner in Zoho CRM {module} {news}"), String::new()];
    for (name, count) in [
        ("Total records", report.total_count),
        ("Updated", report.updated_count),
        ("Failed", report.failed_count),
        ("Not updated", report.not_updated_count),
    ] {
        lines.extend(count.map(|count| format!("{name}: {}", with_thousands_separators(count))));
    }
    lines.push(format!("Job: {job_id}"));
    lines.extend(report.status.as_ref().map(|status| format!("Status in Zoho: {status}")));
    let Report { first_checked_at, checked_at, .. } = *report;
    lines.push(format!(
        "Watched for {}, from {first_checked_at} to {checked_at}",
        between(first_checked_at, checked_at)
    ));
    lines.extend(report.next_check_seconds.map(|wait| format!("Next check: in {}", duration(wait))));
    lines.extend(report.error.as_ref().map(|error| format!("Reason: {}: {}", error.name, error.message)));
    lines
}

/// What the reader can do about this event.
pub fn advice(event: Event, module: &str) -> Option<String> {
    match event {
        Event::End(Outcome::Succeeded) => None,
        Event::End(Outcome::PartiallySucceeded | Outcome::Failed) => Some(format!(
            "Zoho does not report which records were not changed, or why. In Zoho CRM, open {module} and filter by the \
             previous owner to find them."
        )),
        Event::End(Outcome::WatchTimedOut) => {
            Some(format!("Look at the job in Zoho CRM (Setup, Data Administration). {WATCH_AGAIN}"))
        }
        Event::End(Outcome::WatchFailed) => Some(format!("Fix the cause. {WATCH_AGAIN}")),
        Event::Notice(notice) => match notice.kind {
            Kind::StillRunning => None,
            Kind::NoProgress => Some(
                "Look at the job in Zoho CRM (Setup, Data Administration). The watch continues and announces the end."
                    .to_owned(),
            ),
        },
    }
}

/// A second execution with the same name is rejected for 90 days: the email says how to start one.
const WATCH_AGAIN: &str = "To watch the job again, start a new watch with the same module and job ID: for a state \
                           machine, under another execution name (make watch ... AGAIN=1).";

/// One line of printable ASCII within SNS's limit; a long module name is cut in favor of the news.
fn subject(module: &str, headline: &str) -> String {
    let whole = |module: &str| ascii(&format!("Zoho CRM {module} owner change: {headline}"));
    let subject = whole(module);
    let Some(over) = subject.len().checked_sub(SUBJECT_LIMIT).filter(|over| *over > 0) else {
        return subject;
    };
    let kept = module.chars().count().saturating_sub(over).saturating_sub(3);
    let short: String = module.chars().take(kept).collect();
    whole(&format!("{short}...")).chars().take(SUBJECT_LIMIT).collect()
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// `49,500`.
pub fn with_thousands_separators(number: u64) -> String {
    let digits = number.to_string();
    let mut written = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// The two largest units: `2 h 5 min`, `12 min 30 s`, `45 s`.
pub fn duration(seconds: u64) -> String {
    let units = [("d", 86_400, u64::MAX), ("h", 3_600, 24), ("min", 60, 60), ("s", 1, 60)];
    let mut parts = units
        .iter()
        .filter_map(|(name, length, modulus)| {
            let count = seconds.checked_div(*length)?.checked_rem(*modulus)?;
            Some((count, name))
        })
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect::<Vec<_>>();
    if parts.is_empty() {
        parts.push("0 s".to_owned());
    }
    parts.join(" ")
}

/// The report as it is before it is delivered.
fn json_text(report: &Report) -> String {
    let undelivered = Report {
        announcement: None,
        notice: None,
        notification: None,
        schedule_deleted: None,
        ..report.clone()
    };
    serde_json::to_string(&undelivered).unwrap_or_default()
}

#[cfg(test)]
mod tests;
