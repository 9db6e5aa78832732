//! `POST /api/integrations/twilio`: a number that the clinic has in its own account at Twilio.

use domain::ids::AccountSid;
use lambda_http::{Body, Response};
use services::provisioning::{Brought, Connected};
use vendors::twilio::Account;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::{fingerprint, invalid, json_object, phone_number},
};

use super::{direction, provision::answer};
use crate::Deps;

/// Checks the account and the number at Twilio, then connects it. Nothing is charged.
///
/// # Errors
/// When the caller may not change, something in the body is not usable, Twilio refuses the account, the number is not in it, or
/// the direction is taken.
pub async fn connect(deps: &Deps, caller: &Caller, body: &Body) -> Result<Response<Body>, Problem> {
    caller.may_change()?;
    let body = json_object(body)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().trim().to_owned();
    let sid = AccountSid::parse(text("accountSid")).ok().filter(|sid| is_account(sid.as_str()));
    let sid = sid.ok_or_else(|| {
        invalid("accountSid is AC and 32 hexadecimal digits, as Twilio's console shows it.")
    })?;
    let token = text("authToken");
    if !(1..=128).contains(&token.len()) || !token.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(invalid("authToken is the account's auth token, as Twilio's console shows it."));
    }
    let number = phone_number(&body["phoneNumber"], "phoneNumber")?;
    let number = number.ok_or_else(|| invalid("phoneNumber is missing: the number to connect, in E.164."))?;
    let direction = direction(&body["type"], "type")?;
    let body_hash = fingerprint(&[direction.as_str(), sid.as_str(), number.as_str(), &token]);
    let brought = Brought { number, account: Account { sid, token: token.into() } };
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
