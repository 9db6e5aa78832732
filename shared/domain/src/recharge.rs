//! Auto-recharge: whether a clinic's card is charged automatically, for how much, and why it is not.

mod stop;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::stop::{Card, DisputeNews, DisputeStage, Skip, Suspension, SuspensionReason};
use super::{
    amount::Amount,
    ids::{CustomerId, DisputeId, EpisodeId, PaymentIntentId},
    time::month_of,
    wallet::{LEAST_TOP_UP, Wallet},
};

/// The least that one automatic charge may be set to: what a top-up by hand is at least.
pub const LEAST_AMOUNT: Amount = LEAST_TOP_UP;
/// The least threshold that may be set: £1.00.
pub const LEAST_THRESHOLD: Amount = Amount::from_pence(100);

/// An org's auto-recharge, in its wallet's record: settings, what is underway, and what stands in the way.
/// Each write names the version it read, so that there is one writer at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoRecharge {
    /// Raised by every write; 0 while nothing was ever written.
    #[serde(default)]
    pub version: u64,
    /// What the org wants; absent until the org has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// Why a card is not charged any more; it counts only while the wallet has that card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// The one charge that is underway; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Episode>,
    /// What was charged in the month that it names, the charge underway included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    /// The disputes that are open: while there is one, nothing is charged.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub disputes: BTreeSet<DisputeId>,
    /// When money was last asked back, by a refund, a lost dispute or a warning; absent once the org has asked
    /// for a charge since.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub asked_back_at: Option<Timestamp>,
    /// The cards that were disputed or that Stripe warned of, by name (`pm_…`) and by fingerprint: none is charged
    /// by itself again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub barred_cards: BTreeSet<String>,
    /// The lost disputes and the warnings (`dp_…`, `issfr_…`) that are taken into account: the same told again
    /// does not stop what the org has asked for since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub bad_news: BTreeSet<String>,
    /// What the org was told of a low balance.
    #[serde(default)]
    pub notice: Notice,
}

/// What an org wants of auto-recharge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether the card is charged at all.
    pub enabled: bool,
    /// The amount that one charge is a multiple of.
    pub amount: Amount,
    /// The card is charged when less than this is available.
    pub threshold: Amount,
    /// The most that is charged in one calendar month, UTC, as the org sets it: see
    /// [`Settings::limit_per_month`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_limit: Option<Amount>,
    /// The most that one charge takes, as the org sets it: see [`Settings::limit_per_charge`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_charge: Option<Amount>,
}

/// How many amounts one month takes, where the org sets no limit.
const AMOUNTS_PER_MONTH: i64 = 10;
/// How many amounts one charge takes, where the org sets no limit.
const AMOUNTS_PER_CHARGE: i64 = 4;

impl Settings {
    /// Returns the most that is charged in one calendar month: ten amounts, where the org says nothing else.
    pub fn limit_per_month(&self) -> Amount {
        self.monthly_limit.unwrap_or(self.amounts(AMOUNTS_PER_MONTH))
    }

    /// Returns the most that one charge takes: four amounts, where the org says nothing else.
    pub fn limit_per_charge(&self) -> Amount {
        self.max_charge.unwrap_or(self.amounts(AMOUNTS_PER_CHARGE))
    }

    /// Returns the largest multiple of the amount that `room` leaves place for.
    fn multiple_within(&self, room: Amount) -> Amount {
        self.amounts(room.pence().div_euclid(self.amount.pence().max(1)))
    }

    /// Returns the smallest multiple of the amount, one at least, that is no less than `missing`.
    fn multiple_for(&self, missing: i64) -> Amount {
        let one = self.amount.pence().max(1);
        self.amounts(missing.saturating_add(one.saturating_sub(1)).div_euclid(one).max(1))
    }

    /// Returns so many times the amount.
    fn amounts(&self, times: i64) -> Amount {
        Amount::try_from(self.amount.pence().saturating_mul(times)).unwrap_or(Amount::MAX)
    }
}

/// One shortage of an org's money, and the one charge that ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Our id of the episode, which the payment at Stripe carries in its metadata.
    pub id: EpisodeId,
    /// The amount that is charged.
    pub amount: Amount,
    /// The Stripe customer that is charged.
    pub customer: CustomerId,
    /// The card that is charged, as Stripe names it (`pm_…`).
    pub payment_method: String,
    /// When the shortage was found and the episode opened.
    #[serde(with = "super::time::millis")]
    pub opened_at: Timestamp,
    /// How many attempts were begun. This is written before an attempt is sent.
    #[serde(default)]
    pub attempt: u32,
    /// When the first attempt was begun; absent before it.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When the last attempt was begun; absent before the first.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub attempt_at: Option<Timestamp>,
    /// The payment, once Stripe has named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<PaymentIntentId>,
    /// The page where the customer must act, when the bank demands it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_url: Option<String>,
}

/// What was charged automatically in one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// The calendar month in UTC, as `2026-11`.
    pub name: String,
    /// The sum of what succeeded and of what is underway.
    pub charged: Amount,
}

/// What the org was told of a low balance: once for each time that [`Wallet::is_balance_low`] becomes true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whether the balance was low at the last check.
    pub is_low: bool,
    /// How often the balance has become low.
    pub crossings: u32,
    /// Up to which of these crossings the org was told.
    pub told: u32,
}

/// Whether the card is to be charged now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is enough money.
    NotNeeded,
    /// There is too little, and the card is not charged, for this reason.
    Skip(Skip),
    /// There is too little, and the card is charged this much.
    Charge(Amount),
}

