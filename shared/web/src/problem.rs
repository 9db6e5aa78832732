//! Errors as RFC 9457 problem details: a stable code, a sentence a person can act on, the request's id.

mod code;
mod errors;

use http::{Response, StatusCode, header};
use jiff::SignedDuration;
use lambda_http::Body;
use serde_json::{Value, json};

pub use self::code::Code;
pub use base::alarm::chain;

/// The most characters of a sentence that repeats what a client sent.
const LONGEST_REPEATED: usize = 300;

/// An error as a client sees it, and, for the log alone, why.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    repeats_input: bool,
    cause: Option<String>,
    more: Vec<(&'static str, Value)>,
    retry_after_secs: Option<u32>,
    allowed: Vec<String>,
    // In a box, or every result of a route were larger for the few that have one.
    cookie: Option<Box<header::HeaderValue>>,
}

impl Problem {
    /// A problem with its code's own sentence.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: code.parts().2.to_owned(),
            repeats_input: false,
            cause: None,
            more: Vec::new(),
            retry_after_secs: None,
            allowed: Vec::new(),
            cookie: None,
        }
    }

    /// The address takes these methods and no other (RFC 9110, 15.5.6). What takes GET takes HEAD.
    pub fn not_allowed(methods: &[&str]) -> Self {
        let head = methods.contains(&"GET").then_some("HEAD");
        let mut allowed: Vec<String> = methods.iter().copied().chain(head).map(str::to_owned).collect();
        allowed.sort_unstable();
        allowed.dedup();
        Self { allowed, ..Self::new(Code::MethodNotAllowed) }
    }

    /// The same with one more member (RFC 9457, 3.2), for programs. It is shown: it must hold nothing internal.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    /// It was done too often, and may be done again after `wait` (RFC 6585, section 4, with `Retry-After`).
    pub fn too_often(wait: SignedDuration) -> Self {
        let secs = u32::try_from(wait.as_secs().max(1)).unwrap_or(u32::MAX);
        Self { retry_after_secs: Some(secs), ..Self::new(Code::TooManyRequests) }
    }

    /// The same, which has the browser keep a cookie, or drop one; one that no header may have is left out.
    #[must_use]
    pub fn with_cookie(self, cookie: &str) -> Self {
        Self { cookie: header::HeaderValue::from_str(cookie).ok().map(Box::new), ..self }
    }

    /// The same with a more exact sentence. It is shown: it must hold nothing internal.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same with a sentence that repeats something the client sent, which may be a patient's number or a secret. The client
    /// gets the sentence, cut to 300 characters; the log gets the code's own.
    #[must_use]
    pub fn repeating(mut self, detail: &str) -> Self {
        self.detail = match detail.char_indices().nth(LONGEST_REPEATED) {
            Some((end, _)) => format!("{}…", detail.get(..end).unwrap_or_default()),
            None => detail.to_owned(),
        };
        self.repeats_input = true;
        self
    }

    /// The same, with why it happened, for the log: the error and the chain of its sources.
    #[must_use]
    pub fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        self.cause = Some(chain(error));
        self
    }

    /// Something of ours failed.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(Code::Internal).because(error)
    }

    /// The sentence for the log.
    fn logged(&self) -> &str {
        if self.repeats_input { self.code.parts().2 } else { &self.detail }
    }

    /// Logs the problem, once, and writes it as the answer.
    pub fn answer(self, request_id: &str) -> Response<Body> {
        let (code, status, _) = self.code.parts();
        let cause = self.cause.as_deref().unwrap_or("none");
        if status.is_server_error() {
            tracing::error!(code, request_id, cause, "{}", self.logged());
        } else {
            tracing::info!(code, request_id, cause, "{}", self.logged());
        }
        let mut body = json!({
            "type": format!("urn:voxanne:problem:{code}"),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": code,
            "detail": self.detail,
            "request_id": request_id,
        });
        for (name, value) in self.more {
            body[name] = value;
        }
        let mut response = respond(status, "application/problem+json", body.to_string());
        let headers = response.headers_mut();
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(secs));
        }
        if let Some(cookie) = self.cookie {
            headers.insert(header::SET_COOKIE, *cookie);
        }
        if let Some(challenge) = self.code.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
        }
        // A 405 has the header even where no method is known (RFC 9110, 10.2.1).
        if status == StatusCode::METHOD_NOT_ALLOWED
            && let Ok(allowed) = header::HeaderValue::from_str(&self.allowed.join(", "))
        {
            headers.insert(header::ALLOW, allowed);
        }
        response
    }
}

/// The wallet cannot pay: what is needed, what there is, and what is missing, in pence.
pub fn short_of(required: domain::amount::Amount, wallet: &domain::wallet::Wallet) -> Problem {
    let (required, current) = (required.pence(), wallet.available.pence());
    Problem::new(Code::InsufficientFunds)
        .with("required", required)
        .with("current", current)
        .with("shortfallPence", required.saturating_sub(current).max(0))
}

/// A JSON answer.
pub fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    respond(status, "application/json", body.to_string())
}

/// An answer. Nothing of ours is to be cached or guessed at.
pub fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
