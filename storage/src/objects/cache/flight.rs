//! Requests that are under way: whoever needs a block of one waits for it and sends none.
//!
//! A request is driven by those who wait for it, and ends when none is left.

use super::{
    extent::Extent,
    hedge::{Answer, Hedger},
    key::Key,
    tiers::Tiers,
};
use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use object_store::path::Path;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

/// A request grows to this size at most, so that large reads run side by side.
const REQUEST_BYTES: u64 = 16 << 20;

/// What a request brought.
#[derive(Clone)]
pub(super) struct Landed {
    pub(super) blocks: Result<Arc<[Bytes]>, Arc<object_store::Error>>,
    /// Whether it was sent twice.
    pub(super) hedged: bool,
}

/// A request that is under way, to be waited for.
pub(super) type Flight = Shared<BoxFuture<'static, Landed>>;

type Board = Mutex<HashMap<Key, Entry>>;

struct Entry {
    number: u64,
    flight: WeakShared<BoxFuture<'static, Landed>>,
    /// Which of the blocks of the request it is.
    at: usize,
}

/// Who has to fetch what.
#[derive(Default)]
pub(super) struct Plan {
    /// Blocks that were found after all.
    pub(super) found: Vec<(u64, Bytes)>,
    /// Blocks of requests of others, and their place in those.
    pub(super) joined: Vec<(u64, Flight, usize)>,
    /// Requests of our own, and the blocks that each brings.
    pub(super) own: Vec<(Range<u64>, Flight)>,
}

/// All requests that are under way.
pub(super) struct Flights {
    board: Arc<Board>,
    tiers: Arc<Tiers>,
    hedger: Arc<Hedger>,
    next: Mutex<u64>,
}

impl Flights {
    pub(super) fn new(tiers: Arc<Tiers>, hedger: Arc<Hedger>) -> Flights {
        Flights {
            board: Arc::default(),
            tiers,
            hedger,
            next: Mutex::new(0),
        }
    }

    /// Plans how to get the blocks `missing` of an object. Requests of our own begin when they are first polled.
    pub(super) fn plan(&self, extent: &Extent, missing: &BTreeSet<u64>) -> Plan {
        let mut plan = Plan::default();
        let mut open = Vec::new();
        let mut board = self.board.lock();
        for number in missing {
            let key = Key::of(extent, *number);
            let under_way = board.get(&key);
            let flight = under_way.and_then(|entry| Some((entry.flight.upgrade()?, entry.at)));
            if let Some((flight, at)) = flight {
                plan.joined.push((*number, flight, at));
            } else if let Some(bytes) = self.tiers.in_memory(&key) {
                // A request landed since we looked.
                plan.found.push((*number, bytes));
            } else {
                open.push(*number);
            }
        }
        for run in runs(extent, &open) {
            plan.own
                .push((run.clone(), self.begin(&mut board, extent, run)));
        }
        plan
    }

    fn begin(&self, board: &mut HashMap<Key, Entry>, extent: &Extent, run: Range<u64>) -> Flight {
        let number = {
            let mut next = self.next.lock();
            *next += 1;
            *next
        };
        let keys: Vec<Key> = run.clone().map(|block| Key::of(extent, block)).collect();
        let listed = Listed {
            board: self.board.clone(),
            number,
            keys: keys.clone(),
        };
        let request = Request {
            tiers: self.tiers.clone(),
            hedger: self.hedger.clone(),
            path: extent.path.clone(),
            range: extent.block(run.start).start..extent.block(run.end - 1).end,
            listed,
        };
        let flight = request.run().boxed().shared();
        for (at, key) in keys.into_iter().enumerate() {
            if let Some(flight) = flight.downgrade() {
                board.insert(key, Entry { number, flight, at });
            }
        }
        flight
    }
}

/// Requests for blocks that follow each other.
fn runs(extent: &Extent, numbers: &[u64]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end == *number && fits(extent, run.start, *number) => {
                run.end = number + 1;
            }
            _ => runs.push(*number..number + 1),
        }
    }
    runs
}

fn fits(extent: &Extent, first: u64, last: u64) -> bool {
    extent.block(last).end - extent.block(first).start <= REQUEST_BYTES
}

struct Request {
    tiers: Arc<Tiers>,
    hedger: Arc<Hedger>,
    path: Path,
    range: Range<u64>,
    listed: Listed,
}

impl Request {
    async fn run(self) -> Landed {
        let Answer { bytes, hedged } = self.hedger.get(&self.path, self.range.clone()).await;
        let expected = self.range.end - self.range.start;
        let bytes = bytes.and_then(|bytes| match bytes.len() as u64 == expected {
            true => Ok(bytes),
            false => Err(object_store::Error::Generic {
                store: "bucket",
                source: format!("{} of {expected} bytes came", bytes.len()).into(),
            }),
        });
        let blocks = bytes.map_err(Arc::new).map(|bytes| self.keep(&bytes));
        Landed { blocks, hedged }
        // `listed` goes last: whoever does not find the request any more finds its blocks in memory.
    }

    fn keep(&self, bytes: &Bytes) -> Arc<[Bytes]> {
        let mut at = 0;
        let blocks = self.listed.keys.iter().map(|key| {
            // A copy: a slice would hold the whole answer as long as one of its blocks is kept.
            let block = Bytes::copy_from_slice(&bytes[at..at + key.length()]);
            at += key.length();
            self.tiers.insert(key.clone(), block.clone());
            block
        });
        blocks.collect()
    }
}

/// Takes a request off the board when it has ended, however it ended.
struct Listed {
    board: Arc<Board>,
    number: u64,
    keys: Vec<Key>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut board = self.board.lock();
        for key in &self.keys {
            if board.get(key).is_some_and(|e| e.number == self.number) {
                board.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_request_up_to_its_size() {
        const MIB: u64 = 1 << 20;
        let extent = Extent::parquet(&Path::from("a"), 40 * MIB, 100);
        assert_eq!(runs(&extent, &[0, 1, 2, 5, 7, 8]), [0..3, 5..6, 7..9]);
        let all: Vec<u64> = extent.all().collect();
        assert_eq!(runs(&extent, &all), [0..16, 16..32, 32..41]);
        assert!(runs(&extent, &[]).is_empty());
    }
}
