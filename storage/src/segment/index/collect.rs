//! Collects the tokens of texts and maps, block by block, while the rows of a file pass.

use super::BLOCK_ROWS;
use crate::{
    error::{Error, Result},
    signal::Table,
    text::token::{Scratch, Subject, Token, of_map, of_text},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray, StringViewArray},
    datatypes::{DataType, Int32Type},
};
use xxhash_rust::xxh3::xxh3_64;

/// A block with more distinct tokens of a column is not indexed: it is read for whatever is looked for.
const BLOCK_TOKENS: usize = 65_536;
/// What is kept of a column, four bytes each, until the file is written; blocks beyond are not indexed.
const COLUMN_TOKENS: usize = 16 << 20;
/// Texts of a block that are remembered, so that what repeats is cut into words once.
const REMEMBERED: usize = 256;

/// The columns whose texts and maps are looked up by token.
pub(crate) fn text_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Logs => &["body", "attributes", "resource_attributes"],
        _ => &[],
    }
}

/// What of a column becomes tokens: whole texts, or pairs of maps and the words in them.
enum Kind {
    Text(Subject),
    Map(Subject, Option<Subject>),
}

fn kind(column: &str) -> Kind {
    match column {
        "attributes" => Kind::Map(Subject::AttributePairs, Some(Subject::AttributeWords)),
        "resource_attributes" => Kind::Map(Subject::ResourcePairs, None),
        _ => Kind::Text(Subject::BodyWords),
    }
}

/// The tokens of one table.
pub(crate) struct Tokens {
    pub(crate) table: Table,
    columns: Vec<Column>,
    scratch: Scratch,
}

struct Column {
    name: &'static str,
    rows: u64,
    /// For each block its distinct hashes, sorted; `None` where they are too many.
    blocks: Vec<Option<Vec<u32>>>,
    /// Hashes in `blocks`.
    kept: usize,
    open: Distinct,
}

impl Tokens {
    pub(crate) fn new(table: Table) -> Tokens {
        Tokens {
            table,
            columns: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Adds the next rows of a column, in the order of the file: text in any of the forms in which it is written or read.
    pub(crate) fn add(&mut self, column: &'static str, values: &ArrayRef) -> Result<()> {
        let texts = Texts::of(values).ok_or_else(|| {
            let data_type = values.data_type();
            Error::Internal(format!("{column} of {} is {data_type}", self.table))
        })?;
        let known = self.columns.iter().position(|c| c.name == column);
        let at = known.unwrap_or_else(|| {
            self.columns.push(Column::new(column));
            self.columns.len() - 1
        });
        self.columns[at].add(&texts, values.len(), &mut self.scratch);
        Ok(())
    }

    /// Closes the last block. The rows of the file, or an error where columns do not have the same.
    pub(crate) fn finish(&mut self) -> Result<u64> {
        for column in &mut self.columns {
            if !column.rows.is_multiple_of(BLOCK_ROWS) {
                column.close_block();
            }
        }
        let mut rows = self.columns.iter().map(|column| column.rows);
        let first = rows.next().unwrap_or(0);
        if rows.any(|rows| rows != first) {
            let detail = format!("columns of {} differ in their number of rows", self.table);
            return Err(Error::Internal(detail));
        }
        Ok(first)
    }

    /// The subjects of a table that has all its columns.
    pub(crate) fn subjects_of(table: Table) -> Vec<Subject> {
        let subjects = text_columns(table)
            .iter()
            .flat_map(|name| match kind(name) {
                Kind::Text(subject) => [Some(subject), None],
                Kind::Map(pairs, words) => [Some(pairs), words],
            });
        subjects.flatten().collect()
    }

    /// Blocks of which not all tokens are known, in order.
    pub(crate) fn whole_blocks(&self) -> Vec<u32> {
        let blocks = self.columns.iter().flat_map(|column| {
            let blocks = column.blocks.iter().enumerate();
            blocks.filter_map(|(block, hashes)| hashes.is_none().then_some(block as u32))
        });
        let mut blocks: Vec<u32> = blocks.collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }

    /// Blocks with distinct hashes of theirs, sorted; a block is there once for each column.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.columns.iter().flat_map(|column| {
            let blocks = column.blocks.iter().enumerate();
            blocks.filter_map(|(block, hashes)| Some((block as u32, hashes.as_deref()?)))
        })
    }
}

