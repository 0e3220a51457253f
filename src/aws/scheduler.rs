//! The schedules of EventBridge Scheduler that trigger watches.

use crate::aws::errors::{self, AwsError, Meaning, Reporter};
use crate::error::{ErrorType, WatchError};
use crate::http::preconnect;
use crate::timestamp::Timestamp;
use crate::watch::ids::ScheduleArn;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use aws_smithy_types::DateTime;

/// Reads, updates, and deletes schedules. Every error is `ScheduleNotDeleted`.
#[derive(Debug, Clone)]
pub struct Scheduler {
    client: Client,
    reporter: Reporter,
}

impl Scheduler {
    pub(crate) fn new(client: Client, reporter: Reporter) -> Self {
        Self { client, reporter }
    }

    /// Opens the connection to EventBridge Scheduler. Sends nothing.
    pub async fn preconnect(&self) {
        preconnect::open(self.client.get_schedule().name("-").send()).await;
    }

    /// Reads a schedule; `None` if it does not exist.
    pub async fn read(&self, arn: &ScheduleArn) -> Result<Option<(Schedule, GetScheduleOutput)>, WatchError> {
        let request = self.client.get_schedule().group_name(&arn.group).name(&arn.name);
        let error = match request.send().await {
            Ok(output) if output.creation_date().is_some() => return Ok(Some((schedule(&output), output))),
            Ok(_) => {
                let returned = "a response without a creation date";
                self.reporter.error(&errors::GET_SCHEDULE, arn.as_str(), Meaning::NotAws, returned)
            }
            Err(error) => self.reporter.report(&errors::GET_SCHEDULE, arn.as_str(), &error),
        };
        unless_missing(error).map(|()| None)
    }

    /// Sends a schedule back with these changes, and everything else as it was read.
    pub async fn update(
        &self,
        arn: &ScheduleArn,
        read: GetScheduleOutput,
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        let off = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().ok();
        let target = read.target.map(|mut target| {
            target.input = Some(update.input);
            target
        });
        let request = self
            .client
            .update_schedule()
            .group_name(&arn.group)
            .name(&arn.name)
            .schedule_expression(update.expression)
            .start_date(DateTime::from_secs(update.start.epoch_seconds()))
            .set_flexible_time_window(off)
            .set_target(target)
            .set_end_date(read.end_date)
            .set_description(read.description)
            .set_schedule_expression_timezone(read.schedule_expression_timezone)
            .set_state(read.state)
            .set_kms_key_arn(read.kms_key_arn)
            .set_action_after_completion(read.action_after_completion);
        request.send().await.map(|_| ()).map_err(|error| {
            let error = self.reporter.report(&errors::UPDATE_SCHEDULE, arn.as_str(), &error);
            WatchError::new(ErrorType::ScheduleNotDeleted, error.message)
        })
    }

    /// Deletes a schedule. One that does not exist counts as deleted.
    pub async fn delete(&self, arn: &ScheduleArn) -> Result<(), WatchError> {
        let request = self.client.delete_schedule().group_name(&arn.group).name(&arn.name);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => unless_missing(self.reporter.report(&errors::DELETE_SCHEDULE, arn.as_str(), &error)),
        }
    }
}

/// The error, unless it says that there is no such schedule.
fn unless_missing(error: AwsError) -> Result<(), WatchError> {
    match error {
        AwsError { meaning: Meaning::Missing, .. } => Ok(()),
        AwsError { message, .. } => Err(WatchError::new(ErrorType::ScheduleNotDeleted, message)),
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
