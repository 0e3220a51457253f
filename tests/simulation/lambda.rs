//! Lambda: execution environments, invocations, and events.

use crate::environment::{Environment, Outside, Phase, Task};
use crate::faults::Faults;
use crate::world::{World, one_of, pause};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::handler::{Checker, Handler, Invocation, respond_without_configuration};
use mass_change_owner_status::token::{Sharing, TokenSource};
use mass_change_owner_status::watch::message::MessageSettings;
use mass_change_owner_status::{deadline::Deadline, delivery::Courier, zoho::ZohoSettings};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const FUNCTION_ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";

/// What the function keeps of Lambda's time (src/deadline.rs), and what it promises at least (contract).
const RESERVE: Duration = Duration::from_millis(700);
const PROMISED_RESERVE: Duration = Duration::from_millis(500);

/// How long Lambda keeps an event (template.yaml).
const MAX_EVENT_AGE_SECONDS: u64 = 3_600;

pub(crate) struct Lambda {
    pub world: World,
    timeout: Duration,
    /// Execution environments at a time, and how long an idle one is kept.
    concurrency: usize,
    idle_seconds: u64,
    instances: Mutex<Vec<Arc<Instance>>>,
}

/// The function in an execution environment.
pub(crate) struct Instance {
    pub environment: Arc<Environment>,
    pub tokens: TokenSource<Outside, Outside>,
    function: Handler<Outside, Outside, Outside>,
}

impl Instance {
    pub(crate) fn start(world: &World, sharing: Sharing, zoho: ZohoSettings) -> Arc<Self> {
        let environment = Environment::start(world);
        let (outside, clock) = (|| Outside(environment.clone()), environment.clock.clone());
        let tokens = TokenSource::new(outside(), outside(), zoho, sharing, clock.clone());
        let (checker, messages) = (Checker::new(tokens.clone()), MessageSettings::default());
        let courier = Courier::new(outside(), world.limits, clock);
        let function = Handler::new(checker, courier, messages, "eu-west-1".into());
        Arc::new(Self { environment, tokens, function })
    }

    /// The response to this payload, within so much time.
    pub(crate) async fn respond(&self, payload: &Value, within: Duration) -> Result<Value, WatchError> {
        let response = self.function.handle(&invocation(payload, within)).await;
        response.map(|report| serde_json::to_value(report).unwrap())
    }
}

fn invocation(payload: &Value, within: Duration) -> Invocation {
    let deadline = Deadline::after(within);
    Invocation { payload: payload.to_string(), function_arn: FUNCTION_ARN.into(), deadline }
}

impl Lambda {
    pub(crate) fn new(world: World) -> Arc<Self> {
        let timeout = Duration::from_secs(one_of(&[30, 30, 30, 10, 3]));
        let (concurrency, idle_seconds) = (one_of(&[2, 10, 100]), one_of(&[60, 400, 3_000]));
        world.trace(|| format!("{timeout:?}, {concurrency}, {:?}, {:?}", world.limits, world.state().faults));
        Arc::new(Self { world, timeout, concurrency, idle_seconds, instances: Mutex::default() })
    }

    /// Whether a new execution environment gets a token within an hour after the last outage, whatever the others left
    /// behind.
    pub(crate) async fn recovers(&self) -> bool {
        self.instances.lock().unwrap().drain(..).for_each(|instance| instance.environment.kill());
        self.world.state().faults = Faults::default();
        let request = self.world.state().zoho.jobs[0].request();
        for _ in 0..60 {
            let result = self.invoke(0, &request).await;
            if !result.is_err_and(|error| error.starts_with("Secret") || error.starts_with("Token")) {
                return true;
            }
            sleep(Duration::from_secs(60)).await;
        }
        false
    }

