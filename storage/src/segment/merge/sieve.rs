//! Leaves out rows of an input that are not to be in the output.

use super::input::Input;
use crate::{
    error::{Error, Result},
    id::SegmentId,
    signal::Table,
};
use arrow::{
    array::{BooleanArray, RecordBatch},
    buffer::BooleanBuffer,
    compute::filter_record_batch,
};
use std::collections::BTreeMap;

/// The rows that stay of an object, one bit a row in the order of its file; of one that is not here all do.
pub type Sifted = BTreeMap<(SegmentId, Table), BooleanBuffer>;

/// Passes the rows of one input that stay.
pub(super) struct Sieve {
    kept: Option<BooleanBuffer>,
    /// Rows that were given so far.
    given: usize,
}

impl Sieve {
    pub(super) fn new(input: &Input) -> Sieve {
        Sieve {
            kept: input.kept.clone(),
            given: 0,
        }
    }

    /// Rows that were given so far.
    pub(super) fn given(&self) -> u64 {
        self.given as u64
    }

    /// The rows that stay of the next batch.
    pub(super) fn pass(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let (from, rows) = (self.given, batch.num_rows());
        self.given += rows;
        let Some(kept) = &self.kept else {
            return Ok(batch);
        };
        if self.given > kept.len() {
            let detail = format!("{} rows came of {}", self.given, kept.len());
            return Err(Error::Internal(format!("an input is sifted, and {detail}")));
        }
        let mask = kept.slice(from, rows);
        if mask.count_set_bits() == rows {
            return Ok(batch);
        }
        filter_record_batch(&batch, &BooleanArray::new(mask, None)).map_err(|source| Error::Arrow {
            doing: "leaving out rows of a segment",
            source,
        })
    }
}
