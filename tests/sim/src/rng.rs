//! Chance, in streams: one for each concern, so that leaving one thing out disturbs the others as little as possible.

/// A sequence of random numbers that a seed and the name of a concern decide (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The stream of `concern` in the world of `seed`.
    pub fn of(seed: u64, concern: &str) -> Self {
        // FNV-1a of the name, so that streams of one seed have nothing to do with each other.
        let name = concern.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let mut stream = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ name);
        stream.bits();
        stream
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `most`, each as likely.
    pub fn up_to(&mut self, most: u64) -> u64 {
        let bits = self.bits();
        most.checked_add(1).and_then(|n| bits.checked_rem(n)).unwrap_or(bits)
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most.saturating_sub(least)).unwrap_or_default();
        least.saturating_add(i64::try_from(self.up_to(span)).unwrap_or_default())
    }

    /// An index below `len`; 0 when there is none.
    pub fn index(&mut self, len: usize) -> usize {
        let most = u64::try_from(len.saturating_sub(1)).unwrap_or_default();
        usize::try_from(self.up_to(most)).unwrap_or_default()
    }

    /// Whether something that happens so many times in a thousand happens now.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.up_to(999) < per_mille
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let at = self.index(choices.len());
        choices.get(at).copied()
    }
}
