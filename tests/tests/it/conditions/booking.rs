//! The conditions of appointments: each promise is kept by one of them alone.

use domain::{
    audit::{Action, Actor, ActorRole, AuditEntry, RecordId},
    booking::{
        appointment::{Appointment, MadeBy, Patient, PatientName, Status},
        availability::{Booker, Offer},
        catalog::{Resource, Service, Terms},
        conversation::Conversation,
        diary::{Diary, Interval, Owner},
    },
    ids::{AppointmentId, ResourceId, ServiceId},
};
use jiff::SignedDuration;
use serde_json::json;
use store::booking::{Booking, Bookings, Intent};

use super::*;

const NEW: &str = "attribute_not_exists(item)";
const MONDAY: &str = "2026-01-05T10:00:00Z";
const TUESDAY: &str = "2026-01-06T10:00:00Z";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "take time", "resource_days", NEW, NEW => a_day_that_nobody_had_written_is_taken_once;
        "take time", "resource_days", VERSION, VERSION => a_day_is_taken_as_it_was_read;
        "take time", "booking_catalog service#", VERSION, VERSION => nothing_is_booked_by_a_service_that_has_changed;
        "take time", "booking_catalog resource#", VERSION, VERSION => nothing_is_booked_by_hours_that_have_changed;
        "take time", "appointments call#", VERSION, VERSION => a_call_books_by_what_it_has_booked;
        "take time", "appointments", NEW, NEW => an_appointment_is_written_over_no_other;
        "take time", "appointments", VERSION, VERSION => an_appointment_is_moved_from_where_it_was_read;
        "take time", "audit_log", NEW_ACT, NEW_ACT => what_is_logged_is_not_written_over;
        "give time back", "resource_days", VERSION, VERSION => a_day_is_given_back_as_it_was_read;
        "give time back", "appointments", VERSION, VERSION => an_appointment_is_cancelled_as_it_was_read;
        "give time back", "appointments call#", VERSION, VERSION => a_call_cancels_by_what_it_has_changed;
        "give time back", "audit_log", NEW_ACT, NEW_ACT => a_cancellation_is_not_logged_over_another;
        "note appointment", "appointments", VERSION, VERSION => older_notes_change_nothing;
        "note appointment", "audit_log", NEW_ACT, NEW_ACT => a_note_is_not_logged_over_another;
        "take time", "appointments intent#", NEW, NEW => one_intent_is_one_appointment;
        "take time", "appointments intent#", VERSION, VERSION => one_intent_is_replaced_once;
        "offer", "appointments call#", NEW, NEW => a_calls_first_options_are_offered_once;
        "offer", "appointments call#", VERSION, VERSION => options_are_added_to_those_that_are_there;
        "save offer", "booking_catalog resource#", NEW, NEW => a_resource_is_made_once;
        "save offer", "booking_catalog resource#", VERSION, VERSION => older_hours_change_nothing;
        "save service", "booking_catalog service#", NEW, NEW => a_service_is_made_once;
        "save service", "booking_catalog service#", VERSION, VERSION => an_older_service_changes_nothing;
        "save service", "booking_catalog resource#", VERSION, VERSION => a_service_names_resources_as_they_were_read;
    }
}

/// Which write of the diary's or the catalog's a transaction is, if it is one.
pub(super) fn transaction_of(items: &[Value]) -> Option<&'static str> {
    let puts = |table: &str| items.iter().any(|item| is_put_to(item, table));
    if puts("resource_days") {
        let rests_on_an_offer = items.iter().any(|item| item["ConditionCheck"].is_object());
        return Some(if rests_on_an_offer { "take time" } else { "give time back" });
    }
    if puts("booking_catalog") {
        let rests_on_resources = items.iter().any(|item| item["ConditionCheck"].is_object());
        return Some(if rests_on_resources { "save service" } else { "save offer" });
    }
    let is_of_a_call =
        |item: &Value| item["Put"]["Item"]["item"]["S"].as_str().is_some_and(|key| key.starts_with("call#"));
    puts("appointments").then(|| if items.iter().any(is_of_a_call) { "offer" } else { "note appointment" })
}

