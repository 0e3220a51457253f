//! The AWS SDK's extension point for an HTTP client: its requests go through ours, so that there is one TLS stack and
//! one set of root certificates, and the SDK's own (3 MB, 30 ms at the start of a process) is not even compiled.

use crate::http::{Connections, HttpResponse as WholeResponse, NoResponse, Stage, TransportError, preconnect};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::HeaderValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

static TRACE: Mutex<Option<HeaderValue>> = Mutex::new(None);

/// Passes the trace of the present invocation on to AWS's services, for X-Ray and for Lambda's detection of loops. The
/// SDK would take it from the process's environment, which cannot be changed safely.
pub fn set_trace(trace: Option<HeaderValue>) {
    *TRACE.lock().unwrap_or_else(PoisonError::into_inner) = trace;
}

/// Serves the SDK's requests through these connections. One attempt takes at most `request_timeout`, and less if the
/// invocation has little time left.
pub(crate) fn sdk_http_client(connections: Arc<Connections>, request_timeout: Duration) -> SharedHttpClient {
    SharedHttpClient::new(Adapter { connections, request_timeout })
}

#[derive(Clone)]
struct Adapter {
    connections: Arc<Connections>,
    request_timeout: Duration,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}

impl HttpClient for Adapter {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Adapter {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { connections, request_timeout } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?
                .map(|body| reqwest::Body::from(body.bytes().unwrap_or_default().to_vec()));
            let mut request =
                reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
            if let Some(trace) = TRACE.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                request.headers_mut().insert("x-amzn-trace-id", trace);
            }
            let exchanged = connections.exchange(request, request_timeout).await;
            let WholeResponse { status, headers, body } = exchanged.map_err(|error| {
                if preconnect::is_opening() {
                    // Not an error that the SDK repeats.
                    ConnectorError::user(error.into())
                } else if error.reason == NoResponse::TimedOut {
                    ConnectorError::timeout(error.into())
                } else {
                    ConnectorError::io(error.into())
                }
            })?;
            if status.is_success() && is_web_page(&body) {
                // The SDK does not read the body of a response without fields: the page would count as done.
                let page = format!("HTTP {status} with a web page, which is not a response of AWS");
                return Err(ConnectorError::user(TransportError::new(Stage::Responding, page).into()));
            }
            let mut response = http::Response::new(SdkBody::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
        })
    }
}

fn is_web_page(body: &[u8]) -> bool {
    let start: Vec<u8> = body.trim_ascii_start().iter().take(14).map(u8::to_ascii_lowercase).collect();
    start.starts_with(b"<html") || start.starts_with(b"<!doctype html")
}
