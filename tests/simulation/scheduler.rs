//! EventBridge Scheduler and SNS, and an execution environment's way to them.

use crate::environment::Outside;
use crate::lambda::{FUNCTION_ARN, Lambda};
use crate::world::World;
use mass_change_owner_status::arn::ScheduleArn;
use mass_change_owner_status::delivery::Destinations;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::message::Message;
use mass_change_owner_status::watch::schedule::{Schedule as Read, ScheduleUpdate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// All schedules, by name. One that has ended is no longer there.
pub(crate) type Schedules = BTreeMap<String, Schedule>;

/// A schedule. Times are seconds since the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub watch: usize,
    pub created_at: u64,
    pub edited_at: u64,
    pub is_enabled: bool,
    pub input: Value,
    /// `StartDate`, `ScheduleExpression`, and `EndDate`.
    pub start: u64,
    pub every: u64,
    pub end: u64,
    pub changed: Arc<Notify>,
}

/// Fires until the schedule has ended, and waits until every event is delivered.
pub(crate) async fn run(lambda: Arc<Lambda>, name: String) {
    let world = lambda.world.clone();
    let Schedule { created_at, watch, input, .. } = world.state().schedules[&name].clone();
    let find = || world.state().schedules.get(&name).filter(|found| found.created_at == created_at).cloned();
    let mut deliveries = JoinSet::new();
    while let Some(schedule) = find() {
        let now = world.elapsed();
        if now >= schedule.end {
            world.state().schedules.remove(&name);
            break;
        }
        let periods = (now + 1).saturating_sub(schedule.start).div_ceil(schedule.every);
        let next = schedule.end.min(schedule.start + periods * schedule.every);
        if timeout(Duration::from_secs(next - now), schedule.changed.notified()).await.is_ok() {
            continue;
        }
        let Some(fired) = find().filter(|schedule| schedule.is_enabled) else { continue };
        let mut payload = fired.input;
        payload["schedule_arn"] = json!(format!("arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/{name}"));
        let fault = world.fault("events");
        for _ in 0..if fault == Some("twice") { 2 } else { 1 } {
            deliveries.spawn(lambda.clone().deliver(fired.watch, payload.clone(), fault == Some("late")));
        }
    }
    // Its name is used again, but only where both watches name their start.
    if input["first_checked_at"].is_string() {
        world.state().ledger.names_used.insert(name, world.elapsed());
    }
    deliveries.join_all().await;
    world.state().ledger.watches[watch].is_over = true;
}

impl Outside {
    async fn service<T: Send + 'static>(
        &self,
        service: &str,
        kind: ErrorType,
        done: impl Fn(&World) -> T + Send + 'static,
    ) -> Result<T, WatchError> {
        let result = self.0.request(&[service], done).await;
        result.map_err(|fault| WatchError::new(kind, format!("the service failed: {fault}")))
    }

    /// Changes a schedule, unless somebody has changed it since it was read: nothing can prevent that the change is
    /// overwritten, and no rule is about it.
    async fn change(&self, arn: &ScheduleArn, done: impl Fn(&World, &str) + Send + 'static) -> Result<(), WatchError> {
        let (name, read_at) = (arn.name.clone(), self.0.life().read_at);
        let done = move |world: &World| {
            let is_known = |schedule: &Schedule| schedule.edited_at < read_at;
            if world.state().schedules.get(&name).is_some_and(is_known) {
                done(world, &name);
            }
        };
        self.service("scheduler", ErrorType::ScheduleNotDeleted, done).await
    }
}

impl Destinations for Outside {
    type Whole = Schedule;

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let (world, task) = (&self.0.world, self.0.life().task);
        // After 15 minutes, the watch of a schedule has worked; clocks are off by two.
        let is_old = world.elapsed() > world.state().ledger.watches[task.watch].started + 1_160;
        let (message, at) = (message.to_announcement(), world.elapsed());
        let done = move |world: &World| world.publish(task.watch, at, task.has_worked || is_old, &message);
        self.service("sns", ErrorType::NotificationFailed, done).await
    }

    async fn read_schedule(&self, arn: &ScheduleArn) -> Result<Option<(Read, Schedule)>, WatchError> {
        let (name, read_at) = (arn.name.clone(), self.0.world.elapsed());
        let read = self.service("scheduler", ErrorType::ScheduleNotDeleted, move |world| {
            let schedule = world.state().schedules.get(&name).cloned()?;
            let read = Read {
                created_at: Some(World::at(schedule.created_at)),
                is_enabled: schedule.is_enabled,
                expression: format!("rate({} minutes)", schedule.every / 60),
                target: FUNCTION_ARN.into(),
                input: schedule.input.to_string(),
                end: Some(World::at(schedule.end)),
            };
            Some((read, schedule))
        });
        let result = read.await;
        self.0.life().read_at = read_at;
        result
    }

    async fn update_schedule(
        &self,
        arn: &ScheduleArn,
        whole: Schedule,
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        let (world, task) = (&self.0.world, self.0.life().task);
        let seconds = |at: Timestamp| u64::try_from(at.seconds_since(World::at(0))).unwrap_or(0);
        let minutes = update.expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(" minutes)"));
        let every = minutes.and_then(|minutes| minutes.parse::<u64>().ok()).unwrap_or(0) * 60;
        let (start, now) = (seconds(update.start), seconds((self.0.clock)()));
        let input: Value = serde_json::from_str(&update.input).unwrap();
        let began = input["first_checked_at"].as_str().and_then(Timestamp::parse);
        let limit = began.map_or(0, seconds) + world.limits.watch_limit_seconds;
        let is_bounded = (300..=900).contains(&every) && (now.min(limit) + 59..limit + 62).contains(&start);
        let is_in_time = start + 1_800 <= whole.end;
        let kept = ["module", "job_id", "label", "note"].iter().all(|key| whole.input[key] == input[key]);
        let is_own = whole.watch == task.watch && whole.is_enabled && whole.input["adapt"] == true;
        let is_newer = input["checks"].as_u64() > whole.input["checks"].as_u64();
        if !is_newer || !is_bounded || !is_in_time || !kept || !is_own {
            world.violation(format!("watch {} updates {whole:?} with {update:?}", task.watch));
        }
        let updated = Schedule { start, every, input, ..whole };
        self.change(arn, move |world, name| {
            world.state().schedules.insert(name.to_owned(), updated.clone());
            updated.changed.notify_waiters();
        })
        .await
    }

    async fn delete_schedule(&self, arn: &ScheduleArn) -> Result<(), WatchError> {
        let watch = self.0.life().task.watch;
        self.change(arn, move |world, name| {
            let schedule = world.state().schedules.remove(name).unwrap();
            schedule.changed.notify_waiters();
            let is_told = world.state().ledger.is_told(watch);
            if schedule.watch != watch || !is_told {
                world.violation(format!("watch {watch} deletes {name} of {}, told: {is_told}", schedule.watch));
            }
        })
        .await
    }

    async fn prepare_scheduler(&self) {
        self.0.step().await;
    }
}
