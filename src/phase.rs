//! Where the time of INIT goes: a line for each phase at DEBUG, with its length in `microseconds`.
//!
//! `init` (from `main` to the first request for an invocation) is `init.config` (the environment, TLS, the HTTP client),
//! `init.aws` (the SDK), and the longer of `init.secret` (with a token) and `init.connect` (to Zoho), which run in parallel
//! if a variable names the host. If only the secret does, they run one after the other.

use std::future::Future;
use std::time::Instant;

/// A phase from here to where this is dropped.
#[must_use]
pub struct Phase(&'static str, Instant);

impl Phase {
    /// Begins one.
    pub fn begin(name: &'static str) -> Self {
        Self(name, Instant::now())
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        let microseconds = u64::try_from(self.1.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(phase = self.0, microseconds, "phase");
    }
}

/// A future as a phase.
pub async fn timed<F: Future>(name: &'static str, future: F) -> F::Output {
    let _phase = Phase::begin(name);
    future.await
}
