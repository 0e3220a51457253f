//! Zoho's accounts server: the token request, and what the responses mean. Sources: docs/zoho-api.md, "OAuth".

use crate::error::{ErrorCause, ErrorType, WatchError};
use crate::http::hint;
use crate::http::{HttpClient, HttpRequest as Request, Origin, Stage, TransportError, retry_after, summary};
use crate::json::{self, Fields};
use crate::metrics;
use crate::redact;
use crate::timestamp::Timestamp;
use crate::zoho::credentials::{AccessToken, Credentials, Grant};
use crate::zoho::hosts::AccountsHost;
use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret;
use std::future::Future;
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

/// Why there is no access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// What the caller learns.
    pub error: WatchError,
    /// For how long another request with the same credentials is pointless, for every execution environment.
    pub cooldown: Duration,
    /// Another request within the same invocation may help.
    pub is_transient: bool,
    /// The request did not reach the server and may be sent again at once. Zoho counts every one that does.
    pub unsent: bool,
}

/// Zoho issues 10 tokens per refresh token in 10 minutes, then none for the rest of them (doc).
pub const THROTTLE_WINDOW: Duration = Duration::from_secs(600);

/// After Zoho rejected the credentials, which rarely become valid by themselves.
const REJECTED_COOLDOWN: Duration = Duration::from_secs(60);

/// After an error of the accounts server, which may be over soon.
const ERROR_COOLDOWN: Duration = Duration::from_secs(1);

/// The lifetime of a token whose response does not state a plausible one (doc).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3_600);

/// No token is trusted for longer.
const LONGEST_LIFETIME_SECONDS: u64 = 86_400;

/// The longest body that is read, in bytes. A token response has less than 1 KiB.
const BODY_LIMIT: usize = 64 << 10;

/// Issues access tokens.
pub trait TokenEndpoint: Send + Sync {
    /// Requests a token from an accounts server, once. `sent_at` is the time of the request.
    fn request_token(
        &self,
        accounts: &AccountsHost,
        credentials: &Credentials,
        sent_at: Timestamp,
        timeout: Duration,
    ) -> impl Future<Output = Result<IssuedToken, Box<TokenError>>> + Send;
}

impl<H: HttpClient> TokenEndpoint for H {
    async fn request_token(
        &self,
        accounts: &AccountsHost,
        credentials: &Credentials,
        sent_at: Timestamp,
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
        let secrets = credentials.secrets();
        let response = |status, headers, body| TokenResponse {
            host: accounts,
            status,
            headers,
            body,
            now: sent_at,
            secrets: &secrets,
        };
        let result = match sent.await {
            Ok(whole) => classify(&response(whole.status, &whole.headers, &whole.body)),
            Err(error) => match error.stage {
                Stage::Oversized(status) => Err(response(status, &HeaderMap::new(), &[]).oversized()),
                _ => Err(no_response(accounts, &error)),
            },
        };
        match &result {
            Ok(_) => metrics::token_minted(),
            Err(failure) if failure.error.kind() == ErrorType::TokenRateLimited => metrics::rate_limited(),
            Err(_) => {}
        }
        result
    }
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
pub(crate) fn out_of_time(accounts: &AccountsHost) -> WatchError {
    let late = TransportError::new(Stage::Responding, "no response before the end of the invocation");
    no_response(accounts, &late).error
}

fn no_response(accounts: &AccountsHost, error: &TransportError) -> Box<TokenError> {
    let (setting, hint) = (accounts.source.setting(), hint::no_response(error.reason, None));
    let message = format!(
        "Zoho's accounts server did not respond ({accounts}: {error}). {hint}. If the host is wrong, correct {setting}"
    );
    Box::new(TokenError {
        error: WatchError::new(ErrorType::ZohoUnavailable, message),
        cooldown: ERROR_COOLDOWN,
        is_transient: true,
        unsent: error.stage == Stage::Connecting,
    })
}

/// One whole response of the token endpoint.
#[derive(Debug, Clone, Copy)]
pub struct TokenResponse<'a> {
    /// The host that responded.
    pub host: &'a AccountsHost,
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a [u8],
    /// The time: a `Retry-After` may be a date.
    pub now: Timestamp,
    /// What must not be shown, in case Zoho echoes it.
    pub secrets: &'a [&'a str],
}

