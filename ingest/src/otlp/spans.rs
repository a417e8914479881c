//! Spans: `opentelemetry.proto.trace.v1` to the tables `spans`, `span_events` and `span_links`.

use super::{
    columns::Unfit,
    error::DecodeError,
    rows::{
        context::{Resource, Scope},
        spans::{Event, EventRows, Link, LinkRows, Span, SpanOrigin, SpanRows},
    },
    tally::limit_rows,
    walk::{self, Failure, Walk, span_id, trace_id},
    wire::{BYTES, FIXED32, FIXED64, Flaw, Reader, VARINT, key, nanos, numbers},
};
use arrow::record_batch::RecordBatch;
use cairn_storage::{append::Decoded, signal::Table};

/// A `Span` as it stands in the request; its events and links are in [`Tables`].
#[derive(Debug, Default)]
struct Record<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    parent_span_id: &'a [u8],
    flags: u32,
    name: &'a [u8],
    kind: i32,
    start: u64,
    end: u64,
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
    status_message: &'a [u8],
    status_code: i32,
}

/// A `Span.Event` as it stands in the request, its attributes written already.
#[derive(Debug, Default)]
struct EventRecord<'a> {
    time: u64,
    name: &'a [u8],
    dropped_attributes_count: u32,
}

/// A `Span.Link` as it stands in the request, its attributes written already.
#[derive(Debug, Default)]
struct LinkRecord<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    flags: u32,
    dropped_attributes_count: u32,
}

const TRACE_ID: u32 = key(1, BYTES);
const SPAN_ID: u32 = key(2, BYTES);
const TRACE_STATE: u32 = key(3, BYTES);
const PARENT_SPAN_ID: u32 = key(4, BYTES);
const NAME: u32 = key(5, BYTES);
const KIND: u32 = key(6, VARINT);
const START: u32 = key(7, FIXED64);
const END: u32 = key(8, FIXED64);
const ATTRIBUTE: u32 = key(9, BYTES);
const DROPPED_ATTRIBUTES_COUNT: u32 = key(10, VARINT);
const EVENT: u32 = key(11, BYTES);
const DROPPED_EVENTS_COUNT: u32 = key(12, VARINT);
const LINK: u32 = key(13, BYTES);
const DROPPED_LINKS_COUNT: u32 = key(14, VARINT);
const STATUS: u32 = key(15, BYTES);
const FLAGS: u32 = key(16, FIXED32);
const FIELDS: u64 = numbers([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const STATUS_FIELDS: u64 = numbers([2, 3]);
const EVENT_FIELDS: u64 = numbers([1, 2, 3, 4]);
const LINK_FIELDS: u64 = numbers([1, 2, 3, 4, 5, 6]);

/// The tables, and the events and links of the span at hand.
struct Tables<'a> {
    spans: SpanRows,
    events: EventRows,
    links: LinkRows,
    event_messages: Vec<&'a [u8]>,
    link_messages: Vec<&'a [u8]>,
    event_records: Vec<EventRecord<'a>>,
    link_records: Vec<LinkRecord<'a>>,
}

/// The rows of a traces request.
pub(super) fn decode(walk: Walk<'_>) -> Result<Decoded, Failure> {
    let seed = walk.seed();
    let tables = Tables {
        spans: SpanRows::with_capacity(walk.outline.records.len(), walk.payload_bytes, seed),
        events: EventRows::new(seed),
        links: LinkRows::new(seed),
        event_messages: Vec::new(),
        link_messages: Vec::new(),
        event_records: Vec::new(),
        link_records: Vec::new(),
    };
    walk.run(tables)
}

impl<'a> walk::Tables<'a> for Tables<'a> {
    fn decode(
        &mut self,
        walk: &mut Walk<'a>,
        message: &'a [u8],
        _: &(&Resource, Scope),
    ) -> Result<(), DecodeError> {
        let ordinal = walk.ledger.offer();
        match walk.attempt(|walk| read_span(walk, self, message)) {
            Ok((times, record)) => push_record(walk, self, &record, times, ordinal),
            Err(flaw) => {
                self.spans.abandon();
                self.events.of_span.abandon();
                self.links.of_span.abandon();
                walk.ledger.reject(ordinal, message, "span", flaw);
            }
        }
        limit_rows("span events", self.events.of_span.rows())?;
        limit_rows("span links", self.links.of_span.rows())
    }

    fn end_scope(&mut self, resource: &Resource, scope: &Scope) {
        self.spans.end_scope(resource, scope);
    }

    fn end_resource(&mut self, resource: &Resource) {
        self.events.of_span.end_resource(resource);
        self.links.of_span.end_resource(resource);
    }

    fn finish(self) -> Result<Vec<Option<(Table, RecordBatch)>>, Unfit> {
        Ok(vec![
            self.spans.finish()?,
            self.events.finish()?,
            self.links.finish()?,
        ])
    }
}

