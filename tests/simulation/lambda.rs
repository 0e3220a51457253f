//! Lambda: execution environments, invocations, and events.

use crate::environment::{Environment, Network, Task};
use crate::faults::Faults;
use crate::ledger::Invoked;
use crate::scheduler::Ends;
use crate::secrets::Store;
use crate::world::World;
use fastrand::Rng;
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::handler::{Handler, Invocation, respond_without_configuration};
use mass_change_owner_status::token::Sharing;
use mass_change_owner_status::watch::message::MessageSettings;
use mass_change_owner_status::watch::notice::Intervals;
use mass_change_owner_status::watch::pacing::Bounds;
use mass_change_owner_status::watch::report::Limits;
use mass_change_owner_status::zoho::ZohoSettings;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const FUNCTION_ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";

/// What the function keeps of Lambda's time (src/deadline.rs), and what it promises at least (contract).
const RESERVE: Duration = Duration::from_millis(700);
const PROMISED_RESERVE: Duration = Duration::from_millis(500);

/// How long Lambda keeps an event (template.yaml).
const MAX_EVENT_AGE_SECONDS: u64 = 3_600;

/// The function's settings, and Lambda's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    timeout: Duration,
    limits: Limits,
    /// Execution environments at a time, and how long an idle one is kept.
    concurrency: usize,
    idle_seconds: u64,
}

impl Settings {
    pub(crate) fn draw(rng: &mut Rng, watch_limit_seconds: u64) -> Self {
        let (min_seconds, max_seconds) = match rng.u32(0..200) {
            0 => (10, 20),
            1..=40 => (30, 300),
            41..=60 => (60, 3_600),
            _ => (10, 900),
        };
        let every = [None, None, Some(3_600)][rng.usize(0..3)];
        Self {
            timeout: Duration::from_secs([30, 30, 30, 10, 3][rng.usize(0..5)]),
            limits: Limits {
                bounds: Bounds { min_seconds, max_seconds },
                watch_limit_seconds,
                notices: Intervals { still_running: every, no_progress: every },
            },
            concurrency: [2, 10, 100][rng.usize(0..3)],
            idle_seconds: [60, 400, 3_000][rng.usize(0..3)],
        }
    }
}

/// The function, deployed.
pub(crate) struct Lambda {
    pub world: World,
    settings: Settings,
    instances: Mutex<Vec<Arc<Instance>>>,
}

/// An execution environment with the function in it.
struct Instance {
    environment: Arc<Environment>,
    function: Handler<Store, Network, Ends>,
    /// Since when there is nothing to do; none while it is busy.
    idle_since: Mutex<Option<u64>>,
}

/// An invocation that failed: the name of the error, which has a dot if it is Lambda's own.
type Failed = String;

impl Lambda {
    pub(crate) fn new(world: World, settings: Settings) -> Arc<Self> {
        Arc::new(Self { world, settings, instances: Mutex::default() })
    }

    /// Whether a new execution environment gets a token within an hour after the last outage, whatever the others left
    /// behind.
    pub(crate) async fn recovers(&self) -> bool {
        for instance in self.instances.lock().unwrap().drain(..) {
            instance.environment.kill();
        }
        let request = {
            let state = &mut *self.world.state();
            state.faults = Faults::default();
            json!({"module": state.zoho.jobs[0].module, "job_id": state.zoho.jobs[0].id})
        };
        for _ in 0..60 {
            let result = self.invoke(0, &request).await;
            let needs_token = |error: &String| ["Secret", "Token"].iter().any(|word| error.starts_with(word));
            if !result.is_err_and(|error| needs_token(&error)) {
                return true;
            }
            sleep(Duration::from_secs(60)).await;
        }
        false
    }

    /// Delivers an event: late, or again, if the world is like that.
    pub(crate) async fn deliver(self: Arc<Self>, watch: usize, payload: Value) {
        let world = &self.world;
        world.pause(0..if world.chance(0.02) { 600_000 } else { 30_000 }).await;
        let (mut failures, too_old) = (0, world.elapsed() + MAX_EVENT_AGE_SECONDS);
        while failures < 3 && world.elapsed() < too_old {
            match self.invoke(watch, &payload).await {
                Ok(_) => return,
                // Lambda's own errors and throttles do not count as attempts.
                Err(error) if error.starts_with("Lambda.") => world.pause(1_000..120_000).await,
                Err(_) => {
                    failures += 1;
                    sleep(Duration::from_secs(60 * failures)).await;
                }
            }
        }
    }

