//! Random requests of every signal, and rows as text to compare.

use crate::{
    attributes::{convert::Value, decode, encode, merge::merge},
    schema,
    segment::{ObjectMeta, ValueKind},
    signal::{Signal, Table},
    snapshot::BufferedRequest,
    time::{HOUR_NANOS, Nanos, TimeRange},
};
use arrow::{
    array::*,
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Arc;

/// Makes requests of one signal.
pub(crate) struct Rows {
    random: StdRng,
    /// 2026-01-01T00:00:00Z and the hours that follow.
    hours: i64,
    sequence: u64,
}

const START: i64 = 1_767_225_600_000_000_000;

impl Rows {
    pub(crate) fn new(seed: u64, hours: i64) -> Rows {
        Rows {
            random: StdRng::seed_from_u64(seed),
            hours,
            sequence: 7,
        }
    }

    /// A request with up to `rows` rows a table.
    pub(crate) fn request(&mut self, signal: Signal, rows: usize) -> Arc<BufferedRequest> {
        self.sequence += 1 + self.random.random_range(0..3_u64);
        let mut tables = Vec::new();
        for table in signal
            .tables()
            .iter()
            .filter(|table| **table != Table::Series)
        {
            let rows = self.random.random_range(0..=rows);
            if rows > 0 {
                tables.push((*table, self.batch(*table, rows)));
            }
        }
        if signal == Signal::Metrics {
            tables.push((Table::Series, self.series()));
        }
        let times = tables
            .iter()
            .filter(|(table, _)| *table != Table::Series)
            .flat_map(|(_, batch)| {
                let column = batch
                    .column_by_name("timestamp")
                    .expect("every table has one");
                column
                    .as_primitive::<TimestampNanosecondType>()
                    .values()
                    .to_vec()
            });
        let times: Vec<i64> = times.collect();
        let time = TimeRange {
            min: Nanos(times.iter().copied().min().unwrap_or(START)),
            max: Nanos(times.iter().copied().max().unwrap_or(START)),
        };
        let (epoch, sequence) = (3, self.sequence);
        Arc::new(BufferedRequest {
            epoch,
            sequence,
            received: time.max,
            tables,
            time,
            memory_bytes: 0,
        })
    }

    fn batch(&mut self, table: Table, rows: usize) -> RecordBatch {
        let schema = schema::batch_schema(table);
        // The series of each point, so that metric and id belong together.
        let series: Vec<usize> = (0..rows)
            .map(|_| self.random.random_range(0..SERIES))
            .collect();
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                "row_ordinal" => ordinals(rows),
                "series_id" => Arc::new(Int64Array::from_iter_values(
                    series.iter().map(|s| series_id(*s)),
                )),
                "metric" => repeated(series.iter().map(|s| Some(metric(*s)))),
                name => self.column(name, field.data_type(), field.is_nullable(), rows),
            })
            .collect();
        RecordBatch::try_new(schema, columns).expect("columns of the schema")
    }

    /// One row for every series.
    fn series(&mut self) -> RecordBatch {
        let schema = schema::batch_schema(Table::Series);
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                "series_id" => {
                    Arc::new(Int64Array::from_iter_values((0..SERIES).map(series_id))) as ArrayRef
                }
                "metric" => repeated((0..SERIES).map(|s| Some(metric(s)))),
                name => self.column(name, field.data_type(), field.is_nullable(), SERIES),
            })
            .collect();
        RecordBatch::try_new(schema, columns).expect("columns of the schema")
    }

    fn column(
        &mut self,
        name: &str,
        data_type: &DataType,
        nullable: bool,
        rows: usize,
    ) -> ArrayRef {
        let random = &mut self.random;
        let null = |random: &mut StdRng| nullable && random.random_bool(0.3);
        let hours = self.hours;
        match data_type {
            DataType::Timestamp(..) => {
                let values: Vec<Option<i64>> = (0..rows)
                    .map(|_| {
                        (!null(random)).then(|| START + random.random_range(0..hours * HOUR_NANOS))
                    })
                    .collect();
                Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
            }
            DataType::Dictionary(..) => {
                let long = name.ends_with("_attributes") || name == "metadata";
                repeated((0..rows).map(|_| {
                    let value = random.random_range(0..6_u32);
                    let text = if long {
                        format!("{{\"service\":\"s{value}\"}}")
                    } else {
                        format!("{name}-{value}")
                    };
                    (!null(random)).then_some(text)
                }))
            }
            DataType::Utf8 if name == "attributes" => Arc::new(StringArray::from_iter_values(
                (0..rows).map(|_| attributes(random)),
            )),
            DataType::Utf8 => Arc::new(StringArray::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| text(random))),
            )),
            DataType::Binary => Arc::new(BinaryArray::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| text(random).into_bytes())),
            )),
            DataType::FixedSizeBinary(width) => {
                let ids = (0..rows).map(|_| {
                    let id = random.random_range(0..500_u64).to_be_bytes();
                    (!null(random)).then(|| id.repeat(*width as usize / 8))
                });
                let ids: Vec<_> = ids.collect();
                Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids.into_iter(), *width)
                        .expect("ids"),
                )
            }
            DataType::Boolean => Arc::new(BooleanArray::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| random.random_bool(0.5))),
            )),
            DataType::Int32 => Arc::new(Int32Array::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| random.random_range(-3..24))),
            )),
            DataType::Int64 => Arc::new(Int64Array::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| int(random))),
            )),
            DataType::UInt64 => Arc::new(UInt64Array::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| int(random) as u64)),
            )),
            DataType::Float64 => Arc::new(Float64Array::from_iter(
                (0..rows).map(|_| (!null(random)).then(|| double(random))),
            )),
            DataType::List(item) => {
                let item = item.clone();
                self.list(item, nullable, rows)
            }
            other => panic!("no values for {other}"),
        }
    }

    fn list(&mut self, item: arrow::datatypes::FieldRef, nullable: bool, rows: usize) -> ArrayRef {
        let random = &mut self.random;
        let lengths: Vec<Option<usize>> = (0..rows)
            .map(|_| (!nullable || random.random_bool(0.6)).then(|| random.random_range(0..4)))
            .collect();
        let total = lengths.iter().flatten().sum();
        let offsets =
            arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().map(|l| l.unwrap_or(0)));
        let nulls = arrow::buffer::NullBuffer::from_iter(lengths.iter().map(Option::is_some));
        let values = self.column("item", item.data_type(), false, total);
        Arc::new(ListArray::try_new(item, offsets, values, Some(nulls)).expect("a list"))
    }
}

