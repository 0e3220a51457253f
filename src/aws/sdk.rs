//! The AWS SDK's clients, on our transport.

use crate::aws::http::sdk_http_client;
use crate::{http, redact};
use ::http::StatusCode;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::time::Duration;

/// What all the clients share: region, credentials and endpoints from the environment, as the SDK has them everywhere.
///
/// Three attempts, backing off from 100 ms: a connection that died while the environment was frozen costs a moment.
pub async fn load(client: reqwest::Client, request_timeout: Duration) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    // The default chain begins with these too. Said here, the rest of the chain (with a client of STS) is not built in
    // vain on Lambda, where they are always set.
    if ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().all(|name| std::env::var(name).is_ok()) {
        loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
    }
    loader
        .http_client(sdk_http_client(client))
        .retry_config(
            RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(100)),
        )
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(request_timeout).build())
        // Answers are read whole and have a time limit of their own.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}

/// What a service said, `HTTP 403 AccessDeniedException "…"`, or why it said nothing.
pub fn summary<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(response) = error.raw_response() else { return redact::causes(error) };
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or_default();
    http::summary(status, error.code().unwrap_or_default(), error.message().unwrap_or_default())
}
