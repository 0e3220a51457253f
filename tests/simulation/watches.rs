//! Who watches jobs: schedules, state machines, and programs.

use crate::faults::{Fault, Service};
use crate::lambda::Lambda;
use crate::ledger::{Publication, Watch};
use crate::machine::{Execution, Failed, Integrations};
use mass_change_owner_status::error::ErrorType;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The schedule group.
pub(crate) const GROUP: &str = "watches";

/// Starts a watch of this job in some way, and follows it to its end.
pub(crate) async fn watch(lambda: Arc<Lambda>, definition: Arc<Value>, job: usize, starts_in: u64) {
    let world = lambda.world.clone();
    sleep(Duration::from_secs(starts_in)).await;
    let limits = lambda.settings.limits;
    let (number, request, name) = {
        let state = &mut *world.state();
        let number = state.ledger.add_watch(Watch {
            job,
            started: world.elapsed(),
            limit: limits.watch_limit_seconds,
            is_announced: false,
            is_over: false,
            caught: Vec::new(),
            has_status: false,
            names_no_start: false,
        });
        let job = &state.zoho.jobs[job];
        let request = json!({"module": job.module, "job_id": job.id});
        (number, request, format!("{}-{}", job.module, job.id))
    };
    match world.draw(0..9) {
        0..4 => scheduled(lambda, number, request, name).await,
        4..8 => executed(lambda, definition, number, format!("{name}-{number}"), request).await,
        _ => looped(lambda, number, request).await,
    }
}

/// A schedule with a constant input.
async fn scheduled(lambda: Arc<Lambda>, watch: usize, mut request: Value, name: String) {
    let world = lambda.world.clone();
    let arn_of = |name: &str| format!("arn:aws:scheduler:eu-west-1:123456789012:schedule/{GROUP}/{name}");
    // A name is used again only if the input says which watch is meant.
    let created_at = world.now();
    let name = if world.chance(0.7) {
        request["first_checked_at"] = json!(created_at);
        name
    } else {
        world.state().ledger.watches[watch].names_no_start = true;
        format!("{name}-{watch}")
    };
    let arn = world.state().ledger.free_name(&arn_of(&name), world.elapsed());
    world.state().ledger.add_schedule(arn.clone(), watch, created_at);
    request["schedule_arn"] = json!(arn);
    let limit = lambda.settings.limits.watch_limit_seconds;
    let interval = (limit / 40).clamp(60, 900);
    let grace = world.state().faults.outage_seconds() + 4 * interval + 7_200;
    let last = world.elapsed() + limit + grace;
    let mut deliveries = Vec::new();
    while !world.state().ledger.is_deleted(&arn) && world.elapsed() < last {
        let duplicates = world.state().faults.duplicates;
        let times = if world.chance(duplicates) { 2 } else { 1 };
        for _ in 0..times {
            deliveries.push(tokio::spawn(lambda.clone().deliver(watch, request.to_string())));
        }
        sleep(Duration::from_secs(interval)).await;
    }
    join(deliveries).await;
}

async fn join(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

/// A program that passes each report back, has the end published, and gives up on errors that are permanent.
async fn looped(lambda: Arc<Lambda>, watch: usize, mut request: Value) {
    let world = lambda.world.clone();
    let last = world.elapsed() + lambda.settings.limits.watch_limit_seconds;
    loop {
        request["notify"] = json!(true);
        let seconds = match lambda.invoke(watch, &request.to_string()).await {
            Ok(report) => {
                let wait = report["next_check_seconds"].as_u64();
                request = report;
                wait
            }
            Err(failed) => {
                let is_permanent =
                    ErrorType::from_name(&failed.error).is_some_and(|kind| !kind.is_retryable());
                let gives_up = is_permanent || world.elapsed() > last;
                // Whoever runs the program sees the error.
                world.state().ledger.watches[watch].is_announced |= gives_up;
                (!gives_up).then_some(60)
            }
        };
        let Some(seconds) = seconds else { break };
        sleep(Duration::from_secs(seconds)).await;
    }
    world.state().ledger.watches[watch].is_over = true;
}

/// An execution of the state machine.
fn executed(
    lambda: Arc<Lambda>,
    definition: Arc<Value>,
    watch: usize,
    name: String,
    input: Value,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let world = lambda.world.clone();
        let connections = Connections { lambda: lambda.clone(), watch, started: Mutex::default() };
        let result = Execution::new(&definition, &connections, &name, &input).run().await;
        world.trace(|| format!("execution {name} ends with {result:?}"));
        let successor = connections.started.lock().unwrap().take();
        match successor {
            Some(Successor { name, input, .. }) => executed(lambda, definition, watch, name, input).await,
            None => world.state().ledger.watches[watch].is_over = true,
        }
    })
}

