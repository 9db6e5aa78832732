//! How the issuer is told of a team, by one process at a time.

use std::collections::BTreeSet;

use domain::{
    ids::{MemberId, OrgId},
    team::{Member, MemberRole, Standing, Step, Team, Told},
};
use jiff::{SignedDuration, Timestamp};
use store::{ChangeError, StoreError};
use vendors::supabase::{Account, Membership, SupabaseError};

use super::{TeamError, TeamKeeper};

/// How long a process alone tells the issuer of a team's people, before it says so anew: longer than it tells of one.
pub const LEASE: SignedDuration = SignedDuration::from_mins(1);

/// Of whom the issuer could not be told just now, and why the first.
#[derive(Default)]
struct Trouble {
    with: BTreeSet<MemberId>,
    first: Option<SupabaseError>,
}

impl Trouble {
    /// Notes one more. Returns the team after it, where the next process is to know too.
    fn note(&mut self, team: &Team, id: MemberId, error: SupabaseError, now: Timestamp) -> Option<Team> {
        if matches!(error, SupabaseError::Unreachable(_)) {
            // It is not there for the others either.
            self.with.extend(team.members.keys().cloned());
        }
        let is_letter = team.members.get(&id).is_some_and(|member| member.standing == Standing::Uninvited);
        let had_enough = is_letter && matches!(error, SupabaseError::TooOften { .. });
        self.with.insert(id);
        self.first.get_or_insert(error);
        had_enough.then(|| team.without_letters(now))
    }
}

