//! Randomness and ids, as an argument: a test can decide them by a seed.

use std::sync::Mutex;

use jiff::Timestamp;
use uuid::Uuid;

/// Where ids and jitter come from: the system when deployed, a seed in a test.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system's generator.
    System,
    /// A sequence that its seed decides (`SplitMix64`). It is never for secrets.
    Seeded(Mutex<u64>),
}

impl Entropy {
    /// Returns the sequence that `seed` decides.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Mutex::new(seed))
    }

    /// Returns 64 random bits.
    ///
    /// # Panics
    /// When the operating system has no randomness to give, without which nothing can be done.
    pub fn bits(&self) -> u64 {
        match self {
            Self::System => {
                let mut bytes = [0; 8];
                aws_lc_rs::rand::fill(&mut bytes).expect("the system gives randomness");
                u64::from_le_bytes(bytes)
            }
            Self::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                z ^ (z >> 31)
            }
        }
    }

    /// Returns a number from 0 to `most`, each as likely.
    pub fn up_to(&self, most: u64) -> u64 {
        // The bias of the remainder is far below what a jitter notices.
        most.checked_add(1).and_then(|n| self.bits().checked_rem(n)).unwrap_or_default()
    }

    /// Returns a fresh id that sorts by `now` (UUID version 7, RFC 9562).
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        let (low, high) = (self.bits().to_le_bytes(), self.bits().to_le_bytes());
        for (to, from) in random.iter_mut().zip(low.into_iter().chain(high)) {
            *to = from;
        }
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
