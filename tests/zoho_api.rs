//! The status request over real sockets: what is sent, what is retried, and when the function gives up.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::http::{Connections, HttpClient, Origin};
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::watch::ids::{Job, JobId, ModuleName};
use mass_change_owner_status::watch::job::JobStatus;
use mass_change_owner_status::zoho::ZohoSettings;
use mass_change_owner_status::zoho::client::{self, Attempts, StatusRequest};
use mass_change_owner_status::zoho::credentials::AccessToken;
use mass_change_owner_status::zoho::hosts::{ZohoHost, ZohoServer};
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

/// What a check returned: the status or the name of the error, and how many requests were sent.
type Outcome = (String, u32);

impl Api {
    fn at(url: &str) -> Self {
        Self { http: Connections::new(Default::default()).unwrap(), origin: Origin::parse(url).unwrap() }
    }

    async fn preconnect(&self) {
        self.http.preconnect(&self.origin).await;
    }

    async fn check(&self) -> Outcome {
        self.check_within(Duration::from_secs(5), Duration::from_secs(20), true).await
    }

    async fn check_within(&self, timeout: Duration, left: Duration, repeats_timeouts: bool) -> Outcome {
        let (result, attempts) = self.request(timeout, left, repeats_timeouts).await;
        let name = match result {
            Ok(job) => job.status.as_str().to_owned(),
            Err(error) => error.kind().name().to_owned(),
        };
        (name, attempts.sent)
    }

    async fn request(
        &self,
        timeout: Duration,
        left: Duration,
        repeats_timeouts: bool,
    ) -> (Result<JobStatus, WatchError>, Attempts) {
        let mut attempts = Attempts::default();
        let clock: Clock = Arc::new(Timestamp::now);
        let request = StatusRequest {
            host: &ZohoHost {
                server: ZohoServer::Api,
                origin: self.origin.clone(),
                setting: "ZOHO_API_DOMAIN",
                conflicting: None,
            },
            job: &Job {
                module: ModuleName::parse("Price Books").unwrap(),
                job_id: JobId::parse("3652397000009565021").unwrap(),
            },
            token: &AccessToken::parse(TOKEN).unwrap(),
            settings: &ZohoSettings { request_timeout: timeout, ..ZohoSettings::default() },
            deadline: Deadline::after(left),
            clock: &clock,
            repeats_timeouts,
        };
        let result = client::fetch_status(&self.http, &request, &mut attempts).await;
        (result, attempts)
    }
}

fn is(name: &str, sent: u32) -> Outcome {
    (name.to_owned(), sent)
}

/// The URL of a port on which nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
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

async fn respond(server: &MockServer, response: ResponseTemplate, times: u64) {
    Mock::given(method("GET")).respond_with(response).up_to_n_times(times).mount(server).await;
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
        .and(header("accept-encoding", "identity"))
        .and(header("user-agent", package))
        .respond_with(ResponseTemplate::new(200).set_body_string(RUNNING))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(Api::at(&server.uri()).check().await, is("RUNNING", 1));
}

