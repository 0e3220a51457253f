//! The versions of the secret.

use crate::environment::Environment;
use crate::world::{World, most_within};
use fastrand::Rng;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{LEASE_LABEL, Put, SecretStore, StoreError, TOKEN_LABEL, Version};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The operator's credentials; none of them may ever be shown.
pub(crate) const CREDENTIALS: [&str; 3] = ["client-identity-one", "client-secret-two", "refresh-token-three"];

/// Secrets Manager refuses more versions that are younger than a day.
const VERSIONS: usize = 100;
pub(crate) const DAY: u64 = 86_400;

/// The secret.
#[derive(Debug)]
pub(crate) struct Secrets {
    versions: BTreeMap<String, Version>,
    /// The version that has a label.
    labels: BTreeMap<String, String>,
    /// When the function put versions, and when the operator did, in seconds since the beginning.
    pub written: Vec<u64>,
    pub operators: Vec<u64>,
    /// The function's role has no permission to put versions.
    pub is_read_only: bool,
    /// The share of responses to puts that get lost once: the SDK then puts again.
    pub lost_responses: f64,
    /// A put looks whether the ID is free, and writes a moment later: two at once both succeed.
    pub both_succeed: bool,
}

impl Secrets {
    /// With a token that does not end, or with credentials.
    pub(crate) fn new(rng: &mut Rng, static_token: Option<&str>) -> Self {
        let ((versions, labels), (written, operators)) = Default::default();
        let is_read_only = rng.u32(0..12) == 0;
        let mut secrets =
            Self { versions, labels, written, operators, is_read_only, lost_responses: 0.0, both_succeed: false };
        secrets.operator_puts(CREDENTIALS[0], static_token, 0);
        secrets
    }

    /// The operator stores credentials, under an ID that begins with the client's.
    pub(crate) fn operator_puts(&mut self, client: &str, static_token: Option<&str>, now: u64) {
        assert!(self.has_room(now), "LimitExceededException");
        let [_, secret, refresh] = CREDENTIALS;
        let credentials = format!(
            r#"{{"client_id": "{client}", "client_secret": "{secret}", "refresh_token": "{refresh}", "data_center": "EU"}}"#
        );
        self.operators.push(now);
        let created = Timestamp::from_epoch_seconds(0);
        self.store(client, "AWSCURRENT", static_token.unwrap_or(&credentials), created);
    }

    pub(crate) fn store(&mut self, id: &str, label: &str, text: &str, created: Timestamp) {
        self.labels.insert(label.into(), id.into());
        self.versions.insert(id.into(), Version { id: id.into(), created, text: text.into() });
    }

    pub(crate) fn has_room(&self, now: u64) -> bool {
        self.written.iter().chain(&self.operators).filter(|at| **at + DAY > now).count() < VERSIONS
    }

    /// Whether the function may have no version left for a claim today, whatever the clocks say.
    pub(crate) fn is_crowded(&self, now: u64) -> bool {
        self.written.iter().filter(|at| **at + DAY + 600 > now).count() > 75
    }

    /// Versions that the function put within any 24 hours.
    pub(crate) fn worst_day(&self) -> usize {
        most_within(&self.written, DAY)
    }

    /// Versions that exist, the operator's aside.
    pub(crate) fn count(&self) -> usize {
        self.versions.len() - 1
    }

    fn labeled(&self, label: &str) -> Option<Version> {
        self.versions.get(self.labels.get(label)?).cloned()
    }

    /// What a put has to return if it writes nothing. The first content under an ID stays.
    fn refusal(&self, id: &str, text: &SecretString, now: u64) -> Option<Result<Put, StoreError>> {
        match self.versions.get(id) {
            Some(stored) if stored.text.expose_secret() == text.expose_secret() => Some(Ok(Put::Done)),
            Some(_) => Some(Ok(Put::Taken)),
            None if self.is_read_only => Some(Err(StoreError::Denied("no permission".into()))),
            None if !self.has_room(now) => Some(Err(StoreError::Denied("LimitExceededException".into()))),
            None => None,
        }
    }
}

/// An execution environment's way to the secret.
pub(crate) struct Store(pub Arc<Environment>);

impl Store {
    /// One operation, with the faults that outlast the SDK's own retries. `done` happens at Secrets Manager; whether what
    /// the operator has stored is malformed now, it is told.
    async fn request<T>(
        &self,
        service: &str,
        done: impl AsyncFnOnce(&World, bool) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        world.pause(2..40).await;
        let fault = world.fault("secret").or_else(|| world.fault(service));
        let is_malformed = fault == Some("malformed");
        if is_malformed || fault == Some("denied") {
            world.state().ledger.note("SecretInvalid", world.elapsed());
        }
        let result = match fault {
            Some("429") => Err(StoreError::Throttled("Secrets Manager throttled the request".into())),
            Some("denied") => Err(StoreError::Denied("no permission".into())),
            Some("503" | "lost") => {
                if fault == Some("lost") {
                    drop(done(world, false).await);
                }
                // So long the SDK tries, with its own retries.
                sleep(Duration::from_secs(4)).await;
                Err(StoreError::Unavailable("Secrets Manager did not respond".into()))
            }
            _ => done(world, is_malformed).await,
        };
        environment.step().await;
        result.inspect_err(|error| environment.note_store(error))
    }
}

impl SecretStore for Store {
    async fn current(&self) -> Result<Version, StoreError> {
        let text = format!(r#"{{"client_id": "{}"}}"#, CREDENTIALS[0]);
        self.request("read", async |world, is_malformed| {
            let current = world.state().secrets.labeled("AWSCURRENT").unwrap();
            let malformed = || Version { id: "malformed".into(), text: text.into(), ..current.clone() };
            Ok(if is_malformed { malformed() } else { current })
        })
        .await
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        self.request("read", async |world, _| Ok(world.state().secrets.labeled(label))).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.request("read", async |world, _| Ok(world.state().secrets.versions.get(id).cloned())).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        assert!((32..=64).contains(&id.len()) && [TOKEN_LABEL, LEASE_LABEL].contains(&label), "{id} {label}");
        self.request("put", async |world, _| {
            for _ in 0..3 {
                let refusal = world.state().secrets.refusal(id, text, world.elapsed());
                let (both_succeed, lost) = {
                    let secrets = &world.state().secrets;
                    (secrets.both_succeed, secrets.lost_responses)
                };
                if both_succeed {
                    world.pause(0..30).await;
                }
                if refusal.is_none() {
                    let secrets = &mut world.state().secrets;
                    secrets.store(id, label, text.expose_secret(), world.now());
                    secrets.written.push(world.elapsed());
                } else if refusal == Some(Ok(Put::Done)) {
                    world.state().secrets.labels.insert(label.into(), id.into());
                }
                if !world.chance(lost) {
                    return refusal.unwrap_or(Ok(Put::Done));
                }
                sleep(Duration::from_secs(1)).await;
            }
            Err(StoreError::Unavailable("no response".into()))
        })
        .await
    }
}
