//! The body of a request as it comes off the wire: its chunks, its size and its pace.

use crate::{
    config::Config,
    error::{Error, Result},
};
use axum::body::Body;
use bytes::Bytes;
use cairn_storage::world::Clock;
use futures::FutureExt;
use http_body::Body as _;
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};

/// How long a body may take before its pace counts.
const GRACE: Duration = Duration::from_secs(10);

/// What the server reads of a body that it has refused already, so that the client gets to read the answer
/// instead of a reset connection.
const MAX_DRAINED_BYTES: u64 = 1 << 20;

/// How long it reads that.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(1);

/// A body being read.
pub(super) struct Wire {
    body: Body,
    clock: Arc<dyn Clock>,
    started: Duration,
    timeout: Duration,
    min_bytes_per_second: u64,
    limit_bytes: u64,
    received_bytes: u64,
}

impl Wire {
    /// The body of a request that may have `config.max_request_bytes` after decompression. Compressed data may
    /// be a little larger than what is in it, so a little more is read.
    pub(super) fn new(body: Body, config: &Config, clock: Arc<dyn Clock>) -> Wire {
        Wire {
            body,
            started: clock.monotonic(),
            clock,
            timeout: Duration::from_secs(config.body_timeout_seconds),
            min_bytes_per_second: config.body_min_bytes_per_second,
            limit_bytes: wire_limit(config),
            received_bytes: 0,
        }
    }

    /// Refuses a body whose declared length is over the limit, before the client sends it. A length within the
    /// limit means nothing.
    pub(super) fn check_declared_length(&self) -> Result<()> {
        if self.body.size_hint().lower() > self.limit_bytes {
            return Err(too_large(self.limit_bytes));
        }
        Ok(())
    }

    /// The bytes that came up to now.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// The most that is read, in bytes.
    pub(super) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// The next chunk, `None` at the end of the body.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            // What is here already needs no timer.
            let frame = match self.body.frame().now_or_never() {
                Some(frame) => frame,
                None => self.wait().await?,
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|e| Error::Broken {
                detail: e.to_string(),
            })?;
            // Trailers of a request say nothing to us.
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            self.received_bytes += chunk.len() as u64;
            if self.received_bytes > self.limit_bytes {
                return Err(too_large(self.limit_bytes));
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    /// Reads and forgets a little of what a refused client still sends.
    pub(super) async fn drain(&mut self) {
        let sleep = self.clock.sleep(MAX_DRAIN_TIME);
        let read = async {
            let mut drained_bytes = 0;
            while let Some(Ok(frame)) = self.body.frame().await {
                drained_bytes += frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
                if drained_bytes > MAX_DRAINED_BYTES {
                    break;
                }
            }
        };
        tokio::select! {
            () = read => {}
            () = sleep => {}
        }
    }

    async fn wait(&mut self) -> Result<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let elapsed = self.clock.monotonic().saturating_sub(self.started);
        let paced = match self.min_bytes_per_second {
            0 => self.timeout,
            pace => GRACE + Duration::from_secs(self.received_bytes / pace),
        };
        let allowed = self.timeout.min(paced);
        let received_bytes = self.received_bytes;
        let slow = || {
            let seconds = allowed.as_secs();
            Error::TooSlow {
                detail: format!("{received_bytes} bytes in {seconds} s"),
            }
        };
        let Some(left) = allowed.checked_sub(elapsed) else {
            return Err(slow());
        };
        let sleep = self.clock.sleep(left);
        tokio::select! {
            biased;
            frame = self.body.frame() => Ok(frame),
            () = sleep => Err(slow()),
        }
    }
}

/// Incompressible data grows by 5 bytes in 16 KiB in gzip at worst, and less in zstd.
fn wire_limit(config: &Config) -> u64 {
    config.max_request_bytes + config.max_request_bytes / 1024 + (64 << 10)
}

fn too_large(limit_bytes: u64) -> Error {
    Error::TooLarge {
        limit_bytes,
        measured: "on the wire",
    }
}

#[cfg(test)]
mod tests;
