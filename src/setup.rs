//! Builds the function from its environment.

use crate::aws::sdk::{self, Sdk};
use crate::aws::{scheduler::Scheduler, secrets_manager::SecretsManager};
use crate::config::{self, Config};
use crate::delivery::{Courier, Destinations};
use crate::error::{ErrorType, WatchError};
use crate::handler::{Checker, Handler};
use crate::timestamp::{Clock, Timestamp};
use crate::token::{Sharing, TokenSource};
use crate::watch::message::{Message, MessageSettings};
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use crate::{arn::ScheduleArn, environment::Environment, http::Connections, phase};
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use std::sync::{Arc, OnceLock};

/// The function as it runs on Lambda.
pub type Function = Handler<SecretsManager, Connections, Aws>;

/// Reads the environment and makes the clients. Sends nothing.
/// The error names every invalid variable.
pub async fn function(environment: &Environment) -> Result<Function, WatchError> {
    let config = phase::timed("init.config", async { Config::new(environment) }).await;
    let region = sdk::region(environment).await.ok_or_else(|| "AWS_REGION is not set".to_owned());
    let (config, region) = match (config, region) {
        (Ok(config), Ok(region)) => (config, region),
        (config, region) => {
            let problems: Vec<_> = config.err().into_iter().flatten().chain(region.err()).collect();
            return Err(config::invalid(&problems));
        }
    };
    let connections = config.connections;
    let sdk = Sdk::load(connections.clone(), environment, region.clone(), config.zoho.request_timeout);
    let sdk = phase::timed("init.aws", sdk).await;
    let clock: Clock = Arc::new(Timestamp::now);
    let secret = sdk.secret(config.secret_id.clone());
    let tokens = TokenSource::new(secret, connections, config.zoho, Sharing::ReadWrite, clock.clone());
    let settings = MessageSettings {
        chat: config.chat_notifications,
        stack: environment.get("STACK_NAME").map(str::to_owned),
        log_group: environment.get("AWS_LAMBDA_LOG_GROUP_NAME").map(str::to_owned),
        ..MessageSettings::default()
    };
    let aws = Aws { sdk, scheduler: OnceLock::new(), topic_arn: config.topic_arn };
    Ok(Handler::new(Checker::new(tokens), Courier::new(aws, config.limits, clock), settings, region))
}

/// SNS and EventBridge Scheduler. Their clients are made when they are needed: most invocations see no end of a watch. That
/// of Scheduler is made once: a check by a schedule that adapts uses it three times.
pub struct Aws {
    sdk: Sdk,
    scheduler: OnceLock<Scheduler>,
    topic_arn: Option<String>,
}

impl Destinations for Aws {
    type Whole = GetScheduleOutput;

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let arn = self.topic_arn.clone().ok_or_else(|| {
            let problem = "STATUS_TOPIC_ARN is not set, but a notification is due: it must be the ARN of an SNS topic";
            WatchError::new(ErrorType::InvalidConfiguration, problem)
        })?;
        self.sdk.topic(arn).publish(message).await
    }

    async fn read_schedule(&self, arn: &ScheduleArn) -> Result<Option<(Schedule, GetScheduleOutput)>, WatchError> {
        self.scheduler.get_or_init(|| self.sdk.scheduler()).read(arn).await
    }

    async fn update_schedule(
        &self,
        arn: &ScheduleArn,
        whole: GetScheduleOutput,
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        self.scheduler.get_or_init(|| self.sdk.scheduler()).update(arn, whole, update).await
    }

    async fn delete_schedule(&self, arn: &ScheduleArn) -> Result<(), WatchError> {
        self.scheduler.get_or_init(|| self.sdk.scheduler()).delete(arn).await
    }

    async fn prepare_scheduler(&self) {
        self.scheduler.get_or_init(|| self.sdk.scheduler()).preconnect().await;
    }
}
