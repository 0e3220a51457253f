//! Where a report goes: to the caller, to the topic, and into the schedule that brings the next check.

use crate::deadline::Deadline;
use crate::error::{ErrorType, WatchError};
use crate::http::{NoResponse, hint};
use crate::timestamp::{Clock, Timestamp};
use crate::watch::event::Event;
use crate::watch::ids::{Location, ScheduleArn};
use crate::watch::message::{Message, MessageSettings};
use crate::watch::report::{Limits, Report, State};
use crate::watch::request::{Caller, Request};
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The services that an invocation can write to.
pub trait Destinations: Send + Sync {
    /// A schedule as it was read, whole: an update sends everything back.
    type Whole: Send;

    /// Publishes to the topic; returns the message ID that SNS gave it.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<String, WatchError>> + Send;

    /// Reads a schedule; `None` if it does not exist.
    fn read_schedule(
        &self,
        arn: &ScheduleArn,
    ) -> impl Future<Output = Result<Option<(Schedule, Self::Whole)>, WatchError>> + Send;

    /// Sends a schedule back with these changes.
    fn update_schedule(
        &self,
        arn: &ScheduleArn,
        whole: Self::Whole,
        update: ScheduleUpdate,
    ) -> impl Future<Output = Result<(), WatchError>> + Send;

    /// Deletes a schedule. One that does not exist counts as deleted.
    fn delete_schedule(&self, arn: &ScheduleArn) -> impl Future<Output = Result<(), WatchError>> + Send;

    /// Opens the connection to EventBridge Scheduler. Sends nothing.
    fn prepare_scheduler(&self) -> impl Future<Output = ()> + Send;
}

/// The function's response: the report, and what became of it where that applies.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Response {
    /// The report.
    #[serde(flatten)]
    #[cfg_attr(feature = "schemas", schemars(with = "crate::watch::report::ReportKeys<'static>"))]
    pub report: Report,
    /// The message that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// Whether the schedule that triggered the invocation is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_deleted: Option<bool>,
    /// The composed message, if the request asked for it; null while the watch continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::schema::Announcement>"))]
    pub announcement: Option<Value>,
    /// The composed notice about an unfinished job, if one is due and the request asked for announcements.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::schema::Announcement>"))]
    pub notice: Option<Value>,
}

impl From<Report> for Response {
    fn from(report: Report) -> Self {
        Self { report, notification: None, schedule_deleted: None, announcement: None, notice: None }
    }
}

/// What SNS returned.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Notification {
    /// SNS's ID of the message.
    pub message_id: String,
}

/// One invocation, as far as its response depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The request, with the start of the watch.
    pub request: &'a Request,
    /// The request as it came.
    pub delivered: &'a Request,
    /// Where the function runs.
    pub here: &'a Location,
    /// The name under which the function was invoked.
    pub function_arn: &'a str,
    /// When the response must be ready.
    pub deadline: Deadline,
}

/// An end that was published for a schedule.
#[derive(Debug, Clone)]
struct Announced {
    event_id: String,
    /// Whether it is the end of the job, not only of the watch.
    is_final: bool,
    notification: Option<Notification>,
    /// When the schedule was created, which tells it from a later one of the same name.
    created_at: Option<Timestamp>,
}

/// By schedule and job.
type AnnouncedEnds = HashMap<(ScheduleArn, String), Announced>;

/// More schedules that cannot be deleted are forgotten, and their ends announced again.
const MAX_ANNOUNCED: usize = 1_000;

/// Delivers reports. Remembers the ends of schedules that could not be deleted.
pub struct Courier<D> {
    destinations: D,
    settings: MessageSettings,
    limits: Limits,
    clock: Clock,
    announced: Mutex<AnnouncedEnds>,
}

impl<D: Destinations> Courier<D> {
    /// Sends nothing yet.
    pub fn new(destinations: D, settings: MessageSettings, limits: Limits, clock: Clock) -> Self {
        Self { destinations, settings, limits, clock, announced: Mutex::default() }
    }

