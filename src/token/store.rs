//! The secret as a small versioned store with compare-and-set: what the token protocol needs of Secrets Manager.

use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use secrecy::SecretString;
use std::future::Future;

/// One version of the secret.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its id: Secrets Manager's own, or the `ClientRequestToken` it was put under.
    pub id: String,
    /// When it was put, by Secrets Manager's clock.
    pub created: Timestamp,
    /// Its content.
    pub text: SecretString,
}

/// What became of a conditional put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The version is there with this content.
    Done,
    /// The id was used before with other content.
    Taken,
}

/// Why the secret could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// It does not exist, may not be used, cannot be decrypted: somebody has to mend it.
    Denied(String),
    /// Throttled: it was not done, and may be done a moment later.
    Throttled(String),
    /// Failed or did not answer in time; a put may have been done all the same.
    Unavailable(String),
}

impl StoreError {
    /// Under the public names.
    pub fn into_error(self) -> WatchError {
        match self {
            Self::Denied(what) => WatchError::new(ErrorType::SecretInvalid, what),
            Self::Throttled(what) | Self::Unavailable(what) => {
                WatchError::new(ErrorType::SecretUnavailable, what)
            }
        }
    }

    /// What happened.
    pub fn message(&self) -> &str {
        match self {
            Self::Denied(what) | Self::Throttled(what) | Self::Unavailable(what) => what,
        }
    }
}

/// The operations on one secret.
pub trait SecretStore: Send + Sync {
    /// The version labelled `AWSCURRENT`: what the operator stored.
    fn current(&self) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// The version that carries this staging label, if any does.
    fn labelled(&self, label: &str) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send;

    /// The version with this id, if there is one.
    fn version(&self, id: &str) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send;

    /// Puts a version under this id and moves the label to it, unless the id is taken. Never touches `AWSCURRENT`.
    fn put(
        &self,
        id: &str,
        label: &str,
        text: &SecretString,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;
}
