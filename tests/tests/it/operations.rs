//! What operators see, and no one else does.

use std::collections::BTreeSet;

use base::clock::Clock;
use bytes::Bytes;
use http::Request;
use jsonwebtoken::{EncodingKey, Header, encode};
use local::stack::{JWT_ISSUER, JWT_SECRET};
use serde_json::{Value, json};
use tests::{Harness, ORG, parts};

const PATH: &str = "/api/operations/reconciliation";
const TASKS: [&str; 7] = ["calls", "listing", "payments", "numbers", "books", "appointments", "teams"];

fn operator(harness: &Harness) -> String {
    local::token::issue_operator(harness.clock.now()).unwrap()
}

/// A token of the issuer's with this `app_metadata`.
fn token_with(harness: &Harness, app_metadata: &Value) -> String {
    let claims = json!({"iss": JWT_ISSUER, "aud": "authenticated", "sub": "user-1",
        "exp": harness.clock.now().as_second() + 60, "app_metadata": app_metadata});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

/// Does one run of a task, as its schedule would.
async fn run(harness: &Harness, task: &str) {
    let deps = reconcile::Deps::new(harness.stack.platform.clone()).unwrap();
    Box::pin(reconcile::handle(&deps, json!({ "task": task }))).await.unwrap();
}

/// The runs that an operator is shown.
async fn runs(harness: &Harness, query: &str) -> Vec<Value> {
    let (status, answer) = harness.get(&format!("{PATH}{query}"), &operator(harness)).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer["runs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn only_an_operator_sees_the_runs() {
    // S1
    let harness = Harness::with_wallet(2_500, 600).await;
    let nobody = harness.send(Request::get(PATH).body(Bytes::new()).unwrap()).await;
    let (status, problem) = parts(&nobody);
    assert_eq!((status, problem["code"].as_str()), (401, Some("missing_token")));
    for role in ["owner", "admin", "viewer"] {
        let (status, problem) = harness.get(PATH, &harness.token(ORG, role)).await;
        assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{role}: {problem}");
    }
    for (app_metadata, status, code) in [
        (json!({}), 403, "forbidden"),
        (json!({"operator": false}), 403, "forbidden"),
        (json!({"operator": false, "org_id": ORG, "role": "operator"}), 403, "forbidden"),
        // Only the boolean will do; with anything else the token is not one of the issuer's.
        (json!({"operator": "true"}), 401, "invalid_token"),
        (json!({"operator": 1}), 401, "invalid_token"),
    ] {
        let (got, problem) = harness.get(PATH, &token_with(&harness, &app_metadata)).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{app_metadata}: {problem}");
    }
    let expired = operator(&harness);
    harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_hours(13));
    assert_eq!(harness.get(PATH, &expired).await.0, 401);
    assert_eq!(harness.get(PATH, &operator(&harness)).await.0, 200);
}

#[tokio::test]
async fn an_operator_gets_no_further_than_operations() {
    // S1
    let harness = Harness::with_wallet(2_500, 600).await;
    let elsewhere =
        ["/api/billing/wallet", "/api/agents", "/api/calls-dashboard", "/api/integrations/vapi/numbers"];
    for app_metadata in [json!({"operator": true}), json!({"operator": true, "org_id": ORG, "role": "owner"})]
    {
        let token = token_with(&harness, &app_metadata);
        assert_eq!(harness.get(PATH, &token).await.0, 200, "{app_metadata}");
        for path in elsewhere {
            let (status, problem) = harness.get(path, &token).await;
            assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{path}: {problem}");
        }
    }
}

#[tokio::test]
async fn the_last_runs_of_every_task_are_shown_newest_first() {
    let harness = Harness::empty(vec![]).await;
    assert_eq!(runs(&harness, "").await, Vec::<Value>::new());
    for task in TASKS {
        run(&harness, task).await;
        harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_secs(1));
    }
    let shown = runs(&harness, "").await;
    let tasks: Vec<&str> = shown.iter().map(|run| run["task"].as_str().unwrap()).collect();
    assert_eq!(tasks, ["teams", "appointments", "books", "numbers", "payments", "listing", "calls"]);
    let fields = BTreeSet::from([
        "task",
        "startedAt",
        "finishedAt",
        "checked",
        "checkedIds",
        "repaired",
        "left",
        "complete",
    ]);
    for run in &shown {
        let names: BTreeSet<&str> = run.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, fields);
        assert!(run["startedAt"].is_string() && run["finishedAt"].is_string(), "{run}");
        assert!(run["checked"].is_u64() && run["complete"] == true, "{run}");
        assert_eq!((&run["repaired"], &run["left"]), (&json!([]), &json!([])), "there was nothing to repair");
    }
}

