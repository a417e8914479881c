//! Log records: `opentelemetry.proto.logs.v1` to the table `logs`.

use super::{
    columns::Unfit,
    error::DecodeError,
    rows::{
        context::{Resource, Scope},
        logs::{BodyType, Log, LogOrigin, LogRows},
    },
    value::Value,
    walk::{Failure, Tables, Walk, span_id, trace_id},
    wire::{BYTES, FIXED32, FIXED64, Flaw, Reader, VARINT, key, nanos, numbers},
};
use arrow::record_batch::RecordBatch;
use cairn_storage::{append::Decoded, signal::Table};

/// A `LogRecord` as it stands in the request.
#[derive(Debug, Default)]
struct Record<'a> {
    time: u64,
    observed: u64,
    severity_number: i32,
    severity_text: &'a [u8],
    event_name: &'a [u8],
    body: Option<&'a [u8]>,
    /// Further pieces of a body that comes in several.
    more_body: Vec<&'a [u8]>,
    dropped_attributes_count: u32,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
}

const TIME: u32 = key(1, FIXED64);
const SEVERITY_NUMBER: u32 = key(2, VARINT);
const SEVERITY_TEXT: u32 = key(3, BYTES);
const BODY: u32 = key(5, BYTES);
const ATTRIBUTE: u32 = key(6, BYTES);
const DROPPED_ATTRIBUTES_COUNT: u32 = key(7, VARINT);
const FLAGS: u32 = key(8, FIXED32);
const TRACE_ID: u32 = key(9, BYTES);
const SPAN_ID: u32 = key(10, BYTES);
const OBSERVED_TIME: u32 = key(11, FIXED64);
const EVENT_NAME: u32 = key(12, BYTES);
const FIELDS: u64 = numbers([1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]);

/// The rows of a logs request.
pub(super) fn decode(walk: Walk<'_>) -> Result<Decoded, Failure> {
    let records = walk.outline.records.len();
    let rows = LogRows::with_capacity(records, walk.payload_bytes, walk.seed());
    walk.run(rows)
}

impl<'a> Tables<'a> for LogRows {
    #[inline]
    fn decode(
        &mut self,
        walk: &mut Walk<'a>,
        message: &'a [u8],
        _: &(&Resource, Scope),
    ) -> Result<(), DecodeError> {
        let ordinal = walk.ledger.offer();
        let written = walk.attempt(|walk| {
            let record = read_record(walk, message)?;
            write_record(walk, self, &record, ordinal)
        });
        if let Err(flaw) = written {
            self.abandon();
            walk.ledger.reject(ordinal, message, "log record", flaw);
        }
        Ok(())
    }

    fn end_scope(&mut self, resource: &Resource, scope: &Scope) {
        LogRows::end_scope(self, resource, scope);
    }

    fn finish(self) -> Result<Vec<Option<(Table, RecordBatch)>>, Unfit> {
        Ok(vec![LogRows::finish(self)?])
    }
}

/// Reads the fields of a record; its attributes are then listed in `walk.attributes`.
#[inline]
fn read_record<'a>(walk: &mut Walk<'a>, message: &'a [u8]) -> Result<Record<'a>, Flaw> {
    let mut record = Record::default();
    walk.attributes.begin();
    let mut reader = Reader::new(message);
    read_in_order(walk, &mut record, &mut reader)?;
    while !reader.is_empty() {
        match reader.key()? {
            TIME => record.time = reader.fixed64()?,
            OBSERVED_TIME => record.observed = reader.fixed64()?,
            SEVERITY_NUMBER => record.severity_number = reader.varint()? as i32,
            SEVERITY_TEXT => record.severity_text = reader.bytes()?,
            BODY => {
                let piece = reader.bytes()?;
                match record.body {
                    None => record.body = Some(piece),
                    Some(_) => record.more_body.push(piece),
                }
            }
            ATTRIBUTE => walk.attributes.add(reader.bytes()?)?,
            DROPPED_ATTRIBUTES_COUNT => record.dropped_attributes_count = reader.varint()? as u32,
            FLAGS => record.flags = reader.fixed32()?,
            TRACE_ID => record.trace_id = reader.bytes()?,
            SPAN_ID => record.span_id = reader.bytes()?,
            EVENT_NAME => record.event_name = reader.bytes()?,
            other => reader.skip(other, FIELDS)?,
        }
    }
    Ok(record)
}

