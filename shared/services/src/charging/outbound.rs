//! Calls that we start: the intent is written, the money is set aside, and only then is the phone rung; once.

use futures::future::join;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{Charging, ChargingError, log_vapi, meter_message};
use base::alarm;
use domain::{
    amount::Amount,
    call::{Call, Direction, Event, Parties, RefusalReason, State},
    ids::{CallId, OrgId, VapiAssistantId, VapiCallId, VapiPhoneId},
    meter::FIRST_CHECK_SECS,
    personal::{Number, Personal},
    phone_number::PhoneNumber,
    tariff::Tariff,
    time::plus_secs,
    wallet::{Refusal, Wallet},
};
use store::{
    Attempt, ChangeError,
    calls::{CallMapping, DayLimit, DialClaim, DialError, DialKey},
};
use vendors::vapi::{VapiCall, VapiError, outbound::Dial};

/// How long after a call was begun the same request is taken for a repeat of it.
const SAME_CALL: SignedDuration = SignedDuration::from_secs(30);
/// How long before its provider limit a call is warned, by Vapi itself.
const LIMIT_WARNING_SECS: u32 = 30;
/// The latest that a `call.timeElapsed` hook may be (docs.vapi.ai, "Assistant hooks": 1 to 3,600 s).
const LATEST_HOOK_SECS: u32 = 3_600;

/// A call that an org wants started.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Whose call it is.
    pub org_id: OrgId,
    /// A fresh id for it: ours, through hold, record, ledger and both vendors.
    pub call_id: CallId,
    /// Who is rung.
    pub to: Personal<PhoneNumber, Number>,
    /// The org's own number that rings.
    pub from: VapiPhoneId,
    /// Who talks.
    pub assistant: VapiAssistantId,
    /// The longest that agent may talk, in seconds.
    pub agent_limit_secs: u32,
    /// The client's idempotency key, if it gave one.
    pub key: Option<String>,
    /// What makes two requests the same.
    pub body_hash: String,
}

/// Why a call of ours ended whose Vapi call has a record of its own.
const SAME_CALL_REASON: &str = "recorded-before";
/// Why a call of ours ended for which no line was left once its money was set aside.
const CROWDED_OUT_REASON: &str = "lines-busy";

/// Whether a call of ours is a Vapi call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adoption {
    /// It is: mapping and record say so.
    Named,
    /// It is not: it was not dialled, or is another Vapi call.
    NotIt,
    /// The Vapi call has another record, which was made first.
    AnotherRecord,
}

/// What became of a call that was wanted.
#[derive(Clone, Debug)]
pub enum Dialled {
    /// Vapi has it, by this request or by an earlier copy of it.
    Placed(Box<Call>),
    /// Vapi was asked and has not said: it keeps its hold and is looked for; it is never dialled again.
    Unknown(Box<Call>),
    /// Vapi will not start it; nothing was charged.
    Refused,
    /// The wallet cannot pay for a minute.
    Short {
        /// What a minute costs.
        required: Amount,
        /// The wallet.
        wallet: Box<Wallet>,
    },
    /// The wallet is frozen.
    Frozen,
    /// The client's key was used with another body.
    KeyReused,
    /// The org has as many calls as it may have at a time.
    TooMany,
    /// The lines that all orgs share are taken, or the org or the person rung has as many calls as there may be.
    LinesBusy,
    /// The org has begun as many calls as it may on one day.
    DayIsFull,
    /// The org is on a call with that number already, which another request began.
    OnCall,
}

