//! What the errors of AWS services mean: one table for all of them, and the advice that follows from it.
//!
//! The documentation page `docs/aws-errors.md` is written from this table by its test.

use crate::http::Reason;
use crate::http::hint;

/// The operations that the function calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetSecretValue,
    PutSecretValue,
    Publish,
    DeleteSchedule,
    GetSchedule,
    UpdateSchedule,
}

impl Operation {
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::GetSecretValue | Self::PutSecretValue => "Secrets Manager",
            Self::Publish => "SNS",
            Self::DeleteSchedule | Self::GetSchedule | Self::UpdateSchedule => "EventBridge Scheduler",
        }
    }

    /// The service's name in VPC endpoints and permissions.
    fn prefix(self) -> &'static str {
        match self {
            Self::GetSecretValue | Self::PutSecretValue => "secretsmanager",
            Self::Publish => "sns",
            Self::DeleteSchedule | Self::GetSchedule | Self::UpdateSchedule => "scheduler",
        }
    }

    /// What did not happen to this secret, topic, or schedule.
    fn failure(self, subject: &str) -> String {
        match self {
            Self::GetSecretValue => format!("the secret {subject} could not be read"),
            Self::PutSecretValue => format!("the secret {subject} could not be written"),
            Self::Publish => format!("the message could not be published to {subject}"),
            Self::DeleteSchedule => {
                format!("the watch is over, but its schedule {subject} could not be deleted and goes on")
            }
            Self::GetSchedule => format!("the schedule {subject} could not be read"),
            Self::UpdateSchedule => format!("the schedule {subject} could not be updated"),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::GetSecretValue | Self::PutSecretValue => "secret",
            Self::Publish => "topic",
            Self::DeleteSchedule | Self::GetSchedule | Self::UpdateSchedule => "schedule",
        }
    }

    fn permission(self) -> String {
        let on = match self {
            Self::GetSecretValue | Self::PutSecretValue => "the secret",
            Self::Publish => "the topic",
            Self::DeleteSchedule | Self::GetSchedule | Self::UpdateSchedule => "the schedules of its group",
        };
        format!("{}:{self:?} on {on}", self.prefix())
    }

    /// What the operation needs of a customer managed key.
    fn key_permissions(self) -> &'static str {
        match self {
            Self::GetSecretValue => "kms:Decrypt",
            _ => "kms:GenerateDataKey and kms:Decrypt",
        }
    }

    /// Where the name of the secret, the topic, or the schedule comes from.
    fn setting(self) -> &'static str {
        match self {
            Self::GetSecretValue | Self::PutSecretValue => "ZOHO_SECRET_ID",
            Self::Publish => "STATUS_TOPIC_ARN",
            Self::DeleteSchedule | Self::GetSchedule | Self::UpdateSchedule => "schedule_arn",
        }
    }
}

/// What an error means, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    /// There was no connection, or no response.
    NoResponse(Reason),
    /// Something responded, but not in the way of AWS: a web page, an empty body, an HTTP error without an error code.
    NotAws,
    /// There are no AWS credentials to sign with.
    NoCredentials,
    /// AWS does not know the credentials, or they do not fit together.
    BadCredentials,
    /// The credentials or the signature are too old, or the clock is wrong.
    Expired,
    /// Too many requests.
    Throttled,
    /// The service failed.
    ServerError,
    /// Another operation is changing the same thing.
    Conflict,
    /// A permission is missing.
    AccessDenied,
    /// The KMS key cannot be used.
    Key,
    /// There is no such secret, topic, or schedule.
    Missing,
    /// The version is there already.
    Exists,
    /// The secret has too many versions.
    TooManyVersions,
    /// The secret is in a state that does not allow the operation.
    WrongState,
    /// A parameter is malformed.
    Invalid,
}

