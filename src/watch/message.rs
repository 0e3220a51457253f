//! The message about the end of a watch: what it says, and to whom.

use crate::redact;
use crate::watch::ids::{JobId, ModuleName, ScheduleArn};
use crate::watch::job::Outcome;
use crate::watch::report::Report;
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

/// How much of a module's name stands in ids, which SNS limits to 128 characters: the job id tells jobs apart.
const MODULE_IN_ID: usize = 70;

/// Subjects are "less than 100 characters long" (API reference).
const SUBJECT_LIMIT: usize = 99;

impl Message {
    /// The message about the watch that ends with this report, triggered by this schedule if by any.
    pub fn about(report: &Report, outcome: Outcome, schedule: Option<&ScheduleArn>) -> Self {
        let module = attribute(report.module.as_deref());
        let job_id = attribute(report.job_id.as_deref());
        let group_id = watch_id(&module, &job_id, schedule);
        let mut event_id = format!("{group_id}-{}", outcome.name());
        if outcome == Outcome::WatchTimedOut {
            // A job can outlive more than one watch.
            event_id.push_str(&format!("-{}", report.first_checked_at.epoch_seconds()));
        }
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
            "email": email(report, outcome, &module, &job_id),
            "sms": format!("Zoho CRM {module} owner change, job {job_id}: {headline}"),
        });
        Self {
            subject: subject(&module, &headline),
            body: document.to_string(),
            attributes,
            event_id,
            group_id,
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

/// SNS takes no empty attribute and no control characters in one.
fn attribute(text: Option<&str>) -> String {
    text.map(redact::one_line).filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// Names one watch in the characters and the length that SNS takes in ids: by module and job, or, where a request named
/// none that could be, by the schedule that keeps making it.
fn watch_id(module: &str, job_id: &str, schedule: Option<&ScheduleArn>) -> String {
    let plain = |text: &str, most: usize| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        text.chars().take(most).map(plain).collect()
    };
    match schedule {
        Some(schedule) if ModuleName::parse(module).is_err() || JobId::parse(job_id).is_err() => {
            format!("{}.{}", plain(schedule.group(), 30), plain(schedule.name(), 64))
        }
        _ => format!("{}-{}", plain(module, MODULE_IN_ID), plain(job_id, 20)),
    }
}

/// How many records went where, as far as that is known.
fn counts(report: &Report) -> Vec<String> {
    let mut counts = Vec::new();
    match (report.updated_count, report.total_count) {
        (Some(updated), Some(total)) => {
            counts.push(format!("{} of {} updated", grouped(updated), grouped(total)))
        }
        (Some(updated), None) => counts.push(format!("{} updated", grouped(updated))),
        (None, _) => {}
    }
    let above_zero = |count: Option<u64>| count.filter(|count| *count > 0).map(grouped);
    counts.extend(above_zero(report.failed_count).map(|failed| format!("{failed} failed")));
    if report.finished {
        counts.extend(above_zero(report.not_updated_count).map(|left| format!("{left} left over")));
    }
    counts
}

fn reason(report: &Report) -> &'static str {
    report.error.as_ref().map_or("unknown", |error| error.0.kind().name())
}

/// What a sales manager wants to know, in a few words.
fn headline(report: &Report, outcome: Outcome) -> String {
    let mut parts = counts(report);
    match outcome {
        Outcome::Succeeded | Outcome::PartiallySucceeded if parts.is_empty() => {
            parts.push("completed".into())
        }
        Outcome::Succeeded | Outcome::PartiallySucceeded => {}
        Outcome::Failed => parts.insert(0, "FAILED".into()),
        Outcome::WatchTimedOut => parts.insert(0, "still unfinished, no longer watched".into()),
        Outcome::WatchFailed => parts.insert(0, format!("can no longer be watched ({})", reason(report))),
    }
    parts.join(", ")
}

/// A few lines for people. The state machine words a `WATCH_FAILED` of its own in the same way.
fn email(report: &Report, outcome: Outcome, module: &str, job_id: &str) -> String {
    let counts = counts(report).join(", ");
    let counts = if counts.is_empty() { counts } else { format!(": {counts}") };
    let news = match outcome {
        Outcome::Succeeded => format!("is done{counts}."),
        Outcome::PartiallySucceeded => format!("is done, but not for every record{counts}."),
        Outcome::Failed => format!("has failed{counts}."),
        Outcome::WatchTimedOut => format!("is still unfinished and no longer watched{counts}."),
        Outcome::WatchFailed => {
            format!("can no longer be watched ({}). The job itself may go on.", reason(report))
        }
    };
    let mut lines = vec![format!("The change of owner in Zoho CRM {module} {news}"), String::new()];
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
    lines.push(format!("Watched from {} to {}", report.first_checked_at, report.checked_at));
    lines.extend(report.error.as_ref().map(|error| format!("Reason: {}", error.0)));
    let advice = match outcome {
        Outcome::Succeeded => None,
        Outcome::PartiallySucceeded | Outcome::Failed => Some(
            "Zoho does not say which records were left out, or why: filter the module by the old owner to find them.",
        ),
        Outcome::WatchTimedOut => {
            Some("To go on watching, start a new watch with the same module and job id.")
        }
        Outcome::WatchFailed => {
            Some("To go on watching, mend the reason and start a new watch with the same module and job id.")
        }
    };
    lines.extend(advice.map(str::to_owned));
    lines.join("\n")
}

/// One line of printable ASCII within SNS's limit; a long module name gives way to the news.
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
