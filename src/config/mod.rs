//! The function's settings: every environment variable, read once and checked.

#[cfg(test)]
mod tests;
mod values;

use crate::error::{ErrorType, WatchError};
use crate::http::{Connections, Origin};
use crate::watch::{notice, pacing::Bounds, report::Limits};
use crate::{environment::Environment, invalid::Invalid, zoho::ZohoSettings};
use std::path::Path;
use std::time::Duration;

/// All settings, and the HTTP client that follows from them.
pub struct Config {
    /// `ZOHO_SECRET_ID`: name or ARN of the secret.
    pub secret_id: String,
    /// `STATUS_TOPIC_ARN`: needed once a notification is due.
    pub topic_arn: Option<String>,
    /// `ZOHO_DATA_CENTER` and the like.
    pub zoho: ZohoSettings,
    /// `CHECK_INTERVAL_MIN_SECONDS`, `CHECK_INTERVAL_MAX_SECONDS`, `WATCH_LIMIT_SECONDS`, `STILL_RUNNING_NOTICE_SECONDS`,
    /// and `NO_PROGRESS_NOTICE_SECONDS`.
    pub limits: Limits,
    /// `CHAT_NOTIFICATIONS`: whether messages have a text for Amazon Q Developer in chat applications.
    pub chat_notifications: bool,
    /// With the certificates of `SSL_CERT_FILE`, through the proxy of `HTTPS_PROXY` or `ALL_PROXY` except for `NO_PROXY`.
    pub connections: Connections,
}

/// A Standard workflow runs for at most a year, and so does a watch or a wait.
const YEAR_SECONDS: u64 = 31_536_000;

impl Config {
    /// Reads every variable, including those that the AWS SDK reads. Sends nothing. The errors are a sentence for every
    /// invalid variable. None repeats a value that was rejected.
    pub fn new(environment: &Environment) -> Result<Self, Vec<String>> {
        let mut variables = Variables { environment, problems: Vec::new() };
        if environment.get("ZOHO_SECRET_ID").is_none() {
            variables.problems.push("ZOHO_SECRET_ID is not set".to_owned());
        }
        let secret_id = variables.parsed("ZOHO_SECRET_ID", values::secret_id).unwrap_or_default();
        let topic_arn = variables.parsed("STATUS_TOPIC_ARN", values::topic_arn);
        let defaults = ZohoSettings::default();
        let request_timeout = variables.seconds("REQUEST_TIMEOUT_SECONDS", 900).map(Duration::from_secs);
        let api_version = variables.parsed("ZOHO_API_VERSION", values::api_version);
        let zoho = ZohoSettings {
            data_center: variables.parsed("ZOHO_DATA_CENTER", values::data_center),
            api_domain: variables.parsed("ZOHO_API_DOMAIN", Origin::parse),
            accounts_domain: variables.parsed("ZOHO_ACCOUNTS_DOMAIN", Origin::parse),
            api_version: api_version.unwrap_or(defaults.api_version),
            request_timeout: request_timeout.unwrap_or(defaults.request_timeout),
        };
        let least = variables.seconds("CHECK_INTERVAL_MIN_SECONDS", YEAR_SECONDS);
        let most = variables.seconds("CHECK_INTERVAL_MAX_SECONDS", YEAR_SECONDS);
        // Setting one bound adjusts the default of the other.
        let min_seconds = least.unwrap_or_else(|| most.map_or(10, |most| most.min(10)));
        let max_seconds = most.unwrap_or_else(|| min_seconds.max(900));
        let watch_limit_seconds = variables.seconds("WATCH_LIMIT_SECONDS", YEAR_SECONDS).unwrap_or(86_400);
        let notices = notice::Intervals {
            still_running: variables.interval("STILL_RUNNING_NOTICE_SECONDS"),
            no_progress: variables.interval("NO_PROGRESS_NOTICE_SECONDS"),
        };
        let chat_notifications = variables.parsed("CHAT_NOTIFICATIONS", values::switch).unwrap_or(false);
        if min_seconds > max_seconds {
            variables.problems.push(format!(
                "CHECK_INTERVAL_MIN_SECONDS ({min_seconds}) is greater than CHECK_INTERVAL_MAX_SECONDS ({max_seconds})"
            ));
        }
        variables.check_aws();
        let cert_file = environment.get("SSL_CERT_FILE").map(Path::new);
        let connections = match Connections::new(cert_file, variables.proxy()) {
            Ok(connections) if variables.problems.is_empty() => connections,
            result => {
                variables.problems.extend(result.err().map(|problem| format!("SSL_CERT_FILE {problem}")));
                return Err(variables.problems);
            }
        };
        let limits = Limits { bounds: Bounds { min_seconds, max_seconds }, watch_limit_seconds, notices };
        Ok(Self { secret_id, topic_arn, zoho, limits, chat_notifications, connections })
    }
}

struct Variables<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl Variables<'_> {
    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, Invalid>) -> Option<T> {
        parse(self.environment.get(name)?).map_err(|invalid| self.problems.push(invalid.of(name))).ok()
    }

    fn seconds(&mut self, name: &str, max: u64) -> Option<u64> {
        self.parsed(name, |text| values::seconds(text, 1..=max))
    }

    /// 0 turns off what has this interval: a template's parameter that is a number cannot be empty.
    fn interval(&mut self, name: &str) -> Option<u64> {
        self.parsed(name, |text| values::seconds(text, 0..=YEAR_SECONDS)).filter(|seconds| *seconds > 0)
    }

    /// Lowercase first, as curl does.
    fn proxy(&mut self) -> Option<reqwest::Proxy> {
        let environment = self.environment;
        let exceptions = ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| environment.get(name));
        let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let name = names.into_iter().find(|name| environment.get(name).is_some())?;
        self.parsed(name, |text| values::proxy(text, exceptions))
    }

    /// The SDK panics at some malformed values, and fails each request with others.
    fn check_aws(&mut self) {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            self.parsed(name, values::region);
        }
        for service in ["", "_SECRETS_MANAGER", "_SNS", "_SCHEDULER"] {
            self.parsed(&format!("AWS_ENDPOINT_URL{service}"), values::endpoint_url);
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            self.parsed(name, values::credential);
        }
    }
}

/// The response to every invocation while these problems last.
pub fn invalid(problems: &[String]) -> WatchError {
    let problems = problems.join("; ");
    WatchError::new(ErrorType::InvalidConfiguration, format!("invalid configuration: {problems}"))
}
