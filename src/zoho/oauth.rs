//! Zoho's accounts server: the token request, and what the responses mean. Sources: docs/zoho-api.md, "OAuth".

use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, Origin};
use crate::json::{self, Fields};
use crate::metrics;
use crate::timestamp::Timestamp;
use crate::zoho::credentials::{AccessToken, Credentials};
use crate::zoho::exchange::{self, Exchange, Meaning, SERVER_ERROR, THROTTLE};
use crate::zoho::hosts::ZohoHost;
use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method};
use std::time::Duration;

/// An access token as the accounts server issued it.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The access token.
    pub token: AccessToken,
    /// The API host that the response names. [`hosts::api`](crate::zoho::hosts::api) decides whether it is called.
    pub api_domain: Option<Origin>,
    /// How long the token is valid, from one second to one day.
    pub lifetime: Duration,
}

/// Requests a token from an accounts server, once. Zoho counts every request that reaches it.
pub(crate) async fn request_token(
    http: &impl HttpClient,
    accounts: &ZohoHost,
    credentials: &Credentials,
    sent_at: Timestamp,
    timeout: Duration,
) -> Result<IssuedToken, WatchError> {
    let secrets = credentials.secrets();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let request = HttpRequest {
        method: Method::POST,
        origin: &accounts.origin,
        path: "/oauth/v2/token".to_owned(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]),
        // Never in the query, which ends up in logs.
        body: credentials.form(),
        timeout,
    };
    let result = match exchange::send(http, accounts, request, sent_at, &secrets).await {
        Ok(exchange) => classify(&exchange, credentials.scope()),
        Err(error) => Err(exchange::no_response(accounts, &error)),
    };
    match &result {
        Ok(_) => metrics::token_minted(),
        Err(error) if error.kind == ErrorType::TokenRateLimited => metrics::rate_limited(),
        Err(_) => {}
    }
    result
}

/// What a response of the token endpoint means. The presence of `access_token` decides, because errors come with HTTP
/// 200, too (3p). `scope` is the one that was requested.
pub fn classify(exchange: &Exchange<'_>, scope: &str) -> Result<IssuedToken, WatchError> {
    const KEYS: &[&str] = &["access_token", "api_domain", "expires_in", "expires_in_sec"];
    let text = exchange.text();
    let json = json::parse(&text);
    let fields = json.and_then(|json| Fields::of(json, KEYS)).unwrap_or_default();
    let field = |name| fields.parse::<String>(name).unwrap_or_default();
    if let Some(token) = AccessToken::parse(&field("access_token")) {
        let api_domain = Origin::parse(&field("api_domain")).ok();
        let seconds = |name| json::whole_number(fields.get(name)?).filter(|seconds| (1..=86_400).contains(seconds));
        // The older shape has `expires_in_sec` next to an `expires_in` in milliseconds. An hour is documented.
        let seconds = seconds("expires_in_sec").or_else(|| seconds("expires_in")).unwrap_or(3_600);
        return Ok(IssuedToken { token, api_domain, lifetime: Duration::from_secs(seconds) });
    }
    let error = exchange.find_error(json);
    Err(match meaning(&error.code) {
        Some((kind, what, advice)) => exchange.error((kind, what, &advice.replace("{scope}", scope)), &error),
        None if json.is_some() && exchange.status.is_success() => {
            exchange.undocumented("has neither an access token nor an error")
        }
        None => exchange.not_zohos(json.is_some()),
    })
}

/// What the words mean. Only those that are documented to mean a rejection are one.
fn meaning(code: &str) -> Option<Meaning> {
    use ErrorType::{TokenRateLimited, TokenRejected, ZohoUnavailable};
    Some(match code {
        "" => return None,
        // Access Denied is the response to too many requests, whatever its description (live).
        THROTTLE | "ACCESS_DENIED" => (
            TokenRateLimited,
            "Zoho issues no more access tokens for these credentials for now",
            "Zoho issues 10 in 10 minutes; something else may use the same credentials. Try again in a few minutes",
        ),
        "INVALID_CODE" | "INVALID_GRANT" => (
            TokenRejected,
            "Zoho's accounts server rejected the `refresh_token` in the secret",
            "A refresh token is valid until it is revoked, for its own client and data center (check {setting}). Zoho \
             keeps 20 for each user and client, and the 21st removes the oldest: create a new one if this one has worked \
             before. A one-time code from the API console is not a refresh token: exchange it for one first",
        ),
        "INVALID_CLIENT" | "UNAUTHORIZED_CLIENT" => (
            TokenRejected,
            "Zoho's accounts server does not know the `client_id` in the secret",
            "Check `client_id`, and that the client is registered in this data center: if not, correct {setting}",
        ),
        "INVALID_CLIENT_SECRET" => (
            TokenRejected,
            "Zoho's accounts server rejected the `client_secret` in the secret",
            "Copy `client_secret` again: a client can have another one in each data center. Check {setting}, too",
        ),
        "INVALID_SCOPE" => (
            TokenRejected,
            "Zoho's accounts server rejected the scope",
            "The scope was {scope}: check its spelling, and that the organization and the client may use it",
        ),
        SERVER_ERROR => (ZohoUnavailable, "Zoho's accounts server returned a server error", "Try again later"),
        _ => (
            ZohoUnavailable,
            "Zoho's accounts server returned an error that the function does not know",
            "Try again later",
        ),
    })
}
