//! One row for each response of the token endpoint that is known, documented, or reported.

use super::*;
use crate::error::ErrorCause;
use crate::http::{HttpResponse, NoResponse};
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::ZohoServer;
use ::http::StatusCode;
use ::http::header::RETRY_AFTER;
use ErrorType::*;
use secrecy::SecretString;

const SECRETS: [&str; 3] = ["client-one", "secret-two", "refresh-three"];

fn host() -> ZohoHost {
    ZohoHost {
        server: ZohoServer::Accounts,
        origin: DataCenter::named("EU").unwrap().accounts_origin(),
        setting: "`data_center` in the secret",
        conflicting: None,
    }
}

fn respond_with(status: u16, headers: &HeaderMap, body: Option<&str>) -> Result<IssuedToken, WatchError> {
    let exchange = Exchange {
        host: &host(),
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.clone(),
        body: body.map(Into::into),
        now: Timestamp::from_epoch_seconds(1_795_428_000), // 2026-11-23T10:00:00Z
        secrets: &SECRETS,
    };
    classify(&exchange, "ZohoCRM.change_owner.READ")
}

fn respond(status: u16, body: &str) -> Result<IssuedToken, WatchError> {
    respond_with(status, &HeaderMap::new(), Some(body))
}

/// An accounts server that responds once.
struct Accounts(Result<HttpResponse, TransportError>);

impl HttpClient for Accounts {
    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse, TransportError> {
        assert_eq!((request.method, request.path.as_str()), (Method::POST, "/oauth/v2/token"));
        assert_eq!(request.headers["accept-encoding"], "identity");
        self.0.clone()
    }

    async fn preconnect(&self, _: &Origin) {}
}

#[tokio::test]
async fn only_what_did_not_reach_the_server_is_unsent() {
    let failure = |stage, reason| {
        let mut error = TransportError::new(stage, "it failed");
        error.reason = reason;
        Err(error)
    };
    let body = br#"{"access_token":"t"}"#.into();
    let whole = HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body };
    for (sent, expected) in [
        (Ok(whole), Ok("t")),
        (failure(Stage::Oversized(StatusCode::OK), NoResponse::Other), Err((false, "exceeds 1 MiB"))),
        (failure(Stage::Connecting, NoResponse::TimedOut), Err((true, "outbound network path"))),
        (failure(Stage::Connecting, NoResponse::UnknownHost), Err((true, "cannot be resolved"))),
        (failure(Stage::Responding, NoResponse::UnknownAuthority), Err((false, "SSL_CERT_FILE"))),
    ] {
        let [client_id, client_secret, refresh_token] = SECRETS.map(SecretString::from);
        let credentials = Credentials { client_id, client_secret, grant: Grant::RefreshToken(refresh_token) };
        let now = Timestamp::from_epoch_seconds(0);
        let issued = Accounts(sent).request_token(&host(), &credentials, now, Duration::from_secs(1)).await;
        match (issued, expected) {
            (Ok(issued), Ok(token)) => assert_eq!(issued.token.expose(), token),
            (Err(failure), Err((unsent, part))) => {
                assert_eq!(failure.unsent, unsent, "{}", failure.error);
                for part in [part, "https://accounts.zoho.eu", "`data_center` in the secret"] {
                    assert!(failure.error.message().contains(part), "{}", failure.error);
                }
            }
            (issued, expected) => panic!("{} instead of {expected:?}", issued.is_ok()),
        }
    }
}

