use super::*;
use crate::checker;
use crate::error::ErrorType;
use crate::http::{HttpRequest, HttpResponse, Origin, TransportError};
use crate::token::{Put, Sharing, StoreError, TokenSettings, TokenSource, Version};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use ::http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const SCHEDULE: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/watch";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";
const DAY: u64 = 86_400;

/// A secret with an access token in it.
struct Store;

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        Ok(Version { id: "v".into(), created: Timestamp::from_epoch_seconds(0), text: "1000.a.token".into() })
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

/// Responds to the requests with these statuses and bodies, and to all further ones with the last.
#[derive(Clone)]
struct Zoho(Arc<Mutex<VecDeque<(u16, String)>>>);

impl Zoho {
    fn new(responses: impl IntoIterator<Item = (u16, String)>) -> Self {
        Self(Arc::new(Mutex::new(responses.into_iter().collect())))
    }

    /// These responses first.
    fn after(self, responses: &[(u16, &str)]) -> Self {
        for (status, body) in responses.iter().rev() {
            self.0.lock().unwrap().push_front((*status, (*body).to_owned()));
        }
        self
    }
}

impl HttpClient for Zoho {
    async fn send(&self, _: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let mut responses = self.0.lock().unwrap();
        let (status, body) =
            if responses.len() > 1 { responses.pop_front() } else { responses.front().cloned() }.unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        Ok(HttpResponse { status, headers: HeaderMap::new(), body: body.into_bytes() })
    }

    async fn preconnect(&self, _: &Origin) {}
}