/// A clinic's offer, and the hand that books it.
struct Desk {
    bookings: Bookings,
    service: Service,
    resource: Resource,
    /// What is logged of a cancellation or a note.
    act: Option<AuditEntry>,
}

fn resource() -> Resource {
    let span = json!([{"from": "09:00", "to": "17:00"}]);
    let hours = json!({"name": "Dr Rahman", "time_zone": "Europe/London", "weekly": {"monday": span, "tuesday": span}});
    Resource {
        org_id: ORG,
        resource_id: ResourceId::parse("r1").unwrap(),
        version: 0,
        is_former: false,
        hours: serde_json::from_value(hours).unwrap(),
    }
}

fn service() -> Service {
    let terms = json!({"name": "Check-up", "duration_mins": 30, "needs": [["r1"]]});
    Service {
        org_id: ORG,
        service_id: ServiceId::parse("s1").unwrap(),
        version: 0,
        is_former: false,
        terms: serde_json::from_value(terms).unwrap(),
    }
}

impl Desk {
    async fn of(harness: &Harness) -> Self {
        let bookings = Bookings::new(harness.stack.db());
        let resource = bookings.save_resource(&resource()).await.unwrap();
        let service = bookings.save_service(&service(), &[&resource]).await.unwrap();
        Self { bookings, service, resource, act: None }
    }

    async fn diary(&self, at: &str) -> Diary {
        let day = at[..10].parse().unwrap();
        self.bookings.diary(ORG, &[&self.resource.resource_id], &[day]).await.unwrap()
    }

    /// Books `at` as the diary was read.
    async fn book(
        &self,
        diary: &Diary,
        at: &str,
        (id, intent): (&str, (&str, u64)),
        conversation: Option<&Conversation>,
    ) -> Result<(), ChangeError> {
        let now = local::stack::test_epoch();
        let offer = Offer {
            service: &self.service,
            resources: std::slice::from_ref(&self.resource),
            diary,
            booker: Booker::Staff,
            ignored: &[],
            now,
        };
        let slot = offer.fit(at.parse().unwrap(), std::slice::from_ref(&self.resource.resource_id)).unwrap();
        let id = AppointmentId::parse(id).unwrap();
        let patient = Patient {
            name: PatientName::parse("Ada Lovelace").unwrap(),
            phone_number: None,
            email: None,
            may_text: None,
        };
        let made = MadeBy::Staff { user_id: UserId::parse("user-1").unwrap() };
        let appointment = Appointment::confirmed(id.clone(), &self.service, &slot, (patient, made), now);
        let days = diary.taking(&appointment.entry(), &slot.resources, &[], now).unwrap();
        let (intent, version) = intent;
        let intent = Intent {
            org_id: ORG,
            intent: intent.to_owned(),
            version,
            appointment_id: id,
            at: now,
            body_hash: None,
            tool_call: None,
        };
        let booking = Booking {
            by: Some((&self.service, &[&self.resource])),
            days: &days,
            conversation,
            appointment: Some(&appointment),
            intent: Some(&intent),
            ..Booking::default()
        };
        self.bookings.book(ORG, &booking).await
    }

    async fn appointment(&self, id: &str) -> Appointment {
        self.bookings.appointment(ORG, &AppointmentId::parse(id).unwrap()).await.unwrap().unwrap()
    }

    /// Writes an appointment as it was read, a day later; or over itself where that is overbooked, with an entry of the log.
    async fn put_off(&self, there: &Appointment, act: Option<&AuditEntry>) -> Result<(), ChangeError> {
        let day = SignedDuration::from_hours(24);
        let later = |interval: Interval| Interval { from: interval.from + day, to: interval.to + day };
        let moved =
            Appointment { interval: later(there.interval), blocked: later(there.blocked), ..there.clone() };
        let days = [there, &moved].map(|appointment| appointment.blocked.days()[0]);
        let diary = self.bookings.diary(ORG, &[&self.resource.resource_id], &days).await.unwrap();
        let own = [Owner::Appointment(&there.appointment_id)];
        let days = diary.taking(&moved.entry(), &there.resource_ids, &own, there.created_at).unwrap();
        let booking = Booking {
            by: Some((&self.service, &[&self.resource])),
            days: &days,
            appointment: Some(&moved),
            act,
            ..Booking::default()
        };
        self.bookings.book(ORG, &booking).await
    }

