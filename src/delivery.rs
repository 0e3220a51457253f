//! The end of a watch: publish the report, then delete the schedule.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{Reason, hint};
use crate::phase::{self, Phase};
use crate::timestamp::Timestamp;
use crate::watch::event::Event;
use crate::watch::ids::ScheduleArn;
use crate::watch::message::{Message, Settings};
use crate::watch::report::{Notification, Report};
use crate::watch::request::Delivery;
use serde_json::Value;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the end of a watch goes.
pub trait Destinations: Send + Sync {
    /// Publishes to the topic; returns the message ID that SNS gave it.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<String, WatchError>> + Send;

    /// Deletes a schedule. One that does not exist counts as deleted.
    fn delete_schedule(&self, schedule: &ScheduleArn) -> impl Future<Output = Result<(), WatchError>> + Send;

    /// When the schedule was created; `None` if it does not exist, or if the function must not read it. An error if
    /// another attempt may succeed.
    fn schedule_created_at(
        &self,
        schedule: &ScheduleArn,
    ) -> impl Future<Output = Result<Option<Timestamp>, WatchError>> + Send;

    /// Opens the connections that publishing and deleting a schedule will need, in parallel. Sends nothing.
    fn prepare(&self, publish: bool, schedule: bool) -> impl Future<Output = ()> + Send;
}

/// An end that was published for a schedule. A job can be watched again after its end, also by a schedule of the same
/// name: the start tells the watches apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Announced {
    event_id: String,
    schedule: ScheduleArn,
    started: Option<Timestamp>,
}

/// Delivers reports, and remembers what this process need not do twice.
pub struct Courier<D> {
    destinations: D,
    settings: Settings,
    /// The ends that were published for a schedule, with their message IDs.
    announced: Memory<Announced, String>,
    /// When schedules were created.
    created: Memory<ScheduleArn, Timestamp>,
}

impl<D: Destinations> Courier<D> {
    /// Sends nothing yet.
    pub fn new(destinations: D, settings: Settings) -> Self {
        Self { destinations, settings, announced: Memory::default(), created: Memory::default() }
    }

    /// Publishes the report if that is requested and the watch is over. Only then deletes the schedule.
    ///
    /// # Errors
    ///
    /// `NotificationFailed` or `InvalidConfiguration` if the report was not published: the schedule is still there.
    /// `ScheduleNotDeleted` if only the schedule is left to be deleted.
    pub async fn deliver(
        &self,
        mut report: Report,
        delivery: &Delivery,
        started: Option<Timestamp>,
        deadline: Deadline,
    ) -> Result<Report, WatchError> {
        let Some(message) = compose(&mut report, delivery, started, self.settings) else {
            return Ok(report);
        };
        if delivery.notify {
            // The connection to Scheduler is opened meanwhile. Its request is sent only after the message is published.
            let (published, _) = tokio::join!(
                self.publish(&message, delivery, started, deadline),
                deadline.limit(self.destinations.prepare(false, delivery.schedule.is_some())),
            );
            report.notification = Some(Notification { message_id: published? });
        }
        if let Some(schedule) = &delivery.schedule {
            let _deleting = Phase::begin(phase::INVOKE_SCHEDULE);
            let deleted = deadline.limit(self.destinations.delete_schedule(schedule)).await;
            let late = "the watch is over, but deleting its schedule timed out";
            deleted.unwrap_or_else(|| Err(out_of_time(ErrorType::ScheduleNotDeleted, late, "scheduler")))?;
            report.schedule_deleted = Some(true);
        }
        Ok(report)
    }

    /// A schedule that cannot be deleted invokes the function again and again: each end is announced once by a process.
    /// A rule repeats its announcement, because nothing tells one invocation by a rule from the next.
    async fn publish(
        &self,
        message: &Message,
        delivery: &Delivery,
        started: Option<Timestamp>,
        deadline: Deadline,
    ) -> Result<String, WatchError> {
        let end = delivery.schedule.as_ref().map(|schedule| Announced {
            event_id: message.event_id.clone(),
            schedule: schedule.clone(),
            started,
        });
        if let Some(message_id) = end.as_ref().and_then(|end| self.announced.get(end)) {
            tracing::info!(event_id = message.event_id, message_id, "this end was already announced");
            return Ok(message_id);
        }
        let _publishing = Phase::begin(phase::INVOKE_PUBLISH);
        let published = deadline.limit(self.destinations.publish(message)).await;
        let late = "publishing to SNS timed out";
        let message_id =
            published.unwrap_or_else(|| Err(out_of_time(ErrorType::NotificationFailed, late, "sns")))?;
        if let Some(end) = end {
            self.announced.put(end, message_id.clone());
        }
        Ok(message_id)
    }

