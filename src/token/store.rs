//! The secret as a small versioned store with compare-and-set: what the token protocol needs from Secrets Manager.

use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use secrecy::SecretString;
use std::future::Future;

/// One version of the secret.
#[derive(Debug, Clone)]
pub struct Version {
    /// Secrets Manager's own ID, or the `ClientRequestToken` that the version was put under.
    pub id: String,
    /// When it was put, by Secrets Manager's clock.
    pub created: Timestamp,
    /// The `SecretString`.
    pub text: SecretString,
}

/// The result of a conditional put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The version exists with this content.
    Done,
    /// The ID is in use with other content.
    Taken,
}

/// Why the secret could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The secret does not exist, the role lacks a permission, or the secret cannot be decrypted: an operator must act.
    Denied(String),
    /// Not done: it can be repeated a moment later.
    Throttled(String),
    /// Secrets Manager failed or did not respond in time. A put may have been done all the same.
    Unavailable(String),
}

impl StoreError {
    /// The error under its public name.
    pub fn into_error(self) -> WatchError {
        match self {
            Self::Denied(message) => WatchError::new(ErrorType::SecretInvalid, message),
            Self::Throttled(message) | Self::Unavailable(message) => {
                WatchError::new(ErrorType::SecretUnavailable, message)
            }
        }
    }
}

/// The operations on one secret.
pub trait SecretStore: Send + Sync {
    /// The version labeled `AWSCURRENT`: the operator's credentials.
    fn current(&self) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// The version that has this staging label, if there is one.
    fn labeled(&self, label: &str) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send;

    /// The version with this ID, if there is one.
    fn version(&self, id: &str) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send;

    /// Puts a version under this ID and moves the label to it, unless the ID is taken. Never touches `AWSCURRENT`.
    fn put(&self, id: &str, label: &str, text: &SecretString) -> impl Future<Output = Result<Put, StoreError>> + Send;
}
