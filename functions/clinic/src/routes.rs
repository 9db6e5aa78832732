//! `GET` and `PATCH /api/clinic`.

use domain::clinic::{Clinic, ClinicName, ClinicZone};
use serde::{Deserialize, Serialize};
use store::Attempt;
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// What may be changed. What is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The name of a zone of the IANA database.
    time_zone: Option<String>,
    /// What patients know the clinic by.
    name: Option<String>,
}
web::json_bodies!(Wanted);

/// The clinic as the dashboard knows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    time_zone: String,
    name: Option<String>,
}

impl From<Clinic> for Shown {
    fn from(clinic: Clinic) -> Self {
        Self { time_zone: clinic.time_zone.into(), name: clinic.name.map(String::from) }
    }
}

/// Shows what the clinic has said; of a clinic that has said nothing, what is taken to be so.
///
/// # Errors
/// When the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Shown>, Problem> {
    Ok(Answer::ok(deps.clinics.get(caller.org).await?.into()))
}

/// Changes what the body names, and shows the clinic as it is then.
///
/// # Errors
/// When the caller may not change, there is no such time zone, the name is none, or the first save does not say the time zone.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let time_zone = input.body.time_zone.as_deref().map(ClinicZone::parse).transpose();
    let time_zone = time_zone.map_err(|error| invalid(format!("time_zone: {error}.")))?;
    let name = input.body.name.as_deref().map(ClinicName::parse).transpose();
    let name = name.map_err(|error| invalid(format!("name: {error}.")))?;
    let (time_zone, name) = (&time_zone, &name);
    let save = || async move {
        let there = deps.clinics.get(caller.org).await?;
        // Who has an emergency is told the number of the clinic's country: only the clinic says where it is.
        if there.version == 0 && time_zone.is_none() {
            return Err(invalid("Say the clinic's time_zone first, such as Europe/London."));
        }
        let after = Clinic {
            time_zone: time_zone.clone().unwrap_or_else(|| there.time_zone.clone()),
            name: name.clone().or_else(|| there.name.clone()),
            ..there.clone()
        };
        if after == there && there.version > 0 {
            return Ok::<_, Problem>(Attempt::Done(there));
        }
        Ok(Attempt::of(deps.clinics.save(&after).await)?)
    };
    let saved = deps.db.until_written("the clinic", save).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, "a clinic was saved");
    Ok(Answer::ok(saved.into()))
}