impl TeamKeeper {
    /// Returns the orgs that wait for [`TeamKeeper::settled`], the first `most` of them.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn unsettled(&self, most: usize) -> Result<Vec<OrgId>, StoreError> {
        self.teams.unsettled(most).await
    }

    /// Returns whether people may make accounts at the issuer by themselves, which is to be turned off.
    ///
    /// # Errors
    /// When the issuer does not say.
    pub async fn takes_sign_ups(&self) -> Result<bool, TeamError> {
        Ok(self.issuer.takes_sign_ups().await?)
    }

    /// Tells the issuer whatever it is still to be told of an org's people, one process at a time. Returns the team after that; where
    /// another process is at it, as it is by now. One person of whom it will not be told holds up no other.
    ///
    /// # Errors
    /// When the issuer or the store does not do its part. The rest is told by the next that is asked.
    pub async fn settled(&self, org: OrgId) -> Result<Team, TeamError> {
        let lease = self.entropy.uuid(self.clock.now());
        let (mut trouble, mut rounds) = (Trouble::default(), self.db.rounds("the team"));
        loop {
            let (team, now) = (self.teams.get(org).await?, self.clock.now());
            let after = match team.step(lease, &trouble.with, now) {
                Step::Rest => return trouble.first.map_or(Ok(team), |error| Err(error.into())),
                Step::Take => team.leased(lease, now + LEASE),
                Step::Free => team.freed(now),
                Step::Tell(id) => match self.told(&team, &id).await {
                    Ok(told) => team.told(&id, told),
                    Err(error) => match trouble.note(&team, id, error, now) {
                        Some(after) => after,
                        None => continue,
                    },
                },
            };
            match self.teams.note(&after).await {
                Ok(_) => {}
                Err(ChangeError::Moved) => rounds.again().await?,
                Err(ChangeError::Store(error)) => return Err(error.into()),
            }
        }
    }

    /// Tells the issuer of one person, by one step: an account is made by one and written to by the next, so that no letter leaves before
    /// the record names the account that it is for.
    async fn told(&self, team: &Team, id: &MemberId) -> Result<Told, SupabaseError> {
        let Some(member) = team.members.get(id) else { return Ok(Told::NotHere) };
        let org = team.org_id.to_string();
        let there = self.account_of(member).await?;
        if there.as_ref().is_some_and(|there| is_anothers(team, (id, member), there)) {
            return Ok(Told::NotHere);
        }
        if member.standing == Standing::Leaving {
            self.leaves(&org, there).await?;
            return Ok(Told::NotHere);
        }
        let membership = Membership { org_id: &org, role: member.role.as_str() };
        let Some(there) = there else {
            return Ok(Told::ToInvite(self.issuer.create(&member.email, &membership).await?.id));
        };
        match whose(&org, member, &there) {
            Whose::Ours => {}
            Whose::Anothers => return Ok(Told::NotHere),
            Whose::Nobodys => {
                self.issuer.delete(&there.id).await?;
                return Ok(Told::ToInvite(self.issuer.create(&member.email, &membership).await?.id));
            }
        }
        if !there.is(&membership) {
            self.issuer.set_membership(&there.id, Some(&membership)).await?;
        }
        if there.is_confirmed() || is_invited(&there, member.invited_at) {
            return Ok(Told::Here(there.id));
        }
        if member.standing != Standing::Uninvited || member.user_id.as_ref() != Some(&there.id) {
            return Ok(Told::ToInvite(there.id));
        }
        match self.issuer.invite(&member.email, Some(&self.welcome)).await {
            // The person came by an earlier invitation.
            Ok(_) | Err(SupabaseError::EmailExists) => Ok(Told::Here(there.id)),
            Err(error) => Err(error),
        }
    }

    /// The account that the record names, or else that of the address.
    async fn account_of(&self, member: &Member) -> Result<Option<Account>, SupabaseError> {
        let named = match &member.user_id {
            Some(id) => self.issuer.get(id).await?,
            None => None,
        };
        match named {
            Some(named) => Ok(Some(named)),
            None => self.issuer.find(&member.email).await,
        }
    }

    /// Takes an account out of a clinic, if it is one of it.
    async fn leaves(&self, org: &str, there: Option<Account>) -> Result<(), SupabaseError> {
        match there.filter(|there| there.app_metadata.org_id.as_deref() == Some(org)) {
            // A link that was sent leads nowhere then.
            Some(ours) if !ours.is_confirmed() => self.issuer.delete(&ours.id).await,
            Some(ours) => self.issuer.set_membership(&ours.id, None).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Whose an account is that was found for a member of a clinic.
enum Whose {
    /// The clinic's: it says so, the record names it, or it came by a letter of an invitation.
    Ours,
    /// Somebody's to whom it is not ours to give a clinic: of another clinic, of one of our own people, or of one who signed up alone and
    /// whose password may be known to whoever made it.
    Anothers,
    /// Made for an address by somebody who never showed that it is theirs.
    Nobodys,
}

#[expect(clippy::match_same_arms, reason = "the arms are in the order in which they are asked")]
fn whose(org: &str, member: &Member, account: &Account) -> Whose {
    match account.app_metadata.org_id.as_deref() {
        _ if account.app_metadata.operator => Whose::Anothers,
        Some(theirs) if theirs == org => Whose::Ours,
        Some(_) => Whose::Anothers,
        None if member.user_id.as_ref() == Some(&account.id) => Whose::Ours,
        None if !account.is_confirmed() => Whose::Nobodys,
        None if account.invited_at.is_some() => Whose::Ours,
        None => Whose::Anothers,
    }
}

/// Whether an account is somebody else's than the member's by whose address it was found.
fn is_anothers(team: &Team, (id, member): (&MemberId, &Member), account: &Account) -> bool {
    let role = role_in(team.org_id, account).filter(|_| account.is_confirmed());
    member.user_id.as_ref() != Some(&account.id) && team.is_anothers(id, &account.id, role)
}

/// What an account may do at an org, as the issuer has it; none where it is no account of the org's.
pub(super) fn role_in(org: OrgId, account: &Account) -> Option<MemberRole> {
    let meta = &account.app_metadata;
    let is_here = meta.org_id.as_deref() == Some(org.to_string().as_str()) && !meta.operator;
    meta.role.as_deref().filter(|_| is_here).and_then(MemberRole::parse)
}

/// Whether the invitation that was asked for at `asked_at` has been sent.
fn is_invited(account: &Account, asked_at: Timestamp) -> bool {
    let sent_at = account.invited_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    sent_at.is_some_and(|sent_at| sent_at >= asked_at)
}
