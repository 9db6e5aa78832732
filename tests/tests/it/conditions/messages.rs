//! The conditions of contacts and messages: one person is one contact, and a message is sent once.

use domain::{
    audit::{Action, AuditEntry, RecordId},
    booking::{
        appointment::{Appointment, MadeBy, Patient, PatientName},
        availability::Slot,
        diary::Interval,
    },
    clinic::ClinicZone,
    contact::Contact,
    email::EmailAddress,
    ids::{AppointmentId, ContactId, MessageId, ResourceId, ServiceId},
    message::{Cause, Channel, Due, Kind, Message, State},
    opt_out::{OptOut, Received},
    personal::Personal,
};
use jiff::SignedDuration;
use store::{
    booking::{Booking, Bookings},
    contacts::Contacts,
    messages::Messages,
    opt_outs::OptOuts,
};

use super::{booking::refused, *};

const NEW: &str = "attribute_not_exists(item)";
const ROW: &str = "attribute_not_exists(#item) OR contact_id = :contact";
const CLAIM: &str = "message_id = :claim AND #state = :state";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "save contact", "contacts contact#", NEW, NEW => a_contact_is_made_once;
        "save contact", "contacts contact#", VERSION, VERSION => an_older_contact_changes_nothing;
        "save contact", "contacts phone#", ROW, ROW => one_number_and_name_is_one_contact;
        "save contact", "audit_log", NEW_ACT, NEW_ACT => what_is_logged_of_a_contact_stays;
        "book for", "contacts contact#", NEW, NEW => a_contact_is_booked_for_as_it_is;
        "book for", "contacts phone#", ROW, ROW => two_bookings_of_one_person_make_one_contact;
        "book for", "due_messages", "attribute_not_exists(due)", "attribute_not_exists(due)" => what_is_due_is_written_over_nothing;
        "put", "messages sent#", NEW, NEW => a_message_is_claimed_once;
        "put", "messages sent#", CLAIM, "message_id = :claim" => only_who_claimed_it_notes_the_outcome;
        "put", "messages sent#", CLAIM, "#state = :state" => an_outcome_is_noted_once;
        "receive", "contacts received#", NEW, NEW => a_text_that_came_counts_once;
        "receive", "contacts texts#", "attribute_not_exists(#item)", "attribute_not_exists(#item)" => a_first_word_is_said_over_none;
        "receive", "contacts texts#", "#at = :read", "#at = :read" => a_word_is_said_over_the_one_that_was_read;
        "put", "contacts texts#", "attribute_not_exists(#at) OR #at <= :at", "attribute_not_exists(#at) OR #at <= :at" => an_older_refusal_says_nothing;
        "take out", "messages", CLAIM, "message_id = :claim" => only_who_claimed_it_gives_it_back;
        "take out", "messages", CLAIM, "#state = :state" => what_was_sent_is_not_given_back;
    }
}

/// Which write of contacts or messages a transaction is, if it is one.
pub(super) fn transaction_of(items: &[Value]) -> Option<&'static str> {
    let puts = |table: &str| items.iter().any(|item| is_put_to(item, table));
    if puts("appointments") {
        return None;
    }
    let came = |item: &Value| {
        item["Put"]["Item"]["item"]["S"].as_str().is_some_and(|key| key.starts_with("received#"))
    };
    if items.iter().any(came) {
        return Some("receive");
    }
    if puts("due_messages") {
        return Some("book for");
    }
    let is_logged = puts("audit_log");
    puts("contacts").then_some(if is_logged { "save contact" } else { "book for" })
}

fn contact(id: &str, name: &str) -> Contact {
    let patient = Patient {
        name: PatientName::parse(name).unwrap(),
        phone_number: Some(Personal::new(PhoneNumber::parse("+447700900101").unwrap())),
        email: None,
        may_text: None,
    };
    Contact::of(ORG, ContactId::parse(id).unwrap(), &patient, local::stack::test_epoch())
}

fn logged(request: &str) -> AuditEntry {
    let actor = Actor {
        user: UserId::parse("user-1").unwrap(),
        role: ActorRole::Staff,
        source: None,
        request_id: request.into(),
    };
    let act = (Action::AddContact, RecordId::Contact(ContactId::parse("c1").unwrap()));
    AuditEntry::granted(ORG, actor, act, None, local::stack::test_epoch())
}

