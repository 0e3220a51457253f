//! The policies that are compared.

use super::simulation::Check;
use mass_change_owner_status::watch::pacing;

/// A policy: its name, and how long it waits after a check.
pub(crate) struct Policy {
    pub name: &'static str,
    pub wait: fn(&Check) -> u64,
}

/// The one that is shipped, with the state machine.
pub(crate) const SHIPPED: Policy = Policy { name: "this function, state machine", wait: shipped };

/// The same with a schedule: it waits at least a minute, and EventBridge Scheduler fires at some time within a minute.
pub(crate) const SCHEDULED: Policy = Policy {
    name: "this function, schedule",
    wait: |check| shipped(check).max(60) + check.now.epoch_seconds().unsigned_abs() % 59,
};

/// A tenth of the time since the first check, more where the rate says that the end is far, though never more than a
/// quarter, and less where it says that the end is near.
pub(crate) const PLAIN: Policy = Policy { name: "a tenth of the time watched, adjusted by the rate", wait: plain };

/// All of them, from the simplest to the impossible.
pub(crate) const POLICIES: [Policy; 5] = [
    Policy { name: "every 30 s", wait: |_| 30 },
    PLAIN,
    SHIPPED,
    SCHEDULED,
    Policy { name: "clairvoyant, except for queues", wait: clairvoyant },
];

fn shipped(check: &Check) -> u64 {
    pacing::next_check(&check.history, &check.job, check.now, &check.bounds).seconds
}

fn plain(check: &Check) -> u64 {
    let watched = check.watched();
    let wait = remaining(check)
        .map_or(watched / 10, |remaining| (remaining / 4).max(watched / 10).min(watched / 4).min(remaining));
    bounded(check, wait)
}

/// Seconds to the end at the rate since the last check.
fn remaining(check: &Check) -> Option<u64> {
    let (history, counts) = (&check.history, &check.job.counts);
    let done = counts.done()?;
    let gained = done - history.counts.done()?;
    let seconds = check.now.seconds_since(history.checked_at?) as u64;
    (seconds * (counts.total? - done)).checked_div(gained)
}

/// As few checks as can be hoped for, none of them late: nobody can tell how soon a queued job will have been and gone,
/// so there a tenth of the time is all that keeps to a lateness of a tenth.
fn clairvoyant(check: &Check) -> u64 {
    bounded(check, if check.job.status.is_queued() { check.watched() / 10 } else { check.ends_in })
}

fn bounded(check: &Check, wait: u64) -> u64 {
    wait.clamp(check.bounds.min_seconds, check.bounds.max_seconds)
}
