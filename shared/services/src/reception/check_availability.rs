//! `checkAvailability`: two or three times, each under a letter of its own.

use domain::{
    booking::{
        appointment::Appointment,
        availability::{Booker, Slot, Unfit, spread},
        catalog::{Service, named},
        spoken,
        when::{Unclear, Window, window},
    },
    ids::ResourceId,
};
use jiff::{
    ToSpan as _,
    civil::{Date, DateTime},
};
use store::{Attempt, StoreError, booking::Catalog};

use super::{Arguments, Line, Reception, question, reschedule::FIND_FIRST, said};
use crate::appointments::Search;

/// How many days after those that were asked for are looked at when nothing is free on them.
const LOOK_FURTHER_DAYS: i64 = 14;

/// What times are asked for.
struct Wish<'a> {
    service: &'a Service,
    practitioner: Option<&'a ResourceId>,
    window: Window,
    /// The appointment that is to be moved, if one is.
    moving: Option<Appointment>,
}

impl Reception {
    pub(super) async fn check_availability(
        &self,
        line: &Line,
        arguments: Arguments<'_>,
    ) -> Result<String, StoreError> {
        let (catalog, now, is_month_first) = self.clinic(line.org_id).await?;
        let moving = match self.moving(line, arguments).await? {
            Ok(moving) => moving,
            Err(question) => return Ok(question),
        };
        let wish = match wish(&catalog, arguments, moving, (now, is_month_first)) {
            Ok(wish) => wish,
            Err(question) => return Ok(question),
        };
        let mut openings = self.openings(&catalog, &wish, &wish.window).await?;
        let is_elsewhere = openings.is_empty();
        if is_elsewhere {
            openings = self.openings(&catalog, &wish, &after(&wish.window)).await?;
        }
        let offered = spread(&openings, wish.window.near);
        if offered.is_empty() {
            return Ok("NO TIMES. Nothing is free then, nor in the two weeks after. Ask for another time, or offer to take a message.".to_owned());
        }
        let Some(letters) = self.offer(line, wish.service, &offered).await? else {
            return Ok(
                "NO TIMES. Too many times were offered on this call. Offer to take a message.".to_owned()
            );
        };
        let options: Vec<String> = offered
            .iter()
            .zip(letters)
            .map(|(slot, letter)| format!("{letter}: {}.", said(slot, &catalog, now)))
            .collect();
        let begin = if is_elsewhere { "NOTHING FREE THEN. The next times are" } else { "FREE" };
        // What an appointment is for, somebody else may hear who knows a name and shows a number.
        let (of, next) = match &wish.moving {
            Some(_) => (String::new(), "rescheduleAppointment with its letter as option"),
            None => (format!(" for {}", wish.service.terms.name), "bookClinicAppointment with its letter"),
        };
        Ok(format!(
            "{begin}{of}. {} Say the times in words, without the letters. For the one that is chosen use {next}.",
            options.join(" ")
        ))
    }

    /// The appointment that is to be moved, if one is; or what to do first, where none that stands ahead was found under what is
    /// given: else a move would become a second appointment.
    async fn moving(
        &self,
        line: &Line,
        arguments: Arguments<'_>,
    ) -> Result<Result<Option<Appointment>, String>, StoreError> {
        if arguments.text("which").is_none() {
            return Ok(Ok(None));
        }
        let conversation = self.bookings().conversation(line.org_id, &line.call_id).await?;
        let found = arguments.letter("which").and_then(|which| conversation.found(&which).cloned());
        let there = match found {
            Some(found) => self.bookings().appointment(line.org_id, &found.appointment_id).await?,
            None => None,
        };
        let ahead = there.filter(|appointment| appointment.is_ahead(self.clock.now()));
        Ok(ahead.map(Some).ok_or_else(|| format!("NO TIMES. {FIND_FIRST}")))
    }

    /// What can be booked in a window, or moved to; where the appointment is already is no move.
    async fn openings(
        &self,
        catalog: &Catalog,
        wish: &Wish<'_>,
        window: &Window,
    ) -> Result<Vec<Slot>, StoreError> {
        let search = Search {
            service: wish.service,
            days: &window.days,
            between: (window.from, window.to),
            only: wish.practitioner,
            booker: Booker::Caller,
            moving: wish.moving.as_ref().map(|appointment| &appointment.appointment_id),
        };
        let mut openings = self.appointments.openings(catalog, &search).await?;
        if let Some(moving) = &wish.moving {
            openings.retain(|slot| !moving.is_at(slot.interval.from, &slot.resources));
        }
        Ok(openings)
    }

