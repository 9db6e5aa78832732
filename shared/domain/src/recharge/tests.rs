use std::collections::BTreeMap;

use super::*;
use crate::{
    amount::Balance,
    hold::Hold,
    ids::{CallId, OrgId},
    ledger::Head,
    tariff::Tariff,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn wallet(available: i64, amount: u32, threshold: u32, limit: Option<u32>) -> Wallet {
    let org_id = OrgId::new(uuid::Uuid::nil());
    let settings = Settings {
        enabled: true,
        amount: Amount::from_pence(amount),
        threshold: Amount::from_pence(threshold),
        monthly_limit: limit.map(Amount::from_pence),
    };
    Wallet {
        org_id,
        available: Balance::from_pence(available),
        held: Amount::ZERO,
        holds: BTreeMap::new(),
        ledger: Head::genesis(org_id),
        low_balance: Amount::from_pence(500),
        stripe_customer: Some(CustomerId::parse("cus_1").unwrap()),
        payment_method: Some("pm_1".into()),
        frozen: None,
        auto_recharge: AutoRecharge { settings: Some(settings), ..AutoRecharge::default() },
    }
}

fn episode(amount: u32) -> Episode {
    Episode {
        id: EpisodeId::parse("ep_1").unwrap(),
        amount: Amount::from_pence(amount),
        customer: CustomerId::parse("cus_1").unwrap(),
        payment_method: "pm_1".into(),
        opened_at: NOW,
        attempt: 0,
        sent_at: None,
        attempt_at: None,
        payment_intent: None,
        action_url: None,
    }
}

#[test]
fn the_smallest_multiple_that_brings_available_to_the_threshold_is_charged() {
    let charge = |pence| Decision::Charge(Amount::from_pence(pence));
    for (available, amount, threshold, wanted) in [
        (499, 1_000, 500, charge(1_000)),
        (500, 1_000, 500, Decision::NotNeeded),
        (-700, 1_000, 500, charge(2_000)),
        (-500, 1_000, 500, charge(1_000)),
        (-501, 1_000, 500, charge(2_000)),
        (0, 1_000, 5_000, charge(5_000)),
    ] {
        assert_eq!(wallet(available, amount, threshold, None).recharge(NOW), wanted, "{available}p");
    }
}

#[test]
fn what_stands_in_the_way_is_named() {
    let skip = Decision::Skip;
    let low = wallet(0, 1_000, 500, None);
    let mut off = low.clone();
    off.auto_recharge.settings.as_mut().unwrap().enabled = false;
    assert_eq!(off.recharge(NOW), skip(Skip::Off));
    assert_eq!(Wallet { payment_method: None, ..low.clone() }.recharge(NOW), skip(Skip::NoCard));
    assert_eq!(Wallet { frozen: Some("books".into()), ..low.clone() }.recharge(NOW), skip(Skip::Frozen));
    let mut declined = low.clone();
    declined.auto_recharge.suspended = Some(Suspension {
        reason: "card_declined".into(),
        payment_method: "pm_1".into(),
        at: NOW,
        action_url: None,
    });
    assert_eq!(declined.recharge(NOW), skip(Skip::Suspended));
    let other_card = Wallet { payment_method: Some("pm_2".into()), ..declined };
    assert_eq!(other_card.recharge(NOW), Decision::Charge(Amount::from_pence(1_000)), "a new card ends it");
    let mut disputed = low.clone();
    disputed.auto_recharge.disputes.insert(DisputeId::parse("dp_1").unwrap());
    assert_eq!(disputed.recharge(NOW), skip(Skip::Disputed));
    let mut never_asked = low;
    never_asked.auto_recharge.settings = None;
    assert_eq!(never_asked.recharge(NOW), Decision::NotNeeded);
}

#[test]
fn the_months_limit_counts_what_is_underway_and_what_succeeded_and_nothing_else() {
    let low = wallet(0, 1_000, 500, Some(1_500));
    assert_eq!(low.recharge(NOW), Decision::Charge(Amount::from_pence(1_000)));
    let open = low.auto_recharge.opened(episode(1_000));
    let underway = Wallet { auto_recharge: open.clone(), ..low.clone() };
    assert_eq!(underway.auto_recharge.charged_in_month(NOW), Amount::from_pence(1_000));
    assert_eq!(underway.recharge(NOW), low.recharge(NOW), "what is underway is this very charge");
    let id = episode(0).id;
    let credited = open.credited(Some(&id), Amount::from_pence(1_000), NOW).unwrap();
    assert_eq!(credited.charged_in_month(NOW), Amount::from_pence(1_000));
    let spent = Wallet { auto_recharge: credited.clone(), ..low.clone() };
    assert_eq!(spent.recharge(NOW), Decision::Skip(Skip::MonthlyLimit));
    assert_eq!(open.given_up().charged_in_month(NOW), Amount::ZERO);
    let next_month: Timestamp = "1970-02-01T00:00:00Z".parse().unwrap();
    let succeeded = Wallet { auto_recharge: credited, ..low };
    assert_eq!(succeeded.recharge(next_month), Decision::Charge(Amount::from_pence(1_000)));
}

#[test]
fn money_from_elsewhere_ends_only_an_episode_that_has_sent_nothing() {
    let amount = Amount::from_pence(1_000);
    let open = wallet(0, 1_000, 500, None).auto_recharge.opened(episode(1_000));
    assert_eq!(open.credited(None, amount, NOW).unwrap().episode, None);
    let mut sent = open;
    sent.episode.as_mut().unwrap().attempt = 1;
    assert_eq!(sent.credited(None, amount, NOW), None);
}

#[test]
fn a_call_counts_on_what_the_card_may_still_be_charged() {
    let good = wallet(0, 1_000, 500, Some(1_500));
    assert_eq!(good.card_credit(NOW), Amount::from_pence(1_500));
    let open = Wallet { auto_recharge: good.auto_recharge.opened(episode(1_000)), ..good.clone() };
    assert_eq!(open.card_credit(NOW), Amount::from_pence(500));
    let declined = good.auto_recharge.left_alone("card_declined", "pm_1", NOW);
    assert_eq!(Wallet { auto_recharge: declined, ..good.clone() }.card_credit(NOW), Amount::ZERO);
    assert_eq!(Wallet { payment_method: None, ..good }.card_credit(NOW), Amount::ZERO);
}

#[test]
fn a_live_call_that_cannot_have_its_next_full_unit_is_a_shortage() {
    let mut wallet = wallet(200, 1_000, 100, None);
    assert_eq!(wallet.recharge(NOW), Decision::NotNeeded);
    let tariff = Tariff::at(NOW).version;
    let amount = Amount::from_pence(280);
    let hold = Hold { amount, tariff, step: 0, granted_until: None, provider_limit_secs: 3_598 };
    wallet.holds.insert(CallId::parse("c").unwrap(), hold);
    assert_eq!(wallet.recharge(NOW), Decision::Charge(Amount::from_pence(1_000)));
}
