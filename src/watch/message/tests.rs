use super::*;
use crate::timestamp::Timestamp;
use crate::watch::ids::Location;
use crate::watch::job::{Counts, JobStatus, Status};
use crate::watch::notice::{Intervals, Notice, NoticeKind};
use crate::watch::pacing::Bounds;
use crate::watch::report::{Limits, Outcome, ReportedError, State};

const LIMITS: Limits = Limits {
    bounds: Bounds { min_seconds: 10, max_seconds: 900 },
    watch_limit_seconds: 86_400,
    notices: Intervals { still_running: None, no_progress: None },
};

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:12:30Z").unwrap()
}

fn request(extra: &Value) -> Request {
    let mut payload = json!({"module": "Leads", "job_id": "3652397000009565021",
        "first_checked_at": "2026-11-23T10:00:00Z"});
    payload.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Request::parse(&payload.to_string(), now(), &Location::default())
}

/// The message about the end of a job with these counts: total, updated, not updated, failed.
fn ended(extra: &Value, status: &str, counts: [Option<u64>; 4]) -> Message {
    let [total, updated, not_updated, failed] = counts;
    let counts = Counts { total, updated, not_updated, failed };
    let job = JobStatus { status: Status::normalize(status).unwrap(), counts };
    let request = request(extra);
    let report = Report::of_check(&request, &job, now(), &LIMITS);
    let event = Event::of(&report).unwrap_or(Event::End(Outcome::WatchTimedOut));
    Message::about(&report, event, &request, &MessageSettings::default())
}

fn text(message: &Message, channel: &str) -> String {
    let document: Value = serde_json::from_str(&message.body).unwrap();
    document[channel].as_str().unwrap().to_owned()
}

#[test]
fn subjects() {
    let long = "M".repeat(255);
    let many = [Some(50_000), Some(49_500), Some(0), Some(500)];
    for (extra, status, counts, expected) in [
        (
            json!({}),
            "COMPLETED",
            many,
            "Partly done: Zoho CRM Leads owner change, job ...5021: 49,500 of 50,000 updated, 500 failed",
        ),
        (
            json!({}),
            "COMPLETED",
            [Some(120), Some(120), Some(0), Some(0)],
            "Done: Zoho CRM Leads owner change, job ...5021: 120 of 120 updated",
        ),
        (json!({}), "COMPLETED", [None; 4], "Done: Zoho CRM Leads owner change, job ...5021"),
        (
            json!({}),
            "FAILED",
            [Some(9), Some(4), Some(4), Some(1)],
            "Failed: Zoho CRM Leads owner change, job ...5021: 4 of 9 updated, 1 failed, 4 not updated",
        ),
        (
            json!({"job_id": "7"}),
            "RUNNING",
            [Some(9), Some(4), None, None],
            "No end seen: Zoho CRM Leads owner change, job ...7: 4 of 9 updated",
        ),
        (
            json!({"module": long}),
            "COMPLETED",
            many,
            "Partly done: Zoho CRM MMMMMMMMMM... owner change, job ...5021: 49,500 of 50,000 updated, 500 failed",
        ),
    ] {
        let message = ended(&extra, status, counts);
        assert_eq!(message.subject, expected);
        assert!(message.subject.is_ascii() && message.subject.len() < 100, "{}", message.subject.len());
    }
    let most = ended(&json!({"module": long}), "FAILED", [Some(u64::MAX); 4]).subject;
    assert_eq!(most.len(), SUBJECT_LIMIT, "{most}");
}

#[test]
fn attributes_are_for_filter_policies() {
    let names = |message: &Message| message.attributes.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let message = ended(&json!({}), "COMPLETED", [None; 4]);
    assert_eq!(names(&message), ["module", "job_id", "outcome", "event_id", "status"]);
    let tagged = ended(&json!({"label": "Ana", "list": "october"}), "COMPLETED", [None; 4]);
    assert_eq!(tagged.attributes[5..], [("label", "Ana".to_owned()), ("list", "october".to_owned())]);
    let announcement = tagged.to_announcement();
    assert_eq!(announcement["attributes"]["list"], json!({"DataType": "String", "StringValue": "october"}));
    assert_eq!(
        (&announcement["subject"], &announcement["message"]),
        (&json!(tagged.subject), &json!(tagged.body))
    );
    let request = request(&json!({}));
    let job = JobStatus { status: Status::normalize("RUNNING").unwrap(), counts: Counts::default() };
    let report = Report::of_check(&request, &job, now(), &LIMITS);
    let event = Event::Notice(Notice { kind: NoticeKind::StillRunning, due_at: now() });
    let notice = Message::about(&report, event, &request, &MessageSettings::default());
    assert_eq!(names(&notice), ["module", "job_id", "notice", "event_id", "status"]);
    assert!(notice.subject.starts_with("Still running: "), "{}", notice.subject);
}

/// Nothing that a caller or a server wrote becomes a link, a mention, or a sentence of the function's own.
#[test]
fn what_others_wrote_is_no_address() {
    const BAIT: &str = "see https://evil.example/x, www.evil.example, or mailto:a@evil.example <!channel> [x](http://evil.example)";
    let error = |is_callers| ReportedError { name: BAIT.into(), message: BAIT.into(), is_callers };
    for (extra, error) in [
        (json!({"module": BAIT, "job_id": BAIT, "label": BAIT}), error(false)),
        (json!({"label": BAIT, "status": BAIT}), error(true)),
        (json!({"watch": BAIT, "list": BAIT}), error(false)),
    ] {
        let request = request(&extra);
        let report = Report::of_end(&request, State::Failed(error), 1, now());
        let settings = MessageSettings { chat: true, ..MessageSettings::default() };
        let message = Message::about(&report, Event::of(&report).unwrap(), &request, &settings);
        let chat: Value = serde_json::from_str(&text(&message, "https")).unwrap();
        let chat = format!("{} {}", chat["content"], chat["metadata"]["summary"]);
        for shown in [&message.subject, &text(&message, "email"), &text(&message, "sms"), &chat] {
            for address in ["://", "evil.example", "www.e", "a@", "mailto:", "<!"] {
                assert!(!shown.to_lowercase().contains(address), "{address} in {shown}");
            }
        }
    }
}

#[test]
fn a_chat_gets_its_own_text_only_if_it_is_wanted() {
    let request = request(&json!({}));
    let job = JobStatus { status: Status::normalize("FAILED").unwrap(), counts: Counts::default() };
    let report = Report::of_check(&request, &job, now(), &LIMITS);
    let about = |chat| {
        let settings = MessageSettings { chat, ..MessageSettings::default() };
        Message::about(&report, Event::of(&report).unwrap(), &request, &settings)
    };
    let (without, with) = (about(false), about(true));
    let document = |message: &Message| serde_json::from_str::<Value>(&message.body).unwrap();
    let mut whole = document(&with);
    let https = whole.as_object_mut().unwrap().remove("https").unwrap();
    assert_eq!(whole, document(&without), "nothing else changes");
    let chat: Value = serde_json::from_str(https.as_str().unwrap()).unwrap();
    assert_eq!((&chat["version"], &chat["source"]), (&json!("1.0"), &json!("custom")));
    assert_eq!((&chat["id"], &chat["content"]["title"]), (&json!(with.event_id), &json!(with.subject)));
    assert_eq!(chat["metadata"]["threadId"], "Leads-3652397000009565021");
}
