//! One acquisition of a token: read the chain, decide, act, until there is a token or an error.

use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, NoResponse, Origin, TransportError};
use crate::timestamp::{Clock, Timestamp};
use crate::token::chain::{self, Memory, Need, Next, OwnFailure, Stored, View, decide};
use crate::token::record::{self, Content, Identity, LEASE_LABEL, Record, RecordKind, TOKEN_LABEL};
use crate::token::store::{Put, SecretStore, StoreError, Version};
use crate::token::times::{CachedToken, Issued, Now, Timer};
use crate::zoho::credentials::{AccessToken, Secret, TokenGrant};
use crate::zoho::{ZohoSettings, exchange, hosts, oauth};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep};

/// What the store is used for besides the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A token that others share is used, if there is one. Nothing is stored.
    ReadOnly,
    /// Tokens are shared.
    ReadWrite,
}

/// What all acquisitions of a process share: the two services, the settings, the clocks, and the cache.
pub(crate) struct Context<S, H> {
    pub store: S,
    pub http: H,
    pub settings: ZohoSettings,
    pub sharing: Sharing,
    pub clock: Clock,
    pub(super) cache: Mutex<TokenCache>,
}

/// What invocations and acquisitions share. An acquisition goes on when its invocation is over.
#[derive(Default)]
pub(super) struct TokenCache {
    pub current: Option<Arc<CachedToken>>,
    /// When an invocation next looks at the secret during its check; `None` for never.
    next_look: Option<Timer>,
    /// Why an invocation has no token if its time runs out now.
    waiting_for: Option<WatchError>,
}

/// How often an environment that is invoked looks at the secret: for replaced credentials, and for the next token.
const LOOK_EVERY: Duration = Duration::from_secs(300);

impl<S, H> Context<S, H> {
    pub(super) fn now(&self) -> Now {
        Now { at: (self.clock)(), instant: Instant::now().into_std() }
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, TokenCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token in memory, if it can be used and it is time to look at the secret again.
    pub(super) fn look_due(&self) -> Option<Arc<CachedToken>> {
        let (now, mut cache) = (self.now(), self.cache());
        let token = cache.current.clone().filter(|token| token.is_usable(now.at))?;
        cache.next_look.filter(|timer| timer.left(now).is_zero())?;
        cache.next_look = Some(Timer { started: now, duration: LOOK_EVERY });
        Some(token)
    }

    /// Makes this the error of an invocation whose time runs out from now on.
    fn wait_for(&self, error: WatchError) {
        self.cache().waiting_for = Some(error);
    }

    /// The error of an invocation whose time has run out.
    pub(super) fn timeout_error(&self) -> WatchError {
        self.cache().waiting_for.clone().unwrap_or_else(|| store_timeout("reading"))
    }

    /// The token of a record that began then, if it is one.
    fn token_of(&self, record: &Content, began: Timestamp, is_own: bool, stored: &Stored) -> Option<Arc<CachedToken>> {
        let RecordKind::Token { access_token, api_domain, expires_at } = &record.kind else { return None };
        let issued = Issued::new(is_own, began, Timestamp::parse(expires_at)?, self.now().at, fastrand::f64());
        let named = api_domain.as_ref().and_then(|text| Origin::parse(text).ok());
        let variable = self.settings.api_domain.as_ref();
        let api = hosts::api(variable, &stored.secret, &stored.accounts, named.as_ref());
        Some(Arc::new(CachedToken { token: AccessToken::parse(access_token)?, api, issued: Some(issued) }))
    }
}

/// One acquisition at work. The guard makes it the only one of this process.
pub(super) struct Acquisition<S, H> {
    context: Arc<Context<S, H>>,
    memory: OwnedMutexGuard<Memory>,
    need: Need,
    sharing: Sharing,
    pauses: u32,
}

/// Records by their numbers.
type Chain = BTreeMap<u64, Record>;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What Secrets Manager does not do within so many pauses is an error: no invocation takes long because of it.
const PATIENCE: u32 = 8;

/// The longest wait for a response of the accounts server.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Records of others are skipped, but no more of them in one look, and none that are older than an hour.
const MAX_SKIPPED: usize = 20;

const HOUR: Duration = Duration::from_secs(3_600);

/// What an invocation reports whose time runs out before Secrets Manager responds.
fn store_timeout(what: &str) -> WatchError {
    let hint = NoResponse::TimedOut.hint(Some("secretsmanager"));
    let message = format!("timed out {what} the secret (Secrets Manager did not respond). {hint}");
    WatchError::new(ErrorType::SecretUnavailable, message)
}

impl<S: SecretStore, H: HttpClient> Acquisition<S, H> {
    pub(super) fn new(context: Arc<Context<S, H>>, mut memory: OwnedMutexGuard<Memory>, need: Need) -> Self {
        if memory.owner.is_empty() {
            memory.owner = format!("{:016x}", fastrand::u64(..));
        }
        Self { sharing: context.sharing, context, memory, need, pauses: 0 }
    }

