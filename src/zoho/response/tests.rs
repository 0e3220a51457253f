//! One row for each response of the status endpoint that is known, documented, or reported (docs/zoho-api.md).

use super::*;
use crate::tests::at;
use crate::zoho::hosts::ZohoServer;
use ::http::{HeaderMap, header::RETRY_AFTER};
use ErrorType::*;
use std::time::Duration;

const TOKEN: &str = "hunter2.token";
const PAGE: &str = "<html>log in</html>";

/// The response with this body, or with one that is too long, and with this `Retry-After`.
fn respond_with(wait: Option<&str>, status: u16, body: Option<&str>) -> Result<JobStatus, WatchError> {
    classify(&Exchange {
        host: &crate::tests::host(ZohoServer::Api, "US", "ZOHO_API_DOMAIN"),
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::from_iter(wait.map(|wait| (RETRY_AFTER, wait.parse().unwrap()))),
        body: body.map(Into::into),
        now: at("10:00:00"),
        secrets: &[TOKEN],
    })
}

fn respond(status: u16, body: &str) -> Result<JobStatus, WatchError> {
    respond_with(None, status, Some(body))
}

/// The body of a row: JSON or other text as it is, a code, or a code and its details.
fn body(row: &str) -> String {
    let (code, details) = row.split_once(' ').unwrap_or((row, "{}"));
    let is_code = row.starts_with(|c: char| c.is_ascii_uppercase());
    let error = || format!(r#"{{"code":"{code}","details":{details},"message":"m","status":"error"}}"#);
    if is_code { error() } else { row.to_owned() }
}

/// The counts under the initials of their names: total, updated, not updated, failed.
#[test]
fn job_statuses() {
    for (job, status, counts) in [
        // The documentation's own sample.
        (r#"{"T":50000,"U":49500,"N":0,"F":500,"Status":"A"}"#, "A", [50_000, 49_500, 0, 500].map(Some)),
        // Zoho's older specification requires no count.
        (r#"{"Status":"RUNNING","T":null,"U":7}"#, "RUNNING", [None, Some(7), None, None]),
        (r#"{"Status":"A","T":50.0,"F":"1"}"#, "A", [Some(50), None, None, Some(1)]),
        // Counts that cannot be true.
        (r#"{"Status":"A","T":5,"U":6,"F":1}"#, "A", [None, None, None, Some(1)]),
        (r#"{"Status":"A","T":5,"U":4,"F":6}"#, "A", [None, Some(4), None, Some(6)]),
        // Spellings of related endpoints; values and keys that are not documented.
        (r#"{"Status":"in progress"}"#, "IN_PROGRESS", [None; 4]),
        (r#"{"Status":"Completed","x":"\ud800","y":1e400}"#, "COMPLETED", [None; 4]),
        (r#"{"Status":"SUSPENDED","code":null,"message":"half-way"}"#, "SUSPENDED", [None; 4]),
        // The same twice.
        (r#"{"Status":"A","Status":"A"},{"Status":"A","Status":"A"}"#, "A", [None; 4]),
    ] {
        let initials = ["\"T\"", "\"U\"", "\"N\"", "\"F\""].into_iter().zip(operation::COUNTS);
        let job = initials.fold(job.to_owned(), |job, (key, name)| job.replace(key, &format!("{name:?}")));
        // Any 2xx with the documented body.
        let read = respond(202, &format!(r#"{{"data":[{job}],"info":{{}}}}"#)).unwrap();
        assert_eq!(read, crate::tests::job(status, counts), "{job}");
    }
}

#[test]
fn errors() {
    let in_data = |code: &str| format!(r#"{{"data":[{}]}}"#, body(code));
    let long = format!(r#"{{"data":[{{"Status":"{}"}}]}}"#, "A".repeat(101));
    let throttle = r#"{"error":{"status_code":400,"title":"URL_ROLLING_THROTTLES_LIMIT_EXCEEDED","details":{}}}"#;
    for (status, row, expected) in [
        // No such job.
        (204, "", JobNotFound),
        (204, "INVALID_TOKEN", JobNotFound),
        (404, r#"{"code":null,"message":null}"#, JobNotFound),
        (400, r#"INVALID_DATA {"param_name":"job_id"}"#, JobNotFound),
        (400, r#"UNABLE_TO_PARSE_DATA_TYPE {"param":"job_id"}"#, JobNotFound),
        (400, "INVALID_DATA", JobNotFound),
        (400, r#"INVALID_DATA {"param_name":"page"}"#, ZohoUnexpectedResponse),
        // The token.
        (200, "INVALID_OAUTHTOKEN", TokenRejected),
        (401, "SOMETHING_NEW", TokenRejected),
        (401, r#"{"error":"invalid_token","error_description":"expired"}"#, TokenRejected),
        (401, r#"{"code":"oauth scope mismatch"}"#, ScopeMismatch),
        // Permission and module.
        (202, &in_data("NO_PERMISSION"), PermissionDenied),
        (400, "AUTHORIZATION_FAILED", PermissionDenied),
        (403, "SOMETHING_NEW", PermissionDenied),
        (404, r#"{"code":"INVALID_MODULE","message":"\ud800","details":1e400}"#, InvalidModule),
        // A throttle is one at any status, wherever its name stands.
        (429, "INVALID_TOKEN", ZohoRateLimited),
        (429, "slow down", ZohoRateLimited),
        (401, "Limit_Reached", ZohoRateLimited),
        (404, "SOME_NEW_LIMIT", ZohoRateLimited),
        (200, &in_data("API_LIMIT_EXCEEDED"), ZohoRateLimited),
        (403, r#"{"error":"throttling"}"#, ZohoRateLimited),
        (400, throttle, ZohoRateLimited),
        (500, "INVALID_TOKEN", ZohoUnavailable),
        (400, "INTERNAL_ERROR", ZohoUnavailable),
        (502, PAGE, ZohoUnavailable),
        // JSON, but no job.
        (200, "{}", ZohoUnexpectedResponse),
        (200, r#"{"data":[]}"#, ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":7}]}"#, ZohoUnexpectedResponse),
        (200, &long, ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"A","Total_Count":"many"}]}"#, ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"A","Failed_Count":-1}]}"#, ZohoUnexpectedResponse),
        (200, r#"{"code":null,"message":null,"status":"error"}"#, ZohoUnexpectedResponse),
        // Contradictions.
        (200, r#"{"data":[{"Status":"A","Status":"B"}]}"#, ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"A"},{"Status":"B"}]}"#, ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"A"}],"data":[{"Status":"B"}]}"#, ZohoUnexpectedResponse),
    ] {
        let error = respond(status, &body(row)).expect_err(row);
        assert_eq!(error.kind, expected, "{status} {row}");
        let cause = if status == 204 { ErrorCause::NoContent } else { ErrorCause::Stated };
        assert_eq!(error.cause, cause, "{status} {row}");
        assert!(error.message.contains(&format!("HTTP {status}")), "{error}");
    }
}

/// What is not Zoho's says nothing about the job, the token, or the permission.
#[test]
fn what_is_probably_not_from_zoho() {
    let deep = "[".repeat(100_000);
    for (status, body, part) in [
        (200, "", "is not JSON"),
        (200, PAGE, "log in"),
        (200, &deep, "is not JSON"),
        (400, r#"{"message":"m"}"#, "has no error code"),
        (401, r#"{"error":"Unauthorized","status":401}"#, "has no error code"),
        (403, PAGE, "is not JSON"),
        (403, r#"{"code":403,"message":"Forbidden"}"#, "has no error code"),
        (404, "{}", "has no error code"),
        (302, "<html>moved</html>", "a redirect"),
    ] {
        let error = respond(status, body).unwrap_err();
        assert_eq!((error.kind, error.cause), (ZohoUnexpectedResponse, ErrorCause::NotJson), "{error}");
        for part in [part, &format!("HTTP {status}"), "ZOHO_API_DOMAIN"] {
            assert!(error.message.contains(part), "{part:?} is not in {error}");
        }
    }
    // What is too long is judged by its status.
    for (status, expected) in
        [(200, ZohoUnexpectedResponse), (401, ZohoUnexpectedResponse), (429, ZohoRateLimited), (500, ZohoUnavailable)]
    {
        let error = respond_with(None, status, None).unwrap_err();
        assert_eq!(error.kind, expected, "{status}");
        assert_eq!(error.message.contains("exceeds 1 MiB"), expected == ZohoUnexpectedResponse, "{error}");
    }
}

#[test]
fn messages_say_what_to_do() {
    let scopes = format!("{} & {} & {}", operation::SCOPE, operation::MODULE_SCOPE, operation::START_SCOPE);
    let (view, api) = (r#"{"permissions":["View_Leads"]}"#, r#"{"permissions":["Crm_Implied_Api_Access"]}"#);
    let [view, api] = [view, api].map(|details| format!("NO_PERMISSION {details}"));
    for (status, row, parts) in [
        (401, "OAUTH_SCOPE_MISMATCH", &*scopes),
        (404, "INVALID_URL_PATTERN", "ZOHO_API_DOMAIN & ZOHO_API_VERSION"),
        (400, "INVALID_HOST", "ZOHO_API_DOMAIN & https://www.zohoapis.com & INVALID_HOST"),
        (403, &view, "NO_PERMISSION & View_Leads & \"m\" & access to the module"),
        (403, &api, "\"Zoho CRM API Access\" in the profile"),
        (403, "IP_NOT_ALLOWED", "certain IP addresses"),
        (403, "LICENSE_EXPIRED", "licenses are valid"),
        (400, "FEATURE_NOT_SUPPORTED", "Enterprise and Ultimate editions"),
        (204, "", "60 days & sandbox"),
        (404, "NOT_FOUND", "the job exists, but in another module"),
        (404, "REQUIRED_PARAM_MISSING", "does not know this job"),
        (400, "INVALID_MODULE", "API name"),
        (401, "INVALID_TOKEN", "https://www.zohoapis.com, set by ZOHO_API_DOMAIN"),
        // Wherever the code and the message stand.
        (400, r#"{"error":{"title":"A-B","details":{"message":"m"}}}"#, "HTTP 400 A-B \"m\""),
        (400, r#"{"error":{"code":"x-y","message":"m"}}"#, "HTTP 400 x-y \"m\""),
        (405, r#"{"code":1234}"#, "HTTP 405 1234"),
        // What nobody knows has no advice: this is the end.
        (418, "SOMETHING_NEW", "returned HTTP 418 SOMETHING_NEW \"m\")\n"),
    ] {
        let error = format!("{}\n", respond(status, &body(row)).unwrap_err());
        for part in parts.split(" & ") {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}

#[test]
fn waits_that_zoho_asks_for() {
    for (header, details, seconds) in [
        (Some("7"), "{}", Some(7)),
        (Some("Mon, 23 Nov 2026 10:00:30 GMT"), "{}", Some(30)),
        (Some("Mon, 23 Nov 2026 09:00:00 GMT"), "{}", Some(0)),
        (Some("nan"), "{}", None),
        (Some("soon"), "{}", None),
        (None, r#"{"retry_after":12}"#, Some(12)),
        (Some("7"), r#"{"retry_after":"12"}"#, Some(12)),
        (Some("7"), r#"{"retry_after":-1}"#, Some(7)),
    ] {
        let body = body(&format!("TOO_MANY_REQUESTS {details}"));
        let error = respond_with(header, 429, Some(&body)).unwrap_err();
        assert_eq!(error.retry_after, seconds.map(Duration::from_secs), "{body}");
    }
}
