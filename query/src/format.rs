//! Answers as bytes: JSON, NDJSON, Arrow IPC stream and CSV, one envelope for all.
//!
//! Every format has the columns first, the rows in between, and at the end what the answer is based on. An answer
//! without that end is not whole. `docs/formats/answers.md` says what each looks like.

mod csv;
mod envelope;
mod ipc;
mod json;
pub mod parquet;
mod time;
mod value;

pub use envelope::completeness;

/// An instant (ns since 1970, UTC) as answers have it.
pub fn rfc3339(nanos: i64) -> String {
    let mut text = Vec::new();
    time::instant(
        &mut text,
        nanos,
        arrow::datatypes::TimeUnit::Nanosecond,
        true,
    );
    String::from_utf8_lossy(&text).into_owned()
}

use crate::{
    error::{Error, Result},
    sql::answer::AnswerEnd,
};
use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, SchemaRef},
};
use std::{collections::HashSet, sync::Arc};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One object: columns, rows as arrays, completeness.
    Json,
    /// A line for the columns, a line for each row (an object), a line for completeness.
    Ndjson,
    /// An Arrow IPC stream of the rows, then a second one with one row: completeness.
    Arrow,
    /// RFC 4180 with a header line; completeness has no place in it.
    Csv,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Format; 4] = [Format::Json, Format::Ndjson, Format::Arrow, Format::Csv];

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Arrow => "application/vnd.apache.arrow.stream",
            Format::Csv => "text/csv",
        }
    }

    /// The format that an `Accept` header prefers (RFC 9110, 12.5.1); `None` if it accepts none of ours.
    pub fn accepted(accept: &str) -> Option<Format> {
        let mut best: Option<(Format, f32)> = None;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let quality: f32 = quality.unwrap_or(1.0);
            let named = Format::ALL
                .into_iter()
                .find(|format| format.matches(&media));
            if let Some(format) = named
                && quality > best.map_or(0.0, |(_, quality)| quality)
            {
                best = Some((format, quality));
            }
        }
        best.map(|(format, _)| format)
    }

    fn matches(self, media: &str) -> bool {
        match media {
            "*/*" | "application/*" => self == Format::Json,
            "text/*" => self == Format::Csv,
            "application/ndjson" | "application/jsonl" => self == Format::Ndjson,
            other => other == self.media_type(),
        }
    }
}

/// Writes one answer, piece by piece: [`Encoder::start`], [`Encoder::rows`] for each batch, [`Encoder::end`].
pub struct Encoder {
    schema: SchemaRef,
    kind: Kind,
}

enum Kind {
    Json(json::Rows),
    Ndjson(json::Lines),
    Arrow(Box<ipc::Stream>),
    Csv,
}

impl Encoder {
    /// An encoder for an answer with `schema`. Columns that share a name get a number at the end of it.
    pub fn new(format: Format, schema: &Schema) -> Result<Encoder> {
        let schema = Arc::new(unique_names(schema));
        let kind = match format {
            Format::Json => Kind::Json(json::Rows::default()),
            Format::Ndjson => Kind::Ndjson(json::Lines::new(&schema)),
            Format::Arrow => Kind::Arrow(Box::new(ipc::Stream::new(&schema)?)),
            Format::Csv => Kind::Csv,
        };
        Ok(Encoder { schema, kind })
    }

    /// What stands before the rows.
    pub fn start(&mut self) -> Result<Vec<u8>> {
        match &mut self.kind {
            Kind::Json(_) => Ok(json::start(&self.schema)),
            Kind::Ndjson(_) => Ok(json::columns_line(&self.schema)),
            Kind::Arrow(stream) => Ok(stream.take()),
            Kind::Csv => Ok(csv::header(&self.schema)),
        }
    }

    /// The next rows.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match &mut self.kind {
            Kind::Json(rows) => rows.rows(batch),
            Kind::Ndjson(lines) => lines.rows(batch),
            Kind::Arrow(stream) => stream.rows(&self.schema, batch),
            Kind::Csv => csv::rows(batch),
        }
    }

    /// What stands after the last row.
    pub fn end(&mut self, end: &AnswerEnd) -> Result<Vec<u8>> {
        match &mut self.kind {
            Kind::Json(_) => Ok(json::end(end)),
            Kind::Ndjson(_) => Ok(json::end_line(end)),
            Kind::Arrow(stream) => stream.end(end),
            Kind::Csv => Ok(Vec::new()),
        }
    }

    /// What stands after the last row of an answer that failed on its way, in formats that have a place for it;
    /// `None` where the only way to tell is to break off.
    pub fn failed(&mut self, error: &Error) -> Option<Vec<u8>> {
        match &mut self.kind {
            Kind::Json(_) => Some(json::failed(error)),
            Kind::Ndjson(_) => Some(json::failed_line(error)),
            Kind::Arrow(_) | Kind::Csv => None,
        }
    }
}

/// `schema` without field metadata, `name`, `name_2`, `name_3` for columns of one name.
fn unique_names(schema: &Schema) -> Schema {
    let mut taken: HashSet<String> = HashSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        fields.push(Field::new(
            name,
            field.data_type().clone(),
            field.is_nullable(),
        ));
    }
    Schema::new(fields)
}

#[cfg(test)]
mod tests;
