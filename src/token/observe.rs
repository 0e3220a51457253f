//! One look at the secret: reads as little as the decision needs, and starts the timers of what is seen for the first
//! time.

use crate::token::cache::{CachedToken, Owner};
use crate::token::clock::Timer;
use crate::token::context::Acquisition;
use crate::token::lease::{Acquired, LeaseWaiter, age};
use crate::token::plan::{Need, Observed, StoredCredentials};
use crate::token::record::{
    LEASE_LABEL, MAX_VERSIONS, MintFailure, SharedToken, Slot, TOKEN_LABEL, is_ours, issued_for,
};
use crate::token::store::{SecretStore, StoreError, Version};
use crate::zoho::credentials::{Secret, TokenGrant};
use crate::zoho::oauth::TokenEndpoint;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;

/// Credentials that were read so recently are not read again.
const FRESH: Duration = Duration::from_secs(2);

impl<S: SecretStore, T: TokenEndpoint> Acquisition<S, T> {
    /// Looks at the credentials, the newest token, and the newest lease and failure of the next slot, in this order,
    /// until it is clear what to do. The need becomes [`Need::Any`] if the present token belongs to replaced credentials.
    pub(super) async fn observe(&mut self) -> Result<Observed, StoreError> {
        let now = self.context.now();
        let only_credentials =
            matches!(&self.need, Need::Successor(current) if !current.is_refresh_due(now.at));
        // Not for credentials that were static when they were last read, either.
        let is_shared = !only_credentials && self.memory.unshared.is_none() && !self.memory.is_static();
        let store = &self.context.store;
        let labeled = async { if is_shared { store.labeled(TOKEN_LABEL).await } else { Ok(None) } };
        let known = self.memory.credentials.clone().filter(|_| self.memory.is_fresh(now));
        let (credentials, labeled) = match known {
            Some(credentials) => (credentials, labeled.await),
            // Together: a cold start waits for one response time, not for two.
            None => {
                let (version, labeled) = tokio::join!(store.current(), labeled);
                let credentials = self.parse(version?)?;
                (self.memory.credentials, self.memory.fresh) =
                    (Some(credentials.clone()), Some(Timer::start(now, FRESH)));
                (credentials, labeled)
            }
        };
        if let TokenGrant::Static(token) = &credentials.secret.grant {
            let api = self.context.api(&credentials.secret, None);
            let token = Arc::new(CachedToken { token: token.clone(), api, issued: None });
            return Ok(Observed { credentials, token: Some(token) });
        }
        if let Need::Successor(current) = &self.need {
            if !current.belongs_to(&credentials.version.id) {
                self.context.cache.forget(current);
                self.need = Need::Any;
            } else if only_credentials {
                return Ok(Observed { credentials, token: Some(current.clone()) });
            }
        }
        let token = match labeled {
            _ if self.memory.unshared.is_some() => None,
            Err(StoreError::Denied(why)) => {
                self.memory.unshared = Some(why);
                None
            }
            labeled => self.find_token(&credentials, labeled?).await?,
        };
        Ok(Observed { credentials, token })
    }

    fn parse(&mut self, version: Version) -> Result<Arc<StoredCredentials>, StoreError> {
        if is_ours(&version.id) {
            let known = self.memory.credentials.clone();
            let id = known.as_ref().map_or("<version ID of the credentials>", |known| &known.version.id);
            let why = label_moved(&version.id, id);
            self.memory.unshared = Some(why.clone());
            return known.ok_or(StoreError::Denied(why));
        }
        let secret = Secret::parse(version.text.expose_secret(), self.context.settings.data_center)
            .map_err(|invalid| StoreError::Denied(invalid.of("the secret that ZOHO_SECRET_ID names")))?;
        Ok(Arc::new(StoredCredentials { version, secret }))
    }

