//! Chooses the attribute keys that get a column of their own, and splits rows into those columns and the overflow.

mod sparse;

use super::{Promoted, ValueKind};
use crate::{
    attributes::{
        convert::Value,
        decode::{self, Entry},
    },
    error::Result,
};
use arrow::{
    array::{ArrayRef, StringBuilder},
    datatypes::{Float64Type, Int64Type},
};
use sparse::{Sparse, SparseText};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Columns of one file at most: footers and page indexes grow with them.
const MAX_COLUMNS: usize = 200;
/// A key is promoted when one row in this many has it.
pub(crate) const ROWS_PER_PRESENT: usize = 100;
/// And when so many of the rows looked at have it: a column of fewer costs more in the footer than it saves.
pub(crate) const MIN_PRESENT: usize = 8;
/// Rows that are looked at to choose; 1 % of them is 160, known to within a tenth.
pub(crate) const SAMPLE_ROWS: usize = 16_384;
/// Distinct keys that are counted while choosing; a later one is not promoted.
pub(crate) const MAX_COUNTED_KEYS: usize = 65_536;
/// Longer keys stay in the overflow.
pub(crate) const MAX_KEY_BYTES: usize = 256;
/// Distinct values that are counted to decide about a dictionary.
const MAX_COUNTED_VALUES: usize = 4_096;
/// More keys than this in the overflow are not listed.
pub(crate) const MAX_OVERFLOW_KEYS: usize = 2_000;

/// A chosen column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) promoted: Promoted,
    /// Whether its values repeat enough for a dictionary.
    pub(crate) dictionary: bool,
}

/// What was seen of a key.
#[derive(Default)]
struct Seen {
    /// By type, in the order of [`KINDS`].
    present: [usize; 4],
    values: HashSet<u64, BuildHasherDefault<KeyHasher>>,
    counted: usize,
}

pub(crate) const KINDS: [ValueKind; 4] = [
    ValueKind::Text,
    ValueKind::Int,
    ValueKind::Double,
    ValueKind::Bool,
];

/// Chooses the promoted columns for `rows` maps; `map` gives one by position. Sorted by column name.
pub(crate) fn choose<'a>(rows: usize, map: impl Fn(usize) -> &'a str) -> Vec<Choice> {
    let step = rows.div_ceil(SAMPLE_ROWS).max(1);
    let mut keys: HashMap<&str, Seen, BuildHasherDefault<KeyHasher>> = HashMap::default();
    let mut looked_at = 0;
    for row in (0..rows).step_by(step) {
        looked_at += 1;
        for entry in decode::entries(map(row)) {
            let Some(kind) = kind(entry.value) else {
                continue;
            };
            let full = keys.len() >= MAX_COUNTED_KEYS;
            let seen = match keys.get_mut(entry.raw_key) {
                Some(seen) => seen,
                None if full || entry.escaped || entry.raw_key.len() > MAX_KEY_BYTES => continue,
                None => keys.entry(entry.raw_key).or_default(),
            };
            seen.present[kind as usize] += 1;
            if seen.values.len() < MAX_COUNTED_VALUES {
                seen.counted += 1;
                seen.values
                    .insert(xxh3_64_with_seed(entry.value.as_bytes(), 0));
            }
        }
    }
    let threshold = (looked_at / ROWS_PER_PRESENT).max(MIN_PRESENT);
    let mut candidates: Vec<(usize, &str, ValueKind, bool)> = keys
        .iter()
        .filter_map(|(key, seen)| {
            // The commonest type; among equals the first.
            let best = (0..KINDS.len()).rev().max_by_key(|i| seen.present[*i])?;
            let dictionary = seen.values.len() * 2 <= seen.counted;
            (seen.present[best] >= threshold).then_some((
                seen.present[best],
                *key,
                KINDS[best],
                dictionary,
            ))
        })
        .collect();
    candidates.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    distinct(
        candidates
            .into_iter()
            .map(|(_, key, kind, dictionary)| (key, kind, dictionary)),
    )
}

