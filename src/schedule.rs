//! The end of a schedule whose watch is over.

use crate::error::{ErrorType, WatchError};
use crate::names::ScheduleArn;
use crate::redact;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::ProvideErrorMetadata;
use aws_sdk_scheduler::operation::delete_schedule::DeleteScheduleError;

/// Deletes schedules.
#[derive(Debug, Clone)]
pub struct Schedules {
    client: Client,
}

impl Schedules {
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
                let status = error.raw_response().map(|response| response.status().as_u16());
                let what = match status {
                    Some(status) => format!(
                        "HTTP {status} {} {:?}",
                        error.code().unwrap_or_default(),
                        redact::quote(error.message().unwrap_or_default())
                    ),
                    None => redact::causes(&error),
                };
                Err(WatchError::new(
                    ErrorType::ScheduleNotDeleted,
                    format!(
                        "the watch is over, but its schedule {} could not be deleted and will go on ({what}). Check that the role has scheduler:DeleteSchedule on its group",
                        schedule.as_str()
                    ),
                ))
            }
        }
    }
}
