//! `/api/appointments/{id}`, and `POST /api/appointments`: what the clinic's people book, move, cancel and note themselves.

use domain::{
    booking::{
        appointment::{Appointment, Patient, PatientName, Status},
        availability::Unfit,
    },
    contact::Contact,
    email::EmailAddress,
    ids::{AppointmentId, ContactId, ResourceId, ServiceId},
    personal::{Personal, Words, plain},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::appointments::{Asker, By, Move, Request, Requested};
use store::Attempt;
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::{actor, fingerprint, idempotency_key, invalid, phone_number},
    routes::{Answer, Input},
};

use super::{
    is_near,
    list::{Shown, status},
    slots,
};
use crate::Deps;

/// The longest notes, in characters.
const LONGEST_NOTES: usize = 2_000;
/// The longest reason of an overbooking, in characters.
const LONGEST_REASON: usize = 200;

/// What is to be booked.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"service_id": "service-1", "scheduled_at": "2026-01-12T10:00:00Z", "contact": {"name": "Ada Lovelace", "phone": "+447700900123", "email": "ada@example.com"}}))]
pub struct Wanted {
    service_id: String,
    #[serde(default)]
    resource_id: Option<String>,
    scheduled_at: String,
    /// For whom: a person whom the clinic knows,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact_id: Option<String>,
    /// or one whom it may not know yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact: Option<Named>,
    /// Whether the contact says now that texts may be sent to their number, or that none may. For a person by name say it in `contact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    may_text: Option<bool>,
    #[serde(default)]
    notes: Option<String>,
    /// Why it is booked although the time is not free.
    #[serde(default)]
    overbook: Option<String>,
}

/// A person by name, and how they are reached.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+447700900123")]
    phone: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the patient said that texts may be sent to the number, or that none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    may_text: Option<bool>,
}

/// What is to be another: the time, or how it stands and what is noted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"revision": 1, "scheduled_at": "2026-01-12T11:00:00Z"}))]
pub struct Change {
    revision: u64,
    /// The state that was seen: a change of status or notes is refused where another came between. Without it, the last one stands.
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    scheduled_at: Option<String>,
    #[serde(default)]
    resource_id: Option<String>,
    #[serde(default)]
    notes: Option<String>,
    #[serde(default)]
    overbook: Option<String>,
}
web::json_bodies!(Wanted, Change);

/// What is to be cancelled.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The revision that was seen.
    revision: Option<String>,
}
web::query_values!(Seen);

/// Books an appointment. A repeat, by the same `Idempotency-Key` or within ten minutes by the same body, is answered with the
/// appointment that it became.
///
/// # Errors
/// When the caller may not book, a value is not usable, the clinic has no such service, or the time cannot be booked: then with
/// other times of that day, as `alternatives`.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_keep_the_diary()?;
    let wanted = &input.body;
    let key = idempotency_key(&input.headers)?;
    let body = serde_json::to_string(wanted).map_err(|error| Problem::internal(&error))?;
    let body_hash = key.as_ref().map(|_| fingerprint(&[&body]));
    let intent = match &key {
        Some(key) => fingerprint(&["key", key]),
        None => fingerprint(&["body", caller.user.as_str(), &body]),
    };
    let service_id = ServiceId::parse(wanted.service_id.as_str())
        .map_err(|_| invalid("service_id is the id of one of the clinic's services."))?;
    let resource_id = resource(wanted.resource_id.as_deref())?;
    let starts_at = start(&wanted.scheduled_at)?;
    let (patient, contact) = patient(deps, caller, wanted).await?;
    let reason = wanted.overbook.as_deref().map(reason).transpose()?;
    let words = wanted.notes.as_deref().map(notes).transpose()?;
    let by = actor(caller, &input.origin);
    let request = Request {
        service_id: &service_id,
        starts_at,
        resource_id: resource_id.as_ref(),
        patient: &patient,
        contact: contact.as_ref(),
        notes: words.as_ref(),
        overbook: reason.as_ref(),
        by: &by,
        intent: &intent,
        body_hash: body_hash.as_deref(),
    };
    match deps.appointments.make(caller.org, &request).await? {
        Requested::Made(appointment) => {
            Ok(Answer::with(StatusCode::CREATED, Shown::of(deps, *appointment).await?))
        }
        Requested::Repeated(appointment) => Ok(Answer::ok(Shown::of(deps, *appointment).await?)),
        Requested::KeyReused => Err(Problem::new(Code::IdempotencyKeyReused)),
        Requested::NoService => Err(invalid("service_id is the id of one of the clinic's services.")),
        Requested::Unfit(unfit) => {
            let wanted = (starts_at, resource_id.as_ref(), None);
            not_free(deps, caller, (&service_id, wanted), unfit).await
        }
    }
}

