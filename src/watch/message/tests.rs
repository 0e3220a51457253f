use super::*;
use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::watch::request::History;

fn report(outcome: Outcome, counts: [Option<u64>; 4]) -> Report {
    let now = Timestamp::parse("2026-11-23T10:12:30Z").unwrap();
    let error = WatchError::new(ErrorType::TokenRejected, "Zoho refuses the access token");
    let mut report = Report::of_failure(
        Some("Leads".into()),
        Some("3652397000009565021".into()),
        &History::default(),
        error,
        now,
    );
    [report.total_count, report.updated_count, report.not_updated_count, report.failed_count] = counts;
    report.outcome = Some(outcome);
    if outcome != Outcome::WatchFailed {
        report.error = None;
        report.status = Some("COMPLETED".into());
        report.finished = outcome != Outcome::WatchTimedOut;
    }
    report
}

fn document(message: &Message) -> Value {
    serde_json::from_str(&message.body).unwrap()
}

#[test]
fn subjects() {
    let none = [None; 4];
    for (outcome, counts, expected) in [
        (
            Outcome::PartiallySucceeded,
            [Some(50_000), Some(49_500), Some(0), Some(500)],
            "49,500 of 50,000 updated, 500 failed",
        ),
        (Outcome::Succeeded, [Some(120), Some(120), Some(0), Some(0)], "120 of 120 updated"),
        (Outcome::PartiallySucceeded, [Some(5), Some(3), Some(2), Some(0)], "3 of 5 updated, 2 left over"),
        (Outcome::Succeeded, none, "completed"),
        (Outcome::Succeeded, [None, Some(7), None, None], "7 updated"),
        (Outcome::Failed, none, "FAILED"),
        (
            Outcome::Failed,
            [Some(9), Some(4), Some(4), Some(1)],
            "FAILED, 4 of 9 updated, 1 failed, 4 left over",
        ),
        (
            Outcome::WatchTimedOut,
            [Some(9), Some(4), Some(5), Some(0)],
            "still unfinished, no longer watched, 4 of 9 updated",
        ),
        (Outcome::WatchFailed, none, "can no longer be watched (TokenRejected)"),
    ] {
        let message = Message::about(&report(outcome, counts), outcome, None);
        assert_eq!(message.subject, format!("Zoho CRM Leads owner change: {expected}"));
        assert!(message.subject.is_ascii() && message.subject.len() < 100);
    }
}

#[test]
fn a_message_for_machines_and_one_for_people() {
    let report = report(Outcome::PartiallySucceeded, [Some(50_000), Some(49_500), Some(0), Some(500)]);
    let message = Message::about(&report, Outcome::PartiallySucceeded, None);
    let document = document(&message);
    let default: Value = serde_json::from_str(document["default"].as_str().unwrap()).unwrap();
    assert_eq!(default, serde_json::to_value(&report).unwrap());
    let email = document["email"].as_str().unwrap();
    for line in [
        "49,500 of 50,000 updated, 500 failed",
        "Records in all: 50,000",
        "Failed: 500",
        "Job: 3652397000009565021",
    ] {
        assert!(email.contains(line), "{line:?} is not in {email:?}");
    }
    let sms = document["sms"].as_str().unwrap();
    assert!(!sms.contains('\n') && sms.is_ascii() && sms.len() <= 140, "{sms}");
    let attributes: std::collections::HashMap<_, _> = message.attributes.iter().cloned().collect();
    assert_eq!(attributes["module"], "Leads");
    assert_eq!(attributes["job_id"], "3652397000009565021");
    assert_eq!(attributes["status"], "COMPLETED");
    assert_eq!(attributes["outcome"], "PARTIALLY_SUCCEEDED");
    assert_eq!(attributes["event_id"], "Leads-3652397000009565021-PARTIALLY_SUCCEEDED");
}

#[test]
fn the_report_inside_is_the_plain_one() {
    let mut report = report(Outcome::Succeeded, [None; 4]);
    let plain = Message::about(&report, Outcome::Succeeded, None);
    report.announcement = Some(Value::Null);
    report.notification = Some(crate::watch::report::Notification { message_id: "x".into() });
    assert_eq!(Message::about(&report, Outcome::Succeeded, None), plain);
}

