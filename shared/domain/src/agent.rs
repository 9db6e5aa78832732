//! An org's two agents: one answers calls, one makes them. The clinic decides what they say; this module
//! decides what is usable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    call::Direction,
    ids::{OrgId, VapiAssistantId, VapiPhoneId},
};

/// What the clinic decides about an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behavior {
    /// The name that the clinic gave the agent.
    pub name: String,
    /// The system prompt: what the agent is told to be and do.
    pub system_prompt: String,
    /// The sentence that the agent says first.
    pub first_message: String,
    /// The provider of the voice, one of [`VOICE_PROVIDERS`].
    pub voice_provider: String,
    /// The voice, as its provider names it.
    pub voice_id: String,
    /// The language that the agent listens for, as BCP 47 writes it: one of [`LANGUAGES`].
    pub language: String,
    /// The longest that a call of the agent may last, in seconds, within [`LIMIT_SECS`].
    pub max_duration_secs: u32,
}

/// Whether Vapi has the agent as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sync", rename_all = "snake_case")]
pub enum Sync {
    /// Vapi has the agent as it is stored.
    Synced,
    /// Vapi does not have it yet; it is pushed until Vapi has it.
    Pending,
    /// Vapi will not take the agent as it is: the clinic must change something in it.
    Failed {
        /// A sentence that tells the clinic what Vapi refuses.
        sync_reason: String,
    },
}

/// An agent as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The org that the agent belongs to.
    pub org_id: OrgId,
    /// Whether the agent answers calls or makes them. With the org, this is the key of the record.
    pub role: Direction,
    /// What the clinic decided about the agent.
    #[serde(flatten)]
    pub behavior: Behavior,
    /// Raised by every save and every change of its number; a save names the version that it started from.
    pub version: u64,
    /// Raised by every write: of a save, of a link to a number, or of Vapi's answer. A write names the
    /// revision that it read.
    pub revision: u64,
    /// Whether Vapi has the agent as it is stored.
    #[serde(flatten)]
    pub sync: Sync,
    /// Until when one function pushes the agent to Vapi. Only one does so at a time, so that an older version
    /// never overtakes a newer one.
    #[serde(with = "super::time::millis")]
    pub sync_lease_until: Timestamp,
    /// The assistant at Vapi, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_assistant_id: Option<VapiAssistantId>,
    /// The number that it answers on or rings from, as Vapi names it; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_phone_number_id: Option<VapiPhoneId>,
}

/// The providers that an agent's voice may come from (`voice.provider` in Vapi's API).
pub const VOICE_PROVIDERS: [&str; 13] = [
    "11labs",
    "azure",
    "cartesia",
    "deepgram",
    "hume",
    "inworld",
    "lmnt",
    "minimax",
    "neuphonic",
    "openai",
    "playht",
    "rime-ai",
    "vapi",
];
/// The languages that an agent can listen for: those that the transcriber of our assistants understands.
pub const LANGUAGES: [&str; 20] = [
    "en", "en-GB", "en-US", "en-AU", "en-IN", "en-NZ", "de", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl",
    "pt", "ru", "sv", "tr", "uk",
];
/// The longest name of an agent or of a voice, in characters.
pub const LONGEST_NAME: usize = 100;
/// The longest system prompt, in characters.
pub const LONGEST_PROMPT: usize = 20_000;
/// The longest system prompt, in bytes of UTF-8: a character that is not of the English alphabet has two to four.
pub const LONGEST_PROMPT_BYTES: usize = 40_000;
/// The longest first message, in characters.
pub const LONGEST_FIRST_MESSAGE: usize = 1_000;
/// How long a call of an agent may last, in seconds: at least a minute, at most what Vapi allows.
pub const LIMIT_SECS: std::ops::RangeInclusive<u32> = 60..=43_200;

impl Behavior {
    /// Returns the behavior of an agent before its clinic has decided anything.
    pub fn first(role: Direction) -> Self {
        let (name, first_message, task) = match role {
            Direction::Inbound => (
                "Receptionist",
                "Hello, thank you for calling. How can I help you?",
                "You answer the clinic's phone. Find out what the caller needs, take their name and number, and promise \
                 that somebody will ring back.",
            ),
            Direction::Outbound => (
                "Caller",
                "Hello, I am calling on behalf of the clinic. Is this a good moment?",
                "You ring patients for the clinic. Say why you are calling, answer simple questions, and note what they \
                 say.",
            ),
        };
        Self {
            name: name.to_owned(),
            system_prompt: format!(
                "{task} You give no medical advice. In an emergency tell them to ring the emergency number."
            ),
            first_message: first_message.to_owned(),
            voice_provider: "vapi".to_owned(),
            voice_id: "Elliot".to_owned(),
            language: "en-GB".to_owned(),
            max_duration_secs: 600,
        }
    }

