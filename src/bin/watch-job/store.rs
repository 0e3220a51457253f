//! The credentials and the tokens of this computer, as the token protocol wants them: versions with compare-and-set. A file
//! in the cache directory holds them, so that all starts share one token.

use crate::files::{self, shown};
use crate::source::{Source, invalid};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Credentials on this computer, and a file with their tokens.
pub(crate) struct LocalStore {
    credentials: SecretString,
    /// Read anew each time, so that a token that something else keeps up to date is noticed.
    origin: Option<PathBuf>,
    /// `None`: tokens are not kept.
    kept: Option<PathBuf>,
}

/// A version as the file holds it. The newest one with a label carries the label.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    label: String,
    created: i64,
    text: String,
}

/// The token protocol reads nothing that is older.
const KEPT_SECONDS: i64 = 86_400;

impl LocalStore {
    /// Reads the credentials, a pipe once. Tokens are kept below `cache`, apart for other credentials and `hosts`.
    pub(crate) fn new(source: Source, cache: Option<PathBuf>, hosts: &str) -> Result<Self, WatchError> {
        let (text, origin) = match source {
            Source::Variable(text) | Source::Secret(text) => (text, None),
            Source::File(path) => {
                let unreadable = |problem| invalid(format!("{} could not be read: {problem}", shown(&path)));
                let (text, is_file) = files::read(&path).map_err(unreadable)?;
                if is_file {
                    files::warn_if_public(&path);
                }
                (text, is_file.then_some(path))
            }
        };
        let kept =
            cache.map(|cache| cache.join(format!("token-{}.json", digest(&[hosts, &text].join("\n")))));
        Ok(Self { credentials: text.into(), origin, kept })
    }

    fn kept(&self) -> Result<&Path, StoreError> {
        self.kept.as_deref().ok_or_else(not_kept)
    }

    /// What is kept. Nothing, if something else has written the file.
    fn versions(&self) -> Result<Vec<Stored>, StoreError> {
        match fs::read(self.kept()?) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.denied(&error)),
        }
    }

    fn find(&self, is_wanted: impl Fn(&Stored) -> bool) -> Result<Option<Version>, StoreError> {
        let found = self.versions()?.into_iter().rev().find(is_wanted);
        Ok(found.map(|Stored { id, created, text, .. }| Version {
            id,
            created: Timestamp::from_epoch_seconds(created),
            text: text.into(),
        }))
    }

    /// Says once why tokens are not kept. The watch goes on with a token of its own.
    fn denied(&self, error: &io::Error) -> StoreError {
        static ONCE: Once = Once::new();
        let file = self.kept.as_deref().map(shown).unwrap_or_default();
        ONCE.call_once(|| tracing::warn!("the access token is not kept for the next start: {file}: {error}"));
        not_kept()
    }
}

fn not_kept() -> StoreError {
    StoreError::Denied("watch-job does not keep tokens here".to_owned())
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl SecretStore for LocalStore {
    async fn current(&self) -> Result<Version, StoreError> {
        let text = match &self.origin {
            None => self.credentials.clone(),
            Some(path) => match files::read(path) {
                Ok((text, _)) => text.into(),
                Err(problem) => {
                    return Err(StoreError::Unavailable(format!(
                        "{} could not be read: {problem}",
                        shown(path)
                    )));
                }
            },
        };
        Ok(Version { id: digest(text.expose_secret()), created: Timestamp::from_epoch_seconds(0), text })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.find(|stored| stored.label == label)
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.find(|stored| stored.id == id)
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let file = self.kept()?;
        // Other processes wait until this one has written, or has ended.
        let lock = files::create(&file.with_extension("lock")).and_then(|lock| lock.lock().map(|()| lock));
        let _lock = lock.map_err(|error| self.denied(&error))?;
        let (now, mut versions) = (Timestamp::now().epoch_seconds(), self.versions()?);
        if versions.iter().any(|stored| stored.id == id) {
            return Ok(Put::Taken);
        }
        versions.retain(|stored| now.saturating_sub(stored.created) < KEPT_SECONDS);
        let (id, text) = (id.to_owned(), text.expose_secret().to_owned());
        versions.push(Stored { id, label: label.to_owned(), created: now, text });
        let json = serde_json::to_string(&versions).unwrap_or_default();
        files::write(file, &json).map_err(|error| self.denied(&error))?;
        Ok(Put::Done { stages: vec![label.to_owned()] })
    }
}

/// The function's secret, of which this program only reads.
pub(crate) struct ReadOnly<S>(pub S);

impl<S: SecretStore> SecretStore for ReadOnly<S> {
    async fn current(&self) -> Result<Version, StoreError> {
        self.0.current().await
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.0.labeled(label).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.0.version(id).await
    }

    async fn put(&self, _: &str, _: &str, _: &SecretString) -> Result<Put, StoreError> {
        Err(not_kept())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn versions_are_put_once_and_found_by_id_and_label() {
        let cache = std::env::temp_dir().join(format!("watch-job-test-{}", std::process::id()));
        let store = |text: &str, cache| LocalStore::new(Source::Variable(text.into()), cache, "").unwrap();
        let (first, second) = (store("{}", Some(cache.clone())), store("{}", Some(cache.clone())));
        let done = Put::Done { stages: vec!["A".to_owned()] };
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
