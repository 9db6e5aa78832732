use proptest::prelude::*;

use rust_decimal::{Decimal, dec};

use super::*;
use crate::time::plus_secs;

fn at(secs: i64) -> Timestamp {
    plus_secs(Timestamp::UNIX_EPOCH, secs)
}

fn ringing() -> Call {
    let vapi_call_id = VapiCallId::parse("call-1").unwrap();
    let parties = Parties {
        direction: Direction::Inbound,
        vapi_call_id: Some(vapi_call_id.clone()),
        vapi_phone_id: None,
        vapi_assistant_id: None,
        customer_number: None,
        carrier_sid: None,
    };
    Call::first_heard(OrgId::new(uuid::Uuid::nil()), vapi_call_id.into(), parties, 600, at(0))
}

fn grant() -> Grant {
    let amount = Amount::from_pence(280);
    Grant {
        amount,
        tariff: Tariff::at(at(0)).version,
        provider_limit_secs: 598,
        basis: amount,
        most_calls: 5,
    }
}

fn bill() -> Bill {
    let tariff = Tariff::at(at(0));
    Bill {
        duration_secs: 26,
        charged: tariff.charge(26),
        tariff: tariff.version,
        started_at: Some(at(1)),
        ended_at: Some(at(27)),
        estimated: false,
        doubted_secs: None,
        corrections: 0,
        set_aside: None,
    }
}

fn started() -> Event {
    Event::Started { at: at(1), control_url: None }
}

fn ended() -> Event {
    Event::Ended { reason: Some("customer-ended-call".into()) }
}

fn after(events: impl IntoIterator<Item = Event>) -> Result<Call, IllegalTransition> {
    events.into_iter().try_fold(ringing(), |call, event| call.after(event))
}

#[test]
fn the_usual_life_of_a_call() {
    let call = after([Event::Authorized(grant()), started(), ended(), Event::Settled(bill())]).unwrap();
    assert_eq!(call.state, State::Settled(bill()));
    assert_eq!(call.provider_limit_secs, Some(598));
}

#[test]
fn an_end_before_its_start_still_knows_that_they_talked() {
    let call = after([Event::Authorized(grant()), ended(), started()]).unwrap();
    assert_eq!(call.state, State::Ended { started_at: Some(at(1)) });
    assert!(call.after(Event::Released).is_err(), "a call that talked is not released");
}

#[test]
fn a_start_after_the_bill_changes_nothing() {
    let settled = after([Event::Authorized(grant()), Event::Settled(bill())]).unwrap();
    assert_eq!(settled.after(started()).unwrap(), settled);
}

#[test]
fn a_released_call_is_billed_when_a_duration_turns_up() {
    let released = after([Event::Authorized(grant()), ended(), Event::Released]).unwrap();
    assert_eq!(released.after(Event::Settled(bill())).unwrap().state, State::Settled(bill()));
}

#[test]
fn what_contradicts_is_an_error() {
    let talking = after([Event::Authorized(grant()), started()]).unwrap();
    let over = after([Event::Authorized(grant()), ended()]).unwrap();
    let refused = after([Event::Refused { reason: RefusalReason::InsufficientFunds }]).unwrap();
    let cases = [
        (talking.clone(), Event::Released),
        (talking, Event::Refused { reason: RefusalReason::InsufficientFunds }),
        (over.clone(), Event::Authorized(grant())),
        (over, Event::Refused { reason: RefusalReason::InsufficientFunds }),
        (refused, Event::Authorized(grant())),
        (
            after([Event::Authorized(grant())]).unwrap(),
            Event::Refused { reason: RefusalReason::InsufficientFunds },
        ),
        (after([Event::Settled(bill())]).unwrap(), Event::Authorized(grant())),
        (after([Event::Released]).unwrap(), Event::Authorized(grant())),
    ];
    for (call, event) in cases {
        let name = event.name();
        assert_eq!(call.after(event), Err(IllegalTransition { from: call.state.name(), event: name }));
    }
}

