//! AWS Secrets Manager as the store of credentials and tokens.

use crate::aws::sdk;
use crate::timestamp::Timestamp;
use crate::token::store::{Put, SecretStore, StoreError, Version};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use secrecy::{ExposeSecret, SecretString};

/// One secret in AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
    secret_id: String,
}

impl SecretsManager {
    /// The secret of this name or ARN.
    pub fn new(client: Client, secret_id: String) -> Self {
        Self { client, secret_id }
    }

    async fn get(&self, label: Option<&str>, version: Option<&str>) -> Result<Option<Version>, StoreError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret_id)
            .set_version_stage(label.map(str::to_owned))
            .set_version_id(version.map(str::to_owned))
            .send()
            .await;
        match answer {
            Ok(answer) if !is_asked_for(&answer, label, version) => Ok(None),
            Ok(answer) => match answer.secret_string {
                Some(text) => Ok(Some(Version {
                    id: answer.version_id.unwrap_or_default(),
                    created: Timestamp::from_epoch_seconds(answer.created_date.map_or(0, |date| date.secs())),
                    text: text.into(),
                })),
                None => Err(StoreError::Denied(format!(
                    "the secret {} holds binary data; store its JSON as text (SecretString)",
                    self.secret_id
                ))),
            },
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.fault("read", &error)),
        }
    }

    /// Sorts an SDK error into those that mend themselves and those that do not.
    fn fault<E>(&self, verb: &str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (secret_id, said) = (&self.secret_id, sdk::summary(error));
        let Some(status) = error.raw_response().map(|response| response.status().as_u16()) else {
            return StoreError::Unavailable(format!(
                "Secrets Manager gave no answer when the secret {secret_id} was to be {verb} ({said}). Try again later"
            ));
        };
        let code = error.code().unwrap_or_default();
        let what = format!("the secret {secret_id} could not be {verb}: {said}");
        if code == "LimitExceededException" {
            // No rate: the secret has as many versions as it may have, until some are a day old.
            StoreError::Denied(format!(
                "{what}. The secret has too many versions; see what else writes to it"
            ))
        } else if status == 429
            || code.contains("Throttl")
            || code.contains("TooManyRequests")
            || code.contains("RequestLimitExceeded")
        {
            StoreError::Throttled(format!(
                "{what}. Secrets Manager takes no more requests for now; try again later"
            ))
        } else if !(400..500).contains(&status)
            || ["InternalService", "InternalFailure", "RequestTimeout", "Expired"]
                .iter()
                .any(|word| code.contains(word))
        {
            // An expired signature or session is of this environment and this moment; so is an answer cut short.
            StoreError::Unavailable(format!(
                "{what}. Secrets Manager has a fault of its own; try again later"
            ))
        } else {
            let permission = if verb == "read" {
                "secretsmanager:GetSecretValue"
            } else {
                "secretsmanager:PutSecretValue"
            };
            StoreError::Denied(format!(
                "{what}. Check ZOHO_SECRET_ID, and that the function's role has {permission} (and kms:Decrypt and \
                 kms:GenerateDataKey for a key of your own)"
            ))
        }
    }
}

/// Whether this is the version that was asked for: an endpoint that knows neither labels nor ids answers any question
/// with the one version it has.
fn is_asked_for(answer: &GetSecretValueOutput, label: Option<&str>, version: Option<&str>) -> bool {
    let stages = answer.version_stages();
    version.is_none_or(|id| answer.version_id() == Some(id))
        && label.is_none_or(|label| stages.is_empty() || stages.iter().any(|stage| stage == label))
}

impl SecretStore for SecretsManager {
    async fn current(&self) -> Result<Version, StoreError> {
        self.get(None, None).await?.ok_or_else(|| {
            StoreError::Denied(format!(
                "there is no secret {} with a value here. Check ZOHO_SECRET_ID, the region and the account",
                self.secret_id
            ))
        })
    }

    async fn labelled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.get(Some(label), None).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.get(None, Some(id)).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let answer = self
            .client
            .put_secret_value()
            .secret_id(&self.secret_id)
            .client_request_token(id)
            .version_stages(label)
            .secret_string(text.expose_secret())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Put::Done),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutSecretValueError::is_resource_exists_exception) =>
            {
                Ok(Put::Taken)
            }
            Err(error) => Err(self.fault("written", &error)),
        }
    }
}