#[test]
fn tokens_and_their_lifetimes() {
    for (fields, seconds, api) in [
        (
            r#""api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600"#,
            3_600,
            Some("https://www.zohoapis.eu"),
        ),
        (r#""api_domain":"http://evil.example","x":"\ud800","y":1e400"#, 3_600, None),
        (r#""api_domain":7,"access_token":"t""#, 3_600, None),
        // Seconds, or milliseconds as in the older shape.
        (r#""expires_in":"1800""#, 1_800, None),
        (r#""expires_in":60.0"#, 60, None),
        (r#""expires_in":86400"#, 86_400, None),
        (r#""expires_in":86400000"#, 86_400, None),
        (r#""expires_in_sec":"7200","expires_in":7200000"#, 7_200, None),
        // Not plausible: the documented hour.
        (r#""expires_in":0.5"#, 3_600, None),
        (r#""expires_in":-1"#, 3_600, None),
        (r#""expires_in":86400001000"#, 3_600, None),
        (r#""expires_in":1e400"#, 3_600, None),
        (r#""expires_in":"soon""#, 3_600, None),
        (r#""expires_in":{"seconds":60}"#, 3_600, None),
        (r#""expires_in_sec":-1,"expires_in":60"#, 60, None),
        (r#""expires_in_sec":86401"#, 3_600, None),
    ] {
        let issued = respond(200, &format!(r#"{{"access_token":"t",{fields}}}"#)).unwrap();
        assert_eq!(issued.token.expose(), "t");
        assert_eq!(issued.lifetime, Duration::from_secs(seconds), "{fields}");
        assert_eq!(issued.api_domain.as_ref().map(Origin::as_str), api, "{fields}");
    }
}

#[test]
fn errors() {
    const THROTTLED: &str = r#"{"error":"Access Denied","error_description":"You have made too many requests continuously. Please try again after some time.","status":"failure"}"#;
    let (stated, not_json) = (ErrorCause::Stated, ErrorCause::NotJson);
    for (status, body, kind, cause, part) in [
        (200, r#"{"error":"invalid_code"}"#, TokenRejected, stated, "20 for each user and client"),
        (400, r#"{"error":"INVALID GRANT"}"#, TokenRejected, stated, "rejected the `refresh_token`"),
        (200, r#"{"error":"invalid_client"}"#, TokenRejected, stated, "correct `data_center` in the secret"),
        (401, r#"{"error":"unauthorized_client"}"#, TokenRejected, stated, "does not know the `client_id`"),
        (200, r#"{"error":"invalid_client_secret"}"#, TokenRejected, stated, "Copy `client_secret` again"),
        (200, r#"{"error":"invalid_scope"}"#, TokenRejected, stated, "scope was ZohoCRM.change_owner.READ"),
        // Too many requests, in whatever words.
        (400, THROTTLED, TokenRateLimited, stated, "10 in 10 minutes"),
        (200, r#"{"error":"Access Denied","status":"failure"}"#, TokenRateLimited, stated, "Access Denied"),
        (401, r#"{"error":"access_denied","error_description":"no"}"#, TokenRateLimited, stated, "HTTP 401"),
        (429, r#"{"error":"invalid_client"}"#, TokenRateLimited, stated, "HTTP 429"),
        (429, "slow down", TokenRateLimited, stated, "HTTP 429"),
        (400, r#"{"error":{"title":"THROTTLES_LIMIT"}}"#, TokenRateLimited, stated, "THROTTLES_LIMIT"),
        // Any other word is no rejection.
        (200, r#"{"error":"server_error"}"#, ZohoUnavailable, stated, "server_error"),
        (400, r#"{"error":"something_new"}"#, ZohoUnavailable, stated, "something_new"),
        (500, r#"{"error":"invalid_code"}"#, ZohoUnavailable, stated, "HTTP 500"),
        (503, "<html>Down for maintenance</html>", ZohoUnavailable, stated, "Down for maintenance"),
        (200, "<html>", ZohoUnexpectedResponse, not_json, "is not JSON"),
        (302, "", ZohoUnexpectedResponse, not_json, "a redirect"),
        (404, "{}", ZohoUnexpectedResponse, not_json, "has no error code"),
        (200, r#"{"access_token":"1000"#, ZohoUnexpectedResponse, not_json, "is not JSON"),
        (200, "{}", ZohoUnexpectedResponse, stated, "ZOHO_ACCOUNTS_DOMAIN"),
        (200, r#"{"access_token":"a b"}"#, ZohoUnexpectedResponse, stated, "neither an access token"),
    ] {
        let error = respond(status, body).unwrap_err();
        assert_eq!((error.kind(), error.cause()), (kind, cause), "{status} {body}");
        for part in [part, &format!("HTTP {status}"), "https://accounts.zoho.eu, set by"] {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
    }
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("30"))]);
    let error = respond_with(429, &headers, None).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}

#[test]
fn neither_credentials_nor_new_tokens_are_shown() {
    for (status, body) in [
        (400, r#"{"error":"invalid_client","error_description":"unknown client-one with secret-two"}"#),
        (400, r#"{"error":"refresh-three is bad"}"#),
        (400, "<html>client_id=client-one&secret=secret-two</html>"),
        (200, r#"{"access_token":"hunter2"#),
        (200, r#"{"access_token":"hunter2 3","expires_in":3600}"#),
        (200, r#"{"token":"hunter2"}"#),
        (201, "hunter2"),
        (500, r#"{"access_token":"hunter2"#),
        (302, "Access_Token=hunter2"),
    ] {
        let shown = format!("{:?}", respond(status, body).unwrap_err());
        assert!(SECRETS.iter().chain(&["hunter"]).all(|secret| !shown.contains(secret)), "{shown}");
    }
}

#[test]
fn forms_contain_the_grant() {
    let (client_id, client_secret) = ("a&b".into(), "c d".into());
    let mut credentials =
        Credentials { client_id, client_secret, grant: Grant::RefreshToken("1000.x=".into()) };
    assert_eq!(
        form_body(&credentials),
        "client_id=a%26b&client_secret=c+d&grant_type=refresh_token&refresh_token=1000.x%3D"
    );
    credentials.grant = Grant::ClientCredentials { soid: "ZohoCRM.1".into(), scope: "a,b".into() };
    assert_eq!(
        form_body(&credentials),
        "client_id=a%26b&client_secret=c+d&grant_type=client_credentials&scope=a%2Cb&soid=ZohoCRM.1"
    );
}
