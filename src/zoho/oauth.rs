//! Zoho's accounts server: what is sent for a token, and what the answers mean.

use crate::error::{ErrorType, WatchError};
use crate::http::origin::Origin;
use crate::http::{HttpClient, Request, Response, Stage};
use crate::redact;
use crate::zoho::credentials::{AccessToken, Credentials, Grant};
use crate::zoho::hosts::AccountsHost;
use ::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use std::future::Future;
use std::time::Duration;

/// A token as the accounts server gave it.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: AccessToken,
    /// Where Zoho tells clients to use it, where the answer names a usable host.
    pub api_domain: Option<Origin>,
    /// How long it lives.
    pub lifetime: Duration,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// What the caller is told.
    pub error: WatchError,
    /// For how long asking again is pointless, by anybody with the same credentials.
    pub quiet: Duration,
    /// No connection was had, so that the request may be sent again at once: each one that arrives counts as a token.
    pub unsent: bool,
}

/// 10 tokens in 10 minutes for a refresh token, then none for the rest of those 10 minutes (Zoho CRM's documentation).
pub const THROTTLE_WINDOW: Duration = Duration::from_secs(600);

/// How long a refusal of the credentials is taken for granted: they rarely mend themselves.
const REFUSAL_QUIET: Duration = Duration::from_secs(60);

/// After a fault of the accounts server, all copies leave it alone for a moment.
const FAULT_QUIET: Duration = Duration::from_secs(1);

/// A token's life where the answer does not say: an hour, by the documentation.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3_600);

/// Issues access tokens.
pub trait TokenEndpoint: Send + Sync {
    /// Asks an accounts server for a token, once.
    fn request_token(
        &self,
        accounts: &AccountsHost,
        credentials: &Credentials,
        timeout: Duration,
    ) -> impl Future<Output = Result<IssuedToken, Box<TokenError>>> + Send;
}

impl<H: HttpClient> TokenEndpoint for H {
    async fn request_token(
        &self,
        accounts: &AccountsHost,
        credentials: &Credentials,
        timeout: Duration,
    ) -> Result<IssuedToken, Box<TokenError>> {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let sent = self.send(Request {
            method: Method::POST,
            origin: &accounts.origin,
            path: "/oauth/v2/token".to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]),
            body: form_body(credentials),
            timeout,
            body_limit: BODY_LIMIT,
        });
        match sent.await {
            Ok(Response { status, headers, body }) => {
                let body = String::from_utf8_lossy(&body);
                classify(status, &headers, &body, &credentials.secrets())
            }
            Err(error) => Err(Box::new(TokenError {
                error: WatchError::new(
                    ErrorType::ZohoUnavailable,
                    format!("Zoho's accounts server {accounts} did not respond ({error})"),
                ),
                quiet: FAULT_QUIET,
                unsent: error.stage == Stage::Connecting,
            })),
        }
    }
}

/// A token reply has under 1 KiB.
const BODY_LIMIT: usize = 64 << 10;

/// The form body; never the query, which ends up in logs.
fn form_body(credentials: &Credentials) -> String {
    let mut pairs = vec![
        ("client_id", credentials.client_id.expose_secret()),
        ("client_secret", credentials.client_secret.expose_secret()),
    ];
    match &credentials.grant {
        Grant::RefreshToken(token) => {
            pairs.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())]);
        }
        Grant::ClientCredentials { soid, scope } => pairs.extend([
            ("grant_type", "client_credentials"),
            ("scope", scope.as_str()),
            ("soid", soid.expose_secret()),
        ]),
    }
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What an answer of the token endpoint means. Judged by the presence of `access_token`: errors come with HTTP 200 too.
pub fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    secrets: &[&str],
) -> Result<IssuedToken, Box<TokenError>> {
    let object: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
    if let Some(token) = object.get("access_token").and_then(Value::as_str).and_then(AccessToken::parse) {
        let api_domain =
            object.get("api_domain").and_then(Value::as_str).and_then(|text| Origin::parse(text).ok());
        return Ok(IssuedToken { token, api_domain, lifetime: lifetime(&object) });
    }
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let code = text("error");
    let safe = |text: &str| redact::quote(&redact::without(text, secrets));
    let said = match (code, text("error_description")) {
        ("", _) => format!("HTTP {} {:?}", status.as_u16(), safe(body)),
        (code, "") => format!("HTTP {} {}", status.as_u16(), safe(code)),
        (code, description) => format!("HTTP {} {}: {}", status.as_u16(), safe(code), safe(description)),
    };
    let (kind, quiet, advice) = if is_throttle(status, code, text("error_description")) {
        let told = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let quiet = told.map_or(THROTTLE_WINDOW, Duration::from_secs).min(THROTTLE_WINDOW);
        (
            ErrorType::TokenRateLimited,
            quiet,
            "too many tokens were asked for with these credentials (10 in 10 minutes); something else may be minting with them too. Try again in some minutes",
        )
    } else if status.is_server_error()
        || matches!(code, "server_error" | "internal_error" | "temporarily_unavailable")
    {
        (
            ErrorType::ZohoUnavailable,
            FAULT_QUIET,
            "Zoho's accounts server has a fault of its own. Try again later",
        )
    } else if code.is_empty() {
        (
            ErrorType::ZohoUnexpectedResponse,
            FAULT_QUIET,
            "the accounts server's answer is not the documented JSON. Check ZOHO_ACCOUNTS_DOMAIN (and accounts_domain and data_center in the secret)",
        )
    } else {
        (
            ErrorType::TokenRejected,
            REFUSAL_QUIET,
            "Zoho refuses the credentials in the secret. Check that they are whole, of this data centre and not revoked; make new ones in Zoho's API console if need be",
        )
    };
    Err(Box::new(TokenError {
        error: WatchError::new(kind, format!("{advice} ({said})")),
        quiet,
        unsent: false,
    }))
}