    /// Cancels an appointment as it was read, in the diary as it was read.
    async fn cancel(
        &self,
        there: &Appointment,
        diary: &Diary,
        conversation: Option<&Conversation>,
    ) -> Result<(), ChangeError> {
        let days = diary.giving_back(Owner::Appointment(&there.appointment_id), there.created_at);
        let after = Appointment { status: Status::Cancelled, ..there.clone() };
        let act = self.act.as_ref();
        let booking =
            Booking { days: &days, conversation, appointment: Some(&after), act, ..Booking::default() };
        self.bookings.book(ORG, &booking).await
    }

    async fn note(&self, there: &Appointment, status: Status) -> Result<(), ChangeError> {
        let after = Appointment { status, ..there.clone() };
        let act = self.act.as_ref();
        self.bookings.book(ORG, &Booking { appointment: Some(&after), act, ..Booking::default() }).await
    }
}

pub(super) fn refused<T: std::fmt::Debug>(outcome: Result<T, ChangeError>, what: &str) -> Result<(), String> {
    match outcome {
        Err(ChangeError::Moved) => Ok(()),
        other => broken((what, other)),
    }
}

async fn a_day_that_nobody_had_written_is_taken_once(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    let diary = desk.diary(MONDAY).await;
    desk.book(&diary, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    refused(desk.book(&diary, MONDAY, ("a2", ("i2", 0)), None).await, "one time was booked twice")
}

async fn a_day_is_taken_as_it_was_read(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a0", ("i0", 0)), None).await.unwrap();
    let (diary, later) = (desk.diary(MONDAY).await, "2026-01-05T11:00:00Z");
    desk.book(&diary, later, ("a1", ("i1", 0)), None).await.unwrap();
    refused(desk.book(&diary, later, ("a2", ("i2", 0)), None).await, "one time was booked twice")
}

async fn nothing_is_booked_by_a_service_that_has_changed(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    let terms = Terms { duration_mins: 60, ..desk.service.terms.clone() };
    desk.bookings.save_service(&Service { terms, ..desk.service.clone() }, &[]).await.unwrap();
    refused(
        desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await,
        "it was booked as it had been",
    )
}

async fn nothing_is_booked_by_hours_that_have_changed(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    let mut closed = desk.resource.clone();
    closed.hours.weekly.clear();
    desk.bookings.save_resource(&closed).await.unwrap();
    refused(
        desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await,
        "it was booked on a day off",
    )
}

async fn an_appointment_is_moved_from_where_it_was_read(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    let there = desk.appointment("a1").await;
    desk.put_off(&there, None).await.unwrap();
    refused(desk.put_off(&there, None).await, "it was moved from where it was no more")
}

/// The log's entry of an overbooking, as the gateway names the request.
fn overbooked(reason: &str) -> AuditEntry {
    AuditEntry { purpose: Some(reason.to_owned()), ..logged("request-o") }
}

/// An entry of the log, of this request.
fn logged(request: &str) -> AuditEntry {
    let actor = Actor {
        user: UserId::parse("user-1").unwrap(),
        role: ActorRole::Owner,
        source: None,
        request_id: request.into(),
    };
    let act = (Action::Overbook, RecordId::Appointment(AppointmentId::parse("a1").unwrap()));
    AuditEntry::granted(ORG, actor, act, None, local::stack::test_epoch())
}

async fn what_is_logged_is_not_written_over(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    desk.put_off(&desk.appointment("a1").await, Some(&overbooked("First."))).await.unwrap();
    let second = desk.put_off(&desk.appointment("a1").await, Some(&overbooked("Second."))).await;
    refused(second, "an entry of the log was written over")
}

async fn a_day_is_given_back_as_it_was_read(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    let (there, diary) = (desk.appointment("a1").await, desk.diary(MONDAY).await);
    let later = "2026-01-05T11:00:00Z";
    desk.book(&desk.diary(later).await, later, ("a2", ("i2", 0)), None).await.unwrap();
    refused(desk.cancel(&there, &diary, None).await, "another's time was given back too")
}

async fn an_appointment_is_cancelled_as_it_was_read(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    let there = desk.appointment("a1").await;
    desk.note(&there, Status::Arrived).await.unwrap();
    refused(
        desk.cancel(&there, &desk.diary(MONDAY).await, None).await,
        "the patient is there, and it was cancelled",
    )
}

async fn a_call_cancels_by_what_it_has_changed(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    for (id, at) in [("a1", MONDAY), ("a2", TUESDAY)] {
        desk.book(&desk.diary(at).await, at, (id, (id, 0)), None).await.unwrap();
    }
    desk.bookings.save_conversation(&begun()).await.unwrap();
    let there = desk.bookings.conversation(ORG, &begun().call_id).await.unwrap();
    let (one, other) = (desk.appointment("a1").await, desk.appointment("a2").await);
    desk.cancel(&one, &desk.diary(MONDAY).await, Some(&there)).await.unwrap();
    let second = desk.cancel(&other, &desk.diary(TUESDAY).await, Some(&there)).await;
    refused(second, "the call's first cancellation was forgotten")
}

async fn a_cancellation_is_not_logged_over_another(harness: Harness) -> Result<(), String> {
    let mut desk = Desk::of(&harness).await;
    for (id, at) in [("a1", MONDAY), ("a2", TUESDAY)] {
        desk.book(&desk.diary(at).await, at, (id, (id, 0)), None).await.unwrap();
    }
    desk.act = Some(overbooked("First."));
    desk.cancel(&desk.appointment("a1").await, &desk.diary(MONDAY).await, None).await.unwrap();
    let second = desk.cancel(&desk.appointment("a2").await, &desk.diary(TUESDAY).await, None).await;
    refused(second, "an entry of the log was written over")
}

async fn a_note_is_not_logged_over_another(harness: Harness) -> Result<(), String> {
    let mut desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    desk.act = Some(overbooked("First."));
    desk.note(&desk.appointment("a1").await, Status::Arrived).await.unwrap();
    let second = desk.note(&desk.appointment("a1").await, Status::Completed).await;
    refused(second, "an entry of the log was written over")
}

async fn older_notes_change_nothing(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    let there = desk.appointment("a1").await;
    desk.note(&there, Status::Arrived).await.unwrap();
    refused(desk.note(&there, Status::NoShow).await, "that the patient arrived was forgotten")
}

pub(super) fn begun() -> Conversation {
    Conversation::begun(ORG, CallId::parse("call-1").unwrap())
}

async fn a_call_books_by_what_it_has_booked(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.bookings.save_conversation(&begun()).await.unwrap();
    let there = desk.bookings.conversation(ORG, &begun().call_id).await.unwrap();
    let booked = |id: &str| there.booked(AppointmentId::parse(id).unwrap());
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), Some(&booked("a1"))).await.unwrap();
    let second = desk.book(&desk.diary(TUESDAY).await, TUESDAY, ("a2", ("i2", 0)), Some(&booked("a2"))).await;
    refused(second, "the call's first booking was forgotten")
}

