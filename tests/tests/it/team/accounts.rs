//! Accounts that were there before the issuer was told: ours whose answer got lost, and others' that were made beforehand.

use base::clock::Clock;
use bytes::Bytes;
use http::Request;
use local::stack::PUBLISHABLE_KEY;
use serde_json::{Value, json};
use tests::{Harness, parts};

use super::{account, change, comes, invite, letters_to, members, remove, with_owner};

const JOE: &str = "joe@hill-street.example";
const PASSWORD: &str = "chosen by another";

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

fn ask(harness: &Harness, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(format!("http://auth.supabase.sandbox/auth/v1/{path}"));
    let request = request.header("apikey", PUBLISHABLE_KEY).body(Bytes::from(body.to_string())).unwrap();
    parts(&harness.stack.supabase.answer(&request))
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

#[tokio::test]
async fn an_account_that_another_made_beforehand_opens_nothing_by_its_password() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    harness.stack.supabase.open_sign_ups();
    assert_eq!(ask(&harness, "signup", &json!({"email": JOE, "password": PASSWORD})).0, 200);
    let (status, invited) = invite(&harness, &owner, JOE, "admin").await;
    assert_eq!((status, &invited["status"]), (201, &json!("invited")), "{invited}");
    // Nor by one that is chosen while the invitation is on its way.
    assert_eq!(ask(&harness, "signup", &json!({"email": JOE, "password": PASSWORD})).0, 200);
    assert_eq!(invite(&harness, &owner, JOE, "admin").await.0, 200);
    let token = comes(&harness, JOE);
    assert_eq!(harness.get("/api/billing/wallet", &token).await.0, 200, "he has come");
    let sign_in = json!({"email": JOE, "password": PASSWORD});
    let (status, answer) = ask(&harness, "token?grant_type=password", &sign_in);
    assert_eq!((status, &answer["error_code"]), (400, &json!("invalid_credentials")), "{answer}");
    // He leaves and is asked back: his account is one that came by our letter.
    assert_eq!(remove(&harness, &owner, &invited["id"]).await.0, 200);
    harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_hours(24));
    let owner = harness.token(domain::ids::OrgId::founded_by(super::ADA), "owner");
    let (status, back) = invite(&harness, &owner, JOE, "staff").await;
    assert_eq!((status, &back["status"]), (201, &json!("active")), "{back}");
    assert_eq!(account(&harness, JOE).unwrap().1, "staff");
}

#[tokio::test]
async fn an_account_that_is_confirmed_and_never_came_by_our_letter_is_not_given_a_clinic() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    harness.stack.supabase.add_account(JOE, PASSWORD, &json!({}));
    let (status, problem) = invite(&harness, &owner, JOE, "admin").await;
    assert_eq!((status, &problem["code"]), (409, &json!("account_elsewhere")), "{problem}");
    assert_eq!(account(&harness, JOE), Some((Value::Null, Value::Null)));
    let people = members(&harness, &owner).await;
    let joe = people.iter().find(|person| person["email"] == JOE).unwrap();
    assert_eq!(joe["status"], "elsewhere");
    assert_eq!(remove(&harness, &owner, &joe["id"]).await.0, 200);
    assert_eq!(account(&harness, JOE), Some((Value::Null, Value::Null)), "it stays what it was");
}
