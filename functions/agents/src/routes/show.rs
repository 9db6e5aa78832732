//! `GET /api/founder-console/agent/config` and `GET /api/agents`.

use domain::{
    agent::{Agent, Sync},
    call::Direction,
};
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer},
    request::Query,
};

use crate::Deps;

/// Everything about the agents, or about the one of `role`. An org that has saved none sees what it starts from.
///
/// # Errors
/// When `role` is no role, or the store does not answer.
pub async fn config(deps: &Deps, caller: &Caller, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query, &["role"])?;
    let wanted = query.get("role");
    if wanted.is_some_and(|role| Direction::parse(role).is_none()) {
        return Err(Problem::new(Code::InvalidValue).saying("role is inbound or outbound."));
    }
    let agents = agents(deps, caller).await?;
    let shown: Vec<Value> = agents
        .iter()
        .filter(|agent| wanted.is_none_or(|role| role == agent.role.as_str()))
        .map(whole)
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "agents": shown })))
}

/// Both agents, short.
///
/// # Errors
/// When the store does not answer.
pub async fn short(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let agents = agents(deps, caller).await?;
    let shown: Vec<Value> = agents
        .iter()
        .map(|agent| {
            let (sync, sync_reason) = sync(agent);
            json!({"id": agent.role.as_str(), "name": agent.behavior.name, "role": agent.role.as_str(),
                "vapiAssistantId": agent.vapi_assistant_id, "vapiPhoneNumberId": agent.vapi_phone_number_id,
                "sync": sync, "syncReason": sync_reason})
        })
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "agents": shown })))
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

/// An agent as the dashboard knows it.
pub(super) fn whole(agent: &Agent) -> Value {
    let behavior = &agent.behavior;
    let (sync, sync_reason) = sync(agent);
    json!({"id": agent.role.as_str(), "name": behavior.name, "role": agent.role.as_str(),
        "systemPrompt": behavior.system_prompt, "firstMessage": behavior.first_message,
        "voiceId": behavior.voice_id, "voiceProvider": behavior.voice_provider, "language": behavior.language,
        "maxDurationSeconds": behavior.max_duration_secs, "vapiAssistantId": agent.vapi_assistant_id,
        "vapiPhoneNumberId": agent.vapi_phone_number_id, "version": agent.version, "sync": sync,
        "syncReason": sync_reason})
}

/// Whether the vendor has what is stored, and when it will not take it, why.
fn sync(agent: &Agent) -> (&'static str, Option<&str>) {
    match &agent.sync {
        Sync::Synced => ("synced", None),
        Sync::Pending => ("pending", None),
        Sync::Failed { sync_reason } => ("failed", Some(sync_reason)),
    }
}
