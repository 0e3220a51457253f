//! What a search does once it is its turn: ask Zoho, and tell the other copies what came of it.

use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::token::lease::LeaseClock;
use crate::token::live::{Life, Live};
use crate::token::record::{LEASE_LABEL, Lease, Position, Settled, SharedToken, TOKEN_LABEL};
use crate::token::search::{Operator, Quiet, Search, Step};
use crate::token::source::{Excuse, Wanted};
use crate::token::store::{Put, SecretStore, StoreError};
use crate::zoho::credentials::{Credentials, Secret};
use crate::zoho::hosts::{self, AccountsHost};
use crate::zoho::oauth::{IssuedToken, TokenEndpoint, TokenError};
use std::sync::Arc;
use std::time::Duration;

/// The most that is waited for one answer of the accounts server, and with it what a dead holder costs the others.
const LONGEST_MINT: Duration = Duration::from_secs(20);

/// How much of a lease must be left for a request to be worth sending: a token that comes too late is lost.
const SHORTEST_MINT: Duration = Duration::from_secs(3);

/// After a token that Zoho refused although it came in place of a refused one.
const IN_VAIN: Duration = Duration::from_secs(1_800);

/// Attempts to put a token where the others wait for it.
const PUTS: u32 = 5;

impl<V: SecretStore, M: TokenEndpoint> Search<V, M> {
    /// Mints with the lease in hand, and shares the token or the refusal.
    pub async fn mint_for(
        &mut self,
        place: &Position,
        attempt: Option<u32>,
        lease: LeaseClock,
        operator: &Operator,
        credentials: &Credentials,
        wanted: &Wanted,
    ) -> Result<Step, WatchError> {
        let Some((asked_at, answer)) = self.ask(operator, credentials, lease).await else {
            return Ok(Step::Wait);
        };
        // Neither a token nor a refusal of replaced credentials is of use to anybody.
        if let Some(version) = self.replacement(operator).await {
            return Ok(Step::Replaced(version));
        }
        match answer {
            Ok(minted) => Ok(Step::Found(self.share(place, operator, minted, asked_at, wanted).await)),
            Err(refused) => {
                if attempt.is_none() {
                    self.flight.forfeited = Some(place.follows.clone());
                }
                let settled =
                    Settled { seconds: refused.quiet_after(attempt.unwrap_or(0)), error: refused.error };
                self.settle(place, attempt, &settled).await;
                self.hush(operator, settled, attempt.unwrap_or(0));
                self.heed_refusal(operator, wanted).unwrap_or(Ok(Step::Wait))
            }
        }
    }

    /// Mints for this copy only: the token cannot be shared.
    pub async fn mint_alone(
        &mut self,
        operator: &Operator,
        credentials: &Credentials,
        wanted: &Wanted,
        why: &str,
    ) -> Result<Step, WatchError> {
        if let Some(step) = self.heed_refusal(operator, wanted) {
            return step;
        }
        tracing::warn!(
            reason = why,
            "access tokens cannot be shared between copies of this function: each mints its own, of which Zoho gives \
             out 10 in 10 minutes. The role needs secretsmanager:GetSecretValue and secretsmanager:PutSecretValue on the secret"
        );
        let lease = LeaseClock::start(self.core.now(), self.lease_duration());
        let Some((asked_at, answer)) = self.ask(operator, credentials, lease).await else {
            return Ok(Step::Wait);
        };
        match answer {
            Ok(minted) => {
                self.flight.refused_alone = 0;
                let shared = shared(minted, asked_at);
                Ok(Step::Found(Arc::new(self.mine(shared, operator, asked_at, None))))
            }
            Err(refused) => {
                let attempt = self.flight.refused_alone;
                self.flight.refused_alone = attempt.saturating_add(1);
                let settled = Settled { seconds: refused.quiet_after(attempt), error: refused.error };
                self.hush(operator, settled, attempt);
                self.heed_refusal(operator, wanted).unwrap_or(Ok(Step::Wait))
            }
        }
    }

    /// Says of a token, where nobody mints its successor yet, that minting does not help.
    pub async fn give_up(&mut self, life: &Life, error: &WatchError) {
        let Some(operator) =
            self.flight.operator.clone().filter(|operator| operator.version.id == life.credentials)
        else {
            return;
        };
        let settled = Settled { error: error.clone(), seconds: IN_VAIN.as_secs() };
        if let Some(version) = &life.version {
            let place = Position { credentials: life.credentials.clone(), follows: version.clone() };
            self.settle(&place, None, &settled).await;
        }
        self.hush(&operator, settled, 0);
    }

