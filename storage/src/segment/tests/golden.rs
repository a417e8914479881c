//! Segments of earlier format versions, kept for ever: they must still open, whole, row by row.
//!
//! `golden/segments-<version>` holds a bucket and, for each table, the rows as text. [`make`] writes such a folder; a
//! test runs it, so that `<target>/golden/segments-<version>` always holds what this build writes. For a new
//! version copy that folder once; never touch an old one.

use super::*;
use crate::{
    error::Kind,
    id::SegmentId,
    objects::local::LocalStore,
    segment::{
        SEGMENT_FORMAT_VERSION,
        merge::{Asked, Merge, Reading},
        recover, verify,
    },
};
use arrow::array::Array;
use object_store::{ObjectMeta, ObjectStore};
use std::{
    collections::BTreeSet,
    path::{Path as FilePath, PathBuf},
};

/// Requests of each signal, and rows of each table in one at most: enough for promoted columns.
const REQUESTS: usize = 3;
const ROWS: usize = 24;

fn folder_name(version: u32) -> String {
    format!("golden/segments-{version}")
}

/// Cargo starts tests in the folder of their package.
fn kept(version: u32) -> PathBuf {
    PathBuf::from(folder_name(version))
}

/// Writes one segment of every signal and the rows that went in.
fn make(folder: &FilePath) {
    let bench = Bench::new();
    let mut random = Rows::new(1, 1);
    let mut rows: BTreeMap<Table, Vec<String>> = BTreeMap::new();
    for signal in Signal::ALL {
        let requests: Vec<_> = (0..REQUESTS)
            .map(|_| random.request(signal, ROWS))
            .collect();
        let mut plans = plan(&requests, signal, 1).expect("a plan");
        assert_eq!(plans.len(), 1, "rows of one hour make one segment");
        let meta = bench.write(signal, &requests, plans.remove(0)).meta;
        for object in &meta.objects {
            // A series has no row id and is there once: its rows are known when they are written.
            let of_table = match object.table {
                Table::Series => found(object, &stock(bench.bytes(&object.file.path))),
                table => expected(table, &requests),
            };
            rows.insert(object.table, of_table);
        }
        assert_series(&bench, &meta);
        let objects = meta.objects.iter().map(|object| &object.file);
        for file in objects.chain(&meta.index) {
            write(
                &bench,
                &folder.join("bucket").join(&file.path),
                &bench.bytes(&file.path),
            );
        }
    }
    for (table, rows) in rows {
        let text = rows.join("\n") + "\n";
        write(&bench, &rows_file(folder, table), text.as_bytes());
    }
}

fn rows_file(folder: &FilePath, table: Table) -> PathBuf {
    folder.join(format!("{table}.txt"))
}

fn write(bench: &Bench, path: &FilePath, bytes: &[u8]) {
    let folder = path.parent().expect("the path has a folder");
    bench.world.disk.create_directories(folder).expect("made");
    let file = bench.world.disk.create(path).expect("created");
    file.write_at(0, bytes).expect("written");
}

fn text(bench: &Bench, path: &FilePath) -> String {
    let file = bench.world.disk.open_read(path).expect("the file");
    let bytes = file.read_at(0, usize::MAX).expect("its bytes");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn bucket(bench: &Bench, folder: &FilePath) -> Arc<LocalStore> {
    Arc::new(LocalStore::new(bench.world.clone(), folder.join("bucket")))
}

fn listed(bench: &Bench, bucket: &LocalStore) -> Vec<ObjectMeta> {
    bench
        .wait(bucket.list(None).try_collect())
        .expect("the bucket is listed")
}

/// The catalog entries of all segments in the bucket, from their files alone.
fn recovered(bench: &Bench, bucket: &LocalStore) -> Vec<SegmentMeta> {
    let mut segments: BTreeMap<String, (Vec<recover::Recovered>, Option<_>)> = BTreeMap::new();
    for ObjectMeta { location, size, .. } in listed(bench, bucket) {
        let name = location.filename().expect("a file");
        let (id, rest) = name.split_once('.').expect("a ULID comes first");
        let segment = segments.entry(id.to_string()).or_default();
        if rest == "idx" {
            let index = bench.wait(recover::index(bucket, &location, size));
            segment.1 = Some(index.expect("the index opens"));
        } else {
            let object = bench.wait(recover::object(bucket, &location, size));
            segment.0.push(object.expect("the object opens"));
        }
    }
    segments
        .into_values()
        .map(|(objects, index)| recover::segment(objects, index).expect("a segment"))
        .collect()
}

/// Every segment opens, every checksum holds, and the rows are those of the text files.
fn check(folder: &FilePath, version: u32) {
    let bench = Bench::new();
    let bucket = bucket(&bench, folder);
    let mut tables = BTreeSet::new();
    let segments = recovered(&bench, &bucket);
    assert_eq!(segments.len(), Signal::ALL.len());
    for meta in segments {
        assert_eq!(meta.format_version, version);
        let report = bench
            .wait(verify::verify(&bench.world, &*bucket, &meta))
            .expect("a report");
        assert_eq!(report.findings, Vec::new(), "{}", meta.signal);
        let indexed = matches!(meta.signal, Signal::Logs | Signal::Spans);
        assert!(meta.index.is_some() || !indexed, "{}", meta.signal);
        let segment = LiveSegment {
            meta,
            store: bucket.clone(),
            staged: false,
        };
        let (cache, damage) = cache();
        for object in &segment.meta.objects {
            let read = checked(&segment, object.table, cache.clone(), Arc::default());
            let batch = bench.wait(read).expect("readable");
            let rows = text(&bench, &rows_file(folder, object.table));
            let rows: Vec<&str> = rows.lines().collect();
            assert_eq!(found(object, &batch), rows, "{}", object.table);
            assert!(!rows.is_empty() && tables.insert(object.table));
        }
        assert_eq!(*damage.lock(), Vec::new());
    }
    let all: BTreeSet<Table> = Signal::ALL
        .iter()
        .flat_map(|signal| signal.tables())
        .copied()
        .collect();
    assert_eq!(tables, all, "every table is there");
}

#[test]
fn golden_segments_of_every_version_open() {
    for version in 1..=SEGMENT_FORMAT_VERSION {
        check(&kept(version), version);
    }
}

#[test]
fn golden_segments_are_made_like_this() {
    let program = std::env::current_exe().expect("a test program has a path");
    let target = program
        .ancestors()
        .nth(3)
        .expect("<target>/<profile>/deps/<program>");
    let folder = target.join(folder_name(SEGMENT_FORMAT_VERSION));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("what an earlier run left can go");
    }
    make(&folder);
    check(&folder, SEGMENT_FORMAT_VERSION);
}

