//! Appointments that are found, moved and cancelled on a call, by who may.

use local::aws::Outcome;
use serde_json::{Value, json};
use services::reception::{Line, Reception};
use tests::{ORG, OTHER_ORG};

use super::{
    ANN, CHECK, answers, appointments, asks, books, caller, clinic, delivered, line, offers, reception, uses,
};

const FIND: &str = "findMyAppointments";
const MOVE: &str = "rescheduleAppointment";
const CANCEL: &str = "cancelAppointment";

/// Asks for times that an appointment may be moved to.
fn asks_to_move(which: &str, when: &str) -> (&'static str, Value) {
    (CHECK, json!({"which": which, "when": when}))
}

fn finds(name: &str) -> (&'static str, Value) {
    (FIND, json!({ "patient_name": name }))
}

/// Books the first free time of a day for a patient, by a call of its own.
async fn booked(reception: &Reception, line: &Line, (when, name): (&str, &str)) -> String {
    uses(reception, line, asks(when)).await;
    let answer = uses(reception, line, books("A", name)).await;
    assert!(answer.starts_with("BOOKED"), "{answer}");
    answer
}

#[tokio::test]
async fn a_caller_who_rings_again_is_known_and_moves_and_cancels() {
    let harness = clinic().await;
    harness.ring_and_ask(ANN, &[asks("tomorrow"), books("A", "Ada Lovelace")]);
    harness.pass(60).await;
    let before = appointments(&harness, ORG).await.remove(0);
    let moves = (MOVE, json!({"which": "A", "option": "C"}));
    let call = harness.ring_and_ask(
        ANN,
        &[
            finds("ada lovelace"),
            asks_to_move("A", "Thursday"),
            moves.clone(),
            moves,
            (CANCEL, json!({"which": "A"})),
        ],
    );
    harness.pass(90).await;
    let said = answers(&harness, &call);
    assert!(
        said[0].starts_with("FOUND. A: Tuesday the 6th of January at nine o'clock in the morning. Say"),
        "{}",
        said[0]
    );
    assert!(said[1].starts_with("FREE. B: Thursday the 8th of January"), "{}", said[1]);
    assert!(
        said[2].starts_with("MOVED. The appointment is now on Thursday the 8th of January at"),
        "{}",
        said[2]
    );
    assert_eq!(said[3], said[2], "a repeat hears the same");
    assert!(said[4].starts_with("CANCELLED. The appointment on Thursday the 8th"), "{}", said[4]);
    for answer in &said {
        assert!(!answer.contains("Ada") && !answer.contains("Check-up"), "times only: {answer}");
    }
    let after = appointments(&harness, ORG).await;
    assert_eq!(after.len(), 1);
    assert_eq!(
        (&after[0]["id"], &after[0]["revision"]),
        (&before["id"], &json!(2)),
        "it is the same one, moved once"
    );
    assert_eq!(after[0]["status"], "cancelled");
    // Both times are free again.
    for when in ["tomorrow", "Thursday"] {
        let line = line(ORG, &format!("call-{when}"));
        let free = uses(&reception(&harness), &line, asks(when)).await;
        assert!(free.contains("A: ") && free.contains("at nine o'clock"), "{when}: {free}");
    }
}

