//! Builds the function from its environment.

use crate::aws::scheduler::Scheduler;
use crate::aws::sdk::{self, Sdk};
use crate::aws::secrets_manager::SecretsManager;
use crate::aws::sns::Topic;
use crate::checker::Checker;
use crate::config::{self, Config};
use crate::deadline::CurrentDeadline;
use crate::delivery::{Destinations, Response};
use crate::environment::Environment;
use crate::error::{ErrorType, WatchError};
use crate::handler::{Handler, Invocation};
use crate::http::{Connections, HttpSettings};
use crate::phase::Phase;
use crate::timestamp::{Clock, Timestamp};
use crate::token::{Sharing, TokenSource};
use crate::watch::ids::ScheduleArn;
use crate::watch::message::{Message, MessageSettings};
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The function as it runs on Lambda.
pub struct Function {
    handler: Handler<SecretsManager, Arc<Connections>, Aws>,
    deadline: CurrentDeadline,
}

impl Function {
    /// Does what the first invocation needs ahead of it.
    pub async fn warm_up(&self) {
        self.handler.warm_up().await;
    }

    /// Responds to one invocation.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Response, WatchError> {
        self.deadline.set(invocation.deadline);
        self.handler.handle(invocation).await
    }
}

/// Reads the environment and makes the clients. Sends nothing.
/// The error names every invalid variable.
pub async fn function(environment: &Environment) -> Result<Function, WatchError> {
    let configuring = Phase::begin("init.config");
    let deadline = CurrentDeadline::default();
    let (config, mut problems) = match Config::new(environment) {
        Ok(config) => (Some(config), Vec::new()),
        Err(problems) => (None, problems),
    };
    let connections = Connections::new(HttpSettings {
        cert_file: environment.get("SSL_CERT_FILE").map(Path::new),
        proxy: config.as_ref().and_then(|config| config.proxy.clone()),
        deadline: deadline.clone(),
    });
    let connections = connections.map_err(|problem| problems.push(format!("SSL_CERT_FILE {problem}"))).ok();
    drop(configuring);
    let _aws = Phase::begin("init.aws");
    let region = sdk::region(environment).await;
    if region.is_none() {
        problems.push("AWS_REGION is not set".to_owned());
    }
    let (Some(config), Some(connections), Some(region), []) = (config, connections, region, &problems[..]) else {
        return Err(config::invalid(&problems));
    };
    let connections = Arc::new(connections);
    let sdk = Sdk::load(connections.clone(), environment, region.clone(), config.zoho.request_timeout).await;
    let clock: Clock = Arc::new(Timestamp::now);
    let secret = sdk.secret(config.secret_id.clone());
    let tokens = TokenSource::new(secret, connections, config.zoho, Sharing::ReadWrite, clock.clone());
    let checker = Checker::new(tokens);
    let settings = MessageSettings {
        chat: config.chat_notifications,
        stack: environment.get("STACK_NAME").map(str::to_owned),
        log_group: environment.get("AWS_LAMBDA_LOG_GROUP_NAME").map(str::to_owned),
        ..MessageSettings::default()
    };
    let topic_arn = config.topic_arn;
    let ends = Aws { sdk, topic_arn, topic: OnceLock::new(), scheduler: OnceLock::new() };
    let handler = Handler::new(checker, ends, settings, config.limits, region, clock);
    Ok(Function { handler, deadline })
}

/// SNS and EventBridge Scheduler. Their clients are made when they are first needed: most execution environments never
/// see the end of a watch.
pub struct Aws {
    sdk: Sdk,
    topic_arn: Option<String>,
    topic: OnceLock<Topic>,
    scheduler: OnceLock<Scheduler>,
}

impl Aws {
    fn topic(&self) -> Option<&Topic> {
        let arn = self.topic_arn.as_ref()?;
        Some(self.topic.get_or_init(|| self.sdk.topic(arn.clone())))
    }

    fn scheduler(&self) -> &Scheduler {
        self.scheduler.get_or_init(|| self.sdk.scheduler())
    }
}

impl Destinations for Aws {
    type Whole = GetScheduleOutput;

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let topic = self.topic().ok_or_else(|| {
            let problem = "STATUS_TOPIC_ARN is not set, but a notification is due: it must be the ARN of an SNS topic";
            WatchError::new(ErrorType::InvalidConfiguration, problem)
        })?;
        topic.publish(message).await
    }

    async fn read_schedule(&self, arn: &ScheduleArn) -> Result<Option<(Schedule, GetScheduleOutput)>, WatchError> {
        self.scheduler().read(arn).await
    }

    async fn update_schedule(
        &self,
        arn: &ScheduleArn,
        whole: GetScheduleOutput,
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        self.scheduler().update(arn, whole, update).await
    }

    async fn delete_schedule(&self, arn: &ScheduleArn) -> Result<(), WatchError> {
        self.scheduler().delete(arn).await
    }

    async fn prepare_scheduler(&self) {
        self.scheduler().preconnect().await;
    }
}
