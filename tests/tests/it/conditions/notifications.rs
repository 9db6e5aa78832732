//! The conditions of what clinics are told.

use domain::{
    booking::conversation::Conversation,
    ids::NotificationId,
    notification::{Kind, Notification, Said},
    personal::Personal,
};
use serde_json::Value;
use store::{
    ChangeError,
    booking::{Booking, Bookings},
    notifications::Notifications,
};
use tests::{Harness, ORG};

use super::{
    Guard, VERSION,
    booking::{begun, refused},
    broken, is_put_to,
};

const NEW: &str = "attribute_not_exists(item)";
const NEW_NOTE: &str = "attribute_not_exists(notification_id)";
const THERE: &str = "attribute_exists(notification_id)";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "tell the clinic", "appointments call#", NEW, NEW => a_calls_first_message_is_noted_once;
        "tell the clinic", "appointments call#", VERSION, VERSION => a_message_is_told_by_what_the_call_has_told;
        "tell the clinic", "notifications", NEW_NOTE, NEW_NOTE => a_message_is_written_over_no_other;
        "read", "notifications", THERE, THERE => reading_makes_no_notification;
        "forget", "notifications", THERE, THERE => what_is_not_there_is_not_deleted;
    }
}

/// Which write of a notification a transaction is, if it is one.
pub(super) fn transaction_of(items: &[Value]) -> Option<&'static str> {
    let is_deleted = |item: &Value| {
        item["Delete"]["TableName"].as_str().is_some_and(|name| name.ends_with("-notifications"))
    };
    if items.iter().any(is_deleted) {
        return Some("forget");
    }
    items.iter().any(|item| is_put_to(item, "notifications")).then_some("tell the clinic")
}

fn message(fingerprint: &str) -> Notification {
    let said = Said {
        kind: Kind::MessageTaken,
        is_urgent: false,
        text: Personal::new("Please ring back.".to_owned()),
        fingerprint: fingerprint.to_owned(),
    };
    Notification::of_call((ORG, begun().call_id), None, said, local::stack::test_epoch())
}

async fn tell(
    harness: &Harness,
    conversation: &Conversation,
    notification: &Notification,
) -> Result<(), ChangeError> {
    let booking =
        Booking { conversation: Some(conversation), notification: Some(notification), ..Booking::default() };
    Bookings::new(harness.stack.db()).book(ORG, &booking).await
}

async fn there(harness: &Harness) -> Conversation {
    Bookings::new(harness.stack.db()).conversation(ORG, &begun().call_id).await.unwrap()
}

async fn a_calls_first_message_is_noted_once(harness: Harness) -> Result<(), String> {
    tell(&harness, &begun(), &message("a")).await.unwrap();
    refused(tell(&harness, &begun(), &message("b")).await, "the call forgot its first message")
}

async fn a_message_is_told_by_what_the_call_has_told(harness: Harness) -> Result<(), String> {
    tell(&harness, &begun(), &message("a")).await.unwrap();
    let read = there(&harness).await;
    tell(&harness, &read, &message("b")).await.unwrap();
    refused(tell(&harness, &read, &message("c")).await, "the call forgot its second message")
}

async fn a_message_is_written_over_no_other(harness: Harness) -> Result<(), String> {
    tell(&harness, &begun(), &message("a")).await.unwrap();
    let read = there(&harness).await;
    refused(tell(&harness, &read, &message("a")).await, "a message was written over")
}

async fn reading_makes_no_notification(harness: Harness) -> Result<(), String> {
    let read = Notifications::new(harness.stack.db()).read(ORG, &nobodys()).await;
    if matches!(read, Ok(None)) { Ok(()) } else { broken(("something was read that is not there", read)) }
}

async fn what_is_not_there_is_not_deleted(harness: Harness) -> Result<(), String> {
    let deleted = Notifications::new(harness.stack.db()).delete(ORG, &nobodys()).await;
    if matches!(deleted, Ok(false)) {
        Ok(())
    } else {
        broken(("nothing was deleted, and said to be", deleted))
    }
}

fn nobodys() -> NotificationId {
    NotificationId::parse("nobodys").unwrap()
}

/// Does all that the store can do with notifications.
pub(super) async fn use_everything(harness: &Harness) {
    let call = Conversation::begun(ORG, domain::ids::CallId::parse("call-n").unwrap());
    tell(harness, &call, &message("a")).await.unwrap();
    let read = Bookings::new(harness.stack.db()).conversation(ORG, &call.call_id).await.unwrap();
    tell(harness, &read, &message("b")).await.unwrap();
    let notifications = Notifications::new(harness.stack.db());
    let id = message("a").notification_id;
    notifications.read(ORG, &id).await.unwrap();
    notifications.delete(ORG, &id).await.unwrap();
}
