//! One row for each response of the token endpoint that is known, documented, or reported.

use super::*;
use crate::http::HttpResponse as Response;
use crate::zoho::data_center::{DataCenter, DataCenterSource};
use crate::zoho::hosts::HostSource;
use ::http::header::RETRY_AFTER;
use secrecy::SecretString;

const SECRETS: [&str; 3] = ["client-one", "secret-two", "refresh-three"];

fn host(source: HostSource) -> AccountsHost {
    AccountsHost { origin: Origin::parse_host("accounts.zoho.eu").unwrap(), source }
}

fn by_data_center() -> AccountsHost {
    host(HostSource::DataCenter(DataCenter::named("EU").unwrap(), DataCenterSource::SecretField))
}

fn respond_with(
    host: &AccountsHost,
    status: u16,
    headers: &HeaderMap,
    body: &str,
) -> Result<IssuedToken, Box<TokenError>> {
    classify(&TokenResponse {
        host,
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.as_bytes(),
        now: Timestamp::from_epoch_seconds(1_795_428_000), // 2026-11-23T10:00:00Z
        secrets: &SECRETS,
    })
}

fn respond(status: u16, body: &str) -> Result<IssuedToken, Box<TokenError>> {
    respond_with(&by_data_center(), status, &HeaderMap::new(), body)
}

/// An accounts server that responds once, to a request that may take up to the limit.
struct Accounts(Result<Response, TransportError>);

impl HttpClient for Accounts {
    async fn send(&self, request: Request<'_>) -> Result<Response, TransportError> {
        assert_eq!((request.method, request.body_limit), (Method::POST, 65_536));
        self.0.clone()
    }

    async fn preconnect(&self, _: &Origin) {}
}

#[tokio::test]
async fn a_response_without_its_body_keeps_the_meaning_of_its_status() {
    let oversized = |status| Err(TransportError::new(Stage::Oversized(status), "the body is too large"));
    let whole = Response {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: br#"{"access_token":"t"}"#.into(),
    };
    for (sent, expected) in [
        (Ok(whole), Ok("t")),
        (
            oversized(StatusCode::TOO_MANY_REQUESTS),
            Err((ErrorType::TokenRateLimited, "HTTP 429 with more than 64 KiB")),
        ),
        (
            oversized(StatusCode::BAD_GATEWAY),
            Err((ErrorType::ZohoUnavailable, "HTTP 502 with more than 64 KiB")),
        ),
        (
            Err(TransportError::new(Stage::Connecting, "refused")),
            Err((ErrorType::ZohoUnavailable, "did not respond (https://accounts.zoho.eu")),
        ),
    ] {
        let [client_id, client_secret, refresh_token] = SECRETS.map(SecretString::from);
        let credentials = Credentials { client_id, client_secret, grant: Grant::RefreshToken(refresh_token) };
        let now = Timestamp::from_epoch_seconds(0);
        let timeout = Duration::from_secs(1);
        let issued = Accounts(sent).request_token(&by_data_center(), &credentials, now, timeout).await;
        match (issued, expected) {
            (Ok(issued), Ok(token)) => assert_eq!(issued.token.expose(), token),
            (Err(failure), Err((kind, part))) => {
                assert_eq!(failure.error.kind(), kind);
                assert!(failure.error.message().contains(part), "{}", failure.error);
            }
            (issued, expected) => panic!("{} instead of {expected:?}", issued.is_ok()),
        }
    }
}

