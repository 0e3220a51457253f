//! The least that a Lambda function in Rust can be: it sends the payload back. No secret, no network, no logs.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| Ok::<_, Error>(event.payload))).await
}