#[test]
fn golden_segments_of_a_newer_version_are_refused_by_name() {
    let bench = Bench::new();
    let bucket = bucket(&bench, &kept(SEGMENT_FORMAT_VERSION));
    let newer = InMemory::new();
    let digit = SEGMENT_FORMAT_VERSION.to_string().into_bytes();
    let &[digit] = digit.as_slice() else {
        panic!("the version has one digit: make the change below fit");
    };
    for ObjectMeta { location, size, .. } in listed(&bench, &bucket) {
        let read = async { bucket.get(&location).await?.bytes().await };
        let mut bytes = bench.wait(read).expect("readable").to_vec();
        let is_index = location.as_ref().ends_with(".idx");
        if is_index {
            bytes[8] += 1;
        } else {
            const KEY: &[u8] = b"cairn.format_version";
            let key = memchr::memmem::find(&bytes, KEY).expect("the footer says its version");
            let value = key + KEY.len();
            let at = memchr::memchr(digit, &bytes[value..value + 4]).expect("behind its key");
            bytes[value + at] += 1;
        }
        bench.wait(newer.put(&location, bytes.into())).expect("put");
        let error = match is_index {
            true => bench.wait(recover::index(&newer, &location, size)).err(),
            false => bench.wait(recover::object(&newer, &location, size)).err(),
        };
        let error = error.expect("it is newer than this build");
        let version = format!("version {}", SEGMENT_FORMAT_VERSION + 1);
        let says = error.to_string();
        assert_eq!(error.kind(), Kind::Invalid, "{says}");
        assert!(says.contains(location.as_ref()), "{says}");
        assert!(says.contains(&version), "{says}");
    }
}

/// Files of before a column came are merged with newer ones: rows that never had it have NULL in it.
#[test]
fn golden_segments_are_merged_with_newer_ones() {
    let bench = Bench::new();
    let bucket = bucket(&bench, &kept(SEGMENT_FORMAT_VERSION));
    let mut segments = recovered(&bench, &bucket).into_iter();
    let meta = segments
        .find(|meta| meta.signal == Signal::Metrics)
        .expect("one of metrics");
    let old = Arc::new(LiveSegment {
        meta,
        store: bucket,
        staged: false,
    });
    let requests = [Rows::new(2, 1).request(Signal::Metrics, 200)];
    let plan = plan(&requests, Signal::Metrics, 1)
        .expect("a plan")
        .remove(0);
    let new = bench.write(Signal::Metrics, &requests, plan);
    let new = Arc::new(bench.uploaded(&new.meta));
    let histograms = |segment: &LiveSegment| {
        let read = checked(segment, Table::Histograms, cache().0, Arc::default());
        bench.wait(read).expect("readable")
    };
    let (of_old, of_new) = (histograms(&old), histograms(&new));
    assert!(of_old.column_by_name("count_double").is_none());
    let reading = Reading {
        cache: cache().0,
        counters: Arc::default(),
        memory_bytes: 1 << 30,
        runtime: None,
    };
    let written = bench.wait(async {
        let inputs = [old.clone(), new.clone()];
        let merge = Merge::prepare(&inputs, &reading, &Asked::default()).await;
        let merge = merge.expect("prepared").expect("it fits");
        let mut field_ids = FieldIds::new();
        for (table, columns) in merge.promoted() {
            let ids = (1_000..).zip(columns);
            field_ids.extend(ids.map(|(id, column)| ((table, column), id)));
        }
        let id = SegmentId(ulid::Ulid::from_parts(2, 7));
        let identity = Identity {
            id,
            tenant: TenantId::default_tenant(),
            signal: Signal::Metrics,
            level: 1,
            wal: Vec::new(),
            replaces: inputs.iter().map(|input| input.meta.id).collect(),
            siblings: vec![id],
        };
        let written = merge.write(identity, bench.target(), field_ids).await;
        written.expect("merged")
    });
    let merged = histograms(&bench.uploaded(&written.meta));
    assert_eq!(merged.num_rows(), of_old.num_rows() + of_new.num_rows());
    for name in ["count_double", "positive_counts_double", "reset_hint"] {
        let nulls = |batch: &RecordBatch| {
            let column = batch.column_by_name(name);
            column.map_or(batch.num_rows(), |column| column.null_count())
        };
        assert!(nulls(&of_new) < of_new.num_rows(), "{name}");
        assert_eq!(nulls(&merged), nulls(&of_old) + nulls(&of_new), "{name}");
    }
}