const SERIES: usize = 17;

fn series_id(series: usize) -> i64 {
    (series as i64 - 8).wrapping_mul(0x1234_5678_9abc_def1)
}

fn metric(series: usize) -> String {
    format!("metric.{}", (series * 7) % 5)
}

fn ordinals(rows: usize) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(
        (0..rows as i32).map(|i| i / 2),
    ))
}

fn repeated(values: impl Iterator<Item = Option<impl AsRef<str>>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    values.for_each(|value| builder.append_option(value.as_ref()));
    Arc::new(builder.finish())
}

fn text(random: &mut StdRng) -> String {
    let length = if random.random_bool(0.02) {
        300
    } else {
        random.random_range(0..12)
    };
    let letters = ['a', 'b', '"', '\\', '\n', 'é', '\u{1}', '漢'];
    (0..length)
        .map(|_| letters[random.random_range(0..letters.len())])
        .collect()
}

fn int(random: &mut StdRng) -> i64 {
    match random.random_range(0..8) {
        0 => i64::MIN,
        1 => i64::MAX,
        2 => random.random(),
        _ => random.random_range(0..5),
    }
}

fn double(random: &mut StdRng) -> f64 {
    match random.random_range(0..12) {
        0 => f64::NAN,
        1 => f64::from_bits(0xfff8_0000_0000_0007),
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        4 => f64::from_bits(random.random()),
        _ => random.random_range(0..100) as f64 / 4.0,
    }
}

