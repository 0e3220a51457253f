use super::*;
use crate::error::ErrorType;
use crate::tests::{FUNCTION, LIMITS, SCHEDULE, ScriptedSecret, ScriptedZoho, ago, at, checker, of, with};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Responses<'a> = &'a [(u16, &'static str)];

const RUNNING: (u16, &str) = (200, r#"{"data":[{"Status":"RUNNING"}]}"#);
const COMPLETED: (u16, &str) = (200, r#"{"data":[{"Status":"COMPLETED"}]}"#);
const FAILED: (u16, &str) = (200, r#"{"data":[{"Status":"FAILED"}]}"#);
const DENIED: (u16, &str) = (403, r#"{"code":"NO_PERMISSION","message":"m"}"#);
const UNAVAILABLE: (u16, &str) = (503, "");
const NONE: (u16, &str) = (204, "");
const ELSEWHERE: (u16, &str) = (404, r#"{"code":null,"message":null}"#);
const PAGE: (u16, &str) = (200, "<html>maintenance</html>");
const DAY: i64 = 86_400;
const OVER: i64 = DAY + 60;

/// What the destinations do, and what happened to them, in order.
#[derive(Clone, Default)]
struct Ends {
    /// The step that fails.
    fails: &'static str,
    /// `None`: there is no such schedule.
    schedule: Arc<Mutex<Option<Schedule>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Ends {
    /// With a schedule that was created so long ago and has this input.
    fn new(fails: &'static str, age: i64, input: &Value) -> Self {
        let ends = Self { fails, ..Self::default() };
        ends.create(age, input);
        ends
    }

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
}

impl Destinations for Ends {
    type Whole = ();

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        self.step("publish", &message.event_id).map(|()| "message-1".into())
    }

    async fn read_schedule(&self, _: &ScheduleArn) -> Result<Option<(Schedule, ())>, WatchError> {
        self.step("read", "")?;
        Ok(self.schedule.lock().unwrap().clone().map(|schedule| (schedule, ())))
    }

    async fn update_schedule(&self, _: &ScheduleArn, (): (), new: ScheduleUpdate) -> Result<(), WatchError> {
        self.step("update", &new.expression)?;
        self.schedule.lock().unwrap().as_mut().unwrap().input = new.input;
        Ok(())
    }

    async fn delete_schedule(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        self.step("delete", &schedule.name)?;
        *self.schedule.lock().unwrap() = None;
        Ok(())
    }

    async fn prepare_scheduler(&self) {
        self.step("prepare", "").unwrap();
    }
}

type TestFunction = Handler<ScriptedSecret, ScriptedZoho, Ends>;

fn function(responses: Responses<'_>, ends: &Ends, limits: Limits) -> (TestFunction, ScriptedZoho) {
    let (checker, zoho) = checker(&["1000.a.token"], responses, None);
    let (settings, region, clock) = (MessageSettings::default(), "eu-west-1", Arc::new(|| at("10:00:00")));
    (Handler::new(checker, ends.clone(), settings, limits, region.into(), clock), zoho)
}

fn invocation(payload: &Value) -> Invocation {
    let deadline = Deadline::after(Duration::from_secs(10));
    Invocation { payload: payload.to_string(), function_arn: FUNCTION.into(), deadline }
}

/// One invocation: the report, or the name of the error.
async fn invoke(function: &TestFunction, payload: &Value) -> Result<Value, &'static str> {
    shown(function.handle(&invocation(payload)).await)
}

fn shown(result: Result<Response, WatchError>) -> Result<Value, &'static str> {
    result.map(|report| serde_json::to_value(report).unwrap()).map_err(|error| error.kind().name())
}

/// The outcome of a result, the name of the error in a report that goes on, or the name of an error.
fn verdict(result: &Result<Value, &'static str>) -> String {
    match result {
        Ok(report) => match (report["outcome"].as_str(), report["error"]["type"].as_str()) {
            (Some(outcome), _) => outcome.to_owned(),
            (None, error) => format!("goes on {}", error.unwrap_or_default()).trim_end().to_owned(),
        },
        Err(name) => format!("error {name}"),
    }
}

/// What became of a watch by a schedule: the result, and the steps in order.
#[tokio::test(start_paused = true)]
async fn how_a_scheduled_watch_ends() {
    let since = |age| json!({"first_checked_at": ago(age)});
    let id = |outcome: &str, age| format!("publish Leads-1-{outcome}-{}-group.watch", ago(age).epoch_seconds());
    let timed_out = &*format!("read, {}, read, delete watch", id("WATCH_TIMED_OUT", OVER));
    let failed = &*format!("{}, read, delete watch", id("WATCH_FAILED", 60));
    let done = "publish Leads-1-SUCCEEDED, read, delete watch";
    let worked = with(&since(60), &json!({"status": "RUNNING"}));
    let quiet = || json!({"notify": false});
    for (zoho, age, extra, expected, steps) in [
        (COMPLETED, 60, json!({}), "SUCCEEDED", done),
        (FAILED, 60, quiet(), "FAILED", "read, delete watch"),
        (RUNNING, 60, since(60), "goes on", ""),
        (RUNNING, 60, json!({}), "goes on", "read"),
        (RUNNING, OVER, since(OVER), "WATCH_TIMED_OUT", timed_out),
        (RUNNING, OVER, json!({}), "WATCH_TIMED_OUT", timed_out),
        // Created a moment after its start.
        (RUNNING, DAY + 30, since(OVER), "WATCH_TIMED_OUT", timed_out),
        // A watch is never older than its schedule: its start was copied.
        (RUNNING, 30, since(3 * DAY), "goes on", "read"),
        (DENIED, 60, since(60), "WATCH_FAILED", failed),
        // Nobody would learn of an end that leaves the job open.
        (DENIED, 60, with(&since(60), &quiet()), "WATCH_FAILED", failed),
        (DENIED, 60, worked, "goes on PermissionDenied", ""),
        (DENIED, 1_000, since(1_000), "goes on PermissionDenied", ""),
        (DENIED, 1_000, json!({}), "goes on PermissionDenied", "read"),
        (UNAVAILABLE, 60, since(60), "goes on ZohoUnavailable", ""),
        (UNAVAILABLE, OVER, since(OVER), "WATCH_TIMED_OUT", timed_out),
        (RUNNING, 60, with(&since(60), &json!({"notify": "x"})), "WATCH_FAILED", failed),
    ] {
        let request = with(&of(&json!({"schedule_arn": SCHEDULE})), &extra);
        let ends = Ends::new("", age, &request);
        let result = invoke(&function(&[zoho], &ends, LIMITS).0, &request).await;
        assert_eq!((verdict(&result).as_str(), ends.log().as_str()), (expected, steps), "{zoho:?} {request}");
        let is_deleted = result.unwrap().get("schedule_deleted").is_some();
        assert_eq!(is_deleted, !expected.starts_with("goes"), "{zoho:?} {request}");
    }
}

/// What fails after the check is the error. An end is told once, and no other after it.
#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_finished() {
    let request = of(&json!({"schedule_arn": SCHEDULE, "first_checked_at": ago(60)}));
    let unstarted = of(&json!({"schedule_arn": SCHEDULE}));
    let end = "publish Leads-1-SUCCEEDED";
    let (read, deleted) = (format!("{end}, read"), format!("{end}, read, delete watch"));
    for (fails, request, responses, expected, first, then) in [
        ("publish", &request, &[COMPLETED][..], "error NotificationFailed", end, end),
        ("read", &unstarted, &[DENIED], "goes on PermissionDenied", "read", "read"),
        ("read", &unstarted, &[RUNNING], "goes on", "read", "read"),
        ("read", &request, &[COMPLETED], "error ScheduleNotDeleted", &*read, "read"),
        ("delete", &request, &[COMPLETED], "error ScheduleNotDeleted", &*deleted, "read, delete watch"),
    ] {
        let ends = Ends::new(fails, 60, request);
        let function = function(responses, &ends, LIMITS).0;
        for steps in [first, then, then] {
            assert_eq!(verdict(&invoke(&function, request).await), expected, "{fails}");
            assert_eq!(ends.log(), steps, "{fails}");
        }
    }
    let ends = Ends::new("delete", 60, &request);
    let (function, _) = function(&[DENIED, COMPLETED], &ends, LIMITS);
    for is_told in [true, false, false] {
        assert_eq!(invoke(&function, &request).await, Err("ScheduleNotDeleted"));
        assert_eq!(ends.log().contains("publish Leads-1-WATCH_FAILED"), is_told);
    }
    // The schedule was created again, or somebody has changed its Input: another watch.
    for (job, input) in [("Leads-1", request.clone()), ("Leads-2", with(&request, &json!({"job_id": "2"})))] {
        ends.create(30, &input);
        assert_eq!(invoke(&function, &input).await, Err("ScheduleNotDeleted"));
        assert!(ends.log().contains(&format!("publish {job}-SUCCEEDED")), "{job}");
    }
}

/// A late event, a schedule of the same name, and a caller's `schedule_arn` neither delete nor silence another watch.
#[tokio::test(start_paused = true)]
async fn schedules_are_known_by_their_watch() {
    let mine = of(&json!({"schedule_arn": SCHEDULE}));
    let others = with(&mine, &json!({"job_id": "2"}));
    let ends = Ends::new("", 60, &others);
    let (function, _) = function(&[COMPLETED], &ends, LIMITS);
    for (request, is_deleted, steps) in [
        (&mine, false, "publish Leads-1-SUCCEEDED, read"),
        (&others, true, "publish Leads-2-SUCCEEDED, read, delete watch"),
        // The schedule is gone: a lost end is worse than a second message with the same ID.
        (&others, true, "publish Leads-2-SUCCEEDED, read"),
    ] {
        assert_eq!(invoke(&function, request).await.unwrap()["schedule_deleted"], is_deleted);
        assert_eq!(ends.log(), steps);
    }
    // Created again: the end of the new watch is told, too.
    ends.create(0, &mine);
    assert_eq!(invoke(&function, &mine).await.unwrap()["schedule_deleted"], true);
    assert_eq!(ends.log(), "publish Leads-1-SUCCEEDED, read, delete watch");
    // A rule invokes without a schedule: its every tick after the end publishes.
    for _ in 0..2 {
        let report = invoke(&function, &of(&json!({"notify": true}))).await.unwrap();
        assert_eq!(report["notification"]["message_id"], "message-1");
        assert_eq!(ends.log(), "publish Leads-1-SUCCEEDED");
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_adapts_follows_the_job() {
    let input = of(&json!({"schedule_arn": SCHEDULE, "adapt": true, "first_checked_at": ago(60)}));
    for (zoho, fails, steps) in [
        (RUNNING, "", "prepare, read, update rate(5 minutes)"),
        (UNAVAILABLE, "", "prepare"),
        (RUNNING, "read", "prepare, read"),
        (RUNNING, "update", "prepare, read, update rate(5 minutes)"),
        (FAILED, "", "prepare, publish Leads-1-FAILED, read, delete watch"),
    ] {
        let ends = Ends::new(fails, 60, &input);
        assert!(invoke(&function(&[zoho], &ends, LIMITS).0, &input).await.is_ok(), "{steps}");
        assert_eq!(ends.log(), steps);
    }
    // The schedule carries the report, so that the watch has worked.
    let ends = Ends::new("", 60, &input);
    let (function, _) = function(&[RUNNING, DENIED], &ends, LIMITS);
    invoke(&function, &input).await.unwrap();
    let carried = ends.schedule.lock().unwrap().as_ref().unwrap().input.clone();
    let result = invoke(&function, &serde_json::from_str(&carried).unwrap()).await;
    assert_eq!(verdict(&result), "goes on PermissionDenied", "{carried}");
}

#[tokio::test(start_paused = true)]
async fn a_notice_goes_to_whoever_sends_it() {
    let notices = Intervals { still_running: Some(3_600), no_progress: None };
    let checked =
        |seconds, extra| with(&of(&json!({"first_checked_at": ago(3_700), "checked_at": ago(seconds)})), &extra);
    let machine = || json!({"announcement": true, "watch": "w"});
    let id = |watch: &str| format!("Leads-1-STILL_RUNNING-{}{watch}", ago(100).epoch_seconds());
    let published = format!("publish {}", id(""));
    for (payload, zoho, in_report, steps) in [
        (checked(200, machine()), RUNNING, Some(id("-w")), ""),
        // Sent at an earlier check; the job is finished; nobody would send it.
        (checked(50, machine()), RUNNING, None, ""),
        (checked(200, machine()), COMPLETED, None, ""),
        (checked(200, json!({})), RUNNING, None, ""),
        (checked(200, json!({"notify": true})), RUNNING, None, &published),
    ] {
        for fails in ["", "publish"] {
            let ends = Ends { fails, ..Ends::default() };
            let (function, _) = function(&[zoho], &ends, Limits { notices, ..LIMITS });
            let report = invoke(&function, &payload).await.unwrap();
            let found = report["notice"]["attributes"]["event_id"]["StringValue"].as_str();
            assert_eq!((found, ends.log().as_str()), (in_report.as_deref(), steps), "{payload}");
        }
    }
}

/// What a program and a state machine get, and after how many requests. A 204 in a watch that has not worked is confirmed
/// by a second one. A web page is a mistake at first, and an outage later.
#[tokio::test(start_paused = true)]
async fn a_report_or_an_error_of_everything() {
    let bare = of(&json!({}));
    let worked = of(&json!({"status": "RUNNING", "checks": 5, "updated_count": 7, "total_count": 9,
        "first_checked_at": ago(800), "checked_at": ago(400), "label": "l", "list": "m"}));
    let old = with(&worked, &json!({"first_checked_at": ago(OVER)}));
    let failure = json!({"failure": {"Error": "Lambda.Unknown", "Cause": "The function died."}});
    let machine = |request: &Value| json!({"request": request, "announcement": true, "watch": "Leads-1"});
    let caught = |request: &Value| with(&machine(request), &failure);
    for (responses, payload, expected, requests) in [
        (&[RUNNING][..], bare.clone(), "goes on", 1),
        (&[NONE, RUNNING], bare.clone(), "goes on", 2),
        (&[NONE], bare.clone(), "error JobNotFound", 2),
        (&[PAGE], bare.clone(), "error ZohoUnexpectedResponse", 3),
        (&[PAGE], worked.clone(), "error ZohoUnavailable", 3),
        (&[RUNNING], machine(&bare), "goes on", 1),
        (&[COMPLETED], machine(&bare), "SUCCEEDED", 1),
        (&[DENIED], machine(&bare), "WATCH_FAILED", 1),
        (&[UNAVAILABLE], machine(&bare), "goes on ZohoUnavailable", 3),
        (&[NONE, RUNNING], machine(&bare), "goes on", 2),
        (&[NONE], machine(&bare), "WATCH_FAILED", 2),
        (&[ELSEWHERE], machine(&bare), "WATCH_FAILED", 1),
        (&[PAGE], machine(&bare), "WATCH_FAILED", 3),
        (&[DENIED], machine(&worked), "goes on PermissionDenied", 1),
        (&[UNAVAILABLE], machine(&worked), "goes on ZohoUnavailable", 3),
        (&[NONE], machine(&worked), "goes on JobNotFound", 1),
        (&[PAGE], machine(&worked), "goes on ZohoUnavailable", 3),
        (&[UNAVAILABLE], machine(&old), "WATCH_TIMED_OUT", 3),
        (&[RUNNING], machine(&old), "WATCH_TIMED_OUT", 1),
        (&[RUNNING], machine(&json!("x")), "WATCH_FAILED", 0),
        (&[COMPLETED], caught(&worked), "WATCH_FAILED", 0),
        (&[COMPLETED], caught(&json!(7)), "WATCH_FAILED", 0),
        // A caller's failure.
        (&[RUNNING], machine(&with(&worked, &failure)), "goes on", 1),
    ] {
        let ends = Ends::default();
        let (function, zoho) = function(responses, &ends, LIMITS);
        let result = invoke(&function, &payload).await;
        let row = format!("{responses:?} {payload}");
        assert_eq!((verdict(&result).as_str(), ends.log().as_str()), (expected, ""), "{row}");
        assert_eq!(zoho.log().matches("GET").count(), requests, "{row}");
        let (Ok(report), Some(request)) = (result, payload.get("request")) else { continue };
        assert_eq!(report["announcement"].is_null(), expected.starts_with("goes on"), "{row}");
        if request.get("status").is_some() && report["error"].is_object() {
            let keys = ["status", "updated_count", "total_count", "checked_at", "label", "list"];
            assert_eq!(keys.map(|key| report[key] == request[key]), [true; 6], "the last known facts: {row}");
            assert_eq!(report["checks"], if requests == 0 { 5 } else { 6 }, "{row}");
        }
    }
}

#[test]
fn what_a_function_without_a_configuration_responds() {
    let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
    let machine = json!({"announcement": true, "watch": "w"});
    let schedule = json!({"schedule_arn": SCHEDULE, "first_checked_at": ago(60)});
    let worked = json!({"status": "RUNNING", "first_checked_at": ago(5 * DAY)});
    let failure = json!({"failure": {"Error": "States.Timeout", "Cause": ""}});
    for (extra, expected) in [
        (json!({"notify": true}), "error InvalidConfiguration"),
        (schedule.clone(), "error InvalidConfiguration"),
        (with(&schedule, &json!({"status": "RUNNING"})), "goes on InvalidConfiguration"),
        (with(&schedule, &worked), "error InvalidConfiguration"),
        (machine.clone(), "WATCH_FAILED"),
        (with(&machine, &worked), "goes on InvalidConfiguration"),
        (with(&machine, &failure), "WATCH_FAILED"),
    ] {
        let result = respond_without_configuration(&error, &invocation(&of(&extra)), at("10:00:00"));
        let result = shown(result);
        assert_eq!(verdict(&result), expected, "{extra}");
        let Ok(report) = result else { continue };
        let id = &report["announcement"]["attributes"]["event_id"]["StringValue"];
        if expected.starts_with("goes on") {
            assert_eq!(report["next_check_seconds"], 3_600, "{extra}");
        } else {
            assert_eq!(id, "Leads-1-WATCH_FAILED-w");
        }
    }
}
