//! The Lambda function `operations`.

#![recursion_limit = "256"]

use lambda_http::{Error, service_fn};
use operations::{Deps, handle};
use shared::{
    runtime::{answered, logging},
    world::World,
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(World::deployed().await?)?;
    let deps = &deps;
    lambda_http::run(service_fn(async |request| {
        Ok::<_, Error>(answered(request, async |request| handle(deps, request).await).await)
    }))
    .await
}
