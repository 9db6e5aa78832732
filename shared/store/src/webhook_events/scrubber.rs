//! What a dead letter keeps of a body: values at known places that look as they must, and nothing else.

use serde_json::{Map, Value};

/// The largest payload kept, far below an item's 400 KB.
const LARGEST_PAYLOAD: usize = 100_000;
/// The longest text kept, in bytes.
const LONGEST_KEPT: usize = 128;

/// How a value must look to be kept where it stands.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Letters and digits, with `-` and `_`; at least one of each, so that neither a word nor a phone number is one.
    Id,
    /// An id of Stripe's: a short lower-case prefix, `_`, then letters, digits and `_`.
    StripeId,
    /// A state or kind: lower-case words joined by `-`, `_` or `.`, or one of [`SINGLE_WORDS`].
    State,
    /// Three lower-case letters, as Stripe writes currencies.
    Currency,
    /// An instant in RFC 3339.
    Time,
    /// A number.
    Number,
}

/// The states and kinds of both vendors that are a single word, and our environments.
const SINGLE_WORDS: &[&str] = &[
    "scheduled",
    "queued",
    "ringing",
    "forwarding",
    "ended",
    "twilio",
    "vonage",
    "vapi",
    "telnyx",
    "event",
    "charge",
    "refund",
    "dispute",
    "open",
    "complete",
    "expired",
    "paid",
    "unpaid",
    "succeeded",
    "processing",
    "canceled",
    "pending",
    "failed",
    "lost",
    "won",
    "payment",
    "setup",
    "subscription",
    "hang",
    "transcript",
    "development",
    "staging",
    "production",
];

impl Shape {
    fn fits(self, value: &Value) -> bool {
        if matches!(self, Self::Number) {
            return value.is_number();
        }
        value.as_str().is_some_and(|text| text.len() <= LONGEST_KEPT && self.fits_text(text))
    }

    fn fits_text(self, text: &str) -> bool {
        let is_id = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        match self {
            Self::Id => {
                is_id(text)
                    && text.bytes().any(|c| c.is_ascii_digit())
                    && text.bytes().any(|c| c.is_ascii_alphabetic())
            }
            Self::StripeId => text.split_once('_').is_some_and(|(prefix, rest)| {
                let is_prefix =
                    (2..=5).contains(&prefix.len()) && prefix.bytes().all(|c| c.is_ascii_lowercase());
                is_prefix && !rest.is_empty() && is_id(rest)
            }),
            Self::State => {
                let is_joined = text.split(['-', '_', '.']).count() > 1;
                let is_plain =
                    text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c));
                SINGLE_WORDS.contains(&text) || text == "webCall" || is_joined && is_plain && is_worded(text)
            }
            Self::Currency => text.len() == 3 && text.bytes().all(|c| c.is_ascii_lowercase()),
            Self::Time => text.parse::<jiff::Timestamp>().is_ok(),
            Self::Number => false,
        }
    }
}

/// Returns whether `text` begins with a letter: a phone number or a date does not.
fn is_worded(text: &str) -> bool {
    text.bytes().next().is_some_and(|c| c.is_ascii_lowercase())
}

/// A vendor, by the places whose values a dead letter of its keeps, each a JSON pointer from one of the roots.
#[derive(Clone, Copy, Debug)]
pub struct Scrubber {
    roots: &'static [&'static str],
    kept: &'static [(&'static str, Shape)],
}

impl Scrubber {
    /// For what Vapi sends, and for a call of its list.
    pub const VAPI: Self = Self {
        roots: &["", "/message", "/message/call", "/message/assistant", "/message/phoneNumber"],
        kept: &[
            ("/id", Shape::Id),
            ("/orgId", Shape::Id),
            ("/phoneNumberId", Shape::Id),
            ("/assistantId", Shape::Id),
            ("/squadId", Shape::Id),
            ("/type", Shape::State),
            ("/status", Shape::State),
            ("/endedReason", Shape::State),
            ("/phoneCallProvider", Shape::State),
            ("/createdAt", Shape::Time),
            ("/updatedAt", Shape::Time),
            ("/startedAt", Shape::Time),
            ("/endedAt", Shape::Time),
            ("/timestamp", Shape::Number),
            ("/durationMs", Shape::Number),
            ("/durationSeconds", Shape::Number),
        ],
    };
    /// For what Stripe sends, and for an event of its list.
    pub const STRIPE: Self = Self {
        roots: &["", "/data/object"],
        kept: &[
            ("/id", Shape::StripeId),
            ("/customer", Shape::StripeId),
            ("/payment_intent", Shape::StripeId),
            ("/charge", Shape::StripeId),
            ("/object", Shape::State),
            ("/type", Shape::State),
            ("/status", Shape::State),
            ("/currency", Shape::Currency),
            ("/payment_status", Shape::State),
            ("/mode", Shape::State),
            ("/metadata/voxanne_environment", Shape::State),
            ("/amount", Shape::Number),
            ("/amount_received", Shape::Number),
            ("/amount_total", Shape::Number),
            ("/created", Shape::Number),
        ],
    };

