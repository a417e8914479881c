//! The points of selected series, read in passes: each takes as many series as fit in its memory.
//!
//! In every file points lie by metric, series and time, so a later pass reads other pages than an earlier one. A pass
//! takes what comes, from all files at once; when it passes its budget it lets go of the upper half of its series, and
//! the next pass begins with these.

use super::{
    catalog::{LISTED_METRICS, in_time},
    collected::{Collected, NANOS_PER_MILLI, NO_RECORDED_VALUE, POINT_BYTES, Pass, STALE},
    distributions::{self, Distributions},
    metric::Part,
    selected::Selected,
};
use crate::{
    columns::PART,
    error::{Error, Result},
    session::TenantSession,
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
};
use cairn_promql::source::Selection;
use cairn_storage::signal::Table;
use datafusion::{
    datasource::provider_as_source,
    execution::memory_pool::MemoryReservation,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit},
};
use futures::StreamExt;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Series that are told to the scan one by one; with more of them it reads their whole metric.
const LISTED_SERIES: usize = 256;

/// How far before the time of a selector a native histogram is looked for, which tells whether the first one in it goes
/// on from there.
const BEFORE_MS: i64 = 5 * 60 * 1000;

/// What a pass reads from and may take.
pub(super) struct Reading<'a> {
    pub(super) session: &'a TenantSession,
    pub(super) selection: &'a Selection,
    pub(super) selected: &'a Selected,
    pub(super) memory: &'a mut MemoryReservation,
    pub(super) budget_bytes: usize,
}

impl Reading<'_> {
    /// Reads the points of groups from `first` on, of as many as fit.
    pub(super) async fn pass(&mut self, first: usize) -> Result<Pass> {
        let groups = &self.selected.groups[first..];
        let mut pass = Pass {
            first,
            collected: groups.iter().map(|_| Collected::default()).collect(),
            bytes: 0,
        };
        let parts: BTreeSet<bool> = self
            .selected
            .members
            .values()
            .flatten()
            .map(|(_, part)| part.is_number())
            .collect();
        if parts.contains(&true) {
            let columns = [
                PART,
                "series_id",
                "timestamp",
                "flags",
                "value",
                "value_int",
            ];
            self.read(Table::Samples, &columns, &mut pass).await?;
        }
        if parts.contains(&false) {
            self.read(Table::Histograms, &distributions::COLUMNS, &mut pass)
                .await?;
        }
        Ok(pass)
    }

    async fn read(&mut self, table: Table, columns: &[&str], pass: &mut Pass) -> Result<()> {
        let mut rows = self
            .session
            .rows(self.plan(table, columns, pass.first)?)
            .await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            match table {
                Table::Samples => samples(&batch, &self.selected.members, pass),
                _ => {
                    let wanted = (self.selected, self.selection.from_ms);
                    Distributions::of(&batch)?.collect(wanted, pass)?;
                }
            }
            self.fit(pass)?;
        }
        Ok(())
    }

    fn plan(&self, table: Table, columns: &[&str], first: usize) -> Result<LogicalPlan> {
        let source = provider_as_source(Arc::new(self.session.table(table)));
        let mut plan = LogicalPlanBuilder::scan(table.as_str(), source, None)?;
        let earlier_ms = match table {
            Table::Histograms => BEFORE_MS,
            _ => 0,
        };
        for filter in in_time(self.selection, earlier_ms)
            .into_iter()
            .chain(self.series(first))
        {
            plan = plan.filter(filter)?;
        }
        Ok(plan
            .project(columns.iter().map(|name| col(*name)))?
            .build()?)
    }

    /// Filters that the series of the groups from `first` on pass.
    fn series(&self, first: usize) -> Vec<Expr> {
        let groups = &self.selected.groups[first..];
        let metrics: BTreeSet<&str> = groups.iter().map(|group| &*group.metric).collect();
        let mut filters = Vec::new();
        // A group may be made of series of several metrics; the list names one of each only.
        let is_whole = metrics.len() <= LISTED_METRICS && self.selected.one_metric_each;
        if is_whole {
            let list = metrics.iter().map(|metric| lit(*metric)).collect();
            filters.push(col("metric").in_list(list, false));
        }
        if self.selected.members.len() <= LISTED_SERIES {
            let ids: BTreeSet<i64> = self.selected.members.keys().copied().collect();
            let list = ids.into_iter().map(lit).collect();
            filters.push(col("series_id").in_list(list, false));
        } else if let (true, 1, Some(group)) = (is_whole, metrics.len(), groups.first()) {
            filters.push(col("series_id").gt_eq(lit(group.first_id)));
        }
        filters
    }

    /// Keeps `pass` within the budget by leaving the upper half of its series to the next one.
    fn fit(&mut self, pass: &mut Pass) -> Result<()> {
        loop {
            let bytes = pass.bytes;
            if bytes <= self.budget_bytes && self.memory.try_resize(bytes).is_ok() {
                return Ok(());
            }
            if pass.collected.len() < 2 {
                return Err(Error::TooLarge {
                    what: format!(
                        "the memory for the points of one series ({}), in bytes,",
                        self.selected.groups[pass.first].labels
                    ),
                    limit: self.budget_bytes as u64,
                    place: None,
                });
            }
            let mut taken = 0;
            let below_half = |collected: &&Collected| {
                taken += collected.bytes();
                taken <= bytes / 2
            };
            let kept = pass.collected.iter().take_while(below_half).count();
            let most = pass.collected.len() - 1;
            pass.collected.truncate(kept.clamp(1, most));
            pass.bytes = pass.collected.iter().map(Collected::bytes).sum();
        }
    }
}

/// Adds the number points of `batch` to their groups.
fn samples(batch: &RecordBatch, members: &HashMap<i64, Vec<(usize, Part)>>, pass: &mut Pass) {
    let part = batch.column(0).as_primitive::<Int32Type>();
    let ids = batch.column(1).as_primitive::<Int64Type>();
    let times = batch.column(2).as_primitive::<TimestampNanosecondType>();
    let flags = batch.column(3).as_primitive::<Int64Type>();
    let values = batch.column(4).as_primitive::<Float64Type>();
    let integers = batch.column(5).as_primitive::<Int64Type>();
    let mut row = 0;
    while row < batch.num_rows() {
        let id = ids.value(row);
        let end = (row..batch.num_rows()).find(|next| ids.value(*next) != id);
        let end = end.unwrap_or(batch.num_rows());
        let groups = members.get(&id).map_or(&[][..], Vec::as_slice);
        for (group, _) in groups.iter().filter(|(_, part)| part.is_number()) {
            let Some(collected) = pass.group(*group) else {
                continue;
            };
            for row in row..end {
                let value = match (
                    flags.value(row) & NO_RECORDED_VALUE != 0,
                    values.is_null(row),
                ) {
                    (true, _) => STALE,
                    (false, false) => values.value(row),
                    (false, true) if integers.is_null(row) => continue,
                    (false, true) => integers.value(row) as f64,
                };
                let time = times.value(row).div_euclid(NANOS_PER_MILLI);
                collected.floats.push(part.value(row), time, value);
            }
            pass.bytes += POINT_BYTES * (end - row);
        }
        row = end;
    }
}
