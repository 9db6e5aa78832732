//! The audit log: who did what, to whose record, why, and whether it was allowed. Entries name records by their ids; the only words
//! in them are the reason that the actor gave. They are only ever added.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ids::{AdjustmentId, AppointmentId, CallId, ContactId, MemberId, OrgId, UserId},
    team::MemberRole,
    time::rfc3339_millis,
};

/// How long an entry is kept: six years of 365.25 days.
const KEPT: SignedDuration = SignedDuration::from_hours(52_596);

/// Under which org acts are kept that are about no org's record: the UUID of nothing, which no org has.
pub const NO_ORG: OrgId = OrgId::new(uuid::Uuid::nil());

/// One act, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Whose record it is about; [`NO_ORG`] where it is nobody's.
    pub org_id: OrgId,
    /// When, and what: sorts by time, and makes the entry exist once.
    pub entry_id: AuditId,
    /// When it was done.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// The record that it was done to.
    pub record: RecordId,
    /// Why, as the actor says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Whether it was allowed.
    pub outcome: Outcome,
    /// When the entry goes, in seconds since 1970: the table's time to live.
    pub expires_at: i64,
}

/// Who did something, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person, as the token names them.
    pub user: UserId,
    /// What they may do.
    pub role: ActorRole,
    /// The address that the request came from, as the gateway saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The request, as its answer and the log lines name it.
    pub request_id: String,
}

/// What an actor may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorRole {
    /// One of ours, who looks after all orgs.
    Operator,
    /// The person that a clinic belongs to.
    Owner,
    /// A person who may change what a clinic has.
    Admin,
    /// A person who keeps a clinic's diary.
    Staff,
    /// A person who may look.
    Viewer,
}

impl ActorRole {
    /// Returns the role at a clinic; none of an operator, who belongs to none.
    pub const fn at_a_clinic(self) -> Option<MemberRole> {
        match self {
            Self::Operator => None,
            Self::Owner => Some(MemberRole::Owner),
            Self::Admin => Some(MemberRole::Admin),
            Self::Staff => Some(MemberRole::Staff),
            Self::Viewer => Some(MemberRole::Viewer),
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A doubt about a call was booked.
    AcceptDoubt,
    /// A wallet was corrected by hand.
    AdjustWallet,
    /// A frozen wallet may be spent from again.
    UnfreezeWallet,
    /// How many calls an org may have at a time was set.
    LimitCalls,
    /// An appointment was made.
    BookAppointment,
    /// An appointment was made, or moved, over times that were not free.
    Overbook,
    /// An appointment was moved.
    MoveAppointment,
    /// An appointment was cancelled.
    CancelAppointment,
    /// How an appointment stands, or what is noted of it, was changed.
    NoteAppointment,
    /// A contact was added.
    AddContact,
    /// A contact was changed.
    ChangeContact,
    /// A clinic was made, or another person was invited to be its owner.
    CreateClinic,
    /// A person was invited.
    InviteMember,
    /// A person was given another role.
    ChangeRole,
    /// A person was removed.
    RemoveMember,
    /// A number at a vendor that no record claims was let go.
    LetNumberGo,
    /// That was withdrawn.
    KeepNumber,
}

/// Whether an act was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Granted,
    /// It was refused.
    Refused,
}

/// The record that an act was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum RecordId {
    /// A call.
    Call(CallId),
    /// The org's wallet, and the adjustment, where it is one.
    Wallet(Option<AdjustmentId>),
    /// An appointment.
    Appointment(AppointmentId),
    /// A contact.
    Contact(ContactId),
    /// A person of the clinic.
    Member(MemberId),
    /// A number at a vendor that no record claims, by its place there.
    UnclaimedNumber(String),
}

/// The key of an entry within its org: its time, then what was done to what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct AuditId(String);

impl AuditId {
    /// The key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AuditEntry {
    /// The entry of an act that was done at `at`.
    pub fn granted(
        org_id: OrgId,
        actor: Actor,
        (action, record): (Action, RecordId),
        purpose: Option<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            entry_id: AuditId(format!("{}#{}", rfc3339_millis(at), actor.request_id)),
            expires_at: at.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second(),
            outcome: Outcome::Granted,
            org_id,
            at,
            actor,
            action,
            record,
            purpose,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_sorts_by_its_time_and_is_kept_for_six_years() {
        let entry = |secs: i64| {
            let user = UserId::parse("operator").unwrap();
            let actor =
                Actor { user, role: ActorRole::Operator, source: None, request_id: "request-1".into() };
            let at = Timestamp::from_second(secs).unwrap();
            let act = (Action::UnfreezeWallet, RecordId::Wallet(None));
            AuditEntry::granted(OrgId::new(uuid::Uuid::nil()), actor, act, None, at)
        };
        assert!(entry(9).entry_id < entry(10).entry_id && entry(999).entry_id < entry(1_000).entry_id);
        assert_eq!(entry(0).expires_at, 6 * 31_557_600);
    }
}
