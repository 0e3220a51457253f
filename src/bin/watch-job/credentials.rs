//! Where Zoho's credentials come from, and the files that hold them and their tokens.

use crate::arguments::Arguments;
use etcetera::BaseStrategy;
use mass_change_owner_status::environment::{Environment, variables};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use mass_change_owner_status::{redact, timestamp::Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One source of credentials.
pub(crate) enum Source {
    /// A file or a pipe; `-` is standard input.
    File(PathBuf),
    /// The content of `ZOHO_CREDENTIALS`.
    Variable(String),
    /// In the AWS Secrets Manager secret of this name or ARN.
    Secret(String),
}

/// What the user has to correct before anything is sent.
pub(crate) fn invalid(message: impl AsRef<str>) -> WatchError {
    WatchError::new(ErrorType::InvalidInput, message)
}

impl Source {
    /// The first that is given, in the order of the help text.
    pub(crate) fn choose(arguments: &Arguments) -> Result<Self, WatchError> {
        let environment: Environment = variables().collect();
        let variable = |name| environment.get(name).map(str::to_owned);
        let sources = [
            arguments.credentials.clone().map(Self::File),
            arguments.secret_id.clone().map(Self::Secret),
            variable("ZOHO_CREDENTIALS").map(Self::Variable),
            variable("ZOHO_SECRET_ID").map(Self::Secret),
            places().map(|(file, _)| file).filter(|file| file.exists()).map(Self::File),
        ];
        let none = "there are no credentials. `watch-job login` gets them; --credentials FILE names others";
        sources.into_iter().flatten().next().ok_or_else(|| invalid(none))
    }

    /// As messages name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) if path == Path::new("-") => "standard input".to_owned(),
            Self::File(path) => format!("the file {}", shown(path)),
            Self::Variable(_) => "the variable ZOHO_CREDENTIALS".to_owned(),
            Self::Secret(name) => format!("the secret {}", redact::quote_up_to(name, 100)),
        }
    }
}

/// The file that `login` writes and the directory with tokens, where the platform has such. `None` without a home.
pub(crate) fn places() -> Option<(PathBuf, PathBuf)> {
    let platform = etcetera::choose_base_strategy().ok()?;
    let credentials = platform.config_dir().join("watch-job/credentials.json");
    Some((credentials, platform.cache_dir().join("watch-job")))
}

/// A path for messages. Credentials in its place are not shown.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_secret = text.contains('{') || redact::contains_secret(&text, &[]);
    if is_secret { "a path (not shown) that looks like credentials".to_owned() } else { text.into_owned() }
}

/// Reads a file, a pipe, or standard input (`-`). Says whether it can be read again: only a file can.
pub(crate) fn read(path: &Path) -> Result<(String, bool), WatchError> {
    let text = if path == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    let advice = "It must be a file with credentials in UTF-8";
    let text = text.map_err(|error| invalid(format!("{} could not be read: {error}. {advice}", shown(path))))?;
    Ok((text, path.is_file()))
}

/// Writes a whole file, for its owner alone, so that no reader ever sees a part of it.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(std::process::id().to_string());
    create(&temporary)?.write_all(text.as_bytes())?;
    fs::rename(&temporary, path)
}

/// An empty file for its owner alone, with the directories above it.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    options.write(true).create(true).truncate(true).open(path)
}

/// Credentials that are not in AWS, and the file with their tokens, as versions with compare-and-set: all starts share one.
pub(crate) struct Store {
    credentials: SecretString,
    /// Read anew each time, so that a token that something else keeps up to date is noticed.
    origin: Option<PathBuf>,
    /// The file with tokens. `None`: they are not kept.
    kept: Option<PathBuf>,
}

/// ID, label, time, and text of a version. The last one with a label carries it.
type Kept = (String, String, i64, String);

impl Store {
    /// Tokens are kept below `cache`, apart for other credentials.
    pub(crate) fn new(credentials: String, origin: Option<PathBuf>, cache: Option<PathBuf>) -> Self {
        let kept = cache.map(|cache| cache.join(format!("token-{}.json", digest(&credentials))));
        Self { credentials: credentials.into(), origin, kept }
    }

    /// What is kept. Nothing, if something else has written the file.
    fn versions(&self) -> Vec<Kept> {
        let bytes = self.kept.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    fn find(&self, is_wanted: impl Fn(&Kept) -> bool) -> Option<Version> {
        let (id, _, seconds, text) = self.versions().into_iter().rev().find(is_wanted)?;
        Some(Version { id, created: Timestamp::from_epoch_seconds(seconds), text: text.into() })
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        let unread = |error: WatchError| StoreError::Unavailable(error.message);
        let text = match &self.origin {
            Some(file) => read(file).map_err(unread)?.0.into(),
            None => self.credentials.clone(),
        };
        Ok(Version { id: digest(text.expose_secret()), created: Timestamp::from_epoch_seconds(0), text })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        Ok(self.find(|kept| kept.1 == label))
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        Ok(self.find(|kept| kept.0 == id))
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let Some(file) = &self.kept else { return Err(StoreError::Denied("tokens are not kept".to_owned())) };
        let put = || -> io::Result<Put> {
            // Other processes wait until this one has written, or has ended.
            let lock = create(&file.with_extension("lock"))?;
            lock.lock()?;
            let (now, mut versions) = (Timestamp::now().epoch_seconds(), self.versions());
            if versions.iter().any(|kept| kept.0 == id) {
                return Ok(Put::Taken);
            }
            // The protocol reads nothing that is older than a day.
            versions.retain(|kept| now.saturating_sub(kept.2) < 86_400);
            versions.push((id.to_owned(), label.to_owned(), now, text.expose_secret().to_owned()));
            write(file, &serde_json::to_string(&versions)?)?;
            Ok(Put::Done)
        };
        // The watch goes on with a token of its own.
        put().map_err(|error| StoreError::Denied(format!("{}: {error}", file.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn versions_are_put_once_and_found_by_id_and_label() {
        let cache = std::env::temp_dir().join(format!("watch-job-test-{}", std::process::id()));
        let store = |text: &str| Store::new(text.into(), None, Some(cache.clone()));
        let (first, second) = (store("{}"), store("{}"));
        for (id, text, put) in [("1", "one", Put::Done), ("1", "other", Put::Taken), ("2", "two", Put::Done)] {
            assert_eq!(second.put(id, "A", &text.into()).await, Ok(put));
        }
        let text = |version: Option<Version>| version.map(|version| version.text.expose_secret().to_owned());
        assert_eq!(text(first.labeled("A").await.unwrap()).as_deref(), Some("two"));
        assert_eq!(text(first.version("1").await.unwrap()).as_deref(), Some("one"));
        assert!(first.labeled("B").await.unwrap().is_none());
        assert!(store("other credentials").version("1").await.unwrap().is_none());
        fs::write(first.kept.as_ref().unwrap(), "garbage").unwrap();
        assert!(first.version("1").await.unwrap().is_none());
        fs::remove_dir_all(cache).unwrap();
    }
}
