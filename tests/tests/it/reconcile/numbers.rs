//! Numbers: what was left half way is finished, what no org claims is given back, what is gone is told of, and each month is
//! charged once.

use std::collections::BTreeSet;

use base::clock::Clock;
use domain::{
    amount::Amount,
    call::Direction,
    ids::{OrgId, UserId},
    purchase::State,
};
use jiff::{SignedDuration, Timestamp};
use local::alarms::Alarms;
use sandbox::faults::Mode;
use serde_json::json;
use services::reconcile::{Finding, Report};
use store::{
    numbers::ManagedNumber,
    runs::{Runs, Word},
};
use tests::{Harness, ORG, OTHER_ORG, alarms, crashed_after};

use crate::numbers::{assert_one_of_two, at_twilio, at_vapi, rich, us};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// A number that no purchase of these tests comes to.
const LATE: &str = "+14155550199";

fn count(alarms: &Alarms, name: &str) -> usize {
    alarms.names().iter().filter(|raised| *raised == name).count()
}

/// Of each alarm about an orphan, whether it needs a person.
fn told(alarms: &Alarms) -> Vec<bool> {
    let told = alarms.raised().into_iter().filter(|alarm| alarm.name == "orphan_number");
    told.map(|alarm| alarm.fields.contains(&"needs_a_person=true".to_owned())).collect()
}

async fn numbers_task(harness: &Harness) -> Report {
    Box::pin(harness.reconcile("numbers")).await
}

/// What a list of findings is about, each once.
fn kinds(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.what.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Lets time pass and the task run, as often as a purchase needs at most.
async fn reconciled(harness: &Harness) {
    for _ in 0..3 {
        harness.pass(100).await;
        numbers_task(harness).await;
    }
}

fn environment(harness: &Harness) -> String {
    harness.mark()["voxanne_environment"].as_str().unwrap().to_owned()
}

/// The clinic's account at the carrier.
fn subaccount(harness: &Harness) -> String {
    let name = format!("voxanne/{}/{ORG}", environment(harness));
    let accounts = harness.stack.twilio.accounts();
    accounts.into_iter().find(|(_, friendly_name, _)| *friendly_name == name).unwrap().0
}

/// The mark at the carrier of the clinic's last inbound purchase.
async fn mark_of_the_purchase(harness: &Harness) -> String {
    let claim = harness.provisioning().purchases.claim_of(ORG, Direction::Inbound).await.unwrap().unwrap();
    format!("voxanne/{}/{}", environment(harness), claim.purchase_id)
}

async fn history(harness: &Harness) -> ManagedNumber {
    harness.provisioning().numbers.managed(ORG).await.unwrap().remove(0)
}

/// A clinic whose one purchase came to nothing, and was refunded.
async fn refunded() -> Harness {
    let harness = rich().await;
    harness.fault(("twilio", "buy"), Mode::TimeoutBefore, 2);
    assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 202);
    harness.stack.faults.clear();
    harness.pass(100).await;
    let report = numbers_task(&harness).await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec!["purchase"], vec![]));
    let claim = harness.provisioning().purchases.claim_of(ORG, Direction::Inbound).await.unwrap().unwrap();
    assert_eq!((claim.state, harness.money().await), (State::Refunded, (5_000, 0)));
    harness
}

#[tokio::test]
async fn an_abandoned_purchase_comes_to_one_of_its_two_ends() {
    // N4
    let mut ends = BTreeSet::new();
    for polls in [3, 12, 25, 40, 60, 90] {
        let harness = rich().await;
        if polls == 90 {
            harness.fault(("vapi", "import_number"), Mode::Refuse, 10);
        }
        crashed_after(polls, harness.buy_for(ORG, &us("inbound"), None)).await;
        reconciled(&harness).await;
        ends.insert(assert_one_of_two(&harness, &format!("died at its poll {polls}")).await);
    }
    assert_eq!(ends, BTreeSet::from([false, true]), "both ends were come to");
}

#[tokio::test]
async fn a_purchase_that_somebody_is_at_is_left_to_them() {
    let harness = rich().await;
    crashed_after(40, harness.buy_for(ORG, &us("inbound"), None)).await;
    let open = harness.provisioning().purchases.open().await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    let report = numbers_task(&harness).await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
    assert_eq!(harness.provisioning().purchases.open().await.unwrap(), open);
}

