use super::*;
use std::fmt::Write as _;

/// Every error that the AWS documentation and the SDK list for the five operations, with the service's own name for it.
#[test]
fn every_error_of_every_operation() {
    for (status, code, message, expected) in [
        // Modeled: GetSecretValue and PutSecretValue.
        (400, "DecryptionFailure", "", Meaning::Key),
        (400, "EncryptionFailure", "", Meaning::Key),
        (500, "InternalServiceError", "", Meaning::ServerError),
        (400, "InternalServiceError", "", Meaning::ServerError),
        (400, "InvalidParameterException", "", Meaning::Invalid),
        (400, "InvalidRequestException", "it was marked for deletion", Meaning::WrongState),
        (400, "LimitExceededException", "", Meaning::TooManyVersions),
        (400, "ResourceExistsException", "", Meaning::Exists),
        (400, "ResourceNotFoundException", "", Meaning::Missing),
        // Modeled: Publish. The code on the wire has no suffix.
        (403, "AuthorizationError", "", Meaning::AccessDenied),
        (400, "EndpointDisabled", "", Meaning::Invalid),
        (500, "InternalError", "", Meaning::ServerError),
        (400, "InvalidParameter", "", Meaning::Invalid),
        (400, "ParameterValueInvalid", "", Meaning::Invalid),
        (403, "InvalidSecurity", "", Meaning::BadCredentials),
        (400, "KMSAccessDenied", "", Meaning::Key),
        (400, "KMSDisabled", "", Meaning::Key),
        (400, "KMSInvalidState", "", Meaning::Key),
        (400, "KMSNotFound", "", Meaning::Key),
        (403, "KMSOptInRequired", "", Meaning::Key),
        (400, "KMSThrottling", "", Meaning::Throttled),
        (404, "NotFound", "", Meaning::Missing),
        (400, "PlatformApplicationDisabled", "", Meaning::Invalid),
        (400, "ValidationException", "", Meaning::Invalid),
        // Modeled: DeleteSchedule and GetSchedule.
        (409, "ConflictException", "", Meaning::Conflict),
        (500, "InternalServerException", "", Meaning::ServerError),
        (404, "ResourceNotFoundException", "", Meaning::Missing),
        (429, "ThrottlingException", "", Meaning::Throttled),
        (400, "ValidationException", "", Meaning::Invalid),
        // Clock and expiry.
        (
            400,
            "InvalidSignatureException",
            "Signature expired: 20261124T095814Z is now earlier than 20261124T095815Z",
            Meaning::Expired,
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "Signature not yet current: 20261124T101500Z is still later than 20261124T100500Z",
            Meaning::Expired,
        ),
        (400, "ExpiredTokenException", "", Meaning::Expired),
        (403, "ExpiredToken", "", Meaning::Expired),
        (400, "RequestExpired", "", Meaning::Expired),
        (403, "RequestTimeTooSkewed", "", Meaning::Expired),
        (400, "RequestInTheFuture", "", Meaning::Expired),
        (400, "TokenRefreshRequired", "", Meaning::Expired),
        // Credentials.
        (
            400,
            "InvalidSignatureException",
            "The request signature we calculated does not match",
            Meaning::BadCredentials,
        ),
        (403, "SignatureDoesNotMatch", "", Meaning::BadCredentials),
        (
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid",
            Meaning::BadCredentials,
        ),
        (403, "InvalidClientTokenId", "", Meaning::BadCredentials),
        (400, "IncompleteSignature", "", Meaning::BadCredentials),
        (403, "MissingAuthenticationToken", "", Meaning::BadCredentials),
        (401, "AuthFailure", "", Meaning::BadCredentials),
        (403, "InvalidAccessKeyId", "", Meaning::BadCredentials),
        // Throttling, under all its names.
        (400, "Throttling", "", Meaning::Throttled),
        (400, "ThrottlingException", "", Meaning::Throttled),
        (400, "ThrottledException", "", Meaning::Throttled),
        (400, "RequestThrottled", "", Meaning::Throttled),
        (400, "RequestThrottledException", "", Meaning::Throttled),
        (400, "TooManyRequestsException", "", Meaning::Throttled),
        (400, "RequestLimitExceeded", "", Meaning::Throttled),
        // Names that no table has yet.
        (400, "SomethingThrottled", "", Meaning::Throttled),
        (400, "SomethingExpired", "", Meaning::Expired),
        (400, "KMSSomething", "", Meaning::Key),
        (400, "BandwidthLimitExceeded", "", Meaning::Throttled),
        (400, "ProvisionedThroughputExceededException", "", Meaning::Throttled),
        (400, "TransactionInProgressException", "", Meaning::Throttled),
        (400, "PriorRequestNotComplete", "", Meaning::Throttled),
        (400, "EC2ThrottledException", "", Meaning::Throttled),
        (503, "SlowDown", "", Meaning::Throttled),
        (503, "Throttling", "", Meaning::Throttled),
        (400, "KMSThrottlingException", "", Meaning::Throttled),
        (400, "SomethingThrottledByName", "", Meaning::Throttled),
        (429, "", "", Meaning::Throttled),
        (429, "SomethingElse", "", Meaning::Throttled),
        // The service itself.
        (500, "InternalFailure", "", Meaning::ServerError),
        (503, "ServiceUnavailable", "", Meaning::ServerError),
        (503, "ServiceUnavailableException", "", Meaning::ServerError),
        (408, "RequestTimeout", "", Meaning::ServerError),
        (400, "RequestTimeoutException", "", Meaning::ServerError),
        (400, "RequestAbortedException", "", Meaning::ServerError),
        (500, "", "", Meaning::ServerError),
        (502, "", "", Meaning::ServerError),
        (504, "SomethingElse", "", Meaning::ServerError),
        (500, "AccessDeniedException", "", Meaning::ServerError),
        // Access.
        (
            400,
            "AccessDeniedException",
            "is not authorized to perform: secretsmanager:GetSecretValue",
            Meaning::AccessDenied,
        ),
        (400, "AccessDeniedException", "Access to KMS is not allowed", Meaning::Key),
        (403, "AccessDenied", "", Meaning::AccessDenied),
        (401, "NotAuthorized", "", Meaning::AccessDenied),
        (403, "OptInRequired", "", Meaning::AccessDenied),
        (403, "UnauthorizedOperation", "", Meaning::AccessDenied),
        (403, "SomethingElse", "", Meaning::AccessDenied),
        (403, "", "", Meaning::AccessDenied),
        // Malformed.
        (400, "InvalidAction", "", Meaning::Invalid),
        (400, "InvalidParameterCombination", "", Meaning::Invalid),
        (400, "InvalidParameterValue", "", Meaning::Invalid),
        (400, "InvalidQueryParameter", "", Meaning::Invalid),
        (400, "MalformedHttpRequestException", "", Meaning::Invalid),
        (404, "MalformedQueryString", "", Meaning::Invalid),
        (400, "MissingAction", "", Meaning::Invalid),
        (400, "MissingParameter", "", Meaning::Invalid),
        (413, "RequestEntityTooLargeException", "", Meaning::Invalid),
        (404, "UnknownOperationException", "", Meaning::Invalid),
        (400, "ValidationError", "", Meaning::Invalid),
        (400, "SomethingElse", "", Meaning::Invalid),
        (404, "SomethingElse", "", Meaning::Missing),
        (409, "SomethingElse", "", Meaning::Conflict),
        (400, "KMSSomethingElse", "", Meaning::Key),
        // Not of AWS.
        (200, "", "", Meaning::NotAws),
        (204, "", "", Meaning::NotAws),
        (301, "", "", Meaning::NotAws),
        (400, "", "", Meaning::NotAws),
        (404, "", "", Meaning::NotAws),
        (407, "", "", Meaning::NotAws),
    ] {
        let code = (!code.is_empty()).then_some(code);
        assert_eq!(classify(status, code, message), expected, "{status} {code:?} {message}");
    }
}

