//! The Lambda glue: how a handler's outcome becomes an answer, and the runtime's names that a `main.rs` needs. The runtime is this
//! crate's dependency alone, so that every function is built with the same features.

pub use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use http::Response;
pub use lambda_http::{self, Body, Request};
pub use lambda_runtime::{self, Error, LambdaEvent, service_fn};

use lambda_http::RequestExt;

use crate::problem::Problem;

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
