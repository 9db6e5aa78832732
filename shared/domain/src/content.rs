//! The text of a call: what was said, and what Vapi's analysis makes of it.

use serde::{Deserialize, Deserializer, Serialize};

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
    /// Whether Vapi has a recording of it. Where it lies is asked when it is played, and never kept: Vapi's links expire.
    #[serde(alias = "recording_url", deserialize_with = "is_said")]
    pub has_recording: bool,
    /// What Vapi charges us for the call, in US dollars, as it wrote it. It is never the customer's price.
    pub vendor_cost_usd: Option<String>,
}

impl Content {
    /// Returns it with what `other` has and it lacks.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            transcript: self.transcript.or(other.transcript),
            summary: self.summary.or(other.summary),
            sentiment_label: self.sentiment_label.or(other.sentiment_label),
            sentiment_score: self.sentiment_score.or(other.sentiment_score),
            outcome: self.outcome.or(other.outcome),
            urgency: self.urgency.or(other.urgency),
            caller_name: self.caller_name.or(other.caller_name),
            tools_used: if self.tools_used.is_empty() { other.tools_used } else { self.tools_used },
            has_recording: self.has_recording || other.has_recording,
            vendor_cost_usd: self.vendor_cost_usd.or(other.vendor_cost_usd),
        }
    }
}

/// Reads whether there is one: as it is written now, or as it was, by a link or nothing.
fn is_said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Now(bool),
        Before(Option<String>),
    }
    Ok(match Said::deserialize(deserializer)? {
        Said::Now(has_recording) => has_recording,
        Said::Before(link) => link.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_source_lacks_another_adds_and_nothing_is_put_over_what_is_there() {
        let words = |text: &str| Some(Personal::new(text.to_owned()));
        let report = Content { summary: words("by the report"), has_recording: false, ..Content::default() };
        let record = Content {
            transcript: words("by the record"),
            summary: words("by the record"),
            tools_used: vec!["book".into()],
            has_recording: true,
            ..Content::default()
        };
        let both = Content { summary: words("by the report"), ..record.clone() };
        assert_eq!(report.clone().or(record), both);
        assert_eq!(both.clone().or(report), both, "again, and nothing changes");
    }

    #[test]
    fn a_link_that_was_kept_before_says_that_there_is_a_recording() {
        let read = |text: &str| serde_json::from_str::<Content>(text).unwrap().has_recording;
        assert!(read(r#"{"recording_url": "https://storage.example.test/a.wav"}"#));
        assert!(!read(r#"{"recording_url": null}"#) && !read("{}") && !read(r#"{"has_recording": false}"#));
        let kept = serde_json::to_string(&Content { has_recording: true, ..Content::default() }).unwrap();
        assert!(read(&kept) && !kept.contains("url"));
    }
}
