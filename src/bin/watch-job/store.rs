//! The credentials and the tokens of this computer, as the token protocol wants them: a store of versions with
//! compare-and-set. A file in the cache directory is the store, so that all starts share one token.

use crate::files::{self, shown};
use crate::source::Origin;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Credentials on this computer, and a file with their tokens.
pub(crate) struct LocalStore {
    origin: Origin,
    /// `None`: tokens are not kept.
    file: Option<PathBuf>,
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
    /// Tokens are kept below `cache`, apart for other credentials and for other `hosts`.
    ///
    /// # Errors
    ///
    /// `Denied` if the credentials cannot be read.
    pub(crate) fn new(
        origin: Origin,
        cache: Option<&Path>,
        hosts: &[Option<&str>],
    ) -> Result<Self, StoreError> {
        let text = read(&origin)?;
        let key = digest(&format!("{hosts:?} {}", text.expose_secret()));
        Ok(Self { origin, file: cache.map(|cache| cache.join(format!("token-{key}.json"))) })
    }

    /// What is kept. Nothing, if something else has written the file.
    fn versions(&self) -> Result<Vec<Stored>, StoreError> {
        let file = self.file.as_deref().ok_or_else(not_kept)?;
        match fs::read(file) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(denied(file, &error)),
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
}

fn read(origin: &Origin) -> Result<SecretString, StoreError> {
    match origin {
        Origin::Text(text) => Ok(text.clone()),
        Origin::File(path) => match files::read(path) {
            Ok(content) => Ok(content.text.into()),
            Err(problem) => {
                Err(StoreError::Denied(format!("the file {} could not be read: {problem}", shown(path))))
            }
        },
        Origin::SecretsManager(_) => Err(StoreError::Denied("the secret is not on this computer".to_owned())),
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl SecretStore for LocalStore {
    async fn current(&self) -> Result<Version, StoreError> {
        let text = read(&self.origin)?;
        Ok(Version { id: digest(text.expose_secret()), created: Timestamp::from_epoch_seconds(0), text })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.find(|stored| stored.label == label)
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.find(|stored| stored.id == id)
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let file = self.file.as_deref().ok_or_else(not_kept)?;
        // Other processes wait until this one has written, or has ended.
        let _locked = lock(&file.with_extension("lock")).map_err(|error| denied(file, &error))?;
        let mut versions = self.versions()?;
        if let Some(taken) = versions.iter().find(|stored| stored.id == id) {
            if taken.text != text.expose_secret() {
                return Ok(Put::Taken);
            }
            let carrier = versions.iter().rev().find(|stored| stored.label == label);
            let carries = carrier.is_some_and(|stored| stored.id == id);
            return Ok(Put::Done { stages: carries.then(|| label.to_owned()).into_iter().collect() });
        }
        let now = Timestamp::now().epoch_seconds();
        versions.retain(|stored| now.saturating_sub(stored.created) < KEPT_SECONDS);
        let (id, text) = (id.to_owned(), text.expose_secret().to_owned());
        versions.push(Stored { id, label: label.to_owned(), created: now, text });
        let json = serde_json::to_string(&versions).unwrap_or_default();
        files::write(file, &json).map_err(|error| denied(file, &error))?;
        Ok(Put::Done { stages: vec![label.to_owned()] })
    }
}

fn lock(path: &Path) -> io::Result<File> {
    files::create_parent(path)?;
    let file = files::owners(path)?;
    file.lock()?;
    Ok(file)
}

fn not_kept() -> StoreError {
    StoreError::Denied("tokens are not kept".to_owned())
}

/// Says once why tokens are not kept. The watch goes on with a token of its own.
fn denied(file: &Path, error: &io::Error) -> StoreError {
    static ONCE: Once = Once::new();
    let why = format!("the access token is not kept for the next start: {}: {error}", shown(file));
    ONCE.call_once(|| tracing::warn!("{why}"));
    StoreError::Denied(why)
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
        let store = |text: &str, cache| LocalStore::new(Origin::Text(text.into()), cache, &[]).unwrap();
        let (first, second) = (store("{}", Some(&cache)), store("{}", Some(&cache)));
        let done = |stages: &[&str]| {
            Ok(Put::Done { stages: stages.iter().map(|label| (*label).to_owned()).collect() })
        };
        assert_eq!(first.put("1", "A", &"one".into()).await, done(&["A"]));
        assert_eq!(second.put("1", "A", &"one".into()).await, done(&["A"]));
        assert_eq!(second.put("1", "A", &"other".into()).await, Ok(Put::Taken));
        assert_eq!(second.put("2", "A", &"two".into()).await, done(&["A"]));
        assert_eq!(first.put("1", "A", &"one".into()).await, done(&[]), "the label has moved on");
        let text = |version: Option<Version>| version.map(|version| version.text.expose_secret().to_owned());
        assert_eq!(text(first.labeled("A").await.unwrap()).as_deref(), Some("two"));
        assert_eq!(text(first.version("1").await.unwrap()).as_deref(), Some("one"));
        assert!(first.labeled("B").await.unwrap().is_none());
        let others = store("other credentials", Some(&cache));
        assert!(others.version("1").await.unwrap().is_none());
        assert!(store("{}", None).version("1").await.is_err());
        fs::write(first.file.as_ref().unwrap(), "garbage").unwrap();
        assert!(first.version("1").await.unwrap().is_none());
        fs::remove_dir_all(cache).unwrap();
    }
}
