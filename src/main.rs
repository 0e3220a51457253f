//! The Lambda function's process: logging, clients, a head start, and then one call after the other.

use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use mass_change_owner_status::deadline::Deadline;
use mass_change_owner_status::error::WatchError;
use mass_change_owner_status::report::Report;
use mass_change_owner_status::watcher::Watcher;
use mass_change_owner_status::{logging, phase};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// INIT ends after this, whatever is still going on; the first call takes it up.
const HEAD_START: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::init(|name| std::env::var(name).ok());
    phase::begin();
    // A fault in the configuration is every call's answer; the process stays alive to give it.
    let watcher = Watcher::from_env().await.map(Arc::new);
    if let Ok(watcher) = &watcher {
        let watcher = watcher.clone();
        let head_start = tokio::spawn(async move { watcher.warm_up().await });
        let _in_time = tokio::time::timeout(HEAD_START, head_start).await;
    }
    phase::end_of_init();
    Runtime::new(service_fn(|event: LambdaEvent<Box<RawValue>>| answer(&watcher, event)))
        .layer(TracingLayer::new())
        .layer(MapRequestLayer::new(mass_change_owner_status::payload::always_json))
        .run()
        .await
}

async fn answer(
    watcher: &Result<Arc<Watcher>, WatchError>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Report, WatchError> {
    let watcher = watcher.as_ref().map_err(Clone::clone)?;
    // Boxed: the SDK's futures nest so deep that the compiler gives up on the whole as one type.
    Box::pin(watcher.call(event.payload.get(), Deadline::from_lambda(event.context.deadline))).await
}
