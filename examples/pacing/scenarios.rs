//! Jobs and conditions beyond the listed ones, to show that the rule was not fitted to those.

use crate::simulation::{Conditions, Job, OTHER_SHAPES, SHAPES, USUAL, jobs, random_shapes};
use mass_change_owner_status::watch::pacing::Bounds;

/// A set of jobs, and how they are watched.
pub(crate) struct Scenario {
    pub name: &'static str,
    pub jobs: Vec<Job>,
    pub conditions: Conditions,
}

/// No duration or queue of these is among the listed jobs'.
const RUNS: [u64; 8] = [33, 75, 250, 900, 2_000, 7_000, 30_000, 80_000];
const QUEUES: [u64; 4] = [0, 25, 400, 5_000];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let usual = |records| jobs(&RUNS, &QUEUES, &SHAPES, records, true);
    let bounds =
        |min_seconds, max_seconds| Conditions { bounds: Bounds { min_seconds, max_seconds }, ..USUAL };
    let scenario = |name, jobs, conditions| Scenario { name, jobs, conditions };
    vec![
        scenario("other durations and queues", usual(50_000), USUAL),
        scenario("other shapes", jobs(&RUNS, &QUEUES, &OTHER_SHAPES, 50_000, true), USUAL),
        scenario("random shapes", jobs(&RUNS, &QUEUES, &random_shapes(100), 50_000, true), USUAL),
        scenario("120 records", usual(120), USUAL),
        scenario("5 records", usual(5), USUAL),
        scenario("scheduled until completed", scheduled_until_completed(), USUAL),
        scenario("watched from 5 min on", usual(50_000), Conditions { begins_after: 300, ..USUAL }),
        scenario("each check 3 s late", usual(50_000), Conditions { latency: 3, ..USUAL }),
        scenario("bounds 30 s and 5 min", usual(50_000), bounds(30, 300)),
        scenario("bounds 1 s and 1 h", usual(50_000), bounds(1, 3_600)),
    ]
}

/// Jobs that are `SCHEDULED` without counts until they are `COMPLETED`: Zoho's latest specification does not list
/// `RUNNING`. All that a rule can see of them is a queue.
fn scheduled_until_completed() -> Vec<Job> {
    let silent =
        |length: &u64| Job { queue: length - 1, run: 1, shape: SHAPES[0], records: 50_000, counts: false };
    RUNS.iter().chain(&QUEUES[1..]).map(silent).collect()
}
