//! Clinics that are to exist.

use domain::{
    clinic::{ClinicName, ClinicZone},
    email::EmailAddress,
    ids::{ClinicKey, OrgId},
    team::Standing,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use services::team::Founding;
use utoipa::ToSchema;
use web::{
    auth::Operator,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use crate::{Deps, money::actor};

/// A clinic that is to exist.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Hill Street Dental", "time_zone": "Europe/London", "owner_email": "owner@example.com"}))]
pub struct Wanted {
    /// What tells it from another clinic of the same owner; left out, the owner's address does.
    id: Option<String>,
    name: String,
    /// The name of a zone of the IANA database.
    time_zone: String,
    /// Who is invited to be its owner.
    owner_email: String,
}
web::json_bodies!(Wanted);

/// A clinic that exists.
#[derive(Debug, Serialize, ToSchema)]
pub struct Made {
    org_id: OrgId,
    name: Option<String>,
    time_zone: String,
    #[schema(value_type = String)]
    owner_email: EmailAddress,
    /// `invited`, or `pending`, of whom the issuer is still to be told.
    owner_status: &'static str,
}

/// `POST /api/operations/clinics`: makes a clinic and invites its owner, once for each owner's address or id.
///
/// # Errors
/// When a value is not usable, the clinic has another owner, the owner has an account elsewhere, or the issuer or the store does not do
/// its part: the same request goes on where this one ended.
pub async fn create(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), Wanted>,
) -> Result<Answer<Made>, Problem> {
    let wanted = founding(&input.body)?;
    let founded = deps.team.found(&wanted, &actor(operator, &input)).await?;
    let status = match founded.owner.standing {
        Standing::Refused => return Err(Problem::new(Code::AccountElsewhere)),
        Standing::Told => "invited",
        Standing::Wanted | Standing::Uninvited | Standing::Leaving => "pending",
    };
    tracing::info!(org_id = %founded.clinic.org_id, user = %operator.user, is_new = founded.is_new, "a clinic was made");
    let made = Made {
        org_id: founded.clinic.org_id,
        name: founded.clinic.name.map(String::from),
        time_zone: founded.clinic.time_zone.into(),
        owner_email: founded.owner.email,
        owner_status: status,
    };
    Ok(Answer::with(if founded.is_new { StatusCode::CREATED } else { StatusCode::OK }, made))
}

fn founding(wanted: &Wanted) -> Result<Founding, Problem> {
    let key = wanted.id.as_deref().map(ClinicKey::parse).transpose();
    let key = key.map_err(|_| invalid("id is 1 to 128 letters, digits or any of _ - . : such as a UUID."))?;
    Ok(Founding {
        key,
        name: ClinicName::parse(&wanted.name).map_err(|error| invalid(format!("name: {error}.")))?,
        time_zone: ClinicZone::parse(&wanted.time_zone)
            .map_err(|error| invalid(format!("time_zone: {error}.")))?,
        owner: EmailAddress::parse(&wanted.owner_email)
            .map_err(|error| invalid(format!("owner_email: {error}.")))?,
    })
}
