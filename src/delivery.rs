//! Where a report goes: to the caller, to the topic, and into the schedule that brings the next check.

use crate::arn::ScheduleArn;
use crate::error::{ErrorType, WatchError};
use crate::http::NoResponse;
use crate::watch::message::{Message, MessageSettings};
use crate::watch::report::{Limits, Notification, Report, Response, State};
use crate::watch::request::{Caller, History, Request};
use crate::watch::rule::has_worked;
use crate::watch::schedule::{Schedule, ScheduleUpdate};
use crate::{deadline::Deadline, timestamp::Clock, timestamp::Timestamp};
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

/// One invocation, as far as its response depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The request, with the start of the watch.
    pub request: &'a Request,
    /// The request as it came.
    pub delivered: &'a Request,
    /// What decides how messages look, and where the function runs.
    pub settings: &'a MessageSettings,
    /// When the response must be ready.
    pub deadline: Deadline,
}

/// An end that was told for a schedule.
#[derive(Debug, Clone)]
struct Announced {
    event_id: String,
    /// Whether it is the end of the job, not only of the watch.
    is_final: bool,
    notification: Option<Notification>,
    /// When the schedule was created, which tells it from a later one of the same name; `None` if nobody could read it.
    created_at: Option<Timestamp>,
}

/// By schedule and job: somebody can change what a schedule is for.
type AnnouncedEnds = HashMap<(ScheduleArn, String), Announced>;

/// Delivers reports. Remembers the ends of schedules that could not be deleted.
pub struct Courier<D> {
    destinations: D,
    pub(crate) limits: Limits,
    clock: Clock,
    announced: Mutex<AnnouncedEnds>,
}

impl<D: Destinations> Courier<D> {
    /// Sends nothing yet.
    pub fn new(destinations: D, limits: Limits, clock: Clock) -> Self {
        Self { destinations, limits, clock, announced: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Opens the connection that a schedule that adapts needs after the check.
    pub async fn prepare(&self, deadline: Deadline) {
        let _in_time = deadline.limit(self.destinations.prepare_scheduler()).await;
    }

    /// Completes what a request says of its watch: before it ends at its limit, the start, which is that of its schedule if
    /// not later. Before the first end that only the request speaks for, the schedule is read, too: the Input of one that
    /// adapts can know more than an event that comes twice.
    pub async fn complete(&self, request: &mut Request, is_permanent: bool, deadline: Deadline) {
        let Caller::Schedule { arn, .. } = &request.caller else { return };
        let (began, now) = (request.history.began, self.now());
        let is_new = began.is_none_or(|_| !has_worked(request, now));
        let is_first = is_permanent && is_new && request.history.status.is_none();
        if !is_first && began.is_some_and(|began| !self.limits.is_over(began, now)) {
            return;
        }
        let read = self.read(arn, deadline).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the schedule cannot be read: without a start, WATCH_LIMIT_SECONDS does not end its watch");
            None
        });
        // Not one that has got the name of this one since.
        let schedule = read.filter(|schedule| schedule.is_of(request, now));
        let created_at = schedule.as_ref().and_then(|schedule| schedule.created_at);
        if is_first && let Some(schedule) = schedule {
            request.history = schedule.request(now).history;
        }
        // A few minutes are the clock of whoever created the schedule. They must not change the ID of the end, whether the
        // schedule can still be read or not.
        let is_same =
            |began: &Timestamp| created_at.is_none_or(|at| at <= began.plus_seconds(History::CLOCK_DIFFERENCE));
        request.history.began = began.filter(is_same).or(created_at);
    }

    /// Delivers a report in the way that the caller needs. After any error but `ScheduleNotDeleted`, the end was not
    /// published, and its schedule is still there.
    pub async fn deliver(&self, report: Report, delivery: Delivery<'_>) -> Result<Response, WatchError> {
        let Delivery { request, settings, deadline, .. } = delivery;
        let message = report.event().map(|event| Message::about(&report, event, request, settings));
        match (&request.caller, message) {
            (Caller::Schedule { arn, .. }, Some(message)) if report.outcome().is_some() => {
                return self.end_schedule(report, message, arn, delivery).await;
            }
            (Caller::Direct { notify: true }, Some(message)) if report.outcome().is_some() => {
                let notification = Some(self.publish(&message, deadline).await?);
                return Ok(Response { notification, ..Response::from(report) });
            }
            (Caller::Direct { notify: true } | Caller::Schedule { notify: true, .. }, Some(message)) => {
                if let Err(error) = self.publish(&message, deadline).await {
                    tracing::warn!(%error, event_id = message.event_id, "a notice was dropped");
                }
            }
            _ => {}
        }
        if let (Caller::Schedule { arn, adapts: true, .. }, State::Continues(..)) = (&request.caller, &report.state) {
            let adapted = deadline.limit(self.adapt(arn, &report, delivery)).await;
            if let Err(reason) = adapted.unwrap_or_else(|| Err("no time was left".to_owned())) {
                tracing::warn!(schedule = arn.name, reason, "the schedule was not updated");
            }
        }
        Ok(Response::from(report))
    }

