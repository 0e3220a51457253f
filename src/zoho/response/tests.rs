//! A row for each thing that Zoho is known, documented or reported to answer.

use super::*;
use ErrorType::*;

fn now() -> Timestamp {
    Timestamp::from_epoch_seconds(1_795_428_000) // 2026-11-23T10:00:00Z
}

fn answer_with(headers: &HeaderMap, status: u16, body: &str) -> Result<JobStatus, Box<StatusError>> {
    let status = StatusCode::from_u16(status).unwrap();
    classify(&StatusResponse { status, headers, body: body.as_bytes(), now: now(), secrets: &["hunter2"] })
}

fn answer(status: u16, body: &str) -> Result<JobStatus, Box<StatusError>> {
    answer_with(&HeaderMap::new(), status, body)
}

#[test]
fn job_statuses() {
    let counts = |total, updated, not_updated, failed| Counts { total, updated, not_updated, failed };
    for (body, word, expected) in [
        // The documentation's own sample.
        (
            r#"{"data":[{"Total_Count":50000,"Updated_Count":49500,"Not_Updated_Count":0,"Failed_Count":500,"Status":"COMPLETED"}]}"#,
            "COMPLETED",
            counts(Some(50_000), Some(49_500), Some(0), Some(500)),
        ),
        // No count is required by Zoho's older specification.
        (r#"{"data":[{"Status":"SCHEDULED"}]}"#, "SCHEDULED", Counts::default()),
        (
            r#"{"data":[{"Status":"RUNNING","Total_Count":null,"Updated_Count":7}]}"#,
            "RUNNING",
            counts(None, Some(7), None, None),
        ),
        // Spellings of the sister endpoints.
        (r#"{"data":[{"Status":"in progress"}]}"#, "IN_PROGRESS", Counts::default()),
        (r#"{"data":[{"Status":"Completed"}]}"#, "COMPLETED", Counts::default()),
        // Words and keys that nobody documented.
        (r#"{"data":[{"Status":"SUSPENDED","Job_Id":"1"}],"info":{}}"#, "SUSPENDED", Counts::default()),
        // A job's own message is no error envelope.
        (r#"{"data":[{"Status":"RUNNING","message":"half-way"}]}"#, "RUNNING", Counts::default()),
    ] {
        let job = answer(200, body).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}"));
        assert_eq!((job.status.as_str(), job.counts), (word, expected), "{body}");
    }
    assert!(answer(202, r#"{"data":[{"Status":"RUNNING"}]}"#).is_ok(), "any 2xx with the documented body");
}

#[test]
fn refusals() {
    let error = |code: &str, details: &str| {
        format!(r#"{{"code":"{code}","details":{details},"message":"m","status":"error"}}"#)
    };
    let plain = |code: &str| error(code, "{}");
    for (status, body, expected) in [
        // No such job.
        (204, String::new(), JobNotFound),
        (204, r#"{"code":"NO_DATA","message":"no such job"}"#.into(), JobNotFound),
        (204, "<html>".into(), JobNotFound),
        (404, r#"{"code":null,"message":null}"#.into(), JobNotFound),
        (404, "{}".into(), JobNotFound),
        (404, String::new(), JobNotFound),
        (404, plain("NOT_FOUND"), JobNotFound),
        (400, plain("REQUIRED_PARAM_MISSING"), JobNotFound),
        (404, plain("REQUIRED_PARAM_MISSING"), JobNotFound),
        (400, error("INVALID_DATA", r#"{"param_name":"job_id"}"#), JobNotFound),
        (400, error("UNABLE_TO_PARSE_DATA_TYPE", r#"{"param_name":"job_id"}"#), JobNotFound),
        (
            400,
            r#"{"code":"INVALID_DATA","details":{},"message":"the job_id is invalid","status":"error"}"#
                .into(),
            JobNotFound,
        ),
        (400, error("INVALID_DATA", r#"{"param_name":"page"}"#), ZohoUnexpectedResponse),
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
        (403, error("NO_PERMISSION", r#"{"permissions":["Crm_Implied_View_Leads"]}"#), PermissionDenied),
        (403, plain("SOMETHING_NEW"), PermissionDenied),
        (403, "<html>forbidden</html>".into(), PermissionDenied),
        (400, plain("INVALID_MODULE"), InvalidModule),
        (404, plain("INVALID_MODULE"), InvalidModule),
        // Later.
        (429, plain("TOO_MANY_REQUESTS"), ZohoRateLimited),
        (429, "slow down".into(), ZohoRateLimited),
        (400, plain("LIMIT_EXCEEDED"), ZohoRateLimited),
        (403, plain("LIMIT_REACHED"), ZohoRateLimited),
        (200, plain("TOO MANY REQUESTS"), ZohoRateLimited),
        (500, plain("INTERNAL_ERROR"), ZohoUnavailable),
        (500, plain("INTERNAL_SERVER_ERROR"), ZohoUnavailable),
        (400, plain("INTERNAL_ERROR"), ZohoUnavailable),
        (502, "<html>Bad gateway</html>".into(), ZohoUnavailable),
        (503, String::new(), ZohoUnavailable),
        // Not what is documented.
        (404, plain("INVALID_URL_PATTERN"), ZohoUnexpectedResponse),
        (404, "<html>Not found</html>".into(), ZohoUnexpectedResponse),
        (400, plain("SOMETHING_NEW"), ZohoUnexpectedResponse),
        (405, plain("INVALID_REQUEST_METHOD"), ZohoUnexpectedResponse),
        (304, plain("Not Modified"), ZohoUnexpectedResponse),
        (302, String::new(), ZohoUnexpectedResponse),
        (200, String::new(), ZohoUnexpectedResponse),
        (200, "<html>log in</html>".into(), ZohoUnexpectedResponse),
        (200, "null".into(), ZohoUnexpectedResponse),
        (200, "[]".into(), ZohoUnexpectedResponse),
        (200, "{}".into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":{}}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[null]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Total_Count":5}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":null}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":7}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":""}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Total_Count":"50000"}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":-1}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNNING","Failed_Count":1.5}]}"#.into(), ZohoUnexpectedResponse),
        (200, r#"{"data":[{"Status":"RUNN"#.into(), ZohoUnexpectedResponse),
        // Errors wrapped in data[0] with a 2xx, keys in another order, a code alone.
        (200, format!(r#"{{"data":[{}]}}"#, plain("INVALID_TOKEN")), TokenRejected),
        (202, format!(r#"{{"data":[{}]}}"#, plain("NO_PERMISSION")), PermissionDenied),
        (
            200,
            r#"{"data":[{"status":"error","message":"m","details":{},"code":"INVALID_MODULE"}]}"#.into(),
            InvalidModule,
        ),
        (400, r#"{"message":"m","code":"INVALID_MODULE"}"#.into(), InvalidModule),
        (400, r#"{"code":"INVALID_MODULE"}"#.into(), InvalidModule),
        (200, r#"{"code":null,"message":null,"status":"error"}"#.into(), ZohoUnexpectedResponse),
        (400, r#"{"code":1234}"#.into(), ZohoUnexpectedResponse),
    ] {
        let refusal = answer(status, &body).expect_err(&body);
        assert_eq!(refusal.error.kind(), expected, "{status} {body}");
        assert_eq!(refusal.token_rejected, expected == TokenRejected, "{status} {body}");
        let retried = matches!(expected, ZohoRateLimited | ZohoUnavailable);
        assert_eq!(refusal.retry != Retry::No, retried, "{status} {body}");
        assert!(refusal.error.message().contains(&format!("HTTP {status}")), "{:?}", refusal.error);
    }
}

#[test]
fn messages_say_what_to_do() {
    for (status, body, parts) in [
        (
            401,
            r#"{"code":"OAUTH_SCOPE_MISMATCH","message":"invalid oauth scope"}"#,
            &["ZohoCRM.change_owner.READ", "OAUTH_SCOPE_MISMATCH", "HTTP 401"][..],
        ),
        (404, r#"{"code":"INVALID_URL_PATTERN","message":"m"}"#, &["ZOHO_API_DOMAIN", "ZOHO_API_VERSION"]),
        (
            403,
            r#"{"code":"NO_PERMISSION","details":{"permissions":["View_Leads"]},"message":"permission denied"}"#,
            &["NO_PERMISSION", "View_Leads", "permission denied"],
        ),
        (204, "", &["60 days", "sandbox"]),
        (400, r#"{"code":"INVALID_MODULE","message":"m"}"#, &["API name"]),
        (302, "", &["ZOHO_API_DOMAIN"]),
    ] {
        let message = answer(status, body).unwrap_err().error.message().to_owned();
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }
}

#[test]
fn foreign_bodies_are_quoted_in_short_and_on_one_line() {
    let page = format!("<html>\n{}</html>", "x".repeat(5_000));
    for status in [200, 403, 404, 500] {
        let message = answer(status, &page).unwrap_err().error.message().to_owned();
        assert!(!message.contains('\n'));
        assert!(!message.contains(&"x".repeat(200)), "{message}");
    }
    let long = format!(r#"{{"code":"{}","message":"{}"}}"#, "A".repeat(5_000), "y".repeat(5_000));
    let message = answer(400, &long).unwrap_err().error.message().to_owned();
    assert!(message.len() < 1_000, "{message}");
}

#[test]
fn waits_that_zoho_asks_for() {
    let rate_limited = |header: Option<&str>, body: &str| {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(::http::header::RETRY_AFTER, value.parse().unwrap());
        }
        answer_with(&headers, 429, body).unwrap_err().retry
    };
    let after = |seconds| Retry::After(Duration::from_secs(seconds));
    for (header, body, expected) in [
        (None, "", Retry::Backoff),
        (Some("7"), "", after(7)),
        (Some("0"), "", after(0)),
        (Some("Mon, 23 Nov 2026 10:00:30 GMT"), "", after(30)),
        (Some("Mon, 23 Nov 2026 09:00:00 GMT"), "", after(0)),
        (Some("soon"), "", Retry::Backoff),
        (Some("-3"), "", Retry::Backoff),
        (Some("99999999999999999999"), "", after(u64::MAX)),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":12}}"#, after(12)),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":"12"}}"#, after(12)),
        (Some("7"), r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":12}}"#, after(12)),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":-1}}"#, Retry::Backoff),
        (None, r#"{"code":"TOO_MANY_REQUESTS","details":{"retry_after":1e300}}"#, Retry::Backoff),
    ] {
        assert_eq!(rate_limited(header, body), expected, "{header:?} {body}");
    }
}

#[test]
fn what_must_not_be_shown_is_masked_in_messages_and_harms_no_answer() {
    for body in [
        r#"{"code":"bad hunter2","message":"bad hunter2"}"#,
        r#"{"code":"NO_PERMISSION","message":"m","details":{"permissions":["hunter2"]}}"#,
        "<html>hunter2</html>",
    ] {
        for status in [200, 400, 401, 403, 500] {
            let shown = format!("{:?}", answer(status, body).unwrap_err());
            assert!(!shown.to_ascii_lowercase().contains("hunter2"), "{shown}");
        }
    }
    let body = format!("{}hunter2", "x".repeat(196));
    assert!(!format!("{:?}", answer(400, &body).unwrap_err()).contains("hun"), "not even its beginning");
    assert_eq!(answer(200, r#"{"data":[{"Status":"hunter2"}]}"#).unwrap().status.as_str(), "HUNTER2");
}

#[test]
fn a_server_error_is_one_however_long_its_page() {
    for (status, kind) in [
        (500, ZohoUnavailable),
        (503, ZohoUnavailable),
        (200, ZohoUnexpectedResponse),
        (404, ZohoUnexpectedResponse),
    ] {
        assert_eq!(StatusError::oversized(StatusCode::from_u16(status).unwrap()).error.kind(), kind);
    }
}
