//! What people of a clinic with calendars do: at the desk, by their own hand in the calendar, and with their account at Google. The list
//! is drawn from a stream of its own, so that all else in a world is decided as it would be without.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    actions::{Action, CALLERS, PATIENTS, What},
    driver::{After, Driver},
    items,
    rng::Stream,
    world::World,
};

/// How many such actions a world has.
const ACTIONS: (i64, i64) = (14, 26);
/// How long a day is.
const DAY_SECS: i64 = 86_400;
/// How long Google's word of a change is on its way.
const WORD_MILLIS: i64 = 400;
/// How many of a thousand are several at once.
const STORMS: u64 = 250;

/// A half hour of a day that people want to have something at, from the day on that it is now.
#[derive(Clone, Copy, Debug)]
pub struct Half {
    day: i64,
    half: i64,
}

impl Half {
    /// When it begins.
    pub fn after(self, now: Timestamp) -> Timestamp {
        let midnight = Timestamp::from_second(now.as_second().div_euclid(DAY_SECS) * DAY_SECS).unwrap_or(now);
        midnight + SignedDuration::from_hours(24 * self.day) + SignedDuration::from_mins(30 * self.half)
    }

    /// One that is so many half hours later.
    const fn later(self, halves: i64) -> Self {
        Self { day: self.day, half: self.half + halves }
    }

    /// One of few, so that people want the same; as often as not one before or at UTC's midnight.
    fn drawn(own: &mut Stream) -> Self {
        let day = own.pick(&[1, 2, 3, 6, 7, 8]).unwrap_or(7);
        let half = if own.chance(150) { own.between(46, 47) } else { own.between(18, 25) };
        Self { day, half }
    }
}

/// What is done at the desk.
#[derive(Clone, Copy, Debug)]
pub enum Desk {
    /// Somebody is booked.
    Book(Half),
    /// An appointment that is ahead is moved.
    Move(Half),
    /// One is cancelled.
    Cancel,
}

/// What a hand does in a calendar.
#[derive(Clone, Copy, Debug)]
pub enum Touch {
    /// Drags an event of ours, and makes it longer by so many minutes.
    Drag(Half, i64),
    /// Deletes one.
    Delete,
    /// Deletes all.
    Clear,
    /// Writes something into one.
    Write,
    /// Duplicates one.
    Copy,
    /// Moves one to another of the clinic's calendars.
    GiveAway,
    /// Enters something of others that takes so many minutes.
    Enter(Half, i64),
    /// Enters a whole day.
    Day(Half),
    /// Enters something that comes again each day, or each week.
    Series(Half, bool),
    /// Deletes one instance of a series.
    Skip,
    /// Drags something of others.
    Drags(Half),
    /// Says of it that it takes no time.
    Frees,
    /// Deletes it.
    Deletes,
}

/// What becomes of a clinic's account.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// What Google gave us to go on reading by has expired.
    TokensExpire,
    /// Its channels end before their time.
    ChannelsEnd,
    /// Somebody withdraws the consent, and consents again after so many seconds.
    Withdraw(i64),
}

/// What such people do in the world of a seed.
pub fn plan(seed: u64, world: &World) -> Vec<Action> {
    let clinics: Vec<usize> = world.calendars.of.keys().copied().collect();
    if clinics.is_empty() {
        return Vec::new();
    }
    let mut chance = Stream::of(seed, "desk");
    let (mut at, mut actions) = (30_i64, Vec::new());
    for nth in 0..chance.between(ACTIONS.0, ACTIONS.1) {
        at += match chance.up_to(5) {
            0..=2 => chance.between(0, 30),
            3 => chance.between(60, 900),
            _ => chance.between(900, 7_200),
        };
        let mut own = Stream::of(seed ^ chance.bits(), &format!("at the desk {nth}"));
        let clinic = clinics.get(own.index(clinics.len())).copied().unwrap_or_default();
        // There is little to do before anybody is booked.
        let all = match nth {
            0..=3 => vec![(0, booked(&mut own))],
            _ if own.chance(STORMS) => storm(&mut own),
            _ => vec![(0, what(&mut own))],
        };
        let after = |millis| SignedDuration::from_secs(at) + SignedDuration::from_millis(millis);
        let action = |(millis, what)| Action { after: after(millis), clinic, what };
        actions.extend(all.into_iter().map(action));
    }
    actions
}

fn at_desk(own: &mut Stream, desk: Desk) -> What {
    What::AtDesk { desk, which: own.bits() }
}

fn by_hand(own: &mut Stream, touch: Touch) -> What {
    What::ByHand { touch, which: own.bits() }
}

fn booked(own: &mut Stream) -> What {
    let half = Half::drawn(own);
    at_desk(own, Desk::Book(half))
}

fn entered(own: &mut Stream) -> Touch {
    let half = Half::drawn(own);
    Touch::Enter(half, own.pick(&[30, 45, 90, 240]).unwrap_or(30))
}

