//! Metrics in CloudWatch's embedded metric format: lines on standard output, which CloudWatch Logs turns into metrics.
//!
//! The names, units, and dimensions are public (docs/metrics.md). Dimensions have few values: a name of the function, of
//! an outcome, or of an error, and never the ID of a job. Without [`init`], as in tests and in the terminal watch,
//! everything here does nothing.

use crate::environment::Environment;
use crate::timestamp::Timestamp;
use ::metrics::{counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

const CHECKS: &str = "Checks";
const ENDS: &str = "Ends";
const ERRORS: &str = "Errors";
const ZOHO_LATENCY: &str = "ZohoLatency";
const ATTEMPTS: &str = "Attempts";
const TOKENS_MINTED: &str = "TokensMinted";
const RATE_LIMITS: &str = "RateLimits";
const LATENESS_BOUND: &str = "LatenessBound";
const COLD_STARTS: &str = "ColdStarts";

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Starts to collect metrics.
pub fn init(environment: &Environment) {
    let name = environment.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("unknown").to_owned();
    let builder = Builder::new().cloudwatch_namespace("MassChangeOwnerStatus").with_dimension("FunctionName", name);
    // Fails only if the process has a recorder already.
    let Ok(collector) = builder.init() else { return };
    let _first = COLLECTOR.set(collector);
    for name in [CHECKS, ENDS, ERRORS, TOKENS_MINTED, RATE_LIMITS, COLD_STARTS] {
        describe_counter!(name, ::metrics::Unit::Count, "");
    }
    describe_histogram!(ZOHO_LATENCY, ::metrics::Unit::Milliseconds, "");
    describe_histogram!(ATTEMPTS, ::metrics::Unit::Count, "");
    describe_histogram!(LATENESS_BOUND, ::metrics::Unit::Seconds, "");
    // Written with the first invocation.
    counter!(COLD_STARTS).increment(1);
}

/// Zoho's API responded to a status request, or failed to, after this time.
pub fn zoho_latency(took: Duration) {
    histogram!(ZOHO_LATENCY).record(took.as_secs_f64() * 1_000.0);
}

/// Zoho issued an access token.
pub fn token_minted() {
    counter!(TOKENS_MINTED).increment(1);
}

/// Zoho's API or accounts server asked for fewer requests.
pub fn rate_limited() {
    counter!(RATE_LIMITS).increment(1);
}

/// Records an invocation and writes everything since the last one to standard output: the number of status requests (0 if
/// there was no check), the outcome if the watch is over, and the error with which the invocation failed or the watch ended.
/// `lateness_bound_seconds` is the time from when the job was last seen unfinished to its announcement, if both are known:
/// nobody learned of the end later than that after it.
pub fn record(
    attempts: u32,
    outcome: Option<&'static str>,
    error: Option<&'static str>,
    lateness_bound_seconds: Option<u64>,
) {
    let Some(collector) = COLLECTOR.get() else { return };
    if attempts > 0 {
        counter!(CHECKS).increment(1);
        histogram!(ATTEMPTS).record(f64::from(attempts));
    }
    if let Some(outcome) = outcome {
        counter!(ENDS, "Outcome" => outcome).increment(1);
    }
    if let Some(error) = error {
        counter!(ERRORS, "ErrorType" => error).increment(1);
    }
    if let Some(seconds) = lateness_bound_seconds {
        // Far below the numbers that lose digits.
        histogram!(LATENESS_BOUND).record(seconds as f64);
    }
    // Lambda drops lines below the level of its log controls. A line without a level and a time counts as INFO.
    collector.set_property("level", "WARN").set_property("timestamp", Timestamp::now().to_string());
    // One write for all lines, so that no other line gets between them. A metric that cannot be written is lost: the
    // response must not be.
    let mut lines = Vec::new();
    let _lost = collector.flush(&mut lines).and_then(|()| io::Write::write_all(&mut io::stdout(), &lines));
}
