//! Asks the index sidecars which rows may hold the ids, the words and the pairs that filters demand.

use super::{
    SegmentPart,
    search::{Either, Search},
};
use crate::scope::Scope;
use cairn_storage::{
    error::Kind,
    segment::{
        index::{Blocks, Index},
        read::ReadCounters,
    },
};
use datafusion::{
    common::ScalarValue,
    error::{DataFusionError, Result},
    logical_expr::Expr,
    physical_expr::{
        PhysicalExpr,
        utils::{Guarantee, LiteralGuarantee},
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::arrow_reader::RowSelection;
use std::{ops::Range, sync::Arc};

/// A segment to read, and the rows of it to which the index narrows it down.
pub(super) struct Probed {
    pub(super) part: SegmentPart,
    pub(super) selection: Option<RowSelection>,
    /// Whether all rows of the file are in the view; its statistics are exact only then.
    pub(super) is_whole: bool,
}

/// Sidecars that are asked at the same time: enough to hide the latency of an object store.
const CONCURRENT_PROBES: usize = 32;

/// Longer lists of ids select most blocks anyway.
const MOST_TOKENS: usize = 64;

/// An id column and the ids of which a row must have one.
struct Demand {
    column: String,
    tokens: Vec<Vec<u8>>,
}

/// What is asked of every index.
pub(super) struct Asked {
    ids: Vec<Demand>,
    search: Search,
    eithers: Vec<Either>,
}

impl Asked {
    /// What `filters` ask for; `predicate` is all of them.
    pub(super) fn of(filters: &[Expr], predicate: Option<&Arc<dyn PhysicalExpr>>) -> Asked {
        Asked {
            ids: predicate.map(demands).unwrap_or_default(),
            search: Search::of(filters),
            eithers: Either::of(filters),
        }
    }
}

/// Drops the segments whose index rules them out and narrows the others.
pub(super) async fn probe(
    parts: Vec<SegmentPart>,
    asked: &Asked,
    scope: &Scope,
) -> Result<Vec<Probed>> {
    // `buffered` keeps the order, which is newest first.
    let probed: Vec<Option<Probed>> = stream::iter(parts)
        .map(|part| probe_one(part, asked, scope))
        .buffered(CONCURRENT_PROBES)
        .try_collect()
        .await?;
    Ok(probed.into_iter().flatten().collect())
}

fn demands(predicate: &Arc<dyn PhysicalExpr>) -> Vec<Demand> {
    let of_ids = |guarantee: LiteralGuarantee| {
        if guarantee.guarantee != Guarantee::In || guarantee.literals.len() > MOST_TOKENS {
            return None;
        }
        let token = |value: &ScalarValue| match value {
            ScalarValue::FixedSizeBinary(_, Some(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        let tokens = guarantee
            .literals
            .iter()
            .map(token)
            .collect::<Option<Vec<_>>>()?;
        Some(Demand {
            column: guarantee.column.name,
            tokens,
        })
    };
    LiteralGuarantee::analyze(predicate)
        .into_iter()
        .filter_map(of_ids)
        .collect()
}

async fn probe_one(part: SegmentPart, asked: &Asked, scope: &Scope) -> Result<Option<Probed>> {
    let rows = part.object().rows;
    let Some(kept) = kept(&part, asked, scope).await? else {
        return Ok(Some(Probed {
            part,
            selection: None,
            is_whole: true,
        }));
    };
    let selected: u64 = kept
        .iter()
        .map(|range| range.end.min(rows) - range.start.min(rows))
        .sum();
    if selected == 0 {
        return Ok(None);
    }
    // A selection of most rows saves little and switches other pruning off (datafusion#24355).
    let selection = (selected * 2 <= rows).then(|| {
        let ranges = kept
            .iter()
            .map(|range| range.start as usize..range.end.min(rows) as usize);
        RowSelection::from_consecutive_ranges(ranges, rows as usize)
    });
    Ok(Some(Probed {
        part,
        selection,
        is_whole: true,
    }))
}

/// The rows that may hold all that is asked for; `None` where nothing is, or no index says.
async fn kept(part: &SegmentPart, asked: &Asked, scope: &Scope) -> Result<Option<Vec<Range<u64>>>> {
    let search = asked.search.in_file(part.object());
    if asked.ids.is_empty() && search.is_nothing() && asked.eithers.is_empty() {
        return Ok(None);
    }
    let counters = scope.report().counters();
    let index = scope.store().index(&part.segment, counters).await;
    let Some(index) = usable(index, part, scope)?.flatten() else {
        return Ok(None);
    };
    let mut kept: Option<Vec<Range<u64>>> = None;
    let mut keep = |blocks: Vec<Range<u64>>| {
        kept = Some(match kept.take() {
            Some(kept) => intersection(&kept, &blocks),
            None => blocks,
        });
    };
    for demand in &asked.ids {
        let blocks = blocks(&index, part, demand, counters).await;
        if let Some(blocks) = usable(blocks, part, scope)?.flatten() {
            keep(blocks);
        }
    }
    if !search.is_nothing() {
        let table = part.object().table;
        let blocks = index.blocks_that(table, &search, counters).await;
        if let Some(Blocks::Rows(blocks)) = usable(blocks, part, scope)? {
            keep(blocks);
        }
    }
    for either in &asked.eithers {
        let blocks = blocks_of_either(&index, part, either, counters).await;
        if let Some(blocks) = usable(blocks, part, scope)?.flatten() {
            keep(blocks);
        }
    }
    Ok(kept)
}

/// The rows that may hold one of the texts or one of the ids; `None` if the index does not say of all of them.
async fn blocks_of_either(
    index: &Index,
    part: &SegmentPart,
    either: &Either,
    counters: &ReadCounters,
) -> cairn_storage::error::Result<Option<Vec<Range<u64>>>> {
    let object = part.object();
    let texts = either.texts.in_file(object);
    if texts.is_nothing() {
        return Ok(None);
    }
    let Blocks::Rows(mut all) = index.blocks_that(object.table, &texts, counters).await? else {
        return Ok(None);
    };
    for (column, id) in &either.ids {
        match index
            .blocks_with(object.table, column, id, counters)
            .await?
        {
            Blocks::Unknown => return Ok(None),
            Blocks::Rows(ranges) => all.extend(ranges),
        }
    }
    Ok(Some(merged(all)))
}

/// The rows that may hold one of the ids; `None` if the index does not say.
async fn blocks(
    index: &Index,
    part: &SegmentPart,
    demand: &Demand,
    counters: &ReadCounters,
) -> cairn_storage::error::Result<Option<Vec<Range<u64>>>> {
    let mut all = Vec::new();
    for token in &demand.tokens {
        let table = part.object().table;
        match index
            .blocks_with(table, &demand.column, token, counters)
            .await?
        {
            Blocks::Unknown => return Ok(None),
            Blocks::Rows(ranges) => all.extend(ranges),
        }
    }
    Ok(Some(merged(all)))
}

/// Ranges in their order, each row once.
fn merged(mut all: Vec<Range<u64>>) -> Vec<Range<u64>> {
    all.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(all.len());
    for range in all {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// What is in both of two lists of sorted, disjoint ranges.
fn intersection(left: &[Range<u64>], right: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut both = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() && r < right.len() {
        let start = left[l].start.max(right[r].start);
        let end = left[l].end.min(right[r].end);
        if start < end {
            both.push(start..end);
        }
        match left[l].end < right[r].end {
            true => l += 1,
            false => r += 1,
        }
    }
    both
}

/// What an index said; `None` where it is damaged, gone or of a newer format: the segment is read without it.
fn usable<T>(
    said: cairn_storage::error::Result<T>,
    part: &SegmentPart,
    scope: &Scope,
) -> Result<Option<T>> {
    match said {
        Ok(said) => Ok(Some(said)),
        Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::NotFound | Kind::Invalid) => {
            let segment = part.segment.meta.id;
            scope
                .store()
                .report_index_damage(segment, &error.to_string());
            Ok(None)
        }
        Err(error) => Err(external(error)),
    }
}

fn external(error: cairn_storage::error::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
