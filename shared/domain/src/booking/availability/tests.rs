use super::*;
use crate::{
    booking::{
        catalog::{Hours, Need, Span},
        diary::{Entry, ResourceDay, Taken},
    },
    ids::{AppointmentId, OrgId, ServiceId},
};
use proptest::prelude::*;

const ORG: OrgId = OrgId::new(uuid::Uuid::nil());

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

fn service(needs: &[&[&str]]) -> Service {
    let needs = needs.iter().map(|need| Need(need.iter().map(|text| id(text)).collect())).collect();
    let terms = Terms {
        name: "Check-up".into(),
        duration_mins: 30,
        buffer_before_mins: 0,
        buffer_after_mins: 10,
        start_interval_mins: 15,
        needs,
        price_shown: None,
        min_notice_mins: 60,
        horizon_days: 440,
        callers_may_book: true,
        intake: vec![],
    };
    Service { org_id: ORG, service_id: ServiceId::parse("s1").unwrap(), version: 1, is_former: false, terms }
}

/// Somebody who works every day between two times.
fn works_daily(name: &str, zone: &str, from: &str, to: &str) -> Resource {
    let span = Span { from: from.parse().unwrap(), to: to.parse().unwrap() };
    let week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let weekly = week.map(|day| (serde_json::from_value(day.into()).unwrap(), vec![span]));
    Resource {
        org_id: ORG,
        resource_id: id(name),
        version: 1,
        is_former: false,
        hours: Hours {
            name: name.into(),
            time_zone: ClinicZone::parse(zone).unwrap(),
            weekly: weekly.into(),
            overrides: [].into(),
            closures: Vec::new(),
        },
    }
}

fn taken(resource: &str, from: &str, to: &str) -> Diary {
    let interval = Interval { from: at(from), to: at(to) };
    let appointment_id = AppointmentId::parse("a1").unwrap();
    let entry = Entry { taken: Taken::Appointment { appointment_id, overbooked: false }, interval };
    let days = interval
        .days()
        .into_iter()
        .map(|day| ResourceDay::untouched(ORG, id(resource), day).with(entry.clone()));
    Diary { days: days.collect() }
}

fn offer<'a>(service: &'a Service, resources: &'a [Resource], diary: &'a Diary, now: &str) -> Offer<'a> {
    Offer { service, resources, diary, booker: Booker::Caller, ignored: &[], now: at(now) }
}

fn all_day() -> (Time, Time) {
    (Time::midnight(), Time::constant(23, 59, 0, 0))
}

fn starts(offer: &Offer<'_>, day: &str) -> Vec<String> {
    let slots = offer.openings(&[day.parse().unwrap()], all_day(), None);
    slots.iter().map(|slot| slot.wall_clock().time().strftime("%H:%M").to_string()).collect()
}

#[test]
fn each_reason_is_the_first_that_applies() {
    let (one, other) = (
        works_daily("r1", "Europe/London", "09:00", "17:00"),
        works_daily("r2", "Europe/London", "09:00", "17:00"),
    );
    let mut away = works_daily("r3", "Europe/London", "09:00", "17:00");
    away.hours.closures.push(crate::booking::catalog::Closure {
        from: at("2026-12-01T00:00:00Z"),
        to: at("2026-12-15T00:00:00Z"),
        reason: "holiday".into(),
    });
    let resources = [one, other, away];
    let diary = taken("r1", "2026-12-01T10:00:00Z", "2026-12-01T10:40:00Z");
    let service = service(&[&["r1", "r2", "r3"]]);
    let offer = offer(&service, &resources, &diary, "2026-11-30T12:00:00Z");
    let fit = |start: &str, resource: &str| offer.fit(at(start), &[id(resource)]).map(|_| ());
    assert_eq!(fit("2026-12-01T11:00:00Z", "r1"), Ok(()));
    assert_eq!(fit("2026-12-01T10:00:00Z", "r2"), Ok(()), "the other one is free");
    let cases = [
        ("2026-11-30T12:00:00Z", "r1", Unfit::Past),
        ("2026-11-30T12:45:00Z", "r1", Unfit::TooSoon),
        ("2028-12-01T10:00:00Z", "r1", Unfit::TooFarAhead),
        ("2026-12-01T11:05:00Z", "r1", Unfit::NotAStart),
        ("2026-12-01T11:00:01Z", "r1", Unfit::NotAStart),
        ("2026-12-01T08:45:00Z", "r1", Unfit::Closed),
        ("2026-12-01T16:45:00Z", "r1", Unfit::Closed),
        ("2026-12-08T10:00:00Z", "r3", Unfit::Closed),
        ("2026-12-01T10:00:00Z", "r1", Unfit::Taken),
        ("2026-12-01T10:30:00Z", "r1", Unfit::Taken),
        ("2026-12-01T09:30:00Z", "r1", Unfit::Taken),
        ("2026-12-01T11:00:00Z", "r4", Unfit::NotItsResources),
    ];
    for (start, resource, why) in cases {
        assert_eq!(fit(start, resource), Err(why), "{start} {resource}");
    }
    assert_eq!(fit("2026-12-01T09:15:00Z", "r1"), Ok(()), "with its buffer it ends at 09:55");
    let only_staff =
        Service { terms: Terms { callers_may_book: false, ..service.terms.clone() }, ..service.clone() };
    let by =
        |booker| Offer { service: &only_staff, booker, ..offer }.fit(at("2026-11-30T12:45:00Z"), &[id("r1")]);
    assert_eq!(by(Booker::Caller), Err(Unfit::NotForCallers));
    assert!(by(Booker::Staff).is_ok(), "staff are held to no notice");
}

