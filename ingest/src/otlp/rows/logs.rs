//! The table `logs` under construction.

use super::{
    SpanId, TraceId, batch,
    context::{ContextColumns, Resource, Scope},
};
use crate::otlp::columns::{
    DictionaryColumn, IdColumn, NULL_KEY, TextColumn, Unfit, named, nulls, numbers, times,
    times_or_null,
};
use arrow::{
    datatypes::{Int32Type, Int64Type},
    record_batch::RecordBatch,
};
use cairn_storage::signal::Table;

/// Where the time of a log record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum LogOrigin {
    Record = 0,
    Observed = 1,
    Received = 2,
}

const ORIGINS: [&str; 3] = ["record", "observed", "received"];

/// The type of a body, none at all included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum BodyType {
    None = NULL_KEY,
    Text = 0,
    Bool = 1,
    Int = 2,
    Double = 3,
    Bytes = 4,
    Array = 5,
    Map = 6,
}

const BODY_TYPES: [&str; 7] = [
    "string", "bool", "int", "double", "bytes", "array", "kvlist",
];

/// A log record less its body and attributes, whose text is in the table already.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    /// ns.
    pub time: i64,
    pub origin: LogOrigin,
    /// ns; 0 is NULL.
    pub observed: i64,
    pub severity_number: i32,
    pub severity_text: &'a [u8],
    pub event_name: &'a [u8],
    pub body_type: BodyType,
    pub trace_id: &'a TraceId,
    pub span_id: &'a SpanId,
    pub flags: u32,
    pub dropped_attributes_count: u32,
    pub ordinal: u32,
}

/// The table `logs` under construction.
#[derive(Debug)]
pub struct LogRows {
    time: Vec<i64>,
    origin: Vec<i32>,
    observed: Vec<i64>,
    severity_number: Vec<i32>,
    severity_text: DictionaryColumn,
    event_name: DictionaryColumn,
    /// Complete this first.
    pub body: TextColumn,
    body_type: Vec<i32>,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    flags: Vec<i64>,
    /// Complete this first.
    pub attributes: TextColumn,
    dropped: Vec<i64>,
    context: ContextColumns,
    ordinal: Vec<i32>,
}

impl LogRows {
    /// A table with room for `rows` rows from a request of `bytes` bytes.
    pub fn with_capacity(rows: usize, bytes: usize, seed: u64) -> Self {
        LogRows {
            time: Vec::with_capacity(rows),
            origin: Vec::with_capacity(rows),
            observed: Vec::with_capacity(rows),
            severity_number: Vec::with_capacity(rows),
            severity_text: DictionaryColumn::with_capacity(rows, seed),
            event_name: DictionaryColumn::with_capacity(rows, seed),
            body: TextColumn::with_capacity(rows, bytes / 2),
            body_type: Vec::with_capacity(rows),
            trace_id: IdColumn::with_capacity(rows),
            span_id: IdColumn::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            attributes: TextColumn::with_capacity(rows, bytes / 2),
            dropped: Vec::with_capacity(rows),
            context: ContextColumns::with_capacity(rows, seed),
            ordinal: Vec::with_capacity(rows),
        }
    }

    /// Completes a row whose body and attributes are complete.
    #[inline]
    pub fn push(&mut self, log: &Log<'_>) {
        self.time.push(log.time);
        self.origin.push(log.origin as i32);
        self.observed.push(log.observed);
        self.severity_number.push(log.severity_number);
        let severity_text = self.severity_text.key_or_null(log.severity_text);
        self.severity_text.push(severity_text);
        let event_name = self.event_name.key_or_null(log.event_name);
        self.event_name.push(event_name);
        self.body_type.push(log.body_type as i32);
        self.trace_id.push(log.trace_id);
        self.span_id.push(log.span_id);
        self.flags.push(i64::from(log.flags));
        self.dropped.push(i64::from(log.dropped_attributes_count));
        self.ordinal.push(log.ordinal as i32);
    }

    /// Takes back the text of a row that was not completed.
    pub fn abandon(&mut self) {
        let rows = self.time.len();
        self.body.truncate(rows);
        self.attributes.truncate(rows);
    }

    /// Ends a scope: all rows since the last one are of it.
    pub fn end_scope(&mut self, resource: &Resource, scope: &Scope) {
        self.context.fill(self.time.len(), resource, scope);
    }

    /// The batch; nothing if there are no rows.
    pub fn finish(self) -> Result<Option<(Table, RecordBatch)>, Unfit> {
        let (service_name, context) = self.context.finish()?;
        let rows = self.body_type.len();
        let body = self
            .body
            .finish(nulls(rows, |row| self.body_type[row] != NULL_KEY))?;
        let mut columns = vec![
            times(self.time)?,
            named(self.origin, &ORIGINS)?,
            times_or_null(self.observed)?,
            service_name,
            numbers::<Int32Type>(self.severity_number)?,
            self.severity_text.finish()?,
            self.event_name.finish()?,
            body,
            named(self.body_type, &BODY_TYPES)?,
            self.trace_id.finish()?,
            self.span_id.finish()?,
            numbers::<Int64Type>(self.flags)?,
            self.attributes.finish(None)?,
            numbers::<Int64Type>(self.dropped)?,
        ];
        columns.extend(context);
        columns.push(numbers::<Int32Type>(self.ordinal)?);
        batch(Table::Logs, columns)
    }
}