    /// Returns what is not usable about it, as a sentence for the person who typed it; `None` when all is
    /// usable.
    pub fn flaw(&self) -> Option<String> {
        let length = |name: &str, text: &str, longest: usize| {
            let count = text.trim().chars().count();
            (count == 0 || count > longest).then(|| format!("{name} is text of 1 to {longest} characters."))
        };
        length("name", &self.name, LONGEST_NAME)
            .or_else(|| length("systemPrompt", &self.system_prompt, LONGEST_PROMPT))
            .or_else(|| {
                let is_too_long = self.system_prompt.len() > LONGEST_PROMPT_BYTES;
                is_too_long.then(|| {
                    format!(
                        "systemPrompt is text of {LONGEST_PROMPT_BYTES} bytes at most: an accented letter counts two, a Chinese \
                         character three, an emoji four."
                    )
                })
            })
            .or_else(|| length("firstMessage", &self.first_message, LONGEST_FIRST_MESSAGE))
            .or_else(|| length("voiceId", &self.voice_id, LONGEST_NAME))
            .or_else(|| {
                let is_known = VOICE_PROVIDERS.contains(&self.voice_provider.as_str());
                (!is_known).then(|| format!("voiceProvider is one of {}.", VOICE_PROVIDERS.join(", ")))
            })
            .or_else(|| {
                let is_known = LANGUAGES.contains(&self.language.as_str());
                (!is_known).then(|| format!("language is one of {}.", LANGUAGES.join(", ")))
            })
            .or_else(|| {
                let (least, most) = (LIMIT_SECS.start(), LIMIT_SECS.end());
                let is_within = LIMIT_SECS.contains(&self.max_duration_secs);
                (!is_within).then(|| format!("maxDurationSeconds is a whole number from {least} to {most}."))
            })
    }
}

impl Agent {
    /// Returns the agent that an org has before it saves one.
    pub fn first(org_id: OrgId, role: Direction, at: Timestamp) -> Self {
        Self {
            org_id,
            role,
            behavior: Behavior::first(role),
            version: 1,
            revision: 0,
            sync: Sync::Pending,
            sync_lease_until: at,
            vapi_assistant_id: None,
            vapi_phone_number_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_org_has_first_is_usable() {
        for role in [Direction::Inbound, Direction::Outbound] {
            assert_eq!(Behavior::first(role).flaw(), None);
        }
    }

    #[test]
    fn each_unusable_field_is_named() {
        let good = Behavior::first(Direction::Inbound);
        let cases = [
            (Behavior { name: " ".into(), ..good.clone() }, "name"),
            (Behavior { name: "x".repeat(101), ..good.clone() }, "name"),
            (Behavior { system_prompt: String::new(), ..good.clone() }, "systemPrompt"),
            (Behavior { system_prompt: "x".repeat(20_001), ..good.clone() }, "systemPrompt"),
            (Behavior { system_prompt: "語".repeat(13_334), ..good.clone() }, "systemPrompt"),
            (Behavior { first_message: "x".repeat(1_001), ..good.clone() }, "firstMessage"),
            (Behavior { voice_id: String::new(), ..good.clone() }, "voiceId"),
            (Behavior { voice_provider: "nobody".into(), ..good.clone() }, "voiceProvider"),
            (Behavior { language: "tlh".into(), ..good.clone() }, "language"),
            (Behavior { max_duration_secs: 59, ..good.clone() }, "maxDurationSeconds"),
            (Behavior { max_duration_secs: 43_201, ..good.clone() }, "maxDurationSeconds"),
        ];
        for (behavior, field) in cases {
            assert!(behavior.flaw().unwrap().starts_with(field), "{field}");
        }
        let longest = "é".repeat(20_000);
        assert_eq!(longest.len(), LONGEST_PROMPT_BYTES);
        let longest =
            Behavior { name: "é".repeat(100), system_prompt: longest, max_duration_secs: 60, ..good };
        assert_eq!(longest.flaw(), None);
    }
}
