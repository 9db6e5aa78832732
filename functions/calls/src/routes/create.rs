//! `POST /api/calls`: rings a person.

use domain::{
    call::Direction,
    ids::{CallId, OrgId, VapiCallId, VapiPhoneId},
    number::Country,
    personal::Personal,
    phone_number::PhoneNumber,
};
use futures::future::try_join;
use http::StatusCode;
use numbering::{Fiction, may_be_rung};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::charging::{Dialled, Intent};
use store::numbers::{OrgNumber, Status};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem, short_of},
    request::{fingerprint, idempotency_key, invalid, phone_number},
    routes::{Answer, Input},
};

use super::row;
use crate::Deps;

/// Whom to ring, and by which agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"phoneNumber": "+447700900123"}))]
pub struct Wanted {
    #[serde(default)]
    #[schema(value_type = String, example = "+447700900123")]
    phone_number: Value,
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "outbound")]
    agent_role: Value,
}
web::json_bodies!(Wanted);

/// The call, as far as it is known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    call_id: CallId,
    vapi_call_id: Option<VapiCallId>,
    status: &'static str,
}

/// Starts a call from the org's own outbound number, once: a repeat of the request is answered with the same
/// call.
///
/// All that can be known before a phone rings is checked first, each with its own sentence; then the money
/// is set aside, and only then is it dialled.
///
/// # Errors
/// When the caller may not do it, the request is not usable, the org is not set up for it or cannot pay for
/// it, or something of ours failed.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Begun>, Problem> {
    caller.may_change()?;
    let key = idempotency_key(&input.headers)?;
    let to = wanted_number(&input.body.phone_number)?;
    is_allowed(&to, &deps.allowed, Fiction::rung_if(deps.platform.rings_fiction))?;
    let role = role(&input.body.agent_role)?;
    let from = own_number(deps, caller.org, &to).await?;
    let now = deps.platform.clock.now();
    let agent = deps.agents.ensure(caller.org, role, now).await?;
    let Some(assistant) = agent.vapi_assistant_id else { return Err(Problem::new(Code::AgentNotReady)) };
    let call_id = CallId::parse(deps.platform.entropy.uuid(now).to_string())
        .map_err(|error| Problem::internal(&error))?;
    deps.charging.wallets.ensure(caller.org).await?;
    let intent = Intent {
        org_id: caller.org,
        call_id,
        body_hash: fingerprint(&[to.as_str(), role.as_str()]),
        to: Personal::new(to),
        from,
        assistant,
        agent_limit_secs: agent.behavior.max_duration_secs,
        key,
    };
    answer(deps.charging.dial(&intent).await?)
}

fn answer(dialled: Dialled) -> Result<Answer<Begun>, Problem> {
    match dialled {
        Dialled::Placed(call) => {
            tracing::info!(org_id = %call.org_id, call_id = %call.call_id, "a call was placed");
            let status = row::Status::of(&call).as_str();
            let begun = Begun { call_id: call.call_id, vapi_call_id: call.parties.vapi_call_id, status };
            Ok(Answer::with(StatusCode::CREATED, begun))
        }
        Dialled::Unknown(call) => {
            tracing::warn!(org_id = %call.org_id, call_id = %call.call_id, "it is not known whether a call was placed");
            let begun = Begun { call_id: call.call_id, vapi_call_id: None, status: "unknown" };
            Ok(Answer::with(StatusCode::ACCEPTED, begun))
        }
        Dialled::Refused => Err(Problem::new(Code::CallRefused)),
        Dialled::Short { required, wallet } => Err(short_of(required, &wallet)),
        Dialled::Frozen => Err(Problem::new(Code::WalletFrozen)),
        Dialled::KeyReused => Err(Problem::new(Code::IdempotencyKeyReused)),
        Dialled::TooMany => Err(Problem::new(Code::TooManyCalls)),
        Dialled::LinesBusy => Err(Problem::new(Code::LinesBusy)),
        Dialled::DayIsFull => Err(Problem::new(Code::TooManyCallsToday)),
        Dialled::OnCall => Err(Problem::new(Code::NumberOnCall)),
    }
}

/// The org's own outbound number, as Vapi names it; never any other. It rings none of the org's own numbers.
async fn own_number(deps: &Deps, org: OrgId, to: &PhoneNumber) -> Result<VapiPhoneId, Problem> {
    let of = |direction| deps.numbers.of_direction(org, direction);
    let (outbound, inbound) = try_join(of(Direction::Outbound), of(Direction::Inbound)).await?;
    if [&outbound, &inbound].into_iter().flatten().any(|number| number.phone_number == *to) {
        return Err(invalid("phoneNumber is the clinic's own number: it cannot ring itself."));
    }
    let is_usable = |number: &OrgNumber| match number.status {
        Status::Active => true,
        Status::Releasing | Status::Released => false,
    };
    let usable = outbound.filter(is_usable).map(|number| number.vapi_phone_id);
    usable.ok_or_else(|| Problem::new(Code::NoOutboundNumber))
}

fn wanted_number(value: &Value) -> Result<PhoneNumber, Problem> {
    let missing = || invalid("phoneNumber is missing: whom to ring, as text, e.g. +442071838750.");
    phone_number(value, "phoneNumber")?.ok_or_else(missing)
}

fn is_allowed(to: &PhoneNumber, allowed: &[Country], fiction: Fiction) -> Result<(), Problem> {
    if may_be_rung(to, allowed, fiction) {
        return Ok(());
    }
    let known = allowed.iter().map(|country| country.code()).collect::<Vec<_>>().join(", ");
    let detail = format!(
        "Calls to that number are not allowed. Landline and mobile numbers of these countries are: {known}."
    );
    Err(Problem::new(Code::CountryNotAllowed).saying(detail))
}

fn role(value: &Value) -> Result<Direction, Problem> {
    if value.is_null() {
        return Ok(Direction::Outbound);
    }
    let role = value.as_str().and_then(Direction::parse);
    role.ok_or_else(|| invalid("agentRole is inbound or outbound."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_known_by_its_calling_code() {
        let british = [Country::UnitedKingdom];
        let cases = [
            ("+442071838750", true),
            ("+4320718387", false),
            ("+15557266724", false),
            ("+449098790123", false),
        ];
        for (number, is_allowed) in cases {
            let to = PhoneNumber::parse(number).unwrap();
            assert_eq!(super::is_allowed(&to, &british, Fiction::Refused).is_ok(), is_allowed, "{number}");
        }
    }
}
