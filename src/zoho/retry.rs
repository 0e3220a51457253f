//! Whether a request to Zoho is sent again within one invocation, and how long to wait first: a pure decision.

use crate::error::{ErrorCause, WatchError};
use std::time::Duration;

/// Requests in total, the first included.
pub const MAX_ATTEMPTS: u32 = 3;

/// Why a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may not: the same request would get the same response.
    No,
    /// A later attempt may succeed; Zoho does not say when.
    Backoff,
    /// Zoho asks to wait this long.
    After(Duration),
    /// The connection ended before a response began: most likely a pooled connection that was closed while the
    /// execution environment was frozen. The first time, a new connection is opened at once.
    Reconnect,
}

impl Retry {
    /// After a response: what may be different a moment later, or what is probably not from Zoho.
    pub fn after(error: &WatchError) -> Self {
        match error.retry_after() {
            _ if !error.kind().is_retryable() && error.cause() != ErrorCause::NotJson => Self::No,
            Some(wait) => Self::After(wait),
            None => Self::Backoff,
        }
    }
}

/// How long to wait before the next attempt, or `None` to give up.
///
/// `attempt` counts the failed attempts, from 1. `left` is the time left in the invocation. `random` is uniform in 0..1.
/// The backoff is 200 ms, then 400 ms, of which the upper half is jitter. If the wait leaves no time for another
/// attempt, there is none.
pub fn wait(retry: Retry, attempt: u32, left: Duration, random: f64) -> Option<Duration> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let backoff = Duration::from_millis(200).saturating_mul(attempt.max(1)).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
    let pause = match retry {
        Retry::No => return None,
        Retry::Reconnect if attempt <= 1 => Duration::ZERO,
        Retry::Reconnect | Retry::Backoff => backoff,
        // A server that asks for a wait of zero does not ask for three requests at once.
        Retry::After(retry_after) => retry_after.max(backoff),
    };
    (pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_decision() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (retry, attempt, left, random, expected) in [
            (Retry::No, 1, MINUTE, 1.0, None),
            (Retry::Backoff, 1, MINUTE, 0.0, ms(100)),
            (Retry::Backoff, 1, MINUTE, 1.0, ms(200)),
            (Retry::Backoff, 2, MINUTE, 1.0, ms(400)),
            (Retry::Backoff, 3, MINUTE, 1.0, None),
            (Retry::Backoff, 1, Duration::from_millis(150), 1.0, None),
            (Retry::Backoff, 1, Duration::ZERO, 0.0, None),
            (Retry::After(Duration::from_secs(2)), 1, MINUTE, 1.0, ms(2_000)),
            (Retry::After(Duration::from_secs(2)), 2, MINUTE, 1.0, ms(2_000)),
            (Retry::After(Duration::from_secs(2)), 3, MINUTE, 1.0, None),
            (Retry::After(MINUTE), 1, MINUTE, 1.0, None),
            (Retry::After(Duration::ZERO), 1, MINUTE, 1.0, ms(200)),
            (Retry::After(Duration::MAX), 1, MINUTE, 1.0, None),
            (Retry::Reconnect, 1, MINUTE, 1.0, ms(0)),
            (Retry::Reconnect, 2, MINUTE, 1.0, ms(400)),
            (Retry::Reconnect, 3, MINUTE, 1.0, None),
            (Retry::Backoff, u32::MAX, MINUTE, 1.0, None),
        ] {
            assert_eq!(wait(retry, attempt, left, random), expected, "{retry:?} {attempt} {left:?} {random}");
        }
    }
}
