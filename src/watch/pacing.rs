//! How long to wait before the next check: few checks, and the end noticed soon.
//!
//! One pure function of the earlier report, this response, the clock, and the two bounds. `docs/pacing.md` explains the
//! rule, and `cargo run --example pacing` measures it on simulated jobs. Nothing here knows what a job is.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Without any information: a tenth of the time watched so far. No end is then noticed later than a tenth of the job's
/// duration.
const BLIND_PARTS: u64 = 10;
/// Without counts, later checks bring no information either: fewer checks, at most 17 % late, are the better tradeoff.
const UNCOUNTED_PARTS: u64 = 6;
/// The share of the remaining time that is waited while the job is as fast as in the mean of the whole watch.
const RATED_SHARE: (u64, u64) = (3, 5);
/// The same while it is slower than that: it may become faster again. One percent is for counts that are whole numbers.
const SLOW_SHARE: (u64, u64) = (9, 20);
const SLOW: (u64, u64) = (99, 100);
/// How far ahead a rate is trusted, relative to how long it was measured.
const RATED_HORIZON: (u64, u64) = (3, 2);
/// A part of the time watched that is added to every wait after progress. Otherwise, the last steps before the end would
/// become shorter and shorter.
const STEP_PARTS: u64 = 65;
/// The part of the remaining time, as predicted by the mean rate of the whole watch, that is waited when nothing has
/// changed since the last check. Small: a job that progresses in steps gives no sign before its last one.
const STALLED_PARTS: u64 = 16;
/// A part of the time watched that is added to that.
const STALLED_STEP_PARTS: u64 = 25;
/// However slow the mean rate, the wait during a standstill is at most this part of the time watched.
const STALLED_LIMIT_PARTS: u64 = 4;
/// From this check on, each wait is at least a hundredth of the time watched.
const MANY_CHECKS: u64 = 1_000;

const TIME_WATCHED: &str = "time watched";
const MIN_INTERVAL: &str = "CHECK_INTERVAL_MIN_SECONDS";
const MAX_INTERVAL: &str = "CHECK_INTERVAL_MAX_SECONDS";

/// What an earlier report says about the watch so far. Every field may be absent or invalid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earlier {
    /// When the watch began, in epoch seconds; absent for the first check.
    pub first_checked_at: Option<i64>,
    /// When the last check was, in epoch seconds.
    pub checked_at: Option<i64>,
    /// Records updated or failed by then.
    pub done: Option<u64>,
}

/// What this check found about an unfinished job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The time of this check, in epoch seconds.
    pub now: i64,
    /// Whether the job has not started yet.
    pub queued: bool,
    /// Records updated or failed.
    pub done: Option<u64>,
    /// Total records.
    pub total: Option<u64>,
    /// Number of checks in this watch, this one included.
    pub checks: u64,
}

/// The bounds of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The shortest wait, in seconds. It takes precedence over the longest.
    pub min_seconds: u64,
    /// The longest wait, in seconds.
    pub max_seconds: u64,
}

/// When the next check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextCheck {
    /// Whole seconds to wait: within the bounds, and 0 only if both bounds are 0.
    pub seconds: u64,
    /// What the wait follows from, as the log has it: a bound under the name of its variable.
    pub reason: &'static str,
}

/// Decides when the next check is.
pub fn next_check(earlier: &Earlier, seen: &Seen, bounds: &Bounds) -> NextCheck {
    let watched = seconds_between(earlier.first_checked_at, seen.now).unwrap_or(0);
    let (wait, reason) = unbounded(earlier, seen, watched);
    let seconds = wait.max(1).min(bounds.max_seconds).max(bounds.min_seconds);
    let longer = after_many_checks(seen.checks, watched);
    if longer > seconds {
        return NextCheck { seconds: longer, reason: "many checks" };
    }
    let reason = match seconds.cmp(&wait) {
        Ordering::Greater => MIN_INTERVAL,
        Ordering::Less => MAX_INTERVAL,
        Ordering::Equal => reason,
    };
    NextCheck { seconds, reason }
}

/// How long to wait after a check that failed, when the job was last seen so many seconds ago: a quarter of them, from 10
/// to 900, plus up to a fifth that depends on `salt`, so that many watches do not return in the same second.
pub fn after_failure(unseen_seconds: u64, salt: &str) -> u64 {
    let wait = (unseen_seconds / 4).clamp(10, 900);
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    let spread = scaled(wait, hasher.finish() % 1_001, 5_000);
    wait.saturating_add(spread)
}

