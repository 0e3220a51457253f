//! The IDs of a message: one for each event, and one for each job.

use crate::timestamp::Timestamp;
use crate::watch::event::Event;
use crate::watch::ids::{JobRef, ScheduleArn};
use crate::watch::report::Report;
use crate::watch::request::Delivery;
use sha2::{Digest, Sha256};

/// `MessageDeduplicationId` and `MessageGroupId` have at most 128 characters (SNS API reference, Publish).
const LONGEST_ID: usize = 128;

/// How much of a module's name stands in an ID: the job ID tells jobs apart.
const LONGEST_MODULE: usize = 70;

/// The IDs of the message about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ids {
    /// The same in every delivery about this event, and never the same for two different events.
    pub(super) event_id: String,
    /// The same for all messages about one job.
    pub(super) group_id: String,
}

impl Ids {
    /// `started` is when the watch began, as far as the request or its schedule tells.
    ///
    /// A job has one final end, however often it is watched. It can outlive several watches, though: the ends that say
    /// nothing final about it also name the watch: by its beginning, and by its caller's name for it, because two watches
    /// can begin in one second, at the end of an outage. A schedule has one watch, so that its name stands in only for a
    /// beginning that is unknown. A notice has the end of its interval in the place of the beginning.
    pub(super) fn of(report: &Report, event: Event, delivery: &Delivery, started: Option<Timestamp>) -> Self {
        let schedule = delivery.schedule.as_ref().map(schedule_name);
        let caller = || delivery.watch.as_deref().map(|name| allowed(name, LONGEST_ID));
        let watch = || schedule.clone().or_else(caller);
        let group_id = match &report.job {
            JobRef::Valid(job) => {
                format!("{}-{}", allowed(job.module.as_str(), LONGEST_MODULE), job.job_id)
            }
            JobRef::AsWritten { .. } => watch().unwrap_or_else(|| "unknown".to_owned()),
        };
        let mut event_id = format!("{group_id}-{}", event.name());
        let (is_final, started) = match event {
            Event::End(outcome) => (!outcome.leaves_the_job_open(), started),
            Event::Notice(notice) => (false, Some(notice.due_at)),
        };
        if !is_final {
            let at = |time: Timestamp| time.epoch_seconds().to_string();
            let name = watch().filter(|_| schedule.is_none() || started.is_none());
            let began = started.or_else(|| name.is_none().then_some(report.checked_at));
            for part in began.map(at).into_iter().chain(name) {
                event_id.push_str(&format!("-{part}"));
            }
        }
        Self { event_id: bounded(event_id), group_id: bounded(group_id) }
    }
}

fn schedule_name(schedule: &ScheduleArn) -> String {
    format!("{}.{}", schedule.group(), schedule.name())
}

/// The first characters, with those that SNS does not allow replaced.
fn allowed(text: &str, longest: usize) -> String {
    let allow = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    text.chars().take(longest).map(allow).collect()
}

