//! Who works at a clinic, and what each may do. The record here is what is meant; the issuer of the tokens is told of it, and what it
//! has not been told of yet stands in the record until it has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    email::EmailAddress,
    ids::{MemberId, OrgId, UserId},
};

/// The most people of one clinic.
pub const MOST_MEMBERS: usize = 50;
/// How long an invitation is not sent again, in minutes.
const BETWEEN_INVITATIONS_MINS: i64 = 60;

/// How long the issuer is asked for no letter once it had enough of them, in minutes.
const BETWEEN_LETTERS_MINS: i64 = 5;

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

/// What the issuer has, now that it was told of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This account, whose person has come or has the letter.
    Here(UserId),
    /// This account, to whose address the invitation is to be sent once it stands in the record.
    ToInvite(UserId),
    /// An account that belongs elsewhere, or here no more, or none.
    NotHere,
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

/// What a process does next so that the issuer knows a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: there is nothing to do, or another process is at it.
    Rest,
    /// It takes the lease.
    Take,
    /// It tells the issuer of this person.
    Tell(MemberId),
    /// It gives the lease back.
    Free,
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
        member.standing = Standing::Wanted;
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

    /// Returns what the process of this lease does next, apart from those of whom it could not tell the issuer just now.
    pub fn step(&self, lease: Uuid, but: &BTreeSet<MemberId>, now: Timestamp) -> Step {
        let (is_held, next) = (self.lease_until > now, self.to_tell(but, now));
        match next {
            Some((id, _)) if is_held && self.lease_id == Some(lease) => Step::Tell(id.clone()),
            None if is_held && self.lease_id == Some(lease) => Step::Free,
            Some(_) if !is_held => Step::Take,
            Some(_) | None => Step::Rest,
        }
    }

    /// Returns the team whose issuer one process alone tells until then.
    #[must_use]
    pub fn leased(&self, lease: Uuid, until: Timestamp) -> Self {
        Self { lease_id: Some(lease), lease_until: until, ..self.clone() }
    }

    /// Returns the team whose issuer any process may tell.
    #[must_use]
    pub fn freed(&self, now: Timestamp) -> Self {
        Self { lease_id: None, lease_until: now, ..self.clone() }
    }

    /// Returns the team for which the issuer is asked for no letter for a while.
    #[must_use]
    pub fn without_letters(&self, now: Timestamp) -> Self {
        Self { letters_from: now + SignedDuration::from_mins(BETWEEN_LETTERS_MINS), ..self.clone() }
    }

    /// Returns whether the issuer is to be told of nobody, now or later.
    pub fn is_settled(&self) -> bool {
        self.to_tell(&BTreeSet::new(), Timestamp::MAX).is_none()
    }

    /// Returns whom the issuer is to be told of next, apart from some: those who leave, then those who have another role, then those who
    /// are added, then those who are to have a letter, when it may be asked for one.
    fn to_tell(&self, but: &BTreeSet<MemberId>, now: Timestamp) -> Option<(&MemberId, &Member)> {
        let rank = |member: &Member| match (member.standing, &member.user_id) {
            (Standing::Leaving, _) => Some(0),
            (Standing::Wanted, Some(_)) => Some(1),
            (Standing::Wanted, None) => Some(2),
            (Standing::Uninvited, _) if self.letters_from <= now => Some(3),
            (Standing::Uninvited | Standing::Told | Standing::Refused, _) => None,
        };
        let left = self.members.iter().filter(|(id, _)| !but.contains(*id));
        let ranked = left.filter_map(|(id, member)| Some((rank(member)?, (id, member))));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, who)| who)
    }

    /// Returns whether an account that was found by a member's address is somebody else's here: another member's, whose address has
    /// changed at the issuer; or an owner's, whom the record does not know as one. What is decided of that member is not done to it.
    /// `role` is that of an account whose person has come: of one who has not there is nobody to protect, and it is a slip of ours.
    pub fn is_anothers(&self, id: &MemberId, account: &UserId, role: Option<MemberRole>) -> bool {
        let another =
            |(theirs, member): (&MemberId, &Member)| theirs != id && member.user_id.as_ref() == Some(account);
        let is_owner = self.members.get(id).is_some_and(|member| member.role == MemberRole::Owner);
        self.members.iter().any(another) || (role == Some(MemberRole::Owner) && !is_owner)
    }

    /// Returns the team after the issuer was told of a person. Who left is gone.
    #[must_use]
    pub fn told(&self, id: &MemberId, told: Told) -> Self {
        let mut after = self.clone();
        let Some(member) = after.members.get_mut(id) else { return after };
        if member.standing == Standing::Leaving {
            after.members.remove(id);
            return after;
        }
        (member.standing, member.user_id) = match told {
            Told::Here(account) => (Standing::Told, Some(account)),
            Told::ToInvite(account) => (Standing::Uninvited, Some(account)),
            Told::NotHere => (Standing::Refused, None),
        };
        after
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORG: OrgId = OrgId::new(Uuid::from_u128(0xA));

    fn at(mins: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(mins)
    }

    fn address(name: &str) -> EmailAddress {
        EmailAddress::parse(&format!("{name}@example.com")).unwrap()
    }

    fn id(name: &str) -> MemberId {
        MemberId::of(ORG, &address(name))
    }

    /// Of whom the issuer is to be told next.
    fn next(team: &Team) -> Option<MemberId> {
        team.to_tell(&BTreeSet::new(), Timestamp::MAX).map(|(id, _)| id.clone())
    }

    fn here(account: &str) -> Told {
        Told::Here(UserId::parse(account).unwrap())
    }

    /// A team in which the issuer has been told of everybody.
    fn team(people: &[(&str, MemberRole)]) -> Team {
        people.iter().fold(Team::unwritten(ORG), |team, (name, role)| {
            let team = team.with(MemberRole::Owner, (&address(name), *role), at(0)).unwrap();
            team.told(&id(name), here(name))
        })
    }

    #[test]
    fn a_person_is_added_once_and_invited_again_after_an_hour() {
        let (as_owner, ada) = ((&address("ada"), MemberRole::Owner), id("ada"));
        let after = Team::unwritten(ORG).with(MemberRole::Owner, as_owner, at(0)).unwrap();
        assert_eq!(next(&after), Some(ada.clone()));
        let told = after.told(&ada, here("u-1"));
        assert_eq!(next(&told), None);
        let again =
            |now| told.with(MemberRole::Owner, (&address("Ada"), MemberRole::Owner), at(now)).unwrap();
        assert_eq!(again(59), told, "whoever repeats it");
        assert_eq!((next(&again(60)), again(60).members[&ada].invited_at), (Some(ada.clone()), at(60)));
        let other = told.with(MemberRole::Owner, (&address("ada"), MemberRole::Staff), at(1));
        assert_eq!(other, Err(TeamRefusal::OtherRole));
        // Of an address that was elsewhere it is asked again.
        let refused = after.told(&ada, Told::NotHere);
        assert!(!refused.has_an_owner());
        let asked = refused.with(MemberRole::Owner, as_owner, at(1)).unwrap();
        assert!(asked.has_an_owner() && next(&asked).is_some());
    }

    #[test]
    fn a_team_has_an_end() {
        let names: Vec<String> = (0..MOST_MEMBERS).map(|nth| format!("n{nth}")).collect();
        let people: Vec<(&str, MemberRole)> =
            names.iter().map(|name| (name.as_str(), MemberRole::Staff)).collect();
        let full = team(&people);
        let add =
            |name: &str| full.with(MemberRole::Owner, (&address(name), MemberRole::Staff), at(1)).map(|_| ());
        assert_eq!((add("one-more"), add("n0")), (Err(TeamRefusal::Full), Ok(())));
    }

    #[test]
    fn only_an_owner_decides_who_is_an_owner() {
        let team =
            team(&[("ada", MemberRole::Owner), ("ida", MemberRole::Owner), ("joe", MemberRole::Staff)]);
        let by = MemberRole::Admin;
        let refused = Err(TeamRefusal::OwnersOnly);
        assert_eq!(team.with(by, (&address("new"), MemberRole::Owner), at(1)).map(|_| ()), refused);
        assert_eq!(team.with_role(by, &id("joe"), MemberRole::Owner).map(|_| ()), refused);
        assert_eq!(team.with_role(by, &id("ada"), MemberRole::Staff).map(|_| ()), refused);
        assert_eq!(team.without(by, &id("ada")).map(|_| ()), refused);
        assert!(
            team.with_role(by, &id("joe"), MemberRole::Admin).is_ok() && team.without(by, &id("joe")).is_ok()
        );
        assert!(team.without(MemberRole::Owner, &id("ada")).is_ok());
        assert_eq!(team.without(by, &id("nobody")).map(|_| ()), Err(TeamRefusal::Unknown));
    }

    #[test]
    fn a_token_counts_as_far_as_the_record_agrees_and_without_one_the_issuer() {
        use MemberRole::{Admin, Owner, Staff, Viewer};
        let mut team = team(&[("ada", Owner), ("joe", Admin), ("zoe", Staff), ("ida", Owner)]);
        team = team.without(Owner, &id("ida")).unwrap().with(Owner, (&address("new"), Admin), at(1)).unwrap();
        let at_issuer = |name: &str, role| Account { email: Some(address(name)), role };
        for (who, says, account, acts) in [
            ("ada", Owner, None, Some(Owner)),
            ("ada", Admin, None, Some(Admin)),
            ("joe", Owner, None, Some(Admin)),
            ("joe", Viewer, None, None),
            ("zoe", Owner, None, None),
            // Who leaves is nobody, whatever the issuer still says.
            ("ida", Owner, None, None),
            ("ida", Owner, Some(at_issuer("ida", Some(Owner))), None),
            // Whom the record does not name.
            ("eve", Owner, None, None),
            ("eve", Owner, Some(at_issuer("eve", None)), None),
            ("eve", Owner, Some(at_issuer("eve", Some(Staff))), None),
            ("eve", Owner, Some(at_issuer("eve", Some(Owner))), Some(Owner)),
            ("eve", Admin, Some(at_issuer("eve", Some(Owner))), Some(Admin)),
            // Whose account is not noted yet, and who took the address of another.
            ("u-9", Owner, Some(at_issuer("NEW", Some(Owner))), Some(Admin)),
            ("u-9", Owner, Some(at_issuer("new", None)), None),
            ("u-9", Admin, Some(at_issuer("ada", Some(Admin))), Some(Admin)),
        ] {
            let user = UserId::parse(who).unwrap();
            let acted = team.acts_as(&user, says, account.as_ref());
            assert_eq!(acted, acts.ok_or(TeamRefusal::NotYours), "{who} as {says:?}, {account:?}");
        }
    }

    #[test]
    fn who_leaves_counts_no_more_and_is_gone_when_the_issuer_knows() {
        let team = team(&[("ada", MemberRole::Owner), ("ida", MemberRole::Owner)]);
        let left = team.without(MemberRole::Owner, &id("ada")).unwrap();
        assert_eq!(next(&left), Some(id("ada")));
        assert_eq!(left.without(MemberRole::Owner, &id("ida")).map(|_| ()), Err(TeamRefusal::LastOwner));
        assert_eq!(
            left.with_role(MemberRole::Owner, &id("ida"), MemberRole::Admin).map(|_| ()),
            Err(TeamRefusal::LastOwner)
        );
        assert_eq!(left.without(MemberRole::Owner, &id("ada")).map(|_| ()), Err(TeamRefusal::Unknown));
        assert!(!left.told(&id("ada"), Told::NotHere).members.contains_key(&id("ada")));
        // Whoever is asked back before that stays.
        let back = left.with(MemberRole::Owner, (&address("ada"), MemberRole::Staff), at(9)).unwrap();
        assert_eq!(back.members[&id("ada")].standing, Standing::Wanted);
    }

    #[test]
    fn an_account_stands_in_the_record_before_a_letter_goes_to_it() {
        let as_owner = (&address("ada"), MemberRole::Owner);
        let team = Team::unwritten(ORG).with(MemberRole::Owner, as_owner, at(0)).unwrap();
        let made = team.told(&id("ada"), Told::ToInvite(UserId::parse("u-1").unwrap()));
        let member = &made.members[&id("ada")];
        assert_eq!((member.standing, member.user_id.as_ref().unwrap().as_str()), (Standing::Uninvited, "u-1"));
        assert!(made.has_an_owner() && next(&made).is_some());
        // A slip of the pen is put right, and known by its account.
        let ida = (&address("ida"), MemberRole::Owner);
        let two = made.told(&id("ada"), here("u-1")).with(MemberRole::Owner, ida, at(1)).unwrap();
        let two = two.told(&id("ida"), Told::ToInvite(UserId::parse("u-2").unwrap()));
        let staff = two.with_role(MemberRole::Owner, &id("ida"), MemberRole::Staff).unwrap();
        let member = &staff.members[&id("ida")];
        assert_eq!((member.standing, member.user_id.as_ref().unwrap().as_str()), (Standing::Wanted, "u-2"));
        // Of one who was refused the issuer is asked again before the record forgets them.
        let refused = two.told(&id("ida"), Told::NotHere);
        let left = refused.without(MemberRole::Owner, &id("ida")).unwrap();
        assert_eq!(left.members[&id("ida")].standing, Standing::Leaving);
    }

    #[test]
    fn one_process_alone_tells_the_issuer_and_knows_its_lease_by_an_id() {
        let settled = team(&[("ada", MemberRole::Owner)]);
        let open = settled.with(MemberRole::Owner, (&address("joe"), MemberRole::Staff), at(1)).unwrap();
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let nobody = BTreeSet::new();
        let joe = BTreeSet::from([id("joe")]);
        for (team, but, now, step) in [
            (&settled, &nobody, 0, Step::Rest),
            (&open, &nobody, 0, Step::Take),
            (&open, &joe, 0, Step::Rest),
            (&open.leased(mine, at(9)), &nobody, 8, Step::Tell(id("joe"))),
            (&open.leased(mine, at(9)), &joe, 8, Step::Free),
            (&settled.leased(mine, at(9)), &nobody, 8, Step::Free),
            // At the same instant by another.
            (&open.leased(other, at(9)), &nobody, 8, Step::Rest),
            (&settled.leased(other, at(9)), &nobody, 8, Step::Rest),
            // Whose time is over.
            (&open.leased(mine, at(9)), &nobody, 9, Step::Take),
            (&open.leased(other, at(9)), &nobody, 9, Step::Take),
            (&settled.leased(mine, at(9)), &nobody, 9, Step::Rest),
            (&open.leased(mine, at(9)).freed(at(2)), &nobody, 2, Step::Take),
        ] {
            assert_eq!(team.step(mine, but, at(now)), step, "at {now} of {team:?} but {but:?}");
        }
    }

    #[test]
    fn an_issuer_that_had_enough_is_asked_for_no_letter_for_a_while_and_told_all_else() {
        let lease = Uuid::from_u128(1);
        let ann = (&address("ann"), MemberRole::Staff);
        let team = team(&[("ada", MemberRole::Owner), ("joe", MemberRole::Admin)]);
        let team = team.with(MemberRole::Owner, ann, at(1)).unwrap();
        let team = team.told(&id("ann"), Told::ToInvite(UserId::parse("u-3").unwrap())).leased(lease, at(60));
        let quiet = team.without_letters(at(2));
        assert!(!quiet.is_settled());
        for (team, now, step) in [
            (&team, 2, Step::Tell(id("ann"))),
            (&quiet, 2, Step::Free),
            (&quiet, 6, Step::Free),
            (&quiet, 7, Step::Tell(id("ann"))),
            (&quiet.without(MemberRole::Owner, &id("joe")).unwrap(), 2, Step::Tell(id("joe"))),
            (&quiet.without(MemberRole::Owner, &id("ann")).unwrap(), 2, Step::Tell(id("ann"))),
        ] {
            assert_eq!(team.step(lease, &BTreeSet::new(), at(now)), step, "at {now} of {team:?}");
        }
    }

    #[test]
    fn ids_are_the_same_each_time_and_of_one_clinic() {
        assert_eq!(id("ada"), MemberId::of(ORG, &EmailAddress::parse("ADA@Example.com").unwrap()));
        assert_ne!(id("ada"), MemberId::of(OrgId::new(Uuid::from_u128(0xB)), &address("ada")));
        let org = OrgId::founded_by("ada@example.com");
        assert_eq!(org, OrgId::founded_by("ada@example.com"));
        assert_ne!(org, OrgId::founded_by("ida@example.com"));
    }

    #[test]
    fn a_role_has_one_name_and_no_other_word_is_one() {
        for role in MemberRole::ALL {
            assert_eq!(MemberRole::parse(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        for word in ["", "Owner", "operator", "superuser"] {
            assert_eq!(MemberRole::parse(word), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_done_a_team_that_had_an_owner_has_one(
            acts in proptest::collection::vec((0_u8..4, 0_usize..4, 0_usize..4, proptest::bool::ANY), 0..40),
        ) {
            let names = ["ada", "ida", "joe", "zoe"];
            let mut team = team(&[("ada", MemberRole::Owner), ("joe", MemberRole::Admin)]);
            for (act, who, role, as_owner) in acts {
                let by = if as_owner { MemberRole::Owner } else { MemberRole::Admin };
                let (name, role) = (names[who], MemberRole::ALL[role]);
                let after = match act {
                    0 => team.with(by, (&address(name), role), at(1)),
                    1 => team.with_role(by, &id(name), role),
                    2 => team.without(by, &id(name)),
                    _ => Ok(next(&team).map_or(team.clone(), |id| team.told(&id, here("u")))),
                };
                team = after.unwrap_or(team);
                prop_assert!(team.has_an_owner());
            }
        }
    }
}