/// Every error code, without `Exception` at its end, which comes and goes.
pub(crate) const CODES: &[(Meaning, &[&str])] = &[
    (
        Meaning::Expired,
        &[
            "ExpiredToken",
            "RequestExpired",
            "RequestInTheFuture",
            "RequestTimeTooSkewed",
            "TokenRefreshRequired",
        ],
    ),
    (
        // With a message about time, these two mean `Expired`.
        Meaning::BadCredentials,
        &["InvalidSignature", "SignatureDoesNotMatch"],
    ),
    (
        Meaning::BadCredentials,
        &[
            "AuthFailure",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "MissingAuthenticationToken",
            "UnrecognizedClient",
        ],
    ),
    (
        Meaning::Throttled,
        &[
            "BandwidthLimitExceeded",
            "EC2Throttled",
            "KMSThrottling",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceeded",
            "RequestLimitExceeded",
            "RequestThrottled",
            "SlowDown",
            "Throttled",
            "Throttling",
            "TooManyRequests",
            "TransactionInProgress",
        ],
    ),
    (
        Meaning::ServerError,
        &[
            "InternalError",
            "InternalFailure",
            "InternalServer",
            "InternalServiceError",
            "RequestAborted",
            "RequestTimeout",
            "ServiceUnavailable",
        ],
    ),
    (Meaning::Conflict, &["Conflict"]),
    (
        Meaning::AccessDenied,
        &["AccessDenied", "AuthorizationError", "NotAuthorized", "OptInRequired", "UnauthorizedOperation"],
    ),
    (
        Meaning::Key,
        &[
            "DecryptionFailure",
            "EncryptionFailure",
            "KMSAccessDenied",
            "KMSDisabled",
            "KMSInvalidState",
            "KMSNotFound",
            "KMSOptInRequired",
        ],
    ),
    (Meaning::Missing, &["NotFound", "ResourceNotFound"]),
    (Meaning::Exists, &["ResourceExists"]),
    // No rate, whatever the SDK takes it for: versions are kept for a day.
    (Meaning::TooManyVersions, &["LimitExceeded"]),
    (Meaning::WrongState, &["InvalidRequest"]),
    (
        Meaning::Invalid,
        &[
            "EndpointDisabled",
            "InvalidAction",
            "InvalidParameter",
            "InvalidParameterCombination",
            "InvalidParameterValue",
            "InvalidQueryParameter",
            "MalformedHttpRequest",
            "MalformedQueryString",
            "MissingAction",
            "MissingParameter",
            "PlatformApplicationDisabled",
            "RequestEntityTooLarge",
            "UnknownOperation",
            "Validation",
            "ValidationError",
        ],
    ),
];

/// What a response means that is an error, or that the SDK could not read.
pub(crate) fn classify(status: u16, code: Option<&str>, message: &str) -> Meaning {
    let Some(code) = code.filter(|code| !code.is_empty()) else {
        return match status {
            429 => Meaning::Throttled,
            403 => Meaning::AccessDenied,
            408 | 500.. => Meaning::ServerError,
            _ => Meaning::NotAws,
        };
    };
    let name = code.strip_suffix("Exception").unwrap_or(code);
    let row = CODES.iter().find(|(_, names)| names.contains(&name));
    match row.map(|(meaning, _)| *meaning) {
        Some(Meaning::BadCredentials) if is_about_time(message) => Meaning::Expired,
        // Secrets Manager reports both under the same code.
        Some(Meaning::AccessDenied) if message.contains("KMS") => Meaning::Key,
        // A code that means nothing bad cannot come with a server error.
        Some(meaning) if status < 500 || meaning == Meaning::Throttled => meaning,
        // A code that is not in the table: by its name, then by its status.
        None if name.contains("Throttl") => Meaning::Throttled,
        None if name.contains("Expired") => Meaning::Expired,
        None if name.starts_with("KMS") => Meaning::Key,
        _ => match status {
            429 => Meaning::Throttled,
            401 | 403 => Meaning::AccessDenied,
            404 => Meaning::Missing,
            408 | 500.. => Meaning::ServerError,
            409 => Meaning::Conflict,
            400..500 => Meaning::Invalid,
            _ => Meaning::NotAws,
        },
    }
}

