//! The function's settings, from environment variables.

use crate::error::{ErrorType, WatchError};
use crate::http::origin::Origin;
use std::time::Duration;

/// All that the environment says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ZOHO_SECRET_ID`: name or ARN of the secret.
    pub secret_id: String,
    /// `STATUS_TOPIC_ARN`: needed once a notification is due.
    pub topic_arn: Option<String>,
    /// `ZOHO_API_DOMAIN`: overrides every other source of the API host.
    pub api_domain: Option<Origin>,
    /// `ZOHO_ACCOUNTS_DOMAIN`: overrides every other source of the accounts host.
    pub accounts_domain: Option<Origin>,
    /// `ZOHO_API_VERSION`, such as `v8`.
    pub api_version: String,
    /// `REQUEST_TIMEOUT_SECONDS`: one HTTP attempt.
    pub request_timeout: Duration,
    /// `CHECK_INTERVAL_MIN_SECONDS`: least `next_check_seconds`.
    pub check_interval_min_seconds: u64,
    /// `CHECK_INTERVAL_MAX_SECONDS`: greatest `next_check_seconds`.
    pub check_interval_max_seconds: u64,
    /// `WATCH_LIMIT_SECONDS`: how long one watch goes on.
    pub watch_limit_seconds: u64,
}

/// A Standard workflow lives a year at most, and so does a watch or a wait.
const YEAR_SECONDS: u64 = 31_536_000;

impl Config {
    /// Reads every variable through `lookup`; an empty one counts as absent, as templates leave them.
    ///
    /// The error has a sentence for every variable at fault, not only for the first.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut variables = Variables { lookup, faults: Vec::new() };
        let secret_id =
            variables.required("ZOHO_SECRET_ID", "the name or ARN of the secret with Zoho's credentials");
        let topic_arn = variables.parsed("STATUS_TOPIC_ARN", parse_topic_arn);
        let api_domain = variables.parsed("ZOHO_API_DOMAIN", Origin::parse);
        let accounts_domain = variables.parsed("ZOHO_ACCOUNTS_DOMAIN", Origin::parse);
        let api_version =
            variables.parsed("ZOHO_API_VERSION", parse_api_version).unwrap_or_else(|| "v8".to_owned());
        let request_timeout = variables.seconds("REQUEST_TIMEOUT_SECONDS", 900).unwrap_or(10);
        let least = variables.seconds("CHECK_INTERVAL_MIN_SECONDS", YEAR_SECONDS);
        let most = variables.seconds("CHECK_INTERVAL_MAX_SECONDS", YEAR_SECONDS);
        // A bound that is set moves the other one's default along.
        let check_interval_min_seconds = least.unwrap_or_else(|| most.map_or(10, |most| most.min(10)));
        let check_interval_max_seconds = most.unwrap_or_else(|| check_interval_min_seconds.max(900));
        let watch_limit_seconds = variables.seconds("WATCH_LIMIT_SECONDS", YEAR_SECONDS).unwrap_or(86_400);
        if check_interval_min_seconds > check_interval_max_seconds {
            variables.faults.push(format!(
                "CHECK_INTERVAL_MIN_SECONDS ({check_interval_min_seconds}) is above CHECK_INTERVAL_MAX_SECONDS \
                 ({check_interval_max_seconds})"
            ));
        }
        variables.into_result(Self {
            secret_id,
            topic_arn,
            api_domain,
            accounts_domain,
            api_version,
            request_timeout: Duration::from_secs(request_timeout),
            check_interval_min_seconds,
            check_interval_max_seconds,
            watch_limit_seconds,
        })
    }

    /// The process's own environment.
    pub fn from_env() -> Result<Self, Vec<String>> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }
}

struct Variables<F> {
    lookup: F,
    faults: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn required(&mut self, name: &str, meaning: &str) -> String {
        self.get(name).unwrap_or_else(|| {
            self.faults.push(format!("{name} is not set: it must be {meaning}"));
            String::new()
        })
    }

    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.get(name)?) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.faults.push(format!("{name} {wrong}"));
                None
            }
        }
    }

    fn seconds(&mut self, name: &str, most: u64) -> Option<u64> {
        let parse = |text: &str| {
            text.parse::<u64>().ok().filter(|seconds| (1..=most).contains(seconds)).ok_or_else(|| {
                format!(
                    "must be a whole number of seconds from 1 to {most}, not {:?}",
                    crate::redact::quote(text)
                )
            })
        };
        self.parsed(name, parse)
    }

    fn into_result<T>(self, value: T) -> Result<T, Vec<String>> {
        if self.faults.is_empty() { Ok(value) } else { Err(self.faults) }
    }
}

