//! Movements that are no call's: payments, and what assets cost. Each is a change of the wallet and an entry of its ledger,
//! together or not at all.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use domain::{
    audit::AuditEntry,
    ledger::{Entry, Posting},
    message::{Message, State},
    purchase::Purchase,
    recharge::AutoRecharge,
    wallet::{Booking, Wallet},
};

use super::{Wallets, delta, map, recharge};
use crate::{
    audit,
    error::ChangeError,
    item::{number, update_part},
    messages, purchases,
};

impl Wallets {
    /// Books a movement that is no call's: a top-up, a refund, a dispute. `wallet` is as read. Returns it after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the wallet has moved, or the movement is booked already: the next read tells.
    pub async fn book(&self, wallet: &Wallet, posting: &Posting) -> Result<Wallet, ChangeError> {
        self.book_with(wallet, posting, None).await
    }

    /// Books an adjustment, and writes down who made it. `wallet` is as read. Returns it after.
    ///
    /// # Errors
    /// As [`Wallets::book`].
    pub async fn adjust(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        act: &AuditEntry,
    ) -> Result<Wallet, ChangeError> {
        let booking = wallet.booked(posting);
        let items =
            vec![self.moved(wallet, &booking)?, self.entry_put(&booking.entry)?, audit::put(&self.db, act)?];
        self.db.of_org(wallet.org_id).change(items).await?;
        Ok(booking.wallet)
    }

    /// The same as [`Wallets::book`] for a payment whose credit changes the org's auto-recharge: both, or neither.
    ///
    /// # Errors
    /// As [`Wallets::book`], and [`ChangeError::Moved`] when the auto-recharge is not as read.
    pub async fn book_with(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        recharge: Option<AutoRecharge>,
    ) -> Result<Wallet, ChangeError> {
        let mut booking = wallet.booked(posting);
        let update = self
            .chained(wallet, &booking.entry)
            .expression_attribute_values(":delta", delta(wallet, &booking));
        let update = match recharge {
            None => update
                .update_expression(
                    "SET available = available + :delta, ledger_seq = :seq, ledger_head = :head",
                )
                .condition_expression("ledger_seq = :read"),
            Some(after) => {
                let before = &wallet.auto_recharge;
                booking.wallet.auto_recharge = recharge::next(before, after);
                update
                    .update_expression(
                        "SET available = available + :delta, ledger_seq = :seq, ledger_head = :head, \
                         auto_recharge = :recharge",
                    )
                    .condition_expression(format!("ledger_seq = :read AND {}", recharge::SAME))
                    .expression_attribute_values(":version", number(before.version))
                    .expression_attribute_values(":recharge", map(&booking.wallet.auto_recharge)?)
            }
        };
        let items = vec![update_part(update)?, self.entry_put(&booking.entry)?];
        self.db.of_org(wallet.org_id).change(items).await?;
        Ok(booking.wallet)
    }

    /// Takes the price of a number: wallet, ledger and purchase move together, if the money is there and the wallet is not
    /// frozen. `wallet` and `before` are as read. Returns the purchase after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when wallet or purchase are not as read, or the money is not there.
    pub async fn charge_number(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        before: &Purchase,
        after: Purchase,
    ) -> Result<Purchase, ChangeError> {
        let booking = wallet.booked(posting);
        let update = self.spent(wallet, &booking);
        self.book_purchase(update, &booking.entry, before, after).await
    }

    /// Gives the price of a number back, as its purchase ends. `wallet` and `before` are as read. Returns the purchase after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when they are not, or the price was given back already.
    pub async fn refund_number(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        before: &Purchase,
        after: Purchase,
    ) -> Result<Purchase, ChangeError> {
        let Booking { entry, .. } = wallet.booked(posting);
        let update = self
            .chained(wallet, &entry)
            .update_expression("SET available = available + :cost, ledger_seq = :seq, ledger_head = :head")
            .condition_expression("ledger_seq = :read")
            .expression_attribute_values(":cost", number(entry.amount.pence()));
        self.book_purchase(update, &entry, before, after).await
    }

    async fn book_purchase(
        &self,
        update: UpdateBuilder,
        entry: &Entry,
        before: &Purchase,
        after: Purchase,
    ) -> Result<Purchase, ChangeError> {
        let after = purchases::next(after, before);
        let claim = purchases::put(&self.db, before, &after)?;
        let items = vec![update_part(update)?, self.entry_put(entry)?, claim];
        self.db.of_org(entry.org_id).change(items).await?;
        Ok(after)
    }

    /// Takes an asset's price, such as a number's rental, with money that is there: it makes no debt. `wallet` is as read.
    /// Returns it after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the wallet is not as read, the money is not there, the wallet is frozen, or the price is
    /// taken already.
    pub async fn charge_rental(&self, wallet: &Wallet, posting: &Posting) -> Result<Wallet, ChangeError> {
        let booking = wallet.booked(posting);
        let items = vec![update_part(self.spent(wallet, &booking))?, self.entry_put(&booking.entry)?];
        self.db.of_org(wallet.org_id).change(items).await?;
        Ok(booking.wallet)
    }

    /// Takes the price of a text, with money that is there: wallet, ledger, the claim on the text and when it is looked for, together
    /// or not at all. `wallet` is as read. Returns it after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the wallet is not as read, the money is not there, the wallet is frozen, or the text is claimed.
    pub async fn charge_text(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        message: &Message,
    ) -> Result<Wallet, ChangeError> {
        let booking = wallet.booked(posting);
        let mut items = vec![update_part(self.spent(wallet, &booking))?, self.entry_put(&booking.entry)?];
        items.extend(messages::claim_parts(&self.db, message)?);
        self.db.of_org(wallet.org_id).change(items).await?;
        Ok(booking.wallet)
    }

    /// Gives the price of a text back that was certainly not sent, as it ends: it stands like `after`, or its claim is given back.
    /// `wallet` and `before` are as read.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when they are not, or the price was given back already.
    pub async fn refund_text(
        &self,
        wallet: &Wallet,
        posting: &Posting,
        before: &Message,
        after: Option<State>,
    ) -> Result<(), ChangeError> {
        let booking = wallet.booked(posting);
        let items = vec![
            self.moved(wallet, &booking)?,
            self.entry_put(&booking.entry)?,
            messages::end_part(&self.db, before, after)?,
        ];
        self.db.of_org(wallet.org_id).change(items).await
    }

    /// What takes an asset's price, on the conditions of [`Wallet::can_spend`].
    fn spent(&self, wallet: &Wallet, booking: &Booking) -> UpdateBuilder {
        self.chained(wallet, &booking.entry)
            .update_expression("SET available = available - :cost, ledger_seq = :seq, ledger_head = :head")
            .condition_expression(
                "ledger_seq = :read AND available >= :cost AND attribute_not_exists(frozen)",
            )
            .expression_attribute_values(":cost", number(booking.entry.amount.pence()))
    }
}
