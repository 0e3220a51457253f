//! One acquisition of a token: observe, plan, act, until there is a token or an error.

use crate::error::WatchError;
use crate::timestamp::Timestamp;
use crate::token::cache::{CachedToken, Owner, WaitingFor};
use crate::token::clock::Timer;
use crate::token::context::Context;
use crate::token::lease::LeaseWaiter;
use crate::token::observe::{label_moved, observe};
use crate::token::plan::{MAX_PUTS, Memory, Minted, MintedToken, Need, Next, StoredCredentials, plan};
use crate::token::record::{LEASE_LABEL, Lease, MintFailure, SharedToken, Slot, TOKEN_LABEL};
use crate::token::store::{Backend, Put, SecretStore, StoreError};
use crate::zoho::credentials::TokenGrant;
use crate::zoho::oauth::{IssuedToken, TokenEndpoint, TokenError};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep};

/// An acquisition at work. The guard makes it the only one of this process.
pub(super) struct Acquire<B> {
    context: Arc<Context<B>>,
    memory: OwnedMutexGuard<Memory>,
    began: Instant,
    pauses: u32,
}

/// No acquisition takes longer: the invocation that started it is long over.
const LONGEST: Duration = Duration::from_secs(120);

/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long nobody requests a token after Zoho has rejected one that was new.
const REJECTED_COOLDOWN: Duration = Duration::from_secs(1_800);

/// How long nobody repeats a request that another one would not help, at the least.
const LASTING_COOLDOWN: Duration = Duration::from_secs(60);

impl<B: Backend> Acquire<B> {
    pub(super) fn new(context: Arc<Context<B>>, mut memory: OwnedMutexGuard<Memory>) -> Self {
        memory.unshared = memory.stopped.clone();
        (memory.fresh, memory.failed_reads, memory.failed_puts, memory.put_error) = (None, 0, 0, None);
        Self { context, memory, began: Instant::now(), pauses: 0 }
    }

    /// Acquires a token and makes it the one of the invocations to come.
    pub(super) async fn run(mut self, mut need: Need) -> Result<Arc<CachedToken>, WatchError> {
        self.memory.forget_minted(&need);
        while self.began.elapsed() < LONGEST {
            match self.next(&mut need).await {
                Next::Use(token) => {
                    self.memory.minted = None;
                    self.context.cache.store(&token, self.context.now());
                    return Ok(token);
                }
                Next::Fail(error) => return Err(error),
                Next::Wait(what, at_most) => self.pause(what, at_most).await,
                Next::Claim => self.claim().await,
                Next::Mint(lease) => self.mint(lease).await,
                Next::MintUnshared(why) => self.mint_unshared(&why).await,
                Next::Publish => self.publish().await,
            }
        }
        Err(self.context.cache.timeout_error())
    }

    /// Tells all environments that Zoho rejects even this new token, so that not each of them requests one more: takes
    /// the lease of its successor and stores a failure instead of a token.
    pub(super) async fn report_rejected(&mut self, rejected: &CachedToken, error: &WatchError) {
        let mut need = Need::Replacement(rejected.token.clone());
        // At most: claim, read back, publish.
        for _ in 0..3 {
            match self.next(&mut need).await {
                Next::Claim => self.claim().await,
                Next::Mint(_) => {
                    let failure = MintFailure::new(error.clone(), REJECTED_COOLDOWN, 0, self.context.now());
                    self.minted(|_| Err(failure));
                }
                Next::Publish => return self.publish().await,
                _ => return,
            }
        }
    }

    async fn next(&mut self, need: &mut Need) -> Next {
        self.context.cache.wait_for(WaitingFor::Read);
        let read = observe(&self.context, &mut self.memory, need).await;
        self.memory.failed_reads = if read.is_err() { self.memory.failed_reads.saturating_add(1) } else { 0 };
        plan(need, read.as_ref(), &self.memory, self.context.now())
    }

