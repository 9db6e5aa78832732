//! Appointments as the clinic's own people book, move, cancel and note them.

use base::clock::Clock;
use futures::future::join_all;
use local::aws::Outcome;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG};

use crate::booking::{appointments, clinic};

const PATH: &str = "/api/appointments";
const MONDAY_TEN: &str = "2026-01-12T10:00:00Z";

async fn service(harness: &Harness) -> String {
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    listed["services"][0]["id"].as_str().unwrap().to_owned()
}

async fn wanted(harness: &Harness, at: &str, name: &str) -> Value {
    json!({"service_id": service(harness).await, "scheduled_at": at,
        "contact": {"name": name, "phone": "+447700900101"}})
}

async fn post(harness: &Harness, body: &Value, key: Option<&str>) -> (u16, Value) {
    harness.call_api(("POST", PATH), &harness.owner(), key, body).await
}

async fn made(harness: &Harness, at: &str, name: &str) -> Value {
    let (status, made) = post(harness, &wanted(harness, at, name).await, None).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn patch(harness: &Harness, id: &Value, body: &Value) -> (u16, Value) {
    let path = format!("{PATH}/{}", id.as_str().unwrap());
    harness.call_api(("PATCH", &path), &harness.owner(), None, body).await
}

/// Cancels an appointment, as it was shown.
async fn delete(harness: &Harness, one: &Value) -> (u16, Value) {
    let path = format!("{PATH}/{}?revision={}", one["id"].as_str().unwrap(), one["revision"]);
    harness.call_api(("DELETE", &path), &harness.owner(), None, &Value::Null).await
}

/// What was done to an appointment, and why, as the audit log has it. The clock may stand, so it has no order.
async fn acts_on(harness: &Harness, one: &Value) -> Vec<(String, Value)> {
    let operator = local::token::issue_operator(harness.clock.now()).unwrap();
    let (_, acts) = harness.get(&format!("/api/operations/wallets/{ORG}/acts"), &operator).await;
    let mut acts: Vec<(String, Value)> = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|act| act["record"] == json!({"kind": "appointment", "id": one["id"]}))
        .map(|act| (act["action"].as_str().unwrap().to_owned(), act["reason"].clone()))
        .collect();
    acts.sort_by(|one, other| one.0.cmp(&other.0));
    acts
}

#[tokio::test]
async fn staff_book_move_note_and_cancel() {
    // A8
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    assert_eq!(
        (&one["status"], &one["revision"], &one["overbooked"]),
        (&json!("confirmed"), &json!(1), &json!(false))
    );
    let path = format!("{PATH}/{}", one["id"].as_str().unwrap());
    let (status, shown) = harness.get(&path, &harness.token(ORG, "viewer")).await;
    assert_eq!((status, &shown), (200, &one));
    assert_eq!(harness.get(&path, &harness.token(OTHER_ORG, "owner")).await.0, 404, "it is the org's own");
    let to = json!({"revision": 1, "scheduled_at": "2026-01-13T11:00:00Z"});
    let (status, moved) = patch(&harness, &one["id"], &to).await;
    assert_eq!((status, &moved["revision"], &moved["id"]), (200, &json!(2), &one["id"]), "{moved}");
    assert_eq!(patch(&harness, &one["id"], &to).await, (200, moved.clone()), "a repeat of one's own change");
    let stale = json!({"revision": 1, "scheduled_at": "2026-01-13T11:30:00Z"});
    let (status, problem) = patch(&harness, &one["id"], &stale).await;
    assert_eq!((status, &problem["code"]), (409, &json!("version_conflict")), "{problem}");
    let noted = json!({"revision": 2, "status": "arrived", "notes": "In a wheelchair."});
    let (status, arrived) = patch(&harness, &one["id"], &noted).await;
    assert_eq!(
        (status, &arrived["status"], &arrived["notes"]),
        (200, &json!("arrived"), &json!("In a wheelchair."))
    );
    assert_eq!(arrived["revision"], 2, "the patient is told nothing of it");
    let (status, problem) =
        patch(&harness, &one["id"], &json!({"revision": 2, "scheduled_at": MONDAY_TEN})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_status")), "{problem}");
    let (status, problem) = delete(&harness, &one).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("version_conflict")),
        "it was moved since: {problem}"
    );
    let (status, cancelled) = delete(&harness, &arrived).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")));
    assert_eq!(delete(&harness, &arrived).await, (200, cancelled), "again");
    let (status, problem) = patch(&harness, &one["id"], &to).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_status")), "{problem}");
    let acts: Vec<String> = acts_on(&harness, &one).await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(acts, ["book_appointment", "cancel_appointment", "move_appointment", "note_appointment"]);
    let (status, problem) = patch(&harness, &one["id"], &json!({"revision": 2, "status": "confirmed"})).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("wrong_status")),
        "its time may be another's: {problem}"
    );
    // Both its times are free.
    made(&harness, MONDAY_TEN, "Grace Hopper").await;
    made(&harness, "2026-01-13T11:00:00Z", "Grace Hopper").await;
}

