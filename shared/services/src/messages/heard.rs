//! What the carrier tells us of texts: what became of ours, and what patients write to the clinic. The address that it posts to names
//! the org, and is signed with the token of an account of that org's.

use std::sync::Arc;

use base::{alarm, clock::Clock, keyring::Keyring};
use domain::{
    ids::{AccountSid, MessageId, OrgId},
    message::{Effect, Message, Word},
    opt_out::{OptOut, Received},
    personal::Personal,
    phone_number::PhoneNumber,
};
use platform::Platform;
use secrecy::SecretString;
use store::{Attempt, ChangeError, Dynamo, StoreError, messages::Messages, opt_outs::OptOuts};

use super::{accounts::Accounts, ending::Ending, texts::TextError};

/// Where the carrier says what became of a text.
pub const STATUSES: &str = "/api/webhooks/twilio/statuses";
/// Where it brings what patients write.
pub const TEXTS: &str = "/api/webhooks/twilio/texts";
/// The carrier's code for a number that wants no texts (twilio.com/docs/api/errors/21610).
const OPTED_OUT: &str = "21610";

/// The address at which the carrier says what becomes of a message.
pub(super) fn status_url(public_url: &str, message: &Message) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("org", &message.org_id.to_string())
        .append_pair("item", &message.item)
        .append_pair("message", message.message_id.as_str())
        .finish();
    format!("{public_url}{STATUSES}?{query}")
}

/// Returns the address at which the carrier brings what patients write to an org's number.
pub fn texts_url(public_url: &str, org: OrgId) -> String {
    format!("{public_url}{TEXTS}?org={org}")
}

/// Takes what the carrier says.
#[derive(Clone, Debug)]
pub struct Heard {
    messages: Messages,
    opt_outs: OptOuts,
    accounts: Accounts,
    ending: Ending,
    db: Dynamo,
    clock: Arc<dyn Clock>,
}

/// What the carrier says of a text of ours.
#[derive(Debug)]
pub struct Status<'a> {
    /// Whose text it is.
    pub org: OrgId,
    /// Its record.
    pub item: &'a str,
    /// Which sending of it.
    pub message: &'a MessageId,
    /// How the carrier calls it.
    pub vendor_id: &'a str,
    /// How it stands.
    pub status: &'a str,
    /// The carrier's code for why, where it has one.
    pub code: Option<&'a str>,
}

impl Heard {
    /// Puts it together.
    pub fn new(platform: &Platform, db: &Dynamo, keyring: Keyring) -> Self {
        Self {
            messages: Messages::new(db.clone()),
            opt_outs: OptOuts::new(db.clone()),
            accounts: Accounts::new(db, keyring),
            ending: Ending::new(platform, db),
            db: db.clone(),
            clock: Arc::clone(&platform.clock),
        }
    }

    /// The token with which the carrier signs for an account of an org's; none where the org has no such account.
    ///
    /// # Errors
    /// When the store does not answer, or the token does not open.
    pub async fn token(&self, org: OrgId, account: &AccountSid) -> Result<Option<SecretString>, TextError> {
        match self.accounts.named(org, account).await {
            Ok(account) => Ok(Some(account.token)),
            Err(TextError::NoAccount) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes what became of a text. What is known, comes late or is of another sending changes nothing; a price goes back once.
    ///
    /// # Errors
    /// When the store does not do its part: the carrier says it again.
    pub async fn status(&self, said: &Status<'_>) -> Result<(), StoreError> {
        let Some(word) = Word::of(said.status, said.code) else {
            tracing::warn!(org_id = %said.org, status = said.status, "the carrier says what it does not document");
            return Ok(());
        };
        let Some(message) = self.messages.get(said.org, said.item).await? else { return Ok(()) };
        if message.message_id != *said.message {
            return Ok(());
        }
        if let (Some(OPTED_OUT), Some(text)) = (said.code, &message.text) {
            self.opt_outs.note(&OptOut::said(said.org, text.to.clone(), true, message.at)).await?;
        }
        match word.effect(&message.state, said.vendor_id) {
            Effect::None => Ok(()),
            Effect::Becomes(state) => self.ending.end(&message, Some(state)).await,
            Effect::Contradicts => {
                alarm!("text_contradicted", org_id = %said.org, message_id = %message.message_id, vendor_id = said.vendor_id,
                    state = message.state.as_str(), status = said.status,
                    "the carrier says of a text what our record does not");
                Ok(())
            }
        }
    }

    /// Takes a text that a patient wrote to a number of the org's, once.
    ///
    /// # Errors
    /// When the store does not do its part: the carrier does not bring it again by itself, so the function's alarm tells.
    pub async fn received(
        &self,
        (org, vendor_id): (OrgId, &str),
        (from, to): (PhoneNumber, PhoneNumber),
        body: &str,
    ) -> Result<(), StoreError> {
        let numbers = (Personal::new(from), to);
        let received = &Received::new((org, vendor_id.to_owned()), numbers, body, self.clock.now());
        self.db
            .until_written("a text that came", || async move {
                if self.opt_outs.received(org, vendor_id).await?.is_some() {
                    return Ok(Attempt::Done(()));
                }
                let there = self.opt_outs.of(org, received.from.reveal()).await?;
                let (said, told) = received.meaning(there.as_ref());
                let both = (said.as_ref(), there.as_ref());
                let written: Result<(), ChangeError> =
                    self.opt_outs.receive(received, both, told.as_ref()).await;
                Ok::<_, StoreError>(Attempt::of(written)?.map(|()| {
                    let is_stopped = said.as_ref().map(|said| said.is_stopped);
                    tracing::info!(org_id = %org, vendor_id, is_stopped, "a text came");
                }))
            })
            .await
    }
}