#[test]
fn a_refused_call_that_talks_all_the_same_is_in_progress() {
    let refused = after([Event::Refused { reason: RefusalReason::InsufficientFunds }]).unwrap();
    assert_eq!(refused.after(started()).unwrap().state, State::InProgress { started_at: at(1) });
    let over = refused.after(ended()).unwrap();
    assert_eq!(over.after(started()).unwrap(), over, "its late start changes nothing");
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Authorized(grant())),
        Just(Event::Refused { reason: RefusalReason::InsufficientFunds }),
        Just(started()),
        Just(ended()),
        Just(Event::Settled(bill())),
        Just(Event::Released),
    ]
}

proptest! {
    #[test]
    fn in_any_order_a_bill_is_final_and_a_call_that_talked_is_billed(events in prop::collection::vec(any_event(), 0..12)) {
        let mut call = ringing();
        let mut was_settled = false;
        let mut talked = false;
        for event in events {
            let name = event.name();
            let repeated = event.clone();
            let Ok(next) = call.after(event) else { continue };
            prop_assert_eq!(next.after(repeated), Ok(next.clone()), "{} twice", name);
            was_settled |= name == "settled";
            talked |= matches!(next.state, State::InProgress { .. });
            prop_assert_eq!(matches!(next.state, State::Settled(_)), was_settled);
            if talked {
                let forgotten = matches!(next.state, State::Released | State::Refused { .. });
                prop_assert!(!forgotten, "a call that talked is {}", next.state.name());
            }
            call = next;
        }
    }
}

fn said(started: Option<i64>, ended: Option<i64>, duration: Option<Decimal>) -> Testimony {
    Testimony {
        started_at: started.map(|millis| Timestamp::from_millisecond(millis).unwrap()),
        ended_at: ended.map(|millis| Timestamp::from_millisecond(millis).unwrap()),
        duration_secs: duration,
        ..Testimony::default()
    }
}

fn talked(testimony: &Testimony) -> Option<u32> {
    match testimony.verdict(true) {
        Verdict::Talked(talk) => Some(talk.duration_secs),
        Verdict::NeverTalked | Verdict::Free | Verdict::Unstated => None,
    }
}

#[test]
fn a_duration_comes_from_the_first_source_that_states_it_whole() {
    assert_eq!(talked(&said(Some(0), Some(25_276), None)), Some(26), "rounded up");
    assert_eq!(talked(&said(Some(0), Some(26_000), Some(dec!(99)))), Some(26), "times come first");
    assert_eq!(talked(&said(None, Some(26_000), Some(dec!(25.276)))), Some(26));
    assert_eq!(
        talked(&said(Some(5_000), Some(1_000), Some(dec!(7)))),
        Some(7),
        "an end before the start is no source"
    );
    assert_eq!(talked(&said(Some(0), Some(90_000_000), None)), None, "nobody talks for 25 hours");
    assert_eq!(talked(&said(Some(0), None, None)), None);
    assert_eq!(
        talked(&said(None, None, Some(dec!(0)))),
        None,
        "a call seen to start lasted longer than nothing"
    );
}

#[test]
fn nothing_is_charged_only_when_it_is_said_and_we_saw_no_start() {
    let whole = Testimony { is_record: true, ..said(None, Some(5_000), None) };
    assert_eq!(whole.verdict(false), Verdict::NeverTalked);
    assert_eq!(whole.verdict(true), Verdict::Unstated);
    assert_eq!(said(None, None, None).verdict(false), Verdict::Unstated, "a report may leave the times out");
    assert_eq!(said(None, None, Some(dec!(0))).verdict(false), Verdict::NeverTalked);
}

