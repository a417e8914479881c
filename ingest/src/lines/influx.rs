//! Influx line protocol (InfluxDB 1 and 2): `measurement,tag=value field=1.5,other=2i 1700000000000000000`.
//!
//! Each field that is a number or a boolean is a sample of `<measurement>_<field>`, tags are its labels. Fields that are
//! texts are no metrics and are left out.

use crate::{
    error::Result,
    prometheus::samples::{Label, Sample, SampleWriter, Value},
};
use cairn_storage::{append::Reason, time::Nanos};
use std::borrow::Cow;

/// The unit of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    #[default]
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

impl Precision {
    /// The unit that a parameter `precision` names, of either version of the API.
    pub fn parse(name: &str) -> Option<Precision> {
        Some(match name {
            "" | "n" | "ns" => Precision::Nanoseconds,
            "u" | "us" | "µ" | "µs" => Precision::Microseconds,
            "ms" => Precision::Milliseconds,
            "s" => Precision::Seconds,
            "m" => Precision::Minutes,
            "h" => Precision::Hours,
            _ => return None,
        })
    }

    fn nanos(self) -> i64 {
        match self {
            Precision::Nanoseconds => 1,
            Precision::Microseconds => 1_000,
            Precision::Milliseconds => 1_000_000,
            Precision::Seconds => 1_000_000_000,
            Precision::Minutes => 60_000_000_000,
            Precision::Hours => 3_600_000_000_000,
        }
    }
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Number(Value),
    Text,
}

/// Key and value.
type Tag<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// A line; kept between lines for its vectors.
#[derive(Debug, Default)]
struct Point<'a> {
    measurement: Cow<'a, [u8]>,
    tags: Vec<Tag<'a>>,
    fields: Vec<(Cow<'a, [u8]>, Field)>,
    /// ns.
    time: Option<i64>,
}

type Step<T> = std::result::Result<T, &'static str>;

/// Writes the samples of `text`, received at `received`, which is the time of those that have none; how many fields are
/// texts.
pub(super) fn write(
    text: &[u8],
    precision: Precision,
    received: Nanos,
    writer: &mut SampleWriter<'_>,
) -> Result<u64> {
    let mut cursor = Cursor { text, at: 0 };
    let mut point = Point::default();
    let (mut number, mut counted, mut texts) = (1, 0, 0);
    while cursor.skip_to_line() {
        let begin = cursor.at;
        number += newlines(&text[counted..begin]);
        counted = begin;
        let read = cursor.point(precision, &mut point);
        let written = read.and_then(|()| point.check());
        if let Err(what) = written {
            cursor.skip_line();
            let line = text[begin..cursor.at].trim_ascii_end();
            let detail = format!("line {number}: {what}");
            writer.reject(line, Reason::Malformed, &detail)?;
            continue;
        }
        texts += write_point(&point, received, writer)?;
    }
    Ok(texts)
}

fn newlines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

fn write_point(point: &Point<'_>, received: Nanos, writer: &mut SampleWriter<'_>) -> Result<u64> {
    let time = point.time.unwrap_or(received.0);
    let mut texts = 0;
    let mut name = Vec::new();
    for (field, value) in &point.fields {
        let Field::Number(value) = value else {
            texts += 1;
            continue;
        };
        name.clear();
        name.extend_from_slice(&point.measurement);
        name.push(b'_');
        name.extend_from_slice(field);
        let mut labels: Vec<Label<'_>> = vec![(&b"__name__"[..], &name[..])];
        labels.extend(point.tags.iter().map(|tag| (&*tag.0, &*tag.1)));
        labels.sort_unstable();
        let sample = Sample {
            time,
            value: *value,
        };
        writer.sample(&labels, &sample, None, None)?;
    }
    Ok(texts)
}

impl Point<'_> {
    /// Sorts the tags; fails where they make no series.
    fn check(&mut self) -> Step<()> {
        self.tags.retain(|tag| !tag.1.is_empty());
        self.tags.sort_by(|a, b| a.0.cmp(&b.0));
        if self.tags.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err("a tag stands twice");
        }
        if self.tags.iter().any(|tag| *tag.0 == *b"__name__") {
            return Err("a tag is named __name__, which is the name of the metric");
        }
        Ok(())
    }
}

