//! The orgs' agents.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;

use super::table::{
    Dynamo, StoreError, Table, TransactError, number, org_key, put_new_part, record, unavailable,
};
use crate::mappings::AssistantMapping;
use domain::{agent::Agent, call::Direction, ids::OrgId};

/// The table of agents.
#[derive(Clone, Debug)]
pub struct Agents {
    db: Dynamo,
}

impl Agents {
    /// The agents of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// An org's agent of one role, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, role: Direction) -> Result<Option<Agent>, StoreError> {
        let (name, value) = org_key(org);
        self.db.get(Table::Agents, &[(name, &value), ("role", role.as_str())]).await
    }

    /// The same, made as [`Agent::first`] if the org has none.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn ensure(&self, org: OrgId, role: Direction, now: Timestamp) -> Result<Agent, StoreError> {
        if let Some(agent) = self.get(org, role).await? {
            return Ok(agent);
        }
        let first = Agent::first(org, role, now);
        match self.db.put_new(Table::Agents, "role", record(Table::Agents, &first)?).await? {
            None => Ok(first),
            Some(there) => super::table::decode(Table::Agents, there),
        }
    }

    /// Writes `agent` in the place of the one of its revision; answers it as written, or none when that one has gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn save(&self, agent: &Agent) -> Result<Option<Agent>, StoreError> {
        self.transact(agent, vec![put(&self.db, agent)?]).await
    }

    /// The same, for an agent that was given an assistant: whose that is, is noted with it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn save_with_assistant(
        &self,
        agent: &Agent,
        mapping: &AssistantMapping,
    ) -> Result<Option<Agent>, StoreError> {
        let item = record(Table::AssistantMapping, mapping)?;
        let mapping = put_new_part(&self.db, Table::AssistantMapping, "vapi_assistant_id", item)?;
        self.transact(agent, vec![put(&self.db, agent)?, mapping]).await
    }

    async fn transact(
        &self,
        agent: &Agent,
        items: Vec<TransactWriteItem>,
    ) -> Result<Option<Agent>, StoreError> {
        match self.db.transact(items).await {
            Ok(()) => Ok(Some(next(agent))),
            Err(TransactError::Refused(_)) => Ok(None),
            Err(TransactError::Store(error)) => Err(error),
        }
    }
}

fn next(agent: &Agent) -> Agent {
    Agent { revision: agent.revision.saturating_add(1), ..agent.clone() }
}

/// The part of a transaction that writes `agent` in the place of the one of its revision.
pub(super) fn put(db: &Dynamo, agent: &Agent) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(db.table_name(Table::Agents))
        .set_item(Some(record(Table::Agents, &next(agent))?))
        .condition_expression("revision = :read")
        .expression_attribute_values(":read", number(agent.revision))
        .build()
        .map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
