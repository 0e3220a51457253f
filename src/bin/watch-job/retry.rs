//! How long to wait after an error. Pure.

use mass_change_owner_status::error::ErrorType;

/// An error that is not the first in a row doubles the wait, from the shortest interval up to five minutes, as the state
/// machine does it (statemachine/watch.asl.json).
const LONGEST_WAIT: u64 = 300;

/// Zoho counts tokens over ten minutes: sooner than this, the next attempt only counts against the limit.
const TOKEN_WAIT: u64 = 120;

/// Seconds to wait before the next attempt, after `failures` errors in a row. `None` if the error is not retryable.
pub(crate) fn wait(error: ErrorType, failures: u32, min_seconds: u64) -> Option<u64> {
    if !error.is_retryable() {
        return None;
    }
    let (first, longest) = match error {
        ErrorType::TokenRateLimited => (TOKEN_WAIT.max(min_seconds), TOKEN_WAIT.saturating_mul(5)),
        _ => (min_seconds, LONGEST_WAIT),
    };
    let factor = 2_u64.saturating_pow(failures.saturating_sub(1));
    Some(first.saturating_mul(factor).min(longest.max(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        for (error, failures, min_seconds, expected) in [
            (ErrorType::ZohoUnavailable, 1, 10, Some(10)),
            (ErrorType::ZohoUnavailable, 3, 10, Some(40)),
            (ErrorType::ZohoRateLimited, 9, 10, Some(300)),
            (ErrorType::ZohoRateLimited, u32::MAX, 1_000, Some(1_000)),
            (ErrorType::TokenRateLimited, 1, 10, Some(120)),
            (ErrorType::TokenRateLimited, 9, 10, Some(600)),
            (ErrorType::TokenRejected, 1, 10, None),
            (ErrorType::JobNotFound, 1, 10, None),
        ] {
            assert_eq!(wait(error, failures, min_seconds), expected, "{error} {failures}");
        }
    }
}
