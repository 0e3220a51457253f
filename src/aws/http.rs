//! The AWS SDK's extension point for an HTTP client: its requests go through ours, so that there is one TLS stack and
//! one set of root certificates, and the SDK's own (3 MB, 30 ms at the start of a process) is not even compiled.

use crate::http::{Connections, HttpResponse as WholeResponse, TransportError, preconnect};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::HeaderValue;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

static TRACE: Mutex<Option<HeaderValue>> = Mutex::new(None);

/// Passes the trace of the present invocation on to AWS's services, for X-Ray and for Lambda's detection of loops. The
/// SDK would take it from the process's environment, which cannot be changed safely.
pub fn set_trace(trace: Option<HeaderValue>) {
    *TRACE.lock().unwrap_or_else(PoisonError::into_inner) = trace;
}

/// Serves the SDK's requests. One attempt takes at most `request_timeout`, less if the invocation has little time left.
pub(crate) fn sdk_http_client(connections: Connections, request_timeout: Duration) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Adapter { connections, request_timeout });
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Clone)]
struct Adapter {
    connections: Connections,
    request_timeout: Duration,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Adapter")
    }
}

impl HttpConnector for Adapter {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let adapter = self.clone();
        HttpConnectorFuture::new(async move {
            adapter.exchange(request).await.map_err(|error| {
                // The SDK repeats what failed on the way.
                let is_repeated = error.is::<TransportError>() && !preconnect::is_opening();
                if is_repeated { ConnectorError::io(error) } else { ConnectorError::user(error) }
            })
        })
    }
}

impl Adapter {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, BoxError> {
        let request = request.try_into_http1x()?;
        let request = request.map(|body| reqwest::Body::from(body.bytes().unwrap_or_default().to_vec()));
        let mut request = reqwest::Request::try_from(request)?;
        if let Some(trace) = TRACE.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            request.headers_mut().insert("x-amzn-trace-id", trace);
        }
        let WholeResponse { status, headers, body } = self.connections.exchange(request, self.request_timeout).await?;
        let start = body.trim_ascii_start().get(..5).unwrap_or_default().to_ascii_lowercase();
        if status.is_success() && (start == b"<html" || start == b"<!doc") {
            // The SDK does not read the body of a response without fields: the page would count as done.
            return Err(format!("HTTP {status} with a web page").into());
        }
        let mut response = http::Response::new(SdkBody::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(HttpResponse::try_from(response)?)
    }
}