#[tokio::test]
async fn the_list_is_cut_and_chosen_by_task() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for _ in 0..3 {
        for task in ["calls", "books"] {
            run(&harness, task).await;
            harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_secs(1));
        }
    }
    let tasks = |shown: &[Value]| -> Vec<String> {
        shown.iter().map(|run| run["task"].as_str().unwrap().to_owned()).collect()
    };
    let shown = tasks(&runs(&harness, "?limit=1").await);
    assert_eq!(shown, ["books", "calls"], "what runs often does not hide what runs seldom");
    assert_eq!(tasks(&runs(&harness, "?limit=2").await), ["books", "calls", "books", "calls"]);
    assert_eq!(tasks(&runs(&harness, "?task=calls").await), ["calls"; 3]);
    assert_eq!(tasks(&runs(&harness, "?task=calls&limit=2").await), ["calls"; 2]);
    assert_eq!(tasks(&runs(&harness, "?limit=100").await).len(), 6);
    assert!(runs(&harness, "?task=numbers").await.is_empty());
}

#[tokio::test]
async fn a_query_that_cannot_be_is_said() {
    let harness = Harness::empty(vec![]).await;
    let token = operator(&harness);
    for (query, sentence) in [
        ("?limit=0", "limit is a whole number from 1 to 100."),
        ("?limit=101", "limit is a whole number from 1 to 100."),
        ("?limit=-1", "limit is a whole number from 1 to 100."),
        ("?limit=many", "limit is a whole number from 1 to 100."),
        ("?task=everything", "task is one of calls, listing, payments, numbers, books, appointments, teams."),
        ("?limit=1&limit=2", "limit is given twice."),
        (
            "?org_id=1",
            "org_id is no query value of this address, which takes limit, task: leave it out, or correct its name.",
        ),
    ] {
        let (status, problem) = harness.get(&format!("{PATH}{query}"), &token).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{query}");
        assert_eq!(problem["detail"], sentence, "{query}");
    }
    let (status, problem) = harness.post(PATH, &token, "{}").await;
    assert_eq!((status, problem["code"].as_str()), (405, Some("method_not_allowed")));
}

#[tokio::test]
async fn a_task_that_is_not_known_fails_its_run() {
    let harness = Harness::empty(vec![]).await;
    let deps = reconcile::Deps::new(harness.stack.platform.clone()).unwrap();
    for event in [json!({}), json!({"task": "everything"}), json!({"task": 1}), json!("calls"), Value::Null] {
        assert!(Box::pin(reconcile::handle(&deps, event.clone())).await.is_err(), "{event}");
    }
}

