//! One acquisition of a token: read the chain, decide, act, until there is a token or an error.

use crate::error::{ErrorType, WatchError};
use crate::http::{HttpClient, NoResponse, Origin, TransportError};
use crate::timestamp::Timestamp;
use crate::token::cache::{CachedToken, Context, Issued, Need, Now, REFRESH, Sharing, Timer};
use crate::token::chain::{self, Memory, Next, Stored, View, decide};
use crate::token::record::{self, Content, Identity, LEASE_LABEL, Record, RecordKind, TOKEN_LABEL};
use crate::token::store::{Put, SecretStore, StoreError, Version};
use crate::zoho::credentials::{AccessToken, Secret, TokenGrant};
use crate::zoho::{exchange, hosts, oauth};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::sleep;

/// One acquisition at work. The guard makes it the only one of this process.
pub(super) struct Acquisition<S, H> {
    context: Arc<Context<S, H>>,
    memory: OwnedMutexGuard<Memory>,
    need: Need,
    sharing: Sharing,
    pauses: u32,
}

type ReadRecord = Result<Option<Version>, StoreError>;

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What Secrets Manager does not do within so many pauses, an environment goes on without.
const PATIENCE: u32 = 4;

/// The longest wait for a response of the accounts server.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Records of others are skipped, but no more of them in one look, and none that are older than an hour.
const MAX_SKIPPED: usize = 20;

const HOUR: Duration = Duration::from_secs(3_600);

impl<S: SecretStore, H: HttpClient> Acquisition<S, H> {
    pub(super) fn new(context: Arc<Context<S, H>>, memory: OwnedMutexGuard<Memory>, need: Need) -> Self {
        Self { sharing: context.sharing, context, memory, need, pauses: 0 }
    }

    /// Acquires a token and makes it the one of the invocations to come.
    pub(super) async fn run(mut self) -> Result<Arc<CachedToken>, WatchError> {
        let token = loop {
            let view = self.look().await.map_err(StoreError::into_error)?;
            let next = decide(&self.need, &view, &self.memory, self.context.now());
            let issued = match (next, &self.need) {
                (Next::Use(token), _) => Some(token),
                (Next::Fail(error), _) => return Err(error),
                (Next::Wait(error, left), _) => self.pause(error, left).await,
                (Next::Request(failures, timer), _) => self.request(failures, timer).await,
                (Next::Claim(number, failures), _) if self.sharing == Sharing::ReadWrite => {
                    self.claim(number, failures).await?
                }
                // A request that is not shared can wait until the present token has ended.
                (Next::Claim(..), Need::Successor(present)) => Some(present.clone()),
                (Next::Claim(_, failures), _) => self.request_alone(failures).await?,
            };
            if let Some(token) = issued {
                break token;
            }
        };
        self.context.keep(&token);
        Ok(token)
    }

    /// Reads as little as the decision needs: the credentials and the labeled token, then the rest of the chain.
    async fn look(&mut self) -> Result<View, StoreError> {
        self.context.cache().waiting_for = None;
        let context = self.context.clone();
        // A secret that contained an access token when it was last read needs no other one.
        let is_static = self.memory.stored.as_ref().is_some_and(|known| !known.has_credentials());
        let labeled = async { if is_static { Ok(None) } else { context.store.labeled(TOKEN_LABEL).await } };
        // Together: a cold start waits for one response time, not for two.
        let (current, labeled) = tokio::join!(context.store.current(), labeled);
        let stored = self.note_credentials(current)?;
        if let TokenGrant::Static(token) = &stored.secret.grant {
            let token = CachedToken { token: token.clone(), api: stored.api.clone(), issued: None };
            return Ok(View { token: Some(Arc::new(token)), ..View::default() });
        }
        let mut view = View::default();
        self.add(&mut view, &stored, labeled)?;
        if self.sharing == Sharing::ReadWrite && self.need.choose(&view, context.now()).is_none() {
            self.add(&mut view, &stored, context.store.labeled(LEASE_LABEL).await)?;
            // A label can be late, and somebody can move it. Back to the newest record of this function's kind.
            for number in (1..=self.memory.taken.max(view.head())).rev().take(MAX_SKIPPED) {
                if !view.records.contains_key(&number) {
                    self.add(&mut view, &stored, context.store.version(&record::id(number)).await)?;
                }
                let is_skipped = |record: &Record| record.is_foreign() && context.now().since(record.created) < HOUR;
                if !view.records.get(&number).is_some_and(is_skipped) {
                    break;
                }
            }
        }
        // After the reads: before them, the record may not have been there.
        self.memory.note(&view, context.now());
        Ok(view)
    }

