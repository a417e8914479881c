//! The tables `spans`, `span_events` and `span_links`.

use super::{
    Repeated,
    context::{Context, Group},
    id, instant_or_null, instants,
    json::{Entries, object},
};
use anyhow::Result;
use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder,
};
use cairn_storage::{schema::batch_schema, signal::Table};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span},
};
use std::sync::Arc;

struct Columns {
    time: TimestampNanosecondBuilder,
    origin: Repeated,
    end: TimestampNanosecondBuilder,
    duration: Int64Builder,
    name: Repeated,
    kind: Int32Builder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    parent_span_id: FixedSizeBinaryBuilder,
    trace_state: StringBuilder,
    flags: Int64Builder,
    status_code: Int32Builder,
    status_message: StringBuilder,
    attributes: StringBuilder,
    dropped: [Int64Builder; 3],
    context: Context,
    ordinal: Int32Builder,
    json: Vec<u8>,
}

pub(super) fn tables(request: &ExportTraceServiceRequest) -> Result<Vec<(Table, RecordBatch)>> {
    let scopes = request.resource_spans.iter().flat_map(|of| &of.scope_spans);
    let rows = scopes.map(|scope| scope.spans.len()).sum();
    let mut columns = Columns::with_capacity(rows);
    let (mut events, mut links) = (Events::new(), Links::new());
    let mut entries = Entries::new();
    let mut ordinal = 0;
    for of in &request.resource_spans {
        let mut group = Group::new(of.resource.as_ref(), &of.schema_url);
        for scope in &of.scope_spans {
            group.enter(scope.scope.as_ref(), &scope.schema_url);
            for span in &scope.spans {
                columns.append(span, ordinal, &mut entries)?;
                for (position, event) in span.events.iter().enumerate() {
                    events.of_span.append((span, ordinal), position, &group)?;
                    events.append(event, &mut entries);
                }
                for (position, link) in span.links.iter().enumerate() {
                    links.of_span.append((span, ordinal), position, &group)?;
                    links.append(span, link, &mut entries)?;
                }
                ordinal += 1;
            }
            columns.context.append(&group, scope.spans.len());
        }
    }
    Ok(vec![
        (Table::Spans, columns.finish()?),
        (Table::SpanEvents, events.finish()?),
        (Table::SpanLinks, links.finish()?),
    ])
}

impl Columns {
    fn with_capacity(rows: usize) -> Columns {
        let integers = || Int64Builder::with_capacity(rows);
        Columns {
            time: instants(rows),
            origin: Repeated::new(),
            end: instants(rows),
            duration: integers(),
            name: Repeated::new(),
            kind: Int32Builder::with_capacity(rows),
            trace_id: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            span_id: FixedSizeBinaryBuilder::with_capacity(rows, 8),
            parent_span_id: FixedSizeBinaryBuilder::with_capacity(rows, 8),
            trace_state: StringBuilder::with_capacity(rows, 0),
            flags: integers(),
            status_code: Int32Builder::with_capacity(rows),
            status_message: StringBuilder::with_capacity(rows, 0),
            attributes: StringBuilder::with_capacity(rows, rows * 120),
            dropped: [integers(), integers(), integers()],
            context: Context::default(),
            ordinal: Int32Builder::with_capacity(rows),
            json: Vec::new(),
        }
    }

    fn append<'a>(
        &mut self,
        span: &'a Span,
        ordinal: i32,
        entries: &mut Entries<'a>,
    ) -> Result<()> {
        let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        self.time.append_value(start as i64);
        self.origin.append_value("record");
        instant_or_null(&mut self.end, end);
        let timed = start != 0 && end != 0;
        self.duration
            .append_option(timed.then(|| end as i64 - start as i64));
        self.name.append_value(&span.name);
        self.kind.append_value(span.kind);
        id(&mut self.trace_id, &span.trace_id)?;
        id(&mut self.span_id, &span.span_id)?;
        id(&mut self.parent_span_id, &span.parent_span_id)?;
        let state = &span.trace_state;
        self.trace_state
            .append_option((!state.is_empty()).then_some(state));
        self.flags.append_value(i64::from(span.flags));
        let status = span.status.as_ref();
        self.status_code
            .append_value(status.map_or(0, |status| status.code));
        let message = status.map(|status| status.message.as_str());
        self.status_message
            .append_option(message.filter(|message| !message.is_empty()));
        self.attributes
            .append_value(object(&mut self.json, entries, &span.attributes));
        let [attributes, events, links] = &mut self.dropped;
        attributes.append_value(i64::from(span.dropped_attributes_count));
        events.append_value(i64::from(span.dropped_events_count));
        links.append_value(i64::from(span.dropped_links_count));
        self.ordinal.append_value(ordinal);
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let (service_name, context) = self.context.finish();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.origin.finish()),
            Arc::new(self.end.finish()),
            Arc::new(self.duration.finish()),
            service_name,
            Arc::new(self.name.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.parent_span_id.finish()),
            Arc::new(self.trace_state.finish()),
            Arc::new(self.flags.finish()),
            Arc::new(self.status_code.finish()),
            Arc::new(self.status_message.finish()),
            Arc::new(self.attributes.finish()),
        ];
        for dropped in &mut self.dropped {
            columns.push(Arc::new(dropped.finish()));
        }
        columns.extend(context);
        columns.push(Arc::new(self.ordinal.finish()));
        Ok(RecordBatch::try_new(batch_schema(Table::Spans), columns)?)
    }
}

