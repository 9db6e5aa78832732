use super::*;
use crate::ids::RefundId;
use proptest::prelude::*;

fn org() -> OrgId {
    OrgId::new(uuid::Uuid::nil())
}

fn book(movements: &[(bool, u32)]) -> Vec<Entry> {
    let mut head = Head::genesis(org());
    let mut balance = Balance::ZERO;
    let mut entries = Vec::new();
    for (i, (credit, pence)) in movements.iter().enumerate() {
        let payment_intent = PaymentIntentId::parse(format!("pi_{i}")).unwrap();
        let reason = if *credit {
            Reason::TopUp { payment_intent }
        } else {
            Reason::Refund { refund: RefundId::parse(format!("re_{i}")).unwrap(), payment_intent }
        };
        let posting = Posting {
            reason,
            amount: Amount::from_pence(*pence),
            description: "moved".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let entry = Entry::next(org(), head, balance, &posting);
        (head, balance) = (entry.head(), entry.balance_after);
        entries.push(entry);
    }
    entries
}

#[test]
fn debits_of_calls_numbers_and_texts_are_spent_and_what_is_given_back_is_taken_off() {
    let moved = book(&[(false, 70)]).remove(0);
    for kind in Kind::ALL {
        let spent = match kind {
            Kind::Call | Kind::PhoneNumber | Kind::Sms => 70,
            Kind::TopUp | Kind::Refund | Kind::Dispute | Kind::DisputeReversal | Kind::Adjustment => 0,
        };
        for (direction, expected) in [(EntrySide::Debit, spent), (EntrySide::Credit, -spent)] {
            let entry = Entry { kind, direction, ..moved.clone() };
            assert_eq!(entry.spent_pence(), expected, "{kind:?} {direction:?}");
        }
    }
}

#[test]
fn the_hash_is_over_lengths_and_bytes_as_the_docs_say() {
    // sha256sum of the seven bytes `1:a2:bc`.
    let expected = "5310a58788781ab25d5ad7c3f85035824b4eb7bdfa394e0ac2186271472b5492";
    assert_eq!(Hash::of(["a", "bc"]).to_string(), expected);
    assert_ne!(Hash::of(["a", "bc"]), Hash::of(["ab", "c"]));
}

proptest! {
    // B5: balance_after = balance_before ± amount, by direction, over any history.
    #[test]
    fn any_history_is_without_flaw_and_sums_to_its_balance(movements in prop::collection::vec((any::<bool>(), 0_u32..100_000), 0..40)) {
        let entries = book(&movements);
        prop_assert_eq!(flaws(&entries), vec![]);
        let sum = movements.iter().map(|(credit, pence)| if *credit { i64::from(*pence) } else { -i64::from(*pence) }).sum::<i64>();
        prop_assert_eq!(entries.last().map_or(0, |last| last.balance_after.pence()), sum);
    }

    #[test]
    fn a_removed_doubled_or_altered_entry_is_found(movements in prop::collection::vec((any::<bool>(), 1_u32..100_000), 3..20), at in any::<prop::sample::Index>(), how in 0..4) {
        let mut entries = book(&movements);
        // Neither the first nor the last: a run may start and stop anywhere.
        let at = 1 + at.index(entries.len() - 2);
        match how {
            0 => { entries.remove(at); }
            1 => { let copy = entries[at].clone(); entries.insert(at, copy); }
            2 => entries[at].amount = entries[at].amount.plus(Amount::from_pence(1)),
            _ => {
                entries[at].description.push('!');
                entries[at].hash = entries[at].computed_hash();
            }
        }
        prop_assert!(!flaws(&entries).is_empty());
    }
}
