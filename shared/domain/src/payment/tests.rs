use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    amount::Balance,
    ids::OrgId,
    ledger::{Head, Posting},
};

const RECEIVED: i64 = 2_500;

/// What Stripe shows of one payment.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// Refunds: how much, and whether it came back.
    refunds: Vec<(i64, bool)>,
    /// Movements of disputes: which dispute, and how much; below zero it was taken.
    moved: Vec<(usize, i64)>,
}

impl Shown {
    fn movements(&self) -> Vec<Movement> {
        let payment = PaymentIntentId::parse("pi_1").unwrap();
        let pence = |pence: i64| Amount::try_from(pence.abs()).unwrap();
        let mut movements = vec![Movement::top_up(&payment, pence(RECEIVED), false)];
        for (nth, (amount, came_back)) in self.refunds.iter().enumerate() {
            let refund = RefundId::parse(format!("re_{nth}")).unwrap();
            let stage = if *came_back { RefundStage::CameBack } else { RefundStage::OnItsWay };
            movements.extend(Movement::refund(&payment, &refund, pence(*amount), stage));
        }
        for (nth, (dispute, amount)) in self.moved.iter().enumerate() {
            let dispute = DisputeId::parse(format!("dp_{dispute}")).unwrap();
            let moved = BalanceTransactionId::parse(format!("txn_{nth}")).unwrap();
            let direction = if *amount < 0 { EntrySide::Debit } else { EntrySide::Credit };
            movements.push(Movement::dispute(&payment, &dispute, &moved, pence(*amount), direction));
        }
        movements
    }

    /// What Stripe holds of the payment, in words of its own: never less than nothing.
    fn held(&self) -> i64 {
        let refunded: i64 = self.refunds.iter().filter(|refund| !refund.1).map(|refund| refund.0).sum();
        let mut disputes: BTreeMap<usize, i64> = BTreeMap::new();
        for (dispute, amount) in &self.moved {
            *disputes.entry(*dispute).or_default() += amount;
        }
        let kept: i64 = disputes.values().map(|sum| (*sum).min(0)).sum();
        (RECEIVED - refunded + kept).max(0)
    }

    /// What the dispute holds of the payment at this moment.
    fn taken_by(&self, dispute: usize) -> i64 {
        -self.moved.iter().filter(|moved| moved.0 == dispute).map(|moved| moved.1).sum::<i64>()
    }
}

