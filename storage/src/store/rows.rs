//! A decoded request as the buffer will hold it: rows, dead letters, the answer, and the counts of the ledger.
//!
//! The same for a request that arrives and for a frame that is replayed.

use super::{
    buffer::{Key, Pending},
    letters::{self, Fate, Origin},
};
use crate::{
    append::{Answer, Decoded, Reason},
    budget::Reservation,
    catalog::Digest,
    error::{Error, Result},
    id::TenantId,
    schema::{self, ROW_ORDINAL},
    signal::{Signal, Table},
    snapshot::BufferedRequest,
    time::{Nanos, TimeRange},
};
use arrow::{
    array::{Array, AsArray, RecordBatch, RecordBatchOptions},
    compute,
    datatypes::{Int32Type, TimestampNanosecondType},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// A request on its way into the buffer.
pub(super) struct Rows {
    /// The rows of the signal itself and the dead letters, as far as there are any.
    parts: Vec<Part>,
    received: Nanos,
    pub(super) answer: Answer,
    pub(super) counts: Counts,
}

/// The rows of a request that go into the buffer of one signal.
struct Part {
    signal: Signal,
    tables: Vec<(Table, RecordBatch)>,
    time: TimeRange,
    memory_bytes: u64,
}

/// What the ledger counts for one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) offered: u64,
    pub(super) stored: u64,
    /// Records that are dead letters, by reason.
    pub(super) letters: BTreeMap<Reason, u64>,
    /// Dead letters that this request replays, by the reason they had.
    pub(super) replayed: BTreeMap<Reason, u64>,
    pub(super) replaced_text: u64,
    pub(super) duplicate_keys: u64,
    pub(super) invalid_ids: u64,
}

/// The place of a request among all others.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) tenant: TenantId,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
}

