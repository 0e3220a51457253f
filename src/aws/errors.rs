//! What the errors of AWS services mean, and the messages about them: what happened, what AWS returned, what to do.

use crate::http::{self, NoResponse, TransportError, hint};
use crate::redact;
use ::http::StatusCode;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::sync::Arc;

/// An operation, in the words of its messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AwsOperation {
    service: &'static str,
    /// In IAM's words.
    permission: &'static str,
    /// What the permission is for.
    on: &'static str,
    /// Where the name or the ARN of the thing comes from.
    setting: &'static str,
    /// What did not happen to `{}`: a secret, a topic, or a schedule.
    failure: &'static str,
}

pub(crate) const GET_SECRET_VALUE: AwsOperation = AwsOperation {
    service: "Secrets Manager",
    permission: "secretsmanager:GetSecretValue",
    on: "the secret",
    setting: "ZOHO_SECRET_ID",
    failure: "the secret {} could not be read",
};
pub(crate) const PUT_SECRET_VALUE: AwsOperation = AwsOperation {
    permission: "secretsmanager:PutSecretValue",
    failure: "the secret {} could not be written",
    ..GET_SECRET_VALUE
};
pub(crate) const PUBLISH: AwsOperation = AwsOperation {
    service: "SNS",
    permission: "sns:Publish",
    on: "the topic",
    setting: "STATUS_TOPIC_ARN",
    failure: "the message could not be published to {}",
};
pub(crate) const GET_SCHEDULE: AwsOperation = AwsOperation {
    service: "EventBridge Scheduler",
    permission: "scheduler:GetSchedule",
    on: "the schedules of its group",
    setting: "schedule_arn",
    failure: "the schedule {} could not be read",
};
pub(crate) const UPDATE_SCHEDULE: AwsOperation = AwsOperation {
    permission: "scheduler:UpdateSchedule",
    failure: "the schedule {} could not be updated",
    ..GET_SCHEDULE
};
pub(crate) const DELETE_SCHEDULE: AwsOperation = AwsOperation {
    permission: "scheduler:DeleteSchedule",
    failure: "the watch is over, but its schedule {} could not be deleted and is still running",
    ..GET_SCHEDULE
};

/// What an error means, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// There was no connection, or no response.
    NoResponse(NoResponse),
    /// Something responded, but not in the way of AWS: a web page, an empty body, an HTTP error without an error code.
    NotAws,
    /// There are no AWS credentials to sign with.
    NoCredentials,
    /// AWS rejects the credentials or the signature, or they have expired.
    Credentials,
    /// Too many requests.
    Throttled,
    /// The service failed.
    ServerError,
    /// A permission is missing.
    AccessDenied,
    /// The KMS key cannot be used.
    Key,
    /// There is no such secret, topic, or schedule.
    Missing,
    /// The secret has no value yet.
    Empty,
    /// The secret holds binary data.
    Binary,
    /// The secret is a replica, which cannot be written.
    Replica,
    /// The version exists already.
    Exists,
    /// The secret has too many versions.
    Full,
    /// Anything else, with its HTTP status.
    Other(u16),
}

/// What error codes mean, by their beginnings. Some services leave `Exception` out at the end.
const CODES: [(&str, Meaning); 17] = [
    ("ResourceNotFound", Meaning::Missing),
    ("NotFound", Meaning::Missing),
    ("ResourceExists", Meaning::Exists),
    ("LimitExceeded", Meaning::Full),
    ("AccessDenied", Meaning::AccessDenied),
    ("AuthorizationError", Meaning::AccessDenied),
    ("NotAuthorized", Meaning::AccessDenied),
    ("DecryptionFailure", Meaning::Key),
    ("EncryptionFailure", Meaning::Key),
    ("KMS", Meaning::Key),
    ("ExpiredToken", Meaning::Credentials),
    ("RequestExpired", Meaning::Credentials),
    ("InvalidSignature", Meaning::Credentials),
    ("SignatureDoesNotMatch", Meaning::Credentials),
    ("UnrecognizedClient", Meaning::Credentials),
    ("InvalidClientTokenId", Meaning::Credentials),
    ("IncompleteSignature", Meaning::Credentials),
];

fn classify(status: u16, code: &str, message: &str) -> Meaning {
    let is_throttle = ["Throttl", "TooManyRequests", "SlowDown"].iter().any(|part| code.contains(part));
    if status == 429 || is_throttle {
        return Meaning::Throttled;
    }
    if status >= 500 {
        return Meaning::ServerError;
    }
    if code.is_empty() {
        return Meaning::NotAws;
    }
    let found = CODES.iter().find(|(beginning, _)| code.starts_with(beginning)).map(|(_, meaning)| *meaning);
    // Secrets Manager reports different things under one code.
    match found {
        Some(Meaning::Missing) if message.contains("AWSCURRENT") => Meaning::Empty,
        Some(Meaning::AccessDenied) if message.contains("KMS") => Meaning::Key,
        Some(meaning) => meaning,
        None if message.contains("marked for deletion") => Meaning::Missing,
        None if message.contains("replica secret") => Meaning::Replica,
        None => Meaning::Other(status),
    }
}