/// How long a page to pay on stays open (Stripe's Checkout sessions: 24 hours).
const LINK_LASTS: SignedDuration = SignedDuration::from_hours(24);

impl AutoRecharge {
    /// Returns what was charged in the month of `now`.
    pub fn charged_in_month(&self, now: Timestamp) -> Amount {
        let name = month_of(now);
        self.month.as_ref().filter(|month| month.name == name).map_or(Amount::ZERO, |month| month.charged)
    }

    /// Returns the same with `episode` open, and its amount counted in the month.
    #[must_use]
    pub fn opened(&self, episode: Episode) -> Self {
        let charged = self.charged_in_month(episode.opened_at).plus(episode.amount);
        let month = Some(Month { name: month_of(episode.opened_at), charged });
        Self { episode: Some(episode), month, ..self.clone() }
    }

    /// Returns the same without its episode. The money never came, so it no longer counts in the month.
    #[must_use]
    pub fn given_up(&self) -> Self {
        let Some(episode) = &self.episode else { return self.clone() };
        let mut after = Self { episode: None, ..self.clone() };
        if let Some(month) = &mut after.month
            && month.name == month_of(episode.opened_at)
        {
            month.charged = month.charged.minus_or_zero(episode.amount);
        }
        after
    }

    /// Returns the same with new settings. An org that switches it on asks for a charge anew: that ends a stop
    /// for money that was asked back, and a suspension, unless the bank refused the card.
    #[must_use]
    pub fn set(&self, settings: Settings) -> Self {
        let mut after = self.clone();
        if settings.enabled {
            after.asked_back_at = None;
            after.suspended.take_if(|there| there.reason == SuspensionReason::Unusable);
        }
        after.settings = Some(settings);
        after
    }

    /// Returns what a credited payment changes; `None` when it changes nothing. A payment for the open
    /// episode ends it. Money that came otherwise ends an episode that has sent nothing.
    pub fn credited(&self, of: Option<&EpisodeId>, amount: Amount, at: Timestamp) -> Option<Self> {
        match (&self.episode, of) {
            (Some(open), Some(of)) if open.id == *of => Some(Self { episode: None, ..self.clone() }),
            // The payment is for an episode that was given up, and succeeded after all: it counts.
            (_, Some(_)) => {
                let month = Month { name: month_of(at), charged: self.charged_in_month(at).plus(amount) };
                Some(Self { month: Some(month), ..self.clone() })
            }
            (Some(open), None) if open.attempt == 0 => Some(self.given_up()),
            (Some(_) | None, None) => None,
        }
    }
}

impl Wallet {
    /// Returns whether there is too little money: less than the threshold, or less than a live call needs for
    /// its next full unit, so that a long call with a good card on file is not cut.
    fn is_short_of(&self, threshold: Amount) -> bool {
        self.available.pence() < threshold.pence()
            || self.holds.values().any(|hold| !self.extension(hold).full)
    }

    /// Returns whether the card is to be charged, and how much: the smallest multiple of the amount that
    /// brings `available` to the threshold, once at least; where the limits of one charge and of the month
    /// leave less room, the largest multiple that they do leave room for.
    pub fn recharge(&self, now: Timestamp) -> Decision {
        let Some(settings) = &self.auto_recharge.settings else { return Decision::NotNeeded };
        if !self.is_short_of(settings.threshold) {
            return Decision::NotNeeded;
        }
        if let Some(skip) = self.charging_stop() {
            return Decision::Skip(skip);
        }
        let missing = settings.threshold.pence().saturating_sub(self.available.pence());
        // What is underway is this very charge, or comes before it: it is not counted twice.
        let charged = self.auto_recharge.given_up().charged_in_month(now);
        let room = settings.limit_per_month().minus_or_zero(charged).min(settings.limit_per_charge());
        let amount = settings.multiple_for(missing).min(settings.multiple_within(room));
        if amount.is_zero() { Decision::Skip(Skip::MonthlyLimit) } else { Decision::Charge(amount) }
    }

    /// Returns what the card may still be charged automatically this month, which a call may count on beside
    /// the money that is there: whole amounts, and nothing where the card would not be charged.
    pub fn card_credit(&self, now: Timestamp) -> Amount {
        match &self.auto_recharge.settings {
            Some(settings) if self.charging_stop().is_none() => {
                let charged = self.auto_recharge.charged_in_month(now);
                settings.multiple_within(settings.limit_per_month().minus_or_zero(charged))
            }
            Some(_) | None => Amount::ZERO,
        }
    }

    /// Returns the page where the customer must act, or can pay by hand, if there is one at `now`.
    pub fn recharge_action_url(&self, now: Timestamp) -> Option<&str> {
        let episode = self.auto_recharge.episode.as_ref();
        let declined = self.suspension().filter(|there| now.duration_since(there.at) < LINK_LASTS);
        let underway = episode.and_then(|episode| episode.action_url.as_deref());
        underway.or_else(|| declined.and_then(|there| there.action_url.as_deref()))
    }

    /// Returns whether this wallet needs a check apart from its calls: its card is to be charged, or its org
    /// is to be told of a low balance.
    pub fn needs_check(&self, now: Timestamp) -> bool {
        let notice = &self.auto_recharge.notice;
        let is_news = notice.is_low != self.is_balance_low() || notice.told < notice.crossings;
        // An episode that was sent has a message of its own until it is over; one that waits is found by
        // reconciliation.
        let is_unsent = self.auto_recharge.episode.as_ref().is_none_or(|episode| episode.attempt == 0);
        is_news || is_unsent && matches!(self.recharge(now), Decision::Charge(_))
    }
}

#[cfg(test)]
mod tests;
