//! Where access tokens come from: this process's memory, the version all copies share, or Zoho's accounts server.

use crate::base_url::BaseUrl;
use crate::clock::Timestamp;
use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::secret::{AccessToken, Credentials, Secret, Source};
use crate::token::lease::{LeaseClock, Queue, Turn};
use crate::token::record::{LEASE_LABEL, Lease, Position, Settled, SharedToken, TOKEN_LABEL, minted_with};
use crate::token::vault::{Put, Vault, VaultError, Version};
use crate::zoho::accounts::{self, Minted, Refused};
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A token that may be used now, and where.
#[derive(Debug, Clone)]
pub struct Live {
    /// The token.
    pub token: AccessToken,
    /// The API host that goes with it.
    pub api: BaseUrl,
    life: Option<Life>,
}

/// The times of a token's life; absent for one that something else keeps fresh.
#[derive(Debug, Clone)]
struct Life {
    /// From here on it is not used any more: Zoho's end, less a margin for clocks and the call itself.
    unusable_at: Timestamp,
    /// From here on this copy sees to the next one.
    refresh_at: Timestamp,
    /// The copy that minted it is the only one that refreshes it until then, without a lease.
    mine_until: Option<Timestamp>,
    /// The version that it is shared as.
    version: Option<String>,
}

/// What the environment says about tokens.
#[derive(Clone)]
pub struct Settings {
    /// `ZOHO_API_DOMAIN`.
    pub api_domain: Option<BaseUrl>,
    /// `ZOHO_ACCOUNTS_DOMAIN`.
    pub accounts_domain: Option<BaseUrl>,
    /// `REQUEST_TIMEOUT_SECONDS`.
    pub request_timeout: Duration,
    /// The wall clock; another in tests.
    pub clock: Clock,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("request_timeout", &self.request_timeout).finish_non_exhaustive()
    }
}

/// Asks an accounts server for tokens.
pub trait Mint: Send + Sync {
    /// One request.
    fn mint(
        &self,
        accounts: &BaseUrl,
        credentials: &Credentials,
        timeout: Duration,
    ) -> impl Future<Output = Result<Minted, Box<Refused>>> + Send;
}

/// Zoho's accounts server.
#[derive(Debug, Clone)]
pub struct ZohoAccounts(pub reqwest::Client);

impl Mint for ZohoAccounts {
    async fn mint(
        &self,
        accounts: &BaseUrl,
        credentials: &Credentials,
        timeout: Duration,
    ) -> Result<Minted, Box<Refused>> {
        accounts::mint(&self.0, accounts, credentials, timeout).await
    }
}

/// Gives out access tokens.
pub struct TokenSource<V, M> {
    vault: V,
    mint: M,
    settings: Settings,
    current: Mutex<Option<Arc<Live>>>,
    /// One search for a token at a time in this process.
    flight: tokio::sync::Mutex<Flight>,
    /// What the search is busy with, for the error of a call whose time runs out meanwhile.
    phase: AtomicU8,
}

/// What one search leaves to the next.
#[derive(Debug, Default)]
struct Flight {
    operator: Option<Operator>,
    queue: Queue,
    /// Zoho's last refusal, where it could not be shared.
    quiet: Option<(Timestamp, WatchError)>,
}

impl Flight {
    fn remember(&mut self, operator: &Operator) {
        if self.operator.as_ref().is_none_or(|known| known.version.id != operator.version.id) {
            // A refusal was of other credentials.
            self.quiet = None;
        }
        self.operator = Some(operator.clone());
    }
}

/// The operator's secret as last read.
#[derive(Debug, Clone)]
struct Operator {
    version: Version,
    secret: Secret,
}

