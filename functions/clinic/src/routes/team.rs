//! `/api/team/members`: who works at the clinic, and what each may do.

use domain::{
    email::EmailAddress,
    ids::MemberId,
    team::{MemberRole, Standing},
    time::rfc3339_millis,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use services::team::Shown as Person;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::{actor, invalid},
    routes::{Answer, Input},
};

use crate::Deps;

/// A person who is to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ida@example.com", "role": "staff"}))]
pub struct Wanted {
    email: String,
    /// `owner`, `admin`, `staff` or `viewer`.
    role: String,
}

/// What a person is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "admin"}))]
pub struct Change {
    role: String,
}
web::json_bodies!(Wanted, Change);

/// The people of a clinic: all of them, for there are few.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    members: Vec<Shown>,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    next_cursor: Option<String>,
}

/// A person as the dashboard knows them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: MemberId,
    #[schema(value_type = String)]
    email: EmailAddress,
    role: MemberRole,
    /// `active`; `invited`, not come yet; `pending` or `leaving`, of whom the issuer is still to be told or whose invitation is still to
    /// be sent; `elsewhere`, whose account belongs to another clinic.
    status: &'static str,
    is_you: bool,
    added_at: String,
}

impl Shown {
    fn of(person: Person, caller: &Caller) -> Self {
        let Person { id, member, has_come } = person;
        let status = match member.standing {
            Standing::Told if has_come => "active",
            Standing::Told => "invited",
            Standing::Wanted | Standing::Uninvited => "pending",
            Standing::Refused => "elsewhere",
            Standing::Leaving => "leaving",
        };
        let is_you = member.user_id.as_ref() == Some(&caller.user);
        let added_at = rfc3339_millis(member.added_at);
        Self { id, email: member.email, role: member.role, status, is_you, added_at }
    }
}

/// Lists the people of the clinic.
///
/// # Errors
/// When the caller may not see it, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Listed>, Problem> {
    caller.may_see_the_business()?;
    let people = deps.team.people(caller.org).await?;
    let members = people.into_iter().map(|person| Shown::of(person, caller)).collect();
    Ok(Answer::ok(Listed { members, pagination: Pagination { next_cursor: None } }))
}

/// Invites a person. A repeat finds the same person, and sends no second letter within an hour.
///
/// # Errors
/// When the caller may not, a value is not usable, the person is here in another role or has an account elsewhere, or the issuer or the
/// store does not do its part.
pub async fn invite(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let email =
        EmailAddress::parse(&input.body.email).map_err(|error| invalid(format!("email: {error}.")))?;
    let role = role(&input.body.role)?;
    let by = actor(caller, &input.origin);
    let (person, is_new) = deps.team.invite(caller.org, (&email, role), &by).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, member = %person.id, role = role.as_str(), "a person was invited");
    let status = status(person.member.standing, is_new)?;
    Ok(Answer::with(status, Shown::of(person, caller)))
}

/// Gives a person another role. Their next token says so: the one they have, within the hour that it lasts, does not.
///
/// # Errors
/// When the caller may not, there is no such person, it is the last owner, or the issuer or the store does not do its part.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Change>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let (id, role) = (member(&input)?, role(&input.body.role)?);
    let by = actor(caller, &input.origin);
    let person = deps.team.set_role(caller.org, (&id, role), &by).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, member = %id, role = role.as_str(), "a person has another role");
    let status = status(person.member.standing, false)?;
    Ok(Answer::with(status, Shown::of(person, caller)))
}

/// What became of a removal.
#[derive(Debug, Serialize, ToSchema)]
pub struct Removed {
    /// Whether the issuer knows; else it is still to be told.
    removed: bool,
}

/// Removes a person: their next token names no clinic, and an invitation that they had leads nowhere.
///
/// # Errors
/// When the caller may not, there is no such person, it is the last owner, or the issuer or the store does not do its part.
pub async fn remove(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Removed>, Problem> {
    caller.may_change()?;
    let id = member(&input)?;
    let by = actor(caller, &input.origin);
    let removed = deps.team.remove(caller.org, &id, &by).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, member = %id, removed, "a person was removed");
    let status = if removed { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(Answer::with(status, Removed { removed }))
}

/// The status of an answer about a person who stands so.
fn status(standing: Standing, is_new: bool) -> Result<StatusCode, Problem> {
    match standing {
        Standing::Refused => Err(Problem::new(Code::AccountElsewhere)),
        Standing::Wanted | Standing::Uninvited | Standing::Leaving => Ok(StatusCode::ACCEPTED),
        Standing::Told if is_new => Ok(StatusCode::CREATED),
        Standing::Told => Ok(StatusCode::OK),
    }
}

fn role(name: &str) -> Result<MemberRole, Problem> {
    MemberRole::parse(name).ok_or_else(|| invalid("role is owner, admin, staff or viewer."))
}

fn member<Q, B>(input: &Input<Q, B>) -> Result<MemberId, Problem> {
    MemberId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))
}
