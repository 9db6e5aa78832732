//! `POST /api/founder-console/agent/behavior`.

use domain::{
    agent::{Agent, Behavior, Sync},
    call::Direction,
    ids::VapiPhoneId,
};
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use store::{Attempt, numbers::listed, queue::Push};
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer},
    request::{invalid, json_object},
};

use super::show::whole;
use crate::Deps;

/// What is to be saved of one agent.
struct Change {
    role: Direction,
    behavior: Behavior,
    number: Link,
    /// What the change was made to.
    base: Option<u64>,
}

/// What becomes of an agent's number.
#[derive(Clone)]
enum Link {
    /// It stays as it is.
    Kept,
    /// The agent has none from now on.
    Cut,
    /// The agent has this one.
    To(VapiPhoneId),
}

/// Saves one or both agents, together or not at all; then they are given to the vendor.
///
/// # Errors
/// When the caller may not change, a value is not usable, a number is not the org's, or an agent was saved by somebody else since
/// `version`.
pub async fn save(deps: &Deps, caller: &Caller, body: &Body) -> Result<Response<Body>, Problem> {
    caller.may_change()?;
    let body = json_object(body)?;
    let mut changes = Vec::new();
    for role in Direction::ALL {
        let given = &body[role.as_str()];
        if !given.is_null() {
            changes.push(change(role, given)?);
        }
    }
    if changes.is_empty() {
        return Err(invalid("Send inbound, outbound or both, each with the whole agent.".to_owned()));
    }
    let pushes: Vec<Push> =
        changes.iter().map(|change| Push { org_id: caller.org, role: change.role }).collect();
    let write = deps.db.until_written("the agents", || write(deps, caller, &changes));
    let agents = deps.queue.around(&pushes, write).await?;
    let saved: Vec<Value> = agents.iter().map(whole).collect();
    tracing::info!(org_id = %caller.org, user = %caller.user, agents = saved.len(), "agents were saved");
    Ok(json_answer(StatusCode::OK, &json!({"success": true, "agents": saved})))
}

/// Writes all that is to be saved, on what is stored now.
async fn write(deps: &Deps, caller: &Caller, changes: &[Change]) -> Result<Attempt<Vec<Agent>>, Problem> {
    let numbers = deps.numbers.of_org(caller.org).await?;
    let mut agents = Vec::new();
    let mut linked = Vec::new();
    for change in changes {
        if let Link::To(id) = &change.number {
            linked.push(listed(id, change.role, &numbers)?);
        }
        agents.push(changed(deps, caller, change).await?);
    }
    let saved = deps.numbers.save_agents(caller.org, &agents, &linked).await;
    Ok(Attempt::of(saved)?.map(|()| agents))
}

/// The agent as it shall be, from what is stored now.
async fn changed(deps: &Deps, caller: &Caller, change: &Change) -> Result<Agent, Problem> {
    let now = deps.platform.clock.now();
    let known = deps.agents.get(caller.org, change.role).await?;
    if known.is_none() && change.base.is_some_and(|base| base != 0) {
        return Err(Problem::new(Code::VersionConflict));
    }
    let there = match known {
        Some(there) => there,
        None => deps.agents.ensure(caller.org, change.role, now).await?,
    };
    // Version 1 is what every org starts from: whoever saw it as version 0 saw the same.
    let is_first = change.base == Some(0) && there.version == 1;
    if change.base.is_some_and(|base| base != there.version) && !is_first {
        return Err(Problem::new(Code::VersionConflict).with("version", there.version));
    }
    let vapi_phone_number_id = match &change.number {
        Link::Kept => there.vapi_phone_number_id.clone(),
        Link::Cut => None,
        Link::To(id) => Some(id.clone()),
    };
    Ok(Agent {
        behavior: change.behavior.clone(),
        version: there.version.saturating_add(1),
        sync: Sync::Pending,
        vapi_phone_number_id,
        ..there
    })
}

fn change(role: Direction, given: &Value) -> Result<Change, Problem> {
    let name = role.as_str();
    if !given.is_object() {
        return Err(invalid(format!("{name} is an object with the whole agent.")));
    }
    let text = |field: &str| given[field].as_str().unwrap_or_default().trim().to_owned();
    let limit = given["maxDurationSeconds"].as_u64().and_then(|limit| u32::try_from(limit).ok());
    let behavior = Behavior {
        name: text("name"),
        system_prompt: text("systemPrompt"),
        first_message: text("firstMessage"),
        voice_provider: text("voiceProvider"),
        voice_id: text("voiceId"),
        language: text("language"),
        max_duration_secs: limit.unwrap_or_default(),
    };
    if let Some(flaw) = behavior.flaw() {
        return Err(invalid(format!("{name}: {flaw}")));
    }
    let number = match given.get("vapiPhoneNumberId") {
        None => Link::Kept,
        Some(Value::Null) => Link::Cut,
        Some(id) => {
            let sentence =
                format!("{name}: vapiPhoneNumberId is the id of one of the clinic's numbers, or null.");
            Link::To(VapiPhoneId::parse(id.as_str().unwrap_or_default()).map_err(|_| invalid(sentence))?)
        }
    };
    let version = &given["version"];
    let base = version.as_u64();
    if base.is_none() && !version.is_null() {
        return Err(invalid(format!("{name}: version is the number that came with the agent.")));
    }
    Ok(Change { role, behavior, number, base })
}
