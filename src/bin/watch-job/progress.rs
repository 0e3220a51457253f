//! How fast a job goes and how long it still takes, in words. Pure.

use mass_change_owner_status::watch::message::{counts, duration, with_thousands_separators};
use mass_change_owner_status::watch::report::Report;
use mass_change_owner_status::watch::request::History;

/// What two checks tell about the speed of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Progress {
    /// Records per second since the last check; `None` if that is unknown or nothing moved.
    pub rate: Option<f64>,
    /// Seconds until the job ends at this rate.
    pub left_seconds: Option<u64>,
}

impl Progress {
    /// From this check, and what the check before it saw.
    pub(crate) fn between(earlier: &History, report: &Report) -> Self {
        let done = done(report.updated_count, report.failed_count);
        let before = done_before(earlier);
        let seconds = earlier.checked_at.map(|then| report.checked_at.seconds_since(then));
        let (Some(done), Some(before), Some(seconds)) = (done, before, seconds) else {
            return Self::default();
        };
        let moved = done.saturating_sub(before);
        if moved == 0 || seconds <= 0 {
            return Self::default();
        }
        // Counts have at most 16 digits in any real job: no digit is lost.
        let rate = moved as f64 / seconds as f64;
        let left_seconds = report.total_count.filter(|_| !report.finished).map(|total| {
            let left = total.saturating_sub(done) as f64 / rate;
            left.ceil() as u64
        });
        Self { rate: Some(rate), left_seconds }
    }

    /// `70 per second, about 6 min left`; empty if nothing is known.
    pub(crate) fn text(&self) -> String {
        let rate = self.rate.map(|rate| {
            if rate >= 10.0 {
                format!("{} per second", with_thousands_separators(rate.round() as u64))
            } else {
                format!("{rate:.1} per second")
            }
        });
        let left = self.left_seconds.map(|seconds| format!("about {} left", duration(seconds)));
        rate.into_iter().chain(left).collect::<Vec<_>>().join(", ")
    }
}

/// What a check saw, in one line.
pub(crate) fn line(report: &Report, progress: &Progress) -> String {
    let mut parts = Vec::new();
    parts.extend(report.progress_percent.map(|percent| format!("{percent}%")));
    parts.extend(counts(report));
    parts.extend(Some(progress.text()).filter(|text| !text.is_empty()));
    parts.extend(report.next_check_seconds.map(|seconds| format!("next check in {}", duration(seconds))));
    let status = report.status.as_deref().unwrap_or("unknown");
    if parts.is_empty() { status.to_owned() } else { format!("{status}: {}", parts.join(", ")) }
}

fn done(updated: Option<u64>, failed: Option<u64>) -> Option<u64> {
    Some(updated?.saturating_add(failed.unwrap_or(0)))
}

fn done_before(history: &History) -> Option<u64> {
    done(history.updated_count, history.failed_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mass_change_owner_status::timestamp::Timestamp;
    use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
    use mass_change_owner_status::watch::job::{Counts, JobStatus, Status};
    use mass_change_owner_status::watch::notice::Intervals;
    use mass_change_owner_status::watch::pacing::Bounds;
    use mass_change_owner_status::watch::report::Limits;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn report(status: &str, counts: Counts, now: i64) -> Report {
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        let status = JobStatus { status: Status::normalize(status).unwrap(), counts };
        let bounds = Bounds { min_seconds: 10, max_seconds: 900 };
        let limits = Limits { bounds, watch_limit_seconds: 86_400, notices: Intervals::default() };
        Report::of_check(&job, &History::default(), &status, at(now), &limits)
    }

    fn counted(updated: u64, failed: u64) -> Counts {
        Counts { total: Some(50_000), updated: Some(updated), not_updated: None, failed: Some(failed) }
    }

    #[test]
    fn rates_and_lines() {
        let before = |updated, seconds| History {
            checked_at: Some(at(seconds)),
            updated_count: Some(updated),
            failed_count: Some(0),
            ..History::default()
        };
        for (earlier, report, expected) in [
            (
                History::default(),
                report("RUNNING", counted(1_000, 0), 1_000),
                "RUNNING: 2%, 1,000 of 50,000 updated, next check in 10 s",
            ),
            (
                before(1_000, 1_000),
                report("RUNNING", counted(7_900, 100), 1_100),
                "RUNNING: 16%, 7,900 of 50,000 updated, 100 failed, 70 per second, about 10 min left, \
                 next check in 10 s",
            ),
            (
                before(1_000, 1_000),
                report("RUNNING", counted(1_001, 0), 1_002),
                "RUNNING: 2%, 1,001 of 50,000 updated, 0.5 per second, about 1 d 3 h left, next check in 10 s",
            ),
            (
                before(1_000, 1_000),
                report("RUNNING", counted(1_000, 0), 1_100),
                "RUNNING: 2%, 1,000 of 50,000 updated, next check in 10 s",
            ),
            (
                before(1_000, 1_000),
                report("COMPLETED", counted(49_500, 500), 1_100),
                "COMPLETED: 100%, 49,500 of 50,000 updated, 500 failed, 490 per second",
            ),
            (History::default(), report("QUEUED", Counts::default(), 5), "QUEUED: next check in 10 s"),
        ] {
            assert_eq!(line(&report, &Progress::between(&earlier, &report)), expected);
        }
    }
}
