//! Picks rows out of many small batches, column by column.
//!
//! Dictionaries of the batches are unified once per batch and distinct value, never per row.

use crate::error::{Error, Result};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, Int32Array, RecordBatch,
        StringArray,
    },
    buffer::{BooleanBuffer, Buffer, NullBuffer},
    compute::interleave,
    datatypes::{DataType, Int32Type},
};
use std::{collections::HashMap, sync::Arc};

/// A row: the batch and the position in it, as `interleave` takes it.
pub(crate) type RowRef = (usize, usize);

/// The batches of one table, all of one schema.
pub(crate) struct Batches {
    batches: Vec<RecordBatch>,
    /// By column; made when first asked for.
    dictionaries: HashMap<usize, Dictionary>,
}

impl Batches {
    pub(crate) fn new(batches: Vec<RecordBatch>) -> Batches {
        Batches {
            batches,
            dictionaries: HashMap::new(),
        }
    }

    pub(crate) fn all(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The values of a column at `rows`; repeated text stays a dictionary.
    pub(crate) fn column(&mut self, column: usize, rows: &[RowRef]) -> Result<ArrayRef> {
        let first = self
            .batches
            .first()
            .map(|batch| batch.column(column).data_type().clone());
        match first {
            Some(DataType::Dictionary(..)) => self.dictionary(column)?.gather(rows),
            Some(DataType::FixedSizeBinary(width)) => self.fixed(column, width, rows),
            _ => {
                let arrays: Vec<&dyn Array> = self
                    .batches
                    .iter()
                    .map(|batch| batch.column(column).as_ref())
                    .collect();
                interleave(&arrays, rows).map_err(|source| Error::Arrow {
                    doing: "gathering rows of a segment",
                    source,
                })
            }
        }
    }

    /// The unified dictionary of a column of repeated text.
    pub(crate) fn dictionary(&mut self, column: usize) -> Result<&Dictionary> {
        if !self.dictionaries.contains_key(&column) {
            let unified = Dictionary::unify(&self.batches, column)?;
            self.dictionaries.insert(column, unified);
        }
        Ok(&self.dictionaries[&column])
    }

    fn fixed(&self, column: usize, width: i32, rows: &[RowRef]) -> Result<ArrayRef> {
        let arrays: Vec<&FixedSizeBinaryArray> = self
            .batches
            .iter()
            .map(|batch| batch.column(column).as_fixed_size_binary())
            .collect();
        let mut values = Vec::with_capacity(rows.len() * width as usize);
        for (batch, row) in rows {
            // The value of a null slot is some bytes of the right length.
            values.extend_from_slice(arrays[*batch].value(*row));
        }
        let nulls = arrays.iter().any(|array| array.null_count() > 0).then(|| {
            NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |i| {
                let (batch, row) = rows[i];
                arrays[batch].is_valid(row)
            }))
        });
        FixedSizeBinaryArray::try_new(width, Buffer::from_vec(values), nulls)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|source| Error::Arrow {
                doing: "gathering ids of a segment",
                source,
            })
    }
}

/// The distinct values of a dictionary column over all batches.
pub(crate) struct Dictionary {
    values: Arc<StringArray>,
    /// For each batch its keys, and for each of its values the position in `values`.
    batches: Vec<(Int32Array, Vec<i32>)>,
    nulls: bool,
}

impl Dictionary {
    fn unify(batches: &[RecordBatch], column: usize) -> Result<Dictionary> {
        let mut positions: HashMap<&str, i32> = HashMap::new();
        let mut values: Vec<&str> = Vec::new();
        let mut mapped = Vec::with_capacity(batches.len());
        let mut nulls = false;
        for batch in batches {
            let array = batch.column(column).as_any();
            let Some(array) = array.downcast_ref::<DictionaryArray<Int32Type>>() else {
                let name = batch.schema().field(column).name().clone();
                return Err(Error::Internal(format!(
                    "column {name} is not repeated text"
                )));
            };
            let own = array.values().as_string::<i32>();
            let mut map = Vec::with_capacity(own.len());
            for i in 0..own.len() {
                let next = values.len() as i32;
                map.push(*positions.entry(own.value(i)).or_insert_with(|| {
                    values.push(own.value(i));
                    next
                }));
            }
            nulls |= array.keys().null_count() > 0;
            mapped.push((array.keys().clone(), map));
        }
        let values = Arc::new(StringArray::from_iter_values(&values));
        Ok(Dictionary {
            values,
            batches: mapped,
            nulls,
        })
    }

    /// The distinct values.
    pub(crate) fn values(&self) -> &StringArray {
        &self.values
    }

    /// The position of a row's value in [`Dictionary::values`]; `None` is null.
    pub(crate) fn position(&self, row: RowRef) -> Option<usize> {
        let (keys, map) = &self.batches[row.0];
        keys.is_valid(row.1)
            .then(|| map[keys.value(row.1) as usize] as usize)
    }

    fn gather(&self, rows: &[RowRef]) -> Result<ArrayRef> {
        let slices: Vec<(&[i32], &[i32])> = self
            .batches
            .iter()
            .map(|(keys, map)| (keys.values().as_ref(), map.as_slice()))
            .collect();
        // The key of a null slot may be anything, also beyond the values.
        let key = |(batch, row): &RowRef| {
            let (keys, map) = slices[*batch];
            map.get(keys[*row] as usize).copied().unwrap_or(0)
        };
        let keys: Vec<i32> = rows.iter().map(key).collect();
        let nulls = self.nulls.then(|| {
            NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |i| {
                let (batch, row) = rows[i];
                self.batches[batch].0.is_valid(row)
            }))
        });
        let keys = Int32Array::new(keys.into(), nulls);
        DictionaryArray::try_new(keys, self.values.clone())
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|source| Error::Arrow {
                doing: "gathering text of a segment",
                source,
            })
    }
}
