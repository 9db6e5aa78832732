use std::collections::BTreeSet;

use jiff::SignedDuration;
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
    let again = |now| told.with(MemberRole::Owner, (&address("Ada"), MemberRole::Owner), at(now)).unwrap();
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
    let team = team(&[("ada", MemberRole::Owner), ("ida", MemberRole::Owner), ("joe", MemberRole::Staff)]);
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
        // Whose time would end meanwhile.
        (&open.leased(mine, at(8) + SignedDuration::from_secs(30)), &nobody, 8, Step::Take),
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
