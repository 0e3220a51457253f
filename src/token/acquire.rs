//! One acquisition of a token: read the chain, decide, act, until there is a token or an error.

use crate::error::{ErrorType, WatchError};
use crate::http::{NoResponse, hint};
use crate::token::cache::CachedToken;
use crate::token::chain::{self, Memory, Need, Next, OwnFailure, View, decide};
use crate::token::clock::Timer;
use crate::token::context::{Context, Sharing, Stored};
use crate::token::record::{self, Content, LEASE_LABEL, Record, TOKEN_LABEL};
use crate::token::store::{Put, SecretStore, StoreError, Version};
use crate::zoho::credentials::{Secret, TokenGrant};
use crate::zoho::oauth::{self, TokenEndpoint};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep};

/// Records by their numbers.
type Chain = BTreeMap<u64, Record>;

fn head(records: &Chain) -> u64 {
    records.last_key_value().map_or(0, |(number, _)| *number)
}

/// What outlives an acquisition.
#[derive(Default)]
pub(super) struct Process {
    memory: Memory,
    stored: Option<Arc<Stored>>,
}

/// One acquisition at work. The guard makes it the only one of this process.
pub(super) struct Acquisition<S, T> {
    context: Arc<Context<S, T>>,
    process: OwnedMutexGuard<Process>,
    need: Need,
    sharing: Sharing,
    /// While this runs, the credentials are not read again.
    fresh: Option<Timer>,
    failed_reads: u32,
    failed_claims: u32,
    pauses: u32,
}

/// No acquisition takes longer: the invocation that started it is long over.
const LONGEST: Duration = Duration::from_secs(120);

/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Credentials that were read so recently are not read again.
const FRESH: Duration = Duration::from_secs(2);

/// The longest wait for a response of the accounts server.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Records of others are skipped, but no more of them in one look, and none that are older than an hour.
const MAX_SKIPPED: usize = 20;

const HOUR: Duration = Duration::from_secs(3_600);

/// Puts of a claim that may or may not have been done. The SDK has repeated each of them already.
const MAX_FAILED_CLAIMS: u32 = 2;

/// Puts of one token or failure.
const MAX_PUTS: u32 = 3;

/// What an invocation reports whose time runs out before Secrets Manager responds.
fn store_timeout(what: &str) -> WatchError {
    let hint = hint::no_response(NoResponse::TimedOut, Some("secretsmanager"));
    let message = format!("timed out {what} the secret (Secrets Manager did not respond). {hint}");
    WatchError::new(ErrorType::SecretUnavailable, message)
}

impl<S: SecretStore, T: TokenEndpoint> Acquisition<S, T> {
    pub(super) fn new(
        context: Arc<Context<S, T>>,
        mut process: OwnedMutexGuard<Process>,
        need: Need,
    ) -> Self {
        if process.memory.owner.is_empty() {
            process.memory.owner = format!("{:016x}", (context.settings.random)());
        }
        let sharing = context.settings.sharing;
        Self { context, process, need, sharing, fresh: None, failed_reads: 0, failed_claims: 0, pauses: 0 }
    }

