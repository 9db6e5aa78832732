//! What Stripe holds of a payment, by its own objects: what the wallet must have of it in the end, in whatever order refunds, disputes
//! and what came back of them were heard of.

use sandbox::stripe::StripeSandbox;
use serde_json::Value;

/// What a refund's status is when no money is with the card, nor on its way to it.
const CAME_BACK: [&str; 3] = ["failed", "canceled", "requires_action"];

/// What Stripe holds of a payment, in pence: what was received, less what is on its way to the card or there, less what disputes took
/// and did not give back. Never below zero: what goes beyond the payment is Stripe's loss or ours, and no clinic's.
pub fn held(stripe: &StripeSandbox, payment: &Value) -> i64 {
    let is_of = |object: &&Value| object["payment_intent"] == payment["id"];
    let refunds = stripe.all("refund");
    let is_gone = |refund: &&Value| !CAME_BACK.contains(&refund["status"].as_str().unwrap_or_default());
    let refunded: i64 =
        refunds.iter().filter(is_of).filter(is_gone).filter_map(|it| it["amount"].as_i64()).sum();
    let disputes = stripe.all("dispute");
    let taken: i64 = disputes.iter().filter(is_of).map(taken_by).sum();
    (payment["amount_received"].as_i64().unwrap_or_default() - refunded - taken).max(0)
}

/// What a dispute took and did not give back, in pence.
fn taken_by(dispute: &Value) -> i64 {
    let moved = dispute["balance_transactions"].as_array().into_iter().flatten();
    let balance: i64 = moved.filter_map(|moved| moved["amount"].as_i64()).sum();
    (-balance).max(0)
}