#[tokio::test]
async fn appointments_are_found_by_the_number_and_the_whole_name_alone() {
    // T5
    let harness = clinic().await;
    offers(&harness, OTHER_ORG, &["Dr Wu"]).await;
    let reception = reception(&harness);
    booked(&reception, &caller("call-1", ANN), ("tomorrow", "Ada Lovelace")).await;
    let other_org = Line { org_id: OTHER_ORG, ..caller("call-o", ANN) };
    let nothing = uses(&reception, &caller("call-n", "+447700900999"), finds("Nobody Atall")).await;
    assert!(nothing.starts_with("NOT FOUND. Nothing stands under this number and name."), "{nothing}");
    for (line, name) in [
        (caller("call-2", "+447700900999"), "Ada Lovelace"),
        (line(ORG, "call-3"), "Ada Lovelace"),
        (caller("call-4", ANN), "Ada Byron"),
        (caller("call-5", ANN), "Lovelace Ada"),
        (caller("call-6", ANN), "Ida Lovelace"),
        (other_org, "Ada Lovelace"),
    ] {
        let answer = uses(&reception, &line, finds(name)).await;
        assert_eq!(answer, nothing, "{line:?} {name}: a guess learns nothing");
    }
    let found = uses(&reception, &caller("call-7", ANN), finds("ADA LOVELACE")).await;
    assert!(found.starts_with("FOUND. A: "), "{found}");
    // A caller whose number is withheld knows what this very call has booked.
    let withheld = line(ORG, "call-8");
    booked(&reception, &withheld, ("Wednesday", "Grace Hopper")).await;
    let found = uses(&reception, &withheld, finds("Grace Hopper")).await;
    assert!(found.starts_with("FOUND. "), "{found}");
}

#[tokio::test]
async fn names_are_guessed_three_times_on_a_call_and_five_times_a_day_from_one_number() {
    // T5
    let harness = clinic().await;
    let reception = reception(&harness);
    booked(&reception, &caller("call-1", ANN), ("Friday", "Ada Lovelace")).await;
    let guesser = caller("call-2", ANN);
    for name in ["Eva One", "Eva Two", "Eva One", "eva two.", "Eva Three", "Eva One"] {
        let nothing = uses(&reception, &guesser, finds(name)).await;
        assert!(nothing.starts_with("NOT FOUND. Nothing stands"), "{name}: {nothing}");
    }
    let refused = uses(&reception, &guesser, finds("Ada Lovelace")).await;
    assert!(refused.starts_with("NOT FOUND. No more names"), "{refused}");
    let again = caller("call-3", ANN);
    for name in ["Eva Four", "Eva Five"] {
        let nothing = uses(&reception, &again, finds(name)).await;
        assert!(nothing.starts_with("NOT FOUND. Nothing stands"), "{name}: {nothing}");
    }
    let refused = uses(&reception, &again, finds("Ada Lovelace")).await;
    assert!(refused.starts_with("NOT FOUND. No more names"), "the number has had its five: {refused}");
    // Those of another number are counted by themselves, and the next day is another.
    let other = uses(&reception, &caller("call-4", "+447700900102"), finds("Ada Lovelace")).await;
    assert!(other.starts_with("NOT FOUND. Nothing stands"), "{other}");
    harness.clock.turn_to("2026-01-06T09:00:00Z".parse().unwrap());
    let found = uses(&reception, &caller("call-5", ANN), finds("Ada Lovelace")).await;
    assert!(found.starts_with("FOUND. "), "{found}");
}

#[tokio::test]
async fn callers_whose_number_is_withheld_are_not_one_person() {
    // A carrier shows a number that spells ANONYMOUS for both.
    let harness = clinic().await;
    for (turns, begins) in [
        (vec![asks("tomorrow"), books("A", "Ada Lovelace")], "BOOKED"),
        (vec![finds("Nobody Atall"), finds("Ada Lovelace")], "NOT FOUND. Nothing stands"),
    ] {
        let call = harness.ring_and_ask("+266696687", &turns);
        harness.pass(90).await;
        let said = answers(&harness, &call);
        assert!(said[1].starts_with(begins), "{said:?}");
    }
    assert_eq!(appointments(&harness, ORG).await[0]["phone_number"], Value::Null);
}

