//! Stops statements when the process holds more memory than everything in it may take together.
//!
//! Operators ask a pool for most of what they hold, and some do not: DataFusion counts a view of a long text as 16
//! bytes, joins hold batches on their way, functions make large values. So there is a look at the process itself.
//! Over the limit the statement that came last is stopped, of those under which the memory grew.

use cairn_storage::world::World;
use parking_lot::Mutex;
use std::{path::Path, sync::Arc, time::Duration};

/// How often a running statement looks: the fastest that we know of takes half a gigabyte a second.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A statement under which the process grew by less than this is not what took the memory.
const GROWTH_BYTES: u64 = 64 << 20;

/// A stopped statement gets this long to give its memory back before the next one is stopped, unless the process grows
/// by `GROWTH_BYTES` in that time: then it is not the only one.
const GIVE_BACK: Duration = Duration::from_millis(250);

/// Where Linux says how many pages a process holds: the second number. Elsewhere nothing is watched.
const STATM: &str = "/proc/self/statm";

/// The size of a page. Where pages are larger, the limit is reached later.
const PAGE_BYTES: u64 = 4_096;

/// Longest content of `STATM`: seven numbers.
const STATM_BYTES: usize = 160;

/// Knows the running statements and the memory of the process.
pub(crate) struct Pressure {
    world: World,
    limit_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Number of a running statement, and the memory of the process when it began; in order of numbers.
    running: Vec<(u64, u64)>,
    /// Until when nobody else is stopped, on the monotonic clock.
    quiet_until: Duration,
    /// And from how much memory on somebody is nevertheless.
    quiet_below: u64,
}

/// A running statement, forgotten when dropped.
pub(crate) struct Watched {
    pressure: Arc<Pressure>,
    number: u64,
}

impl Pressure {
    /// Watches a process that may hold `limit_bytes`.
    pub(crate) fn new(world: World, limit_bytes: u64) -> Arc<Pressure> {
        Arc::new(Pressure {
            world,
            limit_bytes,
            state: Mutex::default(),
        })
    }

    /// The most that the process may hold, in bytes.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Watches one more statement.
    pub(crate) fn watch(self: &Arc<Pressure>) -> Watched {
        let resident_bytes = self.resident_bytes().unwrap_or(u64::MAX);
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        state.running.push((number, resident_bytes));
        Watched {
            pressure: self.clone(),
            number,
        }
    }

    /// The memory of the process; `None` where nobody says.
    fn resident_bytes(&self) -> Option<u64> {
        let file = self.world.disk.open_read(Path::new(STATM)).ok()?;
        pages(&file.read_at(0, STATM_BYTES).ok()?).map(|pages| pages * PAGE_BYTES)
    }

    /// Whether statement `number` has to go.
    fn is_over(&self, number: u64) -> bool {
        let Some(resident_bytes) = self.resident_bytes().filter(|b| *b > self.limit_bytes) else {
            return false;
        };
        let now = self.world.clock.monotonic();
        let mut state = self.state.lock();
        state.stops(number, resident_bytes, now)
    }
}

impl State {
    /// Whether `number` is stopped at `now`; nobody else is for a while then.
    fn stops(&mut self, number: u64, resident_bytes: u64, now: Duration) -> bool {
        let is_quiet = now < self.quiet_until && resident_bytes < self.quiet_below;
        if is_quiet || self.last_grown(resident_bytes) != Some(number) {
            return false;
        }
        // It gives its memory back from now on and is not looked at again.
        self.running.retain(|(running, _)| *running != number);
        self.quiet_until = now + GIVE_BACK;
        self.quiet_below = resident_bytes.saturating_add(GROWTH_BYTES);
        true
    }

    /// The last statement that began with enough less memory than there is now.
    fn last_grown(&self, resident_bytes: u64) -> Option<u64> {
        let grown = |began: u64| began.saturating_add(GROWTH_BYTES) <= resident_bytes;
        let last = self.running.iter().rev().find(|(_, began)| grown(*began));
        last.map(|(number, _)| *number)
    }
}

fn pages(statm: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(statm).ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

impl Watched {
    /// Ends when this statement has to go.
    pub(crate) async fn exceeded(&self) {
        let pressure = &self.pressure;
        loop {
            if pressure.is_over(self.number) {
                tracing::warn!(
                    limit_bytes = pressure.limit_bytes,
                    "a statement was stopped for the memory of the process"
                );
                return;
            }
            pressure.world.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// The most that the process may hold, in bytes.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.pressure.limit_bytes()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut state = self.pressure.state.lock();
        state.running.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests;