/// What kind of token is wanted.
#[derive(Debug, Clone, Copy)]
enum Wanted<'a> {
    /// Any that lives.
    Any,
    /// Any but this one, which Zoho refused.
    Instead(&'a AccessToken),
    /// A successor of this one, which still lives: nobody waits for it.
    After(&'a Live),
}

const READING_SECRET: u8 = 0;
const WAITING: u8 = 1;
const MINTING: u8 = 2;

/// The most that is waited for one answer of the accounts server, and with it what a dead holder costs the others.
const LONGEST_MINT: Duration = Duration::from_secs(20);

impl<V: Vault, M: Mint> TokenSource<V, M> {
    /// Nothing is read yet.
    pub fn new(vault: V, mint: M, settings: Settings) -> Self {
        Self {
            vault,
            mint,
            settings,
            current: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
            phase: AtomicU8::new(READING_SECRET),
        }
    }

    /// A token to use now: from memory, without any request, while the last one lives.
    pub async fn token(&self, deadline: Deadline) -> Result<Arc<Live>, WatchError> {
        match self.usable() {
            Some(live) => Ok(live),
            None => self.search(Wanted::Any, deadline).await,
        }
    }

    /// Another token than this one, which Zoho refused with a 401; `None` where there is no other to be had.
    pub async fn replace(&self, refused: &Live, deadline: Deadline) -> Result<Option<Arc<Live>>, WatchError> {
        {
            let mut current = self.current();
            // Only that token is forgotten: a late refusal must not evict a newer one.
            if current.as_ref().is_some_and(|live| live.token == refused.token) {
                *current = None;
            }
        }
        let live = self.search(Wanted::Instead(&refused.token), deadline).await?;
        Ok((live.token != refused.token).then_some(live))
    }

    /// Sees to the next token if that is this copy's task by now. Never fails: the present one still lives.
    pub async fn refresh(&self, deadline: Deadline) {
        let now = self.now();
        let Some(live) =
            self.usable().filter(|live| live.life.as_ref().is_some_and(|life| life.refresh_at <= now))
        else {
            return;
        };
        let Ok(mut flight) = self.flight.try_lock() else { return };
        if flight.quiet.as_ref().is_some_and(|(until, _)| *until > now) {
            return;
        }
        match deadline.limit(self.acquire(&mut flight, Wanted::After(&live))).await {
            Some(Ok(next)) => *self.current() = Some(next),
            Some(Err(error)) => {
                tracing::warn!(%error, "the access token could not be refreshed ahead of its end")
            }
            None => {}
        }
    }

    async fn search(&self, wanted: Wanted<'_>, deadline: Deadline) -> Result<Arc<Live>, WatchError> {
        let found = deadline
            .limit(async {
                let mut flight = self.flight.lock().await;
                // Another call of this process may have found one meanwhile.
                let refused = if let Wanted::Instead(token) = wanted { Some(token) } else { None };
                if let Some(live) = self.usable().filter(|live| Some(&live.token) != refused) {
                    return Ok(live);
                }
                let live = self.acquire(&mut flight, wanted).await?;
                *self.current() = Some(live.clone());
                Ok(live)
            })
            .await;
        found.unwrap_or_else(|| Err(self.out_of_time()))
    }

    fn out_of_time(&self) -> WatchError {
        match self.phase.load(Ordering::Relaxed) {
            WAITING => WatchError::new(
                ErrorType::TokenRateLimited,
                "another copy of this function is asking Zoho for a token, and none was there in the time of this call. Try again later",
            ),
            MINTING => WatchError::new(
                ErrorType::ZohoUnavailable,
                "Zoho's accounts server gave no answer in the time of this call. Try again later",
            ),
            _ => WatchError::new(
                ErrorType::SecretUnavailable,
                "Secrets Manager gave no answer in the time of this call. Try again later",
            ),
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Live>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<Arc<Live>> {
        let now = self.now();
        self.current().clone().filter(|live| live.life.as_ref().is_none_or(|life| now < life.unusable_at))
    }

    fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
    }

    async fn acquire(&self, flight: &mut Flight, wanted: Wanted<'_>) -> Result<Arc<Live>, WatchError> {
        self.enter(READING_SECRET);
        let mut operator = match self.vault.current().await {
            Ok(version) => read_operator(version)?,
            Err(error) => return self.without_secret(flight, wanted, error).await,
        };
        let mut looked_before = false;
        loop {
            flight.remember(&operator);
            let credentials = match &operator.secret.source {
                Source::Token(token) => {
                    return Ok(Arc::new(Live {
                        token: token.clone(),
                        api: self.api(&operator.secret, None),
                        life: None,
                    }));
                }
                Source::Mint(credentials) => credentials,
            };
            let shared = match self.vault.labelled(TOKEN_LABEL).await {
                Ok(shared) => shared,
                Err(error) => {
                    return self.mint_alone(flight, &operator.secret, credentials, error.message()).await;
                }
            };
            if let Some(version) = &shared {
                if !minted_with(version, &operator.version) && looked_before {
                    // Either that token is of replaced credentials, or ours are.
                    let again = self.vault.current().await.map_err(VaultError::into_error)?;
                    if again.id != operator.version.id {
                        operator = read_operator(again)?;
                        continue;
                    }
                }
                if let Some(live) = self.accept(version, &operator, wanted) {
                    return Ok(Arc::new(live));
                }
            }
            let place = Position {
                credentials: operator.version.id.clone(),
                follows: shared.map(|version| version.id).unwrap_or_default(),
            };
            let turn = match self.own_refresh(wanted, &place) {
                Some(lease) => Turn::Mint { attempt: None, lease },
                None => flight.queue.line_up(&self.vault, &place, self.now(), self.lease_duration()).await,
            };
            match (turn, wanted) {
                (Turn::Mint { attempt, lease }, _) => {
                    match self.mint_for(flight, &place, attempt, lease, &operator, credentials).await? {
                        Some(live) => return Ok(Arc::new(live)),
                        // The credentials were replaced in the meantime.
                        None => {
                            let version = self.vault.current().await.map_err(VaultError::into_error)?;
                            operator = read_operator(version)?;
                        }
                    }
                }
                (Turn::Wait, Wanted::After(live)) => return Ok(Arc::new(live.clone())),
                (Turn::Wait, _) => {
                    self.enter(WAITING);
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(150..350))).await;
                }
                (Turn::Settled(error), _) => return Err(error),
                (Turn::Alone(why), _) => {
                    return self.mint_alone(flight, &operator.secret, credentials, &why).await;
                }
            }
            looked_before = true;
        }
    }

    /// The shared token as one to use, if it is one and the wanted one.
    fn accept(&self, version: &Version, operator: &Operator, wanted: Wanted<'_>) -> Option<Live> {
        let Some(shared) = SharedToken::parse(&version.text) else {
            tracing::warn!(
                version = %version.id,
                "the version of the secret labelled {TOKEN_LABEL} holds no token; it will be followed by a good one"
            );
            return None;
        };
        if !minted_with(version, &operator.version) {
            return None;
        }
        let known = match wanted {
            Wanted::Any => None,
            Wanted::Instead(token) => Some(token),
            Wanted::After(live) => Some(&live.token),
        };
        let api = self.api(&operator.secret, shared.api_domain.as_ref());
        let life = Life::new(version.created, shared.expires_at, false, Some(version.id.clone()));
        let lives = self.now() < life.unusable_at;
        (lives && Some(&shared.token) != known).then_some(Live { token: shared.token, api, life: Some(life) })
    }

    /// The copy that minted the shared token refreshes it without a lease, until the others begin to think of it.
    fn own_refresh(&self, wanted: Wanted<'_>, place: &Position) -> Option<LeaseClock> {
        let Wanted::After(Live { life: Some(life), .. }) = wanted else { return None };
        if life.version.as_ref() != Some(&place.follows) {
            return None;
        }
        let now = self.now();
        let left = u64::try_from(life.mine_until?.seconds_since(now)).ok()?;
        (left > 0).then(|| LeaseClock::start(now, Duration::from_secs(left).min(self.lease_duration())))
    }

    /// Mints with the lease in hand and shares the token; `None` where the credentials were replaced meanwhile.
    async fn mint_for(
        &self,
        flight: &mut Flight,
        place: &Position,
        attempt: Option<u32>,
        lease: LeaseClock,
        operator: &Operator,
        credentials: &Credentials,
    ) -> Result<Option<Live>, WatchError> {
        self.enter(MINTING);
        let accounts = self.accounts(&operator.secret);
        let minted = self.mint_within(accounts, credentials, || lease.left(self.now())).await;
        self.enter(READING_SECRET);
        let minted = match minted {
            Ok(minted) => minted,
            Err(refused) => {
                flight.quiet = Some((self.quiet_until(&refused), refused.error.clone()));
                self.settle(place, attempt, &refused).await;
                return Err(refused.error);
            }
        };
        if self.vault.current().await.is_ok_and(|version| version.id != operator.version.id) {
            return Ok(None);
        }
        Ok(Some(self.share(place, operator, minted).await))
    }

    /// Puts the token where all copies find it. Where that fails it is used all the same, by this copy alone.
    async fn share(&self, place: &Position, operator: &Operator, minted: Minted) -> Live {
        let now = self.now();
        let shared = SharedToken {
            token: minted.token,
            api_domain: minted.api_domain,
            expires_at: now.plus_seconds(i64::try_from(minted.lifetime.as_secs()).unwrap_or(0)),
        };
        let text = shared.to_text();
        let mut place = place.clone();
        let mut version = None;
        // More than one round only where somebody removed the label by hand: the chain is followed to its end.
        for _ in 0..100 {
            let id = place.token_id();
            match self.vault.put(&id, TOKEN_LABEL, &text).await {
                Ok(Put::Done) => {
                    version = Some(id);
                    break;
                }
                Ok(Put::Taken) => match self.vault.version(&id).await {
                    Ok(Some(taken)) => match self.accept(&taken, operator, Wanted::Any) {
                        Some(live) => return live,
                        None => place.follows = id,
                    },
                    _ => break,
                },
                Err(error) => {
                    tracing::warn!(
                        error = error.message(),
                        "the new access token could not be shared and is used by this copy alone; the role needs secretsmanager:PutSecretValue on the secret"
                    );
                    break;
                }
            }
        }
        let life = Life::new(now, shared.expires_at, version.is_some(), version);
        Live {
            api: self.api(&operator.secret, shared.api_domain.as_ref()),
            token: shared.token,
            life: Some(life),
        }
    }

    /// Tells the other copies what Zoho said, so that they need not ask.
    async fn settle(&self, place: &Position, attempt: Option<u32>, refused: &Refused) {
        let mut records = Vec::with_capacity(2);
        if attempt.is_none() {
            // A refresh of one's own has no lease, and without one nobody would look for what became of it.
            let lease = Lease { owner: "settled".into(), seconds: 0 };
            records.push((place.lease_id(0), lease.to_text()));
        }
        let settled = Settled { error: refused.error.clone(), until: self.quiet_until(refused) };
        records.push((place.settled_id(attempt.unwrap_or(0)), settled.to_text()));
        for (id, text) in records {
            if let Err(error) = self.vault.put(&id, LEASE_LABEL, &text).await {
                tracing::debug!(error = error.message(), "Zoho's refusal could not be shared");
            }
        }
    }

    fn quiet_until(&self, refused: &Refused) -> Timestamp {
        self.now().plus_seconds(i64::try_from(refused.quiet.as_secs()).unwrap_or(i64::MAX))
    }

    /// Secrets Manager does not answer or refuses: goes on with the credentials in memory where that can be.
    async fn without_secret(
        &self,
        flight: &mut Flight,
        wanted: Wanted<'_>,
        error: VaultError,
    ) -> Result<Arc<Live>, WatchError> {
        if let Wanted::After(live) = wanted {
            tracing::warn!(
                error = error.message(),
                "the secret could not be read; the present access token still lives"
            );
            return Ok(Arc::new(live.clone()));
        }
        match (&error, flight.operator.clone()) {
            (VaultError::Throttled(_) | VaultError::Unavailable(_), Some(Operator { secret, .. })) => {
                match &secret.source {
                    Source::Mint(credentials) => {
                        self.mint_alone(flight, &secret, credentials, error.message()).await
                    }
                    Source::Token(_) => Err(error.into_error()),
                }
            }
            _ => Err(error.into_error()),
        }
    }

    /// Mints for this copy only: the token cannot be shared.
    async fn mint_alone(
        &self,
        flight: &mut Flight,
        secret: &Secret,
        credentials: &Credentials,
        why: &str,
    ) -> Result<Arc<Live>, WatchError> {
        let now = self.now();
        if let Some((_, error)) = flight.quiet.as_ref().filter(|(until, _)| *until > now) {
            return Err(error.clone());
        }
        tracing::warn!(
            reason = why,
            "access tokens cannot be shared between copies of this function: each mints its own, of which Zoho gives \
             out 10 in 10 minutes. The role needs secretsmanager:GetSecretValue and secretsmanager:PutSecretValue on the secret"
        );
        self.enter(MINTING);
        let lease = LeaseClock::start(now, self.lease_duration());
        let minted = self.mint_within(self.accounts(secret), credentials, || lease.left(self.now())).await;
        match minted {
            Ok(minted) => {
                let now = self.now();
                let expires_at = now.plus_seconds(i64::try_from(minted.lifetime.as_secs()).unwrap_or(0));
                let api = self.api(secret, minted.api_domain.as_ref());
                Ok(Arc::new(Live {
                    token: minted.token,
                    api,
                    life: Some(Life::new(now, expires_at, false, None)),
                }))
            }
            Err(refused) => {
                flight.quiet = Some((self.quiet_until(&refused), refused.error.clone()));
                Err(refused.error)
            }
        }
    }

    /// Asks for a token; again only where the request cannot have arrived, for each one that did counts.
    async fn mint_within(
        &self,
        accounts: &BaseUrl,
        credentials: &Credentials,
        left: impl Fn() -> Duration,
    ) -> Result<Minted, Box<Refused>> {
        let mut attempt = 0_u32;
        loop {
            attempt = attempt.saturating_add(1);
            match self.mint.mint(accounts, credentials, left().min(self.mint_timeout())).await {
                Err(refused) if refused.unsent && attempt < 3 && left() > Duration::from_secs(1) => {
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(100..300))).await;
                }
                answer => return answer,
            }
        }
    }

    fn mint_timeout(&self) -> Duration {
        self.settings.request_timeout.min(LONGEST_MINT)
    }

    /// One answer of the accounts server, and a moment for the rest.
    fn lease_duration(&self) -> Duration {
        self.mint_timeout().saturating_add(Duration::from_secs(2))
    }

    fn accounts<'a>(&'a self, secret: &'a Secret) -> &'a BaseUrl {
        self.settings.accounts_domain.as_ref().unwrap_or(&secret.accounts)
    }

    fn api(&self, secret: &Secret, token_reply: Option<&BaseUrl>) -> BaseUrl {
        let known = [self.settings.api_domain.as_ref(), secret.api.as_ref(), token_reply];
        known.into_iter().flatten().next().unwrap_or(&secret.default_api).clone()
    }
}