/// The first candidates whose columns differ by more than case, sorted by column name.
pub(crate) fn distinct<'a>(
    candidates: impl Iterator<Item = (&'a str, ValueKind, bool)>,
) -> Vec<Choice> {
    let mut names = HashSet::new();
    let mut choices = Vec::new();
    for (key, kind, dictionary) in candidates {
        let column = column_name(key, kind);
        if choices.len() == MAX_COLUMNS || !names.insert(column.to_lowercase()) {
            continue;
        }
        choices.push(Choice {
            promoted: Promoted {
                key: key.to_string(),
                kind,
                column,
            },
            dictionary,
        });
    }
    choices.sort_unstable_by(|a, b| a.promoted.column.cmp(&b.promoted.column));
    choices
}

/// The name of the column for a key and type.
pub fn column_name(key: &str, kind: ValueKind) -> String {
    match kind {
        ValueKind::Text => format!("a.{key}"),
        ValueKind::Int => format!("a.{key}:int"),
        ValueKind::Double => format!("a.{key}:double"),
        ValueKind::Bool => format!("a.{key}:bool"),
    }
}

/// The type of a value, told by its first byte and, for numbers and tags, its shape.
pub(crate) fn kind(json: &str) -> Option<ValueKind> {
    match json.as_bytes().first()? {
        b'"' => Some(ValueKind::Text),
        b't' | b'f' => Some(ValueKind::Bool),
        b'n' | b'[' => None,
        _ => Value::parse(json)?.kind(),
    }
}

/// Where entries of a key go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Column(usize),
    Overflow,
}

/// Splits rows into promoted columns and overflow, one row group at a time.
pub(crate) struct Splitter {
    columns: Vec<Values>,
    /// Every promoted key, then the keys seen in the overflow, up to a limit.
    known: Vec<Known>,
    positions: HashMap<Box<str>, u32, BuildHasherDefault<KeyHasher>>,
    /// What followed the start of a map (at 0) and each known key (at its position and one) the last time:
    /// maps of one kind stand close together, so the guess spares most look-ups.
    followers: Vec<u32>,
    too_many_keys: bool,
    overflow: StringBuilder,
    rows: usize,
    scratch: String,
}

/// A key and where its entries go.
struct Known {
    /// As it stands in JSON.
    raw_key: Box<str>,
    slot: Slot,
    /// Some entry of it went to the overflow.
    overflowed: bool,
}

enum Values {
    Text(SparseText),
    Int(Sparse<i64>),
    Double(Sparse<f64>),
    Bool(Sparse<bool>),
}

impl Splitter {
    pub(crate) fn new(choices: &[Choice]) -> Splitter {
        let columns = choices
            .iter()
            .map(|choice| Values::new(choice.promoted.kind))
            .collect();
        let mut splitter = Splitter {
            columns,
            known: Vec::new(),
            positions: HashMap::default(),
            followers: vec![0],
            too_many_keys: false,
            overflow: StringBuilder::new(),
            rows: 0,
            scratch: String::new(),
        };
        for (i, choice) in choices.iter().enumerate() {
            // Keys with escapes are never chosen, so the key is its own raw form.
            splitter.learn(&choice.promoted.key, Slot::Column(i));
        }
        splitter
    }

    fn learn(&mut self, raw_key: &str, slot: Slot) -> usize {
        let position = self.known.len();
        self.positions.insert(raw_key.into(), position as u32);
        self.known.push(Known {
            raw_key: raw_key.into(),
            slot,
            overflowed: false,
        });
        self.followers.push(0);
        position
    }

    /// Adds the map of the next row.
    pub(crate) fn push(&mut self, map: &str) {
        self.scratch.clear();
        let mut previous = 0;
        for entry in decode::entries(map) {
            if let Some(known) = self.look_up(previous, entry.raw_key) {
                previous = known + 1;
                if let Slot::Column(column) = self.known[known].slot
                    && self.columns[column].push(self.rows, &entry)
                {
                    continue;
                }
                self.known[known].overflowed = true;
            }
            self.scratch
                .push(if self.scratch.is_empty() { '{' } else { ',' });
            self.scratch.push('"');
            self.scratch.push_str(entry.raw_key);
            self.scratch.push_str("\":");
            self.scratch.push_str(entry.value);
        }
        if self.scratch.is_empty() {
            self.overflow.append_value("{}");
        } else {
            self.scratch.push('}');
            self.overflow.append_value(&self.scratch);
        }
        self.rows += 1;
    }