#[tokio::test]
async fn an_abandoned_release_is_finished() {
    // N6
    for (vendor, operation) in [("vapi", "delete_number"), ("twilio", "release")] {
        let harness = rich().await;
        let number = harness.has_number("inbound").await;
        harness.fault((vendor, operation), Mode::Error, 2);
        assert_eq!(harness.give_up(&number).await.0, 202, "{vendor}");
        let report = numbers_task(&harness).await;
        assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec!["release"]), "{vendor}");
        let report = numbers_task(&harness).await;
        assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec!["release"], vec![]), "{vendor}");
        assert!(at_twilio(&harness).is_empty() && at_vapi(&harness).is_empty(), "{vendor}");
        assert_eq!(harness.give_up(&number).await.0, 200, "{vendor}");
    }
}

#[tokio::test]
async fn a_number_that_came_after_its_purchase_was_refunded_is_given_back_when_two_runs_an_hour_apart_agree()
{
    // N4
    let harness = refunded().await;
    let (alarms, _guard) = alarms();
    let sid =
        harness.stack.twilio.add_owned(&subaccount(&harness), LATE, &mark_of_the_purchase(&harness).await);
    for passed in [0, 59 * 60] {
        harness.pass(passed).await;
        let report = numbers_task(&harness).await;
        let id = format!("twilio#{}#{sid}", subaccount(&harness));
        assert!(report.left.iter().any(|left| left.what == "orphan_number" && left.id == id), "{report:?}");
        assert_eq!(at_twilio(&harness), [LATE], "after {passed} s");
    }
    harness.pass(60).await;
    let report = numbers_task(&harness).await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec!["orphan_number"], vec![]), "{report:?}");
    assert!(at_twilio(&harness).is_empty());
    assert_eq!(told(&alarms), [false], "once, and that it goes by itself: {:?}", alarms.raised());
    assert_eq!(harness.money().await, (5_000, 0));
    let report = numbers_task(&harness).await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
}

#[tokio::test]
async fn an_orphan_that_was_gone_in_between_waits_its_hour_anew() {
    let harness = refunded().await;
    let (account, mark) = (subaccount(&harness), mark_of_the_purchase(&harness).await);
    harness.stack.twilio.add_owned(&account, LATE, &mark);
    numbers_task(&harness).await;
    harness.stack.twilio.lose(LATE);
    harness.pass(HOUR).await;
    numbers_task(&harness).await;
    harness.stack.twilio.add_owned(&account, LATE, &mark);
    harness.pass(HOUR).await;
    assert_eq!(kinds(&numbers_task(&harness).await.left), ["orphan_number"]);
    assert_eq!(at_twilio(&harness), [LATE]);
    harness.pass(HOUR).await;
    // A run that could not look neither gives back nor forgets.
    harness.fault(("twilio", "find_number"), Mode::Error, 10);
    assert_eq!(kinds(&numbers_task(&harness).await.left), ["subaccount"]);
    harness.stack.faults.clear();
    assert_eq!(at_twilio(&harness), [LATE]);
    numbers_task(&harness).await;
    assert!(at_twilio(&harness).is_empty());
}

#[tokio::test]
async fn what_is_of_another_environment_claimed_or_without_a_mark_is_never_given_back() {
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    let account = subaccount(&harness);
    let id = "00000000-0000-0000-0000-000000000001";
    let twilio = &harness.stack.twilio;
    twilio.add_owned(&account, "+14155550191", &format!("voxanne/other/{id}"));
    twilio.add_owned(&account, "+14155550192", &format!("voxanne/{}x/{id}", environment(&harness)));
    twilio.add_owned(&account, "+14155550193", "the clinic's own name for it");
    harness.stack.vapi.add_number("other-1", "+14155550194", None);
    harness.vapi_patch("/phone-number/other-1", &json!({"name": "voxanne/other/00000000001"}));
    harness.stack.vapi.add_number("other-2", "+14155550195", None);
    let before = (at_twilio(&harness), at_vapi(&harness));
    for _ in 0..3 {
        let report = numbers_task(&harness).await;
        assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
        harness.pass(2 * HOUR).await;
    }
    assert_eq!((at_twilio(&harness), at_vapi(&harness)), before);
    assert_eq!(harness.dropdown_of(ORG).await, [number]);
}

