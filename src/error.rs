//! Every way in which a call can fail, under the names that callers rely on.

use crate::redact;
use lambda_runtime::Diagnostic;
use std::fmt;

/// The public names of the errors: Lambda's `errorType`, which a state machine's `Retry` and `Catch` match exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The payload is no request.
    InvalidInput,
    /// An environment variable is missing or malformed.
    InvalidConfiguration,
    /// The secret cannot be had, or holds none of the known forms.
    SecretInvalid,
    /// Secrets Manager throttled, failed or did not answer in time.
    SecretUnavailable,
    /// Zoho refuses the credentials, or the token even after one refresh.
    TokenRejected,
    /// Zoho's accounts server gives out no more tokens for now.
    TokenRateLimited,
    /// The token lacks the scope `ZohoCRM.change_owner.READ`.
    ScopeMismatch,
    /// The Zoho user may not see the status.
    PermissionDenied,
    /// Zoho knows no such module.
    InvalidModule,
    /// No such job here, or older than the 60 days Zoho keeps.
    JobNotFound,
    /// Zoho's concurrency or credit limits.
    ZohoRateLimited,
    /// No usable connection to Zoho, or a fault on its side.
    ZohoUnavailable,
    /// Zoho's answer is not what its documentation says.
    ZohoUnexpectedResponse,
    /// SNS did not take the message.
    NotificationFailed,
    /// Published, but the schedule could not be deleted.
    ScheduleNotDeleted,
}

impl ErrorType {
    /// All of them, in the order of the README's table.
    pub const ALL: [Self; 15] = [
        Self::InvalidInput,
        Self::InvalidConfiguration,
        Self::SecretInvalid,
        Self::SecretUnavailable,
        Self::TokenRejected,
        Self::TokenRateLimited,
        Self::ScopeMismatch,
        Self::PermissionDenied,
        Self::InvalidModule,
        Self::JobNotFound,
        Self::ZohoRateLimited,
        Self::ZohoUnavailable,
        Self::ZohoUnexpectedResponse,
        Self::NotificationFailed,
        Self::ScheduleNotDeleted,
    ];

    /// The name as Lambda's `errorType` carries it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::InvalidConfiguration => "InvalidConfiguration",
            Self::SecretInvalid => "SecretInvalid",
            Self::SecretUnavailable => "SecretUnavailable",
            Self::TokenRejected => "TokenRejected",
            Self::TokenRateLimited => "TokenRateLimited",
            Self::ScopeMismatch => "ScopeMismatch",
            Self::PermissionDenied => "PermissionDenied",
            Self::InvalidModule => "InvalidModule",
            Self::JobNotFound => "JobNotFound",
            Self::ZohoRateLimited => "ZohoRateLimited",
            Self::ZohoUnavailable => "ZohoUnavailable",
            Self::ZohoUnexpectedResponse => "ZohoUnexpectedResponse",
            Self::NotificationFailed => "NotificationFailed",
            Self::ScheduleNotDeleted => "ScheduleNotDeleted",
        }
    }

    /// The error type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the same call may succeed later without anybody having mended anything.
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

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed call: the public name and one line that says what happened and what to do.
///
/// Carries no source on purpose: the runtime logs errors with `{:?}`, and the sources (SDK errors, HTTP errors) may
/// hold URLs, headers or bodies. What is worth knowing of them goes into the message through [`redact`].
#[derive(Clone, PartialEq, Eq)]
pub struct WatchError {
    kind: ErrorType,
    message: String,
}

impl WatchError {
    /// An error of this type; the message becomes one line, with anything that looks like a Zoho token taken out.
    pub fn new(kind: ErrorType, message: impl AsRef<str>) -> Self {
        Self { kind, message: redact::one_line(message.as_ref()) }
    }

    /// The public name.
    pub fn kind(&self) -> ErrorType {
        self.kind
    }

    /// What happened and what to do, one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl fmt::Debug for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WatchError {}

impl From<WatchError> for Diagnostic {
    fn from(error: WatchError) -> Self {
        Self { error_type: error.kind.name().to_owned(), error_message: error.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_variants() {
        for kind in ErrorType::ALL {
            assert_eq!(kind.name(), format!("{kind:?}"));
            assert_eq!(ErrorType::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn the_state_machine_retries_exactly_those_that_may_pass() {
        let machine: serde_json::Value =
            serde_json::from_str(include_str!("../statemachine/watch.asl.json")).unwrap();
        let retries = machine["States"]["Check"]["Retry"].as_array().unwrap();
        let names = retries.iter().flat_map(|retry| retry["ErrorEquals"].as_array().unwrap());
        // The others, Lambda's own, have a dot in their names.
        let retried: std::collections::HashSet<_> =
            names.map(|name| name.as_str().unwrap()).filter(|name| !name.contains('.')).collect();
        let may_pass =
            ErrorType::ALL.into_iter().filter(|kind| kind.is_retryable()).map(ErrorType::name).collect();
        assert_eq!(retried, may_pass);
    }

    #[test]
    fn lambda_gets_the_public_name_and_one_line() {
        let diagnostic = Diagnostic::from(WatchError::new(ErrorType::JobNotFound, "no such job\nhere"));
        assert_eq!(diagnostic.error_type, "JobNotFound");
        assert_eq!(diagnostic.error_message, "no such job here");
    }
}
