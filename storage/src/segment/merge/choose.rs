//! Chooses the promoted columns of a merged object from what its inputs have, and what queries ask for.

use super::{
    input::{Input, reading},
    sieve::Sieve,
};
use crate::{
    attributes::{decode, kind::ValueKind},
    error::Result,
    segment::promote::{self, Choice, KINDS},
};
use arrow::array::{Array, AsArray};
use futures::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// The attribute keys that queries ask for: they are promoted when a tenth of the usual share of rows has them.
pub type Asked = BTreeSet<String>;

/// A key and type, with the rows that have it.
#[derive(Default)]
struct Census {
    keys: BTreeMap<String, [Seen; 4]>,
}

#[derive(Default, Clone, Copy)]
struct Seen {
    rows: u64,
    /// Of these, in columns whose values repeat.
    repeating: u64,
}

/// How many times fewer rows need to have a key that queries ask for.
const ASKED_FACTOR: u64 = 10;

/// The columns for the rows of `inputs`, which are objects of one table with attributes.
pub(super) async fn choose(inputs: &[Input], asked: &Asked) -> Result<Vec<Choice>> {
    let mut census = Census::default();
    for input in inputs {
        match input.kept {
            None => census.add_columns(input),
            Some(_) => census.add_kept(input).await?,
        }
        if input.object.rows < promote::SAMPLE_ROWS as u64
            && input.object.overflow_keys.as_deref() != Some(&[])
        {
            // What is rare in a small object may be common in all of them.
            census.add_overflow(input).await?;
        }
    }
    let rows = inputs.iter().map(Input::rows).sum();
    Ok(census.choices(rows, asked))
}

impl Census {
    fn add(&mut self, key: &str, kind: ValueKind, rows: u64, repeats: bool) {
        if !self.keys.contains_key(key) {
            if self.keys.len() >= promote::MAX_COUNTED_KEYS || key.len() > promote::MAX_KEY_BYTES {
                return;
            }
            self.keys.insert(key.to_string(), Default::default());
        }
        let kinds = self.keys.get_mut(key).expect("it was put in");
        kinds[kind as usize].rows += rows;
        kinds[kind as usize].repeating += if repeats { rows } else { 0 };
    }

    /// Counts the promoted columns of an object by its statistics.
    fn add_columns(&mut self, input: &Input) {
        let object = &input.object;
        for promoted in &object.promoted {
            let stats = object.columns.iter().find(|c| c.column == promoted.column);
            // Without statistics (it holds a NaN) it was common enough once.
            let usual = object.rows / promote::ROWS_PER_PRESENT as u64;
            let rows = stats.map_or(usual, |stats| object.rows.saturating_sub(stats.nulls));
            let repeats = input.has_dictionary(&promoted.column);
            self.add(&promoted.key, promoted.kind, rows, repeats);
        }
    }

    /// Counts the promoted columns of an object by the rows that stay: a column of others alone must not be left.
    async fn add_kept(&mut self, input: &Input) -> Result<()> {
        let promoted = &input.object.promoted;
        let names: Vec<&str> = promoted.iter().map(|p| p.column.as_str()).collect();
        let mut rows = vec![0; names.len()];
        if names.is_empty() {
            return Ok(());
        }
        let mut sieve = Sieve::new(input);
        let mut batches = input.batches(Some(&names))?;
        while let Some(batch) = batches.try_next().await.map_err(reading)? {
            let batch = sieve.pass(batch)?;
            for (name, rows) in names.iter().zip(&mut rows) {
                let column = batch.column_by_name(name);
                *rows += column.map_or(0, |c| (c.len() - c.null_count()) as u64);
            }
        }
        for (promoted, rows) in promoted.iter().zip(rows) {
            let repeats = input.has_dictionary(&promoted.column);
            self.add(&promoted.key, promoted.kind, rows, repeats);
        }
        Ok(())
    }

    /// Counts what the overflow of a small object holds.
    async fn add_overflow(&mut self, input: &Input) -> Result<()> {
        let mut sieve = Sieve::new(input);
        let mut batches = input.batches(Some(&["attributes"]))?;
        while let Some(batch) = batches.try_next().await.map_err(reading)? {
            let batch = sieve.pass(batch)?;
            for map in batch.column(0).as_string_view().iter().flatten() {
                for entry in decode::entries(map).filter(|entry| !entry.escaped) {
                    if let Some(kind) = promote::kind(entry.value) {
                        self.add(entry.raw_key, kind, 1, true);
                    }
                }
            }
        }
        Ok(())
    }

    fn choices(&self, rows: u64, asked: &Asked) -> Vec<Choice> {
        let usual = rows / promote::ROWS_PER_PRESENT as u64;
        let threshold = |key: &str| {
            let least = match asked.contains(key) {
                true => usual / ASKED_FACTOR,
                false => usual,
            };
            least.max(promote::MIN_PRESENT as u64)
        };
        let mut candidates: Vec<(bool, u64, &str, ValueKind, bool)> = Vec::new();
        for (key, kinds) in &self.keys {
            // The commonest type; among equals the first.
            let best = (0..KINDS.len()).rev().max_by_key(|i| kinds[*i].rows);
            let best = best.expect("there are four");
            let seen = kinds[best];
            if seen.rows >= threshold(key) {
                let repeats = seen.repeating * 2 >= seen.rows;
                candidates.push((asked.contains(key), seen.rows, key, KINDS[best], repeats));
            }
        }
        // Where there are too many, what is asked for goes first, then what most rows have.
        candidates.sort_unstable_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then(a.2.cmp(b.2)));
        let candidates = candidates.into_iter();
        promote::distinct(candidates.map(|(.., key, kind, repeats)| (key, kind, repeats)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(keys: &[(&str, ValueKind, u64)]) -> Census {
        let mut census = Census::default();
        for (key, kind, rows) in keys {
            census.add(key, *kind, *rows, true);
        }
        census
    }

    fn columns(census: &Census, rows: u64, asked: &[&str]) -> Vec<String> {
        let asked = asked.iter().map(|key| key.to_string()).collect();
        let choices = census.choices(rows, &asked).into_iter();
        choices.map(|choice| choice.promoted.column).collect()
    }

    #[test]
    fn a_hundredth_of_the_rows_or_a_thousandth_if_asked_for() {
        let census = census(&[
            ("common", ValueKind::Text, 100),
            ("asked", ValueKind::Int, 10),
            ("rare", ValueKind::Text, 99),
            ("rarest", ValueKind::Text, 9),
        ]);
        assert_eq!(columns(&census, 10_000, &[]), ["a.common"]);
        assert_eq!(
            columns(&census, 10_000, &["asked", "rarest"]),
            ["a.asked:int", "a.common"]
        );
        assert_eq!(columns(&census, 100, &["nobody"]).len(), 4, "eight will do");
    }

    #[test]
    fn the_commonest_type_of_a_key() {
        let census = census(&[
            ("k", ValueKind::Int, 30),
            ("k", ValueKind::Text, 20),
            ("k", ValueKind::Int, 1),
        ]);
        assert_eq!(columns(&census, 100, &[]), ["a.k:int"]);
    }
}
