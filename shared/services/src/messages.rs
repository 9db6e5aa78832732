//! What patients are told, and clinics of emergencies. A write leaves a message that is due; [`Dispatch`] gives it to the queue when its time has come, and
//! [`Messenger`] sends it, once, if it still says what is so.
//!
//! No vendor of messages keeps us from sending twice, so the claim does: it is written before the vendor is asked, and only after a
//! certain no is it taken again. A letter's claim without an outcome is never sent again, and alarms;
//! a text's is looked for at the carrier (`texts`).

mod accounts;
mod dispatch;
mod ending;
mod heard;
mod limits;
mod texts;

use std::sync::Arc;

use base::{alarm, alarm::chain, clock::Clock, config::MailSettings, entropy::Entropy};
use domain::{
    booking::appointment::Appointment,
    call::Direction,
    clinic::Clinic,
    email::EmailAddress,
    ids::{AppointmentId, MessageId, NotificationId, OrgId},
    message::{
        Channel, Due, Fate, Kind, Letter, Matter, Message, State, alert, fate, letter, text as text_of,
    },
    phone_number::PhoneNumber,
};
use jiff::SignedDuration;
use platform::{
    Platform,
    mail::{Mail, MailError},
};
use store::{
    ChangeError, Dynamo, StoreError, booking::Bookings, clinics::Clinics, contacts::Contacts,
    messages::Messages, notifications::Notifications, numbers::Numbers,
};

pub use dispatch::Dispatch;
pub use heard::{Heard, STATUSES, Status, TEXTS, texts_url};
use limits::{LETTERS, Limits};
pub use texts::{Carrier, TextError};
use texts::{Texts, Way};

/// How long a claim may be without an outcome before whoever made it is taken for dead: longer than the function may run
/// (`template.yaml`).
pub const IN_HAND: SignedDuration = SignedDuration::from_mins(2);

