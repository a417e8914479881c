//! What a request should become, worked out from prost's structs in the plainest way: every row as a list of
//! texts in the order of the columns.

use crate::tree::{self, Field, Type, Wire};
use cairn_storage::{
    append::Reason,
    signal::{Signal, Table},
};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{
        Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
        SummaryDataPoint, exemplar, number_data_point,
    },
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

pub(crate) const NULL: &str = "NULL";

pub(crate) type Row = Vec<String>;

/// What a request should become.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Expected {
    pub(crate) tables: BTreeMap<&'static str, Vec<Row>>,
    pub(crate) rejected: Vec<(u32, Reason)>,
    pub(crate) offered: u32,
    pub(crate) counts: Counts,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    pub(crate) untimed: bool,
    pub(crate) replaced_text: u64,
    pub(crate) duplicate_keys: u64,
    pub(crate) invalid_ids: u64,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    Request(Box<Expected>),
    /// The request as a whole cannot be decoded.
    Broken,
    /// Nested deeper than prost goes.
    TooDeepForProst,
}

/// Why a record makes no row.
enum Fault {
    Reject(Reason),
    TooDeepForProst,
}

type Outcome<T> = Result<T, Fault>;

pub(crate) fn expect(signal: Signal, payload: &[u8], received: i64) -> Verdict {
    let request = match signal {
        Signal::Logs => Type::LogsRequest,
        Signal::Spans => Type::SpansRequest,
        _ => Type::MetricsRequest,
    };
    let Some(fields) = tree::parse(request, payload) else {
        return Verdict::Broken;
    };
    let mut oracle = Oracle {
        expected: Expected::default(),
        received,
        seen: BTreeSet::new(),
    };
    match oracle.request(signal, &fields) {
        Some(Ok(())) => Verdict::Request(Box::new(oracle.expected)),
        Some(Err(_)) => Verdict::TooDeepForProst,
        None => Verdict::Broken,
    }
}

struct Oracle {
    expected: Expected,
    received: i64,
    seen: BTreeSet<i64>,
}

/// Resource and scope cells, the service name, and what the identity of a series needs of them.
struct Context {
    service_name: String,
    cells: Vec<String>,
    identity: [String; 4],
}

/// A group level: its one-off parts, its repeated ones, its schema URL.
type Level<'f> = (Vec<&'f Wire>, Vec<&'f Wire>, Vec<u8>);

/// Splits a resource group or scope group; `None` if a field has not its wire type.
fn level(fields: &[Field]) -> Option<Level<'_>> {
    let (mut first, mut second, mut url) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields {
        match (field.number, &field.value) {
            (1, value @ (Wire::Message(..) | Wire::Bytes(_))) => first.push(value),
            (2, value @ (Wire::Message(..) | Wire::Bytes(_))) => second.push(value),
            (3, Wire::Text(text)) => url = text.clone(),
            (1..=3, _) => return None,
            _ => {}
        }
    }
    Some((first, second, url))
}

fn bytes(value: &Wire) -> Vec<u8> {
    match value {
        Wire::Message(_, fields) => tree::encode(fields),
        Wire::Bytes(bytes) | Wire::Text(bytes) => bytes.clone(),
        other => panic!("not delimited: {other:?}"),
    }
}

/// Decodes with prost, after the repairs that the decoder makes too; counts them.
fn read<M: Message + Default>(of: Type, message: &[u8], counts: &mut Counts) -> Outcome<M> {
    let (message, repaired) = tree::normalise(of, message);
    counts.replaced_text += repaired;
    M::decode(message.as_slice()).map_err(|error| {
        if error.to_string().contains("recursion") {
            Fault::TooDeepForProst
        } else {
            Fault::Reject(Reason::Malformed)
        }
    })
}

