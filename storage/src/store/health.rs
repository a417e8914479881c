//! What is wrong with the store now, for `/healthz`, `/readyz` and the operator.

use super::looked::Orphans;
use crate::{time::Nanos, wal::probe::Fault};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The state of the store at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether requests are taken: not while closing, and not while the log cannot be written.
    pub accepting: bool,
    /// Everything that is wrong, the oldest first. Empty when all is well.
    pub problems: Vec<Problem>,
    /// Objects in the bucket that nobody needs, as far as somebody looked: no problem, but space.
    pub orphans: Option<Orphans>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `wal`, `replay`, `flush`, `upload`, `catalog`, `compaction`, `segment`, `disk`, `bucket`, `retention`, `deletion`
    /// or `backup`.
    pub part: &'static str,
    /// What it concerns, for example a tenant's signal, a file or a segment.
    pub subject: String,
    /// What happened.
    pub detail: String,
    pub since: Nanos,
}

impl Problem {
    /// The log cannot be written.
    pub(super) fn of_wal(fault: Fault) -> Problem {
        let Fault { detail, since } = fault;
        Problem {
            part: "wal",
            subject: "log".to_string(),
            detail,
            since,
        }
    }
}

/// The part of the store that has a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// Acknowledged bytes of the log are damaged, or a frame could not be decoded.
    Replay,
    /// Buffered rows cannot be written to the local disk.
    Flush,
    /// Staged segments cannot be uploaded or committed.
    Upload,
    /// The catalog was damaged, or is.
    Catalog,
    /// Segments cannot be merged.
    Compaction,
    /// A segment is damaged or gone.
    Segment,
    /// The log and the staged files have reached the disk quota.
    Disk,
    /// It is not known yet whose the bucket is, or objects of retired segments cannot be deleted.
    Bucket,
    /// Nothing expires, because the wall clock is not believed.
    Retention,
    /// A deletion takes longer than it should.
    Deletion,
    /// The catalog cannot be backed up.
    Backup,
}

impl Part {
    /// The stable name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Part::Replay => "replay",
            Part::Flush => "flush",
            Part::Upload => "upload",
            Part::Catalog => "catalog",
            Part::Compaction => "compaction",
            Part::Segment => "segment",
            Part::Disk => "disk",
            Part::Bucket => "bucket",
            Part::Retention => "retention",
            Part::Deletion => "deletion",
            Part::Backup => "backup",
        }
    }
}

/// Problems listed at most; what goes beyond is in the log and in the metrics.
const MAX_PROBLEMS: usize = 1_000;

/// The problems that were raised and not cleared.
#[derive(Default)]
pub(super) struct Problems {
    raised: Mutex<BTreeMap<(Part, String), (String, Nanos)>>,
}

impl Problems {
    /// Raises a problem, or renews its detail.
    pub(super) fn raise(&self, part: Part, subject: &str, detail: String, now: Nanos) {
        let mut raised = self.raised.lock();
        let key = (part, subject.to_string());
        let since = match raised.get(&key) {
            Some((_, since)) => *since,
            None if raised.len() >= MAX_PROBLEMS => return,
            None => now,
        };
        raised.insert(key, (detail, since));
    }

    /// Says that a problem is over, if it was one.
    pub(super) fn clear(&self, part: Part, subject: &str) {
        let mut raised = self.raised.lock();
        if !raised.is_empty() {
            raised.remove(&(part, subject.to_string()));
        }
    }

    /// Whether `part` has a problem.
    pub(super) fn has(&self, part: Part) -> bool {
        self.raised.lock().keys().any(|(raised, _)| *raised == part)
    }

    /// Whether `part` has a problem with `subject`.
    pub(super) fn has_subject(&self, part: Part, subject: &str) -> bool {
        let key = (part, subject.to_string());
        self.raised.lock().contains_key(&key)
    }

    /// Everything raised, the oldest first.
    pub(super) fn list(&self) -> Vec<Problem> {
        let raised = self.raised.lock();
        let mut problems: Vec<Problem> = raised
            .iter()
            .map(|((part, subject), (detail, since))| Problem {
                part: part.as_str(),
                subject: subject.clone(),
                detail: detail.clone(),
                since: *since,
            })
            .collect();
        problems.sort_by_key(|problem| problem.since);
        problems
    }
}
