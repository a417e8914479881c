//! Rows -> refusals of the records that break a limit.
//!
//! A record is refused whole: a span for its events and links too, a data point for its series and exemplars.
//! Most requests have nothing to refuse; for them only lengths and times are looked at and nothing is copied.
//!
//! Replay never admits anew: limits and clocks change, what was acknowledged stays.

mod measure;
mod rows;

use crate::config::Config;
use arrow::{
    array::{AsArray, RecordBatch, StringArray, TimestampNanosecondArray},
    datatypes::{DataType, Int32Type, TimestampNanosecondType},
};
use cairn_storage::{
    append::{Decoded, Reason, Refusal},
    signal::Table,
    time::Nanos,
};
use measure::Measure;
use rows::{Refused, column, ordinal, series_ids};
use std::{collections::HashMap, time::Duration};

/// The limits on records.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    max_attributes: usize,
    max_key_bytes: usize,
    max_value_bytes: usize,
    max_record_bytes: usize,
    max_age: Option<Duration>,
    max_future: Option<Duration>,
}

/// Series to be refused with all of their points, by id.
type RefusedSeries = HashMap<i64, (Reason, String)>;

impl Limits {
    /// The limits that `config` sets.
    pub fn new(config: &Config) -> Limits {
        let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let time = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        Limits {
            max_attributes: bytes(config.max_attributes),
            max_key_bytes: bytes(config.max_key_bytes),
            max_value_bytes: bytes(config.max_value_bytes),
            max_record_bytes: bytes(config.max_record_bytes),
            max_age: time(config.max_age_seconds),
            max_future: time(config.max_future_seconds),
        }
    }
}

/// The records of `decoded`, received at `received`, that break `limits`, by ordinal.
pub fn admit(decoded: &Decoded, limits: &Limits, received: Nanos) -> Vec<Refusal> {
    let mut refused = Refused::new();
    let mut refused_series = RefusedSeries::new();
    for (table, batch) in &decoded.tables {
        check_time(*table, batch, (limits, received), &mut refused);
        if *table == Table::Series {
            let ids = series_ids(batch).values();
            check_texts(batch, limits, |row, why| {
                refused_series.entry(ids[row]).or_insert(why);
            });
        } else {
            check_texts(batch, limits, |row, why| {
                refused.entry(ordinal(batch, row)).or_insert(why);
            });
        }
    }
    check_records(decoded, limits, &mut refused);
    if !refused_series.is_empty() {
        refuse_points(decoded, &refused_series, &mut refused);
    }
    let refusal = |(ordinal, (reason, detail))| Refusal {
        ordinal,
        reason,
        detail,
    };
    refused.into_iter().map(refusal).collect()
}

/// Refuses records that are too old or too far ahead.
fn check_time(
    table: Table,
    batch: &RecordBatch,
    (limits, received): (&Limits, Nanos),
    refused: &mut Refused,
) {
    // Events, links and exemplars have the fate of their record.
    if !matches!(
        table,
        Table::Logs | Table::Spans | Table::Samples | Table::Histograms
    ) {
        return;
    }
    let times: &TimestampNanosecondArray =
        column(batch, "timestamp").as_primitive::<TimestampNanosecondType>();
    let oldest = limits.max_age.map_or(i64::MIN, |age| received.minus(age).0);
    let newest = limits
        .max_future
        .map_or(i64::MAX, |future| received.plus(future).0);
    if times
        .values()
        .iter()
        .all(|time| (oldest..=newest).contains(time))
    {
        return;
    }
    for (row, time) in times.values().iter().enumerate() {
        let why = if *time < oldest {
            let seconds = received.since(Nanos(*time)).as_secs();
            let limit = limits.max_age.unwrap_or_default().as_secs();
            (
                Reason::TooOld,
                format!("its time is {seconds} s ago, {limit} s are taken"),
            )
        } else if *time > newest {
            let seconds = Nanos(*time).since(received).as_secs();
            let limit = limits.max_future.unwrap_or_default().as_secs();
            (
                Reason::TooFarAhead,
                format!("its time is {seconds} s ahead, {limit} s are taken"),
            )
        } else {
            continue;
        };
        refused.entry(ordinal(batch, row)).or_insert(why);
    }
}

