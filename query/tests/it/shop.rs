//! The telemetry of a small shop: the fixed data that `tests/sql/*.slt` asks about.
//!
//! Two hours from 2024-01-01T10:00Z. Its values are chosen so that answers can be worked out by hand:
//! row `i` of a table depends on `i` alone.

use crate::{
    batch::{Row, batch, double, id, instant, int, text},
    world::World,
};
use arrow::datatypes::DataType;
use bytes::Bytes;
use cairn_storage::{
    append::{Decoded, Reason, Rejected},
    signal::{Signal, Table},
};
use datafusion::common::ScalarValue;

/// 2024-01-01T10:00:00Z.
pub(crate) const START: i64 = 1_704_103_200_000_000_000;

/// Where the rows are when they are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// All in the buffer.
    Buffer,
    /// All in segments that do not overlap but at hours.
    Segments,
    /// Each request in segments of its own: they overlap.
    ManySegments,
    /// The first half in segments, the other in the buffer.
    Both,
}

impl Place {
    pub(crate) const ALL: [Place; 4] = [
        Place::Buffer,
        Place::Segments,
        Place::ManySegments,
        Place::Both,
    ];
}

/// A store with the shop's telemetry.
pub(crate) async fn open(place: Place) -> World {
    let world = World::new().await;
    let requests = requests();
    let half = requests.len() / 2;
    for (number, (signal, decoded)) in requests.into_iter().enumerate() {
        world.append(signal, decoded).await;
        let flush = place == Place::ManySegments || (place == Place::Both && number == half);
        if flush {
            world.store.flush_all().await.expect("flushes");
        }
    }
    if place == Place::Segments {
        world.store.flush_all().await.expect("flushes");
    }
    world
}

/// All requests, signals mixed, in an order in which times go back and forth.
fn requests() -> Vec<(Signal, Decoded)> {
    let mut requests = Vec::new();
    for number in 0..12u32 {
        // 5 and 12 have no common divisor: every chunk comes once, out of order.
        let chunk = (number * 5) % 12;
        requests.push((Signal::Logs, logs(chunk)));
        requests.push((Signal::Metrics, metrics(chunk)));
        requests.push((Signal::Spans, spans(chunk)));
    }
    requests
}

fn decoded(tables: Vec<(Table, Vec<Row>)>) -> Decoded {
    let offered = tables.first().map_or(0, |(_, rows)| rows.len() as u64);
    let tables = tables.into_iter().filter(|(_, rows)| !rows.is_empty());
    let tables = tables
        .map(|(table, rows)| (table, batch(table, &rows)))
        .collect();
    Decoded {
        tables,
        offered,
        ..Decoded::default()
    }
}

const SERVICES: [&str; 3] = ["cart", "checkout", "db"];

fn resource(i: i64) -> String {
    let service = SERVICES[(i % 3) as usize];
    format!(
        r#"{{"cpu.count":{},"host.name":"h{}","service.name":"{service}"}}"#,
        4 + i % 3,
        i % 4
    )
}

/// 240 log records, one every 30 s, 20 a request; the last of each request has an invalid twin that is rejected.
pub(crate) fn logs(chunk: u32) -> Decoded {
    let rows = (0..20).map(|at| log(i64::from(chunk) * 20 + at)).collect();
    let mut decoded = decoded(vec![(Table::Logs, rows)]);
    decoded.offered += 1;
    decoded.rejected.push(Rejected {
        ordinal: 20,
        reason: Reason::Malformed,
        detail: format!("record of chunk {chunk} ends early"),
        record: Bytes::from(vec![1, 2, chunk as u8]),
        envelope: None,
    });
    decoded
}

