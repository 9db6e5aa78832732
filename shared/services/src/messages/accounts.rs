//! The accounts at the carrier through which an org's texts go and come.

use base::keyring::{Keyring, KeyringError};
use domain::ids::{AccountSid, OrgId};
use store::{
    Dynamo,
    made_once::{MadeOnce, SUBACCOUNT_RECORD, Subaccount},
    numbers::{Numbers, OrgNumber, provider_type},
};
use vendors::twilio::Account;

use super::texts::TextError;

/// Opens the accounts of orgs.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    numbers: Numbers,
    subaccounts: MadeOnce<Subaccount>,
    keyring: Keyring,
}

impl Accounts {
    pub(super) fn new(db: &Dynamo, keyring: Keyring) -> Self {
        Self { numbers: Numbers::new(db.clone()), subaccounts: MadeOnce::subaccounts(db.clone()), keyring }
    }

    /// The account of a number.
    pub(super) fn opened(&self, org: OrgId, number: &OrgNumber) -> Result<Account, KeyringError> {
        let token = self.keyring.open(org, &provider_type(number.direction), &number.token)?;
        Ok(Account { sid: number.account_sid.clone(), token })
    }

    /// An account of the org's, by its name: that of a number, or the subaccount.
    ///
    /// # Errors
    /// [`TextError::NoAccount`] when the org has none of this name.
    pub(super) async fn named(&self, org: OrgId, sid: &AccountSid) -> Result<Account, TextError> {
        let numbers = self.numbers.of_org(org).await?;
        if let Some(number) = numbers.iter().find(|number| number.account_sid == *sid) {
            return Ok(self.opened(org, number)?);
        }
        let slot = self.subaccounts.get(&org.to_string()).await?;
        let made = slot.and_then(|slot| slot.made).filter(|made| made.account_sid == *sid);
        let made = made.ok_or(TextError::NoAccount)?;
        let token = self.keyring.open(org, SUBACCOUNT_RECORD, &made.token)?;
        Ok(Account { sid: made.account_sid, token })
    }
}
