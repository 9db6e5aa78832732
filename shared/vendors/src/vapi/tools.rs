//! The tools that every assistant has: made once at Vapi, shared by all orgs.

use aws_lc_rs::digest::{SHA256, digest};
use http::Method;
use serde_json::{Value, json};

use super::{Named, Vapi, VapiError, id_of};
use domain::ids::VapiToolId;

/// A tool as it shall be at Vapi.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What we call it.
    pub name: &'static str,
    /// Returns what Vapi is sent of the tool, which is also what it is found again by.
    pub definition: fn() -> Value,
}

/// The function by which the model asks for times.
pub const CHECK_AVAILABILITY: &str = "checkAvailability";
/// The function by which the model books one of them.
pub const BOOK_APPOINTMENT: &str = "bookClinicAppointment";

/// The function by which the model finds what stands ahead for the caller.
pub const FIND_APPOINTMENTS: &str = "findMyAppointments";
/// The function by which the model moves one of those.
pub const RESCHEDULE_APPOINTMENT: &str = "rescheduleAppointment";
/// The function by which the model cancels one of those.
pub const CANCEL_APPOINTMENT: &str = "cancelAppointment";
/// The function by which the model leaves the clinic a message.
pub const TAKE_MESSAGE: &str = "takeMessage";
/// The function by which the model asks what to say in an emergency, and tells the clinic.
pub const REPORT_EMERGENCY: &str = "reportEmergency";

/// Every tool that an assistant of ours has. A function names no server of its own: Vapi asks that of the assistant, which is our
/// webhook, signed by our credential (`CreateFunctionToolDTO.server`).
pub const TOOLS: [Tool; 8] = [
    Tool { name: "end_call", definition: end_call },
    Tool { name: CHECK_AVAILABILITY, definition: check_availability },
    Tool { name: BOOK_APPOINTMENT, definition: book_appointment },
    Tool { name: FIND_APPOINTMENTS, definition: find_appointments },
    Tool { name: RESCHEDULE_APPOINTMENT, definition: reschedule_appointment },
    Tool { name: CANCEL_APPOINTMENT, definition: cancel_appointment },
    Tool { name: TAKE_MESSAGE, definition: take_message },
    Tool { name: REPORT_EMERGENCY, definition: report_emergency },
];
/// What changes how a tool behaves: one that has more of it than its definition is another tool.
const DECIDING: [&str; 2] = ["messages", "rejectionPlan"];

/// Vapi's API describes no other field that we need for it (`CreateEndCallToolDTO`), and refuses those it does not describe.
fn end_call() -> Value {
    json!({"type": "endCall"})
}

/// The model gives the caller's words, and we work out what they mean: a model that computes dates gets weeks and years wrong.
fn check_availability() -> Value {
    function(
        CHECK_AVAILABILITY,
        "Finds free times for a service. Returns two or three, each with a letter.",
        &json!({
            "service": {"type": "string", "description": "The service, in the caller's words."},
            "when": {"type": "string", "description": "When, in the caller's own words, such as: next Tuesday afternoon. \
                Never a date that you have worked out."},
            "part_of_day": {"type": "string", "enum": ["morning", "lunchtime", "afternoon", "evening"]},
            "practitioner": {"type": "string", "description": "With whom, if the caller says so."},
            "which": {"type": "string", "description": "To move an appointment: the letter that findMyAppointments gave it. The \
                service is then that appointment's."},
        }),
        &["when"],
    )
}

fn book_appointment() -> Value {
    function(
        BOOK_APPOINTMENT,
        "Holds or books one of the times that checkAvailability returned on this call: without patient_name it holds it for two \
         minutes, with it it books it. Only an answer that begins with BOOKED is a booking.",
        &json!({
            "option": {"type": "string", "description": "The letter of the time."},
            "patient_name": {"type": "string", "description": "First and last name of the patient, as the caller said it."},
            "email": {"type": "string", "description": "Where the confirmation goes, if the caller wants one by e-mail: spelled out and \
                read back. Leave it out otherwise."},
            "may_text": {"type": "boolean", "description": "Whether the caller wants texts about the appointment on the number they ring \
                from: ask when you read the time back. Leave it out when you did not ask."},
            "answers": {"type": "string", "description": "What the caller answered to the questions of the service, by their numbers, \
                such as: 1: yes; 2: since Monday. Leave out what was not answered."},
            "another": {"type": "boolean", "description": "True when the same patient wants one more appointment on this call."},
        }),
        &["option"],
    )
}

fn find_appointments() -> Value {
    function(
        FIND_APPOINTMENTS,
        "Finds the caller's own future appointments, each with a letter. Needed before one is moved or cancelled.",
        &json!({"patient_name": {"type": "string", "description": "First and last name of the patient, as the caller said it."}}),
        &["patient_name"],
    )
}

fn reschedule_appointment() -> Value {
    function(
        RESCHEDULE_APPOINTMENT,
        "Moves an appointment. Only an answer that begins with MOVED is a move; after any other it stays as it was.",
        &json!({
            "which": {"type": "string", "description": "The letter that findMyAppointments gave the appointment."},
            "option": {"type": "string", "description": "The letter that checkAvailability gave the new time."},
        }),
        &["which", "option"],
    )
}

