//! Clinics whose desk, whose hand in the calendar and whose vendor do what chance wants. When all of it rests, appointments and events are
//! the same pairs, what others keep busy is what stands in the calendar, and nothing overlaps.

use super::*;
use base::entropy::Entropy;
use sandbox::faults::{Mode, OPERATIONS};

/// How many clinics, and how much is done in each.
const SEEDS: u64 = 16;
const STEPS: u32 = 40;
const MODES: [Mode; 5] =
    [Mode::Error, Mode::TimeoutBefore, Mode::TimeoutAfter, Mode::HangAfter, Mode::TooMany];

struct Chance(Entropy);

impl Chance {
    fn up_to(&self, most: usize) -> usize {
        usize::try_from(self.0.up_to(u64::try_from(most).unwrap())).unwrap()
    }

    fn of<'a, T>(&self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.up_to(all.len().checked_sub(1)?))
    }

    /// A time of the practitioner's in the week that is booked.
    fn slot(&self) -> (String, String) {
        let (day, half) = (12 + self.up_to(4), self.up_to(5));
        let at = |half: usize| format!("2026-01-{day}T{:02}:{:02}:00Z", 9 + half / 2, half % 2 * 30);
        (at(half), at(half + 1))
    }
}

fn is_ours(event: &Value) -> bool {
    !event["extendedProperties"]["private"]["voxanne_appointment"].is_null()
}

/// Asks for a change that may be refused because of the diary's state, and never for another reason.
async fn ask(harness: &Harness, method: &str, path: &str, body: &Value) {
    let (status, answer) = harness.call_api((method, path), &harness.owner(), None, body).await;
    assert!(status < 300 || status == 409, "{method} {path}: {answer}");
}

async fn step(harness: &Harness, chance: &Chance) {
    let all = appointments(harness, ORG).await;
    let standing: Vec<&Value> = all.iter().filter(|one| one["status"] == "confirmed").collect();
    let (ours, others): (Vec<Value>, Vec<Value>) = events(harness).into_iter().partition(is_ours);
    let (start, end) = chance.slot();
    let path = |one: &Value| format!("/api/appointments/{}", one["id"].as_str().unwrap());
    match chance.up_to(11) {
        0..=3 => {
            let (status, answer) = try_to_book(harness, &start, "Ada Lovelace").await;
            assert!(status < 300 || status == 409, "{answer}");
        }
        4 | 5 => {
            let Some(one) = chance.of(&standing) else { return };
            let body = json!({"revision": one["revision"], "scheduled_at": start});
            ask(harness, "PATCH", &path(one), &body).await;
        }
        6 => {
            let Some(one) = chance.of(&standing) else { return };
            ask(harness, "DELETE", &format!("{}?revision={}", path(one), one["revision"]), &Value::Null)
                .await;
        }
        7 => {
            let Some(event) = chance.of(&ours) else { return };
            hand(
                harness,
                json!({"act": "move", "calendar": ACCOUNT, "id": event["id"], "start": start, "end": end}),
            );
        }
        8 => {
            let Some(event) = chance.of(&ours) else { return };
            hand(harness, json!({"act": "delete", "calendar": ACCOUNT, "id": event["id"]}));
        }
        9 => {
            enter(harness, &start, &end);
        }
        10 => match (chance.up_to(1), chance.of(&others)) {
            (_, None) => {}
            (0, Some(event)) => {
                let to = json!({"act": "move", "calendar": ACCOUNT, "id": event["id"], "start": start, "end": end});
                hand(harness, to);
            }
            (_, Some(event)) => {
                hand(harness, json!({"act": "delete", "calendar": ACCOUNT, "id": event["id"]}));
            }
        },
        _ => {
            let (_, operations) = OPERATIONS.iter().find(|(vendor, _)| *vendor == "google").unwrap();
            let operation = chance.of(operations).unwrap();
            let times = u32::try_from(1 + chance.up_to(3)).unwrap();
            harness.fault(("google", operation), *chance.of(&MODES).unwrap(), times);
        }
    }
}

