//! Taking refused records out of a decoded request.

use super::rows::{Refused, ordinal, series_ids};
use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
};
use bytes::Bytes;
use cairn_storage::{
    append::{Decoded, Refusal, Rejected},
    signal::Table,
};
use std::collections::HashSet;

/// Takes the rows of `refused` out of every table and adds the records to `decoded.rejected`.
pub(super) fn refuse(mut decoded: Decoded, refused: Refused) -> (Decoded, Vec<Refusal>) {
    for (table, batch) in &mut decoded.tables {
        if *table != Table::Series {
            *batch = keep(batch, |row| !refused.contains_key(&ordinal(batch, row)));
        }
    }
    let points = decoded
        .tables
        .iter()
        .filter(|(table, _)| matches!(table, Table::Samples | Table::Histograms));
    let alive: HashSet<i64> = points
        .flat_map(|(_, batch)| series_ids(batch).values().iter().copied())
        .collect();
    for (_, batch) in decoded
        .tables
        .iter_mut()
        .filter(|(table, _)| *table == Table::Series)
    {
        let ids = series_ids(batch).values();
        *batch = keep(batch, |row| alive.contains(&ids[row]));
    }
    decoded.tables.retain(|(_, batch)| batch.num_rows() > 0);

    let refusals: Vec<Refusal> = refused
        .into_iter()
        .map(|(ordinal, (reason, detail))| Refusal {
            ordinal,
            reason,
            detail,
        })
        .collect();
    decoded
        .rejected
        .extend(refusals.iter().map(|refusal| Rejected {
            ordinal: refusal.ordinal,
            reason: refusal.reason,
            detail: refusal.detail.clone(),
            record: Bytes::new(),
        }));
    decoded.rejected.sort_by_key(|rejected| rejected.ordinal);
    (decoded, refusals)
}

fn keep(batch: &RecordBatch, kept: impl Fn(usize) -> bool) -> RecordBatch {
    let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(kept(row))).collect();
    filter_record_batch(batch, &mask).expect("the mask is as long as the batch")
}
