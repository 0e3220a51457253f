//! The credentials and their tokens, as the token protocol wants them: versions with compare-and-set. A file in the cache
//! directory holds the tokens of this computer, so that all starts share one.

use crate::credentials::{self, Source, shown};
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use mass_change_owner_status::{aws::secrets_manager::SecretsManager, error::WatchError, timestamp::Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io, sync::Once};

/// Where credentials and tokens are.
#[derive(Default)]
pub(crate) struct Store {
    /// The function's secret, of which this program only reads. The rest is for other sources.
    aws: Option<SecretsManager>,
    credentials: SecretString,
    /// Read anew each time, so that a token that something else keeps up to date is noticed.
    origin: Option<PathBuf>,
    /// The file with tokens. `None`: they are not kept.
    kept: Option<PathBuf>,
}

/// ID, label, time, and text of a version. The last one with a label carries it.
type Kept = (String, String, i64, String);

impl Store {
    /// Reads the credentials, a pipe once. Tokens are kept below `cache`, apart for other credentials and `hosts`.
    pub(crate) fn new(source: Source, cache: Option<PathBuf>, hosts: &str) -> Result<Self, WatchError> {
        let (text, origin) = match source {
            Source::Variable(text) | Source::Secret(text) => (text, None),
            Source::File(path) => match credentials::read(&path)? {
                (text, true) => (text, Some(path)),
                (text, false) => (text, None),
            },
        };
        let name = format!("token-{}.json", digest(&[hosts, &text].join("\n")));
        Ok(Self { aws: None, credentials: text.into(), origin, kept: cache.map(|cache| cache.join(name)) })
    }

    /// The function's secret.
    pub(crate) fn of_aws(secret: SecretsManager) -> Self {
        Self { aws: Some(secret), ..Self::default() }
    }

    fn kept(&self) -> Result<&Path, StoreError> {
        self.kept.as_deref().ok_or_else(|| StoreError::Denied("tokens are not kept".to_owned()))
    }

    /// What is kept. Nothing, if something else has written the file.
    fn versions(&self) -> Result<Vec<Kept>, StoreError> {
        match fs::read(self.kept()?) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.denied(&error)),
        }
    }

    fn find(&self, is_wanted: impl Fn(&Kept) -> bool) -> Result<Option<Version>, StoreError> {
        let found = self.versions()?.into_iter().rev().find(is_wanted);
        let version = |(id, _, seconds, text): Kept| Version {
            id,
            created: Timestamp::from_epoch_seconds(seconds),
            text: text.into(),
        };
        Ok(found.map(version))
    }

    /// Says once why tokens are not kept. The watch goes on with a token of its own.
    fn denied(&self, error: &io::Error) -> StoreError {
        static ONCE: Once = Once::new();
        let file = self.kept.as_deref().map(shown).unwrap_or_default();
        ONCE.call_once(|| tracing::warn!("the access token is not kept for the next start: {file}: {error}"));
        StoreError::Denied("tokens cannot be kept".to_owned())
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        if let Some(aws) = &self.aws {
            return aws.current().await;
        }
        let text = match self.origin.as_deref().map(credentials::read) {
            None => self.credentials.clone(),
            Some(Ok((text, _))) => text.into(),
            Some(Err(error)) => return Err(StoreError::Unavailable(error.message().to_owned())),
        };
        Ok(Version { id: digest(text.expose_secret()), created: Timestamp::from_epoch_seconds(0), text })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        match &self.aws {
            Some(aws) => aws.labeled(label).await,
            None => self.find(|kept| kept.1 == label),
        }
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        match &self.aws {
            Some(aws) => aws.version(id).await,
            None => self.find(|kept| kept.0 == id),
        }
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let file = self.kept()?;
        // Other processes wait until this one has written, or has ended.
        let lock = credentials::create(&file.with_extension("lock"));
        let _lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| self.denied(&error))?;
        let (now, mut versions) = (Timestamp::now().epoch_seconds(), self.versions()?);
        if versions.iter().any(|kept| kept.0 == id) {
            return Ok(Put::Taken);
        }
        // The protocol reads nothing that is older than a day.
        versions.retain(|kept| now.saturating_sub(kept.2) < 86_400);
        versions.push((id.to_owned(), label.to_owned(), now, text.expose_secret().to_owned()));
        let json = serde_json::to_string(&versions).unwrap_or_default();
        credentials::write(file, &json).map_err(|error| self.denied(&error))?;
        Ok(Put::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn versions_are_put_once_and_found_by_id_and_label() {
        let cache = std::env::temp_dir().join(format!("watch-job-test-{}", std::process::id()));
        let store = |text: &str, cache| Store::new(Source::Variable(text.into()), cache, "").unwrap();
        let (first, second) = (store("{}", Some(cache.clone())), store("{}", Some(cache.clone())));
        let done = Put::Done;
        assert_eq!(first.put("1", "A", &"one".into()).await.as_ref(), Ok(&done));
        assert_eq!(second.put("1", "A", &"other".into()).await, Ok(Put::Taken));
        assert_eq!(second.put("2", "A", &"two".into()).await.as_ref(), Ok(&done));
        let text = |version: Option<Version>| version.map(|version| version.text.expose_secret().to_owned());
        assert_eq!(text(first.labeled("A").await.unwrap()).as_deref(), Some("two"));
        assert_eq!(text(first.version("1").await.unwrap()).as_deref(), Some("one"));
        assert!(first.labeled("B").await.unwrap().is_none());
        assert!(store("other credentials", Some(cache.clone())).version("1").await.unwrap().is_none());
        assert!(store("{}", None).version("1").await.is_err());
        fs::write(first.kept().unwrap(), "garbage").unwrap();
        assert!(first.version("1").await.unwrap().is_none());
        fs::remove_dir_all(cache).unwrap();
    }
}