/// Checks every text of a batch by itself and calls `refuse` with each row that has one that is too large.
fn check_texts(
    batch: &RecordBatch,
    limits: &Limits,
    mut refuse: impl FnMut(usize, (Reason, String)),
) {
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        match field.data_type() {
            DataType::Utf8 => {
                for (row, why) in check_column(name, array.as_string::<i32>(), limits) {
                    refuse(row, why);
                }
            }
            DataType::Dictionary(..) => {
                let dictionary = array.as_dictionary::<Int32Type>();
                let bad: HashMap<i32, (Reason, String)> =
                    check_column(name, dictionary.values().as_string::<i32>(), limits)
                        .map(|(value, why)| (value as i32, why))
                        .collect();
                if bad.is_empty() {
                    continue;
                }
                for (row, key) in dictionary.keys().iter().enumerate() {
                    if let Some(why) = key.and_then(|key| bad.get(&key)) {
                        refuse(row, why.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

/// The values of a text column that break a limit.
fn check_column<'a>(
    name: &'a str,
    texts: &'a StringArray,
    limits: &'a Limits,
) -> impl Iterator<Item = (usize, (Reason, String))> + 'a {
    let is_map = name == "attributes" || name.ends_with("_attributes") || name == "metadata";
    // A map this short breaks no limit: an entry takes four bytes (`"":0`) and its comma.
    let threshold = if is_map {
        limits
            .max_key_bytes
            .min(limits.max_attributes.saturating_mul(5))
            .min(limits.max_value_bytes)
    } else {
        limits.max_value_bytes
    };
    let lengths = texts.offsets().lengths().enumerate();
    lengths
        .filter(move |(_, length)| *length > threshold)
        .filter_map(move |(index, length)| {
            let why = if is_map {
                measure::map(texts.value(index)).broken(name, limits)?
            } else {
                too_large(name, length, limits.max_value_bytes)
            };
            Some((index, why))
        })
}

impl Measure {
    /// The limit that a map breaks, if any.
    fn broken(&self, name: &str, limits: &Limits) -> Option<(Reason, String)> {
        if self.entries > limits.max_attributes {
            let detail = format!(
                "{} entries in {name}, {} are taken",
                self.entries, limits.max_attributes
            );
            return Some((Reason::TooManyAttributes, detail));
        }
        if self.longest_key_bytes > limits.max_key_bytes {
            let what = format!("a key in {name}");
            return Some(too_large(
                &what,
                self.longest_key_bytes,
                limits.max_key_bytes,
            ));
        }
        if self.longest_value_bytes > limits.max_value_bytes {
            let what = format!("a value in {name}");
            return Some(too_large(
                &what,
                self.longest_value_bytes,
                limits.max_value_bytes,
            ));
        }
        None
    }
}

/// Refuses records whose texts together are too large.
fn check_records(decoded: &Decoded, limits: &Limits, refused: &mut Refused) {
    let own_texts = |batch: &RecordBatch| -> Vec<StringArray> {
        batch
            .columns()
            .iter()
            .filter_map(|array| array.as_string_opt::<i32>().cloned())
            .collect()
    };
    let of_records = decoded
        .tables
        .iter()
        .filter(|(table, _)| *table != Table::Series);
    let columns: Vec<(&RecordBatch, Vec<StringArray>)> = of_records
        .map(|(_, batch)| (batch, own_texts(batch)))
        .collect();
    let total = |texts: &StringArray| texts.offsets().lengths().sum::<usize>();
    if columns
        .iter()
        .flat_map(|(_, texts)| texts)
        .map(total)
        .sum::<usize>()
        <= limits.max_record_bytes
    {
        return;
    }
    let mut bytes: HashMap<u32, usize> = HashMap::new();
    for (batch, texts) in columns {
        for row in 0..batch.num_rows() {
            let length = texts
                .iter()
                .map(|texts| texts.value_length(row) as usize)
                .sum::<usize>();
            *bytes.entry(ordinal(batch, row)).or_default() += length;
        }
    }
    let limit = limits.max_record_bytes;
    for (ordinal, bytes) in bytes.into_iter().filter(|(_, bytes)| *bytes > limit) {
        refused
            .entry(ordinal)
            .or_insert_with(|| too_large("its texts together", bytes, limit));
    }
}

/// Refuses every point of a refused series, and every exemplar that is a record by itself.
fn refuse_points(decoded: &Decoded, series: &RefusedSeries, refused: &mut Refused) {
    for (table, batch) in &decoded.tables {
        if !matches!(table, Table::Samples | Table::Histograms | Table::Exemplars) {
            continue;
        }
        for (row, id) in series_ids(batch).values().iter().enumerate() {
            if let Some(why) = series.get(id) {
                refused
                    .entry(ordinal(batch, row))
                    .or_insert_with(|| why.clone());
            }
        }
    }
}

fn too_large(what: &str, bytes: usize, limit: usize) -> (Reason, String) {
    (
        Reason::TooLarge,
        format!("{what} has {bytes} bytes, {limit} are taken"),
    )
}

#[cfg(test)]
mod tests;