    /// Longer each time: a request for a token takes a fraction of a second, or else it is better to read less.
    async fn pause(&mut self, what: WaitingFor, at_most: Duration) {
        self.memory.put_error = None;
        let (first, longest) = PAUSES;
        let backoff = match &what {
            // Nothing changes before its end.
            WaitingFor::Cooldown(_) => at_most,
            _ => first.saturating_mul(1_u32 << self.pauses.min(10)).min(longest),
        };
        self.pauses = self.pauses.saturating_add(1);
        self.context.cache.wait_for(what);
        // Not all at the same time, not even if all wait for the same end.
        let random = self.context.random();
        let jitter = first.mul_f64(2.0 * random);
        let is_bound = at_most <= backoff;
        sleep(if is_bound { at_most.saturating_add(jitter) } else { backoff.mul_f64(0.5 + random / 2.0) })
            .await;
    }

    async fn claim(&mut self) {
        let Some(race) = &self.memory.race else { return };
        let owner = format!("{:016x}", (self.context.settings.random)());
        let lease = Lease { owner, seconds: self.context.lease_duration().as_secs() };
        let id = race.slot().lease_id(race.term());
        // Before the put: see lease.rs.
        let timer = Timer::start(self.context.now(), lease.duration());
        let put = self.put(&id, LEASE_LABEL, &lease.to_text()).await;
        if let Some(race) = &mut self.memory.race {
            race.claimed(lease, timer, &put);
        }
    }

    async fn mint(&mut self, lease: Timer) {
        let Some(stored) = self.memory.credentials.clone() else { return };
        let Some((asked_at, response)) = self.request(&stored, lease).await else { return };
        // Neither a token nor a failure of replaced credentials is of use to anybody.
        self.memory.fresh = None;
        let (context, now) = (self.context.clone(), self.context.now());
        // Without sharing, nobody is first: there is no reason to refresh it early.
        let owner = if self.memory.unshared.is_none() { Owner::ThisEnvironment } else { Owner::Another };
        self.minted(|term| match response {
            Ok(issued) => {
                let shared = shared(issued, asked_at);
                let credentials = (stored.version.id.as_str(), &stored.secret);
                let token = context.cached(&shared, credentials, asked_at, Some(owner));
                let (token, text) = (Arc::new(token), shared.to_text());
                // If time runs out before it is stored, the next invocation has it all the same.
                context.cache.store(&token, now);
                Ok(MintedToken { token, text, puts: 0, is_stored: false })
            }
            Err(error) => {
                let shortest = if error.is_transient { Duration::ZERO } else { LASTING_COOLDOWN };
                Err(MintFailure::new(error.error, error.cooldown.max(shortest), term, now))
            }
        });
    }

    async fn mint_unshared(&mut self, why: &str) {
        tracing::warn!(
            reason = why,
            "access tokens cannot be shared between execution environments: each requests its own, of which Zoho issues \
             10 in 10 minutes. The role needs secretsmanager:GetSecretValue and secretsmanager:PutSecretValue"
        );
        self.memory.unshared = Some(why.to_owned());
        self.mint(Timer::start(self.context.now(), self.context.lease_duration())).await;
    }

    /// Records the result of this lease, which is used up. In the next term, this environment need not wait.
    fn minted(&mut self, result: impl FnOnce(u32) -> Result<MintedToken, MintFailure>) {
        let memory = &mut *self.memory;
        let (slot, term) = match (&mut memory.race, &memory.unshared, &memory.credentials) {
            (Some(race), None, _) => {
                let term = race.term();
                race.advance_to(term.saturating_add(1));
                (race.slot().clone(), term)
            }
            (_, _, Some(stored)) => (Slot::first(&stored.version.id), memory.unshared_failures),
            (_, _, None) => return,
        };
        let result = result(term);
        memory.unshared_failures = if result.is_err() { term.saturating_add(1) } else { 0 };
        memory.minted = Some(Minted { slot, result });
    }

