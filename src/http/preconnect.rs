//! Opens a connection before there is a request for it.
//!
//! A cold start reads the secret and opens the connection to Zoho in parallel, so that the first check takes one round
//! trip. reqwest has no method for that, and Zoho would see (and count) a warm-up request. So there are two clients. A
//! request of one of them only opens its connection: a connector layer keeps that, and ends the request. The other client
//! takes the connection that is kept for a host before it makes one.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connection that is older has probably been closed from the other side.
const KEPT_FOR: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// Set while a request is made only to open its connection.
    static OPENING: ();
    /// Where the present request goes. A layer cannot see for which host it connects.
    pub(super) static ORIGIN: String;
}

/// Opens the connection that this request needs, TLS included, and keeps it. The request is not sent. If the connection
/// cannot be opened, the first request connects by itself and reports the reason.
pub(crate) async fn open<F: Future>(request: F) {
    let _error = OPENING.scope((), request).await;
}

/// Whether the present request only opens its connection.
pub(crate) fn is_opening() -> bool {
    OPENING.try_with(|()| ()).is_ok()
}

/// The connections that are kept, by origin, and since when.
type Kept = Arc<Mutex<HashMap<String, (Box<dyn Any + Send>, Instant)>>>;

/// The layer of both clients.
pub(super) fn layer<S>() -> impl Layer<S, Service = Connector<S>> + Clone + Send + Sync {
    let kept = Kept::default();
    layer_fn(move |inner| Connector { inner, kept: Arc::clone(&kept) })
}

/// The connector with the layer around it.
#[derive(Clone)]
pub(super) struct Connector<S> {
    inner: S,
    kept: Kept,
}

impl<S, Destination> Service<Destination> for Connector<S>
where
    S: Service<Destination, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, destination: Destination) -> Self::Future {
        let origin = ORIGIN.try_with(String::clone).unwrap_or_default();
        if is_opening() {
            let (kept, connecting) = (Arc::clone(&self.kept), self.inner.call(destination));
            return Box::pin(async move {
                let connection = Box::new(connecting.await?);
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.insert(origin, (connection, Instant::now()));
                Err("the connection is kept for the first request".into())
            });
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = kept.remove(&origin).filter(|(_, since)| since.elapsed() < KEPT_FOR);
        match recent.map(|(connection, _)| connection.downcast::<S::Response>()) {
            Some(Ok(connection)) => Box::pin(std::future::ready(Ok(*connection))),
            _ => Box::pin(self.inner.call(destination)),
        }
    }
}
