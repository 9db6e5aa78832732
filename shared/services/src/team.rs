//! Who works at a clinic: what is meant is written down first, with who meant it; then the issuer of the tokens is told, until it has
//! it so. What got no answer is looked for, and whatever process dies, the next that is asked goes on.

mod telling;

use std::sync::Arc;

use base::{
    alarm::chain,
    clock::Clock,
    config::{Base, Reader, SupabaseSettings},
    entropy::Entropy,
};
use domain::{
    audit::{Action, Actor, AuditEntry, RecordId},
    clinic::{Clinic, ClinicName, ClinicZone},
    email::EmailAddress,
    ids::{ClinicKey, MemberId, OrgId},
    rate::Costly,
    team::{self, Member, MemberRole, Standing, Team, TeamRefusal},
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use platform::Platform;
use store::{Attempt, Dynamo, StoreError, clinics::Clinics, rates::Rates, teams::Teams};
use vendors::supabase::{Supabase, SupabaseError};

pub use telling::LEASE;
use telling::role_in;

/// How many accounts are looked at at a time to show who has taken an invitation.
const AT_A_TIME: usize = 10;

/// Everything that it needs.
#[derive(Debug)]
pub struct TeamKeeper {
    teams: Teams,
    clinics: Clinics,
    rates: Rates,
    issuer: Supabase,
    welcome: String,
    db: Dynamo,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// The settings of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environment and tables.
    pub base: Base,
    /// The issuer.
    pub supabase: SupabaseSettings,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self { base: Base::read(reader), supabase: SupabaseSettings::read(reader) }
    }
}

/// A clinic that is to exist.
#[derive(Clone, Debug)]
pub struct Founding {
    /// What tells this request from every other, if not the owner's address.
    pub key: Option<ClinicKey>,
    /// What patients know it by.
    pub name: ClinicName,
    /// Where its days begin and end.
    pub time_zone: ClinicZone,
    /// Who is invited to be its owner.
    pub owner: EmailAddress,
}

/// A clinic that exists.
#[derive(Clone, Debug)]
pub struct Founded {
    /// As it is now.
    pub clinic: Clinic,
    /// Its owner, as far as the issuer knows.
    pub owner: Member,
    /// Whether this request made it.
    pub is_new: bool,
}

/// A person of a clinic, as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Which.
    pub id: MemberId,
    /// The record.
    pub member: Member,
    /// Whether the person has shown that the address is theirs, as far as the issuer says.
    pub has_come: bool,
}

