//! A month of the demo clinic's life, for a console that has something to show: played on a clock that is turned, by the same people
//! as the demo, through the same routes and sandboxes as everything else. Nothing in it is written into a table from outside.

use base::entropy::Entropy;
use domain::clinic::ClinicZone;
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Weekday},
};
use sandbox::vapi::Turn;
use serde_json::{Value, json};

use crate::{
    clock::TestClock,
    demo_clinic::{self, SeedError},
    people::{NotDone, People, books, books_with_mail, finds, turn},
    stack::Stack,
};

/// How many days are played.
const DAYS: i64 = 31;
/// What the owner pays in at a time, and below what.
const TOP_UP_PENCE: u32 = 5_000;
const LEAST_PENCE: i64 = 1_500;
/// When the clinic is rung: from eight until seven in the evening.
const OPENS_SECS: i64 = 8 * 3_600;
const RUNG_FOR_SECS: u64 = 11 * 3_600;
/// How long after a call its report and its letters are there.
const AFTERWARDS: SignedDuration = SignedDuration::from_secs(20);
const LETTERS_AFTER: SignedDuration = SignedDuration::from_mins(4);
/// How long a purchased number takes.
const BOUGHT_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Of how long the clinic has not read its notifications.
const UNREAD: SignedDuration = SignedDuration::from_hours(30);
/// How long before the end of the month the last patient rings.
const QUIET: SignedDuration = SignedDuration::from_mins(20);

/// Whom the clinic knows, or soon will.
const PATIENTS: [&str; 24] = [
    "Ada Lovelace",
    "Grace Hopper",
    "Joan Clarke",
    "Alan Turing",
    "Mary Somerville",
    "Charles Babbage",
    "Rosalind Franklin",
    "Dorothy Hodgkin",
    "Michael Faraday",
    "Caroline Herschel",
    "George Boole",
    "Hertha Ayrton",
    "James Maxwell",
    "Beatrice Tinsley",
    "Kathleen Lonsdale",
    "Robert Hooke",
    "Elsie Widdowson",
    "Tommy Flowers",
    "Anne McLaren",
    "Arthur Eddington",
    "Mary Anning",
    "John Snow",
    "Elizabeth Garrett",
    "Edward Jenner",
];
/// What they ask for, and when they would like to come.
const SERVICES: [&str; 3] = ["check-up", "check-up", "hygienist visit"];
const WISHES: [&str; 8] = [
    "as soon as possible",
    "tomorrow morning",
    "tomorrow afternoon",
    "next Tuesday afternoon",
    "next Thursday morning",
    "in a fortnight",
    "a week on Monday",
    "next Friday",
];

/// Why the month could not be played.
#[derive(Debug, thiserror::Error)]
pub enum MonthError {
    /// The demo clinic could not be set up.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// Somebody in it was refused what was to be done.
    #[error(transparent)]
    NotDone(#[from] NotDone),
}

/// When the month begins that ends at `until`.
pub fn beginning(until: Timestamp) -> Timestamp {
    until.saturating_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(until)
}

/// Plays the month that ends at `until` on a stack that is [`beginning`] there by `clock`, whose schedules do not run. The same for
/// the same `seed`, as far as the stack's ids and keys are the same.
///
/// # Errors
/// When the clinic cannot be set up, or something of the month is refused.
pub async fn play(stack: &Stack, clock: &TestClock, seed: u64, until: Timestamp) -> Result<(), MonthError> {
    Box::pin(demo_clinic::seed(stack)).await?;
    let people = People::of(stack, demo_clinic::ORG);
    let month = Month { stack, clock, people, chance: Entropy::seeded(seed), zone: ClinicZone::default() };
    month.begin().await?;
    let mut booked = Vec::new();
    let (before, lately): (Vec<_>, Vec<_>) =
        month.calls(until).into_iter().partition(|(at, _)| until.duration_since(*at) > UNREAD);
    for (at, nth) in before {
        Box::pin(month.rung(at, nth, &mut booked)).await?;
    }
    people.have("POST", "/api/notifications/mark-all-read", &Value::Null).await?;
    for (at, nth) in lately {
        Box::pin(month.rung(at, nth, &mut booked)).await?;
    }
    month.pass_until(until.saturating_sub(QUIET).unwrap_or(until)).await;
    month.somebody_is_in_pain()?;
    month.pass_until(until).await;
    for schedule in stack.template.schedules.clone() {
        Box::pin(stack.run_scheduled(schedule)).await;
    }
    stack.settle_down().await;
    Ok(())
}

struct Month<'a> {
    stack: &'a Stack,
    clock: &'a TestClock,
    people: People<'a>,
    chance: Entropy,
    zone: ClinicZone,
}

