//! The token in memory, and until when it can be used: time as the protocol sees it.

use crate::error::{ErrorType, WatchError};
use crate::http::NoResponse;
use crate::timestamp::{Clock, Timestamp};
use crate::zoho::{ZohoSettings, credentials::AccessToken, hosts::ZohoHost};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One moment. The monotonic clock stands still while an environment is frozen; the wall clock can be wrong or be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub at: Timestamp,
    pub instant: Instant,
}

impl Now {
    /// How long ago this was, by the wall clock; zero for a time that is still to come.
    pub(super) fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_secs(u64::try_from(self.at.seconds_since(earlier)).unwrap_or_default())
    }
}

/// A duration that is over when *either* clock has counted it: neither a freeze nor a wrong clock can extend it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    pub started: Now,
    pub duration: Duration,
}

impl Timer {
    /// What is left of it, down to zero.
    pub(super) fn left(&self, now: Now) -> Duration {
        let monotonic = now.instant.saturating_duration_since(self.started.instant);
        self.duration.saturating_sub(monotonic.max(now.since(self.started.at)))
    }
}

/// An access token that can be used now, and where.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// Goes into the `Authorization` header.
    pub token: AccessToken,
    /// The API host to send it to.
    pub api: ZohoHost,
    /// `None` for a token that something else keeps up to date.
    pub(super) issued: Option<Issued>,
}

/// The origin and the times of a token that the function requested.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    /// Whether this environment requested it.
    is_own: bool,
    /// When it was requested or stored.
    began: Timestamp,
    /// From then on, the token is not used: Zoho's end, less a margin for clocks and for the request itself.
    unusable_at: Timestamp,
    /// From then on, this environment requests the next one.
    refresh_at: Timestamp,
}

/// When the next token is requested, in seconds before the end of an hour. The first environment does it for all.
pub(super) const REFRESH: RangeInclusive<i64> = 600..=900;

/// The last seconds of an hour in which a token is no longer used.
const MARGIN: i64 = 30;

/// No end is trusted beyond this.
const LONGEST_LIFE: i64 = 86_400;

/// A token is used for at least so long: Zoho issues 10 in 10 minutes. If it has really ended, Zoho's 401 replaces it.
const SHORTEST_LIFE: i64 = 60;

/// Zoho may not accept a token everywhere for so long after its issue.
const FRESH_SECONDS: i64 = 10;

impl Issued {
    /// `refresh` is one of [`REFRESH`].
    pub(super) fn new(is_own: bool, began: Timestamp, expires_at: Timestamp, now: Timestamp, refresh: i64) -> Self {
        let ends = expires_at.max(began.plus_seconds(SHORTEST_LIFE)).min(began.min(now).plus_seconds(LONGEST_LIFE));
        let life = ends.seconds_since(began).clamp(0, 3_600);
        let before = |seconds: i64| ends.plus_seconds(life.saturating_mul(seconds).saturating_neg().div_euclid(3_600));
        Self { is_own, began, unusable_at: before(MARGIN), refresh_at: before(refresh) }
    }
}

impl CachedToken {
    /// Whether the token was issued so recently that a rejection may be over in a moment.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_some_and(|issued| now.seconds_since(issued.began) < FRESH_SECONDS)
    }

    /// Whether another execution environment requested it.
    pub fn is_shared(&self) -> bool {
        self.issued.as_ref().is_some_and(|issued| !issued.is_own)
    }

    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_none_or(|issued| now < issued.unusable_at)
    }

    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_some_and(|issued| issued.refresh_at <= now)
    }
}

/// What a token is needed for.
pub(super) enum Need {
    /// A check.
    Any,
    /// Zoho rejected these.
    Replacement(Vec<Arc<CachedToken>>),
    /// This one, which can still be used, may end soon.
    Successor(Arc<CachedToken>),
}

