//! The wire format of the simulation: lines of text that become rows of logs and spans.
//!
//! A line is `<time> <id>`: the time in nanoseconds or `-` for a record without one, the id unique over all records. What an
//! id begins with says what becomes of the record: `bad` is rejected by the decoder, `old` by admission.

use crate::{
    append::{Decode, Decoded, LetterId, Reason, Refusal, Rejected, Replayed},
    refuse, schema,
    signal::{Encoding, Signal, Table},
    time::Nanos,
};
use arrow::{
    array::{
        ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
        new_null_array,
    },
    compute,
    datatypes::{DataType, Field},
};
use bytes::Bytes;
use std::sync::Arc;

/// A record as a client makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// `None` for one without a time of its own.
    pub(super) time: Option<Nanos>,
    pub(super) id: String,
}

/// The payload of a request.
pub(super) fn encode(records: &[Record]) -> Bytes {
    let line = |record: &Record| match record.time {
        Some(Nanos(time)) => format!("{time} {}\n", record.id),
        None => format!("- {}\n", record.id),
    };
    records.iter().map(line).collect::<String>().into()
}

/// What admission does on the way in: takes `old` records out of `decoded` and says which.
pub(super) fn admit(decoded: &mut Decoded, payload: &Bytes) -> Vec<Refusal> {
    let text = String::from_utf8_lossy(payload);
    let old = |(ordinal, line): (usize, &str)| {
        let refused = line
            .split_once(' ')
            .is_some_and(|(_, id)| id.starts_with("old"));
        refused.then(|| Refusal {
            ordinal: ordinal as u32,
            reason: Reason::TooOld,
            detail: "made before its time".to_string(),
        })
    };
    let refusals: Vec<Refusal> = text.lines().enumerate().filter_map(old).collect();
    refuse::refuse(decoded, &refusals, Vec::new()).expect("the batches have their columns");
    refusals
}

/// The decoder of the simulation; other versions than 1 it does not know.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextDecode;

impl Decode for TextDecode {
    fn decode(
        &self,
        signal: Signal,
        encoding: Encoding,
        version: u16,
        payload: &Bytes,
        received: Nanos,
    ) -> Result<Decoded, String> {
        if version != 1 {
            return Err(format!("version {version} is not known"));
        }
        let table = match signal {
            Signal::Logs => Table::Logs,
            Signal::Spans => Table::Spans,
            other => return Err(format!("{other} is not simulated")),
        };
        let mut text = std::str::from_utf8(payload).map_err(|e| e.to_string())?;
        let mut rows = Rows::default();
        let mut decoded = Decoded::default();
        if encoding == Encoding::Replay {
            // The first line is the id of the letter that the first record was.
            let (letter, rest) = text.split_once('\n').ok_or("no line of a letter")?;
            let id: Vec<u64> = letter.split(' ').filter_map(|n| n.parse().ok()).collect();
            let [epoch, sequence, ordinal] = id[..] else {
                return Err(format!("{letter} is no id"));
            };
            text = rest;
            decoded.replayed.push(Replayed {
                letter: LetterId {
                    epoch,
                    sequence,
                    ordinal: ordinal as u32,
                },
                reason: Reason::Malformed,
                ordinal: 0,
            });
        }
        for (ordinal, line) in text.lines().enumerate() {
            let (time, id) = line.split_once(' ').ok_or("a line without a space")?;
            decoded.offered += 1;
            decoded.untimed |= time == "-";
            if id.starts_with("bad") {
                decoded.rejected.push(Rejected {
                    ordinal: ordinal as u32,
                    reason: Reason::Malformed,
                    detail: "it is bad".to_string(),
                    record: payload.slice_ref(line.as_bytes()),
                    envelope: None,
                });
                continue;
            }
            rows.times.push(time.parse().unwrap_or(received.0));
            rows.ids.push(id.to_string());
            rows.ordinals.push(ordinal as i32);
        }
        if !rows.ids.is_empty() {
            decoded.tables.push((table, rows.batch(table)?));
        }
        Ok(decoded)
    }
}

#[derive(Default)]
struct Rows {
    times: Vec<i64>,
    ids: Vec<String>,
    ordinals: Vec<i32>,
}

/// The column of logs and spans that holds the id.
pub(super) fn id_column(table: Table) -> &'static str {
    match table {
        Table::Spans => "name",
        Table::DeadLetters => "detail",
        _ => "body",
    }
}

impl Rows {
    fn batch(&self, table: Table) -> Result<RecordBatch, String> {
        let schema = schema::batch_schema(table);
        let columns = schema
            .fields()
            .iter()
            .map(|field| self.column(table, field));
        let columns = columns.collect::<Result<Vec<ArrayRef>, String>>()?;
        RecordBatch::try_new(schema, columns).map_err(|e| e.to_string())
    }

    fn column(&self, table: Table, field: &Field) -> Result<ArrayRef, String> {
        let rows = self.ids.len();
        if field.name() == "timestamp" {
            let times = TimestampNanosecondArray::from(self.times.clone());
            return Ok(Arc::new(times.with_timezone("UTC")));
        }
        if field.name() == schema::ROW_ORDINAL {
            return Ok(Arc::new(Int32Array::from(self.ordinals.clone())));
        }
        let plain: ArrayRef = match field.data_type() {
            _ if field.name() == id_column(table) => Arc::new(StringArray::from(self.ids.clone())),
            _ if field.name().ends_with("attributes") => self.attributes(),
            data_type if field.is_nullable() => return Ok(new_null_array(data_type, rows)),
            DataType::Int32 => Arc::new(Int32Array::from(vec![0; rows])),
            DataType::Int64 => Arc::new(Int64Array::from(vec![0; rows])),
            DataType::Utf8 | DataType::Dictionary(..) => {
                Arc::new(StringArray::from(vec!["record"; rows]))
            }
            other => return Err(format!("no value for {other}")),
        };
        compute::cast(&plain, field.data_type()).map_err(|e| e.to_string())
    }

    /// A key that every row has and is promoted, and one of its own.
    fn attributes(&self) -> ArrayRef {
        // Canonical: keys in the order of their bytes.
        let map = |id: &String| match id.as_str() < "key" {
            true => format!("{{\"{id}\":1,\"key\":\"{}\"}}", id.len()),
            false => format!("{{\"key\":\"{}\",\"{id}\":1}}", id.len()),
        };
        Arc::new(StringArray::from_iter_values(self.ids.iter().map(map)))
    }
}
