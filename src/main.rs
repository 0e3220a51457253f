//! The process: logging, setup, warm-up, and the loop of invocations.

use mass_change_owner_status::delivery::Response;
use mass_change_owner_status::environment::{self, Environment};
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::handler::{Invocation, respond_without_configuration};
use mass_change_owner_status::setup::{self, Function};
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::{logging, metrics, phase, runtime};
use std::sync::Arc;
use std::time::Duration;

/// INIT ends after this, whatever the warm-up is still doing; the first invocation continues it.
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let restarted = environment::restart_without_empty_variables();
    let environment: Environment = environment::variables().collect();
    logging::init(&environment);
    if let Err(error) = restarted {
        tracing::warn!(%error, "empty AWS_* variables could not be removed from the environment");
    }
    metrics::init(&environment);
    let function = phase::timed("init", function(&environment)).await;
    let api = environment.get("AWS_LAMBDA_RUNTIME_API").ok_or("AWS_LAMBDA_RUNTIME_API is not set")?;
    runtime::run(api, |invocation| invoke(function.clone(), invocation)).await
}

/// The function, warm. A configuration error is the response to every invocation; the process stays alive to give it.
async fn function(environment: &Environment) -> Arc<Result<Function, WatchError>> {
    let function = Arc::new(setup::function(environment).await);
    let cold = function.clone();
    let warm_up = tokio::spawn(async move {
        if let Ok(function) = &*cold {
            function.warm_up().await;
        }
    });
    let _in_time = tokio::time::timeout(WARM_UP_LIMIT, warm_up).await;
    function
}

async fn invoke(function: Arc<Result<Function, WatchError>>, invocation: Invocation) -> Result<Response, WatchError> {
    match &*function {
        // Boxed: the SDK's futures nest so deep that the compiler gives up on the whole as one type.
        Ok(function) => Box::pin(function.handle(&invocation)).await,
        Err(error) => respond_without_configuration(error, &invocation, Timestamp::now()),
    }
}
