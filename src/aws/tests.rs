//! The adapters over the SDK's own clients, with canned HTTP responses: what is sent, what counts as success, how often a
//! request is sent, and what an error becomes.

use super::http::{sdk_http_client, set_trace};
use super::sdk::Sdk;
use crate::http::{Connections, NoResponse, TransportError};
use crate::tests::with;
use crate::token::{SecretStore, Version};
use crate::watch::{message::Message, schedule::ScheduleUpdate};
use crate::{arn::ScheduleArn, timestamp::Timestamp};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::{SharedCredentialsProvider, error::CredentialsError};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::HeaderValue;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOPIC: &str = "arn:aws:sns:us-east-2:123456789012:zoho-status";
const SCHEDULE: &str = "arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/Leads-1";
const KEYS: [&str; 3] =
    ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session-token-of-the-environment"];

/// A status and a body, or why there is no response.
type Reply = Result<(u16, String), NoResponse>;

/// The reply to an operation: a body as it is, why there is none, or an error's code and, after a colon, its message.
fn reply(operation: &str, status: u16, text: &str) -> Reply {
    let (code, message) = text.split_once(": ").unwrap_or((text, "the reason"));
    match text {
        "TimedOut" => return Err(NoResponse::TimedOut),
        "UnknownHost" => return Err(NoResponse::UnknownHost),
        _ if text.starts_with(['{', '<']) => return Ok((status, text.to_owned())),
        _ if operation != "publish" => return Ok((status, json!({"__type": code, "message": message}).to_string())),
        _ => {}
    }
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Ok((status, format!("<ErrorResponse>{error}</ErrorResponse>")))
}

/// Always replies the same. Keeps the URL and the body of each request.
#[derive(Debug, Clone)]
struct Canned {
    reply: Reply,
    sent: Arc<Mutex<Vec<(String, String)>>>,
}

impl Canned {
    /// The clients as they ship.
    fn sdk(&self, has_credentials: bool) -> Sdk {
        let connector = SharedHttpConnector::new(self.clone());
        sdk(http_client_fn(move |_, _| connector.clone()), has_credentials, None)
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        self.sent.lock().unwrap().push((request.uri().to_owned(), body));
        HttpConnectorFuture::ready(match self.reply.clone() {
            Ok((status, body)) => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
            Err(reason) => Err(ConnectorError::io(TransportError::new(reason, "connecting failed").into())),
        })
    }
}

fn sdk(client: SharedHttpClient, has_credentials: bool, endpoint: Option<&str>) -> Sdk {
    let provider = provide_credentials_fn(move || async move {
        let [id, secret, token] = KEYS;
        let found = || Credentials::new(id, secret, Some(token.into()), None, "test");
        has_credentials.then(found).ok_or_else(|| CredentialsError::not_loaded("none"))
    });
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .http_client(client)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .credentials_provider(SharedCredentialsProvider::new(provider));
    config.set_endpoint_url(endpoint.map(str::to_owned));
    Sdk::new(config.build(), "eu-west-1".into(), KEYS.into_iter())
}

/// What the caller of one operation gets after this reply.
async fn run(operation: &str, status: u16, text: &str) -> (String, Canned) {
    let canned = Canned { reply: reply(operation, status, text), sent: Arc::default() };
    let sdk = canned.sdk(text != "without credentials");
    let arn = ScheduleArn::parse(SCHEDULE, &Default::default()).unwrap();
    let (secret, topic, scheduler) = (sdk.secret("prod/zoho".into()), sdk.topic(TOPIC.into()), sdk.scheduler());
    let label = "ZOHO_ACCESS_TOKEN";
    let outcome = match operation {
        "current" => {
            let fields = |it: Version| (it.text.expose_secret().to_owned(), it.id, it.created.epoch_seconds());
            format!("{:?}", secret.current().await.map(fields))
        }
        "labeled" => format!("{:?}", secret.labeled(label).await),
        "put" => format!("{:?}", secret.put("id-1", label, &"text".into()).await),
        "publish" => {
            let [subject, body, event_id, group_id] = ["subject", "{}", "event", "Leads-1"].map(str::to_owned);
            let attributes = vec![("module", "Leads".into())];
            format!("{:?}", topic.publish(&Message { subject, body, attributes, event_id, group_id }).await)
        }
        "delete" => format!("{:?}", scheduler.delete(&arn).await),
        "read" => format!("{:?}", scheduler.read(&arn).await),
        _ => {
            let schedule = Canned { reply: Ok((200, READ.into())), sent: Arc::default() };
            let (_, read) = schedule.sdk(true).scheduler().read(&arn).await.unwrap().unwrap();
            let start = Timestamp::from_epoch_seconds(1_795_428_600);
            let update = ScheduleUpdate { start, expression: "rate(7 minutes)".into(), input: "new".into() };
            format!("{:?}", scheduler.update(&arn, read, update).await)
        }
    };
    (outcome, canned)
}