    /// Adds what a read returned. Without it, nothing is shared.
    fn add(&mut self, view: &mut View, stored: &Stored, read: ReadRecord) -> Result<(), StoreError> {
        match read {
            Err(StoreError::Denied(why) | StoreError::Unavailable(why)) => self.stop_sharing(&why),
            read => {
                let record = read?.and_then(|version| Record::parse(&version, &stored.identity));
                view.records.extend(record.map(|record| (record.number, record)));
                let token_of = |record: &Record| self.token_of(&record.content, record.created, false, stored);
                let token = view.ours().find_map(token_of);
                view.token = token;
            }
        }
        Ok(())
    }

    /// The token of a record that began then, if it is one.
    fn token_of(&self, record: &Content, began: Timestamp, is_own: bool, stored: &Stored) -> Option<Arc<CachedToken>> {
        let RecordKind::Token { access_token, api_domain, expires_at } = &record.kind else { return None };
        let issued =
            Issued::new(is_own, began, Timestamp::parse(expires_at)?, self.context.now().at, fastrand::i64(REFRESH));
        let named = api_domain.as_ref().and_then(|text| Origin::parse(text).ok());
        let variable = self.context.settings.api_domain.as_ref();
        let api = hosts::api(variable, &stored.secret, &stored.accounts, named.as_ref());
        Some(Arc::new(CachedToken { token: AccessToken::parse(access_token)?, api, issued: Some(issued) }))
    }

