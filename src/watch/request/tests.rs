use super::*;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch";

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
}

fn here() -> Location {
    Location::of_function("arn:aws:lambda:eu-west-1:123456789012:function:watch", None)
}

fn parse(payload: &Value) -> Request {
    Request::parse(&payload.to_string(), now(), &here())
}

fn problem(payload: &Value) -> String {
    let invalid = parse(payload).job.expect_err("must be rejected");
    assert_eq!(invalid.error.kind(), ErrorType::InvalidInput);
    invalid.error.message().to_owned()
}

fn named(module: &str, job_id: &str) -> Job {
    Job { module: ModuleName::parse(module).unwrap(), job_id: JobId::parse(job_id).unwrap() }
}

#[test]
fn who_is_notified_depends_on_the_trigger() {
    let bare = json!({"module": "Leads", "job_id": "1"});
    let with = |extra: Value| {
        let mut object = bare.as_object().unwrap().clone();
        object.extend(extra.as_object().unwrap().clone());
        Value::Object(object)
    };
    let envelope = |detail: Value| {
        json!({"version": "0", "id": "x", "detail-type": "Zoho job", "source": "my.app", "account": "123456789012",
               "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [], "detail": detail})
    };
    for (payload, notify, schedule) in [
        (bare.clone(), false, false),
        (with(json!({"notify": true})), true, false),
        (with(json!({"notify": null})), false, false),
        (with(json!({"schedule_arn": ARN})), true, true),
        (with(json!({"schedule_arn": null})), false, false),
        (with(json!({"schedule_arn": ARN, "notify": false})), false, true),
        (envelope(bare.clone()), true, false),
        (envelope(json!(bare.to_string())), true, false),
        (envelope(with(json!({"notify": false}))), false, false),
        (envelope(with(json!({"schedule_arn": ARN}))), true, true),
        (with(json!({"source": "only one of the two envelope keys"})), false, false),
    ] {
        let request = parse(&payload);
        assert_eq!(request.delivery.notify, notify, "{payload}");
        assert_eq!(request.delivery.schedule.is_some(), schedule, "{payload}");
        assert_eq!(request.job.unwrap(), named("Leads", "1"), "{payload}");
    }
}

#[test]
fn an_invalid_payload_is_described_with_its_field_and_an_example() {
    for (payload, parts) in [
        (json!({}), &["`module` is missing", "`job_id` is missing", "\"Leads\""][..]),
        (json!([]), &["must be a JSON object, not an array"]),
        (json!("Leads"), &["text that is not valid JSON"]),
        (json!("\"Leads\""), &["must be a JSON object, not text"]),
        (json!(null), &["must be a JSON object, not null"]),
        (json!({"job_id": "1"}), &["`module` is missing"]),
        (json!({"module": 7, "job_id": "1"}), &["`module` must be text", "not a number"]),
        (json!({"module": "Custom", "job_id": "1"}), &["`module` \"Custom\"", "own API name"]),
        (json!({"module": "My Module", "job_id": "1"}), &["`module` \"My Module\""]),
        (json!({"module": "Leads", "job_id": 3_652_397_000_009_565_021_u64}), &["Quote it", "2^53"]),
        (json!({"module": "Leads", "job_id": 1.5}), &["Quote it"]),
        (json!({"module": "Leads", "job_id": "12a"}), &["`job_id` \"12a\"", "1 to 20 digits"]),
        (json!({"module": "Leads", "job_id": ""}), &["`job_id` \"\""]),
        (json!({"module": "Leads", "job_id": null}), &["`job_id` is missing"]),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": "x"}),
            &["`schedule_arn` \"x\"", "<aws.scheduler.schedule-arn>"],
        ),
        (json!({"module": "Leads", "job_id": "1", "schedule_arn": 1}), &["`schedule_arn` must be text"]),
        (json!({"module": "Leads", "job_id": "1", "notify": "yes"}), &["`notify` must be true or false"]),
        (
            json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}),
            &["`module` is missing"],
        ),
        (
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
            &["`module` is missing"],
        ),
        (
            json!({"source": "x", "detail-type": "y", "detail": "no json"}),
            &["`detail` is text that is not valid JSON"],
        ),
        (
            json!({"source": "x", "detail-type": "y", "detail": [1]}),
            &["`detail` must be a JSON object, not an array"],
        ),
        (json!({"source": "x", "detail-type": "y"}), &["`detail` must be a JSON object, not null"]),
        (json!({"source": 1, "detail-type": "y", "detail": {}}), &["envelope is malformed"]),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": "<aws.scheduler.schedule-arn>"}),
            &["context attribute", "not replaced", "jsonencode", "A state machine"],
        ),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": "\\u003caws.scheduler.schedule-arn\\u003e"}),
            &["context attribute", "not replaced", "jsonencode"],
        ),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": "&lt;aws.scheduler.schedule-arn&gt;"}),
            &["context attribute", "only if it is spelled <aws.scheduler.schedule-arn>"],
        ),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": "aws.scheduler.schedule_arn"}),
            &["context attribute", "only if it is spelled <aws.scheduler.schedule-arn>"],
        ),
        // It is in quotes already, and they are part of it.
        (json!({"module": "Leads", "job_id": "\"1\""}), &["`job_id` \"\\\"1\\\"\"", "nothing else"]),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": ARN.replace("eu-west-1", "eu-west-2")}),
            &["Region \"eu-west-2\"", "\"eu-west-1\""],
        ),
        (json!({"request": 7}), &["the input must be a JSON object, not a number"]),
        (json!({"request": null}), &["the input must be a JSON object, not null"]),
        (json!({"request": "x"}), &["the input is text that is not valid JSON"]),
    ] {
        let message = problem(&payload);
        for part in parts {
            assert!(message.contains(part), "{payload}: {part:?} is not in {message:?}");
        }
        assert!(message.contains(EXAMPLE), "{payload}: no example in {message:?}");
    }
}

