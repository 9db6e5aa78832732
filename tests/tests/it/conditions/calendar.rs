//! The conditions of clinics' calendars.

use domain::{
    booking::diary::ResourceDay,
    calendar::{Access, Calendar, Connection, ConnectionState, Mirror, Stance, Title},
    ids::{AppointmentId, CalendarId, ChannelId, ResourceId, UserId},
    notification::Notification,
    personal::Personal,
    sealed::Sealed,
};
use jiff::Timestamp;
use serde_json::Value;
use store::calendars::{
    CalendarCredential, CalendarCredentials, Calendars, ChannelDoor, ConsentDoor, Doors, Externals,
};
use tests::{Harness, ORG, OTHER_ORG};

use super::{Guard, VERSION, booking::refused, broken, is_put_to};

const NEW: &str = "attribute_not_exists(item)";
const THERE: &str = "attribute_exists(#item)";
const NEW_NOTE: &str = "attribute_not_exists(notification_id)";
const NEW_CHANNEL: &str = "attribute_not_exists(channel_id)";
const NEW_CREDENTIAL: &str = "attribute_not_exists(provider_type)";
const OWN: &str = "org_id = :org";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "save calendar", "calendars", NEW, NEW => an_account_is_connected_once;
        "save calendar", "calendars", VERSION, VERSION => an_older_account_changes_nothing;
        "save calendar", "calendars calendar#", NEW, NEW => a_calendar_is_noted_once;
        "save calendar", "calendars calendar#", VERSION, VERSION => an_older_calendar_changes_nothing;
        "save calendar", "calendars event#", NEW, NEW => an_appointment_begins_in_a_calendar_once;
        "save calendar", "calendars event#", VERSION, VERSION => an_older_push_changes_nothing;
        "save calendar", "notifications", NEW_NOTE, NEW_NOTE => what_is_told_is_written_over_nothing;
        "note", "calendars", THERE, THERE => a_word_makes_no_calendar;
        "put", "calendar_channels", NEW_CHANNEL, NEW_CHANNEL => a_channel_is_one_orgs;
        "take consent", "calendar_channels", OWN, OWN => a_consent_is_taken_once;
        "put", "org_credentials", NEW_CREDENTIAL, NEW_CREDENTIAL => what_opens_an_account_is_written_over_nothing;
        "forget credential", "org_credentials", VERSION, VERSION => what_was_connected_anew_is_not_forgotten;
        "put", "resource_days", NEW, NEW => a_day_that_nobody_had_written_is_others_once;
        "put", "resource_days", VERSION, VERSION => what_others_keep_is_written_on_the_day_that_was_read;
    }
}

/// Which write of a calendar's a transaction is, if it is one.
pub(super) fn transaction_of(items: &[Value]) -> Option<&'static str> {
    let deletes = |table: &str| {
        let is_it = |item: &Value| {
            item["Delete"]["TableName"].as_str().is_some_and(|name| name.rsplit('-').next() == Some(table))
        };
        items.iter().any(is_it)
    };
    if items.iter().any(|item| is_put_to(item, "calendars")) {
        return Some("save calendar");
    }
    if deletes("calendar_channels") {
        return Some("take consent");
    }
    (items.len() == 1 && deletes("org_credentials")).then_some("forget credential")
}

fn at() -> Timestamp {
    local::stack::test_epoch()
}

fn store(harness: &Harness) -> Calendars {
    Calendars::new(harness.stack.db())
}

fn connection() -> Connection {
    Connection {
        org_id: ORG,
        version: 0,
        state: ConnectionState::Connected,
        account: Personal::new("front.desk@clinic.example".to_owned()),
        connected_by: UserId::parse("user-1").unwrap(),
        connected_at: at(),
        title: Title::Reference,
        cancelled: Vec::new(),
    }
}

