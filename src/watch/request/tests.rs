use super::*;
use crate::tests::{SCHEDULE, at, of, request, with};
use serde_json::{Value, json};

const TOKEN: &str = "1000.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef";

fn event(source: &str, resources: Value, detail: &Value) -> Value {
    json!({"source": source, "detail-type": "y", "resources": resources, "detail": detail})
}

fn machine(request: &Value, extra: &Value) -> Value {
    with(&json!({"request": request, "announcement": true, "watch": "w"}), extra)
}

/// Who the caller is (the schedule's name, whether it adapts, and whether the end is published), and the job as it is named.
fn shown(request: &Request) -> String {
    let caller = match &request.caller {
        Caller::StateMachine(_) => "machine".to_owned(),
        Caller::Schedule { arn, adapts, notify } => format!("{} {adapts} {notify}", arn.name),
        Caller::Direct { notify } => format!("direct {notify}"),
    };
    let job = request.job().names().map(Option::unwrap_or_default).join(" ");
    format!("{caller}: {job}")
}

#[test]
fn who_is_notified_depends_on_the_trigger() {
    let (bare, other) = (of(&json!({})), SCHEDULE.replace("watch", "other"));
    let text = |value: &Value| json!(value.to_string());
    for (payload, expected) in [
        (bare.clone(), "direct false"),
        (json!({"request": bare, "notify": true}), "direct true"),
        (of(&json!({"source": "only one of the two envelope keys"})), "direct false"),
        (of(&json!({"schedule_arn": SCHEDULE, "notify": false})), "watch false false"),
        (of(&json!({"schedule_arn": SCHEDULE, "adapt": true})), "watch true true"),
        (of(&json!({"schedule_arn": SCHEDULE, "adapt": "yes"})), "watch false true"),
        // Envelopes. Scheduler's own names its schedule.
        (event("x", json!([SCHEDULE]), &bare), "direct true"),
        (text(&event("x", json!([]), &text(&bare))), "direct true"),
        (event("x", json!([]), &of(&json!({"schedule_arn": SCHEDULE}))), "watch false true"),
        (event("aws.scheduler", json!([7]), &bare), "direct true"),
        (event("aws.scheduler", json!(["x", SCHEDULE]), &text(&bare)), "watch false true"),
        (event("aws.scheduler", json!([SCHEDULE.replace("west-1", "west-2")]), &bare), "direct true"),
        (event("aws.scheduler", json!([other]), &of(&json!({"schedule_arn": SCHEDULE}))), "watch false true"),
        // A state machine owns the watch, whatever started it, and what stands beside its input applies.
        (of(&json!({"schedule_arn": SCHEDULE, "announcement": null})), "machine"),
        (of(&json!({"announcement": false})), "direct false"),
        (machine(&of(&json!({"schedule_arn": 7, "announcement": false})), &json!({})), "machine"),
        (machine(&text(&event("x", json!([]), &bare)), &json!({"notify": false})), "machine"),
        // In a request that names its job, this is an unknown field like any other.
        (of(&json!({"request": {"module": "Deals", "job_id": "2"}})), "direct false"),
    ] {
        let request = request(&payload);
        assert!(matches!(request.ask, Ask::Check(_)), "{payload}");
        assert_eq!(shown(&request), format!("{expected}: Leads 1"), "{payload}");
    }
}

/// What is wrong, who asked for it, and the job, as far as they can be read. An invalid ARN counts as none.
#[test]
fn an_invalid_payload_is_described_with_its_field_and_an_example() {
    let arn = |arn: &str| of(&json!({"schedule_arn": arn}));
    let abroad = SCHEDULE.replace("west-1", "west-2");
    let no_job = of(&json!({"job_id": "x", "schedule_arn": SCHEDULE, "notify": "yes"}));
    let by_scheduler = |detail: &Value| event("aws.scheduler", json!([SCHEDULE]), detail);
    for (payload, parts) in [
        (json!({}), "`module` is missing & `job_id` is missing & \"Leads\""),
        (json!([]), "direct false:  & the payload must be a JSON object, not an array"),
        (json!("Leads"), "the payload is text that is not valid JSON"),
        (json!(json!(of(&json!({})).to_string()).to_string()), "must be a JSON object, not text"),
        (machine(&json!(7), &json!({})), "machine:  & the input must be a JSON object, not a number"),
        (machine(&no_job, &json!({})), "machine: Leads x & `job_id` \"x\""),
        (of(&json!({"module": "Custom"})), "`module` \"Custom\" & own API name"),
        (of(&json!({"module": " Leads"})), "`module` \"Leads\" (with white space around it)"),
        (of(&json!({"job_id": 3_652_397_000_009_565_021_u64})), "Quote it & 2^53"),
        // It is in quotes already, and they are part of it.
        (of(&json!({"job_id": "\"1\""})), "`job_id` \"\\\"1\\\"\" & nothing else"),
        (no_job, "watch false true: Leads x & `job_id` \"x\" & `notify` must be true or false"),
        (of(&json!({"schedule_arn": 1})), "`schedule_arn` must be text"),
        (arn("x"), "`schedule_arn` \"x\" & <aws.scheduler.schedule-arn>"),
        (arn(&abroad), "direct false: Leads 1 & Region \"eu-west-2\" & \"eu-west-1\""),
        (arn("\\u003caws.scheduler.schedule-arn\\u003e"), "`schedule_arn` & context attribute & jsonencode"),
        (by_scheduler(&arn("x")), "watch false true: Leads 1 & `schedule_arn` \"x\""),
        (by_scheduler(&json!("no json")), "watch false true:  & `detail` is text that is not valid JSON"),
        (json!({"source": 1, "detail-type": "y", "detail": {}}), "envelope is malformed"),
    ] {
        let request = request(&payload);
        let shown = shown(&request);
        let Ask::Reject(error, _) = request.ask else { panic!("must be rejected: {payload}") };
        assert_eq!(error.kind, ErrorType::InvalidInput);
        let text = format!("{shown} {error}");
        for part in parts.split(" & ").chain([EXAMPLE]) {
            assert!(text.contains(part), "{payload}: {part:?} is not in {text}");
        }
    }
    for payload in ["", "{\"module\":", &"[".repeat(10_000)] {
        let Ask::Reject(error, _) = Request::parse(payload, at("10:00:00"), &Location::default()).ask else { panic!() };
        assert!(error.message.contains("not valid JSON"), "{error}");
    }
}

