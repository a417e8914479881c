//! Where the merge stands in one input: a batch, and the row in it that comes next.

use super::{
    input::{Batches, Input, reading},
    reshape::{Reshape, Shape},
    sieve::Sieve,
};
use crate::{
    error::{Error, Result},
    segment::{layout, promote::Choice},
    signal::Table,
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::SortOptions,
    datatypes::{DataType, TimestampNanosecondType},
    row::{Row, RowConverter, Rows, SortField},
};
use futures::TryStreamExt;
use std::sync::Arc;

/// Makes keys of rows that compare as the rows of a table's file are sorted.
pub(super) struct Keys {
    converter: RowConverter,
    columns: Vec<usize>,
}

impl Keys {
    pub(super) fn new(table: Table, shape: &Shape) -> Result<Keys> {
        let order = layout::sort_order(table);
        let mut columns = Vec::with_capacity(order.len());
        let mut fields = Vec::with_capacity(order.len());
        for (name, descending) in order {
            let position = shape.schema.index_of(name).map_err(arrow)?;
            let options = SortOptions {
                descending: *descending,
                nulls_first: *descending,
            };
            let data_type = shape.schema.field(position).data_type().clone();
            fields.push(SortField::new_with_options(data_type, options));
            columns.push(position);
        }
        let converter = RowConverter::new(fields).map_err(arrow)?;
        Ok(Keys { converter, columns })
    }

    fn of(&self, batch: &RecordBatch) -> Result<Rows> {
        let columns: Vec<_> = (self.columns.iter())
            .map(|position| batch.column(*position).clone())
            .collect();
        self.converter.convert_columns(&columns).map_err(arrow)
    }
}

/// An input that is open.
pub(super) struct Cursor {
    /// Position among the inputs, which is the order of arrival.
    pub(super) input: usize,
    batches: Batches,
    reshape: Reshape,
    /// The keys in the overflow of the input, by its catalog entry.
    overflow_keys: Option<Vec<String>>,
    sieve: Sieve,
    expected: u64,
}

/// A batch of an input, with the row that comes next.
pub(super) struct Place {
    pub(super) batch: RecordBatch,
    keys: Rows,
    pub(super) row: usize,
    /// Bytes of text of a row, on average.
    pub(super) row_bytes: usize,
}

impl Cursor {
    pub(super) fn open(
        input: usize,
        object: &Input,
        shape: &Arc<Shape>,
        choices: &[Choice],
    ) -> Result<Cursor> {
        Ok(Cursor {
            input,
            batches: object.batches(None)?,
            reshape: Reshape::new(object, shape.clone(), choices),
            overflow_keys: object.object.overflow_keys.clone(),
            sieve: Sieve::new(object),
            expected: object.object.rows,
        })
    }

    /// The next batch with rows, at its first row; `None` at the end.
    pub(super) async fn next(&mut self, keys: &Keys) -> Result<Option<Place>> {
        while let Some(batch) = self.batches.try_next().await.map_err(reading)? {
            let batch = self.sieve.pass(batch)?;
            if batch.num_rows() == 0 {
                continue;
            }
            let batch = self.reshape.batch(&batch)?;
            return Ok(Some(Place {
                keys: keys.of(&batch)?,
                row: 0,
                row_bytes: text_bytes(&batch) / batch.num_rows(),
                batch,
            }));
        }
        let rows = self.sieve.given();
        if rows == self.expected {
            return Ok(None);
        }
        let detail = format!("{rows} of its {} rows came", self.expected);
        Err(Error::Internal(format!("an input of a merge: {detail}")))
    }

    /// The keys in the overflow of what was read.
    pub(super) fn overflow_keys(&self) -> Option<Vec<String>> {
        self.reshape.overflow_keys(&self.overflow_keys)
    }
}

impl Place {
    /// The key of the row that comes next.
    pub(super) fn key(&self) -> Row<'_> {
        self.keys.row(self.row)
    }

    /// The time of the row that comes next, in a table that has times.
    pub(super) fn time(&self) -> Option<i64> {
        Some(self.times()?.value(self.row))
    }

    fn times(&self) -> Option<&arrow::array::TimestampNanosecondArray> {
        let times = self.batch.column_by_name("timestamp")?;
        times.as_primitive_opt::<TimestampNanosecondType>()
    }

    /// The row after the last one, from the next one on, that comes before `other` (also when both are equal, if
    /// `wins`) and is later than `after`.
    pub(super) fn end_of_run(
        &self,
        other: Option<Row<'_>>,
        wins: bool,
        after: Option<i64>,
    ) -> usize {
        let times = after.and_then(|after| Some((self.times()?, after)));
        let comes_first = |row: usize| {
            let key = self.keys.row(row);
            let before_other = other.is_none_or(|other| key < other || (wins && key == other));
            before_other && times.is_none_or(|(times, after)| times.value(row) > after)
        };
        let (mut low, mut high) = (self.row, self.batch.num_rows());
        while low < high {
            let middle = low + (high - low) / 2;
            if comes_first(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The key of any row of the batch.
    pub(super) fn key_at(&self, row: usize) -> Row<'_> {
        self.keys.row(row)
    }
}

/// Bytes of all texts of a batch.
fn text_bytes(batch: &RecordBatch) -> usize {
    let of = |column: &arrow::array::ArrayRef| match column.data_type() {
        DataType::Utf8View => (column.as_string_view().lengths())
            .map(|l| l as usize)
            .sum(),
        DataType::BinaryView => (column.as_binary_view().lengths())
            .map(|l| l as usize)
            .sum(),
        DataType::List(_) => column.get_array_memory_size(),
        _ => 0,
    };
    batch.columns().iter().map(of).sum()
}

fn arrow(source: arrow::error::ArrowError) -> Error {
    Error::Arrow {
        doing: "comparing rows of segments",
        source,
    }
}
