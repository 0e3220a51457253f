//! The protocol itself, many copies of it, over a secret and an accounts server in memory, in simulated time.
//!
//! Everything random comes from one seed, so that a failure can be run again: it names its seed.
#![expect(clippy::arithmetic_side_effects, reason = "simulated times and counts are small")]

mod bursts;
mod cases;
mod days;
mod world;

/// Runs a scenario in simulated time, from a seed.
fn simulate<F: Future>(seed: u64, scenario: impl FnOnce() -> F) -> F::Output {
    fastrand::seed(seed);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(scenario())
}