async fn an_appointment_is_written_over_no_other(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    let second = desk.book(&desk.diary(TUESDAY).await, TUESDAY, ("a1", ("i2", 0)), None).await;
    refused(second, "an appointment was overwritten")
}

async fn one_intent_is_one_appointment(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    let second = desk.book(&desk.diary(TUESDAY).await, TUESDAY, ("a2", ("i1", 0)), None).await;
    refused(second, "one intent was booked twice")
}

async fn one_intent_is_replaced_once(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), None).await.unwrap();
    desk.book(&desk.diary(TUESDAY).await, TUESDAY, ("a2", ("i1", 1)), None).await.unwrap();
    let later = "2026-01-06T11:00:00Z";
    let third = desk.book(&desk.diary(later).await, later, ("a3", ("i1", 1)), None).await;
    refused(third, "one intent was replaced twice")
}

async fn a_calls_first_options_are_offered_once(harness: Harness) -> Result<(), String> {
    let bookings = Bookings::new(harness.stack.db());
    bookings.save_conversation(&begun()).await.unwrap();
    refused(bookings.save_conversation(&begun()).await, "what was offered was forgotten")
}

async fn options_are_added_to_those_that_are_there(harness: Harness) -> Result<(), String> {
    let bookings = Bookings::new(harness.stack.db());
    bookings.save_conversation(&begun()).await.unwrap();
    let there = bookings.conversation(ORG, &begun().call_id).await.unwrap();
    bookings.save_conversation(&there).await.unwrap();
    refused(bookings.save_conversation(&there).await, "what was offered was forgotten")
}