#[tokio::test]
async fn an_import_of_no_purchase_that_we_know_is_taken_out_of_vapi_when_an_operator_says_so() {
    // R7
    // A number that a clinic brought comes late as well; it stays the clinic's at the carrier.
    let harness = rich().await;
    harness.stack.vapi.add_number("late", LATE, None);
    let name = format!("voxanne/{}/0123456789a", environment(&harness));
    harness.vapi_patch("/phone-number/late", &json!({ "name": name }));
    harness.stack.twilio.add_account("AC0123456789abcdef0123456789abcdef", "own-token", &[LATE]);
    for passed in [0, DAY, 100 * DAY] {
        harness.pass(passed).await;
        let report = numbers_task(&harness).await;
        assert!(report.left.iter().any(|left| left.id == "vapi#late"), "{report:?}");
        assert_eq!(at_vapi(&harness), [LATE], "no record knows its purchase: it may be in use");
    }
    assert_eq!(allow(&harness, "vapi#late").await, 202);
    let report = numbers_task(&harness).await;
    assert_eq!(kinds(&report.repaired), ["orphan_number"]);
    assert!(at_vapi(&harness).is_empty());
    assert_eq!(at_twilio(&harness), [LATE]);
}

/// Has an operator let a number go. Returns the status.
async fn allow(harness: &Harness, place: &str) -> u16 {
    let operator = local::token::issue_operator(harness.clock.now()).unwrap();
    let body = json!({"place": place, "reason": "Looked up at the vendor."}).to_string();
    harness.post("/api/operations/orphans/give-back", &operator, body).await.0
}

/// Twelve numbers of a clinic's account that bear marks of purchases that no record knows.
async fn twelve_unknown() -> (Harness, Vec<String>) {
    let harness = refunded().await;
    let account = subaccount(&harness);
    let place = |i: u8| {
        let mark = format!("voxanne/{}/00000000-0000-0000-0000-0000000000{i:02}", environment(&harness));
        let sid = harness.stack.twilio.add_owned(&account, &format!("+141555502{i:02}"), &mark);
        format!("twilio#{account}#{sid}")
    };
    let places = (0..12).map(place).collect();
    (harness, places)
}

#[tokio::test]
async fn a_stack_whose_tables_know_nothing_gives_no_number_back() {
    // R19: a second stack of the same name, or one whose tables are lost: every number is without a claim.
    let (harness, places) = twelve_unknown().await;
    let (alarms, _guard) = alarms();
    for _ in 0..3 {
        let report = numbers_task(&harness).await;
        assert_eq!((at_twilio(&harness).len(), report.left.len()), (12, 12), "{report:?}");
        harness.pass(30 * DAY).await;
    }
    assert_eq!(told(&alarms), vec![true; 3 * places.len()], "each is told of by every run");
}

#[tokio::test]
async fn what_operators_let_go_is_given_back_ten_a_run() {
    // R7
    let (harness, places) = twelve_unknown().await;
    assert_eq!(allow(&harness, &places[0]).await, 404, "no run has seen it yet");
    numbers_task(&harness).await;
    for place in &places {
        assert_eq!(allow(&harness, place).await, 202);
    }
    for left in [2, 0] {
        harness.pass(DAY).await;
        let report = numbers_task(&harness).await;
        assert_eq!((at_twilio(&harness).len(), report.left.len()), (left, left), "{report:?}");
    }
}

#[tokio::test]
async fn among_more_orphans_than_a_small_share_none_goes_by_itself() {
    // R7
    let harness = refunded().await;
    let (alarms, _guard) = alarms();
    let (account, mark) = (subaccount(&harness), mark_of_the_purchase(&harness).await);
    for number in ["+14155550196", "+14155550197", "+14155550198"] {
        harness.stack.twilio.add_owned(&account, number, &mark);
    }
    for _ in 0..3 {
        numbers_task(&harness).await;
        harness.pass(DAY).await;
    }
    assert_eq!(at_twilio(&harness).len(), 3, "one purchase does not leave three numbers");
    assert_eq!(told(&alarms), [true; 9], "three, by three runs");
    harness.stack.twilio.lose("+14155550198");
    numbers_task(&harness).await;
    assert!(at_twilio(&harness).is_empty());
}

