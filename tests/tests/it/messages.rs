//! What patients are told of their appointments, and whom the clinic knows.

use base::clock::Clock;
use std::sync::Arc;

use domain::{
    ids::AppointmentId,
    message::{Due, Kind, Matter, Message, State},
};
use futures::future::join_all;
use local::aws::Outcome;
use sandbox::{faults::Mode, mail::Letter};
use serde_json::{Value, json};
use services::messages::{Carrier, Messenger, MessengerError};
use store::messages::Messages;
use tests::{Harness, ORG, OTHER_ORG, alarms, crashed_after};

use crate::booking::{appointments, caller, clinic, line, reception, uses};

pub(crate) const ANN: &str = "+447700900101";
pub(crate) const MONDAY_TEN: &str = "2026-01-12T10:00:00Z";

/// Gives what is due to the queue, as every minute does, and has it sent.
pub(crate) async fn a_minute_passes(harness: &Harness) {
    harness.stack.invoke("reminders", &json!({})).await.unwrap();
    harness.pass(1).await;
}

fn mail(harness: &Harness) -> Vec<Letter> {
    harness.stack.mail.letters()
}

/// Books the first time of next Tuesday by voice, and returns what the tool answered.
async fn books(harness: &Harness, who: &services::reception::Line, wish: Value) -> String {
    let reception = reception(harness);
    let asked = ("checkAvailability", json!({"service": "a check-up", "when": "next Tuesday morning"}));
    let offered = uses(&reception, who, asked).await;
    assert!(offered.starts_with("FREE"), "{offered}");
    uses(&reception, who, ("bookClinicAppointment", wish)).await
}

async fn contacts(harness: &Harness) -> Vec<Value> {
    let (status, page) = harness.get("/api/contacts", &harness.token(ORG, "viewer")).await;
    assert_eq!(status, 200, "{page}");
    page["contacts"].as_array().unwrap().clone()
}

/// What the clinic sees of the messages of its one appointment: kind and status.
pub(crate) async fn messages_of(harness: &Harness, appointment: &Value) -> Vec<(String, String)> {
    let path = format!("/api/messages?appointment_id={}", appointment["id"].as_str().unwrap());
    let (status, page) = harness.get(&path, &harness.owner()).await;
    assert_eq!(status, 200, "{page}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(&one["kind"]), text(&one["status"])))
        .collect()
}

/// Staff books at this time for Ada, who has an address.
async fn made(harness: &Harness, at: &str) -> Value {
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": at,
        "contact": {"name": "Ada Lovelace", "phone": ANN, "email": "ada@example.com"}});
    let (status, made) = harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
    assert_eq!(status, 201, "{made}");
    made
}

/// The confirmation that is due of an appointment, as the queue brings it.
pub(crate) fn confirmation(appointment: &Value) -> Due {
    Due {
        slot: String::new(),
        due: String::new(),
        org_id: ORG,
        due_at: local::stack::test_epoch(),
        matter: Matter::Appointment {
            appointment_id: AppointmentId::parse(appointment["id"].as_str().unwrap()).unwrap(),
            revision: appointment["revision"].as_u64().unwrap(),
            kind: Kind::Confirmation,
        },
    }
}

pub(crate) fn messenger(harness: &Harness) -> Messenger {
    let environment = &harness.stack.platform.environment;
    let mut reader = environment.reader();
    let mail = base::config::MailSettings::read(&mut reader);
    let twilio = base::config::TwilioSettings::read(&mut reader);
    let platform = &harness.stack.platform;
    let keyring = base::keyring::Keyring::read(&mut reader, Arc::clone(&platform.entropy));
    let watch = services::follow_up::Watch::read(&mut reader, platform);
    let public_url = reader.required("PUBLIC_URL");
    let carrier = Carrier {
        twilio: platform.twilio(twilio),
        public_url,
        keyring,
        watch,
        country: messenger::texted_country,
    };
    Messenger::new(platform, &harness.stack.db(), mail, carrier)
}

