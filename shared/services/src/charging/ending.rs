//! Ending a call that must not go on, rung by rung, until a vendor says that it is over.

use jiff::Timestamp;

use super::{CallOwner, Charging, ChargingError, Snapshot, log_vapi, meter::Asks};
use base::alarm;
use base::alarm::chain;
use domain::{
    call::{Call, Testimony},
    meter::{EndReason, rung},
    tariff::TariffVersion,
    time::plus_secs,
};
use store::Attempt;

/// Why a call ended that the carrier says is over, in our own word.
pub(super) const CARRIER_COMPLETED: &str = "carrier-completed";

impl Charging {
    /// Does the rung that is due. The next look is ordered first: a crash after it costs seconds. Where another
    /// write came between, nothing is sent, and what to do is to be decided again.
    pub(super) async fn end(
        &self,
        call: &Call,
        reason: EndReason,
        now: Timestamp,
        started_at: Timestamp,
        held_under: Option<TariffVersion>,
    ) -> Result<Attempt<()>, ChargingError> {
        let ending_at = call.ending_at.unwrap_or(now);
        let rung = rung(ending_at, now);
        let after = Call { ending_at: Some(ending_at), ..call.clone() };
        if self.schedule_check(call, after, plus_secs(now, rung.next_check_secs)).await? == Attempt::Moved {
            return Ok(Attempt::Moved);
        }
        if rung.alarms {
            let secs = u32::try_from(now.duration_since(started_at).as_secs()).unwrap_or_default();
            let cost = call.tariff(held_under).charge(secs);
            alarm!("call_will_not_end", org_id = %call.org_id, call_id = %call.call_id, reason = reason.as_str(),
                cost_pence = cost.pence(), "a call goes on although it was told to end");
        }
        let owner = CallOwner { org_id: call.org_id, call_id: call.call_id.clone(), agent_limit_secs: None };
        // Side by side: a vendor that does not answer must not keep the other from being asked, nor its word from being noted.
        let at_the_carrier = async {
            if rung.carrier && self.hang_up(call).await {
                // A vendor has said so: what is left is how long it was.
                let ended_reason = Some(CARRIER_COMPLETED.to_owned());
                self.await_report(&owner, &Testimony { ended_reason, ..Testimony::default() }).await?;
            }
            Ok::<_, ChargingError>(())
        };
        let status = async {
            let is_first = call.ending_at.is_none();
            if is_first { None } else { Some(self.vendor_status(call).await) }
        };
        let ((), noted, status) =
            futures::future::join3(self.send_end(call, reason), at_the_carrier, status).await;
        noted?;
        if let Some(status) = status {
            let Snapshot { call, wallet } = self.snapshot(call.org_id, &call.call_id).await?;
            if let (Some(wallet), true) = (wallet, call.is_open()) {
                let asked = Asks { call, wallet, now: self.clock.now() };
                self.follow_status(&owner, &asked, &status).await?;
            }
        }
        Ok(Attempt::Done(()))
    }

    /// Hangs up at the carrier, by the account that the call's number lies in. Returns whether the carrier says that it is
    /// over.
    async fn hang_up(&self, call: &Call) -> bool {
        let Some(carrier) = &self.carrier else { return false };
        let sid = match (&call.parties.carrier_sid, &call.parties.vapi_call_id) {
            (Some(sid), _) => Some(sid.clone()),
            (None, Some(id)) => match self.vapi.call(id).await {
                Ok(found) => found.carrier_sid(),
                Err(error) => {
                    log_vapi(&error, &call.call_id, "tell the call's leg at the carrier");
                    None
                }
            },
            (None, None) => None,
        };
        let Some(sid) = sid else {
            tracing::warn!(call_id = %call.call_id, "the call has no leg at the carrier to hang up");
            return false;
        };
        match carrier.hang_up(call.org_id, call.parties.vapi_phone_id.as_ref(), &sid).await {
            Ok(is_over) => {
                tracing::info!(org_id = %call.org_id, call_id = %call.call_id, is_over, "a call was hung up at the carrier");
                is_over
            }
            // The next look is ordered, and goes on from here.
            Err(error) => {
                tracing::warn!(call_id = %call.call_id, cause = chain(&error), "the carrier did not hang up");
                false
            }
        }
    }

    async fn send_end(&self, call: &Call, reason: EndReason) {
        let control_url = match &call.control_url {
            Some(url) => Some(url.clone()),
            None => match self.found(call).await {
                Ok(found) => found.and_then(|found| found.control_url()),
                Err(error) => return log_vapi(&error, &call.call_id, "tell where the call takes commands"),
            },
        };
        let Some(control_url) = control_url else {
            return tracing::warn!(call_id = %call.call_id, "the call has no control URL to end it by");
        };
        match self.vapi.end_call(&control_url).await {
            Ok(()) => {
                tracing::info!(org_id = %call.org_id, call_id = %call.call_id, reason = reason.as_str(), "a call was told to end");
            }
            // The next look is ordered, and goes on from here.
            Err(error) => log_vapi(&error, &call.call_id, "take the end"),
        }
    }
}
