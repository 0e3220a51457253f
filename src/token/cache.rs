//! The token in memory: until when it can be used, and when to refresh it.

use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::token::clock::{Now, Timer};
use crate::zoho::credentials::AccessToken;
use crate::zoho::hosts::ZohoHost;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    pub is_own: bool,
    /// When it was requested or stored.
    began: Timestamp,
    /// From then on, the token is not used: Zoho's end, less a margin for clocks and for the request itself.
    unusable_at: Timestamp,
    /// From then on, this environment requests the next one.
    refresh_at: Timestamp,
}

/// When an environment requests the next token, in minutes before the end of an hour. The first one to do so does it for
/// all: the others find the next one already there.
const REFRESH: Range<f64> = 10.0..15.0;

/// The last minutes of an hour in which a token is no longer used.
const MARGIN: f64 = 0.5;

/// No end is trusted beyond this.
const LONGEST_LIFE: i64 = 86_400;

/// A token is used for at least so long, whatever its response says: Zoho issues 10 tokens in 10 minutes. If the token
/// has really ended, Zoho's 401 replaces it.
const SHORTEST_LIFE: i64 = 60;

/// Zoho may not accept a token everywhere for so long after its issue.
const FRESH_SECONDS: i64 = 10;

impl Issued {
    /// `random` is uniform in 0 to 1.
    pub(super) fn new(is_own: bool, began: Timestamp, expires_at: Timestamp, now: Timestamp, random: f64) -> Self {
        let ends = expires_at.max(began.plus_seconds(SHORTEST_LIFE)).min(began.min(now).plus_seconds(LONGEST_LIFE));
        let life = ends.seconds_since(began).clamp(0, 3_600);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "at most an hour")]
        let before = |minutes: f64| ends.plus_seconds((life as f64 * -minutes / 60.0).floor() as i64);
        let refresh_at = before(REFRESH.start + (REFRESH.end - REFRESH.start) * random);
        Self { is_own, began, unusable_at: before(MARGIN), refresh_at }
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

    /// Whether it can be used at this time.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_none_or(|issued| now < issued.unusable_at)
    }

    /// Whether it is time for this environment to request the next one.
    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_some_and(|issued| issued.refresh_at <= now)
    }
}

/// What invocations and acquisitions share. An acquisition goes on when its invocation is over.
#[derive(Debug)]
pub(super) struct TokenCache(Mutex<CacheState>);

#[derive(Debug)]
struct CacheState {
    current: Option<Arc<CachedToken>>,
    /// When an invocation next looks at the secret during its check; `None` for never.
    next_look: Option<Timer>,
    /// Why an invocation has no token if its time runs out now.
    waiting_for: WatchError,
}

/// How often an environment that is invoked looks at the secret: for replaced credentials, and for the next token.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// How long after a look that led to nothing the next one is due.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl TokenCache {
    pub(super) fn new() -> Self {
        let waiting_for = WatchError::new(ErrorType::SecretUnavailable, "timed out before the secret was read");
        Self(Mutex::new(CacheState { current: None, next_look: None, waiting_for }))
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token in memory, if it can be used.
    pub(super) fn usable(&self, now: Timestamp) -> Option<Arc<CachedToken>> {
        self.state().current.clone().filter(|token| token.is_usable(now))
    }

    /// Makes it the token of the invocations to come.
    pub(super) fn store(&self, token: &Arc<CachedToken>, now: Now) {
        let mut state = self.state();
        state.current = Some(token.clone());
        state.next_look = token.issued.as_ref().map(|_| Timer::start(now, LOOK_EVERY));
    }

    /// Forgets the present token if it is one of these: a late rejection must not evict a newer one.
    pub(super) fn forget(&self, is_one: impl Fn(&CachedToken) -> bool) {
        let mut state = self.state();
        state.current = state.current.take().filter(|token| !is_one(token));
    }

    /// The token in memory, if it can be used and it is time to look at the secret again. Then the next time is later.
    pub(super) fn look_due(&self, now: Now) -> Option<Arc<CachedToken>> {
        let token = self.usable(now.at)?;
        let mut state = self.state();
        state.next_look.filter(|timer| timer.is_over(now))?;
        state.next_look = Some(Timer::start(now, LOOK_AGAIN));
        Some(token)
    }

    /// The error of an invocation whose time runs out from now on.
    pub(super) fn wait_for(&self, error: WatchError) {
        self.state().waiting_for = error;
    }

    /// The error of an invocation whose time has run out.
    pub(super) fn timeout_error(&self) -> WatchError {
        self.state().waiting_for.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_bounded_and_leaves_time_for_the_next_one() {
        const DAY: i64 = 86_400;
        for (expires_at, now, refresh_at, unusable_at) in [
            (3_600, 0, 2_700..=3_000, 3_570),
            (120, 0, 90..=100, 119),
            // Never for less than a minute.
            (-5, 0, 45..=50, 59),
            // Never for more than a day from when it was issued, and from now.
            (i64::MAX, 0, DAY - 900..=DAY - 600, DAY - 30),
            (i64::MAX, 50_000, DAY - 900..=DAY - 600, DAY - 30),
            (i64::MAX, -50_000, DAY - 50_900..=DAY - 50_600, DAY - 50_030),
        ] {
            let began = Timestamp::from_epoch_seconds(1_000_000);
            let of = |random| {
                let (ends, now) = (began.plus_seconds(expires_at), began.plus_seconds(now));
                let issued = Issued::new(true, began, ends, now, random);
                (issued.refresh_at.seconds_since(began), issued.unusable_at.seconds_since(began))
            };
            let expected = [(*refresh_at.start(), unusable_at), (*refresh_at.end(), unusable_at)];
            assert_eq!([of(1.0), of(0.0)], expected, "{expires_at} {now}");
        }
    }
}
