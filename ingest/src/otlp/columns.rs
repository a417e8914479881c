//! Columns under construction: plain vectors that become Arrow arrays without copying.
//!
//! Text goes in as bytes, unchecked, since one check of a whole column costs a tenth of a check of every
//! value. Arrow checks at the end: a column that is not UTF-8 is [`Unfit::Text`], and the request is then decoded
//! again, carefully.

use arrow::{
    array::{
        ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, ListArray, PrimitiveArray,
        StringArray, TimestampNanosecondArray,
    },
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{ArrowPrimitiveType, Field, Int32Type},
    error::ArrowError,
};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Why columns do not become a batch.
#[derive(Debug)]
pub enum Unfit {
    /// A text column is not UTF-8.
    Text,
    /// Anything else, which is a bug.
    Schema(ArrowError),
}

/// A text column: its rows one after the other, and where each ends.
#[derive(Debug)]
pub struct TextColumn {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl TextColumn {
    /// A column with room for `rows` rows of `bytes` bytes in all.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        TextColumn {
            bytes: Vec::with_capacity(bytes),
            offsets,
        }
    }

    /// Rows that are complete.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where the text of the next row is to be appended; then call [`TextColumn::end_row`].
    #[inline(always)]
    pub fn open_row(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Completes the row. A column that grows past 2 GiB fails when it is finished.
    #[inline(always)]
    pub fn end_row(&mut self) {
        self.offsets.push(self.bytes.len() as i32);
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end_row();
    }

    /// Back to `rows` complete rows and nothing begun.
    pub fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.bytes.truncate(self.offsets[rows] as usize);
    }

    /// The text of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// The column; `nulls` says which rows are NULL.
    pub fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, Unfit> {
        if i32::try_from(self.bytes.len()).is_err() {
            return Err(Unfit::Schema(ArrowError::OffsetOverflowError(
                self.bytes.len(),
            )));
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let array = StringArray::try_new(offsets, fitted(self.bytes), nulls);
        Ok(Arc::new(array.map_err(|_| Unfit::Text)?))
    }

    /// The column with empty text as NULL.
    pub fn finish_empty_as_null(self) -> Result<ArrayRef, Unfit> {
        let rows = self.rows();
        let nulls = nulls(rows, |row| self.offsets[row] != self.offsets[row + 1]);
        self.finish(nulls)
    }
}

/// A text column that repeats itself: each distinct text once, and a key a row.
#[derive(Debug)]
pub struct DictionaryColumn {
    texts: TextColumn,
    hashes: Vec<u64>,
    /// Open addressing: index into `texts` plus 1, or 0; a power of two, at most half full.
    slots: Vec<u32>,
    /// Seeds the hash, so that a sender cannot choose texts that collide.
    seed: u64,
    last: usize,
    keys: Vec<i32>,
}

/// The key of NULL while a dictionary column is under construction.
pub const NULL_KEY: i32 = -1;

impl DictionaryColumn {
    /// A column with room for `rows` rows. `seed` should be nothing that a sender can foresee.
    pub fn with_capacity(rows: usize, seed: u64) -> Self {
        DictionaryColumn {
            texts: TextColumn::with_capacity(0, 0),
            hashes: Vec::new(),
            slots: Vec::new(),
            seed,
            last: 0,
            keys: Vec::with_capacity(rows),
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.keys.len()
    }

    /// The key of `text`, the same whenever it comes.
    #[inline]
    pub fn key(&mut self, text: &[u8]) -> i32 {
        if self.last < self.texts.rows() && self.texts.row(self.last) == text {
            return self.last as i32;
        }
        self.find(text)
    }

    /// The key of `text`, NULL's for empty text.
    #[inline]
    pub fn key_or_null(&mut self, text: &[u8]) -> i32 {
        if text.is_empty() {
            NULL_KEY
        } else {
            self.key(text)
        }
    }

    /// Appends a row.
    #[inline(always)]
    pub fn push(&mut self, key: i32) {
        self.keys.push(key);
    }

    /// Appends `count` equal rows.
    pub fn push_many(&mut self, key: i32, count: usize) {
        self.keys.resize(self.keys.len() + count, key);
    }

    fn find(&mut self, text: &[u8]) -> i32 {
        if self.hashes.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = xxh3_64_with_seed(text, self.seed);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let index = self.slots[slot] as usize;
            if index == 0 {
                self.texts.push(text);
                self.hashes.push(hash);
                self.slots[slot] = self.hashes.len() as u32;
                self.last = self.hashes.len() - 1;
                break;
            }
            if self.hashes[index - 1] == hash && self.texts.row(index - 1) == text {
                self.last = index - 1;
                break;
            }
            slot = (slot + 1) & mask;
        }
        self.last as i32
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        self.slots = vec![0; size];
        for (index, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = index as u32 + 1;
        }
    }

    /// The column.
    pub fn finish(self) -> Result<ArrayRef, Unfit> {
        dictionary(self.keys, self.texts.finish(None)?)
    }
}

/// A dictionary column whose texts are known beforehand; `keys` are indexes into `names`.
pub fn named(keys: Vec<i32>, names: &[&str]) -> Result<ArrayRef, Unfit> {
    let names = StringArray::from_iter_values(names);
    dictionary(keys, Arc::new(names))
}