#[test]
fn tokens_in_both_shapes() {
    for (body, seconds, api) in [
        (
            r#"{"access_token":"t","api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600}"#,
            3_600,
            Some("https://www.zohoapis.eu"),
        ),
        (r#"{"access_token":"t","expires_in_sec":3600,"expires_in":3600000}"#, 3_600, None),
        (r#"{"access_token":"t","api_domain":"http://evil.example"}"#, 3_600, None),
        (r#"{"access_token":"t","api_domain":7}"#, 3_600, None),
        (r#"{"x":"\ud800","y":1e400,"access_token":"t","access_token":"t"}"#, 3_600, None),
    ] {
        let issued = respond(200, body).unwrap();
        assert_eq!(issued.token.expose(), "t");
        assert_eq!(issued.lifetime, Duration::from_secs(seconds), "{body}");
        assert_eq!(issued.api_domain.as_ref().map(Origin::as_str), api, "{body}");
    }
}

#[test]
fn lifetimes_are_between_a_second_and_a_day() {
    for (lifetime, seconds) in [
        (r#""expires_in":3600"#, 3_600),
        (r#""expires_in":"1800""#, 1_800),
        (r#""expires_in":3600.0"#, 3_600),
        (r#""expires_in":60"#, 60),
        (r#""expires_in":1"#, 1),
        (r#""expires_in":86400"#, 86_400),
        (r#""expires_in":3600000"#, 3_600),
        (r#""expires_in":86400000"#, 86_400),
        (r#""expires_in_sec":7200,"expires_in":7200000"#, 7_200),
        (r#""expires_in_sec":"7200""#, 7_200),
        // Not plausible: the documented hour.
        (r#""expires_in":0"#, 3_600),
        (r#""expires_in":0.5"#, 3_600),
        (r#""expires_in":-1"#, 3_600),
        (r#""expires_in":86400001000"#, 3_600),
        (r#""expires_in":99999999999999999999999"#, 3_600),
        (r#""expires_in":1e400"#, 3_600),
        (r#""expires_in":"soon""#, 3_600),
        (r#""expires_in":null"#, 3_600),
        (r#""expires_in":{"seconds":60}"#, 3_600),
        (r#""expires_in_sec":-1,"expires_in":60"#, 60),
        (r#""expires_in_sec":86401"#, 3_600),
    ] {
        let issued = respond(200, &format!(r#"{{"access_token":"t",{lifetime}}}"#)).unwrap();
        assert_eq!(issued.lifetime, Duration::from_secs(seconds), "{lifetime}");
    }
}

#[test]
fn errors() {
    use ErrorType::*;
    const THROTTLED: &str = r#"{"error":"Access Denied","error_description":"You have made too many requests continuously. Please try again after some time.","status":"failure"}"#;
    for (status, body, kind, is_transient) in [
        (200, r#"{"error":"invalid_code"}"#, TokenRejected, false),
        (400, r#"{"error":"invalid_code"}"#, TokenRejected, false),
        (200, r#"{"error":"invalid_client"}"#, TokenRejected, false),
        (200, r#"{"error":"invalid_client_secret"}"#, TokenRejected, false),
        (401, r#"{"error":"access_denied"}"#, TokenRejected, false),
        (400, r#"{"error":"Access Denied","error_description":"For other reasons."}"#, TokenRejected, false),
        (400, THROTTLED, TokenRateLimited, false),
        (200, THROTTLED, TokenRateLimited, false),
        (429, "slow down", TokenRateLimited, false),
        (400, r#"{"error":"slow_down"}"#, TokenRateLimited, false),
        (429, r#"{"error":"invalid_client"}"#, TokenRateLimited, false),
        (500, r#"{"error":"server_error"}"#, ZohoUnavailable, true),
        (200, r#"{"error":"server_error"}"#, ZohoUnavailable, true),
        (503, "<html>", ZohoUnavailable, true),
        // Not JSON at all: it may be a stray page.
        (200, "<html>", ZohoUnexpectedResponse, true),
        (200, "", ZohoUnexpectedResponse, true),
        (302, "", ZohoUnexpectedResponse, true),
        (404, "", ZohoUnexpectedResponse, true),
        (200, r#"{"access_token":"1000"#, ZohoUnexpectedResponse, true),
        // JSON, but not the documented one.
        (200, "{}", ZohoUnexpectedResponse, false),
        (200, "[]", ZohoUnexpectedResponse, false),
        (200, r#"{"access_token":""}"#, ZohoUnexpectedResponse, false),
        (200, r#"{"access_token":"a b"}"#, ZohoUnexpectedResponse, false),
        (200, r#"{"access_token":7}"#, ZohoUnexpectedResponse, false),
        (404, "{}", ZohoUnexpectedResponse, false),
    ] {
        let error = respond(status, body).unwrap_err();
        assert_eq!((error.error.kind(), error.is_transient), (kind, is_transient), "{status} {body}");
        assert!(error.error.message().contains(&format!("HTTP {status}")), "{}", error.error);
        assert!(!error.unsent);
    }
}

#[test]
fn oversized_responses_keep_the_meaning_of_their_status() {
    for (status, kind, is_transient) in [
        (200, ErrorType::ZohoUnexpectedResponse, false),
        (404, ErrorType::ZohoUnexpectedResponse, false),
        (429, ErrorType::TokenRateLimited, false),
        (500, ErrorType::ZohoUnavailable, true),
    ] {
        let response = TokenResponse {
            host: &by_data_center(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: &HeaderMap::new(),
            body: b"",
            now: Timestamp::from_epoch_seconds(0),
            secrets: &[],
        };
        let error = response.oversized();
        assert_eq!((error.error.kind(), error.is_transient), (kind, is_transient), "{status}");
    }
}

#[test]
fn cooldowns() {
    for (retry_after, expected) in [
        (None, 600),
        (Some("30"), 30),
        (Some("Mon, 23 Nov 2026 10:02:00 GMT"), 120),
        (Some("86400"), 600),
        (Some("soon"), 600),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        }
        let error = respond_with(&by_data_center(), 429, &headers, "").unwrap_err();
        assert_eq!(error.cooldown, Duration::from_secs(expected), "{retry_after:?}");
    }
    assert_eq!(respond(200, r#"{"error":"invalid_code"}"#).unwrap_err().cooldown, REJECTED_COOLDOWN);
    assert_eq!(respond(503, "").unwrap_err().cooldown, ERROR_COOLDOWN);
}

#[test]
fn messages_name_the_host_where_it_comes_from_and_what_to_do() {
    const EU: &str = "https://accounts.zoho.eu, the host of data center EU (`data_center` in the secret)";
    let variable = host(HostSource::Variable("ZOHO_ACCOUNTS_DOMAIN"));
    let field = host(HostSource::SecretField("accounts_domain"));
    for (host, body, parts) in [
        (
            by_data_center(),
            r#"{"error":"invalid_client"}"#,
            &["does not know the `client_id` in the secret (", EU, "correct `data_center`"][..],
        ),
        (
            by_data_center(),
            r#"{"error":"invalid_code"}"#,
            &["rejected the `refresh_token` in the secret (", EU, "exchange it", "invalid_code"],
        ),
        (
            by_data_center(),
            r#"{"error":"invalid_client_secret"}"#,
            &["rejected the `client_secret` in the secret (", EU],
        ),
        (by_data_center(), "{}", &["is not the documented JSON (", EU, "ZOHO_ACCOUNTS_DOMAIN"]),
        (
            variable,
            r#"{"error":"invalid_client"}"#,
            &["set by ZOHO_ACCOUNTS_DOMAIN", "correct ZOHO_ACCOUNTS_DOMAIN"],
        ),
        (field, r#"{"error":"access_denied"}"#, &["set by `accounts_domain` in the secret", "access_denied"]),
    ] {
        let error = respond_with(&host, 200, &HeaderMap::new(), body).unwrap_err().error;
        for part in parts {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
    }
}

#[test]
fn hints_about_no_response_depend_on_the_cause() {
    use crate::http::NoResponse as Reason;
    for (reason, part) in
        [(Reason::TimedOut, "outbound network path"), (Reason::UnknownAuthority, "SSL_CERT_FILE")]
    {
        for (stage, unsent) in [(Stage::Connecting, true), (Stage::Responding, false)] {
            let mut error = TransportError::new(stage, "it failed");
            error.reason = reason;
            let error = no_response(&host(HostSource::Variable("ZOHO_ACCOUNTS_DOMAIN")), &error);
            assert_eq!((error.unsent, error.is_transient), (unsent, true));
            for part in [part, "https://accounts.zoho.eu", "it failed", "correct ZOHO_ACCOUNTS_DOMAIN"] {
                assert!(error.error.message().contains(part), "{part:?} is not in {}", error.error);
            }
        }
    }
}

#[test]
fn credentials_that_the_server_echoes_are_masked() {
    for body in [
        r#"{"error":"invalid_client","error_description":"unknown client-one with secret-two"}"#,
        r#"{"error":"refresh-three is bad"}"#,
        "<html>client_id=client-one&secret=secret-two</html>",
    ] {
        let error = respond(400, body).unwrap_err();
        for secret in SECRETS {
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
}

#[test]
fn other_responses_are_quoted() {
    let error = respond(503, "<html>Down for maintenance</html>").unwrap_err();
    assert!(error.error.message().contains("Down for maintenance"), "{error:?}");
}

#[test]
fn new_tokens_are_never_shown_whatever_they_look_like() {
    for (status, body) in [
        (200, r#"{"access_token":"hunter2"#),
        (200, r#"{"access_token":"hunter2 3","expires_in":3600}"#),
        (200, r#"{"token":"hunter2"}"#),
        (201, "hunter2"),
        (200, r#"<html>hunter2"#),
        (200, r#"["hunter2"]"#),
        (500, r#"{"access_token":"hunter2"#),
        (302, r#"Access_Token=hunter2"#),
    ] {
        let error = respond(status, body).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
}

#[test]
fn forms_contain_the_grant() {
    let mut credentials = Credentials {
        client_id: "a&b".into(),
        client_secret: "c d".into(),
        grant: Grant::RefreshToken("1000.x=".into()),
    };
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
