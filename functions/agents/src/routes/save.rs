//! `POST /api/founder-console/agent/behavior`.

use domain::{
    agent::{Agent, Behavior, Sync},
    call::Direction,
    ids::VapiPhoneId,
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;
use store::{Attempt, numbers::listed, queue::Push};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input, given},
};

use super::show::Whole;
use crate::Deps;

/// What is to be saved of one agent.
struct Change {
    role: Direction,
    behavior: Behavior,
    number: Link,
    /// What the change was made to; none only where nothing was saved before.
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

/// The agents to be saved: one or both, each whole.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"inbound": {"name": "Reception", "systemPrompt": "You are the receptionist of Hill Street Dental.", "firstMessage": "Hill Street Dental, how can I help you?", "voiceProvider": "vapi", "voiceId": "Elliot", "language": "en", "maxDurationSeconds": 600}}))]
pub struct Wanted {
    inbound: Option<Given>,
    outbound: Option<Given>,
}
// Room for two prompts of the greatest length however JSON writes them, and for longer ones: what is wrong with those is a sentence
// about the prompt.
web::json_bodies!(Wanted, 524_288);

/// An agent as the dashboard sends it. What is missing is as if it were empty, and each unusable value has a sentence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    #[serde(default)]
    name: String,
    #[serde(default)]
    system_prompt: String,
    #[serde(default)]
    first_message: String,
    #[serde(default)]
    voice_provider: String,
    #[serde(default)]
    voice_id: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    #[schema(value_type = u32, minimum = 60, maximum = 3600)]
    max_duration_seconds: Value,
    /// None when it stays as it is; `null` when the agent is to have none.
    #[serde(default, deserialize_with = "given")]
    #[expect(clippy::option_option, reason = "a field that is null is another than one that is left out")]
    #[schema(value_type = Option<String>)]
    vapi_phone_number_id: Option<Option<Value>>,
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    version: Value,
    // What the dashboard sends back of what it was shown, and nothing rests on.
    #[serde(default, rename = "id")]
    #[schema(value_type = Option<String>)]
    _id: IgnoredAny,
    #[serde(default, rename = "role")]
    #[schema(value_type = Option<String>)]
    _role: IgnoredAny,
    #[serde(default, rename = "vapiAssistantId")]
    #[schema(value_type = Option<String>)]
    _vapi_assistant_id: IgnoredAny,
    #[serde(default, rename = "sync")]
    #[schema(value_type = Option<String>)]
    _sync: IgnoredAny,
    #[serde(default, rename = "syncReason")]
    #[schema(value_type = Option<String>)]
    _sync_reason: IgnoredAny,
}

/// The agents as they are saved.
#[derive(Debug, Serialize, ToSchema)]
pub struct Saved {
    success: bool,
    agents: Vec<Whole>,
}

/// Saves one or both agents, together or not at all; then they are given to the vendor.
///
/// # Errors
/// When the caller may not change, a value is not usable, a number is not the org's, an agent was saved by another request
/// since `version`, or there is no `version` although one was saved.
pub async fn save(deps: &Deps, caller: &Caller, input: Input<(), Wanted>) -> Result<Answer<Saved>, Problem> {
    caller.may_change()?;
    let given = [(Direction::Inbound, input.body.inbound), (Direction::Outbound, input.body.outbound)];
    let given = given.into_iter().filter_map(|(role, given)| Some(change(role, given?)));
    let changes = given.collect::<Result<Vec<Change>, Problem>>()?;
    if changes.is_empty() {
        return Err(invalid("Send inbound, outbound or both, each with the whole agent."));
    }
    let pushes: Vec<Push> =
        changes.iter().map(|change| Push { org_id: caller.org, role: change.role }).collect();
    let write = deps.db.until_written("the agents", || write(deps, caller, &changes));
    let agents = deps.queue.around(&pushes, write).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, agents = agents.len(), "agents were saved");
    let name = deps.clinics.get(caller.org).await?.name;
    let agents = agents.into_iter().map(|agent| Whole::of(agent, name.as_ref()));
    Ok(Answer::ok(Saved { success: true, agents: agents.collect() }))
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
    // Version 1 is what every org starts from: a page that saw it as version 0, or as none, saw the same.
    let is_first = change.base.unwrap_or_default() == 0 && there.version == 1;
    if change.base != Some(there.version) && !is_first {
        let role = change.role.as_str();
        return Err(match change.base {
            Some(_) => Problem::new(Code::VersionConflict).with("version", there.version),
            None => invalid(format!("{role}: version is missing: send the one that came with the agent.")),
        });
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

fn change(role: Direction, given: Given) -> Result<Change, Problem> {
    let name = role.as_str();
    let text = |text: String| text.trim().to_owned();
    let limit = given.max_duration_seconds.as_u64().and_then(|limit| u32::try_from(limit).ok());
    let behavior = Behavior {
        name: text(given.name),
        system_prompt: text(given.system_prompt),
        first_message: text(given.first_message),
        voice_provider: text(given.voice_provider),
        voice_id: text(given.voice_id),
        language: text(given.language),
        max_duration_secs: limit.unwrap_or_default(),
    };
    if let Some(flaw) = behavior.flaw() {
        return Err(invalid(format!("{name}: {flaw}")));
    }
    let number = match given.vapi_phone_number_id {
        None => Link::Kept,
        Some(None) => Link::Cut,
        Some(Some(id)) => {
            let sentence =
                format!("{name}: vapiPhoneNumberId is the id of one of the clinic's numbers, or null.");
            Link::To(VapiPhoneId::parse(id.as_str().unwrap_or_default()).map_err(|_| invalid(sentence))?)
        }
    };
    let base = given.version.as_u64();
    if base.is_none() && !given.version.is_null() {
        return Err(invalid(format!("{name}: version is the number that came with the agent.")));
    }
    Ok(Change { role, behavior, number, base })
}
