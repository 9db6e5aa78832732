//! What was verified is read anew, by a rota that nothing stops; what cannot be read freezes nothing; what waits is told.

use domain::{
    amount::{Amount, Balance},
    ids::PaymentIntentId,
    ledger::{Entry, Head, Posting, Reason, rota},
};
use jiff::Timestamp;
use serde_json::Map;
use store::runs::Rota;

use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A clinic with three entries, whose books are right and verified.
pub(super) async fn verified_clinic() -> Harness {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:01:40Z")).await;
    harness.top_up(ORG, "pi_second", 1_000).await;
    assert_eq!(kinds(&run(&harness, "books").await.left), Vec::<&str>::new());
    assert_eq!(verified(&harness, ORG).await.verified.head.seq, 3);
    harness
}

async fn rota(harness: &Harness, org: OrgId) -> Rota {
    verified(harness, org).await.rota.unwrap()
}

pub(super) fn later(harness: &Harness, by: SignedDuration) {
    harness.clock.turn_to(harness.clock.now() + by);
}

/// Puts an entry into the table as DynamoDB holds it, past every guard.
pub(super) async fn put_entry(harness: &Harness, entry: &Entry) {
    let Value::Object(fields) = serde_json::to_value(entry).unwrap() else { panic!("an entry is a map") };
    let attribute = |value: Value| {
        if value.is_number() { json!({"N": value.to_string()}) } else { json!({"S": value}) }
    };
    let item: Map<String, Value> = fields.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    tamper(harness, "PutItem", Table::LedgerEntries, json!({"Item": item})).await;
}

fn top_up(payment: &str, at: Timestamp) -> Posting {
    let reason = Reason::TopUp { payment_intent: PaymentIntentId::parse(payment).unwrap() };
    Posting { reason, amount: Amount::from_pence(1), description: "Top-up".to_owned(), at }
}

#[tokio::test]
async fn an_entry_altered_after_it_was_verified_is_found_within_thirty_days() {
    for key in ["topup#pi_first", "call#web-1", "topup#pi_second"] {
        let (alarms, _guard) = alarms();
        let harness = verified_clinic().await;
        change_entry(&harness, key, "SET description = :value", json!({"S": "A gift"})).await;
        let mut days = 0;
        while count(&alarms, "books_wrong") == 0 {
            assert!(days < 30, "{key} was not found");
            later(&harness, DAY);
            days += 1;
            run(&harness, "books").await;
        }
        assert_eq!(frozen(&harness).await, None, "{key}: the first look freezes nothing");
        later(&harness, SignedDuration::from_secs(60));
        run(&harness, "calls").await;
        assert_eq!(frozen(&harness).await.as_deref(), Some("books"), "{key}");
    }
}

#[tokio::test]
async fn a_round_makes_up_for_runs_that_did_not_come_and_ends_where_the_ledger_was_verified() {
    let harness = verified_clinic().await;
    let began_at = rota(&harness, ORG).await.round_began_at;
    later(&harness, DAY * 20);
    run(&harness, "books").await;
    let (two, entries) = (rota(&harness, ORG).await, harness.entries().await);
    assert_eq!(
        (two.read.head, two.round_began_at),
        (entries[1].head(), began_at),
        "20 of 25 days: 2 of 3 entries"
    );
    later(&harness, DAY * 5);
    run(&harness, "books").await;
    let next = rota(&harness, ORG).await;
    assert_eq!(
        (next.read, next.round_began_at),
        (Verified::nothing(ORG), harness.clock.now()),
        "the next round"
    );

    // A round that comes to another end than what was verified has read something else.
    let noted = verified(&harness, ORG).await;
    let other = Verified { balance: Balance::from_pence(1), ..noted.verified };
    let rota = Some(Rota { read: other, ..next });
    Runs::new(harness.stack.db()).note_verified(ORG, &Checked { rota, ..noted }).await.unwrap();
    later(&harness, rota::ROUND);
    assert_eq!(kinds(&run(&harness, "books").await.left), ["books_wrong"]);
}

#[tokio::test]
async fn runs_that_are_all_cut_off_read_every_ledger_anew_within_thirty_days() {
    let harness = verified_clinic().await;
    let third = OrgId::new(Uuid::from_u128(0xC));
    for org in [OTHER_ORG, third] {
        harness.wallets.ensure(org).await.unwrap();
        harness.top_up(org, &format!("pi_{org}"), 1_000).await;
    }
    let (clock, ledger) = (Arc::clone(&harness.clock), harness.stack.db().table_name(Table::LedgerEntries));
    harness.stack.aws.set_plan(move |sent| {
        if sent.operation == "Query" && sent.body["TableName"] == ledger {
            clock.turn_to(clock.now() + SignedDuration::from_secs(101));
        }
        Outcome::Pass
    });
    let began_at = harness.clock.now();
    let mut cut = 0;
    for _ in 0..30 {
        later(&harness, DAY);
        let report = run(&harness, "books").await;
        assert!(report.left.is_empty(), "{report:?}");
        cut += u32::from(!report.complete);
    }
    assert!(cut > 10, "{cut} runs were cut off");
    for org in [ORG, OTHER_ORG, third] {
        assert!(rota(&harness, org).await.round_began_at > began_at + DAY, "{org}");
    }
}

