//! What watching jobs costs: a model, not a measurement. Free tiers are left out, and so is what all ways share (SNS,
//! logs).

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
pub const BILLED_CHECK: f64 = 0.150;
/// Seconds more for one that begins with a cold start: INIT is billed too, and takes some four round trips.
pub const BILLED_COLD_START: f64 = 0.250;

/// A way to watch a job of 10 minutes.
pub struct Way {
    pub name: &'static str,
    /// Checks until the end has been noticed; each is one of Zoho's API credits.
    pub checks: f64,
    /// State transitions besides the three of each lap.
    transitions_besides: f64,
    function: bool,
}

/// `cargo bench --bench pacing` has the rule; a steady job of 10 minutes, and one of each shape on average.
const PACED_CHECKS: f64 = 0.0;

pub const WAYS: [Way; 3] = [
    Way {
        name: "this function and its state machine",
        checks: PACED_CHECKS,
        transitions_besides: 9.0,
        function: true,
    },
    Way { name: "the same, every 30 s", checks: 21.0, transitions_besides: 9.0, function: true },
    Way {
        name: "an HTTP Task every 30 s, no function",
        checks: 21.0,
        transitions_besides: 3.0,
        function: false,
    },
];

impl Way {
    /// Dollars for so many jobs a month; each meets one cold start, which reads the secret twice (it and the token).
    pub fn monthly(&self, jobs: f64) -> f64 {
        let transitions = jobs * (3.0 * self.checks + self.transitions_besides) * price::TRANSITION;
        if !self.function {
            // The secret of its connection comes with EventBridge.
            return transitions;
        }
        let seconds = self.checks * BILLED_CHECK + BILLED_COLD_START;
        let lambda = self.checks * price::LAMBDA_REQUEST + seconds * MEMORY * price::LAMBDA_GB_SECOND;
        transitions + jobs * (lambda + 2.0 * price::SECRET_CALL) + price::SECRET_MONTH
    }
}
