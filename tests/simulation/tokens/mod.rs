//! Many execution environments and one secret: bursts and days of checks here, one situation at a time in `cases`.

mod cases;

use crate::environment::{Phase, Task};
use crate::lambda::Instance;
use crate::secrets::DAY;
use crate::world::{State, World, chance, most_within, one_of, pause};
use mass_change_owner_status::{error::ErrorType, token::Sharing, zoho::ZohoSettings};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

type Change = fn(&mut State);

/// Nothing goes wrong.
const GOOD: Change = |_| {};

/// A service fails this share of the requests in this way.
fn fail(service: &'static str, fault: &'static str, share: f64) -> impl Fn(&mut State) {
    move |state| state.faults.add(service, fault, 0..u64::MAX, share)
}

/// Runs a scenario from a seed, in a world in which nothing goes wrong but for this change. The rules of the ledger hold.
fn simulate<T>(seed: u64, change: impl FnOnce(&mut State), scenario: impl AsyncFnOnce(World) -> T) -> T {
    crate::in_virtual_time(seed, async {
        let world = World::quiet(DAY, u64::MAX / 2);
        change(&mut world.state());
        let result = scenario(world.clone()).await;
        let violations = &world.state().ledger.violations;
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
        result
    })
}

/// The function in a new environment.
fn start(world: &World) -> Arc<Instance> {
    Instance::start(world, Sharing::ReadWrite, ZohoSettings::default())
}

/// A check by this process, within so many seconds.
async fn check_within(seconds: u64, process: &Instance) -> Result<(), ErrorType> {
    process.environment.thaw(Task { is_direct: true, ..Task::default() }, "");
    let request = process.environment.world.state().zoho.jobs[0].request();
    process.respond(&request, Duration::from_secs(seconds)).await.map(drop).map_err(|error| error.kind)
}

async fn check(process: &Instance) -> Result<(), ErrorType> {
    check_within(29, process).await
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

impl World {
    /// Token requests, and versions that the function put.
    fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.ledger.requested.len(), state.secrets.written.len())
    }

    fn operator_puts(&self, client: &str) {
        self.state().secrets.operator_puts(client, self.elapsed());
    }
}

/// A name, what is different, the shares that die and freeze, the token requests at most, and how many seconds more.
type Kind<'a> = (&'a str, &'a dyn Fn(&mut State), f64, f64, usize, u64);

/// Environments start together, within no time or within seconds. Some of them die or stand still in the first seconds.
/// The others end their checks within nine seconds, so many more, and one claim for each further one that was put; there
/// are at most so many token requests, and from then on there is a token.
#[test]
fn a_burst_requests_one_token_and_one_more_at_most_for_each_holder_that_fails() {
    let two_puts: Change = |state| state.secrets.both_succeed = true;
    let spreading: Change = |state| (state.faults.skew, state.zoho.spreading) = (0, 2);
    let (again, death) = (fail("put", "again", 0.3), fail("accounts", "death", 0.5));
    let kinds: [Kind; 7] = [
        ("normal", &GOOD, 0.0, 0.0, 1, 0),
        ("two puts succeed", &two_puts, 0.0, 0.0, 1, 0),
        ("lost responses", &again, 0.0, 0.0, 1, 30),
        ("a new token is not known everywhere", &spreading, 0.0, 0.0, 1, 0),
        ("half of the holders die", &death, 0.0, 0.0, 12, 0),
        ("some die at any time", &GOOD, 0.2, 0.0, 3, 0),
        ("some freeze", &GOOD, 0.0, 0.4, 5, 30),
    ];
    for (name, change, die, freeze, requests, late) in kinds {
        let (mut all, mut most, mut versions, mut longest) = (0, 0, 0, Duration::ZERO);
        let change = |state: &mut State| {
            state.faults.skew = 240;
            change(state);
        };
        for seed in 0..100 {
            simulate(seed, change, async |world| {
                let (began, spread) = (Instant::now(), one_of(&[1, 50, 3_000]));
                let run = |_| {
                    let (process, delay) = (start(&world), fastrand::u64(0..spread));
                    let (environment, dies, freezes) = (process.environment.clone(), chance(die), chance(freeze));
                    tokio::spawn(async move {
                        pause(0..2_500).await;
                        if dies {
                            environment.kill();
                        } else if freezes {
                            environment.freeze();
                            pause(0..30_000).await;
                            environment.thaw(Task { is_direct: true, ..Task::default() }, "");
                        }
                    });
                    async move {
                        sleep(Duration::from_millis(delay)).await;
                        tokio::select! {
                            result = check_within(100, &process) => Some((result, began.elapsed())),
                            () = process.environment.reach(Phase::Dead) => None,
                        }
                    }
                };
                let results = (0..25).map(run).collect::<JoinSet<_>>().join_all().await;
                let (count, written) = world.counts();
                let within = Duration::from_secs(9 + late + 14 * (written as u64).saturating_sub(2));
                for (result, after) in results.into_iter().flatten() {
                    assert!(result.is_ok() && after <= within, "{name}, seed {seed}: {result:?} {after:?}");
                    longest = longest.max(after);
                }
                (all, most, versions) = (all + count, most.max(count), versions.max(written));
                assert_eq!((check(&start(&world)).await, world.counts().0), (Ok(()), count), "{name}, seed {seed}");
            });
        }
        println!("{name}: {all} requests, at most {most} in one, {versions} versions, last check after {longest:?}");
        assert!(most <= requests, "{name}: {most}");
    }
}

