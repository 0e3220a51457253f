//! One row for each response of the token endpoint that is known, documented, or reported.

use super::*;
use crate::error::ErrorCause;
use crate::http::{NoResponse, TransportError};
use crate::tests::at;
use crate::zoho::hosts::ZohoServer;
use ::http::StatusCode;
use ::http::header::RETRY_AFTER;
use ErrorType::*;

fn host() -> ZohoHost {
    crate::tests::host(ZohoServer::Accounts, "EU", "`data_center` in the secret")
}

fn respond(status: u16, body: &str) -> Result<IssuedToken, WatchError> {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("30"))]);
    let status = StatusCode::from_u16(status).unwrap();
    let (body, now) = (Some(body.into()), at("10:00:00"));
    let exchange = Exchange { host: &host(), status, headers, body, now, secrets: &[] };
    classify(&exchange, "ZohoCRM.change_owner.READ")
}

#[test]
fn what_responds_in_no_way_is_described_by_its_cause() {
    for (reason, part) in [
        (NoResponse::TimedOut, "outbound network path"),
        (NoResponse::UnknownHost, "cannot be resolved"),
        (NoResponse::Certificate, "SSL_CERT_FILE"),
        (NoResponse::Proxy, "The proxy that HTTPS_PROXY or ALL_PROXY names"),
        (NoResponse::Other, "it needs a NAT gateway and a security group"),
    ] {
        let error = TransportError::new(reason, "it failed");
        let error = exchange::no_response(&host(), &error);
        for part in [part, "https://accounts.zoho.eu", "`data_center` in the secret"] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[test]
fn tokens_and_their_lifetimes() {
    let eu = Some("https://www.zohoapis.eu");
    for (fields, seconds, api) in [
        (r#""api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600"#, 3_600, eu),
        (r#""api_domain":"http://evil.example","x":"\ud800","y":1e400"#, 3_600, None),
        (r#""api_domain":7,"access_token":"t""#, 3_600, None),
        // Seconds, or next to them milliseconds as in the older shape.
        (r#""expires_in":"1800""#, 1_800, None),
        (r#""expires_in":86400"#, 86_400, None),
        (r#""expires_in_sec":"7200","expires_in":7200000"#, 7_200, None),
        (r#""expires_in_sec":-1,"expires_in":60.0"#, 60, None),
        // Not plausible: the documented hour.
        (r#""expires_in":0"#, 3_600, None),
        (r#""expires_in":1800000"#, 3_600, None),
    ] {
        let issued = respond(200, &format!(r#"{{"access_token":"t",{fields}}}"#)).unwrap();
        assert_eq!(issued.token.expose(), "t");
        assert_eq!(issued.lifetime, Duration::from_secs(seconds), "{fields}");
        assert_eq!(issued.api_domain.as_ref().map(Origin::as_str), api, "{fields}");
    }
}

#[test]
fn errors() {
    for (status, body, kind, part) in [
        (200, r#"{"error":"invalid_code"}"#, TokenRejected, "20 for each user and client"),
        (400, r#"{"error":"INVALID GRANT"}"#, TokenRejected, "rejected the `refresh_token`"),
        (200, r#"{"error":"invalid_client"}"#, TokenRejected, "correct `data_center` in the secret"),
        (401, r#"{"error":"unauthorized_client"}"#, TokenRejected, "does not know the `client_id`"),
        (200, r#"{"error":"invalid_client_secret"}"#, TokenRejected, "Copy `client_secret` again"),
        (200, r#"{"error":"invalid_scope"}"#, TokenRejected, "scope was ZohoCRM.change_owner.READ"),
        // Too many requests, in whatever words.
        (400, r#"{"error":"Access Denied","error_description":"d"}"#, TokenRateLimited, "10 in 10 minutes"),
        (401, r#"{"error":"access_denied","error_description":"no"}"#, TokenRateLimited, "access_denied"),
        (429, r#"{"error":"invalid_client"}"#, TokenRateLimited, ""),
        (429, "slow down", TokenRateLimited, ""),
        (400, r#"{"error":{"title":"THROTTLES_LIMIT"}}"#, TokenRateLimited, "THROTTLES_LIMIT"),
        // Any other word is no rejection.
        (400, r#"{"error":"something_new"}"#, ZohoUnavailable, "something_new"),
        (500, r#"{"error":"invalid_code"}"#, ZohoUnavailable, ""),
        (503, "<html>Down for maintenance</html>", ZohoUnavailable, "Down for maintenance"),
        (200, "{}", ZohoUnexpectedResponse, "ZOHO_ACCOUNTS_DOMAIN"),
        (200, r#"{"access_token":"a b"}"#, ZohoUnexpectedResponse, "neither an access token"),
        // Probably not from Zoho.
        (200, "<html>", ZohoUnexpectedResponse, "is not JSON"),
        (404, "{}", ZohoUnexpectedResponse, "has no error code"),
    ] {
        let error = respond(status, body).unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
        let is_zohos = !["is not JSON", "has no error code"].contains(&part);
        assert_eq!(error.cause == ErrorCause::Stated, is_zohos, "{status} {body}");
        assert!(status != 429 || error.retry_after == Some(Duration::from_secs(30)), "{status} {body}");
        for part in [part, &format!("HTTP {status}"), "https://accounts.zoho.eu, set by"] {
            assert!(error.message.contains(part), "{part:?} is not in {error}");
        }
    }
}

/// Even if the response is damaged.
#[test]
fn new_tokens_are_never_shown() {
    for (status, body) in [
        (200, r#"{"access_token":"hunter2"#),
        (200, r#"{"access_token":"hunter2 3","expires_in":3600}"#),
        (201, "hunter2"),
        (500, r#"{"access_token":"hunter2"#),
        (302, "Access_Token=hunter2"),
    ] {
        let shown = format!("{:?}", respond(status, body).unwrap_err());
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
