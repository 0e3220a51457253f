//! Where the time of INIT goes: a line for each phase at DEBUG, with its length in `microseconds`.
//!
//! `init` (from `main` to the first request for an invocation) is `init.config` (the environment, TLS, the HTTP client),
//! `init.aws` (the SDK), and the longer of `init.secret` (with a token) and `init.connect` (to Zoho), which can overlap.

use std::time::Instant;

/// A future as a phase.
pub async fn timed<F: Future>(name: &'static str, future: F) -> F::Output {
    let began = Instant::now();
    let output = future.await;
    let microseconds = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(phase = name, microseconds, "phase");
    output
}
