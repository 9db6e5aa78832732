//! The Lambda function `reminders`.

#![recursion_limit = "256"]

use base::logs::logging;
use platform::Platform;
use reminders::{Deps, handle};
use serde_json::Value;
use web::runtime::{self, Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(Platform::deployed().await?)?;
    let deps = &deps;
    runtime::lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        handle(deps, event.payload).await
    }))
    .await
}
