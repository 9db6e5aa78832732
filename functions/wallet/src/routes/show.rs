//! `GET /api/billing/wallet`.

use domain::{amount::Amount, recharge::Decision, tariff::Tariff, time::month_of, wallet::Wallet};
use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use web::{
    auth::Caller,
    problem::{Problem, json_answer},
};

use crate::Deps;

/// What the wallet has and what it will do. The first request of an org makes its wallet.
///
/// # Errors
/// When the store does not answer: an error, never a zero.
pub async fn show(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let wallet = deps.wallets.ensure(caller.org).await?;
    let now = deps.platform.clock.now();
    let tariff = Tariff::at(now);
    let minutes = tariff.affordable_seconds(wallet.available.spendable()).div_euclid(60);
    let body = json!({
        "balance_pence": wallet.balance().pence(),
        "available_pence": wallet.available.pence(),
        "held_pence": wallet.held.pence(),
        "balance_formatted": wallet.balance().to_string(),
        "low_balance_pence": wallet.low_balance.pence(),
        "is_low_balance": wallet.is_low(),
        "auto_recharge_enabled": wallet.auto_recharge.settings.as_ref().is_some_and(|settings| settings.enabled),
        "auto_recharge": auto_recharge(&wallet, now),
        "has_payment_method": wallet.payment_method.is_some(),
        "rate_per_minute_pence": tariff.one_minute().pence(),
        "estimated_minutes_remaining": minutes,
        "currency": "gbp",
        "live_calls": wallet.holds.len(),
    });
    Ok(json_answer(StatusCode::OK, &body))
}

/// What the clinic has said of auto-recharge, what is underway, and why nothing is charged where something should be.
pub(super) fn auto_recharge(wallet: &Wallet, now: Timestamp) -> Value {
    let recharge = &wallet.auto_recharge;
    let settings = recharge.settings.as_ref();
    let suspended = wallet.suspension();
    let skipped = match wallet.recharge(now) {
        Decision::Skip(skip) if recharge.episode.is_none() => Some(skip.as_str()),
        Decision::Skip(_) | Decision::NotNeeded | Decision::Charge(_) => None,
    };
    json!({
        "amount_pence": settings.map(|settings| settings.amount.pence()),
        "threshold_pence": settings.map(|settings| settings.threshold.pence()),
        "monthly_limit": settings.and_then(|settings| settings.monthly_limit).map(Amount::pence),
        "suspended_reason": suspended.map(|there| there.reason.as_str()),
        "skipped_reason": skipped,
        "underway_pence": recharge.episode.as_ref().map(|episode| episode.amount.pence()),
        "charged_this_month_pence": recharge.charged_in_month(now).pence(),
        "month": month_of(now),
        "action_url": wallet.recharge_action_url(now),
    })
}
