//! It is over: charge what was talked, or give the hold back.

use futures::future::join;
use jiff::{SignedDuration, Timestamp};

use super::{CallOwner, Charging, ChargingError, Snapshot, correct::alarm_doubt, log_vapi};
use base::alarm;
use domain::{
    call::{Bill, Call, Direction, Event, IllegalTransition, State, Talk, Testimony, Verdict, whole_seconds},
    doubt::Why,
    hold::{END_MARGIN_SECS, Hold, PROVIDER_LIMIT_SECS},
    ledger::{Posting, Reason},
    meter::REPORT_WAIT_SECS,
    time::plus_secs,
    wallet::Wallet,
};
use store::{Attempt, ChangeError};
use vendors::vapi::{message::CallRef, reasons};

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

/// How far a source is believed that states more than our own records can confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    /// Not at all: Vapi's record is asked first.
    OnlyConfirmed,
    /// As far as our records confirm it; the rest is a doubt.
    AsFarAsConfirmed,
}

/// What Vapi's record says of a call.
enum Asked {
    /// It is over, and was closed on that.
    Closed(Closed),
    /// It goes on.
    Live,
    /// Nothing, or not enough.
    Silent,
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
        let ending = reason.as_deref().map(reasons::ending);
        let testimony = Testimony { ended_reason: reason, ending, ..Testimony::default() };
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
            let Snapshot { call, wallet } = self.snapshot(owner.org_id, &owner.call_id).await?;
            if !call.is_open() {
                return Ok(Attempt::Done(()));
            }
            alarm_if_upstream(&call, testimony);
            let mut after = self.ended_by(&call, testimony)?;
            if after == call {
                return Ok(Attempt::Done(()));
            }
            let now = self.clock.now();
            after.last_seen_at = now;
            // Should the word be a stray one, the call is still looked at before its money ends.
            let wait = plus_secs(now, REPORT_WAIT_SECS);
            let at =
                wallet.and_then(|wallet| money_ends_at(&call, &wallet)).map_or(wait, |end| end.min(wait));
            Ok(self.schedule_check(&call, after, at).await?)
        };
        self.db.until_written("the call", note_end).await
    }

    /// Charges a finished call, once, by the first source that states its duration: the report, else Vapi's own
    /// record of the call. A report that differs from what was billed has Vapi asked, whose record decides.
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
            Closed::Settled(bill) if !testimony.is_record && bill.differs_from(testimony) => {
                match self.close_by_record(owner, call).await? {
                    Asked::Closed(asked) => Ok(asked),
                    Asked::Live | Asked::Silent => Ok(Closed::Settled(bill)),
                }
            }
            Closed::Settled(_) | Closed::Released | Closed::Refused => Ok(closed),
            Closed::Pending => self.close_once_asked(owner, call, testimony).await,
        }
    }

    /// Closes a call whose report does not say enough, or more than our records can confirm, once Vapi is asked. While Vapi says
    /// nothing, what can be believed of the report is billed.
    async fn close_once_asked(
        &self,
        owner: &CallOwner,
        call: &CallRef,
        testimony: &Testimony,
    ) -> Result<Closed, ChargingError> {
        let closed = match self.close_by_record(owner, call).await? {
            Asked::Closed(closed) => closed,
            Asked::Live => Closed::Pending,
            Asked::Silent => self.close_on(owner, testimony, Belief::AsFarAsConfirmed).await?,
        };
        if closed == Closed::Pending {
            self.await_report(owner, testimony).await?;
        }
        Ok(closed)
    }

    /// Closes a call on the word of Vapi's own record, if that can be had and says enough.
    async fn close_by_record(&self, owner: &CallOwner, call: &CallRef) -> Result<Asked, ChargingError> {
        match self.vapi.call(&call.vapi_call_id).await {
            Ok(found) if found.is_ended() => {
                self.keep_recorded(owner.org_id, &owner.call_id, &found).await;
                let closed = self.close(owner, &found.testimony()).await?;
                Ok(if closed == Closed::Pending { Asked::Silent } else { Asked::Closed(closed) })
            }
            Ok(found) if found.is_unknown() => Ok(Asked::Silent),
            Ok(_) => Ok(Asked::Live),
            Err(error) => {
                log_vapi(&error, &owner.call_id, "tell how long the call was");
                Ok(Asked::Silent)
            }
        }
    }

    /// Closes a call on one source's word, if that says enough.
    pub(super) async fn close(
        &self,
        owner: &CallOwner,
        testimony: &Testimony,
    ) -> Result<Closed, ChargingError> {
        let is_record = testimony.is_record;
        let belief = if is_record { Belief::AsFarAsConfirmed } else { Belief::OnlyConfirmed };
        self.close_on(owner, testimony, belief).await
    }

    async fn close_on(
        &self,
        owner: &CallOwner,
        testimony: &Testimony,
        belief: Belief,
    ) -> Result<Closed, ChargingError> {
        let close = || async move {
            let Snapshot { call, wallet } = self.snapshot(owner.org_id, &owner.call_id).await?;
            // A finished call is always charged, also of an org that has never signed in.
            let wallet = match wallet {
                Some(wallet) => wallet,
                None => self.wallets.ensure(owner.org_id).await?,
            };
            if let State::Settled(bill) = &call.state {
                let written = self.compare(&call, bill, &wallet, testimony).await?;
                if let Attempt::Done(Closed::Settled(_)) = &written {
                    self.follow_up.after(&wallet).await?;
                }
                return Ok(written);
            }
            alarm_if_upstream(&call, testimony);
            match testimony.verdict(call.started_at().is_some()) {
                Verdict::Unstated => Ok(Attempt::Done(Closed::Pending)),
                Verdict::NeverTalked => {
                    let ended = call.after(Event::Ended { reason: testimony.ended_reason.clone() })?;
                    self.release(&call, ended.after(Event::Released)?, &wallet).await
                }
                Verdict::Free => {
                    let ended = self.ended_by(&call, testimony)?;
                    self.release(&call, ended.after(Event::Waived)?, &wallet).await
                }
                Verdict::Talked(talk) => self.settle_talk(&call, &wallet, testimony, &talk, belief).await,
            }
        };
        self.db.until_written("the wallet", close).await
    }

    /// Bills a talk as far as our own records can confirm it; what is stated beyond is a doubt, for a person.
    async fn settle_talk(
        &self,
        call: &Call,
        wallet: &Wallet,
        testimony: &Testimony,
        talk: &Talk,
        belief: Belief,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let ended = self.ended_by(call, testimony)?;
        let weighed = ended.weighed(talk, ended.end_heard_at.unwrap_or_else(|| self.clock.now()));
        // Of a call that began without us only Vapi's record says when: until that is read, nothing can be confirmed.
        let is_asked =
            belief == Belief::AsFarAsConfirmed && (testimony.is_record || ended.is_beginning_known());
        if !weighed.is_confirmed() && !is_asked {
            return Ok(Attempt::Done(Closed::Pending));
        }
        let held_under = wallet.holds.get(&call.call_id).map(|hold| hold.tariff);
        let tariff = ended.tariff(held_under);
        let bill = Bill {
            duration_secs: weighed.believed_secs,
            charged: tariff.charge(weighed.believed_secs),
            tariff: tariff.version,
            started_at: talk.started_at.or(call.started_at()),
            ended_at: talk.ended_at,
            estimated: false,
            doubted_secs: (!weighed.doubtful(&tariff).is_zero()).then_some(weighed.stated_secs),
            corrections: 0,
            set_aside: wallet.holds.get(&call.call_id).map(Hold::set_aside),
        };
        self.settle(call, &ended, wallet, bill, Why::Unconfirmed).await
    }

    /// Bills a call by our own times, when no vendor will ever say: from its start to its last sign of life, or its
    /// provider limit if that is earlier.
    pub(super) async fn estimate(
        &self,
        call: &Call,
        wallet: &Wallet,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let Some(started_at) = call.started_at() else {
            return self.release(call, call.after(Event::Released)?, wallet).await;
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
            doubted_secs: None,
            corrections: 0,
            set_aside: hold.map(Hold::set_aside),
        };
        self.settle(call, call, wallet, bill, Why::LaterWord).await
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
        why: Why,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let after = ended.after(Event::Settled(bill.clone()))?;
        let doubt = self.doubt_of(call, &bill, why);
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
        let settled = self.wallets.settle(wallet, call, &after, &posting, doubt.as_ref());
        // A vendor says that it is over, so that its slot is free, whatever comes of the write.
        let (settled, ()) = join(Box::pin(settled), Box::pin(self.give_slot_back(call))).await;
        match settled {
            Ok(wallet) => {
                if let Some(doubt) = &doubt {
                    alarm_doubt(doubt);
                }
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
        let ended = started.after(Event::Ended { reason: testimony.ended_reason.clone() })?;
        Ok(Call {
            end_heard_at: ended.end_heard_at.or_else(|| Some(self.clock.now())),
            vendor_created_at: ended.vendor_created_at.or(testimony.created_at),
            ..ended
        })
    }

    /// Gives the hold of a call that costs nothing back, and writes its record `after`.
    pub(super) async fn release(
        &self,
        call: &Call,
        after: Call,
        wallet: &Wallet,
    ) -> Result<Attempt<Closed>, ChargingError> {
        let is_refused = matches!(after.state, State::Refused { .. });
        let closed = if is_refused { Closed::Refused } else { Closed::Released };
        let released = async {
            match wallet.holds.get(&call.call_id) {
                Some(hold) => Attempt::of(self.wallets.release(call, &after, hold).await),
                None if after == *call => Ok(Attempt::Done(())),
                None => self.save(call, &after).await,
            }
        };
        let (released, ()) = join(Box::pin(released), Box::pin(self.give_slot_back(call))).await;
        let released = released?;
        if released == Attempt::Done(()) {
            tracing::info!(org_id = %call.org_id, call_id = %call.call_id, "a call was released: nothing is charged");
        }
        Ok(released.map(|()| closed))
    }
}

/// Trouble of our own account at Vapi ends every clinic's calls: an operator is told with the first word of it.
fn alarm_if_upstream(call: &Call, testimony: &Testimony) {
    let upstream = testimony.ending.and_then(|ending| ending.upstream);
    if let (Some(upstream), None) = (upstream, &call.ended_reason) {
        alarm!("vapi_account_refuses", cause = upstream.as_str(), org_id = %call.org_id, call_id = %call.call_id,
            "Vapi ends calls because of our own account there");
    }
}

/// When the money that is set aside for a call that talks ends, less the time it takes to end the call.
fn money_ends_at(call: &Call, wallet: &Wallet) -> Option<Timestamp> {
    let hold = wallet.holds.get(&call.call_id)?;
    Some(plus_secs(hold.paid_until(call.started_at()?), i64::from(END_MARGIN_SECS).saturating_neg()))
}
