//! The AWS SDK's extension point for an HTTP client: its requests go through ours, so that there is one TLS stack and
//! one set of root certificates, and the SDK's own (3 MB, 30 ms at the start of a process) is not even compiled.

use crate::http::{Connections, Reason, Response};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The longest body that is read, successful or not. The longest that these services send is a secret of 64 KiB.
const BODY_LIMIT: usize = 1 << 20;

tokio::task_local! {
    /// Set while an operation is called only to open its connection.
    static PRECONNECTING: ();
}

/// Serves the SDK's requests through these connections. One attempt takes at most `request_timeout`, and less if the
/// invocation has little time left.
pub(crate) fn sdk_http_client(connections: Arc<Connections>, request_timeout: Duration) -> SharedHttpClient {
    SharedHttpClient::new(Adapter { connections, request_timeout })
}

/// Calls an operation up to the point where its request would be sent, and opens the connection that it will need. Only
/// the SDK knows which host that is: it depends on the Region, the partition, FIPS, and endpoint URLs.
pub(crate) async fn preconnect<F: Future>(operation: F) {
    let _always_fails = PRECONNECTING.scope((), operation).await;
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
            let request =
                reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
            if PRECONNECTING.try_with(|()| ()).is_ok() {
                connections.preconnect_url(request.url()).await;
                return Err(ConnectorError::user("the connection is open; nothing is sent".into()));
            }
            let Response { status, headers, body } =
                connections.exchange(request, request_timeout, BODY_LIMIT).await.map_err(|error| {
                    // Both kinds are retried by the SDK.
                    if error.reason == Reason::TimedOut {
                        ConnectorError::timeout(error.into())
                    } else {
                        ConnectorError::io(error.into())
                    }
                })?;
            let mut response = http::Response::new(SdkBody::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
        })
    }
}
