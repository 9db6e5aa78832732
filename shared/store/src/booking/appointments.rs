//! Appointments, by id and by when they begin.

use domain::{
    booking::appointment::Appointment,
    ids::{AppointmentId, OrgId},
    phone_number::PhoneNumber,
    time::rfc3339_millis,
};
use jiff::Timestamp;

use super::{Bookings, SORT};
use crate::{
    dynamo::Read,
    error::StoreError,
    item::{Item, decode, text},
    table::Table,
};

/// The index of appointments by when they begin.
const BY_START: &str = "by_start";

/// The index of appointments by the patient's number.
const BY_NUMBER: &str = "by_number";
/// How many digits the first group of a UUID has.
const FIRST_GROUP: usize = 8;

/// Which appointments are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    /// Those that begin then or later,
    pub from: Timestamp,
    /// and before then.
    pub to: Timestamp,
    /// At most so many.
    pub limit: i32,
}

/// A page of appointments.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The appointments, in the order of their beginning.
    pub appointments: Vec<Appointment>,
    /// Where the next page begins, if there is one: the start and the id of the last of this one.
    pub next: Option<(Timestamp, AppointmentId)>,
}

impl Bookings {
    /// The appointment of this id, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn appointment(
        &self,
        org: OrgId,
        id: &AppointmentId,
    ) -> Result<Option<Appointment>, StoreError> {
        self.get(org, id.as_str()).await
    }

    /// An org's appointments of patients with this number, of whatever status and time, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn of_number(&self, org: OrgId, number: &PhoneNumber) -> Result<Vec<Appointment>, StoreError> {
        let values = [(":org", text(org.to_string())), (":number", text(number.as_str()))];
        let read = Read {
            index: Some(BY_NUMBER),
            condition: Some("org_id = :org AND phone_number = :number"),
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::Appointments, read);
        let mut appointments = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                appointments.push(decode(Table::Appointments, item)?);
            }
        }
        Ok(appointments)
    }

    /// A page of an org's appointments by when they begin, consistently, after the one that `after` names.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn between(
        &self,
        org: OrgId,
        asked: Between,
        after: Option<&(Timestamp, AppointmentId)>,
    ) -> Result<Listed, StoreError> {
        let values = [
            (":org", text(org.to_string())),
            (":from", text(rfc3339_millis(asked.from))),
            (":to", text(rfc3339_millis(asked.to))),
        ];
        let read = Read {
            index: Some(BY_START),
            // BETWEEN takes both ends in: what begins at `to` itself is left out below.
            condition: Some("org_id = :org AND #from BETWEEN :from AND :to"),
            names: &[("#from", "from")],
            values: &values,
            limit: Some(asked.limit),
            ..Read::default()
        };
        let start = after.map(|(from, id)| {
            let key =
                [("org_id", org.to_string()), ("item", id.to_string()), ("from", rfc3339_millis(*from))];
            key.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Item>()
        });
        let mut pages = self.db.of_org(org).pages(Table::Appointments, read).from(start);
        let Some(page) = pages.next().await? else { return Ok(Listed::default()) };
        let has_more = page.next.is_some();
        let appointments: Vec<Appointment> =
            page.items.into_iter().map(|item| decode(Table::Appointments, item)).collect::<Result<_, _>>()?;
        let appointments: Vec<Appointment> =
            appointments.into_iter().filter(|appointment| appointment.interval.from < asked.to).collect();
        let last = appointments.last().map(|last| (last.interval.from, last.appointment_id.clone()));
        Ok(Listed { appointments, next: last.filter(|_| has_more) })
    }

    /// A page of an org's appointments that were made from `from` until before `to`, the newest first, consistently, after the one
    /// that `after` names: at most `most`, and whether more follow. An appointment's id begins with the millisecond at which it was
    /// made, so that they are a range of the table's own key.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn made(
        &self,
        org: OrgId,
        (from, to): (Timestamp, Timestamp),
        after: Option<&AppointmentId>,
        most: i32,
    ) -> Result<(Vec<Appointment>, bool), StoreError> {
        let values =
            [(":org", text(org.to_string())), (":from", text(ids_since(from))), (":to", text(ids_since(to)))];
        let read = Read {
            // What was made at `to` itself has an id that begins with the upper end, and sorts after it.
            condition: Some("org_id = :org AND #item BETWEEN :from AND :to"),
            names: &[("#item", SORT)],
            values: &values,
            backwards: true,
            limit: Some(most),
            ..Read::default()
        };
        let start = after.map(|id| {
            let key = [("org_id", org.to_string()), (SORT, id.to_string())];
            key.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Item>()
        });
        let mut pages = self.db.of_org(org).pages(Table::Appointments, read).from(start);
        let Some(page) = pages.next().await? else { return Ok((Vec::new(), false)) };
        let has_more = page.next.is_some();
        let made = page.items.into_iter().map(|item| decode(Table::Appointments, item));
        Ok((made.collect::<Result<_, _>>()?, has_more))
    }
}

/// How the least id begins that is made at `at`: 48 bits of milliseconds, as a UUID of version 7 is written (RFC 9562, 5.7).
fn ids_since(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
    let digits = format!("{millis:012x}");
    let (first, second) = digits.split_at(FIRST_GROUP);
    format!("{first}-{second}")
}
