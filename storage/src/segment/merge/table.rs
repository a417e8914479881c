//! Merges the objects of one table into one object.

use super::{
    TableInputs, changed,
    cursor::{Cursor, Keys, Place},
    extents::{Extents, PointColumns, SeriesColumns},
    frame,
    input::Input,
    reshape::{Shape, is_computed},
};
use crate::{
    error::Result,
    segment::{
        ObjectMeta, SegmentMeta,
        gather::{Batches, RowRef},
        index::build::Builder,
        layout::{self, PAGE_ROWS},
        object::ObjectWriter,
        promote::{Choice, MAX_OVERFLOW_KEYS},
        target::{FieldIds, Target},
    },
    signal::Table,
};
use arrow::{array::RecordBatch, row::OwnedRow};
use parquet::file::metadata::ParquetMetaData;
use std::{collections::BTreeSet, sync::Arc};

/// Text that a row group of a merged object holds at most.
const ROW_GROUP_TEXT_BYTES: usize = 64 << 20;

/// What all objects of the output share.
pub(super) struct Output {
    pub(super) target: Target,
    pub(super) field_ids: FieldIds,
    /// Without objects.
    pub(super) segment: SegmentMeta,
    pub(super) tables: Vec<Table>,
}

/// The merge of one table.
pub(super) struct TableMerge {
    table: Table,
    choices: Vec<Choice>,
    shape: Arc<Shape>,
    keys: Keys,
    writer: ObjectWriter,
    /// Inputs that are not open yet with their positions, the one that starts first last.
    waiting: Vec<(usize, Input)>,
    /// Inputs that are open, each with the batch that it stands in.
    open: Vec<(Cursor, Place)>,
    chunk: Chunk,
    limits: Limits,
    /// The keys in the overflow of what was read to its end; `None` when they are too many.
    overflow_keys: Option<BTreeSet<String>>,
    /// Rows that the output has to have; of `series`, which are put together, at most.
    expected: u64,
}

/// When a row group is written.
struct Limits {
    rows: usize,
    text_bytes: usize,
}

/// Rows in their new order that are not written yet.
#[derive(Default)]
struct Chunk {
    batches: Vec<RecordBatch>,
    rows: Vec<RowRef>,
    text_bytes: usize,
    /// The key of the last row, where rows with equal keys are one.
    last: Option<OwnedRow>,
}

impl TableMerge {
    pub(super) fn new(
        output: &Output,
        inputs: TableInputs,
        path: String,
        memory_bytes: u64,
    ) -> Result<TableMerge> {
        let TableInputs {
            table,
            inputs,
            choices,
        } = inputs;
        let writer = ObjectWriter::new(&frame(output), table, &choices, path)?;
        let shape = Arc::new(Shape::new(writer.columns()));
        let keys = Keys::new(table, &shape)?;
        let expected = inputs.iter().map(Input::rows).sum();
        let mut waiting: Vec<(usize, Input)> = inputs.into_iter().enumerate().collect();
        // Of those that start together the first arrived is opened first.
        waiting.sort_by_key(|(position, input)| (input.starts_at(), std::cmp::Reverse(*position)));
        let limits = Limits {
            rows: (output.target.row_group_rows / PAGE_ROWS).max(1) * PAGE_ROWS,
            text_bytes: ROW_GROUP_TEXT_BYTES.min(memory_bytes as usize / 4),
        };
        Ok(TableMerge {
            table,
            choices,
            shape,
            keys,
            writer,
            waiting,
            open: Vec::new(),
            chunk: Chunk::default(),
            limits,
            overflow_keys: Some(BTreeSet::new()),
            expected,
        })
    }

