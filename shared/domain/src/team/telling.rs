//! How the issuer comes to know a team: one process at a time, one person after another.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Member, MemberRole, Standing, Team};
use crate::ids::{MemberId, UserId};

/// How long the issuer is asked for no letter once it had enough of them, in minutes.
const BETWEEN_LETTERS_MINS: i64 = 5;

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

/// How long the issuer may be at it until it was told of one person: four requests, each of which is waited for.
const LONGEST_TELLING: SignedDuration = SignedDuration::from_secs(30);

impl Team {
    /// Returns what the process of this lease does next, apart from those of whom it could not tell the issuer just now. Whose lease
    /// may end while it tells takes it anew first: two would tell at once.
    pub fn step(&self, lease: Uuid, but: &BTreeSet<MemberId>, now: Timestamp) -> Step {
        let (is_held, next) = (self.lease_until > now, self.to_tell(but, now));
        let is_mine = is_held && self.lease_id == Some(lease);
        let has_time = self.lease_until.duration_since(now) > LONGEST_TELLING;
        match next {
            Some((id, _)) if is_mine && has_time => Step::Tell(id.clone()),
            Some(_) if is_mine || !is_held => Step::Take,
            None if is_mine => Step::Free,
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
    pub(super) fn to_tell(&self, but: &BTreeSet<MemberId>, now: Timestamp) -> Option<(&MemberId, &Member)> {
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
}
