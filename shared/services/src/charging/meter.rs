//! A look at a live call: extend, warn, end; and find what a lost webhook left behind.

use jiff::{SignedDuration, Timestamp};

use super::{
    CallOwner, Charging, ChargingError, Closed, Snapshot,
    ending::{CARRIER_COMPLETED, EndDue},
    log_vapi,
    start::CallHandles,
};
use base::alarm;
use domain::{
    call::{Call, State, Testimony},
    hold::PROVIDER_LIMIT_SECS,
    meter::{self, Next},
    time::plus_secs,
    wallet::{Extension, Wallet},
};
use store::{Attempt, StoreError, queue::MeterMessage};
use vendors::vapi::{VapiCall, VapiError};

/// How long a call may be out of sight before an operator is told, or a call that Vapi does not know is given up.
const OUT_OF_SIGHT: SignedDuration = SignedDuration::from_mins(10);
/// When a call that is being ended is looked at again, if the look itself is broken off.
const END_CHECK_SECS: i64 = 5;
/// How long after its limit Vapi may take to end a call.
const LIMIT_GRACE_SECS: i64 = 20;
/// When a call that Vapi does not say has ended is asked after again.
const ASK_AGAIN_SECS: i64 = 60;

/// What the callers hear before the money ends. It does not speak of money.
const WARNING: &str = "Just so you know, this call will have to end in about thirty seconds.";

/// Whether a call cannot be going on: it never began that we know of, its end was heard, Vapi's limit is past, or it has
/// no hold and we have long been ending it. Until then one that Vapi does not know is metered on: its own money ends it.
fn is_surely_over(call: &Call, wallet: &Wallet, now: Timestamp) -> bool {
    let is_given_up = call.ending_at.is_some_and(|at| now.duration_since(at) >= OUT_OF_SIGHT);
    if is_given_up && !wallet.holds.contains_key(&call.call_id) {
        return true;
    }
    match (&call.state, call.started_at()) {
        (State::InProgress { .. }, Some(started_at)) => {
            let limit = call.provider_limit_secs.unwrap_or(*PROVIDER_LIMIT_SECS.end());
            now >= plus_secs(started_at, limit.into())
        }
        _ => true,
    }
}

/// Whether a call that was said to be over, and that Vapi's record shows live, is believed to be live no longer: nothing else
/// has shown talk for long, or the limit that Vapi was told is past.
fn is_shown_no_longer(call: &Call, now: Timestamp) -> bool {
    let (State::InProgress { started_at }, Some(shown_until)) = (&call.state, call.shown_until) else {
        return false;
    };
    let is_past_limit = call.told_limit_secs().is_some_and(|limit| {
        now >= plus_secs(*started_at, i64::from(limit).saturating_add(LIMIT_GRACE_SECS))
    });
    now.duration_since(shown_until) >= OUT_OF_SIGHT || is_past_limit
}

fn alarm_lives_on(call: &Call) {
    alarm!("ended_call_lives_on", org_id = %call.org_id, call_id = %call.call_id,
        "Vapi said that a call has ended, and still shows it as live");
}

/// A call that Vapi is to be asked about, and its wallet, as read then.
pub(super) struct Asks {
    pub(super) call: Call,
    pub(super) wallet: Wallet,
    pub(super) now: Timestamp,
}

/// Whether Vapi is asked before anything is done.
fn asks_first(call: &Call, next: &Next) -> bool {
    match next {
        Next::Ask => true,
        // A live call is seen to be alive at every check that is not pressed for time.
        Next::Sleep { .. } | Next::Extend(_) => call.started_at().is_some(),
        // A rung of the end asks while it ends.
        Next::Nothing | Next::Warn { .. } | Next::End(_) => false,
    }
}

/// What Vapi says of a call.
pub(super) enum VendorStatus {
    Ended(Box<VapiCall>),
    Live(Box<VapiCall>),
    Unknown,
    Unreachable,
}

