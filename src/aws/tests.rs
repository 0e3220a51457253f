//! The adapters over the SDK's own clients, with canned HTTP responses: what is sent, what counts as success, how often a
//! request is sent, and what an error becomes.

use super::http::set_trace;
use super::sdk::testing::{ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, sdk, sdk_at};
use crate::error::WatchError;
use crate::http::{NoResponse, Stage, TransportError};
use crate::timestamp::Timestamp;
use crate::token::{Put, SecretStore, StoreError};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use crate::watch::schedule::ScheduleUpdate;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::HeaderValue;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:zoho-status";
const SCHEDULE: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/Leads-1";

/// A status and a body, or why there is no response.
type Reply = Result<(u16, String), NoResponse>;

fn error(status: u16, code: &str, message: &str) -> Reply {
    Ok((status, json!({"__type": code, "message": message}).to_string()))
}

/// As SNS writes them.
fn xml(status: u16, code: &str, message: &str) -> Reply {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Ok((status, format!("<ErrorResponse>{error}</ErrorResponse>")))
}

fn body(text: &str) -> Reply {
    Ok((200, text.to_owned()))
}

/// Replies in this order, the last one again and again. Keeps the URL and the body of each request.
#[derive(Debug, Clone)]
struct Canned {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    sent: Arc<Mutex<Vec<(String, String)>>>,
}

impl Canned {
    fn new(replies: &[Reply]) -> Self {
        Self { replies: Arc::new(Mutex::new(replies.to_vec().into())), sent: Arc::default() }
    }

    fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    fn attempts(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    fn last(&self) -> (String, String) {
        self.sent.lock().unwrap().last().unwrap().clone()
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        self.sent.lock().unwrap().push((request.uri().to_owned(), body));
        let mut replies = self.replies.lock().unwrap();
        let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
        HttpConnectorFuture::ready(match reply.unwrap() {
            Ok((status, body)) => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
            Err(reason) => {
                let mut error = TransportError::new(Stage::Connecting, "connecting failed");
                error.reason = reason;
                Err(ConnectorError::io(error.into()))
            }
        })
    }
}

fn message() -> Message {
    Message {
        subject: "subject".into(),
        body: r#"{"default": "report"}"#.into(),
        attributes: vec![("module", "Leads".into()), ("event_id", "Leads-1-SUCCEEDED".into())],
        event_id: "Leads-1-SUCCEEDED".into(),
        group_id: "Leads-1".into(),
    }
}

/// What the caller gets, in one word, and the message.
type Told = (&'static str, String);

fn of_store(error: StoreError) -> Told {
    let kind = match &error {
        StoreError::Denied(_) => "Denied",
        StoreError::Throttled(_) => "Throttled",
        StoreError::Unavailable(_) => "Unavailable",
    };
    (kind, error.message().to_owned())
}

fn of_watch(error: WatchError) -> Told {
    (error.kind().name(), error.message().to_owned())
}

/// One operation against these replies.
async fn run(operation: &str, replies: &[Reply]) -> (Told, Canned) {
    let canned = Canned::new(replies);
    let sdk = sdk(canned.client(), true);
    let arn = ScheduleArn::parse(SCHEDULE, &Default::default()).unwrap();
    let (secret, scheduler) = (sdk.secret("prod/zoho".into()), sdk.scheduler());
    let outcome = match operation {
        "current" => secret.current().await.map(|_| "found").map_err(of_store),
        "labeled" => {
            let read = secret.labeled("ZOHO_ACCESS_TOKEN").await;
            read.map(|version| version.map_or("none", |_| "found")).map_err(of_store)
        }
        "put" => {
            let put = secret.put("id-1", "ZOHO_ACCESS_TOKEN", &"text".into()).await;
            put.map(|put| if put == Put::Done { "done" } else { "taken" }).map_err(of_store)
        }
        "publish" => sdk.topic(TOPIC.into()).publish(&message()).await.map(|_| "published").map_err(of_watch),
        "delete" => scheduler.delete(&arn).await.map(|()| "deleted").map_err(of_watch),
        "read" => scheduler.read(&arn).await.map(|read| read.map_or("none", |_| "read")).map_err(of_watch),
        _ => {
            let read = scheduler.read(&arn).await.unwrap().unwrap().1;
            let start = Timestamp::from_epoch_seconds(1_795_428_600);
            let update = ScheduleUpdate { start, expression: "rate(7 minutes)".into(), input: "new".into() };
            scheduler.update(&arn, read, update).await.map(|()| "updated").map_err(of_watch)
        }
    };
    (outcome.map_or_else(|error| error, |success| (success, String::new())), canned)
}

const SECRET: &str =
    r#"{"SecretString": "text", "VersionId": "id-1", "VersionStages": ["AWSCURRENT"], "CreatedDate": 1795428000.0}"#;
const PUBLISHED: &str = "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
const READ: &str = r#"{"CreationDate": 1795428000.5, "State": "ENABLED", "ScheduleExpression": "rate(5 minutes)",
    "ScheduleExpressionTimezone": "Asia/Tokyo", "EndDate": 1795600000.0, "Description": "d", "KmsKeyArn": "k",
    "ActionAfterCompletion": "DELETE", "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 3},
    "Target": {"Arn": "a", "RoleArn": "r", "Input": "old", "DeadLetterConfig": {"Arn": "q"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1}}}"#;
const PAGE: &str = "<!DOCTYPE html><html><body>Sign in</body></html>";

#[tokio::test(start_paused = true)]
async fn what_a_response_becomes_and_how_often_the_request_is_sent() {
    let page = |status| vec![Ok((status, PAGE.to_owned()))];
    let none = |reason| vec![Err(reason)];
    let json = |status, code| vec![error(status, code, "the reason")];
    let said = |code, message| vec![error(400, code, message)];
    let sns = |status, code| vec![xml(status, code, "the reason")];
    let then = |first: Vec<Reply>, second: &str| [first, vec![body(second)]].concat();
    let read_then = |reply: Vec<Reply>| [vec![body(READ)], reply].concat();
    let no_value = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
    let is_empty = || said("ResourceNotFoundException", no_value);
    let replica = "Operation not permitted on a replica secret. Call must be made in primary secret's region.";
    let deleted = "You can't perform this operation on the secret because it was marked for deletion.";
    let command = "put-secret-value --secret-id prod/zoho --secret-string file://secret.json";
    let role = vec![error(403, "AccessDeniedException", "not authorized to perform: iam:PassRole on …")];
    let (denied, undecided) = ("Denied", "Unavailable");
    let (unpublished, undeleted) = ("NotificationFailed", "ScheduleNotDeleted");
    for (operation, replies, expected, attempts, part) in [
        // What AWS says about the secret.
        ("current", vec![body(SECRET)], "found", 1, ""),
        ("current", json(400, "ResourceNotFoundException"), denied, 1, "exists in Region eu-west-1"),
        ("current", is_empty(), denied, 1, "it is empty, because no value was stored yet"),
        ("current", is_empty(), denied, 1, command),
        ("current", said("InvalidRequestException", deleted), denied, 1, "marked for deletion"),
        ("current", vec![body(r#"{"SecretBinary": "eA=="}"#)], denied, 1, "it holds binary data"),
        ("current", json(400, "AccessDeniedException"), denied, 1, "secretsmanager:GetSecretValue on the"),
        ("current", said("AccessDeniedException", "Access to KMS is not allowed"), denied, 1, "kms:Decrypt"),
        ("current", json(400, "DecryptionFailure"), denied, 1, "role kms:Decrypt on the KMS key"),
        ("labeled", vec![body(SECRET)], "none", 1, ""),
        ("labeled", json(400, "ResourceNotFoundException"), "none", 1, ""),
        ("put", vec![body(r#"{"VersionId": "id-1"}"#)], "done", 1, ""),
        ("put", json(400, "ResourceExistsException"), "taken", 1, ""),
        ("put", said("InvalidParameterException", replica), denied, 1, "it is a replica"),
        ("put", json(400, "AccessDeniedException"), denied, 1, "secretsmanager:PutSecretValue"),
        ("put", json(400, "LimitExceededException"), denied, 3, "what else writes to the secret"),
        // Everything else says nothing about it.
        ("current", json(400, "ExpiredTokenException"), undecided, 1, "AWS_SESSION_TOKEN"),
        ("current", json(403, "InvalidSignatureException"), undecided, 1, "the function's execution role"),
        ("current", json(400, "SomethingNew"), undecided, 1, r#"(HTTP 400 SomethingNew "the reason")"#),
        ("current", json(403, "SomethingNew"), undecided, 1, "role secretsmanager:GetSecretValue"),
        ("current", json(500, "AccessDeniedException"), undecided, 3, "Try again later"),
        ("current", page(502), undecided, 3, "Try again later"),
        ("current", page(403), undecided, 1, "not a response of Secrets Manager"),
        ("current", json(400, "ThrottlingException"), "Throttled", 3, "Try again later"),
        ("current", page(429), "Throttled", 1, "Try again later"),
        ("current", then(json(400, "ThrottlingException"), SECRET), "found", 2, ""),
        ("current", then(none(NoResponse::TimedOut), SECRET), "found", 2, ""),
        ("current", none(NoResponse::TimedOut), undecided, 3, "a VPC endpoint for secretsmanager"),
        ("current", none(NoResponse::UnknownHost), undecided, 3, "check AWS_REGION and AWS_ENDPOINT_URL"),
        ("current", none(NoResponse::UnknownAuthority), undecided, 3, "SSL_CERT_FILE"),
        ("current", vec![body("{}")], undecided, 1, "without a secret"),
        ("current", page(200), undecided, 1, "Check AWS_ENDPOINT_URL"),
        ("put", vec![body("{}")], undecided, 1, "without the version's ID"),
        // The topic.
        ("publish", vec![body(PUBLISHED)], "published", 1, ""),
        ("publish", sns(403, "AuthorizationError"), unpublished, 1, "role sns:Publish on the topic"),
        ("publish", sns(404, "NotFound"), unpublished, 1, "Check STATUS_TOPIC_ARN"),
        ("publish", sns(400, "KMSThrottling"), unpublished, 1, "Try again later"),
        ("publish", sns(400, "KMSDisabled"), unpublished, 1, "the KMS key"),
        ("publish", then(sns(500, "InternalError"), PUBLISHED), "published", 2, ""),
        ("publish", vec![body("<PublishResponse/>")], unpublished, 1, "Check AWS_ENDPOINT_URL"),
        ("publish", page(200), unpublished, 1, "not a response of SNS"),
        // The schedule.
        ("read", vec![body(READ)], "read", 1, ""),
        ("read", json(404, "ResourceNotFoundException"), "none", 1, ""),
        ("read", json(403, "AccessDeniedException"), undeleted, 1, "scheduler:GetSchedule"),
        ("read", vec![body("{}")], undeleted, 1, "without a creation date"),
        ("update", read_then(vec![body("{}")]), "updated", 2, ""),
        ("update", read_then(json(403, "AccessDeniedException")), undeleted, 2, "scheduler:UpdateSchedule"),
        ("update", read_then(role), undeleted, 2, "iam:PassRole on the schedule's role"),
        ("delete", vec![body("")], "deleted", 1, ""),
        ("delete", json(404, "ResourceNotFoundException"), "deleted", 1, ""),
        ("delete", page(404), undeleted, 1, "not a response of EventBridge Scheduler"),
        ("delete", json(403, "AccessDeniedException"), undeleted, 1, "scheduler:DeleteSchedule"),
    ] {
        let ((outcome, message), canned) = run(operation, &replies).await;
        let row = format!("{operation} {replies:?}: {message}");
        assert_eq!((outcome, canned.attempts()), (expected, attempts), "{row}");
        assert!(message.contains(part), "{row}");
        assert!(!message.contains('\n') && message.len() < 600, "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_never_run_out_over_the_invocations_of_a_process() {
    let canned = Canned::new(&[Err(NoResponse::TimedOut)]);
    let secret = sdk(canned.client(), true).secret("prod/zoho".into());
    for invocation in 1..=200 {
        assert!(secret.current().await.is_err());
        assert_eq!(canned.attempts(), 3 * invocation);
    }
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_is_sent() {
    let canned = Canned::new(&[body(SECRET)]);
    let secret = sdk(canned.client(), false).secret("prod/zoho".into());
    let (outcome, message) = of_store(secret.current().await.unwrap_err());
    assert_eq!((outcome, canned.attempts()), ("Unavailable", 0), "{message}");
    assert!(message.contains("there are no AWS credentials"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_a_service_echoes_are_not_shown() {
    let echo = format!("Credential={ACCESS_KEY}/20261124, key {SECRET_KEY}, token {SESSION_TOKEN}");
    for (operation, reply) in [("current", error(400, &echo, &echo)), ("publish", xml(403, &echo, &echo))] {
        let ((_, message), _) = run(operation, &[reply]).await;
        assert!(message.contains("[redacted]"), "{operation}: {message}");
        for secret in [ACCESS_KEY, SECRET_KEY, SESSION_TOKEN] {
            assert!(!message.contains(secret), "{operation}: {message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent() {
    let sent = |canned: &Canned| serde_json::from_str::<Value>(&canned.last().1).unwrap();
    let (_, canned) = run("put", &[body(r#"{"VersionId": "id-1"}"#)]).await;
    let expected = json!({"SecretId": "prod/zoho", "ClientRequestToken": "id-1", "SecretString": "text",
        "VersionStages": ["ZOHO_ACCESS_TOKEN"]});
    assert_eq!(sent(&canned), expected);
    let (_, canned) = run("delete", &[body("")]).await;
    let (url, _) = canned.last();
    assert!(url.starts_with("https://scheduler.eu-west-1.amazonaws.com/schedules/Leads-1?"), "{url}");
    assert!(url.contains("groupName=watches"), "{url}");
    // Everything that was read is sent back, but for what an update replaces.
    let (_, canned) = run("update", &[body(READ), body("{}")]).await;
    let mut expected: Value = serde_json::from_str(READ).unwrap();
    let mut sent = sent(&canned);
    assert!(sent["ClientToken"].take().is_string());
    for (key, value) in [
        ("ClientToken", Value::Null),
        ("StartDate", json!(1_795_428_600)),
        ("EndDate", json!(1_795_600_000)),
        ("ScheduleExpression", json!("rate(7 minutes)")),
        ("FlexibleTimeWindow", json!({"Mode": "OFF"})),
        ("GroupName", json!("watches")),
    ] {
        expected[key] = value;
    }
    expected["Target"]["Input"] = json!("new");
    expected.as_object_mut().unwrap().remove("CreationDate");
    assert_eq!(sent, expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_has_attributes_and_on_a_fifo_topic_its_ids() {
    for (topic, host, fifo) in [
        (TOPIC, "https://sns.eu-west-1.amazonaws.com/", false),
        ("arn:aws:sns:eu-west-1:123456789012:status.fifo", "https://sns.eu-west-1.amazonaws.com/", true),
        // The Region is that of the ARN.
        ("arn:aws:sns:us-east-2:123456789012:status", "https://sns.us-east-2.amazonaws.com/", false),
    ] {
        let canned = Canned::new(&[body(PUBLISHED)]);
        let id = sdk(canned.client(), true).topic(topic.into()).publish(&message()).await.unwrap();
        assert_eq!(id, "m-1");
        let (url, form) = canned.last();
        assert_eq!(url, host);
        let fields: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        for (name, value) in [
            ("TopicArn", Some(topic)),
            ("MessageStructure", Some("json")),
            ("Subject", Some("subject")),
            ("Message", Some(r#"{"default": "report"}"#)),
            ("MessageAttributes.entry.1.Value.DataType", Some("String")),
            ("MessageGroupId", fifo.then_some("Leads-1")),
            ("MessageDeduplicationId", fifo.then_some("Leads-1-SUCCEEDED")),
        ] {
            assert_eq!(field(name), value, "{topic}: {name}");
        }
        for text in ["module", "Leads", "event_id", "Leads-1-SUCCEEDED"] {
            assert!(fields.iter().any(|(key, value)| key.contains(".entry.") && value == text), "{text}");
        }
    }
}

#[tokio::test]
async fn a_version_has_its_content_its_id_and_its_time() {
    let without_labels = SECRET.replace(r#"["AWSCURRENT"]"#, "[]");
    // Labels are optional in a response.
    for (response, label) in [(SECRET, "AWSCURRENT"), (&without_labels, "ZOHO_ACCESS_TOKEN")] {
        let secret = sdk(Canned::new(&[body(response)]).client(), true).secret("prod/zoho".into());
        let version = secret.labeled(label).await.unwrap().unwrap();
        assert_eq!((version.text.expose_secret(), version.id.as_str()), ("text", "id-1"));
        assert_eq!(version.created, Timestamp::from_epoch_seconds(1_795_428_000));
    }
}

#[tokio::test]
async fn a_connection_opened_ahead_sends_nothing_and_serves_the_first_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheduler = sdk_at(&format!("http://{}", listener.local_addr().unwrap())).scheduler();
    let (accepted, ()) = tokio::join!(listener.accept(), scheduler.preconnect());
    let (mut stream, _) = accepted.unwrap();
    set_trace(Some(HeaderValue::from_static("Root=1-2")));
    let served = async {
        let mut request = vec![0; 65_536];
        let length = stream.read(&mut request).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{READ}", READ.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    let arn = ScheduleArn::parse(SCHEDULE, &Default::default()).unwrap();
    let (request, read) = tokio::join!(served, scheduler.read(&arn));
    assert!(read.unwrap().is_some());
    assert!(request.starts_with("GET /schedules/Leads-1?groupName=watches HTTP/1.1"), "{request}");
    assert!(request.contains("x-amzn-trace-id: Root=1-2"), "{request}");
}
