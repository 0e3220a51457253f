//! What an SDK error means, and the message about it.

use crate::aws::errors::{self, Meaning, Operation};
use crate::http::{self, Reason, TransportError};
use crate::redact;
use ::http::StatusCode;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::sync::Arc;

/// Puts errors into words.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    pub(super) region: String,
    /// The AWS credentials of the environment: a service may echo them.
    pub(super) credentials: Arc<[SecretString]>,
}

/// An error of an AWS service: what it means, and the message about it.
#[derive(Debug)]
pub(crate) struct AwsError {
    pub(crate) meaning: Meaning,
    pub(crate) message: String,
}

impl Reporter {
    /// What an SDK error means for this secret, topic, or schedule.
    pub(crate) fn report<E>(
        &self,
        operation: Operation,
        subject: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> AwsError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (meaning, returned) = match error.raw_response() {
            Some(response) => {
                let status = response.status().as_u16();
                let (code, message) = (error.code(), error.message().unwrap_or_default());
                let returned = http::summary(
                    StatusCode::from_u16(status).unwrap_or_default(),
                    &self.mask(code.unwrap_or_default()),
                    &self.mask(message),
                );
                (errors::classify(status, code, message), returned)
            }
            None => {
                let meaning = match source::<TransportError>(error) {
                    Some(transport) => Meaning::NoResponse(transport.reason),
                    None if source::<CredentialsError>(error).is_some() => Meaning::NoCredentials,
                    None => Meaning::NoResponse(Reason::Other),
                };
                (meaning, self.mask(&redact::causes(error)))
            }
        };
        self.error(operation, subject, meaning, &returned)
    }

    /// An error that the service did not report as one.
    pub(crate) fn error(
        &self,
        operation: Operation,
        subject: &str,
        meaning: Meaning,
        returned: &str,
    ) -> AwsError {
        let message = errors::message(operation, subject, meaning, returned, &self.region);
        AwsError { meaning, message }
    }

    /// Text of an AWS service without what it echoes of the request.
    fn mask(&self, text: &str) -> String {
        let known: Vec<&str> = self.credentials.iter().map(ExposeSecret::expose_secret).collect();
        errors::mask(&redact::without(text, &known))
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
