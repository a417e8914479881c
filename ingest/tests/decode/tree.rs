//! Messages as trees of fields, for mutating them and for reading them leniently; built on prost's own primitives,
//! so that it shares nothing with the decoder under test.

use prost::bytes::Buf;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_varint, skip_field,
};

/// The message types of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    SpansRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    SummaryPoint,
    Buckets,
    Quantile,
    Exemplar,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    Array,
    Map,
}

/// What a length-delimited field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Message(Type),
    Other,
}

/// What the field `number` of `of` holds.
pub(crate) fn kind(of: Type, number: u32) -> Kind {
    use Kind::{Message as M, Text};
    match (of, number) {
        (Type::LogsRequest, 1) => M(Type::ResourceLogs),
        (Type::SpansRequest, 1) => M(Type::ResourceSpans),
        (Type::MetricsRequest, 1) => M(Type::ResourceMetrics),
        (Type::ResourceLogs | Type::ResourceSpans | Type::ResourceMetrics, 1) => M(Type::Resource),
        (Type::ResourceLogs, 2) => M(Type::ScopeLogs),
        (Type::ResourceSpans, 2) => M(Type::ScopeSpans),
        (Type::ResourceMetrics, 2) => M(Type::ScopeMetrics),
        (Type::ResourceLogs | Type::ResourceSpans | Type::ResourceMetrics, 3) => Text,
        (Type::ScopeLogs | Type::ScopeSpans | Type::ScopeMetrics, 1) => M(Type::Scope),
        (Type::ScopeLogs, 2) => M(Type::LogRecord),
        (Type::ScopeSpans, 2) => M(Type::Span),
        (Type::ScopeMetrics, 2) => M(Type::Metric),
        (Type::ScopeLogs | Type::ScopeSpans | Type::ScopeMetrics, 3) => Text,
        (Type::LogRecord, 3 | 12) => Text,
        (Type::LogRecord, 5) => M(Type::AnyValue),
        (Type::LogRecord, 6) => M(Type::KeyValue),
        (Type::Span, 3 | 5) => Text,
        (Type::Span, 9) => M(Type::KeyValue),
        (Type::Span, 11) => M(Type::Event),
        (Type::Span, 13) => M(Type::Link),
        (Type::Span, 15) => M(Type::Status),
        (Type::Event, 2) => Text,
        (Type::Event, 3) => M(Type::KeyValue),
        (Type::Link, 3) => Text,
        (Type::Link, 4) => M(Type::KeyValue),
        (Type::Status, 2) => Text,
        (Type::Metric, 1..=3) => Text,
        (Type::Metric, 5) => M(Type::Gauge),
        (Type::Metric, 7) => M(Type::Sum),
        (Type::Metric, 9) => M(Type::Histogram),
        (Type::Metric, 10) => M(Type::Exponential),
        (Type::Metric, 11) => M(Type::Summary),
        (Type::Metric, 12) => M(Type::KeyValue),
        (Type::Gauge | Type::Sum, 1) => M(Type::NumberPoint),
        (Type::Histogram, 1) => M(Type::HistogramPoint),
        (Type::Exponential, 1) => M(Type::ExponentialPoint),
        (Type::Summary, 1) => M(Type::SummaryPoint),
        (Type::NumberPoint, 7) => M(Type::KeyValue),
        (Type::NumberPoint, 5) => M(Type::Exemplar),
        (Type::HistogramPoint, 9) => M(Type::KeyValue),
        (Type::HistogramPoint, 8) => M(Type::Exemplar),
        (Type::ExponentialPoint, 1) => M(Type::KeyValue),
        (Type::ExponentialPoint, 8 | 9) => M(Type::Buckets),
        (Type::ExponentialPoint, 11) => M(Type::Exemplar),
        (Type::SummaryPoint, 7) => M(Type::KeyValue),
        (Type::SummaryPoint, 6) => M(Type::Quantile),
        (Type::Exemplar, 7) => M(Type::KeyValue),
        (Type::Resource, 1) => M(Type::KeyValue),
        (Type::Resource, 3) => M(Type::EntityRef),
        (Type::EntityRef, 1..=4) => Text,
        (Type::Scope, 1 | 2) => Text,
        (Type::Scope, 3) => M(Type::KeyValue),
        (Type::KeyValue, 1) => Text,
        (Type::KeyValue, 2) => M(Type::AnyValue),
        (Type::AnyValue, 1) => Text,
        (Type::AnyValue, 5) => M(Type::Array),
        (Type::AnyValue, 6) => M(Type::Map),
        (Type::Array, 1) => M(Type::AnyValue),
        (Type::Map, 1) => M(Type::KeyValue),
        _ => Kind::Other,
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wire {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Text(Vec<u8>),
    /// Anything length-delimited that is not text and no message that can be read.
    Bytes(Vec<u8>),
    Message(Type, Vec<Field>),
    /// A group as it stands behind its key, its end included.
    Group(Vec<u8>),
    /// A wire type that does not exist, or an end of a group without a start.
    Broken(u32),
}

/// A field; `padding` bytes make its varints longer than they need to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) value: Wire,
    pub(crate) padding: usize,
}

impl Field {
    pub(crate) fn new(number: u32, value: Wire) -> Field {
        Field {
            number,
            value,
            padding: 0,
        }
    }
}

/// The fields of a message; `None` if its own framing is broken. What is broken further in stays `Bytes`.
pub(crate) fn parse(of: Type, mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).ok()?;
        let value = match wire_type {
            WireType::Varint => Wire::Varint(decode_varint(&mut bytes).ok()?),
            WireType::SixtyFourBit => Wire::Fixed64(bytes.try_get_u64_le().ok()?),
            WireType::ThirtyTwoBit => Wire::Fixed32(bytes.try_get_u32_le().ok()?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (content, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                match kind(of, number) {
                    Kind::Text => Wire::Text(content.to_vec()),
                    Kind::Message(inner) => match parse(inner, content) {
                        Some(fields) => Wire::Message(inner, fields),
                        None => Wire::Bytes(content.to_vec()),
                    },
                    Kind::Other => Wire::Bytes(content.to_vec()),
                }
            }
            WireType::StartGroup => {
                let before = bytes;
                skip_field(wire_type, number, &mut bytes, DecodeContext::default()).ok()?;
                Wire::Group(before[..before.len() - bytes.len()].to_vec())
            }
            WireType::EndGroup => return None,
        };
        fields.push(Field::new(number, value));
    }
    Some(fields)
}

