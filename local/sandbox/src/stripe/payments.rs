//! Payments: by a session or by a saved card, each card with its own temper.

use http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    State, StripeSandbox, Task,
    api::{Decline, Refusal, found, invalid, missing, missing_param, object, whole},
    customers::{check_customer, check_methods},
};

/// How long a charge is on its way, where it does not succeed at once.
const CLEARS_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How a card behaves when it is charged while its owner is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// It pays.
    Good,
    /// There is not enough on it.
    Declined,
    /// The bank wants to see the customer, and declines until it has.
    NeedsAuthentication,
    /// The payment waits until the customer has proved that the card is theirs.
    RequiresAction,
    /// It pays a minute later.
    Processing,
}

/// Why a card pays nothing, in Stripe's words.
struct Failure {
    kind: &'static str,
    code: &'static str,
    decline_code: Option<&'static str>,
    message: &'static str,
}

const INSUFFICIENT_FUNDS: Failure = Failure {
    kind: "card_error",
    code: "card_declined",
    decline_code: Some("insufficient_funds"),
    message: "Your card has insufficient funds.",
};
const AUTHENTICATION_REQUIRED: Failure = Failure {
    kind: "card_error",
    code: "authentication_required",
    decline_code: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};
const AUTHENTICATION_FAILED: Failure = Failure {
    kind: "invalid_request_error",
    code: "payment_intent_authentication_failure",
    decline_code: None,
    message: "The provided PaymentMethod has failed authentication.",
};

impl StripeSandbox {
    /// Has a card behave like this from now on, whether or not a customer has saved it.
    pub fn set_card(&self, payment_method: &str, card: Card) {
        self.lock().cards.insert(payment_method.to_owned(), card);
    }

    /// One saved card turns out to be the same as another, saved before.
    pub fn make_same_card(&self, before: &str, now: &str) {
        let mut state = self.lock();
        let number = state.objects.get(before).map(|card| card["card"]["fingerprint"].clone());
        if let (Some(number), Some(card)) = (number, state.objects.get_mut(now)) {
            card["card"]["fingerprint"] = number;
        }
    }

    /// The customer proves to the bank that the card is theirs, or fails to.
    ///
    /// # Errors
    /// When there is no such payment, or it waits for nothing.
    pub fn authenticate(&self, intent: &str, succeeds: bool) -> Result<(), String> {
        let mut state = self.lock();
        let payment = state.objects.get(intent).filter(|found| found["object"] == "payment_intent");
        let status = &payment.ok_or("There is no such payment.")?["status"];
        if status != "requires_action" {
            return Err("This payment waits for nothing.".into());
        }
        if succeeds {
            self.receive(&mut state, intent);
        } else {
            self.fail(&mut state, intent, &AUTHENTICATION_FAILED);
        }
        Ok(())
    }

    pub(super) fn create_intent(&self, state: &mut State, form: &Value) -> Result<Value, Refusal> {
        let amount = whole(&form["amount"])
            .filter(|amount| *amount > 0)
            .ok_or_else(|| invalid("Invalid positive integer"))?;
        let currency =
            form["currency"].as_str().ok_or_else(|| invalid("Missing required param: currency."))?;
        check_customer(state, &form["customer"])?;
        let methods = check_methods(form)?;
        let is_confirmed = form["confirm"] == "true";
        let is_off_session = form["off_session"] == "true";
        if is_off_session && !is_confirmed {
            return Err(invalid("The parameter `off_session` can only be passed with `confirm=true`."));
        }
        // Before anything is made: what is not usable leaves nothing behind.
        let card = if is_confirmed { Some(card_of(state, form)?) } else { None };
        let status = if form["payment_method"].is_null() {
            "requires_payment_method"
        } else {
            "requires_confirmation"
        };
        let id = self.put(
            state,
            "pi",
            json!({"object": "payment_intent", "status": status, "amount": amount, "amount_received": 0,
                "currency": currency, "customer": form["customer"], "metadata": object(&form["metadata"]),
                "payment_method": form["payment_method"], "latest_charge": Value::Null,
                "payment_method_types": methods,
                "setup_future_usage": form["setup_future_usage"], "next_action": Value::Null,
                "last_payment_error": Value::Null}),
        );
        match card {
            None => {}
            // The bank asks for what the customer can give, when the customer is there.
            Some(Card::NeedsAuthentication) if !is_off_session => self.ask_customer(state, &id, form),
            Some(Card::RequiresAction) => self.ask_customer(state, &id, form),
            Some(Card::Good) => self.receive(state, &id),
            Some(Card::Declined) => return Err(self.decline(state, &id, &INSUFFICIENT_FUNDS)),
            Some(Card::NeedsAuthentication) => {
                return Err(self.decline(state, &id, &AUTHENTICATION_REQUIRED));
            }
            Some(Card::Processing) => {
                set(state, &id, "status", json!("processing"));
                self.announce(state, "payment_intent.processing", &id);
                let at = self.clock.now() + CLEARS_AFTER;
                state.agenda.enter(at, Task::Clear { intent: id.clone() });
            }
        }
        found(state, "payment_intent", &id)
    }

    /// A payment that cannot be paid any more, nor is paid already.
    pub(super) fn cancel_intent(&self, state: &mut State, id: &str) -> Result<Value, Refusal> {
        let payment = found(state, "payment_intent", id)?;
        let status = payment["status"].as_str().unwrap_or_default();
        if matches!(status, "succeeded" | "processing" | "canceled") {
            let message =
                format!("You cannot cancel this PaymentIntent because it has a status of {status}.");
            return Err(Refusal { code: "payment_intent_unexpected_state", ..invalid(message) });
        }
        set(state, id, "status", json!("canceled"));
        set(state, id, "canceled_at", json!(self.clock.now().as_second()));
        set(state, id, "next_action", Value::Null);
        self.announce(state, "payment_intent.canceled", id);
        found(state, "payment_intent", id)
    }