#[tokio::test]
async fn orphans_that_lie_in_different_places_are_counted_together() {
    // R7
    let harness = refunded().await;
    let mark = mark_of_the_purchase(&harness).await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    harness.top_up(OTHER_ORG, "pi_other", 5_000).await;
    assert_eq!(harness.buy_for(OTHER_ORG, &us("inbound"), None).await.0, 201);
    harness.pass(10).await;
    let name = format!("voxanne/{}/{OTHER_ORG}", environment(&harness));
    let accounts = harness.stack.twilio.accounts();
    let other = accounts.into_iter().find(|(_, friendly_name, _)| *friendly_name == name).unwrap().0;
    harness.stack.twilio.add_owned(&subaccount(&harness), "+14155550196", &mark);
    harness.stack.twilio.add_owned(&other, "+14155550197", &mark);
    harness.stack.vapi.add_number("late", "+14155550198", None);
    let (beginning, id) = mark.rsplit_once('/').unwrap();
    let short = format!("{beginning}/{}", &id[id.len() - 11..]);
    harness.vapi_patch("/phone-number/late", &json!({ "name": short }));
    let orphans = |harness: &Harness| {
        let there = at_twilio(harness).into_iter().chain(at_vapi(harness));
        there.filter(|number| number.starts_with("+1415555019")).count()
    };
    let (alarms, guard) = alarms();
    for _ in 0..3 {
        let report = numbers_task(&harness).await;
        assert_eq!((orphans(&harness), report.left.len()), (3, 3), "two are believed: {report:?}");
        harness.pass(DAY).await;
    }
    assert_eq!(told(&alarms), [true; 9]);
    drop(guard);
    // One that lies where this run cannot look still counts.
    for (vendor, operation) in
        [("vapi", "list_numbers"), ("twilio", "find_number"), ("twilio", "find_subaccount")]
    {
        harness.fault((vendor, operation), Mode::Error, 100);
        numbers_task(&harness).await;
        assert_eq!(orphans(&harness), 3, "{vendor} {operation}");
        harness.stack.faults.clear();
    }
    // One less, and the two others are what they seem.
    harness.stack.twilio.lose("+14155550197");
    let report = numbers_task(&harness).await;
    assert_eq!((orphans(&harness), kinds(&report.repaired)), (0, vec!["orphan_number"]), "{report:?}");
}

#[tokio::test]
async fn an_operators_word_is_about_the_orphan_that_was_there_and_about_no_later_one() {
    // R7
    let harness = rich().await;
    let runs = Runs::new(harness.stack.db());
    let name = format!("voxanne/{}/0123456789a", environment(&harness));
    let appears = || {
        harness.stack.vapi.add_number("late", LATE, None);
        harness.vapi_patch("/phone-number/late", &json!({ "name": name }));
    };
    appears();
    numbers_task(&harness).await;
    assert_eq!(allow(&harness, "vapi#late").await, 202);
    assert!(runs.word("numbers", "vapi#late").await.unwrap().is_some());
    // It is no orphan when the next run looks: the word is forgotten with it.
    harness.stack.vapi.remove_number(LATE);
    numbers_task(&harness).await;
    assert_eq!(runs.word("numbers", "vapi#late").await.unwrap(), None);
    // A word that stayed, of an orphan that was known earlier, is not followed either.
    appears();
    let first_seen = harness.clock.now();
    numbers_task(&harness).await;
    let word = Word {
        orphan_since: Some(first_seen - SignedDuration::from_secs(60)),
        said_at: first_seen,
        user: UserId::parse("operator-1").unwrap(),
        reason: "Looked up.".into(),
    };
    for orphan_since in [None, word.orphan_since] {
        runs.keep_word("numbers", "vapi#late", &Word { orphan_since, ..word.clone() }).await.unwrap();
        harness.pass(DAY).await;
        numbers_task(&harness).await;
        assert_eq!(at_vapi(&harness), [LATE], "{orphan_since:?}");
    }
    assert_eq!(allow(&harness, "vapi#late").await, 202);
    numbers_task(&harness).await;
    assert!(at_vapi(&harness).is_empty());
    assert_eq!(runs.word("numbers", "vapi#late").await.unwrap(), None);
}

