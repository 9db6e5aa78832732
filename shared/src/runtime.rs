//! The Lambda glue: a function's logs, and how a handler's outcome becomes an answer.

use http::Response;
use lambda_http::{Body, Request, RequestExt};

use crate::{config::Environment, http::problem::Problem};

/// JSON logs, one line each, on standard output, at the level `LOG_LEVEL` says (`info`).
pub fn logging() {
    let level = Environment::of_process().reader().optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_default();
    // A second call finds a subscriber set, and keeps it.
    let _ = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).try_init();
}

/// The id a client can quote: Lambda's.
pub fn request_id(request: &Request) -> String {
    request.lambda_context_ref().map_or_else(|| "none".to_owned(), |context| context.request_id.clone())
}

/// Turns a handler's outcome into the answer, and logs a problem once.
pub async fn answered(
    request: Request,
    handle: impl AsyncFnOnce(Request) -> Result<Response<Body>, Problem>,
) -> Response<Body> {
    let request_id = request_id(&request);
    match handle(request).await {
        Ok(response) => response,
        Err(problem) => problem.answer(&request_id),
    }
}
