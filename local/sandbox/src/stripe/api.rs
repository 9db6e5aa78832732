//! The REST API: form-encoded requests, JSON answers, Stripe's errors.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{
    Answered, State, StripeSandbox,
    customers::{check_customer, check_methods, delete_customer, detach_card},
    endpoints::{delete_endpoint, update_endpoint},
    given_back,
    listing::list,
};
use vendors::stripe::API_VERSION;

/// How long a session stays open when nothing is said.
const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(24);
/// How long an idempotency key is remembered; after that it is a new one.
const KEY_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// A refusal, as Stripe words it.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The parameter that is refused, where Stripe names it.
    pub(super) param: Option<&'static str>,
    pub(super) decline: Option<Box<Decline>>,
}

/// What a refusal says of a card that did not pay.
pub(super) struct Decline {
    pub(super) code: Option<&'static str>,
    pub(super) payment: Value,
}

impl Refusal {
    fn body(&self) -> Value {
        let mut error = json!({"type": self.kind, "message": self.message});
        if !self.code.is_empty() {
            error["code"] = json!(self.code);
        }
        if let Some(param) = self.param {
            error["param"] = json!(param);
        }
        if let Some(decline) = &self.decline {
            error["decline_code"] = json!(decline.code);
            error["payment_intent"] = decline.payment.clone();
        }
        json!({ "error": error })
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        kind: "invalid_request_error",
        code: "parameter_invalid",
        message: message.into(),
        param: None,
        decline: None,
    }
}

/// An object that a path names is not there: 404.
pub(super) fn missing(kind: &str, id: &str) -> Refusal {
    Refusal {
        status: StatusCode::NOT_FOUND,
        code: "resource_missing",
        ..invalid(format!("No such {kind}: '{id}'"))
    }
}

/// An object that a parameter names is not there: 400.
pub(super) fn missing_param(param: &'static str) -> impl FnOnce(Refusal) -> Refusal {
    move |refusal| Refusal { status: StatusCode::BAD_REQUEST, param: Some(param), ..refusal }
}