/// An empty code is as good as none.
#[test]
fn an_empty_code_is_none() {
    assert_eq!(classify(400, Some(""), ""), Meaning::NotAws);
}

#[test]
fn each_code_stands_in_the_table_once() {
    let mut names: Vec<_> = CODES.iter().flat_map(|(_, names)| *names).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(names.iter().all(|name| !name.ends_with("Exception")));
}

#[test]
fn a_meaning_either_passes_or_needs_somebody() {
    for (meaning, _) in CODES {
        assert!(!(meaning.is_repeated() && meaning.is_permanent()), "{meaning:?}");
    }
    for meaning in [Meaning::NotAws, Meaning::NoCredentials, Meaning::BadCredentials] {
        assert!(!meaning.is_repeated() && !meaning.is_permanent(), "{meaning:?}");
    }
}

#[test]
fn a_message_quotes_what_a_service_returned_if_one_did() {
    for (meaning, expected) in [
        (
            Meaning::NoResponse(Reason::TimedOut),
            "could not be read: Secrets Manager did not respond (HTTP 400). ",
        ),
        (Meaning::NoCredentials, "`zoho` could not be read. There are no AWS"),
        (Meaning::Throttled, "`zoho` could not be read (HTTP 400). "),
    ] {
        let message = message(Operation::GetSecretValue, "`zoho`", meaning, "HTTP 400", "eu-west-1");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn credentials_and_signatures_are_masked() {
    for (text, expected) in [
        ("key AKIAIOSFODNN7EXAMPLE ends", "key [redacted] ends"),
        ("Credential=ASIAIOSFODNN7EXAMPLE/20261124/eu-west-1", "Credential=[redacted]-west-1"),
        (
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7.",
            "Signature=[redacted].",
        ),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[redacted]"),
        ("5f3a9c1d5f3a9c1d5f3a9c1d5f3a9c1d5f3a9c1d5f", "[redacted]"),
        // What helps stays.
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/zoho-AbCdEf", ""),
        ("arn:aws:sts::123456789012:assumed-role/mass-change-owner-role/function", ""),
        ("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", ""),
        ("Signature expired: 20261124T095814Z is now earlier than 20261124T095815Z", ""),
        ("User is not authorized to perform: secretsmanager:GetSecretValue because …", ""),
        ("0123456789abcdefghijklmnopqrstuvwxyzabcdefgh", ""),
        ("a=b", ""),
        ("", ""),
    ] {
        assert_eq!(mask(text), if expected.is_empty() { text } else { expected });
    }
}

/// `docs/aws-errors.md` shows the table as it is. `UPDATE_DOCS=1 cargo test` writes it.
#[test]
fn the_documentation_has_this_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/aws-errors.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/aws-errors.md is not up to date: run UPDATE_DOCS=1 cargo test the_documentation"
    );
}

