//! What acquisitions work with: the two services, the settings, the clocks, and the cache.

use crate::http::Origin;
use crate::timestamp::{Clock, Timestamp};
use crate::token::cache::{CachedToken, Issued, Owner, TokenCache, TokenTimes};
use crate::token::clock::Now;
use crate::token::plan::{Memory, Need, StoredCredentials};
use crate::token::record::SharedToken;
use crate::zoho::credentials::Secret;
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::{self, ZohoHost};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// What the environment variables say about tokens, and where time and randomness come from.
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
    /// The wall clock.
    pub clock: Clock,
    /// Uniform random numbers.
    pub random: Random,
}

/// Returns a random number.
pub type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// One acquisition of a token at work. The guard makes it the only one of this process.
pub(super) struct Acquisition<S, T> {
    pub context: Arc<Context<S, T>>,
    pub memory: OwnedMutexGuard<Memory>,
    pub need: Need,
    pub began: Instant,
    pub pauses: u32,
}

impl<S, T> Acquisition<S, T> {
    pub(super) fn new(context: Arc<Context<S, T>>, mut memory: OwnedMutexGuard<Memory>, need: Need) -> Self {
        memory.unshared = memory.stopped.clone();
        (memory.fresh, memory.failed_reads, memory.failed_puts, memory.put_error) = (None, 0, 0, None);
        Self { context, memory, need, began: Instant::now(), pauses: 0 }
    }
}

/// What all acquisitions of this process share.
pub(super) struct Context<S, T> {
    pub store: S,
    pub endpoint: T,
    pub settings: Settings,
    pub cache: TokenCache,
}

/// The longest wait for a response of the accounts server, and with it what the death of a lease holder costs the others.
const MAX_MINT_TIMEOUT: Duration = Duration::from_secs(20);

const SHORTEST_MINT: Duration = Duration::from_secs(3);

impl<S, T> Context<S, T> {
    pub(super) fn now(&self) -> Now {
        Now { at: (self.settings.clock)(), instant: Instant::now().into_std() }
    }

    /// Uniform in 0 to 1.
    pub(super) fn random(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a fraction needs no more digits")]
        let random = (self.settings.random)() as f64;
        random / 2.0_f64.powi(64)
    }

    /// The timeout of a request for a token. It does not shrink with the time that is left in the invocation: every
    /// request that reaches Zoho counts as one of ten, so none is given up while its response can be used.
    pub(super) fn mint_timeout(&self) -> Duration {
        self.settings.request_timeout.min(MAX_MINT_TIMEOUT)
    }

    /// How much of a lease must be left for a request to be worth sending: a token that comes too late is lost.
    pub(super) fn shortest_mint(&self) -> Duration {
        SHORTEST_MINT.min(self.mint_timeout().div_f64(2.0))
    }

    /// One request for a token, and a moment for the rest.
    pub(super) fn lease_duration(&self) -> Duration {
        self.mint_timeout().saturating_add(Duration::from_secs(2))
    }

    pub(super) fn accounts(&self, secret: &Secret) -> ZohoHost {
        hosts::accounts(self.settings.accounts_domain.as_ref(), secret)
    }

    /// `from_response` is the `api_domain` of a token response or of a shared token.
    pub(super) fn api(&self, secret: &Secret, from_response: Option<&Origin>) -> ZohoHost {
        let accounts = self.accounts(secret);
        hosts::api(self.settings.api_domain.as_ref(), secret, &accounts, from_response)
    }

    /// A token that was requested or stored at `begins`; `owner` is who requested it, if an environment did.
    pub(super) fn cached(
        &self,
        shared: &SharedToken,
        credentials: &StoredCredentials,
        begins: Timestamp,
        owner: Option<Owner>,
    ) -> CachedToken {
        let times = TokenTimes::new(begins, shared.expires_at, owner, self.now().at, self.random());
        CachedToken {
            token: shared.token.clone(),
            api: self.api(&credentials.secret, shared.api_domain.as_ref()),
            issued: Some(Issued { credentials: credentials.version.id.clone(), times }),
        }
    }
}