impl Need {
    pub(super) fn accepts(&self, token: &CachedToken, now: Now) -> bool {
        token.is_usable(now.at)
            && match self {
                Self::Any => true,
                Self::Replacement(rejected) => rejected.iter().all(|rejected| rejected.token != token.token),
                Self::Successor(present) => token.token != present.token && !token.is_refresh_due(now.at),
            }
    }
}

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
    /// Until an invocation looks at the secret during its check; `None` for never.
    next_look: Option<Timer>,
    /// The error of an invocation whose time runs out now; `None` while Secrets Manager does not respond.
    pub waiting_for: Option<WatchError>,
}

/// How often an environment that is invoked looks at the secret: for replaced credentials, and for the next token.
const LOOK_EVERY: Duration = Duration::from_secs(300);

impl<S, H> Context<S, H> {
    pub(super) fn now(&self) -> Now {
        Now { at: (self.clock)(), instant: tokio::time::Instant::now().into_std() }
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

    /// The error of an invocation whose time has run out.
    pub(super) fn timeout_error(&self) -> WatchError {
        self.cache().waiting_for.clone().unwrap_or_else(|| {
            let hint = NoResponse::TimedOut.hint(Some("secretsmanager"));
            let message = format!("timed out using the secret (Secrets Manager did not respond). {hint}");
            WatchError::new(ErrorType::SecretUnavailable, message)
        })
    }

    /// The token of the invocations to come.
    pub(super) fn keep(&self, token: &Arc<CachedToken>) {
        let next_look = token.issued.is_some().then(|| Timer { started: self.now(), duration: LOOK_EVERY });
        *self.cache() = TokenCache { current: Some(token.clone()), next_look, waiting_for: None };
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// So many seconds later on the wall clock and on the monotonic clock.
    pub(crate) fn later(now: Now, wall: i64, monotonic: u64) -> Now {
        Now { at: now.at.plus_seconds(wall), instant: now.instant.checked_add(Duration::from_secs(monotonic)).unwrap() }
    }

    pub(crate) fn some_time() -> Now {
        Now { at: Timestamp::from_epoch_seconds(1_795_428_000), instant: Instant::now() }
    }

    #[test]
    fn a_timer_ends_when_either_clock_says_so() {
        let timer = Timer { started: some_time(), duration: Duration::from_secs(60) };
        for (wall, monotonic, left) in [
            (50, 10, 10),
            (10, 50, 10),
            // The clock was a day ahead and was corrected.
            (-86_400, 20, 40),
            // The execution environment was frozen for an hour.
            (3_600, 0, 0),
        ] {
            let left_then = timer.left(later(timer.started, wall, monotonic));
            assert_eq!(left_then, Duration::from_secs(left), "{wall} {monotonic}");
        }
    }

    #[test]
    fn the_end_of_a_token_is_bounded_and_leaves_time_for_the_next_one() {
        const DAY: i64 = 86_400;
        for (expires_at, now, refresh_at, unusable_at) in [
            (3_600, 0, [2_700, 3_000], 3_570),
            (120, 0, [90, 100], 119),
            // Never for less than a minute.
            (-5, 0, [45, 50], 59),
            // Never for more than a day from when it was issued, and from now.
            (i64::MAX, 50_000, [DAY - 900, DAY - 600], DAY - 30),
            (i64::MAX, -50_000, [DAY - 50_900, DAY - 50_600], DAY - 50_030),
        ] {
            let began = Timestamp::from_epoch_seconds(1_000_000);
            let (ends, now) = (began.plus_seconds(expires_at), began.plus_seconds(now));
            let issued = [900, 600].map(|refresh| Issued::new(true, began, ends, now, refresh));
            let refreshed = issued.clone().map(|issued| issued.refresh_at.seconds_since(began));
            assert_eq!(refreshed, refresh_at, "{expires_at} {now}");
            assert_eq!(issued[0].unusable_at.seconds_since(began), unusable_at, "{expires_at} {now}");
        }
    }
}
