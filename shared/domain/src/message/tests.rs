use jiff::{SignedDuration, ToSpan as _};
use proptest::prelude::*;

use super::{due::QUIET, *};
use crate::{
    booking::{
        appointment::{MadeBy, PatientName, Status},
        diary::Interval,
    },
    clinic::{Clinic, ClinicName, ClinicZone},
    email::EmailAddress,
    ids::{AppointmentId, CallId, OrgId, ResourceId, ServiceId},
    notification::Notification,
    opt_out::STOP_WORDS,
    personal::Personal,
    phone_number::PhoneNumber,
    texting::{Mark, segments},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An appointment of half an hour, whose patient has an address.
fn appointment(starts_at: Timestamp, zone: &str) -> Appointment {
    let time_zone = ClinicZone::parse(zone).unwrap();
    let interval = Interval { from: starts_at, to: starts_at.saturating_add(30.minutes()).unwrap() };
    Appointment {
        org_id: OrgId::new(uuid::Uuid::from_u128(0xb)),
        appointment_id: AppointmentId::parse("a1").unwrap(),
        version: 1,
        revision: 1,
        status: Status::Confirmed,
        service_id: ServiceId::parse("s1").unwrap(),
        service_name: "Laser hair removal".to_owned(),
        resource_ids: vec![ResourceId::parse("r1").unwrap()],
        interval,
        blocked: interval,
        wall_clock: time_zone.wall_clock(starts_at),
        time_zone,
        patient_name: PatientName::parse("Ada Lovelace").unwrap(),
        phone_number: None,
        email: Some(EmailAddress::parse("ada@example.com").unwrap()),
        may_text: None,
        contact_id: None,
        overbooked: None,
        answers: vec![],
        notes: None,
        made: MadeBy::Caller { call_id: CallId::parse("call-1").unwrap() },
        created_at: starts_at,
    }
}

#[test]
fn a_message_is_due_in_three_minutes_or_in_the_morning() {
    let next_week = appointment(at("2026-12-08T14:30:00Z"), "Europe/London");
    let clinic = Cause::of_clinic(&next_week);
    for (kind, cause, now, due_at) in [
        (Kind::Confirmation, Cause::Patient, "2026-12-01T23:10:00Z", "2026-12-01T23:13:00Z"),
        (Kind::Confirmation, clinic, "2026-12-01T23:10:00Z", "2026-12-01T23:13:00Z"),
        (Kind::Change, Cause::Patient, "2026-12-01T23:10:00Z", "2026-12-01T23:13:00Z"),
        (Kind::Change, clinic, "2026-12-01T23:10:00Z", "2026-12-02T08:00:00Z"),
        (Kind::Cancellation, clinic, "2026-12-02T03:00:00Z", "2026-12-02T08:00:00Z"),
        (Kind::Change, clinic, "2026-12-01T19:58:00Z", "2026-12-02T08:00:00Z"),
        (Kind::Change, clinic, "2026-12-01T12:00:00Z", "2026-12-01T12:03:00Z"),
        // It begins within twelve hours: the patient is woken.
        (Kind::Cancellation, clinic, "2026-12-08T03:00:00Z", "2026-12-08T03:03:00Z"),
    ] {
        let due = Due::after(&next_week, kind, cause, at(now)).unwrap();
        assert_eq!(due.due_at, at(due_at), "{kind:?} {cause:?} {now}");
    }
    // The morning after the clocks go on is eight o'clock all the same.
    let sydney = appointment(at("2026-10-08T02:00:00Z"), "Australia/Sydney");
    let due =
        Due::after(&sydney, Kind::Change, Cause::of_clinic(&sydney), at("2026-10-03T12:00:00Z")).unwrap();
    assert_eq!(due.due_at, at("2026-10-03T21:00:00Z"), "08:00 at +11:00");
    // Who was to come early tomorrow is told tonight, however late the new time is.
    let tomorrow = appointment(at("2026-12-02T08:00:00Z"), "Europe/London");
    let cause = Cause::moved_by_clinic(&tomorrow, &next_week);
    let due = Due::after(&next_week, Kind::Change, cause, at("2026-12-01T21:00:00Z")).unwrap();
    assert_eq!(due.due_at, at("2026-12-01T21:03:00Z"));
    // Who is on the way is told at once.
    let due =
        Due::after(&tomorrow, Kind::Cancellation, Cause::of_clinic(&tomorrow), at("2026-12-02T07:58:00Z"))
            .unwrap();
    assert_eq!(due.due_at, at("2026-12-02T07:58:00Z"));
}

#[test]
fn a_reminder_is_the_day_before_at_the_same_time_and_never_by_night() {
    let reminded = |start: &str, zone: &str, now: &str| {
        let due = Due::of(&appointment(at(start), zone), Kind::Confirmation, Cause::Patient, at(now));
        let when = |kind: Kind| {
            due.iter()
                .find(|due| matches!(&due.matter, Matter::Appointment { kind: of, .. } if *of == kind))
                .map(|due| due.due_at.to_string())
        };
        (when(Kind::DayBefore), when(Kind::TwoHoursBefore))
    };
    for (start, zone, now, day_before, two_hours_before) in [
        (
            "2026-12-08T14:30:00Z",
            "Europe/London",
            "2026-12-01T12:00:00Z",
            "2026-12-07T14:30:00Z",
            "2026-12-08T12:30:00Z",
        ),
        // The morning's is said the evening before; early and late ones of the day before in the morning.
        (
            "2026-12-08T09:00:00Z",
            "Europe/London",
            "2026-12-01T12:00:00Z",
            "2026-12-07T09:00:00Z",
            "2026-12-07T19:30:00Z",
        ),
        (
            "2026-12-08T07:00:00Z",
            "Europe/London",
            "2026-12-01T12:00:00Z",
            "2026-12-07T08:00:00Z",
            "2026-12-07T19:30:00Z",
        ),
        (
            "2026-12-08T20:30:00Z",
            "Europe/London",
            "2026-12-01T12:00:00Z",
            "2026-12-08T08:00:00Z",
            "2026-12-08T18:30:00Z",
        ),
        // The same wall clock, although the clocks went back in between: 25 hours before.
        (
            "2026-10-25T10:00:00Z",
            "Europe/London",
            "2026-10-20T12:00:00Z",
            "2026-10-24T09:00:00Z",
            "2026-10-25T08:00:00Z",
        ),
        // What was just told is not said again at once.
        ("2026-12-08T14:30:00Z", "Europe/London", "2026-12-07T13:00:00Z", "", "2026-12-08T12:30:00Z"),
        ("2026-12-08T14:30:00Z", "Europe/London", "2026-12-08T11:00:00Z", "", ""),
    ] {
        let wanted = [day_before, two_hours_before].map(|at| Some(at.to_owned()).filter(|at| !at.is_empty()));
        assert_eq!(<[_; 2]>::from(reminded(start, zone, now)), wanted, "{start} from {now}");
    }
}

#[test]
fn nobody_is_reminded_of_what_is_not_so_any_more() {
    let there = appointment(at("2026-12-08T14:30:00Z"), "Europe/London");
    let now = at("2026-12-01T12:00:00Z");
    assert_eq!(
        Due::of(&there, Kind::Cancellation, Cause::Patient, now).len(),
        1,
        "nobody is reminded of none"
    );
    assert!(
        Due::of(&Appointment { email: None, ..there.clone() }, Kind::Confirmation, Cause::Patient, now)
            .is_empty()
    );
    // One of an older time, of what is cancelled, or that comes when it has begun, says nothing and alarms nobody.
    let begun = there.interval.from;
    let moved = Appointment { revision: 2, ..there.clone() };
    let cancelled = Appointment { status: Status::Cancelled, ..there.clone() };
    for (appointment, now, fate) in [
        (&there, now, Fate::Send),
        (&moved, now, Fate::Overtaken),
        (&cancelled, now, Fate::Overtaken),
        (&there, begun, Fate::Overtaken),
    ] {
        assert_eq!(super::fate((Kind::DayBefore, 1), appointment, now), fate);
    }
}

proptest! {
    /// Whatever the zone and the time, a reminder comes by day, before the appointment, and after its booking.
    #[test]
    fn a_reminder_comes_by_day(zone in 0_usize..5, hours in 3_i64..400, minutes in 0_i64..60, year in 0_i64..20) {
        let zones = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Vancouver"];
        let now = at("2026-03-01T00:00:00Z").saturating_add(year.saturating_mul(8_784).hours()).unwrap();
        let start = now.saturating_add(hours.hours().minutes(minutes)).unwrap();
        let there = appointment(start, zones[zone]);
        for due in &Due::of(&there, Kind::Confirmation, Cause::Patient, now)[1..] {
            let shown = there.time_zone.wall_clock(due.due_at).time();
            prop_assert!((QUIET.1..QUIET.0).contains(&shown), "{:?} at {shown}", due.matter);
            prop_assert!(now < due.due_at && due.due_at < start);
        }
    }
}

#[test]
fn nobody_is_told_who_cannot_be_or_of_what_has_begun() {
    let there = appointment(at("2026-12-08T14:30:00Z"), "Europe/London");
    let due = |appointment: &Appointment, now: &str| {
        Due::after(appointment, Kind::Confirmation, Cause::Patient, at(now))
    };
    assert!(due(&there, "2026-12-08T14:29:59Z").is_some());
    assert_eq!(due(&there, "2026-12-08T14:30:00Z"), None);
    assert_eq!(due(&Appointment { email: None, ..there }, "2026-12-01T12:00:00Z"), None);
}

#[test]
fn what_is_no_longer_so_is_not_said() {
    let there = appointment(at("2026-12-08T14:30:00Z"), "Europe/London");
    let moved = Appointment { revision: 2, ..there.clone() };
    let cancelled = Appointment { status: Status::Cancelled, ..there.clone() };
    let arrived = Appointment { status: Status::Arrived, ..there.clone() };
    let before = at("2026-12-01T12:10:00Z");
    for (kind, appointment, now, fate) in [
        (Kind::Confirmation, &there, before, Fate::Send),
        (Kind::Confirmation, &moved, before, Fate::Overtaken),
        (Kind::Confirmation, &cancelled, before, Fate::Overtaken),
        (Kind::Confirmation, &arrived, before, Fate::Overtaken),
        (Kind::Confirmation, &there, there.interval.from, Fate::TooLate),
        (Kind::Cancellation, &cancelled, before, Fate::Send),
        (Kind::Cancellation, &there, before, Fate::Overtaken),
        (Kind::Cancellation, &cancelled, there.interval.from, Fate::TooLate),
    ] {
        let of = super::fate((kind, 1), appointment, now);
        assert_eq!(of, fate, "{kind:?} {:?}", appointment.status);
    }
}

#[test]
fn a_message_is_one_for_each_revision_kind_and_channel() {
    let there = appointment(at("2026-12-08T14:30:00Z"), "Europe/London");
    let now = at("2026-12-01T12:00:00Z");
    let name = |appointment: &Appointment, kind| {
        let due = Due::after(appointment, kind, Cause::Patient, now).unwrap();
        let id = MessageId::parse("m1").unwrap();
        Message::claimed(id, (&due, appointment), Channel::Email, now).item
    };
    assert_eq!(name(&there, Kind::Confirmation), "sent#a1#1#confirmation#email");
    let moved = Appointment { revision: 2, ..there };
    assert_eq!(name(&moved, Kind::Change), "sent#a1#2#change#email");
}

#[test]
fn an_emergency_is_told_to_each_address_once_and_its_words_stay_where_they_are() {
    let said = crate::notification::Said {
        kind: crate::notification::Kind::Emergency,
        is_urgent: true,
        text: crate::personal::Personal::new("He cannot breathe".to_owned()),
        fingerprint: "f".to_owned(),
    };
    let call = (OrgId::new(uuid::Uuid::from_u128(0xb)), CallId::parse("call-1").unwrap());
    let number = PhoneNumber::parse("+447700900101").ok().map(crate::personal::Personal::new);
    let notification = Notification::of_call(call, number, said, at("2026-12-01T12:00:00Z"));
    let due = Due::of_emergency(&notification);
    assert_eq!((due.due_at, &*due.slot), (notification.at, "2026-12-01T12#3"));
    let item = |address: &str| {
        let (id, to) = (MessageId::parse("m1").unwrap(), EmailAddress::parse(address).unwrap());
        Message::alerting(id, &due, &to, notification.at).item
    };
    assert_eq!(item("a@example.com"), item("a@example.com"));
    assert_ne!(item("a@example.com"), item("b@example.com"));
    let Letter { subject, text } = alert(&Clinic::unsaved(notification.org_id), &notification);
    assert!(
        subject.starts_with("Urgent") && text.contains("+447700900101") && text.contains("12:00"),
        "{text}"
    );
    assert!(!text.contains("breathe"), "{text}");
}

#[test]
fn a_letter_names_no_treatment_and_no_patient() {
    let there = appointment(at("2026-06-02T13:30:00Z"), "Europe/London");
    let clinic =
        Clinic { name: ClinicName::parse("Hill Street Dental").ok(), ..Clinic::unsaved(there.org_id) };
    let line = PhoneNumber::parse("+442071838750").unwrap();
    for kind in Kind::ALL {
        for line in [Some(&line), None] {
            let Letter { subject, text } = letter(kind, &clinic, &there, line);
            let all = format!("{subject}\n{text}");
            assert!(all.contains("Tuesday 2 June 2026 at 14:30"), "{all}");
            assert!(text.contains("Hill Street Dental") && text.contains("Europe/London"), "{text}");
            assert_eq!(text.contains("+442071838750"), line.is_some(), "{text}");
            for secret in ["Ada", "Lovelace", "Laser", "ada@"] {
                assert!(!all.contains(secret), "{secret} in {all}");
            }
            // Words by which a carrier takes an answer for a wish to hear nothing more.
            assert!(!all.contains("STOP") && !subject.contains('\n'), "{all}");
        }
    }
}

proptest! {
    #[test]
    fn no_message_is_due_before_its_delay_or_after_the_start(
        minutes in 1_i64..60 * 24 * 40,
        hour in 0_i64..24 * 7,
        by_clinic: bool,
        zone in prop::sample::select(vec!["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    ) {
        let now = at("2026-10-22T00:00:00Z").saturating_add(hour.hours()).unwrap();
        let there = appointment(now.saturating_add(minutes.minutes()).unwrap(), zone);
        let cause = if by_clinic { Cause::of_clinic(&there) } else { Cause::Patient };
        for kind in Kind::ALL {
            let due = Due::after(&there, kind, cause, now).unwrap();
            prop_assert!(due.due_at >= now.saturating_add(DELAY).unwrap() || minutes <= 15);
            prop_assert!(due.due_at < there.interval.from);
            prop_assert!(due.slot.starts_with(&due.due_at.strftime("%Y-%m-%dT%H#").to_string()));
            let shown = there.time_zone.wall_clock(due.due_at).time();
            let is_quiet = shown < QUIET.1 || shown >= QUIET.0;
            let wakes = kind == Kind::Confirmation || !by_clinic || minutes <= 12 * 60;
            prop_assert!(!is_quiet || wakes, "{kind:?} at {shown}");
        }
    }
}

#[test]
fn a_text_names_the_clinic_and_the_time_and_asks_for_no_word_that_opts_out() {
    let one = appointment(at("2026-12-08T14:30:00Z"), "Europe/London");
    let clinic = Clinic { name: ClinicName::parse("Hill Street Dental").ok(), ..Clinic::unsaved(one.org_id) };
    let line = PhoneNumber::parse("+442071838750").unwrap();
    let id = MessageId::parse("m-1").unwrap();
    let mark = Mark::of(&id);
    let said = Kind::ALL.map(|kind| text(kind, (&clinic, &one), Some(&line), &mark));
    assert!(
        said[0].starts_with(
            "Hill Street Dental: your appointment is on Tue 8 Dec 2026 at 14:30. Questions? Ring +442071838750. Ref "
        ),
        "{}",
        said[0]
    );
    for words in &said {
        assert!(mark.ends(words) && !Mark::of(&MessageId::parse("m-2").unwrap()).ends(words));
        assert_eq!(segments(words), 1, "{words}");
        let names = words.split(|c: char| !c.is_alphanumeric()).map(str::to_uppercase);
        let asks: Vec<_> =
            names.filter(|word| STOP_WORDS.contains(&word.as_str()) || word == "REPLY").collect();
        assert!(asks.is_empty() && !words.contains("Ada") && !words.contains("Laser"), "{words}");
    }
}

#[test]
fn a_text_that_is_paid_for_is_looked_for_twice() {
    let one = Appointment {
        phone_number: Some(Personal::new(PhoneNumber::parse("+447700900101").unwrap())),
        email: None,
        ..appointment(at("2026-12-08T14:30:00Z"), "Europe/London")
    };
    let now = at("2026-12-01T12:00:00Z");
    let due = Due::after(&one, Kind::Confirmation, Cause::Patient, now).unwrap();
    let refused = Appointment { may_text: Some(false), ..one.clone() };
    assert_eq!(
        Due::after(&refused, Kind::Confirmation, Cause::Patient, now),
        None,
        "nothing reaches who said no"
    );
    let message = Message::claimed(MessageId::parse("m-1").unwrap(), (&due, &one), Channel::Sms, now);
    let lookups = Due::lookups(&message);
    assert_eq!(lookups.each_ref().map(|due| due.due_at.duration_since(now).as_mins()), [2, 10]);
    let later = message
        .again(&MessageId::parse("m-2").unwrap(), now.saturating_add(SignedDuration::from_mins(1)).unwrap());
    let all: std::collections::BTreeSet<_> =
        lookups.into_iter().chain(Due::lookups(&later)).map(|due| (due.slot, due.due)).collect();
    assert_eq!((all.len(), later.message_id), (4, message.message_id), "no row takes another's place");
}