impl Charging {
    /// Does whatever is due for the call that `message` names. What that is follows from the records and the time
    /// alone; the message only says when to check. A copy that comes after the check was done does nothing.
    ///
    /// # Errors
    /// When the store or the queue does not do its part: the message must come again.
    pub async fn check(&self, message: &MeterMessage) -> Result<(), ChargingError> {
        let round = || self.round(message, None);
        let asks = match self.db.until_written("the call", round).await {
            // Its record was never written, and nothing was set aside for it: the webhook answered an error.
            Err(ChargingError::RecordMissing(_)) => {
                tracing::warn!(org_id = %message.org_id, call_id = %message.call_id, "a check of a call without a record");
                return Ok(());
            }
            asks => asks?,
        };
        let Some(asks) = asks else { return Ok(()) };
        let owner =
            CallOwner { org_id: message.org_id, call_id: message.call_id.clone(), agent_limit_secs: None };
        let status = self.vendor_status(&asks.call).await;
        if self.follow_status(&owner, &asks, &status).await? {
            return Ok(());
        }
        // However long Vapi took: what is decided now has its own time.
        self.db.until_written("the call", || self.round(message, Some(&status))).await?;
        Ok(())
    }

    /// Reads the records once and does what they say is due. Returns what Vapi is to be asked about, when it is to be asked
    /// first; it is asked once in a check.
    async fn round(
        &self,
        message: &MeterMessage,
        status: Option<&VendorStatus>,
    ) -> Result<Attempt<Option<Asks>>, ChargingError> {
        let Snapshot { call, wallet } = self.snapshot(message.org_id, &message.call_id).await?;
        let is_behind = status.is_none() && !message.urgent && message.due_at < call.due_at;
        if is_behind {
            return Ok(Attempt::Done(None));
        }
        if !call.is_open() {
            // The function that closed it may have died before what follows. An urgent check is itself what follows: it
            // would only multiply.
            if let (Some(wallet), false) = (&wallet, message.urgent) {
                self.follow_up.after(wallet).await?;
            }
            return Ok(Attempt::Done(None));
        }
        // An org whose calls come before its first sign-in: it owes what they cost like any other.
        let wallet = match wallet {
            Some(wallet) => wallet,
            None => self.wallets.ensure(message.org_id).await?,
        };
        let now = self.clock.now();
        let next = meter::next(&call, &wallet, now);
        if status.is_none() && asks_first(&call, &next) {
            return Ok(Attempt::Done(Some(Asks { call, wallet, now })));
        }
        let is_seen =
            matches!(status, Some(VendorStatus::Live(_))) && !matches!(call.state, State::Ended { .. });
        let last_seen_at = if is_seen { now } else { call.last_seen_at };
        let call = Call { last_seen_at, ..call };
        let acted = self.act(&call, &wallet, (next, now), status).await?;
        Ok(acted.map(|()| None))
    }

    /// Does one thing. It is to be decided again where another write came between, or where this one changed what is due.
    async fn act(
        &self,
        call: &Call,
        wallet: &Wallet,
        (next, now): (Next, Timestamp),
        status: Option<&VendorStatus>,
    ) -> Result<Attempt<()>, ChargingError> {
        let started_at = call.started_at().unwrap_or(call.created_at);
        if matches!(next, Next::Extend(_) | Next::Warn { .. } | Next::End(_)) {
            // It is given less than a full unit, or nothing: a card that may be charged can still save it.
            self.follow_up.watch.after_or_later(wallet).await;
        }
        match next {
            Next::Nothing => Ok(Attempt::Done(())),
            Next::Ask => Ok(self.schedule_check(call, call.clone(), plus_secs(now, ASK_AGAIN_SECS)).await?),
            Next::Sleep { until } => Ok(self.schedule_check(call, call.clone(), until).await?),
            Next::Extend(extension) => {
                let is_extended = extension.amount.is_zero()
                    || self.extend(call, wallet, started_at, &extension).await? == Attempt::Done(());
                if is_extended && call.ending_at.is_some() {
                    let saved = Call { ending_at: None, ..call.clone() };
                    self.schedule_check(call, saved, now).await?;
                }
                Ok(Attempt::Moved)
            }
            Next::Warn { paid_until, until } => {
                let after = Call { warned_for: Some(paid_until), ..call.clone() };
                let noted = self.schedule_check(call, after, until).await?;
                if noted == Attempt::Done(()) {
                    self.warn(call).await;
                }
                Ok(noted)
            }
            Next::End(reason) => {
                let held_under = wallet.holds.get(&call.call_id).map(|hold| hold.tariff);
                self.end(call, &EndDue { reason, now, started_at, held_under }, status).await
            }
        }
    }

