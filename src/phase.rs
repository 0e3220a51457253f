//! Where the time of INIT and of an invocation goes: a line for each phase at DEBUG. At INFO, it costs a comparison.
//!
//! A line has `phase`, `at_microseconds` (its beginning, counted from the start of the process) and `microseconds` (its
//! length). The names are [`INIT`] to [`INVOKE_SCHEDULE`] below. What follows one another adds up to what encloses it:
//!
//! * `init` = `init.process` + `init.config` + `init.aws` + the longer of `init.secret` and `init.connect`, which run in
//!   parallel if a variable names the host. If only the secret does, they run one after the other.
//! * `invoke` = `invoke.token` + `invoke.zoho` + `invoke.publish` + `invoke.schedule`, if they happen.

use std::fs;
use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// From the start of the process to the first request for an event.
pub const INIT: &str = "init";
/// Loading the executable, up to `main`.
pub const INIT_PROCESS: &str = "init.process";
/// Reading the environment, TLS, the HTTP client.
pub const INIT_CONFIG: &str = "init.config";
/// The SDK's configuration and client.
pub const INIT_AWS: &str = "init.aws";
/// The secret, and a token if the secret does not contain one.
pub const INIT_SECRET: &str = "init.secret";
/// The connection to Zoho, TLS included.
pub const INIT_CONNECT: &str = "init.connect";
/// From a payload to its response.
pub const INVOKE: &str = "invoke";
/// A token: from memory, or as in `init.secret`.
pub const INVOKE_TOKEN: &str = "invoke.token";
/// The check, with all its attempts.
pub const INVOKE_ZOHO: &str = "invoke.zoho";
/// Publishing the report.
pub const INVOKE_PUBLISH: &str = "invoke.publish";
/// Deleting the schedule.
pub const INVOKE_SCHEDULE: &str = "invoke.schedule";

/// When the process began, as far as it can tell.
static BEGINNING: OnceLock<Instant> = OnceLock::new();

/// Takes the time at the top of `main`, once logging is set up.
pub fn begin() {
    if !enabled() {
        return;
    }
    let now = Instant::now();
    let loading = processor_time();
    let beginning = *BEGINNING.get_or_init(|| now.checked_sub(loading).unwrap_or(now));
    log(INIT_PROCESS, beginning, loading);
}

/// Ends `init`.
pub fn end_of_init() {
    if let Some(beginning) = BEGINNING.get().filter(|_| enabled()) {
        log(INIT, *beginning, beginning.elapsed());
    }
}

/// A phase from here to where this is dropped.
#[must_use]
pub struct Phase(Option<(&'static str, Instant)>);

impl Phase {
    /// Begins one, unless nobody would see it.
    pub fn begin(name: &'static str) -> Self {
        Self(enabled().then(|| (name, Instant::now())))
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some((name, began)) = self.0 {
            log(name, began, began.elapsed());
        }
    }
}

/// A future as a phase.
pub async fn timed<F: Future>(name: &'static str, future: F) -> F::Output {
    let _phase = Phase::begin(name);
    future.await
}

fn enabled() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

fn log(phase: &'static str, began: Instant, took: Duration) {
    let at = BEGINNING.get().map_or(Duration::ZERO, |beginning| began.saturating_duration_since(*beginning));
    tracing::debug!(phase, at_microseconds = microseconds(at), microseconds = microseconds(took), "phase");
}

/// The processor time that this process has used so far. A process that has only loaded its code has waited for almost
/// nothing else, and the kernel records the time of its start only in hundredths of a second.
fn processor_time() -> Duration {
    let nanoseconds = fs::read_to_string("/proc/self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    Duration::from_nanos(nanoseconds)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
