use super::*;
use crate::watch::ids::Location;
use serde_json::{Value, json};
use std::time::Duration;

const LIMITS: Limits = Limits {
    bounds: Bounds { min_seconds: 10, max_seconds: 900 },
    watch_limit_seconds: 86_400,
    notices: notice::Intervals { still_running: None, no_progress: None },
};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn request(extra: &Value) -> Request {
    let mut payload = json!({"module": "Leads", "job_id": "3652397000009565021", "announcement": true});
    payload.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Request::parse(&payload.to_string(), at("2026-11-23T10:12:30Z"), &Location::default())
}

fn checked(extra: &Value, status: &str, counts: Counts, now: &str) -> Value {
    let job = JobStatus { status: Status::normalize(status).unwrap(), counts };
    serde_json::to_value(Report::of_check(&request(extra), &job, at(now), &LIMITS)).unwrap()
}

#[test]
fn the_documented_example() {
    let counts =
        Counts { total: Some(50_000), updated: Some(49_500), not_updated: Some(0), failed: Some(500) };
    let earlier = json!({"checks": 6, "first_checked_at": "2026-11-23T10:00:00Z",
        "checked_at": "2026-11-23T10:10:00Z", "last_progress_at": "2026-11-23T10:10:00Z"});
    assert_eq!(
        checked(&earlier, "COMPLETED", counts, "2026-11-23T10:12:30Z"),
        json!({"module": "Leads", "job_id": "3652397000009565021", "status": "COMPLETED", "finished": true,
            "outcome": "PARTIALLY_SUCCEEDED", "total_count": 50000, "updated_count": 49500,
            "not_updated_count": 0, "failed_count": 500, "progress_percent": 100, "checks": 7,
            "first_checked_at": "2026-11-23T10:00:00Z", "checked_at": "2026-11-23T10:12:30Z",
            "next_check_seconds": null})
    );
}

#[test]
fn a_report_tells_the_next_request_what_happened_so_far() {
    let counts = Counts { total: Some(10), updated: Some(4), not_updated: Some(5), failed: Some(1) };
    let earlier = json!({"first_checked_at": "2026-11-23T09:00:00Z", "checks": 6, "label": "l", "list": "m"});
    let report = checked(&earlier, "RUNNING", counts, "2026-11-23T10:00:00Z");
    assert_eq!((&report["label"], &report["list"], &report["checks"]), (&json!("l"), &json!("m"), &json!(7)));
    let next = request(&report);
    let expected = History {
        status: Status::normalize("RUNNING"),
        counts,
        checks: 7,
        began: Some(at("2026-11-23T09:00:00Z")),
        checked_at: Some(at("2026-11-23T10:00:00Z")),
        last_progress_at: None,
    };
    assert_eq!(next.history, expected);
}

#[test]
fn a_watch_ends_at_its_limit() {
    let began = json!({"first_checked_at": "2026-11-23T10:00:00Z"});
    for (status, now, outcome) in [
        ("RUNNING", "2026-11-24T09:59:59Z", json!(null)),
        ("RUNNING", "2026-11-24T10:00:00Z", json!("WATCH_TIMED_OUT")),
        ("SUSPENDED", "2026-11-24T10:00:00Z", json!("WATCH_TIMED_OUT")),
        ("COMPLETED", "2026-11-24T10:00:00Z", json!("SUCCEEDED")),
    ] {
        let report = checked(&began, status, Counts::default(), now);
        assert_eq!(report["outcome"], outcome, "{status} {now}");
        assert_eq!(report["next_check_seconds"].is_null(), !outcome.is_null(), "{status} {now}");
        assert!(report.get("error").is_none(), "{report}");
    }
}

