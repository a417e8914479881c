//! Files are read back by the reader of another crate.

use super::File;
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringViewArray},
    compute::concat_batches,
};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;

/// Text that no compression shortens much.
fn noise(row: i64) -> String {
    let mut state = row as u64 + 1;
    let mut digit = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'!' + (state >> 58) as u8)
    };
    (0..4_000).map(|_| digit()).collect()
}

fn batch(first: i64) -> RecordBatch {
    let numbers: Vec<i64> = (first..first + 1_000).collect();
    let texts = numbers
        .iter()
        .map(|n| Some(noise(*n)).filter(|_| n % 7 > 0));
    let texts: ArrayRef = Arc::new(texts.collect::<StringViewArray>());
    let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, false), ("text", texts, true)])
        .expect("columns of one length")
}

#[test]
fn a_long_file_comes_in_groups_and_holds_every_row() {
    let mut file = File::new(&batch(0).schema()).expect("a file");
    let mut bytes = Vec::new();
    for first in (0..10_000).step_by(1_000) {
        bytes.extend(file.rows(&batch(first)).expect("rows"));
        assert!(file.writer.memory_size() < super::GROUP_BYTES + (2 << 20));
    }
    assert!(!bytes.is_empty(), "nothing was final before the end");
    bytes.extend(file.end().expect("an end"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("a file");
    assert!(reader.metadata().num_row_groups() > 1);
    let reader = reader.build().expect("a reader");
    let schema = file.schema.clone();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("rows")).collect();
    let all = concat_batches(&batches[0].schema(), &batches).expect("one schema");
    assert_eq!(all.num_rows(), 10_000);
    let mut expected = Vec::new();
    for first in (0..10_000).step_by(1_000) {
        let batch = batch(first);
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns
            .map(|(column, field)| {
                arrow::compute::cast(column, field.data_type()).expect("the plain type")
            })
            .collect();
        expected.push(RecordBatch::try_new(schema.clone(), columns).expect("rows"));
    }
    let expected = concat_batches(&schema, &expected).expect("one schema");
    assert_eq!(all.columns(), expected.columns());
}

#[test]
fn a_file_without_rows_has_its_columns() {
    let mut file = File::new(&batch(0).schema()).expect("a file");
    let bytes = file.end().expect("an end");
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("a file");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.schema().fields().len(), 2);
}
