//! Stripe customer → org: the only way from a payment to a wallet.

use serde::{Deserialize, Serialize};

use crate::{
    dynamo::Dynamo,
    error::StoreError,
    item::{encode, text},
    table::Table,
};
use domain::ids::{CustomerId, OrgId};

/// The table of Stripe customers.
#[derive(Clone, Debug)]
pub struct Customers {
    db: Dynamo,
}

#[derive(Serialize, Deserialize)]
struct Customer {
    customer_id: CustomerId,
    org_id: OrgId,
}

impl Customers {
    /// The customers of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Whose a customer is.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn org(&self, customer: &CustomerId) -> Result<Option<OrgId>, StoreError> {
        let found: Option<Customer> =
            self.db.resolving().get(Table::StripeCustomers, &[("customer_id", customer.as_str())]).await?;
        Ok(found.map(|customer| customer.org_id))
    }

    /// Notes whose a customer is, before anything is charged to it. A customer is one org's for ever. Returns whether it is this
    /// org's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add(&self, customer: &CustomerId, org_id: OrgId) -> Result<bool, StoreError> {
        let item = encode(Table::StripeCustomers, &Customer { customer_id: customer.clone(), org_id })?;
        let there = self.db.of_org(org_id).put_new(Table::StripeCustomers, "customer_id", item).await?;
        Ok(there.is_none_or(|there| there.get("org_id") == Some(&text(org_id.to_string()))))
    }
}
