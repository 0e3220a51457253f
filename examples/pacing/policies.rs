//! The policies that are compared.

use crate::simulation::Check;
use mass_change_owner_status::watch::pacing;

/// A policy: its name, and how long it waits after a check.
pub(crate) struct Policy {
    pub name: &'static str,
    pub wait: fn(&Check) -> u64,
}

/// The one that is shipped.
pub(crate) const SHIPPED: Policy = Policy {
    name: "this function",
    wait: |check| pacing::next_check(&check.earlier, &check.seen, &check.bounds).seconds,
};

/// What anyone might write first.
pub(crate) const PLAIN: Policy = Policy { name: "plain rule", wait: plain };

/// All of them, from the simplest to the impossible.
pub(crate) const POLICIES: [Policy; 8] = [
    Policy { name: "every 10 s", wait: |_| 10 },
    Policy { name: "every 30 s", wait: |_| 30 },
    Policy { name: "every 60 s", wait: |_| 60 },
    Policy { name: "growing, 5 s to 5 min", wait: growing },
    PLAIN,
    SHIPPED,
    Policy { name: "clairvoyant, but for queues", wait: clairvoyant_but_for_queues },
    Policy { name: "clairvoyant", wait: clairvoyant },
];

/// The default of AWS's durable functions: each wait half as long again as the one before.
fn growing(check: &Check) -> u64 {
    (5.0 * 1.5_f64.powi(check.number as i32 - 1)).min(300.0).round() as u64
}

/// A tenth of the time since the first check, more where the rate says that the end is far, though never more than a
/// quarter, and less where it says that the end is near.
fn plain(check: &Check) -> u64 {
    let watched = check.watched();
    let wait = remaining(check)
        .map_or(watched / 10, |remaining| (remaining / 4).max(watched / 10).min(watched / 4).min(remaining));
    bounded(check, wait)
}

/// Seconds to the end at the rate since the last check.
fn remaining(check: &Check) -> Option<u64> {
    let (earlier, seen) = (&check.earlier, &check.seen);
    let done = seen.done?;
    let gained = done - earlier.done?;
    let seconds = (seen.now - earlier.checked_at?) as u64;
    (seconds * (seen.total? - done)).checked_div(gained)
}

/// As few checks as anybody could make, none of them late.
fn clairvoyant(check: &Check) -> u64 {
    bounded(check, check.ends_in)
}

/// As few as can be hoped for: nobody can tell how soon a queued job will have been and gone, so there a tenth of the
/// time is all that keeps to a lateness of a tenth.
fn clairvoyant_but_for_queues(check: &Check) -> u64 {
    if check.seen.queued { bounded(check, check.watched() / 10) } else { clairvoyant(check) }
}

fn bounded(check: &Check, wait: u64) -> u64 {
    wait.clamp(check.bounds.min_seconds, check.bounds.max_seconds)
}