fn what(own: &mut Stream) -> What {
    let half = Half::drawn(own);
    let caller = own.index(CALLERS.len());
    match own.up_to(27) {
        0..=4 => at_desk(own, Desk::Book(half)),
        5 | 6 => What::Book { caller, when: "tomorrow", option: "A", holds: own.chance(300), repeats: 0 },
        7 => What::Change { caller, to: own.pick(&[Some("tomorrow evening"), None]).flatten(), repeats: 0 },
        8 | 9 => at_desk(own, Desk::Move(half)),
        10 => at_desk(own, Desk::Cancel),
        11..=13 => {
            let longer = own.pick(&[0, 0, 15]).unwrap_or(0);
            by_hand(own, Touch::Drag(half, longer))
        }
        14 => by_hand(own, Touch::Delete),
        15 => {
            let touch = own.pick(&[Touch::Clear, Touch::Copy]).unwrap_or(Touch::Copy);
            by_hand(own, touch)
        }
        16 => by_hand(own, Touch::GiveAway),
        17 => by_hand(own, Touch::Write),
        18 | 19 => {
            let touch = entered(own);
            by_hand(own, touch)
        }
        20 => {
            let daily = own.chance(500);
            let touch = own.pick(&[Touch::Day(half), Touch::Series(half, daily)]).unwrap_or(Touch::Day(half));
            by_hand(own, touch)
        }
        21 => by_hand(own, Touch::Skip),
        22 => by_hand(own, Touch::Drags(half)),
        23 => {
            let touch = own.pick(&[Touch::Frees, Touch::Deletes]).unwrap_or(Touch::Deletes);
            by_hand(own, touch)
        }
        24 | 25 => What::AtGoogle(Turn::TokensExpire),
        26 => What::AtGoogle(Turn::ChannelsEnd),
        _ => What::AtGoogle(Turn::Withdraw(own.between(60, 14_400))),
    }
}

/// Several that meet, each with the milliseconds that it comes after the first: a move at the desk while the calendar is read, a drag while
/// it is moved here, what is booked while what was entered is read.
fn storm(own: &mut Stream) -> Vec<(i64, What)> {
    let (half, which) = (Half::drawn(own), own.bits());
    let moves = |half| What::AtDesk { desk: Desk::Move(half), which };
    // When Google's word comes, which has the calendar read.
    let read = WORD_MILLIS;
    match own.up_to(4) {
        0 => {
            let entered = entered(own);
            vec![
                (0, What::AtGoogle(Turn::TokensExpire)),
                (0, by_hand(own, entered)),
                (read, moves(half)),
                (read + own.between(0, 40_000), moves(Half::drawn(own))),
                (read + own.between(0, 40_000), What::AtGoogle(Turn::TokensExpire)),
            ]
        }
        1 => vec![
            (0, moves(half)),
            (own.between(0, 2_000), What::ByHand { touch: Touch::Drag(Half::drawn(own), 0), which }),
            (own.between(0, 60_000), moves(Half::drawn(own))),
        ],
        2 | 3 => {
            let mut all: Vec<(i64, What)> =
                (0..2).map(|nth| (0, by_hand(own, Touch::Enter(half.later(nth * 4), 60)))).collect();
            all.extend((1..=4).map(|nth| (read, at_desk(own, Desk::Book(half.later(nth * 2))))));
            all.push((read, by_hand(own, Touch::Drag(half.later(2), 0))));
            all
        }
        _ => (0..own.between(4, 8)).map(|_| (own.between(0, 3_000), booked(own))).collect(),
    }
}

impl Driver {
    /// Somebody does something at the desk of a clinic.
    pub(crate) fn at_desk(&mut self, clinic: usize, desk: Desk, which: u64) {
        let now = self.world.time();
        if let Desk::Book(half) = desk {
            return self.book_at_desk(clinic, half.after(now), which);
        }
        let ahead = self.ahead(clinic);
        let Some(one) = chosen(&ahead, which) else { return };
        let id = one["item"].as_str().unwrap_or_default().to_owned();
        let path = format!("/api/appointments/{id}");
        let wishes = &mut self.world.calendars.wishes;
        if let Desk::Move(half) = desk {
            let to = half.after(now);
            wishes.moves(&id, to, None);
            let body = json!({"revision": one["revision"], "scheduled_at": to});
            self.route(clinic, "PATCH", &path, &body, After::Nothing);
        } else {
            wishes.cancels(&id);
            let path = format!("{path}?revision={}", one["revision"]);
            self.route(clinic, "DELETE", &path, &Value::Null, After::Nothing);
        }
    }

    fn book_at_desk(&mut self, clinic: usize, at: Timestamp, which: u64) {
        let org = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()).unwrap_or_default();
        let rows = items::all(&self.world.stack.aws, "booking_catalog");
        let is_it = |row: &&Value| row["org_id"] == org.as_str() && row["service_id"].is_string();
        let Some(service) = rows.iter().find(is_it) else { return };
        let name = chosen(&PATIENTS, which).copied().unwrap_or_default();
        let body =
            json!({"service_id": service["service_id"], "scheduled_at": at, "contact": {"name": name}});
        self.route(clinic, "POST", "/api/appointments", &body, After::Nothing);
    }

    /// The appointments of a clinic that stand ahead, as records.
    fn ahead(&self, clinic: usize) -> Vec<Value> {
        let org = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()).unwrap_or_default();
        let now = self.world.time();
        let is_ahead = |row: &Value| {
            let from: Option<Timestamp> = row["from"].as_str().and_then(|from| from.parse().ok());
            row["status"] == "confirmed" && from.is_some_and(|from| from > now)
        };
        let rows = items::all(&self.world.stack.aws, "appointments").into_iter();
        let is_one = |row: &Value| row["item"].as_str().is_some_and(|key| !key.contains('#'));
        rows.filter(|row| row["org_id"] == org.as_str() && is_one(row) && is_ahead(row)).collect()
    }
}

/// One of these, by a number that was drawn when the action was.
pub fn chosen<T>(all: &[T], which: u64) -> Option<&T> {
    let count = u64::try_from(all.len()).ok()?;
    all.get(usize::try_from(which.checked_rem(count)?).ok()?)
}
