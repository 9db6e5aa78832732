//! What people do in a simulated world: a list that the seed decides before anything begins, so that leaving one action
//! out leaves the others as they are.

use jiff::SignedDuration;
use sandbox::stripe::{Act, Card};

use crate::{
    desk::{self, Desk, Touch, Turn},
    rng::Stream,
    world::World,
};

/// How many actions a world has.
pub const ACTIONS: (i64, i64) = (30, 60);
/// The longest gap between two bursts of actions, in seconds.
const LONGEST_GAP_SECS: i64 = 10_800;

/// Something that a person or a vendor does.
#[derive(Clone, Debug)]
pub enum What {
    /// A patient rings the clinic's first number, or one that it bought.
    Ring {
        /// How long they mean to talk, in seconds.
        talk_secs: u32,
        /// Which patient.
        caller: usize,
        /// Rings a number that was bought, if there is one.
        bought: bool,
    },
    /// A patient rings and books by voice.
    Book {
        /// Which patient.
        caller: usize,
        /// When they would like to come, in their words.
        when: &'static str,
        /// Which of the times they take.
        option: &'static str,
        /// The time is held first, and booked when the name is known.
        holds: bool,
        /// How often the model repeats the booking.
        repeats: u32,
    },
    /// A patient rings again, and moves or cancels what stands.
    Change {
        /// Which patient.
        caller: usize,
        /// When they would rather come, in their words; none to cancel.
        to: Option<&'static str>,
        /// How often the model repeats it.
        repeats: u32,
    },
    /// Staff change how long the clinic's service takes.
    Offer {
        /// Longer, or shorter.
        longer: bool,
    },
    /// A visitor talks from a web page.
    Web {
        /// How long they mean to talk, in seconds.
        talk_secs: u32,
    },
    /// The clinic has a patient rung.
    Dial {
        /// How long they mean to talk, in seconds.
        talk_secs: u32,
        /// Which patient.
        caller: usize,
        /// The request is sent twice.
        twice: bool,
    },
    /// The clinic tops up.
    TopUp {
        /// How much.
        pence: i64,
        /// What the customer does on the payment page.
        act: Act,
        /// How long the customer takes, in seconds.
        wait_secs: i64,
    },
    /// A payment is refunded at Stripe's dashboard.
    Refund {
        /// Whole, or a part.
        whole: bool,
        /// What it turns out to be after so many seconds; it has arrived when nothing is said.
        then: Option<(i64, Refunded)>,
    },
    /// A payment is disputed.
    Dispute {
        /// Whole, or a part.
        whole: bool,
        /// After so many seconds it is decided, for the clinic or against it.
        decided: Option<(i64, bool)>,
        /// A part comes back before that.
        in_parts: bool,
    },
    /// A bank asks about a payment.
    Inquire {
        /// For so many seconds.
        secs: i64,
        /// Then it takes the money.
        is_escalated: bool,
    },
    /// A card network warns of a payment.
    Warn,
    /// The clinic buys a number.
    Buy {
        /// What for.
        direction: &'static str,
        /// The request is sent twice.
        twice: bool,
    },
    /// The clinic gives a number up.
    Release,
    /// The clinic changes its auto-recharge.
    Recharge {
        /// On or off.
        enabled: bool,
        /// What one charge is a multiple of.
        pence: i64,
        /// Below this, the card is charged.
        threshold: i64,
        /// What one month takes, in amounts; the usual when nothing is said.
        months: Option<i64>,
        /// What one charge takes, in amounts; the usual when nothing is said.
        charges: Option<i64>,
    },
    /// The clinic's card is good, declined, or wants its customer from now on.
    Card {
        /// Which.
        card: Card,
    },
    /// An operator stops the clinic's spending for some time.
    Freeze {
        /// For how long, in seconds.
        secs: i64,
    },
    /// Vapi answers nothing for some time, and hardly says that calls have ended.
    Trouble {
        /// For how long, in seconds.
        secs: i64,
    },
    /// The clinic looks at its dashboard.
    Look,
    /// A new tariff is in force from now on.
    Tariff,
    /// Somebody does something at the desk of a clinic with calendars.
    AtDesk {
        /// What.
        desk: Desk,
        /// To which of those that are there then.
        which: u64,
    },
    /// Somebody does something in one of a clinic's calendars.
    ByHand {
        /// What.
        touch: Touch,
        /// To which of those that are there then.
        which: u64,
    },
    /// Something becomes of a clinic's account at Google.
    AtGoogle(Turn),
}