#[tokio::test]
async fn a_time_that_is_not_free_is_refused_with_others_and_overbooked_only_with_a_reason() {
    // A1, A7
    let harness = clinic().await;
    let first = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let body = wanted(&harness, MONDAY_TEN, "Grace Hopper").await;
    let (status, problem) = post(&harness, &body, None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("time_not_free")), "{problem}");
    let alternatives = problem["alternatives"].as_array().unwrap();
    let starts: Vec<&str> = alternatives.iter().map(|one| one["starts_at"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2026-01-12T09:00:00.000Z", "2026-01-12T09:30:00.000Z", "2026-01-12T10:30:00.000Z"]);
    assert!(!problem.to_string().contains("Lovelace"), "{problem}");
    let mut over = body.clone();
    over["overbook"] = json!("");
    assert_eq!(post(&harness, &over, None).await.0, 400);
    over["overbook"] = json!("Toothache, cannot wait.");
    let (status, laid_over) = post(&harness, &over, None).await;
    assert_eq!((status, &laid_over["overbooked"]), (201, &json!(true)), "{laid_over}");
    assert_eq!(
        acts_on(&harness, &laid_over).await,
        [("overbook".to_owned(), json!("Toothache, cannot wait."))]
    );
    // Nothing is made onto an overbooked one either, by those who do not mean it.
    let third = wanted(&harness, MONDAY_TEN, "Joan Clarke").await;
    delete(&harness, &first).await;
    assert_eq!(post(&harness, &third, None).await.0, 409);
    // A time that is free is not called overbooked, whatever is said.
    let mut free = wanted(&harness, "2026-01-12T11:00:00Z", "Joan Clarke").await;
    free["overbook"] = json!("To be safe.");
    assert_eq!(post(&harness, &free, None).await.1["overbooked"], false);
    let closed = wanted(&harness, "2026-01-12T20:00:00Z", "Joan Clarke").await;
    let (status, problem) = post(&harness, &closed, None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("time_not_free")), "{problem}");
}

#[tokio::test]
async fn a_request_that_comes_again_books_once() {
    // A2
    let harness = clinic().await;
    let body = wanted(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let all = join_all((0..8).map(|_| post(&harness, &body, None))).await;
    let made = all.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made, 1, "{all:?}");
    assert!(all.iter().all(|(status, one)| *status <= 201 && one["id"] == all[0].1["id"]), "{all:?}");
    let keyed = wanted(&harness, "2026-01-13T10:00:00Z", "Ada Lovelace").await;
    let (status, first) = post(&harness, &keyed, Some("key-1")).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(post(&harness, &keyed, Some("key-1")).await, (200, first.clone()));
    let other = wanted(&harness, "2026-01-14T10:00:00Z", "Ada Lovelace").await;
    let (status, problem) = post(&harness, &other, Some("key-1")).await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency_key_reused")), "{problem}");
    // After it was cancelled, an equal request without a key is a wish of its own; one by the old key is not.
    delete(&harness, &first).await;
    assert_eq!(post(&harness, &keyed, Some("key-1")).await.1["status"], "cancelled");
    delete(&harness, &all[0].1).await;
    assert_eq!(post(&harness, &body, None).await.0, 201);
    assert_eq!(appointments(&harness, ORG).await.len(), 3);
}

