//! The series that a target had when it was last scraped: those that are gone get a stale marker.

use super::labels::Labels;
use crate::error::Result;
use cairn_storage::budget::Reservation;
use std::collections::HashMap;

/// What an entry takes beside its labels: the table's slot, at its emptiest, and an allocation.
const ENTRY_BYTES: u64 = 128;

/// The series of one target. Their memory is paid from the store's budget.
#[derive(Debug)]
pub(super) struct Seen {
    series: HashMap<u128, Entry>,
    /// The number of the scrape that is under way.
    round: u64,
    memory: Reservation,
}

#[derive(Debug)]
struct Entry {
    /// As [`Labels::encoded`].
    labels: Box<[u8]>,
    /// The scrape that had it first, and the last one.
    first: u64,
    last: u64,
    /// Whether it has a value, as far as we stored: no marker was written since.
    live: bool,
    /// Whether it gets a marker: one that comes with times of its own ends by itself.
    tracked: bool,
    is_histogram: bool,
}

/// A series that ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    /// As [`Labels::encoded`].
    pub(super) labels: &'a [u8],
    pub(super) is_histogram: bool,
}

/// What is known of a series when a scrape has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Not from the scrapes before.
    New,
    Before,
    /// From this very scrape.
    Now,
}

impl Seen {
    /// Nothing, paid from `memory` as it grows.
    pub(super) fn new(memory: Reservation) -> Seen {
        Seen {
            series: HashMap::new(),
            round: 0,
            memory,
        }
    }

    /// Begins a scrape.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// Notes that the scrape has a series.
    ///
    /// Fails where there is no memory for another one.
    pub(super) fn note(
        &mut self,
        labels: &Labels,
        (tracked, is_histogram): (bool, bool),
    ) -> Result<Known> {
        let encoded = labels.encoded();
        let hash = xxhash_rust::xxh3::xxh3_128(&encoded);
        if let Some(entry) = self.series.get_mut(&hash) {
            let known = match entry.last == self.round {
                true => Known::Now,
                false => Known::Before,
            };
            entry.last = self.round;
            (entry.tracked, entry.is_histogram) = (tracked, is_histogram);
            entry.live = true;
            return Ok(known);
        }
        self.memory.grow(ENTRY_BYTES + encoded.len() as u64)?;
        let entry = Entry {
            labels: encoded.into(),
            first: self.round,
            last: self.round,
            live: true,
            tracked,
            is_histogram,
        };
        self.series.insert(hash, entry);
        Ok(Known::New)
    }

    /// The series that end with this scrape, where it `failed` of all there were.
    pub(super) fn ended(&self, failed: bool) -> impl Iterator<Item = Ended<'_>> {
        let round = self.round;
        let entries = self.series.values().filter(move |entry| {
            let was_there = entry.first < round;
            let is_gone = failed || entry.last < round;
            entry.live && entry.tracked && was_there && is_gone
        });
        entries.map(|entry| Ended {
            labels: &entry.labels,
            is_histogram: entry.is_histogram,
        })
    }

    /// The scrape and its markers are stored.
    pub(super) fn stored(&mut self, failed: bool) {
        let round = self.round;
        match failed {
            true => {
                self.keep(|entry| entry.first < round);
                for entry in self.series.values_mut() {
                    entry.live = false;
                }
            }
            false => self.keep(|entry| entry.last == round),
        }
    }

    /// Nothing of the scrape is stored: what it had new was never there.
    pub(super) fn lost(&mut self) {
        let round = self.round;
        self.keep(|entry| entry.first < round);
    }

    fn keep(&mut self, keep: impl Fn(&Entry) -> bool) {
        let mut kept_bytes = 0;
        self.series.retain(|_, entry| {
            let keep = keep(entry);
            if keep {
                kept_bytes += ENTRY_BYTES + entry.labels.len() as u64;
            }
            keep
        });
        self.memory.resize(kept_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::labels::decoded;
    use cairn_storage::budget::Budget;

    fn noted(seen: &mut Seen, names: &[&str]) -> Vec<Known> {
        seen.begin();
        let note = |name: &&str| {
            let labels: Labels = [("__name__", *name)].into_iter().collect();
            seen.note(&labels, (true, false)).expect("there is memory")
        };
        names.iter().map(note).collect()
    }

    fn ended(seen: &Seen, failed: bool) -> Vec<String> {
        let name =
            |ended: Ended<'_>| String::from_utf8_lossy(decoded(ended.labels)[0].1).into_owned();
        let mut ended: Vec<String> = seen.ended(failed).map(name).collect();
        ended.sort();
        ended
    }

    #[test]
    fn series_end_once() {
        let budget = Budget::new(1 << 20);
        let mut seen = Seen::new(budget.empty());
        assert_eq!(
            noted(&mut seen, &["a", "b", "b"]),
            [Known::New, Known::New, Known::Now]
        );
        assert!(ended(&seen, false).is_empty());
        seen.stored(false);
        assert_eq!(noted(&mut seen, &["b", "c"]), [Known::Before, Known::New]);
        assert_eq!(ended(&seen, false), ["a"]);
        // The store did not take it: "a" still has no marker, and "c" was never there.
        seen.lost();
        assert_eq!(noted(&mut seen, &["b"]), [Known::Before]);
        assert_eq!(ended(&seen, false), ["a"]);
        seen.stored(false);
        noted(&mut seen, &["d"]);
        assert_eq!(
            ended(&seen, true),
            ["b"],
            "a failed scrape ends all that were there"
        );
        seen.stored(true);
        noted(&mut seen, &[]);
        assert!(ended(&seen, true).is_empty(), "what has ended ends once");
        seen.stored(true);
        assert_eq!(noted(&mut seen, &["b"]), [Known::Before]);
        seen.stored(false);
        noted(&mut seen, &[]);
        seen.stored(false);
        assert_eq!(budget.used_bytes(), 0);
    }
}