/// What a response of the token endpoint means. The presence of `access_token` decides, because errors come with HTTP
/// 200, too (3p).
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use mass_change_owner_status::error::ErrorType;
/// use mass_change_owner_status::timestamp::Timestamp;
/// use mass_change_owner_status::zoho::data_center::DataCenter;
/// use mass_change_owner_status::zoho::hosts::{AccountsHost, HostSource};
/// use mass_change_owner_status::zoho::oauth::{TokenResponse, classify};
///
/// let host = AccountsHost {
///     origin: DataCenter::default().accounts_origin(),
///     source: HostSource::Variable("ZOHO_ACCOUNTS_DOMAIN"),
/// };
/// let headers = HeaderMap::new();
/// let response = |body| TokenResponse {
///     host: &host,
///     status: StatusCode::OK,
///     headers: &headers,
///     body,
///     now: Timestamp::now(),
///     secrets: &[],
/// };
/// let issued = classify(&response(br#"{"access_token":"1000.a.b","expires_in":3600}"#)).unwrap();
/// assert_eq!(issued.lifetime.as_secs(), 3600);
/// let error = classify(&response(br#"{"error":"invalid_code"}"#)).unwrap_err().error;
/// assert_eq!(error.kind(), ErrorType::TokenRejected);
/// ```
pub fn classify(response: &TokenResponse<'_>) -> Result<IssuedToken, Box<TokenError>> {
    const KEYS: &[&str] =
        &["access_token", "api_domain", "expires_in", "expires_in_sec", "error", "error_description"];
    let text = String::from_utf8_lossy(response.body);
    let json = json::parse(&text);
    let fields = json.and_then(|json| Fields::of(json, KEYS)).unwrap_or_default();
    let field = |name| fields.parse::<String>(name).unwrap_or_default();
    if let Some(token) = AccessToken::parse(&field("access_token")) {
        let api_domain = Origin::parse(&field("api_domain")).ok();
        return Ok(IssuedToken { token, api_domain, lifetime: lifetime(&fields) });
    }
    let (code, description) = (field("error"), field("error_description"));
    let kind = kind_of(response.status, &code, &description);
    let returned = if code.is_empty() {
        summary(response.status, "", &response.quotable(&text))
    } else {
        summary(response.status, &response.masked(&code), &response.masked(&description))
    };
    Err(response.error(kind, json.is_none(), &returned))
}

impl TokenResponse<'_> {
    /// The error for a body of more than [`BODY_LIMIT`] bytes. It may have contained a token, so that it is not requested
    /// again at once.
    fn oversized(&self) -> Box<TokenError> {
        let returned = format!("{} with more than 64 KiB", summary(self.status, "", ""));
        self.error(kind_of(self.status, "", ""), false, &returned)
    }

    fn error(&self, kind: Kind, may_be_stray: bool, returned: &str) -> Box<TokenError> {
        let (what, advice) = (kind.what(), kind.advice(self.host));
        let message = format!("{what} ({}, returned {returned}). {advice}", self.host);
        let cooldown = match kind {
            Kind::Throttled => retry_after::parse(self.headers, self.now.epoch_seconds())
                .unwrap_or(THROTTLE_WINDOW)
                .min(THROTTLE_WINDOW),
            Kind::ServerError | Kind::Undocumented => ERROR_COOLDOWN,
            _ => REJECTED_COOLDOWN,
        };
        // A web page in place of a token response is an outage, too, if the watch has worked.
        let cause = if kind == Kind::Undocumented { ErrorCause::NotJson } else { ErrorCause::Stated };
        Box::new(TokenError {
            error: WatchError::new(kind.error_type(), message).because(cause),
            cooldown,
            is_transient: kind == Kind::ServerError || (kind == Kind::Undocumented && may_be_stray),
            unsent: false,
        })
    }

    /// The body as far as it may be shown: a 2xx, and whatever else mentions a token, can contain a new one that is
    /// damaged in any way.
    fn quotable(&self, body: &str) -> String {
        let may_hold_token = self.status.is_success() || body.to_ascii_lowercase().contains("token");
        if may_hold_token { String::new() } else { self.masked(body) }
    }

    fn masked(&self, text: &str) -> String {
        redact::without(text, self.secrets).into_owned()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Throttled,
    ServerError,
    UnknownClient,
    WrongClientSecret,
    WrongCode,
    Rejected,
    Undocumented,
}

