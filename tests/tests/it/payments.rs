//! Money in and back by card.

use sandbox::stripe::Act;
use serde_json::json;
use tests::{Harness, ORG, fixture};

#[tokio::test]
async fn a_paid_session_is_credited_once_however_many_events_describe_it() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.stack.stripe.with_faults(|faults| faults.extra_copies = 2);
    let payment = harness.pay(2_500).await;
    assert_eq!(harness.money().await, (2_500, 0));
    let entries = harness.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].entry_key.as_str(), format!("topup#{payment}"));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_session_that_is_not_paid_yet_is_credited_when_it_is() {
    // W9
    let harness = Harness::with_wallet(0, 600).await;
    let session = harness.begin_top_up(3_000).await;
    harness.stack.stripe.act(&session, Act::PayLater).unwrap();
    harness.pass(30).await;
    assert_eq!(harness.money().await, (0, 0), "completed, and unpaid");
    harness.pass(60).await;
    assert_eq!(harness.money().await, (3_000, 0));
}

#[tokio::test]
async fn a_declined_card_credits_nothing() {
    let harness = Harness::with_wallet(0, 600).await;
    let session = harness.begin_top_up(3_000).await;
    assert!(harness.stack.stripe.act(&session, Act::Decline).is_err());
    harness.pass(100).await;
    assert_eq!(harness.money().await, (0, 0));
}

#[tokio::test]
async fn what_is_credited_is_what_was_received_not_what_metadata_says() {
    // W9
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let customer = harness.wallet().await.stripe_customer.unwrap();
    let mut metadata = harness.mark();
    metadata["amount_pence"] = json!("999999");
    metadata["org_id"] = json!(tests::OTHER_ORG.to_string());
    let payment = json!({"id": "pi_x", "object": "payment_intent", "status": "succeeded", "amount_received": 2_600,
        "currency": "gbp", "customer": customer, "metadata": metadata});
    let event = harness.stack.stripe.event("payment_intent.succeeded", &payment);
    assert_eq!(harness.stripe(&event).await.0, 200);
    assert_eq!(harness.money().await, (5_100, 0));
}

#[tokio::test]
async fn a_payment_that_is_not_ours_is_a_dead_letter() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let customer = harness.wallet().await.stripe_customer.unwrap();
    let mark = harness.mark();
    let payment = |currency: &str, customer: &str, metadata: &serde_json::Value| {
        json!({"id": "pi_y", "status": "succeeded", "amount_received": 2_600, "currency": currency,
            "customer": customer, "metadata": metadata})
    };
    let cases = [
        payment("usd", customer.as_str(), &mark),
        payment("gbp", "cus_stranger", &mark),
        payment("gbp", customer.as_str(), &json!({})),
        payment("gbp", customer.as_str(), &json!({"voxanne_environment": "production"})),
    ];
    for payment in cases {
        let event = harness.stack.stripe.event("payment_intent.succeeded", &payment);
        assert_eq!(harness.stripe(&event).await.0, 200);
        let id = domain::ids::EventId::parse(event["id"].as_str().unwrap()).unwrap();
        let events = store::webhook_events::WebhookEvents::stripe(harness.stack.db());
        assert_eq!(events.get(&id).await.unwrap().unwrap().outcome, "dead_letter", "{payment}");
    }
    assert_eq!(harness.money().await, (2_500, 0));
}

#[tokio::test]
async fn the_event_of_a_stranger_moves_no_money() {
    let harness = Harness::with_wallet(0, 600).await;
    let event = fixture("stripe.payment_intent.succeeded.of-a-stranger");
    assert_eq!(harness.stripe(&event).await.0, 200);
    assert_eq!(harness.money().await, (0, 0));
}

#[tokio::test]
async fn refunds_partial_and_full_and_failed_move_the_balance_even_below_zero() {
    // B10
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(2_500).await;
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_000, 0));
    harness.top_up(ORG, "pi_other", 100).await;
    // Spend nearly all of it, then refund the rest: a debt.
    let report = tests::web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:35:00Z");
    harness.vapi(&report).await;
    assert_eq!(harness.money().await, (140, 0), "35 minutes cost 1,960p");
    let refund = harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}"));
    harness.pass(0).await;
    assert_eq!(harness.money().await, (-1_860, 0));
    harness.stack.stripe.fail_refund(refund["id"].as_str().unwrap()).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (140, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_dispute_is_withdrawn_and_reinstated_and_stripes_fee_is_ours() {
    // B10
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(2_500).await;
    let dispute = harness.stack.stripe.dispute(&payment, None).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (0, 0));
    harness.stack.stripe.decide_dispute(&dispute, true).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_500, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_refund_whose_payment_was_never_credited_books_the_top_up_first() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.stack.stripe.with_faults(|faults| {
        faults.lost.insert("checkout.session.completed".into());
        faults.lost.insert("payment_intent.succeeded".into());
    });
    let payment = harness.pay(2_500).await;
    assert_eq!(harness.money().await, (0, 0), "both events are lost");
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_000, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_refund_that_empties_the_wallet_ends_the_live_calls() {
    let harness = Harness::with_wallet(0, 3_600).await;
    let payment = harness.pay(2_500).await;
    let call = harness.ring(3_000);
    harness.pass(100).await;
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}"));
    harness.pass(10).await;
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("manually-canceled"));
    assert_eq!(harness.bills_of(&call).await, [93], "99 s");
    assert_eq!(harness.money().await, (-93, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_double_click_makes_one_session_and_the_next_top_up_another() {
    let harness = Harness::with_wallet(0, 600).await;
    let (first, second) = tokio::join!(harness.begin_top_up(2_500), harness.begin_top_up(2_500));
    assert_eq!(first, second, "at once");
    assert_eq!(harness.begin_top_up(2_500).await, first, "within ten minutes");
    assert_ne!(harness.begin_top_up(2_600).await, first, "another amount");
    harness.stack.stripe.act(&first, Act::Pay).unwrap();
    harness.pass(0).await;
    let next = harness.begin_top_up(2_500).await;
    assert_ne!(next, first, "the first is paid");
    harness.pass(700).await;
    assert_ne!(harness.begin_top_up(2_500).await, next, "ten minutes later");
    assert_eq!(harness.stack.stripe.all("customer").len(), 1);
}