/// A map with common keys, rare keys, keys of several types and keys that differ by case.
fn attributes(random: &mut StdRng) -> String {
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for (key, share) in [
        ("http.method", 0.9),
        ("Status", 0.5),
        ("status", 0.6),
        ("user.id", 0.05),
        ("$x\"", 0.1),
    ] {
        if random.random_bool(share) {
            entries.push((key.to_string(), value(random)));
        }
    }
    for typed in ["int", "double", "bool", "text"] {
        let mut json = Vec::new();
        match typed {
            "int" => encode::int(&mut json, int(random)),
            "double" => encode::double(&mut json, double(random)),
            "bool" => encode::boolean(&mut json, random.random_bool(0.5)),
            _ => encode::text(&mut json, &text(random)),
        }
        entries.push((typed.to_string(), json));
    }
    if random.random_bool(0.2) {
        entries.push((
            format!("rare.{}", random.random_range(0..4_000)),
            value(random),
        ));
    }
    let mut out = Vec::new();
    encode::object(&mut out, &mut entries, |out, json| {
        out.extend_from_slice(json)
    });
    String::from_utf8(out).expect("UTF-8")
}

fn value(random: &mut StdRng) -> Vec<u8> {
    let mut json = Vec::new();
    match random.random_range(0..8) {
        0 => encode::null(&mut json),
        1 => encode::boolean(&mut json, true),
        2 => encode::int(&mut json, int(random)),
        3 => encode::double(&mut json, double(random)),
        4 => encode::bytes(&mut json, text(random).as_bytes()),
        5 => json.extend_from_slice(b"[1,{\"$$a\":null},\"]\"]"),
        _ => encode::text(&mut json, &text(random)),
    }
    json
}

/// A value as text that tells all bits of it.
pub(crate) fn cell(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_string();
    }
    match array.data_type() {
        DataType::Dictionary(..) => {
            let array = array.as_dictionary::<Int32Type>();
            cell(array.values(), array.keys().value(row) as usize)
        }
        DataType::Utf8 => format!("{:?}", array.as_string::<i32>().value(row)),
        DataType::Binary => format!("{:?}", array.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => format!("{:?}", array.as_fixed_size_binary().value(row)),
        DataType::Float64 => format!(
            "{:016x}",
            array.as_primitive::<Float64Type>().value(row).to_bits()
        ),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Timestamp(..) => array
            .as_primitive::<TimestampNanosecondType>()
            .value(row)
            .to_string(),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let cells: Vec<String> = (0..items.len()).map(|i| cell(&items, i)).collect();
            format!("[{}]", cells.join(","))
        }
        other => panic!("no text for {other}"),
    }
}

/// The attribute map of a row of a file: promoted columns and overflow put together.
pub(crate) fn whole_map(object: &ObjectMeta, batch: &RecordBatch, row: usize) -> String {
    let overflow = batch
        .column_by_name("attributes")
        .expect("an overflow")
        .as_string::<i32>()
        .value(row);
    let mut promoted = Vec::new();
    for column in &object.promoted {
        let array = batch
            .column_by_name(&column.column)
            .expect("a promoted column");
        if array.is_null(row) {
            continue;
        }
        assert_eq!(
            decode::find(overflow, &column.key),
            None,
            "{} is there twice",
            column.key
        );
        let value = match column.kind {
            ValueKind::Text => Value::Text(array.as_string::<i32>().value(row).into()),
            ValueKind::Int => Value::Int(array.as_primitive::<Int64Type>().value(row)),
            ValueKind::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
            ValueKind::Bool => Value::Bool(array.as_boolean().value(row)),
        };
        promoted.push((column.key.as_str(), value));
    }
    promoted.sort_by_key(|(key, _)| *key);
    for entry in decode::entries(overflow) {
        let listed = object
            .overflow_keys
            .as_ref()
            .is_none_or(|keys| keys.contains(&entry.key().into_owned()));
        assert!(listed, "{} is in the overflow and not listed", entry.key());
    }
    let mut out = Vec::new();
    merge(&mut out, overflow, promoted);
    String::from_utf8(out).expect("UTF-8")
}
