//! The two ways by which a calendar's vendor comes to us without a token of ours: a channel that tells of a change, and a browser that
//! comes back from a consent. Each leads to an org by a word that only the vendor was given, and of which only the hash is kept.

use aws_sdk_dynamodb::types::Delete;
use domain::{
    ids::{CalendarId, ChannelId, OrgId, UserId},
    sealed::Sealed,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{delete_part, record, text},
    table::Table,
};

/// The key of the table.
const KEY: &str = "channel_id";

/// Whose a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelDoor {
    /// The channel.
    pub channel_id: ChannelId,
    /// Whose it is.
    pub org_id: OrgId,
    /// What it watches.
    pub calendar_id: CalendarId,
    /// The hash of the token that each of its words bears.
    pub token_hash: String,
    /// When the item goes, in seconds since 1970: after the channel has ended.
    pub expires_at: i64,
}

/// Who asked for a consent. It is taken once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentDoor {
    /// The hash of the state that the browser comes back with.
    pub state_hash: String,
    /// The hash of the word that the browser keeps which asked: another's consent is not taken for this org.
    pub browser_hash: String,
    /// For which org.
    pub org_id: OrgId,
    /// Who.
    pub user_id: UserId,
    /// What its code is exchanged with, sealed.
    pub verifier: Sealed,
    /// Until when it is taken.
    #[serde(with = "domain::time::millis")]
    pub until: Timestamp,
    /// When the item goes, in seconds since 1970.
    pub expires_at: i64,
}

/// The table of channels and consents.
#[derive(Clone, Debug)]
pub struct Doors {
    db: Dynamo,
}

impl Doors {
    /// Those of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Notes whose a channel is, before it exists. Returns whether the id is new.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_channel(&self, door: &ChannelDoor) -> Result<bool, StoreError> {
        let item = record(Table::CalendarChannels, door)?;
        let there = self.db.of_org(door.org_id).put_new(Table::CalendarChannels, KEY, item).await?;
        Ok(there.is_none())
    }

    /// Whose a channel is.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn channel(&self, id: &ChannelId) -> Result<Option<ChannelDoor>, StoreError> {
        self.db.resolving().get(Table::CalendarChannels, &[(KEY, id.as_str())]).await
    }

    /// Notes who asked for a consent. Returns whether the state is new.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_consent(&self, door: &ConsentDoor) -> Result<bool, StoreError> {
        let mut item = record(Table::CalendarChannels, door)?;
        item.insert(KEY.to_owned(), text(consent_key(&door.state_hash)));
        let there = self.db.of_org(door.org_id).put_new(Table::CalendarChannels, KEY, item).await?;
        Ok(there.is_none())
    }

    /// Takes the consent of this state, once: whoever comes second, or after another, finds none.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn take_consent(&self, state_hash: &str) -> Result<Option<ConsentDoor>, StoreError> {
        let key = consent_key(state_hash);
        let there: Option<ConsentDoor> =
            self.db.resolving().get(Table::CalendarChannels, &[(KEY, &key)]).await?;
        let Some(door) = there else { return Ok(None) };
        let delete = Delete::builder()
            .table_name(self.db.table_name(Table::CalendarChannels))
            .key(KEY, text(key))
            .condition_expression("org_id = :org")
            .expression_attribute_values(":org", text(door.org_id.to_string()));
        match self.db.of_org(door.org_id).change(vec![delete_part(delete)?]).await {
            Ok(()) => Ok(Some(door)),
            Err(ChangeError::Moved) => Ok(None),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }
}

fn consent_key(state_hash: &str) -> String {
    format!("consent#{state_hash}")
}