/// For whom an appointment is asked for: a contact, or a person by name.
async fn patient(
    deps: &Deps,
    caller: &Caller,
    wanted: &Wanted,
) -> Result<(Patient, Option<Contact>), Problem> {
    match (&wanted.contact_id, &wanted.contact) {
        (Some(id), None) => {
            let unknown = || invalid("contact_id is the id of one of the clinic's contacts.");
            let id = ContactId::parse(id.as_str()).map_err(|_| unknown())?;
            let there = deps.appointments.contacts.get(caller.org, &id).await?.ok_or_else(unknown)?;
            let patient = Patient {
                name: there.name.clone(),
                phone_number: there.phone_number.clone(),
                email: there.email.clone(),
                may_text: wanted.may_text,
            };
            Ok((patient, Some(there)))
        }
        (None, Some(_)) if wanted.may_text.is_some() => {
            Err(invalid("may_text: for a person by name say it in contact."))
        }
        (None, Some(named)) => {
            let name = PatientName::parse(&named.name).map_err(|error| invalid(format!("name: {error}.")))?;
            let phone_number = phone_number(&named.phone, "phone")?.map(Personal::new);
            let email = named.email.as_deref().map(EmailAddress::parse).transpose();
            let email = email.map_err(|error| invalid(format!("email: {error}.")))?;
            Ok((Patient { name, phone_number, email, may_text: named.may_text }, None))
        }
        _ => Err(invalid("Say for whom: either contact_id, or contact with name, phone and email.")),
    }
}

/// Shows an appointment.
///
/// # Errors
/// When the clinic has no such appointment, or the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Shown>, Problem> {
    let id = id(input.path.get("id"))?;
    Ok(Answer::ok(Shown::of(deps, there(deps, caller, &id).await?).await?))
}

/// Moves an appointment, or says how it stands and what is noted. A repeat of one's own change is answered with the appointment.
///
/// # Errors
/// When the caller may not change it, a value is not usable, the clinic has no such appointment, it has another revision or version
/// by now, it stands so that it cannot be changed, or the time cannot be booked: then with other times of that day, as
/// `alternatives`.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Change>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_keep_the_diary()?;
    let id = id(input.path.get("id"))?;
    match &input.body.scheduled_at {
        Some(at) if input.body.status.is_none() && input.body.notes.is_none() => {
            moved(deps, caller, &input, (&id, start(at)?)).await
        }
        Some(_) => Err(invalid("Change the time by itself: scheduled_at comes without status and notes.")),
        None => noted(deps, caller, &input, &id).await,
    }
}

async fn moved(
    deps: &Deps,
    caller: &Caller,
    input: &Input<(), Change>,
    (id, starts_at): (&AppointmentId, Timestamp),
) -> Result<Answer<Shown>, Problem> {
    let change = &input.body;
    let only = resource(change.resource_id.as_deref())?;
    let reason = change.overbook.as_deref().map(reason).transpose()?;
    let by = actor(caller, &input.origin);
    let write = || async {
        let appointment = there(deps, caller, id).await?;
        if appointment.status != Status::Confirmed {
            return Err(Problem::new(Code::WrongStatus)
                .saying("Only an appointment that is confirmed can be moved. Book another."));
        }
        let is_with = only.as_ref().is_none_or(|only| appointment.resource_ids.contains(only));
        if appointment.interval.from == starts_at && is_with {
            return Ok(Attempt::Done(appointment));
        }
        is_as_seen(&appointment, change.revision)?;
        let catalog = deps.appointments.bookings.catalog(caller.org).await?;
        let wish = Move {
            appointment: &appointment,
            starts_at,
            by: if only.is_some() { By::Any(only.as_ref()) } else { By::These(&appointment.resource_ids) },
            overbook: reason.as_ref(),
            asker: Asker::Person(&by),
        };
        match deps.appointments.try_to_move(&catalog, &wish).await? {
            Ok(written) => Ok(written),
            Err(unfit) => {
                let wanted = (starts_at, only.as_ref(), Some(id));
                not_free(deps, caller, (&appointment.service_id, wanted), unfit).await
            }
        }
    };
    let written = deps.db.until_written("the diary", write).await?;
    Ok(Answer::ok(Shown::of(deps, written).await?))
}

async fn noted(
    deps: &Deps,
    caller: &Caller,
    input: &Input<(), Change>,
    id: &AppointmentId,
) -> Result<Answer<Shown>, Problem> {
    let (change, by) = (&input.body, actor(caller, &input.origin));
    let next = change.status.as_deref().map(status).transpose()?;
    let words = change.notes.as_deref().map(notes).transpose()?;
    if next == Some(Status::Cancelled) {
        return Err(invalid("An appointment is cancelled by DELETE."));
    }
    if change.overbook.is_some() || change.resource_id.is_some() || (next.is_none() && words.is_none()) {
        return Err(invalid("Give scheduled_at to move it, status to say how it stands, or notes."));
    }
    let write = || async {
        let appointment = there(deps, caller, id).await?;
        let after = Appointment {
            status: next.unwrap_or(appointment.status),
            notes: words.clone().or_else(|| appointment.notes.clone()),
            ..appointment.clone()
        };
        if after == appointment {
            return Ok(Attempt::Done(appointment));
        }
        is_as_seen(&appointment, change.revision)?;
        if change.version.is_some_and(|version| version != appointment.version) {
            return Err(Problem::new(Code::VersionConflict).saying(
                "The appointment was changed meanwhile. Load it again, and make your change to that.",
            ));
        }
        if after.status != appointment.status && !appointment.status.may_become(after.status) {
            return Err(Problem::new(Code::WrongStatus));
        }
        Ok::<_, Problem>(deps.appointments.try_to_note(after, &by).await?)
    };
    let written = deps.db.until_written("the appointment", write).await?;
    Ok(Answer::ok(Shown::of(deps, written).await?))
}

