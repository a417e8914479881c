//! A JSON object -> a log record: nested objects flattened with dots, the fields that mean something put in their
//! places, everything else an attribute of the type it has.

mod fields;
mod value;

pub(crate) use fields::{Fields, Names};

use self::{
    fields::{Role, Slot},
    value::{Scalar, Values, any},
};
use super::{
    error::{DialectError, Fault},
    instant::{self, Unit},
    record::{ATTRIBUTE, BODY, KEY, Records, VALUE},
    severity,
};
use crate::otlp::{
    MAX_DEPTH,
    json::lex::{Lexer, unescape},
};
use cairn_storage::append::Reason;
use std::borrow::Cow;

/// The longest name of a flattened field, in bytes: `admit` has the limit that counts, this one bounds what deep
/// names repeat.
const MAX_PATH_BYTES: usize = 64 << 10;

/// How many digits a text must have to be a number of ms and no year.
const MIN_EPOCH_DIGITS: usize = 9;

/// Reads documents, one after the other.
pub(super) struct Documents<'f> {
    fields: &'f Fields,
    /// The name of the field being read, flattened.
    path: Vec<u8>,
    /// How much of the path each open object has.
    open: Vec<usize>,
    values: Values,
}

/// A field that may be what its slot asks for, until a better one comes.
struct Candidate<'j, 'f> {
    name: &'f str,
    rank: usize,
    scalar: Scalar<'j>,
}

/// What is known of the document being read.
#[derive(Default)]
struct Found<'j, 'f> {
    slots: [Option<Candidate<'j, 'f>>; Slot::COUNT],
    has_service: bool,
}

impl<'f> Documents<'f> {
    pub(super) fn new(fields: &'f Fields) -> Documents<'f> {
        Documents {
            fields,
            path: Vec::new(),
            open: Vec::new(),
            values: Values::default(),
        }
    }

    /// Writes the object that comes next in `lexer` into the record that is open in `records`.
    pub(super) fn write(
        &mut self,
        lexer: &mut Lexer<'_>,
        records: &mut Records<'_>,
    ) -> Result<(), Fault> {
        if !lexer.take(b'{') {
            return Err(lexer.unexpected("an object, as every record is one").into());
        }
        let mut found = Found::default();
        self.path.clear();
        self.open.clear();
        self.open.push(0);
        let mut is_first = true;
        while let Some(prefix) = self.open.last().copied() {
            if !lexer.next(is_first, b'}')? {
                self.open.pop();
                is_first = false;
                continue;
            }
            self.name(prefix, lexer)?;
            is_first = match lexer.peek() {
                b'{' => self.enter(lexer, records)?,
                b'[' => {
                    self.attribute_list(lexer, records)?;
                    false
                }
                _ => {
                    self.scalar(Scalar::read(lexer)?, &mut found, records)?;
                    false
                }
            };
        }
        self.settle(found, records)
    }

    /// Reads the name of a member of the object whose path has `prefix` bytes.
    fn name(&mut self, prefix: usize, lexer: &mut Lexer<'_>) -> Result<(), Fault> {
        let name = lexer.name()?;
        self.path.truncate(prefix);
        if prefix + 1 + name.raw.len() > MAX_PATH_BYTES {
            return Err(Fault::Record {
                reason: Reason::TooLarge,
                detail: format!("a flattened name has more than {MAX_PATH_BYTES} bytes"),
            });
        }
        if self.open.len() > 1 {
            self.path.push(b'.');
        }
        unescape(name.raw, &mut self.path);
        Ok(())
    }

    /// Enters an object, or writes one that is empty; whether it was entered.
    fn enter(&mut self, lexer: &mut Lexer<'_>, records: &mut Records<'_>) -> Result<bool, Fault> {
        if self.open.len() > MAX_DEPTH {
            return Err(value::too_deep());
        }
        lexer.take(b'{');
        if !lexer.take(b'}') {
            self.open.push(self.path.len());
            return Ok(true);
        }
        let attribute = records.begin(ATTRIBUTE)?;
        records.output.bytes(KEY, &self.path)?;
        let value = records.begin(VALUE)?;
        records.output.bytes(value::MAP, &[])?;
        records.output.end(value)?;
        records.output.end(attribute)?;
        Ok(false)
    }

    fn attribute_list(
        &mut self,
        lexer: &mut Lexer<'_>,
        records: &mut Records<'_>,
    ) -> Result<(), Fault> {
        let attribute = records.begin(ATTRIBUTE)?;
        records.output.bytes(KEY, &self.path)?;
        self.values.write(lexer, &mut records.output, VALUE)?;
        Ok(records.output.end(attribute)?)
    }

    /// Writes a field, or keeps it as a candidate.
    fn scalar<'j>(
        &mut self,
        scalar: Scalar<'j>,
        found: &mut Found<'j, 'f>,
        records: &mut Records<'_>,
    ) -> Result<(), Fault> {
        match (self.fields.role(&self.path), scalar) {
            (Role::Resource(name), Scalar::Text(text)) => {
                found.has_service |= name == fields::SERVICE;
                let text = records.output.aside(text)?;
                Ok(records.resource(name.as_bytes(), &text)?)
            }
            (Role::Candidate { slot, rank, name }, scalar) if !scalar.is_null() => {
                let candidate = Candidate { name, rank, scalar };
                let held = &mut found.slots[slot as usize];
                let loser = match held {
                    Some(better) if better.rank < rank => Some(candidate),
                    _ => held.replace(candidate),
                };
                match loser {
                    Some(Candidate { name, scalar, .. }) => {
                        attribute(records, name.as_bytes(), scalar)
                    }
                    None => Ok(()),
                }
            }
            (_, scalar) => attribute(records, &self.path, scalar),
        }
    }

