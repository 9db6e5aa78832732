//! One agent, from what is stored to what the vendor has.

use base::{alarm, alarm::chain};
use domain::{
    agent::{Agent, Sync},
    call::Direction,
    ids::{OrgId, StackMark, VapiAssistantId},
    opening::first_message,
};
use jiff::SignedDuration;
use serde_json::json;
use services::voice::VoiceError;
use store::{
    Attempt, ChangeError, StoreError,
    mappings::{AssistantMapping, PhoneNumberMapping},
    numbers::Status,
    queue::Push,
};
use vendors::{
    marks::{ENVIRONMENT, STACK},
    vapi::{VapiError, assistants::Assistant},
};

use crate::Deps;

/// How long no other process pushes an agent, so that an older version never overtakes a newer one: longer than the function may
/// run (`template.yaml`), so that no holder outlives its lease.
pub const LEASE: SignedDuration = SignedDuration::from_secs(75);
/// When an agent that another process is pushing is taken up again.
const BUSY_SECS: i32 = 10;

/// Why the vendor does not have an agent yet: to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The vendor will not take this agent as it is.
    #[error("the vendor refuses the agent")]
    Refused(#[source] VapiError),
    /// The vendor will not take something that we send for every agent.
    #[error("the vendor refuses what every agent has")]
    SharedRefused(#[source] VapiError),
    /// It was saved again and again meanwhile.
    #[error("the agent was changed by others until the time was up")]
    Contended,
    /// Vapi did not do its part.
    #[error(transparent)]
    Voice(#[from] VoiceError),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<VapiError> for PushError {
    fn from(error: VapiError) -> Self {
        Self::Voice(error.into())
    }
}

/// Gives the agent that `push` names to the vendor, as it is stored now, and lets its number lead to it. One that the vendor has as it
/// is stored is left alone: each write has two messages, of which the second finds nothing to do.
///
/// # Errors
/// When the vendor does not have it yet. A refusal is none: it is noted with the agent, for the clinic to change it.
pub(crate) async fn push(deps: &Deps, push: &Push) -> Result<(), PushError> {
    let now = deps.platform.clock.now();
    let Some(there) = deps.agents.get(push.org_id, push.role).await? else { return Ok(()) };
    if there.sync == Sync::Synced {
        return Ok(());
    }
    // The process that is at it may have read an older version: another message comes when it is done.
    let later = || deps.queue.send(push, BUSY_SECS);
    if there.sync_lease_until > now {
        return Ok(later().await?);
    }
    let leased = Agent { sync_lease_until: now + LEASE, ..there };
    let leased = match deps.agents.save(&leased).await {
        Ok(leased) => leased,
        Err(ChangeError::Moved) => return Ok(later().await?),
        Err(ChangeError::Store(error)) => return Err(error.into()),
    };
    let outcome = give(deps, &leased).await;
    let sync = match &outcome {
        Ok(()) => Sync::Synced,
        Err(error @ PushError::Refused(_)) => {
            tracing::warn!(org_id = %push.org_id, role = push.role.as_str(), cause = chain(error), "the vendor refuses an agent");
            let sync_reason =
                "The voice service does not take these settings. Check the voice and the language.";
            Sync::Failed { sync_reason: sync_reason.to_owned() }
        }
        Err(error @ PushError::SharedRefused(_)) => {
            alarm!("vapi_agent_refused", org_id = %push.org_id, role = push.role.as_str(), cause = chain(error),
                "Vapi refuses an agent for something that the clinic did not choose: other agents fare no better");
            let sync_reason = "The voice service does not take the agent, for a reason that lies with us. We have \
                               been told, and it is tried again.";
            Sync::Failed { sync_reason: sync_reason.to_owned() }
        }
        Err(PushError::Contended | PushError::Voice(_) | PushError::Store(_)) => Sync::Pending,
    };
    note(deps, push.org_id, push.role, |agent| {
        let is_ours = agent.sync_lease_until == leased.sync_lease_until;
        let is_current =
            agent.version == leased.version && agent.vapi_phone_number_id == leased.vapi_phone_number_id;
        Agent {
            sync_lease_until: if is_ours { now } else { agent.sync_lease_until },
            // What was saved meanwhile has a message of its own.
            sync: if is_current { sync.clone() } else { Sync::Pending },
            ..agent
        }
    })
    .await?;
    match outcome {
        Ok(()) | Err(PushError::Refused(_)) => Ok(()),
        Err(
            error @ (PushError::SharedRefused(_)
            | PushError::Contended
            | PushError::Voice(_)
            | PushError::Store(_)),
        ) => Err(error),
    }
}

/// What of an agent a clinic can choose so that Vapi refuses it, in the words of Vapi's refusals.
const CHOSEN: [&str; 5] = ["voice", "transcriber", "language", "firstmessage", "model.messages"];

/// A no to the agent itself, which only another agent can change; or to what every agent has. Any other no (a key that is being
/// changed, a 404) is not the clinic's to mend either, and is tried again.
fn of_agent(error: VapiError) -> PushError {
    match &error {
        VapiError::Refused { status, message } if [400, 422].contains(&status.as_u16()) => {
            let message = message.to_lowercase();
            let is_chosen = CHOSEN.iter().any(|field| message.contains(field));
            if is_chosen { PushError::Refused(error) } else { PushError::SharedRefused(error) }
        }
        VapiError::Refused { .. }
        | VapiError::NotFound
        | VapiError::Trouble { .. }
        | VapiError::Unreachable(_)
        | VapiError::Unreadable(_)
        | VapiError::AnotherObject
        | VapiError::ForeignControlUrl => error.into(),
    }
}

async fn give(deps: &Deps, agent: &Agent) -> Result<(), PushError> {
    let webhook = deps.voice.webhook().await?;
    let tools = deps.voice.tools().await?;
    let now = deps.platform.clock.now();
    let stack = deps.stack.mark(StackMark::new(deps.platform.entropy.uuid(now)), now).await?;
    let behavior = &agent.behavior;
    let prompt = services::reception::prompt(&behavior.system_prompt);
    let first = first_message(agent.role, &behavior.language, &behavior.first_message);
    let wanted = Assistant {
        name: &behavior.name,
        first_message: &first,
        system_prompt: &prompt,
        voice_provider: &behavior.voice_provider,
        voice_id: &behavior.voice_id,
        language: &behavior.language,
        max_duration_secs: behavior.max_duration_secs,
        tools: &tools.current,
        replaced_tools: &tools.replaced,
        webhook: &webhook,
        metadata: json!({ENVIRONMENT: deps.voice.environment(), STACK: stack,
            "org_id": agent.org_id, "role": agent.role.as_str()}),
    };
    let id = assistant(deps, agent, stack, &wanted).await?;
    point_number(deps, agent, &id).await
}

/// Brings the assistant up to date; makes one when there is none, or when the vendor has confirmed that it is gone.
async fn assistant(
    deps: &Deps,
    agent: &Agent,
    stack: StackMark,
    wanted: &Assistant<'_>,
) -> Result<VapiAssistantId, PushError> {
    if let Some(id) = &agent.vapi_assistant_id
        && let Some(current) = deps.voice.vapi.assistant(id).await?
    {
        match deps.voice.vapi.update_assistant(id, &current, wanted).await {
            Ok(()) => {
                note_limit(deps, agent, id).await?;
                return Ok(id.clone());
            }
            Err(VapiError::NotFound) => {}
            Err(error) => return Err(of_agent(error)),
        }
    }
    // One may have been made by a try that died: it is found by its marks, and never made twice.
    let (environment, role) = (deps.voice.environment(), agent.role.as_str());
    let marked = deps.voice.vapi.assistant_marked(environment, stack, agent.org_id, role).await?;
    let id = match marked {
        Some(found) => {
            // Gone in this moment: the next try makes one.
            let current = deps.voice.vapi.assistant(&found).await?.ok_or(VapiError::NotFound)?;
            deps.voice.vapi.update_assistant(&found, &current, wanted).await.map_err(of_agent)?;
            found
        }
        None => deps.voice.vapi.create_assistant(wanted).await.map_err(of_agent)?,
    };
    relink(deps, agent, &id).await?;
    Ok(id)
}

/// The agent has a new assistant: noted with it, and whose it is.
async fn relink(deps: &Deps, agent: &Agent, id: &VapiAssistantId) -> Result<(), PushError> {
    let mapping = &mapping_of(agent, id);
    let link = || async move {
        let there = deps.agents.get(agent.org_id, agent.role).await?.ok_or(PushError::Contended)?;
        if there.vapi_assistant_id.as_ref() == Some(id) {
            return Ok(Attempt::Done(()));
        }
        let linked = Agent { vapi_assistant_id: Some(id.clone()), ..there };
        let is_known = deps.mappings.assistant(id).await?.is_some_and(|known| known.org_id == agent.org_id);
        let saved = if is_known {
            deps.agents.save(&linked).await
        } else {
            deps.agents.save_with_assistant(&linked, mapping).await
        };
        let linked = Attempt::of(saved)?.map(|_| ());
        if linked == Attempt::Done(()) {
            tracing::info!(org_id = %agent.org_id, role = agent.role.as_str(), "an agent has an assistant");
        }
        Ok::<_, PushError>(linked)
    };
    deps.db.until_written("the agent", link).await?;
    note_limit(deps, agent, id).await
}

/// A web call rests on the limit that is noted with its assistant.
async fn note_limit(deps: &Deps, agent: &Agent, id: &VapiAssistantId) -> Result<(), PushError> {
    let mapping = mapping_of(agent, id);
    if deps.mappings.assistant(id).await?.as_ref() != Some(&mapping) {
        deps.mappings.renew_assistant(&mapping).await?;
    }
    Ok(())
}

fn mapping_of(agent: &Agent, id: &VapiAssistantId) -> AssistantMapping {
    AssistantMapping {
        vapi_assistant_id: id.clone(),
        org_id: agent.org_id,
        role: agent.role,
        agent_limit_secs: agent.behavior.max_duration_secs,
    }
}

/// Lets the org's number of this direction lead to the agent; nowhere, when it is not the agent's.
async fn point_number(deps: &Deps, agent: &Agent, id: &VapiAssistantId) -> Result<(), PushError> {
    // As it is now: it may have been linked or saved while the vendor was at it.
    let now = deps.agents.get(agent.org_id, agent.role).await?;
    let agent = now.as_ref().unwrap_or(agent);
    let number = deps.numbers.of_direction(agent.org_id, agent.role).await?;
    let Some(number) = number.filter(|number| number.status == Status::Active) else { return Ok(()) };
    let is_linked = agent.vapi_phone_number_id.as_ref() == Some(&number.vapi_phone_id);
    let mapping = PhoneNumberMapping {
        vapi_phone_id: number.vapi_phone_id.clone(),
        org_id: agent.org_id,
        phone_number: number.phone_number.clone(),
        direction: agent.role,
        vapi_assistant_id: is_linked.then(|| id.clone()),
        agent_limit_secs: agent.behavior.max_duration_secs,
    };
    // Given up or sealed anew in the same moment: the next try sees which.
    if deps.numbers.point(&number, &mapping).await? { Ok(()) } else { Err(PushError::Contended) }
}

/// Writes what was learned about an agent, whatever was saved meanwhile.
async fn note(
    deps: &Deps,
    org: OrgId,
    role: Direction,
    change: impl Fn(Agent) -> Agent,
) -> Result<(), PushError> {
    let change = &change;
    let note = || async move {
        let there = deps.agents.get(org, role).await?.ok_or(PushError::Contended)?;
        Ok::<_, PushError>(Attempt::of(deps.agents.save(&change(there)).await)?.map(|_| ()))
    };
    deps.db.until_written("the agent", note).await
}