impl StripeSandbox {
    /// Answers a request of the REST API (`/v1/…`).
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut state = self.lock();
        if state.faults.rest_is_down {
            return reply(
                503,
                &json!({"error": {"type": "api_error", "message": "An unknown error occurred"}}),
            );
        }
        if key_of(request.headers()).as_deref() != Some(self.settings.api_key.as_str()) {
            return reply(
                401,
                &json!({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}),
            );
        }
        let key =
            request.headers().get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let parameters = parameters_of(request);
        let now = self.clock.now();
        let oldest = (now - KEY_LASTS).as_second();
        let kept = key.as_ref().and_then(|key| state.answered.get(key)).filter(|kept| kept.at > oldest);
        if let Some(kept) = kept {
            if kept.parameters == parameters {
                let mut replayed = reply(kept.status, &kept.body);
                replayed.headers_mut().insert("idempotent-replayed", http::HeaderValue::from_static("true"));
                return replayed;
            }
            let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
            return reply(400, &json!({"error": {"type": "idempotency_error", "message": message}}));
        }
        let (status, body) = match self.route(&mut state, request) {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (refusal.status, refusal.body()),
        };
        // Kept is what came of carrying it out: parameters that were not usable carry nothing out.
        let is_carried_out = matches!(status, StatusCode::OK | StatusCode::PAYMENT_REQUIRED);
        if let (Some(key), &Method::POST, true) = (key, request.method(), is_carried_out) {
            let answered =
                Answered { parameters, status: status.as_u16(), body: body.clone(), at: now.as_second() };
            state.answered.retain(|_, kept| kept.at > oldest);
            state.answered.insert(key, answered);
        }
        reply(status.as_u16(), &body)
    }

    /// Keeps an answer that was not of our making under the request's idempotency key: Stripe repeats what it first answered, a 500 too
    /// (docs.stripe.com, "Idempotent requests").
    pub fn keep_answer(&self, request: &Request<Bytes>, answer: &Response<Bytes>) {
        let key = request.headers().get("idempotency-key").and_then(|value| value.to_str().ok());
        if let (Some(key), &Method::POST) = (key, request.method()) {
            let body = serde_json::from_slice(answer.body()).unwrap_or_default();
            let (parameters, at) = (parameters_of(request), self.clock.now().as_second());
            let answered = Answered { parameters, status: answer.status().as_u16(), body, at };
            self.lock().answered.insert(key.to_owned(), answered);
        }
    }

    fn route(&self, state: &mut State, request: &Request<Bytes>) -> Result<Value, Refusal> {
        let form = nested(request.body());
        let path = request.uri().path().trim_matches('/').to_owned();
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::POST, ["v1", "customers"]) => {
                let customer = json!({"object": "customer", "metadata": object(&form["metadata"]),
                    "description": form["description"], "email": form["email"], "name": form["name"]});
                let id = self.put(state, "cus", customer);
                let made = found(state, "customer", &id);
                if state.faults.customers_vanish {
                    state.objects.remove(&id);
                }
                made
            }
            (&Method::DELETE, ["v1", "customers", id]) => delete_customer(state, id),
            (&Method::POST, ["v1", "payment_methods", id, "detach"]) => detach_card(state, id),
            (&Method::GET, ["v1", "radar", "early_fraud_warnings"]) => {
                list(state, "radar.early_fraud_warning", request)
            }
            (&Method::POST, ["v1", "checkout", "sessions"]) => self.create_session(state, &form),
            (&Method::POST, ["v1", "checkout", "sessions", id, "expire"]) => {
                let session = state.objects.get_mut(*id).ok_or_else(|| missing("checkout.session", id))?;
                if session["status"] != "open" {
                    return Err(invalid(
                        "Only Checkout Sessions with a status in [\"open\"] can be expired.",
                    ));
                }
                session["status"] = json!("expired");
                session["url"] = Value::Null;
                Ok(session.clone())
            }
            (&Method::POST, ["v1", "payment_intents"]) => self.create_intent(state, &form),
            (&Method::POST, ["v1", "payment_intents", id, "cancel"]) => self.cancel_intent(state, id),
            (&Method::POST, ["v1", "refunds"]) => self.create_refund(state, &form),
            (&Method::POST, ["v1", "webhook_endpoints"]) => self.create_endpoint(state, &form),
            (&Method::POST, ["v1", "webhook_endpoints", id]) => update_endpoint(state, id, &form),
            (&Method::DELETE, ["v1", "webhook_endpoints", id]) => delete_endpoint(state, id),
            (&Method::GET, ["v1", "webhook_endpoints"]) => list(state, "webhook_endpoint", request),
            (&Method::GET, ["v1", "events"]) => self.list_events(state, request),
            (&Method::GET, ["v1", "events", id]) => {
                let event = state.events.iter().rev().find(|event| event["id"] == **id);
                event.cloned().ok_or_else(|| missing("event", id))
            }
            (&Method::GET, ["v1", "checkout", "sessions"]) => list(state, "checkout.session", request),
            (&Method::GET, ["v1", "payment_intents"]) => list(state, "payment_intent", request),
            (&Method::GET, ["v1", "refunds"]) if state.hides_refunds() => {
                Ok(json!({"object": "list", "has_more": false, "data": []}))
            }
            (&Method::GET, ["v1", "refunds"]) => list(state, "refund", request),
            (&Method::GET, ["v1", "disputes"]) => list(state, "dispute", request),
            (&Method::GET, ["v1", "customers"]) => list(state, "customer", request),
            (&Method::GET, ["v1", "checkout", "sessions", id]) => self.session(state, id),
            (
                &Method::GET,
                [
                    "v1",
                    kind @ ("customers" | "payment_intents" | "charges" | "refunds" | "disputes"
                    | "payment_methods" | "webhook_endpoints"),
                    id,
                ],
            ) => found(state, kind.trim_end_matches('s'), id),
            _ => {
                let message = format!("Unrecognized request URL ({}: /{path}).", request.method());
                Err(Refusal { status: StatusCode::NOT_FOUND, code: "url_invalid", ..invalid(message) })
            }
        }
    }

    fn create_session(&self, state: &mut State, form: &Value) -> Result<Value, Refusal> {
        if form["mode"] != "payment" {
            return Err(invalid("Received unknown parameter: mode. This sandbox takes mode=payment."));
        }
        check_customer(state, &form["customer"])?;
        let methods = check_methods(form)?;
        let success_url =
            form["success_url"].as_str().ok_or_else(|| invalid("Missing required param: success_url."))?;
        let items =
            form["line_items"].as_object().ok_or_else(|| invalid("Missing required param: line_items."))?;
        let mut total = 0_i64;
        let mut currency = Value::Null;
        for item in items.values() {
            let price = &item["price_data"];
            let unit = whole(&price["unit_amount"]).ok_or_else(|| invalid("Invalid integer: unit_amount"))?;
            let quantity = whole(&item["quantity"]).unwrap_or(1);
            total = total.saturating_add(unit.saturating_mul(quantity));
            currency = price["currency"].clone();
        }
        if total < 30 {
            return Err(invalid("The Checkout Session's total amount due must add up to at least £0.30 gbp"));
        }
        let default = (self.clock.now() + SESSION_LASTS).as_second();
        let expires_at = whole(&form["expires_at"]).unwrap_or(default);
        if !currency.is_string() {
            return Err(invalid("Missing required param: line_items[0][price_data][currency]."));
        }
        let id = self.put(
            state,
            "cs_test",
            json!({"object": "checkout.session", "mode": "payment", "status": "open", "payment_status": "unpaid",
                "amount_total": total, "amount_subtotal": total, "currency": currency, "customer": form["customer"],
                "client_reference_id": form["client_reference_id"], "metadata": object(&form["metadata"]),
                "payment_intent": Value::Null, "payment_intent_data": form["payment_intent_data"],
                "payment_method_types": methods, "invoice": Value::Null,
                "invoice_creation": {"enabled": form["invoice_creation"]["enabled"] == "true"},
                "success_url": success_url, "cancel_url": form["cancel_url"], "expires_at": expires_at}),
        );
        if let Some(session) = state.objects.get_mut(&id) {
            session["url"] = json!(format!("{}/_sandbox/stripe/pay/{id}", self.settings.page_base));
        }
        found(state, "checkout.session", &id)
    }

    fn session(&self, state: &mut State, id: &str) -> Result<Value, Refusal> {
        let now = self.clock.now().as_second();
        let session = state.objects.get_mut(id).ok_or_else(|| missing("checkout.session", id))?;
        if session["status"] == "open" && session["expires_at"].as_i64().is_some_and(|at| at <= now) {
            session["status"] = json!("expired");
            session["url"] = Value::Null;
        }
        Ok(session.clone())
    }

    fn create_refund(&self, state: &mut State, form: &Value) -> Result<Value, Refusal> {
        let by_charge =
            form["charge"].as_str().and_then(|charge| state.objects.get(charge)?["payment_intent"].as_str());
        let intent = form["payment_intent"]
            .as_str()
            .or(by_charge)
            .ok_or_else(|| {
                invalid("One of the following params should be provided: payment_intent or charge.")
            })?
            .to_owned();
        let payment = found(state, "payment_intent", &intent).map_err(missing_param("payment_intent"))?;
        let charge_id = payment["latest_charge"].as_str().unwrap_or_default().to_owned();
        let charge = state
            .objects
            .get_mut(&charge_id)
            .ok_or_else(|| invalid("This PaymentIntent does not have a successful charge to refund."))?;
        let refunded = charge["amount_refunded"].as_i64().unwrap_or_default();
        let left = charge["amount"].as_i64().unwrap_or_default().saturating_sub(refunded);
        if left == 0 {
            return Err(Refusal {
                code: "charge_already_refunded",
                ..invalid(format!("Charge {charge_id} has already been refunded."))
            });
        }
        let asked = &form["amount"];
        let amount = if asked.is_null() { Some(left) } else { whole(asked) };
        let amount = amount.ok_or_else(|| invalid("Invalid integer: amount"))?;
        if amount <= 0 || amount > left {
            return Err(invalid(format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            )));
        }
        charge["amount_refunded"] = json!(refunded.saturating_add(amount));
        charge["refunded"] = json!(amount == left);
        let status = if state.faults.refunds_are_pending { "pending" } else { "succeeded" };
        let id = self.put(
            state,
            "re",
            json!({"object": "refund", "status": status, "amount": amount, "currency": payment["currency"],
                "charge": charge_id, "payment_intent": intent, "metadata": object(&form["metadata"]), "reason": form["reason"]}),
        );
        self.announce(state, "refund.created", &id);
        self.announce(state, "charge.refunded", &charge_id);
        found(state, "refund", &id)
    }
}

