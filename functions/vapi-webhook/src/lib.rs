//! `POST /api/vapi/webhook`: the one address that Vapi posts to.

#![recursion_limit = "256"]

use std::time::Duration;

use base::config::Invalid;
use base::{alarm, alarm::chain};
use domain::{call::Testimony, content::Content, ids::EventId};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use platform::Platform;
use platform::secrets::WebhookSecrets;
use serde_json::{Value, json};
use services::{
    charging::{Answer, CallOwner, Charging, Closed, Settings, limit_warning},
    reception::{Line, Reception, is_emergency, off_the_line},
};
use store::{
    StoreError,
    webhook_events::{DEAD_LETTER, Scrubber, WebhookEvent, WebhookEvents},
};
use vendors::vapi::{
    VapiWebhook,
    assistants::variables,
    message::{CallRef, Kind, Message, ToolCall},
};
use web::{
    contract::{self, For, Operation, Route},
    problem::{Code, Problem, json_answer},
    request::fingerprint,
};

/// The largest body read: API Gateway passes at most 10 MB, Lambda 6 MB.
const LARGEST_BODY: usize = 6 * 1024 * 1024;

/// How long Vapi is waited for when a report does not say enough: within the function's time (`template.yaml`). What it has not
/// said by then, the meter asks.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The rules of calls and money.
    pub charging: Charging,
    /// The receptionist's tools.
    pub reception: Reception,
    /// What proves that a message comes from Vapi.
    pub secrets: WebhookSecrets,
    /// Where messages are kept that no org is known for.
    pub events: WebhookEvents,
    /// Time and chance.
    pub platform: Platform,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let platform = Platform { vendors: platform.vendors.within(PATIENCE), ..platform };
        let mut reader = platform.environment.reader();
        let settings = Settings::read(&mut reader, &platform);
        let secrets = WebhookSecrets::vapi(&mut reader, &settings.base.environment, &platform);
        // What is booked follows to the clinic's calendar by it.
        reader.required("CALENDAR_SYNC_QUEUE_URL");
        reader.finish()?;
        let db = platform.database(&settings.base.table_prefix);
        Ok(Self {
            reception: Reception::new(&platform, db.clone()),
            charging: Charging::deployed(&platform, settings),
            secrets,
            events: WebhookEvents::vapi(db),
            platform,
        })
    }
}

/// What [`handle`] reads and answers.
pub fn contract() -> Vec<Operation> {
    let route = Route {
        method: "POST",
        path: "/api/vapi/webhook",
        about: &[
            "Takes a message of Vapi's, which its signature proves, and answers what the voice says or does.",
        ],
        who: For::Anyone,
        statuses: &[200],
        codes: &[Code::InvalidSignature, Code::InvalidBody, Code::BodyTooLarge, Code::WebhookNotConfigured],
    };
    vec![Operation::beside(route, vec![contract::Content::bytes("application/json")])]
}

/// Answers one message of Vapi's.
///
/// The signature is checked over the raw body, before anything is parsed. A message is acknowledged when what
/// follows from it is durable; until then Vapi sends it again. Types we do not know are acknowledged.
///
/// # Errors
/// When the message is not Vapi's, cannot be read, or its effect could not be made durable.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let body = bytes_of(&body)?;
    let now = deps.platform.clock.now();
    deps.secrets
        .verified(now, |secrets| VapiWebhook { secrets: secrets.to_vec() }.verify(&parts.headers, body, now))
        .await?;
    let raw: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let message = Message::parse(&raw).map_err(|error| unreadable(&error))?;
    if let Some(call) = &message.call {
        tracing::info!(kind = message.type_name, vapi_call_id = %call.vapi_call_id, "a message of Vapi's was taken");
    }
    match (&message.kind, &message.call) {
        (Kind::Other, _) => Ok(acknowledged()),
        (Kind::Hang, call) => {
            let call = call.as_ref().map(|call| call.vapi_call_id.to_string());
            tracing::warn!(vapi_call_id = call, "an assistant left its caller waiting");
            shown(deps, &message).await?;
            Ok(acknowledged())
        }
        (Kind::ToolCalls(calls), _) => {
            match shown(deps, &message).await {
                Err(_) if calls.iter().any(is_emergency) => {
                    tracing::warn!("a sign of life of a call is not noted: an emergency is reported on it");
                }
                noted => noted?,
            }
            Ok(json_answer(StatusCode::OK, &tool_results(deps, &message, calls).await?))
        }
        (_, None) => dead_letter(deps, &message, &raw).await,
        (Kind::AssistantRequest, Some(call)) => authorize(deps, call, &message, &raw).await,
        (_, Some(call)) => match deps.charging.owner_of(call).await? {
            None => dead_letter(deps, &message, &raw).await,
            Some(owner) => follow(deps, &owner, call, &message).await,
        },
    }
}

