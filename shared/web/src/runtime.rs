//! The Lambda glue: how a handler's outcome becomes an answer, and the runtime's names that a `main.rs` needs. The runtime is this
//! crate's dependency alone, so that every function is built with the same features.

pub use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use http::{HeaderValue, Method, Response, Uri, header};
pub use lambda_http::{Body, Request, request::LambdaRequest};
pub use lambda_runtime::{self, Error, LambdaEvent, service_fn};

use lambda_http::{
    Adapter, RequestExt, Service, TransformResponse, aws_lambda_events::apigw::ApiGatewayV2httpRequest,
};
use url::Url;

use crate::problem::{Code, Problem};

/// The header that every answer has the request's id in.
pub const REQUEST_ID: &str = "x-request-id";

/// Runs a function that answers the API's requests, until its process ends.
///
/// # Errors
/// When the runtime does not answer.
pub async fn serve<'a, S>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<Body>, Error = Error>,
    S::Future: Send + 'a,
{
    lambda_runtime::run(service_fn(exchanges(service))).await
}

/// Returns what takes an event as the runtime gives it, and answers it in the form that the API takes.
///
/// An address that is none is answered 400 here: API Gateway passes a query on as it came, and `lambda_http` makes a request of it
/// or panics.
pub fn exchanges<'a, S>(
    service: S,
) -> impl FnMut(LambdaEvent<LambdaRequest>) -> TransformResponse<'a, Response<Body>, Error>
where
    S: Service<Request, Response = Response<Body>, Error = Error>,
    S::Future: Send + 'a,
{
    let mut answers = Adapter::from(service);
    let mut refuses = Adapter::from(service_fn(refused));
    move |mut event| {
        if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload
            && !is_address(request)
        {
            request.raw_path = None;
            request.raw_query_string = None;
            request.request_context.domain_name = None;
            request.headers.remove(header::HOST);
            return refuses.call(event);
        }
        answers.call(event)
    }
}

/// Whether what the event names as host, path and query make an address, put together as `lambda_http` does.
fn is_address(request: &ApiGatewayV2httpRequest) -> bool {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let host = header("host").or(request.request_context.domain_name.as_deref()).unwrap_or("localhost");
    let scheme = header("x-forwarded-proto").unwrap_or("https");
    let path = request.raw_path.as_deref().unwrap_or_default();
    let Ok(url) = Url::parse(&format!("{scheme}://{host}{path}")) else { return false };
    let query = request.raw_query_string.as_deref().unwrap_or_default();
    let address = if query.is_empty() { url.to_string() } else { format!("{url}?{query}") };
    Uri::try_from(address).is_ok()
}

async fn refused(request: Request) -> Result<Response<Body>, Error> {
    let sentence = "A space, quote or angle bracket in an address is percent-encoded, such as %20.";
    Ok(Problem::new(Code::InvalidValue).saying(sentence).answer(&request_id(&request)))
}

/// The id a client can quote: Lambda's.
pub fn request_id(request: &Request) -> String {
    request.lambda_context_ref().map_or_else(|| "none".to_owned(), |context| context.request_id.clone())
}

/// Turns a handler's outcome into the answer, with the id that its log lines have, and logs a problem once. HEAD is answered as GET is, without the body (RFC 9110, 9.3.2).
pub async fn answered(
    mut request: Request,
    handle: impl AsyncFnOnce(Request) -> Result<Response<Body>, Problem>,
) -> Response<Body> {
    let request_id = request_id(&request);
    let is_head = request.method() == Method::HEAD;
    if is_head {
        *request.method_mut() = Method::GET;
    }
    let response = match handle(request).await {
        Ok(response) => response,
        Err(problem) => problem.answer(&request_id),
    };
    let mut response = if is_head { response.map(|_| Body::Empty) } else { response };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
