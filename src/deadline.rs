//! The time that is left in one call.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// When this call must have its answer ready: well before Lambda kills the environment, so that the caller gets an
/// error with a name instead of `Sandbox.Timedout`.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// What is kept back of Lambda's time: the contract's 500 ms and some for writing the answer on a busy machine.
const RESERVE: Duration = Duration::from_millis(700);

impl Deadline {
    /// From Lambda's own deadline, in milliseconds since the epoch.
    pub fn from_lambda(epoch_milliseconds: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(epoch_milliseconds).saturating_sub(now);
        Self::after(left.saturating_sub(RESERVE))
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

    /// The future's output, or `None` where it takes longer than is left.
    pub async fn limit<F: Future>(self, future: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.0, future).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_second_and_more_is_kept_back() {
        let in_ten_seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(10);
        let deadline = Deadline::from_lambda(u64::try_from(in_ten_seconds.as_millis()).unwrap());
        assert!(deadline.left() <= Duration::from_millis(9_300));
        assert!(deadline.left() >= Duration::from_millis(9_000));
        assert_eq!(deadline.share(Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(deadline.share(Duration::MAX), deadline.left().mul_f64(0.45));
        assert_eq!(deadline.limit(std::future::pending::<()>()).await, None);
        assert_eq!(deadline.left(), Duration::ZERO);
        assert_eq!(Deadline::from_lambda(0).left(), Duration::ZERO);
        assert!(Deadline::from_lambda(u64::MAX).left() > Duration::from_secs(3_600));
    }
}
