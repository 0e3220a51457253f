//! The end of a watch: publish the report, then delete the schedule.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::phase::{self, Phase};
use crate::timestamp::Timestamp;
use crate::watch::ids::ScheduleArn;
use crate::watch::message::Message;
use crate::watch::report::{Notification, Report};
use crate::watch::request::Delivery;
use serde_json::Value;
use std::future::Future;

/// Where the end of a watch goes.
pub trait Destinations: Send + Sync {
    /// Publishes to the topic; returns the message ID that SNS gave it.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<String, WatchError>> + Send;

    /// Deletes a schedule. One that does not exist counts as deleted.
    fn delete_schedule(&self, schedule: &ScheduleArn) -> impl Future<Output = Result<(), WatchError>> + Send;

    /// When a schedule was created: the start of a watch that names no other. `None` if there is no such schedule.
    fn schedule_created_at(
        &self,
        schedule: &ScheduleArn,
    ) -> impl Future<Output = Result<Option<Timestamp>, WatchError>> + Send;
}

/// Delivers a report: publishes it if that is requested and the watch is over, and only then deletes the schedule.
pub async fn deliver(
    destinations: &impl Destinations,
    mut report: Report,
    delivery: &Delivery,
    deadline: Deadline,
) -> Result<Report, WatchError> {
    let schedule = delivery.schedule.as_ref();
    let message = report.outcome.map(|outcome| Message::about(&report, outcome, schedule));
    if delivery.announcement {
        report.announcement = Some(message.as_ref().map_or(Value::Null, Message::to_announcement));
    }
    let Some(message) = message else { return Ok(report) };
    if delivery.notify {
        let _publishing = Phase::begin(phase::CALL_PUBLISH);
        let published = deadline.limit(destinations.publish(&message)).await;
        let late = "publishing to SNS timed out";
        let message_id =
            published.unwrap_or_else(|| Err(out_of_time(ErrorType::NotificationFailed, late)))?;
        report.notification = Some(Notification { message_id });
    }
    if let Some(schedule) = schedule {
        let _deleting = Phase::begin(phase::CALL_SCHEDULE);
        let deleted = deadline.limit(destinations.delete_schedule(schedule)).await;
        let late = "the watch is over, but deleting its schedule timed out";
        deleted.unwrap_or_else(|| Err(out_of_time(ErrorType::ScheduleNotDeleted, late)))?;
        report.schedule_deleted = Some(true);
    }
    Ok(report)
}

fn out_of_time(kind: ErrorType, what: &str) -> WatchError {
    WatchError::new(kind, format!("{what}. Give the function a longer timeout"))
}