#[test]
fn a_failed_watch_has_no_status_and_may_have_no_names() {
    let mut report = report(Outcome::WatchFailed, [None; 4]);
    (report.module, report.job_id) = (None, Some("  ".into()));
    let message = Message::about(&report, Outcome::WatchFailed, None);
    assert!(message.attributes.iter().all(|(name, value)| *name != "status" && !value.is_empty()));
    assert_eq!(message.event_id, "unknown-unknown-WATCH_FAILED");
    assert!(document(&message)["email"].as_str().unwrap().contains("Reason: TokenRejected: Zoho refuses"));
}

#[test]
fn ids_and_subjects_keep_within_their_limits() {
    let mut report = report(Outcome::PartiallySucceeded, [Some(50_000), Some(49_500), Some(0), Some(500)]);
    report.module = Some("M".repeat(255));
    let message = Message::about(&report, Outcome::PartiallySucceeded, None);
    assert!(message.event_id.len() <= 128 && message.group_id.len() <= 128);
    assert!(message.event_id.ends_with("MMM-3652397000009565021-PARTIALLY_SUCCEEDED"));
    assert_eq!(message.subject.len(), SUBJECT_LIMIT);
    assert!(
        message.subject.ends_with("MM... owner change: 49,500 of 50,000 updated, 500 failed"),
        "{}",
        message.subject
    );
    [report.total_count, report.updated_count, report.failed_count] = [Some(u64::MAX); 3];
    assert_eq!(Message::about(&report, Outcome::PartiallySucceeded, None).subject.len(), SUBJECT_LIMIT);
    [report.total_count, report.updated_count, report.failed_count] = [None; 3];
    report.module = Some("Kunden\u{fc}bersicht\n<b>".into());
    let message = Message::about(&report, Outcome::PartiallySucceeded, None);
    assert!(message.subject.starts_with("Zoho CRM Kunden?bersicht <b> owner"));
    assert!(message.event_id.starts_with("Kunden_bersicht"), "{}", message.event_id);
}

#[test]
fn an_end_of_a_watch_has_an_id_of_its_own() {
    let mut first = report(Outcome::WatchTimedOut, [None; 4]);
    let earlier = Message::about(&first, Outcome::WatchTimedOut, None);
    assert_eq!(Message::about(&first, Outcome::WatchTimedOut, None), earlier);
    first.first_checked_at = first.first_checked_at.plus_seconds(86_400);
    assert_ne!(Message::about(&first, Outcome::WatchTimedOut, None).event_id, earlier.event_id);

    // Two schedules whose requests name no job are two watches.
    let mut nameless = report(Outcome::WatchFailed, [None; 4]);
    nameless.job_id = Some("\u{dc}ber ".repeat(60));
    let about = |name: &str| {
        let arn = format!("arn:aws:scheduler:eu-west-1:123456789012:schedule/{}/{name}", "g".repeat(64));
        Message::about(&nameless, Outcome::WatchFailed, Some(&ScheduleArn::parse(&arn).unwrap()))
    };
    let (one, other) = (about("one"), about(&"n".repeat(64)));
    assert_ne!(one.event_id, other.event_id);
    for message in [one, other] {
        assert!(
            message.event_id.is_ascii() && message.event_id.len() <= 128 && !message.event_id.contains(' ')
        );
    }
}

#[test]
fn an_announcement_is_what_a_state_machine_publishes() {
    let message = Message::about(&report(Outcome::Succeeded, [None; 4]), Outcome::Succeeded, None);
    let announcement = message.to_announcement();
    assert_eq!(announcement["subject"], message.subject.as_str());
    assert_eq!(announcement["message"], message.body.as_str());
    assert_eq!(
        announcement["attributes"]["outcome"],
        json!({"DataType": "String", "StringValue": "SUCCEEDED"})
    );
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in
        [(0, "0"), (999, "999"), (1_000, "1,000"), (49_500, "49,500"), (1_234_567, "1,234,567")]
    {
        assert_eq!(grouped(number), text);
    }
}
