//! May this call start? Asked before the caller hears anything; Vapi waits 7.5 s in all.

use futures::future::{join, join3, try_join4};
use jiff::SignedDuration;

use super::{CallOwner, Charging, ChargingError, meter_message, slots::SlotOutcome};
use crate::facts::Known;
use domain::{
    call::{Call, Direction, Event, RefusalReason, State},
    ids::VapiAssistantId,
    phone_number::PhoneNumber,
    slots::Slots,
    tariff::Tariff,
    wallet::{Grant, Refusal, Terms, Wallet},
};
use store::{
    Attempt, StoreError,
    calls::{CallMapping, Calls},
    mappings::PhoneNumberMapping,
    numbers::Numbers,
    wallets::AuthorizeError,
};
use vendors::vapi::message::CallRef;

/// How often a grant that rests on the whole wallet is tried before one that rests on itself alone.
const GENEROUS_TRIES: u32 = 4;
/// For how long a caller who was put through is not put through again: a line that is diverted to us brings the call back.
const ONCE_IN: SignedDuration = SignedDuration::from_mins(2);
/// How long those calls may be asked for, and whose a number is.
const PATIENCE: SignedDuration = SignedDuration::from_millis(300);
/// How many calls of that time are looked at. A clinic that has more is not put through to.
const MOST_LOOKED_AT: usize = 100;

/// The answer to "may this call start?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Take {
        /// Who answers it.
        assistant: VapiAssistantId,
        /// For how long at most, in seconds.
        max_duration_secs: u32,
        /// What is so of the clinic, for the assistant to know.
        known: Known,
    },
    /// The clinic's own people answer it: it is put through to this line.
    PutThrough(PhoneNumber),
    /// No, and the caller hears why.
    Refuse(RefusalReason),
    /// No number of ours is called.
    Unknown,
}

/// A call that asked for its first minutes, as it then is.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its record.
    pub(super) call: Call,
    /// Whether the lines were busy when it had its hold: others were faster, since it was decided.
    pub(super) is_crowded_out: bool,
}

impl Charging {
    /// Decides whether an inbound call may start, and sets its first minutes aside.
    ///
    /// Two trips with a warm mapping: the wallet, the slots and what is so of the clinic are read while the record, the mapping and
    /// the first meter message are written; then hold and record move together, and beside them the slot is taken. A repeat is
    /// answered by the record; one for a call that found no slot asks for one again.
    ///
    /// # Errors
    /// When the store or the queue does not do its part in time. Vapi then rings the number's fallback.
    pub async fn authorize(&self, call: &CallRef) -> Result<Answer, ChargingError> {
        let Some(number) = self.called_number(call).await? else { return Ok(Answer::Unknown) };
        if number.vapi_assistant_id.is_none() {
            return Ok(Answer::Refuse(RefusalReason::NoAgent));
        }
        let call_id = call.vapi_call_id.clone().into();
        let owner =
            CallOwner { org_id: number.org_id, call_id, agent_limit_secs: Some(number.agent_limit_secs) };
        let heard = self.first_record(&owner, call);
        let record = Call { asked_at: Some(heard.created_at), ..heard };
        let mapping = CallMapping {
            vapi_call_id: call.vapi_call_id.clone(),
            org_id: owner.org_id,
            call_id: owner.call_id.clone(),
        };
        let message = meter_message(&record, record.due_at);
        let first = try_join4(
            self.wallets.get(owner.org_id),
            self.calls.open(&record),
            self.calls.map(&mapping),
            self.queue.send(&message, self.clock.now()),
        );
        let known = Box::pin(self.facts.of(owner.org_id));
        let (first, slots, known) = join3(first, Box::pin(self.read_slots()), known).await;
        let (wallet, there, noted, ()) = first?;
        if noted != mapping {
            // Another org's call: its record here, made in the same moment, is closed again.
            if there.is_none() {
                let refused = record.after(Event::Refused { reason: RefusalReason::NotOurs })?;
                self.save(&record, &refused).await?;
            }
            return Ok(Answer::Unknown);
        }
        self.remember(&mapping);
        let record = there.unwrap_or(record);
        if let Some(line) = Box::pin(self.put_through(&record, &number, known.line.as_ref())).await? {
            return Ok(Answer::PutThrough(line));
        }
        let terms = self.terms(number.agent_limit_secs);
        let asked = Box::pin(self.ask(record, wallet, &terms, slots)).await?;
        if asked.is_crowded_out {
            // Its hold goes back when Vapi says that the call is over: another copy of the question may have let it in.
            return Ok(Answer::Refuse(RefusalReason::LinesBusy));
        }
        Ok(answer(&asked.call, &number, known))
    }