/// The bytes of a message.
pub(crate) fn encode(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    fields
        .iter()
        .for_each(|field| encode_field(field, &mut out));
    out
}

fn encode_field(field: &Field, out: &mut Vec<u8>) {
    let prefix = |wire_type: u32, out: &mut Vec<u8>| {
        padded(
            u64::from(field.number << 3 | wire_type),
            field.padding.min(4),
            out,
        );
    };
    match &field.value {
        Wire::Varint(value) => {
            prefix(0, out);
            padded(*value, field.padding, out);
        }
        Wire::Fixed64(value) => {
            prefix(1, out);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Wire::Fixed32(value) => {
            prefix(5, out);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Wire::Text(bytes) | Wire::Bytes(bytes) => {
            prefix(2, out);
            padded(bytes.len() as u64, field.padding, out);
            out.extend_from_slice(bytes);
        }
        Wire::Message(_, fields) => {
            let bytes = encode(fields);
            prefix(2, out);
            padded(bytes.len() as u64, field.padding, out);
            out.extend_from_slice(&bytes);
        }
        Wire::Group(bytes) => {
            prefix(3, out);
            out.extend_from_slice(bytes);
        }
        Wire::Broken(wire_type) => prefix(*wire_type, out),
    }
}

/// A varint with up to `padding` bytes more than it needs, at most 10 in all.
fn padded(value: u64, padding: usize, out: &mut Vec<u8>) {
    let start = out.len();
    encode_varint(value, out);
    let padding = padding.min(10 - (out.len() - start));
    if padding > 0 {
        if let Some(last) = out.last_mut() {
            *last |= 0x80;
        }
        out.extend(std::iter::repeat_n(0x80, padding - 1));
        out.push(0);
    }
}

/// A message as its last fields leave it, for prost: overwritten text and members of oneofs gone, values in pieces
/// joined, invalid text repaired. Returns how many texts were repaired.
pub(crate) fn normalise(of: Type, bytes: &[u8]) -> (Vec<u8>, u64) {
    let mut repaired = 0;
    match parse(of, bytes) {
        Some(fields) => (encode(&settled(of, fields, &mut repaired)), repaired),
        None => (bytes.to_vec(), 0),
    }
}

fn settled(of: Type, fields: Vec<Field>, repaired: &mut u64) -> Vec<Field> {
    let mut fields = joined(of, fields);
    if of == Type::AnyValue {
        fields = last_member(fields, is_value_member);
    }
    if of == Type::Metric {
        fields = last_member(fields, is_data_member);
    }
    let last_of = |number: u32, fields: &[Field]| {
        fields
            .iter()
            .rposition(|f| f.number == number && matches!(f.value, Wire::Text(_)))
    };
    let keep: Vec<bool> = (0..fields.len())
        .map(|i| {
            let field = &fields[i];
            !matches!(field.value, Wire::Text(_))
                || (of == Type::EntityRef && matches!(field.number, 3 | 4))
                || last_of(field.number, &fields) == Some(i)
        })
        .collect();
    let mut keep = keep.into_iter();
    fields.retain(|_| keep.next().expect("one a field"));
    for field in &mut fields {
        match &mut field.value {
            Wire::Text(text) => {
                if let std::borrow::Cow::Owned(lossy) = String::from_utf8_lossy(text) {
                    *repaired += 1;
                    *text = lossy.into_bytes();
                }
            }
            Wire::Message(inner, inside) => {
                *inside = settled(*inner, std::mem::take(inside), repaired);
            }
            _ => {}
        }
    }
    fields
}

/// Joins the pieces of singular `AnyValue`s (a value's pieces merge as one message).
fn joined(of: Type, fields: Vec<Field>) -> Vec<Field> {
    let number = match of {
        Type::LogRecord => 5,
        Type::KeyValue => 2,
        _ => return fields,
    };
    let mut pieces = Vec::new();
    let mut rest = Vec::new();
    let mut at = None;
    for field in fields {
        match field.value {
            Wire::Message(Type::AnyValue, inner) if field.number == number => {
                at.get_or_insert(rest.len());
                pieces.extend(inner);
            }
            _ => rest.push(field),
        }
    }
    if let Some(at) = at {
        rest.insert(
            at,
            Field::new(number, Wire::Message(Type::AnyValue, pieces)),
        );
    }
    rest
}

fn is_delimited(value: &Wire) -> bool {
    matches!(value, Wire::Text(_) | Wire::Bytes(_) | Wire::Message(..))
}

fn is_value_member(field: &Field) -> Option<bool> {
    match (field.number, &field.value) {
        (5 | 6, value) if is_delimited(value) => Some(true),
        (1 | 7, value) if is_delimited(value) => Some(false),
        (2 | 3 | 8, Wire::Varint(_)) | (4, Wire::Fixed64(_)) => Some(false),
        _ => None,
    }
}

fn is_data_member(field: &Field) -> Option<bool> {
    match (field.number, &field.value) {
        (5 | 7 | 9 | 10 | 11, value) if is_delimited(value) => Some(true),
        _ => None,
    }
}

/// Drops the members of a oneof that later ones replace; `member` tells a member, and whether its like merge.
fn last_member(fields: Vec<Field>, member: impl Fn(&Field) -> Option<bool>) -> Vec<Field> {
    let Some(last) = fields.iter().rfind(|field| member(field).is_some()) else {
        return fields;
    };
    let (number, merges) = (last.number, member(last) == Some(true));
    let mut kept = Vec::new();
    let mut open = true;
    let mut found = false;
    for field in fields.into_iter().rev() {
        if member(&field).is_none() {
            kept.push(field);
            continue;
        }
        open &= field.number == number && (merges || !found);
        found = true;
        if open {
            kept.push(field);
        }
    }
    kept.reverse();
    kept
}
