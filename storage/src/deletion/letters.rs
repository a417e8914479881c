//! Dead letters that go with the rows of their signal.
//!
//! A letter is bytes in a format that storage does not know, and often broken. So it goes when its record, with what the
//! record stood in, holds the bytes of a value of every condition: rather too many than one too few. Of an attribute the
//! key has to be there as well; a value that may have been sent as a number, a boolean or something nested counts as there. What
//! no bytes can tell (integers, columns that are derived) is passed over; a predicate of nothing else touches no letters, and
//! the range of time none, because the time of a letter is that of its receipt.

use super::{
    field::{self, Kind},
    matching::text_mask,
    predicate::{Condition, Field, Predicate},
};
use crate::{attributes::convert, error::Result, signal::Signal};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    buffer::BooleanBuffer,
    datatypes::DataType,
};
use memchr::memmem::Finder;

/// Columns of text that no request holds as such.
const DERIVED: [&str; 4] = ["type", "temporality", "timestamp_origin", "body_type"];

/// The columns of a letter that hold what was sent.
const BYTES: [&str; 4] = ["record", "record_resource", "record_scope", "record_metric"];

/// What has to be in a letter of `signal`.
pub(super) struct Letters {
    signal: Signal,
    /// All of them.
    wanted: Vec<Wanted>,
}

/// One of `any`, and all of `all`.
struct Wanted {
    all: Vec<Finder<'static>>,
    /// Empty: nothing of it has to be there.
    any: Vec<Finder<'static>>,
}

impl Letters {
    /// `None` where the predicate touches no letters.
    pub(super) fn new(predicate: &Predicate, signal: Signal) -> Option<Letters> {
        let conditions = predicate.conditions.iter();
        let wanted: Vec<Wanted> = conditions
            .filter_map(|condition| Wanted::new(condition, signal))
            .collect();
        let says_something = signal != Signal::DeadLetters && !wanted.is_empty();
        says_something.then_some(Letters { signal, wanted })
    }

    /// The columns that [`Letters::matches`] looks at, as far as the rows have them.
    pub(super) fn columns() -> Vec<String> {
        let names = BYTES.iter().chain(&["signal", "detail"]);
        names.map(|name| name.to_string()).collect()
    }

    /// The letters that go.
    pub(super) fn matches(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let rows = batch.num_rows();
        let Some(signals) = batch.column_by_name("signal") else {
            return Ok(BooleanBuffer::new_unset(rows));
        };
        let of_signal = text_mask(signals, |signal| signal == self.signal.as_str())?;
        let bytes: Vec<&ArrayRef> = BYTES
            .iter()
            .chain(&["detail"])
            .filter_map(|name| batch.column_by_name(name))
            .collect();
        Ok(BooleanBuffer::collect_bool(rows, |row| {
            let parts = || bytes.iter().filter_map(|column| value(column, row));
            let holds = |finder: &Finder<'_>| parts().any(|part| finder.find(part).is_some());
            let is_there = |wanted: &Wanted| {
                wanted.all.iter().all(holds)
                    && (wanted.any.is_empty() || wanted.any.iter().any(holds))
            };
            of_signal.value(row) && self.wanted.iter().all(is_there)
        }))
    }
}

impl Wanted {
    /// `None` where bytes tell nothing of the condition.
    fn new(condition: &Condition, signal: Signal) -> Option<Wanted> {
        let values = &condition.values;
        let texts =
            || -> Vec<Finder<'static>> { values.iter().map(|v| finder(v.as_bytes())).collect() };
        let wanted = match &condition.field {
            Field::Attribute(key) | Field::Resource(key) => Wanted {
                all: vec![finder(key.as_bytes())],
                any: match values.iter().any(|value| is_hidden(value)) {
                    true => Vec::new(),
                    false => values.iter().flat_map(|v| forms(v)).collect(),
                },
            },
            Field::Column(name) if DERIVED.contains(&name.as_str()) => return None,
            Field::Column(name) => match field::kind(signal, name)? {
                Kind::Integer => return None,
                Kind::Text if values.iter().any(|value| is_hidden(value)) => return None,
                Kind::Text => Wanted {
                    all: Vec::new(),
                    any: texts(),
                },
                Kind::Id(_) => {
                    let raw = values.iter().filter_map(|value| hex::decode(value).ok());
                    let mut any: Vec<Finder<'static>> = raw.map(|id| finder(&id)).collect();
                    any.extend(texts());
                    Wanted {
                        all: Vec::new(),
                        any,
                    }
                }
            },
        };
        Some(wanted)
    }
}

/// The bytes that a text may have been sent as: itself, or those that it is the base64 of.
fn forms(value: &str) -> Vec<Finder<'static>> {
    let bytes = convert::bytes(value).filter(|bytes| !bytes.is_empty());
    let decoded = bytes.map(|bytes| finder(&bytes));
    std::iter::once(finder(value.as_bytes()))
        .chain(decoded)
        .collect()
}

/// Whether a value may have been sent in bytes that its text does not tell.
fn is_hidden(value: &str) -> bool {
    let is_named = matches!(
        value,
        "" | "true" | "false" | "NaN" | "Infinity" | "-Infinity"
    );
    is_named || value.starts_with(['{', '[']) || convert::text_number(value).is_some()
}

fn finder(bytes: &[u8]) -> Finder<'static> {
    Finder::new(bytes).into_owned()
}

fn value(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Binary => Some(column.as_binary::<i32>().value(row)),
        DataType::BinaryView => Some(column.as_binary_view().value(row)),
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Utf8View => Some(column.as_string_view().value(row).as_bytes()),
        _ => None,
    }
}
