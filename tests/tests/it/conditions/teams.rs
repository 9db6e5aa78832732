//! The conditions of who works at clinics.

use domain::{
    audit::AuditEntry,
    clinic::Clinic,
    email::EmailAddress,
    team::{MemberRole, Team},
};
use serde_json::Value;
use store::{ChangeError, clinics::Clinics, teams::Teams};
use tests::{Harness, ORG};

use super::{Guard, NEW_ACT, VERSION, act, is_moved, is_put_to};

const NEW: &str = "attribute_not_exists(org_id)";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "found", "clinics", NEW, NEW => a_clinic_that_is_there_is_not_founded;
        "found", "teams", NEW, NEW => a_team_that_is_there_is_not_founded;
        "found", "audit_log", NEW_ACT, NEW_ACT => founding_overwrites_no_act;
        "change team", "teams", NEW, NEW => a_teams_first_change_is_one;
        "change team", "teams", VERSION, VERSION => an_older_team_is_not_changed;
        "change team", "audit_log", NEW_ACT, NEW_ACT => changing_a_team_overwrites_no_act;
        "put", "teams", VERSION, VERSION => an_older_team_notes_nothing;
    }
}

/// Which write of a team a transaction is, if it is one.
pub(super) fn transaction_of(items: &[Value]) -> Option<&'static str> {
    let is_put = |table: &str| items.iter().any(|item| is_put_to(item, table));
    match (is_put("teams"), is_put("clinics")) {
        (true, true) => Some("found"),
        (true, false) => Some("change team"),
        (false, _) => None,
    }
}

fn with_owner(team: &Team) -> Team {
    let ada = EmailAddress::parse("ada@example.com").unwrap();
    team.with(MemberRole::Owner, (&ada, MemberRole::Owner), local::stack::test_epoch()).unwrap()
}

fn entry(request: &str) -> AuditEntry {
    act(ORG, request)
}

async fn found(harness: &Harness, request: &str) -> Result<Team, ChangeError> {
    let team = with_owner(&Team::unwritten(ORG));
    Teams::new(harness.stack.db()).found(&Clinic::unsaved(ORG), &team, &entry(request)).await
}

async fn changed(harness: &Harness, team: &Team, request: &str) -> Result<Team, ChangeError> {
    Teams::new(harness.stack.db()).change(&with_owner(team), &entry(request)).await
}

async fn a_clinic_that_is_there_is_not_founded(harness: Harness) -> Result<(), String> {
    Clinics::new(harness.stack.db()).save(&Clinic::unsaved(ORG)).await.unwrap();
    is_moved(found(&harness, "a").await)
}

async fn a_team_that_is_there_is_not_founded(harness: Harness) -> Result<(), String> {
    changed(&harness, &Team::unwritten(ORG), "a").await.unwrap();
    is_moved(found(&harness, "b").await)
}

async fn founding_overwrites_no_act(harness: Harness) -> Result<(), String> {
    store::audit::AuditLog::new(harness.stack.db()).note(&entry("a")).await.unwrap();
    is_moved(found(&harness, "a").await)
}

async fn a_teams_first_change_is_one(harness: Harness) -> Result<(), String> {
    changed(&harness, &Team::unwritten(ORG), "a").await.unwrap();
    is_moved(changed(&harness, &Team::unwritten(ORG), "b").await)
}

async fn an_older_team_is_not_changed(harness: Harness) -> Result<(), String> {
    let first = changed(&harness, &Team::unwritten(ORG), "a").await.unwrap();
    changed(&harness, &first, "b").await.unwrap();
    is_moved(changed(&harness, &first, "c").await)
}

async fn changing_a_team_overwrites_no_act(harness: Harness) -> Result<(), String> {
    let first = changed(&harness, &Team::unwritten(ORG), "a").await.unwrap();
    is_moved(changed(&harness, &first, "a").await)
}

async fn an_older_team_notes_nothing(harness: Harness) -> Result<(), String> {
    let teams = Teams::new(harness.stack.db());
    let first = changed(&harness, &Team::unwritten(ORG), "a").await.unwrap();
    teams.note(&first).await.unwrap();
    is_moved(teams.note(&first).await)
}

/// Does all that the store can do with teams.
pub(super) async fn use_everything(harness: &Harness) {
    let teams = Teams::new(harness.stack.db());
    let first = changed(harness, &Team::unwritten(ORG), "team-a").await.unwrap();
    let second = changed(harness, &first, "team-b").await.unwrap();
    teams.note(&second).await.unwrap();
    let other = tests::OTHER_ORG;
    let team = with_owner(&Team::unwritten(other));
    teams.found(&Clinic::unsaved(other), &team, &act(other, "team-c")).await.unwrap();
}
