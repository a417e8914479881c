//! The tables `spans`, `span_events` and `span_links` under construction.

use super::{
    SpanId, TraceId, batch,
    context::{ContextColumns, Resource, Scope},
};
use crate::otlp::columns::{
    DictionaryColumn, IdColumn, NULL_KEY, OptionalColumn, TextColumn, Unfit, named, numbers, times,
    times_or_null,
};
use arrow::{
    array::ArrayRef,
    datatypes::{Int32Type, Int64Type},
    record_batch::RecordBatch,
};
use cairn_storage::signal::Table;

/// Where the time of a span comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum SpanOrigin {
    Record = 0,
    End = 1,
    Received = 2,
}

const SPAN_ORIGINS: [&str; 3] = ["record", "end", "received"];

/// Where the time of an event comes from: itself, else its span.
const EVENT_ORIGINS: [&str; 2] = ["record", "span"];

/// A span less its attributes and trace state, whose text is in the table already.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// ns.
    pub time: i64,
    pub origin: SpanOrigin,
    /// ns; 0 is NULL.
    pub end: i64,
    /// ns; `None` where start or end is missing.
    pub duration: Option<i64>,
    pub name: &'a [u8],
    pub kind: i32,
    pub trace_id: &'a TraceId,
    pub span_id: &'a SpanId,
    pub parent_span_id: &'a SpanId,
    pub trace_state: &'a [u8],
    pub flags: u32,
    pub status_code: i32,
    pub status_message: &'a [u8],
    pub dropped_attributes_count: u32,
    pub dropped_events_count: u32,
    pub dropped_links_count: u32,
    pub ordinal: u32,
}

/// An event of a span, less its attributes.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// ns; 0 where the event has none.
    pub time: i64,
    pub name: &'a [u8],
    pub dropped_attributes_count: u32,
    pub position: usize,
}

/// A link of a span, less its attributes.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    pub trace_id: &'a TraceId,
    pub span_id: &'a SpanId,
    pub trace_state: &'a [u8],
    pub flags: u32,
    pub dropped_attributes_count: u32,
    pub position: usize,
}

/// The table `spans` under construction.
#[derive(Debug)]
pub struct SpanRows {
    time: Vec<i64>,
    origin: Vec<i32>,
    end: Vec<i64>,
    duration: OptionalColumn<Int64Type>,
    name: DictionaryColumn,
    kind: Vec<i32>,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    parent_span_id: IdColumn<8>,
    trace_state: TextColumn,
    flags: Vec<i64>,
    status_code: Vec<i32>,
    status_message: TextColumn,
    /// Complete this first.
    pub attributes: TextColumn,
    dropped_attributes: Vec<i64>,
    dropped_events: Vec<i64>,
    dropped_links: Vec<i64>,
    context: ContextColumns,
    ordinal: Vec<i32>,
}

impl SpanRows {
    /// A table with room for `rows` rows from a request of `bytes` bytes.
    pub fn with_capacity(rows: usize, bytes: usize, seed: u64) -> Self {
        SpanRows {
            time: Vec::with_capacity(rows),
            origin: Vec::with_capacity(rows),
            end: Vec::with_capacity(rows),
            duration: OptionalColumn::with_capacity(rows),
            name: DictionaryColumn::with_capacity(rows, seed),
            kind: Vec::with_capacity(rows),
            trace_id: IdColumn::with_capacity(rows),
            span_id: IdColumn::with_capacity(rows),
            parent_span_id: IdColumn::with_capacity(rows),
            trace_state: TextColumn::with_capacity(rows, 0),
            flags: Vec::with_capacity(rows),
            status_code: Vec::with_capacity(rows),
            status_message: TextColumn::with_capacity(rows, 0),
            attributes: TextColumn::with_capacity(rows, bytes / 2),
            dropped_attributes: Vec::with_capacity(rows),
            dropped_events: Vec::with_capacity(rows),
            dropped_links: Vec::with_capacity(rows),
            context: ContextColumns::with_capacity(rows, seed),
            ordinal: Vec::with_capacity(rows),
        }
    }

