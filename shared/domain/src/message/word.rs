//! What the carrier says became of a text.

use super::State;

/// What the carrier says of a text (twilio.com/docs/messaging/api/message-resource, "Message status values").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has it: `accepted`, `scheduled`, `queued`, `sending`, `sent`.
    OnItsWay,
    /// The telephone has it: `delivered`, `read`.
    Delivered,
    /// The telephone will not have it, although it was sent: `undelivered`.
    Undelivered {
        /// The carrier's word for why.
        why: String,
    },
    /// It was not sent: `failed`, `canceled`.
    Failed {
        /// The carrier's word for why.
        why: String,
    },
}

/// What a word of the carrier's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is known, or an older word that comes late.
    None,
    /// The text stands so from now on. Its price goes back where that is [`State::Refused`].
    Becomes(State),
    /// It went out, and counts as unsent, or as another sending: a person is to know.
    Contradicts,
}

impl Word {
    /// Returns what it is, of the carrier's status and code; none for a status that it does not document.
    pub fn of(status: &str, code: Option<&str>) -> Option<Self> {
        let why = || code.map_or_else(|| status.to_owned(), |code| format!("{status}, code {code}"));
        match status {
            "accepted" | "scheduled" | "queued" | "sending" | "sent" => Some(Self::OnItsWay),
            "delivered" | "read" => Some(Self::Delivered),
            "undelivered" => Some(Self::Undelivered { why: why() }),
            "failed" | "canceled" => Some(Self::Failed { why: why() }),
            _ => None,
        }
    }

    /// Returns what it changes of a text that stands like `state`, where it is said of the carrier's `vendor_id`. Words come in any
    /// order and more than once, so what the telephone has stays so, and what has failed is not on its way again.
    pub fn effect(self, state: &State, vendor_id: &str) -> Effect {
        let vendor_id = vendor_id.to_owned();
        match state {
            State::Sent { vendor_id: known }
            | State::Delivered { vendor_id: known }
            | State::Undelivered { vendor_id: known, .. }
                if *known != vendor_id =>
            {
                return Effect::Contradicts;
            }
            // The price is in the wallet again.
            State::Refused { .. } | State::NotSent | State::Unpaid => {
                return if matches!(self, Self::Failed { .. }) { Effect::None } else { Effect::Contradicts };
            }
            State::Delivered { .. } => return Effect::None,
            State::Sending
            | State::Unknown
            | State::Waiting
            | State::Sent { .. }
            | State::Undelivered { .. } => {}
        }
        let is_news = !matches!(state, State::Sent { .. } | State::Undelivered { .. });
        match self {
            Self::OnItsWay if is_news => Effect::Becomes(State::Sent { vendor_id }),
            Self::OnItsWay => Effect::None,
            Self::Delivered => Effect::Becomes(State::Delivered { vendor_id }),
            Self::Undelivered { .. } | Self::Failed { .. } if matches!(state, State::Undelivered { .. }) => {
                Effect::None
            }
            Self::Undelivered { why } => Effect::Becomes(State::Undelivered { vendor_id, why }),
            Self::Failed { why } => Effect::Becomes(State::Refused { why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> State {
        State::Sent { vendor_id: "SM1".to_owned() }
    }

    #[test]
    fn words_in_any_order_end_where_the_telephone_says() {
        let words = ["queued", "sent", "delivered", "sent", "delivered"];
        for from in 0..words.len() {
            let mut state = State::Sending;
            for at in 0..words.len() {
                let word = Word::of(words[(from + at) % words.len()], None).unwrap();
                match word.effect(&state, "SM1") {
                    Effect::Becomes(after) => state = after,
                    Effect::None => {}
                    Effect::Contradicts => panic!("{from}"),
                }
            }
            assert_eq!(state, State::Delivered { vendor_id: "SM1".to_owned() });
        }
    }

    #[test]
    fn what_failed_is_given_back_once_and_what_was_given_back_and_sent_is_told() {
        let failed = || Word::of("failed", Some("30003")).unwrap();
        let refused = State::Refused { why: "failed, code 30003".to_owned() };
        for state in [State::Sending, State::Unknown, sent()] {
            assert_eq!(failed().effect(&state, "SM1"), Effect::Becomes(refused.clone()));
        }
        assert_eq!(failed().effect(&refused, "SM1"), Effect::None);
        for state in [refused, State::NotSent, State::Unpaid] {
            assert_eq!(Word::Delivered.effect(&state, "SM1"), Effect::Contradicts);
        }
        assert_eq!(Word::Delivered.effect(&sent(), "SM2"), Effect::Contradicts, "another sending");
        let undelivered = Word::of("undelivered", Some("30005")).unwrap().effect(&sent(), "SM1");
        let why = "undelivered, code 30005".to_owned();
        assert_eq!(undelivered, Effect::Becomes(State::Undelivered { vendor_id: "SM1".to_owned(), why }));
        assert_eq!(Word::of("partially_delivered", None), None);
    }
}
