//! Stripe's objects: the fields of them that we read.

use serde::Deserialize;

use super::{
    charge::{NextAction, PaymentFailure},
    status::{Currency, DisputeStatus, PaymentStatus, RefundStatus, SessionStatus},
};
use domain::{
    amount::Amount,
    ids::{BalanceTransactionId, CheckoutSessionId, CustomerId, DisputeId, PaymentIntentId, RefundId},
    recharge::DisputeStage,
};

/// A payment: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentIntent {
    /// The id of the payment (`pi_…`).
    pub id: PaymentIntentId,
    /// The state of the payment.
    pub status: PaymentStatus,
    /// The money that was received, in the currency's smallest unit.
    #[serde(default)]
    pub amount_received: i64,
    /// The currency of the amount.
    pub currency: Currency,
    /// The customer who pays, if the payment names one.
    #[serde(default)]
    pub customer: Option<Reference<CustomerId>>,
    /// The card, or whatever else the customer pays with, once it is known.
    #[serde(default)]
    pub payment_method: Option<Reference<String>>,
    /// `off_session` when the card may be charged again without the customer.
    #[serde(default)]
    pub setup_future_usage: Option<String>,
    /// When the payment was made, in Unix seconds.
    #[serde(default)]
    pub created: i64,
    /// What the customer must do before the payment goes on.
    #[serde(default)]
    pub next_action: Option<NextAction>,
    /// Why the last try to be paid failed; absent when none has.
    #[serde(default)]
    pub last_payment_error: Option<PaymentFailure>,
    /// The metadata, which carries our mark when the payment is ours.
    #[serde(default)]
    pub metadata: std::collections::BTreeMap<String, String>,
}

/// An id, or the object itself where Stripe expands it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Reference<T> {
    /// The id of the object alone.
    Id(T),
    /// The object itself, of which only the id is read.
    Object {
        /// The id of the object.
        id: T,
    },
}

impl<T> Reference<T> {
    /// Returns the id, in whichever of the two forms it came.
    pub const fn id(&self) -> &T {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

/// A refund: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refund {
    /// The id of the refund (`re_…`).
    pub id: RefundId,
    /// The money that goes back, in the currency's smallest unit.
    pub amount: i64,
    /// The state of the refund.
    #[serde(default)]
    pub status: RefundStatus,
}

impl Refund {
    /// Returns whether the status is one that Stripe documents, and the amount one that can be booked.
    pub fn is_bookable(&self) -> bool {
        self.status != RefundStatus::Unknown && Amount::try_from(self.amount).is_ok()
    }
}

/// A dispute: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dispute {
    /// The id of the dispute (`dp_…`, `du_…`).
    pub id: DisputeId,
    /// The state of the dispute.
    pub status: DisputeStatus,
    /// The money that is disputed, in the smallest unit of the payment's currency.
    #[serde(default)]
    pub amount: i64,
    /// The currency of the amount; absent where Stripe states none.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The money that the bank has moved so far.
    #[serde(default)]
    pub balance_transactions: Vec<BalanceTransaction>,
}

impl Dispute {
    /// Returns how far the dispute has come. One that was prevented took no money, as an inquiry that was
    /// closed; a state that is not known here may yet be decided.
    pub const fn stage(&self) -> DisputeStage {
        match self.status {
            DisputeStatus::WarningNeedsResponse | DisputeStatus::WarningUnderReview => DisputeStage::Inquiry,
            DisputeStatus::WarningClosed | DisputeStatus::Prevented => DisputeStage::InquiryClosed,
            DisputeStatus::NeedsResponse | DisputeStatus::UnderReview | DisputeStatus::Unknown => {
                DisputeStage::Open
            }
            DisputeStatus::Won => DisputeStage::Won,
            DisputeStatus::Lost => DisputeStage::Lost,
        }
    }

    /// Returns how much of the payment `moved` took, below zero, or gave back, in the payment's pence; `None`
    /// when that cannot be told. Where Stripe settles in another currency, `moved` states that one: of the
    /// disputed amount it is as much as it is of all that was taken.
    pub fn pence_of(&self, moved: &BalanceTransaction) -> Option<i64> {
        if moved.currency == Currency::Gbp {
            return Some(moved.amount);
        }
        let taken = self.balance_transactions.iter().map(|moved| moved.amount.min(0));
        let taken = taken.fold(0_i64, i64::saturating_sub);
        let whole = self.amount.max(0);
        let share = whole.saturating_mul(moved.amount).checked_div(taken)?;
        (self.currency == Some(Currency::Gbp)).then(|| share.clamp(whole.saturating_neg(), whole))
    }
}

/// A movement on Stripe's own ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BalanceTransaction {
    /// The id of the movement (`txn_…`).
    pub id: BalanceTransactionId,
    /// The money that moved, in the currency's smallest unit; below zero it was taken from us. Stripe's fee
    /// is apart.
    pub amount: i64,
    /// The currency of the amount.
    pub currency: Currency,
}

/// A Checkout session: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckoutSession {
    /// The id of the session (`cs_…`).
    pub id: CheckoutSessionId,
    /// The state of the session.
    #[serde(default)]
    pub status: SessionStatus,
    /// The page where the customer pays, if Stripe still has one.
    #[serde(default)]
    pub url: Option<String>,
    /// When the session was made, in Unix seconds.
    pub created: i64,
    #[serde(default)]
    pub(super) metadata: std::collections::BTreeMap<String, String>,
}
