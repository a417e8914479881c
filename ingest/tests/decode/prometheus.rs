//! Remote write against prost: both versions of a generated request become the rows that obvious code makes.

use crate::{
    oracle::{NULL, Row, bits, hexed},
    rows::rows,
};
use bytes::Bytes;
use cairn_ingest::{decode::decode, otlp::DECODER_VERSION, prometheus::Families};
use cairn_proto::{
    write_v1::{
        BucketSpan, Count, Exemplar, Histogram, Label, Sample, TimeSeries, WriteRequest, ZeroCount,
    },
    write_v2,
};
use cairn_storage::{
    append::{Decoded, Reason},
    signal::{Encoding, Signal, Table},
    time::Nanos,
};
use prost::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::{BTreeMap, HashSet};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const RECEIVED: Nanos = Nanos(1_700_000_000_000_000_000);
const STALE: u64 = 0x7ff0_0000_0000_0002;
const REQUESTS: u64 = 4_000;

/// What a request becomes.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    tables: BTreeMap<Table, Vec<Row>>,
    rejected: Vec<(u32, Reason)>,
    offered: u32,
    duplicate_keys: u64,
    seen: HashSet<i64>,
}

fn pick<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of[random.random_range(0..of.len())]
}

fn labels(random: &mut StdRng) -> Vec<Label> {
    let mut labels: Vec<Label> = (0..random.random_range(0..6))
        .map(|_| Label {
            name: pick(random, &["a", "B", "job", "instance", "le", "ü", "x y"]).to_string(),
            value: pick(random, &["", "1", "\"\\\n\u{1}", "ü", "shop"]).to_string(),
        })
        .collect();
    if random.random_bool(0.95) {
        labels.push(Label {
            name: "__name__".to_string(),
            value: pick(random, &["up", "http_requests_total", "a.b c", "h"]).to_string(),
        });
    }
    if random.random_bool(0.02) {
        labels.push(Label::default());
    }
    if random.random_bool(0.95) {
        labels.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if random.random_bool(0.9) {
        labels.dedup_by(|a, b| a.name == b.name);
    }
    labels
}

fn value(random: &mut StdRng) -> f64 {
    match random.random_range(0..8) {
        0 => f64::from_bits(STALE),
        1 => f64::from_bits(0x7ff8_0000_0000_0001),
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        4 => 0.0,
        _ => random.random_range(-1e6..1e6),
    }
}

fn time(random: &mut StdRng) -> i64 {
    match random.random_range(0..40) {
        0 => -1,
        1 => i64::MAX,
        2 => 0,
        _ => random.random_range(0..1_800_000_000_000),
    }
}

fn spans(random: &mut StdRng) -> Vec<BucketSpan> {
    (0..random.random_range(0..4))
        .map(|number| BucketSpan {
            offset: match random.random_range(0..60) {
                0 | 2..4 => 5_000,
                1 if number > 0 => -1,
                _ if number == 0 => random.random_range(-5..5),
                _ => random.random_range(0..4),
            },
            length: random.random_range(0..4),
        })
        .collect()
}

fn histogram(random: &mut StdRng) -> Histogram {
    let is_custom = random.random_bool(0.3);
    let (positive, negative) = (
        spans(random),
        if is_custom { vec![] } else { spans(random) },
    );
    let length =
        |spans: &[BucketSpan]| spans.iter().map(|span| span.length as usize).sum::<usize>();
    let mut one = Histogram {
        sum: if random.random_bool(0.1) {
            f64::from_bits(STALE)
        } else {
            1.5
        },
        schema: if is_custom {
            -53
        } else {
            random.random_range(-5..10)
        },
        zero_threshold: if is_custom { 0.0 } else { 0.25 },
        reset_hint: random.random_range(0..5),
        timestamp: time(random),
        ..Histogram::default()
    };
    if is_custom {
        one.custom_values = (0..random.random_range(0..12)).map(f64::from).collect();
    }
    let lost = usize::from(random.random_bool(0.03));
    let is_whole = random.random_bool(0.5);
    let mut deltas = |of: &[BucketSpan]| -> Vec<i64> {
        let count = length(of).saturating_sub(lost);
        (0..count)
            .map(|at| {
                if at % 2 == 0 {
                    3
                } else {
                    -random.random_range(0..4)
                }
            })
            .collect()
    };
    if is_whole {
        one.count = Some(Count::Int(7));
        one.zero_count = (!is_custom).then_some(ZeroCount::Int(2));
        (one.positive_deltas, one.negative_deltas) = (deltas(&positive), deltas(&negative));
    } else {
        let doubles = |deltas: Vec<i64>| deltas.into_iter().map(|of| of as f64 / 4.0).collect();
        one.count = Some(Count::Float(7.5));
        one.zero_count = (!is_custom).then_some(ZeroCount::Float(0.5));
        one.positive_counts = doubles(deltas(&positive));
        one.negative_counts = doubles(deltas(&negative));
    }
    (one.positive_spans, one.negative_spans) = (positive, negative);
    one
}

fn exemplar(random: &mut StdRng) -> Exemplar {
    let mut labels = labels(random);
    if random.random_bool(0.5) {
        labels.push(Label {
            name: "trace_id".to_string(),
            value: pick(
                random,
                &["0af7651916cd43dd8448eb211c80319c", "00", &"0".repeat(32)],
            )
            .to_string(),
        });
    }
    Exemplar {
        labels,
        value: 0.5,
        timestamp: time(random),
    }
}

fn request(random: &mut StdRng) -> WriteRequest {
    let timeseries = (0..random.random_range(0..6)).map(|_| TimeSeries {
        labels: labels(random),
        samples: (0..random.random_range(0..3))
            .map(|_| Sample {
                value: value(random),
                timestamp: time(random),
            })
            .collect(),
        histograms: match random.random_bool(0.4) {
            true => (0..random.random_range(0..3))
                .map(|_| histogram(random))
                .collect(),
            false => Vec::new(),
        },
        exemplars: match random.random_bool(0.3) {
            true => (0..random.random_range(0..3))
                .map(|_| exemplar(random))
                .collect(),
            false => Vec::new(),
        },
    });
    WriteRequest {
        timeseries: timeseries.collect(),
        metadata: Vec::new(),
    }
}

/// The same request in version 2.
fn second(one: &WriteRequest) -> write_v2::Request {
    let mut symbols = vec![String::new()];
    let mut refs = |labels: &[Label]| {
        let texts = labels.iter().flat_map(|label| [&label.name, &label.value]);
        let number = |text: &String| match symbols.iter().position(|symbol| symbol == text) {
            Some(at) => at as u32,
            None => {
                symbols.push(text.clone());
                symbols.len() as u32 - 1
            }
        };
        texts.map(number).collect::<Vec<u32>>()
    };
    let mut timeseries = Vec::new();
    for series in &one.timeseries {
        let sample = |of: &Sample| write_v2::Sample {
            value: of.value,
            timestamp: of.timestamp,
            start_timestamp: 0,
        };
        timeseries.push(write_v2::TimeSeries {
            labels_refs: refs(&series.labels),
            samples: series.samples.iter().map(sample).collect(),
            histograms: series.histograms.clone(),
            exemplars: series
                .exemplars
                .iter()
                .map(|of| write_v2::Exemplar {
                    labels_refs: refs(&of.labels),
                    value: of.value,
                    timestamp: of.timestamp,
                })
                .collect(),
            ..write_v2::TimeSeries::default()
        });
    }
    write_v2::Request {
        symbols,
        timeseries,
    }
}

fn nanos(millis: i64) -> Result<i64, Reason> {
    let in_range = (0..=i64::MAX / 1_000_000).contains(&millis);
    in_range
        .then(|| millis * 1_000_000)
        .ok_or(Reason::TimeOutOfRange)
}

/// Name and attributes of a series.
fn named(labels: &[Label]) -> Result<(String, BTreeMap<String, String>), Reason> {
    let names: HashSet<&String> = labels.iter().map(|label| &label.name).collect();
    if names.len() < labels.len() || labels.iter().any(|label| label.name.is_empty()) {
        return Err(Reason::Malformed);
    }
    let all = labels.iter().filter(|label| !label.value.is_empty());
    let mut all: BTreeMap<String, String> = all
        .map(|label| (label.name.clone(), label.value.clone()))
        .collect();
    let name = all.remove("__name__").ok_or(Reason::Incomplete)?;
    Ok((name, all))
}

fn list<T>(values: &[T], cell: impl Fn(&T) -> String) -> String {
    format!(
        "[{}]",
        values.iter().map(cell).collect::<Vec<_>>().join(",")
    )
}

/// The dense counts of a side and the index of the first.
fn dense(spans: &[BucketSpan], counts: &[f64]) -> Result<Option<(i64, Vec<f64>)>, Reason> {
    if counts.iter().any(|count| *count < 0.0) {
        return Err(Reason::Malformed);
    }
    let (mut at, mut taken, mut sparse) = (0_i64, 0, BTreeMap::new());
    for (number, span) in spans.iter().enumerate() {
        if number > 0 && span.offset < 0 {
            return Err(Reason::Malformed);
        }
        at += i64::from(span.offset);
        for _ in 0..span.length {
            let first = *sparse.first_key_value().map_or(&at, |(first, _)| first);
            if at - first >= 4_096 {
                return Err(Reason::TooLarge);
            }
            sparse.insert(at, *counts.get(taken).ok_or(Reason::Malformed)?);
            (at, taken) = (at + 1, taken + 1);
        }
    }
    if taken != counts.len() {
        return Err(Reason::Malformed);
    }
    let Some((first, _)) = sparse.first_key_value() else {
        return Ok(None);
    };
    let last = *sparse.last_key_value().expect("there is a first").0;
    let counts = (*first..=last).map(|at| sparse.get(&at).copied().unwrap_or(0.0));
    Ok(Some((*first, counts.collect())))
}

fn sums(deltas: &[i64]) -> Vec<f64> {
    let mut sum = 0;
    deltas
        .iter()
        .map(|delta| {
            sum += delta;
            sum as f64
        })
        .collect()
}

/// The cells from `count` to `reset_hint`, and the form.
#[expect(
    clippy::too_many_lines,
    reason = "the columns in the order of the table, as a reader checks them"
)]
fn cells(of: &Histogram) -> Result<(u8, Vec<String>), Reason> {
    let form = match of.schema {
        -53 => 2,
        -9..=52 => 1,
        _ => return Err(Reason::Malformed),
    };
    nanos(of.timestamp)?;
    let mut cells = vec![NULL.to_string(); 21];
    let is_stale = of.sum.to_bits() == STALE;
    let count = match (is_stale, of.count) {
        (false, Some(Count::Float(count))) => Some(count),
        _ => None,
    };
    cells[0] = match (is_stale, of.count) {
        (false, Some(Count::Int(count))) => count.to_string(),
        (false, Some(Count::Float(count))) => (count.round() as u64).to_string(),
        _ => "0".to_string(),
    };
    if form == 1 {
        cells[6] = if is_stale { 0 } else { of.schema }.to_string();
        cells[8] = bits(if is_stale { 0.0 } else { of.zero_threshold });
    }
    let whole = |count: &f64| (*count as u64).to_string();
    let double = |count: &f64| bits(*count);
    if is_stale {
        if form == 1 {
            cells[7] = "0".to_string();
        } else {
            (cells[4], cells[5]) = ("[]".to_string(), "[]".to_string());
        }
        return Ok((form, cells));
    }
    cells[1] = bits(of.sum);
    if (1..=3).contains(&of.reset_hint) {
        cells[20] = of.reset_hint.to_string();
    }
    if let Some(count) = count {
        cells[15] = bits(count);
    }
    let sides = match count {
        None => [sums(&of.positive_deltas), sums(&of.negative_deltas)],
        Some(_) => [of.positive_counts.clone(), of.negative_counts.clone()],
    };
    let positive = dense(&of.positive_spans, &sides[0])?;
    if form == 2 {
        let mut all = vec![0.0; of.custom_values.len() + 1];
        for (at, count) in positive
            .iter()
            .flat_map(|(first, counts)| (*first..).zip(counts))
        {
            let at = usize::try_from(at).map_err(|_| Reason::Malformed)?;
            *all.get_mut(at).ok_or(Reason::Malformed)? = *count;
        }
        cells[4] = list(&of.custom_values, double);
        let (at, cell) = if count.is_none() {
            (5, list(&all, whole))
        } else {
            (19, list(&all, double))
        };
        cells[at] = cell;
        return Ok((form, cells));
    }
    match of.zero_count {
        Some(ZeroCount::Float(zeros)) => cells[16] = bits(zeros),
        Some(ZeroCount::Int(zeros)) => cells[7] = zeros.to_string(),
        None => {}
    }
    let negative = dense(&of.negative_spans, &sides[1])?;
    for (side, offset, wholes, doubles) in [(positive, 9, 10, 17), (negative, 11, 12, 18)] {
        let Some((first, counts)) = side else {
            continue;
        };
        cells[offset] = (first - 1).to_string();
        match count {
            None => cells[wholes] = list(&counts, whole),
            Some(_) => cells[doubles] = list(&counts, double),
        }
    }
    Ok((form, cells))
}

