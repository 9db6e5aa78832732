//! The carrier's part in ending a call: its leg is hung up by the account that the call's number lies in.

use base::keyring::{Keyring, KeyringError};
use domain::ids::{OrgId, VapiPhoneId};
use store::{
    Dynamo, StoreError,
    made_once::{MadeOnce, SUBACCOUNT_RECORD, Subaccount},
    numbers::{Numbers, provider_type},
};
use vendors::twilio::{Account, Twilio, TwilioError};

/// Hangs calls up at the carrier.
#[derive(Debug)]
pub struct Carrier {
    twilio: Twilio,
    numbers: Numbers,
    subaccounts: MadeOnce<Subaccount>,
    keyring: Keyring,
}

/// Why a leg was not hung up.
#[derive(Debug, thiserror::Error)]
pub enum HangUpError {
    /// No account of the org's is known.
    #[error("the org has no account at the carrier")]
    NoAccount,
    /// The account's token does not open.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The carrier did not do its part.
    #[error(transparent)]
    Twilio(#[from] TwilioError),
}

impl Carrier {
    /// Puts it together.
    pub fn new(db: &Dynamo, twilio: Twilio, keyring: Keyring) -> Self {
        let subaccounts = MadeOnce::subaccounts(db.clone());
        Self { twilio, numbers: Numbers::new(db.clone()), subaccounts, keyring }
    }

    /// Hangs up the leg `sid` of a call of an org's number.
    ///
    /// Returns whether the carrier says that it is over.
    ///
    /// # Errors
    /// See [`HangUpError`].
    pub async fn hang_up(
        &self,
        org: OrgId,
        number: Option<&VapiPhoneId>,
        sid: &str,
    ) -> Result<bool, HangUpError> {
        let account = self.account(org, number).await?;
        Ok(self.twilio.end_call(&account, sid).await?)
    }

    /// The account of the number, if the org still has it; else the org's subaccount, where every number of ours lies.
    async fn account(&self, org: OrgId, number: Option<&VapiPhoneId>) -> Result<Account, HangUpError> {
        let numbers = self.numbers.of_org(org).await?;
        if let Some(found) = numbers.iter().find(|found| Some(&found.vapi_phone_id) == number) {
            let token = self.keyring.open(org, &provider_type(found.direction), &found.token)?;
            return Ok(Account { sid: found.account_sid.clone(), token });
        }
        let slot = self.subaccounts.get(&org.to_string()).await?;
        let made = slot.and_then(|slot| slot.made).ok_or(HangUpError::NoAccount)?;
        let token = self.keyring.open(org, SUBACCOUNT_RECORD, &made.token)?;
        Ok(Account { sid: made.account_sid, token })
    }
}
