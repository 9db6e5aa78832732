//! An org's auto-recharge: one map in its wallet, with a version of its own.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{recharge::AutoRecharge, wallet::Wallet};

use super::{Wallets, map};
use crate::{
    error::ChangeError,
    item::{decode, number, text},
    table::Table,
};

/// The condition that an org's auto-recharge is as it was read. A wallet from before there was one has none.
pub(super) const SAME: &str = "(attribute_not_exists(auto_recharge) OR auto_recharge.version = :version)";

impl Wallets {
    /// Writes an org's auto-recharge, if it is still as in `wallet`. Returns the wallet after.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is not.
    pub async fn save_recharge(&self, wallet: &Wallet, after: AutoRecharge) -> Result<Wallet, ChangeError> {
        self.write_recharge(wallet, after, SAME, Vec::new()).await
    }

    /// Opens an episode: the same, if there is no more money than in `wallet`, its card is the same, and it is not frozen.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when any of it is not so.
    pub async fn open_episode(&self, wallet: &Wallet, after: AutoRecharge) -> Result<Wallet, ChangeError> {
        let condition = format!(
            "{SAME} AND attribute_not_exists(auto_recharge.episode) AND available <= :available \
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
        mut values: Vec<(&str, AttributeValue)>,
    ) -> Result<Wallet, ChangeError> {
        let after = next(&wallet.auto_recharge, after);
        values.push((":version", number(wallet.auto_recharge.version)));
        values.push((":recharge", map(&after)?));
        let written = self.change(wallet.org_id, "SET auto_recharge = :recharge", condition, &values).await?;
        Ok(decode(Table::Wallets, written)?)
    }
}

/// `after` with the version that a write over `before` gives it.
pub(super) fn next(before: &AutoRecharge, after: AutoRecharge) -> AutoRecharge {
    AutoRecharge { version: before.version.saturating_add(1), ..after }
}
