use super::*;
use crate::checker;
use crate::http::{Origin, Request as HttpRequest, Response, TransportError};
use crate::token::{Put, Sharing, StoreError, TokenSettings, TokenSource, Version};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use crate::watch::notice::Intervals;
use crate::watch::pacing::Bounds;
use ::http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const SCHEDULE: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/watch";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";
const DAY: u64 = 86_400;

/// A secret with an access token in it.
struct Store;

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        Ok(Version { id: "v".into(), created: Timestamp::from_epoch_seconds(0), text: "token".into() })
    }

    async fn labeled(&self, _: &str) -> Result<Option<Version>, StoreError> {
        Ok(None)
    }

    async fn version(&self, _: &str) -> Result<Option<Version>, StoreError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: &str, _: &SecretString) -> Result<Put, StoreError> {
        Err(StoreError::Denied("read only".into()))
    }
}

/// Responds to every request with this status and body.
#[derive(Clone)]
struct Zoho(u16, String);

impl HttpClient for Zoho {
    async fn send(&self, _: HttpRequest<'_>) -> Result<Response, TransportError> {
        let status = StatusCode::from_u16(self.0).unwrap();
        Ok(Response { status, headers: HeaderMap::new(), body: self.1.clone().into_bytes() })
    }

    async fn preconnect(&self, _: &Origin) {}
}

/// What the destinations do, and what happened to them, in order.
#[derive(Clone, Default)]
struct Ends {
    unpublishable: bool,
    undeletable: bool,
    created_at: Option<Timestamp>,
    unreadable: bool,
    log: Arc<Mutex<Vec<String>>>,
    /// The connections that were opened ahead of need: to SNS, to Scheduler.
    prepared: Arc<Mutex<Vec<(bool, bool)>>>,
}

impl Ends {
    fn record(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Destinations for Ends {
    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        if self.unpublishable {
            return Err(WatchError::new(ErrorType::NotificationFailed, "publish"));
        }
        self.record(format!("publish {}", message.event_id));
        Ok("message-1".into())
    }

    async fn delete_schedule(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        if self.undeletable {
            return Err(WatchError::new(ErrorType::ScheduleNotDeleted, "delete"));
        }
        self.record(format!("delete {}", schedule.name()));
        Ok(())
    }

    async fn prepare(&self, publish: bool, schedule: bool) {
        if publish || schedule {
            self.prepared.lock().unwrap().push((publish, schedule));
        }
    }

    async fn schedule_created_at(&self, _: &ScheduleArn) -> Result<Option<Timestamp>, WatchError> {
        self.record("created?");
        if self.unreadable {
            return Err(WatchError::new(ErrorType::ScheduleNotDeleted, "read"));
        }
        Ok(self.created_at)
    }
}

fn checker(zoho: &Zoho) -> Checker<Store, Zoho> {
    let settings = TokenSettings {
        api_domain: None,
        accounts_domain: None,
        data_center: None,
        request_timeout: Duration::from_secs(1),
        sharing: Sharing::ReadWrite,
        clock: Arc::new(Timestamp::now),
    };
    let tokens = TokenSource::new(Store, zoho.clone(), settings);
    let settings = checker::Settings {
        api_version: "v8".into(),
        request_timeout: Duration::from_secs(1),
        api_host: None,
        clock: Arc::new(Timestamp::now),
    };
    Checker::new(tokens, zoho.clone(), settings)
}

fn limits() -> Limits {
    Limits {
        bounds: Bounds { min_seconds: 10, max_seconds: 900 },
        watch_limit_seconds: DAY,
        notices: Intervals::default(),
    }
}

fn function(zoho: Zoho, ends: Ends) -> Handler<Store, Zoho, Ends> {
    let settings = Settings::default();
    Handler::new(checker(&zoho), ends, settings, limits(), "eu-west-1".into(), Arc::new(Timestamp::now))
}

/// One invocation: the report, or the name of the error.
async fn invoke(function: &Handler<Store, Zoho, Ends>, payload: &Value) -> Result<Value, &'static str> {
    let payload = payload.to_string();
    let deadline = Deadline::after(Duration::from_secs(10));
    let invocation = Invocation { payload: &payload, function_arn: FUNCTION, deadline };
    let report = function.handle(invocation).await.map_err(|error| error.kind().name())?;
    Ok(serde_json::to_value(report).unwrap())
}

fn with(payload: &Value, extra: &Value) -> Value {
    let mut payload = payload.clone();
    payload.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    payload
}

