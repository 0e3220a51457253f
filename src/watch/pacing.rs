//! How long to wait before the next check: few checks, and the end noticed soon. `docs/pacing.md` explains the rule, and
//! `cargo run --example pacing` measures it on simulated jobs.

use crate::timestamp::Timestamp;
use crate::watch::{job::JobStatus, request::History};
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

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

/// Decides when the next check is, after one that found the job unfinished at the time `now`.
pub fn next_check(history: &History, job: &JobStatus, now: Timestamp, bounds: &Bounds) -> NextCheck {
    let watched = history.began.map_or(0, |began| now.elapsed_since(began));
    let (wait, reason) = unbounded(history, job, now, watched);
    let seconds = wait.max(1).min(bounds.max_seconds).max(bounds.min_seconds);
    let longer = after_many_checks(history.checks.saturating_add(1), watched);
    if longer > seconds {
        return NextCheck { seconds: longer, reason: "many checks" };
    }
    let reason = match seconds.cmp(&wait) {
        Ordering::Greater => "CHECK_INTERVAL_MIN_SECONDS",
        Ordering::Less => "CHECK_INTERVAL_MAX_SECONDS",
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

/// From the thousandth check on, each wait is at least a hundredth of the time watched: no watch has more than about 1,700
/// of them, whatever the bounds.
pub fn after_many_checks(checks: u64, watched_seconds: u64) -> u64 {
    if checks >= 1_000 { watched_seconds / 100 } else { 0 }
}

fn unbounded(history: &History, job: &JobStatus, now: Timestamp, watched: u64) -> (u64, &'static str) {
    // Without any information: no end is noticed later than a tenth of the job's duration.
    let blind = watched / 10;
    if job.status.is_queued() {
        return (blind, "queued");
    }
    let (Some(done), Some(total)) = (job.counts.done(), job.counts.total) else {
        // Later checks bring no information either: fewer checks, at most 17% late, are the better tradeoff.
        return (watched / 6, "no counts");
    };
    // A last check before the first one, or after this one, tells nothing.
    let seconds = history.checked_at.map_or(0, |checked_at| now.elapsed_since(checked_at));
    match history.counts.done().filter(|_| (1..=watched).contains(&seconds)) {
        Some(before) if before < done => {
            let gained = done.saturating_sub(before);
            // Slower than the mean of the whole watch: it may become faster again. One percent is for whole numbers.
            let is_slow = gained < scaled(scaled(done, seconds, watched), 99, 100);
            let percent = if is_slow { 45 } else { 60 };
            // With a part of the time watched. Otherwise, the last steps before the end would become shorter and shorter.
            let wait = scaled(remaining(seconds, gained, done, total), percent, 100).saturating_add(watched / 65);
            // A rate is trusted for half as long again as it was measured. One measured from an unknown beginning can
            // shorten the wait, but not lengthen it.
            let horizon = if before == 0 { blind } else { blind.max(scaled(seconds, 3, 2)) };
            (wait.min(horizon), "rate")
        }
        Some(before) if before == done && done > 0 => {
            // A small part of what remains at the mean rate: a job that progresses in steps gives no sign before its last.
            let remaining = scaled(watched, total.saturating_sub(done), done);
            ((remaining / 16).saturating_add(watched / 25).min(watched / 4), "no progress")
        }
        _ => (blind, "time watched"),
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

/// `value * times / parts` without intermediate overflow; the largest number if it does not fit, or if `parts` is 0.
fn scaled(value: u64, times: u64, parts: u64) -> u64 {
    let scaled = u128::from(value).saturating_mul(u128::from(times)).checked_div(u128::from(parts));
    scaled.and_then(|scaled| u64::try_from(scaled).ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{LIMITS, ago, job};
    use crate::watch::job::Counts;
    use std::collections::HashSet;

    /// How long ago the first and the last check were, what was done then, what is done now, and the total.
    #[test]
    fn waits() {
        const FIRST: Option<i64> = Some(3_600);
        const LAST: Option<i64> = Some(100);
        const ALL: Option<u64> = Some(1_000);
        for (case, first, last, before, done, total, seconds, reason) in [
            ("the first check", None, None, None, Some(500), ALL, 10, "CHECK_INTERVAL_MIN_SECONDS"),
            ("no counts", FIRST, LAST, Some(400), None, ALL, 600, "no counts"),
            // A quarter more in 100 s, so twice as much in 346 s: three fifths of it, and 55.
            ("faster than in the mean", FIRST, LAST, Some(400), Some(500), ALL, 262, "rate"),
            ("a long view", FIRST, Some(400), Some(480), Some(500), ALL, 600, "rate"),
            // 199 s to go: nine twentieths of it, and 55.
            ("slower than in the mean", FIRST, LAST, Some(985), Some(990), ALL, 144, "rate"),
            // 99 percent of the mean rate still count as that.
            ("hardly slower than in the mean", FIRST, LAST, Some(964), Some(990), ALL, 77, "rate"),
            ("more done than there is", FIRST, LAST, Some(400), Some(u64::MAX), ALL, 55, "rate"),
            ("begun since the last check", FIRST, LAST, Some(0), Some(500), ALL, 96, "rate"),
            ("stalled half way", FIRST, LAST, Some(500), Some(500), ALL, 369, "no progress"),
            ("counts that run backwards", FIRST, LAST, Some(600), Some(500), ALL, 360, "time watched"),
            ("a start in the future", Some(-1), LAST, Some(400), Some(500), ALL, 10, "CHECK_INTERVAL_MIN_SECONDS"),
            ("a last check before the first", FIRST, Some(3_601), Some(400), Some(500), ALL, 360, "time watched"),
            ("an old watch", Some(36_000), LAST, Some(0), Some(0), ALL, 900, "CHECK_INTERVAL_MAX_SECONDS"),
        ] {
            let counts = Counts { updated: before, ..Counts::default() };
            let history = History { began: first.map(ago), checked_at: last.map(ago), counts, ..History::default() };
            let next = next_check(&history, &job("RUNNING", [total, done, None, None]), ago(0), &LIMITS.bounds);
            assert_eq!(next, NextCheck { seconds, reason }, "{case}");
        }
        let queued = job("SCHEDULED", [None; 4]);
        for (age, checks, seconds, reason) in [
            (600, 1, 60, "queued"),
            (100_000, 998, 900, "CHECK_INTERVAL_MAX_SECONDS"),
            (100_000, 999, 1_000, "many checks"),
        ] {
            let history = History { began: Some(ago(age)), checks, ..History::default() };
            assert_eq!(next_check(&history, &queued, ago(0), &LIMITS.bounds), NextCheck { seconds, reason });
        }
    }

    #[test]
    fn many_watches_do_not_return_in_the_same_second() {
        let waits: HashSet<u64> = (0..100).map(|job| after_failure(400, &job.to_string())).collect();
        assert!(waits.len() > 10 && waits.iter().all(|wait| (100..=120).contains(wait)), "{waits:?}");
    }
}