    /// Opens the connections that the end of this watch will need.
    pub async fn prepare(&self, delivery: &Delivery, deadline: Deadline) {
        let _in_time =
            deadline.limit(self.destinations.prepare(delivery.notify, delivery.schedule.is_some())).await;
    }

    /// When the schedule was created, if this process knows.
    pub fn remembered_creation(&self, schedule: &ScheduleArn) -> Option<Timestamp> {
        self.created.get(schedule)
    }

    /// When the schedule was created, which is when its watch began. Asked for once by a process. `None` if nobody can
    /// find that out; the watch then has no limit.
    ///
    /// # Errors
    ///
    /// `ScheduleNotDeleted` if another attempt may find it out.
    pub async fn schedule_created_at(
        &self,
        schedule: &ScheduleArn,
        deadline: Deadline,
    ) -> Result<Option<Timestamp>, WatchError> {
        if let Some(created_at) = self.remembered_creation(schedule) {
            return Ok(Some(created_at));
        }
        let found = deadline.limit(self.destinations.schedule_created_at(schedule)).await;
        let late = "reading the schedule of this watch timed out";
        let created_at = found
            .unwrap_or_else(|| Err(out_of_time(ErrorType::ScheduleNotDeleted, late, "scheduler")))
            .inspect_err(|error| tracing::warn!(%error, "the start of this watch is unknown for now"))?;
        match created_at {
            Some(created_at) => self.created.put(schedule.clone(), created_at),
            None => tracing::warn!(
                schedule = schedule.as_str(),
                "the start of this watch is unknown, so WATCH_LIMIT_SECONDS does not end it. Give the schedule's input \
                 a `first_checked_at`, or the function's role scheduler:GetSchedule"
            ),
        }
        Ok(created_at)
    }
}

/// Composes the message of a watch that is over, and adds it to the report if that is requested. A notice about a watch
/// that continues is only added to the report: the state machine that asked for it sends it.
pub fn compose(
    report: &mut Report,
    delivery: &Delivery,
    started: Option<Timestamp>,
    settings: Settings,
) -> Option<Message> {
    let about = |event| Message::about(report, event, delivery, started, settings);
    let end = report.outcome.map(|outcome| about(Event::End(outcome)));
    if delivery.announcement {
        let notice = report.notice_due.map(|notice| about(Event::Notice(notice)).to_announcement());
        report.notice = notice;
        report.announcement = Some(end.as_ref().map_or(Value::Null, Message::to_announcement));
    }
    end
}

/// The latest few entries. A process that watches more schedules than this at a time repeats itself.
struct Memory<K, V>(Mutex<VecDeque<(K, V)>>);

const REMEMBERED: usize = 64;

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V: Clone> Memory<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V) {
        let mut entries = self.entries();
        entries.push_back((key, value));
        if entries.len() > REMEMBERED {
            entries.pop_front();
        }
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<(K, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time can have run out before, or because this service does not respond.
fn out_of_time(kind: ErrorType, what: &str, service: &str) -> WatchError {
    let hint = hint::no_response(Reason::TimedOut, Some(service));
    WatchError::new(kind, format!("{what}. {hint}, or give the function a longer timeout"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_does_not_respond_in_time_may_be_out_of_reach() {
        let error = out_of_time(ErrorType::NotificationFailed, "publishing to SNS timed out", "sns");
        for part in ["publishing to SNS timed out. Check", "a VPC endpoint for sns", "a longer timeout"] {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
    }

    #[test]
    fn the_latest_entries_are_remembered() {
        let memory = Memory::default();
        (0..=REMEMBERED).for_each(|key| memory.put(key, key));
        assert_eq!(
            (memory.get(&0), memory.get(&1), memory.get(&REMEMBERED)),
            (None, Some(1), Some(REMEMBERED))
        );
    }
}