    /// Asks for a token, with the time of asking; `None` where the lease leaves no time for it. Again only where the
    /// request cannot have arrived, for each one that did counts.
    async fn ask(
        &self,
        operator: &Operator,
        credentials: &Credentials,
        lease: LeaseClock,
    ) -> Option<(Timestamp, Result<IssuedToken, Box<TokenError>>)> {
        self.core.excuse(Excuse::Minting);
        let accounts = self.accounts(&operator.secret);
        let shortest = SHORTEST_MINT.min(self.mint_timeout().div_f64(2.0));
        let mut refused = None;
        for _ in 0..3 {
            let asked_at = self.core.now();
            let left = lease.left(asked_at);
            if left < shortest {
                break;
            }
            match self
                .core
                .mint
                .request_token(&accounts, credentials, asked_at, left.min(self.mint_timeout()))
                .await
            {
                Err(unsent) if unsent.unsent => {
                    refused = Some((asked_at, Err(unsent)));
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(100..300))).await;
                }
                answer => return Some((asked_at, answer)),
            }
        }
        refused
    }

    /// Puts the token where all copies find it. Where that fails it is used all the same, by this copy alone.
    async fn share(
        &mut self,
        place: &Position,
        operator: &Operator,
        minted: IssuedToken,
        asked_at: Timestamp,
        wanted: &Wanted,
    ) -> Arc<Live> {
        let shared = shared(minted, asked_at);
        let text = shared.to_text();
        let mut place = place.clone();
        let mut failure = String::from("its place is taken");
        for attempt in 0..PUTS {
            let id = place.token_id();
            let put = self.core.vault.put(&id, TOKEN_LABEL, &text).await;
            if matches!(put, Ok(Put::Done)) {
                return Arc::new(self.mine(shared, operator, asked_at, Some(id)));
            }
            if let Ok(Some(taken)) = self.core.vault.version(&id).await {
                if SharedToken::parse(&taken.text).is_some_and(|theirs| theirs.token == shared.token) {
                    // Done, though the answer was lost.
                    return Arc::new(self.mine(shared, operator, asked_at, Some(id)));
                }
                // A copy that was slower than its lease put its token first: one for all, even so.
                match self.accept(&taken, operator, wanted) {
                    Some(live) => return Arc::new(live),
                    None => place.follows = id,
                }
                continue;
            }
            match put {
                Err(StoreError::Denied(why)) => {
                    failure = why;
                    break;
                }
                Err(error) => failure = error.message().to_owned(),
                Ok(_) => {}
            }
            let pause = 200_u64.saturating_mul(u64::from(attempt).saturating_add(1));
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        tracing::warn!(
            error = failure,
            "the new access token could not be shared and is used by this copy alone; the role needs secretsmanager:PutSecretValue on the secret"
        );
        Arc::new(self.mine(shared, operator, asked_at, None))
    }

    /// Tells the other copies that no token is to be had at this place for now.
    async fn settle(&self, place: &Position, attempt: Option<u32>, settled: &Settled) {
        if attempt.is_none() {
            // Without a lease at its side nobody would look for the record; who has that lease mints, and will tell.
            let lease = Lease { owner: "settled".into(), seconds: 0 };
            match self.core.vault.put(&place.lease_id(0), LEASE_LABEL, &lease.to_text()).await {
                Ok(Put::Done) => {}
                _ => return,
            }
        }
        let id = place.settled_id(attempt.unwrap_or(0));
        if let Err(error) = self.core.vault.put(&id, LEASE_LABEL, &settled.to_text()).await {
            tracing::debug!(error = error.message(), "Zoho's refusal could not be shared");
        }
    }

    /// Remembers it in this process too.
    fn hush(&mut self, operator: &Operator, settled: Settled, attempt: u32) {
        let until = settled.until(self.core.now());
        self.flight.quiet = Some(Quiet::new(operator, until, settled.error, attempt));
    }

    /// A token that this copy minted.
    fn mine(
        &self,
        shared: SharedToken,
        operator: &Operator,
        asked_at: Timestamp,
        version: Option<String>,
    ) -> Live {
        let mine = version.is_some();
        let credentials = operator.version.id.clone();
        Live {
            api: self.api(&operator.secret, shared.api_domain.as_ref()),
            token: shared.token,
            life: Some(Life::new(credentials, asked_at, shared.expires_at, version, mine)),
        }
    }

    fn mint_timeout(&self) -> Duration {
        self.core.settings.request_timeout.min(LONGEST_MINT)
    }

    /// One answer of the accounts server, and a moment for the rest.
    pub fn lease_duration(&self) -> Duration {
        self.mint_timeout().saturating_add(Duration::from_secs(2))
    }

    pub fn accounts(&self, secret: &Secret) -> AccountsHost {
        hosts::accounts(self.core.settings.accounts_domain.as_ref(), secret)
    }
}

/// Its life is counted from the time of asking: an environment can be frozen for long before it reads the answer.
fn shared(minted: IssuedToken, asked_at: Timestamp) -> SharedToken {
    let lifetime = i64::try_from(minted.lifetime.as_secs()).unwrap_or(0);
    SharedToken {
        token: minted.token,
        api_domain: minted.api_domain,
        expires_at: asked_at.plus_seconds(lifetime),
    }
}

impl TokenError {
    /// Seconds of quiet after the n-th refusal at one place. They double, lest a fault that lasts pile up versions of
    /// the secret: it keeps all of a day, and at some hundred it takes no more, the operator's included.
    fn quiet_after(&self, attempt: u32) -> u64 {
        let longest = if self.error.kind() == ErrorType::ZohoUnavailable { 600 } else { 1_800 };
        self.cooldown.as_secs().saturating_mul(1_u64 << attempt.min(20)).min(longest)
    }
}
