//! Properties of pacing: its bounds for any input, and its targets on the simulated jobs of the benchmark.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the simulation's numbers are its own"
)]

#[path = "../examples/pacing/policies.rs"]
mod policies;
#[path = "../examples/pacing/scenarios.rs"]
mod scenarios;
#[path = "../examples/pacing/simulation.rs"]
mod simulation;

use mass_change_owner_status::watch::pacing::{Bounds, Earlier, Seen, next_check};
use policies::{PLAIN, POLICIES, SHIPPED};
use proptest::option::of;
use proptest::prelude::*;
use scenarios::scenarios;
use simulation::{Job, SHAPES, Shape, USUAL, listed_jobs, tally, watch};

/// Numbers of every size, the extremes among them.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..100_000_u64, any::<u64>(), Just(u64::MAX)]
}

/// Times about a present, and anywhere.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![1_800_000_000..1_800_100_000_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

prop_compose! {
    fn earlier()(
        first_checked_at in of(time()),
        checked_at in of(time()),
        done in of(number()),
    ) -> Earlier {
        Earlier { first_checked_at, checked_at, done }
    }
}

prop_compose! {
    fn seen()(
        now in time(),
        queued in any::<bool>(),
        done in of(number()),
        total in of(number()),
    ) -> Seen {
        Seen { now, queued, done, total, checks: 1 }
    }
}

prop_compose! {
    fn bounds()(one in number(), other in number()) -> Bounds {
        Bounds { min_seconds: one.min(other), max_seconds: one.max(other) }
    }
}

/// No bounds to speak of: what the rule itself says.
const UNBOUNDED: Bounds = Bounds { min_seconds: 0, max_seconds: u64::MAX };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_report_leads_to_a_wait_within_the_bounds(earlier in earlier(), seen in seen(), bounds in bounds()) {
        let wait = next_check(&earlier, &seen, &bounds).seconds;
        prop_assert!((bounds.min_seconds..=bounds.max_seconds).contains(&wait));
        prop_assert!(wait > 0 || bounds.max_seconds == 0);
    }

    #[test]
    fn the_lower_bound_prevails_over_an_upper_one_below_it(earlier in earlier(), seen in seen(), bounds in bounds()) {
        let swapped = Bounds { min_seconds: bounds.max_seconds, max_seconds: bounds.min_seconds };
        prop_assert_eq!(next_check(&earlier, &seen, &swapped).seconds, swapped.min_seconds);
    }

    #[test]
    fn no_wait_is_long_beside_the_time_watched(earlier in earlier(), seen in seen()) {
        let watched = earlier.first_checked_at.map_or(0, |first| i128::from(seen.now) - i128::from(first)).max(0);
        let wait = next_check(&earlier, &seen, &UNBOUNDED).seconds;
        prop_assert!(i128::from(wait) <= (watched * 3 / 2).max(1));
    }

    #[test]
    fn without_counts_a_longer_watch_never_waits_less(earlier in earlier(), seen in seen(), more in any::<u32>()) {
        let seen = Seen { done: None, ..seen };
        let later = Seen { now: seen.now.saturating_add(more.into()), ..seen };
        let wait = |seen| next_check(&earlier, seen, &UNBOUNDED).seconds;
        prop_assert!(wait(&later) >= wait(&seen));
    }

    #[test]
    fn more_left_to_do_never_means_a_shorter_wait(earlier in earlier(), seen in seen(), one in number(), other in number()) {
        let wait = |total| next_check(&earlier, &Seen { total: Some(total), ..seen }, &UNBOUNDED).seconds;
        prop_assert!(wait(one.min(other)) <= wait(one.max(other)));
    }

    #[test]
    fn a_watch_that_is_lied_to_still_ends(lies in prop::collection::vec(earlier(), 1..20), run in 1..100_000_u64) {
        let job = Job { queue: run / 3, run, shape: SHAPES[0], records: 50_000, counts: true };
        let watched = watch(&job, &USUAL, |check| {
            next_check(&lies[check.number as usize % lies.len()], &check.seen, &check.bounds).seconds
        });
        prop_assert!(u64::from(watched.checks) <= job.length() / USUAL.bounds.min_seconds + 2);
        prop_assert!(watched.late < USUAL.bounds.max_seconds);
    }

    #[test]
    fn a_job_that_shows_nothing_until_its_end_is_noticed_within_a_tenth(queue in 0..10_000_u64, run in 1..200_000_u64) {
        let job = Job { queue, run, shape: Shape::Curve(|_| 0.0), records: 50_000, counts: true };
        prop_assert!(watch(&job, &USUAL, SHIPPED.wait).late <= 10.max(job.length() / 10));
    }

    #[test]
    fn a_job_without_counts_is_noticed_within_a_fifth(queue in 0..10_000_u64, run in 1..200_000_u64) {
        let job = Job { queue, run, shape: SHAPES[0], records: 50_000, counts: false };
        prop_assert!(watch(&job, &USUAL, SHIPPED.wait).late <= 10.max(job.length() / 5));
    }
}

#[test]
fn the_targets_are_reached_with_counts() {
    let jobs = listed_jobs(true);
    assert_eq!(jobs.len(), 90);
    let (shipped, plain) = (tally(&jobs, &USUAL, SHIPPED.wait), tally(&jobs, &USUAL, PLAIN.wait));
    assert_eq!(shipped.too_late, 0, "{shipped:?}");
    // The figures of docs/pacing.md.
    assert!(shipped.checks <= 3_551 && shipped.worst < 0.067 && shipped.mean < 0.0126, "{shipped:?}");
    assert!(shipped.checks < plain.checks, "{shipped:?}, {plain:?}");
    assert!(shipped.worst < plain.worst && shipped.mean < plain.mean, "{shipped:?}, {plain:?}");
}

#[test]
fn the_target_is_reached_without_counts() {
    for job in listed_jobs(false) {
        let late = watch(&job, &USUAL, SHIPPED.wait).late;
        assert!(late <= USUAL.bounds.min_seconds.max(job.length() / 5), "{late} s late: {job:?}");
    }
}

#[test]
fn elsewhere_at_most_one_job_in_a_hundred_is_noticed_too_late() {
    for scenario in scenarios() {
        let tally = tally(&scenario.jobs, &scenario.conditions, SHIPPED.wait);
        assert!(tally.too_late as usize * 100 <= scenario.jobs.len(), "{}: {tally:?}", scenario.name);
    }
}

/// The figures that the targets were set with: a simulation that counts differently would prove nothing.
#[test]
fn known_policies_need_the_known_number_of_checks() {
    let checks = |name| {
        let policy = POLICIES.iter().find(|policy| policy.name == name).expect("a policy of that name");
        tally(&listed_jobs(true), &USUAL, policy.wait).checks
    };
    assert_eq!(checks("every 30 s"), 36_525);
    assert_eq!(checks("growing, 5 s to 5 min"), 4_470);
}
