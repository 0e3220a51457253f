//! The function's response.

use crate::error::WatchError;
use crate::timestamp::Timestamp;
use crate::watch::ids::{Job, JobRef};
use crate::watch::job::{Counts, JobStatus, Outcome};
use crate::watch::notice::{self, Notice};
use crate::watch::pacing::{self, Bounds, Earlier, NextCheck, Reason, Seen};
use crate::watch::request::{Failure, History};
use serde::Serialize;
use serde_json::Value;

/// What a check found, and how the watch continues. The first fourteen keys are always present; the others only where
/// they apply.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Report {
    /// `module` and `job_id`; in a `WATCH_FAILED` report, what the request says instead.
    #[serde(flatten)]
    #[cfg_attr(feature = "schemas", schemars(with = "crate::schema::JobNames"))]
    pub job: JobRef,
    /// Zoho's status value, normalized; null if this check got none.
    pub status: Option<String>,
    /// Whether the job is over.
    pub finished: bool,
    /// How the watch ended; null while it continues.
    pub outcome: Option<Outcome>,
    /// Records whose owner was to be changed.
    pub total_count: Option<u64>,
    /// Records with the new owner.
    pub updated_count: Option<u64>,
    /// Records that still have the previous owner.
    pub not_updated_count: Option<u64>,
    /// Records whose owner could not be changed.
    pub failed_count: Option<u64>,
    /// Whole percent, 0 to 100.
    #[cfg_attr(feature = "schemas", schemars(range(max = 100)))]
    pub progress_percent: Option<u8>,
    /// Number of checks in this watch, this one included.
    pub checks: u64,
    /// When the watch began.
    pub first_checked_at: Timestamp,
    /// When this check was.
    pub checked_at: Timestamp,
    /// Seconds to wait before the next check; null when the watch is over.
    pub next_check_seconds: Option<u64>,
    /// What that wait follows from; for the log only.
    #[serde(skip)]
    pub next_check_reason: Option<Reason>,
    /// When the counts last changed; only with `NO_PROGRESS_NOTICE_SECONDS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_progress_at: Option<Timestamp>,
    /// The notice that is due at this check.
    #[serde(skip)]
    pub notice_due: Option<Notice>,
    /// Why the watch cannot continue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ReportedError>,
    /// The message that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// Whether the schedule that triggered the invocation is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_deleted: Option<bool>,
    /// The composed message, if the request asked for it; null while the watch continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::schema::Announcement>"))]
    pub announcement: Option<Value>,
    /// The composed notice about an unfinished job, if one is due and the request asked for announcements.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::schema::Notice>"))]
    pub notice: Option<Value>,
}

/// What bounds a watch, and when it is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `CHECK_INTERVAL_MIN_SECONDS` and `CHECK_INTERVAL_MAX_SECONDS`.
    pub bounds: Bounds,
    /// `WATCH_LIMIT_SECONDS`: the maximum duration of a watch.
    pub watch_limit_seconds: u64,
    /// How often a watch that continues sends a notice.
    pub notices: notice::Intervals,
}

/// An error as a report carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ReportedError {
    /// The function's `errorType`, or the name of the error that a state machine caught.
    #[serde(rename = "type")]
    pub name: String,
    /// What happened and what to do, in one line.
    pub message: String,
}

impl From<&WatchError> for ReportedError {
    fn from(error: &WatchError) -> Self {
        Self { name: error.kind().name().to_owned(), message: error.message().to_owned() }
    }
}

impl From<&Failure> for ReportedError {
    fn from(failure: &Failure) -> Self {
        Self { name: failure.error.clone(), message: failure.cause.clone() }
    }
}

/// What SNS returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Notification {
    /// SNS's ID of the message.
    pub message_id: String,
}

impl Limits {
    /// Whether a watch that began at this time has used up its time.
    pub fn is_over(&self, first_checked_at: Timestamp, now: Timestamp) -> bool {
        u64::try_from(now.seconds_since(first_checked_at))
            .is_ok_and(|watched| watched >= self.watch_limit_seconds)
    }
}

impl Report {
    /// The report of a check whose response from Zoho came at the time `now`.
    pub fn of_check(
        job: &Job,
        history: &History,
        status: &JobStatus,
        now: Timestamp,
        limits: &Limits,
    ) -> Self {
        let Counts { total, updated, not_updated, failed } = status.counts;
        let report = Self {
            status: Some(status.status.as_str().to_owned()),
            finished: status.status.is_finished(),
            outcome: status.outcome(),
            total_count: total,
            updated_count: updated,
            not_updated_count: not_updated,
            failed_count: failed,
            progress_percent: status.progress_percent(),
            ..Self::new(JobRef::Valid(job.clone()), history, 1, now)
        };
        if report.finished {
            report
        } else if limits.is_over(report.first_checked_at, now) {
            Self { outcome: Some(Outcome::WatchTimedOut), ..report }
        } else {
            let NextCheck { seconds, reason } = next_check(history, status, now, limits.bounds);
            let last_progress_at = limits
                .notices
                .no_progress
                .and_then(|_| notice::last_progress_at(history, &status.counts, now));
            let notice_due = limits.notices.due(&notice::Watched {
                first_checked_at: report.first_checked_at,
                last_progress_at,
                previous_check_at: history.checked_at,
                now,
            });
            Self {
                next_check_seconds: Some(seconds),
                next_check_reason: Some(reason),
                last_progress_at,
                notice_due,
                ..report
            }
        }
    }

