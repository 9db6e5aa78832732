//! Money in and back by card.

use domain::{ids::EventId, ledger::Kind};
use sandbox::stripe::Act;
use serde_json::{Value, json};
use store::webhook_events::{WebhookEvent, WebhookEvents};
use tests::{Harness, ORG, alarms, fixture};

/// What was kept of an event.
async fn kept(harness: &Harness, event: &Value) -> Option<WebhookEvent> {
    let id = EventId::parse(event["id"].as_str().unwrap()).unwrap();
    WebhookEvents::stripe(harness.stack.db()).get(&id).await.unwrap()
}

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
async fn a_payment_with_our_mark_or_of_our_customer_that_cannot_be_credited_is_a_dead_letter() {
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

#[tokio::test]
async fn what_is_anothers_on_the_same_account_is_silent() {
    // V8
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let customer = harness.wallet().await.stripe_customer.unwrap();
    let payment = |id: &str, customer: &str, metadata: Value| {
        json!({"id": id, "object": "payment_intent", "status": "succeeded", "amount_received": 4_900,
            "currency": "gbp", "customer": customer, "metadata": metadata})
    };
    for (type_name, object) in [
        ("payment_intent.succeeded", payment("pi_a", "cus_other", json!({}))),
        ("payment_intent.succeeded", payment("pi_b", "cus_other", json!({"voxanne_environment": "staging"}))),
        ("payment_intent.succeeded", payment("pi_c", "cus_other", json!({"order_id": "shop-17"}))),
        (
            "payment_intent.succeeded",
            payment("pi_d", customer.as_str(), json!({"voxanne_environment": "staging"})),
        ),
        ("payment_intent.payment_failed", payment("pi_e", "cus_other", json!({}))),
    ] {
        let event = harness.stack.stripe.event(type_name, &object);
        assert_eq!(harness.stripe(&event).await.0, 200, "{object}");
        assert_eq!(kept(&harness, &event).await, None, "{object}");
    }

    // Another product's payment, refunded, disputed and warned of.
    let other = harness.stripe_post("/v1/customers", "name=Shop");
    let form = format!(
        "amount=4900&currency=gbp&customer={}&payment_method=pm_card_visa&confirm=true",
        other["id"].as_str().unwrap()
    );
    let paid = harness.stripe_post("/v1/payment_intents", &form)["id"].as_str().unwrap().to_owned();
    harness.stripe_post("/v1/refunds", &format!("payment_intent={paid}&amount=900"));
    harness.stack.stripe.dispute(&paid, None).unwrap();
    harness.stack.stripe.warn(&paid).unwrap();
    harness.pass(60).await;
    Box::pin(harness.reconcile("payments")).await;
    let letters = WebhookEvents::stripe(harness.stack.db()).dead_letters(10).await.unwrap();
    assert_eq!((letters, alarms.names()), (vec![], vec![]));
    assert_eq!(harness.money().await, (2_500, 0));
}

#[tokio::test]
async fn a_payment_that_stripe_does_not_know_is_a_dead_letter_and_told_once() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let objects = [
        ("checkout.session.completed", json!({"payment_status": "paid", "payment_intent": "pi_unknown"})),
        ("refund.created", json!({"object": "refund", "id": "re_1", "payment_intent": "pi_unknown"})),
        ("charge.dispute.created", json!({"object": "dispute", "id": "dp_1", "charge": "ch_unknown"})),
        (
            "radar.early_fraud_warning.created",
            json!({"object": "radar.early_fraud_warning", "id": "issfr_1", "charge": "ch_unknown"}),
        ),
    ];
    for (nth, (type_name, object)) in objects.iter().enumerate() {
        let event = harness.stack.stripe.event(type_name, object);
        for _ in 0..2 {
            assert_eq!(harness.stripe(&event).await.0, 200, "{type_name}");
        }
        let letter = kept(&harness, &event).await.unwrap();
        let reason = letter.reason.as_deref();
        assert_eq!(
            (letter.outcome.as_str(), reason),
            ("dead_letter", Some("Stripe does not know this payment"))
        );
        let told = alarms.names().iter().filter(|name| *name == "stripe_dead_letter").count();
        assert_eq!(told, nth + 1, "{type_name}");
    }
    assert_eq!(harness.money().await, (2_500, 0));
}

