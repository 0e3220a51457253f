//! One acquisition of a token: observe, plan, act, until there is a token or an error.

use crate::error::{ErrorType, WatchError};
use crate::http::{NoResponse, hint};
use crate::timestamp::Timestamp;
use crate::token::cache::{CachedToken, Owner};
use crate::token::clock::Timer;
use crate::token::context::Acquisition;
use crate::token::lease::LeaseWaiter;
use crate::token::observe::label_moved;
use crate::token::plan::{Minted, MintedToken, Next, StoredCredentials, plan};
use crate::token::record::{LEASE_LABEL, Lease, MintFailure, SharedToken, Slot, TOKEN_LABEL};
use crate::token::store::{Put, SecretStore, StoreError};
use crate::zoho::credentials::TokenGrant;
use crate::zoho::oauth::{self, IssuedToken, TokenEndpoint, TokenError};
use secrecy::SecretString;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// No acquisition takes longer: the invocation that started it is long over.
const LONGEST: Duration = Duration::from_secs(120);

/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Puts of one token. Then this environment uses it alone.
const MAX_PUTS: u32 = 4;

/// What an invocation reports whose time runs out before Secrets Manager responds.
fn store_timeout(what: &str) -> WatchError {
    let hint = hint::no_response(NoResponse::TimedOut, Some("secretsmanager"));
    let message = format!("timed out {what} the secret (Secrets Manager did not respond). {hint}");
    WatchError::new(ErrorType::SecretUnavailable, message)
}

/// How long nobody requests a token after Zoho has rejected one that was new.
const REJECTED_COOLDOWN: Duration = Duration::from_secs(1_800);

/// How long nobody repeats a request that another one would not help, at the least.
const LASTING_COOLDOWN: Duration = Duration::from_secs(60);

/// For how long another request with the same credentials is pointless.
fn cooldown(error: &WatchError) -> Duration {
    /// Zoho issues 10 tokens per refresh token in 10 minutes, then none for the rest of them (doc).
    const THROTTLED: Duration = Duration::from_secs(600);
    match error.kind() {
        ErrorType::TokenRateLimited => {
            error.retry_after().unwrap_or(THROTTLED).min(THROTTLED).max(LASTING_COOLDOWN)
        }
        ErrorType::TokenRejected => LASTING_COOLDOWN,
        _ => Duration::from_secs(1),
    }
}

impl<S: SecretStore, T: TokenEndpoint> Acquisition<S, T> {
    /// Acquires a token and makes it the one of the invocations to come.
    pub(super) async fn run(mut self) -> Result<Arc<CachedToken>, WatchError> {
        self.memory.forget_minted(&self.need);
        while self.began.elapsed() < LONGEST {
            match self.next().await {
                Next::Use(token) => {
                    self.memory.minted = None;
                    self.context.cache.store(&token, self.context.now());
                    return Ok(token);
                }
                Next::Fail(error) => return Err(error),
                Next::Wait(error, bounds) => self.pause(error, bounds).await,
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
    pub(super) async fn report_rejected(mut self, error: &WatchError) {
        // At most: claim, read back, publish.
        for _ in 0..3 {
            match self.next().await {
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

    async fn next(&mut self) -> Next {
        // What the last read returned says more than that this one takes long.
        if self.memory.failed_reads == 0 {
            self.wait_for(store_timeout("reading"));
        }
        let read = self.observe().await;
        self.memory.failed_reads = if read.is_err() { self.memory.failed_reads.saturating_add(1) } else { 0 };
        plan(&self.need, read.as_ref(), &self.memory, self.context.now())
    }

    /// Something that can take long begins. What Zoho returned a moment ago explains a delay better than that does.
    fn wait_for(&self, timeout: WatchError) {
        let error = match &self.memory.failure {
            Some((_, last)) if last.until.age(self.context.now()) < LONGEST => last.error.clone(),
            _ => timeout,
        };
        self.context.cache.wait_for(error);
    }

    /// Longer each time: a request for a token takes a fraction of a second, or else it is better to read less.
    async fn pause(&mut self, error: WatchError, bounds: RangeInclusive<Duration>) {
        self.memory.put_error = None;
        self.context.cache.wait_for(error);
        let (first, longest) = PAUSES;
        let backoff = first.saturating_mul(1_u32 << self.pauses.min(10)).min(longest).max(*bounds.start());
        self.pauses = self.pauses.saturating_add(1);
        // Not all at the same time, not even if all wait for the same end.
        let random = self.context.random();
        let pause = if *bounds.end() <= backoff {
            bounds.end().saturating_add(first.mul_f64(2.0 * random))
        } else {
            backoff.mul_f64(0.5 + random / 2.0)
        };
        sleep(pause).await;
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
                let token = Arc::new(context.cached(&shared, &stored, asked_at, Some(owner)));
                // If time runs out before it is stored, the next invocation has it all the same.
                context.cache.store(&token, now);
                Ok(MintedToken { token, text: shared.to_text(), puts_left: MAX_PUTS })
            }
            Err(error) => Err(MintFailure::new(error.error.clone(), cooldown(&error.error), term, now)),
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
        let Some(stored) = &memory.credentials else { return };
        let (slot, term) = match &mut memory.race {
            Some(race) if memory.unshared.is_none() => {
                let term = race.term();
                race.advance_to(term.saturating_add(1));
                (race.slot().clone(), term)
            }
            _ => (Slot::first(&stored.version.id), memory.unshared_failures),
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
    ) -> Option<(Timestamp, Result<IssuedToken, TokenError>)> {
        let TokenGrant::Credentials(credentials) = &stored.secret.grant else { return None };
        let context = &self.context;
        let accounts = context.accounts(&stored.secret);
        self.wait_for(oauth::out_of_time(&accounts));
        let mut unsent = None;
        for _ in 0..3 {
            let now = context.now();
            if lease.left(now) < context.shortest_mint() {
                break;
            }
            let timeout = lease.left(now).min(context.mint_timeout());
            match context.endpoint.request_token(&accounts, credentials, now.at, timeout).await {
                Err(error) if error.unsent => {
                    context.cache.wait_for(error.error.clone());
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
                let is_stored = matches!(put, Ok(Put::Done { .. }));
                minted.puts_left = if is_stored { 0 } else { minted.puts_left.saturating_sub(1) };
                if let Err(error) = put
                    && (minted.puts_left == 0 || matches!(error, StoreError::Denied(_)))
                {
                    tracing::warn!(
                        error = error.message(),
                        "the new access token could not be stored; only this execution environment uses it"
                    );
                }
                Ok(minted)
            }
            Err(failure) => {
                let id = slot.failure_id(failure.term);
                if self.memory.unshared.is_none()
                    && let Err(error) = self.put(&id, LEASE_LABEL, &failure.to_text()).await
                {
                    tracing::debug!(error = error.message(), "the failure could not be stored");
                }
                self.memory.note_failure(&slot, failure, self.context.now());
                return;
            }
        };
        self.memory.minted = Some(Minted { slot, result });
    }

    /// Puts a version, and makes sure that `AWSCURRENT` has stayed where it was.
    async fn put(&mut self, id: &str, label: &str, text: &SecretString) -> Result<Put, StoreError> {
        self.wait_for(store_timeout("writing"));
        let put = self.context.store.put(id, label, text).await;
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
