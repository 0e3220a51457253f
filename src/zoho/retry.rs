//! Whether a request to Zoho is sent again within one call, and how long to wait first: a pure decision.

use std::time::Duration;

/// Requests in all, the first included.
pub const MAX_ATTEMPTS: u32 = 3;

/// What speaks for sending a request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: the same request would get the same answer.
    No,
    /// Later may be better; Zoho did not say when.
    Backoff,
    /// Zoho said how long to wait.
    After(Duration),
    /// The connection died before an answer began: most likely a kept-alive one that ended while the environment was
    /// frozen. A new one is tried at once, the first time.
    Reconnect,
}

/// How long to wait before the next attempt, or `None` to give up.
///
/// `attempt` counts from 1, `left` is the time left in this call, `random` is uniform in 0 to 1. Backing off starts at
/// 200 ms and doubles, with full jitter above one half. A wait that leaves no time for an answer is not begun: the
/// caller has better uses for the time.
pub fn wait(retry: Retry, attempt: u32, left: Duration, random: f64) -> Option<Duration> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let backoff = || {
        let ceiling =
            200_u64.saturating_mul(1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX));
        Duration::from_millis(ceiling.min(5_000)).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    };
    let pause = match retry {
        Retry::No => return None,
        Retry::Backoff => backoff(),
        // A told wait of nothing is no leave to hammer.
        Retry::After(told) => told.max(backoff()),
        Retry::Reconnect if attempt == 1 => Duration::ZERO,
        Retry::Reconnect => backoff(),
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
            (Retry::After(Duration::from_secs(60)), 1, MINUTE, 1.0, None),
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
