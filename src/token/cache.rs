//! The token in memory: until when it can be used, and when to think of the next one.

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

/// Where a token that the function requested came from.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    /// The version ID of the credentials.
    pub credentials: String,
    /// When to use it, and when to replace it.
    pub times: TokenTimes,
}

/// The times of a token's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenTimes {
    /// From then on, the token is not used: Zoho's end, less a margin for clocks and for the request itself.
    pub unusable_at: Timestamp,
    /// From then on, this environment requests the next one.
    pub refresh_at: Timestamp,
}

/// Who requests the next token when, in minutes before the end of an hour. The environment that requested the present
/// token goes first. The others find the next one already there, unless that environment no longer exists.
const OWNER_WINDOW: Range<f64> = 10.0..15.0;
const OTHERS_WINDOW: Range<f64> = 2.0..4.0;

/// The last minutes of an hour in which a token is no longer used.
const MARGIN: f64 = 0.5;

/// An `expires_at` is not trusted beyond this.
const LONGEST_LIFE: i64 = 86_400;

/// A token that the function requested is used for at least so long, whatever its response says: Zoho issues 10 tokens
/// in 10 minutes, so that no shorter life could be kept up. If the token has really ended, Zoho's 401 replaces it.
const SHORTEST_LIFE: i64 = 60;

impl TokenTimes {
    /// `begins` is when the token was requested, or else when it was stored. `random` is uniform in 0 to 1.
    pub(super) fn new(
        begins: Timestamp,
        expires_at: Timestamp,
        requested: Option<Owner>,
        now: Timestamp,
        random: f64,
    ) -> Self {
        let shortest = begins.plus_seconds(if requested.is_some() { SHORTEST_LIFE } else { 0 });
        let ends = expires_at.max(shortest).min(begins.min(now).plus_seconds(LONGEST_LIFE));
        let life = ends.seconds_since(begins).clamp(0, 3_600);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "at most an hour")]
        let before = |minutes: f64| ends.plus_seconds((life as f64 * -minutes / 60.0).floor() as i64);
        let window = if requested == Some(Owner::ThisEnvironment) { OWNER_WINDOW } else { OTHERS_WINDOW };
        Self {
            unusable_at: before(MARGIN),
            refresh_at: before(window.start + (window.end - window.start) * random),
        }
    }
}

/// Which environment requested a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    ThisEnvironment,
    Another,
}

impl CachedToken {
    /// Whether it can be used at this time.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_none_or(|issued| now < issued.times.unusable_at)
    }

    /// Whether it is time for this environment to request the next one.
    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.issued.as_ref().is_some_and(|issued| issued.times.refresh_at <= now)
    }

    /// Whether it was issued for the credentials of this version.
    pub(super) fn belongs_to(&self, credentials: &str) -> bool {
        self.issued.as_ref().is_some_and(|issued| issued.credentials == credentials)
    }
}

/// What invocations and acquisitions share. An acquisition goes on when its invocation is over.
#[derive(Debug)]
pub(super) struct TokenCache(Mutex<State>);

#[derive(Debug)]
struct State {
    current: Option<Arc<CachedToken>>,
    /// When an invocation next looks at the secret during its check; `None` for never.
    next_look: Option<Timer>,
    /// Why an invocation has no token if its time runs out now.
    waiting_for: WatchError,
}

/// In an environment that is invoked, replaced credentials are noticed after so long at the latest.
const LOOK_EVERY: i64 = 300;

/// A successor that another environment is busy with is looked for again soon, but not by every check.
const LOOK_SOON: i64 = 5;

impl TokenCache {
    pub(super) fn new() -> Self {
        let waiting_for =
            WatchError::new(ErrorType::SecretUnavailable, "timed out before the secret was read");
        Self(Mutex::new(State { current: None, next_look: None, waiting_for }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
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
        state.next_look = token.issued.as_ref().map(|issued| {
            let seconds = issued.times.refresh_at.seconds_since(now.at).clamp(LOOK_SOON, LOOK_EVERY);
            Timer::start(now, Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
        });
    }

    /// Forgets this token only: a late rejection must not evict a newer one.
    pub(super) fn forget(&self, rejected: &CachedToken) {
        let mut state = self.state();
        if state.current.as_ref().is_some_and(|token| token.token == rejected.token) {
            state.current = None;
        }
    }

    /// Whether it is time to look at the secret again.
    pub(super) fn is_look_due(&self, now: Now) -> bool {
        self.state().next_look.is_some_and(|timer| timer.is_over(now))
    }

    pub(super) fn look_after(&self, duration: Duration, now: Now) {
        self.state().next_look = Some(Timer::start(now, duration));
    }

    /// The error of an invocation whose time runs out from now on. Retryable: the next attempt, for which no time was
    /// left, would have told a stray response from a permanent error.
    pub(super) fn wait_for(&self, error: WatchError) {
        let is_retryable = error.kind().is_retryable();
        self.state().waiting_for =
            if is_retryable { error } else { WatchError::new(ErrorType::ZohoUnavailable, error.message()) };
    }

    /// The error of an invocation whose time has run out.
    pub(super) fn timeout_error(&self) -> WatchError {
        self.state().waiting_for.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    #[test]
    fn the_environment_that_requested_the_token_thinks_of_the_next_one_first() {
        use Owner::{Another, ThisEnvironment};
        for (owner, random, refresh_at) in [
            (ThisEnvironment, 1.0, 2_700),
            (ThisEnvironment, 0.0, 3_000),
            (Another, 1.0, 3_360),
            (Another, 0.0, 3_480),
        ] {
            let times = TokenTimes::new(at(0), at(3_600), Some(owner), at(0), random);
            assert_eq!(
                (times.refresh_at, times.unusable_at),
                (at(refresh_at), at(3_570)),
                "{owner:?} {random}"
            );
        }
    }

    #[test]
    fn lifetimes_are_bounded() {
        const DAY: i64 = 86_400;
        for (expires_at, requested, now, unusable_at) in [
            (3_600, true, 0, 3_570),
            (120, true, 0, 119),
            // Never for less than a minute, if the function requested it.
            (1, true, 0, 59),
            (1, false, 0, 0),
            (-5, false, 0, 0),
            // Never for more than a day from when it was stored, and from now.
            (i64::MAX, true, 0, DAY - 30),
            (i64::MAX, false, 50_000, DAY - 30),
            (i64::MAX, false, -50_000, DAY - 50_000 - 30),
        ] {
            let begins = at(1_000_000);
            let times = TokenTimes::new(
                begins,
                begins.plus_seconds(expires_at),
                requested.then_some(Owner::Another),
                begins.plus_seconds(now),
                0.5,
            );
            assert_eq!(
                times.unusable_at.seconds_since(begins),
                unusable_at,
                "{expires_at} {requested} {now}"
            );
            assert!(times.refresh_at <= times.unusable_at, "{times:?}");
        }
    }
}
