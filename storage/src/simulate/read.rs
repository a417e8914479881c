//! Reads everything a snapshot shows, buffered or in segments, as a query would.

use super::records::id_column;
use crate::{
    error::{Error, Result},
    id::TenantId,
    schema::{ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE},
    segment::read::ReadCounters,
    signal::{Signal, Table},
    snapshot::LiveSegment,
    store::Store,
};
use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    buffer::BooleanBuffer,
    compute::filter_record_batch,
    datatypes::{DataType, Int32Type, Int64Type},
};
use futures::TryStreamExt;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use std::sync::Arc;

/// A row as the checks see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Epoch, sequence, ordinal.
    pub id: (u64, u64, u32),
    /// The record; of a dead letter its detail.
    pub record: String,
}

/// Every row of a tenant's signal that is not deleted, sorted; and the commit sequence of the view.
pub async fn rows(store: &Store, tenant: &TenantId, signal: Signal) -> Result<(Vec<Row>, u64)> {
    let table = signal.tables()[0];
    let snapshot = store.snapshot(tenant, signal);
    if let Some(missing) = snapshot.missing.first() {
        return Err(Error::Corrupt {
            what: format!("{:?}", missing.part),
            detail: missing.reason.clone(),
        });
    }
    let mut rows = Vec::new();
    for request in &snapshot.buffered {
        if let Some(batch) = request.batch(table) {
            collect(
                &mut rows,
                table,
                batch,
                Some((request.epoch, request.sequence)),
            )?;
        }
    }
    for segment in &snapshot.segments {
        let kept = store.kept(&snapshot, segment, table).await?;
        let mut given = 0;
        for batch in segment_batches(store, segment, table).await? {
            let from = given;
            given += batch.num_rows();
            let batch = match &kept {
                Some(kept) => left(&batch, kept.slice(from, batch.num_rows()))?,
                None => batch,
            };
            collect(&mut rows, table, &batch, None)?;
        }
    }
    rows.sort();
    Ok((rows, snapshot.sequence))
}

async fn segment_batches(
    store: &Store,
    segment: &LiveSegment,
    table: Table,
) -> Result<Vec<RecordBatch>> {
    let reader = store.reader(segment, table, Arc::new(ReadCounters::default()))?;
    let failed = |source| Error::Parquet {
        doing: "reading a segment",
        source,
    };
    let stream = ParquetRecordBatchStreamBuilder::new(reader)
        .await
        .map_err(failed)?;
    stream
        .build()
        .map_err(failed)?
        .try_collect()
        .await
        .map_err(failed)
}

fn left(batch: &RecordBatch, kept: BooleanBuffer) -> Result<RecordBatch> {
    let kept = BooleanArray::new(kept, None);
    filter_record_batch(batch, &kept).map_err(|source| Error::Arrow {
        doing: "leaving out deleted rows",
        source,
    })
}

/// `seat` is the epoch and sequence of a buffered request; a segment has them as columns.
fn collect(
    rows: &mut Vec<Row>,
    table: Table,
    batch: &RecordBatch,
    seat: Option<(u64, u64)>,
) -> Result<()> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::Internal(format!("no column {name}")))
    };
    let records =
        arrow::compute::cast(column(id_column(table))?, &DataType::Utf8).map_err(|source| {
            Error::Arrow {
                doing: "reading records",
                source,
            }
        })?;
    let records = records.as_string::<i32>();
    let ordinals = column(ROW_ORDINAL)?.as_primitive::<Int32Type>();
    for row in 0..batch.num_rows() {
        let (epoch, sequence) = match seat {
            Some(seat) => seat,
            None => {
                let value = |name| {
                    Ok::<_, Error>(column(name)?.as_primitive::<Int64Type>().value(row) as u64)
                };
                (value(ROW_EPOCH)?, value(ROW_SEQUENCE)?)
            }
        };
        let id = (epoch, sequence, ordinals.value(row) as u32);
        let record = if records.is_null(row) {
            ""
        } else {
            records.value(row)
        };
        rows.push(Row {
            id,
            record: record.to_string(),
        });
    }
    Ok(())
}