impl Charging {
    /// Starts a call: intent, hold, dial. A repeat, by key or by number, gets the same call and rings no phone; one of a call that
    /// was turned away because the lines were busy begins another.
    ///
    /// # Errors
    /// When the store or the queue does not do its part. No phone was rung, or the call is found by its record.
    pub async fn dial(&self, intent: &Intent) -> Result<Dialled, ChargingError> {
        let begin = || async move {
            let used = match &intent.key {
                Some(key) => self.calls.dial_key(intent.org_id, key).await?,
                None => None,
            };
            if let Some(used) = &used {
                if used.body_hash != intent.body_hash {
                    return Ok(Attempt::Done(Dialled::KeyReused));
                }
                if !self.was_turned_away(intent.org_id, &used.dialled).await? {
                    return Ok(Attempt::Done(self.resume(intent.org_id, &used.dialled).await?));
                }
            }
            let before = self.calls.dial_claim(intent.org_id, intent.to.reveal()).await?;
            if let Some(last) = self.last_begun(intent.org_id, before.as_ref()).await? {
                match &intent.key {
                    None if self.is_repeat(&last) => {
                        return Ok(Attempt::Done(self.resume(intent.org_id, &last.call_id).await?));
                    }
                    // Another key is another call, and nobody is rung by two at a time.
                    Some(_) if last.is_open() => return Ok(Attempt::Done(Dialled::OnCall)),
                    None | Some(_) => {}
                }
            }
            let record = self.intended(intent);
            // Known to be short, or the lines to be busy: nothing is begun, and no key is used up by it.
            if let Some(refused) = Box::pin(self.cannot_begin(&record)).await? {
                return Ok(Attempt::Done(refused));
            }
            self.queue.send(&meter_message(&record, record.due_at), self.clock.now()).await?;
            let claim = DialClaim { dialled: record.call_id.clone(), body_hash: intent.body_hash.clone() };
            let before = before.as_ref();
            let key = intent.key.as_deref().map(|key| DialKey { key, before: used.as_ref() });
            match self.calls.claim_dial(&record, &claim, intent.to.reveal(), before, key, self.today()).await
            {
                Ok(()) => Ok(Attempt::Done(self.resume(intent.org_id, &record.call_id).await?)),
                // Another request for the same number, or with the same key: what it began is answered.
                Err(DialError::Moved) => Ok(Attempt::Moved),
                Err(DialError::DayIsFull) => Ok(Attempt::Done(Dialled::DayIsFull)),
                Err(DialError::Store(error)) => Err(error.into()),
            }
        };
        self.db.until_written("the call", begin).await
    }

    /// Why a call cannot be begun, as far as that is known before.
    async fn cannot_begin(&self, call: &Call) -> Result<Option<Dialled>, ChargingError> {
        let (wallet, slots) = join(self.wallets.ensure(call.org_id), self.read_slots()).await;
        let wallet = wallet?;
        Ok(match wallet.first_grant(&self.terms(call.agent_limit_secs)) {
            Ok(grant) => {
                let lease = self.lease(call, grant.provider_limit_secs);
                self.limit_reached(&lease, slots.as_ref()).map(|_| Dialled::LinesBusy)
            }
            Err(Refusal::Frozen) => Some(Dialled::Frozen),
            Err(Refusal::TooManyCalls { .. }) => Some(Dialled::TooMany),
            Err(Refusal::InsufficientFunds { needed, .. }) => {
                Some(Dialled::Short { required: needed, wallet: Box::new(wallet) })
            }
            Err(Refusal::NoWallet) => Some(Dialled::Short {
                required: Tariff::at(self.clock.now()).one_minute(),
                wallet: Box::new(wallet),
            }),
        })
    }

    /// The day's limit of calls that an org begins. A day is UTC's.
    fn today(&self) -> DayLimit {
        let day = self.clock.now().to_zoned_datetime(TimeZone::UTC).date();
        DayLimit { day, most: self.limits.calls_out_per_day }
    }

    /// The call that was begun to a number before.
    async fn last_begun(
        &self,
        org: OrgId,
        before: Option<&DialClaim>,
    ) -> Result<Option<Call>, ChargingError> {
        match before {
            Some(before) => Ok(self.calls.get(org, &before.dialled).await?),
            None => Ok(None),
        }
    }

    /// Whether the call that was begun to this number before stands for a new request without a key: one that is open or was
    /// begun just now, unless no phone was rung.
    fn is_repeat(&self, call: &Call) -> bool {
        let is_recent = self.clock.now().duration_since(call.created_at) < SAME_CALL;
        let nobody_was_rung = match &call.state {
            State::Refused { .. } => true,
            State::Released => call.parties.vapi_call_id.is_none(),
            State::Authorizing
            | State::Authorized
            | State::InProgress { .. }
            | State::Ended { .. }
            | State::Settled(_) => false,
        };
        call.is_open() || is_recent && !nobody_was_rung
    }