/// What events and links repeat of their span.
struct OfSpan {
    service_name: Repeated,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    span_name: Repeated,
    position: Int32Builder,
    ordinal: Int32Builder,
}

impl OfSpan {
    fn new() -> OfSpan {
        OfSpan {
            service_name: Repeated::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            span_name: Repeated::new(),
            position: Int32Builder::new(),
            ordinal: Int32Builder::new(),
        }
    }

    fn append(
        &mut self,
        (span, ordinal): (&Span, i32),
        position: usize,
        group: &Group<'_>,
    ) -> Result<()> {
        self.service_name.append_option(group.service_name);
        id(&mut self.trace_id, &span.trace_id)?;
        id(&mut self.span_id, &span.span_id)?;
        self.span_name.append_value(&span.name);
        self.position.append_value(position as i32);
        self.ordinal.append_value(ordinal);
        Ok(())
    }
}

struct Events {
    time: TimestampNanosecondBuilder,
    origin: Repeated,
    name: Repeated,
    attributes: StringBuilder,
    dropped: Int64Builder,
    of_span: OfSpan,
    json: Vec<u8>,
}

impl Events {
    fn new() -> Events {
        Events {
            time: instants(0),
            origin: Repeated::new(),
            name: Repeated::new(),
            attributes: StringBuilder::new(),
            dropped: Int64Builder::new(),
            of_span: OfSpan::new(),
            json: Vec::new(),
        }
    }

    fn append<'a>(&mut self, event: &'a span::Event, entries: &mut Entries<'a>) {
        self.time.append_value(event.time_unix_nano as i64);
        self.origin.append_value("record");
        self.name.append_value(&event.name);
        self.attributes
            .append_value(object(&mut self.json, entries, &event.attributes));
        self.dropped
            .append_value(i64::from(event.dropped_attributes_count));
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.origin.finish()),
            Arc::new(self.of_span.service_name.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.of_span.trace_id.finish()),
            Arc::new(self.of_span.span_id.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.dropped.finish()),
            Arc::new(self.of_span.span_name.finish()),
            Arc::new(self.of_span.position.finish()),
            Arc::new(self.of_span.ordinal.finish()),
        ];
        let schema = batch_schema(Table::SpanEvents);
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

struct Links {
    time: TimestampNanosecondBuilder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    trace_state: StringBuilder,
    flags: Int64Builder,
    attributes: StringBuilder,
    dropped: Int64Builder,
    of_span: OfSpan,
    json: Vec<u8>,
}

impl Links {
    fn new() -> Links {
        Links {
            time: instants(0),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            trace_state: StringBuilder::new(),
            flags: Int64Builder::new(),
            attributes: StringBuilder::new(),
            dropped: Int64Builder::new(),
            of_span: OfSpan::new(),
            json: Vec::new(),
        }
    }

    fn append<'a>(
        &mut self,
        span: &Span,
        link: &'a span::Link,
        entries: &mut Entries<'a>,
    ) -> Result<()> {
        self.time.append_value(span.start_time_unix_nano as i64);
        id(&mut self.trace_id, &link.trace_id)?;
        id(&mut self.span_id, &link.span_id)?;
        let state = &link.trace_state;
        self.trace_state
            .append_option((!state.is_empty()).then_some(state));
        self.flags.append_value(i64::from(link.flags));
        self.attributes
            .append_value(object(&mut self.json, entries, &link.attributes));
        self.dropped
            .append_value(i64::from(link.dropped_attributes_count));
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.of_span.service_name.finish()),
            Arc::new(self.of_span.trace_id.finish()),
            Arc::new(self.of_span.span_id.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.trace_state.finish()),
            Arc::new(self.flags.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.dropped.finish()),
            Arc::new(self.of_span.span_name.finish()),
            Arc::new(self.of_span.position.finish()),
            Arc::new(self.of_span.ordinal.finish()),
        ];
        let schema = batch_schema(Table::SpanLinks);
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}