async fn kept(harness: &Harness, appointment: &Value) -> Vec<Message> {
    let id = AppointmentId::parse(appointment["id"].as_str().unwrap()).unwrap();
    Messages::new(harness.stack.db()).of(ORG, &id).await.unwrap()
}

#[tokio::test]
async fn a_caller_who_gives_an_address_is_told_once_three_minutes_later() {
    // A9, C8
    let harness = clinic().await;
    let line_number = harness.has_number("inbound").await;
    let (status, saved) = harness
        .call_api(
            ("PATCH", "/api/clinic"),
            &harness.owner(),
            None,
            &json!({"name": "Hill Street Dental", "time_zone": "Europe/London"}),
        )
        .await;
    assert_eq!(status, 200, "{saved}");
    let ada = caller("call-1", ANN);
    let wish = json!({"option": "A", "patient_name": "Ada Lovelace", "email": "Ada@Example.com"});
    let answer = books(&harness, &ada, wish).await;
    assert!(
        answer.starts_with("BOOKED.") && answer.contains("A confirmation follows by e-mail."),
        "{answer}"
    );
    harness.pass(170).await;
    a_minute_passes(&harness).await;
    assert!(mail(&harness).is_empty(), "it is not due yet");
    harness.pass(10).await;
    a_minute_passes(&harness).await;
    a_minute_passes(&harness).await;
    let [letter] = &mail(&harness)[..] else { panic!("one letter: {:?}", mail(&harness)) };
    assert_eq!(
        (&letter.to[..], &*letter.from),
        (&["Ada@example.com".to_owned()][..], "\"Hill Street Dental\" <appointments@voxanne.example>")
    );
    assert_eq!(letter.subject, "Your appointment on Tuesday 13 January 2026 at 09:00");
    assert!(letter.text.contains(&line_number), "where to ring: {}", letter.text);
    for private in ["Lovelace", "Check-up", "Rahman"] {
        assert!(!format!("{letter:?}").contains(private), "{private} in {letter:?}");
    }
    let [appointment] = &appointments(&harness, ORG).await[..] else { panic!("one appointment") };
    let [contact] = &contacts(&harness).await[..] else { panic!("one contact") };
    assert_eq!(
        (&contact["contact_name"], &contact["phone_number"], &contact["email"]),
        (&json!("Ada Lovelace"), &json!(ANN), &json!("Ada@example.com"))
    );
    assert_eq!((&appointment["contact_id"], &appointment["call_id"]), (&contact["id"], &json!("call-1")));
    assert_eq!(messages_of(&harness, appointment).await, [("confirmation".into(), "sent".into())]);
}

#[tokio::test]
async fn who_is_known_is_one_contact_and_is_written_to_where_the_clinic_knows() {
    // A9
    let harness = clinic().await;
    let reception = reception(&harness);
    let first = caller("call-1", ANN);
    books(
        &harness,
        &first,
        json!({"option": "A", "patient_name": "Ada Lovelace", "email": "ada@example.com"}),
    )
    .await;
    // Another spelling, no address: the same person.
    let again = caller("call-2", ANN);
    let answer = books(&harness, &again, json!({"option": "A", "patient_name": "ada LOVELACE"})).await;
    assert!(answer.contains("A confirmation follows by e-mail."), "{answer}");
    // A child on the parent's telephone, and somebody whose number is withheld, are others.
    let child =
        books(&harness, &caller("call-3", ANN), json!({"option": "A", "patient_name": "Byron Lovelace"}))
            .await;
    assert!(child.starts_with("BOOKED.") && !child.contains("e-mail"), "{child}");
    let withheld =
        books(&harness, &line(ORG, "call-4"), json!({"option": "A", "patient_name": "Ada Lovelace"})).await;
    assert!(withheld.starts_with("BOOKED.") && !withheld.contains("e-mail"), "{withheld}");
    let known = contacts(&harness).await;
    assert_eq!(known.len(), 3, "{known:?}");
    harness.pass(200).await;
    a_minute_passes(&harness).await;
    let to: Vec<_> = mail(&harness).into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(to, ["ada@example.com", "ada@example.com"]);
    // What anybody says on the telephone replaces no address; it goes with this appointment.
    let other = caller("call-5", ANN);
    let offered = ("checkAvailability", json!({"service": "a check-up", "when": "next Wednesday morning"}));
    uses(&reception, &other, offered).await;
    let wish = json!({"option": "A", "patient_name": "Ada Lovelace", "email": "eve@example.com"});
    let answer = uses(&reception, &other, ("bookClinicAppointment", wish)).await;
    assert!(answer.starts_with("BOOKED."), "{answer}");
    let ada = contacts(&harness)
        .await
        .into_iter()
        .find(|one| one["phone_number"] == ANN && one["email"] != Value::Null);
    assert_eq!(ada.unwrap()["email"], "ada@example.com");
}

