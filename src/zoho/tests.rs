//! One row for each response of Zoho's servers that is known, documented, or reported (docs/zoho-api.md).

use crate::http::{NoResponse, Origin, TransportError};
use crate::operation;
use crate::tests::at;
use crate::zoho::exchange::{self, Exchange};
use crate::zoho::hosts::ZohoHost;
use crate::zoho::hosts::ZohoServer::{self, Accounts, Api};
use crate::zoho::{oauth, status};
use ::http::header::{CONTENT_ENCODING, RETRY_AFTER};
use ::http::{HeaderValue, StatusCode};

fn host(server: ZohoServer) -> ZohoHost {
    let setting = if server == Api { "ZOHO_API_DOMAIN" } else { "`data_center` in the secret" };
    crate::tests::host(server, "EU", setting)
}

/// It asks to wait seven seconds, and begins as gzip does if it is compressed.
fn exchange<'a>(host: &'a ZohoHost, status: u16, body: &str) -> Exchange<'a> {
    let wait = (RETRY_AFTER, HeaderValue::from_static("Mon, 23 Nov 2026 10:00:07 GMT"));
    let encoding = body.starts_with('\x1f').then_some((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    let headers = [wait].into_iter().chain(encoding).collect();
    let (status, now) = (StatusCode::from_u16(status).unwrap(), at("10:00:00"));
    Exchange { host, status, headers, body: Some(body.into()), now, secrets: &["hunter2.token"] }
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
        (r#"{"Status":"A","T":null,"U":50.0,"F":"1"}"#, "A", [None, Some(50), None, Some(1)]),
        // Counts that cannot be true.
        (r#"{"Status":"A","T":5,"U":6,"F":1}"#, "A", [None, None, None, Some(1)]),
        (r#"{"Status":"A","T":5,"U":4,"F":6}"#, "A", [None, Some(4), None, Some(6)]),
        // Spellings of related endpoints; keys that are not documented; the same twice.
        (r#"{"Status":"in progress","x":"\ud800","y":1e400}"#, "IN_PROGRESS", [None; 4]),
        (r#"{"Status":"A","code":null,"message":"half-way"}"#, "A", [None; 4]),
        (r#"{"Status":"A","Status":"A"},{"Status":"A","Status":"A"}"#, "A", [None; 4]),
    ] {
        let initials = ["\"T\"", "\"U\"", "\"N\"", "\"F\""].into_iter().zip(operation::COUNTS);
        let job = initials.fold(job.to_owned(), |job, (key, name)| job.replace(key, &format!("{name:?}")));
        // Any 2xx with the documented body.
        let read = status::classify(&exchange(&host(Api), 202, &format!(r#"{{"data":[{job}],"info":{{}}}}"#)));
        assert_eq!(read.unwrap(), crate::tests::job(status, counts), "{job}");
    }
}

#[test]
fn tokens_and_their_lifetimes() {
    let eu = Some("https://www.zohoapis.eu");
    for (fields, seconds, api) in [
        (r#""api_domain":"https://www.zohoapis.eu","expires_in":"1800""#, 1_800, eu),
        (r#""api_domain":"http://evil.example","x":"\ud800","y":1e400"#, 3_600, None),
        // The older shape has milliseconds next to the seconds.
        (r#""expires_in_sec":"7200","expires_in":7200000"#, 7_200, None),
        (r#""expires_in_sec":-1,"expires_in":86400"#, 86_400, None),
        // Not plausible: the documented hour.
        (r#""expires_in":0"#, 3_600, None),
        (r#""expires_in":1800000"#, 3_600, None),
    ] {
        let body = format!(r#"{{"access_token":"t",{fields}}}"#);
        let issued = oauth::classify(&exchange(&host(Accounts), 200, &body), "A.b").unwrap();
        assert_eq!((issued.token.expose(), issued.lifetime.as_secs()), ("t", seconds), "{fields}");
        assert_eq!(issued.api_domain.as_ref().map(Origin::as_str), api, "{fields}");
    }
}

#[test]
fn errors() {
    const TOO_LONG: &str = "more than 1 MiB";
    let in_data = |row: &str| format!(r#"{{"data":[{}]}}"#, body(row));
    let long = in_data(&format!(r#"{{"Status":"{}"}}"#, "A".repeat(101)));
    let scopes = format!("ScopeMismatch & {} & {}", operation::SCOPE, operation::START_SCOPE);
    for (server, status, row, parts) in [
        // No such job.
        (Api, 204, "INVALID_TOKEN", "NoContent & Zoho does not know this job & 60 days & sandbox"),
        (Api, 404, r#"{"code":null,"message":null}"#, "JobNotFound: the job exists, but in another module"),
        (Api, 404, "REQUIRED_PARAM_MISSING", "JobNotFound: Zoho does not know this job"),
        (Api, 400, r#"INVALID_DATA {"param_name":"job_id"}"#, "JobNotFound"),
        (Api, 400, r#"UNABLE_TO_PARSE_DATA_TYPE {"param":"job_id"}"#, "JobNotFound"),
        (Api, 400, "INVALID_DATA", "JobNotFound"),
        (Api, 400, r#"INVALID_DATA {"param_name":"page"}"#, "ZohoUnexpectedResponse"),
        // The token, the permission, and the module.
        (Api, 200, "INVALID_OAUTHTOKEN", "TokenRejected & Check ZOHO_API_DOMAIN, too"),
        (Api, 401, "SOMETHING_NEW", "TokenRejected"),
        (Api, 401, r#"{"error":"invalid_token","error_description":"d"}"#, "TokenRejected & 401 invalid_token \"d\")"),
        (Api, 401, r#"{"code":"oauth scope mismatch"}"#, &scopes),
        (Api, 202, &in_data(r#"NO_PERMISSION {"permissions":["View"]}"#), "PermissionDenied & \"m\", permissions"),
        (Api, 403, r#"NO_PERMISSION {"permissions":["Crm_Implied_Api_Access"]}"#, "Zoho CRM API Access"),
        (Api, 400, "AUTHORIZATION_FAILED", "PermissionDenied & access to the module"),
        (Api, 403, "IP_NOT_ALLOWED", "PermissionDenied & certain IP addresses"),
        (Api, 403, "LICENSE_EXPIRED", "PermissionDenied & licenses are valid"),
        (Api, 400, "FEATURE_NOT_SUPPORTED", "ZohoUnexpectedResponse & Enterprise and Ultimate editions"),
        (Api, 404, r#"{"code":"INVALID_MODULE","message":"\ud800","details":1e400}"#, "InvalidModule & API name"),
        // A throttle is one at any status, wherever its name stands; HTTP 429 and 5xx go by the status.
        (Api, 429, "INVALID_TOKEN", "Some(7s) ZohoRateLimited"),
        (Api, 200, r#"TOO_MANY_REQUESTS {"retry_after":"12"}"#, "Some(12s) ZohoRateLimited"),
        (Api, 503, r#"INTERNAL_ERROR {"retry_after":-1}"#, "Some(7s) ZohoUnavailable"),
        (Api, 401, "Limit_Reached", "ZohoRateLimited & Limit_Reached"),
        (Api, 200, &in_data("TOO_MANY_CALLS"), "ZohoRateLimited"),
        (Api, 403, r#"{"error":"throttling"}"#, "ZohoRateLimited"),
        (Api, 400, r#"{"error":{"title":"A_LIMIT-B","details":{"message":"m"}}}"#, "ZohoRateLimited & A_LIMIT-B \"m\""),
        (Api, 400, "INTERNAL_ERROR", "ZohoUnavailable"),
        // What nobody knows has no advice: this is the end.
        (Api, 418, "SOMETHING_NEW", "ZohoUnexpectedResponse & HTTP 418 SOMETHING_NEW \"m\")\n"),
        (Api, 400, r#"{"error":{"code":"x-y","message":"m"}}"#, "HTTP 400 x-y \"m\""),
        (Api, 405, r#"{"code":1234}"#, "HTTP 405 1234"),
        (Api, 404, "INVALID_URL_PATTERN", "ZohoUnexpectedResponse & ZOHO_API_DOMAIN, ZOHO_API_VERSION, and"),
        (Api, 400, "INVALID_HOST", "ZohoUnexpectedResponse & Check ZOHO_API_DOMAIN"),
        // JSON, but no job.
        (Api, 200, "{}", "ZohoUnexpectedResponse & has no `data`"),
        (Api, 200, r#"{"data":[]}"#, "has no job in `data`"),
        (Api, 200, r#"{"data":[{"Status":7}]}"#, "no `Status` that is a string"),
        (Api, 200, r#"{"data":[{"Status":"hunter2-token"}]}"#, "a `Status` that contains a token"),
        (Api, 200, r#"{"data":[{"Status":" "}]}"#, "an empty `Status`"),
        (Api, 200, &long, "more than 100 characters"),
        (Api, 200, r#"{"data":[{"Status":"A","Failed_Count":-1}]}"#, "a count that is not a whole number"),
        (Api, 200, r#"{"data":[{"Status":"A","Status":"B"}]}"#, "contradicts itself"),
        (Api, 200, r#"{"data":[{"Status":"A"},{"Status":"B"}]}"#, "contradicts itself"),
        (Api, 200, r#"{"data":[{"Status":"A"}],"data":[{"Status":"B"}]}"#, "contradicts itself"),
        (Api, 401, TOO_LONG, "ZohoUnexpectedResponse & exceeds 1 MiB"),
        // What is not Zoho's says nothing about the job, the token, or the permission.
        (Api, 403, "<html>log in</html>", "NotJson & is not JSON & log in & ZOHO_API_DOMAIN"),
        (Api, 401, r#"{"error":"Unauthorized","status":401}"#, "NotJson & has no error code"),
        (Api, 403, r#"{"code":403,"message":"Forbidden"}"#, "NotJson & has no error code"),
        (Api, 404, "{}", "NotJson & has no error code"),
        (Api, 302, "<html>moved</html>", "NotJson & is a redirect"),
        (Api, 200, "\u{1f}\u{8b}", "NotJson & is encoded as gzip, which the request does not accept & HTTP 200)"),
        // Too many requests for tokens, in whatever words.
        (Accounts, 400, r#"{"error":"Access Denied"}"#, "TokenRateLimited & 10 in 10 minutes"),
        // Rejections; any other word is none.
        (Accounts, 200, r#"{"error":"invalid_code"}"#, "TokenRejected & 20 for each user and client"),
        (Accounts, 400, r#"{"error":"INVALID GRANT"}"#, "TokenRejected & rejected the `refresh_token`"),
        (Accounts, 200, r#"{"error":"invalid_client"}"#, "TokenRejected & correct `data_center` in the secret"),
        (Accounts, 401, r#"{"error":"unauthorized_client"}"#, "TokenRejected & does not know the `client_id`"),
        (Accounts, 200, r#"{"error":"invalid_client_secret"}"#, "TokenRejected & Copy `client_secret` again"),
        (Accounts, 200, r#"{"error":"invalid_scope"}"#, "TokenRejected & scope was A.b"),
        (Accounts, 400, r#"{"error":"something_new"}"#, "ZohoUnavailable & something_new"),
        (Accounts, 503, r#"{"error":"invalid_code"}"#, "ZohoUnavailable"),
        // A new token is not shown, even if the response is damaged.
        (Accounts, 200, r#"{"access_token":"hunter2 3"}"#, "ZohoUnexpectedResponse & Check ZOHO_ACCOUNTS_DOMAIN"),
        (Accounts, 201, "hunter2", "NotJson & is not JSON"),
        (Accounts, 500, r#"{"access_token":"hunter2"#, "ZohoUnavailable"),
        (Accounts, 302, "<Access_Token=hunter2", "NotJson & is a redirect"),
    ] {
        let (host, body) = (&host(server), (row != TOO_LONG).then(|| body(row).into()));
        let exchange = Exchange { body, ..exchange(host, status, row) };
        let error = match server {
            Api => status::classify(&exchange).expect_err(row),
            Accounts => oauth::classify(&exchange, "A.b").expect_err(row),
        };
        let text = format!("{:?} {:?} {error}\n", error.cause, error.retry_after);
        for part in parts.split(" & ").chain([&*format!("HTTP {status}"), &*format!("{host}")]) {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(text.starts_with("Stated") || parts.starts_with("NotJson") || parts.starts_with("NoContent"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_responds_in_no_way_is_described_by_its_cause() {
    for (reason, part) in [
        (NoResponse::TimedOut, "outbound network path"),
        (NoResponse::UnknownHost, "cannot be resolved: check its spelling"),
        (NoResponse::Certificate, "SSL_CERT_FILE"),
        (NoResponse::Proxy, "The proxy that HTTPS_PROXY or ALL_PROXY names"),
    ] {
        let error = exchange::no_response(&host(Api), &TransportError::new(reason, "it failed"));
        for part in [part, "https://www.zohoapis.eu, set by ZOHO_API_DOMAIN: it failed"] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}
