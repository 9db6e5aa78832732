//! The Lambda function `vapi-webhook`.

#![recursion_limit = "256"]

use lambda_http::{Error, service_fn};
use shared::{
    runtime::{answered, logging},
    world::World,
};
use vapi_webhook::{Deps, handle};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(World::deployed().await?)?;
    let deps = &deps;
    deps.secrets.read_ahead(deps.world.clock.now()).await;
    lambda_http::run(service_fn(async |request| {
        Ok::<_, Error>(answered(request, async |request| handle(deps, request).await).await)
    }))
    .await
}