#[tokio::test]
async fn one_person_on_many_calls_at_once_is_one_contact() {
    let harness = clinic().await;
    let reception = reception(&harness);
    let lines: Vec<_> = (0..4).map(|nth| caller(&format!("call-{nth}"), ANN)).collect();
    for (nth, line) in lines.iter().enumerate() {
        let day = ["Tuesday", "Wednesday", "Thursday", "Friday"][nth];
        let asked = json!({"service": "a check-up", "when": format!("next {day} morning")});
        uses(&reception, line, ("checkAvailability", asked)).await;
    }
    let wish = json!({"option": "A", "patient_name": "Ada Lovelace"});
    let booked =
        join_all(lines.iter().map(|line| uses(&reception, line, ("bookClinicAppointment", wish.clone()))))
            .await;
    assert!(booked.iter().all(|answer| answer.starts_with("BOOKED.")), "{booked:?}");
    assert_eq!(contacts(&harness).await.len(), 1);
    let ids: std::collections::BTreeSet<String> =
        appointments(&harness, ORG).await.iter().map(|one| one["contact_id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn what_is_no_address_is_asked_for_again_and_nothing_is_written() {
    let harness = clinic().await;
    for bad in [
        "ada at example dot com",
        "ada@localhost",
        "a@b.c, d@e.f",
        "ada@example.com\r\nBcc: eve@example.com",
        &"x".repeat(5_000),
    ] {
        let wish = json!({"option": "A", "patient_name": "Ada Lovelace", "email": bad});
        let answer = books(&harness, &caller("call-1", ANN), wish).await;
        assert!(answer.starts_with("NOT BOOKED. That is no e-mail address."), "{bad:?}: {answer}");
    }
    assert!(appointments(&harness, ORG).await.is_empty() && contacts(&harness).await.is_empty());
    let body = json!({"service_id": "s", "scheduled_at": MONDAY_TEN, "contact": {"name": "Ada Lovelace", "email": "ada"}});
    let (status, problem) =
        harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")), "{problem}");
    let neither = json!({"service_id": "s", "scheduled_at": MONDAY_TEN});
    let (status, problem) =
        harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &neither).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("contact_id"), "{problem}");
}

#[tokio::test]
async fn a_move_and_a_cancellation_are_told_and_what_they_overtake_is_not() {
    // A8, M1
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN).await;
    let path = format!("/api/appointments/{}", one["id"].as_str().unwrap());
    let to = json!({"revision": 1, "scheduled_at": "2026-01-13T11:00:00Z"});
    let (status, moved) = harness.call_api(("PATCH", &path), &harness.owner(), None, &to).await;
    assert_eq!(status, 200, "{moved}");
    harness.pass(200).await;
    a_minute_passes(&harness).await;
    let subjects = || mail(&harness).into_iter().map(|letter| letter.subject).collect::<Vec<_>>();
    assert_eq!(subjects(), ["Your appointment is now on Tuesday 13 January 2026 at 11:00"]);
    let (status, _) = harness
        .call_api(("DELETE", &format!("{path}?revision=2")), &harness.owner(), None, &Value::Null)
        .await;
    assert_eq!(status, 200);
    harness.pass(200).await;
    a_minute_passes(&harness).await;
    assert_eq!(subjects()[1..], ["Your appointment on Tuesday 13 January 2026 at 11:00 is cancelled"]);
    a_minute_passes(&harness).await;
    assert_eq!(mail(&harness).len(), 2);
}

