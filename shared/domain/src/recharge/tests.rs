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
const PM_1: Option<Card<'_>> = Some(Card { id: "pm_1", fingerprint: Some("number-1") });

fn wallet(available: i64, amount: u32, threshold: u32, limit: Option<u32>) -> Wallet {
    let org_id = OrgId::new(uuid::Uuid::nil());
    let settings = Settings {
        enabled: true,
        amount: Amount::from_pence(amount),
        threshold: Amount::from_pence(threshold),
        monthly_limit: limit.map(Amount::from_pence),
        max_charge: None,
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
        card_fingerprint: None,
        frozen: None,
        call_limit: None,
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
        (0, 1_000, 4_000, charge(4_000)),
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
    let declined = Wallet { auto_recharge: declined(&low, "card_declined"), ..low.clone() };
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
fn what_does_not_fit_whole_is_charged_as_the_largest_multiple_that_fits() {
    // A debt that three thousand pence would end.
    let debt = wallet(-2_500, 1_000, 500, None);
    let charged_of = |limit: Option<u32>, most: Option<u32>| {
        let mut wallet = debt.clone();
        let settings = wallet.auto_recharge.settings.as_mut().unwrap();
        settings.monthly_limit = limit.map(Amount::from_pence);
        settings.max_charge = most.map(Amount::from_pence);
        match wallet.recharge(NOW) {
            Decision::Charge(amount) => amount.pence(),
            Decision::Skip(Skip::MonthlyLimit) => 0,
            other @ (Decision::NotNeeded | Decision::Skip(_)) => panic!("{other:?}"),
        }
    };
    for (limit, most, wanted) in [
        (None, None, 3_000),
        (Some(2_999), None, 2_000),
        (Some(3_000), None, 3_000),
        (Some(999), None, 0),
        (None, Some(1_999), 1_000),
        (Some(2_000), Some(1_000), 1_000),
    ] {
        assert_eq!(charged_of(limit, most), wanted, "{limit:?}, {most:?}");
    }
}

#[test]
fn an_org_that_sets_no_limits_has_ten_amounts_a_month_and_four_a_charge() {
    let deep = wallet(-50_000, 1_000, 500, None);
    assert_eq!(deep.recharge(NOW), Decision::Charge(Amount::from_pence(4_000)));
    assert_eq!(deep.card_credit(NOW), Amount::from_pence(10_000));
    let mut charged = deep.clone();
    charged.auto_recharge.month = Some(Month { name: month_of(NOW), charged: Amount::from_pence(8_000) });
    assert_eq!(charged.recharge(NOW), Decision::Charge(Amount::from_pence(2_000)));
    charged.auto_recharge.month = Some(Month { name: month_of(NOW), charged: Amount::from_pence(10_000) });
    assert_eq!(charged.recharge(NOW), Decision::Skip(Skip::MonthlyLimit));
    assert_eq!(charged.card_credit(NOW), Amount::ZERO);
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
    let good = wallet(0, 1_000, 500, Some(2_500));
    assert_eq!(
        good.card_credit(NOW),
        Amount::from_pence(2_000),
        "500p are no whole amount, and never charged"
    );
    let open = Wallet { auto_recharge: good.auto_recharge.opened(episode(1_000)), ..good.clone() };
    assert_eq!(open.card_credit(NOW), Amount::from_pence(1_000));
    // What stops a charge stops the credit: one rule.
    let with = |auto_recharge: AutoRecharge| Wallet { auto_recharge, ..good.clone() };
    let stopped = [
        with(declined(&good, "card_declined")),
        with(good.asked_back(Some("pm_1"), NOW)),
        with(good.heard_of_disputes(PM_1, &[news("dp_1", DisputeStage::Open)], NOW)),
        with(good.heard_of_disputes(PM_1, &[news("dp_1", DisputeStage::Won)], NOW)),
        with(good.warned_of("issfr_1", PM_1, NOW)),
        Wallet { payment_method: None, ..good.clone() },
        Wallet { stripe_customer: None, ..good.clone() },
        Wallet { frozen: Some("books".into()), ..good.clone() },
    ];
    for wallet in stopped {
        assert_eq!(wallet.card_credit(NOW), Amount::ZERO, "{wallet:?}");
        assert!(matches!(wallet.recharge(NOW), Decision::Skip(_)), "{wallet:?}");
    }
}

fn declined(wallet: &Wallet, code: &str) -> AutoRecharge {
    let opened = wallet.auto_recharge.opened(episode(1_000));
    opened.refused(SuspensionReason::Declined(code.into()), NOW, None)
}

fn news(id: &str, stage: DisputeStage) -> DisputeNews {
    DisputeNews { id: DisputeId::parse(id).unwrap(), stage }
}

/// What keeps a card that is `present` from being charged, after bad news of the card `pm_1`; then, once the org
/// has asked for a charge anew; then, after the same news again.
fn stops(present: &str, tell: impl Fn(&Wallet) -> AutoRecharge) -> [Option<Skip>; 3] {
    let mut wallet = Wallet { payment_method: Some(present.into()), ..wallet(0, 1_000, 500, None) };
    let settings = wallet.auto_recharge.settings.clone().unwrap();
    wallet.auto_recharge = tell(&wallet);
    let at_first = wallet.charging_stop();
    wallet.auto_recharge = wallet.auto_recharge.set(settings);
    let asked_anew = wallet.charging_stop();
    wallet.auto_recharge = tell(&wallet);
    [at_first, asked_anew, wallet.charging_stop()]
}

#[test]
fn what_is_asked_back_stops_charging_until_the_org_asks_anew_and_a_disputed_card_for_ever() {
    // G6: the card of the payment, and a newer one.
    let barred = Some(Skip::CardBarred);
    let dispute = |stage| move |wallet: &Wallet| wallet.heard_of_disputes(PM_1, &[news("dp_1", stage)], NOW);
    for stage in [DisputeStage::Won, DisputeStage::Lost] {
        assert_eq!(stops("pm_1", dispute(stage)), [barred; 3], "{stage:?}");
        assert_eq!(stops("pm_2", dispute(stage)), [None; 3], "{stage:?}: a newer card is left alone");
    }
    assert_eq!(stops("pm_1", dispute(DisputeStage::Open)), [Some(Skip::Disputed); 3]);
    assert_eq!(stops("pm_2", dispute(DisputeStage::Open)), [Some(Skip::Disputed); 3], "whichever card it is");
    assert_eq!(stops("pm_1", dispute(DisputeStage::Inquiry)), [Some(Skip::Disputed); 3]);
    assert_eq!(stops("pm_1", dispute(DisputeStage::InquiryClosed)), [None; 3], "nothing came of it");
    let warned = |wallet: &Wallet| wallet.warned_of("issfr_1", PM_1, NOW);
    assert_eq!(stops("pm_1", warned), [barred; 3]);
    assert_eq!(stops("pm_2", warned), [None; 3]);
    // A refund is told of once, by its entry.
    let refunded = |wallet: &Wallet| wallet.asked_back(Some("pm_1"), NOW);
    assert_eq!(stops("pm_1", refunded)[..2], [Some(Skip::AskedBack), None]);
    assert_eq!(stops("pm_2", refunded), [None; 3], "the refund is of an old card's payment");
    assert_eq!(stops("pm_2", |wallet: &Wallet| wallet.asked_back(None, NOW))[0], Some(Skip::AskedBack));
}

#[test]
fn a_lost_dispute_stops_the_next_card_too_until_the_org_asks_anew() {
    let mut wallet = wallet(0, 1_000, 500, None);
    wallet.auto_recharge = wallet.heard_of_disputes(PM_1, &[news("dp_1", DisputeStage::Lost)], NOW);
    wallet.payment_method = Some("pm_2".into());
    assert_eq!(wallet.charging_stop(), Some(Skip::AskedBack));
    wallet.auto_recharge = wallet.auto_recharge.set(wallet.auto_recharge.settings.clone().unwrap());
    assert_eq!(wallet.recharge(NOW), Decision::Charge(Amount::from_pence(1_000)));
    wallet.payment_method = Some("pm_1".into());
    assert_eq!(wallet.charging_stop(), Some(Skip::CardBarred), "the disputed card stays barred");
    wallet.payment_method = Some("pm_3".into());
    assert_eq!(wallet.charging_stop(), None);
    wallet.card_fingerprint = Some("number-1".into());
    assert_eq!(wallet.charging_stop(), Some(Skip::CardBarred), "the same card, saved anew");
}

#[test]
fn asking_anew_ends_what_stripe_refused_and_not_what_the_bank_did() {
    let low = wallet(0, 1_000, 500, None);
    let settings = low.auto_recharge.settings.clone().unwrap();
    let unusable = low.auto_recharge.opened(episode(1_000)).refused(SuspensionReason::Unusable, NOW, None);
    assert!(unusable.suspended.is_some() && unusable.set(settings.clone()).suspended.is_none());
    let off = Settings { enabled: false, ..settings.clone() };
    assert!(unusable.set(off).suspended.is_some(), "switching it off asks for nothing");
    assert!(declined(&low, "expired_card").set(settings).suspended.is_some());
    let written = serde_json::to_value(SuspensionReason::Unusable).unwrap();
    assert_eq!(written, "card_unusable");
    for reason in [SuspensionReason::Unusable, SuspensionReason::Declined("expired_card".into())] {
        let word = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<SuspensionReason>(&word).unwrap(), reason);
    }
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
