//! Columns that few rows have a value in: values and their rows gather, slots for all rows are made at the end.

use crate::error::{Error, Result};
use arrow::{
    array::{ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray},
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::ArrowNativeType,
};

/// Numbers or flags of some rows.
#[derive(Default)]
pub(super) struct Sparse<T> {
    /// Rising.
    rows: Vec<u32>,
    values: Vec<T>,
}

/// Text of some rows.
#[derive(Default)]
pub(super) struct SparseText {
    /// Rising.
    rows: Vec<u32>,
    /// Where each value ends in `text`.
    ends: Vec<i32>,
    text: String,
}

impl<T: Copy + Default> Sparse<T> {
    /// Puts a value at `row`, above all rows before it.
    pub(super) fn push(&mut self, row: usize, value: T) {
        self.rows.push(row as u32);
        self.values.push(value);
    }

    /// The values with a slot for each of `rows`, the default where there is none; and where there is none.
    fn slots(&mut self, rows: usize) -> (Vec<T>, Option<NullBuffer>) {
        let mut slots = vec![T::default(); rows];
        for (row, value) in self.rows.iter().zip(&self.values) {
            slots[*row as usize] = *value;
        }
        let nulls = nulls(&self.rows, rows);
        self.rows.clear();
        self.values.clear();
        (slots, nulls)
    }

    /// The column of `rows` rows; begins anew.
    pub(super) fn finish_primitive<P>(&mut self, rows: usize) -> PrimitiveArray<P>
    where
        P: ArrowPrimitiveType<Native = T>,
        T: ArrowNativeType,
    {
        let (slots, nulls) = self.slots(rows);
        PrimitiveArray::new(ScalarBuffer::from(slots), nulls)
    }
}

impl Sparse<bool> {
    /// The column of `rows` rows; begins anew.
    pub(super) fn finish_booleans(&mut self, rows: usize) -> BooleanArray {
        let (slots, nulls) = self.slots(rows);
        BooleanArray::new(BooleanBuffer::from(slots), nulls)
    }
}

impl SparseText {
    /// Puts a value at `row`, above all rows before it. All values together stay below 2 GiB: row groups end before.
    pub(super) fn push(&mut self, row: usize, value: &str) {
        self.text.push_str(value);
        self.rows.push(row as u32);
        self.ends.push(self.text.len() as i32);
    }

    /// The column of `rows` rows; begins anew.
    pub(super) fn finish(&mut self, rows: usize) -> Result<StringArray> {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let mut end = 0;
        for (row, own) in self.rows.iter().zip(&self.ends) {
            offsets.resize(*row as usize + 1, end);
            offsets.push(*own);
            end = *own;
        }
        offsets.resize(rows + 1, end);
        let nulls = nulls(&self.rows, rows);
        self.rows.clear();
        self.ends.clear();
        // The next rows are like these.
        let next = String::with_capacity(self.text.len() + self.text.len() / 8);
        let text = Buffer::from(std::mem::replace(&mut self.text, next).into_bytes());
        StringArray::try_new(OffsetBuffer::new(offsets.into()), text, nulls).map_err(|source| {
            Error::Arrow {
                doing: "making a promoted column",
                source,
            }
        })
    }
}

/// Which of `rows` rows have no value, when only `present` have one; `None` when all have.
fn nulls(present: &[u32], rows: usize) -> Option<NullBuffer> {
    if present.len() == rows {
        return None;
    }
    let mut bits = vec![0_u8; rows.div_ceil(8)];
    for row in present {
        bits[*row as usize / 8] |= 1 << (row % 8);
    }
    let valid = BooleanBuffer::new(Buffer::from_vec(bits), 0, rows);
    Some(NullBuffer::new(valid))
}
