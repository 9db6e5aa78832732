//! What costs us money or a vendor's patience is counted for each org, whatever comes of it.

use base::clock::Clock;
use bytes::Bytes;
use domain::rate::Costly;
use http::Request;
use jiff::SignedDuration;
use sandbox::faults::Mode;
use serde_json::json;
use tests::{Harness, ORG, OTHER_ORG};

use super::numbers::{own, rich, us};

/// Turns the clock past every window that is open now.
fn wait_for_the_next_windows(harness: &Harness) {
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(1));
}

#[tokio::test]
async fn purchases_that_fail_are_counted_and_the_next_ones_wait() {
    // L5: twenty failing purchases.
    let harness = rich().await;
    let most = Costly::PurchaseAfterFailure.rate().most;
    harness.fault(("twilio", "buy"), Mode::Refuse, 1_000);
    let mut refused = 0;
    for _ in 0..20 {
        let (status, _) = harness.buy_for(ORG, &us("inbound"), None).await;
        assert_ne!(status, 201);
        refused += u32::from(status == 429);
    }
    assert_eq!(refused, 20 - 1 - most, "the first follows no failure");
    assert_eq!(harness.money().await, (5_000, 0), "nothing is charged");
    harness.stack.faults.clear();
    wait_for_the_next_windows(&harness);
    assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 201);
}

#[tokio::test]
async fn tokens_of_an_account_are_not_tried_one_after_another() {
    let harness = rich().await;
    harness.stack.twilio.add_account(own::OWN_SID, "own-token", &["+14155550177"]);
    let route = ("POST", "/api/integrations/twilio");
    for _ in 0..Costly::AccountConnect.rate().most {
        let body = own::own("wrong", "+14155550177");
        assert_eq!(harness.call_api(route, &harness.owner(), None, &body).await.0, 400);
    }
    let body = own::own("own-token", "+14155550177");
    let (status, problem) = harness.call_api(route, &harness.owner(), None, &body).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (429, Some("too_many_requests")),
        "the right one says nothing"
    );
    let other = harness.token(OTHER_ORG, "owner");
    assert_ne!(harness.call_api(route, &other, None, &body).await.0, 429, "each org is counted by itself");
}

#[tokio::test]
async fn searches_and_pages_to_pay_at_have_a_rate_and_say_when_it_is_over() {
    let harness = rich().await;
    let search = "/api/managed-telephony/available-numbers?country=US";
    for _ in 0..Costly::NumberSearch.rate().most {
        assert_eq!(harness.get(search, &harness.owner()).await.0, 200);
    }
    let request = Request::get(search).header("authorization", format!("Bearer {}", harness.owner()));
    let answer = harness.send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.status(), 429);
    let wait: i64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait), "{wait}");
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(wait));
    assert_eq!(harness.get(search, &harness.owner()).await.0, 200);
    let top_up = |pence: u32| json!({ "amount_pence": pence }).to_string();
    for pence in 0..Costly::Checkout.rate().most {
        let (status, answer) =
            harness.post("/api/billing/wallet/topup", &harness.owner(), top_up(2_500 + pence)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let (status, _) = harness.post("/api/billing/wallet/topup", &harness.owner(), top_up(9_000)).await;
    assert_eq!(status, 429);
}