/// Lets time pass up to an instant, with the minute's run there, twice.
async fn until(harness: &Harness, at: &str) {
    harness.clock.turn_to(at.parse().unwrap());
    a_minute_passes(harness).await;
    a_minute_passes(harness).await;
}

#[tokio::test]
async fn a_patient_is_reminded_once_when_the_clinic_wants_it_of_what_is_still_so() {
    // M1
    let harness = clinic().await;
    a_minute_passes(&harness).await;
    let one = made(&harness, MONDAY_TEN).await;
    let subjects = || mail(&harness).into_iter().skip(1).map(|letter| letter.subject).collect::<Vec<_>>();
    until(&harness, "2026-01-06T12:00:00Z").await;
    assert_eq!(mail(&harness).len(), 1, "the confirmation");
    // A move in between: the reminder of the older time says nothing.
    let path = format!("/api/appointments/{}", one["id"].as_str().unwrap());
    let to = json!({"revision": 1, "scheduled_at": "2026-01-13T11:00:00Z"});
    assert_eq!(harness.call_api(("PATCH", &path), &harness.owner(), None, &to).await.0, 200);
    until(&harness, "2026-01-06T12:10:00Z").await;
    until(&harness, "2026-01-11T10:05:00Z").await;
    assert_eq!(subjects(), ["Your appointment is now on Tuesday 13 January 2026 at 11:00"]);
    until(&harness, "2026-01-12T10:59:00Z").await;
    assert_eq!(subjects().len(), 1, "it is not due yet");
    until(&harness, "2026-01-12T11:00:10Z").await;
    let reminder = "A reminder of your appointment on Tuesday 13 January 2026 at 11:00";
    assert_eq!(subjects()[1..], [reminder]);
    // Two hours before, where the clinic wants that, too: by what it wants then.
    let both = json!({"reminders": ["two_hours_before", "day_before"], "time_zone": "Europe/London"});
    let (status, saved) = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &both).await;
    assert_eq!((status, &saved["reminders"]), (200, &json!(["day_before", "two_hours_before"])), "{saved}");
    until(&harness, "2026-01-13T09:00:10Z").await;
    assert_eq!(subjects()[1..], [reminder, reminder]);
    assert_eq!(
        messages_of(&harness, &one).await.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["confirmation", "change", "day_before", "two_hours_before"]
    );
}

#[tokio::test]
async fn a_clinic_that_wants_no_reminders_sends_none() {
    let harness = clinic().await;
    a_minute_passes(&harness).await;
    made(&harness, MONDAY_TEN).await;
    let none = json!({"reminders": [], "time_zone": "Europe/London"});
    assert_eq!(harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &none).await.0, 200);
    let bad = json!({"reminders": ["weekly"]});
    assert_eq!(harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &bad).await.0, 400);
    for at in ["2026-01-06T12:00:00Z", "2026-01-11T10:00:10Z", "2026-01-12T08:00:10Z"] {
        until(&harness, at).await;
    }
    assert_eq!(mail(&harness).len(), 1, "the confirmation");
}

#[tokio::test]
async fn a_letter_that_the_vendor_takes_late_is_counted_once() {
    // The day's count to one address is ten: a vendor that takes nothing for an hour uses up none of it.
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN).await;
    harness.fault(("ses", "send"), Mode::TooMany, 30);
    let due = confirmation(&one);
    for _ in 0..30 {
        let outcome = messenger(&harness).deliver(&due).await;
        assert!(matches!(outcome, Err(MessengerError::NotNow(_))), "{outcome:?}");
        assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), "waiting".into())]);
    }
    let outcomes = join_all((0..4).map(|_| async { messenger(&harness).deliver(&due).await })).await;
    assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
    assert_eq!(mail(&harness).len(), 1);
    assert_eq!(messages_of(&harness, &one).await, [("confirmation".into(), "sent".into())]);
}

