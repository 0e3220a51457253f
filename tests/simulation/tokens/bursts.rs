//! Many environments that start at about the same time.

use super::{Change, Process, simulate};
use crate::world::{State, World};
use mass_change_owner_status::token::Sharing;
use mass_change_owner_status::zoho::ZohoSettings;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ENVIRONMENTS: usize = 25;

/// The longest time between the first start and the last, in milliseconds.
const SPREAD: u64 = 3_000;

/// Interleavings of each kind.
const SEEDS: u64 = 100;

/// Starts all of them within no time or within seconds. Those that live have a token after at most so many requests, none
/// at the same time as another one, and within the spread, four seconds, so many more, and one claim for each further one
/// that was put.
fn assert_bursts(name: &str, change: Change, disturb: impl Fn(&World, &Process), requests: usize, late: u64) {
    let (mut all, mut most, mut versions, mut longest) = (0, 0, 0, Duration::ZERO);
    for seed in 0..SEEDS {
        simulate(seed, change, async |world| {
            let (began, spread) = (Instant::now(), [1, 50, SPREAD][world.draw(0..3) as usize]);
            let mut calls = Vec::new();
            for _ in 0..ENVIRONMENTS {
                let process = Process::with(&world, 240, Sharing::ReadWrite, ZohoSettings::default());
                disturb(&world, &process);
                let delay = Duration::from_millis(world.draw(0..spread));
                calls.push(tokio::spawn(async move {
                    sleep(delay).await;
                    tokio::select! {
                        result = process.token(100) => Some((result, began.elapsed())),
                        () = process.environment.death() => None,
                    }
                }));
            }
            for call in calls {
                let Some((result, after)) = call.await.unwrap() else { continue };
                let claims = 14 * (world.state().secrets.count() as u64 - 2);
                let within = Duration::from_secs(late + 4 + claims) + Duration::from_millis(SPREAD);
                assert!(result.is_ok() && after <= within, "{name}, seed {seed}: {result:?} {after:?}");
                longest = longest.max(after);
            }
            let count = world.request_count();
            (all, most, versions) = (all + count, most.max(count), versions.max(world.written()));
            // From then on there is a token.
            Process::start(&world).token(30).await.unwrap();
            assert_eq!(world.request_count(), count, "{name}, seed {seed}");
        });
    }
    println!(
        "{name}: {SEEDS} bursts, {all} requests, at most {most} in one, {versions} versions, last token after {longest:?}"
    );
    assert!(most <= requests, "{name}: {most}");
}

/// Does something to this share of environments within the first seconds.
fn sometimes(share: f64, act: fn(&World, &Process)) -> impl Fn(&World, &Process) {
    move |world, process| {
        let (world, process, acts) = (world.clone(), process.clone(), world.chance(share));
        tokio::spawn(async move {
            world.pause(0..2_500).await;
            if acts {
                act(&world, &process);
            }
        });
    }
}

#[test]
fn environments_that_start_together_request_one_token() {
    let none = |_: &World, _: &Process| {};
    assert_bursts("normal", |_| {}, none, 1, 0);
    assert_bursts("two puts succeed", |state| state.secrets.both_succeed = true, none, 1, 0);
    assert_bursts("lost responses", |state| state.secrets.lost_responses = 0.3, none, 1, 30);
}

#[test]
fn each_holder_that_dies_costs_one_claim_and_one_token_at_most() {
    let deadly = |state: &mut State| state.faults.add("accounts", "death", 0.5);
    assert_bursts("half of the holders die", deadly, |_, _| {}, 12, 0);
    let die = sometimes(0.2, |_, process| process.environment.kill());
    assert_bursts("some die at any time", |_| {}, die, 3, 0);
}

#[test]
fn a_holder_that_stood_still_for_longer_than_its_claim_does_no_harm() {
    let stall = |world: &World, process: &Process| {
        process.environment.stall(Duration::from_millis(world.draw(0..30_000)));
    };
    assert_bursts("some freeze", |_| {}, sometimes(0.4, stall), 5, 30);
}
