use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const LIMITS: Limits = Limits { slots: 10, for_inbound: 2, per_org: 6, per_caller: 3, per_number: 5 };
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn mark(name: &str) -> Mark {
    Mark::new(name.to_owned())
}

/// The call `nth`, of a caller, to a clinic's number, for ten minutes.
fn inbound(nth: u128, org: u128, caller: &str) -> Lease {
    Lease {
        org_id: OrgId::new(Uuid::from_u128(org)),
        call_id: CallId::parse(format!("call-{nth}")).unwrap(),
        direction: Direction::Inbound,
        caller: Some(mark(caller)),
        dialled: Some(mark(&format!("number of {org}"))),
        until: Lease::lapses_at(NOW, 600),
    }
}

fn outbound(nth: u128, org: u128, to: &str) -> Lease {
    Lease { direction: Direction::Outbound, caller: None, dialled: Some(mark(to)), ..inbound(nth, org, "") }
}

/// Those of `wanted` that get a slot, one after the other.
fn taken(wanted: &[Lease], now: Timestamp) -> (Slots, Vec<Option<Full>>) {
    let mut slots = Slots::default();
    let answers = wanted.iter().map(|lease| match slots.with(lease, &LIMITS, now) {
        Ok(after) => {
            slots = after.unwrap_or_else(|| slots.clone());
            None
        }
        Err(full) => Some(full),
    });
    let answers = answers.collect();
    (slots, answers)
}

fn refused_from(answers: &[Option<Full>]) -> Option<(usize, Full)> {
    answers.iter().enumerate().find_map(|(at, answer)| Some((at, (*answer)?)))
}

#[test]
fn each_limit_refuses_what_exceeds_it_and_nothing_before() {
    // By limit: what comes, how many of them are let in, and which limit refuses the next.
    let one_caller: Vec<_> = (0..4).map(|n| inbound(n, n, "one")).collect();
    let one_number: Vec<_> = (0..6).map(|n| inbound(n, 1, &format!("caller {n}"))).collect();
    let to_one_person: Vec<_> = (0..6).map(|n| outbound(n, n, "person")).collect();
    let mut one_org: Vec<_> = (0..5).map(|n| inbound(n, 1, &format!("caller {n}"))).collect();
    one_org.extend((5..7).map(|n| outbound(n, 1, &format!("person {n}"))));
    let all: Vec<_> = (0..11).map(|n| inbound(n, n, &format!("caller {n}"))).collect();
    let out: Vec<_> = (0..9).map(|n| outbound(n, n, &format!("person {n}"))).collect();
    for (wanted, expected) in [
        (one_caller, (3, Full::Caller)),
        (one_number, (5, Full::Number)),
        (to_one_person, (5, Full::Number)),
        (one_org, (6, Full::Org)),
        (all, (10, Full::Slots)),
        (out, (8, Full::KeptForInbound)),
    ] {
        assert_eq!(refused_from(&taken(&wanted, NOW).1), Some(expected));
    }
}

#[test]
fn what_is_kept_for_inbound_is_had_by_inbound_alone() {
    let eight: Vec<_> = (0..8).map(|n| outbound(n, n, &format!("person {n}"))).collect();
    let (slots, _) = taken(&eight, NOW);
    assert_eq!(slots.with(&outbound(8, 8, "other"), &LIMITS, NOW), Err(Full::KeptForInbound));
    let ninth = slots.with(&inbound(8, 8, "patient"), &LIMITS, NOW).unwrap().unwrap();
    let tenth = ninth.with(&inbound(9, 9, "other patient"), &LIMITS, NOW).unwrap().unwrap();
    assert_eq!(tenth.with(&inbound(10, 10, "third"), &LIMITS, NOW), Err(Full::Slots));
}

#[test]
fn a_call_without_caller_or_number_counts_for_its_org_and_the_slots_alone() {
    let web = |n| Lease { caller: None, dialled: None, ..inbound(n, 1, "") };
    let wanted: Vec<_> = (0..7).map(web).collect();
    assert_eq!(refused_from(&taken(&wanted, NOW).1), Some((6, Full::Org)));
}

#[test]
fn a_lease_that_has_lapsed_counts_no_more() {
    let wanted: Vec<_> = (0..3).map(|n| inbound(n, n, "one")).collect();
    let (slots, _) = taken(&wanted, NOW);
    let (last, over) = (plus_secs(NOW, 719), plus_secs(NOW, 720));
    let next = inbound(3, 3, "one");
    assert_eq!(slots.with(&next, &LIMITS, last), Err(Full::Caller));
    let after = slots.with(&next, &LIMITS, over).unwrap().unwrap();
    assert_eq!(after.leases, [next]);
    assert_eq!(slots.without(last, |_| false), None);
    assert_eq!(slots.without(over, |_| false).unwrap().leases, []);
}

