//! The Lambda Runtime API: takes one invocation after the other, and sends back what becomes of it.
//!
//! The loop of AWS's own library (`lambda_runtime` 1.5) parses every header of an invocation before the handler is called,
//! and ends the process at one that it does not expect: a client context with a number in it, a missing deadline, or an
//! environment without the function's memory size. The function uses none of these.

use crate::aws::http::set_trace;
use crate::http::connections::local_client;
use crate::{deadline::Deadline, error::WatchError, handler::Invocation, redact};
use lambda_runtime::Diagnostic;
use serde::Serialize;
use std::future::Future;
use tracing::Instrument;

/// Responds to invocations until the process ends. `api` is the host and port of `AWS_LAMBDA_RUNTIME_API`.
/// Fails if the API cannot be reached, or does not give an invocation.
pub async fn run<F, T, R>(api: &str, respond: F) -> Result<(), String>
where
    F: Fn(Invocation) -> R,
    R: Future<Output = Result<T, WatchError>> + Send + 'static,
    T: Serialize + Send + 'static,
{
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
        let result = tokio::spawn(respond(invocation).instrument(span)).await.map_or_else(
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
