//! Any input at any boundary: a name of the contract and one short line, no panic, no secret.
//!
//! Each boundary has inputs in `tests/corpus`, a line each. They are tried as they are, then edited: what is nearly right
//! reaches further than what is not.

use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use mass_change_owner_status::arn::Location;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::handler::{Invocation, respond_without_configuration};
use mass_change_owner_status::watch::request::{Ask, Request};
use mass_change_owner_status::zoho::{credentials::Secret, exchange::Exchange};
use mass_change_owner_status::zoho::{hosts, oauth, status};
use mass_change_owner_status::{config::Config, deadline::Deadline, timestamp::Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config as Settings, TestRunner};
use serde_json::Value;
use std::time::Duration;

/// What every secret in the corpus contains, unless it has the form of a token.
const SECRET: &str = "hunter2";
const TOKEN: &str = "1000.0123456789abcdef";
/// What the function knows to be secret in a response.
const KNOWN: [&str; 3] = ["hunter2-the-client", "hunter2-the-secret", "hunter2-the-token"];
/// A few sentences, and at most 200 characters from elsewhere.
const LONGEST_MESSAGE: usize = 1_500;

/// Pieces to which JSON and the parsers of the function give a meaning.
const WORDS: &str = r#"{ } [ ] , : " null true 0 -1 50.0 1e400 18446744073709551616 \u0000 \ud800 \n {" ": [[[[[[[[ "" =
    "module": "job_id": "schedule_arn": "notify": "announcement": "failure": "watch": "request": "source": "detail-type":
    "detail": "resources": "status": "checks": "first_checked_at": "label": "list": "2026-11-23T10:00:00Z" "Leads" "1"
    "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/name" {"Error":"e","Cause":"c"} {"errorMessage":"m"}
    200 204 400 401 403 404 429 503 "data": "Status": "COMPLETED" "FAILED" "in_progress" "Total_Count": "Failed_Count":
    "code": "message": "details": "error": "title": "INVALID_TOKEN" "INVALID_DATA" "param_name": "retry_after": "NEW_LIMIT"
    "access_token": "api_domain": "expires_in": "expires_in_sec": "invalid_code" "Access_Denied" "https://www.zohoapis.eu"
    "client_id": "client_secret": "refresh_token": "soid": "scope": "data_center": "accounts_domain": "EU" 1000.
    hunter2-the-client hunter2-the-secret hunter2-the-token 1000.0123456789abcdef.0123456789abcdef
    ZOHO_SECRET_ID= STATUS_TOPIC_ARN= ZOHO_DATA_CENTER= ZOHO_API_DOMAIN= ZOHO_API_VERSION= REQUEST_TIMEOUT_SECONDS=
    WATCH_LIMIT_SECONDS= SSL_CERT_FILE= HTTPS_PROXY= NO_PROXY= AWS_REGION= https:// http:// 127.0.0.1 :8600 /path ?q=hunter2
    hunter2:hunter2@ arn:aws:sns:eu-west-1:123456789012:topic"#;

/// Tries every line of the corpus, and what a few edits make of it.
fn holds_for(corpus: &str, check: impl Fn(&str)) {
    let path = format!("{}/tests/corpus/{corpus}.txt", env!("CARGO_MANIFEST_DIR"));
    let lines: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    lines.iter().for_each(|line| check(line));
    let words: Vec<String> = WORDS.split_whitespace().map(str::to_owned).collect();
    let piece = prop_oneof![4 => select(words), 2 => Just(String::new()), 1 => any::<String>()];
    let edits = prop::collection::vec((any::<Index>(), 0_usize..20, piece), 1..6);
    let edited = (select(lines), edits).prop_map(|(line, edits)| {
        edits.into_iter().fold(line, |line, (at, length, piece)| {
            let mut characters: Vec<char> = line.chars().collect();
            let at = at.index(characters.len() + 1);
            let end = (at + length).min(characters.len());
            characters.splice(at..end, piece.chars());
            characters.into_iter().collect()
        })
    });
    let inputs = prop_oneof![9 => edited, 1 => any::<String>()];
    let defaults = Settings::default();
    // `PROPTEST_CASES` can ask for more.
    let settings = Settings { cases: defaults.cases.max(3_000), failure_persistence: None, ..defaults };
    let tried = TestRunner::new(settings).run(&inputs, |input| {
        check(&input);
        Ok(())
    });
    tried.unwrap();
}

fn check_message(message: &str, secrets: &[&str]) {
    assert!(!message.is_empty() && !message.chars().any(char::is_control), "{message:?}");
    assert!(message.chars().count() <= LONGEST_MESSAGE, "{message:?}");
    assert!(secrets.iter().all(|secret| !message.contains(secret)), "{message:?}");
}

