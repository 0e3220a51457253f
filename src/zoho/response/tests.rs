//! One row for each response of the status endpoint that is known, documented, or reported (docs/zoho-api.md).

use super::*;
use crate::http::Origin;
use crate::zoho::data_center::{DataCenter, DataCenterSource};
use crate::zoho::hosts::HostSource;
use ErrorType::*;

const TOKEN: &str = "hunter2.token";

fn api_host() -> ApiHost {
    ApiHost {
        origin: Origin::parse_host("www.zohoapis.com").unwrap(),
        source: HostSource::DataCenter(DataCenter::default(), DataCenterSource::Default),
        conflicting: None,
    }
}

fn respond_from(
    host: &ApiHost,
    headers: &HeaderMap,
    status: u16,
    body: &str,
) -> Result<JobStatus, Box<StatusError>> {
    classify(&StatusResponse {
        host,
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.as_bytes(),
        now: Timestamp::from_epoch_seconds(1_795_428_000), // 2026-11-23T10:00:00Z
        secrets: &[TOKEN],
    })
}

fn respond(status: u16, body: &str) -> Result<JobStatus, Box<StatusError>> {
    respond_from(&api_host(), &HeaderMap::new(), status, body)
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
    for (body, status, expected) in [
        // The documentation's own sample.
        (
            r#"{"data":[{"Total_Count":50000,"Updated_Count":49500,"Not_Updated_Count":0,"Failed_Count":500,"Status":"COMPLETED"}]}"#,
            "COMPLETED",
            counts(Some(50_000), Some(49_500), Some(0), Some(500)),
        ),
        // Zoho's older specification requires no count.
        (r#"{"data":[{"Status":"SCHEDULED"}]}"#, "SCHEDULED", Counts::default()),
        (
            r#"{"data":[{"Status":"RUNNING","Total_Count":null,"Updated_Count":7}]}"#,
            "RUNNING",
            counts(None, Some(7), None, None),
        ),
        // Spellings of related endpoints.
        (r#"{"data":[{"Status":"in progress"}]}"#, "IN_PROGRESS", Counts::default()),
        (r#"{"data":[{"Status":"Completed"}]}"#, "COMPLETED", Counts::default()),
        // Values and keys that are not documented.
        (r#"{"data":[{"Status":"SUSPENDED","Job_Id":"1"}],"info":{}}"#, "SUSPENDED", Counts::default()),
        (r#"{"data":[{"Status":"RUNNING","code":null}]}"#, "RUNNING", Counts::default()),
        (r#"{"data":[{"Status":"RUNNING"},7],"x":"\ud800","y":1e400}"#, "RUNNING", Counts::default()),
        // A job's own message is not an error envelope.
        (r#"{"data":[{"Status":"RUNNING","message":"half-way"}]}"#, "RUNNING", Counts::default()),
    ] {
        let job = respond(200, body).unwrap_or_else(|error| panic!("{body}: {error:?}"));
        assert_eq!((job.status.as_str(), job.counts), (status, expected), "{body}");
    }
    assert!(respond(202, r#"{"data":[{"Status":"RUNNING"}]}"#).is_ok(), "any 2xx with the documented body");
}

#[test]
fn errors() {
    for (status, body, expected) in [
        // No such job.
        (204, String::new(), JobNotFound),
        (204, r#"{"code":"NO_DATA","message":"no such job"}"#.into(), JobNotFound),
        (204, plain("INVALID_TOKEN"), JobNotFound),
        (204, "<html>".into(), JobNotFound),
        (404, r#"{"code":null,"message":null}"#.into(), JobNotFound),
        (404, "{}".into(), JobNotFound),
        (404, String::new(), JobNotFound),
        (404, plain("NOT_FOUND"), JobNotFound),
        (404, plain("NO_DATA"), JobNotFound),
        (400, plain("REQUIRED_PARAM_MISSING"), JobNotFound),
        (404, plain("REQUIRED_PARAM_MISSING"), JobNotFound),
        (400, coded("INVALID_DATA", r#"{"param_name":"job_id"}"#), JobNotFound),
        (400, coded("UNABLE_TO_PARSE_DATA_TYPE", r#"{"param_name":"job_id"}"#), JobNotFound),
        (400, plain("INVALID_DATA"), JobNotFound),
        (400, coded("INVALID_DATA", r#"{"param_name":"page"}"#), ZohoUnexpectedResponse),
        // The token.
        (401, plain("INVALID_TOKEN"), TokenRejected),
        (401, plain("AUTHENTICATION_FAILURE"), TokenRejected),
        (200, plain("INVALID_OAUTHTOKEN"), TokenRejected),
        (401, plain("SOMETHING_NEW"), TokenRejected),
        (401, String::new(), TokenRejected),
        (401, r#"{"error":"invalid_token","error_description":"expired"}"#.into(), TokenRejected),
        (401, plain("OAUTH_SCOPE_MISMATCH"), ScopeMismatch),
        (401, plain("oauth scope mismatch"), ScopeMismatch),
        // Permission and module.
        (403, plain("NO_PERMISSION"), PermissionDenied),
        (403, coded("NO_PERMISSION", r#"{"permissions":["Crm_Implied_View_Leads"]}"#), PermissionDenied),
        (403, plain("SOMETHING_NEW"), PermissionDenied),
        (403, "<html>forbidden</html>".into(), PermissionDenied),
        (400, plain("INVALID_MODULE"), InvalidModule),
        (404, plain("INVALID_MODULE"), InvalidModule),
        // Later. A rate limit is one at any status.
        (429, plain("TOO_MANY_REQUESTS"), ZohoRateLimited),
        (429, plain("INVALID_TOKEN"), ZohoRateLimited),
        (429, "slow down".into(), ZohoRateLimited),
        (400, plain("TOO_MANY_REQUESTS"), ZohoRateLimited),
        (400, plain("LIMIT_EXCEEDED"), ZohoRateLimited),
        (401, plain("LIMIT_REACHED"), ZohoRateLimited),
        (403, plain("LIMIT_REACHED"), ZohoRateLimited),
        (404, plain("LIMIT_REACHED"), ZohoRateLimited),
        (503, plain("TOO_MANY_REQUESTS"), ZohoRateLimited),
        (200, plain("TOO MANY REQUESTS"), ZohoRateLimited),
        (500, plain("INTERNAL_ERROR"), ZohoUnavailable),
        (500, plain("INTERNAL_SERVER_ERROR"), ZohoUnavailable),
        (500, plain("INVALID_TOKEN"), ZohoUnavailable),
        (400, plain("INTERNAL_ERROR"), ZohoUnavailable),
        (502, "<html>Bad gateway</html>".into(), ZohoUnavailable),
        (503, String::new(), ZohoUnavailable),
        // Not what is documented.
        (400, plain("INVALID_HOST"), ZohoUnexpectedResponse),
        (404, plain("INVALID_URL_PATTERN"), ZohoUnexpectedResponse),
        (400, plain("SOMETHING_NEW"), ZohoUnexpectedResponse),
        (405, plain("INVALID_REQUEST_METHOD"), ZohoUnexpectedResponse),
        (304, plain("Not Modified"), ZohoUnexpectedResponse),
        (200, "{}".into(), ZohoUnexpectedResponse),
        (200, "null".into(), ZohoUnexpectedResponse),
        (200, "[]".into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":{}}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[null]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Total_Count":5}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":null}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":7}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":""}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"\ud800"}]}"#.into(), ZohoUnexpectedResponse),
        (200, format!(r#"{{"data":[{{"Status":"{}"}}]}}"#, "A".repeat(101)), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Total_Count":"50000"}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":-1}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":1.5}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":1e400}]}"#.into(), ZohoUnexpectedResponse),
        // Errors in data[0] with a 2xx, keys in another order, a code alone.
        (200, format!(r#"{{"data":[{}]}}"#, plain("INVALID_TOKEN")), TokenRejected),
        (202, format!(r#"{{"data":[{}]}}"#, plain("NO_PERMISSION")), PermissionDenied),
        (
            200,
            r#"{"data":[{"status":"error","message":"m","details":{},"code":"INVALID_MODULE"}]}"#.into(),
            InvalidModule,
        ),
        (400, r#"{"message":"m","code":"INVALID_MODULE"}"#.into(), InvalidModule),
        (400, r#"{"code":"INVALID_MODULE"}"#.into(), InvalidModule),
        (400, r#"{"code":"INVALID_MODULE","message":"\ud800","details":1e400}"#.into(), InvalidModule),
        (200, r#"{"code":null,"message":null,"status":"error"}"#.into(), ZohoUnexpectedResponse),
        (400, r#"{"code":1234}"#.into(), ZohoUnexpectedResponse),
    ] {
        {
            let error = respond(status, &body).expect_err(&body);
            assert_eq!(error.error.kind(), expected, "{status} {body}");
            let is_retried = matches!(expected, ZohoRateLimited | ZohoUnavailable);
            assert_eq!(error.retry != Retry::No, is_retried, "{status} {body}");
            assert!(error.error.message().contains(&format!("HTTP {status}")), "{:?}", error.error);
        }
    }
}

/// A stray page is retried. If it stays, it is a mistake in a new watch, and an outage in one that has worked.
#[test]
fn what_is_not_json() {
    let deep = "[".repeat(100_000);
    for (status, body) in [
        (200, ""),
        (200, "<html>log in</html>"),
        (200, "garbage"),
        (200, r#"{"data":[{"Status":"RUNN"#),
        (200, r#"{"data":[{"Status":"RUNNING"}]}x"#),
        (200, &deep),
        (404, "<html>Not found</html>"),
        (400, "bad request"),
        (301, ""),
        (302, "<html>moved</html>"),
        (302, "{}"),
        (307, "null"),
    ] {
        {
            let error = respond(status, body).unwrap_err();
            assert_eq!(error.error.kind(), ZohoUnexpectedResponse, "{status} {body:.20}");
            assert_eq!(
                error.error.clone().of_watch_that_worked().kind(),
                ZohoUnavailable,
                "{status} {body:.20}"
            );
            assert_eq!(error.retry, Retry::Backoff, "{status} {body:.20}");
            assert!(error.error.message().contains(&format!("HTTP {status}")), "{:?}", error.error);
        }
    }
}

#[test]
fn oversized_responses_keep_the_meaning_of_their_status() {
    for (status, expected) in [
        (200, ZohoUnexpectedResponse),
        (404, ZohoUnexpectedResponse),
        (401, TokenRejected),
        (403, PermissionDenied),
        (429, ZohoRateLimited),
        (500, ZohoUnavailable),
    ] {
        let error = StatusResponse {
            host: &api_host(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: &HeaderMap::new(),
            body: &[],
            now: Timestamp::from_epoch_seconds(0),
            secrets: &[],
        }
        .oversized();
        assert_eq!(error.error.kind(), expected, "{status}");
    }
}

#[test]
fn messages_say_what_to_do() {
    const SCOPES: [&str; 3] =
        ["ZohoCRM.change_owner.READ", "ZohoCRM.change_owner.leads.READ", "ZohoCRM.change_owner.CREATE"];
    for (status, body, parts) in [
        (401, plain("OAUTH_SCOPE_MISMATCH"), &[SCOPES[0], SCOPES[1], SCOPES[2], "OAUTH_SCOPE_MISMATCH"][..]),
        (404, plain("INVALID_URL_PATTERN"), &["ZOHO_API_DOMAIN", "ZOHO_API_VERSION"]),
        (400, plain("INVALID_HOST"), &["ZOHO_API_DOMAIN", "https://www.zohoapis.com", "INVALID_HOST"]),
        (
            403,
            coded("NO_PERMISSION", r#"{"permissions":["View_Leads"]}"#),
            &["NO_PERMISSION", "View_Leads", "\"m\""],
        ),
        (204, String::new(), &["60 days", "sandbox"]),
        (404, "{}".into(), &["the job exists, but in another module"]),
        (404, plain("REQUIRED_PARAM_MISSING"), &["does not know this job"]),
        (400, plain("INVALID_MODULE"), &["API name"]),
        (302, String::new(), &["ZOHO_API_DOMAIN", "redirect"]),
        (
            401,
            plain("INVALID_TOKEN"),
            &["https://www.zohoapis.com, the host of data center US (the default)"],
        ),
    ] {
        let message = respond(status, &body).unwrap_err().error.message().to_owned();
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }
}

#[test]
fn a_token_of_another_data_center_is_named_with_the_setting_to_correct() {
    for (source, advice) in [
        (HostSource::Variable("ZOHO_API_DOMAIN"), "correct or remove ZOHO_API_DOMAIN"),
        (HostSource::SecretField("api_domain"), "correct or remove `api_domain` in the secret"),
    ] {
        let conflicting = Some(Origin::parse_host("www.zohoapis.eu").unwrap());
        let host = ApiHost { source, conflicting, ..api_host() };
        let error = respond_from(&host, &HeaderMap::new(), 401, &plain("INVALID_TOKEN")).unwrap_err();
        for part in ["https://www.zohoapis.com, set by", "names https://www.zohoapis.eu", advice] {
            assert!(error.error.message().contains(part), "{part:?} is not in {}", error.error);
        }
    }
}

#[test]
fn a_status_has_at_most_100_characters() {
    let with_length =
        |length| respond(200, &format!(r#"{{"data":[{{"Status":"{}"}}]}}"#, "X".repeat(length)));
    assert!(with_length(100).is_ok() && with_length(101).is_err());
}

#[test]
fn bodies_are_quoted_in_short_and_on_one_line() {
    let page = format!("<html>\n{}</html>", "x".repeat(5_000));
    for status in [200, 403, 404, 500] {
        let message = respond(status, &page).unwrap_err().error.message().to_owned();
        assert!(!message.contains('\n'));
        assert!(!message.contains(&"x".repeat(200)), "{message}");
    }
    let long = format!(r#"{{"code":"{}","message":"{}"}}"#, "A".repeat(5_000), "y".repeat(5_000));
    let message = respond(400, &long).unwrap_err().error.message().to_owned();
    assert!(message.len() < 1_000, "{message}");
}

#[test]
fn waits_that_zoho_asks_for() {
    let rate_limited = |header: Option<&str>, body: &str| {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(::http::header::RETRY_AFTER, value.parse().unwrap());
        }
        respond_from(&api_host(), &headers, 429, body).unwrap_err().retry
    };
    let after = |seconds| Retry::After(Duration::from_secs(seconds));
    for (header, body, expected) in [
        (None, "", Retry::Backoff),
        (Some("7"), "", after(7)),
        (Some("Mon, 23 Nov 2026 10:00:30 GMT"), "", after(30)),
        (Some("soon"), "", Retry::Backoff),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":12}}"#, after(12)),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":"12"}}"#, after(12)),
        (Some("7"), r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":12}}"#, after(12)),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":-1}}"#, Retry::Backoff),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":1e300}}"#, Retry::Backoff),
        (Some("7"), r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":1e400}}"#, after(7)),
    ] {
        assert_eq!(rate_limited(header, body), expected, "{header:?} {body}");
    }
}

#[test]
fn an_echoed_token_is_never_shown() {
    for body in [
        r#"{"code":"bad hunter2.token","message":"bad hunter2.token"}"#,
        r#"{"code":"NO_PERMISSION","message":"m","details":{"permissions":["hunter2.token"]}}"#,
        "<html>hunter2.token aHVudGVyMi50b2tlbg==</html>",
        r#"{"data":[{"Status":"hunter2.token"}]}"#,
        r#"{"data":[{"Status":"Hunter2 Token"}]}"#,
        r#"{"data":[{"Status":"1000.8cb99d1234567890abcdef1234be93.9b8123456789abcdef hunter2"}]}"#,
    ] {
        for status in [200, 302, 400, 401, 403, 500] {
            let shown = format!("{:?}", respond(status, body).unwrap_err()).to_ascii_lowercase();
            let leaks = ["hunter2.token", "ahvudgvymi50b2tlbg", "8cb99d12"].map(|part| shown.contains(part));
            assert_eq!(leaks, [false; 3], "{shown}");
        }
    }
    let body = format!("{}{TOKEN}", "x".repeat(196));
    assert!(!format!("{:?}", respond(400, &body).unwrap_err()).contains("hun"), "not even its beginning");
}