/// A message that comes from within a call shows that the call goes on.
async fn shown(deps: &Deps, message: &Message) -> Result<(), Problem> {
    match &message.call {
        Some(call) => Ok(deps.charging.shown(&call.vapi_call_id).await?),
        None => Ok(()),
    }
}

/// Signed by Vapi, and not a message: only a person can make anything of it.
fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    alarm!("vapi_unreadable", "a signed message from Vapi cannot be read");
    Problem::new(Code::InvalidBody).because(error)
}

fn bytes_of(body: &Body) -> Result<&[u8], Problem> {
    let bytes: &[u8] = body;
    if bytes.len() > LARGEST_BODY { Err(Problem::new(Code::BodyTooLarge)) } else { Ok(bytes) }
}

/// A refusal is HTTP 200 with a sentence to speak: Vapi speaks nothing else.
async fn authorize(
    deps: &Deps,
    call: &CallRef,
    message: &Message,
    raw: &Value,
) -> Result<Response<Body>, Problem> {
    let vapi_call_id = &call.vapi_call_id;
    Ok(match deps.charging.authorize(call).await? {
        Answer::Take { assistant, max_duration_secs, known } => {
            tracing::info!(%vapi_call_id, max_duration_secs, "a call was authorized");
            let answer = json!({
                "assistantId": assistant,
                "assistantOverrides": {
                    "maxDurationSeconds": max_duration_secs,
                    "hooks": limit_warning(max_duration_secs),
                    "variableValues": variables(&known.facts, known.name.as_deref()),
                },
            });
            json_answer(StatusCode::OK, &answer)
        }
        // Nothing of ours is on the line then.
        Answer::PutThrough(line) => {
            json_answer(StatusCode::OK, &json!({"destination": {"type": "number", "number": line}}))
        }
        Answer::Refuse(reason) => {
            tracing::info!(%vapi_call_id, reason = reason.as_str(), "a call was refused");
            json_answer(StatusCode::OK, &json!({ "error": reason.sentence() }))
        }
        Answer::Unknown => {
            dead_letter(deps, message, raw).await?;
            json_answer(StatusCode::OK, &json!({ "error": "This number is not in service." }))
        }
    })
}

async fn follow(
    deps: &Deps,
    owner: &CallOwner,
    call: &CallRef,
    message: &Message,
) -> Result<Response<Body>, Problem> {
    match &message.kind {
        Kind::InProgress { started_at } => {
            let at = started_at.or(message.timestamp).unwrap_or_else(|| deps.platform.clock.now());
            deps.charging.start(owner, call, at).await?;
        }
        Kind::Ended { reason } => deps.charging.ended(owner, call, reason.clone()).await?,
        Kind::EndOfCallReport { testimony, content } => report(deps, owner, call, testimony, content).await?,
        Kind::AssistantRequest | Kind::ToolCalls(_) | Kind::Hang | Kind::Other => {}
    }
    Ok(acknowledged())
}

