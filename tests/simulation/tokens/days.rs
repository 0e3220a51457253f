//! Days of checks: how many versions of the secret, and how many requests.

use super::{Change, Process, pass, simulate};
use crate::secrets::DAY;
use crate::world::{State, World, most_within};
use mass_change_owner_status::token::Sharing;
use mass_change_owner_status::zoho::ZohoSettings;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use tokio::time::timeout;

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

const DAYS: u64 = 2;

/// The checks of one environment and of those that replace it: how many fail.
async fn checks(world: World, plan: Plan) -> usize {
    let mut failed = 0;
    while world.elapsed() < DAYS * DAY {
        let process = Process::with(&world, 200, Sharing::ReadWrite, ZohoSettings::default());
        let replaced = world.elapsed() + world.draw(plan.lives.clone());
        while world.elapsed() < replaced.min(DAYS * DAY) {
            let result = timeout(Duration::from_secs(30), process.check()).await;
            failed += usize::from(!matches!(result, Ok(Ok(()))));
            if process.environment.is_dead() {
                break;
            }
            pass(world.draw(plan.every.clone())).await;
        }
    }
    failed
}

/// How days went.
struct Days {
    failed: usize,
    requests: usize,
    written: usize,
    /// Versions in the worst 24 hours, and requests of one environment in the worst hour.
    worst_day: usize,
    worst_hour: usize,
}

/// Simulates days. At every moment, the operator can store a version, and does so a few times a day.
fn days(name: &str, plan: &Plan, operator_puts: u64, change: impl FnOnce(&mut State)) -> Days {
    let days = simulate(1, change, async |world| {
        let start = |_| tokio::spawn(checks(world.clone(), plan.clone()));
        let environments: Vec<_> = (0..plan.environments).map(start).collect();
        for minute in 0..if operator_puts > 0 { DAYS * 1_440 } else { 0 } {
            assert!(world.state().secrets.has_room(world.elapsed()), "{name}, minute {minute}");
            if minute % (1_440 / operator_puts) == 100 {
                world.operator_puts(&format!("client-{minute}"));
            }
            pass(60).await;
        }
        let mut failed = 0;
        for environment in environments {
            failed += environment.await.unwrap();
        }
        let mut by_environment: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let state = world.state();
        for (environment, at) in &state.ledger.requested {
            by_environment.entry(*environment).or_default().push(*at);
        }
        Days {
            failed,
            requests: state.ledger.requested.len(),
            written: state.secrets.written.len(),
            worst_day: state.secrets.worst_day(),
            worst_hour: by_environment.values().map(|at| most_within(at, 3_600)).max().unwrap_or(0),
        }
    });
    let Days { failed, requests, worst_day, worst_hour, .. } = days;
    println!("| {name} | {worst_day} versions | {} requests a day | {worst_hour} | {failed} |", requests / 2);
    days
}

/// What goes wrong all the time.
const KINDS: [(&str, Change); 9] = [
    ("normal", |_| {}),
    ("the accounts server fails", |state| state.faults.add("accounts", "503", 1.0)),
    ("it throttles", |state| state.faults.add("accounts", "429", 1.0)),
    ("the API rejects every token", |state| state.faults.add("crm", "401", 1.0)),
    ("it rejects", |state| state.faults.add("accounts", "401", 1.0)),
    ("it does not respond", |state| state.faults.add("accounts", "late", 1.0)),
    ("half of the requests fail", |state| state.faults.add("accounts", "503", 0.5)),
    ("a third of the holders die", |state| state.faults.add("accounts", "death", 0.33)),
    ("every holder dies", |state| state.faults.add("accounts", "death", 1.0)),
];

#[test]
fn the_function_writes_at_most_80_versions_in_24_hours() {
    for (name, change) in KINDS {
        let days = days(name, &BUSY, 4, change);
        assert!(days.worst_day <= 80 && (name != "normal" || days.failed == 0), "{name}");
    }
}

#[test]
fn where_nothing_can_be_stored_an_environment_requests_at_most_four_tokens_an_hour() {
    let denied: [(&str, Change); 2] = [
        ("no permission", |state| state.secrets.is_read_only = true),
        ("too many versions", |state| state.secrets.operators = vec![2 * DAY; 100]),
    ];
    let plan = Plan { environments: 3, ..BUSY };
    for (why, deny) in denied {
        for (name, change) in &KINDS[..4] {
            let days = days(&format!("{why}, {name}"), &plan, 0, |state| {
                deny(state);
                change(state);
            });
            assert!(days.worst_hour <= 4 && days.worst_day == 0, "{why}, {name}");
            assert!(*name != "normal" || days.failed == 0, "{why}, {name}");
        }
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
        let days = days(&name, &Plan { environments, every, lives }, 0, |_| {});
        assert_eq!((days.failed, days.written), (0, 2 * days.requests), "{name}");
        assert!(days.worst_day <= 66, "{name}");
    }
}
