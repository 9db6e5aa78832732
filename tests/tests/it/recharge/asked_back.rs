//! Money that is asked back: nothing is charged by itself until the clinic asks anew, and a disputed card never.

use super::*;

/// How money of a payment is asked back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Refund,
    LostDispute,
    WonDispute,
    Warning,
}

const ASKINGS: [Asking; 4] = [Asking::Refund, Asking::LostDispute, Asking::WonDispute, Asking::Warning];

impl Asking {
    /// Does so at Stripe.
    async fn happen(self, harness: &Harness, payment: &str) {
        match self {
            Self::Refund => {
                harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}"));
            }
            Self::LostDispute | Self::WonDispute => {
                let dispute = harness.stack.stripe.dispute(payment, None).unwrap();
                harness.pass(HOUR).await;
                harness.stack.stripe.decide_dispute(&dispute, self == Self::WonDispute).unwrap();
            }
            Self::Warning => {
                harness.stack.stripe.warn(payment).unwrap();
            }
        }
        harness.pass(HOUR).await;
    }

    /// Whether the card itself is charged again once the clinic asks for it.
    fn spares_the_card(self) -> bool {
        self == Self::Refund
    }
}

/// Spends all but 400p, if there is more.
async fn spend_down(harness: &Harness, call: &str) {
    for nth in 0..3 {
        let pence = (harness.money().await.0 - 400).clamp(0, 2_300);
        if pence > 0 {
            spend(harness, &format!("{call}-{nth}"), u32::try_from(pence).unwrap()).await;
        }
    }
    let left = harness.money().await.0;
    assert!(left < 500, "{left}p are left");
    harness.pass(HOUR).await;
}

/// The payments of the clinic, oldest first.
fn payments(harness: &Harness) -> Vec<String> {
    let all = harness.stack.stripe.all("payment_intent");
    all.iter().map(|payment| payment["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn money_that_is_asked_back_in_any_way_is_not_charged_again_by_itself() {
    // G6
    for (asking, is_automatic) in ASKINGS.into_iter().flat_map(|asking| [(asking, false), (asking, true)]) {
        let what = format!("{asking:?}, automatic: {is_automatic}");
        let harness = carded().await;
        if is_automatic {
            spend_down(&harness, "web-first").await;
            assert_eq!(charges(&harness).len(), 1, "{what}");
        }
        let before = charges(&harness).len();
        asking.happen(&harness, payments(&harness).last().unwrap()).await;
        spend_down(&harness, "web-after").await;
        reconcile(&harness).await;
        assert_eq!(charges(&harness).len(), before, "{what}: nobody has asked for another");
        let word = if asking.spares_the_card() { "asked_back" } else { "card_barred" };
        let recharge = shown(&harness).await;
        assert_eq!(
            (&recharge["suspended_reason"], &recharge["skipped_reason"]),
            (&json!(word), &json!(word))
        );

        set(&harness, &terms()).await;
        harness.pass(HOUR).await;
        reconcile(&harness).await;
        let asked_anew = before + usize::from(asking.spares_the_card());
        assert_eq!(charges(&harness).len(), asked_anew, "{what}: the clinic has, and the card counts");

        // The clinic has asked, and another card is there.
        harness.pay(2_500).await;
        spend_down(&harness, "web-other").await;
        reconcile(&harness).await;
        assert_eq!(charges(&harness).len(), asked_anew + 1, "{what}: another card stays usable");
        assert_eq!(shown(&harness).await["suspended_reason"], Value::Null, "{what}");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn another_card_alone_does_not_ask_anew_for_what_was_asked_back() {
    let harness = carded().await;
    Asking::LostDispute.happen(&harness, &payments(&harness)[0]).await;
    harness.pay(2_500).await;
    spend_down(&harness, "web-1").await;
    reconcile(&harness).await;
    assert_eq!(shown(&harness).await["skipped_reason"], "asked_back");
    assert_eq!(charges(&harness).len(), 0);
    set(&harness, &terms()).await;
    harness.pass(0).await;
    assert_eq!((charges(&harness).len(), credits(&harness).await), (1, 1));
}

#[tokio::test]
async fn money_of_an_old_cards_payment_leaves_a_newer_card_alone() {
    for asking in ASKINGS {
        let harness = carded().await;
        harness.pass(60).await;
        harness.pay(2_500).await;
        asking.happen(&harness, &payments(&harness)[0]).await;
        spend_down(&harness, "web-1").await;
        let recharge = shown(&harness).await;
        assert_eq!(recharge["suspended_reason"], Value::Null, "{asking:?}: {recharge}");
        assert_eq!((charges(&harness).len(), credits(&harness).await), (1, 1), "{asking:?}");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_warning_whose_event_is_lost_is_found_in_stripes_list() {
    let harness = carded().await;
    harness.stack.stripe.with_faults(|faults| {
        faults.lost.insert("radar.early_fraud_warning.created".into());
    });
    harness.stack.stripe.warn(&payments(&harness)[0]).unwrap();
    harness.pass(HOUR).await;
    assert_eq!(shown(&harness).await["suspended_reason"], Value::Null, "nobody has heard of it");
    reconcile(&harness).await;
    assert_eq!(shown(&harness).await["suspended_reason"], "card_barred");
    assert_eq!(harness.money().await, (2_500, 0), "a warning moves no money");
}

#[tokio::test]
async fn an_inquiry_that_comes_to_nothing_leaves_the_card_as_it_was() {
    let harness = carded().await;
    let payment = payments(&harness).remove(0);
    let dispute = harness.stack.stripe.inquire(&payment).unwrap();
    spend_down(&harness, "web-1").await;
    assert_eq!(shown(&harness).await["skipped_reason"], "dispute_open");
    harness.stack.stripe.close_inquiry(&dispute).unwrap();
    harness.pass(0).await;
    assert_at_rest(&harness, Card::Good, "nothing came of it").await;
}

#[tokio::test]
async fn a_disputed_card_that_is_saved_anew_is_the_same_card() {
    for asking in [Asking::LostDispute, Asking::WonDispute, Asking::Warning] {
        let harness = carded().await;
        let disputed = harness.wallet().await.payment_method.unwrap();
        asking.happen(&harness, &payments(&harness)[0]).await;
        let session = harness.begin_top_up(3_000).await;
        harness.stack.stripe.act(&session, Act::Pay).unwrap();
        let payment = payments(&harness).pop().unwrap();
        let card = harness.stack.stripe.object(&payment).unwrap()["payment_method"].clone();
        harness.stack.stripe.make_same_card(&disputed, card.as_str().unwrap());
        harness.pass(0).await;
        assert_eq!(harness.wallet().await.payment_method.as_deref(), card.as_str(), "it has another name");
        set(&harness, &terms()).await;
        spend_down(&harness, "web-1").await;
        reconcile(&harness).await;
        assert_eq!(shown(&harness).await["skipped_reason"], "card_barred", "{asking:?}");
        assert_eq!(charges(&harness).len(), 0, "{asking:?}");
    }
}
