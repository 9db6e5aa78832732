//! What an operator decides about an org's money: a doubt is accepted, a wallet is adjusted or unfrozen. Each act is one
//! transaction, in which the audit log says who did it and why.

use std::sync::Arc;

use base::{
    clock::Clock,
    config::{Base, Reader},
};
use domain::{
    amount::Amount,
    audit::{Action, Actor, AuditEntry, RecordId},
    call::{Bill, Call, State},
    ids::{AdjustmentId, CallId, OrgId},
    ledger::{Entry, EntrySide, Posting, Reason},
};
use platform::Platform;
use store::{
    Attempt, ChangeError, Dynamo, StoreError, audit::AuditLog, calls::Calls, doubts::Doubts, ledger::Ledger,
    wallets::Wallets,
};

use crate::{charging::correct::correction, follow_up::FollowUp};

/// Everything that an operator's acts need.
#[derive(Debug)]
pub struct Operating {
    /// What vendors state of calls beyond what is billed.
    pub doubts: Doubts,
    /// What operators did before.
    pub log: AuditLog,
    calls: Calls,
    wallets: Wallets,
    ledger: Ledger,
    follow_up: FollowUp,
    db: Dynamo,
    clock: Arc<dyn Clock>,
}

/// The settings of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environment and tables.
    pub base: Base,
    /// What follows every change of a wallet.
    pub follow_up: FollowUp,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        Self { base: Base::read(reader), follow_up: FollowUp::read(reader, platform) }
    }
}

/// What became of a doubt that a person accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The difference is booked, now or by an earlier acceptance: the bill as it is now.
    Booked(Bill),
    /// There is no such doubt: there never was one, or a later word of the vendor's has settled it.
    Unknown,
    /// The doubt has lapsed.
    Lapsed,
}

/// A correction of a wallet by hand.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// The id of it: the same id is booked once.
    pub id: AdjustmentId,
    /// The org whose wallet it is.
    pub org_id: OrgId,
    /// Which way the money goes.
    pub direction: EntrySide,
    /// How much.
    pub amount: Amount,
    /// Why, in a sentence that the clinic's statement shows.
    pub reason: String,
}

impl Operating {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        let db = platform.database(&settings.base.table_prefix);
        Self {
            doubts: Doubts::new(db.clone()),
            log: AuditLog::new(db.clone()),
            calls: Calls::new(db.clone()),
            wallets: Wallets::new(db.clone()),
            ledger: Ledger::new(db.clone()),
            follow_up: settings.follow_up,
            db,
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Books the doubt about a call, because `by` says so. The wallet may go into debt by it. Accepting one again answers what
    /// is booked, and sees again to what follows.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn accept_doubt(&self, org: OrgId, id: &CallId, by: &Actor) -> Result<Accepted, StoreError> {
        let accept = || async move {
            let Some(doubt) = self.doubts.get(org, id).await? else {
                return self.accepted_before(org, id).await.map(Attempt::Done);
            };
            let now = self.clock.now();
            if !doubt.is_open(now) {
                return Ok(Attempt::Done(Accepted::Lapsed));
            }
            let (call, wallet) =
                futures::future::try_join(self.calls.get(org, id), self.wallets.existing(org)).await?;
            let Some((call, bill)) = call.and_then(|call| doubted(call, doubt.stated_secs)) else {
                return Ok(Attempt::Done(Accepted::Unknown));
            };
            let corrected = bill.corrected(doubt.stated_secs);
            let posting = correction(&call, &bill, &corrected, EntrySide::Debit, now);
            let after = Call { state: State::Settled(corrected.clone()), ..call.clone() };
            let act = (Action::AcceptDoubt, RecordId::Call(id.clone()));
            let act = AuditEntry::granted(org, by.clone(), act, None, now);
            match self.wallets.correct(&wallet, &call, &after, &posting, Some(&act)).await {
                Ok(wallet) => {
                    tracing::warn!(org_id = %org, call_id = %id, user = %by.user, pence = posting.amount.pence(),
                        "an operator accepted a doubt about a call");
                    self.follow_up.after(&wallet).await?;
                    Ok(Attempt::Done(Accepted::Booked(corrected)))
                }
                Err(ChangeError::Moved) => Ok(Attempt::Moved),
                Err(ChangeError::Store(error)) => Err(error),
            }
        };
        self.db.until_written("the wallet", accept).await
    }

    /// What a doubt about a call that is there no more came to.
    async fn accepted_before(&self, org: OrgId, id: &CallId) -> Result<Accepted, StoreError> {
        let (call, wallet) =
            futures::future::try_join(self.calls.get(org, id), self.wallets.get(org)).await?;
        let (Some(Call { state: State::Settled(bill), .. }), Some(wallet)) = (call, wallet) else {
            return Ok(Accepted::Unknown);
        };
        let last = Reason::CallCorrection {
            call_id: id.clone(),
            tariff: bill.tariff,
            nth: bill.corrections,
            direction: EntrySide::Debit,
        };
        let entry = self.ledger.get(org, &last.key()).await?;
        if entry.is_none_or(|entry| entry.direction != EntrySide::Debit) {
            return Ok(Accepted::Unknown);
        }
        self.follow_up.after(&wallet).await?;
        Ok(Accepted::Booked(bill))
    }