/// What becomes of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// It was pending, and arrives.
    Arrives,
    /// It was pending, and fails.
    PendingFails,
    /// It had arrived, and fails.
    Fails,
}

/// Something that a clinic's people do at a time.
#[derive(Clone, Debug)]
pub struct Action {
    /// How long after the beginning.
    pub after: SignedDuration,
    /// Which clinic.
    pub clinic: usize,
    /// What.
    pub what: What,
}

/// How many actions of a thousand are a storm.
const STORMS: u64 = 140;

/// How many crowds a crowded world has.
const CROWDS: (i64, i64) = (5, 8);

/// How many times as long the gaps of a long world are.
const LONG_GAPS: i64 = 12;

/// The actions of a seed: bursts, and gaps of seconds to hours between them, in a long world to days; in a crowded one crowds, and
/// nothing else.
pub fn plan(seed: u64, world: &World) -> Vec<Action> {
    let clinics = world.clinics.len();
    let mut chance = Stream::of(seed, "actions");
    if world.is_crowded() {
        return crowds(&mut chance, clinics);
    }
    let stretch = if world.is_long { LONG_GAPS } else { 1 };
    let count = chance.between(ACTIONS.0, ACTIONS.1);
    let mut at = 60_i64;
    let mut actions = Vec::new();
    for nth in 0..count {
        at += if chance.chance(550) { chance.between(0, 30) } else { stretch * gap(&mut chance) };
        let mut own = Stream::of(seed ^ chance.bits(), &format!("action {nth}"));
        let after = SignedDuration::from_secs(at);
        let clinic = own.index(clinics);
        if own.chance(STORMS) {
            for (secs, what) in storm(&mut own) {
                actions.push(Action { after: after + SignedDuration::from_secs(secs), clinic, what });
            }
        } else {
            actions.push(Action { after, clinic, what: what(&mut own) });
        }
    }
    actions.extend(desk::plan(seed, world));
    actions
}

/// Now and then the patients of many clinics ring within seconds, and clinics have patients rung meanwhile: there are more of them
/// than slots.
fn crowds(chance: &mut Stream, clinics: usize) -> Vec<Action> {
    let mut at = 60_i64;
    let mut actions = Vec::new();
    for _ in 0..chance.between(CROWDS.0, CROWDS.1) {
        let talk_secs = u32::try_from(chance.between(20, 240)).unwrap_or(60);
        // As often as not one clinic is rung by most of them.
        let flooded = chance.chance(500).then(|| chance.index(clinics));
        for _ in 0..chance.between(10, 18) {
            let clinic = flooded.filter(|_| chance.chance(700)).unwrap_or_else(|| chance.index(clinics));
            let what = if chance.chance(350) {
                What::Dial { talk_secs, caller: chance.index(CALLERS.len()), twice: chance.chance(200) }
            } else {
                ring(chance, talk_secs)
            };
            let after = SignedDuration::from_secs(at + chance.between(0, 4));
            actions.push(Action { after, clinic, what });
        }
        at += chance.between(400, 1_800);
    }
    actions
}

/// Several things of one clinic that meet, each with the seconds that it comes after the first.
fn storm(own: &mut Stream) -> Vec<(i64, What)> {
    match own.up_to(6) {
        6 => regrets(own),
        4 | 5 => scramble(own),
        0 | 1 => rush(own),
        2 => trouble(own),
        _ => freeze(own).into_iter().map(|what| (0, what)).collect(),
    }
}

fn ring(own: &mut Stream, talk_secs: u32) -> What {
    What::Ring { talk_secs, caller: own.index(CALLERS.len()), bought: false }
}

