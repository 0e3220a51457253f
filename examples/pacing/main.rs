//! Policies of pacing compared on simulated jobs, in checks and in lateness.
//!
//! `cargo run --example pacing` prints the tables.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the simulation's numbers are its own"
)]

mod policies;
mod scenarios;
mod simulation;

use policies::{PLAIN, POLICIES, SHIPPED};
use scenarios::{Scenario, scenarios};
use simulation::{Tally, USUAL, listed_jobs, tally};

fn main() {
    let rows = POLICIES.map(|policy| Row {
        name: policy.name,
        counted: tally(&listed_jobs(true), &USUAL, policy.wait),
        uncounted: tally(&listed_jobs(false), &USUAL, policy.wait),
    });
    print_policies(&rows);
    print_scenarios();
}

/// A policy on the listed jobs.
struct Row {
    name: &'static str,
    counted: Tally,
    uncounted: Tally,
}

fn print_policies(rows: &[Row]) {
    println!("lateness in % of queue and run; the listed jobs, with counts and without\n");
    println!("| policy | checks | worst | mean | checks without | worst | mean |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for Row { name, counted, uncounted } in rows {
        println!("| {name} | {} | {} |", cells(counted), cells(uncounted));
    }
}

fn print_scenarios() {
    println!("\nother jobs and conditions\n");
    println!(
        "| | jobs | {} | worst | mean | too late | {} | worst | mean | too late |",
        SHIPPED.name, PLAIN.name
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for Scenario { name, jobs, conditions } in scenarios() {
        let [shipped, plain] = [SHIPPED, PLAIN].map(|policy| {
            let tally = tally(&jobs, &conditions, policy.wait);
            format!("{} | {}", cells(&tally), tally.too_late)
        });
        println!("| {name} | {} | {shipped} | {plain} |", jobs.len());
    }
}

fn cells(tally: &Tally) -> String {
    format!("{} | {:.1} | {:.2}", tally.checks, tally.worst * 100.0, tally.mean * 100.0)
}
