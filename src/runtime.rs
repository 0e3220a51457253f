//! The Lambda Runtime API: takes one invocation after the other, and sends back what becomes of it.
//!
//! The loop of AWS's own library (`lambda_runtime` 1.5) parses every header of an invocation before the handler is called,
//! and ends the process at one that it does not expect: a client context with a number in it, a missing deadline, or an
//! environment without the function's memory size. The function uses none of these.

use crate::aws::http::set_trace;
use crate::deadline::Deadline;
use crate::error::WatchError;
use crate::handler::Invocation;
use crate::http::connections::local_client;
use crate::redact;
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
        let diagnostic = |error_type: &str, error_message: &str| Diagnostic {
            error_type: error_type.to_owned(),
            error_message: error_message.to_owned(),
        };
        // A task of its own, so that a panic is a response.
        let result = match tokio::spawn(respond(invocation).instrument(span)).await {
            Ok(result) => result.map_err(|error| diagnostic(error.kind().name(), error.message())),
            Err(_) => {
                let message = "the function panicked, which is an error of its own: see its log";
                Err(diagnostic("Runtime.Panic", message))
            }
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorType;
    use http::HeaderValue;
    use serde_json::{Value, json};
    use std::time::Duration;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    /// Where the response goes to an invocation with these headers, and what it is.
    async fn invoke(headers: &[(&str, &[u8])], body: &str) -> (String, Value) {
        let api = MockServer::start().await;
        let next = || Mock::given(method("GET")).and(path("/2018-06-01/runtime/invocation/next"));
        let mut event = ResponseTemplate::new(200).set_body_string(body);
        event = event.insert_header("lambda-runtime-aws-request-id", "r-1");
        for (name, value) in headers {
            event = event.insert_header(*name, HeaderValue::from_bytes(value).unwrap());
        }
        next().respond_with(event).up_to_n_times(1).mount(&api).await;
        next().respond_with(ResponseTemplate::new(500)).mount(&api).await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(202)).mount(&api).await;
        let address = api.address().to_string();
        let ended = run(&address, |event| async move {
            let left = event.deadline.left() > Duration::from_secs(50);
            match &*event.payload {
                "panic" => panic!("on purpose"),
                "fail" => Err(WatchError::new(ErrorType::JobNotFound, "no such job")),
                _ => Ok(json!([event.payload, event.function_arn, left])),
            }
        });
        assert!(ended.await.unwrap_err().contains("500"));
        let sent = api.received_requests().await.unwrap();
        let post = sent.iter().find(|request| request.method == "POST").unwrap();
        let body = serde_json::from_slice(&post.body).unwrap();
        (post.url.path().replace("/2018-06-01/runtime/invocation/", ""), body)
    }

    #[tokio::test]
    async fn no_header_fails_an_invocation() {
        let context = "lambda-runtime-client-context";
        for (name, value) in [
            (context, r#"{"custom": {"trace": {"id": "1"}, "attempt": 2, "parent": null}}"#.as_bytes()),
            (context, b"{\"custom\": {\"a\": \"\xe4\"}}".as_slice()),
            ("lambda-runtime-cognito-identity", b"[]"),
            ("lambda-runtime-deadline-ms", b"soon"),
            ("lambda-runtime-trace-id", b"Root=\xff"),
            ("lambda-runtime-invocation-id", b"\xff"),
        ] {
            let response = invoke(&[(name, value)], "{}").await;
            assert_eq!(response, ("r-1/response".to_owned(), json!(["{}", "", true])), "{name}");
        }
    }

    #[tokio::test]
    async fn a_result_an_error_and_a_panic_are_responses() {
        let (_, sent) = invoke(&[("lambda-runtime-invoked-function-arn", b"arn")], "{}").await;
        assert_eq!(sent, json!(["{}", "arn", true]));
        let (path, sent) = invoke(&[], "fail").await;
        assert_eq!((path.as_str(), sent["errorType"].as_str()), ("r-1/error", Some("JobNotFound")));
        assert_eq!(sent["errorMessage"], "no such job");
        let (path, sent) = invoke(&[], "panic").await;
        assert_eq!((path.as_str(), sent["errorType"].as_str()), ("r-1/error", Some("Runtime.Panic")));
    }
}
