//! One row for each response of the status endpoint that is known, documented, or reported (docs/zoho-api.md).

use super::*;
use crate::http::Origin;
use crate::timestamp::Timestamp;
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use crate::zoho::retry::Retry;
use ::http::header::{CONTENT_ENCODING, HeaderName, RETRY_AFTER};
use ErrorType::*;
use std::time::Duration;

const TOKEN: &str = "hunter2.token";
const PAGE: &str = "<html>log in</html>";

fn api_host() -> ZohoHost {
    ZohoHost {
        server: ZohoServer::Api,
        origin: DataCenter::default().api_origin(),
        setting: "ZOHO_API_DOMAIN",
        conflicting: None,
    }
}

fn respond_from(
    host: &ZohoHost,
    header: Option<(HeaderName, &str)>,
    status: u16,
    body: Option<&str>,
) -> Result<JobStatus, WatchError> {
    classify(&Exchange {
        host,
        status: StatusCode::from_u16(status).unwrap(),
        headers: header.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect(),
        body: body.map(Into::into),
        now: Timestamp::from_epoch_seconds(1_795_428_000), // 2026-11-23T10:00:00Z
        secrets: &[TOKEN],
    })
}

fn respond(status: u16, body: &str) -> Result<JobStatus, WatchError> {
    respond_from(&api_host(), None, status, Some(body))
}

