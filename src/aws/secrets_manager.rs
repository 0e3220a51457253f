//! AWS Secrets Manager as the store of credentials and tokens.

use crate::aws::errors::{self, AwsError, Meaning, Reporter};
use crate::timestamp::Timestamp;
use crate::token::{Put, SecretStore, StoreError, Version};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use secrecy::{ExposeSecret, SecretString};

/// One secret in AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
    reporter: Reporter,
    secret_id: String,
}

impl SecretsManager {
    pub(crate) fn new(client: Client, reporter: Reporter, secret_id: String) -> Self {
        Self { client, reporter, secret_id }
    }

    /// The version with this label or ID. The error says whether there is none.
    async fn get(&self, label: Option<&str>, version: Option<&str>) -> Result<Option<Version>, AwsError> {
        let request = self
            .client
            .get_secret_value()
            .secret_id(&self.secret_id)
            .set_version_stage(label.map(str::to_owned))
            .set_version_id(version.map(str::to_owned));
        let output = match request.send().await {
            Ok(output) if !is_asked_for(&output, label, version) => return Ok(None),
            Ok(output) => output,
            Err(error) => {
                return Err(self.reporter.report(&errors::GET_SECRET_VALUE, &self.secret_id, &error));
            }
        };
        let Some(text) = output.secret_string else {
            let (meaning, returned) = match output.secret_binary {
                Some(_) => (Meaning::Binary, "it has a SecretBinary"),
                None => (Meaning::NotAws, "a response without a secret"),
            };
            return Err(self.reporter.error(&errors::GET_SECRET_VALUE, &self.secret_id, meaning, returned));
        };
        let created = Timestamp::from_epoch_seconds(output.created_date.map_or(0, |date| date.secs()));
        Ok(Some(Version { id: output.version_id.unwrap_or_default(), created, text: text.into() }))
    }

    /// The version with this label or ID, if there is one.
    async fn find(&self, label: Option<&str>, version: Option<&str>) -> Result<Option<Version>, StoreError> {
        match self.get(label, version).await {
            Err(AwsError { meaning: Meaning::Missing, .. }) => Ok(None),
            result => result.map_err(store_error),
        }
    }
}

/// Whether this is the version that was asked for: an endpoint that knows neither labels nor IDs returns the one
/// version that it has.
fn is_asked_for(output: &GetSecretValueOutput, label: Option<&str>, version: Option<&str>) -> bool {
    let stages = output.version_stages();
    version.is_none_or(|id| output.version_id().is_none_or(|found| found == id))
        && label.is_none_or(|label| stages.is_empty() || stages.iter().any(|stage| stage == label))
}

/// Whether an operator has to act before the secret can be used is known only where AWS says so.
fn store_error(AwsError { meaning, message }: AwsError) -> StoreError {
    match meaning {
        Meaning::Throttled => StoreError::Throttled(message),
        Meaning::Missing
        | Meaning::Empty
        | Meaning::Binary
        | Meaning::AccessDenied
        | Meaning::Key
        | Meaning::Replica
        | Meaning::Full => StoreError::Denied(message),
        _ => StoreError::Unavailable(message),
    }
}

impl SecretStore for SecretsManager {
    async fn current(&self) -> Result<Version, StoreError> {
        let found = self.get(None, None).await.map_err(store_error)?;
        found.ok_or_else(|| StoreError::Unavailable("Secrets Manager returned another version".into()))
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.find(Some(label), None).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.find(None, Some(id)).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let result = self
            .client
            .put_secret_value()
            .secret_id(&self.secret_id)
            .client_request_token(id)
            .version_stages(label)
            .secret_string(text.expose_secret())
            .send()
            .await;
        let error = match result {
            Ok(output) if output.version_id() == Some(id) => return Ok(Put::Done),
            Ok(_) => {
                let returned = "a response without the version's ID";
                self.reporter.error(&errors::PUT_SECRET_VALUE, &self.secret_id, Meaning::NotAws, returned)
            }
            Err(error) => self.reporter.report(&errors::PUT_SECRET_VALUE, &self.secret_id, &error),
        };
        match error {
            AwsError { meaning: Meaning::Exists, .. } => Ok(Put::Taken),
            error => Err(store_error(error)),
        }
    }
}
