//! The routes, a file for each kind of thing.

pub mod appointment;
pub mod former;
pub mod list;
pub mod resources;
pub mod services;
pub mod slots;

use domain::clinic::ClinicZone;
use jiff::{Timestamp, civil::Date};
use web::{problem::Problem, request::invalid};

/// An instant, or a day of the clinic's, which stands for the instant that `of_day` says.
fn instant(
    name: &str,
    text: &str,
    zone: &ClinicZone,
    of_day: fn(&ClinicZone, Date) -> Option<Timestamp>,
) -> Result<Timestamp, Problem> {
    let day = || text.parse::<Date>().ok().and_then(|day| of_day(zone, day));
    let read = text.parse::<Timestamp>().ok().or_else(day).filter(is_near);
    read.ok_or_else(|| {
        invalid(format!(
            "{name} is a day (2026-01-31) or an instant (2026-01-31T09:00:00Z), between 1970 and 2199."
        ))
    })
}

/// Whether an instant lies within the centuries in which no sum leaves what an instant can be.
fn is_near(at: &Timestamp) -> bool {
    (0..=7_258_118_400).contains(&at.as_second())
}

/// A whole number of 1 to `most`, or `default` where none is given.
fn count(name: &str, text: Option<&str>, default: u16, most: u16) -> Result<u16, Problem> {
    let Some(text) = text else { return Ok(default) };
    let read = text.parse().ok().filter(|count| (1..=most).contains(count));
    read.ok_or_else(|| invalid(format!("{name} is a whole number of 1 to {most}.")))
}
