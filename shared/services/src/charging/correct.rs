//! A call that is billed, and a vendor that says something else later. A difference in the clinic's favour is
//! corrected by itself, by Vapi's own record; one against it is a doubt, which a person accepts or lets lapse.

use super::{CallOwner, Charging, ChargingError, Closed, log_vapi};
use base::alarm;
use domain::{
    call::{Bill, Call, State, Testimony},
    doubt::{Doubt, Why},
    ids::{CallId, OrgId},
    ledger::{EntrySide, Posting, Reason},
    wallet::Wallet,
};
use jiff::Timestamp;
use store::{Attempt, ChangeError};

impl Charging {
    /// Compares what a source says of a billed call with the bill. Only Vapi's own record changes anything.
    pub(super) async fn compare(
        &self,
        call: &Call,
        bill: &Bill,
        wallet: &Wallet,
        testimony: &Testimony,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let unchanged = || Attempt::Done(Closed::Settled(bill.clone()));
        let Some(stated_secs) = testimony.stated_secs().filter(|_| bill.differs_from(testimony)) else {
            return Ok(unchanged());
        };
        if !testimony.is_record {
            return Ok(unchanged());
        }
        if stated_secs < bill.duration_secs {
            return self.correct(call, bill, wallet, stated_secs).await;
        }
        let doubted = Bill { doubted_secs: Some(stated_secs), ..bill.clone() };
        let doubt = self.doubt_of(call, &doubted, Why::LaterWord);
        // Seconds that cost nothing more are no doubt.
        let doubted = Bill { doubted_secs: doubt.as_ref().map(|doubt| doubt.stated_secs), ..doubted };
        if doubted == *bill {
            return Ok(unchanged());
        }
        let after = Call { state: State::Settled(doubted.clone()), ..call.clone() };
        let written = Attempt::of(self.wallets.doubt(call, &after, doubt.as_ref()).await)?;
        if let (Attempt::Done(()), Some(doubt)) = (written, &doubt) {
            alarm_doubt(doubt);
        }
        Ok(written.map(|()| Closed::Settled(doubted)))
    }

    /// Compares a billed call with Vapi's record of it, if that can be had.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn compare_with_record(&self, org_id: OrgId, call_id: &CallId) -> Result<(), ChargingError> {
        let Some(call) = self.calls.get(org_id, call_id).await? else { return Ok(()) };
        match self.found(&call).await {
            Ok(Some(found)) if found.is_ended() => {
                let owner = CallOwner { org_id, call_id: call_id.clone(), agent_limit_secs: None };
                self.close(&owner, &found.testimony()).await.map(|_| ())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                log_vapi(&error, call_id, "tell how long the call was");
                Ok(())
            }
        }
    }

    /// Gives back what was billed beyond what Vapi's record says.
    async fn correct(
        &self,
        call: &Call,
        bill: &Bill,
        wallet: &Wallet,
        stated_secs: u32,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let corrected = bill.corrected(stated_secs);
        let posting = correction(call, bill, &corrected, EntrySide::Credit, self.clock.now());
        let after = Call { state: State::Settled(corrected.clone()), ..call.clone() };
        if posting.amount.is_zero() {
            let written = Attempt::of(self.wallets.doubt(call, &after, None).await)?;
            return Ok(written.map(|()| Closed::Settled(corrected)));
        }
        match self.wallets.correct(wallet, call, &after, &posting, None).await {
            Ok(_) => {
                tracing::warn!(org_id = %call.org_id, call_id = %call.call_id, billed_secs = bill.duration_secs,
                    duration_secs = stated_secs, pence = posting.amount.pence(),
                    "a bill was corrected: Vapi's record says that the call was shorter");
                Ok(Attempt::Done(Closed::Settled(corrected)))
            }
            Err(ChangeError::Moved) => Ok(Attempt::Moved),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// The doubt that a bill leaves, if it leaves one.
    pub(super) fn doubt_of(&self, call: &Call, bill: &Bill, why: Why) -> Option<Doubt> {
        let (org, id) = (call.org_id, call.call_id.clone());
        Doubt::about(org, id, bill, bill.doubted_secs?, why, self.clock.now())
    }
}

/// The movement that makes a bill into a corrected one, with both durations in its description.
pub(crate) fn correction(
    call: &Call,
    before: &Bill,
    after: &Bill,
    direction: EntrySide,
    at: Timestamp,
) -> Posting {
    let (more, less) = match direction {
        EntrySide::Credit => (before.charged, after.charged),
        EntrySide::Debit => (after.charged, before.charged),
    };
    let description =
        format!("Correction of a call: {} s instead of {} s", after.duration_secs, before.duration_secs);
    let reason = Reason::CallCorrection {
        call_id: call.call_id.clone(),
        tariff: after.tariff,
        nth: after.corrections,
        direction,
    };
    Posting { reason, amount: more.minus_or_zero(less), description, at }
}

pub(super) fn alarm_doubt(doubt: &Doubt) {
    alarm!("call_duration_doubted", org_id = %doubt.org_id, call_id = %doubt.call_id,
        billed_secs = doubt.billed_secs, stated_secs = doubt.stated_secs, pence = doubt.amount.pence(),
        "a vendor states more talk than is billed: a person decides about the rest");
}
