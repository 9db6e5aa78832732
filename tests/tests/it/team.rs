//! A clinic comes to exist, and who works there: written down first, then told to the issuer, whatever gets lost on the way.

mod accounts;
mod caller;
mod letters;

use base::clock::Clock;
use bytes::Bytes;
use domain::ids::OrgId;
use futures::future::join_all;
use http::Request;
use jiff::SignedDuration;
use local::stack::PUBLISHABLE_KEY;
use sandbox::faults::{Fault, Mode};
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, parts};

const CLINICS: &str = "/api/operations/clinics";
const TEAM: &str = "/api/team/members";
const ADA: &str = "ada@hill-street.example";

fn wanted() -> Value {
    json!({"name": "Hill Street Dental", "time_zone": "Europe/London", "owner_email": ADA})
}

async fn found(harness: &Harness, body: &Value) -> (u16, Value) {
    let operator = local::token::issue_operator(harness.clock.now()).unwrap();
    harness.post(CLINICS, &operator, body.to_string()).await
}

fn fault(harness: &Harness, operation: &str, mode: Mode) {
    let fault = Fault { vendor: "supabase".into(), operation: operation.into(), mode, times: 1, after: 0 };
    fault.check().unwrap();
    harness.stack.faults.add(fault);
}

/// What the issuer has of an address: its org and its role.
fn account(harness: &Harness, email: &str) -> Option<(Value, Value)> {
    let accounts = harness.stack.supabase.accounts();
    let account = accounts.into_iter().find(|account| account["email"] == email)?;
    Some((account["app_metadata"]["org_id"].clone(), account["app_metadata"]["role"].clone()))
}

fn letters_to(harness: &Harness, email: &str) -> usize {
    harness.stack.supabase.letters().iter().filter(|letter| letter.to == email).count()
}

/// The person follows the link of the last letter. Returns their token.
fn comes(harness: &Harness, email: &str) -> String {
    let letters = harness.stack.supabase.letters();
    let letter = letters.iter().rev().find(|letter| letter.to == email).unwrap();
    let body = json!({"type": "invite", "token_hash": letter.token_hash}).to_string();
    let request = Request::post("http://auth.supabase.sandbox/auth/v1/verify")
        .header("apikey", PUBLISHABLE_KEY)
        .body(Bytes::from(body));
    let (status, session) = parts(&harness.stack.supabase.answer(&request.unwrap()));
    assert_eq!(status, 200, "{session}");
    session["access_token"].as_str().unwrap().to_owned()
}

async fn members(harness: &Harness, token: &str) -> Vec<Value> {
    let (status, listed) = harness.get(TEAM, token).await;
    assert_eq!((status, &listed["pagination"]), (200, &json!({"next_cursor": null})), "{listed}");
    listed["members"].as_array().unwrap().clone()
}

async fn invite(harness: &Harness, token: &str, email: &str, role: &str) -> (u16, Value) {
    harness.post(TEAM, token, json!({"email": email, "role": role}).to_string()).await
}

async fn change(harness: &Harness, token: &str, id: &Value, role: &str) -> (u16, Value) {
    let path = format!("{TEAM}/{}", id.as_str().unwrap());
    harness.call_api(("PATCH", &path), token, None, &json!({"role": role})).await
}

async fn remove(harness: &Harness, token: &str, id: &Value) -> (u16, Value) {
    let path = format!("{TEAM}/{}", id.as_str().unwrap());
    harness.call_api(("DELETE", &path), token, None, &Value::Null).await
}

/// A clinic with its owner, who has come. Returns the owner's token.
async fn with_owner(harness: &Harness) -> String {
    let (status, made) = found(harness, &wanted()).await;
    assert_eq!((status, &made["owner_status"]), (201, &json!("invited")), "{made}");
    comes(harness, ADA)
}

async fn acts(harness: &Harness, org: &Value) -> Vec<Value> {
    let operator = local::token::issue_operator(harness.clock.now()).unwrap();
    let path = format!("/api/operations/wallets/{}/acts", org.as_str().unwrap());
    let (_, log) = harness.get(&path, &operator).await;
    let mut acts: Vec<Value> =
        log["acts"].as_array().unwrap().iter().map(|act| act["action"].clone()).collect();
    // By name: those of one millisecond have no order.
    acts.sort_by_key(ToString::to_string);
    acts
}

