//! The status request over real sockets: what is sent, what is retried, and when the function gives up.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::ErrorType;
use mass_change_owner_status::http::{Connections, HttpClient, Origin};
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::watch::ids::{JobId, ModuleName};
use mass_change_owner_status::watch::job::JobStatus;
use mass_change_owner_status::zoho::client::{self, Attempts, StatusRequest};
use mass_change_owner_status::zoho::credentials::AccessToken;
use mass_change_owner_status::zoho::hosts::{ApiHost, HostSource};
use mass_change_owner_status::zoho::response::StatusError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const RUNNING: &str = r#"{"data":[{"Total_Count":10,"Updated_Count":4,"Not_Updated_Count":6,"Failed_Count":0,"Status":"RUNNING"}]}"#;
const TOKEN: &str = "1000.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef";

/// A client with the API host that it calls.
struct Api {
    http: Connections,
    origin: Origin,
}

impl Api {
    async fn preconnect(&self) {
        self.http.preconnect(&self.origin).await;
    }
}

fn api(url: &str) -> Api {
    Api { http: Connections::new(Default::default()).unwrap(), origin: Origin::parse(url).unwrap() }
}

async fn check_within(
    api: &Api,
    timeout: Duration,
    left: Duration,
) -> (Result<JobStatus, Box<StatusError>>, Attempts) {
    let mut attempts = Attempts::default();
    let clock: Clock = Arc::new(Timestamp::now);
    let request = StatusRequest {
        host: &ApiHost {
            origin: api.origin.clone(),
            source: HostSource::Variable("ZOHO_API_DOMAIN"),
            conflicting: None,
        },
        api_version: "v8",
        module: &ModuleName::parse("Price Books").unwrap(),
        job_id: &JobId::parse("3652397000009565021").unwrap(),
        token: &AccessToken::parse(TOKEN).unwrap(),
        timeout,
        deadline: Deadline::after(left),
        clock: &clock,
        repeats_timeouts: true,
    };
    let result = client::fetch_status(&api.http, &request, &mut attempts).await;
    (result, attempts)
}

async fn check(api: &Api) -> (Result<JobStatus, Box<StatusError>>, Attempts) {
    check_within(api, Duration::from_secs(5), Duration::from_secs(20)).await
}

/// The public error name, or the status.
fn outcome(result: &Result<JobStatus, Box<StatusError>>) -> String {
    match result {
        Ok(job) => job.status.as_str().to_owned(),
        Err(error) => error.error.kind().name().to_owned(),
    }
}

/// A server that runs the script for each connection, with the number of earlier connections.
async fn scripted<F, Fut>(script: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(usize, TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(seen.fetch_add(1, Ordering::SeqCst), stream));
        }
    });
    (url, connections)
}

/// Reads the head of one request; empty if the client closed the connection.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap()
}

fn response(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn one_request_in_the_documented_form() {
    let server = MockServer::start().await;
    let package = concat!("mass-change-owner-status/", env!("CARGO_PKG_VERSION"));
    Mock::given(method("GET"))
        .and(path("/crm/v8/Price_Books/actions/mass_change_owner"))
        .and(query_param("job_id", "3652397000009565021"))
        .and(header("authorization", format!("Zoho-oauthtoken {TOKEN}")))
        .and(header("accept", "application/json"))
        .and(header("user-agent", package))
        .respond_with(ResponseTemplate::new(200).set_body_string(RUNNING))
        .expect(1)
        .mount(&server)
        .await;
    let (result, attempts) = check(&api(&server.uri())).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("RUNNING", 1));
}

#[tokio::test]
async fn retryable_responses_are_requested_three_times_and_all_others_once() {
    for (status, name, sent) in [
        (500, "ZohoUnavailable", 3),
        (502, "ZohoUnavailable", 3),
        (503, "ZohoUnavailable", 3),
        (429, "ZohoRateLimited", 3),
        (400, "ZohoUnexpectedResponse", 3),
        (401, "TokenRejected", 1),
        (403, "PermissionDenied", 1),
        (404, "JobNotFound", 1),
        (204, "JobNotFound", 1),
        // Empty bodies: not JSON.
        (200, "ZohoUnexpectedResponse", 3),
        (302, "ZohoUnexpectedResponse", 3),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status))
            .expect(sent)
            .mount(&server)
            .await;
        let (result, attempts) = check(&api(&server.uri())).await;
        assert_eq!((outcome(&result).as_str(), u64::from(attempts.sent)), (name, sent), "{status}");
    }
}

#[tokio::test]
async fn a_transient_error_is_not_visible() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(503)).up_to_n_times(2).mount(&server).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string(RUNNING))
        .mount(&server)
        .await;
    let (result, attempts) = check(&api(&server.uri())).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("RUNNING", 3));
}

#[tokio::test]
async fn a_stray_page_is_not_visible() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>maintenance</html>");
    Mock::given(method("GET")).respond_with(page).up_to_n_times(1).mount(&server).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string(RUNNING))
        .mount(&server)
        .await;
    let (result, attempts) = check(&api(&server.uri())).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("RUNNING", 2));
}

#[tokio::test]
async fn retry_after_is_honored_if_there_is_enough_time() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "1");
    Mock::given(method("GET")).respond_with(busy).up_to_n_times(1).mount(&server).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string(RUNNING))
        .mount(&server)
        .await;
    let started = Instant::now();
    let (result, _) = check(&api(&server.uri())).await;
    assert_eq!(outcome(&result), "RUNNING");
    assert!(started.elapsed() >= Duration::from_secs(1), "retried too early");

    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "3600");
    Mock::given(method("GET")).respond_with(busy).expect(1).mount(&server).await;
    let (result, attempts) = check(&api(&server.uri())).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("ZohoRateLimited", 1));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&elsewhere).await;
    let server = MockServer::start().await;
    let redirect = ResponseTemplate::new(302).insert_header("Location", elsewhere.uri().as_str());
    Mock::given(method("GET")).respond_with(redirect).expect(3).mount(&server).await;
    let (result, _) = check(&api(&server.uri())).await;
    assert_eq!(outcome(&result), "ZohoUnexpectedResponse");
}

