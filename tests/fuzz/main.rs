//! Hostile input at every boundary (docs/simulation.md, "Fuzzing"): whatever comes, the function responds with a name
//! from its contract and one short line, shows no secret, and does not panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

mod engine;
mod records;
mod targets;

use engine::Fuzzer;

/// Pieces that JSON and the parsers of the function give a meaning to.
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e400",
    "18446744073709551616",
    "9007199254740993",
    "\\u0000",
    "\\ud800",
    "\\n",
    "\u{2028}",
    "{\"",
    "\":",
    "[[[[[[[[",
    "\"\"",
];

#[test]
fn event() {
    let words = [
        "\"module\":",
        "\"job_id\":",
        "\"schedule_arn\":",
        "\"notify\":",
        "\"announcement\":",
        "\"failure\":",
        "\"watch\":",
        "\"request\":",
        "\"source\":",
        "\"detail-type\":",
        "\"detail\":",
        "\"resources\":",
        "\"checks\":",
        "\"first_checked_at\":",
        "\"2026-11-23T10:00:00Z\"",
        "\"Leads\"",
        "\"Price Books\"",
        "\"3652397000009565021\"",
        "\"arn:aws:scheduler:eu-west-1:123456789012:schedule/group/name\"",
        "\"aws.scheduler\"",
        "{\"Error\":\"e\",\"Cause\":\"c\"}",
        "{\"errorType\":\"t\",\"errorMessage\":\"m\"}",
    ];
    Fuzzer::new("event", &[JSON, &words].concat()).run(targets::event);
}

#[test]
fn status_response() {
    let words = [
        "200\n",
        "204\n",
        "400\n",
        "401\n",
        "403\n",
        "404\n",
        "429\n",
        "503\n",
        "\"data\":",
        "\"Status\":",
        "\"COMPLETED\"",
        "\"FAILED\"",
        "\"in progress\"",
        "\"Total_Count\":",
        "\"Failed_Count\":",
        "\"code\":",
        "\"message\":",
        "\"details\":",
        "\"status\":",
        "\"error\"",
        "\"INVALID_TOKEN\"",
        "\"OAUTH_SCOPE_MISMATCH\"",
        "\"INVALID_DATA\"",
        "\"param_name\":",
        "\"job_id\"",
        "\"retry_after\":",
        "hunter2-the-token",
        "1000.0123456789abcdef.0123456789abcdef",
    ];
    Fuzzer::new("status-response", &[JSON, &words].concat()).run(targets::status_response);
}

#[test]
fn token_response() {
    let words = [
        "200\n",
        "400\n",
        "401\n",
        "429\n",
        "500\n",
        "\"access_token\":",
        "\"api_domain\":",
        "\"expires_in\":",
        "\"expires_in_sec\":",
        "\"error\":",
        "\"error_description\":",
        "\"invalid_code\"",
        "\"Access Denied\"",
        "\"too many requests\"",
        "\"https://www.zohoapis.eu\"",
        "\"http://169.254.169.254\"",
        "hunter2-the-client",
        "hunter2-the-secret",
        "hunter2-the-refresh",
        "1000.0123456789abcdef.0123456789abcdef",
    ];
    Fuzzer::new("token-response", &[JSON, &words].concat()).run(targets::token_response);
}

#[test]
fn secret() {
    let words = [
        "\"access_token\":",
        "\"client_id\":",
        "\"client_secret\":",
        "\"refresh_token\":",
        "\"soid\":",
        "\"scope\":",
        "\"data_center\":",
        "\"accounts_domain\":",
        "\"api_domain\":",
        "\"hunter2\"",
        "hunter2",
        "\"EU\"",
        "\"www.zohoapis.eu\"",
        "1000.",
    ];
    Fuzzer::new("secret", &[JSON, &words].concat()).run(targets::secret);
}

#[test]
fn shared_records() {
    let words = [
        "token\n",
        "lease\n",
        "failure\n",
        "\"access_token\":",
        "\"api_domain\":",
        "\"expires_at\":",
        "\"owner\":",
        "\"seconds\":",
        "\"error_type\":",
        "\"message\":",
        "\"TokenRejected\"",
        "\"ZohoUnavailable\"",
        "\"2026-11-23T10:30:00Z\"",
        "\"9999-12-31T23:59:59Z\"",
        "\"https://www.zohoapis.eu\"",
        "\"https://169.254.169.254\"",
        "\"http://127.0.0.1:1\"",
        "hunter2-the-client",
        "hunter2-the-secret",
        "hunter2-the-refresh",
    ];
    Fuzzer::new("shared-records", &[JSON, &words].concat()).run(records::shared_records);
}

#[test]
fn environment() {
    let words = [
        "ZOHO_SECRET_ID=",
        "STATUS_TOPIC_ARN=",
        "ZOHO_DATA_CENTER=",
        "ZOHO_API_DOMAIN=",
        "ZOHO_ACCOUNTS_DOMAIN=",
        "ZOHO_API_VERSION=",
        "REQUEST_TIMEOUT_SECONDS=",
        "CHECK_INTERVAL_MIN_SECONDS=",
        "CHECK_INTERVAL_MAX_SECONDS=",
        "WATCH_LIMIT_SECONDS=",
        "SSL_CERT_FILE=",
        "HTTPS_PROXY=",
        "NO_PROXY=",
        "AWS_REGION=",
        "AWS_ENDPOINT_URL=",
        "\n",
        "=",
        "https://",
        "http://",
        "127.0.0.1",
        ":8600",
        "/path",
        "?query=hunter2",
        "hunter2",
        "hunter2:hunter2@",
        "arn:aws:sns:eu-west-1:123456789012:topic",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-AbCdEf",
    ];
    Fuzzer::new("environment", &words).run(targets::environment);
}
