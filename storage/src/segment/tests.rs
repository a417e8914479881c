//! Segments as a whole: what is written is what is read, by a stock Parquet reader and through checksums.

mod golden;
pub(crate) mod rows;

use super::{
    SegmentMeta,
    layout::{self, TIME_MS, TIME_REST_NS},
    read::{Damage, ReadCache, ReadCounters, SegmentReader},
    window::{WindowPlan, plan},
    write::{FieldIds, Identity, Target, Written, prepare},
};
use crate::{
    id::TenantId,
    schema::{self, ROW_ORDINAL},
    signal::{Signal, Table},
    snapshot::{BufferedRequest, LiveSegment},
    world::{World, real},
};
use arrow::{
    array::{AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{Int32Type, Int64Type},
};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
use parking_lot::Mutex;
use parquet::arrow::{
    ParquetRecordBatchStreamBuilder, arrow_reader::ParquetRecordBatchReaderBuilder,
};
use proptest::prelude::*;
use rows::{Rows, cell, whole_map};
use std::{collections::BTreeMap, sync::Arc};

/// Segments in a folder that goes away.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) world: World,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Bench {
            folder: tempfile::tempdir().expect("a folder"),
            world: real::world(),
            runtime,
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Writes the segment of one plan.
    pub(crate) fn write(
        &self,
        signal: Signal,
        requests: &[Arc<BufferedRequest>],
        plan: WindowPlan,
    ) -> Written {
        let id = crate::id::SegmentId(ulid::Ulid::from_parts(
            1,
            u128::from(self.world.random.next()),
        ));
        let tenant = TenantId::default_tenant();
        let identity = Identity {
            id,
            tenant,
            signal,
            level: 0,
            wal: Vec::new(),
            replaces: Vec::new(),
            siblings: vec![id],
        };
        let prepared = prepare(identity, requests, plan).expect("prepared");
        let mut field_ids = FieldIds::new();
        for (table, columns) in prepared.promoted() {
            field_ids.extend(
                (1_000..)
                    .zip(columns)
                    .map(|(id, column)| ((table, column), id)),
            );
        }
        prepared.write(&self.target(), &field_ids).expect("written")
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            world: self.world.clone(),
            root: self.folder.path().to_path_buf(),
            row_group_rows: 16_384,
            compression_level: 1,
        }
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, path: &str) -> Bytes {
        let file = self
            .world
            .disk
            .open_read(&self.folder.path().join(path))
            .expect("the file");
        file.read_at(0, file.length().expect("a length") as usize)
            .expect("its bytes")
    }

    /// The segment in a bucket.
    pub(crate) fn uploaded(&self, meta: &SegmentMeta) -> LiveSegment {
        let store = InMemory::new();
        let files = meta
            .objects
            .iter()
            .map(|object| &object.file)
            .chain(&meta.index);
        for file in files {
            let bytes = self.bytes(&file.path);
            assert_eq!(bytes.len() as u64, file.size_bytes);
            self.wait(store.put(&Path::from(file.path.as_str()), bytes.into()))
                .expect("put");
        }
        LiveSegment {
            meta: meta.clone(),
            store: Arc::new(store),
            staged: false,
        }
    }
}

/// A cache that keeps the damage it is told about.
pub(crate) fn cache() -> (Arc<ReadCache>, Arc<Mutex<Vec<Damage>>>) {
    let damage = Arc::new(Mutex::new(Vec::new()));
    let told = damage.clone();
    let cache = ReadCache::new(
        64 << 20,
        Arc::new(move |damage| told.lock().push(damage.clone())),
    );
    (Arc::new(cache), damage)
}

/// All rows of an object, read by a stock reader.
pub(crate) fn stock(bytes: Bytes) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a Parquet file");
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder
        .build()
        .expect("a reader")
        .map(|b| b.expect("rows"))
        .collect();
    concat_batches(&schema, &batches).expect("one schema")
}

/// All rows of an object, read through checksums.
pub(crate) async fn checked(
    segment: &LiveSegment,
    table: Table,
    cache: Arc<ReadCache>,
    counters: Arc<ReadCounters>,
) -> parquet::errors::Result<RecordBatch> {
    let reader =
        SegmentReader::new(segment, table, cache, counters).expect("the segment has the table");
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build()?.try_collect().await?;
    Ok(concat_batches(&schema, &batches).expect("one schema"))
}

