//! Online charging of calls (RFC 8506): authorize, start, meter, end, settle. Used by the webhook, which is the
//! fast path, and by the meter, which finds what the webhook missed.

mod authorize;
mod carrier;
mod close;
mod content;
pub(crate) mod correct;
mod ending;
mod meter;
mod outbound;
mod slots;
mod start;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

pub use authorize::Answer;
pub use carrier::{Carrier, HangUpError};
pub use close::Closed;
pub use outbound::{Dialled, Intent, limit_warning};

use self::outbound::Adoption;
use crate::facts::Facts;
use crate::follow_up::FollowUp;
use base::alarm::chain;
use base::clock::Clock;
use base::config::{Base, Reader, VapiSettings};
use base::marks::Marks;
use domain::{
    amount::Amount,
    call::{Call, IllegalTransition},
    ids::{CallId, OrgId, VapiCallId, VapiPhoneId},
    meter::FIRST_CHECK_SECS,
    slots::Limits as SlotLimits,
    wallet::Wallet,
};
use platform::Platform;
use store::{
    Attempt, Dynamo, StoreError,
    calls::{CallMapping, Calls},
    mappings::{Mappings, PhoneNumberMapping},
    queue::{MeterMessage, MeterQueue},
    slots::CallSlots,
    wallets::Wallets,
};
use vendors::vapi::{Vapi, VapiError, message::CallRef};

/// How long a number's mapping is believed without reading it again.
const MAPPING_CACHE: SignedDuration = SignedDuration::from_secs(60);
/// How many calls' mappings are remembered at the most.
const MOST_REMEMBERED: usize = 2_000;

/// The limits of charging.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The room a top-up has to lengthen a running call: how far a call's provider limit may reach past what was
    /// available when it began.
    pub outage_credit: Amount,
    /// How many calls an org may begin on one day, by UTC.
    pub calls_out_per_day: u32,
    /// How many calls there may be at a time, across all orgs.
    pub slots: SlotLimits,
}

impl Limits {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            outage_credit: reader.pence_or("OUTAGE_CREDIT_PENCE", Amount::from_pence(500)),
            calls_out_per_day: reader.or("CALLS_OUT_PER_DAY", 200),
            slots: slot_limits(reader),
        }
    }
}

/// Reads how many calls there may be at a time. What would let nobody in is a problem.
fn slot_limits(reader: &mut Reader<'_>) -> SlotLimits {
    let mut at_least_one = |name: &str, default: u32| {
        let most = reader.or(name, default);
        if most == 0 {
            reader.problem(format!("{name} is 0: nobody could call"));
        }
        most
    };
    let slots = at_least_one("CALL_SLOTS", 10);
    let per_org = at_least_one("CALL_SLOTS_PER_ORG", 6);
    let per_caller = at_least_one("CALLS_PER_CALLER", 3);
    let per_number = at_least_one("CALLS_PER_NUMBER", 5);
    let for_inbound = reader.or("CALL_SLOTS_FOR_INBOUND", 2);
    if for_inbound > slots {
        reader.problem("CALL_SLOTS_FOR_INBOUND is more than CALL_SLOTS");
    }
    SlotLimits { slots, for_inbound, per_org, per_caller, per_number }
}

/// Everything that charging needs.
#[derive(Debug)]
pub struct Charging {
    /// The records of calls.
    pub calls: Calls,
    /// The money.
    pub wallets: Wallets,
    /// Whose numbers and assistants are.
    pub mappings: Mappings,
    /// The meter's messages.
    pub queue: MeterQueue,
    /// The vendor that runs the calls.
    pub vapi: Vapi,
    /// The limits.
    pub limits: Limits,
    /// Who has a slot of the account at Vapi.
    slots: CallSlots,
    /// What callers and numbers are counted by there.
    marks: Marks,
    /// Who hangs up when Vapi does not. The meter and reconciliation have it.
    pub carrier: Option<Carrier>,
    environment: String,
    /// What the receptionist is told of the clinic.
    facts: Facts,
    /// What follows every change of a wallet.
    pub follow_up: FollowUp,
    db: Dynamo,
    clock: Arc<dyn Clock>,
    numbers: Mutex<HashMap<VapiPhoneId, (PhoneNumberMapping, Timestamp)>>,
    mapped: Mutex<HashMap<VapiCallId, CallMapping>>,
}