    fn intended(&self, intent: &Intent) -> Call {
        let now = self.clock.now();
        let parties = Parties {
            direction: Direction::Outbound,
            vapi_call_id: None,
            vapi_phone_id: Some(intent.from.clone()),
            vapi_assistant_id: Some(intent.assistant.clone()),
            customer_number: Some(intent.to.clone()),
            carrier_sid: None,
        };
        let record =
            Call::first_heard(intent.org_id, intent.call_id.clone(), parties, intent.agent_limit_secs, now);
        Call { due_at: plus_secs(now, FIRST_CHECK_SECS), ..record }
    }

    /// Whether the lines were busy for a call that was begun, so that it is over and no phone was rung or ever will be by it.
    async fn was_turned_away(&self, org: OrgId, id: &CallId) -> Result<bool, ChargingError> {
        let call = self.calls.get(org, id).await?;
        Ok(call.is_some_and(|call| call.dialled_at.is_none() && is_turned_away(&call)))
    }

    /// Brings a call that was begun as far as it comes: each step once, whichever request comes.
    async fn resume(&self, org: OrgId, id: &CallId) -> Result<Dialled, ChargingError> {
        let super::Snapshot { call, wallet } = self.snapshot(org, id).await?;
        let call = match call.state {
            State::Authorizing | State::Authorized if call.dialled_at.is_none() => {
                let terms = self.terms(call.agent_limit_secs);
                let slots = Box::pin(self.read_slots()).await;
                let asked = Box::pin(self.ask(call, wallet, &terms, slots)).await?;
                if asked.is_crowded_out {
                    return Box::pin(self.stand_back(&asked.call)).await;
                }
                asked.call
            }
            State::Authorizing
            | State::Authorized
            | State::InProgress { .. }
            | State::Ended { .. }
            | State::Settled(_)
            | State::Released
            | State::Refused { .. } => call,
        };
        match &call.state {
            State::Refused { reason: RefusalReason::WalletFrozen } => Ok(Dialled::Frozen),
            State::Refused { reason: RefusalReason::TooManyCalls } => Ok(Dialled::TooMany),
            State::Refused { .. } | State::Released if is_turned_away(&call) => Ok(Dialled::LinesBusy),
            State::Refused { .. } => {
                let wallet = Box::new(self.wallets.ensure(org).await?);
                Ok(Dialled::Short { required: Tariff::at(self.clock.now()).one_minute(), wallet })
            }
            State::Authorized if call.dialled_at.is_none() => self.ring(call).await,
            State::Released if call.parties.vapi_call_id.is_none() => Ok(Dialled::Refused),
            State::Authorizing
            | State::Authorized
            | State::InProgress { .. }
            | State::Ended { .. }
            | State::Settled(_)
            | State::Released => Ok(told(call)),
        }
    }

    /// Notes that it is being dialled, then dials. A request that finds the note never dials.
    async fn ring(&self, call: Call) -> Result<Dialled, ChargingError> {
        let known = Box::pin(self.facts.of(call.org_id)).await;
        let now = self.clock.now();
        let noted = match self
            .calls
            .save(&call, &Call { dialled_at: Some(now), last_seen_at: now, ..call.clone() })
            .await
        {
            Ok(noted) => noted,
            Err(ChangeError::Moved) => return self.as_it_is(&call).await,
            Err(ChangeError::Store(error)) => return Err(error.into()),
        };
        let (Some(from), Some(assistant), Some(to)) =
            (&call.parties.vapi_phone_id, &call.parties.vapi_assistant_id, &call.parties.customer_number)
        else {
            return self.refuse(&noted).await;
        };
        let max_duration_secs = call.provider_limit_secs.unwrap_or(call.agent_limit_secs);
        let dial = Dial {
            call_id: &call.call_id,
            environment: &self.environment,
            from,
            assistant,
            to: to.reveal(),
            max_duration_secs,
            facts: &known.facts,
            name: known.name.as_deref(),
            hooks: json!(limit_warning(max_duration_secs)),
        };
        let found = match self.vapi.dial(&dial).await {
            Ok(placed) => Some(placed),
            Err(error) if error.is_no() => {
                log_vapi(&error, &call.call_id, "start it");
                if let Some(upstream) = error.upstream() {
                    alarm!("vapi_account_refuses", cause = upstream.as_str(), org_id = %call.org_id,
                        call_id = %call.call_id, "Vapi starts no calls because of our own account there");
                }
                return self.refuse(&noted).await;
            }
            // It may be ringing: only looking can tell.
            Err(error) => {
                log_vapi(&error, &call.call_id, "say whether it started it");
                self.dialled(&call, now).await.unwrap_or_else(|error| {
                    log_vapi(&error, &call.call_id, "list its calls");
                    None
                })
            }
        };
        match found {
            Some(found) => {
                self.note_dialled(call.org_id, &call.call_id, &found).await?;
                self.as_it_is(&call).await
            }
            None => Ok(Dialled::Unknown(Box::new(noted))),
        }
    }

