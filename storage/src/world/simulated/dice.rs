//! Luck from a seed.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): small, and ours, so that an upgrade of a library never changes what a
//! seed means.

use parking_lot::Mutex;

/// A generator that several owners share.
pub(super) struct Dice(Mutex<u64>);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(Mutex::new(seed))
    }

    /// A generator of its own, so that the draws of one part don't move those of another.
    pub(super) fn fork(&self) -> Dice {
        Dice::new(self.bits())
    }

    /// 64 random bits.
    pub(super) fn bits(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `limit`; 0 when the limit is 0. The bias of the remainder does not matter here.
    pub(super) fn below(&self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.bits() % limit }
    }

    /// True with this probability.
    pub(super) fn chance(&self, probability: f64) -> bool {
        // A draw in any case: changing a probability must not shift all later draws.
        let draw = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        draw < probability
    }
}