#[tokio::test]
async fn what_may_be_different_a_moment_later_is_requested_three_times() {
    const PAGE: &str = "<html>maintenance</html>";
    const INVALID_TOKEN: &str = r#"{"code":"INVALID_TOKEN"}"#;
    for (status, body, name, sent) in [
        (503, "", "ZohoUnavailable", 3),
        (429, "", "ZohoRateLimited", 3),
        (200, PAGE, "ZohoUnexpectedResponse", 3),
        (401, PAGE, "ZohoUnexpectedResponse", 3),
        (302, "", "ZohoUnexpectedResponse", 3),
        (401, INVALID_TOKEN, "TokenRejected", 1),
        (200, r#"{"data":[]}"#, "ZohoUnexpectedResponse", 1),
        (204, "", "JobNotFound", 1),
    ] {
        let server = MockServer::start().await;
        let elsewhere = MockServer::start().await;
        let template = ResponseTemplate::new(status).set_body_string(body);
        respond(&server, template.insert_header("Location", elsewhere.uri().as_str()), 9).await;
        assert_eq!(Api::at(&server.uri()).check().await, is(name, sent), "{status}");
        assert!(elsewhere.received_requests().await.unwrap().is_empty(), "redirects are not followed");
    }
    // A transient error is not visible.
    for (first, times, sent) in [(ResponseTemplate::new(503), 2, 3), (ResponseTemplate::new(403), 1, 2)] {
        let server = MockServer::start().await;
        respond(&server, first, times).await;
        respond(&server, ResponseTemplate::new(200).set_body_string(RUNNING), 9).await;
        assert_eq!(Api::at(&server.uri()).check().await, is("RUNNING", sent));
    }
}

#[tokio::test]
async fn retry_after_is_honored_if_there_is_enough_time() {
    for (wait, expected) in [("1", is("RUNNING", 2)), ("3600", is("ZohoRateLimited", 1))] {
        let server = MockServer::start().await;
        respond(&server, ResponseTemplate::new(429).insert_header("Retry-After", wait), 1).await;
        respond(&server, ResponseTemplate::new(200).set_body_string(RUNNING), 9).await;
        let started = Instant::now();
        assert_eq!(Api::at(&server.uri()).check().await, expected);
        assert!(wait != "1" || started.elapsed() >= Duration::from_secs(1), "retried too early");
    }
}

#[tokio::test]
async fn failed_connections_are_zoho_unavailable_after_three_attempts() {
    assert_eq!(Api::at(&nowhere().await).check().await, is("ZohoUnavailable", 3));
    // Closed without a response.
    let (url, connections) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    assert_eq!(Api::at(&url).check().await, is("ZohoUnavailable", 3));
    assert_eq!(connections.load(Ordering::SeqCst), 3);
    // Cut in the middle of a response.
    let (url, _) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
        let whole = response(RUNNING);
        stream.write_all(&whole.as_bytes()[..whole.len() - 20]).await.unwrap();
    })
    .await;
    assert_eq!(Api::at(&url).check().await, is("ZohoUnavailable", 3));
    // Plain HTTP in place of TLS.
    let (url, _) = scripted(|_, mut stream| async move {
        let _garbage = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    assert_eq!(Api::at(&url.replace("http://", "https://")).check().await, is("ZohoUnavailable", 3));
}

#[tokio::test]
async fn a_host_that_cannot_be_resolved_is_named_with_its_setting() {
    let api = Api::at("https://api.invalid");
    let (result, _) = api.request(Duration::from_secs(5), Duration::from_secs(20), true).await;
    let error = result.unwrap_err();
    for part in ["https://api.invalid, set by ZOHO_API_DOMAIN", "host name cannot be resolved"] {
        assert!(error.message().contains(part), "{part:?} is not in {error}");
    }
}

#[tokio::test]
async fn a_stalled_response_ends_with_the_attempt_and_all_attempts_with_the_deadline() {
    let (url, _) = scripted(|_, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
    for (timeout, left, repeats_timeouts, sent) in [
        // One stalled response leaves time for another attempt.
        (seconds(60), seconds(2), true, 3),
        (ms(100), seconds(20), true, 3),
        (ms(100), seconds(20), false, 1),
        (seconds(1), Duration::ZERO, true, 0),
    ] {
        let outcome = Api::at(&url).check_within(timeout, left, repeats_timeouts).await;
        assert_eq!(outcome, is("ZohoUnavailable", sent), "{timeout:?} {left:?}");
    }
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
    assert_eq!(Api::at(&url).check().await, is("ZohoUnexpectedResponse", 1));
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
    let api = Api::at(&url);
    assert_eq!(api.check().await, is("JobNotFound", 1));
    // The stray body may still be in front of this response on the old connection; it must never be taken for it.
    assert_eq!(api.check().await.0, "RUNNING");
}

#[tokio::test]
async fn a_preconnected_connection_sends_nothing_and_serves_the_checks() {
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
    let api = Api::at(&url);
    api.preconnect().await;
    for _ in 0..3 {
        assert_eq!(api.check().await, is("RUNNING", 1));
    }
    assert_eq!((connections.load(Ordering::SeqCst), requests.load(Ordering::SeqCst)), (1, 3));
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
    let api = Api::at(&url);
    api.preconnect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((api.check().await.0.as_str(), connections.load(Ordering::SeqCst)), ("RUNNING", 2));
}

#[tokio::test]
async fn a_failed_preconnect_is_reported_by_the_check() {
    let api = Api::at(&nowhere().await);
    api.preconnect().await;
    assert_eq!(api.check().await.0, "ZohoUnavailable");
}
