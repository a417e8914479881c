//! The catalog: the set of live segments and all small state, changed by one transaction at a time.
//!
//! Two implementations, SQLite (`sqlite`) and an in-memory twin for the simulator (`memory`), held together
//! by one conformance suite (`conformance`). Every row carries a checksum; a row that fails it is reported in
//! `CatalogState::damaged` and never silently used.

#[cfg(test)]
mod conformance;
pub mod memory;
mod row;
pub mod sqlite;

use crate::{
    append::Answer,
    deletion::Tombstone,
    error::Result,
    id::{OwnerId, SegmentId, TenantId},
    segment::SegmentMeta,
    signal::{Encoding, Signal, Table},
    time::Nanos,
};
use async_trait::async_trait;

/// How far the frames of one shard are in committed segments, for one tenant and signal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FlushMark {
    pub shard: u32,
    pub tenant: TenantId,
    pub signal: Signal,
    /// Every frame of this tenant and signal with this sequence or a lower one is in a segment.
    pub sequence: u64,
}

/// The digest of an acknowledged request, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digest {
    pub tenant: TenantId,
    pub signal: Signal,
    pub encoding: Encoding,
    /// XXH3-128 of the payload.
    pub digest: u128,
    pub received: Nanos,
    pub sequence: u64,
    pub answer: Answer,
}

/// An integration event, delivered at least once after its commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Event {
    /// Stable name with a version, for example `cairn.segment.committed.v1`.
    pub kind: String,
    pub tenant: TenantId,
    pub time: Nanos,
    /// JSON.
    pub body: String,
}

/// One transaction: everything in it becomes true at once, or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    pub add: Vec<SegmentMeta>,
    /// Segments whose objects are on their way to the bucket. They are among the retired, so that a start deletes what
    /// was not finished, until they are in `forget` and `add` of one later commit.
    pub announce: Vec<SegmentMeta>,
    /// Segments that stop being live; `Conflict` unless all of them are live.
    pub replace: Vec<SegmentId>,
    /// Segments that stopped being live and whose objects are deleted: nothing is kept of them.
    pub forget: Vec<SegmentId>,
    /// Marks only go up.
    pub flushed_through: Vec<FlushMark>,
    pub digests: Vec<Digest>,
    /// Digests received before this instant are forgotten, and later ones of such an age never kept.
    pub forget_digests_before: Option<Nanos>,
    pub events: Vec<Event>,
    /// Deletions as they are from now on, each in the place of what was known of it.
    pub tombstones: Vec<Tombstone>,
}

/// All that a starting store needs.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CatalogState {
    /// The data folder that this catalog belongs to; `None` in one that was never used, or was lost and begun anew.
    pub owner: Option<OwnerId>,
    /// No sequence above it was given before the catalog was made anew from a bucket, and none up to it may be given
    /// again; 0 where the flush marks say all.
    pub last_sequence: u64,
    pub segments: Vec<SegmentMeta>,
    /// Segments that are no longer live and whose objects may still be there, by id.
    pub retired: Vec<SegmentMeta>,
    pub flushed_through: Vec<FlushMark>,
    pub digests: Vec<Digest>,
    /// Every deletion that was accepted, done ones included, by id.
    pub tombstones: Vec<Tombstone>,
    /// Rows that failed their checksum or could not be read, described for the operator.
    #[serde(skip)]
    pub damaged: Vec<String>,
}

/// Everything that a catalog holds, as of one instant: for a backup, and back.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Contents {
    pub state: CatalogState,
    /// The field ids of promoted columns.
    pub field_ids: Vec<(Table, String, i32)>,
    /// The newest events with their numbers, the oldest first.
    pub events: Vec<(u64, Event)>,
    /// The highest number of an event that was given.
    pub last_event: u64,
    /// The last epoch that was given, 0 before the first.
    pub epoch: u64,
    /// Commits so far.
    pub commits: u64,
}

/// Events in [`Contents`]: the newest so many. One segment makes one.
pub const MAX_EVENTS: u32 = 100_000;

/// The set of live segments and all small state.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Reads all that a starting store needs.
    async fn load(&self) -> Result<CatalogState>;

    /// Starts a new writer epoch: a number that no earlier call returned, durable when it returns.
    async fn begin_epoch(&self) -> Result<u64>;

    /// Says which data folder this catalog belongs to.
    async fn set_owner(&self, owner: OwnerId) -> Result<()>;

    /// Makes `commit` durable and visible, all or nothing.
    ///
    /// `Conflict` when a segment in `replace` is not live, or one in `add` or `announce` exists already; what is in
    /// `forget` does not exist any more.
    async fn commit(&self, commit: Commit) -> Result<()>;

    /// The field ids of promoted columns, in the order of `columns`; new ones get the next free id, and an id
    /// once given never changes.
    async fn field_ids(&self, table: Table, columns: &[String]) -> Result<Vec<i32>>;

    /// Integration events after `after` (an event's number, 0 for all), oldest first, with their numbers.
    async fn events(&self, after: u64, limit: u32) -> Result<Vec<(u64, Event)>>;

    /// Makes sure that its files hold no byte of what it was made to forget. May take seconds.
    async fn scrub(&self) -> Result<()>;

    /// How many commits there were: the same number means the same content, but for field ids and the owner.
    async fn commits(&self) -> Result<u64>;

    /// Everything, as of one instant; commits do not wait for it. Damage is in `state.damaged`, as [`Catalog::load`] has it.
    async fn contents(&self) -> Result<Contents>;

    /// Replaces everything by `contents` (an owner of `None` leaves none): the end of `cairn catalog rebuild`. Epochs, the
    /// numbers of events and the count of commits go on above what was here and what `contents` says.
    async fn replace_all(&self, contents: Contents) -> Result<()>;
}