/// An ASCII ID within SNS's limit: a digest takes the place of what is too long.
fn bounded(id: String) -> String {
    if id.len() <= LONGEST_ID {
        return id;
    }
    let digest = Sha256::digest(&id).iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
    let kept = LONGEST_ID.saturating_sub(digest.len()).saturating_sub(1);
    format!("{}-{digest}", id.chars().take(kept).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::ids::{Job, JobId, ModuleName};
    use crate::watch::job::Outcome;
    use crate::watch::notice::{Kind, Notice};
    use crate::watch::report::ReportedError;
    use crate::watch::request::History;
    use std::collections::HashMap;

    const AT: &str = "2026-11-23T10:00:00Z";

    fn report(job: JobRef, at: &str) -> Report {
        let error = ReportedError { name: "TokenRejected".into(), message: "m".into() };
        let at = Timestamp::parse(at).unwrap();
        Report::of_error(job, &History::default(), Outcome::WatchFailed, error, 1, at)
    }

    fn valid(module: &str, job_id: &str) -> JobRef {
        let (module, job_id) = (ModuleName::parse(module).unwrap(), JobId::parse(job_id).unwrap());
        JobRef::Valid(Job { module, job_id })
    }

    fn written(job_id: &str) -> JobRef {
        JobRef::AsWritten { module: None, job_id: Some(job_id.into()) }
    }

    fn by(schedule: Option<&str>, watch: Option<&str>) -> Delivery {
        let arn = |name| format!("arn:aws:scheduler:eu-west-1:123456789012:schedule/group/{name}");
        Delivery {
            schedule: schedule.map(|name| ScheduleArn::parse(&arn(name)).unwrap()),
            watch: watch.map(str::to_owned),
            ..Delivery::default()
        }
    }

    #[test]
    fn one_id_for_each_end() {
        use Outcome::*;
        let began = Timestamp::parse("2026-11-23T09:00:00Z");
        let again = Timestamp::parse("2026-11-24T09:00:00Z");
        let job = || valid("Leads", "1");
        for (job, outcome, delivery, started, expected) in [
            (job(), Succeeded, by(None, None), None, "Leads-1-SUCCEEDED"),
            (job(), Failed, by(Some("s"), Some("w")), began, "Leads-1-FAILED"),
            (job(), WatchTimedOut, by(None, None), began, "Leads-1-WATCH_TIMED_OUT-1795424400"),
            (job(), WatchTimedOut, by(None, None), again, "Leads-1-WATCH_TIMED_OUT-1795510800"),
            (job(), WatchFailed, by(Some("s"), Some("w")), began, "Leads-1-WATCH_FAILED-1795424400"),
            (job(), WatchTimedOut, by(None, Some("w")), began, "Leads-1-WATCH_TIMED_OUT-1795424400-w"),
            (job(), WatchFailed, by(Some("s"), None), None, "Leads-1-WATCH_FAILED-group.s"),
            (job(), WatchFailed, by(None, Some("Leads-1")), None, "Leads-1-WATCH_FAILED-Leads-1"),
            (job(), WatchFailed, by(None, Some("Leads-1-2")), None, "Leads-1-WATCH_FAILED-Leads-1-2"),
            (job(), WatchFailed, by(None, None), None, "Leads-1-WATCH_FAILED-1795428000"),
            (written("x"), WatchFailed, by(Some("s"), None), None, "group.s-WATCH_FAILED-group.s"),
            (written("x"), WatchFailed, by(None, Some("über 1")), None, "_ber_1-WATCH_FAILED-_ber_1"),
            (written("x"), WatchFailed, by(None, None), None, "unknown-WATCH_FAILED-1795428000"),
        ] {
            let report = report(job, AT);
            let ids = Ids::of(&report, Event::End(outcome), &delivery, started);
            assert_eq!(ids.event_id, expected);
            // Whenever the message is sent again.
            let later = Report { checked_at: report.checked_at.plus_seconds(60), ..report };
            if !expected.ends_with("1795428000") {
                assert_eq!(Ids::of(&later, Event::End(outcome), &delivery, started), ids);
            }
        }
    }

    #[test]
    fn a_notice_is_named_after_its_interval() {
        let began = Timestamp::parse("2026-11-23T09:00:00Z");
        let report = report(valid("Leads", "1"), AT);
        for (kind, due_at, delivery, expected) in [
            (Kind::StillRunning, "10:00:00", by(None, Some("w")), "Leads-1-STILL_RUNNING-1795428000-w"),
            (Kind::StillRunning, "11:00:00", by(None, Some("w")), "Leads-1-STILL_RUNNING-1795431600-w"),
            (Kind::NoProgress, "11:00:00", by(None, Some("w")), "Leads-1-NO_PROGRESS-1795431600-w"),
            (Kind::NoProgress, "11:00:00", by(None, None), "Leads-1-NO_PROGRESS-1795431600"),
        ] {
            let due_at = Timestamp::parse(&format!("2026-11-23T{due_at}Z")).unwrap();
            let event = Event::Notice(Notice { kind, due_at });
            assert_eq!(Ids::of(&report, event, &delivery, began).event_id, expected);
        }
    }

    #[test]
    fn ids_keep_within_the_limits_of_sns() {
        let long = "n".repeat(64);
        let mut seen = HashMap::new();
        for (job, delivery) in [
            (valid(&"M".repeat(255), "12345678901234567890"), by(Some(&long), None)),
            (valid(&"M".repeat(254), "12345678901234567890"), by(Some(&"o".repeat(64)), None)),
            (valid("Leads", "1"), by(None, Some(&"ü".repeat(200)))),
            (valid("Leads", "1"), by(None, Some(&"x".repeat(200)))),
            (written(&"x ".repeat(90)), by(None, Some(&"y".repeat(200)))),
        ] {
            let ids = Ids::of(&report(job, AT), Event::End(Outcome::WatchFailed), &delivery, None);
            for id in [&ids.event_id, &ids.group_id] {
                assert!(id.len() <= LONGEST_ID && id.is_ascii() && !id.contains(' '), "{id}");
            }
            assert_eq!(seen.insert(ids.event_id.clone(), ()), None, "{}", ids.event_id);
        }
    }
}
