//! The schedules of EventBridge Scheduler that trigger watches.

use crate::aws::errors::{Meaning, Operation};
use crate::aws::http::preconnect;
use crate::aws::reporter::{AwsError, Reporter};
use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::watch::ids::ScheduleArn;
use aws_sdk_scheduler::Client;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde::de::IgnoredAny;

/// Reads and deletes schedules.
#[derive(Debug, Clone)]
pub struct Scheduler {
    client: Client,
    reporter: Reporter,
}

impl Scheduler {
    pub(crate) fn new(client: Client, reporter: Reporter) -> Self {
        Self { client, reporter }
    }

    /// Opens the connection that deleting a schedule will need.
    pub async fn preconnect(&self) {
        preconnect(self.client.get_schedule().name("-").send()).await;
    }

    /// Deletes the schedule. One that does not exist counts as deleted.
    ///
    /// # Errors
    ///
    /// `ScheduleNotDeleted`, also if the response is not that of Scheduler.
    pub async fn delete(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        let request = self.client.delete_schedule().group_name(schedule.group()).name(schedule.name());
        match request.customize().interceptor(OnlyJson).send().await {
            Ok(_) => Ok(()),
            Err(error) => match self.reporter.report(Operation::DeleteSchedule, schedule.as_str(), &error) {
                AwsError { meaning: Meaning::Missing, .. } => Ok(()),
                AwsError { message, .. } => Err(WatchError::new(ErrorType::ScheduleNotDeleted, message)),
            },
        }
    }

    /// Returns when the schedule was created. `None` if there is no such schedule, or if the role must not read it.
    ///
    /// # Errors
    ///
    /// `ScheduleNotDeleted`, with a message about reading.
    pub async fn created_at(&self, schedule: &ScheduleArn) -> Result<Option<Timestamp>, WatchError> {
        let request = self.client.get_schedule().group_name(schedule.group()).name(schedule.name());
        let error = match request.send().await {
            Ok(output) => match output.creation_date() {
                Some(date) => return Ok(Some(Timestamp::from_epoch_seconds(date.secs()))),
                None => self.reporter.error(
                    Operation::GetSchedule,
                    schedule.as_str(),
                    Meaning::NotAws,
                    "a response without a creation date",
                ),
            },
            Err(error) => self.reporter.report(Operation::GetSchedule, schedule.as_str(), &error),
        };
        match error {
            AwsError { meaning: Meaning::Missing | Meaning::AccessDenied, .. } => Ok(None),
            AwsError { message, .. } => Err(WatchError::new(ErrorType::ScheduleNotDeleted, message)),
        }
    }
}

/// The SDK does not read the body of a response that has no fields: any page with status 200 would count as a deleted
/// schedule.
#[derive(Debug)]
struct OnlyJson;

#[dyn_dispatch_hint]
impl Intercept for OnlyJson {
    fn name(&self) -> &'static str {
        "OnlyJson"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        let is_json = body.is_empty() || serde_json::from_slice::<IgnoredAny>(body).is_ok();
        if response.status().is_success() && !is_json { Err("the body is not JSON".into()) } else { Ok(()) }
    }
}