/// One patient books, and a minute later several want the next time of that day at once, while staff change what is offered to and
/// fro. What is decided on a day or a service that somebody else has written meanwhile must not be booked.
///
/// Later the first of them rings again, on two telephones at once, to move or cancel it: each of the two is told what it is then.
fn scramble(own: &mut Stream) -> Vec<(i64, What)> {
    let when = own.pick(&WISHES).unwrap_or("tomorrow");
    let first = book(own, when);
    let again = if let What::Book { caller, .. } = first { caller } else { 0 };
    let mut all = vec![(0, first)];
    let caller = own.index(CALLERS.len());
    all.extend(
        (0..own.between(3, 5))
            .map(|_| (60, What::Book { caller, when, option: "A", holds: false, repeats: 0 })),
    );
    if own.chance(600) {
        // They are offered times six seconds after they have rung, and book five seconds later.
        let longer = own.chance(500);
        all.extend((71..=74).map(|at| (at, What::Offer { longer: longer == (at % 2 == 0) })));
    }
    for _ in 0..2 {
        all.push((150 + own.between(0, 2), change(own, again)));
    }
    all
}

fn change(own: &mut Stream, caller: usize) -> What {
    What::Change {
        caller,
        to: own
            .pick(&[Some("tomorrow"), Some("tomorrow evening"), Some("as soon as possible"), None])
            .flatten(),
        repeats: u32::try_from(own.between(0, 1)).unwrap_or_default(),
    }
}

fn book(own: &mut Stream, when: &'static str) -> What {
    What::Book {
        caller: own.index(CALLERS.len()),
        when,
        option: own.pick(&["A", "A", "A", "B", "C"]).unwrap_or("A"),
        holds: own.chance(300),
        repeats: u32::try_from(own.between(0, 1)).unwrap_or_default(),
    }
}

/// When patients would like to come. In New York the evening crosses UTC's midnight, in Kolkata the early morning.
const WISHES: [&str; 5] =
    ["as soon as possible", "tomorrow", "tomorrow at 6:45pm", "tomorrow at 5:15 am", "tomorrow evening"];

/// Everything at once: calls that begin and end in the same second, some when they are to be extended, and money that comes in
/// just then; and a number that is bought by two at once, given back and bought by two again. What decides on what it has read has
/// others write in between.
fn rush(own: &mut Stream) -> Vec<(i64, What)> {
    // A report comes two seconds after the end; a call is looked at after 59, and is to be extended after 225 and 525.
    let talk_secs = own.pick(&[223, 223, 223, 20, 57, 523]).unwrap_or(223);
    let mut all: Vec<(i64, What)> = (0..own.between(3, 6)).map(|_| (0, ring(own, talk_secs))).collect();
    let wait_secs = i64::from(talk_secs) + 2;
    // Of two amounts: the same twice would be one session.
    all.extend([2_500, 4_000].map(|pence| (0, What::TopUp { pence, act: Act::Pay, wait_secs })));
    if own.chance(500) {
        let direction = own.pick(&["inbound", "outbound"]).unwrap_or("inbound");
        let buy = || What::Buy { direction, twice: true };
        all.extend([(0, buy()), (90, What::Release), (180, buy())]);
    }
    all
}

/// A clinic pays, and a part is refunded; then the bank takes the whole, gives some of it back, and decides. Or the other way round.
fn regrets(own: &mut Stream) -> Vec<(i64, What)> {
    let pence = own.pick(&[2_500, 4_000]).unwrap_or(2_500);
    let mut all = vec![(0, What::TopUp { pence, act: Act::Pay, wait_secs: 5 })];
    let dispute = |own: &mut Stream, secs: i64| What::Dispute {
        whole: own.chance(700),
        decided: Some((secs, own.chance(700))),
        in_parts: own.chance(400),
    };
    let mut at = 60;
    for _ in 0..own.between(2, 4) {
        let what = if own.chance(600) { refund(own) } else { dispute(own, 1_200) };
        all.push((at, what));
        at += own.pick(&[0, 30, 600, 1_800]).unwrap_or(30);
    }
    all.push((at, dispute(own, 3_600)));
    if own.chance(300) {
        all.push((at + 60, What::Warn));
    }
    all
}

fn refund(own: &mut Stream) -> What {
    let whole = own.chance(300);
    let secs = own.between(60, 90_000);
    let then = own.pick(&[
        None,
        None,
        Some((secs, Refunded::Fails)),
        Some((secs, Refunded::Arrives)),
        Some((secs, Refunded::PendingFails)),
    ]);
    What::Refund { whole, then: then.flatten() }
}

