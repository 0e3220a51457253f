//! EventBridge Scheduler and SNS, and an execution environment's way to them.

use crate::environment::Environment;
use crate::faults::{Fault, Service};
use crate::lambda::{FUNCTION_ARN, Lambda};
use crate::ledger::Publication;
use crate::world::World;
use mass_change_owner_status::delivery::Destinations;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::ids::ScheduleArn;
use mass_change_owner_status::watch::message::Message;
use mass_change_owner_status::watch::schedule::{Schedule as Read, ScheduleUpdate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// All schedules, by name. One that has ended is no longer there.
pub(crate) type Schedules = BTreeMap<String, Schedule>;

/// A schedule. Times are seconds since the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub watch: usize,
    pub created_at: u64,
    /// When somebody last changed it by hand.
    pub edited_at: u64,
    pub is_enabled: bool,
    pub input: Value,
    /// `StartDate`.
    pub start: u64,
    /// `ScheduleExpression`.
    pub every: u64,
    /// `EndDate`.
    pub end: u64,
    /// Tells what waits for its next time that the time has changed.
    pub changed: Arc<Notify>,
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:scheduler:eu-west-1:123456789012:schedule/watches/{name}")
}

impl Schedule {
    /// The first time after this one at which it fires.
    fn next(&self, now: u64) -> u64 {
        let periods = (now + 1).saturating_sub(self.start).div_ceil(self.every);
        self.start + periods * self.every
    }
}

/// Fires until the schedule has ended, and waits until every event is delivered.
pub(crate) async fn run(lambda: Arc<Lambda>, name: String) {
    let world = lambda.world.clone();
    let mut deliveries = Vec::new();
    let Schedule { created_at, watch, input, .. } = world.state().schedules[&name].clone();
    loop {
        let schedule = world.state().schedules.get(&name).cloned();
        let Some(schedule) = schedule.filter(|schedule| schedule.created_at == created_at) else { break };
        let now = world.elapsed();
        if now >= schedule.end {
            world.state().schedules.remove(&name);
            break;
        }
        let next = schedule.next(now).min(schedule.end);
        if timeout(Duration::from_secs(next - now), schedule.changed.notified()).await.is_ok() {
            continue;
        }
        let fired = world.state().schedules.get(&name).cloned();
        let Some(fired) = fired.filter(|schedule| schedule.is_enabled && schedule.created_at == created_at)
        else {
            continue;
        };
        let mut payload = fired.input;
        payload["schedule_arn"] = json!(arn(&name));
        let duplicates = world.state().faults.duplicates;
        for _ in 0..if world.chance(duplicates) { 2 } else { 1 } {
            deliveries.push(tokio::spawn(lambda.clone().deliver(fired.watch, payload.clone())));
        }
    }
    // Its name is used again, but only where both watches name their start.
    if input["first_checked_at"].is_string() {
        world.state().ledger.names_used.insert(name, world.elapsed());
    }
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    world.state().ledger.watches[watch].is_over = true;
}

/// An environment's way to SNS and Scheduler.
pub(crate) struct Ends(pub Arc<Environment>);

impl Ends {
    /// One operation, with the faults that outlast the SDK's own retries. What stalls is done after a while.
    async fn request<T: Send + 'static>(
        &self,
        service: Service,
        kind: ErrorType,
        done: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, WatchError> {
        let Self(environment) = self;
        let world = &environment.world;
        environment.step().await;
        world.pause(5..80).await;
        let fault = world.fault(service);
        let result = match fault {
            None => Some(done(world)),
            Some(Fault::LostResponse) => {
                done(world);
                None
            }
            Some(Fault::Stall) => {
                let world = world.clone();
                let later = tokio::spawn(async move {
                    world.pause(2_000..90_000).await;
                    done(&world);
                });
                later.await.unwrap();
                None
            }
            Some(_) => None,
        };
        if result.is_none() {
            sleep(Duration::from_secs(1)).await;
        }
        environment.step().await;
        let failed = || WatchError::new(kind, format!("the service failed: {fault:?}"));
        result.ok_or_else(failed)
    }

