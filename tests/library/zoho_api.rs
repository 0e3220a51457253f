//! The status request over real sockets: what is sent, what is sent again, and when the function gives up.

use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::http::{Connections, HttpClient, Origin};
use mass_change_owner_status::timestamp::{Clock, Timestamp};
use mass_change_owner_status::watch::job::{Job, JobId, ModuleName};
use mass_change_owner_status::zoho::ZohoSettings;
use mass_change_owner_status::zoho::credentials::AccessToken;
use mass_change_owner_status::zoho::hosts::{ZohoHost, ZohoServer};
use mass_change_owner_status::zoho::status::{self, Attempts, StatusRequest};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "1000.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef";

/// What the server does: it sends this, and then closes the connection, sends nothing more, or sends a body without an end;
/// or it closes the connection before there is a request.
#[derive(Clone)]
enum Reply {
    Send(String),
    Cut(String),
    Stall(String),
    Endless(String),
    Close,
}
use Reply::{Close, Cut, Endless, Send, Stall};

/// A response with this status line, these headers, and this body.
fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} R\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

fn plain(status: &str, body: &str) -> Vec<Reply> {
    vec![Send(http(status, "", body))]
}

fn running() -> String {
    http("200", "", r#"{"data":[{"Total_Count":10,"Updated_Count":4,"Failed_Count":0,"Status":"RUNNING"}]}"#)
}

/// A server with a client for it.
struct Api {
    http: Connections,
    origin: Origin,
    connections: Arc<AtomicUsize>,
    /// The head of each request.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// A server with these replies, one after the other; the last one again and again.
    async fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (http, connections, requests) = (Connections::new(None, None).unwrap(), Arc::default(), Arc::default());
        let api = Self { http, origin, connections, requests };
        let (connections, requests) = (api.connections.clone(), api.requests.clone());
        let replies = Arc::new(Mutex::new(replies));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, replies.clone(), requests.clone()));
            }
        });
        api
    }

    /// The status or the name of the error, and how many requests were sent.
    async fn check(&self) -> (String, u32) {
        self.check_within(Duration::from_secs(5), Duration::from_secs(20), true).await
    }

    async fn check_within(&self, timeout: Duration, left: Duration, repeats_timeouts: bool) -> (String, u32) {
        let mut attempts = Attempts::default();
        let clock: Clock = Arc::new(Timestamp::now);
        let (server, origin) = (ZohoServer::Api, self.origin.clone());
        let (module, job_id) = (ModuleName::parse("Price Books"), JobId::parse("3652397000009565021"));
        let request = StatusRequest {
            host: &ZohoHost { server, origin, setting: "ZOHO_API_DOMAIN" },
            job: &Job { module: module.unwrap(), job_id: job_id.unwrap() },
            token: &AccessToken::parse(TOKEN).unwrap(),
            settings: &ZohoSettings { request_timeout: timeout, ..ZohoSettings::default() },
            deadline: Deadline::after(left),
            clock: &clock,
            repeats_timeouts,
        };
        let result = status::fetch_status(&self.http, &request, &mut attempts).await;
        let name = result.map_or_else(|error| error.kind.name().to_owned(), |job| job.status.as_str().to_owned());
        (name, attempts.sent)
    }
}

async fn serve(mut stream: TcpStream, replies: Arc<Mutex<Vec<Reply>>>, requests: Arc<Mutex<Vec<String>>>) {
    let next = || {
        let mut replies = replies.lock().unwrap();
        if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() }
    };
    if matches!(replies.lock().unwrap()[0], Close) {
        return drop(next());
    }
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        requests.lock().unwrap().push(String::from_utf8(head).unwrap());
        let reply = next();
        if let Send(text) | Cut(text) | Stall(text) | Endless(text) = &reply {
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        match reply {
            Send(_) => {}
            Cut(_) | Close => return,
            Stall(_) => std::future::pending().await,
            Endless(_) => while stream.write_all(&[b' '; 65_536]).await.is_ok() {},
        }
    }
}

#[tokio::test]
async fn one_request_in_the_documented_form() {
    let api = Api::new(vec![Send(running())]).await;
    assert_eq!(api.check().await, ("RUNNING".into(), 1));
    let requests = api.requests.lock().unwrap();
    let mut lines: Vec<&str> = requests[0].trim_end().lines().collect();
    lines[1..].sort_unstable();
    let expected = [
        "GET /crm/v8/Price_Books/actions/mass_change_owner?job_id=3652397000009565021 HTTP/1.1".to_owned(),
        "accept-encoding: identity".to_owned(),
        "accept: application/json".to_owned(),
        format!("authorization: Zoho-oauthtoken {TOKEN}"),
        format!("host: {}", api.origin.as_str().trim_start_matches("http://")),
        concat!("user-agent: mass-change-owner-status/", env!("CARGO_PKG_VERSION")).to_owned(),
    ];
    assert_eq!((requests.len(), lines), (1, expected.iter().map(String::as_str).collect()));
}

