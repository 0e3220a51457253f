//! The words about an event, for people. One writer for email, SMS, chat, and terminal: all of them say the same.

use crate::operation::{self, UNCHANGED};
use crate::watch::format::{defanged, duration, for_people, with_thousands_separators};
use crate::watch::job::{Job, JobRef, Outcome};
use crate::watch::request::{Caller, Request};
use crate::watch::{notice::Notice, report::Event, report::Report};
use crate::{arn::Location, error::ErrorType};

/// What decides how messages look, besides the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSettings {
    /// `CHAT_NOTIFICATIONS`: HTTPS subscribers get what Amazon Q Developer shows in a chat instead of the report.
    pub chat: bool,
    /// The function's ARN.
    pub function_arn: String,
    /// Partition, Region, and account of the function.
    pub location: Location,
    /// `STACK_NAME`.
    pub stack: Option<String>,
    /// `AWS_LAMBDA_LOG_GROUP_NAME`.
    pub log_group: Option<String>,
}

/// What people read about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What happened, in one or two words.
    pub beginning: &'static str,
    /// `Leads owner change, job …`, without the job.
    pub operation: String,
    /// How many records have the new owner, and how many do not, as far as that is known.
    pub counts: String,
    /// What happened, in sentences.
    pub sentence: String,
    /// What is known, a line each.
    pub facts: Vec<String>,
    /// What the reader should know or do.
    pub advice: Option<String>,
    /// What whoever operates the function should do.
    pub operator: Option<String>,
    /// Where to look, a line each.
    pub links: Vec<String>,
}

impl Text {
    /// The words about an event that this report shows.
    pub fn about(report: &Report, event: Event, request: &Request, settings: &MessageSettings) -> Self {
        let module = report.job.names()[0].map_or_else(|| "unknown module".to_owned(), defanged);
        let (beginning, predicate) = happened(report, event);
        Self {
            beginning,
            operation: format!("Zoho CRM {module} {}", operation::NAME),
            counts: counts(report),
            sentence: format!("The {} in Zoho CRM {module} {predicate}", operation::LONG_NAME),
            facts: facts(report, request),
            advice: advice(report, event, &module),
            operator: operator(report, event, request, settings),
            links: links(request, settings),
        }
    }

    /// The lines of an email.
    pub fn email(&self) -> String {
        let advice = self.advice.iter().map(|text| format!("What to know: {text}"));
        let operator = self.operator.iter().map(|text| format!("For the operator: {text}"));
        let paragraphs = [self.sentence.clone(), self.facts.join("\n")].into_iter().chain(advice).chain(operator);
        let paragraphs = paragraphs.chain([self.links.join("\n")]).filter(|lines| !lines.is_empty());
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }
}

