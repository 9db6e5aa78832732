//! Ending a call that must not go on, rung by rung, until a vendor says that it is over.

use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;

use super::{
    CallOwner, Charging, ChargingError, Snapshot, log_vapi,
    meter::{Asks, VendorStatus},
    start::CallHandles,
};
use base::alarm;
use base::alarm::chain;
use domain::{
    call::{Call, State, Testimony},
    ids::{CallId, OrgId},
    meter::{EndReason, rung},
    tariff::TariffVersion,
    time::plus_secs,
};
use store::Attempt;

/// Why a call ended that the carrier says is over, in our own word.
pub(super) const CARRIER_COMPLETED: &str = "carrier-completed";

/// Why and since when a call is to be ended.
pub(super) struct EndDue {
    pub(super) reason: EndReason,
    pub(super) now: Timestamp,
    pub(super) started_at: Timestamp,
    pub(super) held_under: Option<TariffVersion>,
}

impl Charging {
    /// Ends a call because somebody of the clinic asks for it, and returns it as it stands: none when the org has no such call. One
    /// that has not begun to talk, is being ended or is over is left as it is.
    ///
    /// # Errors
    /// When the store or the queue does not answer.
    pub async fn end_as_asked(&self, org: OrgId, id: &CallId) -> Result<Option<Call>, ChargingError> {
        let round = || async {
            let Some(call) = self.calls.get(org, id).await? else { return Ok(Attempt::Done(None)) };
            let State::InProgress { started_at } = call.state else { return Ok(Attempt::Done(Some(call))) };
            if call.end_asked {
                return Ok(Attempt::Done(Some(call)));
            }
            let asked = Call { end_asked: true, ..call };
            let due =
                EndDue { reason: EndReason::Asked, now: self.clock.now(), started_at, held_under: None };
            Ok::<_, ChargingError>(self.end(&asked, &due, None).await?.map(|()| Some(asked)))
        };
        self.db.until_written("the call", round).await
    }

    /// Does the rung that is due. The next look is ordered first: a crash after it costs seconds. Where another
    /// write came between, nothing is sent, and what to do is to be decided again.
    ///
    /// Vapi is asked once at the most, and not again when it was asked just before: however long each vendor takes, the rung
    /// takes no longer than two waits.
    pub(super) async fn end(
        &self,
        call: &Call,
        due: &EndDue,
        status: Option<&VendorStatus>,
    ) -> Result<Attempt<()>, ChargingError> {
        let &EndDue { reason, now, started_at, held_under } = due;
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
        let is_first = call.ending_at.is_none();
        let wants_sid = rung.carrier && self.carrier.is_some() && call.parties.carrier_sid.is_none();
        let is_asked = status.is_none() && (!is_first || call.control_url.is_none() || wants_sid);
        let asked = async { if is_asked { Some(Arc::new(self.vendor_status(call).await)) } else { None } };
        let asked = asked.boxed().shared();
        let told = || async { handles(asked.clone().await.as_deref().or(status)) };
        // Side by side: a vendor that does not answer must not keep the other from being asked, nor its word from being noted.
        let at_the_carrier = async {
            if rung.carrier && self.hang_up(call, told()).await {
                // A vendor has said so: what is left is how long it was.
                let ended_reason = Some(CARRIER_COMPLETED.to_owned());
                self.await_report(&owner, &Testimony { ended_reason, ..Testimony::default() }).await?;
            }
            Ok::<_, ChargingError>(())
        };
        let ((), noted, asked) =
            futures::future::join3(self.send_end(call, reason, told()), at_the_carrier, asked.clone()).await;
        noted?;
        if let (Some(status), false) = (asked, is_first) {
            let Snapshot { call, wallet } = self.snapshot(call.org_id, &call.call_id).await?;
            if let (Some(wallet), true) = (wallet, call.is_open()) {
                let asked = Asks { call, wallet, now: self.clock.now() };
                self.follow_status(&owner, &asked, &status).await?;
            }
        }
        Ok(Attempt::Done(()))
    }

    /// Hangs up at the carrier, by the account that the call's number lies in. Returns whether the carrier says that it is
    /// over. `told` is waited for only where our record does not know the leg.
    async fn hang_up(&self, call: &Call, told: impl Future<Output = CallHandles>) -> bool {
        let Some(carrier) = &self.carrier else { return false };
        let sid = match &call.parties.carrier_sid {
            Some(sid) => Some(sid.clone()),
            None => told.await.carrier_sid,
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

    async fn send_end(&self, call: &Call, reason: EndReason, told: impl Future<Output = CallHandles>) {
        let control_url = match &call.control_url {
            Some(url) => Some(url.clone()),
            None => told.await.control_url,
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

/// What Vapi's record tells of where a call can be reached.
fn handles(status: Option<&VendorStatus>) -> CallHandles {
    match status {
        Some(VendorStatus::Live(found) | VendorStatus::Ended(found)) => {
            CallHandles { control_url: found.control_url(), carrier_sid: found.carrier_sid() }
        }
        Some(VendorStatus::Unknown | VendorStatus::Unreachable) | None => {
            CallHandles { control_url: None, carrier_sid: None }
        }
    }
}