#[tokio::test]
async fn a_ledger_of_many_pages_is_verified_and_a_twin_at_the_seam_of_two_pages_is_found() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let mut entries = harness.entries().await;
    for nth in 2..=1_003 {
        let last = entries.last().unwrap();
        let posting = top_up(&format!("pi_{nth:04}"), harness.clock.now());
        let next = Entry::next(ORG, last.head(), last.balance_after, &posting);
        put_entry(&harness, &next).await;
        entries.push(next);
    }
    let last = entries.last().unwrap();
    let head = json!({":seq": {"N": last.seq.to_string()}, ":head": {"S": last.hash.to_string()},
        ":pence": {"N": last.balance_after.pence().to_string()}});
    change_wallet(&harness, "SET ledger_seq = :seq, ledger_head = :head, available = :pence", head).await;
    harness.assert_books(ORG).await;
    assert!(run(&harness, "books").await.left.is_empty());
    assert_eq!(verified(&harness, ORG).await.verified.head, last.head());

    // Rightly chained to the entry before, rightly hashed, and sorted after the one whose number it bears.
    let before = &entries[498];
    put_entry(
        &harness,
        &Entry::next(ORG, before.head(), before.balance_after, &top_up("pi_zz", before.created_at)),
    )
    .await;
    later(&harness, rota::ROUND);
    assert_eq!(kinds(&run(&harness, "books").await.left), ["books_wrong"]);
}

#[tokio::test]
async fn what_cannot_be_read_alarms_every_day_and_freezes_nothing() {
    let (alarms, _guard) = alarms();
    let harness = clinic().await;
    change_entry(&harness, "call#web-1", "SET amount = :value", json!({"N": "-94"})).await;
    for looks in 1..=3 {
        let report = run(&harness, "books").await;
        assert_eq!(kinds(&report.left), ["books_unreadable"], "{report:?}");
        assert_eq!(count(&alarms, "books_unreadable"), looks);
        later(&harness, SignedDuration::from_secs(60));
        run(&harness, "calls").await;
    }
    assert_eq!((frozen(&harness).await, count(&alarms, "books_wrong")), (None, 0));
    change_entry(&harness, "call#web-1", "SET amount = :value", json!({"N": "94"})).await;
    assert!(run(&harness, "books").await.left.is_empty());
}

#[tokio::test]
async fn a_tariff_of_a_newer_build_is_read_and_its_call_is_billed() {
    let harness = clinic().await;
    let seven = || json!({":seven": {"N": "7"}});
    let held = json!({"Key": {"org_id": {"S": ORG.to_string()}}, "UpdateExpression": "SET holds.#call.tariff = :seven",
        "ExpressionAttributeNames": {"#call": "call-1"}, "ExpressionAttributeValues": seven()});
    tamper(&harness, "UpdateItem", Table::Wallets, held).await;
    let key = json!({"org_id": {"S": ORG.to_string()}, "call_id": {"S": "call-1"}});
    let newer =
        json!({"Key": key, "UpdateExpression": "SET tariff = :seven", "ExpressionAttributeValues": seven()});
    tamper(&harness, "UpdateItem", Table::Calls, newer).await;
    assert!(run(&harness, "books").await.left.is_empty());
    assert_eq!(harness.vapi(&bodies::report("call-1", 60)).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [56], "by the newest price that this build knows");
    let bill = harness.entries().await.pop().unwrap();
    assert_eq!(bill.tariff.map(u32::from), Some(1), "it names the version that it was priced by");
    assert!(run(&harness, "books").await.left.is_empty());
    assert_eq!(frozen(&harness).await, None);
}

#[tokio::test]
async fn a_wallet_that_waits_for_days_and_a_round_that_goes_on_for_a_month_alarm() {
    let harness = verified_clinic().await;
    let (now, runs) = (harness.clock.now(), Runs::new(harness.stack.db()));
    let second = SignedDuration::from_secs(1);
    let most = (SignedDuration::from_hours(72), SignedDuration::from_hours(30 * 24));
    for (waited, round, raised) in
        [(most.0, most.1, (0, 0)), (most.0 + second, most.1, (1, 0)), (most.0, most.1 + second, (0, 1))]
    {
        let (alarms, _guard) = alarms();
        // An org whose wallet no run comes to.
        let verified = Verified { head: Head::genesis(OTHER_ORG), balance: Balance::ZERO };
        let rota = Rota { verified_at: now - waited, round_began_at: now - round, read: verified };
        runs.note_verified(OTHER_ORG, &Checked { verified, rota: Some(rota), is_anchored: false })
            .await
            .unwrap();
        run(&harness, "books").await;
        let counted = (count(&alarms, "books_unverified"), count(&alarms, "books_not_read_anew"));
        assert_eq!(counted, raised, "waited {waited}, round {round}");
    }
}