    /// Requests a token, with the time of the request; `None` if the lease leaves no time for it. Repeats only what
    /// cannot have reached Zoho.
    async fn request(
        &self,
        stored: &StoredCredentials,
        lease: Timer,
    ) -> Option<(Timestamp, Result<IssuedToken, Box<TokenError>>)> {
        let TokenGrant::Credentials(credentials) = &stored.secret.grant else { return None };
        let context = &self.context;
        context.cache.wait_for(WaitingFor::Accounts);
        let mut unsent = None;
        for _ in 0..3 {
            let now = context.now();
            if lease.left(now) < context.shortest_mint() {
                break;
            }
            let timeout = lease.left(now).min(context.mint_timeout());
            let accounts = context.accounts(&stored.secret);
            match context.backend.accounts().request_token(&accounts, credentials, now.at, timeout).await {
                Err(error) if error.unsent => {
                    unsent = Some((now.at, Err(error)));
                    sleep(PAUSES.0.mul_f64(1.0 + 2.0 * context.random())).await;
                }
                response => return Some((now.at, response)),
            }
        }
        unsent
    }

    /// Stores the token or the failure where the others look for it.
    async fn publish(&mut self) {
        let Some(Minted { slot, result }) = self.memory.minted.take() else { return };
        let result = match result {
            Ok(mut minted) => {
                // The slot that is free now: a faster environment may have filled the one that it was requested for.
                let free = self.memory.race.as_ref().map_or(&slot, LeaseWaiter::slot).token_id();
                let put = self.put(&free, TOKEN_LABEL, &minted.text).await;
                minted.is_stored = matches!(put, Ok(Put::Done { .. }));
                minted.puts = minted.puts.saturating_add(1);
                if let Err(error) = put
                    && (minted.puts == MAX_PUTS || matches!(error, StoreError::Denied(_)))
                {
                    tracing::warn!(
                        error = error.message(),
                        "the new access token could not be stored; only this execution environment uses it"
                    );
                }
                Ok(minted)
            }
            Err(failure) => {
                if self.memory.unshared.is_none() {
                    let put = self.put(&slot.failure_id(failure.term), LEASE_LABEL, &failure.to_text()).await;
                    if let Err(error) = put {
                        tracing::debug!(error = error.message(), "the failure could not be stored");
                    }
                }
                return self.memory.note_failure(&slot, failure);
            }
        };
        self.memory.minted = Some(Minted { slot, result });
    }

    /// Puts a version, and makes sure that `AWSCURRENT` has stayed where it was.
    async fn put(&mut self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        self.context.cache.wait_for(WaitingFor::Write);
        let put = self.context.backend.store().put(id, label, text).await;
        let memory = &mut *self.memory;
        match &put {
            Ok(Put::Done { stages }) if stages.iter().any(|stage| stage == "AWSCURRENT") => {
                let credentials = memory.credentials.as_ref().map_or("", |stored| &stored.version.id);
                let why = label_moved(id, credentials);
                tracing::error!("access tokens are no longer shared in this process: {why}");
                (memory.stopped, memory.unshared) = (Some(why.clone()), Some(why));
            }
            Ok(_) => memory.failed_puts = 0,
            Err(StoreError::Denied(why)) => memory.unshared = Some(why.clone()),
            Err(StoreError::Unavailable(_)) => memory.failed_puts = memory.failed_puts.saturating_add(1),
            Err(StoreError::Throttled(_)) => {}
        }
        memory.put_error = put.as_ref().err().cloned();
        put
    }
}

/// Its lifetime counts from the request: an environment can be frozen before it reads the response.
fn shared(issued: IssuedToken, asked_at: Timestamp) -> SharedToken {
    let lifetime = i64::try_from(issued.lifetime.as_secs()).unwrap_or_default();
    SharedToken {
        token: issued.token,
        api_domain: issued.api_domain,
        expires_at: asked_at.plus_seconds(lifetime),
    }
}