    /// A body without what a person said or is called, or what must be kept secret, cut with a mark when it is too long.
    pub fn payload(self, body: &Value) -> String {
        let mut text = self.scrubbed(body, "").to_string();
        if text.len() > LARGEST_PAYLOAD {
            text.truncate(text.floor_char_boundary(LARGEST_PAYLOAD));
            text.push_str("[cut]");
        }
        text
    }

    /// `value`, which stands at `place`. A field that leads to nothing that is kept is counted, its name is not kept.
    fn scrubbed(self, value: &Value, place: &str) -> Value {
        match value {
            Value::Object(fields) if self.leads_on(place) => {
                let mut kept = Map::new();
                for (name, value) in fields {
                    let place = format!("{place}/{name}");
                    if !name.contains('/') && (self.shape(&place).is_some() || self.leads_on(&place)) {
                        kept.insert(name.clone(), self.scrubbed(value, &place));
                    }
                }
                let removed = fields.len().saturating_sub(kept.len());
                if removed > 0 {
                    kept.insert("[removed fields]".to_owned(), removed.into());
                }
                Value::Object(kept)
            }
            _ if self.shape(place).is_some_and(|shape| shape.fits(value)) => value.clone(),
            Value::Null => Value::Null,
            Value::String(text) => Value::String(format!("[removed: {} bytes]", text.len())),
            Value::Number(_) => Value::String("[removed: a number]".to_owned()),
            Value::Bool(_) => Value::String("[removed: true or false]".to_owned()),
            Value::Array(items) => Value::String(format!("[removed: a list of {}]", items.len())),
            Value::Object(fields) => Value::String(format!("[removed: {} fields]", fields.len())),
        }
    }

    /// Every place that is kept, and its shape.
    fn places(self) -> impl Iterator<Item = (String, Shape)> {
        let of_root = move |root: &&'static str| {
            let root = *root;
            self.kept.iter().map(move |(place, shape)| (format!("{root}{place}"), *shape))
        };
        self.roots.iter().flat_map(of_root)
    }

    fn shape(self, place: &str) -> Option<Shape> {
        self.places().find(|(kept, _)| kept == place).map(|(_, shape)| shape)
    }

    /// Returns whether something below `place` is kept.
    fn leads_on(self, place: &str) -> bool {
        self.places().any(|(kept, _)| kept.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Scrubber;

    const PLANTED: [&str; 5] = ["I have a rash", "rash", "Rash", "+447700900123", "447700900123"];

    #[test]
    fn a_dead_letter_keeps_its_shape_and_loses_its_words() {
        let body = json!({"message": {"type": "status-update", "transcript": "I am ill", "durationMs": 5,
            "call": {"id": "c1", "customer": {"number": "+447700900123"}, "endedReason": "customer-ended-call"},
            "phoneNumber": {"id": "p1", "twilioAuthToken": "secret"}, "Anna Smith": true}});
        let expected = json!({"message": {"type": "status-update", "durationMs": 5, "[removed fields]": 2,
            "call": {"id": "c1", "endedReason": "customer-ended-call", "[removed fields]": 1},
            "phoneNumber": {"id": "p1", "[removed fields]": 1}}});
        assert_eq!(Scrubber::VAPI.scrubbed(&body, ""), expected);
        let event = json!({"id": "evt_a", "type": "charge.refunded", "data": {"object": {"id": "ch_a", "amount": 500,
            "currency": "gbp", "billing_details": {"name": "Anna"}, "metadata": {"voxanne_environment": "production"}}}});
        let kept = Scrubber::STRIPE.payload(&event);
        for part in ["evt_a", "charge.refunded", "ch_a", "500", "gbp", "production"] {
            assert!(kept.contains(part), "{part}: {kept}");
        }
        assert!(!kept.contains("Anna") && !kept.contains("billing_details"), "{kept}");
    }

    #[test]
    fn words_planted_in_every_field_and_key_are_not_kept() {
        for scrubber in [Scrubber::VAPI, Scrubber::STRIPE] {
            for word in PLANTED {
                for (place, _) in scrubber.places() {
                    for planted in [json!(word), json!([word]), json!({word: word}), json!({"id": word})] {
                        let body = place
                            .rsplit('/')
                            .filter(|name| !name.is_empty())
                            .fold(planted, |inner, name| json!({ name: inner }));
                        let kept = scrubber.payload(&body);
                        assert!(!kept.contains(word), "{place}: {kept}");
                    }
                    let mut body = json!({word: word});
                    body = place
                        .rsplit('/')
                        .skip(1)
                        .filter(|name| !name.is_empty())
                        .fold(body, |inner, name| json!({ name: inner }));
                    assert!(!scrubber.payload(&body).contains(word), "{place}");
                }
            }
        }
    }
}
