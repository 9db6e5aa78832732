//! `bookClinicAppointment`: without a name it holds the time, with one it books it.
//!
//! What tells one booking from another is the call and the letter: a model that repeats itself, or a vendor that delivers twice,
//! gets the first answer again.

use domain::{
    booking::{
        appointment::{Appointment, MadeBy, Patient, PatientName, Status},
        availability::{Booker, Offer, Slot, Unfit, intervals},
        catalog::{Resource, Service},
        conversation::{Choice, Conversation, Letter, MOST_BOOKINGS},
        diary::{Diary, Owner, Taken},
        intake::{answered, to_ask},
    },
    email::EmailAddress,
    ids::CallId,
    message::{Cause, Due, Kind},
};
use jiff::civil::DateTime;
use store::{
    Attempt, ChangeError, StoreError,
    booking::{Booking, Catalog, Intent},
};

use super::{Arguments, Line, Reception, TRIES, fingerprint, patient_name, question, said, said_of};
use crate::appointments::{Person, days_of};

/// How many appointments may stand ahead that callers booked from one number.
const MOST_AHEAD: usize = 4;

/// What the model asks for, as far as it can be read.
struct Wish {
    letter: Letter,
    name: Option<PatientName>,
    email: Option<EmailAddress>,
    may_text: Option<bool>,
    /// What the model says that was answered to the service's questions.
    answers: String,
    is_another: bool,
    /// What tells this use of the tool from every other.
    tool_call: String,
}

/// Everything that one try of a booking rests on.
struct Read {
    catalog: Catalog,
    conversation: Conversation,
    intent: Option<Intent>,
    now: DateTime,
}

impl Read {
    /// The resources of a slot, as they were read.
    fn resources(&self, slot: &Slot) -> Vec<&Resource> {
        slot.resources.iter().filter_map(|id| self.catalog.resource(id)).collect()
    }
}

impl Reception {
    pub(super) async fn book(&self, line: &Line, arguments: Arguments<'_>) -> Result<String, StoreError> {
        let Some(letter) = arguments.letter("option") else {
            return Ok(
                "NOT BOOKED. No option was chosen. Use checkAvailability, and choose one of its letters."
                    .to_owned(),
            );
        };
        let name = match patient_name(arguments) {
            None => None,
            Some(Ok(name)) => Some(name),
            Some(Err(_)) => {
                return Ok(
                    "NOT BOOKED. That is no name. Ask for the patient's first and last name.".to_owned()
                );
            }
        };
        let Ok(email) = arguments.text("email").map(EmailAddress::parse).transpose() else {
            return Ok(
                "NOT BOOKED. That is no e-mail address. Ask for it letter by letter, or book without one."
                    .to_owned(),
            );
        };
        let tool_call = arguments.tool_call();
        let (may_text, is_another) = (arguments.yes_or_no("may_text"), arguments.is("another"));
        let answers = arguments.text("answers").unwrap_or_default().to_owned();
        let wish = Wish { letter, name, email, may_text, answers, is_another, tool_call };
        let answer = self.db.a_few_times(TRIES, || self.try_to_book(line, &wish)).await?;
        Ok(answer.unwrap_or_else(|| {
            "NOT BOOKED. Others are booking at this very moment, and the time may still be free. Do the same once more.".to_owned()
        }))
    }

    /// Reads, decides and writes once.
    async fn try_to_book(&self, line: &Line, wish: &Wish) -> Result<Attempt<String>, StoreError> {
        let read = self.read(line, wish).await?;
        if let Some(answer) = self.booked_before(line, wish, &read).await? {
            return Ok(Attempt::Done(answer));
        }
        let Some(choice) = read.conversation.option(&wish.letter) else {
            return Ok(done(
                "NOT BOOKED. That option was never offered on this call. Use checkAvailability first.",
            ));
        };
        let Some(service) = read.catalog.service(&choice.service_id) else {
            return Ok(not_booked(Unfit::NotItsResources));
        };
        let (refusal, diary, patient) = futures::try_join!(
            self.refused(line, wish, &read),
            self.days(line, service, choice, &read.conversation),
            self.patient(line, wish),
        )?;
        if let Some(refusal) = refusal {
            return Ok(Attempt::Done(refusal));
        }
        let ignored = [Owner::Hold(&line.call_id)];
        let now = self.clock.now();
        let offer = Offer {
            service,
            resources: &read.catalog.resources,
            diary: &diary,
            booker: Booker::Caller,
            ignored: &ignored,
            now,
        };
        match offer.fit(choice.starts_at, &choice.resource_ids) {
            Ok(slot) => {
                let decided = (service, &slot, &diary);
                match patient {
                    Some(patient) => self.make(line, (wish, &patient), &read, decided).await,
                    None => self.hold(line, wish, &read, decided).await,
                }
            }
            Err(Unfit::Taken) if is_by_this_call(&offer, choice, &read.conversation) => Ok(done(
                "NOT BOOKED. This call has booked that time already. Ask whether the name is to be corrected, or a second person \
                 needs a time too.",
            )),
            Err(unfit) => Ok(not_booked(unfit)),
        }
    }

