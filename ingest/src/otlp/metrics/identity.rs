//! The identity of a series, and its hash `series_id`.
//!
//! `series_id` is XXH3-64 (seed 0) over 16 bytes, the digest of what all points of a metric share, and the point's
//! attributes as canonical JSON. The digest is XXH3-128 (seed 0), little-endian, over:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this layout: 1 |
//! | 1 | kind: 0 gauge, 1 sum, 2 histogram, 3 exponential histogram, 4 summary |
//! | 4 | aggregation temporality as sent, i32, little-endian; 0 for gauges and summaries |
//! | 1 | monotonicity: 0 none, 1 not monotonic, 2 monotonic |
//! | 4 + n, six times | length (u32, little-endian) and bytes of: metric name, unit, resource attributes, scope name, scope version, scope attributes; maps as canonical JSON, absent text as empty |
//!
//! A first byte of 2 marks the identities of Prometheus' series (`prometheus::identity`).
//!
//! Description, metadata, entity references, schema URLs and dropped counts are no part of it. The layout is on disk in every
//! `series_id`: it never changes; a new one would need a new version and a new column.

use crate::otlp::rows::{
    context::{Resource, Scope},
    metrics::Metric,
};
use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The bytes of the digest that a point's attributes follow.
pub(crate) const DIGEST_BYTES: usize = 16;

/// The version of the layout.
const VERSION: u8 = 1;

/// The digest of what all points of a metric share; `scratch` is overwritten.
pub(super) fn digest(
    metric: &Metric<'_>,
    resource: &Resource,
    scope: &Scope,
    scratch: &mut Vec<u8>,
) -> [u8; DIGEST_BYTES] {
    let monotonicity = match metric.monotonic {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    };
    scratch.clear();
    scratch.extend_from_slice(&[VERSION, metric.kind as u8]);
    scratch.extend_from_slice(&metric.temporality.to_le_bytes());
    scratch.push(monotonicity);
    for text in [
        metric.name,
        metric.unit,
        &resource.attributes,
        &scope.name,
        &scope.version,
        &scope.attributes,
    ] {
        scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
        scratch.extend_from_slice(text);
    }
    xxh3_128(scratch).to_le_bytes()
}

/// The `series_id` of an identity: a digest with a point's attributes behind it.
#[inline]
pub(crate) fn series_id(identity: &[u8]) -> i64 {
    xxh3_64(identity) as i64
}

/// The series of a request.
pub(crate) type SeriesSet = HashSet<i64, Spread>;

/// Hashes series ids, which are hashes already, so that a sender cannot choose ids that meet in one slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// Odd.
    factor: u64,
}

impl Spread {
    pub(crate) fn new(seed: u64) -> Self {
        Spread {
            factor: xxh3_64(&seed.to_le_bytes()) | 1,
        }
    }
}

impl BuildHasher for Spread {
    type Hasher = SpreadHasher;

    #[inline]
    fn build_hasher(&self) -> SpreadHasher {
        SpreadHasher {
            factor: self.factor,
            state: 0,
        }
    }
}

/// See [`Spread`].
#[derive(Debug)]
pub(crate) struct SpreadHasher {
    factor: u64,
    state: u64,
}

impl Hasher for SpreadHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_i64(&mut self, id: i64) {
        self.write_u64(id as u64);
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        let product = u128::from(self.state ^ id) * u128::from(self.factor);
        self.state = (product as u64) ^ (product >> 64) as u64;
    }
}