#[tokio::test]
async fn a_number_that_a_vendor_has_lost_is_marked_and_told_of_until_it_is_back() {
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    assert_eq!(numbers_task(&harness).await.left.len(), 0);
    let (alarms, _guard) = alarms();
    let imported = harness.stack.vapi.numbers().remove(0);
    harness.stack.vapi.remove_number(&number);
    let first = harness.clock.now();
    for run in 1..=2 {
        let report = numbers_task(&harness).await;
        assert_eq!(
            (kinds(&report.repaired), kinds(&report.left)),
            (vec![], vec!["number_gone"]),
            "{report:?}"
        );
        assert_eq!(history(&harness).await.missing_since, Some(first), "since it was first missed");
        assert_eq!(count(&alarms, "number_gone"), run, "{:?}", alarms.raised());
        assert_eq!(
            harness.dropdown_of(ORG).await,
            std::slice::from_ref(&number),
            "never taken away by itself"
        );
        harness.pass(DAY).await;
    }
    harness.stack.vapi.add_number(imported["id"].as_str().unwrap(), &number, None);
    let report = numbers_task(&harness).await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec!["number_gone"], vec![]), "{report:?}");
    assert_eq!(history(&harness).await.missing_since, None);
    harness.stack.twilio.lose(&number);
    assert_eq!(kinds(&numbers_task(&harness).await.left), ["number_gone"]);
    assert!(history(&harness).await.missing_since.is_some());
    // What is marked can be given up like any other.
    assert_eq!(harness.give_up(&number).await.0, 200);
    assert_eq!(numbers_task(&harness).await.left.len(), 0);
}

#[tokio::test]
async fn a_vendor_that_does_not_tell_all_marks_nothing() {
    for (vendor, operation, told) in [
        ("twilio", "find_subaccount", "twilio_list"),
        ("twilio", "find_number", "subaccount"),
        ("vapi", "list_numbers", "vapi_list"),
    ] {
        for mode in [Mode::Error, Mode::TimeoutBefore, Mode::Refuse] {
            let what = format!("{vendor} {operation} {mode:?}");
            let harness = rich().await;
            let number = harness.has_number("inbound").await;
            // Whatever it would find is not found.
            if vendor == "twilio" {
                harness.stack.twilio.lose(&number);
            } else {
                harness.stack.vapi.remove_number(&number);
            }
            harness.fault((vendor, operation), mode, 100);
            let (alarms, _guard) = alarms();
            let report = numbers_task(&harness).await;
            assert_eq!(kinds(&report.left), [told], "{what}: {report:?}");
            assert_eq!(history(&harness).await.missing_since, None, "{what}");
            assert_eq!(count(&alarms, "number_gone"), 0, "{what}");
            harness.stack.faults.clear();
            numbers_task(&harness).await;
            assert!(history(&harness).await.missing_since.is_some(), "{what}: and then it is told");
        }
    }
}

#[tokio::test]
async fn one_orgs_account_in_trouble_stops_no_other() {
    let harness = refunded().await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    harness.top_up(OTHER_ORG, "pi_other", 5_000).await;
    assert_eq!(harness.buy_for(OTHER_ORG, &us("inbound"), None).await.0, 201);
    harness.pass(10).await;
    for org in [ORG, OTHER_ORG] {
        // The account's name will do as the mark of a purchase that there is not.
        let mark = format!("voxanne/{}/{org}", environment(&harness));
        let accounts = harness.stack.twilio.accounts();
        let account = accounts.into_iter().find(|(_, friendly_name, _)| *friendly_name == mark).unwrap().0;
        let number = if org == ORG { "+14155550198" } else { LATE };
        harness.stack.twilio.add_owned(&account, number, &mark);
    }
    // One of the two, whichever comes first.
    harness.fault(("twilio", "find_number"), Mode::Error, 1);
    let report = numbers_task(&harness).await;
    assert_eq!(kinds(&report.left), ["orphan_number", "subaccount"], "{report:?}");
}

/// A clinic with a number, where a number costs so much a month.
async fn renting(pence: u32) -> (Harness, String) {
    let setting = ("NUMBER_RENTAL_PENCE".to_owned(), pence.to_string());
    let harness = Harness::empty(vec![setting]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 1_000 + pence).await;
    let number = harness.has_number("inbound").await;
    (harness, number)
}

/// Lets time pass until the calendar says so.
async fn until(harness: &Harness, at: &str) {
    harness.run_until(at.parse::<Timestamp>().unwrap()).await;
}

async fn rentals(harness: &Harness, org: OrgId) -> Vec<(String, Amount)> {
    let entries = harness.entries_of(org).await.into_iter();
    let rentals = entries.filter(|entry| entry.entry_key.as_str().starts_with("rental#"));
    let month = |key: &str| key.rsplit('#').next().unwrap().to_owned();
    rentals.map(|entry| (month(entry.entry_key.as_str()), entry.amount)).collect()
}

