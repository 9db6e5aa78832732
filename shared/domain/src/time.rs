//! Instants and months: how they are written down, and sums that stay within the range of time.

use jiff::{SignedDuration, Timestamp};

/// Writes an instant in RFC 3339, UTC, always with milliseconds: one instant has one spelling, and spellings
/// sort like instants.
pub fn rfc3339_millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Returns the same instant without anything finer than a millisecond.
#[must_use]
pub fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Returns `at` so many seconds later (or earlier, when negative), held back at the end of the range of time.
#[must_use]
pub fn plus_secs(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs)).unwrap_or(at)
}

/// Returns the calendar month of an instant, in UTC: `2026-11`. Months sort like their times.
pub fn month_of(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

/// Serializes an instant with [`rfc3339_millis`], for serde's `with`.
pub mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the instant with [`super::rfc3339_millis`].
    ///
    /// # Errors
    /// Only the serializer's own.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::rfc3339_millis(*at))
    }

    /// Reads any RFC 3339 instant.
    ///
    /// # Errors
    /// When the text is not an instant.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }

    /// The same for an instant that may be missing.
    pub mod option {
        use jiff::Timestamp;
        use serde::{Deserialize, Deserializer, Serializer};

        /// Writes the instant with [`super::super::rfc3339_millis`], or nothing.
        ///
        /// # Errors
        /// Only the serializer's own.
        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads any RFC 3339 instant, or nothing.
        ///
        /// # Errors
        /// When there is a text, and it is not an instant.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Option::deserialize(deserializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_at_midnight_utc() {
        for (at, month) in [
            ("2026-11-30T23:59:59.999Z", "2026-11"),
            ("2026-12-01T00:00:00Z", "2026-12"),
            ("2027-01-01T00:30:00+01:00", "2026-12"),
        ] {
            assert_eq!(month_of(at.parse().unwrap()), month, "{at}");
        }
    }
}
