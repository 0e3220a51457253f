use super::*;
use crate::watch::ids::{Job, JobId, JobRef, ModuleName};
use crate::watch::report::ReportedError;
use crate::watch::request::History;

fn job(module: &str) -> JobRef {
    let job_id = JobId::parse("3652397000009565021").unwrap();
    JobRef::Valid(Job { module: ModuleName::parse(module).unwrap(), job_id })
}

fn report(outcome: Outcome, counts: [Option<u64>; 4]) -> Report {
    let now = Timestamp::parse("2026-11-23T10:12:30Z").unwrap();
    let history =
        History { first_checked_at: Timestamp::parse("2026-11-23T10:00:00Z"), ..History::default() };
    let error =
        ReportedError { name: "TokenRejected".into(), message: "Zoho rejected the access token".into() };
    let mut report = Report::of_error(job("Leads"), &history, outcome, error, 1, now);
    [report.total_count, report.updated_count, report.not_updated_count, report.failed_count] = counts;
    if outcome != Outcome::WatchFailed {
        report.error = None;
        report.status = Some("COMPLETED".into());
        report.finished = outcome != Outcome::WatchTimedOut;
    }
    report
}

fn message(report: &Report, outcome: Outcome) -> Message {
    Message::about(report, Event::End(outcome), &Delivery::default(), None, Settings::default())
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
        (Outcome::PartiallySucceeded, [Some(5), Some(3), Some(2), Some(0)], "3 of 5 updated, 2 not updated"),
        (Outcome::Succeeded, none, "completed"),
        (Outcome::Succeeded, [None, Some(7), None, None], "7 updated"),
        (Outcome::Failed, none, "FAILED"),
        (
            Outcome::Failed,
            [Some(9), Some(4), Some(4), Some(1)],
            "FAILED, 4 of 9 updated, 1 failed, 4 not updated",
        ),
        (
            Outcome::WatchTimedOut,
            [Some(9), Some(4), Some(5), Some(0)],
            "still unfinished, no longer watched, 4 of 9 updated",
        ),
        (Outcome::WatchFailed, none, "no longer watched (TokenRejected)"),
    ] {
        let message = message(&report(outcome, counts), outcome);
        assert_eq!(message.subject, format!("Zoho CRM Leads owner change: {expected}"));
        assert!(message.subject.is_ascii() && message.subject.len() < 100);
    }
}

#[test]
fn a_message_for_machines_and_one_for_people() {
    let report = report(Outcome::PartiallySucceeded, [Some(50_000), Some(49_500), Some(0), Some(500)]);
    let message = message(&report, Outcome::PartiallySucceeded);
    let document = document(&message);
    let default: Value = serde_json::from_str(document["default"].as_str().unwrap()).unwrap();
    assert_eq!(default, serde_json::to_value(&report).unwrap());
    let email = document["email"].as_str().unwrap();
    for line in [
        "49,500 of 50,000 updated, 500 failed",
        "Total records: 50,000",
        "Failed: 500",
        "Watched for 12 min 30 s, from 2026-11-23T10:00:00Z to 2026-11-23T10:12:30Z",
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
    let plain = message(&report, Outcome::Succeeded);
    report.announcement = Some(Value::Null);
    report.notification = Some(crate::watch::report::Notification { message_id: "x".into() });
    report.schedule_deleted = Some(true);
    report.notice = Some(Value::Null);
    assert_eq!(message(&report, Outcome::Succeeded), plain);
}

#[test]
fn a_failed_watch_has_no_status_and_may_have_no_names() {
    let mut report = report(Outcome::WatchFailed, [None; 4]);
    report.job = JobRef::AsWritten { module: None, job_id: Some("  ".into()) };
    let message = message(&report, Outcome::WatchFailed);
    assert!(message.attributes.iter().all(|(name, value)| *name != "status" && !value.is_empty()));
    let document = document(&message);
    let email = document["email"].as_str().unwrap();
    assert!(email.contains("Reason: TokenRejected: Zoho rejected") && email.contains("AGAIN=1"), "{email}");
}

#[test]
fn subjects_keep_within_their_limit() {
    let mut report = report(Outcome::PartiallySucceeded, [Some(50_000), Some(49_500), Some(0), Some(500)]);
    let fixed = "Zoho CRM  owner change: 49,500 of 50,000 updated, 500 failed".len();
    let fitting = "M".repeat(SUBJECT_LIMIT - fixed);
    report.job = job(&fitting);
    assert!(message(&report, Outcome::PartiallySucceeded).subject.contains(&format!("CRM {fitting} owner")));
    report.job = job(&"M".repeat(255));
    let subject = message(&report, Outcome::PartiallySucceeded).subject;
    assert_eq!(subject.len(), SUBJECT_LIMIT);
    assert!(subject.ends_with("MM... owner change: 49,500 of 50,000 updated, 500 failed"), "{subject}");
    [report.total_count, report.updated_count, report.failed_count] = [Some(u64::MAX); 3];
    assert_eq!(message(&report, Outcome::PartiallySucceeded).subject.len(), SUBJECT_LIMIT);
    [report.total_count, report.updated_count, report.failed_count] = [None; 3];
    report.job = JobRef::AsWritten { module: Some("Kunden\u{fc}bersicht\n<b>".into()), job_id: None };
    let subject = message(&report, Outcome::PartiallySucceeded).subject;
    assert!(subject.starts_with("Zoho CRM Kunden?bersicht <b> owner"), "{subject}");
}

#[test]
fn an_announcement_is_what_a_state_machine_publishes() {
    let message = message(&report(Outcome::Succeeded, [None; 4]), Outcome::Succeeded);
    let announcement = message.to_announcement();
    assert_eq!(announcement["subject"], message.subject.as_str());
    assert_eq!(announcement["message"], message.body.as_str());
    assert_eq!(
        announcement["attributes"]["outcome"],
        json!({"DataType": "String", "StringValue": "SUCCEEDED"})
    );
}

#[test]
fn numbers_and_durations_for_people() {
    for (number, text) in
        [(0, "0"), (999, "999"), (1_000, "1,000"), (49_500, "49,500"), (1_234_567, "1,234,567")]
    {
        assert_eq!(with_thousands_separators(number), text);
    }
    for (seconds, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (750, "12 min 30 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (86_399, "23 h 59 min"),
        (90_061, "1 d 1 h"),
    ] {
        assert_eq!(duration(seconds), text);
    }
}

#[test]
fn a_chat_gets_its_own_text_only_if_it_is_wanted() {
    let report = report(Outcome::PartiallySucceeded, [Some(50_000), Some(49_500), Some(0), Some(500)]);
    let about = |settings| {
        Message::about(&report, Event::End(Outcome::PartiallySucceeded), &Delivery::default(), None, settings)
    };
    let (without, with) = (about(Settings::default()), about(Settings { chat: true }));
    let mut document = document(&with);
    let https = document.as_object_mut().unwrap().remove("https").unwrap();
    assert_eq!(document, super::tests::document(&without), "nothing else changes");
    assert_eq!((&with.subject, &with.attributes), (&without.subject, &without.attributes));
    let chat: Value = serde_json::from_str(https.as_str().unwrap()).unwrap();
    assert_eq!((&chat["version"], &chat["source"]), (&json!("1.0"), &json!("custom")));
    assert_eq!(chat["id"], with.event_id.as_str());
    assert_eq!(chat["content"]["title"], with.subject.as_str());
    assert_eq!(chat["metadata"]["threadId"], "Leads-3652397000009565021");
}
