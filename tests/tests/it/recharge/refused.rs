//! Charges that Stripe refuses as such: for the card's sake, for its customer's, or for ours.

use super::*;

fn refusals(alarms: &local::alarms::Alarms) -> usize {
    alarms.names().iter().filter(|name| *name == "recharge_refused").count()
}

#[tokio::test]
async fn a_request_that_stripe_refuses_says_nothing_of_the_card_and_is_sent_again() {
    // V10
    let (alarms, _guard) = alarms();
    let harness = carded().await;
    harness.fault(("stripe", "rest"), Mode::Refuse, 1);
    spend(&harness, "web-low", 2_100).await;
    harness.pass(0).await;
    assert_eq!(shown(&harness).await["suspended_reason"], Value::Null);
    assert_eq!((charges(&harness).len(), attempt(&harness).await), (0, Some(1)));
    assert_eq!(refusals(&alarms), 1);
    come_again(&harness).await;
    assert_at_rest(&harness, Card::Good, "the request is right again").await;
    assert_eq!(refusals(&alarms), 1);
}

#[tokio::test]
async fn a_card_that_stripe_does_not_charge_at_all_is_left_alone_until_the_clinic_asks_anew() {
    // V10: a detached card is refused without a code; a forgotten one by its parameter.
    for is_forgotten in [false, true] {
        let (alarms, _guard) = alarms();
        let harness = carded().await;
        let card = harness.wallet().await.payment_method.unwrap();
        if is_forgotten {
            harness.stack.stripe.forget(&card);
        } else {
            let answer = harness.stripe_post(&format!("/v1/payment_methods/{card}/detach"), "");
            assert_eq!(answer["customer"], Value::Null, "{answer}");
        }
        spend(&harness, "web-low", 2_100).await;
        come_again(&harness).await;
        let recharge = shown(&harness).await;
        assert_eq!(recharge["suspended_reason"], "card_unusable", "{recharge}");
        assert_eq!((charges(&harness).len(), attempt(&harness).await), (0, None));
        assert_eq!(refusals(&alarms), 0, "that is the clinic's to see");
        reconcile(&harness).await;
        harness.stack.faults.forget_log();
        spend(&harness, "web-2", 100).await;
        harness.pass(0).await;
        let log = harness.stack.faults.log();
        assert!(!log.iter().any(|(vendor, _)| vendor == "stripe"), "nothing is tried: {log:?}");
        set(&harness, &terms()).await;
        harness.pass(0).await;
        assert_eq!(
            shown(&harness).await["suspended_reason"],
            "card_unusable",
            "it was tried, and refused again"
        );
        harness.pay(2_500).await;
        assert_eq!(shown(&harness).await["suspended_reason"], Value::Null, "another card is there");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_charge_of_a_customer_that_is_gone_ends_and_the_next_top_up_brings_another() {
    // V7: deleted, or never known to this account; before the charge is sent, or after it was lost on its way.
    for (is_unknown, is_sent) in [(false, false), (false, true), (true, false), (true, true)] {
        let what = format!("unknown: {is_unknown}, sent: {is_sent}");
        let harness = if is_sent { Box::pin(sent_and_lost()).await } else { carded().await };
        let gone = harness.wallet().await.stripe_customer.unwrap();
        if is_unknown {
            harness.stack.stripe.forget(gone.as_str());
        } else {
            harness.stripe_delete(&format!("/v1/customers/{gone}"));
        }
        if !is_sent {
            spend(&harness, "web-low", 2_100).await;
        }
        harness.pass(0).await;
        reconcile(&harness).await;
        assert_eq!(shown(&harness).await["suspended_reason"], "card_unusable", "{what}");
        assert_eq!((charges(&harness).len(), attempt(&harness).await), (0, None), "{what}");

        harness.pay(2_500).await;
        let fresh = harness.wallet().await.stripe_customer.unwrap();
        assert_ne!(fresh, gone, "{what}");
        spend(&harness, "web-again", 2_500).await;
        harness.pass(0).await;
        assert_eq!((charges(&harness).len(), credits(&harness).await), (1, 1), "{what}");
        harness.assert_books(ORG).await;
        assert_eq!(charges(&harness)[0]["customer"], json!(fresh), "{what}");
    }
}

#[tokio::test]
async fn a_charge_names_its_way_to_pay() {
    let harness = low().await;
    harness.pass(0).await;
    assert_eq!(charges(&harness)[0]["payment_method_types"], json!(["card"]));
}

#[tokio::test]
async fn a_debt_beyond_one_charges_ceiling_is_charged_in_parts_that_keep_within_it() {
    let harness = carded().await;
    let mut capped = terms();
    capped["max_charge_pence"] = json!(2_500);
    set(&harness, &capped).await;
    spend(&harness, "web-1", 2_400).await;
    spend(&harness, "web-2", 2_400).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    let amounts: Vec<Value> = charges(&harness).iter().map(|charge| charge["amount"].clone()).collect();
    assert_eq!(amounts, [json!(2_500), json!(2_500)], "2,300p of debt and 500p of threshold");
    assert_eq!(harness.money().await, (2_700, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn the_largest_multiple_that_fits_into_the_month_is_charged() {
    let harness = carded().await;
    let mut limited = terms();
    limited["monthly_limit"] = json!(4_000);
    set(&harness, &limited).await;
    spend(&harness, "web-1", 2_400).await;
    spend(&harness, "web-2", 2_400).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    assert_eq!(charges(&harness).len(), 1, "5,000p would end the shortage");
    assert_eq!(harness.money().await, (200, 0));
    assert_eq!(shown(&harness).await["skipped_reason"], "monthly_limit");
}
