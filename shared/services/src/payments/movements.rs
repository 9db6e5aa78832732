//! Stripe's refunds and disputes, as movements of their payment.

use domain::{
    amount::Amount,
    ids::PaymentIntentId,
    ledger::EntrySide,
    payment::{Movement, RefundStage},
};
use vendors::stripe::{Dispute, Refund, RefundStatus};

/// Returns what refunds and disputes moved of a payment. What cannot be told in pence is left out; the caller alarms.
pub(super) fn movements_of(id: &PaymentIntentId, refunds: &[Refund], disputes: &[Dispute]) -> Vec<Movement> {
    let mut movements = Vec::new();
    for refund in refunds {
        let Ok(amount) = Amount::try_from(refund.amount) else { continue };
        let stage = match refund.status {
            RefundStatus::Failed | RefundStatus::Canceled => RefundStage::CameBack,
            RefundStatus::Pending | RefundStatus::Succeeded => RefundStage::OnItsWay,
            // The customer has still to act, and nothing has moved.
            RefundStatus::RequiresAction | RefundStatus::Unknown => continue,
        };
        movements.extend(Movement::refund(id, &refund.id, amount, stage));
    }
    // An inquiry (`warning_…`) has no balance transactions, and so moves nothing.
    for dispute in disputes {
        for moved in &dispute.balance_transactions {
            let Some(pence) = dispute.pence_of(moved) else { continue };
            let Ok(amount) = Amount::try_from(pence.saturating_abs()) else { continue };
            let direction = if pence < 0 { EntrySide::Debit } else { EntrySide::Credit };
            movements.push(Movement::dispute(id, &dispute.id, &moved.id, amount, direction));
        }
    }
    movements
}