/// Decodes a message that comes in pieces.
fn read_pieces<M: Message + Default>(
    of: Type,
    pieces: &[&Wire],
    counts: &mut Counts,
) -> Outcome<M> {
    let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| bytes(piece)).collect();
    // Each must be a message by itself: end to end, one that is cut off could swallow the start of the next.
    for piece in &pieces {
        read::<M>(of, piece, &mut Counts::default())?;
    }
    read(of, &pieces.concat(), counts)
}

impl Oracle {
    fn request(&mut self, signal: Signal, fields: &[Field]) -> Option<Outcome<()>> {
        let mut groups = Vec::new();
        for field in fields {
            match (field.number, &field.value) {
                (1, Wire::Message(_, fields)) => groups.push(level(fields)?),
                (1, _) => return None,
                _ => {}
            }
        }
        let mut all = Vec::new();
        for (resource, scopes, url) in groups {
            let mut inner = Vec::new();
            for scope in scopes {
                let Wire::Message(_, fields) = scope else {
                    return None;
                };
                let scope = level(fields)?;
                if !scope.1.is_empty() {
                    inner.push(scope);
                }
            }
            if !inner.is_empty() {
                all.push((resource, url, inner));
            }
        }
        Some(all.into_iter().try_for_each(|(resource, url, scopes)| {
            self.resource_group(signal, &resource, &url, &scopes)
        }))
    }