    /// The clinic's own line, where a call is put through to it, which is noted then: nothing is held for it. Not one whose caller is
    /// not known, and none of a caller who was put through just now, because the line may be diverted to us; and none of a number that
    /// does not lie in the clinic's own account at the carrier, where the clinic pays for the way there. Those the receptionist answers.
    async fn put_through(
        &self,
        record: &Call,
        number: &PhoneNumberMapping,
        line: Option<&PhoneNumber>,
    ) -> Result<Option<PhoneNumber>, ChargingError> {
        let put_through = State::Refused { reason: RefusalReason::PutThrough };
        if record.state == put_through {
            return Ok(record.put_through_to.as_ref().or(line).cloned());
        }
        let Some(line) = line else { return Ok(None) };
        if record.state != State::Authorizing
            || !self.is_the_clinics(number).await
            || self.may_come_back(record).await
        {
            return Ok(None);
        }
        let through = record.after(Event::Refused { reason: RefusalReason::PutThrough })?;
        let through = Call { put_through_to: Some(line.clone()), ..through };
        match Attempt::of(self.calls.save(record, &through).await)? {
            Attempt::Done(_) => {
                tracing::info!(org_id = %record.org_id, call_id = %record.call_id, "a call is put through to the clinic's line");
                Ok(Some(line.clone()))
            }
            // Another copy of the question has decided it.
            Attempt::Moved => {
                let decided = self.record(record).await?;
                Ok(decided.put_through_to.filter(|_| decided.state == put_through))
            }
        }
    }

    /// Whether a number lies in the clinic's own account at the carrier, as far as can be told.
    async fn is_the_clinics(&self, number: &PhoneNumberMapping) -> bool {
        // A caller hears it ring meanwhile.
        let numbers = Numbers::new(self.db.within(PATIENCE));
        match numbers.of_direction(number.org_id, Direction::Inbound).await {
            Ok(there) => {
                there.is_some_and(|there| there.vapi_phone_id == number.vapi_phone_id && !there.is_managed)
            }
            Err(error) => {
                tracing::warn!(org_id = %number.org_id, cause = base::alarm::chain(&error),
                    "whose account a number lies in cannot be read: no call to it is put through");
                false
            }
        }
    }

    /// Whether a call that is put through may be one that comes back, as far as can be told; what cannot be told may.
    async fn may_come_back(&self, record: &Call) -> bool {
        let Some(caller) = &record.parties.customer_number else { return true };
        let now = self.clock.now();
        let until = now + SignedDuration::from_secs(1);
        let is_it = |call: &Call| {
            call.call_id != record.call_id
                && call.parties.direction == Direction::Inbound
                && call.parties.customer_number.as_ref() == Some(caller)
                && call.state == State::Refused { reason: RefusalReason::PutThrough }
        };
        // A caller hears it ring meanwhile.
        let calls = Calls::new(self.db.within(PATIENCE));
        match calls.between(record.org_id, now - ONCE_IN, until, MOST_LOOKED_AT).await {
            Ok((calls, is_cut)) => is_cut || calls.iter().any(is_it),
            Err(error) => {
                tracing::warn!(org_id = %record.org_id, cause = base::alarm::chain(&error),
                    "the calls of the last minutes cannot be read: none is put through");
                true
            }
        }
    }

    async fn called_number(&self, call: &CallRef) -> Result<Option<PhoneNumberMapping>, StoreError> {
        match &call.parties.vapi_phone_id {
            Some(id) => self.number(id).await,
            None => Ok(None),
        }
    }

    /// Lets a call in, with its first minutes and a slot, or refuses it. `slots` are as read; without them it is let in by its
    /// money alone. One that is refused has neither, but for one that is crowded out: it has its hold, until the caller of this
    /// gives it back or the call is over.
    ///
    /// A call that has its hold and has not begun asks for a slot again, which is the one that it has, if it has one: a first copy
    /// of the question may have found none, or may have died before it took one.
    pub(super) async fn ask(
        &self,
        call: Call,
        wallet: Option<Wallet>,
        terms: &Terms,
        slots: Option<Slots>,
    ) -> Result<Asked, ChargingError> {
        let decided = |call| Asked { call, is_crowded_out: false };
        if call.state == State::Authorized {
            let lease = self.lease(&call, call.provider_limit_secs.unwrap_or(call.agent_limit_secs));
            let outcome = Box::pin(self.take_slot(&lease, slots)).await;
            return Ok(Asked { call, is_crowded_out: matches!(outcome, SlotOutcome::Lost(_)) });
        }
        let grant = match self.grant_for(wallet.as_ref(), terms, false) {
            Ok(grant) if call.state == State::Authorizing => grant,
            Ok(_) | Err(_) => return Ok(decided(self.place_hold(call, wallet, terms).await?)),
        };
        let lease = self.lease(&call, grant.provider_limit_secs);
        if self.limit_reached(&lease, slots.as_ref()).is_some() {
            return Ok(decided(self.turn_away(call).await?));
        }
        let placing = Box::pin(self.place_hold(call, wallet, terms));
        let (placed, outcome) = join(placing, Box::pin(self.take_slot(&lease, slots))).await;
        // What is not known to be over keeps its slot: another copy of the question may have let it in.
        let call = placed?;
        if !call.is_open() {
            self.give_slot_back(&call).await;
        }
        let is_crowded_out = call.is_open() && matches!(outcome, SlotOutcome::Lost(_));
        Ok(Asked { call, is_crowded_out })
    }

