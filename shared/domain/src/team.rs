//! Who works at a clinic, and what each may do. The record here is what is meant; the issuer of the tokens is told of it, and what it
//! has not been told of yet stands in the record until it has.

mod telling;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    email::EmailAddress,
    ids::{MemberId, OrgId, UserId},
};

pub use telling::{Step, Told};

/// The most people of one clinic.
pub const MOST_MEMBERS: usize = 50;
/// How long an invitation is not sent again, in minutes.
const BETWEEN_INVITATIONS_MINS: i64 = 60;

/// What a person of a clinic may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Keep the diary, the contacts and the messages; see neither money nor numbers nor agents, and change no settings.
    Staff,
    /// Look, at everything.
    Viewer,
    /// Look, pay and change.
    Admin,
    /// The same, and decide who else is an owner.
    Owner,
}

impl MemberRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Staff, Self::Viewer];

    /// Returns the role's name, as tokens have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::Viewer => "viewer",
        }
    }

    /// Takes the name of a role; `None` for any other word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// How a person's place in the team stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The issuer is still to be told, of the person or of another role.
    Wanted,
    /// The issuer has the account, and the invitation is still to be sent.
    Uninvited,
    /// The issuer has it so.
    Told,
    /// The address is that of an account elsewhere: the person cannot be one of this clinic.
    Refused,
    /// The issuer is still to be told that the person belongs here no more.
    Leaving,
}

/// A person of a clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where the person is reached.
    pub email: EmailAddress,
    /// What the person may do.
    pub role: MemberRole,
    /// How that stands.
    pub standing: Standing,
    /// The account at the issuer, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// When the person was added.
    #[serde(with = "crate::time::millis")]
    pub added_at: Timestamp,
    /// When an invitation was asked for last. One that the issuer sent since is the one that was asked for.
    #[serde(with = "crate::time::millis")]
    pub invited_at: Timestamp,
}

/// The people of a clinic: one record, so that what is decided of all is decided by one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// The org.
    pub org_id: OrgId,
    /// Raised by every write; a write names the one that it read. 0 is a team that was never written.
    pub version: u64,
    /// Until when one process tells the issuer. Only one does so at a time, so that an older word never overtakes a newer one.
    #[serde(with = "crate::time::millis")]
    pub lease_until: Timestamp,
    /// Which process that is, by an id that no other has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<Uuid>,
    /// From when on the issuer may be asked for letters: it had enough of them before.
    #[serde(default, with = "crate::time::millis")]
    pub letters_from: Timestamp,
    /// The people.
    pub members: BTreeMap<MemberId, Member>,
}

/// Somebody's account, as the issuer has it at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where it is reached.
    pub email: Option<EmailAddress>,
    /// What it may do at the clinic; none where it is no account of the clinic's.
    pub role: Option<MemberRole>,
}

/// Why a team is not changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TeamRefusal {
    /// There is no such person in this team.
    #[error("the team has no such person")]
    Unknown,
    /// Whoever asks is not, or no more, one of those who change the team.
    #[error("the person who asks may not change this team")]
    NotYours,
    /// Only an owner decides who is an owner.
    #[error("only an owner makes, changes or removes an owner")]
    OwnersOnly,
    /// A clinic keeps an owner.
    #[error("the last owner stays an owner")]
    LastOwner,
    /// The person is in the team in another role.
    #[error("the person is in the team with another role")]
    OtherRole,
    /// The clinic has as many people as it may have.
    #[error("a team has at most {MOST_MEMBERS} people")]
    Full,
}

impl Team {
    /// Returns the team of an org that has written none.
    pub const fn unwritten(org_id: OrgId) -> Self {
        Self {
            org_id,
            version: 0,
            lease_until: Timestamp::UNIX_EPOCH,
            lease_id: None,
            letters_from: Timestamp::UNIX_EPOCH,
            members: BTreeMap::new(),
        }
    }

    /// Returns in which role somebody changes this team: the lower of what their token says and of what they are.
    ///
    /// A token outlives a removal by up to an hour, so it is not believed by itself. What somebody is, the record says of those it
    /// names, by their account or, where that is not noted yet, by the address of their account: one who leaves is nobody. Of those
    /// whom it does not name (an owner of before there was a record, an account of the local stack) the issuer's word counts, which
    /// is to be asked for after this team was read: whoever was removed by then is nobody there. Operators are not judged by this.
    ///
    /// # Errors
    /// [`TeamRefusal::NotYours`] when that is neither an administrator nor an owner.
    pub fn acts_as(
        &self,
        user: &UserId,
        says: MemberRole,
        account: Option<&Account>,
    ) -> Result<MemberRole, TeamRefusal> {
        let at_issuer = account.and_then(|account| account.role);
        let member = self.of_account(user).or_else(|| {
            let email = account?.email.as_ref().filter(|_| at_issuer.is_some())?;
            self.members.get(&MemberId::of(self.org_id, email)).filter(|member| member.user_id.is_none())
        });
        let is = match member.map(|member| (member.standing, member.role)) {
            Some((Standing::Wanted | Standing::Uninvited | Standing::Told, role)) => Some(role),
            Some((Standing::Leaving, _)) => None,
            Some((Standing::Refused, _)) | None => at_issuer,
        };
        let acts = is.map(|is| is.min(says)).filter(|acts| *acts >= MemberRole::Admin);
        acts.ok_or(TeamRefusal::NotYours)
    }

