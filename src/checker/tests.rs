use super::*;
use crate::tests::checker;
use crate::watch::ids::{JobId, ModuleName};

const CREDENTIALS: &str = r#"{"client_id":"1000.ID","client_secret":"cs","refresh_token":"1000.rt"}"#;
const RUNNING: (u16, &str) = (200, r#"{"data":[{"Status":"RUNNING"}]}"#);
const REJECTED: (u16, &str) = (401, r#"{"code":"INVALID_TOKEN"}"#);
const NO_SCOPE: (u16, &str) = (401, r#"{"code":"OAUTH_SCOPE_MISMATCH"}"#);
const UNAVAILABLE: (u16, &str) = (503, "");
const OLD: &str = "1000.a.old";
const NEW: &str = "1000.a.new";

/// What was sent is the token of each status request. The simulation has what several environments do.
#[tokio::test(start_paused = true)]
async fn one_replacement_token_on_a_401() {
    use ErrorType::*;
    // The secret is read each time the function needs a token, and again after a rejection.
    for (contents, responses, expected, sent) in [
        (&[OLD][..], &[REJECTED][..], Err(TokenRejected), "old"),
        (&[OLD, NEW], &[REJECTED, RUNNING], Ok("RUNNING"), "old, new"),
        (&[OLD, NEW], &[REJECTED], Err(TokenRejected), "old, new"),
        // Another token would not have the scope either.
        (&[OLD, NEW], &[NO_SCOPE], Err(ScopeMismatch), "old"),
        // Three attempts in all, with either token.
        (&[OLD, NEW], &[UNAVAILABLE, UNAVAILABLE, REJECTED, UNAVAILABLE], Err(ZohoUnavailable), "old, old, old, new"),
        // A new token may not be known everywhere yet.
        (&[CREDENTIALS], &[REJECTED], Err(TokenRejected), "POST, token-1, token-1, POST, token-2, token-2"),
    ] {
        let (checker, zoho) = checker(contents, responses, None);
        let mut attempts = Attempts::default();
        let job = Job { module: ModuleName::parse("Leads").unwrap(), job_id: JobId::parse("1").unwrap() };
        let deadline = Deadline::after(Duration::from_secs(60));
        let result = checker.check(&job, true, deadline, &mut attempts).await;
        let result = result.map(|job| job.status.as_str().to_owned()).map_err(|error| error.kind());
        assert_eq!(result.as_deref(), expected.as_ref().copied(), "{sent}");
        let log = zoho.log();
        assert_eq!(log.replace("GET US 1000.a.", "").replace("GET EU ", ""), sent);
        assert_eq!(usize::try_from(attempts.sent), Ok(log.matches("GET").count()), "{sent}");
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