#[tokio::test]
async fn a_message_is_sent_once_however_often_it_comes() {
    // M1
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN).await;
    let (messenger, due) = (messenger(&harness), confirmation(&one));
    let outcomes = join_all((0..8).map(|_| messenger.deliver(&due))).await;
    assert!(outcomes.iter().any(Result::is_ok));
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(MessengerError::InHand))),
        "{outcomes:?}"
    );
    messenger.deliver(&due).await.unwrap();
    assert_eq!(mail(&harness).len(), 1);
}

#[tokio::test]
async fn a_process_that_dies_while_it_sends_never_sends_twice() {
    // M3
    let (mut sent, mut unsent) = (0, 0);
    for polls in 0..40 {
        let harness = clinic().await;
        let one = made(&harness, MONDAY_TEN).await;
        let due = confirmation(&one);
        let first = messenger(&harness);
        let is_over = crashed_after(polls, first.deliver(&due)).await.is_some();
        // The queue brings it again, after what the function's time-out leaves.
        let (heard, guard) = alarms();
        for _ in 0..3 {
            harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_secs(130));
            messenger(&harness).deliver(&due).await.unwrap();
        }
        drop(guard);
        let [message] = &kept(&harness, &one).await[..] else { panic!("one message after {polls}") };
        let is_alarmed = heard.names().contains(&"message_unknown".to_owned());
        match (mail(&harness).len(), &message.state) {
            (1, State::Sent { .. }) => sent += 1,
            (0 | 1, State::Unknown) => {
                assert!(is_alarmed, "after {polls}");
                unsent += 1;
            }
            other => panic!("after {polls}: {other:?}"),
        }
        if is_over {
            assert!(sent > 3 && unsent > 0, "{sent} {unsent}");
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn what_the_vendor_says_decides_whether_it_is_sent_again() {
    // M3
    for (mode, comes_again, letters, state) in [
        (Mode::TooMany, true, 1, "sent"),
        (Mode::TimeoutBefore, false, 0, "unknown"),
        (Mode::TimeoutAfter, false, 1, "unknown"),
        (Mode::Error, false, 0, "unknown"),
        (Mode::Refuse, false, 0, "refused"),
    ] {
        let harness = clinic().await;
        let one = made(&harness, MONDAY_TEN).await;
        harness.fault(("ses", "send"), mode, 1);
        let (heard, guard) = alarms();
        let first = messenger(&harness).deliver(&confirmation(&one)).await;
        assert_eq!(first.is_err(), comes_again, "{mode:?}: {first:?}");
        messenger(&harness).deliver(&confirmation(&one)).await.unwrap();
        drop(guard);
        assert_eq!(mail(&harness).len(), letters, "{mode:?}");
        assert_eq!(
            messages_of(&harness, &one).await,
            [("confirmation".into(), state.to_owned())],
            "{mode:?}"
        );
        let alarm = format!("message_{state}");
        assert_eq!(heard.names().contains(&alarm), state != "sent", "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_due_waits_for_the_queue_and_for_the_store() {
    // M1
    for (operation, outcome) in [
        ("SendMessage", Outcome::LoseRequest),
        ("SendMessage", Outcome::LoseAnswer),
        ("DeleteItem", Outcome::LoseRequest),
        ("DeleteItem", Outcome::LoseAnswer),
        ("Query", Outcome::Fail("InternalServerError")),
    ] {
        let harness = clinic().await;
        made(&harness, MONDAY_TEN).await;
        harness.pass(200).await;
        harness
            .stack
            .aws
            .set_plan(move |sent| if sent.operation == operation { outcome } else { Outcome::Pass });
        let failed = harness.stack.invoke("reminders", &json!({})).await;
        harness.stack.aws.clear_plan();
        assert!(failed.is_err(), "{operation} {outcome:?}");
        a_minute_passes(&harness).await;
        a_minute_passes(&harness).await;
        assert_eq!(mail(&harness).len(), 1, "{operation} {outcome:?}");
    }
}

#[tokio::test]
async fn what_was_due_while_nothing_ran_is_sent_if_it_is_still_so() {
    let harness = clinic().await;
    a_minute_passes(&harness).await;
    made(&harness, "2026-01-06T10:00:00Z").await;
    made(&harness, MONDAY_TEN).await;
    harness.pass(3 * 24 * 3_600).await;
    let (heard, guard) = alarms();
    a_minute_passes(&harness).await;
    drop(guard);
    assert_eq!(heard.names(), ["message_too_late"], "what was missed is told to somebody");
    let subjects: Vec<String> = mail(&harness).into_iter().map(|letter| letter.subject).collect();
    assert_eq!(subjects, ["Your appointment on Monday 12 January 2026 at 10:00"], "the other has begun");
    // The next run begins where that one ended.
    made(&harness, "2026-01-12T11:00:00Z").await;
    harness.pass(200).await;
    harness.stack.aws.take_spent();
    a_minute_passes(&harness).await;
    let queries = harness.stack.aws.take_spent().iter().filter(|one| one.operation == "Query").count();
    // One more: the numbers from which a text could come.
    assert!(queries <= 17, "{queries}");
    assert_eq!(mail(&harness).len(), 2);
}

#[tokio::test]
async fn the_clinics_people_add_and_change_contacts() {
    let harness = clinic().await;
    let staff = harness.token(ORG, "staff");
    let ada = json!({"contact_name": "Ada Lovelace", "phone_number": ANN, "email": "ada@example.com"});
    let post = |body: Value| {
        let (harness, staff) = (&harness, &staff);
        async move { harness.call_api(("POST", "/api/contacts"), staff, None, &body).await }
    };
    let (status, made) = post(ada.clone()).await;
    assert_eq!(status, 201, "{made}");
    let (status, again) = post(json!({"contact_name": "ADA LOVELACE", "phone_number": ANN})).await;
    assert_eq!((status, &again), (200, &made), "whom the clinic knows is shown");
    // What they say of texts now is theirs, known or not.
    let (status, told) =
        post(json!({"contact_name": "ADA LOVELACE", "phone_number": ANN, "may_text": false})).await;
    assert_eq!((status, &told["id"], &told["may_text"]), (200, &made["id"], &json!(false)), "{told}");
    let (_, ida) = post(json!({"contact_name": "Ida Lovelace", "phone_number": ANN})).await;
    let place = |one: &Value| format!("/api/contacts/{}", one["id"].as_str().unwrap());
    let patch = |one: Value, body: Value| {
        let (harness, staff, at) = (&harness, &staff, place(&one));
        async move { harness.call_api(("PATCH", &at), staff, None, &body).await }
    };
    let (status, changed) =
        patch(ida.clone(), json!({"version": 1, "contact_name": "Ida King", "notes": "Deaf."})).await;
    assert_eq!(
        (status, &changed["version"], &changed["notes"]),
        (200, &json!(2), &json!("Deaf.")),
        "{changed}"
    );
    let (status, repeated) =
        patch(ida.clone(), json!({"version": 1, "contact_name": "Ida King", "notes": "Deaf."})).await;
    assert_eq!((status, repeated), (200, changed.clone()), "a repeat of one's own change");
    for (body, code) in [
        (json!({"version": 1, "notes": "Blind."}), "version_conflict"),
        (json!({"version": 2, "contact_name": "Ada Lovelace"}), "version_conflict"),
        (json!({"version": 2, "email": "nobody"}), "invalid_value"),
        (json!({"version": 2, "contact_name": "+44"}), "invalid_value"),
        (json!({"version": 2, "org_id": OTHER_ORG.to_string()}), "invalid_value"),
    ] {
        let (_, problem) = patch(ida.clone(), body.clone()).await;
        assert_eq!(problem["code"], code, "{body}: {problem}");
    }
    // Who rings under the old name or the new one is the same person.
    let new =
        books(&harness, &caller("call-1", ANN), json!({"option": "A", "patient_name": "Ida King"})).await;
    let old =
        books(&harness, &caller("call-2", ANN), json!({"option": "A", "patient_name": "Ida Lovelace"})).await;
    assert!(new.starts_with("BOOKED.") && old.starts_with("BOOKED."), "{new} {old}");
    let of_ida =
        appointments(&harness, ORG).await.iter().filter(|one| one["contact_id"] == ida["id"]).count();
    assert_eq!(of_ida, 2);
    let (status, silent) = patch(ida.clone(), json!({"version": 2, "email": ""})).await;
    assert_eq!((status, &silent["may_text"]), (200, &json!(null)));
    let (status, refused) = patch(ida, json!({"version": 2, "may_text": false})).await;
    assert_eq!((status, &refused["may_text"]), (200, &json!(false)), "{refused}");
    // Another clinic, and a viewer.
    let foreign = harness.get(&place(&made), &harness.token(OTHER_ORG, "owner")).await;
    assert_eq!(foreign.0, 404);
    let viewer = harness.token(ORG, "viewer");
    let (status, _) = harness.call_api(("POST", "/api/contacts"), &viewer, None, &ada).await;
    assert_eq!(status, 403);
    let operator = local::token::issue_operator(harness.clock.now()).unwrap();
    let (_, acts) = harness.get(&format!("/api/operations/wallets/{ORG}/acts"), &operator).await;
    let of_contacts =
        acts["acts"].as_array().unwrap().iter().filter(|act| act["record"]["kind"] == "contact");
    assert_eq!(of_contacts.count(), 5, "two added, one changed, another changed twice: {acts}");
}

#[tokio::test]
async fn staff_book_for_whom_the_clinic_knows() {
    let harness = clinic().await;
    let body = json!({"contact_name": "Ada Lovelace", "phone_number": ANN, "email": "ada@example.com"});
    let (_, ada) = harness.call_api(("POST", "/api/contacts"), &harness.owner(), None, &body).await;
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    let wanted = |id: &str| json!({"service_id": listed["services"][0]["id"], "scheduled_at": MONDAY_TEN, "contact_id": id});
    let book = |body: Value| {
        let harness = &harness;
        async move { harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await }
    };
    let (status, problem) = book(wanted("nobody")).await;
    assert_eq!(status, 400, "{problem}");
    let (status, made) = book(wanted(ada["id"].as_str().unwrap())).await;
    assert_eq!(
        (status, &made["contact_id"], &made["contact_name"], &made["email"]),
        (201, &ada["id"], &json!("Ada Lovelace"), &json!("ada@example.com")),
        "{made}"
    );
    assert_eq!(contacts(&harness).await.len(), 1);
    // What they say of texts as they book is theirs from then on.
    let mut again = wanted(ada["id"].as_str().unwrap());
    again["scheduled_at"] = json!("2026-01-12T11:00:00Z");
    again["may_text"] = json!(false);
    let (status, made) = book(again.clone()).await;
    assert_eq!((status, &made["contact_id"]), (201, &ada["id"]), "{made}");
    assert_eq!(contacts(&harness).await[0]["may_text"], json!(false));
    let named = json!({"name": "Grace Hopper", "phone": ANN});
    let body = json!({"service_id": again["service_id"], "scheduled_at": MONDAY_TEN, "contact": named, "may_text": true});
    let (status, problem) = book(body).await;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().starts_with("may_text"), "{problem}");
}

#[tokio::test]
async fn contacts_are_listed_page_by_page() {
    let harness = clinic().await;
    for nth in 0..7 {
        let name = format!("Ada {}", char::from(b'A' + nth)).repeat(2);
        harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_secs(1));
        let body = json!({"contact_name": name, "phone_number": ANN});
        let (status, made) = harness.call_api(("POST", "/api/contacts"), &harness.owner(), None, &body).await;
        assert_eq!(status, 201, "{made}");
    }
    let (mut names, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (status, page) = harness.get(&format!("/api/contacts?limit=3{cursor}"), &harness.owner()).await;
        assert_eq!(status, 200, "{page}");
        let contacts = page["contacts"].as_array().unwrap();
        assert!(!contacts.is_empty(), "no page is empty");
        names.extend(contacts.iter().map(|one| one["contact_name"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = names.clone();
    sorted.sort_by(|one, other| other.cmp(one));
    assert_eq!((names.len(), pages, names == sorted), (7, 3, true), "the newest first: {names:?}");
    for bad in ["limit=0", "limit=101", "cursor=x", "cursor=2026-01-01T00:00:00Z.a%23b", "colour=x"] {
        assert_eq!(harness.get(&format!("/api/contacts?{bad}"), &harness.owner()).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn an_emergency_is_written_to_the_clinics_people_within_a_minute_and_once() {
    // A12
    let harness = clinic().await;
    let body = json!({"time_zone": "Europe/London", "name": "Hill Street Dental",
        "alert_emails": ["desk@example.com", "boss@example.com", "desk@example.com"]});
    let (status, saved) = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &body).await;
    assert_eq!(
        (status, &saved["alert_emails"]),
        (200, &json!(["desk@example.com", "boss@example.com"])),
        "{saved}"
    );
    let reception = reception(&harness);
    let said = ("reportEmergency", json!({"what": "He cannot breathe"}));
    for _ in 0..2 {
        let answer = uses(&reception, &caller("call-1", ANN), said.clone()).await;
        assert!(answer.contains("call 999"), "{answer}");
    }
    // One address takes none at first; the other has its letter all the same, and once.
    harness.fault(("ses", "send"), Mode::TooMany, 1);
    a_minute_passes(&harness).await;
    harness.pass(130).await;
    a_minute_passes(&harness).await;
    let mut to: Vec<String> = mail(&harness).into_iter().flat_map(|letter| letter.to).collect();
    to.sort();
    assert_eq!(to, ["boss@example.com", "desk@example.com"]);
    let letter = &mail(&harness)[0];
    assert!(letter.subject.starts_with("Urgent") && letter.text.contains(ANN), "{letter:?}");
    assert!(!format!("{letter:?}").contains("breathe"), "the words stay in the dashboard: {letter:?}");
    for bad in [json!(["nobody"]), json!(vec!["a@example.com"; 6])] {
        let body = json!({ "alert_emails": bad });
        assert_eq!(harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &body).await.0, 400);
    }
}

#[tokio::test]
async fn an_address_that_the_clinic_puts_right_is_where_the_next_letter_goes() {
    // A14
    let harness = clinic().await;
    let one = made(&harness, MONDAY_TEN).await;
    let contact = format!("/api/contacts/{}", one["contact_id"].as_str().unwrap());
    let change = |body: Value| {
        let (harness, contact) = (&harness, &contact);
        async move { harness.call_api(("PATCH", contact), &harness.owner(), None, &body).await }
    };
    harness.pass(10).await;
    let (status, _) = change(json!({"version": 1, "email": "right@example.com"})).await;
    assert_eq!(status, 200);
    harness.pass(200).await;
    a_minute_passes(&harness).await;
    let (status, _) = change(json!({"version": 2, "email": ""})).await;
    assert_eq!(status, 200);
    let path = format!("/api/appointments/{}?revision=1", one["id"].as_str().unwrap());
    assert_eq!(harness.call_api(("DELETE", &path), &harness.owner(), None, &Value::Null).await.0, 200);
    harness.pass(200).await;
    a_minute_passes(&harness).await;
    let to: Vec<String> = mail(&harness).into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(to, ["right@example.com"]);
}