fn kind_of(status: StatusCode, code: &str, description: &str) -> Kind {
    let code = code.trim().to_ascii_lowercase();
    // The response to too many requests is an "Access Denied" that only its description tells from a real one (live).
    let is_throttled = !code.is_empty() && description.to_ascii_lowercase().contains("too many requests");
    match code.as_str() {
        _ if status == StatusCode::TOO_MANY_REQUESTS || is_throttled => Kind::Throttled,
        "too_many_requests" | "slow_down" => Kind::Throttled,
        "server_error" | "internal_error" | "temporarily_unavailable" => Kind::ServerError,
        _ if status.is_server_error() => Kind::ServerError,
        "" => Kind::Undocumented,
        "invalid_client" => Kind::UnknownClient,
        "invalid_client_secret" => Kind::WrongClientSecret,
        "invalid_code" | "invalid_grant" => Kind::WrongCode,
        _ => Kind::Rejected,
    }
}

impl Kind {
    fn error_type(self) -> ErrorType {
        match self {
            Self::Throttled => ErrorType::TokenRateLimited,
            Self::ServerError => ErrorType::ZohoUnavailable,
            Self::Undocumented => ErrorType::ZohoUnexpectedResponse,
            Self::UnknownClient | Self::WrongClientSecret | Self::WrongCode | Self::Rejected => {
                ErrorType::TokenRejected
            }
        }
    }

    /// What happened.
    fn what(self) -> &'static str {
        match self {
            Self::Throttled => "Zoho issues no more access tokens for these credentials for now",
            Self::ServerError => "Zoho's accounts server returned a server error",
            Self::UnknownClient => "Zoho's accounts server does not know the `client_id` in the secret",
            Self::WrongClientSecret => "Zoho's accounts server rejected the `client_secret` in the secret",
            Self::WrongCode => "Zoho's accounts server rejected the `refresh_token` in the secret",
            Self::Rejected => "Zoho's accounts server rejected the credentials in the secret",
            Self::Undocumented => "the response of Zoho's accounts server is not the documented JSON",
        }
    }

    /// What to do.
    fn advice(self, host: &AccountsHost) -> String {
        let setting = host.source.setting();
        match self {
            Self::Throttled => {
                "Zoho issues 10 in 10 minutes; something else may use the same credentials. Try again \
                 in a few minutes"
                    .into()
            }
            Self::ServerError => "Try again later".into(),
            Self::UnknownClient => format!(
                "Check `client_id`, and that the client is registered in this data center: if not, correct {setting}"
            ),
            Self::WrongClientSecret => format!(
                "Copy `client_secret` again: a client can have another one in each data center. Check {setting}, too"
            ),
            Self::WrongCode => format!(
                "A one-time code from the API console is not a refresh token: exchange it for one first. A refresh \
                 token is valid until it is revoked, for its own client and data center. Check {setting}, too"
            ),
            Self::Rejected => format!(
                "Check that the credentials are complete, not revoked, and of this data center ({setting}); otherwise, \
                 create new ones in Zoho's API console"
            ),
            Self::Undocumented => format!("Check {setting}, ZOHO_ACCOUNTS_DOMAIN, and proxies on the way"),
        }
    }
}

/// `expires_in_sec`, which the older shape has next to an `expires_in` in milliseconds, otherwise `expires_in`. What
/// exceeds a day can only be milliseconds. An hour if that is not plausible either.
fn lifetime(fields: &Fields<'_>) -> Duration {
    let number = |name| {
        let number = fields.parse::<f64>(name);
        number.or_else(|| fields.parse::<String>(name)?.trim().parse().ok()).filter(|seconds| *seconds >= 1.0)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturates")]
    let whole = |seconds: f64| seconds as u64;
    let seconds = match number("expires_in_sec").map(whole) {
        None => number("expires_in")
            .map(whole)
            .map(|number| if number > LONGEST_LIFETIME_SECONDS { number / 1_000 } else { number }),
        seconds => seconds,
    };
    let plausible = seconds.filter(|seconds| (1..=LONGEST_LIFETIME_SECONDS).contains(seconds));
    plausible.map_or(DEFAULT_LIFETIME, Duration::from_secs)
}

#[cfg(test)]
mod tests;
