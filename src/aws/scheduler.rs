//! The end of a schedule whose watch is over.

use crate::aws::sdk;
use crate::error::{ErrorType, WatchError};
use crate::timestamp::Timestamp;
use crate::watch::ids::ScheduleArn;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::delete_schedule::DeleteScheduleError;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleError;

/// Deletes schedules.
#[derive(Debug, Clone)]
pub struct Scheduler {
    client: Client,
}

impl Scheduler {
    /// Through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Deletes the schedule; one that is gone already is as good.
    pub async fn delete(&self, schedule: &ScheduleArn) -> Result<(), WatchError> {
        let answer =
            self.client.delete_schedule().group_name(schedule.group()).name(schedule.name()).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteScheduleError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => {
                let summary = sdk::summary(&error);
                Err(WatchError::new(
                    ErrorType::ScheduleNotDeleted,
                    format!(
                        "the watch is over, but its schedule {} could not be deleted and will go on ({summary}). Check that the role has scheduler:DeleteSchedule on its group",
                        schedule.as_str()
                    ),
                ))
            }
        }
    }

    /// Returns when the schedule was created; `None` if there is no such schedule, or if the role must not read it.
    pub async fn created_at(&self, schedule: &ScheduleArn) -> Result<Option<Timestamp>, WatchError> {
        let result =
            self.client.get_schedule().group_name(schedule.group()).name(schedule.name()).send().await;
        match result {
            Ok(output) => Ok(output.creation_date().map(|date| Timestamp::from_epoch_seconds(date.secs()))),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetScheduleError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 403) => {
                Ok(None)
            }
            Err(error) => Err(WatchError::new(
                ErrorType::ScheduleNotDeleted,
                format!(
                    "the schedule {} could not be read ({}). Check that the role has scheduler:GetSchedule on its group",
                    schedule.as_str(),
                    sdk::summary(&error)
                ),
            )),
        }
    }
}
