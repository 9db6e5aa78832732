//! What a clinic has: its status pages, and the dropdown of its agents.

use domain::{
    call::Direction,
    ids::{PurchaseId, VapiPhoneId},
    phone_number::PhoneNumber,
    purchase::Purchase,
};
use jiff::Timestamp;
use serde::Serialize;
use store::numbers::{OrgNumber, Status, provider_type};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::Problem,
    routes::{Answer, Input},
};

use crate::Deps;

/// A number in the dropdown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    id: String,
    phone_number: PhoneNumber,
    vapi_phone_id: VapiPhoneId,
    #[serde(rename = "type")]
    direction: &'static str,
    is_managed: bool,
}

/// `GET /api/integrations/vapi/numbers`: lists the numbers that an agent can be given. Reads `org_credentials` and nothing else.
///
/// # Errors
/// When the store does not answer.
pub async fn dropdown(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Vec<Listed>>, Problem> {
    let numbers = deps.provisioning.numbers.of_org(caller.org).await?;
    let active = numbers.into_iter().filter(|number| number.status == Status::Active);
    let listed = active.map(|number| Listed {
        id: provider_type(number.direction),
        phone_number: number.phone_number,
        vapi_phone_id: number.vapi_phone_id,
        direction: number.direction.as_str(),
        is_managed: number.is_managed,
    });
    Ok(Answer::ok(listed.collect()))
}

/// Every number the clinic has, and every purchase underway.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhoneStatus {
    numbers: Vec<Shown>,
    purchases: Vec<Underway>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Underway {
    direction: &'static str,
    status: &'static str,
    purchase_id: PurchaseId,
    #[serde(with = "domain::time::millis")]
    started_at: Timestamp,
}

/// `GET /api/managed-telephony/phone-status`: shows every number the clinic has, and every purchase underway.
///
/// # Errors
/// When the store does not answer.
pub async fn phone_status(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<PhoneStatus>, Problem> {
    let numbers = deps.provisioning.numbers.of_org(caller.org).await?;
    let mut purchases = Vec::new();
    for direction in Direction::ALL {
        let claim = deps.provisioning.purchases.claim_of(caller.org, direction).await?;
        if let Some(claim) = claim.filter(Purchase::is_open) {
            purchases.push(Underway {
                direction: direction.as_str(),
                status: claim.state.as_str(),
                purchase_id: claim.purchase_id,
                started_at: claim.created_at,
            });
        }
    }
    Ok(Answer::ok(PhoneStatus { numbers: numbers.iter().map(Shown::from).collect(), purchases }))
}

/// The clinic's numbers, by what they are for.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhoneSettings {
    inbound: Option<Shown>,
    outbound: Option<Shown>,
    numbers: Vec<Shown>,
    /// `none`, `managed`, `byoc` or `mixed`: whose numbers they are.
    mode: &'static str,
}

/// `GET /api/phone-settings/status`: shows the clinic's numbers, by what they are for.
///
/// # Errors
/// When the store does not answer.
pub async fn settings(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<PhoneSettings>, Problem> {
    let numbers = deps.provisioning.numbers.of_org(caller.org).await?;
    let of = |direction| numbers.iter().find(|number| number.direction == direction).map(Shown::from);
    let managed = numbers.iter().filter(|number| number.is_managed).count();
    let mode = match (numbers.len(), managed) {
        (0, _) => "none",
        (all, managed) if all == managed => "managed",
        (_, 0) => "byoc",
        _ => "mixed",
    };
    Ok(Answer::ok(PhoneSettings {
        inbound: of(Direction::Inbound),
        outbound: of(Direction::Outbound),
        numbers: numbers.iter().map(Shown::from).collect(),
        mode,
    }))
}

/// A number of the clinic's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Shown {
    phone_number: PhoneNumber,
    vapi_phone_id: VapiPhoneId,
    direction: &'static str,
    status: &'static str,
    is_managed: bool,
    cost_pence: i64,
    #[serde(with = "domain::time::millis")]
    purchased_at: Timestamp,
}

impl From<&OrgNumber> for Shown {
    fn from(number: &OrgNumber) -> Self {
        Self {
            phone_number: number.phone_number.clone(),
            vapi_phone_id: number.vapi_phone_id.clone(),
            direction: number.direction.as_str(),
            status: number.status.as_str(),
            is_managed: number.is_managed,
            cost_pence: number.cost.pence(),
            purchased_at: number.created_at,
        }
    }
}