    async fn read(&self, line: &Line, wish: &Wish) -> Result<Read, StoreError> {
        let key = intent_of(&line.call_id, &wish.letter);
        let ((catalog, now, _), conversation, intent) = futures::try_join!(
            self.clinic(line.org_id),
            self.bookings().conversation(line.org_id, &line.call_id),
            self.bookings().intent(line.org_id, &key),
        )?;
        Ok(Read { catalog, conversation, intent, now })
    }

    /// The answer to a repeat: what the appointment that was made of it is now. None when there is none, or it was cancelled: then the
    /// same may be booked anew, but not by the message that booked it, when it is delivered again.
    async fn booked_before(
        &self,
        line: &Line,
        wish: &Wish,
        read: &Read,
    ) -> Result<Option<String>, StoreError> {
        let Some(intent) = &read.intent else { return Ok(None) };
        let there = self.bookings().appointment(line.org_id, &intent.appointment_id).await?;
        let Some(appointment) = there else { return Ok(None) };
        if appointment.status == Status::Cancelled {
            let is_delivered_again = intent.tool_call.as_ref() == Some(&wish.tool_call);
            let answer = "NOT BOOKED. It was booked, and is cancelled since. Ask what is wanted instead.";
            return Ok(is_delivered_again.then(|| answer.to_owned()));
        }
        let is_other = wish.name.as_ref().is_some_and(|name| !name.is_same(&appointment.patient_name));
        Ok(Some(if is_other {
            format!(
                "NOT BOOKED. This time is booked on this call for {}. Ask whether the name is to be corrected, or a second person \
                 needs a time too.",
                appointment.patient_name.reveal()
            )
        } else {
            booked(&appointment, &read.catalog, read.now)
        }))
    }

    /// Why this call may not book what it asks for, whatever is free.
    async fn refused(&self, line: &Line, wish: &Wish, read: &Read) -> Result<Option<String>, StoreError> {
        if read.conversation.is_emergency {
            return Ok(Some(
                "NOT BOOKED. An emergency was reported on this call, and nothing is booked in one. Say what reportEmergency answered; \
                 the clinic knows of the call."
                    .to_owned(),
            ));
        }
        let booked = &read.conversation.booked;
        if booked.len() >= MOST_BOOKINGS {
            return Ok(Some(
                "NOT BOOKED. This call has booked as much as one call may. Offer to take a message."
                    .to_owned(),
            ));
        }
        let Some(name) = wish.name.as_ref() else { return Ok(None) };
        let ahead = self.ahead_of_number(line).await?;
        let by_callers = ahead.iter().filter(|one| matches!(one.made, MadeBy::Caller { .. })).count();
        if by_callers >= MOST_AHEAD {
            return Ok(Some(
                "NOT BOOKED. As many appointments stand from this number as may be booked by telephone. Offer to take a message."
                    .to_owned(),
            ));
        }
        if wish.is_another {
            return Ok(None);
        }
        for id in booked {
            let there = self.bookings().appointment(line.org_id, id).await?;
            let is_same = |appointment: &Appointment| {
                appointment.status != Status::Cancelled && appointment.patient_name.is_same(name)
            };
            if let Some(appointment) = there.filter(is_same) {
                let when = domain::booking::spoken::instant(appointment.wall_clock, read.now.date());
                return Ok(Some(format!(
                    "NOT BOOKED. {} has an appointment from this call on {when}. Ask whether a second one is wanted; if it is, do \
                     the same with another set to true.",
                    name.reveal()
                )));
            }
        }
        Ok(None)
    }

    /// What is taken on the days of the choice, and on those of what the call holds.
    async fn days(
        &self,
        line: &Line,
        service: &Service,
        choice: &Choice,
        conversation: &Conversation,
    ) -> Result<Diary, StoreError> {
        let mut wanted = vec![(choice.resource_ids.as_slice(), days_of(service, choice.starts_at))];
        wanted
            .extend(conversation.held.iter().map(|held| (held.resource_ids.as_slice(), held.blocked.days())));
        self.appointments.diary(line.org_id, &wanted).await
    }

    /// Who is to be booked for, once the name is known.
    async fn patient(&self, line: &Line, wish: &Wish) -> Result<Option<(Patient, Person)>, StoreError> {
        let Some(name) = wish.name.clone() else { return Ok(None) };
        let patient = Patient {
            name,
            phone_number: line.caller.clone(),
            email: wish.email.clone(),
            may_text: wish.may_text,
        };
        let person = self.appointments.person(line.org_id, &patient, self.clock.now()).await?;
        Ok(Some((patient, person)))
    }

