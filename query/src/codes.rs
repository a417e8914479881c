//! Numbers for the rows of columns: the same number where all columns are the same bit by bit.
//!
//! Equal values out of one Parquet dictionary page are equal views, bit by bit, so that columns that repeat are told by
//! their views, without a look at text. Values that are equal but not bit by bit have different numbers.

use arrow::{
    array::{Array, ArrayRef, AsArray, UInt32Array, downcast_dictionary_array},
    buffer::NullBuffer,
    compute::take,
    datatypes::DataType,
};
use datafusion::{
    common::HashMap,
    error::{DataFusionError, Result},
};
use std::hash::{BuildHasher, Hash};

/// The groups of rows.
#[derive(Debug)]
pub(crate) struct Codes {
    /// For each row the number of its group.
    pub(crate) of_row: Vec<usize>,
    /// For each group the first row that is in it.
    pub(crate) firsts: Vec<u32>,
}

/// Whether rows of such a column can be told apart by bits.
pub(crate) fn are_of(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView | DataType::Boolean | DataType::Null => true,
        DataType::FixedSizeBinary(size) => (1..=16).contains(size),
        DataType::Dictionary(..) => true,
        other => other.is_primitive() && other.primitive_width().is_some_and(|width| width <= 16),
    }
}

/// The groups of the rows of `columns`, each of a type that [`are_of`] allows.
pub(crate) fn codes(columns: &[ArrayRef], rows: usize) -> Result<Codes> {
    let mut all: Option<Codes> = None;
    for column in columns {
        let codes = of_column(column)?;
        all = Some(match all {
            Some(all) if codes.firsts.len() == 1 => all,
            Some(all) if all.firsts.len() > 1 => both(&all, &codes),
            _ => codes,
        });
    }
    Ok(all.unwrap_or_else(|| same(rows)))
}

impl Codes {
    /// `values`, of which there is one for each group, for each row.
    pub(crate) fn spread(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let of_row = UInt32Array::from_iter_values(self.of_row.iter().map(|code| *code as u32));
        Ok(take(values, &of_row, None)?)
    }

    /// The first row of each group of `column`.
    pub(crate) fn gather(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let firsts = UInt32Array::from(self.firsts.clone());
        Ok(take(column, &firsts, None)?)
    }
}

/// One group of all rows.
fn same(rows: usize) -> Codes {
    Codes {
        of_row: vec![0; rows],
        firsts: if rows == 0 { Vec::new() } else { vec![0] },
    }
}

/// The groups of the rows of one column.
pub(crate) fn of_column(column: &ArrayRef) -> Result<Codes> {
    let rows = column.len();
    if column.null_count() == rows || *column.data_type() == DataType::Null {
        return Ok(same(rows));
    }
    let nulls = column.nulls();
    Ok(match column.data_type() {
        DataType::Utf8View => of_values(column.as_string_view().views(), nulls),
        DataType::BinaryView => of_values(column.as_binary_view().views(), nulls),
        DataType::Boolean => {
            let values: Vec<bool> = column.as_boolean().values().iter().collect();
            of_values(&values, nulls)
        }
        DataType::FixedSizeBinary(_) => {
            let values = column.as_fixed_size_binary();
            let values: Vec<u128> = (0..rows).map(|row| bits(values.value(row))).collect();
            of_values(&values, nulls)
        }
        DataType::Dictionary(..) => downcast_dictionary_array! {
            column => return of_column(&(std::sync::Arc::new(column.keys().clone()) as ArrayRef)),
            other => return Err(unknown(other)),
        },
        other => {
            let data = column.to_data();
            match other.primitive_width() {
                Some(1) => of_values(&data.buffer::<u8>(0)[..rows], nulls),
                Some(2) => of_values(&data.buffer::<u16>(0)[..rows], nulls),
                Some(4) => of_values(&data.buffer::<u32>(0)[..rows], nulls),
                Some(8) => of_values(&data.buffer::<u64>(0)[..rows], nulls),
                Some(16) => of_values(&data.buffer::<i128>(0)[..rows], nulls),
                _ => return Err(unknown(other)),
            }
        }
    })
}

fn unknown(data_type: &DataType) -> DataFusionError {
    DataFusionError::Internal(format!("rows of {data_type} are not told apart by bits"))
}