pub(super) fn appointment() -> Appointment {
    let from = local::stack::test_epoch() + SignedDuration::from_hours(48);
    let interval = Interval { from, to: from + SignedDuration::from_mins(30) };
    let resources = vec![ResourceId::parse("r1").unwrap()];
    let slot = Slot { interval, blocked: interval, resources, zone: ClinicZone::default() };
    let patient = Patient {
        name: PatientName::parse("Ada Lovelace").unwrap(),
        phone_number: None,
        email: EmailAddress::parse("ada@example.com").ok(),
        may_text: None,
    };
    let made = MadeBy::Staff { user_id: UserId::parse("user-1").unwrap() };
    let terms = serde_json::json!({"name": "Check-up", "duration_mins": 30, "needs": [["r1"]]});
    let service = domain::booking::catalog::Service {
        org_id: ORG,
        service_id: ServiceId::parse("s1").unwrap(),
        version: 0,
        is_former: false,
        terms: serde_json::from_value(terms).unwrap(),
    };
    let id = AppointmentId::parse("a1").unwrap();
    Appointment::confirmed(id, &service, &slot, (patient, made), local::stack::test_epoch())
}

pub(super) fn due() -> Due {
    Due::after(&appointment(), Kind::Confirmation, Cause::Patient, local::stack::test_epoch()).unwrap()
}

fn claim(id: &str) -> Message {
    let id = MessageId::parse(id).unwrap();
    Message::claimed(id, (&due(), &appointment()), Channel::Email, local::stack::test_epoch())
}

fn sent() -> State {
    State::Sent { vendor_id: "ses-1".to_owned() }
}

/// Writes what a booking writes beside the appointment.
async fn book_for(harness: &Harness, contact: Option<&Contact>, due: &[Due]) -> Result<(), ChangeError> {
    let booking = Booking { contact, due, ..Booking::default() };
    Bookings::new(harness.stack.db()).book(ORG, &booking).await
}

async fn a_contact_is_made_once(harness: Harness) -> Result<(), String> {
    let contacts = Contacts::new(harness.stack.db());
    contacts.save(&contact("c1", "Ada Lovelace"), &logged("request-1")).await.unwrap();
    let second = contacts.save(&contact("c1", "Ida Lovelace"), &logged("request-2")).await;
    refused(second, "a contact was made over another")
}

async fn an_older_contact_changes_nothing(harness: Harness) -> Result<(), String> {
    let contacts = Contacts::new(harness.stack.db());
    let first = contact("c1", "Ada Lovelace");
    contacts.save(&first, &logged("request-1")).await.unwrap();
    let read = first.written();
    contacts.rename(&read, &read, &logged("request-2")).await.unwrap();
    refused(contacts.rename(&read, &read, &logged("request-3")).await, "a change was lost")
}

async fn one_number_and_name_is_one_contact(harness: Harness) -> Result<(), String> {
    let contacts = Contacts::new(harness.stack.db());
    contacts.save(&contact("c1", "Ada Lovelace"), &logged("request-1")).await.unwrap();
    let second = contacts.save(&contact("c2", "ADA lovelace"), &logged("request-2")).await;
    refused(second, "one person is two contacts")
}

async fn what_is_logged_of_a_contact_stays(harness: Harness) -> Result<(), String> {
    let contacts = Contacts::new(harness.stack.db());
    contacts.save(&contact("c1", "Ada Lovelace"), &logged("request-1")).await.unwrap();
    let second = contacts.save(&contact("c2", "Ida Lovelace"), &logged("request-1")).await;
    refused(second, "an entry of the log was written over")
}

async fn a_contact_is_booked_for_as_it_is(harness: Harness) -> Result<(), String> {
    book_for(&harness, Some(&contact("c1", "Ada Lovelace")), &[]).await.unwrap();
    let second = book_for(&harness, Some(&contact("c1", "Ida Lovelace")), &[]).await;
    refused(second, "a contact was made over another")
}

async fn two_bookings_of_one_person_make_one_contact(harness: Harness) -> Result<(), String> {
    book_for(&harness, Some(&contact("c1", "Ada Lovelace")), &[]).await.unwrap();
    let second = book_for(&harness, Some(&contact("c2", "Ada Lovelace")), &[]).await;
    refused(second, "one person is two contacts")
}

async fn what_is_due_is_written_over_nothing(harness: Harness) -> Result<(), String> {
    book_for(&harness, None, &[due()]).await.unwrap();
    let outcome = book_for(&harness, None, &[Due { slot: due().slot, ..due() }]).await;
    refused(outcome, "what was due was written over")
}

async fn a_message_is_claimed_once(harness: Harness) -> Result<(), String> {
    let messages = Messages::new(harness.stack.db());
    assert_eq!(messages.claim(&claim("m1")).await.unwrap(), None);
    match messages.claim(&claim("m2")).await.unwrap() {
        Some(there) if there.message_id.as_str() == "m1" => Ok(()),
        other => broken(("two have claimed it", other)),
    }
}

async fn only_who_claimed_it_notes_the_outcome(harness: Harness) -> Result<(), String> {
    let messages = Messages::new(harness.stack.db());
    messages.claim(&claim("m1")).await.unwrap();
    refused(messages.note(&claim("m2"), sent()).await, "another noted the outcome")
}