impl Expected {
    fn of(request: &WriteRequest) -> Expected {
        let mut expected = Expected::default();
        for series in &request.timeseries {
            match named(&series.labels) {
                Ok((name, attributes)) => expected.add(series, &name, &attributes),
                Err(reason) => {
                    let records =
                        series.samples.len() + series.histograms.len() + series.exemplars.len();
                    (0..records).for_each(|_| expected.reject(reason));
                }
            }
        }
        expected
    }

    fn reject(&mut self, reason: Reason) {
        self.rejected.push((self.offered, reason));
        self.offered += 1;
    }

    fn push(&mut self, table: Table, row: Vec<String>) {
        self.tables.entry(table).or_default().push(row);
        self.offered += u32::from(table != Table::Series);
    }

    fn add(&mut self, series: &TimeSeries, name: &str, attributes: &BTreeMap<String, String>) {
        for sample in &series.samples {
            match nanos(sample.timestamp) {
                Err(reason) => self.reject(reason),
                Ok(time) => {
                    let id = self.series(name, attributes, 0, false);
                    let is_stale = sample.value.to_bits() == STALE;
                    let [value, integer] = match sample.value {
                        _ if is_stale => [NULL.to_string(), NULL.to_string()],
                        whole
                            if whole.fract() == 0.0
                                && whole.abs() < 9e15
                                && whole.to_bits() != 1 << 63 =>
                        {
                            [NULL.to_string(), format!("{whole:.0}")]
                        }
                        other => [bits(other), NULL.to_string()],
                    };
                    let row = [
                        id.to_string(),
                        name.to_string(),
                        time.to_string(),
                        NULL.to_string(),
                        value,
                        integer,
                        u8::from(is_stale).to_string(),
                        self.offered.to_string(),
                    ];
                    self.push(Table::Samples, row.to_vec());
                }
            }
        }
        let mut of_exemplars = None;
        for histogram in &series.histograms {
            match cells(histogram) {
                Err(reason) => self.reject(reason),
                Ok((form, cells)) => {
                    of_exemplars = Some(form);
                    let is_stale = histogram.sum.to_bits() == STALE;
                    let is_gauge = histogram.reset_hint == 3 && !is_stale;
                    let id = self.series(name, attributes, form, is_gauge);
                    let time = nanos(histogram.timestamp).expect("it was looked at");
                    let mut row = vec![
                        id.to_string(),
                        name.to_string(),
                        time.to_string(),
                        NULL.to_string(),
                    ];
                    row.push(u8::from(is_stale).to_string());
                    row.extend(cells);
                    row.push(self.offered.to_string());
                    self.push(Table::Histograms, row);
                }
            }
        }
        if of_exemplars.is_none() && series.samples.is_empty() {
            let known = |form: &u8| self.seen.contains(&series_id(name, attributes, *form));
            of_exemplars = [1, 2].into_iter().find(known);
        }
        for exemplar in &series.exemplars {
            self.exemplar(exemplar, (name, attributes), of_exemplars.unwrap_or(0));
        }
    }

