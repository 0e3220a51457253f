//! Where an invocation gets its token: from memory, or from the only acquisition of this process (single flight).

use crate::token::cache::{CachedToken, Context, Need, Sharing};
use crate::token::chain::{Memory, REJECTED};
use crate::token::{acquire::Acquisition, store::SecretStore};
use crate::{deadline::Deadline, error::WatchError, http::HttpClient, timestamp::Clock, zoho::ZohoSettings};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::Instrument;

/// Provides access tokens. Clones share everything.
#[derive(Clone)]
pub struct TokenSource<S, H> {
    pub(crate) context: Arc<Context<S, H>>,
    /// Whoever has it is the only acquisition of this process.
    memory: Arc<tokio::sync::Mutex<Memory>>,
}

/// How long an invocation whose check is done waits for the next token. The rest is done during later invocations.
const PATIENCE: Duration = Duration::from_secs(2);

impl<S: SecretStore + 'static, H: HttpClient + 'static> TokenSource<S, H> {
    /// Reads nothing yet.
    pub fn new(store: S, http: H, settings: ZohoSettings, sharing: Sharing, clock: Clock) -> Self {
        let context = Context { store, http, settings, sharing, clock, cache: Mutex::default() };
        let memory = Memory { owner: format!("{:016x}", fastrand::u64(..)), ..Memory::default() };
        Self { context: Arc::new(context), memory: Arc::new(tokio::sync::Mutex::new(memory)) }
    }

    /// A token to use now: from memory, without any request, as long as the last one can be used.
    /// If the time of the invocation runs out, the error names what the acquisition was waiting for.
    pub async fn token(&self, deadline: Deadline) -> Result<Arc<CachedToken>, WatchError> {
        self.acquire(Need::Any, deadline).await
    }

    /// Another token than these, which Zoho rejected with a 401 one after the other; `None` if there is no other.
    pub async fn replace_rejected(
        &self,
        rejected: &[Arc<CachedToken>],
        deadline: Deadline,
    ) -> Result<Option<Arc<CachedToken>>, WatchError> {
        let token = self.acquire(Need::Replacement(rejected.to_vec()), deadline).await?;
        Ok(Some(token).filter(|token| rejected.iter().all(|rejected| rejected.token != token.token)))
    }

    /// Tells the others that Zoho's API rejects even this token, which this environment has just requested in place of
    /// a rejected one: another would not help, and each one that is issued ends one that is in use.
    pub async fn report_rejected(&self, rejected: &CachedToken, error: &WatchError, deadline: Deadline) {
        if rejected.issued.is_some()
            && let Ok(memory) = self.memory.clone().try_lock_owned()
        {
            let mut acquisition = Acquisition::new(self.context.clone(), memory, Need::Any);
            let _in_time = deadline.limit(acquisition.fail(error, REJECTED, 0, 2, self.context.now())).await;
        }
    }

    /// Looks at the secret if that is due: for replaced credentials, and for the next token. Never fails, because the
    /// present token can still be used.
    pub async fn refresh_if_due(&self, deadline: Deadline) {
        let Ok(memory) = self.memory.clone().try_lock_owned() else { return };
        let Some(token) = self.context.look_due() else { return };
        let acquisition = Acquisition::new(self.context.clone(), memory, Need::Successor(token));
        let refresh = async move {
            if let Err(error) = acquisition.run().await {
                tracing::warn!(%error, "the access token could not be refreshed ahead of its end");
            }
        };
        let refreshed = tokio::spawn(refresh.in_current_span());
        let _in_time = Deadline::after(PATIENCE.min(deadline.left())).limit(refreshed).await;
    }

    async fn acquire(&self, need: Need, deadline: Deadline) -> Result<Arc<CachedToken>, WatchError> {
        let known = |need: &Need| {
            let now = self.context.now();
            self.context.cache().current.clone().filter(|token| need.accepts(token, now))
        };
        if let Some(token) = known(&need) {
            return Ok(token);
        }
        let acquired = async {
            let memory = self.memory.clone().lock_owned().await;
            // Another invocation of this process may have acquired one meanwhile.
            if let Some(token) = known(&need) {
                return Some(Ok(token));
            }
            // In a task of its own: an invocation whose time runs out must not lose a token on its way.
            let acquisition = Acquisition::new(self.context.clone(), memory, need);
            tokio::spawn(acquisition.run().in_current_span()).await.ok()
        };
        // Even if there is a token by now: no time is left to use it, and report what took the time.
        deadline.limit(acquired).await.flatten().unwrap_or_else(|| Err(self.context.timeout_error()))
    }
}