    /// Acquires a token and makes it the one of the invocations to come.
    pub(super) async fn run(mut self) -> Result<Arc<CachedToken>, WatchError> {
        loop {
            let is_urgent = !matches!(self.need, Need::Successor(_));
            let view = match self.look().await {
                Ok(view) => view,
                // Over soon; and of many environments that are throttled, none may request its own token.
                Err(error @ StoreError::Throttled(_)) if is_urgent && self.pauses < PATIENCE => {
                    self.pause(error.into_error(), Duration::MAX).await;
                    continue;
                }
                Err(StoreError::Unavailable(why)) if is_urgent && self.memory.has_credentials() => {
                    self.stop_sharing(&why);
                    View::default()
                }
                Err(error) => return Err(error.into_error()),
            };
            match decide(&self.need, &view, &self.memory, self.context.now()) {
                Next::Use(token) => {
                    self.memory.issued.take_if(|issued| issued.token != token.token);
                    let next_look = Timer { started: self.context.now(), duration: LOOK_EVERY };
                    let mut cache = self.context.cache();
                    cache.next_look = token.issued.is_some().then_some(next_look);
                    cache.current = Some(token.clone());
                    return Ok(token);
                }
                Next::Fail(error) => return Err(error),
                Next::Wait(error, left) => self.pause(error, left).await,
                Next::Claim(number, failures) if self.sharing == Sharing::ReadWrite => {
                    self.claim(number, failures).await?;
                }
                Next::Claim(_, failures) => self.request_alone(failures).await?,
                Next::Request(failures, timer) => self.request(failures, timer).await,
            }
        }
    }

    /// Tells the others that Zoho's API rejects even this token, which this environment has just requested in place of a
    /// rejected one: another would not help, and each one that is issued ends one that is in use.
    pub(super) async fn report_rejected(mut self, error: &WatchError) {
        let until = Timer { started: self.context.now(), duration: chain::REJECTED };
        self.memory.failure = Some(OwnFailure { error: error.clone(), until, count: 0 });
        if let (Some(number), Some(stored)) = (self.memory.stored_as, &self.memory.stored) {
            let failure = Content::failure(error, chain::REJECTED, &stored.identity, 0);
            self.put(number.saturating_add(1), LEASE_LABEL, &failure).await;
        }
    }

    /// Reads as little as the decision needs: the credentials and the labeled token, then the rest of the chain.
    async fn look(&mut self) -> Result<View, StoreError> {
        self.context.wait_for(store_timeout("reading"));
        let context = self.context.clone();
        // A secret that contained an access token when it was last read needs no other one.
        let is_static = self.memory.stored.is_some() && !self.memory.has_credentials();
        let labeled = async { if is_static { Ok(None) } else { context.store.labeled(TOKEN_LABEL).await } };
        // Together: a cold start waits for one response time, not for two.
        let (current, labeled) = tokio::join!(context.store.current(), labeled);
        let stored = self.note_credentials(&current?)?;
        if let TokenGrant::Static(token) = &stored.secret.grant {
            let token = CachedToken { token: token.clone(), api: stored.api.clone(), issued: None };
            return Ok(View { token: Some(Arc::new(token)), ..View::default() });
        }
        let mut chain = Chain::new();
        self.add(&mut chain, labeled)?;
        let view = self.view(&chain, &stored);
        let is_found = self.need.choose(&view, &self.memory, context.now()).is_some();
        if self.sharing != Sharing::ReadWrite || is_found {
            return Ok(view);
        }
        self.add(&mut chain, context.store.labeled(LEASE_LABEL).await)?;
        // A label can be late, and somebody can move it.
        let head = self.memory.taken.max(head(&chain));
        // Back to the newest record of this function's kind.
        for number in (1..=head).rev().take(MAX_SKIPPED) {
            if !chain.contains_key(&number) {
                self.add(&mut chain, context.store.version(&record::id(number)).await)?;
            }
            let now = context.now();
            let is_skipped = |record: &Record| !stored.identity.has(record) && now.since(record.created) < HOUR;
            if !chain.get(&number).is_some_and(is_skipped) {
                break;
            }
        }
        let view = self.view(&chain, &stored);
        // After the reads: before them, the record may not have been there.
        self.memory.note(&view, context.now());
        Ok(view)
    }

