//! The Lambda function `stripe-webhook`.

#![recursion_limit = "256"]

use base::logs::logging;
use lambda_http::{Error, service_fn};
use platform::Platform;
use stripe_webhook::{Deps, handle};
use web::runtime::answered;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(Platform::deployed().await?)?;
    let deps = &deps;
    deps.secrets.read_ahead(deps.platform.clock.now()).await;
    lambda_http::run(service_fn(async |request| {
        Ok::<_, Error>(answered(request, async |request| handle(deps, request).await).await)
    }))
    .await
}
