//! What stands for callers' numbers where they are only counted: a keyed hash, so that the record that counts them names nobody.

use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::slots::Mark;
use secrecy::ExposeSecret;

use crate::config::Reader;

/// The shortest key, in bytes.
const SHORTEST_KEY: usize = 32;
/// How much of a hash a mark has, in bytes: two of the few that are counted at a time are never the same by chance.
const MARK_BYTES: usize = 12;

/// Makes marks. The same parts have the same mark for as long as the key is the same.
#[derive(Clone)]
pub struct Marks(Arc<hmac::Key>);

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marks")
    }
}

impl Marks {
    /// Reads `LIMITS_KEY`, at least 32 bytes of text. One that is shorter is a problem.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let key = reader.secret("LIMITS_KEY");
        let bytes = key.expose_secret().as_bytes();
        // One that is missing is said already.
        if (1..SHORTEST_KEY).contains(&bytes.len()) {
            reader.problem(format!("LIMITS_KEY is shorter than {SHORTEST_KEY} bytes"));
        }
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Returns the mark of these parts together, which other parts do not have.
    pub fn of(&self, parts: &[&str]) -> Mark {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            // Each with its length, so that no character can move to the next part.
            context.update(format!("{}:{part}", part.len()).as_bytes());
        }
        let tag = context.sign();
        let short: Vec<u8> = tag.as_ref().iter().copied().take(MARK_BYTES).collect();
        Mark::new(URL_SAFE_NO_PAD.encode(short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Invalid};

    fn marks(key: &str) -> Result<Marks, Invalid> {
        let environment = Environment::of([("LIMITS_KEY", key)]);
        let mut reader = environment.reader();
        let marks = Marks::read(&mut reader);
        reader.finish().map(|()| marks)
    }

    #[test]
    fn a_mark_is_the_same_for_the_same_number_and_key_and_names_nobody() {
        let (one, other) = (marks(&"k".repeat(32)).unwrap(), marks(&"l".repeat(32)).unwrap());
        let mark = one.of(&["caller", "+447700900123"]);
        assert_eq!(mark, one.of(&["caller", "+447700900123"]));
        for another in [
            one.of(&["caller", "+447700900124"]),
            one.of(&["dialled", "+447700900123"]),
            one.of(&["caller+", "447700900123"]),
            other.of(&["caller", "+447700900123"]),
        ] {
            assert_ne!(mark, another);
        }
        let shown = format!("{mark:?} {one:?}");
        assert!(!shown.contains("7700900123") && !shown.contains("kkkk"), "{shown}");
    }

    #[test]
    fn a_key_that_can_be_guessed_is_a_problem() {
        for short in ["", "short", &"k".repeat(31)] {
            let problems = marks(short).unwrap_err().0;
            assert!(problems.len() == 1 && problems[0].contains("LIMITS_KEY"), "{problems:?}");
            assert!(!problems[0].contains("short."), "the value is a secret");
        }
    }
}
