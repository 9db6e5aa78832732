//! How many letters an org has sent, of those that the issuer sends for all.

use base::clock::Clock;
use domain::{ids::OrgId, rate::Costly};
use jiff::SignedDuration;
use sandbox::faults::Mode;
use serde_json::json;
use tests::Harness;

use super::{ADA, fault, found, invite, letters_to, members, remove, wanted, with_owner};

const JOE: &str = "joe@hill-street.example";

#[tokio::test]
async fn invitations_have_an_end_for_an_org_and_for_an_address_that_is_removed_in_between() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let mut left = Costly::Invitation.rate().most;
    for _ in 0..Costly::InvitationTo.rate().most {
        let (status, invited) = invite(&harness, &owner, JOE, "staff").await;
        assert_eq!(status, 201, "{invited}");
        assert_eq!(invite(&harness, &owner, JOE, "staff").await.0, 200, "a repeat costs nothing");
        assert_eq!(remove(&harness, &owner, &invited["id"]).await.0, 200);
        left -= 1;
    }
    let (status, problem) = invite(&harness, &owner, JOE, "staff").await;
    assert_eq!((status, &problem["code"]), (429, &json!("too_many_requests")), "{problem}");
    assert_eq!(letters_to(&harness, JOE), 3);
    for nth in 0..left {
        let email = format!("n{nth}@hill-street.example");
        let (status, invited) = invite(&harness, &owner, &email, "staff").await;
        assert_eq!(status, 201, "{invited}");
    }
    assert_eq!(invite(&harness, &owner, "one-more@hill-street.example", "staff").await.0, 429);
    assert_eq!(letters_to(&harness, "one-more@hill-street.example"), 0);
    // What cannot be asked for is not counted, and the next day there are more.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(24));
    let owner = harness.token(OrgId::founded_by(ADA), "owner");
    assert_eq!(invite(&harness, &owner, JOE, "staff").await.0, 201);
}

#[tokio::test]
async fn an_issuer_that_had_enough_is_not_asked_for_letters_by_every_look_at_the_team() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    fault(&harness, "invite", Mode::TooMany);
    let (status, problem) = invite(&harness, &owner, JOE, "staff").await;
    assert_eq!((status, &problem["code"]), (502, &json!("sign_in_unavailable")), "{problem}");
    // It would send one now, and is not asked.
    for _ in 0..3 {
        let people = members(&harness, &owner).await;
        assert!(people.iter().any(|person| person["status"] == "pending"), "{people:?}");
        harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(5));
    }
    let (status, zoe) = invite(&harness, &owner, "zoe@hill-street.example", "staff").await;
    assert_eq!((status, &zoe["status"]), (202, &json!("pending")), "{zoe}");
    assert_eq!(letters_to(&harness, JOE), 0);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(5));
    let people = members(&harness, &owner).await;
    assert!(people.iter().all(|person| ["active", "invited"].contains(&person["status"].as_str().unwrap())));
    assert_eq!((letters_to(&harness, JOE), letters_to(&harness, "zoe@hill-street.example")), (1, 1));
    // Another clinic's people are none of its: it is asked for them at once.
    let mut other = wanted();
    other["owner_email"] = json!("ida@other.example");
    assert_eq!(found(&harness, &other).await.0, 201);
}
