//! Numbers of countries where the carrier sells under approved papers only: a regulatory bundle of the account that buys.

use base::clock::Clock;
use domain::{
    call::Direction,
    purchase::{Failure, Purchase, State},
};
use jiff::SignedDuration;
use local::stack::TWILIO_SID;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{Harness, ORG, crashed_after};

use super::{assert_one_of_two, at_twilio, paid, resume, rich, us};

pub(crate) fn abroad(country: &str, direction: &str) -> Value {
    let address = json!({"customerName": "Clinic", "street": "1 High St", "city": "London", "region": "London",
        "postalCode": "W1 1AA"});
    json!({"country": country, "direction": direction, "address": address})
}

async fn claim(harness: &Harness) -> Option<Purchase> {
    harness.provisioning().purchases.claim_of(ORG, Direction::Inbound).await.unwrap()
}

fn asked_for(harness: &Harness, operation: &str) -> usize {
    harness
        .stack
        .faults
        .log()
        .iter()
        .filter(|(vendor, asked)| vendor == "twilio" && asked == operation)
        .count()
}

/// Lets Twilio reject every bundle at the moment it is asked for `operation` the first time.
fn rejected_at(harness: &Harness, operation: &'static str) {
    let twilio = std::sync::Arc::clone(&harness.stack.twilio);
    harness.stack.faults.set_plan(move |_, asked| {
        if asked == operation {
            twilio.judge_bundles("twilio-rejected");
        }
        None
    });
}

#[tokio::test]
async fn without_approved_papers_nothing_is_claimed_charged_or_asked_for() {
    let harness = rich().await;
    let twilio = &harness.stack.twilio;
    let refused = async |what: &str, country: &str| {
        harness.stack.faults.forget_log();
        let (status, problem) = harness.buy_for(ORG, &abroad(country, "inbound"), Some("key-1")).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("bundle_required")), "{what}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Nothing was charged") && detail.contains("Ask us"), "{detail}");
        assert_eq!(harness.money().await, (5_000, 0), "{what}");
        assert!(claim(&harness).await.is_none(), "{what}: the direction is free");
        assert_eq!(asked_for(&harness, "list_bundles"), harness.stack.faults.log().len(), "{what}");
        assert!(at_twilio(&harness).is_empty(), "{what}");
    };
    for status in ["draft", "pending-review", "in-review", "twilio-rejected", "provisionally-approved"] {
        twilio.judge_bundles(status);
        for country in ["GB", "AU"] {
            refused(status, country).await;
        }
    }
    twilio.judge_bundles("twilio-approved");
    twilio.expire_bundles(harness.clock.now());
    refused("expired this moment", "GB").await;
    twilio.judge_bundles("twilio-rejected");
    twilio.add_bundle(TWILIO_SID, "GB", "mobile");
    twilio.add_bundle(TWILIO_SID, "AU", "local");
    refused("papers of another kind and of another country", "GB").await;
    // The same request, once there are papers.
    twilio.add_bundle(TWILIO_SID, "GB", "local");
    let (status, answer) = harness.buy_for(ORG, &abroad("GB", "inbound"), Some("key-1")).await;
    assert_eq!(status, 201, "{answer}");
    assert!(assert_one_of_two(&harness, "bought").await);
}

#[tokio::test]
async fn whoever_is_refused_for_papers_may_not_ask_the_carrier_for_ever() {
    let harness = rich().await;
    harness.stack.twilio.judge_bundles("in-review");
    let most = domain::rate::Costly::NumberSearch.rate().most;
    for _ in 0..most {
        assert_eq!(harness.buy_for(ORG, &abroad("GB", "inbound"), None).await.0, 409);
    }
    assert_eq!(harness.buy_for(ORG, &abroad("GB", "inbound"), None).await.0, 429);
    assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 201, "what needs no papers is sold");
}