#[tokio::test]
async fn what_may_be_different_a_moment_later_is_requested_three_times() {
    const PAGE: &str = "<html>maintenance</html>";
    let then_running = |first: &[Reply]| [first, &[Send(running())]].concat();
    let throttled = |wait: &str| Send(http("429", &format!("Retry-After: {wait}\r\n"), ""));
    let (unavailable, refused) = (Send(http("503", "", "")), Send(http("403", "", "")));
    for (replies, name, sent) in [
        (plain("503", ""), "ZohoUnavailable", 3),
        (plain("429", ""), "ZohoRateLimited", 3),
        (plain("200", PAGE), "ZohoUnexpectedResponse", 3),
        (plain("401", PAGE), "ZohoUnexpectedResponse", 3),
        // It is not followed.
        (vec![Send(http("302", "Location: /elsewhere\r\n", ""))], "ZohoUnexpectedResponse", 3),
        (plain("401", r#"{"code":"INVALID_TOKEN"}"#), "TokenRejected", 1),
        (plain("200", r#"{"data":[]}"#), "ZohoUnexpectedResponse", 1),
        (vec![Send("HTTP/1.1 204 R\r\n\r\n".into())], "JobNotFound", 1),
        (vec![throttled("3600")], "ZohoRateLimited", 1),
        (vec![Cut(String::new())], "ZohoUnavailable", 3),
        (vec![Cut(running()[..100].to_owned())], "ZohoUnavailable", 3),
        (vec![Endless(http("200", "", "").replace("Length: 0", "Length: 9999999"))], "ZohoUnexpectedResponse", 1),
        // What passes is not visible.
        (then_running(&[unavailable.clone(), unavailable]), "RUNNING", 3),
        (then_running(&[refused]), "RUNNING", 2),
    ] {
        let api = Api::new(replies).await;
        assert_eq!(api.check().await, (name.to_owned(), sent));
        let requests = api.requests.lock().unwrap();
        assert!(requests.len() == sent as usize && requests.iter().all(|head| head == &requests[0]), "{requests:?}");
    }
    let (api, began) = (Api::new(then_running(&[throttled("1")])).await, Instant::now());
    assert_eq!(api.check().await, ("RUNNING".into(), 2));
    assert!(began.elapsed() >= Duration::from_secs(1), "too early");
}

#[tokio::test]
async fn a_stalled_response_ends_with_the_attempt_and_all_attempts_with_the_deadline() {
    let api = Api::new(vec![Stall("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".into())]).await;
    let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
    for (timeout, left, repeats_timeouts, sent) in [
        // One stalled response leaves time for another attempt.
        (seconds(60), seconds(2), true, 3),
        (ms(100), seconds(20), true, 3),
        (ms(100), seconds(20), false, 1),
        (seconds(1), Duration::ZERO, true, 0),
    ] {
        let outcome = api.check_within(timeout, left, repeats_timeouts).await;
        assert_eq!(outcome, ("ZohoUnavailable".into(), sent), "{timeout:?} {left:?}");
    }
}

#[tokio::test]
async fn a_body_after_a_204_affects_neither_this_check_nor_the_next() {
    let stray = Send("HTTP/1.1 204 No Content\r\n\r\n{\"code\":\"NO_DATA\"}".into());
    let api = Api::new(vec![stray, Send(running())]).await;
    assert_eq!(api.check().await, ("JobNotFound".into(), 1));
    // The stray body may still be in front of this response on the old connection; it must never be taken for it.
    assert_eq!(api.check().await.0, "RUNNING");
}

#[tokio::test]
async fn a_preconnected_connection_sends_nothing_and_serves_the_checks() {
    // One that was closed meanwhile costs one silent retry.
    for (first, sent, connections) in [(None, 1, 1), (Some(Close), 2, 2)] {
        let api = Api::new(first.into_iter().chain([Send(running())]).collect()).await;
        api.http.preconnect(&api.origin).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(api.requests.lock().unwrap().len(), 0);
        for sent in [sent, 1, 1] {
            assert_eq!(api.check().await, ("RUNNING".into(), sent));
        }
        assert_eq!(api.connections.load(Ordering::SeqCst), connections);
    }
}
