//! Whole days of checks: what the steady state costs, and how little a lasting fault hammers.

use super::simulate;
use super::world::{Accounts, Instance, World};
use mass_change_owner_status::deadline::Deadline;
use std::ops::Range;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone)]
struct Plan {
    instances: usize,
    /// Seconds between the checks of one instance.
    every: Range<u64>,
    /// Seconds after which Lambda replaces a process.
    process_lives: Range<u64>,
}

/// What a day came to.
#[derive(Debug)]
struct Tally {
    checks: usize,
    failed: usize,
    /// Checks with a token that Zoho refused.
    refused: usize,
    mints: usize,
    writes: usize,
    busiest_hour: usize,
    reads: usize,
}

async fn day(plan: &Plan, world: &World) -> Tally {
    let over = Instant::now() + DAY;
    let instances: Vec<_> = (0..plan.instances)
        .map(|_| {
            let (world, plan) = (world.clone(), plan.clone());
            tokio::spawn(async move {
                let (mut checks, mut failed) = (0, 0);
                while Instant::now() < over {
                    let instance = Instance::start(&world, fastrand::i64(-10..=10));
                    let replaced =
                        Instant::now() + Duration::from_secs(fastrand::u64(plan.process_lives.clone()));
                    while Instant::now() < over.min(replaced) {
                        checks += 1;
                        failed += usize::from(
                            instance.check(Deadline::after(Duration::from_secs(29))).await.is_err(),
                        );
                        sleep(Duration::from_secs(fastrand::u64(plan.every.clone()))).await;
                    }
                }
                (checks, failed)
            })
        })
        .collect();
    let (mut checks, mut failed) = (0, 0);
    for instance in instances {
        let (more_checks, more_failed) = instance.await.unwrap();
        checks += more_checks;
        failed += more_failed;
    }
    let busiest_hour = world.busiest_hour();
    let state = world.state();
    Tally {
        checks,
        failed,
        refused: state.rejected_requests,
        mints: state.mint_requests.len(),
        writes: state.puts.len(),
        busiest_hour,
        reads: state.read_count,
    }
}

/// Two hours to twelve: nobody promises how long Lambda keeps a process.
const HOURS: Range<u64> = 7_200..43_200;

#[test]
fn a_day_of_checks_costs_a_token_and_hardly_more_than_a_write_an_hour() {
    for (instances, every, process_lives) in [
        (5, 120..420, 100_000..100_001),
        (5, 120..420, HOURS),
        (5, 10..60, HOURS),
        (1, 120..420, HOURS),
        (50, 120..420, HOURS),
        (1, 3_400..3_600, HOURS),
        (3, 5_000..9_000, 1..2),
    ] {
        let plan = Plan { instances, every, process_lives };
        let tally = simulate(1, || async { day(&plan, &World::new()).await });
        println!("{plan:?}\n  {tally:?}");
        assert_eq!((tally.failed, tally.refused), (0, 0), "{plan:?} {tally:?}");
        assert!(tally.mints <= 34, "{plan:?} {tally:?}");
        assert!(tally.writes <= 2 * tally.mints, "a lease and a token: {plan:?} {tally:?}");
        assert!(tally.busiest_hour <= 4, "{plan:?} {tally:?}");
        // Two to look at first, the credentials every five minutes, and what a refresh takes.
        assert!(tally.reads <= instances * (24 * 20 + 24 * 8) + 4 * tally.checks, "{plan:?} {tally:?}");
    }
}

/// Secrets Manager keeps all versions of a day: more than one write in ten minutes would fill it up.
#[test]
fn a_fault_that_lasts_all_day_is_not_hammered() {
    let plan = Plan { instances: 5, every: 10..120, process_lives: HOURS };
    for (accounts, rejects_all) in [
        (Accounts::Fails, false),
        (Accounts::Rejects, false),
        (Accounts::Throttles, false),
        (Accounts::Good, true),
    ] {
        let tally = simulate(2, || async {
            let world = World::new();
            {
                let mut state = world.state();
                state.accounts = accounts;
                state.rejects_all = rejects_all;
            }
            day(&plan, &world).await
        });
        println!("{accounts:?}, API refuses all: {rejects_all}\n  {tally:?}");
        assert_eq!(tally.failed, tally.checks, "{accounts:?} {tally:?}");
        assert!(tally.mints <= 70, "{accounts:?} {tally:?}");
        assert!(tally.writes <= 200, "{accounts:?} {tally:?}");
    }
}

#[test]
fn a_day_without_the_right_to_write_costs_each_instance_its_own_token_an_hour() {
    let plan = Plan { instances: 5, every: 120..420, process_lives: 100_000..100_001 };
    let tally = simulate(3, || async {
        let world = World::new();
        world.state().writes =
            Some(mass_change_owner_status::token::StoreError::Denied("AccessDeniedException".into()));
        day(&plan, &world).await
    });
    println!("no right to write: {tally:?}");
    assert_eq!((tally.failed, tally.refused, tally.writes), (0, 0, 0), "{tally:?}");
    assert!((5 * 24..=5 * 26).contains(&tally.mints), "{tally:?}");
}
