use super::*;
use crate::tests::{LIMITS, ago, job, of, request};
use crate::watch::report::State;
use crate::watch::request::ReportedError;

/// The message about a check with this status and these counts: total, updated, not updated, failed.
fn ended(extra: &Value, status: &str, counts: [Option<u64>; 4]) -> Message {
    let request = request(&of(extra));
    let report = Report::of_check(&request, &job(status, counts), ago(0), &LIMITS);
    Message::about(&report, Event::of(&report).unwrap(), &request, &MessageSettings::default())
}

/// The golden messages have the others.
#[test]
fn subjects() {
    let job = |module: &str| json!({"module": module, "job_id": "3652397000009565021"});
    let (short, long) = (job("Leads"), job(&"M".repeat(255)));
    for (payload, status, counts, expected) in [
        (&short, "COMPLETED", [None; 4], "Done: Zoho CRM Leads owner change, job ...5021"),
        (
            &long,
            "COMPLETED",
            [50_000, 49_500, 0, 500].map(Some),
            "Partly done: Zoho CRM MMMMMMMMMM... owner change, job ...5021: 49,500 of 50,000 updated, 500 failed",
        ),
    ] {
        assert_eq!(ended(payload, status, counts).subject, expected);
        assert!(expected.len() <= SUBJECT_LIMIT);
    }
    let most = ended(&long, "FAILED", [Some(u64::MAX); 4]).subject;
    assert_eq!(most.len(), SUBJECT_LIMIT, "{most}");
}

/// The golden messages have the attributes of each event, and the test of a subscriber has those of a list.
#[test]
fn an_announcement_is_what_sns_takes() {
    let message = ended(&json!({}), "COMPLETED", [None; 4]);
    let announcement = message.to_announcement();
    assert_eq!(announcement["attributes"]["module"], json!({"DataType": "String", "StringValue": "Leads"}));
    assert_eq!((&announcement["subject"], &announcement["message"]), (&json!(message.subject), &json!(message.body)));
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
        let texts: Value = serde_json::from_str(&message.body).unwrap();
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
