//! Taking the records that admission refused out of a decoded request: the same when it arrives and at replay,
//! which decodes anew and never admits anew.

use crate::{
    append::{Decoded, Record, Refusal, Rejected},
    error::{Error, Result},
    schema::ROW_ORDINAL,
    signal::Table,
};
use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{ArrowPrimitiveType, Int32Type, Int64Type},
};
use std::collections::HashSet;

/// Takes the rows of refused records out of every table and adds the records to `decoded.rejected`.
///
/// A record goes whole: a span with its events and links, a data point with its exemplars, and a series with
/// its last data point or exemplar. `records` are the refused records, in the order of `refusals`; one that is
/// not there is kept without its bytes and what it stood in. Fails with `Internal` where a batch has not the columns of its table.
pub fn refuse(decoded: &mut Decoded, refusals: &[Refusal], records: Vec<Record>) -> Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    let refused: HashSet<i32> = refusals
        .iter()
        .map(|refusal| refusal.ordinal as i32)
        .collect();
    for (table, batch) in &mut decoded.tables {
        if *table != Table::Series {
            *batch = keep::<Int32Type>(batch, ROW_ORDINAL, |row| !refused.contains(&row))?;
        }
    }
    let mut alive: HashSet<i64> = HashSet::new();
    for (table, batch) in &decoded.tables {
        if matches!(table, Table::Samples | Table::Histograms | Table::Exemplars) {
            alive.extend(numbers::<Int64Type>(batch, SERIES_ID)?);
        }
    }
    for (table, batch) in &mut decoded.tables {
        if *table == Table::Series {
            *batch = keep::<Int64Type>(batch, SERIES_ID, |series| alive.contains(&series))?;
        }
    }
    decoded.tables.retain(|(_, batch)| batch.num_rows() > 0);

    let mut records = records.into_iter();
    decoded.rejected.extend(refusals.iter().map(|refusal| {
        let Record { bytes, envelope } = records.next().unwrap_or_default();
        Rejected {
            ordinal: refusal.ordinal,
            reason: refusal.reason,
            detail: refusal.detail.clone(),
            record: bytes,
            envelope,
        }
    }));
    decoded.rejected.sort_by_key(|rejected| rejected.ordinal);
    Ok(())
}

/// The id of a series, in its own row and in those of its points.
const SERIES_ID: &str = "series_id";

fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &str,
) -> Result<&'a [T::Native]> {
    let numbers = batch
        .column_by_name(column)
        .and_then(|array| array.as_primitive_opt::<T>());
    let numbers = numbers.ok_or_else(|| {
        Error::Internal(format!(
            "a decoded batch has no {column} of {}",
            T::DATA_TYPE
        ))
    })?;
    Ok(numbers.values())
}

fn keep<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    column: &str,
    kept: impl Fn(T::Native) -> bool,
) -> Result<RecordBatch> {
    let mask: BooleanArray = numbers::<T>(batch, column)?
        .iter()
        .map(|number| Some(kept(*number)))
        .collect();
    filter_record_batch(batch, &mask).map_err(|source| Error::Arrow {
        doing: "taking refused records out",
        source,
    })
}
