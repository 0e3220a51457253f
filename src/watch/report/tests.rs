use super::*;
use crate::tests::{LIMITS, ago, at, job, of, request, with};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_report_tells_the_next_request_what_happened_so_far() {
    let earlier = request(&of(&json!({"first_checked_at": ago(3_600), "checks": 6, "label": "l", "list": "m"})));
    let report = Report::of_check(&earlier, &job("RUNNING", [10, 4, 5, 1].map(Some)), ago(0), &LIMITS);
    let next = request(&serde_json::to_value(&report).unwrap());
    let (status, began, checked_at) = (report.status, Some(ago(3_600)), Some(ago(0)));
    let history = History { status, counts: report.counts, checks: 7, began, checked_at, last_progress_at: None };
    assert_eq!((next.history, next.tags), (history, earlier.tags));
}

#[test]
fn a_watch_ends_at_its_limit() {
    let request = request(&of(&json!({"first_checked_at": ago(0)})));
    for (status, now, outcome) in
        [("RUNNING", "+10:00:00", Some(Outcome::WatchTimedOut)), ("COMPLETED", "+10:00:00", Some(Outcome::Succeeded))]
    {
        let report = Report::of_check(&request, &job(status, [None; 4]), at(now), &LIMITS);
        assert_eq!((report.outcome(), report.next_check().is_none()), (outcome, outcome.is_some()), "{status} {now}");
        assert_eq!(report.error(), None);
    }
}

/// How long to wait after a check that failed: the job was last seen so long ago, and so on.
#[test]
fn waits_of_a_watch_that_goes_on() {
    let seen = |age| json!({"status": "RUNNING", "first_checked_at": ago(90_000), "checked_at": ago(age)});
    let unseen = json!({"first_checked_at": ago(600), "checked_at": ago(1)});
    let many = json!({"status": "A", "first_checked_at": ago(500_000), "checked_at": ago(40), "checks": 999});
    let (usual, unavailable) = ((10, 900), ErrorType::ZohoUnavailable);
    for (case, extra, kind, asked, (min_seconds, max_seconds), range) in [
        ("seen ten minutes ago", seen(600), unavailable, None, usual, 150..=180),
        ("never seen", unseen, unavailable, None, usual, 150..=180),
        ("no matter the upper bound", seen(80_000), unavailable, None, (10, 60), 900..=1_080),
        ("the lower bound", seen(20), unavailable, None, (2_000, 3_000), 2_000..=2_000),
        ("a token limit", seen(20), ErrorType::TokenRateLimited, None, usual, 120..=120),
        ("an hour at most", seen(20), unavailable, Some(100_000), usual, 3_600..=3_600),
        ("many checks", many, unavailable, None, usual, 5_000..=5_000),
    ] {
        let limits = Limits { bounds: Bounds { min_seconds, max_seconds }, ..LIMITS };
        let error = WatchError::new(kind, "m").with_retry_after(asked.map(Duration::from_secs));
        let report = Report::that_goes_on(&request(&of(&extra)), &error, ago(0), &limits);
        let wait = report.next_check_seconds().unwrap();
        assert!(range.contains(&wait), "{case}: {wait}");
    }
}

#[test]
fn a_check_that_failed_reports_the_last_known_facts() {
    let error = WatchError::new(ErrorType::JobNotFound, "no such job");
    let seen = json!({"status": "RUNNING", "total_count": 10, "updated_count": 4, "not_updated_count": 6,
        "failed_count": 0, "checks": 3, "first_checked_at": ago(600), "checked_at": ago(180), "last_progress_at": ago(300)});
    let report = Report::that_goes_on(&request(&of(&seen)), &error, ago(0), &LIMITS);
    let wait = report.next_check_seconds();
    let expected = json!({"finished": false, "outcome": null, "progress_percent": 40, "checks": 4,
        "error": {"type": "JobNotFound", "message": "no such job"}, "next_check_seconds": wait});
    assert_eq!(serde_json::to_value(report).unwrap(), with(&of(&seen), &expected));
    // The job was never seen.
    let report = Report::of_end(&request(&of(&json!({}))), State::Failed((&error).into()), 1, ago(0));
    assert_eq!((report.status, report.checked_at, report.checks), (None, ago(0), 1));
}
