//! Faults on request: what goes wrong at a vendor, at which operation, how often. Also notes what was asked.

mod operation;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base::clock::Clock;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vendors::http::{HttpError, Patience};

use crate::mail::refuse;
pub use operation::{OPERATIONS, operation};

/// The operation of a rule that fits any.
const ANY: &str = "*";
/// How long a slow vendor takes.
const SLOW: SignedDuration = SignedDuration::from_secs(3);
/// How long a client waits for a vendor that does not answer (`platform`'s client for the network), unless its request says less.
const GIVEN_UP: SignedDuration = SignedDuration::from_secs(5);

/// How it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The vendor answers 500 and has done nothing.
    Error,
    /// No answer comes, and the vendor has done nothing.
    TimeoutBefore,
    /// No answer comes, although the vendor has done it.
    TimeoutAfter,
    /// The answer takes three seconds: more than some clients wait.
    Slow,
    /// No answer comes until the client gives up, after five seconds or what its request says; nothing was done.
    Hang,
    /// The same, although the vendor has done it at once.
    HangAfter,
    /// The vendor answers 400 and has done nothing.
    Refuse,
    /// The vendor answers 429, too many requests, and has done nothing.
    TooMany,
    /// The vendor answers 500, has done nothing, and answers the same again under the request's idempotency key.
    ErrorKept,
    /// The vendor answers 500, although it has done it, and answers the same again under the request's idempotency key.
    ErrorAfterKept,
}

/// A rule: so many requests of this kind go wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `twilio`, `vapi`, `stripe`, `google`, `ses` or `supabase`.
    pub vendor: String,
    /// One of the vendor's [`OPERATIONS`], or `*` for any.
    pub operation: String,
    /// How it goes wrong.
    pub mode: Mode,
    /// How many requests; one when nothing is said.
    #[serde(default = "once")]
    pub times: u32,
    /// How many requests of this kind go well before; none when nothing is said.
    #[serde(default)]
    pub after: u32,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// Checks that there is such a vendor, and such an operation of it.
    ///
    /// # Errors
    /// A sentence that lists what there is.
    pub fn check(&self) -> Result<(), String> {
        let Some((_, known)) = OPERATIONS.iter().find(|(vendor, _)| *vendor == self.vendor) else {
            let vendors: Vec<&str> = OPERATIONS.iter().map(|(vendor, _)| *vendor).collect();
            return Err(format!("There is no vendor {:?}; there are: {}.", self.vendor, vendors.join(", ")));
        };
        if self.operation == ANY || known.contains(&self.operation.as_str()) {
            return Ok(());
        }
        Err(format!(
            "{} has no operation {:?}; it has: {}, and {ANY} for any.",
            self.vendor,
            self.operation,
            known.join(", ")
        ))
    }
}

/// Decides by vendor and operation how a request goes wrong, if it does.
pub type Plan = dyn FnMut(&str, &str) -> Option<Mode> + Send;

/// The rules that are set, and what was asked so far.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Book>);

#[derive(Default)]
struct Book {
    rules: Vec<Fault>,
    plan: Option<Box<Plan>>,
    log: Vec<(String, String)>,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets one more rule, after those that are set.
    pub fn add(&self, fault: Fault) {
        if fault.times > 0 {
            self.lock().rules.push(fault);
        }
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Asks `plan` about each request from now on, before the rules. The requests are no longer noted.
    pub fn set_plan(&self, plan: impl FnMut(&str, &str) -> Option<Mode> + Send + 'static) {
        self.lock().plan = Some(Box::new(plan));
    }

    /// The rules that are set, with the times they have left.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().rules.clone()
    }

    /// Notes a request, and returns how it goes wrong, if it does: by the first rule that fits, which then has
    /// one time less and is gone when it has none left.
    pub fn take(&self, vendor: &str, operation: &str) -> Option<Mode> {
        let mut book = self.lock();
        match &mut book.plan {
            Some(plan) => {
                if let Some(mode) = plan(vendor, operation) {
                    return Some(mode);
                }
            }
            None => book.log.push((vendor.to_owned(), operation.to_owned())),
        }
        let fits =
            |rule: &Fault| rule.vendor == vendor && (rule.operation == ANY || rule.operation == operation);
        let at = book.rules.iter().position(fits)?;
        let rule = book.rules.get_mut(at)?;
        if rule.after > 0 {
            rule.after = rule.after.saturating_sub(1);
            return None;
        }
        let mode = rule.mode;
        rule.times = rule.times.saturating_sub(1);
        if rule.times == 0 {
            book.rules.remove(at);
        }
        Some(mode)
    }

