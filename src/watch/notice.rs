//! Notices about a job that is still unfinished, due at the first check after each interval that the operator sets. Whether
//! one is due follows from the times of two checks: nobody has to remember what was sent.

use crate::timestamp::Timestamp;
use crate::watch::{job::Counts, request::History};
use strum::IntoStaticStr;

/// The interval of each kind of notice, in seconds; `None` for no such notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intervals {
    /// `STILL_RUNNING_NOTICE_SECONDS`, counted from the first check.
    pub still_running: Option<u64>,
    /// `NO_PROGRESS_NOTICE_SECONDS`, counted from the last time that the counts of the job changed.
    pub no_progress: Option<u64>,
}

/// A notice that is due, and when its interval was over, which tells it from the others of the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Notice {
    /// The job is unfinished.
    StillRunning(Timestamp),
    /// The job is unfinished, and its counts have not changed.
    NoProgress(Timestamp),
}

impl Intervals {
    /// The notice that is due at this check of an unfinished job: the last multiple of an interval, counted from the start
    /// or from the last progress, if it falls between the check before (`previous`; `None` if this is the first) and this
    /// one. If both are due, the one about no progress, which says more.
    pub fn due(
        &self,
        began: Timestamp,
        last_progress_at: Option<Timestamp>,
        previous: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Notice> {
        let last_due = |(every, since): (u64, Timestamp)| {
            let every = i64::try_from(every).ok()?;
            let count = now.seconds_since(since).checked_div(every)?;
            let due_at = since.plus_seconds(count.saturating_mul(every));
            (count > 0 && due_at > previous?).then_some(due_at)
        };
        let no_progress = self.no_progress.zip(last_progress_at).and_then(last_due).map(Notice::NoProgress);
        no_progress.or_else(|| self.still_running.and_then(|every| last_due((every, began))).map(Notice::StillRunning))
    }
}

/// When the counts of the job last changed, as far as the checks show; `None` if Zoho reports no counts. Where the history
/// does not say, the check before this one, so that a notice comes too late rather than without a reason.
pub fn last_progress_at(history: &History, counts: &Counts, now: Timestamp) -> Option<Timestamp> {
    let done = counts.done()?;
    let done_before = history.counts.done();
    let unchanged_since = history.last_progress_at.or(history.checked_at).filter(|_| done_before == Some(done));
    Some(unchanged_since.unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::at;

    #[test]
    fn a_notice_is_due_once_in_an_interval() {
        let both = Intervals { still_running: Some(7_200), no_progress: Some(3_600) };
        let still_running = Intervals { no_progress: None, ..both };
        let no_progress = Intervals { still_running: None, ..both };
        let running = |time: &str| Some(Notice::StillRunning(at(time)));
        let stalled = |time: &str| Some(Notice::NoProgress(at(time)));
        // The intervals, the last progress, the check before and this one of a watch that began at ten o'clock.
        for (intervals, progress, previous, now, expected) in [
            (Intervals::default(), Some("10:00:00"), Some("10:00:00"), "23:00:00", None),
            (still_running, None, None, "12:00:00", None),
            (still_running, None, Some("11:59:59"), "12:04:00", running("12:00:00")),
            (still_running, None, Some("12:00:00"), "12:15:00", None),
            // After an outage, the last one only.
            (still_running, None, Some("11:00:00"), "16:30:00", running("16:00:00")),
            (no_progress, Some("12:10:00"), Some("14:05:00"), "14:20:00", stalled("14:10:00")),
            (both, Some("11:00:00"), Some("11:59:00"), "12:01:00", stalled("12:00:00")),
            (both, Some("11:30:00"), Some("11:59:00"), "12:01:00", running("12:00:00")),
        ] {
            let due = intervals.due(at("10:00:00"), progress.map(at), previous.map(at), at(now));
            assert_eq!(due, expected, "{intervals:?} {progress:?} {previous:?} {now}");
        }
    }

    #[test]
    fn progress_is_a_change_of_the_counts() {
        let counts = |[updated, failed]: [Option<u64>; 2]| Counts { updated, failed, ..Counts::default() };
        let (now, previous, earlier) = ("12:00:00", "11:50:00", Some("11:00:00"));
        // Updated and failed at the check before, what it said about progress, and updated and failed now.
        for (before, known, seen, expected) in [
            ([Some(5), Some(1)], earlier, [Some(5), Some(2)], Some(now)),
            ([Some(5), None], None, [Some(5), Some(0)], Some(previous)),
            ([Some(5), Some(1)], earlier, [Some(5), Some(1)], earlier),
            ([None, None], earlier, [Some(0), None], Some(now)),
            ([Some(5), None], earlier, [None, None], None),
        ] {
            let (checked_at, last) = (Some(at(previous)), known.map(at));
            let history = History { counts: counts(before), checked_at, last_progress_at: last, ..History::default() };
            assert_eq!(last_progress_at(&history, &counts(seen), at(now)), expected.map(at), "{history:?} {seen:?}");
        }
    }
}