/// An execution that another one has started.
struct Successor {
    name: String,
    input: Value,
}

/// What the state machine is connected to.
struct Connections {
    lambda: Arc<Lambda>,
    watch: usize,
    started: Mutex<Option<Successor>>,
}

impl Connections {
    async fn check(&self, arguments: &Value) -> Result<Value, Failed> {
        let payload = arguments["Payload"].to_string();
        let report = self.lambda.invoke(self.watch, &payload).await?;
        Ok(json!({"Payload": report, "StatusCode": 200}))
    }

    async fn publish(&self, arguments: &Value) -> Result<Value, Failed> {
        let world = &self.lambda.world;
        let fault = world.fault(Service::Topic);
        let failed = |error: &str| Err(Failed { error: error.to_owned(), cause: "SNS failed".to_owned() });
        match fault {
            Some(Fault::Stall) => {
                sleep(Duration::from_secs(60)).await;
                return failed("States.Timeout");
            }
            Some(Fault::LostResponse) | None => {}
            Some(_) => return failed("SNS.InternalErrorException"),
        }
        let attribute = |name: &str| {
            let value = &arguments["MessageAttributes"][name]["StringValue"];
            value.as_str().unwrap_or_default().to_owned()
        };
        let message_id = world.publish(Publication {
            watch: self.watch,
            at: world.elapsed(),
            event_id: attribute("event_id"),
            outcome: attribute("outcome"),
            report: arguments["Message"].as_str().unwrap_or_default().to_owned(),
        });
        if fault.is_some() {
            return failed("SNS.SdkClientException");
        }
        Ok(json!({"MessageId": message_id}))
    }

    /// The dead-letter queue keeps what SNS did not accept: an operator announces it.
    fn keep(&self) -> Value {
        self.lambda.world.state().ledger.watches[self.watch].is_announced = true;
        json!({"MessageId": "kept"})
    }

    fn start_execution(&self, arguments: &Value) -> Value {
        let name = arguments["Name"].as_str().unwrap().to_owned();
        let result = json!({"ExecutionArn": format!("arn:{name}")});
        *self.started.lock().unwrap() = Some(Successor { name, input: arguments["Input"].clone() });
        result
    }
}

impl Integrations for Connections {
    async fn call(&self, resource: &str, arguments: Value) -> Result<Value, Failed> {
        let result = match resource {
            "lambda:invoke" => self.check(&arguments).await,
            "sns:publish" => self.publish(&arguments).await,
            "sqs:sendMessage" => Ok(self.keep()),
            "states:startExecution" => Ok(self.start_execution(&arguments)),
            other => panic!("nothing is known of {other}"),
        };
        if let Err(failed) = &result {
            let ledger = &mut self.lambda.world.state().ledger;
            ledger.watches[self.watch].caught.push(failed.error.clone());
        }
        result
    }

    async fn wait(&self, seconds: f64) {
        sleep(Duration::from_secs_f64(seconds)).await;
    }

    fn random(&self) -> f64 {
        self.lambda.world.state().rng.f64()
    }
}