    /// Adds what a read returned.
    fn add(&mut self, chain: &mut Chain, read: Result<Option<Version>, StoreError>) -> Result<(), StoreError> {
        match read {
            Err(StoreError::Denied(why)) => self.stop_sharing(&why),
            read => {
                let record = read?.as_ref().and_then(Record::parse);
                chain.extend(record.map(|record| (record.number, record)));
            }
        }
        Ok(())
    }

    fn view(&self, chain: &Chain, stored: &Stored) -> View {
        let ours = || chain.values().rev().filter(|record| stored.identity.has(record));
        let token_of = |record: &Record| self.context.token_of(&record.content, record.created, false, stored);
        let token = ours().find_map(token_of);
        // One's own token says so.
        let is_it = |issued: &&Arc<CachedToken>| token.as_ref().is_some_and(|it| it.token == issued.token);
        let token = self.memory.issued.iter().find(is_it).cloned().or(token);
        View { head: head(chain), token, newest: ours().next().cloned() }
    }

    fn note_credentials(&mut self, current: &Version) -> Result<Arc<Stored>, StoreError> {
        let secret = Secret::parse(current.text.expose_secret(), self.context.settings.data_center)
            .map_err(|invalid| StoreError::Denied(invalid.of("the secret that ZOHO_SECRET_ID names")))?;
        let settings = &self.context.settings;
        let accounts = hosts::accounts(settings.accounts_domain.as_ref(), &secret);
        let api = hosts::api(settings.api_domain.as_ref(), &secret, &accounts, None);
        let identity = Identity::new(&current.id, &accounts.origin, &api.origin);
        let stored = Arc::new(Stored { secret, accounts, api, identity });
        let known = self.memory.stored.replace(stored.clone());
        if known.is_some_and(|known| known.identity != stored.identity) {
            // Neither a token nor a failure of replaced credentials is useful to anybody.
            (self.memory.issued, self.memory.failure) = (None, None);
            self.context.cache().current = None;
            self.need = Need::Any;
        }
        Ok(stored)
    }

    /// Goes on without what the secret does not allow.
    fn stop_sharing(&mut self, why: &str) {
        if self.sharing == Sharing::ReadWrite {
            self.sharing = Sharing::ReadOnly;
            tracing::warn!(
                reason = why,
                "access tokens are not shared between execution environments for now: each requests its own, of which \
                 Zoho issues 10 in 10 minutes"
            );
        }
    }

    /// Longer each time, and not all environments at the same time.
    async fn pause(&mut self, error: WatchError, at_most: Duration) {
        self.context.wait_for(error);
        let backoff = FIRST_PAUSE.saturating_mul(1_u32 << self.pauses.min(10)).min(LONGEST_PAUSE);
        self.pauses = self.pauses.saturating_add(1);
        let random = fastrand::f64();
        let at_most = at_most.saturating_add(FIRST_PAUSE.mul_f64(2.0 * random));
        sleep(backoff.mul_f64(0.5 + random / 2.0).min(at_most)).await;
    }

    /// Puts a claim. What is read back decides whether it counts.
    async fn claim(&mut self, number: u64, failures: u32) -> Result<(), WatchError> {
        match self.put_claim(number, failures).await {
            Ok(_) if self.memory.taken != number => self.memory.taken = number,
            // The version is there, but a read does not show it yet.
            Ok(_) if self.pauses < PATIENCE => self.pause(store_timeout("reading"), Duration::MAX).await,
            Ok(_) => self.stop_sharing("a version of the secret that was stored cannot be read"),
            Err(StoreError::Denied(why)) => self.stop_sharing(&why),
            Err(StoreError::Unavailable(why)) if self.pauses > 2 => self.stop_sharing(&why),
            Err(error @ StoreError::Throttled(_)) if self.pauses >= PATIENCE => return Err(error.into_error()),
            Err(error) => self.pause(error.into_error(), Duration::MAX).await,
        }
        Ok(())
    }

