//! Who changes a team: whoever the record, or else the issuer, says is one of it now, whatever their token still says.

use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::Harness;

use super::{account, change, comes, fault, invite, letters_to, members, remove, with_owner};

const JOE: &str = "joe@hill-street.example";

fn is_forbidden(answer: &(u16, Value)) -> bool {
    answer.0 == 403 && answer.1["code"] == "forbidden"
}

#[tokio::test]
async fn who_was_demoted_or_removed_changes_no_team_with_the_token_they_still_have() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let me = members(&harness, &owner).await[0]["id"].clone();
    let (_, invited) = invite(&harness, &owner, JOE, "owner").await;
    let (id, token) = (&invited["id"], comes(&harness, JOE));
    // An owner's token of an admin makes no owner.
    assert_eq!(change(&harness, &owner, id, "admin").await.0, 200);
    assert_eq!(invite(&harness, &token, "zoe@hill-street.example", "staff").await.0, 201);
    for answer in [
        invite(&harness, &token, "eve@hill-street.example", "owner").await,
        change(&harness, &token, id, "owner").await,
        remove(&harness, &token, &me).await,
    ] {
        assert!(is_forbidden(&answer), "{answer:?}");
    }
    // Of one of the staff it changes nothing at all.
    assert_eq!(change(&harness, &owner, id, "staff").await.0, 200);
    for answer in [
        invite(&harness, &token, "eve@hill-street.example", "viewer").await,
        change(&harness, &token, id, "admin").await,
        remove(&harness, &token, id).await,
    ] {
        assert!(is_forbidden(&answer), "{answer:?}");
    }
    // Nor of one who leaves, before the issuer knows and after.
    fault(&harness, "update_user", Mode::TimeoutBefore);
    assert_eq!(remove(&harness, &owner, id).await.0, 502);
    let answer = invite(&harness, &token, JOE, "owner").await;
    assert!(is_forbidden(&answer), "{answer:?}");
    let people = members(&harness, &owner).await;
    assert!(people.iter().all(|person| person["email"] != JOE), "{people:?}");
    for answer in [
        invite(&harness, &token, JOE, "owner").await,
        invite(&harness, &token, "eve@hill-street.example", "staff").await,
        change(&harness, &token, &me, "staff").await,
        remove(&harness, &token, &me).await,
    ] {
        assert!(is_forbidden(&answer), "{answer:?}");
    }
    assert_eq!(account(&harness, JOE), Some((Value::Null, Value::Null)));
    assert_eq!((letters_to(&harness, JOE), letters_to(&harness, "eve@hill-street.example")), (1, 0));
    assert_eq!(account(&harness, super::ADA).unwrap().1, "owner");
}

#[tokio::test]
async fn an_owner_of_before_there_was_a_record_changes_the_team_while_the_issuer_says_so() {
    let harness = Harness::empty(vec![]).await;
    let org = tests::ORG;
    let owner = harness.owner();
    assert_eq!(invite(&harness, &owner, JOE, "admin").await.0, 201);
    // The token stays; what the issuer says of its account does not.
    let sub = format!("user-owner-{org}");
    let metadata = json!({"org_id": org, "role": "viewer"});
    harness.stack.supabase.stand_for(&sub, "unused@example.com", &metadata);
    let answer = invite(&harness, &owner, "zoe@hill-street.example", "staff").await;
    assert!(is_forbidden(&answer), "{answer:?}");
    harness.stack.supabase.stand_for(&sub, "unused@example.com", &json!({"org_id": null, "role": null}));
    let answer = invite(&harness, &owner, "zoe@hill-street.example", "staff").await;
    assert!(is_forbidden(&answer), "{answer:?}");
    // A token behind which stands no account changes nothing.
    let nobody = local::token::issue(tests::OTHER_ORG, "owner", base::clock::Clock::now(&*harness.clock));
    let answer = invite(&harness, &nobody.unwrap(), "zoe@hill-street.example", "staff").await;
    assert!(is_forbidden(&answer), "{answer:?}");
    assert_eq!(account(&harness, "zoe@hill-street.example"), None);
    // Of whom it cannot be known now, nothing is done.
    fault(&harness, "get_user", Mode::TimeoutBefore);
    let (status, problem) = invite(&harness, &harness.owner(), "zoe@hill-street.example", "staff").await;
    assert_eq!((status, &problem["code"]), (502, &json!("sign_in_unavailable")), "{problem}");
    assert_eq!(account(&harness, "zoe@hill-street.example"), None);
}
