//! Whole watches in virtual time, from one seed (docs/simulation.md).
//!
//! The handler, the checker, the delivery, the pacing, and the token protocol are the real ones. Zoho, Secrets Manager,
//! SNS, EventBridge Scheduler, and Lambda are simulated, with everything that can go wrong there. A loop stands in for the
//! state machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

mod environment;
mod faults;
mod lambda;
mod ledger;
mod scheduler;
mod secrets;
mod tokens;
mod watches;
mod world;
mod zoho;

use crate::lambda::{Lambda, Settings};
use crate::world::{World, log_uniform};
use fastrand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tokio::runtime::Builder;

/// Simulates 10,000 watches, or `WATCHES`, from `FIRST_SEED` on; or the world of one `SEED`, and prints what happens in it.
#[test]
fn every_watch_ends_as_it_should() {
    let number = |variable| std::env::var(variable).ok().map(|text| text.parse().expect("a number"));
    if let Some(seed) = number("SEED") {
        let watches = simulate(seed, true).unwrap_or_else(|failure| panic!("{failure}"));
        return println!("seed {seed}: {watches} watches end as they should");
    }
    let (wanted, first) = (number("WATCHES").unwrap_or(10_000), number("FIRST_SEED").unwrap_or(0));
    let (next, watched, failures) = (AtomicU64::new(first), AtomicU64::new(0), Mutex::new(Vec::new()));
    let simulate_some = || {
        while watched.load(Ordering::Relaxed) < wanted && failures.lock().unwrap().len() < 3 {
            match simulate(next.fetch_add(1, Ordering::Relaxed), false) {
                Ok(watches) => drop(watched.fetch_add(watches, Ordering::Relaxed)),
                Err(failure) => failures.lock().unwrap().push(failure),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(simulate_some);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("{} watches in {} worlds end as they should", watched.into_inner(), next.into_inner() - first);
}

/// With the default limits, a watch that has worked outlasts twenty hours of whatever goes wrong.
#[test]
fn twenty_hours_of_an_outage_end_no_watch() {
    for (service, fault) in
        faults::FAULTS.iter().flat_map(|(name, faults)| faults.split(' ').map(move |one| (*name, one)))
    {
        for seed in 0..2 {
            in_virtual_time(seed, async {
                let mut rng = Rng::with_seed(seed);
                let (settings, world) = (Settings::draw(&mut rng, 86_400), World::new(rng.fork(), 86_400, false));
                world.state().faults = faults::Faults::only(service, fault, 3_600..75_600);
                let job = world.state().zoho.start_job(&mut rng, 0);
                (world.state().zoho.jobs[job].ends_at, world.state().zoho.jobs[job].problem) = (50_000, (0..0, 0));
                let lambda = Lambda::new(world.clone(), settings);
                let watch = || tokio::spawn(watches::watch(lambda.clone(), job, 1));
                for task in [watch(), watch(), watch(), watch()] {
                    task.await.unwrap();
                }
                let ledger = &world.state().ledger;
                // Whoever points a schedule to another job begins a watch in the middle of the outage.
                let early: Vec<_> = ledger.early_ends().filter(|(ended, ..)| *ended == job).collect();
                assert!(early.is_empty(), "{service} {fault}, seed {seed}: {early:?}");
                assert!(ledger.violations.is_empty(), "{service} {fault}, seed {seed}: {:?}", ledger.violations);
            });
        }
    }
}

/// Simulates the world of this seed; returns how many watches there were in it.
fn simulate(seed: u64, traced: bool) -> Result<u64, String> {
    let run = || in_virtual_time(seed, run(Rng::with_seed(seed), traced));
    let result = catch_unwind(AssertUnwindSafe(run));
    let (watches, violations) = result.unwrap_or_else(|_| (0, vec!["panics".to_owned()]));
    let told = format!("SEED={seed} cargo test --test simulation\n  {}", violations.join("\n  "));
    if violations.is_empty() { Ok(watches) } else { Err(told) }
}

/// `seed` is for the function's own randomness: jitter, and the owners of claims.
fn in_virtual_time<F: Future>(seed: u64, future: F) -> F::Output {
    fastrand::seed(seed);
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// One world with a few jobs and their watches, to the end of all.
async fn run(mut rng: Rng, traced: bool) -> (u64, Vec<String>) {
    let limit = log_uniform(&mut rng, 1_800.0, 86_400.0);
    let settings = Settings::draw(&mut rng, limit);
    let jobs = rng.usize(1..4);
    let world = World::new(rng.fork(), limit, traced);
    world.trace(|| format!("{settings:?}, {:?}", world.state().faults));
    let lambda = Lambda::new(world.clone(), settings);
    let mut tasks = Vec::new();
    for _ in 0..jobs {
        let job = world.state().zoho.start_job(&mut rng, 0);
        let mut starts_in = rng.u64(1..600);
        for _ in 0..rng.usize(1..4) {
            tasks.push(tokio::spawn(watches::watch(lambda.clone(), job, starts_in)));
            // Further apart than any two clocks: the start tells watches of one job apart.
            starts_in += log_uniform(&mut rng, 600.0, 30_000.0);
        }
    }
    let count = tasks.len();
    for task in tasks {
        task.await.unwrap();
    }
    if !lambda.recovers().await {
        world.violation("what the watches left behind keeps a new environment from a token");
    }
    if world.state().secrets.worst_day() > 80 {
        world.violation("more than 80 versions of the secret in a day");
    }
    let ledger = &mut world.state().ledger;
    ledger.check_remains();
    (u64::try_from(count).unwrap(), std::mem::take(&mut ledger.violations))
}
