//! An org's prepaid money: what is free, what is set aside, and what may be done with it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    amount::{Amount, Balance},
    call::RefusalReason,
    hold::{END_MARGIN_SECS, GRANT_SECS, Hold, PROVIDER_LIMIT_SECS, Settlement},
    ids::{CallId, CustomerId, OrgId},
    ledger::{Entry, Head, Posting},
    recharge::AutoRecharge,
    tariff::{Tariff, TariffVersion},
};

/// The least that a top-up may be, by hand or by itself: £25.00.
pub const LEAST_TOP_UP: Amount = Amount::from_pence(2_500);
/// The line of a low balance in a new wallet: £5.00.
const LOW_BALANCE: Amount = Amount::from_pence(500);
/// How many calls an org has at a time where nothing else is agreed.
const USUAL_CALLS: u32 = 5;
/// How many calls any org has at a time at the most: all orgs share the lines of one account at Vapi.
pub const MOST_CALLS: u32 = 15;

/// An org's wallet as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallet {
    /// The org that owns the money.
    pub org_id: OrgId,
    /// The money that is free to spend; below zero it is a debt.
    pub available: Balance,
    /// The money set aside for live calls: the sum of `holds`.
    pub held: Amount,
    /// The hold of each live call.
    pub holds: BTreeMap<CallId, Hold>,
    /// The end of the org's ledger, which the next entry is chained to.
    #[serde(flatten)]
    pub ledger: Head,
    /// The line below which the dashboard warns, and below which the org is told that its money runs out.
    pub low_balance: Amount,
    /// The Stripe customer that pays for the org, once there is one.
    #[serde(default)]
    pub stripe_customer: Option<CustomerId>,
    /// The card that may be charged again, as Stripe names it (`pm_…`); absent until one is saved.
    #[serde(default)]
    pub payment_method: Option<String>,
    /// What Stripe calls that card's number by: the same however often the card is saved. Absent where Stripe did
    /// not say.
    #[serde(default)]
    pub card_fingerprint: Option<String>,
    /// Why the books check froze the wallet; absent when it is not frozen. A frozen wallet spends nothing
    /// more until a person has looked into it.
    #[serde(default)]
    pub frozen: Option<String>,
    /// The settings of auto-recharge, and the charge that is underway.
    #[serde(default)]
    pub auto_recharge: AutoRecharge,
    /// How many calls the org may have at a time, where an operator has said so; see [`Wallet::most_calls`].
    #[serde(default)]
    pub call_limit: Option<u32>,
}

/// The terms under which a call is to be authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The tariff in force.
    pub tariff: Tariff,
    /// The longest that the agent may talk, in seconds.
    pub agent_limit_secs: u32,
    /// The room that a top-up has to lengthen a running call; also the most that one call can cost unpaid.
    pub outage_credit: Amount,
}

impl Terms {
    /// Returns the same terms for a call that began without us, which Vapi was told no limit of: its money and
    /// its agent's limit end it, and a top-up lengthens it up to that.
    #[must_use]
    pub fn untold(self) -> Self {
        Self { outage_credit: self.tariff.charge(self.agent_limit_secs), ..self }
    }

    /// Returns the same terms with at least what the wallet's card may still be charged automatically as
    /// room: a long call with a good card on file is not cut by a limit that was set when it began.
    #[must_use]
    pub fn backed_by(self, wallet: &Wallet, now: Timestamp) -> Self {
        Self { outage_credit: self.outage_credit.max(wallet.card_credit(now)), ..self }
    }
}

/// A first grant: what to set aside, and what Vapi is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The money that moves from `available` to `held`.
    pub amount: Amount,
    /// The version of the price list that the call starts under.
    pub tariff: TariffVersion,
    /// What Vapi is told as `maxDurationSeconds`.
    pub provider_limit_secs: u32,
    /// What must still be available when the hold is written for this grant to be right; at least `amount`.
    pub basis: Amount,
    /// How many calls the org may have at a time: fewer must hold money when the hold is written.
    pub most_calls: u32,
}