#[test]
fn who_overbooks_is_held_to_the_calendar_and_the_needs_and_to_nothing_else() {
    let resources = ["r1", "r2"].map(|name| works_daily(name, "Europe/London", "09:00", "17:00"));
    let diary = taken("r1", "2026-12-01T10:00:00Z", "2026-12-01T10:40:00Z");
    let service = service(&[&["r1", "r2"]]);
    let offer =
        Offer { booker: Booker::Overbooking, ..offer(&service, &resources, &diary, "2026-11-30T12:00:00Z") };
    let fit =
        |start: &str, resource: &str| offer.fit(at(start), &[id(resource)]).map(|slot| slot.interval.from);
    for (start, why) in [
        ("2026-12-01T10:00:00Z", "it is taken"),
        ("2026-12-01T10:07:00Z", "nothing begins then"),
        ("2026-12-01T20:00:00Z", "the clinic is closed"),
        ("2026-11-30T12:05:00Z", "it is soon"),
    ] {
        assert_eq!(fit(start, "r1"), Ok(at(start)), "{why}");
    }
    for (start, resource, unfit) in [
        ("2026-11-30T12:00:00Z", "r1", Unfit::Past),
        ("2028-12-01T10:00:00Z", "r1", Unfit::TooFarAhead),
        ("2026-12-01T11:00:00Z", "r3", Unfit::NotItsResources),
    ] {
        assert_eq!(fit(start, resource), Err(unfit), "{start} {resource}");
    }
}

#[test]
fn any_resource_that_can_is_taken_and_the_first_says_why_none_can() {
    let resources = ["r1", "r2"].map(|name| works_daily(name, "Europe/London", "09:00", "17:00"));
    let diary = taken("r1", "2026-12-01T10:00:00Z", "2026-12-01T10:40:00Z");
    let service = service(&[&["r1", "r2"]]);
    let offer = offer(&service, &resources, &diary, "2026-11-30T12:00:00Z");
    let any = |start: &str, only: Option<&str>| {
        offer.fit_any(at(start), only.map(id).as_ref()).map(|slot| slot.resources)
    };
    assert_eq!(any("2026-12-01T11:00:00Z", None), Ok(vec![id("r1")]));
    assert_eq!(any("2026-12-01T10:00:00Z", None), Ok(vec![id("r2")]), "r1 is busy");
    assert_eq!(any("2026-12-01T10:00:00Z", Some("r1")), Err(Unfit::Taken));
    assert_eq!(any("2026-12-01T10:00:00Z", Some("r9")), Err(Unfit::NotItsResources));
    assert_eq!(any("2026-12-01T20:00:00Z", None), Err(Unfit::Closed));
}

#[test]
fn a_service_takes_one_of_each_need_and_none_twice() {
    let resources = ["r1", "r2", "room"].map(|name| works_daily(name, "Europe/London", "09:00", "10:00"));
    let service = service(&[&["r1", "r2"], &["room"]]);
    let diary = taken("r1", "2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z");
    let offer = offer(&service, &resources, &diary, "2026-11-30T12:00:00Z");
    let slots = offer.openings(&["2026-12-01".parse().unwrap()], all_day(), None);
    let with: Vec<_> = slots.iter().map(|slot| slot.resources.clone()).collect();
    assert_eq!(with, vec![vec![id("r2"), id("room")]; 3], "r1 is busy");
    for wrong in [vec![], vec![id("r1")], vec![id("room"), id("r1")], vec![id("r1"), id("r1")]] {
        assert_eq!(offer.fit(at("2026-12-01T09:00:00Z"), &wrong), Err(Unfit::NotItsResources), "{wrong:?}");
    }
    assert_eq!(offer.openings(&["2026-12-01".parse().unwrap()], all_day(), Some(&id("r1"))).len(), 0);
}

