use super::parse::{EXAMPLE, KNOWN};
use super::*;
use crate::error::ErrorType;
use crate::watch::ids::{JobId, Location, ModuleName};
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
    let Ask::Reject { error, .. } = parse(payload).ask else { panic!("must be rejected: {payload}") };
    assert_eq!(error.kind(), ErrorType::InvalidInput);
    error.message().to_owned()
}

fn checks(payload: &Value) -> Option<Job> {
    match parse(payload).ask {
        Ask::Check(job) => Some(job),
        _ => None,
    }
}

fn schedule(notify: bool) -> Caller {
    Caller::Schedule { arn: ScheduleArn::parse(ARN).unwrap(), adapts: false, notify }
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
    let direct = |notify| Caller::Direct { notify };
    let machine = Caller::StateMachine { execution: None };
    let adapts = Caller::Schedule { arn: ScheduleArn::parse(ARN).unwrap(), adapts: true, notify: true };
    for (payload, caller) in [
        (bare.clone(), direct(false)),
        (with(json!({"notify": true})), direct(true)),
        (with(json!({"notify": null})), direct(false)),
        (with(json!({"adapt": true})), direct(false)),
        (with(json!({"schedule_arn": ARN})), schedule(true)),
        (with(json!({"schedule_arn": null})), direct(false)),
        (with(json!({"schedule_arn": ARN, "notify": false})), schedule(false)),
        (with(json!({"schedule_arn": ARN, "adapt": true})), adapts),
        (with(json!({"schedule_arn": ARN, "adapt": "yes"})), schedule(true)),
        (envelope(bare.clone()), direct(true)),
        (envelope(json!(bare.to_string())), direct(true)),
        (envelope(with(json!({"notify": false}))), direct(false)),
        (envelope(with(json!({"schedule_arn": ARN}))), schedule(true)),
        (with(json!({"source": "only one of the two envelope keys"})), direct(false)),
        // A state machine owns the watch, whatever started it.
        (with(json!({"schedule_arn": ARN, "announcement": true})), machine.clone()),
        (with(json!({"schedule_arn": "x", "announcement": true})), machine.clone()),
        (json!({"request": with(json!({"schedule_arn": 7})), "announcement": true}), machine.clone()),
        (with(json!({"announcement": null})), machine.clone()),
        (with(json!({"announcement": {"subject": "x"}})), machine),
        (with(json!({"announcement": false})), direct(false)),
    ] {
        assert_eq!(parse(&payload).caller, caller, "{payload}");
        assert_eq!(checks(&payload), Some(named("Leads", "1")), "{payload}");
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
        let Ask::Reject { error, .. } = Request::parse(payload, now(), &here()).ask else { panic!() };
        assert!(error.message().contains("not valid JSON"), "{error}");
    }
}

#[test]
fn an_invalid_request_still_names_its_schedule_and_job() {
    let request = parse(&json!({"module": "Leads", "job_id": "x", "schedule_arn": ARN, "notify": "yes"}));
    assert_eq!((request.job().module(), request.job().job_id()), (Some("Leads"), Some("x")));
    assert_eq!(request.caller, schedule(true));
    // A job that is valid is known, whatever else is wrong. The function touches no schedule but its own.
    let elsewhere = ARN.replace("123456789012", "210987654321");
    let request = parse(&json!({"module": "Leads", "job_id": "1", "schedule_arn": elsewhere}));
    assert_eq!(request.job(), JobRef::Valid(named("Leads", "1")));
    assert!(matches!(request.ask, Ask::Reject { .. }));
    assert_eq!(request.caller, Caller::Direct { notify: false });
}

#[test]
fn unneeded_parts_of_an_envelope_do_not_matter() {
    let event = json!({"source": "x", "detail-type": "y", "time": "never", "account": 1, "resources": "?",
        "detail": {"module": "Leads", "job_id": "1"}});
    assert_eq!(parse(&event).caller, Caller::Direct { notify: true });
    assert!(checks(&event).is_some());
}