fn dictionary(mut keys: Vec<i32>, texts: ArrayRef) -> Result<ArrayRef, Unfit> {
    let nulls = nulls(keys.len(), |row| keys[row] != NULL_KEY);
    if nulls.is_some() {
        keys.iter_mut().for_each(|key| *key = (*key).max(0));
    }
    let keys = PrimitiveArray::<Int32Type>::try_new(keys.into(), nulls).map_err(Unfit::Schema)?;
    let array = DictionaryArray::try_new(keys, texts).map_err(Unfit::Schema)?;
    Ok(Arc::new(array))
}

/// Ids of `N` bytes; zeros are NULL, since no id is zero.
#[derive(Debug)]
pub struct IdColumn<const N: usize> {
    bytes: Vec<u8>,
}

impl<const N: usize> IdColumn<N> {
    /// A column with room for `rows` rows.
    pub fn with_capacity(rows: usize) -> Self {
        IdColumn {
            bytes: Vec::with_capacity(rows * N),
        }
    }

    /// Appends a row.
    #[inline(always)]
    pub fn push(&mut self, id: &[u8; N]) {
        self.bytes.extend_from_slice(id);
    }

    /// The column.
    pub fn finish(self) -> Result<ArrayRef, Unfit> {
        let (ids, _) = self.bytes.as_chunks::<N>();
        let nulls = nulls(ids.len(), |row| ids[row] != [0; N]);
        let array = FixedSizeBinaryArray::try_new(N as i32, Buffer::from(self.bytes), nulls);
        Ok(Arc::new(array.map_err(Unfit::Schema)?))
    }
}

/// Numbers, some of them NULL.
#[derive(Debug)]
pub struct OptionalColumn<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    present: Vec<bool>,
}

impl<T: ArrowPrimitiveType> OptionalColumn<T> {
    /// A column with room for `rows` rows.
    pub fn with_capacity(rows: usize) -> Self {
        OptionalColumn {
            values: Vec::with_capacity(rows),
            present: Vec::with_capacity(rows),
        }
    }

    /// Appends a row.
    #[inline(always)]
    pub fn push(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.present.push(value.is_some());
    }

    /// The column.
    pub fn finish(self) -> Result<ArrayRef, Unfit> {
        let nulls = nulls(self.present.len(), |row| self.present[row]);
        let array = PrimitiveArray::<T>::try_new(self.values.into(), nulls);
        Ok(Arc::new(array.map_err(Unfit::Schema)?))
    }
}

/// Lists of numbers, some of them NULL.
#[derive(Debug)]
pub struct ListColumn<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    ends: Vec<i32>,
    present: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Default for ListColumn<T> {
    fn default() -> Self {
        ListColumn {
            values: Vec::new(),
            ends: vec![0],
            present: Vec::new(),
        }
    }
}

impl<T: ArrowPrimitiveType> ListColumn<T> {
    /// Where the numbers of the next row are to be appended; then call [`ListColumn::end_row`].
    #[inline(always)]
    pub fn open_row(&mut self) -> &mut Vec<T::Native> {
        &mut self.values
    }

    /// Completes the row; one that is not `present` is NULL.
    pub fn end_row(&mut self, present: bool) {
        self.ends.push(self.values.len() as i32);
        self.present.push(present);
    }

    /// Drops what was appended since the last complete row.
    pub fn abandon_row(&mut self) {
        self.values.truncate(self.ends[self.present.len()] as usize);
    }

    /// The column.
    pub fn finish(self) -> Result<ArrayRef, Unfit> {
        if i32::try_from(self.values.len()).is_err() {
            return Err(Unfit::Schema(ArrowError::OffsetOverflowError(
                self.values.len(),
            )));
        }
        let nulls = nulls(self.present.len(), |row| self.present[row]);
        let values =
            PrimitiveArray::<T>::try_new(self.values.into(), None).map_err(Unfit::Schema)?;
        let field = Arc::new(Field::new("item", T::DATA_TYPE, false));
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let array = ListArray::try_new(field, ends, Arc::new(values), nulls);
        Ok(Arc::new(array.map_err(Unfit::Schema)?))
    }
}

/// A column of numbers without NULL.
pub fn numbers<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> Result<ArrayRef, Unfit> {
    let array = PrimitiveArray::<T>::try_new(values.into(), None).map_err(Unfit::Schema)?;
    Ok(Arc::new(array))
}

/// A column of instants, ns.
pub fn times(values: Vec<i64>) -> Result<ArrayRef, Unfit> {
    instants(values, None)
}

/// A column of instants, ns; 0 is NULL.
pub fn times_or_null(values: Vec<i64>) -> Result<ArrayRef, Unfit> {
    let nulls = nulls(values.len(), |row| values[row] != 0);
    instants(values, nulls)
}

fn instants(values: Vec<i64>, nulls: Option<NullBuffer>) -> Result<ArrayRef, Unfit> {
    let array = TimestampNanosecondArray::try_new(values.into(), nulls).map_err(Unfit::Schema)?;
    Ok(Arc::new(array.with_timezone("UTC")))
}

/// A column of booleans, `None` as NULL.
pub fn booleans(values: Vec<Option<bool>>) -> ArrayRef {
    Arc::new(BooleanArray::from(values))
}

/// Which of `rows` rows are present; `None` if all are.
pub fn nulls(rows: usize, present: impl Fn(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, present));
    (nulls.null_count() > 0).then_some(nulls)
}

/// The bytes without the slack of their growth: the buffer accounts for capacity, not for length.
fn fitted(mut bytes: Vec<u8>) -> Buffer {
    if bytes.capacity() - bytes.len() > bytes.len() / 4 {
        bytes.shrink_to_fit();
    }
    Buffer::from(bytes)
}