/// Why a team is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// It may not be so.
    #[error(transparent)]
    Refused(#[from] TeamRefusal),
    /// The clinic is there, with another owner.
    #[error("the clinic exists, and its owner is somebody else")]
    OtherOwner,
    /// It is written down, and the issuer has not been told of it yet.
    #[error("the issuer was not told")]
    Issuer(#[from] SupabaseError),
    /// More people were invited than may be in a while: it may be done again after this.
    #[error("too many invitations were asked for")]
    TooOften(SignedDuration),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An act, as the audit log has it.
#[derive(Clone, Copy)]
struct Act<'a> {
    by: &'a Actor,
    action: Action,
    member: &'a MemberId,
}

impl TeamKeeper {
    /// Puts it together.
    pub fn deployed(platform: &Platform, settings: &Settings) -> Self {
        let db = platform.database(&settings.base.table_prefix);
        Self {
            teams: Teams::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            rates: Rates::new(db.clone()),
            issuer: platform.supabase(&settings.supabase),
            welcome: settings.supabase.welcome.clone(),
            db,
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Makes a clinic and invites its owner. The same request again finds the same clinic, and goes on where the last one ended; where
    /// the owner that was named first has an account elsewhere, another may be named.
    ///
    /// # Errors
    /// When the clinic has another owner, or the issuer or the store does not do its part: what was written down by then is gone on
    /// with by the same request.
    pub async fn found(&self, wanted: &Founding, by: &Actor) -> Result<Founded, TeamError> {
        let small = wanted.owner.reveal().to_ascii_lowercase();
        let org = OrgId::founded_by(wanted.key.as_ref().map_or(small.as_str(), ClinicKey::as_str));
        let owner = MemberId::of(org, &wanted.owner);
        let write = || self.founded_once(org, &owner, wanted, by);
        let is_new = self.db.until_written("the clinic", write).await?;
        let team = self.settled(org).await?;
        let clinic = self.clinics.get(org).await?;
        let owner = team.members.get(&owner).cloned().ok_or(TeamError::OtherOwner)?;
        Ok(Founded { clinic, owner, is_new })
    }

    async fn founded_once(
        &self,
        org: OrgId,
        owner: &MemberId,
        wanted: &Founding,
        by: &Actor,
    ) -> Result<Attempt<bool>, TeamError> {
        let (team, now) = (self.teams.get(org).await?, self.clock.now());
        let is_there = team.members.get(owner).is_some_and(|member| member.role == MemberRole::Owner);
        if team.version > 0 && team.has_an_owner() && !is_there {
            return Err(TeamError::OtherOwner);
        }
        let after = team.with(MemberRole::Owner, (&wanted.owner, MemberRole::Owner), now)?;
        if after == team {
            return Ok(Attempt::Done(false));
        }
        let act = Act { by, action: Action::CreateClinic, member: owner };
        let act = entry(org, act, now);
        if team.version > 0 {
            return Ok(Attempt::of(self.teams.change(&after, &act).await)?.map(|_| false));
        }
        let clinic = Clinic {
            name: Some(wanted.name.clone()),
            time_zone: wanted.time_zone.clone(),
            ..Clinic::unsaved(org)
        };
        Ok(Attempt::of(self.teams.found(&clinic, &after, &act).await)?.map(|_| true))
    }

    /// Returns the people of an org, and of those who were invited which have come. An issuer that does not answer has seen nobody come.
    /// What it has not been told yet it is told first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn people(&self, org: OrgId) -> Result<Vec<Shown>, StoreError> {
        let team = match self.settled(org).await {
            Ok(team) => team,
            Err(error) => {
                tracing::warn!(org_id = %org, cause = chain(&error), "the issuer is still to be told of a team");
                self.teams.get(org).await?
            }
        };
        let people: Vec<(MemberId, Member)> = team.members.into_iter().collect();
        let mut shown = Vec::new();
        for some in people.chunks(AT_A_TIME) {
            shown.extend(join_all(some.iter().cloned().map(|(id, member)| self.shown(id, member))).await);
        }
        Ok(shown)
    }

    /// A person, as far as the issuer answers.
    async fn shown(&self, id: MemberId, member: Member) -> Shown {
        let has_come = match &member.user_id {
            Some(user) if member.standing == Standing::Told => {
                self.issuer.get(user).await.ok().flatten().is_some_and(|account| account.is_confirmed())
            }
            Some(_) | None => false,
        };
        Shown { id, member, has_come }
    }

    /// Invites a person. Returns which it is, as the issuer has it, and whether the person is new here.
    ///
    /// # Errors
    /// When the caller may not, the person cannot be in the team so, too many are invited, or the issuer or the store does not do its part.
    pub async fn invite(
        &self,
        org: OrgId,
        (email, wanted): (&EmailAddress, MemberRole),
        by: &Actor,
    ) -> Result<(Shown, bool), TeamError> {
        let id = MemberId::of(org, email);
        let (now, mut is_new) = (self.clock.now(), false);
        let decide = |team: &Team, role| team.with(role, (email, wanted), now);
        let act = Act { by, action: Action::InviteMember, member: &id };
        let before = self.teams.get(org).await?;
        if decide(&before, self.acting(&before, by).await?)? != before {
            self.count(org, &id, now).await?;
        }
        if let Some(before) = self.changed(org, &decide, &act).await? {
            is_new = !before.members.contains_key(&id);
        }
        let team = self.settled(org).await?;
        let member = team.members.get(&id).cloned().ok_or(TeamRefusal::Unknown)?;
        Ok((self.shown(id, member).await, is_new))
    }

    /// Counts one more invitation, if there may be one.
    async fn count(&self, org: OrgId, id: &MemberId, now: Timestamp) -> Result<(), TeamError> {
        let to_one = self.rates.take_of(org, (Costly::InvitationTo, id.as_str()), now).await?;
        let wait = match to_one {
            Some(wait) => Some(wait),
            None => self.rates.take(org, Costly::Invitation, now).await?,
        };
        wait.map_or(Ok(()), |wait| Err(TeamError::TooOften(wait)))
    }

    /// Gives a person another role.
    ///
    /// # Errors
    /// When the caller may not, there is no such person, the role cannot be changed so, or the issuer or the store does not do its part.
    pub async fn set_role(
        &self,
        org: OrgId,
        (id, wanted): (&MemberId, MemberRole),
        by: &Actor,
    ) -> Result<Shown, TeamError> {
        let decide = |team: &Team, role| team.with_role(role, id, wanted);
        self.changed(org, &decide, &Act { by, action: Action::ChangeRole, member: id }).await?;
        let team = self.settled(org).await?;
        let member = team.members.get(id).cloned().ok_or(TeamRefusal::Unknown)?;
        Ok(self.shown(id.clone(), member).await)
    }

    /// Removes a person. Returns whether the issuer knows; else it is still to be told. Somebody who is leaving already is removed
    /// again.
    ///
    /// # Errors
    /// When the caller may not, there is no such person, it is the last owner, or the issuer or the store does not do its part.
    pub async fn remove(&self, org: OrgId, id: &MemberId, by: &Actor) -> Result<bool, TeamError> {
        let decide = |team: &Team, role| match team.members.get(id).map(|member| member.standing) {
            Some(Standing::Leaving) => Ok(team.clone()),
            Some(Standing::Wanted | Standing::Uninvited | Standing::Told | Standing::Refused) | None => {
                team.without(role, id)
            }
        };
        self.changed(org, &decide, &Act { by, action: Action::RemoveMember, member: id }).await?;
        Ok(!self.settled(org).await?.members.contains_key(id))
    }

    /// Writes what a decide makes of the team and of the role in which the actor changes it, with who did it. Returns the team before
    /// it; none where nothing changed.
    async fn changed(
        &self,
        org: OrgId,
        decide: &(impl Fn(&Team, MemberRole) -> Result<Team, TeamRefusal> + Sync),
        act: &Act<'_>,
    ) -> Result<Option<Team>, TeamError> {
        let write = || async move {
            let team = self.teams.get(org).await?;
            let after = decide(&team, self.acting(&team, act.by).await?)?;
            if after == team {
                return Ok::<_, TeamError>(Attempt::Done(None));
            }
            let act = entry(org, *act, self.clock.now());
            Ok(Attempt::of(self.teams.change(&after, &act).await)?.map(|_| Some(team)))
        };
        self.db.until_written("the team", write).await
    }

    /// Returns in which role an actor changes a team that was just read, as [`Team::acts_as`] decides.
    async fn acting(&self, team: &Team, by: &Actor) -> Result<MemberRole, TeamError> {
        let Some(says) = by.role.at_a_clinic() else { return Ok(MemberRole::Owner) };
        if team.of_account(&by.user).is_some() {
            return Ok(team.acts_as(&by.user, says, None)?);
        }
        let account = self.issuer.get(&by.user).await?.map(|account| team::Account {
            email: EmailAddress::parse(&account.email).ok(),
            role: role_in(team.org_id, &account),
        });
        Ok(team.acts_as(&by.user, says, account.as_ref())?)
    }
}

fn entry(org: OrgId, act: Act<'_>, now: Timestamp) -> AuditEntry {
    let record = RecordId::Member(act.member.clone());
    AuditEntry::granted(org, act.by.clone(), (act.action, record), None, now)
}