/// Why a call may not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Less is available than one minute, or the asset to be bought, costs.
    #[error("{available} is available and a call needs {needed}")]
    InsufficientFunds {
        /// The money that is available.
        available: Balance,
        /// The price of one minute, or of the asset.
        needed: Amount,
    },
    /// The books check froze this wallet.
    #[error("the wallet is frozen")]
    Frozen,
    /// The org has never had a wallet.
    #[error("the org has no wallet")]
    NoWallet,
    /// The org has as many calls as it may have at a time.
    #[error("the org has {most} calls, and may have no more at a time")]
    TooManyCalls {
        /// How many it may have.
        most: u32,
    },
}

impl Refusal {
    /// Returns the reason that the call's record keeps.
    pub const fn reason(&self) -> RefusalReason {
        match self {
            Self::InsufficientFunds { .. } => RefusalReason::InsufficientFunds,
            Self::Frozen => RefusalReason::WalletFrozen,
            Self::NoWallet => RefusalReason::NoWallet,
            Self::TooManyCalls { .. } => RefusalReason::TooManyCalls,
        }
    }
}

/// The money that can be added to a hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The money to add; zero when none is left.
    pub amount: Amount,
    /// Whether `amount` is all that was wanted. Anything less makes the unit final (RFC 8506, section 8.34).
    pub full: bool,
}

/// A movement as it is to be written: the entry that the ledger gains, and the wallet once it is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The entry, chained to the last one that the wallet knows.
    pub entry: Entry,
    /// The wallet after the movement.
    pub wallet: Wallet,
}

impl Wallet {
    /// Returns the wallet that an org starts with: nothing in it, and a ledger without an entry.
    pub fn empty(org_id: OrgId) -> Self {
        Self {
            org_id,
            available: Balance::ZERO,
            held: Amount::ZERO,
            holds: BTreeMap::new(),
            ledger: Head::genesis(org_id),
            low_balance: LOW_BALANCE,
            stripe_customer: None,
            payment_method: None,
            card_fingerprint: None,
            frozen: None,
            auto_recharge: AutoRecharge::default(),
            call_limit: None,
        }
    }

    /// Returns how many calls the org may have at a time: five, or what an operator has set, up to [`MOST_CALLS`].
    pub fn most_calls(&self) -> u32 {
        self.call_limit.unwrap_or(USUAL_CALLS).min(MOST_CALLS)
    }

    /// Returns what the org owns: available and held.
    pub fn balance(&self) -> Balance {
        self.available.plus(self.held)
    }

    /// Returns whether the dashboard should warn, by what is available.
    pub fn is_low(&self) -> bool {
        self.available.pence() < self.low_balance.pence()
    }

    /// Returns whether the org is to be told that its money runs out. Money set aside for a call still
    /// counts, so that a call that begins and ends does not cross the line twice.
    pub fn is_balance_low(&self) -> bool {
        self.balance().pence() < self.low_balance.pence()
    }

    /// Decides whether an asset of this price, such as a number or its rental, may be bought: enough is
    /// available, so that it makes no debt, and the books check has not frozen the wallet. The write that
    /// charges demands both again.
    ///
    /// # Errors
    ///
    /// When the wallet is frozen, or less than the price is available.
    pub fn can_spend(&self, price: Amount) -> Result<(), Refusal> {
        if self.frozen.is_some() {
            Err(Refusal::Frozen)
        } else if self.available.pence() < price.pence() {
            Err(Refusal::InsufficientFunds { available: self.available, needed: price })
        } else {
            Ok(())
        }
    }

    /// Returns the wallet once `grant` is held for `call`: it moves from available to held, and the balance
    /// stays.
    #[must_use]
    pub fn granted(&self, call: &CallId, grant: &Grant) -> Self {
        let mut after = self.clone();
        after.available = self.available.minus(grant.amount);
        after.held = self.held.plus(grant.amount);
        after.holds.insert(call.clone(), Hold::first(grant));
        after
    }

    /// Returns the wallet once the hold of `call` is `extended`, which holds more than it did: the difference
    /// moves from available to held, and the balance stays.
    #[must_use]
    pub fn extended(&self, call: &CallId, extended: &Hold) -> Self {
        let held_before = self.holds.get(call).map_or(Amount::ZERO, |hold| hold.amount);
        let more = extended.amount.minus_or_zero(held_before);
        let mut after = self.clone();
        after.available = self.available.minus(more);
        after.held = self.held.plus(more);
        after.holds.insert(call.clone(), extended.clone());
        after
    }