/// Environments, the seconds between the checks of one, and the seconds after which Lambda replaces it.
type Plan = (u64, Range<u64>, Range<u64>);

/// Nobody promises how long Lambda keeps an environment.
const HOURS: Range<u64> = 7_200..43_200;

const DAYS: u64 = 2;

/// The checks of one environment and of those that replace it: how many fail.
async fn checks(world: World, (_, every, lives): Plan) -> usize {
    let mut failed = 0;
    while world.elapsed() < DAYS * DAY {
        let process = start(&world);
        let replaced = world.elapsed() + fastrand::u64(lives.clone());
        while world.elapsed() < replaced.min(DAYS * DAY) && process.environment.phase() != Phase::Dead {
            let result = timeout(Duration::from_secs(30), check(&process)).await;
            failed += usize::from(result != Ok(Ok(())));
            pass(fastrand::u64(every.clone())).await;
        }
    }
    failed
}

/// Simulates days with at most 80 versions in any 24 hours. The operator can store a version at every moment, and does so
/// a few times a day, unless there is no room from the beginning. Returns the number of token requests, of versions, and
/// of requests of one environment in the worst hour. Checks fail only if they may.
fn days(name: &str, plan: &Plan, may_fail: bool, change: impl FnOnce(&mut State)) -> (usize, usize, usize) {
    let change = |state: &mut State| {
        state.faults.skew = 200;
        change(state);
    };
    simulate(1, change, async |world| {
        let environments: JoinSet<_> = (0..plan.0).map(|_| checks(world.clone(), plan.clone())).collect();
        let has_operator = world.state().secrets.has_room(0);
        for minute in 0..if has_operator { DAYS * 1_440 } else { 0 } {
            assert!(world.state().secrets.has_room(world.elapsed()), "{name}, minute {minute}");
            if minute % 360 == 100 {
                world.operator_puts(&format!("client-{minute}"));
            }
            pass(60).await;
        }
        let failed: usize = environments.join_all().await.into_iter().sum();
        let mut by_environment: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (environment, at) in &world.state().ledger.requested {
            by_environment.entry(*environment).or_default().push(*at);
        }
        let worst_hour = by_environment.values().map(|at| most_within(at, 3_600)).max().unwrap_or(0);
        let ((requests, written), worst_day) = (world.counts(), world.state().secrets.worst_day());
        println!("| {name} | {worst_day} versions | {} requests a day | {worst_hour} | {failed} |", requests / 2);
        assert!(worst_day <= 80 && (may_fail || failed == 0), "{name}");
        (requests, written, worst_hour)
    })
}

/// What goes wrong all the time: a service, the way, and the share.
const KINDS: [(&str, &str, &str, f64); 9] = [
    ("normal", "", "", 0.0),
    ("the accounts server fails", "accounts", "503", 1.0),
    ("it throttles", "accounts", "429", 1.0),
    ("the API rejects every token", "crm", "401", 1.0),
    ("it rejects", "accounts", "401", 1.0),
    ("it does not respond", "accounts", "late", 1.0),
    ("half of the requests fail", "accounts", "503", 0.5),
    ("a third of the holders die", "accounts", "death", 0.33),
    ("every holder dies", "accounts", "death", 1.0),
];

#[test]
fn the_function_writes_at_most_80_versions_in_24_hours() {
    for (name, service, fault, share) in KINDS {
        days(name, &(4, 20..180, HOURS), share > 0.0, fail(service, fault, share));
    }
}

#[test]
fn where_nothing_can_be_stored_an_environment_requests_at_most_four_tokens_an_hour() {
    let denied: [(&str, Change); 3] = [
        ("no permission", |state| state.secrets.is_read_only = true),
        ("no response to puts", |state| fail("put", "503", 1.0)(state)),
        ("too many versions", |state| state.secrets.operators = vec![2 * DAY; 100]),
    ];
    for (why, deny) in denied {
        for (name, service, fault, share) in &KINDS[..4] {
            let name = format!("{why}, {name}");
            let (_, written, worst_hour) = days(&name, &(3, 20..180, HOURS), *share > 0.0, |state| {
                deny(state);
                fail(service, fault, *share)(state);
            });
            assert!(worst_hour <= 4 && written == 0, "{name}: {worst_hour} {written}");
        }
    }
}

#[test]
fn a_normal_day_costs_two_versions_for_each_token() {
    // At last, each check in a new environment.
    for plan in
        [(5, 120..420, DAY * 9..DAY * 10), (25, 120..420, HOURS), (1, 3_400..3_600, HOURS), (3, 5_000..9_000, 1..2)]
    {
        let (requests, written, _) = days(&format!("{plan:?}"), &plan, false, GOOD);
        assert_eq!(written, 2 * requests, "{plan:?}");
    }
}
