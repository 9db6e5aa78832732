//! The Lambda function `auto-recharge`.

#![recursion_limit = "256"]

use auto_recharge::{Deps, handle};
use aws_lambda_events::event::sqs::SqsEvent;
use base::logs::logging;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::Platform;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(&Platform::deployed().await?)?;
    let deps = &deps;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(deps, event.payload).await)
    }))
    .await
}