async fn a_service_is_made_once(harness: Harness) -> Result<(), String> {
    let bookings = Bookings::new(harness.stack.db());
    let resource = bookings.save_resource(&resource()).await.unwrap();
    bookings.save_service(&service(), &[&resource]).await.unwrap();
    refused(bookings.save_service(&service(), &[&resource]).await, "a service was made over another")
}

async fn an_older_service_changes_nothing(harness: Harness) -> Result<(), String> {
    let bookings = Bookings::new(harness.stack.db());
    let resource = bookings.save_resource(&resource()).await.unwrap();
    let first = bookings.save_service(&service(), &[&resource]).await.unwrap();
    bookings.save_service(&first, &[&resource]).await.unwrap();
    refused(bookings.save_service(&first, &[&resource]).await, "a change was lost")
}

async fn a_service_names_resources_as_they_were_read(harness: Harness) -> Result<(), String> {
    let desk = Desk::of(&harness).await;
    let read = desk.resource.clone();
    desk.bookings.save_resource(&Resource { is_former: true, ..read.clone() }).await.unwrap();
    let saved = desk.bookings.save_service(&desk.service, &[&read]).await;
    refused(saved, "a service kept a practitioner who has left")
}

async fn a_resource_is_made_once(harness: Harness) -> Result<(), String> {
    let bookings = Bookings::new(harness.stack.db());
    bookings.save_resource(&resource()).await.unwrap();
    refused(bookings.save_resource(&resource()).await, "a resource was made over another")
}

async fn older_hours_change_nothing(harness: Harness) -> Result<(), String> {
    let bookings = Bookings::new(harness.stack.db());
    let first = bookings.save_resource(&resource()).await.unwrap();
    bookings.save_resource(&first).await.unwrap();
    refused(bookings.save_resource(&first).await, "a change was lost")
}

/// Does all that the store can do with appointments.
pub(super) async fn use_everything(harness: &Harness) {
    let mut desk = Desk::of(harness).await;
    desk.service = desk.bookings.save_service(&desk.service, &[&desk.resource]).await.unwrap();
    desk.resource = desk.bookings.save_resource(&desk.resource).await.unwrap();
    desk.bookings.save_conversation(&begun()).await.unwrap();
    let there = desk.bookings.conversation(ORG, &begun().call_id).await.unwrap();
    desk.bookings.save_conversation(&there).await.unwrap();
    let there = desk.bookings.conversation(ORG, &begun().call_id).await.unwrap();
    desk.book(&desk.diary(MONDAY).await, MONDAY, ("a1", ("i1", 0)), Some(&there)).await.unwrap();
    let later = "2026-01-05T11:00:00Z";
    desk.book(&desk.diary(later).await, later, ("a2", ("i1", 1)), None).await.unwrap();
    desk.put_off(&desk.appointment("a1").await, Some(&overbooked("Urgent."))).await.unwrap();
    desk.act = Some(AuditEntry { action: Action::NoteAppointment, ..logged("request-n") });
    desk.note(&desk.appointment("a2").await, Status::Arrived).await.unwrap();
    let there = desk.bookings.conversation(ORG, &begun().call_id).await.unwrap();
    desk.act = Some(AuditEntry { action: Action::CancelAppointment, ..logged("request-c") });
    desk.cancel(&desk.appointment("a2").await, &desk.diary(later).await, Some(&there)).await.unwrap();
}