    async fn as_it_is(&self, call: &Call) -> Result<Dialled, ChargingError> {
        Ok(told(self.snapshot(call.org_id, &call.call_id).await?.call))
    }

    /// Others were faster to the last line: where no request has dialled yet, none does, and the hold goes back.
    async fn stand_back(&self, call: &Call) -> Result<Dialled, ChargingError> {
        let release = || async move {
            let super::Snapshot { call, wallet } = self.snapshot(call.org_id, &call.call_id).await?;
            if !call.is_open() || call.dialled_at.is_some() {
                return Ok(Attempt::Done(told(call)));
            }
            let wallet = wallet.ok_or(store::StoreError::NoWallet)?;
            let ended = call.after(Event::Ended { reason: Some(CROWDED_OUT_REASON.to_owned()) })?;
            let released = self.release(&call, ended.after(Event::Released)?, &wallet).await?;
            Ok(released.map(|_| Dialled::LinesBusy))
        };
        self.db.until_written("the call", release).await
    }

    /// A confirmed no: the hold goes back, and the call is over.
    async fn refuse(&self, call: &Call) -> Result<Dialled, ChargingError> {
        let release = || async move {
            let super::Snapshot { call, wallet } = self.snapshot(call.org_id, &call.call_id).await?;
            if !call.is_open() {
                return Ok(Attempt::Done(Dialled::Refused));
            }
            let wallet = wallet.ok_or(store::StoreError::NoWallet)?;
            let ended = call.after(Event::Ended { reason: Some("dial-refused".to_owned()) })?;
            let released = self.release(&call, ended.after(Event::Released)?, &wallet).await?;
            Ok(released.map(|_| Dialled::Refused))
        };
        self.db.until_written("the call", release).await
    }

    /// Notes which Vapi call one of ours is. Where that Vapi call has a record of its own, made by a message that bore no mark
    /// of ours, that one is billed, and ours gives its hold back. Returns whether ours is the one.
    pub(super) async fn note_dialled(
        &self,
        org: OrgId,
        id: &CallId,
        found: &VapiCall,
    ) -> Result<bool, ChargingError> {
        match self.adopt(org, id, &found.id, found.carrier_sid()).await? {
            Adoption::Named | Adoption::NotIt => Ok(true),
            Adoption::AnotherRecord => {
                self.give_way(org, id, &found.id).await?;
                Ok(false)
            }
        }
    }

    /// Lets a call of ours be this Vapi call, if it was dialled and is no other yet. The mapping decides: it and the record are
    /// written together.
    pub(super) async fn adopt(
        &self,
        org: OrgId,
        id: &CallId,
        vapi: &VapiCallId,
        carrier_sid: Option<String>,
    ) -> Result<Adoption, ChargingError> {
        let carrier_sid = &carrier_sid;
        let name = || async move {
            let (mapping, call) =
                futures::future::try_join(self.calls.mapping(vapi), self.calls.get(org, id)).await?;
            if let Some(mapping) = mapping {
                let is_it = mapping.org_id == org && mapping.call_id == *id;
                return Ok(Attempt::Done(if is_it { Adoption::Named } else { Adoption::AnotherRecord }));
            }
            let Some(call) = call else { return Ok(Attempt::Done(Adoption::NotIt)) };
            let is_another = call.parties.vapi_call_id.as_ref().is_some_and(|known| known != vapi);
            if call.parties.direction != Direction::Outbound || call.dialled_at.is_none() || is_another {
                return Ok(Attempt::Done(Adoption::NotIt));
            }
            let mut after = call.clone();
            after.parties.vapi_call_id = Some(vapi.clone());
            after.parties.carrier_sid = after.parties.carrier_sid.or_else(|| carrier_sid.clone());
            let mapping = CallMapping { vapi_call_id: vapi.clone(), org_id: org, call_id: id.clone() };
            let written = Attempt::of(self.calls.name(&call, &after, &mapping).await)?;
            Ok::<_, ChargingError>(written.map(|()| Adoption::Named))
        };
        self.db.until_written("the call", name).await
    }

