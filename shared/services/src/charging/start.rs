//! They talk: the clock of the call starts.

use futures::future::join;
use jiff::Timestamp;

use super::{CallOwner, Charging, ChargingError, Snapshot, meter_message, slots::SlotOutcome};
use base::alarm;
use domain::{
    call::{Call, Event, State},
    hold::{Hold, PROVIDER_LIMIT_SECS},
    ids::VapiCallId,
    meter::{EXTEND_LEAD_SECS, FIRST_CHECK_SECS, REPORT_WAIT_SECS},
    slots::{Lease, Slots},
    time::plus_secs,
    wallet::{Grant, Refusal, Terms, Wallet},
};
use store::{Attempt, StoreError, queue::MeterMessage, wallets::AuthorizeError};
use vendors::vapi::message::CallRef;

/// How soon a call that talks without a hold is looked at again, if the look at once is lost.
const UNPAID_CHECK_SECS: i64 = 5;

/// Where a call can be reached to be ended.
pub(super) struct CallHandles {
    /// Where it takes commands.
    pub(super) control_url: Option<String>,
    /// Its leg at the carrier.
    pub(super) carrier_sid: Option<String>,
}

impl Charging {
    /// Records that a call is in progress. One that comes here without a hold (a web call, a number with an
    /// assistant bound) is authorized now and, when that is refused, ended at once.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn start(&self, owner: &CallOwner, call: &CallRef, at: Timestamp) -> Result<(), ChargingError> {
        let handles = CallHandles {
            control_url: call.control_url.clone(),
            carrier_sid: call.parties.carrier_sid.clone(),
        };
        match self.started(owner, at, &handles).await {
            Err(ChargingError::RecordMissing(_)) => {
                self.open(owner, call).await?;
                self.started(owner, at, &handles).await
            }
            outcome => outcome,
        }
    }

    /// A start that lies ahead of us, or longer ago than any call lasts, is not one: it starts when we hear of it.
    pub(super) fn credible_start(&self, at: Timestamp) -> Timestamp {
        let now = self.clock.now();
        let earliest = plus_secs(now, i64::from(*PROVIDER_LIMIT_SECS.end()).saturating_neg());
        if (earliest..=now).contains(&at) { at } else { now }
    }

    /// Notes that a signed message shows a call going on, for one that an earlier message said is over: what such a call
    /// is charged is what is shown.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn shown(&self, call: &VapiCallId) -> Result<(), ChargingError> {
        let Some(owner) = self.calls.mapping(call).await? else { return Ok(()) };
        let note = || async {
            let Some(call) = self.calls.get(owner.org_id, &owner.call_id).await? else {
                return Ok(Attempt::Done(()));
            };
            let now = self.clock.now();
            if call.shown_until.is_none_or(|until| until >= now) {
                return Ok(Attempt::Done(()));
            }
            Ok(self.save(&call, &Call { shown_until: Some(now), ..call.clone() }).await?)
        };
        self.db.until_written("the call", note).await
    }

    /// The same for a call whose record exists.
    pub(super) async fn started(
        &self,
        owner: &CallOwner,
        at: Timestamp,
        handles: &CallHandles,
    ) -> Result<(), ChargingError> {
        let note_start = || async move {
            let Snapshot { call, wallet } = self.snapshot(owner.org_id, &owner.call_id).await?;
            let control_url = handles.control_url.clone();
            let mut after = call.after(Event::Started { at: self.credible_start(at), control_url })?;
            after.parties.carrier_sid = after.parties.carrier_sid.or_else(|| handles.carrier_sid.clone());
            after.last_seen_at = after.last_seen_at.max(self.clock.now());
            after.shown_until = after.shown_until.map(|until| until.max(after.last_seen_at));
            let hold = wallet.as_ref().and_then(|wallet| wallet.holds.get(&call.call_id));
            match (hold, &after.state) {
                (Some(hold), State::InProgress { started_at }) => {
                    let is_news = call.state != after.state
                        || call.control_url != after.control_url
                        || call.shown_until != after.shown_until;
                    let written = if is_news {
                        Attempt::of(self.wallets.start(&call, &after, hold).await)?
                    } else {
                        Attempt::Done(())
                    };
                    // A repeat does this too: the first copy may have died before it did.
                    if written == Attempt::Done(()) {
                        self.check_early(&call, hold, *started_at).await?;
                    }
                    Ok(written)
                }
                (None, State::InProgress { .. }) => self.authorize_late(&call, &after, wallet.as_ref()).await,
                // A start that comes after the end: Vapi must be asked how long it was.
                (_, State::Ended { .. }) if after.state != call.state => {
                    let at = plus_secs(self.clock.now(), REPORT_WAIT_SECS);
                    Ok(self.schedule_check(&call, after, at).await?)
                }
                _ => Ok(self.note(&call, after).await?),
            }
        };
        self.db.until_written("the call", note_start).await
    }

    /// A small hold needs its first look before the one that was ordered when the call rang.
    async fn check_early(&self, call: &Call, hold: &Hold, started_at: Timestamp) -> Result<(), StoreError> {
        let extend_at = plus_secs(hold.paid_until(started_at), EXTEND_LEAD_SECS.saturating_neg());
        if extend_at >= call.due_at {
            return Ok(());
        }
        self.check_now(call).await
    }

    pub(super) async fn check_now(&self, call: &Call) -> Result<(), StoreError> {
        let now = self.clock.now();
        let message =
            MeterMessage { org_id: call.org_id, call_id: call.call_id.clone(), due_at: now, urgent: true };
        self.queue.send(&message, now).await
    }

    /// Sets money aside for a call that already talks.
    async fn authorize_late(
        &self,
        call: &Call,
        after: &Call,
        wallet: Option<&Wallet>,
    ) -> Result<Attempt<()>, ChargingError> {
        let grant = wallet.map_or(Err(Refusal::NoWallet), |wallet| {
            if wallet.balance().is_positive() {
                // At the prices of its beginning, however late that is heard of.
                let tariff = after.tariff(None);
                let terms = Terms { tariff, ..self.terms(call.agent_limit_secs) };
                wallet.first_grant(&terms.untold())
            } else {
                Err(Refusal::InsufficientFunds { available: wallet.available, needed: wallet.held })
            }
        });
        let wanted = match grant {
            Ok(grant) if call.ending_at.is_none() => Box::pin(self.with_slot(call, grant)).await,
            Ok(_) | Err(_) => None,
        };
        let Some((grant, lease, slots)) = wanted else {
            if after.state == call.state {
                return self.note(call, after.clone()).await.map_err(Into::into);
            }
            // Recorded as talking without a hold: the meter ends it, now, and is sure to look.
            let now = self.clock.now();
            let due_at = plus_secs(now, UNPAID_CHECK_SECS);
            self.queue.send(&meter_message(call, due_at), now).await?;
            let noted = self.note(call, Call { due_at, ..after.clone() }).await?;
            self.check_now(call).await?;
            return Ok(noted);
        };
        // The record may be there without a message: no hold is made that no check will find.
        let now = self.clock.now();
        let due_at = plus_secs(now, FIRST_CHECK_SECS);
        self.queue.send(&meter_message(call, due_at), now).await?;
        let authorized = Call { due_at, ..after.after(Event::Authorized(grant))? };
        let holding = Box::pin(self.wallets.authorize(call, &authorized, &grant));
        let (outcome, slot) = join(holding, Box::pin(self.take_slot(&lease, slots))).await;
        match outcome {
            Ok(hold) => {
                // It talks already: where others were faster it has its hold all the same, and an operator is told.
                if let SlotOutcome::Lost(full) = slot {
                    alarm!("call_without_slot", org_id = %call.org_id, call_id = %call.call_id, why = "lost",
                        limit = full.as_str(), "a call goes on that the limits across clinics do not count");
                }
                if let Some(wallet) = wallet {
                    self.follow_up.watch.after_or_later(&wallet.granted(&call.call_id, &grant)).await;
                }
                let started_at = authorized.started_at().unwrap_or(authorized.created_at);
                self.check_early(call, &hold, started_at).await?;
                Ok(Attempt::Done(()))
            }
            Err(AuthorizeError::Store(error)) => Err(error.into()),
            Err(
                AuthorizeError::AlreadyHeld(_)
                | AuthorizeError::WalletMoved(_)
                | AuthorizeError::NoWallet
                | AuthorizeError::CallMoved,
            ) => Ok(Attempt::Moved),
        }
    }

    /// What a call that already talks would be held for, and the slot that it then wants; none where the lines are busy, so
    /// that it is ended like one that cannot pay.
    async fn with_slot(&self, call: &Call, grant: Grant) -> Option<(Grant, Lease, Option<Slots>)> {
        let slots = self.read_slots().await;
        let lease = self.lease(call, grant.provider_limit_secs);
        match self.limit_reached(&lease, slots.as_ref()) {
            None => Some((grant, lease, slots)),
            Some(_) => None,
        }
    }

    /// Writes the record alone, when it changed.
    async fn note(&self, call: &Call, after: Call) -> Result<Attempt<()>, StoreError> {
        let is_same = call.state == after.state && call.control_url == after.control_url;
        if is_same && call.shown_until == after.shown_until {
            return Ok(Attempt::Done(()));
        }
        self.save(call, &after).await
    }
}
