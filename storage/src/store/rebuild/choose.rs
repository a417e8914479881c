//! Which of the segments found in the bucket are live, so that every frame of the log counts once.
//!
//! A crash between upload and commit leaves segments that no catalog knew; their frames were replayed and flushed again.
//! So several flushes may hold the same frames. All segments of one flush name each other as siblings, and flushes of
//! one tenant's signal that were committed never overlap: of those that do, the choice with most rows holds all that
//! was committed.

use crate::{
    catalog::FlushMark,
    id::{SegmentId, TenantId},
    segment::{SegmentMeta, WalRange},
    signal::Signal,
};
use std::collections::{BTreeMap, BTreeSet};

/// The outcome of a choice.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Choice {
    pub(super) live: Vec<SegmentMeta>,
    /// Segments that were retired and whose objects are still here.
    pub(super) retired: Vec<SegmentMeta>,
    pub(super) marks: Vec<FlushMark>,
    /// Segments that are not live, with the reason.
    pub(super) left_out: Vec<(SegmentId, String)>,
    /// Segments that are gone and whose rows cannot be told to be elsewhere.
    pub(super) lost: Vec<SegmentId>,
}

/// What a catalog, or a backup of one, says of segments.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Those that were evicted, expired or replaced, or were announced and not finished.
    pub(super) retired: BTreeSet<SegmentId>,
    /// Those that were committed, whatever became of them later.
    pub(super) committed: BTreeSet<SegmentId>,
    /// Up to where frames are in segments that were committed.
    pub(super) marks: Vec<FlushMark>,
}

impl Known {
    fn mark(&self, (shard, tenant, signal): &Log) -> u64 {
        let of_log = self.marks.iter().filter(|mark| {
            mark.shard == *shard && mark.tenant == *tenant && mark.signal == *signal
        });
        of_log.map(|mark| mark.sequence).max().unwrap_or(0)
    }
}

/// The shard, tenant and signal whose frames a flush holds.
type Log = (u32, TenantId, Signal);

/// The segments of one flush.
struct Flush {
    segments: Vec<SegmentMeta>,
    first: u64,
    last: u64,
    rows: u64,
    /// Siblings that are neither here nor replaced by a segment that is here.
    gone: Vec<SegmentId>,
    /// Whether a compaction, an eviction or retention took a part of it, or the catalog knew it: then it was committed.
    sure: bool,
}

/// Chooses among `found`: segments of which every object is there. `known` is what is known of them; of a flush that
/// `may_expire` some may have done so.
pub(super) fn choose(
    found: Vec<SegmentMeta>,
    known: &Known,
    may_expire: &dyn Fn(&SegmentMeta) -> bool,
) -> Choice {
    let retired = &known.retired;
    let present: BTreeSet<SegmentId> = found.iter().map(|meta| meta.id).collect();
    let mut choice = Choice::default();
    let (compacted, flushed): (Vec<_>, Vec<_>) = found.into_iter().partition(|meta| meta.level > 0);
    let (whole, partial): (Vec<_>, Vec<_>) = compacted.into_iter().partition(|meta| {
        let all_here = meta.siblings.iter().all(|id| present.contains(id));
        // What it replaced goes when it is committed, never before.
        all_here || may_expire(meta) && !meta.replaces.iter().any(|id| present.contains(id))
    });
    for meta in partial {
        choice
            .left_out
            .push((meta.id, "its compaction was not finished".to_string()));
    }
    // One that was announced and not finished is among the retired, and replaces nothing: what it names is live. What
    // one that was live once replaced is gone, or retired as well.
    let replaced: BTreeSet<SegmentId> = whole
        .iter()
        .filter(|meta| !retired.contains(&meta.id))
        .flat_map(|meta| meta.replaces.iter().copied())
        .chain(retired.iter().copied())
        .collect();
    let mut merged: BTreeMap<Log, Vec<WalRange>> = BTreeMap::new();
    for meta in whole.iter().filter(|meta| !retired.contains(&meta.id)) {
        for range in &meta.wal {
            let log = (range.shard, meta.tenant.clone(), meta.signal);
            merged.entry(log).or_default().push(*range);
        }
    }
    let mut marks = Marks::default();
    for meta in whole {
        marks.raise(&meta);
        choice.take(meta, &replaced, retired);
    }
    for (log, flushes) in flushes(flushed, &present, &replaced, &known.committed) {
        let merged = merged.get(&log).map_or(&[][..], Vec::as_slice);
        let mark = known.mark(&log);
        let taken = choose_flushes(flushes, (merged, mark), may_expire, &mut choice);
        for meta in taken {
            marks.raise(&meta);
            choice.take(meta, &replaced, retired);
        }
    }
    choice.live.sort_by_key(|meta| meta.id);
    choice
        .retired
        .sort_by_key(|meta| (meta.last_sequence(), meta.level, meta.id));
    choice.marks = marks.into_list();
    choice
}

impl Choice {
    /// Takes a segment that was committed, as what it is now.
    fn take(
        &mut self,
        meta: SegmentMeta,
        replaced: &BTreeSet<SegmentId>,
        retired: &BTreeSet<SegmentId>,
    ) {
        // What a compaction replaced is deleted, or a later rebuild could take it for live when that is gone.
        if retired.contains(&meta.id) || replaced.contains(&meta.id) {
            self.retired.push(meta);
        } else {
            self.live.push(meta);
        }
    }
}

