//! Policies of pacing compared on simulated jobs, in checks and in lateness.
//!
//! `cargo run --example pacing` prints the tables; `cargo run --example pacing -- --svg docs/pacing.svg` draws the plot
//! as well.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the simulation's numbers are its own"
)]

mod plot;
mod policies;
mod scenarios;
mod simulation;

use policies::{PLAIN, POLICIES, SHIPPED};
use scenarios::{Scenario, scenarios};
use simulation::{Tally, USUAL, listed_jobs, tally};
use std::process::ExitCode;

fn main() -> ExitCode {
    let rows = POLICIES.map(|policy| Row {
        name: policy.name,
        counted: tally(&listed_jobs(true), &USUAL, policy.wait),
        uncounted: tally(&listed_jobs(false), &USUAL, policy.wait),
    });
    print_policies(&rows);
    print_scenarios();

    let mut arguments = std::env::args().skip_while(|argument| argument != "--svg");
    if arguments.next().is_none() {
        return ExitCode::SUCCESS;
    }
    let written = match arguments.next() {
        Some(path) => std::fs::write(&path, plot::svg(&rows)).map_err(|error| format!("{path}: {error}")),
        None => Err("--svg needs a file".to_owned()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
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
