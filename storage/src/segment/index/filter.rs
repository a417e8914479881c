//! Split-block Bloom filters: a token sets eight bits in one bucket of 32 bytes.
//!
//! The scheme of the Parquet format's split-block filters (BloomFilter.md: one bit in each of eight words of a
//! bucket, chosen by multiplication with eight odd constants), with a bucket's number and bits taken from one XXH3-64.

use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a bucket.
pub(crate) const BUCKET_BYTES: usize = 32;
/// Bits of filter for each token: about 1 % of the filters without the token say that they may hold it.
const BITS_PER_TOKEN: usize = 10;

const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// The hash of a token: what filters know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hash(u64);

impl Hash {
    pub(crate) fn of(token: &[u8]) -> Hash {
        Hash(xxh3_64(token))
    }

    /// The number of the bucket, of `buckets`.
    pub(crate) fn bucket(self, buckets: usize) -> usize {
        // The upper half scaled to the number of buckets; the lower half chooses bits.
        (((self.0 >> 32) * buckets as u64) >> 32) as usize
    }

    fn bits(self) -> [u32; 8] {
        SALTS.map(|salt| 1 << ((self.0 as u32).wrapping_mul(salt) >> 27))
    }

    /// Sets the bits of this token in a bucket.
    pub(crate) fn set(self, bucket: &mut [u8]) {
        let (words, _) = bucket.as_chunks_mut::<4>();
        for (word, bit) in words.iter_mut().zip(self.bits()) {
            *word = (u32::from_le_bytes(*word) | bit).to_le_bytes();
        }
    }

    /// Whether a bucket may hold this token.
    pub(crate) fn is_in(self, bucket: &[u8]) -> bool {
        let (words, _) = bucket.as_chunks::<4>();
        words
            .iter()
            .zip(self.bits())
            .all(|(word, bit)| u32::from_le_bytes(*word) & bit != 0)
    }
}

/// The number of buckets of a filter for `tokens` distinct tokens; at least one.
pub(crate) fn buckets(tokens: usize) -> usize {
    (tokens * BITS_PER_TOKEN).div_ceil(BUCKET_BYTES * 8).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_absent_tokens_are_taken_for_present() {
        let count = 10_000_usize;
        let buckets = buckets(count);
        let mut filter = vec![0_u8; buckets * BUCKET_BYTES];
        let of = |hash: Hash| hash.bucket(buckets) * BUCKET_BYTES;
        for i in 0..count {
            let hash = Hash::of(&(i as u64).to_le_bytes());
            hash.set(&mut filter[of(hash)..][..BUCKET_BYTES]);
        }
        let present = |i: usize| {
            let hash = Hash::of(&(i as u64).to_le_bytes());
            hash.is_in(&filter[of(hash)..][..BUCKET_BYTES])
        };
        assert!((0..count).all(present));
        let wrong = (count..count * 11).filter(|i| present(*i)).count();
        assert!(
            wrong < count * 10 / 50,
            "{wrong} of {} absent tokens",
            count * 10
        );
    }
}