    async fn extend(
        &self,
        call: &Call,
        wallet: &Wallet,
        started_at: Timestamp,
        extension: &Extension,
    ) -> Result<Attempt<()>, StoreError> {
        let Some(hold) = wallet.holds.get(&call.call_id) else { return Ok(Attempt::Moved) };
        match Attempt::of(self.wallets.extend(call, hold, started_at, extension).await)? {
            Attempt::Moved => Ok(Attempt::Moved),
            Attempt::Done(extended) => {
                tracing::info!(org_id = %call.org_id, call_id = %call.call_id, step = hold.step,
                    pence = extension.amount.pence(), full = extension.full, "extended the hold of a call");
                let after = wallet.extended(&call.call_id, &extended);
                self.follow_up.watch.after_or_later(&after).await;
                Ok(Attempt::Done(()))
            }
        }
    }

    async fn warn(&self, call: &Call) {
        let Some(control_url) = &call.control_url else { return };
        match self.vapi.say(control_url, WARNING).await {
            Ok(()) => {
                tracing::info!(org_id = %call.org_id, call_id = %call.call_id, "the callers were warned of the end");
            }
            // A warning is a courtesy: the end does not wait for it.
            Err(error) => log_vapi(&error, &call.call_id, "say the warning"),
        }
    }

    pub(super) async fn vendor_status(&self, call: &Call) -> VendorStatus {
        match self.found(call).await {
            Ok(Some(found)) if found.is_ended() => VendorStatus::Ended(Box::new(found)),
            // It answers so of a call whose data is gone.
            Ok(Some(found)) if found.is_unknown() => VendorStatus::Unknown,
            Ok(Some(found)) => VendorStatus::Live(Box::new(found)),
            Ok(None) | Err(VapiError::NotFound) => VendorStatus::Unknown,
            Err(error) => {
                log_vapi(&error, &call.call_id, "tell how the call stands");
                VendorStatus::Unreachable
            }
        }
    }

    /// Does what follows from what Vapi says. Returns whether the check is over.
    pub(super) async fn follow_status(
        &self,
        owner: &CallOwner,
        Asks { call, wallet, now }: &Asks,
        status: &VendorStatus,
    ) -> Result<bool, ChargingError> {
        let now = *now;
        let is_long_gone = now.duration_since(call.last_seen_at) >= OUT_OF_SIGHT;
        // One of ours whose name at Vapi was not known: it is known by that from now on.
        if let (VendorStatus::Ended(found) | VendorStatus::Live(found), None) =
            (status, &call.parties.vapi_call_id)
            && !self.note_dialled(call.org_id, &call.call_id, found).await?
        {
            return Ok(true);
        }
        if let VendorStatus::Ended(found) = status {
            self.keep_recorded(owner.org_id, &owner.call_id, found).await;
        }
        match status {
            VendorStatus::Ended(found) => match self.close(owner, &found.testimony()).await? {
                Closed::Settled(_) | Closed::Released | Closed::Refused => Ok(true),
                Closed::Pending => self.wait_for_a_duration(call, wallet, &found.testimony(), now).await,
            },
            VendorStatus::Live(found) if matches!(call.state, State::Ended { .. }) => {
                self.lives_on(call, wallet, found, now).await
            }
            VendorStatus::Live(_) if is_shown_no_longer(call, now) => {
                self.settle_as_shown(call, wallet).await
            }
            VendorStatus::Live(found) => {
                let is_told_where = call.control_url.is_none() && found.control_url().is_some();
                let is_news = call.started_at().is_none() || is_told_where;
                if let (State::Authorizing | State::Authorized | State::InProgress { .. }, Some(at), true) =
                    (&call.state, found.talks_since(now), is_news)
                {
                    let handles =
                        CallHandles { control_url: found.control_url(), carrier_sid: found.carrier_sid() };
                    self.started(owner, at, &handles).await?;
                }
                Ok(false)
            }
            VendorStatus::Unknown if is_long_gone && is_surely_over(call, wallet, now) => {
                // Never seen to start: released. Snapshot to start: billed to the last sign of life.
                self.estimated(call, wallet).await
            }
            VendorStatus::Unknown | VendorStatus::Unreachable if is_long_gone => {
                alarm!("call_out_of_sight", org_id = %call.org_id, call_id = %call.call_id,
                    "Vapi has not said for ten minutes how a call stands");
                Ok(false)
            }
            VendorStatus::Unknown | VendorStatus::Unreachable => Ok(false),
        }
    }