/// The shortest wait once a watch has had many checks: no watch has more than about 1,700 of them, whatever the bounds.
pub fn after_many_checks(checks: u64, watched_seconds: u64) -> u64 {
    if checks >= MANY_CHECKS { watched_seconds / 100 } else { 0 }
}

fn unbounded(earlier: &Earlier, seen: &Seen, watched: u64) -> (u64, &'static str) {
    let blind = watched / BLIND_PARTS;
    if seen.queued {
        return (blind, "queued");
    }
    let (Some(done), Some(total)) = (seen.done, seen.total) else {
        return (watched / UNCOUNTED_PARTS, "no counts");
    };

    match Before::of(earlier, seen.now, watched) {
        Some(Before { done: was, seconds }) if was < done => {
            let gained = done.saturating_sub(was);
            // The present rate against the mean one.
            let is_slow = gained < scaled(scaled(done, seconds, watched), SLOW.0, SLOW.1);
            let share = if is_slow { SLOW_SHARE } else { RATED_SHARE };
            let remaining = remaining(seconds, gained, done, total);
            let wait = scaled(remaining, share.0, share.1).saturating_add(watched / STEP_PARTS);
            // A rate measured from an unknown beginning can shorten the wait, but not lengthen it.
            let horizon = if was == 0 { blind } else { blind.max(scaled(seconds, RATED_HORIZON.0, RATED_HORIZON.1)) };
            (wait.min(horizon), "rate")
        }
        Some(Before { done: was, .. }) if was == done && done > 0 => {
            let remaining = scaled(watched, total.saturating_sub(done), done);
            let wait = (remaining / STALLED_PARTS).saturating_add(watched / STALLED_STEP_PARTS);
            (wait.min(watched / STALLED_LIMIT_PARTS), "no progress")
        }
        _ => (blind, TIME_WATCHED),
    }
}

/// Progress at the last check, and how many seconds ago that was.
struct Before {
    done: u64,
    seconds: u64,
}

impl Before {
    /// `None` if the earlier report does not tell, or if it is impossible: a check later than this one, or earlier than
    /// the first.
    fn of(earlier: &Earlier, now: i64, watched: u64) -> Option<Self> {
        let done = earlier.done?;
        let seconds = seconds_between(earlier.checked_at, now)?;
        (1..=watched).contains(&seconds).then_some(Self { done, seconds })
    }
}

/// Seconds until everything is done if the job goes on accelerating: if what is done goes on growing by the present factor
/// in each period. Far less than at the present rate while little is done, and nearly the same in the end.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; a cast to an integer saturates"
)]
fn remaining(seconds: u64, gained: u64, done: u64, total: u64) -> u64 {
    let [seconds, gained, done, total] = [seconds, gained, done, total].map(|number| number as f64);
    ((total / done).ln() * seconds * done / gained) as u64
}

/// `None` if the time is absent or in the future.
fn seconds_between(then: Option<i64>, now: i64) -> Option<u64> {
    u64::try_from(now.saturating_sub(then?)).ok()
}