#[tokio::test]
async fn nothing_is_moved_or_cancelled_that_was_not_found_and_no_time_that_is_not_free() {
    // A2, A3
    let harness = clinic().await;
    let reception = reception(&harness);
    let line = caller("call-1", ANN);
    booked(&reception, &line, ("tomorrow", "Ada Lovelace")).await;
    let before = appointments(&harness, ORG).await;
    for (tool, arguments, begins) in [
        (CANCEL, json!({}), "NOT CANCELLED. Which appointment"),
        (CANCEL, json!({"which": "A"}), "NOT CANCELLED. Which appointment"),
        (CANCEL, json!({"which": "everything"}), "NOT CANCELLED. Which appointment"),
        (CANCEL, json!({"which": "A, not B"}), "NOT CANCELLED. Which appointment"),
        (MOVE, json!({"which": "A", "option": "B"}), "NOT MOVED. Which appointment"),
        (MOVE, json!({"option": "B"}), "NOT MOVED. Which appointment"),
        (MOVE, json!({"which": "Z"}), "NOT MOVED. No new time"),
        (FIND, json!({}), "NOT FOUND. Ask for"),
        (FIND, json!({"patient_name": "Ada"}), "NOT FOUND. Ask for"),
        (FIND, json!({"patient_name": "+447700900101"}), "NOT FOUND. Ask for"),
    ] {
        let answer = uses(&reception, &line, (tool, arguments.clone())).await;
        assert!(answer.starts_with(begins), "{tool} {arguments}: {answer}");
    }
    let found = uses(&reception, &line, finds("Ada Lovelace")).await;
    let which = &found[7..8];
    let mv = |option: &str| (MOVE, json!({"which": which, "option": option}));
    let never = uses(&reception, &line, mv("Z")).await;
    assert!(never.starts_with("NOT MOVED. That time was never offered"), "{never}");
    // Another takes the time first.
    let offered = uses(&reception, &line, asks("Friday at nine")).await;
    let option = &offered[offered.find(": Friday").unwrap() - 1..][..1];
    booked(&reception, &caller("call-2", "+447700900102"), ("Friday at nine", "Grace Hopper")).await;
    let taken = uses(&reception, &line, mv(option)).await;
    assert!(
        taken.starts_with("NOT MOVED. The appointment stays as it was. That time was just taken."),
        "{taken}"
    );
    let after: Vec<Value> = appointments(&harness, ORG)
        .await
        .into_iter()
        .filter(|one| one["contact_name"] == "Ada Lovelace")
        .collect();
    assert_eq!(after, before, "it stands as it stood");
    // What has been can neither be moved nor cancelled.
    harness.clock.turn_to("2026-01-07T09:00:00Z".parse().unwrap());
    let past = uses(&reception, &line, (CANCEL, json!({"which": which}))).await;
    assert!(past.starts_with("NOT CANCELLED. That appointment does not stand any more."), "{past}");
}

/// The letter of the option on this day, in what the tool answered.
fn option_on(answer: &str, day: &str) -> String {
    answer[answer.find(&format!(": {day}")).unwrap() - 1..][..1].to_owned()
}

#[tokio::test]
async fn a_move_that_is_delivered_late_moves_nothing_back_and_a_mind_may_change() {
    // A2, A3
    let harness = clinic().await;
    let reception = reception(&harness);
    let line = caller("call-1", ANN);
    booked(&reception, &line, ("tomorrow", "Ada Lovelace")).await;
    let which = uses(&reception, &line, finds("Ada Lovelace")).await[7..8].to_owned();
    let mut options = Vec::new();
    for day in ["Thursday", "Friday"] {
        let offered = uses(&reception, &line, asks_to_move(&which, &format!("{day} at ten"))).await;
        options.push(option_on(&offered, day));
    }
    let mv = |option: &str| (MOVE, json!({"which": which, "option": option}));
    delivered(&reception, &line, "first", mv(&options[0])).await;
    let there = uses(&reception, &line, mv(&options[1])).await;
    assert!(there.starts_with("MOVED. The appointment is now on Friday"), "{there}");
    assert_eq!(
        delivered(&reception, &line, "first", mv(&options[0])).await,
        there,
        "the first, delivered again"
    );
    assert_eq!(uses(&reception, &line, mv(&options[1])).await, there, "where it is already");
    let back = uses(&reception, &line, mv(&options[0])).await;
    assert!(back.starts_with("MOVED. The appointment is now on Thursday"), "Thursday after all: {back}");
    // Three changes a call.
    let refused = uses(&reception, &line, (CANCEL, json!({"which": which}))).await;
    assert!(refused.starts_with("NOT CANCELLED. This call has changed as much"), "{refused}");
}

