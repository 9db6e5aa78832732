//! Assistants, which speak on calls. What the clinic decides is set by us; every other setting stays as it is
//! at Vapi.

use http::Method;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{Named, Vapi, VapiError, id_of, numbers::Webhook, short};
use crate::marks::{ENVIRONMENT, STACK};
use domain::{
    ids::{OrgId, StackMark, VapiAssistantId, VapiToolId},
    opening,
};

/// The messages that Vapi posts to us. Its own list has every word of the conversation in it, many times
/// over.
pub const SERVER_MESSAGES: [&str; 4] = ["status-update", "end-of-call-report", "hang", "tool-calls"];

/// The name under which a call's assistant is given what is so of the clinic: what stands for it in the prompt, between two braces on
/// each side. <https://docs.vapi.ai/assistants/dynamic-variables>
pub const FACTS: &str = "clinic_facts";

/// Returns what a call's assistant is given: what is so of the clinic, what it is called, if that is known, and which wording its first
/// sentence has.
pub fn variables(facts: &str, name: Option<&str>) -> Value {
    let mut values = json!({FACTS: facts, "opening_version": opening::VERSION.to_string()});
    if let Some(name) = name {
        values[opening::NAME] = Value::from(name);
    }
    values
}

/// An assistant as it shall be at Vapi.
#[derive(Clone, Debug)]
pub struct Assistant<'a> {
    /// The name that we give it at Vapi; cut after 40 characters.
    pub name: &'a str,
    /// The sentence that it says first.
    pub first_message: &'a str,
    /// The system prompt: what it is told to be and do.
    pub system_prompt: &'a str,
    /// The provider of the voice, as Vapi names it.
    pub voice_provider: &'a str,
    /// The voice, as its provider names it.
    pub voice_id: &'a str,
    /// The language that it listens for, as the transcriber names it.
    pub language: &'a str,
    /// The longest call, in seconds, from 10 to 43,200.
    pub max_duration_secs: u32,
    /// The tools that it must have.
    pub tools: &'a [VapiToolId],
    /// The tools that those took the place of, which it must not have.
    pub replaced_tools: &'a [VapiToolId],
    /// Where Vapi posts the messages about its calls.
    pub webhook: &'a Webhook,
    /// The marks by which it is found again: `voxanne_environment`, `voxanne_stack`, `org_id`, `role`.
    pub metadata: Value,
}

impl Assistant<'_> {
    /// Returns the whole assistant, as it is made, or as it becomes out of `current`.
    fn body(&self, current: &Value) -> Value {
        let mut metadata = current["metadata"].as_object().cloned().unwrap_or_default();
        metadata.extend(self.metadata.as_object().cloned().unwrap_or_default());
        let mut body = json!({
            "name": short(self.name),
            "firstMessage": self.first_message,
            "model": self.model(&current["model"]),
            "voice": self.voice(&current["voice"]),
            "transcriber": self.transcriber(&current["transcriber"]),
            "maxDurationSeconds": self.max_duration_secs,
            "server": self.webhook.server(),
            "serverMessages": SERVER_MESSAGES,
            "metadata": metadata,
        });
        // Our fields replace those of the current plan; the plan's others stay.
        let mut plan = current["analysisPlan"].as_object().cloned().unwrap_or_default();
        plan.extend(analysis_plan().as_object().cloned().unwrap_or_default());
        body["analysisPlan"] = Value::Object(plan);
        body
    }

    /// Returns the whole model, because Vapi replaces the whole model.
    fn model(&self, current: &Value) -> Value {
        let fresh = || json!({"provider": "openai", "model": "gpt-4o"});
        let mut model = if current.is_object() { current.clone() } else { fresh() };
        model["messages"] = self.messages(&current["messages"]);
        model["toolIds"] = self.tool_ids(&current["toolIds"]);
        model
    }

    fn messages(&self, current: &Value) -> Value {
        let system = json!({"role": "system", "content": self.system_prompt});
        let mut messages = current.as_array().cloned().unwrap_or_default();
        if let Some(first) = messages.iter_mut().find(|message| message["role"] == "system") {
            *first = system;
        } else {
            messages.insert(0, system);
        }
        Value::Array(messages)
    }

    fn tool_ids(&self, current: &Value) -> Value {
        let mut ids = current.as_array().cloned().unwrap_or_default();
        ids.retain(|id| !self.replaced_tools.iter().any(|tool| *id == tool.as_str()));
        for tool in self.tools {
            if !ids.iter().any(|id| *id == tool.as_str()) {
                ids.push(Value::from(tool.as_str()));
            }
        }
        Value::Array(ids)
    }

    /// Returns the current voice with ours set. Another provider's settings mean nothing to ours, so they go.
    fn voice(&self, current: &Value) -> Value {
        let is_same = current["provider"] == self.voice_provider;
        let mut voice = if is_same { current.clone() } else { json!({"provider": self.voice_provider}) };
        voice["voiceId"] = Value::from(self.voice_id);
        // The one provider whose voices must be told what they speak (ISO 639-1).
        if self.voice_provider == "neuphonic" {
            voice["language"] = Value::from(self.language.split('-').next());
        }
        voice
    }

    fn transcriber(&self, current: &Value) -> Value {
        let fresh = || json!({"provider": "deepgram", "model": "nova-2"});
        let mut transcriber = if current.is_object() { current.clone() } else { fresh() };
        transcriber["language"] = Value::from(self.language);
        transcriber
    }
}