/// `value * times / parts` without intermediate overflow; the largest number if it does not fit, or if `parts` is 0.
fn scaled(value: u64, times: u64, parts: u64) -> u64 {
    u128::from(value)
        .saturating_mul(u128::from(times))
        .checked_div(u128::from(parts))
        .and_then(|scaled| u64::try_from(scaled).ok())
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const BOUNDS: Bounds = Bounds { min_seconds: 10, max_seconds: 900 };

    /// An hour into a watch that has had 20 checks: when the first and the last check were, what was done then, what is
    /// done now, and the total.
    #[test]
    fn waits() {
        const FIRST: Option<i64> = Some(10_000);
        const LAST: Option<i64> = Some(13_500);
        const ALL: Option<u64> = Some(1_000);
        for (case, first, last, was, done, total, seconds, reason) in [
            ("the first check", None, None, None, Some(500), ALL, 10, MIN_INTERVAL),
            ("no counts", FIRST, LAST, Some(400), None, ALL, 600, "no counts"),
            ("no total", FIRST, LAST, Some(400), Some(500), None, 600, "no counts"),
            ("a total of nothing", FIRST, LAST, Some(400), Some(0), Some(0), 360, TIME_WATCHED),
            ("nothing done yet", FIRST, LAST, Some(0), Some(0), ALL, 360, TIME_WATCHED),
            // A quarter more in 100 s, so twice as much in 346 s: three fifths of it, and 55.
            ("faster than in the mean", FIRST, LAST, Some(400), Some(500), ALL, 262, "rate"),
            ("speeding up", FIRST, LAST, Some(300), Some(500), ALL, 158, "rate"),
            ("slowing down", FIRST, LAST, Some(450), Some(500), ALL, 360, "rate"),
            ("a long view", FIRST, Some(13_200), Some(480), Some(500), ALL, 600, "rate"),
            ("near the end", FIRST, LAST, Some(400), Some(990), ALL, 55, "rate"),
            // 199 s to go: nine twentieths of it, and 55.
            ("slower than in the mean", FIRST, LAST, Some(985), Some(990), ALL, 144, "rate"),
            // 99 percent of the mean rate still count as that.
            ("hardly slower than in the mean", FIRST, LAST, Some(964), Some(990), ALL, 77, "rate"),
            ("all done, not finished", FIRST, LAST, Some(400), ALL, ALL, 55, "rate"),
            ("more done than there is", FIRST, LAST, Some(400), Some(u64::MAX), ALL, 55, "rate"),
            ("begun since the last check", FIRST, LAST, Some(0), Some(500), ALL, 96, "rate"),
            ("stalled half way", FIRST, LAST, Some(500), Some(500), ALL, 369, "no progress"),
            ("stalled early", FIRST, LAST, Some(5), Some(5), ALL, 900, "no progress"),
            ("counts that run backwards", FIRST, LAST, Some(600), Some(500), ALL, 360, TIME_WATCHED),
            ("no counts before", FIRST, LAST, None, Some(500), ALL, 360, TIME_WATCHED),
            ("a start in the future", Some(13_601), LAST, Some(400), Some(500), ALL, 10, MIN_INTERVAL),
            ("a last check in the future", FIRST, Some(13_601), Some(400), Some(500), ALL, 360, TIME_WATCHED),
            ("a last check before the first", FIRST, Some(9_999), Some(400), Some(500), ALL, 360, TIME_WATCHED),
            ("two checks in one second", FIRST, Some(13_600), Some(400), Some(500), ALL, 360, TIME_WATCHED),
            ("before time began", Some(i64::MIN), LAST, Some(400), Some(500), ALL, 900, MAX_INTERVAL),
        ] {
            let earlier = Earlier { first_checked_at: first, checked_at: last, done: was };
            let seen = Seen { now: 13_600, queued: false, done, total, checks: 20 };
            assert_eq!(next_check(&earlier, &seen, &BOUNDS), NextCheck { seconds, reason }, "{case}");
        }
    }

    #[test]
    fn waits_without_progress() {
        let earlier = Earlier { first_checked_at: Some(10_000), ..Earlier::default() };
        let seen = Seen { now: 13_600, queued: true, done: None, total: None, checks: 20 };
        let queued = NextCheck { seconds: 360, reason: "queued" };
        assert_eq!(next_check(&earlier, &seen, &BOUNDS), queued);
        // After a thousand checks, a hundredth of the time watched at least.
        let many = NextCheck { seconds: 6_000, reason: "many checks" };
        assert_eq!(next_check(&earlier, &Seen { now: 610_000, checks: 1_000, ..seen }, &BOUNDS), many);
        assert_eq!((after_many_checks(999, 500_000), after_many_checks(1_700, 86_400)), (0, 864));
        // Odd bounds. The lower one takes precedence.
        for (min_seconds, max_seconds, expected) in
            [(0, 0, 0), (0, 900, 1), (5, 5, 5), (900, 10, 900), (u64::MAX, 0, u64::MAX)]
        {
            let wait = next_check(&Earlier::default(), &seen, &Bounds { min_seconds, max_seconds }).seconds;
            assert_eq!(wait, expected, "{min_seconds} to {max_seconds}");
        }
    }

    #[test]
    fn waits_after_a_failed_check() {
        for (unseen, least, most) in [(40, 10, 12), (400, 100, 120), (3_600, 900, 1_080), (u64::MAX, 900, 1_080)] {
            let waits: HashSet<u64> = (0..100).map(|job| after_failure(unseen, &job.to_string())).collect();
            assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{unseen}: {waits:?}");
            assert!(waits.len() > 1, "{unseen}: many watches must not return in the same second");
        }
    }
}