#[tokio::test]
async fn an_operator_sees_numbers_without_a_claim_and_lets_one_go() {
    // R7
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.stack.vapi.add_number("late", "+14155550199", None);
    let environment = harness.mark()["voxanne_environment"].as_str().unwrap().to_owned();
    let name = format!("voxanne/{environment}/0123456789a");
    harness.vapi_patch("/phone-number/late", &json!({ "name": name }));
    let operator = operator(&harness);
    let listed = async || harness.get("/api/operations/orphans", &operator).await.1["orphans"].clone();
    assert_eq!(listed().await, json!([]));
    run(&harness, "numbers").await;
    let seen = listed().await;
    assert_eq!((&seen[0]["place"], &seen[0]["isAllowed"]), (&json!("vapi#late"), &json!(false)), "{seen}");
    let give_back = "/api/operations/orphans/give-back";
    for (body, status) in [
        (json!({"place": "vapi#lat", "reason": "Looked up."}), 404),
        (json!({"place": "", "reason": "Looked up."}), 404),
        (json!({"place": "vapi#late", "reason": " "}), 400),
        (json!({"place": "vapi#late"}), 400),
        (json!({"place": "vapi#late", "reason": "Looked up."}), 202),
        (json!({"place": "vapi#late", "reason": "And again."}), 202),
    ] {
        let (got, answer) = harness.post(give_back, &operator, body.to_string()).await;
        assert_eq!(got, status, "{body}: {answer}");
    }
    let seen = listed().await;
    assert_eq!((&seen[0]["isAllowed"], &seen[0]["reason"]), (&json!(true), &json!("Looked up.")), "{seen}");
    harness.pass(3_600).await;
    run(&harness, "numbers").await;
    assert_eq!(listed().await, json!([]));
    assert!(!harness.stack.vapi.numbers().iter().any(|number| number["id"] == "late"));
}

#[tokio::test]
async fn an_operators_word_about_a_number_stands_until_it_is_withdrawn_and_each_act_is_written_down() {
    // R7, S7
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.stack.vapi.add_number("late", "+14155550199", None);
    let environment = harness.mark()["voxanne_environment"].as_str().unwrap().to_owned();
    harness
        .vapi_patch("/phone-number/late", &json!({ "name": format!("voxanne/{environment}/0123456789a") }));
    run(&harness, "numbers").await;
    let (first, second) = (operator(&harness), token_with(&harness, &json!({"operator": true})));
    let body = |reason: &str| json!({"place": "vapi#late", "reason": reason});
    let act = async |method: &str, token: &str, body: &Value| {
        harness.call_api((method, "/api/operations/orphans/give-back"), token, None, body).await
    };
    let (status, answer) = act("POST", &first, &body("Nobody rings it.")).await;
    assert_eq!((status, &answer["allowedBy"]), (202, &json!("user-operator")), "{answer}");
    let said_at = answer["allowedAt"].clone();
    harness.pass(10).await;
    let (status, answer) = act("POST", &second, &body("I think so too.")).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(
        (&answer["allowedBy"], &answer["allowedAt"], &answer["reason"]),
        (&json!("user-operator"), &said_at, &json!("Nobody rings it.")),
        "the first one's word stands: {answer}"
    );
    for (body, status) in [
        (json!({"place": "vapi#lat", "reason": "It is rung."}), 404),
        (json!({"place": "vapi#late", "reason": ""}), 400),
        (body("It is rung."), 200),
        (body("Again."), 200),
    ] {
        let (got, answer) = act("DELETE", &second, &body).await;
        assert_eq!(got, status, "{body}: {answer}");
    }
    for _ in 0..3 {
        harness.pass(3_600).await;
        run(&harness, "numbers").await;
    }
    assert!(harness.stack.vapi.numbers().iter().any(|number| number["id"] == "late"), "it is kept");
    // The tokens have expired meanwhile.
    let (first, second) = (operator(&harness), token_with(&harness, &json!({"operator": true})));
    let (status, answer) = act("POST", &second, &body("It is not rung.")).await;
    assert_eq!((status, &answer["allowedBy"]), (202, &json!("user-1")), "{answer}");
    run(&harness, "numbers").await;
    assert!(!harness.stack.vapi.numbers().iter().any(|number| number["id"] == "late"));
    let nobody = uuid::Uuid::nil();
    let (_, log) = harness.get(&format!("/api/operations/wallets/{nobody}/acts"), &first).await;
    let acts: Vec<_> = log["acts"].as_array().unwrap().iter().rev().collect();
    let told: Vec<_> = acts.iter().map(|act| json!([act["user"], act["action"], act["reason"]])).collect();
    assert_eq!(
        told,
        [
            json!(["user-operator", "let_number_go", "Nobody rings it."]),
            json!(["user-1", "keep_number", "It is rung."]),
            json!(["user-1", "let_number_go", "It is not rung."]),
        ]
    );
    assert_eq!(acts[0]["record"], json!({"kind": "unclaimed_number", "id": "vapi#late"}), "{log}");
}