/// The rows of `requests` as text, by (row id or arrival), as a file should hold them.
pub(crate) fn expected(table: Table, requests: &[Arc<BufferedRequest>]) -> Vec<String> {
    let mut rows = Vec::new();
    for request in requests {
        let Some(batch) = request.batch(table) else {
            continue;
        };
        for row in 0..batch.num_rows() {
            let mut cells = Vec::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                match field.name().as_str() {
                    ROW_ORDINAL if layout::has_series(table) => {}
                    ROW_ORDINAL => {
                        cells.push(request.epoch.to_string());
                        cells.push(request.sequence.to_string());
                        cells.push(cell(column, row));
                    }
                    _ => cells.push(cell(column, row)),
                }
            }
            rows.push(cells.join("|"));
        }
    }
    rows.sort();
    rows
}

/// The rows of a file as text, in the form of [`expected`].
pub(crate) fn found(object: &super::ObjectMeta, batch: &RecordBatch) -> Vec<String> {
    let names: Vec<String> = layout::fixed_schema(object.table)
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let mut cells = Vec::new();
            for name in &names {
                // Files of earlier builds lack columns that came later.
                let Some(column) = batch.column_by_name(name) else {
                    continue;
                };
                match name.as_str() {
                    "attributes" => cells.push(format!("{:?}", whole_map(object, batch, row))),
                    TIME_REST_NS => {}
                    TIME_MS => cells.push(time(batch, row).to_string()),
                    _ => cells.push(cell(column, row)),
                }
            }
            cells.join("|")
        })
        .collect();
    rows.sort();
    rows
}

fn time(batch: &RecordBatch, row: usize) -> i64 {
    let ms = batch
        .column_by_name(TIME_MS)
        .expect("ms")
        .as_primitive::<Int64Type>()
        .value(row);
    let rest = batch
        .column_by_name(TIME_REST_NS)
        .expect("rest")
        .as_primitive::<Int32Type>()
        .value(row);
    ms * 1_000_000 + i64::from(rest)
}

/// The file's rows are in the order that the layout declares.
pub(crate) fn assert_sorted(object: &super::ObjectMeta, batch: &RecordBatch) {
    let columns: Vec<arrow::compute::SortColumn> = layout::sort_order(object.table)
        .iter()
        .map(|(name, descending)| arrow::compute::SortColumn {
            values: batch.column_by_name(name).expect("a sort column").clone(),
            options: Some(arrow::compute::SortOptions {
                descending: *descending,
                nulls_first: false,
            }),
        })
        .collect();
    let order = arrow::compute::LexicographicalComparator::try_new(&columns).expect("comparable");
    for row in 1..batch.num_rows() {
        assert!(
            order.compare(row - 1, row).is_le(),
            "row {row} of {}",
            object.table
        );
    }
}

/// How many requests of up to so many rows, over how many hours, of which how many get a segment of their own.
#[derive(Debug, Clone, Copy)]
struct Shape {
    requests: usize,
    rows: usize,
    hours: i64,
    open: usize,
}

/// The fixed columns of a file have the field ids of the layout.
pub(crate) fn assert_field_ids(table: Table, batch: &RecordBatch) {
    for field in layout::fixed_schema(table).fields() {
        let schema = batch.schema();
        let found = schema
            .field_with_name(field.name())
            .expect("a fixed column");
        let id = |field: &arrow::datatypes::Field| field.metadata().get(schema::FIELD_ID).cloned();
        assert_eq!(id(found), id(field));
    }
}