fn calendar() -> Calendar {
    Calendar {
        org_id: ORG,
        calendar_id: CalendarId::parse("c1").unwrap(),
        version: 0,
        vendor_id: Personal::new("front.desk@clinic.example".to_owned()),
        name: Personal::new("Front desk".to_owned()),
        time_zone: domain::clinic::ClinicZone::default(),
        access: Access::Write,
        stance: Stance::Active,
        resource_ids: Vec::new(),
        sync_token: None,
        generation: 0,
        synced_at: None,
        lease_until: at(),
        awaited: None,
        dirty: 0,
        channel: None,
        poll_shard: None,
        poll_at: at(),
    }
}

fn mirror() -> Mirror {
    Mirror::begun(ORG, AppointmentId::parse("a1").unwrap(), CalendarId::parse("c1").unwrap())
}

fn told() -> Notification {
    Notification::of_calendar(ORG, "Look at the calendar.".to_owned(), "abc", at())
}

fn sealed() -> Sealed {
    Sealed { key_id: "k1".into(), nonce: "bm9uY2U=".into(), ciphertext: "dGV4dA==".into() }
}

fn credential() -> CalendarCredential {
    CalendarCredential {
        org_id: ORG,
        version: 0,
        refresh_token: sealed(),
        access_token: None,
        access_until: at(),
        scopes: Vec::new(),
    }
}

fn channel(org_id: domain::ids::OrgId) -> ChannelDoor {
    ChannelDoor {
        channel_id: ChannelId::parse("channel-1").unwrap(),
        org_id,
        calendar_id: CalendarId::parse("c1").unwrap(),
        token_hash: "abc".into(),
        expires_at: at().as_second(),
    }
}

fn consent() -> ConsentDoor {
    ConsentDoor {
        state_hash: "abc".into(),
        browser_hash: "def".into(),
        org_id: ORG,
        user_id: UserId::parse("user-1").unwrap(),
        verifier: sealed(),
        until: at(),
        expires_at: at().as_second(),
    }
}

fn day() -> ResourceDay {
    ResourceDay::untouched(ORG, ResourceId::parse("r1").unwrap(), "2026-01-12".parse().unwrap())
}

async fn an_account_is_connected_once(harness: Harness) -> Result<(), String> {
    store(&harness).save_connection(&connection(), None).await.unwrap();
    refused(store(&harness).save_connection(&connection(), None).await, "an account was written over")
}

async fn an_older_account_changes_nothing(harness: Harness) -> Result<(), String> {
    let first = store(&harness).save_connection(&connection(), None).await.unwrap();
    store(&harness).save_connection(&first, None).await.unwrap();
    refused(store(&harness).save_connection(&first, None).await, "an older account was written")
}

async fn a_calendar_is_noted_once(harness: Harness) -> Result<(), String> {
    store(&harness).save_calendar(&calendar(), None).await.unwrap();
    refused(store(&harness).save_calendar(&calendar(), None).await, "a calendar was written over")
}

async fn an_older_calendar_changes_nothing(harness: Harness) -> Result<(), String> {
    let first = store(&harness).save_calendar(&calendar(), None).await.unwrap();
    store(&harness).raise_dirty(ORG, &first.calendar_id).await.unwrap();
    refused(store(&harness).save_calendar(&first, None).await, "a word was forgotten")
}

async fn an_appointment_begins_in_a_calendar_once(harness: Harness) -> Result<(), String> {
    store(&harness).save_mirror(&mirror(), None).await.unwrap();
    refused(store(&harness).save_mirror(&mirror(), None).await, "a push was written over")
}

async fn an_older_push_changes_nothing(harness: Harness) -> Result<(), String> {
    let first = store(&harness).save_mirror(&mirror(), None).await.unwrap();
    store(&harness).save_mirror(&first, None).await.unwrap();
    refused(store(&harness).save_mirror(&first, None).await, "an older push was written")
}

async fn what_is_told_is_written_over_nothing(harness: Harness) -> Result<(), String> {
    let first = store(&harness).save_connection(&connection(), Some(&told())).await.unwrap();
    refused(store(&harness).save_connection(&first, Some(&told())).await, "what was told was written over")
}