/// Calls end unheard just before they are to be extended, and Vapi does not say how they stand: they are extended while their
/// reports are worked on.
fn trouble(own: &mut Stream) -> Vec<(i64, What)> {
    let mut all: Vec<(i64, What)> = (0..own.between(2, 4)).map(|_| (0, ring(own, 223))).collect();
    all.push((215, What::Trouble { secs: 30 }));
    all
}

/// The clinic's spending is stopped in the midst of calls that ask whether they may begin.
fn freeze(own: &mut Stream) -> Vec<What> {
    let mut all: Vec<What> = (0..own.between(3, 4)).map(|_| ring(own, 60)).collect();
    all.push(What::Freeze { secs: own.between(30, 120) });
    all.extend((0..2).map(|_| ring(own, 60)));
    all
}

fn gap(chance: &mut Stream) -> i64 {
    match chance.up_to(3) {
        0 => chance.between(1, 60),
        1 => chance.between(60, 900),
        2 => chance.between(300, 3_600),
        _ => chance.between(1_800, LONGEST_GAP_SECS),
    }
}

fn talk(own: &mut Stream) -> u32 {
    let secs = match own.up_to(4) {
        0 => own.between(5, 60),
        1 | 2 => own.between(60, 600),
        _ => own.between(300, 2_400),
    };
    u32::try_from(secs).unwrap_or(60)
}

fn what(own: &mut Stream) -> What {
    match own.up_to(99) {
        0..=31 => {
            What::Ring { talk_secs: talk(own), caller: own.index(CALLERS.len()), bought: own.chance(300) }
        }
        32..=37 => What::Web { talk_secs: talk(own) },
        38..=45 => {
            What::Dial { talk_secs: talk(own), caller: own.index(CALLERS.len()), twice: own.chance(300) }
        }
        46..=57 => What::TopUp {
            pence: own.pick(&[2_500, 2_500, 4_000, 10_000]).unwrap_or(2_500),
            act: own.pick(&[Act::Pay, Act::Pay, Act::Pay, Act::PayLater, Act::Decline]).unwrap_or(Act::Pay),
            wait_secs: own.between(5, 1_200),
        },
        58..=62 => refund(own),
        63..=66 => What::Dispute {
            whole: own.chance(600),
            decided: own.chance(700).then(|| (own.between(600, 150_000), own.chance(500))),
            in_parts: own.chance(300),
        },
        67 => What::Inquire { secs: own.between(600, 90_000), is_escalated: own.chance(500) },
        68 => What::Warn,
        69..=76 => What::Buy {
            direction: own.pick(&["inbound", "outbound"]).unwrap_or("inbound"),
            twice: own.chance(400),
        },
        77..=80 => What::Release,
        81..=86 => What::Recharge {
            enabled: own.chance(800),
            pence: own.pick(&[2_500, 3_000, 5_000]).unwrap_or(2_500),
            threshold: own.pick(&[200, 1_000, 3_000]).unwrap_or(1_000),
            months: own.pick(&[None, None, Some(1), Some(2)]).flatten(),
            charges: own.pick(&[None, None, Some(1)]).flatten(),
        },
        87..=89 => {
            let cards =
                [Card::Good, Card::Good, Card::Declined, Card::NeedsAuthentication, Card::RequiresAction];
            What::Card { card: own.pick(&cards).unwrap_or(Card::Good) }
        }
        90 => What::Offer { longer: own.chance(500) },
        91..=92 => What::Freeze { secs: own.between(60, 7_200) },
        93..=97 => What::Look,
        _ => What::Tariff,
    }
}

/// What the patients are called. None of these may be in a log line.
pub const PATIENTS: [&str; 6] = [
    "Alma Frostwood",
    "Bela Novakova",
    "Carla Quintero",
    "Dario Ravensburg",
    "Edda Sternheim",
    "Fergus Tullamore",
];
/// The patients, of the numbers that Ofcom keeps for fiction. None of them may be in a log line.
pub const CALLERS: [&str; 6] =
    ["+447700900101", "+447700900202", "+447700900303", "+447700900404", "+447700900505", "+447700900606"];
