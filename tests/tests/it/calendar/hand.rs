//! The clinic's hand: what somebody does in the calendar to an event of ours.

use sandbox::faults::Mode;

use super::*;

/// The id of the one event of ours.
fn ours(harness: &Harness) -> String {
    let all = events(harness);
    let [event] = &all[..] else { panic!("{all:?}") };
    event["id"].as_str().unwrap().to_owned()
}

fn drag(harness: &Harness, id: &str, start: &str, end: &str) {
    hand(harness, json!({"act": "move", "calendar": ACCOUNT, "id": id, "start": start, "end": end}));
}

#[tokio::test]
async fn a_push_that_comes_back_is_no_change() {
    // C7
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(120).await;
    let mut now = shown(&harness, &one).await;
    for (revision, at) in
        [(2, "2026-01-13T10:00:00Z"), (3, "2026-01-14T10:00:00Z"), (4, "2026-01-13T10:00:00Z")]
    {
        now = move_to(&harness, &now, at).await;
        harness.pass(120).await;
        schedule(&harness, "poll").await;
        now = shown(&harness, &now).await;
        assert_eq!((&now["revision"], &now["calendar"]), (&json!(revision), &json!("synced")), "{now}");
    }
    // Somebody writes into it and moves nothing: its version is another, and it is an echo all the same.
    let id = ours(&harness);
    hand(
        &harness,
        json!({"act": "change", "calendar": ACCOUNT, "id": id, "fields": {"description": "Bring the file."}}),
    );
    harness.pass(60).await;
    assert_eq!(shown(&harness, &now).await["revision"], 4);
    // And what they wrote stays, when we change the rest.
    move_to(&harness, &now, "2026-01-15T10:00:00Z").await;
    harness.pass(60).await;
    assert_eq!(events(&harness)[0]["description"], "Bring the file.");
    assert_eq!(told(&harness).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_the_clinic_drags_is_moved_here_its_length_included() {
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    drag(&harness, &ours(&harness), "2026-01-13T14:00:00Z", "2026-01-13T14:45:00Z");
    harness.pass(60).await;
    let now = shown(&harness, &one).await;
    assert_eq!(
        (&now["scheduled_time"], &now["duration_minutes"], &now["revision"], &now["calendar"]),
        (&json!("2026-01-13T14:00:00.000Z"), &json!(45), &json!(2), &json!("synced")),
        "{now}"
    );
    assert_eq!(events(&harness)[0]["extendedProperties"]["private"]["voxanne_revision"], "2");
    book(&harness, MONDAY_TEN, "Grace Hopper").await;
}

#[tokio::test]
async fn what_is_dragged_onto_another_stays_where_it_was_and_is_told() {
    // C9
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    let id = ours(&harness);
    book(&harness, TUESDAY_TEN, "Grace Hopper").await;
    harness.pass(60).await;
    drag(&harness, &id, "2026-01-13T10:15:00Z", "2026-01-13T10:45:00Z");
    harness.pass(60).await;
    let now = shown(&harness, &one).await;
    assert_eq!(
        (&now["scheduled_time"], &now["revision"], &now["calendar"]),
        (&json!("2026-01-12T10:00:00.000Z"), &json!(1), &json!("attention")),
        "{now}"
    );
    assert_eq!(told(&harness).await.len(), 1);
    assert!(starts(&harness).contains(&"2026-01-13T10:15:00Z".to_owned()), "nothing is moved back");
    // A person looks, and moves it: that is pushed, and is no news to anybody.
    move_to(&harness, &now, "2026-01-14T10:00:00Z").await;
    harness.pass(60).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "synced");
    assert_eq!(starts(&harness), [TUESDAY_TEN, "2026-01-14T10:00:00Z"]);
    assert_eq!(told(&harness).await.len(), 1);
}

#[tokio::test]
async fn who_drags_an_old_sight_does_not_undo_a_move_that_is_on_its_way() {
    // C9
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    let id = ours(&harness);
    move_to(&harness, &one, TUESDAY_TEN).await;
    // The push has not come yet.
    drag(&harness, &id, "2026-01-14T10:00:00Z", "2026-01-14T10:30:00Z");
    harness.pass(120).await;
    let now = shown(&harness, &one).await;
    assert_eq!(
        (&now["scheduled_time"], &now["revision"], &now["calendar"]),
        (&json!("2026-01-13T10:00:00.000Z"), &json!(2), &json!("attention")),
        "{now}"
    );
    assert_eq!(starts(&harness), [TUESDAY_TEN], "ours stands");
    assert_eq!(told(&harness).await.len(), 1);
}

#[tokio::test]
async fn who_puts_an_older_event_back_or_makes_it_a_whole_day_gets_ours_again() {
    // C9
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    let older = events(&harness).remove(0);
    move_to(&harness, &one, TUESDAY_TEN).await;
    harness.pass(60).await;
    let id = ours(&harness);
    let marks = older["extendedProperties"].clone();
    let at = |time: &str| json!({"dateTime": time, "timeZone": "Europe/London"});
    let fields = json!({"extendedProperties": marks, "start": at("2026-01-15T10:00:00Z"), "end": at("2026-01-15T10:30:00Z")});
    hand(&harness, json!({"act": "change", "calendar": ACCOUNT, "id": id, "fields": fields}));
    harness.pass(60).await;
    assert_eq!(starts(&harness), [TUESDAY_TEN]);
    assert_eq!(shown(&harness, &one).await["calendar"], "attention");
    let day = json!({"start": {"date": "2026-01-15"}, "end": {"date": "2026-01-16"}});
    hand(&harness, json!({"act": "change", "calendar": ACCOUNT, "id": id, "fields": day}));
    harness.pass(60).await;
    assert_eq!(starts(&harness), [TUESDAY_TEN]);
    assert_eq!(events(&harness)[0]["start"]["date"], Value::Null, "it is no whole day any more");
    assert_eq!(told(&harness).await.len(), 1, "once for the revision");
}

#[tokio::test]
async fn what_the_clinic_deletes_is_cancelled_and_a_copy_is_a_strangers() {
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    let id = ours(&harness);
    let copy = hand(&harness, json!({"act": "copy", "calendar": ACCOUNT, "id": id}));
    drag(&harness, copy["id"].as_str().unwrap(), "2026-01-14T10:00:00Z", "2026-01-14T10:30:00Z");
    harness.pass(60).await;
    assert_eq!(shown(&harness, &one).await["revision"], 1);
    assert_eq!(busy(&harness, "2026-01-14").await.len(), 1, "it takes time as any event does");
    hand(&harness, json!({"act": "delete", "calendar": ACCOUNT, "id": id}));
    harness.pass(60).await;
    assert_eq!(shown(&harness, &one).await["status"], "cancelled");
    book(&harness, MONDAY_TEN, "Grace Hopper").await;
    harness.pass(60).await;
    assert_eq!(starts(&harness), [MONDAY_TEN, "2026-01-14T10:00:00Z"]);
}

#[tokio::test]
async fn who_clears_a_calendar_cancels_nobody_and_is_asked() {
    // C9
    let harness = connected().await;
    let mut all = Vec::new();
    for day in 12..16 {
        for hour in ["09:00", "10:00", "11:00"] {
            all.push(book(&harness, &format!("2026-01-{day}T{hour}:00Z"), "Ada Lovelace").await);
        }
    }
    harness.pass(60).await;
    assert_eq!(events(&harness).len(), 12);
    harness.stack.google.with_faults(|faults| faults.loses_notices = true);
    for event in events(&harness) {
        hand(&harness, json!({"act": "delete", "calendar": ACCOUNT, "id": event["id"]}));
    }
    harness.pass(3_700).await;
    schedule(&harness, "poll").await;
    let standing = appointments(&harness, ORG).await;
    assert!(standing.iter().all(|one| one["status"] == "confirmed"), "{standing:?}");
    let (_, listed) = harness.get("/api/calendars", &harness.owner()).await;
    assert_eq!(listed["calendars"][0]["state"], "asking", "{listed}");
    assert_eq!(told(&harness).await.len(), 1);
    // The clinic saves the calendar again: what was deleted by mistake is put back.
    let resources = resources(&harness, ORG).await;
    map(&harness, ORG, ACCOUNT, &resources).await;
    harness.pass(120).await;
    assert_eq!(events(&harness).len(), 12);
    assert_eq!(shown(&harness, &all[0]).await["calendar"], "synced");
}

const SECOND: &str = "second@group.calendar.example";

/// A clinic of two practitioners, each with a calendar of the account's.
async fn of_two() -> Harness {
    let harness = clinic().await;
    let google = &harness.stack.google;
    google.add_account(ACCOUNT, "Europe/London");
    google.add_calendar(ACCOUNT, SECOND, "Second", "Europe/London");
    consent(&harness, ORG, Some(ACCOUNT), &[]).await;
    let hours = json!({"name": "Dr Second", "time_zone": "Europe/London"});
    let (_, second) = harness.post("/api/resources", &harness.owner(), hours.to_string()).await;
    let first =
        resources(&harness, ORG).await.into_iter().filter(|id| *id != second["id"]).collect::<Vec<_>>();
    map(&harness, ORG, ACCOUNT, &first).await;
    map(&harness, ORG, "Second", std::slice::from_ref(&second["id"])).await;
    harness
}

#[tokio::test]
async fn what_is_given_to_another_practitioners_calendar_is_not_cancelled() {
    // C9
    let harness = of_two().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    let id = ours(&harness);
    hand(&harness, json!({"act": "hand", "calendar": ACCOUNT, "id": id, "to": SECOND}));
    harness.pass(120).await;
    let now = shown(&harness, &one).await;
    assert_eq!((&now["status"], &now["calendar"]), (&json!("confirmed"), &json!("attention")), "{now}");
    assert_eq!(told(&harness).await.len(), 1);
    assert_eq!(mirrors(&harness, &one).await.len(), 2);
    // It takes time there, however often that calendar is read.
    let (_, listed) = harness.get("/api/resources", &harness.owner()).await;
    let second =
        listed["resources"].as_array().unwrap().iter().find(|one| one["name"] == "Dr Second").unwrap();
    for _ in 0..2 {
        assert_eq!(busy_of(&harness, &second["id"], "2026-01-12").await.len(), 1);
        harness.stack.google.expire_sync_tokens(SECOND);
        harness.pass(3_700).await;
        schedule(&harness, "poll").await;
        harness.pass(60).await;
    }
    assert_eq!(told(&harness).await.len(), 1);
}

#[tokio::test]
async fn who_left_stays_in_the_calendar_that_has_their_appointments() {
    let harness = of_two().await;
    let owner = harness.owner();
    let all = resources(&harness, ORG).await;
    let (_, listed) = harness.get("/api/resources", &owner).await;
    let second =
        listed["resources"].as_array().unwrap().iter().find(|one| one["name"] == "Dr Second").unwrap();
    let (_, listed) = harness.get("/api/services", &owner).await;
    let mut terms = listed["services"][0].clone();
    let service = terms["id"].clone();
    let path = format!("/api/services/{}", service.as_str().unwrap());
    for name in ["id", "version"] {
        terms.as_object_mut().unwrap().remove(name);
    }
    terms["needs"] = json!([all]);
    let change = json!({"version": 1, "terms": terms});
    assert_eq!(harness.call_api(("PATCH", &path), &owner, None, &change).await.0, 200);
    let mut hours = second.clone();
    for name in ["id", "version"] {
        hours.as_object_mut().unwrap().remove(name);
    }
    hours["weekly"] = json!({"monday": [{"from": "09:00", "to": "17:00"}]});
    let path = format!("/api/resources/{}", second["id"].as_str().unwrap());
    let change = json!({"version": second["version"], "hours": hours});
    assert_eq!(harness.call_api(("PATCH", &path), &owner, None, &change).await.0, 200);
    let body = json!({"service_id": service, "scheduled_at": MONDAY_TEN, "resource_id": second["id"], "contact": {"name": "Ada Lovelace"}});
    let (status, one) = harness.post("/api/appointments", &owner, body.to_string()).await;
    assert_eq!(status, 201, "{one}");
    harness.pass(60).await;
    assert_eq!(harness.stack.google.events(SECOND).len(), 1);
    assert_eq!(harness.call_api(("DELETE", &path), &owner, None, &Value::Null).await.0, 200);
    // Somebody saves the calendar anew.
    map(&harness, ORG, "Second", &[second["id"].clone()]).await;
    harness.pass(60).await;
    assert_eq!(harness.stack.google.events(SECOND).len(), 1, "who comes still stands there");
    let (_, listed) = harness.get("/api/calendars", &owner).await;
    let calendar = listed["calendars"].as_array().unwrap().iter().find(|one| one["name"] == ACCOUNT).unwrap();
    let path = format!("/api/calendars/{}", calendar["id"].as_str().unwrap());
    let body = json!({"version": calendar["version"], "resource_ids": [second["id"]]});
    assert_eq!(
        harness.call_api(("PATCH", &path), &owner, None, &body).await.0,
        400,
        "no other gets who left"
    );
}

#[tokio::test]
async fn what_may_be_in_a_calendar_that_is_not_read_is_not_cancelled() {
    // C9: one that is not used any more, one that nobody can reach, and one that may not be asked.
    for way in ["unused", "broken", "refused"] {
        let harness = of_two().await;
        let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
        harness.pass(60).await;
        let id = ours(&harness);
        if way == "broken" {
            harness.stack.google.share(SECOND, ACCOUNT, None);
            harness.pass(3_700).await;
            schedule(&harness, "poll").await;
            hand(&harness, json!({"act": "delete", "calendar": ACCOUNT, "id": id}));
        } else {
            map(&harness, ORG, "Second", &[]).await;
            hand(&harness, json!({"act": "hand", "calendar": ACCOUNT, "id": id, "to": SECOND}));
        }
        if way == "refused" {
            harness.fault(("google", "get_event"), Mode::Refuse, 100);
        }
        let before = told(&harness).await.len();
        harness.pass(120).await;
        let now = shown(&harness, &one).await;
        assert_eq!(
            (&now["status"], &now["calendar"]),
            (&json!("confirmed"), &json!("attention")),
            "{way}: {now}"
        );
        assert_eq!(told(&harness).await.len(), before + 1, "{way}: it is told once");
    }
}
