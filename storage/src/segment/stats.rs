//! The bounds of a file's columns, from the statistics of its row groups.

use super::{Bounds, ColumnStats, layout::Column};
use arrow::datatypes::DataType;
use parquet::file::{metadata::RowGroupMetaData, statistics::Statistics};
use std::collections::HashSet;

/// Statistics of every column that has them. `nan` names the columns that hold a NaN, which Parquet's bounds leave
/// out.
pub(crate) fn columns(
    columns: &[Column],
    row_groups: &[RowGroupMetaData],
    nan: &HashSet<String>,
) -> Vec<ColumnStats> {
    let all = columns.iter().enumerate();
    // A column with NaN has no bounds, and without bounds it would count as all null: so it is left out.
    let comparable = all.filter(|(_, column)| !nan.contains(column.field.name()));
    comparable
        .filter_map(|(position, column)| column_stats(column, position, row_groups))
        .collect()
}

fn column_stats(
    column: &Column,
    position: usize,
    row_groups: &[RowGroupMetaData],
) -> Option<ColumnStats> {
    let mut nulls = 0;
    let mut bounds: Option<Bounds> = None;
    for row_group in row_groups {
        let statistics = row_group.column(position).statistics()?;
        let group_nulls = statistics.null_count_opt()?;
        nulls += group_nulls;
        if group_nulls == row_group.num_rows() as u64 {
            continue;
        }
        let group = group_bounds(column.field.data_type(), statistics)?;
        bounds = Some(match bounds {
            Some(bounds) => union(bounds, group)?,
            None => group,
        });
    }
    Some(ColumnStats {
        column: column.field.name().clone(),
        nulls,
        bounds,
    })
}

/// The bounds of a row group that has a value; `None` where there are no usable ones.
fn group_bounds(data_type: &DataType, statistics: &Statistics) -> Option<Bounds> {
    match (data_type, statistics) {
        // Stored as signed integers in an order of their own.
        (DataType::UInt64, _) => None,
        (_, Statistics::Boolean(s)) => Some(Bounds::Bool(*s.min_opt()?, *s.max_opt()?)),
        (_, Statistics::Int32(s)) => Some(Bounds::Int(
            i64::from(*s.min_opt()?),
            i64::from(*s.max_opt()?),
        )),
        (_, Statistics::Int64(s)) => Some(Bounds::Int(*s.min_opt()?, *s.max_opt()?)),
        (_, Statistics::Double(s)) => Some(Bounds::Double(*s.min_opt()?, *s.max_opt()?)),
        (DataType::Utf8, Statistics::ByteArray(s)) => Some(Bounds::Text(
            s.min_opt()?.as_utf8().ok()?.to_string(),
            s.max_opt()?.as_utf8().ok()?.to_string(),
        )),
        (_, Statistics::ByteArray(s)) => Some(Bounds::Bytes(
            s.min_opt()?.data().to_vec(),
            s.max_opt()?.data().to_vec(),
        )),
        (_, Statistics::FixedLenByteArray(s)) => Some(Bounds::Bytes(
            s.min_opt()?.data().to_vec(),
            s.max_opt()?.data().to_vec(),
        )),
        _ => None,
    }
}

/// The smallest bounds that hold both; `None` if they are of different types.
fn union(a: Bounds, b: Bounds) -> Option<Bounds> {
    Some(match (a, b) {
        (Bounds::Int(a, x), Bounds::Int(b, y)) => Bounds::Int(a.min(b), x.max(y)),
        (Bounds::Double(a, x), Bounds::Double(b, y)) => Bounds::Double(a.min(b), x.max(y)),
        (Bounds::Text(a, x), Bounds::Text(b, y)) => Bounds::Text(a.min(b), x.max(y)),
        (Bounds::Bytes(a, x), Bounds::Bytes(b, y)) => Bounds::Bytes(a.min(b), x.max(y)),
        (Bounds::Bool(a, x), Bounds::Bool(b, y)) => Bounds::Bool(a & b, x | y),
        _ => return None,
    })
}
