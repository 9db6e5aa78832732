//! The Lambda function `calendar-watch`.

#![recursion_limit = "256"]

use base::logs::logging;
use calendar_watch::{Deps, handle};
use platform::Platform;
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