/// Every call's answer while these faults last.
pub fn invalid(faults: &[String]) -> WatchError {
    let faults = faults.join("; ");
    WatchError::new(
        ErrorType::InvalidConfiguration,
        format!("the function's environment variables need mending: {faults}"),
    )
}

fn parse_topic_arn(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, topic]
            if partition.starts_with("aws")
                && !region.is_empty()
                && !account.is_empty()
                && !topic.is_empty() =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "must be an SNS topic ARN such as arn:aws:sns:eu-west-1:123456789012:zoho-status, not {:?}",
            crate::redact::quote(text)
        )),
    }
}

fn parse_api_version(text: &str) -> Result<String, String> {
    let valid = text.strip_prefix('v').is_some_and(|number| {
        number.split('.').count() <= 2
            && number
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    if valid {
        Ok(text.to_owned())
    } else {
        Err(format!("must be a version of Zoho's API such as v8, not {:?}", crate::redact::quote(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        Config::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults() {
        let config = config(&[("ZOHO_SECRET_ID", "zoho"), ("ZOHO_API_DOMAIN", "")]).unwrap();
        assert_eq!(config.secret_id, "zoho");
        assert_eq!(config.api_version, "v8");
        assert_eq!(config.request_timeout, Duration::from_secs(10));
        assert_eq!((config.check_interval_min_seconds, config.check_interval_max_seconds), (10, 900));
        assert_eq!(config.watch_limit_seconds, 86_400);
        assert_eq!((config.topic_arn, config.api_domain, config.accounts_domain), (None, None, None));
    }

    #[test]
    fn every_variable_at_fault_is_named_in_one_answer() {
        let faults = config(&[
            ("STATUS_TOPIC_ARN", "zoho-status"),
            ("ZOHO_API_DOMAIN", "http://www.zohoapis.com"),
            ("ZOHO_ACCOUNTS_DOMAIN", "accounts.zoho.com"),
            ("ZOHO_API_VERSION", "8"),
            ("REQUEST_TIMEOUT_SECONDS", "ten"),
            ("CHECK_INTERVAL_MIN_SECONDS", "0"),
            ("CHECK_INTERVAL_MAX_SECONDS", "-5"),
            ("WATCH_LIMIT_SECONDS", "1.5"),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 9);
        let error = invalid(&faults);
        assert_eq!(error.kind(), ErrorType::InvalidConfiguration);
        for name in [
            "ZOHO_SECRET_ID",
            "STATUS_TOPIC_ARN",
            "ZOHO_API_DOMAIN",
            "ZOHO_ACCOUNTS_DOMAIN",
            "ZOHO_API_VERSION",
            "REQUEST_TIMEOUT_SECONDS",
            "CHECK_INTERVAL_MIN_SECONDS",
            "CHECK_INTERVAL_MAX_SECONDS",
            "WATCH_LIMIT_SECONDS",
        ] {
            assert!(error.message().contains(name), "{name} is missing in: {error}");
        }
    }

    #[test]
    fn bounds_must_be_in_order() {
        let bounds = |variables: &[(&str, &str)]| {
            let config = config(&[&[("ZOHO_SECRET_ID", "zoho")], variables].concat()).unwrap();
            (config.check_interval_min_seconds, config.check_interval_max_seconds)
        };
        assert_eq!(bounds(&[("CHECK_INTERVAL_MAX_SECONDS", "5")]), (5, 5));
        assert_eq!(bounds(&[("CHECK_INTERVAL_MIN_SECONDS", "1000")]), (1_000, 1_000));
        assert_eq!(bounds(&[("CHECK_INTERVAL_MIN_SECONDS", "60")]), (60, 900));

        let faults = config(&[
            ("ZOHO_SECRET_ID", "zoho"),
            ("CHECK_INTERVAL_MIN_SECONDS", "60"),
            ("CHECK_INTERVAL_MAX_SECONDS", "30"),
        ])
        .unwrap_err();
        assert!(faults.concat().contains("is above CHECK_INTERVAL_MAX_SECONDS"), "{faults:?}");
    }

    #[test]
    fn versions_and_topics() {
        for (text, valid) in
            [("v8", true), ("v2.1", true), ("v", false), ("v8/x", false), ("V8", false), ("v8.1.2", false)]
        {
            assert_eq!(parse_api_version(text).is_ok(), valid, "{text}");
        }
        for (text, valid) in [
            ("arn:aws:sns:eu-west-1:123456789012:topic", true),
            ("arn:aws-cn:sns:cn-north-1:123456789012:topic.fifo", true),
            ("arn:aws:sqs:eu-west-1:123456789012:topic", false),
            ("arn:aws:sns:eu-west-1:123456789012", false),
            ("topic", false),
        ] {
            assert_eq!(parse_topic_arn(text).is_ok(), valid, "{text}");
        }
    }
}
