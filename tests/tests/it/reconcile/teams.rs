use base::clock::Clock;
use jiff::SignedDuration;
use sandbox::faults::{Fault, Mode};
use serde_json::{Value, json};
use store::runs::Runs;
use tests::{Harness, ORG, alarms};

use super::{count, ids, run};

const TEAM: &str = "/api/team/members";
const JOE: &str = "joe@hill-street.example";

fn fault(harness: &Harness, operation: &str, mode: Mode, times: u32) {
    harness.stack.faults.add(Fault {
        vendor: "supabase".into(),
        operation: operation.into(),
        mode,
        times,
        after: 0,
    });
}

fn has_account(harness: &Harness) -> bool {
    harness.stack.supabase.accounts().iter().any(|account| account["email"] == JOE)
}

/// One who was invited, whom the owner removes while the issuer does not answer, so many times.
async fn removed_unheard(harness: &Harness, times: u32) {
    let body = json!({"email": JOE, "role": "admin"}).to_string();
    let (status, joe) = harness.post(TEAM, &harness.owner(), body).await;
    assert_eq!(status, 201, "{joe}");
    fault(harness, "delete_user", Mode::TimeoutBefore, times);
    let path = format!("{TEAM}/{}", joe["id"].as_str().unwrap());
    let (status, problem) = harness.call_api(("DELETE", &path), &harness.owner(), None, &Value::Null).await;
    assert_eq!((status, &problem["code"]), (502, &json!("sign_in_unavailable")), "{problem}");
    assert!(has_account(harness));
}

#[tokio::test]
async fn a_removal_that_the_issuer_did_not_hear_of_is_done_though_nobody_looks_at_the_team() {
    let harness = Harness::empty(vec![]).await;
    assert_eq!(run(&harness, "teams").await.checked, 0);
    removed_unheard(&harness, 1).await;
    assert_eq!(ids(&run(&harness, "teams").await.repaired, "team_told"), [ORG.to_string()]);
    assert!(!has_account(&harness));
    assert_eq!(run(&harness, "teams").await.checked, 0, "and it is not looked at again");
    // So is an invitation whose letter the issuer would not send.
    fault(&harness, "invite", Mode::TooMany, 1);
    let body = json!({"email": "zoe@hill-street.example", "role": "staff"}).to_string();
    assert_eq!(harness.post(TEAM, &harness.owner(), body).await.0, 502);
    assert_eq!(run(&harness, "teams").await.repaired, [], "not so soon");
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(5));
    assert_eq!(ids(&run(&harness, "teams").await.repaired, "team_told"), [ORG.to_string()]);
    let letters = harness.stack.supabase.letters();
    assert_eq!(letters.iter().filter(|letter| letter.to == "zoe@hill-street.example").count(), 1);
}

#[tokio::test]
async fn a_team_of_which_the_issuer_is_not_told_for_an_hour_is_told_to_a_person() {
    let harness = Harness::empty(vec![]).await;
    removed_unheard(&harness, 4).await;
    let runs = Runs::new(harness.stack.db());
    let (heard, guard) = alarms();
    let report = run(&harness, "teams").await;
    assert_eq!(ids(&report.left, "team_untold"), [ORG.to_string()]);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(59));
    run(&harness, "teams").await;
    assert_eq!(count(&heard, "team_untold"), 0);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(1));
    run(&harness, "teams").await;
    assert_eq!(count(&heard, "team_untold"), 1);
    assert_eq!(runs.seen("teams_untold", "").await.unwrap().len(), 1);
    let report = run(&harness, "teams").await;
    drop(guard);
    assert_eq!(ids(&report.repaired, "team_told"), [ORG.to_string()]);
    assert_eq!(runs.seen("teams_untold", "").await.unwrap(), [], "and is forgotten");
    assert!(!has_account(&harness));
}

#[tokio::test]
async fn an_issuer_at_which_anybody_may_sign_up_is_told_to_a_person() {
    let harness = Harness::empty(vec![]).await;
    let (heard, guard) = alarms();
    assert_eq!(run(&harness, "teams").await.left, []);
    harness.stack.supabase.open_sign_ups();
    assert_eq!(ids(&run(&harness, "teams").await.left, "sign_ups_open"), ["issuer"]);
    drop(guard);
    assert_eq!(count(&heard, "sign_ups_open"), 1);
}
