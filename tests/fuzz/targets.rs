//! What is done with an input, and what must be true of the result.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use mass_change_owner_status::config::Config;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::environment::Environment;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::handler::{Invocation, respond_without_configuration};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::ids::Location;
use mass_change_owner_status::watch::request::Request;
use mass_change_owner_status::zoho::credentials::Secret;
use mass_change_owner_status::zoho::data_center::DataCenter;
use mass_change_owner_status::zoho::hosts::{AccountsHost, ApiHost, HostSource};
use mass_change_owner_status::zoho::oauth::{self, TokenResponse};
use mass_change_owner_status::zoho::response::{self, StatusResponse};
use std::time::Duration;

/// What every secret in the inputs contains.
const SECRET: &str = "hunter2";

/// What the function knows to be secret.
pub(crate) const CREDENTIALS: [&str; 3] = ["hunter2-the-client", "hunter2-the-secret", "hunter2-the-refresh"];

/// The longest message, in characters: a few sentences, and at most 200 characters from elsewhere.
const LONGEST_MESSAGE: usize = 1_500;

/// One line of bounded length.
pub(crate) fn check_message(message: &str) {
    assert!(!message.is_empty() && !message.chars().any(char::is_control), "{message:?}");
    assert!(message.chars().count() <= LONGEST_MESSAGE, "{message:?}");
}

pub(crate) fn check_error(error: &WatchError) -> String {
    check_message(error.message());
    assert!(!error.message().contains(SECRET), "{error}");
    error.kind().name().to_owned()
}

/// The kind of a message: its words without what is quoted.
fn kind_of(message: &str) -> String {
    let unquoted = message.split('"').step_by(2).collect::<String>();
    unquoted.chars().filter(|c| c.is_ascii_alphabetic() || *c == ' ').take(120).collect()
}

pub(crate) fn event(input: &[u8]) -> String {
    let payload = &*String::from_utf8_lossy(input);
    let function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:check";
    let here = Location::of_function(function_arn, None);
    let request = Request::parse(payload, Timestamp::now(), &here);
    let invocation = Invocation { payload, function_arn, deadline: Deadline::after(Duration::from_secs(1)) };
    let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
    // Whatever the request is, its end can be reported.
    if let Ok(report) = respond_without_configuration(&error, invocation) {
        let announcement = report.announcement.as_ref().unwrap();
        let subject = announcement["subject"].as_str().unwrap();
        assert!(subject.is_ascii() && subject.len() < 100, "{subject:?}");
        for (name, attribute) in announcement["attributes"].as_object().unwrap() {
            assert!(!attribute["StringValue"].as_str().unwrap().is_empty(), "{name}");
        }
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.len() < 30_000, "{text}");
        check_message(&report.error.as_ref().unwrap().message);
    }
    let delivery = &request.delivery;
    let flags =
        (delivery.schedule.is_some(), delivery.notify, delivery.announcement, delivery.watch.is_some());
    match &request.job {
        Ok(job) => {
            let (module, id) = (job.module.as_str(), job.job_id.as_str());
            assert!(module.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{module}");
            assert!((1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
            format!("{flags:?} {:?}", request.failure.is_some())
        }
        Err(invalid) => {
            assert_eq!(invalid.error.kind(), ErrorType::InvalidInput);
            check_message(invalid.error.message());
            format!("{flags:?} {}", kind_of(invalid.error.message()))
        }
    }
}

/// The status in the first line, if there is one there, a `Retry-After` in the same line, and the body.
fn split(input: &[u8]) -> (StatusCode, HeaderMap, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let line = String::from_utf8_lossy(&input[..end]).into_owned();
    let (status, retry_after) = line.split_once(' ').unwrap_or((&line, ""));
    let status =
        status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(retry_after) {
        headers.insert(header::RETRY_AFTER, value);
    }
    (status, headers, input.get(end + 1..).unwrap_or_default())
}

pub(crate) fn status_response(input: &[u8]) -> String {
    let (status, headers, body) = split(input);
    let host = ApiHost {
        origin: DataCenter::default().api_origin(),
        source: HostSource::Variable("ZOHO_API_DOMAIN"),
        conflicting: None,
    };
    let results = [false, true].map(|_| {
        response::classify(&StatusResponse {
            host: &host,
            status,
            headers: &headers,
            body,
            now: Timestamp::now(),
            secrets: &["hunter2-the-token"],
        })
    });
    let [new, established] = &results;
    match (new, established) {
        (Ok(job), Ok(_)) => {
            assert!(status.is_success());
            let text = job.status.as_str();
            assert!(
                text.chars().count() <= 100
                    && !text.contains("HUNTER2-THE-TOKEN")
                    && !text.contains("hunter2-the-token")
            );
            assert!(job.progress_percent().is_none_or(|percent| percent <= 100));
            format!("{:?} {:?} {}", job.outcome(), job.progress_percent().is_some(), job.status.is_known())
        }
        (Err(new), Err(established)) => {
            // Whether a watch has worked before changes what can be done, not whether there is an error.
            let names = [new, established].map(|error| {
                check_message(error.error.message());
                assert!(!error.error.message().contains("hunter2-the-token"), "{}", error.error);
                error.error.kind()
            });
            format!("{names:?} {:?} {}", new.retry, kind_of(new.error.message()))
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn token_response(input: &[u8]) -> String {
    let (status, headers, body) = split(input);
    let host = AccountsHost {
        origin: DataCenter::default().accounts_origin(),
        source: HostSource::Variable("ZOHO_ACCOUNTS_DOMAIN"),
    };
    let result = oauth::classify(&TokenResponse {
        host: &host,
        status,
        headers: &headers,
        body,
        now: Timestamp::now(),
        secrets: &CREDENTIALS,
    });
    match result {
        Ok(issued) => {
            assert!((1..=86_400).contains(&issued.lifetime.as_secs()), "{:?}", issued.lifetime);
            assert!(issued.token.authorization().is_some());
            format!("{:?} {}", issued.api_domain.is_some(), issued.lifetime.as_secs().ilog2())
        }
        Err(refused) => {
            check_message(refused.error.message());
            for secret in CREDENTIALS {
                assert!(!refused.error.message().contains(secret), "{}", refused.error);
            }
            format!("{} {}", refused.error.kind(), kind_of(refused.error.message()))
        }
    }
}

pub(crate) fn secret(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    match Secret::parse(&text, None) {
        Ok(secret) => {
            format!(
                "{:?}",
                (secret.data_center.name, secret.accounts_domain.is_some(), secret.api_domain.is_some())
            )
        }
        Err(invalid) => {
            let message = invalid.to_string();
            check_message(&message);
            assert!(!message.contains(SECRET), "{message}");
            kind_of(&message)
        }
    }
}

/// A variable in each line.
pub(crate) fn environment(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let environment: Environment =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    match Config::new(&environment) {
        Ok(config) => {
            assert!(config.check_interval_min_seconds <= config.check_interval_max_seconds);
            assert!(!config.request_timeout.is_zero() && config.watch_limit_seconds > 0);
            format!("{:?}", (config.topic_arn.is_some(), config.api_domain.is_some(), config.proxy.is_some()))
        }
        Err(problems) => {
            for problem in &problems {
                check_message(problem);
                assert!(!problem.contains(SECRET), "{problem}");
            }
            problems.iter().map(|problem| kind_of(problem)).collect()
        }
    }
}
