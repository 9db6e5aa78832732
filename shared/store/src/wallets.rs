//! The wallets: every way money moves, each one conditional write or one transaction.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure::AllOld,
        TransactWriteItem, Update,
    },
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    calls, purchases,
    table::{
        ChangeError, Dynamo, Item, StoreError, Table, TransactError, decode, encode, is_refusal, number,
        org_key, text, unavailable,
    },
};
use domain::{
    amount::{Amount, Balance},
    call::Call,
    hold::{Hold, Settlement},
    ids::{CallId, CustomerId, IdError, OrgId},
    ledger::{Entry, EntrySide, Head, Posting},
    purchase::Purchase,
    recharge::AutoRecharge,
    wallet::{Extension, Grant, Wallet},
};

/// Where the dashboard starts to warn, until the org says otherwise.
const LOW_BALANCE: Amount = Amount::from_pence(500);

/// Some wallets, each as far as it can be read, and where the next ones begin.
pub type Page = (Vec<(OrgId, Result<Wallet, StoreError>)>, Option<OrgId>);

/// The condition that an org's auto-recharge is as it was read. A wallet from before there was one has none.
const SAME_RECHARGE: &str = "(attribute_not_exists(auto_recharge) OR auto_recharge.version = :version)";

/// The table of wallets.
#[derive(Clone, Debug)]
pub struct Wallets {
    db: Dynamo,
}

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
    /// The call's record was changed by others since it was read.
    #[error("the call has changed since it was read")]
    CallMoved,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a movement was not booked.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The wallet or the call was changed by others since it was read: read again, decide again.
    #[error("the wallet or the call has changed since it was read")]
    Moved,
    /// The entry exists: a repeat, and a success.
    #[error("this movement is booked already")]
    AlreadyBooked,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Wallets {
    /// The wallets of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Reads a wallet, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId) -> Result<Option<Wallet>, StoreError> {
        let (name, value) = org_key(org);
        self.db.get(Table::Wallets, &[(name, &value)]).await
    }

    /// Reads a wallet that must exist.
    ///
    /// # Errors
    /// As [`Wallets::get`], and when there is none.
    pub async fn existing(&self, org: OrgId) -> Result<Wallet, StoreError> {
        self.get(org).await?.ok_or(StoreError::NoWallet)
    }

    /// The org's wallet, made empty if it has none. The only place that makes one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ensure(&self, org: OrgId) -> Result<Wallet, StoreError> {
        if let Some(wallet) = self.get(org).await? {
            return Ok(wallet);
        }
        let empty = Wallet {
            org_id: org,
            available: Balance::ZERO,
            held: Amount::ZERO,
            holds: std::collections::BTreeMap::new(),
            ledger: Head::genesis(org),
            low_balance: LOW_BALANCE,
            stripe_customer: None,
            payment_method: None,
            frozen: None,
            auto_recharge: AutoRecharge::default(),
        };
        let mut item = encode(Table::Wallets, &empty)?;
        item.retain(|_, value| !value.is_null());
        match self.db.put_new(Table::Wallets, "org_id", item).await? {
            None => Ok(empty),
            Some(there) => decode(Table::Wallets, there),
        }
    }

    /// Moves `grant` from available to held for `call`, and the call's record to authorized: one transaction, which
    /// is also the check. So there is no hold without a due record, and none for a call that is over.
    ///
    /// `call` is the record as read. Repeating it for the same call answers the hold that is already there.
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
                "available >= :basis AND attribute_not_exists(holds.#call) AND attribute_not_exists(frozen)",
            )
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":grant", number(grant.amount.pence()))
            .expression_attribute_values(":basis", number(grant.basis.pence()))
            .expression_attribute_values(":hold", map(&hold)?)
            .return_values_on_condition_check_failure(AllOld);
        let items = vec![update_item(wallet)?, calls::put(&self.db, after, call.version)?];
        match self.db.transact(items).await {
            Ok(()) => Ok(hold),
            Err(TransactError::Refused(reasons)) => Err(authorize_refused(&call.call_id, reasons)),
            Err(TransactError::Store(error)) => Err(error.into()),
        }
    }

    /// Records that `call` has started: its record, and how long its hold pays.
    ///
    /// # Errors
    /// When the record or the hold was changed by others since they were read, or the database does not answer.
    pub async fn start(&self, call: &Call, after: &Call, hold: &Hold) -> Result<(), BookError> {
        let started_at = after.started_at().unwrap_or(after.created_at);
        let wallet = self
            .update(call.org_id)
            .update_expression("SET holds.#call.granted_until = :until")
            .condition_expression("holds.#call.step = :step")
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(
                ":until",
                text(domain::time::rfc3339_millis(hold.paid_until(started_at))),
            )
            .expression_attribute_values(":step", number(hold.step));
        let items = vec![update_item(wallet)?, calls::put(&self.db, after, call.version)?];
        self.db.transact(items).await.map_err(moved)
    }

    /// Adds `extension` to the hold of a live call, if it is still the hold that was read.
    ///
    /// # Errors
    /// [`BookError::Moved`] when it is not, when the money is no longer there, or when the wallet is frozen.
    pub async fn extend(
        &self,
        org: OrgId,
        call: &CallId,
        hold: &Hold,
        started_at: Timestamp,
        extension: &Extension,
    ) -> Result<Hold, BookError> {
        let amount = hold.amount.plus(extension.amount);
        let step = hold.step.saturating_add(1);
        let mut extended = Hold { amount, step, ..hold.clone() };
        let until = extended.paid_until(started_at);
        extended.granted_until = Some(until);
        let outcome = self
            .db
            .retrying("UpdateItem", || {
                self.db
                    .client
                    .update_item()
                    .table_name(self.db.table_name(Table::Wallets))
                    .key("org_id", text(org.to_string()))
                    .update_expression(
                        "SET available = available - :more, held = held + :more, holds.#call.amount = :amount, \
                         holds.#call.step = :next, holds.#call.granted_until = :until",
                    )
                    .condition_expression(
                        "holds.#call.step = :step AND available >= :more AND attribute_not_exists(frozen)",
                    )
                    .expression_attribute_names("#call", call.as_str())
                    .expression_attribute_values(":more", number(extension.amount.pence()))
                    .expression_attribute_values(":amount", number(amount.pence()))
                    .expression_attribute_values(":step", number(hold.step))
                    .expression_attribute_values(":next", number(step))
                    .expression_attribute_values(":until", text(domain::time::rfc3339_millis(until)))
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(extended),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Err(BookError::Moved)
            }
            Err(error) => Err(unavailable("UpdateItem", error).into()),
        }
    }

    /// Charges a finished call: its hold is taken out of the wallet, what was not needed goes back, what the hold does
    /// not cover comes out of available, the movement is booked, and the record is settled. All or nothing.
    ///
    /// `wallet` and `call` are as read; `posting` must be for this call. Answers the wallet after.
    ///
    /// # Errors
    /// See [`BookError`].
    pub async fn settle(
        &self,
        wallet: &Wallet,
        call: &Call,
        after: &Call,
        posting: &Posting,
    ) -> Result<Wallet, BookError> {
        let hold = wallet.holds.get(&call.call_id);
        let settlement =
            hold.map_or(Settlement::without_hold(posting.amount), |hold| hold.settle(posting.amount));
        let entry = Entry::next(wallet.org_id, wallet.ledger, wallet.balance(), posting);
        let set_aside = hold.map_or(Amount::ZERO, |hold| hold.amount);

        let mut settled = wallet.clone();
        settled.available = wallet.available.plus(settlement.returned).minus(settlement.from_available);
        settled.held = wallet.held.minus_or_zero(set_aside);
        settled.holds.remove(&call.call_id);
        settled.ledger = entry.head();

        let delta = settled.available.pence().saturating_sub(wallet.available.pence());
        let update = self
            .booking(wallet, &entry)
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":delta", number(delta));
        let update = match hold {
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
        let items = vec![update_item(update)?, self.entry_put(&entry)?, record];
        self.db.transact(items).await.map_err(booked)?;
        Ok(settled)
    }

    /// Gives the whole hold of a call that nobody talked on back to available, and closes the record.
    ///
    /// # Errors
    /// [`BookError::Moved`] when the hold or the record is not as read; never [`BookError::AlreadyBooked`].
    pub async fn release(&self, call: &Call, after: &Call, hold: &Hold) -> Result<(), BookError> {
        let update = self
            .update(call.org_id)
            .update_expression("SET available = available + :held, held = held - :held REMOVE holds.#call")
            .condition_expression("holds.#call.amount = :held")
            .expression_attribute_names("#call", call.call_id.as_str())
            .expression_attribute_values(":held", number(hold.amount.pence()));
        let items = vec![update_item(update)?, calls::put(&self.db, after, call.version)?];
        self.db.transact(items).await.map_err(moved)
    }

    /// Books a movement that is no call's: a top-up, a refund, a dispute. `wallet` is as read. Answers it after.
    ///
    /// # Errors
    /// See [`BookError`].
    pub async fn book(&self, wallet: &Wallet, posting: &Posting) -> Result<Wallet, BookError> {
        self.book_with(wallet, posting, None).await
    }

    /// The same for a payment whose credit changes the org's auto-recharge: both, or neither.
    ///
    /// # Errors
    /// See [`BookError`].
    pub async fn book_with(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        recharge: Option<AutoRecharge>,
    ) -> Result<Wallet, BookError> {
        let entry = Entry::next(wallet.org_id, wallet.ledger, wallet.balance(), posting);
        let mut booked_wallet = wallet.clone();
        booked_wallet.available = entry.direction.apply(wallet.available, entry.amount);
        booked_wallet.ledger = entry.head();
        let delta = match entry.direction {
            EntrySide::Credit => entry.amount.pence(),
            EntrySide::Debit => entry.amount.pence().saturating_neg(),
        };
        let update = self.booking(wallet, &entry).expression_attribute_values(":delta", number(delta));
        let update = match recharge {
            None => update
                .update_expression(
                    "SET available = available + :delta, ledger_seq = :seq, ledger_head = :head",
                )
                .condition_expression("ledger_seq = :read"),
            Some(after) => {
                let before = &wallet.auto_recharge;
                let after = next_recharge(before, after);
                let update = update
                    .update_expression(
                        "SET available = available + :delta, ledger_seq = :seq, ledger_head = :head, \
                         auto_recharge = :recharge",
                    )
                    .condition_expression(format!("ledger_seq = :read AND {SAME_RECHARGE}"))
                    .expression_attribute_values(":version", number(before.version))
                    .expression_attribute_values(":recharge", map(&after)?);
                booked_wallet.auto_recharge = after;
                update
            }
        };
        self.db.transact(vec![update_item(update)?, self.entry_put(&entry)?]).await.map_err(booked)?;
        Ok(booked_wallet)
    }

    /// Takes the price of a number: wallet, ledger and purchase move together, if the money is there and the wallet is not
    /// frozen. `wallet` and `before` are as read. Answers the purchase after.
    ///
    /// # Errors
    /// [`BookError::Moved`] when wallet or purchase are not as read, or the money is not there.
    pub async fn charge_number(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        before: &Purchase,
        after: Purchase,
    ) -> Result<Purchase, BookError> {
        let entry = Entry::next(wallet.org_id, wallet.ledger, wallet.balance(), posting);
        let update = self
            .booking(wallet, &entry)
            .update_expression("SET available = available - :cost, ledger_seq = :seq, ledger_head = :head")
            .condition_expression(
                "ledger_seq = :read AND available >= :cost AND attribute_not_exists(frozen)",
            )
            .expression_attribute_values(":cost", number(entry.amount.pence()));
        self.book_purchase(update, &entry, before, after).await
    }

    /// Gives the price of a number back, as its purchase ends. `wallet` and `before` are as read. Answers the purchase after.
    ///
    /// # Errors
    /// See [`BookError`].
    pub async fn refund_number(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        before: &Purchase,
        after: Purchase,
    ) -> Result<Purchase, BookError> {
        let entry = Entry::next(wallet.org_id, wallet.ledger, wallet.balance(), posting);
        let update = self
            .booking(wallet, &entry)
            .update_expression("SET available = available + :cost, ledger_seq = :seq, ledger_head = :head")
            .condition_expression("ledger_seq = :read")
            .expression_attribute_values(":cost", number(entry.amount.pence()));
        self.book_purchase(update, &entry, before, after).await
    }

    async fn book_purchase(
        &self,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
        entry: &Entry,
        before: &Purchase,
        after: Purchase,
    ) -> Result<Purchase, BookError> {
        let after = purchases::next(after, before);
        let claim = purchases::put(&self.db, before, &after)?;
        let items = vec![update_item(update)?, self.entry_put(entry)?, claim];
        self.db.transact(items).await.map_err(booked)?;
        Ok(after)
    }

    /// Takes an asset's price, such as a number's rental, with money that is there: it makes no debt. `wallet` is as read.
    /// Answers it after.
    ///
    /// # Errors
    /// [`BookError::Moved`] also when the money is not there or the wallet is frozen.
    pub async fn charge_rental(&self, wallet: &Wallet, posting: &Posting) -> Result<Wallet, BookError> {
        let entry = Entry::next(wallet.org_id, wallet.ledger, wallet.balance(), posting);
        let mut charged = wallet.clone();
        charged.available = wallet.available.minus(entry.amount);
        charged.ledger = entry.head();
        let update = self
            .booking(wallet, &entry)
            .update_expression("SET available = available - :cost, ledger_seq = :seq, ledger_head = :head")
            .condition_expression(
                "ledger_seq = :read AND available >= :cost AND attribute_not_exists(frozen)",
            )
            .expression_attribute_values(":cost", number(entry.amount.pence()));
        self.db.transact(vec![update_item(update)?, self.entry_put(&entry)?]).await.map_err(booked)?;
        Ok(charged)
    }

    /// Writes an org's auto-recharge, if it is still as in `wallet`. Answers the wallet after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is not.
    pub async fn save_recharge(&self, wallet: &Wallet, after: AutoRecharge) -> Result<Wallet, ChangeError> {
        self.write_recharge(wallet, after, SAME_RECHARGE, Vec::new()).await
    }

    /// Opens an episode: the same, if there is no more money than in `wallet`, its card is the same, and it is not frozen.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when any of it is not so.
    pub async fn open_episode(&self, wallet: &Wallet, after: AutoRecharge) -> Result<Wallet, ChangeError> {
        let condition = format!(
            "{SAME_RECHARGE} AND attribute_not_exists(auto_recharge.episode) AND available <= :available \
             AND payment_method = :card AND attribute_not_exists(frozen)"
        );
        let values = vec![
            (":available", number(wallet.available.pence())),
            (":card", text(wallet.payment_method.clone().unwrap_or_default())),
        ];
        self.write_recharge(wallet, after, &condition, values).await
    }

    async fn write_recharge(
        &self,
        wallet: &Wallet,
        after: AutoRecharge,
        condition: &str,
        values: Vec<(&str, AttributeValue)>,
    ) -> Result<Wallet, ChangeError> {
        let after = next_recharge(&wallet.auto_recharge, after);
        let mut values = values;
        values.push((":version", number(wallet.auto_recharge.version)));
        values.push((":recharge", map(&after)?));
        match self.change(wallet.org_id, "SET auto_recharge = :recharge", condition, &values).await? {
            Some(written) => Ok(decode(Table::Wallets, written)?),
            None => Err(ChangeError::Moved),
        }
    }

    /// Stops all new spending of a wallet, for this reason, until a person has looked.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn freeze(&self, org: OrgId, reason: &str) -> Result<(), StoreError> {
        let change = "SET frozen = :value";
        // What it answers is not read: a wallet that cannot be is frozen too.
        let written =
            self.change(org, change, "attribute_exists(org_id)", &[(":value", text(reason))]).await?;
        written.map(|_| ()).ok_or(StoreError::NoWallet)
    }

    /// A page of all wallets, in no order, from where the last page ended. One that cannot be read does not hide the others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page(&self, after: Option<OrgId>) -> Result<Page, StoreError> {
        const PAGE: i32 = 100;
        let start = after.map(|org| Item::from([("org_id".to_owned(), text(org.to_string()))]));
        let answer = self
            .db
            .retrying("Scan", || {
                self.db
                    .client
                    .scan()
                    .table_name(self.db.table_name(Table::Wallets))
                    .consistent_read(true)
                    .limit(PAGE)
                    .set_exclusive_start_key(start.clone())
                    .send()
            })
            .await
            .map_err(|error| unavailable("Scan", error))?;
        // A wallet without an org cannot be named, and is never passed over: it would hide those after it.
        let org_of = |item: &Item| {
            let org = item.get("org_id").and_then(|org| org.as_s().ok()).and_then(|org| org.parse().ok());
            org.ok_or_else(|| unavailable("Scan", IdError))
        };
        let mut wallets = Vec::new();
        for item in answer.items.unwrap_or_default() {
            wallets.push((org_of(&item)?, decode(Table::Wallets, item)));
        }
        Ok((wallets, answer.last_evaluated_key.as_ref().map(org_of).transpose()?))
    }

    /// Notes the Stripe customer that pays for this wallet; answers the one that is noted, which may be another's.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn note_customer(&self, org: OrgId, customer: &CustomerId) -> Result<CustomerId, StoreError> {
        let change = "SET stripe_customer = if_not_exists(stripe_customer, :value)";
        let wallet = self.note(org, change, customer.as_str()).await?;
        Ok(wallet.stripe_customer.unwrap_or_else(|| customer.clone()))
    }

    /// Notes the card that may be charged again, as a payment of the second `paid_at` left it. News of an older payment does not
    /// put an older card back.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn note_payment_method(
        &self,
        org: OrgId,
        payment_method: &str,
        paid_at: i64,
    ) -> Result<(), StoreError> {
        let change = "SET payment_method = :value, card_since = :since";
        let condition =
            "attribute_exists(org_id) AND (attribute_not_exists(card_since) OR card_since <= :since)";
        let values = [(":value", text(payment_method)), (":since", number(paid_at))];
        match self.change(org, change, condition, &values).await? {
            Some(_) => Ok(()),
            // A newer card is there; or there is no wallet at all.
            None => self.existing(org).await.map(|_| ()),
        }
    }

    /// Notes something that is no money. Answers the wallet after.
    async fn note(&self, org: OrgId, change: &str, value: &str) -> Result<Wallet, StoreError> {
        let written =
            self.change(org, change, "attribute_exists(org_id)", &[(":value", text(value))]).await?;
        decode(Table::Wallets, written.ok_or(StoreError::NoWallet)?)
    }

    /// Changes a wallet in one conditional write. Answers it as written, or none where the condition does not hold.
    async fn change(
        &self,
        org: OrgId,
        change: &str,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Option<Item>, StoreError> {
        let values: Item = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let outcome = self
            .db
            .retrying("UpdateItem", || {
                self.db
                    .client
                    .update_item()
                    .table_name(self.db.table_name(Table::Wallets))
                    .key("org_id", text(org.to_string()))
                    .update_expression(change)
                    .condition_expression(condition)
                    .set_expression_attribute_values(Some(values.clone()))
                    .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
                    .send()
            })
            .await;
        match outcome {
            Ok(written) => Ok(Some(written.attributes.unwrap_or_default())),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(unavailable("UpdateItem", error)),
        }
    }

    fn update(&self, org: OrgId) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder().table_name(self.db.table_name(Table::Wallets)).key("org_id", text(org.to_string()))
    }

    /// The part of an update that every movement shares: the chain moves from the entry that was read to the next.
    fn booking(&self, wallet: &Wallet, entry: &Entry) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        self.update(wallet.org_id)
            .expression_attribute_values(":read", number(wallet.ledger.seq))
            .expression_attribute_values(":seq", number(entry.seq))
            .expression_attribute_values(":head", text(entry.hash.to_string()))
    }

    /// The only place that puts a ledger entry.
    fn entry_put(&self, entry: &Entry) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(self.db.table_name(Table::LedgerEntries))
            .set_item(Some(encode(Table::LedgerEntries, entry)?))
            .condition_expression("attribute_not_exists(entry_key)")
            .build()
            .map_err(|error| unavailable("TransactWriteItems", error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// `after` with the version that a write over `before` gives it.
fn next_recharge(before: &AutoRecharge, after: AutoRecharge) -> AutoRecharge {
    AutoRecharge { version: before.version.saturating_add(1), ..after }
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

fn moved(error: TransactError) -> BookError {
    match error {
        TransactError::Refused(_) => BookError::Moved,
        TransactError::Store(error) => error.into(),
    }
}

/// In a booking, the second item is the entry: refused, it exists, whatever else was refused with it.
fn booked(error: TransactError) -> BookError {
    match error {
        TransactError::Refused(reasons) if reasons.get(1).is_some_and(is_refusal) => BookError::AlreadyBooked,
        TransactError::Refused(_) => BookError::Moved,
        TransactError::Store(error) => error.into(),
    }
}

fn map<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    encode(Table::Wallets, value).map(AttributeValue::M)
}

fn update_item(
    update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
) -> Result<TransactWriteItem, StoreError> {
    let update = update.build().map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().update(update).build())
}
