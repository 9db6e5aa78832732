//! Why money moves, and the key under which it moves once.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EntrySide, Kind};
use crate::{
    ids::{
        AdjustmentId, BalanceTransactionId, CallId, DisputeId, MessageId, PaymentIntentId, PurchaseId,
        RefundId,
    },
    tariff::TariffVersion,
};

/// What happened, as the reason for an entry. Its key makes the entry exist once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A call was finished, and is charged.
    Call {
        /// The call that is charged.
        call_id: CallId,
        /// The version of the price list that the call is billed by.
        tariff: TariffVersion,
    },
    /// A call that was billed is corrected: a credit when a later word of the vendor makes it shorter, a debit
    /// when a person accepts that it was longer.
    CallCorrection {
        /// The call whose bill is corrected.
        call_id: CallId,
        /// The version of the price list that the call is billed by.
        tariff: TariffVersion,
        /// Which correction of this call it is: 1 is the first.
        nth: u32,
        /// A credit in the clinic's favour, a debit against it.
        direction: EntrySide,
    },
    /// A payment was received by card.
    TopUp {
        /// The payment at Stripe.
        payment_intent: PaymentIntentId,
    },
    /// Part of a payment went back to the card.
    Refund {
        /// The refund at Stripe.
        refund: RefundId,
        /// The payment that was refunded.
        payment_intent: PaymentIntentId,
    },
    /// A refund that was booked did not reach the card: the money is in the wallet again.
    RefundFailed {
        /// The refund that failed, as Stripe names it.
        refund: RefundId,
        /// The payment that was to be refunded.
        payment_intent: PaymentIntentId,
    },
    /// The bank moved money over a dispute.
    Dispute {
        /// The dispute at Stripe.
        dispute: DisputeId,
        /// The movement on Stripe's own ledger; one dispute can have several.
        balance_transaction: BalanceTransactionId,
        /// The payment that is disputed.
        payment_intent: PaymentIntentId,
        /// A debit when the bank took the money, a credit when it gave the money back.
        direction: EntrySide,
    },
    /// A number is bought.
    Number {
        /// The purchase that buys the number.
        purchase: PurchaseId,
    },
    /// A purchase came to nothing: its price is in the wallet again.
    NumberRefund {
        /// The purchase that failed.
        purchase: PurchaseId,
    },
    /// A text is about to be sent.
    Text {
        /// The message.
        message: MessageId,
    },
    /// A text was not sent: its price is in the wallet again.
    TextRefund {
        /// The message that was paid for.
        message: MessageId,
    },
    /// A person of ours corrected the wallet by hand.
    Adjustment {
        /// The id of the adjustment: it is booked once.
        id: AdjustmentId,
        /// A credit in the clinic's favour, a debit against it.
        direction: EntrySide,
    },
    /// An org kept a number for another month.
    Rental {
        /// The purchase by which the org has the number.
        number: PurchaseId,
        /// The calendar month in UTC, as `2026-11`.
        month: String,
    },
}

/// The name of an entry within its org: `call#…`, `topup#…`, `refund#…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct EntryKey(String);

impl EntryKey {
    /// Returns the key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key of a call's charge, with which those of its corrections begin.
    pub fn of_call(call: &CallId) -> Self {
        Self(format!("call#{call}"))
    }

