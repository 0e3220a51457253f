//! Properties of pacing: its bounds for any input, and its targets on the simulated jobs of the benchmark.

#[path = "../../examples/pacing/policies.rs"]
mod policies;
#[path = "../../examples/pacing/simulation.rs"]
mod simulation;

use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::job::{Counts, JobStatus, Status};
use mass_change_owner_status::watch::pacing::{Bounds, next_check};
use mass_change_owner_status::watch::request::History;
use policies::{PLAIN, POLICIES, Policy, SCHEDULED, SHIPPED};
use proptest::option::of;
use proptest::prelude::*;
use simulation::{Check, Job, SHAPES, Shape, USUAL, listed_jobs, scenarios, tally, watch};

/// Numbers of every size, the extremes among them.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..100_000_u64, any::<u64>(), Just(u64::MAX)]
}

/// Times about a present, and anywhere.
fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![1_800_000_000..1_800_100_000_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
        .prop_map(Timestamp::from_epoch_seconds)
}

fn counts() -> impl Strategy<Value = Counts> {
    (of(number()), of(number())).prop_map(|(total, updated)| Counts { total, updated, ..Counts::default() })
}

fn earlier() -> impl Strategy<Value = History> {
    let parts = (of(time()), of(time()), counts());
    parts.prop_map(|(began, checked_at, counts)| History { began, checked_at, counts, ..History::default() })
}

fn seen() -> impl Strategy<Value = JobStatus> {
    let status = |queued| Status::normalize(if queued { "SCHEDULED" } else { "RUNNING" }).unwrap();
    (any::<bool>(), counts()).prop_map(move |(queued, counts)| JobStatus { status: status(queued), counts })
}

/// No bounds to speak of: what the rule itself says.
const UNBOUNDED: Bounds = Bounds { min_seconds: 0, max_seconds: u64::MAX };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_report_leads_to_a_wait_within_the_bounds(
        earlier in earlier(), seen in seen(), now in time(), one in number(), other in number(),
    ) {
        let wait = |min_seconds, max_seconds| {
            next_check(&earlier, &seen, now, &Bounds { min_seconds, max_seconds }).seconds
        };
        let (least, most) = (one.min(other), one.max(other));
        prop_assert!((least.max(1).min(most)..=most).contains(&wait(least, most)));
        // The lower bound prevails over an upper one below it.
        prop_assert_eq!(wait(most, least), most);
    }

    #[test]
    fn no_wait_is_long_beside_the_time_watched(earlier in earlier(), seen in seen(), now in time()) {
        let watched = earlier.began.map_or(0, |began| now.seconds_since(began)).max(0);
        let wait = next_check(&earlier, &seen, now, &UNBOUNDED).seconds;
        prop_assert!(i128::from(wait) <= (i128::from(watched) * 3 / 2).max(1));
    }

    #[test]
    fn a_watch_that_is_lied_to_still_ends(lies in prop::collection::vec(earlier(), 1..20), run in 1..100_000_u64) {
        let job = Job { queue: run / 3, run, shape: SHAPES[0], records: 50_000, counts: true };
        let lie = |now: Timestamp| &lies[now.epoch_seconds() as usize % lies.len()];
        let wait = |check: &Check| next_check(lie(check.now), &check.job, check.now, &USUAL).seconds;
        let (checks, late) = watch(&job, &USUAL, wait);
        prop_assert!(u64::from(checks) <= job.length() / USUAL.min_seconds + 2 && late < USUAL.max_seconds);
    }

    #[test]
    fn an_end_that_nothing_announces_is_noticed_in_time(queue in 0..10_000_u64, run in 1..200_000_u64, counts: bool) {
        // With counts that show nothing until the end, a tenth; without counts, a fifth.
        let job = Job { queue, run, shape: Shape::Curve(|_| 0.0), records: 50_000, counts };
        let latest = job.length() / if counts { 10 } else { 5 };
        prop_assert!(watch(&job, &USUAL, SHIPPED.wait).1 <= latest.max(10));
    }
}

/// The figures of docs/pacing.md.
#[test]
fn the_targets_are_reached() {
    let jobs = listed_jobs(true);
    let tally = |policy: &Policy| tally(&jobs, &USUAL, policy.wait);
    let (shipped, plain, scheduled) = (tally(&SHIPPED), tally(&PLAIN), tally(&SCHEDULED));
    assert!(jobs.len() == 90 && shipped.too_late == 0, "{shipped:?}");
    assert!(shipped.checks <= 3_551 && shipped.worst < 0.067 && shipped.mean < 0.0126, "{shipped:?}");
    assert!(shipped.checks < plain.checks, "{shipped:?}, {plain:?}");
    assert!(shipped.worst < plain.worst && shipped.mean < plain.mean, "{shipped:?}, {plain:?}");
    assert!(scheduled.checks * 10 <= shipped.checks * 11, "{scheduled:?}, {shipped:?}");
    // A simulation that counts differently would prove nothing.
    let known = [("every 30 s", 36_525), (PLAIN.name, 3_832), ("clairvoyant, except for queues", 2_680)];
    let policies = [&POLICIES[0], &PLAIN, &POLICIES[4]];
    assert_eq!(policies.map(|policy| (policy.name, tally(policy).checks)), known);
}

#[test]
fn a_schedule_is_at_most_a_minute_later_on_average() {
    let jobs = listed_jobs(true);
    let late = |job: &Job, policy: &Policy| watch(job, &USUAL, policy.wait).1;
    let sum = |policy| jobs.iter().map(|job| late(job, policy)).sum::<u64>();
    assert!(sum(&SCHEDULED) <= sum(&SHIPPED) + 60 * jobs.len() as u64);
    for job in &jobs {
        assert!(late(job, &SCHEDULED) <= job.length() / 10 + 115, "{job:?}");
    }
}

#[test]
fn elsewhere_at_most_one_job_in_a_hundred_is_noticed_too_late() {
    for (name, jobs, bounds) in scenarios() {
        let tally = tally(&jobs, &bounds, SHIPPED.wait);
        assert!(tally.too_late as usize * 100 <= jobs.len(), "{name}: {tally:?}");
    }
}
