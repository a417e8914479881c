//! Syslog over UDP (RFC 5426): a message a datagram, read on while batches are stored.

use super::{
    batch::{Arrival, Batch},
    inlet::Inlet,
};
use crate::{dialect::syslog::Cut, telemetry::Protocol};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// Larger than any datagram.
const DATAGRAM_BYTES: usize = 64 << 10;

/// Batches being stored at the same time; what comes in meanwhile waits in one more.
const MAX_STORING: usize = 4;

/// How large the one that waits may grow.
const MAX_WAITING_BYTES: u64 = 16 << 20;

/// A pause after a failure to read.
const READ_PAUSE: Duration = Duration::from_millis(10);

/// Takes datagrams until `shutdown`, and returns when those that were taken are stored.
pub(super) async fn run(socket: &UdpSocket, inlet: &Arc<Inlet>, shutdown: &CancellationToken) {
    let store = |batch: Batch| inlet.store(Protocol::SyslogUdp, batch, shutdown);
    let clock = inlet.clock().clone();
    let mut storing = FuturesUnordered::new();
    let mut batch = inlet.batch();
    let mut datagram = vec![0; DATAGRAM_BYTES].into_boxed_slice();
    loop {
        let has_room = storing.len() < MAX_STORING;
        let wait = batch.wait(clock.monotonic()).filter(|_| has_room);
        if has_room && (batch.is_full() || wait.is_some_and(|wait| wait.is_zero())) {
            storing.push(store(std::mem::replace(&mut batch, inlet.batch())));
            continue;
        }
        let due = async {
            match wait {
                Some(wait) => clock.sleep(wait).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(()) = storing.next(), if !storing.is_empty() => {}
            received = socket.recv_from(&mut datagram) => match received {
                Ok((length, peer)) => take(inlet, &mut batch, (&datagram[..length], peer.ip())),
                Err(_) => clock.sleep(READ_PAUSE).await,
            },
            () = due => {}
        }
    }
    if !batch.is_empty() {
        storing.push(store(batch));
    }
    while storing.next().await.is_some() {}
}

/// Puts a datagram into the batch, or counts it as dropped.
fn take(inlet: &Inlet, batch: &mut Batch, (text, peer): (&[u8], std::net::IpAddr)) {
    let is_end = |byte: &&u8| matches!(byte, b'\n' | b'\r' | 0);
    let trailing = text.iter().rev().take_while(is_end).count();
    let text = &text[..text.len() - trailing];
    if text.is_empty() {
        return;
    }
    let limit_bytes = inlet.max_message_bytes;
    let clock = inlet.clock();
    let arrival = Arrival {
        received: clock.now(),
        at: clock.monotonic(),
        peer,
        text: &text[..text.len().min(limit_bytes)],
        cut: (text.len() > limit_bytes).then_some(Cut::TooLong { limit_bytes }),
    };
    let is_over = batch.memory.bytes() > MAX_WAITING_BYTES;
    if is_over || batch.push(arrival).is_err() {
        inlet.dropped(Protocol::SyslogUdp, "memory", 1);
    }
}
