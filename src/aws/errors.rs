//! What the errors of AWS services mean, and the messages about them: what happened, what AWS returned, what to do.

use crate::http::{self, TransportError};
use crate::redact;
use ::http::StatusCode;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

/// An operation on `{subject}` (a secret, a topic, or a schedule): its permission in IAM's words, which begin with the
/// service's prefix, and what did not happen.
pub(super) type AwsOperation = (&'static str, &'static str);

/// What an error means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AwsErrorKind {
    /// The operation was not done.
    Throttled,
    /// There is no such secret, version, topic, or schedule.
    Missing,
    /// The version exists already.
    Exists,
    /// AWS says that an operator has to act.
    Denied,
    /// Anything else: it may be over in a moment.
    Unavailable,
}

use AwsErrorKind::{Denied, Exists, Missing, Throttled, Unavailable};

/// What an error means, and what to do about it. Words in braces are filled in.
type Meaning = (AwsErrorKind, &'static str);

const THROTTLED: Meaning = (Throttled, "Try again later");
const SERVER_ERROR: Meaning = (Unavailable, "Try again later");
const NOT_AWS: Meaning = (Unavailable, "Check AWS_ENDPOINT_URL, and proxies on the way to {service}");
const CREDENTIALS: Meaning = (
    Unavailable,
    "Check the function's execution role, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN outside of \
     Lambda; if credentials have expired, try again later",
);
const DENIED: Meaning = (Denied, "Allow the function's role {permission} on {thing}");
const PASS_ROLE: Meaning = (Denied, "Allow the function's role iam:PassRole on the schedule's role");
const KEY: Meaning = (
    Denied,
    "Allow the function's role kms:Decrypt on the KMS key (to write, also kms:GenerateDataKey), and check that the key is \
     enabled",
);
const MISSING: Meaning = (Missing, "Check {setting}, and that {thing} exists in Region {region} of this account");
const EMPTY: Meaning = (
    Denied,
    "It is empty, because no value was stored yet. Store it: aws secretsmanager put-secret-value --secret-id {subject} \
     --secret-string file://secret.json",
);
const REPLICA: Meaning = (Denied, "It is a replica: set {setting} to the ARN of the primary secret, and its Region");
const FULL: Meaning = (Denied, "Check what else writes to the secret");

/// What errors mean by parts of their codes, and by a part of their texts: Secrets Manager reports different things under
/// one code. The first row that fits counts.
const MEANINGS: [(&[&str], &str, Meaning); 12] = [
    (&["Throttl", "TooManyRequests", "SlowDown"], "", THROTTLED),
    (&["AccessDenied"], "KMS", KEY),
    (&["KMS", "DecryptionFailure", "EncryptionFailure"], "", KEY),
    (&["ResourceNotFound"], "AWSCURRENT", EMPTY),
    (&["NotFound"], "", MISSING),
    (&["InvalidRequest"], "marked for deletion", MISSING),
    (&["Invalid"], "replica secret", REPLICA),
    (&["ResourceExists"], "", (Exists, "")),
    (&["LimitExceeded"], "", FULL),
    // Whoever updates a schedule passes its role on.
    (&["AccessDenied"], "iam:PassRole", PASS_ROLE),
    (&["AccessDenied", "AuthorizationError", "NotAuthorized"], "", DENIED),
    (&["ExpiredToken", "RequestExpired", "Signature", "UnrecognizedClient", "InvalidClientTokenId"], "", CREDENTIALS),
];

fn meaning(status: u16, code: &str, text: &str) -> Meaning {
    let fits = |codes: &[&str], part| codes.iter().any(|beginning| code.contains(beginning)) && text.contains(part);
    let row = MEANINGS.iter().find(|(codes, part, _)| fits(codes, *part));
    match (status, row) {
        (429, _) => THROTTLED,
        (500.., _) => SERVER_ERROR,
        (_, Some((.., meaning))) => *meaning,
        _ if code.is_empty() => NOT_AWS,
        (401 | 403, None) => (Unavailable, DENIED.1),
        _ => (Unavailable, ""),
    }
}

/// An error of an AWS service: what it means, and the message about it.
#[derive(Debug)]
pub(super) struct AwsError {
    pub kind: AwsErrorKind,
    pub message: String,
}

/// Puts errors into words.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    pub region: String,
    /// The AWS credentials of the environment: a service may echo them.
    pub credentials: Arc<[SecretString]>,
}

impl Reporter {
    /// What is wanted of the output of an operation. An output without it is not AWS's.
    pub(super) fn result<T, U, E>(
        &self,
        (permission, failure): AwsOperation,
        subject: &str,
        sent: Result<T, SdkError<E, HttpResponse>>,
        wanted: impl FnOnce(T) -> Option<U>,
    ) -> Result<U, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (prefix, _) = permission.split_once(':').unwrap_or_default();
        let (service, thing, setting) = match prefix {
            "sns" => ("SNS", "the topic", "STATUS_TOPIC_ARN"),
            "scheduler" => ("EventBridge Scheduler", "the schedules of its group", "schedule_arn"),
            _ => ("Secrets Manager", "the secret", "ZOHO_SECRET_ID"),
        };
        let (returned, kind, advice) = match sent.map(wanted) {
            Ok(Some(wanted)) => return Ok(wanted),
            Ok(None) => ("a response without what was asked for".into(), NOT_AWS.0, NOT_AWS.1.into()),
            Err(error) => self.read(&error, prefix),
        };
        let names = ["{subject}", "{service}", "{permission}", "{thing}", "{setting}", "{region}"];
        let words = [subject, service, permission, thing, setting, &self.region];
        let fill = |text: String, (name, word): (&str, &str)| text.replace(name, word);
        let filled = |text: &str| names.into_iter().zip(words).fold(text.to_owned(), fill);
        let end = if advice.is_empty() { "" } else { ". " };
        let message = format!("{} ({}){end}{}", filled(failure), self.mask(&returned), filled(&advice));
        Err(AwsError { kind, message })
    }

    /// What came back, what it means, and what to do.
    fn read<E>(&self, error: &SdkError<E, HttpResponse>, prefix: &str) -> (String, AwsErrorKind, String)
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let causes = || successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
        let (returned, (kind, advice)) = if let Some(response) = error.raw_response() {
            let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or_default();
            let (code, text) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
            let returned = http::summary(status, &self.mask(code), &self.mask(text));
            (returned, meaning(status.as_u16(), code, text))
        } else if let Some(transport) = causes().find_map(|error| error.downcast_ref::<TransportError>()) {
            return (transport.to_string(), Unavailable, transport.reason.hint(Some(prefix)));
        } else {
            let is_unsigned = causes().any(|error| error.is::<CredentialsError>());
            (redact::causes(error), if is_unsigned { CREDENTIALS } else { NOT_AWS })
        };
        (returned, kind, advice.into())
    }

    /// Text of an AWS service without what it echoes of the request.
    fn mask(&self, text: &str) -> String {
        let known: Vec<&str> = self.credentials.iter().map(ExposeSecret::expose_secret).collect();
        redact::without(text, &known)
    }
}
