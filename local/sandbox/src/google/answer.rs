//! Answers and refusals, in Google's shape (developers.google.com/calendar/api/guides/errors).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// What comes back.
pub(super) type Answer = Result<(StatusCode, Value), Refusal>;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    domain: &'static str,
    reason: &'static str,
    message: String,
}

/// A refusal with this status and reason.
pub(super) fn refused(status: u16, domain: &'static str, reason: &'static str, message: &str) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal { status, domain, reason, message: message.to_owned() }
}

/// A value that the API does not take.
pub(super) fn bad(reason: &'static str, message: &str) -> Refusal {
    refused(400, "global", reason, message)
}

/// There is nothing of this name, or not for this account.
pub(super) fn missing() -> Refusal {
    refused(404, "global", "notFound", "Not Found")
}

/// What is shown.
pub(super) const fn shown(body: Value) -> (StatusCode, Value) {
    (StatusCode::OK, body)
}

/// Writes an answer of the API's.
pub(super) fn written(answer: Answer) -> Response<Bytes> {
    match answer {
        Ok((StatusCode::NO_CONTENT, _)) => reply(StatusCode::NO_CONTENT, Bytes::new()),
        Ok((status, body)) => reply(status, Bytes::from(body.to_string())),
        Err(Refusal { status, domain, reason, message }) => {
            let body = json!({"error": {
                "errors": [{"domain": domain, "reason": reason, "message": message}],
                "code": status.as_u16(),
                "message": message,
            }});
            reply(status, Bytes::from(body.to_string()))
        }
    }
}

/// Writes a refusal of the token endpoint's (RFC 6749, section 5.2).
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Response<Bytes> {
    let body = json!({"error": error, "error_description": description});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    reply(status, Bytes::from(body.to_string()))
}

/// Writes JSON.
pub(super) fn reply(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