#[tokio::test]
async fn a_clinic_is_made_once_and_its_owner_comes_and_sees_it() {
    let harness = Harness::empty(vec![]).await;
    let (status, made) = found(&harness, &wanted()).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["name"], &made["time_zone"], &made["owner_email"], &made["owner_status"]),
        (&json!("Hill Street Dental"), &json!("Europe/London"), &json!(ADA), &json!("invited"))
    );
    let org = &made["org_id"];
    assert_eq!(account(&harness, ADA), Some((org.clone(), json!("owner"))));
    // The same again, whoever repeats it and in whatever spelling.
    let mut again = wanted();
    again["owner_email"] = json!("Ada@Hill-Street.example");
    let (status, same) = found(&harness, &again).await;
    assert_eq!((status, &same["org_id"]), (200, org), "{same}");
    assert_eq!(letters_to(&harness, ADA), 1, "one letter");
    assert_eq!(acts(&harness, org).await, ["create_clinic"]);
    let owner = comes(&harness, ADA);
    let (_, clinic) = harness.get("/api/clinic", &owner).await;
    assert_eq!(clinic["name"], "Hill Street Dental");
    assert_eq!(harness.get("/api/billing/wallet", &owner).await.1["available_pence"], 0);
    let people = members(&harness, &owner).await;
    assert_eq!(
        (people.len(), &people[0]["email"], &people[0]["role"], &people[0]["status"], &people[0]["is_you"]),
        (1, &json!(ADA), &json!("owner"), &json!("active"), &json!(true))
    );
    // Another clinic of the same owner has another id, and needs another address: an address signs in to one.
    let mut other = wanted();
    other["id"] = json!("second");
    let (status, problem) = found(&harness, &other).await;
    assert_eq!((status, &problem["code"]), (409, &json!("account_elsewhere")), "{problem}");
    other["owner_email"] = json!("ida@hill-street.example");
    let (status, second) = found(&harness, &other).await;
    assert_eq!(status, 200, "the clinic was made, and had no owner yet: {second}");
    assert_ne!(&second["org_id"], org);
    other["owner_email"] = json!("joe@hill-street.example");
    let (status, problem) = found(&harness, &other).await;
    assert_eq!((status, &problem["code"]), (409, &json!("clinic_exists")), "{problem}");
}

#[tokio::test]
async fn what_no_clinic_can_be_made_of_is_said_and_nothing_is_written() {
    let harness = Harness::empty(vec![]).await;
    for (name, value) in [
        ("name", json!("1")),
        ("name", json!("<script>")),
        ("time_zone", json!("Europe/Londn")),
        ("owner_email", json!("ada")),
        ("owner_email", json!("ada@example.com, ida@example.com")),
        ("id", json!("a b")),
    ] {
        let mut bad = wanted();
        bad[name] = value;
        let (status, problem) = found(&harness, &bad).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")), "{bad}");
        assert!(problem["detail"].as_str().unwrap().starts_with(name), "{problem}");
    }
    let mut more = wanted();
    more["org_id"] = json!(ORG);
    assert_eq!(found(&harness, &more).await.0, 400, "nobody chooses an org");
    assert!(harness.stack.supabase.accounts().is_empty());
}

#[tokio::test]
async fn many_who_make_the_same_clinic_at_once_make_one_and_write_one_letter() {
    let harness = Harness::empty(vec![]).await;
    let body = wanted();
    let answers = join_all((0..20).map(|_| found(&harness, &body))).await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made, 1, "{answers:?}");
    assert!(answers.iter().all(|(status, _)| [200, 201].contains(status)), "{answers:?}");
    assert!(answers.iter().all(|(_, answer)| answer["org_id"] == answers[0].1["org_id"]));
    assert_eq!((letters_to(&harness, ADA), harness.stack.supabase.accounts().len()), (1, 1));
    assert_eq!(acts(&harness, &answers[0].1["org_id"]).await, ["create_clinic"]);
}

