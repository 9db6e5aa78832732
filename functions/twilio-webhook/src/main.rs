//! The Lambda function `twilio-webhook`.

#![recursion_limit = "256"]

use base::logs::logging;
use platform::Platform;
use twilio_webhook::{Deps, handle};
use web::runtime::{Error, answered, serve, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(Platform::deployed().await?)?;
    let deps = &deps;
    serve(service_fn(async |request| {
        Ok::<_, Error>(answered(request, async |request| handle(deps, request).await).await)
    }))
    .await
}