fn log(i: i64) -> Row {
    let mut row = vec![
        ("timestamp", instant(START + i * 30_000_000_000 + i)),
        ("timestamp_origin", text("record")),
        ("service_name", text(SERVICES[(i % 3) as usize])),
        ("severity_number", int([9, 9, 13, 17][(i % 4) as usize])),
        (
            "severity_text",
            text(["info", "INFO", "warn", "error"][(i % 4) as usize]),
        ),
        (
            "body",
            text(format!(
                "order {i} {}",
                if i % 7 == 0 { "failed" } else { "placed" }
            )),
        ),
        ("body_type", text("string")),
        ("attributes", text(log_attributes(i))),
        ("resource_attributes", text(resource(i))),
        ("scope_name", text("shop")),
        ("scope_attributes", text(r#"{"team":"web"}"#)),
        ("row_ordinal", int(i % 20)),
    ];
    if i % 2 == 0 {
        row.push(("trace_id", id(i as u64 / 4, 16)));
        row.push(("span_id", id(i as u64, 8)));
    }
    row
}

/// `http.status` is an integer, `ratio` a double, `flag` a boolean, `user.id` a text. `mixed` is all of them in
/// turn, `big` beyond what doubles count, `rare` in two rows of 240, `nested` a map in every 60th row.
fn log_attributes(i: i64) -> String {
    let mut entries = Vec::new();
    if i % 60 == 0 {
        entries.push(format!(r#""big":{}"#, (1i64 << 53) + i / 60));
    }
    entries.push(format!(r#""flag":{}"#, i % 2 == 0));
    entries.push(format!(
        r#""http.status":{}"#,
        [200, 200, 404, 500][(i % 4) as usize]
    ));
    entries.push(format!(
        r#""mixed":{}"#,
        match i % 4 {
            0 => format!("{i}"),
            1 => format!(r#""{i}""#),
            2 => format!("{i}.5"),
            _ => r#""many""#.to_string(),
        }
    ));
    if i % 60 == 30 {
        entries.push(r#""nested":{"a":[1,"x"]}"#.to_string());
    }
    if i == 17 || i == 170 {
        entries.push(format!(r#""rare":"r{i}""#));
    }
    entries.push(format!(r#""ratio":{}.25"#, i % 10));
    entries.push(format!(r#""user.id":"u{}""#, i % 50));
    format!("{{{}}}", entries.join(","))
}

/// 48 spans, one every 150 s, 4 a request; every third has two events, every fourth a link.
pub(crate) fn spans(chunk: u32) -> Decoded {
    let mut spans: Vec<Row> = Vec::new();
    let mut events: Vec<Row> = Vec::new();
    let mut links: Vec<Row> = Vec::new();
    for ordinal in 0..4 {
        let i = i64::from(chunk) * 4 + ordinal;
        let start = START + i * 150_000_000_000;
        let common: Row = vec![
            ("service_name", text(SERVICES[(i % 3) as usize])),
            ("trace_id", id(i as u64 / 4, 16)),
            ("span_id", id(i as u64, 8)),
            ("resource_attributes", text(resource(i))),
            ("row_ordinal", int(ordinal)),
        ];
        let inner: Row = common
            .iter()
            .filter(|(n, _)| *n != "resource_attributes")
            .cloned()
            .collect();
        let mut span = common;
        span.extend([
            ("timestamp", instant(start)),
            ("end_timestamp", instant(start + (i + 1) * 1_000_000)),
            ("duration_ns", int((i + 1) * 1_000_000)),
            ("timestamp_origin", text("record")),
            (
                "name",
                text(["GET /", "POST /order", "SELECT"][(i % 3) as usize]),
            ),
            ("kind", int(2)),
            ("status_code", int(if i % 10 == 9 { 2 } else { 0 })),
            (
                "attributes",
                text(format!(r#"{{"http.route":"/r{}","n":{i}}}"#, i % 5)),
            ),
        ]);
        if i % 4 != 0 {
            span.push(("parent_span_id", id(i as u64 - 1, 8)));
        }
        spans.push(span);
        for at in 0..if i % 3 == 0 { 2 } else { 0 } {
            let mut event = inner.clone();
            event.extend([
                ("timestamp", instant(start + at * 1_000)),
                ("timestamp_origin", text("record")),
                ("name", text(["begin", "exception"][at as usize])),
                ("attributes", text(format!(r#"{{"at":{at}}}"#))),
                ("span_name", text("GET /")),
                ("event_ordinal", int(at)),
            ]);
            events.push(event);
        }
        if i % 4 == 3 {
            let mut link = inner;
            link.extend([
                ("timestamp", instant(start)),
                ("linked_trace_id", id(1_000 + i as u64, 16)),
                ("linked_span_id", id(2_000 + i as u64, 8)),
                ("attributes", text("{}")),
                ("span_name", text("SELECT")),
                ("link_ordinal", int(0)),
            ]);
            links.push(link);
        }
    }
    decoded(vec![
        (Table::Spans, spans),
        (Table::SpanEvents, events),
        (Table::SpanLinks, links),
    ])
}

/// Six series (three gauges of doubles, two sums of integers, one histogram), one point of each every ten
/// minutes: 72 points. The series stand in every request anew.
pub(crate) fn metrics(chunk: u32) -> Decoded {
    let at = START + i64::from(chunk) * 600_000_000_000 + i64::from(chunk) * 7;
    let mut series: Vec<Row> = Vec::new();
    let mut samples: Vec<Row> = Vec::new();
    let mut exemplars: Vec<Row> = Vec::new();
    for number in 0..5 {
        let gauge = number < 3;
        let metric = if gauge { "cpu.load" } else { "orders" };
        series.push(vec![
            ("series_id", int(100 + number)),
            ("metric", text(metric)),
            ("type", text(if gauge { "gauge" } else { "sum" })),
            ("unit", text("1")),
            (
                "temporality",
                ScalarValue::Utf8((!gauge).then(|| "cumulative".to_string())),
            ),
            ("service_name", text(SERVICES[(number % 3) as usize])),
            (
                "attributes",
                text(format!(r#"{{"core":{number},"zone":"z{}"}}"#, number % 2)),
            ),
            ("resource_attributes", text(resource(number))),
        ]);
        let value = match gauge {
            true => ("value", double(number as f64 + f64::from(chunk) / 4.0)),
            false => ("value_int", int(i64::from(chunk) * 10 + number)),
        };
        samples.push(vec![
            ("series_id", int(100 + number)),
            ("metric", text(metric)),
            ("timestamp", instant(at)),
            value,
            ("row_ordinal", int(number)),
        ]);
    }
    exemplars.push(vec![
        ("series_id", int(103)),
        ("metric", text("orders")),
        ("timestamp", instant(at + 1)),
        ("point_timestamp", instant(at)),
        ("value_int", int(i64::from(chunk))),
        ("trace_id", id(u64::from(chunk), 16)),
        ("attributes", text(format!(r#"{{"user.id":"u{chunk}"}}"#))),
        ("row_ordinal", int(3)),
    ]);
    series.push(vec![
        ("series_id", int(105)),
        ("metric", text("latency")),
        ("type", text("histogram")),
        ("unit", text("s")),
        ("temporality", text("delta")),
        ("service_name", text("cart")),
        ("attributes", text(r#"{"zone":"z0"}"#)),
        ("resource_attributes", text(resource(0))),
    ]);
    let mut decoded = decoded(vec![
        (Table::Samples, samples),
        (Table::Series, series),
        (Table::Histograms, vec![latency(chunk, at)]),
        (Table::Exemplars, exemplars),
    ]);
    decoded.offered = 6;
    decoded
}

fn latency(chunk: u32, at: i64) -> Row {
    let count = |value: u64| ScalarValue::UInt64(Some(value));
    let list = |values: &[ScalarValue], of: DataType| {
        ScalarValue::List(ScalarValue::new_list(values, &of, false))
    };
    let counts = [1, 2, u64::from(chunk)].map(count);
    vec![
        ("series_id", int(105)),
        ("metric", text("latency")),
        ("timestamp", instant(at)),
        ("count", count(3 + u64::from(chunk))),
        ("sum", double(f64::from(chunk))),
        (
            "explicit_bounds",
            list(&[0.1, 1.0].map(double), DataType::Float64),
        ),
        ("bucket_counts", list(&counts, DataType::UInt64)),
        ("row_ordinal", int(5)),
    ]
}
