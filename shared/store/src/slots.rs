//! Which calls have a slot of the one account at Vapi: one item for all orgs, read consistently and written whole, on the
//! condition that nobody has written it since.

use aws_sdk_dynamodb::{config::Builder, error::SdkError};
use aws_smithy_types::timeout::TimeoutConfig;
use domain::slots::Slots;
use jiff::{SignedDuration, Timestamp};

use crate::{
    dynamo::{Dynamo, Scoped},
    error::{ChangeError, StoreError, unavailable},
    item::{decode, encode, number, text},
    scope::System,
    table::Table,
};

/// The key of the item.
const ACCOUNT: &str = "vapi";
/// How long the slots may be asked, and the longest that one attempt may take. A caller hears it ring meanwhile.
pub const PATIENCE: SignedDuration = SignedDuration::from_millis(300);

/// The table of the slots.
#[derive(Clone, Debug)]
pub struct CallSlots {
    db: Dynamo,
}

impl CallSlots {
    /// The slots of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Reads who has a slot, consistently: nobody, where none was ever taken. What fails is tried again until `give_up_at`.
    ///
    /// # Errors
    /// When the database does not answer by then, or the record does not decode.
    pub async fn read(&self, give_up_at: Timestamp) -> Result<Slots, StoreError> {
        let scoped = self.scoped();
        let got = self
            .db
            .retrying_until(give_up_at, "GetItem", || {
                scoped
                    .client()
                    .get_item()
                    .table_name(self.db.table_name(Table::CallSlots))
                    .key("name", text(ACCOUNT))
                    .consistent_read(true)
                    .customize()
                    .config_override(briefly())
                    .interceptor(scoped.mark())
                    .send()
            })
            .await
            .map_err(|error| unavailable("GetItem", error))?;
        let read = got.item.map(|item| decode(Table::CallSlots, item)).transpose()?;
        Ok(read.unwrap_or_default())
    }

    /// Writes `after` in the place of the slots of its version. What fails is tried again until `give_up_at`.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between, or this one was done by a try that was not answered.
    pub async fn save(&self, after: &Slots, give_up_at: Timestamp) -> Result<(), ChangeError> {
        let written = Slots { version: after.version.saturating_add(1), leases: after.leases.clone() };
        let mut item = encode(Table::CallSlots, &written)?;
        item.insert("name".to_owned(), text(ACCOUNT));
        let is_first = after.version == 0;
        let condition = if is_first { "attribute_not_exists(#key)" } else { "version = :read" };
        let scoped = self.scoped();
        let put = || {
            let put = scoped
                .client()
                .put_item()
                .table_name(self.db.table_name(Table::CallSlots))
                .set_item(Some(item.clone()))
                .condition_expression(condition);
            let put = if is_first {
                put.expression_attribute_names("#key", "name")
            } else {
                put.expression_attribute_values(":read", number(after.version))
            };
            put.customize().config_override(briefly()).interceptor(scoped.mark()).send()
        };
        match self.db.retrying_until(give_up_at, "PutItem", put).await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(ChangeError::Moved)
            }
            Err(error) => Err(unavailable("PutItem", error).into()),
        }
    }

    fn scoped(&self) -> Scoped<'_> {
        self.db.of_system(System::CallSlots)
    }
}

/// The client's configuration with less time for an attempt.
fn briefly() -> Builder {
    Builder::new()
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(PATIENCE.unsigned_abs()).build())
}
