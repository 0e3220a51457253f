//! The adapters over the SDK's own clients, with canned HTTP responses: what is sent, what counts as success, what is
//! repeated, and what an error becomes.

use super::sdk::testing::{ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, sdk, sdk_at};
use crate::error::WatchError;
use crate::http::{Reason, Stage, TransportError};
use crate::timestamp::Timestamp;
use crate::token::{Put, SecretStore, StoreError};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use secrecy::ExposeSecret;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:zoho-status";
const SCHEDULE: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/Leads-1";

/// One canned response, or none.
#[derive(Debug, Clone)]
enum Reply {
    Response(u16, String),
    Nothing(Reason),
}

fn json(status: u16, code: &str) -> Reply {
    Reply::Response(status, format!(r#"{{"__type": "{code}", "message": "the reason"}}"#))
}

fn xml(status: u16, code: &str) -> Reply {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>the reason</Message></Error></ErrorResponse>"
    );
    Reply::Response(status, body)
}

fn body(text: &str) -> Reply {
    Reply::Response(200, text.to_owned())
}

/// Replies in this order, the last one again and again. Keeps what was sent.
#[derive(Debug, Clone)]
struct Canned(Arc<Mutex<Exchange>>);

#[derive(Debug)]
struct Exchange {
    replies: VecDeque<Reply>,
    /// URL and body of each request.
    sent: Vec<(String, String)>,
}

impl Canned {
    fn new(replies: &[Reply]) -> Self {
        Self(Arc::new(Mutex::new(Exchange { replies: replies.iter().cloned().collect(), sent: Vec::new() })))
    }

    fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    fn sent(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().sent.clone()
    }

    fn attempts(&self) -> usize {
        self.sent().len()
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Exchange { replies, sent } = &mut *self.0.lock().unwrap();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        sent.push((request.uri().to_owned(), body));
        let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
        HttpConnectorFuture::ready(match reply.unwrap() {
            Reply::Response(status, body) => {
                Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
            }
            Reply::Nothing(reason) => {
                let mut error = TransportError::new(Stage::Connecting, "connecting failed");
                error.reason = reason;
                Err(ConnectorError::io(error.into()))
            }
        })
    }
}

fn schedule() -> ScheduleArn {
    ScheduleArn::parse(SCHEDULE).unwrap()
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
type Outcome = (&'static str, String);

fn of_store<T>(result: Result<T, StoreError>, success: impl FnOnce(T) -> &'static str) -> Outcome {
    match result {
        Ok(value) => (success(value), String::new()),
        Err(StoreError::Denied(message)) => ("Denied", message),
        Err(StoreError::Throttled(message)) => ("Throttled", message),
        Err(StoreError::Unavailable(message)) => ("Unavailable", message),
    }
}

fn of_watch<T>(result: Result<T, WatchError>, success: impl FnOnce(T) -> &'static str) -> Outcome {
    match result {
        Ok(value) => (success(value), String::new()),
        Err(error) => (error.kind().name(), error.message().to_owned()),
    }
}

/// One operation against these replies: its outcome, and how often it was sent.
async fn run(operation: &str, replies: &[Reply]) -> (Outcome, Canned) {
    let canned = Canned::new(replies);
    let sdk = sdk(canned.client(), true);
    let secret = || sdk.secret("prod/zoho".into());
    let found = |version: Option<_>| if version.is_some() { "found" } else { "none" };
    let outcome = match operation {
        "current" => of_store(secret().current().await, |_| "found"),
        "labeled" => of_store(secret().labeled("ZOHO_ACCESS_TOKEN").await, found),
        "version" => of_store(secret().version("id-1").await, |version| found(version)),
        "put" => of_store(secret().put("id-1", "ZOHO_ACCESS_TOKEN", &"text".into()).await, |put| match put {
            Put::Done => "done",
            Put::Taken => "taken",
        }),
        "publish" => of_watch(sdk.topic(TOPIC.into()).publish(&message()).await, |_| "published"),
        "delete" => of_watch(sdk.scheduler().delete(&schedule()).await, |()| "deleted"),
        "created" => of_watch(sdk.scheduler().created_at(&schedule()).await, |created| {
            if created == Some(Timestamp::from_epoch_seconds(1_795_428_000)) { "created" } else { "none" }
        }),
        _ => unreachable!(),
    };
    (outcome, canned)
}

const SECRET: &str = r#"{"SecretString": "text", "VersionId": "id-1", "VersionStages": ["AWSCURRENT"], "CreatedDate": 1795428000.0}"#;
const PUBLISHED: &str =
    "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
const PAGE: &str = "<!DOCTYPE html><html><body>Sign in</body></html>";

#[tokio::test(start_paused = true)]
async fn what_a_response_becomes_and_how_often_the_request_is_sent() {
    let nothing = Reply::Nothing(Reason::TimedOut);
    for (operation, replies, expected, attempts, part) in [
        // Success, and what only looks like it.
        ("current", vec![body(SECRET)], "found", 1, ""),
        ("current", vec![body("{}")], "Unavailable", 1, "AWS_ENDPOINT_URL"),
        ("current", vec![body("")], "Unavailable", 1, "AWS_ENDPOINT_URL"),
        ("current", vec![body(PAGE)], "Unavailable", 1, "not a response of Secrets Manager"),
        ("current", vec![body(r#"{"SecretBinary": "AAAA", "VersionId": "id-1"}"#)], "Denied", 1, "binary"),
        ("labeled", vec![body(SECRET)], "none", 1, ""),
        ("version", vec![body(SECRET)], "found", 1, ""),
        ("put", vec![body(r#"{"VersionId": "id-1"}"#)], "done", 1, ""),
        ("put", vec![body("{}")], "Unavailable", 1, "without the version's ID"),
        ("put", vec![body(PAGE)], "Unavailable", 1, "not a response of Secrets Manager"),
        ("publish", vec![body(PUBLISHED)], "published", 1, ""),
        ("publish", vec![body("<PublishResponse/>")], "NotificationFailed", 1, "AWS_ENDPOINT_URL"),
        (
            "publish",
            vec![body("<PublishResponse><PublishResult/></PublishResponse>")],
            "NotificationFailed",
            1,
            "without a message ID",
        ),
        ("publish", vec![body("")], "NotificationFailed", 1, "not a response of SNS"),
        ("publish", vec![body(PAGE)], "NotificationFailed", 1, "not a response of SNS"),
        ("delete", vec![body("")], "deleted", 1, ""),
        ("delete", vec![body("{}")], "deleted", 1, ""),
        ("delete", vec![body(PAGE)], "ScheduleNotDeleted", 1, "not a response of EventBridge Scheduler"),
        ("delete", vec![body("OK")], "ScheduleNotDeleted", 1, "not a response of EventBridge Scheduler"),
        ("created", vec![body(r#"{"CreationDate": 1795428000.5}"#)], "created", 1, ""),
        ("created", vec![body("{}")], "ScheduleNotDeleted", 1, "without a creation date"),
        ("created", vec![body(PAGE)], "ScheduleNotDeleted", 1, "not a response of EventBridge Scheduler"),
        // What is there already, or is gone.
        ("current", vec![json(400, "ResourceNotFoundException")], "Denied", 1, "Region eu-west-1"),
        ("labeled", vec![json(400, "ResourceNotFoundException")], "none", 1, ""),
        ("put", vec![json(400, "ResourceExistsException")], "taken", 1, ""),
        ("put", vec![json(400, "ResourceNotFoundException")], "Denied", 1, "Region eu-west-1"),
        ("delete", vec![json(404, "ResourceNotFoundException")], "deleted", 1, ""),
        ("created", vec![json(404, "ResourceNotFoundException")], "none", 1, ""),
        ("publish", vec![xml(404, "NotFound")], "NotificationFailed", 1, "Region eu-west-1"),
        // What passes.
        ("current", vec![json(400, "ThrottlingException"), body(SECRET)], "found", 2, ""),
        ("current", vec![json(400, "ThrottlingException")], "Throttled", 3, "Try again later"),
        ("current", vec![Reply::Response(429, String::new())], "Throttled", 3, "Try again later"),
        ("current", vec![json(503, "SlowDown")], "Throttled", 3, "Try again later"),
        ("put", vec![json(400, "ThrottlingException")], "Throttled", 3, "could not be written"),
        ("current", vec![json(500, "InternalServiceError")], "Unavailable", 3, "Try again later"),
        ("current", vec![Reply::Response(502, PAGE.into())], "Unavailable", 3, "Try again later"),
        ("publish", vec![xml(400, "KMSThrottling")], "NotificationFailed", 3, "Try again later"),
        ("publish", vec![xml(500, "InternalError"), body(PUBLISHED)], "published", 2, ""),
        ("delete", vec![json(409, "ConflictException"), body("")], "deleted", 2, ""),
        ("delete", vec![json(409, "ConflictException")], "ScheduleNotDeleted", 3, "Try again later"),
        ("delete", vec![json(429, "ThrottlingException"), body("")], "deleted", 2, ""),
        // No response.
        ("current", vec![nothing.clone(), body(SECRET)], "found", 2, ""),
        ("current", vec![nothing.clone()], "Unavailable", 3, "a VPC endpoint for secretsmanager"),
        ("put", vec![nothing.clone()], "Unavailable", 3, "a VPC endpoint for secretsmanager"),
        ("publish", vec![nothing.clone()], "NotificationFailed", 3, "a VPC endpoint for sns"),
        ("delete", vec![nothing], "ScheduleNotDeleted", 3, "a VPC endpoint for scheduler"),
        ("current", vec![Reply::Nothing(Reason::UnknownAuthority)], "Unavailable", 3, "SSL_CERT_FILE"),
        // What somebody has to change.
        (
            "current",
            vec![json(400, "AccessDeniedException")],
            "Denied",
            1,
            "secretsmanager:GetSecretValue on the secret",
        ),
        ("put", vec![json(400, "AccessDeniedException")], "Denied", 1, "secretsmanager:PutSecretValue"),
        ("put", vec![json(400, "LimitExceededException")], "Denied", 1, "too many versions"),
        ("put", vec![json(400, "EncryptionFailure")], "Denied", 1, "kms:GenerateDataKey and kms:Decrypt"),
        ("current", vec![json(400, "DecryptionFailure")], "Denied", 1, "role kms:Decrypt on the KMS key"),
        ("current", vec![json(400, "InvalidRequestException")], "Denied", 1, "marked for deletion"),
        ("current", vec![json(400, "ValidationException")], "Denied", 1, "ZOHO_SECRET_ID"),
        (
            "publish",
            vec![xml(403, "AuthorizationError")],
            "NotificationFailed",
            1,
            "sns:Publish on the topic",
        ),
        ("publish", vec![xml(400, "KMSDisabled")], "NotificationFailed", 1, "the KMS key"),
        ("publish", vec![xml(400, "InvalidParameter")], "NotificationFailed", 1, "STATUS_TOPIC_ARN"),
        (
            "delete",
            vec![json(403, "AccessDeniedException")],
            "ScheduleNotDeleted",
            1,
            "scheduler:DeleteSchedule",
        ),
        ("created", vec![json(403, "AccessDeniedException")], "none", 1, ""),
        // Not about the secret: it is not reported as invalid.
        ("current", vec![json(400, "UnrecognizedClientException")], "Unavailable", 1, "AWS_SESSION_TOKEN"),
        ("current", vec![json(400, "ExpiredTokenException")], "Unavailable", 3, "had expired"),
    ] {
        let ((outcome, message), canned) = run(operation, &replies).await;
        let row = format!("{operation} {replies:?}: {message}");
        assert_eq!((outcome, canned.attempts()), (expected, attempts), "{row}");
        assert!(message.contains(part), "{row}");
        assert!(!message.contains('\n') && message.len() < 600, "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_was_too_old_is_made_again() {
    let expired = r#"{"__type": "InvalidSignatureException", "message": "Signature expired: 20261124T095814Z is now earlier than 20261124T095815Z (20261124T100315Z - 5 min.)"}"#;
    let expired = Reply::Response(400, expired.into());
    let ((outcome, message), canned) = run("current", &[expired.clone(), body(SECRET)]).await;
    assert_eq!((outcome, canned.attempts()), ("found", 2), "{message}");
    let ((outcome, message), canned) = run("current", &[expired]).await;
    assert_eq!((outcome, canned.attempts()), ("Unavailable", 3));
    assert!(message.contains("check the clock"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn retries_never_run_out_over_the_invocations_of_a_process() {
    let canned = Canned::new(&[Reply::Nothing(Reason::TimedOut)]);
    let sdk = sdk(canned.client(), true);
    let secret = sdk.secret("prod/zoho".into());
    for invocation in 1..=200 {
        assert!(secret.current().await.is_err());
        assert_eq!(canned.attempts(), 3 * invocation);
    }
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_is_sent() {
    let canned = Canned::new(&[body(SECRET)]);
    let sdk = sdk(canned.client(), false);
    let (outcome, message) = of_store(sdk.secret("prod/zoho".into()).current().await, |_| "found");
    assert_eq!((outcome, canned.attempts()), ("Unavailable", 0), "{message}");
    assert!(message.contains("There are no AWS credentials"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn what_a_service_echoes_of_the_request_is_not_shown() {
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let token = "FwoGZXIvYXdzEBYaDHqa0AP1r7pF4kq4tmhCIsQ9aXQ0bWFzdGVyd2FzaGVyZQ==";
    let echo = format!(
        "Credential={ACCESS_KEY}/20261124/eu-west-1, Signature={signature}, key {SECRET_KEY}, tokens {SESSION_TOKEN} {token}"
    );
    let replies = [
        ("current", Reply::Response(400, serde_json::json!({"__type": echo, "message": echo}).to_string())),
        ("put", Reply::Response(403, serde_json::json!({"__type": "X", "Message": echo}).to_string())),
        (
            "publish",
            Reply::Response(
                403,
                format!(
                    "<ErrorResponse><Error><Code>{echo}</Code><Message>{echo}</Message></Error></ErrorResponse>"
                ),
            ),
        ),
        ("delete", Reply::Response(400, serde_json::json!({"__type": "X", "message": echo}).to_string())),
    ];
    for (operation, reply) in replies {
        let ((_, message), _) = run(operation, &[reply]).await;
        assert!(message.contains("[redacted]"), "{operation}: {message}");
        for secret in [ACCESS_KEY, signature, SECRET_KEY, SESSION_TOKEN, token, "FwoGZXIv"] {
            assert!(!message.contains(secret), "{operation}: {message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent() {
    let (_, canned) = run("put", &[body(r#"{"VersionId": "id-1"}"#)]).await;
    let sent: serde_json::Value = serde_json::from_str(&canned.sent()[0].1).unwrap();
    assert_eq!(
        sent,
        serde_json::json!({
            "SecretId": "prod/zoho",
            "ClientRequestToken": "id-1",
            "VersionStages": ["ZOHO_ACCESS_TOKEN"],
            "SecretString": "text",
        })
    );
    let (_, canned) = run("delete", &[body("")]).await;
    let url = &canned.sent()[0].0;
    assert!(url.starts_with("https://scheduler.eu-west-1.amazonaws.com/schedules/Leads-1?"), "{url}");
    assert!(url.contains("groupName=watches"), "{url}");
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
        let (url, form) = canned.sent().remove(0);
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
        for (name, value) in [("module", "Leads"), ("event_id", "Leads-1-SUCCEEDED")] {
            assert!(
                fields.iter().any(|(_, text)| text == name) && fields.iter().any(|(_, text)| text == value)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_has_its_content_its_id_and_its_time() {
    let canned = Canned::new(&[body(SECRET)]);
    let version = sdk(canned.client(), true).secret("prod/zoho".into()).current().await.unwrap();
    assert_eq!(version.text.expose_secret(), "text");
    assert_eq!(version.id, "id-1");
    assert_eq!(version.created, Timestamp::from_epoch_seconds(1_795_428_000));
}

#[tokio::test]
async fn only_the_version_with_the_label_counts() {
    let without_labels = SECRET.replace(r#"["AWSCURRENT"]"#, "[]");
    for (response, label, is_found) in [
        (SECRET, "AWSCURRENT", true),
        (SECRET, "ZOHO_ACCESS_TOKEN", false),
        // Labels are optional in a response.
        (&without_labels, "ZOHO_ACCESS_TOKEN", true),
    ] {
        let canned = Canned::new(&[body(response)]);
        let found = sdk(canned.client(), true).secret("prod/zoho".into()).labeled(label).await.unwrap();
        assert_eq!(found.is_some(), is_found, "{label} in {response}");
    }
}

#[tokio::test]
async fn an_endless_response_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut written = Vec::new();
        for _attempt in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _request = stream.read(&mut [0; 4096]).await.unwrap();
            let status = if written.len() == 1 { 500 } else { 200 };
            let head = format!("HTTP/1.1 {status} OK\r\ncontent-type: application/x-amz-json-1.1\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut bytes = 0;
            while stream.write_all(&[b' '; 65_536]).await.is_ok() {
                bytes += 65_536;
            }
            written.push(bytes);
        }
        written
    });
    let error = sdk_at(&endpoint).secret("prod/zoho".into()).current().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.message().contains("exceeds 1048576 bytes"), "{error:?}");
    // What the limit lets pass, and what the sockets' buffers hold.
    let written = server.await.unwrap();
    assert!(written.iter().all(|bytes| *bytes < 16 << 20), "{written:?}");
}

#[tokio::test]
async fn a_connection_opened_ahead_sends_nothing_and_serves_the_first_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let topic = sdk_at(&endpoint).topic(TOPIC.into());
    let (mut stream, ()) = tokio::join!(async { listener.accept().await.unwrap().0 }, topic.preconnect());
    // A second time is once too often: the first request would be sent.
    topic.preconnect().await;
    let served = async {
        let mut request = vec![0; 65_536];
        let length = stream.read(&mut request).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PUBLISHED.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(PUBLISHED.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    let message = message();
    let (request, id) = tokio::join!(served, topic.publish(&message));
    assert_eq!(id.unwrap(), "m-1");
    assert!(request.starts_with("POST / HTTP/1.1") && request.contains("Leads-1-SUCCEEDED"), "{request}");
}
