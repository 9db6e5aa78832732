//! `POST /api/integrations/twilio`: a number that the clinic has in its own account at Twilio.

use std::fmt;

use domain::{ids::AccountSid, rate::Costly};
use serde::Deserialize;
use serde_json::Value;
use services::provisioning::{Brought, Connected};
use utoipa::ToSchema;
use vendors::twilio::Account;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::{fingerprint, invalid, phone_number},
    routes::{Answer, Input},
};

use super::{
    direction,
    provision::{Begun, answer},
};
use crate::Deps;

/// An account, a number in it, and what the number is for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": "x", "phoneNumber": "+14155550199", "type": "outbound"}))]
pub struct Wanted {
    #[serde(default)]
    #[schema(value_type = String)]
    account_sid: Value,
    #[serde(default)]
    #[schema(value_type = String)]
    auth_token: Value,
    #[serde(default)]
    #[schema(value_type = String)]
    phone_number: Value,
    #[serde(default, rename = "type")]
    #[schema(value_type = String)]
    direction: Value,
}
web::json_bodies!(Wanted);

/// It holds a token: nothing of it is printed.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

/// Checks the account and the number at Twilio, then connects it. Nothing is charged.
///
/// # Errors
/// When the caller may not change, something in the body is not usable, Twilio refuses the account, the number is not in it, or
/// the direction is taken.
pub async fn connect(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Begun>, Problem> {
    caller.may_change()?;
    let body = &input.body;
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let sid = AccountSid::parse(text(&body.account_sid)).ok().filter(|sid| is_account(sid.as_str()));
    let sid = sid.ok_or_else(|| {
        invalid("accountSid is AC and 32 hexadecimal digits, as Twilio's console shows it.")
    })?;
    let token = text(&body.auth_token);
    if !(1..=128).contains(&token.len()) || !token.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(invalid("authToken is the account's auth token, as Twilio's console shows it."));
    }
    let number = phone_number(&body.phone_number, "phoneNumber")?;
    let number = number.ok_or_else(|| invalid("phoneNumber is missing: the number to connect, in E.164."))?;
    let direction = direction(&body.direction, "type")?;
    let body_hash = fingerprint(&[direction.as_str(), sid.as_str(), number.as_str(), &token]);
    let brought = Brought { number, account: Account { sid, token: token.into() } };
    deps.count(caller, Costly::AccountConnect).await?;
    match deps.provisioning.connect(caller.org, direction, &brought, body_hash).await? {
        Connected::Done(provisioned) => answer(provisioned),
        Connected::AccountRefused(sentence) => Err(Problem::new(Code::CredentialsRefused).saying(sentence)),
        Connected::NumberNotThere => Err(invalid("That Twilio account does not have this phone number.")),
    }
}

fn is_account(sid: &str) -> bool {
    let digits = sid.strip_prefix("AC").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|c| c.is_ascii_hexdigit())
}
