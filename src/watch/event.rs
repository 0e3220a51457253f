//! The IDs that tell a message from others: one for each event, and one for each job.

use crate::watch::job::{JobRef, Outcome};
use crate::watch::notice::Notice;
use crate::watch::report::{Event, Report};
use crate::watch::request::{Caller, Request};
use sha2::{Digest, Sha256};

/// `MessageDeduplicationId` and `MessageGroupId` have at most 128 characters (SNS API reference, Publish).
const LONGEST_ID: usize = 128;

/// How much of a module's name stands in an ID: the job ID tells jobs apart.
const LONGEST_MODULE: usize = 70;

impl Event {
    /// The IDs of the message about this event, and of the group of all messages about its job.
    ///
    /// A job has one final end, however often it is watched. It can outlive several watches, though: the ends that say
    /// nothing final about it also name the watch, by its start and by the name of its schedule or execution, because two
    /// watches can begin in one second. A notice has the end of its interval in the place of the start.
    pub(super) fn ids(self, report: &Report, request: &Request) -> [String; 2] {
        let watch = match &request.caller {
            Caller::Schedule { arn, .. } => Some(format!("{}.{}", arn.group, arn.name)),
            Caller::StateMachine(_) | Caller::Direct { .. } => request.watch.as_deref().map(allowed),
        };
        let group_id = match &report.job {
            JobRef::Valid(job) => {
                let module: String = job.module.as_str().chars().take(LONGEST_MODULE).collect();
                format!("{module}-{}", job.job_id.as_str())
            }
            JobRef::AsWritten { .. } => watch.clone().unwrap_or_else(|| "unknown".to_owned()),
        };
        let (is_final, began) = match self {
            // Another watch of the job can end in another way.
            Event::End(Outcome::WatchTimedOut | Outcome::WatchFailed) => (false, request.history.began),
            Event::End(_) => (true, None),
            Event::Notice(Notice::StillRunning(due_at) | Notice::NoProgress(due_at)) => (false, Some(due_at)),
        };
        let mut parts = vec![group_id.clone(), self.name().to_owned()];
        if !is_final {
            let began = began.or_else(|| watch.is_none().then_some(report.checked_at));
            parts.extend(began.map(|time| time.epoch_seconds().to_string()));
            parts.extend(watch);
        }
        [parts.join("-"), group_id].map(bounded)
    }
}

/// A name in the characters that SNS allows. A digest keeps names apart that differ in other characters only.
fn allowed(name: &str) -> String {
    let allow = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let plain: String = name.chars().map(allow).collect();
    if plain == name { plain } else { format!("{plain}.{}", digest(name, 4)) }
}

/// An ASCII ID within SNS's limit: a digest takes the place of what is too long.
fn bounded(id: String) -> String {
    if id.len() <= LONGEST_ID {
        return id;
    }
    let digest = digest(&id, 16);
    let kept = LONGEST_ID.saturating_sub(digest.len()).saturating_sub(1);
    format!("{}-{digest}", id.chars().take(kept).collect::<String>())
}

/// The first bytes of a SHA-256, two digits each.
fn digest(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{SCHEDULE, ago, of, request};
    use crate::watch::report::State;
    use serde_json::{Value, json};
    use std::collections::HashSet;

    fn ids(payload: &Value, event: Event) -> [String; 2] {
        let request = request(payload);
        event.ids(&Report::of_end(&request, State::TimedOut(None), 1, ago(0)), &request)
    }

    #[test]
    fn one_id_for_each_event() {
        let [succeeded, failed, timed_out, lost] =
            [Outcome::Succeeded, Outcome::Failed, Outcome::WatchTimedOut, Outcome::WatchFailed].map(Event::End);
        let notice = Event::Notice(Notice::StillRunning(ago(0)));
        let (nine, other) = (ago(3_600), SCHEDULE.replace("/group/", "/g/"));
        let mut seen = HashSet::new();
        for (extra, event, expected) in [
            (json!({}), succeeded, "Leads-1-SUCCEEDED"),
            (json!({"schedule_arn": SCHEDULE}), failed, "Leads-1-FAILED"),
            (json!({"first_checked_at": nine}), timed_out, "Leads-1-WATCH_TIMED_OUT-1795424400"),
            // By a clock that is behind.
            (json!({"first_checked_at": ago(-300)}), timed_out, "Leads-1-WATCH_TIMED_OUT-1795428300"),
            (json!({"first_checked_at": nine, "schedule_arn": other}), lost, "Leads-1-WATCH_FAILED-1795424400-g.watch"),
            (json!({"schedule_arn": other}), lost, "Leads-1-WATCH_FAILED-g.watch"),
            (json!({"announcement": true, "watch": "w-2"}), lost, "Leads-1-WATCH_FAILED-w-2"),
            (json!({}), lost, "Leads-1-WATCH_FAILED-1795428000"),
            (json!({"job_id": "x", "schedule_arn": SCHEDULE}), lost, "group.watch-WATCH_FAILED-group.watch"),
            (json!({"job_id": "x", "watch": "a 1"}), lost, "a_1.042a5f2e-WATCH_FAILED-a_1.042a5f2e"),
            (json!({"job_id": "x"}), lost, "unknown-WATCH_FAILED-1795428000"),
            (json!({"watch": "w"}), notice, "Leads-1-STILL_RUNNING-1795428000-w"),
        ] {
            let [event_id, _] = ids(&of(&extra), event);
            assert_eq!(event_id, expected);
            assert!(seen.insert(event_id), "{extra}");
        }
        // Within the limits of SNS, and still different.
        for watch in ["x", "y", "ü", "ö"].map(|watch| watch.repeat(200)) {
            let payload = json!({"module": "M".repeat(255), "job_id": "12345678901234567890", "watch": watch});
            let ids = ids(&payload, lost);
            assert!(ids.iter().all(|id| id.len() <= LONGEST_ID && id.is_ascii()), "{ids:?}");
            assert!(seen.insert(ids[0].clone()), "{watch:.5}");
        }
    }
}
