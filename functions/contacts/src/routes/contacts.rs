//! `/api/contacts`: whom the clinic knows.

use domain::{
    audit::{Action, AuditEntry, RecordId},
    booking::{
        appointment::{Patient, PatientName},
        intake::Answered,
    },
    contact::{Contact, Search},
    email::EmailAddress,
    ids::{ContactId, OrgId},
    personal::{Personal, Words},
    time::{rfc3339_millis, whole_millis},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    Attempt, StoreError,
    contacts::{Listed as Page, Place},
};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::{actor, invalid, phone_number},
    routes::{Answer, Input},
};

use crate::Deps;

/// The longest notes, in characters.
const LONGEST_NOTES: usize = 2_000;
/// The longest text that is looked for, in characters.
const LONGEST_SEARCH: usize = 100;
/// Among how many contacts one answer looks at the most: so many reads of so many.
const MOST_READS: u8 = 10;
const A_READ: u16 = 500;

/// Which are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    cursor: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// The beginning of any word of the name, whatever its capitals and accents, of each word that is given; a number or a part of it, as
    /// it is dialled (`07700…`) or in E.164; or the beginning of the address.
    #[param(max_length = 100)]
    search: Option<String>,
}
web::query_values!(Asked);

/// A person whom the clinic is to know.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"contact_name": "Ada Lovelace", "phone_number": "+447700900123", "email": "ada@example.com"}))]
pub struct Wanted {
    contact_name: String,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    phone_number: Value,
    #[serde(default)]
    email: Option<String>,
    /// Whether they said that texts may be sent to their number, or that none may.
    #[serde(default)]
    may_text: Option<bool>,
}

/// What is to be another. What is left out stays as it is; an empty text takes it away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 1, "notes": "Deaf in one ear."}))]
pub struct Change {
    /// The state that was seen.
    version: u64,
    #[serde(default)]
    contact_name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    notes: Option<String>,
    /// Whether they said that texts may be sent to their number, or that none may.
    #[serde(default)]
    may_text: Option<bool>,
}
web::json_bodies!(Wanted, Change);

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    contacts: Vec<Shown>,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    /// Where the next page begins, or the search goes on; null after the last.
    next_cursor: Option<String>,
    /// Whether the search has looked at as many contacts as one answer does, 5,000, and not found enough for the page: there are others,
    /// among which it goes on from `next_cursor`.
    is_cut: bool,
}

/// A contact as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: ContactId,
    version: u64,
    contact_name: String,
    phone_number: Option<String>,
    email: Option<String>,
    /// What was last said of texts to the number: that they may be sent, or that none may; null where nobody asked.
    may_text: Option<bool>,
    /// What they answered when they booked: the last to each question.
    answers: Vec<Answered>,
    notes: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<Contact> for Shown {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.contact_id,
            version: contact.version,
            contact_name: contact.name.reveal().to_owned(),
            phone_number: contact.phone_number.map(|number| number.reveal().as_str().to_owned()),
            email: contact.email.map(String::from),
            may_text: contact.may_text,
            answers: contact.answers,
            notes: contact.notes.map(|notes| notes.reveal().clone()),
            created_at: rfc3339_millis(contact.created_at),
            updated_at: rfc3339_millis(contact.updated_at),
        }
    }
}

/// Lists whom the clinic knows, the one that was changed last first, page by page; of a search, those whom it finds.
///
/// # Errors
/// When a query value is not usable, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Listed>, Problem> {
    let limit = limit(input.query.limit.as_deref())?;
    let after = input.query.cursor.as_deref().map(place).transpose()?;
    let (page, is_cut) = match search(input.query.search.as_deref())? {
        Some(search) => found(deps, caller.org, &search, (after, limit)).await?,
        None => (deps.contacts.last(caller.org, after.as_ref(), limit).await?, false),
    };
    let next_cursor = page.next.map(|next| format!("{}.{}", next.updated_at, next.contact_id));
    let contacts = page.contacts.into_iter().map(Shown::from).collect();
    Ok(Answer::ok(Listed { contacts, pagination: Pagination { next_cursor, is_cut } }))
}

/// A page of those whom a search finds, and whether it ended before it was full, because so many had been looked at.
async fn found(
    deps: &Deps,
    org: OrgId,
    search: &Search,
    (mut after, limit): (Option<Place>, u16),
) -> Result<(Page, bool), StoreError> {
    let limit = usize::from(limit);
    let mut contacts: Vec<Contact> = Vec::new();
    for _ in 0..MOST_READS {
        let page = deps.contacts.last(org, after.as_ref(), A_READ).await?;
        let mut rest = page.contacts.into_iter().filter(|contact| search.finds(contact)).peekable();
        contacts.extend(rest.by_ref().take(limit.saturating_sub(contacts.len())));
        let is_full = contacts.len() >= limit;
        let has_others = is_full && rest.peek().is_some();
        after = if has_others { contacts.last().map(Place::of) } else { page.next };
        if is_full || after.is_none() {
            return Ok((Page { contacts, next: after }, false));
        }
    }
    Ok((Page { contacts, next: after }, true))
}