/// Zoho's throttle answer is an "Access Denied" whose description tells it from a real one.
fn is_throttle(status: StatusCode, code: &str, description: &str) -> bool {
    let description = description.to_ascii_lowercase();
    status == StatusCode::TOO_MANY_REQUESTS
        || (!code.is_empty() && description.contains("too many requests"))
        || matches!(code, "too_many_requests" | "slow_down")
}

/// `expires_in_sec` where the older shape has it (its `expires_in` counts milliseconds), else `expires_in`; a number
/// beyond a day can only be milliseconds.
fn lifetime(object: &Map<String, Value>) -> Duration {
    let number = |key| {
        let value = object.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let day = 86_400;
    let seconds = number("expires_in_sec")
        .or_else(|| number("expires_in").map(|told| if told > day { told / 1_000 } else { told }))
        .filter(|seconds| (1..=day).contains(seconds));
    seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: [&str; 3] = ["client-one", "secret-two", "refresh-three"];

    fn answer(status: u16, body: &str) -> Result<IssuedToken, Box<TokenError>> {
        classify(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body, &SECRETS)
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
            (r#"{"access_token":"t","expires_in":3600000}"#, 3_600, None),
            (r#"{"access_token":"t","expires_in":"1800"}"#, 1_800, None),
            (r#"{"access_token":"t","expires_in":60}"#, 60, None),
            (r#"{"access_token":"t"}"#, 3_600, None),
            (r#"{"access_token":"t","expires_in":0}"#, 3_600, None),
            (r#"{"access_token":"t","expires_in":-1}"#, 3_600, None),
            // A token is never sent to a host in the clear, whoever names it.
            (r#"{"access_token":"t","api_domain":"http://evil.example"}"#, 3_600, None),
            (
                r#"{"access_token":"t","api_domain":"http://127.0.0.1:8600"}"#,
                3_600,
                Some("http://127.0.0.1:8600"),
            ),
        ] {
            let minted = answer(200, body).unwrap();
            assert_eq!(minted.token.expose(), "t");
            assert_eq!(minted.lifetime, Duration::from_secs(seconds), "{body}");
            assert_eq!(minted.api_domain.as_ref().map(Origin::as_str), api, "{body}");
        }
    }

    #[test]
    fn refusals() {
        use ErrorType::*;
        for (status, body, kind) in [
            (200, r#"{"error":"invalid_code"}"#, TokenRejected),
            (400, r#"{"error":"invalid_code"}"#, TokenRejected),
            (200, r#"{"error":"invalid_client"}"#, TokenRejected),
            (200, r#"{"error":"invalid_client_secret"}"#, TokenRejected),
            (401, r#"{"error":"access_denied"}"#, TokenRejected),
            (
                400,
                r#"{"error":"Access Denied","error_description":"You have made too many requests continuously. Please try again after some time.","status":"failure"}"#,
                TokenRateLimited,
            ),
            (
                400,
                r#"{"error":"Access Denied","error_description":"Denied for other reasons."}"#,
                TokenRejected,
            ),
            (429, "slow down", TokenRateLimited),
            (500, r#"{"error":"server_error"}"#, ZohoUnavailable),
            (200, r#"{"error":"server_error"}"#, ZohoUnavailable),
            (503, "<html>", ZohoUnavailable),
            (200, "<html>", ZohoUnexpectedResponse),
            (200, "{}", ZohoUnexpectedResponse),
            (200, r#"{"access_token":""}"#, ZohoUnexpectedResponse),
            (404, "", ZohoUnexpectedResponse),
        ] {
            assert_eq!(answer(status, body).unwrap_err().error.kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_that_echoes_the_credentials_does_not_show_them() {
        for body in [
            r#"{"error":"invalid_client","error_description":"unknown client-one with secret-two"}"#,
            r#"{"error":"refresh-three is bad"}"#,
            "<html>client_id=client-one&refresh_token=refresh-three</html>",
        ] {
            let refused = answer(400, body).unwrap_err();
            for secret in SECRETS {
                assert!(!format!("{refused:?}").contains(secret), "{refused:?}");
            }
        }
    }

    #[test]
    fn forms_carry_the_grant() {
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
}