#[tokio::test]
async fn a_number_is_bought_under_a_clone_of_our_papers_in_the_orgs_own_account() {
    let harness = rich().await;
    for (country, direction) in [("GB", "inbound"), ("AU", "outbound")] {
        let (status, answer) = harness.buy_for(ORG, &abroad(country, direction), None).await;
        assert_eq!(status, 201, "{country}: {answer}");
        let number = answer["phoneNumber"].as_str().unwrap();
        let named = harness.stack.twilio.bundle_of(number).expect("the purchase named a bundle");
        let bundles = harness.stack.twilio.bundles();
        let bundle = bundles.iter().find(|bundle| bundle["sid"] == named.as_str()).unwrap();
        let (account, _, _) = harness.stack.twilio.numbers().pop().unwrap();
        assert_ne!(account, TWILIO_SID);
        assert_eq!((&bundle["account_sid"], &bundle["country"]), (&json!(account), &json!(country)));
        assert_eq!(bundle["number_type"], "local");
    }
    assert_eq!(asked_for(&harness, "clone_bundle"), 2);
    // The next number of the same kind is bought under what is there.
    let first = harness.dropdown_of(ORG).await.remove(0);
    let before = harness.stack.twilio.bundle_of(&first);
    assert_eq!(harness.give_up(&first).await.0, 200);
    let (status, answer) = harness.buy_for(ORG, &abroad("GB", "inbound"), None).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(harness.stack.twilio.bundle_of(answer["phoneNumber"].as_str().unwrap()), before);
    assert_eq!(asked_for(&harness, "clone_bundle"), 2, "no clone is made anew");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_number_is_bought_for_the_address_that_its_papers_name() {
    let harness = rich().await;
    harness.stack.twilio.add_address_to_bundles(TWILIO_SID);
    let (status, answer) = harness.buy_for(ORG, &abroad("GB", "inbound"), None).await;
    assert_eq!(status, 201, "{answer}");
    let number = answer["phoneNumber"].as_str().unwrap();
    let named = harness.stack.twilio.bundle_of(number).unwrap();
    let bundles = harness.stack.twilio.bundles();
    let bundle = bundles.iter().find(|bundle| bundle["sid"] == named.as_str()).unwrap();
    assert_eq!(harness.stack.twilio.address_of(number).as_deref(), bundle["address_sid"].as_str());
    assert_eq!(asked_for(&harness, "create_address"), 0, "the clinic's own is not asked for");
    // Papers that come to name another address on the way: Twilio refuses the old one, and the price comes back.
    let harness = rich().await;
    let twilio = std::sync::Arc::clone(&harness.stack.twilio);
    harness.stack.faults.set_plan(move |_, asked| {
        if asked == "create_address" {
            let buyer = twilio.accounts().pop().unwrap().0;
            twilio.add_address_to_bundles(&buyer);
        }
        None
    });
    let (status, problem) = harness.buy_for(ORG, &abroad("GB", "inbound"), None).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("purchase_failed")), "{problem}");
    assert!(!assert_one_of_two(&harness, "another address").await);
}

#[tokio::test]
async fn papers_of_the_orgs_own_account_do_where_we_have_none() {
    let harness = rich().await;
    harness.has_number("outbound").await;
    let (account, _, _) = harness.stack.twilio.numbers().pop().unwrap();
    harness.stack.twilio.judge_bundles("twilio-rejected");
    let own = harness.stack.twilio.add_bundle(&account, "GB", "local");
    let (status, answer) = harness.buy_for(ORG, &abroad("GB", "inbound"), None).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(harness.stack.twilio.bundle_of(answer["phoneNumber"].as_str().unwrap()), Some(own));
    assert_eq!(asked_for(&harness, "clone_bundle"), 0);
}

#[tokio::test]
async fn where_no_papers_are_needed_none_are_asked_for() {
    let harness = rich().await;
    harness.stack.twilio.judge_bundles("twilio-rejected");
    for (country, direction) in [("US", "inbound"), ("CA", "outbound")] {
        let body = json!({"country": country, "direction": direction});
        let (status, answer) = harness.buy_for(ORG, &body, None).await;
        assert_eq!(status, 201, "{answer}");
        assert_eq!(harness.stack.twilio.bundle_of(answer["phoneNumber"].as_str().unwrap()), None);
    }
    assert_eq!(asked_for(&harness, "list_bundles") + asked_for(&harness, "clone_bundle"), 0);
}

#[tokio::test]
async fn papers_that_are_withdrawn_on_the_way_give_the_price_back_with_a_sentence() {
    // Before the bundle is looked for, while it is cloned, and after it was chosen: Twilio refuses the purchase itself (21649).
    for operation in ["create_subaccount", "clone_bundle", "search", "create_address", "buy"] {
        let harness = rich().await;
        rejected_at(&harness, operation);
        let (status, problem) = harness.buy_for(ORG, &abroad("GB", "inbound"), None).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (422, Some("purchase_failed")),
            "{operation}: {problem}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("papers it has approved") && detail.contains("back in the wallet"),
            "{detail}"
        );
        assert_eq!(harness.money().await, (5_000, 0), "{operation}");
        assert_eq!(claim(&harness).await.unwrap().state, State::Refunded);
        assert!(!assert_one_of_two(&harness, operation).await);
    }
}