    /// Acquires a token and makes it the one of the invocations to come.
    pub(super) async fn run(mut self) -> Result<Arc<CachedToken>, WatchError> {
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            let view = match self.look().await {
                Ok(view) => view,
                Err(error) => match self.without_secret(error).await? {
                    Some(view) => view,
                    None => continue,
                },
            };
            match decide(&self.need, &view, &self.process.memory, self.context.now()) {
                Next::Use(token) => {
                    let memory = &mut self.process.memory;
                    memory.issued = memory.issued.take().filter(|issued| issued.token == token.token);
                    self.context.cache.store(&token, self.context.now());
                    return Ok(token);
                }
                Next::Fail(error) => return Err(error),
                Next::Wait(error, left) => self.pause(error, left).await,
                Next::Claim(number, failures) => self.claim(number, failures).await?,
                Next::Request(number, failures, timer) => {
                    self.request(Some(number), failures, timer).await;
                }
            }
        }
        Err(self.context.cache.timeout_error())
    }

    /// Tells the others that Zoho's API rejects even this token, which this environment has just requested in place of a
    /// rejected one: another would not help, and each one that is issued ends one that is in use.
    pub(super) async fn report_rejected(mut self, rejected: &CachedToken, error: &WatchError) {
        let until = Timer::start(self.context.now(), chain::REJECTED);
        self.process.memory.failure = Some(OwnFailure { error: error.clone(), until, count: 0 });
        let record = rejected.issued.as_ref().map_or(0, |issued| issued.record);
        if let (Some(stored), Sharing::ReadWrite, 1..) = (&self.process.stored, self.sharing, record) {
            let failure = Content::failure(error, chain::REJECTED, &stored.identity.attempt, 0);
            self.publish(record.saturating_add(1), LEASE_LABEL, &failure).await;
        }
    }

    /// Reads as little as the decision needs: the credentials and the labeled token, then the rest of the chain.
    async fn look(&mut self) -> Result<View, StoreError> {
        if self.failed_reads == 0 {
            self.context.cache.wait_for(store_timeout("reading"));
        }
        let (context, now) = (self.context.clone(), self.context.now());
        let is_read = self.sharing != Sharing::Off && !self.process.is_static();
        let labeled = async { if is_read { context.store.labeled(TOKEN_LABEL).await } else { Ok(None) } };
        let labeled = if self.fresh.is_some_and(|fresh| !fresh.is_over(now)) {
            labeled.await
        } else {
            // Together: a cold start waits for one response time, not for two.
            let (current, labeled) = tokio::join!(context.store.current(), labeled);
            self.note_credentials(current?)?;
            self.fresh = Some(Timer::start(now, FRESH));
            labeled
        };
        let Some(stored) = self.process.stored.clone() else { return Ok(View::default()) };
        if let TokenGrant::Static(token) = &stored.secret.grant {
            let token = Some(context.cached(token.clone(), None, None, &stored));
            return Ok(View { token, ..View::default() });
        }
        let mut records = BTreeMap::new();
        self.add(&mut records, labeled)?;
        self.failed_reads = 0;
        let view = self.view(&records, &stored);
        let is_found = self.need.choose(&view, &self.process.memory, now).is_some();
        if self.sharing != Sharing::ReadWrite || is_found {
            return Ok(view);
        }
        self.read_chain(&mut records, &stored).await?;
        let view = self.view(&records, &stored);
        self.process.memory.note(&view, now);
        Ok(view)
    }

    /// Reads the newest record, and back to the newest one of this function's kind.
    async fn read_chain(&mut self, records: &mut Chain, stored: &Stored) -> Result<(), StoreError> {
        let (context, now) = (self.context.clone(), self.context.now());
        self.add(records, context.store.labeled(LEASE_LABEL).await)?;
        // A label can be late, and somebody can move it.
        let taken = self.process.memory.taken;
        if head(records) < taken {
            self.add(records, context.store.version(&record::id(taken)).await)?;
        }
        for number in (1..=head(records)).rev().take(MAX_SKIPPED) {
            if !records.contains_key(&number) {
                self.add(records, context.store.version(&record::id(number)).await)?;
            }
            let is_skipped =
                |record: &Record| !stored.identity.has(record) && now.since(record.created) < HOUR;
            if !records.get(&number).is_some_and(is_skipped) {
                break;
            }
        }
        Ok(())
    }

    /// Adds what a read returned.
    fn add(
        &mut self,
        records: &mut Chain,
        read: Result<Option<Version>, StoreError>,
    ) -> Result<(), StoreError> {
        match read {
            Ok(version) => {
                let record = version.as_ref().and_then(Record::parse);
                records.extend(record.map(|record| (record.number, record)));
            }
            Err(StoreError::Denied(why)) => self.lower(Sharing::Off, &why),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn view(&self, records: &Chain, stored: &Stored) -> View {
        let issued = self.process.memory.issued.as_ref().map(|issued| issued.token.expose());
        let ours = || records.values().rev().filter(|record| stored.identity.has(record));
        let is_own = |record: &Record| issued.is_some() && record.token() == issued;
        let token = ours().find_map(|record| self.context.shared(record, is_own(record), stored));
        View { head: head(records), token, newest: ours().next().cloned() }
    }

    fn note_credentials(&mut self, current: Version) -> Result<(), StoreError> {
        let secret = Secret::parse(current.text.expose_secret(), self.context.settings.data_center)
            .map_err(|invalid| StoreError::Denied(invalid.of("the secret that ZOHO_SECRET_ID names")))?;
        let stored = self.context.stored(&current.id, secret);
        let known = self.process.stored.replace(Arc::new(stored));
        if let (Some(known), Some(stored)) = (known, &self.process.stored)
            && known.identity != stored.identity
        {
            // Neither a token nor a failure of replaced credentials is useful to anybody.
            (self.process.memory.issued, self.process.memory.failure) = (None, None);
            self.context.cache.forget(|_| true);
            self.need = Need::Any;
        }
        Ok(())
    }

    /// What can be done while the secret cannot be read. `None`: look again.
    async fn without_secret(&mut self, error: StoreError) -> Result<Option<View>, WatchError> {
        self.failed_reads = self.failed_reads.saturating_add(1);
        // A throttle is over soon; and of many environments that are throttled, none may request its own token.
        let allowed = match error {
            StoreError::Denied(_) => 0,
            StoreError::Unavailable(_) => 1,
            StoreError::Throttled(_) => 6,
        };
        if matches!(self.need, Need::Successor(_)) {
            return Err(error.into_error());
        }
        if self.failed_reads <= allowed {
            self.pause(error.into_error(), Duration::MAX).await;
            return Ok(None);
        }
        match error {
            StoreError::Unavailable(why) if self.process.has_credentials() => {
                self.lower(Sharing::Off, &why);
                Ok(Some(View::default()))
            }
            error => Err(error.into_error()),
        }
    }

    /// Goes on without what the secret does not allow.
    fn lower(&mut self, sharing: Sharing, why: &str) {
        if sharing < self.sharing {
            self.sharing = sharing;
            tracing::warn!(
                reason = why,
                "access tokens cannot be shared between execution environments: each requests its own, of which Zoho \
                 issues 10 in 10 minutes. The role needs secretsmanager:GetSecretValue and secretsmanager:PutSecretValue"
            );
        }
    }

    /// Longer each time, and not all environments at the same time.
    async fn pause(&mut self, error: WatchError, at_most: Duration) {
        self.context.cache.wait_for(error);
        let (first, longest) = PAUSES;
        let backoff = first.saturating_mul(1_u32 << self.pauses.min(10)).min(longest);
        self.pauses = self.pauses.saturating_add(1);
        let pause = backoff.mul_f64(0.5 + self.context.random() / 2.0);
        sleep(pause.min(at_most.saturating_add(first.mul_f64(2.0 * self.context.random())))).await;
    }

    /// Puts a claim; what is read back decides whether it counts. Without a claim, this environment requests a token alone.
    async fn claim(&mut self, number: u64, failures: u32) -> Result<(), WatchError> {
        let put = if self.sharing == Sharing::ReadWrite {
            self.put_claim(number, failures).await
        } else {
            return self.request_alone(failures).await;
        };
        match put {
            Ok(_) => self.process.memory.taken = number,
            Err(StoreError::Unavailable(why)) if self.failed_claims >= MAX_FAILED_CLAIMS => {
                self.lower(Sharing::ReadOnly, &why);
            }
            Err(StoreError::Denied(why)) => self.lower(Sharing::ReadOnly, &why),
            Err(error) => {
                let is_throttled = matches!(error, StoreError::Throttled(_));
                self.failed_claims = self.failed_claims.saturating_add(u32::from(!is_throttled));
                self.pause(error.into_error(), Duration::MAX).await;
            }
        }
        Ok(())
    }

    async fn put_claim(&mut self, number: u64, failures: u32) -> Result<Put, StoreError> {
        let Some(stored) = self.process.stored.clone() else { return Ok(Put::Taken) };
        let (context, now) = (self.context.clone(), self.context.now());
        context.cache.wait_for(store_timeout("writing"));
        if let Some(oldest) = number.checked_sub(chain::CLAIMED_AFTER).filter(|oldest| *oldest > 0) {
            let oldest = context.store.version(&record::id(oldest)).await?;
            if oldest.is_some_and(|oldest| now.since(oldest.created) < chain::DAY) {
                let why = "80 versions of the secret were written in the last 24 hours";
                return Err(StoreError::Denied(why.to_owned()));
            }
        }
        let memory = &mut self.process.memory;
        // Before the put. A claim that is put again keeps its timer.
        let timer = Timer::start(now, chain::CLAIM);
        let claim = memory.claim.take().filter(|(known, _)| *known == number).unwrap_or((number, timer));
        memory.claim = Some(claim);
        let credentials = stored.identity.attempt.clone();
        let claim = Content::Claim { owner: memory.owner.clone(), credentials, failures };
        context.store.put(&record::id(number), LEASE_LABEL, &claim.to_text()).await
    }

    /// Requests a token for this environment alone.
    async fn request_alone(&mut self, failures: u32) -> Result<(), WatchError> {
        let now = self.context.now();
        let alone = &mut self.process.memory.alone;
        alone.retain(|request| !request.is_over(now));
        if alone.len() >= chain::ALONE_AN_HOUR {
            let message = "this execution environment has requested four access tokens in the last hour, cannot share \
                           them, and requests no more for now. Let the role write the secret";
            return Err(WatchError::new(ErrorType::TokenRateLimited, message));
        }
        alone.push(Timer::start(now, HOUR));
        self.request(None, failures, Timer::start(now, chain::CLAIM)).await;
        Ok(())
    }

    /// Requests a token, and stores it, or the failure, if this is done under a claim.
    async fn request(&mut self, claim: Option<u64>, failures: u32, timer: Timer) {
        let Some(stored) = self.process.stored.clone() else { return };
        let TokenGrant::Credentials(credentials) = &stored.secret.grant else { return };
        let (context, now) = (self.context.clone(), self.context.now());
        context.cache.wait_for(oauth::out_of_time(&stored.accounts));
        let timeout = timer.left(now).min(LONGEST_REQUEST).min(context.settings.request_timeout);
        let response = context.endpoint.request_token(&stored.accounts, credentials, now.at, timeout).await;
        // The credentials may have been replaced meanwhile.
        self.fresh = None;
        let identity = &stored.identity;
        let (label, content) = match response {
            Ok(issued) => {
                // Its life counts from the request: an environment can be frozen before it reads the response.
                let content = Content::token(&issued, now.at, &identity.token);
                let record = Record { number: 0, created: now.at, content: content.clone() };
                self.process.memory.issued = context.shared(&record, true, &stored);
                self.process.memory.failure = None;
                (TOKEN_LABEL, content)
            }
            Err(failure) => {
                let lasts = chain::lasts(failure.error.kind(), failures, claim.is_some());
                let count = failures.saturating_add(1);
                let content = Content::failure(&failure.error, lasts, &identity.attempt, count);
                let until = Timer::start(context.now(), lasts);
                self.process.memory.failure = Some(OwnFailure { error: failure.error, until, count });
                (LEASE_LABEL, content)
            }
        };
        if let Some(claim) = claim {
            self.publish(claim.saturating_add(1), label, &content).await;
        }
    }

    /// Stores what came of a claim. If its number is taken, the others go on without it.
    async fn publish(&mut self, number: u64, label: &str, content: &Content) {
        let text = content.to_text();
        let mut put = Ok(Put::Taken);
        for _ in 0..MAX_PUTS {
            self.context.cache.wait_for(store_timeout("writing"));
            put = self.context.store.put(&record::id(number), label, &text).await;
            match &put {
                Ok(_) => return self.process.memory.taken = number,
                Err(StoreError::Denied(_)) => break,
                Err(error) => self.pause(error.clone().into_error(), Duration::MAX).await,
            }
        }
        if let Err(error) = put {
            tracing::warn!(
                error = error.message(),
                "what came of a request for an access token could not be stored; only this execution environment uses it"
            );
        }
    }
}

impl Process {
    /// Whether the secret contained an access token when it was last read.
    fn is_static(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| matches!(stored.secret.grant, TokenGrant::Static(_)))
    }

    fn has_credentials(&self) -> bool {
        self.stored.is_some() && !self.is_static()
    }
}
