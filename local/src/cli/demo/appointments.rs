//! The third part of the story: appointments.

use std::time::Duration;

use local::{
    demo_clinic,
    people::{books, books_with_mail, finds, turn},
};
use sandbox::{
    google::Hand,
    vapi::{Call, Turn},
};
use serde_json::{Value, json};

use super::Story;

const ADA: &str = "+447700900111";
const GRACE: &str = "+447700900222";
const JOAN: &str = "+447700900333";
const ADAS_MAIL: &str = "ada@example.com";
/// How often it is looked for a letter, every 50 ms.
const MOST_LOOKS: u32 = 1_200;
/// How long each caller means to talk.
const TALKS_SECS: u32 = 60;

fn asks(when: &str) -> Turn {
    turn(
        &format!("A check-up with Dr Rahman, {when}?"),
        "checkAvailability",
        json!({"service": "check-up", "practitioner": "Dr Rahman", "when": when}),
    )
}

impl Story {
    /// A patient books and repeats herself; two want one time; the clinic moves an appointment, and the patient moves it back; an
    /// emergency is not booked.
    pub(super) async fn tell_of_appointments(&self, number: &str) -> Result<(), String> {
        self.say("\nThe first clinic again. Ada rings and books; the model says it twice.");
        let twice = Turn { repeats: 1, ..books_with_mail("A", "Ada Lovelace", ADAS_MAIL) };
        let ada = self.talk(number, ADA, vec![asks("next Tuesday at nine"), twice])?;
        let heard = self.heard(&ada).await?;
        self.quote("Ada", &heard);
        let made = self.diary().await?;
        self.expect(made.len() == 1, "One appointment is in the diary.", &made)?;
        self.say("Grace and Joan ring at once, and both want Dr Rahman next Wednesday at nine.");
        let script = |name: &str| {
            let again = turn(
                "Then another time?",
                "checkAvailability",
                json!({"service": "check-up", "practitioner": "Dr Rahman", "when": "next Wednesday at ten"}),
            );
            vec![asks("next Wednesday at nine"), books("A", name), again, books("D", name)]
        };
        let (grace, joan) = (
            self.talk(number, GRACE, script("Grace Hopper"))?,
            self.talk(number, JOAN, script("Joan Clarke"))?,
        );
        for (name, call) in [("Grace", &grace), ("Joan", &joan)] {
            let heard = self.heard(call).await?;
            self.quote(name, &heard);
        }
        let made = self.diary().await?;
        let starts: std::collections::BTreeSet<String> =
            made.iter().map(|one| one["scheduled_time"].to_string()).collect();
        self.expect(made.len() == 3 && starts.len() == 3, "Three appointments, at three times.", &made)?;
        let adas = made.iter().find(|one| one["contact_name"] == "Ada Lovelace").cloned().unwrap_or_default();
        self.move_by_a_day(&adas).await?;
        self.say(
            "The desk moves Ada's by a day. She rings again, is known, and moves it to the next Friday.",
        );
        let moves = vec![
            finds("Ada Lovelace"),
            turn(
                "Can I come next Friday morning instead?",
                "checkAvailability",
                json!({"which": "A", "when": "next Friday morning"}),
            ),
            turn("The first one.", "rescheduleAppointment", json!({"which": "A", "option": "B"})),
        ];
        let heard = self.heard(&self.talk(number, ADA, moves)?).await?;
        self.quote("Ada", &heard);
        let made = self.diary().await?;
        let is_moved = made.iter().any(|one| one["id"] == adas["id"] && one["revision"] == 3);
        self.expect(is_moved && made.len() == 3, "It is the same appointment, moved twice.", &made)?;
        self.tell_of_letters(&made, &adas["id"]).await?;
        self.tell_of_the_calendar(&adas).await?;
        self.tell_of_an_emergency(number).await?;
        let made = self.diary().await?;
        self.expect(made.len() == 3, "Three appointments are in the diary, as before.", &made)
    }

    /// A caller's chest hurts: she hears whom to ring, the clinic is told, and nothing is booked.
    async fn tell_of_an_emergency(&self, number: &str) -> Result<(), String> {
        let pain = turn("My chest hurts.", "reportEmergency", json!({"what": "The caller's chest hurts."}));
        let heard = self
            .heard(&self.talk(number, JOAN, vec![pain, asks("tomorrow"), books("A", "Joan Clarke")])?)
            .await?;
        self.quote("Joan", &heard);
        let bell = self.get("/api/notifications?status=unread").await?;
        let told = bell["notifications"].as_array().cloned().unwrap_or_default();
        self.expect(
            told.len() == 1 && told.iter().all(|one| one["type"] == "emergency"),
            "The clinic is told, and nothing is booked.",
            &told,
        )
    }

    /// Who gave an address has letters.
    async fn tell_of_letters(&self, made: &[Value], id: &Value) -> Result<(), String> {
        self.say("Ada gave an address when she booked. She is told of what is so, once, and of what was overtaken not at all.");
        let letters = self.letters(made, id).await?;
        for letter in &letters {
            self.say(&format!("    {}", letter.as_str().unwrap_or_default()));
        }
        let distinct: std::collections::BTreeSet<String> = letters.iter().map(Value::to_string).collect();
        self.expect(distinct.len() == letters.len(), "No letter came twice.", &letters)
    }