/// Books everything that is shown, as the store would, on top of what is booked.
fn book(ledger: &mut Vec<Entry>, shown: &Shown) {
    let movements = shown.movements();
    loop {
        let entry_of = |movement: &Movement| {
            ledger.iter().find(|entry| entry.entry_key == movement.reason.key()).cloned()
        };
        let booked: Vec<_> = movements.iter().map(entry_of).collect();
        let Some((movement, amount)) = next_movement(&movements, &booked) else { return };
        let org = OrgId::new(uuid::Uuid::nil());
        let posting = Posting {
            reason: movement.reason.clone(),
            amount,
            description: String::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let (head, balance) = ledger
            .last()
            .map_or((Head::genesis(org), Balance::ZERO), |last| (last.head(), last.balance_after));
        ledger.push(Entry::next(org, head, balance, &posting));
    }
}

/// Books what is shown after each of `steps`; returns the balance after each.
fn balances(steps: &[Shown]) -> Vec<i64> {
    let mut ledger = Vec::new();
    steps
        .iter()
        .map(|shown| {
            book(&mut ledger, shown);
            let len = ledger.len();
            book(&mut ledger, shown);
            assert_eq!(ledger.len(), len, "a repeat books nothing");
            balance(&ledger)
        })
        .collect()
}

fn balance(ledger: &[Entry]) -> i64 {
    ledger.last().map_or(0, |last| last.balance_after.pence())
}

fn shown(refunds: &[(i64, bool)], moved: &[i64]) -> Shown {
    Shown { refunds: refunds.to_vec(), moved: moved.iter().map(|amount| (1, *amount)).collect() }
}

#[test]
fn what_the_wallet_has_of_a_payment_in_each_case_that_is_easily_told() {
    let cases: [(&str, &[Shown], &[i64]); 7] = [
        (
            "partial refunds, object by object",
            &[shown(&[(500, false)], &[]), shown(&[(500, false), (2_000, false)], &[])],
            &[2_000, 0],
        ),
        (
            "a refund that fails gives back what was booked, and one that never was gives nothing",
            &[shown(&[(500, false)], &[]), shown(&[(500, true), (300, true)], &[])],
            &[2_000, 2_500],
        ),
        (
            "a dispute is withdrawn and reinstated",
            &[shown(&[], &[-2_500]), shown(&[], &[-2_500, 2_500])],
            &[0, 2_500],
        ),
        (
            "a dispute is reinstated in part, and then whole",
            &[shown(&[], &[-2_500, 900]), shown(&[], &[-2_500, 900, 1_600])],
            &[900, 2_500],
        ),
        (
            "won after a partial refund: what is on the card stays there",
            &[
                shown(&[(1_000, false)], &[]),
                shown(&[(1_000, false)], &[-2_500]),
                shown(&[(1_000, false)], &[-2_500, 2_500]),
            ],
            &[1_500, 0, 1_500],
        ),
        (
            "lost after a partial refund that then fails: the bank has it all",
            &[shown(&[(1_000, false)], &[-2_500]), shown(&[(1_000, true)], &[-2_500])],
            &[0, 0],
        ),
        (
            "no more is taken than was credited, and no more given back than was taken",
            &[shown(&[(2_000, false)], &[-2_500]), shown(&[(2_000, false)], &[-2_500, 9_900])],
            &[0, 500],
        ),
    ];
    for (what, steps, wanted) in cases {
        assert_eq!(balances(steps), wanted, "{what}");
    }
}

/// Something that Stripe does to a payment.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Refund(i64),
    RefundComesBack(usize),
    Dispute(usize, i64),
    GiveBack(usize, i64),
}

/// Refunds and disputes may together be more than the payment: a customer gets a refund, and disputes the whole of it.
fn deeds() -> impl Strategy<Value = Vec<(Deed, bool)>> {
    let deed = prop_oneof![
        (1..=RECEIVED).prop_map(Deed::Refund),
        (0_usize..4).prop_map(Deed::RefundComesBack),
        (1_usize..3, 1_i64..3_000).prop_map(|(dispute, pence)| Deed::Dispute(dispute, pence)),
        (1_usize..3, 1_i64..3_000).prop_map(|(dispute, pence)| Deed::GiveBack(dispute, pence)),
    ];
    prop::collection::vec((deed, any::<bool>()), 0..12)
}

proptest! {
    // G7: whatever is refunded, comes back, is disputed and is given back in part, in whatever order, and whether each
    // is heard of at its time or several at once: the wallet has what Stripe holds.
    #[test]
    fn the_wallet_has_what_stripe_holds_of_a_payment(deeds in deeds()) {
        let (mut now, mut ledger) = (Shown::default(), Vec::new());
        for (deed, is_heard_of) in deeds {
            match deed {
                Deed::Refund(pence) => now.refunds.push((pence, false)),
                Deed::RefundComesBack(nth) => now.refunds.iter_mut().skip(nth).take(1).for_each(|refund| refund.1 = true),
                Deed::Dispute(dispute, pence) => now.moved.push((dispute, -pence)),
                Deed::GiveBack(dispute, pence) => {
                    let pence = pence.min(now.taken_by(dispute));
                    if pence > 0 {
                        now.moved.push((dispute, pence));
                    }
                }
            }
            if is_heard_of {
                book(&mut ledger, &now);
                prop_assert_eq!(balance(&ledger), now.held());
            }
        }
        book(&mut ledger, &now);
        prop_assert_eq!(balance(&ledger), now.held());
        let len = ledger.len();
        book(&mut ledger, &now);
        prop_assert_eq!(ledger.len(), len, "a repeat books nothing");
        let keys: std::collections::BTreeSet<_> = ledger.iter().map(|entry| &entry.entry_key).collect();
        prop_assert_eq!(keys.len(), len, "each object is booked once");
    }
}
