//! Holds: money moves between available and held, and at the end of a call out of the wallet, always together with the call's
//! record.

use aws_sdk_dynamodb::types::{CancellationReason, ReturnValuesOnConditionCheckFailure::AllOld};
use domain::{
    audit::AuditEntry,
    call::Call,
    doubt::Doubt,
    hold::Hold,
    ids::CallId,
    ledger::Posting,
    time::rfc3339_millis,
    wallet::{Extension, Grant, Wallet},
};
use jiff::Timestamp;

use super::{Wallets, delta, map};
use crate::{
    audit, calls, doubts,
    dynamo::Update,
    error::{ChangeError, StoreError, TransactError},
    item::{Item, decode, is_refusal, number, org_key, text, update_part},
    table::Table,
};

/// Why money was not set aside.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// This call's money is set aside already: a repeat.
    #[error("the call has its hold already")]
    AlreadyHeld(Box<Hold>),
    /// The wallet is not what the grant rests on. As it is now, to decide again.
    #[error("the wallet has changed since it was read")]
    WalletMoved(Box<Wallet>),
    /// There is no wallet.
    #[error("the org has no wallet")]
    NoWallet,
    /// Another write has changed the call's record since it was read.
    #[error("the call has changed since it was read")]
    CallMoved,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Wallets {
    /// Moves `grant` from available to held for `call`, and the call's record to authorized: one transaction, which
    /// is also the check. So there is no hold without a due record, none for a call that is over, and never more of them
    /// than the org may have calls at a time.
    ///
    /// `call` is the record as read. Repeating it for the same call returns the hold that is already there.
    ///
    /// # Errors
    /// See [`AuthorizeError`].
    pub async fn authorize(&self, call: &Call, after: &Call, grant: &Grant) -> Result<Hold, AuthorizeError> {
        let hold = Hold::first(grant);
        let granted_until = after.started_at().map(|started_at| hold.paid_until(started_at));
        let hold = Hold { granted_until, ..hold };
        let wallet = self
            .update(call.org_id)
            .update_expression(
                "SET available = available - :grant, held = held + :grant, holds.#call = :hold",
            )
            .condition_expression(
                "available >= :basis AND size(holds) < :org_limit AND attribute_not_exists(holds.#call) \
                 AND attribute_not_exists(frozen)",
            )
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":grant", number(grant.amount.pence()))
            .expression_attribute_values(":basis", number(grant.basis.pence()))
            .expression_attribute_values(":org_limit", number(grant.most_calls))
            .expression_attribute_values(":hold", map(&hold)?)
            .return_values_on_condition_check_failure(AllOld);
        let items = vec![update_part(wallet)?, calls::put(&self.db, after, call.version)?];
        match self.db.of_org(call.org_id).transact(items).await {
            Ok(()) => Ok(hold),
            Err(TransactError::Refused(reasons)) => Err(authorize_refused(&call.call_id, reasons)),
            Err(TransactError::Store(error)) => Err(error.into()),
        }
    }

    /// Records that `call` has started: its record, and how long its hold pays.
    ///
    /// # Errors
    /// When another write changed the record or the hold since they were read, or the database does not answer.
    pub async fn start(&self, call: &Call, after: &Call, hold: &Hold) -> Result<(), ChangeError> {
        let started_at = after.started_at().unwrap_or(after.created_at);
        let wallet = self
            .update(call.org_id)
            .update_expression("SET holds.#call.granted_until = :until")
            .condition_expression("holds.#call.step = :step")
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":until", text(rfc3339_millis(hold.paid_until(started_at))))
            .expression_attribute_values(":step", number(hold.step));
        let items = vec![update_part(wallet)?, calls::put(&self.db, after, call.version)?];
        self.db.of_org(call.org_id).change(items).await
    }

    /// Adds `extension` to the hold of a live call, if it is still the hold that was read. Returns the hold after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is not, when the money is no longer there, or when the wallet is frozen.
    pub async fn extend(
        &self,
        call: &Call,
        hold: &Hold,
        started_at: Timestamp,
        extension: &Extension,
    ) -> Result<Hold, ChangeError> {
        let extended = hold.extended_by(extension, started_at);
        let update = Update {
            change: "SET available = available - :more, held = held + :more, holds.#call.amount = :amount, \
                     holds.#call.step = :next, holds.#call.granted_until = :until",
            condition: "holds.#call.step = :step AND available >= :more AND attribute_not_exists(frozen)",
            names: &[("#call", call.call_id.as_str())],
            values: &[
                (":more", number(extension.amount.pence())),
                (":amount", number(extended.amount.pence())),
                (":step", number(hold.step)),
                (":next", number(extended.step)),
                (":until", text(rfc3339_millis(extended.paid_until(started_at)))),
            ],
        };
        let (name, value) = org_key(call.org_id);
        self.db.of_org(call.org_id).update(Table::Wallets, &[(name, &value)], &update).await?;
        Ok(extended)
    }

    /// Charges a finished call: its hold is taken out of the wallet, what was not needed goes back, what the hold does
    /// not cover comes out of available, the movement is booked, and the record is settled. All or nothing.
    ///
    /// `wallet` and `call` are as read; `posting` must be for this call. What is stated beyond the bill is left to a
    /// person as a `doubt`, which moves no money. Returns the wallet after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] also when the entry exists: the next read finds the call settled.
    pub async fn settle(
        &self,
        wallet: &Wallet,
        call: &Call,
        after: &Call,
        posting: &Posting,
        doubt: Option<&Doubt>,
    ) -> Result<Wallet, ChangeError> {
        let booking = wallet.settled(&call.call_id, posting);
        let update = self
            .chained(wallet, &booking.entry)
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":delta", delta(wallet, &booking));
        let update = match wallet.holds.get(&call.call_id) {
            Some(hold) => update
                .update_expression(
                    "SET available = available + :delta, held = held - :held, ledger_seq = :seq, \
                     ledger_head = :head REMOVE holds.#call",
                )
                .condition_expression("ledger_seq = :read AND holds.#call.amount = :held")
                .expression_attribute_values(":held", number(hold.amount.pence())),
            None => update
                .update_expression(
                    "SET available = available + :delta, ledger_seq = :seq, ledger_head = :head",
                )
                .condition_expression("ledger_seq = :read AND attribute_not_exists(holds.#call)"),
        };
        let record = calls::put(&self.db, after, call.version)?;
        let mut items = vec![update_part(update)?, self.entry_put(&booking.entry)?, record];
        if let Some(doubt) = doubt {
            items.push(doubts::raise(&self.db, doubt)?);
        }
        self.db.of_org(wallet.org_id).change(items).await?;
        Ok(booking.wallet)
    }

    /// Books a correction of a billed call: the wallet, the entry, the record's bill and the end of any doubt about it, all
    /// or nothing; and `act`, where a person decided it. `wallet` and `call` are as read. Returns the wallet after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when wallet or record are not as read, or the correction is booked already.
    pub async fn correct(
        &self,
        wallet: &Wallet,
        call: &Call,
        after: &Call,
        posting: &Posting,
        act: Option<&AuditEntry>,
    ) -> Result<Wallet, ChangeError> {
        let booking = wallet.booked(posting);
        let mut items = vec![
            self.moved(wallet, &booking)?,
            self.entry_put(&booking.entry)?,
            calls::put(&self.db, after, call.version)?,
            doubts::settle(&self.db, call.org_id, &call.call_id)?,
        ];
        if let Some(act) = act {
            items.push(audit::put(&self.db, act)?);
        }
        self.db.of_org(wallet.org_id).change(items).await?;
        Ok(booking.wallet)
    }

    /// Writes a billed call's record together with the doubt about it, or with the end of that. No money moves.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the record is not as read.
    pub async fn doubt(&self, call: &Call, after: &Call, doubt: Option<&Doubt>) -> Result<(), ChangeError> {
        let about = match doubt {
            Some(doubt) => doubts::raise(&self.db, doubt)?,
            None => doubts::settle(&self.db, call.org_id, &call.call_id)?,
        };
        let items = vec![calls::put(&self.db, after, call.version)?, about];
        self.db.of_org(call.org_id).change(items).await
    }

    /// Gives the whole hold of a call on which no talk was charged back to available, and closes the record.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the hold or the record is not as read.
    pub async fn release(&self, call: &Call, after: &Call, hold: &Hold) -> Result<(), ChangeError> {
        let update = self
            .update(call.org_id)
            .update_expression("SET available = available + :held, held = held - :held REMOVE holds.#call")
            .condition_expression("holds.#call.amount = :held")
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":held", number(hold.amount.pence()));
        let items = vec![update_part(update)?, calls::put(&self.db, after, call.version)?];
        self.db.of_org(call.org_id).change(items).await
    }
}

/// The wallet as it was says why: our own hold means a repeat, not a shortage.
fn authorize_refused(call: &CallId, reasons: Vec<CancellationReason>) -> AuthorizeError {
    let Some(wallet) = reasons.into_iter().next().filter(is_refusal) else {
        return AuthorizeError::CallMoved;
    };
    let Some(item) = wallet.item.filter(|item: &Item| !item.is_empty()) else {
        return AuthorizeError::NoWallet;
    };
    match decode::<Wallet>(Table::Wallets, item) {
        Ok(wallet) => match wallet.holds.get(call) {
            Some(hold) => AuthorizeError::AlreadyHeld(Box::new(hold.clone())),
            None => AuthorizeError::WalletMoved(Box::new(wallet)),
        },
        Err(error) => error.into(),
    }
}