/// How long to wait after a check that failed: the job was last seen so long ago, and so on.
#[test]
fn waits_of_a_watch_that_goes_on() {
    let now = at("2026-11-23T10:12:30Z");
    let ago = |seconds: i64| now.plus_seconds(-seconds);
    let seen = |seconds: i64| json!({"status": "RUNNING", "first_checked_at": ago(90_000), "checked_at": ago(seconds)});
    let unavailable = WatchError::new(ErrorType::ZohoUnavailable, "m");
    let asked = |seconds| unavailable.clone().with_retry_after(Some(Duration::from_secs(seconds)));
    let throttled = WatchError::new(ErrorType::TokenRateLimited, "m");
    let many =
        json!({"status": "RUNNING", "first_checked_at": ago(500_000), "checked_at": ago(40), "checks": 999});
    for (case, extra, error, bounds, range) in [
        ("the first check", json!({}), &unavailable, LIMITS.bounds, 10..=12),
        ("seen a moment ago", seen(20), &unavailable, LIMITS.bounds, 10..=12),
        ("seen ten minutes ago", seen(600), &unavailable, LIMITS.bounds, 150..=180),
        (
            "never seen",
            json!({"first_checked_at": ago(600), "checked_at": ago(1)}),
            &unavailable,
            LIMITS.bounds,
            150..=180,
        ),
        ("seen long ago", seen(80_000), &unavailable, LIMITS.bounds, 900..=1_080),
        (
            "no matter the upper bound",
            seen(80_000),
            &unavailable,
            Bounds { max_seconds: 60, ..LIMITS.bounds },
            900..=1_080,
        ),
        (
            "the lower bound",
            seen(20),
            &unavailable,
            Bounds { min_seconds: 2_000, max_seconds: 3_000 },
            2_000..=2_000,
        ),
        ("a token limit", seen(20), &throttled, LIMITS.bounds, 120..=120),
        ("Retry-After", seen(20), &asked(1_500), LIMITS.bounds, 1_500..=1_500),
        ("an hour at most", seen(20), &asked(100_000), LIMITS.bounds, 3_600..=3_600),
        ("many checks", many, &unavailable, LIMITS.bounds, 5_000..=5_000),
    ] {
        let limits = Limits { bounds, ..LIMITS };
        let report = Report::that_goes_on(&request(&extra), error, now, &limits);
        let wait = report.next_check_seconds().unwrap();
        assert!(range.contains(&wait), "{case}: {wait}");
        assert_eq!((report.outcome(), report.is_finished()), (None, false), "{case}");
    }
}

#[test]
fn a_check_that_failed_reports_the_last_known_facts() {
    let now = at("2026-11-23T10:12:30Z");
    let error = WatchError::new(ErrorType::JobNotFound, "no such job");
    let seen = json!({"status": "running", "total_count": 10, "updated_count": 4, "not_updated_count": 6,
        "failed_count": 0, "checks": 3, "first_checked_at": "2026-11-23T10:00:00Z",
        "checked_at": "2026-11-23T10:10:00Z", "last_progress_at": "2026-11-23T10:09:00Z"});
    let report = Report::that_goes_on(&request(&seen), &error, now, &LIMITS);
    let report = serde_json::to_value(report).unwrap();
    assert_eq!(
        with_wait(report),
        json!({"module": "Leads", "job_id": "3652397000009565021", "status": "RUNNING", "finished": false,
            "outcome": null, "total_count": 10, "updated_count": 4, "not_updated_count": 6, "failed_count": 0,
            "progress_percent": 40, "checks": 4, "first_checked_at": "2026-11-23T10:00:00Z",
            "checked_at": "2026-11-23T10:10:00Z", "last_progress_at": "2026-11-23T10:09:00Z",
            "error": {"type": "JobNotFound", "message": "no such job"}, "next_check_seconds": true})
    );
    // The job was never seen.
    let report = Report::of_end(&request(&json!({})), State::Failed((&error).into()), 1, now);
    let report = serde_json::to_value(report).unwrap();
    assert_eq!((&report["status"], &report["checked_at"]), (&json!(null), &json!("2026-11-23T10:12:30Z")));
    assert_eq!((&report["outcome"], &report["checks"]), (&json!("WATCH_FAILED"), &json!(1)));
}

fn with_wait(mut report: Value) -> Value {
    report["next_check_seconds"] = report["next_check_seconds"].is_u64().into();
    report
}