#[tokio::test]
async fn an_invitation_whose_answer_is_lost_is_looked_for_and_not_sent_twice() {
    for (operation, mode) in [
        ("list_users", Mode::TimeoutBefore),
        ("create_user", Mode::TimeoutBefore),
        ("create_user", Mode::TimeoutAfter),
        ("create_user", Mode::Error),
        ("invite", Mode::TimeoutBefore),
        ("invite", Mode::TimeoutAfter),
        ("invite", Mode::TooMany),
    ] {
        let harness = Harness::empty(vec![]).await;
        fault(&harness, operation, mode);
        let (status, problem) = found(&harness, &wanted()).await;
        assert_eq!((status, &problem["code"]), (502, &json!("sign_in_unavailable")), "{operation} {mode:?}");
        // Long enough for an issuer that had enough of letters to be asked again.
        harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(5));
        let (status, made) = found(&harness, &wanted()).await;
        assert_eq!((status, &made["owner_status"]), (200, &json!("invited")), "{operation} {mode:?}: {made}");
        assert_eq!((letters_to(&harness, ADA), harness.stack.supabase.accounts().len()), (1, 1));
        assert_eq!(account(&harness, ADA), Some((made["org_id"].clone(), json!("owner"))));
        assert_eq!(acts(&harness, &made["org_id"]).await, ["create_clinic"], "{operation} {mode:?}");
    }
}

#[tokio::test]
async fn a_process_that_dies_while_it_tells_the_issuer_is_followed_by_another() {
    let harness = Harness::empty(vec![]).await;
    // It dies at its next write, whatever it told the issuer: the lease stays.
    let mut writes = 0;
    harness.stack.aws.set_plan(move |sent| {
        let is_note = sent.operation == "PutItem"
            && sent.body["TableName"].as_str().is_some_and(|name| name.ends_with("-teams"));
        if is_note {
            writes += 1;
        }
        if writes >= 2 && is_note {
            local::aws::Outcome::Fail("ResourceNotFoundException")
        } else {
            local::aws::Outcome::Pass
        }
    });
    let (status, _) = found(&harness, &wanted()).await;
    assert_eq!(status, 500);
    harness.stack.aws.clear_plan();
    // Within the lease another that comes does not talk to the issuer too.
    let (status, pending) = found(&harness, &wanted()).await;
    assert_eq!((status, &pending["owner_status"]), (200, &json!("pending")), "{pending}");
    harness.clock.turn_to(harness.clock.now() + services::team::LEASE);
    let (status, made) = found(&harness, &wanted()).await;
    assert_eq!((status, &made["owner_status"]), (200, &json!("invited")), "{made}");
    assert_eq!((letters_to(&harness, ADA), harness.stack.supabase.accounts().len()), (1, 1));
}

#[tokio::test]
async fn people_are_invited_change_roles_and_leave() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let joe = "joe@hill-street.example";
    let (status, invited) = invite(&harness, &owner, joe, "staff").await;
    assert_eq!((status, &invited["status"], &invited["role"]), (201, &json!("invited"), &json!("staff")));
    assert_eq!(invite(&harness, &owner, joe, "staff").await.0, 200, "a repeat");
    assert_eq!(letters_to(&harness, joe), 1);
    let (status, problem) = invite(&harness, &owner, joe, "admin").await;
    assert_eq!((status, &problem["code"]), (409, &json!("member_exists")), "{problem}");
    let token = comes(&harness, joe);
    assert_eq!(harness.get("/api/appointments", &token).await.0, 200);
    assert_eq!(harness.get("/api/billing/wallet", &token).await.0, 403, "staff sees no money");
    assert_eq!(harness.get(TEAM, &token).await.0, 403);
    // He becomes an admin, and then leaves.
    let id = &invited["id"];
    let (status, changed) = change(&harness, &owner, id, "admin").await;
    assert_eq!((status, &changed["role"]), (200, &json!("admin")), "{changed}");
    assert_eq!(changed["status"], "active", "he has come");
    assert_eq!(account(&harness, joe).unwrap().1, "admin");
    assert_eq!(change(&harness, &owner, id, "admin").await.0, 200, "a repeat");
    assert_eq!(remove(&harness, &owner, id).await, (200, json!({"removed": true})));
    assert_eq!(account(&harness, joe), Some((Value::Null, Value::Null)), "his account names no clinic");
    let (status, problem) = remove(&harness, &owner, id).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    assert_eq!(members(&harness, &owner).await.len(), 1);
    // Who never came: the link leads nowhere.
    let (_, ida) = invite(&harness, &owner, "ida@hill-street.example", "viewer").await;
    assert_eq!(remove(&harness, &owner, &ida["id"]).await.0, 200);
    assert_eq!(account(&harness, "ida@hill-street.example"), None);
    let (_, clinic) = found(&harness, &wanted()).await;
    let done = acts(&harness, &clinic["org_id"]).await;
    assert_eq!(
        done,
        ["change_role", "create_clinic", "invite_member", "invite_member", "remove_member", "remove_member"]
    );
}

