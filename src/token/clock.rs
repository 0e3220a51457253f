//! Time as the protocol sees it. Pure.

use crate::timestamp::Timestamp;
use std::time::{Duration, Instant};

/// One moment on both clocks: the monotonic clock stands still while an execution environment is frozen, and the wall
/// clock can be wrong or be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// The wall clock.
    pub at: Timestamp,
    /// The monotonic clock.
    pub instant: Instant,
}

impl Now {
    /// How long ago this was, by the wall clock; zero for a time that is still to come.
    pub(super) fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_secs(u64::try_from(self.at.seconds_since(earlier)).unwrap_or_default())
    }
}

/// A duration that began at a known moment. It is over when *either* clock has counted it, so that neither a freeze nor
/// a wrong clock can extend it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    started: Now,
    duration: Duration,
}

impl Timer {
    /// Starts now.
    pub(super) fn start(now: Now, duration: Duration) -> Self {
        Self { started: now, duration }
    }

    /// What is left of it, down to zero.
    pub(super) fn left(&self, now: Now) -> Duration {
        let monotonic = now.instant.saturating_duration_since(self.started.instant);
        self.duration.saturating_sub(monotonic.max(now.since(self.started.at)))
    }

    /// Whether nothing is left of it.
    pub(super) fn is_over(&self, now: Now) -> bool {
        self.left(now).is_zero()
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
        let now = some_time();
        let timer = Timer::start(now, Duration::from_secs(60));
        for (wall, monotonic, left) in [
            (0, 0, 60),
            (20, 20, 40),
            (50, 10, 10),
            (10, 50, 10),
            // The clock was a day ahead and was corrected.
            (-86_400, 20, 40),
            (-86_400, 60, 0),
            // The execution environment was frozen for an hour.
            (3_600, 0, 0),
        ] {
            assert_eq!(timer.left(later(now, wall, monotonic)), Duration::from_secs(left), "{wall} {monotonic}");
        }
    }
}