#[tokio::test]
async fn a_booking_that_is_delivered_again_after_it_was_cancelled_books_nothing() {
    // A2
    let harness = clinic().await;
    let reception = reception(&harness);
    let line = caller("call-1", ANN);
    uses(&reception, &line, asks("tomorrow")).await;
    let first = delivered(&reception, &line, "first", books("A", "Ada Lovelace")).await;
    assert!(first.starts_with("BOOKED"), "{first}");
    let which = uses(&reception, &line, finds("Ada Lovelace")).await[7..8].to_owned();
    let cancelled = uses(&reception, &line, (CANCEL, json!({"which": which}))).await;
    assert!(cancelled.starts_with("CANCELLED"), "{cancelled}");
    let again = delivered(&reception, &line, "first", books("A", "Ada Lovelace")).await;
    assert!(again.starts_with("NOT BOOKED. It was booked, and is cancelled since."), "{again}");
    assert_eq!(appointments(&harness, ORG).await.len(), 1);
    let anew = uses(&reception, &line, books("A", "Ada Lovelace")).await;
    assert!(anew.starts_with("BOOKED"), "the caller wants it after all: {anew}");
}

#[tokio::test]
async fn what_the_clinic_moved_meanwhile_is_not_cancelled_unheard() {
    // A8
    for (tool, not_done, done) in [(CANCEL, "NOT CANCELLED", "CANCELLED"), (MOVE, "NOT MOVED", "MOVED")] {
        let harness = clinic().await;
        let reception = reception(&harness);
        let line = caller("call-1", ANN);
        booked(&reception, &line, ("tomorrow", "Ada Lovelace")).await;
        let which = uses(&reception, &line, finds("Ada Lovelace")).await[7..8].to_owned();
        let option =
            option_on(&uses(&reception, &line, asks_to_move(&which, "Friday at ten")).await, "Friday");
        let one = appointments(&harness, ORG).await.remove(0);
        let path = format!("/api/appointments/{}", one["id"].as_str().unwrap());
        let to = json!({"revision": 1, "scheduled_at": "2026-01-08T11:00:00Z"});
        assert_eq!(harness.call_api(("PATCH", &path), &harness.owner(), None, &to).await.0, 200);
        let use_it = (tool, json!({"which": which, "option": option}));
        let heard = uses(&reception, &line, use_it.clone()).await;
        assert!(
            heard.starts_with(&format!(
                "{not_done}. The clinic has moved that appointment: it is on Thursday"
            )),
            "{heard}"
        );
        let after = uses(&reception, &line, use_it).await;
        assert!(after.starts_with(done), "now the caller knows: {after}");
    }
}

