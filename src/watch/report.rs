//! The function's answer.

use crate::error::WatchError;
use crate::timestamp::Timestamp;
use crate::watch::job::{Counts, JobStatus, Outcome};
use crate::watch::pacing::{self, Bounds, Earlier, Seen};
use crate::watch::request::{History, Request};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What a check found out, and how the watch goes on. Every key is always there; the last four only where they apply.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The module's API name; in a `WATCH_FAILED` report, what was given as such.
    pub module: Option<String>,
    /// The job.
    pub job_id: Option<String>,
    /// Zoho's word, folded; null in a `WATCH_FAILED` report.
    pub status: Option<String>,
    /// Whether the job is over.
    pub finished: bool,
    /// How the watch ended; null while it goes on.
    pub outcome: Option<Outcome>,
    /// Records whose owner was to be changed.
    pub total_count: Option<u64>,
    /// Records moved.
    pub updated_count: Option<u64>,
    /// Records yet to be moved.
    pub not_updated_count: Option<u64>,
    /// Records that could not be moved.
    pub failed_count: Option<u64>,
    /// Whole percent, 0 to 100.
    pub progress_percent: Option<u8>,
    /// Checks of this watch, this one included.
    pub checks: u64,
    /// When the watch began.
    pub first_checked_at: Timestamp,
    /// When this check was.
    pub checked_at: Timestamp,
    /// Seconds to wait before the next check; null when the watch is over.
    pub next_check_seconds: Option<u64>,
    /// Why the watch could not go on (`WATCH_FAILED`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ReportedError>,
    /// The message that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// Whether the schedule that triggered the call is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_deleted: Option<bool>,
    /// The composed message, where the request asked for it; null while the watch goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Value>,
}

/// What bounds a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `CHECK_INTERVAL_MIN_SECONDS` and `CHECK_INTERVAL_MAX_SECONDS`.
    pub bounds: Bounds,
    /// `WATCH_LIMIT_SECONDS`: the maximum duration of a watch.
    pub watch_limit_seconds: u64,
}

/// An error as a report carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedError(pub WatchError);

impl Serialize for ReportedError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::json!({"type": self.0.kind().name(), "message": self.0.message()}).serialize(serializer)
    }
}

/// What SNS answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// SNS's id of the message.
    pub message_id: String,
}

impl Report {
    /// The report of a check that Zoho answered at the time `now`.
    pub fn of_check(request: &Request, job: &JobStatus, now: Timestamp, limits: &Limits) -> Self {
        let history = &request.history;
        let mut report =
            Self::new(Some(request.module.to_string()), Some(request.job_id.to_string()), history, now);
        let Counts { total, updated, not_updated, failed } = job.counts;
        report.status = Some(job.status.as_str().to_owned());
        report.finished = job.status.is_finished();
        report.outcome = job.outcome();
        report.total_count = total;
        report.updated_count = updated;
        report.not_updated_count = not_updated;
        report.failed_count = failed;
        report.progress_percent = job.progress_percent();
        if !report.finished {
            let watched = u64::try_from(now.seconds_since(report.first_checked_at)).unwrap_or(0);
            if watched >= limits.watch_limit_seconds {
                report.outcome = Some(Outcome::WatchTimedOut);
            } else {
                report.next_check_seconds = Some(next_check_seconds(history, job, now, limits.bounds));
            }
        }
        report
    }

    /// The report of a watch that cannot go on.
    pub fn of_failure(
        module: Option<String>,
        job_id: Option<String>,
        history: &History,
        error: WatchError,
        now: Timestamp,
    ) -> Self {
        let mut report = Self::new(module, job_id, history, now);
        report.outcome = Some(Outcome::WatchFailed);
        report.error = Some(ReportedError(error));
        report
    }

    fn new(module: Option<String>, job_id: Option<String>, history: &History, now: Timestamp) -> Self {
        Self {
            module,
            job_id,
            status: None,
            finished: false,
            outcome: None,
            total_count: None,
            updated_count: None,
            not_updated_count: None,
            failed_count: None,
            progress_percent: None,
            checks: history.checks.unwrap_or(0).saturating_add(1),
            first_checked_at: history.first_checked_at.unwrap_or(now),
            checked_at: now,
            next_check_seconds: None,
            error: None,
            notification: None,
            schedule_deleted: None,
            announcement: None,
        }
    }
}

