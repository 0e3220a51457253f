//! Lambda: execution environments, invocations, and events.

use crate::environment::{Ends, Environment, Network};
use crate::faults::{Fault, Service};
use crate::machine::Failed;
use crate::secrets::Store;
use crate::world::World;
use fastrand::Rng;
use mass_change_owner_status::checker::{self, Checker};
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::handler::{Handler, Invocation};
use mass_change_owner_status::token::{Sharing, TokenSettings, TokenSource};
use mass_change_owner_status::watch::message::Settings as MessageSettings;
use mass_change_owner_status::watch::notice::Intervals;
use mass_change_owner_status::watch::pacing::Bounds;
use mass_change_owner_status::watch::report::Limits;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const FUNCTION_ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";
const REGION: &str = "eu-west-1";

/// What the function keeps of Lambda's time (src/deadline.rs), and what it promises at least (contract).
const RESERVE: Duration = Duration::from_millis(700);
const PROMISED_RESERVE: Duration = Duration::from_millis(500);

/// INIT does not wait for the warm-up any longer (src/main.rs).
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

/// A status request is sent three times if it fails, and once more with another token. Three requests for a token are the
/// rule; while Secrets Manager is down as well, what is known of earlier ones can be lost.
const MAX_STATUS_REQUESTS: u32 = 4;
const MAX_TOKEN_REQUESTS: u32 = 6;

/// How long Lambda keeps an event (template.yaml).
pub(crate) const MAX_EVENT_AGE_SECONDS: u64 = 3_600;

/// Checks, a minute apart, by which a new execution environment has a token: the longest failure that environments share
/// is over after half an hour, and some checks can be stalled.
const RECOVERY_CHECKS: u32 = 35;

type Function = Handler<Store, Network, Ends>;

/// The function's settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub timeout: Duration,
    pub limits: Limits,
    /// Execution environments at a time.
    concurrency: usize,
    /// How long an idle execution environment is kept.
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
        Self {
            timeout: Duration::from_secs([30, 30, 30, 10, 3][rng.usize(0..5)]),
            limits: Limits {
                bounds: Bounds { min_seconds, max_seconds },
                watch_limit_seconds,
                notices: Intervals::default(),
            },
            concurrency: [2, 10, 100][rng.usize(0..3)],
            idle_seconds: [60, 400, 3_000][rng.usize(0..3)],
        }
    }
}

/// The function, deployed.
pub(crate) struct Lambda {
    pub world: World,
    pub settings: Settings,
    instances: Mutex<Vec<Arc<Instance>>>,
    started: Mutex<usize>,
}

/// An execution environment with the function in it.
struct Instance {
    environment: Arc<Environment>,
    function: Arc<Function>,
    state: Mutex<Use>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Busy,
    Idle { since: u64 },
}

impl Lambda {
    pub(crate) fn new(world: World, settings: Settings) -> Arc<Self> {
        Arc::new(Self { world, settings, instances: Mutex::default(), started: Mutex::default() })
    }

    /// Whether a new execution environment gets a token once every outage is over, whatever the others left behind.
    pub(crate) async fn recovers(&self) -> bool {
        for instance in self.instances.lock().unwrap().drain(..) {
            instance.environment.kill();
        }
        let world = &self.world;
        let request = {
            let state = &mut *world.state();
            state.faults.clear();
            if state.zoho.rejected_from.is_some() || state.secrets.is_malformed {
                return true;
            }
            let job = state.zoho.start_healthy_job(&mut state.rng, world.elapsed());
            json!({"module": job.module, "job_id": job.id}).to_string()
        };
        for _ in 0..RECOVERY_CHECKS {
            if self.invoke(0, &request).await.is_ok() {
                return true;
            }
            sleep(Duration::from_secs(60)).await;
        }
        false
    }

    /// Delivers an event: late, or again, if the world is like that.
    pub(crate) async fn deliver(self: Arc<Self>, watch: usize, payload: String) {
        let world = &self.world;
        if world.chance(0.02) {
            world.pause_seconds(1..600).await;
        }
        let mut failures = 0;
        let too_old = world.elapsed() + MAX_EVENT_AGE_SECONDS;
        while failures < 3 && world.elapsed() < too_old {
            match self.invoke(watch, &payload).await {
                Ok(_) => return,
                // Lambda's own errors and throttles do not count as attempts.
                Err(failed) if failed.error.starts_with("Lambda.") => world.pause_seconds(1..120).await,
                Err(_) => {
                    failures += 1;
                    sleep(Duration::from_secs(60 * failures)).await;
                }
            }
        }
    }