#[tokio::test]
async fn the_last_owner_stays_and_only_owners_decide_who_is_one() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let me = members(&harness, &owner).await[0]["id"].clone();
    for answer in [change(&harness, &owner, &me, "admin").await, remove(&harness, &owner, &me).await] {
        assert_eq!((answer.0, &answer.1["code"]), (409, &json!("last_owner")), "{answer:?}");
    }
    let (_, admin) = invite(&harness, &owner, "joe@hill-street.example", "admin").await;
    let token = comes(&harness, "joe@hill-street.example");
    for answer in [
        change(&harness, &token, &me, "staff").await,
        remove(&harness, &token, &me).await,
        change(&harness, &token, &admin["id"], "owner").await,
        invite(&harness, &token, "zoe@hill-street.example", "owner").await,
    ] {
        assert_eq!((answer.0, &answer.1["code"]), (403, &json!("forbidden")), "{answer:?}");
    }
    for role in ["viewer", "staff"] {
        let (status, _) =
            invite(&harness, &harness.token(ORG, role), "zoe@hill-street.example", "staff").await;
        assert_eq!(status, 403, "{role}");
    }
    assert_eq!(change(&harness, &owner, &admin["id"], "owner").await.0, 200);
    assert_eq!(change(&harness, &owner, &me, "admin").await.0, 200);
    // Two owners who remove each other at once: one stays.
    let joe = harness.token(OrgId::founded_by(ADA), "owner");
    assert_eq!(change(&harness, &joe, &me, "owner").await.0, 200);
    let both = [&me, &admin["id"]];
    let answers = join_all(both.map(|id| remove(&harness, &owner, id))).await;
    let done = answers.iter().filter(|(status, _)| [200, 202].contains(status)).count();
    assert_eq!(done, 1, "{answers:?}");
}

#[tokio::test]
async fn nobody_reaches_another_clinics_people_or_takes_its_account() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let other = harness.token(OTHER_ORG, "owner");
    let me = members(&harness, &owner).await[0]["id"].clone();
    for answer in [change(&harness, &other, &me, "staff").await, remove(&harness, &other, &me).await] {
        assert_eq!((answer.0, &answer.1["code"]), (404, &json!("not_found")), "{answer:?}");
    }
    // Ada's account is the other's to invite no more than to remove.
    let (status, problem) = invite(&harness, &other, ADA, "staff").await;
    assert_eq!((status, &problem["code"]), (409, &json!("account_elsewhere")), "{problem}");
    let theirs = members(&harness, &other).await;
    assert_eq!((theirs.len(), &theirs[0]["status"]), (1, &json!("elsewhere")));
    assert_eq!(remove(&harness, &other, &theirs[0]["id"]).await.0, 200);
    assert_eq!(account(&harness, ADA).unwrap().1, "owner", "hers stays as it is");
    // One of our own people's account is nobody's.
    harness.stack.supabase.add_account("we@voxanne.example", "a long password", &json!({"operator": true}));
    assert_eq!(invite(&harness, &owner, "we@voxanne.example", "admin").await.0, 409);
    assert_eq!(account(&harness, "we@voxanne.example"), Some((Value::Null, Value::Null)));
}

#[tokio::test]
async fn what_the_issuer_was_not_told_is_shown_and_told_by_whoever_asks_next() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let joe = "joe@hill-street.example";
    let (_, invited) = invite(&harness, &owner, joe, "staff").await;
    comes(&harness, joe);
    fault(&harness, "update_user", Mode::TimeoutBefore);
    let (status, problem) = remove(&harness, &owner, &invited["id"]).await;
    assert_eq!((status, &problem["code"]), (502, &json!("sign_in_unavailable")), "{problem}");
    fault(&harness, "update_user", Mode::TimeoutBefore);
    let shown = members(&harness, &owner).await;
    let status_of = |people: &[Value]| {
        people.iter().find(|member| member["email"] == joe).map(|member| member["status"].clone())
    };
    assert_eq!(status_of(&shown), Some(json!("leaving")));
    // Whoever looks at the team again has it done.
    assert_eq!(status_of(&members(&harness, &owner).await), None);
    assert_eq!(account(&harness, joe), Some((Value::Null, Value::Null)));
    assert_eq!(invite(&harness, &owner, "zoe@hill-street.example", "viewer").await.0, 201);
    // An issuer that does not answer has seen nobody come, and hides nobody.
    for _ in 0..2 {
        fault(&harness, "get_user", Mode::Error);
    }
    let shown = members(&harness, &owner).await;
    assert!(shown.iter().all(|member| member["status"] == "invited"), "{shown:?}");
}

