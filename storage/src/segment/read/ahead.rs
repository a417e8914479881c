//! Fetches the next row group of an object into the cache while a reader works on this one.

use super::{ReadCounters, cache::Opened};
use crate::segment::fetch::Source;
use parking_lot::Mutex;
use std::{collections::BTreeSet, ops::Range, sync::Arc};
use tokio::task::JoinSet;

/// What runs ahead of a reader and its clones. It stops when the last of them is dropped.
#[derive(Default)]
pub(super) struct Ahead {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Row group and column of what was begun.
    begun: BTreeSet<(usize, usize)>,
    tasks: JoinSet<()>,
}

impl Ahead {
    /// Begins to fetch the columns of which a whole chunk was taken, in the row group after it. `touched` are the ranges
    /// that were asked for, with the chunks that they are in.
    ///
    /// A reader that takes parts of chunks looks for single rows: it is not about to need the next ones.
    pub(super) fn begin<'a>(
        &self,
        source: &Source,
        opened: &Opened,
        touched: impl Iterator<Item = (&'a Range<u64>, usize)>,
        counters: &Arc<ReadCounters>,
    ) {
        let Some((cache, extent)) = source.cached() else {
            return;
        };
        let mut state = self.state.lock();
        let mut ranges = Vec::new();
        for (range, chunk) in touched {
            let chunk = &opened.chunks[chunk];
            let (next, column) = (chunk.row_group + 1, chunk.column);
            let is_there = next < opened.metadata.num_row_groups();
            if *range == chunk.range && is_there && state.begun.insert((next, column)) {
                let (start, length) = opened.metadata.row_group(next).column(column).byte_range();
                ranges.push(start..start + length);
            }
        }
        if ranges.is_empty() {
            return;
        }
        // Those that have ended.
        while state.tasks.try_join_next().is_some() {}
        let (cache, extent, counters) = (cache.clone(), extent.clone(), counters.clone());
        state
            .tasks
            .spawn(async move { cache.fetch_ahead(&extent, &ranges, &counters).await });
    }
}