    /// Returns the purchase of a number that the entry pays for, rents or refunds.
    pub fn purchase(&self) -> Option<PurchaseId> {
        let mut parts = self.0.split('#');
        let is_of_number = matches!(parts.next(), Some("number" | "rental"));
        parts.next().filter(|_| is_of_number).and_then(|id| PurchaseId::parse(id).ok())
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reason {
    /// Returns the key of the entry that this reason makes.
    pub fn key(&self) -> EntryKey {
        EntryKey(match self {
            Self::Call { call_id, .. } => return EntryKey::of_call(call_id),
            Self::CallCorrection { call_id, nth, .. } => {
                format!("{}#correction#{nth}", EntryKey::of_call(call_id))
            }
            Self::TopUp { payment_intent } => format!("topup#{payment_intent}"),
            Self::Refund { refund, .. } => format!("refund#{refund}"),
            Self::RefundFailed { refund, .. } => format!("refund#{refund}#failed"),
            Self::Dispute { dispute, balance_transaction, .. } => {
                format!("dispute#{dispute}#{balance_transaction}")
            }
            Self::Number { purchase } => format!("number#{purchase}"),
            Self::NumberRefund { purchase } => format!("number#{purchase}#refund"),
            Self::Text { message } => format!("sms#{message}"),
            Self::TextRefund { message } => format!("sms#{message}#refund"),
            Self::Adjustment { id, .. } => format!("adjustment#{id}"),
            Self::Rental { number, month } => format!("rental#{number}#{month}"),
        })
    }

    /// Returns what the entry is about.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Call { .. } | Self::CallCorrection { .. } => Kind::Call,
            Self::TopUp { .. } => Kind::TopUp,
            Self::Refund { .. } | Self::RefundFailed { .. } => Kind::Refund,
            Self::Dispute { direction: EntrySide::Debit, .. } => Kind::Dispute,
            Self::Dispute { direction: EntrySide::Credit, .. } => Kind::DisputeReversal,
            Self::Number { .. } | Self::NumberRefund { .. } | Self::Rental { .. } => Kind::PhoneNumber,
            Self::Text { .. } | Self::TextRefund { .. } => Kind::Sms,
            Self::Adjustment { .. } => Kind::Adjustment,
        }
    }

    /// Returns which way the money goes.
    pub const fn direction(&self) -> EntrySide {
        match self {
            Self::Call { .. }
            | Self::Refund { .. }
            | Self::Number { .. }
            | Self::Rental { .. }
            | Self::Text { .. } => EntrySide::Debit,
            Self::TopUp { .. }
            | Self::RefundFailed { .. }
            | Self::NumberRefund { .. }
            | Self::TextRefund { .. } => EntrySide::Credit,
            Self::Dispute { direction, .. }
            | Self::CallCorrection { direction, .. }
            | Self::Adjustment { direction, .. } => *direction,
        }
    }

    pub(super) fn call_id(&self) -> Option<&CallId> {
        match self {
            Self::Call { call_id, .. } | Self::CallCorrection { call_id, .. } => Some(call_id),
            Self::TopUp { .. }
            | Self::Refund { .. }
            | Self::RefundFailed { .. }
            | Self::Dispute { .. }
            | Self::Number { .. }
            | Self::NumberRefund { .. }
            | Self::Adjustment { .. }
            | Self::Text { .. }
            | Self::TextRefund { .. }
            | Self::Rental { .. } => None,
        }
    }

    pub(super) fn payment_intent(&self) -> Option<&PaymentIntentId> {
        match self {
            Self::Call { .. }
            | Self::CallCorrection { .. }
            | Self::Number { .. }
            | Self::NumberRefund { .. }
            | Self::Adjustment { .. }
            | Self::Text { .. }
            | Self::TextRefund { .. }
            | Self::Rental { .. } => None,
            Self::TopUp { payment_intent }
            | Self::Refund { payment_intent, .. }
            | Self::RefundFailed { payment_intent, .. }
            | Self::Dispute { payment_intent, .. } => Some(payment_intent),
        }
    }

    pub(super) fn tariff(&self) -> Option<TariffVersion> {
        match self {
            Self::Call { tariff, .. } | Self::CallCorrection { tariff, .. } => Some(*tariff),
            Self::TopUp { .. }
            | Self::Refund { .. }
            | Self::RefundFailed { .. }
            | Self::Dispute { .. }
            | Self::Number { .. }
            | Self::NumberRefund { .. }
            | Self::Adjustment { .. }
            | Self::Text { .. }
            | Self::TextRefund { .. }
            | Self::Rental { .. } => None,
        }
    }
}
