//! A token that a clinic has changed at its own account.

use secrecy::ExposeSecret;

use super::{ProvisionError, Provisioning};
use domain::ids::OrgId;
use store::{
    Attempt,
    numbers::{OrgNumber, Status, provider_type},
};
use vendors::twilio::Account;

impl Provisioning {
    /// Gives every number that the org has in this account of its own the account's token, at Vapi and in our records. The carrier has
    /// taken the token before.
    ///
    /// # Errors
    /// When Vapi or the store does not do its part. Repeating it does what is left.
    pub(super) async fn renew_token(&self, org: OrgId, account: &Account) -> Result<(), ProvisionError> {
        for number in self.numbers.of_org(org).await? {
            let is_of_account = !number.is_managed && number.account_sid == account.sid;
            if is_of_account && number.status == Status::Active {
                self.db.until_written("the number", || self.try_to_renew(&number, account)).await?;
            }
        }
        Ok(())
    }

    /// Vapi first: a number whose record has the token has it at Vapi too. When another write comes between, both are done again, so
    /// that of two tokens the one that is stored is the one that Vapi was given last.
    async fn try_to_renew(
        &self,
        number: &OrgNumber,
        account: &Account,
    ) -> Result<Attempt<()>, ProvisionError> {
        let (org, record) = (number.org_id, provider_type(number.direction));
        let now = self.numbers.of_direction(org, number.direction).await?;
        let is_it = |now: &OrgNumber| now.purchase_id == number.purchase_id && now.status == Status::Active;
        // Given up in the same moment: it needs no token.
        let Some(now) = now.filter(is_it) else { return Ok(Attempt::Done(())) };
        self.voice.vapi.renew_account(&now.vapi_phone_id, account).await?;
        let token = account.token.expose_secret();
        if self.keyring.open(org, &record, &now.token)?.expose_secret() == token {
            return Ok(Attempt::Done(()));
        }
        let saved = self.numbers.reseal(&now, self.keyring.seal(org, &record, token)?).await;
        let saved = Attempt::of(saved)?;
        if saved == Attempt::Done(()) {
            tracing::info!(org_id = %org, purchase_id = %now.purchase_id, "a number's account has a new token");
        }
        Ok(saved)
    }
}
