//! The text of a call.

use serde::{Deserialize, Serialize};

use super::personal::{Name, Personal, Words};

/// What was said and what came of it. It moves no money, and is written after it has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// Who spoke what.
    pub transcript: Option<Personal<String, Words>>,
    /// The vendor's summary.
    pub summary: Option<Personal<String, Words>>,
    /// How the caller sounded.
    pub sentiment_label: Option<String>,
    /// The same as a number, as the vendor wrote it.
    pub sentiment_score: Option<String>,
    /// What the call came to.
    pub outcome: Option<Personal<String, Words>>,
    /// How urgent the matter is.
    pub urgency: Option<String>,
    /// Who the other side is, as the vendor has it.
    pub caller_name: Option<Personal<String, Name>>,
    /// The tools the assistant used, in order.
    pub tools_used: Vec<String>,
    /// Where the vendor keeps the recording. It expires.
    pub recording_url: Option<String>,
    /// What the vendor charges us, in dollars, as it wrote it. Never the customer's price.
    pub vendor_cost_usd: Option<String>,
}
