//! The process: logging, setup, warm-up, and the runtime's loop.

use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::delivery::Response;
use mass_change_owner_status::environment::{self, Environment};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::handler::{Invocation, respond_without_configuration, wrap_invalid_json};
use mass_change_owner_status::setup::{self, Function};
use mass_change_owner_status::{logging, metrics, phase};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// INIT ends after this, whatever the warm-up is still doing; the first invocation continues it.
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let restarted = environment::restart_without_empty_variables();
    let environment = Environment::of_process();
    logging::init(&environment);
    if let Err(error) = restarted {
        tracing::warn!(%error, "empty AWS_* variables could not be removed from the environment");
    }
    metrics::init(&environment);
    phase::begin();
    // A configuration error is the response to every invocation; the process stays alive to give it.
    let function = setup::function(&environment).await.map(Arc::new);
    if let Ok(function) = &function {
        let function = function.clone();
        let warm_up = tokio::spawn(async move { function.warm_up().await });
        let _in_time = tokio::time::timeout(WARM_UP_LIMIT, warm_up).await;
    }
    phase::end_of_init();
    Runtime::new(service_fn(|event: LambdaEvent<Box<RawValue>>| invoke(&function, event)))
        .layer(TracingLayer::new())
        .layer(MapRequestLayer::new(wrap_invalid_json))
        .run()
        .await
}

async fn invoke(
    function: &Result<Arc<Function>, WatchError>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Response, WatchError> {
    let invocation = Invocation {
        payload: event.payload.get(),
        function_arn: &event.context.invoked_function_arn,
        deadline: Deadline::from_lambda(event.context.deadline),
    };
    match function {
        // Boxed: the SDK's futures nest so deep that the compiler gives up on the whole as one type.
        Ok(function) => Box::pin(function.handle(invocation)).await,
        Err(error) => respond_without_configuration(error, invocation),
    }
}
