//! How long to wait before the next check: few checks, and the end noticed soon.
//!
//! One pure function of the earlier report, this answer, the clock and the two bounds. `docs/pacing.md` explains the
//! rule, and `cargo bench --bench pacing` measures it against others on simulated jobs.

/// Knowing nothing, a tenth of the time watched so far: then no end can be noticed later than by a tenth of the job.
const BLIND_PARTS: u64 = 10;
/// Without counts there is never more to know, so fewer checks and at most 17 % are the better bargain.
const UNCOUNTED_PARTS: u64 = 6;
/// How much of the remaining time that the last gap's rate promises is waited.
const RATED_PARTS: u64 = 3;
/// How much of the remaining time that the whole watch's mean rate promises is waited when nothing has moved since the
/// last check. Little: what moves in steps gives no sign before its last one.
const STALLED_PARTS: u64 = 10;
/// However slow the mean rate, a standstill is not waited out for longer than this part of the time watched.
const STALLED_LIMIT_PARTS: u64 = 4;
/// A part of the time watched that lengthens every wait after a count, or the last steps to the end would become ever
/// shorter.
const STEP_PARTS: u64 = 60;

/// What an earlier report says of the watch so far. Every field may be absent or wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earlier {
    /// When the watch began, in epoch seconds; absent for the first check.
    pub first_checked_at: Option<i64>,
    /// When the last check was, in epoch seconds.
    pub checked_at: Option<i64>,
    /// Records updated by then.
    pub updated_count: Option<u64>,
    /// Records failed by then.
    pub failed_count: Option<u64>,
}

/// What this check has seen of a job that has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The time of this check, in epoch seconds.
    pub now: i64,
    /// Whether the job has not begun yet.
    pub queued: bool,
    /// Records updated.
    pub updated_count: Option<u64>,
    /// Records failed.
    pub failed_count: Option<u64>,
    /// Records in all.
    pub total_count: Option<u64>,
}

/// What a wait may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The shortest wait, in seconds. It prevails where it is above the longest.
    pub min_seconds: u64,
    /// The longest wait, in seconds.
    pub max_seconds: u64,
}

/// Whole seconds to wait before the next check, within the bounds, and never 0 unless both of them are.
pub fn next_check_seconds(earlier: &Earlier, seen: &Seen, bounds: &Bounds) -> u64 {
    unbounded(earlier, seen).max(1).min(bounds.max_seconds).max(bounds.min_seconds)
}

fn unbounded(earlier: &Earlier, seen: &Seen) -> u64 {
    let watched = seconds_between(earlier.first_checked_at, seen.now).unwrap_or(0);
    let blind = watched / BLIND_PARTS;
    if seen.queued {
        return blind;
    }
    let (Some(done), Some(total)) = (done(seen.updated_count, seen.failed_count), seen.total_count) else {
        return watched / UNCOUNTED_PARTS;
    };
    let left = total.saturating_sub(done);
    let step = watched / STEP_PARTS;

    match Before::of(earlier, seen.now, watched) {
        Some(Before { done: was, seconds }) if was < done => {
            let remaining = scaled(seconds, left, done.saturating_sub(was));
            // A third, because the job may be speeding up: one that moves with the square of time has, from its first
            // fifth on, at least a third of what its present rate promises still before it.
            let wait = (remaining / RATED_PARTS).saturating_add(step);
            // A rate is trusted half as far again as it was measured; one with an unseen beginning, not at all.
            let horizon = if was == 0 { blind } else { blind.max(scaled(seconds, 3, 2)) };
            wait.min(horizon)
        }
        Some(Before { done: was, .. }) if was == done && done > 0 => {
            let remaining = scaled(watched, left, done);
            let wait = (remaining / STALLED_PARTS).saturating_add(step);
            wait.min(watched / STALLED_LIMIT_PARTS)
        }
        _ => blind,
    }
}

/// What had been done at the last check, and how many seconds ago that was.
struct Before {
    done: u64,
    seconds: u64,
}

impl Before {
    /// `None` where the earlier report does not say, or says what cannot be: a check later than this one, or earlier
    /// than the first.
    fn of(earlier: &Earlier, now: i64, watched: u64) -> Option<Self> {
        let done = done(earlier.updated_count, earlier.failed_count)?;
        let seconds = seconds_between(earlier.checked_at, now)?;
        (1..=watched).contains(&seconds).then_some(Self { done, seconds })
    }
}

/// Records that are through, whether updated or failed.
fn done(updated: Option<u64>, failed: Option<u64>) -> Option<u64> {
    Some(updated?.saturating_add(failed.unwrap_or(0)))
}

/// `None` where the time is absent or in the future.
fn seconds_between(then: Option<i64>, now: i64) -> Option<u64> {
    u64::try_from(now.checked_sub(then?)?).ok()
}

/// `value * times / parts`, without overflow on the way; the largest number where it does not fit, or `parts` is 0.
fn scaled(value: u64, times: u64, parts: u64) -> u64 {
    u128::from(value)
        .saturating_mul(u128::from(times))
        .checked_div(u128::from(parts))
        .and_then(|scaled| u64::try_from(scaled).ok())
        .unwrap_or(u64::MAX)
}
