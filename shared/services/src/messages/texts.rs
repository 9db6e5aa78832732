//! Texts to patients, which are paid for. The price, the claim and the times at which the text is looked for are one transaction, so that
//! whatever becomes of the process that sends it, it ends as sent, or its price is in the wallet again.

use std::sync::Arc;

use base::{
    alarm,
    alarm::chain,
    clock::Clock,
    keyring::{Keyring, KeyringError},
};
use domain::{
    amount::Amount,
    booking::appointment::Appointment,
    call::Direction,
    clinic::Clinic,
    ids::MessageId,
    ledger::Reason,
    message::{Due, GIVEN_UP, LOOKED_FOR, Message, State},
    notification::Notification,
    number::Country,
    opt_out::OptOut,
    personal::{Number, Personal},
    phone_number::PhoneNumber,
    texting::{Line, Mark, Sender, Text, may_be_texted, price, segments, sender},
};
use jiff::{SignedDuration, Timestamp};
use platform::Platform;
use store::{
    Attempt, Dynamo, StoreError,
    messages::Messages,
    notifications::Notifications,
    numbers::{Numbers, OrgNumber},
    opt_outs::OptOuts,
    wallets::Wallets,
};
use vendors::twilio::{self, Account, Twilio, TwilioError};

use super::{
    accounts::Accounts,
    ending::{Ending, price_of},
    heard::status_url,
    limits::{Limits, TEXTS},
};
use crate::follow_up::Watch;

/// How long after its claim a text may still be handed to the carrier: well before it is first looked for.
const IN_TIME: SignedDuration = SignedDuration::from_mins(1);
/// For how many seconds the carrier may keep a text back at the most (twilio.com/docs/messaging/api/message-resource, `ValidityPeriod`).
const LONGEST_VALIDITY: i64 = 36_000;

/// What sends texts, and knows where they may go.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// The carrier.
    pub twilio: Twilio,
    /// Where the carrier reaches us, without a slash at its end.
    pub public_url: String,
    /// What opens the accounts' tokens.
    pub keyring: Keyring,
    /// What has the card charged, or the clinic told, when texts use the money up.
    pub watch: Watch,
    /// The country of a number that takes texts, or may; none for one that takes none. Its second argument is whether numbers that are
    /// kept for films count. The numbering plans take 16 MB, so only who sends links them.
    pub country: fn(&PhoneNumber, bool) -> Option<Country>,
}

/// Sends texts.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    messages: Messages,
    wallets: Wallets,
    numbers: Numbers,
    accounts: Accounts,
    ending: Ending,
    opt_outs: OptOuts,
    notifications: Notifications,
    limits: Limits,
    carrier: Carrier,
    db: Dynamo,
    clock: Arc<dyn Clock>,
    rings_fiction: bool,
}

/// How a patient's telephone is reached: to and from whom, and through which account.
#[derive(Debug)]
pub(super) struct Way {
    to: Personal<PhoneNumber, Number>,
    country: Country,
    sender: Sender,
    account: Account,
}

