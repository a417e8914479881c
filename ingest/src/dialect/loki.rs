//! Loki's push API: streams of entries under labels, in protobuf or JSON.
//!
//! Source: Loki 3, `pkg/push/push.proto` and "Ingest logs" of its HTTP API; the messages are `cairn_proto::loki`,
//! which only tests write.

mod labels;
mod stream;

use self::stream::{Entry, Stream};
use super::{
    error::{DialectError, Fault},
    record::Records,
};
use crate::otlp::{
    json::lex::{Lexer, Quoted, unescape},
    json::number::whole,
    wire::{BYTES, Flaw, Reader, VARINT, key},
};

const PUSH: &str = "a push request of Loki";

const FIRST: u32 = key(1, BYTES);
const SECOND: u32 = key(2, BYTES);
const THIRD: u32 = key(3, BYTES);

const NANOS: i128 = 1_000_000_000;

/// Writes the entries of a `PushRequest`.
pub(super) fn protobuf(request: &[u8], records: &mut Records<'_>) -> Result<(), DialectError> {
    let broken = |flaw: Flaw| Fault::malformed(flaw.what()).of_request(PUSH);
    let mut stream = Stream::default();
    let mut reader = Reader::new(request);
    while !reader.is_empty() {
        match reader.key().map_err(broken)? {
            FIRST => {
                let message = reader.bytes().map_err(broken)?;
                let bad = stream_labels(message, &mut stream, records)?;
                let mut entries = Reader::new(message);
                while !entries.is_empty() {
                    match entries.key().map_err(broken)? {
                        SECOND => {
                            let entry = entries.bytes().map_err(broken)?;
                            stream.add(records, (entry, bad), |records, stream| {
                                protobuf_entry(entry, records, stream)
                            })?;
                        }
                        other => entries.skip(other, 0).map_err(broken)?,
                    }
                }
            }
            other => reader.skip(other, 0).map_err(broken)?,
        }
    }
    Ok(())
}

/// Reads the labels of a `StreamAdapter`, which may stand behind its entries; what is wrong with them, if anything.
fn stream_labels(
    message: &[u8],
    stream: &mut Stream,
    records: &mut Records<'_>,
) -> Result<Option<&'static str>, DialectError> {
    let broken = |flaw: Flaw| Fault::malformed(flaw.what()).of_request(PUSH);
    stream.begin();
    let mut text: &[u8] = &[];
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key().map_err(broken)? {
            FIRST => text = reader.bytes().map_err(broken)?,
            other => reader.skip(other, 0).map_err(broken)?,
        }
    }
    labels::read(text, |name, value| stream.label(name, value, records))
}

/// Reads an `EntryAdapter`: timestamp, line and structured metadata.
fn protobuf_entry(
    message: &[u8],
    records: &mut Records<'_>,
    stream: &mut Entry,
) -> Result<(), Fault> {
    let flawed = |flaw: Flaw| Fault::malformed(flaw.what());
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key().map_err(flawed)? {
            FIRST => stream.time = timestamp(reader.bytes().map_err(flawed)?).map_err(flawed)?,
            SECOND => records.body_text(reader.bytes().map_err(flawed)?)?,
            THIRD => {
                let (name, value) = pair(reader.bytes().map_err(flawed)?).map_err(flawed)?;
                stream.metadata(name, value, records)?;
            }
            other => reader.skip(other, 0).map_err(flawed)?,
        }
    }
    Ok(())
}

/// A `google.protobuf.Timestamp` as ns.
fn timestamp(message: &[u8]) -> Result<i128, Flaw> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            SECONDS => seconds = reader.varint()? as i64,
            SUBSECOND => nanos = reader.varint()? as i32,
            other => reader.skip(other, 0)?,
        }
    }
    Ok(i128::from(seconds) * NANOS + i128::from(nanos))
}

const SECONDS: u32 = key(1, VARINT);
const SUBSECOND: u32 = key(2, VARINT);

/// A `LabelPairAdapter`.
fn pair(message: &[u8]) -> Result<(&[u8], &[u8]), Flaw> {
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            FIRST => name = reader.bytes()?,
            SECOND => value = reader.bytes()?,
            other => reader.skip(other, 0)?,
        }
    }
    Ok((name, value))
}

/// Writes the entries of `{"streams": [{"stream": {…}, "values": [["ns", "line", {…}], …]}, …]}`.
pub(super) fn json(text: &[u8], records: &mut Records<'_>) -> Result<(), DialectError> {
    json_request(text, records).map_err(|fault| fault.of_request(PUSH))
}