/// The money first; what was said is kept after it, so that a vendor's text can never block a debit; and the time is given back that
/// the call has kept.
async fn report(
    deps: &Deps,
    owner: &CallOwner,
    call: &CallRef,
    testimony: &Testimony,
    content: &Content,
) -> Result<(), Problem> {
    let closed = deps.charging.report(owner, call, testimony).await?;
    let text = deps.charging.keep_content(owner.org_id, &owner.call_id, content);
    // While Vapi says that the call goes on, its caller is still asked for that time.
    let time = async {
        match closed {
            Closed::Pending => Ok(()),
            Closed::Settled(_) | Closed::Released | Closed::Refused => {
                Box::pin(deps.reception.give_back_time(owner.org_id, &owner.call_id)).await
            }
        }
    };
    let (text, time) = tokio::join!(text, time);
    text?;
    // What it kept lapses by itself, too: the report does not come again for it.
    if let Err(error) = time {
        tracing::warn!(org_id = %owner.org_id, call_id = %owner.call_id, cause = chain(&error),
            "the time that a call has kept is not given back; it lapses");
    }
    if closed == Closed::Released && content.transcript.is_some() {
        alarm!("call_free_with_words", org_id = %owner.org_id, call_id = %owner.call_id,
            reason = testimony.ended_reason, "a call costs nothing, and its report says what was spoken on it");
    }
    Ok(())
}

/// Each tool call has its result, in the order asked, on one line, as Vapi demands (docs.vapi.ai, "Custom tools: troubleshooting").
/// Whose call it is, is what our own record says; without one there is nothing that a tool may do, but say whom to ring in an
/// emergency: that is said even where our records do not answer.
async fn tool_results(deps: &Deps, message: &Message, calls: &[ToolCall]) -> Result<Value, Problem> {
    let line = match &message.call {
        Some(call) => line(deps, call).await,
        None => Ok(None),
    };
    let (line, why) = match line {
        Ok(line) => (line, "no live call of ours"),
        Err(error) if !calls.iter().any(is_emergency) => return Err(error.into()),
        Err(error) => {
            tracing::error!(
                cause = chain(&error),
                "whose call it is cannot be read, and an emergency is reported on it"
            );
            (None, "the record of the call cannot be read")
        }
    };
    let mut results = Vec::new();
    for call in calls {
        let result = match &line {
            Some(line) => deps.reception.answer(line, call).await,
            None => off_the_line(call, why),
        };
        results.push(json!({"toolCallId": call.id, "name": call.name, "result": result}));
    }
    Ok(json!({ "results": results }))
}

/// The live call that a message comes from, by our record of it.
async fn line(deps: &Deps, call: &CallRef) -> Result<Option<Line>, StoreError> {
    let Some(mapping) = deps.charging.calls.mapping(&call.vapi_call_id).await? else { return Ok(None) };
    let record = deps.charging.calls.get(mapping.org_id, &mapping.call_id).await?;
    Ok(record.as_ref().and_then(Line::of))
}

/// Keeps a message that no org is known for, without what was said in it, and tells a person, once.
async fn dead_letter(deps: &Deps, message: &Message, raw: &Value) -> Result<Response<Body>, Problem> {
    let now = deps.platform.clock.now();
    let call = message.call.as_ref().map(|call| call.vapi_call_id.to_string());
    // One letter for all copies of one message; those of one that names no call are alike.
    let key = match &call {
        Some(call) => format!("{call}:{}", message.label()),
        None => fingerprint(&[&raw.to_string()]),
    };
    let event_key = EventId::parse(key.chars().take(128).collect::<String>())
        .map_err(|error| Problem::new(Code::InvalidBody).because(&error))?;
    let known = deps.events.get(&event_key).await?;
    if known.is_some_and(|known| known.outcome == DEAD_LETTER) {
        return Ok(acknowledged());
    }
    // Told before it is noted: a function that dies in between tells it twice, and not never.
    alarm!(
        "vapi_dead_letter",
        kind = message.type_name,
        vapi_call_id = call,
        "a message from Vapi belongs to no org"
    );
    deps.events
        .record(&WebhookEvent {
            event_key,
            kind: message.type_name.clone(),
            outcome: DEAD_LETTER.into(),
            reason: Some("no record of ours says whose it is".into()),
            payload: Some(Scrubber::VAPI.payload(raw)),
            received_at: now,
        })
        .await?;
    Ok(acknowledged())
}

fn acknowledged() -> Response<Body> {
    json_answer(StatusCode::OK, &json!({}))
}
