//! A shop that sends telemetry: six services on two pods each, one of which breaks for four minutes out of twenty.
//!
//! The flow: `shop` (services, operations, the incident), `journey` (one customer's request as spans, log records
//! and measurements), `meters` (measurements to every kind of metric), `send` (OTLP over gRPC to our own port, as any
//! client would). What happens in a second is a function of the seed and that second alone, so that two shops with
//! one seed tell the same story. Clock and waiting come from the world; nothing else here is real.

mod attributes;
mod journey;
mod meters;
mod send;
mod shop;

use cairn_storage::{
    time::Nanos,
    world::{Clock, World},
};
use journey::Batch;
use meters::Meters;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use send::Sender;
use std::{net::SocketAddr, time::Duration};
use tokio_util::sync::CancellationToken;

/// The story that the shop tells.
const SEED: u64 = 20_260_415;

/// How far back the shop begins where nobody has sent anything yet, so that there is something to see at once.
const BACKFILL: Duration = Duration::from_secs(3_600);

/// How long after its start a request is told: the slowest ends within this time, so nothing lies in the future.
const LAG: Duration = Duration::from_secs(12);

/// Metrics are exported this often; also the step of the back-fill.
const EXPORT_SECONDS: u64 = 10;

const NANOS: u64 = 1_000_000_000;

/// The shop.
pub(crate) struct Demo {
    world: World,
    target: SocketAddr,
    backfill: bool,
}

impl Demo {
    /// A shop that sends to the OTLP/gRPC port `target`, the last hour first if `backfill`.
    pub(crate) fn new(world: World, target: SocketAddr, backfill: bool) -> Demo {
        Demo {
            world,
            target,
            backfill,
        }
    }

    /// Sends until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let clock = self.world.clock.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.send() => {}
        }
        tracing::debug!(now = clock.now().0, "the demo shop closed");
    }

    async fn send(self) {
        let clock = &*self.world.clock;
        let mut sender = Sender::new(self.target, self.world.clock.clone());
        let mut second = seconds(clock.now().minus(LAG));
        if self.backfill {
            second -= BACKFILL.as_secs();
        }
        second -= second % EXPORT_SECONDS;
        let mut meters = Meters::new(second * NANOS);
        tracing::info!(from_unix_seconds = second, "the demo shop opened");
        let mut batch = Batch::default();
        loop {
            wait_until(clock, second + 1).await;
            simulate(second, &mut batch);
            second += 1;
            let is_export = second.is_multiple_of(EXPORT_SECONDS);
            let is_late = second + EXPORT_SECONDS < seconds(clock.now().minus(LAG));
            if is_late && !is_export {
                continue;
            }
            let told = std::mem::take(&mut batch);
            meters.record(&told.measurements);
            sender.send_spans(told.spans).await;
            sender.send_logs(told.logs).await;
            if is_export {
                sender.send_metrics(meters.export(second * NANOS)).await;
            }
        }
    }
}

fn seconds(time: Nanos) -> u64 {
    (time.0.max(0) as u64) / NANOS
}

/// Waits until `second` lies a lag behind now.
async fn wait_until(clock: &dyn Clock, second: u64) {
    let due = second * NANOS + LAG.as_nanos() as u64;
    let now = clock.now().0.max(0) as u64;
    if due > now {
        clock.sleep(Duration::from_nanos(due - now)).await;
    }
}

/// Everything that begins in one second.
fn simulate(second: u64, batch: &mut Batch) {
    let mut random = StdRng::seed_from_u64(SEED ^ second.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    // Custom comes in waves of half an hour, from two to six requests a second.
    let wave = (second as f64 / 1_800.0 * std::f64::consts::TAU).sin();
    let wanted = 4.0 + 2.0 * wave + random.random::<f64>() - 0.5;
    for _ in 0..wanted.round().max(1.0) as u32 {
        let start = second * NANOS + random.random_range(0..NANOS);
        journey::tell(StdRng::seed_from_u64(random.next_u64()), start, batch);
    }
}

#[cfg(test)]
mod tests;
