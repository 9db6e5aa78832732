//! Customers, who may be deleted, their saved cards, and the ways to pay that a request names.

use serde_json::{Value, json};

use super::{
    State,
    api::{Refusal, found, invalid, missing, missing_param},
};

/// The customer that a parameter names, who must be there and not deleted.
pub(super) fn check_customer(state: &State, customer: &Value) -> Result<(), Refusal> {
    let Some(id) = customer.as_str() else { return Ok(()) };
    let found = found(state, "customer", id).map_err(missing_param("customer"))?;
    if found["deleted"] == true { Err(missing_param("customer")(missing("customer", id))) } else { Ok(()) }
}

/// The ways to pay that a form names. Without any Stripe offers whatever the account has switched on.
pub(super) fn check_methods(form: &Value) -> Result<Value, Refusal> {
    const KNOWN: [&str; 5] = ["card", "link", "bacs_debit", "klarna", "paypal"];
    let named = match &form["payment_method_types"] {
        Value::Null => return Ok(Value::Null),
        Value::Array(named) => named.clone(),
        Value::Object(named) => named.values().cloned().collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(Refusal { param: Some("payment_method_types"), ..invalid("Invalid array") });
        }
    };
    let is_known = |name: &Value| name.as_str().is_some_and(|name| KNOWN.contains(&name));
    if named.iter().all(is_known) {
        Ok(Value::Array(named))
    } else {
        let param = Some("payment_method_types");
        Err(Refusal { param, ..invalid("Invalid payment_method_types: must be one of those enabled.") })
    }
}

/// A customer who is deleted takes no more payments, and loses the saved cards; what was paid stays.
pub(super) fn delete_customer(state: &mut State, id: &str) -> Result<Value, Refusal> {
    found(state, "customer", id)?;
    let is_its = |object: &&Value| object["object"] == "payment_method" && object["customer"] == id;
    let cards: Vec<String> = state
        .objects
        .values()
        .filter(is_its)
        .filter_map(|card| Some(card["id"].as_str()?.to_owned()))
        .collect();
    for card in cards {
        detach(state, &card);
    }
    let deleted = json!({"id": id, "object": "customer", "deleted": true});
    state.objects.insert(id.to_owned(), deleted.clone());
    Ok(deleted)
}

/// A saved card is taken from its customer.
pub(super) fn detach_card(state: &mut State, id: &str) -> Result<Value, Refusal> {
    if found(state, "payment_method", id)?["customer"].is_string() {
        detach(state, id);
        return found(state, "payment_method", id);
    }
    let message =
        "The payment method you provided is not attached to a customer so detachment is impossible.";
    Err(invalid(message))
}

/// A card that is detached is nobody's, and is not charged again.
fn detach(state: &mut State, card: &str) {
    if let Some(card) = state.objects.get_mut(card) {
        card["customer"] = Value::Null;
        card["detached"] = json!(true);
    }
}
