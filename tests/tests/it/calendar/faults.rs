//! What goes wrong at Google, or on the way there: nothing is lost, nothing stands twice, and nothing is freed.

use super::*;
use base::clock::Clock as _;
use sandbox::faults::Mode;

const MODES: [Mode; 7] = [
    Mode::Error,
    Mode::TimeoutBefore,
    Mode::TimeoutAfter,
    Mode::Slow,
    Mode::HangAfter,
    Mode::Refuse,
    Mode::TooMany,
];

#[tokio::test]
async fn an_appointment_gets_there_once_however_its_push_fails() {
    // C5
    for mode in MODES {
        for operation in ["token", "insert_event", "get_event", "update_event"] {
            // A refused refresh token is the end of a consent, and no fault on the way.
            if (operation, mode) == ("token", Mode::Refuse) {
                continue;
            }
            let harness = connected().await;
            harness.pass(3_700).await;
            harness.fault(("google", operation), mode, 2);
            let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
            harness.pass(1_800).await;
            assert_eq!(starts(&harness), [MONDAY_TEN], "{mode:?} at {operation}");
            harness.stack.faults.clear();
            harness.fault(("google", operation), mode, 2);
            move_to(&harness, &one, TUESDAY_TEN).await;
            harness.pass(1_800).await;
            harness.stack.faults.clear();
            assert_eq!(starts(&harness), [TUESDAY_TEN], "{mode:?} at {operation}");
            assert_eq!(shown(&harness, &one).await["calendar"], "synced", "{mode:?} at {operation}");
        }
    }
}

