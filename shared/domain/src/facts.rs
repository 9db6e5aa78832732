//! What the receptionist knows of the clinic on each call: what day it is there, where it is, when it is open, who works there, what it
//! offers and at what price, and a notice while it holds. Written anew for each call, so that none of it is ever old.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use crate::{
    answering::red_flags,
    booking::{
        catalog::{Day, Resource, Service, Span},
        intake::to_ask,
    },
    clinic::Clinic,
};

/// The most that is said, in characters: it is read by the model on every turn.
const LONGEST: usize = 6_000;
/// The most times away of one practitioner that are named.
const MOST_CLOSURES: usize = 3;
/// The most practitioners and services that are named.
const MOST_NAMED: usize = 40;

/// Returns what is true of a clinic at `now`, a line for each fact.
pub fn facts(clinic: &Clinic, services: &[Service], resources: &[Resource], now: Timestamp) -> String {
    let here = clinic.time_zone.wall_clock(now);
    let mut lines =
        vec![format!("It is {} ({}) now.", here.strftime("%A %-d %B %Y, %H:%M"), clinic.time_zone.name())];
    lines.extend(clinic.name.as_ref().map(|name| format!("The clinic is called {}.", name.as_str())));
    lines.extend(clinic.address.as_ref().map(|address| format!("It is at {address}.")));
    lines.extend(notice(clinic, here.date()));
    lines.push(format!(
        "It is an emergency when a caller speaks of {}. Use reportEmergency at once then, and book nothing.",
        red_flags(clinic).join("; ")
    ));
    lines.extend(resources.iter().take(MOST_NAMED).map(|resource| hours(resource, now)));
    lines.extend(services.iter().take(MOST_NAMED).map(offer));
    let said: String = lines.join("\n").chars().take(LONGEST).collect();
    // The vendor fills in what stands in braces.
    said.replace('{', "(").replace('}', ")")
}

/// The clinic's notice, until its last day.
fn notice(clinic: &Clinic, today: Date) -> Option<String> {
    let notice = clinic.notice.as_ref().filter(|notice| today <= notice.until)?;
    Some(format!(
        "Tell callers whom it concerns: {} (until {}).",
        notice.text,
        notice.until.strftime("%A %-d %B")
    ))
}

/// Who works when, and when they are away in the weeks to come.
fn hours(resource: &Resource, now: Timestamp) -> String {
    let hours = &resource.hours;
    let mut closures: Vec<_> = hours.closures.iter().filter(|closure| closure.to > now).collect();
    closures.sort_by_key(|closure| closure.from);
    let day = |at: Timestamp| hours.time_zone.wall_clock(at).strftime("%-d %B %Y at %H:%M").to_string();
    let away = closures.iter().take(MOST_CLOSURES);
    let away: Vec<String> =
        away.map(|closure| format!("; away from {} to {}", day(closure.from), day(closure.to))).collect();
    format!("{}: {}{}.", hours.name, week(&hours.weekly), away.concat())
}

/// An ordinary week, days with the same hours together.
fn week(weekly: &BTreeMap<Day, Vec<Span>>) -> String {
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for (day, spans) in weekly.iter().filter(|(_, spans)| !spans.is_empty()) {
        let times: Vec<String> = spans
            .iter()
            .map(|span| format!("{} to {}", span.from.strftime("%H:%M"), span.to.strftime("%H:%M")))
            .collect();
        let times = times.join(" and ");
        match groups.last_mut() {
            Some((days, same)) if *same == times => days.push(day.as_str()),
            _ => groups.push((vec![day.as_str()], times)),
        }
    }
    if groups.is_empty() {
        return "by arrangement".to_owned();
    }
    let said = groups.iter().map(|(days, times)| format!("{} {times}", days.join(", ")));
    said.collect::<Vec<_>>().join("; ")
}

