//! Builds the function from its environment.

use crate::aws::scheduler::Scheduler;
use crate::aws::sdk;
use crate::aws::secrets_manager::SecretsManager;
use crate::aws::sns::Topic;
use crate::checker::{self, Checker};
use crate::config::{self, Config};
use crate::delivery::Destinations;
use crate::error::{ErrorType, WatchError};
use crate::handler::Handler;
use crate::http::Connections;
use crate::phase::{self, Phase};
use crate::timestamp::{Clock, Timestamp};
use crate::token::{self, TokenSource};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use crate::watch::pacing::Bounds;
use crate::watch::report::Limits;
use aws_config::SdkConfig;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The function as it runs on Lambda.
pub type Function = Handler<SecretsManager, Arc<Connections>, Aws>;

/// Reads the environment and makes the clients. Sends nothing.
///
/// # Errors
///
/// `InvalidConfiguration`, which names every variable at fault.
pub async fn function() -> Result<Function, WatchError> {
    let configuring = Phase::begin(phase::INIT_CONFIG);
    let cert_file = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let connections = Connections::new(cert_file.as_deref().map(Path::new));
    let (config, connections) = match (Config::from_env(), connections) {
        (Ok(config), Ok(connections)) => (config, Arc::new(connections)),
        (config, connections) => {
            let bundle = connections.err().map(|problem| format!("SSL_CERT_FILE {problem}"));
            let problems: Vec<String> = config.err().into_iter().flatten().chain(bundle).collect();
            return Err(config::invalid(&problems));
        }
    };
    drop(configuring);
    let _aws = Phase::begin(phase::INIT_AWS);
    let sdk_config = sdk::load(connections.shared_client(), config.request_timeout).await;
    let Some(region) = sdk_config.region().map(ToString::to_string) else {
        return Err(config::invalid(&["AWS_REGION is not set".to_owned()]));
    };
    let secrets = SecretsManager::new(aws_sdk_secretsmanager::Client::new(&sdk_config), config.secret_id);
    let clock: Clock = Arc::new(Timestamp::now);
    let tokens = TokenSource::new(
        secrets,
        connections.clone(),
        token::Settings {
            api_domain: config.api_domain.clone(),
            accounts_domain: config.accounts_domain,
            data_center: None,
            request_timeout: config.request_timeout,
            clock: clock.clone(),
        },
    );
    let checker = Checker::new(
        tokens,
        connections,
        checker::Settings {
            api_version: config.api_version,
            request_timeout: config.request_timeout,
            api_host: config.api_domain,
            clock: clock.clone(),
        },
    );
    let limits = Limits {
        bounds: Bounds {
            min_seconds: config.check_interval_min_seconds,
            max_seconds: config.check_interval_max_seconds,
        },
        watch_limit_seconds: config.watch_limit_seconds,
    };
    Ok(Handler::new(checker, Aws::new(sdk_config, config.topic_arn), limits, region, clock))
}

/// SNS and EventBridge Scheduler. Their clients are made when they are first needed: most execution environments never
/// see the end of a watch.
pub struct Aws {
    sdk_config: SdkConfig,
    topic_arn: Option<String>,
    topic: OnceLock<Topic>,
    scheduler: OnceLock<Scheduler>,
}

impl Aws {
    fn new(sdk_config: SdkConfig, topic_arn: Option<String>) -> Self {
        Self { sdk_config, topic_arn, topic: OnceLock::new(), scheduler: OnceLock::new() }
    }

    fn scheduler(&self) -> &Scheduler {
        self.scheduler.get_or_init(|| Scheduler::new(aws_sdk_scheduler::Client::new(&self.sdk_config)))
    }
}

impl Destinations for Aws {
    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let topic_arn = self.topic_arn.as_deref().ok_or_else(|| {
            let problem =
                "STATUS_TOPIC_ARN is not set, but a notification is due: it must be the ARN of an SNS topic";
            WatchError::new(ErrorType::InvalidConfiguration, problem)
        })?;
        let topic = self
            .topic
            .get_or_init(|| Topic::new(aws_sdk_sns::Client::new(&self.sdk_config), topic_arn.to_owned()));
        topic.publish(message).await
    }

    async fn delete_schedule(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        self.scheduler().delete(schedule).await
    }

    async fn schedule_created_at(&self, schedule: &ScheduleArn) -> Result<Option<Timestamp>, WatchError> {
        self.scheduler().created_at(schedule).await
    }
}
