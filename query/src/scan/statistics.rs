//! What the catalog knows of a file, as DataFusion's planner takes it.

use crate::prune::of_type;
use arrow::datatypes::Schema;
use cairn_storage::segment::{Bounds, ColumnStats, ObjectMeta};
use datafusion::common::{ColumnStatistics, Statistics, stats::Precision};

/// The statistics of the columns of `schema` in `object`.
pub(super) fn of_object(object: &ObjectMeta, schema: &Schema) -> Statistics {
    let of_column = |name: &str| object.columns.iter().find(|stats| stats.column == name);
    let columns = schema.fields().iter().map(|field| {
        of_column(field.name()).map_or_else(ColumnStatistics::new_unknown, |stats| {
            column(stats, object.rows, field.data_type())
        })
    });
    Statistics {
        num_rows: Precision::Exact(object.rows as usize),
        total_byte_size: Precision::Inexact(object.file.size_bytes as usize),
        column_statistics: columns.collect(),
    }
}

fn column(
    stats: &ColumnStats,
    rows: u64,
    data_type: &arrow::datatypes::DataType,
) -> ColumnStatistics {
    let mut column = ColumnStatistics::new_unknown();
    if stats.nulls >= rows {
        // A column that is all NULL would be folded to a constant, and a predicate on it to one too: then
        // nothing of the file is pruned any more (datafusion#24769).
        return column;
    }
    column.null_count = Precision::Exact(stats.nulls as usize);
    let Some(bounds) = &stats.bounds else {
        return column;
    };
    if let Some((min, max)) = of_type(bounds, data_type) {
        // Text may be cut, doubles may hide a sign of zero; integers and instants are what they are. Equal
        // bounds leave a value no choice.
        let reached = matches!(bounds, Bounds::Int(..)) || min == max;
        let exactly = |value| match reached {
            true => Precision::Exact(value),
            false => Precision::Inexact(value),
        };
        column.min_value = exactly(min);
        column.max_value = exactly(max);
    }
    column
}
