//! What a store knows of its backups of the catalog.

use std::time::Duration;

/// When the next one is made, and what the last one held.
#[derive(Default)]
pub(super) struct Backing {
    /// Monotonic time of the next backup; the first is an interval after the start.
    pub(super) next: Option<Duration>,
    /// Commits of the catalog in the last one that this process wrote: without more of them it is still up to date.
    pub(super) commits: Option<u64>,
}