/// An error of an AWS service: what it means, and the message about it.
#[derive(Debug)]
pub(crate) struct AwsError {
    pub(crate) meaning: Meaning,
    pub(crate) message: String,
}

/// Puts errors into words.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    pub(super) region: String,
    /// The AWS credentials of the environment: a service may echo them.
    pub(super) credentials: Arc<[SecretString]>,
}

impl Reporter {
    /// What an SDK error means for this secret, topic, or schedule.
    pub(crate) fn report<E>(
        &self,
        operation: &AwsOperation,
        subject: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> AwsError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Some(response) = error.raw_response() else {
            let meaning = match source::<TransportError>(error) {
                Some(transport) => Meaning::NoResponse(transport.reason),
                None if source::<CredentialsError>(error).is_some() => Meaning::NoCredentials,
                None => Meaning::Other(0),
            };
            return self.error(operation, subject, meaning, &redact::causes(error));
        };
        let status = response.status().as_u16();
        let (code, text) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
        let [shown_code, shown_text] = [code, text].map(|text| self.mask(text));
        let shown_status = StatusCode::from_u16(status).unwrap_or_default();
        let returned = http::summary(shown_status, &shown_code, &shown_text);
        let meaning = classify(status, code, text);
        // Whoever updates a schedule passes its role on.
        let passes_role = meaning == Meaning::AccessDenied && text.contains("iam:PassRole");
        let pass_role = AwsOperation { permission: "iam:PassRole", on: "the schedule's role", ..*operation };
        self.error(if passes_role { &pass_role } else { operation }, subject, meaning, &returned)
    }

    /// An error that the service did not report as one.
    pub(crate) fn error(&self, operation: &AwsOperation, subject: &str, meaning: Meaning, returned: &str) -> AwsError {
        let AwsOperation { service: name, permission, on, setting, failure } = operation;
        let failure = failure.replace("{}", subject);
        let returned = self.mask(returned);
        let why = match meaning {
            Meaning::NoResponse(_) => format!(": {name} did not respond"),
            Meaning::NotAws => format!(": this is not a response of {name}"),
            Meaning::NoCredentials => ": there are no AWS credentials".into(),
            Meaning::Empty => ": it is empty, because no value was stored yet".into(),
            Meaning::Binary => ": it holds binary data, but must hold text, in SecretString".into(),
            Meaning::Replica => ": it is a replica".into(),
            _ => String::new(),
        };
        let message = format!("{failure}{why} ({returned})");
        let prefix = permission.split(':').next();
        let advice = match meaning {
            Meaning::NoResponse(reason) => hint::no_response(reason, prefix),
            Meaning::NotAws => {
                format!("Check AWS_ENDPOINT_URL. {}", hint::no_response(NoResponse::Other, prefix))
            }
            Meaning::NoCredentials | Meaning::Credentials => {
                "Check the function's execution role, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and \
                 AWS_SESSION_TOKEN outside of Lambda; if credentials have expired, try again later"
                    .into()
            }
            Meaning::Throttled | Meaning::ServerError => hint::TRY_LATER.into(),
            Meaning::AccessDenied | Meaning::Other(401 | 403) => hint::permission(&format!("{permission} on {on}")),
            Meaning::Key => hint::permission(
                "kms:Decrypt on the KMS key (to write, also kms:GenerateDataKey), and check that the key is enabled",
            ),
            Meaning::Missing => {
                format!("Check {setting}, and that {on} exists in Region {} of this account", self.region)
            }
            Meaning::Empty | Meaning::Binary => format!(
                "Store its value: aws secretsmanager put-secret-value --secret-id {subject} --secret-string \
                 file://secret.json"
            ),
            Meaning::Replica => format!("Set {setting} to the ARN of the primary secret, and its Region"),
            Meaning::Full => "Check what else writes to the secret".into(),
            Meaning::Exists | Meaning::Other(_) => return AwsError { meaning, message },
        };
        AwsError { meaning, message: format!("{message}. {advice}") }
    }

    /// Text of an AWS service without what it echoes of the request.
    fn mask(&self, text: &str) -> String {
        let known: Vec<&str> = self.credentials.iter().map(ExposeSecret::expose_secret).collect();
        redact::without(text, &known)
    }
}

/// The first error of this type among an error and its sources.
fn source<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
