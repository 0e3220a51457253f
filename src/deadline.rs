//! The time that is left in one invocation.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// When this invocation must have its response ready: well before Lambda kills the execution environment, so that the
/// caller gets an error with a name instead of `Sandbox.Timedout`.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// What is kept back of Lambda's time: the promised 500 ms, and some for writing the response on a busy machine.
const RESERVE: Duration = Duration::from_millis(700);

/// What an invocation without a known deadline gets. A deadline that passed longer ago was not Lambda's: it delivers no
/// invocation that late. `cargo lambda watch` sends the function's timeout counted from 1970.
const ASSUMED: Duration = Duration::from_secs(60);

/// An attempt gets at least this much, however little is left of its invocation. A shorter one could not succeed, and
/// background work (a token request) goes on in the next invocation.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(500);

/// The deadline of the invocation that this process is working on: Lambda runs one at a time in an execution environment.
static CURRENT: Mutex<Option<Deadline>> = Mutex::new(None);

impl Deadline {
    /// Makes this the deadline of the invocation that the process is working on.
    pub fn begin(self) {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

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
    let is_known = now.saturating_sub(deadline) <= ASSUMED;
    if is_known { deadline.saturating_sub(now) } else { ASSUMED }.saturating_sub(RESERVE)
}

/// The timeout for an attempt that begins now: `longest`, or less if the invocation has little time left. During INIT and
/// after the deadline, when work waits for the next invocation, it is `longest`.
///
/// Work can outlive the invocation that began it: a token request that was not awaited to its end continues in the next
/// one. So the HTTP client does not take the deadline from a request but reads it here, at the beginning of each attempt.
pub fn timeout_of_attempt(longest: Duration) -> Duration {
    let deadline = *CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    match deadline {
        Some(deadline) if !deadline.left().is_zero() => deadline.share(longest).max(SHORTEST_ATTEMPT.min(longest)),
        _ => longest,
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
            // Late, but Lambda's: nothing is left.
            (now - 60_000, 0),
            // Not Lambda's: unknown.
            (now - 60_001, 59_300),
            (0, 59_300),
        ] {
            let left = time_left(Duration::from_millis(deadline), Duration::from_millis(now));
            assert_eq!(left, Duration::from_millis(expected), "{deadline}");
        }
        assert!(Deadline::from_lambda(u64::MAX).left() > Duration::from_secs(3_600));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_get_a_share_of_what_is_left_in_the_current_invocation() {
        let [short, long] = [100, 10_000].map(Duration::from_millis);
        assert_eq!(timeout_of_attempt(long), long, "INIT");
        let deadline = Deadline::after(Duration::from_secs(3));
        deadline.begin();
        assert_eq!((deadline.share(short), deadline.share(long)), (short, Duration::from_millis(1_350)));
        assert_eq!(timeout_of_attempt(long), Duration::from_millis(1_350));
        tokio::time::advance(Duration::from_millis(2_900)).await;
        assert_eq!((timeout_of_attempt(short), timeout_of_attempt(long)), (short, SHORTEST_ATTEMPT));
        assert_eq!(deadline.limit(std::future::pending::<()>()).await, None);
        assert_eq!(timeout_of_attempt(long), long, "between invocations");
    }
}
