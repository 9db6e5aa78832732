//! What Stripe's objects say moved, and how much of it is left to book.

use domain::{
    amount::Amount,
    ids::{EpisodeId, PaymentIntentId},
    ledger::{Entry, EntrySide, Kind, Reason},
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

/// Whether a movement is to be booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Yes.
    Always,
    /// No; if it was booked before, it counts.
    Never,
    /// To undo this one, if that was booked.
    ToUndo(Reason),
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
                    wanted: Disposition::ToUndo(reason.clone()),
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
/// Refunds and disputes together never take more than the payment credited, nor give back more than was taken.
pub(super) fn next_movement<'a>(
    movements: &'a [Movement],
    booked: &[Option<Entry>],
) -> Option<(&'a Movement, Amount)> {
    let mut credited = Amount::ZERO;
    let mut taken = Amount::ZERO;
    let mut given_back = Amount::ZERO;
    for entry in booked.iter().flatten() {
        match entry.direction {
            EntrySide::Credit if entry.kind == Kind::TopUp => credited = credited.plus(entry.amount),
            EntrySide::Credit => given_back = given_back.plus(entry.amount),
            EntrySide::Debit => taken = taken.plus(entry.amount),
        }
    }
    let entry_of = |reason: &Reason| {
        let key = reason.key();
        booked.iter().flatten().find(|entry| entry.entry_key == key)
    };
    movements.iter().zip(booked).filter(|(_, entry)| entry.is_none()).find_map(|(movement, _)| {
        let amount = match (&movement.wanted, &movement.reason, movement.reason.direction()) {
            (Disposition::Never, _, _) => Amount::ZERO,
            (Disposition::ToUndo(reason), _, _) => {
                entry_of(reason).map_or(Amount::ZERO, |entry| entry.amount)
            }
            (Disposition::Always, Reason::TopUp { .. }, _) => movement.amount,
            (Disposition::Always, _, EntrySide::Debit) => {
                movement.amount.min(credited.plus(given_back).minus_or_zero(taken))
            }
            (Disposition::Always, _, EntrySide::Credit) => {
                movement.amount.min(taken.minus_or_zero(given_back))
            }
        };
        (!amount.is_zero()).then_some((movement, amount))
    })
}

#[cfg(test)]
mod tests;