impl Month<'_> {
    /// A place in a list of `len`.
    fn below(&self, len: usize) -> usize {
        let most = u64::try_from(len.saturating_sub(1)).unwrap_or_default();
        usize::try_from(self.chance.up_to(most)).unwrap_or_default()
    }

    fn pick<'b>(&self, of: &[&'b str]) -> &'b str {
        of.get(self.below(of.len())).copied().unwrap_or_default()
    }

    fn secs(&self, least: u32, most: u32) -> u32 {
        let more = self.chance.up_to(u64::from(most.saturating_sub(least)));
        least.saturating_add(u32::try_from(more).unwrap_or_default())
    }

    async fn pass_until(&self, end: Timestamp) {
        Box::pin(self.stack.run_until(self.clock, end)).await;
    }

    async fn pass(&self, time: SignedDuration) {
        let end = self.stack.clock.now().saturating_add(time).unwrap_or(Timestamp::MAX);
        self.pass_until(end).await;
    }

    /// The owner pays in, and buys a number for the agent to ring patients from.
    async fn begin(&self) -> Result<(), NotDone> {
        self.people.pay(TOP_UP_PENCE).await?;
        self.pass(AFTERWARDS).await;
        let wanted = json!({"country": "US", "numberType": "local", "direction": "outbound"});
        self.people.have("POST", "/api/managed-telephony/provision", &wanted).await?;
        self.pass(BOUGHT_AFTER).await;
        Ok(())
    }

    /// When patients ring, and who of them: on weekdays.
    fn calls(&self, until: Timestamp) -> Vec<(Timestamp, usize)> {
        let first = self.zone.day_of(self.stack.clock.now());
        let last = until.saturating_sub(QUIET).unwrap_or(until);
        let mut calls = Vec::new();
        for days in 1..=DAYS {
            let Ok(date) = first.checked_add(days.days()) else { continue };
            for _ in 0..self.calls_on(date) {
                let secs = OPENS_SECS.saturating_add_unsigned(self.chance.up_to(RUNG_FOR_SECS));
                let nth = self.below(PATIENTS.len());
                if let Some(midnight) = self.zone.start_of(date) {
                    calls.push((midnight.saturating_add(secs.seconds()).unwrap_or(midnight), nth));
                }
            }
        }
        calls.retain(|(at, _)| *at < last);
        calls.sort();
        calls
    }

    fn calls_on(&self, date: Date) -> u64 {
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        if is_weekend { 0 } else { self.chance.up_to(2).saturating_add(1) }
    }

    /// One call: its patient books, moves or cancels, asks, leaves a message, or just talks. Sometimes the agent rings instead.
    async fn rung(&self, at: Timestamp, nth: usize, booked: &mut Vec<usize>) -> Result<(), NotDone> {
        self.pass_until(at).await;
        let (name, phone) = patient(nth);
        let talk_secs = self.secs(35, 170);
        let is_booked = booked.contains(&nth);
        let says = match (self.chance.up_to(99), is_booked) {
            (0..=49, false) | (35..=49, true) => {
                booked.push(nth);
                self.booking(name)
            }
            (0..=14, true) => {
                booked.retain(|other| *other != nth);
                vec![finds(name), turn("I cannot come.", "cancelAppointment", json!({"which": "A"}))]
            }
            (15..=34, true) => self.moving(name),
            (50..=59, _) => vec![self.asking()],
            (60..=69, _) => vec![self.message(name, &phone)],
            (70..=77, _) => return self.ring_out(&phone, talk_secs).await,
            _ => Vec::new(),
        };
        let has_letters = !says.is_empty();
        self.people.ring(demo_clinic::NUMBER, &phone, talk_secs, says)?;
        self.pass(SignedDuration::from_secs(talk_secs.into()).saturating_add(AFTERWARDS)).await;
        if has_letters {
            self.letters_go_out().await;
        }
        self.keep_paid().await
    }

    /// The letters that are due by now go out, as the schedule of every minute would send them.
    async fn letters_go_out(&self) {
        self.pass(LETTERS_AFTER).await;
        let reminders =
            self.stack.template.schedules.iter().find(|schedule| schedule.function == "reminders");
        if let Some(schedule) = reminders {
            Box::pin(self.stack.run_scheduled(schedule.clone())).await;
        }
        self.stack.settle_down().await;
    }

    async fn keep_paid(&self) -> Result<(), NotDone> {
        let wallet = self.people.get("/api/billing/wallet").await?;
        if wallet["available_pence"].as_i64().is_some_and(|pence| pence < LEAST_PENCE) {
            self.people.pay(TOP_UP_PENCE).await?;
            self.pass(AFTERWARDS).await;
        }
        Ok(())
    }

    async fn ring_out(&self, phone: &str, talk_secs: u32) -> Result<(), NotDone> {
        self.stack.vapi.set_outbound_talk_secs(talk_secs);
        self.people.have("POST", "/api/calls", &json!({ "phoneNumber": phone })).await?;
        self.pass(SignedDuration::from_secs(talk_secs.into()).saturating_add(AFTERWARDS)).await;
        self.keep_paid().await
    }

    /// What is left to be looked at: a caller whom the receptionist sent to the emergency service.
    fn somebody_is_in_pain(&self) -> Result<(), NotDone> {
        let (_, phone) = patient(1);
        let pain = turn("My chest hurts.", "reportEmergency", json!({"what": "The caller's chest hurts."}));
        self.people.ring(demo_clinic::NUMBER, &phone, 40, vec![pain])?;
        Ok(())
    }

    fn asking(&self) -> Turn {
        let (service, when) = (self.pick(&SERVICES), self.pick(&WISHES));
        let arguments = json!({"service": service, "when": when});
        turn(&format!("A {service}, {when}?"), "checkAvailability", arguments)
    }

    fn booking(&self, name: &str) -> Vec<Turn> {
        let option = self.pick(&["A", "A", "B"]);
        let books = if self.chance.up_to(1) == 0 {
            books(option, name)
        } else {
            let address = name.to_lowercase().replace(' ', ".");
            books_with_mail(option, name, &format!("{address}@example.com"))
        };
        vec![self.asking(), books]
    }

    fn moving(&self, name: &str) -> Vec<Turn> {
        let when = self.pick(&WISHES);
        let asks = turn(
            &format!("Can I come {when} instead?"),
            "checkAvailability",
            json!({"which": "A", "when": when}),
        );
        let moves = turn("The first one.", "rescheduleAppointment", json!({"which": "A", "option": "A"}));
        vec![finds(name), asks, moves]
    }

    fn message(&self, name: &str, phone: &str) -> Turn {
        let about = self.pick(&["an invoice", "a prescription", "a lost scarf", "the parking"]);
        let text = format!("{name} asks to be rung back about {about}, at {phone}.");
        turn(&format!("Could somebody ring me about {about}?"), "takeMessage", json!({ "text": text }))
    }
}

/// A patient's name and number. The numbers are of the range that Ofcom keeps for fiction.
fn patient(nth: usize) -> (&'static str, String) {
    let name = PATIENTS.get(nth).copied().unwrap_or("Ada Lovelace");
    (name, format!("+447700900{:03}", nth.saturating_add(100)))
}
