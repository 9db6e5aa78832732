//! Accounts that were there before the issuer was told: ours whose answer got lost.

use base::clock::Clock;
use serde_json::{Value, json};
use tests::Harness;

use super::{account, change, comes, invite, letters_to, members, remove, with_owner};

const JOE: &str = "joe@hill-street.example";

/// The process dies at its second note of a team from now on, which is of what the issuer did.
fn dies_after_telling(harness: &Harness) {
    let mut notes = 0;
    harness.stack.aws.set_plan(move |sent| {
        let is_note = sent.operation == "PutItem"
            && sent.body["TableName"].as_str().is_some_and(|name| name.ends_with("-teams"));
        if is_note {
            notes += 1;
        }
        if is_note && notes >= 2 {
            local::aws::Outcome::Fail("ResourceNotFoundException")
        } else {
            local::aws::Outcome::Pass
        }
    });
}

/// Invites somebody as an owner by a process that dies when the issuer has made the account. Returns which of the people it is.
async fn invited_by_one_that_dies(harness: &Harness, owner: &str, email: &str) -> Value {
    dies_after_telling(harness);
    assert_eq!(invite(harness, owner, email, "owner").await.0, 500);
    harness.stack.aws.clear_plan();
    assert_eq!(account(harness, email).unwrap().1, "owner", "the issuer had made it");
    let people = members(harness, owner).await;
    people.iter().find(|person| person["email"] == email).unwrap()["id"].clone()
}

#[tokio::test]
async fn an_owner_by_a_slip_of_the_pen_is_put_right_whatever_died_meanwhile() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let id = invited_by_one_that_dies(&harness, &owner, JOE).await;
    assert_eq!(letters_to(&harness, JOE), 0, "no letter goes out before the account stands in the record");
    let (status, changed) = change(&harness, &owner, &id, "staff").await;
    assert_eq!((status, &changed["status"]), (202, &json!("pending")), "within the lease: {changed}");
    harness.clock.turn_to(harness.clock.now() + services::team::LEASE);
    let (status, changed) = change(&harness, &owner, &id, "staff").await;
    assert_eq!((status, &changed["status"]), (200, &json!("invited")), "{changed}");
    assert_eq!(account(&harness, JOE).unwrap().1, "staff");
    let token = comes(&harness, JOE);
    assert_eq!(harness.get(super::TEAM, &token).await.0, 403, "staff sees no team");
    // One who is taken back instead is gone from the issuer too.
    let zoe = "zoe@hill-street.example";
    let id = invited_by_one_that_dies(&harness, &owner, zoe).await;
    assert_eq!(change(&harness, &owner, &id, "staff").await.0, 202);
    assert_eq!(remove(&harness, &owner, &id).await, (202, json!({"removed": false})));
    harness.clock.turn_to(harness.clock.now() + services::team::LEASE);
    assert_eq!(members(&harness, &owner).await.len(), 2);
    assert_eq!(account(&harness, zoe), None);
}
