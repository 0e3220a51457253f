use super::*;
use crate::http::{HttpRequest, HttpResponse, TransportError};
use crate::tests::{FUNCTION, LIMITS, SCHEDULE, ago, at, of, with};
use crate::token::{Put, Sharing, StoreError, TokenSource, Version};
use crate::watch::message::Message;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use crate::{arn::ScheduleArn, timestamp::Clock, zoho::ZohoSettings};
use ::http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const RUNNING: (u16, &str) = (200, r#"{"data":[{"Status":"RUNNING"}]}"#);
const COMPLETED: (u16, &str) = (200, r#"{"data":[{"Status":"COMPLETED"}]}"#);
const DENIED: (u16, &str) = (403, r#"{"code":"NO_PERMISSION","message":"m"}"#);
const UNAVAILABLE: (u16, &str) = (503, "");
const NONE: (u16, &str) = (204, "");
const DAY: i64 = 86_400;
const OVER: i64 = DAY + 60;

/// Zoho and AWS: what they respond, and what happened to them, in order.
#[derive(Clone, Default)]
struct Services {
    /// Zoho's responses: the last one is repeated.
    zoho: Vec<(u16, &'static str)>,
    requests: Arc<AtomicUsize>,
    /// The step that fails.
    fails: &'static str,
    /// `None`: there is no such schedule.
    schedule: Arc<Mutex<Option<Schedule>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Services {
    fn new(zoho: &[(u16, &'static str)], fails: &'static str) -> Self {
        Self { zoho: zoho.to_vec(), fails, ..Self::default() }
    }

    /// With a schedule that was created so long ago and has this input.
    fn create(&self, age: i64, input: &Value) {
        *self.schedule.lock().unwrap() = Some(Schedule {
            created_at: Some(ago(age)),
            is_enabled: true,
            expression: "rate(5 minutes)".into(),
            target: FUNCTION.into(),
            input: input.to_string(),
            end: None,
        });
    }

    fn step(&self, step: &str, detail: &str) -> Result<(), WatchError> {
        self.log.lock().unwrap().push(format!("{step} {detail}").trim_end().to_owned());
        let kind = if step == "publish" { ErrorType::NotificationFailed } else { ErrorType::ScheduleNotDeleted };
        if self.fails == step { Err(WatchError::new(kind, step)) } else { Ok(()) }
    }

    fn log(&self) -> String {
        std::mem::take(&mut *self.log.lock().unwrap()).join(", ")
    }

    fn function(&self) -> Handler<Self, Self, Self> {
        let clock: Clock = Arc::new(|| ago(0));
        let (secret, zoho) = (self.clone(), self.clone());
        let tokens = TokenSource::new(secret, zoho, ZohoSettings::default(), Sharing::ReadWrite, clock.clone());
        let limits = Limits { notices: Intervals { still_running: Some(3_600), no_progress: None }, ..LIMITS };
        let courier = Courier::new(self.clone(), limits, clock);
        Handler::new(Checker::new(tokens), courier, MessageSettings::default(), "eu-west-1".into())
    }
}

impl SecretStore for Services {
    async fn current(&self) -> Result<Version, StoreError> {
        Ok(Version { id: "1".into(), created: ago(DAY), text: "1000.a.token".into() })
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

impl HttpClient for Services {
    async fn send(&self, _: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let (status, body) = *self.zoho.get(number).or(self.zoho.last()).unwrap();
        Ok(HttpResponse { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: body.into() })
    }
}

impl Destinations for Services {
    type Whole = ();

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        self.step("publish", &message.event_id).map(|()| "message-1".into())
    }

    async fn read_schedule(&self, _: &ScheduleArn) -> Result<Option<(Schedule, ())>, WatchError> {
        self.step("read", "")?;
        Ok(self.schedule.lock().unwrap().clone().map(|schedule| (schedule, ())))
    }

    async fn update_schedule(&self, _: &ScheduleArn, (): (), new: ScheduleUpdate) -> Result<(), WatchError> {
        self.step("update", &new.expression)
    }

    async fn delete_schedule(&self, _: &ScheduleArn) -> Result<(), WatchError> {
        self.step("delete", "")?;
        *self.schedule.lock().unwrap() = None;
        Ok(())
    }

    async fn prepare_scheduler(&self) {
        self.step("prepare", "").unwrap();
    }
}

fn invocation(payload: &Value) -> Invocation {
    let deadline = Deadline::after(Duration::from_secs(10));
    Invocation { payload: payload.to_string(), function_arn: FUNCTION.into(), deadline }
}

async fn invoke(function: &Handler<Services, Services, Services>, payload: &Value) -> String {
    words(function.handle(&invocation(payload)).await)
}

/// A response in a few words: the outcome, the error, the ID of the notice, and what became of the end.
fn words(result: Result<Response, WatchError>) -> String {
    let report = match result {
        Ok(report) => serde_json::to_value(report).unwrap(),
        Err(error) => return format!("error {}", error.kind),
    };
    let text = |pointer| report.pointer(pointer).and_then(Value::as_str);
    let deleted = report.get("schedule_deleted").map(|deleted| if *deleted == true { "deleted" } else { "kept" });
    let words = [
        Some(text("/outcome").unwrap_or("goes on")),
        text("/error/type"),
        text("/notice/attributes/event_id/StringValue"),
        text("/announcement/subject").map(|_| "announced"),
        text("/notification/message_id").map(|_| "published"),
        deleted,
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What becomes of a watch by a schedule: the response, and the steps in order.
#[tokio::test(start_paused = true)]
async fn watches_by_schedules() {
    let since = |age| json!({"first_checked_at": ago(age)});
    let id = |outcome: &str, age| format!("publish Leads-1-{outcome}-{}-group.watch", ago(age).epoch_seconds());
    let timed_out = &*format!("read, {}, read, delete", id("WATCH_TIMED_OUT", OVER));
    let late = &*format!("read, {}, read", id("WATCH_TIMED_OUT", OVER));
    let [invalidated, failed] = ["", "read, "].map(|read| format!("{read}{}, read, delete", id("WATCH_FAILED", 60)));
    let notice = &*id("STILL_RUNNING", 100);
    let done = "publish Leads-1-SUCCEEDED, read, delete";
    let noticed = with(&since(3_700), &json!({"checked_at": ago(200)}));
    let quiet = |age| with(&since(age), &json!({"notify": false}));
    let invalid = with(&since(60), &json!({"notify": 1}));
    let known = |age, input: Value| with(&since(age), &json!({"input": input}));
    let adapts = || json!({"adapt": true, "first_checked_at": ago(60)});
    for (zoho, fails, age, extra, expected, steps) in [
        (COMPLETED, "", 60, json!({}), "SUCCEEDED published deleted", done),
        (COMPLETED, "", 60, quiet(60), "SUCCEEDED deleted", "read, delete"),
        (RUNNING, "", 60, since(60), "goes on", ""),
        (RUNNING, "", 60, json!({}), "goes on", "read"),
        (RUNNING, "", OVER, json!({}), "WATCH_TIMED_OUT published deleted", timed_out),
        // Created a moment after its start.
        (RUNNING, "", DAY + 30, since(OVER), "WATCH_TIMED_OUT published deleted", timed_out),
        // A watch is never older than its schedule: its start was copied.
        (RUNNING, "", 30, since(3 * DAY), "goes on", "read"),
        // Nobody would learn of an end that leaves the job open.
        (DENIED, "", 60, quiet(60), "WATCH_FAILED PermissionDenied published deleted", &*failed),
        (RUNNING, "", 60, invalid, "WATCH_FAILED InvalidInput published deleted", &*invalidated),
        // An event that comes twice knows less than its schedule, and a late one is not of the watch that has its name now.
        (DENIED, "", 60, known(60, json!({"status": "RUNNING"})), "goes on PermissionDenied", "read"),
        (DENIED, "", 30, known(OVER, since(30)), "WATCH_TIMED_OUT PermissionDenied published kept", late),
        // A start that was long ago speaks for the watch, whatever the age of the schedule.
        (DENIED, "", 60, since(3_600), "goes on PermissionDenied", ""),
        // The start is not known.
        (DENIED, "read", 60, json!({}), "goes on PermissionDenied", "read"),
        // What fails after the check is the error.
        (COMPLETED, "publish", 60, since(60), "error NotificationFailed", "publish Leads-1-SUCCEEDED"),
        (RUNNING, "", 60, adapts(), "goes on", "prepare, read, update rate(5 minutes)"),
        (RUNNING, "read", 60, adapts(), "goes on", "prepare, read"),
        (RUNNING, "update", 60, adapts(), "goes on", "prepare, read, update rate(5 minutes)"),
        (UNAVAILABLE, "", 60, adapts(), "goes on ZohoUnavailable", "prepare"),
        (RUNNING, "", 3_700, noticed.clone(), "goes on", notice),
        (RUNNING, "publish", 3_700, noticed, "goes on", notice),
    ] {
        let request = with(&of(&json!({"schedule_arn": SCHEDULE})), &extra);
        let services = Services::new(&[zoho], fails);
        services.create(age, &with(&request, request.get("input").unwrap_or(&json!({}))));
        let result = invoke(&services.function(), &request).await;
        assert_eq!((&*result, &*services.log()), (expected, steps), "{zoho:?} {fails} {request}");
    }
}

/// While its schedule cannot be deleted, an end is told once, and no other after it.
#[tokio::test(start_paused = true)]
async fn an_end_is_told_once() {
    let mine = of(&json!({"schedule_arn": SCHEDULE, "first_checked_at": ago(60)}));
    let others = with(&mine, &json!({"job_id": "2"}));
    for (fails, responses, then) in [
        ("delete", &[COMPLETED][..], "read, read, delete"),
        ("delete", &[DENIED, COMPLETED], "read, read, delete"),
        ("read", &[COMPLETED, DENIED], "read, read, read"),
        // Nobody knows whether it is the same watch: a lost end is worse than two.
        ("read", &[DENIED, COMPLETED], "read, publish Leads-1-SUCCEEDED, read"),
    ] {
        let services = Services::new(responses, fails);
        services.create(60, &mine);
        let function = services.function();
        assert_eq!(invoke(&function, &mine).await, "error ScheduleNotDeleted");
        assert!(services.log().contains("publish "), "{fails} {responses:?}");
        assert_eq!(invoke(&function, &mine).await, "error ScheduleNotDeleted");
        assert_eq!(services.log(), then, "{fails} {responses:?}");
        // Created again, or for another job: another watch.
        let again = [(&mine, "read, publish Leads-1-SUCCEEDED, "), (&others, "publish Leads-2-SUCCEEDED, ")];
        for (watch, steps) in again.into_iter().filter(|_| fails == "delete") {
            services.create(30, watch);
            assert_eq!(invoke(&function, watch).await, "error ScheduleNotDeleted");
            assert_eq!(services.log(), format!("{steps}read, delete"));
        }
    }
    // A late event and a caller's `schedule_arn` do not delete the schedule of another watch. One that is gone is deleted.
    let services = Services::new(&[COMPLETED], "");
    services.create(60, &others);
    let function = services.function();
    for (request, expected) in [(&mine, "kept"), (&others, "deleted"), (&others, "deleted")] {
        assert_eq!(invoke(&function, request).await, format!("SUCCEEDED published {expected}"));
    }
}

/// What everybody else gets, and after how many requests to Zoho. tests/e2e/test_triggers.py has each trigger.
#[tokio::test(start_paused = true)]
async fn other_callers() {
    let bare = of(&json!({}));
    let worked = with(&bare, &json!({"status": "RUNNING", "first_checked_at": ago(800), "checked_at": ago(400)}));
    let noticed = with(&worked, &json!({"first_checked_at": ago(3_700), "checked_at": ago(200)}));
    let id = format!("Leads-1-STILL_RUNNING-{}", ago(100).epoch_seconds());
    let (published, announced) = (&*format!("publish {id}"), &*format!("goes on {id}-w"));
    let machine = |request: &Value| json!({"request": request, "announcement": true, "watch": "w"});
    let event = |request: &Value| with(request, &json!({"notify": true}));
    for (responses, payload, expected, requests, steps) in [
        (&[UNAVAILABLE][..], worked.clone(), "error ZohoUnavailable", 3, ""),
        // A 204 in a watch that has not worked is confirmed.
        (&[NONE, RUNNING], bare.clone(), "goes on", 2, ""),
        (&[NONE], bare.clone(), "error JobNotFound", 2, ""),
        (&[NONE], machine(&worked), "goes on JobNotFound", 1, ""),
        (&[COMPLETED], machine(&bare), "SUCCEEDED announced", 1, ""),
        (&[COMPLETED], event(&bare), "SUCCEEDED published", 1, "publish Leads-1-SUCCEEDED"),
        (&[RUNNING], event(&noticed), "goes on", 1, published),
        (&[RUNNING], machine(&noticed), announced, 1, ""),
        (&[RUNNING], noticed, "goes on", 1, ""),
    ] {
        let services = Services::new(responses, "");
        let result = invoke(&services.function(), &payload).await;
        assert_eq!((&*result, &*services.log()), (expected, steps), "{responses:?} {payload}");
        assert_eq!(services.requests.load(Ordering::Relaxed), requests, "{responses:?} {payload}");
    }
}

/// The rule has its table in watch::rule. Here: which error, which limit, and how long to wait.
#[test]
fn what_a_function_without_a_configuration_responds() {
    let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
    let machine = json!({"announcement": true, "watch": "w"});
    let worked = |age| json!({"status": "RUNNING", "first_checked_at": ago(age), "schedule_arn": SCHEDULE});
    let failure = json!({"failure": {"Error": "States.Timeout", "Cause": ""}});
    for (extra, expected) in [
        (worked(OVER), "error InvalidConfiguration"),
        (worked(60), "goes on InvalidConfiguration"),
        (with(&machine, &worked(5 * DAY)), "goes on InvalidConfiguration"),
        (with(&machine, &json!({"job_id": 1})), "WATCH_FAILED InvalidInput announced"),
        (with(&machine, &failure), "WATCH_FAILED States.Timeout announced"),
    ] {
        let result = respond_without_configuration(&error, &invocation(&of(&extra)), at("10:00:00"));
        let wait = result.as_ref().ok().and_then(|response| response.report.next_check_seconds());
        assert_eq!(wait, expected.starts_with("goes on").then_some(3_600), "{extra}");
        assert_eq!(words(result), expected, "{extra}");
    }
}
