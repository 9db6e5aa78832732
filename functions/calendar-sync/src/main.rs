//! The Lambda function `calendar-sync`.

#![recursion_limit = "256"]

use base::logs::logging;
use calendar_sync::{Deps, handle};
use platform::Platform;
use web::runtime::{self, Error, LambdaEvent, SqsEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(Platform::deployed().await?)?;
    let deps = &deps;
    runtime::lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(deps, event.payload).await)
    }))
    .await
}
