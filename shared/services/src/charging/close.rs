//! It is over: charge what was talked, or give the hold back.

use jiff::{SignedDuration, Timestamp};

use super::{CallOwner, Charging, ChargingError, Snapshot, log_vapi};
use base::alarm;
use domain::{
    call::{Bill, Call, Direction, Event, IllegalTransition, State, Testimony, Verdict},
    hold::PROVIDER_LIMIT_SECS,
    ledger::{Posting, Reason},
    meter::REPORT_WAIT_SECS,
    tariff::Tariff,
    time::plus_secs,
    wallet::Wallet,
};
use store::{Attempt, ChangeError};
use vendors::vapi::message::CallRef;

/// How long a call whose duration no vendor states stays open before it is billed by our own times.
const ESTIMATE_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What became of a call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was charged, now or by an earlier copy of the same news.
    Settled(Bill),
    /// There was no talk; nothing was charged.
    Released,
    /// It was refused before, and stays so.
    Refused,
    /// How long it was is not known yet. It stays open and is looked at again.
    Pending,
}

impl Charging {
    /// Records that Vapi says a call is over. Its report is expected; if it is lost, the meter asks.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn ended(
        &self,
        owner: &CallOwner,
        call: &CallRef,
        reason: Option<String>,
    ) -> Result<(), ChargingError> {
        let testimony = Testimony { ended_reason: reason, ..Testimony::default() };
        match self.await_report(owner, &testimony).await {
            Err(ChargingError::RecordMissing(_)) => {
                self.open(owner, call).await?;
                self.await_report(owner, &testimony).await
            }
            outcome => outcome,
        }
    }

    pub(super) async fn await_report(
        &self,
        owner: &CallOwner,
        testimony: &Testimony,
    ) -> Result<(), ChargingError> {
        let note_end = || async move {
            let Snapshot { call, .. } = self.snapshot(owner.org_id, &owner.call_id).await?;
            let mut after = self.ended_by(&call, testimony)?;
            if after == call {
                return Ok(Attempt::Done(()));
            }
            let now = self.clock.now();
            after.last_seen_at = now;
            Ok(self.schedule_check(&call, after, plus_secs(now, REPORT_WAIT_SECS)).await?)
        };
        self.db.until_written("the call", note_end).await
    }

    /// Charges a finished call, once, by the first source that states its duration: the report, else Vapi's own
    /// record of the call.
    ///
    /// # Errors
    /// When the store or the queue does not do its part. Nothing is lost: the call stays open and due.
    pub async fn report(
        &self,
        owner: &CallOwner,
        call: &CallRef,
        testimony: &Testimony,
    ) -> Result<Closed, ChargingError> {
        let closed = match self.close(owner, testimony).await {
            Err(ChargingError::RecordMissing(_)) => {
                self.open(owner, call).await?;
                self.close(owner, testimony).await?
            }
            closed => closed?,
        };
        match closed {
            Closed::Pending => {}
            closed @ (Closed::Settled(_) | Closed::Released | Closed::Refused) => return Ok(closed),
        }
        let asked = match self.vapi.call(&call.vapi_call_id).await {
            Ok(found) if found.is_ended() => self.close(owner, &found.testimony()).await?,
            Ok(_) => Closed::Pending,
            Err(error) => {
                log_vapi(&error, &owner.call_id, "tell how long the call was");
                Closed::Pending
            }
        };
        if asked == Closed::Pending {
            self.await_report(owner, testimony).await?;
        }
        Ok(asked)
    }

    /// Closes a call on one source's word, if that says enough.
    pub(super) async fn close(
        &self,
        owner: &CallOwner,
        testimony: &Testimony,
    ) -> Result<Closed, ChargingError> {
        let close = || async move {
            let Snapshot { call, wallet } = self.snapshot(owner.org_id, &owner.call_id).await?;
            // A finished call is always charged, also of an org that has never signed in.
            let wallet = match wallet {
                Some(wallet) => wallet,
                None => self.wallets.ensure(owner.org_id).await?,
            };
            if let State::Settled(bill) = &call.state {
                let bill = bill.clone();
                alarm_if_underestimated(&call, &bill, testimony);
                self.follow_up.after(&wallet).await?;
                return Ok(Attempt::Done(Closed::Settled(bill)));
            }
            match testimony.verdict(call.started_at().is_some()) {
                Verdict::Unstated => Ok(Attempt::Done(Closed::Pending)),
                Verdict::NeverTalked => {
                    let ended = call.after(Event::Ended { reason: testimony.ended_reason.clone() })?;
                    self.release(&call, &ended, &wallet).await
                }
                Verdict::Talked { duration_secs, started_at, ended_at } => {
                    let ended = self.ended_by(&call, testimony)?;
                    // Without a hold, the prices are those in force when it began, as the source says.
                    let held_under = wallet.holds.get(&call.call_id).map(|hold| hold.tariff);
                    let begun_under = started_at.map(|at| Tariff::at(at).version);
                    let tariff = call.tariff(held_under.or(begun_under));
                    let bill = Bill {
                        duration_secs,
                        charged: tariff.charge(duration_secs),
                        tariff: tariff.version,
                        started_at: started_at.or(call.started_at()),
                        ended_at,
                        estimated: false,
                    };
                    self.settle(&call, &ended, &wallet, bill).await
                }
            }
        };
        self.db.until_written("the wallet", close).await
    }

    /// Bills a call by our own times, when no vendor will ever say: from its start to its last sign of life, or its
    /// provider limit if that is earlier.
    pub(super) async fn estimate(
        &self,
        call: &Call,
        wallet: &Wallet,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let Some(started_at) = call.started_at() else {
            return self.release(call, call, wallet).await;
        };
        let hold = wallet.holds.get(&call.call_id);
        let limit_secs = call.provider_limit_secs.unwrap_or(*PROVIDER_LIMIT_SECS.end());
        let limit = plus_secs(started_at, limit_secs.into());
        let ended_at = limit.min(call.last_seen_at).max(started_at);
        let whole = whole_seconds(ended_at.duration_since(started_at));
        let tariff = call.tariff(hold.map(|hold| hold.tariff));
        let bill = Bill {
            duration_secs: whole,
            charged: tariff.charge(whole),
            tariff: tariff.version,
            started_at: Some(started_at),
            ended_at: Some(ended_at),
            estimated: true,
        };
        self.settle(call, call, wallet, bill).await
    }

    /// Whether a call that is over has waited long enough for a vendor to state its duration.
    pub(super) fn is_unstated_for_good(call: &Call, now: Timestamp) -> bool {
        now.duration_since(call.last_seen_at) >= ESTIMATE_AFTER
    }

    async fn settle(
        &self,
        call: &Call,
        ended: &Call,
        wallet: &Wallet,
        bill: Bill,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let after = ended.after(Event::Settled(bill.clone()))?;
        let posting = Posting {
            reason: Reason::Call { call_id: call.call_id.clone(), tariff: bill.tariff },
            amount: bill.charged,
            description: format!(
                "{} call, {} min {} s",
                match call.parties.direction {
                    Direction::Inbound => "Inbound",
                    Direction::Outbound => "Outbound",
                },
                bill.duration_secs.div_euclid(60),
                bill.duration_secs.rem_euclid(60)
            ),
            at: self.clock.now(),
        };
        match self.wallets.settle(wallet, call, &after, &posting).await {
            Ok(wallet) => {
                tracing::info!(org_id = %call.org_id, call_id = %call.call_id, duration_secs = bill.duration_secs,
                    charged_pence = bill.charged.pence(), estimated = bill.estimated, "a call was settled");
                if bill.estimated {
                    alarm!("call_billed_by_estimate", org_id = %call.org_id, call_id = %call.call_id,
                        duration_secs = bill.duration_secs,
                        "no vendor states how long a call was; it is billed by our own times");
                }
                self.follow_up.after(&wallet).await?;
                Ok(Attempt::Done(Closed::Settled(bill)))
            }
            // An entry that exists was written with its record: the next read finds the call settled.
            Err(ChangeError::Moved) => Ok(Attempt::Moved),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// The call, ended as a testimony says; one that says when they began to talk is remembered to say so.
    pub(super) fn ended_by(&self, call: &Call, testimony: &Testimony) -> Result<Call, IllegalTransition> {
        let started = match testimony.started_at {
            Some(at) => call.after(Event::Started { at: self.credible_start(at), control_url: None })?,
            None => call.clone(),
        };
        started.after(Event::Ended { reason: testimony.ended_reason.clone() })
    }

    pub(super) async fn release(
        &self,
        call: &Call,
        ended: &Call,
        wallet: &Wallet,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let after = ended.after(Event::Released)?;
        let is_refused = matches!(after.state, State::Refused { .. });
        let closed = if is_refused { Closed::Refused } else { Closed::Released };
        let released = match wallet.holds.get(&call.call_id) {
            Some(hold) => Attempt::of(self.wallets.release(call, &after, hold).await)?,
            None if after == *call => Attempt::Done(()),
            None => self.save(call, &after).await?,
        };
        if released == Attempt::Done(()) {
            tracing::info!(org_id = %call.org_id, call_id = %call.call_id, "a call was released: nothing is charged");
        }
        Ok(released.map(|()| closed))
    }
}

/// A bill by our own times is final; when a vendor states more after all, a person must book the difference.
fn alarm_if_underestimated(call: &Call, bill: &Bill, testimony: &Testimony) {
    if let (true, Verdict::Talked { duration_secs, .. }) = (bill.estimated, testimony.verdict(true))
        && duration_secs != bill.duration_secs
    {
        alarm!("estimate_was_wrong", org_id = %call.org_id, call_id = %call.call_id,
            billed_secs = bill.duration_secs, duration_secs,
            "a call was billed by our own times, and now its duration is stated");
    }
}

/// Whole seconds, rounded up; nothing when it is less than nothing.
fn whole_seconds(duration: SignedDuration) -> u32 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or_default();
    u32::try_from(millis.div_ceil(1_000)).unwrap_or(u32::MAX)
}