    /// Returns the wallet once the finished `call` is charged by `posting`: its hold is gone, what the hold
    /// did not need is available again, and what it does not cover comes out of available, even into debt. A
    /// call without a hold is charged likewise.
    pub fn settled(&self, call: &CallId, posting: &Posting) -> Booking {
        let entry = Entry::next(self.org_id, self.ledger, self.balance(), posting);
        let mut wallet = self.clone();
        let hold = wallet.holds.remove(call);
        let settlement = hold
            .as_ref()
            .map_or(Settlement::without_hold(posting.amount), |hold| hold.settle(posting.amount));
        wallet.available = self.available.plus(settlement.returned).minus(settlement.from_available);
        wallet.held = self.held.minus_or_zero(hold.map_or(Amount::ZERO, |hold| hold.amount));
        wallet.ledger = entry.head();
        Booking { entry, wallet }
    }

    /// Returns the wallet once a movement that is no call's is booked: a top-up, a refund, a dispute, a
    /// number. The whole amount goes into or out of available.
    pub fn booked(&self, posting: &Posting) -> Booking {
        let entry = Entry::next(self.org_id, self.ledger, self.balance(), posting);
        let mut wallet = self.clone();
        wallet.available = entry.direction.apply(self.available, entry.amount);
        wallet.ledger = entry.head();
        Booking { entry, wallet }
    }

    /// Returns what a new call is granted.
    ///
    /// The grant is five minutes, or what is left when that pays at least one. The provider's limit is the
    /// agent's, cut to what `available` and the outage credit pay for, less two seconds. The write that makes
    /// the hold demands that `basis` is still available, so that neither number rests on money that has gone, and
    /// that fewer calls than `most_calls` hold money.
    ///
    /// # Errors
    /// When the wallet is frozen, the org has as many calls as it may have, or less than one minute is available.
    pub fn first_grant(&self, terms: &Terms) -> Result<Grant, Refusal> {
        self.grant_on(terms, self.available.spendable())
    }

    /// Returns the same grant, resting on no more money than its own `amount`, so that no other spending of
    /// the wallet makes its limit wrong meanwhile.
    ///
    /// # Errors
    /// As [`Wallet::first_grant`].
    pub fn cautious_grant(&self, terms: &Terms) -> Result<Grant, Refusal> {
        self.grant_on(terms, self.available.spendable().min(terms.tariff.charge(GRANT_SECS)))
    }

    fn grant_on(&self, terms: &Terms, spendable: Amount) -> Result<Grant, Refusal> {
        if self.frozen.is_some() {
            return Err(Refusal::Frozen);
        }
        let most_calls = self.most_calls();
        if u32::try_from(self.holds.len()).map_or(true, |calls| calls >= most_calls) {
            return Err(Refusal::TooManyCalls { most: most_calls });
        }
        let needed = terms.tariff.one_minute();
        if spendable < needed {
            return Err(Refusal::InsufficientFunds { available: self.available, needed });
        }
        let amount = terms.tariff.charge(GRANT_SECS).min(spendable);
        let most = terms.agent_limit_secs.min(*PROVIDER_LIMIT_SECS.end());
        let paid = terms.tariff.affordable_seconds(spendable.plus(terms.outage_credit));
        let needed_for_most = terms.tariff.charge(most).minus_or_zero(terms.outage_credit);
        Ok(Grant {
            amount,
            tariff: terms.tariff.version,
            provider_limit_secs: most
                .min(paid)
                .saturating_sub(END_MARGIN_SECS)
                .max(*PROVIDER_LIMIT_SECS.start()),
            basis: amount.max(needed_for_most.min(spendable)),
            most_calls,
        })
    }

    /// Returns what `hold` can be given now: the least of five minutes, what is left, and what its provider
    /// limit still needs.
    pub fn extension(&self, hold: &Hold) -> Extension {
        let wanted = hold.tariff.tariff().charge(GRANT_SECS).min(hold.most().minus_or_zero(hold.amount));
        let amount =
            if self.frozen.is_some() { Amount::ZERO } else { wanted.min(self.available.spendable()) };
        Extension { amount, full: amount == wanted }
    }
}

#[cfg(test)]
mod tests;
