//! The sidecar finds every token, few blocks beside, and notices damage.

mod measure;
mod text;

use super::{Blocks, Index, build::Builder};
use crate::{
    error::Kind,
    segment::{
        FileMeta,
        fetch::{ReadCounters, Source},
    },
    signal::Table,
};
use arrow::array::FixedSizeBinaryArray;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use std::sync::{Arc, atomic::Ordering};

fn id(number: u64) -> Vec<u8> {
    number
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_be_bytes()
        .repeat(2)
}

/// A sidecar over `rows` ids, each ten rows long; every third row has none.
fn sidecar(rows: u64) -> Vec<u8> {
    let mut builder = Builder::default();
    let ids: Vec<Option<Vec<u8>>> = (0..rows)
        .map(|row| (row % 3 > 0).then(|| id(row / 10)))
        .collect();
    for part in ids.chunks(10_000) {
        let part = FixedSizeBinaryArray::try_from_sparse_iter_with_size(part.iter().cloned(), 16)
            .expect("ids");
        builder.add(Table::Logs, "trace_id", &part);
    }
    builder.finish().expect("built").expect("there are tokens")
}

async fn open(bytes: Vec<u8>, counters: &ReadCounters) -> crate::error::Result<Index> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let file = FileMeta {
        path: "a.idx".into(),
        size_bytes: bytes.len() as u64,
        checksum: 0,
    };
    store
        .put(&Path::from("a.idx"), bytes.into())
        .await
        .expect("put");
    let source = Source::new(store, Path::from("a.idx"), None);
    Index::open(source, &file, counters).await
}

#[tokio::test]
async fn tokens_are_found_in_their_blocks() {
    let rows = 100_000_u64;
    let counters = ReadCounters::default();
    let index = open(sidecar(rows), &counters).await.expect("an index");
    let mut selected = 0;
    for number in (0..rows / 10).step_by(101) {
        let blocks = index
            .blocks_with(Table::Logs, "trace_id", &id(number), &counters)
            .await
            .expect("an answer");
        let Blocks::Rows(ranges) = blocks else {
            panic!("the column is indexed")
        };
        let holders = (number * 10..number * 10 + 10).filter(|row| row % 3 > 0);
        for row in holders {
            assert!(ranges.iter().any(|range| range.contains(&row)), "row {row}");
        }
        assert!(ranges.iter().all(|range| range.end <= rows));
        selected += ranges
            .iter()
            .map(|range| range.end - range.start)
            .sum::<u64>();
    }
    let average = selected / 100;
    assert!(
        average < 3 * super::BLOCK_ROWS,
        "{average} rows for each token"
    );
    // The head came with two requests at most, and a token costs one.
    assert!(counters.requests.load(Ordering::Relaxed) <= 2 + 100);
}

#[tokio::test]
async fn absent_tokens_cost_no_request() {
    let counters = ReadCounters::default();
    let index = open(sidecar(100_000), &counters).await.expect("an index");
    let opened = counters.requests.load(Ordering::Relaxed);
    let mut found = 0;
    for number in 1_000_000..1_001_000 {
        let blocks = index
            .blocks_with(Table::Logs, "trace_id", &id(number), &counters)
            .await
            .expect("an answer");
        found += u64::from(blocks != Blocks::Rows(Vec::new()));
    }
    assert!(found < 30, "{found} of 1000");
    assert!(counters.requests.load(Ordering::Relaxed) - opened < 30);
    let unknown = index
        .blocks_with(Table::Logs, "span_id", &id(1), &counters)
        .await;
    assert_eq!(unknown.expect("an answer"), Blocks::Unknown);
}

#[tokio::test]
async fn damage_is_an_error_and_never_a_lost_row() {
    let whole = sidecar(20_000);
    let counters = ReadCounters::default();
    for at in (0..whole.len()).step_by(53) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let index = match open(bytes, &counters).await {
            Ok(index) => index,
            Err(error) => {
                assert!(
                    matches!(error.kind(), Kind::Corrupt | Kind::Invalid),
                    "byte {at}: {error}"
                );
                continue;
            }
        };
        for number in (0..2_000).step_by(7) {
            match index
                .blocks_with(Table::Logs, "trace_id", &id(number), &counters)
                .await
            {
                Ok(Blocks::Rows(ranges)) => {
                    let row = number * 10 + 1 + u64::from((number * 10 + 1) % 3 == 0);
                    assert!(
                        ranges.iter().any(|range| range.contains(&row)),
                        "byte {at}, row {row}"
                    );
                }
                Ok(Blocks::Unknown) => panic!("byte {at} hid the section"),
                Err(error) => assert_eq!(error.kind(), Kind::Corrupt),
            }
        }
    }
}

#[test]
fn without_tokens_there_is_no_sidecar() {
    assert_eq!(Builder::default().finish().expect("built"), None);
    let mut builder = Builder::default();
    let none = FixedSizeBinaryArray::new_null(16, 9_000);
    builder.add(Table::Logs, "trace_id", &none);
    assert_eq!(builder.finish().expect("built"), None);
}