#[tokio::test]
async fn what_cannot_be_booked_is_said_and_nothing_is_written() {
    let harness = clinic().await;
    let good = wanted(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, status) in [
        (with("service_id", json!("s-other")), 400),
        (with("service_id", json!("intent#1")), 400),
        (with("resource_id", json!("a b")), 400),
        (with("resource_id", json!("r-other")), 409),
        (with("scheduled_at", json!("tomorrow")), 400),
        (with("scheduled_at", json!("0001-01-01T00:00:00Z")), 400),
        (with("scheduled_at", json!("2025-12-01T10:00:00Z")), 409),
        (with("scheduled_at", json!("2026-01-12T10:07:00Z")), 409),
        (with("contact", json!({"name": "", "phone": null})), 400),
        (with("contact", json!({"name": "+447700900101"})), 400),
        (with("contact", json!({"name": "Ada Lovelace", "phone": "12"})), 400),
        (with("contact", json!({"name": "Ada Lovelace", "age": 3})), 400),
        (with("notes", json!("x".repeat(2_001))), 400),
    ] {
        let (got, problem) = post(&harness, &body, None).await;
        assert_eq!(got, status, "{body}: {problem}");
    }
    let viewer = harness.token(ORG, "viewer");
    assert_eq!(harness.call_api(("POST", PATH), &viewer, None, &good).await.0, 403);
    assert_eq!(appointments(&harness, ORG).await.len(), 0);
    let one = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    for body in [
        json!({"revision": 1}),
        json!({"revision": 1, "status": "cancelled"}),
        json!({"revision": 1, "status": "held"}),
        json!({"revision": 1, "scheduled_at": "2026-01-13T10:00:00Z", "status": "arrived"}),
        json!({"revision": 1, "overbook": "Because."}),
        json!({"scheduled_at": "2026-01-13T10:00:00Z"}),
    ] {
        let (status, problem) = patch(&harness, &one["id"], &body).await;
        assert_eq!(status, 400, "{body}: {problem}");
    }
    // An item of another kind is no appointment.
    for id in ["a-other", "intent%231", "call%23call-1"] {
        assert_eq!(harness.get(&format!("{PATH}/{id}"), &harness.owner()).await.0, 404, "{id}");
    }
}

#[tokio::test]
async fn two_who_change_what_they_saw_do_not_undo_each_other() {
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let noted = |version: Option<&Value>, notes: &str| {
        let mut body = json!({"revision": 1, "notes": notes});
        if let Some(version) = version {
            body["version"] = version.clone();
        }
        body
    };
    let allergy = noted(Some(&one["version"]), "Allergic to penicillin.");
    let (status, after) = patch(&harness, &one["id"], &allergy).await;
    assert_eq!((status, &after["notes"]), (200, &json!("Allergic to penicillin.")), "{after}");
    assert_eq!(patch(&harness, &one["id"], &allergy).await, (200, after.clone()), "one's own, again");
    let (status, problem) = patch(&harness, &one["id"], &noted(Some(&one["version"]), "Ring back.")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("version_conflict")), "{problem}");
    let (status, last) = patch(&harness, &one["id"], &noted(None, "Ring back.")).await;
    assert_eq!((status, &last["notes"]), (200, &json!("Ring back.")), "who names no version means it anyhow");
}

