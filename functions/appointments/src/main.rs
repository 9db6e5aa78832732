//! The Lambda function `appointments`.

#![recursion_limit = "256"]

use appointments::{Deps, handle};
use base::logs::logging;
use platform::Platform;
use web::runtime::{self, Error, answered, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging();
    let deps = Deps::new(Platform::deployed().await?)?;
    let deps = &deps;
    runtime::lambda_http::run(service_fn(async |request| {
        Ok::<_, Error>(answered(request, async |request| handle(deps, request).await).await)
    }))
    .await
}
