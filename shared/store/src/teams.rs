//! Who works at clinics: one record an org, so that whatever is decided of all its people is one condition. A team of whose people the
//! issuer is still to be told stands in an index, by the same write.

use serde::Deserialize;

use crate::{
    audit, clinics,
    dynamo::{Dynamo, Read},
    error::{ChangeError, StoreError},
    item::{self, Item, decode, org_key, put_new_part, put_over_part, text},
    scope::System,
    table::Table,
};
use domain::{audit::AuditEntry, clinic::Clinic, ids::OrgId, team::Team};

/// The index of teams of whose people the issuer is still to be told, in the one partition `yes`.
const UNSETTLED: &str = "unsettled_by_org";

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
            put_new_part(&self.db, Table::Teams, "org_id", item_of(&after)?)?,
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
        let item = item_of(&after)?;
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
        let item = item_of(&after)?;
        self.db.of_org(team.org_id).put_over(Table::Teams, item, team.version).await?;
        Ok(after)
    }

    /// Returns the orgs of whose people the issuer is still to be told, and one more than `most` where there are more. One that was
    /// written a moment ago may be missing.
    ///
    /// # Errors
    /// When the database does not answer, or an entry does not decode.
    pub async fn unsettled(&self, most: usize) -> Result<Vec<OrgId>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            org_id: OrgId,
        }
        let values = [(":yes", text("yes"))];
        let read = Read {
            index: Some(UNSETTLED),
            condition: Some("unsettled = :yes"),
            values: &values,
            lagging: true,
            ..Read::default()
        };
        let mut pages = self.db.of_system(System::Teams).pages(Table::Teams, read);
        let mut orgs = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                orgs.push(decode::<Row>(Table::Teams, item)?.org_id);
            }
            if orgs.len() > most {
                break;
            }
        }
        Ok(orgs)
    }
}

/// The record as an item, in the index while the issuer is to be told of anybody.
fn item_of(team: &Team) -> Result<Item, StoreError> {
    let mut item = item::record(Table::Teams, team)?;
    if !team.is_settled() {
        item.insert("unsettled".into(), text("yes"));
    }
    Ok(item)
}
