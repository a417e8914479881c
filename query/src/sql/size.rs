//! The bytes of a batch's values, as an answer's size limit counts them.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::DataType,
};

/// The bytes of the values of `batch`.
///
/// Not what it holds in memory: views share buffers with rows that are not in the answer.
pub(super) fn bytes(batch: &RecordBatch) -> u64 {
    batch
        .columns()
        .iter()
        .map(column)
        .fold(0, u64::saturating_add)
}

fn column(column: &ArrayRef) -> u64 {
    let rows = column.len() as u64;
    match column.data_type() {
        DataType::Null => 0,
        DataType::Boolean => rows,
        DataType::Utf8View => column
            .as_string_view()
            .iter()
            .flatten()
            .map(|v| v.len() as u64 + 4)
            .sum(),
        DataType::BinaryView => column
            .as_binary_view()
            .iter()
            .flatten()
            .map(|v| v.len() as u64 + 4)
            .sum(),
        DataType::FixedSizeBinary(size) => rows * u64::try_from(*size).unwrap_or(0),
        other => match other.primitive_width() {
            Some(width) => rows * width as u64,
            // Offsets tell what a slice uses; where there are none the whole counts.
            None => match column.to_data().get_slice_memory_size() {
                Ok(bytes) => bytes as u64,
                Err(_) => column.get_array_memory_size() as u64,
            },
        },
    }
}
