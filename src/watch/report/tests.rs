use super::*;
use crate::tests::{LIMITS, ago, job, of, request, with};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_check_that_failed_reports_the_last_known_facts() {
    let earlier = request(&of(&json!({"first_checked_at": ago(3_600), "checks": 6, "label": "l", "list": "m"})));
    let seen = Report::of_check(&earlier, &job("RUNNING", [10, 4, 5, 1].map(Some)), ago(60), &LIMITS);
    let seen = with(&serde_json::to_value(seen).unwrap(), &json!({"last_progress_at": ago(300)}));
    assert_eq!((&seen["checks"], &seen["checked_at"]), (&json!(7), &json!(ago(60))));
    let error = WatchError::new(ErrorType::JobNotFound, "no such job");
    let report = Report::that_goes_on(&request(&seen), &error, ago(0), &LIMITS);
    let new = json!({"checks": 8, "error": {"type": "JobNotFound", "message": "no such job"},
        "next_check_seconds": report.next_check_seconds()});
    assert_eq!(serde_json::to_value(report).unwrap(), with(&seen, &new));
    // The job was never seen.
    let report = Report::of_end(&request(&of(&json!({}))), State::Failed((&error).into()), 1, ago(0));
    assert_eq!((report.status, report.checked_at, report.checks), (None, ago(0), 1));
}

#[test]
fn a_watch_ends_at_its_limit() {
    let request = request(&of(&json!({"first_checked_at": ago(86_400)})));
    for (status, outcome) in [("RUNNING", Outcome::WatchTimedOut), ("COMPLETED", Outcome::Succeeded)] {
        let report = Report::of_check(&request, &job(status, [None; 4]), ago(0), &LIMITS);
        assert_eq!((report.outcome(), report.next_check()), (Some(outcome), None), "{status}");
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
        let error = WatchError { retry_after: asked.map(Duration::from_secs), ..WatchError::new(kind, "m") };
        let report = Report::that_goes_on(&request(&of(&extra)), &error, ago(0), &limits);
        let wait = report.next_check_seconds().unwrap();
        assert!(range.contains(&wait), "{case}: {wait}");
    }
}
