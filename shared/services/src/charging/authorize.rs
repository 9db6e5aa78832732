//! May this call start? Asked before the caller hears anything; Vapi waits 7.5 s in all.

use super::{BUDGET, CallOwner, Charging, ChargingError, meter_message};
use domain::planted::{self, Bug};
use domain::{
    call::{Call, Event, State},
    hold::Hold,
    ids::VapiAssistantId,
    tariff::Tariff,
    wallet::{Grant, Refusal, Terms, Wallet},
};
use store::{
    StoreError,
    calls::{CallMapping, SaveError},
    mappings::PhoneNumberMapping,
    wallets::AuthorizeError,
};
use vendors::vapi::message::CallRef;

/// How often a grant that rests on the whole wallet is tried before one that rests on itself alone.
const GENEROUS_TRIES: u32 = 4;

/// The answer to "may this call start?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Take {
        /// Who answers it.
        assistant: VapiAssistantId,
        /// For how long at most, in seconds.
        max_duration_secs: u32,
    },
    /// No, and the caller hears why.
    Refuse {
        /// The stable code of the reason.
        reason: String,
        /// What the caller hears.
        sentence: &'static str,
    },
    /// No number of ours: nobody's call.
    Unknown,
}

impl Charging {
    /// Decides whether an inbound call may start, and sets its first minutes aside.
    ///
    /// Two trips with a warm mapping: the wallet is read while the record, the mapping and the first meter message
    /// are written; then hold and record move together. A repeat gets the same answer.
    ///
    /// # Errors
    /// When the store or the queue does not do its part in time. Vapi then rings the number's fallback.
    pub async fn authorize(&self, call: &CallRef) -> Result<Answer, ChargingError> {
        if planted::is(Bug::LogsTheCaller) {
            tracing::debug!(caller = ?call.parties.customer_number, "asked");
        }
        let Some(number) = self.called_number(call).await? else { return Ok(Answer::Unknown) };
        if number.vapi_assistant_id.is_none() {
            return Ok(Answer::Refuse { reason: "no_agent".to_owned(), sentence: sentence("no_agent") });
        }
        let call_id = call.vapi_call_id.clone().into();
        let owner =
            CallOwner { org_id: number.org_id, call_id, agent_limit_secs: Some(number.agent_limit_secs) };
        let record = self.first_record(&owner, call);
        let mapping = CallMapping {
            vapi_call_id: call.vapi_call_id.clone(),
            org_id: owner.org_id,
            call_id: owner.call_id.clone(),
        };
        let message = meter_message(&record, record.due_at);
        let (wallet, there, noted, ()) = futures::future::try_join4(
            self.wallets.get(owner.org_id),
            self.calls.open(&record),
            self.calls.map(&mapping),
            self.queue.send(&message, self.clock.now()),
        )
        .await?;
        if noted != mapping {
            // Another org's call: its record here, made in the same moment, is closed again.
            if there.is_none() {
                let refused = record.after(Event::Refused { reason: "not_ours" })?;
                self.calls.save(&record, &refused).await.or_else(|error| match error {
                    SaveError::Moved => Ok(record),
                    SaveError::Store(error) => Err(error),
                })?;
            }
            return Ok(Answer::Unknown);
        }
        self.remember(&mapping);
        let terms = self.terms(number.agent_limit_secs);
        let decided = self.place_hold(there.unwrap_or(record), wallet, &terms).await?;
        Ok(answer(&decided, &number))
    }

    async fn called_number(&self, call: &CallRef) -> Result<Option<PhoneNumberMapping>, StoreError> {
        match &call.parties.vapi_phone_id {
            Some(id) => self.number(id).await,
            None => Ok(None),
        }
    }

