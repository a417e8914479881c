//! A request as a client knows it.

use super::records::Record;
use crate::{id::TenantId, signal::Signal, time::Nanos};
use bytes::Bytes;
use std::time::Duration;

/// A request as a client keeps it: sent again, byte by byte, until it is acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) tenant: TenantId,
    pub(super) signal: Signal,
    pub(super) payload: Bytes,
    pub(super) records: Vec<Record>,
    /// The sequence it was acknowledged with.
    pub(super) acknowledged: Option<u64>,
    /// Whether its digest may be gone with a catalog.
    pub(super) forgotten: bool,
    /// Whether each attempt may have been stored: it has no times, or was not acknowledged when its digest went.
    pub(super) doubtful: bool,
    /// No row of a record without a time is older: the clock of a machine goes back by some hours at most.
    pub(super) not_before: Nanos,
}

impl Request {
    /// Whether it may be sent again after it was acknowledged: requests without times are not deduped, and those whose
    /// digests are gone.
    pub(super) fn deduped(&self) -> bool {
        !self.forgotten && self.records.iter().all(|record| record.time.is_some())
    }

    /// Whether it may have been stored more than once.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Whether the row of a record may have been kept long enough at `latest`.
    pub(super) fn may_be_gone(
        &self,
        record: &Record,
        kept: Option<Duration>,
        latest: Nanos,
    ) -> bool {
        let time = record.time.unwrap_or(self.not_before);
        kept.is_some_and(|kept| time.plus(kept) <= latest)
    }

    /// The ids of records that become rows, and those that become dead letters.
    pub(super) fn outcomes(&self) -> (Vec<&str>, Vec<&str>) {
        let ids = self.records.iter().map(|record| record.id.as_str());
        ids.partition(|id| !id.starts_with("bad") && !id.starts_with("old"))
    }
}
