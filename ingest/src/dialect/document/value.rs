//! JSON values -> `AnyValue`, without recursion: lists and what is in them.

use crate::{
    dialect::{
        error::Fault,
        record::{BOOL, DOUBLE, INT, KEY, TEXT, VALUE},
    },
    otlp::{
        MAX_DEPTH,
        json::{
            error::Result as Written,
            lex::{Lexer, Quoted},
            number::{double, whole},
            output::{Begun, Output},
        },
        wire::{FIXED64, VARINT, key},
    },
};
use cairn_storage::append::Reason;

/// Members of `AnyValue`.
const LIST: u32 = 5;
pub(super) const MAP: u32 = 6;

/// The values of a list, or the entries of a map.
const ELEMENT: u32 = 1;

/// A value that holds no other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'j> {
    Text(Quoted<'j>),
    Number(&'j [u8]),
    Bool(bool),
    Null,
}

/// Writes lists; what is open in one is kept for the next.
#[derive(Debug, Default)]
pub(super) struct Values {
    open: Vec<Level>,
}

/// A list or map that is open.
#[derive(Debug)]
struct Level {
    is_map: bool,
    is_first: bool,
    content: Begun,
    /// The `AnyValue` that it is.
    value: Begun,
    /// The entry that it is the value of.
    entry: Option<Begun>,
}

impl<'j> Scalar<'j> {
    /// Reads a value that is no list and no object.
    pub(super) fn read(lexer: &mut Lexer<'j>) -> Written<Scalar<'j>> {
        match lexer.peek() {
            b'"' => lexer.string().map(Scalar::Text),
            b'-' | b'0'..=b'9' => lexer.number().map(Scalar::Number),
            b't' => lexer.word("true").map(|()| Scalar::Bool(true)),
            b'f' => lexer.word("false").map(|()| Scalar::Bool(false)),
            b'n' => lexer.word("null").map(|()| Scalar::Null),
            _ => Err(lexer.unexpected("a JSON value")),
        }
    }

    pub(super) fn is_null(self) -> bool {
        matches!(self, Scalar::Null)
    }
}

/// Writes the member of an `AnyValue` that `scalar` is. Numbers that 64 bits do not hold stay text, to the last digit.
pub(super) fn any(output: &mut Output<'_>, scalar: Scalar<'_>) -> Written<()> {
    match scalar {
        Scalar::Text(text) => output.text(TEXT, text),
        Scalar::Bool(value) => output.varint(key(BOOL, VARINT), value.into()),
        Scalar::Null => Ok(()),
        Scalar::Number(text) => {
            let is_integer = !text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
            let integer = whole(text).ok().and_then(|value| i64::try_from(value).ok());
            match (is_integer, integer, double(text)) {
                (true, Some(value), _) => output.varint(key(INT, VARINT), value as u64),
                (false, _, Ok(value)) => output.fixed64(key(DOUBLE, FIXED64), value.to_bits()),
                _ => output.bytes(TEXT, text),
            }
        }
    }
}

impl Values {
    /// Writes the list that comes next in `lexer` as the field `number`, an `AnyValue`.
    pub(super) fn write(
        &mut self,
        lexer: &mut Lexer<'_>,
        output: &mut Output<'_>,
        number: u32,
    ) -> Result<(), Fault> {
        self.open.clear();
        let value = output.begin(number, false)?;
        self.enter(lexer, output, (value, None))?;
        while let Some(level) = self.open.last_mut() {
            let is_map = level.is_map;
            if !lexer.next(level.is_first, if is_map { b'}' } else { b']' })? {
                self.leave(output)?;
                continue;
            }
            level.is_first = false;
            let (number, entry) = match is_map {
                true => (VALUE, Some(name(lexer, output)?)),
                false => (ELEMENT, None),
            };
            let value = output.begin(number, false)?;
            if matches!(lexer.peek(), b'{' | b'[') {
                self.enter(lexer, output, (value, entry))?;
                continue;
            }
            any(output, Scalar::read(lexer)?)?;
            end(output, value, entry)?;
        }
        Ok(())
    }

    fn enter(
        &mut self,
        lexer: &mut Lexer<'_>,
        output: &mut Output<'_>,
        (value, entry): (Begun, Option<Begun>),
    ) -> Result<(), Fault> {
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep());
        }
        let is_map = lexer.take(b'{');
        if !is_map {
            lexer.take(b'[');
        }
        let content = output.begin(if is_map { MAP } else { LIST }, false)?;
        self.open.push(Level {
            is_map,
            is_first: true,
            content,
            value,
            entry,
        });
        Ok(())
    }

    fn leave(&mut self, output: &mut Output<'_>) -> Result<(), Fault> {
        if let Some(level) = self.open.pop() {
            output.end(level.content)?;
            end(output, level.value, level.entry)?;
        }
        Ok(())
    }
}

/// Begins an entry of a map and reads its name.
fn name(lexer: &mut Lexer<'_>, output: &mut Output<'_>) -> Written<Begun> {
    let entry = output.begin(ELEMENT, false)?;
    let name = lexer.name()?;
    output.text(KEY, name)?;
    Ok(entry)
}

fn end(output: &mut Output<'_>, value: Begun, entry: Option<Begun>) -> Written<()> {
    output.end(value)?;
    match entry {
        Some(entry) => output.end(entry),
        None => Ok(()),
    }
}

pub(super) fn too_deep() -> Fault {
    Fault::Record {
        reason: Reason::TooDeep,
        detail: format!("values are nested deeper than {MAX_DEPTH} levels"),
    }
}