#[test]
fn a_call_that_has_its_slot_keeps_it_and_takes_no_other() {
    let wanted: Vec<_> = (0..10).map(|n| inbound(n, n, &format!("caller {n}"))).collect();
    let (slots, _) = taken(&wanted, NOW);
    assert_eq!(slots.with(&wanted[4], &LIMITS, NOW), Ok(None));
    let given_back = slots.without_call(wanted[4].org_id, &wanted[4].call_id, NOW).unwrap();
    assert_eq!(given_back.leases.len(), 9);
    assert_eq!(given_back.without_call(wanted[4].org_id, &wanted[4].call_id, NOW), None);
    // The same id of another org's call is another call.
    assert_eq!(slots.without_call(wanted[5].org_id, &wanted[4].call_id, NOW), None);
}

#[derive(Clone, Debug)]
enum Step {
    Ask { nth: u128, org: u128, who: u8, is_outbound: bool },
    End { nth: u128, org: u128 },
    Wait { secs: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let ask = (0_u128..40, 0_u128..4, 0_u8..6, any::<bool>())
        .prop_map(|(nth, org, who, is_outbound)| Step::Ask { nth, org, who, is_outbound });
    let end = (0_u128..40, 0_u128..4).prop_map(|(nth, org)| Step::End { nth, org });
    prop_oneof![6 => ask, 2 => end, 1 => (0_u16..500).prop_map(|secs| Step::Wait { secs })]
}

proptest! {
    #[test]
    fn whatever_comes_and_goes_no_limit_is_exceeded(steps in proptest::collection::vec(step(), 1..120)) {
        let (mut slots, mut now) = (Slots::default(), NOW);
        for step in steps {
            match step {
                Step::Ask { nth, org, who, is_outbound } => {
                    let lease = if is_outbound {
                        outbound(nth, org, &format!("person {who}"))
                    } else {
                        inbound(nth, org, &format!("caller {who}"))
                    };
                    let lease = Lease { until: Lease::lapses_at(now, 600), ..lease };
                    let before = slots.live(now);
                    match slots.with(&lease, &LIMITS, now) {
                        Ok(Some(after)) => {
                            prop_assert_eq!(after.leases.len(), before.len().saturating_add(1));
                            prop_assert!(!is_outbound || after.leases.len() <= 8);
                            // What was decided holds for whoever asks again.
                            prop_assert_eq!(after.with(&lease, &LIMITS, now), Ok(None));
                            slots = after;
                        }
                        Ok(None) => prop_assert!(before.iter().any(|there| there.is_of(lease.org_id, &lease.call_id))),
                        Err(full) => {
                            let count = |counts: &dyn Fn(&Lease) -> bool| before.iter().filter(|there| counts(there)).count();
                            let is_reached = match full {
                                Full::Caller => !is_outbound && count(&|there| there.caller == lease.caller) >= 3,
                                Full::Number => count(&|there| there.dialled == lease.dialled) >= 5,
                                Full::Org => count(&|there| there.org_id == lease.org_id) >= 6,
                                Full::Slots => before.len() >= 10,
                                Full::KeptForInbound => is_outbound && before.len() >= 8,
                            };
                            prop_assert!(is_reached, "{:?} refuses {:?} beside {:?}", full, lease, before);
                        }
                    }
                }
                Step::End { nth, org } => {
                    let (org, call) = (OrgId::new(Uuid::from_u128(org)), CallId::parse(format!("call-{nth}")).unwrap());
                    if let Some(after) = slots.without_call(org, &call, now) {
                        slots = after;
                    }
                    prop_assert!(!slots.live(now).iter().any(|lease| lease.is_of(org, &call)));
                }
                Step::Wait { secs } => now = plus_secs(now, secs.into()),
            }
            let live = slots.live(now);
            let most = |key: &dyn Fn(&Lease) -> Option<String>| {
                let mut counts = std::collections::BTreeMap::<String, u32>::new();
                for key in live.iter().filter_map(key) {
                    let count = counts.entry(key).or_default();
                    *count = count.saturating_add(1);
                }
                counts.into_values().max().unwrap_or_default()
            };
            let text = |mark: &Option<Mark>| mark.as_ref().map(|mark| mark.0.clone());
            prop_assert!(live.len() <= 10);
            prop_assert!(most(&|lease| Some(lease.org_id.to_string())) <= LIMITS.per_org);
            prop_assert!(most(&|lease| text(&lease.caller)) <= LIMITS.per_caller);
            prop_assert!(most(&|lease| text(&lease.dialled)) <= LIMITS.per_number);
        }
    }
}