fn next_check_seconds(history: &History, job: &JobStatus, now: Timestamp, bounds: Bounds) -> u64 {
    let earlier = Earlier {
        first_checked_at: history.first_checked_at.map(Timestamp::epoch_seconds),
        checked_at: history.checked_at.map(Timestamp::epoch_seconds),
        updated_count: history.updated_count,
        failed_count: history.failed_count,
    };
    let seen = Seen {
        now: now.epoch_seconds(),
        queued: job.status.is_queued(),
        updated_count: job.counts.updated,
        failed_count: job.counts.failed,
        total_count: job.counts.total,
    };
    pacing::next_check_seconds(&earlier, &seen, &bounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorType;
    use crate::watch::job::Status;
    use serde_json::json;

    const KEYS: [&str; 14] = [
        "module",
        "job_id",
        "status",
        "finished",
        "outcome",
        "total_count",
        "updated_count",
        "not_updated_count",
        "failed_count",
        "progress_percent",
        "checks",
        "first_checked_at",
        "checked_at",
        "next_check_seconds",
    ];

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    const LIMITS: Limits =
        Limits { bounds: Bounds { min_seconds: 10, max_seconds: 900 }, watch_limit_seconds: 86_400 };

    fn report(word: &str, counts: Counts, request: Value, now: &str) -> Value {
        let request = Request::parse(&request.to_string(), at(now)).unwrap();
        let job = JobStatus { status: Status::normalize(word).unwrap(), counts };
        serde_json::to_value(Report::of_check(&request, &job, at(now), &LIMITS)).unwrap()
    }

    fn keys(report: &Value) -> Vec<&str> {
        report.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_documented_example() {
        let counts =
            Counts { total: Some(50_000), updated: Some(49_500), not_updated: Some(0), failed: Some(500) };
        let request = json!({"module": "leads", "job_id": "3652397000009565021", "checks": 6,
            "first_checked_at": "2026-11-23T10:00:00Z", "checked_at": "2026-11-23T10:10:00Z"});
        assert_eq!(
            report("COMPLETED", counts, request, "2026-11-23T10:12:30Z"),
            json!({"module": "Leads", "job_id": "3652397000009565021", "status": "COMPLETED", "finished": true,
                "outcome": "PARTIALLY_SUCCEEDED", "total_count": 50000, "updated_count": 49500,
                "not_updated_count": 0, "failed_count": 500, "progress_percent": 100, "checks": 7,
                "first_checked_at": "2026-11-23T10:00:00Z", "checked_at": "2026-11-23T10:12:30Z",
                "next_check_seconds": null})
        );
    }

    #[test]
    fn every_key_is_there_in_order_even_where_zoho_said_nothing() {
        let report = report(
            "RUNNING",
            Counts::default(),
            json!({"module": "Leads", "job_id": "1"}),
            "2026-11-23T10:00:00Z",
        );
        let mut sorted = KEYS;
        sorted.sort_unstable();
        assert_eq!(keys(&report), sorted);
        assert_eq!(
            (&report["checks"], &report["first_checked_at"]),
            (&json!(1), &json!("2026-11-23T10:00:00Z"))
        );
        let wait = report["next_check_seconds"].as_u64().unwrap();
        assert!((10..=900).contains(&wait));
    }

    #[test]
    fn a_watch_ends_when_its_time_is_up() {
        for (now, outcome, over) in [
            ("2026-11-24T09:59:59Z", json!(null), false),
            ("2026-11-24T10:00:00Z", json!("WATCH_TIMED_OUT"), true),
        ] {
            let request =
                json!({"module": "Leads", "job_id": "1", "first_checked_at": "2026-11-23T10:00:00Z"});
            let report = report("RUNNING", Counts::default(), request, now);
            assert_eq!((&report["outcome"], &report["finished"]), (&outcome, &json!(false)));
            assert_eq!(report["next_check_seconds"].is_null(), over);
        }
        let request = json!({"module": "Leads", "job_id": "1", "first_checked_at": "2020-01-01T00:00:00Z"});
        assert_eq!(
            report("COMPLETED", Counts::default(), request, "2026-11-23T10:00:00Z")["outcome"],
            "SUCCEEDED"
        );
    }

    #[test]
    fn a_failure_has_the_same_keys_and_says_why() {
        let error = WatchError::new(ErrorType::JobNotFound, "no such job");
        let report = Report::of_failure(
            Some("Leads".into()),
            None,
            &History::default(),
            error,
            at("2026-11-23T10:00:00Z"),
        );
        let report = serde_json::to_value(report).unwrap();
        assert_eq!(report["outcome"], "WATCH_FAILED");
        assert_eq!(report["error"], json!({"type": "JobNotFound", "message": "no such job"}));
        assert_eq!(
            (&report["status"], &report["job_id"], &report["total_count"]),
            (&json!(null), &json!(null), &json!(null))
        );
        assert_eq!(report.as_object().unwrap().len(), KEYS.len() + 1);
    }
}
