use super::*;
use crate::tests::{LIMITS, ago, job, of, request};
use crate::watch::report::State;
use crate::watch::request::ReportedError;

/// The golden messages have the others.
#[test]
fn subjects() {
    let job_id = json!("3652397000009565021");
    for (module, status, counts, expected) in [
        ("Leads".into(), "COMPLETED", [None; 4], "Done: Zoho CRM Leads owner change, job ...5021"),
        (
            "M".repeat(255),
            "COMPLETED",
            [50_000, 49_500, 0, 500].map(Some),
            "Partly done: Zoho CRM MMMMMMMMMM... owner change, job ...5021: 49,500 of 50,000 updated, 500 failed",
        ),
        (
            "M".repeat(255),
            "FAILED",
            [Some(u64::MAX); 4],
            "Failed: ... owner change, job ...5021: 18,446,744,073,709,551,615 of 18,446,744,073,709,551,615 upd",
        ),
    ] {
        let request = request(&json!({"module": module, "job_id": job_id}));
        let report = Report::of_check(&request, &job(status, counts), ago(0), &LIMITS);
        let message = Message::about(&report, Event::of(&report).unwrap(), &request, &MessageSettings::default());
        assert_eq!(message.subject, expected);
        assert!(expected.len() <= SUBJECT_LIMIT);
    }
}

/// Nothing that a caller or a server wrote becomes a link, a mention, or a sentence of the function's own.
#[test]
fn what_others_wrote_is_no_address() {
    const BAIT: &str =
        "https://evil.example/x, www.evil.example, mailto:a@evil.example <!channel> [x](http://evil.example)";
    let names = ["module", "job_id", "label", "list", "status", "watch"];
    for names in [&names[..], &names[2..]] {
        let baits: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).into(), BAIT.into())).collect();
        let request = request(&of(&Value::Object(baits)));
        let error = ReportedError { name: BAIT.into(), message: BAIT.into(), is_callers: names.len() == 4 };
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