    /// The report of a watch that ends with this error. `checks` is 1 if this invocation checked the job, otherwise 0.
    pub fn of_error(
        job: JobRef,
        history: &History,
        outcome: Outcome,
        error: ReportedError,
        checks: u64,
        now: Timestamp,
    ) -> Self {
        Self { outcome: Some(outcome), error: Some(error), ..Self::new(job, history, checks, now) }
    }

    fn new(job: JobRef, history: &History, checks: u64, now: Timestamp) -> Self {
        Self {
            job,
            status: None,
            finished: false,
            outcome: None,
            total_count: None,
            updated_count: None,
            not_updated_count: None,
            failed_count: None,
            progress_percent: None,
            checks: history.checks.unwrap_or(0).saturating_add(checks),
            first_checked_at: history.first_checked_at.unwrap_or(now),
            checked_at: now,
            next_check_seconds: None,
            next_check_reason: None,
            last_progress_at: None,
            notice_due: None,
            error: None,
            notification: None,
            schedule_deleted: None,
            announcement: None,
            notice: None,
        }
    }
}

impl From<&Report> for History {
    fn from(report: &Report) -> Self {
        Self {
            checks: Some(report.checks),
            first_checked_at: Some(report.first_checked_at),
            began: Some(report.first_checked_at),
            checked_at: Some(report.checked_at),
            updated_count: report.updated_count,
            failed_count: report.failed_count,
            total_count: report.total_count,
            last_progress_at: report.last_progress_at,
        }
    }
}

fn next_check(history: &History, status: &JobStatus, now: Timestamp, bounds: Bounds) -> NextCheck {
    let earlier = Earlier {
        first_checked_at: history.first_checked_at.map(Timestamp::epoch_seconds),
        checked_at: history.checked_at.map(Timestamp::epoch_seconds),
        updated_count: history.updated_count,
        failed_count: history.failed_count,
    };
    let seen = Seen {
        now: now.epoch_seconds(),
        queued: status.status.is_queued(),
        updated_count: status.counts.updated,
        failed_count: status.counts.failed,
        total_count: status.counts.total,
    };
    pacing::next_check(&earlier, &seen, &bounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorType;
    use crate::watch::ids::Location;
    use crate::watch::job::Status;
    use crate::watch::request::Request;
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

    const LIMITS: Limits = Limits {
        bounds: Bounds { min_seconds: 10, max_seconds: 900 },
        watch_limit_seconds: 86_400,
        notices: notice::Intervals { still_running: None, no_progress: None },
    };

    fn report(status: &str, counts: Counts, request: Value, now: &str) -> Value {
        let request = Request::parse(&request.to_string(), at(now), &Location::default());
        let status = JobStatus { status: Status::normalize(status).unwrap(), counts };
        serde_json::to_value(Report::of_check(
            &request.job.unwrap(),
            &request.history,
            &status,
            at(now),
            &LIMITS,
        ))
        .unwrap()
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
    fn every_key_is_present_even_if_zoho_omits_the_counts() {
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
    fn a_report_tells_the_next_request_what_happened_so_far() {
        let counts = Counts { total: Some(10), updated: Some(4), not_updated: Some(5), failed: Some(1) };
        let now = at("2026-11-23T10:00:00Z");
        let payload = json!({"module": "Leads", "job_id": "1", "first_checked_at": "2026-11-23T09:00:00Z", "checks": 6});
        let parse = |payload: &Value| Request::parse(&payload.to_string(), now, &Location::default());
        let request = parse(&payload);
        let status = JobStatus { status: Status::normalize("RUNNING").unwrap(), counts };
        let report = Report::of_check(&request.job.unwrap(), &request.history, &status, now, &LIMITS);
        let history = History::from(&report);
        assert_eq!(history, parse(&serde_json::to_value(report).unwrap()).history);
        assert_eq!((history.checks, history.failed_count), (Some(7), Some(1)));
    }

    #[test]
    fn a_watch_ends_at_its_limit() {
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
    fn a_failed_watch_has_the_same_keys_and_an_error() {
        let error = WatchError::new(ErrorType::JobNotFound, "no such job");
        let job = JobRef::AsWritten { module: Some("Leads".into()), job_id: None };
        let report = Report::of_error(
            job,
            &History { checks: Some(3), ..History::default() },
            Outcome::WatchFailed,
            ReportedError::from(&error),
            1,
            at("2026-11-23T10:00:00Z"),
        );
        let report = serde_json::to_value(report).unwrap();
        assert_eq!((&report["outcome"], &report["checks"]), (&json!("WATCH_FAILED"), &json!(4)));
        assert_eq!(report["error"], json!({"type": "JobNotFound", "message": "no such job"}));
        assert_eq!(
            (&report["status"], &report["job_id"], &report["total_count"]),
            (&json!(null), &json!(null), &json!(null))
        );
        assert_eq!(report.as_object().unwrap().len(), KEYS.len() + 1);
    }
}