    /// A charge that was on its way arrives.
    pub(super) fn clear(&self, state: &mut State, intent: &str) {
        if state.objects.get(intent).is_some_and(|payment| payment["status"] == "processing") {
            self.receive(state, intent);
        }
    }

    pub(super) fn make_intent(&self, state: &mut State, session: &str, status: &str) -> String {
        let session = state.objects.get(session).cloned().unwrap_or_default();
        let given = &session["payment_intent_data"];
        let intent = json!({"object": "payment_intent", "status": status, "amount": session["amount_total"],
            "amount_received": 0, "currency": session["currency"], "customer": session["customer"],
            "metadata": given["metadata"].as_object().cloned().unwrap_or_default(),
            "setup_future_usage": given["setup_future_usage"], "payment_method": Value::Null,
            "latest_charge": Value::Null, "next_action": Value::Null, "last_payment_error": Value::Null});
        self.put(state, "pi", intent)
    }

    /// Money is received for a payment.
    pub(super) fn succeed(&self, state: &mut State, intent: &str) {
        let payment = state.objects.get(intent).cloned().unwrap_or_default();
        let method = match payment["payment_method"].as_str() {
            Some(method) => method.to_owned(),
            None => self.put(
                state,
                "pm",
                json!({"object": "payment_method", "type": "card", "customer": payment["customer"],
                    "card": {"brand": "visa", "last4": "4242", "fingerprint": self.id("card")}}),
            ),
        };
        let charge = self.put(
            state,
            "ch",
            json!({"object": "charge", "status": "succeeded", "paid": true, "amount": payment["amount"],
                "amount_refunded": 0, "refunded": false, "currency": payment["currency"],
                "customer": payment["customer"], "payment_intent": intent}),
        );
        if let Some(payment) = state.objects.get_mut(intent) {
            payment["status"] = json!("succeeded");
            payment["amount_received"] = payment["amount"].clone();
            payment["payment_method"] = json!(method);
            payment["latest_charge"] = json!(charge);
            payment["next_action"] = Value::Null;
        }
    }

    /// Money is received for a payment of its own, and the event says so.
    fn receive(&self, state: &mut State, intent: &str) {
        self.succeed(state, intent);
        self.announce(state, "payment_intent.succeeded", intent);
    }

    fn ask_customer(&self, state: &mut State, intent: &str, form: &Value) {
        let url = format!("{}/_sandbox/stripe/authenticate/{intent}", self.settings.page_base);
        let action = json!({"type": "redirect_to_url",
            "redirect_to_url": {"url": url, "return_url": form["return_url"]}});
        set(state, intent, "status", json!("requires_action"));
        set(state, intent, "next_action", action);
        self.announce(state, "payment_intent.requires_action", intent);
    }

    fn decline(&self, state: &mut State, intent: &str, failure: &Failure) -> Refusal {
        self.fail(state, intent, failure);
        let payment = state.objects.get(intent).cloned().unwrap_or_default();
        Refusal {
            status: StatusCode::PAYMENT_REQUIRED,
            kind: failure.kind,
            code: failure.code,
            message: failure.message.to_owned(),
            param: None,
            decline: Some(Box::new(Decline { code: failure.decline_code, payment })),
        }
    }

    fn fail(&self, state: &mut State, intent: &str, failure: &Failure) {
        if let Some(payment) = state.objects.get_mut(intent) {
            let method = payment["payment_method"].take();
            payment["status"] = json!("requires_payment_method");
            payment["next_action"] = Value::Null;
            payment["last_payment_error"] = json!({"type": failure.kind, "code": failure.code,
                "decline_code": failure.decline_code, "message": failure.message,
                "payment_method": {"id": method, "object": "payment_method"}});
        }
        self.announce(state, "payment_intent.payment_failed", intent);
    }
}

/// How the card that a request names behaves.
fn card_of(state: &State, form: &Value) -> Result<Card, Refusal> {
    let method =
        form["payment_method"].as_str().ok_or_else(|| invalid("Missing required param: payment_method."))?;
    let saved = state.objects.get(method).filter(|object| object["object"] == "payment_method");
    if saved.is_some_and(|saved| saved["detached"] == true) {
        // Stripe gives this one neither a code nor a parameter.
        let message = "The provided PaymentMethod was previously used and was detached from a Customer. It may not be used again.";
        return Err(Refusal { code: "", ..invalid(message) });
    }
    if saved.is_some_and(|saved| saved["customer"].is_string() && saved["customer"] != form["customer"]) {
        return Err(invalid("The provided PaymentMethod belongs to another Customer."));
    }
    let of_its_name = match method {
        "pm_card_visa" => Some(Card::Good),
        "pm_card_chargeDeclined" | "pm_card_visa_chargeDeclined" => Some(Card::Declined),
        "pm_card_authenticationRequired" => Some(Card::NeedsAuthentication),
        _ => saved.map(|_| Card::Good),
    };
    let card = state.cards.get(method).copied().or(of_its_name);
    card.ok_or_else(|| missing_param("payment_method")(missing("PaymentMethod", method)))
}

fn set(state: &mut State, id: &str, field: &str, value: Value) {
    if let Some(object) = state.objects.get_mut(id) {
        object[field] = value;
    }
}