#[test]
fn labels_become_one_short_line() {
    for (label, expected) in [
        (json!("a\tb\nc"), Some("a b c".to_owned())),
        // Masked before it is cut.
        (json!(format!("{}{TOKEN}", "x".repeat(95))), Some(format!("{}[reda", "x".repeat(95)))),
        (json!(" \n"), None),
        (json!(7), None),
    ] {
        let tags = request(&of(&json!({"label": label, "list": label}))).tags;
        assert_eq!((&tags.label, &tags.list), (&expected, &expected), "{label}");
    }
}

#[test]
fn what_a_state_machine_caught() {
    let caught = |payload: &Value| match request(payload).ask {
        Ask::Compose(failure, _) => format!("{}: {}", failure.name, failure.message),
        _ => "nothing".to_owned(),
    };
    let lambda = json!({"errorType": "ZohoUnavailable", "errorMessage": "no response", "trace": []}).to_string();
    for (failure, expected) in [
        (json!({"Error": "ZohoUnavailable", "Cause": lambda}), "ZohoUnavailable: no response"),
        (json!({"Error": "Lambda.Unknown", "Cause": "It\ndied."}), "Lambda.Unknown: It died."),
        (json!({}), "Unknown: no cause is known"),
        (json!("X"), "nothing"),
    ] {
        assert_eq!(caught(&of(&json!({"announcement": true, "failure": failure}))), expected, "{failure}");
    }
    let long = json!({"Error": "x".repeat(40_000), "Cause": "x".repeat(40_000)});
    assert_eq!(caught(&machine(&json!([]), &json!({"failure": long}))).chars().count(), 200 + 2 + 1_000);
    // Only what the state machine itself says: what stands in its input is a caller's.
    let failure = json!({"failure": {"Error": "X", "Cause": "y"}});
    for payload in
        [of(&failure), machine(&of(&failure), &json!({})), event("x", json!([]), &machine(&of(&json!({})), &failure))]
    {
        assert_eq!(caught(&payload), "nothing", "{payload}");
    }
}

/// The parts of a secret, and the whole, in every field in turn: nothing that is shown has any of them.
#[test]
fn a_secret_in_any_field_is_not_shown() {
    const CLIENT_SECRET: &str = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c";
    let whole = json!({"client_id": "1000.LEAKYCLIENTIDLEAKYCLIENTIDLEAK", "client_secret": CLIENT_SECRET,
        "refresh_token": TOKEN});
    let secrets = [json!(CLIENT_SECRET), json!(TOKEN), json!(whole.to_string()), whole];
    for (name, secret) in KNOWN.iter().flat_map(|name| secrets.iter().map(move |secret| (*name, secret))) {
        let failure = json!({"Error": secret, "Cause": secret.to_string()});
        let value = if name == "failure" { &failure } else { secret };
        let fields = of(&json!({"job_id": "x", "announcement": true, name: value}));
        for payload in [&fields, &json!({"request": fields}), &event("x", json!([]), &fields)] {
            let shown = format!("{:?}", request(payload)).to_lowercase();
            let found = ["5f3a9c0d", "0123456789abcdef", "leakyclient"].iter().find(|part| shown.contains(**part));
            assert_eq!(found, None, "{payload}: {shown}");
        }
    }
}

/// The table next to the report shows that a whole one is read.
#[test]
fn invalid_values_of_a_report_are_ignored() {
    let history = |name: &str, value: &Value| request(&of(&json!({name: value}))).history;
    for (name, invalid) in [
        ("checked_at", vec![json!("soon"), json!(5), json!("2026-11-23T10:00:01Z")]),
        ("last_progress_at", vec![json!("2026-11-23T10:00:01Z")]),
        ("first_checked_at", vec![json!("2026-11-23T10:10:01Z")]),
        ("checks", vec![json!(-1), json!({})]),
        ("total_count", vec![json!(-1), json!({})]),
        ("status", vec![json!(null), json!(""), json!(7), json!("X".repeat(101)), json!(TOKEN)]),
    ] {
        for value in invalid {
            assert_eq!(history(name, &value), History::default(), "{name}: {value}");
        }
    }
    assert_eq!(history("checks", &json!(" 50 ")).checks, 50);
    // Clocks differ a little.
    assert_eq!(history("first_checked_at", &json!(at("10:10:00"))).began, Some(at("10:10:00")));
}