#[tokio::test]
async fn a_purchase_that_died_goes_on_under_the_bundle_it_had_chosen_or_gives_the_price_back() {
    let (mut kept, mut lost) = (0, 0);
    for polls in 0.. {
        let what = format!("died at its poll {polls}");
        let harness = rich().await;
        let body = abroad("GB", "inbound");
        let outcome = crashed_after(polls, harness.buy_for(ORG, &body, None)).await;
        let died = claim(&harness).await;
        let chosen = died.as_ref().and_then(|claim| claim.bundle_sid.clone());
        let is_bought = !at_twilio(&harness).is_empty();
        let account =
            harness.stack.twilio.accounts().into_iter().map(|(sid, _, _)| sid).find(|sid| sid != TWILIO_SID);
        if let (Some(account), false) = (&account, is_bought) {
            if polls % 2 == 0 {
                // Whoever chose again would take this one.
                harness.stack.twilio.add_bundle(account, "GB", "local");
            } else {
                harness.stack.twilio.expire_bundles(harness.clock.now() + SignedDuration::from_secs(1));
            }
        }
        resume(&harness).await;
        let is_active = assert_one_of_two(&harness, &what).await;
        if let (Some(chosen), true) = (&chosen, is_active) {
            let number = harness.dropdown_of(ORG).await.remove(0);
            assert_eq!(harness.stack.twilio.bundle_of(&number).as_deref(), Some(chosen.as_str()), "{what}");
            kept += 1;
        }
        if let (Some(_), false) = (&died, is_active) {
            assert_eq!(paid(&harness, ORG).await, 0, "{what}");
            lost += 1;
        }
        if outcome.is_some() {
            break;
        }
    }
    assert!(kept > 20 && lost > 5, "{kept} kept, {lost} lost");
}

#[tokio::test]
async fn a_purchase_that_was_begun_before_papers_were_asked_for_comes_to_its_end() {
    for polls in 0.. {
        let harness = rich().await;
        let outcome = crashed_after(polls, harness.buy_for(ORG, &abroad("GB", "inbound"), None)).await;
        assert!(outcome.is_none(), "its number was chosen before it was done");
        let Some(died) = claim(&harness).await.filter(|claim| claim.phone_number.is_some()) else { continue };
        let older = Purchase { bundle_sid: None, ..died.clone() };
        harness.provisioning().purchases.save(&died, older).await.unwrap();
        resume(&harness).await;
        assert!(!assert_one_of_two(&harness, "an older record").await);
        let failed = claim(&harness).await.unwrap().failed;
        assert_eq!(failed, Some(Failure::VendorTrouble), "who asked before is not known");
        break;
    }
}

#[tokio::test]
async fn every_fault_on_the_way_to_the_papers_leaves_the_money_whole() {
    let modes =
        [Mode::Error, Mode::Refuse, Mode::TooMany, Mode::TimeoutBefore, Mode::TimeoutAfter, Mode::Slow];
    for operation in ["list_bundles", "clone_bundle", "list_bundle_items", "get_document"] {
        for after in 0..3 {
            for mode in modes {
                for times in [1, 10] {
                    let what = format!("{operation} after {after} {mode:?} {times} times");
                    let harness = rich().await;
                    harness.stack.twilio.add_address_to_bundles(TWILIO_SID);
                    harness.fault_after(("twilio", operation), after, mode, times);
                    let (status, answer) = harness.buy_for(ORG, &abroad("GB", "inbound"), None).await;
                    assert!([201, 422, 503].contains(&status), "{what}: {status} {answer}");
                    if operation == "list_bundles" && after == 0 && mode != Mode::Slow {
                        assert_eq!(answer["code"], "carrier_unavailable", "{what}: {answer}");
                        assert!(claim(&harness).await.is_none(), "{what}: nothing was begun");
                    }
                    harness.stack.faults.clear();
                    resume(&harness).await;
                    assert_eq!(assert_one_of_two(&harness, &what).await, status == 201, "{what}");
                }
            }
        }
    }
}