    pub(crate) async fn deliver(self: Arc<Self>, watch: usize, payload: Value, is_late: bool) {
        pause(0..if is_late { 600_000 } else { 30_000 }).await;
        let (mut failures, too_old) = (0, self.world.elapsed() + MAX_EVENT_AGE_SECONDS);
        while failures < 3 && self.world.elapsed() < too_old {
            match self.invoke(watch, &payload).await {
                Ok(_) => return,
                // Lambda's own errors and throttles do not count as attempts.
                Err(error) if error.starts_with("Lambda.") => pause(1_000..120_000).await,
                Err(_) => {
                    failures += 1;
                    sleep(Duration::from_secs(60 * failures)).await;
                }
            }
        }
    }

    /// The name of an error has a dot if it is Lambda's own.
    pub(crate) async fn invoke(&self, watch: usize, payload: &Value) -> Result<Value, String> {
        let fault = self.world.fault("lambda");
        if let Some("503" | "429") = fault {
            return Err("Lambda.ServiceException".into());
        }
        let Some(instance) = self.instance().await else {
            return Err("Lambda.TooManyRequestsException".into());
        };
        let result = self.run(&instance, watch, payload, fault.unwrap_or_default()).await;
        instance.environment.freeze();
        if fault == Some("lost") { Err("Lambda.SdkClientException".into()) } else { result }
    }

    async fn run(&self, instance: &Instance, watch: usize, payload: &Value, fault: &str) -> Result<Value, String> {
        let (world, environment, limit) = (&self.world, &instance.environment, self.timeout);
        let task = Task {
            watch,
            has_worked: payload.get("request").unwrap_or(payload)["status"].is_string(),
            is_direct: ["announcement", "schedule_arn"].iter().all(|key| payload.get(key).is_none()),
        };
        environment.thaw(task, fault);
        world.trace(|| format!("environment {} is invoked with {payload}", environment.number));
        let (began, began_at, within) = (Instant::now(), (environment.clock)(), limit.saturating_sub(RESERVE));
        let result = if world.fault("configuration").is_some() {
            world.state().ledger.note("InvalidConfiguration", world.elapsed());
            let error = WatchError::new(ErrorType::InvalidConfiguration, "ZOHO_SECRET_ID is not set");
            let response = respond_without_configuration(&error, &invocation(payload, within), began_at);
            Ok(response.map(|report| serde_json::to_value(report).unwrap()))
        } else {
            tokio::select! {
                biased;
                () = environment.reach(Phase::Dead) => return Err("Runtime.ExitError".into()),
                result = timeout(limit, instance.respond(payload, within)) => result,
            }
        };
        if began.elapsed() > limit.saturating_sub(PROMISED_RESERVE) && fault != "stall" {
            world.violation(format!("no response in time to {payload}"));
        }
        let Ok(result) = result else {
            environment.kill();
            return Err("Sandbox.Timedout".into());
        };
        world.trace(|| format!("environment {} responds {result:?}", environment.number));
        let at = [began_at, (environment.clock)()];
        world.check(payload, task, at, &result);
        result.map_err(|error| error.kind.name().to_owned())
    }

    /// An idle execution environment or a new one; none if too many are busy.
    async fn instance(&self) -> Option<Arc<Instance>> {
        let instance = {
            let mut instances = self.instances.lock().unwrap();
            instances.retain(|instance| match instance.environment.phase() {
                Phase::Frozen(since) if self.world.elapsed() - since >= self.idle_seconds => {
                    instance.environment.kill();
                    false
                }
                phase => phase != Phase::Dead,
            });
            let is_idle = |instance: &&Arc<Instance>| matches!(instance.environment.phase(), Phase::Frozen(_));
            let idle: Vec<_> = instances.iter().filter(is_idle).collect();
            if !idle.is_empty() {
                return Some(Arc::clone(one_of(&idle)));
            }
            if instances.len() >= self.concurrency {
                return None;
            }
            instances.push(Instance::start(&self.world, Sharing::ReadWrite, ZohoSettings::default()));
            instances.last().cloned()?
        };
        // INIT waits for two seconds (src/main.rs); what is unfinished then is continued by the first invocation.
        let starting = instance.clone();
        let warm_up = tokio::spawn(async move { starting.function.warm_up().await });
        let _in_time = timeout(Duration::from_secs(2), warm_up).await;
        instance.environment.freeze();
        Some(instance)
    }
}
