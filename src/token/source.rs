//! Where a call gets its access token: from memory while one lives, else by a search that all calls of this process share.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::origin::Origin;
use crate::timestamp::{Clock, Timestamp};
use crate::token::live::Live;
use crate::token::search::{Flight, Search};
use crate::token::store::SecretStore;
use crate::zoho::credentials::AccessToken;
use crate::zoho::data_center::DataCenter;
use crate::zoho::oauth::TokenEndpoint;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// What the environment says about tokens.
#[derive(Clone)]
pub struct Settings {
    /// `ZOHO_API_DOMAIN`.
    pub api_domain: Option<Origin>,
    /// `ZOHO_ACCOUNTS_DOMAIN`.
    pub accounts_domain: Option<Origin>,
    /// `ZOHO_DATA_CENTER`: the data center of a secret that names none.
    pub data_center: Option<DataCenter>,
    /// `REQUEST_TIMEOUT_SECONDS`.
    pub request_timeout: Duration,
    /// The wall clock; another in tests.
    pub clock: Clock,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("request_timeout", &self.request_timeout).finish_non_exhaustive()
    }
}

/// Gives out access tokens.
pub struct TokenSource<V, M> {
    core: Arc<Core<V, M>>,
    /// One search for a token at a time in this process.
    flight: Arc<tokio::sync::Mutex<Flight>>,
}

/// What calls and searches have in common.
pub(super) struct Core<V, M> {
    pub vault: V,
    pub mint: M,
    pub settings: Settings,
    current: Mutex<Option<Arc<Live>>>,
    /// When, in seconds since the epoch, a call next looks after the token beside its check.
    next_look: AtomicI64,
    excuse: Mutex<Excuse>,
}

/// What a call answers whose time runs out during a search.
#[derive(Debug, Clone)]
pub(super) enum Excuse {
    /// Secrets Manager is slow.
    Reading,
    /// Another copy mints.
    Waiting,
    /// Zoho's accounts server is slow.
    Minting,
    /// Zoho's accounts server has failed and is asked again in a moment.
    Failed(WatchError),
}

/// What kind of token is wanted.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// Any that lives.
    Any,
    /// Any but this one, which Zoho refused.
    Instead(AccessToken),
    /// A successor of this one, which still lives: nobody waits for it.
    After(Arc<Live>),
}

impl Wanted {
    /// Whether this token is not the wanted one.
    pub fn excludes(&self, token: &AccessToken) -> bool {
        match self {
            Self::Any => false,
            Self::Instead(refused) => refused == token,
            Self::After(live) => live.token == *token,
        }
    }
}

/// How long a call whose check is done still waits for the next token. The rest is done during the calls that follow.
const PATIENCE: Duration = Duration::from_secs(2);

/// Credentials that were replaced are noticed after so long at the latest, in a process that is called.
const LOOK_EVERY_SECONDS: i64 = 300;

/// After a look that led to nothing, the next one has time.
const LOOK_AGAIN_SECONDS: i64 = 30;

impl<V: SecretStore + 'static, M: TokenEndpoint + 'static> TokenSource<V, M> {
    /// Nothing is read yet.
    pub fn new(vault: V, mint: M, settings: Settings) -> Self {
        let core = Core {
            vault,
            mint,
            settings,
            current: Mutex::default(),
            next_look: AtomicI64::new(i64::MAX),
            excuse: Mutex::new(Excuse::Reading),
        };
        Self { core: Arc::new(core), flight: Arc::default() }
    }

    /// A token to use now: from memory, without any request, while the last one lives.
    pub async fn token(&self, deadline: Deadline) -> Result<Arc<Live>, WatchError> {
        match self.core.usable() {
            Some(live) => Ok(live),
            None => self.search(Wanted::Any, deadline).await,
        }
    }

    /// Another token than this one, which Zoho refused with a 401; `None` where there is no other to be had.
    pub async fn replace(&self, refused: &Live, deadline: Deadline) -> Result<Option<Arc<Live>>, WatchError> {
        self.core.forget(refused);
        let live = self.search(Wanted::Instead(refused.token.clone()), deadline).await?;
        Ok((live.token != refused.token).then_some(live))
    }