/// Adds a person whom the clinic does not know. One of this number and name that it knows is shown instead, after what is said anew of
/// texts, and with the address where it had none.
///
/// # Errors
/// When the caller may not, or a value is not usable.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_keep_the_diary()?;
    let wanted = &input.body;
    let patient = Patient {
        name: name(&wanted.contact_name)?,
        phone_number: phone_number(&wanted.phone_number, "phone_number")?.map(Personal::new),
        email: wanted.email.as_deref().map(email).transpose()?,
        may_text: wanted.may_text,
    };
    let (patient, input) = (&patient, &input);
    let write = || async move {
        let now = deps.platform.clock.now();
        if let Some(number) = &patient.phone_number {
            let known = deps.contacts.find(caller.org, number.reveal(), &patient.name).await?;
            if let Some(known) = known {
                let Some(after) = known.learning(patient, now) else {
                    return Ok::<_, Problem>(Attempt::Done(Answer::ok(known.into())));
                };
                let act = act(caller, input, &after, Action::ChangeContact, now);
                let written = Attempt::of(deps.contacts.rename(&known, &after, &act).await)?;
                return Ok(written.map(|()| Answer::ok(after.written().into())));
            }
        }
        let id = ContactId::parse(deps.platform.entropy.uuid(now).to_string())
            .map_err(|error| Problem::internal(&error))?;
        let contact = Contact::of(caller.org, id, patient, now);
        let act = act(caller, input, &contact, Action::AddContact, now);
        let written = Attempt::of(deps.contacts.save(&contact, &act).await)?;
        Ok(written.map(|()| Answer::with(StatusCode::CREATED, contact.written().into())))
    };
    deps.db.until_written("the contact", write).await
}

/// Shows a contact.
///
/// # Errors
/// When the clinic has none of this id, or the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Shown>, Problem> {
    Ok(Answer::ok(there(deps, caller, input.path.get("id")).await?.into()))
}

/// Changes a contact. By its number it is found under its old name and under the new one.
///
/// # Errors
/// When the caller may not, a value is not usable, the clinic has none of this id, it was changed meanwhile, or another has its
/// number and this name.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Change>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_keep_the_diary()?;
    let change = &input.body;
    let before = there(deps, caller, input.path.get("id")).await?;
    let now = deps.platform.clock.now();
    let after_email = match change.email.as_deref() {
        None => before.email.clone(),
        Some("") => None,
        Some(text) => Some(email(text)?),
    };
    let changed = Contact {
        name: change.contact_name.as_deref().map(name).transpose()?.unwrap_or_else(|| before.name.clone()),
        notes: match change.notes.as_deref() {
            None => before.notes.clone(),
            Some(text) => notes(text)?,
        },
        may_text: change.may_text.or(before.may_text),
        ..before.clone().with_email(after_email, now)
    };
    if (Contact { email_since: before.email_since, ..changed.clone() }) == before {
        return Ok(Answer::ok(before.into()));
    }
    if change.version != before.version {
        return Err(meanwhile());
    }
    let is_renamed = !changed.name.is_same(&before.name);
    let number = changed.phone_number.as_ref().filter(|_| is_renamed);
    if let Some(number) = number {
        let other = deps.contacts.find(caller.org, number.reveal(), &changed.name).await?;
        if other.is_some_and(|other| other.contact_id != before.contact_id) {
            return Err(Problem::new(Code::VersionConflict)
                .saying("Another contact has this number and this name. Use that one."));
        }
    }
    let after = Contact { updated_at: whole_millis(now), ..changed };
    let act = act(caller, &input, &after, Action::ChangeContact, now);
    match Attempt::of(deps.contacts.rename(&before, &after, &act).await)? {
        Attempt::Done(()) => Ok(Answer::ok(after.written().into())),
        Attempt::Moved => Err(meanwhile()),
    }
}

async fn there(deps: &Deps, caller: &Caller, id: &str) -> Result<Contact, Problem> {
    let not_found = || Problem::new(Code::NotFound);
    let id = ContactId::parse(id).map_err(|_| not_found())?;
    deps.contacts.get(caller.org, &id).await?.ok_or_else(not_found)
}

fn meanwhile() -> Problem {
    Problem::new(Code::VersionConflict)
        .saying("The contact was changed meanwhile. Load it again, and make your change to that.")
}

/// What the audit log keeps of it.
fn act<B>(
    caller: &Caller,
    input: &Input<(), B>,
    contact: &Contact,
    action: Action,
    now: Timestamp,
) -> AuditEntry {
    let record = RecordId::Contact(contact.contact_id.clone());
    AuditEntry::granted(caller.org, actor(caller, &input.origin), (action, record), None, now)
}

fn name(text: &str) -> Result<PatientName, Problem> {
    PatientName::parse(text).map_err(|error| invalid(format!("contact_name: {error}.")))
}

fn email(text: &str) -> Result<EmailAddress, Problem> {
    EmailAddress::parse(text).map_err(|error| invalid(format!("email: {error}.")))
}

fn notes(text: &str) -> Result<Option<Personal<String, Words>>, Problem> {
    if text.chars().count() > LONGEST_NOTES {
        return Err(invalid(format!("notes have at most {LONGEST_NOTES} characters.")));
    }
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()).map(Personal::new))
}

fn search(text: Option<&str>) -> Result<Option<Search>, Problem> {
    let text = text.unwrap_or_default();
    if text.chars().count() > LONGEST_SEARCH {
        return Err(invalid(format!("search is at most {LONGEST_SEARCH} characters.")));
    }
    Ok(Search::parse(text))
}

fn limit(text: Option<&str>) -> Result<u16, Problem> {
    let Some(text) = text else { return Ok(50) };
    let read = text.parse().ok().filter(|limit| (1..=100).contains(limit));
    read.ok_or_else(|| invalid("limit is a whole number of 1 to 100."))
}

/// Where a page begins: `<changed at>.<id>`, of which the first has a point of its own.
fn place(text: &str) -> Result<Place, Problem> {
    let read = || {
        let (at, id) = text.split_once("Z.")?;
        let at: Timestamp = format!("{at}Z").parse().ok()?;
        Some(Place { updated_at: rfc3339_millis(at), contact_id: ContactId::parse(id).ok()? })
    };
    read().ok_or_else(|| invalid("cursor is the next_cursor of the page before."))
}
