//! `GET /api/billing/wallet`.

use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use shared::{
    domain::tariff::Tariff,
    http::{
        auth::Caller,
        problem::{Problem, json_answer},
    },
};

use crate::Deps;

/// What the wallet has and what it will do. The first request of an org makes its wallet.
///
/// # Errors
/// When the store does not answer: an error, never a zero.
pub async fn show(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let wallet = deps.wallets.ensure(caller.org).await?;
    let tariff = Tariff::at(deps.world.clock.now());
    let minutes = tariff.affordable_seconds(wallet.available.spendable()).div_euclid(60);
    let body = json!({
        "balance_pence": wallet.balance().pence(),
        "available_pence": wallet.available.pence(),
        "held_pence": wallet.held.pence(),
        "balance_formatted": wallet.balance().to_string(),
        "low_balance_pence": wallet.low_balance.pence(),
        "is_low_balance": wallet.is_low(),
        "auto_recharge_enabled": false,
        "auto_recharge": {
            "amount_pence": Value::Null, "threshold_pence": Value::Null, "monthly_limit": Value::Null,
            "suspended_reason": Value::Null,
        },
        "has_payment_method": wallet.payment_method.is_some(),
        "rate_per_minute_pence": tariff.one_minute().pence(),
        "estimated_minutes_remaining": minutes,
        "currency": "gbp",
        "live_calls": wallet.holds.len(),
    });
    Ok(json_answer(StatusCode::OK, &body))
}