async fn an_outcome_is_noted_once(harness: Harness) -> Result<(), String> {
    let messages = Messages::new(harness.stack.db());
    messages.claim(&claim("m1")).await.unwrap();
    messages.note(&claim("m1"), sent()).await.unwrap();
    refused(messages.note(&claim("m1"), State::Unknown).await, "what was sent was forgotten")
}

async fn only_who_claimed_it_gives_it_back(harness: Harness) -> Result<(), String> {
    let messages = Messages::new(harness.stack.db());
    messages.claim(&claim("m1")).await.unwrap();
    refused(messages.give_back(&claim("m2")).await, "another gave it back")
}

async fn what_was_sent_is_not_given_back(harness: Harness) -> Result<(), String> {
    let messages = Messages::new(harness.stack.db());
    messages.claim(&claim("m1")).await.unwrap();
    messages.note(&claim("m1"), sent()).await.unwrap();
    refused(messages.give_back(&claim("m1")).await, "what was sent may be sent again")
}

fn came(id: &str, minutes: i64) -> Received {
    let number = |text: &str| PhoneNumber::parse(text).unwrap();
    let numbers = (Personal::new(number("+447700900101")), number("+447700900200"));
    let at = local::stack::test_epoch() + SignedDuration::from_mins(minutes);
    Received::new((ORG, id.to_owned()), numbers, "STOP", at)
}

fn says(is_stopped: bool, minutes: i64) -> OptOut {
    let received = came("SM0", minutes);
    OptOut::said(ORG, received.from, is_stopped, received.at)
}

async fn a_text_that_came_counts_once(harness: Harness) -> Result<(), String> {
    let store = OptOuts::new(harness.stack.db());
    store.receive(&came("SM1", 0), (None, None), None).await.unwrap();
    refused(store.receive(&came("SM1", 0), (None, None), None).await, "a text counted twice")
}

async fn a_first_word_is_said_over_none(harness: Harness) -> Result<(), String> {
    let store = OptOuts::new(harness.stack.db());
    store.receive(&came("SM1", 0), (Some(&says(true, 0)), None), None).await.unwrap();
    let second = store.receive(&came("SM2", 1), (Some(&says(false, 1)), None), None).await;
    refused(second, "a word was said over one that was not read")
}

async fn a_word_is_said_over_the_one_that_was_read(harness: Harness) -> Result<(), String> {
    let store = OptOuts::new(harness.stack.db());
    let read = says(true, 0);
    store.receive(&came("SM1", 0), (Some(&read), None), None).await.unwrap();
    store.receive(&came("SM2", 1), (Some(&says(false, 1)), Some(&read)), None).await.unwrap();
    let late = store.receive(&came("SM3", 2), (Some(&says(false, 2)), Some(&read)), None).await;
    refused(late, "a word was said over one that was not read")
}

async fn an_older_refusal_says_nothing(harness: Harness) -> Result<(), String> {
    let store = OptOuts::new(harness.stack.db());
    store.receive(&came("SM1", 5), (Some(&says(false, 5)), None), None).await.unwrap();
    store.note(&says(true, 0)).await.unwrap();
    let there = store.of(ORG, came("SM1", 0).from.reveal()).await.unwrap();
    if there.is_some_and(|there| there.is_stopped) {
        Err("an older refusal stopped who had started".to_owned())
    } else {
        Ok(())
    }
}

/// Does all that the store can do with contacts and messages.
pub(super) async fn use_everything(harness: &Harness) {
    let contacts = Contacts::new(harness.stack.db());
    let first = contact("c1", "Ada Lovelace");
    contacts.save(&first, &logged("request-1")).await.unwrap();
    let renamed = contact("c1", "Ada King");
    let read = first.written();
    contacts
        .rename(&read, &Contact { version: read.version, ..renamed }, &logged("request-2"))
        .await
        .unwrap();
    book_for(harness, Some(&contact("c3", "Ida Lovelace")), &[due()]).await.unwrap();
    let opt_outs = OptOuts::new(harness.stack.db());
    opt_outs.receive(&came("SM1", 0), (Some(&says(true, 0)), None), None).await.unwrap();
    let read = says(true, 0);
    opt_outs.receive(&came("SM2", 1), (Some(&says(false, 1)), Some(&read)), None).await.unwrap();
    opt_outs.note(&says(true, 2)).await.unwrap();
    let messages = Messages::new(harness.stack.db());
    messages.claim(&claim("m1")).await.unwrap();
    messages.give_back(&claim("m1")).await.unwrap();
    messages.claim(&claim("m2")).await.unwrap();
    messages.note(&claim("m2"), sent()).await.unwrap();
}
