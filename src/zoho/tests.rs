//! One row for each response of Zoho's servers that is known, documented, or reported (docs/zoho-api.md).

use crate::http::{NoResponse, Origin, TransportError};
use crate::operation::OPERATION;
use crate::tests::at;
use crate::zoho::exchange::{self, Exchange};
use crate::zoho::hosts::{ZohoHost, ZohoServer};
use crate::zoho::{oauth, response};
use ::http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};

fn api() -> ZohoHost {
    crate::tests::host(ZohoServer::Api, "EU", "ZOHO_API_DOMAIN")
}

fn accounts() -> ZohoHost {
    crate::tests::host(ZohoServer::Accounts, "EU", "`data_center` in the secret")
}

/// It asks to wait seven seconds.
fn exchange<'a>(host: &'a ZohoHost, status: u16, body: &str) -> Exchange<'a> {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("Mon, 23 Nov 2026 10:00:07 GMT"))]);
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
        let initials = ["\"T\"", "\"U\"", "\"N\"", "\"F\""].into_iter().zip(OPERATION.counts);
        let job = initials.fold(job.to_owned(), |job, (key, name)| job.replace(key, &format!("{name:?}")));
        // Any 2xx with the documented body.
        let read = response::classify(&exchange(&api(), 202, &format!(r#"{{"data":[{job}],"info":{{}}}}"#)));
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
        let issued = oauth::classify(&exchange(&accounts(), 200, &body), "A.b").unwrap();
        assert_eq!((issued.token.expose(), issued.lifetime.as_secs()), ("t", seconds), "{fields}");
        assert_eq!(issued.api_domain.as_ref().map(Origin::as_str), api, "{fields}");
    }
}

#[test]
fn errors() {
    const TOO_LONG: &str = "more than 1 MiB";
    let (api, accounts) = (&api(), &accounts());
    let in_data = |row: &str| format!(r#"{{"data":[{}]}}"#, body(row));
    let long = in_data(&format!(r#"{{"Status":"{}"}}"#, "A".repeat(101)));
    let scopes = format!("ScopeMismatch & {} & {}", OPERATION.scope, OPERATION.start_scope);
    for (host, status, row, parts) in [
        // No such job.
        (api, 204, "INVALID_TOKEN", "NoContent & Zoho does not know this job & 60 days & sandbox"),
        (api, 404, r#"{"code":null,"message":null}"#, "JobNotFound: the job exists, but in another module"),
        (api, 404, "REQUIRED_PARAM_MISSING", "JobNotFound: Zoho does not know this job"),
        (api, 400, r#"INVALID_DATA {"param_name":"job_id"}"#, "JobNotFound"),
        (api, 400, r#"UNABLE_TO_PARSE_DATA_TYPE {"param":"job_id"}"#, "JobNotFound"),
        (api, 400, "INVALID_DATA", "JobNotFound"),
        (api, 400, r#"INVALID_DATA {"param_name":"page"}"#, "ZohoUnexpectedResponse"),
        // The token, the permission, and the module.
        (api, 200, "INVALID_OAUTHTOKEN", "TokenRejected & Check ZOHO_API_DOMAIN, too"),
        (api, 401, "SOMETHING_NEW", "TokenRejected"),
        (api, 401, r#"{"error":"invalid_token","error_description":"d"}"#, "TokenRejected & 401 invalid_token \"d\")"),
        (api, 401, r#"{"code":"oauth scope mismatch"}"#, &scopes),
        (api, 202, &in_data(r#"NO_PERMISSION {"permissions":["View"]}"#), "PermissionDenied & \"m\", permissions"),
        (api, 403, r#"NO_PERMISSION {"permissions":["Crm_Implied_Api_Access"]}"#, "Zoho CRM API Access"),
        (api, 400, "AUTHORIZATION_FAILED", "PermissionDenied & access to the module"),
        (api, 403, "IP_NOT_ALLOWED", "PermissionDenied & certain IP addresses"),
        (api, 403, "LICENSE_EXPIRED", "PermissionDenied & licenses are valid"),
        (api, 400, "FEATURE_NOT_SUPPORTED", "ZohoUnexpectedResponse & Enterprise and Ultimate editions"),
        (api, 404, r#"{"code":"INVALID_MODULE","message":"\ud800","details":1e400}"#, "InvalidModule & API name"),
        // A throttle is one at any status, wherever its name stands; HTTP 429 and 5xx go by the status.
        (api, 429, "INVALID_TOKEN", "Some(7s) ZohoRateLimited"),
        (api, 200, r#"TOO_MANY_REQUESTS {"retry_after":"12"}"#, "Some(12s) ZohoRateLimited"),
        (api, 503, r#"INTERNAL_ERROR {"retry_after":-1}"#, "Some(7s) ZohoUnavailable"),
        (api, 401, "Limit_Reached", "ZohoRateLimited & Limit_Reached"),
        (api, 200, &in_data("TOO_MANY_CALLS"), "ZohoRateLimited"),
        (api, 403, r#"{"error":"throttling"}"#, "ZohoRateLimited"),
        (api, 400, r#"{"error":{"title":"A_LIMIT-B","details":{"message":"m"}}}"#, "ZohoRateLimited & A_LIMIT-B \"m\""),
        (api, 400, "INTERNAL_ERROR", "ZohoUnavailable"),
        // What nobody knows has no advice: this is the end.
        (api, 418, "SOMETHING_NEW", "ZohoUnexpectedResponse & HTTP 418 SOMETHING_NEW \"m\")\n"),
        (api, 400, r#"{"error":{"code":"x-y","message":"m"}}"#, "HTTP 400 x-y \"m\""),
        (api, 405, r#"{"code":1234}"#, "HTTP 405 1234"),
        (api, 404, "INVALID_URL_PATTERN", "ZohoUnexpectedResponse & ZOHO_API_DOMAIN, ZOHO_API_VERSION, and"),
        (api, 400, "INVALID_HOST", "ZohoUnexpectedResponse & Check ZOHO_API_DOMAIN"),
        // JSON, but no job.
        (api, 200, "{}", "ZohoUnexpectedResponse & has no `data`"),
        (api, 200, r#"{"data":[]}"#, "has no job in `data`"),
        (api, 200, r#"{"data":[{"Status":7}]}"#, "no `Status` that is a string"),
        (api, 200, r#"{"data":[{"Status":"hunter2-token"}]}"#, "a `Status` that contains a token"),
        (api, 200, r#"{"data":[{"Status":" "}]}"#, "an empty `Status`"),
        (api, 200, &long, "more than 100 characters"),
        (api, 200, r#"{"data":[{"Status":"A","Failed_Count":-1}]}"#, "a count that is not a whole number"),
        (api, 200, r#"{"data":[{"Status":"A","Status":"B"}]}"#, "contradicts itself"),
        (api, 200, r#"{"data":[{"Status":"A"},{"Status":"B"}]}"#, "contradicts itself"),
        (api, 200, r#"{"data":[{"Status":"A"}],"data":[{"Status":"B"}]}"#, "contradicts itself"),
        (api, 401, TOO_LONG, "ZohoUnexpectedResponse & exceeds 1 MiB"),
        // What is not Zoho's says nothing about the job, the token, or the permission.
        (api, 403, "<html>log in</html>", "NotJson & is not JSON & log in & ZOHO_API_DOMAIN"),
        (api, 401, r#"{"error":"Unauthorized","status":401}"#, "NotJson & has no error code"),
        (api, 403, r#"{"code":403,"message":"Forbidden"}"#, "NotJson & has no error code"),
        (api, 404, "{}", "NotJson & has no error code"),
        (api, 302, "<html>moved</html>", "NotJson & is a redirect"),
        // Too many requests for tokens, in whatever words.
        (accounts, 400, r#"{"error":"Access Denied"}"#, "TokenRateLimited & 10 in 10 minutes"),
        // Rejections; any other word is none.
        (accounts, 200, r#"{"error":"invalid_code"}"#, "TokenRejected & 20 for each user and client"),
        (accounts, 400, r#"{"error":"INVALID GRANT"}"#, "TokenRejected & rejected the `refresh_token`"),
        (accounts, 200, r#"{"error":"invalid_client"}"#, "TokenRejected & correct `data_center` in the secret"),
        (accounts, 401, r#"{"error":"unauthorized_client"}"#, "TokenRejected & does not know the `client_id`"),
        (accounts, 200, r#"{"error":"invalid_client_secret"}"#, "TokenRejected & Copy `client_secret` again"),
        (accounts, 200, r#"{"error":"invalid_scope"}"#, "TokenRejected & scope was A.b"),
        (accounts, 400, r#"{"error":"something_new"}"#, "ZohoUnavailable & something_new"),
        (accounts, 503, r#"{"error":"invalid_code"}"#, "ZohoUnavailable"),
        // A new token is not shown, even if the response is damaged.
        (accounts, 200, r#"{"access_token":"hunter2 3"}"#, "ZohoUnexpectedResponse & Check ZOHO_ACCOUNTS_DOMAIN"),
        (accounts, 201, "hunter2", "NotJson & is not JSON"),
        (accounts, 500, r#"{"access_token":"hunter2"#, "ZohoUnavailable"),
        (accounts, 302, "<Access_Token=hunter2", "NotJson & is a redirect"),
    ] {
        let body = (row != TOO_LONG).then(|| body(row).into());
        let exchange = Exchange { body, ..exchange(host, status, "") };
        let error = match host.server {
            ZohoServer::Api => response::classify(&exchange).expect_err(row),
            ZohoServer::Accounts => oauth::classify(&exchange, "A.b").expect_err(row),
        };
        let text = format!("{:?} {:?} {error}\n", error.cause(), error.retry_after());
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
        let error = exchange::no_response(&api(), &TransportError::new(reason, "it failed"));
        for part in [part, "https://www.zohoapis.eu, set by ZOHO_API_DOMAIN: it failed"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
}
