//! `cargo run -- create-clinic`: a clinic, and the invitation of its owner. The same command again finds the same clinic.

use domain::{
    audit::{Actor, ActorRole},
    clinic::{ClinicName, ClinicZone},
    email::EmailAddress,
    ids::{ClinicKey, OrgId, UserId},
    team::Standing,
};
use serde_json::json;
use services::team::{Founding, Settings, TeamKeeper};
use web::problem::chain;

use super::{
    CreateClinic,
    stand::Stand,
    target::{Target, stored},
};

pub(super) async fn run(asked: &CreateClinic) -> Result<(), String> {
    let wanted = founding(asked)?;
    let place = &asked.place;
    let target = match &place.env {
        Some(environment) => deployed(environment, asked).await?,
        // The sandbox's accounts are the running stack's, which is asked as an operator would ask it.
        None => match Stand::on(&place.data_dir, &json!({"operator": true})).await? {
            Some(stand) => return through(&stand, asked).await,
            None => Target::local(&place.data_dir, None).await?,
        },
    };
    let mut reader = target.platform.environment.reader();
    let settings = Settings::read(&mut reader);
    reader.finish().map_err(|error| error.to_string())?;
    let request_id = target.platform.entropy.uuid(target.platform.clock.now()).to_string();
    let user = UserId::parse("command-line").map_err(|error| error.to_string())?;
    let by = Actor { user, role: ActorRole::Operator, source: None, request_id };
    let founded = TeamKeeper::deployed(&target.platform, &settings).found(&wanted, &by).await;
    let founded = founded.map_err(|error| {
        format!("The clinic is not whole yet: {}. The same command goes on where it ended.", chain(&error))
    })?;
    match founded.owner.standing {
        Standing::Told => {
            println!("{}", told(founded.clinic.org_id, &wanted.owner));
            Ok(())
        }
        Standing::Refused => {
            Err("That address signs in to another clinic. Take another --owner-email.".into())
        }
        Standing::Wanted | Standing::Uninvited | Standing::Leaving => {
            Err("Another process is inviting the owner at this moment. Run it again in a minute.".into())
        }
    }
}

fn told(org: OrgId, owner: &EmailAddress) -> String {
    format!("The clinic is {org}. {} has the invitation.", owner.reveal())
}

fn founding(asked: &CreateClinic) -> Result<Founding, String> {
    let key = asked.id.as_deref().map(ClinicKey::parse).transpose();
    Ok(Founding {
        key: key.map_err(|error| format!("--id: {error}."))?,
        name: ClinicName::parse(&asked.name).map_err(|error| format!("--name: {error}."))?,
        time_zone: ClinicZone::parse(&asked.time_zone).map_err(|error| format!("--time-zone: {error}."))?,
        owner: EmailAddress::parse(&asked.owner_email).map_err(|error| format!("--owner-email: {error}."))?,
    })
}

async fn deployed(environment: &str, asked: &CreateClinic) -> Result<Target, String> {
    let given = |value: &Option<String>, name: &str| {
        value.clone().ok_or_else(|| {
            format!("With --env say {name} too: the environment's own, as samconfig.toml has it.")
        })
    };
    let (url, origin) = (given(&asked.auth_url, "--auth-url")?, given(&asked.origin, "--origin")?);
    let mut target = Target::deployed(environment).await?;
    let key = stored(&target.platform, environment, "SUPABASE_SERVICE_KEY").await?;
    target.platform.environment = target
        .platform
        .environment
        .with("SUPABASE_AUTH_URL", &url)
        .with("SUPABASE_SERVICE_KEY", &key)
        .with("DASHBOARD_ORIGIN", &origin);
    Ok(target)
}

/// Asks the stack that runs.
async fn through(stand: &Stand, asked: &CreateClinic) -> Result<(), String> {
    let mut body =
        json!({"name": asked.name, "time_zone": asked.time_zone, "owner_email": asked.owner_email});
    if let Some(id) = &asked.id {
        body["id"] = json!(id);
    }
    let made = stand.ask("POST", "/api/operations/clinics", &body).await?;
    println!(
        "The clinic is {}. {} is {}: GET {}/_sandbox/supabase has the letter.",
        made["org_id"].as_str().unwrap_or_default(),
        asked.owner_email,
        made["owner_status"].as_str().unwrap_or_default(),
        stand.base(),
    );
    Ok(())
}
