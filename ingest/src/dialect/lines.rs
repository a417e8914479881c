//! JSON objects, one a line (NDJSON) or in one array.

use super::{
    document::{Documents, Fields, Names},
    error::{DialectError, Fault},
    instant::Unit,
    record::Records,
};
use crate::otlp::json::lex::Lexer;

const ARRAY: &str = "an array of JSON objects";

/// The names that a field is looked for under where the sender says none.
pub(crate) const TIME: Names = Names::Known(&["@timestamp", "timestamp", "time", "ts"]);
pub(crate) const BODY: Names = Names::Known(&["message", "msg", "log"]);
pub(crate) const SEVERITY: Names = Names::Known(&["level", "severity", "log.level"]);

/// The unit of a time that is a number.
pub(crate) const UNIT: Unit = Unit::BySize;

/// Writes the records of `text`; the line that each begins on, from 1.
pub(super) fn write(
    text: &[u8],
    fields: &Fields,
    records: &mut Records<'_>,
) -> Result<Vec<u32>, DialectError> {
    let mut documents = Documents::new(fields);
    let start = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if start.trim_ascii_start().starts_with(b"[") {
        return array(text, &mut documents, records).map_err(|fault| fault.of_request(ARRAY));
    }
    let mut places = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        records.keep(&mut places, number)?;
        records.add(line, |records| {
            let mut lexer = Lexer::new(line);
            documents.write(&mut lexer, records)?;
            Ok(lexer.end()?)
        })?;
    }
    Ok(places)
}

/// The same of an array, whose elements can be told apart wherever it is JSON at all.
fn array(
    text: &[u8],
    documents: &mut Documents<'_>,
    records: &mut Records<'_>,
) -> Result<Vec<u32>, Fault> {
    let mut places = Vec::new();
    let mut lexer = Lexer::new(text);
    lexer.take(b'[');
    let (mut line, mut counted) = (1, 0);
    let mut is_first = true;
    while lexer.next(is_first, b']')? {
        is_first = false;
        lexer.peek();
        let start = lexer.offset();
        line += memchr::memchr_iter(b'\n', &text[counted..start]).count() as u32;
        counted = start;
        records.keep(&mut places, line)?;
        lexer.skip()?;
        let element = &text[start..lexer.offset()];
        records.add(element, |records| {
            documents.write(&mut Lexer::new(element), records)
        })?;
    }
    lexer.end()?;
    Ok(places)
}
