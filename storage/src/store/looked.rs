//! What looks at the bucket found, and when the next one is.

use crate::time::{Nanos, serialize_text};
use std::time::Duration;

/// What a look at the bucket found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Orphans {
    /// When it was looked at.
    #[serde(serialize_with = "serialize_text")]
    pub looked: Nanos,
    /// Objects of segments that nobody needs and that are a day old.
    pub objects: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Objects that are no segment's and not ours.
    pub foreign_objects: u64,
    /// Objects that the catalog names and the bucket has not.
    pub missing_objects: u64,
}

/// What a store knows of orphans.
#[derive(Default)]
pub(super) struct Reconciling {
    /// Monotonic time of the next look; the first is a while after the start.
    pub(super) next: Option<Duration>,
    pub(super) last: Option<Orphans>,
}
