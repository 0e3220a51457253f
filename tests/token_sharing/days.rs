//! Days of checks: how many versions of the secret, and how many requests.

use super::simulate;
use super::world::{Accounts, DAY, Environment, State, World};
use mass_change_owner_status::token::StoreError;
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

const BUSY: Plan = Plan { environments: 4, every: 20..180, lives: HOURS };

const DAYS: u32 = 2;

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
                assert!(operator_puts == 0 || operator.has_room(), "minute {minute}");
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

type Change = fn(&mut State);

#[test]
fn the_function_writes_at_most_80_versions_in_24_hours() {
    let kinds: [(&str, Change); 9] = [
        ("normal", |_| {}),
        ("a third of the holders die", |state| state.deadly = 0.33),
        ("every holder dies", |state| state.deadly = 1.0),
        ("the accounts server fails", |state| state.accounts = Accounts::Fails),
        ("it does not respond", |state| state.accounts = Accounts::Silent),
        ("it rejects", |state| state.accounts = Accounts::Rejects),
        ("it throttles", |state| state.accounts = Accounts::Throttles),
        ("half of the requests fail", |state| state.accounts = Accounts::FailsHalf),
        ("the API rejects every token", |state| state.rejecting.push("https://www.zohoapis.com")),
    ];
    for (name, change) in kinds {
        let (world, tally) = days(name, &BUSY, 4, change);
        assert!(world.worst_day() <= 80, "{name}");
        assert!(name != "normal" || tally.failed == 0, "{name}");
    }
}

#[test]
fn a_normal_day_costs_two_versions_for_each_token() {
    for (environments, every, lives) in [
        (5, 120..420, 1_000_000..1_000_001),
        (25, 120..420, HOURS),
        (1, 3_400..3_600, HOURS),
        // Each check in a new process.
        (3, 5_000..9_000, 1..2),
    ] {
        let name = format!("{environments} environments, every {every:?} s");
        let (world, tally) = days(&name, &Plan { environments, every, lives }, 0, |_| {});
        assert_eq!(tally.failed, 0, "{name}");
        assert_eq!(world.written(), 2 * world.request_count(), "{name}");
        assert!(world.worst_day() <= 66, "{name}");
    }
}

#[test]
fn where_nothing_can_be_stored_an_environment_requests_at_most_four_tokens_an_hour() {
    let denied: [(&str, Change); 2] = [
        ("no permission", |state| state.puts = Some(StoreError::Denied("AccessDeniedException".into()))),
        ("too many versions", |state| state.operators = vec![Instant::now() + 2 * DAY; 100]),
    ];
    let kinds: [(&str, Change); 4] = [
        ("normal", |_| {}),
        ("the accounts server fails", |state| state.accounts = Accounts::Fails),
        ("it throttles", |state| state.accounts = Accounts::Throttles),
        ("the API rejects every token", |state| state.rejecting.push("https://www.zohoapis.com")),
    ];
    let plan = Plan { environments: 3, ..BUSY };
    for (why, deny) in denied {
        for (name, change) in kinds {
            let (world, tally) = days(&format!("{why}, {name}"), &plan, 0, |state| {
                deny(state);
                change(state);
            });
            assert!(world.worst_hour() <= 4 && world.worst_day() == 0, "{why}, {name}");
            assert!(name != "normal" || tally.failed == 0, "{why}, {name}");
        }
    }
}