    /// The position in `known` of the key that follows `previous`; `None` for one beyond the limit.
    fn look_up(&mut self, previous: usize, raw_key: &str) -> Option<usize> {
        let guess = self.followers[previous] as usize;
        if self
            .known
            .get(guess)
            .is_some_and(|known| *known.raw_key == *raw_key)
        {
            return Some(guess);
        }
        let position = match self.positions.get(raw_key) {
            Some(position) => *position as usize,
            None if self.known.len() >= self.columns.len() + MAX_OVERFLOW_KEYS => {
                self.too_many_keys = true;
                return None;
            }
            None => self.learn(raw_key, Slot::Overflow),
        };
        self.followers[previous] = position as u32;
        Some(position)
    }

    /// The overflow and the promoted columns of the rows added since the last call.
    pub(crate) fn finish_rows(&mut self) -> Result<(ArrayRef, Vec<ArrayRef>)> {
        let rows = std::mem::take(&mut self.rows);
        let columns = self.columns.iter_mut().map(|column| column.finish(rows));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let overflow = self.overflow.finish();
        // The next rows are like these.
        self.overflow = StringBuilder::with_capacity(rows, overflow.value_data().len());
        Ok((Arc::new(overflow), columns))
    }

    /// The keys that occurred in the overflow, sorted; `None` when they are too many.
    pub(crate) fn overflow_keys(&self) -> Option<Vec<String>> {
        if self.too_many_keys {
            return None;
        }
        let overflowed = self.known.iter().filter(|known| known.overflowed);
        // Listed as the key is, not as JSON writes it.
        let key = |raw: &str| decode::string(&format!("\"{raw}\"")).map(|key| key.into_owned());
        let mut keys: Vec<String> = overflowed.filter_map(|known| key(&known.raw_key)).collect();
        keys.sort_unstable();
        Some(keys)
    }
}

impl Values {
    fn new(kind: ValueKind) -> Values {
        match kind {
            ValueKind::Text => Values::Text(SparseText::default()),
            ValueKind::Int => Values::Int(Sparse::default()),
            ValueKind::Double => Values::Double(Sparse::default()),
            ValueKind::Bool => Values::Bool(Sparse::default()),
        }
    }

    /// Puts a value at `row`, which is above all before it; false if it is of another type.
    fn push(&mut self, row: usize, entry: &Entry<'_>) -> bool {
        let json = entry.value;
        macro_rules! put {
            ($values:expr, $kind:ident) => {{
                let Some(Value::$kind(value)) = Value::parse(json) else {
                    return false;
                };
                $values.push(row, value);
            }};
        }
        match self {
            // A number or nested value is not looked at further.
            Values::Text(_) if !json.starts_with('"') => return false,
            Values::Text(text) if !entry.value_escaped => text.push(row, &json[1..json.len() - 1]),
            Values::Text(text) => {
                let Some(Value::Text(value)) = Value::parse(json) else {
                    return false;
                };
                text.push(row, &value);
            }
            Values::Int(values) => put!(values, Int),
            Values::Double(values) => put!(values, Double),
            Values::Bool(values) => put!(values, Bool),
        }
        true
    }

    fn finish(&mut self, rows: usize) -> Result<ArrayRef> {
        Ok(match self {
            Values::Text(text) => Arc::new(text.finish(rows)?),
            Values::Int(values) => Arc::new(values.finish_primitive::<Int64Type>(rows)),
            Values::Double(values) => Arc::new(values.finish_primitive::<Float64Type>(rows)),
            Values::Bool(values) => Arc::new(values.finish_booleans(rows)),
        })
    }
}

/// XXH3 of what is hashed: keys are short and tables of them bounded, which is why no secret is needed.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The end mark of strings, which never stands alone.
    fn write_u8(&mut self, _: u8) {}

    fn write_u64(&mut self, value: u64) {
        self.0 ^= value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