    fn resource_group(
        &mut self,
        signal: Signal,
        resource: &[&Wire],
        url: &[u8],
        scopes: &[Level<'_>],
    ) -> Outcome<()> {
        let resource = self.keep_counts(|counts| {
            let resource: Resource = read_pieces(Type::Resource, resource, counts)?;
            let attributes = object(&resource.attributes, counts);
            Ok((resource, attributes, text(url, counts)))
        });
        let resource = match resource {
            Err(Fault::TooDeepForProst) => return Err(Fault::TooDeepForProst),
            other => other,
        };
        for (scope, records, url) in scopes {
            let scope = self.keep_counts(|counts| {
                if resource.is_err() {
                    return Err(Fault::Reject(Reason::Malformed));
                }
                let scope: InstrumentationScope = read_pieces(Type::Scope, scope, counts)?;
                let attributes = object(&scope.attributes, counts);
                Ok((scope, attributes, text(url, counts)))
            });
            let context = match (&resource, scope) {
                (_, Err(Fault::TooDeepForProst)) => return Err(Fault::TooDeepForProst),
                (Err(_), _) | (_, Err(_)) => None,
                (Ok((r, r_json, r_url)), Ok((s, s_json, s_url))) => Some(Context {
                    service_name: service_name(&r.attributes),
                    cells: vec![
                        r_json.clone(),
                        r.dropped_attributes_count.to_string(),
                        or_null(r_url),
                        entity_refs(&r.entity_refs),
                        or_null(&s.name),
                        or_null(&s.version),
                        s_json.clone(),
                        s.dropped_attributes_count.to_string(),
                        or_null(&s_url),
                    ],
                    identity: [r_json.clone(), s.name.clone(), s.version.clone(), s_json],
                }),
            };
            for record in records {
                self.record(signal, record, context.as_ref())?;
            }
        }
        Ok(())
    }

    /// Runs `read`; what it counted counts only if it succeeds.
    fn keep_counts<T>(&mut self, read: impl FnOnce(&mut Counts) -> Outcome<T>) -> Outcome<T> {
        let mut counts = self.expected.counts;
        let result = read(&mut counts);
        if result.is_ok() {
            self.expected.counts = counts;
        }
        result
    }

    fn offer(&mut self) -> u32 {
        self.expected.offered += 1;
        self.expected.offered - 1
    }

    fn row(&mut self, table: Table, row: Row) {
        self.expected
            .tables
            .entry(table.as_str())
            .or_default()
            .push(row);
    }

    /// Notes the outcome of a record.
    fn settle(&mut self, ordinal: u32, outcome: Outcome<Vec<(Table, Row)>>) -> Outcome<()> {
        match outcome {
            Ok(rows) => rows
                .into_iter()
                .for_each(|(table, row)| self.row(table, row)),
            Err(Fault::Reject(reason)) => self.expected.rejected.push((ordinal, reason)),
            Err(Fault::TooDeepForProst) => return Err(Fault::TooDeepForProst),
        }
        Ok(())
    }

    fn record(&mut self, signal: Signal, record: &Wire, context: Option<&Context>) -> Outcome<()> {
        if signal == Signal::Metrics {
            return self.metric(record, context);
        }
        let ordinal = self.offer();
        let received = self.received;
        let outcome = match context {
            None => Err(Fault::Reject(Reason::Malformed)),
            Some(context) => self.keep_counts(|counts| match signal {
                Signal::Logs => log(&bytes(record), context, ordinal, received, counts),
                _ => span(&bytes(record), context, ordinal, received, counts),
            }),
        };
        self.settle(ordinal, outcome)
    }

    fn metric(&mut self, record: &Wire, context: Option<&Context>) -> Outcome<()> {
        let Some((fields, data, unknown)) = split_metric(record) else {
            let ordinal = self.offer();
            return self.settle(ordinal, Err(Fault::Reject(Reason::Malformed)));
        };
        let points = data.as_ref().map_or(&[][..], |data| &data.points);
        let reject_all = |oracle: &mut Self, reason: Reason| {
            points.iter().try_for_each(|_| {
                let ordinal = oracle.offer();
                oracle.settle(ordinal, Err(Fault::Reject(reason)))
            })
        };
        let Some(context) = context else {
            return reject_all(self, Reason::Malformed);
        };
        let Some(data) = &data else {
            if unknown {
                let ordinal = self.offer();
                return self.settle(ordinal, Err(Fault::Reject(Reason::Incomplete)));
            }
            return Ok(());
        };
        let named = fields.iter().rfind(|field| field.number == 1);
        if named.is_none_or(|name| matches!(&name.value, Wire::Text(text) if text.is_empty())) {
            return reject_all(self, Reason::Incomplete);
        }
        if points.is_empty() {
            return Ok(());
        }
        let metric = self.keep_counts(|counts| {
            let metric: Metric = read(Type::Metric, &tree::encode(&fields), counts)?;
            let metadata = object(&metric.metadata, counts);
            Ok((metric, metadata))
        });
        let (metric, metadata) = match metric {
            Err(Fault::Reject(reason)) => return reject_all(self, reason),
            Err(deep) => return Err(deep),
            Ok(metric) => metric,
        };
        for point in &data.points {
            let ordinal = self.offer();
            let received = self.received;
            let seen = &mut self.seen;
            let mut counts = self.expected.counts;
            let of = Of {
                metric: &metric,
                metadata: &metadata,
                data,
                context,
                ordinal,
                received,
            };
            let outcome = of.rows(&bytes(point), seen, &mut counts);
            if outcome.is_ok() {
                self.expected.counts = counts;
            }
            self.settle(ordinal, outcome)?;
        }
        Ok(())
    }
}

fn text(text: &[u8], counts: &mut Counts) -> String {
    let lossy = String::from_utf8_lossy(text);
    if matches!(lossy, std::borrow::Cow::Owned(_)) {
        counts.replaced_text += 1;
    }
    lossy.into_owned()
}

fn or_null(text: &str) -> String {
    if text.is_empty() {
        NULL.to_string()
    } else {
        text.to_string()
    }
}

fn number_or_null(value: Option<impl ToString>) -> String {
    value.map_or_else(|| NULL.to_string(), |value| value.to_string())
}

/// A double to the bit.
pub(crate) fn bits(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn bits_or_null(value: Option<f64>) -> String {
    value.map_or_else(|| NULL.to_string(), bits)
}

pub(crate) fn hexed(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(bytes: &[u8], length: usize, must: bool, counts: &mut Counts) -> String {
    if bytes.len() == length && bytes.iter().any(|byte| *byte != 0) {
        return hexed(bytes);
    }
    if must || !bytes.is_empty() {
        counts.invalid_ids += 1;
    }
    NULL.to_string()
}

fn time(time: u64) -> Outcome<i64> {
    i64::try_from(time).map_err(|_| Fault::Reject(Reason::TimeOutOfRange))
}

fn time_or_null(time: i64) -> String {
    if time == 0 {
        NULL.to_string()
    } else {
        time.to_string()
    }
}

fn quoted(text: &str, dollar: bool) -> String {
    let mut out = String::from("\"");
    if dollar && text.starts_with('$') {
        out.push('$');
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |w, (i, b)| w | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63] as char;
            out.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

fn double(value: f64) -> String {
    if value.is_finite() {
        ryu::Buffer::new().format(value).to_string()
    } else if value == f64::INFINITY {
        "{\"$double\":\"Infinity\"}".to_string()
    } else if value == f64::NEG_INFINITY {
        "{\"$double\":\"-Infinity\"}".to_string()
    } else if value.to_bits() == 0x7ff8_0000_0000_0000 {
        "{\"$double\":\"NaN\"}".to_string()
    } else {
        format!("{{\"$double\":\"0x{:016x}\"}}", value.to_bits())
    }
}

fn json(value: Option<&Value>, counts: &mut Counts) -> String {
    match value {
        None | Some(Value::StringValueStrindex(_)) => "null".to_string(),
        Some(Value::StringValue(text)) => quoted(text, false),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => double(*value),
        Some(Value::BytesValue(bytes)) => format!("{{\"$bytes\":\"{}\"}}", base64(bytes)),
        Some(Value::ArrayValue(array)) => {
            let values: Vec<_> = array
                .values
                .iter()
                .map(|value| json(value.value.as_ref(), counts))
                .collect();
            format!("[{}]", values.join(","))
        }
        Some(Value::KvlistValue(list)) => map(&list.values, true, counts),
    }
}

fn map(list: &[KeyValue], nested: bool, counts: &mut Counts) -> String {
    let mut sorted = BTreeMap::new();
    for entry in list {
        let value = entry.value.as_ref().and_then(|value| value.value.as_ref());
        let value = json(value, counts);
        if sorted
            .insert(entry.key.as_bytes(), (&entry.key, value))
            .is_some()
        {
            counts.duplicate_keys += 1;
        }
    }
    let entries: Vec<_> = sorted
        .values()
        .map(|(key, value)| format!("{}:{value}", quoted(key, nested)))
        .collect();
    format!("{{{}}}", entries.join(","))
}

fn object(list: &[KeyValue], counts: &mut Counts) -> String {
    map(list, false, counts)
}

fn entity_refs(list: &[EntityRef]) -> String {
    if list.is_empty() {
        return NULL.to_string();
    }
    let entity = |of: &EntityRef| {
        let texts = |keys: &[String]| {
            let keys: Vec<_> = keys.iter().map(|key| quoted(key, false)).collect();
            format!("[{}]", keys.join(","))
        };
        let mut fields = Vec::new();
        if !of.description_keys.is_empty() {
            fields.push(format!(
                "\"description_keys\":{}",
                texts(&of.description_keys)
            ));
        }
        if !of.id_keys.is_empty() {
            fields.push(format!("\"id_keys\":{}", texts(&of.id_keys)));
        }
        if !of.schema_url.is_empty() {
            fields.push(format!("\"schema_url\":{}", quoted(&of.schema_url, false)));
        }
        if !of.r#type.is_empty() {
            fields.push(format!("\"type\":{}", quoted(&of.r#type, false)));
        }
        format!("{{{}}}", fields.join(","))
    };
    format!(
        "[{}]",
        list.iter().map(entity).collect::<Vec<_>>().join(",")
    )
}

fn service_name(attributes: &[KeyValue]) -> String {
    let value = attributes.iter().rfind(|entry| entry.key == "service.name");
    let value = value
        .and_then(|entry| entry.value.as_ref())
        .and_then(|value| value.value.as_ref());
    match value {
        None | Some(Value::StringValueStrindex(_)) => NULL.to_string(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BytesValue(bytes)) => base64(bytes),
        Some(Value::DoubleValue(value)) if value.is_nan() => "NaN".to_string(),
        Some(Value::DoubleValue(value)) if !value.is_finite() => {
            if *value > 0.0 {
                "Infinity".to_string()
            } else {
                "-Infinity".to_string()
            }
        }
        other => json(other, &mut Counts::default()),
    }
}

fn body(body: Option<&AnyValue>, counts: &mut Counts) -> (String, String) {
    let value = body.and_then(|body| body.value.as_ref());
    let name = match value {
        None | Some(Value::StringValueStrindex(_)) => return (NULL.to_string(), NULL.to_string()),
        Some(Value::StringValue(text)) => return (text.clone(), "string".to_string()),
        Some(Value::BoolValue(_)) => "bool",
        Some(Value::IntValue(_)) => "int",
        Some(Value::DoubleValue(_)) => "double",
        Some(Value::BytesValue(_)) => "bytes",
        Some(Value::ArrayValue(_)) => "array",
        Some(Value::KvlistValue(_)) => "kvlist",
    };
    (json(value, counts), name.to_string())
}

fn log(
    message: &[u8],
    context: &Context,
    ordinal: u32,
    received: i64,
    counts: &mut Counts,
) -> Outcome<Vec<(Table, Row)>> {
    let log: LogRecord = read(Type::LogRecord, message, counts)?;
    let (own, observed) = (
        time(log.time_unix_nano)?,
        time(log.observed_time_unix_nano)?,
    );
    let (timestamp, origin) = match (own, observed) {
        (0, 0) => (received, "received"),
        (0, observed) => (observed, "observed"),
        (own, _) => (own, "record"),
    };
    counts.untimed |= origin == "received";
    let (body, body_type) = body(log.body.as_ref(), counts);
    let mut row = vec![
        timestamp.to_string(),
        origin.to_string(),
        time_or_null(observed),
        context.service_name.clone(),
        log.severity_number.to_string(),
        or_null(&log.severity_text),
        or_null(&log.event_name),
        body,
        body_type,
        id(&log.trace_id, 16, false, counts),
        id(&log.span_id, 8, false, counts),
        log.flags.to_string(),
        object(&log.attributes, counts),
        log.dropped_attributes_count.to_string(),
    ];
    row.extend(context.cells.iter().cloned());
    row.push(ordinal.to_string());
    Ok(vec![(Table::Logs, row)])
}

fn span(
    message: &[u8],
    context: &Context,
    ordinal: u32,
    received: i64,
    counts: &mut Counts,
) -> Outcome<Vec<(Table, Row)>> {
    let span: Span = read(Type::Span, message, counts)?;
    let (start, end) = (
        time(span.start_time_unix_nano)?,
        time(span.end_time_unix_nano)?,
    );
    let (timestamp, origin) = match (start, end) {
        (0, 0) => (received, "received"),
        (0, end) => (end, "end"),
        (start, _) => (start, "record"),
    };
    counts.untimed |= origin == "received";
    let both = start != 0 && end != 0;
    let status = span.status.clone().unwrap_or_default();
    let trace_id = id(&span.trace_id, 16, true, counts);
    let span_id = id(&span.span_id, 8, true, counts);
    let mut row = vec![
        timestamp.to_string(),
        origin.to_string(),
        time_or_null(end),
        number_or_null(both.then(|| end - start)),
        context.service_name.clone(),
        span.name.clone(),
        span.kind.to_string(),
        trace_id.clone(),
        span_id.clone(),
        id(&span.parent_span_id, 8, false, counts),
        or_null(&span.trace_state),
        span.flags.to_string(),
        status.code.to_string(),
        or_null(&status.message),
        object(&span.attributes, counts),
        span.dropped_attributes_count.to_string(),
        span.dropped_events_count.to_string(),
        span.dropped_links_count.to_string(),
    ];
    row.extend(context.cells.iter().cloned());
    row.push(ordinal.to_string());
    let mut rows = vec![(Table::Spans, row)];
    for (position, event) in span.events.iter().enumerate() {
        let own = time(event.time_unix_nano)?;
        rows.push((
            Table::SpanEvents,
            vec![
                (if own == 0 { timestamp } else { own }).to_string(),
                (if own == 0 { "span" } else { "record" }).to_string(),
                context.service_name.clone(),
                event.name.clone(),
                trace_id.clone(),
                span_id.clone(),
                object(&event.attributes, counts),
                event.dropped_attributes_count.to_string(),
                span.name.clone(),
                position.to_string(),
                ordinal.to_string(),
            ],
        ));
    }
    let of_span = [
        trace_id,
        span_id,
        timestamp.to_string(),
        ordinal.to_string(),
    ];
    rows.extend(links(&span, &of_span, context, counts));
    Ok(rows)
}

fn links(
    span: &Span,
    [trace_id, span_id, timestamp, ordinal]: &[String; 4],
    context: &Context,
    counts: &mut Counts,
) -> Vec<(Table, Row)> {
    let mut rows = Vec::new();
    for (position, link) in span.links.iter().enumerate() {
        rows.push((
            Table::SpanLinks,
            vec![
                timestamp.clone(),
                context.service_name.clone(),
                trace_id.clone(),
                span_id.clone(),
                id(&link.trace_id, 16, true, counts),
                id(&link.span_id, 8, true, counts),
                or_null(&link.trace_state),
                link.flags.to_string(),
                object(&link.attributes, counts),
                link.dropped_attributes_count.to_string(),
                span.name.clone(),
                position.to_string(),
                ordinal.clone(),
            ],
        ));
    }
    rows
}

/// The data of a metric: its kind's place in the list of kinds, and its points.
struct Data {
    kind: usize,
    temporality: i32,
    monotonic: bool,
    points: Vec<Wire>,
}

const KINDS: [(&str, u32, Type); 5] = [
    ("gauge", 5, Type::NumberPoint),
    ("sum", 7, Type::NumberPoint),
    ("histogram", 9, Type::HistogramPoint),
    ("exponential_histogram", 10, Type::ExponentialPoint),
    ("summary", 11, Type::SummaryPoint),
];

/// The fields of a metric less its data, its data, and whether there are unknown fields; `None` if it is malformed.
fn split_metric(record: &Wire) -> Option<(Vec<Field>, Option<Data>, bool)> {
    let Wire::Message(_, fields) = record else {
        return None;
    };
    let mut rest = Vec::new();
    let mut unknown = false;
    let mut data: Option<(usize, Vec<&Wire>)> = None;
    for field in fields {
        let kind = KINDS
            .iter()
            .position(|(_, number, _)| *number == field.number);
        match (kind, field.number, &field.value) {
            (Some(kind), _, value @ (Wire::Message(..) | Wire::Bytes(_))) => match &mut data {
                Some((last, pieces)) if *last == kind => pieces.push(value),
                _ => data = Some((kind, vec![value])),
            },
            (None, 1..=3, Wire::Text(_)) | (None, 12, Wire::Message(..) | Wire::Bytes(_)) => {
                rest.push(field.clone());
            }
            (Some(_), ..) | (None, 1..=3 | 12, _) => return None,
            _ => unknown = true,
        }
    }
    let data = match data {
        None => None,
        Some((kind, pieces)) => Some(join_data(kind, &pieces)?),
    };
    Some((rest, data, unknown))
}

fn join_data(kind: usize, pieces: &[&Wire]) -> Option<Data> {
    let mut data = Data {
        kind,
        temporality: 0,
        monotonic: false,
        points: Vec::new(),
    };
    for piece in pieces {
        let Wire::Message(_, fields) = piece else {
            return None;
        };
        for field in fields {
            match (field.number, &field.value) {
                (1, value @ (Wire::Message(..) | Wire::Bytes(_))) => {
                    data.points.push(value.clone())
                }
                (1, _) => return None,
                (2, Wire::Varint(value)) if (1..=3).contains(&kind) => {
                    data.temporality = *value as i32
                }
                (2, _) if (1..=3).contains(&kind) => return None,
                (3, Wire::Varint(value)) if kind == 1 => data.monotonic = *value != 0,
                (3, _) if kind == 1 => return None,
                _ => {}
            }
        }
    }
    Some(data)
}

/// A point with what it belongs to.
struct Of<'o> {
    metric: &'o Metric,
    metadata: &'o str,
    data: &'o Data,
    context: &'o Context,
    ordinal: u32,
    received: i64,
}

/// A point of any kind, as far as they are alike.
struct Common {
    attributes: Vec<KeyValue>,
    start: u64,
    time: u64,
    flags: u32,
    exemplars: Vec<Exemplar>,
    /// The cells between those that all points have.
    cells: Vec<String>,
}

impl Of<'_> {
    fn rows(
        &self,
        message: &[u8],
        seen: &mut BTreeSet<i64>,
        counts: &mut Counts,
    ) -> Outcome<Vec<(Table, Row)>> {
        let (_, _, of) = KINDS[self.data.kind];
        let point = match of {
            Type::NumberPoint => number(read(of, message, counts)?),
            Type::HistogramPoint => histogram(read(of, message, counts)?),
            Type::ExponentialPoint => exponential(read(of, message, counts)?),
            _ => summary(read(of, message, counts)?),
        };
        let start = time(point.start)?;
        let timestamp = match time(point.time)? {
            0 => {
                counts.untimed = true;
                self.received
            }
            own => own,
        };
        let attributes = object(&point.attributes, counts);
        let series_id = self.series_id(&attributes);
        let mut exemplars = Vec::new();
        for exemplar in &point.exemplars {
            exemplars.push(self.exemplar(exemplar, series_id, timestamp, counts)?);
        }
        let mut rows = Vec::new();
        if seen.insert(series_id) {
            rows.push((Table::Series, self.series(series_id, attributes)));
        }
        let mut row = vec![
            series_id.to_string(),
            self.metric.name.clone(),
            timestamp.to_string(),
            time_or_null(start),
        ];
        let table = if of == Type::NumberPoint {
            row.extend(point.cells);
            row.push(point.flags.to_string());
            Table::Samples
        } else {
            row.push(point.flags.to_string());
            row.extend(point.cells);
            // What only Prometheus' native histograms have.
            row.extend(nulls(6));
            Table::Histograms
        };
        row.push(self.ordinal.to_string());
        rows.push((table, row));
        rows.extend(exemplars);
        Ok(rows)
    }

    fn series_id(&self, attributes: &str) -> i64 {
        let [resource, scope, version, scope_attributes] = &self.context.identity;
        let mut shared = vec![1, self.data.kind as u8];
        shared.extend(self.data.temporality.to_le_bytes());
        shared.push(match (self.data.kind, self.data.monotonic) {
            (1, true) => 2,
            (1, false) => 1,
            _ => 0,
        });
        for text in [
            &self.metric.name,
            &self.metric.unit,
            resource,
            scope,
            version,
            scope_attributes,
        ] {
            shared.extend((text.len() as u32).to_le_bytes());
            shared.extend(text.bytes());
        }
        let mut identity = xxh3_128(&shared).to_le_bytes().to_vec();
        identity.extend(attributes.bytes());
        xxh3_64(&identity) as i64
    }

    fn series(&self, series_id: i64, attributes: String) -> Row {
        let mut row = vec![
            series_id.to_string(),
            self.metric.name.clone(),
            KINDS[self.data.kind].0.to_string(),
            or_null(&self.metric.unit),
            or_null(&self.metric.description),
            match self.data.temporality {
                0 => NULL.to_string(),
                1 => "delta".to_string(),
                2 => "cumulative".to_string(),
                other => other.to_string(),
            },
            number_or_null((self.data.kind == 1).then_some(self.data.monotonic)),
            self.metadata.to_string(),
            self.context.service_name.clone(),
            attributes,
        ];
        row.extend(self.context.cells.iter().cloned());
        row
    }

    fn exemplar(
        &self,
        exemplar: &Exemplar,
        series_id: i64,
        point_time: i64,
        counts: &mut Counts,
    ) -> Outcome<(Table, Row)> {
        let own = time(exemplar.time_unix_nano)?;
        let (double, int) = match exemplar.value {
            None => (None, None),
            Some(exemplar::Value::AsDouble(value)) => (Some(value), None),
            Some(exemplar::Value::AsInt(value)) => (None, Some(value)),
        };
        let row = vec![
            series_id.to_string(),
            self.metric.name.clone(),
            (if own == 0 { point_time } else { own }).to_string(),
            point_time.to_string(),
            bits_or_null(double),
            number_or_null(int),
            id(&exemplar.trace_id, 16, false, counts),
            id(&exemplar.span_id, 8, false, counts),
            object(&exemplar.filtered_attributes, counts),
            self.ordinal.to_string(),
        ];
        Ok((Table::Exemplars, row))
    }
}

fn list<T>(values: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", values.iter().map(one).collect::<Vec<_>>().join(","))
}

fn nulls(count: usize) -> impl Iterator<Item = String> {
    std::iter::repeat_n(NULL.to_string(), count)
}

fn number(point: NumberDataPoint) -> Common {
    let (double, int) = match point.value {
        None => (None, None),
        Some(number_data_point::Value::AsDouble(value)) => (Some(value), None),
        Some(number_data_point::Value::AsInt(value)) => (None, Some(value)),
    };
    Common {
        attributes: point.attributes,
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        exemplars: point.exemplars,
        cells: vec![bits_or_null(double), number_or_null(int)],
    }
}

fn histogram(point: HistogramDataPoint) -> Common {
    let mut cells = vec![
        point.count.to_string(),
        bits_or_null(point.sum),
        bits_or_null(point.min),
        bits_or_null(point.max),
        list(&point.explicit_bounds, |bound| bits(*bound)),
        list(&point.bucket_counts, u64::to_string),
    ];
    cells.extend(nulls(9));
    Common {
        attributes: point.attributes,
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        exemplars: point.exemplars,
        cells,
    }
}

fn exponential(point: ExponentialHistogramDataPoint) -> Common {
    let mut cells = vec![
        point.count.to_string(),
        bits_or_null(point.sum),
        bits_or_null(point.min),
        bits_or_null(point.max),
    ];
    cells.extend(nulls(2));
    cells.extend([
        point.scale.to_string(),
        point.zero_count.to_string(),
        bits(point.zero_threshold),
    ]);
    for buckets in [&point.positive, &point.negative] {
        cells.push(number_or_null(
            buckets.as_ref().map(|buckets| buckets.offset),
        ));
        let counts = buckets
            .as_ref()
            .map(|buckets| list(&buckets.bucket_counts, u64::to_string));
        cells.push(number_or_null(counts));
    }
    cells.extend(nulls(2));
    Common {
        attributes: point.attributes,
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        exemplars: point.exemplars,
        cells,
    }
}

fn summary(point: SummaryDataPoint) -> Common {
    let mut cells = vec![point.count.to_string(), bits(point.sum)];
    cells.extend(nulls(11));
    cells.push(list(&point.quantile_values, |value| bits(value.quantile)));
    cells.push(list(&point.quantile_values, |value| bits(value.value)));
    Common {
        attributes: point.attributes,
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        flags: point.flags,
        exemplars: Vec::new(),
        cells,
    }
}