    /// Follows the chain of tokens: from the labeled one, if it belongs to the credentials, otherwise from the first. A
    /// label can be late, and somebody can move or remove it; the IDs of the chain cannot be wrong.
    async fn find_token(
        &mut self,
        credentials: &StoredCredentials,
        labeled: Option<Version>,
    ) -> Result<Option<Arc<CachedToken>>, StoreError> {
        let mut slot = Slot::first(&credentials.version.id);
        let mut newest =
            labeled.filter(|version| self.is_token(version) && issued_for(version, &credentials.version));
        for _ in 0..MAX_VERSIONS {
            if let Some(version) = newest {
                if let Some(token) = self.accept(credentials, &version) {
                    return Ok(Some(token));
                }
                slot.after = version.id;
            }
            newest = self.context.store.version(&slot.token_id()).await?;
            if newest.is_none() {
                break;
            }
        }
        // Out of the memory while it is at work: a look that fails leaves nothing half-done.
        let known = self.memory.race.take().filter(|race| *race.slot() == slot);
        let mut race = known.unwrap_or_else(|| LeaseWaiter::new(slot));
        let result = self.find_lease(&mut race).await;
        self.memory.race = Some(race);
        result.map(|()| None)
    }

    fn is_token(&mut self, version: &Version) -> bool {
        let is_token = SharedToken::parse(&version.text).is_some();
        if !is_token && self.memory.warned_version.as_ref() != Some(&version.id) {
            self.memory.warned_version = Some(version.id.clone());
            tracing::warn!(
                version = %version.id,
                "the version of the secret labeled {TOKEN_LABEL} does not contain a token; the next token takes over the \
                 label. Only this function should write it"
            );
        }
        is_token
    }

    /// The shared token, if it can be used and is accepted.
    fn accept(&self, credentials: &StoredCredentials, version: &Version) -> Option<Arc<CachedToken>> {
        let shared = SharedToken::parse(&version.text).filter(|shared| self.need.accepts(&shared.token))?;
        let ours = self.memory.minted_token().filter(|ours| ours.token == shared.token).cloned();
        let token = ours.unwrap_or_else(|| {
            let owner = is_ours(&version.id).then_some(Owner::Another);
            Arc::new(self.context.cached(&shared, credentials, version.created, owner))
        });
        token.is_usable(self.context.now().at).then_some(token)
    }

    /// Goes to the latest term of the slot: one that is free, or whose lease or failure is still in effect.
    async fn find_lease(&mut self, race: &mut LeaseWaiter) -> Result<(), StoreError> {
        for _ in 0..MAX_VERSIONS {
            let (now, term, usual) = (self.context.now(), race.term(), self.context.lease_duration());
            if race.must_read() {
                let found = self.context.store.version(&race.slot().lease_id(term)).await?;
                let is_old = found.as_ref().is_some_and(|lease| age(lease, now) > usual);
                if term == 0
                    && is_old
                    && let Some(latest) = self.latest_term(race.slot()).await?
                {
                    race.advance_to(latest);
                    continue;
                }
                race.saw(found.as_ref(), usual, now);
            }
            let is_held = match race.acquired(now) {
                Acquired::Free => return Ok(()),
                Acquired::Own(lease) if lease.left(now) >= self.context.shortest_mint() => return Ok(()),
                // Too late for a request, and nobody else has it: on to the next one.
                Acquired::Own(_) => false,
                Acquired::Held(left) => !left.is_zero(),
            };
            let stored = self.context.store.version(&race.slot().failure_id(term)).await?;
            let is_in_effect = match stored.and_then(|stored| MintFailure::parse(&stored, term, now)) {
                Some(failure) => self.memory.note_failure(race.slot(), failure, now),
                None => is_held,
            };
            if is_in_effect {
                return Ok(());
            }
            race.advance_to(term.saturating_add(1));
        }
        Ok(())
    }

    /// The term that the label points to, if it is a later one of this slot: an environment that starts late does not
    /// follow all of them.
    async fn latest_term(&self, slot: &Slot) -> Result<Option<u32>, StoreError> {
        let latest = self.context.store.labeled(LEASE_LABEL).await?;
        Ok(latest.and_then(|latest| slot.term_of(&latest.id)).filter(|term| *term > 0))
    }
}

/// What to do if `AWSCURRENT` is on a version that this function stored.
pub(super) fn label_moved(ours: &str, credentials: &str) -> String {
    format!(
        "the label AWSCURRENT is on the version {ours}, which this function stored, instead of on the credentials. Move it \
         back: aws secretsmanager update-secret-version-stage --secret-id \"$ZOHO_SECRET_ID\" --version-stage AWSCURRENT \
         --remove-from-version-id {ours} --move-to-version-id {credentials}"
    )
}
