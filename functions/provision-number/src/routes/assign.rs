//! `POST /api/integrations/vapi/assign-number`.

use domain::{
    agent::{Agent, Sync},
    ids::VapiPhoneId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Attempt, numbers::listed, queue::Push};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use super::direction;
use crate::Deps;

/// Which number which agent is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"vapiPhoneId": "48267b20-7372-4b51-a91e-e5c1e26109af", "role": "inbound"}))]
pub struct Wanted {
    #[serde(default)]
    #[schema(value_type = String)]
    role: Value,
    #[serde(default)]
    #[schema(value_type = String)]
    vapi_phone_id: Value,
}
web::json_bodies!(Wanted);

/// What the agent has from now on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    success: bool,
    role: &'static str,
    vapi_phone_id: VapiPhoneId,
}

/// Gives one of the clinic's own numbers to its agent of that direction.
///
/// # Errors
/// When the caller may not change, the dropdown does not list the number for this org, or it is for the other direction.
pub async fn assign(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Assigned>, Problem> {
    caller.may_change()?;
    let role = direction(&input.body.role, "role")?;
    let id = VapiPhoneId::parse(input.body.vapi_phone_id.as_str().unwrap_or_default()).map_err(|_| {
        invalid("vapiPhoneId is the id of one of the clinic's numbers, as the list of numbers shows it.")
    })?;
    let (provisioning, id) = (&deps.provisioning, &id);
    let link = || async move {
        let numbers = provisioning.numbers.of_org(caller.org).await?;
        let number = listed(id, role, &numbers)?;
        let agent = provisioning.agents.ensure(caller.org, role, deps.platform.clock.now()).await?;
        let version = agent.version.saturating_add(1);
        let linked = Agent { vapi_phone_number_id: Some(id.clone()), sync: Sync::Pending, version, ..agent };
        let saved = provisioning.numbers.save_agents(caller.org, &[linked], &[number]).await;
        Ok::<_, Problem>(Attempt::of(saved)?)
    };
    let write = provisioning.db.until_written("the agent", link);
    provisioning.queue.around(&[Push { org_id: caller.org, role }], write).await?;
    Ok(Answer::ok(Assigned { success: true, role: role.as_str(), vapi_phone_id: id.clone() }))
}
