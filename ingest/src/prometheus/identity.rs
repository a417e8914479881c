//! The identity of a series of Prometheus, and its hash `series_id`.
//!
//! `series_id` is XXH3-64 (seed 0) over 16 bytes, the digest, and the labels without `__name__` as canonical JSON. The
//! digest is XXH3-128 (seed 0), little-endian, over: a byte 2 (identities of OTLP begin with 1), a byte for the form of
//! the points (0 numbers, 1 exponential buckets, 2 custom buckets), length (u32, little-endian) and bytes of the name.
//!
//! Nothing of metadata is in it, since metadata comes later than samples. The form is, since points of the forms lie in
//! different tables. The layout is on disk in every `series_id`: it never changes.

use crate::otlp::{metrics::identity::DIGEST_BYTES, rows::metrics::MetricKind};
use xxhash_rust::xxh3::xxh3_128;

/// The first byte of identities of Prometheus.
const VERSION: u8 = 2;

/// The form of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum PointForm {
    Numbers = 0,
    Exponential = 1,
    Custom = 2,
}

impl PointForm {
    /// The kind of a histogram of this form.
    pub(super) fn kind(self) -> MetricKind {
        match self {
            PointForm::Numbers => MetricKind::Gauge,
            PointForm::Exponential => MetricKind::ExponentialHistogram,
            PointForm::Custom => MetricKind::Histogram,
        }
    }
}

/// The digest of name and form; `scratch` is overwritten.
pub(super) fn digest(name: &[u8], form: PointForm, scratch: &mut Vec<u8>) -> [u8; DIGEST_BYTES] {
    scratch.clear();
    scratch.extend_from_slice(&[VERSION, form as u8]);
    scratch.extend_from_slice(&(name.len() as u32).to_le_bytes());
    scratch.extend_from_slice(name);
    xxh3_128(scratch).to_le_bytes()
}