    /// Sets a call's first minutes aside, or refuses it. Answers the call as it then is: decided by this, or by another.
    pub(super) async fn place_hold(
        &self,
        mut call: Call,
        mut wallet: Option<Wallet>,
        terms: &Terms,
    ) -> Result<Call, ChargingError> {
        let give_up_at = self.clock.now() + BUDGET;
        for tries in 0_u32.. {
            if call.state != State::Authorizing {
                return Ok(call);
            }
            let decision = match &wallet {
                None => Err(Refusal::NoWallet),
                Some(wallet) if tries < GENEROUS_TRIES => {
                    wallet.first_grant(&terms.backed_by(wallet, self.clock.now()))
                }
                Some(wallet) => wallet.cautious_grant(&terms.backed_by(wallet, self.clock.now())),
            };
            let tried = match decision {
                Ok(grant) => self.hold(&call, grant).await.map(|authorized| (authorized, grant)),
                Err(refusal) => {
                    // A unit that is refused is a shortage too.
                    if let Some(wallet) = &wallet {
                        self.follow_up.watch.after_or_later(wallet).await;
                    }
                    let after = call.after(Event::Refused { reason: code(&refusal) })?;
                    match self.calls.save(&call, &after).await {
                        Ok(saved) => {
                            call = saved;
                            continue;
                        }
                        Err(SaveError::Moved) => Err(AuthorizeError::CallMoved),
                        Err(SaveError::Store(error)) => Err(error.into()),
                    }
                }
            };
            match tried {
                Ok((authorized, grant)) => {
                    if let Some(wallet) = &wallet {
                        self.follow_up.watch.after_or_later(&with_hold(wallet, &authorized, grant)).await;
                    }
                    return Ok(authorized);
                }
                Err(AuthorizeError::WalletMoved(now)) => wallet = Some(*now),
                Err(AuthorizeError::NoWallet) => wallet = None,
                Err(AuthorizeError::AlreadyHeld(_) | AuthorizeError::CallMoved) => {
                    call = self
                        .calls
                        .get(call.org_id, &call.call_id)
                        .await?
                        .ok_or(ChargingError::RecordMissing(call.call_id))?;
                }
                Err(AuthorizeError::Store(error)) => return Err(error.into()),
            }
            if tries > 0 {
                self.again(give_up_at, "the wallet").await?;
            }
        }
        Err(StoreError::Contended { what: "the wallet" }.into())
    }

    /// Writes the hold and the authorized record; answers the record as written.
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

/// The wallet as it is once `grant` is set aside for `call`.
pub(super) fn with_hold(wallet: &Wallet, call: &Call, grant: Grant) -> Wallet {
    let mut after = wallet.clone();
    after.available = wallet.available.minus(grant.amount);
    after.held = wallet.held.plus(grant.amount);
    after.holds.insert(call.call_id.clone(), Hold::first(&grant));
    after
}

/// The answer that a call's record gives: a repeat of the question gets the same one.
fn answer(call: &Call, number: &PhoneNumberMapping) -> Answer {
    let refuse = |reason: &str| Answer::Refuse { reason: reason.to_owned(), sentence: sentence(reason) };
    match (&call.state, &number.vapi_assistant_id) {
        (State::Authorized | State::InProgress { .. }, Some(assistant)) => Answer::Take {
            assistant: assistant.clone(),
            max_duration_secs: call.provider_limit_secs.unwrap_or(call.agent_limit_secs),
        },
        (State::Authorized | State::InProgress { .. }, None) => refuse("no_agent"),
        (State::Refused { reason }, _) => refuse(reason),
        (State::Authorizing | State::Ended { .. } | State::Settled(_) | State::Released, _) => {
            refuse("call_over")
        }
    }
}

pub(super) const fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::InsufficientFunds { .. } => "insufficient_funds",
        Refusal::Frozen => "wallet_frozen",
        Refusal::NoWallet => "no_wallet",
    }
}

/// What the caller hears. It does not tell a stranger about the clinic's money.
fn sentence(reason: &str) -> &'static str {
    match reason {
        "call_over" => "This call has already ended. Please ring again.",
        _ => "We're sorry, our phone assistant is not available at the moment. Please try again later.",
    }
}
