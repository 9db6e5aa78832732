//! `POST /api/billing/wallet/auto-recharge`.

use domain::{
    amount::Amount,
    recharge::{Decision, LEAST_AMOUNT, LEAST_THRESHOLD, Settings},
    wallet::Wallet,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Attempt;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input, given},
};

use super::show::{AutoRecharge, is_enabled};
use crate::Deps;

/// What is to be set. An amount that is left out stays as it was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"enabled": true, "amount_pence": 3000, "threshold_pence": 700}))]
pub struct Wanted {
    #[serde(default)]
    #[schema(value_type = bool)]
    enabled: Value,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 2500)]
    amount_pence: Value,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 100)]
    threshold_pence: Value,
    /// None when it is left out; `null` when the default is to hold: see `Settings::limit_per_month`.
    #[serde(default, deserialize_with = "given")]
    #[expect(clippy::option_option, reason = "a field that is null is another than one that is left out")]
    #[schema(value_type = Option<i64>)]
    monthly_limit: Option<Option<Value>>,
    /// The same of `Settings::limit_per_charge`.
    #[serde(default, deserialize_with = "given")]
    #[expect(clippy::option_option, reason = "a field that is null is another than one that is left out")]
    #[schema(value_type = Option<i64>)]
    max_charge_pence: Option<Option<Value>>,
}
web::json_bodies!(Wanted);

/// What is set from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Saved {
    auto_recharge_enabled: bool,
    auto_recharge: AutoRecharge,
    will_charge_now: bool,
}

/// Says whether the clinic's card is charged by itself, when, and how much. What is underway goes on under the terms it
/// began with.
///
/// # Errors
/// When the caller may not pay, a value is not usable, there is no card to charge, or the store or the queue does not answer.
pub async fn save(deps: &Deps, caller: &Caller, input: Input<(), Wanted>) -> Result<Answer<Saved>, Problem> {
    caller.may_change()?;
    let (body, most) = (&input.body, deps.top_up_limits.1);
    let write = || async move {
        let wallet = deps.wallets.ensure(caller.org).await?;
        let settings = settings(body, &wallet, most)?;
        if settings.enabled && wallet.payment_method.is_none() {
            return Err(Problem::new(Code::NoPaymentMethod));
        }
        Ok(Attempt::of(deps.wallets.save_recharge(&wallet, wallet.auto_recharge.set(settings)).await)?)
    };
    let saved = deps.db.until_written("the wallet", write).await?;
    deps.watch.after(&saved).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, "auto-recharge was set");
    let now = deps.platform.clock.now();
    Ok(Answer::ok(Saved {
        auto_recharge_enabled: is_enabled(&saved),
        auto_recharge: AutoRecharge::of(&saved, now),
        will_charge_now: matches!(saved.recharge(now), Decision::Charge(_)),
    }))
}

/// What the body says; amounts that it leaves out stay as they were.
fn settings(body: &Wanted, wallet: &Wallet, most: Amount) -> Result<Settings, Problem> {
    let Value::Bool(enabled) = body.enabled else {
        return Err(invalid("enabled must be true or false."));
    };
    let before = wallet.auto_recharge.settings.as_ref();
    let was = |amount: fn(&Settings) -> Amount| before.map(amount);
    let charge = pence(&body.amount_pence, "amount_pence", LEAST_AMOUNT, most)?;
    let threshold = pence(&body.threshold_pence, "threshold_pence", LEAST_THRESHOLD, most)?;
    let missing =
        |name: &str| Problem::new(Code::InvalidAmount).saying(format!("{name} is missing: how many pence."));
    let kept = was(|settings| settings.amount).filter(|amount| *amount >= LEAST_AMOUNT);
    let amount = charge.or(kept).or((!enabled).then_some(LEAST_AMOUNT));
    let amount = amount.ok_or_else(|| missing("amount_pence"))?;
    let threshold =
        threshold.or(was(|settings| settings.threshold)).or((!enabled).then_some(LEAST_THRESHOLD));
    let threshold = threshold.ok_or_else(|| missing("threshold_pence"))?;
    let monthly_limit = match &body.monthly_limit {
        None => before.and_then(|settings| settings.monthly_limit),
        Some(None) => None,
        Some(Some(limit)) => pence(limit, "monthly_limit", LEAST_AMOUNT, Amount::MAX)?,
    };
    let max_charge = match &body.max_charge_pence {
        None => before.and_then(|settings| settings.max_charge),
        Some(None) => None,
        Some(Some(limit)) => pence(limit, "max_charge_pence", LEAST_AMOUNT, Amount::MAX)?,
    };
    let settings = Settings { enabled, amount, threshold, monthly_limit, max_charge };
    for (name, limit) in
        [("monthly_limit", settings.limit_per_month()), ("max_charge_pence", settings.limit_per_charge())]
    {
        if limit < amount {
            let detail = format!("{name} is less than amount_pence: the card would never be charged.");
            return Err(Problem::new(Code::InvalidAmount).saying(detail));
        }
    }
    Ok(settings)
}

/// Whole pence within the limits, or nothing when none is given.
fn pence(value: &Value, name: &str, least: Amount, most: Amount) -> Result<Option<Amount>, Problem> {
    if value.is_null() {
        return Ok(None);
    }
    let refuse = |detail: String| Err(Problem::new(Code::InvalidAmount).saying(detail));
    let amount = value.as_i64().map(Amount::try_from);
    match amount {
        Some(Ok(amount)) if amount < least => {
            refuse(format!("{name} is less than {} ({least}).", least.pence()))
        }
        Some(Ok(amount)) if amount <= most => Ok(Some(amount)),
        Some(Ok(_) | Err(_)) if value.as_i64().is_some_and(|pence| pence >= 0) => {
            refuse(format!("{name} is more than {} ({most}).", most.pence()))
        }
        Some(Ok(_) | Err(_)) => refuse(format!("{name} is negative.")),
        None => refuse(format!("{name} must be whole pence, written as a number: 2500 for £25.")),
    }
}