#[test]
fn text_that_is_not_json_is_rejected_too() {
    for payload in ["", "not json", "{\"module\":", &"[".repeat(10_000)] {
        let invalid = Request::parse(payload, now(), &here()).job.unwrap_err();
        assert!(invalid.error.message().contains("not valid JSON"), "{:?}", invalid.error);
    }
}

#[test]
fn an_invalid_request_still_names_its_schedule_and_job() {
    let request = parse(&json!({"module": "Leads", "job_id": "x", "schedule_arn": ARN}));
    let job = request.job_ref();
    assert_eq!((job.module(), job.job_id()), (Some("Leads"), Some("x")));
    assert!(request.delivery.notify);
    assert_eq!(request.delivery.schedule.as_ref().map(ScheduleArn::as_str), Some(ARN));
    // Not a schedule somewhere else: the function touches none but its own.
    let elsewhere = ARN.replace("123456789012", "210987654321");
    let request = parse(&json!({"module": "Leads", "job_id": "1", "schedule_arn": elsewhere}));
    assert!(request.job.is_err() && request.delivery.schedule.is_none());
}

#[test]
fn unneeded_parts_of_an_envelope_do_not_matter() {
    let request =
        parse(&json!({"source": "x", "detail-type": "y", "time": "never", "account": 1, "resources": "?",
        "detail": {"module": "Leads", "job_id": "1"}}));
    assert!(request.job.is_ok() && request.delivery.notify);
}

