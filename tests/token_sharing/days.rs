//! Days of checks: how many versions of the secret, and how many requests.

use super::simulate;
use super::world::{Accounts, DAY, Environment, State, World};
use std::ops::Range;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

#[derive(Clone)]
struct Plan {
    environments: usize,
    /// Seconds between the checks of one environment.
    every: Range<u64>,
    /// Seconds after which Lambda replaces a process.
    lives: Range<u64>,
}

/// Nobody promises how long Lambda keeps a process.
const HOURS: Range<u64> = 7_200..43_200;

const BUSY: Plan = Plan { environments: 5, every: 10..120, lives: HOURS };

/// Days in a row, and how often the operator stores credentials on each.
const DAYS: u32 = 3;

struct Tally {
    checks: usize,
    failed: usize,
}

async fn checks(world: World, plan: Plan) -> Tally {
    let over = Instant::now() + DAYS * DAY;
    let mut tally = Tally { checks: 0, failed: 0 };
    while Instant::now() < over {
        let environment = Environment::start(&world);
        environment.set_skew(fastrand::i64(-200..=200));
        let replaced = Instant::now() + Duration::from_secs(fastrand::u64(plan.lives.clone()));
        while Instant::now() < over.min(replaced) {
            let result = timeout(Duration::from_secs(30), environment.check()).await;
            tally.checks += 1;
            tally.failed += usize::from(!matches!(result, Ok(Ok(_))));
            if environment.has_died() {
                break;
            }
            sleep(Duration::from_secs(fastrand::u64(plan.every.clone()))).await;
        }
    }
    tally
}

/// Simulates days. At every moment, the operator can store a version, and does so a few times a day.
fn days(name: &str, plan: &Plan, operator_puts: u32, change: impl FnOnce(&mut State)) -> (World, Tally) {
    let (world, tally) = simulate(1, || async {
        let world = World::with(change);
        let environments: Vec<_> =
            (0..plan.environments).map(|_| tokio::spawn(checks(world.clone(), plan.clone()))).collect();
        let operator = world.clone();
        let operator = tokio::spawn(async move {
            for minute in 0..DAYS * 1_440 {
                assert!(operator.has_room(), "minute {minute}");
                if operator_puts > 0 && minute % (1_440 / operator_puts) == 100 {
                    operator.operator_puts(&format!("client-{minute}")).unwrap();
                }
                sleep(Duration::from_secs(60)).await;
            }
        });
        let mut tally = Tally { checks: 0, failed: 0 };
        for environment in environments {
            let more = environment.await.unwrap();
            tally = Tally { checks: tally.checks + more.checks, failed: tally.failed + more.failed };
        }
        operator.await.unwrap();
        (world, tally)
    });
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} |",
        world.worst_day(),
        world.request_count() / DAYS as usize,
        world.worst_hour(),
        world.state().reads_done / DAYS as usize,
        tally.checks,
        tally.failed,
    );
    (world, tally)
}

#[test]
fn the_function_writes_at_most_80_versions_in_24_hours() {
    type Change = fn(&mut State);
    let kinds: [(&str, Change); 10] = [
        ("normal", |_| {}),
        ("a third of the holders die", |state| state.deadly = 0.33),
        ("every holder dies", |state| state.deadly = 1.0),
        ("the accounts server fails", |state| state.accounts = Accounts::Fails),
        ("it does not respond", |state| state.accounts = Accounts::Silent),
        ("it rejects", |state| state.accounts = Accounts::Rejects),
        ("it throttles", |state| state.accounts = Accounts::Throttles),
        ("half of the requests fail", |state| state.accounts = Accounts::FailsHalf),
        ("half of the requests fail, every holder dies", |state| {
            (state.accounts, state.deadly) = (Accounts::FailsHalf, 1.0);
        }),
        ("the API rejects every token", |state| state.rejecting.push("https://www.zohoapis.com")),
    ];
    for (name, change) in kinds {
        for operator_puts in [0, 6] {
            let (world, tally) =
                days(&format!("{name}, {operator_puts} puts by the operator"), &BUSY, operator_puts, change);
            assert!(world.worst_day() <= 80, "{name}");
            assert!(name != "normal" || tally.failed == 0, "{name}");
        }
    }
}
