//! The schedules of EventBridge Scheduler that trigger watches.

use crate::aws::errors::{Meaning, Operation};
use crate::aws::http::preconnect;
use crate::aws::reporter::{AwsError, Reporter};
use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::watch::ids::ScheduleArn;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
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

    /// Reads a schedule; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// `ScheduleNotDeleted`, with a message about reading.
    pub async fn read(&self, arn: &ScheduleArn) -> Result<Option<(Schedule, GetScheduleOutput)>, WatchError> {
        let request = self.client.get_schedule().group_name(arn.group()).name(arn.name());
        let error = match request.send().await {
            Ok(output) if output.creation_date().is_some() => return Ok(Some((schedule(&output), output))),
            Ok(_) => self.reporter.error(
                Operation::GetSchedule,
                arn.as_str(),
                Meaning::NotAws,
                "a response without a creation date",
            ),
            Err(error) => self.reporter.report(Operation::GetSchedule, arn.as_str(), &error),
        };
        match error {
            AwsError { meaning: Meaning::Missing, .. } => Ok(None),
            AwsError { message, .. } => Err(WatchError::new(ErrorType::ScheduleNotDeleted, message)),
        }
    }

    /// Sends a schedule back with these changes, and everything else as it was read.
    ///
    /// # Errors
    ///
    /// `ScheduleNotDeleted`, with a message about updating.
    pub async fn update(
        &self,
        arn: &ScheduleArn,
        read: GetScheduleOutput,
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        let off = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().ok();
        let request = self
            .client
            .update_schedule()
            .group_name(arn.group())
            .name(arn.name())
            .schedule_expression(update.expression)
            .start_date(DateTime::from_secs(update.start.epoch_seconds()))
            .set_flexible_time_window(off)
            .set_target(read.target.map(|mut target| {
                target.input = Some(update.input);
                target
            }))
            .set_end_date(read.end_date)
            .set_description(read.description)
            .set_schedule_expression_timezone(read.schedule_expression_timezone)
            .set_state(read.state)
            .set_kms_key_arn(read.kms_key_arn)
            .set_action_after_completion(read.action_after_completion);
        request.send().await.map(|_| ()).map_err(|error| {
            let AwsError { message, .. } =
                self.reporter.report(Operation::UpdateSchedule, arn.as_str(), &error);
            WatchError::new(ErrorType::ScheduleNotDeleted, message)
        })
    }
}

fn schedule(read: &GetScheduleOutput) -> Schedule {
    let time = |date: Option<&DateTime>| date.map(|date| Timestamp::from_epoch_seconds(date.secs()));
    let target = read.target();
    Schedule {
        created_at: time(read.creation_date()),
        is_enabled: read.state() == Some(&ScheduleState::Enabled),
        expression: read.schedule_expression().unwrap_or_default().to_owned(),
        target: target.map_or("", Target::arn).to_owned(),
        input: target.and_then(Target::input).unwrap_or_default().to_owned(),
        end: time(read.end_date()),
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
