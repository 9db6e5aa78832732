//! The papers without which the carrier sells no number of some countries: regulatory bundles, approved, in the account that buys. That is
//! the org's subaccount, which has none of its own at first: it gets a clone of our account's.

use super::{ProvisionError, ProvisionRequest, Provisioned, Provisioning, Step, StepError};
use domain::{
    ids::BundleSid,
    number::Bundle,
    purchase::{Failure, NumberRequest, Purchase},
    rate::Costly,
};
use vendors::twilio::{Account, NO_PAPERS, TwilioError};

impl Provisioning {
    /// What a request is refused with, before anything is claimed or charged, when no papers are there for what it wants: the org's own,
    /// or ours. Where none are needed, the carrier is not asked.
    ///
    /// # Errors
    /// When the carrier or the store does not answer.
    pub(super) async fn refused_for_papers(
        &self,
        asked: &ProvisionRequest,
    ) -> Result<Option<Provisioned>, ProvisionError> {
        let wanted = &asked.wanted;
        if !wanted.country.needs_bundle() {
            return Ok(None);
        }
        // Whoever is refused may ask again, as often as may be searched.
        if let Some(wait) = self.rates.take(asked.org_id, Costly::NumberSearch, self.clock.now()).await? {
            return Ok(Some(Provisioned::TooOften(wait)));
        }
        if let Some(account) = self.known_subaccount(asked.org_id).await?
            && self.bundle_of(&account, wanted).await?.is_some()
        {
            return Ok(None);
        }
        let ours = self.bundle_of_ours(wanted).await?;
        Ok(ours.is_none().then_some(Provisioned::NoPapers))
    }

    /// Whether a purchase must still be told which bundle to buy under. One whose number is chosen has been told, or was begun when
    /// no purchase was.
    pub(super) fn lacks_papers(purchase: &Purchase, wanted: &NumberRequest) -> bool {
        wanted.country.needs_bundle() && purchase.bundle_sid.is_none() && purchase.phone_number.is_none()
    }

    /// Notes the bundle to buy under: the subaccount's own, else a clone of ours. It is one step to make the subaccount and one to
    /// fill it, so that each has its time.
    pub(super) async fn lay_out_papers(
        &self,
        purchase: &Purchase,
        wanted: &NumberRequest,
    ) -> Result<Step, StepError> {
        let Some(account) = self.known_subaccount(purchase.org_id).await? else {
            self.subaccount(purchase.org_id).await?;
            return Ok(Step::On(Box::new(purchase.clone())));
        };
        let bundle = match self.bundle_of(&account, wanted).await? {
            Some(own) => own.sid,
            None => self.cloned_bundle(&account, wanted).await?,
        };
        self.save(purchase, Purchase { bundle_sid: Some(bundle), ..purchase.clone() }).await
    }

    async fn cloned_bundle(&self, account: &Account, wanted: &NumberRequest) -> Result<BundleSid, StepError> {
        let Some(ours) = self.bundle_of_ours(wanted).await? else { return Err(no_papers()) };
        let name = format!("voxanne/{}", self.environment);
        let error = match self.twilio.clone_bundle(&ours.sid, &account.sid, &name).await {
            Ok(clone) => return Ok(clone),
            Err(error) => error,
        };
        // Whatever was answered: what is there is the truth.
        match self.bundle_of(account, wanted).await? {
            Some(clone) => Ok(clone.sid),
            // Ours was withdrawn in the same moment.
            None if error.is_final() && !error.is_about_account() => Err(no_papers()),
            None => Err(error.into()),
        }
    }

    async fn bundle_of(
        &self,
        account: &Account,
        wanted: &NumberRequest,
    ) -> Result<Option<Bundle>, TwilioError> {
        let found = self.twilio.approved_bundles(account, wanted.country, wanted.number_type).await?;
        Ok(Bundle::to_buy_under(found, self.clock.now()))
    }

    async fn bundle_of_ours(&self, wanted: &NumberRequest) -> Result<Option<Bundle>, TwilioError> {
        let found = self.twilio.our_approved_bundles(wanted.country, wanted.number_type).await?;
        Ok(Bundle::to_buy_under(found, self.clock.now()))
    }
}

fn no_papers() -> StepError {
    StepError::Certain(Failure::CarrierRefused { sentence: NO_PAPERS.to_owned() })
}