/// Asks while the first write meets this fate, and once more if it was not done.
async fn despite<F: Future<Output = (u16, Value)>>(
    harness: &Harness,
    fate: Outcome,
    mut ask: impl FnMut() -> F,
) -> (u16, Value) {
    let mut is_first = true;
    harness.stack.aws.set_plan(move |sent| {
        let strikes = sent.operation == "TransactWriteItems" && std::mem::take(&mut is_first);
        if strikes { fate } else { Outcome::Pass }
    });
    let first = ask().await;
    harness.stack.aws.clear_plan();
    if first.0 < 300 { first } else { ask().await }
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_made_once() {
    // A2
    for fate in [Outcome::Fail("InternalServerError"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        let harness = clinic().await;
        let wish = wanted(&harness, MONDAY_TEN, "Ada Lovelace").await;
        let (status, one) = despite(&harness, fate, || post(&harness, &wish, Some("key-1"))).await;
        assert!(status < 300, "{fate:?}: {one}");
        let to = json!({"revision": 1, "scheduled_at": "2026-01-13T11:00:00Z"});
        let (status, moved) = despite(&harness, fate, || patch(&harness, &one["id"], &to)).await;
        assert_eq!((status, &moved["revision"]), (200, &json!(2)), "{fate:?}: {moved}");
        let (status, cancelled) = despite(&harness, fate, || delete(&harness, &moved)).await;
        assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")), "{fate:?}: {cancelled}");
        assert_eq!(appointments(&harness, ORG).await.len(), 1, "{fate:?}");
        let acts = acts_on(&harness, &one).await;
        assert_eq!(acts.len(), 3, "{fate:?}: each once: {acts:?}");
    }
}

#[tokio::test]
async fn staff_and_callers_who_want_one_time_get_it_once() {
    // A1
    let harness = clinic().await;
    let reception = crate::booking::reception(&harness);
    let line = crate::booking::line(ORG, "call-1");
    let check =
        ("checkAvailability", json!({"service": "check-up", "when": "Monday the 12th of January at ten"}));
    let offered = crate::booking::uses(&reception, &line, check).await;
    let option = offered
        [offered.find("at ten o'clock").map_or(0, |at| offered[..at].rfind(": ").unwrap() - 1)..][..1]
        .to_owned();
    let other = made(&harness, "2026-01-13T10:00:00Z", "Joan Clarke").await;
    let body = wanted(&harness, MONDAY_TEN, "Grace Hopper").await;
    let book = ("bookClinicAppointment", json!({"option": option, "patient_name": "Ada Lovelace"}));
    let to = json!({"revision": 1, "scheduled_at": MONDAY_TEN});
    let (said, (status, _), (moved, _)) = tokio::join!(
        crate::booking::uses(&reception, &line, book),
        post(&harness, &body, None),
        patch(&harness, &other["id"], &to),
    );
    let won = [said.starts_with("BOOKED"), status == 201, moved == 200];
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{said} {status} {moved}");
    let at_ten = appointments(&harness, ORG).await;
    let at_ten = at_ten.iter().filter(|one| one["scheduled_time"] == "2026-01-12T10:00:00.000Z").count();
    assert_eq!(at_ten, 1);
}

async fn del(harness: &Harness, path: &str) -> (u16, Value) {
    harness.call_api(("DELETE", path), &harness.owner(), None, &Value::Null).await
}

#[tokio::test]
async fn a_service_that_ends_is_booked_no_more_and_what_was_booked_stands() {
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let id = service(&harness).await;
    let path = format!("/api/services/{id}");
    let (status, problem) = del(&harness, &format!("{path}?version=7")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("version_conflict")), "{problem}");
    let (status, standing) = del(&harness, &format!("{path}?version=1")).await;
    assert_eq!(status, 200, "{standing}");
    assert_eq!((&standing["appointments"][0]["id"], &standing["has_more"]), (&one["id"], &json!(false)));
    assert_eq!(del(&harness, &format!("{path}?version=1")).await, (200, standing), "a repeat of one's own");
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    assert_eq!(listed["services"], json!([]));
    let at = "2026-01-12T11:00:00Z";
    let wanted = json!({"service_id": id, "scheduled_at": at, "contact": {"name": "Grace Hopper"}});
    assert_eq!(post(&harness, &wanted, None).await.0, 400, "staff cannot");
    let reception = crate::booking::reception(&harness);
    let line = crate::booking::caller("call-1", "+447700900101");
    let asked = ("checkAvailability", json!({"service": "check-up", "when": "tomorrow"}));
    let answer = crate::booking::uses(&reception, &line, asked).await;
    assert!(!answer.starts_with("FREE"), "{answer}");
    // What stands can still be shown, moved, and cancelled.
    let path = format!("{PATH}/{}", one["id"].as_str().unwrap());
    assert_eq!(harness.get(&path, &harness.owner()).await.1["service_type"], "Check-up");
    let to = json!({"revision": 1, "scheduled_at": "2026-01-13T11:00:00Z"});
    let (status, moved) = patch(&harness, &one["id"], &to).await;
    assert_eq!((status, &moved["scheduled_time"]), (200, &json!("2026-01-13T11:00:00.000Z")), "{moved}");
    assert_eq!(delete(&harness, &moved).await.0, 200);
}

#[tokio::test]
async fn who_leaves_is_booked_no_more_and_leaves_what_others_do_to_them() {
    let harness = Harness::with_wallet(10_000, 600).await;
    harness.clock.turn_to("2026-01-05T09:00:00Z".parse().unwrap());
    crate::booking::offers(&harness, ORG, &["Dr Rahman", "Dr Jones"]).await;
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    let [jones, rahman] = [0, 1].map(|at| listed["resources"][at].clone());
    let path = |one: &Value| format!("/api/resources/{}", one["id"].as_str().unwrap());
    let mut wanted = wanted(&harness, MONDAY_TEN, "Ada Lovelace").await;
    wanted["resource_id"] = jones["id"].clone();
    let (status, one) = post(&harness, &wanted, None).await;
    assert_eq!(status, 201, "{one}");
    let (status, standing) = del(&harness, &format!("{}?version=1", path(&jones))).await;
    assert_eq!((status, &standing["appointments"][0]["id"]), (200, &one["id"]), "{standing}");
    assert_eq!(del(&harness, &path(&jones)).await, (200, standing), "a repeat");
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    assert_eq!((&listed["resources"], &listed["former"][0]["name"]), (&json!([rahman]), &json!("Dr Jones")));
    let (_, services) = harness.get("/api/services", &harness.owner()).await;
    assert_eq!(services["services"][0]["needs"], json!([[rahman["id"]]]));
    wanted["scheduled_at"] = json!("2026-01-12T11:00:00Z");
    wanted["contact"] = json!({"name": "Grace Hopper"});
    assert_eq!(post(&harness, &wanted, None).await.0, 409, "not with who left");
    wanted["overbook"] = json!("She asked for her.");
    assert_eq!(post(&harness, &wanted, None).await.0, 409, "and not over anything");
    // What stands with who left goes to who is there.
    let to = json!({"revision": 1, "scheduled_at": MONDAY_TEN, "resource_id": rahman["id"]});
    let (status, moved) = patch(&harness, &one["id"], &to).await;
    assert_eq!((status, &moved["resource_ids"]), (200, &json!([rahman["id"]])), "{moved}");
    let (status, problem) = del(&harness, &path(&rahman)).await;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("Check-up"), "{problem}");
    let (status, _) =
        patch_at(&harness, &path(&jones), &json!({"version": 2, "hours": hours("Dr Jones", &[])})).await;
    assert_eq!(status, 404);
    // The daily look still counts what stands with who left.
    for _ in 0..2 {
        let report = harness.reconcile("appointments").await;
        assert!(report.left.is_empty(), "{report:?}");
        harness.pass(120).await;
    }
}

