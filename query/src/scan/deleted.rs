//! Takes rows that are being deleted out of the files that still hold them.
//!
//! Buffered requests have lost theirs already, and what a deletion has rewritten has none: this is for the time between.

use super::probe::Probed;
use crate::scope::Scope;
use cairn_storage::snapshot::Snapshot;
use datafusion::{
    arrow::array::BooleanArray,
    error::{DataFusionError, Result},
};
use parquet::arrow::arrow_reader::RowSelection;

/// `files` without the rows that are being deleted, and without files that have no others.
pub(super) async fn leave_out(
    files: Vec<Probed>,
    snapshot: &Snapshot,
    scope: &Scope,
) -> Result<Vec<Probed>> {
    if snapshot.tombstones.is_empty() {
        return Ok(files);
    }
    let mut left = Vec::with_capacity(files.len());
    for file in files {
        let table = file.part.object().table;
        let kept = scope
            .store()
            .kept(snapshot, &file.part.segment, table)
            .await;
        let kept = kept.map_err(|error| DataFusionError::External(Box::new(error)))?;
        match kept {
            None => left.push(file),
            Some(kept) => {
                let kept = RowSelection::from_filters(&[BooleanArray::new(kept, None)]);
                let selection = match file.selection {
                    Some(selection) => selection.intersection(&kept),
                    None => kept,
                };
                if selection.selects_any() {
                    left.push(Probed {
                        selection: Some(selection),
                        is_whole: false,
                        ..file
                    });
                }
            }
        }
    }
    Ok(left)
}