fn cancel_appointment() -> Value {
    function(
        CANCEL_APPOINTMENT,
        "Cancels an appointment. Only an answer that begins with CANCELLED is a cancellation.",
        &json!({"which": {"type": "string", "description": "The letter that findMyAppointments gave the appointment."}}),
        &["which"],
    )
}

fn take_message() -> Value {
    function(
        TAKE_MESSAGE,
        "Leaves the clinic a message. Only an answer that begins with NOTED has reached it.",
        &json!({
            "text": {"type": "string", "description": "What the clinic is to be told, in whole sentences: who says it, what it is \
                about, and the number to ring back."},
            "urgent": {"type": "boolean", "description": "True when it cannot wait until the clinic reads its messages."},
        }),
        &["text"],
    )
}

fn report_emergency() -> Value {
    function(
        REPORT_EMERGENCY,
        "For when somebody is in danger. Returns the sentence to say at once, and tells the clinic. Nothing is booked then.",
        &json!({"what": {"type": "string", "description": "What is the matter, in the caller's words."}}),
        &["what"],
    )
}

fn function(name: &str, description: &str, properties: &Value, required: &[&str]) -> Value {
    json!({"type": "function", "function": {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required},
    }})
}

impl Tool {
    /// Returns the SHA-256 of the definition, in hexadecimal: another definition has another hash.
    pub fn definition_hash(&self) -> String {
        // An object's keys are written sorted, whatever the order they were given in.
        let text = (self.definition)().to_string();
        hex::encode(digest(&SHA256, text.as_bytes()))
    }

    /// Returns whether an entry of Vapi's list does what the definition says: by the definition's own fields, because Vapi
    /// keeps no name or mark of ours on every kind of tool.
    fn is_kept_as(&self, entry: &Value) -> bool {
        let definition = (self.definition)();
        let mut fields = definition.as_object().into_iter().flatten();
        let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        fields.all(|(name, value)| has(&entry[name], value))
            && DECIDING.iter().all(|name| !definition[name].is_null() || is_empty(&entry[name]))
    }
}

/// Whether what is kept has all that was sent: Vapi fills in what was left out, such as `function.strict`.
fn has(kept: &Value, sent: &Value) -> bool {
    match (kept, sent) {
        (Value::Object(kept), Value::Object(sent)) => {
            sent.iter().all(|(name, value)| kept.get(name).is_some_and(|kept| has(kept, value)))
        }
        (kept, sent) => kept == sent,
    }
}

impl Vapi {
    /// Returns the tool that does what the definition says, whoever made it; the oldest, when there are several. It may be
    /// shared with others who use the account, so it is never changed.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn tool_like(&self, tool: &Tool) -> Result<Option<VapiToolId>, VapiError> {
        let found = self.listed("/tool", &[], |entry| tool.is_kept_as(entry)).await?;
        found.into_iter().next().map(id_of).transpose()
    }

    /// Makes a tool. Vapi makes another for each request, so the caller must look with [`Self::tool_like`] first.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn create_tool(&self, tool: &Tool) -> Result<VapiToolId, VapiError> {
        let made: Named<VapiToolId> = self.send_json(Method::POST, "/tool", &(tool.definition)()).await?;
        Ok(made.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_by_what_the_vendor_keeps_of_it() {
        let kept = |more: Value| {
            let mut entry =
                json!({"id": "t", "orgId": "o", "createdAt": "2026-01-01T00:00:00.000Z", "type": "endCall"});
            for (name, value) in more.as_object().into_iter().flatten() {
                entry[name] = value.clone();
            }
            TOOLS[0].is_kept_as(&entry)
        };
        assert!(kept(json!({})), "as it is sent");
        assert!(kept(json!({"messages": [], "rejectionPlan": null})), "with what Vapi adds");
        assert!(!kept(json!({"type": "function"})));
        assert!(
            !kept(json!({"messages": [{"type": "request-start", "content": "Bye."}]})),
            "it says something"
        );
        assert!(!kept(json!({"rejectionPlan": {"conditions": []}})), "it may not end the call");
    }

    #[test]
    fn a_function_is_found_with_what_the_vendor_fills_in_and_not_with_other_parameters() {
        let tool = TOOLS[1];
        let mut kept = (tool.definition)();
        kept["function"]["strict"] = json!(false);
        kept["function"]["parameters"]["properties"]["when"]["pattern"] = json!("");
        assert!(tool.is_kept_as(&kept));
        assert!(!TOOLS[2].is_kept_as(&kept));
        kept["function"]["parameters"]["required"] = json!(["service"]);
        assert!(!tool.is_kept_as(&kept));
    }

    #[test]
    fn the_hash_is_of_the_sorted_keys() {
        let one = Tool { name: "x", definition: || json!({"a": 1, "b": 2}) };
        let same = Tool { name: "x", definition: || json!({"b": 2, "a": 1}) };
        let other = Tool { name: "x", definition: || json!({"a": 1, "b": 3}) };
        assert_eq!(one.definition_hash(), same.definition_hash());
        assert_ne!(one.definition_hash(), other.definition_hash());
        assert_eq!(one.definition_hash().len(), 64);
    }
}
