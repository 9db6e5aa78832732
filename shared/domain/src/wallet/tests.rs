use super::*;
use proptest::prelude::*;

fn wallet(available: i64) -> Wallet {
    let empty = Wallet::empty(OrgId::new(uuid::Uuid::nil()));
    Wallet { available: Balance::from_pence(available), ..empty }
}

fn terms(agent_limit_secs: u32, outage_credit: u32) -> Terms {
    let outage_credit = Amount::from_pence(outage_credit);
    Terms { tariff: Tariff::at(Timestamp::UNIX_EPOCH), agent_limit_secs, outage_credit }
}

#[test]
fn the_first_grant_is_five_minutes_or_what_is_left_down_to_one() {
    for (available, granted) in [(2_500, Some(280)), (280, Some(280)), (100, Some(100)), (56, Some(56))] {
        let grant = wallet(available).first_grant(&terms(600, 500)).ok();
        assert_eq!(grant.map(|grant| grant.amount), granted.map(Amount::from_pence), "{available}p");
    }
    for available in [55, 0, -1] {
        assert!(matches!(
            wallet(available).first_grant(&terms(600, 500)),
            Err(Refusal::InsufficientFunds { .. })
        ));
    }
}

#[test]
fn the_provider_limit_is_the_agents_cut_to_the_money_and_the_credit() {
    let limit = |available, agent, credit| {
        wallet(available).first_grant(&terms(agent, credit)).unwrap().provider_limit_secs
    };
    assert_eq!(limit(2_500, 600, 500), 598);
    assert_eq!(limit(280, 3_600, 0), 298, "without credit the limit is the money");
    assert_eq!(limit(280, 3_600, 500), 833, "780p pay 835 s");
    assert_eq!(limit(1_000_000, 90_000, 500), 43_198, "Vapi's own limit");
}

#[test]
fn a_frozen_wallet_neither_starts_nor_extends() {
    let frozen = Wallet { frozen: Some("books".into()), ..wallet(2_500) };
    assert_eq!(frozen.first_grant(&terms(600, 500)), Err(Refusal::Frozen));
    let hold = Hold {
        amount: Amount::from_pence(280),
        tariff: Tariff::at(Timestamp::UNIX_EPOCH).version,
        step: 0,
        granted_until: None,
        provider_limit_secs: 3_598,
    };
    assert_eq!(frozen.extension(&hold), Extension { amount: Amount::ZERO, full: false });
}

#[test]
fn an_asset_is_bought_with_money_that_is_there_and_not_from_a_frozen_wallet() {
    let price = Amount::from_pence(1_000);
    assert_eq!(wallet(1_000).can_spend(price), Ok(()));
    let short = wallet(999).can_spend(price);
    assert_eq!(short, Err(Refusal::InsufficientFunds { available: Balance::from_pence(999), needed: price }));
    let frozen = Wallet { frozen: Some("books".into()), ..wallet(1_000) };
    assert_eq!(frozen.can_spend(price), Err(Refusal::Frozen));
}

fn posting(call: &CallId, pence: u32) -> Posting {
    let tariff = Tariff::at(Timestamp::UNIX_EPOCH).version;
    let reason = crate::ledger::Reason::Call { call_id: call.clone(), tariff };
    let amount = Amount::from_pence(pence);
    Posting { reason, amount, description: "a call".into(), at: Timestamp::UNIX_EPOCH }
}

proptest! {
    // Whatever is granted, extended and charged: holds sum to what is held, and only the charge moves the
    // balance.
    #[test]
    fn only_a_charge_moves_the_balance_and_the_holds_sum_to_what_is_held(
        available in 56_i64..20_000, extension in 0_u32..2_000, cost in 0_u32..30_000) {
        let call = CallId::parse("call-1").unwrap();
        let before = wallet(available);
        let grant = before.first_grant(&terms(600, 500)).unwrap();
        let granted = before.granted(&call, &grant);
        prop_assert_eq!(granted.balance(), before.balance());
        let hold = &granted.holds[&call];
        let extended = Hold { amount: hold.amount.plus(Amount::from_pence(extension)), step: 1, ..hold.clone() };
        let extended = granted.extended(&call, &extended);
        prop_assert_eq!(extended.balance(), before.balance());
        let sum = extended.holds.values().fold(Amount::ZERO, |sum, hold| sum.plus(hold.amount));
        prop_assert_eq!(sum, extended.held);
        for wallet in [&before, &granted, &extended] {
            let Booking { entry, wallet: settled } = wallet.settled(&call, &posting(&call, cost));
            prop_assert_eq!(settled.balance(), wallet.balance().minus(Amount::from_pence(cost)));
            prop_assert_eq!((entry.balance_before, entry.balance_after), (wallet.balance(), settled.balance()));
            prop_assert_eq!((settled.held, settled.holds.len(), settled.ledger), (Amount::ZERO, 0, entry.head()));
        }
    }

    // The limit never reaches past the money that `basis` guarantees and the credit.
    #[test]
    fn a_grant_rests_on_its_basis_alone(available in 56_i64..20_000, agent in 60_u32..50_000, credit in 0_u32..2_000) {
        let terms = terms(agent, credit);
        for grant in [wallet(available).first_grant(&terms), wallet(available).cautious_grant(&terms)] {
            let grant = grant.unwrap();
            let backed = grant.basis.plus(terms.outage_credit);
            prop_assert!(terms.tariff.charge(grant.provider_limit_secs) <= backed);
            prop_assert!(grant.amount <= grant.basis && grant.basis.pence() <= available);
        }
    }

    #[test]
    fn extensions_stop_at_the_limit_and_at_the_money(available in -500_i64..5_000, held in 56_u32..4_000, limit in 58_u32..5_000) {
        let hold = Hold {
            amount: Amount::from_pence(held),
            tariff: Tariff::at(Timestamp::UNIX_EPOCH).version,
            step: 0,
            granted_until: None,
            provider_limit_secs: limit,
        };
        let extension = wallet(available).extension(&hold);
        prop_assert!(extension.amount.pence() <= available.max(0));
        prop_assert!(hold.amount.plus(extension.amount) <= hold.most().max(hold.amount));
    }
}
