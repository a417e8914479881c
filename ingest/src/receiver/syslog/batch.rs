//! Messages that wait to be stored together.

use crate::dialect::syslog::{Cut, Message};
use cairn_storage::{budget::Reservation, error::Result, time::Nanos};
use std::{net::IpAddr, time::Duration};

/// How long a message waits for others.
pub(super) const WAIT: Duration = Duration::from_millis(200);

/// A batch of so many messages, or of so many bytes, waits for no more.
const FULL_MESSAGES: usize = 1_000;
const FULL_BYTES: usize = 1 << 20;

/// Messages behind each other, paid for.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) messages: Vec<Message>,
    pub(super) memory: Reservation,
    /// When its first message came, on the monotonic clock.
    began: Duration,
}

/// A message as it is put into a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) received: Nanos,
    /// The same on the monotonic clock.
    pub(super) at: Duration,
    pub(super) peer: IpAddr,
    pub(super) text: &'a [u8],
    pub(super) cut: Option<Cut>,
}

impl Batch {
    /// An empty one that pays from `memory`.
    pub(super) fn new(memory: Reservation) -> Batch {
        Batch {
            bytes: Vec::new(),
            messages: Vec::new(),
            memory,
            began: Duration::ZERO,
        }
    }

    /// Adds a message, unless there is no memory for it.
    pub(super) fn push(&mut self, arrival: Arrival<'_>) -> Result<()> {
        let Arrival {
            received,
            at,
            peer,
            text,
            cut,
        } = arrival;
        // Vectors double.
        self.memory
            .grow(2 * (text.len() + size_of::<Message>()) as u64)?;
        if self.messages.is_empty() {
            self.began = at;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.messages.push(Message {
            received,
            peer,
            text: start..self.bytes.len(),
            cut,
        });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= FULL_MESSAGES || self.bytes.len() >= FULL_BYTES
    }

    /// How long it still waits at `now`; nothing waits in an empty one.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let due = self.began + WAIT;
        (!self.is_empty()).then(|| due.saturating_sub(now))
    }
}
