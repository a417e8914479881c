//! Rows of all tables with a mark in every column: after their deletion every file of the data folder and the bucket is read,
//! byte by byte and as Parquet, and the mark is in none.

use super::{one_of, *};
use crate::{
    append::{Decoded, Envelope, Rejected},
    catalog::sqlite::SqliteCatalog,
    schema,
    segment::index::Blocks,
    text::{demand::Demand, token::Subject},
    world::{World, real},
};
use arrow::{
    array::*,
    compute::{cast, filter_record_batch},
    datatypes::{DataType, Field as ArrowField},
    util::display::{ArrayFormatter, FormatOptions},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{collections::BTreeMap, path::Path};
use xxhash_rust::xxh3::xxh3_64;

/// What must not be left; ids begin with its bytes.
const MARK: &str = "mark-5c1f";
const KEPT: &str = "keep-77aa";

const SIGNALS: [Signal; 2] = [Signal::Logs, Signal::Spans];

/// A payload is names, each of which becomes a row of every table of the signal, or a dead letter after `bad `.
struct MarkedDecode;

impl Decode for MarkedDecode {
    fn decode(
        &self,
        signal: Signal,
        _: Encoding,
        _: u16,
        payload: &Bytes,
        _: Nanos,
    ) -> Result<Decoded, String> {
        let text = std::str::from_utf8(payload).map_err(|e| e.to_string())?;
        let mut decoded = Decoded::default();
        let (mut names, mut ordinals) = (Vec::new(), Vec::new());
        for (ordinal, line) in text.lines().enumerate().skip(1) {
            decoded.offered += 1;
            let Some(name) = line.strip_prefix("bad ") else {
                names.push(line);
                ordinals.push(ordinal as i32);
                continue;
            };
            decoded.rejected.push(Rejected {
                ordinal: ordinal as u32,
                reason: Reason::Malformed,
                detail: "it is bad".to_string(),
                record: payload.slice_ref(line.as_bytes()),
                envelope: Some(Arc::new(Envelope {
                    resource: format!("host a {name}").into(),
                    ..Envelope::default()
                })),
            });
        }
        for table in signal.tables() {
            let batch = batch(*table, &names, &ordinals).map_err(|e| e.to_string())?;
            decoded.tables.push((*table, batch));
        }
        // A histogram is a point as well as a sample is.
        decoded.offered += match signal {
            Signal::Metrics => names.len() as u64,
            _ => 0,
        };
        Ok(decoded)
    }
}

fn batch(table: Table, names: &[&str], ordinals: &[i32]) -> arrow::error::Result<RecordBatch> {
    let schema = schema::batch_schema(table);
    let fields = schema.fields().iter();
    let columns = fields.map(|field| column(field, names, ordinals));
    RecordBatch::try_new(
        schema.clone(),
        columns.collect::<arrow::error::Result<_>>()?,
    )
}

fn column(field: &ArrowField, names: &[&str], ordinals: &[i32]) -> arrow::error::Result<ArrayRef> {
    let rows = names.len();
    let map = |name: &&str| format!("{{\"a\":\"{name}\",\"host\":\"{name}\",\"{name}\":1}}");
    let plain: ArrayRef = match field.data_type() {
        _ if field.name() == schema::ROW_ORDINAL => Arc::new(Int32Array::from(ordinals.to_vec())),
        _ if field.name() == "series_id" => Arc::new(Int64Array::from_iter_values(
            names.iter().map(|name| xxh3_64(name.as_bytes()) as i64),
        )),
        _ if field.name().ends_with("attributes") || field.name() == "metadata" => {
            Arc::new(StringArray::from_iter_values(names.iter().map(map)))
        }
        DataType::Utf8 | DataType::Dictionary(..) => Arc::new(StringArray::from(names.to_vec())),
        DataType::FixedSizeBinary(width) => {
            let id = |name: &&str| {
                name.bytes()
                    .cycle()
                    .take(*width as usize)
                    .collect::<Vec<u8>>()
            };
            let ids = FixedSizeBinaryArray::try_from_iter(names.iter().map(id))?;
            return Ok(Arc::new(ids));
        }
        data_type @ (DataType::List(_) | DataType::Boolean) => new_null_array(data_type, rows),
        _ => Arc::new(Int64Array::from_iter_values(0..rows as i64)),
    };
    cast(&plain, field.data_type())
}

struct Machine {
    folder: tempfile::TempDir,
    world: World,
}

impl Machine {
    async fn open(&self) -> (Arc<Store>, Arc<SqliteCatalog>) {
        let folder = self.folder.path();
        let config = Config {
            data_dir: folder.into(),
            bucket: "local".to_string(),
            compaction_segments: 2,
            ..Config::default()
        };
        let catalog = SqliteCatalog::open(&folder.join("catalog.sqlite"), &self.world).await;
        let catalog = Arc::new(catalog.expect("opened"));
        let parts = Parts {
            world: self.world.clone(),
            bucket: Arc::new(LocalStore::new(self.world.clone(), folder.join("bucket"))),
            config,
            catalog: catalog.clone(),
            decode: Arc::new(MarkedDecode),
            telemetry: Telemetry::unregistered(),
        };
        (Store::open(parts).await.expect("the store starts"), catalog)
    }

    async fn close(&self, (store, catalog): (Arc<Store>, Arc<SqliteCatalog>)) {
        store.close().await.expect("closed");
        drop(store);
        catalog.close().await.expect("closed");
    }
}

/// Rows and letters with the mark, and without; `number` makes the request one of its own.
async fn put(store: &Store, signal: Signal, number: u32) {
    let text = format!("{number}\n{KEPT}\n{MARK}\nbad {MARK}\nbad {KEPT}\n{KEPT}\n");
    let (payload, received) = (Bytes::from(text), Nanos(5));
    let decoded = MarkedDecode
        .decode(signal, Encoding::OtlpProtobuf, 1, &payload, received)
        .expect("decoded");
    let append = Append {
        tenant: TenantId::default_tenant(),
        signal,
        encoding: Encoding::OtlpProtobuf,
        decoder_version: 1,
        received,
        payload,
        decoded,
        refusals: Vec::new(),
    };
    super::super::append(store, append).await.expect("stored");
}

/// The cells of every row in the view, by table.
async fn view(store: &Store) -> BTreeMap<Table, Vec<String>> {
    let mut found: BTreeMap<Table, Vec<String>> = BTreeMap::new();
    for signal in Signal::ALL {
        let snapshot = store.snapshot(&TenantId::default_tenant(), signal);
        assert_eq!(snapshot.missing, []);
        for table in signal.tables() {
            let rows = found.entry(*table).or_default();
            for request in &snapshot.buffered {
                rows.extend(request.batch(*table).map(lines).unwrap_or_default());
            }
            for segment in &snapshot.segments {
                if !segment.meta.objects.iter().any(|o| o.table == *table) {
                    continue;
                }
                let kept = store.kept(&snapshot, segment, *table).await.expect("known");
                let reader = store
                    .reader(segment, *table, Arc::default())
                    .expect("there");
                let stream = parquet::arrow::ParquetRecordBatchStreamBuilder::new(reader);
                let stream = stream.await.expect("opened").build().expect("built");
                let batches: Vec<RecordBatch> = stream.try_collect().await.expect("read");
                let mut given = 0;
                for batch in batches {
                    let rows_of_batch = batch.num_rows();
                    let kept = kept.as_ref().map(|kept| kept.slice(given, rows_of_batch));
                    given += rows_of_batch;
                    let kept = kept.unwrap_or(BooleanBuffer::new_set(rows_of_batch));
                    let kept = BooleanArray::new(kept, None);
                    rows.extend(lines(
                        &filter_record_batch(&batch, &kept).expect("filtered"),
                    ));
                }
            }
        }
    }
    found
}

/// Each row as text, bytes in hexadecimal digits.
fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter();
    let cells: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).expect("a form"))
        .collect();
    let line = |row: usize| {
        let cells = cells.iter().map(|cell| cell.value(row).to_string());
        cells.collect::<Vec<String>>().join("|")
    };
    (0..batch.num_rows()).map(line).collect()
}