/// The flushes by the log they hold frames of.
fn flushes(
    segments: Vec<SegmentMeta>,
    present: &BTreeSet<SegmentId>,
    replaced: &BTreeSet<SegmentId>,
    committed: &BTreeSet<SegmentId>,
) -> BTreeMap<Log, Vec<Flush>> {
    let mut groups: BTreeMap<Vec<SegmentId>, Vec<SegmentMeta>> = BTreeMap::new();
    for meta in segments {
        let mut siblings = meta.siblings.clone();
        siblings.push(meta.id);
        siblings.sort();
        siblings.dedup();
        groups.entry(siblings).or_default().push(meta);
    }
    let mut logs: BTreeMap<Log, Vec<Flush>> = BTreeMap::new();
    for (siblings, segments) in groups {
        let one = &segments[0];
        let shard = one.wal.first().map_or(0, |range| range.shard);
        let log = (shard, one.tenant.clone(), one.signal);
        let here = |id: &SegmentId| present.contains(id) || replaced.contains(id);
        let flush = Flush {
            first: one.wal.iter().map(|range| range.first).min().unwrap_or(0),
            last: one.wal.iter().map(|range| range.last).max().unwrap_or(0),
            rows: segments.iter().map(|meta| meta.rows).sum(),
            gone: siblings.iter().filter(|id| !here(id)).copied().collect(),
            sure: siblings
                .iter()
                .any(|id| replaced.contains(id) || committed.contains(id)),
            segments,
        };
        logs.entry(log).or_default().push(flush);
    }
    logs
}

/// Chooses among the flushes of one log; the segments of those that were committed. `merged` are the frames whose rows
/// merged segments hold: a flush of such frames that has no part in them was never committed. Frames up to `mark` are in
/// segments that were.
fn choose_flushes(
    flushes: Vec<Flush>,
    (merged, mark): (&[WalRange], u64),
    may_expire: &dyn Fn(&SegmentMeta) -> bool,
    choice: &mut Choice,
) -> Vec<SegmentMeta> {
    let may_expire = |flush: &Flush| flush.segments.iter().any(may_expire);
    let (sure, open): (Vec<_>, Vec<_>) = flushes.into_iter().partition(|flush| flush.sure);
    let (open, mut out): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|flush| !overlaps_any(flush, &sure) && !is_merged(flush, merged));
    let (complete, incomplete): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|flush| flush.gone.is_empty());
    let (mut taken, doubles) = most_rows(complete);
    out.extend(doubles);
    taken.extend(sure);
    let lasts = taken.iter().map(|flush| flush.last);
    let last = lasts.chain(merged.iter().map(|range| range.last)).max();
    let last = last.unwrap_or(0).max(mark);
    for flush in incomplete {
        if overlaps_any(&flush, &taken) {
            out.push(flush);
        } else if flush.first <= last || may_expire(&flush) {
            // Later frames were committed, so this flush was, and a part of it was lost since; or it is so old that a
            // part of it expired.
            taken.push(flush);
        } else {
            // The last one: its upload was not finished, and its frames are in the log.
            out.push(flush);
        }
    }
    let mut committed = Vec::new();
    for flush in taken {
        if flush.segments[0].signal == Signal::DeadLetters || may_expire(&flush) {
            // Flushes of this table, and those that expire, are deleted segment by segment.
            let reason = || "it is not here: evicted, expired, or gone".to_string();
            let gone = flush.gone.iter().map(|id| (*id, reason()));
            choice.left_out.extend(gone);
        } else {
            choice.lost.extend(&flush.gone);
        }
        committed.extend(flush.segments);
    }
    for flush in out {
        let reason = match flush.gone.len() {
            0 => "another flush holds its frames".to_string(),
            gone => format!("{gone} segments of its flush are not here, so it was not committed"),
        };
        choice
            .left_out
            .extend(flush.segments.iter().map(|meta| (meta.id, reason.clone())));
    }
    committed
}

fn is_merged(flush: &Flush, merged: &[WalRange]) -> bool {
    let mut ranges = merged.iter();
    ranges.any(|range| flush.first <= range.last && range.first <= flush.last)
}

fn overlaps_any(flush: &Flush, others: &[Flush]) -> bool {
    others
        .iter()
        .any(|other| flush.first <= other.last && other.first <= flush.last)
}

/// The flushes without overlap that hold most rows, and the others (weighted interval scheduling).
fn most_rows(mut flushes: Vec<Flush>) -> (Vec<Flush>, Vec<Flush>) {
    flushes.sort_by_key(|flush| (flush.last, flush.first));
    let before = |flush: &Flush| flushes.partition_point(|other| other.last < flush.first);
    // The most rows of the first n flushes, for each n.
    let mut best = vec![0];
    for (position, flush) in flushes.iter().enumerate() {
        best.push((flush.rows + best[before(flush)]).max(best[position]));
    }
    let mut keep = BTreeSet::new();
    let mut position = flushes.len();
    while position > 0 {
        let flush = &flushes[position - 1];
        if best[position] > best[position - 1] {
            keep.insert(position - 1);
            position = before(flush);
        } else {
            position -= 1;
        }
    }
    let (mut taken, mut doubles) = (Vec::new(), Vec::new());
    for (position, flush) in flushes.into_iter().enumerate() {
        if keep.contains(&position) {
            &mut taken
        } else {
            &mut doubles
        }
        .push(flush);
    }
    (taken, doubles)
}

#[derive(Default)]
struct Marks(BTreeMap<Log, u64>);

impl Marks {
    fn raise(&mut self, meta: &SegmentMeta) {
        for range in &meta.wal {
            let log = (range.shard, meta.tenant.clone(), meta.signal);
            let mark = self.0.entry(log).or_default();
            *mark = range.last.max(*mark);
        }
    }

    fn into_list(self) -> Vec<FlushMark> {
        let mark = |((shard, tenant, signal), sequence)| FlushMark {
            shard,
            tenant,
            signal,
            sequence,
        };
        self.0.into_iter().map(mark).collect()
    }
}

#[cfg(test)]
mod tests;