#[test]
fn schedulers_own_envelope_names_its_schedule() {
    let event = |source: &str, resources: Value, detail: Value| {
        parse(&json!({"source": source, "detail-type": "Scheduled Event", "resources": resources, "detail": detail}))
            .delivery
            .schedule
            .map(|schedule| schedule.as_str().to_owned())
    };
    let detail = json!(r#"{"module": "Leads", "job_id": "1"}"#);
    let other = ARN.replace("watch", "other");
    let abroad = ARN.replace("eu-west-1", "eu-west-2");
    for (source, resources, detail, expected) in [
        ("aws.scheduler", json!([ARN]), detail.clone(), Some(ARN)),
        ("aws.scheduler", json!(["x", ARN]), detail.clone(), Some(ARN)),
        ("aws.scheduler", json!([other]), json!({"schedule_arn": ARN}), Some(ARN)),
        ("aws.scheduler", json!([]), detail.clone(), None),
        ("aws.scheduler", json!([7]), detail.clone(), None),
        ("aws.scheduler", json!([abroad]), detail.clone(), None),
        ("my.app", json!([ARN]), detail, None),
    ] {
        let context = format!("{source} {resources} {detail}");
        assert_eq!(event(source, resources, detail).as_deref(), expected, "{context}");
    }
}

#[test]
fn a_payload_can_be_text_that_holds_the_object() {
    let bare = r#"{"module": "Leads", "job_id": "1"}"#;
    let envelope = json!({"source": "x", "detail-type": "y", "detail": bare});
    for payload in [
        json!(bare),
        json!(envelope.to_string()),
        json!({"request": bare}),
        json!({"request": {"module": "Leads", "job_id": "1"}}),
        json!({"request": envelope}),
        json!({"request": envelope.to_string()}),
    ] {
        assert_eq!(parse(&payload).job.unwrap(), named("Leads", "1"), "{payload}");
    }
    let twice = Value::from(bare).to_string();
    assert!(parse(&json!(twice)).job.is_err(), "it is decoded once");
}

#[test]
fn what_stands_beside_a_wrapped_request_applies_to_it() {
    let wrapped = |request: Value| {
        parse(&json!({"request": request, "announcement": true, "notify": false, "watch": "Leads-1"}))
    };
    let expected = Delivery { announcement: true, watch: Some("Leads-1".into()), ..Delivery::default() };
    for request in [
        json!({"module": "Leads", "job_id": "1"}),
        json!({"module": "Leads", "job_id": "1", "notify": true, "announcement": false, "watch": "other"}),
        json!({"source": "x", "detail-type": "y", "detail": {"module": "Leads", "job_id": "1"}}),
        json!("not json"),
        json!(null),
        json!([]),
    ] {
        assert_eq!(wrapped(request.clone()).delivery, expected, "{request}");
    }
    // In a request that names its job, `request` is an unknown field like any other.
    let request =
        parse(&json!({"module": "Leads", "job_id": "1", "request": {"module": "Deals", "job_id": "2"}}));
    assert_eq!(request.job.unwrap(), named("Leads", "1"));
}

#[test]
fn what_a_state_machine_caught() {
    let lambda =
        json!({"errorType": "ZohoUnavailable", "errorMessage": "Zoho's API did not respond.", "trace": []});
    let long = "x".repeat(40_000);
    for (failure, error, cause) in [
        (
            json!({"Error": "ZohoUnavailable", "Cause": lambda.to_string()}),
            "ZohoUnavailable",
            "Zoho's API did not respond.",
        ),
        (json!({"Error": "States.Timeout", "Cause": ""}), "States.Timeout", "no cause is known"),
        (json!({"Error": "States.Timeout"}), "States.Timeout", "no cause is known"),
        (
            json!({"Error": "Lambda.Unknown", "Cause": "The function\ndied."}),
            "Lambda.Unknown",
            "The function died.",
        ),
        (json!({"Error": "X", "Cause": "[1]"}), "X", "[1]"),
        (json!({"Error": "X", "Cause": "1000.0123456789abcdef.0123456789abcdef"}), "X", "[redacted]"),
        (json!({}), "Unknown", "no cause is known"),
    ] {
        let request = parse(&json!({"module": "Leads", "job_id": "1", "failure": failure}));
        assert_eq!(request.failure, Some(Failure { error: error.into(), cause: cause.into() }), "{failure}");
    }
    let request = parse(&json!({"request": [], "failure": {"Error": long, "Cause": long}}));
    let failure = request.failure.unwrap();
    assert_eq!((failure.error.chars().count(), failure.cause.chars().count()), (200, 1_000));
    for none in [json!(null), json!(false), json!("X"), json!([])] {
        assert_eq!(parse(&json!({"module": "Leads", "job_id": "1", "failure": none})).failure, None);
    }
}

/// The parts of a secret, and the whole, in every field in turn: nothing that is shown has any of them.
#[test]
fn a_secret_in_any_field_is_not_shown() {
    const CLIENT_SECRET: &str = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c";
    const REFRESH_TOKEN: &str = "1000.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef";
    let whole = json!({"client_id": "1000.LEAKYCLIENTIDLEAKYCLIENTIDLEAK", "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN});
    for name in KNOWN {
        for secret in [json!(CLIENT_SECRET), json!(REFRESH_TOKEN), json!(whole.to_string()), whole.clone()] {
            for broken in [false, true] {
                let mut fields = json!({"module": "Leads", "job_id": if broken { "x" } else { "1" }});
                fields[name] = if name == "failure" {
                    json!({"Error": secret, "Cause": secret.to_string()})
                } else {
                    secret.clone()
                };
                for payload in [
                    fields.clone(),
                    json!({"request": fields}),
                    json!({"source": "x", "detail-type": "y", "detail": fields}),
                ] {
                    let shown = format!("{:?}", parse(&payload)).to_lowercase();
                    for part in ["5f3a9c0d", "0123456789abcdef", "leakyclient"] {
                        assert!(!shown.contains(part), "{payload}: {shown}");
                    }
                }
            }
        }
    }
}

#[test]
fn white_space_around_a_name_is_pointed_out() {
    for payload in [json!({"module": " Leads", "job_id": "1"}), json!({"module": "Leads", "job_id": "1\n"})] {
        assert!(problem(&payload).contains("white space around it"));
    }
}

#[test]
fn a_schedule_with_an_invalid_notify_still_announces_its_end() {
    let request = parse(&json!({"module": "Leads", "job_id": "1", "schedule_arn": ARN, "notify": "yes"}));
    assert!(request.job.is_err() && request.delivery.notify && request.delivery.schedule.is_some());
}

#[test]
fn a_report_is_a_request_and_its_invalid_values_are_ignored() {
    let report = |first: Value, checks: Value, updated: Value| {
        parse(
            &json!({"module": "Leads", "job_id": "1", "status": "RUNNING", "finished": false, "outcome": null,
            "total_count": 50000, "updated_count": updated, "failed_count": 0, "progress_percent": 1,
            "checks": checks, "first_checked_at": first, "checked_at": "2026-11-23T09:59:00Z",
            "next_check_seconds": 30}),
        )
        .history
    };
    let history = report(json!("2026-11-23T09:00:00Z"), json!(3), json!(500));
    assert_eq!(history.checks, Some(3));
    assert_eq!(history.first_checked_at, Timestamp::parse("2026-11-23T09:00:00Z"));
    assert_eq!((history.updated_count, history.failed_count), (Some(500), Some(0)));
    assert_eq!(history.checked_at, Timestamp::parse("2026-11-23T09:59:00Z"));
    for invalid in [json!("2026-11-23T10:00:01Z"), json!("soon"), json!(5), json!(null), json!([])] {
        assert_eq!(report(invalid, json!(1), json!(1)).first_checked_at, None);
    }
    for invalid in [json!(-1), json!("3"), json!(1.5), json!(null), json!({}), json!(1e30)] {
        let history = report(json!(null), invalid.clone(), invalid);
        assert_eq!((history.checks, history.updated_count), (None, None));
    }
}

#[test]
fn the_counts_tell_whether_the_end_is_near() {
    for (updated, failed, total, expected) in [
        (Some(900), Some(0), Some(1_000), true),
        (Some(800), Some(100), Some(1_000), true),
        (Some(899), None, Some(1_000), false),
        (Some(u64::MAX), Some(u64::MAX), Some(1), true),
        (None, Some(1_000), Some(1_000), false),
        (Some(1_000), Some(0), None, false),
        (Some(0), Some(0), Some(0), true),
    ] {
        let history = History {
            updated_count: updated,
            failed_count: failed,
            total_count: total,
            ..History::default()
        };
        assert_eq!(history.is_near_the_end(), expected, "{history:?}");
    }
}

#[test]
fn any_value_but_false_requests_an_announcement() {
    for (value, asked) in
        [(json!(true), true), (json!(null), true), (json!({"subject": "x"}), true), (json!(false), false)]
    {
        let request = parse(&json!({"module": "Leads", "job_id": "1", "announcement": value}));
        assert_eq!(request.delivery.announcement, asked);
    }
    assert!(!parse(&json!({"module": "Leads", "job_id": "1"})).delivery.announcement);
}