    /// Delivers a report in the way that the caller needs. After any error but `ScheduleNotDeleted`, the end was not
    /// published, and its schedule is still there.
    pub async fn deliver(&self, report: Report, context: Delivery<'_>) -> Result<Response, WatchError> {
        let event = Event::of(&report);
        match (&context.request.caller, event) {
            (Caller::StateMachine { .. }, _) => Ok(compose(report, context.request, &self.settings_for(context))),
            (Caller::Schedule { arn, .. }, Some(event @ Event::End(_))) => {
                self.end_schedule(report, event, arn, context).await
            }
            (Caller::Direct { notify: true }, Some(event @ Event::End(_))) => {
                let message = self.message(&report, event, context);
                let notification = Some(self.publish(&message, context.deadline).await?);
                Ok(Response { notification, ..Response::from(report) })
            }
            (Caller::Direct { notify: true } | Caller::Schedule { notify: true, .. }, Some(event)) => {
                let message = self.message(&report, event, context);
                if let Err(error) = self.publish(&message, context.deadline).await {
                    tracing::warn!(%error, event_id = message.event_id, "a notice was dropped");
                }
                Ok(self.go_on(report, context).await)
            }
            _ => Ok(self.go_on(report, context).await),
        }
    }

    /// The watch continues. A schedule that adapts brings the next check when the report says.
    async fn go_on(&self, report: Report, context: Delivery<'_>) -> Response {
        if let (Caller::Schedule { arn, adapts: true, .. }, State::Continues { .. }) =
            (&context.request.caller, &report.state)
        {
            let adapted = context.deadline.limit(self.adapt(arn, &report, context)).await;
            match adapted.unwrap_or_else(|| Err("no time was left".to_owned())) {
                Ok(update) => {
                    tracing::info!(start = %update.start, expression = update.expression, "the schedule was updated");
                }
                Err(reason) => tracing::warn!(schedule = arn.name, reason, "the schedule was not updated"),
            }
        }
        Response::from(report)
    }

    async fn adapt(&self, arn: &ScheduleArn, report: &Report, context: Delivery<'_>) -> Result<ScheduleUpdate, String> {
        let read = self.destinations.read_schedule(arn).await.map_err(|error| error.to_string())?;
        let (schedule, whole) = read.ok_or_else(|| "it does not exist".to_owned())?;
        let now = (self.clock)();
        let update =
            schedule.update(context.delivered, report, now, context.function_arn, self.limits.watch_limit_seconds)?;
        let sent = self.destinations.update_schedule(arn, whole, update.clone()).await;
        sent.map(|()| update).map_err(|error| error.to_string())
    }

    /// Publishes the end, then deletes the schedule if it is still the one of this watch.
    async fn end_schedule(
        &self,
        report: Report,
        event: Event,
        arn: &ScheduleArn,
        context: Delivery<'_>,
    ) -> Result<Response, WatchError> {
        let message = self.message(&report, event, context);
        // Somebody can change what a schedule is for.
        let key = (arn.clone(), message.group_id.clone());
        let known = self.announced().get(&key).cloned();
        // A schedule that cannot be deleted invokes the function again and again: one end is announced once by a process,
        // and no other after it.
        let mut read = match &known {
            Some(_) => Some(self.read(arn, context.deadline).await),
            None => None,
        };
        let told = known.filter(|known| match (&read, known.created_at) {
            (Some(Ok(Some(schedule))), Some(created_at)) => schedule.created_at == Some(created_at),
            // Nobody knows whether it is the same. The final end of a job is the last one in any case.
            (Some(Ok(Some(_)) | Err(_)), _) => known.is_final || known.event_id == message.event_id,
            _ => false,
        });
        let notification = match told {
            Some(told) => {
                tracing::info!(event_id = told.event_id, "the end of this watch was already announced");
                told.notification
            }
            None => {
                let notify = matches!(context.request.caller, Caller::Schedule { notify: true, .. });
                // Nobody would learn of an end that leaves the job open.
                let is_needed = notify || !report.is_finished();
                let notification = match is_needed {
                    true => Some(self.publish(&message, context.deadline).await?),
                    false => None,
                };
                let found = self.read(arn, context.deadline).await;
                let created_at = found.as_ref().ok().and_then(|found| found.as_ref()?.created_at);
                let end = Announced {
                    event_id: message.event_id,
                    is_final: report.is_finished(),
                    notification: notification.clone(),
                    created_at,
                };
                let mut announced = self.announced();
                if announced.len() >= MAX_ANNOUNCED {
                    announced.clear();
                }
                announced.insert(key.clone(), end);
                read = Some(found);
                notification
            }
        };
        let schedule = read.unwrap_or(Ok(None))?;
        let is_of_watch =
            schedule.as_ref().is_none_or(|found| found.is_of(context.delivered, (self.clock)(), context.here));
        if is_of_watch && schedule.is_some() {
            let late = "the watch is over, but deleting its schedule timed out";
            let deleted = self.destinations.delete_schedule(arn);
            in_time(context.deadline, deleted, ErrorType::ScheduleNotDeleted, late).await?;
        } else if !is_of_watch {
            tracing::warn!(
                schedule = arn.name,
                "the schedule was not deleted: its Input names another watch, so the name was used again"
            );
        }
        self.announced().remove(&key);
        Ok(Response { notification, schedule_deleted: Some(is_of_watch), ..Response::from(report) })
    }

