//! What moved of one payment, by Stripe's word, and how much of it is left to book.
//!
//! What the wallet has of a payment follows what Stripe holds of it, in whatever order refunds, disputes and their
//! reversals happen and are heard of.

use std::collections::BTreeMap;

use super::{
    amount::Amount,
    ids::{BalanceTransactionId, DisputeId, PaymentIntentId, RefundId},
    ledger::{Entry, EntrySide, Reason},
};

/// A movement that Stripe says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Why the money moves.
    pub reason: Reason,
    /// How much money moved by Stripe's word.
    pub amount: Amount,
    /// The sentence that the statement shows.
    pub description: &'static str,
    /// Whether the movement is to be booked.
    wanted: Disposition,
}

/// Whether a movement is to be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disposition {
    /// Yes.
    Always,
    /// No; if it was booked before, it counts.
    Never,
    /// As far as it undoes a refund that was booked and did not reach the card.
    ToUndo,
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStage {
    /// The money is on its way to the card, or there.
    OnItsWay,
    /// The money did not reach the card, and is at Stripe again.
    CameBack,
}

impl Movement {
    /// Returns the receipt of a payment: by itself, or by the customer's own hand.
    pub fn top_up(payment_intent: &PaymentIntentId, amount: Amount, is_automatic: bool) -> Self {
        let reason = Reason::TopUp { payment_intent: payment_intent.clone() };
        let description = if is_automatic { "Automatic top-up by card" } else { "Top-up by card" };
        Self { reason, amount, description, wanted: Disposition::Always }
    }

    /// Returns what a refund moved: out of the wallet; and back, where the money did not reach the card.
    pub fn refund(
        payment_intent: &PaymentIntentId,
        refund: &RefundId,
        amount: Amount,
        stage: RefundStage,
    ) -> Vec<Self> {
        let taken = |wanted| Self {
            reason: Reason::Refund { refund: refund.clone(), payment_intent: payment_intent.clone() },
            amount,
            description: "Refund to card",
            wanted,
        };
        match stage {
            RefundStage::OnItsWay => vec![taken(Disposition::Always)],
            RefundStage::CameBack => vec![
                taken(Disposition::Never),
                Self {
                    reason: Reason::RefundFailed {
                        refund: refund.clone(),
                        payment_intent: payment_intent.clone(),
                    },
                    amount,
                    description: "Refund to card failed",
                    wanted: Disposition::ToUndo,
                },
            ],
        }
    }

    /// Returns what the bank moved over a dispute.
    pub fn dispute(
        payment_intent: &PaymentIntentId,
        dispute: &DisputeId,
        balance_transaction: &BalanceTransactionId,
        amount: Amount,
        direction: EntrySide,
    ) -> Self {
        Self {
            reason: Reason::Dispute {
                dispute: dispute.clone(),
                balance_transaction: balance_transaction.clone(),
                payment_intent: payment_intent.clone(),
                direction,
            },
            amount,
            description: match direction {
                EntrySide::Debit => "Disputed by the card's bank",
                EntrySide::Credit => "Dispute decided for you",
            },
            wanted: Disposition::Always,
        }
    }

    /// Returns whether the movement takes money, and is to be booked.
    pub fn takes(&self) -> bool {
        self.wanted == Disposition::Always && self.reason.direction() == EntrySide::Debit
    }
}

/// Returns the first movement of a payment that is not booked and has something to book, and how much;
/// `booked` has the entry of each movement that has one.
///
/// Each movement brings what the wallet has of the payment towards what Stripe holds of it, in its own direction
/// and by no more than its own amount. So refunds and disputes never take more than the payment credited, a
/// dispute that is won gives back what Stripe holds again and not what a refund has put on the card, and the
/// order in which they are heard of does not matter.
pub fn next_movement<'a>(
    movements: &'a [Movement],
    booked: &[Option<Entry>],
) -> Option<(&'a Movement, Amount)> {
    let held = held_at_stripe(movements);
    let sum = |side: EntrySide| {
        let of_side = booked.iter().flatten().filter(|entry| entry.direction == side);
        of_side.fold(Amount::ZERO, |sum, entry| sum.plus(entry.amount))
    };
    let has = sum(EntrySide::Credit).minus_or_zero(sum(EntrySide::Debit));
    movements.iter().zip(booked).filter(|(_, entry)| entry.is_none()).find_map(|(movement, _)| {
        let amount = match (movement.wanted, &movement.reason, movement.reason.direction()) {
            (Disposition::Never, _, _) => Amount::ZERO,
            // What was received is credited first, whatever became of it since: the statement shows both.
            (_, Reason::TopUp { .. }, _) => movement.amount,
            (Disposition::Always | Disposition::ToUndo, _, EntrySide::Debit) => {
                movement.amount.min(has.minus_or_zero(held))
            }
            (Disposition::Always | Disposition::ToUndo, _, EntrySide::Credit) => {
                movement.amount.min(held.minus_or_zero(has))
            }
        };
        (!amount.is_zero()).then_some((movement, amount))
    })
}

/// Returns what Stripe holds of a payment: what was received, less what went back to the card, less what
/// disputes took and did not give back. A dispute gives back no more than it took.
pub fn held_at_stripe(movements: &[Movement]) -> Amount {
    let mut disputes: BTreeMap<&DisputeId, (Amount, Amount)> = BTreeMap::new();
    let (mut received, mut gone) = (Amount::ZERO, Amount::ZERO);
    for movement in movements.iter().filter(|movement| movement.wanted == Disposition::Always) {
        let amount = movement.amount;
        if let Reason::Dispute { dispute, direction, .. } = &movement.reason {
            let (taken, given_back) = disputes.entry(dispute).or_default();
            match direction {
                EntrySide::Debit => *taken = taken.plus(amount),
                EntrySide::Credit => *given_back = given_back.plus(amount),
            }
        } else if movement.takes() {
            gone = gone.plus(amount);
        } else {
            received = received.plus(amount);
        }
    }
    let kept = disputes
        .into_values()
        .fold(Amount::ZERO, |sum, (taken, given_back)| sum.plus(taken.minus_or_zero(given_back)));
    received.minus_or_zero(gone.plus(kept))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests;
