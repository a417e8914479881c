//! Puts the rows of a segment's table into the order that its file declares.

use super::{
    gather::{Batches, RowRef},
    window::{RowRange, timestamps},
};
use crate::{
    buffered::BufferedRequest,
    error::{Error, Result},
    schema::{self, ROW_ORDINAL},
    signal::Table,
};
use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    datatypes::{Int32Type, Int64Type},
};
use std::sync::Arc;

/// The rows of one table of a segment.
pub(crate) struct TableRows {
    pub(crate) table: Table,
    pub(crate) batches: Batches,
    /// The first two parts of the row id, by batch.
    pub(crate) ids: Vec<(i64, i64)>,
    /// In the order of the file.
    pub(crate) rows: Vec<RowRef>,
}

impl TableRows {
    /// The rows of `ranges`, sorted as the files of `table` are.
    pub(crate) fn sorted(
        table: Table,
        requests: &[Arc<BufferedRequest>],
        ranges: &[RowRange],
    ) -> Result<TableRows> {
        let mut rows = TableRows::arrived(table, requests, ranges)?;
        if super::layout::has_series(table) {
            rows.sort_by_series()?;
        } else if table != Table::Series {
            rows.sort_by_time()?;
        }
        Ok(rows)
    }

    /// The rows of `ranges` in the order of their row ids.
    pub(crate) fn arrived(
        table: Table,
        requests: &[Arc<BufferedRequest>],
        ranges: &[RowRange],
    ) -> Result<TableRows> {
        let mut ranges = ranges.to_vec();
        let id = |range: &RowRange| {
            let request = &requests[range.request as usize];
            (request.epoch, request.sequence, range.start)
        };
        ranges.sort_by_key(id);
        let mut batches = Vec::new();
        let mut ids = Vec::new();
        let mut rows = Vec::with_capacity(ranges.iter().map(|range| range.rows as usize).sum());
        let mut current = None;
        for range in &ranges {
            let request = &requests[range.request as usize];
            if current != Some(range.request) {
                current = Some(range.request);
                batches.push(request.batch(table).ok_or_else(|| missing(table))?.clone());
                ids.push((request.epoch as i64, request.sequence as i64));
            }
            let first = range.start as usize;
            rows.extend((first..first + range.rows as usize).map(|row| (batches.len() - 1, row)));
        }
        check_schema(table, &batches)?;
        let mut sorted = TableRows {
            table,
            batches: Batches::new(batches),
            ids,
            rows,
        };
        sorted.sort_by_ordinal();
        Ok(sorted)
    }

    /// Puts rows of batches whose ordinals do not rise into their order; decoders give none.
    fn sort_by_ordinal(&mut self) {
        if self.table == Table::Series {
            return;
        }
        let column = position(self.table, ROW_ORDINAL);
        let ordinals: Vec<&[i32]> = (self.batches.all().iter())
            .map(|batch| {
                batch
                    .column(column)
                    .as_primitive::<Int32Type>()
                    .values()
                    .as_ref()
            })
            .collect();
        if !ordinals.iter().all(|ordinals| ordinals.is_sorted()) {
            self.rows
                .sort_by_key(|(batch, row)| (*batch, ordinals[*batch][*row]));
        }
    }

    /// Newest first, and among equal times the higher row id first.
    fn sort_by_time(&mut self) -> Result<()> {
        let times = self.times()?;
        // Complemented after the sign is turned, so that a plain ascending sort puts the latest first.
        let descending = |time: i64| !(time as u64 ^ (1 << 63));
        let mut keys: Vec<(u64, u32)> = self
            .rows
            .iter()
            .enumerate()
            .map(|(i, (batch, row))| (descending(times[*batch][*row]), !(i as u32)))
            .collect();
        // Stable sorting merges the runs that requests already are.
        keys.sort();
        self.rows = keys.iter().map(|(_, i)| self.rows[!i as usize]).collect();
        Ok(())
    }

    /// By metric, series and time; equal times in the order of arrival.
    fn sort_by_series(&mut self) -> Result<()> {
        let ranks = self.metric_ranks()?;
        let times = self.times()?;
        let series = self.series_ids();
        let mut keys: Vec<(u32, i64, i64, u32)> = self
            .rows
            .iter()
            .enumerate()
            .zip(ranks)
            .map(|((i, (batch, row)), rank)| {
                (rank, series[*batch][*row], times[*batch][*row], i as u32)
            })
            .collect();
        keys.sort_unstable();
        self.rows = keys.iter().map(|(.., i)| self.rows[*i as usize]).collect();
        Ok(())
    }

    /// The rank of each row's metric among the metrics, by its bytes.
    fn metric_ranks(&mut self) -> Result<Vec<u32>> {
        let column = position(self.table, "metric");
        let dictionary = self.batches.dictionary(column)?;
        let values = dictionary.values();
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by_key(|i| values.value(*i));
        let mut ranks = vec![0; values.len()];
        for (rank, i) in order.into_iter().enumerate() {
            ranks[i] = rank as u32;
        }
        Ok(self
            .rows
            .iter()
            .map(|row| dictionary.position(*row).map_or(0, |i| ranks[i]))
            .collect())
    }

    /// The attribute maps of each batch.
    pub(crate) fn attributes(&self) -> Vec<&StringArray> {
        let column = position(self.table, "attributes");
        self.batches
            .all()
            .iter()
            .map(|batch| batch.column(column).as_string())
            .collect()
    }

    /// The timestamps of each batch.
    pub(crate) fn times(&self) -> Result<Vec<&[i64]>> {
        self.batches
            .all()
            .iter()
            .map(|batch| timestamps(self.table, batch))
            .collect()
    }

    /// The series ids of each batch.
    pub(crate) fn series_ids(&self) -> Vec<&[i64]> {
        let column = position(self.table, "series_id");
        self.batches
            .all()
            .iter()
            .map(|batch| {
                batch
                    .column(column)
                    .as_primitive::<Int64Type>()
                    .values()
                    .as_ref()
            })
            .collect()
    }
}

/// The position of a column in the batches of `table`.
pub(crate) fn position(table: Table, column: &str) -> usize {
    schema::batch_schema(table)
        .index_of(column)
        .expect("the caller names a column of the table")
}

fn missing(table: Table) -> Error {
    Error::Internal(format!(
        "a plan names rows of {table} that the request does not have"
    ))
}

/// Refuses batches that are not what decoders promise: later steps lean on it.
fn check_schema(table: Table, batches: &[RecordBatch]) -> Result<()> {
    let expected = schema::batch_schema(table);
    for batch in batches {
        let schema = batch.schema();
        let same = schema.fields().len() == expected.fields().len()
            && schema
                .fields()
                .iter()
                .zip(expected.fields())
                .all(|(is, should)| {
                    is.name() == should.name() && is.data_type().equals_datatype(should.data_type())
                });
        if !same {
            return Err(Error::Internal(format!(
                "a batch of {table} has the schema {schema:?} instead of {expected:?}"
            )));
        }
    }
    Ok(())
}