impl Column {
    fn new(name: &'static str) -> Column {
        Column {
            name,
            rows: 0,
            blocks: Vec::new(),
            kept: 0,
            open: Distinct::default(),
        }
    }

    fn add(&mut self, texts: &Texts<'_>, rows: usize, scratch: &mut Scratch) {
        let kind = kind(self.name);
        let mut remembered: Vec<Option<&str>> = vec![None; REMEMBERED];
        for row in 0..rows {
            if let Some(text) = texts.get(row)
                && !self.open.is_full()
            {
                let slot = &mut remembered[xxh3_64(text.as_bytes()) as usize % REMEMBERED];
                if slot.replace(text) != Some(text) {
                    self.add_text(&kind, text, scratch);
                }
            }
            self.rows += 1;
            if self.rows.is_multiple_of(BLOCK_ROWS) {
                self.close_block();
                remembered.fill(None);
            }
        }
    }

    fn add_text(&mut self, kind: &Kind, text: &str, scratch: &mut Scratch) {
        let add = |token: Token| self.open.add(token.hash);
        match kind {
            Kind::Text(subject) => of_text(*subject, text, scratch, add),
            Kind::Map(pairs, words) => of_map(*pairs, *words, text, scratch, add),
        }
    }

    fn close_block(&mut self) {
        let hashes = self.open.take();
        let hashes = hashes.filter(|hashes| self.kept + hashes.len() <= COLUMN_TOKENS);
        self.kept += hashes.as_ref().map_or(0, Vec::len);
        self.blocks.push(hashes);
    }
}

/// Distinct hashes: an open-addressing table in which 0 is a free slot.
#[derive(Default)]
struct Distinct {
    slots: Vec<u32>,
    count: usize,
}

/// Slots of an empty table.
const FIRST_SLOTS: usize = 1 << 12;

impl Distinct {
    fn is_full(&self) -> bool {
        self.count > BLOCK_TOKENS
    }

    fn add(&mut self, hash: u32) {
        if self.count * 2 >= self.slots.len() {
            self.grow();
        }
        // One text may have more tokens than a block can: what comes behind them is of no use.
        if !self.is_full() && insert(&mut self.slots, hash) {
            self.count += 1;
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(FIRST_SLOTS);
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        for hash in old.into_iter().filter(|hash| *hash != 0) {
            insert(&mut self.slots, hash);
        }
    }

    /// Empties the table; `None` where there were too many.
    fn take(&mut self) -> Option<Vec<u32>> {
        let mut hashes = Vec::with_capacity(self.count);
        hashes.extend(self.slots.iter().copied().filter(|hash| *hash != 0));
        let is_full = self.is_full();
        self.slots.fill(0);
        self.count = 0;
        hashes.sort_unstable();
        (!is_full).then_some(hashes)
    }
}

/// Whether `hash` is new in `slots`, of which one at least is free.
fn insert(slots: &mut [u32], hash: u32) -> bool {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] != 0 {
        if slots[at] == hash {
            return false;
        }
        at = (at + 1) & mask;
    }
    slots[at] = hash;
    true
}

/// Text as it is written at a flush (plain, repeated) and as merges read it (views).
enum Texts<'a> {
    Plain(&'a StringArray),
    View(&'a StringViewArray),
    Repeated(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> Texts<'a> {
    fn of(values: &'a ArrayRef) -> Option<Texts<'a>> {
        Some(match values.data_type() {
            DataType::Utf8 => Texts::Plain(values.as_string()),
            DataType::Utf8View => Texts::View(values.as_string_view()),
            DataType::Dictionary(..) => {
                let repeated = values.as_dictionary_opt::<Int32Type>()?;
                Texts::Repeated(repeated, repeated.values().as_string_opt()?)
            }
            _ => return None,
        })
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::View(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::Repeated(keys, values) => {
                let key = keys.key(row)?;
                values.is_valid(key).then(|| values.value(key))
            }
        }
    }
}
