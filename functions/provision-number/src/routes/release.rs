//! `DELETE /api/managed-telephony/numbers/{phoneNumber}`.

use domain::phone_number::PhoneNumber;
use http::StatusCode;
use serde::Serialize;
use services::provisioning::Release;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use crate::Deps;

/// Whether the number is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct Released {
    success: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

/// Gives a number up: 200 when both vendors have confirmed that it is gone, 202 until then.
///
/// # Errors
/// When the caller may not change, the org has no such number, or something of ours failed.
pub async fn release(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Released>, Problem> {
    caller.may_change()?;
    let number =
        PhoneNumber::parse(input.path.get("phoneNumber")).map_err(|_| Problem::new(Code::NotFound))?;
    tracing::info!(org_id = %caller.org, user = %caller.user, "a number is given up");
    match deps.provisioning.release(caller.org, &number).await? {
        Release::Released => Ok(Answer::ok(Released { success: true, status: "released", detail: None })),
        Release::Releasing => {
            let detail = "A provider has not confirmed yet. Ask again in a minute, until it is released.";
            let releasing = Released { success: false, status: "releasing", detail: Some(detail) };
            Ok(Answer::with(StatusCode::ACCEPTED, releasing))
        }
        Release::NotFound => Err(Problem::new(Code::NotFound)),
    }
}
