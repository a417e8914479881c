//! `metrics`: every point with the labels of its series.
//!
//! Samples and histograms joined with their series. A series stands once in every part (segment or request) that has
//! points of it, so the join is on the part as well: a row of a part finds exactly one series there.
//! `value` is a number for every number point; `value_int` says which of them are integers, exactly.

use super::segments::SegmentTable;
use crate::{columns::PART, scope::Scope};
use arrow::datatypes::DataType;
use cairn_storage::signal::Table;
use datafusion::{
    common::{Column, ScalarValue},
    datasource::provider_as_source,
    error::Result,
    functions::core::expr_fn::coalesce,
    logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, cast, col, ident},
};
use std::sync::Arc;

/// Columns of points that come first and are in both tables.
const OF_EVERY_POINT: [&str; 5] = [
    "series_id",
    "metric",
    "timestamp",
    "start_timestamp",
    "flags",
];

/// Columns of the series that the view shows after `metric`.
const OF_SERIES_FIRST: [&str; 7] = [
    "type",
    "unit",
    "description",
    "temporality",
    "is_monotonic",
    "service_name",
    "attributes",
];

/// Columns of the series that the view shows last.
const OF_SERIES_LAST: [&str; 10] = [
    "metadata",
    "resource_attributes",
    "resource_dropped_attributes_count",
    "resource_schema_url",
    "resource_entity_refs",
    "scope_name",
    "scope_version",
    "scope_attributes",
    "scope_dropped_attributes_count",
    "scope_schema_url",
];

/// The plan that stands for the view.
pub(super) fn view(scope: &Arc<Scope>) -> Result<LogicalPlan> {
    let table = |table| Arc::new(SegmentTable::new(scope.clone(), table));
    let (samples, histograms) = (table(Table::Samples), table(Table::Histograms));
    let of_histograms = of_histograms(&histograms);
    let points = points(&samples, Table::Samples, &of_histograms)?
        .union(points(&histograms, Table::Histograms, &of_histograms)?.build()?)?
        .alias("points")?;
    let series = table(Table::Series);
    let series = LogicalPlanBuilder::scan("series", provider_as_source(series), None)?.build()?;
    let keys = |side: &str| {
        vec![
            Column::new(Some(side), PART),
            Column::new(Some(side), "series_id"),
        ]
    };
    points
        .join(
            series,
            JoinType::Inner,
            (keys("points"), keys("series")),
            None,
        )?
        .project(shown(&of_histograms))?
        .build()
}

/// The columns that only histograms have, in order, with their types.
fn of_histograms(histograms: &SegmentTable) -> Vec<(String, DataType)> {
    use datafusion::catalog::TableProvider;
    let schema = histograms.schema();
    let own = schema
        .fields()
        .iter()
        .filter(|field| !OF_EVERY_POINT.contains(&field.name().as_str()) && field.name() != PART);
    own.map(|field| (field.name().clone(), field.data_type().clone()))
        .collect()
}

/// The points of one table with the columns of both.
fn points(
    provider: &Arc<SegmentTable>,
    table: Table,
    of_histograms: &[(String, DataType)],
) -> Result<LogicalPlanBuilder> {
    let null = |data_type: &DataType, name: &str| -> Result<Expr> {
        Ok(Expr::Literal(ScalarValue::try_from(data_type)?, None).alias(name))
    };
    let mut columns: Vec<Expr> = [PART]
        .iter()
        .chain(&OF_EVERY_POINT)
        .map(|c| ident(*c))
        .collect();
    match table {
        Table::Samples => {
            let integer = cast(col("value_int"), DataType::Float64);
            columns.push(coalesce(vec![col("value"), integer]).alias("value"));
            columns.push(col("value_int"));
        }
        _ => {
            columns.push(null(&DataType::Float64, "value")?);
            columns.push(null(&DataType::Int64, "value_int")?);
        }
    }
    for (name, data_type) in of_histograms {
        columns.push(match table {
            Table::Samples => null(data_type, name)?,
            _ => ident(name.clone()),
        });
    }
    let source = provider_as_source(provider.clone());
    LogicalPlanBuilder::scan(table.as_str(), source, None)?.project(columns)
}

/// The columns of the view.
fn shown(of_histograms: &[(String, DataType)]) -> Vec<Expr> {
    // Without aliases: the optimizer cannot take an attribute out below a projection that has a column under both
    // its qualified and its bare name.
    let of = |side: &str, name: &str| Expr::Column(Column::new(Some(side), name));
    let mut columns = vec![
        of("points", "timestamp"),
        of("points", "start_timestamp"),
        of("points", "metric"),
    ];
    columns.extend(OF_SERIES_FIRST.map(|name| of("series", name)));
    columns.extend(["value", "value_int"].map(|name| of("points", name)));
    columns.extend(of_histograms.iter().map(|(name, _)| of("points", name)));
    columns.push(of("points", "flags"));
    columns.push(of("points", "series_id"));
    columns.extend(OF_SERIES_LAST.map(|name| of("series", name)));
    columns
}