    /// One invocation.
    pub(crate) async fn invoke(&self, watch: usize, payload: &Value) -> Result<Value, Failed> {
        let fault = self.world.fault("lambda");
        if let Some("503" | "429") = fault {
            return Err("Lambda.ServiceException".into());
        }
        let Some(instance) = self.instance().await else {
            return Err("Lambda.TooManyRequestsException".into());
        };
        let result = self.run(&instance, watch, payload).await;
        if instance.environment.is_dead() {
            self.instances.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &instance));
        } else {
            instance.environment.freeze();
            *instance.idle_since.lock().unwrap() = Some(self.world.elapsed());
        }
        if fault.is_some() { Err("Lambda.SdkClientException".into()) } else { result }
    }

    async fn run(&self, instance: &Instance, watch: usize, payload: &Value) -> Result<Value, Failed> {
        let (world, environment) = (&self.world, &instance.environment);
        let (deaths, stalls) = {
            let state = world.state();
            (state.faults.deaths, state.faults.stalls)
        };
        let request = payload.get("request").unwrap_or(payload);
        let task = Task {
            watch,
            has_worked: request["status"].is_string(),
            is_direct: ["announcement", "schedule_arn"].iter().all(|key| payload.get(key).is_none()),
        };
        let dies_in = world.chance(deaths).then(|| world.draw(1..16));
        let stalls = world.chance(stalls);
        if stalls {
            environment.stall(Duration::from_millis(world.draw(1..40_000)));
        }
        environment.thaw(task, dies_in);
        world.trace(|| format!("environment {} is invoked with {payload}", environment.number));
        let (began, began_at) = (Instant::now(), environment.now());
        let deadline = Deadline::after(self.settings.timeout.saturating_sub(RESERVE));
        let invocation = Invocation { payload: payload.to_string(), function_arn: FUNCTION_ARN.into(), deadline };
        let result = if world.fault("configuration").is_some() {
            world.state().ledger.note("InvalidConfiguration", world.elapsed());
            let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
            Ok(respond_without_configuration(&error, &invocation, began_at))
        } else {
            tokio::select! {
                biased;
                () = environment.death() => return Err("Runtime.ExitError".into()),
                result = timeout(self.settings.timeout, instance.function.handle(&invocation)) => result,
            }
        };
        if began.elapsed() > self.settings.timeout.saturating_sub(PROMISED_RESERVE) && !stalls {
            world.violation(format!("no response in time to {payload}"));
        }
        let Ok(result) = result else {
            environment.kill();
            return Err("Sandbox.Timedout".into());
        };
        let result = result.map(|report| serde_json::to_value(report).unwrap());
        world.trace(|| format!("environment {} responds {result:?}", environment.number));
        let at = [began_at, environment.now()];
        world.check(&Invoked { payload, request, task, at, bounds: &self.settings.limits.bounds }, &result);
        result.map_err(|error| error.kind().name().to_owned())
    }

    /// An idle execution environment or a new one; none if too many are busy.
    async fn instance(&self) -> Option<Arc<Instance>> {
        let world = &self.world;
        let instance = {
            let mut instances = self.instances.lock().unwrap();
            let idle_for = |instance: &Arc<Instance>| Some(world.elapsed() - (*instance.idle_since.lock().unwrap())?);
            let is_old = |instance: &mut Arc<Instance>| idle_for(instance) >= Some(self.settings.idle_seconds);
            instances.extract_if(.., is_old).for_each(|instance| instance.environment.kill());
            let idle: Vec<_> = instances.iter().filter(|instance| idle_for(instance).is_some()).collect();
            if instances.len() - idle.len() >= self.settings.concurrency {
                return None;
            }
            if let Some(instance) = world.state().rng.choice(idle) {
                *instance.idle_since.lock().unwrap() = None;
                return Some(instance.clone());
            }
            let skew = world.state().faults.skew;
            let environment = world.environment(skew);
            let (ends, messages) = (Ends(environment.clone()), MessageSettings::default());
            let (_, checker) = environment.checker(Sharing::ReadWrite, ZohoSettings::default());
            let (limits, clock) = (self.settings.limits, environment.clock());
            let function = Handler::new(checker, ends, messages, limits, "eu-west-1".into(), clock);
            let instance = Arc::new(Instance { environment, function, idle_since: Mutex::default() });
            instances.push(instance.clone());
            instance
        };
        // INIT waits for two seconds (src/main.rs); what is unfinished then is continued by the first invocation.
        instance.environment.thaw(Task::default(), None);
        let starting = instance.clone();
        let warm_up = tokio::spawn(async move { starting.function.warm_up().await });
        let _in_time = timeout(Duration::from_secs(2), warm_up).await;
        instance.environment.freeze();
        Some(instance)
    }
}