    /// Vendor and operation of every request so far, in order.
    pub fn log(&self) -> Vec<(String, String)> {
        self.lock().log.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_log(&self) {
        self.lock().log.clear();
    }
}

/// Carries a request out with `act`, unless a rule says that it goes wrong. `keep` keeps an answer under the request's idempotency key,
/// where the vendor has such.
///
/// # Errors
/// When a rule says that no answer comes.
pub async fn through(
    faults: &Faults,
    clock: &Arc<dyn Clock>,
    vendor: &str,
    request: &Request<Bytes>,
    act: impl FnOnce() -> Response<Bytes> + Send,
    keep: impl FnOnce(&Response<Bytes>) + Send,
) -> Result<Response<Bytes>, HttpError> {
    let operation = operation(vendor, request);
    let patience = request.extensions().get().and_then(|Patience(patience)| (*patience).try_into().ok());
    let given_up = patience.unwrap_or(GIVEN_UP);
    let mode = faults.take(vendor, operation);
    match mode {
        None => Ok(act()),
        Some(Mode::Error) => Ok(trouble(vendor)),
        Some(Mode::Refuse) => Ok(refusal(vendor, operation)),
        Some(Mode::TooMany) => Ok(too_many(vendor)),
        Some(mode @ (Mode::ErrorKept | Mode::ErrorAfterKept)) => {
            if mode == Mode::ErrorAfterKept {
                drop(act());
            }
            let answer = trouble(vendor);
            keep(&answer);
            Ok(answer)
        }
        Some(Mode::TimeoutBefore) => Err(HttpError::TimedOut),
        Some(Mode::TimeoutAfter) => {
            drop(act());
            Err(HttpError::TimedOut)
        }
        Some(Mode::Slow) => {
            clock.sleep(SLOW.min(given_up)).await;
            let answer = act();
            if given_up < SLOW { Err(HttpError::TimedOut) } else { Ok(answer) }
        }
        Some(Mode::Hang) => {
            clock.sleep(given_up).await;
            Err(HttpError::TimedOut)
        }
        Some(Mode::HangAfter) => {
            drop(act());
            clock.sleep(given_up).await;
            Err(HttpError::TimedOut)
        }
    }
}

/// The vendor's own trouble, in its own shape.
fn trouble(vendor: &str) -> Response<Bytes> {
    let message = "A fault that was asked for.";
    if vendor == "ses" {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceErrorException", message);
    }
    let body = match vendor {
        "twilio" => twilio(StatusCode::INTERNAL_SERVER_ERROR, 20_500, message),
        "stripe" => json!({"error": {"type": "api_error", "message": message}}),
        "supabase" => supabase(StatusCode::INTERNAL_SERVER_ERROR, "unexpected_failure", message),
        "google" => google(StatusCode::INTERNAL_SERVER_ERROR, "backendError", message),
        _ => vapi(StatusCode::INTERNAL_SERVER_ERROR, message),
    };
    answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

/// Too many requests, in the vendor's own shape.
fn too_many(vendor: &str) -> Response<Bytes> {
    let message = "A refusal for too many requests that was asked for.";
    if vendor == "ses" {
        return refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message);
    }
    let body = match vendor {
        "twilio" => twilio(StatusCode::TOO_MANY_REQUESTS, 20_429, message),
        "stripe" => {
            json!({"error": {"type": "invalid_request_error", "code": "rate_limit", "message": message}})
        }
        "supabase" => supabase(StatusCode::TOO_MANY_REQUESTS, "over_email_send_rate_limit", message),
        "google" => google(StatusCode::TOO_MANY_REQUESTS, "rateLimitExceeded", message),
        _ => vapi(StatusCode::TOO_MANY_REQUESTS, message),
    };
    answer(StatusCode::TOO_MANY_REQUESTS, &body)
}

/// A refusal, in the vendor's own shape.
fn refusal(vendor: &str, operation: &str) -> Response<Bytes> {
    let message = "A refusal that was asked for.";
    if vendor == "ses" {
        return refuse(StatusCode::BAD_REQUEST, "MessageRejected", message);
    }
    let kind = "invalid_request_error";
    let body = match (vendor, operation) {
        ("twilio", "buy") => twilio(StatusCode::BAD_REQUEST, 21_422, message),
        ("twilio", _) => twilio(StatusCode::BAD_REQUEST, 20_001, message),
        ("supabase", _) => supabase(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", message),
        ("google", "token") => json!({"error": "invalid_grant", "error_description": message}),
        ("google", _) => google(StatusCode::BAD_REQUEST, "invalid", message),
        ("stripe", _) => json!({"error": {"type": kind, "code": "parameter_invalid", "message": message}}),
        _ => vapi(StatusCode::BAD_REQUEST, message),
    };
    let is_supabase = vendor == "supabase";
    answer(if is_supabase { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST }, &body)
}

fn supabase(status: StatusCode, code: &str, message: &str) -> Value {
    json!({"code": status.as_u16(), "error_code": code, "msg": message})
}

fn twilio(status: StatusCode, code: u32, message: &str) -> Value {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    json!({"code": code, "message": message, "more_info": more_info, "status": status.as_u16()})
}

fn google(status: StatusCode, reason: &str, message: &str) -> Value {
    json!({"error": {"errors": [{"domain": "global", "reason": reason, "message": message}], "code": status.as_u16(),
        "message": message}})
}

fn vapi(status: StatusCode, message: &str) -> Value {
    json!({"message": message, "error": status.canonical_reason(), "statusCode": status.as_u16()})
}

fn answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(operation: &str, mode: Mode, times: u32) -> Fault {
        Fault { vendor: "twilio".into(), operation: operation.into(), mode, times, after: 0 }
    }

    #[test]
    fn a_rule_holds_for_its_times_and_the_first_that_fits_wins() {
        let faults = Faults::default();
        faults.add(fault("buy", Mode::Error, 2));
        faults.add(fault("*", Mode::Slow, 1));
        assert_eq!(faults.take("vapi", "buy"), None);
        let taken: Vec<Option<Mode>> = (0..4).map(|_| faults.take("twilio", "buy")).collect();
        assert_eq!(taken, [Some(Mode::Error), Some(Mode::Error), Some(Mode::Slow), None]);
        assert!(faults.list().is_empty());
        assert_eq!(faults.log().len(), 5);
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        assert_eq!(fault("*", Mode::Slow, 1).check(), Ok(()));
        assert!(fault("sell", Mode::Slow, 1).check().unwrap_err().contains("release"));
        let unknown = Fault { vendor: "acme".into(), ..fault("*", Mode::Slow, 1) };
        assert!(unknown.check().unwrap_err().contains("vapi"));
    }
}
