//! Rows by tenant, signal and table: what a set of segments holds.

use crate::{
    id::TenantId,
    segment::SegmentMeta,
    signal::{Signal, Table},
};
use std::collections::BTreeMap;

/// What segments hold of one table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct TableRows {
    pub(super) tenant: TenantId,
    pub(super) signal: Signal,
    pub(super) table: Table,
    pub(super) rows: u64,
}

/// A tenant's table.
pub(super) type Place = (TenantId, Signal, Table);

/// Rows of `segments` by tenant, signal and table.
pub(super) fn count<'a>(segments: impl Iterator<Item = &'a SegmentMeta>) -> BTreeMap<Place, u64> {
    let mut rows: BTreeMap<Place, u64> = BTreeMap::new();
    for meta in segments {
        for object in &meta.objects {
            let place = (meta.tenant.clone(), meta.signal, object.table);
            *rows.entry(place).or_default() += object.rows;
        }
    }
    rows
}

/// The same as a list in the order of its columns.
pub(super) fn list<'a>(segments: impl Iterator<Item = &'a SegmentMeta>) -> Vec<TableRows> {
    let counted = count(segments).into_iter();
    counted
        .map(|((tenant, signal, table), rows)| TableRows {
            tenant,
            signal,
            table,
            rows,
        })
        .collect()
}