/// `Signature expired: … is now earlier than …`, `Signature not yet current: … is still later than …`.
fn is_about_time(message: &str) -> bool {
    ["expired", "not yet current"].iter().any(|words| message.contains(words))
}

impl Meaning {
    /// Whether the same request may succeed a moment later, so that it is repeated within the invocation.
    pub(crate) fn is_repeated(self) -> bool {
        matches!(
            self,
            Self::NoResponse(_) | Self::Throttled | Self::ServerError | Self::Conflict | Self::Expired
        )
    }

    /// Whether somebody has to change something in AWS before the secret can be used.
    pub(crate) fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::AccessDenied
                | Self::Key
                | Self::Missing
                | Self::Exists
                | Self::TooManyVersions
                | Self::WrongState
                | Self::Invalid
        )
    }

    /// What to do about it.
    fn advice(self, operation: Operation, region: &str) -> String {
        let setting = operation.setting();
        match self {
            Self::NoResponse(reason) => hint::no_response(reason, Some(operation.prefix())),
            Self::NotAws => format!(
                "This is not a response of {}: check AWS_ENDPOINT_URL, and what stands between the function and AWS; otherwise try again later",
                operation.service()
            ),
            Self::NoCredentials => "There are no AWS credentials: give the function an execution role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY outside of Lambda".into(),
            Self::BadCredentials => "AWS does not accept these AWS credentials: check the function's execution role, and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if you set them".into(),
            Self::Expired => "The AWS credentials or the request's signature had expired: try again; if it stays so, check the clock and the AWS credentials".into(),
            Self::Throttled | Self::ServerError | Self::Conflict => hint::TRY_LATER.into(),
            Self::AccessDenied => hint::permission(&operation.permission()),
            Self::Key => format!(
                "{} on the KMS key, and check that the key exists and is enabled",
                hint::permission(operation.key_permissions())
            ),
            Self::Missing => format!(
                "No such {} exists in Region {region} of this account: check {setting}, the Region, and the account",
                operation.noun()
            ),
            Self::TooManyVersions => "The secret has too many versions: check what else writes to it".into(),
            Self::WrongState => "Check the state of the secret: it may be marked for deletion, or managed by another service".into(),
            Self::Exists | Self::Invalid => format!("Check {setting}"),
        }
    }
}

/// The message about an operation on this secret, topic, or schedule: what happened, what AWS returned, what to do.
pub(crate) fn message(
    operation: Operation,
    subject: &str,
    meaning: Meaning,
    returned: &str,
    region: &str,
) -> String {
    let failure = operation.failure(&mask(subject));
    let what = match meaning {
        Meaning::NoResponse(_) => format!("{failure}: {} did not respond ({returned})", operation.service()),
        Meaning::NoCredentials => failure,
        _ => format!("{failure} ({returned})"),
    };
    format!("{what}. {}", meaning.advice(operation, region))
}

/// Takes out what looks like AWS credentials or signatures: an AWS service may echo the request that it rejects.
pub(crate) fn mask(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '%');
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, after) = rest.split_at(start);
        let (word, after) = after.split_at(after.find(|c| !is_part(c)).unwrap_or(after.len()));
        masked.push_str(before);
        // A parameter's name stays.
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if !value.trim_matches('=').is_empty() => (name, value),
            _ => ("", word),
        };
        if is_credential(value) {
            masked.push_str(name);
            masked.push_str(if name.is_empty() { "" } else { "=" });
            masked.push_str("[redacted]");
        } else {
            masked.push_str(word);
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn is_credential(word: &str) -> bool {
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    let digit = has(u8::is_ascii_digit);
    let access_key = word.split('/').any(|part| {
        part.len() >= 16
            && (part.starts_with("AKIA") || part.starts_with("ASIA"))
            && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    });
    // Signatures, hashes, and Zoho's client secrets.
    let hexadecimal = word.len() >= 32 && digit && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Secret access keys and session tokens.
    let base64 = word.len() >= 40 && digit && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    access_key || hexadecimal || base64
}

#[cfg(test)]
mod tests;
