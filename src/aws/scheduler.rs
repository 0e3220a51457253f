//! The schedules of EventBridge Scheduler that trigger watches.

use crate::aws::errors::{AwsError, AwsErrorKind, AwsOperation, Reporter};
use crate::error::{ErrorType, WatchError};
use crate::http::preconnect;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use crate::{arn::ScheduleArn, timestamp::Timestamp};
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use aws_smithy_types::DateTime;

/// Reads, updates, and deletes schedules. Every error is `ScheduleNotDeleted`.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(super) client: Client,
    pub(super) reporter: Reporter,
}

const GET: AwsOperation = ("scheduler:GetSchedule", "the schedule {subject} could not be read");
const UPDATE: AwsOperation = ("scheduler:UpdateSchedule", "the schedule {subject} could not be updated");
const DELETE: AwsOperation = (
    "scheduler:DeleteSchedule",
    "the watch is over, but its schedule {subject} could not be deleted and is still running",
);

impl Scheduler {
    /// Opens the connection to EventBridge Scheduler. Sends nothing.
    pub async fn preconnect(&self) {
        preconnect::open(self.client.get_schedule().name("-").send()).await;
    }

    /// Reads a schedule; `None` if it does not exist.
    pub async fn read(&self, arn: &ScheduleArn) -> Result<Option<(Schedule, GetScheduleOutput)>, WatchError> {
        let sent = self.client.get_schedule().group_name(&arn.group).name(&arn.name).send().await;
        let read = |output| Some((schedule(&output)?, output));
        self.reporter.result(GET, arn.as_str(), sent, read).map(Some).or_else(unless_missing)
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
        let sent = self
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
            .set_action_after_completion(read.action_after_completion)
            .send()
            .await;
        self.reporter.result(UPDATE, arn.as_str(), sent, |_| Some(())).map_err(watch_error)
    }

    /// Deletes a schedule. One that does not exist counts as deleted.
    pub async fn delete(&self, arn: &ScheduleArn) -> Result<(), WatchError> {
        let sent = self.client.delete_schedule().group_name(&arn.group).name(&arn.name).send().await;
        self.reporter.result(DELETE, arn.as_str(), sent, |_| Some(())).or_else(unless_missing)
    }
}

/// The error, unless it says that there is no such schedule.
fn unless_missing<T: Default>(error: AwsError) -> Result<T, WatchError> {
    if error.kind == AwsErrorKind::Missing { Ok(T::default()) } else { Err(watch_error(error)) }
}

fn watch_error(error: AwsError) -> WatchError {
    WatchError::new(ErrorType::ScheduleNotDeleted, error.message)
}

fn schedule(read: &GetScheduleOutput) -> Option<Schedule> {
    let time = |date: &DateTime| Timestamp::from_epoch_seconds(date.secs());
    let target = read.target();
    Some(Schedule {
        created_at: Some(time(read.creation_date()?)),
        is_enabled: read.state() == Some(&ScheduleState::Enabled),
        expression: read.schedule_expression().unwrap_or_default().to_owned(),
        target: target.map_or("", Target::arn).to_owned(),
        input: target.and_then(Target::input).unwrap_or_default().to_owned(),
        end: read.end_date().map(time),
    })
}