    fn exemplar(
        &mut self,
        of: &Exemplar,
        (name, attributes): (&str, &BTreeMap<String, String>),
        form: u8,
    ) {
        let time = match nanos(of.timestamp) {
            Ok(time) => time,
            Err(reason) => return self.reject(reason),
        };
        let id = self.series(name, attributes, form, false);
        let mut own = BTreeMap::new();
        let mut trace_id = NULL.to_string();
        for label in &of.labels {
            let bytes = hex::decode(&label.value)
                .ok()
                .filter(|id| id.len() == 16 && id.iter().any(|b| *b != 0));
            match bytes {
                Some(bytes) if label.name == "trace_id" => trace_id = hexed(&bytes),
                _ => {
                    let replaced = own.insert(label.name.clone(), label.value.clone());
                    self.duplicate_keys += u64::from(replaced.is_some());
                }
            }
        }
        let row = vec![
            id.to_string(),
            name.to_string(),
            time.to_string(),
            time.to_string(),
            bits(of.value),
            NULL.to_string(),
            trace_id,
            NULL.to_string(),
            serde_json::to_string(&own).expect("text"),
            self.offered.to_string(),
        ];
        self.push(Table::Exemplars, row);
    }

    fn series(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        form: u8,
        is_gauge: bool,
    ) -> i64 {
        let id = series_id(name, attributes, form);
        if self.seen.insert(id) {
            let null = || NULL.to_string();
            let kind = ["gauge", "exponential_histogram", "histogram"][usize::from(form)];
            let temporality = if form == 0 || is_gauge {
                NULL
            } else {
                "cumulative"
            };
            let row = vec![
                id.to_string(),
                name.to_string(),
                kind.to_string(),
                null(),
                null(),
                temporality.to_string(),
                null(),
                r#"{"prometheus.type":"unknown"}"#.to_string(),
                attributes.get("job").cloned().unwrap_or_else(null),
                serde_json::to_string(attributes).expect("text"),
                "{}".to_string(),
                "0".to_string(),
                null(),
                null(),
                null(),
                null(),
                "{}".to_string(),
                "0".to_string(),
                null(),
            ];
            self.push(Table::Series, row);
        }
        id
    }
}