/// Reads a span, and writes its attributes and those of its events and links; returns its start and end, ns, 0
/// where there is none.
fn read_span<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    message: &'a [u8],
) -> Result<((i64, i64), Record<'a>), Flaw> {
    let record = read_record(walk, tables, message)?;
    walk.attributes.write(tables.spans.attributes.open_row())?;
    tables.spans.attributes.end_row();
    read_parts(walk, tables)?;
    // Last, since what is malformed is so whatever its times are.
    tables
        .event_records
        .iter()
        .try_for_each(|event| nanos(event.time).map(drop))?;
    Ok(((nanos(record.start)?, nanos(record.end)?), record))
}

/// Reads the fields of a span; its attributes are then listed in `walk.attributes`, its events and links in
/// `tables`.
fn read_record<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    message: &'a [u8],
) -> Result<Record<'a>, Flaw> {
    let mut record = Record::default();
    walk.attributes.begin();
    tables.event_messages.clear();
    tables.link_messages.clear();
    let mut reader = Reader::new(message);
    read_in_order(walk, &mut record, &mut reader)?;
    while !reader.is_empty() {
        match reader.key()? {
            TRACE_ID => record.trace_id = reader.bytes()?,
            SPAN_ID => record.span_id = reader.bytes()?,
            TRACE_STATE => record.trace_state = reader.bytes()?,
            PARENT_SPAN_ID => record.parent_span_id = reader.bytes()?,
            NAME => record.name = reader.bytes()?,
            KIND => record.kind = reader.varint()? as i32,
            START => record.start = reader.fixed64()?,
            END => record.end = reader.fixed64()?,
            ATTRIBUTE => walk.attributes.add(reader.bytes()?)?,
            DROPPED_ATTRIBUTES_COUNT => record.dropped_attributes_count = reader.varint()? as u32,
            EVENT => tables.event_messages.push(reader.bytes()?),
            DROPPED_EVENTS_COUNT => record.dropped_events_count = reader.varint()? as u32,
            LINK => tables.link_messages.push(reader.bytes()?),
            DROPPED_LINKS_COUNT => record.dropped_links_count = reader.varint()? as u32,
            STATUS => read_status(&mut record, reader.bytes()?)?,
            FLAGS => record.flags = reader.fixed32()?,
            other => reader.skip(other, FIELDS)?,
        }
    }
    Ok(record)
}

/// Reads the fields up to the attributes that come in the order of their numbers. Stops at the first that does not.
#[inline(always)]
fn read_in_order<'a>(
    walk: &mut Walk<'a>,
    record: &mut Record<'a>,
    reader: &mut Reader<'a>,
) -> Result<(), Flaw> {
    if reader.next_is(TRACE_ID) {
        record.trace_id = reader.bytes()?;
    }
    if reader.next_is(SPAN_ID) {
        record.span_id = reader.bytes()?;
    }
    if reader.next_is(PARENT_SPAN_ID) {
        record.parent_span_id = reader.bytes()?;
    }
    if reader.next_is(NAME) {
        record.name = reader.bytes()?;
    }
    if reader.next_is(KIND) {
        record.kind = reader.varint()? as i32;
    }
    if reader.next_is(START) {
        record.start = reader.fixed64()?;
    }
    if reader.next_is(END) {
        record.end = reader.fixed64()?;
    }
    while reader.next_is(ATTRIBUTE) {
        walk.attributes.add(reader.bytes()?)?;
    }
    Ok(())
}

fn read_status<'a>(record: &mut Record<'a>, message: &'a [u8]) -> Result<(), Flaw> {
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x12 => record.status_message = reader.bytes()?,
            0x18 => record.status_code = reader.varint()? as i32,
            other => reader.skip(other, STATUS_FIELDS)?,
        }
    }
    Ok(())
}

