//! What watching jobs costs: a model, not a measurement. Free tiers are left out, and so is what all ways share (SNS,
//! logs).

/// The rule itself; it needs nothing else of the function.
#[allow(dead_code, reason = "how the reason is logged does not matter here")]
#[path = "../../../src/watch/pacing.rs"]
mod pacing;

use pacing::{Bounds, Earlier, Seen};

/// The function's defaults.
const BOUNDS: Bounds = Bounds { min_seconds: 10, max_seconds: 900 };

/// US dollars, us-east-1, x86, as AWS's price pages had them in November 2026.
mod price {
    /// aws.amazon.com/lambda/pricing: $0.20 for a million requests.
    pub const LAMBDA_REQUEST: f64 = 0.20 / 1e6;
    /// aws.amazon.com/lambda/pricing: a GB-second on x86.
    pub const LAMBDA_GB_SECOND: f64 = 0.000_016_666_7;
    /// aws.amazon.com/step-functions/pricing: $0.025 for 1,000 transitions of a Standard workflow.
    pub const TRANSITION: f64 = 0.025 / 1e3;
    /// aws.amazon.com/secrets-manager/pricing: a secret and month.
    pub const SECRET_MONTH: f64 = 0.40;
    /// aws.amazon.com/secrets-manager/pricing: $0.05 for 10,000 calls.
    pub const SECRET_CALL: f64 = 0.05 / 1e4;
}

/// GB: the template's 128 MB.
const MEMORY: f64 = 0.125;
/// Seconds that Lambda bills for a check: a round trip to Zoho and its own time to answer.
const BILLED_CHECK: f64 = 0.150;
/// Seconds more for one that begins with a cold start: INIT is billed too, and takes some four round trips.
const BILLED_COLD_START: f64 = 0.250;

/// The jobs that are watched.
const JOB_SECONDS: i64 = 600;
const RECORDS: u64 = 50_000;

/// A way to watch a job of 10 minutes.
pub struct Way {
    pub name: &'static str,
    /// Checks until the end has been noticed; each is one of Zoho's API credits.
    pub checks: u32,
    /// State transitions besides the three of each lap.
    transitions_besides: u32,
    function: bool,
}

/// This function as the template deploys it, the same without its pacing, and no function at all.
pub fn ways() -> [Way; 3] {
    [
        Way {
            name: "this function and its state machine",
            checks: checks(|earlier, seen| pacing::next_check(earlier, seen, &BOUNDS).seconds),
            transitions_besides: 9,
            function: true,
        },
        Way {
            name: "the same, but every 30 s",
            checks: checks(|_, _| 30),
            transitions_besides: 9,
            function: true,
        },
        Way {
            name: "an HTTP Task every 30 s, no function",
            checks: checks(|_, _| 30),
            transitions_besides: 3,
            function: false,
        },
    ]
}

/// Checks of a steady job from its beginning on, until one sees its end.
fn checks(wait: impl Fn(&Earlier, &Seen) -> u64) -> u32 {
    let (mut earlier, mut now, mut count) = (Earlier::default(), 0_i64, 1);
    while now < JOB_SECONDS {
        let updated = RECORDS * now.unsigned_abs() / JOB_SECONDS.unsigned_abs();
        let seen = Seen {
            now,
            queued: false,
            updated_count: Some(updated),
            failed_count: Some(0),
            total_count: Some(RECORDS),
        };
        let seconds = wait(&earlier, &seen);
        earlier = Earlier {
            first_checked_at: Some(0),
            checked_at: Some(now),
            updated_count: Some(updated),
            failed_count: Some(0),
        };
        now += seconds as i64;
        count += 1;
    }
    count
}

impl Way {
    /// Dollars for so many jobs a month; each meets one cold start, which reads the secret and the token shared in it.
    pub fn monthly(&self, jobs: f64) -> f64 {
        let transitions = jobs * f64::from(3 * self.checks + self.transitions_besides) * price::TRANSITION;
        if !self.function {
            // The secret of its connection comes with EventBridge.
            return transitions;
        }
        let checks = f64::from(self.checks);
        let seconds = checks * BILLED_CHECK + BILLED_COLD_START;
        let lambda = checks * price::LAMBDA_REQUEST + seconds * MEMORY * price::LAMBDA_GB_SECOND;
        transitions + jobs * (lambda + 2.0 * price::SECRET_CALL) + price::SECRET_MONTH
    }
}
