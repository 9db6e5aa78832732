//! `GET /api/messages`: what a patient was told of an appointment.

use domain::{
    amount::Amount,
    ids::{AppointmentId, ContactId, MessageId},
    message::{Channel, Matter, Message, State},
    time::rfc3339_millis,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// Of which appointment.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    appointment_id: Option<String>,
}
web::query_values!(Asked);

/// The messages of an appointment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    messages: Vec<Shown>,
}

/// A message as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: MessageId,
    #[serde(flatten)]
    matter: Matter,
    contact_id: Option<ContactId>,
    channel: Channel,
    status: &'static str,
    reason: Option<String>,
    /// What was paid for it and not given back; absent for what costs nothing, and for who does not see the clinic's money.
    cost_pence: Option<i64>,
    created_at: String,
}

impl Shown {
    /// A message as it is shown to somebody, who may or may not see what it cost.
    fn of(message: Message, sees_money: bool) -> Self {
        let status = message.state.as_str();
        let reason = match message.state {
            State::Refused { why } | State::Undelivered { why, .. } => Some(why),
            State::Unpaid if sees_money => Some("the wallet had not the money for it".to_owned()),
            State::Unpaid => Some("it could not be sent: ask who keeps the clinic's wallet".to_owned()),
            State::NotSent => Some("the carrier never had it".to_owned()),
            State::Waiting => Some("no more is taken at the moment: it is tried again".to_owned()),
            State::Sending | State::Sent { .. } | State::Delivered { .. } | State::Unknown => None,
        };
        let is_paid = matches!(status, "sending" | "sent" | "delivered" | "undelivered" | "waiting");
        let price = message.text.filter(|text| sees_money && is_paid && text.price > Amount::ZERO);
        Self {
            id: message.message_id,
            matter: message.matter,
            contact_id: message.contact_id,
            channel: message.channel,
            status,
            reason,
            cost_pence: price.map(|text| text.price.pence()),
            created_at: rfc3339_millis(message.at),
        }
    }
}

/// Lists what the patient of an appointment was told of it: a few messages at the most.
///
/// # Errors
/// When `appointment_id` is missing or no id, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Listed>, Problem> {
    let id = input.query.appointment_id.as_deref().unwrap_or_default();
    let id = AppointmentId::parse(id).map_err(|_| {
        invalid("Say of which appointment: ?appointment_id=, as the list of appointments has it.")
    })?;
    let messages = deps.messages.of(caller.org, &id).await?;
    let sees_money = caller.may_see_the_business().is_ok();
    let messages = messages.into_iter().map(|message| Shown::of(message, sees_money)).collect();
    Ok(Answer::ok(Listed { messages }))
}