fn is_marked(text: &str) -> bool {
    text.contains(MARK) || text.contains(&hex::encode(MARK))
}

/// Every file below `folder`.
fn files(world: &World, folder: &Path) -> Vec<(String, Bytes)> {
    let mut found = Vec::new();
    for name in world.disk.list(folder).expect("listed") {
        let path = folder.join(name.trim_end_matches('/'));
        if name.ends_with('/') {
            found.extend(files(world, &path));
            continue;
        }
        let file = world.disk.open_read(&path).expect("opened");
        let length = file.length().expect("known") as usize;
        let bytes = file.read_at(0, length).expect("read");
        found.push((path.display().to_string(), bytes));
    }
    found
}

/// The files that hold the mark, in their bytes or decoded.
fn marked(machine: &Machine) -> Vec<String> {
    let mut marked = Vec::new();
    for (path, bytes) in files(&machine.world, machine.folder.path()) {
        let mut is_in = holds(&bytes, MARK) || holds(&bytes, &hex::encode(MARK));
        if path.ends_with(".parquet") {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
            let mut batches = reader.build().expect("readable");
            is_in |= batches.any(|batch| lines(&batch.expect("read")).iter().any(|l| is_marked(l)));
        }
        if is_in {
            marked.push(path);
        }
    }
    marked
}