fn offer(service: &Service) -> String {
    let terms = &service.terms;
    let price = terms.price_shown.as_ref().map(|price| format!(", {price}")).unwrap_or_default();
    let by = if terms.callers_may_book { "" } else { ", booked by the clinic's people only" };
    let asks =
        to_ask(&terms.intake).map(|asked| format!(" Ask before you book it: {asked}")).unwrap_or_default();
    format!("{}: {} minutes{price}{by}.{asks}", terms.name, terms.duration_mins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clinic::{ClinicName, ClinicZone, Notice},
        ids::{OrgId, ResourceId, ServiceId},
    };

    fn clinic() -> Clinic {
        Clinic {
            name: ClinicName::parse("Hill Street Dental").ok(),
            time_zone: ClinicZone::parse("America/New_York").unwrap(),
            address: Some("12 Hill Street".to_owned()),
            notice: Some(Notice {
                text: "We are closed on Friday".to_owned(),
                until: "2026-12-04".parse().unwrap(),
            }),
            red_flags: Some(vec!["chest pain".to_owned(), "a knocked-out tooth".to_owned()]),
            ..Clinic::unsaved(OrgId::new(uuid::Uuid::nil()))
        }
    }

    fn resource() -> Resource {
        let spans = serde_json::json!([{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "17:00"}]);
        let hours = serde_json::json!({"name": "Dr Rahman", "time_zone": "America/New_York",
            "weekly": {"monday": spans, "tuesday": spans, "friday": [{"from": "09:00", "to": "12:00"}]},
            "closures": [{"from": "2026-01-01T05:00:00Z", "to": "2026-01-02T05:00:00Z"},
                {"from": "2026-12-24T05:00:00Z", "to": "2027-01-02T05:00:00Z"}]});
        Resource {
            org_id: OrgId::new(uuid::Uuid::nil()),
            resource_id: ResourceId::parse("r1").unwrap(),
            version: 1,
            is_former: false,
            hours: serde_json::from_value(hours).unwrap(),
        }
    }

    fn service(name: &str) -> Service {
        let terms = serde_json::json!({"name": name, "duration_mins": 30, "needs": [["r1"]], "price_shown": "80 dollars"});
        Service {
            org_id: OrgId::new(uuid::Uuid::nil()),
            service_id: ServiceId::parse("s1").unwrap(),
            version: 1,
            is_former: false,
            terms: serde_json::from_value(terms).unwrap(),
        }
    }

    #[test]
    fn a_receptionist_knows_the_day_the_hours_and_the_prices() {
        let now = "2026-12-02T02:30:00Z".parse().unwrap();
        assert_eq!(
            facts(&clinic(), &[service("Check-up")], &[resource()], now),
            "It is Tuesday 1 December 2026, 21:30 (America/New_York) now.\n\
             The clinic is called Hill Street Dental.\n\
             It is at 12 Hill Street.\n\
             Tell callers whom it concerns: We are closed on Friday (until Friday 4 December).\n\
             It is an emergency when a caller speaks of chest pain; a knocked-out tooth. Use reportEmergency at once then, \
             and book nothing.\n\
             Dr Rahman: Monday, Tuesday 09:00 to 12:00 and 13:00 to 17:00; Friday 09:00 to 12:00; away from \
             24 December 2026 at 00:00 to 2 January 2027 at 00:00.\n\
             Check-up: 30 minutes, 80 dollars."
        );
    }

    #[test]
    fn a_notice_ends_with_its_last_day_by_the_clinics_clock() {
        let says = |now: &str| facts(&clinic(), &[], &[], now.parse().unwrap()).contains("closed on Friday");
        assert!(says("2026-12-05T04:59:59Z"), "it is still Friday in New York");
        assert!(!says("2026-12-05T05:00:00Z"));
    }

    #[test]
    fn what_a_clinic_writes_is_filled_in_by_nobody_and_has_an_end() {
        let now = "2026-12-02T02:30:00Z".parse().unwrap();
        let said = facts(&clinic(), &[service("{{customer.number}}")], &[], now);
        assert!(!said.contains(['{', '}']), "{said}");
        let many: Vec<Service> = (0..200).map(|_| service(&"x".repeat(80))).collect();
        assert!(facts(&clinic(), &many, &[], now).chars().count() <= LONGEST);
    }
}
