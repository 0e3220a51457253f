//! Where Zoho's credentials come from, as a [`SecretStore`].

use crate::arguments::Settings;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Credentials on this machine. Access tokens stay in memory and are shared with nobody.
pub(crate) struct LocalStore {
    origin: Origin,
    /// What was put: the label, and the version that carries it.
    put: Mutex<Vec<(String, Version)>>,
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
        Self { origin, put: Mutex::default() }
    }

    fn versions(&self) -> MutexGuard<'_, Vec<(String, Version)>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, is_wanted: impl Fn(&str, &Version) -> bool) -> Option<Version> {
        let versions = self.versions();
        let found = versions.iter().rev().find(|(label, version)| is_wanted(label, version));
        found.map(|(_, version)| version.clone())
    }
}

impl SecretStore for LocalStore {
    async fn current(&self) -> Result<Version, StoreError> {
        let text = self.origin.read()?;
        Ok(Version { id: "local".to_owned(), created: Timestamp::from_epoch_seconds(0), text })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        Ok(self.find(|of, _| of == label))
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        Ok(self.find(|_, version| version.id == id))
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        if let Some(taken) = self.find(|_, version| version.id == id) {
            let same = taken.text.expose_secret() == text.expose_secret();
            let carries = self.find(|of, _| of == label).is_some_and(|carrier| carrier.id == id);
            let stages = carries.then(|| label.to_owned()).into_iter().collect();
            return Ok(if same { Put::Done { stages } } else { Put::Taken });
        }
        let version = Version { id: id.to_owned(), created: Timestamp::now(), text: text.clone() };
        self.versions().push((label.to_owned(), version));
        Ok(Put::Done { stages: vec![label.to_owned()] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn versions_are_put_once_and_found_by_id_and_label() {
        let store = LocalStore::new(Origin::Text("{}".into()));
        let done = |stages: &[&str]| {
            Ok(Put::Done { stages: stages.iter().map(|label| (*label).to_owned()).collect() })
        };
        assert_eq!(store.put("1", "A", &"one".into()).await, done(&["A"]));
        assert_eq!(store.put("1", "A", &"one".into()).await, done(&["A"]));
        assert_eq!(store.put("1", "A", &"other".into()).await, Ok(Put::Taken));
        assert_eq!(store.put("2", "A", &"two".into()).await, done(&["A"]));
        assert_eq!(store.put("1", "A", &"one".into()).await, done(&[]), "the label has moved on");
        let text = |version: Option<Version>| version.map(|version| version.text.expose_secret().to_owned());
        assert_eq!(text(store.labeled("A").await.unwrap()).as_deref(), Some("two"));
        assert_eq!(text(store.version("1").await.unwrap()).as_deref(), Some("one"));
        assert!(store.labeled("B").await.unwrap().is_none());
        assert_eq!(store.current().await.unwrap().text.expose_secret(), "{}");
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = Origin::File("no/such/file".into()).read().unwrap_err();
        assert!(error.message().contains("no/such/file"), "{error:?}");
    }
}