fn ago(seconds: u64) -> Timestamp {
    Timestamp::now().plus_seconds(i64::try_from(seconds).unwrap().saturating_neg())
}

fn job(status: &str) -> Zoho {
    Zoho(200, json!({"data": [{"Status": status}]}).to_string())
}

fn no_permission() -> Zoho {
    Zoho(403, json!({"code": "NO_PERMISSION", "message": "m"}).to_string())
}

fn unavailable() -> Zoho {
    Zoho(503, String::new())
}

#[tokio::test]
async fn how_late_an_announcement_can_be() {
    let last_seen = json!({"first_checked_at": ago(600), "checked_at": ago(60)});
    for (status, extra, is_known) in
        [("COMPLETED", &last_seen, true), ("COMPLETED", &json!({}), false), ("RUNNING", &last_seen, false)]
    {
        let payload = with(&json!({"module": "Leads", "job_id": "1"}), extra).to_string();
        let request = Request::parse(&payload, Timestamp::now(), &Location::default());
        let deadline = Deadline::after(Duration::from_secs(10));
        let invocation = Invocation { payload: &payload, function_arn: FUNCTION, deadline };
        let report = function(job(status), Ends::default()).handle(invocation).await.unwrap();
        let bound = lateness_bound_seconds(&request, &report);
        assert_eq!(bound.is_some_and(|seconds| (60..65).contains(&seconds)), is_known, "{status} {extra}");
        assert_eq!(report.next_check_reason.is_some(), status == "RUNNING", "{status}");
    }
}

#[tokio::test]
async fn a_notice_is_for_the_state_machine_that_asked() {
    let notices = Intervals { still_running: Some(3_600), no_progress: None };
    let at = |checked_at| json!({"module": "Leads", "job_id": "1", "first_checked_at": ago(3_700), "checked_at": checked_at});
    let (due, sent) = (at(ago(200)), at(ago(50)));
    let asked = json!({"announcement": true, "watch": "w"});
    for (case, payload, status, is_noticed) in [
        ("due", with(&due, &asked), "RUNNING", true),
        ("sent at an earlier check", with(&sent, &asked), "RUNNING", false),
        ("the job is finished", with(&due, &asked), "COMPLETED", false),
        ("nobody would send it", due.clone(), "RUNNING", false),
        ("published by the function", with(&due, &json!({"notify": true})), "RUNNING", false),
    ] {
        let ends = Ends::default();
        let function =
            Handler { limits: Limits { notices, ..limits() }, ..function(job(status), ends.clone()) };
        let report = invoke(&function, &payload).await.unwrap();
        assert_eq!(report.get("notice").is_some(), is_noticed, "{case}");
        assert_eq!(ends.log(), [""; 0], "{case}");
        if is_noticed {
            let due_at = ago(100).epoch_seconds();
            let id = report["notice"]["attributes"]["event_id"]["StringValue"].as_str().unwrap();
            assert!((0..5).any(|late| id == format!("Leads-1-STILL_RUNNING-{}-w", due_at - late)), "{id}");
            assert_eq!(report["announcement"], Value::Null);
        }
    }
}

#[test]
fn what_an_error_means_for_a_watch() {
    use ErrorType::*;
    let schedule = Delivery { schedule: Some(ScheduleArn::parse(SCHEDULE).unwrap()), ..Delivery::default() };
    let machine = Delivery { announcement: true, ..Delivery::default() };
    let both = Delivery { announcement: true, ..schedule.clone() };
    let rule = Delivery { notify: true, ..Delivery::default() };
    let fail = Verdict::Fail;
    let failed = Verdict::End(Outcome::WatchFailed);
    let timed_out = Verdict::End(Outcome::WatchTimedOut);
    for error in ErrorType::ALL.iter().copied() {
        let is_configuration = error == InvalidConfiguration;
        let is_permanent = !error.is_retryable();
        for (trigger, delivery, in_time, over) in [
            ("a person", &Delivery::default(), fail, fail),
            ("a rule", &rule, fail, fail),
            (
                "a state machine",
                &machine,
                if is_permanent { failed } else { fail },
                if is_permanent { failed } else { fail },
            ),
            (
                "a schedule",
                &schedule,
                if is_permanent && !is_configuration { failed } else { fail },
                if is_permanent && !is_configuration { failed } else { timed_out },
            ),
            (
                "a schedule with an announcement",
                &both,
                if is_permanent { failed } else { fail },
                if is_permanent { failed } else { timed_out },
            ),
        ] {
            assert_eq!(Verdict::on(error, delivery, false), in_time, "{error}, {trigger}");
            assert_eq!(Verdict::on(error, delivery, true), over, "{error}, {trigger}, past the limit");
        }
    }
    // Retried by the state machine, or by the next invocation of the schedule.
    let retryable =
        [SecretUnavailable, TokenRateLimited, ZohoRateLimited, ZohoUnavailable, NotificationFailed];
    assert!(retryable.into_iter().chain([ScheduleNotDeleted]).all(ErrorType::is_retryable));
}