/// Reads the fields that come in the order of their numbers, or in the one in which the Rust SDK writes them. Stops
/// at the first that does not.
#[inline(always)]
fn read_in_order<'a>(
    walk: &mut Walk<'a>,
    record: &mut Record<'a>,
    reader: &mut Reader<'a>,
) -> Result<(), Flaw> {
    if reader.next_is(TIME) {
        record.time = reader.fixed64()?;
    }
    if reader.next_is(OBSERVED_TIME) {
        record.observed = reader.fixed64()?;
    }
    if reader.next_is(SEVERITY_NUMBER) {
        record.severity_number = reader.varint()? as i32;
    }
    if reader.next_is(SEVERITY_TEXT) {
        record.severity_text = reader.bytes()?;
    }
    if reader.next_is(BODY) {
        record.body = Some(reader.bytes()?);
    }
    while reader.next_is(ATTRIBUTE) {
        walk.attributes.add(reader.bytes()?)?;
    }
    if reader.next_is(FLAGS) {
        record.flags = reader.fixed32()?;
    }
    if reader.next_is(TRACE_ID) {
        record.trace_id = reader.bytes()?;
    }
    if reader.next_is(SPAN_ID) {
        record.span_id = reader.bytes()?;
    }
    if reader.next_is(OBSERVED_TIME) {
        record.observed = reader.fixed64()?;
    }
    Ok(())
}

#[inline]
fn write_record<'a>(
    walk: &mut Walk<'a>,
    rows: &mut LogRows,
    record: &Record<'a>,
    ordinal: u32,
) -> Result<(), Flaw> {
    let body_type = write_body(walk, rows, record)?;
    walk.attributes.write(rows.attributes.open_row())?;
    rows.attributes.end_row();
    let severity_text = walk.text(record.severity_text);
    let event_name = walk.text(record.event_name);
    let (time, observed) = (nanos(record.time)?, nanos(record.observed)?);
    let own = [(time, LogOrigin::Record), (observed, LogOrigin::Observed)];
    let (time, origin) = walk.time(own, LogOrigin::Received);
    let counts = walk.attributes.counts();
    rows.push(&Log {
        time,
        origin,
        observed,
        severity_number: record.severity_number,
        severity_text: &severity_text,
        event_name: &event_name,
        body_type,
        trace_id: trace_id(record.trace_id, false, counts),
        span_id: span_id(record.span_id, false, counts),
        flags: record.flags,
        dropped_attributes_count: record.dropped_attributes_count,
        ordinal,
    });
    Ok(())
}

/// Appends the body: text as it is, anything else as JSON.
#[inline]
fn write_body<'a>(
    walk: &mut Walk<'a>,
    rows: &mut LogRows,
    record: &Record<'a>,
) -> Result<BodyType, Flaw> {
    let values = &mut walk.attributes.values;
    let value = match record.body {
        None => Value::Empty,
        Some(body) if record.more_body.is_empty() => values.read(&[body])?,
        Some(body) => {
            let mut pieces = vec![body];
            pieces.extend_from_slice(&record.more_body);
            values.read(&pieces)?
        }
    };
    let body_type = match value {
        Value::Empty => BodyType::None,
        Value::Text(_) => BodyType::Text,
        Value::Bool(_) => BodyType::Bool,
        Value::Int(_) => BodyType::Int,
        Value::Double(_) => BodyType::Double,
        Value::Bytes(_) => BodyType::Bytes,
        Value::Array => BodyType::Array,
        Value::Map => BodyType::Map,
    };
    match value {
        Value::Empty => {}
        Value::Text(text) => {
            let text = values.care.text(text, &mut values.counts);
            rows.body.open_row().extend_from_slice(&text);
        }
        value => values.write_value(rows.body.open_row(), value)?,
    }
    rows.body.end_row();
    Ok(body_type)
}
