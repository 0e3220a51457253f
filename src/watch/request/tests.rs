use super::*;
use serde_json::json;

const ARN: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/watch";

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
}

fn parse(payload: &Value) -> Result<Request, Box<InvalidRequest>> {
    Request::parse(&payload.to_string(), now())
}

fn refusal(payload: &Value) -> String {
    let rejected = parse(payload).expect_err("must be refused");
    assert_eq!(rejected.error.kind(), ErrorType::InvalidInput);
    rejected.error.message().to_owned()
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
        let request = parse(&payload).unwrap_or_else(|rejected| panic!("{payload}: {:?}", rejected.error));
        assert_eq!(request.delivery.notify, notify, "{payload}");
        assert_eq!(request.delivery.schedule.is_some(), schedule, "{payload}");
        assert_eq!((request.module.as_str(), request.job_id.as_str()), ("Leads", "1"));
    }
}

#[test]
fn a_bad_payload_is_told_which_field_what_is_wrong_and_how_it_should_look() {
    for (payload, parts) in [
        (json!({}), &["`module` is missing", "`job_id` is missing", "\"Leads\""][..]),
        (json!([]), &["must be a JSON object, not an array"]),
        (json!("Leads"), &["must be a JSON object, not text"]),
        (json!(null), &["must be a JSON object, not null"]),
        (json!({"job_id": "1"}), &["`module` is missing"]),
        (json!({"module": 7, "job_id": "1"}), &["`module` must be a string", "a number"]),
        (json!({"module": "Custom", "job_id": "1"}), &["`module` \"Custom\"", "own API name"]),
        (json!({"module": "My Module", "job_id": "1"}), &["`module` \"My Module\""]),
        (json!({"module": "Leads", "job_id": 3_652_397_000_009_565_021_u64}), &["quote it", "2^53"]),
        (json!({"module": "Leads", "job_id": 1.5}), &["quote it"]),
        (json!({"module": "Leads", "job_id": "12a"}), &["`job_id` \"12a\"", "1 to 20 digits"]),
        (json!({"module": "Leads", "job_id": ""}), &["`job_id` \"\""]),
        (json!({"module": "Leads", "job_id": null}), &["`job_id` is missing"]),
        (
            json!({"module": "Leads", "job_id": "1", "schedule_arn": "x"}),
            &["`schedule_arn` \"x\"", "<aws.scheduler.schedule-arn>"],
        ),
        (json!({"module": "Leads", "job_id": "1", "schedule_arn": 1}), &["`schedule_arn` must be a string"]),
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
            &["`detail` is a string that is no JSON"],
        ),
        (json!({"source": "x", "detail-type": "y", "detail": [1]}), &["`detail` must be the request object"]),
        (json!({"source": "x", "detail-type": "y"}), &["envelope is malformed"]),
    ] {
        let message = refusal(&payload);
        for part in parts {
            assert!(message.contains(part), "{payload}: {part:?} is not in {message:?}");
        }
        assert!(message.contains(EXAMPLE), "{payload}: no example in {message:?}");
    }
}

#[test]
fn text_that_is_no_json_is_refused_too() {
    for payload in ["", "not json", "{\"module\":", &"[".repeat(10_000)] {
        let rejected = Request::parse(payload, now()).unwrap_err();
        assert!(rejected.error.message().contains("no JSON"), "{:?}", rejected.error);
    }
}

#[test]
fn a_refused_request_still_says_where_its_failure_is_announced() {
    let rejected = parse(&json!({"module": "Leads", "job_id": "x", "schedule_arn": ARN})).unwrap_err();
    assert_eq!(rejected.module.as_deref(), Some("Leads"));
    assert_eq!(rejected.job_id.as_deref(), Some("x"));
    assert!(rejected.delivery.notify);
    assert_eq!(rejected.delivery.schedule.map(|arn| arn.as_str().to_owned()).as_deref(), Some(ARN));
}

#[test]
fn an_envelope_is_not_refused_for_what_nobody_needs_of_it() {
    let request =
        parse(&json!({"source": "x", "detail-type": "y", "time": "never", "account": 1, "resources": "?",
        "detail": {"module": "Leads", "job_id": "1"}}));
    assert!(request.unwrap().delivery.notify);
}

#[test]
fn white_space_around_a_name_is_pointed_out() {
    for payload in [json!({"module": " Leads", "job_id": "1"}), json!({"module": "Leads", "job_id": "1\n"})] {
        assert!(refusal(&payload).contains("white space around it"));
    }
}

#[test]
fn a_schedule_with_a_malformed_wish_still_ends_loudly() {
    let rejected =
        parse(&json!({"module": "Leads", "job_id": "1", "schedule_arn": ARN, "notify": "yes"})).unwrap_err();
    assert!(rejected.delivery.notify && rejected.delivery.schedule.is_some());
}

#[test]
fn a_report_is_a_request_and_its_nonsense_is_ignored() {
    let report = |first: Value, checks: Value, updated: Value| {
        parse(
            &json!({"module": "Leads", "job_id": "1", "status": "RUNNING", "finished": false, "outcome": null,
            "total_count": 50000, "updated_count": updated, "failed_count": 0, "progress_percent": 1,
            "checks": checks, "first_checked_at": first, "checked_at": "2026-11-23T09:59:00Z",
            "next_check_seconds": 30}),
        )
        .unwrap()
        .history
    };
    let history = report(json!("2026-11-23T09:00:00Z"), json!(3), json!(500));
    assert_eq!(history.checks, Some(3));
    assert_eq!(history.first_checked_at, Timestamp::parse("2026-11-23T09:00:00Z"));
    assert_eq!((history.updated_count, history.failed_count), (Some(500), Some(0)));
    assert_eq!(history.checked_at, Timestamp::parse("2026-11-23T09:59:00Z"));
    for nonsense in [json!("2026-11-23T10:00:01Z"), json!("soon"), json!(5), json!(null), json!([])] {
        assert_eq!(report(nonsense, json!(1), json!(1)).first_checked_at, None);
    }
    for nonsense in [json!(-1), json!("3"), json!(1.5), json!(null), json!({}), json!(1e30)] {
        let history = report(json!(null), nonsense.clone(), nonsense);
        assert_eq!((history.checks, history.updated_count), (None, None));
    }
}

#[test]
fn an_announcement_is_asked_for_by_any_value_but_false() {
    for (value, asked) in
        [(json!(true), true), (json!(null), true), (json!({"subject": "x"}), true), (json!(false), false)]
    {
        let request = parse(&json!({"module": "Leads", "job_id": "1", "announcement": value})).unwrap();
        assert_eq!(request.delivery.announcement, asked);
    }
    assert!(!parse(&json!({"module": "Leads", "job_id": "1"})).unwrap().delivery.announcement);
}
