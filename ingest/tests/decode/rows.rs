//! Batches as rows of texts, as the oracle makes them.

use crate::oracle::{NULL, Row, bits, hexed};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type},
    record_batch::RecordBatch,
};

pub(crate) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let columns: Vec<Vec<String>> = batch.columns().iter().map(cells).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect()
}

fn cells(column: &ArrayRef) -> Vec<String> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, text) => {
            cast(column, text).expect("a dictionary casts to its values")
        }
        _ => column.clone(),
    };
    let cell = |row: usize| {
        if plain.is_null(row) {
            NULL.to_string()
        } else {
            cell(&plain, row)
        }
    };
    (0..plain.len()).map(cell).collect()
}

fn cell(column: &dyn Array, row: usize) -> String {
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float64 => bits(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Timestamp(..) => column
            .as_primitive::<TimestampNanosecondType>()
            .value(row)
            .to_string(),
        DataType::FixedSizeBinary(_) => hexed(column.as_fixed_size_binary().value(row)),
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            let values: Vec<_> = (0..values.len()).map(|i| cell(&values, i)).collect();
            format!("[{}]", values.join(","))
        }
        other => panic!("no column has type {other}"),
    }
}