    /// Returns whose account it is, if the record names it.
    pub fn of_account(&self, user: &UserId) -> Option<&Member> {
        self.members.values().find(|member| member.user_id.as_ref() == Some(user))
    }

    /// Returns the team with a person added, or as it is when the person is in it in that role. An invitation that was asked for more
    /// than an hour ago is asked for again.
    ///
    /// # Errors
    /// When the person has another role here, the team is full, or an owner is made by somebody who is none.
    pub fn with(
        &self,
        by: MemberRole,
        (email, role): (&EmailAddress, MemberRole),
        now: Timestamp,
    ) -> Result<Self, TeamRefusal> {
        if role == MemberRole::Owner && by != MemberRole::Owner {
            return Err(TeamRefusal::OwnersOnly);
        }
        let id = MemberId::of(self.org_id, email);
        if self.members.len() >= MOST_MEMBERS && !self.members.contains_key(&id) {
            return Err(TeamRefusal::Full);
        }
        let mut after = self.clone();
        // Who is asked back before the issuer was told keeps the account.
        let user_id = after.members.get(&id).and_then(|member| member.user_id.clone());
        let there = after.members.get_mut(&id).filter(|member| member.standing != Standing::Leaving);
        match there {
            Some(member) if member.role != role => return Err(TeamRefusal::OtherRole),
            Some(member) => {
                let is_old = now.duration_since(member.invited_at).as_mins() >= BETWEEN_INVITATIONS_MINS;
                if member.standing == Standing::Refused || is_old {
                    member.standing = Standing::Wanted;
                    member.invited_at = now;
                }
            }
            None => {
                let email = email.clone();
                let standing = Standing::Wanted;
                let member = Member { email, role, standing, user_id, added_at: now, invited_at: now };
                after.members.insert(id, member);
            }
        }
        Ok(after)
    }

    /// Returns the team in which a person has another role.
    ///
    /// # Errors
    /// When there is no such person, the last owner would be none, or an owner is made or changed by somebody who is none.
    pub fn with_role(&self, by: MemberRole, id: &MemberId, role: MemberRole) -> Result<Self, TeamRefusal> {
        let mut after = self.clone();
        let member = after.there(id)?;
        if member.role == role {
            return Ok(after);
        }
        if by != MemberRole::Owner && [member.role, role].contains(&MemberRole::Owner) {
            return Err(TeamRefusal::OwnersOnly);
        }
        member.role = role;
        // Whether an address is free is asked by an invitation alone, which is counted.
        if member.standing != Standing::Refused {
            member.standing = Standing::Wanted;
        }
        after.if_owned(self)
    }

    /// Returns the team without a person.
    ///
    /// # Errors
    /// When there is no such person, it is the last owner, or an owner whom somebody removes who is none.
    pub fn without(&self, by: MemberRole, id: &MemberId) -> Result<Self, TeamRefusal> {
        let mut after = self.clone();
        let member = after.there(id)?;
        if by != MemberRole::Owner && member.role == MemberRole::Owner {
            return Err(TeamRefusal::OwnersOnly);
        }
        // Also of one who was refused: what the issuer has of the address is looked at once more.
        member.standing = Standing::Leaving;
        after.if_owned(self)
    }

    /// Returns whether anybody is an owner, or is to become one.
    pub fn has_an_owner(&self) -> bool {
        self.members.values().any(|member| {
            let is_here = !matches!(member.standing, Standing::Refused | Standing::Leaving);
            member.role == MemberRole::Owner && is_here
        })
    }

    fn there(&mut self, id: &MemberId) -> Result<&mut Member, TeamRefusal> {
        let member = self.members.get_mut(id).filter(|member| member.standing != Standing::Leaving);
        member.ok_or(TeamRefusal::Unknown)
    }

    /// The team, unless it had an owner before and has none now.
    fn if_owned(self, before: &Self) -> Result<Self, TeamRefusal> {
        if before.has_an_owner() && !self.has_an_owner() { Err(TeamRefusal::LastOwner) } else { Ok(self) }
    }
}

impl MemberId {
    /// Returns the id of a person in a team: of the same address always the same, in capitals or not.
    pub fn of(org: OrgId, email: &EmailAddress) -> Self {
        let hash = Sha256::digest(format!("member {org} {}", email.reveal().to_ascii_lowercase()));
        let digits: String = hex::encode(hash).chars().take(24).collect();
        Self::parse(digits).unwrap_or_else(|_| unreachable!("hexadecimal digits are an id"))
    }
}

impl OrgId {
    /// Returns the org that a request to make a clinic makes, by what tells the request from every other: the same each time.
    pub fn founded_by(key: &str) -> Self {
        let hash = Sha256::digest(format!("clinic {key}"));
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(hash) {
            *to = from;
        }
        Self::new(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests;