    /// Completes a row whose attributes are complete.
    #[inline]
    pub fn push(&mut self, span: &Span<'_>) {
        self.time.push(span.time);
        self.origin.push(span.origin as i32);
        self.end.push(span.end);
        self.duration.push(span.duration);
        let name = self.name.key(span.name);
        self.name.push(name);
        self.kind.push(span.kind);
        self.trace_id.push(span.trace_id);
        self.span_id.push(span.span_id);
        self.parent_span_id.push(span.parent_span_id);
        self.trace_state.push(span.trace_state);
        self.flags.push(i64::from(span.flags));
        self.status_code.push(span.status_code);
        self.status_message.push(span.status_message);
        self.dropped_attributes
            .push(i64::from(span.dropped_attributes_count));
        self.dropped_events
            .push(i64::from(span.dropped_events_count));
        self.dropped_links.push(i64::from(span.dropped_links_count));
        self.ordinal.push(span.ordinal as i32);
    }

    /// Takes back the text of a row that was not completed.
    pub fn abandon(&mut self) {
        self.attributes.truncate(self.time.len());
    }

    /// Ends a scope: all rows since the last one are of it.
    pub fn end_scope(&mut self, resource: &Resource, scope: &Scope) {
        self.context.fill(self.time.len(), resource, scope);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (service_name, context) = self.context.finish()?;
        let mut columns = vec![
            times(self.time)?,
            named(self.origin, &SPAN_ORIGINS)?,
            times_or_null(self.end)?,
            self.duration.finish()?,
            service_name,
            self.name.finish()?,
            numbers::<Int32Type>(self.kind)?,
            self.trace_id.finish()?,
            self.span_id.finish()?,
            self.parent_span_id.finish()?,
            self.trace_state.finish_empty_as_null()?,
            numbers::<Int64Type>(self.flags)?,
            numbers::<Int32Type>(self.status_code)?,
            self.status_message.finish_empty_as_null()?,
            self.attributes.finish(None)?,
            numbers::<Int64Type>(self.dropped_attributes)?,
            numbers::<Int64Type>(self.dropped_events)?,
            numbers::<Int64Type>(self.dropped_links)?,
        ];
        columns.extend(context);
        columns.push(numbers::<Int32Type>(self.ordinal)?);
        batch(Table::Spans, columns)
    }
}

/// What the tables of events and links have in common: their attributes, and what they repeat of their span and
/// its resource.
#[derive(Debug)]
pub struct OfSpan {
    time: Vec<i64>,
    service_name: DictionaryColumn,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    /// Complete this first.
    pub attributes: TextColumn,
    dropped_attributes: Vec<i64>,
    span_name: DictionaryColumn,
    position: Vec<i32>,
    ordinal: Vec<i32>,
}

/// The columns of [`OfSpan`]: the time, the service, the ids of the span, and those that stand last in both tables.
type OfSpanColumns = (ArrayRef, ArrayRef, [ArrayRef; 2], [ArrayRef; 5]);

