//! The text of a call: what was said, and what Vapi's analysis makes of it.

use serde::{Deserialize, Serialize};

use super::personal::{Name, Personal, Words};

/// What was said and what came of it. The text moves no money, and is written after the money has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// The conversation, each part with its speaker.
    pub transcript: Option<Personal<String, Words>>,
    /// Vapi's summary of the call.
    pub summary: Option<Personal<String, Words>>,
    /// How the caller sounded, by Vapi's analysis: `positive`, `neutral` or `negative`.
    pub sentiment_label: Option<String>,
    /// The same from -1 (very bad) to 1 (very good), as Vapi wrote the number.
    pub sentiment_score: Option<String>,
    /// What the call led to, in a few words of Vapi's analysis.
    pub outcome: Option<Personal<String, Words>>,
    /// How urgent the matter is, by Vapi's analysis: `low`, `normal` or `high`.
    pub urgency: Option<String>,
    /// The name of the other party, as Vapi has it.
    pub caller_name: Option<Personal<String, Name>>,
    /// The names of the tools that the assistant used, in order.
    pub tools_used: Vec<String>,
    /// The URL at which Vapi keeps the recording. It expires.
    pub recording_url: Option<String>,
    /// What Vapi charges us for the call, in US dollars, as it wrote it. It is never the customer's price.
    pub vendor_cost_usd: Option<String>,
}