/// Cancels the appointment of the revision that was seen, and gives its time back. One that is cancelled already is shown.
///
/// # Errors
/// When the caller may not change it, `revision` is missing, the clinic has no such appointment, it was moved meanwhile, or it has
/// been.
pub async fn cancel(deps: &Deps, caller: &Caller, input: Input<Seen>) -> Result<Answer<Shown>, Problem> {
    caller.may_keep_the_diary()?;
    let id = id(input.path.get("id"))?;
    let by = actor(caller, &input.origin);
    let revision = input.query.revision.as_deref().and_then(|revision| revision.parse().ok());
    let revision = revision.ok_or_else(|| {
        invalid("Say which revision is cancelled, as it was shown: ?revision=1, for example.")
    })?;
    let write = || async {
        let appointment = there(deps, caller, &id).await?;
        if appointment.status == Status::Cancelled {
            return Ok(Attempt::Done(appointment));
        }
        if !appointment.status.may_become(Status::Cancelled) {
            return Err(
                Problem::new(Code::WrongStatus).saying("An appointment that has been cannot be cancelled.")
            );
        }
        is_as_seen(&appointment, revision)?;
        Ok::<_, Problem>(deps.appointments.try_to_cancel(&appointment, Asker::Person(&by)).await?)
    };
    let written = deps.db.until_written("the diary", write).await?;
    Ok(Answer::ok(Shown::of(deps, written).await?))
}

async fn there(deps: &Deps, caller: &Caller, id: &AppointmentId) -> Result<Appointment, Problem> {
    let there = deps.appointments.bookings.appointment(caller.org, id).await?;
    there.ok_or_else(|| Problem::new(Code::NotFound))
}

fn is_as_seen(appointment: &Appointment, revision: u64) -> Result<(), Problem> {
    if appointment.revision == revision {
        return Ok(());
    }
    Err(Problem::new(Code::VersionConflict)
        .saying("The appointment was moved meanwhile. Load it again, and make your change to that."))
}

/// The problem of a time that cannot be booked, with times of the same day that can.
async fn not_free<T>(
    deps: &Deps,
    caller: &Caller,
    (service, wanted): (&ServiceId, (Timestamp, Option<&ResourceId>, Option<&AppointmentId>)),
    unfit: Unfit,
) -> Result<T, Problem> {
    let slots = deps.appointments.alternatives(caller.org, service, wanted).await?;
    let alternatives: Vec<slots::Shown> = slots.into_iter().map(slots::Shown::from).collect();
    let alternatives = serde_json::to_value(alternatives).map_err(|error| Problem::internal(&error))?;
    let sentence =
        format!("It cannot be booked: {unfit}. Take one of the alternatives, or overbook with a reason.");
    Err(Problem::new(Code::TimeNotFree).saying(sentence).with("alternatives", alternatives))
}

fn id(text: &str) -> Result<AppointmentId, Problem> {
    // An item of another kind has a `#` in its key, which no id has.
    AppointmentId::parse(text).map_err(|_| Problem::new(Code::NotFound))
}

fn resource(text: Option<&str>) -> Result<Option<ResourceId>, Problem> {
    text.map(ResourceId::parse)
        .transpose()
        .map_err(|_| invalid("resource_id is the id of one of the clinic's practitioners or rooms."))
}

fn start(text: &str) -> Result<Timestamp, Problem> {
    text.parse::<Timestamp>()
        .ok()
        .filter(is_near)
        .ok_or_else(|| invalid("scheduled_at is an instant, such as 2026-01-31T09:00:00Z."))
}

fn notes(text: &str) -> Result<Personal<String, Words>, Problem> {
    if text.chars().count() > LONGEST_NOTES {
        return Err(invalid(format!("notes have at most {LONGEST_NOTES} characters.")));
    }
    Ok(Personal::new(text.trim().to_owned()))
}

fn reason(text: &str) -> Result<Personal<String, Words>, Problem> {
    let text = plain(text);
    let is_usable = (1..=LONGEST_REASON).contains(&text.chars().count());
    is_usable.then(|| Personal::new(text)).ok_or_else(|| {
        invalid(format!("overbook is the reason, a sentence of at most {LONGEST_REASON} characters."))
    })
}
