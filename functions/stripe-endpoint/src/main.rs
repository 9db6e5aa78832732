//! The Lambda function `stripe-endpoint`.

#![recursion_limit = "256"]

use base::logs::logging;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::Platform;
use serde_json::Value;
use stripe_endpoint::{Deps, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(Platform::deployed().await?)?;
    let deps = &deps;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| handle(deps, event.payload).await)).await
}
