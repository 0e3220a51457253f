//! Policies of pacing compared on simulated jobs, in checks and in lateness.
//!
//! `cargo run --example pacing` prints the tables.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the simulation's numbers are its own"
)]

mod policies;
mod simulation;

use mass_change_owner_status::watch::pacing::Bounds;
use policies::{PLAIN, POLICIES, Policy, SHIPPED};
use simulation::{Job, USUAL, listed_jobs, scenarios, tally};

fn main() {
    println!("| | jobs | policy | checks | worst, % | mean, % | too late |\n|---|--:|---|--:|--:|--:|--:|");
    for policy in &POLICIES {
        print("with counts", &listed_jobs(true), &USUAL, policy);
        print("without counts", &listed_jobs(false), &USUAL, policy);
    }
    for (name, jobs, bounds) in scenarios() {
        print(name, &jobs, &bounds, &SHIPPED);
        print(name, &jobs, &bounds, &PLAIN);
    }
}

fn print(name: &str, jobs: &[Job], bounds: &Bounds, policy: &Policy) {
    let tally = tally(jobs, bounds, policy.wait);
    let (worst, mean) = (tally.worst * 100.0, tally.mean * 100.0);
    println!(
        "| {name} | {} | {} | {} | {worst:.1} | {mean:.2} | {} |",
        jobs.len(),
        policy.name,
        tally.checks,
        tally.too_late
    );
}