async fn a_word_makes_no_calendar(harness: Harness) -> Result<(), String> {
    let id = CalendarId::parse("nobodys").unwrap();
    store(&harness).raise_dirty(ORG, &id).await.unwrap();
    match store(&harness).calendar(ORG, &id).await {
        Ok(None) => Ok(()),
        other => broken(("a word made a calendar", other.is_ok())),
    }
}

async fn a_channel_is_one_orgs(harness: Harness) -> Result<(), String> {
    let doors = Doors::new(harness.stack.db());
    assert!(doors.open_channel(&channel(ORG)).await.unwrap());
    match doors.open_channel(&channel(OTHER_ORG)).await {
        Ok(false) => Ok(()),
        other => broken(("a channel was given to another", other)),
    }
}

async fn a_consent_is_taken_once(harness: Harness) -> Result<(), String> {
    let doors = Doors::new(harness.stack.db());
    doors.open_consent(&consent()).await.unwrap();
    let (one, other) = tokio::join!(doors.take_consent("abc"), doors.take_consent("abc"));
    let taken = [one.unwrap(), other.unwrap()].iter().flatten().count();
    if taken == 1 { Ok(()) } else { broken(("a consent was taken so often", taken)) }
}

async fn what_opens_an_account_is_written_over_nothing(harness: Harness) -> Result<(), String> {
    let credentials = CalendarCredentials::new(harness.stack.db());
    credentials.save(&credential()).await.unwrap();
    refused(credentials.save(&credential()).await, "what opens an account was written over")
}

async fn what_was_connected_anew_is_not_forgotten(harness: Harness) -> Result<(), String> {
    let credentials = CalendarCredentials::new(harness.stack.db());
    let first = credentials.save(&credential()).await.unwrap();
    credentials.save(&first).await.unwrap();
    refused(credentials.delete(&first).await, "what was connected anew was forgotten")
}

async fn a_day_that_nobody_had_written_is_others_once(harness: Harness) -> Result<(), String> {
    let externals = Externals::new(harness.stack.db());
    externals.save_day(&day()).await.unwrap();
    refused(externals.save_day(&day()).await, "a day was written over")
}

async fn what_others_keep_is_written_on_the_day_that_was_read(harness: Harness) -> Result<(), String> {
    let externals = Externals::new(harness.stack.db());
    externals.save_day(&day()).await.unwrap();
    let read = ResourceDay { version: 1, ..day() };
    externals.save_day(&read).await.unwrap();
    refused(externals.save_day(&read).await, "an older day was written")
}

/// Does all that the store can do with calendars.
pub(super) async fn use_everything(harness: &Harness) {
    let calendars = store(harness);
    let first = calendars.save_connection(&connection(), Some(&told())).await.unwrap();
    calendars.save_connection(&first, None).await.unwrap();
    let first = calendars.save_calendar(&calendar(), None).await.unwrap();
    let first = calendars.save_calendar(&first, None).await.unwrap();
    calendars.raise_dirty(ORG, &first.calendar_id).await.unwrap();
    let first = calendars.save_mirror(&mirror(), None).await.unwrap();
    calendars.save_mirror(&first, None).await.unwrap();
    let doors = Doors::new(harness.stack.db());
    doors.open_channel(&channel(ORG)).await.unwrap();
    doors.open_consent(&consent()).await.unwrap();
    doors.take_consent("abc").await.unwrap();
    let credentials = CalendarCredentials::new(harness.stack.db());
    let first = credentials.save(&credential()).await.unwrap();
    let second = credentials.save(&first).await.unwrap();
    credentials.delete(&second).await.unwrap();
    let externals = Externals::new(harness.stack.db());
    let fresh = ResourceDay::untouched(ORG, ResourceId::parse("r9").unwrap(), "2026-01-12".parse().unwrap());
    externals.save_day(&fresh).await.unwrap();
    externals.save_day(&ResourceDay { version: 1, ..fresh }).await.unwrap();
}