/// In how many sidecars of logs the mark is known, as words of bodies and as a pair.
async fn indexed(store: &Store) -> [usize; 2] {
    let demands = [
        Demand::words(Subject::BodyWords, MARK),
        Demand::pair(Subject::ResourcePairs, "host", MARK),
    ];
    let mut known = [0; 2];
    for segment in &store
        .snapshot(&TenantId::default_tenant(), Signal::Logs)
        .segments
    {
        let counters = Default::default();
        let index = store.index(segment, &counters).await.expect("read");
        let index = index.expect("logs have words");
        for (known, demand) in known.iter_mut().zip(&demands) {
            let found = index.blocks_that(Table::Logs, demand, &counters).await;
            *known += usize::from(found.expect("read") != Blocks::Rows(Vec::new()));
        }
    }
    known
}

fn counts(view: &BTreeMap<Table, Vec<String>>, wanted: bool) -> BTreeMap<Table, usize> {
    let count = |rows: &Vec<String>| rows.iter().filter(|row| is_marked(row) == wanted).count();
    view.iter()
        .map(|(table, rows)| (*table, count(rows)))
        .collect()
}

/// What deletes the marked rows of a signal, each in another way.
fn predicate(signal: Signal) -> Predicate {
    let field = match signal {
        Signal::Logs => Field::Resource("host".to_string()),
        _ => Field::Column("service_name".to_string()),
    };
    one_of(field, &[MARK])
}

/// Rows of every signal in merged segments, in small ones, and in the buffer.
async fn fill(store: &Store) {
    for number in 0..4 {
        for signal in SIGNALS {
            put(store, signal, number).await;
        }
        store.flush_all().await.expect("flushed");
    }
    assert!(store.compact_all().await.expect("merged") > 0);
    for signal in SIGNALS {
        put(store, signal, 10).await;
        store.flush_all().await.expect("flushed");
        put(store, signal, 11).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_holds_a_byte_of_what_was_deleted() {
    let machine = Machine {
        folder: tempfile::tempdir().expect("a folder"),
        world: real::world(),
    };
    let (store, catalog) = machine.open().await;
    fill(&store).await;
    let before = view(&store).await;
    let filled = counts(&before, true);
    let mut filled = filled
        .iter()
        .filter(|(table, _)| table.signal() != Signal::Metrics);
    assert!(filled.all(|(_, count)| *count > 0));
    assert!(marked(&machine).len() > 10, "{:?}", marked(&machine));
    assert!(indexed(&store).await.iter().all(|known| *known > 0));
    let tenant = TenantId::default_tenant();
    for signal in SIGNALS {
        let accepted = store.delete(&tenant, signal, predicate(signal), BY).await;
        accepted.expect("accepted");
    }
    let after = view(&store).await;
    assert!(
        counts(&after, true).values().all(|count| *count == 0),
        "{:?}",
        counts(&after, true)
    );
    assert_eq!(counts(&after, false), counts(&before, false));
    assert_eq!(
        store.erase().await.expect("works"),
        2,
        "queries may be reading"
    );
    machine.close((store, catalog)).await;
    // No query of the process before runs any more.
    let (store, catalog) = machine.open().await;
    let mut left = 2;
    for _ in 0..10 {
        left = store.erase().await.expect("works");
        tokio::task::yield_now().await;
    }
    assert_eq!(left, 0, "{:?}", store.health());
    let last = view(&store).await;
    assert_eq!(counts(&last, false), counts(&before, false));
    assert_eq!(indexed(&store).await, [0, 0]);
    let deleted: BTreeMap<Table, u64> = {
        let mut all = BTreeMap::new();
        for tombstone in store.tombstones(&tenant) {
            assert!(tombstone.completed.is_some() && tombstone.left.is_empty());
            for (table, rows) in tombstone.deleted {
                *all.entry(table).or_default() += rows;
            }
        }
        all
    };
    for table in [
        Table::Logs,
        Table::Spans,
        Table::SpanEvents,
        Table::SpanLinks,
    ] {
        assert_eq!(deleted[&table], 6, "{table}");
    }
    assert_eq!(deleted[&Table::DeadLetters], 12);
    machine.close((store, catalog)).await;
    assert_eq!(marked(&machine), Vec::<String>::new());
}
