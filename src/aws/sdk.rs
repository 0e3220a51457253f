//! The AWS SDK's clients, on the function's own HTTP client.

use crate::aws::{
    errors::Reporter, http::sdk_http_client, scheduler::Scheduler, secrets_manager::SecretsManager, sns::Topic,
};
use crate::{arn::Arn, environment::Environment, http::Connections};
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sns::config::retry::{RetryPartition, TokenBucket};
use secrecy::SecretString;
use std::time::Duration;

/// What all the clients share.
#[derive(Clone)]
pub struct Sdk {
    config: SdkConfig,
    partition: RetryPartition,
    reporter: Reporter,
}

impl Sdk {
    /// Credentials and endpoints are those of the process's environment, as in every program with an AWS SDK.
    /// An attempt takes at most `timeout`.
    pub async fn load(connections: Connections, environment: &Environment, region: String, timeout: Duration) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        // The default chain begins with these, too. Named here, its rest (with a client of STS) is not built on Lambda.
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        if keys.iter().all(|name| environment.get(name).is_some()) {
            loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        let config = loader
            .region(Region::new(region.clone()))
            .http_client(sdk_http_client(connections, timeout))
            // Responses are read whole and have a time limit of their own.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // Replaced below. Without one here, the SDK reads AWS_MAX_ATTEMPTS and AWS_RETRY_MODE, and panics at invalid values.
            .retry_config(RetryConfig::standard())
            .load()
            .await;
        let credentials = [&keys[..], &["AWS_SESSION_TOKEN"]].concat();
        Self::new(config, region, credentials.into_iter().filter_map(|name| environment.get(name)))
    }

    /// `credentials` are texts that no message may show.
    pub(super) fn new<'a>(config: SdkConfig, region: String, credentials: impl Iterator<Item = &'a str>) -> Self {
        // Shorter values are not credentials and may be words.
        let credentials = credentials.filter(|text| text.len() >= 8).map(SecretString::from).collect();
        // Attempts are bounded by the invocation. A process's quota would deny them to the invocations after an outage.
        let partition = RetryPartition::custom("invocation").token_bucket(TokenBucket::unlimited()).build();
        // Three attempts, backing off from 100 ms: a connection that died while the environment was frozen costs a moment.
        // What is repeated is the SDK's decision.
        let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(100));
        let config = config.into_builder().retry_config(retries).build();
        Self { config, partition, reporter: Reporter { region, credentials } }
    }

    /// The secret with this name or ARN.
    pub fn secret(&self, secret_id: String) -> SecretsManager {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config);
        let config = config.retry_partition(self.partition.clone()).build();
        let client = aws_sdk_secretsmanager::Client::from_conf(config);
        SecretsManager { client, reporter: self.reporter.clone(), secret_id }
    }

    /// The topic with this ARN, in the Region that the ARN names.
    pub fn topic(&self, arn: String) -> Topic {
        let region = Arn::parse(&arn).map_or_else(|| self.reporter.region.clone(), |arn| arn.region.to_owned());
        let config = aws_sdk_sns::config::Builder::from(&self.config).region(Region::new(region.clone()));
        let config = config.retry_partition(self.partition.clone()).build();
        let reporter = Reporter { region, ..self.reporter.clone() };
        Topic { client: aws_sdk_sns::Client::from_conf(config), reporter, arn }
    }

    /// The schedules of this Region and account.
    pub fn scheduler(&self) -> Scheduler {
        let config = aws_sdk_scheduler::config::Builder::from(&self.config);
        let config = config.retry_partition(self.partition.clone()).build();
        Scheduler { client: aws_sdk_scheduler::Client::from_conf(config), reporter: self.reporter.clone() }
    }
}

/// The Region of the environment: of its variables, or of the AWS profile. Without one, no request can be sent.
pub async fn region(environment: &Environment) -> Option<String> {
    match ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| environment.get(name)) {
        Some(region) => Some(region.to_owned()),
        None => ProfileFileRegionProvider::new().region().await.map(|region| region.to_string()),
    }
}
