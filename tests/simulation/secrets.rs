//! Secrets Manager: the versions of the secret.

use crate::environment::Outside;
use crate::world::{World, most_within};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::token::{LEASE_LABEL, Put, SecretStore, StoreError, TOKEN_LABEL, Version};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The operator's credentials; none of them may ever be shown.
pub(crate) const CREDENTIALS: [&str; 3] = ["client-identity-one", "client-secret-two", "refresh-token-three"];

/// Secrets Manager refuses more versions that are younger than a day.
const VERSIONS: usize = 100;
pub(crate) const DAY: u64 = 86_400;

#[derive(Debug, Default)]
pub(crate) struct Secrets {
    versions: BTreeMap<String, Version>,
    labels: BTreeMap<String, String>,
    /// When the function put versions, and when the operator did, in seconds since the beginning.
    pub written: Vec<u64>,
    pub operators: Vec<u64>,
    /// The function's role has no permission to put versions.
    pub is_read_only: bool,
    /// A put under the ID of one that was done just before succeeds, too.
    pub both_succeed: bool,
    latest: Option<(String, Instant)>,
}

impl Secrets {
    /// The operator stores credentials, under an ID that begins with the client's.
    pub(crate) fn operator_puts(&mut self, client: &str, now: u64) {
        assert!(self.has_room(now), "LimitExceededException");
        let [_, secret, refresh] = CREDENTIALS;
        let credentials = format!(
            r#"{{"client_id": "{client}", "client_secret": "{secret}", "refresh_token": "{refresh}", "data_center": "EU"}}"#
        );
        self.operators.push(now);
        self.store(client, "AWSCURRENT", &credentials, World::at(now));
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

    pub(crate) fn worst_day(&self) -> usize {
        most_within(&self.written, DAY)
    }

    fn labeled(&self, label: &str) -> Option<Version> {
        self.versions.get(self.labels.get(label)?).cloned()
    }

    /// The first content under an ID stays.
    fn put(&mut self, id: &str, label: &str, text: &SecretString, now: u64) -> Result<Put, StoreError> {
        let just_put = |(latest, at): &(String, Instant)| latest == id && at.elapsed() < Duration::from_millis(10);
        match self.versions.get(id) {
            Some(stored) if stored.text.expose_secret() == text.expose_secret() => {
                self.labels.insert(label.into(), id.into());
                return Ok(Put::Done);
            }
            Some(_) if !(self.both_succeed && self.latest.as_ref().is_some_and(just_put)) => return Ok(Put::Taken),
            _ if self.is_read_only => return Err(StoreError::Denied("no permission".into())),
            _ if !self.has_room(now) => return Err(StoreError::Denied("LimitExceededException".into())),
            _ => {}
        }
        self.latest = Some((id.to_owned(), Instant::now()));
        self.written.push(now);
        self.store(id, label, text.expose_secret(), World::at(now));
        Ok(Put::Done)
    }
}

impl Outside {
    /// One operation on the secret. Remembers whether this environment has reason to request a token without a claim.
    async fn secret<T: Send + 'static>(
        &self,
        service: &str,
        done: impl Fn(&mut Secrets, u64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self(environment) = self;
        let world = &environment.world;
        let done = move |world: &World| done(&mut world.state().secrets, world.elapsed());
        let result = environment.request(&["secret", service], done).await.unwrap_or_else(|fault| match fault {
            "429" => Err(StoreError::Throttled("Secrets Manager throttled the request".into())),
            "denied" => {
                world.state().ledger.note("SecretInvalid", world.elapsed());
                Err(StoreError::Denied("no permission".into()))
            }
            _ => Err(StoreError::Unavailable("Secrets Manager did not respond".into())),
        });
        let until = match &result {
            Err(StoreError::Denied(_)) => u64::MAX,
            Err(StoreError::Unavailable(_)) => world.elapsed() + 300,
            _ => 0,
        };
        let mut life = environment.life();
        life.alone_until = life.alone_until.max(until);
        result
    }
}

impl SecretStore for Outside {
    async fn current(&self) -> Result<Version, StoreError> {
        let world = &self.0.world;
        let version = self.secret("read", |secrets, _| Ok(secrets.labeled("AWSCURRENT").unwrap())).await?;
        if world.fault("content").is_none() {
            return Ok(version);
        }
        world.state().ledger.note("SecretInvalid", world.elapsed());
        let text = format!(r#"{{"client_id": "{}"}}"#, CREDENTIALS[0]);
        Ok(Version { id: "malformed".into(), text: text.into(), ..version })
    }

    async fn labeled(&self, label: &str) -> Result<Option<Version>, StoreError> {
        let label = label.to_owned();
        self.secret("read", move |secrets, _| Ok(secrets.labeled(&label))).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        let id = id.to_owned();
        self.secret("read", move |secrets, _| Ok(secrets.versions.get(&id).cloned())).await
    }

    async fn put(&self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        assert!((32..=64).contains(&id.len()) && [TOKEN_LABEL, LEASE_LABEL].contains(&label), "{id} {label}");
        let (id, label, text) = (id.to_owned(), label.to_owned(), text.clone());
        self.secret("put", move |secrets, now| secrets.put(&id, &label, &text, now)).await
    }
}
