//! `GET /api/founder-console/agent/config` and `GET /api/agents`.

use domain::{
    agent::{Agent, Sync},
    call::Direction,
    clinic::ClinicName,
    ids::{VapiAssistantId, VapiPhoneId},
    opening::{VERSION, opening},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// Which agents are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `inbound` or `outbound`.
    role: Option<String>,
}
web::query_values!(Asked);

/// Agents, whole or short.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agents<T> {
    agents: Vec<T>,
}

/// An agent as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whole {
    #[serde(flatten)]
    short: Short,
    system_prompt: String,
    /// What is said before the clinic's own words, with the clinic's name.
    opening: String,
    opening_version: u32,
    first_message: String,
    voice_id: String,
    voice_provider: String,
    language: String,
    max_duration_seconds: u32,
    version: u64,
}

/// An agent, short.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Short {
    id: &'static str,
    name: String,
    role: &'static str,
    vapi_assistant_id: Option<VapiAssistantId>,
    vapi_phone_number_id: Option<VapiPhoneId>,
    sync: &'static str,
    /// Why the vendor will not take it, when it will not.
    sync_reason: Option<String>,
}

impl From<Agent> for Short {
    fn from(agent: Agent) -> Self {
        let (sync, sync_reason) = match agent.sync {
            Sync::Synced => ("synced", None),
            Sync::Pending => ("pending", None),
            Sync::Failed { sync_reason } => ("failed", Some(sync_reason)),
        };
        Self {
            id: agent.role.as_str(),
            name: agent.behavior.name,
            role: agent.role.as_str(),
            vapi_assistant_id: agent.vapi_assistant_id,
            vapi_phone_number_id: agent.vapi_phone_number_id,
            sync,
            sync_reason,
        }
    }
}

impl Whole {
    /// An agent of a clinic of this name.
    pub(crate) fn of(agent: Agent, name: Option<&ClinicName>) -> Self {
        let behavior = agent.behavior.clone();
        Self {
            opening: opening(agent.role, &behavior.language, name.map(ClinicName::as_str)),
            opening_version: VERSION,
            version: agent.version,
            short: Short::from(agent),
            system_prompt: behavior.system_prompt,
            first_message: behavior.first_message,
            voice_id: behavior.voice_id,
            voice_provider: behavior.voice_provider,
            language: behavior.language,
            max_duration_seconds: behavior.max_duration_secs,
        }
    }
}

/// Shows everything about the agents, or about the one of `role`. An org that has saved none sees what it starts from.
///
/// # Errors
/// When `role` is no role, or the store does not answer.
pub async fn config(
    deps: &Deps,
    caller: &Caller,
    input: Input<Asked>,
) -> Result<Answer<Agents<Whole>>, Problem> {
    let role = input.query.role.as_deref();
    let role = role.map(|role| Direction::parse(role).ok_or_else(|| invalid("role is inbound or outbound.")));
    let wanted = role.transpose()?;
    let name = deps.clinics.get(caller.org).await?.name;
    let agents = agents(deps, caller).await?.into_iter();
    let shown = agents.filter(|agent| wanted.is_none_or(|role| role == agent.role));
    let shown = shown.map(|agent| Whole::of(agent, name.as_ref()));
    Ok(Answer::ok(Agents { agents: shown.collect() }))
}

/// Shows both agents, short.
///
/// # Errors
/// When the store does not answer.
pub async fn short(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Agents<Short>>, Problem> {
    let agents = agents(deps, caller).await?;
    Ok(Answer::ok(Agents { agents: agents.into_iter().map(Short::from).collect() }))
}

/// As they are; one that was never saved as it would be made, without making it.
async fn agents(deps: &Deps, caller: &Caller) -> Result<Vec<Agent>, Problem> {
    let mut agents = Vec::new();
    for role in Direction::ALL {
        let there = deps.agents.get(caller.org, role).await?;
        agents.push(there.unwrap_or_else(|| unsaved(deps, caller, role)));
    }
    Ok(agents)
}

/// The agent an org starts from: version 0, so that a first save from two tabs has one winner too.
fn unsaved(deps: &Deps, caller: &Caller, role: Direction) -> Agent {
    Agent { version: 0, ..Agent::first(caller.org, role, deps.platform.clock.now()) }
}
