//! The versions of the secret.

use crate::environment::Environment;
use fastrand::Rng;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{Put, SecretStore, StoreError, Version};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The operator's own label.
const CURRENT: &str = "AWSCURRENT";

/// The operator's credentials; none of them may ever be shown.
pub(crate) const CREDENTIALS: [&str; 3] = ["client-identity-one", "client-secret-two", "refresh-token-three"];

/// The secret.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// What the operator has stored.
    credentials: String,
    versions: BTreeMap<String, Version>,
    /// The version that has a label.
    labels: BTreeMap<String, String>,
    /// The function's role has no permission to put versions.
    is_read_only: bool,
}

impl Secrets {
    pub(crate) fn new(rng: &mut Rng, static_token: Option<&str>) -> Self {
        let [id, secret, refresh] = CREDENTIALS;
        let credentials = format!(
            r#"{{"client_id": "{id}", "client_secret": "{secret}", "refresh_token": "{refresh}", "data_center": "EU"}}"#
        );
        let (versions, labels) = Default::default();
        let credentials = static_token.map_or(credentials, str::to_owned);
        Self { credentials, versions, labels, is_read_only: rng.u32(0..12) == 0 }
    }

    fn current(&self, is_malformed: bool) -> Version {
        let (id, text) = match is_malformed {
            true => ("malformed", format!(r#"{{"client_id": "{}"}}"#, CREDENTIALS[0])),
            false => ("operator", self.credentials.clone()),
        };
        Version { id: id.into(), created: Timestamp::from_epoch_seconds(0), text: text.into() }
    }

    /// Compare and set: the first content under an ID stays.
    fn put(&mut self, id: &str, label: &str, text: &SecretString, created: Timestamp) -> Put {
        if !self.versions.contains_key(id) {
            let version = Version { id: id.to_owned(), created, text: text.clone() };
            self.versions.insert(id.to_owned(), version);
            self.labels.insert(label.to_owned(), id.to_owned());
        }
        if self.versions[id].text.expose_secret() != text.expose_secret() {
            return Put::Taken;
        }
        let version = Version { id: id.to_owned(), created, text: text.clone() };
        self.versions.insert(id.to_owned(), version);
        self.labels.insert(label.to_owned(), id.to_owned());
        Put::Done
    }
}

/// An execution environment's way to the secret.
pub(crate) struct Store(pub Arc<Environment>);

impl Store {
    /// One operation, with the faults that outlast the SDK's own retries. `done` happens at Secrets Manager; whether what
    /// the operator has stored is malformed now, it is told.
    async fn request<T>(&self, done: impl FnOnce(&mut Secrets, bool) -> T) -> Result<T, StoreError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        world.pause(2..40).await;
        let fault = world.fault("secret");
        let done = || done(&mut world.state().secrets, fault == Some("malformed"));
        let result = match fault {
            Some("429") => Err(StoreError::Throttled("Secrets Manager throttled the request".into())),
            Some("denied") => Err(StoreError::Denied("no permission".into())),
            Some("503" | "lost") => {
                if fault == Some("lost") {
                    done();
                }
                // So long the SDK tries, with its own retries.
                tokio::time::sleep(Duration::from_secs(4)).await;
                Err(StoreError::Unavailable("Secrets Manager did not respond".into()))
            }
            _ => Ok(done()),
        };
        if let Some("denied" | "malformed") = fault {
            world.state().ledger.note("SecretInvalid", world.elapsed());
        }
        environment.step().await;
        result.inspect_err(|error| environment.note_store(error))
    }
}

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        self.request(|secrets, is_malformed| secrets.current(is_malformed)).await
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.request(|secrets, _| secrets.versions.get(secrets.labels.get(label)?).cloned()).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.request(|secrets, _| secrets.versions.get(id).cloned()).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        let world = &self.0.world;
        if label == CURRENT {
            world.violation("the function writes the operator's own version");
        }
        if world.state().secrets.is_read_only {
            let denied = StoreError::Denied("no permission to put a version".into());
            self.0.note_store(&denied);
            return Err(denied);
        }
        self.request(|secrets, _| secrets.put(id, label, text, world.now())).await
    }
}
