//! The rules of a check, with a scripted Zoho and a secret in memory.

use super::*;
use crate::http::{HttpRequest, HttpResponse, TransportError};
use crate::timestamp::Timestamp;
use crate::token::{Put, Sharing, StoreError, TokenSettings, Version};
use crate::watch::ids::{JobId, ModuleName};
use ::http::{HeaderMap, Method, StatusCode};
use secrecy::SecretString;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const CREDENTIALS: &str = r#"{"client_id":"1000.ID","client_secret":"cs","refresh_token":"1000.rt"}"#;
const RUNNING: (u16, &str) = (200, r#"{"data":[{"Status":"RUNNING"}]}"#);
const INVALID_TOKEN: (u16, &str) = (401, r#"{"code":"INVALID_TOKEN"}"#);
const NO_SCOPE: (u16, &str) = (401, r#"{"code":"OAUTH_SCOPE_MISMATCH"}"#);
const UNAUTHORIZED_PAGE: (u16, &str) = (401, "<html>");
const UNAVAILABLE: (u16, &str) = (503, "");
const OLD: &str = "1000.a.old";
const NEW: &str = "1000.a.new";
/// Where connecting takes forever.
const UNREACHABLE: &str = "https://www.zohoapis.jp";

/// A secret of which each read returns the next content, and the last one from then on.
#[derive(Clone)]
struct Store(Arc<Mutex<VecDeque<&'static str>>>);

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        let mut contents = self.0.lock().unwrap();
        let text = if contents.len() > 1 { contents.pop_front() } else { contents.front().copied() }.unwrap();
        Ok(Version { id: text.into(), created: Timestamp::from_epoch_seconds(0), text: text.into() })
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

/// Issues `token-1`, `token-2`, … and responds to status requests with one response after the other.
#[derive(Clone)]
struct Zoho {
    responses: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl HttpClient for Zoho {
    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        let mut log = self.log.lock().unwrap();
        let (status, body) = if request.method == Method::POST {
            let number = log.iter().filter(|line| line.starts_with("POST")).count().saturating_add(1);
            log.push(format!("POST {}", request.origin));
            let body =
                format!(r#"{{"access_token":"token-{number}","api_domain":"https://www.zohoapis.eu"}}"#);
            (200, body)
        } else {
            let token = request.headers["authorization"].to_str().unwrap().to_owned();
            log.push(format!("GET {} {token}", request.origin));
            let (status, body) = self.responses.lock().unwrap().pop_front().unwrap();
            (status, body.to_owned())
        };
        let status = StatusCode::from_u16(status).unwrap();
        Ok(HttpResponse { status, headers: HeaderMap::new(), body: body.into_bytes() })
    }

    async fn preconnect(&self, origin: &Origin) {
        self.log.lock().unwrap().push(format!("connect {origin}"));
        if origin.as_str() == UNREACHABLE {
            std::future::pending().await
        }
    }
}

fn checker(
    contents: &[&'static str],
    responses: &[(u16, &'static str)],
    api_host: Option<&str>,
) -> (Checker<Store, Zoho>, Zoho) {
    let store = Store(Arc::new(Mutex::new(contents.iter().copied().collect())));
    let zoho =
        Zoho { responses: Arc::new(Mutex::new(responses.iter().copied().collect())), log: Arc::default() };
    let api_host = api_host.map(|host| Origin::parse_host(host).unwrap());
    let clock: Clock = Arc::new(Timestamp::now);
    let request_timeout = Duration::from_secs(5);
    let tokens = TokenSource::new(
        store,
        zoho.clone(),
        TokenSettings {
            api_domain: api_host.clone(),
            accounts_domain: None,
            data_center: None,
            request_timeout,
            sharing: Sharing::ReadWrite,
            clock: clock.clone(),
        },
    );
    let settings = CheckerSettings { api_version: "v8".into(), request_timeout, api_host, clock };
    (Checker::new(tokens, zoho.clone(), settings), zoho)
}

#[tokio::test(start_paused = true)]
async fn one_replacement_token_on_a_401() {
    use ErrorType::*;
    const US: &str = "GET https://www.zohoapis.com Zoho-oauthtoken";
    const EU: &str = "GET https://www.zohoapis.eu Zoho-oauthtoken";
    const POST: &str = "POST https://accounts.zoho.com";
    let get = |host: &str, token: &str| format!("{host} {token}");
    let post = || POST.to_owned();
    for (name, contents, responses, expected, sent) in [
        ("a stored token", &[OLD][..], &[RUNNING][..], Ok("RUNNING"), vec![get(US, OLD)]),
        ("a stored token that stays", &[OLD], &[INVALID_TOKEN], Err(TokenRejected), vec![get(US, OLD)]),
        (
            "a stored token that was replaced",
            &[OLD, NEW],
            &[INVALID_TOKEN, RUNNING],
            Ok("RUNNING"),
            vec![get(US, OLD), get(US, NEW)],
        ),
        (
            "a stored token that was replaced by an invalid one",
            &[OLD, NEW, "1000.a.newer"],
            &[INVALID_TOKEN, INVALID_TOKEN],
            Err(TokenRejected),
            vec![get(US, OLD), get(US, NEW)],
        ),
        ("credentials", &[CREDENTIALS], &[RUNNING], Ok("RUNNING"), vec![post(), get(EU, "token-1")]),
        (
            "credentials, a new token that is not known everywhere yet",
            &[CREDENTIALS],
            &[INVALID_TOKEN, RUNNING],
            Ok("RUNNING"),
            vec![post(), get(EU, "token-1"), get(EU, "token-1")],
        ),
        (
            "credentials, one rejection",
            &[CREDENTIALS],
            &[INVALID_TOKEN, INVALID_TOKEN, RUNNING],
            Ok("RUNNING"),
            vec![post(), get(EU, "token-1"), get(EU, "token-1"), post(), get(EU, "token-2")],
        ),
        (
            "credentials, two rejections",
            &[CREDENTIALS],
            &[INVALID_TOKEN; 4],
            Err(TokenRejected),
            [post(), get(EU, "token-1"), get(EU, "token-1"), post(), get(EU, "token-2"), get(EU, "token-2")]
                .into(),
        ),
        (
            "a missing scope, which another token would not have either",
            &[CREDENTIALS],
            &[NO_SCOPE],
            Err(ScopeMismatch),
            vec![post(), get(EU, "token-1")],
        ),
        (
            "a page of a proxy, which says nothing about the token",
            &[OLD, NEW],
            &[UNAUTHORIZED_PAGE, RUNNING],
            Ok("RUNNING"),
            vec![get(US, OLD), get(US, OLD)],
        ),
        (
            "three attempts in all, with either token",
            &[OLD, NEW],
            &[UNAVAILABLE, UNAVAILABLE, INVALID_TOKEN, UNAVAILABLE],
            Err(ZohoUnavailable),
            vec![get(US, OLD), get(US, OLD), get(US, OLD), get(US, NEW)],
        ),
    ] {
        let (checker, zoho) = checker(contents, responses, None);
        let mut attempts = Attempts::default();
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        let deadline = Deadline::after(Duration::from_secs(60));
        let result = checker.check(&job, true, deadline, &mut attempts).await;
        let result = result.map(|job| job.status.as_str().to_owned()).map_err(|error| error.kind());
        assert_eq!(result.as_deref(), expected.as_ref().copied(), "{name}");
        assert_eq!(*zoho.log.lock().unwrap(), sent, "{name}");
        let status_requests = sent.iter().filter(|line| line.starts_with("GET")).count();
        assert_eq!(attempts.sent, u32::try_from(status_requests).unwrap(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_opened_ahead_of_the_first_check() {
    for (contents, api_host, expected) in [
        (OLD, None, &["connect https://www.zohoapis.com"][..]),
        (CREDENTIALS, None, &["POST https://accounts.zoho.com", "connect https://www.zohoapis.eu"]),
        (OLD, Some("sandbox.zohoapis.in"), &["connect https://sandbox.zohoapis.in"]),
        // Nothing to connect to: the check reports the error.
        ("{}", None, &[]),
    ] {
        let (checker, zoho) = checker(&[contents], &[], api_host);
        checker.warm_up().await;
        assert_eq!(*zoho.log.lock().unwrap(), expected, "{contents}");
    }
}

#[tokio::test(start_paused = true)]
async fn init_does_not_wait_for_a_host_that_is_not_the_right_one() {
    let (mut checker, zoho) = checker(&[CREDENTIALS], &[], None);
    checker.settings.api_host = Some(Origin::parse(UNREACHABLE).unwrap());
    checker.warm_up().await;
    let expected = [
        "connect https://www.zohoapis.jp",
        "POST https://accounts.zoho.com",
        "connect https://www.zohoapis.eu",
    ];
    assert_eq!(*zoho.log.lock().unwrap(), expected);
}
