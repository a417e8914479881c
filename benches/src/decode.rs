//! `decode`: bytes to batches with our decoder, beside prost with Arrow's builders and prost alone; and logs in JSON.
//!
//! The same bytes for all, on one thread, in rounds of all contenders one after the other; the median round of each
//! counts. Times are of the thread on the processor, so that a busy machine distorts them little. Before the clock
//! starts, both ways are shown to make the same tables.

mod json_text;
mod plain;

use crate::{
    data::{Generator, Made, Plan},
    report,
};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use cairn_ingest::otlp;
use cairn_storage::{
    budget::Budget,
    signal::{Encoding, Signal},
    time::Nanos,
};
use std::{hint::black_box, time::Duration};

/// When requests are received: after all event times of the data.
const RECEIVED: Nanos = Nanos(1_790_000_000_000_000_000);

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Distinct requests of 1,000 records. So few that they stay in the cache, since a server decodes what it has
    /// received a moment ago.
    #[arg(long, default_value_t = 16)]
    requests: usize,
    /// How often each contender decodes all requests in a round.
    #[arg(long, default_value_t = 16)]
    passes: usize,
    /// Only this signal: logs, spans or metrics.
    #[arg(long)]
    signal: Option<Signal>,
    /// Only our decoder, as something to profile.
    #[arg(long)]
    only_ours: bool,
}

/// Seconds of each contender in one round.
#[derive(Debug, Clone, Copy)]
struct Round {
    ours: f64,
    builders: f64,
    structs: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    report::line(&[
        "decode",
        "bytes/record",
        "ours, ns",
        "prost + builders, ns",
        "ratio (wanted 3)",
        "prost alone, ns",
        "ratio (wanted 2)",
    ])?;
    report::rule(7)?;
    for signal in [Signal::Logs, Signal::Spans, Signal::Metrics] {
        if arguments.signal.is_none_or(|only| only == signal) {
            measure(arguments, signal)?;
        }
    }
    match arguments.signal {
        None | Some(Signal::Logs) if !arguments.only_ours => measure_json(arguments),
        _ => Ok(()),
    }
}

/// The requests of a signal, and how many records are in them.
fn generated(arguments: &Arguments, signal: Signal) -> (Vec<Bytes>, u64) {
    let mut generator = Generator::new(&Plan {
        signal,
        records: 1_000_000,
        batch: 1_000,
        spread: Duration::from_secs(600),
        seed: 1,
    });
    let made: Vec<Made> = (0..arguments.requests).map(|_| generator.next()).collect();
    let records = made.iter().map(|made| made.records).sum();
    let requests = made.into_iter().map(|made| made.bytes.into()).collect();
    (requests, records)
}

/// Logs in JSON beside the same logs in protobuf: to protobuf alone, and to batches.
fn measure_json(arguments: &Arguments) -> Result<()> {
    let (protobuf, records) = generated(arguments, Signal::Logs);
    let mut texts = Vec::new();
    for payload in &protobuf {
        let text: Bytes = json_text::logs(payload)?.into();
        let (ours, same) = (from_json(&text)?, decode(Signal::Logs, payload)?);
        ensure!(ours.tables == same.tables, "JSON makes other tables");
        texts.push(text);
    }
    let mut rounds = Vec::new();
    for _ in 0..arguments.rounds {
        rounds.push([
            timed(arguments, &protobuf, |payload| {
                decode(Signal::Logs, payload).map(drop)
            })?,
            timed(arguments, &texts, |text| from_json(text).map(drop))?,
            timed(arguments, &texts, |text| transcode(text).map(drop))?,
        ]);
    }
    let nanoseconds = |of: usize| {
        let seconds: Vec<f64> = rounds.iter().map(|round| round[of]).collect();
        report::median(&seconds) / (records * arguments.passes as u64) as f64 * 1e9
    };
    let size: usize = texts.iter().map(Bytes::len).sum();
    let (protobuf, json, transcoding) = (nanoseconds(0), nanoseconds(1), nanoseconds(2));
    report::line(&[
        "",
        "bytes/record",
        "JSON, ns",
        "of it transcoding",
        "protobuf, ns",
        "ratio",
    ])?;
    report::rule(6)?;
    report::line(&[
        "logs in JSON",
        &format!("{:.0}", size as f64 / records as f64),
        &format!("{json:.0}"),
        &format!("{transcoding:.0}"),
        &format!("{protobuf:.0}"),
        &format!("{:.2}", json / protobuf),
    ])
}