    /// Those that were read, or else the last ones.
    fn note_credentials(&mut self, current: Result<Version, StoreError>) -> Result<Arc<Stored>, StoreError> {
        let known = self.memory.stored.clone();
        let current = match (current, known.as_ref().filter(|known| known.has_credentials())) {
            (Err(StoreError::Unavailable(why)), Some(known)) => {
                self.stop_sharing(&why);
                return Ok(known.clone());
            }
            (current, _) => current?,
        };
        let settings = &self.context.settings;
        let secret = Secret::parse(current.text.expose_secret(), settings.data_center)
            .map_err(|invalid| StoreError::Denied(invalid.of("the secret that ZOHO_SECRET_ID names")))?;
        let accounts = hosts::accounts(settings.accounts_domain.as_ref(), &secret);
        let api = hosts::api(settings.api_domain.as_ref(), &secret, &accounts, None);
        let identity = Identity::new(&current.id, &accounts.origin, &api.origin);
        let stored = Arc::new(Stored { secret, accounts, api, identity });
        self.memory.stored = Some(stored.clone());
        if known.is_some_and(|known| known.identity != stored.identity) {
            // Neither a token nor a failure of replaced credentials is useful to anybody.
            self.memory.failure = None;
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

    /// Longer each time, and not all environments at the same time. Ends without a token.
    async fn pause(&mut self, error: WatchError, at_most: Duration) -> Option<Arc<CachedToken>> {
        self.context.cache().waiting_for = Some(error);
        let longest = FIRST_PAUSE.saturating_mul(1_u32 << self.pauses.min(4)).min(at_most.saturating_add(FIRST_PAUSE));
        self.pauses = self.pauses.saturating_add(1);
        sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        None
    }

    /// Puts a claim. What is read back decides whether it counts.
    async fn claim(&mut self, number: u64, failures: u32) -> Result<Option<Arc<CachedToken>>, WatchError> {
        let error = match self.put_claim(number, failures).await {
            Ok(_) if self.memory.taken != number => {
                self.memory.taken = number;
                return Ok(None);
            }
            // The version is there, but a read does not show it yet.
            Ok(_) => StoreError::Unavailable("a version of the secret that was stored cannot be read".to_owned()),
            Err(error) => error,
        };
        match error {
            StoreError::Denied(why) => self.stop_sharing(&why),
            error if self.pauses < PATIENCE => return Ok(self.pause(error.into_error(), chain::CLAIM).await),
            StoreError::Unavailable(why) => self.stop_sharing(&why),
            // Of many environments that are throttled, none may request its own token.
            StoreError::Throttled(_) => return Err(error.into_error()),
        }
        Ok(None)
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
        let kind = RecordKind::Claim { owner: self.memory.owner.clone() };
        let claim = Content::new(kind, &stored.identity, failures);
        context.store.put(&record::id(number), LEASE_LABEL, &claim.to_text()).await
    }

    /// Requests a token for this environment alone.
    async fn request_alone(&mut self, failures: u32) -> Result<Option<Arc<CachedToken>>, WatchError> {
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
        Ok(self.request(failures, Timer { started: now, duration: chain::CLAIM }).await)
    }

    /// Requests a token, and stores what came of it if this is done under a claim. `None`: a failure.
    async fn request(&mut self, failures: u32, timer: Timer) -> Option<Arc<CachedToken>> {
        let stored = self.memory.stored.clone()?;
        let TokenGrant::Credentials(credentials) = &stored.secret.grant else { return None };
        let (context, now) = (self.context.clone(), self.context.now());
        let late = TransportError::new(NoResponse::TimedOut, "no response before the end of the invocation");
        context.cache().waiting_for = Some(exchange::no_response(&stored.accounts, &late));
        let timeout = timer.left(now).min(LONGEST_REQUEST).min(context.settings.request_timeout);
        match oauth::request_token(&context.http, &stored.accounts, credentials, now.at, timeout).await {
            Ok(issued) => {
                self.memory.failure = None;
                // Its life counts from the request: an environment can be frozen before it reads the response.
                let content = Content::new(RecordKind::token(&issued, now.at), &stored.identity, 0);
                self.put(1, TOKEN_LABEL, &content, now).await;
                self.token_of(&content, now.at, true, &stored)
            }
            Err(error) => {
                let lasts = chain::lasts(error.kind, failures, self.memory.claim.is_some());
                self.fail(&error, lasts, failures.saturating_add(1), 1, now).await;
                None
            }
        }
    }

    /// Remembers a failure of this time, and stores it so many records after the claim.
    pub(super) async fn fail(&mut self, error: &WatchError, lasts: Duration, failures: u32, after: u64, at: Now) {
        let until = Timer { started: at, duration: lasts };
        self.memory.failure = Some((error.clone(), until));
        if let Some(stored) = self.memory.stored.clone() {
            let failure = Content::new(RecordKind::failure(error, lasts), &stored.identity, failures);
            self.put(after, LEASE_LABEL, &failure, at).await;
        }
    }

    /// Stores what came of a claim, so many records after it, and counts it from this time: an environment can be frozen
    /// before it reads a response. If that number is taken, others have gone on.
    async fn put(&mut self, after: u64, label: &str, content: &Content, at: Now) {
        let Some((claim, _)) = self.memory.claim else { return };
        let number = claim.saturating_add(after);
        self.context.cache().waiting_for = None;
        match self.context.store.put(&record::id(number), label, &content.to_text()).await {
            Ok(Put::Done) => {
                (self.memory.taken, self.memory.seen) = (number, Some((number, at)));
                return;
            }
            Ok(Put::Taken) => self.memory.taken = number,
            Err(error) => tracing::warn!(
                error = error.into_error().message,
                "what came of a request for an access token could not be stored: only this environment knows of it"
            ),
        }
        self.memory.claim = None;
    }
}