    async fn hold(
        &self,
        line: &Line,
        wish: &Wish,
        read: &Read,
        (service, slot, diary): (&Service, &Slot, &Diary),
    ) -> Result<Attempt<String>, StoreError> {
        let now = self.clock.now();
        let Some(conversation) = read.conversation.held(wish.letter.clone(), slot, now) else {
            return Ok(done(
                "NOT BOOKED. This call has kept a time for five minutes. Ask for the name at once, and book with it.",
            ));
        };
        let entry = conversation.held.as_ref().map(|held| held.entry(&line.call_id));
        let replaced = [Owner::Hold(&line.call_id)];
        let days = entry.and_then(|entry| diary.taking(&entry, &slot.resources, &replaced, now));
        let Some(days) = days else { return Ok(Attempt::Moved) };
        let booking = Booking {
            by: Some((service, &read.resources(slot))),
            days: &days,
            conversation: Some(&conversation),
            ..Booking::default()
        };
        let held = self.bookings().book(line.org_id, &booking).await;
        outcome(held, || {
            format!(
                "HELD for two minutes. {} on {}. Ask for the patient's first and last name, read it back with the time, and use \
                 bookClinicAppointment again with option {} and patient_name.{}",
                service.terms.name,
                said(slot, &read.catalog, read.now),
                wish.letter.as_str(),
                to_ask(&service.terms.intake)
                    .map(|asked| format!(" Ask this too, and give it as answers: {asked}"))
                    .unwrap_or_default()
            )
        })
    }

    async fn make(
        &self,
        line: &Line,
        (wish, (patient, person)): (&Wish, &(Patient, Person)),
        read: &Read,
        (service, slot, diary): (&Service, &Slot, &Diary),
    ) -> Result<Attempt<String>, StoreError> {
        let now = self.clock.now();
        let id = self.appointments.fresh_id(now);
        let made = MadeBy::Caller { call_id: line.call_id.clone() };
        let confirmed = Appointment::confirmed(id.clone(), service, slot, (patient.clone(), made), now);
        let answers = answered(&service.terms.intake, &wish.answers);
        let person = person.clone().answering(&answers, now);
        let appointment = Appointment { answers, ..person.of(confirmed) };
        let replaced = [Owner::Hold(&line.call_id)];
        let Some(days) = diary.taking(&appointment.entry(), &slot.resources, &replaced, now) else {
            return Ok(Attempt::Moved);
        };
        let intent = Intent {
            org_id: line.org_id,
            intent: intent_of(&line.call_id, &wish.letter),
            version: read.intent.as_ref().map_or(0, |intent| intent.version),
            appointment_id: id.clone(),
            at: now,
            body_hash: None,
            tool_call: Some(wish.tool_call.clone()),
        };
        let due = Due::of(&appointment, Kind::Confirmation, Cause::Patient, now);
        let booking = Booking {
            by: Some((service, &read.resources(slot))),
            days: &days,
            conversation: Some(&read.conversation.booked(id)),
            appointment: Some(&appointment),
            intent: Some(&intent),
            contact: person.news(),
            due: &due,
            ..Booking::default()
        };
        let written = self.appointments.book(line.org_id, &booking).await;
        if written.is_ok() {
            tracing::info!(org_id = %line.org_id, call_id = %line.call_id, appointment_id = %appointment.appointment_id,
                "an appointment was booked on a call");
        }
        outcome(written, || booked(&appointment, &read.catalog, read.now))
    }
}

/// What a write came to: a refused condition means another try.
fn outcome(
    written: Result<(), ChangeError>,
    answer: impl FnOnce() -> String,
) -> Result<Attempt<String>, StoreError> {
    Ok(Attempt::of(written)?.map(|()| answer()))
}

fn not_booked(unfit: Unfit) -> Attempt<String> {
    Attempt::Done(format!("NOT BOOKED. {}", question(unfit)))
}

fn done(answer: &str) -> Attempt<String> {
    Attempt::Done(answer.to_owned())
}

/// An appointment as it is said once it is written.
fn booked(appointment: &Appointment, catalog: &Catalog, now: DateTime) -> String {
    let mail = if appointment.email.is_some() { " A confirmation follows by e-mail." } else { "" };
    format!(
        "BOOKED. {} on {}, for {}.{mail} Say so, and ask whether there is anything else.",
        appointment.service_name,
        said_of(appointment, catalog, now),
        appointment.patient_name.reveal()
    )
}

/// Whether the time is taken by an appointment that this very call made.
fn is_by_this_call(offer: &Offer<'_>, choice: &Choice, conversation: &Conversation) -> bool {
    let Some((_, blocked)) = intervals(&offer.service.terms, choice.starts_at) else { return false };
    choice.resource_ids.iter().any(|resource| {
        let entry = offer.diary.taken_by(resource, &blocked, offer.ignored, offer.now);
        entry.is_some_and(|entry| match &entry.taken {
            Taken::Appointment { appointment_id, .. } => conversation.booked.contains(appointment_id),
            Taken::Hold { .. } | Taken::External { .. } => false,
        })
    })
}

/// What tells this booking from every other: the call, and the letter on it.
fn intent_of(call: &CallId, letter: &Letter) -> String {
    fingerprint(&["call", call.as_str(), letter.as_str()])
}
