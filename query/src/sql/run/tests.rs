//! What of a batch goes into an answer.

use super::without_paths;
use crate::sql::{scrub::Scrub, size};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringViewArray},
    datatypes::{Field, Schema},
};
use std::{path::Path, sync::Arc};

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let field = |(n, column): (usize, &ArrayRef)| {
        Field::new(format!("c{n}"), column.data_type().clone(), true)
    };
    let fields: Vec<Field> = columns.iter().enumerate().map(field).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of one length")
}

#[test]
fn plans_lose_their_paths() {
    let text = "scan tenant=a/signal=logs/x.parquet";
    let plan = batch(vec![
        Arc::new(StringArray::from(vec![Some(text), None])),
        Arc::new(StringViewArray::from(vec![text, "b"])),
        Arc::new(Int64Array::from(vec![1, 2])),
    ]);
    let clean = without_paths(&plan, &Scrub::new(Path::new("/d/spill"))).expect("text is text");
    let expected = batch(vec![
        Arc::new(StringArray::from(vec![Some("scan x.parquet"), None])),
        Arc::new(StringViewArray::from(vec!["scan x.parquet", "b"])),
        Arc::new(Int64Array::from(vec![1, 2])),
    ]);
    assert_eq!(clean, expected);
}

#[test]
fn the_size_of_a_slice_is_its_own() {
    let long = "x".repeat(1_000);
    let texts: Vec<&str> = vec![&long; 100];
    let all = batch(vec![Arc::new(StringViewArray::from(texts.clone()))]);
    assert_eq!(size::bytes(&all), 100 * 1_004);
    assert_eq!(size::bytes(&all.slice(10, 2)), 2 * 1_004);
    let plain = batch(vec![Arc::new(StringArray::from(texts))]);
    let two = size::bytes(&plain.slice(10, 2));
    assert!((2_000..2_100).contains(&two), "{two}");
    let numbers = batch(vec![Arc::new(Int64Array::from(vec![1; 10]))]);
    assert_eq!(size::bytes(&numbers), 80);
    let lists =
        arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>(vec![
            Some(
                vec![Some(1); 10]
            );
            10
        ]);
    let lists = size::bytes(&batch(vec![Arc::new(lists)]));
    assert!((800..1_100).contains(&lists), "{lists}");
}
