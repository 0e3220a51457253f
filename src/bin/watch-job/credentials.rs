//! Where Zoho's credentials come from, as a [`SecretStore`].

use crate::arguments::Settings;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use secrecy::SecretString;
use std::path::PathBuf;

/// Where the credentials are.
pub(crate) enum Source {
    /// On this machine.
    Local(LocalStore),
    /// In the AWS Secrets Manager secret of this name or ARN.
    SecretsManager(String),
}

/// Follows the order that the help text documents.
///
/// # Errors
///
/// `InvalidConfiguration` if nothing names credentials, or the file cannot be read.
pub(crate) fn source(settings: &Settings) -> Result<Source, WatchError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let invalid = |message: &str| WatchError::new(ErrorType::InvalidConfiguration, message);
    if let Some(path) = &settings.credentials {
        let store = LocalStore::new(Origin::File(path.clone()));
        // A file that is not there is a mistake on the command line, not a watch that failed.
        store.origin.read().map_err(|error| invalid(error.message()))?;
        return Ok(Source::Local(store));
    }
    if let Some(secret_id) = &settings.secret_id {
        return Ok(Source::SecretsManager(secret_id.clone()));
    }
    if let Some(text) = variable("ZOHO_CREDENTIALS") {
        return Ok(Source::Local(LocalStore::new(Origin::Text(text.into()))));
    }
    variable("ZOHO_SECRET_ID").map(Source::SecretsManager).ok_or_else(|| {
        invalid(
            "no credentials are given. Use --credentials FILE or --secret-id NAME, or set ZOHO_CREDENTIALS",
        )
    })
}

/// Credentials on this machine. They hold no access tokens of others.
pub(crate) struct LocalStore {
    origin: Origin,
}

enum Origin {
    /// Read anew each time, so that a token that something else keeps up to date is noticed.
    File(PathBuf),
    Text(SecretString),
}

impl Origin {
    fn read(&self) -> Result<SecretString, StoreError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read_to_string(path).map(SecretString::from).map_err(|error| {
                StoreError::Denied(format!(
                    "the credentials file {} could not be read ({error}). Check the path and its permissions",
                    path.display()
                ))
            }),
        }
    }
}

impl LocalStore {
    fn new(origin: Origin) -> Self {
        Self { origin }
    }
}

impl SecretStore for LocalStore {
    async fn current(&self) -> Result<Version, StoreError> {
        let text = self.origin.read()?;
        Ok(Version { id: "local".to_owned(), created: Timestamp::from_epoch_seconds(0), text })
    }

    async fn labeled(&self, _: &str) -> Result<Option<Version>, StoreError> {
        Ok(None)
    }

    async fn version(&self, _: &str) -> Result<Option<Version>, StoreError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: &str, _: &SecretString) -> Result<Put, StoreError> {
        Err(StoreError::Denied("credentials on this machine are not shared".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = Origin::File("no/such/file".into()).read().unwrap_err();
        assert!(error.message().contains("no/such/file"), "{error:?}");
    }
}