fn months(pence: u32, of: &[&str]) -> Vec<(String, Amount)> {
    of.iter().map(|month| ((*month).to_owned(), Amount::from_pence(pence))).collect()
}

#[tokio::test]
async fn each_month_after_the_first_is_charged_once() {
    let (harness, number) = renting(150).await;
    assert_eq!(numbers_task(&harness).await.left.len(), 0);
    assert!(rentals(&harness, ORG).await.is_empty(), "the first month is in the price");
    until(&harness, "2026-01-01T00:00:00Z").await;
    for _ in 0..3 {
        assert_eq!(numbers_task(&harness).await.left.len(), 0);
        assert_eq!(rentals(&harness, ORG).await, months(150, &["2026-01"]));
        harness.pass(DAY).await;
    }
    assert_eq!(harness.money().await, (0, 0));
    harness.top_up(ORG, "pi_second", 500).await;
    until(&harness, "2026-02-10T00:00:00Z").await;
    let runs = futures::future::join_all((0..4).map(|_| numbers_task(&harness))).await;
    assert!(runs.iter().all(|report| report.left.is_empty()), "{runs:?}");
    assert_eq!(rentals(&harness, ORG).await, months(150, &["2026-01", "2026-02"]), "also by four at once");
    assert_eq!(harness.money().await, (350, 0));
    harness.give_up(&number).await;
    until(&harness, "2026-03-10T00:00:00Z").await;
    numbers_task(&harness).await;
    assert_eq!(harness.money().await, (350, 0), "nothing for a number that was given up");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_month_that_cannot_be_paid_stays_due_and_makes_no_debt() {
    let (harness, _) = renting(150).await;
    let (alarms, _guard) = alarms();
    until(&harness, "2026-01-05T00:00:00Z").await;
    numbers_task(&harness).await;
    for (at, unpaid) in [("2026-02-05T00:00:00Z", 1), ("2026-03-05T00:00:00Z", 2)] {
        until(&harness, at).await;
        let report = numbers_task(&harness).await;
        assert_eq!((kinds(&report.left), report.left.len()), (vec!["rental"], unpaid), "{report:?}");
        assert_eq!(harness.money().await, (0, 0));
    }
    assert_eq!(count(&alarms, "rental_unpaid"), 3, "{:?}", alarms.raised());
    harness.top_up(ORG, "pi_second", 299).await;
    let report = numbers_task(&harness).await;
    assert_eq!((kinds(&report.repaired), report.left.len()), (vec!["rental"], 1), "the older first");
    harness.top_up(ORG, "pi_third", 1).await;
    let report = numbers_task(&harness).await;
    assert_eq!((report.repaired.len(), report.left.len()), (1, 0), "{report:?}");
    assert_eq!(rentals(&harness, ORG).await, months(150, &["2026-01", "2026-02", "2026-03"]));
    assert_eq!(harness.money().await, (0, 0));
    assert_eq!(numbers_task(&harness).await.repaired.len(), 0);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn without_a_rental_nothing_is_booked_and_its_coming_asks_for_no_past_month() {
    let harness = rich().await;
    harness.has_number("inbound").await;
    until(&harness, "2026-04-05T00:00:00Z").await;
    numbers_task(&harness).await;
    assert!(rentals(&harness, ORG).await.is_empty());
    let (harness, _) = renting(150).await;
    // No run in all of three months: each run charges the month that it is in.
    until(&harness, "2026-04-05T00:00:00Z").await;
    numbers_task(&harness).await;
    assert_eq!(rentals(&harness, ORG).await, months(150, &["2026-04"]));
}

#[tokio::test]
async fn a_number_that_is_missing_costs_nothing_until_it_is_back() {
    let (harness, number) = renting(150).await;
    let imported = harness.stack.vapi.numbers().remove(0);
    harness.stack.vapi.remove_number(&number);
    assert_eq!(kinds(&numbers_task(&harness).await.left), ["number_gone"]);
    until(&harness, "2026-01-05T00:00:00Z").await;
    numbers_task(&harness).await;
    assert!(rentals(&harness, ORG).await.is_empty());
    harness.stack.vapi.add_number(imported["id"].as_str().unwrap(), &number, None);
    // One run sees that it is back, and the next charges.
    for _ in 0..2 {
        assert_eq!(numbers_task(&harness).await.left.len(), 0);
    }
    assert_eq!(rentals(&harness, ORG).await, months(150, &["2026-01"]));
}
