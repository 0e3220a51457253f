//! The process: logging, setup, warm-up, and the loop of invocations.

use lambda_runtime::Diagnostic;
use mass_change_owner_status::aws::http::set_trace;
use mass_change_owner_status::environment::{self, Environment};
use mass_change_owner_status::handler::{Invocation, respond_without_configuration};
use mass_change_owner_status::http::connections::local_client;
use mass_change_owner_status::setup::{self, Function};
use mass_change_owner_status::{deadline::Deadline, error::WatchError, timestamp::Timestamp, watch::report::Response};
use mass_change_owner_status::{logging, metrics, phase, redact};
use std::{sync::Arc, time::Duration};
use tracing::Instrument;

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
    run(api, &function).await
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

/// Lambda's Runtime API: takes one invocation after the other, and sends back what becomes of it, until the process ends.
/// `api` is the host and port of `AWS_LAMBDA_RUNTIME_API`. Fails if the API cannot be reached, or gives no invocation.
///
/// The loop of AWS's own library (`lambda_runtime` 1.5) parses every header of an invocation before the handler is called,
/// and ends the process at one that it does not expect: a client context with a number in it, a missing deadline, or an
/// environment without the function's memory size. The function uses none of these.
async fn run(api: &str, function: &Arc<Result<Function, WatchError>>) -> Result<(), String> {
    let client = local_client()?;
    let invocations = format!("http://{api}/2018-06-01/runtime/invocation");
    let failed =
        |error: reqwest::Error| format!("the Lambda Runtime API failed: {}", redact::causes(&error.without_url()));
    loop {
        let next = client.get(format!("{invocations}/next")).send().await;
        let next = next.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let headers = next.headers().clone();
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let request_id =
            text("lambda-runtime-aws-request-id").ok_or("the Lambda Runtime API gave an invocation without an ID")?;
        let trace_id = headers.get("lambda-runtime-trace-id").filter(|value| value.to_str().is_ok());
        set_trace(trace_id.cloned());
        // A deadline of 0 is long past, and so counts as unknown.
        let deadline = text("lambda-runtime-deadline-ms").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let deadline = Deadline::from_lambda(deadline);
        deadline.begin();
        let invocation = Invocation {
            payload: String::from_utf8_lossy(&next.bytes().await.map_err(failed)?).into_owned(),
            function_arn: text("lambda-runtime-invoked-function-arn").unwrap_or_default().into_owned(),
            deadline,
        };
        let x_ray = trace_id.and_then(|value| value.to_str().ok());
        let span = tracing::info_span!("invocation", requestId = &*request_id, xrayTraceId = x_ray);
        // A task of its own, so that a panic is a response.
        let result = tokio::spawn(invoke(function.clone(), invocation).instrument(span)).await.map_or_else(
            |_| Err(("Runtime.Panic", "the function panicked, which is an error of its own: see its log".to_owned())),
            |result| result.map_err(|error| (error.kind.name(), error.message)),
        );
        let diagnostic = |(name, error_message): (&str, _)| Diagnostic { error_type: name.to_owned(), error_message };
        let result = result.map_err(diagnostic);
        let (what, body) = match &result {
            Ok(response) => ("response", serde_json::to_vec(response)),
            Err(error) => ("error", serde_json::to_vec(error)),
        };
        let body = body.map_err(|error| format!("the response cannot be written: {error}"))?;
        let mut sent = client.post(format!("{invocations}/{request_id}/{what}")).body(body);
        if let Some(invocation_id) = headers.get("lambda-runtime-invocation-id") {
            sent = sent.header("lambda-runtime-invocation-id", invocation_id);
        }
        if let Err(error) = &result {
            sent = sent.header("lambda-runtime-function-error-type", &error.error_type);
        }
        let status = sent.send().await.map_err(failed)?.status();
        if !status.is_success() {
            tracing::error!(status = status.as_u16(), "the Lambda Runtime API did not accept the response");
        }
    }
}

async fn invoke(function: Arc<Result<Function, WatchError>>, invocation: Invocation) -> Result<Response, WatchError> {
    match &*function {
        // Boxed: the SDK's futures nest so deep that the compiler gives up on the whole as one type.
        Ok(function) => Box::pin(function.handle(&invocation)).await,
        Err(error) => respond_without_configuration(error, &invocation, Timestamp::now()),
    }
}
