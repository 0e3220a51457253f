//! Every message that people and programs receive, as it is sent: tests/golden has a file for each way a watch ends, and
//! for each notice.

use mass_change_owner_status::arn::Location;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::job::{Counts, JobStatus, Status};
use mass_change_owner_status::watch::message::{Message, MessageSettings};
use mass_change_owner_status::watch::report::{Limits, Report, State};
use mass_change_owner_status::watch::request::{Ask, Request};
use mass_change_owner_status::watch::{notice::Intervals, pacing::Bounds};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// `make golden` sets this variable, which makes the test write the files.
const WRITE: &str = "WRITE_GOLDEN";

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";

const LIMITS: Limits = Limits {
    bounds: Bounds { min_seconds: 10, max_seconds: 900 },
    watch_limit_seconds: 86_400,
    notices: Intervals { still_running: Some(7_200), no_progress: Some(3_600) },
};

/// What a check finds: a status and counts (total, updated, not updated, failed), or the state of a watch that ends.
enum Found {
    Job(&'static str, [u64; 4]),
    End(State),
}
use Found::{End, Job};

/// The payload of a watch that began at ten o'clock and has had six checks, and what else it says.
fn payload(extra: &Value) -> Value {
    let mut payload = json!({"module": "Leads", "job_id": "3652397000009565021", "label": "Ana, territory change",
        "checks": 6, "first_checked_at": "2026-11-23T10:00:00Z", "checked_at": "2026-11-23T10:10:00Z",
        "status": "RUNNING", "total_count": 50_000, "updated_count": 20_000, "failed_count": 0});
    payload.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    payload
}

fn by_machine(request: Value) -> Value {
    let execution = "arn:aws:states:eu-west-1:123456789012:execution:watch:Leads-3652397000009565021";
    json!({"request": request, "announcement": true, "watch": "Leads-3652397000009565021", "execution": execution})
}

fn by_schedule(mut request: Value) -> Value {
    request["schedule_arn"] = json!("arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/Leads-5021");
    request
}

fn cases() -> Vec<(&'static str, Value, Found, &'static str)> {
    let error = |kind, message: &str| Some((&WatchError::new(kind, message)).into());
    let failed = |kind, message: &str| End(State::Failed((&WatchError::new(kind, message)).into()));
    let (noon, next_day) = ("2026-11-23T10:12:30Z", "2026-11-24T10:00:05Z");
    let watched = || payload(&json!({}));
    let new = json!({"module": "Leads", "job_id": "3652397000009565021"});
    let noticed = |updated: u64| {
        payload(&json!({"checks": 31, "checked_at": "2026-11-23T11:50:00Z", "updated_count": updated,
            "failed_count": 200, "last_progress_at": "2026-11-23T11:02:00Z"}))
    };
    let running = [50_000, 21_000, 28_800, 200];
    let unavailable = "Zoho returned a server error (https://www.zohoapis.eu, returned HTTP 503). Try again later";
    let rejected = "Zoho's accounts server rejected the `refresh_token` in the secret (returned HTTP 200 invalid_code)";
    let missing = "`job_id` is missing: it must be text";
    let gave_up = json!({"Error": "States.Timeout", "Cause": "see https://example.com"});
    let mut given_up = by_machine(watched());
    given_up.as_object_mut().unwrap().insert("failure".into(), gave_up);
    let outage = || End(State::TimedOut(error(ErrorType::ZohoUnavailable, unavailable)));
    let invalid = by_machine(json!({"module": "Custom"}));
    vec![
        ("succeeded", by_machine(watched()), Job("COMPLETED", [50_000, 50_000, 0, 0]), noon),
        ("partially-succeeded", by_schedule(watched()), Job("COMPLETED", [50_000, 49_500, 0, 500]), noon),
        ("partially-succeeded-not-updated", watched(), Job("COMPLETED", [1_200, 1_100, 100, 0]), noon),
        ("partially-succeeded-unexplained", by_machine(new.clone()), Job("COMPLETED", [100, 0, 0, 0]), noon),
        ("failed", by_machine(watched()), Job("FAILED", [50_000, 12_345, 37_000, 655]), noon),
        ("watch-timed-out", by_schedule(watched()), Job("RUNNING", running), next_day),
        ("watch-timed-out-unknown-status", by_machine(watched()), Job("SUSPENDED", running), next_day),
        ("watch-timed-out-outage", by_machine(watched()), outage(), next_day),
        ("notice-still-running", by_machine(noticed(20_000)), Job("RUNNING", running), "2026-11-23T12:00:10Z"),
        ("notice-no-progress", by_schedule(noticed(21_000)), Job("RUNNING", running), "2026-11-23T12:03:00Z"),
        ("watch-failed", by_schedule(new), failed(ErrorType::TokenRejected, rejected), noon),
        ("watch-failed-invalid-request", invalid, failed(ErrorType::InvalidInput, missing), noon),
        // What the state machine caught is the state.
        ("watch-failed-given-up", given_up, Job("RUNNING", running), noon),
    ]
}

/// The message under one heading for each channel.
fn golden(payload: &Value, found: Found, now: &str) -> String {
    let location = Location::of_function(FUNCTION, None);
    let now = Timestamp::parse(now).unwrap();
    let request = Request::parse(&payload.to_string(), now, &location);
    let report = match (&request.ask, found) {
        (Ask::Compose(failure, _), _) => Report::of_end(&request, State::Failed(failure.clone()), 0, now),
        (ask, End(state)) => Report::of_end(&request, state, u64::from(matches!(ask, Ask::Check(_))), now),
        (_, Job(status, counts)) => {
            let [total, updated, not_updated, failed] = counts.map(Some);
            let status = Status::normalize(status).unwrap();
            let counts = Counts { total, updated, not_updated, failed };
            Report::of_check(&request, &JobStatus { status, counts }, now, &LIMITS)
        }
    };
    let settings = MessageSettings {
        chat: true,
        function_arn: FUNCTION.into(),
        location,
        stack: Some("zoho-watch".into()),
        log_group: Some("/aws/lambda/check".into()),
    };
    let message = Message::about(&report, report.event().unwrap(), &request, &settings);
    let channels: Value = serde_json::from_str(&message.body).unwrap();
    let text = |channel: &str| channels.get(channel).and_then(Value::as_str).unwrap().to_owned();
    let pretty = |channel| {
        let json: Value = serde_json::from_str(&text(channel)).unwrap();
        serde_json::to_string_pretty(&json).unwrap()
    };
    let attributes: Vec<String> = message.attributes.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let sections = [
        ("Subject", message.subject.clone()),
        ("email", text("email")),
        ("sms", text("sms")),
        ("default", pretty("default")),
        ("https (with CHAT_NOTIFICATIONS)", pretty("https")),
        ("Attributes", attributes.join("\n")),
    ];
    sections.map(|(heading, text)| format!("=== {heading} ===\n{text}\n")).join("\n")
}

#[test]
fn messages_are_as_committed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names = Vec::new();
    for (name, payload, found, now) in cases() {
        let path = folder.join(format!("{name}.txt"));
        let text = golden(&payload, found, now);
        if std::env::var_os(WRITE).is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{name}: run `make golden`");
        names.push(format!("{name}.txt"));
    }
    let mut committed: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    committed.sort();
    names.sort();
    assert_eq!(committed, names, "a file without a case");
}
