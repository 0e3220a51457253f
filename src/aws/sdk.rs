//! The AWS SDK's clients, on the function's own HTTP client.

use crate::aws::errors::Reporter;
use crate::aws::http::sdk_http_client;
use crate::aws::scheduler::Scheduler;
use crate::aws::secrets_manager::SecretsManager;
use crate::aws::sns::Topic;
use crate::environment::Environment;
use crate::http::Connections;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sns::config::retry::{RetryPartition, TokenBucket};
use secrecy::SecretString;
use std::sync::Arc;
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
    pub async fn load(
        connections: Arc<Connections>,
        environment: &Environment,
        region: String,
        request_timeout: Duration,
    ) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        // The default chain begins with these too. Named here, the rest of the chain (with a client of STS) does not have
        // to be built on Lambda, where they are always set.
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        if keys.iter().all(|name| environment.get(name).is_some()) {
            loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        let config = loader
            .region(Region::new(region.clone()))
            .http_client(sdk_http_client(connections, request_timeout))
            .retry_config(retry_config())
            // Responses are read whole and have a time limit of their own.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .load()
            .await;
        let credentials = [&keys[..], &["AWS_SESSION_TOKEN"]].concat();
        Self::new(config, region, credentials.into_iter().filter_map(|name| environment.get(name)))
    }

    /// `credentials` are texts that no message may show.
    pub(crate) fn new<'a>(config: SdkConfig, region: String, credentials: impl Iterator<Item = &'a str>) -> Self {
        // Shorter values are not credentials and may be words.
        let credentials = credentials.filter(|text| text.len() >= 8).map(SecretString::from).collect();
        // Attempts are bounded by the invocation. A quota for the whole process would deny them to the invocations that
        // follow an outage.
        let partition = RetryPartition::custom("invocation").token_bucket(TokenBucket::unlimited()).build();
        Self { config, partition, reporter: Reporter { region, credentials } }
    }

    /// The secret with this name or ARN.
    pub fn secret(&self, secret_id: String) -> SecretsManager {
        let config =
            aws_sdk_secretsmanager::config::Builder::from(&self.config).retry_partition(self.partition.clone()).build();
        let client = aws_sdk_secretsmanager::Client::from_conf(config);
        SecretsManager::new(client, self.reporter.clone(), secret_id)
    }

    /// The topic with this ARN, in the Region that the ARN names.
    pub fn topic(&self, arn: String) -> Topic {
        let mut config = aws_sdk_sns::config::Builder::from(&self.config).retry_partition(self.partition.clone());
        let mut reporter = self.reporter.clone();
        if let Some(arn) = crate::arn::Arn::parse(&arn) {
            reporter.region = arn.region.to_owned();
            config = config.region(Region::new(reporter.region.clone()));
        }
        Topic::new(aws_sdk_sns::Client::from_conf(config.build()), reporter, arn)
    }

    /// The schedules of this Region and account.
    pub fn scheduler(&self) -> Scheduler {
        let config =
            aws_sdk_scheduler::config::Builder::from(&self.config).retry_partition(self.partition.clone()).build();
        Scheduler::new(aws_sdk_scheduler::Client::from_conf(config), self.reporter.clone())
    }
}

/// Three attempts, backing off from 100 ms: a connection that died while the environment was frozen costs a moment. What
/// is repeated is the SDK's decision.
fn retry_config() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(100))
}

/// The Region of the environment: of its variables, or of the AWS profile. Without one, no request can be sent.
pub async fn region(environment: &Environment) -> Option<String> {
    let variable = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| environment.get(name));
    if let Some(region) = variable {
        return Some(region.to_owned());
    }
    ProfileFileRegionProvider::new().region().await.map(|region| region.to_string())
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use aws_credential_types::Credentials;
    use aws_credential_types::credential_fn::provide_credentials_fn;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
    use aws_smithy_runtime_api::client::http::SharedHttpClient;

    pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    pub(crate) const SESSION_TOKEN: &str = "session-token-of-the-environment";

    /// The clients as they ship, on another HTTP client.
    pub(crate) fn sdk(client: SharedHttpClient, credentials: bool) -> Sdk {
        Sdk::new(config(client, credentials, None), "eu-west-1".into(), KNOWN.into_iter())
    }

    /// The clients on the HTTP client that ships, with another server.
    pub(crate) fn sdk_at(endpoint: &str) -> Sdk {
        let connections = Arc::new(Connections::new(None, None).unwrap());
        let client = sdk_http_client(connections, Duration::from_secs(5));
        Sdk::new(config(client, true, Some(endpoint)), "eu-west-1".into(), KNOWN.into_iter())
    }

    const KNOWN: [&str; 3] = [ACCESS_KEY, SECRET_KEY, SESSION_TOKEN];

    fn config(client: SharedHttpClient, credentials: bool, endpoint: Option<&str>) -> SdkConfig {
        let provider = provide_credentials_fn(move || async move {
            let found = || Credentials::new(ACCESS_KEY, SECRET_KEY, Some(SESSION_TOKEN.into()), None, "test");
            credentials.then(found).ok_or_else(|| CredentialsError::not_loaded("none"))
        });
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .http_client(client)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(retry_config())
            .credentials_provider(SharedCredentialsProvider::new(provider));
        config.set_endpoint_url(endpoint.map(str::to_owned));
        config.build()
    }
}