#[test]
fn what_was_not_answered_is_charged_only_when_it_was_seen_and_what_the_vendor_broke_never() {
    let ended = |price| Testimony {
        ending: Some(Ending { price, ..Ending::ordinary() }),
        ..said(Some(0), Some(31_000), None)
    };
    let (unanswered, broken) = (ended(Price::IfSeenTalking), ended(Price::Waived));
    assert_eq!(unanswered.verdict(false), Verdict::NeverTalked, "the times are those of the ringing");
    assert_eq!(talked(&unanswered), Some(31), "we saw the parties talk");
    assert_eq!(broken.verdict(false), Verdict::NeverTalked);
    assert_eq!(broken.verdict(true), Verdict::Free);
    assert_eq!(said(Some(0), Some(0), None).verdict(true), Verdict::Free, "no second, no entry");
    assert_eq!(said(Some(0), Some(0), None).verdict(false), Verdict::NeverTalked);
}

/// A call that we were asked about at 0 s, with a limit of 600 s, as the given change makes it.
fn weighed(secs: u32, end_heard_at: i64, change: impl FnOnce(&mut Call)) -> u32 {
    let mut call = Call { asked_at: Some(at(0)), provider_limit_secs: Some(598), ..ringing() };
    change(&mut call);
    let talk = Talk { duration_secs: secs, started_at: None, ended_at: None };
    call.weighed(&talk, at(end_heard_at)).believed_secs
}

#[test]
fn a_duration_is_believed_as_far_as_our_own_records_can_confirm_it() {
    let asked = |_: &mut Call| {};
    assert_eq!(weighed(60, 70, asked), 60, "shorter than what we saw");
    assert_eq!(weighed(72_000, 1, asked), 6, "a second ago, and five for the clocks");
    assert_eq!(weighed(72_000, 7_200, asked), 618, "the limit that Vapi was told, and its grace");
    let dialled = |call: &mut Call| (call.dialled_at, call.asked_at) = (Some(at(100)), None);
    assert_eq!(weighed(500, 130, dialled), 35);
    let unasked = |call: &mut Call| call.asked_at = None;
    assert_eq!(weighed(500, 130, unasked), 160, "since the first message, and 30 s for what came before");
    assert_eq!(weighed(72_000, 3_600, unasked), 3_630, "it was told no limit");
    let found = |call: &mut Call| (call.asked_at, call.vendor_created_at) = (None, Some(at(-500)));
    assert_eq!(weighed(600, 130, found), 600, "Vapi made it before we heard of it");
    assert_eq!(weighed(60, -100, asked), 5, "an end before the beginning: the clocks alone");
}

#[test]
fn a_stray_end_is_forgotten_once_the_record_shows_the_call_live() {
    let talking = ringing().after(Event::Authorized(grant())).unwrap().after(started()).unwrap();
    let ended = talking.after(Event::Ended { reason: Some("customer-ended-call".into()) }).unwrap();
    let ended = Call { end_heard_at: Some(at(10)), ..ended };
    let live = ended.found_live(at(2));
    assert_eq!(live.state, State::InProgress { started_at: at(1) });
    assert_eq!((live.end_heard_at, live.shown_until, live.ended_reason), (None, Some(at(10)), None));
}

#[cfg(feature = "price-change")]
#[test]
fn a_call_is_billed_by_the_prices_of_its_authorization_or_of_when_vapi_made_it() {
    use crate::tariff::price_change;

    price_change::set(Some(at(100)));
    let (first, second) = (Tariff::at(at(99)).version, Tariff::at(at(100)).version);
    assert_ne!(first, second);
    let asked = Call { asked_at: Some(at(99)), ..ringing() };
    assert_eq!(asked.tariff(Some(first)).version, first, "authorized before the change, settled after it");
    assert_eq!(asked.tariff(Some(second)).version, second, "its hold says by which prices it was authorized");
    let web = |made: i64| Call { vendor_created_at: Some(at(made)), created_at: at(150), ..ringing() };
    // It began without us, and was heard of and held for after the change.
    assert_eq!(web(99).tariff(Some(second)).version, first);
    assert_eq!(web(100).tariff(Some(second)).version, second);
    price_change::set(None);
}