    /// Books an adjustment, once for each id. Returns its entry, also when it was booked before; `None` when the org has no
    /// wallet.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn adjust(&self, adjustment: &Adjustment, by: &Actor) -> Result<Option<Entry>, StoreError> {
        let reason = || Reason::Adjustment { id: adjustment.id.clone(), direction: adjustment.direction };
        let book = || async move {
            let (wallet, there) = futures::future::try_join(
                self.wallets.get(adjustment.org_id),
                self.ledger.get(adjustment.org_id, &reason().key()),
            )
            .await?;
            let Some(wallet) = &wallet else { return Ok(Attempt::Done(None)) };
            if there.is_some() {
                // Also what followed it may have been lost.
                self.follow_up.after(wallet).await?;
                return Ok(Attempt::Done(there));
            }
            let posting = Posting {
                reason: reason(),
                amount: adjustment.amount,
                description: format!("Adjustment: {}", adjustment.reason),
                at: self.clock.now(),
            };
            let act = (Action::AdjustWallet, RecordId::Wallet(Some(adjustment.id.clone())));
            let act = AuditEntry::granted(
                adjustment.org_id,
                by.clone(),
                act,
                Some(adjustment.reason.clone()),
                posting.at,
            );
            match self.wallets.adjust(wallet, &posting, &act).await {
                Ok(after) => {
                    tracing::warn!(org_id = %adjustment.org_id, user = %by.user, entry_key = %posting.reason.key(),
                        pence = posting.amount.pence(), "an operator adjusted a wallet");
                    // A process that dies from here on has booked it: the same request again sees to the rest.
                    self.follow_up.after(&after).await?;
                    self.ledger.get(adjustment.org_id, &posting.reason.key()).await.map(Attempt::Done)
                }
                Err(ChangeError::Moved) => Ok(Attempt::Moved),
                Err(ChangeError::Store(error)) => Err(error),
            }
        };
        self.db.until_written("the wallet", book).await
    }

    /// Lets a frozen wallet be spent from again, because `by` says that its books were looked at. Returns whether there is such a
    /// wallet; one that is not frozen stays as it is.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn unfreeze(&self, org: OrgId, by: &Actor, reason: &str) -> Result<bool, StoreError> {
        let unfreeze = |act: AuditEntry| async move { self.wallets.unfreeze(&act).await };
        let is_there = self.done(org, Action::UnfreezeWallet, by, reason, unfreeze).await?;
        if is_there {
            tracing::warn!(org_id = %org, user = %by.user, reason, "an operator unfroze a wallet");
        }
        Ok(is_there)
    }

    /// Sets how many calls an org may have at a time, because `by` says so. Returns whether there is such a wallet.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn limit_calls(
        &self,
        org: OrgId,
        most: u32,
        by: &Actor,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let limit = |act: AuditEntry| async move { self.wallets.limit_calls(most, &act).await };
        let is_there = self.done(org, Action::LimitCalls, by, reason, limit).await?;
        if is_there {
            tracing::warn!(org_id = %org, user = %by.user, most, reason, "an operator set how many calls an org may have");
        }
        Ok(is_there)
    }

    /// Does something to a wallet that is no movement, with its entry in the log. Returns whether there is such a wallet.
    async fn done<F: Future<Output = Result<(), ChangeError>>>(
        &self,
        org: OrgId,
        action: Action,
        by: &Actor,
        reason: &str,
        act: impl Fn(AuditEntry) -> F,
    ) -> Result<bool, StoreError> {
        let act = &act;
        let write = || async move {
            if self.wallets.get(org).await?.is_none() {
                return Ok(Attempt::Done(false));
            }
            let done = (action, RecordId::Wallet(None));
            let entry = AuditEntry::granted(org, by.clone(), done, Some(reason.to_owned()), self.clock.now());
            Ok::<_, StoreError>(Attempt::of(act(entry).await)?.map(|()| true))
        };
        self.db.until_written("the wallet", write).await
    }
}

/// The call with its bill, if the bill leaves this doubt.
fn doubted(call: Call, stated_secs: u32) -> Option<(Call, Bill)> {
    match &call.state {
        State::Settled(bill) if bill.doubted_secs == Some(stated_secs) => {
            let bill = bill.clone();
            Some((call, bill))
        }
        State::Settled(_)
        | State::Authorizing
        | State::Authorized
        | State::InProgress { .. }
        | State::Ended { .. }
        | State::Released
        | State::Refused { .. } => None,
    }
}