/// Returns what the end-of-call report is to say beside the transcript; the message parser reads these
/// fields.
fn analysis_plan() -> Value {
    json!({
        "summaryPlan": {"enabled": true},
        "structuredDataPlan": {
            "enabled": true,
            "schema": {
                "type": "object",
                "properties": {
                    "outcome": {"type": "string", "description": "What the call led to, in a few words."},
                    "sentiment": {"type": "string", "enum": ["positive", "neutral", "negative"]},
                    "sentimentScore": {
                        "type": "number",
                        "description": "How the caller felt, from -1 (very bad) to 1 (very good).",
                    },
                    "urgency": {"type": "string", "enum": ["low", "normal", "high"]},
                },
            },
        },
    })
}

impl Vapi {
    /// Makes an assistant. Vapi makes another for each request, so the caller must look with
    /// [`Self::assistant_marked`] first.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn create_assistant(&self, wanted: &Assistant<'_>) -> Result<VapiAssistantId, VapiError> {
        let body = wanted.body(&Value::Null);
        let made: Named<VapiAssistantId> = self.send_json(Method::POST, "/assistant", &body).await?;
        Ok(made.id)
    }

    /// Returns an assistant with all its settings, which [`Self::update_assistant`] needs; `None` when Vapi
    /// has none of this id.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn assistant(&self, id: &VapiAssistantId) -> Result<Option<Value>, VapiError> {
        self.find_json(&format!("/assistant/{id}")).await
    }

    /// Makes the assistant that was read as `current` what is wanted, and leaves every other setting of its
    /// model, voice and transcriber as it was read.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn update_assistant(
        &self,
        id: &VapiAssistantId,
        current: &Value,
        wanted: &Assistant<'_>,
    ) -> Result<(), VapiError> {
        let path = format!("/assistant/{id}");
        self.send_json::<IgnoredAny>(Method::PATCH, &path, &wanted.body(current)).await.map(|_| ())
    }

    /// Returns the assistant that is marked as the org's, for this environment, deployment and role; the oldest, when
    /// there are several.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn assistant_marked(
        &self,
        environment: &str,
        stack: StackMark,
        org: OrgId,
        role: &str,
    ) -> Result<Option<VapiAssistantId>, VapiError> {
        let (stack, org) = (stack.to_string(), org.to_string());
        let is_it = |entry: &Value| {
            let metadata = &entry["metadata"];
            metadata[ENVIRONMENT] == environment
                && metadata[STACK] == stack.as_str()
                && metadata["org_id"] == org.as_str()
                && metadata["role"] == role
        };
        self.listed("/assistant", &[], is_it).await?.into_iter().next().map(id_of).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::VapiCredentialId;

    fn webhook() -> Webhook {
        let credential = VapiCredentialId::parse("cred").unwrap();
        Webhook { url: "https://api.example/vapi".into(), credential }
    }

    fn wanted<'a>(webhook: &'a Webhook, tools: &'a [VapiToolId]) -> Assistant<'a> {
        Assistant {
            name: "A name that is far longer than the forty characters Vapi takes",
            first_message: "Hello.",
            system_prompt: "Be kind.",
            voice_provider: "11labs",
            voice_id: "new-voice",
            language: "en-GB",
            max_duration_secs: 600,
            tools,
            replaced_tools: &[],
            webhook,
            metadata: json!({"org_id": "o", "role": "inbound", "voxanne_environment": "dev"}),
        }
    }

    #[test]
    fn a_new_assistant_has_all_that_it_needs() {
        let (webhook, tools) = (webhook(), [VapiToolId::parse("t1").unwrap()]);
        let body = wanted(&webhook, &tools).body(&Value::Null);
        assert_eq!(body["name"].as_str().unwrap().chars().count(), 40);
        let model = json!({
            "provider": "openai",
            "model": "gpt-4o",
            "messages": [{"role": "system", "content": "Be kind."}],
            "toolIds": ["t1"],
        });
        assert_eq!(body["model"], model);
        assert_eq!(body["voice"], json!({"provider": "11labs", "voiceId": "new-voice"}));
        let transcriber = json!({"provider": "deepgram", "model": "nova-2", "language": "en-GB"});
        assert_eq!(body["transcriber"], transcriber);
        assert_eq!(body["serverMessages"], json!(SERVER_MESSAGES));
        assert_eq!(body["server"]["credentialId"], "cred");
        assert_eq!(body["analysisPlan"]["structuredDataPlan"]["schema"]["type"], "object");
    }

    #[test]
    fn an_update_keeps_every_setting_that_is_not_ours() {
        let (webhook, tools) = (webhook(), ["t1", "t2"].map(|id| VapiToolId::parse(id).unwrap()));
        let current = json!({
            "model": {
                "provider": "anthropic",
                "model": "claude",
                "temperature": 0.2,
                "knowledgeBase": {"provider": "google"},
                "messages": [
                    {"role": "assistant", "content": "An example."},
                    {"role": "system", "content": "Be rude."},
                    {"role": "system", "content": "Second."},
                ],
                "toolIds": ["theirs", "t1"],
            },
            "voice": {"provider": "11labs", "voiceId": "old-voice", "stability": 0.5},
            "transcriber": {"provider": "deepgram", "model": "nova-3", "language": "en", "keywords": ["a"]},
            "analysisPlan": {"summaryPlan": {"enabled": false}, "minMessagesThreshold": 3},
            "metadata": {"org_id": "o", "note": "kept"},
        });
        let body = wanted(&webhook, &tools).body(&current);
        let mut expected = current["model"].clone();
        expected["messages"][1]["content"] = "Be kind.".into();
        expected["toolIds"] = json!(["theirs", "t1", "t2"]);
        assert_eq!(body["model"], expected);
        let voice = json!({"provider": "11labs", "voiceId": "new-voice", "stability": 0.5});
        assert_eq!(body["voice"], voice);
        let mut transcriber = current["transcriber"].clone();
        transcriber["language"] = "en-GB".into();
        assert_eq!(body["transcriber"], transcriber);
        assert_eq!(body["analysisPlan"]["minMessagesThreshold"], 3);
        assert_eq!(body["analysisPlan"]["summaryPlan"], analysis_plan()["summaryPlan"], "ours");
        assert_eq!(body["metadata"]["note"], "kept");
        assert_eq!(body["metadata"]["role"], "inbound");
    }

    #[test]
    fn a_model_without_a_system_message_gets_one_in_front_and_another_providers_voice_goes() {
        let webhook = webhook();
        let current = json!({
            "model": {
                "provider": "openai",
                "model": "gpt-4o",
                "messages": [{"role": "user", "content": "Hi."}],
            },
            "voice": {"provider": "azure", "voiceId": "andrew", "speed": 1},
        });
        let body = wanted(&webhook, &[]).body(&current);
        let messages = json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi."}]);
        assert_eq!(body["model"]["messages"], messages);
        assert_eq!(body["model"]["toolIds"], json!([]));
        assert_eq!(body["voice"], json!({"provider": "11labs", "voiceId": "new-voice"}));
    }

    #[test]
    fn a_tool_that_another_took_the_place_of_goes() {
        let (webhook, tools) = (webhook(), ["new", "old"].map(|id| VapiToolId::parse(id).unwrap()));
        let current =
            json!({"model": {"provider": "openai", "model": "gpt-4o", "toolIds": ["old", "theirs"]}});
        let wanted = Assistant { replaced_tools: &tools[1..], ..wanted(&webhook, &tools[..1]) };
        assert_eq!(wanted.body(&current)["model"]["toolIds"], json!(["theirs", "new"]));
    }

    #[test]
    fn a_voice_that_must_know_its_language_is_told() {
        let webhook = webhook();
        for (language, told) in [("en-GB", "en"), ("de", "de")] {
            let wanted = Assistant { voice_provider: "neuphonic", language, ..wanted(&webhook, &[]) };
            let voice = json!({"provider": "neuphonic", "voiceId": "new-voice", "language": told});
            assert_eq!(wanted.body(&Value::Null)["voice"], voice);
        }
    }

    #[test]
    fn updating_twice_changes_nothing_more() {
        let (webhook, tools) = (webhook(), [VapiToolId::parse("t1").unwrap()]);
        let wanted = wanted(&webhook, &tools);
        let once = wanted.body(&Value::Null);
        let mut twice = wanted.body(&once);
        twice["analysisPlan"] = once["analysisPlan"].clone();
        assert_eq!(twice, once);
    }
}
