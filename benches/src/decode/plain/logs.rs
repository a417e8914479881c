//! The table `logs`.

use super::{
    Repeated,
    context::{Context, Group},
    id, instant_or_null, instants,
    json::{Entries, object},
    text_or_null,
};
use anyhow::Result;
use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder,
};
use cairn_storage::{schema::batch_schema, signal::Table};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest, common::v1::any_value::Value,
    logs::v1::LogRecord,
};
use std::sync::Arc;

struct Columns {
    time: TimestampNanosecondBuilder,
    origin: Repeated,
    observed: TimestampNanosecondBuilder,
    severity_number: Int32Builder,
    severity_text: Repeated,
    event_name: Repeated,
    body: StringBuilder,
    body_type: Repeated,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    flags: Int64Builder,
    attributes: StringBuilder,
    dropped: Int64Builder,
    context: Context,
    ordinal: Int32Builder,
    json: Vec<u8>,
}

pub(super) fn tables(request: &ExportLogsServiceRequest) -> Result<Vec<(Table, RecordBatch)>> {
    let scopes = request.resource_logs.iter().flat_map(|of| &of.scope_logs);
    let rows = scopes.map(|scope| scope.log_records.len()).sum();
    let mut columns = Columns::with_capacity(rows);
    let mut entries = Entries::new();
    let mut ordinal = 0;
    for of in &request.resource_logs {
        let mut group = Group::new(of.resource.as_ref(), &of.schema_url);
        for scope in &of.scope_logs {
            group.enter(scope.scope.as_ref(), &scope.schema_url);
            for record in &scope.log_records {
                columns.append(record, ordinal, &mut entries)?;
                ordinal += 1;
            }
            columns.context.append(&group, scope.log_records.len());
        }
    }
    Ok(vec![(Table::Logs, columns.finish()?)])
}

impl Columns {
    fn with_capacity(rows: usize) -> Columns {
        Columns {
            time: instants(rows),
            origin: Repeated::new(),
            observed: instants(rows),
            severity_number: Int32Builder::with_capacity(rows),
            severity_text: Repeated::new(),
            event_name: Repeated::new(),
            body: StringBuilder::with_capacity(rows, rows * 128),
            body_type: Repeated::new(),
            trace_id: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            span_id: FixedSizeBinaryBuilder::with_capacity(rows, 8),
            flags: Int64Builder::with_capacity(rows),
            attributes: StringBuilder::with_capacity(rows, rows * 160),
            dropped: Int64Builder::with_capacity(rows),
            context: Context::default(),
            ordinal: Int32Builder::with_capacity(rows),
            json: Vec::new(),
        }
    }

    fn append<'a>(
        &mut self,
        record: &'a LogRecord,
        ordinal: i32,
        entries: &mut Entries<'a>,
    ) -> Result<()> {
        self.time.append_value(record.time_unix_nano as i64);
        self.origin.append_value("record");
        instant_or_null(&mut self.observed, record.observed_time_unix_nano);
        self.severity_number.append_value(record.severity_number);
        text_or_null(&mut self.severity_text, &record.severity_text);
        text_or_null(&mut self.event_name, &record.event_name);
        match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Value::StringValue(text)) => {
                self.body.append_value(text);
                self.body_type.append_value("string");
            }
            // The generated data has text only.
            _ => {
                self.body.append_null();
                self.body_type.append_null();
            }
        }
        id(&mut self.trace_id, &record.trace_id)?;
        id(&mut self.span_id, &record.span_id)?;
        self.flags.append_value(i64::from(record.flags));
        self.attributes
            .append_value(object(&mut self.json, entries, &record.attributes));
        self.dropped
            .append_value(i64::from(record.dropped_attributes_count));
        self.ordinal.append_value(ordinal);
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let (service_name, context) = self.context.finish();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.origin.finish()),
            Arc::new(self.observed.finish()),
            service_name,
            Arc::new(self.severity_number.finish()),
            Arc::new(self.severity_text.finish()),
            Arc::new(self.event_name.finish()),
            Arc::new(self.body.finish()),
            Arc::new(self.body_type.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.flags.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.dropped.finish()),
        ];
        columns.extend(context);
        columns.push(Arc::new(self.ordinal.finish()));
        Ok(RecordBatch::try_new(batch_schema(Table::Logs), columns)?)
    }
}
