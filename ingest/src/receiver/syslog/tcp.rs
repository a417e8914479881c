//! Syslog over TCP: a task for each connection, which reads on when what it has read is stored.

use super::{
    batch::{Arrival, Batch, WAIT},
    framing::{Frame, Framing},
    inlet::Inlet,
};
use crate::telemetry::Protocol;
use cairn_storage::budget::Reservation;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What is read at once.
const READ_BYTES: usize = 16 << 10;

/// A pause after a failure to accept: there are no files left, which takes time to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One connection.
struct Connection {
    inlet: Arc<Inlet>,
    peer: IpAddr,
    framing: Framing,
    batch: Batch,
    /// For the framing's buffer.
    memory: Reservation,
    shutdown: CancellationToken,
}

/// Takes connections until `shutdown`, and returns when all have ended.
pub(super) async fn run(
    listener: TcpListener,
    inlet: &Arc<Inlet>,
    (max_connections, idle_timeout): (usize, Duration),
    shutdown: &CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let Ok((stream, peer)) = accepted else {
            inlet.clock().sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if connections.len() >= max_connections {
            inlet.intake.telemetry.connection_refused();
            continue;
        }
        let connection = Connection {
            inlet: inlet.clone(),
            peer: peer.ip(),
            framing: Framing::new(inlet.max_message_bytes),
            batch: inlet.batch(),
            memory: inlet.intake.store.budget().empty(),
            shutdown: shutdown.clone(),
        };
        let counted = inlet.intake.telemetry.connection();
        connections.spawn(async move {
            connection.run(stream, idle_timeout).await;
            drop(counted);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

impl Connection {
    async fn run(mut self, mut stream: TcpStream, idle_timeout: Duration) {
        let mut chunk = vec![0; READ_BYTES].into_boxed_slice();
        let clock = self.inlet.clock().clone();
        let mut heard = clock.monotonic();
        loop {
            let now = clock.monotonic();
            let idle = (heard + idle_timeout).saturating_sub(now);
            let wait = self.batch.wait(now).unwrap_or(idle);
            let read = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                read = stream.read(&mut chunk) => read,
                () = clock.sleep(wait) => {
                    if self.batch.is_empty() {
                        break;
                    }
                    self.store().await;
                    continue;
                }
            };
            let Ok(length @ 1..) = read else { break };
            heard = clock.monotonic();
            self.framing.feed(&chunk[..length]);
            self.memory
                .resize((READ_BYTES + self.framing.capacity()) as u64);
            while let Some(frame) = self.framing.next() {
                self.take(&frame).await;
            }
            // Also under a stream that never pauses.
            if self.batch.wait(heard).is_some_and(|wait| wait.is_zero()) {
                self.store().await;
            }
        }
        if let Some(frame) = self.framing.last() {
            self.take(&frame).await;
        }
        self.store().await;
    }

    /// Puts a message into the batch; waits for memory, which flushing frees.
    async fn take(&mut self, frame: &Frame) {
        let clock = self.inlet.clock().clone();
        loop {
            let arrival = Arrival {
                received: clock.now(),
                at: clock.monotonic(),
                peer: self.peer,
                text: self.framing.text(frame),
                cut: frame.cut,
            };
            if self.batch.push(arrival).is_ok() {
                break;
            }
            if !self.batch.is_empty() {
                self.store().await;
            } else if self.shutdown.is_cancelled() {
                self.inlet.dropped(Protocol::SyslogTcp, "shutdown", 1);
                return;
            } else {
                tokio::select! {
                    () = clock.sleep(WAIT) => {}
                    () = self.shutdown.cancelled() => {}
                }
            }
        }
        if self.batch.is_full() {
            self.store().await;
        }
    }

    async fn store(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batch, self.inlet.batch());
        self.inlet
            .store(Protocol::SyslogTcp, batch, &self.shutdown)
            .await;
    }
}