fn coded(code: &str, details: &str) -> String {
    format!(r#"{{"code":"{code}","details":{details},"message":"m","status":"error"}}"#)
}

fn plain(code: &str) -> String {
    coded(code, "{}")
}

#[test]
fn job_statuses() {
    let counts = |total, updated, not_updated, failed| Counts { total, updated, not_updated, failed };
    let none = Counts::default();
    for (job, status, expected) in [
        // The documentation's own sample.
        (
            r#"{"Total_Count":50000,"Updated_Count":49500,"Not_Updated_Count":0,"Failed_Count":500,"Status":"COMPLETED"}"#,
            "COMPLETED",
            counts(Some(50_000), Some(49_500), Some(0), Some(500)),
        ),
        // Zoho's older specification requires no count.
        (r#"{"Status":"SCHEDULED"}"#, "SCHEDULED", none),
        (
            r#"{"Status":"RUNNING","Total_Count":null,"Updated_Count":7}"#,
            "RUNNING",
            counts(None, Some(7), None, None),
        ),
        (
            r#"{"Status":"RUNNING","Total_Count":50.0,"Updated_Count":"49","Failed_Count":1e0}"#,
            "RUNNING",
            counts(Some(50), Some(49), None, Some(1)),
        ),
        // Counts that cannot be true.
        (
            r#"{"Status":"COMPLETED","Total_Count":50,"Updated_Count":51,"Failed_Count":1}"#,
            "COMPLETED",
            counts(None, None, None, Some(1)),
        ),
        (
            r#"{"Status":"COMPLETED","Total_Count":50,"Updated_Count":49,"Failed_Count":51}"#,
            "COMPLETED",
            counts(None, Some(49), None, Some(51)),
        ),
        // Spellings of related endpoints; values and keys that are not documented.
        (r#"{"Status":"in progress"}"#, "IN_PROGRESS", none),
        (r#"{"Status":"Completed","x":"\ud800","y":1e400}"#, "COMPLETED", none),
        (r#"{"Status":"SUSPENDED","code":null,"message":"half-way"}"#, "SUSPENDED", none),
        // The same twice.
        (
            r#"{"Status":"RUNNING","Status":"RUNNING"},{"Status":"RUNNING","Status":"RUNNING"}"#,
            "RUNNING",
            none,
        ),
    ] {
        let read = respond(200, &format!(r#"{{"data":[{job}],"info":{{}}}}"#)).unwrap();
        assert_eq!((read.status.as_str(), read.counts), (status, expected), "{job}");
    }
    assert!(respond(202, r#"{"data":[{"Status":"RUNNING"}]}"#).is_ok(), "any 2xx with the documented body");
}

/// Whether the request is sent again follows from the error: what may be different a moment later.
#[test]
fn errors() {
    for (status, body, expected) in [
        // No such job.
        (204, String::new(), JobNotFound),
        (204, plain("INVALID_TOKEN"), JobNotFound),
        (404, r#"{"code":null,"message":null}"#.into(), JobNotFound),
        (404, plain("NOT_FOUND"), JobNotFound),
        (400, plain("REQUIRED_PARAM_MISSING"), JobNotFound),
        (400, coded("INVALID_DATA", r#"{"param_name":"job_id"}"#), JobNotFound),
        (400, coded("UNABLE_TO_PARSE_DATA_TYPE", r#"{"param":"job_id"}"#), JobNotFound),
        (400, plain("INVALID_DATA"), JobNotFound),
        (400, coded("INVALID_DATA", r#"{"param_name":"page"}"#), ZohoUnexpectedResponse),
        // The token.
        (401, plain("INVALID_TOKEN"), TokenRejected),
        (200, plain("INVALID_OAUTHTOKEN"), TokenRejected),
        (200, format!(r#"{{"data":[{}]}}"#, plain("INVALID_TOKEN")), TokenRejected),
        (401, plain("SOMETHING_NEW"), TokenRejected),
        (401, r#"{"error":"invalid_token","error_description":"expired"}"#.into(), TokenRejected),
        (401, plain("oauth scope mismatch"), ScopeMismatch),
        // Permission and module.
        (403, plain("NO_PERMISSION"), PermissionDenied),
        (202, format!(r#"{{"data":[{}]}}"#, plain("NO_PERMISSION")), PermissionDenied),
        (400, plain("AUTHORIZATION_FAILED"), PermissionDenied),
        (403, plain("SOMETHING_NEW"), PermissionDenied),
        (400, plain("INVALID_MODULE"), InvalidModule),
        (404, r#"{"code":"INVALID_MODULE","message":"\ud800","details":1e400}"#.into(), InvalidModule),
        // Later. A throttle is one at any status, wherever its name stands.
        (429, plain("INVALID_TOKEN"), ZohoRateLimited),
        (429, "slow down".into(), ZohoRateLimited),
        (400, plain("TOO_MANY_REQUESTS"), ZohoRateLimited),
        (401, plain("Limit_Reached"), ZohoRateLimited),
        (404, plain("SOME_NEW_LIMIT"), ZohoRateLimited),
        (503, plain("THROTTLED"), ZohoRateLimited),
        (200, format!(r#"{{"data":[{}]}}"#, plain("API_LIMIT_EXCEEDED")), ZohoRateLimited),
        (403, r#"{"error":"throttling"}"#.into(), ZohoRateLimited),
        (
            400,
            r#"{"error":{"status_code":400,"title":"URL_ROLLING_THROTTLES_LIMIT_EXCEEDED","details":{"message":"m"}}}"#
                .into(),
            ZohoRateLimited,
        ),
        (500, plain("INVALID_TOKEN"), ZohoUnavailable),
        (400, plain("INTERNAL_ERROR"), ZohoUnavailable),
        (502, PAGE.into(), ZohoUnavailable),
        (503, String::new(), ZohoUnavailable),
        // Codes that are not known here.
        (400, plain("INVALID_HOST"), ZohoUnexpectedResponse),
        (404, plain("INVALID_URL_PATTERN"), ZohoUnexpectedResponse),
        (400, plain("SOMETHING_NEW"), ZohoUnexpectedResponse),
        (405, r#"{"code":1234}"#.into(), ZohoUnexpectedResponse),
        (304, plain("Not Modified"), ZohoUnexpectedResponse),
        // JSON, but no job.
        (200, "{}".into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[null]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Total_Count":5}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":7}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"\ud800"}]}"#.into(), ZohoUnexpectedResponse),
        (200, format!(r#"{{"data":[{{"Status":"{}"}}]}}"#, "A".repeat(101)), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Total_Count":"many"}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":-1}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":1.5}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"code":null,"message":null,"status":"error"}"#.into(), ZohoUnexpectedResponse),
        // Contradictions.
        (200, r#"{"data":[{"Status":"RUNNING","Status":"FAILED"}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING"},{"Status":"FAILED"}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"FAILED"}],"data":[{"Status":"RUNNING"}]}"#.into(), ZohoUnexpectedResponse),
    ] {
        let error = respond(status, &body).expect_err(&body);
        assert_eq!(error.kind(), expected, "{status} {body}");
        assert_eq!(error.cause() == ErrorCause::NoContent, status == 204, "{status} {body}");
        assert_ne!(error.cause(), ErrorCause::NotJson, "{status} {body}");
        let is_retried = matches!(expected, ZohoRateLimited | ZohoUnavailable);
        assert_eq!(Retry::after(&error) != Retry::No, is_retried, "{status} {body}");
        assert!(error.message().contains(&format!("HTTP {status}")), "{error}");
    }
}

/// What is not Zoho's says nothing about the job, the token, or the permission.
#[test]
fn what_is_probably_not_from_zoho() {
    let deep = "[".repeat(100_000);
    for (status, body, part) in [
        (200, "", "is not JSON"),
        (200, PAGE, "log in"),
        (200, r#"{"data":[{"Status":"RUNN"#, "is not JSON"),
        (200, r#"{"data":[{"Status":"RUNNING"}]}x"#, "is not JSON"),
        (200, &deep, "is not JSON"),
        (400, "bad request", "is not JSON"),
        (400, r#"{"message":"m"}"#, "has no error code"),
        (401, "", "is not JSON"),
        (401, r#"{"error":"Unauthorized","status":401}"#, "has no error code"),
        (401, r#"{"code":null}"#, "has no error code"),
        (403, PAGE, "is not JSON"),
        (403, r#"{"message":"Forbidden"}"#, "has no error code"),
        (403, r#"{"code":403,"message":"Forbidden"}"#, "has no error code"),
        (404, "", "is not JSON"),
        (404, "{}", "has no error code"),
        (404, r#"{"error":"Not Found","path":"/crm"}"#, "has no error code"),
        (408, PAGE, "is not JSON"),
        (302, "<html>moved</html>", "a redirect"),
        (307, "null", "a redirect"),
    ] {
        let error = respond(status, body).unwrap_err();
        assert_eq!((error.kind(), error.cause()), (ZohoUnexpectedResponse, ErrorCause::NotJson), "{error}");
        assert_eq!(Retry::after(&error), Retry::Backoff, "{error}");
        for part in [part, &format!("HTTP {status}"), "ZOHO_API_DOMAIN"] {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
    }
    let gzip = Some((CONTENT_ENCODING, "gzip"));
    let error = respond_from(&api_host(), gzip, 200, Some("\u{1f}\u{8b}\u{8}")).unwrap_err();
    assert!(error.message().contains("compressed (Content-Encoding: gzip)"), "{error}");
    assert_eq!(error.cause(), ErrorCause::NotJson);
}

#[test]
fn what_is_too_long_is_judged_by_its_status() {
    for (status, expected) in [
        (200, ZohoUnexpectedResponse),
        (401, ZohoUnexpectedResponse),
        (429, ZohoRateLimited),
        (500, ZohoUnavailable),
    ] {
        let error = respond_from(&api_host(), None, status, None).unwrap_err();
        assert_eq!(error.kind(), expected, "{status}");
        assert_eq!(error.message().contains("exceeds 1 MiB"), expected == ZohoUnexpectedResponse, "{error}");
    }
}

#[test]
fn messages_say_what_to_do() {
    let permissions = |name: &str| coded("NO_PERMISSION", &format!(r#"{{"permissions":["{name}"]}}"#));
    for (status, body, parts) in [
        (
            401,
            plain("OAUTH_SCOPE_MISMATCH"),
            &[
                "ZohoCRM.change_owner.READ",
                "ZohoCRM.change_owner.leads.READ",
                "ZohoCRM.change_owner.CREATE",
                "OAUTH_SCOPE_MISMATCH",
            ][..],
        ),
        (404, plain("INVALID_URL_PATTERN"), &["ZOHO_API_DOMAIN", "ZOHO_API_VERSION"]),
        (400, plain("INVALID_HOST"), &["ZOHO_API_DOMAIN", "https://www.zohoapis.com", "INVALID_HOST"]),
        (403, permissions("View_Leads"), &["NO_PERMISSION", "View_Leads", "\"m\"", "access to the module"]),
        (403, permissions("Crm_Implied_Api_Access"), &["\"Zoho CRM API Access\" in the profile"]),
        (403, plain("IP_NOT_ALLOWED"), &["certain IP addresses"]),
        (403, plain("LICENSE_EXPIRED"), &["licenses are valid"]),
        (400, plain("FEATURE_NOT_SUPPORTED"), &["Enterprise and Ultimate editions"]),
        (204, String::new(), &["60 days", "sandbox"]),
        (404, plain("NOT_FOUND"), &["the job exists, but in another module"]),
        (404, plain("REQUIRED_PARAM_MISSING"), &["does not know this job"]),
        (400, plain("INVALID_MODULE"), &["API name"]),
        (401, plain("INVALID_TOKEN"), &["https://www.zohoapis.com, set by ZOHO_API_DOMAIN"]),
        (400, r#"{"error":{"title":"A-B"}}"#.into(), &["HTTP 400 A-B"]),
    ] {
        let error = respond(status, &body).unwrap_err();
        for part in parts {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
    }
    // What nobody knows has no advice.
    let error = respond(418, &plain("SOMETHING_NEW")).unwrap_err();
    assert!(error.message().ends_with(r#"returned HTTP 418 SOMETHING_NEW "m")"#), "{error}");
    // A token of another data center.
    let conflicting = Some(Origin::parse_host("www.zohoapis.eu").unwrap());
    let host = ZohoHost { conflicting, setting: "`api_domain` in the secret", ..api_host() };
    let error = respond_from(&host, None, 401, Some(&plain("INVALID_TOKEN"))).unwrap_err();
    for part in ["names https://www.zohoapis.eu", "correct or remove `api_domain` in the secret"] {
        assert!(error.message().contains(part), "{part:?} is not in {error}");
    }
}

#[test]
fn waits_that_zoho_asks_for() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (header, body, expected) in [
        (None, "", None),
        (Some("7"), "", seconds(7)),
        (Some("Mon, 23 Nov 2026 10:00:30 GMT"), "", seconds(30)),
        (Some("soon"), "", None),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":12}}"#, seconds(12)),
        (Some("7"), r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":"12"}}"#, seconds(12)),
        (Some("7"), r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":-1}}"#, seconds(7)),
    ] {
        let header = header.map(|value| (RETRY_AFTER, value));
        let error = respond_from(&api_host(), header, 429, Some(body)).unwrap_err();
        assert_eq!(error.retry_after(), expected, "{body}");
        assert_eq!(Retry::after(&error), expected.map_or(Retry::Backoff, Retry::After), "{body}");
    }
}

#[test]
fn an_echoed_token_is_never_shown() {
    // Cut in the middle of the token.
    let long = format!("{}{TOKEN}", "x".repeat(196));
    for body in [
        r#"{"code":"bad hunter2.token","message":"bad hunter2.token"}"#,
        r#"{"code":"NO_PERMISSION","message":"m","details":{"permissions":["hunter2.token"]}}"#,
        r#"{"data":[{"Status":"Hunter2 Token"}]}"#,
        r#"{"data":[{"Status":"1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef hunter2"}]}"#,
        &long,
    ] {
        let shown = format!("{:?}", respond(200, body).unwrap_err()).to_ascii_lowercase();
        assert!(!shown.contains("hun") && !shown.contains("8cb99d12"), "{shown}");
    }
}