#[tokio::test(start_paused = true)]
async fn how_a_scheduled_watch_ends() {
    let request = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE});
    let began = ago(DAY + 60);
    let old = json!({"first_checked_at": began});
    let timed_out = format!("publish Leads-1-WATCH_TIMED_OUT-{}", began.epoch_seconds());
    let failed = format!("publish Leads-1-WATCH_FAILED-{}", began.epoch_seconds());
    for (case, zoho, extra, response, steps) in [
        (
            "finished",
            job("COMPLETED"),
            json!({}),
            Ok("SUCCEEDED"),
            vec!["publish Leads-1-SUCCEEDED", "delete watch"],
        ),
        (
            "finished, unwanted message",
            job("FAILED"),
            json!({"notify": false}),
            Ok("FAILED"),
            vec!["delete watch"],
        ),
        (
            "finished late",
            job("FAILED"),
            old.clone(),
            Ok("FAILED"),
            vec!["publish Leads-1-FAILED", "delete watch"],
        ),
        ("running", job("RUNNING"), json!({}), Ok(""), vec!["created?"]),
        (
            "running at the limit",
            job("RUNNING"),
            old.clone(),
            Ok("WATCH_TIMED_OUT"),
            vec![&*timed_out, "delete watch"],
        ),
        (
            "a permanent error",
            no_permission(),
            old.clone(),
            Ok("WATCH_FAILED"),
            vec![&*failed, "delete watch"],
        ),
        (
            "a permanent error, unwanted message",
            no_permission(),
            with(&old, &json!({"notify": false})),
            Ok("WATCH_FAILED"),
            vec![&*failed, "delete watch"],
        ),
        ("an outage", unavailable(), json!({}), Err("ZohoUnavailable"), vec!["created?"]),
        (
            "an outage at the limit",
            unavailable(),
            old.clone(),
            Ok("WATCH_TIMED_OUT"),
            vec![&*timed_out, "delete watch"],
        ),
    ] {
        let ends = Ends::default();
        let result = invoke(&function(zoho, ends.clone()), &with(&request, &extra)).await;
        let outcome =
            result.as_ref().map(|report| report["outcome"].as_str().unwrap_or_default()).map_err(|e| *e);
        assert_eq!(outcome, response, "{case}");
        assert_eq!(ends.log(), steps, "{case}");
        if let Ok(report) = &result {
            assert_eq!(report.get("schedule_deleted").is_some(), !response.unwrap().is_empty(), "{case}");
            let has_error = response == Ok("WATCH_FAILED") || case == "an outage at the limit";
            assert_eq!(report.get("error").is_some(), has_error, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_names_no_start_began_when_it_was_created() {
    let request = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE});
    for (created_at, zoho, response) in [
        (Some(ago(60)), unavailable(), Err("ZohoUnavailable")),
        (Some(ago(DAY + 60)), unavailable(), Ok("WATCH_TIMED_OUT")),
        (Some(ago(DAY + 60)), job("RUNNING"), Ok("WATCH_TIMED_OUT")),
        (None, unavailable(), Err("ZohoUnavailable")),
    ] {
        let ends = Ends { created_at, ..Ends::default() };
        let function = function(zoho, ends.clone());
        let result = invoke(&function, &request).await;
        assert_eq!(
            result.as_ref().map(|report| report["outcome"].as_str().unwrap()).map_err(|e| *e),
            response
        );
        ends.log();
        let _again = invoke(&function, &request).await;
        assert_eq!(ends.log().contains(&"created?".to_owned()), created_at.is_none(), "it is remembered");
    }
}

/// All of them give the end the same ID.
#[tokio::test(start_paused = true)]
async fn clocks_that_are_behind_do_not_change_the_start_of_a_watch() {
    let began = ago(0).plus_seconds(60);
    let failed = format!("publish Leads-1-WATCH_FAILED-{}", began.epoch_seconds());
    for (first_checked_at, created_at) in [(Some(began), None), (None, Some(began))] {
        let ends = Ends { created_at, ..Ends::default() };
        let request = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE,
            "first_checked_at": first_checked_at});
        invoke(&function(no_permission(), ends.clone()), &request).await.unwrap();
        assert!(ends.log().contains(&failed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_start_cannot_be_read_ends_later() {
    let request = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE});
    for (zoho, response, steps) in [
        (no_permission(), Err("PermissionDenied"), vec!["created?"]),
        (job("RUNNING"), Ok(json!(null)), vec!["created?"]),
        (job("FAILED"), Ok(json!("FAILED")), vec!["publish Leads-1-FAILED", "delete watch"]),
    ] {
        let ends = Ends { unreadable: true, ..Ends::default() };
        let result = invoke(&function(zoho, ends.clone()), &request).await;
        assert_eq!(result.map(|report| report["outcome"].clone()), response);
        assert_eq!(ends.log(), steps);
    }
}

#[tokio::test(start_paused = true)]
async fn every_watch_of_one_job_is_announced() {
    let ends = Ends::default();
    let function = function(job("FAILED"), ends.clone());
    for (schedule, began) in [(SCHEDULE, ago(60)), (SCHEDULE, ago(30)), (&format!("{SCHEDULE}-2"), ago(30))] {
        let request =
            json!({"module": "Leads", "job_id": "1", "schedule_arn": schedule, "first_checked_at": began});
        invoke(&function, &request).await.unwrap();
        assert_eq!(ends.log().len(), 2, "{schedule} since {began}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_schedule_of_an_unpublished_end_is_kept() {
    let request =
        json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    for (zoho, error) in [(job("COMPLETED"), "NotificationFailed"), (no_permission(), "PermissionDenied")] {
        let ends = Ends { unpublishable: true, ..Ends::default() };
        assert_eq!(invoke(&function(zoho, ends.clone()), &request).await, Err(error));
        assert_eq!(ends.log(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_is_announced_once_while_its_schedule_cannot_be_deleted() {
    let request =
        json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    for zoho in [job("COMPLETED"), no_permission()] {
        let ends = Ends { undeletable: true, ..Ends::default() };
        let function = function(zoho, ends.clone());
        for _ in 0..3 {
            assert_eq!(invoke(&function, &request).await, Err("ScheduleNotDeleted"));
        }
        assert_eq!(ends.log().len(), 1);
    }
    // A rule invokes without a schedule: its every tick after the end publishes.
    let ends = Ends::default();
    let function = function(job("COMPLETED"), ends.clone());
    for _ in 0..3 {
        let rule = json!({"module": "Leads", "job_id": "1", "notify": true});
        assert_eq!(invoke(&function, &rule).await.unwrap()["notification"]["message_id"], "message-1");
    }
    assert_eq!(ends.log().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn connections_for_the_end_are_opened_ahead_of_need() {
    let nearly = json!({"updated_count": 95, "failed_count": 0, "total_count": 100});
    let schedule = json!({"schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    let event = json!({"notify": true});
    for (zoho, payload, prepared) in [
        (job("RUNNING"), json!({}), vec![]),
        (job("RUNNING"), nearly.clone(), vec![]),
        (job("RUNNING"), schedule.clone(), vec![]),
        (job("RUNNING"), with(&nearly, &event), vec![(true, false)]),
        (job("RUNNING"), with(&nearly, &schedule), vec![(true, true)]),
        (job("COMPLETED"), schedule, vec![(false, true)]),
        (job("COMPLETED"), event, vec![]),
    ] {
        let ends = Ends::default();
        let request = with(&json!({"module": "Leads", "job_id": "1"}), &payload);
        invoke(&function(zoho, ends.clone()), &request).await.unwrap();
        assert_eq!(*ends.prepared.lock().unwrap(), prepared, "{payload}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stray_page_ends_only_a_watch_that_never_worked() {
    let bare = json!({"module": "Leads", "job_id": "1"});
    let scheduled = with(&bare, &json!({"schedule_arn": SCHEDULE}));
    for (payload, extra, response) in [
        (&bare, json!({}), Err("ZohoUnexpectedResponse")),
        (&bare, json!({"checks": 0}), Err("ZohoUnexpectedResponse")),
        (&bare, json!({"checks": 1}), Err("ZohoUnavailable")),
        (&bare, json!({"first_checked_at": ago(3_600)}), Err("ZohoUnexpectedResponse")),
        (&scheduled, json!({}), Ok("WATCH_FAILED")),
        (&scheduled, json!({"first_checked_at": ago(600)}), Ok("WATCH_FAILED")),
        (&scheduled, json!({"first_checked_at": ago(1_000)}), Err("ZohoUnavailable")),
    ] {
        let page = Zoho(200, "<html>maintenance</html>".into());
        let result = invoke(&function(page, Ends::default()), &with(payload, &extra)).await;
        let outcome = result.as_ref().map(|report| report["outcome"].as_str().unwrap()).map_err(|e| *e);
        assert_eq!(outcome, response, "{payload} {extra}");
    }
    // A schedule that names no start: its creation is known from the check before.
    let ends = Ends { created_at: Some(ago(1_000)), ..Ends::default() };
    let mut function = function(unavailable(), ends);
    assert_eq!(invoke(&function, &scheduled).await, Err("ZohoUnavailable"));
    function.checker = checker(&Zoho(200, "<html>".into()));
    assert_eq!(invoke(&function, &scheduled).await, Err("ZohoUnavailable"));
}

#[tokio::test(start_paused = true)]
async fn a_state_machine_gets_every_end_with_its_announcement() {
    let wrapped = json!({"announcement": true, "notify": false, "watch": "Leads-1"});
    let valid = json!({"module": "Leads", "job_id": "1"});
    let failure = json!({"Error": "Lambda.Unknown", "Cause": "The function died."});
    for (case, zoho, payload, outcome, error) in [
        ("running", job("RUNNING"), json!({"request": valid}), json!(null), json!(null)),
        ("finished", job("COMPLETED"), json!({"request": valid}), json!("SUCCEEDED"), json!(null)),
        (
            "permanent",
            no_permission(),
            json!({"request": valid}),
            json!("WATCH_FAILED"),
            json!("PermissionDenied"),
        ),
        ("invalid", job("RUNNING"), json!({"request": "x"}), json!("WATCH_FAILED"), json!("InvalidInput")),
        (
            "caught",
            job("COMPLETED"),
            json!({"request": valid, "failure": failure}),
            json!("WATCH_FAILED"),
            json!("Lambda.Unknown"),
        ),
        (
            "caught about an invalid request",
            job("COMPLETED"),
            json!({"request": 7, "failure": failure}),
            json!("WATCH_FAILED"),
            json!("Lambda.Unknown"),
        ),
    ] {
        let ends = Ends::default();
        let report = invoke(&function(zoho, ends.clone()), &with(&payload, &wrapped)).await.unwrap();
        assert_eq!((&report["outcome"], &report["error"]["type"]), (&outcome, &error), "{case}");
        assert_eq!(report["announcement"].is_null(), outcome.is_null(), "{case}");
        if !outcome.is_null() {
            assert_eq!(report["announcement"]["attributes"]["outcome"]["StringValue"], outcome, "{case}");
        }
        assert_eq!(ends.log(), Vec::<String>::new(), "{case}: the state machine publishes");
    }
    // Whoever reports a failure gets its announcement in any case.
    let failed = json!({"request": valid, "failure": {"Error": "States.Timeout", "Cause": "60 s"}});
    let report = invoke(&function(unavailable(), Ends::default()), &failed).await.unwrap();
    assert_eq!(report["announcement"]["attributes"]["outcome"]["StringValue"], "WATCH_FAILED");
    let retryable = with(&json!({"request": valid}), &wrapped);
    assert_eq!(invoke(&function(unavailable(), Ends::default()), &retryable).await, Err("ZohoUnavailable"));
}

#[test]
fn a_state_machine_hears_of_an_invalid_configuration_too() {
    let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
    let respond = |payload: &Value| {
        let payload = payload.to_string();
        let deadline = Deadline::after(Duration::from_secs(1));
        let invocation = Invocation { payload: &payload, function_arn: FUNCTION, deadline };
        respond_without_configuration(&error, invocation).map(|report| serde_json::to_value(report).unwrap())
    };
    let request = json!({"module": "Leads", "job_id": "1"});
    for extra in [json!({}), json!({"notify": true}), json!({"schedule_arn": SCHEDULE})] {
        assert_eq!(respond(&with(&request, &extra)), Err(error.clone()), "{extra}");
    }
    let report = respond(&json!({"request": request, "announcement": true, "watch": "w"})).unwrap();
    assert_eq!(report["error"]["type"], "InvalidConfiguration");
    assert_eq!(report["announcement"]["attributes"]["event_id"]["StringValue"], "Leads-1-WATCH_FAILED-w");
    let failure = json!({"Error": "States.Timeout", "Cause": ""});
    let report = respond(&json!({"request": request, "failure": failure})).unwrap();
    assert_eq!(report["error"]["type"], "States.Timeout");
    assert!(report["announcement"]["subject"].is_string());
}