const READ: &str = r#"{"CreationDate": 1795428000.5, "State": "ENABLED", "ScheduleExpression": "rate(5 minutes)",
    "ScheduleExpressionTimezone": "Asia/Tokyo", "EndDate": 1795600000.0, "Description": "d", "KmsKeyArn": "k",
    "ActionAfterCompletion": "DELETE", "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 3},
    "Target": {"Arn": "a", "RoleArn": "r", "Input": "old", "DeadLetterConfig": {"Arn": "q"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1}}}"#;

#[tokio::test(start_paused = true)]
async fn what_a_response_becomes_and_how_often_the_request_is_sent() {
    const SECRET: &str = r#"{"SecretString": "text", "VersionId": "id-1", "CreatedDate": 1795428000.0}"#;
    const PAGE: &str = "<!DOCTYPE html><html><body>Sign in</body></html>";
    let published = "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
    let (found, binary) = (r#"Ok(("text", "id-1", 1795428000))"#, r#"Ok(("", "id-1", 0))"#);
    let (denied, undecided, throttled) = ("Err(Denied(", "Err(Unavailable(", "Err(Throttled(");
    let (echo, unpublished) = (&*format!("{KEYS:?}: {KEYS:?}"), "Err(WatchError { kind: NotificationFailed");
    let undeleted = "Err(WatchError { kind: ScheduleNotDeleted";
    for (operation, status, text, expected, attempts, part) in [
        // What AWS says about the secret.
        ("current", 200, SECRET, found, 1, ""),
        ("current", 200, r#"{"SecretBinary": "eA==", "VersionId": "id-1"}"#, binary, 1, ""),
        ("current", 400, "ResourceNotFoundException", denied, 1, "exists in Region eu-west-1"),
        ("current", 400, "ResourceNotFoundException: AWSCURRENT", denied, 1, "put-secret-value --secret-id prod/zoho"),
        ("current", 400, "InvalidRequestException: marked for deletion", denied, 1, "Check ZOHO_SECRET_ID"),
        ("current", 400, "AccessDeniedException: KMS", denied, 1, "role kms:Decrypt on the KMS key"),
        ("labeled", 400, "ResourceNotFoundException", "Ok(None)", 1, ""),
        ("put", 200, r#"{"VersionId": "id-1"}"#, "Ok(Done)", 1, ""),
        ("put", 400, "ResourceExistsException", "Ok(Taken)", 1, ""),
        ("put", 400, "InvalidParameterException: a replica secret", denied, 1, "It is a replica"),
        ("put", 400, "LimitExceededException", denied, 3, "what else writes to the secret"),
        // Everything else says nothing about it.
        ("current", 400, "ExpiredTokenException", undecided, 1, "AWS_SESSION_TOKEN"),
        ("current", 400, "SomethingNew", undecided, 1, r#"(HTTP 400 SomethingNew \"the reason\")"#),
        ("current", 403, "SomethingNew", undecided, 1, "role secretsmanager:GetSecretValue"),
        ("current", 500, "AccessDeniedException", undecided, 3, "Try again later"),
        ("current", 400, "ThrottlingException", throttled, 3, "Try again later"),
        ("current", 429, PAGE, throttled, 1, "Try again later"),
        ("current", 0, "TimedOut", undecided, 3, "a VPC endpoint for secretsmanager"),
        ("current", 0, "UnknownHost", undecided, 3, "check AWS_REGION and AWS_ENDPOINT_URL"),
        ("current", 403, PAGE, undecided, 1, "proxies on the way to Secrets Manager"),
        ("current", 200, "{}", undecided, 1, "Check AWS_ENDPOINT_URL"),
        ("put", 200, "{}", undecided, 1, "Check AWS_ENDPOINT_URL"),
        ("current", 0, "without credentials", undecided, 0, "Check the function's execution role"),
        // A service may echo credentials.
        ("current", 403, echo, undecided, 1, "[redacted]"),
        ("publish", 403, echo, unpublished, 1, "[redacted]"),
        // The topic.
        ("publish", 200, published, r#"Ok("m-1")"#, 1, ""),
        ("publish", 403, "AuthorizationError", unpublished, 1, "role sns:Publish on the topic"),
        ("publish", 404, "NotFound", unpublished, 1, "the topic exists in Region us-east-2"),
        ("publish", 400, "KMSThrottling", unpublished, 1, "Try again later"),
        ("publish", 200, "<PublishResponse/>", unpublished, 1, "proxies on the way to SNS"),
        // The schedule.
        ("read", 200, "{}", undeleted, 1, "proxies on the way to EventBridge Scheduler"),
        ("update", 403, "AccessDeniedException: iam:PassRole", undeleted, 1, "iam:PassRole on the schedule's role"),
        ("delete", 404, "ResourceNotFoundException", "Ok(())", 1, ""),
        ("delete", 404, PAGE, undeleted, 1, "still running (HTTP 404). Check AWS_ENDPOINT_URL"),
        ("delete", 403, "AccessDeniedException", undeleted, 1, "role scheduler:DeleteSchedule on the schedules of"),
    ] {
        let (outcome, canned) = run(operation, status, text).await;
        let row = format!("{operation} {status} {text}: {outcome}");
        assert!(outcome.starts_with(expected) && outcome.contains(part) && !outcome.contains("\\n"), "{row}");
        assert!(!KEYS.iter().any(|key| outcome.contains(key)), "{row}");
        assert_eq!(canned.sent.lock().unwrap().len(), attempts, "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_never_run_out_over_the_invocations_of_a_process() {
    let canned = Canned { reply: Err(NoResponse::TimedOut), sent: Arc::default() };
    let secret = canned.sdk(true).secret("prod/zoho".into());
    for invocation in 1..=200 {
        assert!(secret.current().await.is_err());
        assert_eq!(canned.sent.lock().unwrap().len(), 3 * invocation);
    }
}

#[tokio::test(start_paused = true)]
async fn the_requests_that_tests_of_the_binary_do_not_show() {
    // A topic's Region is that of its ARN.
    let (_, canned) = run("publish", 0, "TimedOut").await;
    assert_eq!(canned.sent.lock().unwrap()[0].0, "https://sns.us-east-2.amazonaws.com/");
    // Everything that was read is sent back, but for what an update replaces.
    let (outcome, canned) = run("update", 200, "{}").await;
    let sent: Value = serde_json::from_str(&canned.sent.lock().unwrap()[0].1).unwrap();
    let changes = json!({"ClientToken": sent["ClientToken"], "GroupName": "watches", "StartDate": 1_795_428_600,
        "EndDate": 1_795_600_000, "ScheduleExpression": "rate(7 minutes)", "FlexibleTimeWindow": {"Mode": "OFF"}});
    let mut expected = with(&serde_json::from_str(READ).unwrap(), &changes);
    expected["Target"]["Input"] = json!("new");
    assert_eq!(with(&sent, &json!({"CreationDate": expected["CreationDate"]})), expected, "{outcome}");
}

#[tokio::test]
async fn a_connection_opened_ahead_sends_nothing_and_serves_the_first_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = sdk_http_client(Connections::new(None, None).unwrap(), Duration::from_secs(5));
    let scheduler = sdk(client, true, Some(&endpoint)).scheduler();
    let (accepted, ()) = tokio::join!(listener.accept(), scheduler.preconnect());
    let (mut stream, mut request) = (accepted.unwrap().0, [0; 8_192]);
    set_trace(Some(HeaderValue::from_static("Root=1-2")));
    let served = async {
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 404 R\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    let arn = ScheduleArn::parse(SCHEDULE, &Default::default()).unwrap();
    let (request, _) = tokio::join!(served, scheduler.read(&arn));
    assert!(request.starts_with("GET /schedules/Leads-1?groupName=watches HTTP/1.1"), "{request}");
    assert!(request.contains("x-amzn-trace-id: Root=1-2"), "{request}");
}