#[test]
fn clocks_that_change_skip_a_start_and_never_offer_it_twice() {
    let service = service(&[&["r1"]]);
    let day = |zone: &str, day: &str| {
        let resources = [works_daily("r1", zone, "00:30", "03:00")];
        let diary = Diary::default();
        starts(&offer(&service, &resources, &diary, "2026-01-01T00:00:00Z"), day)
    };
    // On an ordinary day, on the day that the clocks go on by an hour, on the day that they go back.
    let ordinary =
        ["00:30", "00:45", "01:00", "01:15", "01:30", "01:45", "02:00", "02:15", "02:30"].map(str::to_owned);
    assert_eq!(day("Europe/London", "2026-03-28"), ordinary);
    assert_eq!(day("Europe/London", "2026-03-29"), ["00:30", "00:45", "02:00", "02:15", "02:30"]);
    assert_eq!(day("Europe/London", "2026-10-25"), ordinary);
    assert_eq!(day("America/New_York", "2026-03-08"), ["00:30", "00:45", "01:00", "01:15", "01:30"]);
    // Lord Howe's clocks change by half an hour; Kolkata's never; Vancouver's no more.
    assert_eq!(
        day("Australia/Lord_Howe", "2026-10-04"),
        ["00:30", "00:45", "01:00", "01:15", "01:30", "01:45", "02:30"]
    );
    assert_eq!(day("Asia/Kolkata", "2026-03-29"), ordinary);
    assert_eq!(day("America/Vancouver", "2027-03-14"), ordinary);
    assert_eq!(day("Europe/London", "2028-02-29"), [""; 0], "beyond the horizon");
}

#[test]
fn what_starts_before_the_clocks_go_back_is_the_first_of_the_two() {
    let resources = [works_daily("r1", "Europe/London", "00:00", "04:00")];
    let (service, diary) = (service(&[&["r1"]]), Diary::default());
    let offer = offer(&service, &resources, &diary, "2026-10-01T00:00:00Z");
    assert!(offer.fit(at("2026-10-25T00:30:00Z"), &[id("r1")]).is_ok(), "half past one, for the first time");
    assert_eq!(
        offer.fit(at("2026-10-25T01:30:00Z"), &[id("r1")]),
        Err(Unfit::NotAStart),
        "for the second time"
    );
}

#[test]
fn three_are_offered_near_the_time_that_was_named_or_spread() {
    let resources = [works_daily("r1", "Europe/London", "09:00", "17:00")];
    let (service, diary) = (service(&[&["r1"]]), Diary::default());
    let offer = offer(&service, &resources, &diary, "2026-11-30T12:00:00Z");
    let all = offer.openings(&["2026-12-01".parse().unwrap()], all_day(), None);
    let times = |slots: Vec<Slot>| {
        let times = slots.iter().map(|slot| slot.wall_clock().time().strftime("%H:%M").to_string());
        times.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(times(spread(&all, None)), "09:00 12:45 16:30");
    assert_eq!(times(spread(&all, Some(jiff::civil::time(14, 10, 0, 0)))), "14:00 14:15 14:30");
    assert_eq!(times(spread(&all[..2], None)), "09:00 09:15");
    assert_eq!(times(spread(&[], None)), "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is offered can be booked, lies within the hours, and overlaps nothing that is taken, buffers counted.
    #[test]
    fn what_is_offered_can_be_booked_and_overlaps_nothing(
        zone in prop::sample::select(vec!["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Vancouver"]),
        day in 0i32..730,
        (opens, lasts) in (0i8..22, 1i8..12),
        (duration, before, after, interval) in (5u32..180, 0u32..60, 0u32..60, 5u32..=60),
        taken in prop::collection::vec((0i64..2_880, 5i64..200), 0..6),
    ) {
        let mut service = service(&[&["r1"]]);
        service.terms = Terms {
            duration_mins: duration, buffer_before_mins: before, buffer_after_mins: after,
            start_interval_mins: interval, horizon_days: 730, ..service.terms
        };
        let closes = opens.saturating_add(lasts).min(23);
        let resources = [works_daily("r1", zone, &format!("{opens:02}:00"), &format!("{closes:02}:30"))];
        let day = jiff::civil::date(2026, 1, 2).checked_add(jiff::Span::new().days(day)).unwrap();
        let midnight = resources[0].hours.time_zone.start_of(day).unwrap();
        let plus = |mins: i64| plus_secs(midnight, (mins - 720) * 60);
        let entries = taken.iter().enumerate().map(|(place, (from, mins))| Entry {
            taken: Taken::Appointment { appointment_id: AppointmentId::parse(format!("a{place}")).unwrap(), overbooked: false },
            interval: Interval { from: plus(*from), to: plus(from + mins) },
        });
        let entries: Vec<Entry> = entries.collect();
        let day_item = |entry: &Entry| entry.interval.days().into_iter().map(|day| ResourceDay::untouched(ORG, id("r1"), day).with(entry.clone())).collect::<Vec<_>>();
        let diary = Diary { days: entries.iter().flat_map(day_item).collect() };
        let offer = offer(&service, &resources, &diary, "2026-01-01T00:00:00Z");
        for slot in offer.openings(&[day], all_day(), None) {
            prop_assert_eq!(&offer.fit(slot.interval.from, &slot.resources), &Ok(slot.clone()));
            prop_assert!(entries.iter().all(|entry| !entry.interval.overlaps(&slot.blocked)));
            let (first, last) = (slot.wall_clock().time(), resources[0].hours.time_zone.wall_clock(slot.interval.to).time());
            prop_assert!(i32::from(first.hour()) >= i32::from(opens), "it begins within the hours");
            prop_assert!(last <= jiff::civil::time(closes, 30, 0, 0), "and ends within them");
            prop_assert_eq!(slot.interval.to.duration_since(slot.interval.from), SignedDuration::from_mins(i64::from(duration)));
        }
    }
}
