//! AWS Secrets Manager as the store of credentials and tokens.

use crate::aws::errors::{AwsError, AwsErrorKind, AwsOperation, Reporter};
use crate::timestamp::Timestamp;
use crate::token::{Put, SecretStore, StoreError, Version};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueOutput;
use secrecy::{ExposeSecret, SecretString};

/// One secret in AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    pub(super) client: Client,
    pub(super) reporter: Reporter,
    pub(super) secret_id: String,
}

const GET: AwsOperation = ("secretsmanager:GetSecretValue", "the secret {subject} could not be read");
const PUT: AwsOperation = ("secretsmanager:PutSecretValue", "the secret {subject} could not be written");

impl SecretsManager {
    /// The current version, or the one with this label or ID.
    async fn get(&self, label: Option<&str>, id: Option<&str>) -> Result<Version, AwsError> {
        let request = self.client.get_secret_value().secret_id(&self.secret_id);
        let request = request.set_version_stage(label.map(str::to_owned)).set_version_id(id.map(str::to_owned));
        self.reporter.result(GET, &self.secret_id, request.send().await, version)
    }

    async fn find(&self, label: Option<&str>, id: Option<&str>) -> Result<Option<Version>, StoreError> {
        match self.get(label, id).await {
            Err(AwsError { kind: AwsErrorKind::Missing, .. }) => Ok(None),
            result => result.map(Some).map_err(store_error),
        }
    }
}

fn version(output: GetSecretValueOutput) -> Option<Version> {
    // A secret of binary data is empty as far as its text goes.
    let text = output.secret_string.or_else(|| output.secret_binary.map(|_| String::new()))?;
    let created = Timestamp::from_epoch_seconds(output.created_date.map_or(0, |date| date.secs()));
    Some(Version { id: output.version_id.unwrap_or_default(), created, text: text.into() })
}

/// Whether an operator has to act before the secret can be used is known only where AWS says so.
fn store_error(AwsError { kind, message }: AwsError) -> StoreError {
    match kind {
        AwsErrorKind::Throttled => StoreError::Throttled(message),
        AwsErrorKind::Missing | AwsErrorKind::Denied => StoreError::Denied(message),
        AwsErrorKind::Exists | AwsErrorKind::Unavailable => StoreError::Unavailable(message),
    }
}

impl SecretStore for SecretsManager {
    async fn current(&self) -> Result<Version, StoreError> {
        self.get(None, None).await.map_err(store_error)
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.find(Some(label), None).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.find(None, Some(id)).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let request = self.client.put_secret_value().secret_id(&self.secret_id).client_request_token(id);
        let request = request.version_stages(label).secret_string(text.expose_secret());
        let is_put = |output: PutSecretValueOutput| (output.version_id() == Some(id)).then_some(Put::Done);
        match self.reporter.result(PUT, &self.secret_id, request.send().await, is_put) {
            Err(AwsError { kind: AwsErrorKind::Exists, .. }) => Ok(Put::Taken),
            result => result.map_err(store_error),
        }
    }
}