/// What the destinations do, and what happened to them, in order.
#[derive(Clone, Default)]
struct Ends {
    unpublishable: bool,
    undeletable: bool,
    unreadable: bool,
    /// `None`: there is no such schedule.
    schedule: Arc<Mutex<Option<Schedule>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Ends {
    /// With a schedule that was created so long ago and has this input.
    fn with_schedule(age: u64, input: &Value) -> Self {
        let ends = Self::default();
        ends.create(age, input);
        ends
    }

    fn create(&self, age: u64, input: &Value) {
        *self.schedule.lock().unwrap() = Some(Schedule {
            created_at: Some(ago(age)),
            is_enabled: true,
            expression: "rate(5 minutes)".into(),
            target: FUNCTION.into(),
            input: input.to_string(),
            end: None,
        });
    }

    fn record(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Destinations for Ends {
    type Whole = ();

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        if self.unpublishable {
            return Err(WatchError::new(ErrorType::NotificationFailed, "publish"));
        }
        self.record(format!("publish {}", message.event_id));
        Ok("message-1".into())
    }

    async fn read_schedule(&self, _: &ScheduleArn) -> Result<Option<(Schedule, ())>, WatchError> {
        self.record("read");
        if self.unreadable {
            return Err(WatchError::new(ErrorType::ScheduleNotDeleted, "read"));
        }
        Ok(self.schedule.lock().unwrap().clone().map(|schedule| (schedule, ())))
    }

    async fn update_schedule(
        &self,
        _: &ScheduleArn,
        (): (),
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        if self.undeletable {
            return Err(WatchError::new(ErrorType::ScheduleNotDeleted, "update"));
        }
        self.record(format!("update {}", update.expression));
        self.schedule.lock().unwrap().as_mut().unwrap().input = update.input;
        Ok(())
    }

    async fn delete_schedule(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        if self.undeletable {
            return Err(WatchError::new(ErrorType::ScheduleNotDeleted, "delete"));
        }
        self.record(format!("delete {}", schedule.name()));
        *self.schedule.lock().unwrap() = None;
        Ok(())
    }

    async fn prepare_scheduler(&self) {
        self.record("prepare");
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
    let settings = checker::CheckerSettings {
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
    Handler::new(
        checker(&zoho),
        ends,
        MessageSettings::default(),
        limits(),
        "eu-west-1".into(),
        Arc::new(Timestamp::now),
    )
}

/// One invocation: the report, or the name of the error.
async fn invoke(function: &Handler<Store, Zoho, Ends>, payload: &Value) -> Result<Value, &'static str> {
    let payload = payload.to_string();
    let deadline = Deadline::after(Duration::from_secs(10));
    let invocation = Invocation { payload: &payload, function_arn: FUNCTION, deadline };
    let response = function.handle(invocation).await.map_err(|error| error.kind().name())?;
    Ok(serde_json::to_value(response).unwrap())
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
    Zoho::new([(200, json!({"data": [{"Status": status}]}).to_string())])
}

fn no_permission() -> Zoho {
    Zoho::new([(403, json!({"code": "NO_PERMISSION", "message": "m"}).to_string())])
}

fn unavailable() -> Zoho {
    Zoho::new([(503, String::new())])
}

/// The outcome of a result, the name of the error in a report that goes on, or the name of an error.
fn verdict(result: &Result<Value, &'static str>) -> String {
    match result {
        Ok(report) if report["outcome"].is_string() => report["outcome"].as_str().unwrap().to_owned(),
        Ok(report) => {
            format!("goes on {}", report["error"]["type"].as_str().unwrap_or_default()).trim().to_owned()
        }
        Err(name) => format!("error {name}"),
    }
}

/// What became of a watch by a schedule: the result, and the steps in order.
#[tokio::test(start_paused = true)]
async fn how_a_scheduled_watch_ends() {
    let request = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE});
    let since = |age| json!({"first_checked_at": ago(age)});
    let id =
        |outcome: &str, age| format!("publish Leads-1-{outcome}-{}-group.watch", ago(age).epoch_seconds());
    let (timed_out, failed) = (id("WATCH_TIMED_OUT", DAY + 60), id("WATCH_FAILED", 60));
    let success = "publish Leads-1-SUCCEEDED";
    let worked = with(&since(60), &json!({"status": "RUNNING"}));
    for (case, zoho, age, extra, expected, steps) in [
        ("finished", job("COMPLETED"), 60, json!({}), "SUCCEEDED", vec![success, "read", "delete watch"]),
        (
            "finished, unwanted",
            job("FAILED"),
            60,
            json!({"notify": false}),
            "FAILED",
            vec!["read", "delete watch"],
        ),
        ("running", job("RUNNING"), 60, since(60), "goes on", vec![]),
        ("running, no start", job("RUNNING"), 60, json!({}), "goes on", vec!["read"]),
        (
            "running at the limit",
            job("RUNNING"),
            DAY + 60,
            since(DAY + 60),
            "WATCH_TIMED_OUT",
            vec!["read", &*timed_out, "read", "delete watch"],
        ),
        (
            "at the limit by its creation",
            job("RUNNING"),
            DAY + 60,
            json!({}),
            "WATCH_TIMED_OUT",
            vec!["read", &*timed_out, "read", "delete watch"],
        ),
        (
            "created a moment after its start",
            job("RUNNING"),
            DAY + 30,
            since(DAY + 60),
            "WATCH_TIMED_OUT",
            vec!["read", &*timed_out, "read", "delete watch"],
        ),
        // A watch is never older than its schedule.
        ("a start that was copied", job("RUNNING"), 30, since(3 * DAY), "goes on", vec!["read"]),
        (
            "new, permanent error",
            no_permission(),
            60,
            since(60),
            "WATCH_FAILED",
            vec![&*failed, "read", "delete watch"],
        ),
        (
            "new, permanent error, no start",
            no_permission(),
            60,
            json!({"notify": false}),
            "WATCH_FAILED",
            vec!["read", &*failed, "read", "delete watch"],
        ),
        ("worked, permanent error", no_permission(), 60, worked, "goes on PermissionDenied", vec![]),
        ("lasted, permanent error", no_permission(), 1_000, since(1_000), "goes on PermissionDenied", vec![]),
        (
            "lasted by its creation",
            no_permission(),
            1_000,
            json!({}),
            "goes on PermissionDenied",
            vec!["read"],
        ),
        ("an outage", unavailable(), 60, since(60), "goes on ZohoUnavailable", vec![]),
        (
            "an outage at the limit",
            unavailable(),
            DAY + 60,
            since(DAY + 60),
            "WATCH_TIMED_OUT",
            vec!["read", &*timed_out, "read", "delete watch"],
        ),
        (
            "not a valid request",
            job("RUNNING"),
            60,
            with(&since(60), &json!({"notify": "x"})),
            "WATCH_FAILED",
            vec![&*failed, "read", "delete watch"],
        ),
    ] {
        let request = with(&request, &extra);
        let ends = Ends::with_schedule(age, &request);
        let result = invoke(&function(zoho, ends.clone()), &request).await;
        assert_eq!(verdict(&result), expected, "{case}");
        assert_eq!(ends.log(), steps, "{case}");
        if let Ok(report) = result {
            assert_eq!(report.get("schedule_deleted").is_some(), !expected.starts_with("goes"), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_schedule_cannot_be_read_goes_on() {
    let request = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE});
    for (zoho, expected, steps) in [
        (no_permission(), "goes on PermissionDenied", vec!["read"]),
        (job("RUNNING"), "goes on", vec!["read"]),
        (job("FAILED"), "error ScheduleNotDeleted", vec!["publish Leads-1-FAILED", "read"]),
    ] {
        let ends = Ends { unreadable: true, ..Ends::default() };
        let function = function(zoho, ends.clone());
        assert_eq!(verdict(&invoke(&function, &request).await), expected);
        assert_eq!(ends.log(), steps);
        let _again = invoke(&function, &request).await;
        assert!(!ends.log().iter().any(|step| step.starts_with("publish")), "told once");
    }
}

/// A late event, a schedule of the same name, and a caller's `schedule_arn` neither delete nor silence another watch.
#[tokio::test(start_paused = true)]
async fn schedules_are_known_by_their_watch() {
    let mine = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE});
    let others = json!({"module": "Leads", "job_id": "2", "schedule_arn": SCHEDULE});
    let ends = Ends::with_schedule(60, &others);
    let finished = function(job("COMPLETED"), ends.clone());
    let report = invoke(&finished, &mine).await.unwrap();
    assert_eq!((&report["outcome"], &report["schedule_deleted"]), (&json!("SUCCEEDED"), &json!(false)));
    assert_eq!(ends.log(), ["publish Leads-1-SUCCEEDED", "read"]);
    let report = invoke(&finished, &others).await.unwrap();
    assert_eq!(report["schedule_deleted"], true);
    assert_eq!(ends.log(), ["publish Leads-2-SUCCEEDED", "read", "delete watch"]);
    // Created again: the end of the new watch is told, too.
    ends.create(0, &mine);
    assert_eq!(invoke(&finished, &mine).await.unwrap()["schedule_deleted"], true);
    assert_eq!(ends.log(), ["publish Leads-1-SUCCEEDED", "read", "delete watch"]);
    // The schedule is gone: a lost end is worse than a second message with the same ID.
    assert_eq!(invoke(&finished, &mine).await.unwrap()["schedule_deleted"], true);
    assert_eq!(ends.log(), ["publish Leads-1-SUCCEEDED", "read"]);
}

#[tokio::test(start_paused = true)]
async fn one_end_is_announced_while_its_schedule_cannot_be_deleted() {
    let request =
        json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    let ends = Ends { undeletable: true, ..Ends::with_schedule(60, &request) };
    let function = function(job("COMPLETED").after(&[(403, r#"{"code":"NO_PERMISSION"}"#)]), ends.clone());
    for _ in 0..3 {
        assert_eq!(invoke(&function, &request).await, Err("ScheduleNotDeleted"));
    }
    let published: Vec<_> = ends.log().into_iter().filter(|step| step.starts_with("publish")).collect();
    assert_eq!(published.len(), 1, "{published:?}: no other end after it");
    ends.create(30, &request);
    let _created_again = invoke(&function, &request).await;
    assert!(ends.log().contains(&"publish Leads-1-SUCCEEDED".to_owned()));
    // Somebody has changed the Input: the same schedule, but another watch.
    let others = with(&request, &json!({"job_id": "2"}));
    ends.create(30, &others);
    let _changed = invoke(&function, &others).await;
    assert!(ends.log().contains(&"publish Leads-2-SUCCEEDED".to_owned()));
    // A rule invokes without a schedule: its every tick after the end publishes.
    let ends = Ends::default();
    let function = super::tests::function(job("COMPLETED"), ends.clone());
    for _ in 0..3 {
        let rule = json!({"module": "Leads", "job_id": "1", "notify": true});
        assert_eq!(invoke(&function, &rule).await.unwrap()["notification"]["message_id"], "message-1");
    }
    assert_eq!(ends.log().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_schedule_of_an_unpublished_end_is_kept() {
    let request =
        json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    for zoho in [job("COMPLETED"), no_permission()] {
        let ends = Ends { unpublishable: true, ..Ends::with_schedule(60, &request) };
        assert_eq!(invoke(&function(zoho, ends.clone()), &request).await, Err("NotificationFailed"));
        assert_eq!(ends.log(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_adapts_follows_the_job() {
    let input = json!({"module": "Leads", "job_id": "1", "schedule_arn": SCHEDULE, "adapt": true,
        "first_checked_at": ago(60)});
    for (case, zoho, ends, steps) in [
        ("running", job("RUNNING"), Ends::default(), vec!["prepare", "read", "update rate(5 minutes)"]),
        ("failed check", unavailable(), Ends::default(), vec!["prepare"]),
        ("unreadable", job("RUNNING"), Ends { unreadable: true, ..Ends::default() }, vec!["prepare", "read"]),
        ("denied", job("RUNNING"), Ends { undeletable: true, ..Ends::default() }, vec!["prepare", "read"]),
        (
            "finished",
            job("FAILED"),
            Ends::default(),
            vec!["prepare", "publish Leads-1-FAILED", "read", "delete watch"],
        ),
    ] {
        ends.create(60, &input);
        let result = invoke(&function(zoho, ends.clone()), &input).await;
        assert!(result.is_ok(), "{case}");
        assert_eq!(ends.log(), steps, "{case}");
    }
    // The schedule carries the report, so that the watch has worked.
    let ends = Ends::with_schedule(60, &input);
    invoke(&function(job("RUNNING"), ends.clone()), &input).await.unwrap();
    let carried: Value =
        serde_json::from_str(&ends.schedule.lock().unwrap().as_ref().unwrap().input).unwrap();
    assert_eq!((&carried["status"], &carried["checks"]), (&json!("RUNNING"), &json!(1)));
    let result = invoke(&function(no_permission(), ends.clone()), &carried).await;
    assert_eq!(verdict(&result), "goes on PermissionDenied");
}

#[tokio::test(start_paused = true)]
async fn a_notice_goes_to_whoever_sends_it() {
    let notices = Intervals { still_running: Some(3_600), no_progress: None };
    let at = |checked_at| json!({"module": "Leads", "job_id": "1", "first_checked_at": ago(3_700), "checked_at": checked_at});
    let (due, sent) = (at(ago(200)), at(ago(50)));
    let asked = json!({"announcement": true, "watch": "w"});
    let id = |watch: &str| format!("Leads-1-STILL_RUNNING-{}{watch}", ago(100).epoch_seconds());
    let published = format!("publish {}", id(""));
    for (case, payload, status, in_report, steps) in [
        ("due", with(&due, &asked), "RUNNING", Some(id("-w")), vec![]),
        ("sent at an earlier check", with(&sent, &asked), "RUNNING", None, vec![]),
        ("the job is finished", with(&due, &asked), "COMPLETED", None, vec![]),
        ("nobody would send it", due.clone(), "RUNNING", None, vec![]),
        (
            "published by the function",
            with(&due, &json!({"notify": true})),
            "RUNNING",
            None,
            vec![&*published],
        ),
    ] {
        for unpublishable in [false, true] {
            let ends = Ends { unpublishable, ..Ends::default() };
            let mut function = function(job(status), ends.clone());
            let limits = Limits { notices, ..limits() };
            function.limits = limits;
            function.courier =
                Courier::new(ends.clone(), MessageSettings::default(), limits, Arc::new(Timestamp::now));
            let report = invoke(&function, &payload).await.unwrap();
            let found = report["notice"]["attributes"]["event_id"]["StringValue"].as_str().map(str::to_owned);
            assert_eq!(found, in_report, "{case}");
            assert_eq!(ends.log(), if unpublishable { vec![] } else { steps.clone() }, "{case}");
        }
    }
}

/// A 204 in a watch that has not worked is confirmed by a second request.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_just_started() {
    let bare = json!({"module": "Leads", "job_id": "1"});
    let machine = with(&bare, &json!({"announcement": true}));
    let worked = with(&machine, &json!({"status": "RUNNING"}));
    for (case, payload, responses, expected, left) in [
        ("found at once", &machine, &[][..], "goes on", 1),
        ("found two seconds later", &machine, &[(204, "")][..], "goes on", 1),
        ("not found", &machine, &[(204, ""), (204, "")], "WATCH_FAILED", 1),
        ("not found by a program", &bare, &[(204, ""), (204, "")], "error JobNotFound", 1),
        ("found by a program", &bare, &[(204, "")], "goes on", 1),
        ("a watch that has worked", &worked, &[(204, "")], "goes on JobNotFound", 1),
        ("another module", &machine, &[(404, r#"{"code": null, "message": null}"#)], "WATCH_FAILED", 1),
    ] {
        let zoho = job("RUNNING").after(responses);
        let result = invoke(&function(zoho.clone(), Ends::default()), payload).await;
        assert_eq!(verdict(&result), expected, "{case}");
        assert_eq!(zoho.0.lock().unwrap().len(), left, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_web_page_is_a_mistake_at_first_and_an_outage_later() {
    let bare = json!({"module": "Leads", "job_id": "1"});
    let machine = json!({"announcement": true});
    let worked = json!({"status": "RUNNING", "checked_at": ago(400)});
    for (payload, expected) in [
        (bare.clone(), "error ZohoUnexpectedResponse"),
        (with(&bare, &worked), "error ZohoUnavailable"),
        (with(&bare, &machine), "WATCH_FAILED"),
        (with(&with(&bare, &machine), &worked), "goes on ZohoUnavailable"),
    ] {
        let page = Zoho::new([(200, "<html>maintenance</html>".into())]);
        assert_eq!(verdict(&invoke(&function(page, Ends::default()), &payload).await), expected, "{payload}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_machine_gets_a_report_of_everything() {
    let wrapped = json!({"announcement": true, "notify": false, "watch": "Leads-1"});
    let valid = json!({"module": "Leads", "job_id": "1"});
    let worked = with(
        &valid,
        &json!({"status": "RUNNING", "checks": 5, "updated_count": 7, "total_count": 9,
        "first_checked_at": ago(800), "checked_at": ago(400), "label": "l", "list": "m"}),
    );
    let old = with(&worked, &json!({"first_checked_at": ago(DAY + 60)}));
    let failure = json!({"Error": "Lambda.Unknown", "Cause": "The function died."});
    let inside = with(&worked, &json!({"failure": failure}));
    for (case, zoho, payload, expected) in [
        ("running", job("RUNNING"), json!({"request": valid}), "goes on"),
        ("finished", job("COMPLETED"), json!({"request": valid}), "SUCCEEDED"),
        ("new, permanent", no_permission(), json!({"request": valid}), "WATCH_FAILED"),
        ("new, outage", unavailable(), json!({"request": valid}), "goes on ZohoUnavailable"),
        ("worked, permanent", no_permission(), json!({"request": worked}), "goes on PermissionDenied"),
        ("worked, outage", unavailable(), json!({"request": worked}), "goes on ZohoUnavailable"),
        ("limit, outage", unavailable(), json!({"request": old}), "WATCH_TIMED_OUT"),
        ("limit, running", job("RUNNING"), json!({"request": old}), "WATCH_TIMED_OUT"),
        ("invalid", job("RUNNING"), json!({"request": "x"}), "WATCH_FAILED"),
        ("caught", job("COMPLETED"), json!({"request": worked, "failure": failure}), "WATCH_FAILED"),
        ("caught, invalid", job("COMPLETED"), json!({"request": 7, "failure": failure}), "WATCH_FAILED"),
        ("a caller's failure", job("RUNNING"), json!({"request": inside}), "goes on"),
    ] {
        let ends = Ends::default();
        let result = invoke(&function(zoho, ends.clone()), &with(&payload, &wrapped)).await;
        assert_eq!(verdict(&result), expected, "{case}");
        let report = result.unwrap();
        assert_eq!(report["announcement"].is_null(), expected.starts_with("goes on"), "{case}");
        assert_eq!(ends.log(), Vec::<String>::new(), "{case}: the state machine publishes");
        if payload["request"].get("status").is_some() && report["error"].is_object() {
            let known = ["status", "updated_count", "total_count", "checked_at", "label", "list"]
                .map(|key| report[key] == payload["request"][key]);
            assert_eq!(known, [true; 6], "{case}: the last known facts: {report}");
            assert_eq!(report["checks"], if case.starts_with("caught") { 5 } else { 6 }, "{case}");
        }
        if expected.starts_with("goes on ") && case.starts_with("worked") {
            let wait = report["next_check_seconds"].as_u64().unwrap();
            assert!((100..=121).contains(&wait), "{case}: a quarter of 400 s, and a fifth more: {wait}");
        }
    }
}

#[test]
fn what_a_function_without_a_configuration_responds() {
    let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
    let respond = |payload: &Value| {
        let payload = payload.to_string();
        let deadline = Deadline::after(Duration::from_secs(1));
        let invocation = Invocation { payload: &payload, function_arn: FUNCTION, deadline };
        let response = respond_without_configuration(&error, invocation, Timestamp::now());
        response.map(|response| serde_json::to_value(response).unwrap()).map_err(|error| error.kind().name())
    };
    let job = json!({"module": "Leads", "job_id": "1"});
    let machine = json!({"announcement": true, "watch": "w"});
    let schedule = json!({"schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    let worked = json!({"status": "RUNNING", "first_checked_at": ago(5 * DAY)});
    let failure = json!({"failure": {"Error": "States.Timeout", "Cause": ""}});
    for (case, extra, expected) in [
        ("a person", json!({}), "error InvalidConfiguration"),
        ("a rule", json!({"notify": true}), "error InvalidConfiguration"),
        ("a new schedule", schedule.clone(), "error InvalidConfiguration"),
        (
            "a schedule that worked",
            with(&schedule, &json!({"status": "RUNNING"})),
            "goes on InvalidConfiguration",
        ),
        ("a schedule at its limit", with(&schedule, &worked), "error InvalidConfiguration"),
        ("a new state machine", machine.clone(), "WATCH_FAILED"),
        ("a state machine that worked", with(&machine, &worked), "goes on InvalidConfiguration"),
        ("a failure", with(&machine, &failure), "WATCH_FAILED"),
    ] {
        let result = respond(&with(&job, &extra));
        assert_eq!(verdict(&result), expected, "{case}");
        if expected.starts_with("goes on") {
            assert_eq!(result.unwrap()["next_check_seconds"], 3_600, "{case}");
        } else if let Ok(report) = result {
            assert_eq!(
                report["announcement"]["attributes"]["event_id"]["StringValue"],
                "Leads-1-WATCH_FAILED-w"
            );
        }
    }
}