    /// Closes a call of ours whose Vapi call has a record of its own: what is talked is billed there, once.
    async fn give_way(&self, org: OrgId, id: &CallId, vapi: &VapiCallId) -> Result<(), ChargingError> {
        let give_way = || async move {
            let super::Snapshot { call, wallet } = self.snapshot(org, id).await?;
            if !call.is_open() || call.started_at().is_some() {
                return Ok(Attempt::Done(()));
            }
            let wallet = wallet.ok_or(store::StoreError::NoWallet)?;
            let ended = call.after(Event::Ended { reason: Some(SAME_CALL_REASON.to_owned()) })?;
            let mut after = ended.after(Event::Released)?;
            after.parties.vapi_call_id = Some(vapi.clone());
            tracing::warn!(org_id = %org, call_id = %id, vapi_call_id = %vapi,
                "a call of ours gives way to the record that its Vapi call already has");
            Ok(self.release(&call, after, &wallet).await?.map(|_| ()))
        };
        self.db.until_written("the call", give_way).await
    }

    /// Vapi's own record of a call; for one of ours that Vapi has not named yet, by the mark it was dialled with.
    pub(super) async fn found(&self, call: &Call) -> Result<Option<VapiCall>, VapiError> {
        match (&call.parties.vapi_call_id, call.dialled_at) {
            (Some(id), _) => self.vapi.call(id).await.map(Some),
            (None, Some(dialled_at)) => self.dialled(call, dialled_at).await,
            // Vapi was not asked to ring.
            (None, None) => Ok(None),
        }
    }

    async fn dialled(&self, call: &Call, at: Timestamp) -> Result<Option<VapiCall>, VapiError> {
        self.vapi.dialled(&call.call_id, &self.environment, at).await
    }
}

/// Whether a call is over because the lines were busy: before its money was set aside, or after.
fn is_turned_away(call: &Call) -> bool {
    match call.state {
        State::Refused { reason } => reason == RefusalReason::LinesBusy,
        State::Released => call.ended_reason.as_deref() == Some(CROWDED_OUT_REASON),
        State::Authorizing
        | State::Authorized
        | State::InProgress { .. }
        | State::Ended { .. }
        | State::Settled(_) => false,
    }
}

/// What is told of a call that this request brings no further.
fn told(call: Call) -> Dialled {
    if is_turned_away(&call) {
        return Dialled::LinesBusy;
    }
    let is_named = call.parties.vapi_call_id.is_some();
    if is_named { Dialled::Placed(Box::new(call)) } else { Dialled::Unknown(Box::new(call)) }
}

/// Returns the hook by which Vapi itself warns before the limit it was given, even if we are gone; none for a limit that lies
/// beyond what such a hook can wait for, because Vapi would refuse the whole call for it.
pub fn limit_warning(max_duration_secs: u32) -> Vec<Value> {
    let at_secs = max_duration_secs.saturating_sub(LIMIT_WARNING_SECS).max(1);
    let hook = json!({
        "on": "call.timeElapsed",
        "options": {"seconds": at_secs},
        "do": [{"type": "say", "exact": "Just so you know, this call will have to end in about thirty seconds."}],
    });
    if at_secs <= LATEST_HOOK_SECS { vec![hook] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hook_is_asked_for_later_than_vapi_can_wait() {
        let cases = [
            (10, Some(1)),
            (31, Some(1)),
            (600, Some(570)),
            (3_630, Some(3_600)),
            (3_631, None),
            (43_200, None),
        ];
        for (limit_secs, at_secs) in cases {
            let hooks = limit_warning(limit_secs);
            let at = hooks.first().map(|hook| hook["options"]["seconds"].clone());
            assert_eq!(
                (at, hooks.len()),
                (at_secs.map(Value::from), usize::from(at_secs.is_some())),
                "{limit_secs}"
            );
        }
    }
}
