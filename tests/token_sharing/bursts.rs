//! Many environments that start at about the same time.

use super::simulate;
use super::world::{Environment, State, World};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::token::CachedToken;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ENVIRONMENTS: usize = 25;

/// The longest time between the first start and the last.
const SPREAD: Duration = Duration::from_secs(3);

/// The longest time for which an environment stands still.
const FREEZE: Duration = Duration::from_secs(30);

/// Interleavings of each kind.
const SEEDS: u64 = 100;

struct Burst {
    world: World,
    /// Of those that lived: what they got, and after how long.
    results: Vec<(Result<Arc<CachedToken>, WatchError>, Duration)>,
}

/// Starts all of them within no time or within seconds. `disturb` gets each of them.
async fn burst(world: World, disturb: impl Fn(&Environment)) -> Burst {
    let began = Instant::now();
    let spread = [0, 50, SPREAD.as_millis() as u64][fastrand::usize(0..3)];
    let mut calls = Vec::new();
    for _ in 0..ENVIRONMENTS {
        let environment = Environment::start(&world);
        environment.set_skew(fastrand::i64(-240..=240));
        disturb(&environment);
        let delay = Duration::from_millis(fastrand::u64(0..=spread));
        calls.push(tokio::spawn(async move {
            sleep(delay).await;
            let result = environment.token(100).await;
            (!environment.has_died()).then(|| (result, began.elapsed()))
        }));
    }
    let mut results = Vec::new();
    for call in calls {
        results.extend(call.await.unwrap());
    }
    Burst { world, results }
}

/// All environments that lived have a token, after at most so many requests, none at the same time as another one, and
/// within the spread, four seconds, and one claim for each further one that was put. What was frozen is late by itself.
fn assert_bursts(
    name: &str,
    change: impl Fn(&mut State),
    disturb: impl Fn(&Environment),
    requests: usize,
    late: Duration,
) {
    let (mut all, mut most, mut longest, mut versions, mut double) = (0, 0, Duration::ZERO, 0, 0);
    for seed in 0..SEEDS {
        simulate(seed, || async {
            let burst = burst(World::with(&change), &disturb).await;
            let sent = burst.world.state().requests.clone();
            let (written, double_puts) = (burst.world.written(), burst.world.state().double_puts);
            let within = late + SPREAD + Duration::from_secs(4 + 14 * (written - double_puts - 2) as u64);
            for (result, after) in &burst.results {
                assert!(
                    result.is_ok() && *after <= within,
                    "{name}, seed {seed}: {result:?} {after:?}, {sent:?}"
                );
                longest = longest.max(*after);
            }
            assert_eq!(
                burst.world.overlapping_requests().map(|(one, _)| one.from),
                None,
                "{name}, seed {seed}: {sent:?}"
            );
            (all, most) = (all + sent.len(), most.max(sent.len()));
            (versions, double) = (versions.max(written), double + double_puts);
            // From then on there is a token.
            Environment::start(&burst.world).token(30).await.unwrap();
            assert_eq!(burst.world.request_count(), sent.len(), "{name}, seed {seed}: {sent:?}");
        });
    }
    println!(
        "{name}: {SEEDS} bursts, {all} requests, at most {most} in one, {versions} versions, {double} double puts, last token after {longest:?}"
    );
    assert!(most <= requests, "{name}: {most}");
}

/// Does something to this share of environments within the first seconds.
fn sometimes(share: f64, act: impl Fn(&Environment) + Copy + Send + 'static) -> impl Fn(&Environment) {
    move |environment: &Environment| {
        let (environment, at) = (environment.clone(), Duration::from_millis(fastrand::u64(0..2_500)));
        if fastrand::f64() < share {
            tokio::spawn(async move {
                sleep(at).await;
                act(&environment);
            });
        }
    }
}

#[test]
fn environments_that_start_together_request_one_token() {
    assert_bursts("normal", |_| {}, |_| {}, 1, Duration::ZERO);
    assert_bursts("two puts succeed", |state| state.both_succeed = true, |_| {}, 1, Duration::ZERO);
    assert_bursts("lost responses", |state| state.lost_responses = 0.3, |_| {}, 1, Duration::from_secs(30));
}

#[test]
fn each_holder_that_dies_costs_one_claim_and_one_token_at_most() {
    assert_bursts("half of the holders die", |state| state.deadly = 0.5, |_| {}, 12, Duration::ZERO);
    assert_bursts("some die at any time", |_| {}, sometimes(0.2, Environment::die), 3, Duration::ZERO);
}

#[test]
fn a_holder_that_stood_still_for_longer_than_its_claim_does_no_harm() {
    let freeze = |environment: &Environment| environment.freeze(FREEZE.mul_f64(fastrand::f64()));
    assert_bursts("some freeze", |_| {}, sometimes(0.4, freeze), 5, FREEZE);
}