#[tokio::test]
async fn an_echoed_token_is_masked() {
    let server = MockServer::start().await;
    let echo = format!(r#"{{"code":"SOMETHING","message":"bad token {TOKEN}, that is {TOKEN}"}}"#);
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(400).set_body_string(echo))
        .mount(&server)
        .await;
    let (result, _) = check(&api(&server.uri())).await;
    let shown = format!("{:?}", result.unwrap_err());
    assert!(
        shown.contains("[redacted]") && !shown.contains(TOKEN) && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}

#[tokio::test]
async fn failed_connections_are_zoho_unavailable_after_three_attempts() {
    // Nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (result, attempts) = check(&api(&url)).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("ZohoUnavailable", 3));

    // Closed without a response.
    let (url, connections) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let (result, _) = check(&api(&url)).await;
    assert_eq!((outcome(&result).as_str(), connections.load(Ordering::SeqCst)), ("ZohoUnavailable", 3));

    // Cut in the middle of a response.
    let (url, _) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
        let whole = response(RUNNING);
        stream.write_all(&whole.as_bytes()[..whole.len() - 20]).await.unwrap();
    })
    .await;
    let (result, attempts) = check(&api(&url)).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("ZohoUnavailable", 3));

    // Plain HTTP in place of TLS.
    let (url, _) = scripted(|_, mut stream| async move {
        let _garbage = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let (result, _) = check(&api(&url.replace("http://", "https://"))).await;
    assert_eq!(outcome(&result), "ZohoUnavailable");
}

#[tokio::test]
async fn a_stalled_response_ends_with_the_attempt_and_all_attempts_with_the_deadline() {
    let (url, connections) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let (result, attempts) =
        check_within(&api(&url), Duration::from_secs(60), Duration::from_millis(2_000)).await;
    assert_eq!(outcome(&result), "ZohoUnavailable");
    assert_eq!(attempts.sent, 3, "one stalled response leaves time for another attempt");
    assert_eq!(connections.load(Ordering::SeqCst), 3);

    let (result, attempts) =
        check_within(&api(&url), Duration::from_millis(100), Duration::from_secs(20)).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("ZohoUnavailable", 3));

    let (result, attempts) = check_within(&api(&url), Duration::from_secs(1), Duration::ZERO).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("ZohoUnavailable", 0));
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let (url, _) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let chunk = format!("{:x}\r\n{}\r\n", 65_536, " ".repeat(65_536));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let (result, attempts) = check(&api(&url)).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("ZohoUnexpectedResponse", 1));
    assert!(result.unwrap_err().error.message().contains("exceeds 1 MiB"));
}

#[tokio::test]
async fn a_body_after_a_204_affects_neither_this_check_nor_the_next() {
    let (url, _) = scripted(|index, mut stream| async move {
        let mut next = match index {
            0 => "HTTP/1.1 204 No Content\r\n\r\n{\"code\":\"NO_DATA\"}".to_owned(),
            _ => response(RUNNING),
        };
        while !read_request(&mut stream).await.is_empty() {
            if stream.write_all(next.as_bytes()).await.is_err() {
                break;
            }
            next = response(RUNNING);
        }
    })
    .await;
    let api = api(&url);
    let (result, attempts) = check(&api).await;
    assert_eq!((outcome(&result).as_str(), attempts.sent), ("JobNotFound", 1));
    // The stray body may still be in front of this response on the old connection; it must never be taken for it.
    let (result, _) = check(&api).await;
    assert_eq!(outcome(&result), "RUNNING");
}

#[tokio::test]
async fn a_preconnected_connection_sends_nothing_and_serves_the_first_check() {
    let requests = Arc::new(AtomicUsize::new(0));
    let served = requests.clone();
    let (url, connections) = scripted(move |_, mut stream| {
        let served = served.clone();
        async move {
            while !read_request(&mut stream).await.is_empty() {
                served.fetch_add(1, Ordering::SeqCst);
                stream.write_all(response(RUNNING).as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let api = api(&url);
    api.preconnect().await;
    for _ in 0..3 {
        let (result, attempts) = check(&api).await;
        assert_eq!((outcome(&result).as_str(), attempts.sent), ("RUNNING", 1));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1, "one connection for all");
    assert_eq!(requests.load(Ordering::SeqCst), 3, "only the checks themselves");
}

#[tokio::test]
async fn a_preconnected_connection_that_was_closed_costs_one_silent_retry() {
    let (url, connections) = scripted(|index, mut stream| async move {
        if index == 0 {
            return; // closed before its first request, like an idle connection
        }
        while !read_request(&mut stream).await.is_empty() {
            stream.write_all(response(RUNNING).as_bytes()).await.unwrap();
        }
    })
    .await;
    let api = api(&url);
    api.preconnect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (result, _) = check(&api).await;
    assert_eq!((outcome(&result).as_str(), connections.load(Ordering::SeqCst)), ("RUNNING", 2));
}

#[tokio::test]
async fn a_failed_preconnect_is_reported_by_the_check() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = api(&url);
    api.preconnect().await;
    let (result, _) = check(&api).await;
    assert_eq!(result.unwrap_err().error.kind(), ErrorType::ZohoUnavailable);
}
