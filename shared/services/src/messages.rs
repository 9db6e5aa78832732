//! What patients are told. A write leaves a message that is due; [`Dispatch`] gives it to the queue when its time has come, and
//! [`Messenger`] sends it, once, if it still says what is so.
//!
//! No vendor of messages keeps us from sending twice, so the claim does: it is written before the vendor is asked, and only a
//! certain no gives it back. A claim without an outcome is never sent again, and alarms.

mod dispatch;

use std::sync::Arc;

use base::{alarm, alarm::chain, clock::Clock, config::MailSettings, entropy::Entropy};
use domain::{
    booking::appointment::Appointment,
    call::Direction,
    ids::{MessageId, OrgId},
    message::{Channel, Due, Fate, Letter, Message, State, letter},
    phone_number::PhoneNumber,
};
use jiff::SignedDuration;
use platform::{
    Platform,
    mail::{Mail, MailError},
};
use store::{
    ChangeError, Dynamo, StoreError, booking::Bookings, clinics::Clinics, messages::Messages,
    numbers::Numbers,
};

pub use dispatch::Dispatch;

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
    mail: Mail,
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
}

impl Messenger {
    /// Puts it together.
    pub fn new(platform: &Platform, db: &Dynamo, mail: MailSettings) -> Self {
        Self {
            messages: Messages::new(db.clone()),
            bookings: Bookings::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            mail: Mail::of(platform, mail),
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Tells a patient what is due, by every way there is, once by each; nothing when it is no longer so.
    ///
    /// # Errors
    /// When it is to come again: see [`MessengerError`].
    pub async fn deliver(&self, due: &Due) -> Result<(), MessengerError> {
        let there = self.bookings.appointment(due.org_id, &due.appointment_id).await?;
        let fate = there.as_ref().map_or(Fate::Overtaken, |there| due.fate(there, self.clock.now()));
        let (Some(appointment), Fate::Send) = (there, fate) else {
            tracing::info!(org_id = %due.org_id, appointment_id = %due.appointment_id, kind = due.kind.as_str(), fate = ?fate,
                "a message is not sent: it is no longer so");
            return Ok(());
        };
        for channel in Channel::of(&appointment) {
            self.tell(due, &appointment, channel).await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        due: &Due,
        appointment: &Appointment,
        channel: Channel,
    ) -> Result<(), MessengerError> {
        let now = self.clock.now();
        let id = MessageId::parse(self.entropy.uuid(now).to_string())
            .unwrap_or_else(|_| unreachable!("a UUID is an id"));
        let message = Message::claimed(id, (due, appointment), channel, now);
        let letter = self.letter(due, appointment).await?;
        match self.messages.claim(&message).await? {
            Some(there) => self.is_settled(there).await,
            None => self.send(&message, appointment, &letter).await,
        }
    }

    /// What a letter says, and in whose name.
    async fn letter(&self, due: &Due, appointment: &Appointment) -> Result<(String, Letter), StoreError> {
        let (clinic, line) = futures::try_join!(self.clinics.get(due.org_id), self.line_of(due.org_id))?;
        let letter = letter(due.kind, &clinic, appointment, line.as_ref());
        Ok((clinic.called().to_owned(), letter))
    }

    /// The number at which the org's receptionist answers.
    async fn line_of(&self, org: OrgId) -> Result<Option<PhoneNumber>, StoreError> {
        let number = self.numbers.of_direction(org, Direction::Inbound).await?;
        Ok(number.map(|number| number.phone_number))
    }

    /// What to do with a message that was claimed before.
    async fn is_settled(&self, there: Message) -> Result<(), MessengerError> {
        if there.state != State::Sending {
            return Ok(());
        }
        if self.clock.now().duration_since(there.at) < IN_HAND {
            return Err(MessengerError::InHand);
        }
        self.note(&there, State::Unknown).await
    }

    async fn send(
        &self,
        message: &Message,
        appointment: &Appointment,
        (clinic, letter): &(String, Letter),
    ) -> Result<(), MessengerError> {
        let Some(to) = &appointment.email else { return Ok(()) };
        match self.mail.send(clinic, to, letter, &message.message_id).await {
            Ok(vendor_id) => {
                self.note(message, State::Sent { vendor_id }).await?;
                tracing::info!(org_id = %message.org_id, message_id = %message.message_id, kind = message.kind.as_str(),
                    "a patient was told of an appointment");
                Ok(())
            }
            Err(MailError::Refused(why)) => {
                alarm!("message_refused", org_id = %message.org_id, message_id = %message.message_id, why,
                    "a message to a patient is refused by its vendor");
                self.note(message, State::Refused { why }).await
            }
            Err(error @ MailError::Unknown(_)) => {
                tracing::warn!(message_id = %message.message_id, cause = chain(&error), "a message has no answer");
                self.note(message, State::Unknown).await
            }
            Err(error @ MailError::NotNow(_)) => match self.messages.give_back(message).await {
                Ok(()) | Err(ChangeError::Moved) => Err(MessengerError::NotNow(error)),
                Err(ChangeError::Store(error)) => Err(error.into()),
            },
        }
    }

    /// Notes the outcome of a claim. One that is noted already stands.
    async fn note(&self, message: &Message, state: State) -> Result<(), MessengerError> {
        if state == State::Unknown {
            alarm!("message_unknown", org_id = %message.org_id, message_id = %message.message_id,
                "whether a patient was told of an appointment is not known");
        }
        match self.messages.note(message, state).await {
            Ok(_) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }
}
