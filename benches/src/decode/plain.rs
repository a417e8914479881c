//! The plain way to the same tables: prost's structs, then Arrow's own builders.
//!
//! Not a straw man: resource and scope are encoded once a group and appended as runs, scratch space is kept, capacity
//! is given beforehand, and JSON is written by the encoder that our decoder uses. Of values, only what the generated
//! data has is treated (no repair of text, no limits), which is in its favour.

mod context;
mod json;
mod logs;
mod metrics;
mod spans;

use anyhow::Result;
use arrow::{
    array::{
        FixedSizeBinaryBuilder, RecordBatch, StringDictionaryBuilder, TimestampNanosecondBuilder,
    },
    datatypes::Int32Type,
};
use cairn_storage::signal::{Signal, Table};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use std::hint::black_box;

/// A column of repeated text under construction.
type Repeated = StringDictionaryBuilder<Int32Type>;

/// The tables of a request, those without rows left out.
pub(super) fn decode(signal: Signal, payload: &[u8]) -> Result<Vec<(Table, RecordBatch)>> {
    let tables = match signal {
        Signal::Spans => spans::tables(&ExportTraceServiceRequest::decode(payload)?)?,
        Signal::Metrics => metrics::tables(&ExportMetricsServiceRequest::decode(payload)?)?,
        _ => logs::tables(&ExportLogsServiceRequest::decode(payload)?)?,
    };
    let with_rows = tables.into_iter().filter(|(_, batch)| batch.num_rows() > 0);
    Ok(with_rows.collect())
}

/// The structs of a request and nothing more.
pub(super) fn structs(signal: Signal, payload: &[u8]) -> Result<()> {
    match signal {
        Signal::Spans => drop(black_box(ExportTraceServiceRequest::decode(payload)?)),
        Signal::Metrics => drop(black_box(ExportMetricsServiceRequest::decode(payload)?)),
        _ => drop(black_box(ExportLogsServiceRequest::decode(payload)?)),
    }
    Ok(())
}

/// A column of instants under construction.
fn instants(rows: usize) -> TimestampNanosecondBuilder {
    TimestampNanosecondBuilder::with_capacity(rows).with_timezone("UTC")
}

/// 0 is NULL.
fn instant_or_null(column: &mut TimestampNanosecondBuilder, time: u64) {
    column.append_option((time != 0).then_some(time as i64));
}

/// Empty text is NULL.
fn text_or_null(column: &mut Repeated, text: &str) {
    column.append_option((!text.is_empty()).then_some(text));
}

/// An absent id is NULL.
fn id(column: &mut FixedSizeBinaryBuilder, id: &[u8]) -> Result<()> {
    match id {
        [] => column.append_null(),
        id => column.append_value(id)?,
    }
    Ok(())
}
