//! The token protocol in simulation: many execution environments with the checker that ships, a secret and a Zoho in
//! memory, in virtual time. Everything random comes from one seed, which every failure names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod bursts;
mod cases;

mod days;
mod world;

/// Runs a scenario in virtual time, from a seed.
fn simulate<F: Future>(seed: u64, scenario: impl FnOnce() -> F) -> F::Output {
    fastrand::seed(seed);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(scenario())
}