fn read_operator(version: Version) -> Result<Operator, WatchError> {
    use secrecy::ExposeSecret;
    let secret = Secret::parse(version.text.expose_secret())
        .map_err(|wrong| WatchError::new(ErrorType::SecretInvalid, format!("the secret {wrong}")))?;
    Ok(Operator { version, secret })
}

impl Life {
    /// For Zoho's hour: not used in its last 30 s; the copy that minted it refreshes it 15 to 10 minutes before the
    /// end, and the others, should that one be gone, 4 to 2 minutes before, each at a moment of its own.
    fn new(begins: Timestamp, ends: Timestamp, mine: bool, version: Option<String>) -> Self {
        let length = ends.seconds_since(begins).clamp(0, 3_600);
        let part = |of_120: i64| length.saturating_mul(of_120).checked_div(120).unwrap_or(0);
        let spread = |from: i64, to: i64| {
            let (from, to) = (part(from), part(to));
            to.saturating_add(fastrand::i64(0..=from.saturating_sub(to).max(0)))
        };
        let before = |seconds: i64| ends.plus_seconds(seconds.saturating_neg());
        Self {
            unusable_at: before(part(1)),
            refresh_at: before(if mine { spread(30, 20) } else { spread(8, 4) }),
            mine_until: mine.then(|| before(part(10))),
            version,
        }
    }
}
