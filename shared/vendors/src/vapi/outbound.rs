//! Calls that we make: how one is started, and how it is found again.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Vapi, VapiCall, VapiError, assistants::variables, short};
use crate::marks::ENVIRONMENT;
use domain::{
    ids::{CallId, VapiAssistantId, VapiPhoneId},
    phone_number::PhoneNumber,
    time::{plus_secs, rfc3339_millis},
};

/// The metadata key of our id of a call.
pub(super) const CALL_ID: &str = "call_id";
/// How many seconds Vapi's clock may be behind ours.
const SKEW_SECS: i64 = 60;
/// How many seconds after it was asked for Vapi may begin a call, its clock being ahead of ours included.
const LATEST_SECS: i64 = 180;

/// A call to start.
#[derive(Clone, Debug)]
pub struct Dial<'a> {
    /// Our id of the call, by which it is found again.
    pub call_id: &'a CallId,
    /// The environment that dials, which marks the call.
    pub environment: &'a str,
    /// The number that calls, as Vapi names it.
    pub from: &'a VapiPhoneId,
    /// The assistant that speaks.
    pub assistant: &'a VapiAssistantId,
    /// The number that is called.
    pub to: &'a PhoneNumber,
    /// The longest that the call may last, in seconds: the provider limit of its grant.
    pub max_duration_secs: u32,
    /// What is so of the clinic, which takes the place of [`super::assistants::FACTS`] in the prompt.
    pub facts: &'a str,
    /// What the clinic is called, which is said first.
    pub name: Option<&'a str>,
    /// What Vapi does by itself at certain times of the call, as it describes hooks; `null` for nothing.
    pub hooks: Value,
}

impl Dial<'_> {
    fn body(&self) -> Value {
        let mut body = json!({
            // A UUID is 36 characters of the 40 that a name may have.
            "name": short(self.call_id.as_str()),
            "assistantId": self.assistant.as_str(),
            "phoneNumberId": self.from.as_str(),
            "customer": {"number": self.to.as_str()},
            "assistantOverrides": {
                "maxDurationSeconds": self.max_duration_secs,
                "variableValues": variables(self.facts, self.name),
            },
        });
        // In the overrides, where the API describes metadata: it refuses what it does not describe.
        body["assistantOverrides"]["metadata"] =
            json!({ENVIRONMENT: self.environment, CALL_ID: self.call_id.as_str()});
        if !self.hooks.is_null() {
            body["assistantOverrides"]["hooks"] = self.hooks.clone();
        }
        body
    }
}

impl Vapi {
    /// Starts a call. Vapi has no idempotency key: after anything but a clear answer, the caller must look
    /// with [`Self::dialled`], because the phone may be ringing.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn dial(&self, dial: &Dial<'_>) -> Result<VapiCall, VapiError> {
        self.send_json(Method::POST, "/call", &dial.body()).await
    }

    /// Returns every call that Vapi has changed since `since`, as Vapi lists it, the oldest first.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn calls_updated(&self, since: Timestamp) -> Result<Vec<Value>, VapiError> {
        let since = rfc3339_millis(since);
        self.listed("/call", &[("updatedAtGe", since.as_str())], |_| true).await
    }

    /// Returns the call that was started under our id, around `since`; the oldest, when there are several.
    /// Only calls that began within minutes of then are listed, so the search does not grow with the account.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn dialled(
        &self,
        call_id: &CallId,
        environment: &str,
        since: Timestamp,
    ) -> Result<Option<VapiCall>, VapiError> {
        let until = rfc3339_millis(plus_secs(since, LATEST_SECS));
        let since = rfc3339_millis(plus_secs(since, SKEW_SECS.saturating_neg()));
        let is_it = |entry: &Value| {
            let metadata = &entry["assistantOverrides"]["metadata"];
            let is_marked = metadata[CALL_ID] == call_id.as_str() && metadata[ENVIRONMENT] == environment;
            is_marked || entry["name"] == call_id.as_str()
        };
        let window = [("createdAtGe", since.as_str()), ("createdAtLt", until.as_str())];
        let found = self.listed("/call", &window, is_it).await?.into_iter().next();
        found.map(|entry| serde_json::from_value(entry).map_err(VapiError::Unreadable)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_dialled_with_the_marks_that_it_is_found_by() {
        let (call_id, from, assistant, to) = (
            CallId::parse("0ce83208-5124-4e47-8d91-d5eddd2d78bb").unwrap(),
            VapiPhoneId::parse("p").unwrap(),
            VapiAssistantId::parse("a").unwrap(),
            PhoneNumber::parse("+442071838750").unwrap(),
        );
        let dial = Dial {
            call_id: &call_id,
            environment: "dev",
            from: &from,
            assistant: &assistant,
            to: &to,
            max_duration_secs: 300,
            facts: "It is Tuesday.",
            name: Some("Hill Street Dental"),
            hooks: Value::Null,
        };
        let mut expected = json!({
            "name": "0ce83208-5124-4e47-8d91-d5eddd2d78bb",
            "assistantId": "a",
            "phoneNumberId": "p",
            "customer": {"number": "+442071838750"},
            "assistantOverrides": {"maxDurationSeconds": 300, "variableValues": {"clinic_facts": "It is Tuesday.",
                "clinic_name": "Hill Street Dental", "opening_version": "1"},
                "metadata": {"voxanne_environment": "dev", "call_id": call_id.as_str()}},
        });
        assert_eq!(dial.body(), expected);
        let hooks = json!([{"on": "call.timeElapsed"}]);
        expected["assistantOverrides"]["hooks"] = hooks.clone();
        assert_eq!(Dial { hooks, ..dial }.body(), expected);
    }
}
