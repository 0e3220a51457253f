//! Whole watches in virtual time, from one seed (docs/simulation.md).
//!
//! The handler, the delivery, the pacing, and the token protocol are the real ones. Zoho, Secrets Manager,
//! SNS, EventBridge Scheduler, and Lambda are simulated, with everything that can go wrong there. A loop stands in for the
//! state machine. All chances come from the generator of the thread, which the function uses, too.

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

use crate::lambda::Lambda;
use crate::world::{World, log_uniform};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// Simulates 4,000 watches, or `WATCHES`, from `FIRST_SEED` on; or the world of one `SEED`, and prints what happens in it.
#[test]
fn every_watch_ends_as_it_should() {
    let number = |variable| std::env::var(variable).ok().map(|text| text.parse::<u64>().expect("a number"));
    let threads = number("SEED").map_or_else(|| thread::available_parallelism().map_or(2, usize::from), |_| 1);
    let wanted = number("SEED").map_or_else(|| number("WATCHES").unwrap_or(4_000), |_| 1);
    let first = number("SEED").or(number("FIRST_SEED")).unwrap_or(0);
    let (next, watched) = (AtomicU64::new(first), AtomicU64::new(0));
    let simulate_some = || {
        while watched.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match catch_unwind(|| in_virtual_time(seed, run())) {
                Ok((watches, violations)) if violations.is_empty() => watched.fetch_add(watches, Ordering::Relaxed),
                failure => panic!("SEED={seed} cargo test --test simulation\n{failure:?}"),
            };
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(simulate_some))));
    println!("{watched:?} watches in {} worlds end as they should", next.into_inner() - first);
}

/// With the default limits, a watch that has worked outlasts twenty hours of whatever goes wrong, also where the role may
/// not write.
#[test]
fn twenty_hours_of_an_outage_end_no_watch() {
    for (service, fault) in faults::FAULTS.iter().flat_map(|(name, faults)| faults.iter().map(move |one| (*name, *one)))
    {
        for seed in 0..2 {
            in_virtual_time(seed, async {
                let world = World::quiet(86_400, 50_000);
                world.state().faults.add(service, fault, 3_600..75_600, 1.0);
                world.state().secrets.is_read_only = seed == 1;
                let lambda = Lambda::new(world.clone());
                (0..2).map(|_| watches::watch(lambda.clone(), 0, 1)).collect::<JoinSet<_>>().join_all().await;
                let ledger = &world.state().ledger;
                // Whoever points a schedule to another job begins a watch in the middle of the outage.
                let early: Vec<_> = ledger.early_ends().filter(|(ended, ..)| *ended == 0).collect();
                assert!(early.is_empty(), "{service} {fault}, seed {seed}: {early:?}");
                assert!(ledger.violations.is_empty(), "{service} {fault}, seed {seed}: {:?}", ledger.violations);
            });
        }
    }
}

fn in_virtual_time<F: Future>(seed: u64, future: F) -> F::Output {
    fastrand::seed(seed);
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// One world with a few jobs and their watches, to the end of all.
async fn run() -> (u64, Vec<String>) {
    let world = World::new(log_uniform(1_800, 86_400));
    let lambda = Lambda::new(world.clone());
    let mut tasks = JoinSet::new();
    for _ in 0..fastrand::usize(1..4) {
        let job = world.state().zoho.start_job(0);
        let mut starts_in = fastrand::u64(1..600);
        for _ in 0..fastrand::usize(1..4) {
            tasks.spawn(watches::watch(lambda.clone(), job, starts_in));
            // Further apart than any two clocks: the start tells watches of one job apart.
            starts_in += log_uniform(600, 30_000);
        }
    }
    let count = tasks.join_all().await.len() as u64;
    if !lambda.recovers().await {
        world.violation("what the watches left behind keeps a new environment from a token");
    }
    if world.state().secrets.worst_day() > 80 {
        world.violation("more than 80 versions of the secret in a day");
    }
    let ledger = &mut world.state().ledger;
    ledger.check_remains();
    (count, std::mem::take(&mut ledger.violations))
}