/// Sends what is due.
#[derive(Clone, Debug)]
pub struct Messenger {
    /// What was sent.
    pub messages: Messages,
    bookings: Bookings,
    clinics: Clinics,
    numbers: Numbers,
    notifications: Notifications,
    contacts: Contacts,
    mail: Mail,
    limits: Limits,
    texts: Texts,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// Why a message is to come again.
#[derive(Debug, thiserror::Error)]
pub enum MessengerError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another copy is sending it at this moment.
    #[error("another copy of the message is in hand")]
    InHand,
    /// The vendor takes nothing now: nothing was sent.
    #[error("the message was not sent, and is tried again")]
    NotNow(#[source] MailError),
    /// A text is to be looked at again: see [`TextError`].
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Messenger {
    /// Puts it together.
    pub fn new(platform: &Platform, db: &Dynamo, mail: MailSettings, carrier: Carrier) -> Self {
        Self {
            texts: Texts::new(platform, db, carrier),
            messages: Messages::new(db.clone()),
            bookings: Bookings::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            notifications: Notifications::new(db.clone()),
            contacts: Contacts::new(db.clone()),
            mail: Mail::of(platform, mail),
            limits: Limits::new(db),
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Tells what is due to whom it concerns, by every way there is, once by each; nothing when it is no longer so.
    ///
    /// # Errors
    /// When it is to come again: see [`MessengerError`].
    pub async fn deliver(&self, due: &Due) -> Result<(), MessengerError> {
        match &due.matter {
            Matter::Appointment { appointment_id, revision, kind } => {
                self.tell_patient(due, appointment_id, (*kind, *revision)).await
            }
            Matter::Emergency { notification_id } => self.alert(due, notification_id).await,
            Matter::Lookup { item, message_id } => Ok(self.texts.look_up(due, (item, message_id)).await?),
        }
    }

    async fn tell_patient(
        &self,
        due: &Due,
        id: &AppointmentId,
        told: (Kind, u64),
    ) -> Result<(), MessengerError> {
        let now = self.clock.now();
        let there = self.bookings.appointment(due.org_id, id).await?;
        let fate = there.as_ref().map_or(Fate::Overtaken, |there| fate(told, there, now));
        let Some(appointment) = there.filter(|_| fate != Fate::Overtaken) else {
            tracing::info!(org_id = %due.org_id, appointment_id = %id, kind = told.0.as_str(),
                "a message is not sent: it is no longer so");
            return Ok(());
        };
        let (clinic, line) = futures::try_join!(self.clinics.get(due.org_id), self.line_of(due.org_id))?;
        if told.0.reminder().is_some_and(|reminder| !clinic.reminders.contains(&reminder)) {
            return Ok(());
        }
        let (mail, text) = self.ways(&clinic, &appointment).await?;
        if fate == Fate::TooLate {
            if mail.is_some() || !matches!(text, Ok(None)) {
                // Nobody knows but us: the patient is on the way, or waits for one that is cancelled.
                alarm!("message_too_late", org_id = %due.org_id, appointment_id = %id, kind = told.0.as_str(),
                    "a patient was not told of an appointment before it began");
            }
            return Ok(());
        }
        let claimed = |channel| Message::claimed(self.fresh_id(), (due, &appointment), channel, now);
        let mut outcome = Ok(());
        if let Some(to) = mail {
            let letter = letter(told.0, &clinic, &appointment, line.as_ref());
            let message = claimed(Channel::Email);
            if self.limits.admit(&message, LETTERS, &to.reveal().to_lowercase(), now).await? {
                outcome = self.send_once(&message, &to, clinic.called(), &letter).await;
            }
        }
        // One way that fails keeps the patient from no other.
        let texted = match text {
            Ok(Some(way)) => {
                let words = |mark: &_| text_of(told.0, (&clinic, &appointment), line.as_ref(), mark);
                let message = (claimed(Channel::Sms), appointment.interval.from);
                self.texts.send_once(message, &way, words).await
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        outcome.and(texted.map_err(MessengerError::from))
    }

    /// By which ways a patient is told: at which address, and at which telephone or why that is not known.
    async fn ways(
        &self,
        clinic: &Clinic,
        appointment: &Appointment,
    ) -> Result<(Option<EmailAddress>, Result<Option<Way>, TextError>), MessengerError> {
        let contact = match &appointment.contact_id {
            Some(id) => self.contacts.get(appointment.org_id, id).await?,
            None => None,
        };
        let said = contact.as_ref().and_then(|contact| contact.may_text).or(appointment.may_text);
        let text = self.texts.way(clinic, appointment, said).await;
        // Where the patient said when it was booked, or what the clinic has put right since.
        let mail = match contact.filter(|contact| contact.email_has_changed_since(appointment.created_at)) {
            Some(contact) => contact.email,
            None => appointment.email.clone(),
        };
        Ok((mail, text))
    }

    /// Tells the clinic's people of an emergency, at each address that the clinic has given.
    async fn alert(&self, due: &Due, id: &NotificationId) -> Result<(), MessengerError> {
        let (clinic, there) =
            futures::try_join!(self.clinics.get(due.org_id), self.notifications.get(due.org_id, id))?;
        let Some(notification) = there else { return Ok(()) };
        let letter = alert(&clinic, &notification);
        let mut outcome = Ok(());
        for to in &clinic.alert_emails {
            let message = Message::alerting(self.fresh_id(), due, to, self.clock.now());
            // One address that takes none keeps it from no other.
            let sent = self.send_once(&message, to, clinic.called(), &letter).await;
            outcome = outcome.and(sent);
        }
        outcome
    }

    fn fresh_id(&self) -> MessageId {
        MessageId::parse(self.entropy.uuid(self.clock.now()).to_string())
            .unwrap_or_else(|_| unreachable!("a UUID is an id"))
    }

    /// The number at which the org's receptionist answers.
    async fn line_of(&self, org: OrgId) -> Result<Option<PhoneNumber>, StoreError> {
        let number = self.numbers.of_direction(org, Direction::Inbound).await?;
        Ok(number.map(|number| number.phone_number))
    }

    /// Sends a letter, unless it was sent before.
    async fn send_once(
        &self,
        message: &Message,
        to: &EmailAddress,
        clinic: &str,
        letter: &Letter,
    ) -> Result<(), MessengerError> {
        let Some(there) = self.messages.claim(message).await? else {
            return self.send(message, to, clinic, letter).await;
        };
        let now = self.clock.now();
        match there.state {
            State::Waiting => match self.messages.resume(&there, now).await {
                Ok(again) => self.send(&again, to, clinic, letter).await,
                Err(ChangeError::Moved) => Err(MessengerError::InHand),
                Err(ChangeError::Store(error)) => Err(error.into()),
            },
            State::Sending if now.duration_since(there.at) < IN_HAND => Err(MessengerError::InHand),
            State::Sending => self.note(&there, State::Unknown).await,
            State::Sent { .. }
            | State::Delivered { .. }
            | State::Undelivered { .. }
            | State::Refused { .. }
            | State::Unknown
            | State::Unpaid
            | State::NotSent => Ok(()),
        }
    }

    async fn send(
        &self,
        message: &Message,
        to: &EmailAddress,
        clinic: &str,
        letter: &Letter,
    ) -> Result<(), MessengerError> {
        match self.mail.send(clinic, to, letter, &message.message_id).await {
            Ok(vendor_id) => {
                self.note(message, State::Sent { vendor_id }).await?;
                tracing::info!(org_id = %message.org_id, message_id = %message.message_id, "a message was sent");
                Ok(())
            }
            Err(MailError::Refused(why)) => {
                alarm!("message_refused", org_id = %message.org_id, message_id = %message.message_id, why,
                    "a message is refused by its vendor");
                self.note(message, State::Refused { why }).await
            }
            Err(error @ MailError::Unknown(_)) => {
                tracing::warn!(message_id = %message.message_id, cause = chain(&error), "a message has no answer");
                self.note(message, State::Unknown).await
            }
            Err(error @ MailError::NotNow(_)) => {
                // Its record stays: what comes again is the same message, and is not counted twice.
                self.note(message, State::Waiting).await?;
                Err(MessengerError::NotNow(error))
            }
        }
    }

    /// Notes the outcome of a claim. One that is noted already stands.
    async fn note(&self, message: &Message, state: State) -> Result<(), MessengerError> {
        if state == State::Unknown {
            alarm!("message_unknown", org_id = %message.org_id, message_id = %message.message_id,
                "whether a message was sent is not known");
        }
        match self.messages.note(message, state).await {
            Ok(_) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }
}