fn transcode(text: &Bytes) -> Result<Bytes> {
    let mut memory = Budget::new(1 << 30).empty();
    let transcoded = otlp::json::transcode(Signal::Logs, text, 64 << 20, &mut memory)?;
    Ok(black_box(transcoded.payload.into()))
}

fn from_json(text: &Bytes) -> Result<cairn_storage::append::Decoded> {
    decode(Signal::Logs, &transcode(text)?)
}

fn measure(arguments: &Arguments, signal: Signal) -> Result<()> {
    let (requests, records) = generated(arguments, signal);
    let size: usize = requests.iter().map(Bytes::len).sum();
    for payload in &requests {
        check(signal, payload)?;
    }
    let mut rounds = Vec::new();
    for _ in 0..arguments.rounds {
        rounds.push(round(arguments, signal, &requests)?);
    }
    let nanoseconds = |of: fn(&Round) -> f64| {
        let seconds: Vec<f64> = rounds.iter().map(of).collect();
        report::median(&seconds) / (records * arguments.passes as u64) as f64 * 1e9
    };
    let ours = nanoseconds(|round| round.ours);
    let builders = nanoseconds(|round| round.builders);
    let structs = nanoseconds(|round| round.structs);
    report::line(&[
        signal.as_str(),
        &format!("{:.0}", size as f64 / records as f64),
        &format!("{ours:.0}"),
        &format!("{builders:.0}"),
        &format!("{:.2}", builders / ours),
        &format!("{structs:.0}"),
        &format!("{:.2}", structs / ours),
    ])
}

/// Both ways must make the same tables.
fn check(signal: Signal, payload: &Bytes) -> Result<()> {
    let ours = decode(signal, payload)?;
    ensure!(
        ours.rejected.is_empty(),
        "rejected records: {:?}",
        ours.rejected
    );
    let theirs = plain::decode(signal, payload)?;
    let names = |tables: &[(cairn_storage::signal::Table, _)]| {
        tables.iter().map(|(table, _)| *table).collect::<Vec<_>>()
    };
    ensure!(names(&ours.tables) == names(&theirs), "other tables");
    for ((table, ours), (_, theirs)) in ours.tables.iter().zip(&theirs) {
        for (index, field) in ours.schema().fields().iter().enumerate() {
            ensure!(
                ours.column(index) == theirs.column(index),
                "{table:?}: {} differs",
                field.name()
            );
        }
    }
    Ok(())
}

fn decode(signal: Signal, payload: &Bytes) -> Result<cairn_storage::append::Decoded> {
    otlp::decode(
        signal,
        Encoding::OtlpProtobuf,
        otlp::DECODER_VERSION,
        payload,
        RECEIVED,
    )
    .context("decoding generated bytes")
}

fn round(arguments: &Arguments, signal: Signal, requests: &[Bytes]) -> Result<Round> {
    let ours = timed(arguments, requests, |payload| {
        drop(black_box(decode(signal, payload)?));
        Ok(())
    })?;
    if arguments.only_ours {
        return Ok(Round {
            ours,
            builders: f64::NAN,
            structs: f64::NAN,
        });
    }
    let builders = timed(arguments, requests, |payload| {
        drop(black_box(plain::decode(signal, payload)?));
        Ok(())
    })?;
    let structs = timed(arguments, requests, |payload| {
        plain::structs(signal, payload)
    })?;
    Ok(Round {
        ours,
        builders,
        structs,
    })
}

/// Seconds that `work` takes for all requests, as often as asked for.
fn timed(
    arguments: &Arguments,
    requests: &[Bytes],
    work: impl Fn(&Bytes) -> Result<()>,
) -> Result<f64> {
    let start = on_processor()?;
    for _ in 0..arguments.passes {
        requests.iter().try_for_each(&work)?;
    }
    Ok(on_processor()? - start)
}

/// Seconds that this thread spent on the processor; exact to a tick of 1 to 10 ms, of rounds of 100 ms and more.
fn on_processor() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("needs Linux")?;
    let nanos = text.split(' ').next().context("an empty schedstat")?;
    Ok(nanos.parse::<f64>()? / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_make_the_same_tables_of_every_signal() {
        for signal in [Signal::Logs, Signal::Spans, Signal::Metrics] {
            let plan = Plan {
                signal,
                records: 10_000,
                batch: 1_000,
                spread: Duration::from_secs(60),
                seed: 7,
            };
            let mut generator = Generator::new(&plan);
            for _ in 0..4 {
                check(signal, &generator.next().bytes.into()).unwrap();
            }
        }
    }
}