impl Rows {
    /// Takes a decoded request apart. `Internal` when its numbers do not add up: then a record would be lost in
    /// silence, so the request is not taken.
    pub(super) fn new(origin: Origin, decoded: Decoded) -> Result<Rows> {
        let answer = Answer::of(&decoded);
        let counts = Counts::of(&decoded);
        let rejected: u64 = counts.letters.values().sum();
        if counts.stored + rejected != counts.offered {
            return Err(Error::Internal(format!(
                "a request of {} {} records was decoded to {} rows and {rejected} rejected records",
                counts.offered, origin.signal, counts.stored
            )));
        }
        let letters = letters::batch(origin, &decoded.rejected, &decoded.replayed)?;
        let mut tables = decoded.tables;
        // Series without a point and the like say nothing.
        tables.retain(|(_, batch)| batch.num_rows() > 0 && counts.stored > 0);
        for (table, batch) in &tables {
            check_schema(*table, batch)?;
        }
        let tables = tables
            .into_iter()
            .map(|(table, batch)| Ok((table, fitted(batch)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut parts = Vec::from_iter(Part::new(origin.signal, tables, origin.received)?);
        parts.extend(Part::letters(letters, origin.received)?);
        Ok(Rows {
            parts,
            received: origin.received,
            answer,
            counts,
        })
    }

    /// A frame that cannot be decoded any more: one dead letter with the whole payload.
    pub(super) fn quarantined(origin: Origin, payload: Bytes, detail: String) -> Result<Rows> {
        let origin = Origin {
            fate: Fate::Quarantined,
            ..origin
        };
        let letter = letters::undecodable(payload, detail);
        let letters = letters::batch(origin, &[letter], &[])?;
        let counts = Counts {
            offered: 1,
            letters: BTreeMap::from([(Reason::Undecodable, 1)]),
            ..Counts::default()
        };
        let parts = Vec::from_iter(Part::letters(letters, origin.received)?);
        Ok(Rows {
            parts,
            received: origin.received,
            answer: Answer::default(),
            counts,
        })
    }

    /// Leaves out what is in a segment already: `flushed` says so for a signal.
    pub(super) fn drop_flushed(&mut self, flushed: impl Fn(Signal) -> bool) {
        self.parts.retain(|part| !flushed(part.signal));
    }

    /// Whether nothing of it goes into the buffer.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The bytes that the rows and dead letters take in memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.memory_bytes).sum()
    }

    /// What goes into the buffer, the dead letters last. `reservation` becomes what the rows take; `digest` goes
    /// along with the rows, or with the dead letters where there are no rows.
    pub(super) fn seated(
        self,
        seat: &Seat,
        mut reservation: Reservation,
        mut digest: Option<Digest>,
    ) -> Vec<(Key, Pending)> {
        reservation.resize(self.memory_bytes());
        let received = self.received;
        let mut seat_part = |part: Part| {
            let request = BufferedRequest {
                epoch: seat.epoch,
                sequence: seat.sequence,
                received,
                tables: part.tables,
                time: part.time,
                memory_bytes: part.memory_bytes,
            };
            let pending = Pending {
                request: Arc::new(request),
                _reservation: reservation.split(part.memory_bytes),
                digest: digest.take(),
            };
            ((seat.tenant.clone(), part.signal), pending)
        };
        self.parts.into_iter().map(&mut seat_part).collect()
    }
}

impl Part {
    fn new(
        signal: Signal,
        tables: Vec<(Table, RecordBatch)>,
        received: Nanos,
    ) -> Result<Option<Part>> {
        if tables.is_empty() {
            return Ok(None);
        }
        let time = event_times(&tables, received)?;
        let bytes = |(_, batch): &(Table, RecordBatch)| batch.get_array_memory_size() as u64;
        let memory_bytes = tables.iter().map(bytes).sum();
        Ok(Some(Part {
            signal,
            tables,
            time,
            memory_bytes,
        }))
    }

    fn letters(letters: Option<RecordBatch>, received: Nanos) -> Result<Option<Part>> {
        let tables = letters
            .into_iter()
            .map(|batch| (Table::DeadLetters, batch))
            .collect();
        Part::new(Signal::DeadLetters, tables, received)
    }
}

impl Counts {
    fn of(decoded: &Decoded) -> Counts {
        let by_reason = |reasons: &mut dyn Iterator<Item = Reason>| {
            let mut counts = BTreeMap::new();
            for reason in reasons {
                *counts.entry(reason).or_default() += 1;
            }
            counts
        };
        let letters = by_reason(&mut decoded.rejected.iter().map(|letter| letter.reason));
        let replayed = by_reason(&mut decoded.replayed.iter().map(|letter| letter.reason));
        let is_record = |table: &Table| {
            matches!(
                table,
                Table::Logs | Table::Spans | Table::Samples | Table::Histograms
            )
        };
        let records = decoded.tables.iter().filter(|(table, _)| is_record(table));
        let rows: u64 = records.map(|(_, batch)| batch.num_rows() as u64).sum();
        let left = decoded
            .offered
            .saturating_sub(rows + decoded.rejected.len() as u64);
        Counts {
            offered: decoded.offered,
            stored: rows
                + if left > 0 {
                    exemplars_alone(decoded)
                } else {
                    0
                },
            letters,
            replayed,
            replaced_text: decoded.replaced_text,
            duplicate_keys: decoded.duplicate_keys,
            invalid_ids: decoded.invalid_ids,
        }
    }
}

/// Exemplars that are records by themselves: those that came without a data point, as in Prometheus' remote write.
fn exemplars_alone(decoded: &Decoded) -> u64 {
    let ordinals = |wanted: &[Table]| -> HashSet<i32> {
        let tables = decoded.tables.iter();
        let batches = tables.filter(|(table, _)| wanted.contains(table));
        let columns = batches.filter_map(|(_, batch)| batch.column_by_name(ROW_ORDINAL));
        columns
            .filter_map(|column| column.as_primitive_opt::<Int32Type>())
            .flat_map(|column| column.values().to_vec())
            .collect()
    };
    let points = ordinals(&[Table::Samples, Table::Histograms]);
    let exemplars = ordinals(&[Table::Exemplars]);
    exemplars.difference(&points).count() as u64
}

fn check_schema(table: Table, batch: &RecordBatch) -> Result<()> {
    let expected = schema::batch_schema(table);
    let found = batch.schema();
    let same = expected.fields().len() == found.fields().len()
        && expected
            .fields()
            .iter()
            .zip(found.fields())
            .all(|(expected, found)| {
                expected.name() == found.name() && expected.data_type() == found.data_type()
            });
    if same {
        return Ok(());
    }
    Err(Error::Internal(format!(
        "a batch of {table} has the columns {:?}",
        found.fields()
    )))
}

/// The batch without the room that its builders took for rows that did not come: it stays in memory until the flush,
/// and what it takes is what the budget counts.
fn fitted(batch: RecordBatch) -> Result<RecordBatch> {
    let (schema, mut columns, rows) = batch.into_parts();
    for column in &mut columns {
        column.shrink_to_fit();
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(|source| Error::Arrow {
        doing: "fitting a batch into the buffer",
        source,
    })
}

/// The smallest range that holds the timestamps of all rows; the time of receipt where there are none.
fn event_times(tables: &[(Table, RecordBatch)], received: Nanos) -> Result<TimeRange> {
    let mut range: Option<TimeRange> = None;
    for (table, batch) in tables {
        let Some(column) = batch.column_by_name("timestamp") else {
            continue;
        };
        let times = column
            .as_primitive_opt::<TimestampNanosecondType>()
            .ok_or_else(|| {
                Error::Internal(format!("the timestamps of {table} are no nanoseconds"))
            })?;
        if let (Some(min), Some(max)) = (compute::min(times), compute::max(times)) {
            let of_table = TimeRange {
                min: Nanos(min),
                max: Nanos(max),
            };
            range = Some(range.map_or(of_table, |range| range.union(of_table)));
        }
    }
    Ok(range.unwrap_or(TimeRange {
        min: received,
        max: received,
    }))
}