#[tokio::test]
async fn who_moves_what_a_former_service_was_booked_for_is_offered_other_times() {
    let harness = Harness::with_wallet(10_000, 600).await;
    harness.clock.turn_to("2026-01-05T09:00:00Z".parse().unwrap());
    crate::booking::offers(&harness, ORG, &["Dr Rahman", "Dr Jones"]).await;
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    let [jones, rahman] = [0, 1].map(|at| listed["resources"][at]["id"].clone());
    let mut made = Vec::new();
    for at in [MONDAY_TEN, "2026-01-12T11:00:00Z"] {
        let mut wanted = wanted(&harness, at, "Ada Lovelace").await;
        wanted["resource_id"] = rahman.clone();
        let (status, one) = post(&harness, &wanted, None).await;
        assert_eq!(status, 201, "{one}");
        made.push(one);
    }
    let service = service(&harness).await;
    assert_eq!(del(&harness, &format!("/api/services/{service}")).await.0, 200);
    assert_eq!(del(&harness, &format!("/api/resources/{}", jones.as_str().unwrap())).await.0, 200);
    let to = json!({"revision": 1, "scheduled_at": "2026-01-12T11:00:00Z", "resource_id": rahman});
    let (status, problem) = patch(&harness, &made[0]["id"], &to).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["alternatives"].as_array().is_some_and(|others| !others.is_empty()), "{problem}");
}

