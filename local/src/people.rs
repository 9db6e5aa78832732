//! What people do with the stack: a clinic's owner at the dashboard, its patients on the telephone. The demo and the month that a
//! fresh data folder begins with are played by it.

use bytes::Bytes;
use domain::ids::OrgId;
use http::Request;
use sandbox::{
    stripe::Act,
    vapi::{Placing, Turn},
};
use serde_json::{Value, json};

use crate::{stack::Stack, token::Issuer};

/// Why something could not be done: what was answered instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotDone(String);

impl From<NotDone> for String {
    fn from(NotDone(sentence): NotDone) -> Self {
        sentence
    }
}

/// The owner of a clinic, and whoever rings it.
#[derive(Clone, Copy, Debug)]
pub struct People<'a> {
    stack: &'a Stack,
    org: OrgId,
}

impl<'a> People<'a> {
    /// Those of `org`.
    pub const fn of(stack: &'a Stack, org: OrgId) -> Self {
        Self { stack, org }
    }

    /// The owner sends a request; nothing is sent with it where `body` is null. Returns the status and the answer.
    ///
    /// # Errors
    /// When the request cannot be made, or the answer is not JSON.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value), NotDone> {
        let failed = |error: &dyn std::error::Error| NotDone(format!("{method} {path}: {error}"));
        let token = Issuer::of(self.stack)
            .issue(self.org, "owner", self.stack.clock.now())
            .map_err(|error| failed(&error))?;
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}")).body(body);
        let answer = self.stack.request(request.map_err(|error| failed(&error))?).await;
        let body = serde_json::from_slice(answer.body()).map_err(|error| failed(&error))?;
        Ok((answer.status().as_u16(), body))
    }

    /// The owner looks at something.
    ///
    /// # Errors
    /// As [`People::send`].
    pub async fn get(&self, path: &str) -> Result<Value, NotDone> {
        self.send("GET", path, &Value::Null).await.map(|(_, answer)| answer)
    }

    /// The owner has something done.
    ///
    /// # Errors
    /// As [`People::send`], and when it is answered with anything but success.
    pub async fn have(&self, method: &str, path: &str, body: &Value) -> Result<Value, NotDone> {
        let (status, answer) = self.send(method, path, body).await?;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        Err(NotDone(format!("{method} {path} was answered with {status}: {answer}")))
    }

    /// The owner pays so much in, by card. The money is there when Stripe's event has come.
    ///
    /// # Errors
    /// When the payment page cannot be had.
    pub async fn pay(&self, pence: u32) -> Result<(), NotDone> {
        let answer =
            self.have("POST", "/api/billing/wallet/topup", &json!({ "amount_pence": pence })).await?;
        let session = answer["url"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
        self.stack.stripe.act(session, Act::Pay).map_err(NotDone)?;
        Ok(())
    }

    /// A patient rings `to`, talks for so many seconds, and brings the assistant to do what is in `says`. Returns the call's id at
    /// Vapi.
    ///
    /// # Errors
    /// When the number leads nowhere.
    pub fn ring(&self, to: &str, from: &str, talk_seconds: u32, says: Vec<Turn>) -> Result<String, NotDone> {
        let placing = Placing {
            to: Some(to.to_owned()),
            from: from.to_owned(),
            talk_seconds,
            web_assistant_id: None,
            max_duration_seconds: None,
            says,
        };
        self.stack.vapi.place(&placing).map_err(NotDone)
    }
}

/// The patient says something, and the model uses a tool.
pub fn turn(says: &str, tool: &str, arguments: Value) -> Turn {
    Turn { says: Some(says.to_owned()), tool: tool.to_owned(), arguments, repeats: 0 }
}

/// The patient takes one of the times that were offered.
pub fn books(option: &str, name: &str) -> Turn {
    turn(&format!("I am {name}."), "bookClinicAppointment", json!({"option": option, "patient_name": name}))
}

/// The same by a patient who spells an address.
pub fn books_with_mail(option: &str, name: &str, email: &str) -> Turn {
    let arguments = json!({"option": option, "patient_name": name, "email": email});
    turn(&format!("I am {name}, and my address is {email}."), "bookClinicAppointment", arguments)
}

/// The patient asks for the appointments that stand under a name.
pub fn finds(name: &str) -> Turn {
    turn(
        &format!("I am {name}, I have an appointment."),
        "findMyAppointments",
        json!({ "patient_name": name }),
    )
}