    /// Tells all copies that Zoho refuses even this token, which came in place of a refused one: lest each of them mint
    /// one more in vain, which only ends tokens that others use.
    pub async fn give_up(&self, refused: &Live, error: &WatchError, deadline: Deadline) {
        if let Some(life) = &refused.life
            && let Ok(flight) = self.flight.clone().try_lock_owned()
        {
            let mut search = Search::new(self.core.clone(), flight);
            let _in_time = deadline.limit(search.give_up(life, error)).await;
        }
    }

    /// Looks after the token, if that is due: whether its credentials still stand, and whether it is this copy's task
    /// to see to the next one. Never fails: the present one still lives.
    pub async fn refresh(&self, deadline: Deadline) {
        let now = self.core.now();
        if now.epoch_seconds() < self.core.next_look.load(Ordering::Relaxed) {
            return;
        }
        let Some(live) = self.core.usable() else { return };
        let Ok(flight) = self.flight.clone().try_lock_owned() else { return };
        self.core.look_in(LOOK_AGAIN_SECONDS);
        let search = Search::new(self.core.clone(), flight);
        let refreshed = spawn(async move {
            if let Err(error) = search.run(Wanted::After(live)).await {
                tracing::warn!(%error, "the access token could not be refreshed ahead of its end");
            }
        });
        let _in_time = Deadline::after(PATIENCE.min(deadline.left())).limit(refreshed).await;
    }

    async fn search(&self, wanted: Wanted, deadline: Deadline) -> Result<Arc<Live>, WatchError> {
        let found = deadline
            .limit(async {
                let flight = self.flight.clone().lock_owned().await;
                // Another call of this process may have found one meanwhile.
                if let Some(live) = self.core.usable().filter(|live| !wanted.excludes(&live.token)) {
                    return Ok(live);
                }
                // A task of its own: a call whose time runs out must not throw away a token in the making.
                joined(spawn(Search::new(self.core.clone(), flight).run(wanted))).await
            })
            .await;
        found.unwrap_or_else(|| Err(self.core.out_of_time()))
    }
}

/// A task that logs as part of the call that began it.
fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the process cancels it.
            Err(_) => std::future::pending().await,
        },
    }
}

impl<V, M> Core<V, M> {
    pub fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<Arc<Live>> {
        let now = self.now();
        self.current().clone().filter(|live| live.usable(now))
    }

    /// Makes it the token of the calls to come.
    pub fn adopt(&self, live: &Arc<Live>) {
        let now = self.now();
        let look_in = live.life.as_ref().map(|life| {
            // A refresh that another copy is busy with is looked at again soon, though not by each check.
            life.refresh_at.seconds_since(now).clamp(5, LOOK_EVERY_SECONDS)
        });
        *self.current() = Some(live.clone());
        match look_in {
            Some(seconds) => self.look_in(seconds),
            None => self.next_look.store(i64::MAX, Ordering::Relaxed),
        }
    }

    /// Forgets this token only: a late refusal must not evict a newer one.
    pub fn forget(&self, refused: &Live) {
        let mut current = self.current();
        if current.as_ref().is_some_and(|live| live.token == refused.token) {
            *current = None;
        }
    }

    fn look_in(&self, seconds: i64) {
        self.next_look.store(self.now().plus_seconds(seconds).epoch_seconds(), Ordering::Relaxed);
    }

    pub fn excuse(&self, excuse: Excuse) {
        *self.excuse.lock().unwrap_or_else(PoisonError::into_inner) = excuse;
    }

    pub fn out_of_time(&self) -> WatchError {
        let excuse = self.excuse.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match excuse {
            Excuse::Reading => WatchError::new(
                ErrorType::SecretUnavailable,
                "Secrets Manager gave no answer in the time of this call. Try again later",
            ),
            Excuse::Waiting => WatchError::new(
                ErrorType::TokenRateLimited,
                "another copy of this function is asking Zoho for a token, and none was there in the time of this call. Try again later",
            ),
            Excuse::Minting => WatchError::new(
                ErrorType::ZohoUnavailable,
                "Zoho's accounts server gave no answer in the time of this call. Try again later",
            ),
            Excuse::Failed(error) => error,
        }
    }
}
