//! What is typed, and what is said to it.

use std::process::{Command, Output};

use serde_json::json;

use super::kill::{Voxanne, folder};

fn voxanne(arguments: &[&str], folder: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_voxanne")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_statement_is_verified_and_what_was_altered_is_named() {
    let folder = folder("verify");
    let good = include_str!("../../fixtures/statement.json");
    std::fs::write(folder.join("good.json"), good).unwrap();
    std::fs::write(folder.join("bad.json"), good.replacen("\"amount_pence\": 56", "\"amount_pence\": 1", 1))
        .unwrap();
    let intact = voxanne(&["verify-statement", "good.json"], &folder);
    assert!(intact.status.success() && said(&intact).contains("Intact: 3 entries, seq 1 to 3"));
    let altered = voxanne(&["verify-statement", "bad.json"], &folder);
    assert!(!altered.status.success() && said(&altered).contains("entry 2 (call#web-0) was altered"));
    let missing = voxanne(&["verify-statement", "none.json"], &folder);
    assert!(!missing.status.success() && said(&missing).contains("none.json cannot be read"));
}

#[tokio::test]
async fn a_taken_folder_and_a_taken_port_are_said() {
    let folder = folder("taken");
    let running = Voxanne::start(&folder).await;
    let data = folder.join("data");
    let same_folder = voxanne(&["--port", "0", "--data-dir", data.to_str().unwrap()], &folder);
    assert!(
        said(&same_folder).contains(&format!("in use by process {}", running.process_id())),
        "{}",
        said(&same_folder)
    );
    let same_port = voxanne(&["--port", &running.port(), "--data-dir", "another"], &folder);
    let holder = format!("another Voxanne has it, process {}", running.process_id());
    assert!(said(&same_port).contains(&holder), "{}", said(&same_port));
    assert!(!same_folder.status.success() && !same_port.status.success());
}

#[tokio::test]
async fn a_fault_is_asked_for_by_hand_and_an_unknown_one_is_said() {
    let folder = folder("faults");
    let running = Voxanne::start(&folder).await;
    let fault = json!({"vendor": "twilio", "operation": "search", "mode": "error", "times": 1});
    running.post("/_sandbox/faults", &fault).await.unwrap();
    let path = "/api/managed-telephony/available-numbers?country=US&limit=1";
    assert_eq!(running.get(path).await.unwrap()["code"], "carrier_unavailable");
    assert_eq!(running.get(path).await.unwrap()["numbers"].as_array().map(Vec::len), Some(1), "once");
    let unknown = json!({"vendor": "twilio", "operation": "dance", "mode": "error"});
    let said = running.post("/_sandbox/faults", &unknown).await.unwrap();
    assert!(said["detail"].as_str().unwrap().contains("search"), "it lists what there is: {said}");
}

#[test]
fn keys_are_rotated_where_the_data_lies() {
    let folder = folder("rotate");
    let data = folder.join("data");
    let arguments = ["rotate-keys", "--data-dir", data.to_str().unwrap()];
    let none = voxanne(&arguments, &folder);
    assert!(none.status.success() && said(&none).contains("0 sealed anew"), "{}", said(&none));
    let bad = voxanne(&[&arguments[..], &["--keys", "new:short"]].concat(), &folder);
    assert!(!bad.status.success() && said(&bad).contains("CREDENTIAL_KEYS"), "{}", said(&bad));
}

#[test]
fn a_real_vendor_without_a_public_url_is_refused() {
    let folder = folder("real");
    std::fs::write(folder.join(".env"), "STRIPE_API_KEY=sk_test_1\n").unwrap();
    let refused = voxanne(&["--port", "0"], &folder);
    assert!(!refused.status.success() && said(&refused).contains("PUBLIC_URL"), "{}", said(&refused));
}

#[test]
fn what_functions_under_sam_need_is_written_beside_a_stack_that_runs() {
    // `.ci/check_sam.py` shows what it writes then.
    let folder = folder("sam");
    let refused = voxanne(&["sam-env"], &folder);
    assert!(!refused.status.success() && said(&refused).contains("No stack runs on"), "{}", said(&refused));
    assert!(!folder.join(".voxanne/sam-env.json").exists());
}

#[tokio::test]
async fn the_demo_clinic_is_rung_and_paid_for_and_looked_over_from_another_terminal() {
    let folder = folder("beside");
    let nothing = voxanne(&["check"], &folder);
    assert!(said(&nothing).contains("No stack runs on .voxanne"), "{}", said(&nothing));
    let running = Voxanne::start(&folder).await;
    let data = folder.join("data");
    let beside =
        |arguments: &[&str]| voxanne(&[arguments, &["--data-dir", data.to_str().unwrap()]].concat(), &folder);
    let paid = beside(&["pay", "25"]);
    assert!(said(&paid).contains("The balance was £0.00, and is £25.00."), "{}", said(&paid));
    let rung = beside(&["ring", "a check-up next Tuesday afternoon"]);
    assert!(said(&rung).contains("BOOKED. Check-up on Tuesday"), "{}", said(&rung));
    let unknown = beside(&["ring", "a haircut tomorrow"]);
    assert!(said(&unknown).contains("The clinic offers Check-up and Hygienist visit"), "{}", said(&unknown));
    let checked = beside(&["check"]);
    assert!(checked.status.success(), "{}", said(&checked));
    assert_eq!(said(&checked).lines().count(), 4, "{}", said(&checked));
    drop(running);
}

#[tokio::test]
async fn a_fresh_folder_begins_with_a_month_and_one_that_broke_off_begins_anew() {
    let folder = folder("month");
    let data = folder.join("data");
    let data_dir = data.to_str().unwrap().to_owned();
    // It broke off: what stands there is no month.
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("voxanne.db"), "half of it").unwrap();
    std::fs::write(data.join("unfinished"), "").unwrap();
    let running = Voxanne::start_with(&folder, &[]).await;
    assert!(!data.join("unfinished").exists());
    let checked = voxanne(&["check", "--data-dir", &data_dir], &folder);
    assert!(checked.status.success(), "{}", said(&checked));
    let calls = running.get("/api/calls-dashboard/total").await.unwrap()["total"].as_u64();
    assert!(calls.is_some_and(|calls| calls > 25), "{calls:?}");
    drop(running);
    // It is played once.
    let again = Voxanne::start_with(&folder, &[]).await;
    assert_eq!(again.get("/api/calls-dashboard/total").await.unwrap()["total"].as_u64(), calls);
}
