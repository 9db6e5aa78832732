//! Answers and refusals, in `GoTrue`'s shape (`internal/api/errors.go`; the words are those of `errorcode.go`).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// What comes back.
pub(super) type Answer = Result<Response<Bytes>, Refusal>;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// The issuer's word.
    pub(super) code: &'static str,
    /// Its sentence.
    pub(super) sentence: String,
}

/// A refusal with this status, word and sentence.
pub(super) fn refused(status: u16, code: &'static str, sentence: &str) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal { status, code, sentence: sentence.to_owned() }
}

/// There is no such account.
pub(super) fn no_account() -> Refusal {
    refused(404, "user_not_found", "User not found")
}

/// A password that is too short.
pub(super) fn weak_password(shortest: usize) -> Refusal {
    refused(422, "weak_password", &format!("Password should be at least {shortest} characters."))
}

/// What is shown.
pub(super) fn shown(body: &Value) -> Response<Bytes> {
    reply(StatusCode::OK, body)
}

/// A browser is sent on.
pub(super) fn sent_to(place: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Writes an answer.
pub(super) fn written(answer: Answer) -> Response<Bytes> {
    let Refusal { status, code, sentence } = match answer {
        Ok(answer) => return answer,
        Err(refusal) => refusal,
    };
    // The gateway in front of the issuer has no word.
    if code.is_empty() {
        return reply(status, &json!({"message": sentence}));
    }
    let mut body = json!({"code": status.as_u16(), "error_code": code, "msg": sentence});
    if code == "weak_password" {
        body["weak_password"] = json!({"reasons": ["length"]});
    }
    reply(status, &body)
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
