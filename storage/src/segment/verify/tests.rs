//! A whole segment passes; every damage to any file is found.

use super::verify;
use crate::{
    segment::{
        SegmentMeta, recover,
        tests::{Bench, rows::Rows},
        window::plan,
    },
    signal::Signal,
    snapshot::LiveSegment,
};
use object_store::{ObjectStoreExt, path::Path};

/// A small segment of one signal.
fn segment(bench: &Bench, signal: Signal, rows: usize) -> LiveSegment {
    let mut random = Rows::new(5, 1);
    let requests: Vec<_> = (0..3).map(|_| random.request(signal, rows)).collect();
    let mut plans = plan(&requests, signal, 1).expect("a plan");
    let written = bench.write(signal, &requests, plans.remove(0));
    bench.uploaded(&written.meta)
}

#[test]
fn a_whole_segment_passes() {
    let bench = Bench::new();
    for signal in Signal::ALL {
        let segment = segment(&bench, signal, 12_000);
        let report = bench
            .wait(verify(&bench.world, &*segment.store, &segment.meta))
            .expect("a report");
        assert_eq!(report.findings, Vec::new(), "{signal}");
        let rows: u64 = segment.meta.objects.iter().map(|object| object.rows).sum();
        assert_eq!(report.rows, rows);
        assert_eq!(
            report.files,
            segment.meta.objects.len() as u64 + u64::from(segment.meta.index.is_some())
        );
    }
}

#[test]
fn every_flipped_byte_is_found() {
    let bench = Bench::new();
    let segment = segment(&bench, Signal::Spans, 12);
    let files = segment
        .meta
        .objects
        .iter()
        .map(|object| &object.file)
        .chain(&segment.meta.index);
    for file in files {
        let path = Path::from(file.path.as_str());
        let whole = bench.bytes(&file.path);
        // All of the footer would take long; a step that is no divisor of anything meets every part.
        for at in (0..whole.len()).step_by(37) {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1 << (at % 8);
            bench
                .wait(segment.store.put(&path, bytes.into()))
                .expect("put");
            let report = bench
                .wait(verify(&bench.world, &*segment.store, &segment.meta))
                .expect("a report");
            assert!(
                report.findings.iter().any(|f| f.path == file.path),
                "byte {at} of {}",
                file.path
            );
        }
        bench
            .wait(
                segment
                    .store
                    .put(&path, whole.slice(..whole.len() - 1).into()),
            )
            .expect("put");
        let report = bench
            .wait(verify(&bench.world, &*segment.store, &segment.meta))
            .expect("a report");
        assert_eq!(report.findings.len(), 1, "a file that is too short");
        bench.wait(segment.store.delete(&path)).expect("delete");
        let report = bench
            .wait(verify(&bench.world, &*segment.store, &segment.meta))
            .expect("a report");
        assert_eq!(report.findings.len(), 1, "a file that is gone");
        bench
            .wait(segment.store.put(&path, whole.into()))
            .expect("put");
    }
}

#[test]
fn a_catalog_entry_that_says_otherwise_is_found() {
    let bench = Bench::new();
    let segment = segment(&bench, Signal::Logs, 100);
    let found = |change: &dyn Fn(&mut SegmentMeta)| {
        let mut meta = segment.meta.clone();
        change(&mut meta);
        let report = bench
            .wait(verify(&bench.world, &*segment.store, &meta))
            .expect("a report");
        !report.findings.is_empty()
    };
    assert!(!found(&|_| {}));
    assert!(found(&|meta| meta.level = 9));
    assert!(found(&|meta| meta.time.max = meta.time.min));
    assert!(found(&|meta| meta.objects[0].rows += 1));
    assert!(found(&|meta| meta.objects[0].columns[0].nulls += 1));
}

#[test]
fn the_catalog_entry_comes_back_from_the_files() {
    let bench = Bench::new();
    for signal in Signal::ALL {
        let segment = segment(&bench, signal, 500);
        let objects = segment.meta.objects.iter().map(|object| {
            let path = Path::from(object.file.path.as_str());
            let recovered = bench
                .wait(recover::object(
                    &*segment.store,
                    &path,
                    object.file.size_bytes,
                ))
                .expect("recovered");
            let names: Vec<&str> = recovered
                .field_ids
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            let promoted: Vec<&str> = object.promoted.iter().map(|p| p.column.as_str()).collect();
            assert_eq!(names, promoted);
            recovered
        });
        let mut objects: Vec<_> = objects.collect();
        let index = segment.meta.index.as_ref().map(|file| {
            let path = Path::from(file.path.as_str());
            bench
                .wait(recover::index(&*segment.store, &path, file.size_bytes))
                .expect("recovered")
        });
        objects.reverse();
        assert_eq!(
            recover::segment(objects.clone(), index.clone()).expect("a segment"),
            segment.meta
        );
        if objects.len() > 1 {
            assert!(
                recover::segment(objects[1..].to_vec(), index).is_err(),
                "an object is missing"
            );
        }
    }
}

#[test]
fn recovering_a_damaged_footer_never_panics() {
    let bench = Bench::new();
    let segment = segment(&bench, Signal::DeadLetters, 20);
    let file = &segment.meta.objects[0].file;
    let path = Path::from(file.path.as_str());
    let whole = bench.bytes(&file.path);
    let footer = whole.len() - segment.meta.objects[0].footer_bytes as usize;
    for at in footer..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        bench
            .wait(segment.store.put(&path, bytes.into()))
            .expect("put");
        let _ = bench.wait(recover::object(&*segment.store, &path, file.size_bytes));
    }
    for length in [0, 4, 7, 8, 12, whole.len() / 2] {
        bench
            .wait(segment.store.put(&path, whole.slice(..length).into()))
            .expect("put");
        assert!(
            bench
                .wait(recover::object(&*segment.store, &path, length as u64))
                .is_err()
        );
    }
}
