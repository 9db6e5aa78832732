//! `cargo run -- create-clinic`: a clinic, and the invitation of its owner. The same command again finds the same clinic.

use std::time::Duration;

use bytes::Bytes;
use domain::{
    audit::{Actor, ActorRole},
    clinic::{ClinicName, ClinicZone},
    email::EmailAddress,
    ids::{ClinicKey, OrgId, UserId},
    team::Standing,
};
use http::Request;
use local::gateway::KEY_HEADER;
use serde_json::{Value, json};
use services::team::{Founding, Settings, TeamKeeper};
use vendors::http::Http;
use web::problem::chain;

use super::{
    CreateClinic,
    serve::{Folder, Taken},
    target::{Target, stored},
};

/// How long the running stack may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(asked: &CreateClinic) -> Result<(), String> {
    let wanted = founding(asked)?;
    let place = &asked.place;
    let target = match &place.env {
        Some(environment) => deployed(environment, asked).await?,
        // The sandbox's accounts are the running stack's, which is asked as an operator would ask it.
        None => {
            match Folder::try_take(&place.data_dir)? {
                Taken::By(process) => {
                    let (port, key) = Folder::port(&place.data_dir).ok_or_else(|| {
                    format!("The stack of process {process} is just starting or stopping. Try again in a moment.")
                })?;
                    return through(port, &key, asked).await;
                }
                Taken::Ours(folder) => {
                    drop(folder);
                    Target::local(&place.data_dir, None).await?
                }
            }
        }
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
async fn through(port: u16, key: &str, asked: &CreateClinic) -> Result<(), String> {
    let http = Http::network(PATIENCE).map_err(|error| error.to_string())?;
    let base = format!("http://127.0.0.1:{port}");
    let ask = async |path: &str, (name, value): (&str, String), body: Value| {
        let request = Request::post(format!("{base}{path}")).header(name, value);
        let request = request.body(Bytes::from(body.to_string())).map_err(|error| error.to_string())?;
        let answer = http.send(request).await.map_err(|error| chain(&error))?;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if answer.status().is_success() {
            Ok(body)
        } else {
            Err(body["detail"].as_str().unwrap_or("The stack does not answer.").to_owned())
        }
    };
    let token = ask("/_sandbox/token", (KEY_HEADER, key.to_owned()), json!({"operator": true})).await?;
    let token = format!("Bearer {}", token["token"].as_str().unwrap_or_default());
    let mut body =
        json!({"name": asked.name, "time_zone": asked.time_zone, "owner_email": asked.owner_email});
    if let Some(id) = &asked.id {
        body["id"] = json!(id);
    }
    let made = ask("/api/operations/clinics", ("authorization", token), body).await?;
    println!(
        "The clinic is {}. {} is {}: GET {base}/_sandbox/supabase has the letter.",
        made["org_id"].as_str().unwrap_or_default(),
        asked.owner_email,
        made["owner_status"].as_str().unwrap_or_default(),
    );
    Ok(())
}