impl OfSpan {
    fn new(seed: u64) -> Self {
        OfSpan {
            time: Vec::new(),
            service_name: DictionaryColumn::with_capacity(0, seed),
            trace_id: IdColumn::with_capacity(0),
            span_id: IdColumn::with_capacity(0),
            attributes: TextColumn::with_capacity(0, 0),
            dropped_attributes: Vec::new(),
            span_name: DictionaryColumn::with_capacity(0, seed),
            position: Vec::new(),
            ordinal: Vec::new(),
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// `time` is in ns; `position` is that of the row in its span.
    fn push(&mut self, span: &Span<'_>, time: i64, dropped_attributes: u32, position: usize) {
        self.time.push(time);
        self.trace_id.push(span.trace_id);
        self.span_id.push(span.span_id);
        self.dropped_attributes.push(i64::from(dropped_attributes));
        let name = self.span_name.key(span.name);
        self.span_name.push(name);
        self.position.push(position as i32);
        self.ordinal.push(span.ordinal as i32);
    }

    /// Takes back the text of rows that were not completed.
    pub fn abandon(&mut self) {
        self.attributes.truncate(self.time.len());
    }

    /// Ends a resource: all rows since the last one are of it.
    pub fn end_resource(&mut self, resource: &Resource) {
        let key = match &resource.service_name {
            Some(name) => self.service_name.key(name),
            None => NULL_KEY,
        };
        let count = self.ordinal.len() - self.service_name.rows();
        self.service_name.push_many(key, count);
    }

    fn finish(self) -> Result<OfSpanColumns, Unfit> {
        let last = [
            self.attributes.finish(None)?,
            numbers::<Int64Type>(self.dropped_attributes)?,
            self.span_name.finish()?,
            numbers::<Int32Type>(self.position)?,
            numbers::<Int32Type>(self.ordinal)?,
        ];
        Ok((
            times(self.time)?,
            self.service_name.finish()?,
            [self.trace_id.finish()?, self.span_id.finish()?],
            last,
        ))
    }
}

/// The table `span_events` under construction.
#[derive(Debug)]
pub struct EventRows {
    pub of_span: OfSpan,
    origin: Vec<i32>,
    name: DictionaryColumn,
}

impl EventRows {
    /// An empty table.
    pub fn new(seed: u64) -> Self {
        EventRows {
            of_span: OfSpan::new(seed),
            origin: Vec::new(),
            name: DictionaryColumn::with_capacity(0, seed),
        }
    }

    /// Completes a row whose attributes are complete.
    pub fn push(&mut self, span: &Span<'_>, event: &Event<'_>) {
        let timed = event.time != 0;
        let time = if timed { event.time } else { span.time };
        self.of_span
            .push(span, time, event.dropped_attributes_count, event.position);
        self.origin.push(if timed { 0 } else { 1 });
        let name = self.name.key(event.name);
        self.name.push(name);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (time, service_name, ids, last) = self.of_span.finish()?;
        let mut columns = vec![
            time,
            named(self.origin, &EVENT_ORIGINS)?,
            service_name,
            self.name.finish()?,
        ];
        columns.extend(ids);
        columns.extend(last);
        batch(Table::SpanEvents, columns)
    }
}

/// The table `span_links` under construction.
#[derive(Debug)]
pub struct LinkRows {
    pub of_span: OfSpan,
    linked_trace_id: IdColumn<16>,
    linked_span_id: IdColumn<8>,
    trace_state: TextColumn,
    flags: Vec<i64>,
}

impl LinkRows {
    /// An empty table.
    pub fn new(seed: u64) -> Self {
        LinkRows {
            of_span: OfSpan::new(seed),
            linked_trace_id: IdColumn::with_capacity(0),
            linked_span_id: IdColumn::with_capacity(0),
            trace_state: TextColumn::with_capacity(0, 0),
            flags: Vec::new(),
        }
    }

    /// Completes a row whose attributes are complete.
    pub fn push(&mut self, span: &Span<'_>, link: &Link<'_>) {
        self.of_span.push(
            span,
            span.time,
            link.dropped_attributes_count,
            link.position,
        );
        self.linked_trace_id.push(link.trace_id);
        self.linked_span_id.push(link.span_id);
        self.trace_state.push(link.trace_state);
        self.flags.push(i64::from(link.flags));
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (time, service_name, ids, last) = self.of_span.finish()?;
        let mut columns = vec![time, service_name];
        columns.extend(ids);
        columns.extend([
            self.linked_trace_id.finish()?,
            self.linked_span_id.finish()?,
            self.trace_state.finish_empty_as_null()?,
            numbers::<Int64Type>(self.flags)?,
        ]);
        columns.extend(last);
        batch(Table::SpanLinks, columns)
    }
}
