//! The wallets: every way money moves, each one conditional write or one transaction. What a wallet is after a write, and
//! whether it may be made, [`domain::wallet`] decides; here it is written on the condition that nothing it rests on has moved.

mod booking;
mod holds;
mod recharge;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update, builders::UpdateBuilder};
use domain::{
    audit::AuditEntry,
    ids::{CustomerId, IdError, OrgId},
    ledger::Entry,
    recharge::Card,
    wallet::{Booking, Wallet},
};
use serde::Serialize;

use crate::{
    audit,
    dynamo::{self, Dynamo, Read},
    error::{ChangeError, StoreError, unavailable},
    item::{Item, decode, encode, number, org_key, put_part, record, text, update_part},
    scope::System,
    table::Table,
};

pub use holds::AuthorizeError;

/// Some wallets, each as far as it can be read, and where the next ones begin.
pub type Page = (Vec<(OrgId, Result<Wallet, StoreError>)>, Option<OrgId>);

/// The table of wallets.
#[derive(Clone, Debug)]
pub struct Wallets {
    db: Dynamo,
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
        self.db.of_org(org).get(Table::Wallets, &[(name, &value)]).await
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
        let empty = Wallet::empty(org);
        let item = record(Table::Wallets, &empty)?;
        match self.db.of_org(org).put_new(Table::Wallets, "org_id", item).await? {
            None => Ok(empty),
            Some(there) => decode(Table::Wallets, there),
        }
    }

    /// Stops all new spending of a wallet, for this reason, until a person has looked.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn freeze(&self, org: OrgId, reason: &str) -> Result<(), StoreError> {
        // What was written is not read: a wallet that cannot be read is frozen too.
        self.note(org, "SET frozen = :value", reason).await.map(|_| ())
    }

    /// Lets a wallet be spent from again, and writes down who did it. One that is not frozen stays as it is.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when there is no such wallet, or the log has the act.
    pub async fn unfreeze(&self, act: &AuditEntry) -> Result<(), ChangeError> {
        let update = self
            .update(act.org_id)
            .update_expression("REMOVE frozen")
            .condition_expression("attribute_exists(org_id)");
        let items = vec![update_part(update)?, audit::put(&self.db, act)?];
        self.db.of_org(act.org_id).change(items).await
    }

    /// Sets how many calls an org may have at a time, from its next call on, and writes down who did it.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when there is no such wallet, or the log has the act.
    pub async fn limit_calls(&self, most: u32, act: &AuditEntry) -> Result<(), ChangeError> {
        let update = self
            .update(act.org_id)
            .update_expression("SET call_limit = :calls")
            .condition_expression("attribute_exists(org_id)")
            .expression_attribute_values(":calls", number(most));
        let items = vec![update_part(update)?, audit::put(&self.db, act)?];
        self.db.of_org(act.org_id).change(items).await
    }

    /// A page of all wallets, in no order, from where the last page ended. One that cannot be read does not hide the others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page(&self, after: Option<OrgId>) -> Result<Page, StoreError> {
        const PAGE: i32 = 100;
        let start = after.map(|org| Item::from([("org_id".to_owned(), text(org.to_string()))]));
        let read = Read { limit: Some(PAGE), ..Read::default() };
        let mut pages = self.db.of_system(System::Books).pages(Table::Wallets, read).from(start);
        let Some(page) = pages.next().await? else { return Ok((Vec::new(), None)) };
        // A wallet without an org cannot be named, and is never passed over: it would hide those after it.
        let org_of = |item: &Item| {
            let org = item.get("org_id").and_then(|org| org.as_s().ok()).and_then(|org| org.parse().ok());
            org.ok_or_else(|| unavailable("Scan", IdError))
        };
        let mut wallets = Vec::new();
        for item in page.items {
            wallets.push((org_of(&item)?, decode(Table::Wallets, item)));
        }
        Ok((wallets, page.next.as_ref().map(org_of).transpose()?))
    }

    /// Notes the Stripe customer that pays for this wallet. Returns the one that is noted, which may be another's.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn note_customer(&self, org: OrgId, customer: &CustomerId) -> Result<CustomerId, StoreError> {
        let change = "SET stripe_customer = if_not_exists(stripe_customer, :value)";
        let wallet: Wallet = decode(Table::Wallets, self.note(org, change, customer.as_str()).await?)?;
        Ok(wallet.stripe_customer.unwrap_or_else(|| customer.clone()))
    }

    /// Puts a fresh customer in the place of one that is gone at Stripe, and with the old one its card. Returns the customer that is
    /// noted then, which another request may have put there.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn replace_customer(
        &self,
        org: OrgId,
        gone: &CustomerId,
        fresh: &CustomerId,
    ) -> Result<CustomerId, StoreError> {
        let change = "SET stripe_customer = :fresh REMOVE payment_method, card_fingerprint";
        let values = [(":fresh", text(fresh.as_str())), (":gone", text(gone.as_str()))];
        match self.change(org, change, "stripe_customer = :gone", &values).await {
            Ok(_) => Ok(fresh.clone()),
            Err(ChangeError::Moved) => {
                Ok(self.existing(org).await?.stripe_customer.unwrap_or_else(|| fresh.clone()))
            }
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Notes the card that may be charged again, as a payment of the second `paid_at` left it. News of an older payment does not
    /// put an older card back.
    ///
    /// # Errors
    /// When the wallet does not exist, or the database does not answer.
    pub async fn note_payment_method(
        &self,
        org: OrgId,
        card: Card<'_>,
        paid_at: i64,
    ) -> Result<(), StoreError> {
        let change = "SET payment_method = :value, card_fingerprint = :number, card_since = :since";
        let condition =
            "attribute_exists(org_id) AND (attribute_not_exists(card_since) OR card_since <= :since)";
        let fingerprint = card.fingerprint.map_or(AttributeValue::Null(true), text);
        let values = [(":value", text(card.id)), (":number", fingerprint), (":since", number(paid_at))];
        match self.change(org, change, condition, &values).await {
            Ok(_) => Ok(()),
            // A newer card is there; or there is no wallet at all.
            Err(ChangeError::Moved) => self.existing(org).await.map(|_| ()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Notes something that is no money. Returns the record as written.
    async fn note(&self, org: OrgId, change: &str, value: &str) -> Result<Item, StoreError> {
        let written = self.change(org, change, "attribute_exists(org_id)", &[(":value", text(value))]).await;
        written.map_err(|error| match error {
            ChangeError::Moved => StoreError::NoWallet,
            ChangeError::Store(error) => error,
        })
    }

    /// Changes a wallet in one conditional write. Returns the record as written.
    async fn change(
        &self,
        org: OrgId,
        change: &str,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Item, ChangeError> {
        let (name, value) = org_key(org);
        let update = dynamo::Update { change, condition, names: &[], values };
        self.db.of_org(org).update(Table::Wallets, &[(name, &value)], &update).await
    }

    fn update(&self, org: OrgId) -> UpdateBuilder {
        Update::builder().table_name(self.db.table_name(Table::Wallets)).key("org_id", text(org.to_string()))
    }

    /// The part of an update that every movement shares: the chain moves from the entry that was read to the next.
    fn chained(&self, wallet: &Wallet, entry: &Entry) -> UpdateBuilder {
        self.update(wallet.org_id)
            .expression_attribute_values(":read", number(wallet.ledger.seq))
            .expression_attribute_values(":seq", number(entry.seq))
            .expression_attribute_values(":head", text(entry.hash.to_string()))
    }

    /// The part of a transaction that moves the wallet for an entry which touches no hold. The wallet is as read.
    fn moved(&self, wallet: &Wallet, booking: &Booking) -> Result<TransactWriteItem, StoreError> {
        update_part(
            self.chained(wallet, &booking.entry)
                .update_expression(
                    "SET available = available + :delta, ledger_seq = :seq, ledger_head = :head",
                )
                .condition_expression("ledger_seq = :read")
                .expression_attribute_values(":delta", delta(wallet, booking)),
        )
    }

    /// The only place that puts a ledger entry.
    fn entry_put(&self, entry: &Entry) -> Result<TransactWriteItem, StoreError> {
        let put = aws_sdk_dynamodb::types::Put::builder()
            .table_name(self.db.table_name(Table::LedgerEntries))
            .set_item(Some(encode(Table::LedgerEntries, entry)?));
        put_part(put.condition_expression("attribute_not_exists(entry_key)"))
    }
}

/// What the movement adds to available, below zero when it takes: what the update says of it.
fn delta(wallet: &Wallet, booking: &Booking) -> AttributeValue {
    number(booking.wallet.available.pence().saturating_sub(wallet.available.pence()))
}

fn map<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    encode(Table::Wallets, value).map(AttributeValue::M)
}
