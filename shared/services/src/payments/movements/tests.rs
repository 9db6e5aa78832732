use proptest::prelude::*;

use super::*;
use domain::{
    amount::Balance,
    ids::{BalanceTransactionId, DisputeId, OrgId, RefundId},
    ledger::{Head, Posting},
};
use vendors::stripe::{BalanceTransaction, Currency, DisputeStatus};

fn intent() -> PaymentIntentId {
    PaymentIntentId::parse("pi_1").unwrap()
}

fn refund(id: &str, amount: i64, status: RefundStatus) -> Refund {
    Refund { id: RefundId::parse(id).unwrap(), amount, status }
}

fn dispute(moved: &[(&str, i64)]) -> Dispute {
    let balance_transactions = moved
        .iter()
        .map(|(id, amount)| BalanceTransaction {
            id: BalanceTransactionId::parse(*id).unwrap(),
            amount: *amount,
            currency: Currency::Gbp,
        })
        .collect();
    Dispute { id: DisputeId::parse("dp_1").unwrap(), status: DisputeStatus::Lost, balance_transactions }
}

/// Books everything, as the store would, on top of what is booked.
fn book(ledger: &mut Vec<Entry>, refunds: &[Refund], disputes: &[Dispute]) {
    let mut movements = vec![top_up(&intent(), Amount::from_pence(2_500), None)];
    movements.extend(movements_of(&intent(), refunds, disputes));
    loop {
        let booked: Vec<_> = movements
            .iter()
            .map(|movement| ledger.iter().find(|entry| entry.entry_key == movement.reason.key()).cloned())
            .collect();
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

fn balance(ledger: &[Entry]) -> i64 {
    ledger.last().map_or(0, |last| last.balance_after.pence())
}

#[test]
fn partial_refunds_are_booked_object_by_object() {
    let mut ledger = Vec::new();
    book(&mut ledger, &[refund("re_1", 500, RefundStatus::Succeeded)], &[]);
    assert_eq!(balance(&ledger), 2_000);
    let both = [refund("re_1", 500, RefundStatus::Succeeded), refund("re_2", 2_000, RefundStatus::Pending)];
    book(&mut ledger, &both, &[]);
    book(&mut ledger, &both, &[]);
    assert_eq!((balance(&ledger), ledger.len()), (0, 3));
}

#[test]
fn a_refund_that_fails_gives_back_what_was_booked_and_one_that_never_was_gives_nothing() {
    let mut ledger = Vec::new();
    book(&mut ledger, &[refund("re_1", 500, RefundStatus::Pending)], &[]);
    book(
        &mut ledger,
        &[refund("re_1", 500, RefundStatus::Failed), refund("re_2", 300, RefundStatus::Failed)],
        &[],
    );
    book(
        &mut ledger,
        &[refund("re_1", 500, RefundStatus::Failed), refund("re_2", 300, RefundStatus::Failed)],
        &[],
    );
    assert_eq!((balance(&ledger), ledger.len()), (2_500, 3));
}

#[test]
fn a_dispute_is_withdrawn_and_reinstated() {
    let mut ledger = Vec::new();
    book(&mut ledger, &[], &[dispute(&[("txn_1", -2_500)])]);
    assert_eq!(balance(&ledger), 0);
    book(&mut ledger, &[], &[dispute(&[("txn_1", -2_500), ("txn_2", 2_500)])]);
    book(&mut ledger, &[], &[dispute(&[("txn_1", -2_500), ("txn_2", 2_500)])]);
    assert_eq!((balance(&ledger), ledger.len()), (2_500, 3));
}

#[test]
fn refunds_and_disputes_never_take_more_than_was_credited_nor_give_more_than_was_taken() {
    let mut ledger = Vec::new();
    book(&mut ledger, &[refund("re_1", 2_000, RefundStatus::Succeeded)], &[dispute(&[("txn_1", -2_500)])]);
    assert_eq!(balance(&ledger), 0);
    book(
        &mut ledger,
        &[refund("re_1", 2_000, RefundStatus::Succeeded)],
        &[dispute(&[("txn_1", -2_500), ("txn_2", 9_900)])],
    );
    assert_eq!(balance(&ledger), 500, "2,000p are on the card, and no more comes back than was taken");
}

#[test]
fn an_inquiry_and_a_refund_that_waits_for_the_customer_move_nothing() {
    let mut ledger = Vec::new();
    book(&mut ledger, &[refund("re_1", 500, RefundStatus::RequiresAction)], &[dispute(&[])]);
    assert_eq!((balance(&ledger), ledger.len()), (2_500, 1));
}

#[test]
fn a_dispute_that_is_won_after_a_partial_refund_gives_back_what_stripe_holds_again() {
    // G7: 25 pounds paid, 10 refunded, the whole payment disputed, the dispute won.
    let mut ledger = Vec::new();
    let refunds = [refund("re_1", 1_000, RefundStatus::Succeeded)];
    book(&mut ledger, &refunds, &[]);
    book(&mut ledger, &refunds, &[dispute(&[("txn_1", -2_500)])]);
    assert_eq!(balance(&ledger), 0);
    book(&mut ledger, &refunds, &[dispute(&[("txn_1", -2_500), ("txn_2", 2_500)])]);
    assert_eq!(balance(&ledger), 1_500);
}

/// Something that Stripe does to a payment of 2,500p.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Refund(i64),
    FailRefund(usize),
    Dispute(i64),
    GiveBack(i64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (1_i64..2_500).prop_map(Deed::Refund),
        (0_usize..4).prop_map(Deed::FailRefund),
        (1_i64..3_000).prop_map(Deed::Dispute),
        (1_i64..3_000).prop_map(Deed::GiveBack),
    ];
    prop::collection::vec(deed, 0..10)
}

proptest! {
    // G7: whatever is refunded, fails, is disputed and is given back in part, in whatever order, and whether each is heard of
    // at its time or several at once: the wallet has what Stripe holds.
    #[test]
    fn the_wallet_has_what_stripe_holds_of_a_payment(deeds in deeds(), looks in prop::collection::vec(any::<bool>(), 10)) {
        let (mut refunds, mut moved): (Vec<Refund>, Vec<(String, i64)>) = (Vec::new(), Vec::new());
        let mut ledger = Vec::new();
        for (at, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Refund(pence) => refunds.push(refund(&format!("re_{at}"), pence, RefundStatus::Pending)),
                Deed::FailRefund(nth) => {
                    if let Some(refund) = refunds.get_mut(nth) {
                        refund.status = RefundStatus::Failed;
                    }
                }
                Deed::Dispute(pence) => moved.push((format!("txn_{at}"), -pence)),
                Deed::GiveBack(pence) => {
                    // Stripe gives back no more than it took.
                    let taken: i64 = -moved.iter().map(|(_, pence)| pence).sum::<i64>();
                    if taken > 0 {
                        moved.push((format!("txn_{at}"), pence.min(taken)));
                    }
                }
            }
            if looks[at] {
                book(&mut ledger, &refunds, &[dispute(&pairs(&moved))]);
            }
        }
        book(&mut ledger, &refunds, &[dispute(&pairs(&moved))]);
        let refunded: i64 =
            refunds.iter().filter(|refund| refund.status == RefundStatus::Pending).map(|refund| refund.amount).sum();
        let held = 2_500 - refunded + moved.iter().map(|(_, pence)| pence).sum::<i64>();
        prop_assert_eq!(balance(&ledger), held.max(0));
        let len = ledger.len();
        book(&mut ledger, &refunds, &[dispute(&pairs(&moved))]);
        prop_assert_eq!(ledger.len(), len, "a repeat books nothing");
    }
}

fn pairs(moved: &[(String, i64)]) -> Vec<(&str, i64)> {
    moved.iter().map(|(id, pence)| (id.as_str(), *pence)).collect()
}