/// The status and the seconds to wait at the beginning of the text, if they are there, and the body.
fn split(text: &str) -> (StatusCode, HeaderMap, &str) {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (status, rest) = text.split_once(' ').filter(|(word, _)| number(word)).unwrap_or(("200", text));
    let (wait, body) = rest.split_once(' ').filter(|(word, _)| number(word)).unwrap_or(("", rest));
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(wait).unwrap())]);
    (status.parse().unwrap_or(StatusCode::OK), headers, body)
}

fn with_exchange(text: &str, is_api: bool, check: impl Fn(&Exchange<'_>)) {
    let secret = Secret::parse("1000.a.b", None).unwrap();
    let accounts = hosts::accounts(None, &secret);
    let api = hosts::api(None, &secret, &accounts, None);
    let (status, headers, body) = split(text);
    let (host, now) = (if is_api { &api } else { &accounts }, Timestamp::now());
    for body in [Some(body.into()), None, Some(b"\xff\xfe".to_vec())] {
        check(&Exchange { host, status, headers: headers.clone(), body, now, secrets: &KNOWN });
    }
}

#[test]
fn payloads() {
    holds_for("payloads", |payload| {
        let function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:check";
        let here = Location::of_function(function_arn, None);
        match Request::parse(payload, Timestamp::now(), &here).ask {
            Ask::Check(job) => {
                let (module, id) = (job.module.as_str(), job.job_id.as_str());
                assert!(module.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{module}");
                assert!((1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
            }
            Ask::Reject(error, _) => {
                assert_eq!(error.kind, ErrorType::InvalidInput);
                check_message(&error.message, &[TOKEN]);
            }
            Ask::Compose(..) => {}
        }
        // Whatever the request is, its end can be reported.
        let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
        let invocation = Invocation {
            payload: payload.into(),
            function_arn: function_arn.into(),
            deadline: Deadline::after(Duration::from_secs(1)),
        };
        let Ok(response) = respond_without_configuration(&error, &invocation, Timestamp::now()) else { return };
        let text = serde_json::to_string(&response).unwrap();
        assert!(text.len() < 30_000 && !text.contains(TOKEN), "{text}");
        let report: Value = serde_json::from_str(&text).unwrap();
        check_message(report["error"]["message"].as_str().unwrap(), &[TOKEN]);
        if let Some(subject) = report["announcement"]["subject"].as_str() {
            assert!(subject.is_ascii() && subject.len() < 100, "{subject:?}");
            for (name, attribute) in report["announcement"]["attributes"].as_object().unwrap() {
                assert!(!attribute["StringValue"].as_str().unwrap().is_empty(), "{name}");
            }
        }
    });
}

#[test]
fn responses_of_the_api() {
    holds_for("responses", |text| {
        with_exchange(text, true, |exchange| match status::classify(exchange) {
            Ok(job) => {
                let status = job.status.as_str();
                assert!(exchange.status.is_success() && status.chars().count() <= 100, "{status}");
                assert!(KNOWN.iter().all(|secret| !status.to_lowercase().contains(secret)), "{status}");
                let (counts, total) = (job.counts, job.counts.total.unwrap_or(u64::MAX));
                let [updated, failed] = [counts.updated, counts.failed].map(Option::unwrap_or_default);
                assert!(updated <= total && failed <= total, "{counts:?}");
            }
            Err(error) => check_message(&error.message, &KNOWN),
        });
    });
}

#[test]
fn responses_of_the_accounts_server() {
    holds_for("responses", |text| {
        with_exchange(text, false, |exchange| match oauth::classify(exchange, "ZohoCRM.org.READ") {
            Ok(issued) => {
                assert!((1..=86_400).contains(&issued.lifetime.as_secs()), "{:?}", issued.lifetime);
                assert!(issued.token.authorization().is_some());
            }
            Err(error) => {
                check_message(&error.message, &KNOWN);
                let is_refused = error.kind == ErrorType::TokenRejected;
                assert!(!is_refused || exchange.body.as_ref().is_some_and(|body| !body.is_empty()), "{error}");
            }
        });
    });
}

#[test]
fn secrets() {
    holds_for("secrets", |text| match Secret::parse(text, None) {
        Ok(secret) => assert!(!format!("{:?}", secret.grant).contains(SECRET), "{secret:?}"),
        Err(invalid) => check_message(&invalid.of("it"), &[SECRET]),
    });
}

/// A variable after each tab.
#[test]
fn environments() {
    holds_for("environments", |text| {
        let variables = text.split('\t').filter_map(|variable| variable.split_once('='));
        match Config::new(&variables.collect()) {
            Ok(config) => {
                let limits = config.limits;
                assert!(limits.bounds.min_seconds <= limits.bounds.max_seconds);
                assert!(!config.zoho.request_timeout.is_zero() && limits.watch_limit_seconds > 0);
            }
            Err(problems) => problems.iter().for_each(|problem| check_message(problem, &[SECRET])),
        }
    });
}