fn series_id(name: &str, attributes: &BTreeMap<String, String>, form: u8) -> i64 {
    let mut shared = vec![2, form];
    shared.extend((name.len() as u32).to_le_bytes());
    shared.extend(name.bytes());
    let mut identity = xxh3_128(&shared).to_le_bytes().to_vec();
    identity.extend(serde_json::to_string(attributes).expect("text").bytes());
    xxh3_64(&identity) as i64
}

fn decoded(encoding: Encoding, payload: Vec<u8>) -> Decoded {
    let of = (Signal::Metrics, encoding, DECODER_VERSION);
    decode(of, &Bytes::from(payload), RECEIVED, &Families::default()).expect("a request")
}

#[test]
fn both_versions_become_the_rows_that_prost_reads() {
    let (mut tally, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    for seed in 0..REQUESTS {
        let made = request(&mut StdRng::seed_from_u64(seed));
        // As a receiver reads it: what is written loses the sign of a zero.
        let request = WriteRequest::decode(made.encode_to_vec().as_slice()).expect("it is whole");
        let expected = Expected::of(&request);
        let payloads = [
            (Encoding::PrometheusV1, request.encode_to_vec()),
            (Encoding::PrometheusV2, second(&request).encode_to_vec()),
        ];
        for (encoding, payload) in payloads {
            let found = decoded(encoding, payload);
            let rejected: Vec<_> = found
                .rejected
                .iter()
                .map(|one| (one.ordinal, one.reason))
                .collect();
            assert_eq!(rejected, expected.rejected, "{seed} {encoding:?}");
            assert_eq!(
                found.offered,
                u64::from(expected.offered),
                "{seed} {encoding:?}"
            );
            assert_eq!(
                found.duplicate_keys, expected.duplicate_keys,
                "{seed} {encoding:?}"
            );
            let tables: BTreeMap<Table, Vec<Row>> = found
                .tables
                .iter()
                .map(|(table, batch)| (*table, rows(batch)))
                .collect();
            assert_eq!(tables, expected.tables, "{seed} {encoding:?}");
        }
        for (table, rows) in &expected.tables {
            *tally.entry(*table).or_insert(0) += rows.len();
        }
        for (_, reason) in &expected.rejected {
            *reasons.entry(*reason).or_insert(0) += 1;
        }
    }
    assert!(
        tally.len() == 4 && tally.values().all(|rows| *rows > 1_000),
        "{tally:?}"
    );
    for reason in [
        Reason::Malformed,
        Reason::TooLarge,
        Reason::Incomplete,
        Reason::TimeOutOfRange,
    ] {
        assert!(
            reasons.get(&reason).is_some_and(|count| *count > 20),
            "{reasons:?}"
        );
    }
}

#[test]
fn damaged_requests_never_panic_and_lose_nothing() {
    for seed in 0..REQUESTS {
        let mut random = StdRng::seed_from_u64(seed);
        let request = request(&mut random);
        let payloads = [
            (Encoding::PrometheusV1, request.encode_to_vec()),
            (Encoding::PrometheusV2, second(&request).encode_to_vec()),
            (Encoding::Samples, second(&request).encode_to_vec()),
        ];
        for (encoding, mut payload) in payloads {
            for _ in 0..random.random_range(1..4) {
                if !payload.is_empty() {
                    let at = random.random_range(0..payload.len());
                    payload[at] = random.random();
                }
            }
            let of = (Signal::Metrics, encoding, DECODER_VERSION);
            let Ok(found) = decode(of, &Bytes::from(payload), RECEIVED, &Families::default())
            else {
                continue;
            };
            let records = found
                .tables
                .iter()
                .filter(|(table, _)| *table != Table::Series);
            let stored: usize = records.map(|(_, batch)| batch.num_rows()).sum();
            assert_eq!(
                (stored + found.rejected.len()) as u64,
                found.offered,
                "{seed} {encoding:?}"
            );
        }
    }
}
