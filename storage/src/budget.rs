//! One budget of bytes over all tenants: what is being received, decoded and buffered.

use crate::error::{Error, Result};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A number of bytes that reservations take from and give back on drop.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit_bytes: u64,
    used_bytes: AtomicU64,
    /// The most that was refused to one reservation since somebody looked.
    refused_bytes: AtomicU64,
}

/// Bytes taken from a budget; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Budget {
    /// A budget of `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Budget {
        Budget {
            shared: Arc::new(Shared {
                limit_bytes,
                used_bytes: AtomicU64::new(0),
                refused_bytes: AtomicU64::new(0),
            }),
        }
    }

    /// The size of the budget in bytes.
    pub fn limit_bytes(&self) -> u64 {
        self.shared.limit_bytes
    }

    /// The bytes taken now.
    pub fn used_bytes(&self) -> u64 {
        self.shared.used_bytes.load(Ordering::Relaxed)
    }

    /// The bytes that the largest refused reservation would have held, 0 without any; begins anew.
    pub fn take_refused(&self) -> u64 {
        self.shared.refused_bytes.swap(0, Ordering::Relaxed)
    }

    /// A reservation of nothing, for what [`Reservation::resize`] takes whatever is in use.
    pub fn empty(&self) -> Reservation {
        Reservation {
            shared: self.shared.clone(),
            bytes: 0,
        }
    }

    /// Takes `bytes`, or fails with `Limited` at once: waiting is the client's part.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation> {
        let mut reservation = self.empty();
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

impl Reservation {
    /// The bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `more` bytes, or fails with `Limited` and keeps what it has.
    pub fn grow(&mut self, more: u64) -> Result<()> {
        let limit = self.shared.limit_bytes;
        let take = |used: u64| used.checked_add(more).filter(|total| *total <= limit);
        let taken = self
            .shared
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        match taken {
            Ok(_) => {
                self.bytes += more;
                Ok(())
            }
            Err(used) => {
                let wanted = self.bytes.saturating_add(more);
                self.shared
                    .refused_bytes
                    .fetch_max(wanted, Ordering::Relaxed);
                Err(Error::Limited {
                    what: "memory for telemetry in flight",
                    detail: format!(
                        "{used} of {limit} bytes are in use and {more} more are needed"
                    ),
                })
            }
        }
    }

    /// Moves `bytes` of this reservation (all of it at most) into one of their own.
    pub fn split(&mut self, bytes: u64) -> Reservation {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Reservation {
            shared: self.shared.clone(),
            bytes,
        }
    }

    /// Gives back all but `bytes`, or takes more even over the limit: the rows are there already.
    pub fn resize(&mut self, bytes: u64) {
        if bytes >= self.bytes {
            self.shared
                .used_bytes
                .fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.shared
                .used_bytes
                .fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared
            .used_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