#[test]
fn schedulers_own_envelope_names_its_schedule() {
    let event = |source: &str, resources: Value, detail: Value| {
        let event = json!({"source": source, "detail-type": "Scheduled Event", "resources": resources, "detail": detail});
        match parse(&event).caller {
            Caller::Schedule { arn, .. } => Some(arn.as_str().to_owned()),
            _ => None,
        }
    };
    let detail = json!(r#"{"module": "Leads", "job_id": "1"}"#);
    let other = ARN.replace("watch", "other");
    let abroad = ARN.replace("eu-west-1", "eu-west-2");
    for (source, resources, detail, expected) in [
        ("aws.scheduler", json!([ARN]), detail.clone(), Some(ARN)),
        ("aws.scheduler", json!(["x", ARN]), detail.clone(), Some(ARN)),
        ("aws.scheduler", json!([other]), json!({"schedule_arn": ARN}), Some(ARN)),
        // An invalid ARN counts as none.
        ("aws.scheduler", json!([ARN]), json!({"schedule_arn": "x"}), Some(ARN)),
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
        assert_eq!(checks(&payload), Some(named("Leads", "1")), "{payload}");
    }
    let twice = Value::from(bare).to_string();
    assert!(checks(&json!(twice)).is_none(), "it is decoded once");
}

#[test]
fn what_stands_beside_a_wrapped_request_applies_to_it() {
    let wrapped = |request: Value| {
        parse(&json!({"request": request, "announcement": true, "notify": false, "watch": "Leads-1"}))
    };
    for request in [
        json!({"module": "Leads", "job_id": "1"}),
        json!({"module": "Leads", "job_id": "1", "notify": true, "announcement": false, "watch": "other"}),
        json!({"source": "x", "detail-type": "y", "detail": {"module": "Leads", "job_id": "1"}}),
        json!("not json"),
        json!(null),
        json!([]),
    ] {
        let parsed = wrapped(request.clone());
        assert_eq!(parsed.caller, Caller::StateMachine { execution: None }, "{request}");
        assert_eq!(parsed.watch.as_deref(), Some("Leads-1"), "{request}");
    }
    // In a request that names its job, `request` is an unknown field like any other.
    let request = json!({"module": "Leads", "job_id": "1", "request": {"module": "Deals", "job_id": "2"}});
    assert_eq!(checks(&request), Some(named("Leads", "1")));
}

#[test]
fn an_execution_is_linked_if_it_is_where_the_function_is() {
    let arn = |region: &str, rest: &str| format!("arn:aws:states:{region}:123456789012:{rest}");
    for (execution, link) in [
        (
            arn("eu-west-1", "execution:watch:Leads-1"),
            Some(
                "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/\
                 arn:aws:states:eu-west-1:123456789012:execution:watch:Leads-1",
            ),
        ),
        (arn("eu-west-2", "execution:watch:Leads-1"), None),
        (arn("eu-west-1", "stateMachine:watch"), None),
        (arn("eu-west-1", "execution:watch:Leads 1 https://evil.example"), None),
        ("https://evil.example".to_owned(), None),
    ] {
        let payload = json!({"request": {"module": "Leads", "job_id": "1"}, "announcement": true,
            "execution": execution});
        let Caller::StateMachine { execution } = parse(&payload).caller else { panic!("{payload}") };
        assert_eq!(execution.as_ref().and_then(ExecutionArn::link).as_deref(), link, "{payload}");
        let machine = execution.map(|execution| execution.state_machine());
        assert_eq!(machine, link.map(|_| arn("eu-west-1", "stateMachine:watch")), "{payload}");
    }
}

#[test]
fn labels_become_one_short_line() {
    let secret = "1000.0123456789abcdef.0123456789abcdef";
    let long = "\u{e9}".repeat(200);
    for (label, expected) in [
        (json!("Move to Ana, ticket 7"), Some("Move to Ana, ticket 7".to_owned())),
        (json!("a\tb\nc"), Some("a b c".to_owned())),
        (json!(format!("token {secret}")), Some("token [redacted]".to_owned())),
        (json!(format!("{}{secret}", "x".repeat(90))), Some(format!("{}[redacted]", "x".repeat(90)))),
        (json!(long), Some("\u{e9}".repeat(100))),
        (json!(""), None),
        (json!(" \n"), None),
        (json!(7), None),
        (json!(null), None),
    ] {
        let tags = parse(&json!({"module": "Leads", "job_id": "1", "label": label, "list": label})).tags;
        assert_eq!((&tags.label, &tags.list), (&expected, &expected), "{label}");
    }
}

fn caught(payload: &Value) -> Option<Failure> {
    match parse(payload).ask {
        Ask::Compose { failure, .. } => Some(failure),
        _ => None,
    }
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
        let caught =
            caught(&json!({"module": "Leads", "job_id": "1", "announcement": true, "failure": failure}));
        assert_eq!(caught, Some(Failure { error: error.into(), cause: cause.into() }), "{failure}");
    }
    let long = json!({"request": [], "announcement": true, "failure": {"Error": long, "Cause": long}});
    let failure = caught(&long).unwrap();
    assert_eq!((failure.error.chars().count(), failure.cause.chars().count()), (200, 1_000));
    for none in [json!(null), json!(false), json!("X"), json!([])] {
        let payload = json!({"module": "Leads", "job_id": "1", "announcement": true, "failure": none});
        assert_eq!(caught(&payload), None, "{payload}");
    }
    // Only what the state machine itself says: what stands in its input is a caller's.
    let (job, failure) = (json!({"module": "Leads", "job_id": "1"}), json!({"Error": "X", "Cause": "y"}));
    let mut inside = job.clone();
    inside["failure"] = failure.clone();
    for payload in [
        json!({"module": "Leads", "job_id": "1", "failure": failure}),
        json!({"request": inside, "announcement": true}),
        json!({"source": "x", "detail-type": "y", "detail": {"request": job, "announcement": true, "failure": failure}}),
    ] {
        assert_eq!(caught(&payload), None, "{payload}");
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
                fields["announcement"] = json!(true);
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
fn a_report_is_a_request_and_its_invalid_values_are_ignored() {
    let history = |extra: Value| {
        let mut report = json!({"module": "Leads", "job_id": "1", "status": "RUNNING", "finished": false,
            "outcome": null, "total_count": 50000, "updated_count": 500, "not_updated_count": "49500",
            "failed_count": 0.0, "progress_percent": 1, "checks": 3, "first_checked_at": "2026-11-23T09:00:00Z",
            "checked_at": "2026-11-23T09:59:00Z", "last_progress_at": "2026-11-23T09:30:00Z",
            "next_check_seconds": 30});
        report.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        parse(&report).history
    };
    let at = |time: &str| Timestamp::parse(&format!("2026-11-23T{time}Z"));
    let whole = history(json!({}));
    let counts =
        Counts { total: Some(50_000), updated: Some(500), not_updated: Some(49_500), failed: Some(0) };
    assert_eq!(
        whole,
        History {
            status: Status::normalize("RUNNING"),
            counts,
            checks: 3,
            began: at("09:00:00"),
            checked_at: at("09:59:00"),
            last_progress_at: at("09:30:00"),
        }
    );
    for invalid in [json!("soon"), json!(5), json!(null), json!([]), json!("2026-11-23T10:00:01Z")] {
        let read = history(json!({"checked_at": invalid, "last_progress_at": invalid}));
        assert_eq!((read.checked_at, read.last_progress_at), (None, None), "{invalid}");
        assert_eq!(
            history(json!({"first_checked_at": invalid})).began_by(now()).filter(|at| *at < now()),
            None
        );
    }
    for (start, is_read) in [("2026-11-23T10:10:00Z", true), ("2026-11-23T10:10:01Z", false)] {
        assert_eq!(history(json!({"first_checked_at": start})).began.is_some(), is_read, "{start}");
    }
    for (written, number) in [
        (json!(50.0), Some(50)),
        (json!("50"), Some(50)),
        (json!(5e1), Some(50)),
        (json!(" 50 "), Some(50)),
        (json!(-1), None),
        (json!(1.5), None),
        (json!("x"), None),
        (json!(1e30), None),
        (json!({}), None),
        (json!(null), None),
    ] {
        let read = history(json!({"checks": written, "total_count": written}));
        assert_eq!((read.checks, read.counts.total), (number.unwrap_or(0), number), "{written}");
    }
    let long = "X".repeat(101);
    for status in
        [json!(null), json!(""), json!(7), json!(long), json!("1000.0123456789abcdef.0123456789abcdef")]
    {
        assert_eq!(history(json!({"status": status})).status, None, "{status}");
    }
}
