//! `POST /api/managed-telephony/provision`.

use domain::{
    amount::Amount,
    ids::{PurchaseId, VapiPhoneId},
    number::{Address, Country, NumberType},
    phone_number::PhoneNumber,
    purchase::{Failure, NumberRequest, Purchase, State},
};
use http::StatusCode;
use numbering::{Fiction, may_be_rung};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use services::provisioning::{ProvisionRequest, Provisioned};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem, short_of},
    request::{fingerprint, idempotency_key, invalid, phone_number},
    routes::{Answer, Input},
};

use super::{direction, given, search::area_code, word};
use crate::Deps;

/// What is to be bought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"country": "US", "direction": "inbound"}))]
pub struct Wanted {
    #[serde(default)]
    #[schema(value_type = String)]
    country: Value,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    number_type: Value,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    area_code: Value,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    address: Value,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    phone_number: Value,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    fallback_number: Value,
    #[serde(default)]
    #[schema(value_type = String)]
    direction: Value,
}
web::json_bodies!(Wanted);

/// A number that is bought, or how far its purchase has come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Begun {
    /// It is bought, and in use.
    #[serde(rename_all = "camelCase")]
    Active {
        /// Always true.
        success: bool,
        /// The number.
        phone_number: Option<PhoneNumber>,
        /// As Vapi names it.
        vapi_phone_id: Option<VapiPhoneId>,
        /// What it is for.
        direction: &'static str,
        /// What was charged for it.
        cost_pence: i64,
        /// The purchase that brought it.
        purchase_id: PurchaseId,
    },
    /// The same request tells more in a moment.
    #[serde(rename_all = "camelCase")]
    Underway {
        /// Always false.
        success: bool,
        /// The state of the purchase.
        status: &'static str,
        /// Which purchase it is.
        purchase_id: PurchaseId,
        /// What the number is for.
        direction: &'static str,
        /// A sentence for the clinic.
        detail: &'static str,
    },
}

/// Buys a number, or says how far its purchase has come.
///
/// # Errors
/// When the caller may not buy, something in the body is not usable, the country demands an address or approved papers, the wallet is short, the
/// direction is taken, or the purchase came to nothing: whatever was charged is back then.
pub async fn provision(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Begun>, Problem> {
    caller.may_change()?;
    let key = idempotency_key(&input.headers)?;
    let wanted = wanted(&input.body, Fiction::rung_if(deps.platform.rings_fiction))?;
    let direction = direction(&input.body.direction, "direction")?;
    if wanted.country.needs_address() && wanted.address.is_none() {
        return Err(Problem::new(Code::AddressRequired));
    }
    let written = json!({ "wanted": wanted }).to_string();
    let asked = ProvisionRequest {
        org_id: caller.org,
        direction,
        body_hash: fingerprint(&[direction.as_str(), &written]),
        wanted,
        key,
    };
    tracing::info!(org_id = %caller.org, user = %caller.user, direction = direction.as_str(), "a number is asked for");
    answer(deps.provisioning.provision(&asked).await?)
}

fn wanted(body: &Wanted, fiction: Fiction) -> Result<NumberRequest, Problem> {
    let country: Country = word(&body.country, "country is one of US, GB, CA, AU.")?;
    let number_type = given(&body.number_type)
        .map_or(Ok(NumberType::Local), |value| word(value, "numberType is local or toll_free."))?;
    let area_code =
        given(&body.area_code).map(|value| area_code(value.as_str().unwrap_or_default())).transpose()?;
    let address = given(&body.address).map(address).transpose()?;
    let named = phone_number(&body.phone_number, "phoneNumber")?;
    if named.as_ref().is_some_and(|number| !number.as_str().starts_with(country.calling_code())) {
        return Err(invalid("phoneNumber is not a number of that country."));
    }
    let fallback_number = phone_number(&body.fallback_number, "fallbackNumber")?;
    if fallback_number.as_ref().is_some_and(|number| !may_be_rung(number, &Country::ALL, fiction)) {
        return Err(invalid(
            "fallbackNumber is a landline or mobile number of the US, GB, CA or AU: the clinic's own line.",
        ));
    }
    Ok(NumberRequest { country, number_type, area_code, phone_number: named, address, fallback_number })
}

fn address(given: &Value) -> Result<Address, Problem> {
    let sentence = "address has customerName, street, city, region and postalCode, each as text.";
    let address: Address = word(given, sentence)?;
    match address.flaw() {
        Some(field) => Err(invalid(format!("{field} is text of 1 to 100 characters."))),
        None => Ok(address),
    }
}

/// What a purchase that has come so far is answered with; the same for a number that was brought.
pub(super) fn answer(provisioned: Provisioned) -> Result<Answer<Begun>, Problem> {
    match provisioned {
        Provisioned::Active(purchase) => Ok(Answer::with(StatusCode::CREATED, active(*purchase))),
        Provisioned::Underway(purchase) => {
            let begun = Begun::Underway {
                success: false,
                status: purchase.state.as_str(),
                direction: purchase.direction.as_str(),
                detail: underway(&purchase),
                purchase_id: purchase.purchase_id,
            };
            Ok(Answer::with(StatusCode::ACCEPTED, begun))
        }
        Provisioned::Ended(purchase) => Err(failed(&purchase)),
        Provisioned::Taken(Some(number)) => {
            Err(Problem::new(Code::NumberExists).with("existingNumber", number.as_str()))
        }
        Provisioned::Taken(None) => Err(Problem::new(Code::PurchaseUnderway)),
        Provisioned::KeyReused => Err(Problem::new(Code::IdempotencyKeyReused)),
        Provisioned::Short { required, wallet } => Err(short_of(required, &wallet)),
        Provisioned::Frozen => Err(Problem::new(Code::WalletFrozen)),
        Provisioned::NoPapers => Err(Problem::new(Code::BundleRequired)),
        Provisioned::TooOften(wait) => Err(Problem::too_often(wait)),
    }
}

fn underway(purchase: &Purchase) -> &'static str {
    if purchase.state == State::Compensating {
        "The number could not be set up, and what was charged is being given back. Send the same request again in a \
         minute to see that it is."
    } else {
        "The number is being set up. Send the same request again in a few seconds."
    }
}

fn active(purchase: Purchase) -> Begun {
    Begun::Active {
        success: true,
        phone_number: purchase.phone_number,
        vapi_phone_id: purchase.vapi_phone_id,
        direction: purchase.direction.as_str(),
        cost_pence: purchase.charged.map_or(0, Amount::pence),
        purchase_id: purchase.purchase_id,
    }
}

fn failed(purchase: &Purchase) -> Problem {
    match &purchase.failed {
        Some(Failure::NumberTaken) => Problem::new(Code::NumberTaken),
        Some(Failure::NoNumber) => Problem::new(Code::NoNumberAvailable),
        Some(Failure::CarrierRefused { sentence }) => Problem::new(Code::PurchaseFailed)
            .saying(format!("{sentence} Whatever was charged is back in the wallet.")),
        Some(Failure::VendorTrouble) => Problem::new(Code::PurchaseFailed).saying(
            "The number could not be set up because a provider did not answer. Whatever was charged is back in the \
             wallet. Try again in a few minutes.",
        ),
        Some(Failure::VoiceRefused | Failure::InsufficientFunds | Failure::WalletFrozen) | None => {
            Problem::new(Code::PurchaseFailed)
        }
    }
}