#[tokio::test]
async fn a_time_away_shows_what_is_prepared_for_inside() {
    let harness = clinic().await;
    let owner = harness.owner();
    let (_, listed) = harness.get("/api/services", &owner).await;
    let mut terms = listed["services"][0].clone();
    let path = format!("/api/services/{}", terms["id"].as_str().unwrap());
    for name in ["id", "version"] {
        terms.as_object_mut().unwrap().remove(name);
    }
    terms["buffer_before_mins"] = json!(30);
    let (status, saved) = patch_at(&harness, &path, &json!({"version": 1, "terms": terms})).await;
    assert_eq!(status, 200, "{saved}");
    let one = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let (_, listed) = harness.get("/api/resources", &owner).await;
    let path = format!("/api/resources/{}", listed["resources"][0]["id"].as_str().unwrap());
    let mut away = listed["resources"][0].clone();
    let version = away["version"].clone();
    for name in ["id", "version"] {
        away.as_object_mut().unwrap().remove(name);
    }
    let closure = json!({"from": "2026-01-12T08:00:00Z", "to": MONDAY_TEN, "reason": "Training"});
    away["closures"] = json!([closure]);
    let (status, saved) = patch_at(&harness, &path, &json!({"version": version, "hours": away})).await;
    assert_eq!((status, &saved["inside"]["appointments"][0]["id"]), (200, &one["id"]), "{saved}");
    away["closures"][0]["reason"] = json!("x".repeat(201));
    let (status, problem) =
        patch_at(&harness, &path, &json!({"version": saved["version"], "hours": away})).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("reason"), "{problem}");
}

#[tokio::test]
async fn a_time_away_shows_what_is_booked_inside() {
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN, "Ada Lovelace").await;
    made(&harness, "2026-01-13T10:00:00Z", "Grace Hopper").await;
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    let path = format!("/api/resources/{}", listed["resources"][0]["id"].as_str().unwrap());
    let mut away = listed["resources"][0].clone();
    let version = away["version"].clone();
    for name in ["id", "version"] {
        away.as_object_mut().unwrap().remove(name);
    }
    away["closures"] =
        json!([{"from": "2026-01-12T00:00:00Z", "to": "2026-01-13T00:00:00Z", "reason": "Ill"}]);
    let (status, saved) = patch_at(&harness, &path, &json!({"version": version, "hours": away})).await;
    assert_eq!(status, 200, "{saved}");
    let inside = saved["inside"]["appointments"].as_array().unwrap();
    assert_eq!(inside.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&one["id"]], "{saved}");
    away["closures"]
        .as_array_mut()
        .unwrap()
        .push(json!({"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}));
    let (_, saved) = patch_at(&harness, &path, &json!({"version": saved["version"], "hours": away})).await;
    let ids = |saved: &Value| {
        saved["inside"]["appointments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&saved), [one["id"].clone()], "who asks again is told again");
    away["closures"] = json!([]);
    let (_, saved) = patch_at(&harness, &path, &json!({"version": saved["version"], "hours": away})).await;
    assert!(ids(&saved).is_empty(), "{saved}");
}

async fn patch_at(harness: &Harness, path: &str, body: &Value) -> (u16, Value) {
    harness.call_api(("PATCH", path), &harness.owner(), None, body).await
}

fn hours(name: &str, closures: &[Value]) -> Value {
    json!({"name": name, "time_zone": "Europe/London", "closures": closures})
}

#[tokio::test]
async fn a_service_is_not_left_with_needs_that_who_stays_cannot_meet() {
    let harness = Harness::with_wallet(10_000, 600).await;
    crate::booking::offers(&harness, ORG, &["Dr Rahman", "Dr Jones"]).await;
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    let ids: Vec<Value> =
        listed["resources"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    let pair = json!({"name": "Surgery", "duration_mins": 60, "needs": [ids, ids]});
    assert_eq!(harness.post("/api/services", &harness.owner(), pair.to_string()).await.0, 201);
    let (status, problem) = del(&harness, &format!("/api/resources/{}", ids[0].as_str().unwrap())).await;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("Surgery"), "{problem}");
}

#[tokio::test]
async fn a_service_that_is_saved_while_its_practitioner_leaves_does_not_keep_them() {
    let harness = Harness::with_wallet(10_000, 600).await;
    crate::booking::offers(&harness, ORG, &["Dr Rahman", "Dr Jones"]).await;
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    let id = listed["resources"][0]["id"].as_str().unwrap();
    let bookings = store::booking::Bookings::new(harness.stack.db());
    let catalog = bookings.catalog(ORG).await.unwrap();
    assert_eq!(del(&harness, &format!("/api/resources/{id}")).await.0, 200);
    // It was decided on what was read before.
    let of: Vec<_> = catalog.resources.iter().collect();
    let service = &catalog.services[0];
    let late =
        domain::booking::catalog::Service { version: service.version.saturating_add(1), ..service.clone() };
    let saved = bookings.save_service(&late, &of).await;
    assert!(matches!(saved, Err(store::ChangeError::Moved)), "{saved:?}");
}
