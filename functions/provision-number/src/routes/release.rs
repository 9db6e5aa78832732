//! `DELETE /api/managed-telephony/numbers/{phoneNumber}`.

use domain::phone_number::PhoneNumber;
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::json;
use services::provisioning::Release;
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer},
};

use crate::Deps;

/// Gives a number up: 200 when both vendors have confirmed that it is gone, 202 until then.
///
/// # Errors
/// When the caller may not change, the org has no such number, or something of ours failed.
pub async fn release(deps: &Deps, caller: &Caller, number: &str) -> Result<Response<Body>, Problem> {
    caller.may_change()?;
    // A browser may send the plus sign in either way.
    let decoded = number.strip_prefix("%2B").or_else(|| number.strip_prefix("%2b"));
    let written = decoded.map_or_else(|| number.to_owned(), |digits| format!("+{digits}"));
    let number = PhoneNumber::parse(written).map_err(|_| Problem::new(Code::NotFound))?;
    tracing::info!(org_id = %caller.org, user = %caller.user, "a number is given up");
    match deps.provisioning.release(caller.org, &number).await? {
        Release::Released => Ok(json_answer(StatusCode::OK, &json!({"success": true, "status": "released"}))),
        Release::Releasing => {
            let body = json!({"success": false, "status": "releasing",
                "detail": "A provider has not confirmed yet. Ask again in a minute, until it is released."});
            Ok(json_answer(StatusCode::ACCEPTED, &body))
        }
        Release::NotFound => Err(Problem::new(Code::NotFound)),
    }
}
