//! Who works at clinics: one record an org, so that whatever is decided of all its people is one condition.

use crate::{
    audit, clinics,
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{org_key, put_new_part, put_over_part, record},
    table::Table,
};
use domain::{audit::AuditEntry, clinic::Clinic, ids::OrgId, team::Team};

/// The table of teams.
#[derive(Clone, Debug)]
pub struct Teams {
    db: Dynamo,
}

impl Teams {
    /// The teams of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// The org's team, consistently; [`Team::unwritten`] for an org that has written none.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId) -> Result<Team, StoreError> {
        let (name, value) = org_key(org);
        let there = self.db.of_org(org).get(Table::Teams, &[(name, &value)]).await?;
        Ok(there.unwrap_or_else(|| Team::unwritten(org)))
    }

    /// Makes a clinic: what it is called and where it is, its team, and who did it, in one transaction.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the org has either of the two.
    pub async fn found(&self, clinic: &Clinic, team: &Team, act: &AuditEntry) -> Result<Team, ChangeError> {
        let after = Team { version: team.version.saturating_add(1), ..team.clone() };
        let parts = vec![
            clinics::new_part(&self.db, clinic)?,
            put_new_part(&self.db, Table::Teams, "org_id", record(Table::Teams, &after)?)?,
            audit::put(&self.db, act)?,
        ];
        self.db.of_org(team.org_id).change(parts).await?;
        Ok(after)
    }

    /// Writes a team in the place of the one of its version, and who changed it. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn change(&self, team: &Team, act: &AuditEntry) -> Result<Team, ChangeError> {
        let after = Team { version: team.version.saturating_add(1), ..team.clone() };
        let item = record(Table::Teams, &after)?;
        let part = if team.version > 0 {
            put_over_part(&self.db, Table::Teams, item, team.version)?
        } else {
            put_new_part(&self.db, Table::Teams, "org_id", item)?
        };
        self.db.of_org(team.org_id).change(vec![part, audit::put(&self.db, act)?]).await?;
        Ok(after)
    }

    /// Writes what the issuer was told, or whose turn it is to tell it, in the place of the team of that version. Returns the team as
    /// written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn note(&self, team: &Team) -> Result<Team, ChangeError> {
        let after = Team { version: team.version.saturating_add(1), ..team.clone() };
        let item = record(Table::Teams, &after)?;
        self.db.of_org(team.org_id).put_over(Table::Teams, item, team.version).await?;
        Ok(after)
    }
}
