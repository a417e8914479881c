//! The series of a segment: those that its points refer to, each once, with the stretch of its points.

use super::{
    gather::RowRef,
    order::{TableRows, position},
    window::RowRange,
};
use crate::{buffered::BufferedRequest, error::Result, signal::Table};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The points of a series in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) min_timestamp: i64,
    pub(crate) max_timestamp: i64,
    /// In `samples`, or else in `histograms`.
    pub(crate) row_start: i64,
    pub(crate) row_count: i64,
}

/// A series by its metric and id.
type Key = (Arc<str>, i64);

/// The rows of `series` for `points` (samples, histograms, exemplars, each sorted by series), sorted by metric and id,
/// and the extent of each. Of several rows of one series the last that arrived stands.
pub(crate) fn collect(
    requests: &[Arc<BufferedRequest>],
    points: &mut [TableRows],
) -> Result<Option<(TableRows, Vec<Extent>)>> {
    let mut extents = BTreeMap::new();
    for table in [Table::Samples, Table::Histograms, Table::Exemplars] {
        for rows in points.iter_mut().filter(|rows| rows.table == table) {
            add_extents(&mut extents, rows)?;
        }
    }
    let ranges = series_ranges(requests);
    if extents.is_empty() || ranges.is_empty() {
        return Ok(None);
    }
    let mut series = TableRows::arrived(Table::Series, requests, &ranges)?;
    let found = latest_rows(&mut series, &extents)?;
    let (rows, extents) = extents
        .iter()
        .filter_map(|(key, extent)| Some((*found.get(key)?, *extent)))
        .unzip::<RowRef, Extent, Vec<_>, Vec<_>>();
    series.rows = rows;
    Ok((!series.rows.is_empty()).then_some((series, extents)))
}

/// All rows of `series` in `requests`.
fn series_ranges(requests: &[Arc<BufferedRequest>]) -> Vec<RowRange> {
    let requests = requests.iter().enumerate();
    requests
        .filter_map(|(number, request)| {
            let rows = request.batch(Table::Series)?.num_rows() as u32;
            (rows > 0).then_some(RowRange {
                request: number as u32,
                start: 0,
                rows,
            })
        })
        .collect()
}

/// Adds the stretches of one table's points.
fn add_extents(extents: &mut BTreeMap<Key, Extent>, points: &mut TableRows) -> Result<()> {
    let metric = position(points.table, "metric");
    let counted = points.table != Table::Exemplars;
    let dictionary = points.batches.dictionary(metric)?;
    let names: Vec<Arc<str>> = dictionary
        .values()
        .iter()
        .map(|name| name.unwrap_or_default().into())
        .collect();
    let metrics: Vec<usize> = points
        .rows
        .iter()
        .map(|row| dictionary.position(*row).unwrap_or(0))
        .collect();
    let (ids, times) = (points.series_ids(), points.times()?);
    let id = |i: usize| ids[points.rows[i].0][points.rows[i].1];
    let mut start = 0;
    while start < points.rows.len() {
        let same = |i: &usize| metrics[*i] == metrics[start] && id(*i) == id(start);
        let end = (start..points.rows.len())
            .take_while(same)
            .last()
            .unwrap_or(start)
            + 1;
        // Sorted by time, so the ends of the stretch are the bounds.
        let time = |i: usize| times[points.rows[i].0][points.rows[i].1];
        let (row_start, row_count) = if counted {
            (start as i64, (end - start) as i64)
        } else {
            (0, 0)
        };
        let (min_timestamp, max_timestamp) = (time(start), time(end - 1));
        let extent = Extent {
            min_timestamp,
            max_timestamp,
            row_start,
            row_count,
        };
        let key = (names[metrics[start]].clone(), id(start));
        // A series whose points are counted already keeps its extent.
        extents.entry(key).or_insert(extent);
        start = end;
    }
    Ok(())
}

/// The last arrived row of each wanted series.
fn latest_rows(
    series: &mut TableRows,
    wanted: &BTreeMap<Key, Extent>,
) -> Result<HashMap<Key, RowRef>> {
    let ids = series
        .series_ids()
        .into_iter()
        .map(<[i64]>::to_vec)
        .collect::<Vec<_>>();
    let dictionary = series
        .batches
        .dictionary(position(Table::Series, "metric"))?;
    let names: Vec<Arc<str>> = dictionary
        .values()
        .iter()
        .map(|name| name.unwrap_or_default().into())
        .collect();
    // By metric and id as numbers, so that a row costs no comparison of names.
    let mut latest: HashMap<(usize, i64), RowRef> = HashMap::with_capacity(wanted.len());
    for row in &series.rows {
        if let Some(metric) = dictionary.position(*row) {
            latest.insert((metric, ids[row.0][row.1]), *row);
        }
    }
    let found = latest.into_iter();
    Ok(found
        .map(|((metric, id), row)| ((names[metric].clone(), id), row))
        .collect())
}
