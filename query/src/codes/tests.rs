//! Rows have one number where, and only where, all columns have the same bits.

use super::*;
use arrow::{
    array::{
        BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, NullArray,
        StringViewArray, StringViewBuilder,
    },
    datatypes::Int32Type,
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

/// What a row is in a column, so that the test need not look into arrays.
type Cell = Option<u8>;

const ROWS: usize = 60;
const SKIPPED: usize = 3;

/// Text of the row, long enough for a buffer where the number is odd.
fn text(cell: u8) -> String {
    match cell % 2 {
        0 => format!("t{cell}"),
        _ => format!("text that does not fit into a view {cell}"),
    }
}

/// Each text once in the buffers, as a Parquet dictionary gives it.
fn views(cells: &[Cell]) -> StringViewArray {
    let mut builder = StringViewBuilder::new().with_deduplicate_strings();
    for cell in cells {
        builder.append_option(cell.map(text));
    }
    builder.finish()
}

fn array(kind: u8, cells: &[Cell]) -> ArrayRef {
    let numbers = || cells.iter().map(|cell| cell.map(i64::from));
    match kind {
        0 => Arc::new(views(cells)),
        1 => Arc::new(numbers().collect::<Int64Array>()),
        2 => Arc::new(
            numbers()
                .map(|n| n.map(|n| n as f64))
                .collect::<Float64Array>(),
        ),
        3 => Arc::new(
            cells
                .iter()
                .map(|cell| cell.map(|c| c > 1))
                .collect::<BooleanArray>(),
        ),
        4 => {
            let values = cells.iter().map(|cell| cell.map(|c| [c; 8]));
            let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 8);
            Arc::new(array.expect("8 bytes each"))
        }
        5 => Arc::new(
            cells
                .iter()
                .map(|cell| cell.map(text))
                .collect::<Vec<_>>()
                .iter()
                .map(Option::as_deref)
                .collect::<DictionaryArray<Int32Type>>(),
        ),
        _ => Arc::new(NullArray::new(cells.len())),
    }
}

/// The cell as an array of `kind` tells it from others.
fn told(kind: u8, cell: Cell) -> Cell {
    match kind {
        3 => cell.map(|cell| u8::from(cell > 1)),
        6 => None,
        _ => cell,
    }
}

fn column() -> impl Strategy<Value = (u8, Vec<Cell>)> {
    (
        0..7u8,
        prop::collection::vec(prop::option::of(0..6u8), ROWS),
    )
}

proptest! {
    #[test]
    fn rows_are_told_apart_by_all_columns(columns in prop::collection::vec(column(), 1..4)) {
        // A slice, so that an offset is not forgotten.
        let rows = ROWS - SKIPPED;
        let arrays: Vec<ArrayRef> = columns
            .iter()
            .map(|(kind, cells)| array(*kind, cells).slice(SKIPPED, rows))
            .collect();
        for array in &arrays {
            prop_assert!(are_of(array.data_type()));
        }
        let key = |row: usize| -> Vec<Cell> {
            columns.iter().map(|(kind, cells)| told(*kind, cells[SKIPPED + row])).collect()
        };
        let found = codes(&arrays, rows).expect("codes");
        prop_assert_eq!(found.of_row.len(), rows);
        let firsts: Vec<_> = found.firsts.iter().map(|row| key(*row as usize)).collect();
        for (row, code) in found.of_row.iter().enumerate() {
            prop_assert_eq!(&key(row), &firsts[*code]);
        }
        let different: BTreeSet<_> = firsts.iter().collect();
        prop_assert_eq!(different.len(), firsts.len(), "a group stands twice");
    }
}

#[test]
fn many_pairs_go_through_a_map() {
    let rows = 1000;
    let left: ArrayRef = Arc::new((0..rows).map(|row| Some(row % 100)).collect::<Int64Array>());
    let right: ArrayRef = Arc::new((0..rows).map(|row| Some(row / 10)).collect::<Int64Array>());
    let found = codes(&[left, right], rows as usize).expect("codes");
    assert_eq!(found.firsts.len(), 1000);
    assert_eq!(found.of_row, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_batch_without_rows_has_no_groups() {
    let none: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    assert!(codes(&[none], 0).expect("codes").firsts.is_empty());
}