/// At most 16 bytes of one length as a number.
fn bits(bytes: &[u8]) -> u128 {
    let mut padded = [0; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(padded)
}

/// The groups of rows with the same value; a null is a value of its own.
fn of_values<T: Copy + Eq + Hash>(values: &[T], nulls: Option<&NullBuffer>) -> Codes {
    let mut of_row = vec![0; values.len()];
    // The hash of these maps is seeded: nobody can choose values that meet in one place.
    let hash = HashMap::<T, ()>::new().hasher().clone();
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let Some(nulls) = nulls else {
        let mut known = Known::new(hash, None);
        for (row, (value, code)) in values.iter().zip(&mut of_row).enumerate() {
            *code = known.code(row, *value);
        }
        let firsts = known.firsts;
        return Codes { of_row, firsts };
    };
    // Rows without a value have the number 0 already.
    let null = nulls.iter().position(|valid| !valid);
    let mut known = Known::new(hash, null);
    for row in nulls.valid_indices() {
        of_row[row] = known.code(row, values[row]);
    }
    let firsts = known.firsts;
    Codes { of_row, firsts }
}

/// So many that few values rarely meet: a second look costs a row as much as all the rest.
const SLOTS: usize = 1024;

/// The values seen, numbered. A table of numbers alone, probed in steps of one: the few values that repeat take a few
/// cache lines.
struct Known<T, S> {
    hash: S,
    /// By number: the first row.
    firsts: Vec<u32>,
    /// By number, a null not counted: the value.
    values: Vec<T>,
    /// One more than a position in `values`, 0 where there is none; as many as a power of two, and at least twice
    /// the values.
    slots: Vec<u32>,
}

impl<T: Copy + Eq + Hash, S: BuildHasher> Known<T, S> {
    /// Nothing, or the null in row `null`, which gets the first number.
    fn new(hash: S, null: Option<usize>) -> Known<T, S> {
        Known {
            hash,
            firsts: null.map(|row| row as u32).into_iter().collect(),
            values: Vec::new(),
            slots: vec![0; SLOTS],
        }
    }

    /// The number of `value`, which is in `row`.
    fn code(&mut self, row: usize, value: T) -> usize {
        let nulls = self.firsts.len() - self.values.len();
        let mut slot = self.slot(value);
        loop {
            match self.slots[slot] as usize {
                0 => return self.add(slot, row, value),
                number if self.values[number - 1] == value => return number - 1 + nulls,
                _ => slot = self.after(slot),
            }
        }
    }

    fn add(&mut self, slot: usize, row: usize, value: T) -> usize {
        self.values.push(value);
        self.firsts.push(row as u32);
        self.slots[slot] = self.values.len() as u32;
        if self.values.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.firsts.len() - 1
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for number in 0..self.values.len() {
            let mut slot = self.slot(self.values[number]);
            while self.slots[slot] != 0 {
                slot = self.after(slot);
            }
            self.slots[slot] = number as u32 + 1;
        }
    }

    fn slot(&self, value: T) -> usize {
        self.hash.hash_one(value) as usize & (self.slots.len() - 1)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

/// A table of so many pairs is cheaper than a map of those that occur: it fits into the first-level cache.
const MOST_PAIRS: usize = 4 * 1024;

/// The groups of rows that are in one group on both sides.
fn both(left: &Codes, right: &Codes) -> Codes {
    let width = right.firsts.len();
    let pairs = left.firsts.len() * width;
    let pair_of = |(left, right): (&usize, &usize)| left * width + right;
    let of_pairs = left.of_row.iter().zip(&right.of_row).map(pair_of);
    if pairs > MOST_PAIRS {
        let of_pairs: Vec<usize> = of_pairs.collect();
        return of_values(&of_pairs, None);
    }
    let mut codes = Codes {
        of_row: Vec::with_capacity(left.of_row.len()),
        firsts: Vec::new(),
    };
    let mut known = vec![usize::MAX; pairs];
    for (row, pair) in of_pairs.enumerate() {
        if known[pair] == usize::MAX {
            known[pair] = codes.firsts.len();
            codes.firsts.push(row as u32);
        }
        codes.of_row.push(known[pair]);
    }
    codes
}

#[cfg(test)]
mod tests;