    /// One invocation.
    pub(crate) async fn invoke(&self, watch: usize, payload: &str) -> Result<Value, Failed> {
        let world = &self.world;
        let fault = world.fault(Service::Lambda);
        match fault {
            Some(Fault::ServerError) => return Err(service_error("Lambda.ServiceException")),
            Some(Fault::Throttle) => return Err(service_error("Lambda.TooManyRequestsException")),
            _ => {}
        }
        let Some(instance) = self.instance().await else {
            return Err(service_error("Lambda.TooManyRequestsException"));
        };
        let result = self.run(&instance, watch, payload).await;
        if instance.environment.is_dead() {
            self.instances.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &instance));
        } else {
            instance.environment.freeze();
            *instance.state.lock().unwrap() = Use::Idle { since: world.elapsed() };
        }
        if fault == Some(Fault::LostResponse) {
            return Err(service_error("Lambda.SdkClientException"));
        }
        if result.as_ref().is_ok_and(|report| !report["status"].is_null()) {
            world.state().ledger.watches[watch].has_status = true;
        }
        result
    }

    async fn run(&self, instance: &Instance, watch: usize, payload: &str) -> Result<Value, Failed> {
        let (world, environment) = (&self.world, &instance.environment);
        let (deaths, stalls) = {
            let state = world.state();
            (state.faults.deaths, state.faults.stalls)
        };
        let dies_in = world.chance(deaths).then(|| u32::try_from(world.draw(1..16)).unwrap());
        let stall = Duration::from_millis(if world.chance(stalls) { world.draw(1..40_000) } else { 0 });
        environment.thaw(watch, dies_in, stall);
        world.trace(|| format!("environment {} is invoked with {payload}", environment.number));
        let began = Instant::now();
        let deadline = Deadline::after(self.settings.timeout.saturating_sub(RESERVE));
        let invocation = Invocation { payload, function_arn: FUNCTION_ARN, deadline };
        let result = tokio::select! {
            biased;
            () = environment.death() => return Err(service_error("Runtime.ExitError")),
            result = timeout(self.settings.timeout, instance.function.handle(invocation)) => result,
        };
        let is_late = began.elapsed() > self.settings.timeout.saturating_sub(PROMISED_RESERVE);
        if is_late && stall.is_zero() {
            world.violation(format!("no response in time to {payload}"));
        }
        let Ok(result) = result else {
            environment.kill();
            return Err(service_error("Sandbox.Timedout"));
        };
        let result = match result {
            Ok(report) => Ok(serde_json::to_value(report).unwrap()),
            Err(error) => {
                let cause = json!({"errorType": error.kind().name(), "errorMessage": error.message()});
                Err(Failed { error: error.kind().name().to_owned(), cause: cause.to_string() })
            }
        };
        world.trace(|| format!("environment {} responds {result:?}", environment.number));
        self.check_response(environment, &result);
        result
    }

    /// The rules for every response.
    fn check_response(&self, environment: &Environment, result: &Result<Value, Failed>) {
        let world = &self.world;
        let sent = environment.life().sent;
        if sent.status_requests > MAX_STATUS_REQUESTS || sent.token_requests > MAX_TOKEN_REQUESTS {
            world.violation(format!("one invocation sends {sent:?}"));
        }
        let text = match result {
            Ok(report) => report.to_string(),
            Err(failed) => failed.cause.clone(),
        };
        for shown in world.secrets_in(&text) {
            world.violation(shown);
        }
        if let Ok(report) = result {
            let bounds = self.settings.limits.bounds;
            let wait = report["next_check_seconds"].as_u64();
            let is_bounded =
                wait.is_some_and(|wait| (bounds.min_seconds..=bounds.max_seconds).contains(&wait));
            if report["outcome"].is_null() != is_bounded {
                world.violation(format!("the wait is out of bounds in {report}"));
            }
        } else if text.len() > 4_000 || text.contains("\\n") {
            world.violation(format!("an error message is not one short line: {text}"));
        }
    }

    /// An idle execution environment or a new one; none if too many are busy.
    async fn instance(&self) -> Option<Arc<Instance>> {
        let now = self.world.elapsed();
        let idle_seconds = self.settings.idle_seconds;
        let (idle, busy) = {
            let mut instances = self.instances.lock().unwrap();
            instances.retain(|instance| {
                let is_kept = match *instance.state.lock().unwrap() {
                    Use::Busy => true,
                    Use::Idle { since } => now - since < idle_seconds && !instance.environment.is_dead(),
                };
                if !is_kept {
                    instance.environment.kill();
                }
                is_kept
            });
            let is_busy = |instance: &&Arc<Instance>| *instance.state.lock().unwrap() == Use::Busy;
            let busy = instances.iter().filter(is_busy).count();
            let idle: Vec<_> = instances.iter().filter(|instance| !is_busy(instance)).cloned().collect();
            (idle, busy)
        };
        if busy >= self.settings.concurrency {
            return None;
        }
        let chosen = self.world.state().rng.choice(idle);
        if let Some(instance) = chosen {
            *instance.state.lock().unwrap() = Use::Busy;
            return Some(instance);
        }
        let instance = self.start();
        self.instances.lock().unwrap().push(instance.clone());
        // INIT; what it leaves unfinished is continued by the first invocation.
        instance.environment.thaw(0, None, Duration::ZERO);
        let function = instance.function.clone();
        let warm_up = tokio::spawn(async move { function.warm_up().await });
        let _in_time = timeout(WARM_UP_LIMIT, warm_up).await;
        instance.environment.freeze();
        Some(instance)
    }

    fn start(&self) -> Arc<Instance> {
        let number = {
            let mut started = self.started.lock().unwrap();
            *started += 1;
            *started
        };
        let skew = {
            let state = &mut *self.world.state();
            let skew = state.faults.skew;
            state.rng.i64(-skew..=skew)
        };
        let environment = Environment::new(self.world.clone(), number, skew);
        let network = Network(environment.clone());
        let clock = environment.clock();
        let request_timeout = Duration::from_secs(10);
        let settings = TokenSettings {
            api_domain: None,
            accounts_domain: None,
            data_center: None,
            request_timeout,
            sharing: Sharing::ReadWrite,
            clock: clock.clone(),
        };
        let tokens = TokenSource::new(Store(environment.clone()), network.clone(), settings);
        let settings = checker::Settings {
            api_version: "v8".into(),
            request_timeout,
            api_host: None,
            clock: clock.clone(),
        };
        let checker = Checker::new(tokens, network, settings);
        let ends = Ends(environment.clone());
        let function = Handler::new(
            checker,
            ends,
            MessageSettings::default(),
            self.settings.limits,
            REGION.into(),
            clock,
        );
        Arc::new(Instance { environment, function: Arc::new(function), state: Mutex::new(Use::Busy) })
    }
}

fn service_error(error: &str) -> Failed {
    Failed { error: error.to_owned(), cause: "an error of the service".to_owned() }
}