#[tokio::test]
async fn a_time_for_another_service_is_not_for_this_appointment_and_its_treatment_is_not_said() {
    // T5
    let harness = clinic().await;
    let reception = reception(&harness);
    let owner = harness.owner();
    let (_, listed) = harness.get("/api/resources", &owner).await;
    let terms = json!({"name": "Root canal", "duration_mins": 30, "start_interval_mins": 30,
        "needs": [[listed["resources"][0]["id"]]]});
    assert_eq!(harness.post("/api/services", &owner, terms.to_string()).await.0, 201);
    let line = caller("call-1", ANN);
    let root = |when: &str| (CHECK, json!({"service": "root canal", "when": when}));
    uses(&reception, &line, root("tomorrow")).await;
    let made = uses(&reception, &line, books("A", "Ada Lovelace")).await;
    assert!(made.starts_with("BOOKED. Root canal"), "{made}");
    let stranger = caller("call-2", ANN);
    let which = uses(&reception, &stranger, finds("Ada Lovelace")).await[7..8].to_owned();
    let offered = uses(&reception, &stranger, asks("Friday")).await;
    let option = option_on(&offered, "Friday");
    let wrong = uses(&reception, &stranger, (MOVE, json!({"which": which, "option": option}))).await;
    assert!(wrong.starts_with("NOT MOVED. That time is not for this appointment."), "{wrong}");
    for wrong in ["Z", "the first one"] {
        let none = uses(&reception, &stranger, asks_to_move(wrong, "Friday")).await;
        assert!(
            none.starts_with("NO TIMES. Which appointment is meant"),
            "a move is no second booking: {none}"
        );
    }
    let nobody = json!({"which": which, "when": "Friday", "practitioner": "Dr Wu"});
    let right = uses(&reception, &stranger, asks_to_move(&which, "Friday")).await;
    for answer in [&wrong, &right, &uses(&reception, &stranger, (CHECK, nobody)).await] {
        assert!(!answer.to_lowercase().contains("root"), "{answer}");
    }
    let option = option_on(&right, "Friday");
    let moved = uses(&reception, &stranger, (MOVE, json!({"which": which, "option": option}))).await;
    assert!(moved.starts_with("MOVED. The appointment is now on Friday"), "{moved}");
}

#[tokio::test]
async fn moves_and_cancellations_are_said_only_of_what_is_written_whatever_write_fails() {
    // A3
    for fate in [Outcome::Fail("InternalServerError"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        for (tool, begins, done) in [(MOVE, "MOVED", 2), (CANCEL, "CANCELLED", 1)] {
            let harness = clinic().await;
            let reception = reception(&harness);
            let line = caller("call-1", ANN);
            booked(&reception, &line, ("tomorrow", "Ada Lovelace")).await;
            let which = uses(&reception, &line, finds("Ada Lovelace")).await[7..8].to_owned();
            let offered = uses(&reception, &line, asks("Friday at ten")).await;
            let option = offered[offered.find(": Friday").unwrap() - 1..][..1].to_owned();
            let use_it = (tool, json!({"which": which, "option": option}));
            harness.stack.aws.set_plan(move |sent| {
                if sent.operation == "TransactWriteItems" { fate } else { Outcome::Pass }
            });
            let failed = uses(&reception, &line, use_it.clone()).await;
            harness.stack.aws.clear_plan();
            assert!(failed.starts_with(&format!("NOT {begins}. ")), "{fate:?} {tool}: {failed}");
            let again = uses(&reception, &line, use_it).await;
            assert!(again.starts_with(begins), "{fate:?} {tool}: {again}");
            let one = appointments(&harness, ORG).await.remove(0);
            assert_eq!(one["revision"], done, "{fate:?} {tool}: once, and not twice");
        }
    }
}

#[tokio::test]
async fn four_appointments_stand_that_callers_booked_from_one_number_and_staff_may_add_to_them() {
    let harness = clinic().await;
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    for day in ["12", "13", "14", "15"] {
        let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": format!("2026-01-{day}T10:00:00Z"),
            "contact": {"name": "Ada Lovelace", "phone": ANN}});
        assert_eq!(
            harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await.0,
            201
        );
    }
    let reception = reception(&harness);
    let names = ["Ada Lovelace", "Grace Hopper", "Joan Clarke", "Mary Somerville"];
    for (place, name) in names.into_iter().enumerate() {
        booked(&reception, &caller(&format!("call-{place}"), ANN), ("tomorrow", name)).await;
    }
    let line = caller("call-5", ANN);
    uses(&reception, &line, asks("Thursday")).await;
    let refused = uses(&reception, &line, books("A", "Emmy Noether")).await;
    assert!(refused.starts_with("NOT BOOKED. As many appointments stand from this number"), "{refused}");
    let other = caller("call-6", "+447700900102");
    booked(&reception, &other, ("Thursday", "Emmy Noether")).await;
}