#[tokio::test]
async fn no_answer_of_googles_frees_moves_or_cancels_anything() {
    // C3
    for mode in MODES {
        for operation in ["list_events", "instances", "get_event", "list_calendars", "watch"] {
            let harness = connected().await;
            let one = book(&harness, TUESDAY_TEN, "Ada Lovelace").await;
            enter(&harness, "2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z");
            let series = json!({"start": {"dateTime": "2026-01-07T09:30:00Z"}, "end": {"dateTime": "2026-01-07T10:30:00Z"},
                "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]});
            let series = hand(&harness, json!({"act": "create", "calendar": ACCOUNT, "event": series}));
            harness.pass(60).await;
            harness.fault(("google", operation), mode, 6);
            hand(
                &harness,
                json!({"act": "change", "calendar": ACCOUNT, "id": series["id"], "fields": {"summary": "x"}}),
            );
            for _ in 0..3 {
                schedule(&harness, "poll").await;
                schedule(&harness, "compare").await;
                harness.pass(700).await;
            }
            assert_eq!(busy(&harness, "2026-01-12").await.len(), 1, "{mode:?} at {operation}");
            assert_eq!(busy(&harness, "2026-01-08").await.len(), 1, "{mode:?} at {operation}");
            let now = shown(&harness, &one).await;
            assert_eq!(
                (&now["status"], &now["scheduled_time"], &now["revision"]),
                (&json!("confirmed"), &json!("2026-01-13T10:00:00.000Z"), &json!(1)),
                "{mode:?} at {operation}"
            );
        }
    }
}

#[tokio::test]
async fn a_day_without_google_loses_no_appointment() {
    // C4
    let harness = connected().await;
    for operation in ["token", "insert_event", "update_event", "delete_event", "list_events"] {
        harness.fault(("google", operation), Mode::TimeoutBefore, 100_000);
    }
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    let other = book(&harness, TUESDAY_TEN, "Grace Hopper").await;
    harness.pass(12 * 3_600).await;
    let moved = move_to(&harness, &one, "2026-01-14T10:00:00Z").await;
    cancel(&harness, &other).await;
    harness.pass(12 * 3_600).await;
    assert_eq!(shown(&harness, &moved).await["calendar"], "pending");
    harness.stack.faults.clear();
    harness.pass(1_800).await;
    assert_eq!(starts(&harness), ["2026-01-14T10:00:00Z"]);
    assert_eq!(shown(&harness, &moved).await["calendar"], "synced");
}

#[tokio::test]
async fn a_calendar_is_read_whole_when_its_token_has_expired_and_what_went_meanwhile_is_free() {
    // C6
    let harness = connected().await;
    let gone = enter(&harness, "2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z");
    enter(&harness, "2026-01-13T10:00:00Z", "2026-01-13T11:00:00Z");
    harness.pass(5).await;
    harness.stack.google.with_faults(|faults| {
        faults.loses_notices = true;
        faults.page = Some(1);
    });
    hand(&harness, json!({"act": "delete", "calendar": ACCOUNT, "id": gone["id"]}));
    enter(&harness, "2026-01-14T10:00:00Z", "2026-01-14T11:00:00Z");
    harness.stack.google.expire_sync_tokens(ACCOUNT);
    harness.pass(3_700).await;
    assert_eq!(busy(&harness, "2026-01-12").await.len(), 1, "nobody has told us");
    schedule(&harness, "poll").await;
    let days = ["2026-01-12", "2026-01-13", "2026-01-14"];
    let mut counts = Vec::new();
    for day in days {
        counts.push(busy(&harness, day).await.len());
    }
    assert_eq!(counts, [0, 1, 1]);
}

#[tokio::test]
async fn a_channel_is_replaced_before_it_ends_and_a_calendar_without_one_is_asked() {
    // C6
    let harness = connected().await;
    harness.pass(6 * 24 * 3_600).await;
    schedule(&harness, "watch").await;
    assert_eq!(harness.stack.google.channels(ACCOUNT), 1, "the new one, and no other");
    harness.pass(3 * 24 * 3_600).await;
    enter(&harness, "2026-01-19T10:00:00Z", "2026-01-19T11:00:00Z");
    harness.pass(5).await;
    assert_eq!(busy(&harness, "2026-01-19").await.len(), 1, "told by the new one");
    harness.stack.google.lose_channels(ACCOUNT);
    enter(&harness, "2026-01-20T10:00:00Z", "2026-01-20T11:00:00Z");
    harness.pass(3_700).await;
    schedule(&harness, "poll").await;
    assert_eq!(busy(&harness, "2026-01-20").await.len(), 1);
}

#[tokio::test]
async fn words_that_come_while_a_calendar_is_read_wait_as_one() {
    // However many they are, and however often the queue brings each: who reads it reads it again.
    let harness = connected().await;
    let store = Calendars::new(harness.stack.db());
    let [calendar] = &store.of_org(ORG).await.unwrap()[..] else { panic!("one calendar") };
    let until = harness.clock.now() + jiff::SignedDuration::from_mins(5);
    let leased = domain::calendar::Calendar { lease_until: until, ..calendar.clone() };
    let leased = store.save_calendar(&leased, None).await.unwrap();
    for hour in 10..16 {
        enter(&harness, &format!("2026-01-12T{hour}:00:00Z"), &format!("2026-01-12T{hour}:30:00Z"));
        harness.pass(5).await;
    }
    let pulls = || {
        let all = harness.stack.aws.queues().messages();
        all.iter().filter(|message| message.body.contains("\"pull\"")).count()
    };
    assert_eq!((pulls(), busy(&harness, "2026-01-12").await.len()), (1, 0));
    let there = store.calendar(ORG, &leased.calendar_id).await.unwrap().unwrap();
    assert!(there.dirty > leased.dirty, "who reads it sees that there is more");
    // Who had the lease died: the next look finds all of it.
    harness.pass(3_700).await;
    schedule(&harness, "poll").await;
    harness.pass(60).await;
    assert_eq!(busy(&harness, "2026-01-12").await.len(), 6);
}

#[tokio::test]
async fn an_import_that_was_broken_off_before_its_first_day_is_done_again() {
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    harness.stack.aws.set_plan(|sent| {
        let is_day = sent.operation == "PutItem"
            && sent.body["TableName"].as_str().is_some_and(|name| name.ends_with("resource_days"));
        if is_day { local::aws::Outcome::Fail("InternalServerError") } else { local::aws::Outcome::Pass }
    });
    enter(&harness, "2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z");
    harness.pass(30).await;
    harness.stack.aws.clear_plan();
    assert_eq!(busy(&harness, "2026-01-12").await, Vec::<String>::new());
    harness.pass(1_200).await;
    assert_eq!(busy(&harness, "2026-01-12").await.len(), 1);
    assert_eq!(shown(&harness, &one).await["calendar"], "attention");
}

#[tokio::test]
async fn a_process_that_dies_while_it_imports_leaves_nothing_half_done() {
    let harness = connected().await;
    let event = enter(&harness, "2026-01-12T10:00:00Z", "2026-01-14T11:00:00Z");
    harness.pass(5).await;
    let id = event["id"].as_str().unwrap();
    let moved = json!({"act": "move", "calendar": ACCOUNT, "id": id, "start": "2026-01-15T10:00:00Z", "end": "2026-01-16T11:00:00Z"});
    hand(&harness, moved);
    // The third write of the import fails, and what follows it.
    let mut writes = 0;
    harness.stack.aws.set_plan(move |sent| {
        let is_day = sent.operation == "PutItem"
            && sent.body["TableName"].as_str().is_some_and(|name| name.ends_with("resource_days"));
        writes += usize::from(is_day);
        if is_day && writes > 2 {
            local::aws::Outcome::Fail("InternalServerError")
        } else {
            local::aws::Outcome::Pass
        }
    });
    harness.pass(60).await;
    harness.stack.aws.clear_plan();
    let back = json!({"act": "move", "calendar": ACCOUNT, "id": id, "start": "2026-01-19T10:00:00Z", "end": "2026-01-19T11:00:00Z"});
    hand(&harness, back);
    harness.pass(1_200).await;
    for day in ["2026-01-12", "2026-01-13", "2026-01-14", "2026-01-15", "2026-01-16"] {
        assert_eq!(busy(&harness, day).await, Vec::<String>::new(), "{day}");
    }
    assert_eq!(busy(&harness, "2026-01-19").await.len(), 1);
}
