//! Retry dedupe: the digests of the requests of the last minutes, and of those in flight.
//!
//! Time here is monotonic, so that a step of the wall clock neither forgets a request too early nor keeps
//! one for ever. Digests lie in slices of an eighth of the window; a slice goes as a whole, when its
//! youngest digest is older than the window or when there are too many.

use crate::{
    append::Answer,
    id::TenantId,
    signal::{Encoding, Signal},
    time::Nanos,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;

/// Digests held at most: about 60 MB, or ten minutes at 1,700 requests a second. Over it the oldest go, counted.
pub(super) const MAX_DIGESTS: usize = 1 << 20;

/// Slices that the window is cut into: digests are kept up to an eighth longer than promised.
const SLICES: u32 = 8;

/// Within what a digest is unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) tenant: TenantId,
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
}

/// What an acknowledged request got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) sequence: u64,
    pub(super) answer: Answer,
}

/// What the window says of a request.
pub(super) enum Lookup {
    /// It is new: settle the claim when it is durable, drop it when it failed.
    New(Claim),
    /// The same request is in flight: its outcome comes here, `Err` when it failed.
    InFlight(oneshot::Receiver<Known>),
    /// The same request was acknowledged.
    Known(Known),
}

/// The digests of the last minutes; shared by all appends.
pub(super) struct Retries {
    length: Duration,
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Oldest first.
    slices: VecDeque<Slice>,
    digests: usize,
    evicted: u64,
    in_flight: HashMap<(Scope, u128), Vec<oneshot::Sender<Known>>>,
}

struct Slice {
    begun: Duration,
    /// When its youngest digest came.
    youngest: Duration,
    /// The lowest wall time in it.
    received: Nanos,
    digests: usize,
    entries: HashMap<Scope, HashMap<u128, Entry>>,
}

struct Entry {
    sequence: u64,
    /// `None` for the plain answer that nearly all requests get.
    answer: Option<Box<Answer>>,
}

/// The right and duty to say what became of a new request; dropping it says that it failed.
pub(super) struct Claim {
    window: Arc<Retries>,
    /// `None` once settled.
    key: Option<(Scope, u128)>,
}

impl Retries {
    /// A window of `length`; a zero length dedupes requests in flight only.
    pub(super) fn new(length: Duration) -> Retries {
        Retries::with_limit(length, MAX_DIGESTS)
    }

    fn with_limit(length: Duration, limit: usize) -> Retries {
        Retries {
            length,
            limit,
            inner: Mutex::default(),
        }
    }

    /// Looks a request up, and claims it where it is new.
    pub(super) fn claim(self: &Arc<Self>, scope: Scope, digest: u128, now: Duration) -> Lookup {
        let mut inner = self.inner.lock();
        inner.forget(now, self.length);
        if let Some(known) = inner.known(&scope, digest) {
            return Lookup::Known(known);
        }
        let key = (scope, digest);
        if let Some(waiting) = inner.in_flight.get_mut(&key) {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            return Lookup::InFlight(receiver);
        }
        inner.in_flight.insert(key.clone(), Vec::new());
        Lookup::New(Claim {
            window: self.clone(),
            key: Some(key),
        })
    }

    /// Takes a digest in that is known from the catalog or the log; it is kept for a whole window from now.
    pub(super) fn remember(
        &self,
        (scope, digest): (Scope, u128),
        known: Known,
        received: Nanos,
        now: Duration,
    ) {
        let mut inner = self.inner.lock();
        self.insert(&mut inner, (scope, digest), known, (received, now));
    }

    /// The lowest wall time of the digests here: the catalog may forget what is older.
    pub(super) fn oldest_received(&self) -> Option<Nanos> {
        self.inner
            .lock()
            .slices
            .iter()
            .map(|slice| slice.received)
            .min()
    }

    /// Digests held now, and digests that went too early so far because there were too many.
    pub(super) fn counts(&self) -> (usize, u64) {
        let inner = self.inner.lock();
        (inner.digests, inner.evicted)
    }

    fn insert(
        &self,
        inner: &mut Inner,
        (scope, digest): (Scope, u128),
        known: Known,
        (received, now): (Nanos, Duration),
    ) {
        inner.forget(now, self.length);
        if self.length.is_zero() {
            return;
        }
        let most = (self.limit / SLICES as usize).max(1);
        let span = self.length / SLICES;
        let full = |slice: &Slice| now.saturating_sub(slice.begun) >= span || slice.digests >= most;
        if inner.slices.back().is_none_or(full) {
            inner.slices.push_back(Slice {
                begun: now,
                youngest: now,
                received,
                digests: 0,
                entries: HashMap::new(),
            });
        }
        let slice = inner
            .slices
            .back_mut()
            .expect("one was just pushed where none was");
        slice.youngest = now;
        slice.received = slice.received.min(received);
        let answer = Some(known.answer)
            .filter(|a| *a != Answer::default())
            .map(Box::new);
        let entry = Entry {
            sequence: known.sequence,
            answer,
        };
        if slice
            .entries
            .entry(scope)
            .or_default()
            .insert(digest, entry)
            .is_none()
        {
            slice.digests += 1;
            inner.digests += 1;
        }
        while inner.digests > self.limit {
            let slice = inner
                .slices
                .pop_front()
                .expect("there are digests, so there is a slice");
            inner.digests -= slice.digests;
            inner.evicted += slice.digests as u64;
        }
    }
}

impl Inner {
    /// Drops the slices that are older than the window.
    fn forget(&mut self, now: Duration, length: Duration) {
        while let Some(slice) = self.slices.front()
            && now.saturating_sub(slice.youngest) > length
        {
            self.digests -= slice.digests;
            self.slices.pop_front();
        }
    }

    fn known(&self, scope: &Scope, digest: u128) -> Option<Known> {
        let find = |slice: &Slice| {
            let entry = slice.entries.get(scope)?.get(&digest)?;
            let answer = entry.answer.as_deref().cloned().unwrap_or_default();
            Some(Known {
                sequence: entry.sequence,
                answer,
            })
        };
        self.slices.iter().rev().find_map(find)
    }
}

impl Claim {
    /// Says that the request is durable and visible: it is known from now on, and those who wait are told.
    pub(super) fn settle(mut self, known: Known, received: Nanos, now: Duration) {
        let key = self.key.take().expect("a claim is settled once");
        let mut inner = self.window.inner.lock();
        let waiting = inner.in_flight.remove(&key).unwrap_or_default();
        for sender in waiting {
            // Who went away needs no answer.
            let _ = sender.send(known.clone());
        }
        self.window.insert(&mut inner, key, known, (received, now));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            // Dropping the senders tells those who wait.
            self.window.inner.lock().in_flight.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