#[tokio::test]
async fn a_settlement_in_another_currency_keeps_nothing_from_being_booked() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(0, 600).await;
    harness.stack.stripe.with_faults(|faults| faults.settles_in_euros = true);
    let payment = harness.pay(2_500).await;
    let dispute = harness.stack.stripe.dispute(&payment, Some(900)).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (1_600, 0), "1,080 cents were taken, which are 900p");
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
    harness.pass(0).await;
    assert_eq!(harness.money().await, (1_100, 0));
    harness.stack.stripe.reinstate(&dispute, 300).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (1_400, 0));
    assert_eq!(alarms.names(), Vec::<String>::new());
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_dispute_that_is_won_after_a_partial_refund_leaves_on_the_card_what_is_there() {
    // G7
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(2_600).await;
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=1000"));
    harness.pass(0).await;
    let dispute = harness.stack.stripe.dispute(&payment, None).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (0, 0));
    harness.stack.stripe.decide_dispute(&dispute, true).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (1_600, 0));
    let last = harness.entries().await.pop().unwrap();
    assert_eq!((last.kind, last.amount.pence()), (Kind::DisputeReversal, 1_600));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_inquiry_takes_money_once_it_is_a_dispute_and_what_is_won_comes_back_once() {
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(2_500).await;
    let inquiry = harness.stack.stripe.inquire(&payment).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_500, 0), "the bank only asks");
    harness.stack.stripe.escalate_inquiry(&inquiry).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (0, 0));
    harness.stack.stripe.reinstate(&inquiry, 300).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (300, 0));
    harness.stack.stripe.decide_dispute(&inquiry, true).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_500, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_refund_that_waits_is_taken_at_once_and_comes_back_when_it_fails() {
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(2_500).await;
    harness.stack.stripe.with_faults(|faults| faults.refunds_are_pending = true);
    let refund = |pence: u32| {
        let made = harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount={pence}"));
        assert_eq!(made["status"], "pending");
        made["id"].as_str().unwrap().to_owned()
    };
    let (arrives, fails) = (refund(500), refund(700));
    harness.pass(0).await;
    assert_eq!(harness.money().await, (1_300, 0));
    harness.stack.stripe.arrive_refund(&arrives).unwrap();
    harness.stack.stripe.fail_refund(&fails).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_000, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_customer_that_is_gone_is_replaced_once_and_what_it_paid_stays_the_orgs() {
    // V7: deleted at Stripe, or of another account or mode.
    for is_unknown in [false, true] {
        let harness = Harness::with_wallet(0, 600).await;
        let payment = harness.pay(2_500).await;
        let gone = harness.wallet().await.stripe_customer.unwrap();
        let old_card = harness.wallet().await.payment_method.unwrap();
        if is_unknown {
            harness.stack.stripe.forget(gone.as_str());
        } else {
            harness.stripe_delete(&format!("/v1/customers/{gone}"));
        }
        let (first, second) = tokio::join!(harness.begin_top_up(2_500), harness.begin_top_up(2_500));
        assert_eq!(first, second, "at once, and by the same amount as before");
        assert_eq!(harness.wallet().await.payment_method, None, "a card goes with its customer");
        harness.stack.stripe.act(&first, Act::Pay).unwrap();
        harness.pass(0).await;
        let wallet = harness.wallet().await;
        let fresh = wallet.stripe_customer.clone().unwrap();
        assert!(fresh != gone && wallet.payment_method.as_ref() != Some(&old_card));
        assert!(wallet.payment_method.is_some(), "the fresh customer's card is kept");
        for pence in [2_500, 5_000, 10_000] {
            harness.begin_top_up(pence).await;
        }
        assert_eq!(harness.wallet().await.stripe_customer, Some(fresh), "the fresh one stays");
        let alive = harness.stack.stripe.all("customer").len();
        assert_eq!(alive, if is_unknown { 1 } else { 2 }, "and is the only one that was made");
        assert_eq!(harness.money().await, (5_000, 0));
        harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
        harness.pass(0).await;
        assert_eq!(harness.money().await, (4_500, 0), "of a payment of the old one");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_customer_whose_replacement_is_gone_too_is_not_replaced_again() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let gone = harness.wallet().await.stripe_customer.unwrap();
    harness.stripe_delete(&format!("/v1/customers/{gone}"));
    harness.stack.stripe.with_faults(|faults| faults.customers_vanish = true);
    harness.stack.faults.forget_log();
    let body = json!({"amount_pence": 2_500}).to_string();
    let (status, answer) = harness.post("/api/billing/wallet/topup", &harness.owner(), body).await;
    assert_eq!((status, &answer["code"]), (502, &json!("payment_provider_unavailable")), "{answer}");
    let asked = harness.stack.faults.log();
    assert!(asked.len() <= 4, "a list, a session, a customer, a list: {asked:?}");
}

#[tokio::test]
async fn a_top_up_is_by_card_and_ends_with_an_invoice() {
    let harness = Harness::with_wallet(0, 600).await;
    let session = harness.begin_top_up(2_500).await;
    harness.stack.stripe.act(&session, Act::Pay).unwrap();
    let session = harness.stack.stripe.object(&session).unwrap();
    assert_eq!(session["payment_method_types"], json!(["card"]));
    assert!(session["invoice"].is_string(), "{session}");
}
