//! Zoho's accounts server: the token request, and what the responses mean. Sources: docs/zoho-api.md, "OAuth".

use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, HttpRequest, NoResponse, Origin, TransportError};
use crate::json::{self, Fields};
use crate::metrics;
use crate::timestamp::Timestamp;
use crate::zoho::credentials::{AccessToken, Credentials, Grant};
use crate::zoho::envelope::ErrorEnvelope;
use crate::zoho::exchange::{self, ErrorRow, Exchange, SERVER_ERROR, THROTTLE, UNKNOWN, row};
use crate::zoho::hosts::ZohoHost;
use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method};
use secrecy::ExposeSecret;
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

/// The lifetime of a token whose response does not state a plausible one (doc).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3_600);

/// No token is trusted for longer.
const LONGEST_LIFETIME_SECONDS: u64 = 86_400;

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
        body: form_body(credentials),
        timeout,
    };
    let scope = match &credentials.grant {
        Grant::ClientCredentials { scope, .. } => scope,
        Grant::RefreshToken(_) => "the one of the refresh token",
    };
    let result = match exchange::send(http, accounts, request, sent_at, &secrets).await {
        Ok(exchange) => classify(&exchange, scope),
        Err(error) => Err(exchange::no_response(accounts, &error)),
    };
    match &result {
        Ok(_) => metrics::token_minted(),
        Err(error) if error.kind() == ErrorType::TokenRateLimited => metrics::rate_limited(),
        Err(_) => {}
    }
    result
}

/// In the body, never in the query, which ends up in logs.
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

/// What an invocation reports whose time runs out before the accounts server responds.
pub(crate) fn out_of_time(accounts: &ZohoHost) -> WatchError {
    let late = TransportError::new(NoResponse::TimedOut, "no response before the end of the invocation");
    exchange::no_response(accounts, &late)
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
        return Ok(IssuedToken { token, api_domain, lifetime: lifetime(&fields) });
    }
    let envelope = json.map(ErrorEnvelope::find).unwrap_or_default();
    let unknown = || row(ERRORS, UNKNOWN).filter(|_| !envelope.code.is_empty());
    Err(match exchange.row(ERRORS, &envelope).or_else(unknown) {
        Some(meaning) => exchange.error(meaning, &envelope, &meaning.advice.replace("{scope}", scope)),
        None if json.is_some() && exchange.status.is_success() => {
            exchange.undocumented("has neither an access token nor an error", false)
        }
        None => exchange.not_zohos(json.is_some()),
    })
}

/// What the words mean. Only those that are documented to mean a rejection are one.
const ERRORS: &[ErrorRow] = &[
    ErrorRow {
        // Access Denied is the response to too many requests, whatever its description (live).
        codes: &[THROTTLE, "ACCESS_DENIED"],
        error_type: ErrorType::TokenRateLimited,
        what: "Zoho issues no more access tokens for these credentials for now",
        advice: "Zoho issues 10 in 10 minutes; something else may use the same credentials. Try again in a few minutes",
    },
    ErrorRow {
        codes: &["INVALID_CODE", "INVALID_GRANT"],
        error_type: ErrorType::TokenRejected,
        what: "Zoho's accounts server rejected the `refresh_token` in the secret",
        advice: "A refresh token is valid until it is revoked, for its own client and data center (check {setting}). Zoho \
                 keeps 20 for each user and client, and the 21st removes the oldest: create a new one if this one has \
                 worked before. A one-time code from the API console is not a refresh token: exchange it for one first",
    },
    ErrorRow {
        codes: &["INVALID_CLIENT", "UNAUTHORIZED_CLIENT"],
        error_type: ErrorType::TokenRejected,
        what: "Zoho's accounts server does not know the `client_id` in the secret",
        advice: "Check `client_id`, and that the client is registered in this data center: if not, correct {setting}",
    },
    ErrorRow {
        codes: &["INVALID_CLIENT_SECRET"],
        error_type: ErrorType::TokenRejected,
        what: "Zoho's accounts server rejected the `client_secret` in the secret",
        advice: "Copy `client_secret` again: a client can have another one in each data center. Check {setting}, too",
    },
    ErrorRow {
        codes: &["INVALID_SCOPE"],
        error_type: ErrorType::TokenRejected,
        what: "Zoho's accounts server rejected the scope",
        advice: "The scope was {scope}: check its spelling, and that the organization and the client may use it",
    },
    ErrorRow {
        codes: &[SERVER_ERROR],
        error_type: ErrorType::ZohoUnavailable,
        what: "Zoho's accounts server returned a server error",
        advice: "Try again later",
    },
    ErrorRow {
        codes: &[UNKNOWN],
        error_type: ErrorType::ZohoUnavailable,
        what: "Zoho's accounts server returned an error that the function does not know",
        advice: "Try again later",
    },
];

/// `expires_in_sec`, which the older shape has next to an `expires_in` in milliseconds, otherwise `expires_in`. What
/// exceeds a day can only be milliseconds. An hour if that is not plausible either.
fn lifetime(fields: &Fields<'_>) -> Duration {
    let number = |name| json::whole_number(fields.get(name)?);
    let seconds = number("expires_in_sec").or_else(|| {
        let number = number("expires_in")?;
        Some(if number > LONGEST_LIFETIME_SECONDS { number / 1_000 } else { number })
    });
    let plausible = seconds.filter(|seconds| (1..=LONGEST_LIFETIME_SECONDS).contains(seconds));
    plausible.map_or(DEFAULT_LIFETIME, Duration::from_secs)
}

#[cfg(test)]
mod tests;
