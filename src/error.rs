//! Every way in which an invocation can fail, under the names that callers rely on.

use crate::redact;
use std::fmt;
use std::time::Duration;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The public names of the errors: Lambda's `errorType`, which a state machine's `Retry` and `Catch` match exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub enum ErrorType {
    /// The payload is not a valid request.
    InvalidInput,
    /// An environment variable is missing or malformed.
    InvalidConfiguration,
    /// The secret cannot be read, or has none of the known forms.
    SecretInvalid,
    /// Secrets Manager throttled the request, failed, or did not respond in time.
    SecretUnavailable,
    /// Zoho rejects the credentials, or the access token even after one refresh.
    TokenRejected,
    /// Zoho's accounts server issues no more tokens for now.
    TokenRateLimited,
    /// The token lacks the scope `ZohoCRM.change_owner.READ`.
    ScopeMismatch,
    /// The Zoho user has no permission to read the status.
    PermissionDenied,
    /// Zoho does not know the module.
    InvalidModule,
    /// There is no such job here, or it is older than the 60 days for which Zoho keeps it.
    JobNotFound,
    /// Zoho's concurrency limit or API credits.
    ZohoRateLimited,
    /// No usable connection to Zoho, or a server error there.
    ZohoUnavailable,
    /// The response is not what Zoho's documentation says.
    ZohoUnexpectedResponse,
    /// SNS did not accept the message.
    NotificationFailed,
    /// The watch is over, but its schedule could not be deleted.
    ScheduleNotDeleted,
}

impl ErrorType {
    /// All of them, in the order of the table in docs/reference.md.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name as Lambda's `errorType` carries it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The error type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Whether the same invocation may succeed later although nobody changes anything.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::SecretUnavailable
                | Self::TokenRateLimited
                | Self::ZohoRateLimited
                | Self::ZohoUnavailable
                | Self::NotificationFailed
                | Self::ScheduleNotDeleted
        )
    }
}

/// What a response says about its sender, where the name of the error alone does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorCause {
    /// The name of the error says it all.
    #[default]
    Stated,
    /// What responded is probably not Zoho: a web page, garbage, nothing. A configuration mistake at the first check of a
    /// watch, an outage once the watch has worked.
    NotJson,
    /// HTTP 204: there is no such job, or not yet.
    NoContent,
}

/// A failed invocation: the public name and one line that says what happened and what to do.
///
/// Carries no source on purpose: the sources (SDK errors, HTTP errors) may hold URLs, headers, or bodies. What is worth
/// knowing of them goes into the message through [`redact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchError {
    /// The public name.
    pub kind: ErrorType,
    /// What happened and what to do, in one line.
    pub message: String,
    /// What the response says about its sender.
    pub cause: ErrorCause,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

impl WatchError {
    /// An error of this type; the message becomes one line, with anything that looks like a Zoho token taken out.
    pub fn new(kind: ErrorType, message: impl AsRef<str>) -> Self {
        let message = redact::one_line(message.as_ref());
        Self { kind, message, cause: ErrorCause::Stated, retry_after: None }
    }

    /// The same error as it is reported by a watch that has worked: what is not JSON is an outage there.
    #[must_use]
    pub fn of_watch_that_worked(self) -> Self {
        if self.cause != ErrorCause::NotJson || self.kind != ErrorType::ZohoUnexpectedResponse {
            return self;
        }
        let message = format!("{}. Earlier checks in this watch succeeded, so this may be an outage", self.message);
        Self { kind: ErrorType::ZohoUnavailable, message, ..self }
    }
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}