/// Why a text is to be looked at again.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account's token does not open.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The carrier takes nothing now: nothing was sent.
    #[error("the text was not sent, and is tried again")]
    NotNow(#[source] TwilioError),
    /// The carrier does not say what it has.
    #[error("the text could not be looked for")]
    Unsearched(#[source] TwilioError),
    /// The org has no account any more in which the text could be looked for.
    #[error("the account through which the text went is not the org's any more")]
    NoAccount,
}

impl Way {
    /// The text as its record has it, and what it costs.
    fn text(&self, body: &str, attempt: &MessageId) -> Text {
        let segments = segments(body);
        let price = if self.sender.is_own_account { Amount::ZERO } else { price(self.country, segments) };
        Text {
            to: self.to.clone(),
            from: self.sender.from.clone(),
            account_sid: self.account.sid.clone(),
            segments,
            price,
            attempt: attempt.clone(),
        }
    }
}

impl Texts {
    pub(super) fn new(platform: &Platform, db: &Dynamo, carrier: Carrier) -> Self {
        Self {
            messages: Messages::new(db.clone()),
            wallets: Wallets::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            accounts: Accounts::new(db, carrier.keyring.clone()),
            ending: Ending::new(platform, db),
            opt_outs: OptOuts::new(db.clone()),
            notifications: Notifications::new(db.clone()),
            limits: Limits::new(db),
            carrier,
            db: db.clone(),
            clock: Arc::clone(&platform.clock),
            rings_fiction: platform.rings_fiction,
        }
    }

    /// How the patient of an appointment is reached by text; none where the number takes none, the patient wants none, or the clinic
    /// can send none there. `said` is what the patient last said of texts.
    pub(super) async fn way(
        &self,
        clinic: &Clinic,
        appointment: &Appointment,
        said: Option<bool>,
    ) -> Result<Option<Way>, TextError> {
        let Some(to) = &appointment.phone_number else { return Ok(None) };
        let country = (self.carrier.country)(to.reveal(), self.rings_fiction);
        let Some(country) = country.filter(|country| may_be_texted(said, *country)) else {
            return Ok(None);
        };
        let (numbers, said) = futures::try_join!(
            self.numbers.of_org(appointment.org_id),
            self.opt_outs.of(appointment.org_id, to.reveal())
        )?;
        if said.is_some_and(|said| said.is_stopped) {
            return Ok(None);
        }
        let is_inbound = |number: &&OrgNumber| number.direction == Direction::Inbound;
        let Some(number) = numbers.iter().find(is_inbound).or_else(|| numbers.first()) else {
            return Ok(None);
        };
        let line = Line { number: &number.phone_number, is_own_account: !number.is_managed };
        let Some(sender) = sender(clinic.sender_name.as_ref(), line, country) else { return Ok(None) };
        let account = self.accounts.opened(appointment.org_id, number)?;
        Ok(Some(Way { to: to.clone(), country, sender, account }))
    }

    /// Sends a text, unless it was sent before. `words` ends with the mark that it is given.
    pub(super) async fn send_once(
        &self,
        (message, starts_at): (Message, Timestamp),
        way: &Way,
        words: impl Fn(&Mark) -> String,
    ) -> Result<(), TextError> {
        let body = words(&Mark::of(&message.message_id));
        let text = way.text(&body, &message.message_id);
        let message = message.by_text(text);
        let to = way.to.reveal().as_str();
        if !self.limits.admit(&message, TEXTS, to, self.clock.now()).await? {
            return Ok(());
        }
        let Some(claimed) = self.claim(&message).await? else { return Ok(()) };
        let now = self.clock.now();
        if now.duration_since(claimed.at) > IN_TIME {
            // Whoever looks for it finds nothing, and gives the price back.
            return Ok(());
        }
        let validity = starts_at.duration_since(now).as_secs().clamp(1, LONGEST_VALIDITY);
        let text = twilio::Text {
            to: way.to.reveal(),
            from: &way.sender.from,
            body: &words(&Mark::of(&claimed.message_id)),
            validity_secs: u16::try_from(validity).unwrap_or(u16::MAX),
            status_url: &status_url(&self.carrier.public_url, &claimed),
        };
        let answer = self.carrier.twilio.send_text(&way.account, &text).await;
        self.heard(&claimed, answer).await
    }

    /// Notes what the carrier said.
    async fn heard(
        &self,
        message: &Message,
        answer: Result<twilio::Taken, TwilioError>,
    ) -> Result<(), TextError> {
        match answer {
            Ok(taken) => {
                self.ending.end(message, Some(State::Sent { vendor_id: taken.sid })).await?;
                tracing::info!(org_id = %message.org_id, message_id = %message.message_id, "a text was sent");
                Ok(())
            }
            Err(error) if error.is_too_many() => {
                self.ending.end(message, Some(State::Waiting)).await?;
                Err(TextError::NotNow(error))
            }
            Err(error) if error.is_final() => {
                if !error.is_about_recipient() {
                    alarm!("message_refused", org_id = %message.org_id, message_id = %message.message_id,
                        cause = chain(&error), "a text is refused by its vendor");
                }
                if let (true, Some(text)) = (error.is_opted_out(), &message.text) {
                    let said = OptOut::said(message.org_id, text.to.clone(), true, message.at);
                    self.opt_outs.note(&said).await?;
                }
                self.ending.end(message, Some(State::Refused { why: error.to_string() })).await?;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(message_id = %message.message_id, cause = chain(&error), "a text has no answer: it is looked for");
                Ok(())
            }
        }
    }

    /// Pays for a text and claims it. Returns it as it is to be sent; none when it was claimed before, or cannot be paid for.
    async fn claim(&self, message: &Message) -> Result<Option<Message>, StoreError> {
        self.db
            .until_written("a text", || async {
                let there = self.messages.get(message.org_id, &message.item).await?;
                let Some(there) = there else { return self.pay(message).await };
                if there.is_in_hand_of(&message.message_id) {
                    // The claim of this very attempt, whose answer was lost.
                    return Ok(Attempt::Done(Some(there)));
                }
                match &there.text {
                    Some(text) if there.state == State::Waiting => self.again(&there, text, message).await,
                    Some(_) | None => Ok(Attempt::Done(None)),
                }
            })
            .await
    }

    /// Claims a text anew that waits and is paid for. One that would go to or from another by now, or cost something else, is given back
    /// first, so that what its record says is always what is sent.
    async fn again(
        &self,
        there: &Message,
        text: &Text,
        message: &Message,
    ) -> Result<Attempt<Option<Message>>, StoreError> {
        if !message.text.as_ref().is_some_and(|wanted| wanted.is_same(text)) {
            self.ending.end(there, None).await?;
            return Ok(Attempt::Moved);
        }
        let again = there.again(&message.message_id, self.clock.now());
        let claimed = self.messages.claim_again(there, &again).await;
        Ok(Attempt::of(claimed)?.map(|()| Some(again)))
    }

    async fn pay(&self, message: &Message) -> Result<Attempt<Option<Message>>, StoreError> {
        let price = price_of(message);
        let claimed = || Some(message.clone());
        if price == Amount::ZERO {
            return Ok(Attempt::of(self.messages.claim_text(message).await)?.map(|()| claimed()));
        }
        let wallet = self.wallets.get(message.org_id).await?;
        let Some(wallet) = wallet.as_ref().filter(|wallet| wallet.can_spend(price).is_ok()) else {
            if let Some(wallet) = &wallet {
                self.carrier.watch.after_or_later(wallet).await;
            }
            return self.unpaid(message).await;
        };
        let reason = Reason::Text { message: message.message_id.clone() };
        let posting = self.ending.posting(message, reason, "Text message to a patient");
        let charged = Attempt::of(self.wallets.charge_text(wallet, &posting, message).await)?;
        if let Attempt::Done(after) = &charged {
            self.carrier.watch.after_or_later(after).await;
        }
        Ok(charged.map(|_| claimed()))
    }

    /// Writes down that a text was not sent because it could not be paid for, and tells the clinic, once a day.
    async fn unpaid(&self, message: &Message) -> Result<Attempt<Option<Message>>, StoreError> {
        let notification = Notification::of_unpaid_texts(message.org_id, self.clock.now());
        let told = self.notifications.get(message.org_id, &notification.notification_id).await?;
        let unpaid = Message { state: State::Unpaid, ..message.clone() };
        let written = self.messages.unpaid(&unpaid, told.is_none().then_some(&notification)).await;
        Ok(Attempt::of(written)?.map(|()| {
            tracing::info!(org_id = %message.org_id, message_id = %message.message_id,
                "a text is not sent: the clinic has not the money for it");
            None
        }))
    }

    /// Looks for a text that has no outcome. What the carrier has was sent. What it has not the last time that it is looked for was not,
    /// and its price goes back.
    pub(super) async fn look_up(&self, due: &Due, (item, id): (&str, &MessageId)) -> Result<(), TextError> {
        let there = self.messages.get(due.org_id, item).await?;
        let Some((message, text)) = there
            .filter(|there| there.message_id == *id)
            .and_then(|there| there.text.clone().map(|text| (there, text)))
        else {
            return Ok(());
        };
        let is_last = due.due_at.duration_since(message.at) >= GIVEN_UP;
        match message.state {
            State::Sending => {}
            State::Waiting if is_last => return Ok(self.ending.end(&message, None).await?),
            State::Waiting
            | State::Sent { .. }
            | State::Delivered { .. }
            | State::Undelivered { .. }
            | State::Refused { .. }
            | State::Unknown
            | State::Unpaid
            | State::NotSent => return Ok(()),
        }
        if self.clock.now().duration_since(message.at) < LOOKED_FOR {
            // It was claimed anew since, and is looked for later.
            return Ok(());
        }
        let account = self.accounts.named(due.org_id, &text.account_sid).await?;
        let had = self.carrier.twilio.texts_to(&account, text.to.reveal(), &text.from).await;
        let had = had.map_err(TextError::Unsearched)?;
        let mark = Mark::of(id);
        let is_it = |taken: &&twilio::Taken| taken.body.as_deref().is_some_and(|body| mark.ends(body));
        if let Some(found) = had.iter().find(is_it) {
            self.ending.end(&message, Some(State::Sent { vendor_id: found.sid.clone() })).await?;
        } else if is_last {
            alarm!("message_refused", org_id = %due.org_id, message_id = %id,
                "a text had no answer and its vendor has no trace of it: it was not sent");
            self.ending.end(&message, Some(State::NotSent)).await?;
        }
        Ok(())
    }
}