    /// Notes on the call what is offered, and returns its letters; none when the call has used them all.
    async fn offer(
        &self,
        line: &Line,
        service: &Service,
        slots: &[Slot],
    ) -> Result<Option<Vec<String>>, StoreError> {
        let note = || async {
            let there = self.bookings().conversation(line.org_id, &line.call_id).await?;
            let Some((after, letters)) = there.offered(&service.service_id, slots) else {
                return Ok(Attempt::Done(None));
            };
            let letters = letters.iter().map(|letter| letter.as_str().to_owned()).collect();
            if after == there {
                return Ok(Attempt::Done(Some(letters)));
            }
            Ok(Attempt::of(self.bookings().save_conversation(&after).await)?.map(|()| Some(letters)))
        };
        self.db.until_written("what was offered on the call", note).await
    }
}

/// What is asked for, or what to ask.
fn wish<'a>(
    catalog: &'a Catalog,
    arguments: Arguments<'_>,
    moving: Option<Appointment>,
    (now, is_month_first): (DateTime, bool),
) -> Result<Wish<'a>, String> {
    let service = match &moving {
        Some(appointment) => catalog
            .service_of(&appointment.service_id)
            .ok_or_else(|| format!("NO TIMES. {}", question(Unfit::NotItsResources)))?,
        None => service(catalog, arguments.text("service").unwrap_or_default())?,
    };
    let practitioner = practitioner(catalog, service, arguments.text("practitioner"))?;
    let words = arguments.text("when").unwrap_or_default();
    let window = window(words, arguments.text("part_of_day"), now, is_month_first)
        .map_err(|unclear| asked(unclear, now.date()))?;
    Ok(Wish { service, practitioner, window, moving })
}

/// The days that follow a window, at the same times of the day.
fn after(window: &Window) -> Window {
    let last = window.days.last().copied().unwrap_or_default();
    let days = last.series(1.day()).skip(1).take(usize::try_from(LOOK_FURTHER_DAYS).unwrap_or_default());
    Window { days: days.collect(), ..window.clone() }
}

/// The service that is meant, or what to ask.
fn service<'a>(catalog: &'a Catalog, said: &str) -> Result<&'a Service, String> {
    let open: Vec<&Service> =
        catalog.services.iter().filter(|service| service.terms.callers_may_book).collect();
    match open[..] {
        [] => {
            Err("NOT BOOKED. The clinic takes no bookings by telephone. Offer to take a message.".to_owned())
        }
        [only] => Ok(only),
        [..] => named(&open, |service| &service.terms.name, said).copied().ok_or_else(|| {
            let names: Vec<&str> = open.iter().take(12).map(|service| service.terms.name.as_str()).collect();
            format!(
                "NOT BOOKED. It is not clear which service is meant. Ask which of these: {}.",
                names.join(", ")
            )
        }),
    }
}

/// The practitioner who is meant, if one is, or what to ask.
fn practitioner<'a>(
    catalog: &'a Catalog,
    service: &Service,
    said: Option<&str>,
) -> Result<Option<&'a ResourceId>, String> {
    let Some(said) = said else { return Ok(None) };
    let resources: Vec<_> = catalog
        .resources
        .iter()
        .filter(|resource| service.terms.resources().contains(&&resource.resource_id))
        .collect();
    let is_anyone = ["any", "anyone", "anybody", "either", "whoever", "no preference"]
        .iter()
        .any(|word| said.to_lowercase().contains(word));
    if is_anyone {
        return Ok(None);
    }
    if let Some(resource) = named(&resources, |resource| &resource.hours.name, said) {
        return Ok(Some(&resource.resource_id));
    }
    let names: Vec<&str> = resources.iter().map(|resource| resource.hours.name.as_str()).collect();
    Err(format!(
        "NOT BOOKED. Nobody of that name can give it. Ask whether one of these is right: {}.",
        names.join(", ")
    ))
}

/// What unclear words lead to.
fn asked(unclear: Unclear, today: Date) -> String {
    match unclear {
        Unclear::Nothing => {
            "NOT BOOKED. Ask on which day, and at which time of the day, the caller would like to come."
                .to_owned()
        }
        Unclear::Beyond => {
            "NOT BOOKED. Which days that means is not clear. Ask for one day, or for a week, and check again."
                .to_owned()
        }
        Unclear::NoSuchDay => "NOT BOOKED. There is no such day. Ask which day is meant.".to_owned(),
        Unclear::Past => "NOT BOOKED. That time is past. Ask which day is meant.".to_owned(),
        Unclear::Disagree { weekday, date } => format!(
            "NOT BOOKED. The day of the week and the date are not the same day. Ask which is meant: {}, or {}.",
            spoken::day(weekday, today),
            spoken::day(date, today)
        ),
    }
}