    /// A message said that the call is over, and Vapi's record shows it live. It is metered on: held for, warned and ended; what
    /// is charged is only what is shown. The carrier's word that its leg is over is believed.
    async fn lives_on(
        &self,
        call: &Call,
        wallet: &Wallet,
        found: &VapiCall,
        now: Timestamp,
    ) -> Result<bool, ChargingError> {
        let is_hung_up = call.ended_reason.as_deref() == Some(CARRIER_COMPLETED);
        if let (Some(at), false) = (found.talks_since(now), is_hung_up) {
            let started_at = self.credible_start(at);
            let mut after = call.found_live(started_at);
            after.control_url = after.control_url.or_else(|| found.control_url());
            after.last_seen_at = now;
            tracing::warn!(org_id = %call.org_id, call_id = %call.call_id, "a call goes on that was said to be over");
            // Then it is decided what is due for it, as for any call that talks.
            self.schedule_check(call, after, plus_secs(now, END_CHECK_SECS)).await?;
            return Ok(false);
        }
        if now.duration_since(call.last_seen_at) < OUT_OF_SIGHT {
            return Ok(false);
        }
        if Self::is_unstated_for_good(call, now) {
            return self.estimated(call, wallet).await;
        }
        alarm_lives_on(call);
        Ok(false)
    }

    /// Vapi's record shows a call live for long after anything else has shown talk: it is billed up to that.
    async fn settle_as_shown(&self, call: &Call, wallet: &Wallet) -> Result<bool, ChargingError> {
        alarm_lives_on(call);
        let shown = Call { last_seen_at: call.shown_until.unwrap_or(call.last_seen_at), ..call.clone() };
        self.estimated(&shown, wallet).await
    }

    /// Vapi says that it is over, not how long it was, and we saw it start: it stays open and alarms, and after an
    /// hour is billed by our own times.
    async fn wait_for_a_duration(
        &self,
        call: &Call,
        wallet: &Wallet,
        testimony: &Testimony,
        now: Timestamp,
    ) -> Result<bool, ChargingError> {
        if Self::is_unstated_for_good(call, now) {
            return self.estimated(call, wallet).await;
        }
        alarm!("call_unbilled", org_id = %call.org_id, call_id = %call.call_id,
            "a call is over and nobody states how long it was");
        let after = self.ended_by(call, testimony)?;
        let scheduled = self.schedule_check(call, after, plus_secs(now, ASK_AGAIN_SECS)).await?;
        Ok(scheduled == Attempt::Done(()))
    }

    /// Bills by our own times. Returns whether that is done, or is to be decided again.
    async fn estimated(&self, call: &Call, wallet: &Wallet) -> Result<bool, ChargingError> {
        Ok(matches!(self.estimate(call, wallet).await?, Attempt::Done(_)))
    }
}
