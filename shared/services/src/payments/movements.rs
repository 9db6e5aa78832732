//! What Stripe's objects say moved, and how much of it is left to book.

use std::collections::BTreeMap;

use domain::{
    amount::Amount,
    ids::{EpisodeId, PaymentIntentId},
    ledger::{Entry, EntrySide, Reason},
};
use vendors::stripe::{Dispute, Refund, RefundStatus};

/// A movement that Stripe says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Movement {
    /// Why the money moves.
    pub(super) reason: Reason,
    /// How much Stripe says has moved.
    pub(super) amount: Amount,
    /// The sentence that the statement shows.
    pub(super) description: &'static str,
    /// Whether it is to be booked.
    pub(super) wanted: Disposition,
    /// The auto-recharge that the payment belongs to.
    pub(super) episode: Option<EpisodeId>,
}

impl Movement {
    /// Whether it takes money, and is to be booked.
    pub(super) fn takes(&self) -> bool {
        self.wanted == Disposition::Always && self.reason.direction() == EntrySide::Debit
    }
}

/// Whether a movement is to be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Yes.
    Always,
    /// No; if it was booked before, it counts.
    Never,
    /// As far as it undoes a refund that was booked and did not reach the card.
    ToUndo,
}

pub(super) fn top_up(id: &PaymentIntentId, amount: Amount, episode: Option<EpisodeId>) -> Movement {
    let reason = Reason::TopUp { payment_intent: id.clone() };
    let description = if episode.is_some() { "Automatic top-up by card" } else { "Top-up by card" };
    Movement { reason, amount, description, wanted: Disposition::Always, episode }
}

/// Refunds and disputes as movements: what takes money first, then what gives it back.
pub(super) fn movements_of(id: &PaymentIntentId, refunds: &[Refund], disputes: &[Dispute]) -> Vec<Movement> {
    let mut movements = Vec::new();
    for refund in refunds {
        let Ok(amount) = Amount::try_from(refund.amount) else { continue };
        let reason = Reason::Refund { refund: refund.id.clone(), payment_intent: id.clone() };
        let taken = |wanted| Movement {
            reason: reason.clone(),
            amount,
            description: "Refund to card",
            wanted,
            episode: None,
        };
        match refund.status {
            RefundStatus::Failed | RefundStatus::Canceled => {
                movements.push(taken(Disposition::Never));
                movements.push(Movement {
                    reason: Reason::RefundFailed { refund: refund.id.clone(), payment_intent: id.clone() },
                    amount,
                    description: "Refund to card failed",
                    wanted: Disposition::ToUndo,
                    episode: None,
                });
            }
            RefundStatus::Pending | RefundStatus::Succeeded => movements.push(taken(Disposition::Always)),
            // The customer has still to act, and nothing has moved.
            RefundStatus::RequiresAction | RefundStatus::Unknown => {}
        }
    }
    // An inquiry (`warning_…`) has no balance transactions, and so moves nothing.
    for dispute in disputes {
        for moved in &dispute.balance_transactions {
            let is_taken = moved.amount < 0;
            let Ok(amount) = Amount::try_from(moved.amount.saturating_abs()) else { continue };
            movements.push(Movement {
                reason: Reason::Dispute {
                    dispute: dispute.id.clone(),
                    balance_transaction: moved.id.clone(),
                    payment_intent: id.clone(),
                    direction: if is_taken { EntrySide::Debit } else { EntrySide::Credit },
                },
                amount,
                description: if is_taken { "Disputed by the card's bank" } else { "Dispute decided for you" },
                wanted: Disposition::Always,
                episode: None,
            });
        }
    }
    movements.sort_by_key(|movement| movement.reason.direction() == EntrySide::Credit);
    movements
}

/// The first movement that is not booked and has something to book, and how much.
///
/// What the wallet has of a payment follows what Stripe holds of it: each movement brings the one towards the other, in its own
/// direction and by no more than its own amount. So refunds and disputes never take more than the payment credited, a dispute
/// that is won gives back what Stripe holds again and not what a refund has put on the card, and the order in which they are
/// heard of does not matter.
pub(super) fn next_movement<'a>(
    movements: &'a [Movement],
    booked: &[Option<Entry>],
) -> Option<(&'a Movement, Amount)> {
    let held = held_at_stripe(movements);
    let sum = |side: EntrySide| {
        let of_side = booked.iter().flatten().filter(|entry| entry.direction == side);
        of_side.fold(Amount::ZERO, |sum, entry| sum.plus(entry.amount))
    };
    let net = sum(EntrySide::Credit).minus_or_zero(sum(EntrySide::Debit));
    movements.iter().zip(booked).filter(|(_, entry)| entry.is_none()).find_map(|(movement, _)| {
        let amount = match (&movement.wanted, &movement.reason, movement.reason.direction()) {
            (Disposition::Never, _, _) => Amount::ZERO,
            // What was received is credited first, whatever became of it since: the statement shows both.
            (_, Reason::TopUp { .. }, _) => movement.amount,
            (Disposition::Always | Disposition::ToUndo, _, EntrySide::Debit) => {
                movement.amount.min(net.minus_or_zero(held))
            }
            (Disposition::Always | Disposition::ToUndo, _, EntrySide::Credit) => {
                movement.amount.min(held.minus_or_zero(net))
            }
        };
        (!amount.is_zero()).then_some((movement, amount))
    })
}

/// What Stripe holds of a payment: what was received, less what went back to the card, less what disputes took and did not give
/// back. A dispute gives back no more than it took.
fn held_at_stripe(movements: &[Movement]) -> Amount {
    let mut disputes: BTreeMap<&str, (Amount, Amount)> = BTreeMap::new();
    let (mut received, mut gone) = (Amount::ZERO, Amount::ZERO);
    for movement in movements.iter().filter(|movement| movement.wanted == Disposition::Always) {
        let amount = movement.amount;
        if let Reason::Dispute { dispute, direction, .. } = &movement.reason {
            let (taken, given_back) = disputes.entry(dispute.as_str()).or_default();
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
