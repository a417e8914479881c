//! Reads some columns of one object, batch by batch, as a merge reads all of them.

use super::{
    Reading,
    input::{Input, reading as failed},
};
use crate::{error::Result, segment::LiveSegment, signal::Table};
use arrow::array::RecordBatch;
use futures::TryStreamExt;

/// Takes the rows of a batch.
pub type Visit<'a> = &'a mut (dyn FnMut(&RecordBatch) -> Result<()> + Send);

/// Gives the rows of `table` in `segment` to `visit`, in the order of the file, with those of `columns` that it has; text
/// comes as views. Nothing where it has no such table.
///
/// Decodes where it is polled. `Corrupt` for bytes that fail their checksum, which is reported where all damage is.
pub async fn scan(
    segment: &LiveSegment,
    table: Table,
    columns: &[String],
    reading: &Reading,
    visit: Visit<'_>,
) -> Result<()> {
    let mut inputs = Input::open_all(segment, &[table], reading).await?;
    let Some(input) = inputs.remove(&table) else {
        return Ok(());
    };
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut batches = input.batches(Some(&columns))?;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        visit(&batch)?;
    }
    Ok(())
}
