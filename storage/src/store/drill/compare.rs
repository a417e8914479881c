//! Counts of a restored catalog against those that it should have.

use crate::{
    id::{SegmentId, TenantId},
    segment::SegmentMeta,
    signal::{Signal, Table},
    store::rows_of_tables::{self, Place},
};
use std::collections::{BTreeMap, BTreeSet};

/// What became of the rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// As many as there should be.
    All,
    /// Rows are gone.
    Fewer,
    /// Rows are there that nobody knows: something counts twice.
    More,
    /// There is nothing to hold them against.
    NotCompared,
}

/// Rows of one table, after a restore and as they should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableDrill {
    pub tenant: TenantId,
    pub signal: Signal,
    pub table: Table,
    /// Rows that are there again.
    pub rows: u64,
    /// Rows that have to be there.
    pub at_least: u64,
    /// Rows that may be there; `None` where segments came after the backup.
    pub at_most: Option<u64>,
    pub found: Found,
}

impl TableDrill {
    /// Whether nothing is wrong with it.
    pub fn is_sound(&self) -> bool {
        matches!(self.found, Found::All | Found::NotCompared)
    }
}

/// What has to be there.
pub(super) struct Expected {
    at_least: BTreeMap<Place, u64>,
    /// `None`: more may be there.
    at_most: Option<BTreeMap<Place, u64>>,
    segments: BTreeSet<SegmentId>,
    /// Tenants whose dead letters may have been evicted since.
    evicted: BTreeSet<TenantId>,
}

impl Expected {
    /// By a catalog's live segments.
    pub(super) fn of_catalog(segments: &[SegmentMeta]) -> Expected {
        let rows = rows_of_tables::count(segments.iter());
        Expected {
            at_most: Some(rows.clone()),
            at_least: rows,
            segments: ids(segments),
            evicted: BTreeSet::new(),
        }
    }

    /// By the live segments of a backup, after which there may have come more. A tenant's dead letters above half of what
    /// it may have can have been evicted since.
    pub(super) fn of_backup(
        segments: &[SegmentMeta],
        may_be_more: bool,
        dead_letter_bytes: u64,
    ) -> Expected {
        let mut expected = Expected::of_catalog(segments);
        if may_be_more {
            expected.at_most = None;
        }
        let mut letters: BTreeMap<&TenantId, u64> = BTreeMap::new();
        for meta in segments
            .iter()
            .filter(|meta| meta.signal == Signal::DeadLetters)
        {
            *letters.entry(&meta.tenant).or_default() += meta.bytes();
        }
        let many = letters
            .into_iter()
            .filter(|(_, bytes)| *bytes > dead_letter_bytes / 2);
        expected.evicted = many.map(|(tenant, _)| tenant.clone()).collect();
        expected
    }

    /// As it was or as `later` says, or anything between.
    pub(super) fn or(&mut self, later: Expected) {
        let places: BTreeSet<Place> = self
            .at_least
            .keys()
            .chain(later.at_least.keys())
            .cloned()
            .collect();
        for place in places {
            let now = later.at_least.get(&place).copied().unwrap_or(0);
            let least = self.at_least.entry(place.clone()).or_default();
            *least = now.min(*least);
            if let Some(at_most) = &mut self.at_most {
                let most = at_most.entry(place).or_default();
                *most = now.max(*most);
            }
        }
        self.segments = later.segments;
    }
}

fn ids(segments: &[SegmentMeta]) -> BTreeSet<SegmentId> {
    segments.iter().map(|meta| meta.id).collect()
}

/// Holds what the live segments `found` hold against what is expected, table by table.
pub(super) fn compare(expected: &Expected, found: &[SegmentMeta]) -> Vec<TableDrill> {
    let rows = rows_of_tables::count(found.iter());
    let are_same = ids(found) == expected.segments;
    let places: BTreeSet<&Place> = rows.keys().chain(expected.at_least.keys()).collect();
    let compared = places.into_iter().map(|place| {
        let rows = rows.get(place).copied().unwrap_or(0);
        let at_least = expected.at_least.get(place).copied().unwrap_or(0);
        let at_most = expected.at_most.as_ref();
        let at_most = at_most.map(|most| most.get(place).copied().unwrap_or(0));
        let (tenant, signal, table) = place.clone();
        let is_loose = table == Table::Series && !are_same
            || table == Table::DeadLetters && expected.evicted.contains(&tenant);
        let found = if is_loose {
            Found::NotCompared
        } else if rows < at_least {
            Found::Fewer
        } else if at_most.is_some_and(|most| rows > most) {
            Found::More
        } else {
            Found::All
        };
        TableDrill {
            tenant,
            signal,
            table,
            rows,
            at_least,
            at_most,
            found,
        }
    });
    compared.collect()
}

#[cfg(test)]
mod tests;
