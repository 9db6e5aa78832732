//! How many messages an org sends a day, to one address or number and to all: a token that falls into other hands must not empty the
//! wallet, nor have our sender shut out.

use base::alarm;
use domain::{
    message::{Message, State},
    rate::Costly,
};
use jiff::Timestamp;
use store::{Dynamo, StoreError, messages::Messages, rates::Rates};

use crate::reception::fingerprint;

/// What counts a text, to its number and of all.
pub(super) const TEXTS: (Costly, Costly) = (Costly::TextToNumber, Costly::Text);
/// What counts a letter, to its address and of all.
pub(super) const LETTERS: (Costly, Costly) = (Costly::LetterToAddress, Costly::Letter);
/// What is written of a message that is one too many.
const WHY: &str = "too many messages were sent today, to this patient or to all";

/// Counts messages before they are claimed.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    messages: Messages,
    rates: Rates,
}

impl Limits {
    pub(super) fn new(db: &Dynamo) -> Self {
        Self { messages: Messages::new(db.clone()), rates: Rates::new(db.clone()) }
    }

    /// Counts one more message `to` somebody. Returns whether it may be sent; one that may not is written down as refused, and an
    /// operator is told. A message that has a record was counted when it got it.
    pub(super) async fn admit(
        &self,
        message: &Message,
        (to_one, to_all): (Costly, Costly),
        to: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let org = message.org_id;
        if self.messages.get(org, &message.item).await?.is_some() {
            return Ok(true);
        }
        let of = fingerprint(&[to_one.as_str(), to]);
        let is_one_too_many = self.rates.take_of(org, (to_one, &of), now).await?.is_some()
            || self.rates.take(org, to_all, now).await?.is_some();
        if is_one_too_many {
            let refused = Message { state: State::Refused { why: WHY.to_owned() }, ..message.clone() };
            if self.messages.claim(&refused).await?.is_some() {
                // Another delivery of it was counted and has it: this one looks after what becomes of that.
                return Ok(true);
            }
            alarm!("message_refused", org_id = %org, message_id = %message.message_id, why = WHY,
                "a message is not sent: too many were sent today");
        }
        Ok(!is_one_too_many)
    }
}
