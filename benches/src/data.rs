//! Seeded telemetry as OTLP protobuf requests, made the same way every time; `benches/README.md` specifies it.
//!
//! The flow: [`Generator`] asks `logs`, `spans` or `metrics` for the next request; they take resources from `shop`,
//! the values of one event from `facts`, texts from `text`, and write bytes with `wire`.
//!
//! No two requests have the same bytes: times move on and ids are random, so nothing is ever taken for a retry.

mod facts;
mod logs;
mod metrics;
mod shop;
mod spans;
mod text;
mod wire;

use cairn_storage::signal::Signal;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use shop::Shop;
use std::time::Duration;

/// Where event time begins: 2026-01-01T00:00:00Z, ns.
const START: u64 = 1_767_225_600_000_000_000;

/// How late a record may be against the ones around it: exporters batch for seconds.
const LATE: u64 = 2_000_000_000;

/// What to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) signal: Signal,
    /// Log records, spans or data points in all, over which `spread` is spread.
    pub(crate) records: u64,
    /// Of one request. Metrics round it to whole resources of 125 points.
    pub(crate) batch: usize,
    /// Event time from the first record to the last.
    pub(crate) spread: Duration,
    pub(crate) seed: u64,
}

/// A request and how many records are in it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: u64,
}

/// Makes one request after the other.
pub(crate) struct Generator {
    batch: usize,
    clock: EventClock,
    random: StdRng,
    shop: Shop,
    of: Of,
}

enum Of {
    Logs(logs::Logs),
    Spans(spans::Spans),
    Metrics(metrics::Metrics),
}

/// Event time, which moves on by the same step with every record.
#[derive(Debug)]
struct EventClock {
    /// ns.
    now: u64,
    /// ns a record.
    step: u64,
}

impl EventClock {
    /// The time of the next record: up to [`LATE`] before now.
    fn tick(&mut self, random: &mut StdRng) -> u64 {
        self.now += self.step;
        self.now - random.random_range(0..LATE)
    }
}

impl Generator {
    /// The requests of `plan`, from the first.
    pub(crate) fn new(plan: &Plan) -> Generator {
        let mut random = StdRng::seed_from_u64(plan.seed);
        let of = match plan.signal {
            Signal::Spans => Of::Spans(spans::Spans::new(&mut random)),
            Signal::Metrics => Of::Metrics(metrics::Metrics::new(&mut random)),
            Signal::Logs | Signal::DeadLetters => Of::Logs(logs::Logs::new(&mut random)),
        };
        let step = plan.spread.as_nanos() as u64 / plan.records.max(1);
        Generator {
            batch: plan.batch,
            clock: EventClock {
                now: START + LATE,
                step,
            },
            random,
            shop: Shop::new(),
            of,
        }
    }

    /// The next request.
    pub(crate) fn next(&mut self) -> Made {
        let Generator {
            batch,
            clock,
            random,
            shop,
            of,
        } = self;
        match of {
            Of::Logs(logs) => logs.request(shop, clock, random, *batch),
            Of::Spans(spans) => spans.request(shop, clock, random, *batch),
            Of::Metrics(metrics) => metrics.request(shop, clock, random, *batch),
        }
    }
}

#[cfg(test)]
mod tests;