    /// Whether this schedule was changed by hand since it was read: nobody can help that the change is overwritten, and
    /// no rule is about it.
    fn read_before(&self, name: &str) -> bool {
        let (state, read_at) = (self.0.world.state(), self.0.life().read_at);
        state.schedules.get(name).is_none_or(|schedule| schedule.edited_at < read_at)
    }
}

impl Destinations for Ends {
    type Whole = Schedule;

    async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let Self(environment) = self;
        let task = environment.life().task;
        let attribute = |name: &str| {
            let found = message.attributes.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let publication = Publication {
            watch: task.watch,
            at: environment.world.elapsed(),
            has_worked: task.has_worked,
            event_id: message.event_id.clone(),
            outcome: attribute("outcome"),
            body: message.body.clone(),
        };
        let number = environment.number;
        let told = self.request(Service::Topic, ErrorType::NotificationFailed, move |world| {
            world.trace(|| format!("environment {number} publishes"));
            world.publish(&publication)
        });
        told.await
    }

    async fn read_schedule(&self, arn: &ScheduleArn) -> Result<Option<(Read, Schedule)>, WatchError> {
        let (name, read_at) = (arn.name().to_owned(), self.0.world.elapsed());
        let read = self.request(Service::Scheduler, ErrorType::ScheduleNotDeleted, move |world| {
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
        let mut life = self.0.life();
        match &result {
            Ok(_) => life.read_at = read_at,
            // Whether it is still the schedule whose end was published cannot be known any more.
            Err(_) => life.announced.clear(),
        }
        result
    }

    async fn update_schedule(
        &self,
        arn: &ScheduleArn,
        whole: Schedule,
        update: ScheduleUpdate,
    ) -> Result<(), WatchError> {
        let (name, environment) = (arn.name().to_owned(), self.0.clone());
        let ends = Self(environment.clone());
        let seconds = |at: Timestamp| u64::try_from(at.seconds_since(World::at(0))).unwrap_or(0);
        let minutes = update.expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(" minutes)"));
        let every = minutes.and_then(|minutes| minutes.parse::<u64>().ok()).unwrap_or(0) * 60;
        let (start, now) = (seconds(update.start), seconds(environment.now()));
        let input: Value = serde_json::from_str(&update.input).unwrap();
        let began = input["first_checked_at"].as_str().and_then(Timestamp::parse).map_or(0, seconds);
        let limit = environment.life().task.limit;
        let is_bounded = start + 1 >= now.min(began + limit) + 60 && start <= began + limit + 61;
        if !(300..=900).contains(&every) || !is_bounded {
            environment.world.violation(format!("schedule {name} is updated with {update:?}"));
        }
        let task = environment.life().task;
        self.request(Service::Scheduler, ErrorType::ScheduleNotDeleted, move |world| {
            if !ends.read_before(&name) {
                return;
            }
            world.trace(|| format!("schedule {name} is updated: {start}, {every}, {input}"));
            let foreign = whole.watch != task.watch || !whole.is_enabled || whole.input["adapt"] != true;
            let lost = ["module", "job_id", "label", "note"].iter().any(|key| whole.input[key] != input[key]);
            if foreign || lost {
                world.violation(format!("schedule {name} is updated by watch {}", task.watch));
            }
            if let Some(schedule) = world.state().schedules.get_mut(&name) {
                *schedule = Schedule { start, every, input, ..whole };
                schedule.changed.notify_waiters();
            }
        })
        .await
    }

    async fn delete_schedule(&self, arn: &ScheduleArn) -> Result<(), WatchError> {
        let (name, ends) = (arn.name().to_owned(), Self(self.0.clone()));
        let watch = self.0.life().task.watch;
        self.request(Service::Scheduler, ErrorType::ScheduleNotDeleted, move |world| {
            if !ends.read_before(&name) {
                return;
            }
            world.trace(|| format!("schedule {name} is deleted"));
            let Some(schedule) = world.state().schedules.remove(&name) else { return };
            schedule.changed.notify_waiters();
            if schedule.watch != watch {
                world.violation(format!("watch {watch} deletes schedule {name} of watch {}", schedule.watch));
            }
            if !world.state().ledger.is_told(watch) {
                world.violation(format!("schedule {name} is deleted before the end of its watch is told"));
            }
        })
        .await
    }

    async fn prepare_scheduler(&self) {
        self.0.step().await;
    }
}
