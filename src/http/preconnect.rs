//! Opens a client's first connection before there is a request for it.
//!
//! A cold start reads the secret and opens the connection to Zoho in parallel, so that the first check takes one round
//! trip. reqwest has no method for that, and Zoho would see (and count) a warm-up request. So a connector layer lets a
//! warm-up request get as far as its connection, keeps the connection, and ends the request: nothing is sent. The next
//! request that needs a connection takes this one.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower_layer::Layer;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Older than this it has probably been closed from the other side.
const KEPT_FOR: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// Set while the warm-up request is polled: connections are then made to be kept, not used.
    static WARMING_UP: ();
}

/// The layer, and the handle to open the connection with. Only for a client that talks to one host.
#[derive(Clone, Default)]
pub(super) struct Preconnect {
    kept: Arc<Mutex<Option<Kept>>>,
}

struct Kept {
    connection: Box<dyn Any + Send>,
    since: Instant,
}

impl Preconnect {
    /// Opens a connection (TLS included) to the host of `url` and keeps it. If that fails, the first request connects by
    /// itself and reports the reason.
    pub(super) async fn open(&self, client: &reqwest::Client, url: &str) {
        let _connection_kept = WARMING_UP.scope((), client.get(url).send()).await;
    }

    fn take(&self) -> Option<Kept> {
        self.lock().take().filter(|kept| kept.since.elapsed() < KEPT_FOR)
    }

    fn keep(&self, connection: Box<dyn Any + Send>) {
        *self.lock() = Some(Kept { connection, since: Instant::now() });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for Preconnect {
    type Service = PreconnectService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PreconnectService { inner, preconnect: self.clone() }
    }
}

/// The connector with the layer around it.
#[derive(Clone)]
pub(super) struct PreconnectService<S> {
    inner: S,
    preconnect: Preconnect,
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
        let warming_up = WARMING_UP.try_with(|()| ()).is_ok();
        if !warming_up
            && let Some(kept) = self.preconnect.take()
            && let Ok(connection) = kept.connection.downcast::<S::Response>()
        {
            return Box::pin(async move { Ok(*connection) });
        }
        let connecting = self.inner.call(destination);
        if !warming_up {
            return Box::pin(connecting);
        }
        let preconnect = self.preconnect.clone();
        Box::pin(async move {
            preconnect.keep(Box::new(connecting.await?));
            Err(ConnectionKept.into())
        })
    }
}

/// Ends the warm-up request at the point where its connection stands.
#[derive(Debug)]
struct ConnectionKept;

impl fmt::Display for ConnectionKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is kept for the first request")
    }
}

impl std::error::Error for ConnectionKept {}