    /// Sets a call's first minutes aside, or refuses it. Returns the call as it then is: decided by this, or by another.
    async fn place_hold(
        &self,
        mut call: Call,
        mut wallet: Option<Wallet>,
        terms: &Terms,
    ) -> Result<Call, ChargingError> {
        let mut rounds = self.db.rounds("the wallet");
        for tries in 0_u32.. {
            if call.state != State::Authorizing {
                return Ok(call);
            }
            let grant = match self.grant_for(wallet.as_ref(), terms, tries >= GENEROUS_TRIES) {
                Ok(grant) => grant,
                Err(refusal) => match self.refuse_to_start(&call, wallet.as_ref(), &refusal).await? {
                    Attempt::Done(refused) => return Ok(refused),
                    Attempt::Moved => {
                        call = self.record(&call).await?;
                        rounds.again().await?;
                        continue;
                    }
                },
            };
            match self.hold(&call, grant).await {
                Ok(authorized) => {
                    if let Some(wallet) = &wallet {
                        let granted = wallet.granted(&call.call_id, &grant);
                        self.follow_up.watch.after_or_later(&granted).await;
                    }
                    return Ok(authorized);
                }
                // The refused write tells what the wallet is now: no read is needed to decide again.
                Err(AuthorizeError::WalletMoved(now)) => wallet = Some(*now),
                Err(AuthorizeError::NoWallet) => wallet = None,
                Err(AuthorizeError::AlreadyHeld(_) | AuthorizeError::CallMoved) => {
                    call = self.record(&call).await?;
                }
                Err(AuthorizeError::Store(error)) => return Err(error.into()),
            }
            rounds.again().await?;
        }
        Err(StoreError::Contended { what: "the wallet" }.into())
    }

    /// What the wallet grants: on all that is in it, or, `cautious`, on no more than the grant itself.
    fn grant_for(&self, wallet: Option<&Wallet>, terms: &Terms, cautious: bool) -> Result<Grant, Refusal> {
        let wallet = wallet.ok_or(Refusal::NoWallet)?;
        let terms = terms.backed_by(wallet, self.clock.now());
        if cautious { wallet.cautious_grant(&terms) } else { wallet.first_grant(&terms) }
    }

    async fn refuse_to_start(
        &self,
        call: &Call,
        wallet: Option<&Wallet>,
        refusal: &Refusal,
    ) -> Result<Attempt<Call>, ChargingError> {
        // A unit that is refused is a shortage too.
        if let Some(wallet) = wallet {
            self.follow_up.watch.after_or_later(wallet).await;
        }
        let after = call.after(Event::Refused { reason: refusal.reason() })?;
        Ok(Attempt::of(self.calls.save(call, &after).await)?)
    }

    pub(super) async fn record(&self, call: &Call) -> Result<Call, ChargingError> {
        let found = self.calls.get(call.org_id, &call.call_id).await?;
        found.ok_or_else(|| ChargingError::RecordMissing(call.call_id.clone()))
    }

    /// Writes the hold and the authorized record. Returns the record as written.
    async fn hold(&self, call: &Call, grant: Grant) -> Result<Call, AuthorizeError> {
        // The state was checked before; a call in any other cannot come here.
        let after = call.after(Event::Authorized(grant)).map_err(|_| AuthorizeError::CallMoved)?;
        self.wallets.authorize(call, &after, &grant).await?;
        Ok(Call { version: call.version.saturating_add(1), ..after })
    }

    pub(super) fn terms(&self, agent_limit_secs: u32) -> Terms {
        Terms {
            tariff: Tariff::at(self.clock.now()),
            agent_limit_secs,
            outage_credit: self.limits.outage_credit,
        }
    }
}

/// The answer that a call's record gives: a repeat of the question gets the same one.
fn answer(call: &Call, number: &PhoneNumberMapping, known: Known) -> Answer {
    match (&call.state, &number.vapi_assistant_id) {
        (State::Authorized | State::InProgress { .. }, Some(assistant)) => Answer::Take {
            assistant: assistant.clone(),
            max_duration_secs: call.provider_limit_secs.unwrap_or(call.agent_limit_secs),
            known,
        },
        (State::Authorized | State::InProgress { .. }, None) => Answer::Refuse(RefusalReason::NoAgent),
        (State::Refused { reason }, _) => Answer::Refuse(*reason),
        (State::Authorizing | State::Ended { .. } | State::Settled(_) | State::Released, _) => {
            Answer::Refuse(RefusalReason::CallOver)
        }
    }
}
