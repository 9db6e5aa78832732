//! The Lambda glue: how a handler's outcome becomes an answer.

use http::Response;
use lambda_http::{Body, Request, RequestExt};

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
