//! The slots of the one account at Vapi, which all orgs share: one clinic, one caller or one number must not take them all. The
//! limit is soft: one that cannot be asked in time refuses nobody.

use super::{Charging, ChargingError};
use base::alarm;
use base::alarm::chain;
use domain::{
    call::{Call, Direction, Event, RefusalReason, State},
    ids::{CallId, VapiAssistantId, VapiPhoneId},
    slots::{Full, Lease, Slots},
};
use store::{Attempt, ChangeError, StoreError, slots::PATIENCE};

/// How often other calls may be faster than one that takes its slot, and than what gives slots back.
const RACES: u32 = 3;

/// What became of a call's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotOutcome {
    /// It has one.
    Taken,
    /// Others were faster: a limit is reached that was not when the slots were read.
    Lost(Full),
    /// It is let in without: the limiter did not do its part in time. An operator is told.
    Without,
}

impl Charging {
    /// Reads who has a slot; none when that cannot be had in time.
    pub(super) async fn read_slots(&self) -> Option<Slots> {
        match self.slots.read(self.clock.now() + PATIENCE).await {
            Ok(slots) => Some(slots),
            Err(error) => {
                tracing::warn!(cause = chain(&error), "the slots of calls cannot be read");
                None
            }
        }
    }

    /// The slot that a call wants which may last so long.
    pub(super) fn lease(&self, call: &Call, provider_limit_secs: u32) -> Lease {
        let parties = &call.parties;
        let number = parties.customer_number.as_ref().map(|number| number.reveal().as_str());
        let line = parties.vapi_phone_id.as_ref().map(VapiPhoneId::as_str);
        let mark = |kind: &str, of: Option<&str>| of.map(|of| self.marks.of(&[kind, of]));
        let (caller, dialled) = match parties.direction {
            // Who withholds a number is not told from others who do, on the same line.
            Direction::Inbound => (
                mark("caller", number).filter(|_| line.is_some()).or_else(|| mark("withheld", line)),
                mark("line", line).or_else(|| {
                    mark("assistant", parties.vapi_assistant_id.as_ref().map(VapiAssistantId::as_str))
                }),
            ),
            Direction::Outbound => (None, mark("person", number)),
        };
        Lease {
            org_id: call.org_id,
            call_id: call.call_id.clone(),
            direction: parties.direction,
            caller,
            dialled,
            until: Lease::lapses_at(self.clock.now(), provider_limit_secs),
        }
    }

    /// Which limit a call would exceed, by the slots as they were read; none where they could not be. The log names it.
    pub(super) fn limit_reached(&self, lease: &Lease, seen: Option<&Slots>) -> Option<Full> {
        let full = seen?.with(lease, &self.limits.slots, self.clock.now()).err()?;
        log_busy(lease, full);
        Some(full)
    }

    /// Takes a slot for a call, by the slots as they were read; one that the call has already is its slot. The log names the limit
    /// that is in the way.
    pub(super) async fn take_slot(&self, lease: &Lease, seen: Option<Slots>) -> SlotOutcome {
        let without = |why: &'static str| {
            alarm!("call_without_slot", org_id = %lease.org_id, call_id = %lease.call_id, why,
                "a call was let in that the limits across clinics do not count");
            SlotOutcome::Without
        };
        let give_up_at = self.clock.now() + PATIENCE;
        let Some(mut slots) = seen else { return without("not_read") };
        let mut rounds = self.db.rounds("the slots");
        for race in 1..=RACES {
            let now = self.clock.now();
            let after = match slots.with(lease, &self.limits.slots, now) {
                Ok(Some(after)) => after,
                Ok(None) => return SlotOutcome::Taken,
                Err(full) => {
                    log_busy(lease, full);
                    return SlotOutcome::Lost(full);
                }
            };
            match self.slots.save(&after, give_up_at).await {
                Ok(()) => return SlotOutcome::Taken,
                Err(ChangeError::Moved) if race == RACES => break,
                Err(ChangeError::Moved) => {}
                Err(ChangeError::Store(error)) => {
                    tracing::warn!(cause = chain(&error), "a slot cannot be taken");
                    return without("not_written");
                }
            }
            if rounds.again().await.is_err() || self.clock.now() >= give_up_at {
                return without("too_slow");
            }
            match self.slots.read(give_up_at).await {
                Ok(read) => slots = read,
                Err(error) => {
                    tracing::warn!(cause = chain(&error), "the slots of calls cannot be read");
                    return without("not_read");
                }
            }
        }
        without("lost_races")
    }

    /// Gives back the slot of a call that is over, if it has one. One that cannot be given back now is taken out by
    /// reconciliation, or lapses.
    pub(super) async fn give_slot_back(&self, call: &Call) {
        let give_back = || async {
            let give_up_at = self.clock.now() + PATIENCE;
            let slots = self.slots.read(give_up_at).await?;
            match slots.without_call(call.org_id, &call.call_id, self.clock.now()) {
                Some(after) => Attempt::of(self.slots.save(&after, give_up_at).await),
                None => Ok(Attempt::Done(())),
            }
        };
        match self.db.a_few_times(RACES, give_back).await {
            Ok(Some(())) => {}
            Ok(None) => {
                tracing::info!(call_id = %call.call_id, "a slot is given back later: other calls are written just now");
            }
            Err(error) => {
                tracing::warn!(call_id = %call.call_id, cause = chain(&error), "a slot cannot be given back now");
            }
        }
    }

    /// Takes the slots back of calls that are over, and those that have lapsed. Returns the calls that had them.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn free_slots(&self) -> Result<Vec<CallId>, StoreError> {
        let free = || async {
            let give_up_at = self.clock.now() + PATIENCE;
            let slots = self.slots.read(give_up_at).await?;
            let mut over = Vec::new();
            for lease in &slots.leases {
                let call = self.calls.get(lease.org_id, &lease.call_id).await?;
                if call.is_none_or(|call| !call.is_open()) {
                    over.push((lease.org_id, lease.call_id.clone()));
                }
            }
            let is_over =
                |lease: &Lease| over.iter().any(|(org, call)| *org == lease.org_id && *call == lease.call_id);
            let Some(after) = slots.without(self.clock.now(), is_over) else {
                return Ok(Attempt::Done(Vec::new()));
            };
            let had = slots.leases.iter().filter(|lease| !after.leases.contains(lease));
            let freed = had.map(|lease| lease.call_id.clone()).collect();
            let saved = Attempt::of(self.slots.save(&after, give_up_at).await)?;
            Ok::<_, StoreError>(saved.map(|()| freed))
        };
        // Where others are faster each time, there are calls that give their own back; the next run looks again.
        Ok(self.db.a_few_times(RACES, free).await?.unwrap_or_default())
    }

    /// Refuses a call that found the lines busy, unless it was decided meanwhile. Returns it as it then is.
    pub(super) async fn turn_away(&self, call: Call) -> Result<Call, ChargingError> {
        let mut call = call;
        let mut rounds = self.db.rounds("the call");
        while call.state == State::Authorizing {
            let refused = call.after(Event::Refused { reason: RefusalReason::LinesBusy })?;
            match self.calls.save(&call, &refused).await {
                Ok(refused) => return Ok(refused),
                Err(ChangeError::Moved) => call = self.record(&call).await?,
                Err(ChangeError::Store(error)) => return Err(error.into()),
            }
            rounds.again().await?;
        }
        Ok(call)
    }
}

fn log_busy(lease: &Lease, full: Full) {
    tracing::info!(org_id = %lease.org_id, call_id = %lease.call_id, limit = full.as_str(), "a call finds the lines busy");
}