/// Reads the events and links of the span and writes their attributes.
fn read_parts<'a>(walk: &mut Walk<'a>, tables: &mut Tables<'a>) -> Result<(), Flaw> {
    tables.event_records.clear();
    tables.link_records.clear();
    for message in &tables.event_messages {
        tables.event_records.push(read_event(walk, message)?);
        let attributes = &mut tables.events.of_span.attributes;
        walk.attributes.write(attributes.open_row())?;
        attributes.end_row();
    }
    for message in &tables.link_messages {
        tables.link_records.push(read_link(walk, message)?);
        let attributes = &mut tables.links.of_span.attributes;
        walk.attributes.write(attributes.open_row())?;
        attributes.end_row();
    }
    Ok(())
}

fn read_event<'a>(walk: &mut Walk<'a>, message: &'a [u8]) -> Result<EventRecord<'a>, Flaw> {
    let mut event = EventRecord::default();
    walk.attributes.begin();
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x09 => event.time = reader.fixed64()?,
            0x12 => event.name = reader.bytes()?,
            0x1a => walk.attributes.add(reader.bytes()?)?,
            0x20 => event.dropped_attributes_count = reader.varint()? as u32,
            other => reader.skip(other, EVENT_FIELDS)?,
        }
    }
    Ok(event)
}

fn read_link<'a>(walk: &mut Walk<'a>, message: &'a [u8]) -> Result<LinkRecord<'a>, Flaw> {
    let mut link = LinkRecord::default();
    walk.attributes.begin();
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            0x0a => link.trace_id = reader.bytes()?,
            0x12 => link.span_id = reader.bytes()?,
            0x1a => link.trace_state = reader.bytes()?,
            0x22 => walk.attributes.add(reader.bytes()?)?,
            0x28 => link.dropped_attributes_count = reader.varint()? as u32,
            0x35 => link.flags = reader.fixed32()?,
            other => reader.skip(other, LINK_FIELDS)?,
        }
    }
    Ok(link)
}

/// Completes the rows of a span, its events and its links.
fn push_record<'a>(
    walk: &mut Walk<'a>,
    tables: &mut Tables<'a>,
    record: &Record<'a>,
    (start, end): (i64, i64),
    ordinal: u32,
) {
    let name = walk.text(record.name);
    let trace_state = walk.text(record.trace_state);
    let status_message = walk.text(record.status_message);
    let own = [(start, SpanOrigin::Record), (end, SpanOrigin::End)];
    let (time, origin) = walk.time(own, SpanOrigin::Received);
    let counts = walk.attributes.counts();
    let timed = start != 0 && end != 0;
    let span = Span {
        time,
        origin,
        end,
        // Both are positive, so the difference fits.
        duration: timed.then(|| end - start),
        name: &name,
        kind: record.kind,
        trace_id: trace_id(record.trace_id, true, counts),
        span_id: span_id(record.span_id, true, counts),
        parent_span_id: span_id(record.parent_span_id, false, counts),
        trace_state: &trace_state,
        flags: record.flags,
        status_code: record.status_code,
        status_message: &status_message,
        dropped_attributes_count: record.dropped_attributes_count,
        dropped_events_count: record.dropped_events_count,
        dropped_links_count: record.dropped_links_count,
        ordinal,
    };
    tables.spans.push(&span);
    for (position, event) in tables.event_records.drain(..).enumerate() {
        let name = walk.text(event.name);
        let dropped_attributes_count = event.dropped_attributes_count;
        tables.events.push(
            &span,
            &Event {
                time: event.time as i64,
                name: &name,
                dropped_attributes_count,
                position,
            },
        );
    }
    for (position, link) in tables.link_records.drain(..).enumerate() {
        let trace_state = walk.text(link.trace_state);
        let counts = walk.attributes.counts();
        tables.links.push(
            &span,
            &Link {
                trace_id: trace_id(link.trace_id, true, counts),
                span_id: span_id(link.span_id, true, counts),
                trace_state: &trace_state,
                flags: link.flags,
                dropped_attributes_count: link.dropped_attributes_count,
                position,
            },
        );
    }
}