/// Why a step of charging could not be done. It is to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ChargingError {
    /// The store or the queue did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was heard contradicts what is known.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The call's record, which was just there, is not.
    #[error("the record of call {0} is missing")]
    RecordMissing(CallId),
}

/// Where a call belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOwner {
    /// Whose it is.
    pub org_id: OrgId,
    /// Which it is.
    pub call_id: CallId,
    /// The longest its agent may talk, in seconds, when the number or assistant says so.
    pub agent_limit_secs: Option<u32>,
}

/// A call and its org's wallet, both read consistently.
struct Snapshot {
    call: Call,
    wallet: Option<Wallet>,
}

impl Charging {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        let db = platform.database(&settings.base.table_prefix);
        Self {
            carrier: None,
            facts: Facts::new(&db, Arc::clone(&platform.clock)),
            environment: settings.base.environment,
            calls: Calls::new(db.clone()),
            wallets: Wallets::new(db.clone()),
            mappings: Mappings::new(db.clone()),
            follow_up: settings.follow_up,
            queue: MeterQueue::new(platform.sqs.clone(), settings.meter_queue_url),
            vapi: platform.vapi(settings.vapi),
            limits: settings.limits,
            slots: CallSlots::new(db.clone()),
            marks: settings.marks,
            db,
            clock: Arc::clone(&platform.clock),
            numbers: Mutex::default(),
            mapped: Mutex::default(),
        }
    }

    /// Finds whose a call is: by our own record of the call, else of its number, else of its assistant. Never by
    /// anything else the message says. What is found is noted, and never changes.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn owner_of(&self, call: &CallRef) -> Result<Option<CallOwner>, ChargingError> {
        let known = match self.remembered(&call.vapi_call_id) {
            Some(known) => Some(known),
            None => self.calls.mapping(&call.vapi_call_id).await?,
        };
        if let Some(known) = known {
            self.remember(&known);
            return Ok(Some(CallOwner {
                org_id: known.org_id,
                call_id: known.call_id,
                agent_limit_secs: None,
            }));
        }
        let found = self.owner_by_number_or_assistant(call).await?;
        let Some((org_id, agent_limit_secs)) = found else { return Ok(None) };
        // Only inside the org that our own records name may a message say which call of ours it is about.
        let call_id = match &call.intent {
            Some(intent)
                if self
                    .adopt(org_id, intent, &call.vapi_call_id, call.parties.carrier_sid.clone())
                    .await?
                    == Adoption::Named =>
            {
                intent.clone()
            }
            Some(_) | None => call.vapi_call_id.clone().into(),
        };
        let noted =
            self.calls.map(&CallMapping { vapi_call_id: call.vapi_call_id.clone(), org_id, call_id }).await?;
        Ok(Some(CallOwner {
            org_id: noted.org_id,
            call_id: noted.call_id,
            agent_limit_secs: Some(agent_limit_secs),
        }))
    }

    /// Whose the call's number is, else its assistant, and the longest that agent may talk, in seconds.
    async fn owner_by_number_or_assistant(&self, call: &CallRef) -> Result<Option<(OrgId, u32)>, StoreError> {
        if let Some(id) = &call.parties.vapi_phone_id
            && let Some(number) = self.number(id).await?
        {
            return Ok(Some((number.org_id, number.agent_limit_secs)));
        }
        let Some(id) = &call.parties.vapi_assistant_id else { return Ok(None) };
        let assistant = self.mappings.assistant(id).await?;
        Ok(assistant.map(|assistant| (assistant.org_id, assistant.agent_limit_secs)))
    }

    /// A mapping that was read or written here before. It never changes, so it is believed for ever.
    fn remembered(&self, call: &VapiCallId) -> Option<CallMapping> {
        self.mapped.lock().unwrap_or_else(PoisonError::into_inner).get(call).cloned()
    }

    fn remember(&self, mapping: &CallMapping) {
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        if mapped.len() >= MOST_REMEMBERED {
            mapped.clear();
        }
        mapped.insert(mapping.vapi_call_id.clone(), mapping.clone());
    }

    /// Whose a number is; believed for a minute.
    async fn number(&self, id: &VapiPhoneId) -> Result<Option<PhoneNumberMapping>, StoreError> {
        let now = self.clock.now();
        let cached = self.numbers.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((mapping, read_at)) = cached
            && now.duration_since(read_at) < MAPPING_CACHE
        {
            return Ok(Some(mapping));
        }
        let found = self.mappings.phone_number(id).await?;
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(mapping) => numbers.insert(id.clone(), (mapping.clone(), now)),
            None => numbers.remove(id),
        };
        Ok(found)
    }

    /// Reads a call and its org's wallet at once.
    async fn snapshot(&self, org: OrgId, id: &CallId) -> Result<Snapshot, ChargingError> {
        let (call, wallet) =
            futures::future::try_join(self.calls.get(org, id), self.wallets.get(org)).await?;
        let call = call.ok_or_else(|| ChargingError::RecordMissing(id.clone()))?;
        Ok(Snapshot { call, wallet })
    }

    /// Makes the record of a call that was not heard of before, after sending the message of its first look.
    async fn open(&self, owner: &CallOwner, call: &CallRef) -> Result<(), ChargingError> {
        let agent_limit_secs = match owner.agent_limit_secs {
            Some(limit) => Some(limit),
            // Noted before, by a message that came no further.
            None => self.owner_by_number_or_assistant(call).await?.map(|(_, limit)| limit),
        };
        let record = self.first_record(&CallOwner { agent_limit_secs, ..owner.clone() }, call);
        self.queue.send(&meter_message(&record, record.due_at), self.clock.now()).await?;
        self.calls.open(&record).await?;
        Ok(())
    }

    fn first_record(&self, owner: &CallOwner, call: &CallRef) -> Call {
        let now = self.clock.now();
        let limit = owner.agent_limit_secs.unwrap_or(DEFAULT_AGENT_LIMIT_SECS);
        let mut record =
            Call::first_heard(owner.org_id, owner.call_id.clone(), call.parties.clone(), limit, now);
        record.due_at = domain::time::plus_secs(now, FIRST_CHECK_SECS);
        record
    }

    /// Sends the message of a call's next check, then notes when it is. In this order: a check that is noted has its
    /// message, so a copy that finds the record past its own check has nothing to do.
    async fn schedule_check(
        &self,
        call: &Call,
        after: Call,
        at: Timestamp,
    ) -> Result<Attempt<()>, StoreError> {
        let at = at.max(self.clock.now());
        self.queue.send(&meter_message(call, at), self.clock.now()).await?;
        self.save(call, &Call { due_at: at, ..after }).await
    }

    /// Writes a call's record, if it is still as it was read.
    async fn save(&self, call: &Call, after: &Call) -> Result<Attempt<()>, StoreError> {
        Attempt::of(self.calls.save(call, after).await.map(|_| ()))
    }
}

/// The longest an agent talks when its settings say nothing (Vapi's own default for `maxDurationSeconds`).
const DEFAULT_AGENT_LIMIT_SECS: u32 = 600;

fn meter_message(call: &Call, due_at: Timestamp) -> MeterMessage {
    MeterMessage { org_id: call.org_id, call_id: call.call_id.clone(), due_at, urgent: false }
}

/// Settings that the functions which charge have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environment and tables.
    pub base: Base,
    /// Where the meter's messages go.
    pub meter_queue_url: String,
    /// Who runs the calls.
    pub vapi: VapiSettings,
    /// The limits.
    pub limits: Limits,
    /// What callers and numbers are counted by.
    pub marks: Marks,
    /// What follows every change of a wallet.
    pub follow_up: FollowUp,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        Self {
            base: Base::read(reader),
            meter_queue_url: reader.required("METER_QUEUE_URL"),
            vapi: VapiSettings::read(reader),
            limits: Limits::read(reader),
            marks: Marks::read(reader),
            follow_up: FollowUp::read(reader, platform),
        }
    }
}

fn log_vapi(error: &VapiError, call: &CallId, what: &str) {
    tracing::warn!(call_id = %call, cause = chain(error), "Vapi did not {what}");
}