    /// Puts the candidates in their places.
    fn settle(&self, found: Found<'_, '_>, records: &mut Records<'_>) -> Result<(), Fault> {
        for (slot, candidate) in Slot::ALL.into_iter().zip(found.slots) {
            let Some(Candidate { name, scalar, .. }) = candidate else {
                continue;
            };
            if !put(records, slot, scalar, self.fields.unit)? {
                attribute(records, name.as_bytes(), scalar)?;
            }
        }
        if let Some(service) = &self.fields.service
            && !found.has_service
        {
            records.resource(fields::SERVICE.as_bytes(), service.as_bytes())?;
        }
        Ok(())
    }
}

/// Puts a value in its place; false where it has not the shape of what stands there.
fn put(
    records: &mut Records<'_>,
    slot: Slot,
    scalar: Scalar<'_>,
    unit: Unit,
) -> Result<bool, DialectError> {
    if slot == Slot::Body {
        let body = records.begin(BODY)?;
        any(&mut records.output, scalar)?;
        records.output.end(body)?;
        return Ok(true);
    }
    let text = match scalar {
        Scalar::Text(text) => records.output.aside(text)?,
        Scalar::Number(text) => Cow::Borrowed(text),
        _ => return Ok(false),
    };
    match slot {
        Slot::Time => {
            let is_number = matches!(scalar, Scalar::Number(_));
            let Some(time) = time(&text, is_number, unit) else {
                return Ok(false);
            };
            records.time(time)?;
            Ok(true)
        }
        Slot::Severity => {
            records.severity(&text, severity::number(&text))?;
            Ok(true)
        }
        Slot::TraceId => records.trace_id(&text),
        Slot::SpanId => records.span_id(&text),
        Slot::Body => Ok(false),
    }
}

/// A time after the epoch, which OTLP can hold.
fn time(text: &[u8], is_number: bool, unit: Unit) -> Option<u64> {
    let is_epoch = is_number
        || (text.len() >= MIN_EPOCH_DIGITS
            && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')));
    let nanos = match is_epoch {
        true => instant::epoch(text, unit),
        false => instant::iso8601(text),
    };
    nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
        .filter(|nanos| *nanos > 0)
}

fn attribute(records: &mut Records<'_>, name: &[u8], scalar: Scalar<'_>) -> Result<(), Fault> {
    let attribute = records.begin(ATTRIBUTE)?;
    records.output.bytes(KEY, name)?;
    let value = records.begin(VALUE)?;
    any(&mut records.output, scalar)?;
    records.output.end(value)?;
    Ok(records.output.end(attribute)?)
}
