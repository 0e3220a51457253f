//! The time that is left in one invocation.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// When this invocation must have its response ready: well before Lambda kills the execution environment, so that the
/// caller gets an error with a name instead of `Sandbox.Timedout`.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// What is kept back of Lambda's time: the promised 500 ms, and some for writing the response on a busy machine.
const RESERVE: Duration = Duration::from_millis(700);

/// A deadline that passed longer ago than this was not Lambda's: it delivers no invocation that late. `cargo lambda
/// watch` sends the function's timeout counted from 1970.
const LONG_PAST: Duration = Duration::from_secs(60);

/// What an invocation without a known deadline gets.
const ASSUMED: Duration = Duration::from_secs(60);

/// An attempt gets at least this much, however little is left of its invocation. A shorter one could not succeed, and
/// background work (a token request) goes on in the next invocation.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(500);

impl Deadline {
    /// From Lambda's own deadline, in milliseconds since the epoch.
    pub fn from_lambda(epoch_milliseconds: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::after(time_left(Duration::from_millis(epoch_milliseconds), now))
    }

    /// So much from now; at most a day, where additions cannot overflow.
    pub fn after(left: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(left.min(Duration::from_secs(86_400))).unwrap_or(now))
    }

    /// What is left, down to zero.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The timeout for one attempt at a request: at most `longest`, and at most 45% of what is left, so that a response
    /// that gets lost leaves time for a second attempt and for an error with a name.
    pub fn share(self, longest: Duration) -> Duration {
        longest.min(self.left().mul_f64(0.45))
    }

    /// The future's output, or `None` if it takes longer than is left.
    pub async fn limit<F: Future>(self, future: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.0, future).await.ok()
    }
}

/// The time from `now` to Lambda's deadline, without the reserve. Both are counted from the epoch.
fn time_left(deadline: Duration, now: Duration) -> Duration {
    if now.saturating_sub(deadline) > LONG_PAST {
        return ASSUMED.saturating_sub(RESERVE);
    }
    deadline.saturating_sub(now).saturating_sub(RESERVE)
}

/// The deadline of the invocation that this process is working on.
///
/// Lambda runs one invocation at a time in an execution environment, but work can outlive the invocation that began it:
/// a token request that was not awaited to its end continues in the next one. So the HTTP client does not take the
/// deadline from a request but reads it here, at the beginning of each attempt. Clones share one cell.
#[derive(Debug, Clone, Default)]
pub struct CurrentDeadline(Arc<Mutex<Option<Deadline>>>);

impl CurrentDeadline {
    /// Sets the deadline at the beginning of an invocation.
    pub fn set(&self, deadline: Deadline) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
    }

    /// The timeout for an attempt that begins now: `longest`, or less if the invocation has little time left. During
    /// INIT and after the deadline, when work waits for the next invocation, it is `longest`.
    pub fn share(&self, longest: Duration) -> Duration {
        let deadline = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match deadline {
            Some(deadline) if !deadline.left().is_zero() => deadline.share(longest).max(SHORTEST_ATTEMPT.min(longest)),
            _ => longest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_lambda_leaves() {
        let now = 1_795_428_000_000;
        for (deadline, expected) in [
            (now + 10_000, 9_300),
            (now + 900_000, 899_300),
            (now + 700, 0),
            (now, 0),
            // Late, but Lambda's: nothing is left.
            (now - 1_000, 0),
            (now - 60_000, 0),
            // Not Lambda's: unknown.
            (now - 60_001, 59_300),
            (600_000, 59_300),
            (0, 59_300),
        ] {
            let left = time_left(Duration::from_millis(deadline), Duration::from_millis(now));
            assert_eq!(left, Duration::from_millis(expected), "{deadline}");
        }
        assert!(Deadline::from_lambda(u64::MAX).left() > Duration::from_secs(3_600));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_get_a_share_of_what_is_left() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert_eq!(deadline.share(Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(deadline.share(Duration::MAX), Duration::from_millis(4_500));
        assert_eq!(deadline.limit(std::future::pending::<()>()).await, None);
        assert_eq!(deadline.left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_of_a_process_follow_its_current_invocation() {
        let longest = Duration::from_secs(10);
        let current = CurrentDeadline::default();
        let seen_by_the_client = current.clone();
        assert_eq!(seen_by_the_client.share(longest), longest, "INIT");
        current.set(Deadline::after(Duration::from_secs(3)));
        assert_eq!(seen_by_the_client.share(longest), Duration::from_millis(1_350));
        tokio::time::advance(Duration::from_millis(2_900)).await;
        assert_eq!(seen_by_the_client.share(longest), SHORTEST_ATTEMPT);
        assert_eq!(seen_by_the_client.share(Duration::from_millis(100)), Duration::from_millis(100));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(seen_by_the_client.share(longest), longest, "between invocations");
        current.set(Deadline::after(Duration::from_secs(60)));
        assert_eq!(seen_by_the_client.share(longest), longest);
    }
}
