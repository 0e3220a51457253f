//! The versions of the secret.

use crate::environment::Environment;
use crate::faults::{Fault, Service};
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
    versions: BTreeMap<String, Version>,
    labels: BTreeMap<String, String>,
    /// The function's role has no permission to put versions.
    is_read_only: bool,
}

impl Secrets {
    pub(crate) fn new(rng: &mut Rng, static_token: Option<&str>) -> Self {
        let [id, secret, refresh] = CREDENTIALS;
        let text = match static_token {
            Some(token) => token.to_owned(),
            None => format!(
                r#"{{"client_id": "{id}", "client_secret": "{secret}", "refresh_token": "{refresh}", "data_center": "EU"}}"#
            ),
        };
        Self {
            versions: BTreeMap::from([("operator".to_owned(), operators("operator", text))]),
            labels: BTreeMap::from([(CURRENT.to_owned(), "operator".to_owned())]),
            is_read_only: rng.u32(0..12) == 0,
        }
    }

    fn labeled(&self, label: &str) -> Option<Version> {
        self.versions.get(self.labels.get(label)?).cloned()
    }

    /// Compare and set: the first content under an ID stays.
    fn put(&mut self, id: &str, label: &str, text: &SecretString, created: Timestamp) -> Put {
        if let Some(known) = self.versions.get(id) {
            let is_same = known.text.expose_secret() == text.expose_secret();
            return if is_same { Put::Done } else { Put::Taken };
        }
        let version = Version { id: id.to_owned(), created, text: text.clone() };
        self.versions.insert(id.to_owned(), version);
        self.labels.insert(label.to_owned(), id.to_owned());
        Put::Done
    }
}

/// A version that the operator has stored.
fn operators(id: &str, text: String) -> Version {
    Version { id: id.to_owned(), created: Timestamp::from_epoch_seconds(0), text: text.into() }
}

/// How long the SDK tries, with its own retries, before it reports an error.
const SDK_PATIENCE: Duration = Duration::from_secs(4);

/// An execution environment's way to the secret.
pub(crate) struct Store(pub Arc<Environment>);

impl Store {
    /// One operation, with the faults that outlast the SDK's own retries. `done` happens at Secrets Manager; whether the
    /// operator's version is malformed now, it is told.
    async fn request<T>(
        &self,
        done: impl FnOnce(&mut Secrets, Timestamp, bool) -> T,
    ) -> Result<T, StoreError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        world.pause(2..40).await;
        let fault = world.fault(Service::Secrets);
        let done = || done(&mut world.state().secrets, world.now(), fault == Some(Fault::Invalid));
        let result = match fault {
            Some(Fault::Throttle) => {
                Err(StoreError::Throttled("Secrets Manager throttled the request".into()))
            }
            Some(Fault::Denied) => Err(StoreError::Denied("no permission".into())),
            Some(Fault::ServerError) => Err(unavailable()),
            Some(Fault::LostResponse | Fault::Stall) => {
                done();
                Err(unavailable())
            }
            _ => Ok(done()),
        };
        if matches!(fault, Some(Fault::Denied | Fault::Invalid)) {
            world.state().ledger.note("SecretInvalid", world.elapsed());
        }
        if matches!(result, Err(StoreError::Unavailable(_))) {
            tokio::time::sleep(SDK_PATIENCE).await;
        }
        environment.step().await;
        if let Err(error) = &result {
            environment.note_store(error);
        }
        result
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("Secrets Manager did not respond".into())
}

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        self.request(|secrets, _, is_malformed| match is_malformed {
            true => operators("malformed", format!(r#"{{"client_id": "{}"}}"#, CREDENTIALS[0])),
            false => secrets.labeled(CURRENT).unwrap(),
        })
        .await
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.request(|secrets, _, _| secrets.labeled(label)).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.request(|secrets, _, _| secrets.versions.get(id).cloned()).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        if label == CURRENT {
            self.0.world.violation("the function writes the operator's own version");
        }
        if self.0.world.state().secrets.is_read_only {
            let denied = StoreError::Denied("no permission to put a version".into());
            self.0.note_store(&denied);
            return Err(denied);
        }
        self.request(|secrets, now, _| secrets.put(id, label, text, now)).await
    }
}