fn check_round_trip(seed: u64, signal: Signal, shape: Shape) {
    let Shape {
        requests,
        rows,
        hours,
        open,
    } = shape;
    let bench = Bench::new();
    let mut random = Rows::new(seed, hours);
    let requests: Vec<_> = (0..requests)
        .map(|_| random.request(signal, rows))
        .collect();
    let plans = plan(&requests, signal, open).expect("a plan");
    assert!(plans.len() <= open + 1);
    let mut read: BTreeMap<Table, Vec<String>> = BTreeMap::new();
    for plan in plans {
        let time_range = plan.time;
        let written = bench.write(signal, &requests, plan);
        let segment = bench.uploaded(&written.meta);
        let (cache, damage) = cache();
        for object in &written.meta.objects {
            let batch = stock(bench.bytes(&object.file.path));
            let again = bench
                .wait(checked(
                    &segment,
                    object.table,
                    cache.clone(),
                    Arc::default(),
                ))
                .expect("readable");
            assert_eq!(batch, again);
            assert_eq!(batch.num_rows() as u64, object.rows);
            assert_sorted(object, &batch);
            assert_field_ids(object.table, &batch);
            if object.table != Table::Series {
                read.entry(object.table)
                    .or_default()
                    .extend(found(object, &batch));
            }
            if let Some(times) = batch.column_by_name("timestamp") {
                for row in 0..batch.num_rows() {
                    let nanos: i64 = cell(times, row).parse().expect("a time");
                    assert!(time_range.min.0 <= nanos && nanos <= time_range.max.0);
                }
            }
        }
        assert_series(&bench, &written.meta);
        assert_eq!(*damage.lock(), Vec::new());
    }
    for table in signal
        .tables()
        .iter()
        .filter(|table| **table != Table::Series)
    {
        let mut read = read.remove(table).unwrap_or_default();
        read.sort();
        assert_eq!(read, expected(*table, &requests), "{table}");
    }
}

/// Every point has its series, once, and the extents are right.
pub(crate) fn assert_series(bench: &Bench, meta: &SegmentMeta) {
    let batch = |table: Table| {
        let object = meta.objects.iter().find(|object| object.table == table)?;
        Some(stock(bench.bytes(&object.file.path)))
    };
    let Some(series) = batch(Table::Series) else {
        assert_ne!(meta.signal, Signal::Metrics);
        return;
    };
    let key = |batch: &RecordBatch, row: usize| {
        let metric = cell(batch.column_by_name("metric").expect("metric"), row);
        (
            metric,
            cell(batch.column_by_name("series_id").expect("id"), row),
        )
    };
    let extent = |row: usize, name: &str| -> i64 {
        cell(series.column_by_name(name).expect("an extent"), row)
            .parse()
            .expect("a number")
    };
    let rows: BTreeMap<_, usize> = (0..series.num_rows())
        .map(|row| (key(&series, row), row))
        .collect();
    assert_eq!(rows.len(), series.num_rows(), "a series is there twice");
    let samples = batch(Table::Samples);
    let mut used = std::collections::BTreeSet::new();
    for points in [
        samples.clone(),
        batch(Table::Histograms),
        batch(Table::Exemplars),
    ]
    .into_iter()
    .flatten()
    {
        for row in 0..points.num_rows() {
            let series_row = *rows
                .get(&key(&points, row))
                .expect("a point has its series");
            used.insert(series_row);
        }
    }
    assert_eq!(used.len(), series.num_rows(), "a series without points");
    let Some(samples) = samples else { return };
    for (key_of_series, row) in &rows {
        let (start, count) = (
            extent(*row, "row_start") as usize,
            extent(*row, "row_count") as usize,
        );
        let own: Vec<usize> = (0..samples.num_rows())
            .filter(|r| key(&samples, *r) == *key_of_series)
            .collect();
        if own.is_empty() {
            continue;
        }
        assert_eq!((start, count), (own[0], own.len()));
        let times: Vec<i64> = own.iter().map(|r| time(&samples, *r)).collect();
        assert_eq!(
            extent(*row, "min_timestamp"),
            *times.iter().min().expect("a time")
        );
        assert_eq!(
            extent(*row, "max_timestamp"),
            *times.iter().max().expect("a time")
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_written_is_read(
        seed in any::<u64>(),
        requests in 1..6_usize,
        rows in 1..60_usize,
        hours in 1..4_i64,
        open in 0..4_usize,
    ) {
        for signal in Signal::ALL {
            check_round_trip(seed, signal, Shape { requests, rows, hours, open });
        }
    }
}

#[test]
fn large_segments_have_several_row_groups() {
    let shape = Shape {
        requests: 3,
        rows: 15_000,
        hours: 1,
        open: 1,
    };
    check_round_trip(1, Signal::Logs, shape);
}