/// `49,500 of 50,000 updated, 500 failed`: empty if Zoho reports no counts.
pub fn counts(report: &Report) -> String {
    let known = &report.counts;
    let written = with_thousands_separators;
    let updated = known.updated.map(|updated| match known.total {
        Some(total) => format!("{} of {} updated", written(updated), written(total)),
        None => format!("{} updated", written(updated)),
    });
    let above_zero = |count: Option<u64>| count.filter(|count| *count > 0).map(written);
    let failed = above_zero(known.failed).map(|failed| format!("{failed} failed"));
    let left = above_zero(known.not_updated.filter(|_| report.is_finished()));
    let left = left.map(|left| format!("{left} not updated"));
    [updated, failed, left].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The counts after this, if there are any.
pub(super) fn after(start: &str, counts: &str) -> String {
    if counts.is_empty() { String::new() } else { format!("{start}{counts}") }
}

/// What happened in one or two words, and what happened to the change of owner: true whenever it is read.
fn happened(report: &Report, event: Event) -> (&'static str, String) {
    let counts = after(": ", &counts(report));
    let watched = duration(report.checked_at.elapsed_since(report.began));
    match event {
        Event::End(Outcome::Succeeded) if report.counts.total == Some(0) => {
            ("Done", "is complete, but the job selected no records.".to_owned())
        }
        Event::End(Outcome::Succeeded) => ("Done", format!("is complete{counts}.")),
        Event::End(Outcome::PartiallySucceeded) => {
            let unexplained = unexplained(report);
            ("Partly done", format!("is complete, but some records were not changed{counts}.{unexplained}"))
        }
        Event::End(Outcome::Failed) => ("Failed", format!("failed{counts}.{}", unexplained(report))),
        Event::End(Outcome::WatchTimedOut) => ("No end seen", {
            let since = for_people(report.status.as_ref().map_or(report.began, |_| report.checked_at));
            let stopped = "and monitoring has stopped";
            match &report.status {
                _ if report.error().is_some() => {
                    format!("could not be checked since {since}, {stopped}. {}", last_seen(report))
                }
                Some(status) if !status.is_known() => {
                    let status = defanged(status.as_str());
                    format!(
                        "has the status {status} after {watched}, whose meaning is not documented, {stopped}{counts}."
                    )
                }
                _ => format!("is still unfinished after {watched}, {stopped}{counts}."),
            }
        }),
        Event::End(Outcome::WatchFailed) => ("Not watched", format!("is not being watched. {}", last_seen(report))),
        Event::Notice(Notice::StillRunning(_)) => {
            ("Still running", format!("is still unfinished after {watched}{counts}."))
        }
        Event::Notice(Notice::NoProgress(_)) => {
            let since = duration(report.checked_at.elapsed_since(report.last_progress_at.unwrap_or(report.began)));
            ("No progress", format!("has made no progress for {since}{counts}."))
        }
    }
}

fn unexplained(report: &Report) -> String {
    match report.counts.unexplained() {
        0 => String::new(),
        records => format!(" Zoho's counts do not explain {} records.", with_thousands_separators(records)),
    }
}

/// What is known about a job that could not be checked.
fn last_seen(report: &Report) -> String {
    match &report.status {
        None if names_no_job(report) => "No check has found it.".to_owned(),
        None => "No check has found it. The job itself may continue in Zoho.".to_owned(),
        Some(status) => format!(
            "It was last seen on {}: {}{}. The job may have ended in the meantime.",
            for_people(report.checked_at),
            defanged(status.as_str()),
            after(", ", &counts(report))
        ),
    }
}

/// Whether the request is wrong: there is no such job, and the same request would fail again.
fn names_no_job(report: &Report) -> bool {
    report.error().is_some_and(|error| matches!(&*error.name, "InvalidInput" | "InvalidModule" | "JobNotFound"))
}

fn facts(report: &Report, request: &Request) -> Vec<String> {
    let count = |name, count: Option<u64>| count.map(|count| format!("{name}: {}", with_thousands_separators(count)));
    let (counts, from, to) = (&report.counts, report.began, report.checked_at);
    let watched = if report.status.is_some() && report.error().is_some() {
        Some(format!("Watched since {}", for_people(from)))
    } else if from < to {
        let watched = duration(to.elapsed_since(from));
        Some(format!("Watched for {watched}, from {} to {}", for_people(from), for_people(to)))
    } else {
        let had_ended = request.history.checks == 0 && report.is_finished();
        had_ended.then(|| format!("The job had ended before its first check, on {}", for_people(to)))
    };
    let reason = report.error().map(|error| {
        let (name, message) = (defanged(&error.name), defanged(&error.message));
        match error.is_callers {
            true => format!("Reason, as the state machine reports it: {name}: \"{message}\""),
            false => format!("Reason: {name}: {message}"),
        }
    });
    let lines = [
        count("Total records", counts.total),
        count("Updated", counts.updated),
        count("Failed", counts.failed),
        count("Not updated", counts.not_updated),
        report.job.names()[1].map(|job| format!("Job: {}", defanged(job))),
        report.tags.label.as_deref().map(|label| format!("Label: \"{}\"", defanged(label))),
        report.status.as_ref().map(|status| format!("Status in Zoho: {}", defanged(status.as_str()))),
        watched,
        report.next_check_seconds().map(|wait| format!("Next check: in {}", duration(wait))),
        reason,
    ];
    lines.into_iter().flatten().collect()
}

/// What the reader of a message should know or do.
fn advice(report: &Report, event: Event, module: &str) -> Option<String> {
    match event {
        Event::End(Outcome::Succeeded) => (report.counts.total == Some(0))
            .then(|| "Check the view and the criteria with which the job was started.".to_owned()),
        Event::End(Outcome::PartiallySucceeded | Outcome::Failed) => Some(format!(
            "Zoho does not report which records were not changed, or why. To find them, open {module} in Zoho CRM with \
             the view with which the job was started, and filter by \"{UNCHANGED}\"."
        )),
        Event::End(Outcome::WatchTimedOut | Outcome::WatchFailed) => {
            let cause = report.error().map_or("", |error| cause(&error.name).0);
            Some(format!("Nobody will be told when the job ends. {cause}").trim_end().to_owned())
        }
        Event::Notice(_) => Some("The watch continues and announces the end.".to_owned()),
    }
}

/// What the name of an error means for the reader of a message, and for whoever operates the function.
fn cause(error: &str) -> (&'static str, &'static str) {
    use ErrorType as E;
    match ErrorType::from_name(error) {
        Some(E::InvalidInput) => {
            ("The request that started the watch is not valid.", "Correct the request and start another watch")
        }
        Some(E::InvalidModule | E::JobNotFound) => (
            "Zoho does not know the job in this module: its ID or the module may be wrong, or the job is older than 60 days.",
            "Start another watch with the right module and job ID",
        ),
        Some(E::TokenRejected) => ("Zoho rejects the function's credentials.", "Replace the credentials in the secret"),
        Some(E::NotificationFailed | E::ScheduleNotDeleted) | None => {
            ("The watch was given up.", "Fix the cause that the reason names")
        }
        Some(error) if error.is_retryable() => {
            ("This may be a temporary outage.", "Wait until the cause that the reason names is over")
        }
        Some(_) => ("The function cannot read the job as it is set up.", "Correct what the reason names"),
    }
}

/// What whoever operates the function should do.
fn operator(report: &Report, event: Event, request: &Request, settings: &MessageSettings) -> Option<String> {
    let fix = report.error().map(|error| format!("{}.", cause(&error.name).1));
    let again = watch_again(report, event, request, settings).filter(|_| !names_no_job(report));
    let again = again.map(|command| format!("To watch the job again: {command}"));
    Some(fix.into_iter().chain(again).collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

/// The complete command that watches a job again, with the trigger that was used.
fn watch_again(report: &Report, event: Event, request: &Request, settings: &MessageSettings) -> Option<String> {
    let JobRef::Valid(Job { module, job_id }) = &report.job else { return None };
    let Event::End(Outcome::WatchTimedOut | Outcome::WatchFailed) = event else { return None };
    let (module, job_id, region) = (module.as_str(), job_id.as_str(), settings.location.region.as_deref()?);
    let payload = format!(r#"{{"module": "{module}", "job_id": "{job_id}"}}"#);
    match &request.caller {
        Caller::StateMachine(execution) => Some(format!(
            "aws stepfunctions start-execution --region {region} --state-machine-arn {} --input '{payload}'",
            execution.as_ref()?.state_machine
        )),
        Caller::Schedule { .. } => Some(format!(
            "MODULE={module} JOB_ID={job_id} sh -c \"$(aws cloudformation describe-stacks --region {region} --stack-name \
             {} --output text --query \"Stacks[0].Outputs[?OutputKey=='WatchScheduleCommand'].OutputValue\")\"",
            settings.stack.as_deref()?
        )),
        Caller::Direct { .. } => Some(format!(
            "aws lambda invoke --region {region} --function-name {} --cli-binary-format raw-in-base64-out --payload \
             '{payload}' /dev/stdout",
            Some(&settings.function_arn).filter(|arn| !arn.is_empty())?
        )),
    }
}

fn links(request: &Request, settings: &MessageSettings) -> Vec<String> {
    let MessageSettings { location, stack, log_group, .. } = settings;
    let link = match &request.caller {
        Caller::StateMachine(execution) => {
            execution.as_ref().and_then(|execution| Some(format!("Execution: {}", execution.link.as_ref()?)))
        }
        Caller::Schedule { .. } | Caller::Direct { .. } => log_group.as_ref().and_then(|group| {
            let group = group.replace('$', "$2524").replace('/', "$252F");
            Some(format!("Log: {}#logsV2:log-groups/log-group/{group}", location.console("cloudwatch")?))
        }),
    };
    let place = stack.as_ref().map(|stack| {
        let region = location.region.iter().map(|region| format!(", Region {region}"));
        let account = location.account.iter().map(|account| format!(", account {account}"));
        format!("Sent by stack {stack}{}", region.chain(account).collect::<String>())
    });
    link.into_iter().chain(place).collect()
}
