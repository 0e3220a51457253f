//! Opens a connection before there is a request for it.
//!
//! A cold start reads the secret and opens the connection to Zoho in parallel, so that the first check takes one round
//! trip. reqwest has no method for that, and Zoho would see (and count) a warm-up request. So there are two clients. The
//! connector layer of one keeps each new connection and ends its request: nothing is sent. The other one's layer takes the
//! connection that is kept for a host before it makes one.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower_layer::Layer;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connection that is older has probably been closed from the other side.
const KEPT_FOR: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// Set while a request is made only to open its connection.
    static OPENING: ();
    /// Where the present request goes. A layer cannot see for which host it connects.
    static ORIGIN: String;
}

/// Opens the connection that this request needs, TLS included, and keeps it. The request ends with an error and is not
/// sent. If the connection cannot be opened, the first request connects by itself and reports the reason.
pub(crate) async fn open<F: Future>(request: F) {
    let _error = OPENING.scope((), request).await;
}

/// Whether the present request only opens its connection.
pub(crate) fn is_opening() -> bool {
    OPENING.try_with(|()| ()).is_ok()
}

/// Sends a request to this origin.
pub(super) async fn toward<F: Future>(origin: String, request: F) -> F::Output {
    ORIGIN.scope(origin, request).await
}

/// The layers of the client that takes connections and of the one that keeps them.
pub(super) fn layers() -> (Preconnect, Preconnect) {
    let kept = Arc::default();
    (Preconnect { kept: Arc::clone(&kept), keeps: false }, Preconnect { kept, keeps: true })
}

/// The connections that are kept, by origin, and since when.
type Kept = HashMap<String, (Box<dyn Any + Send>, Instant)>;

#[derive(Clone)]
pub(super) struct Preconnect {
    kept: Arc<Mutex<Kept>>,
    keeps: bool,
}

impl Preconnect {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for Preconnect {
    type Service = PreconnectService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PreconnectService { inner, layer: self.clone() }
    }
}

/// The connector with the layer around it.
#[derive(Clone)]
pub(super) struct PreconnectService<S> {
    inner: S,
    layer: Preconnect,
}

impl<S, Destination> Service<Destination> for PreconnectService<S>
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
        if self.layer.keeps {
            let (layer, connecting) = (self.layer.clone(), self.inner.call(destination));
            return Box::pin(async move {
                let connection = Box::new(connecting.await?);
                layer.kept().insert(origin, (connection, Instant::now()));
                Err("the connection is kept for the first request".into())
            });
        }
        let kept = self.layer.kept().remove(&origin).filter(|(_, since)| since.elapsed() < KEPT_FOR);
        match kept.map(|(connection, _)| connection.downcast::<S::Response>()) {
            Some(Ok(connection)) => Box::pin(std::future::ready(Ok(*connection))),
            _ => Box::pin(self.inner.call(destination)),
        }
    }
}