fn page() -> String {
    let mut page = String::from(
        "# Errors of AWS services\n\n\
         What the function makes of an error of Secrets Manager, SNS, or EventBridge Scheduler. The codes are those of \
         the services, without `Exception` at their end. A test writes this page from `src/aws/errors/mod.rs`.\n\n\
         * *Repeated*: sent again within the invocation, three times in all.\n\
         * *Secret*: what it is reported as if it happens while the secret is read. For the topic it is \
         `NotificationFailed`, and for the schedule `ScheduleNotDeleted`, whatever the meaning.\n\n\
         | Meaning | Codes | Repeated | Secret | Advice (when the secret is read) |\n|---|---|---|---|---|\n",
    );
    let other = [
        (Meaning::NoResponse(Reason::TimedOut), "no connection, no response, or a response that is cut off"),
        (Meaning::NoResponse(Reason::UnknownAuthority), "a certificate of an unknown authority"),
        (Meaning::NoResponse(Reason::InvalidCertificate), "a certificate for another host or another time"),
        (Meaning::NoResponse(Reason::Proxy), "a proxy that does not connect"),
        (Meaning::NotAws, "an empty body, a web page, or an HTTP 4xx without a code"),
        (Meaning::NoCredentials, "no AWS credentials"),
    ];
    for (meaning, what) in other {
        row(&mut page, meaning, what);
    }
    for (meaning, names) in CODES {
        let codes = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        row(&mut page, *meaning, &codes);
    }
    page.push_str(
        "\n`InvalidSignature` and `SignatureDoesNotMatch` mean *Expired* if their message is about time. `AccessDenied` \
         means *Key* if its message is about KMS. A code that is not listed goes by its status: 429 is *Throttled*, 401 \
         and 403 are *AccessDenied*, 404 is *Missing*, 408 and 5xx are *ServerError*, 409 is *Conflict*, and any other \
         4xx is *Invalid*.\n",
    );
    page
}

fn row(page: &mut String, meaning: Meaning, what: &str) {
    let name = format!("{meaning:?}");
    let name = name.split('(').next().unwrap_or_default();
    let repeated = if meaning.is_repeated() { "yes" } else { "no" };
    let secret = if meaning.is_permanent() { "`SecretInvalid`" } else { "`SecretUnavailable`" };
    let advice = meaning.advice(Operation::GetSecretValue, "eu-west-1");
    writeln!(page, "| {name} | {what} | {repeated} | {secret} | {advice} |").unwrap();
}
