use super::*;
use crate::tests::{LIMITS, ago, job, of, request};
use crate::watch::{report::State, request::ReportedError};

/// The golden messages have the others: here, a long module name is cut first, then the end.
#[test]
fn long_subjects() {
    let request = request(&json!({"module": "M".repeat(255), "job_id": "3652397000009565021"}));
    for (counts, start) in [
        ([50_000, 49_500, 0, 500], "Partly done: Zoho CRM MMMMMMMMMM... owner change, job ...5021: 49,500 of 50,000"),
        ([u64::MAX; 4], "Partly done: ... owner change, job ...5021: 18,446,744,073,709,551,615 of 18,446"),
    ] {
        let report = Report::of_check(&request, &job("COMPLETED", counts.map(Some)), ago(0), &LIMITS);
        let message = Message::about(&report, report.event().unwrap(), &request, &MessageSettings::default());
        assert!(message.subject.starts_with(start) && message.subject.len() == SUBJECT_LIMIT, "{}", message.subject);
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
        let message = Message::about(&report, report.event().unwrap(), &request, &settings);
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