    /// The subjects of Ada's letters, once she has the one that tells of her appointment as it is.
    async fn letters(&self, made: &[Value], id: &Value) -> Result<Vec<Value>, String> {
        let one = made.iter().find(|one| one["id"] == *id).ok_or("Ada's appointment is not there.")?;
        let at: jiff::Timestamp =
            one["scheduled_time"].as_str().and_then(|at| at.parse().ok()).ok_or("It has no time.")?;
        let zone = domain::clinic::ClinicZone::default();
        let day = zone.wall_clock(at).strftime("%A %-d %B %Y at %H:%M").to_string();
        for _ in 0..MOST_LOOKS {
            let letters = self.stack.mail.letters().into_iter().filter(|letter| letter.to == [ADAS_MAIL]);
            let subjects: Vec<Value> = letters.map(|letter| Value::from(letter.subject)).collect();
            if subjects.iter().any(|subject| subject.as_str().is_some_and(|subject| subject.ends_with(&day)))
            {
                return Ok(subjects);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("Ada has no letter of {day}."))
    }

    /// The appointments are in the practitioner's calendar; one that is dragged there is moved here, and what else stands there is not
    /// offered.
    async fn tell_of_the_calendar(&self, adas: &Value) -> Result<(), String> {
        let (calendar, _, _) = demo_clinic::CALENDARS[0];
        let is_adas = |event: &Value| {
            event["extendedProperties"]["private"]["voxanne_appointment"] == adas["id"]
                && event["extendedProperties"]["private"]["voxanne_revision"] == "3"
        };
        let event = self
            .until(|| self.stack.google.events(calendar).into_iter().find(|event| is_adas(event)))
            .await?;
        self.say("Ada's is in Dr Rahman's calendar, under a reference alone. Dr Rahman drags it by an hour.");
        let later = |name: &str| {
            let at: Option<jiff::Timestamp> = event[name]["dateTime"].as_str().and_then(|at| at.parse().ok());
            at.and_then(|at| at.saturating_add(jiff::SignedDuration::from_hours(1)).ok())
                .ok_or("The event has no time.")
        };
        let (start, end) = (later("start")?, later("end")?);
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        self.stack.google.act(&Hand::Move { calendar: calendar.to_owned(), id, start, end })?;
        let moved = loop {
            let made = self.diary().await?;
            let adas = made.into_iter().find(|one| one["id"] == adas["id"]).unwrap_or_default();
            if adas["revision"] == 4 {
                break adas;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let at: Option<jiff::Timestamp> = moved["scheduled_time"].as_str().and_then(|at| at.parse().ok());
        self.expect(at == Some(start), "The diary has it an hour later, and nobody was asked.", &[moved])
    }

    /// Waits until something is there.
    async fn until<T>(&self, look: impl Fn() -> Option<T>) -> Result<T, String> {
        loop {
            if let Some(there) = look() {
                return Ok(there);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn talk(&self, number: &str, from: &str, says: Vec<Turn>) -> Result<String, String> {
        Ok(self.people().ring(number, from, TALKS_SECS, says)?)
    }

    /// What the tools answered on a call, when it is over.
    async fn heard(&self, call: &str) -> Result<Vec<String>, String> {
        loop {
            let there: Option<Call> = self.stack.vapi.call(call);
            let there = there.ok_or_else(|| format!("The call {call} is not there."))?;
            if there.status == "ended" {
                return Ok(there.heard.into_iter().skip(1).collect());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What was said, and what the tools answered, each to the end of its second sentence: what follows is for the model.
    fn quote(&self, who: &str, heard: &[String]) {
        for line in heard {
            if let Some(said) = line.strip_prefix("(caller) ") {
                self.say(&format!("  {who}: \u{201c}{said}\u{201d}"));
            } else {
                let shown: Vec<&str> = line.split_inclusive(". ").take(2).map(str::trim).collect();
                self.say(&format!("    {}", shown.join(" ")));
            }
        }
    }

    async fn diary(&self) -> Result<Vec<Value>, String> {
        let listed = self.get("/api/appointments").await?;
        Ok(listed["appointments"].as_array().cloned().unwrap_or_default())
    }

    async fn move_by_a_day(&self, one: &Value) -> Result<(), String> {
        let at: jiff::Timestamp = one["scheduled_time"]
            .as_str()
            .and_then(|at| at.parse().ok())
            .ok_or_else(|| format!("The appointment has no time: {one}"))?;
        let to =
            at.saturating_add(jiff::SignedDuration::from_hours(24)).map_err(|error| error.to_string())?;
        let path = format!("/api/appointments/{}", one["id"].as_str().unwrap_or_default());
        let change = json!({"revision": one["revision"], "scheduled_at": to.to_string(),
            "overbook": "The desk has agreed it with the patient."});
        let (status, answer) = self.send("PATCH", &path, &change).await?;
        if status == 200 { Ok(()) } else { Err(format!("The move was answered with {status}: {answer}")) }
    }

    /// Says what holds, or that it does not.
    fn expect(&self, holds: bool, what: &str, found: &[Value]) -> Result<(), String> {
        if holds {
            self.say(&format!("  {what}"));
            return Ok(());
        }
        Err(format!("\u{201c}{what}\u{201d} does not hold: {}", Value::from(found.to_vec())))
    }
}
