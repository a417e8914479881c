//! Narrows both sides of the join behind `metrics` to the parts that either side may match, and drops the side
//! of the series where nothing of it is asked for.
//!
//! A filter on time rules out segments of points, one on attributes rules out segments of series; a join on
//! the part needs only those parts that are left on both sides. Filters on the metric hold for both sides.

use super::segments::SegmentTable;
use crate::columns::PART;
use cairn_storage::signal::Table;
use datafusion::{
    common::{
        Column, JoinType,
        tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    },
    datasource::{provider_as_source, source_as_provider},
    error::Result,
    logical_expr::{Expr, Join, LogicalPlan, Projection, TableScan},
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};
use std::{collections::BTreeSet, sync::Arc};

/// The rule; goes after those that push filters down.
#[derive(Debug, Default)]
pub struct SharedParts;

impl OptimizerRule for SharedParts {
    fn name(&self) -> &str {
        "shared_parts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Projection(projection) => without_series(projection),
            LogicalPlan::Join(join) if joins_parts(&join) => narrow(join),
            other => Ok(Transformed::no(other)),
        }
    }
}

/// Whether `join` is that of points and series.
fn joins_parts(join: &Join) -> bool {
    let is_part = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == PART);
    join.join_type == JoinType::Inner
        && join
            .on
            .iter()
            .any(|(left, right)| is_part(left) && is_part(right))
}

/// A scan of one of our tables.
struct Scan {
    provider: SegmentTable,
    filters: Vec<Expr>,
}

fn scans(plan: &LogicalPlan) -> Result<Vec<Scan>> {
    let mut scans = Vec::new();
    plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(provider) = provider(scan)
        {
            scans.push(Scan {
                provider,
                // The provider knows its columns without the name of the table.
                filters: scan.filters.iter().cloned().map(unqualified).collect(),
            });
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scans)
}

pub(super) fn provider(scan: &TableScan) -> Option<SegmentTable> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: &dyn std::any::Any = provider.as_ref();
    provider.downcast_ref::<SegmentTable>().cloned()
}

fn narrow(join: Join) -> Result<Transformed<LogicalPlan>> {
    let (left, right) = (scans(&join.left)?, scans(&join.right)?);
    let of_series = |scans: &[Scan]| scans.len() == 1 && scans[0].provider.table() == Table::Series;
    let (points, series) = match (of_series(&left), of_series(&right)) {
        (false, true) => (left, right),
        (true, false) => (right, left),
        _ => return Ok(Transformed::no(LogicalPlan::Join(join))),
    };
    if points
        .iter()
        .chain(&series)
        .all(|scan| scan.provider.is_narrowed())
    {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let on_metric = on_metric(&points);
    let mut of_points = BTreeSet::new();
    for scan in &points {
        of_points.extend(scan.provider.parts(&scan.filters)?);
    }
    let with_metric: Vec<Expr> = series[0]
        .filters
        .iter()
        .chain(&on_metric)
        .cloned()
        .collect();
    let of_series = series[0].provider.parts(&with_metric)?;
    let shared: Arc<BTreeSet<i32>> =
        Arc::new(of_points.intersection(&of_series).copied().collect());
    let narrowed = LogicalPlan::Join(join).transform_up(|node| match node {
        LogicalPlan::TableScan(scan) => narrow_scan(scan, &shared, &on_metric),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(Transformed::yes(narrowed.data))
}

fn narrow_scan(
    mut scan: TableScan,
    shared: &Arc<BTreeSet<i32>>,
    on_metric: &[Expr],
) -> Result<Transformed<LogicalPlan>> {
    let Some(provider) = provider(&scan) else {
        return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    };
    if provider.table() == Table::Series {
        for filter in on_metric {
            if !scan.filters.iter().any(|own| same_filter(own, filter)) {
                scan.filters.push(filter.clone());
            }
        }
    }
    scan.source = provider_as_source(Arc::new(provider.narrowed(shared.clone())));
    Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
}

/// The filters that speak of the metric alone and that every scan of points has, without qualifiers.
fn on_metric(points: &[Scan]) -> Vec<Expr> {
    let Some((first, rest)) = points.split_first() else {
        return Vec::new();
    };
    let speaks_of_metric = |filter: &&Expr| {
        let columns = filter.column_refs();
        !columns.is_empty() && columns.iter().all(|column| column.name == "metric")
    };
    let in_all = |filter: &&Expr| {
        rest.iter()
            .all(|scan| scan.filters.iter().any(|other| same_filter(other, filter)))
    };
    let common = first.filters.iter().filter(speaks_of_metric).filter(in_all);
    common.map(|filter| unqualified(filter.clone())).collect()
}

fn same_filter(left: &Expr, right: &Expr) -> bool {
    unqualified(left.clone()) == unqualified(right.clone())
}

fn unqualified(expr: Expr) -> Expr {
    let bare = expr.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) if column.relation.is_some() => {
                Transformed::yes(Expr::Column(Column::from_name(column.name)))
            }
            other => Transformed::no(other),
        })
    });
    bare.data().expect("taking qualifiers away does not fail")
}

/// A projection of points alone over the join: every point has exactly one series in its part, so without a
/// filter on the series the join neither drops nor adds rows.
fn without_series(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    let same = |projection| Ok(Transformed::no(LogicalPlan::Projection(projection)));
    let LogicalPlan::Join(join) = projection.input.as_ref() else {
        return same(projection);
    };
    if !joins_parts(join) || join.filter.is_some() {
        return same(projection);
    }
    let is_series = |plan: &LogicalPlan| match plan {
        LogicalPlan::TableScan(scan) => {
            scan.filters.is_empty()
                && scan.fetch.is_none()
                && provider(scan).is_some_and(|p| p.table() == Table::Series)
        }
        _ => false,
    };
    let points = match (is_series(&join.left), is_series(&join.right)) {
        (false, true) => &join.left,
        (true, false) => &join.right,
        _ => return same(projection),
    };
    let of_points = projection.expr.iter().all(|expr| {
        expr.column_refs()
            .iter()
            .all(|column| points.schema().has_column(column))
    });
    if !of_points {
        return same(projection);
    }
    let input = points.clone();
    Ok(Transformed::yes(LogicalPlan::Projection(
        Projection::try_new(projection.expr, input)?,
    )))
}