    async fn put_claim(&mut self, number: u64, failures: u32) -> Result<Put, StoreError> {
        let (context, now) = (self.context.clone(), self.context.now());
        let oldest = number.saturating_sub(chain::CLAIMED_AFTER);
        if oldest > 0
            && let Some(oldest) = context.store.version(&record::id(oldest)).await?
            && now.since(oldest.created) < chain::DAY
        {
            return Err(StoreError::Denied("80 versions of the secret were written in the last 24 hours".into()));
        }
        let Some(stored) = self.memory.stored.clone() else { return Ok(Put::Taken) };
        // Before the put. A claim that is put again keeps its timer.
        let known = self.memory.claim.filter(|(known, _)| *known == number);
        self.memory.claim = known.or(Some((number, Timer { started: now, duration: chain::CLAIM })));
        let claim = Content::claim(&self.memory.owner, &stored.identity, failures);
        context.wait_for(store_timeout("writing"));
        context.store.put(&record::id(number), LEASE_LABEL, &claim.to_text()).await
    }

    /// Requests a token for this environment alone.
    async fn request_alone(&mut self, failures: u32) -> Result<(), WatchError> {
        let now = self.context.now();
        let memory = &mut *self.memory;
        memory.alone.retain(|request| !request.left(now).is_zero());
        if memory.alone.len() >= chain::ALONE_AN_HOUR {
            let message = "this execution environment has requested four access tokens in the last hour, cannot store \
                           them in the secret, and requests no more for now";
            return Err(WatchError::new(ErrorType::TokenRateLimited, message));
        }
        memory.alone.push(Timer { started: now, duration: HOUR });
        memory.claim = None;
        self.request(failures, Timer { started: now, duration: chain::CLAIM }).await;
        Ok(())
    }

    /// Requests a token, and stores what came of it if this is done under a claim.
    async fn request(&mut self, failures: u32, timer: Timer) {
        let Some(stored) = self.memory.stored.clone() else { return };
        let TokenGrant::Credentials(credentials) = &stored.secret.grant else { return };
        let (context, now) = (self.context.clone(), self.context.now());
        let late = TransportError::new(NoResponse::TimedOut, "no response before the end of the invocation");
        context.wait_for(exchange::no_response(&stored.accounts, &late));
        let timeout = timer.left(now).min(LONGEST_REQUEST).min(context.settings.request_timeout);
        let http = &context.http;
        let response = oauth::request_token(http, &stored.accounts, credentials, now.at, timeout).await;
        let number = self.memory.claim.map(|(claim, _)| claim.saturating_add(1));
        let (label, content) = match response {
            Ok(issued) => {
                // Its life counts from the request: an environment can be frozen before it reads the response.
                let content = Content::token(&issued, now.at, &stored.identity);
                let token = context.token_of(&content, now.at, true, &stored);
                (self.memory.issued, self.memory.failure) = (token, None);
                (TOKEN_LABEL, content)
            }
            Err(error) => {
                let count = failures.saturating_add(1);
                let lasts = chain::lasts(error.kind, failures, number.is_some());
                let content = Content::failure(&error, lasts, &stored.identity, count);
                let until = Timer { started: context.now(), duration: lasts };
                self.memory.failure = Some(OwnFailure { error, until, count });
                (LEASE_LABEL, content)
            }
        };
        self.memory.stored_as = match number {
            Some(number) => self.put(number, label, &content).await.then_some(number),
            None => None,
        };
    }

    /// Stores what came of a claim, and returns whether that was done. If the number is taken, others have gone on.
    async fn put(&mut self, number: u64, label: &str, content: &Content) -> bool {
        self.context.wait_for(store_timeout("writing"));
        match self.context.store.put(&record::id(number), label, &content.to_text()).await {
            Ok(put) => {
                self.memory.taken = number;
                put == Put::Done
            }
            Err(error) => {
                tracing::warn!(
                    error = error.message(),
                    "what came of a request for an access token could not be stored: only this environment knows of it"
                );
                false
            }
        }
    }
}

fn head(chain: &Chain) -> u64 {
    chain.last_key_value().map_or(0, |(number, _)| *number)
}
