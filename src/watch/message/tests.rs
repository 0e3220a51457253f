use super::*;
use crate::tests::{LIMITS, ago, job, of, request};
use crate::watch::job::Outcome;
use crate::watch::notice::{Notice, NoticeKind};
use crate::watch::report::State;
use crate::watch::request::ReportedError;

/// The message about a check with this status and these counts: total, updated, not updated, failed.
fn ended(extra: &Value, status: &str, counts: [Option<u64>; 4], event: Option<Event>, chat: bool) -> Message {
    let request = request(&of(extra));
    let report = Report::of_check(&request, &job(status, counts), ago(0), &LIMITS);
    let event = event.or(Event::of(&report)).unwrap_or(Event::End(Outcome::WatchTimedOut));
    Message::about(&report, event, &request, &MessageSettings { chat, ..MessageSettings::default() })
}

fn document(message: &Message) -> Value {
    serde_json::from_str(&message.body).unwrap()
}

/// What comes before and after ` owner change, job `.
#[test]
fn subjects() {
    let long = json!({"module": "M".repeat(255), "job_id": "3652397000009565021"});
    let usual = json!({"job_id": "3652397000009565021"});
    let many = [50_000, 49_500, 0, 500].map(Some);
    for (extra, status, counts, start, end) in [
        (&usual, "COMPLETED", many, "Partly done: Zoho CRM Leads", "...5021: 49,500 of 50,000 updated, 500 failed"),
        (&usual, "COMPLETED", [120, 120, 0, 0].map(Some), "Done: Zoho CRM Leads", "...5021: 120 of 120 updated"),
        (&usual, "COMPLETED", [None; 4], "Done: Zoho CRM Leads", "...5021"),
        (
            &usual,
            "FAILED",
            [9, 4, 4, 1].map(Some),
            "Failed: Zoho CRM Leads",
            "...5021: 4 of 9 updated, 1 failed, 4 not updated",
        ),
        (&json!({}), "RUNNING", [Some(9), Some(4), None, None], "No end seen: Zoho CRM Leads", "...1: 4 of 9 updated"),
        (
            &long,
            "COMPLETED",
            many,
            "Partly done: Zoho CRM MMMMMMMMMM...",
            "...5021: 49,500 of 50,000 updated, 500 failed",
        ),
    ] {
        let subject = ended(extra, status, counts, None, false).subject;
        assert_eq!(subject, format!("{start} owner change, job {end}"));
        assert!(subject.is_ascii() && subject.len() < 100, "{}", subject.len());
    }
    let most = ended(&long, "FAILED", [Some(u64::MAX); 4], None, false).subject;
    assert_eq!(most.len(), SUBJECT_LIMIT, "{most}");
}

#[test]
fn attributes_are_for_filter_policies() {
    let notice = Event::Notice(Notice { kind: NoticeKind::StillRunning, due_at: ago(0) });
    for (extra, event, expected) in [
        (json!({}), None, "module job_id outcome event_id status"),
        (json!({"label": "Ana", "list": "m"}), None, "module job_id outcome event_id status label list"),
        (json!({}), Some(notice), "module job_id notice event_id status"),
    ] {
        let message = ended(&extra, "COMPLETED", [None; 4], event, false);
        let names: Vec<_> = message.attributes.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.join(" "), expected);
        let announcement = message.to_announcement();
        assert_eq!(announcement["attributes"]["module"], json!({"DataType": "String", "StringValue": "Leads"}));
        assert_eq!(announcement["subject"], json!(message.subject));
        assert_eq!(announcement["message"], json!(message.body));
    }
}

/// Nothing that a caller or a server wrote becomes a link, a mention, or a sentence of the function's own.
#[test]
fn what_others_wrote_is_no_address() {
    const BAIT: &str =
        "see https://evil.example/x, www.evil.example, or mailto:a@evil.example <!channel> [x](http://evil.example)";
    for (extra, is_callers) in [
        (json!({"module": BAIT, "job_id": BAIT, "label": BAIT}), false),
        (json!({"label": BAIT, "status": BAIT}), true),
        (json!({"watch": BAIT, "list": BAIT}), false),
    ] {
        let error = ReportedError { name: BAIT.into(), message: BAIT.into(), is_callers };
        let request = request(&of(&extra));
        let report = Report::of_end(&request, State::Failed(error), 1, ago(0));
        let settings = MessageSettings { chat: true, ..MessageSettings::default() };
        let message = Message::about(&report, Event::of(&report).unwrap(), &request, &settings);
        let texts = document(&message);
        let chat: Value = serde_json::from_str(texts["https"].as_str().unwrap()).unwrap();
        for shown in
            [&json!(message.subject), &texts["email"], &texts["sms"], &chat["content"], &chat["metadata"]["summary"]]
        {
            let shown = shown.to_string().to_lowercase();
            for address in ["://", "evil.example", "www.e", "a@", "mailto:", "<!"] {
                assert!(!shown.contains(address), "{address} in {shown}");
            }
        }
    }
}

#[test]
fn a_chat_gets_its_own_text_only_if_it_is_wanted() {
    let [without, with] = [false, true].map(|chat| ended(&json!({}), "FAILED", [None; 4], None, chat));
    let mut whole = document(&with);
    let https = whole.as_object_mut().unwrap().remove("https").unwrap();
    assert_eq!(whole, document(&without), "nothing else changes");
    let chat: Value = serde_json::from_str(https.as_str().unwrap()).unwrap();
    assert_eq!((&chat["version"], &chat["source"]), (&json!("1.0"), &json!("custom")));
    assert_eq!((&chat["id"], &chat["content"]["title"]), (&json!(with.event_id), &json!(with.subject)));
    assert_eq!(chat["metadata"]["threadId"], "Leads-1");
}
