//! `GET /api/billing/wallet`.

use domain::{recharge::Decision, tariff::Tariff, time::month_of, wallet::Wallet};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::Problem,
    routes::{Answer, Input},
};

use crate::Deps;

/// What the wallet has and what it will do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    balance_pence: i64,
    available_pence: i64,
    held_pence: i64,
    balance_formatted: String,
    low_balance_pence: i64,
    is_low_balance: bool,
    auto_recharge_enabled: bool,
    auto_recharge: AutoRecharge,
    has_payment_method: bool,
    rate_per_minute_pence: i64,
    estimated_minutes_remaining: u32,
    currency: &'static str,
    live_calls: usize,
}

/// What the clinic has said of auto-recharge, what is underway, and why nothing is charged where something should be.
#[derive(Debug, Serialize, ToSchema)]
pub struct AutoRecharge {
    amount_pence: Option<i64>,
    threshold_pence: Option<i64>,
    monthly_limit: Option<i64>,
    max_charge_pence: Option<i64>,
    suspended_reason: Option<String>,
    skipped_reason: Option<&'static str>,
    underway_pence: Option<i64>,
    charged_this_month_pence: i64,
    month: String,
    action_url: Option<String>,
}

/// Shows the wallet. The first request of an org makes it.
///
/// # Errors
/// When the store does not answer: an error, never a zero.
pub async fn show(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Shown>, Problem> {
    let wallet = deps.wallets.ensure(caller.org).await?;
    let now = deps.platform.clock.now();
    let tariff = Tariff::at(now);
    Ok(Answer::ok(Shown {
        balance_pence: wallet.balance().pence(),
        available_pence: wallet.available.pence(),
        held_pence: wallet.held.pence(),
        balance_formatted: wallet.balance().to_string(),
        low_balance_pence: wallet.low_balance.pence(),
        is_low_balance: wallet.is_low(),
        auto_recharge_enabled: is_enabled(&wallet),
        auto_recharge: AutoRecharge::of(&wallet, now),
        has_payment_method: wallet.payment_method.is_some(),
        rate_per_minute_pence: tariff.one_minute().pence(),
        estimated_minutes_remaining: tariff.affordable_seconds(wallet.available.spendable()).div_euclid(60),
        currency: "gbp",
        live_calls: wallet.holds.len(),
    }))
}

/// Whether the card is charged by itself.
pub(super) fn is_enabled(wallet: &Wallet) -> bool {
    wallet.auto_recharge.settings.as_ref().is_some_and(|settings| settings.enabled)
}

impl AutoRecharge {
    /// The auto-recharge of a wallet at `now`.
    pub(super) fn of(wallet: &Wallet, now: Timestamp) -> Self {
        let recharge = &wallet.auto_recharge;
        let settings = recharge.settings.as_ref();
        let skipped_reason = match wallet.recharge(now) {
            Decision::Skip(skip) if recharge.episode.is_none() => Some(skip.as_str()),
            Decision::Skip(_) | Decision::NotNeeded | Decision::Charge(_) => None,
        };
        Self {
            amount_pence: settings.map(|settings| settings.amount.pence()),
            threshold_pence: settings.map(|settings| settings.threshold.pence()),
            monthly_limit: settings.map(|settings| settings.limit_per_month().pence()),
            max_charge_pence: settings.map(|settings| settings.limit_per_charge().pence()),
            suspended_reason: wallet.suspended_reason().map(str::to_owned),
            skipped_reason,
            underway_pence: recharge.episode.as_ref().map(|episode| episode.amount.pence()),
            charged_this_month_pence: recharge.charged_in_month(now).pence(),
            month: month_of(now),
            action_url: wallet.recharge_action_url(now).map(str::to_owned),
        }
    }
}