    /// Merges to the end and writes the object.
    pub(super) async fn run(
        mut self,
        output: &Output,
        index: &mut Builder,
        extents: &mut Extents,
    ) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
        loop {
            self.open_due().await?;
            let Some(first) = self.first() else {
                break;
            };
            self.take(first);
            if self.open[first].1.row == self.open[first].1.batch.num_rows() {
                self.advance(first).await?;
            }
            if self.chunk.rows.len() >= self.limits.rows
                || self.chunk.text_bytes >= self.limits.text_bytes
            {
                self.write_rows(false, index, extents)?;
            }
        }
        self.write_rows(true, index, extents)?;
        extents.end_table();
        self.finish(output)
    }

    /// Opens the inputs whose first row may come next.
    async fn open_due(&mut self) -> Result<()> {
        while let Some((_, input)) = self.waiting.last() {
            let next = self.first().and_then(|first| self.open[first].1.time());
            let is_due = match (input.starts_at(), next) {
                (Some(start), Some(next)) => start >= next,
                _ => true,
            };
            if !is_due {
                return Ok(());
            }
            let Some((position, input)) = self.waiting.pop() else {
                return Ok(());
            };
            let mut cursor = Cursor::open(position, &input, &self.shape, &self.choices)?;
            match cursor.next(&self.keys).await? {
                Some(place) => self.open.push((cursor, place)),
                None => self.close(&cursor),
            }
        }
        Ok(())
    }

    /// The open input whose row comes next; of equal rows that of the input that arrived first.
    fn first(&self) -> Option<usize> {
        let open = self.open.iter().enumerate();
        let first = open.min_by(|(_, (a, at)), (_, (b, bt))| {
            at.key().cmp(&bt.key()).then(a.input.cmp(&b.input))
        });
        first.map(|(position, _)| position)
    }

    /// Takes the rows of an open input that come before those of all others.
    fn take(&mut self, first: usize) {
        let others = self.open.iter().enumerate().filter(|(i, _)| *i != first);
        let next = others
            .map(|(_, (cursor, place))| (place.key(), cursor.input))
            .min();
        let (cursor, place) = &self.open[first];
        let wins = next.is_some_and(|(_, input)| cursor.input < input);
        let after = self.waiting.last().and_then(|(_, input)| input.starts_at());
        let end = place.end_of_run(next.map(|(key, _)| key), wins, after);
        let room = self.limits.rows.saturating_sub(self.chunk.rows.len());
        // One at least: it was chosen because it comes first.
        let end = end.min(place.row + room).max(place.row + 1);
        if self.table == Table::Series {
            // A series that several inputs know is one row: that which arrived last.
            let key = place.key();
            if self
                .chunk
                .last
                .as_ref()
                .is_some_and(|last| last.row() == key)
            {
                self.chunk.rows.pop();
            }
            self.chunk.last = Some(place.key_at(end - 1).owned());
        }
        self.chunk.take(place, end);
        self.open[first].1.row = end;
    }

    /// Goes on to the next batch of an open input, or closes it.
    async fn advance(&mut self, position: usize) -> Result<()> {
        let next = self.open[position].0.next(&self.keys).await?;
        match next {
            Some(place) => self.open[position].1 = place,
            None => {
                let (cursor, _) = self.open.swap_remove(position);
                self.close(&cursor);
            }
        }
        Ok(())
    }

    fn close(&mut self, cursor: &Cursor) {
        match (&mut self.overflow_keys, cursor.overflow_keys()) {
            (Some(all), Some(keys)) => all.extend(keys),
            (all, _) => *all = None,
        }
        if self
            .overflow_keys
            .as_ref()
            .is_some_and(|k| k.len() > MAX_OVERFLOW_KEYS)
        {
            self.overflow_keys = None;
        }
    }

    /// Writes what was taken as a row group; of `series` all but the last row, which a later one may stand for, unless
    /// it `is_last`.
    fn write_rows(
        &mut self,
        is_last: bool,
        index: &mut Builder,
        extents: &mut Extents,
    ) -> Result<()> {
        let mut chunk = std::mem::take(&mut self.chunk);
        if self.table == Table::Series && !is_last {
            self.chunk.last = chunk.last.take();
            if let Some((batch, row)) = chunk.rows.pop() {
                self.chunk.batches.push(chunk.batches[batch].clone());
                self.chunk.rows.push((0, row));
            }
        }
        if chunk.rows.is_empty() {
            return Ok(());
        }
        let (rows, shape) = (chunk.rows, &self.shape);
        let mut batches = Batches::new(chunk.batches);
        if layout::has_series(self.table) {
            let points = gathered(&mut batches, shape, &rows)?;
            extents.add(self.table, &PointColumns::of(&points)?);
        }
        let series = match self.table {
            Table::Series => Some(SeriesColumns::of(&gathered(&mut batches, shape, &rows)?)?),
            _ => None,
        };
        let array = |position: usize, source| match &series {
            Some(series) if is_computed(source) => extents.column(source, series),
            _ => batches.column(position, &rows),
        };
        self.writer.row_group(rows.len(), array, index)
    }

    fn finish(self, output: &Output) -> Result<(ObjectMeta, Arc<ParquetMetaData>)> {
        let promoted = self.choices.into_iter().map(|choice| choice.promoted);
        let overflow_keys = match layout::has_attributes(self.table) {
            true => self.overflow_keys.map(|keys| keys.into_iter().collect()),
            false => Some(Vec::new()),
        };
        let (object, footer) =
            self.writer
                .finish(&frame(output), promoted.collect(), overflow_keys)?;
        let same = match self.table {
            Table::Series => object.rows <= self.expected && object.rows > 0,
            _ => object.rows == self.expected,
        };
        if !same {
            let what = format!("the rows from {} to {}", self.expected, object.rows);
            return Err(changed(self.table, &what));
        }
        Ok((object, footer))
    }
}

/// The columns that tell the series and time of `rows`, in their order.
fn gathered(batches: &mut Batches, shape: &Shape, rows: &[RowRef]) -> Result<RecordBatch> {
    let wanted = ["metric", "series_id", layout::TIME_MS, layout::TIME_REST_NS];
    let mut columns = Vec::new();
    for name in wanted {
        if let Ok(position) = shape.schema.index_of(name) {
            columns.push((name, batches.column(position, rows)?));
        }
    }
    RecordBatch::try_from_iter(columns).map_err(|source| crate::error::Error::Arrow {
        doing: "merging series",
        source,
    })
}

impl Chunk {
    /// Adds the rows of `place` from the next one to `end`.
    fn take(&mut self, place: &Place, end: usize) {
        // The batch that was added last is most often the one that is gone on with.
        let known = self
            .batches
            .iter()
            .rposition(|batch| same(batch, &place.batch));
        let batch = known.unwrap_or_else(|| {
            self.batches.push(place.batch.clone());
            self.batches.len() - 1
        });
        self.rows.extend((place.row..end).map(|row| (batch, row)));
        self.text_bytes += place.row_bytes * (end - place.row);
    }
}

/// Whether both are the same batch, not only equal.
fn same(a: &RecordBatch, b: &RecordBatch) -> bool {
    let (Some(a), Some(b)) = (a.columns().first(), b.columns().first()) else {
        return false;
    };
    Arc::ptr_eq(a, b)
}