/// Reads lines one after the other. A text in quotes may hold line breaks.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Goes to the next line that is neither empty nor a comment; whether there is one.
    fn skip_to_line(&mut self) -> bool {
        while let Some(byte) = self.next() {
            match byte {
                b'#' => self.skip_line(),
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => return true,
            }
        }
        false
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    fn point(&mut self, precision: Precision, point: &mut Point<'a>) -> Step<()> {
        point.tags.clear();
        point.fields.clear();
        point.measurement = self.token(b", ", b", ");
        if point.measurement.is_empty() {
            return Err("it has no measurement");
        }
        while self.accept(b',') {
            let name = self.token(b"=, ", b",= ");
            if name.is_empty() || !self.accept(b'=') {
                return Err("a tag has no name or no value");
            }
            point.tags.push((name, self.token(b", ", b",= ")));
        }
        if !self.skip_blanks() {
            return Err("it has no fields");
        }
        loop {
            let name = self.token(b"=, ", b",= ");
            if name.is_empty() || !self.accept(b'=') {
                return Err("a field has no name or no value");
            }
            let value = self.field()?;
            point.fields.push((name, value));
            if !self.accept(b',') {
                break;
            }
        }
        self.skip_blanks();
        let time = self.token(b" ", b"");
        point.time = match time.is_empty() {
            true => None,
            false => Some(nanos(&time, precision)?),
        };
        self.skip_blanks();
        match self.next() {
            None | Some(b'\n') => Ok(()),
            Some(_) => Err("there is something behind the time"),
        }
    }

    fn field(&mut self) -> Step<Field> {
        if self.accept(b'"') {
            return self.text_field().map(|()| Field::Text);
        }
        let token = self.token(b", ", b"");
        let text = std::str::from_utf8(&token).map_err(|_| "a field is not UTF-8")?;
        value(text).map(Field::Number).ok_or("a field is no value")
    }

    fn text_field(&mut self) -> Step<()> {
        while let Some(byte) = self.next() {
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.at = (self.at + 1).min(self.text.len()),
                _ => {}
            }
        }
        Err("a text does not end")
    }

    /// Reads up to one of `ends` or the end of the line; a backslash before one of `escapable` takes its meaning away.
    fn token(&mut self, ends: &[u8], escapable: &[u8]) -> Cow<'a, [u8]> {
        let begin = self.at;
        let mut is_escaped = false;
        while let Some(byte) = self.next() {
            let behind = self.text.get(self.at + 1);
            if byte == b'\\' && behind.is_some_and(|byte| escapable.contains(byte)) {
                is_escaped = true;
                self.at += 2;
            } else if byte == b'\n' || byte == b'\r' || ends.contains(&byte) {
                break;
            } else {
                self.at += 1;
            }
        }
        let token = &self.text[begin..self.at];
        match is_escaped {
            true => Cow::Owned(unescaped(token, escapable)),
            false => Cow::Borrowed(token),
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Skips blanks within the line; whether there were any.
    fn skip_blanks(&mut self) -> bool {
        let begin = self.at;
        while matches!(self.next(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
        self.at > begin
    }
}

fn unescaped(token: &[u8], escapable: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(token.len());
    for (at, byte) in token.iter().enumerate() {
        let behind = token.get(at + 1);
        if *byte == b'\\' && behind.is_some_and(|byte| escapable.contains(byte)) {
            continue;
        }
        out.push(*byte);
    }
    out
}

/// A number or boolean. Unsigned integers beyond 63 bits become doubles.
fn value(text: &str) -> Option<Value> {
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Some(Value::Double(1.0)),
        "f" | "F" | "false" | "False" | "FALSE" => return Some(Value::Double(0.0)),
        _ => {}
    }
    if let Some(digits) = text.strip_suffix('i') {
        return digits.parse().ok().map(Value::Int);
    }
    if let Some(digits) = text.strip_suffix('u') {
        let value: u64 = digits.parse().ok()?;
        return Some(i64::try_from(value).map_or(Value::Double(value as f64), Value::Int));
    }
    text.parse().ok().map(Value::Double)
}

fn nanos(text: &[u8], precision: Precision) -> Step<i64> {
    let time = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<i64>().ok())
        .and_then(|time| time.checked_mul(precision.nanos()));
    match time {
        Some(time) if time >= 0 => Ok(time),
        _ => Err("its time is not readable, before 1970 or after 2262"),
    }
}
