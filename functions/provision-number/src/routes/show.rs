//! What a clinic has: its status pages, and the dropdown of its agents.

use domain::{call::Direction, purchase::Purchase, time::rfc3339_millis};
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use store::numbers::{OrgNumber, Status, provider_type};
use web::{
    auth::Caller,
    problem::{Problem, json_answer},
};

use crate::Deps;

/// `GET /api/integrations/vapi/numbers`: the numbers that an agent can be given. Reads `org_credentials` and nothing else.
///
/// # Errors
/// When the store does not answer.
pub async fn dropdown(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let numbers = deps.provisioning.numbers.of_org(caller.org).await?;
    let listed = numbers.iter().filter(|number| number.status == Status::Active);
    let listed: Vec<Value> = listed
        .map(|number| {
            json!({"id": provider_type(number.direction), "phoneNumber": number.phone_number,
                "vapiPhoneId": number.vapi_phone_id, "type": number.direction.as_str(),
                "isManaged": number.is_managed})
        })
        .collect();
    Ok(json_answer(StatusCode::OK, &json!(listed)))
}

/// `GET /api/managed-telephony/phone-status`: every number the clinic has, and every purchase underway.
///
/// # Errors
/// When the store does not answer.
pub async fn phone_status(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let has: Vec<Value> = deps.provisioning.numbers.of_org(caller.org).await?.iter().map(shown).collect();
    let mut underway = Vec::new();
    for direction in Direction::ALL {
        let claim = deps.provisioning.purchases.claim_of(caller.org, direction).await?;
        if let Some(claim) = claim.filter(Purchase::is_open) {
            underway.push(json!({"direction": direction.as_str(), "status": claim.state.as_str(),
                "purchaseId": claim.purchase_id, "startedAt": rfc3339_millis(claim.created_at)}));
        }
    }
    Ok(json_answer(StatusCode::OK, &json!({"numbers": has, "purchases": underway})))
}

/// `GET /api/phone-settings/status`.
///
/// # Errors
/// When the store does not answer.
pub async fn settings(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let numbers = deps.provisioning.numbers.of_org(caller.org).await?;
    let of = |direction| numbers.iter().find(|number| number.direction == direction).map(shown);
    let managed = numbers.iter().filter(|number| number.is_managed).count();
    let mode = match (numbers.len(), managed) {
        (0, _) => "none",
        (all, managed) if all == managed => "managed",
        (_, 0) => "byoc",
        _ => "mixed",
    };
    let body = json!({"inbound": of(Direction::Inbound), "outbound": of(Direction::Outbound),
        "numbers": numbers.iter().map(shown).collect::<Vec<_>>(), "mode": mode});
    Ok(json_answer(StatusCode::OK, &body))
}

fn shown(number: &OrgNumber) -> Value {
    json!({"phoneNumber": number.phone_number, "vapiPhoneId": number.vapi_phone_id,
        "direction": number.direction.as_str(), "status": number.status.as_str(), "isManaged": number.is_managed,
        "costPence": number.cost.pence(), "purchasedAt": rfc3339_millis(number.created_at)})
}
