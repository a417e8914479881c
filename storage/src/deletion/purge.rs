//! Takes deleted rows out of a buffered request, which is in memory only and in the log.

use super::{find, tombstone::Tombstone};
use crate::{
    buffered::BufferedRequest,
    error::{Error, Result},
    signal::{Signal, Table},
};
use arrow::{array::BooleanArray, compute::filter_record_batch};
use std::collections::BTreeMap;

/// The request without the rows that the tombstone deletes, and how many those are; `None` where it loses none. A request
/// that loses all stays, for its digest.
pub fn purge(
    tombstone: &Tombstone,
    signal: Signal,
    request: &BufferedRequest,
) -> Result<Option<(BufferedRequest, BTreeMap<Table, u64>)>> {
    if request.sequence > tombstone.sequence {
        return Ok(None);
    }
    let seat = (request.epoch, request.sequence);
    let removed = find::in_request(tombstone, signal, &request.tables, seat)?;
    if removed.is_empty() {
        return Ok(None);
    }
    let mut purged = request.clone();
    let mut counts = BTreeMap::new();
    for (table, batch) in &mut purged.tables {
        let Some(mask) = removed.get(table) else {
            continue;
        };
        counts.insert(*table, mask.count_set_bits() as u64);
        *batch = filter_record_batch(batch, &BooleanArray::new(!mask, None)).map_err(|source| {
            Error::Arrow {
                doing: "taking deleted rows out of the buffer",
                source,
            }
        })?;
    }
    purged.tables.retain(|(_, batch)| batch.num_rows() > 0);
    Ok(Some((purged, counts)))
}