/// An object of one kind, as it is shown.
pub(super) fn found(state: &State, kind: &str, id: &str) -> Result<Value, Refusal> {
    let found = state.objects.get(id).filter(|object| object["object"] == kind);
    found.map(shown).ok_or_else(|| missing(kind, id))
}

/// An object without what only the sandbox itself keeps in it.
pub(super) fn shown(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("payment_intent_data");
        // An endpoint's: told once, when it is made.
        fields.remove("secret");
    }
    object
}

impl State {
    /// Whether no refund is listed, by a fault, because a dispute gave money back.
    fn hides_refunds(&self) -> bool {
        let has_given_back = |object: &Value| object["object"] == "dispute" && given_back(object) > 0;
        self.faults.hides_refunds_of_reinstated && self.objects.values().any(has_given_back)
    }
}

/// What an idempotency key was used for.
fn parameters_of(request: &Request<Bytes>) -> String {
    format!("{} {}", request.uri().path(), hex::encode(digest(&SHA256, request.body())))
}

/// Bearer, or the user of basic credentials.
fn key_of(headers: &HeaderMap) -> Option<String> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    if let Some(key) = value.strip_prefix("Bearer ") {
        return Some(key.to_owned());
    }
    let plain = String::from_utf8(STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()?;
    Some(plain.trim_end_matches(':').to_owned())
}

/// `a[b][0]=c` as `{"a": {"b": {"0": "c"}}}`, and `a[]=b&a[]=c` as `{"a": ["b", "c"]}`.
fn nested(body: &[u8]) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in url::form_urlencoded::parse(body) {
        let (name, is_item) = name.strip_suffix("[]").map_or((&*name, false), |name| (name, true));
        let mut place = &mut root;
        for part in name.split(['[', ']']).filter(|part| !part.is_empty()) {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[part];
        }
        let value = Value::String(value.into_owned());
        match place.as_array_mut() {
            Some(items) if is_item => items.push(value),
            Some(_) | None => *place = if is_item { Value::Array(vec![value]) } else { value },
        }
    }
    root
}

pub(super) fn whole(value: &Value) -> Option<i64> {
    value.as_str()?.parse().ok()
}

pub(super) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert("stripe-version", http::HeaderValue::from_static(API_VERSION));
    response
}
