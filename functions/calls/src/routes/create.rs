//! `POST /api/calls`: ring somebody.

use domain::{
    call::Direction,
    ids::{CallId, OrgId, VapiPhoneId},
    number::Country,
    phone_number::PhoneNumber,
};
use futures::future::try_join;
use http::{HeaderMap, StatusCode};
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use services::charging::{Dialled, Intent};
use store::numbers::{OrgNumber, Status};
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer, short_of},
    request::{fingerprint, idempotency_key, invalid, json_object, phone_number},
};

use super::row;
use crate::Deps;

/// Starts a call from the org's own outbound number, once: a repeat of the request is answered with the same
/// call.
///
/// All that can be known before anybody is rung is checked first, each with its own sentence; then the money
/// is set aside, and only then is it dialled.
///
/// # Errors
/// When the caller may not do it, the request is not usable, the org is not set up for it or cannot pay for
/// it, or something of ours failed.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    headers: &HeaderMap,
    body: &Body,
) -> Result<Response<Body>, Problem> {
    caller.may_change()?;
    let key = idempotency_key(headers)?;
    let body = json_object(body)?;
    let to = wanted_number(&body["phoneNumber"])?;
    may_be_rung(&deps.allowed, &to)?;
    let role = role(&body["agentRole"])?;
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
        to,
        from,
        assistant,
        agent_limit_secs: agent.behavior.max_duration_secs,
        key,
    };
    answer(deps.charging.dial(&intent).await?)
}

fn answer(dialled: Dialled) -> Result<Response<Body>, Problem> {
    match dialled {
        Dialled::Placed(call) => {
            let body = json!({
                "callId": call.call_id,
                "vapiCallId": call.parties.vapi_call_id,
                "status": row::Status::of(&call).as_str(),
            });
            tracing::info!(call = %call.call_id, "a call was placed");
            Ok(json_answer(StatusCode::CREATED, &body))
        }
        Dialled::Unknown(call) => {
            let body = json!({"callId": call.call_id, "vapiCallId": Value::Null, "status": "unknown"});
            tracing::warn!(call = %call.call_id, "it is not known whether a call was placed");
            Ok(json_answer(StatusCode::ACCEPTED, &body))
        }
        Dialled::Refused => Err(Problem::new(Code::CallRefused)),
        Dialled::Short { required, wallet } => Err(short_of(required, &wallet)),
        Dialled::Frozen => Err(Problem::new(Code::WalletFrozen)),
        Dialled::KeyReused => Err(Problem::new(Code::IdempotencyKeyReused)),
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

fn may_be_rung(allowed: &[Country], to: &PhoneNumber) -> Result<(), Problem> {
    if allowed.iter().any(|country| country.rings(to)) {
        return Ok(());
    }
    let known = allowed.iter().map(|country| country.code()).collect::<Vec<_>>().join(", ");
    let detail =
        format!("Calls to that number are not allowed. Ordinary numbers of these countries are: {known}.");
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
            assert_eq!(may_be_rung(&british, &to).is_ok(), is_allowed, "{number}");
        }
    }
}