fn json_request(text: &[u8], records: &mut Records<'_>) -> Result<(), Fault> {
    let mut stream = Stream::default();
    let mut lexer = Lexer::new(text);
    if !lexer.take(b'{') {
        return Err(lexer.unexpected("an object").into());
    }
    let mut is_first = true;
    while lexer.next(is_first, b'}')? {
        is_first = false;
        if lexer.name()?.raw != b"streams" {
            lexer.skip()?;
            continue;
        }
        open_list(&mut lexer, "streams")?;
        let mut is_first = true;
        while lexer.next(is_first, b']')? {
            is_first = false;
            json_stream(text, &mut lexer, &mut stream, records)?;
        }
    }
    Ok(lexer.end()?)
}

/// Reads one stream; its labels may stand behind its values.
fn json_stream(
    text: &[u8],
    lexer: &mut Lexer<'_>,
    stream: &mut Stream,
    records: &mut Records<'_>,
) -> Result<(), Fault> {
    if !lexer.take(b'{') {
        return Err(lexer.unexpected("an object, as every stream is one").into());
    }
    let (mut labels, mut values) = (None, None);
    let mut is_first = true;
    while lexer.next(is_first, b'}')? {
        is_first = false;
        let name = lexer.name()?;
        lexer.peek();
        match name.raw {
            b"stream" => labels = Some(lexer.offset()),
            b"values" => values = Some(lexer.offset()),
            _ => {}
        }
        lexer.skip()?;
    }
    stream.begin();
    if let Some(at) = labels {
        let mut lexer = Lexer::at(text, at);
        if !lexer.take(b'{') {
            return Err(lexer.unexpected("an object of labels").into());
        }
        texts(&mut lexer, |name, value| {
            let value = records.output.aside(value)?;
            Ok(stream.label(name, &value, records)?)
        })?;
    }
    let Some(at) = values else { return Ok(()) };
    let mut lexer = Lexer::at(text, at);
    open_list(&mut lexer, "values")?;
    let mut is_first = true;
    while lexer.next(is_first, b']')? {
        is_first = false;
        lexer.peek();
        let start = lexer.offset();
        lexer.skip()?;
        let entry = &text[start..lexer.offset()];
        stream.add(records, (entry, None), |records, stream| {
            json_entry(&mut Lexer::new(entry), records, stream)
        })?;
    }
    Ok(())
}

/// Reads `["ns", "line"]` or `["ns", "line", {"name": "value"}]`.
fn json_entry(
    lexer: &mut Lexer<'_>,
    records: &mut Records<'_>,
    stream: &mut Entry,
) -> Result<(), Fault> {
    const SHAPE: &str =
        "an entry is [\"<ns since the epoch>\", \"<line>\"] and maybe an object of texts";
    let shape = || Fault::malformed(SHAPE);
    if !lexer.take(b'[') || lexer.peek() != b'"' {
        return Err(shape());
    }
    let digits = lexer.string()?;
    stream.time = whole(digits.raw).map_err(|_| Fault::malformed("its time is no number of ns"))?;
    if !lexer.take(b',') || lexer.peek() != b'"' {
        return Err(shape());
    }
    let line = lexer.string()?;
    let line = records.output.aside(line)?;
    records.body_text(&line)?;
    if lexer.take(b',') {
        if !lexer.take(b'{') {
            return Err(shape());
        }
        texts(lexer, |name, value| {
            let value = records.output.aside(value)?;
            Ok(stream.metadata(name, &value, records)?)
        })?;
    }
    match lexer.take(b']') {
        true => Ok(()),
        false => Err(shape()),
    }
}

/// Reads the members of an object whose brace was read: all of them texts.
fn texts(
    lexer: &mut Lexer<'_>,
    mut each: impl FnMut(&[u8], Quoted<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut plain = Vec::new();
    let mut is_first = true;
    while lexer.next(is_first, b'}')? {
        is_first = false;
        let name = lexer.name()?;
        plain.clear();
        unescape(name.raw, &mut plain);
        if lexer.peek() != b'"' {
            return Err(lexer
                .unexpected("a text, as the values of labels and metadata are")
                .into());
        }
        each(&plain, lexer.string()?)?;
    }
    Ok(())
}

fn open_list(lexer: &mut Lexer<'_>, of: &str) -> Result<(), Fault> {
    match lexer.take(b'[') {
        true => Ok(()),
        false => Err(lexer.unexpected(&format!("an array of {of}")).into()),
    }
}