    /// The watch continues: the schedule brings the next check when the report says. The error is why it does not.
    async fn adapt(&self, arn: &ScheduleArn, report: &Report, delivery: Delivery<'_>) -> Result<(), String> {
        let read = self.destinations.read_schedule(arn).await.map_err(|error| error.to_string())?;
        let (schedule, whole) = read.ok_or("it does not exist")?;
        let (now, function_arn) = (self.now(), &delivery.settings.function_arn);
        let limit = self.limits.watch_limit_seconds;
        let update = schedule.update(delivery.delivered, report, now, function_arn, limit)?;
        let (start, expression) = (update.start, update.expression.clone());
        self.destinations.update_schedule(arn, whole, update).await.map_err(|error| error.to_string())?;
        tracing::info!(%start, expression, "the schedule was updated");
        Ok(())
    }

    /// Publishes the end, then deletes the schedule if it is still the one of this watch.
    async fn end_schedule(
        &self,
        report: Report,
        message: Message,
        arn: &ScheduleArn,
        delivery: Delivery<'_>,
    ) -> Result<Response, WatchError> {
        let Delivery { request, delivered, deadline, .. } = delivery;
        let key = (arn.clone(), message.group_id.clone());
        let known = self.announced().get(&key).cloned();
        let mut end = match known {
            Some(known) if self.is_told(&known, &message, arn, deadline).await => known,
            _ => {
                // Nobody would learn of an end that leaves the job open.
                let is_needed =
                    matches!(request.caller, Caller::Schedule { notify: true, .. }) || !report.is_finished();
                let notification = match is_needed {
                    true => Some(self.publish(&message, deadline).await?),
                    false => None,
                };
                Announced { event_id: message.event_id, is_final: report.is_finished(), notification, created_at: None }
            }
        };
        let found = self.read(arn, deadline).await;
        end.created_at = end.created_at.or(found.as_ref().ok().and_then(|found| found.as_ref()?.created_at));
        let notification = end.notification.clone();
        self.announced().insert(key.clone(), end);
        let schedule = found?;
        let is_of_watch = schedule.as_ref().is_none_or(|found| found.is_of(delivered, self.now()));
        if !is_of_watch {
            let reason = "its Input names another watch, so the name was used again";
            tracing::warn!(schedule = arn.name, "the schedule was not deleted: {reason}");
        } else if schedule.is_some() {
            in_time(deadline, ErrorType::ScheduleNotDeleted, self.destinations.delete_schedule(arn)).await?;
        }
        self.announced().remove(&key);
        Ok(Response { notification, schedule_deleted: Some(is_of_watch), ..Response::from(report) })
    }

    /// Whether an end was told for this very schedule. One that cannot be deleted invokes the function again and again: one
    /// end is announced once by a process, and no other after it.
    async fn is_told(&self, known: &Announced, message: &Message, arn: &ScheduleArn, deadline: Deadline) -> bool {
        let is_told = match (self.read(arn, deadline).await, known.created_at) {
            (Ok(None), _) => false,
            (Ok(Some(schedule)), Some(created_at)) => schedule.created_at == Some(created_at),
            // Nobody knows whether it is the same. The final end of a job is the last one in any case.
            (Ok(Some(_)) | Err(_), _) => known.is_final || known.event_id == message.event_id,
        };
        if is_told {
            tracing::info!(event_id = known.event_id, "the end of this watch was already announced");
        }
        is_told
    }

    async fn read(&self, arn: &ScheduleArn, deadline: Deadline) -> Result<Option<Schedule>, WatchError> {
        let read = in_time(deadline, ErrorType::ScheduleNotDeleted, self.destinations.read_schedule(arn)).await?;
        Ok(read.map(|(schedule, _whole)| schedule))
    }

    async fn publish(&self, message: &Message, deadline: Deadline) -> Result<Notification, WatchError> {
        let published = self.destinations.publish(message);
        let message_id = in_time(deadline, ErrorType::NotificationFailed, published).await?;
        Ok(Notification { message_id })
    }

    fn announced(&self) -> MutexGuard<'_, AnnouncedEnds> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an operation returns, or an error of this type. The time can have run out before, or because the service does not
/// respond.
async fn in_time<T>(
    deadline: Deadline,
    kind: ErrorType,
    operation: impl Future<Output = Result<T, WatchError>>,
) -> Result<T, WatchError> {
    deadline.limit(operation).await.unwrap_or_else(|| {
        let (late, service) = match kind {
            ErrorType::NotificationFailed => ("publishing to SNS", "sns"),
            _ => ("reading or deleting the schedule of this watch", "scheduler"),
        };
        let hint = NoResponse::TimedOut.hint(Some(service));
        Err(WatchError::new(kind, format!("{late} timed out. {hint}, or give the function a longer timeout")))
    })
}
