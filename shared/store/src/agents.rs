//! The orgs' agents.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{decode, number, org_key, put_new_part, put_part, record},
    mappings::AssistantMapping,
    table::Table,
};
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
        self.db.of_org(org).get(Table::Agents, &[(name, &value), ("role", role.as_str())]).await
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
        match self.db.of_org(org).put_new(Table::Agents, "role", record(Table::Agents, &first)?).await? {
            None => Ok(first),
            Some(there) => decode(Table::Agents, there),
        }
    }

    /// Writes `agent` in the place of the one of its revision. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save(&self, agent: &Agent) -> Result<Agent, ChangeError> {
        self.db.of_org(agent.org_id).change(vec![put(&self.db, agent)?]).await?;
        Ok(next(agent))
    }

    /// The same, for an agent that was given an assistant: whose that is, is noted with it.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between, or the assistant is noted already.
    pub async fn save_with_assistant(
        &self,
        agent: &Agent,
        mapping: &AssistantMapping,
    ) -> Result<Agent, ChangeError> {
        let item = record(Table::AssistantMapping, mapping)?;
        let mapping = put_new_part(&self.db, Table::AssistantMapping, "vapi_assistant_id", item)?;
        self.db.of_org(agent.org_id).change(vec![put(&self.db, agent)?, mapping]).await?;
        Ok(next(agent))
    }
}

fn next(agent: &Agent) -> Agent {
    Agent { revision: agent.revision.saturating_add(1), ..agent.clone() }
}

/// The part of a transaction that writes `agent` in the place of the one of its revision.
pub(crate) fn put(db: &Dynamo, agent: &Agent) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(db.table_name(Table::Agents))
        .set_item(Some(record(Table::Agents, &next(agent))?))
        .condition_expression("revision = :read")
        .expression_attribute_values(":read", number(agent.revision));
    put_part(put)
}
