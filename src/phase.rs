//! Where the time of INIT goes: a line for each phase at DEBUG, with its length in `microseconds`.
//!
//! `init` is `init.config`, `init.aws`, and the longer of `init.secret` and `init.connect`, which run in parallel if a
//! variable names the host. If only the secret does, they run one after the other.

use std::future::Future;
use std::time::Instant;

/// From `main` to the first request for an invocation.
pub const INIT: &str = "init";
/// Reading the environment, TLS, the HTTP client.
pub const INIT_CONFIG: &str = "init.config";
/// The SDK's configuration and client.
pub const INIT_AWS: &str = "init.aws";
/// The secret, and a token if the secret does not contain one.
pub const INIT_SECRET: &str = "init.secret";
/// The connection to Zoho, TLS included.
pub const INIT_CONNECT: &str = "init.connect";

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
