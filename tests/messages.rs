//! Every message that people and programs receive, as it is sent: tests/golden has a file for each way a watch ends, and
//! for each notice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::event::Event;
use mass_change_owner_status::watch::ids::{Job, JobId, JobRef, ModuleName};
use mass_change_owner_status::watch::job::{Counts, JobStatus, Outcome, Status};
use mass_change_owner_status::watch::message::{Message, Settings};
use mass_change_owner_status::watch::notice::Intervals;
use mass_change_owner_status::watch::pacing::Bounds;
use mass_change_owner_status::watch::report::{Limits, Report};
use mass_change_owner_status::watch::request::{Delivery, History};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `make golden` sets this variable, which makes the test write the files.
const WRITE: &str = "WRITE_GOLDEN";

const LIMITS: Limits = Limits {
    bounds: Bounds { min_seconds: 10, max_seconds: 900 },
    watch_limit_seconds: 86_400,
    notices: Intervals { still_running: Some(7_200), no_progress: Some(3_600) },
};

fn job() -> Job {
    Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("3652397000009565021").unwrap() }
}

/// A watch that began at ten o'clock and has had six checks.
fn history() -> History {
    let time = |text| Timestamp::parse(text);
    History {
        checks: Some(6),
        first_checked_at: time("2026-11-23T10:00:00Z"),
        began: time("2026-11-23T10:00:00Z"),
        checked_at: time("2026-11-23T10:10:00Z"),
        ..History::default()
    }
}

fn checked(status: &str, counts: [u64; 4], now: &str) -> Report {
    let [total, updated, not_updated, failed] = counts.map(Some);
    let status = JobStatus {
        status: Status::normalize(status).unwrap(),
        counts: Counts { total, updated, not_updated, failed },
    };
    Report::of_check(&job(), &history(), &status, Timestamp::parse(now).unwrap(), &LIMITS)
}

/// The job has changed since the check before, or it has not.
fn noticed(updated_before: u64, now: &str) -> Report {
    let counts =
        Counts { total: Some(50_000), updated: Some(21_000), not_updated: Some(28_800), failed: Some(200) };
    let status = JobStatus { status: Status::normalize("RUNNING").unwrap(), counts };
    let before = History {
        checks: Some(31),
        checked_at: Timestamp::parse("2026-11-23T11:50:00Z"),
        updated_count: Some(updated_before),
        failed_count: Some(200),
        last_progress_at: Timestamp::parse("2026-11-23T11:02:00Z"),
        ..history()
    };
    Report::of_check(&job(), &before, &status, Timestamp::parse(now).unwrap(), &LIMITS)
}

fn ended(job: JobRef, outcome: Outcome, kind: ErrorType, message: &str, now: &str) -> Report {
    let error = WatchError::new(kind, message);
    Report::of_error(job, &history(), outcome, (&error).into(), 1, Timestamp::parse(now).unwrap())
}

fn cases() -> Vec<(&'static str, Report)> {
    let noon = "2026-11-23T10:12:30Z";
    let next_day = "2026-11-24T10:00:05Z";
    vec![
        ("succeeded", checked("COMPLETED", [50_000, 50_000, 0, 0], noon)),
        ("partially-succeeded", checked("COMPLETED", [50_000, 49_500, 0, 500], noon)),
        ("partially-succeeded-not-updated", checked("COMPLETED", [1_200, 1_100, 100, 0], noon)),
        ("failed", checked("FAILED", [50_000, 12_345, 37_000, 655], noon)),
        ("watch-timed-out", checked("RUNNING", [50_000, 21_000, 28_800, 200], next_day)),
        (
            "watch-timed-out-outage",
            ended(
                JobRef::Valid(job()),
                Outcome::WatchTimedOut,
                ErrorType::ZohoUnavailable,
                "Zoho's API failed (HTTP 503). Try again later",
                next_day,
            ),
        ),
        ("notice-still-running", noticed(20_000, "2026-11-23T12:00:10Z")),
        ("notice-no-progress", noticed(21_000, "2026-11-23T12:03:00Z")),
        (
            "watch-failed",
            ended(
                JobRef::Valid(job()),
                Outcome::WatchFailed,
                ErrorType::TokenRejected,
                "Zoho rejected the refresh token (HTTP 200 invalid_code). Create a new one and store it in the secret",
                noon,
            ),
        ),
        (
            "watch-failed-invalid-request",
            ended(
                JobRef::AsWritten { module: Some("Custom".into()), job_id: None },
                Outcome::WatchFailed,
                ErrorType::InvalidInput,
                "`job_id` is missing: it must be text",
                noon,
            ),
        ),
    ]
}

/// The message under one heading for each channel.
fn golden(report: &Report) -> String {
    let event = report.outcome.map(Event::End).or(report.notice_due.map(Event::Notice)).unwrap();
    let message =
        Message::about(report, event, &Delivery::default(), history().began, Settings { chat: true });
    let channels: Value = serde_json::from_str(&message.body).unwrap();
    let text = |channel: &str| channels[channel].as_str().unwrap().to_owned();
    let default: Value = serde_json::from_str(&text("default")).unwrap();
    let chat: Value = serde_json::from_str(&text("https")).unwrap();
    let attributes: Vec<String> =
        message.attributes.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let sections = [
        ("Subject", message.subject.clone()),
        ("email", text("email")),
        ("sms", text("sms")),
        ("default", serde_json::to_string_pretty(&default).unwrap()),
        ("https (with CHAT_NOTIFICATIONS)", serde_json::to_string_pretty(&chat).unwrap()),
        ("Attributes", attributes.join("\n")),
    ];
    sections.map(|(heading, text)| format!("=== {heading} ===\n{text}\n")).join("\n")
}

#[test]
fn messages_are_as_committed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names = Vec::new();
    for (name, report) in cases() {
        let path = folder.join(format!("{name}.txt"));
        let text = golden(&report);
        if std::env::var_os(WRITE).is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{name}: run `make golden`");
        names.push(format!("{name}.txt"));
    }
    let mut committed: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    committed.sort();
    names.sort();
    assert_eq!(committed, names, "a file without a case");
}
