//! `/api/notifications`: what the clinic is told, and what of it was read.

use domain::{
    ids::{CallId, NotificationId},
    notification::{Kind, Notification},
    time::rfc3339_millis,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// How many are counted, and marked as read, at the most.
const MOST_COUNTED: u16 = 100;
/// How many pages of the store one answer reads at the most, where a filter leaves little of each.
const MOST_READS: u8 = 10;

/// Which are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    cursor: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
}
web::query_values!(Asked);

/// Which of them, by whether they were read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Unread,
    Read,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    notifications: Vec<Shown>,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    next_cursor: Option<NotificationId>,
}

/// A notification as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: NotificationId,
    #[serde(rename = "type")]
    kind: Kind,
    urgent: bool,
    read: bool,
    message: String,
    phone_number: Option<String>,
    call_id: Option<CallId>,
    created_at: String,
}

impl From<Notification> for Shown {
    fn from(notification: Notification) -> Self {
        Self {
            id: notification.notification_id,
            kind: notification.kind,
            urgent: notification.is_urgent,
            read: notification.unread.is_none(),
            message: notification.text.reveal().clone(),
            phone_number: notification.phone_number.map(|number| number.reveal().as_str().to_owned()),
            call_id: notification.call_id,
            created_at: rfc3339_millis(notification.at),
        }
    }
}

/// Lists what the clinic is told, the newest first, page by page.
///
/// # Errors
/// When the caller may not see it, a query value is not usable, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Listed>, Problem> {
    let asked = &input.query;
    let limit = limit(asked.limit.as_deref())?;
    let which = which(asked.status.as_deref())?;
    let kind = asked.kind.as_deref().map(kind).transpose()?;
    let mut before = asked.cursor.as_deref().map(cursor).transpose()?;
    let mut shown: Vec<Shown> = Vec::new();
    for _ in 0..MOST_READS {
        let is_unread = which == Which::Unread;
        // One more than is shown: it tells whether another page follows.
        let most = limit.saturating_add(1);
        let page = deps.notifications.last(caller.org, (before.as_ref(), most), is_unread).await?;
        before = page.next;
        let mut rest = page.notifications.into_iter().peekable();
        while let Some(notification) = rest.next() {
            let passes = kind.is_none_or(|kind| notification.kind == kind)
                && (which != Which::Read || notification.unread.is_none());
            if !passes {
                continue;
            }
            shown.push(notification.into());
            if shown.len() >= usize::from(limit) {
                // A page that is full ends at the one that filled it; after the store's last there is nothing to ask for.
                if rest.peek().is_some() {
                    before = shown.last().map(|last| last.id.clone());
                }
                break;
            }
        }
        if before.is_none() || shown.len() >= usize::from(limit) {
            break;
        }
    }
    Ok(Answer::ok(Listed { notifications: shown, pagination: Pagination { next_cursor: before } }))
}

/// How many nobody has read.
#[derive(Debug, Serialize, ToSchema)]
pub struct Count {
    /// The count, up to 100.
    count: usize,
}

/// Counts those that nobody has read, up to 100.
///
/// # Errors
/// When the store does not answer.
pub async fn unread(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Count>, Problem> {
    let page = deps.notifications.last(caller.org, (None, MOST_COUNTED), true).await?;
    Ok(Answer::ok(Count { count: page.notifications.len() }))
}

/// Notes that one was read, and shows it.
///
/// # Errors
/// When the caller may not, there is none of this id, or the store does not answer.
pub async fn read(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Shown>, Problem> {
    caller.may_keep_the_diary()?;
    let read = deps.notifications.read(caller.org, &id(&input)?).await?;
    read.map(|read| Answer::ok(read.into())).ok_or_else(|| Problem::new(Code::NotFound))
}

/// How many were marked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Marked {
    marked: usize,
    /// Whether more are unread: then ask again.
    has_more: bool,
}

/// Notes that all were read, the newest 100; but not emergencies, one of which may have come since the list was shown.
///
/// # Errors
/// When the caller may not, or the store does not answer: those that were marked are.
pub async fn read_all(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Marked>, Problem> {
    caller.may_keep_the_diary()?;
    let page = deps.notifications.last(caller.org, (None, MOST_COUNTED), true).await?;
    let mut marked = 0_usize;
    for notification in page.notifications.iter().filter(|one| one.kind != Kind::Emergency) {
        deps.notifications.read(caller.org, &notification.notification_id).await?;
        marked = marked.saturating_add(1);
    }
    Ok(Answer::ok(Marked { marked, has_more: page.next.is_some() }))
}

/// That one is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    deleted: bool,
}

/// Deletes one.
///
/// # Errors
/// When the caller may not, there is none of this id, or the store does not answer.
pub async fn delete(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Deleted>, Problem> {
    caller.may_keep_the_diary()?;
    let id = id(&input)?;
    if !deps.notifications.delete(caller.org, &id).await? {
        return Err(Problem::new(Code::NotFound));
    }
    tracing::info!(org_id = %caller.org, user = %caller.user, notification_id = %id, "a notification was deleted");
    Ok(Answer::ok(Deleted { deleted: true }))
}

fn id(input: &Input) -> Result<NotificationId, Problem> {
    NotificationId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))
}

fn limit(text: Option<&str>) -> Result<u16, Problem> {
    let Some(text) = text else { return Ok(50) };
    let read = text.parse().ok().filter(|limit| (1..=100).contains(limit));
    read.ok_or_else(|| invalid("limit is a whole number of 1 to 100."))
}

fn which(text: Option<&str>) -> Result<Which, Problem> {
    match text {
        None | Some("all") => Ok(Which::All),
        Some("unread") => Ok(Which::Unread),
        Some("read") => Ok(Which::Read),
        Some(_) => Err(invalid("status is unread, read or all.")),
    }
}

fn kind(text: &str) -> Result<Kind, Problem> {
    let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    known.ok_or_else(|| invalid(format!("type is one of {}.", Kind::ALL.map(Kind::as_str).join(", "))))
}

fn cursor(text: &str) -> Result<NotificationId, Problem> {
    NotificationId::parse(text).map_err(|_| invalid("cursor is the next_cursor of the page before."))
}
