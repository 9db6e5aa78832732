//! The REST API: form-encoded requests, JSON answers, Stripe's errors.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{State, StripeSandbox};
use shared::providers::stripe::API_VERSION;

/// How long a session stays open when nothing is said.
const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// A refusal, as Stripe words it.
struct Refusal {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        kind: "invalid_request_error",
        code: "parameter_invalid",
        message: message.into(),
    }
}

/// An object that a path names is not there: 404.
fn missing(kind: &str, id: &str) -> Refusal {
    let message = format!("No such {kind}: '{id}'");
    Refusal {
        status: StatusCode::NOT_FOUND,
        kind: "invalid_request_error",
        code: "resource_missing",
        message,
    }
}

/// An object that a parameter names is not there: 400.
fn missing_param(refusal: Refusal) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, ..refusal }
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
        let parameters = format!("{} {}", request.uri().path(), hex::encode(digest(&SHA256, request.body())));
        let kept = key.as_ref().and_then(|key| state.answered.get(key));
        if let Some(kept) = kept {
            if kept.parameters == parameters {
                let mut replayed = reply(kept.status, &kept.body);
                replayed.headers_mut().insert("idempotent-replayed", http::HeaderValue::from_static("true"));
                return replayed;
            }
            let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
            return reply(400, &json!({"error": {"type": "idempotency_error", "message": message}}));
        }
        match self.route(&mut state, request) {
            Ok(body) => {
                if let (Some(key), &Method::POST) = (key, request.method()) {
                    state
                        .answered
                        .insert(key, super::Answered { parameters, status: 200, body: body.clone() });
                }
                reply(200, &body)
            }
            Err(refusal) => {
                let error = json!({"type": refusal.kind, "code": refusal.code, "message": refusal.message});
                reply(refusal.status.as_u16(), &json!({ "error": error }))
            }
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
                found(state, "customer", &id)
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
            (&Method::POST, ["v1", "refunds"]) => self.create_refund(state, &form),
            (&Method::GET, ["v1", "checkout", "sessions"]) => list(state, "checkout.session", request),
            (&Method::GET, ["v1", "payment_intents"]) => list(state, "payment_intent", request),
            (&Method::GET, ["v1", "refunds"]) => list(state, "refund", request),
            (&Method::GET, ["v1", "disputes"]) => list(state, "dispute", request),
            (&Method::GET, ["v1", "customers"]) => list(state, "customer", request),
            (&Method::GET, ["v1", "checkout", "sessions", id]) => self.session(state, id),
            (
                &Method::GET,
                [
                    "v1",
                    kind @ ("customers" | "payment_intents" | "charges" | "refunds" | "disputes"
                    | "payment_methods"),
                    id,
                ],
            ) => found(state, kind.trim_end_matches('s'), id),
            _ => {
                let message = format!("Unrecognized request URL ({}: /{path}).", request.method());
                Err(Refusal {
                    status: StatusCode::NOT_FOUND,
                    kind: "invalid_request_error",
                    code: "url_invalid",
                    message,
                })
            }
        }
    }

    fn create_session(&self, state: &mut State, form: &Value) -> Result<Value, Refusal> {
        if form["mode"] != "payment" {
            return Err(invalid("Received unknown parameter: mode. This sandbox takes mode=payment."));
        }
        if let Some(customer) = form["customer"].as_str() {
            found(state, "customer", customer).map_err(missing_param)?;
        }
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

    fn create_intent(&self, state: &mut State, form: &Value) -> Result<Value, Refusal> {
        let amount = whole(&form["amount"])
            .filter(|amount| *amount > 0)
            .ok_or_else(|| invalid("Invalid positive integer"))?;
        let currency =
            form["currency"].as_str().ok_or_else(|| invalid("Missing required param: currency."))?;
        let id = self.put(
            state,
            "pi",
            json!({"object": "payment_intent", "status": "requires_confirmation", "amount": amount, "amount_received": 0,
                "currency": currency, "customer": form["customer"], "metadata": object(&form["metadata"]),
                "payment_method": form["payment_method"], "latest_charge": Value::Null, "setup_future_usage": Value::Null}),
        );
        if form["confirm"] == "true" {
            let method = form["payment_method"]
                .as_str()
                .ok_or_else(|| invalid("Missing required param: payment_method."))?;
            if method != "pm_card_visa" {
                found(state, "payment_method", method).map_err(missing_param)?;
            }
            self.succeed(state, &id);
            self.announce(state, "payment_intent.succeeded", &id);
        }
        found(state, "payment_intent", &id)
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
        let payment = found(state, "payment_intent", &intent).map_err(missing_param)?;
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
        let id = self.put(
            state,
            "re",
            json!({"object": "refund", "status": "succeeded", "amount": amount, "currency": payment["currency"],
                "charge": charge_id, "payment_intent": intent, "metadata": object(&form["metadata"]), "reason": form["reason"]}),
        );
        self.announce(state, "refund.created", &id);
        self.announce(state, "charge.refunded", &charge_id);
        found(state, "refund", &id)
    }
}

/// An object of one kind, as it is shown.
fn found(state: &State, kind: &str, id: &str) -> Result<Value, Refusal> {
    let found = state.objects.get(id).filter(|object| object["object"] == kind);
    found.map(shown).ok_or_else(|| missing(kind, id))
}

/// An object without what only the sandbox itself keeps in it.
pub(super) fn shown(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("payment_intent_data");
    }
    object
}

/// Newest first, filtered by whatever fields the query names, page by page.
fn list(state: &State, kind: &str, request: &Request<Bytes>) -> Result<Value, Refusal> {
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let limit: usize = query
        .get("limit")
        .map_or(Ok(10), |limit| limit.parse())
        .ok()
        .filter(|limit| (1..=100).contains(limit))
        .ok_or_else(|| invalid("Invalid integer: limit is 1 to 100"))?;
    let is_wanted = |object: &&Value| {
        let filters = query.iter().filter(|(name, _)| {
            !matches!(name.as_str(), "limit" | "starting_after") && !name.starts_with("expand")
        });
        object["object"] == kind && filters.into_iter().all(|(name, value)| object[name] == **value)
    };
    let newest = state.order.iter().rev().filter_map(|id| state.objects.get(id)).filter(is_wanted);
    let mut rest: Vec<&Value> = newest.collect();
    if let Some(after) = query.get("starting_after") {
        let position =
            rest.iter().position(|object| object["id"] == **after).ok_or_else(|| missing(kind, after))?;
        rest.drain(..=position);
    }
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    Ok(
        json!({"object": "list", "url": request.uri().path(), "has_more": has_more, "data": rest.into_iter().map(shown).collect::<Vec<_>>()}),
    )
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

/// `a[b][0]=c` as `{"a": {"b": {"0": "c"}}}`.
fn nested(body: &[u8]) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in url::form_urlencoded::parse(body) {
        let mut place = &mut root;
        for part in name.split(['[', ']']).filter(|part| !part.is_empty()) {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[part];
        }
        *place = Value::String(value.into_owned());
    }
    root
}

fn whole(value: &Value) -> Option<i64> {
    value.as_str()?.parse().ok()
}

fn object(value: &Value) -> Map<String, Value> {
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
