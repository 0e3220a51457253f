use super::*;
use crate::tests::checker;
use crate::watch::ids::{JobId, ModuleName};

const CREDENTIALS: &str = r#"{"client_id":"1000.ID","client_secret":"cs","refresh_token":"1000.rt"}"#;
const RUNNING: (u16, &str) = (200, r#"{"data":[{"Status":"RUNNING"}]}"#);
const REJECTED: (u16, &str) = (401, r#"{"code":"INVALID_TOKEN"}"#);
const NO_SCOPE: (u16, &str) = (401, r#"{"code":"OAUTH_SCOPE_MISMATCH"}"#);
const PAGE: (u16, &str) = (401, "<html>");
const UNAVAILABLE: (u16, &str) = (503, "");
const OLD: &str = "1000.a.old";
const NEW: &str = "1000.a.new";

#[tokio::test(start_paused = true)]
async fn one_replacement_token_on_a_401() {
    use ErrorType::*;
    // The secret is read each time the function needs a token, and again after a rejection.
    for (contents, responses, expected, sent) in [
        (&[OLD][..], &[RUNNING][..], Ok("RUNNING"), "GET US 1000.a.old"),
        (&[OLD], &[REJECTED], Err(TokenRejected), "GET US 1000.a.old"),
        (&[OLD, NEW], &[REJECTED, RUNNING], Ok("RUNNING"), "GET US 1000.a.old, GET US 1000.a.new"),
        (&[OLD, NEW], &[REJECTED], Err(TokenRejected), "GET US 1000.a.old, GET US 1000.a.new"),
        (&[CREDENTIALS], &[RUNNING], Ok("RUNNING"), "POST, GET EU token-1"),
        // A new token may not be known everywhere yet.
        (&[CREDENTIALS], &[REJECTED, RUNNING], Ok("RUNNING"), "POST, GET EU token-1, GET EU token-1"),
        (
            &[CREDENTIALS],
            &[REJECTED, REJECTED, RUNNING],
            Ok("RUNNING"),
            "POST, GET EU token-1, GET EU token-1, POST, GET EU token-2",
        ),
        (
            &[CREDENTIALS],
            &[REJECTED],
            Err(TokenRejected),
            "POST, GET EU token-1, GET EU token-1, POST, GET EU token-2, GET EU token-2",
        ),
        // Another token would not have the scope either, and a page of a proxy says nothing about the token.
        (&[CREDENTIALS], &[NO_SCOPE], Err(ScopeMismatch), "POST, GET EU token-1"),
        (&[OLD, NEW], &[PAGE, RUNNING], Ok("RUNNING"), "GET US 1000.a.old, GET US 1000.a.old"),
        // Three attempts in all, with either token.
        (
            &[OLD, NEW],
            &[UNAVAILABLE, UNAVAILABLE, REJECTED, UNAVAILABLE],
            Err(ZohoUnavailable),
            "GET US 1000.a.old, GET US 1000.a.old, GET US 1000.a.old, GET US 1000.a.new",
        ),
    ] {
        let (checker, zoho) = checker(contents, responses, None);
        let mut attempts = Attempts::default();
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        let deadline = Deadline::after(Duration::from_secs(60));
        let result = checker.check(&job, true, deadline, &mut attempts).await;
        let result = result.map(|job| job.status.as_str().to_owned()).map_err(|error| error.kind());
        assert_eq!(result.as_deref(), expected.as_ref().copied(), "{sent}");
        assert_eq!(zoho.log(), sent);
        assert_eq!(attempts.sent, u32::try_from(sent.matches("GET").count()).unwrap(), "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_opened_ahead_of_the_first_check() {
    for (contents, data_center, expected) in [
        (OLD, None, "connect US"),
        (CREDENTIALS, None, "POST, connect EU"),
        // INIT does not wait for a host that turns out not to be the right one.
        (CREDENTIALS, Some("JP"), "connect https://www.zohoapis.jp, POST, connect EU"),
        (CREDENTIALS, Some("EU"), "connect EU, POST"),
        // Nothing to connect to: the check reports the error.
        ("{}", None, ""),
    ] {
        let (checker, zoho) = checker(&[contents], &[], data_center);
        checker.warm_up().await;
        assert_eq!(zoho.log(), expected, "{contents}");
    }
}