/// Lets everything that is under way come to its end.
async fn rest(harness: &Harness) {
    harness.stack.faults.clear();
    harness.pass(3_000).await;
    for _ in 0..2 {
        harness.pass(3_700).await;
        schedule(harness, "poll").await;
        schedule(harness, "compare").await;
        harness.pass(1_000).await;
    }
    let (_, listed) = harness.get("/api/calendars", &harness.owner()).await;
    if listed["calendars"][0]["state"] == "asking" {
        let resources = resources(harness, ORG).await;
        map(harness, ORG, ACCOUNT, &resources).await;
        harness.pass(1_000).await;
    }
}

/// Returns how appointments stand, and how much others keep busy.
async fn assert_pairs(harness: &Harness, seed: u64) -> (Vec<String>, usize) {
    let all = appointments(harness, ORG).await;
    let (ours, others): (Vec<Value>, Vec<Value>) = events(harness).into_iter().partition(is_ours);
    for one in &all {
        let of_one: Vec<&Value> = ours
            .iter()
            .filter(|event| event["extendedProperties"]["private"]["voxanne_appointment"] == one["id"])
            .collect();
        let word = one["calendar"].as_str().unwrap();
        if one["status"] == "cancelled" {
            assert_eq!(of_one.len(), 0, "seed {seed}: {one}");
            continue;
        }
        assert!(["synced", "attention"].contains(&word), "seed {seed}: {one}");
        assert!(of_one.len() <= 1, "seed {seed}: {one} {of_one:?}");
        if word == "synced" {
            let event = of_one.first().unwrap_or_else(|| panic!("seed {seed}: no event of {one}"));
            let instant = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            assert_eq!(
                instant(&event["start"]["dateTime"]),
                instant(&one["scheduled_time"]),
                "seed {seed}: {one} {event}"
            );
            let revision = &event["extendedProperties"]["private"]["voxanne_revision"];
            assert_eq!(*revision, one["revision"].to_string(), "seed {seed}");
        }
    }
    let mut standing: Vec<&Value> = all.iter().filter(|one| one["status"] == "confirmed").collect();
    standing.sort_by_key(|one| one["scheduled_time"].as_str().unwrap().to_owned());
    for pair in standing.windows(2) {
        assert!(pair[0]["ends_at"].as_str() <= pair[1]["scheduled_time"].as_str(), "seed {seed}: {pair:?}");
    }
    let mut kept = Vec::new();
    for day in 12..17 {
        kept.extend(busy(harness, &format!("2026-01-{day}")).await);
    }
    let time = |event: &Value, name: &str| {
        event[name]["dateTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    let mut there: Vec<String> =
        others.iter().map(|event| format!("{}/{}", time(event, "start"), time(event, "end"))).collect();
    kept.sort();
    there.sort();
    assert_eq!(kept, there, "seed {seed}");
    let stands = |one: &Value| match (one["status"].as_str(), one["revision"].as_u64()) {
        (Some("confirmed"), Some(1)) => format!("as booked, {}", one["calendar"].as_str().unwrap()),
        (Some("confirmed"), _) => format!("moved, {}", one["calendar"].as_str().unwrap()),
        _ => "cancelled".to_owned(),
    };
    (all.iter().map(stands).collect(), kept.len())
}

#[tokio::test]
async fn whatever_is_done_here_and_there_the_pairs_agree_in_the_end() {
    let (mut seen, mut kept) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..SEEDS {
        let harness = connected().await;
        let chance = Chance(Entropy::seeded(seed));
        for _ in 0..STEPS {
            step(&harness, &chance).await;
            let secs = [0, 0, 1, 5, 40, 500][chance.up_to(5)];
            harness.pass(secs).await;
        }
        rest(&harness).await;
        let (stands, busy) = assert_pairs(&harness, seed).await;
        seen.extend(stands);
        kept += busy;
    }
    // All of it has happened.
    let all = ["as booked, attention", "as booked, synced", "cancelled", "moved, attention", "moved, synced"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    assert!(kept > 20, "{kept}");
}
