//! Which buffers are flushed now, and why: by bytes, age, memory pressure and the length of the log.

use super::buffer::{Key, Open};
use crate::config::Config;
use std::{collections::BTreeSet, time::Duration};

/// Bytes of rows in memory that make about one byte of a segment: a log record of 322 bytes as received takes about
/// as much in memory and 41 bytes on disk.
const MEMORY_PER_SEGMENT_BYTE: u64 = 8;

/// Memory pressure flushes buffers until they take this share of the budget, in percent.
const RELIEVED_PERCENT: u64 = 50;

/// Files of the log, full ones, that small buffers may hold back; above it they are flushed, so that a start has no
/// more than this to replay.
const WAL_FILES: u64 = 8;

/// A flush that is due.
pub(super) type Due = (Key, &'static str);

/// What the store as a whole takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Whether memory is to be freed.
    pub(super) pressure: bool,
    /// What a request was refused for lack of memory, 0 without any.
    pub(super) refused_bytes: u64,
    /// Bytes in use of the memory budget.
    pub(super) memory_bytes: u64,
    pub(super) wal_bytes: u64,
    /// The highest sequence in the oldest file of the log.
    pub(super) oldest_file_ends: u64,
}

/// The flushes that are due at `now` (monotonic), the most urgent first.
pub(super) fn due(open: &[Open], now: Duration, load: Load, config: &Config) -> Vec<Due> {
    let mut due: Vec<Due> = Vec::new();
    let mut chosen = BTreeSet::new();
    let mut choose = |open: &Open, reason| {
        if chosen.insert(open.key.clone()) {
            due.push((open.key.clone(), reason));
        }
    };
    for open in relief(open, load, config) {
        choose(open, "memory");
    }
    for open in open.iter().filter(|open| open.bytes >= config.flush_bytes) {
        choose(open, "bytes");
    }
    if load.wal_bytes > config.wal_file_bytes.saturating_mul(WAL_FILES) {
        // What is staged already waits for its upload: choosing it again would change nothing, and never end.
        let behind = |open: &&Open| open.first_uncommitted <= load.oldest_file_ends;
        for open in open.iter().filter(|open| open.bytes > 0).filter(behind) {
            choose(open, "wal");
        }
    }
    for open in open.iter().filter(|open| is_old(open, now, config)) {
        choose(open, "age");
    }
    due
}

/// The largest buffers, as many as it takes to relieve the memory.
fn relief<'a>(open: &'a [Open], load: Load, config: &Config) -> Vec<&'a Open> {
    if !load.pressure && load.refused_bytes == 0 {
        return Vec::new();
    }
    let mut largest: Vec<&Open> = open.iter().filter(|open| open.bytes > 0).collect();
    largest.sort_by_key(|open| std::cmp::Reverse(open.bytes));
    // A large request gets room for its next attempt, however little the buffers hold.
    let target = (config.memory_bytes / 100 * RELIEVED_PERCENT)
        .min(config.memory_bytes.saturating_sub(load.refused_bytes));
    // What is frozen gives its memory back as soon as it is staged.
    let frozen: u64 = open.iter().map(|open| open.frozen_bytes).sum();
    let mut excess = load
        .memory_bytes
        .saturating_sub(target)
        .saturating_sub(frozen);
    largest.retain(|open| {
        let needed = excess > 0;
        excess = excess.saturating_sub(open.bytes);
        needed
    });
    largest
}

fn is_old(open: &Open, now: Duration, config: &Config) -> bool {
    let small = config
        .small_segment_bytes
        .saturating_mul(MEMORY_PER_SEGMENT_BYTE);
    let limit = match open.bytes {
        0 => return false,
        bytes if bytes >= small => config.flush_age_seconds,
        _ => config.small_flush_age_seconds,
    };
    now.saturating_sub(open.since) >= Duration::from_secs(limit)
}

#[cfg(test)]
mod tests;