#[tokio::test]
async fn one_invitation_that_is_refused_holds_up_no_removal_and_no_other_invitation() {
    let harness = Harness::empty(vec![]).await;
    let owner = with_owner(&harness).await;
    let joe = "joe@hill-street.example";
    let (_, invited) = invite(&harness, &owner, joe, "admin").await;
    comes(&harness, joe);
    // The letter of one is refused.
    fault(&harness, "invite", Mode::TooMany);
    assert_eq!(invite(&harness, &owner, "ann@hill-street.example", "viewer").await.0, 502);
    assert_eq!(change(&harness, &owner, &invited["id"], "staff").await.0, 200);
    assert_eq!(account(&harness, joe).unwrap().1, "staff", "his role is told");
    // So is the account of one, each time, and everybody else is told of.
    for _ in 0..2 {
        fault(&harness, "create_user", Mode::Refuse);
    }
    assert_eq!(invite(&harness, &owner, "bea@hill-street.example", "viewer").await.0, 502);
    assert_eq!(remove(&harness, &owner, &invited["id"]).await.0, 502, "the first error is said");
    assert_eq!(account(&harness, joe), Some((Value::Null, Value::Null)));
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(5));
    let people = members(&harness, &owner).await;
    assert!(people.iter().all(|person| ["active", "invited"].contains(&person["status"].as_str().unwrap())));
    assert_eq!(letters_to(&harness, "ann@hill-street.example"), 1);
}

#[tokio::test]
async fn nobody_is_demoted_or_evicted_by_an_invitation_to_their_address() {
    let harness = Harness::empty(vec![]).await;
    with_owner(&harness).await;
    let org = OrgId::founded_by(ADA);
    let admin = harness.token(org, "admin");
    // An owner of before there was a record of the team.
    let eve = "eve@hill-street.example";
    let meta = json!({"org_id": org, "role": "owner"});
    harness.stack.supabase.add_account(eve, "a long password", &meta);
    let (status, problem) = invite(&harness, &admin, eve, "viewer").await;
    assert_eq!((status, &problem["code"]), (409, &json!("account_elsewhere")), "{problem}");
    assert_eq!(account(&harness, eve), Some((json!(org), json!("owner"))));
    // Nor by one that the issuer does not hear of before it is taken back.
    fault(&harness, "list_users", Mode::TimeoutBefore);
    assert_eq!(invite(&harness, &admin, eve, "viewer").await.0, 502);
    let people = members(&harness, &admin).await;
    let id = people.iter().find(|person| person["email"] == eve).unwrap()["id"].clone();
    assert_eq!(remove(&harness, &admin, &id).await.0, 200);
    assert_eq!(account(&harness, eve), Some((json!(org), json!("owner"))));
}

#[tokio::test]
async fn an_invitation_is_sent_again_after_an_hour_and_comes_back_to_life() {
    let harness = Harness::empty(vec![]).await;
    let (_, made) = found(&harness, &wanted()).await;
    let org: OrgId = made["org_id"].as_str().unwrap().parse().unwrap();
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(59));
    found(&harness, &wanted()).await;
    assert_eq!(letters_to(&harness, ADA), 1);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(1));
    assert_eq!(invite(&harness, &harness.token(org, "owner"), ADA, "owner").await.0, 200);
    assert_eq!(letters_to(&harness, ADA), 2);
    comes(&harness, ADA);
    // Who has come is not written to again.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(2));
    assert_eq!(invite(&harness, &harness.token(org, "owner"), ADA, "owner").await.0, 200);
    assert_eq!(letters_to(&harness, ADA), 2);
}

#[tokio::test]
async fn a_role_that_is_none_of_ours_is_no_role() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for role in ["unheard-of", "", "Owner", "operator"] {
        let (status, problem) = harness.get("/api/billing/wallet", &harness.token(ORG, role)).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{role}");
    }
    for bad in ["operator", "", "superuser"] {
        let (status, problem) = invite(&harness, &harness.owner(), "joe@example.com", bad).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")), "{bad}: {problem}");
    }
}