    /// When the schedule was created; `None` if nobody can find that out.
    pub async fn created_at(&self, arn: &ScheduleArn, deadline: Deadline) -> Option<Timestamp> {
        match self.read(arn, deadline).await {
            Ok(schedule) => schedule?.created_at,
            Err(error) => {
                tracing::warn!(%error, "the start of this watch is not known, so WATCH_LIMIT_SECONDS does not end it");
                None
            }
        }
    }

    /// Opens the connection that a schedule that adapts needs after the check.
    pub async fn prepare(&self, caller: &Caller, deadline: Deadline) {
        if matches!(caller, Caller::Schedule { adapts: true, .. }) {
            let _in_time = deadline.limit(self.destinations.prepare_scheduler()).await;
        }
    }

    async fn read(&self, arn: &ScheduleArn, deadline: Deadline) -> Result<Option<Schedule>, WatchError> {
        let late = "reading the schedule of this watch timed out";
        let read = self.destinations.read_schedule(arn);
        let read = in_time(deadline, read, ErrorType::ScheduleNotDeleted, late).await?;
        Ok(read.map(|(schedule, _whole)| schedule))
    }

    async fn publish(&self, message: &Message, deadline: Deadline) -> Result<Notification, WatchError> {
        let (kind, late) = (ErrorType::NotificationFailed, "publishing to SNS timed out");
        let message_id = in_time(deadline, self.destinations.publish(message), kind, late).await?;
        Ok(Notification { message_id })
    }

    fn message(&self, report: &Report, event: Event, context: Delivery<'_>) -> Message {
        Message::about(report, event, context.request, &self.settings_for(context))
    }

    fn settings_for(&self, context: Delivery<'_>) -> MessageSettings {
        let (function_arn, location) = (context.function_arn.to_owned(), context.here.clone());
        MessageSettings { function_arn, location, ..self.settings.clone() }
    }

    fn announced(&self) -> MutexGuard<'_, AnnouncedEnds> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The response for a state machine, which publishes the announcement and the notice itself.
pub fn compose(report: Report, request: &Request, settings: &MessageSettings) -> Response {
    let event = Event::of(&report);
    let message = event.map(|event| Message::about(&report, event, request, settings).to_announcement());
    let (announcement, notice) = match event {
        Some(Event::End(_)) => (message.unwrap_or_default(), None),
        Some(Event::Notice(_)) => (Value::Null, message),
        None => (Value::Null, None),
    };
    Response { announcement: Some(announcement), notice, ..Response::from(report) }
}

/// What an operation returns, or an error. The time can have run out before, or because the service does not respond.
async fn in_time<T>(
    deadline: Deadline,
    operation: impl Future<Output = Result<T, WatchError>>,
    kind: ErrorType,
    late: &str,
) -> Result<T, WatchError> {
    let service = if kind == ErrorType::NotificationFailed { "sns" } else { "scheduler" };
    deadline.limit(operation).await.unwrap_or_else(|| {
        let hint = hint::no_response(NoResponse::TimedOut, Some(service));
        Err(WatchError::new(kind, format!("{late}. {hint}, or give the function a longer timeout")))
    })
}
